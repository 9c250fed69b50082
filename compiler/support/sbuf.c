/* The growing string of sbuf.h. */
#include "support/sbuf.h"

#include <string.h>

#include "support/bug.h"
#include "support/heap.h"
#include "support/print.h"

static void reserve(sbuf_t *s, size_t more) {
    if (s->size + more + 1 <= s->cap) return;
    size_t cap = s->cap ? s->cap : 256;
    while (cap < s->size + more + 1) cap *= 2;
    s->data = heap_resize(s->data, cap);
    s->cap = cap;
}

void sbuf_write(sbuf_t *s, const void *data, size_t n) {
    reserve(s, n);
    if (n) memcpy(s->data + s->size, data, n);
    s->size += n;
    s->data[s->size] = 0;
}

void sbuf_puts(sbuf_t *s, const char *text) {
    sbuf_write(s, text, strlen(text));
}

void sbuf_vprintf(sbuf_t *s, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    size_t room = s->cap - s->size;
    int n = print_text(room ? s->data + s->size : NULL, room, fmt, ap);
    if (n < 0) bug("bad format '%s'", fmt);
    if ((size_t)n >= room) {
        reserve(s, (size_t)n);
        (void)print_text(s->data + s->size, (size_t)n + 1, fmt, again);
    }
    s->size += (size_t)n;
    va_end(again);
}

void sbuf_printf(sbuf_t *s, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    sbuf_vprintf(s, fmt, ap);
    va_end(ap);
}

void sbuf_join(sbuf_t *s, sbuf_t *tail) {
    if (s->size < tail->size) { /* the other way round: what is long stays where it is */
        reserve(tail, s->size);
        memmove(tail->data + s->size, tail->data, tail->size + 1);
        if (s->size) memcpy(tail->data, s->data, s->size);
        tail->size += s->size;
        sbuf_t whole = *tail;
        *tail = *s;
        *s = whole;
    } else if (tail->size) {
        sbuf_write(s, tail->data, tail->size);
    }
    sbuf_free(tail);
}

void sbuf_free(sbuf_t *s) {
    heap_free(s->data);
    *s = (sbuf_t){0};
}
