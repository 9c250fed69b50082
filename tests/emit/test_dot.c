/* DOT2, DOT4 and the conversions to and from bf16, i8 and u8, on values that tell implementations apart and on random bits: the C
 * of gcc and of clang, and LLVM's code, against the interpreter. Numbers are equal to the bit. A NaN of DOT2 may be any
 * NaN; one that is converted has the bits that ops.def says.
 *
 * What this CPU does not run is compiled all the same, and said to be skipped; of arm cross compiled, and run by an
 * emulator where there is one.
 *
 *     test_emit_dot [long] */
#include "emit_test.h"

enum { ROWS = 256, LANES = 16, INPUTS = 3, OUTPUTS = 6 };
#define BATCHES (every_build ? 8 : 3)

/* ---- modules --------------------------------------------------------------------------------------- */

typedef struct {
    module_t *m;
    builder_t b;
    buffer_t *acc, *x, *y; /* [ROWS][bytes of 64], whatever the width of the module's vectors */
    affine_t row;
    int n; /* results so far */
} maker_t;

static buffer_t *buffer(module_t *m, bufkind_t kind, const char *name, elem_t e, int slot) {
    dim_t dims[] = {dim(ROWS), dim(64 / elem_bytes(e))};
    buffer_t *b = module_buffer(m, kind, name, e, 2, dims);
    b->slot = slot;
    return b;
}

static maker_t begin(arena_t *a, const target_t *t, elem_t acc, elem_t x, elem_t y) {
    static const char *const task = "row";
    dim_t tasks[] = {dim(ROWS)};
    module_t *m = module_new(a, "dot", t, (units_t){0, 0});
    maker_t k = {.m = m, .b = build_kernel(m, "all", 1, tasks, &task)};
    k.acc = buffer(m, BUF_INPUT, "acc", acc, 0);
    k.x = buffer(m, BUF_INPUT, "x", x, 1);
    k.y = buffer(m, BUF_INPUT, "y", y, 2);
    k.row = ax_v(k.b.fn->task[0]);
    return k;
}

static module_t *end(maker_t *k) {
    builder_t e = build_entry(k->m, "run");
    b_launch(&e, k->m->funcs[0], NULL);
    return k->m;
}

static value_t *load(maker_t *k, buffer_t *from, int lanes, int at) {
    affine_t index[] = {k->row, ax(at)};
    return b_load(&k->b, from, lanes, index);
}

static void store(maker_t *k, value_t *v, int at) {
    char name[64];
    snprintf(name, sizeof name, "out%d", k->n);
    assert_true(k->n < OUTPUTS);
    buffer_t *out = module_find_buffer(k->m, name);
    if (!out) out = buffer(k->m, BUF_OUTPUT, name, v->type.elem, INPUTS + k->n);
    affine_t index[] = {k->row, ax(at)};
    b_store(&k->b, out, v, index);
}

/* All of a row in vectors of `lanes`, then one pair of x for all of them, as products of matrices take it. */
static module_t *dot_module(arena_t *a, const target_t *t, int lanes, bool four) {
    elem_t each = four ? E_I32 : E_F32, x = four ? E_U8 : E_BF16, y = four ? E_I8 : E_BF16;
    int times = four ? 4 : 2;
    value_t *(*dot)(builder_t *, value_t *, value_t *, value_t *) = four ? b_dot4 : b_dot2;
    maker_t k = begin(a, t, each, x, y);
    value_t *pair = b_bitcast(&k.b, E_I32, load(&k, k.x, times, 0));
    value_t *same = b_bitcast(&k.b, x, b_broadcast(&k.b, pair, lanes));
    for (int at = 0; at < LANES; at += lanes) {
        value_t *acc = load(&k, k.acc, lanes, at), *b = load(&k, k.y, times * lanes, times * at);
        k.n = 0;
        store(&k, dot(&k.b, acc, load(&k, k.x, times * lanes, times * at), b), at);
        k.n = 1;
        store(&k,
              dot(&k.b, dot(&k.b, acc, same, b), b_bitcast(&k.b, x, b), b_bitcast(&k.b, y, same)),
              at);
    }
    return end(&k);
}

