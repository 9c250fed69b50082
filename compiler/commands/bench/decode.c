/* What `bench --decode` measures: steps of generation after contexts of several lengths.
 *
 * In: options, lists. Out: bench_case_t. Rows are filled with random tokens by a real prefill and
 * then grow by a random token per step. Contexts and numbers of threads take turns within a round,
 * so that their times can be compared on a machine whose clock changes; before and after each turn
 * the bandwidth of memory is measured, which is what the floor of a step is made of: weights that
 * it must read, keys and values of its windows. */
#include "commands/bench/decode.h"

#include "cli/interrupt.h"
#include "session/timed.h"
#include "support/clock.h"
#include "support/heap.h"
#include "tensors/tensors.h"

enum { READS = 5 };
static const char whole[] = "step";

/* ---- code ------------------------------------------------------------------------------------ */

/* One plan: its code, and the rows that it continues. */
typedef struct {
    bench_t *b;
    arena_t *arena;
    diag_t *d;
    int batch, target; /* places in the lists */
    options_t o;
    session_t plain, told;
    calibration_t *calibration;
    kernel_costs_t costs;
    exec_cache_t *caches[MAX_LIST]; /* [n_lengths] */
    torch_rng_t rng;
    int32_t *ids;  /* [batch] */
    float *logits; /* [batch][vocab] */
} bench_decode_t;

/* `like`: the same model, whose weights are taken; its launches are told. */
static bool open_session(bench_decode_t *x, session_t *s, const session_t *like) {
    *s = session_new(&x->o, x->d);
    if (like) s->profile = profile_new();
    if (!decode_plan(s) || !session_lower(s) || !session_compile(s)) return false;
    if (like) return exec_bind(s->exec, like->store, x->d);
    return session_weights(s) && exec_bind(s->exec, s->store, x->d);
}

static bool open_all(bench_decode_t *x) {
    bench_t *b = x->b;
    x->o = decode_options(b, x->arena, x->batch, x->target);
    bench_case_t *first = bench_case(b, 0, x->batch, x->target, 0);
    bench_say(b, first, "compiling");
    if (!open_session(x, &x->plain, NULL)) return false;
    if (!open_session(x, &x->told, &x->plain)) return false;
    x->costs = kernel_costs(x->arena, x->plain.plan->step_modules[0], 0);
    torch_seed(&x->rng, 0);
    x->ids = ARENA_ARRAY(x->arena, int32_t, first->batch);
    x->logits = ARENA_ARRAY(x->arena, float, first->batch * x->plain.model.facts.vocab);
    exec_options_t eo = {.backend = b->o->backend, .cc = b->o->text[OPT_CC], .pool = x->plain.pool};
    x->calibration = calibration_open(first->target, &eo, b->max_threads, x->d);
    return x->calibration != NULL;
}

static void close_told(bench_decode_t *x) {
    session_free(&x->told);
}

