/* exp, log, tanh, erf and every activation, run by the interpreter of Loops at every target, against
 * libm in double: at most a few units in the last place, and no surprise at the ends of the range. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "formulas.h"
#include "lower/math.h"

enum { N = 4096 };
typedef value_t *formula_fn(lower_t *L, builder_t *b, value_t *x);

/* Applies f, NULL: the activation, to N inputs, as vectors or as scalars, on the interpreter. */
static void apply(const target_t *t, act_t act, formula_fn *f, bool vectors, const float *in,
                  float *out) {
    arena_t *a = arena_new();
    tiles_t tiles = tiles_for(t);
    gnode_t node = {.op = G_ACTIVATION, .act = act}, *nodes[] = {&node};
    graph_t g = {.nodes = nodes, .n_nodes = 1};
    lower_t L = {.arena = a, .g = &g, .tiles = &tiles, .lanes = t->vector_bytes / 4};
    L.m = module_new(a, "math", t, (units_t){0, 0});
    lower_math(&L);
    dim_t n = dim(N), tasks = dim(1);
    const char *task = "once";
    buffer_t *x = module_buffer(L.m, BUF_INPUT, "x", E_F32, 1, &n);
    buffer_t *y = module_buffer(L.m, BUF_OUTPUT, "y", E_F32, 1, &n);
    x->slot = REFORMER_SLOT_IDS;
    y->slot = REFORMER_SLOT_LOGITS;
    builder_t b = build_kernel(L.m, "apply", 1, &tasks, &task);
    int width = vectors ? L.lanes : 1;
    inst_t *loop = b_for(&b, "i", dim(0), dim(N / width), 0, NULL);
    affine_t at = ax_scale(ax_v(loop_var(loop)), width);
    value_t *in_x = b_load(&b, x, width, &at);
    b_store(&b, y, f ? f(&L, &b, in_x) : m_activation(&L, &b, act, in_x), &at);
    b_end_for(&b, loop, NULL);
    lfunc_t *kernel = b.fn;
    builder_t e = build_entry(L.m, "forward");
    b_launch(&e, kernel, NULL);
    diag_t *d = diag_new();
    reformer_call_t call = {.threads = 1};
    call.slot[REFORMER_SLOT_IDS] = (void *)(uintptr_t)in;
    call.slot[REFORMER_SLOT_LOGITS] = out;
    bool ok = loops_verify(L.m, d) && loops_interpret(L.m, &call, d);
    diag_print(d, stderr);
    assert_true(ok);
    diag_free(d);
    arena_free(a);
}

static void fill(float *x, double lo, double hi) {
    for (int i = 0; i < N; i++) x[i] = (float)(lo + (hi - lo) * i / (N - 1));
}

/* |got - want| within `ulps` units of max(|want|, floor). */
static void check(const char *name, const float *in, const float *got, double (*want)(double),
                  double ulps, double floor_) {
    for (int i = 0; i < N; i++) {
        double w = want(in[i]), unit = fmax(fabs(w), floor_) * ldexp(1, -23);
        if (!(fabs(got[i] - w) <= ulps * unit))
            fail_msg("%s(%.9g) = %.9g, should be %.9g", name, in[i], got[i], w);
    }
}

static const struct {
    const char *name;
    formula_fn *formula;
    double (*want)(double);
    double lo, hi, ulps, floor_;
} functions[] = {
    {"exp", m_exp, exp, -86, 87, 2, 1e-37}, {"exp2", m_exp2, exp2, -125.9, 126.9, 2, 1e-37},
    {"log", m_log, log, 1e-6, 1e6, 2, 0.1}, {"tanh", m_tanh, tanh, -12, 12, 4, 1e-6},
    {"erf", m_erf, erf, -6, 6, 3, 1e-6},
};

static void functions_match_libm(void **state) {
    (void)state;
    static float x[N], y[N];
    for (int t = 0; t < T_LEVELS; t++)
        for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
            for (int vectors = 0; vectors < 2; vectors++) {
                fill(x, functions[i].lo, functions[i].hi);
                apply(&targets[t], ACT_RELU, functions[i].formula, vectors, x, y);
                check(functions[i].name, x, y, functions[i].want, functions[i].ulps,
                      functions[i].floor_);
            }
}

/* Absolute error 1e-6 within ±8, relative beyond: 1 + erf cancels on the left as it does in torch. */
static void activations_match(void **state) {
    (void)state;
    static float x[N], y[N];
    fill(x, -30, 30);
    for (int act = 0; act < ACT_COUNT; act++)
        for (int t = 0; t < 3; t++) {
            apply(&targets[t], (act_t)act, NULL, true, x, y);
            check(act_name((act_t)act), x, y, activations[act], 8, 1);
        }
}

static void ends_of_the_range(void **state) {
    (void)state;
    static float x[N], y[N];
    fill(x, 0, 0);
    const float in[] = {-1e30f, -88.5f, -INFINITY, 0, NAN, 1e30f};
    memcpy(x, in, sizeof in);
    for (int t = 0; t < 3; t++) {
        apply(&targets[t], ACT_RELU, m_exp, true, x, y);
        assert_true(y[0] == 0 && y[1] == 0 && y[2] == 0 && y[3] == 1);
        assert_true(isnan(y[4]));
        assert_true(y[5] > 1e38f && !isinf(y[5]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_match_libm),
        cmocka_unit_test(activations_match),
        cmocka_unit_test(ends_of_the_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
