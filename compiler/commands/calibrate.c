/* Calibration kernels: a plan of two hand-made modules through an executor.
 *
 * In: a target, a back end. Out: flops and bytes per second. What is run is counted from the loop IR
 * (loops_cost, loops_kernel_streams), as it is for models, so that both may be compared. */
#include "commands/calibrate.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/clock.h"

enum {
    REPEATS = 7,
    TASKS = 8,       /* per thread, so that none waits long for another */
    STEPS = 200000,  /* of the loop of multiply-adds, per task */
    BLOCK = 1 << 14, /* floats of a task of the triad */
    LEAST_ARRAY = 32 << 20,
    MOST_ARRAY = 256 << 20 /* bytes */
};

/* The variant that an input of this length runs. */
enum { RUNS_FMA = 1, RUNS_TRIAD = 2, N_RUNS = 2 };

/* ---- modules --------------------------------------------------------------------------------------- */

static int lanes_of(const target_t *t) {
    return t->vector_bytes / (int)sizeof(float);
}

/* Enough to cover the latency of two units, and with two operands and a product no more than the
 * registers: 32 of AVX-512 and NEON, 16 elsewhere. */
static int accumulators(const target_t *t) {
    return t->id == T_X86_64_V4 || t->id == T_AARCH64 ? 24 : 12;
}

static module_t *fma_module(arena_t *a, const target_t *t, int threads) {
    enum { MOST = 24 };
    module_t *m = module_new(a, "fma", t, (units_t){0, 0});
    int lanes = lanes_of(t), n = accumulators(t);
    dim_t tasks = dim((int64_t)threads * TASKS), in[] = {dim(2), dim(lanes)};
    dim_t out[] = {tasks, dim(lanes)};
    buffer_t *x = module_buffer(m, BUF_WORKSPACE, "x", E_F32, 2, in);
    buffer_t *y = module_buffer(m, BUF_WORKSPACE, "y", E_F32, 2, out);
    const char *name = "task";
    builder_t b = build_kernel(m, "fma", 1, &tasks, &name);
    affine_t first[] = {ax(0), ax(0)}, second[] = {ax(1), ax(0)};
    value_t *p = b_load(&b, x, lanes, first), *q = b_load(&b, x, lanes, second);
    value_t *acc[MOST], *next[MOST];
    for (int k = 0; k < n; k++) acc[k] = b_const(&b, VECTOR(E_F32, lanes), k);
    inst_t *loop = b_for(&b, "step", dim(0), dim(STEPS), n, acc);
    for (int k = 0; k < n; k++) next[k] = b_fma(&b, p, q, loop_arg(loop, k));
    b_end_for(&b, loop, next);
    value_t *sum = loop->results[0];
    for (int k = 1; k < n; k++) sum = b_binary(&b, OP_ADD, sum, loop->results[k]);
    affine_t at[] = {ax_v(b.fn->task[0]), ax(0)};
    b_store(&b, y, sum, at);
    builder_t entry = build_entry(m, "forward");
    b_launch(&entry, b.fn, NULL);
    return m;
}

/* Twice the last cache, as far as the system tells. */
static int64_t array_bytes(void) {
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    int64_t bytes = cache > 0 ? 2 * (int64_t)cache : 4 * (int64_t)LEAST_ARRAY;
    if (bytes < LEAST_ARRAY) bytes = LEAST_ARRAY;
    return bytes > MOST_ARRAY ? MOST_ARRAY : bytes;
}

static module_t *triad_module(arena_t *a, const target_t *t) {
    module_t *m = module_new(a, "triad", t, (units_t){0, 0});
    int lanes = lanes_of(t);
    dim_t dims[] = {dim(array_bytes() / BLOCK / (int64_t)sizeof(float)), dim(BLOCK)};
    buffer_t *x = module_buffer(m, BUF_WORKSPACE, "x", E_F32, 2, dims);
    buffer_t *y = module_buffer(m, BUF_WORKSPACE, "y", E_F32, 2, dims);
    buffer_t *z = module_buffer(m, BUF_WORKSPACE, "z", E_F32, 2, dims);
    const char *name = "block";
    builder_t b = build_kernel(m, "triad", 1, dims, &name);
    value_t *s = b_const(&b, VECTOR(E_F32, lanes), 3);
    inst_t *loop = b_for(&b, "i", dim(0), dim(BLOCK / lanes), 0, NULL);
    affine_t at[] = {ax_v(b.fn->task[0]), ax_scale(ax_v(loop_var(loop)), lanes)};
    value_t *u = b_load(&b, x, lanes, at), *v = b_load(&b, y, lanes, at);
    b_store(&b, z, b_fma(&b, s, v, u), at);
    b_end_for(&b, loop, NULL);
    builder_t entry = build_entry(m, "forward");
    b_launch(&entry, b.fn, NULL);
    return m;
}

