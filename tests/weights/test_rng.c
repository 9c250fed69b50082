/* torch's generator: values that torch 1.13 printed, and the rules between sizes. */
#include "files.h"

static void assert_bits(const float *x, const uint32_t *want, int n) {
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        if (bits != want[i]) fail_msg("value %d is %08x, torch has %08x", i, bits, want[i]);
    }
}

static const struct {
    uint64_t seed;
    uint32_t raw[8];     /* MT19937 outputs */
    uint32_t small[8];   /* randn(8): one by one, in double */
    uint32_t blocks[32]; /* randn(64): the first 32 */
} torch[] = {
    {0,
     {2357136044, 2546248239, 3071714933, 3626093760, 2588848963, 3684848379, 2340255427,
      3638918503},
     {0x3fc53f5c, 0xbe963c50, 0xc00b7149, 0x3f1184b6, 0xbf8ad1a1, 0xbfb3052d, 0x3ece837a,
      0x3f5688e5},
     {0xbf901b85, 0xbf93808a, 0xbe804bd6, 0xbede255d, 0x3f594515, 0x3f312783, 0xbea1cc6d,
      0xc0075fc1, 0x3ea50138, 0xbfa1b4f4, 0x3eb330ff, 0x3e9dc3bb, 0x3df56f77, 0x3f9e6b93,
      0x3f8ef28e, 0xbe7d367c, 0xbfad23c2, 0xbfd91446, 0x3f111004, 0x3f4b235d, 0x3f194d8b,
      0xbfc70d5b, 0xbeaec6ca, 0x3fed2f4e, 0x3f400c6b, 0xbf15e32b, 0xbe318eeb, 0x3e3be1a4,
      0x3fb1d6c0, 0x3fcb0d00, 0x3f72409c, 0xbf57fb33}},
    {1,
     {1791095845, 4282876139, 3093770124, 4005303368, 491263, 550290313, 1298508491, 4290846341},
     {0x3f294e60, 0x3e88aa47, 0x3d7ca14b, 0x3f1f0ea7, 0xbee76038, 0xbe2a1e0b, 0xbfc2ea14,
      0x3ec36c13},
     {0xbfc346ba, 0xbf400f31, 0xbf276b4b, 0xbfce0399, 0xbdcd2473, 0xbf1bf3ce, 0xbf7ad25b,
      0xbfcdf6de, 0xbf364f1c, 0x3e9b8173, 0xbf46fe12, 0xbe80bebe, 0xbe639ae0, 0x3fd7f355,
      0x3e69e84a, 0x3eef6dec, 0xbf326cc9, 0xbf9493d5, 0x3f331536, 0x3e4bdc0e, 0x3f5d9e04,
      0x3e7a4504, 0xbf29b48f, 0x3f4eabc1, 0x3f8d03df, 0xbe342894, 0xc00fb738, 0xbfb92589,
      0x3d7a7df6, 0xbf1e2480, 0xbf4c4e4e, 0xbe06c83c}},
    {42,
     {1608637542, 3421126067, 4083286876, 787846414, 3143890026, 3348747335, 2571218620,
      2563451924},
     {0x3eac62ae, 0x3e03e69d, 0x3e7016e7, 0x3e6bdc6c, 0xbf8fb9c2, 0xbe3eccd8, 0x400d532c,
      0xbf2353c6},
     {0x3ff6a529, 0x3fbe5f53, 0x3f669567, 0xc006c0db, 0x3f2dacd5, 0xbf9e0591, 0xbd306786,
      0xbfcd65ba, 0xbf408bf0, 0x3fd3095b, 0xbec8f2f6, 0xbfb3a966, 0xbf3a566e, 0xbf0f36d1,
      0xbf44d2a0, 0x3f432f9f, 0x3fd23771, 0xbe236d85, 0xbefeaae4, 0x3ee111d8, 0xbf4214e2,
      0x3f8a0650, 0x3f4d0144, 0x3fd71e93, 0x3fa3ba59, 0x3fa5f12f, 0x3f1c4788, 0x3faad8b0,
      0xbe6d2eed, 0x3d2b0c00, 0xbe80ce7a, 0x3f5c1fb0}},
};

