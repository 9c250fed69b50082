/* Shared by the files that write text; products do not include it. */
#ifndef REFORMER_GENERATE_INT_H
#define REFORMER_GENERATE_INT_H

#include "real.h"
#include "reformer_generate.h"
#include "rt_int.h"

#pragma GCC visibility push(hidden)
/* The first of the greatest of n scores; -1: one is NaN or +infinity, or all
 * are -infinity (choose.c). */
int32_t reformer_greatest(const float *score, size_t n);
/* Ids by descending key, of equal keys the lower id first. */
typedef struct {
    const float *key; /* [all ids] */
    int32_t *id;      /* [n]; pop leaves what it returns at id[n], behind what is left */
    size_t n;
} reformer_heap_t;
void reformer_heap_make(reformer_heap_t *h, const float *key, int32_t *id, size_t n); /* 0 … n-1 */
int32_t reformer_heap_pop(reformer_heap_t *h);                                        /* n > 0 */

/* scores [vocab]: logits, but those of the history's tokens as the penalty makes them.
 * REFORMER_E_TOKEN: the history holds something else. */
int reformer_penalise(float penalty, const float *logits, size_t vocab, const int32_t *history,
                      size_t n, float *scores);
/* The tokens of a prompt's row that are any, in order; history has room for g->length. */
size_t reformer_prompt(const reformer_generate_t *g, size_t row, int32_t *history);
/* Whether g wants the row to end after this token. */
int reformer_is_eos(const reformer_generate_t *g, int32_t token);
/* Checks what generation and beam search have in common. */
int reformer_check_generate(const reformer_decoder_t *d, const reformer_generate_t *g);
size_t reformer_generate_rows(const reformer_decoder_t *d, const reformer_generate_t *g);
#pragma GCC visibility pop

#endif
