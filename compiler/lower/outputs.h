/* What callers want of a region's values (wanted.c), how they get it (outputs.c), and the
 * losses of it (losses.c). */
#ifndef REFORMERC_LOWER_OUTPUTS_H
#define REFORMERC_LOWER_OUTPUTS_H

#include "lower/rows_values.h"

/* An output of the graph, by name: where a call says that it is wanted, and its array. */
typedef struct {
    const char *name;
    int control; /* REFORMER_WANT_… */
    int slot;
    bool column; /* one element per row */
} graph_output_t;
const graph_output_t *output_of(const lower_t *L, const gnode_t *n); /* NULL: it is none */
/* The caller's array [rows][width], which is made where `rows` is given and none is
 * there; NULL: there is none. */
buffer_t *output_array(lower_t *L, const gnode_t *n, dim_t rows);

/* By place in a region's nodes: a bit for each control that wants the node, of which one must be
 * set. ANYWAY: other regions read it. `losses`: whether losses want what they are made of. */
unsigned *wants_of(lower_t *L, const region_t *region, bool losses);
unsigned any_of(const region_t *region, const unsigned *wants); /* what wants the region */
/* What of a call wants the losses that n goes into; 0: none does. */
unsigned wants_of_losses(const lower_t *L, const gnode_t *n);

/* A result whose rows are computed: into the caller's array if that is wanted,
 * and to its losses. */
bool give_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n);
/* Opens a block for the current row where the caller has one for it; *out is that row. */
inst_t *if_given_row(lower_t *L, builder_t *b, const rows_t *r, affine_t row, value_t **out);

/* Losses (docs/semantics.md 8). Of language models each row of logits is reduced to its loss where
 * it is computed, so that logits are never stored; what other losses are made
 * of is small, and kept. */
void rows_to_losses(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n, buffer_t *rows);
/* What a loss is made of stands there until its kernel runs, and its gradient's: [batch][label], or
 * [start, end][batch][rows]. */
buffer_t *scores_of_loss(lower_t *L, const gnode_t *loss);
/* Of answers, at position t: the score within the loss's length, else far below everything. */
value_t *answer_score(lower_t *L, builder_t *b, buffer_t *scores, affine_t which, affine_t batch,
                      value_t *t);
buffer_t *labels_of_numbers(lower_t *L, int64_t classes); /* the caller's: [batch][classes] */
/* The kernel of a REDUCE region: the loss of what was kept. False after an error in L->d. */
bool lower_loss(lower_t *L, part_t *p);

#endif
