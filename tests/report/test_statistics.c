/* Medians and quartiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(quartiles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
