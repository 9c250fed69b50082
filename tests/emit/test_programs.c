/* Structure: loops that carry, swap and share values, conditions, calls, tables, dynamic dimensions,
 * loads that stay before stores. Hand-written modules for the forms, random ones for their mixtures;
 * the C of gcc and clang against the interpreter.
 *
 *     test_emit_programs [long] */
#include "emit_test.h"

/* ---- hand-written ------------------------------------------------------------------------------------ */

static const char *const forms[] = {
    /* carried values change places, alone and among others; three in a ring */
    "module \"swap\" target \"x86-64-v3\"\n"
    "buffer out: output i32 [8] slot 5\n"
    "buffer in: input i32 [8] slot 0\n"
    "kernel work() tasks(%t < 1) {\n"
    "  %a = load.i32 in[0]\n  %b = load.i32 in[1]\n  %c = load.i32 in[2]\n  %z = const.i32 0\n"
    "  %p, %q, %r, %s = for %i = 0 .. 5 with %x = %a, %y = %b, %w = %c, %n = %z {\n"
    "    %m = add %n, %x\n    yield %y, %w, %x, %m\n  }\n"
    "  %u, %v = for %j = 0 .. 7 with %f = %p, %g = %q {\n"
    "    %d = sub %f, %g\n    yield %d, %f\n  }\n"
    "  store out[0], %p\n  store out[1], %q\n  store out[2], %r\n  store out[3], %s\n"
    "  store out[4], %u\n  store out[5], %v\n"
    "}\n"
    "entry run {\n  launch work()\n}\n",
    /* one accumulator through three loops; a body that never runs; an unused carried value */
    "module \"nest\" target \"x86-64-v4\"\n"
    "buffer out: output f32 [4] slot 5\n"
    "buffer in: input f32 [64] slot 0\n"
    "kernel work() tasks(%t < 1) {\n"
    "  %a = load.f32 in[0]\n  %z = const.f32 0\n"
    "  %s, %dead = for %i = 0 .. 3 with %x = %z, %unused = %a {\n"
    "    %o = for %j = 0 .. 4 with %y = %x {\n"
    "      %r = for %k = 0 .. 5 with %w = %y {\n"
    "        %v = load.f32 in[20*%i + 5*%j + %k]\n        %n = fma %v, %v, %w\n        yield %n\n      }\n"
    "      yield %r\n    }\n"
    "    %e = add %unused, %o\n    yield %o, %e\n  }\n"
    "  %never = for %f = 2 .. 2 with %g = %s {\n    %d = add %g, %a\n    yield %d\n  }\n"
    "  %twice = for %i2 = 0 .. 3 with %x2 = %s {\n"
    "    %in = for %j2 = 0 .. 2 with %y2 = %x2 {\n      %n2 = mul %y2, %x2\n      yield %n2\n    }\n"
    "    %h = sub %in, %x2\n    yield %h\n  }\n"
    "  store out[0], %s\n  store out[1], %never\n  store out[2], %twice\n"
    "}\n"
    "entry run {\n  launch work()\n}\n",
    /* what still needs the old value when a carried one is updated; inner loops that begin with an
     * outer loop's value, which others look at too; one value for two carried ones */
    "module \"update\" target \"x86-64-v3\"\n"
    "buffer out: output i32 [16] slot 5\n"
    "buffer in: input i32 [16] slot 0\n"
    "kernel work() tasks(%t < 1) {\n"
    "  %a = load.i32 in[0]\n  %b = load.i32 in[1]\n  %one = const.i32 1\n"
    "  %p, %q = for %i = 0 .. 5 with %x = %a, %s = %b {\n"
    "    %100 = sub %x, %one\n    %n = mul %x, %a\n    %m = xor %s, %100\n    yield %n, %m\n  }\n"
    "  %r = for %j = 0 .. 3 with %y = %a {\n"
    "    %in = for %k = 0 .. 2 with %z = %y {\n      %g = add %z, %y\n      yield %g\n    }\n"
    "    yield %in\n  }\n"
    "  %u, %v = for %l = 0 .. 3 with %c = %a, %d = %b {\n"
    "    %e, %f = for %o = 0 .. 2 with %g2 = %c, %h = %c {\n"
    "      %w = add %g2, %one\n      %w2 = add %h, %g2\n      yield %w, %w2\n    }\n"
    "    yield %e, %f\n  }\n"
    "  %k1, %k2, %k3 = for %l2 = 0 .. 3 with %c1 = %a, %c2 = %b, %c3 = %one {\n"
    "    %sum = add %c1, %c2\n    %mix = sub %c3, %c1\n    yield %sum, %sum, %mix\n  }\n"
    "  store out[0], %p\n  store out[1], %q\n  store out[2], %r\n  store out[3], %u\n"
    "  store out[4], %v\n  store out[5], %k1\n  store out[6], %k2\n  store out[7], %k3\n"
    "}\n"
    "entry run {\n  launch work()\n}\n",
    /* conditions with results, nested, inside of loops; conditions for their effect */
    "module \"branch\" target \"x86-64\"\n"
    "buffer out: output i32 [40] slot 5\n"
    "buffer in: input i32 [40] slot 0\n"
    "kernel work() tasks(%t < 40) {\n"
    "  %x = load.i32 in[%t]\n  %z = const.i32 0\n  %one = const.i32 1\n"
    "  %c = gt %x, %z\n"
    "  %p, %q = if %c -> i32, i32 {\n    %a = mul %x, %x\n    yield %a, %one\n"
    "  } else {\n    %odd = and %x, %one\n"
    "    %b = if %odd -> i32 {\n      %n = neg %x\n      yield %n\n    } else {\n      yield %z\n    }\n"
    "    yield %b, %x\n  }\n"
    "  %s = for %i = 0 .. 4 with %y = %p {\n"
    "    %l = lt %y, %q\n"
    "    %w = if %l -> i32 {\n      %m = sub %y, %x\n      yield %m\n    } else {\n      yield %q\n    }\n"
    "    %v = xor %w, %y\n    yield %v\n  }\n"
    "  store out[%t], %s\n"
    "  %e = eq %x, %one\n"
    "  if %e {\n    store out[%t], %q\n  }\n"
    "}\n"
    "entry run {\n  %x = load.i32 in[0]\n  if %x {\n    launch work()\n  } else {\n    launch work()\n  }\n}\n",
    /* functions with one result, several, none that is used; vectors as arguments */
    "module \"calls\" target \"x86-64-v4\"\n"
    "buffer out: output f32 [64] slot 5\n"
    "buffer in: input f32 [64] slot 0\n"
    "func twice(f32x16 %x) -> f32x16 {\n  %y = add %x, %x\n  return %y\n}\n"
    "func both(f32x16 %x, f32 %s) -> f32x16, f32 {\n"
    "  %v = broadcast.f32x16 %s\n  %y = mul %x, %v\n  %e = extract.f32 %y, 3\n  return %y, %e\n}\n"
    "func four(f32x16 %x) -> f32x16 {\n  %y = call twice(%x)\n  %z = call twice(%y)\n  return %z\n}\n"
    "kernel work() tasks(%t < 1) {\n"
    "  %x = load.f32x16 in[0]\n  %s = load.f32 in[16]\n"
    "  %y = call four(%x)\n  %p, %q = call both(%y, %s)\n  %unused, %r = call both(%p, %q)\n"
    "  store out[0], %p\n  store out[16], %q\n  store out[17], %r\n"
    "  %n = call twice(%x)\n  store out[32], %n\n"
    "}\n"
    "entry run {\n  launch work()\n}\n",
    /* what was loaded before a store is the old value, wherever it is used; stores are in order */
    "module \"order\" target \"x86-64-v3\"\n"
    "buffer out: output i32 [16] slot 5\n"
    "buffer s: scratch i32 [16] of work\n"
    "kernel work() tasks(%t < 1) {\n"
    "  %a = const.i32 5\n  store s[0], %a\n  store s[1], %a\n"
    "  %old = load.i32 s[0]\n  %new = const.i32 9\n  store s[0], %new\n"
    "  %now = load.i32 s[0]\n  %d = sub %now, %old\n  store out[0], %d\n  store out[1], %old\n"
    "  %x = load.i32 s[1]\n"
    "  for %i = 0 .. 3 {\n    %v = load.i32 s[1]\n    %w = add %v, %a\n    store s[1], %w\n  }\n"
    "  store out[2], %x\n  %y = load.i32 s[1]\n  store out[3], %y\n"
    "  store s[2], %a\n  %101 = load.i32 s[2]\n  store s[2], %new\n  store out[5], %101\n"
    "  %m = load.i32 s[0]\n"
    "  if %m {\n    store s[0], %a\n  }\n"
    "  %k = add %m, %m\n  store out[4], %k\n"
    "}\n"
    "entry run {\n  launch work()\n}\n",
    /* addresses that begin alike: what more of them share is known in the block around */
    "module \"bases\" target \"x86-64-v3\"\n"
    "buffer out: output f32 [2, 2, 4] slot 5\n"
    "buffer in: input f32 [2, 2, 4, 4] slot 0\n"
    "kernel work(%layer < 2) tasks(%columns < 2) {\n"
    "  for %i = 0 .. 4 {\n"
    "    %a = load.f32 in[%layer, 1, %i, 0]\n    %b = load.f32 in[%layer, 0, %i, 1]\n"
    "    %c = load.f32 in[%layer, %columns, %i, 0]\n    %d = load.f32 in[%layer, %columns, %i, 1]\n"
    "    %e = load.f32 in[%layer, %columns, %i, 2]\n    %f = load.f32 in[%layer, %columns, %i, 3]\n"
    "    %g = load.f32 in[%layer, %columns, %i, 0]\n"
    "    %h = sub %a, %b\n    %j = sub %h, %c\n    %k = sub %j, %d\n    %l = sub %k, %e\n"
    "    %m = sub %l, %f\n    %n = sub %m, %g\n    store out[%layer, %columns, %i], %n\n  }\n"
    "}\n"
    "entry run {\n  for %l = 0 .. 2 {\n    launch work(%l)\n  }\n}\n",
    /* tables, task spaces of several dimensions, parameters, indices of all forms, i64 values */
    "module \"index\" target \"x86-64-v3\"\n"
    "buffer out: output i64 [2, 3, 4] slot 5\n"
    "buffer rows: output f32 [2, 3, 8] slot 6\n"
    "buffer in: input f32 [3, 8] slot 0\n"
    "buffer tab: table i32 [3] range 0 .. 2 = {2, 0, 1}\n"
    "buffer lone: workspace i64 [3]\n"
    "kernel work(%layer < 2) tasks(%a < 3, %b < 4) {\n"
    "  %r = load.i32 tab[%a]\n"
    "  %i = index.i64 12*%layer + 4*%r - 3*%b + 7\n"
    "  %q = index.i64 5*%a + %b\n  %d = idiv %q, 3\n  %m = irem %q, 3\n"
    "  %s = mul %i, %d\n  %t = sub %s, %m\n"
    "  store out[%layer, %r, %b], %t\n"
    "}\n"
    "kernel copy() tasks(%a < 3) {\n  %r = load.i32 tab[%a]\n"
    "  %v = load.f32x4 in[%r, 4]\n  store rows[1, %a, 2*%r], %v\n}\n"
    "kernel first() tasks(%a < 3) {\n  %two = const.i64 -9223372036854775807\n  store lone[%a], %two\n}\n"
    "kernel last() tasks(%a < 1) {\n  %x = load.i64 lone[2]\n  %y = add %x, %x\n  store out[0, 0, 0], %y\n}\n"
    "entry run {\n  for %l = 0 .. 2 {\n    launch work(%l)\n  }\n  launch copy()\n  launch first()\n  launch last()\n}\n",
};

