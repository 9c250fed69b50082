/* The .rir text: it round-trips exactly, malformed input is reported with its place, and no input
 * crashes. */
#include "loops_test.h"

static void round_trips(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(&b, read_file(&b, SOURCE_DIR "/tests/loops/every_form.rir"));
    char *once = print(&b, m);
    char *twice = print(&b, parse_good(&b, once));
    assert_string_equal(once, twice);
    box_close(&b);
}

static void uses_every_op(void **state) {
    (void)state;
    box_t b = box_open();
    const char *text = read_file(&b, SOURCE_DIR "/tests/loops/every_form.rir");
    static const char *const names[] = {
#define X(op, name, ...) name,
#include "loops/ops.def"
#undef X
    };
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        const char *p = text;
        size_t n = strlen(names[k]);
        for (; (p = strstr(p, names[k])); p += n)
            if ((p[-1] == ' ') && (p[n] == ' ' || p[n] == '.')) break;
        if (!p) fail_msg("every_form.rir lacks %s", names[k]);
    }
    box_close(&b);
}

/* Values without unique names, floats to the bit, nested blocks: what a builder makes prints and
 * reads back the same. */
static void round_trips_what_is_built(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = module_new(b.arena, "built", &targets[T_X86_64_V3], (units_t){0, 0});
    buffer_t *x = module_buffer(m, BUF_OUTPUT, "x", E_F32, 2, (dim_t[]){{40, 0}, {8, 0}});
    x->offset = dim(192); /* into the slot's memory */
    builder_t k = build_kernel(m, "fill", 1, (dim_t[]){{40, 0}}, NULL);
    value_t *layer = kernel_param(&k, "layer", 3), *acc[40];
    for (int n = 0; n < 40; n++)
        acc[n] = b_name(b_const(&k, VECTOR(E_F32, 8), 0.1f * (float)n - 1e-30f), "acc");
    inst_t *loop = b_for(&k, "i", dim(0), dim(4), 40, acc);
    for (int n = 0; n < 40; n++) acc[n] = b_fma(&k, loop_arg(loop, n), acc[n], loop_arg(loop, 0));
    b_end_for(&k, loop, acc);
    b_store(&k, x, loop->results[39], (affine_t[]){ax_v(k.fn->task[0]), ax_scale(ax_v(layer), 0)});
    builder_t e = build_entry(m, "run");
    b_launch(&e, k.fn, (value_t *[]){b_iconst(&e, SCALAR(E_I64), 2)});
    inst_t *layers = b_for(&e, "layer", dim(0), dim(3), 0, NULL);
    value_t *arg = loop_var(layers);
    b_label(&e, b_launch(&e, k.fn, &arg), "layer#.fill", arg);
    b_label(&e, b_launch(&e, k.fn, &arg), "fill", NULL);
    b_end_for(&e, layers, NULL);
    assert_true(loops_verify(m, b.diag));
    char *once = print(&b, m);
    assert_non_null(strstr(once, "buffer x: output f32 [40, 8] at 192 slot 0\n"));
    assert_non_null(strstr(once, "launch fill(%layer) as \"layer#.fill\" %layer\n"));
    assert_non_null(strstr(once, "launch fill(%layer) as \"fill\"\n"));
    assert_string_equal(once, print(&b, parse_good(&b, once)));
    for (char *line = once; *line;) { /* wrapped, so that 40 carried values stay readable */
        size_t n = strcspn(line, "\n");
        assert_in_range(n, 0, 120);
        line += n + (line[n] == '\n');
    }
    box_close(&b);
}

#define HEAD           "module \"m\" target \"x86-64-v3\" units 1 .. 9\n"
#define IN_ENTRY(text) HEAD "entry run {\n" text "\n}\n"
#define DOT(target, params, op)                                                                    \
    "module \"m\" target \"" target "\"\nfunc f(" params ") -> f32 {\n%r = " op "\nreturn %r\n}\n"
#define LAUNCH(text) HEAD "kernel k() tasks(%t < 1) {\n}\nentry run {\nlaunch k() " text "\n}\n"

