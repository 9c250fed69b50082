/* Reading of tsv.h: the file whole, its lines, the two columns, then ids and classes. */
#include "data/tsv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "support/arena.h"
#include "support/file.h"
#include "support/format.h"
#include "support/hash.h"
#include "support/heap.h"
#include "support/utf8.h"

typedef struct {
    const char *at;
    size_t n;
} tsv_field_t;

typedef struct {
    tsv_field_t text, label;
    int line; /* from 1 */
    int32_t class;
    int64_t from, n; /* its ids in tsv_t.ids */
} tsv_row_t;

struct tsv {
    arena_t *arena; /* path, rows, names */
    const char *path;
    tsv_row_t *rows;
    size_t n, cap;
    const char **names; /* [n_names] of the classes; NULL: numbers */
    int64_t n_names, cut;
    int32_t *ids;
    int64_t n_ids, cap_ids;
};

typedef struct {
    tsv_t *t;
    const tsv_options_t *o;
    const char *path;
    int text, label; /* columns, from 0; -1: the last one */
    diag_t *d;
} tsv_reader_t;

void tsv_free(tsv_t *t) {
    if (!t) return;
    arena_free(t->arena);
    heap_free(t->ids);
    heap_free(t);
}

/* ---- lines and columns ---------------------------------------------------------------------- */

enum { MAX_COLUMNS = 1024 };

/* Column i of a line, -1: the last one; n of the result is SIZE_MAX where there is none. */
static tsv_field_t column(tsv_field_t line, int i) {
    const char *end = line.at + line.n;
    for (int c = 0;; c++) {
        const char *tab = memchr(line.at, '\t', (size_t)(end - line.at));
        if (c == i || (i < 0 && !tab))
            return (tsv_field_t){line.at, (size_t)((tab ? tab : end) - line.at)};
        if (!tab) return (tsv_field_t){NULL, SIZE_MAX};
        line.at = tab + 1;
    }
}

static bool is(tsv_field_t w, const char *name) {
    return strlen(name) == w.n && strncasecmp(w.at, name, w.n) == 0;
}

/* The column of the header with one of these names, NULL-terminated; -1: none. */
static int find_column(tsv_field_t header, const char *const *names) {
    for (; *names; names++)
        for (int c = 0; c < MAX_COLUMNS; c++) {
            tsv_field_t w = column(header, c);
            if (w.n == SIZE_MAX) break;
            if (is(w, *names)) return c;
        }
    return -1;
}

/* A column as the user named it, a number from 1 included; -1: not given; -2
 * after an error in d. */
static int asked_column(tsv_reader_t *r, const char *name, tsv_field_t header, bool *is_name) {
    *is_name = false;
    if (!name) return -1;
    char *end;
    long number = strtol(name, &end, 10);
    if (end != name && !*end && number >= 1 && number <= MAX_COLUMNS) return (int)number - 1;
    const char *const one[] = {name, NULL};
    *is_name = true;
    int c = find_column(header, one);
    if (c >= 0) return c;
    diag_error(r->d, (srcloc_t){r->path, 1, 1}, "no column is called '%s'", name);
    diag_hint(r->d, "the first line names the columns; a number from 1 stands for one as well");
    return -2;
}

static const char *const label_names[] = {"label", "target", NULL};
static const char *const text_names[] = {"text", "sentence", "source", NULL};

/* Whether the first line is a header, in *is_header. */
static bool find_columns(tsv_reader_t *r, tsv_field_t first, bool *is_header) {
    bool named_text, named_label;
    int label = asked_column(r, r->o->label_column, first, &named_label);
    int text = asked_column(r, r->o->text_column, first, &named_text);
    if (label == -2 || text == -2) return false;
    *is_header = named_text || named_label || find_column(first, label_names) >= 0;
    if (label < 0 && *is_header) label = find_column(first, label_names);
    if (text < 0 && *is_header) text = find_column(first, text_names);
    if (label < 0) { /* the last one */
        for (label = 0; label + 1 < MAX_COLUMNS && column(first, label + 1).n != SIZE_MAX;) label++;
    }
    if (text < 0) text = label == 0 ? 1 : 0;
    r->text = text;
    r->label = label;
    if (text != label) return true;
    diag_error(r->d, (srcloc_t){r->path, 1, 1}, "text and label are the same column, %d", text + 1);
    return false;
}

