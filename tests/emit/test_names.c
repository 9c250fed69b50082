/* Names and literals of generated C, by themselves: no compiler is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "emit/c_int.h"

static void names_clash_with_nothing(void **state) {
    (void)state;
    arena_t *a = arena_new();
    names_t *global = names_new(a, NULL), *local = names_new(a, global);
    static const struct {
        const char *name, *outside, *inside; /* as a function's name, and as a local one */
    } cases[] = {
        {"weights", "weights", "weights_1"},   /* the other has the name by then */
        {"weights", "weights_1", "weights_2"}, /* taken twice */
        {"int", "v_int", "v_int_1"},           /* a keyword */
        {"f32x8", "v_f32x8", "v_f32x8_"}, /* a type of the prelude, and so is what ends in it */
        {"exp_f32x8", "exp_f32x8", "v_exp_f32x8_"},   /* no helper: a function may be called so */
        {"max_f32x8", "v_max_f32x8", "v_max_f32x8_"}, /* a helper */
        {"a.b", "a_b", "a_b_1"},
        {"_x", "v__x", "v__x_1"},
        {"", "v_", "v__1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(names_make(global, cases[i].name), cases[i].outside);
        assert_string_equal(names_make(local, cases[i].name), cases[i].inside);
    }
    arena_free(a);
}

static void scopes_give_names_back(void **state) {
    (void)state;
    arena_t *a = arena_new();
    names_t *n = names_new(a, NULL);
    assert_string_equal(names_make(n, "x"), "x");
    size_t mark = names_enter(n);
    assert_string_equal(names_make(n, "x"), "x_1");
    assert_string_equal(names_make(n, "y"), "y");
    for (int i = 0; i < 200; i++) (void)names_make(n, arena_printf(a, "many%d", i)); /* it grows */
    names_leave(n, mark);
    assert_string_equal(names_make(n, "y"), "y");
    assert_string_equal(names_make(n, "x"), "x_1");
    assert_false(names_taken(n, "many7"));
    arena_free(a);
}

static void literals_read_back(void **state) {
    (void)state;
    arena_t *a = arena_new();
    static const float values[] = {0.0F, -0.0F, 1, 0.1F, -1e-45F, 3.4028235e38F, 16777217, 1e10F};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const char *text = c_float(a, E_F32, values[i]);
        char *end;
        float got = strtof(text, &end);
        assert_memory_equal(&got, &values[i], sizeof got);
        assert_string_equal(end, "f");
        assert_non_null(strpbrk(text, ".e"));
    }
    assert_string_equal(c_float(a, E_F32, NAN), "__builtin_nanf(\"\")");
    assert_string_equal(c_float(a, E_F64, -INFINITY), "-__builtin_inf()");
    assert_string_equal(c_float(a, E_BF16, 1), "0x3f80");
    assert_string_equal(c_integer(a, E_I64, INT64_MIN), "INT64_MIN");
    assert_string_equal(c_integer(a, E_I32, INT32_MIN), "INT32_MIN"); /* -2147483648 is long */
    assert_string_equal(c_integer(a, E_I64, (int64_t)INT32_MAX + 1), "INT64_C(2147483648)");
    assert_string_equal(c_dim(a, (dim_t){-3, 2}), "2 * U - 3");
    assert_string_equal(c_dim(a, (dim_t){3, 1}), "U + 3");
    assert_string_equal(c_string(a, "\"a\\\n?"), "\"\\\"a\\\\\\012\\077\""); /* no trigraph */
    arena_free(a);
}

static void comments_end_where_they_should(void **state) {
    (void)state;
    arena_t *a = arena_new();
    assert_string_equal(c_comment(a, "a */ b /* c\nd"), "a * / b / * c?d");
    sbuf_t s = {0};
    put_comment(&s, 0, "%s", "x */ y");
    assert_string_equal(s.data, "/* x * / y */\n");
    sbuf_free(&s);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_clash_with_nothing), cmocka_unit_test(scopes_give_names_back),
        cmocka_unit_test(literals_read_back), cmocka_unit_test(comments_end_where_they_should)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
