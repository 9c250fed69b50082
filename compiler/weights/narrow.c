/* float32 → the number types of files that hold fewer bits.
 *
 * In: values, all finite. Out: the nearest numbers of the type, of two that are equally near the
 * one whose last bit is 0; float16 down to its denormals, bfloat16 by the rule of support/bf16.h. A
 * value that would become infinite is an error that names it, and so is one that is not finite to
 * begin with: nobody wants a file of weights that says something else. */
#include <math.h>
#include <string.h>

#include "support/bf16.h"
#include "weights/names.h"
#include "weights/weights.h"

/* 65504 is the greatest float16; from 65520 on, half a step beyond, the nearest is infinite. */
static uint16_t f16_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
    if (magnitude >= 0x477FF000) return (uint16_t)(sign | 0x7C00);
    if (magnitude >= 0x38800000) { /* 2^-14 */
        uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
        return (uint16_t)(sign | ((rounded >> 13) - (112 << 10)));
    }
    /* Multiples of 2^-24: rounded by rintf, which takes the even one of two. */
    return (uint16_t)(sign | (uint32_t)rintf(fabsf(x) * 0x1p24f));
}

static bool is_infinite(st_dtype_t to, uint16_t half) {
    uint16_t exponent = to == ST_F16 ? 0x7C00 : 0x7F80;
    return (half & exponent) == exponent;
}

static bool refuse(const char *name, int64_t at, float x, const char *type, const char *path,
                   diag_t *d) {
    char shown[SHOWN_BYTES];
    shown_name(name, shown);
    if (!isfinite(x))
        diag_error(d, IN_FILE(path), "tensor '%s': element %lld is %s", shown, (long long)at,
                   isnan(x) ? "NaN" : "infinite");
    else
        diag_error(d, IN_FILE(path), "tensor '%s': element %lld (%.9g) does not fit %s", shown,
                   (long long)at, (double)x, type);
    return false;
}

static bool narrow(st_dtype_t to, const char *name, const float *x, int64_t n, void *out,
                   const char *path, diag_t *d) {
    const char *type = to == ST_F16 ? "float16, whose greatest number is 65504" : "bfloat16";
    for (int64_t i = 0; i < n; i++) {
        uint16_t half = to == ST_F16 ? f16_bits(x[i]) : bf16_bits(x[i]);
        if (is_infinite(to, half)) return refuse(name, i, x[i], type, path, d);
        memcpy((char *)out + 2 * i, &half, sizeof half);
    }
    return true;
}

bool st_from_f32(st_dtype_t to, const char *name, const float *x, int64_t n, void *out,
                 const char *path, diag_t *d) {
    if (to == ST_F16 || to == ST_BF16) return narrow(to, name, x, n, out, path, d);
    if (to != ST_F32) bug("st_from_f32: dtype %d", (int)to);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return refuse(name, i, x[i], "float32", path, d);
    if (n) memcpy(out, x, (size_t)n * sizeof *x);
    return true;
}