static void fill_floats(unsigned char *slot) {
    for (int k = 0; k < 64; k++) ((float *)(void *)slot)[k] = (float)(k * 37 % 23) / 7 - 1;
}

static void fill_ints(unsigned char *slot) {
    for (int k = 0; k < 64; k++) ((int32_t *)(void *)slot)[k] = k * 37 % 23 - 9;
}

static const unsigned char *input_for(arena_t *a, const module_t *m) {
    unsigned char *slot = arena_alloc(a, SLOT_BYTES);
    const buffer_t *in = module_find_buffer(m, "in");
    if (in && in->elem == E_F32) fill_floats(slot);
    else fill_ints(slot);
    return slot;
}

/* All of one target together: compilers take longest for what stands before a model. */
static void hand_written(void **state) {
    (void)state;
    enum { N = sizeof forms / sizeof *forms };
    int tried = 0;
    for (int t = 0; t < T_LEVELS; t++) {
        bench_t b;
        bench_open(&b, "forms");
        module_t *m[N];
        slots_t inputs[N] = {{0}};
        int n = 0;
        for (int k = 0; k < N; k++) {
            m[n] = bench_parse(&b, forms[k]);
            if (m[n]->target != &targets[t]) continue;
            inputs[n][0] = input_for(b.arena, m[n]);
            n++;
        }
        tried += n;
        if (n) {
            bench_modules(&b, m, n);
            bench_compare_all(&b, 0, (const slots_t *)inputs);
        }
        bench_close(&b);
    }
    assert_int_equal(tried, N);
}

