/* The activations in double, as Hugging Face defines them. */
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

#endif
