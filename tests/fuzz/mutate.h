/* What seeded tests of readers change texts with. */
#ifndef REFORMERC_TESTS_FUZZ_MUTATE_H
#define REFORMERC_TESTS_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

#include "support/sbuf.h"

typedef struct {
    char *text;
    size_t bytes;
} input_case_t;

static uint64_t state; /* of the generator: the test sets it, not to 0 */

/* xorshift64* (Vigna) */
static uint64_t draw(uint64_t below) {
    state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
    return (state * UINT64_C(0x2545F4914F6CDD1D) >> 16) % below;
}

static void replace_range(sbuf_t *s, size_t at, size_t remove, const char *with, size_t n) {
    sbuf_t out = {0};
    sbuf_write(&out, s->data, at);
    sbuf_write(&out, with, n);
    sbuf_write(&out, s->data + at + remove, s->size - at - remove);
    sbuf_free(s);
    *s = out;
}

#endif
