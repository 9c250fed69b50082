/* Gradients of losses, with respect to what they are losses of (docs/semantics.md 10).
 *
 * A loss is a mean: each of its labels counts for one part of their number, which a kernel finds
 * before the backward pass begins. Rows of logits become rows of gradients where they were
 * computed; answers are a mean over positions, whose gradient has a kernel of its own. In: ops of
 * the backward pass. Out: kernels, or code of a row program. */
#ifndef REFORMERC_LOWER_LOSS_GRADIENTS_H
#define REFORMERC_LOWER_LOSS_GRADIENTS_H

#include "lower/elements.h"

/* The kernel of a SEED: what each label of the call counts. It runs before those that follow and
 * reads what the caller gave alone. False after an error in L->d. */
bool lower_seed(lower_t *L, part_t *p);

/* CROSS_ENTROPY_GRAD, MSE_LOSS_GRAD, BCE_LOSS_GRAD: ops of row programs. */
bool is_loss_gradient(const gnode_t *n);
/* From the rows of its logits; `to` may be `from`. False after an error in L->d. */
bool loss_gradient_rows(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n,
                        buffer_t *from, buffer_t *to);

/* The kernel of a QA_LOSS_GRAD: into the home of its result. False after an error in L->d. */
bool lower_answer_gradient(lower_t *L, part_t *p);

#endif
