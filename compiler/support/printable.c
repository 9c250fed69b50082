/* Which characters may be printed (printable.h). Rules: RFC 3629, shortest forms, no surrogates. */
#include "support/printable.h"

#include <stdint.h>

/* Bytes that a lead byte announces, 0 for a byte that is none. */
static size_t announced(unsigned char lead) {
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

static bool is_control(uint32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

size_t printable(const char *p, const char *end, bool *ok) {
    static const uint32_t min[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length */
    unsigned char lead = (unsigned char)*p;
    size_t n = announced(lead), i = 1;
    uint32_t c = n > 1 ? lead & (0xFFu >> (n + 1)) : lead;
    for (; i < n && p + i < end && ((unsigned char)p[i] & 0xC0) == 0x80; i++)
        c = c << 6 | ((unsigned char)p[i] & 0x3Fu);
    *ok = n > 0 && i == n && c >= min[n] && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF) &&
          !is_control(c) && (c & 0xFFFE) != 0xFFFE; /* which no XML may hold */
    return i;
}
