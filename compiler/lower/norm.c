/* Norms of a block of rows, on their way into a dense layer.
 *
 * layer_norm: (x - mean) / sqrt(var + eps) * w + b with the biased variance, two passes over the
 * row as Hugging Face's result demands (one pass loses digits when the mean is large).
 * rms_norm: x / sqrt(mean(x^2) + eps) * w.
 * A *_unit is u, the same without weights. A *_grad, with g = dy w and s what u was scaled by, is
 * s (g - mean(g) - u mean(g u)), of rms norms without mean(g). */
#include "lower/quantize.h"

/* Which inputs are what; -1: there is none. */
static const struct {
    bool known, centred;
    signed char x, weight, bias, dy;
} forms[G_COUNT] = {
    [G_LAYER_NORM] = {true, true, 0, 1, 2, -1},
    [G_RMS_NORM] = {true, false, 0, 1, -1, -1},
    [G_LAYER_NORM_UNIT] = {true, true, 0, -1, -1, -1},
    [G_RMS_NORM_UNIT] = {true, false, 0, -1, -1, -1},
    [G_LAYER_NORM_GRAD] = {true, true, 1, 2, -1, 0},
    [G_RMS_NORM_GRAD] = {true, false, 1, 2, -1, 0},
};

bool is_norm_form(const gnode_t *n) {
    return forms[n->op].known;
}

const gnode_t *normed(const gnode_t *n) {
    return n->in[(int)forms[n->op].x];
}

const gnode_t *norm_dy(const gnode_t *n) {
    int dy = forms[n->op].dy;
    return dy < 0 ? NULL : n->in[dy];
}

void read_norm(const part_t *p, value_t *const *index, const gnode_t *n, norm_t *norm) {
    int at = forms[n->op].weight, bias_at = forms[n->op].bias;
    const role_t *weight = at < 0 ? NULL : role_of(p, n->in[at]);
    const role_t *bias = bias_at < 0 ? NULL : role_of(p, n->in[bias_at]);
    norm->width = n->shape[n->rank - 1].c / norm->n_src;
    norm->eps = n->eps;
    norm->centred = forms[n->op].centred;
    if (!weight) return;
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
    /* Of a gradient: means of g and of g u; NULL: none, or not known yet */
    value_t *mean_g, *along;
} norm_row_t;

static value_t *widen(builder_t *b, value_t *scalar, int width) {
    return width > 1 ? b_broadcast(b, scalar, width) : scalar;
}

static value_t *source_at(const norm_t *n, builder_t *b, int source, affine_t row, affine_t col,
                          int width) {
    return load_at(b, n->at, n->src[source], row, col, width);
}

static value_t *centred(const norm_row_t *r, builder_t *b, value_t *x, int width) {
    return r->mean ? b_binary(b, OP_SUB, x, widen(b, r->mean, width)) : x;
}

/* x, or the square of x - mean, added to the accumulator. */
static value_t *sum_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                         value_t *acc) {
    const norm_row_t *r = ctx;
    value_t *x = source_at(r->n, b, r->source, r->row, at, width);
    (void)L;
    if (!r->squares) return b_binary(b, OP_ADD, acc, x);
    x = centred(r, b, x, width);
    return b_fma(b, x, x, acc);
}

/* Mean over the row of what is added up. */
static value_t *row_mean(lower_t *L, builder_t *b, norm_row_t *r) {
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
    const norm_row_t *r = ctx;
    const norm_t *n = r->n;
    affine_t col = ax_plus(at, r->source * n->width);
    value_t *x = source_at(n, b, r->source, r->row, at, width);
    affine_t wx[] = {n->prefix, col}, bx[] = {n->bias_prefix, col};
    value_t *w = n->weight ? b_load(b, n->weight, width, wx) : NULL;
    value_t *bias = n->bias ? b_load(b, n->bias, width, bx) : NULL;
    x = b_binary(b, OP_MUL, centred(r, b, x, width), widen(b, r->scale, width));
    affine_t dx[] = {n->quantized ? ax(0) : r->row, col};
    if (w) x = bias ? b_fma(b, x, w, bias) : b_binary(b, OP_MUL, x, w);
    b_store(b, n->dst, n->rounds ? rounded(b, x) : x, dx);
}