static void dynamic_dimensions(void **state) {
    (void)state;
    static const char text[] =
        "module \"dyn\" target \"x86-64-v3\" units 1 .. 9\n"
        "buffer in: input f32 [4*U, 8] slot 0\n"
        "buffer out: output f32 [2, 4*U + 2] slot 5\n"
        "buffer w: workspace f32 [3, 4*U]\nbuffer x: workspace i32 [U]\n"
        "buffer s: scratch f32 [4*U + 1] of sums\n"
        "kernel sums() tasks(%p < 3, %r < 4*U) {\n"
        "  %z = const.f32 0\n"
        "  %t = for %j = 0 .. 8 with %acc = %z {\n"
        "    %v = load.f32 in[%r, %j]\n    %n = add %acc, %v\n    yield %n\n  }\n"
        "  store s[%r + 1], %t\n  %u = load.f32 s[%r + 1]\n  store w[%p, %r], %u\n}\n"
        "kernel collect() tasks(%t < 2) {\n"
        "  %z = const.f32 0\n"
        "  %all = for %i = 1 .. 4*U with %acc = %z {\n"
        "    %v = load.f32 w[%t, 4*U - %i]\n    %n = add %acc, %v\n"
        "    %at = index.i64 2*%i\n    %q = irem %at, 4*U + 1\n    %h = idiv %at, 2*U + 1\n"
        "    store out[%t, %q], %n\n    store out[%t, 4*U - %h], %v\n    yield %n\n  }\n"
        "  store out[%t, 4*U + 1], %all\n}\n"
        "entry run {\n  launch sums()\n  launch collect()\n}\n";
    static const int64_t units[] = {1, 5, 9};
    bench_t b;
    bench_open(&b, "dynamic");
    module_t *m = bench_parse(&b, text);
    bench_modules(&b, &m, 1);
    slots_t inputs = {input_for(b.arena, m)};
    bench_compare_units(&b, units, 3, (const slots_t *)&inputs);
    bench_close(&b);
}

