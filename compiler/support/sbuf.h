/* A growing string, for emitters and printers. Zero-initialise; sbuf_free() when done;
 * heap_free() the data where they are handed on. */
#ifndef REFORMERC_SUPPORT_SBUF_H
#define REFORMERC_SUPPORT_SBUF_H

#include <stdarg.h>
#include <stddef.h>

typedef struct {
    char *data; /* always NUL-terminated once anything was written */
    size_t size, cap;
} sbuf_t;

void sbuf_printf(sbuf_t *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sbuf_vprintf(sbuf_t *s, const char *fmt, va_list ap);
void sbuf_write(sbuf_t *s, const void *data, size_t n);
void sbuf_puts(sbuf_t *s, const char *text);
/* Puts `tail` behind `s` and frees it; as much is moved as `s` is long. */
void sbuf_join(sbuf_t *s, sbuf_t *tail);
void sbuf_free(sbuf_t *s);

#endif
