/* The evaluator's attentions seen as one (evaluate_attention.c), for those who walk the same
 * windows: forwards, and their gradients. */
#ifndef REFORMERC_GRAPH_EVALUATE_ATTENTION_H
#define REFORMERC_GRAPH_EVALUATE_ATTENTION_H

#include "graph/evaluate_ops.h"

/* One head of one row. */
typedef struct {
    int64_t slots, chunk, before, after, head_size;
    int64_t stride;       /* from token to token in q and v */
    const int32_t *order; /* [slots] flat index, position = flat % length; NULL: slot = position */
    int64_t length;
    bool causal, self_mask;
    bool rounds;         /* products are of bf16: so are probabilities */
    const double *q;     /* [length] rows of head_size, `stride` apart */
    const double *k;     /* [length][head_size], scaled */
    const double *v;     /* as q; NULL: only lse is wanted */
    const int32_t *mask; /* [length]; NULL: all are tokens */
    double *out;         /* [slots][head_size], by flat index */
    double *lse;         /* [slots], by flat index */
    /* dropout of probabilities: */
    const eval_t *e;
    const gnode_t *n;
    int64_t first; /* rows of probabilities before slot 0 */
} eval_head_t;

/* All heads and rows. */
typedef struct {
    const eval_value_t *q, *k, *v, *mask, *order; /* v, mask, order: may be NULL */
    int64_t rounds, chunk, before, after;
    bool shared_qk;
    bool rounded; /* q, k and v are of bf16 */
} eval_heads_t;

/* The operands of an LSH, a local or an exact attention or of what has the same as inputs `first`
 * onwards: without v where the op (a *_LSE) has none. */
eval_heads_t eval_lsh_heads(const eval_t *e, const gnode_t *n, int first, bool has_v);
eval_heads_t eval_local_heads(const eval_t *e, const gnode_t *n, int first, bool has_v);
eval_heads_t eval_exact_heads(const eval_t *e, const gnode_t *n, int first, bool has_v);

/* Head i % heads of row i / heads, without out and lse; its keys are made in
 * keys [padded][head_size]. */
eval_head_t eval_head(const eval_t *e, const gnode_t *n, const eval_heads_t *h, int64_t i,
                      double *keys);
/* Where token 0 of that head stands in q, k, v and results. */
int64_t eval_head_at(const eval_t *e, const gnode_t *n, int64_t i);
/* The token of a slot, in flattened rounds. */
int64_t eval_flat(const eval_head_t *a, int64_t slot);
/* What dropout multiplies the probability of key j of the slot's window of `width` keys by. */
double eval_kept_key(const eval_head_t *a, int64_t slot, int64_t width, int64_t j);
/* Positions of the keys that a chunk sees: [(before + 1 + after) * chunk]. */
void eval_window(const eval_head_t *a, int64_t chunk, int64_t *positions);
/* Of bf16, what weights are exp(score - shift) with, where the greatest score is `max`: in LSH
 * layers |q|, of others `norm` is infinite. */
double eval_rounded_shift(double norm, double max);
/* |q| of a query in LSH layers, else infinite. */
double eval_norm(const eval_head_t *a, int64_t query);
/* A shift as the log-sum-exp is rounded by. */
double eval_far(double x);
/* The score of positions; *set: a mask sets it. */
double eval_score(const eval_head_t *a, int64_t query, int64_t key, bool *set);

#endif
