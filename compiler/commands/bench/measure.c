/* Measurements of one build: a length, a batch and a target, on every number of threads asked for.
 *
 * In: options. Out: bench_case_t. This machine may be shared and its clock may change, so nothing
 * is compared with what was measured at another time: every round runs the peak of each kind of
 * products that the model has, the model, the peaks, the instrumented model, the peaks, the other
 * model of --vs; a model's share of the peak is taken from the two around it, ratios from the same
 * round, and then the median over the rounds. */
#include "commands/bench/bench.h"

#include <math.h>

#include "cli/interrupt.h"
#include "emit/emit.h"
#include "session/timed.h"
#include "support/clock.h"
#include "support/resident.h"

static const double peak_share = 0.05; /* of a forward: the peak between the runs */

/* ---- code ------------------------------------------------------------------------------------ */

static void apply_vs(const bench_t *b, options_t *o) {
    switch (b->vs) {
    case VS_MODEL: o->model = b->o->text[OPT_VS]; break;
    case VS_BACKEND: o->backend = b->vs_backend; break;
    case VS_TARGET: o->targets[0] = b->vs_target[0], o->n_targets = 1; break;
    case VS_SETTING: options_set(o, b->vs_setting.key, b->vs_setting.value); break;
    case VS_NOTHING: break;
    }
}

options_t bench_options(const bench_t *b, arena_t *a, int64_t length, int64_t batch,
                        const char *target, bool other) {
    options_t o = timed_options(b->o, a, length, batch, target, b->max_threads);
    if (other) apply_vs(b, &o);
    return o;
}

static const char *dtype_of(const bench_t *b, const spec_t *s) {
    dtype_t d = timed_trains(b->o) ? s->train.dtype : s->compile.dtype;
    return s->of_graph && d == DTYPE_FLOAT32 ? NULL : dtype_name(d);
}

bool bench_check(bench_t *b, const options_t *o, int64_t length, bool other,
                 const target_t **target, diag_t *d) {
    session_t s = session_new(o, d);
    bool ok = timed_plan(&s, NULL);
    if (ok) *target = s.plan->targets[0];
    if (ok && !other) b->wants_loss = s.model.facts.head != ARCH_BASE;
    if (ok && !other) b->dtype = dtype_of(b, s.spec);
    if (ok && other) {
        buckets_taken_t taken = session_buckets(&s);
        (void)buckets_warn(&taken, length, "a forward, and so does MODEL", b->d);
    }
    session_free(&s);
    return ok;
}

/* `like`: the same model and weights, told its launches. NULL: weights of its own. */
static bool side_open(timed_t *x, const timed_t *like, int64_t length, diag_t *d) {
    x->length = length;
    x->s = session_new(&x->o, d);
    if (like) x->s.profile = profile_new();
    return timed_lower(x, NULL) && timed_compile(x, like);
}

/* ---- a build --------------------------------------------------------------------------------- */

typedef struct {
    bench_t *b;
    arena_t *arena;
    diag_t *d;
    timed_t plain, told, other;
    calibration_t *calibration;
    kernel_costs_t costs;
} build_t;

static void say(build_t *u, const bench_case_t *c, const char *what) {
    bench_say(u->b, c, what);
}

/* The memory of the model alone: nothing else is open yet. */
static bool warm_up(build_t *u, bench_case_t *c, int t) {
    bool knows = resident_reset_peak();
    say(u, c, "first run");
    double seconds = timed_forward(&u->plain, 1, c->threads, u->b->pools[t]);
    if (seconds <= 0) return false;
    c->workspace = timed_workspace(&u->plain, c->threads);
    const plan_t *p = u->plain.s.plan;
    const kept_choice_t *kept = p->trains ? p->trains[p->n_variants - 1].kept : NULL;
    c->kept = kept ? kept->bytes : 0;
    c->peak_rss = knows ? resident_peak() : 0;
    seconds = timed_forward(&u->plain, 1, c->threads, u->b->pools[t]);
    c->inner = timed_inner(seconds);
    return c->inner > 0;
}

static void count_costs(build_t *u) {
    const plan_t *p = u->plain.s.plan;
    const module_t *m = plan_module(p, p->n_variants - 1);
    u->costs = kernel_costs(u->arena, m, m->units.max);
}

static exec_options_t calibration_options(const build_t *u) {
    return (exec_options_t){
        .backend = u->b->o->backend, .cc = u->b->o->text[OPT_CC], .pool = u->plain.s.pool};
}

static bool open_all(build_t *u, bench_case_t *cases, const char *target) {
    bench_t *b = u->b;
    u->plain.o = u->told.o = bench_options(b, u->arena, cases->length, cases->batch, target, false);
    u->other.o = bench_options(b, u->arena, cases->length, cases->batch, target, true);
    say(u, cases, "compiling");
    if (!side_open(&u->plain, NULL, cases->length, u->d)) return false;
    count_costs(u);
    for (int t = 0; t < b->n_threads; t++)
        if (!warm_up(u, &cases[t], t)) return false;
    if (!side_open(&u->told, &u->plain, cases->length, u->d)) return false;
    if (b->vs != VS_NOTHING && !side_open(&u->other, NULL, cases->length, u->d)) return false;
    exec_options_t eo = calibration_options(u);
    u->calibration = calibration_open(cases->target, &eo, b->max_threads, u->d);
    return u->calibration != NULL;
}

