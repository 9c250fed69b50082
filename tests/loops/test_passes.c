/* The passes, each on ten-line texts: tests/loops/PASS_*.rir holds the module before, a line of
 * dashes, and the exact text after. And what a text cannot say: that results stay the same bits. */
#include <dirent.h>
#include <math.h>

#include "loops/rules.h"
#include "loops_test.h"
#include "reformer_rt.h"

static const struct {
    const char *prefix;
    void (*run)(module_t *m);
} passes[] = {{"fold_", pass_fold},
              {"cse_", pass_cse},
              {"dce_", pass_dce},
              {"order_", pass_order},
              {"plan_", pass_plan_memory}};
enum { PASSES = sizeof passes / sizeof *passes };

static void check_file(const char *name, void (*run)(module_t *m)) {
    static const char dashes[] = "\n# ---- after\n";
    box_t b = box_open();
    const char *path = arena_printf(b.arena, "%s/tests/loops/%s", SOURCE_DIR, name);
    char *text = read_file(&b, path), *after = strstr(text, dashes);
    if (!after) fail_msg("%s lacks what comes after", name);
    *after = 0;
    module_t *m = parse_good(&b, text);
    run(m);
    if (!loops_verify(m, b.diag)) fail_msg("%s: %s", name, messages(&b));
    const char *got = print(&b, m);
    after += sizeof dashes - 1;
    if (strcmp(got, after) != 0) fail_msg("%s gives:\n%s", name, got);
    box_close(&b);
}

static void match_their_texts(void **state) {
    (void)state;
    int found[PASSES] = {0};
    DIR *dir = opendir(SOURCE_DIR "/tests/loops");
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        for (int k = 0; k < PASSES; k++) {
            size_t n = strlen(passes[k].prefix), len = strlen(e->d_name);
            if (len < 4 || strcmp(e->d_name + len - 4, ".rir") != 0) continue;
            if (strncmp(e->d_name, passes[k].prefix, n) != 0) continue;
            check_file(e->d_name, passes[k].run);
            found[k]++;
        }
    closedir(dir);
    for (int k = 0; k < PASSES; k++) assert_true(found[k] > 0);
}

/* ---- folding gives the bits that running gives ----------------------------------------------- */

static const float interesting[] = {0.0f,   -0.0f,    1.0f,        -1.0f,    0.1f,
                                    1e-40f, -3.2e38f, 16777217.0f, INFINITY, 0.33333334f};
enum { INTERESTING = sizeof interesting / sizeof *interesting, ROWS = 32 };

/* Every binary float op over every pair, once from constants and once from an input. */
static module_t *ops_module(box_t *b, float x, float y, bool constants) {
    static const op_t ops[] = {OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MIN, OP_MAX};
    module_t *m = module_new(b->arena, "ops", &targets[T_X86_64_V3], (units_t){0, 0});
    buffer_t *in = module_buffer(m, BUF_INPUT, "in", E_F32, 1, (dim_t[]){{2, 0}});
    buffer_t *out = module_buffer(m, BUF_OUTPUT, "out", E_F32, 1, (dim_t[]){{ROWS, 0}});
    builder_t k = build_kernel(m, "k", 1, (dim_t[]){{1, 0}}, NULL);
    affine_t zero = ax(0), one = ax(1);
    value_t *a = constants ? b_const(&k, SCALAR(E_F32), x) : b_load(&k, in, 1, &zero);
    value_t *c = constants ? b_const(&k, SCALAR(E_F32), y) : b_load(&k, in, 1, &one);
    value_t *neutral[] = {b_const(&k, SCALAR(E_F32), 0.0), b_const(&k, SCALAR(E_F32), -0.0),
                          b_const(&k, SCALAR(E_F32), 1.0), b_const(&k, SCALAR(E_F32), -1.0)};
    int row = 0;
    affine_t at;
    for (size_t o = 0; o < sizeof ops / sizeof *ops; o++)
        at = ax(row++), b_store(&k, out, b_binary(&k, ops[o], a, c), &at);
    for (int n = 0; n < 4; n++) {
        at = ax(row++), b_store(&k, out, b_binary(&k, OP_ADD, a, neutral[n]), &at);
        at = ax(row++), b_store(&k, out, b_binary(&k, OP_SUB, a, neutral[n]), &at);
        at = ax(row++), b_store(&k, out, b_binary(&k, OP_MUL, a, neutral[n]), &at);
        at = ax(row++), b_store(&k, out, b_fma(&k, a, neutral[n], c), &at);
        at = ax(row++), b_store(&k, out, b_fma(&k, a, c, neutral[n]), &at);
    }
    at = ax(row++), b_store(&k, out, b_unary(&k, OP_SQRT, a), &at);
    at = ax(row++), b_store(&k, out, b_unary(&k, OP_NEG, a), &at);
    value_t *bits = b_bitcast(&k, E_I32, a);
    bits = b_shift(&k, OP_SHR, b_binary(&k, OP_ADD, bits, bits), 3);
    at = ax(row++), b_store(&k, out, b_convert(&k, E_F32, bits), &at);
    assert_in_range(row, 1, ROWS);
    builder_t e = build_entry(m, "run");
    b_launch(&e, k.fn, NULL);
    in->slot = REFORMER_SLOT_LABELS_F32;
    out->slot = REFORMER_SLOT_LOGITS;
    return m;
}