/* f32 → bf16, and bf16 → f32 as integers, for the bits of NaN. */
static module_t *convert_module(arena_t *a, const target_t *t, int lanes) {
    maker_t k = begin(a, t, E_F32, E_BF16, E_BF16);
    for (int at = 0; at < LANES; at += lanes) {
        k.n = 0;
        store(&k, b_convert(&k.b, E_BF16, load(&k, k.acc, lanes, at)), at);
        k.n = 1;
        value_t *wide = b_convert(&k.b, E_F32, load(&k, k.x, lanes, at));
        store(&k, b_bitcast(&k.b, E_I32, wide), at);
        k.n = 2;
        store(&k, b_convert(&k.b, E_BF16, wide), at);
    }
    return end(&k);
}

/* f32 → the nearest integers as u8, 128 more than they are, as far as they fit: the way rows become i8. */
static value_t *nearest(maker_t *k, value_t *x, int lanes) {
    builder_t *b = &k->b;
    ltype_t i = {E_I32, lanes};
    value_t *bits = b_binary(b, OP_AND, b_bitcast(b, E_I32, x), b_iconst(b, i, INT32_MAX));
    value_t *finite = b_compare(b, OP_LT, bits, b_iconst(b, i, 0x7f800000));
    value_t *sum = b_binary(b, OP_ADD, x, b_const(b, x->type, 0x1.8p23 + 128));
    return b_convert(b, E_U8, b_binary(b, OP_AND, b_bitcast(b, E_I32, sum), finite));
}

/* And what makes f32 of i8: of each fourth, and of those that stand side by side; a scale among bytes, and back. */
static module_t *integer_module(arena_t *a, const target_t *t, int lanes) {
    maker_t k = begin(a, t, E_F32, E_U8, E_I8);
    for (int at = 0; at < LANES; at += lanes) {
        k.n = 0;
        store(&k, nearest(&k, load(&k, k.acc, lanes, at), lanes), at);
        value_t *bits = b_bitcast(&k.b, E_I32, load(&k, k.y, 4 * lanes, 4 * at));
        for (int n = 0; n < 4; n++) {
            value_t *one = b_shift(&k.b, OP_SAR, b_shift(&k.b, OP_SHL, bits, 8 * n), 24);
            k.n = n == 2 ? 2 : 1;
            store(&k, b_convert(&k.b, E_F32, one), at);
        }
        value_t *whole = b_convert(&k.b, E_I32, load(&k, k.y, lanes, at));
        k.n = 3;
        store(&k, b_convert(&k.b, E_F32, whole), at);
        value_t *scale = b_bitcast(&k.b, E_F32, load(&k, k.x, 4, 4 * at));
        k.n = 4;
        store(&k, b_bitcast(&k.b, E_I32, scale), at);
        k.n = 5;
        store(&k, b_bitcast(&k.b, E_U8, load(&k, k.acc, 1, at)), 4 * at);
    }
    return end(&k);
}

/* ---- values ------------------------------------------------------------------------------------------ */

static uint64_t state;

static uint32_t draw(void) {
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(state >> 32);
}

static const uint32_t odd_floats[] = {
    0,          0x80000000, 1,          0x80000001, 0x007fffff, 0x807fffff, 0x00400000, 0x00008000,
    0x00800000, 0x80800000, 0x00800001, 0x80800001, 0x00800002, 0x3f800000, 0xbf800000, 0x3f800001,
    0x3f808000, 0x3f818000, 0xbf808000, 0x3f807fff, 0x3f808001, 0x7f7fffff, 0xff7fffff, 0x7f7f8000,
    0x7f7f7fff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xff800001, 0x7fffffff,
    0x7fbfffff, 0x7f80ffff, 0x33800000, 0x4b800000, 0x80400000, 0x00ffffff, 0x01000000, 0x0080ffff};
