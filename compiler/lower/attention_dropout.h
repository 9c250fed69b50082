/* Dropout of attention's probabilities: [row of the step][head][round][place in the round's
 * order][place in the window] (graph/dropout.h). Queries lie in the lanes, so that eight keys of
 * theirs are drawn at once. */
#ifndef REFORMERC_LOWER_ATTENTION_DROPOUT_H
#define REFORMERC_LOWER_ATTENTION_DROPOUT_H

#include "lower/attention_stacks.h"
#include "lower/dropout.h"

/* Of one head and round, in a kernel. */
typedef struct kept {
    dropout_t draws;
    value_t *first; /* i64: rows of probabilities before its place 0 */
    int64_t blocks; /* of a row */
    /* i64: instead, where the input has fewer keys than the code; NULL: it has all */
    value_t *own_blocks;
    value_t *positions; /* masked_positions() */
    value_t *offsets;   /* i32 lanes: blocks from lane 0's row to each lane's */
} kept_t;

bool drops_probabilities(const lower_t *L, const attention_t *a);
/* Of bf16 dropout leaves all of a weight or nothing of it, which rounds nothing, and what it
 * multiplies by stands outside of the sums: x times that, of others x. */
value_t *times_kept(const lower_t *L, builder_t *b, const attention_t *a, value_t *x);
/* The numbers of a kernel's task: where its launch says in which layer and group it runs. */
typedef struct {
    value_t *layer, *group, *place; /* NULL: not told */
} told_t;
/* The first parameters of a kernel of `node`, of the attention: where something drops, or is kept,
 * its part's places and the group. */
told_t tell_attention(lower_t *L, builder_t *b, const attention_t *a, const gnode_t *node);
/* The same of kernels that drop nothing. */
told_t tell_stacks(lower_t *L, builder_t *b, const attention_t *a, const gnode_t *node);
heads_t told_heads(const lower_t *L, const attention_t *a, const told_t *told, affine_t batch,
                   affine_t head);
kept_t *begin_kept(lower_t *L, builder_t *b, const attention_t *a, const told_t *told,
                   affine_t batch, affine_t head);
/* The round is known now; before anything is drawn. */
void kept_of_round(lower_t *L, builder_t *b, const attention_t *a, kept_t *k, affine_t round);

/* Factors of places first … first + n - 1 of the window, of `lanes` queries per vector, the first
 * of which has place `row` in the order. aligned: first and n are multiples of 8. */
typedef void kept_fn(lower_t *L, builder_t *b, void *ctx, affine_t key, int j, value_t *factor);
void for_kept(lower_t *L, builder_t *b, const kept_t *k, affine_t row, affine_t first, int64_t n,
              bool aligned, kept_fn *body, void *ctx);
/* Of one query and one place of its window, a scalar. */
value_t *kept_one(lower_t *L, builder_t *b, const kept_t *k, affine_t row, affine_t place);

#endif
