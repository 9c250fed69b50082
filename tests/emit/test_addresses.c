/* Addresses: random kernels whose indices are sums of anything, of either sign, of scaled and summed
 * values, of tables and dimensions in U; enough of them that addresses get base pointers and large
 * blocks become functions. As they are and after all passes: the interpreter, C and the JIT against
 * the interpreter of what was built.
 *
 *     test_emit_addresses [COUNT SEED] */
#include "emit_test.h"

static uint64_t rng;

static int draw(int n) {
    rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (int)((rng >> 33) % (uint64_t)n);
}

/* ---- values whose ranges are known ------------------------------------------------------------------- */

typedef struct {
    value_t *v;
    int64_t lo, hi;
} known_t;

enum { POOL = 20, TABLE = 16, LANES = 8, UNITS = 3 };

typedef struct {
    known_t ints[POOL];
    value_t *floats[POOL], *vecs[POOL];
    int n_ints, n_floats, n_vecs;
} scope_t;

typedef struct {
    builder_t b;
    scope_t s;
    int budget;
    buffer_t *in, *picks, *table, *cells, *out;
} world_t;

static void keep(world_t *w, value_t *v, int64_t lo, int64_t hi) {
    scope_t *s = &w->s;
    s->ints[s->n_ints < POOL ? s->n_ints++ : draw(POOL)] = (known_t){v, lo, hi};
}

static void keep_real(world_t *w, value_t *v) {
    scope_t *s = &w->s;
    if (v->type.lanes > 1) s->vecs[s->n_vecs < POOL ? s->n_vecs++ : draw(POOL)] = v;
    else s->floats[s->n_floats < POOL ? s->n_floats++ : draw(POOL)] = v;
}

static known_t any_int(const world_t *w) {
    return w->s.ints[draw(w->s.n_ints)];
}

static value_t *any_real(const world_t *w, bool vector) {
    return vector ? w->s.vecs[draw(w->s.n_vecs)] : w->s.floats[draw(w->s.n_floats)];
}

/* Within the dimension for every U, with `width` elements from there on. */
static affine_t some_index(const world_t *w, dim_t d, int width) {
    static const int coefs[] = {1, 1, 1, -1, -1, 2, -2, 3, 5, 8};
    int64_t room = d.c + d.u - width, lo = 0, hi = 0;
    affine_t a = ax(0);
    for (int k = draw(4); k > 0; k--) {
        known_t x = any_int(w);
        int64_t c = coefs[draw(10)], l = c * (c < 0 ? x.hi : x.lo), h = c * (c < 0 ? x.lo : x.hi);
        if (hi + h - lo - l > room) continue;
        a = ax_add(a, ax_scale(ax_v(x.v), c));
        lo += l;
        hi += h;
    }
    a.base = dim(draw((int)(room - hi + lo) + 1) - lo);
    if (d.u && draw(2)) a.base = dim_add(a.base, (dim_t){-1, 1});
    return a;
}

static void sum_of_ints(world_t *w) {
    builder_t *b = &w->b;
    known_t x = any_int(w), y = any_int(w);
    value_t *p = x.v, *q = y.v;
    if (p->type.elem != q->type.elem) {
        if (p->type.elem == E_I32) p = b_convert(b, E_I64, p);
        else q = b_convert(b, E_I64, q);
    }
    switch (draw(4)) {
    case 0: keep(w, b_binary(b, OP_ADD, p, q), x.lo + y.lo, x.hi + y.hi); break;
    case 1: keep(w, b_binary(b, OP_SUB, p, q), x.lo - y.hi, x.hi - y.lo); break;
    case 2:
        keep(w, b_binary(b, OP_MIN, p, q), x.lo < y.lo ? x.lo : y.lo, x.hi < y.hi ? x.hi : y.hi);
        break;
    default:
        if (x.lo < 0 || y.lo < 0 || x.hi * y.hi > 40) break;
        keep(w, b_binary(b, OP_MUL, p, q), 0, x.hi * y.hi);
    }
}

static void quotient(world_t *w) {
    builder_t *b = &w->b;
    known_t x = any_int(w), y = any_int(w);
    int by = 1 + draw(9), scale = draw(2) ? by : 1;
    affine_t a = ax_plus(ax_add(ax_scale(ax_v(x.v), scale), ax_v(y.v)), draw(20));
    int64_t lo = scale * x.lo + y.lo + a.base.c, hi = scale * x.hi + y.hi + a.base.c;
    if (lo < 0) return;
    value_t *v = b_index(b, a);
    if (draw(2)) keep(w, b_idiv(b, v, dim(by)), lo / by, hi / by);
    else keep(w, b_irem(b, v, dim(by)), 0, by - 1);
}

