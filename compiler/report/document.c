/* Documents as text and as HTML. In: a document_t. Out: aligned text of at most about 110 columns,
 * or one page that needs nothing but itself: no scripts, no fonts, no addresses of other places. */
#include "report/document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/heap.h"
#include "support/printable.h"

section_t *document_section(document_t *d, const char *heading) {
    section_t fresh = {.heading = heading};
    ARENA_PUSH(d->arena, d->sections, d->n, d->cap) = fresh;
    return &d->sections[d->n - 1];
}

table_t *table_new(arena_t *a, int n_columns, const column_t *columns) {
    table_t *t = ARENA_NEW(a, table_t);
    t->n_columns = n_columns;
    memcpy(t->columns, columns, (size_t)n_columns * sizeof *columns);
    return t;
}

void table_row(arena_t *a, table_t *t, const char *const *cells) {
    for (int c = 0; c < t->n_columns; c++) ARENA_PUSH(a, t->cells, t->n, t->cap) = cells[c];
}

static size_t rows_of(const table_t *t) {
    return t->n / (size_t)t->n_columns;
}

static const char *cell(const table_t *t, size_t row, int column) {
    return t->cells[row * (size_t)t->n_columns + (size_t)column];
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* Three or four digits that matter. */
static const char *scaled(arena_t *a, double x, double step, const char *const *units, int n) {
    int unit = 0;
    while (fabs(x) >= step && unit < n - 1) {
        x /= step;
        unit++;
    }
    int decimals = unit == 0 && x == floor(x) ? 0 : fabs(x) < 10 ? 2 : fabs(x) < 1000 ? 1 : 0;
    return arena_printf(a, "%.*f%s%s", decimals, x, *units[unit] ? " " : "", units[unit]);
}

const char *text_plural(int64_t n) {
    return n == 1 ? "" : "s";
}

const char *text_bytes(arena_t *a, double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    return scaled(a, bytes, 1024, units, 6);
}

const char *text_scaled(arena_t *a, double x) {
    static const char *const units[] = {"", "k", "M", "G", "T", "P"};
    return scaled(a, x, 1000, units, 6);
}

const char *text_integer(arena_t *a, double x) {
    const char *digits = arena_printf(a, "%.0f", x);
    size_t n = strlen(digits), at = 0;
    char *out = arena_alloc(a, n + n / 3 + 2);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-') out[at++] = ',';
        out[at++] = digits[i];
    }
    return out;
}

const char *text_seconds(arena_t *a, double x) {
    static const char *const units[] = {"ns", "us", "ms", "s"};
    return scaled(a, x * 1e9, 1000, units, 4);
}

const char *text_share(arena_t *a, double part) {
    return arena_printf(a, "%.1f %%", 100 * part);
}

/* ---- text ------------------------------------------------------------------------------------ */

/* How wide a terminal shows it: characters, of which each of ours takes one column. */
static int width_of(const char *text) {
    int n = 0;
    bool ok;
    for (const char *p = text, *end = p + strlen(p); p < end; n++) p += printable(p, end, &ok);
    return n;
}

static void put_printable(sbuf_t *out, const char *text) {
    for (const char *p = text, *end = p + strlen(p); p < end;) {
        bool ok;
        size_t n = printable(p, end, &ok);
        if (ok) sbuf_write(out, p, n);
        else sbuf_puts(out, "?");
        p += n;
    }
}

static int column_width(const table_t *t, int c) {
    int max = t->columns[c].title ? width_of(t->columns[c].title) : 0;
    for (size_t r = 0; r < rows_of(t); r++) {
        int n = width_of(cell(t, r, c));
        if (n > max) max = n;
    }
    return max;
}

static void put_line(const table_t *t, const int *width, const char *const *cells, sbuf_t *out) {
    sbuf_puts(out, " ");
    for (int c = 0; c < t->n_columns; c++) {
        int pad = width[c] - width_of(cells[c]);
        bool last = c == t->n_columns - 1;
        sbuf_puts(out, c ? "  " : " ");
        if (!t->columns[c].left) sbuf_printf(out, "%*s", pad, "");
        put_printable(out, cells[c]);
        if (t->columns[c].left && !last) sbuf_printf(out, "%*s", pad, "");
    }
    while (out->size && out->data[out->size - 1] == ' ') out->data[--out->size] = 0;
    sbuf_puts(out, "\n");
}

static void put_table(const table_t *t, sbuf_t *out) {
    int width[MAX_COLUMNS];
    const char *titles[MAX_COLUMNS];
    bool head = false;
    for (int c = 0; c < t->n_columns; c++) {
        width[c] = column_width(t, c);
        titles[c] = t->columns[c].title ? t->columns[c].title : "";
        head = head || *titles[c];
    }
    if (head) put_line(t, width, titles, out);
    for (size_t r = 0; r < rows_of(t); r++)
        put_line(t, width, &t->cells[r * (size_t)t->n_columns], out);
}