static void close_all(build_t *u) {
    calibration_close(u->calibration);
    timed_close(&u->plain);
    timed_close(&u->told);
    timed_close(&u->other);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

/* Samples of all rounds: [repeat], of kernels [n_kernels][repeat]. */
typedef struct {
    build_t *u;
    bench_case_t *c;
    const pool_t *pool;
    double peak_seconds;
    products_t last_peak;
    products_t *peaks; /* [repeat] that a run is held against */
    int other_inner, update_inner;
    double *update, *update_share;
    double *seconds, *cpu, *told, *peak, *of_peak, *other, *ratio, *cpu_ratio;
    double *kernel, *kernel_of_peak, *launches;
} rounds_t;

static rounds_t rounds_new(build_t *u, bench_case_t *c, const pool_t *pool) {
    size_t n = (size_t)u->b->repeat, kernels = (size_t)u->costs.n + 1;
    rounds_t r = {.u = u, .c = c, .pool = pool};
    double **lists[] = {&r.seconds, &r.cpu,   &r.told,      &r.peak,   &r.of_peak,
                        &r.other,   &r.ratio, &r.cpu_ratio, &r.update, &r.update_share};
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
        *lists[k] = ARENA_ARRAY(u->arena, double, n);
    r.peaks = ARENA_ARRAY(u->arena, products_t, n);
    r.kernel = ARENA_ARRAY(u->arena, double, kernels *n);
    r.kernel_of_peak = ARENA_ARRAY(u->arena, double, kernels *n);
    r.launches = ARENA_ARRAY(u->arena, double, kernels);
    return r;
}

/* The peaks after a run, and with those before it the peaks that this run is held against. */
static bool next_peak(rounds_t *r, products_t *around) {
    for (int p = 0; p < FACTOR_COUNT; p++) {
        if (r->u->costs.total.products.of[p] <= 0) continue;
        double before = r->last_peak.of[p];
        double rate = calibration_rate(r->u->calibration, (rate_t)p, r->c->threads, r->pool,
                                       r->peak_seconds, r->u->d);
        if (rate <= 0) return false;
        r->last_peak.of[p] = rate;
        if (around) around->of[p] = (before + rate) / 2;
    }
    return true;
}

/* Seconds per forward of each kind. */
static void sort_launches(rounds_t *r, int round) {
    const kernel_costs_t *costs = &r->u->costs;
    for (int k = 0; k <= costs->n; k++) r->launches[k] = 0;
    bench_sort_launches(r->u->told.s.profile, costs, timed_name(r->u->b->o), 1.0 / r->c->inner,
                        &r->kernel[round], r->u->b->repeat, r->launches);
}

/* At the peak of its products, of all launches of the round. */
static double min_kernel_seconds(const rounds_t *r, int k, const products_t *peak) {
    const kernel_cost_t *c = &r->u->costs.kernels[k];
    return c->launches > 0 ? products_seconds(&c->products, peak) / c->launches * r->launches[k]
                           : 0;
}

static bool run_told(rounds_t *r, int round) {
    bench_case_t *c = r->c;
    int n = r->u->costs.n, repeat = r->u->b->repeat;
    profile_clear(r->u->told.s.profile);
    r->told[round] = timed_forward(&r->u->told, c->inner, c->threads, r->pool);
    products_t peak;
    if (r->told[round] <= 0 || !next_peak(r, &peak)) return false;
    sort_launches(r, round);
    for (int k = 0; k < n; k++) {
        double seconds = r->kernel[k * repeat + round];
        r->kernel_of_peak[k * repeat + round] =
            seconds > 0 ? min_kernel_seconds(r, k, &peak) / seconds : 0;
    }
    return true;
}

static bool run_plain(rounds_t *r, int round) {
    bench_case_t *c = r->c;
    double start = clock_cpu();
    r->seconds[round] = timed_forward(&r->u->plain, c->inner, c->threads, r->pool);
    r->cpu[round] = (clock_cpu() - start) / c->inner;
    return r->seconds[round] > 0 && next_peak(r, &r->peaks[round]);
}

static bool run_update(rounds_t *r, int round) {
    if (!timed_trains(r->u->b->o)) return true;
    double seconds = r->update[round] = timed_update(&r->u->plain, r->update_inner);
    r->update_share[round] = seconds / (seconds + r->seconds[round]);
    return seconds > 0;
}

static bool run_other(rounds_t *r, int round) {
    const bench_case_t *c = r->c;
    timed_t *x = &r->u->other;
    if (r->u->b->vs == VS_NOTHING) return true;
    double start = clock_cpu();
    double seconds = timed_forward(x, r->other_inner, c->threads, r->pool);
    double cpu = (clock_cpu() - start) / r->other_inner,
           tokens = (double)(x->in.batch * x->in.length);
    if (seconds <= 0) return false;
    r->other[round] = tokens / seconds;
    r->cpu_ratio[round] = case_tokens(c) / r->cpu[round] / (tokens / cpu);
    r->ratio[round] = case_tokens(c) / r->seconds[round] / r->other[round];
    return next_peak(r, NULL);
}

/* One of each, unmeasured: caches and pages are as the rounds will find them. */
static bool rounds_begin(rounds_t *r) {
    bench_case_t *c = r->c;
    double seconds = timed_forward(&r->u->plain, 1, c->threads, r->pool);
    if (seconds <= 0 || timed_forward(&r->u->told, 1, c->threads, r->pool) <= 0) return false;
    if (timed_trains(r->u->b->o)) {
        if (!timed_learn(&r->u->plain, c->threads, r->pool)) return false;
        r->update_inner = timed_inner(timed_update(&r->u->plain, 1));
        if (r->update_inner == 0) return false;
    }
    if (r->u->b->vs != VS_NOTHING) {
        r->other_inner = timed_inner(timed_forward(&r->u->other, 1, c->threads, r->pool));
        if (r->other_inner == 0) return false;
    }
    r->peak_seconds = fmax(min_seconds, peak_share * seconds);
    return next_peak(r, NULL);
}

static void conclude_kernels(rounds_t *r) {
    bench_t *b = r->u->b;
    bench_case_t *c = r->c;
    int n = r->u->costs.n;
    c->kernels = ARENA_ARRAY(b->arena, bench_kernel_t, n + 1);
    for (int k = 0; k <= n; k++) {
        if (k < n && r->launches[k] == 0) continue;
        bench_kernel_t *x = &c->kernels[c->n_kernels++];
        *x = bench_kernel(b, &r->u->costs, k, r->launches[k]);
        x->seconds = spread_of(&r->kernel[k * b->repeat], b->repeat);
        x->of_peak = spread_of(&r->kernel_of_peak[k * b->repeat], b->repeat);
        c->flops += x->flops;
        c->products = products_sum(&c->products, &x->products);
        c->streams += x->streams;
    }
}

static void conclude(rounds_t *r) {
    bench_case_t *c = r->c;
    int n = r->u->b->repeat;
    conclude_kernels(r);
    for (int k = 0; k < n; k++) {
        double min = products_seconds(&c->products, &r->peaks[k]);
        r->peak[k] = c->flops / min;
        r->of_peak[k] = min / r->seconds[k];
    }
    c->seconds = spread_of(r->seconds, n);
    c->told_seconds = spread_of(r->told, n);
    c->update = spread_of(r->update, n);
    c->update_share = spread_of(r->update_share, n);
    c->peak = spread_of(r->peak, n);
    c->of_peak = spread_of(r->of_peak, n);
    c->other_length = r->u->other.in.length;
    c->other_speed = spread_of(r->other, n);
    c->ratio = spread_of(r->ratio, n);
    c->cpu_ratio = spread_of(r->cpu_ratio, n);
    c->done = true;
}

static void say_done(build_t *u, const bench_case_t *c) {
    progress_line(
        &u->b->bar, "length %lld, batch %lld, %s, %d thread%s: %.0f tokens/s, %.1f %% of peak",
        (long long)c->length, (long long)c->batch, c->target->name, c->threads,
        c->threads == 1 ? "" : "s", case_tokens(c) / c->seconds.median, 100 * c->of_peak.median);
}

static bool run_rounds(build_t *u, bench_case_t *c, const pool_t *pool) {
    bench_t *b = u->b;
    rounds_t r = rounds_new(u, c, pool);
    if (!bench_measure_machine(b, c, u->calibration, pool, u->d) || !rounds_begin(&r)) return false;
    for (int k = 0; k < b->repeat; k++) {
        say(u, c, "measuring");
        if (interrupt_caught()) return false;
        if (!run_plain(&r, k) || !run_update(&r, k) || !run_told(&r, k) || !run_other(&r, k))
            return false;
        b->step++;
    }
    conclude(&r);
    say(u, c, "done");
    say_done(u, c);
    return true;
}

bool bench_measure(bench_t *b, bench_case_t *cases, const char *target) {
    build_t u = {.b = b, .arena = arena_new(), .d = diag_new()};
    bool ok = open_all(&u, cases, target);
    for (int t = 0; ok && t < b->n_threads; t++) ok = run_rounds(&u, &cases[t], b->pools[t]);
    ok = ok && diag_errors(u.d) == 0;
    progress_clear(&b->bar);
    close_all(&u);
    diag_append(b->d, u.d); /* what the checks have said is not repeated */
    diag_free(u.d);
    arena_free(u.arena);
    return ok;
}