static const uint16_t odd_halves[] = {
    0,      0x8000, 1,      0x8001, 0x007f, 0x807f, 0x0080, 0x8080, 0x0081, 0x3f80, 0xbf80, 0x3f81,
    0x7f7f, 0xff7f, 0x7f80, 0xff80, 0x7fc0, 0xffc0, 0x7f81, 0xffbf, 0x1f80, 0x2000, 0x5f80, 0x9f81};

enum { N_FLOATS = sizeof odd_floats / sizeof *odd_floats };
enum { N_HALVES = sizeof odd_halves / sizeof *odd_halves };

static uint32_t sign(void) {
    return draw() & 0x80000000u;
}

/* Sums near the least normal number: what is tiny before rounding, after it, or between the two products. */
static void put_tiny(uint32_t *acc, uint16_t *x, uint16_t *y) {
    *acc = sign() | (0x00800000u + draw() % 4 * (draw() % 2 ? 1 : 0x00400000));
    if (draw() % 4 == 0) *acc = sign() | draw() % 0x00800000;
    for (int k = 0; k < 2; k++) {
        uint32_t ex = 40 + draw() % 40, sum = 2 * 127 - 126 - draw() % 28; /* of exponents */
        uint32_t mx = draw() % 3 ? draw() % 128 : 0, my = draw() % 3 ? draw() % 128 : 0;
        x[k] = (uint16_t)(sign() >> 16 | ex << 7 | mx);
        y[k] = (uint16_t)(sign() >> 16 | (sum - ex) << 7 | my);
    }
}

/* Products that nearly cancel the sum, or tie with it. */
static void put_near(uint32_t *acc, uint16_t *x, uint16_t *y) {
    for (int k = 0; k < 2; k++) {
        x[k] = (uint16_t)(sign() >> 16 | (120 + draw() % 16) << 7 | draw() % 128);
        y[k] = (uint16_t)(sign() >> 16 | (120 + draw() % 16) << 7 | draw() % 128);
    }
    *acc = sign() | (120 + draw() % 40) << 23 | (draw() % 2 ? draw() % 0x00800000 : 0x007fffff);
}

static void put_any(uint32_t *acc, uint16_t *x, uint16_t *y, bool odd) {
    *acc = odd ? odd_floats[draw() % N_FLOATS] : draw();
    for (int k = 0; k < 2; k++) {
        x[k] = odd && draw() % 2 ? odd_halves[draw() % N_HALVES] : (uint16_t)draw();
        y[k] = odd && draw() % 2 ? odd_halves[draw() % N_HALVES] : (uint16_t)draw();
    }
}

static void fill(unsigned char *slot[3], int batch) {
    uint32_t *acc = (uint32_t *)slot[0];
    uint16_t *x = (uint16_t *)slot[1], *y = (uint16_t *)slot[2];
    state = (uint64_t)batch + 1;
    for (int i = 0; i < ROWS * LANES; i++, acc++, x += 2, y += 2) switch (draw() % 4) {
        case 0: put_tiny(acc, x, y); break;
        case 1: put_near(acc, x, y); break;
        default: put_any(acc, x, y, draw() % 2); break;
        }
}

/* ---- runs ----------------------------------------------------------------------------------------------- */

static int make_modules(arena_t *a, const target_t *t, module_t **m) {
    int n = 0;
    for (int lanes = 1; lanes <= LANES && 4 * lanes <= t->vector_bytes; lanes *= 2) {
        m[n++] = convert_module(a, t, lanes);
        m[n++] = integer_module(a, t, lanes);
        if (t->dot2 && lanes >= 4) m[n++] = dot_module(a, t, lanes, false);
        if (t->dot4 && lanes >= 4) m[n++] = dot_module(a, t, lanes, true);
    }
    return n;
}