/* Whole words, in lines that begin like the rows of tables. */
static void put_paragraph(const char *text, sbuf_t *out) {
    enum { LAST = 100 };
    int column = LAST;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " \n");
        char *word = strndup(p, n);
        int w = word ? width_of(word) : 0;
        if (column + 1 + w > LAST) {
            sbuf_puts(out, p == text ? "  " : "\n  ");
            column = 2;
        } else {
            sbuf_puts(out, " ");
            column++;
        }
        if (word) put_printable(out, word);
        column += w;
        heap_free(word);
        p += n;
        if (*p == '\n') column = LAST;
        p += *p != 0;
    }
    sbuf_puts(out, "\n");
}

void document_text(const document_t *d, sbuf_t *out) {
    put_printable(out, d->title);
    sbuf_puts(out, "\n");
    for (size_t i = 0; i < d->n; i++) {
        const section_t *s = &d->sections[i];
        sbuf_puts(out, "\n");
        put_printable(out, s->heading);
        sbuf_puts(out, "\n");
        if (s->text) put_paragraph(s->text, out);
        if (s->table) put_table(s->table, out);
        if (s->note) put_paragraph(s->note, out);
    }
}

/* ---- HTML ------------------------------------------------------------------------------------ */

void put_escaped(sbuf_t *out, const char *text) {
    for (const char *p = text, *end = p + strlen(p); p < end;) {
        bool ok;
        size_t n = printable(p, end, &ok);
        if (!ok) sbuf_puts(out, *p == '\n' ? "<br/>" : "?");
        else if (*p == '<') sbuf_puts(out, "&lt;");
        else if (*p == '>') sbuf_puts(out, "&gt;");
        else if (*p == '&') sbuf_puts(out, "&amp;");
        else if (*p == '"') sbuf_puts(out, "&quot;");
        else if (*p == '\'') sbuf_puts(out, "&#39;");
        else sbuf_write(out, p, n);
        p += n;
    }
}

static const char style[] =
    "body{font:15px/1.45 system-ui,sans-serif;color:#1c2430;background:#fff;max-width:1080px;"
    "margin:2em auto;padding:0 1.2em}"
    "h1{font-size:1.45em;margin:0 0 .4em}h2{font-size:1.1em;margin:2em 0 .5em;padding-top:.6em;"
    "border-top:1px solid #d5dae1}"
    "p{margin:.4em 0;max-width:52em}"
    "table{border-collapse:collapse;font-size:.92em;font-variant-numeric:tabular-nums;margin:.6em 0}"
    "th,td{padding:.16em .9em;text-align:right;border-bottom:1px solid #edf0f3}"
    "th:first-child,td:first-child{padding-left:0}"
    "th{font-weight:600;color:#56606e;border-color:#b9c1cc;vertical-align:bottom}"
    ".l{text-align:left}tr.sum td{font-weight:600;border-top:1px solid #b9c1cc;border-bottom:0}"
    ".figure{overflow-x:auto;margin:.8em 0}svg{display:block}";

static void put_cell(const table_t *t, int c, const char *tag, const char *text, sbuf_t *out) {
    sbuf_printf(out, "<%s%s>", tag, t->columns[c].left ? " class=\"l\"" : "");
    put_escaped(out, text);
    sbuf_printf(out, "</%s>", tag);
}

static void put_html_head(const table_t *t, sbuf_t *out) {
    bool head = false;
    for (int c = 0; c < t->n_columns; c++) head = head || t->columns[c].title;
    if (!head) return;
    sbuf_puts(out, "<tr>");
    for (int c = 0; c < t->n_columns; c++)
        put_cell(t, c, "th", t->columns[c].title ? t->columns[c].title : "", out);
    sbuf_puts(out, "</tr>\n");
}

static void put_html_table(const table_t *t, sbuf_t *out) {
    sbuf_puts(out, "<table>\n");
    put_html_head(t, out);
    for (size_t r = 0; r < rows_of(t); r++) {
        bool sum = t->totals && r == rows_of(t) - 1;
        sbuf_puts(out, sum ? "<tr class=\"sum\">" : "<tr>");
        for (int c = 0; c < t->n_columns; c++) put_cell(t, c, "td", cell(t, r, c), out);
        sbuf_puts(out, "</tr>\n");
    }
    sbuf_puts(out, "</table>\n");
}

static void put_element(const char *tag, const char *text, sbuf_t *out) {
    if (!text) return;
    sbuf_printf(out, "<%s>", tag);
    put_escaped(out, text);
    sbuf_printf(out, "</%s>\n", tag);
}

void document_html(const document_t *d, sbuf_t *out) {
    sbuf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    sbuf_puts(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    put_element("title", d->title, out);
    sbuf_printf(out, "<style>%s</style>\n</head>\n<body>\n", style);
    put_element("h1", d->title, out);
    for (size_t i = 0; i < d->n; i++) {
        const section_t *s = &d->sections[i];
        put_element("h2", s->heading, out);
        put_element("p", s->text, out);
        if (s->figure) sbuf_printf(out, "<div class=\"figure\">\n%s</div>\n", s->figure);
        if (s->table) put_html_table(s->table, out);
        put_element("p", s->note, out);
    }
    sbuf_puts(out, "</body>\n</html>\n");
}
