/* exp, log, tanh, erf and the activations, as pure functions of Loops. Of a NaN all but 2^x are
 * NaN, whatever its bits.
 *
 * Own polynomials, so that every back end and compiler gives the same bits: no libm. exp: range
 * reduction by the nearest multiple of ln 2 (magic-number rounding), degree 6 polynomial (Cephes
 * expf); log and tanh: Cephes logf, tanhf; erf: minimax fits made for this project, below 1 in x^2
 * (error 1.2e-9), above as 1 - exp(-x^2) * P(1 / (1 + x/2)) (error 2.3e-11). Formulas of the
 * activations are Hugging Face's ACT2FN (docs/semantics.md 7). */
#include "lower/math.h"

/* Builds with constants of x's type. */
static value_t *num(builder_t *b, value_t *like, double x) {
    return b_const(b, like->type, x);
}
static value_t *add(builder_t *b, value_t *x, value_t *y) {
    return b_binary(b, OP_ADD, x, y);
}
static value_t *sub(builder_t *b, value_t *x, value_t *y) {
    return b_binary(b, OP_SUB, x, y);
}
static value_t *mul(builder_t *b, value_t *x, value_t *y) {
    return b_binary(b, OP_MUL, x, y);
}
static value_t *quotient(builder_t *b, value_t *x, value_t *y) {
    return b_binary(b, OP_DIV, x, y);
}

/* c[0] x^(n-1) + … + c[n-1] */
static value_t *horner(builder_t *b, value_t *x, const double *c, int n) {
    value_t *y = num(b, x, c[0]);
    for (int i = 1; i < n; i++) y = b_fma(b, y, x, num(b, x, c[i]));
    return y;
}

static value_t *absolute(builder_t *b, value_t *x) {
    ltype_t bits = {E_I32, x->type.lanes};
    value_t *i = b_bitcast(b, E_I32, x);
    return b_bitcast(b, E_F32, b_binary(b, OP_AND, i, b_iconst(b, bits, 0x7fffffff)));
}

/* |magnitude| with the sign of x */
static value_t *with_sign(builder_t *b, value_t *magnitude, value_t *x) {
    ltype_t bits = {E_I32, x->type.lanes};
    value_t *sign = b_binary(b, OP_AND, b_bitcast(b, E_I32, x), b_iconst(b, bits, INT32_MIN));
    return b_bitcast(b, E_F32, b_binary(b, OP_OR, b_bitcast(b, E_I32, magnitude), sign));
}

static value_t *build_exp(builder_t *b, value_t *x) {
    static const double p[] = {1.9875691500E-4, 1.3981999507E-3, 8.3334519073E-3,
                               4.1665795894E-2, 1.6666665459E-1, 5.0000001201E-1};
    const double magic = 12582912.0; /* 1.5 * 2^23: adding it rounds to an integer */
    value_t *low = num(b, x, -87.0), *high = num(b, x, 88.0);
    /* x stands second: min and max then pass a NaN on */
    value_t *clamped = b_binary(b, OP_MIN, high, b_binary(b, OP_MAX, low, x));
    value_t *shifted = b_fma(b, clamped, num(b, x, 1.44269504088896341), num(b, x, magic));
    value_t *n = sub(b, shifted, num(b, x, magic));
    value_t *r = b_fma(b, n, num(b, x, -0.693359375), clamped);
    r = b_fma(b, n, num(b, x, 2.12194440e-4), r);
    value_t *y = b_fma(b, horner(b, r, p, 6), mul(b, r, r), add(b, r, num(b, x, 1)));
    /* the low bits of `shifted` hold n: move them into the exponent */
    value_t *scale = b_shift(b, OP_SHL, b_bitcast(b, E_I32, shifted), 23);
    y = b_bitcast(b, E_F32, b_binary(b, OP_ADD, b_bitcast(b, E_I32, y), scale));
    /* below: low - low; what a NaN's low bits did to y is dropped, too */
    return b_select(b, b_compare(b, OP_GE, x, low), y, sub(b, clamped, low));
}

/* 2^x without a look at the range, for numbers alone: two thirds of exp's work. Polynomial: least
 * greatest relative error, 9e-8, among those of degree 5 that are 1 at 0. */
