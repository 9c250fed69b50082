/* The files as wholes: the same text every time, at most 100 columns, names that clash with nothing,
 * several targets in one artefact, headers that C++ takes, what the compiler must refuse. */
#include "emit_test.h"

#include "emit/c_int.h"

static const char small[] =
    "module \"small\" target \"%s\"\n"
    "buffer out: output f32 [64] slot 5\n"
    "buffer in: input f32 [64] slot 0\n"
    "func double(f32x4 %%x) -> f32x4 {\n  %%y = add %%x, %%x\n  return %%y\n}\n"
    "kernel work() tasks(%%t < 16) {\n"
    "  %%v = load.f32x4 in[4*%%t]\n  %%w = call double(%%v)\n  store out[4*%%t], %%w\n}\n"
    "entry run {\n  launch work()\n}\n";

static module_t *small_for(bench_t *b, target_id_t t) {
    return bench_parse(b, arena_printf(b->arena, small, targets[t].name));
}

/* One length for every target of x86. */
static void all_targets(bench_t *b) {
    module_t *first = small_for(b, T_X86_64);
    bench_modules(b, &first, 1);
    plan_t *p = &b->plan;
    p->n_targets = 3;
    p->modules = ARENA_ARRAY(b->arena, module_t *, 3);
    for (int t = 0; t < 3; t++) {
        p->targets[t] = &targets[t];
        p->modules[t] = small_for(b, (target_id_t)t);
        must(b, loops_verify(p->modules[t], b->diag));
        pass_plan_memory(p->modules[t]);
    }
}

static void expect_columns(const char *text) {
    assert_non_null(text);
    while (*text) {
        size_t n = strcspn(text, "\n");
        if (n > COLUMNS) fail_msg("%zu columns: %.*s", n, (int)n, text);
        if (n && text[n - 1] == ' ') fail_msg("a space ends a line: %.*s", (int)n, text);
        text += n + (text[n] != 0);
    }
}

static void same_text_every_time(void **state) {
    (void)state;
    bench_t a, b;
    bench_open(&a, "twin");
    bench_open(&b, "twin");
    all_targets(&a);
    all_targets(&b);
    bench_emit(&a);
    bench_emit(&b);
    assert_string_equal(a.source.data, b.source.data);
    assert_string_equal(a.header.data, b.header.data);
    expect_columns(a.source.data);
    expect_columns(a.header.data);
    assert_null(strstr(a.source.data, "some/")); /* the spec's name, not its folder */
    assert_non_null(strstr(a.source.data, "test.yaml"));
    bench_close(&a);
    bench_close(&b);
}

/* Labels of launches are for profilers: C is the same with them and without, and a value that only a
 * label uses is no unused variable. */
static void labels_are_not_written(void **state) {
    (void)state;
    static const char text[] =
        "module \"twin\" target \"x86-64-v3\"\nbuffer out: output f32 [8] slot 5\n"
        "kernel work(%%p < 4) tasks(%%t < 2) {\n  %%v = const.f32 1\n  store out[2*%%p + %%t], %%v\n}\n"
        "entry run {\n  for %%l = 0 .. 4 {\n    %%odd = index.i64 2*%%l + 1\n"
        "    launch work(%%l)%s\n  }\n}\n";
    static const char *const labels[] = {"", " as \"work\"", " as \"odd#.work\" %odd"};
    bench_t b[3];
    for (int k = 0; k < 3; k++) {
        bench_open(&b[k], "twin");
        module_t *m = bench_parse(&b[k], arena_printf(b[k].arena, text, labels[k]));
        bench_modules(&b[k], &m, 1);
        bench_emit(&b[k]);
        assert_string_equal(b[k].source.data, b[0].source.data);
    }
    bench_load(&b[2], "cc", "-O0 " STRICT);
    for (int k = 0; k < 3; k++) bench_close(&b[k]);
}

