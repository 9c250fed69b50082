/* LSH attention of one round: lsh_attention.c, the kernel; lsh_ring.c, chunks of keys;
 * lsh_rounds.c, what rounds add up to. */
#ifndef REFORMERC_LOWER_LSH_ATTENTION_H
#define REFORMERC_LOWER_LSH_ATTENTION_H

#include "lower/window.h"

typedef struct {
    attention_t *a;
    affine_t batch, head, round, first; /* first chunk of the task */
    heads_t in;
    dim_t chunks, total;      /* per round, over all rounds */
    int64_t ring;             /* slots */
    affine_t slot;            /* of the window's current keys */
    affine_t gathered, chunk; /* chunks gathered before; the round's that attends */
    affine_t gather_round, gather_chunk, gather_slot;
    buffer_t *values, *key_pos;
    buffer_t *key_scale, *key_scale2; /* [slot][lane]: of the scores, and times log2 e */
    /* |q| [slot][lane], the greatest of each panel [slot][panel], of all that
     * the slot holds [slot] */
    buffer_t *norm, *max_norm, *max_of_slot;
    bool bounded; /* the way that is being built: |q| is the shift */
    /* scratch [tile], of the panel's tokens: this round's sum, the merged maximum, the merged sum,
     * and the factors for the old output and for this round's */
    buffer_t *round_sum, *top, *total_sum, *rescale, *gain;
    window_t *w;
} lsh_t;

/* ---- lsh_ring.c ------------------------------------------------------------------------------ */

/* Gathers the chunk at `offset` from `chunk` of the current round into a slot. */
void gather(lower_t *L, builder_t *b, lsh_t *c, affine_t chunk, affine_t offset, affine_t slot);
affine_t ring_slot(builder_t *b, const lsh_t *c, affine_t step);
/* Whether the squares of all keys of the ring, which are the window's, are numbers. */
value_t *keys_have_squares(builder_t *b, const lsh_t *c);
/* The window's view of the ring. */
window_t ring_window(const lower_t *L, lsh_t *c);
value_t *ring_norm(lower_t *L, builder_t *b, window_t *w, int j); /* |q| of the panel's vector j */
value_t *is_far(lower_t *L, builder_t *b, const lsh_t *c, int j);

/* ---- lsh_rounds.c ---------------------------------------------------------------------------- */

/* Adds this round's sums to those of the panel's tokens; the factors for old
 * and new output are 1. */
void add_sums(lower_t *L, builder_t *b, lsh_t *c, value_t **sum);
/* Reads m and s of the panel's tokens, merges this round's, leaves the factors for old and new
 * output; both are 1 where |q| is the shift. */
void merge_sums(lower_t *L, builder_t *b, lsh_t *c, value_t **max, value_t **sum);
/* The un-sort and the combination in one: of rows of the panel. */
void put_round(lower_t *L, builder_t *b, window_t *w, affine_t row, affine_t col, int rows,
               value_t **acc);

#endif
