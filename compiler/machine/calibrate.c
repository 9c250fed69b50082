/* Calibration kernels: a plan of hand-made modules through an executor.
 *
 * In: a target, a back end. Out: flops, cycles and bytes per second. What is run is counted from
 * the loop IR (loops_cost, loops_kernel_streams), as it is for models, so that
 * both may be compared. */
#include "machine/calibrate.h"

#include <string.h>

#include "machine/stream.h"
#include "support/clock.h"
#include "support/heap.h"
#include "support/pages.h"

enum {
    TASKS = 8,       /* per thread, so that none waits long for another */
    STEPS = 100000,  /* of the loop of multiply-adds, per task */
    CHAIN = 16,      /* instructions that wait for each other, per step */
    LINKS = 200000,  /* steps of the chain */
    BLOCK = 1 << 14, /* floats of a task that streams */
    SUMS = 8,        /* accumulators of the sum: adding must not be what it waits for */
    MAX_SUMS = 24,   /* of any kernel */
    ARRAYS = 3       /* of the triad; the sum reads as much in one */
};

/* ---- modules --------------------------------------------------------------------------------- */

static int lanes_of(const target_t *t) {
    return t->vector_bytes / (int)sizeof(float);
}

/* Enough to cover the latency of two units, and with two operands and a product no more than the
 * registers. */
static int accumulators(const target_t *t) {
    return t->registers >= 32 ? MAX_SUMS : 12;
}

/* Zero, which no compiler knows: the id of the only token. */
static value_t *unknown_zero(module_t *m, builder_t *b) {
    dim_t dims[] = {dim(1), dim(1)};
    buffer_t *ids = module_buffer(m, BUF_INPUT, "ids", E_I32, 2, dims);
    ids->slot = REFORMER_SLOT_IDS;
    ids->has_range = true; /* 0 … 0 */
    affine_t first[] = {ax(0), ax(0)};
    return b_load(b, ids, 1, first);
}

static builder_t one_kernel(module_t *m, const char *name, dim_t tasks) {
    const char *task = "task";
    return build_kernel(m, name, 1, &tasks, &task);
}

static module_t *launch_it(module_t *m, const builder_t *b) {
    lfunc_t *kernel = b->fn;
    builder_t entry = build_entry(m, "forward");
    b_launch(&entry, kernel, NULL);
    return m;
}

static value_t *sum_of(builder_t *b, value_t *const *x, int n) {
    value_t *sum = x[0];
    for (int k = 1; k < n; k++) sum = b_binary(b, OP_ADD, sum, x[k]);
    return sum;
}

/* Nothing that a task computed may be left out: its sum is stored. */
static void store_sum(module_t *m, builder_t *b, dim_t tasks, value_t *sum) {
    dim_t dims[] = {tasks, dim(sum->type.lanes)};
    affine_t at[] = {ax_v(b->fn->task[0]), ax(0)};
    b_store(b, module_buffer(m, BUF_WORKSPACE, "sums", E_F32, 2, dims), sum, at);
}

/* acc = acc * p + q, not acc + p * q: targets without fma would take the product out of the loop.
 * The accumulators differ, so that none is computed for another, and approach 1. */
static module_t *fma_module(arena_t *a, const target_t *t, int threads) {
    module_t *m = module_new(a, "fma", t, (units_t){0, 0});
    int lanes = lanes_of(t), n = accumulators(t);
    dim_t tasks = dim((int64_t)threads * TASKS);
    ltype_t vector = VECTOR(E_F32, lanes);
    builder_t b = one_kernel(m, "fma", tasks);
    value_t *zero = b_broadcast(&b, b_convert(&b, E_F32, unknown_zero(m, &b)), lanes);
    value_t *p = b_binary(&b, OP_ADD, zero, b_const(&b, vector, 0.75));
    value_t *q = b_binary(&b, OP_ADD, zero, b_const(&b, vector, 0.25));
    value_t *acc[MAX_SUMS], *next[MAX_SUMS];
    for (int k = 0; k < n; k++) acc[k] = b_const(&b, vector, k);
    inst_t *loop = b_for(&b, "step", dim(0), dim(STEPS), n, acc);
    for (int k = 0; k < n; k++) next[k] = b_fma(&b, loop_arg(loop, k), p, q);
    b_end_for(&b, loop, next);
    store_sum(m, &b, tasks, sum_of(&b, loop->results, n));
    return launch_it(m, &b);
}

