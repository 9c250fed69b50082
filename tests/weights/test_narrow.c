/* Number types of files, in and out: every float16 and bfloat16 there is, the nearest of all that lies between, and what is
 * refused. */
#include "model.h"

#include <math.h>

#include "support/bf16.h"

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* By its definition: sign, 2^(e - 15) · 1.m, below 2^-14 multiples of 2^-24. */
static double half_value(unsigned h) {
    int e = (int)(h >> 10 & 31), m = (int)(h & 1023);
    double x = e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
    return h & 0x8000 ? -x : x;
}

static float read_one(st_dtype_t type, const void *data, diag_t *d) {
    float x = 7;
    st_tensor_t t = {.name = "t", .dtype = type, .elements = 1, .data = data};
    assert_true(st_to_f32(&t, &x, "file", d));
    return x;
}

static void every_half_there_and_back(void **state) {
    (void)state;
    diag_t *d = diag_new();
    for (unsigned h = 0; h < 65536; h++) {
        uint16_t in = (uint16_t)h, out = 1;
        float f16 = read_one(ST_F16, &in, d), bf16 = read_one(ST_BF16, &in, d);
        if ((h & 0x7C00) != 0x7C00) {
            assert_true((double)f16 == half_value(h));
            assert_true(st_from_f32(ST_F16, "t", &f16, 1, &out, "file", d));
            assert_int_equal(out, in);
        } else {
            assert_true(h & 1023 ? isnan(f16) : isinf(f16));
        }
        if ((h & 0x7F80) == 0x7F80) continue;
        assert_true(bf16 == float_of(h << 16));
        assert_true(st_from_f32(ST_BF16, "t", &bf16, 1, &out, "file", d));
        assert_int_equal(out, (h & 0x7F80) ? in : in & 0x8000); /* below 2^-126: 0 of its sign */
    }
    assert_int_equal(diag_errors(d), 0);
    diag_free(d);
}

/* Of two neighbours what lies between goes to the nearer one, the middle to the even one. */
static void nearest_even(void **state) {
    (void)state;
    diag_t *d = diag_new();
    for (unsigned h = 0; h < 0x7BFF; h++) {
        double low = half_value(h), high = half_value(h + 1), middle = (low + high) / 2;
        float x[3] = {nextafterf((float)middle, 0), (float)middle,
                      nextafterf((float)middle, INFINITY)};
        uint16_t out[3], want[3] = {(uint16_t)h, (uint16_t)(h + h % 2), (uint16_t)(h + 1)};
        assert_true((double)x[1] == middle);
        assert_true(st_from_f32(ST_F16, "t", x, 3, out, "file", d));
        assert_memory_equal(out, want, sizeof out);
    }
    diag_free(d);
}

static void does_not_fit(st_dtype_t type, float x, const char *says) {
    diag_t *d = diag_new();
    float values[3] = {1, 2, x};
    uint32_t out[3];
    assert_false(st_from_f32(type, "a.weight", values, 3, out, "file", d));
    assert_says(d, "file: error: tensor 'a.weight': element 2 ");
    assert_says(d, says);
    diag_free(d);
}

static void what_does_not_fit(void **state) {
    (void)state;
    uint16_t out;
    diag_t *d = diag_new();
    float greatest = 65519.996f;
    assert_true(st_from_f32(ST_F16, "t", &greatest, 1, &out, "file", d));
    assert_int_equal(out, 0x7BFF);
    does_not_fit(ST_F16, 65520, "(65520) does not fit float16, whose greatest number is 65504");
    does_not_fit(ST_F16, -1e9f, "(-1e+09) does not fit float16");
    greatest = 3.389e38f;
    assert_true(st_from_f32(ST_BF16, "t", &greatest, 1, &out, "file", d));
    does_not_fit(ST_BF16, 3.4e38f, "does not fit bfloat16");
    for (int k = 0; k < 3; k++) {
        static const st_dtype_t types[] = {ST_F16, ST_BF16, ST_F32};
        does_not_fit(types[k], NAN, "is NaN");
        does_not_fit(types[k], -INFINITY, "is infinite");
    }
    diag_free(d);
}