static const struct {
    const char *text, *message;
} wrong[] = {
    {"", "1:1: error: expected 'module'"},
    {"module x", "1:8: error: expected the name of the module in quotes"},
    {"module \"m\" target \"pdp-11\"", "1:19: error: unknown target"},
    {"module \"m\" target \"aarch64\" units 0 .. 4", "units are 1 .. 2^32"},
    {"module \"m\" target \"aarch64\" units 4 .. 3", "units are 1 .. 2^32"},
    {HEAD "banana", "2:1: error: expected buffer, func, kernel or entry"},
    {HEAD "buffer B: table i32 [1]", "a name is [a-z]"},
    {HEAD "buffer b: heap i32 [1]", "2:11: error: expected weights, workspace"},
    {HEAD "buffer b: table i33 [1]", "expected an element type"},
    {HEAD "buffer b: workspace f32 [0]", "2:8: error: b has a dimension that is not positive"},
    {HEAD "buffer b: workspace f32 [U, U]", "more than one dimension in U"},
    {HEAD "buffer b: workspace f32 [1, 1, 1, 1, 1, 1, 1]", "at most 6 dimensions"},
    {HEAD "buffer b: workspace f32 [99999999999, 99999999999]", "or is too large"},
    {HEAD "buffer b: workspace f32 [99999999999999999999]", "the integer is too large"},
    {HEAD "buffer b: workspace f32 [U*U]", "not linear in U"},
    {HEAD "buffer b: workspace f32 [%x]", "a dimension has no values in it"},
    {HEAD "buffer b: workspace f32 [4] range 0 .. 1", "no integer elements"},
    {HEAD "buffer b: workspace i32 [4] range 2 .. 1", "an empty range"},
    {HEAD "buffer b: table i32 [4] = {1, 2}", "the table has 2 elements"},
    {HEAD "buffer b: table i32 [1] = {4294967296}", "a table holds i32"},
    {HEAD "buffer b: table i32 [1]", "is a table, which has i32 data"},
    {HEAD "buffer b: input i32 [1] slot -3", "a slot that is not 0 to 255"},
    {HEAD "buffer b: scratch i32 [1] of k\nentry run {\n}", "expected the name of a kernel"},
    {HEAD "buffer b: workspace f32 [4]\nbuffer b: workspace f32 [4]", "3:8: error: two buffers"},
    {HEAD "entry run {\n}\nentry again {\n}", "4:7: error: a second entry"},
    {HEAD "kernel k() tasks(%t < 1) {\n}\nkernel k() tasks(%t < 1) {\n}", "two functions 'k'"},
    {HEAD "kernel k(%p < 0) tasks(%t < 1) {\n}", "at least one value"},
    {HEAD "kernel k() tasks(%a < 1, %b < 1, %c < 1, %d < 1, %e < 1) {\n}", "at most 4"},
    {IN_ENTRY("%x = ad %x, %x"), "hint: did you mean 'add'?"},
    {IN_ENTRY("%x = add %y, %y"), "3:10: error: %y is not defined before this"},
    {IN_ENTRY("%x = const.i32 1\n%x = const.i32 1"), "4:1: error: %x is defined twice"},
    {IN_ENTRY("%x = const.i32 1 %y = const.i32 1"), "expected the end of the line"},
    {IN_ENTRY("%x = const.f32x3 1"), "not a power of two"},
    {IN_ENTRY("%x = const.f32x16 1"), "wider than the vectors of the target"},
    {IN_ENTRY("%x = const.i32 3000000000"), "3:6: error: const: the value does not fit its type"},
    {IN_ENTRY("%x = const.f32 1e39"), "too large for its type"},
    {IN_ENTRY("%x = const.f32 1\n%y = and %x, %x"), "and: it does not take this type"},
    {IN_ENTRY("%x, %y = const.f32 1"), "const has 1 results, not 2"},
    {IN_ENTRY("const.f32 1"), "const has 1 results, not 0"},
    {IN_ENTRY("%3000000 = const.f32 1"), "bad name of a value"},
    {IN_ENTRY("%X = const.f32 1"), "bad name of a value"},
    {IN_ENTRY("%3 = const.f32 1\n%a.3 = const.f32 1"), "two values of run have one number"},
    {IN_ENTRY("store nowhere[0], %x"), "expected the name of a buffer"},
    {IN_ENTRY("call nothing()"), "expected a function defined before this"},
    {HEAD "kernel k(%p < 4) tasks(%t < 1) {\n}\nentry run {\nlaunch k()\n}",
     "5:8: error: k takes 1 arguments, not 0"},
    {IN_ENTRY("launch nothing()"), "expected a kernel defined before this"},
    {LAUNCH("as"), "expected a label in quotes"},
    {LAUNCH("as layer"), "5:15: error: expected a label in quotes"},
    {LAUNCH("as \"layer#\" %l"), "5:24: error: %l is not defined before this"},
    {LAUNCH("\"layer\""), "expected the end of the line"},
    {LAUNCH("as \"a\" as \"b\""), "expected the end of the line"},
    {IN_ENTRY("%x = index.i64 3*"), "expected"},
    {IN_ENTRY("%x = index.i64 ((((3"), "expected ')'"},
    {IN_ENTRY("for %i = 0 .. 4 with %a = %b {\n}"), "%b is not defined"},
    {IN_ENTRY("%r = for %i = 0 .. 4 {\n}"), "for has 0 results, not 1"},
    {IN_ENTRY("comment \"open"), "a string without end"},
    {IN_ENTRY("comment \"\\q\""), "bad escape"},
    {IN_ENTRY("comment \"\\x00\""), "bad escape"},
    {IN_ENTRY("@"), "unexpected character (byte 0x40)"},
    {HEAD "entry run {\n", "expected an instruction or '}'"},
    {HEAD "buffer b: workspace f32 [4, 4]\nkernel k() tasks(%t < 1) {\n%x = load.f32 b[0]\n}",
     "4:15: error: b has 2 dimensions, not 1"},
    {HEAD "func f(f32x8 %x) -> f32x8 {\n%y = shuffle %x, %x, {0, 1}\nreturn %y\n}",
     "as many lanes as the operand has: 8"},
    {HEAD "func f(f32x2 %x) -> f32x2 {\n%y = shuffle %x, %x, {0, 4}\nreturn %y\n}",
     "shuffle: a lane is out of range"},
    {IN_ENTRY("%x = const.i32 1\n%y = bitcast.i64 %x"), "bitcast: all bits must stay"},
    {IN_ENTRY("%x = const.i32 1\n%y = bitcast.i32 %x"), "bitcast: it casts a type to itself"},
    {IN_ENTRY("%x = const.bf16 1\n%y = convert.i32 %x"), "bf16 converts from and to f32 only"},
    {DOT("x86-64-v4", "f32x4 %s, bf16x8 %x", "dot2 %s, %x, %x"),
     "dot2: the target does not have it"},
    {DOT("x86-64-v4+vnni", "f32x4 %s, bf16x8 %x", "dot2 %s, %x, %x"),
     "dot2: the target does not have it"},
    {DOT("x86-64-v3", "i32x4 %s, u8x16 %x, i8x16 %y", "dot4 %s, %x, %y"),
     "dot4: the target does not have it"},
    {DOT("x86-64-v4+bf16", "f32x2 %s, bf16x4 %x", "dot2 %s, %x, %x"),
     "dot2: the sum has four lanes at least"},
    {DOT("x86-64-v4+bf16", "f32x4 %s, bf16x4 %x", "dot2 %s, %x, %x"),
     "dot2: the factors have the wrong types"},
    {DOT("x86-64-v4+bf16", "i32x4 %s, bf16x8 %x", "dot2 %s, %x, %x"),
     "dot2: it does not take this type"},
    {DOT("x86-64-v3+vnni", "i32x4 %s, u8x16 %x, i8x16 %y", "dot4 %s, %y, %x"),
     "dot4: the factors have the wrong types"},
};