static void several_targets(void **state) {
    (void)state;
    bench_t b;
    bench_open(&b, "several");
    all_targets(&b);
    static unsigned char input[SLOT_BYTES];
    for (int k = 0; k < 64; k++) ((float *)(void *)input)[k] = (float)k / 3;
    slots_t inputs = {input};
    bench_compare_all(&b, 0, (const slots_t *)&inputs);
    assert_int_equal(b.desc->n_variants, 3);
    for (int k = 0; k < 3; k++) /* better targets first */
        assert_int_equal(b.desc->variants[k].target, REFORMER_CPU_X86_64_V4 - k);
    bench_close(&b);
}

/* Spec paths, names of buffers, functions and the product: nothing of it may end a comment, hide a
 * helper or redefine what the file defines itself. */
static void hostile_names(void **state) {
    (void)state;
    static const char text[] =
        "module \"feed\" target \"x86-64-v4\"\n"
        "buffer int: output f32 [32] slot 5 \"end */ of /* comment\"\n"
        "buffer call: input f32 [32] slot 0\n"
        "buffer f32x16: workspace f32 [16]\n"
        "buffer scratch: scratch f32 [16] of feed_forward\n"
        "buffer variants: table i32 [2] range 0 .. 1 = {1, 0}\n"
        "func fma_f32x16(f32x16 %for) -> f32x16 {\n"
        "  %if = fma %for, %for, %for\n  return %if\n}\n"
        "func index(f32x16 %i32x4) -> f32x16 {\n  %u = call fma_f32x16(%i32x4)\n  return %u\n}\n"
        "kernel feed_forward(%while < 2) tasks(%task < 2, %arg < 1) \"a */ b\" {\n"
        "  %splat_f32x16 = load.f32x16 call[0]\n  comment \"*/ #error\"\n"
        "  store scratch[0], %splat_f32x16\n"
        "  %load = load.f32x16 scratch[0]\n  %index = call index(%load)\n"
        "  %linux = load.i32 variants[%task]\n"
        "  %feed_t = sqrt %index\n  store int[16*%linux], %feed_t\n}\n"
        "kernel run2() tasks(%u < 1) {\n  %unix = load.f32x16 int[0]\n  store f32x16[0], %unix\n}\n"
        "entry description {\n  for %call = 0 .. 2 {\n    launch feed_forward(%call)\n  }\n}\n";
    bench_t b;
    bench_open(&b, "feed");
    b.spec.path = "*/x/*?\?/\n\x01\\.yaml";
    module_t *m = bench_parse(&b, text);
    bench_modules(&b, &m, 1);
    static unsigned char input[SLOT_BYTES];
    for (int k = 0; k < 32; k++) ((float *)(void *)input)[k] = (float)k / 3;
    slots_t inputs = {input};
    bench_compare_all(&b, 0, (const slots_t *)&inputs);
    expect_columns(b.source.data);
    bench_close(&b);
}

/* 63 characters, the longest a spec may give. */
static void long_prefix(void **state) {
    (void)state;
    bench_t b;
    bench_open(&b, "a23456789_b23456789_c23456789_d23456789_e23456789_f23456789_abc");
    all_targets(&b);
    bench_emit(&b);
    expect_columns(b.source.data);
    expect_columns(b.header.data);
    bench_load(&b, "cc", "-O0 " STRICT);
    bench_close(&b);
}

static void header_is_cpp(void **state) {
    (void)state;
    static const char *const compilers[] = {"g++", "clang++"};
    bench_t b;
    bench_open(&b, "model");
    all_targets(&b);
    bench_emit(&b);
    int tried = 0;
    for (size_t k = 0; k < 2; k++) {
        if (!have(compilers[k])) continue;
        tried++;
        assert_int_equal(shell("cd %s && echo '#include \"model.h\"\n#include \"model.h\"\n"
                               "int f(const model_t *m, const model_io_t *io, void *w) {"
                               " return model_forward(m, io, w, 64) + MODEL_BATCH; }' > t.cc && "
                               "%s -std=c++11 -Wall -Wextra -Werror -Wconversion -Wpedantic "
                               "-I\"%s/runtime\" -fsyntax-only t.cc",
                               b.folder, compilers[k], SOURCE_DIR),
                         0);
    }
    if (!tried) skip();
    bench_close(&b);
}