static value_t *build_exp2(lower_t *L, builder_t *b, value_t *x) {
    static const double p[] = {1.326472725E-3, 9.671512688E-3, 5.550733744E-2,
                               2.402224208E-1, 6.931469776E-1, 1};
    (void)L;
    const double magic = 12582912.0; /* as in exp */
    value_t *shifted = add(b, x, num(b, x, magic));
    value_t *f = sub(b, x, sub(b, shifted, num(b, x, magic)));
    value_t *scale = b_shift(b, OP_SHL, b_bitcast(b, E_I32, shifted), 23);
    value_t *y = b_bitcast(b, E_I32, horner(b, f, p, 6));
    return b_bitcast(b, E_F32, b_binary(b, OP_ADD, y, scale));
}

static value_t *build_log(builder_t *b, value_t *x) {
    static const double p[] = {7.0376836292E-2,  -1.1514610310E-1, 1.1676998740E-1,
                               -1.2420140846E-1, 1.4249322787E-1,  -1.6668057665E-1,
                               2.0000714765E-1,  -2.4999993993E-1, 3.3333331174E-1};
    ltype_t bits = {E_I32, x->type.lanes};
    value_t *i = b_bitcast(b, E_I32, x);
    value_t *e = b_binary(b, OP_SUB, b_shift(b, OP_SHR, i, 23), b_iconst(b, bits, 126));
    value_t *m = b_binary(b, OP_OR, b_binary(b, OP_AND, i, b_iconst(b, bits, 0x007fffff)),
                          b_iconst(b, bits, 0x3f000000));
    m = b_bitcast(b, E_F32, m); /* in [0.5, 1) */
    value_t *small = b_compare(b, OP_LT, m, num(b, x, 0.707106781186547524));
    value_t *exponent =
        add(b, b_convert(b, E_F32, e), b_select(b, small, num(b, x, -1), num(b, x, 0)));
    m = add(b, sub(b, m, num(b, x, 1)), b_select(b, small, m, num(b, x, 0)));
    value_t *z = mul(b, m, m);
    value_t *y = mul(b, mul(b, horner(b, m, p, 9), m), z);
    y = b_fma(b, exponent, num(b, x, -2.12194440e-4), y);
    y = b_fma(b, z, num(b, x, -0.5), y);
    y = b_fma(b, exponent, num(b, x, 0.693359375), add(b, m, y));
    return b_select(b, b_compare(b, OP_LE, x, num(b, x, GREATEST)), y, x); /* infinity, NaN */
}

static value_t *build_tanh(lower_t *L, builder_t *b, value_t *x) {
    static const double p[] = {-5.70498872745E-3, 2.06390887954E-2, -5.37397155531E-2,
                               1.33314422036E-1, -3.33332819422E-1};
    value_t *a = absolute(b, x), *z = mul(b, x, x);
    value_t *small = b_fma(b, mul(b, horner(b, z, p, 5), z), x, x);
    value_t *e = m_exp(L, b, add(b, a, a));
    value_t *big = sub(b, num(b, x, 1), quotient(b, num(b, x, 2), add(b, e, num(b, x, 1))));
    return b_select(b, b_compare(b, OP_LT, a, num(b, x, 0.625)), small, with_sign(b, big, x));
}

static value_t *build_erf(lower_t *L, builder_t *b, value_t *x) {
    static const double near_zero[] = {7.88912138e-05, -0.000802084183, 0.0051895354, -0.0268544446,
                                       0.112836002,    -0.376126271,    1.12837917};
    static const double tail[] = {0.00665199608, -0.25408518, 0.670544223, -0.0906545147,
                                  0.408165501,   0.257079393, 0.0020736299};
    /* erf(4.2) rounds to 1; |x| stands second: a NaN passes */
    value_t *a = b_binary(b, OP_MIN, num(b, x, 4.2), absolute(b, x));
    value_t *z = mul(b, x, x);
    value_t *small = mul(b, horner(b, z, near_zero, 7), x);
    value_t *one = num(b, x, 1);
    value_t *t = quotient(b, one, b_fma(b, a, num(b, x, 0.5), one));
    value_t *e = m_exp(L, b, mul(b, b_unary(b, OP_NEG, a), a));
    value_t *big = sub(b, one, mul(b, e, horner(b, t, tail, 7)));
    return b_select(b, b_compare(b, OP_LT, a, one), small, with_sign(b, big, x));
}