/* Whether a column of a line is UTF-8; otherwise an error that says where it is not. */
static bool is_utf8(tsv_reader_t *r, tsv_field_t w, int number, int column) {
    const char *p = w.at, *end = w.at + w.n;
    for (size_t n; p < end; p += n)
        if ((n = utf8_char(p, end)) == 0) break;
    if (p == end) return true;
    diag_error(r->d, (srcloc_t){r->path, number, 1}, "byte %zu of column %d, 0x%02x, is not UTF-8",
               (size_t)(p - w.at) + 1, column + 1, (unsigned char)*p);
    diag_hint(r->d, "iconv -f LATIN1 -t UTF-8, if that is what the file is");
    return false;
}

/* Of the lines behind an error, so that more of them are told at once. */
static bool goes_on(const tsv_reader_t *r) {
    return diag_errors(r->d) < DIAG_MAX_PRINTED;
}

static bool add_line(tsv_reader_t *r, tsv_field_t line, int number) {
    tsv_row_t row = {column(line, r->text), column(line, r->label), number, 0, 0, 0};
    int missing = row.text.n == SIZE_MAX ? r->text : row.label.n == SIZE_MAX ? r->label : -1;
    if (missing >= 0) {
        diag_error(r->d, (srcloc_t){r->path, number, 1}, "has no column %d", missing + 1);
        diag_hint(r->d, "columns are separated by tabs");
        return goes_on(r);
    }
    if (!is_utf8(r, row.label, number, r->label) ||
        (r->o->utf8 && !is_utf8(r, row.text, number, r->text)))
        return goes_on(r);
    tsv_t *t = r->t;
    ARENA_PUSH(t->arena, t->rows, t->n, t->cap) = row;
    return true;
}

static tsv_field_t next_line(const char **at, const char *end) {
    const char *feed = memchr(*at, '\n', (size_t)(end - *at));
    tsv_field_t line = {*at, (size_t)((feed ? feed : end) - *at)};
    *at = feed ? feed + 1 : end;
    if (line.n && line.at[line.n - 1] == '\r') line.n--;
    return line;
}

static bool read_lines(tsv_reader_t *r, const char *content, size_t bytes) {
    static const char mark[] = "\xEF\xBB\xBF";
    const char *at = content, *end = content + bytes;
    if (bytes >= 3 && memcmp(at, mark, 3) == 0) at += 3;
    int number = 0, before = diag_errors(r->d);
    bool begun = false;
    while (at < end) {
        tsv_field_t line = next_line(&at, end);
        bool is_header = false;
        number++;
        if (line.n == 0) continue;
        if (!begun && !find_columns(r, line, &is_header)) return false;
        begun = true;
        if (!is_header && !add_line(r, line, number)) return false;
    }
    if (diag_errors(r->d) > before) return false;
    if (r->t->n > 0) return true;
    diag_error(r->d, IN_FILE(r->path), "has no rows");
    return false;
}

/* ---- classes -------------------------------------------------------------------------------- */