static void run_ops(box_t *b, module_t *m, float x, float y, uint32_t *bits) {
    float in[2] = {x, y}, out[ROWS] = {0};
    reformer_call_t call = {0};
    call.slot[REFORMER_SLOT_LABELS_F32] = in;
    call.slot[REFORMER_SLOT_LOGITS] = out;
    if (!loops_interpret(m, &call, b->diag)) fail_msg("%s", messages(b));
    for (int k = 0; k < ROWS; k++) {
        memcpy(&bits[k], &out[k], sizeof *bits);
        if (isnan(out[k])) bits[k] = 0x7FC00000;
    }
}

static void folding_keeps_every_bit(void **state) {
    (void)state;
    for (int i = 0; i < INTERESTING * INTERESTING; i++) {
        float x = interesting[i / INTERESTING], y = interesting[i % INTERESTING];
        uint32_t plain[ROWS], folded[2][ROWS];
        box_t b = box_open();
        module_t *m = ops_module(&b, x, y, false);
        run_ops(&b, m, x, y, plain);
        for (int constants = 0; constants < 2; constants++) {
            m = ops_module(&b, x, y, constants);
            size_t before = m->funcs[0]->body->n;
            assert_true(loops_run_passes(m, &(pass_options_t){.verify_each = true}, b.diag));
            assert_true(m->funcs[0]->body->n < before);
            run_ops(&b, m, x, y, folded[constants]);
            for (int k = 0; k < ROWS; k++)
                if (plain[k] != folded[constants][k])
                    fail_msg("row %d of %g, %g: %08x, folded %08x", k, (double)x, (double)y,
                             plain[k], folded[constants][k]);
        }
        box_close(&b);
    }
}

static void passes_are_timed_and_named(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(&b, read_file(&b, SOURCE_DIR "/tests/loops/every_form.rir"));
    assert_true(loops_run_passes(m, &(pass_options_t){.verify_each = true}, b.diag));
    char *once = print(&b, m);
    assert_true(loops_run_passes(m, &(pass_options_t){.verify_each = true}, b.diag));
    assert_string_equal(once, print(&b, m)); /* nothing is left to do */
    box_close(&b);
}

/* The text of a module after the passes up to `last`; NULL: all of them. */
static char *stopped(box_t *b, const char *last) {
    module_t *m = parse_good(b, read_file(b, SOURCE_DIR "/tests/loops/every_form.rir"));
    assert_true(loops_run_passes(m, &(pass_options_t){.stop_after = last}, b->diag));
    return print(b, m);
}

static void passes_stop_where_they_are_told(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(&b, read_file(&b, SOURCE_DIR "/tests/loops/every_form.rir"));
    assert_string_equal(stopped(&b, ""), print(&b, m));
    pass_fold(m);
    assert_string_equal(stopped(&b, "fold"), print(&b, m));
    pass_cse(m);
    pass_dce(m);
    assert_string_equal(stopped(&b, "dce"), print(&b, m));
    pass_order(m);
    assert_string_equal(stopped(&b, "order"), print(&b, m));
    pass_plan_memory(m);
    assert_string_equal(stopped(&b, "plan_memory"), print(&b, m));
    assert_string_equal(stopped(&b, NULL), print(&b, m));
    assert_string_not_equal(stopped(&b, NULL), stopped(&b, "order"));
    assert_string_not_equal(stopped(&b, ""), stopped(&b, "fold"));
    box_close(&b);
}

