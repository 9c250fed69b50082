/* The conversions of print.h: plain strings, characters and decimal whole numbers. A format with
 * anything else is vsnprintf()'s, all of it. */
#define _GNU_SOURCE /* strchrnul */
#include "support/print.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    char *at, *end; /* end: of what may be written, the last byte is for NUL */
    size_t size;    /* of the whole text */
} printed_t;

static void put(printed_t *t, const char *s, size_t n) {
    size_t left = (size_t)(t->end - t->at);
    size_t fits = n < left ? n : left;
    if (fits) memcpy(t->at, s, fits);
    t->at += fits;
    t->size += n;
}

static void put_number(printed_t *t, uint64_t x, int negative) {
    char digits[24], *p = digits + sizeof digits;
    do *--p = (char)('0' + x % 10);
    while (x /= 10);
    if (negative) *--p = '-';
    put(t, p, (size_t)(digits + sizeof digits - p));
}

static void put_signed(printed_t *t, int64_t x) {
    put_number(t, x < 0 ? 0 - (uint64_t)x : (uint64_t)x, x < 0);
}

/* "lld": its letter d, long twice. */
typedef enum { OF_INT, OF_LONG, OF_LONG_LONG, OF_SIZE } number_width_t;

static number_width_t take_width(const char **p) {
    if (**p == 'z') return ++*p, OF_SIZE;
    if (**p != 'l') return OF_INT;
    if (*++*p != 'l') return OF_LONG;
    return ++*p, OF_LONG_LONG;
}

static int64_t take_signed(number_width_t w, va_list *ap) {
    switch (w) {
    case OF_INT: return va_arg(*ap, int);
    case OF_LONG: return va_arg(*ap, long);
    case OF_LONG_LONG: return va_arg(*ap, long long);
    case OF_SIZE: break;
    }
    return (int64_t)va_arg(*ap, size_t);
}

static uint64_t take_unsigned(number_width_t w, va_list *ap) {
    switch (w) {
    case OF_INT: return va_arg(*ap, unsigned);
    case OF_LONG: return va_arg(*ap, unsigned long);
    case OF_LONG_LONG: return va_arg(*ap, unsigned long long);
    case OF_SIZE: break;
    }
    return va_arg(*ap, size_t);
}

/* "%.*s" */
static int put_part(printed_t *t, va_list *ap) {
    int max = va_arg(*ap, int);
    const char *s = va_arg(*ap, const char *);
    if (max < 0 || !s) return 0;
    put(t, s, strnlen(s, (size_t)max));
    return 1;
}

/* What stands behind a '%'; 0: it is nothing of ours. */
static int convert(printed_t *t, const char **p, va_list *ap) {
    if (strncmp(*p, ".*s", 3) == 0) return *p += 3, put_part(t, ap);
    number_width_t w = take_width(p);
    char c = *(*p)++, byte;
    const char *s;
    if (w != OF_INT && c != 'd' && c != 'u') return 0;
    switch (c) {
    case 'd': put_signed(t, take_signed(w, ap)); return 1;
    case 'u': put_number(t, take_unsigned(w, ap), 0); return 1;
    case 's':
        s = va_arg(*ap, const char *);
        if (s) put(t, s, strlen(s));
        return s != NULL;
    case 'c':
        byte = (char)va_arg(*ap, int);
        put(t, &byte, 1);
        return 1;
    case '%': put(t, "%", 1); return 1;
    default: return 0;
    }
}

int print_text(char *out, size_t room, const char *fmt, va_list ap) {
    printed_t t = {out, room ? out + room - 1 : out, 0};
    va_list mine;
    va_copy(mine, ap);
    int known = 1;
    for (const char *p = fmt; known && *p;) {
        size_t plain = (size_t)(strchrnul(p, '%') - p);
        put(&t, p, plain);
        p += plain;
        if (*p) p++, known = convert(&t, &p, &mine);
    }
    va_end(mine);
    if (!known || t.size > INT32_MAX) return vsnprintf(out, room, fmt, ap);
    if (room) *t.at = 0;
    return (int)t.size;
}
