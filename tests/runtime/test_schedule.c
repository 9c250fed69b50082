/* Rates of schedules against transformers' and trax's own (values printed by their code), the functions below them against
 * libm, and rotations: which numbers, where they stand, how they are distributed. */
#include "fake.h"

#include <math.h>

#include "real.h"

/* ---- arithmetic ------------------------------------------------------------------------------ */

static void functions_of_libm(void **state) {
    (void)state;
    double worst_pow = 0, worst_circle = 0;
    for (int i = 1; i <= 100000; i++) {
        double x = i * 1e-3, turns = (i - 50000) * 1.37e-4;
        assert_true(reformer_sqrt(x) == sqrt(x));
        double e = fabs(reformer_pow(x, -0.8) / pow(x, -0.8) - 1);
        if (e > worst_pow) worst_pow = e;
        /* libm's argument is rounded already: of few turns not by much */
        double whole = turns - rint(turns);
        e = fmax(fabs(reformer_cos_turns(turns) - cos(2 * M_PI * whole)),
                 fabs(reformer_sin_turns(turns) - sin(2 * M_PI * whole)));
        if (e > worst_circle) worst_circle = e;
    }
    if (worst_pow > 2e-15) fail_msg("pow is off by %g", worst_pow);
    if (worst_circle > 7e-16) fail_msg("the circle is off by %g", worst_circle);
    assert_true(reformer_pow(0, 2) == 0 && reformer_pow(0, 0) == 1 && reformer_pow(7, 0) == 1);
    assert_true(reformer_pow(2, 1e9) == INFINITY && reformer_pow(0.5, 1e9) == 0);
    assert_true(reformer_cos_turns(0) == 1 && reformer_cos_turns(0.5) == -1);
    assert_true(reformer_sin_turns(0.25) == 1 && reformer_sin_turns(-0.25) == -1);
}

/* ---- schedules -------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    reformer_schedule_t s;
    double rate[8];
} course_t;

/* Of a rate of 0.5, warm-up 7 of 50 steps where there is any. */
static const int64_t steps[8] = {0, 1, 7, 8, 30, 49, 50, 59};
#define WARM .warmup = 7, .total = 50
static const course_t courses[] = {
    {"none", {.type = REFORMER_SCHEDULE_NONE, WARM}, {.5, .5, .5, .5, .5, .5, .5, .5}},
    {"constant",
     {.type = REFORMER_SCHEDULE_CONSTANT, WARM},
     {0, 0.07142857142857142, .5, .5, .5, .5, .5, .5}},
    {"linear",
     {.type = REFORMER_SCHEDULE_LINEAR, WARM},
     {0, 0.07142857142857142, 0.5, 0.4883720930232558, 0.23255813953488372, 0.011627906976744186, 0,
      0}},
    {"linear without a warm-up",
     {.type = REFORMER_SCHEDULE_LINEAR, .total = 50},
     {0.5, 0.49, 0.43, 0.42, 0.2, 0.01, 0, 0}},
    {"cosine",
     {.type = REFORMER_SCHEDULE_COSINE, WARM, .num_cycles = .5},
     {0, 0.07142857142857142, 0.5, 0.4993330709158879, 0.22265719790553146, 0.000666929084112089, 0,
      0.052125877892686384}},
    {"cosine to a tenth",
     {.type = REFORMER_SCHEDULE_COSINE, WARM, .num_cycles = .5, .min_ratio = .1},
     {0, 0.07142857142857142, 0.5, 0.4993997638242991, 0.2503914781149783, 0.050600236175700884,
      0.05, 0.09691329010341776}},
    {"cosine, three falls",
     {.type = REFORMER_SCHEDULE_COSINE, WARM, .num_cycles = 1.5},
     {0, 0.07142857142857142, 0.5, 0.4940189693889818, 0.3307201011928613, 0.005981030611018234, 0,
      0.34777618012253886}},
    {"inverse_sqrt",
     {.type = REFORMER_SCHEDULE_INVERSE_SQRT, WARM},
     {0, 0.07142857142857142, 0.5, 0.46770717334674267, 0.24152294576982397, 0.1889822365046136,
      0.18708286933869708, 0.172223740956793}},
    {"inverse_sqrt of a timescale",
     {.type = REFORMER_SCHEDULE_INVERSE_SQRT, WARM, .timescale = 20},
     {0, 0.07142857142857142, 0.5, 0.48795003647426655, 0.34099716973523675, 0.2839809171235324,
      0.2817180849095055, 0.26352313834736496}},
    {"inverse_sqrt without a warm-up",
     {.type = REFORMER_SCHEDULE_INVERSE_SQRT},
     {0.5, 0.49997500187484384, 0.4998250918214391, 0.49980011992005596, 0.49925168329229447,
      0.4987794835708133, 0.49875466805381646, 0.49853149494932336}},
    {"polynomial",
     {.type = REFORMER_SCHEDULE_POLYNOMIAL, WARM, .power = 2, .lr_end = 1e-3},
     {0, 0.07142857142857142, 0.5, 0.47706057328285556, 0.10895024337479721, 0.0012698756084369939,
      0.001, 0.001}},
    /* llm.c's: 0.8 of 50 steps are stable; then 1 - sqrt(done) of what is above a tenth */
    {"wsd",
     {.type = REFORMER_SCHEDULE_WSD,
      WARM,
      .warmup_from = REFORMER_WARMUP_FIRST,
      .decay_from = .8,
      .min_ratio = .1},
     {0.07142857142857142, 0.14285714285714285, 0.5, 0.5, 0.5, 0.07309251587726881, 0.05, 0.05}},
};

