/* Settings of a sweep: where commas separate alternatives and where they do not, and which settings a
 * point has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "commands/sweep/grid.h"

/* The alternatives joined by '|', or "error: MESSAGE". */
static const char *split(arena_t *a, const char *text) {
    diag_t *d = diag_new();
    axis_t x;
    const char *joined = "";
    if (axis_split(&x, a, "key", text, d)) {
        assert_int_equal(diag_errors(d), 0);
        for (int i = 0; i < x.n; i++)
            joined = arena_printf(a, "%s%s%s", joined, i ? "|" : "", x.values[i]);
    } else {
        char *said = NULL;
        size_t n;
        FILE *f = open_memstream(&said, &n);
        diag_print(d, f);
        fclose(f);
        assert_int_equal(diag_errors(d), 1);
        joined = arena_strdup(a, said);
        free(said);
    }
    diag_free(d);
    return joined;
}

static void test_alternatives(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"1", "1"},
        {"1,2,4,8", "1|2|4|8"},
        {" 1 ,\t2", "1|2"},
        {"null,[16,16]", "null|[16,16]"},
        {"[16,16],null,32", "[16,16]|null|32"},
        {"[[1,2],[3,4]],[5]", "[[1,2],[3,4]]|[5]"},
        {"{a: 1, b: [2,3]},{}", "{a: 1, b: [2,3]}|{}"},
        {"'a,b',c", "'a,b'|c"},
        {"\"a,b\",c", "\"a,b\"|c"},
        {"\"a\\\",b\",c", "\"a\\\",b\"|c"},
        {"'it''s, so',x", "'it''s, so'|x"},
        {"it's,that", "it's|that"},
        {"['a]', b],c", "['a]', b]|c"},
        {"[\"x,]\", 'y,]'],z", "[\"x,]\", 'y,]']|z"},
        {"a]b,c", "a]b|c"},
        {"", ""},
    };
    arena_t *a = arena_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(split(a, rows[i][0]), rows[i][1]);
    arena_free(a);
}

static void test_slips(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"1,,2", "an alternative in '1,,2' is empty"},
        {"1,", "an alternative in '1,' is empty"},
        {",1", "an alternative in ',1' is empty"},
        {" , ", "an alternative in ' , ' is empty"},
        {"1,2,1", "the alternative '1' stands twice"},
        {"[1,2", "a ']' is missing in '[1,2'"},
        {"3,{a: [1}", "a ']' is missing in '{a: [1}'"},
        {"1,'2", "a quote in ''2' is not closed"},
        {"\"a\\\"", "a quote in '\"a\\\"' is not closed"},
    };
    arena_t *a = arena_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(split(a, rows[i][0]),
                            arena_printf(a, "--set key: error: %s\n", rows[i][1]));
    arena_free(a);
}

static void test_points(void **state) {
    (void)state;
    static const setting_t sets[] = {{.key = "x", .value = "9,8"},
                                     {.key = "fixed", .value = "[1,2]"},
                                     {.key = "x", .value = "1,2"},
                                     {.key = "y", .value = "a,b,c"}};
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    grid_t g;
    assert_true(grid_make(&g, a, sets, 4, d));
    assert_int_equal(g.n_points, 6);
    assert_int_equal(g.n_axes, 3);
    static const char *const labels[] = {"x=1 y=a", "x=1 y=b", "x=1 y=c",
                                         "x=2 y=a", "x=2 y=b", "x=2 y=c"};
    for (int i = 0; i < 6; i++) {
        assert_string_equal(grid_label(&g, a, i), labels[i]);
        const setting_t *s = grid_settings(&g, a, i);
        assert_string_equal(s[0].key, "fixed");
        assert_string_equal(s[0].value, "[1,2]");
        assert_string_equal(s[2].key, "y");
        assert_string_equal(s[2].value, grid_value(&g, i, 2));
    }
    assert_true(grid_make(&g, a, sets, 0, d));
    assert_int_equal(g.n_points, 1);
    diag_free(d);
    arena_free(a);
}

static void test_too_many(void **state) {
    (void)state;
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    const char *hundred = "0";
    for (int i = 1; i < 100; i++) hundred = arena_printf(a, "%s,%d", hundred, i);
    const setting_t sets[] = {{.key = "a", .value = hundred}, {.key = "b", .value = hundred},
                              {.key = "c", .value = "1,2"},   {.key = "d", .value = hundred},
                              {.key = "e", .value = hundred}, {.key = "f", .value = hundred},
                              {.key = "g", .value = hundred}};
    grid_t g;
    assert_true(grid_make(&g, a, sets, 2, d));
    assert_int_equal(g.n_points, MAX_POINTS);
    assert_false(grid_make(&g, a, sets, 3, d));
    assert_false(grid_make(&g, a, sets, 7, d));
    assert_int_equal(diag_errors(d), 2);
    diag_free(d);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alternatives),
        cmocka_unit_test(test_slips),
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