static int compare(tsv_field_t a, tsv_field_t b) {
    int c = memcmp(a.at, b.at, a.n < b.n ? a.n : b.n);
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int by_bytes(const void *a, const void *b) {
    return compare(*(const tsv_field_t *)a, *(const tsv_field_t *)b);
}

/* A number of decimal digits below `max`; -1: none. */
static int64_t class_number(tsv_field_t w, int64_t max) {
    int64_t x = 0;
    if (w.n == 0 || w.n > 9) return -1;
    for (size_t i = 0; i < w.n; i++) {
        if (w.at[i] < '0' || w.at[i] > '9') return -1;
        x = 10 * x + (w.at[i] - '0');
    }
    return x < max ? x : -1;
}

static bool all_numbers(const tsv_reader_t *r) {
    for (size_t i = 0; i < r->t->n; i++)
        if (class_number(r->t->rows[i].label, r->o->n_labels) < 0) return false;
    return true;
}

/* Names without a row are nobody's to guess, and a model is saved with all of them. */
static bool wrong_classes(tsv_reader_t *r) {
    long long found = (long long)r->t->n_names;
    diag_error(r->d, IN_FILE(r->path), "has %lld class%s, the model %lld ('num_labels')", found,
               found == 1 ? "" : "es", (long long)r->o->n_labels);
    if (found > 1)
        diag_hint(r->d, "--set num_labels=%lld; column %d is taken for the label", found,
                  r->label + 1);
    else diag_hint(r->d, "column %d is taken for the label", r->label + 1);
    return false;
}

/* The file's own names, sorted. */
static bool collect_names(tsv_reader_t *r) {
    tsv_t *t = r->t;
    tsv_field_t *all = ARENA_ARRAY(t->arena, tsv_field_t, t->n);
    for (size_t i = 0; i < t->n; i++) all[i] = t->rows[i].label;
    qsort(all, t->n, sizeof *all, by_bytes);
    t->names = ARENA_ARRAY(t->arena, const char *, r->o->n_labels);
    for (size_t i = 0; i < t->n; i++) {
        if (i > 0 && compare(all[i - 1], all[i]) == 0) continue;
        if (t->n_names < r->o->n_labels)
            t->names[t->n_names] = arena_strndup(t->arena, all[i].at, all[i].n);
        t->n_names++;
    }
    return t->n_names == r->o->n_labels || wrong_classes(r);
}

static void copy_names(tsv_reader_t *r) {
    tsv_t *t = r->t;
    t->names = ARENA_ARRAY(t->arena, const char *, r->o->n_labels);
    for (int64_t i = 0; i < r->o->n_labels; i++)
        t->names[i] = arena_strdup(t->arena, r->o->labels[i]);
    t->n_names = r->o->n_labels;
}

static int32_t find_name(const tsv_t *t, tsv_field_t w) {
    for (int64_t i = 0; i < t->n_names; i++)
        if (strlen(t->names[i]) == w.n && memcmp(t->names[i], w.at, w.n) == 0) return (int32_t)i;
    return -1;
}

static void unknown_class(tsv_reader_t *r, const tsv_row_t *row) {
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(row->label.n < 63 ? row->label.n : 63),
             row->label.at);
    diag_error(r->d, (srcloc_t){r->path, row->line, 1},
               "'%s' is no class: the model has %lld, by name or numbered from 0", word,
               (long long)r->o->n_labels);
    const char *near = did_you_mean(word, r->t->names, (size_t)r->t->n_names);
    if (near) diag_hint(r->d, "did you mean '%s'?", near);
}

static const char *class_text(const tsv_t *t, int32_t class) {
    return t->names ? t->names[class] : arena_printf(t->arena, "%d", (int)class);
}

/* Whether the rows can teach to tell classes apart; which of the model's they say nothing of. */
static bool check_classes(tsv_reader_t *r) {
    const tsv_t *t = r->t;
    bool *is_there = ARENA_ARRAY(t->arena, bool, r->o->n_labels);
    int64_t n = 0, first = 0;
    for (size_t i = 0; i < t->n; i++) is_there[t->rows[i].class] = true;
    for (int64_t k = 0; k < r->o->n_labels; k++) n += is_there[k];
    if (!r->o->learnt) return true;
    if (n == 1) {
        diag_error(r->d, IN_FILE(r->path),
                   "all of its rows are of class '%s': nothing can be told apart",
                   class_text(t, t->rows[0].class));
        diag_hint(r->d, "column %d is taken for the label", r->label + 1);
        return false;
    }
    if (n == r->o->n_labels) return true;
    while (is_there[first]) first++;
    diag_warning(r->d, IN_FILE(r->path), "no row is of class '%s'%s", class_text(t, (int32_t)first),
                 n + 1 < r->o->n_labels ? ", nor of others that the model has" : "");
    return true;
}