typedef schedule_fn *find_fn(void *from, int variant);

/* Each build on values of its own. */
static void compare(bench_t *b, find_fn *find, void *from, const char *what) {
    static int turn;
    unsigned char *slot[3];
    for (int s = 0; s < 3; s++) slot[s] = arena_alloc(b->arena, SLOT_BYTES);
    for (int batch = 0; batch < BATCHES; batch++) {
        slots_t in = {slot[0], slot[1], slot[2]};
        char name[200];
        snprintf(name, sizeof name, "%s, batch %d", what, batch);
        fill(slot, turn++);
        for (int v = 0; v < b->plan.n_variants; v++)
            bench_compare(b, v, find(from, v), 0, in, name);
    }
}

static schedule_fn *in_library(void *desc, int variant) {
    return ((const reformer_desc_t *)desc)->variants[variant].run;
}

static bool by_compilers(bench_t *b, bool runs) {
    bool built = false;
    bench_emit(b);
    for (int k = 0; k < N_BUILDS; k++) {
        if (!is_worth_building(b, k) || !have(builds[k].cc)) continue;
        bench_load(b, builds[k].cc, builds[k].flags);
        built = true;
        char what[120];
        snprintf(what, sizeof what, "%s, %s %s", b->plan.targets[0]->name, builds[k].cc,
                 builds[k].flags);
        if (runs) compare(b, in_library, (void *)b->desc, what);
    }
    return built;
}

typedef struct {
    bench_t *b;
    jit_t *jit;
    llvm_units_t units;
} linked_t;

static schedule_fn *in_jit(void *from, int variant) {
    linked_t *l = from;
    schedule_fn *run = jit_schedule(l->jit, l->units.run[variant], l->b->diag);
    must(l->b, run != NULL);
    return run;
}

static void by_llvm(bench_t *b, bool runs) {
    linked_t l = {.b = b};
    sbuf_t object[MAX_UNITS] = {{0}};
    const target_t *t = b->plan.targets[0];
    llvm_units_make(&b->plan, b->arena, &l.units);
    assert_in_range(l.units.n, 1, MAX_UNITS);
    for (int k = 0; k < l.units.n; k++)
        must(b, llvm_unit_compile(&l.units.unit[k], t, &object[k], b->diag));
    if (runs) {
        l.jit = jit_link(object, l.units.n, false, b->diag);
        must(b, l.jit != NULL);
        compare(b, in_jit, &l, arena_printf(b->arena, "%s, jit", t->name));
        jit_free(l.jit);
    }
    for (int k = 0; k < l.units.n; k++) sbuf_free(&object[k]);
}

/* ---- arm, elsewhere ---------------------------------------------------------------------------------------- */

#define CROSS    "aarch64-linux-gnu-gcc"
#define EMULATOR "qemu-aarch64"

static const char driver[] =
    "#include <stdio.h>\n#include \"reformer_rt.h\"\n%s\n"
    "static _Alignas(64) unsigned char memory[REFORMER_SLOTS + 2][1 << 16];\n"
    "int main(void) {\n"
    "    void (*const run[])(const reformer_call_t *) = {%s};\n%s"
    "    reformer_call_t call = {.threads = 1, .workspace = memory[REFORMER_SLOTS],\n"
    "                            .scratch = memory[REFORMER_SLOTS + 1]};\n"
    "    for (int s = 0; s < REFORMER_SLOTS; s++) call.slot[s] = memory[s];\n"
    "    for (int k = 0; k < %d; k++) {\n"
    "        if (fread(memory, sizeof memory[0], %d, stdin) != %d) return 1;\n"
    "        for (int s = %d; s < %d; s++)\n"
    "            for (size_t i = 0; i < sizeof memory[s]; i++) memory[s][i] = 0;\n"
    "        (run[k] ? run[k] : %s)(&call);\n"
    "        if (fwrite(memory[%d], sizeof memory[0], %d, stdout) != %d) return 1;\n"
    "    }\n    return 0;\n}\n";

