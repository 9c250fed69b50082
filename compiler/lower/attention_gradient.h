/* Gradients of attention: attention_gradient.c, a chunk of queries against a chunk of keys; attention_gradient_ends.c, what
 * comes before the first and behind the last. */
#ifndef REFORMERC_LOWER_ATTENTION_GRADIENT_H
#define REFORMERC_LOWER_ATTENTION_GRADIENT_H

#include "lower/window.h"

/* Whether chunks are of a sorted order, round by round. */
bool is_sorted(const attention_t *a);

/* `begin_gradient`: per row what its probabilities are made of, <dy, y>, and gradients that are nothing yet. */
void lower_gradient_begin(lower_t *L, attention_t *a);
/* `end_gradient`: where keys are normalised, their gradient goes through that; NULL: they are not. */
void lower_gradient_end(lower_t *L, attention_t *a);

#endif