/* REFORMER_CPU, and what products are told, have the names that --target has. */
static void the_runtime_names_targets_alike(void **state) {
    (void)state;
    for (int i = 0; i < T_COUNT; i++) assert_string_equal(reformer_target_name(i), targets[i].name);
    assert_null(reformer_target_name(T_COUNT));
    assert_null(reformer_target_name(-1));
}

static void fast_math_is_refused(void **state) {
    (void)state;
    bench_t b;
    bench_open(&b, "model");
    all_targets(&b);
    bench_emit(&b);
    assert_int_equal(shell("cc -O1 -I\"%s/runtime\" -c %s/model.c -o %s/model.o", SOURCE_DIR,
                           b.folder, b.folder),
                     0);
    assert_int_not_equal(
        shell("cc -O1 -ffast-math -I\"%s/runtime\" -c %s/model.c -o %s/model.o 2>/dev/null",
              SOURCE_DIR, b.folder, b.folder),
        0);
    bench_close(&b);
}

/* Vectors as wide as the target's, in both compilers, and one instruction per fma. */
static void full_width_code(void **state) {
    (void)state;
    if (!have("objdump")) skip();
    static const char text[] =
        "module \"wide\" target \"x86-64-v4\"\n"
        "buffer out: output f32 [16] slot 5\nbuffer in: input f32 [1024] slot 0\n"
        "kernel work() tasks(%t < 1) {\n  %z = const.f32x16 0\n"
        "  %s = for %i = 0 .. 64 with %acc = %z {\n"
        "    %v = load.f32x16 in[16*%i]\n    %n = fma %v, %v, %acc\n    yield %n\n  }\n"
        "  store out[0], %s\n}\nentry run {\n  launch work()\n}\n";
    static const char *const compilers[] = {"gcc", "clang"};
    bench_t b;
    bench_open(&b, "wide");
    module_t *m = bench_parse(&b, text);
    bench_modules(&b, &m, 1);
    bench_emit(&b);
    for (size_t k = 0; k < 2; k++) {
        if (!have(compilers[k])) continue;
        assert_int_equal(shell("cd %s && %s -O2 -std=c11 -I\"%s/runtime\" -c model.c -o model.o && "
                               "objdump -d model.o > code && "
                               "grep -q 'vfmadd...ps.*zmm' code && ! grep -q 'ymm' code",
                               b.folder, compilers[k], SOURCE_DIR),
                         0);
    }
    bench_close(&b);
}

/* No cross compiler here has a C library; clang brings the headers that the code asks for. */
static void aarch64_compiles(void **state) {
    (void)state;
    if (!have("clang")) skip();
    bench_t b;
    bench_open(&b, "arm");
    module_t *m = small_for(&b, T_AARCH64);
    bench_modules(&b, &m, 1);
    bench_emit(&b);
    const char *target = "clang --target=aarch64-linux-gnu -ffreestanding";
    bool able = shell("%s -E -include arm_neon.h -x c /dev/null >/dev/null 2>&1", target) == 0;
    if (able)
        assert_int_equal(shell("cd %s && %s -O2 " STRICT " -I\"%s/runtime\" -c model.c -o model.o",
                               b.folder, target, SOURCE_DIR),
                         0);
    bench_close(&b);
    if (!able) skip();
}

/* ---- pieces ------------------------------------------------------------------------------------------ */