/* `declare`: what is called; `runs`: a list, or NULLs where a descriptor `d` has them. */
static void put_driver(bench_t *b, const char *declare, const char *runs, bool described) {
    int n = b->plan.n_variants;
    const char *bind = described ? arena_printf(b->arena,
                                                "    reformer_model_t m = {0};\n"
                                                "    if (%s_bind(&m, NULL, 0)) return 1;\n",
                                                b->plan.name)
                                 : "";
    const char *text = arena_printf(
        b->arena, driver, declare, runs, bind, n, INPUTS, INPUTS, INPUTS, INPUTS + OUTPUTS,
        described ? "m.desc->variants[k].run" : "run[0]", INPUTS, OUTPUTS, OUTPUTS);
    const char *path = arena_printf(b->arena, "%s/main.c", b->folder);
    must(b, file_write(path, text, strlen(text), b->diag));
    path = arena_printf(b->arena, "%s/stub.c", b->folder);
    must(b, file_write(path, stub, sizeof stub - 1, b->diag));
}

static void same_as_emulated(bench_t *b, int k, const slots_t in, FILE *out, const char *what) {
    const module_t *m = plan_module(&b->plan, k);
    run_t want = run_open(m, 0, in), got = run_open(m, 0, in);
    must(b, loops_interpret(m, &want.call, b->diag));
    for (int s = INPUTS; s < INPUTS + OUTPUTS; s++)
        assert_int_equal(fread((void *)(uintptr_t)got.call.slot[s], 1, SLOT_BYTES, out),
                         SLOT_BYTES);
    same_outputs(m, 0, &want, &got, what);
    run_close(&want);
    run_close(&got);
}

/* `objects`: beside main.c and stub.c. All variants of a batch in one run. */
static void emulate(bench_t *b, const char *objects, const char *what) {
    unsigned char *slot[INPUTS];
    for (int s = 0; s < INPUTS; s++) slot[s] = arena_alloc(b->arena, SLOT_BYTES);
    if (shell("cd %s && " CROSS " -O1 -static -I\"%s/runtime\" main.c stub.c %s -o main", b->folder,
              SOURCE_DIR, objects))
        fail_msg("%s: " CROSS " failed in %s", what, b->folder);
    for (int batch = 0; batch < BATCHES; batch++) {
        slots_t in = {slot[0], slot[1], slot[2]};
        fill(slot, batch);
        FILE *f = fopen(arena_printf(b->arena, "%s/in", b->folder), "wb");
        for (int v = 0; v < b->plan.n_variants; v++)
            for (int s = 0; s < INPUTS; s++) fwrite(slot[s], 1, SLOT_BYTES, f);
        fclose(f);
        if (shell("cd %s && " EMULATOR " ./main <in >out", b->folder))
            fail_msg("%s: " EMULATOR " failed in %s", what, b->folder);
        f = fopen(arena_printf(b->arena, "%s/out", b->folder), "rb");
        for (int v = 0; v < b->plan.n_variants; v++) same_as_emulated(b, v, in, f, what);
        fclose(f);
    }
}

static void emulate_c(bench_t *b) {
    const char *nulls = "0";
    bench_emit(b);
    for (int v = 1; v < b->plan.n_variants; v++) nulls = arena_printf(b->arena, "%s, 0", nulls);
    put_driver(b, "#include \"model.h\"", nulls, true);
    for (int k = 0; k < 3; k++) {
        static const char *const compilers[] = {
            CROSS " -O0", CROSS " -O2",
            "clang --target=aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include -O2"};
        if ((k == 2 && !have("clang")) || (k != 1 && !every_build)) continue;
        if (shell("cd %s && %s " STRICT " -I\"%s/runtime\" -c model.c -o model.o", b->folder,
                  compilers[k], SOURCE_DIR))
            fail_msg("%s failed in %s", compilers[k], b->folder);
        emulate(b, "model.o", compilers[k]);
    }
}