/* A module of instructions that add products of small numbers: ints in every 32 bits, which hold
 * them in pairs or fours. */
static module_t *dot_module(arena_t *a, const target_t *t, int threads, op_t op, int64_t x,
                            int64_t y) {
    const char *name = op == OP_DOT2 ? "dot2" : "dot4";
    module_t *m = module_new(a, name, t, (units_t){0, 0});
    int lanes = lanes_of(t), n = accumulators(t);
    bool floats = op == OP_DOT2;
    dim_t tasks = dim((int64_t)threads * TASKS);
    ltype_t words = VECTOR(E_I32, lanes), sums = VECTOR(floats ? E_F32 : E_I32, lanes);
    builder_t b = one_kernel(m, name, tasks);
    value_t *zero = b_broadcast(&b, unknown_zero(m, &b), lanes);
    value_t *p =
        b_bitcast(&b, floats ? E_BF16 : E_U8, b_binary(&b, OP_ADD, zero, b_iconst(&b, words, x)));
    value_t *q =
        b_bitcast(&b, floats ? E_BF16 : E_I8, b_binary(&b, OP_ADD, zero, b_iconst(&b, words, y)));
    value_t *acc[MAX_SUMS], *next[MAX_SUMS];
    for (int k = 0; k < n; k++) acc[k] = floats ? b_const(&b, sums, k) : b_iconst(&b, sums, k);
    inst_t *loop = b_for(&b, "step", dim(0), dim(STEPS), n, acc);
    for (int k = 0; k < n; k++)
        next[k] =
            floats ? b_dot2(&b, loop_arg(loop, k), p, q) : b_dot4(&b, loop_arg(loop, k), p, q);
    b_end_for(&b, loop, next);
    value_t *sum = sum_of(&b, loop->results, n);
    store_sum(m, &b, tasks, floats ? sum : b_convert(&b, E_F32, sum));
    return launch_it(m, &b);
}

/* acc = acc + 1 * -1 + 1 * 1: neither grows nor shrinks. */
static module_t *dot2_module(arena_t *a, const target_t *t, int threads) {
    return dot_module(a, t, threads, OP_DOT2, 0x3f803f80, 0x3f80bf80);
}

static module_t *dot4_module(arena_t *a, const target_t *t, int threads) {
    return dot_module(a, t, threads, OP_DOT4, 0x01010101, 0x01010101);
}

/* x = (x + c) ^ d in turns: each takes a cycle and waits for the one before. Constants that need
 * four bytes: small ones are added for nothing by some CPUs while they rename registers. */
static module_t *clock_module(arena_t *a, const target_t *t, int threads) {
    (void)threads;
    module_t *m = module_new(a, "clock", t, (units_t){0, 0});
    ltype_t word = SCALAR(E_I64);
    builder_t b = one_kernel(m, "chain", dim(1));
    value_t *x = b_convert(&b, E_I64, unknown_zero(m, &b));
    inst_t *loop = b_for(&b, "step", dim(0), dim(LINKS), 1, &x);
    value_t *y = loop_arg(loop, 0);
    for (int k = 0; k < CHAIN; k++)
        y = b_binary(&b, k % 2 ? OP_XOR : OP_ADD, y, b_iconst(&b, word, 0x1234567 + 77777 * k));
    b_end_for(&b, loop, &y);
    store_sum(m, &b, dim(1), b_convert(&b, E_F32, b_convert(&b, E_I32, loop->results[0])));
    return launch_it(m, &b);
}

int64_t calibration_array_bytes(void) {
    return ARRAYS * stream_array_bytes();
}

static int64_t blocks_of(int64_t bytes) {
    return bytes / BLOCK / (int64_t)sizeof(float);
}

