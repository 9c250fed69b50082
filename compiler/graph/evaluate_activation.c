/* The evaluator's activations and their derivatives: docs/semantics.md 7, and those of Hugging
 * Face's table beside them. Where a function has a corner, its derivative there is PyTorch's. */
#include <math.h>

#include "graph/evaluate_ops.h"
#include "support/bf16.h"
#include "support/heap.h"

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}
/* log(1 + exp(x)) */
static double softplus(double x) {
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double relu(double x) {
    return x > 0 ? x : 0;
}
static double d_relu(double x) {
    return x > 0;
}

static double gelu(double x) {
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}
static double d_gelu(double x) {
    return 0.5 * (1 + erf(x / sqrt(2))) + x * exp(-x * x / 2) / sqrt(2 * acos(-1));
}

/* 0.5 x (1 + tanh(c (x + 0.044715 x^3))) */
static double d_gelu_tanh(double x, double c) {
    double t = tanh(c * (x + 0.044715 * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
}
static double gelu_new(double x) {
    return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}
static double d_gelu_new(double x) {
    return d_gelu_tanh(x, sqrt(2 / acos(-1)));
}
static double gelu_fast(double x) {
    return 0.5 * x * (1 + tanh(0.7978845608 * x * (1 + 0.044715 * x * x)));
}
static double d_gelu_fast(double x) {
    return d_gelu_tanh(x, 0.7978845608);
}

static double gelu_10(double x) {
    return fmin(fmax(gelu(x), -10), 10);
}
static double d_gelu_10(double x) {
    return fabs(gelu(x)) <= 10 ? d_gelu(x) : 0;
}

static double silu(double x) {
    return x * sigmoid(x);
}
static double d_silu(double x) {
    double s = sigmoid(x);
    return s * (1 + x * (1 - s));
}
static double quick_gelu(double x) {
    return x * sigmoid(1.702 * x);
}
static double d_quick_gelu(double x) {
    double s = sigmoid(1.702 * x);
    return s * (1 + 1.702 * x * (1 - s));
}

static double mish(double x) {
    return x * tanh(log1p(exp(x)));
}
static double d_mish(double x) {
    double t = tanh(softplus(x));
    return t + x * (1 - t * t) * sigmoid(x);
}

static double linear(double x) {
    return x;
}
static double d_linear(double x) {
    (void)x;
    return 1;
}

static double relu6(double x) {
    return fmin(relu(x), 6);
}
static double d_relu6(double x) {
    return x > 0 && x < 6;
}

static double d_sigmoid(double x) {
    double s = sigmoid(x);
    return s * (1 - s);
}
static double d_tanh(double x) {
    double t = tanh(x);
    return 1 - t * t;
}

static double leaky_relu(double x) {
    return x > 0 ? x : 0.01 * x;
}
static double d_leaky_relu(double x) {
    return x > 0 ? 1 : 0.01;
}

static double relu2(double x) {
    return relu(x) * relu(x);
}
static double d_relu2(double x) {
    return 2 * relu(x);
}

static double laplace(double x) {
    return 0.5 * (1 + erf((x - 0.707107) / (0.282095 * sqrt(2))));
}
static double d_laplace(double x) {
    double u = (x - 0.707107) / (0.282095 * sqrt(2));
    return exp(-u * u) / (0.282095 * sqrt(2 * acos(-1)));
}

static double hardswish(double x) {
    return x * fmin(relu(x + 3), 6) / 6;
}
static double d_hardswish(double x) {
    return x < -3 ? 0 : x <= 3 ? x / 3 + 0.5 : 1;
}

static double sqrtsoftplus(double x) {
    return sqrt(relu(x) + log1p(exp(-fabs(x))));
}
/* Far below 0 softplus is exp(x), and then 0. */
static double d_sqrtsoftplus(double x) {
    return x < -40 ? exp(x / 2) / 2 : sigmoid(x) / (2 * sqrtsoftplus(x));
}

static const struct {
    double (*value)(double), (*derivative)(double);
} activations[ACT_COUNT] = {
    [ACT_RELU] = {relu, d_relu},
    [ACT_GELU] = {gelu, d_gelu},
    [ACT_GELU_NEW] = {gelu_new, d_gelu_new},
    [ACT_SILU] = {silu, d_silu},
    [ACT_GELU_10] = {gelu_10, d_gelu_10},
    [ACT_GELU_FAST] = {gelu_fast, d_gelu_fast},
    [ACT_GELU_PYTHON] = {gelu, d_gelu},
    [ACT_GELU_PYTORCH_TANH] = {gelu_new, d_gelu_new},
    [ACT_QUICK_GELU] = {quick_gelu, d_quick_gelu},
    [ACT_MISH] = {mish, d_mish},
    [ACT_LINEAR] = {linear, d_linear},
    [ACT_RELU6] = {relu6, d_relu6},
    [ACT_SIGMOID] = {sigmoid, d_sigmoid},
    [ACT_TANH] = {tanh, d_tanh},
    [ACT_LEAKY_RELU] = {leaky_relu, d_leaky_relu},
    [ACT_RELU2] = {relu2, d_relu2},
    [ACT_LAPLACE] = {laplace, d_laplace},
    [ACT_HARDSWISH] = {hardswish, d_hardswish},
    [ACT_SQRTSOFTPLUS] = {sqrtsoftplus, d_sqrtsoftplus},
};

int eval_activation(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0);
    for (int64_t k = 0; k < x->elements; k++) out->f[k] = activations[n->act].value(x->f[k]);
    return REFORMER_OK;
}

/* Straight from the value as a float, which is what kernels round. */
int eval_round(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0);
    for (int64_t k = 0; k < x->elements; k++) out->f[k] = bf16_round((float)x->f[k]);
    return REFORMER_OK;
}

/* The same: rows of floats first. */
int eval_quantize(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0);
    int64_t width = x->shape[x->rank - 1];
    float *row = eval_alloc(width, sizeof *row);
    for (int64_t at = 0; at < x->elements; at += width) {
        for (int64_t k = 0; k < width; k++) row[k] = (float)x->f[at + k];
        eval_quantize_rows(row, width, width, out->f + at);
    }
    heap_free(row);
    return REFORMER_OK;
}

int eval_activation_grad(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *dy = eval_in(e, n, 0), *x = eval_in(e, n, 1);
    for (int64_t k = 0; k < x->elements; k++)
        out->f[k] = dy->f[k] * activations[n->act].derivative(x->f[k]);
    return REFORMER_OK;
}