/* ---- random ------------------------------------------------------------------------------------------- */

static uint64_t rng;

static int draw(int n) {
    rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (int)((rng >> 33) % (uint64_t)n);
}

enum { POOL = 24, CELLS = 16 };

typedef struct {
    value_t *value[POOL];
    int n;
} pool_t;

/* Values in scope: a block works on copies of the pools that are dropped when it ends. */
typedef struct {
    pool_t ints, vecs;
} scope_t;

typedef struct {
    builder_t b;
    scope_t s;
    int lanes, budget;
    buffer_t *cells, *vectors, *in;
} world_t;

static value_t *any_of(const pool_t *p) {
    return p->value[draw(p->n)];
}
static value_t *any_int(world_t *w) {
    return any_of(&w->s.ints);
}
static value_t *any_vec(world_t *w) {
    return any_of(&w->s.vecs);
}
static value_t *any(world_t *w, ltype_t t) {
    return t.lanes > 1 ? any_vec(w) : any_int(w);
}
static void keep(world_t *w, value_t *v) {
    pool_t *p = v->type.lanes > 1 ? &w->s.vecs : &w->s.ints;
    p->value[p->n < POOL ? p->n++ : draw(POOL)] = v;
}

/* 0 … CELLS-1 of any integer */
static affine_t some_cell(world_t *w) {
    if (draw(2)) return ax(draw(CELLS));
    value_t *x = b_binary(&w->b, OP_AND, any_int(w), b_iconst(&w->b, SCALAR(E_I32), CELLS - 1));
    return ax_v(x);
}

