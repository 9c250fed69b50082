/* The lexer of lex.h. `#` starts a comment that ends with the line; spaces and line ends separate
 * tokens, and a parser that cares about lines compares token.line with last_line. */
#include "loops/lex.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_CHARACTERS = 60 };

/* Columns count characters, not bytes: continuation bytes of UTF-8 are left out. */
static srcloc_t place(const lexer_t *x, const token_t *t) {
    const char *p = t->text ? t->text : x->end;
    int col = t->kind == TK_VALUE || t->kind == TK_STRING ? 0 : 1; /* text follows a % or quote */
    while (p > x->begin && p[-1] != '\n') {
        p--;
        col += ((unsigned char)*p & 0xC0) != 0x80;
    }
    return (srcloc_t){x->file, t->line, col};
}

static void fail(lexer_t *x, const token_t *t, const char *fmt, va_list ap) {
    if (x->failed) return;
    diag_error(x->diag, place(x, t), "%s", arena_vprintf(x->arena, fmt, ap));
    x->failed = true;
    x->token.kind = TK_END;
    x->token.n = 0;
}

void lex_error(lexer_t *x, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fail(x, &x->token, fmt, ap);
    va_end(ap);
}

void lex_error_at(lexer_t *x, const token_t *t, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fail(x, t, fmt, ap);
    va_end(ap);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_name(char c) {
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static const char *skip_name(const char *p, const char *end) {
    while (p < end && is_name(*p)) p++;
    return p;
}

static const char *skip_digits(const char *p, const char *end) {
    while (p < end && is_digit(*p)) p++;
    return p;
}

/* A dot belongs to a number only before a digit: `0..4` is a range. */
static const char *skip_number(const char *p, const char *end) {
    p = skip_digits(p, end);
    if (end - p > 1 && p[0] == '.' && is_digit(p[1])) p = skip_digits(p + 1, end);
    if (p < end && *p == 'e') {
        const char *q = p + 1;
        if (q < end && (*q == '+' || *q == '-')) q++;
        if (q < end && is_digit(*q)) p = skip_digits(q, end);
    }
    return p;
}

static const char *skip_value(const char *p, const char *end) {
    p = skip_name(p, end);
    if (end - p > 1 && p[0] == '.' && is_digit(p[1])) p = skip_digits(p + 1, end);
    return p;
}

/* To the closing quote, or NULL where the line ends first. */
static const char *skip_string(const char *p, const char *end) {
    for (; p < end && *p != '\n'; p++) {
        if (*p == '"') return p;
        if (*p == '\\' && p + 1 < end && p[1] != '\n') p++;
    }
    return NULL;
}

static void skip_space(lexer_t *x) {
    for (; x->at < x->end; x->at++) {
        char c = *x->at;
        if (c == '#')
            while (x->at + 1 < x->end && x->at[1] != '\n') x->at++;
        else if (c == '\n') x->line++;
        else if (c != ' ' && c != '\t' && c != '\r') return;
    }
}

static const char *lex_punct(lexer_t *x, token_t *t) {
    const char *p = x->at;
    bool two = x->end - p > 1;
    t->kind = TK_PUNCT;
    if (two && p[0] == '.' && p[1] == '.') t->punct = RANGE;
    else if (two && p[0] == '-' && p[1] == '>') t->punct = ARROW;
    else if (*p && strchr("=,:()[]{}<+-*.", *p)) {
        t->punct = (unsigned char)*p;
        return p + 1;
    } else {
        lex_error(x, "unexpected character (byte 0x%02x)", (unsigned)(unsigned char)*p);
        return p;
    }
    return p + 2;
}

void lex_next(lexer_t *x) {
    if (x->failed) return;
    x->last_line = x->token.line;
    skip_space(x);
    token_t *t = &x->token;
    *t = (token_t){.kind = TK_END, .text = x->at, .line = x->line};
    if (x->at == x->end) return;
    const char *p = x->at, *stop;
    if (*p == '%') {
        t->kind = TK_VALUE;
        t->text = p + 1;
        stop = skip_value(p + 1, x->end);
        if (stop == p + 1) lex_error(x, "expected a value's name after '%%'");
    } else if (*p == '"') {
        t->kind = TK_STRING;
        t->text = p + 1;
        stop = skip_string(p + 1, x->end);
        if (!stop) lex_error(x, "a string without end");
    } else if (is_digit(*p)) {
        t->kind = TK_NUMBER;
        stop = skip_number(p, x->end);
    } else if (is_name(*p)) {
        t->kind = TK_NAME;
        stop = skip_name(p, x->end);
    } else {
        stop = lex_punct(x, t);
    }
    if (x->failed) return;
    t->n = (size_t)(stop - t->text);
    x->at = t->kind == TK_STRING ? stop + 1 : stop;
}

void lex_open(lexer_t *x, arena_t *a, const char *file, const char *text, size_t n, diag_t *d) {
    *x = (lexer_t){.arena = a, .diag = d, .file = file, .begin = text, .end = text + n, .at = text};
    x->line = 1;
    lex_next(x);
}

/* ---- what parsers ask ------------------------------------------------------------------------ */

bool lex_is(const lexer_t *x, int punct) {
    return x->token.kind == TK_PUNCT && x->token.punct == punct;
}

bool lex_is_name(const lexer_t *x, const char *name) {
    return x->token.kind == TK_NAME && strlen(name) == x->token.n &&
           memcmp(x->token.text, name, x->token.n) == 0;
}

bool lex_accept(lexer_t *x, int punct) {
    if (!lex_is(x, punct)) return false;
    lex_next(x);
    return true;
}

bool lex_accept_name(lexer_t *x, const char *name) {
    if (!lex_is_name(x, name)) return false;
    lex_next(x);
    return true;
}

void lex_expect(lexer_t *x, int punct) {
    if (lex_accept(x, punct)) return;
    if (punct == RANGE) lex_error(x, "expected '..'");
    else if (punct == ARROW) lex_error(x, "expected '->'");
    else lex_error(x, "expected '%c'", punct);
}

void lex_expect_name(lexer_t *x, const char *name) {
    if (!lex_accept_name(x, name)) lex_error(x, "expected '%s'", name);
}

const char *lex_take_name(lexer_t *x, const char *what) {
    if (x->token.kind != TK_NAME) {
        lex_error(x, "expected %s", what);
        return "";
    }
    const char *s = arena_strndup(x->arena, x->token.text, x->token.n);
    lex_next(x);
    return s;
}

static int hex_digit(char c) {
    const char *digits = "0123456789abcdef", *p = c ? strchr(digits, c) : NULL;
    return p ? (int)(p - digits) : -1;
}

/* \" \\ \n \t \xhh; returns the number of bytes read after the backslash, 0 when wrong. */
static size_t unescape(const char *p, const char *end, char *out) {
    static const char from[] = "\"\\nt", to[] = "\"\\\n\t";
    const char *known = strchr(from, *p);
    if (*p && known) {
        *out = to[known - from];
        return 1;
    }
    if (*p != 'x' || end - p < 3) return 0;
    int high = hex_digit(p[1]), low = hex_digit(p[2]);
    if (high < 0 || low < 0 || high * 16 + low == 0) return 0;
    *out = (char)(high * 16 + low);
    return 3;
}

const char *lex_take_string(lexer_t *x, const char *what) {
    if (x->token.kind != TK_STRING) {
        lex_error(x, "expected %s in quotes", what);
        return "";
    }
    const char *p = x->token.text, *end = p + x->token.n;
    char *s = arena_alloc(x->arena, x->token.n + 1);
    size_t n = 0;
    while (p < end) {
        if (*p == 0) break;
        if (*p != '\\') {
            s[n++] = *p++;
            continue;
        }
        size_t read = unescape(p + 1, end, &s[n++]);
        if (read == 0) break;
        p += 1 + read;
    }
    if (p < end) lex_error(x, "a string with a bad escape or a zero byte");
    lex_next(x);
    return s;
}

int64_t lex_take_int(lexer_t *x) {
    bool minus = lex_accept(x, '-');
    int64_t v = 0;
    if (x->token.kind != TK_NUMBER) {
        lex_error(x, "expected an integer");
        return 0;
    }
    for (size_t k = 0; k < x->token.n; k++) {
        if (!is_digit(x->token.text[k])) {
            lex_error(x, "expected an integer");
            return 0;
        }
        int digit = x->token.text[k] - '0';
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_sub_overflow(v, digit, &v)) { /* negative: reaches the smallest value too */
            lex_error(x, "the integer is too large");
            return 0;
        }
    }
    if (!minus && v == INT64_MIN) lex_error(x, "the integer is too large");
    lex_next(x);
    return minus ? v : v == INT64_MIN ? 0 : -v;
}

double lex_take_number(lexer_t *x) {
    bool minus = lex_accept(x, '-');
    double v = 0;
    char text[NUMBER_CHARACTERS + 1];
    if (lex_accept_name(x, "inf")) return minus ? -INFINITY : INFINITY;
    if (lex_accept_name(x, "nan")) return NAN;
    if (x->token.kind != TK_NUMBER || x->token.n > NUMBER_CHARACTERS) {
        lex_error(x, "expected a number");
        return 0;
    }
    memcpy(text, x->token.text, x->token.n);
    text[x->token.n] = 0;
    v = strtod(text, NULL);
    lex_next(x);
    return minus ? -v : v;
}