static void close_to(const char *name, int64_t step, double is, double want) {
    if (fabs(is - want) > 1e-15 + 4e-15 * fabs(want))
        fail_msg("%s, step %lld: %.17g, not %.17g", name, (long long)step, is, want);
}

static void rates_of_schedules(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof courses / sizeof *courses; i++)
        for (int k = 0; k < 8; k++)
            close_to(courses[i].name, steps[k], reformer_schedule_rate(&courses[i].s, .5, steps[k]),
                     courses[i].rate[k]);
}

#define USUAL                                                                                      \
    .factors = {REFORMER_FACTOR_CONSTANT, REFORMER_FACTOR_LINEAR_WARMUP,                           \
                REFORMER_FACTOR_RSQRT_DECAY},                                                      \
    .n_factors = 3

/* By trax's step, which is 1 at the first update. */
static const int64_t counted[8] = {0, 1, 2, 30, 401, 1199, 8000, 100500};
static const course_t products[] = {
    {"trax's default",
     {USUAL, .constant = .1, .warmup = 400},
     {0, 1.25e-05, 2.5e-05, 0.000375, 0.004993761694389223, 0.002887954911289539,
      0.001118033988749895, 0.0003154401489382559}},
    {"of the paper's Reformers",
     {USUAL, .constant = 1, .warmup = 8000},
     {0, 1.3975424859373686e-06, 2.7950849718747372e-06, 4.1926274578121055e-05,
      0.0005604145368608848, 0.001675653440638905, 0.011180339887498949, 0.003154401489382559}},
    {"cosine_decay",
     {.factors = {REFORMER_FACTOR_CONSTANT, REFORMER_FACTOR_LINEAR_WARMUP,
                  REFORMER_FACTOR_COSINE_DECAY},
      .n_factors = 3,
      .constant = .01,
      .warmup = 100,
      .steps_per_cycle = 900},
     {0, 0.0001, 0.0002, 0.003, 0.0074848698051377775, 0.008841417617967617, 0.0011697777844051017,
      0.004131759111665325}},
    {"two_constants, decay_every",
     {.factors = {REFORMER_FACTOR_TWO_CONSTANTS, REFORMER_FACTOR_DECAY_EVERY},
      .n_factors = 2,
      .constant = .1,
      .second_constant = .01,
      .second_constant_step = 30,
      .decay_factor = .5,
      .steps_per_decay = 7},
     {0.1, 0.1, 0.1, 0.000625, 6.938893903907229e-20, 3.3409558876152446e-54, 0, 0}},
    {"rsqrt_normalized_decay, with a minimum",
     {.factors = {REFORMER_FACTOR_LINEAR_WARMUP, REFORMER_FACTOR_RSQRT_NORMALIZED_DECAY},
      .n_factors = 2,
      .warmup = 30,
      .minimum = .01},
     {0.01, 0.03333333333333333, 0.06666666666666667, 1.0, 0.2735195926822197, 0.15817980499711112,
      0.06123724356957945, 0.017277368511627204}},
};

static void rates_of_products(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        reformer_schedule_t s = products[i].s;
        s.type = REFORMER_SCHEDULE_MULTIFACTOR;
        for (int k = 0; k < 8; k++) {
            s.warmup_from = REFORMER_WARMUP_ZERO;
            double want = products[i].rate[k];
            close_to(products[i].name, counted[k], reformer_schedule_rate(&s, 1, counted[k]), want);
            s.warmup_from = REFORMER_WARMUP_FIRST;
            double first = counted[k] ? reformer_schedule_rate(&s, 3, counted[k] - 1) : 3 * want;
            close_to(products[i].name, counted[k], first, 3 * want);
        }
    }
}

/* Numbers that no schedule means anything with give a rate all the same, not a division by zero. */
static void nothing_to_divide_by(void **state) {
    (void)state;
    for (int type = 0; type <= REFORMER_SCHEDULE_MULTIFACTOR; type++) {
        reformer_schedule_t s = {.type = (reformer_schedule_type_t)type, .n_factors = 7};
        for (int i = 0; i < 7; i++) s.factors[i] = (reformer_factor_t)i;
        for (int64_t k = 0; k < 3; k++) assert_true(isfinite(reformer_schedule_rate(&s, 1, k)));
    }
}

