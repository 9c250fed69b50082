/* Shared by the files that generate texts; products do not include it. */
#ifndef REFORMER_RT_GEN_H
#define REFORMER_RT_GEN_H

#include "reformer_generate.h"
#include "rt_int.h"

/* e^x and ln x to about one unit in the last place of a double (real.c). */
double reformer_exp(double x); /* x <= 709; 0 below -708 */
double reformer_log(double x); /* x positive, not denormal */

/* The greatest of some ids first: a heap by key, of equal keys the lower id (choose.c). */
typedef struct {
    const float *key; /* [all ids] */
    int32_t *id;      /* [n]; pop leaves what it returned at id[n], beyond what is left */
    size_t n;
} reformer_heap_t;
/* All ids 0 … n-1; time n. */
void reformer_heap_make(reformer_heap_t *h, const float *key, int32_t *id, size_t n);
int32_t reformer_heap_pop(reformer_heap_t *h); /* n > 0; time log n */

/* The first of the greatest of n scores; -1: one is NaN or +infinity, or all are -infinity. */
int32_t reformer_greatest(const float *score, size_t n);

/* What generation and beam search check of a decoder, and of prompts [batch][length]. */
int reformer_check_decoder(const reformer_decoder_t *d);
int reformer_check_prompts(const reformer_decoder_t *d, const reformer_decode_t *io);
int reformer_check_ids(const int32_t *ids, size_t n); /* a list may be empty, not missing */
int reformer_is_among(int32_t id, const int32_t *ids, size_t n);
int reformer_has_token(const reformer_decode_t *io, size_t at);

#endif