static module_t *read_module(arena_t *a, const target_t *t, int threads) {
    (void)threads;
    module_t *m = module_new(a, "read", t, (units_t){0, 0});
    int lanes = lanes_of(t);
    dim_t dims[] = {dim(blocks_of(calibration_array_bytes())), dim(BLOCK)};
    buffer_t *x = module_buffer(m, BUF_WORKSPACE, "x", E_F32, 2, dims);
    builder_t b = one_kernel(m, "read", dims[0]);
    value_t *acc[SUMS], *next[SUMS];
    for (int k = 0; k < SUMS; k++) acc[k] = b_const(&b, VECTOR(E_F32, lanes), 0);
    inst_t *loop = b_for(&b, "i", dim(0), dim(BLOCK / lanes / SUMS), SUMS, acc);
    for (int k = 0; k < SUMS; k++) {
        affine_t i = ax_scale(ax_v(loop_var(loop)), (int64_t)lanes * SUMS);
        affine_t at[] = {ax_v(b.fn->task[0]), ax_plus(i, (int64_t)k * lanes)};
        next[k] = b_binary(&b, OP_ADD, loop_arg(loop, k), b_load(&b, x, lanes, at));
    }
    b_end_for(&b, loop, next);
    store_sum(m, &b, dims[0], sum_of(&b, loop->results, SUMS));
    return launch_it(m, &b);
}

static module_t *triad_module(arena_t *a, const target_t *t, int threads) {
    (void)threads;
    module_t *m = module_new(a, "triad", t, (units_t){0, 0});
    int lanes = lanes_of(t);
    dim_t dims[] = {dim(blocks_of(stream_array_bytes())), dim(BLOCK)};
    buffer_t *x = module_buffer(m, BUF_WORKSPACE, "x", E_F32, 2, dims);
    buffer_t *y = module_buffer(m, BUF_WORKSPACE, "y", E_F32, 2, dims);
    buffer_t *z = module_buffer(m, BUF_WORKSPACE, "z", E_F32, 2, dims);
    builder_t b = one_kernel(m, "triad", dims[0]);
    value_t *s = b_const(&b, VECTOR(E_F32, lanes), 3);
    inst_t *loop = b_for(&b, "i", dim(0), dim(BLOCK / lanes), 0, NULL);
    affine_t at[] = {ax_v(b.fn->task[0]), ax_scale(ax_v(loop_var(loop)), lanes)};
    value_t *u = b_load(&b, x, lanes, at), *v = b_load(&b, y, lanes, at);
    b_store(&b, z, b_fma(&b, s, v, u), at);
    b_end_for(&b, loop, NULL);
    return launch_it(m, &b);
}

static double flops_of(const module_t *m) {
    return loops_cost(m, 0).flops;
}

static double cycles_of(const module_t *m) {
    (void)m;
    return (double)CHAIN * LINKS;
}

static double streams_of(const module_t *m) {
    return loops_kernel_streams(m, m->funcs[0], 0);
}

static const struct {
    module_t *(*make)(arena_t *a, const target_t *t, int threads);
    double (*work)(const module_t *m);
} kernels[RATE_COUNT] = {
    [RATE_FMA] = {fma_module, flops_of},     [RATE_DOT2] = {dot2_module, flops_of},
    [RATE_DOT4] = {dot4_module, flops_of},   [RATE_CLOCK] = {clock_module, cycles_of},
    [RATE_READ] = {read_module, streams_of}, [RATE_TRIAD] = {triad_module, streams_of},
};

bool rate_exists(const target_t *t, rate_t which) {
    return which >= RATE_CLOCK || target_has_product(t, (factor_t)which);
}

/* ---- a plan of them -------------------------------------------------------------------------- */

/* A model with nothing in it, whose forward is whatever its modules do. */
struct calibration {
    arena_t *arena;
    spec_t spec;
    layout_t layout;
    plan_t plan;
    int at[RATE_COUNT]; /* variants: an input of at + 1 tokens runs it; -1: there is none */
    exec_t *exec;
    unsigned char *workspace;
    size_t room; /* bytes of it */
};

static bool make_plan(calibration_t *c, const target_t *t, int threads, diag_t *d) {
    c->spec = (spec_t){.path = "calibration"};
    c->layout.data_end = REFORMER_WEIGHTS_HEADER;
    c->plan = (plan_t){
        .spec = &c->spec,
        .facts = {.head = ARCH_BASE, .hidden = 1, .vocab = 1, .labels = 1, .heads = 1, .rounds = 1},
        .arena = c->arena,
        .batch = 1,
        .layout = &c->layout,
        .name = "calibration",
        .n_targets = 1,
        .targets = {t}};
    c->plan.variants = ARENA_ARRAY(c->arena, variant_plan_t, RATE_COUNT);
    c->plan.modules = ARENA_ARRAY(c->arena, module_t *, RATE_COUNT);
    pass_options_t passes = {0};
    for (int k = 0; k < RATE_COUNT; k++) {
        c->at[k] = -1;
        if (!rate_exists(t, (rate_t)k)) continue;
        int at = c->at[k] = c->plan.n_variants++;
        c->plan.variants[at] =
            (variant_plan_t){.max_length = at + 1, .padded = at + 1, .rows = {at + 1}};
        c->plan.modules[at] = kernels[k].make(c->arena, t, threads);
        if (!loops_run_passes(c->plan.modules[at], &passes, d)) return false;
    }
    return true;
}

