/* Values of a tensor as float32, int32 or float64, whatever number type the file holds.
 *
 * In: a checked tensor, whose data may stand at any address. Out: the caller's array, or an error
 * that names the tensor and the element. float16 and bfloat16 widen exactly; float64 rounds to
 * nearest. */
#include <math.h>
#include <string.h>

#include "support/bf16.h"
#include "weights/names.h"
#include "weights/weights.h"

/* float16 → float32: exponent re-biased from 15 to 127; subnormals are multiples of 2^-24. */
static float from_f16(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 0x1F, mantissa = h & 0x3FF;
    if (exponent == 0) {
        float x = (float)mantissa * 0x1p-24f;
        return sign ? -x : x;
    }
    uint32_t bits = sign | (exponent == 31 ? 0x7F800000u : (exponent + 112) << 23) | mantissa << 13;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void widen(const st_tensor_t *t, float (*from)(uint16_t), float *out) {
    for (int64_t i = 0; i < t->elements; i++) {
        uint16_t h;
        memcpy(&h, t->data + 2 * i, sizeof h);
        out[i] = from(h);
    }
}

static bool narrow_f64(const st_tensor_t *t, float *out, const char *path, diag_t *d) {
    for (int64_t i = 0; i < t->elements; i++) {
        double x;
        memcpy(&x, t->data + 8 * i, sizeof x);
        out[i] = (float)x;
        if (isfinite(x) && !isfinite(out[i])) {
            char name[SHOWN_BYTES];
            diag_error(d, IN_FILE(path), "tensor '%s': element %lld (%g) does not fit float32",
                       shown_name(t->name, name), (long long)i, x);
            return false;
        }
    }
    return true;
}

static bool wrong_dtype(const st_tensor_t *t, const char *wanted, const char *path, diag_t *d) {
    char name[SHOWN_BYTES], dtype[SHOWN_BYTES];
    diag_error(d, IN_FILE(path), "tensor '%s' has dtype %s, here it must be %s",
               shown_name(t->name, name), shown_name(t->dtype_name, dtype), wanted);
    return false;
}

bool st_to_f32(const st_tensor_t *t, float *out, const char *path, diag_t *d) {
    switch (t->dtype) {
    case ST_F32:
        if (t->bytes) memcpy(out, t->data, t->bytes);
        return true;
    case ST_F16: widen(t, from_f16, out); return true;
    case ST_BF16: widen(t, bf16_value, out); return true;
    case ST_F64: return narrow_f64(t, out, path, d);
    default: return wrong_dtype(t, "F32, F16, BF16 or F64", path, d);
    }
}

/* Element i of an integer tensor; false when the dtype is not one. */
static bool integer_at(const st_tensor_t *t, int64_t i, int64_t *out) {
    const unsigned char *p = t->data;
    int32_t i32;
    int16_t i16;
    switch (t->dtype) {
    case ST_I64: memcpy(out, p + 8 * i, 8); return true;
    case ST_I32: memcpy(&i32, p + 4 * i, 4), *out = i32; return true;
    case ST_I16: memcpy(&i16, p + 2 * i, 2), *out = i16; return true;
    case ST_I8: *out = (int64_t)p[i] - (p[i] & 0x80 ? 256 : 0); return true;
    case ST_U8: *out = p[i]; return true;
    case ST_BOOL: *out = p[i] != 0; return true;
    default: return false;
    }
}

static double real_at(const st_tensor_t *t, int64_t i) {
    float x;
    double wide;
    uint16_t half;
    switch (t->dtype) {
    case ST_F64: memcpy(&wide, t->data + 8 * i, sizeof wide); return wide;
    case ST_F32: memcpy(&x, t->data + 4 * i, sizeof x); return (double)x;
    default:
        memcpy(&half, t->data + 2 * i, sizeof half);
        return (double)(t->dtype == ST_F16 ? from_f16(half) : bf16_value(half));
    }
}

bool st_has_numbers(const st_tensor_t *t) {
    return t->dtype != ST_OTHER;
}

void st_to_f64(const st_tensor_t *t, int64_t from, int64_t n, double *out) {
    bool real = t->dtype > ST_I64;
    for (int64_t i = 0; i < n; i++) {
        int64_t x = 0;
        if (!real) (void)integer_at(t, from + i, &x);
        out[i] = real ? real_at(t, from + i) : (double)x;
    }
}

bool st_to_i32(const st_tensor_t *t, int32_t *out, const char *path, diag_t *d) {
    int64_t x = 0;
    if (t->dtype > ST_I64) return wrong_dtype(t, "I64, I32, I16, I8, U8 or BOOL", path, d);
    for (int64_t i = 0; i < t->elements; i++) {
        if (!integer_at(t, i, &x)) bug("dtype %d is no integer", (int)t->dtype);
        if (x < INT32_MIN || x > INT32_MAX) {
            char name[SHOWN_BYTES];
            diag_error(d, IN_FILE(path), "tensor '%s': element %lld (%lld) does not fit 32 bits",
                       shown_name(t->name, name), (long long)i, (long long)x);
            return false;
        }
        out[i] = (int32_t)x;
    }
    return true;
}
