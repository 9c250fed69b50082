/* Medians and quartiles; labels without their layer; launches as a profile keeps them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/profile.h"
#include "report/statistics.h"

static void expect(const double *x, int n, double median, double low, double high) {
    spread_t s = spread_of(x, n);
    assert_float_equal(s.median, median, 1e-12);
    assert_float_equal(s.low, low, 1e-12);
    assert_float_equal(s.high, high, 1e-12);
}

static void quartiles(void **state) {
    (void)state;
    static const double one[] = {7}, two[] = {3, 1}, five[] = {5, 1, 4, 2, 300};
    static const double four[] = {4, 1, 3, 2}, equal[] = {2, 2, 2};
    expect(one, 1, 7, 7, 7);
    expect(two, 2, 2, 1.5, 2.5);
    expect(five, 5, 4, 2, 5);
    expect(four, 4, 2.5, 1.75, 3.25);
    expect(equal, 3, 2, 2, 2);
    assert_float_equal(five[4], 300, 0); /* the samples stay in their order */
    assert_float_equal(spread_width(spread_of(five, 5)), 0.375, 1e-12);
    assert_float_equal(spread_width((spread_t){0, 0, 1}), 0, 0);
}

static void kinds(void **state) {
    (void)state;
    static const struct {
        const char *label, *kind;
    } cases[] = {{"layer0.lsh.hash", "lsh.hash"},
                 {"layer123.feed_forward", "feed_forward"},
                 {"embed", "embed"},
                 {"layer.x", "layer.x"},
                 {"layer3", "layer3"},
                 {"layer3x.y", "layer3x.y"},
                 {"", ""}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        assert_string_equal(label_kind(cases[k].label), cases[k].kind);
}

static void launches(void **state) {
    (void)state;
    static const char *const names[] = {"embed", "layer0.a", "layer1.a", "layer0.a", "embed"};
    profile_t *p = profile_new();
    char copy[32]; /* the runtime's names do not outlive the call */
    for (int round = 0; round < 3; round++) {
        profile_begin(p, "forward");
        for (int k = 0; k < 5; k++) {
            strcpy(copy, names[k]);
            profile_launch(p, copy, 1);
            strcpy(copy, "?");
            profile_launch(p, copy, 0);
        }
        profile_end(p);
    }
    assert_int_equal(profile_count(p), 18);
    double inner = 0;
    for (size_t k = 0; k < 6; k++) {
        profile_event_t e = profile_at(p, 12 + k), outer = profile_at(p, 17);
        assert_string_equal(e.name, k < 5 ? names[k] : "forward");
        assert_true(e.seconds >= 0 && e.start >= outer.start);
        assert_true(e.start + e.seconds <= outer.start + outer.seconds + 1e-9);
        if (k < 5) inner += e.seconds;
    }
    assert_true(inner <= profile_at(p, 17).seconds + 1e-9);
    profile_clear(p);
    assert_int_equal(profile_count(p), 0);
    profile_free(p);
    profile_begin(NULL, "forward"); /* nobody listens */
    profile_end(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(quartiles), cmocka_unit_test(kinds),
                                       cmocka_unit_test(launches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
