/* A model that computes nothing: descriptors and variants for tests of the runtime. Two literal
 * lengths, then `dynamic`; the schedule copies what it was given to where tests look. */
#ifndef REFORMERC_TESTS_RUNTIME_FAKE_H
#define REFORMERC_TESTS_RUNTIME_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reformer_rt.h"

enum { VOCAB = 11, PAD = 3, BATCH = 3, LABELS = 4, WEIGHTS_BYTES = REFORMER_WEIGHTS_HEADER + 128 };

static inline void run_nothing(const reformer_call_t *call) {
    (void)call;
}

#if defined(__aarch64__)
enum { BASELINE = REFORMER_CPU_AARCH64, FOREIGN = REFORMER_CPU_X86_64 };
#else
enum { BASELINE = REFORMER_CPU_X86_64, FOREIGN = REFORMER_CPU_AARCH64 };
#endif

/* lengths 1 … 5 in 8 (12 rows), 6 … 10 in 16, and up to 40 in units of 4 */
static const reformer_variant_t fake_variants[] = {
    {.target = BASELINE,
     .max_length = 5,
     .padded = 8,
     .rows = 12,
     .workspace_bytes = 100,
     .scratch_bytes = 70,
     .hashes = 1,
     .run = run_nothing},
    {.target = BASELINE,
     .max_length = 10,
     .padded = 16,
     .rows = 16,
     .workspace_bytes = 1000,
     .scratch_bytes = 64,
     .hashes = 1,
     .run = run_nothing},
    {.target = BASELINE,
     .max_length = 40,
     .unit = 4,
     .unpadded = 1,
     .workspace_bytes = 64,
     .workspace_per_unit = 1000,
     .scratch_bytes = 1,
     .scratch_per_unit = 10,
     .hashes = 1,
     .run = run_nothing},
};

static inline reformer_desc_t fake_desc(reformer_head_t head) {
    return (reformer_desc_t){.size = sizeof(reformer_desc_t),
                             .abi = REFORMER_ABI,
                             .sizes = REFORMER_SIZES,
                             .name = "fake",
                             .fingerprint = UINT64_C(0x123456789ABCDEF0),
                             .weights_bytes = WEIGHTS_BYTES,
                             .head = head,
                             .batch = BATCH,
                             .hidden = 2,
                             .vocab = VOCAB,
                             .labels = LABELS,
                             .pad_token = PAD,
                             .max_length = 40,
                             .lsh_layers = 2,
                             .heads = 2,
                             .rounds = 2,
                             .max_bucket = 5,
                             .n_variants = 3,
                             .variants = fake_variants};
}

/* A prepared call and the workspace it lies in. */
typedef struct {
    reformer_call_t call;
    const reformer_variant_t *variant;
    unsigned char *workspace;
    size_t bytes;
    int error;
} prepared_t;

enum { GUARD = 64 };

/* Prepares in exactly as many bytes as the runtime asks for, with a guard behind them. */
static inline prepared_t prepare(const reformer_desc_t *d, const reformer_io_t *io) {
    prepared_t p = {0};
    p.bytes = reformer_prepare_bytes(d, d->variants, d->n_variants, io->length ? io->length : 1,
                                     io->threads > 0 ? io->threads : 1);
    if (p.bytes == 0) p.bytes = 1 << 16; /* the error is reformer_prepare's to report */
    p.workspace = aligned_alloc(64, (p.bytes + GUARD + 63) / 64 * 64);
    assert_non_null(p.workspace);
    memset(p.workspace, 0x5A, p.bytes + GUARD);
    p.error = reformer_prepare(d, d->variants, d->n_variants, NULL, io, p.workspace, p.bytes,
                               &p.call, &p.variant);
    for (int i = 0; i < GUARD; i++) assert_int_equal(p.workspace[p.bytes + (size_t)i], 0x5A);
    return p;
}

static inline void discard(prepared_t *p) {
    free(p->workspace);
}

static inline int prepare_error(const reformer_desc_t *d, const reformer_io_t *io) {
    prepared_t p = prepare(d, io);
    discard(&p);
    return p.error;
}

static inline const int32_t *slot_i32(const prepared_t *p, int slot) {
    return (const int32_t *)p->call.slot[slot];
}

static inline int32_t control(const prepared_t *p, int which) {
    return slot_i32(p, REFORMER_SLOT_CONTROL)[which];
}

#endif
