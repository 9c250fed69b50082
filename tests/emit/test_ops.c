/* Every op, on every type a target has, on values that tell implementations apart: the C of gcc and of
 * clang at several levels of optimisation against the interpreter, bit for bit.
 *
 *     test_emit_ops [long] */
#include "emit_test.h"

static const double odd_floats[] = {
    0.0,   -0.0,   1.0, -1.5, 3.25e7,  -7e-30, INFINITY,   NAN,        -INFINITY, 1.1754e-38,
    1e-45, 3.4e38, 2.5, -2.5, 1.0 / 3, 0.1,    16777217.0, -0.9999999, 0.6666667};
static const int64_t odd_ints[] = {0,          1,          -1,        INT32_MAX,  INT32_MIN,
                                   7,          -123456,    INT64_MAX, INT64_MIN,  65536,
                                   -65537,     1431655765, 2,         99,         -99,
                                   2147483648, 4294967295, 31,        -2147483649};

static uint32_t draw(uint32_t n) {
    static uint64_t state = 42;
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)((state >> 33) % n);
}

static void put(elem_t e, unsigned char *slot, size_t i, bool tame) {
    double any = (double)draw(1 << 24) / (1 << 20) - 8; /* products of these are never exact */
    double odd = draw(2) ? any : odd_floats[draw(sizeof odd_floats / sizeof *odd_floats)];
    double f = tame ? (double)draw(200) - 100 + draw(4) * 0.25 : odd;
    int64_t n = tame ? (int64_t)draw(100) : odd_ints[draw(sizeof odd_ints / sizeof *odd_ints)];
    switch (e) {
    case E_F32: ((float *)slot)[i] = (float)f; break;
    case E_F64: ((double *)slot)[i] = f; break;
    case E_BF16: ((uint16_t *)slot)[i] = (uint16_t)(0x3f00 + draw(512)); break;
    case E_I8: ((int8_t *)slot)[i] = (int8_t)draw(256); break;
    case E_U8: ((uint8_t *)slot)[i] = (uint8_t)draw(256); break;
    case E_I32: ((int32_t *)slot)[i] = (int32_t)n; break;
    case E_I64: ((int64_t *)slot)[i] = n; break;
    default: break;
    }
}

/* ---- one kernel per type -------------------------------------------------------------------------- */

typedef struct {
    module_t *m;
    builder_t b;
    buffer_t *odd, *tame; /* [3][ROWS][64]: operands x, y, z; tame: small, fit every type */
    ltype_t type;
    int n_results;
    affine_t row;
} maker_t;

enum { MAX_RESULTS = 64, ROWS = 2, FIRST_OUTPUT = 3 };

/* Stored in the output for elements of its type. */
static void result(maker_t *k, value_t *v) {
    static const char *const names[E_COUNT] = {"f32", "f64", "bf16", "i8", "u8", "i32", "i64"};
    char name[64];
    snprintf(name, sizeof name, "out_%s", names[v->type.elem]);
    dim_t dims[] = {dim(MAX_RESULTS), dim(ROWS), dim(64)};
    buffer_t *out = module_find_buffer(k->m, name);
    if (!out) {
        out = module_buffer(k->m, BUF_OUTPUT, name, v->type.elem, 3, dims);
        out->slot = FIRST_OUTPUT + (int)v->type.elem;
    }
    affine_t at[] = {ax(k->n_results++), k->row, ax(0)};
    b_store(&k->b, out, v, at);
}

static value_t *load(maker_t *k, buffer_t *in, int which) {
    affine_t at[] = {ax(which), k->row, ax(0)};
    return b_load(&k->b, in, k->type.lanes, at);
}