/* ---- activations ----------------------------------------------------------------------------- */

static value_t *sigmoid(lower_t *L, builder_t *b, value_t *x) {
    value_t *one = num(b, x, 1);
    return quotient(b, one, add(b, one, m_exp(L, b, b_unary(b, OP_NEG, x))));
}

static value_t *clip(builder_t *b, value_t *x, double lo, double hi) {
    return b_binary(b, OP_MIN, num(b, x, hi), b_binary(b, OP_MAX, num(b, x, lo), x));
}

static value_t *gelu(lower_t *L, builder_t *b, value_t *x) {
    value_t *e = m_erf(L, b, mul(b, x, num(b, x, 0.70710678118654752440)));
    return mul(b, mul(b, x, num(b, x, 0.5)), add(b, e, num(b, x, 1)));
}

static value_t *gelu_tanh(lower_t *L, builder_t *b, value_t *x) {
    value_t *cube = mul(b, mul(b, x, x), x);
    value_t *inner = b_fma(b, cube, num(b, x, 0.044715), x);
    value_t *t = m_tanh(L, b, mul(b, inner, num(b, x, 0.79788456080286535588)));
    return mul(b, mul(b, x, num(b, x, 0.5)), add(b, t, num(b, x, 1)));
}

/* x tanh(log(1 + e^x)) = x w / (w + 2) with w = e^2x + 2 e^x; 1 beyond x = 20
 * in single precision */
static value_t *mish(lower_t *L, builder_t *b, value_t *x) {
    value_t *two = num(b, x, 2);
    value_t *e = m_exp(L, b, b_binary(b, OP_MIN, x, num(b, x, 20)));
    value_t *w = mul(b, e, add(b, e, two));
    return mul(b, x, quotient(b, w, add(b, w, two)));
}

static value_t *relu(lower_t *L, builder_t *b, value_t *x) {
    (void)L;
    return b_binary(b, OP_MAX, num(b, x, 0), x);
}
static value_t *relu6(lower_t *L, builder_t *b, value_t *x) {
    (void)L;
    return clip(b, x, 0, 6);
}
static value_t *gelu_10(lower_t *L, builder_t *b, value_t *x) {
    return clip(b, gelu(L, b, x), -10, 10);
}
static value_t *silu(lower_t *L, builder_t *b, value_t *x) {
    return mul(b, x, sigmoid(L, b, x));
}
static value_t *quick_gelu(lower_t *L, builder_t *b, value_t *x) {
    return mul(b, x, sigmoid(L, b, mul(b, x, num(b, x, 1.702))));
}
static value_t *leaky_relu(lower_t *L, builder_t *b, value_t *x) {
    (void)L;
    return b_binary(b, OP_MAX, mul(b, x, num(b, x, 0.01)), x);
}
static value_t *relu2(lower_t *L, builder_t *b, value_t *x) {
    value_t *y = relu(L, b, x);
    return mul(b, y, y);
}
/* The distribution function of a normal one: (x - mu) / (sigma sqrt(2)) */
static value_t *laplace(lower_t *L, builder_t *b, value_t *x) {
    value_t *z =
        mul(b, sub(b, x, num(b, x, 0.707107)), num(b, x, 1 / (0.282095 * 1.41421356237309505)));
    return mul(b, num(b, x, 0.5), add(b, m_erf(L, b, z), num(b, x, 1)));
}
static value_t *hardswish(lower_t *L, builder_t *b, value_t *x) {
    (void)L;
    return mul(b, x, mul(b, clip(b, add(b, x, num(b, x, 3)), 0, 6), num(b, x, 1.0 / 6)));
}
/* log(1 + e^x) = max(x, 0) + log(1 + e), e = e^-|x|. What 1 + e lost of e is made good, log(u) e /
 * (u - 1) with u = 1 + e: the root would show it. */
