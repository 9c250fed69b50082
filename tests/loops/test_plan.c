/* Memory planning as a property: random entries of nested loops and ifs, planned, then checked
 * twice without the planner's own reasoning. One: two buffers of which one is needed by a read
 * that the other's write would spoil never overlap; found by running the schedule with a model
 * of memory in which every write through a buffer spoils what shares its bytes. Two: no plan is
 * larger than giving every buffer its own place. */
#include "loops_test.h"

enum { BUFFERS = 8, KERNELS = 12, MAX_STEPS = 4000 };

static uint64_t seed;

static int below(int n) { /* xorshift: Marsaglia, 2003 */
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int)(seed % (uint64_t)n);
}

typedef struct {
    int n_reads, reads[3], write; /* buffers of the module */
} kernel_t;

static kernel_t kernels[KERNELS];

/* Kernel 0 … BUFFERS-1 only write; the others read some and write one. */
static void make_kernels(module_t *m, lfunc_t **f) {
    for (int k = 0; k < KERNELS; k++) {
        kernel_t *what = &kernels[k];
        what->write = k < BUFFERS ? k : below(BUFFERS);
        what->n_reads = k < BUFFERS ? 0 : 1 + below(3);
        dim_t one = dim(1);
        builder_t b = build_kernel(m, arena_printf(m->arena, "k%d", k), 1, &one, NULL);
        affine_t zero = ax(0);
        value_t *v = b_const(&b, SCALAR(E_F32), k);
        for (int r = 0; r < what->n_reads; r++) {
            what->reads[r] = below(BUFFERS);
            v = b_binary(&b, OP_ADD, v, b_load(&b, m->buffers[what->reads[r]], 1, &zero));
        }
        b_store(&b, m->buffers[what->write], v, &zero);
        f[k] = b.fn;
    }
}

static void make_block(builder_t *b, lfunc_t **f, int depth) {
    for (int k = 2 + below(5); k > 0; k--) {
        int form = depth < 3 ? below(8) : 7;
        if (form == 0) {
            inst_t *loop = b_for(b, NULL, dim(0), dim(below(8) ? 2 : 0), 0, NULL);
            make_block(b, f, depth + 1);
            b_end_for(b, loop, NULL);
        } else if (form == 1) {
            affine_t zero = ax(0);
            inst_t *branch = b_if(b, b_load(b, b->m->buffers[BUFFERS], 1, &zero), 0, NULL);
            make_block(b, f, depth + 1);
            b_else(b, branch, NULL);
            make_block(b, f, depth + 1);
            b_end_if(b, branch, NULL);
        } else {
            b_launch(b, f[below(KERNELS)], NULL);
        }
    }
}

static module_t *make_module(box_t *box) {
    module_t *m = module_new(box->arena, "random", &targets[T_X86_64], (units_t){1, 50});
    for (int k = 0; k < BUFFERS; k++) {
        dim_t size = {1 + below(2000), below(3) ? below(200) : 0};
        module_buffer(m, BUF_WORKSPACE, arena_printf(box->arena, "b%d", k), E_F32, 1, &size);
    }
    dim_t one = dim(1);
    module_buffer(m, BUF_INPUT, "flags", E_I32, 1, &one);
    lfunc_t *f[KERNELS];
    make_kernels(m, f);
    builder_t b = build_entry(m, "run");
    make_block(&b, f, 0);
    return m;
}

/* ---- the model of memory --------------------------------------------------------------------- */

typedef struct {
    const module_t *m;
    int64_t units;
    uint64_t flips; /* which way each next if goes */
    bool spoiled[BUFFERS], written[BUFFERS];
    int steps, bad;
} run_t;

static bool overlap(const run_t *r, int a, int b) {
    const buffer_t *x = r->m->buffers[a], *y = r->m->buffers[b];
    int64_t from_x = dim_at(x->offset, r->units), from_y = dim_at(y->offset, r->units);
    int64_t to_x = from_x + dim_at(buffer_bytes(x), r->units);
    int64_t to_y = from_y + dim_at(buffer_bytes(y), r->units);
    return from_x < to_y && from_y < to_x;
}

static void run_kernel(run_t *r, const kernel_t *k) {
    for (int i = 0; i < k->n_reads; i++) {
        int b = k->reads[i];
        if (r->written[b] && r->spoiled[b]) r->bad++; /* it read what another buffer left */
    }
    for (int b = 0; b < BUFFERS; b++)
        if (b != k->write && overlap(r, b, k->write)) {
            r->spoiled[b] = true;
            for (int i = 0; i < k->n_reads; i++) r->bad += k->reads[i] == b && r->written[b];
        }
    r->written[k->write] = true;
    r->spoiled[k->write] = false;
}