static void arithmetic(maker_t *k, value_t *x, value_t *y, value_t *z) {
    static const op_t both[] = {OP_ADD, OP_SUB, OP_MUL, OP_MIN, OP_MAX};
    builder_t *b = &k->b;
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) result(k, b_binary(b, both[i], x, y));
    result(k, b_unary(b, OP_NEG, x));
    result(k, b_binary(b, OP_ADD, b_binary(b, OP_MUL, x, y), z)); /* never fused */
    result(k, b_binary(b, OP_SUB, z, b_binary(b, OP_MUL, y, x)));
    if (!elem_is_float(k->type.elem)) return;
    result(k, b_binary(b, OP_DIV, x, y));
    result(k, b_unary(b, OP_SQRT, x));
    result(k, b_fma(b, x, y, z));
    result(k, b_binary(b, OP_MUL, x, b_const(b, k->type, -0.1)));
    result(k, b_binary(b, OP_SUB, x, b_binary(b, OP_SUB, y, b_const(b, k->type, -1e-7))));
}

static void bits(maker_t *k, value_t *x, value_t *y) {
    builder_t *b = &k->b;
    int top = 8 * elem_bytes(k->type.elem) - 1;
    result(k, b_binary(b, OP_AND, x, y));
    result(k, b_binary(b, OP_OR, x, b_binary(b, OP_AND, y, b_iconst(b, k->type, 0x0f0f))));
    result(k, b_binary(b, OP_XOR, x, y));
    result(k, b_not(b, x));
    result(k, b_shift(b, OP_SHL, x, 5));
    result(k, b_shift(b, OP_SHR, x, 7));
    result(k, b_shift(b, OP_SAR, x, top));
    result(k, b_shift(b, OP_SAR, b_shift(b, OP_SHL, x, 0), 3));
    result(k, b_binary(b, OP_ADD, x, b_iconst(b, k->type, INT32_MIN)));
    if (k->type.elem != E_I32) return;
    result(k, b_binary(b, OP_MULHI, x, y));
    result(k, b_binary(b, OP_MULHI, b_iconst(b, k->type, (int32_t)0xD2511F53), x));
}

/* As lanes that are stored, as masks that select, and as both. */
static void comparisons(maker_t *k, value_t *x, value_t *y, value_t *z) {
    builder_t *b = &k->b;
    for (op_t op = OP_EQ; op <= OP_GE; op++) {
        result(k, b_compare(b, op, x, y));
        result(k, b_select(b, b_compare(b, op, x, y), x, z));
    }
    value_t *less = b_compare(b, OP_LT, x, y), *more = b_compare(b, OP_GT, x, z);
    result(k, b_select(b, b_binary(b, OP_AND, less, more), y, z));
    result(k, b_select(b, b_binary(b, OP_OR, less, b_not(b, more)), y, z));
    result(k, b_select(b, b_binary(b, OP_XOR, less, more), less, more));
    result(k, b_select(b, b_compare(b, OP_NE, y, z), z, x));
}

static void moves(maker_t *k, value_t *x, value_t *y) {
    builder_t *b = &k->b;
    int n = k->type.lanes, lanes[64];
    if (n == 1) return;
    for (int i = 0; i < n; i++) lanes[i] = (i * 3 + 1) % (2 * n);
    result(k, b_shuffle(b, x, y, lanes));
    for (int w = 1; w < n; w *= 2) {
        for (int i = 0; i < n; i++) lanes[i] = i ^ w;
        result(k, b_shuffle(b, x, x, lanes));
        for (int i = 0; i < n; i++) lanes[i] = i & w ? n + i : i + w;
        result(k, b_shuffle(b, x, y, lanes));
    }
    result(k, b_broadcast(b, b_extract(b, y, n - 1), n));
    result(k, b_extract(b, b_shuffle(b, x, y, lanes), 0));
}

static bool type_fits(const module_t *m, ltype_t t) {
    return t.lanes == 1 || t.lanes * elem_bytes(t.elem) <= m->target->vector_bytes;
}

/* Values are small enough to fit every type they are converted to. */
static void conversions(maker_t *k) {
    builder_t *b = &k->b;
    elem_t from = k->type.elem;
    value_t *x = load(k, k->tame, 0);
    for (int e = 0; e < E_COUNT; e++) {
        elem_t to = (elem_t)e;
        bool brain = from == E_BF16 || to == E_BF16;
        if (to == from || !type_fits(k->m, VECTOR(to, k->type.lanes))) continue;
        if (brain && from != E_F32 && to != E_F32) continue;
        if (to == E_U8 && from != E_I32 && from != E_I64 && from != E_U8)
            continue; /* negative floats */
        result(k, b_convert(b, to, x));
    }
}

