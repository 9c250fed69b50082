/* What of an update differs from step to step: values worked out by hand and by Python's math. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "reformer_rt.h"

static void is(const float *c, int which, double want) {
    if (!(fabs((double)c[which] - want) <= 6e-8 * fabs(want)))
        fail_msg("coefficient %d is %.9g, should be %.9g", which, (double)c[which], want);
}

static void adam(void **state) {
    (void)state;
    float c[REFORMER_COEFFICIENTS];
    reformer_optimizer_t o = {
        .type = REFORMER_ADAMW, .betas = {0.9, 0.999}, .weight_decay = 0.1, .lr = 7};
    reformer_coefficients(&o, 1e-3, 1, c);
    is(c, REFORMER_RATE_STEP, -1e-2);
    is(c, REFORMER_RATE_ROOT, 0.031622776601683805);
    is(c, REFORMER_RATE_KEPT, 0.9999);
    assert_true(c[REFORMER_RATE_SHARE] == 1 && c[REFORMER_RATE_CLIP] == 1);
    reformer_coefficients(&o, 1e-3, 100, c);
    is(c, REFORMER_RATE_STEP, -0.0010000265621044142);
    is(c, REFORMER_RATE_ROOT, 0.30855769782374753);
    reformer_coefficients(&o, 1e-3, 10000000, c);
    is(c, REFORMER_RATE_STEP, -1e-3);
    is(c, REFORMER_RATE_ROOT, 1);
    reformer_coefficients(&o, 0, 1, c); /* the first step of a warm-up */
    assert_true(c[REFORMER_RATE_STEP] == 0 && c[REFORMER_RATE_KEPT] == 1);
    o.type = REFORMER_ADAM; /* its decay joins the gradient */
    reformer_coefficients(&o, 1e-3, 1, c);
    assert_true(c[REFORMER_RATE_KEPT] == 1);
    o.dialect = REFORMER_TRAX; /* corrected by the exponent 2; a decay that no rate scales */
    reformer_coefficients(&o, 1e-3, 1, c);
    is(c, REFORMER_RATE_STEP, -1e-3 / (1 - 0.9 * 0.9));
    is(c, REFORMER_RATE_KEPT, 0.9);
}

static void sgd(void **state) {
    (void)state;
    float c[REFORMER_COEFFICIENTS];
    reformer_optimizer_t o = {.type = REFORMER_SGD, .momentum = 0.9, .dampening = 0.25};
    reformer_coefficients(&o, 0.1, 1, c); /* the buffer is the gradient, not dampened */
    is(c, REFORMER_RATE_STEP, -0.1);
    assert_true(c[REFORMER_RATE_OLD] == 0 && c[REFORMER_RATE_NEW] == 1);
    reformer_coefficients(&o, 0.1, 2, c);
    is(c, REFORMER_RATE_OLD, 0.9);
    is(c, REFORMER_RATE_NEW, 0.75);
}

static void adafactor(void **state) {
    (void)state;
    float c[REFORMER_COEFFICIENTS];
    reformer_optimizer_t o = {.type = REFORMER_ADAFACTOR, .decay_rate = -0.8};
    reformer_coefficients(&o, 0.01, 1, c); /* nothing is remembered */
    assert_true(c[REFORMER_RATE_OLD] == 0 && c[REFORMER_RATE_NEW] == 1);
    is(c, REFORMER_RATE_STEP, 0.01);
    reformer_coefficients(&o, 0.01, 1000, c);
    is(c, REFORMER_RATE_OLD, 0.996018928294465);
    is(c, REFORMER_RATE_NEW, 0.003981071705534972);
    o.dialect = REFORMER_TRAX;
    reformer_coefficients(&o, 0.01, 1, c);
    is(c, REFORMER_RATE_OLD, 0.42565082250148256);
}

static void clip(void **state) {
    (void)state;
    float c[REFORMER_COEFFICIENTS] = {0};
    static const double cases[][3] = {
        {1, 1, 0.999999000001}, {4, 1, 0.25 / (1 + 0.25e-6)}, {0.5, 1, 1}, {0, 1, 1}, {1e9, 0, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reformer_clip(cases[i][0], cases[i][1], c);
        is(c, REFORMER_RATE_CLIP, cases[i][2]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adam),
        cmocka_unit_test(sgd),
        cmocka_unit_test(adafactor),
        cmocka_unit_test(clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
