/* Inside the reference evaluator: values of nodes, and one function per op. */
#ifndef REFORMERC_GRAPH_EVALUATE_OPS_H
#define REFORMERC_GRAPH_EVALUATE_OPS_H

#include "graph/evaluate.h"

/* The result of a node: f for G_F32 (params: w), i for G_I32. Shapes are literal; the first
 * dimension of everything but params is the number of rows evaluated. */
typedef struct {
    double *f;
    int32_t *i;
    const float *w; /* a param: the caller's */
    int rank;
    int64_t shape[G_MAX_RANK], elements;
} value_t;

typedef struct {
    const graph_t *g;
    const reformer_io_t *io;
    graph_param_fn *param;
    void *param_ctx;
    graph_margin_fn *margin; /* NULL: not wanted */
    void *margin_ctx;
    int64_t rows, length; /* given by io */
    int64_t padded;       /* P */
    int64_t loss_length;  /* positions of the QA loss */
    int hashed;           /* hashing layers met so far */
    value_t *values;      /* [n_nodes] */
} eval_t;

/* Fills *out, whose arrays are allocated and zero. Returns REFORMER_OK or an error code. */
typedef int eval_fn(eval_t *e, const gnode_t *n, value_t *out);
eval_fn eval_pad_ids, eval_pad_mask, eval_embed, eval_layer_norm, eval_dense, eval_activation,
    eval_add, eval_concat, eval_slice, eval_first_token, eval_column;   /* evaluate_dense.c */
eval_fn eval_lsh_hash, eval_lsh_sort;                                   /* evaluate_hash.c */
eval_fn eval_lsh_attention, eval_local_attention, eval_exact_attention; /* evaluate_attention.c */
eval_fn eval_cross_entropy, eval_qa_loss, eval_mse_loss, eval_bce_loss; /* evaluate_loss.c */

/* The value of input i. */
static inline const value_t *eval_in(const eval_t *e, const gnode_t *n, int i) {
    return &e->values[n->in[i]->id];
}
/* NULL: missing. */
static inline const value_t *eval_optional(const eval_t *e, const gnode_t *n, int i) {
    return i < n->n_in && n->in[i] ? eval_in(e, n, i) : NULL;
}

/* Zeroed memory; never NULL, running out of it is bug(). */
void *eval_alloc(int64_t count, size_t size);

#endif