static void emulate_llvm(bench_t *b) {
    llvm_units_t units;
    const char *objects = "", *declare = "", *runs = "";
    llvm_units_make(&b->plan, b->arena, &units);
    for (int k = 0; k < units.n; k++) {
        sbuf_t object = {0};
        must(b, llvm_unit_compile(&units.unit[k], b->plan.targets[0], &object, b->diag));
        const char *path = arena_printf(b->arena, "%s/unit%d.o", b->folder, k);
        must(b, file_write(path, object.data, object.size, b->diag));
        objects = arena_printf(b->arena, "%s unit%d.o", objects, k);
        sbuf_free(&object);
    }
    for (int v = 0; v < b->plan.n_variants; v++) {
        declare = arena_printf(b->arena, "%svoid run%d(const reformer_call_t *) __asm__(\"%s\");\n",
                               declare, v, units.run[v]);
        runs = arena_printf(b->arena, "%s%srun%d", runs, v ? ", " : "", v);
    }
    put_driver(b, declare, runs, false);
    emulate(b, objects, "aarch64, LLVM");
}

static void check_arm(target_id_t id) {
    module_t *m[32];
    bench_t b;
    bench_open(&b, "dot");
    bench_modules(&b, m, make_modules(b.arena, &targets[id], m));
    bool runs = have(CROSS) && have(EMULATOR);
    if (runs) emulate_c(&b);
    if (runs && llvm_version()) emulate_llvm(&b);
    bench_close(&b);
    if (runs) return;
    print_message("neither an arm here, nor " CROSS " and " EMULATOR "\n");
    skip();
}

static void check_target(target_id_t id) {
    if (targets[id].level == T_AARCH64 && !reformer_cpu_supports((int)id)) {
        check_arm(id);
        return;
    }
    const target_t *t = &targets[id];
    bool runs = reformer_cpu_supports((int)id);
    module_t *m[32];
    bench_t b;
    bench_open(&b, "dot");
    bench_modules(&b, m, make_modules(b.arena, t, m));
    assert_true(by_compilers(&b, runs));
    if (llvm_version()) by_llvm(&b, runs);
    else print_message("no LLVM is built in: of %s only C was compiled\n", t->name);
    bench_close(&b);
    if (runs) return;
    print_message("this CPU does not run %s: its code was compiled, but not compared\n", t->name);
    skip();
}

static void dots_of_x86_64(void **s) {
    (void)s;
    check_target(T_X86_64);
}
static void dots_of_v3(void **s) {
    (void)s;
    check_target(T_X86_64_V3);
}
static void dots_of_v4(void **s) {
    (void)s;
    check_target(T_X86_64_V4);
}
static void dots_of_v3_vnni(void **s) {
    (void)s;
    check_target(T_X86_64_V3_VNNI);
}
static void dots_of_v4_vnni(void **s) {
    (void)s;
    check_target(T_X86_64_V4_VNNI);
}
static void dots_of_v4_bf16(void **s) {
    (void)s;
    check_target(T_X86_64_V4_BF16);
}

static void dots_of_arm(void **s) {
    (void)s;
    check_target(T_AARCH64);
}
static void dots_of_arm_bf16(void **s) {
    (void)s;
    check_target(T_AARCH64_BF16);
}

int main(int argc, char **argv) {
    every_build = argc > 1 && strcmp(argv[1], "long") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dots_of_x86_64),  cmocka_unit_test(dots_of_v3),
        cmocka_unit_test(dots_of_v4),      cmocka_unit_test(dots_of_v3_vnni),
        cmocka_unit_test(dots_of_v4_vnni), cmocka_unit_test(dots_of_v4_bf16),
        cmocka_unit_test(dots_of_arm),     cmocka_unit_test(dots_of_arm_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
