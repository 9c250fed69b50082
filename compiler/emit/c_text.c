/* Text of C: lines of at most 100 columns, comments, literals that read back as the same bits. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "emit/c_int.h"
#include "support/heap.h"
#include "support/printable.h"
#include "support/unseen.h"

/* ---- lines ----------------------------------------------------------------------------------- */

/* Columns that better breaks are worth: one parenthesis further out, at a space instead of behind a
 * parenthesis, between arguments instead of within one. Within a subscript: only
 * where nothing else is. */
enum { DEPTH_PRICE = 45, OPENING_PRICE = 60, WITHIN_PRICE = 20, SUBSCRIPT_PRICE = 1000 };

/* Where to break a line: where the rest begins, behind a space or an opening parenthesis, as far
 * right and as little nested as may be; the first place of all where none is
 * near enough. 0: nowhere. */
static size_t best_break(const char *s, size_t room) {
    long best = -1000000;
    size_t at = 0;
    int depth = 0, subscripts = 0;
    bool quoted = false;
    for (size_t i = 0; s[i] && (i <= room || at == 0); i++) {
        if (s[i] == '"' && (i == 0 || s[i - 1] != '\\')) quoted = !quoted;
        if (quoted) continue;
        if (s[i] == '(' || s[i] == '[' || s[i] == '{') depth++;
        if (s[i] == ')' || s[i] == ']' || s[i] == '}') depth--;
        if (s[i] == '[') subscripts++;
        if (s[i] == ']') subscripts--;
        bool space = s[i] == ' ' && i > 0 && strcmp(s + i, " {") != 0;
        bool opening = s[i] == '(' && s[i + 1] && i < room;
        if (!space && !opening) continue;
        bool within = space && s[i - 1] != ',';
        long score = (long)i - DEPTH_PRICE * depth - (opening ? OPENING_PRICE : 0) -
                     (within ? WITHIN_PRICE : 0) - SUBSCRIPT_PRICE * subscripts;
        if (score >= best) best = score, at = i + 1;
    }
    return at;
}

static void indent(sbuf_t *out, int columns) {
    static const char spaces[] = "                                ";
    for (int n; columns > 0; columns -= n) {
        n = columns < (int)sizeof spaces - 1 ? columns : (int)sizeof spaces - 1;
        sbuf_write(out, spaces, (size_t)n);
    }
}

/* Of a line that does not fit. */
static void put_wrapped(sbuf_t *out, int columns, const char *s) {
    /* what opens a body stands out from it where it continues */
    int more = *s && s[strlen(s) - 1] == '{' ? 2 * INDENT : INDENT;
    for (bool first = true;; first = false) {
        int left = first ? columns : columns + more;
        size_t room = left < COLUMNS - 20 ? (size_t)(COLUMNS - left) : 20;
        size_t at = strlen(s) > room ? best_break(s, room) : 0;
        size_t n = at ? at : strlen(s);
        if (*s) indent(out, left);
        sbuf_write(out, s, at && s[at - 1] == ' ' ? n - 1 : n);
        sbuf_write(out, "\n", 1);
        if (!at) break;
        s += at;
    }
}

/* Written where it stands, if it fits; else taken back. */
void put_line(sbuf_t *out, int depth, const char *fmt, ...) {
    size_t start = out->size;
    int columns = depth * INDENT;
    indent(out, columns);
    size_t text = out->size;
    va_list ap;
    va_start(ap, fmt);
    sbuf_vprintf(out, fmt, ap);
    va_end(ap);
    size_t room = columns < COLUMNS - 20 ? (size_t)(COLUMNS - columns) : 20;
    if (out->size == text) out->size = start;
    if (out->size - text <= room || out->size == start) {
        sbuf_write(out, "\n", 1);
        return;
    }
    char *copy = heap_text(out->data + text);
    out->size = start;
    put_wrapped(out, columns, copy);
    heap_free(copy);
}

/* Comment signs inside become "* /" and "/ *"; what is no printable UTF-8 and what turns the
 * direction of writing, which compilers warn of, '?'. */
static char *clean_comment(const char *s) {
    sbuf_t out = {0};
    for (const char *end = s + strlen(s); s < end;) {
        bool sign = (s[0] == '*' && s[1] == '/') || (s[0] == '/' && s[1] == '*'), ok;
        size_t n = printable(s, end, &ok);
        if ((ok && !is_unseen(s, n)) || *s == '\n') sbuf_write(&out, s, n);
        else sbuf_puts(&out, "?");
        if (sign) sbuf_puts(&out, " ");
        s += n;
    }
    sbuf_puts(&out, "");
    return out.data;
}