static bool find_classes(tsv_reader_t *r) {
    tsv_t *t = r->t;
    int before = diag_errors(r->d);
    bool numbers = all_numbers(r);
    if (r->o->labels) copy_names(r);
    else if (!numbers && !r->o->numbers && !collect_names(r)) return false;
    for (size_t i = 0; i < t->n; i++) {
        tsv_row_t *row = &t->rows[i];
        row->class = find_name(t, row->label);
        if (row->class < 0) row->class = (int32_t)class_number(row->label, r->o->n_labels);
        if (row->class < 0) unknown_class(r, row);
        if (diag_errors(r->d) - before >= DIAG_MAX_PRINTED) return false;
    }
    return diag_errors(r->d) == before && check_classes(r);
}

/* ---- ids ------------------------------------------------------------------------------------ */

static void push_ids(tsv_t *t, const int32_t *ids, int64_t n) {
    if (t->n_ids + n > t->cap_ids) {
        t->cap_ids = 2 * (t->n_ids + n);
        t->ids = heap_resize(t->ids, (size_t)t->cap_ids * sizeof *t->ids);
    }
    if (n > 0) memcpy(t->ids + t->n_ids, ids, (size_t)n * sizeof *ids);
    t->n_ids += n;
}

static bool encode_row(tsv_reader_t *r, tsv_row_t *row) {
    tsv_t *t = r->t;
    int32_t *ids = NULL;
    int64_t n = 0;
    row->from = t->n_ids;
    if (!r->o->encode(r->o->encode_ctx, row->text.at, row->text.n, &ids, &n, r->path, r->d))
        return false;
    t->cut += n > r->o->length;
    push_ids(t, ids, n < r->o->length ? n : r->o->length);
    heap_free(ids);
    row->n = t->n_ids - row->from;
    if (row->n > 0) return true;
    diag_error(r->d, (srcloc_t){r->path, row->line, 1}, "has an empty text in column %d",
               r->text + 1);
    return goes_on(r);
}

static bool encode_rows(tsv_reader_t *r) {
    int before = diag_errors(r->d);
    for (size_t i = 0; i < r->t->n; i++)
        if (!encode_row(r, &r->t->rows[i])) return false;
    return diag_errors(r->d) == before;
}

/* ---- the table ------------------------------------------------------------------------------ */

tsv_t *tsv_open(const char *path, const tsv_options_t *o, diag_t *d) {
    size_t bytes = 0;
    tsv_t *t = heap_new(1, sizeof *t);
    tsv_reader_t r = {t, o, path, 0, 0, d};
    t->arena = arena_new();
    t->path = arena_strdup(t->arena, path);
    char *content = file_read(path, 0, &bytes, d);
    bool ok = content && format_fits(path, content, bytes, WANT_TEXT, d) &&
              read_lines(&r, content, bytes) && find_classes(&r) && encode_rows(&r);
    heap_free(content);
    if (ok) return t;
    tsv_free(t);
    return NULL;
}

const char *tsv_path(const tsv_t *t) {
    return t->path;
}

int64_t tsv_rows(const tsv_t *t) {
    return (int64_t)t->n;
}

const char *const *tsv_labels(const tsv_t *t, int64_t *n) {
    *n = t->n_names;
    return t->names;
}

int64_t tsv_cut(const tsv_t *t) {
    return t->cut;
}

const int32_t *tsv_row(const tsv_t *t, int64_t row, int64_t *n, int32_t *label) {
    const tsv_row_t *r = &t->rows[row];
    *n = r->n;
    *label = r->class;
    return t->ids + r->from;
}

uint64_t tsv_fingerprint(const tsv_t *t) {
    uint64_t h = hash64(HASH64_INIT, &t->n, sizeof t->n);
    for (size_t i = 0; i < t->n; i++) {
        const tsv_row_t *r = &t->rows[i];
        h = hash64(h, &r->class, sizeof r->class);
        h = hash64(h, &r->n, sizeof r->n);
        h = hash64(h, t->ids + r->from, (size_t)r->n * sizeof *t->ids);
    }
    return h;
}
