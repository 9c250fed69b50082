/* What the forward keeps of an attention for the backward pass: operands, result and what its
 * probabilities are made of.
 *
 * Of all layers of a class it stands in stacks, [place * batch][head][row]…, in which the forward's
 * kernels work as they else do in the buffers of a group of heads. A place is the number of the
 * member in the forward's class; kernels are told theirs (part_t.stack_vector). What is not kept is
 * computed again: the backward pass then has an attention of its own, with operands from stacks or
 * not; of a kept result it has the gradient alone. */
#ifndef REFORMERC_LOWER_ATTENTION_STACKS_H
#define REFORMERC_LOWER_ATTENTION_STACKS_H

#include "lower/lower_int.h"

/* Which values of an attention, as its readers say: of a forward's, those that the backward pass
 * reads; of a backward pass's, those of its operands that the forward has made. Sets `stacked` and
 * `forward`. False after an error in L->d. */
bool find_kept(lower_t *L, attention_t *a);
/* Behind find_band(): tells each part that reads or writes stacks where its members' are. False
 * after an error in L->d. */
bool place_stacks(lower_t *L, attention_t *a);
/* The stack of a forward's buffer, whose dims of a group's heads these are. */
buffer_t *make_stack(lower_t *L, const attention_t *a, const char *name, elem_t e, int rank,
                     const dim_t *dims);

/* Where a kernel finds the batch element and the head of its task: in buffers of a group
 * of heads, and in stacks. */
typedef struct {
    int64_t elements, heads; /* of a buffer of a group */
    affine_t batch, head, place, whole;
} heads_t;
/* place, group NULL: the first. */
heads_t heads_at(const lower_t *L, const attention_t *a, affine_t batch, affine_t head,
                 value_t *place, value_t *group);
affine_t batch_in(const heads_t *h, const buffer_t *b);
affine_t head_in(const heads_t *h, const buffer_t *b);
/* Sets the first two of an element's indices in b; returns them. */
affine_t *in_heads(const heads_t *h, const buffer_t *b, affine_t *ix);

#endif
