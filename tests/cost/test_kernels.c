/* What kernels ask of a machine and how long they take there; names of products; factors of buckets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cost/advice.h"
#include "cost/kernels.h"

static void test_factors(void **state) {
    (void)state;
    static const int64_t rows[][3] = {{4, 2, 2},    {8, 2, 4},      {16, 4, 4},     {64, 8, 8},
                                      {128, 8, 16}, {512, 16, 32},  {24, 4, 6},     {36, 6, 6},
                                      {6, 2, 4},    {2048, 32, 64}, {8192, 64, 128}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        int64_t f[2];
        balanced_factors(rows[k][0], f);
        assert_int_equal(f[0], rows[k][1]);
        assert_int_equal(f[1], rows[k][2]);
    }
    for (int64_t n = 4; n < 3000; n++) { /* even, balanced, never fewer and seldom many more */
        int64_t f[2];
        balanced_factors(n, f);
        assert_true(f[0] % 2 == 0 && f[1] % 2 == 0 && f[0] <= f[1] && f[1] <= 4 * f[0]);
        assert_true(f[0] * f[1] >= n && f[0] * f[1] <= n + n / 4 + 8);
    }
}

/* Slow memory bounds what moves much, slow arithmetic what computes much. */
static void test_roofline(void **state) {
    (void)state;
    machine_t m = {.flops = products_like(100e9), .bandwidth = 10e9, .efficiency = 0.5};
    kernel_cost_t computes = {.products = {{50e9}}, .streams = 1e9},
                  moves = {.products = {{1e9}}, .streams = 20e9};
    assert_false(kernel_is_bound_by_memory(&computes, &m));
    assert_true(kernel_is_bound_by_memory(&moves, &m));
    assert_float_equal(kernel_seconds(&computes, &m), 1, 1e-12);
    assert_float_equal(kernel_seconds(&moves, &m), 2, 1e-12);
    kernel_cost_t both[] = {computes, moves};
    kernel_costs_t c = {.kernels = both, .n = 2};
    assert_float_equal(kernels_seconds(&c, &m), 3, 1e-12);
    /* a quarter of a second for each kind */
    kernel_cost_t mixed = {
        .products = {{[FACTOR_F32] = 12.5e9, [FACTOR_BF16] = 25e9, [FACTOR_I8] = 50e9}}};
    assert_float_equal(kernel_seconds(&mixed, &m), 0.75, 1e-12);
}

static void test_products(void **state) {
    (void)state;
    arena_t *a = arena_new();
    products_t none = {{0}}, plain = {{100}}, max = {{[FACTOR_F32] = 6, [FACTOR_BF16] = 94}},
               nearly = {{[FACTOR_F32] = 0.4, [FACTOR_I8] = 99.6}};
    assert_null(products_text(a, &none));
    assert_string_equal(products_text(a, &plain), "float32");
    assert_string_equal(products_text(a, &max), "bfloat16 94 %");
    assert_string_equal(products_text(a, &nearly), "int8");
    assert_false(products_are_mixed(&plain));
    assert_true(products_are_mixed(&nearly));
    sbuf_t out = {0};
    products_json(&max, &out);
    assert_string_equal(out.data, ", \"products\": {\"float32\": 6, \"bfloat16\": 94}");
    sbuf_free(&out);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_factors),
                                       cmocka_unit_test(test_roofline),
                                       cmocka_unit_test(test_products)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
