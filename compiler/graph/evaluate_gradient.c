/* The evaluator's backward pass, row by row and summed over rows: docs/semantics.md 10; what op
 * each is of, and of which of its inputs, ops.def says. Attentions, activations and losses have
 * their gradients elsewhere. */
#include <math.h>
#include <string.h>

#include "graph/evaluate_ops.h"

int eval_seed(eval_t *e, const gnode_t *n, eval_value_t *out) {
    (void)e, (void)n;
    out->f[0] = 1;
    return REFORMER_OK;
}

int eval_sub(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0), *y = eval_in(e, n, 1);
    for (int64_t k = 0; k < x->elements; k++) out->f[k] = x->f[k] - y->f[k];
    return REFORMER_OK;
}

static int64_t width_of(const eval_value_t *x) {
    return x->shape[x->rank - 1];
}

/* ---- dense --------------------------------------------------------------------------------- */

int eval_dense_t(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *dy = eval_in(e, n, 0), *weight = eval_in(e, n, 1);
    int64_t width = weight->shape[0], in = weight->shape[1];
    for (int64_t t = 0; t < dy->elements / width; t++)
        for (int64_t o = 0; o < width; o++)
            for (int64_t i = 0; i < in; i++)
                out->f[t * in + i] += dy->f[t * width + o] * weight->w[o * in + i];
    return REFORMER_OK;
}

int eval_outer(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *dy = eval_in(e, n, 0), *x = eval_in(e, n, 1);
    int64_t width = width_of(dy), in = width_of(x);
    for (int64_t t = 0; t < dy->elements / width; t++)
        for (int64_t o = 0; o < width; o++)
            for (int64_t i = 0; i < in; i++)
                out->f[o * in + i] += dy->f[t * width + o] * x->f[t * in + i];
    return REFORMER_OK;
}

int eval_sum_rows(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *dy = eval_in(e, n, 0);
    for (int64_t k = 0; k < dy->elements; k++) out->f[k % out->elements] += dy->f[k];
    return REFORMER_OK;
}

/* ---- norms --------------------------------------------------------------------------------- */

/* x normalised, and what it was multiplied by; of rms norms the mean counts as 0. */
static double normalise(const double *x, int64_t n, double eps, bool rms, double *unit) {
    double mean = 0, squares = 0;
    for (int64_t k = 0; k < n && !rms; k++) mean += x[k];
    mean /= (double)n;
    for (int64_t k = 0; k < n; k++) squares += (x[k] - mean) * (x[k] - mean);
    double scale = eval_norm_scale(squares, n, eps);
    for (int64_t k = 0; k < n; k++) unit[k] = (x[k] - mean) * scale;
    return scale;
}

static int normalise_rows(const eval_t *e, const gnode_t *n, bool rms, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0);
    int64_t width = width_of(x);
    for (int64_t at = 0; at < x->elements; at += width)
        (void)normalise(x->f + at, width, n->eps, rms, out->f + at);
    return REFORMER_OK;
}

int eval_layer_norm_unit(eval_t *e, const gnode_t *n, eval_value_t *out) {
    return normalise_rows(e, n, false, out);
}
int eval_rms_norm_unit(eval_t *e, const gnode_t *n, eval_value_t *out) {
    return normalise_rows(e, n, true, out);
}

/* With u the unit and g = dy w:  dx = scale (g - mean(g) - u mean(g u)), of rms norms without
 * mean(g). dx holds u first. */
static void norm_gradient(const double *dy, double scale, const float *weight, int64_t n, bool rms,
                          double *dx) {
    double mean = 0, along = 0;
    for (int64_t k = 0; k < n; k++) {
        double g = dy[k] * weight[k];
        if (!rms) mean += g / (double)n;
        along += g * dx[k] / (double)n;
    }
    for (int64_t k = 0; k < n; k++) dx[k] = scale * (dy[k] * weight[k] - mean - dx[k] * along);
}

static int norm_gradients(const eval_t *e, const gnode_t *n, bool rms, eval_value_t *out) {
    const eval_value_t *dy = eval_in(e, n, 0), *x = eval_in(e, n, 1), *weight = eval_in(e, n, 2);
    int64_t width = width_of(x);
    for (int64_t at = 0; at < x->elements; at += width) {
        double scale = normalise(x->f + at, width, n->eps, rms, out->f + at);
        norm_gradient(dy->f + at, scale, weight->w, width, rms, out->f + at);
    }
    return REFORMER_OK;
}

int eval_layer_norm_grad(eval_t *e, const gnode_t *n, eval_value_t *out) {
    return norm_gradients(e, n, false, out);
}
int eval_rms_norm_grad(eval_t *e, const gnode_t *n, eval_value_t *out) {
    return norm_gradients(e, n, true, out);
}

/* ---- rows and columns ---------------------------------------------------------------------- */

int eval_part(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0);
    int64_t width = width_of(x);
    for (int64_t r = 0; r < x->elements / width; r++)
        memcpy(out->f + r * n->width, x->f + r * width + n->first, sizeof *x->f * (size_t)n->width);
    return REFORMER_OK;
}

int eval_pad_rows(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *dy = eval_in(e, n, 0);
    int64_t each = dy->elements / dy->shape[0], room = out->elements / out->shape[0];
    (void)n;
    for (int64_t b = 0; b < dy->shape[0]; b++)
        memcpy(out->f + b * room, dy->f + b * each, sizeof *dy->f * (size_t)each);
    return REFORMER_OK;
}

int eval_uncolumn(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *dy = eval_in(e, n, 0);
    for (int64_t k = 0; k < dy->elements; k++) out->f[k * n->width + n->shift] = dy->f[k];
    return REFORMER_OK;
}

/* ---- tables -------------------------------------------------------------------------------- */

/* Padding may hold anything (eval_embed). */
int eval_word_grad(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *dy = eval_in(e, n, 0), *ids = eval_in(e, n, 1);
    int64_t width = width_of(dy);
    for (int64_t t = 0; t < ids->elements; t++) {
        int64_t id = ids->i[t] < n->entries ? ids->i[t] : 0;
        for (int64_t k = 0; k < width; k++) out->f[id * width + k] += dy->f[t * width + k];
    }
    return REFORMER_OK;
}

int eval_position_grad(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *dy = eval_in(e, n, 0);
    int64_t width = width_of(dy), stride = 1;
    for (int64_t a = n->axis + 1; a < n->n_axial; a++) stride *= n->axial_shape[a];
    for (int64_t t = 0; t < dy->elements / width; t++) {
        int64_t position = eval_position(e, n, t / e->padded, t % e->padded);
        int64_t entry = position / stride % n->entries;
        for (int64_t k = 0; k < width; k++) out->f[entry * width + k] += dy->f[t * width + k];
    }
    return REFORMER_OK;
}

int eval_gradient(eval_t *e, const gnode_t *n, eval_value_t *out) {
    memcpy(out->f, eval_in(e, n, 0)->f, sizeof *out->f * (size_t)out->elements);
    return REFORMER_OK;
}
