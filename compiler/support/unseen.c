/* Names of unseen.h. In: UTF-8, perhaps broken. Out: code points and names, as the Unicode standard
 * has them; blocks that follow ASCII or count are computed, the rest is a table. */
#include "support/unseen.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/sbuf.h"
#include "support/utf8.h"

typedef enum { USUAL, UNSEEN, MARK, LETTER } character_kind_t;

typedef struct {
    uint32_t code;
    character_kind_t kind;
    const char *name;
} unusual_t;

static const unusual_t unusual[] = {
#define X(code, kind, name) {code, kind, name},
#include "support/unseen.def"
#undef X
};
enum { N_UNUSUAL = sizeof unusual / sizeof *unusual, ELLIPSIS = 0x2026 };

static uint32_t decode(const char *p, size_t n) {
    const unsigned char *u = (const unsigned char *)p;
    uint32_t c = n == 1 ? u[0] : u[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) c = c << 6 | (u[i] & 0x3F);
    return c;
}

/* ---- names ----------------------------------------------------------------------------------- */

static int by_code(const void *key, const void *item) {
    uint32_t a = *(const uint32_t *)key, b = ((const unusual_t *)item)->code;
    return a < b ? -1 : a > b;
}

static const unusual_t *find(uint32_t c) {
    return bsearch(&c, unusual, N_UNUSUAL, sizeof *unusual, by_code);
}

static bool between(uint32_t c, uint32_t from, uint32_t to) {
    return c >= from && c <= to;
}

static bool is_fullwidth(uint32_t c) {
    return between(c, 0xFF01, 0xFF5E);
}

static bool is_tag(uint32_t c) {
    return between(c, 0xE0020, 0xE007E);
}

/* 1 … 256, 0: it is none. */
static unsigned variation_selector(uint32_t c) {
    if (between(c, 0xFE00, 0xFE0F)) return c - 0xFE00 + 1;
    return between(c, 0xE0100, 0xE01EF) ? c - 0xE0100 + 17 : 0;
}

static character_kind_t kind_of(uint32_t c) {
    if (c < 0x80) return USUAL;
    if (is_fullwidth(c)) return MARK;
    if (is_tag(c) || c == 0xE0001 || c == 0xE007F || variation_selector(c)) return UNSEEN;
    const unusual_t *u = find(c);
    return u ? u->kind : USUAL;
}

static void put_ascii_name(sbuf_t *out, int c) {
    static const char *const digits[] = {"ZERO", "ONE", "TWO",   "THREE", "FOUR",
                                         "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"};
    static const char marks[] = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    static const char *const names[] = {"SPACE",
                                        "EXCLAMATION MARK",
                                        "QUOTATION MARK",
                                        "NUMBER SIGN",
                                        "DOLLAR SIGN",
                                        "PERCENT SIGN",
                                        "AMPERSAND",
                                        "APOSTROPHE",
                                        "LEFT PARENTHESIS",
                                        "RIGHT PARENTHESIS",
                                        "ASTERISK",
                                        "PLUS SIGN",
                                        "COMMA",
                                        "HYPHEN-MINUS",
                                        "FULL STOP",
                                        "SOLIDUS",
                                        "COLON",
                                        "SEMICOLON",
                                        "LESS-THAN SIGN",
                                        "EQUALS SIGN",
                                        "GREATER-THAN SIGN",
                                        "QUESTION MARK",
                                        "COMMERCIAL AT",
                                        "LEFT SQUARE BRACKET",
                                        "REVERSE SOLIDUS",
                                        "RIGHT SQUARE BRACKET",
                                        "CIRCUMFLEX ACCENT",
                                        "LOW LINE",
                                        "GRAVE ACCENT",
                                        "LEFT CURLY BRACKET",
                                        "VERTICAL LINE",
                                        "RIGHT CURLY BRACKET",
                                        "TILDE"};
    if (isdigit(c)) sbuf_printf(out, "DIGIT %s", digits[c - '0']);
    else if (isupper(c)) sbuf_printf(out, "LATIN CAPITAL LETTER %c", c);
    else if (islower(c)) sbuf_printf(out, "LATIN SMALL LETTER %c", toupper(c));
    else sbuf_puts(out, names[strchr(marks, c) - marks]);
}

