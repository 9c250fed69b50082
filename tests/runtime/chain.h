/* A decoder that needs no model: a row's next logits follow from the tokens that it has read, either from the last one
 * (a table of transitions) or from all of them, so that a row that was copied wrongly or read a wrong token shows. It
 * checks the promises that are made to decoders. */
#ifndef REFORMERC_TESTS_RUNTIME_CHAIN_H
#define REFORMERC_TESTS_RUNTIME_CHAIN_H

#include "fake.h"

#include <math.h>

#include "reformer_generate.h"

enum { IDS = 5, MAX_ROWS = 32, MAX_TOKENS = 64 };

typedef struct {
    const float (*table)[IDS]; /* [last token][next]; NULL: all tokens count */
    size_t capacity;
    size_t n[MAX_ROWS];
    int32_t text[MAX_ROWS][MAX_TOKENS];
    int fresh[MAX_ROWS]; /* copied to since the last step */
    int prefills, steps, copies;
    int fail_prefill, fail_step, fail_copy; /* codes to return; 0 = none */
    int good_steps;                         /* before the one that fails */
    size_t nan_row; /* < MOST_ROWS: its logits hold a NaN once it has read `nan_after` tokens */
    size_t nan_after;
    uint8_t last_mask[MAX_ROWS];
} chain_t;

static inline void chain_logits(const chain_t *c, const int32_t *text, size_t n, float *logits) {
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < n; i++) h = (h ^ (uint32_t)text[i]) * 16777619u;
    for (int v = 0; v < IDS; v++) {
        uint32_t x = (h ^ (uint32_t)(v + 77)) * 16777619u;
        x = (x ^ x >> 15) * 2246822519u;
        logits[v] = c->table ? c->table[text[n - 1]][v] : (float)(x >> 12) / 262144 - 2;
    }
}

static inline void chain_output(const chain_t *c, size_t row, float *logits) {
    chain_logits(c, c->text[row], c->n[row], logits + row * IDS);
    if (row == c->nan_row && c->n[row] >= c->nan_after) logits[row * IDS + 3] = NAN;
}

static inline int chain_prefill(void *ctx, const reformer_decode_t *io) {
    chain_t *c = (chain_t *)ctx;
    c->prefills++;
    if (c->fail_prefill) return c->fail_prefill;
    assert_non_null(io->logits);
    assert_in_range(io->batch, 1, MAX_ROWS);
    for (size_t row = 0; row < io->batch; row++) {
        size_t n = 0;
        for (size_t t = 0; t < io->length; t++) {
            size_t at = row * io->length + t;
            if (!io->attention_mask || io->attention_mask[at])
                c->text[row][n++] = io->input_ids[at];
        }
        if (n > c->capacity) return REFORMER_E_FULL;
        if (n == 0) continue; /* stays as it is */
        c->n[row] = n;
        chain_output(c, row, io->logits);
    }
    return REFORMER_OK;
}

static inline int chain_step(void *ctx, const reformer_decode_t *io) {
    chain_t *c = (chain_t *)ctx;
    int any = 0;
    if (c->fail_step && c->steps >= c->good_steps) return c->fail_step;
    c->steps++;
    assert_non_null(io->attention_mask);
    for (size_t row = 0; row < io->batch; row++) {
        c->fresh[row] = 0;
        c->last_mask[row] = io->attention_mask[row];
        if (!io->attention_mask[row]) continue;
        any = 1;
        assert_in_range(io->input_ids[row], 0, IDS - 1);
        assert_true(c->n[row] > 0 && c->n[row] < c->capacity);
        c->text[row][c->n[row]++] = io->input_ids[row];
        chain_output(c, row, io->logits);
    }
    assert_true(any); /* no step for nothing */
    return REFORMER_OK;
}

/* Nothing is copied from where something was copied to, and nothing twice to one place. */
static inline int chain_copy(void *ctx, size_t from, size_t to) {
    chain_t *c = (chain_t *)ctx;
    if (c->fail_copy) return c->fail_copy;
    assert_true(from != to && from < MAX_ROWS && to < MAX_ROWS);
    assert_true(!c->fresh[from] && !c->fresh[to] && c->n[from] > 0);
    c->fresh[to] = 1;
    c->copies++;
    c->n[to] = c->n[from];
    memcpy(c->text[to], c->text[from], sizeof c->text[to]);
    return REFORMER_OK;
}

static inline chain_t chain_new(const float (*table)[IDS]) {
    return (chain_t){.table = table, .capacity = MAX_TOKENS, .nan_row = MAX_ROWS};
}

static inline reformer_decoder_t chain_decoder(chain_t *c, size_t batch) {
    return (reformer_decoder_t){.size = sizeof(reformer_decoder_t),
                                .ctx = c,
                                .prefill = chain_prefill,
                                .step = chain_step,
                                .copy_row = chain_copy,
                                .vocab = IDS,
                                .batch = batch,
                                .capacity = c->capacity};
}

/* Scratch of so many bytes with a guard behind it. */
static inline unsigned char *scratch_new(size_t bytes) {
    assert_true(bytes > 0);
    unsigned char *p = aligned_alloc(64, (bytes + GUARD + 63) / 64 * 64);
    assert_non_null(p);
    memset(p, 0x5A, bytes + GUARD);
    return p;
}

static inline void scratch_free(unsigned char *p, size_t bytes) {
    for (int i = 0; i < GUARD; i++) assert_int_equal(p[bytes + (size_t)i], 0x5A);
    free(p);
}

#endif
