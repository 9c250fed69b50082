/* e^x and ln x in double precision, since the runtime has no libm. The same bits on any machine. */
#include "generate_int.h"

#include <string.h>

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

/* x = 2^k m with m in sqrt(1/2) … sqrt 2; ln m = 2 artanh s, s = (m - 1) / (m + 1), |s| < 0.172: the
 * first term left out is below 1e-18 of the sum. */
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
