/* Cutting of shorten.h. A word ends at a blank; quotes and brackets around it are not its own, so
 * that what is cut still reads "'xxx… (1000000 bytes)' is not a number". */
#include "support/shorten.h"

#include <stdbool.h>
#include <string.h>

#include "support/printable.h"
#include "support/sbuf.h"

enum { AROUND = 4, TAIL = 240 }; /* bytes: of quotes on a side, of an end that is kept */

/* The greatest end of whole characters within the first n bytes. */
static const char *whole(const char *p, const char *end, size_t n) {
    bool ok;
    for (const char *limit = p + n; p < end;) {
        size_t c = printable(p, end, &ok);
        if (p + c > limit) break;
        p += c;
    }
    return p;
}

static void put_cut(sbuf_t *out, const char *p, const char *end, size_t shown) {
    const char *stop = whole(p, end, shown);
    sbuf_write(out, p, (size_t)(stop - p));
    sbuf_printf(out, "… (%zu bytes)", (size_t)(end - p));
}

/* Quotes around what is cut stay. */
static void put_word(sbuf_t *out, const char *p, const char *end) {
    static const char opens[] = "'\"([{", closes[] = "'\")]}?,.;:";
    size_t bytes = (size_t)(end - p), max = memchr(p, '/', bytes) ? SHORT_PATH : SHORT_WORD;
    const char *from = p, *to = end;
    if (bytes <= max) {
        sbuf_write(out, p, bytes);
        return;
    }
    while (from < p + AROUND && strchr(opens, *from)) from++;
    while (to > end - AROUND && strchr(closes, to[-1])) to--;
    sbuf_write(out, p, (size_t)(from - p));
    put_cut(out, from, to, SHORT_SHOWN);
    sbuf_write(out, to, (size_t)(end - to));
}

static void put_words(sbuf_t *out, const char *p, const char *end) {
    while (p < end) {
        const char *word = p;
        while (p < end && *p != ' ' && *p != '\t') p++;
        if (p > word) put_word(out, word, p);
        if (p < end) sbuf_write(out, p++, 1);
    }
}

/* The beginning and the end, which says what is wrong, of what is still longer than `max`. */
static void put_ends(sbuf_t *out, const sbuf_t *text, size_t max, size_t shown) {
    const char *end = text->data + text->size, *tail = end - TAIL;
    if (text->size <= max) {
        sbuf_write(out, text->data, text->size);
        return;
    }
    while (tail < end && ((unsigned char)*tail & 0xC0) == 0x80) tail++;
    put_cut(out, text->data, tail, shown);
    sbuf_printf(out, " %s", tail);
}

static void put_line(sbuf_t *out, const char *p, const char *end) {
    sbuf_t words = {0};
    sbuf_puts(&words, "");
    put_words(&words, p, end);
    put_ends(out, &words, SHORT_LINE, SHORT_SHOWN);
    sbuf_free(&words);
}

const char *shortened(arena_t *a, const char *text) {
    if (strlen(text) <= SHORT_WORD) return text;
    sbuf_t lines = {0}, out = {0};
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        put_line(&lines, p, p + n);
        if (p[n]) sbuf_puts(&lines, "\n");
        p += n + (p[n] != 0);
    }
    put_ends(&out, &lines, SHORT_TEXT, SHORT_LINE);
    const char *cut = arena_strndup(a, out.data, out.size);
    sbuf_free(&lines);
    sbuf_free(&out);
    return cut;
}
