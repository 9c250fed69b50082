/* Sums over rows: two chunks of random rows through the interpreter at every target, gcc's and clang's C and the JIT,
 * against a few lines of double; the same bits for every tile. */
#include "../emit/emit_test.h"

#include "sums_module.h"

/* ---- numbers ----------------------------------------------------------------------------------- */

static float next(uint32_t *bits) {
    *bits = *bits * 1664525 + 1013904223;
    return (float)(*bits >> 8) * 0x1p-23F - 1;
}

/* Rows in panels, zeros beyond the width. */
static void fill(float *to, int width, int panels, uint32_t seed) {
    memset(to, 0, sizeof *to * (size_t)(panels * ROWS * PANEL));
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < width; c++)
            to[(c / PANEL * ROWS + r) * PANEL + c % PANEL] = next(&seed);
}

static float at(const float *from, int r, int c) {
    return from[(c / PANEL * ROWS + r) * PANEL + c % PANEL];
}

static float memory[4][SLOT_BYTES / 4];

static const unsigned char *const *inputs(void) {
    static const unsigned char *slots[REFORMER_SLOTS];
    static const int slot[] = {DY, X, DY_2, X_2};
    for (int i = 0; i < 4; i++) {
        fill(memory[i], i % 2 ? IN : OUT, i % 2 ? IN_PANELS : OUT_PANELS, 7 + (uint32_t)i);
        slots[slot[i]] = (const unsigned char *)memory[i];
    }
    return slots;
}

static void close_to(double got, double want, double size, const char *what) {
    double rounding = 2 * (ROWS + CHUNKS) * 0x1p-24 * size;
    if (!(fabs(got - want) <= rounding)) fail_msg("%s: %.9g, should be %.9g", what, got, want);
}

static float *results(const run_t *r, size_t bytes) {
    return (float *)(void *)((unsigned char *)r->call.slot[RESULTS] + bytes);
}

static void check(const run_t *r) {
    const float *weight = results(r, 0) + PLACE * OUT * IN,
                *bias = results(r, BIAS_AT) + PLACE * OUT;
    for (int o = 0; o < OUT; o++) {
        double sum = 0, sum_size = 0;
        for (int k = 0; k < CHUNKS * ROWS; k++) {
            double y = (double)at(memory[k / ROWS * 2], k % ROWS, o);
            sum += y, sum_size += fabs(y);
        }
        close_to((double)bias[o], sum, sum_size, "bias");
        for (int i = 0; i < IN; i++) {
            double v = 0, size = 0;
            for (int k = 0; k < CHUNKS * ROWS; k++) {
                double p = (double)at(memory[k / ROWS * 2], k % ROWS, o) *
                           (double)at(memory[k / ROWS * 2 + 1], k % ROWS, i);
                v += p, size += fabs(p);
            }
            close_to((double)weight[o * IN + i], v, size, "weight");
        }
    }
}

/* ---- tests -------------------------------------------------------------------------------------- */

/* At the place of another weight nothing happens: it stays 0. What stood at its own is overwritten, and nothing behind it
 * is touched. */
static run_t interpret(bench_t *b, const target_t *t, const tiles_t *tiles, module_t **made) {
    module_t *m = *made = sums_module(b->arena, t, tiles);
    must(b, loops_verify(m, b->diag));
    pass_plan_memory(m);
    run_t r = run_open(m, 0, inputs());
    float *weight = results(&r, 0);
    for (int i = 0; i < OUT * IN; i++) weight[PLACE * OUT * IN + i] = NAN;
    must(b, loops_interpret(m, &r.call, b->diag));
    for (int i = 0; i < PLACE * OUT * IN; i++) assert_true(weight[i] == 0);
    for (int i = PLACES * OUT * IN; i < BIAS_AT / 4 + PLACE * OUT; i++) assert_true(weight[i] == 0);
    for (int i = BIAS_AT / 4 + PLACES * OUT; i < SLOT_BYTES / 4; i++) assert_true(weight[i] == 0);
    return r;
}

static void every_target_and_tile(void **state) {
    (void)state;
    for (int t = 0; t < T_LEVELS; t++) {
        bench_t b;
        bench_open(&b, "sums");
        tiles_t wide = tiles_for(&targets[t]), narrow = wide;
        narrow.vectors = 1;
        narrow.rows = 3;
        assert_true(tiles_are_legal(&targets[t], &narrow));
        module_t *m, *other;
        run_t x = interpret(&b, &targets[t], &wide, &m);
        run_t y = interpret(&b, &targets[t], &narrow, &other);
        check(&x);
        same_outputs(m, 0, &x, &y, "another tile");
        run_close(&x);
        run_close(&y);
        bench_close(&b);
    }
}

static void compiled(void **state) {
    (void)state;
    for (int t = 0; t < T_LEVELS; t++) {
        if (!reformer_cpu_supports(t)) continue;
        bench_t b;
        bench_open(&b, "sums");
        tiles_t tiles = tiles_for(&targets[t]);
        module_t *m = sums_module(b.arena, &targets[t], &tiles);
        bench_modules(&b, &m, 1);
        bench_emit(&b);
        static const char *const cc[] = {"gcc", "clang"};
        for (int i = 0; i < 2; i++) {
            if (!have(cc[i])) continue;
            bench_load(&b, cc[i], "-O1 " STRICT);
            bench_compare(&b, 0, b.desc->variants[0].run, 0, inputs(), cc[i]);
        }
        slots_t slots;
        memcpy(slots, inputs(), sizeof slots);
        if (llvm_version()) bench_compare_jit(&b, 0, &slots);
        bench_close(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_target_and_tile),
        cmocka_unit_test(compiled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