/* To every type of as many bits, and back. */
static void bitcasts(maker_t *k, value_t *x) {
    int bytes = k->type.lanes * elem_bytes(k->type.elem);
    for (int e = 0; e < E_COUNT; e++) {
        elem_t to = (elem_t)e;
        if (to == k->type.elem || bytes % elem_bytes(to)) continue;
        if (!type_fits(k->m, VECTOR(to, bytes / elem_bytes(to)))) continue;
        value_t *y = b_bitcast(&k->b, to, x);
        result(k, y);
        result(k, b_bitcast(&k->b, k->type.elem, y));
    }
}

static buffer_t *operands(module_t *m, const char *name, elem_t e, int slot) {
    dim_t dims[] = {dim(3), dim(ROWS), dim(64)};
    buffer_t *b = module_buffer(m, BUF_INPUT, name, e, 3, dims);
    b->slot = slot;
    return b;
}

static void make_kernel(module_t *m, ltype_t t) {
    dim_t tasks[] = {dim(ROWS)};
    const char *task = "row";
    maker_t k = {.m = m, .b = build_kernel(m, "all", 1, tasks, &task), .type = t};
    k.odd = operands(m, "odd", t.elem, 0);
    k.tame = operands(m, "tame", t.elem, 1);
    k.row = ax_v(k.b.fn->task[0]);
    value_t *x = load(&k, k.odd, 0), *y = load(&k, k.odd, 1), *z = load(&k, k.odd, 2);
    bool number = t.elem == E_F32 || t.elem == E_F64 || t.elem == E_I32 || t.elem == E_I64;
    if (number) arithmetic(&k, x, y, z);
    if (number && !elem_is_float(t.elem)) bits(&k, x, y);
    if (number && (t.lanes == 1 || elem_bytes(t.elem) == 4)) comparisons(&k, x, y, z);
    bitcasts(&k, x);
    moves(&k, x, y);
    conversions(&k);
    assert_true(k.n_results > 0 && k.n_results <= MAX_RESULTS);
}

static module_t *make_module(bench_t *b, const target_t *target, ltype_t t) {
    module_t *m = module_new(b->arena, "ops", target, (units_t){0, 0});
    make_kernel(m, t);
    builder_t e = build_entry(m, "run");
    b_launch(&e, m->funcs[0], NULL);
    return m;
}

static void fill(arena_t *a, slots_t slots, elem_t e) {
    for (int s = 0; s < 2; s++) {
        unsigned char *data = arena_alloc(a, SLOT_BYTES);
        for (size_t i = 0; i < 3 * ROWS * 64; i++) put(e, data, i, s == 1);
        slots[s] = data;
    }
}

static void check_target(target_id_t id) {
    const target_t *t = &targets[id];
    bench_t b;
    bench_open(&b, "ops");
    module_t *m[64];
    slots_t inputs[64] = {{0}};
    int n = 0;
    for (int e = 0; e < E_COUNT; e++)
        for (int lanes = 1; lanes <= 64; lanes *= 2) {
            if (lanes > 1 && lanes * elem_bytes((elem_t)e) > t->vector_bytes) continue;
            fill(b.arena, inputs[n], (elem_t)e);
            m[n++] = make_module(&b, t, VECTOR((elem_t)e, lanes));
        }
    bench_modules(&b, m, n);
    bench_compare_all(&b, 0, (const slots_t *)inputs);
    bench_close(&b);
}

static void ops_of_x86_64(void **state) {
    (void)state;
    check_target(T_X86_64);
}
static void ops_of_v3(void **state) {
    (void)state;
    check_target(T_X86_64_V3);
}
static void ops_of_v4(void **state) {
    (void)state;
    check_target(T_X86_64_V4);
}
static void ops_of_v4_bf16(void **state) {
    (void)state;
    check_target(T_X86_64_V4_BF16);
}

int main(int argc, char **argv) {
    every_build = argc > 1 && strcmp(argv[1], "long") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_of_x86_64),
        cmocka_unit_test(ops_of_v3),
        cmocka_unit_test(ops_of_v4),
        cmocka_unit_test(ops_of_v4_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