static value_t *sqrtsoftplus(lower_t *L, builder_t *b, value_t *x) {
    value_t *one = num(b, x, 1);
    value_t *e = m_exp(L, b, b_unary(b, OP_NEG, absolute(b, x))), *u = add(b, one, e);
    value_t *small = b_compare(b, OP_LT, e, num(b, x, 1e-7));
    value_t *rest = b_select(b, small, one, sub(b, u, one));
    value_t *log = b_select(b, small, e, mul(b, m_log(L, b, u), quotient(b, e, rest)));
    return b_unary(b, OP_SQRT, add(b, relu(L, b, x), log));
}
static value_t *linear(lower_t *L, builder_t *b, value_t *x) {
    (void)L, (void)b;
    return x;
}

/* ---- their derivatives: where a function has a corner, PyTorch's ----------------------------- */

/* 1 / (1 + e^-x), and its derivative, which has no difference of numbers that are nearly equal. */
typedef struct {
    value_t *s, *slope;
} sigmoid_t;

static sigmoid_t sigmoid_slope(lower_t *L, builder_t *b, value_t *x) {
    value_t *one = num(b, x, 1);
    value_t *e = m_exp(L, b, b_unary(b, OP_NEG, absolute(b, x)));
    value_t *s = quotient(b, one, add(b, e, one)), *other = mul(b, e, s);
    value_t *negative = b_compare(b, OP_LT, x, num(b, x, 0));
    return (sigmoid_t){b_select(b, negative, other, s), mul(b, other, s)};
}

/* d where x > from, else 0. */
static value_t *above(builder_t *b, value_t *x, double from, value_t *d) {
    return b_select(b, b_compare(b, OP_LE, x, num(b, x, from)), num(b, x, 0), d);
}
/* d where x < to, else `beyond`. */
static value_t *below(builder_t *b, value_t *x, double to, value_t *d, double beyond) {
    return b_select(b, b_compare(b, OP_LT, x, num(b, x, to)), d, num(b, x, beyond));
}

static value_t *d_relu(lower_t *L, builder_t *b, value_t *x) {
    (void)L;
    return above(b, x, 0, num(b, x, 1));
}
static value_t *d_relu6(lower_t *L, builder_t *b, value_t *x) {
    return below(b, x, 6, d_relu(L, b, x), 0);
}
static value_t *d_leaky_relu(lower_t *L, builder_t *b, value_t *x) {
    (void)L;
    return b_select(b, b_compare(b, OP_LE, x, num(b, x, 0)), num(b, x, 0.01), num(b, x, 1));
}
static value_t *d_relu2(lower_t *L, builder_t *b, value_t *x) {
    return mul(b, num(b, x, 2), relu(L, b, x));
}
static value_t *d_linear(lower_t *L, builder_t *b, value_t *x) {
    (void)L;
    return num(b, x, 1);
}
static value_t *d_hardswish(lower_t *L, builder_t *b, value_t *x) {
    value_t *between = b_fma(b, x, num(b, x, 1.0 / 3), num(b, x, 0.5));
    value_t *min = b_compare(b, OP_LT, x, num(b, x, -3));
    value_t *max = b_compare(b, OP_LE, x, num(b, x, 3));
    (void)L;
    return b_select(b, min, num(b, x, 0), b_select(b, max, between, num(b, x, 1)));
}

