/* Norms of a block of rows, on their way into a dense layer.
 *
 * layer_norm: (x - mean) / sqrt(var + eps) * w + b with the biased variance, two passes over the row as Hugging Face's
 * result demands (one pass loses digits when the mean is large).
 * rms_norm: x / sqrt(mean(x^2) + eps) * w. */
#include "lower/lower_int.h"

bool is_norm(const gnode_t *n) {
    return n->op == G_LAYER_NORM || n->op == G_RMS_NORM;
}

void read_norm(const part_t *p, value_t *const *index, const gnode_t *n, norm_t *norm) {
    const role_t *weight = role_of(p, n->in[1]);
    const role_t *bias = n->op == G_RMS_NORM ? NULL : role_of(p, n->in[2]);
    norm->width = n->shape[n->rank - 1].c / norm->n_src;
    norm->eps = n->eps;
    norm->weight = weight->w;
    norm->prefix = stack_index(p, index, weight);
    if (!bias) return;
    norm->bias = bias->w;
    norm->bias_prefix = stack_index(p, index, bias);
}

typedef struct {
    const norm_t *n;
    affine_t row;          /* within the block */
    value_t *mean, *scale; /* mean NULL: not known yet, or none is taken off */
    bool squares;          /* what is added up */
    int source;
} row_t;

static value_t *widen(builder_t *b, value_t *scalar, int width) {
    return width > 1 ? b_broadcast(b, scalar, width) : scalar;
}

static value_t *source_at(const norm_t *n, builder_t *b, int source, affine_t row, affine_t col,
                          int width) {
    affine_t stored[] = {n->batch, ax_add(n->row0, row), col}, scratch[] = {row, col};
    return b_load(b, n->src[source], width, n->src[source]->rank == 2 ? scratch : stored);
}

static value_t *centred(const row_t *r, builder_t *b, value_t *x, int width) {
    return r->mean ? b_binary(b, OP_SUB, x, widen(b, r->mean, width)) : x;
}

/* x, or the square of x - mean, added to the accumulator. */
static value_t *sum_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                         value_t *acc) {
    const row_t *r = ctx;
    value_t *x = source_at(r->n, b, r->source, r->row, at, width);
    (void)L;
    if (!r->squares) return b_binary(b, OP_ADD, acc, x);
    x = centred(r, b, x, width);
    return b_fma(b, x, x, acc);
}

/* Mean over the row of what is added up. */
static value_t *row_mean(lower_t *L, builder_t *b, row_t *r) {
    const norm_t *n = r->n;
    value_t *sum = NULL;
    for (r->source = 0; r->source < n->n_src; r->source++) {
        value_t *part = fold_span(L, b, n->width, OP_ADD, 0, sum_span, r);
        sum = sum ? b_binary(b, OP_ADD, sum, part) : part;
    }
    return b_binary(b, OP_DIV, sum, b_const(b, SCALAR(E_F32), (double)(n->width * n->n_src)));
}

static void write_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const row_t *r = ctx;
    const norm_t *n = r->n;
    affine_t col = ax_plus(at, r->source * n->width);
    value_t *x = source_at(n, b, r->source, r->row, at, width);
    affine_t wx[] = {n->prefix, col}, bx[] = {n->bias_prefix, col};
    value_t *w = b_load(b, n->weight, width, wx);
    value_t *bias = n->bias ? b_load(b, n->bias, width, bx) : NULL;
    x = b_binary(b, OP_MUL, centred(r, b, x, width), widen(b, r->scale, width));
    affine_t dx[] = {r->row, col};
    b_store(b, n->dst, bias ? b_fma(b, x, w, bias) : b_binary(b, OP_MUL, x, w), dx);
}

void layer_norm_rows(lower_t *L, builder_t *b, const norm_t *n) {
    ltype_t f = SCALAR(E_F32);
    b_comment(b, "%s norm of %lld rows of %lld", n->bias ? "layer" : "rms", (long long)n->m,
              (long long)(n->width * n->n_src));
    inst_t *loop = b_for(b, "i", dim(0), dim(n->m), 0, NULL);
    row_t r = {.n = n, .row = ax_v(loop_var(loop))};
    if (n->bias) r.mean = b_name(row_mean(L, b, &r), "mean");
    r.squares = true;
    value_t *var = b_name(row_mean(L, b, &r), n->bias ? "var" : "square");
    value_t *root = b_unary(b, OP_SQRT, b_binary(b, OP_ADD, var, b_const(b, f, (float)n->eps)));
    r.scale = b_name(b_binary(b, OP_DIV, b_const(b, f, 1), root), "scale");
    for (r.source = 0; r.source < n->n_src; r.source++) for_span(L, b, n->width, write_span, &r);
    b_end_for(b, loop, NULL);
}