void put_comment(sbuf_t *out, int depth, const char *fmt, ...) {
    sbuf_t text = {0};
    va_list ap;
    va_start(ap, fmt);
    sbuf_vprintf(&text, fmt, ap);
    va_end(ap);
    char *clean = clean_comment(text.data ? text.data : "");
    size_t room = (size_t)(COLUMNS - 6 - depth * INDENT);
    const char *s = clean;
    for (bool first = true; first || *s; first = false) {
        size_t line = strcspn(s, "\n"), n = line;
        if (line > room) {
            for (n = room; n > 0 && s[n] != ' ';) n--;
            if (n == 0) n = strcspn(s, " \n");
        }
        indent(out, depth * INDENT);
        sbuf_puts(out, first ? "/*" : " *");
        size_t shown = n;
        while (shown > 0 && s[shown - 1] == ' ') shown--;
        if (shown) sbuf_puts(out, " ");
        sbuf_write(out, s, shown);
        s += n;
        if (*s) s++;
        sbuf_puts(out, *s ? "\n" : " */\n");
    }
    heap_free(clean);
    sbuf_free(&text);
}

const char *c_comment(arena_t *a, const char *text) {
    char *clean = clean_comment(text);
    for (char *p = clean; *p; p++)
        if (*p == '\n') *p = '?';
    const char *copy = arena_strdup(a, clean);
    heap_free(clean);
    return copy;
}

/* ---- literals -------------------------------------------------------------------------------- */

const char *c_string(arena_t *a, const char *text) {
    sbuf_t s = {0};
    sbuf_puts(&s, "\"");
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\') sbuf_printf(&s, "\\%c", c);
        else if (c < 32 || c > 126 || c == '?') sbuf_printf(&s, "\\%03o", c); /* no trigraphs */
        else sbuf_write(&s, p, 1);
    }
    sbuf_puts(&s, "\"");
    const char *r = arena_strdup(a, s.data);
    sbuf_free(&s);
    return r;
}

static bool reads_back(char text[64], elem_t e, double x, int digits) {
    snprintf(text, 64, "%.*g", digits, x);
    return e == E_F32 ? strtof(text, NULL) == (float)x : strtod(text, NULL) == x;
}

/* The fewest digits that read back as the same value. With more digits a text comes nearer; a power
 * of two has another distance to the number below than to the one above, where fewer
 * digits may do and more not. */
static const char *shortest(arena_t *a, elem_t e, double x) {
    char text[64];
    int exponent, min = 1, enough = e == E_F32 ? 9 : 17;
    int whole = fabs(x) < 1e6 ? (int)x : 0; /* most are, and these are all their digits */
    if (whole == x && (whole % 10 || (whole == 0 && !signbit(x))))
        return arena_printf(a, "%d.0%s", whole, e == E_F32 ? "f" : "");
    if (fabs(frexp(x, &exponent)) == 0.5) {
        while (min < enough && !reads_back(text, e, x, min)) min++;
        enough = min;
    }
    while (min < enough) {
        int middle = (min + enough) / 2;
        if (reads_back(text, e, x, middle)) enough = middle;
        else min = middle + 1;
    }
    (void)reads_back(text, e, x, enough);
    bool point = strpbrk(text, ".e") != NULL;
    return arena_printf(a, "%s%s%s", text, point ? "" : ".0", e == E_F32 ? "f" : "");
}

static unsigned bf16_bits(double x) {
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits >> 16;
}

const char *c_float(arena_t *a, elem_t e, double x) {
    const char *f = e == E_F32 ? "f" : "";
    if (e == E_BF16) return arena_printf(a, "0x%04x", isnan(x) ? 0x7fc0 : bf16_bits(x));
    if (isnan(x)) return arena_printf(a, "__builtin_nan%s(\"\")", f);
    if (isinf(x)) return arena_printf(a, "%s__builtin_inf%s()", x < 0 ? "-" : "", f);
    return shortest(a, e, x);
}

const char *c_integer(arena_t *a, elem_t e, int64_t x) {
    if (e == E_I64 && x == INT64_MIN) return "INT64_MIN";
    if (x == INT32_MIN) return "INT32_MIN";
    if (x > INT32_MAX || x < INT32_MIN) return arena_printf(a, "INT64_C(%lld)", (long long)x);
    return arena_printf(a, "%lld", (long long)x);
}

const char *c_dim(arena_t *a, dim_t d) {
    if (dim_literal(d)) return c_integer(a, E_I64, d.c);
    const char *u = d.u == 1 ? "U" : arena_printf(a, "%s * U", c_integer(a, E_I64, d.u));
    if (d.c == 0) return u;
    if (d.c < 0) return arena_printf(a, "%s - %s", u, c_integer(a, E_I64, -d.c));
    return arena_printf(a, "%s + %s", u, c_integer(a, E_I64, d.c));
}

const char *c_elem(elem_t e) {
    static const char *const names[E_COUNT] = {
        [E_F32] = "float",  [E_F64] = "double",  [E_BF16] = "uint16_t", [E_I8] = "int8_t",
        [E_U8] = "uint8_t", [E_I32] = "int32_t", [E_I64] = "int64_t",
    };
    return names[e];
}

const char *upper_case(arena_t *a, const char *name) {
    char *s = arena_strdup(a, name);
    for (char *p = s; *p; p++) *p = (char)toupper((unsigned char)*p);
    return s;
}
