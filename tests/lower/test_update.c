/* Updates of weights: by the reference and by modules of every target, against what torch, transformers and trax make of the
 * same gradients; by code to the bit what the interpreter gives, on any number of threads. */
#include "update_machine.h"

/* ---- numbers -------------------------------------------------------------------------------------- */

enum { TENSORS = 7, STEPS = 6, PLACES = 3 };

static const tensor_say_t tensors[TENSORS] = {
    {.name = "a", .rank = 2, .shape = {64, 32}},   {.name = "b", .rank = 3, .shape = {8, 1, 16}},
    {.name = "c", .rank = 3, .shape = {1, 8, 16}}, {.name = "d", .rank = 1, .shape = {32}},
    {.name = "e", .rank = 1, .shape = {64}},       {.name = "f", .rank = 2, .shape = {7, 5}},
    {.name = "g", .rank = 2, .shape = {96, 64}}};

typedef struct {
    const char *what;
    reformer_optimizer_t rule;
    double max_norm, norm;
    double want[TENSORS][PLACES];
} case_t;
static const case_t cases[] = {
#include "update_values.h"
};
enum { CASES = sizeof cases / sizeof *cases };

static float next(uint32_t *bits) {
    *bits = *bits * 1664525 + 1013904223;
    return (float)(*bits >> 8) * 0x1p-23F - 1;
}

/* Of all tensors, one after the other. */
static void fill(const updates_t *u, float *to, uint32_t seed, float scale) {
    for (int i = 0; i < u->update->n; i++) {
        int64_t n, at = tensor_at(u, i, &n);
        for (int64_t k = 0; k < n; k++) to[at + k] = next(&seed) * scale;
    }
}

/* Those of update_values.py. */
static void fill_gradients(const updates_t *u, float *to, int step) {
    int64_t n, at = tensor_at(u, 5, &n);
    fill(u, to, 100 + (uint32_t)step, ldexpf(1, -(3 * step % 8)));
    if (step == 3) memset(to + at, 0, (size_t)n * sizeof *to);
}

static double rate_at(const reformer_optimizer_t *o, int step) {
    double t = step + 1;
    if (o->relative_step) return fmin(o->warmup_init ? 1e-6 * t : 1e-2, 1 / sqrt(t));
    return o->lr * t / STEPS;
}

static void compare(const case_t *c, const updates_t *u, const update_slots_t *s, const char *by) {
    if (!(fabs(s->norm - c->norm) <= 1e-6 * c->norm))
        fail_msg("%s, %s: the norm is %.9g, should be %.9g", c->what, by, s->norm, c->norm);
    for (int i = 0; i < TENSORS; i++) {
        int64_t n, at = tensor_at(u, i, &n);
        const int64_t places[PLACES] = {0, n / 2, n - 1};
        for (int k = 0; k < PLACES; k++) {
            double got = (double)s->params[at + places[k]], want = c->want[i][k];
            if (!(fabs(got - want) <= 1e-6 * 0.25))
                fail_msg("%s, %s: element %lld of %s is %.9g, should be %.9g", c->what, by,
                         (long long)places[k], tensors[i].name, got, want);
        }
    }
}

/* ---- values --------------------------------------------------------------------------------------- */

static void by_reference(void **state) {
    (void)state;
    for (int c = 0; c < CASES; c++) {
        updates_t *u = updates_new(tensors, TENSORS, &cases[c].rule, cases[c].max_norm);
        update_slots_t *s = slots_new(u);
        fill(u, s->params, 1, 0.25F);
        for (int k = 0; k < STEPS; k++) {
            fill_gradients(u, s->sum, k);
            slots_reference(u, s, rate_at(&cases[c].rule, k), k + 1);
        }
        compare(&cases[c], u, s, "reference");
        updates_free(u);
    }
}

static module_t *verified(updates_t *u, const target_t *t) {
    module_t *m = updates_module(u, t, "update");
    pass_options_t o = {.verify_each = true};
    if (loops_verify(m, u->diag) && loops_run_passes(m, &o, u->diag)) return m;
    diag_print(u->diag, stderr);
    fail_msg("see the messages above");
    return NULL;
}

static void by_interpreter(void **state) {
    (void)state;
    for (int c = 0; c < CASES; c++)
        for (int t = c % 2; t < T_COUNT; t += 2) {
            updates_t *u = updates_new(tensors, TENSORS, &cases[c].rule, cases[c].max_norm);
            interpreted_t run = {verified(u, &targets[t]), u->diag};
            update_slots_t *s = slots_new(u);
            fill(u, s->params, 1, 0.25F);
            for (int k = 0; k < STEPS; k++) {
                fill_gradients(u, s->sum, k);
                slots_step(u, s, run.m, rate_at(&cases[c].rule, k), k + 1, 1, run_interpreted,
                           &run);
            }
            compare(&cases[c], u, s, targets[t].name);
            updates_free(u);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_reference),
        cmocka_unit_test(by_interpreter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