static void random_plain(world_t *w) {
    static const op_t ints[] = {OP_ADD, OP_SUB, OP_MUL, OP_MIN, OP_MAX, OP_AND,
                                OP_OR,  OP_XOR, OP_EQ,  OP_LT,  OP_GE};
    static const op_t vecs[] = {OP_ADD, OP_SUB, OP_MUL, OP_MIN, OP_MAX};
    builder_t *b = &w->b;
    int lanes[16];
    switch (draw(8)) {
    case 0: {
        op_t op = ints[draw(11)];
        value_t *x = any_int(w), *y = any_int(w);
        keep(w, op >= OP_EQ ? b_compare(b, op, x, y) : b_binary(b, op, x, y));
        break;
    }
    case 1: keep(w, b_binary(b, vecs[draw(5)], any_vec(w), any_vec(w))); break;
    case 2: keep(w, b_fma(b, any_vec(w), any_vec(w), any_vec(w))); break;
    case 3: {
        value_t *m = b_compare(b, OP_LT, any_vec(w), any_vec(w));
        keep(w, b_select(b, m, any_vec(w), any_vec(w)));
        break;
    }
    case 4: {
        value_t *m = draw(2) ? b_shift(b, OP_SAR, any_int(w), 31)
                             : b_compare(b, OP_NE, any_int(w), any_int(w));
        keep(w, b_select(b, m, any_int(w), any_int(w)));
        break;
    }
    case 5:
        for (int i = 0; i < w->lanes; i++) lanes[i] = draw(2 * w->lanes);
        keep(w, b_shuffle(b, any_vec(w), any_vec(w), lanes));
        break;
    case 6: keep(w, b_shift(b, OP_SAR, any_int(w), draw(32))); break;
    default: {
        value_t *s = b_bitcast(b, E_I32, b_extract(b, any_vec(w), draw(w->lanes)));
        keep(w, b_shift(b, OP_SHR, s, 8));
    }
    }
}

static void random_memory(world_t *w) {
    builder_t *b = &w->b;
    affine_t at[] = {some_cell(w), ax(0)};
    switch (draw(4)) {
    case 0: keep(w, b_load(b, w->cells, 1, at)); break;
    case 1: b_store(b, w->cells, any_int(w), at); break;
    case 2: keep(w, b_load(b, w->vectors, w->lanes, at)); break;
    default: b_store(b, w->vectors, any_vec(w), at); break;
    }
}

static void random_block(world_t *w, int depth);

static ltype_t any_type(const world_t *w) {
    return draw(2) ? VECTOR(E_F32, w->lanes) : SCALAR(E_I32);
}

/* Carried values of both kinds; what comes next is any mixture of what there is, old ones included. */
static void random_loop(world_t *w, int depth) {
    builder_t *b = &w->b;
    value_t *init[6] = {NULL}, *next[6] = {NULL};
    ltype_t type[6];
    int n = draw(6);
    for (int k = 0; k < n; k++) init[k] = any(w, type[k] = any_type(w));
    inst_t *loop = b_for(b, "i", dim(0), dim(draw(4)), n, init);
    scope_t outer = w->s;
    for (int k = 0; k < n; k++) keep(w, loop_arg(loop, k));
    random_block(w, depth + 1);
    for (int k = 0; k < n; k++) {
        int j = draw(n);
        bool exchange = draw(2) && ltype_equal(type[j], type[k]);
        next[k] = exchange ? loop_arg(loop, j) : any(w, type[k]);
    }
    b_end_for(b, loop, next);
    w->s = outer;
    for (int k = 0; k < n; k++) keep(w, loop->results[k]);
}

static void random_branch(world_t *w, int depth) {
    builder_t *b = &w->b;
    ltype_t types[4];
    int n = draw(4);
    value_t *values[4] = {NULL};
    for (int k = 0; k < n; k++) types[k] = any_type(w);
    inst_t *branch = b_if(b, any_int(w), n, types);
    scope_t outer = w->s;
    for (int side = 0; side < 2; side++) {
        random_block(w, depth + 1);
        for (int k = 0; k < n; k++) values[k] = any(w, types[k]);
        if (side == 0) b_else(b, branch, values);
        else b_end_if(b, branch, values);
        w->s = outer;
    }
    for (int k = 0; k < n; k++) keep(w, branch->results[k]);
}

static void random_block(world_t *w, int depth) {
    int n = 3 + draw(10);
    for (int k = 0; k < n && w->budget-- > 0; k++) {
        int what = draw(12);
        if (what < 6) random_plain(w);
        else if (what < 9) random_memory(w);
        else if (depth < 4 && what < 11) random_loop(w, depth);
        else if (depth < 4) random_branch(w, depth);
    }
}

