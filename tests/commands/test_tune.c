/* When a time counts as better. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commands/tune/tune.h"

static void better_is_beyond_the_noise(void **state) {
    (void)state;
    assert_true(tune_is_better((spread_t){0.95, 0.93, 0.99}));
    assert_true(tune_is_better((spread_t){0.99, 0.99, 0.99}));
    assert_false(
        tune_is_better((spread_t){0.95, 0.90, 1.01})); /* slower in a quarter of the rounds */
    assert_false(tune_is_better((spread_t){0.995, 0.99, 0.998})); /* not worth a line */
    assert_false(tune_is_better((spread_t){1, 1, 1}));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(better_is_beyond_the_noise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