static void adafactors_own_rate(void **state) {
    (void)state;
    reformer_training_t t = {.optimizer = {.type = REFORMER_ADAFACTOR, .lr = 7, .relative_step = 1},
                             .schedule = {.type = REFORMER_SCHEDULE_NONE}};
    assert_true(reformer_learning_rate(&t, 0) == 1e-2);
    assert_true(reformer_learning_rate(&t, 39999) == 1 / sqrt(40000.));
    t.optimizer.warmup_init = 1;
    assert_true(reformer_learning_rate(&t, 0) == 1e-6);
    assert_true(reformer_learning_rate(&t, 99) == 1e-6 * 100);
    t.optimizer.relative_step = 0;
    assert_true(reformer_learning_rate(&t, 0) == 7);
}

/* ---- rotations -------------------------------------------------------------------------------- */

enum { HEADS = 2, SIZE = 3, ROUNDS = 5, HALF = 7, ALL = HEADS * SIZE * ROUNDS * HALF };
static const reformer_rotations_t small = {
    .layer = 3, .heads = HEADS, .head_size = SIZE, .rounds = ROUNDS, .half = HALF};

/* The first words of Philox4x32-10 under counter (0, 3 << 16, 1 << 8, 9) and key (5, 2), computed apart from this. */
static void first_rotations(void **state) {
    (void)state;
    static const uint32_t words[4] = {0x5b520f80, 0xaa053c32, 0xc5dff004, 0x780d2031};
    float drawn[ALL];
    reformer_draw_rotations(&small, UINT64_C(2) << 32 | 5, 9, 0, 0, 1, drawn);
    for (int i = 0; i < 4; i += 2) {
        double u = ldexp(words[i] + .5, -32), v = ldexp(words[i + 1] + .5, -32);
        double radius = sqrt(-2 * log(u));
        assert_true(fabs(drawn[i] - radius * cos(2 * M_PI * v)) < 1e-6);
        assert_true(fabs(drawn[i + 1] - radius * sin(2 * M_PI * v)) < 1e-6);
    }
}

static void packed_rotations(void **state) {
    (void)state;
    float plain[ALL], packed[ALL];
    reformer_draw_rotations(&small, 7, 1, 0, 0, 1, plain);
    reformer_draw_rotations(&small, 7, 1, 1, 0, 1, packed);
    for (int h = 0; h < HEADS; h++)
        for (int j = 0; j < SIZE; j++)
            for (int n = 0; n < ROUNDS; n++)
                for (int r = 0; r < HALF; r++)
                    assert_true(plain[((h * SIZE + j) * ROUNDS + n) * HALF + r] ==
                                packed[((h * ROUNDS + n) * SIZE + j) * HALF + r]);
}

/* Whatever part another thread draws; more parts than there are blocks of normals. */
static void rotations_in_parts(void **state) {
    (void)state;
    for (int in_weights = 0; in_weights < 2; in_weights++) {
        float whole[ALL], parts[ALL];
        reformer_draw_rotations(&small, 7, 1, in_weights, 0, 1, whole);
        for (int n = 2; n <= 9; n++) {
            for (int i = 0; i < ALL; i++) parts[i] = NAN;
            for (int i = n - 1; i >= 0; i--)
                reformer_draw_rotations(&small, 7, 1, in_weights, i, n, parts);
            assert_memory_equal(parts, whole, sizeof whole);
        }
    }
}

/* Standard normals by their first four moments, and others wherever a number of theirs is another. */
static void many_rotations(void **state) {
    (void)state;
    enum { MANY = 1 << 17 };
    static float a[MANY], b[MANY];
    reformer_rotations_t r = {.layer = 0, .heads = 8, .head_size = 64, .rounds = 4, .half = 64};
    reformer_draw_rotations(&r, 1, 0, 0, 0, 1, a);
    double moments[5] = {0};
    for (int i = 0; i < MANY; i++) {
        double x = 1;
        for (int k = 1; k <= 4; k++) moments[k] += (x *= (double)a[i]) / MANY;
    }
    static const double want[5] = {0, 0, 1, 0, 3}, within[5] = {0, .012, .016, .03, .12};
    for (int k = 1; k <= 4; k++)
        if (fabs(moments[k] - want[k]) > within[k]) fail_msg("moment %d is %g", k, moments[k]);
    for (int which = 0; which < 3; which++) {
        reformer_rotations_t other = r;
        if (which == 0) other.layer = 1;
        reformer_draw_rotations(&other, which == 1 ? 2 : 1, which == 2, 0, 0, 1, b);
        double product = 0;
        for (int i = 0; i < MANY; i++) product += (double)a[i] * (double)b[i] / MANY;
        if (fabs(product) > .014) fail_msg("numbers that are not independent: %g", product);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_libm),   cmocka_unit_test(rates_of_schedules),
        cmocka_unit_test(rates_of_products),   cmocka_unit_test(nothing_to_divide_by),
        cmocka_unit_test(adafactors_own_rate), cmocka_unit_test(first_rotations),
        cmocka_unit_test(packed_rotations),    cmocka_unit_test(rotations_in_parts),
        cmocka_unit_test(many_rotations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