static void random_kernel(module_t *m, world_t *w, buffer_t *out_ints, buffer_t *out_vecs) {
    dim_t one = dim(1), cells[] = {dim(CELLS)}, vectors[] = {dim(CELLS), dim(16)};
    const char *task = "t";
    w->b = build_kernel(m, "work", 1, &one, &task);
    w->cells = kernel_scratch(&w->b, "cells", E_I32, 1, cells);
    w->vectors = kernel_scratch(&w->b, "vectors", E_F32, 2, vectors);
    for (int k = 0; k < CELLS; k++) {
        affine_t at[] = {ax(k), ax(0)};
        value_t *v = b_load(&w->b, w->in, w->lanes, at);
        b_store(&w->b, w->vectors, v, at);
        value_t *i = b_iconst(&w->b, SCALAR(E_I32), k * 77 - 300);
        b_store(&w->b, w->cells, i, at);
        if (k >= 4) continue;
        keep(w, v);
        keep(w, i);
    }
    random_block(w, 0);
    for (int k = 0; k < CELLS; k++) {
        affine_t at[] = {ax(k), ax(0)}, more[] = {ax(CELLS + k), ax(0)};
        b_store(&w->b, out_ints, b_load(&w->b, w->cells, 1, at), at);
        b_store(&w->b, out_vecs, b_load(&w->b, w->vectors, w->lanes, at), at);
        if (k < w->s.ints.n) b_store(&w->b, out_ints, w->s.ints.value[k], more);
        if (k < w->s.vecs.n) b_store(&w->b, out_vecs, w->s.vecs.value[k], more);
    }
}

static module_t *random_module(bench_t *bench, const target_t *target, uint64_t seed) {
    rng = seed * 7919 + 1;
    module_t *m = module_new(bench->arena, "random", target, (units_t){0, 0});
    world_t w = {.lanes = target->vector_bytes / 4, .budget = 120};
    dim_t dims[] = {dim(2 * CELLS), dim(16)};
    w.in = module_buffer(m, BUF_INPUT, "in", E_F32, 2, dims);
    buffer_t *ints = module_buffer(m, BUF_OUTPUT, "ints", E_I32, 1, dims);
    buffer_t *vecs = module_buffer(m, BUF_OUTPUT, "vecs", E_F32, 2, dims);
    ints->slot = 5;
    vecs->slot = 6;
    random_kernel(m, &w, ints, vecs);
    builder_t e = build_entry(m, "run");
    b_launch(&e, m->funcs[0], NULL);
    return m;
}

static bool
    long_form; /* six times the random programs: compilers build each set of them up to six times */

static void random_programs(const target_t *t, bool optimised) {
    enum { MAX = 48, FEW = 8 };
    const int n = long_form ? MAX : FEW;
    bench_t b;
    bench_open(&b, "random");
    module_t *m[MAX];
    slots_t inputs[MAX] = {{0}};
    unsigned char *slot = arena_alloc(b.arena, SLOT_BYTES);
    for (int k = 0; k < 512; k++) ((float *)(void *)slot)[k] = (float)(k * 131 % 97) / 32 - 1.4f;
    pass_options_t passes = {.verify_each = true};
    for (int k = 0; k < n; k++) {
        m[k] = random_module(&b, t, (uint64_t)k + 1000 * optimised);
        must(&b, loops_verify(m[k], b.diag));
        if (optimised) must(&b, loops_run_passes(m[k], &passes, b.diag));
        inputs[k][0] = slot;
    }
    bench_modules(&b, m, n);
    bench_compare_all(&b, 0, (const slots_t *)inputs);
    bench_close(&b);
}

static void random_v4(void **state) {
    (void)state;
    random_programs(&targets[T_X86_64_V4], false);
}
static void random_v3(void **state) {
    (void)state;
    random_programs(&targets[T_X86_64_V3], false);
}
static void random_after_passes(void **state) {
    (void)state;
    random_programs(&targets[T_X86_64_V3], true);
}

int main(int argc, char **argv) {
    every_build = long_form = argc > 1 && strcmp(argv[1], "long") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hand_written),        cmocka_unit_test(dynamic_dimensions),
        cmocka_unit_test(random_v4),           cmocka_unit_test(random_v3),
        cmocka_unit_test(random_after_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