/* (1 + erf(x / sqrt(2))) / 2 + x times the density of the normal distribution */
static value_t *d_gelu(lower_t *L, builder_t *b, value_t *x) {
    value_t *half = num(b, x, 0.5);
    value_t *e = m_erf(L, b, mul(b, x, num(b, x, 0.70710678118654752440)));
    value_t *density = m_exp(L, b, mul(b, mul(b, x, x), num(b, x, -0.5)));
    density = mul(b, density, num(b, x, 0.39894228040143267794));
    return b_fma(b, x, density, b_fma(b, e, half, half));
}
static value_t *d_gelu_10(lower_t *L, builder_t *b, value_t *x) {
    value_t *max = b_compare(b, OP_LE, gelu(L, b, x), num(b, x, 10));
    return b_select(b, max, d_gelu(L, b, x), num(b, x, 0));
}
/* x s(y) of y = 2 c (x + 0.044715 x^3): beyond ±20 the slope is 0, and its factor no infinity. */
static value_t *d_gelu_tanh(lower_t *L, builder_t *b, value_t *x) {
    const double c = 2 * 0.79788456080286535588;
    value_t *near = clip(b, x, -20, 20), *square = mul(b, near, near);
    value_t *y = mul(b, near, b_fma(b, square, num(b, x, 0.044715 * c), num(b, x, c)));
    sigmoid_t s = sigmoid_slope(L, b, y);
    value_t *inner = b_fma(b, square, num(b, x, 3 * 0.044715 * c), num(b, x, c));
    return b_fma(b, mul(b, near, inner), s.slope, s.s);
}
static value_t *d_silu(lower_t *L, builder_t *b, value_t *x) {
    sigmoid_t s = sigmoid_slope(L, b, x);
    return b_fma(b, x, s.slope, s.s);
}
static value_t *d_quick_gelu(lower_t *L, builder_t *b, value_t *x) {
    value_t *y = mul(b, x, num(b, x, 1.702));
    sigmoid_t s = sigmoid_slope(L, b, y);
    return b_fma(b, y, s.slope, s.s);
}
/* With e = e^x and w as in mish: w / (w + 2) + 4 x e (1 + e) / (w + 2)^2 */
static value_t *d_mish(lower_t *L, builder_t *b, value_t *x) {
    value_t *two = num(b, x, 2), *one = num(b, x, 1);
    value_t *e = m_exp(L, b, b_binary(b, OP_MIN, x, num(b, x, 20)));
    value_t *w = mul(b, e, add(b, e, two)), *all = add(b, w, two);
    value_t *slope = quotient(b, mul(b, mul(b, num(b, x, 4), e), add(b, one, e)), mul(b, all, all));
    return b_fma(b, x, slope, quotient(b, w, all));
}
static value_t *d_sigmoid(lower_t *L, builder_t *b, value_t *x) {
    return sigmoid_slope(L, b, x).slope;
}
static value_t *d_tanh(lower_t *L, builder_t *b, value_t *x) {
    return mul(b, num(b, x, 4), sigmoid_slope(L, b, add(b, x, x)).slope);
}
static value_t *d_laplace(lower_t *L, builder_t *b, value_t *x) {
    const double sigma = 0.282095;
    value_t *z =
        mul(b, sub(b, x, num(b, x, 0.707107)), num(b, x, 1 / (sigma * 1.41421356237309505)));
    value_t *e = m_exp(L, b, mul(b, b_unary(b, OP_NEG, z), z));
    return mul(b, e, num(b, x, 0.39894228040143267794 / sigma));
}
/* Far below 0 it is e^(x/2) / 2, and then 0, whatever the root is. */
static value_t *d_sqrtsoftplus(lower_t *L, builder_t *b, value_t *x) {
    value_t *root = b_binary(b, OP_MAX, num(b, x, 1e-30), sqrtsoftplus(L, b, x));
    return quotient(b, sigmoid_slope(L, b, x).s, add(b, root, root));
}

typedef value_t *formula_fn(lower_t *L, builder_t *b, value_t *x);

static const struct {
    const char *name;
    formula_fn *formula, *derivative;
} activations[ACT_COUNT] = {
    [ACT_RELU] = {"relu", relu, d_relu},
    [ACT_GELU] = {"gelu", gelu, d_gelu},
    [ACT_GELU_NEW] = {"gelu_new", gelu_tanh, d_gelu_tanh},
    [ACT_SILU] = {"silu", silu, d_silu},
    [ACT_GELU_10] = {"gelu_10", gelu_10, d_gelu_10},
    [ACT_GELU_FAST] = {"gelu_fast", gelu_tanh, d_gelu_tanh},
    [ACT_GELU_PYTHON] = {"gelu_python", gelu, d_gelu},
    [ACT_GELU_PYTORCH_TANH] = {"gelu_pytorch_tanh", gelu_tanh, d_gelu_tanh},
    [ACT_QUICK_GELU] = {"quick_gelu", quick_gelu, d_quick_gelu},
    [ACT_MISH] = {"mish", mish, d_mish},
    [ACT_LINEAR] = {"linear", linear, d_linear},
    [ACT_RELU6] = {"relu6", relu6, d_relu6},
    [ACT_SIGMOID] = {"sigmoid", sigmoid, d_sigmoid},
    [ACT_TANH] = {"tanh_act", m_tanh, d_tanh},
    [ACT_LEAKY_RELU] = {"leaky_relu", leaky_relu, d_leaky_relu},
    [ACT_RELU2] = {"relu2", relu2, d_relu2},
    [ACT_LAPLACE] = {"laplace", laplace, d_laplace},
    [ACT_HARDSWISH] = {"hardswish", hardswish, d_hardswish},
    [ACT_SQRTSOFTPLUS] = {"sqrtsoftplus", sqrtsoftplus, d_sqrtsoftplus},
};