/* ---- cost ------------------------------------------------------------------------------------ */

static void counts_flops_and_bytes(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(
        &b, "module \"m\" target \"x86-64-v3\" units 1 .. 9\n"
            "buffer x: workspace f32 [4*U, 8]\n"
            "func f(f32x8 %a) -> f32x8 {\n%b = mul %a, %a\nreturn %b\n}\n"
            "kernel k() tasks(%t < 4*U, %h < 2) {\n"
            "%z = const.f32x8 1\n%one = const.i32 1\n"
            "%r = for %i = 0 .. 10 with %acc = %z {\n%n = fma %acc, %z, %acc\nyield %n\n}\n"
            "%c = call f(%r)\n"
            "if %one {\n%d = add %c, %c\nstore x[%t, 0], %d\n} else {\n%s = load.f32 x[%t, 0]\n}\n"
            "}\n"
            "entry run {\nfor %l = 0 .. 3 {\nlaunch k()\n}\n}\n");
    cost_t c = loops_kernel_cost(m, m->funcs[1], 5);
    double tasks = 4 * 5 * 2, flops = tasks * (10 * 2 * 8 + 8 + 8);
    assert_true(c.flops == flops && c.bytes_read == tasks * 4 && c.bytes_written == tasks * 32);
    c = loops_cost(m, 5);
    assert_true(c.flops == 3 * flops && c.bytes_written == 3 * tasks * 32);
    box_close(&b);
}

/* What a likely if's exception would cost does not count. */
static void counts_the_rule(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(&b, "module \"m\" target \"x86-64-v3\"\n"
                                 "buffer x: workspace f32 [4]\n"
                                 "buffer c: input i32 [4] slot 4\n"
                                 "kernel k() tasks(%t < 4) {\n"
                                 "%a = load.f32 x[%t]\n%b = load.i32 c[%t]\n"
                                 "if %b likely {\n%d = add %a, %a\nstore x[%t], %d\n"
                                 "} else {\n%e = fma %a, %a, %a\nstore x[%t], %e\n}\n}\n"
                                 "entry run {\nlaunch k()\n}\n");
    assert_true(loops_cost(m, 0).flops == 4);
    box_close(&b);
}

/* Kinds apart; of an if the dearer branch, whole: the one that takes longer, not the one of more flops. */
static void counts_products(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m =
        parse_good(&b, "module \"m\" target \"x86-64-v4+bf16\"\n"
                       "buffer x: workspace f32 [16]\nbuffer h: workspace bf16 [32]\n"
                       "buffer u: workspace u8 [64]\nbuffer i: workspace i8 [64]\n"
                       "buffer n: workspace i32 [16]\nbuffer c: input i32 [1] slot 4\n"
                       "kernel k() tasks(%t < 4) {\n"
                       "%a = load.f32x16 x[0]\n%h = load.bf16x32 h[0]\n"
                       "%u = load.u8x64 u[0]\n%i = load.i8x64 i[0]\n%n = load.i32x16 n[0]\n"
                       "%s = dot2 %a, %h, %h\n%d = fma %s, %a, %a\nstore x[0], %d\n"
                       "%m = dot4 %n, %u, %i\nstore n[0], %m\n"
                       "%b = load.i32 c[0]\n"
                       "if %b {\n%e = dot2 %a, %h, %h\nstore x[0], %e\n"
                       "} else {\n%f = fma %a, %a, %a\n%g = add %f, %a\nstore x[0], %g\n}\n}\n"
                       "entry run {\nlaunch k()\n}\n");
    cost_t c = loops_cost(m, 0);
    assert_true(c.of[FACTOR_F32] == 4 * 16 * (2 + 3) && c.of[FACTOR_BF16] == 4 * 16 * 4);
    assert_true(c.of[FACTOR_I8] == 4 * 16 * 8);
    assert_true(c.flops == c.of[FACTOR_F32] + c.of[FACTOR_BF16] + c.of[FACTOR_I8]);
    box_close(&b);
}