static void reports_what_is_wrong(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        box_t b = box_open();
        if (parse(&b, wrong[k].text)) fail_msg("accepted: %s", wrong[k].text);
        assert_int_equal(diag_errors(b.diag), 1);
        expect_message(&b, wrong[k].message);
        box_close(&b);
    }
}

/* A layer stands in the line of its label: what follows in the next line defines another value. */
static void ends_labels_with_their_line(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(&b, LAUNCH("as \"k\"\n%x = const.i64 1\nlaunch k() as \"k#\" %x"));
    const block_t *entry = module_entry(m)->body;
    assert_int_equal(entry->n, 3);
    assert_int_equal(entry->insts[0]->n_operands, 0);
    assert_string_equal(entry->insts[0]->text, "k");
    assert_int_equal(entry->insts[2]->n_operands, 1);
    assert_ptr_equal(entry->insts[2]->operand[0], entry->insts[1]->result);
    box_close(&b);
}

static void bounds_nesting(void **state) {
    (void)state;
    for (int deep = 0; deep < 2; deep++) {
        box_t b = box_open();
        sbuf_t s = {0};
        int depth = deep ? 100000 : 40;
        sbuf_puts(&s, HEAD "entry run {\n");
        for (int k = 0; k < depth; k++) sbuf_printf(&s, "for %%i%d = 0 .. 2 {\n", k);
        for (int k = 0; k < depth; k++) sbuf_puts(&s, "}\n");
        sbuf_puts(&s, "}\n");
        assert_true((parse(&b, s.data) == NULL) == deep);
        if (deep) expect_message(&b, "nested too deep");
        sbuf_free(&s);
        box_close(&b);
    }
    box_t b = box_open();
    sbuf_t s = {0};
    sbuf_puts(&s, HEAD "buffer b: workspace f32 [");
    for (int k = 0; k < 100000; k++) sbuf_puts(&s, "(");
    assert_null(parse(&b, s.data));
    sbuf_free(&s);
    box_close(&b);
}