/* ---- one function per formula and shape ------------------------------------------------------ */

enum { FN_EXP, FN_EXP2, FN_LOG, FN_TANH, FN_ERF, FN_ACT, FN_DERIVATIVE = FN_ACT + ACT_COUNT };

static void make(lower_t *L, int which, const char *name, ltype_t t,
                 value_t *(*formula)(lower_t *L, builder_t *b, value_t *x)) {
    const char *full = t.lanes > 1 ? arena_printf(L->arena, "%s_f32x%d", name, t.lanes)
                                   : arena_printf(L->arena, "%s_f32", name);
    const char *x = "x";
    builder_t b = build_func(L->m, full, 1, &t, &x, 1, &t);
    value_t *y = formula(L, &b, b.fn->params[0]);
    b_return(&b, &y);
    L->fn[which * 2 + (t.lanes > 1)] = b.fn;
}

static value_t *exp_formula(lower_t *L, builder_t *b, value_t *x) {
    (void)L;
    return build_exp(b, x);
}
static value_t *log_formula(lower_t *L, builder_t *b, value_t *x) {
    (void)L;
    return build_log(b, x);
}

static void make_activation(lower_t *L, const gnode_t *n, ltype_t t) {
    bool derivative = n->op == G_ACTIVATION_GRAD;
    int which = (derivative ? FN_DERIVATIVE : FN_ACT) + (int)n->act;
    if (n->op != G_ACTIVATION && !derivative) return;
    if (L->fn[which * 2 + (t.lanes > 1)]) return;
    const char *name = activations[n->act].name;
    if (derivative) name = arena_printf(L->arena, "d_%s", name);
    make(L, which, name, t,
         derivative ? activations[n->act].derivative : activations[n->act].formula);
}

void lower_math(lower_t *L) {
    ltype_t shapes[] = {SCALAR(E_F32), vec(L)};
    for (int i = 0; i < 2; i++) {
        make(L, FN_EXP, "exp", shapes[i], exp_formula);
        make(L, FN_EXP2, "exp2", shapes[i], build_exp2);
        make(L, FN_LOG, "log", shapes[i], log_formula);
        make(L, FN_TANH, "tanh", shapes[i], build_tanh);
        make(L, FN_ERF, "erf", shapes[i], build_erf);
        for (size_t k = 0; k < L->g->n_nodes; k++) make_activation(L, L->g->nodes[k], shapes[i]);
    }
}

static value_t *call(lower_t *L, builder_t *b, int which, value_t *x) {
    return b_call1(b, L->fn[which * 2 + (x->type.lanes > 1)], x);
}
value_t *m_exp(lower_t *L, builder_t *b, value_t *x) {
    return call(L, b, FN_EXP, x);
}
value_t *m_exp2(lower_t *L, builder_t *b, value_t *x) {
    return call(L, b, FN_EXP2, x);
}
value_t *m_log(lower_t *L, builder_t *b, value_t *x) {
    return call(L, b, FN_LOG, x);
}
value_t *m_tanh(lower_t *L, builder_t *b, value_t *x) {
    return call(L, b, FN_TANH, x);
}
value_t *m_erf(lower_t *L, builder_t *b, value_t *x) {
    return call(L, b, FN_ERF, x);
}
value_t *m_activation(lower_t *L, builder_t *b, act_t act, value_t *x) {
    return call(L, b, FN_ACT + (int)act, x);
}
value_t *m_derivative(lower_t *L, builder_t *b, act_t act, value_t *x) {
    return call(L, b, FN_DERIVATIVE + (int)act, x);
}
