/* A hash of content (FNV-1a, byte by byte; Fowler, Noll, Vo), for fingerprints and for names in the
 * compile cache. Not cryptographic. */
#ifndef REFORMERC_SUPPORT_HASH_H
#define REFORMERC_SUPPORT_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH64_INIT UINT64_C(0xcbf29ce484222325)

static inline uint64_t hash64(uint64_t h, const void *data, size_t n) {
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

#endif
