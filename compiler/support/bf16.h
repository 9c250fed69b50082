/* bfloat16: a float whose last 16 bits are 0. The one rule by which a float becomes one, that of
 * the processors that multiply them: to the nearest, ties to even; what is below the least normal
 * float, 2^-126, is 0 of its sign; beyond the greatest it is infinite; NaN stays NaN, and quiet. */
#ifndef REFORMERC_SUPPORT_BF16_H
#define REFORMERC_SUPPORT_BF16_H

#include <stdint.h>
#include <string.h>

/* The upper half of the rounded float. */
static inline uint16_t bf16_bits(float x) {
    uint32_t bits, min = 0x00800000, infinite = 0x7f800000;
    memcpy(&bits, &x, sizeof bits);
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude < min) return (uint16_t)(bits >> 16 & 0x8000);
    if (magnitude > infinite) return (uint16_t)(bits >> 16 | 0x0040);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float bf16_value(uint16_t upper) {
    uint32_t bits = (uint32_t)upper << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float bf16_round(float x) {
    return bf16_value(bf16_bits(x));
}

#endif
