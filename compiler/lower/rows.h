/* Row programs (rows.c) and how they meet attention (heads.c). */
#ifndef REFORMERC_LOWER_ROWS_H
#define REFORMERC_LOWER_ROWS_H

#include "lower/attention_stacks.h"
#include "lower/elements.h"

/* The kernel of a class of ROW or PICK regions: params are the part's indices, then the group of
 * heads where attention is at one of its ends; of a head, none. False after an error in L->d: a
 * node for which there is no form. */
bool lower_rows(lower_t *L, part_t *p);

/* What a kernel of the part's region is called; others may be called so. */
const char *rows_name(lower_t *L, const part_t *p);
/* Whether attention alone reads n, and where its operand n stands by heads; of what an
 * operand rounds, NULL: nowhere. */
bool feeds_attention(const lower_t *L, const gnode_t *n);
bool is_operand(const attention_t *a, const gnode_t *n); /* or what it rounds; a NULL: it is none */
buffer_t *operand_buffer(const attention_t *a, const gnode_t *n);

/* A dense layer whose result is an operand of attention, as it is computed head by head. */
typedef struct {
    buffer_t *tile; /* scratch [block][k] */
    int64_t k;
    panels_t w; /* prefix: the stack's index; the head is added */
    /* [batch][group][rows][head_stride], or a stack: as it is, and rounded; NULL: not so */
    buffer_t *to, *rounded_to;
} head_operand_t;

/* For every head of the group: the operands of a block of rows, and what attention
 * wants to find beside them. */
typedef struct {
    const attention_t *a;
    affine_t batch, row0;
    value_t *group, *place; /* in stacks; NULL: there are none */
    head_operand_t operands[4];
    int n;
    buffer_t *source; /* rows that the task began with: the next block's are fetched meanwhile */
    bool clears;      /* the attention begins here */
} into_heads_t;
void into_heads(lower_t *L, builder_t *b, const into_heads_t *p);
/* An operand that is there in rows, scratch [block][>= heads * head_size], by
 * heads; of one group. */
void spread_heads(lower_t *L, builder_t *b, const into_heads_t *p, buffer_t *rows, buffer_t *to);

/* The result of attention for a block of rows and a group of heads, and a place in stacks, NULL:
 * the first: scratch [block][group
 * * head_size], with something finite behind it; `rounds`: as bf16. One that is kept is left
 *   divided where it stands. */
buffer_t *out_of_heads(lower_t *L, builder_t *b, const attention_t *a, affine_t batch,
                       affine_t row0, value_t *group, value_t *place, bool rounds);
/* State of a block of rows of a head before its first round: also of attention
 * whose operands others make. */
bool has_state(const lower_t *L, const attention_t *a);
void clear_state(lower_t *L, builder_t *b, const attention_t *a, const heads_t *in, affine_t row0);
/* The gradient of an operand, by heads, in rows of `to`: scratch [block][>= heads * head_size]. */
void gradient_of_heads(lower_t *L, builder_t *b, const attention_t *a, affine_t batch,
                       affine_t row0, buffer_t *from, buffer_t *to);
/* docs/semantics.md Q2: the weight of its own value in the output of a row that
 * sees only itself. */
value_t *self_only_weight(lower_t *L, builder_t *b, const attention_t *a, affine_t batch,
                          affine_t head, affine_t row);

#endif