static void floats_read_back(void **state) {
    (void)state;
    arena_t *a = arena_new();
    static const double values[] = {0.1,      -0.0,    1e-45,         3.4028235e38,
                                    16777216, 1.0 / 3, 1.1754944e-38, -87};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        float f = (float)values[k], g = strtof(c_float(a, E_F32, f), NULL);
        double x = values[k] / 7, y = strtod(c_float(a, E_F64, x), NULL);
        assert_memory_equal(&f, &g, sizeof f);
        assert_memory_equal(&x, &y, sizeof x);
    }
    assert_string_equal(c_float(a, E_F32, 0.5), "0.5f");
    assert_string_equal(c_float(a, E_F32, 3), "3.0f");
    assert_string_equal(c_float(a, E_BF16, 1), "0x3f80");
    assert_string_equal(c_integer(a, E_I64, INT64_MIN), "INT64_MIN");
    assert_string_equal(c_integer(a, E_I64, 1LL << 40), "INT64_C(1099511627776)");
    assert_string_equal(c_dim(a, (dim_t){-2, 3}), "3 * U - 2");
    arena_free(a);
}

static void names_are_unique(void **state) {
    (void)state;
    arena_t *a = arena_new();
    names_t *global = names_new(a, NULL), *local = names_new(a, global);
    assert_string_equal(names_make(global, "exp_f32x16"), "exp_f32x16");
    assert_string_equal(names_make(global, "fma_f32x16"), "v_fma_f32x16");
    assert_string_equal(names_make(global, "fma16"), "v_fma16");
    assert_string_equal(names_make(local, "load8_v3"), "v_load8_v3");
    assert_string_equal(names_make(local, "min_x"), "min_x");
    assert_string_equal(names_make(global, "work"), "work");
    assert_string_equal(names_make(local, "work"), "work_1");
    assert_string_equal(names_make(local, "x"), "x");
    size_t mark = names_enter(local);
    assert_string_equal(names_make(local, "x"), "x_1");
    for (int k = 0; k < 200; k++) names_make(local, "many");
    names_leave(local, mark);
    assert_string_equal(names_make(local, "x"), "x_1");
    assert_string_equal(names_make(local, "many"), "many");
    assert_string_equal(names_make(local, "for"), "v_for");
    arena_free(a);
}

static void lines_break_where_they_read_well(void **state) {
    (void)state;
    static const struct {
        int depth;
        const char *line, *text;
    } cases[] = {
        {1,
         "const f32x16 name = load_f32x16(&weights[((layer * 3 + column) * 512 + k) * 32 + 16]);",
         "    const f32x16 name = load_f32x16(&weights[((layer * 3 + column) * 512 + k) * 32 + 16]);\n"},
        {4,
         "const f32x16 name = load_f32x16(&weights[((layer * 3 + column) * 512 + k) * 32 + 16]);",
         "                const f32x16 name =\n"
         "                    load_f32x16(&weights[((layer * 3 + column) * 512 + k) * 32 + 16]);\n"},
        {0,
         "static void f(const reformer_call_t *call, unsigned char *scratch, const int64_t *arg, "
         "int64_t task) {",
         "static void f(const reformer_call_t *call, unsigned char *scratch, const int64_t *arg,\n"
         "        int64_t task) {\n"},
        {0,
         "int f(x1234567890123456789012345678901234567890123456789012345678901234567890 *t, int y, int the_last);",
         "int f(x1234567890123456789012345678901234567890123456789012345678901234567890 *t, int y,\n"
         "    int the_last);\n"},
        {20, "f(x1234567890123456789012345678901234567890);",
         "                                                                                f(\n"
         "                                                                                    "
         "x1234567890123456789012345678901234567890);\n"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        sbuf_t s = {0};
        put_line(&s, cases[k].depth, "%s", cases[k].line);
        assert_string_equal(s.data, cases[k].text);
        sbuf_free(&s);
    }
}

int main(void) {
    every_build = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_text_every_time),
        cmocka_unit_test(labels_are_not_written),
        cmocka_unit_test(several_targets),
        cmocka_unit_test(hostile_names),
        cmocka_unit_test(long_prefix),
        cmocka_unit_test(header_is_cpp),
        cmocka_unit_test(the_runtime_names_targets_alike),
        cmocka_unit_test(fast_math_is_refused),
        cmocka_unit_test(full_width_code),
        cmocka_unit_test(aarch64_compiles),
        cmocka_unit_test(floats_read_back),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(lines_break_where_they_read_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
