/* Inside the reference evaluator: values of nodes, and one function per op. */
#ifndef REFORMERC_GRAPH_EVALUATE_OPS_H
#define REFORMERC_GRAPH_EVALUATE_OPS_H

#include "graph/dropout.h"
#include "graph/evaluate.h"

/* The result of a node: f for G_F32, G_BF16 and G_I8 (params: w, but f for G_I8), i for integers.
 * Shapes are literal; the first dimension of everything but params is the number
 * of rows evaluated. */
typedef struct {
    double *f; /* of G_I8: integers times their row's scale, which doubles hold exactly */
    int32_t *i;
    const float *w; /* a param: the caller's, or its own */
    float *rounded; /* its own: of a bf16 param, rounded */
    int rank;
    int64_t shape[G_MAX_RANK], elements;
} eval_value_t;

static inline bool eval_has_floats(const gnode_t *n) {
    return n->type == G_F32 || n->type == G_BF16 || n->type == G_I8;
}
/* Element k of a param. */
static inline double eval_weight(const eval_value_t *param, int64_t k) {
    return param->w ? param->w[k] : param->f[k];
}
/* n elements, rows of this width, from what they are as floats to the values
 * that G_I8 has of them. */
void eval_quantize_rows(const float *x, int64_t n, int64_t width, double *to);

/* Of one row of a cache: what one state holds of its tokens (decode.h). */
typedef struct {
    int64_t width;  /* heads * head_size */
    int64_t hashes; /* heads * rounds */
    double *keys,
        /* [room][width]: query_key or key, and value, as projected; of a bf16
         * state not yet rounded */
        *values;
    int32_t *buckets; /* LSH: [room][heads][rounds], round offsets included */
    int64_t offset;   /* theirs, from round to round; 0: no token has a bucket yet */
} eval_kept_t;
typedef struct {
    int64_t tokens, room;
    double margin;       /* the least of all hashes of the row (evaluate.h) */
    eval_kept_t *states; /* [states of the step] */
} cached_row_t;

typedef struct {
    const graph_t *g;
    const reformer_io_t *io;
    graph_param_fn *param;
    void *param_ctx;
    graph_margin_fn *margin; /* NULL: not wanted */
    void *margin_ctx;
    graph_lead_fn *lead;            /* NULL: nobody; with margin's ctx */
    const reformer_io_t *led_io;    /* what it wants to see of the outputs */
    const graph_dropout_t *dropout; /* NULL: evaluation mode */
    graph_watch_fn *watch;          /* NULL: gradients are not wanted */
    void *watch_ctx;
    const gnode_t *loss; /* it watches */
    /* The row that a step gives a token, or a prefill fills; there is room. NULL: neither */
    cached_row_t *cached;
    const int *state_at;    /* by node id: which of its states */
    int64_t rows, length;   /* given by io */
    int64_t padded;         /* P */
    int64_t loss_length;    /* positions of the QA loss */
    eval_value_t *values;   /* [n_nodes] */
    imposed_rows_t imposed; /* before the node that it is at */
} eval_t;

/* Fills *out, whose arrays are allocated and zero. Returns REFORMER_OK or an error code. */
typedef int eval_fn(eval_t *e, const gnode_t *n, eval_value_t *out);
#define X(op, name, kind, inputs, attributes, doc, shape, evaluate, grad) eval_fn eval_##evaluate;
#include "graph/ops.def"
#undef X

/* The value of input i. */
static inline const eval_value_t *eval_in(const eval_t *e, const gnode_t *n, int i) {
    return &e->values[n->in[i]->id];
}
/* NULL: missing. */
static inline const eval_value_t *eval_optional(const eval_t *e, const gnode_t *n, int i) {
    return i < n->n_in && n->in[i] ? eval_in(e, n, i) : NULL;
}

/* A walk over g that gives io's outputs, with whatever the caller sets in between:
 * margin, cached … */
eval_t eval_begin(const graph_t *g, graph_param_fn *param, void *ctx, const reformer_io_t *io);
int eval_outputs(eval_t *e);

/* ---- shared by forwards and steps ------------------------------------------------------------ */

#define EVAL_SELF (-1e5) /* what the score of a token with itself is set to in LSH layers */
double eval_dot(const double *x, const double *y, int64_t n);
/* 1 / sqrt(sum / n + eps). Where single precision's sum of squares overflows, it is Hugging Face's
 * rsqrt(inf), and the norm gives its bias: as with keys (eval_key_scale), not a number that rounds
 * differently but another one. */
double eval_norm_scale(double squares, int64_t n, double eps);
/* LSH: k = x / sqrt(mean(x²) + 1e-6) / sqrt(d); local: k = x / sqrt(d). */
double eval_key_scale(const double *x, int64_t d, bool shared_qk);
/* Scores → probabilities; returns the log-sum-exp. No key seen: in single precision, as written. */
double eval_soften(double *x, int64_t n);
/* The same where weights are of bf16: exp(x - shift), rounded, over the sum of what that leaves.
 * The shift is the greatest x, or of a row of an LSH layer its |q|, if that is not too great.
 * norm: that, else infinite. */
double eval_soften_rounded(double *x, int64_t n, double norm);
/* lse [rounds] → weights of the rounds; one round is taken as it is. Q2: no round saw a key: in
 * single precision. */
void eval_weigh_rounds(double *lse, int64_t rounds);
int64_t eval_buckets(const gnode_t *n); /* per round: product of its factors */
/* The bucket, without round offset, of x [head_size]; *margin: the least gap to another one over
 * the factors, as a share of ||x||. */
int64_t eval_bucket(const gnode_t *n, const float *rotations, int64_t head, int64_t round,
                    const double *x, double *margin);
/* order: indices of keys [n], none negative, ascending by key. */
void eval_sort_stably(const int32_t *keys, int64_t n, int32_t *order);

/* Where token t of a row stands, for a node that may say where rows begin. */
int64_t eval_position(const eval_t *e, const gnode_t *n, int64_t row, int64_t t);

/* What dropout multiplies an element by: by its number; element k of x, a tensor
 * of n's result's form. */
double eval_kept(const eval_t *e, const gnode_t *n, dropout_place_t place, double rate,
                 int64_t element);
double eval_kept_at(const eval_t *e, const gnode_t *n, dropout_place_t place, double rate,
                    const eval_value_t *x, int64_t k);

/* Zeroed memory; never NULL, running out of it gives up the call (guard.h). */
void *eval_alloc(int64_t count, size_t size);

#endif