/* "U+200B ZERO WIDTH SPACE", of what kind_of() knows. */
static void put_name(sbuf_t *out, uint32_t c) {
    sbuf_printf(out, "U+%04X ", (unsigned)c);
    if (is_fullwidth(c)) {
        sbuf_puts(out, "FULLWIDTH ");
        put_ascii_name(out, (int)(c - 0xFEE0));
    } else if (is_tag(c)) {
        sbuf_puts(out, "TAG ");
        put_ascii_name(out, (int)(c - 0xE0000));
    } else if (variation_selector(c)) {
        sbuf_printf(out, "VARIATION SELECTOR-%u", variation_selector(c));
    } else {
        const unusual_t *u = find(c);
        sbuf_puts(out, u ? u->name : c == 0xE0001 ? "LANGUAGE TAG" : "CANCEL TAG");
    }
}

/* ---- in words of messages -------------------------------------------------------------------- */

bool is_unseen(const char *p, size_t n) {
    return n > 1 && kind_of(decode(p, n)) == UNSEEN;
}

/* Bytes of the character at p; a broken one is one byte, and usual. */
static size_t next(const char *p, const char *end, uint32_t *c) {
    size_t n = utf8_char(p, end);
    *c = n ? decode(p, n) : 0;
    return n ? n : 1;
}

static bool any_unseen(const char *p, const char *end) {
    uint32_t c;
    for (; p < end; p += next(p, end, &c))
        if (is_unseen(p, utf8_char(p, end))) return true;
    return false;
}

const char *unseen_named(arena_t *a, const char *text) {
    const char *end = text + strlen(text);
    if (!any_unseen(text, end)) return text;
    sbuf_t out = {0};
    uint32_t c, again;
    for (const char *p = text; p < end;) {
        size_t n = next(p, end, &c);
        if (kind_of(c) != UNSEEN) {
            sbuf_write(&out, p, n);
            p += n;
            continue;
        }
        int run = 0;
        for (; p < end && next(p, end, &again) == n && again == c; p += n) run++;
        sbuf_puts(&out, "<");
        put_name(&out, c);
        sbuf_printf(&out, run > 1 ? ", %d times>" : ">", run);
    }
    const char *named = arena_strdup(a, out.data);
    sbuf_free(&out);
    return named;
}

/* ---- notes ----------------------------------------------------------------------------------- */

static bool is_word(const char *p, const char *begin, const char *end) {
    return p >= begin && p < end && (isalnum((unsigned char)*p) || *p == '_');
}

/* A word of another script is nothing unusual, a letter of it amid ASCII is. */
static bool stands_out(const char *begin, const char *p, size_t n, const char *end, uint32_t c) {
    character_kind_t kind = kind_of(c);
    if (kind == USUAL) return false;
    return kind != LETTER || is_word(p - 1, begin, end) || is_word(p + n, begin, end);
}

typedef struct {
    sbuf_t out;
    int named, column;
    uint32_t last;
} note_t;

enum { MAX_NAMED = 3 };

/* Neighbours that are alike count once. */
static void add(note_t *note, uint32_t c, int column) {
    bool again = note->named && c == note->last && column == note->column + 1;
    note->last = c;
    note->column = column;
    if (again || ++note->named > MAX_NAMED) return;
    if (note->named > 1) sbuf_puts(&note->out, ", ");
    if (column) sbuf_printf(&note->out, "column %d is ", column);
    put_name(&note->out, c);
}

static const char *finish(arena_t *a, note_t *note, const char *before) {
    if (!note->named) return NULL;
    int more = note->named - MAX_NAMED;
    if (more > 0) sbuf_printf(&note->out, ", and %d more", more);
    const char *text = arena_printf(a, "%s%s", before, note->out.data);
    sbuf_free(&note->out);
    return text;
}

const char *unusual_in_line(arena_t *a, const char *line, const char *end) {
    note_t note = {0};
    uint32_t c;
    int column = 1;
    for (const char *p = line; p < end; column++) {
        size_t n = next(p, end, &c);
        if (c == '#' && (p == line || isspace((unsigned char)p[-1]))) break;
        if (stands_out(line, p, n, end, c)) add(&note, c, column);
        p += n;
    }
    return finish(a, &note, "");
}

/* Messages of our own have ellipses. */
const char *unusual_in_text(arena_t *a, const char *text) {
    note_t note = {0};
    const char *end = text + strlen(text);
    uint32_t c;
    for (const char *p = text; p < end;) {
        size_t n = next(p, end, &c);
        if (c != ELLIPSIS && kind_of(c) != UNSEEN && stands_out(text, p, n, end, c))
            add(&note, c, 0);
        p += n;
    }
    return finish(a, &note, "it quotes ");
}