/* Layers of two kinds: the table says which kernels run, and the input only whether there is a loss. */
static const char two_kinds[] =
    "module \"m\" target \"x86-64-v3\"\n"
    "buffer kind: table i32 [3] = {1, 0, 1}\n"
    "buffer want: input i32 [1] slot 4\n"
    "buffer w: weights f32 [3, 8] at 4096\n"
    "buffer x: workspace f32 [16, 8]\n"
    "kernel a(%layer < 3) tasks(%t < 16) {\n"
    "%w = load.f32x8 w[%layer, 0]\n%x = mul %w, %w\nstore x[%t, 0], %x\n}\n"
    "kernel b() tasks(%t < 8) {\n"
    "%y = load.f32x8 x[%t + 4, 0]\n%s = add %y, %y\n%u = add %s, %s\nstore x[%t, 0], %u\n}\n"
    "entry run {\nfor %l = 0 .. 3 {\n%k = load.i32 kind[%l]\n"
    "if %k {\nfor %g = 0 .. 5 {\nlaunch a(%l)\n}\n} else {\nlaunch b()\n}\n}\n"
    "%on = load.i32 want[0]\nif %on {\nlaunch b()\n}\n}\n";

typedef struct {
    const module_t *m;
    int64_t times[2]; /* of the two kernels */
} counts_t;

static void count_launch(void *ctx, const inst_t *launch, int64_t times) {
    counts_t *c = ctx;
    c->times[launch->callee == c->m->funcs[1]] += times;
}

static void counts_launches(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(&b, two_kinds);
    counts_t c = {.m = m};
    loops_schedule(m, 0, count_launch, &c);
    assert_int_equal(c.times[0], 2 * 5); /* layers 0 and 2, five groups */
    assert_int_equal(c.times[1], 1 + 1); /* layer 1, and what the input may ask for */
    assert_true(loops_cost(m, 0).flops == 10 * (16 * 8) + 2 * (8 * 2 * 8));
    box_close(&b);
}

/* Four products of integers and their sum, in each lane. */
static void counts_dot4(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(&b, "module \"dot\" target \"x86-64-v4+vnni\"\n"
                                 "buffer x: input u8 [64] slot 0\n"
                                 "buffer y: input i8 [64] slot 1\n"
                                 "buffer s: output i32 [16] slot 5\n"
                                 "kernel all() tasks(%i < 3) {\n"
                                 "  %sum = const.i32x16 0\n"
                                 "  %a = load.u8x64 x[0]\n"
                                 "  %b = load.i8x64 y[0]\n"
                                 "  %t = dot4 %sum, %a, %b\n"
                                 "  store s[0], %t\n"
                                 "}\n"
                                 "entry run {\n"
                                 "  launch all()\n"
                                 "}\n");
    assert_true(loops_cost(m, 0).flops == 3 * 16 * 8);
    assert_true(loops_cost(m, 0).of[FACTOR_I8] == 3 * 16 * 8);
    box_close(&b);
}

/* What is compared is decided, too: every third of 8 rounds, and the last. */
static void counts_what_is_compared(void **state) {
    (void)state;
    static const char text[] =
        "module \"m\" target \"x86-64-v3\"\nbuffer x: workspace f32 [8]\n"
        "kernel a() tasks(%t < 8) {\n%c = const.f32 1\nstore x[%t], %c\n}\n"
        "kernel b() tasks(%t < 8) {\n%c = const.f32 2\nstore x[%t], %c\n}\n"
        "entry run {\n%zero = const.i64 0\n%last = const.i64 7\n"
        "for %i = 0 .. 8 {\n%r = irem %i, 3\n%is = eq %r, %zero\n"
        "if %is {\nlaunch a()\n} else {\nlaunch b()\n}\n"
        "%end = lt %i, %last\nif %end {\nlaunch b()\n} else {\nlaunch a()\n}\n}\n}\n";
    box_t b = box_open();
    module_t *m = parse_good(&b, text);
    counts_t c = {.m = m};
    loops_schedule(m, 0, count_launch, &c);
    assert_int_equal(c.times[0], 3 + 1);
    assert_int_equal(c.times[1], 5 + 7);
    box_close(&b);
}

