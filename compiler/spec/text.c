/* Checks the bytes of a spec and rewrites the few spellings of JSON that libyaml refuses.
 *
 * In: bytes from a user. Out: UTF-8 without controls, with a list of what was replaced so that
 * columns still count the user's characters. Rules: RFC 3629 (UTF-8), RFC 8259 (JSON strings),
 * YAML 1.1's printable set.
 *
 * Only a text that opens with '{' can be JSON. It is followed token by token as long as it is JSON;
 * at the first byte that is not, the rest is YAML's own business. What JSON allows and libyaml does
 * not: surrogate pairs (\uD83D\uDE00 → \U0001F600; a lone half → \uFFFD), DEL, C1 controls and
 * U+FFFE/U+FFFF inside strings, tabs between tokens. Line separators (U+0085, U+2028, U+2029) in a
 * string are characters in JSON and line breaks in YAML, so they are escaped too. */
#include "spec/text.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/sbuf.h"
#include "support/utf8.h"

static uint32_t decode(const char *p, size_t n) {
    const unsigned char *u = (const unsigned char *)p;
    uint32_t c = n == 1 ? u[0] : u[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) c = c << 6 | (u[i] & 0x3F);
    return c;
}

/* What libyaml's reader lets through. */
static bool printable(uint32_t c) {
    if (c < 0x7F) return c >= 0x20 || c == '\t' || c == '\n' || c == '\r';
    return c == 0x85 || (c >= 0xA0 && c != 0xFFFE && c != 0xFFFF);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

enum { MAX_PATCHES = 1000000 }; /* beyond, the text is YAML's own business */

typedef struct {
    const char *p, *end, *copied; /* everything before `copied` is in the buffer */
    sbuf_t out;
    arena_t *arena;
    spec_text_t *result;
} rewriter_t;

/* Replaces the `bytes` at r->p, which are `was` characters, and steps over them. */
static void replace(rewriter_t *r, size_t bytes, size_t was, const char *with) {
    spec_text_t *t = r->result;
    size_t chars = strlen(with);
    sbuf_write(&r->out, r->copied, (size_t)(r->p - r->copied));
    if (chars != was)
        ARENA_PUSH(r->arena, t->patches, t->n_patches, t->cap_patches) =
            (patch_t){r->out.size, chars, was};
    sbuf_puts(&r->out, with);
    r->p += bytes;
    r->copied = r->p;
}

/* The four digits of \uXXXX at p, or -1. */
static int32_t hex4(const char *p, const char *end) {
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return -1;
    int32_t v = 0;
    for (int i = 2; i < 6; i++) {
        if (!isxdigit((unsigned char)p[i])) return -1;
        v = v * 16 + (isdigit((unsigned char)p[i]) ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
    }
    return v;
}

static void escape(rewriter_t *r) {
    int32_t high = hex4(r->p, r->end);
    if (high < 0xD800 || high > 0xDFFF) {
        r->p += r->end - r->p > 1 ? 2 : 1;
        return;
    }
    int32_t low = high < 0xDC00 ? hex4(r->p + 6, r->end) : -1;
    if (low < 0xDC00 || low > 0xDFFF) {
        replace(r, 6, 6, "\\uFFFD");
        return;
    }
    char with[16];
    snprintf(with, sizeof with, "\\U%08X",
             0x10000u + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00));
    replace(r, 12, 12, with);
}

/* One character of a string that is not an escape; false where JSON has none. */
static bool character(rewriter_t *r) {
    size_t n = utf8_char(r->p, r->end);
    uint32_t c = n ? decode(r->p, n) : 0;
    if (n == 0 || c < 0x20) return false;
    if (printable(c) && c != 0x85 && c != 0x2028 && c != 0x2029) {
        r->p += n;
        return true;
    }
    char with[16];
    snprintf(with, sizeof with, "\\u%04X", c);
    replace(r, n, 1, with);
    return true;
}

static bool string(rewriter_t *r) {
    for (r->p++; r->p < r->end && *r->p != '"';) {
        if (r->result->n_patches >= MAX_PATCHES) return false;
        if (*r->p == '\\') escape(r);
        else if (!character(r)) return false;
    }
    if (r->p < r->end) r->p++;
    return true;
}

static void rewrite_json(rewriter_t *r) {
    while (r->p < r->end && r->result->n_patches < MAX_PATCHES) {
        if (*r->p == '"') {
            if (!string(r)) return;
        } else if (*r->p == '\t') {
            replace(r, 1, 1, " ");
        } else if (isalnum((unsigned char)*r->p) || (*r->p && strchr(" \r\n{}[]:,+-.", *r->p))) {
            r->p++;
        } else {
            return; /* a comment, an anchor, a quote of YAML's: no JSON */
        }
    }
}

/* Whether the text opens as JSON does and holds anything of what is rewritten. */
static bool may_need_rewriting(const char *text, size_t bytes) {
    size_t i = 0;
    while (i < bytes && strchr(" \t\r\n", text[i]) && text[i]) i++;
    if (i == bytes || text[i] != '{') return false;
    for (; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\t' || c == 0x7F || c == 0xC2 || c == 0xE2 || c == 0xEF) return true;
        if (c == '\\' && bytes - i > 3 && text[i + 1] == 'u' && (text[i + 2] | 32) == 'd')
            return true;
    }
    return memchr(text, '\t', bytes) != NULL;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* One character on. A replacement counts as the characters that it replaced, at its end. */
static void step(cursor_t *c) {
    const spec_text_t *t = c->t;
    const patch_t *patch = c->patch < t->n_patches ? &t->patches[c->patch] : NULL;
    unsigned char byte = (unsigned char)t->text[c->byte];
    if (byte == '\n') {
        c->line++;
        c->col = 1;
    } else if (!patch || c->byte < patch->at) {
        c->col++;
    } else if (c->byte + 1 == patch->at + patch->chars) {
        c->col += (int)patch->was;
        c->patch++;
    }
    size_t n = byte < 0x80 ? 1 : utf8_char(t->text + c->byte, t->text + t->bytes);
    c->byte += n ? n : 1;
    c->chars++;
}

void cursor_to_char(cursor_t *c, size_t chars) {
    while (c->chars < chars && c->byte < c->t->bytes) step(c);
}

static bool complain(const char *path, const spec_text_t *t, size_t bad, bool lines, diag_t *d) {
    cursor_t cursor = cursor_start(t);
    while (cursor.byte < bad) step(&cursor);
    srcloc_t at = lines ? (srcloc_t){path, cursor.line, cursor.col} : IN_FILE(path);
    unsigned char c = (unsigned char)t->text[bad];
    if (c == 0) diag_error(d, at, "a byte 0 in a text");
    else if (c < 0x80) diag_error(d, at, "a control character (byte 0x%02x) in a text", c);
    else diag_error(d, at, "byte 0x%02x is not UTF-8, or not of a printable character", c);
    diag_hint(d, "a spec is YAML, or a config.json: text in UTF-8");
    return false;
}

static const char *first_bad(const char *text, size_t bytes) {
    const char *end = text + bytes;
    for (const char *p = text; p < end;) {
        unsigned char c = (unsigned char)*p;
        size_t n = c >= 0x20 && c < 0x7F ? 1 : utf8_char(p, end);
        if (n == 0 || (!(c >= 0x20 && c < 0x7F) && !printable(decode(p, n)))) return p;
        p += n;
    }
    return NULL;
}

bool text_prepare(arena_t *a, const char *path, const char *text, size_t bytes, bool lines,
                  spec_text_t *out, diag_t *d) {
    *out = (spec_text_t){.text = text, .bytes = bytes};
    if (may_need_rewriting(text, bytes)) {
        rewriter_t r = {.p = text, .end = text + bytes, .copied = text, .arena = a, .result = out};
        rewrite_json(&r);
        sbuf_write(&r.out, r.copied, (size_t)(r.end - r.copied));
        if (r.copied != text) {
            out->text = arena_strndup(a, r.out.data, r.out.size);
            out->bytes = r.out.size;
        }
        sbuf_free(&r.out);
    }
    const char *bad = first_bad(out->text, out->bytes);
    return !bad || complain(path, out, (size_t)(bad - out->text), lines, d);
}
