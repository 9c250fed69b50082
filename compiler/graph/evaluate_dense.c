/* The evaluator's ops that look at one token at a time: padding, embedding, layer norm, dense
 * layers, and what moves rows about. docs/semantics.md 3 to 5, 7 and 8. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "graph/evaluate_ops.h"
#include "support/heap.h"

/* ---- padding ------------------------------------------------------------------------------- */

int eval_pad_ids(eval_t *e, const gnode_t *n, eval_value_t *out) {
    for (int64_t b = 0; b < e->rows; b++)
        for (int64_t s = 0; s < e->padded; s++)
            out->i[b * e->padded + s] =
                s < e->length ? e->io->input_ids[b * e->length + s] : (int32_t)n->pad_token;
    return REFORMER_OK;
}

/* 1 = token, 0 = padding: beyond the input, or masked by the caller. */
int eval_pad_mask(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const uint8_t *mask = n->in[0] ? e->io->attention_mask : NULL;
    for (int64_t b = 0; b < e->rows; b++)
        for (int64_t s = 0; s < e->length; s++)
            out->i[b * e->padded + s] = mask ? mask[b * e->length + s] != 0 : 1;
    return REFORMER_OK;
}

/* ---- embedding ----------------------------------------------------------------------------- */

/* Adds the position's row: axis a of the row-major position grid gives dim_a numbers. The tables
 * are inputs `first` onwards. */
static void add_position(const eval_t *e, const gnode_t *n, int first, int64_t position,
                         double *row) {
    int64_t stride = 1;
    for (int a = 1; a < n->n_axial; a++) stride *= n->axial_shape[a];
    for (int a = 0; a < n->n_in - first; a++) {
        const eval_value_t *table = eval_in(e, n, first + a);
        int64_t index = n->n_axial ? position / stride % n->axial_shape[a] : position;
        int64_t width = table->shape[1];
        for (int64_t k = 0; k < width; k++) row[k] += table->w[index * width + k];
        row += width;
        if (a + 1 < n->n_axial) stride /= n->axial_shape[a + 1];
    }
}

int eval_embed(eval_t *e, const gnode_t *n, eval_value_t *out) {
    int input = graph_word_input(n);
    const eval_value_t *ids = eval_in(e, n, 0), *word = eval_in(e, n, input);
    int64_t h = word->shape[1];
    for (int64_t t = 0; t < ids->elements; t++) {
        int64_t id = ids->i[t];
        if (id >= word->shape[0] && t % e->padded >= e->length) id = 0; /* masked: any token does */
        if (id < 0 || id >= word->shape[0]) return REFORMER_E_TOKEN;
        double *row = out->f + t * h;
        memset(row, 0, sizeof *row * (size_t)h);
        add_position(e, n, input + 1, eval_position(e, n, t / e->padded, t % e->padded), row);
        for (int64_t k = 0; k < h; k++) {
            row[k] *= eval_kept_at(e, n, PLACE_POSITION, n->position_rate, out, t * h + k);
            row[k] += eval_weight(word, id * h + k) *
                      eval_kept_at(e, n, PLACE_WORD, n->rate, out, t * h + k);
        }
    }
    return REFORMER_OK;
}

/* The token of a step, at the place after those of its row. */
int eval_embed_at(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *word = eval_in(e, n, 2);
    int64_t h = word->shape[1], id = e->io->input_ids[0];
    if (id < 0 || id >= word->shape[0]) return REFORMER_E_TOKEN;
    for (int64_t k = 0; k < h; k++) out->f[k] = eval_weight(word, id * h + k);
    add_position(e, n, 3, e->cached->tokens, out->f);
    return REFORMER_OK;
}

/* ---- layer norm ---------------------------------------------------------------------------- */

double eval_norm_scale(double squares, int64_t n, double eps) {
    return squares > FLT_MAX ? 0 : 1 / sqrt(squares / (double)n + eps);
}

static void normalise(const double *x, const float *weight, const float *bias, double eps,
                      int64_t n, double *y) {
    double mean = 0, squares = 0;
    for (int64_t k = 0; k < n; k++) mean += x[k];
    mean /= (double)n;
    for (int64_t k = 0; k < n; k++) squares += (x[k] - mean) * (x[k] - mean);
    double scale = eval_norm_scale(squares, n, eps);
    for (int64_t k = 0; k < n; k++) y[k] = (x[k] - mean) * scale * weight[k] + bias[k];
}

int eval_layer_norm(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0), *weight = eval_in(e, n, 1), *bias = eval_in(e, n, 2);
    int64_t width = weight->elements;
    for (int64_t at = 0; at < x->elements; at += width)
        normalise(&x->f[at], weight->w, bias->w, n->eps, width, &out->f[at]);
    return REFORMER_OK;
}

