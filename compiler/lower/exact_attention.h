/* Exact attention: exact_attention.c, the kernel; exact_block.c, the queries that it has in hand;
 * exact_panel.c, steps over their panels; exact_window.c, what its window sees;
 * exact_output.c, how rows end. */
#ifndef REFORMERC_LOWER_EXACT_ATTENTION_H
#define REFORMERC_LOWER_EXACT_ATTENTION_H

#include "lower/window.h"

typedef struct {
    attention_t *a;
    affine_t batch, head, task;
    heads_t in;
    int64_t length;              /* padded */
    int64_t block, blocks, keys; /* tokens per block of queries, number of blocks, keys per step */
    int64_t slots, odd;          /* causal: 2, and 1 where `blocks` is odd */
    affine_t slot, queries; /* block of queries in hand: its place in scratch, its number or -1 */
    affine_t key_block, first_key;
    buffer_t *values;     /* DOT_PAIRS: those of the block of keys, pairs of keys side by side */
    bool bounded;         /* the way that is being built */
    value_t *max_key;     /* local: the greatest norm of a key */
    value_t *keys_square; /* whether the squares of all keys are numbers */
    buffer_t *bound, *max_bound; /* of the scores: [slot][lane], the greatest [slot] */
    /* [slot][lane]: running maximum, then the shift (general path); sum of weights */
    buffer_t *top, *sum;
    buffer_t *rescale;         /* [tile]: factor of the panel's old output (general path) */
    buffer_t *output;          /* [slot][lane][head] */
    buffer_t *inverse, *total; /* [tile]: scale of the output; [head]: sum of all values (Q1) */
    window_t *w;
} exact_t;

/* Position of a lane of the block of queries in hand; those that are none repeat the last row,
 * whose block the same task has: others' rows are written over while it reads. */
affine_t query_row(lower_t *L, builder_t *b, void *exact, affine_t lane);
/* Opens an `if` for lanes that are queries; NULL: all are. */
inst_t *query_guard(builder_t *b, const exact_t *c, affine_t lane);
affine_t in_panel(const lower_t *L, const exact_t *c, int j); /* the lanes of its vector j */
/* A loop over the panels of the block of queries. */
inst_t *open_panels(lower_t *L, builder_t *b, exact_t *c);
/* The keys' factor in the scores of local layers: 1 / sqrt(d). */
value_t *local_factor(const attention_t *a, builder_t *b, double unit);

window_t exact_window(exact_t *c);
/* Fills c->values. */
void pair_values(lower_t *L, builder_t *b, exact_t *c);

/* Of bf16 more than one block of keys has to be seen, by raise_maxima(), before the greatest score
 * is known, which is the shift. */
bool has_maxima_first(const exact_t *c);
void raise_maxima(lower_t *L, builder_t *b, exact_t *c);
/* A step: the queries of the slot against the block of keys. */
void attend_panels(lower_t *L, builder_t *b, exact_t *c, bool bounded);

/* After the last step: outputs of a slot's queries. */
void finish_queries(lower_t *L, builder_t *b, exact_t *c);

#endif
