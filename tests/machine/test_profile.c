/* Labels without their layer; launches as a profile keeps them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/profile.h"

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
    const struct CMUnitTest tests[] = {cmocka_unit_test(kinds), cmocka_unit_test(launches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