static void run_block(run_t *r, const block_t *b) {
    for (size_t k = 0; k < b->n && r->steps++ < MAX_STEPS; k++) {
        const inst_t *i = b->insts[k];
        if (i->op == OP_LAUNCH) run_kernel(r, &kernels[atoi(i->callee->name + 1)]);
        if (i->op == OP_IF) {
            run_block(r, r->flips & 1 ? i->body : i->otherwise);
            r->flips = r->flips >> 1 | r->flips << 63;
        }
        if (i->op == OP_FOR)
            for (int64_t t = i->d.c; t < i->e.c; t++) run_block(r, i->body);
    }
}

static int count_bad(const module_t *m, int64_t units) {
    run_t r = {.m = m, .units = units, .flips = seed};
    run_block(&r, module_entry(m)->body);
    return r.bad;
}

static void check_sizes(const module_t *m, int64_t units) {
    int64_t sum = 0, peak = dim_at(m->workspace_bytes, units);
    for (int k = 0; k < BUFFERS; k++) {
        const buffer_t *b = m->buffers[k];
        int64_t at = dim_at(b->offset, units), bytes = dim_at(buffer_bytes(b), units);
        assert_true(b->planned && at % 64 == 0 && at >= 0 && at + bytes <= peak);
        sum += (b->dims[0].c * 4 + 63) / 64 * 64 + (b->dims[0].u * 4 + 63) / 64 * 64 * units;
    }
    /* crossing lines may cost more than either of both, never more than both */
    assert_true(peak <= sum);
}

static void never_spoils_what_is_read(void **state) {
    (void)state;
    int shared = 0, caught = 0;
    for (int round = 0; round < 1500; round++) {
        seed = 0x9E3779B97F4A7C15u * (uint64_t)(round + 1);
        box_t b = box_open();
        module_t *m = make_module(&b);
        if (!loops_verify(m, b.diag)) fail_msg("%s", messages(&b));
        pass_plan_memory(m);
        if (!loops_verify(m, b.diag)) fail_msg("%s", messages(&b));
        static const int64_t units[] = {1, 2, 17, 50};
        for (int u = 0; u < 4; u++) {
            check_sizes(m, units[u]);
            for (int flips = 0; flips < 8; flips++, below(2))
                if (count_bad(m, units[u])) {
                    sbuf_t s = {0};
                    loops_print_plan(m, &s);
                    fail_msg("round %d, U = %d:\n%s%s", round, (int)units[u], print(&b, m), s.data);
                }
        }
        for (int x = 0; x < BUFFERS; x++)
            for (int y = 0; y < x; y++) shared += overlap(&(run_t){.m = m, .units = 50}, x, y);
        for (int k = 0; k < BUFFERS; k++) m->buffers[k]->offset = dim(0);
        caught += count_bad(m, 50) > 0;
        box_close(&b);
    }
    assert_true(shared > 1000); /* the plans do share, and */
    assert_true(caught > 300);  /* the model does see a bad plan */
}

/* Layers of two kinds share a buffer, which neither needs where the other stands with one of its own. */
static void branches_share_places(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m =
        parse_good(&b, "module \"m\" target \"x86-64-v3\"\n"
                       "buffer kind: table i32 [3] = {1, 0, 1}\n"
                       "buffer both: workspace f32 [1000]\nbuffer one: workspace f32 [1000]\n"
                       "kernel w() tasks(%t < 1000) {\n%x = const.f32 1\nstore both[%t], %x\n}\n"
                       "kernel r() tasks(%t < 1000) {\n%x = load.f32 both[%t]\n%y = add %x, %x\n"
                       "store both[%t], %y\n}\n"
                       "kernel own() tasks(%t < 1000) {\n%x = const.f32 1\nstore one[%t], %x\n}\n"
                       "kernel end() tasks(%t < 1000) {\n%x = load.f32 one[%t]\n%y = add %x, %x\n"
                       "store one[%t], %y\n}\n"
                       "entry run {\nfor %l = 0 .. 3 {\n%k = load.i32 kind[%l]\n"
                       "if %k {\nlaunch w()\nlaunch r()\nlaunch own()\nlaunch end()\n"
                       "} else {\nlaunch own()\nlaunch end()\nlaunch w()\nlaunch r()\n}\n}\n}\n");
    pass_plan_memory(m);
    assert_int_equal(m->workspace_bytes.c, 4032); /* of one, a multiple of 64 */
    memory_map_t map = loops_memory_map(m, 0, b.arena);
    const bool both[] = {1, 1, 0, 0, 0, 0, 1, 1};
    assert_int_equal(map.times, 8);
    assert_memory_equal(map.lives[0].lives, both, sizeof both);
    box_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(never_spoils_what_is_read),
                                       cmocka_unit_test(branches_share_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
