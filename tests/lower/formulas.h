/* The activations in double, as Hugging Face defines them, and their derivatives. */
#ifndef REFORMERC_TESTS_FORMULAS_H
#define REFORMERC_TESTS_FORMULAS_H

#include <math.h>

#include "spec/spec.h"

static inline double f_sigmoid(double x) {
    return 1 / (1 + exp(-x));
}
static inline double f_relu(double x) {
    return x > 0 ? x : 0;
}
static inline double f_gelu(double x) {
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}
static inline double f_gelu_new(double x) {
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
static inline double f_gelu_10(double x) {
    return fmin(fmax(f_gelu(x), -10), 10);
}
static inline double f_silu(double x) {
    return x * f_sigmoid(x);
}
static inline double f_quick(double x) {
    return x * f_sigmoid(1.702 * x);
}
static inline double f_mish(double x) {
    return x * tanh(log1p(exp(x)));
}
static inline double f_linear(double x) {
    return x;
}
static inline double f_relu6(double x) {
    return fmin(fmax(x, 0), 6);
}
static inline double f_leaky_relu(double x) {
    return x > 0 ? x : 0.01 * x;
}
static inline double f_relu2(double x) {
    return f_relu(x) * f_relu(x);
}
static inline double f_laplace(double x) {
    return 0.5 * (1 + erf((x - 0.707107) / (0.282095 * sqrt(2))));
}
static inline double f_hardswish(double x) {
    return x * fmin(f_relu(x + 3), 6) / 6;
}
static inline double f_sqrtsoftplus(double x) {
    return sqrt(f_relu(x) + log1p(exp(-fabs(x))));
}

static double (*const activations[ACT_COUNT])(double) = {
    [ACT_RELU] = f_relu,
    [ACT_GELU] = f_gelu,
    [ACT_GELU_NEW] = f_gelu_new,
    [ACT_SILU] = f_silu,
    [ACT_GELU_10] = f_gelu_10,
    [ACT_GELU_FAST] = f_gelu_new,
    [ACT_GELU_PYTHON] = f_gelu,
    [ACT_GELU_PYTORCH_TANH] = f_gelu_new,
    [ACT_QUICK_GELU] = f_quick,
    [ACT_MISH] = f_mish,
    [ACT_LINEAR] = f_linear,
    [ACT_RELU6] = f_relu6,
    [ACT_SIGMOID] = f_sigmoid,
    [ACT_TANH] = tanh,
    [ACT_LEAKY_RELU] = f_leaky_relu,
    [ACT_RELU2] = f_relu2,
    [ACT_LAPLACE] = f_laplace,
    [ACT_HARDSWISH] = f_hardswish,
    [ACT_SQRTSOFTPLUS] = f_sqrtsoftplus,
};

/* ---- their derivatives, PyTorch's at corners ------------------------------------------------------ */

static inline double f_d_relu(double x) {
    return x > 0;
}
static inline double f_normal(double x) {
    return exp(-x * x / 2) / sqrt(2 * M_PI);
}
static inline double f_d_gelu(double x) {
    return 0.5 * erfc(-x / sqrt(2)) + x * f_normal(x);
}
static inline double f_d_gelu_new(double x) {
    double c = sqrt(2 / M_PI), y = c * (x + 0.044715 * x * x * x), s = 1 / cosh(fmin(fabs(y), 700));
    return 0.5 * (1 + tanh(y)) + 0.5 * x * s * s * c * (1 + 3 * 0.044715 * x * x);
}
static inline double f_d_gelu_10(double x) {
    return fabs(f_gelu(x)) > 10 ? 0 : f_d_gelu(x);
}
static inline double f_d_sigmoid(double x) {
    double e = exp(-fabs(x));
    return e / ((1 + e) * (1 + e));
}
static inline double f_d_silu(double x) {
    return f_sigmoid(x) + x * f_d_sigmoid(x);
}
static inline double f_d_quick(double x) {
    return f_sigmoid(1.702 * x) + 1.702 * x * f_d_sigmoid(1.702 * x);
}
static inline double f_d_mish(double x) {
    double softplus = fmax(x, 0) + log1p(exp(-fabs(x))), s = 1 / cosh(fmin(softplus, 700));
    return tanh(softplus) + x * s * s * f_sigmoid(x);
}
static inline double f_d_linear(double x) {
    return x == x;
}
static inline double f_d_relu6(double x) {
    return x > 0 && x < 6;
}
static inline double f_d_tanh(double x) {
    return 4 * f_d_sigmoid(2 * x);
}
static inline double f_d_leaky_relu(double x) {
    return x > 0 ? 1 : 0.01;
}
static inline double f_d_relu2(double x) {
    return 2 * f_relu(x);
}
static inline double f_d_laplace(double x) {
    return f_normal((x - 0.707107) / 0.282095) / 0.282095;
}
static inline double f_d_hardswish(double x) {
    return x < -3 ? 0 : x > 3 ? 1 : x / 3 + 0.5;
}
static inline double f_d_sqrtsoftplus(double x) {
    return x < -40 ? exp(x / 2) / 2 : f_sigmoid(x) / (2 * f_sqrtsoftplus(x));
}

static double (*const derivatives[ACT_COUNT])(double) = {
    [ACT_RELU] = f_d_relu,
    [ACT_GELU] = f_d_gelu,
    [ACT_GELU_NEW] = f_d_gelu_new,
    [ACT_SILU] = f_d_silu,
    [ACT_GELU_10] = f_d_gelu_10,
    [ACT_GELU_FAST] = f_d_gelu_new,
    [ACT_GELU_PYTHON] = f_d_gelu,
    [ACT_GELU_PYTORCH_TANH] = f_d_gelu_new,
    [ACT_QUICK_GELU] = f_d_quick,
    [ACT_MISH] = f_d_mish,
    [ACT_LINEAR] = f_d_linear,
    [ACT_RELU6] = f_d_relu6,
    [ACT_SIGMOID] = f_d_sigmoid,
    [ACT_TANH] = f_d_tanh,
    [ACT_LEAKY_RELU] = f_d_leaky_relu,
    [ACT_RELU2] = f_d_relu2,
    [ACT_LAPLACE] = f_d_laplace,
    [ACT_HARDSWISH] = f_d_hardswish,
    [ACT_SQRTSOFTPLUS] = f_d_sqrtsoftplus,
};

#endif
