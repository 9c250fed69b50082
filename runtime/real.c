/* The functions of libm that the runtime needs, in double, since it has no libm. The
 * same bits on any machine. */
#include "real.h"

#include <string.h>
#if defined(__x86_64__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

REFORMER_REFUSE_FAST_MATH(reformer_flags)

static const double ln2_high = 0x1.62e42feep-1; /* 32 bits, so that k * ln2_high is exact */
static const double ln2_low = 0x1.a39ef35793c76p-33;

static double product(double x, double y) {
    double xy = x * y;
    REFORMER_SETTLE(xy);
    return xy;
}

/* 2^k for a normal number. */
static double power_of_two(int k) {
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* x = k ln 2 + r with |r| <= ln 2 / 2, then Taylor: the first term left out is below 5e-18. */
double reformer_exp(double x) {
    /* clang-format off */
    static const double inverse_factorial[] = {
        1.0, 1.0, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880,
        1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
    /* clang-format on */
    if (x < -708) return 0;
    double scaled = product(x, 0x1.71547652b82fep+0); /* 1 / ln 2 */
    int k = (int)(scaled + (scaled < 0 ? -0.5 : 0.5));
    double r = (x - product(k, ln2_high)) - product(k, ln2_low);
    double sum = inverse_factorial[13];
    for (int i = 12; i >= 0; i--) sum = product(sum, r) + inverse_factorial[i];
    return product(sum, power_of_two(k));
}

/* x = 2^k m with m in sqrt(1/2) … sqrt 2; ln m = 2 artanh s, s = (m - 1) / (m + 1), |s| < 0.172:
 * the first term left out is below 1e-18 of the sum. */
double reformer_log(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int k = (int)(bits >> 52) - 1023;
    double m = product(x, power_of_two(-k));
    if (m > 0x1.6a09e667f3bcdp+0) {
        m = product(m, 0.5);
        k++;
    }
    double s = (m - 1) / (m + 1), square = product(s, s), sum = 0;
    for (int i = 21; i >= 3; i -= 2) sum = product(sum + 1.0 / i, square);
    return product(k, ln2_high) + (product(2, s) + (product(2 * s, sum) + product(k, ln2_low)));
}

/* The compiler's own square root may become a call. */
double reformer_sqrt(double x) {
#if defined(__x86_64__)
    __m128d wide = _mm_set_sd(x);
    return _mm_cvtsd_f64(_mm_sqrt_sd(wide, wide));
#elif defined(__aarch64__)
    return vget_lane_f64(vsqrt_f64(vdup_n_f64(x)), 0);
#elif defined(__wasm__)
    double root;
    __asm__("local.get %1\n\tf64.sqrt\n\tlocal.set %0" : "=r"(root) : "r"(x));
    return root;
#else
#error "no square root for this architecture"
#endif
}

double reformer_pow(double x, double y) {
    if (y == 0 || x == 1) return 1;
    if (x == 0) return 0;
    double power = product(y, reformer_log(x));
    return power > 709 ? 0x1p1023 * 2 : reformer_exp(power);
}

/* ---- circle ---------------------------------------------------------------------------------- */

/* sin y and cos y for 0 <= y <= pi / 4, Taylor: the first terms left out are
 * below 1e-17 of the sum. */
static double sin_of(double y) {
    double square = product(y, y), sum = 0;
    for (int i = 16; i >= 2; i -= 2) sum = product(1 - sum, square) / (i * (i + 1));
    return y - product(y, sum);
}

static double cos_of(double y) {
    double square = product(y, y), sum = 0;
    for (int i = 17; i >= 1; i -= 2) sum = product(1 - sum, square) / (i * (i + 1));
    return 1 - sum;
}

/* Down to an eighth of a turn; what is subtracted is exact. */
double reformer_cos_turns(double turns) {
    const double two_pi = 0x1.921fb54442d18p+2;
    double at = turns < 0 ? -turns : turns, sign = 1;
    at -= (double)(int64_t)at;
    if (at > 0.5) at = 1 - at;
    if (at > 0.25) {
        at = 0.5 - at;
        sign = -1;
    }
    return sign * (at > 0.125 ? sin_of(product(two_pi, 0.25 - at)) : cos_of(product(two_pi, at)));
}

double reformer_sin_turns(double turns) {
    double whole = turns - (double)(int64_t)turns;
    if (whole < 0) return -reformer_sin_turns(-whole);
    return whole > 0.5 ? -reformer_cos_turns(whole - 0.75) : reformer_cos_turns(whole - 0.25);
}