int eval_rms_norm(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0), *weight = eval_in(e, n, 1);
    int64_t width = weight->elements;
    for (int64_t at = 0; at < x->elements; at += width) {
        double squares = 0;
        for (int64_t k = 0; k < width; k++) squares += x->f[at + k] * x->f[at + k];
        double scale = eval_norm_scale(squares, width, n->eps);
        for (int64_t k = 0; k < width; k++) out->f[at + k] = x->f[at + k] * scale * weight->w[k];
    }
    return REFORMER_OK;
}

/* ---- dense --------------------------------------------------------------------------------- */

/* [out, in] float → [in, out] double, so that the inner loop over outputs is contiguous. */
static double *transposed(const eval_value_t *weight) {
    int64_t out = weight->shape[0], in = weight->shape[1];
    double *t = eval_alloc(out * in, sizeof *t);
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++) t[i * out + o] = eval_weight(weight, o * in + i);
    return t;
}

enum { BLOCK = 64 }; /* outputs whose sums stay in the first cache */

/* y[t][o] += sum over i of x[t][i] * wt[i][o] for one block of outputs and four tokens at most */
static void multiply_block(const double *x, int64_t in, const double *wt, int64_t out,
                           int64_t width, int64_t tokens, double *y) {
    double sum[4][BLOCK] = {{0}};
    const double *row[4];
    for (int64_t t = 0; t < 4; t++) row[t] = x + (t < tokens ? t : 0) * in;
    for (int64_t i = 0; i < in; i++) {
        const double *w = wt + i * out;
        double a = row[0][i], b = row[1][i], c = row[2][i], d = row[3][i];
        for (int64_t o = 0; o < width; o++) {
            sum[0][o] += a * w[o];
            sum[1][o] += b * w[o];
            sum[2][o] += c * w[o];
            sum[3][o] += d * w[o];
        }
    }
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t o = 0; o < width; o++) y[t * out + o] += sum[t][o];
}

int eval_dense(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0), *weight = eval_in(e, n, 1);
    const eval_value_t *bias = eval_optional(e, n, 2);
    int64_t width = weight->shape[0], in = weight->shape[1], tokens = x->elements / in;
    double *wt = transposed(weight);
    for (int64_t t = 0; bias && t < tokens; t++)
        for (int64_t o = 0; o < width; o++) out->f[t * width + o] = bias->w[o];
    for (int64_t o = 0; o < width; o += BLOCK)
        for (int64_t t = 0; t < tokens; t += 4)
            multiply_block(x->f + t * in, in, wt + o, width, width - o < BLOCK ? width - o : BLOCK,
                           tokens - t < 4 ? tokens - t : 4, out->f + t * width + o);
    heap_free(wt);
    return REFORMER_OK;
}

/* ---- rows ---------------------------------------------------------------------------------- */

int eval_add(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0), *y = eval_in(e, n, 1);
    for (int64_t k = 0; k < x->elements; k++) out->f[k] = x->f[k] + y->f[k];
    return REFORMER_OK;
}

int eval_mul(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0), *y = eval_in(e, n, 1);
    for (int64_t k = 0; k < x->elements; k++) out->f[k] = x->f[k] * y->f[k];
    return REFORMER_OK;
}

static int64_t width_of(const eval_value_t *x) {
    return x->shape[x->rank - 1];
}

int eval_concat(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0), *y = eval_in(e, n, 1);
    int64_t left = width_of(x), right = width_of(y), rows = x->elements / left;
    for (int64_t r = 0; r < rows; r++) {
        double *to = out->f + r * (left + right);
        memcpy(to, x->f + r * left, sizeof *to * (size_t)left);
        memcpy(to + left, y->f + r * right, sizeof *to * (size_t)right);
    }
    return REFORMER_OK;
}

/* The first `kept` tokens of each row. */
static void keep_tokens(const eval_value_t *x, int64_t kept, double *to) {
    int64_t tokens = x->shape[1], width = width_of(x);
    for (int64_t b = 0; b < x->shape[0]; b++)
        memcpy(to + b * kept * width, x->f + b * tokens * width,
               sizeof *to * (size_t)(kept * width));
}

int eval_slice(eval_t *e, const gnode_t *n, eval_value_t *out) {
    keep_tokens(eval_in(e, n, 0), out->shape[1], out->f);
    return REFORMER_OK;
}

int eval_first_token(eval_t *e, const gnode_t *n, eval_value_t *out) {
    keep_tokens(eval_in(e, n, 0), 1, out->f);
    return REFORMER_OK;
}

int eval_column(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0);
    for (int64_t k = 0; k < out->elements; k++) out->f[k] = x->f[k * width_of(x) + n->shift];
    return REFORMER_OK;
}