static void more_ints(world_t *w) {
    builder_t *b = &w->b;
    affine_t at;
    known_t x;
    switch (draw(6)) {
    case 0:
        at = some_index(w, dim(TABLE), 1);
        keep(w, b_load(b, w->table, 1, &at), 0, 7);
        break;
    case 1:
        at = some_index(w, w->picks->dims[0], 1);
        keep(w, b_load(b, w->picks, 1, &at), 0, 5);
        break;
    case 2:
        x = any_int(w);
        keep(w, b_convert(b, x.v->type.elem == E_I64 ? E_I32 : E_I64, x.v), x.lo, x.hi);
        break;
    case 3: quotient(w); break;
    default: sum_of_ints(w);
    }
}

/* ---- programs ---------------------------------------------------------------------------------------- */

static void load_some(world_t *w) {
    bool vector = draw(3) == 0, own = draw(2);
    buffer_t *from = own ? w->cells : w->in;
    int width = vector ? LANES : 1;
    affine_t at[] = {some_index(w, from->dims[0], 1), some_index(w, from->dims[1], width)};
    if (draw(12) == 0) b_prefetch(&w->b, from, at);
    keep_real(w, b_load(&w->b, from, width, at));
}

static void store_some(world_t *w, const affine_t *place) {
    bool vector = draw(3) == 0, own = draw(2);
    int width = vector ? LANES : 1;
    value_t *v = any_real(w, vector);
    if (own) {
        affine_t at[] = {some_index(w, w->cells->dims[0], 1),
                         some_index(w, w->cells->dims[1], width)};
        b_store(&w->b, w->cells, v, at);
    } else {
        affine_t at[] = {place[0], place[1], some_index(w, w->out->dims[2], width)};
        b_store(&w->b, w->out, v, at);
    }
}

static void add_some(world_t *w) {
    static const op_t ops[] = {OP_ADD, OP_SUB, OP_MIN, OP_MAX};
    bool vector = draw(3) == 0;
    keep_real(w, b_binary(&w->b, ops[draw(4)], any_real(w, vector), any_real(w, vector)));
}

static void some_block(world_t *w, const affine_t *place, int depth);

static void some_loop(world_t *w, const affine_t *place, int depth) {
    scope_t outer = w->s;
    bool carries = draw(3) == 0;
    value_t *sum = any_real(w, false);
    int trips = 1 + draw(5);
    inst_t *loop = b_for(&w->b, "i", dim(0), dim(trips), carries, &sum);
    keep(w, loop_var(loop), 0, trips - 1);
    if (carries) keep_real(w, loop_arg(loop, 0));
    some_block(w, place, depth + 1);
    sum = any_real(w, false);
    b_end_for(&w->b, loop, carries ? &sum : NULL);
    w->s = outer;
    if (carries) keep_real(w, loop->results[0]);
}

static void some_branch(world_t *w, const affine_t *place, int depth) {
    scope_t outer = w->s;
    value_t *x = any_int(w).v, *one = b_iconst(&w->b, x->type, draw(4));
    inst_t *branch = b_if(&w->b, b_compare(&w->b, OP_LE, x, one), 0, NULL);
    some_block(w, place, depth + 1);
    w->s = outer;
    if (draw(2)) {
        b_else(&w->b, branch, NULL);
        some_block(w, place, depth + 1);
        w->s = outer;
    }
    b_end_if(&w->b, branch, NULL);
}

static void some_block(world_t *w, const affine_t *place, int depth) {
    for (int n = 8 + draw(40); n > 0 && w->budget-- > 0; n--) {
        int what = draw(16);
        if (what < 3) more_ints(w);
        else if (what < 8) load_some(w);
        else if (what < 11) store_some(w, place);
        else if (what < 13) add_some(w);
        else if (what < 15 && depth < 4) some_loop(w, place, depth);
        else if (depth < 4) some_branch(w, place, depth);
    }
}

static void clear_cells(world_t *w) {
    builder_t *b = &w->b;
    inst_t *i = b_for(b, "row", dim(0), w->cells->dims[0], 0, NULL);
    inst_t *j = b_for(b, "col", dim(0), w->cells->dims[1], 0, NULL);
    affine_t at[] = {ax_v(loop_var(i)), ax_v(loop_var(j))};
    b_store(b, w->cells, b_const(b, SCALAR(E_F32), 0.5), at);
    b_end_for(b, j, NULL);
    b_end_for(b, i, NULL);
}

