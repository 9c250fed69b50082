/* Rows of integers from -127 to 127 with one float scale: element k is q[k] times scale. The one
 * rule by which a row of floats becomes one, in float arithmetic, each operation
 * rounded to the nearest:
 *
 *   m = the greatest magnitude of the row, found on the bits: NaN is greater than infinity
 *   m below 2^-100:  scale 0, every q 0
 *   m not finite:    scale NaN, every q 0
 *   otherwise:       scale = m / 127, inverse = 127 / m, q = x times inverse, to the
 *                    nearest integer, ties to even
 *
 * |q| is at most 127 then. Numbers below 2^-126, which some processors take for
 * 0, become 0 either way. */
#ifndef REFORMERC_SUPPORT_I8_H
#define REFORMERC_SUPPORT_I8_H

#include <math.h>
#include <stdint.h>
#include <string.h>

enum {
    I8_MAX = 127,
    /* Of a sum of products. Kernels hold one factor as q + 128, which takes 255 *
     * 127 a product, in 32 bits. */
    I8_MAX_PRODUCTS = 65536
};
#define I8_MIN 0x1p-100f /* what the greatest magnitude of a row is at least, or the row is 0 */

typedef struct {
    float scale, inverse; /* inverse 0: every q is 0 */
} i8_scale_t;

static inline i8_scale_t i8_scale(const float *x, int64_t n) {
    uint32_t max = 0, infinite = 0x7f800000;
    for (int64_t k = 0; k < n; k++) {
        uint32_t bits;
        memcpy(&bits, &x[k], sizeof bits);
        bits &= 0x7fffffff;
        if (bits > max) max = bits;
    }
    float m;
    memcpy(&m, &max, sizeof m);
    if (max >= infinite) return (i8_scale_t){NAN, 0};
    if (m < I8_MIN) return (i8_scale_t){0, 0};
    return (i8_scale_t){m / I8_MAX, I8_MAX / m};
}

static inline int8_t i8_round(float x, i8_scale_t by) {
    return by.inverse > 0 ? (int8_t)rintf(x * by.inverse) : 0;
}

#endif