static void close_all(bench_decode_t *x) {
    for (int l = 0; l < x->b->n_lengths; l++) exec_cache_free(x->caches[l]);
    calibration_close(x->calibration);
    session_free(&x->told);
    session_free(&x->plain);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void draw(bench_decode_t *x, int32_t *ids, int64_t n) {
    uint64_t vocab = (uint64_t)x->plain.model.facts.vocab;
    for (int64_t i = 0; i < n; i++) ids[i] = (int32_t)(torch_u32(&x->rng) % vocab);
}

static bool worked(const bench_decode_t *x, int code) {
    if (code > REFORMER_OK) diag_error(x->d, NOWHERE, "generation: %s", reformer_strerror(code));
    return code == REFORMER_OK;
}

/* A full cache; *seconds is what reading the rows took. NULL after an error. */
static exec_cache_t *prefill(bench_decode_t *x, const session_t *s, const bench_case_t *c,
                             double *seconds) {
    bench_t *b = x->b;
    int64_t n = c->batch * c->length, capacity = c->length + decode_steps(b);
    bench_say(b, c, "prefill");
    exec_cache_t *cache =
        exec_cache_new(s->exec, (size_t)capacity, (size_t)c->length, b->max_threads, x->d);
    int32_t *ids = heap_new((size_t)n, sizeof *ids);
    draw(x, ids, n);
    reformer_decode_t io = {.size = sizeof io,
                            .input_ids = ids,
                            .batch = (size_t)c->batch,
                            .length = (size_t)c->length,
                            .threads = b->max_threads,
                            .pool = pool_interface(s->pool),
                            .logits = x->logits};
    double start = clock_now();
    bool ok = cache && worked(x, exec_prefill(cache, &io, x->d));
    *seconds = clock_now() - start;
    heap_free(ids);
    if (ok) return cache;
    exec_cache_free(cache);
    return NULL;
}

/* Seconds; 0 after an error. */
static double step(bench_decode_t *x, exec_cache_t *cache, const bench_case_t *c,
                   const pool_t *pool, profile_t *p) {
    draw(x, x->ids, c->batch);
    reformer_decode_t io = {.size = sizeof io,
                            .input_ids = x->ids,
                            .batch = (size_t)c->batch,
                            .threads = c->threads,
                            .pool = pool_interface(pool),
                            .logits = x->logits};
    if (p) io.profile = profile_launch, io.profile_ctx = p;
    double start = clock_now();
    profile_begin(p, whole);
    bool ok = worked(x, exec_step(cache, &io, x->d));
    profile_end(p);
    double seconds = clock_now() - start;
    return !ok ? 0 : seconds > 0 ? seconds : 1e-9;
}

/* ---- kernels --------------------------------------------------------------------------------- */

/* What a step must read follows from the launches that ran. */
static void conclude_kernels(bench_decode_t *x, bench_case_t *c, const double *seconds,
                             const double *launches) {
    bench_t *b = x->b;
    c->kernels = ARENA_ARRAY(b->arena, bench_kernel_t, x->costs.n + 1);
    for (int k = 0; k <= x->costs.n; k++) {
        if (k < x->costs.n && launches[k] == 0) continue;
        bench_kernel_t *to = &c->kernels[c->n_kernels++];
        *to = bench_kernel(b, &x->costs, k, launches[k] / b->tokens);
        to->seconds = spread_of(&seconds[k * b->tokens], b->tokens);
        c->flops += to->flops;
        c->streams += to->streams;
        c->weights += to->weights;
        c->windows += to->windows;
    }
}

static bool run_told(bench_decode_t *x, exec_cache_t *cache, bench_case_t *c, const pool_t *pool) {
    bench_t *b = x->b;
    profile_t *p = x->told.profile;
    double *seconds = ARENA_ARRAY(x->arena, double, (x->costs.n + 1) * b->tokens);
    double *launches = ARENA_ARRAY(x->arena, double, x->costs.n + 1);
    double *told = ARENA_ARRAY(x->arena, double, b->tokens);
    bench_say(b, c, "kernels");
    if (step(x, cache, c, pool, p) <= 0) return false;
    for (int k = 0; k < b->tokens; k++) {
        profile_clear(p);
        told[k] = step(x, cache, c, pool, p);
        if (told[k] <= 0 || interrupt_caught()) return false;
        bench_sort_launches(p, &x->costs, whole, 1, &seconds[k], b->tokens, launches);
    }
    c->told_seconds = spread_of(told, b->tokens);
    conclude_kernels(x, c, seconds, launches);
    return true;
}

/* A context at a time: it is the shares within a step that count here. */
static bool measure_kernels(bench_decode_t *x) {
    bench_t *b = x->b;
    for (int l = 0; l < b->n_lengths; l++) {
        double seconds;
        const bench_case_t *first = bench_case(b, l, x->batch, x->target, 0);
        exec_cache_t *cache = prefill(x, &x->told, first, &seconds);
        bool ok = cache != NULL;
        for (int t = 0; ok && t < b->n_threads; t++)
            ok = run_told(x, cache, bench_case(b, l, x->batch, x->target, t), b->pools[t]);
        exec_cache_free(cache);
        if (!ok) return false;
    }
    close_told(x);
    return true;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

/* Of a case, all rounds: [repeat], steps [repeat][tokens]. */
typedef struct {
    double *seconds, *read, *of_floor;
} samples_t;

/* Bytes of a cache for so many tokens per row. */
static double cache_bytes(const plan_t *p, int64_t tokens) {
    const module_t *m = p->step_modules[0];
    double sum = 0;
    for (size_t k = 0; k < m->n_buffers; k++) {
        const buffer_t *s = m->buffers[k];
        if (s->kind != BUF_STATE) continue;
        double share = s->slot >= REFORMER_SLOT_RECORDS ? (double)tokens / (double)p->positions : 1;
        sum += (double)buffer_bytes(s).c * share;
    }
    return sum;
}

static bool fill_all(bench_decode_t *x) {
    bench_t *b = x->b;
    for (int l = 0; l < b->n_lengths; l++) {
        double seconds;
        bench_case_t *first = bench_case(b, l, x->batch, x->target, 0);
        x->caches[l] = prefill(x, &x->plain, first, &seconds);
        if (!x->caches[l]) return false;
        for (int t = 0; t < b->n_threads; t++) {
            bench_case_t *c = bench_case(b, l, x->batch, x->target, t);
            c->prefill = seconds;
            c->cache = cache_bytes(x->plain.plan, c->length + decode_steps(b));
            if (!bench_measure_machine(b, c, x->calibration, b->pools[t], x->d)) return false;
        }
        if (interrupt_caught()) return false;
    }
    return true;
}

/* What memory gives at best: a pass takes longer than a step, so others on the machine disturb more
 * of them, and a floor must not be too high. False after an error. */
static bool read_memory(const bench_decode_t *x, const bench_case_t *c, const pool_t *pool,
                        double *best) {
    for (int k = 0; k < READS; k++) {
        double rate = calibration_rate(x->calibration, RATE_READ, c->threads, pool, 0, x->d);
        if (rate <= 0) return false;
        if (rate > *best) *best = rate;
    }
    return true;
}

/* One turn: a step that brings weights back to where the steps find them, and those that count. */
static bool run_turn(bench_decode_t *x, int l, int t, int round, samples_t *s) {
    bench_t *b = x->b;
    const bench_case_t *c = bench_case(b, l, x->batch, x->target, t);
    const pool_t *pool = b->pools[t];
    double *seconds = &s->seconds[round * b->tokens], *read = &s->read[round];
    bench_say(b, c, "measuring");
    if (!read_memory(x, c, pool, read)) return false;
    if (step(x, x->caches[l], c, pool, NULL) <= 0) return false;
    for (int k = 0; k < b->tokens; k++) {
        seconds[k] = step(x, x->caches[l], c, pool, NULL);
        if (seconds[k] <= 0 || interrupt_caught()) return false;
    }
    if (!read_memory(x, c, pool, read)) return false;
    double floor = (c->weights + c->windows) / *read;
    s->of_floor[round] = floor / spread_of(seconds, b->tokens).median;
    b->step++;
    return true;
}

static void conclude(bench_decode_t *x, bench_case_t *c, const samples_t *s, int rounds) {
    bench_t *b = x->b;
    int n = rounds * b->tokens;
    c->seconds = spread_of(s->seconds, n);
    c->best = s->seconds[0];
    for (int k = 1; k < n; k++)
        if (s->seconds[k] < c->best) c->best = s->seconds[k];
    c->read = spread_of(s->read, rounds);
    c->of_floor = spread_of(s->of_floor, rounds);
    c->done = true;
    progress_line(&b->bar,
                  "context %lld, batch %lld, %s, %d thread%s: %.3f ms a step, %.1f tokens/s, "
                  "%.1f %% of the floor",
                  (long long)c->length, (long long)c->batch, c->target->name, c->threads,
                  c->threads == 1 ? "" : "s", 1e3 * c->seconds.median, decode_speed(c),
                  100 * c->of_floor.median);
}

static bool run_round(bench_decode_t *x, int round, samples_t *samples, int n) {
    for (int k = 0; k < n; k++)
        if (!run_turn(x, k / x->b->n_threads, k % x->b->n_threads, round, &samples[k]))
            return false;
    return true;
}

/* Whole rounds count, also where there are fewer of them than were asked for. */
static bool run_rounds(bench_decode_t *x) {
    bench_t *b = x->b;
    int rounds = 0, n = b->n_lengths * b->n_threads;
    samples_t *samples = ARENA_ARRAY(x->arena, samples_t, n);
    for (int k = 0; k < n; k++)
        samples[k] =
            (samples_t){.seconds = ARENA_ARRAY(x->arena, double, (size_t)b->repeat * b->tokens),
                        .read = ARENA_ARRAY(x->arena, double, b->repeat),
                        .of_floor = ARENA_ARRAY(x->arena, double, b->repeat)};
    while (rounds < b->repeat && run_round(x, rounds, samples, n)) rounds++;
    for (int k = 0; rounds > 0 && k < n; k++)
        conclude(x, bench_case(b, k / b->n_threads, x->batch, x->target, k % b->n_threads),
                 &samples[k], rounds);
    return rounds == b->repeat;
}

static bool measure_plan(bench_t *b, int batch, int target) {
    bench_decode_t x = {
        .b = b, .arena = arena_new(), .d = diag_new(), .batch = batch, .target = target};
    bool ok = open_all(&x) && measure_kernels(&x) && fill_all(&x) && run_rounds(&x);
    ok = ok && diag_errors(x.d) == 0;
    progress_clear(&b->bar);
    close_all(&x);
    diag_append(b->d, x.d); /* what the checks have said is not repeated */
    diag_free(x.d);
    arena_free(x.arena);
    return ok;
}

bool decode_measure(bench_t *b) {
    return decode_each_plan(b, measure_plan);
}