/* ---- gradients ------------------------------------------------------------------------------- */

static value_t *unit_at(const norm_row_t *r, builder_t *b, affine_t at, int width) {
    value_t *x = centred(r, b, source_at(r->n, b, 0, r->row, at, width), width);
    return b_binary(b, OP_MUL, x, widen(b, r->scale, width));
}

static value_t *weighted_at(const norm_row_t *r, builder_t *b, affine_t at, int width) {
    const norm_t *n = r->n;
    affine_t wx[] = {n->prefix, at};
    value_t *dy = load_at(b, n->at, n->dy, r->row, at, width);
    return b_binary(b, OP_MUL, dy, b_load(b, n->weight, width, wx));
}

/* g, or g u, added to the accumulator. */
static value_t *gradient_sum(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                             value_t *acc) {
    const norm_row_t *r = ctx;
    value_t *g = weighted_at(r, b, at, width);
    (void)L;
    if (!r->squares) return b_binary(b, OP_ADD, acc, g);
    return b_fma(b, g, unit_at(r, b, at, width), acc);
}

static value_t *gradient_mean(lower_t *L, builder_t *b, norm_row_t *r, bool along) {
    r->squares = along;
    value_t *sum = fold_span(L, b, r->n->width, OP_ADD, 0, gradient_sum, r);
    return b_binary(b, OP_DIV, sum, b_const(b, SCALAR(E_F32), (double)r->n->width));
}

static void write_gradient(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const norm_row_t *r = ctx;
    affine_t dx[] = {r->row, at};
    value_t *g = weighted_at(r, b, at, width);
    (void)L;
    if (r->mean_g) g = b_binary(b, OP_SUB, g, widen(b, r->mean_g, width));
    value_t *along = b_unary(b, OP_NEG, unit_at(r, b, at, width));
    g = b_fma(b, along, widen(b, r->along, width), g);
    b_store(b, r->n->dst, b_binary(b, OP_MUL, g, widen(b, r->scale, width)), dx);
}

static void gradient_row(lower_t *L, builder_t *b, norm_row_t *r) {
    if (r->n->centred) r->mean_g = b_name(gradient_mean(L, b, r, false), "mean_g");
    r->along = b_name(gradient_mean(L, b, r, true), "along");
    for_span(L, b, r->n->width, write_gradient, r);
}

/* ---- rows ------------------------------------------------------------------------------------ */

void layer_norm_rows(lower_t *L, builder_t *b, const norm_t *n) {
    ltype_t f = SCALAR(E_F32);
    const char *what = n->dy ? ", its gradient" : n->weight ? "" : ", without weights";
    b_comment(b, "%s norm of %lld rows of %lld%s", n->centred ? "layer" : "rms",
              (long long)n->at->m, (long long)(n->width * n->n_src), what);
    inst_t *loop = b_for(b, "i", dim(0), dim(n->at->m), 0, NULL);
    norm_row_t r = {.n = n, .row = ax_v(loop_var(loop))};
    if (n->centred) r.mean = b_name(row_mean(L, b, &r), "mean");
    r.squares = true;
    value_t *var = b_name(row_mean(L, b, &r), n->centred ? "var" : "square");
    value_t *root = b_unary(b, OP_SQRT, b_binary(b, OP_ADD, var, b_const(b, f, (float)n->eps)));
    r.scale = b_name(b_binary(b, OP_DIV, b_const(b, f, 1), root), "scale");
    if (n->dy) gradient_row(L, b, &r);
    for (r.source = 0; !n->dy && r.source < n->n_src; r.source++)
        for_span(L, b, n->width, write_span, &r);
    if (n->quantized)
        quantize_row(L, b, n->at, n->dst, ax(0), n->quantized, r.row, n->width * n->n_src);
    b_end_for(b, loop, NULL);
}