static void some_kernel(module_t *m, world_t *w, const char *name, bool units) {
    dim_t tasks[] = {dim(3)}, cells[] = {units ? (dim_t){9, 5} : dim(14), dim(24)};
    const char *task = "t";
    w->b = build_kernel(m, name, 1, tasks, &task);
    value_t *p = kernel_param(&w->b, "p", 2);
    w->s = (scope_t){0};
    w->cells = kernel_scratch(&w->b, "cells", E_F32, 2, cells);
    affine_t place[] = {ax_v(p), ax_v(w->b.fn->task[0])}, zero[] = {ax(0), ax(0)};
    clear_cells(w);
    keep(w, p, 0, 1);
    keep(w, w->b.fn->task[0], 0, 2);
    keep_real(w, b_load(&w->b, w->in, 1, zero));
    keep_real(w, b_load(&w->b, w->in, LANES, zero));
    some_block(w, place, 0);
    for (int k = 0; k < 8; k++) store_some(w, place);
}

static module_t *some_module(arena_t *a, uint64_t seed) {
    rng = seed * 7919 + 1;
    bool units = draw(2);
    module_t *m = module_new(a, "addresses", &targets[T_X86_64_V3],
                             units ? (units_t){1, UNITS} : (units_t){0, 0});
    world_t w = {.budget = 260};
    dim_t in[] = {units ? (dim_t){3, 4} : dim(7), dim(40)},
          picks[] = {units ? (dim_t){2, 9} : dim(11)};
    dim_t out[] = {dim(2), dim(3), units ? (dim_t){40, 11} : dim(50)}, table[] = {dim(TABLE)};
    static const int32_t values[TABLE] = {3, 1, 7, 0, 2, 2, 5, 1, 0, 6, 4, 4, 1, 7, 3, 2};
    w.in = module_buffer(m, BUF_INPUT, "in", E_F32, 2, in);
    w.picks = module_buffer(m, BUF_INPUT, "picks", E_I32, 1, picks);
    w.picks->slot = 1;
    w.picks->has_range = true;
    w.picks->hi = dim(5);
    w.table = module_buffer(m, BUF_TABLE, "table", E_I32, 1, table);
    w.table->data = values;
    w.out = module_buffer(m, BUF_OUTPUT, "out", E_F32, 3, out);
    w.out->slot = 5;
    some_kernel(m, &w, "work", units);
    builder_t e = build_entry(m, "run");
    inst_t *l = b_for(&e, "l", dim(0), dim(2), 0, NULL);
    value_t *arg = loop_var(l);
    b_launch(&e, m->funcs[0], &arg);
    b_end_for(&e, l, NULL);
    return m;
}

/* ---- the comparison ---------------------------------------------------------------------------------- */

static void fill(slots_t *s, arena_t *a) {
    unsigned char *floats = arena_alloc(a, SLOT_BYTES), *ints = arena_alloc(a, SLOT_BYTES);
    for (int k = 0; k < 1024; k++) ((float *)(void *)floats)[k] = (float)(k * 131 % 997) / 64 - 7;
    for (int k = 0; k < 1024; k++) ((int32_t *)(void *)ints)[k] = k * 37 % 11 % 6;
    (*s)[0] = floats;
    (*s)[1] = ints;
}

static void fold_alike(bench_t *b, const module_t *plain, const module_t *passed,
                       const slots_t *s) {
    int64_t least = plain->units.min, most = plain->units.max;
    for (int64_t u = least; u <= most; u++) {
        run_t want = run_open(plain, u, *s), got = run_open(passed, u, *s);
        must(b, loops_interpret(plain, &want.call, b->diag));
        must(b, loops_interpret(passed, &got.call, b->diag));
        same_outputs(plain, u, &want, &got, "after passes");
        run_close(&want);
        run_close(&got);
    }
}

static int count = 2; /* of seeds that found a difference where an index subtracts a sum */
static uint64_t first = 5;

static void one(uint64_t seed) {
    static const int64_t all[] = {1, 2, UNITS}, none[] = {0};
    bench_t b;
    bench_open(&b, "addresses");
    pass_options_t passes = {.verify_each = true};
    module_t *m[2] = {some_module(b.arena, seed), some_module(b.arena, seed)};
    slots_t inputs[2] = {{0}};
    must(&b, loops_verify(m[0], b.diag));
    must(&b, loops_run_passes(m[1], &passes, b.diag));
    fill(&inputs[0], b.arena);
    fill(&inputs[1], b.arena);
    bench_modules(&b, m, 2);
    fold_alike(&b, m[0], m[1], &inputs[0]);
    bool units = m[0]->units.max > 0;
    bench_compare_units(&b, units ? all : none, units ? 3 : 1, (const slots_t *)inputs);
    bench_close(&b);
}

static void addresses(void **state) {
    (void)state;
    for (int k = 0; k < count; k++) {
        if (count > 2) fprintf(stderr, "seed %llu\n", (unsigned long long)first + (unsigned)k);
        one(first + (uint64_t)k);
    }
}

int main(int argc, char **argv) {
    if (argc > 1) count = atoi(argv[1]);
    if (argc > 2) first = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