/* xorshift: Marsaglia, 2003 */
static uint64_t random64(uint64_t *s) {
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static void mutate(char *text, size_t *n, uint64_t *seed) {
    static const char *const words[] = {"%",  "U",      "{",      "}",     "[", "]", "99999999999",
                                        "-",  "for",    "yield",  "f32x8", "*", ".", "0",
                                        "if", "launch", "return", "%x",    "(", ")", "\n"};
    size_t at = random64(seed) % *n, len;
    switch (random64(seed) % 5) {
    case 0: text[at] = (char)random64(seed); break;
    case 1: /* remove a stretch */
        len = random64(seed) % 12;
        if (at + len > *n) len = *n - at;
        memmove(text + at, text + at + len, *n - at - len);
        *n -= len;
        break;
    case 2: /* copy a stretch over another place */
        len = random64(seed) % 60;
        if (at + len > *n) len = *n - at;
        memmove(text + random64(seed) % (*n - len + 1), text + at, len);
        break;
    default: {
        const char *w = words[random64(seed) % (sizeof words / sizeof *words)];
        len = strlen(w);
        memmove(text + at + len, text + at, *n - at);
        memcpy(text + at, w, len);
        *n += len;
    }
    }
    if (*n == 0) text[(*n)++] = ' ';
}

/* Whatever comes in: a module that verifies prints to a fixed point and survives the passes;
 * anything else leaves at least one error. */
static void survives_mutations(void **state) {
    (void)state;
    box_t files = box_open();
    const char *original = read_file(&files, SOURCE_DIR "/tests/loops/every_form.rir");
    size_t bytes = strlen(original);
    uint64_t seed = 20240229;
    int good = 0, rounds = 3000;
    char *text = arena_alloc(files.arena, bytes + 4096);
    for (int k = 0; k < rounds; k++) {
        box_t b = box_open();
        size_t n = bytes;
        memcpy(text, original, n);
        for (uint64_t e = random64(&seed) % 4 + 1; e > 0; e--) mutate(text, &n, &seed);
        module_t *m = module_parse(b.arena, "fuzz.rir", text, n, b.diag);
        if (m && loops_verify(m, b.diag)) {
            char *once = print(&b, m);
            assert_string_equal(once, print(&b, parse_good(&b, once)));
            if (!loops_run_passes(m, &(pass_options_t){.verify_each = true}, b.diag))
                fail_msg("%.*s\n%s", (int)n, text, messages(&b));
            good++;
        } else {
            assert_true(diag_errors(b.diag) > 0);
        }
        assert_non_null(messages(&b));
        box_close(&b);
    }
    assert_in_range(good, rounds / 100, rounds); /* else the mutations are too wild to test much */
    box_close(&files);
}

/* Passes compare buffers and kernels with each other: a text of thousands would keep them for minutes. */
static void bounds_parts(void **state) {
    (void)state;
    static const char *const says[] = {"more than 1024 buffers", "more than 1024 functions"};
    for (int k = 0; k < 2; k++) {
        box_t b = box_open();
        sbuf_t text = {0};
        sbuf_puts(&text, "module \"many\" target \"x86-64\"\n");
        for (int i = 0; i <= 1024; i++) {
            if (k == 0) sbuf_printf(&text, "buffer b%d: workspace f32 [16]\n", i);
            else sbuf_printf(&text, "kernel k%d() tasks(%%a < 1) {\n}\n", i);
        }
        assert_null(module_parse(b.arena, "many.rir", text.data, text.size, b.diag));
        assert_non_null(strstr(messages(&b), says[k]));
        sbuf_free(&text);
        box_close(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(uses_every_op),
        cmocka_unit_test(round_trips_what_is_built),
        cmocka_unit_test(reports_what_is_wrong),
        cmocka_unit_test(ends_labels_with_their_line),
        cmocka_unit_test(bounds_nesting),
        cmocka_unit_test(bounds_parts),
        cmocka_unit_test(survives_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