/* ---- what a store takes ----------------------------------------------------------------------------------- */

/* The model's file with one tensor of this type, whose first element has these bits. */
static store_t *load_with(model_t *m, st_dtype_t type, const void *bits, size_t each) {
    st_file_t *f = st_open(model_file(&(file_t){0}), m->d);
    assert_non_null(f);
    st_writer_t *w = st_writer_new();
    for (size_t i = 0; i < st_count(f); i++) {
        const st_tensor_t *t = st_at(f, i);
        if (strcmp(t->name, "lm_head.bias") != 0) {
            st_writer_add(w, t->name, t->dtype, t->rank, t->shape, t->data);
            continue;
        }
        memcpy(st_writer_space(w, t->name, type, t->rank, t->shape), bits, each);
    }
    const char *path = temporary("mixed.safetensors");
    assert_true(st_writer_save(w, path, m->d));
    st_writer_free(w);
    st_close(f);
    store_options_t o = {.path = path};
    return store_load(&m->graph, &o, m->d);
}

static void takes(st_dtype_t type, uint64_t bits, size_t each, float want) {
    model_t m;
    model_open(&m);
    store_t *s = load_with(&m, type, &bits, each);
    if (!s) fail_msg("%s", messages(m.d));
    assert_true(store_find(s, "lm_head.bias")->data[0] == want);
    assert_true(store_find(s, "lm_head.bias")->from_file);
    store_free(s);
    model_close(&m);
}

static void refuses(st_dtype_t type, uint64_t bits, size_t each, const char *says) {
    model_t m;
    model_open(&m);
    if (load_with(&m, type, &bits, each)) fail_msg("taken, although %s", says);
    assert_says(m.d, "mixed.safetensors: error: tensor 'lm_head.bias'");
    assert_says(m.d, says);
    model_close(&m);
}

/* One of another type among floats; denormals of each type are kept, and what is not finite is named. */
static void mixed_types(void **state) {
    (void)state;
    double wide = 1 + 0x1p-30, large = 1e39;
    uint64_t bits, beyond;
    memcpy(&bits, &wide, sizeof bits);
    memcpy(&beyond, &large, sizeof beyond);
    takes(ST_F16, 0xC500, 2, -5);
    takes(ST_F16, 1, 2, 0x1p-24f);
    takes(ST_BF16, 0x3FC0, 2, 1.5f);
    takes(ST_BF16, 0x8001, 2, -0x1p-133f);
    takes(ST_F32, 1, 4, 0x1p-149f);
    takes(ST_F64, bits, 8, 1);
    refuses(ST_F64, beyond, 8, "element 0 (1e+39) does not fit float32");
    refuses(ST_F64, UINT64_C(0x7FF8000000000000), 8, "element 0 ([0]) is NaN");
    refuses(ST_F16, 0x7C00, 2, "element 0 ([0]) is infinite");
    refuses(ST_F16, 0xFE00, 2, "element 0 ([0]) is NaN");
    refuses(ST_BF16, 0x7FC0, 2, "element 0 ([0]) is NaN");
    refuses(ST_F32, 0xFF800000, 4, "element 0 ([0]) is infinite");
    static const st_dtype_t integers[] = {ST_BOOL, ST_U8, ST_I8, ST_I16, ST_I32, ST_I64};
    static const size_t sizes[] = {1, 1, 1, 2, 4, 8};
    for (int k = 0; k < 6; k++)
        refuses(integers[k], 1, sizes[k], "here it must be F32, F16, BF16 or F64");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_there_and_back),
        cmocka_unit_test(nearest_even),
        cmocka_unit_test(what_does_not_fit),
        cmocka_unit_test(mixed_types),
    };
    return RUN_TESTS(tests);
}