static void engine(void **state) {
    (void)state;
    torch_rng_t g;
    for (int s = 0; s < 3; s++) {
        torch_seed(&g, torch[s].seed);
        for (int i = 0; i < 8; i++) assert_int_equal(torch_u32(&g), torch[s].raw[i]);
        torch_seed(&g, torch[s].seed | UINT64_C(7) << 32); /* only the low 32 bits count */
        assert_int_equal(torch_u32(&g), torch[s].raw[0]);
        torch_seed(&g, torch[s].seed);
        assert_true(torch_uniform(&g) == (float)(torch[s].raw[0] & 0xFFFFFF) / 16777216.0f);
    }
    /* the 10000th output of the generator seeded with 5489, as the C++ standard states it */
    torch_seed(&g, 5489);
    uint32_t last = 0;
    for (int i = 0; i < 10000; i++) last = torch_u32(&g);
    assert_int_equal(last, 4123659995u);
}

typedef void randn_fn(torch_rng_t *g, float *out, size_t n);
static randn_fn *const ways[] = {torch_randn, torch_randn_scalar};

static void tables(void **state) {
    (void)state;
    torch_rng_t g;
    float x[64];
    for (int w = 0; w < 2; w++)
        for (int s = 0; s < 3; s++) {
            torch_seed(&g, torch[s].seed);
            ways[w](&g, x, 8);
            assert_bits(x, torch[s].small, 8);
            torch_seed(&g, torch[s].seed);
            ways[w](&g, x, 64);
            assert_bits(x, torch[s].blocks, 32);
            torch_seed(&g, torch[s].seed);
            ways[w](&g, x, 16); /* one block: the first of the longer draw */
            assert_bits(x, torch[s].blocks, 16);
        }
}

/* The second normal of a pair waits for the next small draw, whatever lies between. */
static void cached_normal(void **state) {
    (void)state;
    torch_rng_t g;
    float x[8], between[64];
    for (int s = 0; s < 3; s++) {
        torch_seed(&g, torch[s].seed);
        torch_randn(&g, x, 5);
        torch_randn(&g, x + 5, 3);
        assert_bits(x, torch[s].small, 8);
        torch_seed(&g, torch[s].seed);
        torch_randn(&g, x, 5);
        torch_randn(&g, between, 64);
        torch_randn(&g, x + 5, 1);
        assert_bits(x, torch[s].small, 6);
        torch_seed(&g, torch[s].seed);
        torch_randn(&g, x, 7);
        torch_seed(&g, torch[s].seed); /* forgets it */
        torch_randn(&g, x, 8);
        assert_bits(x, torch[s].small, 8);
    }
}

/* n not divisible by 16: n uniforms are drawn, then 16 more for the last 16 places. */
static void odd_sizes(void **state) {
    (void)state;
    static const size_t sizes[] = {17, 20, 31, 33, 100, 4095, 4096, 4097, 4111, 100003};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i], whole = n / 16 * 16, rest = n % 16;
        float *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y), tail[16];
        assert_true(x && y);
        torch_rng_t g;
        torch_seed(&g, 9);
        torch_randn(&g, x, n);
        uint32_t after = torch_u32(&g);
        torch_seed(&g, 9);
        torch_randn(&g, y, whole);
        for (size_t k = 0; k < rest; k++) (void)torch_u32(&g);
        if (rest) torch_randn(&g, tail, 16);
        assert_int_equal(torch_u32(&g), after);
        assert_memory_equal(x, y, (rest ? n - 16 : n) * sizeof *x);
        if (rest) assert_memory_equal(x + n - 16, tail, sizeof tail);
        free(x);
        free(y);
    }
}

/* The vector path must give the bits of the scalar one, extremes included. */
static void vectors_equal_scalars(void **state) {
    (void)state;
    enum { N = 1 << 20 };
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    assert_true(x && y);
    torch_rng_t g, h;
    torch_seed(&g, 2147483651u);
    h = g;
    torch_randn(&g, x, N);
    torch_randn_scalar(&h, y, N);
    assert_memory_equal(x, y, N * sizeof *x);
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) sum += x[i], squares += (double)x[i] * x[i];
    assert_true(sum / N < 0.005 && sum / N > -0.005);
    assert_true(squares / N > 0.995 && squares / N < 1.005);
    free(x);
    free(y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine),
        cmocka_unit_test(tables),
        cmocka_unit_test(cached_normal),
        cmocka_unit_test(odd_sizes),
        cmocka_unit_test(vectors_equal_scalars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