/* One workspace for all, as large as those that were run need, of the pages that models get:
 * touched, and no number that is slow to compute with. */
static bool make_room(calibration_t *c, rate_t which, int threads, diag_t *d) {
    size_t bytes = exec_workspace_bytes(c->exec, (size_t)c->at[which] + 1, threads);
    if (bytes > 0 && bytes <= c->room) return true;
    heap_free(c->workspace);
    c->room = 0;
    c->workspace = bytes ? pages_alloc(bytes) : NULL;
    if (!c->workspace) {
        diag_no_memory(d, NOWHERE, "calibration needs %zu bytes of memory, which are not there",
                       bytes);
        return false;
    }
    memset(c->workspace, 0, bytes);
    c->room = bytes;
    return true;
}

calibration_t *calibration_open(const target_t *t, const exec_options_t *o, int threads,
                                diag_t *d) {
    calibration_t *c = heap_new(1, sizeof *c);
    c->arena = arena_new();
    exec_options_t plain = {.backend = o->backend, .cc = o->cc, .pool = o->pool};
    if (make_plan(c, t, threads, d)) c->exec = exec_open(&c->plan, NULL, &plain, d);
    if (c->exec && exec_bind(c->exec, NULL, d)) return c;
    calibration_close(c);
    return NULL;
}

void calibration_close(calibration_t *c) {
    if (!c) return;
    exec_close(c->exec);
    heap_free(c->workspace);
    arena_free(c->arena);
    heap_free(c);
}

/* ---- runs ------------------------------------------------------------------------------------ */

double calibration_rate(calibration_t *c, rate_t which, int threads, const pool_t *pool,
                        double seconds, diag_t *d) {
    static const int32_t ids[RATE_COUNT] = {0};
    int at = c->at[which];
    if (at < 0) bug("a rate that the target does not have");
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .length = (size_t)at + 1,
                        .threads = threads,
                        .pool = pool_interface(pool)};
    if (!make_room(c, which, threads, d)) return 0;
    double start = clock_now(), spent = 0;
    int runs = 0;
    for (; runs == 0 || spent < seconds; runs++) {
        int code = exec_run(c->exec, &io, c->workspace, c->room, d);
        if (code > REFORMER_OK) diag_error(d, NOWHERE, "calibration: %s", reformer_strerror(code));
        if (code != REFORMER_OK) return 0;
        spent = clock_now() - start;
    }
    return runs * kernels[which].work(c->plan.modules[at]) / spent;
}

double vector_fmas_per_cycle(const target_t *t, double flops, int threads, double clock) {
    return flops / (2.0 * lanes_of(t) * threads * clock);
}

static double best_rate(calibration_t *c, rate_t which, int threads, const pool_t *pool,
                        diag_t *d) {
    enum { REPEATS = 7 };
    double best = 0;
    for (int k = 0; k <= REPEATS; k++) {
        double rate = calibration_rate(c, which, threads, pool, 0, d);
        if (rate <= 0) return 0;
        if (k > 0 && rate > best) best = rate; /* the first one warms up */
    }
    return best;
}

bool calibrate(const target_t *t, const exec_options_t *o, int threads, peaks_t *peaks, diag_t *d) {
    calibration_t *c = calibration_open(t, o, threads, d);
    if (!c) {
        diag_hint(d, "--peak GFLOPS --bandwidth GBS instead");
        return false;
    }
    bool ok = true;
    for (int p = 0; ok && p < FACTOR_COUNT; p++) {
        bool exists = rate_exists(t, (rate_t)p);
        peaks->flops.of[p] = exists ? best_rate(c, (rate_t)p, threads, o->pool, d) : 0;
        ok = peaks->flops.of[p] > 0 || !exists;
    }
    peaks->bandwidth = ok ? best_rate(c, RATE_TRIAD, threads, o->pool, d) : 0;
    calibration_close(c);
    return peaks->bandwidth > 0;
}
