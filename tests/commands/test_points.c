/* Passes of a sweep's points: medians, quartiles, and the Pareto front that several passes settle or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "commands/sweep/sweep.h"

enum { TOKENS = 1200, MAX = 4 };

static arena_t *arena;
static point_t points[MAX];

static score_t score_of(double bits, double seconds) {
    return (score_t){.window = 64,
                     .batch = 1,
                     .scored = TOKENS,
                     .read = TOKENS,
                     .bytes = TOKENS,
                     .nats = bits * log(2.0) * TOKENS,
                     .seconds = seconds};
}

static void add(point_t *p, double bits, const double *seconds, int n) {
    for (int i = 0; i < n; i++) {
        score_t x = score_of(bits, seconds[i]);
        assert_true(point_add_pass(arena, p, &x, 10 * seconds[i], (size_t)(100 * seconds[i])));
    }
    point_conclude(p);
}

static void medians(void **state) {
    (void)state;
    point_t p = {0};
    static const double seconds[] = {3, 40, 1, 2, 4};
    add(&p, 2, seconds, 5);
    assert_true(p.state == POINT_DONE && p.n_passes == 5);
    assert_float_equal(p.score.seconds, 3, 1e-12);
    assert_float_equal(p.speed.median, 400, 1e-9);
    assert_float_equal(p.speed.low, 300, 1e-9); /* the slower quartile: 4 s */
    assert_float_equal(p.speed.high, 600, 1e-9);
    assert_float_equal(p.compile_seconds, 30, 1e-9);
    assert_int_equal(p.peak_rss, 300);
    assert_float_equal(score_bits(&p.score), 2, 1e-12);
    assert_float_equal(p.passes[1].seconds, 40, 0); /* in their order, for the record */
}

static void other_sums(void **state) {
    (void)state;
    point_t p = {0};
    static const double seconds[] = {1};
    add(&p, 2, seconds, 1);
    score_t other = score_of(2.5, 1), shorter = score_of(2, 1);
    shorter.read--;
    assert_false(point_add_pass(arena, &p, &other, 1, 1));
    assert_false(point_add_pass(arena, &p, &shorter, 1, 1));
    assert_int_equal(p.n_passes, 1);
}

/* Of each point bits and three times; wanted: "*" on the front, "~" unsettled. */
typedef struct {
    double bits, seconds[3];
    const char *marks;
} row_t;

static void check_front(const row_t *rows, int n, int passes) {
    sweep_t s = {.points = points, .grid = {.n_points = n}, .repeat = passes};
    for (int i = 0; i < n; i++) {
        points[i] = (point_t){0};
        add(&points[i], rows[i].bits, rows[i].seconds, passes);
    }
    assert_true(sweep_is_complete(&s));
    sweep_mark_front(&s);
    for (int i = 0; i < n; i++) {
        const char *marks[] = {"", "~", "*", "*~"};
        assert_string_equal(marks[2 * points[i].front + points[i].unsettled], rows[i].marks);
    }
}

static void front(void **state) {
    (void)state;
    /* far apart: nothing overlaps */
    static const row_t clear[] = {{1.0, {4, 4.1, 4.2}, "*"},
                                  {2.0, {1, 1.1, 1.2}, "*"},
                                  {2.5, {2, 2.1, 2.2}, ""},
                                  {1.5, {2, 2.1, 2.2}, "*"}};
    check_front(clear, 4, 3);
    /* the better one is slower by less than they scatter: the worse one may be off the front */
    static const row_t close[] = {{1.0, {2, 2.2, 2.4}, "*"}, {1.1, {1.9, 2.1, 2.3}, "*~"}};
    check_front(close, 2, 3);
    /* … or on it, though its median says no */
    static const row_t under[] = {{1.0, {1.9, 2.1, 2.3}, "*"}, {1.1, {2, 2.2, 2.4}, "~"}};
    check_front(under, 2, 3);
    /* one that is faster beyond doubt settles it, whatever overlaps besides */
    static const row_t settled[] = {
        {1.0, {2, 2.2, 2.4}, "*"}, {1.1, {2.1, 2.3, 2.5}, ""}, {1.05, {1, 1.1, 1.2}, "*"}};
    check_front(settled, 3, 3);
    /* equally good: one of two that overlap is on it */
    static const row_t equal[] = {{1.0, {2, 2.2, 2.4}, "*~"}, {1.0, {2.1, 2.3, 2.5}, "~"}};
    check_front(equal, 2, 3);
    /* a single pass says nothing of what is settled */
    static const row_t single[] = {{1.0, {2}, "*"}, {1.1, {2}, ""}, {1.2, {1}, "*"}};
    check_front(single, 3, 1);
}

static void completeness(void **state) {
    (void)state;
    static const double seconds[] = {1, 2};
    for (int i = 0; i < 3; i++) points[i] = (point_t){0};
    sweep_t s = {.points = points, .grid = {.n_points = 3}, .repeat = 2};
    assert_false(sweep_is_complete(&s));
    add(&points[0], 1, seconds, 2);
    add(&points[1], 1, seconds, 1);
    points[2].state = POINT_INVALID;
    assert_false(sweep_is_complete(&s));
    assert_int_equal(sweep_passes(&s, 2), 3);
    assert_int_equal(sweep_passes(&s, 1), 2); /* more than asked for count as what was asked for */
    add(&points[1], 1, seconds, 1);
    assert_true(sweep_is_complete(&s));
}

static int setup(void **state) {
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(medians), cmocka_unit_test(other_sums),
                                       cmocka_unit_test(front), cmocka_unit_test(completeness)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