/* ---- a plan of them -------------------------------------------------------------------------------- */

/* A model with nothing in it, whose forward is whatever its modules do. */
typedef struct {
    arena_t *arena;
    spec_t spec;
    layout_t layout;
    plan_t plan;
} bench_t;

static bool make_plan(bench_t *b, const target_t *t, int threads, diag_t *d) {
    b->spec = (spec_t){.path = "calibration",
                       .hidden_size = 1,
                       .vocab_size = 1,
                       .num_labels = 1,
                       .num_attention_heads = 1,
                       .architecture = ARCH_BASE};
    b->layout.data_end = REFORMER_WEIGHTS_HEADER;
    b->plan = (plan_t){.spec = &b->spec,
                       .arena = b->arena,
                       .batch = 1,
                       .n_variants = N_RUNS,
                       .layout = &b->layout,
                       .name = "calibration",
                       .n_targets = 1,
                       .targets = {t}};
    b->plan.variants = ARENA_ARRAY(b->arena, variant_plan_t, N_RUNS);
    b->plan.modules = ARENA_ARRAY(b->arena, module_t *, N_RUNS);
    b->plan.modules[RUNS_FMA - 1] = fma_module(b->arena, t, threads);
    b->plan.modules[RUNS_TRIAD - 1] = triad_module(b->arena, t);
    pass_options_t passes = {0};
    for (int k = 0; k < N_RUNS; k++) {
        b->plan.variants[k] = (variant_plan_t){.max_length = k + 1, .padded = k + 1, .rows = k + 1};
        if (!loops_run_passes(b->plan.modules[k], &passes, d)) return false;
    }
    return true;
}

static double launch_streams(const module_t *m) {
    return loops_kernel_streams(m, m->funcs[0], 0);
}

/* ---- runs ------------------------------------------------------------------------------------------ */

typedef struct {
    exec_t *exec;
    unsigned char *workspace;
    int threads;
    const reformer_pool_t *pool;
} runner_t;

/* Seconds of the fastest run; the first one only warms up. 0 after an error in d. */
static double fastest(const runner_t *r, int length, diag_t *d) {
    static const int32_t ids[N_RUNS] = {0};
    reformer_io_t io = {
        .input_ids = ids, .length = (size_t)length, .threads = r->threads, .pool = r->pool};
    double best = 0;
    for (int k = 0; k <= REPEATS; k++) {
        double start = clock_now();
        int code = exec_run(r->exec, &io, r->workspace, d);
        double seconds = clock_now() - start;
        if (code > REFORMER_OK) diag_error(d, NOWHERE, "calibration: %s", reformer_strerror(code));
        if (code != REFORMER_OK) return 0;
        if (k > 0 && (best == 0 || seconds < best)) best = seconds;
    }
    return best;
}

static bool run_both(const bench_t *b, const runner_t *r, peaks_t *peaks, diag_t *d) {
    double fma = fastest(r, RUNS_FMA, d), triad = fma > 0 ? fastest(r, RUNS_TRIAD, d) : 0;
    if (triad <= 0) return false;
    peaks->flops = loops_cost(b->plan.modules[RUNS_FMA - 1], 0).flops / fma;
    peaks->bandwidth = launch_streams(b->plan.modules[RUNS_TRIAD - 1]) / triad;
    return true;
}

static bool measure(bench_t *b, runner_t *r, peaks_t *peaks, diag_t *d) {
    if (!exec_bind(r->exec, NULL, d)) return false;
    size_t bytes = exec_workspace_bytes(r->exec, RUNS_TRIAD, r->threads);
    size_t other = exec_workspace_bytes(r->exec, RUNS_FMA, r->threads);
    if (other > bytes) bytes = other;
    void *room = NULL;
    if (bytes == 0 || posix_memalign(&room, 64, bytes) != 0) {
        diag_error(d, NOWHERE, "calibration needs %zu bytes of memory, which are not there", bytes);
        diag_hint(d, "--peak GFLOPS --bandwidth GBS instead");
        return false;
    }
    r->workspace = room;
    memset(room, 0, bytes); /* pages there, and no number that is slow to compute with */
    bool ok = run_both(b, r, peaks, d);
    free(room);
    return ok;
}

bool calibrate(const target_t *t, const exec_options_t *o, int threads, peaks_t *peaks, diag_t *d) {
    bench_t b = {.arena = arena_new()};
    exec_options_t plain = {.backend = o->backend, .cc = o->cc, .pool = o->pool};
    bool ok = make_plan(&b, t, threads, d);
    exec_t *e = ok ? exec_open(&b.plan, NULL, &plain, d) : NULL;
    if (e) {
        runner_t r = {.exec = e, .threads = threads, .pool = pool_interface(o->pool)};
        ok = measure(&b, &r, peaks, d);
        exec_close(e);
    }
    arena_free(b.arena);
    return e && ok;
}
