/* The arithmetic of arith.h. */
#include "loops/arith.h"

#include <float.h>
#include <math.h>

#define FLOAT_OPS(type, fma_, sqrt_)                                                               \
    switch (op) {                                                                                  \
    case OP_ADD: return x + y;                                                                     \
    case OP_SUB: return x - y;                                                                     \
    case OP_MUL: return x * y;                                                                     \
    case OP_DIV: return x / y;                                                                     \
    case OP_FMA: return fma_(x, y, z);                                                             \
    case OP_MIN: return x < y ? x : y;                                                             \
    case OP_MAX: return x > y ? x : y;                                                             \
    case OP_NEG: return -x;                                                                        \
    case OP_SQRT: return sqrt_(x);                                                                 \
    default: bug("%s of floats", op_info[op].name);                                                \
    }

float f32_op(op_t op, float x, float y, float z) {
    FLOAT_OPS(float, fmaf, sqrtf)
}

double f64_op(op_t op, double x, double y, double z) {
    FLOAT_OPS(double, fma, sqrt)
}

/* What interpreters spend their time on: lanes are a loop of their own for each op, fma
 * of them one instruction. */
#define EACH_LANE(value)                                                                           \
    for (int k = 0; k < n; k++) out[k] = value;                                                    \
    return

#if defined(__x86_64__)
#define FMA_CODE __attribute__((target("fma")))
static bool has_fma(void) {
    return __builtin_cpu_supports("fma");
}
#else
#define FMA_CODE
static bool has_fma(void) {
    return true;
}
#endif

FMA_CODE static void fma_lanes(float *out, const float *x, const float *y, const float *z, int n) {
    EACH_LANE(__builtin_fmaf(x[k], y[k], z[k]));
}

void f32_lanes(op_t op, float *out, const float *x, const float *y, const float *z, int n) {
    switch (op) {
    case OP_ADD: EACH_LANE(x[k] + y[k]);
    case OP_SUB: EACH_LANE(x[k] - y[k]);
    case OP_MUL: EACH_LANE(x[k] * y[k]);
    case OP_FMA:
        if (has_fma()) {
            fma_lanes(out, x, y, z, n);
            return;
        }
        EACH_LANE(fmaf(x[k], y[k], z[k]));
    default: EACH_LANE(f32_op(op, x[k], y[k], z[k]));
    }
}

/* ---- products of small numbers --------------------------------------------------------------- */

/* A denormal counts as 0 of its sign. */
static float without_denormal(float x) {
    return fabsf(x) < FLT_MIN ? copysignf(0, x) : x;
}

/* fma rounds what is below the least normal number to a multiple of the least denormal, which
 * carries some of it up to FLT_MIN; rounded to 24 bits whatever the exponent, only what lies at
 * most half a unit below gets there. Products are exact in double, and so are sums of this size but
 * for what is too little to matter. */
static float fma_of_normals(float x, float y, float z) {
    float r = fmaf(x, y, z);
    if (fabsf(r) != FLT_MIN) return without_denormal(r);
    double exact = (double)x * (double)y + (double)z, half = 0x1p-151;
    return fabs(exact) < FLT_MIN - half ? copysignf(0, r) : r;
}

float dot2_op(dot2_t how, float acc, const uint16_t x[2], const uint16_t y[2]) {
    if (how == DOT2_KEEPS)
        return fmaf(bf16_to(x[0]), bf16_to(y[0]), fmaf(bf16_to(x[1]), bf16_to(y[1]), acc));
    float sum = without_denormal(acc);
    for (int k = 1; k >= 0; k--)
        sum = fma_of_normals(without_denormal(bf16_to(x[k])), without_denormal(bf16_to(y[k])), sum);
    return sum;
}

int32_t dot4_op(int32_t acc, const uint8_t x[4], const int8_t y[4]) {
    uint32_t sum = (uint32_t)acc;
    for (int k = 0; k < 4; k++) sum += (uint32_t)(x[k] * y[k]);
    return (int32_t)sum;
}

/* Wraps; the caller cuts to the width of the type. `bits` is that width. */
int64_t int_op(op_t op, int64_t sx, int64_t sy, int64_t count, int bits) {
    uint64_t x = (uint64_t)sx, y = (uint64_t)sy;
    switch (op) {
    case OP_ADD: return (int64_t)(x + y);
    case OP_SUB: return (int64_t)(x - y);
    case OP_MUL: return (int64_t)(x * y);
    case OP_MULHI: return (int64_t)((uint64_t)(uint32_t)x * (uint32_t)y >> 32);
    case OP_MIN: return sx < sy ? sx : sy;
    case OP_MAX: return sx > sy ? sx : sy;
    case OP_NEG: return (int64_t)(0 - x);
    case OP_AND: return (int64_t)(x & y);
    case OP_OR: return (int64_t)(x | y);
    case OP_XOR: return (int64_t)(x ^ y);
    case OP_SHL: return (int64_t)(x << count);
    case OP_SHR: return (int64_t)((bits == 32 ? (uint32_t)x : x) >> count);
    case OP_SAR: return sx >> count;
    default: bug("%s of integers", op_info[op].name);
    }
}

bool compare_op(op_t op, bool less, bool equal, bool greater) {
    switch (op) {
    case OP_EQ: return equal;
    case OP_NE: return !equal; /* true on NaN, as in C */
    case OP_LT: return less;
    case OP_LE: return less || equal;
    case OP_GT: return greater;
    default: return greater || equal;
    }
}

bool fits_integer(double x, elem_t e) {
    static const struct {
        double below, above;
    } ends[E_COUNT] = {
        [E_I8] = {-129.0, 128.0},
        [E_U8] = {-1.0, 256.0},
        [E_I32] = {-2147483649.0, 2147483648.0},
        [E_I64] = {-9223372036854777856.0, 9223372036854775808.0},
    };
    return x > ends[e].below && x < ends[e].above;
}
