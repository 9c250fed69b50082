/* Layer norm of a block of rows, on its way into a dense layer: (x - mean) / sqrt(var + eps) * w + b
 * with the biased variance, two passes over the row as Hugging Face's result demands (one pass loses
 * digits when the mean is large). */
#include "lower/lower_int.h"

typedef struct {
    const norm_t *n;
    builder_t *b;
    affine_t row; /* within the block */
    value_t *mean, *scale;
    int source;
} row_t;

static value_t *source_at(const norm_t *n, builder_t *b, int source, affine_t row, affine_t col,
                          int width) {
    affine_t ix[] = {n->batch, ax_add(n->row0, row), col};
    return b_load(b, n->src[source], width, ix);
}

/* Sum over the row of x, or of (x - mean)^2 when mean is given: vectors first, then the tail. */
static value_t *row_sum(lower_t *L, builder_t *b, const norm_t *n, affine_t row, value_t *mean) {
    int64_t full = n->width / L->lanes, rest = n->width % L->lanes;
    value_t *total = NULL, *tail = NULL;
    for (int s = 0; s < n->n_src; s++) {
        if (full > 0) {
            value_t *init[] = {total ? total : splat(b, L, 0)};
            inst_t *loop = b_for(b, "v", dim(0), dim(full), 1, init);
            affine_t col = ax_scale(ax_v(loop_var(loop)), L->lanes);
            value_t *x = source_at(n, b, s, row, col, L->lanes);
            value_t *next;
            if (mean) {
                x = b_binary(b, OP_SUB, x, b_broadcast(b, mean, L->lanes));
                next = b_fma(b, x, x, loop_arg(loop, 0));
            } else {
                next = b_binary(b, OP_ADD, loop_arg(loop, 0), x);
            }
            b_end_for(b, loop, &next);
            total = loop->results[0];
        }
        if (rest > 0) {
            value_t *init[] = {tail ? tail : b_const(b, SCALAR(E_F32), 0)};
            inst_t *loop = b_for(b, "e", dim(0), dim(rest), 1, init);
            affine_t col = ax_plus(ax_v(loop_var(loop)), full * L->lanes);
            value_t *x = source_at(n, b, s, row, col, 1);
            value_t *next;
            if (mean) {
                x = b_binary(b, OP_SUB, x, mean);
                next = b_fma(b, x, x, loop_arg(loop, 0));
            } else {
                next = b_binary(b, OP_ADD, loop_arg(loop, 0), x);
            }
            b_end_for(b, loop, &next);
            tail = loop->results[0];
        }
    }
    value_t *sum = total ? reduce(b, L, OP_ADD, total) : NULL;
    if (sum && tail) return b_binary(b, OP_ADD, sum, tail);
    return sum ? sum : tail;
}

static void write_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const row_t *r = ctx;
    const norm_t *n = r->n;
    affine_t col = ax_plus(at, r->source * n->width);
    value_t *x = source_at(n, b, r->source, r->row, at, width);
    affine_t wx[] = {n->prefix, col};
    value_t *w = b_load(b, n->weight, width, wx), *bias = b_load(b, n->bias, width, wx);
    value_t *mean = width > 1 ? b_broadcast(b, r->mean, width) : r->mean;
    value_t *scale = width > 1 ? b_broadcast(b, r->scale, width) : r->scale;
    x = b_binary(b, OP_MUL, b_binary(b, OP_SUB, x, mean), scale);
    affine_t dx[] = {r->row, col};
    b_store(b, n->dst, b_fma(b, x, w, bias), dx);
}

void layer_norm_rows(lower_t *L, builder_t *b, const norm_t *n) {
    ltype_t f = SCALAR(E_F32);
    b_comment(b, "layer norm of %lld rows of %lld", (long long)n->m,
              (long long)(n->width * n->n_src));
    inst_t *loop = b_for(b, "i", dim(0), dim(n->m), 0, NULL);
    affine_t row = ax_v(loop_var(loop));
    value_t *count = b_const(b, f, (double)(n->width * n->n_src));
    value_t *mean = b_name(b_binary(b, OP_DIV, row_sum(L, b, n, row, NULL), count), "mean");
    value_t *var = b_name(b_binary(b, OP_DIV, row_sum(L, b, n, row, mean), count), "var");
    value_t *root = b_unary(b, OP_SQRT, b_binary(b, OP_ADD, var, b_const(b, f, (float)n->eps)));
    value_t *scale = b_name(b_binary(b, OP_DIV, b_const(b, f, 1), root), "scale");
    for (int s = 0; s < n->n_src; s++) {
        row_t r = {.n = n, .row = row, .mean = mean, .scale = scale, .source = s};
        for_span(L, b, n->width, write_span, &r);
    }
    b_end_for(b, loop, NULL);
}
