/* Updates of weights: by the reference and by modules of every target, against what torch, transformers and trax make of the
 * same gradients; by code to the bit what the interpreter gives, on any number of threads. */
#include "update_machine.h"

#include "weights/weights.h"

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

static void by_interpreter(void **state) {
    (void)state;
    for (int c = 0; c < CASES; c++)
        for (int t = c % 2; t < T_LEVELS; t += 2) {
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

/* ---- code ------------------------------------------------------------------------------------------- */

/* Every kind of arrangement, with rests of panels, squares and vectors; stacks with a tensor that is not trained. */
static const tensor_say_t packed[] = {
    {.name = "layers.0.query",
     .rank = 2,
     .shape = {12, 20},
     .heads = 2,
     .dense = true,
     .turned = true},
    {.name = "layers.1.query",
     .rank = 2,
     .shape = {12, 20},
     .heads = 2,
     .dense = true,
     .turned = true,
     .frozen = true},
    {.name = "layers.2.query",
     .rank = 2,
     .shape = {12, 20},
     .heads = 2,
     .dense = true,
     .turned = true},
    {.name = "value", .rank = 2, .shape = {80, 16}, .heads = 2, .dense = true},
    {.name = "layers.1.dense", .rank = 2, .shape = {40, 37}, .dense = true, .turned = true},
    {.name = "layers.2.dense", .rank = 2, .shape = {40, 37}, .dense = true},
    {.name = "head", .rank = 2, .shape = {64, 32}, .dense = true},
    {.name = "table", .rank = 3, .shape = {3, 1, 10}},
    {.name = "bias", .rank = 1, .shape = {13}},
    {.name = "layers.0.weight", .rank = 2, .shape = {6, 19}},
    {.name = "layers.1.weight", .rank = 2, .shape = {6, 19}}};
enum { PACKED = sizeof packed / sizeof *packed, FEW = 3 };

/* Of the last n: a vector, a table … */
static updates_t *packed_updates(int c, int n) {
    const tensor_say_t *last = packed + PACKED - n;
    updates_t *u = updates_new(last, n, &cases[c].rule, cases[c].max_norm);
    for (int i = 0; i < u->update->n; i++) /* one of a stack alone */
        if (strcmp(u->update->tensors[i].name, "layers.0.weight") == 0)
            u->update->tensors[i].decays = false;
    return u;
}

static void start(const updates_t *u, update_slots_t *s) {
    fill(u, s->params, 1, 0.25F);
    fill(u, s->gradients, 2, 0.5F);
    s->coefficients[REFORMER_RATE_SHARE] = 0.3F;
}

/* Everything that a module does, twice. */
static update_slots_t *all_phases(const updates_t *u, const module_t *m, int threads,
                                  update_run_fn *run, void *ctx) {
    update_slots_t *s = slots_new(u);
    start(u, s);
    for (int k = 0; k < 2; k++) {
        fill(u, s->gradients, 3 + (uint32_t)k, 0.5F);
        memcpy(s->sum, s->gradients, sizeof s->sum);
        s->coefficients[REFORMER_RATE_SHARE] = 0.3F;
        slots_run(s, m, 1U << REFORMER_PHASE_SCALE, threads, run, ctx);
        s->coefficients[REFORMER_RATE_SHARE] = 0.7F;
        slots_run(s, m, 1U << REFORMER_PHASE_ADD, threads, run, ctx);
        slots_step(u, s, m, rate_at(&u->update->rule, k), k + 1, threads, run, ctx);
    }
    slots_run(s, m, 1U << REFORMER_PHASE_UNPACK, threads, run, ctx);
    return s;
}

static void same_slots(const update_slots_t *x, const update_slots_t *y, const char *what) {
    const float *all[2] = {x->params, y->params};
    size_t n = offsetof(update_slots_t, phases) / sizeof(float);
    for (size_t i = 0; i < n; i++)
        if (!same_element(E_F32, all[0], all[1], i))
            fail_msg("%s: element %zu of the slots is %.9g, should be %.9g", what, i,
                     (double)all[1][i], (double)all[0][i]);
    assert_true(x->norm == y->norm && x->norm > 0);
}

/* Of the interpreter, against the reference. */
static void near_reference(const updates_t *u, const update_slots_t *got, const char *what) {
    update_slots_t *s = slots_new(u);
    start(u, s);
    for (int k = 0; k < 2; k++) {
        fill(u, s->sum, 3 + (uint32_t)k, 0.5F);
        slots_reference(u, s, rate_at(&u->update->rule, k), k + 1);
    }
    assert_true(fabs(s->norm - got->norm) <= 1e-6 * s->norm);
    for (int i = 0; i < FLOATS; i++) {
        float x = got->params[i], y = s->params[i];
        if (isnan(x) && isnan(y)) continue;
        if (!(fabsf(x - y) <= 1e-6F * 0.25F))
            fail_msg("%s: param %d is %.9g, should be %.9g", what, i, (double)x, (double)y);
    }
}

/* ---- the weights file --------------------------------------------------------------------------- */

/* Where element [r][c] of a member stands, as weights/layout.h says. */
static int64_t place_in(const layout_entry_t *e, int64_t r, int64_t c) {
    int64_t out = e->shape[0], in = e->shape[1], d = e->heads ? out / e->heads : out;
    int64_t head = r / d, panels = (d + PANEL - 1) / PANEL, row = r % d;
    switch (e->kind) {
    case PACK_PANELS:
    case PACK_HEAD_PANELS: return ((head * panels + row / PANEL) * in + c) * PANEL + row % PANEL;
    case PACK_COLUMNS: return (c / PANEL * out + r) * PANEL + c % PANEL;
    default: return 0;
    }
}

static void check_member(const updates_t *u, const update_slots_t *s, const layout_entry_t *e,
                         int k, int *kinds) {
    int index;
    const layout_entry_t *of = layout_find(u->gradients, e->source[k], &index);
    int64_t size = e->bytes / 4 / e->count, n = 1, moved = 0;
    const float *file = s->packed + e->offset / 4 + k * size;
    for (int i = 0; i < e->rank; i++) n *= e->shape[i];
    for (int64_t i = 0; i < n && of; i++) {
        int64_t at = e->kind == PACK_ROWS ? i : place_in(e, i / e->shape[1], i % e->shape[1]);
        float want = s->params[of->offset / 4 + index * n + i];
        if (file[at] != want)
            fail_msg("%s of %s: %lld is %.9g, should be %.9g", e->source[k], e->name, (long long)i,
                     (double)file[at], (double)want);
    }
    for (int64_t i = 0; i < size; i++) moved += file[i] != 0;
    assert_int_equal(moved, of ? n : 0); /* padding, and what is not trained, stays */
    kinds[e->kind]++;
}

static void check_packed(const updates_t *u, const update_slots_t *s) {
    int kinds[PACK_COLUMNS + 1] = {0};
    for (int i = 0; i < u->weights->n; i++)
        for (int k = 0; k < u->weights->entries[i].count; k++)
            check_member(u, s, &u->weights->entries[i], k, kinds);
    assert_true(kinds[PACK_ROWS] && kinds[PACK_PANELS] && kinds[PACK_HEAD_PANELS] &&
                kinds[PACK_COLUMNS]);
}

static void packs_and_unpacks(void **state) {
    (void)state;
    for (int t = 0; t < T_LEVELS; t++) {
        updates_t *u = packed_updates(0, PACKED);
        interpreted_t run = {verified(u, &targets[t]), u->diag};
        update_slots_t *s = slots_new(u), *back = slots_new(u);
        start(u, s);
        slots_run(s, run.m, 1U << REFORMER_PHASE_PACK, 1, run_interpreted, &run);
        check_packed(u, s);
        memcpy(back->packed, s->packed, sizeof s->packed);
        slots_run(back, run.m, 1U << REFORMER_PHASE_UNPACK, 1, run_interpreted, &run);
        for (int i = 0; i < FLOATS; i++)
            assert_true(same_element(E_F32, back->params, s->params, (size_t)i));
        updates_free(u);
    }
}

/* Of bf16: an odd depth and an even one, rests of panels and of squares, heads, the transpose; one that is not trained. */
static const tensor_say_t rounded[] = {
    {.name = "layers.0.query", .rank = 2, .shape = {12, 21}, .heads = 2},
    {.name = "layers.1.query", .rank = 2, .shape = {12, 21}, .heads = 2, .frozen = true},
    {.name = "layers.2.query", .rank = 2, .shape = {12, 21}, .heads = 2},
    {.name = "value", .rank = 2, .shape = {80, 16}, .heads = 2},
    {.name = "layers.1.dense", .rank = 2, .shape = {41, 37}},
    {.name = "layers.2.dense", .rank = 2, .shape = {41, 37}},
    {.name = "one", .rank = 2, .shape = {1, 1}},
    {.name = "wide", .rank = 2, .shape = {3, 66}},
    {.name = "head", .rank = 2, .shape = {64, 32}}};

static updates_t *rounded_updates(void) {
    tensor_say_t say[sizeof rounded / sizeof *rounded];
    memcpy(say, rounded, sizeof rounded);
    for (size_t i = 0; i < sizeof rounded / sizeof *rounded; i++)
        say[i].dense = say[i].turned = say[i].rounds = true;
    return updates_new(say, (int)(sizeof rounded / sizeof *rounded), &cases[0].rule, 0);
}

/* The bytes of whoever packs a file; back come the floats that stand beside. */
static void packs_bf16(void **state) {
    (void)state;
    for (int t = 0; t < T_COUNT; t++) {
        updates_t *u = rounded_updates();
        interpreted_t run = {verified(u, &targets[t]), u->diag};
        update_slots_t *s = slots_new(u), *back = slots_new(u);
        float *want = arena_alloc(u->arena, sizeof s->packed);
        int halves = 0;
        start(u, s);
        memcpy(want, s->packed, sizeof s->packed);
        slots_run(s, run.m, 1U << REFORMER_PHASE_PACK, 1, run_interpreted, &run);
        for (int i = 0; i < u->weights->n; i++) {
            const layout_entry_t *e = &u->weights->entries[i];
            for (int k = 0; k < e->count; k++) {
                int index;
                const layout_entry_t *of = layout_find(u->gradients, e->source[k], &index);
                int64_t n = e->shape[0] * e->shape[1];
                if (!of) continue;
                const float *values = s->params + of->offset / 4 + index * n;
                weights_pack_tensor(e, k, values, (unsigned char *)want);
                halves += e->type == G_BF16;
            }
        }
        assert_int_equal(halves, 2 * 8);
        assert_memory_equal(s->packed, want, sizeof s->packed);
        memcpy(back->packed, s->packed, sizeof s->packed);
        slots_run(back, run.m, 1U << REFORMER_PHASE_UNPACK, 1, run_interpreted, &run);
        for (int i = 0; i < FLOATS; i++)
            assert_true(same_element(E_F32, back->params, s->params, (size_t)i));
        updates_free(u);
    }
}

/* ---- sums ----------------------------------------------------------------------------------------- */

enum { NORMS = 8 };

/* Of numbers in which every order of adding up gives other bits. */
static void find_norms(const updates_t *u, update_slots_t *s, interpreted_t *run,
                       double norms[NORMS]) {
    for (int i = 0; i < NORMS; i++) {
        fill(u, s->sum, 40 + (uint32_t)i, 1);
        for (int k = 0; k < FLOATS; k++) s->sum[k] /= (float)(1 + k * 7 % 31);
        slots_run(s, run->m, 1U << REFORMER_PHASE_NORM, 1, run_interpreted, run);
        norms[i] = s->norm;
    }
}

/* share * g, and what is added to it; the norm has the same bits on every target. */
static void adds_up(void **state) {
    (void)state;
    double norms[T_LEVELS][NORMS];
    for (int t = 0; t < T_LEVELS; t++) {
        updates_t *u = packed_updates(0, PACKED);
        interpreted_t run = {verified(u, &targets[t]), u->diag};
        update_slots_t *s = slots_new(u);
        start(u, s);
        memcpy(s->sum, s->gradients, sizeof s->sum);
        s->coefficients[REFORMER_RATE_SHARE] = 0.25F; /* exact, with fma and without */
        slots_run(s, run.m, 1U << REFORMER_PHASE_SCALE, 1, run_interpreted, &run);
        s->coefficients[REFORMER_RATE_SHARE] = 0.5F;
        slots_run(s, run.m, 1U << REFORMER_PHASE_ADD | 1U << REFORMER_PHASE_NORM, 1,
                  run_interpreted, &run);
        double squares = 0;
        for (int i = 0; i < FLOATS; i++) {
            float want = s->gradients[i] * 0.75F, got = s->sum[i];
            if (isnan(want) && isnan(got)) continue;
            assert_true(fabsf(want - got) <= 1e-7F);
            squares += (double)got * (double)got;
        }
        assert_true(fabs(s->norm - sqrt(squares)) <= 1e-12 * s->norm);
        find_norms(u, s, &run, norms[t]);
        assert_memory_equal(norms[t], norms[0], sizeof norms[0]);
        updates_free(u);
    }
}

/* ---- executors -------------------------------------------------------------------------------------- */

/* One of each kind of kernel. */
static const char *const compiled_cases[] = {
    "AdamW, clipped", "SGD with momentum", "Adafactor with a mean of updates", "trax's Adafactor"};
enum { COMPILED = sizeof compiled_cases / sizeof *compiled_cases };

static int case_of(const char *what) {
    int c = 0;
    while (c < CASES && strcmp(cases[c].what, what) != 0) c++;
    assert_true(c < CASES);
    return c;
}

static void run_code(void *ctx, const reformer_call_t *call) {
    schedule_fn *run;
    memcpy(&run, ctx, sizeof run);
    run(call);
}

typedef struct {
    bench_t bench;
    updates_t *u[COMPILED];
    module_t *m[COMPILED];
    update_slots_t *want[COMPILED];
} compiled_modules_t;

static void open_modules(compiled_modules_t *c, const target_t *t) {
    bench_open(&c->bench, "update");
    for (int k = 0; k < COMPILED; k++) {
        c->u[k] = packed_updates(case_of(compiled_cases[k]), k ? FEW : PACKED);
        c->m[k] = updates_module(c->u[k], t, "update");
    }
    bench_modules(&c->bench, c->m, COMPILED);
    for (int k = 0; k < COMPILED; k++) {
        interpreted_t run = {c->m[k], c->u[k]->diag};
        c->want[k] = all_phases(c->u[k], c->m[k], 1, run_interpreted, &run);
        near_reference(c->u[k], c->want[k], compiled_cases[k]);
    }
}

static void same_code(compiled_modules_t *c, int k, schedule_fn *run, int threads,
                      const char *what) {
    update_slots_t *got = all_phases(c->u[k], c->m[k], threads, run_code, &run);
    same_slots(c->want[k], got, what);
}

static void by_compiler(compiled_modules_t *c, const char *cc) {
    if (!have(cc)) return;
    bench_emit(&c->bench);
    bench_load(&c->bench, cc, "-O1 " STRICT);
    for (int k = 0; k < COMPILED; k++) same_code(c, k, c->bench.desc->variants[k].run, 1, cc);
}

static void by_jit(compiled_modules_t *c) {
    bench_t *b = &c->bench;
    llvm_units_t u;
    sbuf_t object[MAX_UNITS] = {{0}};
    llvm_units_make(&b->plan, b->arena, &u);
    assert_in_range(u.n, 1, MAX_UNITS);
    for (int k = 0; k < u.n; k++)
        must(b, llvm_unit_compile(&u.unit[k], b->plan.targets[0], &object[k], b->diag));
    jit_t *jit = jit_link(object, u.n, false, b->diag);
    must(b, jit != NULL);
    for (int k = 0; k < COMPILED; k++)
        for (int threads = 1; threads <= 3; threads += 2)
            same_code(c, k, jit_schedule(jit, u.run[k], b->diag), threads, "jit");
    for (int k = 0; k < u.n; k++) sbuf_free(&object[k]);
    jit_free(jit);
}

/* Compilers and the JIT take turns. */
static void compiled(void **state) {
    (void)state;
    for (int t = 0; t < T_LEVELS; t++) {
        compiled_modules_t c;
        open_modules(&c, &targets[t]);
        bool here = reformer_cpu_supports(t);
        if (here) by_compiler(&c, t == T_X86_64 ? "clang" : "gcc");
        if (here && t != T_X86_64 && llvm_version()) by_jit(&c);
        for (int k = 0; k < COMPILED; k++) updates_free(c.u[k]);
        bench_close(&c.bench);
    }
}

/* A norm that is no finite number says so, whichever gradient it is; the reference then leaves all as it is. */
static void norms_that_are_no_numbers(void **state) {
    (void)state;
    updates_t *u = packed_updates(0, FEW);
    interpreted_t run = {verified(u, &targets[T_X86_64_V3]), u->diag};
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3e38F};
    for (int i = 0; i < 4; i++) {
        update_slots_t *s = slots_new(u), *before = slots_new(u);
        start(u, s);
        memcpy(s->sum, s->gradients, sizeof s->sum);
        int64_t n, at = tensor_at(u, FEW - 1, &n);
        s->sum[at + n - 1] = bad[i];
        slots_run(s, run.m, 1U << REFORMER_PHASE_NORM, 1, run_interpreted, &run);
        assert_int_equal(isfinite(s->norm), isfinite(bad[i]));
        if (isfinite(bad[i])) continue; /* its square is no float, but a double */
        memcpy(before, s, sizeof *s);
        slots_reference(u, s, 1, 1);
        before->norm = s->norm;
        assert_memory_equal(before, s, sizeof *s);
    }
    updates_free(u);
}

/* Where matrices are frozen Adafactor keeps no columns: that state is empty. */
static void vectors_alone(void **state) {
    (void)state;
    static const tensor_say_t vectors[] = {{.name = "d", .rank = 1, .shape = {32}},
                                           {.name = "e", .rank = 1, .shape = {67}}};
    const case_t *c = &cases[case_of("Adafactor with a mean of updates")];
    updates_t *u = updates_new(vectors, 2, &c->rule, 0);
    assert_int_equal(u->states[1]->data_end, 0);
    interpreted_t run = {verified(u, &targets[T_X86_64_V3]), u->diag};
    update_slots_t *got = slots_new(u), *want = slots_new(u);
    fill(u, got->params, 1, 0.25F);
    fill(u, got->sum, 2, 0.5F);
    memcpy(want, got, sizeof *want);
    slots_step(u, got, run.m, 0.01, 1, 1, run_interpreted, &run);
    slots_reference(u, want, 0.01, 1);
    for (int i = 0; i < FLOATS; i++)
        assert_true((isnan(got->params[i]) && isnan(want->params[i])) ||
                    fabsf(got->params[i] - want->params[i]) <= 1e-7F);
    assert_true(got->params[0] != 0 && fabs(got->norm - want->norm) <= 1e-9);
    updates_free(u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_reference),
        cmocka_unit_test(by_interpreter),
        cmocka_unit_test(packs_and_unpacks),
        cmocka_unit_test(packs_bf16),
        cmocka_unit_test(adds_up),

        cmocka_unit_test(norms_that_are_no_numbers),
        cmocka_unit_test(compiled),
        cmocka_unit_test(vectors_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