/* Of the weights one layer's row, of x what the tasks reach, reads and writes alike. */
static void counts_streams(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(&b, two_kinds);
    assert_true(loops_kernel_streams(m, m->funcs[0], 0) == 4 * (8 + 16 * 8));
    assert_true(loops_kernel_streams(m, m->funcs[1], 0) == 4 * (8 * 8 + 8 * 8));
    box_close(&b);
}

/* Rows that data choose: 6 of them by name, keys and values apart, two at a time; more
 * than there are; one of them, or in the other branch three. */
static const char gathers[] =
    "module \"m\" target \"x86-64-v3\"\n"
    "buffer ids: input i32 [6] slot 0 range 0 .. 999\n"
    "buffer few: input i32 [6] slot 1 range 0 .. 3\n"
    "buffer x: state f32 [1000, 4, 2, 16] slot 2\n"
    "buffer y: state f32 [4, 16] slot 3\n"
    "buffer z: workspace f32 [4, 8]\n"
    "kernel a(%layer < 4) tasks(%t < 1) {\n"
    "for %j = 0 .. 3 {\n"
    "%p = load.i32 ids[2*%j]\n%q = load.i32 ids[2*%j + 1]\n"
    "%a = load.f32x8 x[%p, %layer, 0, 0]\n%b = load.f32x8 x[%p, %layer, 0, 8]\n"
    "%c = load.f32x8 x[%q, %layer, 0, 0]\n%d = load.f32x8 x[%q, %layer, 0, 8]\n"
    "%e = add %a, %b\n%f = add %c, %d\n%g = add %e, %f\nstore z[%j, 0], %g\n}\n"
    "for %k = 0 .. 6 {\n%r = load.i32 ids[%k]\n"
    "%u = load.f32x8 x[%r, %layer, 1, 0]\n%v = load.f32x8 x[%r, %layer, 1, 8]\n"
    "%w = add %u, %v\nstore z[3, 0], %w\n}\n}\n"
    "kernel b() tasks(%t < 2) {\n"
    "for %j = 0 .. 6 {\n%p = load.i32 few[%j]\n%a = load.f32x8 y[%p, 0]\n"
    "store z[%t, 0], %a\n}\n}\n"
    "kernel c() tasks(%t < 1) {\n%on = load.i32 few[0]\nif %on {\n"
    "%a = load.f32x8 y[%on, 0]\nstore z[0, 0], %a\n} else {\n"
    "for %j = 0 .. 3 {\n%b = load.f32x8 y[%j, 8]\nstore z[0, 0], %b\n}\n}\n}\n"
    "entry run {\nfor %l = 0 .. 4 {\nlaunch a(%l)\n}\nlaunch b()\nlaunch c()\n}\n";

typedef struct {
    double read, written;
} stream_sum_t;

static void add_state(void *ctx, const buffer_t *b, double read, double written) {
    stream_sum_t *sum = ctx;
    if (b->kind == BUF_STATE) sum->read += read, sum->written += written;
}

static double state_read(const module_t *m, int kernel) {
    stream_sum_t sum = {0, 0};
    loops_each_stream(m, m->funcs[kernel], 0, add_state, &sum);
    assert_true(sum.written == 0);
    return sum.read;
}

static void counts_gathered_rows(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(&b, gathers);
    assert_true(state_read(m, 0) == 6 * 2 * 16 * 4);
    assert_true(state_read(m, 1) == 4 * 8 * 4);
    assert_true(state_read(m, 2) == 3 * 8 * 4);
    /* ids twice over, z whole: nothing else */
    assert_true(loops_kernel_streams(m, m->funcs[0], 0) == 6 * 2 * 16 * 4 + 6 * 4 + 4 * 8 * 4);
    box_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(match_their_texts),
        cmocka_unit_test(counts_launches),
        cmocka_unit_test(counts_dot4),
        cmocka_unit_test(counts_what_is_compared),
        cmocka_unit_test(counts_streams),
        cmocka_unit_test(counts_gathered_rows),
        cmocka_unit_test(folding_keeps_every_bit),
        cmocka_unit_test(passes_are_timed_and_named),
        cmocka_unit_test(passes_stop_where_they_are_told),
        cmocka_unit_test(counts_flops_and_bytes),
        cmocka_unit_test(counts_the_rule),
        cmocka_unit_test(counts_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
