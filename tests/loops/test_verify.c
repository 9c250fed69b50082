/* The verifier: one tiny text per rule it enforces, with the message it must give; and what
 * interval analysis has to prove for the lowering's idioms. */
#include "loops_test.h"

#define HEAD                                                                                       \
    "module \"m\" target \"x86-64-v3\" units 2 .. 9\n"                                             \
    "buffer w: weights f32 [64] at 4096\n"                                                         \
    "buffer ids: input i32 [64*U] slot 0 range 0 .. 99\n"                                          \
    "buffer x: workspace f32 [64*U + 1, 32]\n"                                                     \
    "buffer n: workspace i32 [64*U]\n"                                                             \
    "buffer t: table i32 [2] range 0 .. 5 = {0, 5}\n"                                              \
    "buffer g: output f32 [3, 4] slot 6\n"                                                         \
    "buffer gu: output f32 [3, 4*U] slot 7\n"                                                      \
    "buffer s: scratch f32 [100] of other\n"                                                       \
    "kernel other(%p < 4) tasks(%t < 1) {\n}\n"
#define KERNEL(text) HEAD "kernel k(%p < 3) tasks(%t < 64*U) {\n" text "\n}\nentry run {\n}\n"
#define ENTRY(text)  HEAD "entry run {\n" text "\n}\n"
#define FUNC(text)   HEAD "func f(f32 %a) -> f32 {\n" text "\n}\nentry run {\n}\n"

static const struct {
    const char *text, *message;
} wrong[] = {
    /* bounds */
    {KERNEL("%v = load.f32 x[64*U + 1, 0]"),
     "kernel 'k': %v = load.f32 x[64*U + 1, 0]: dimension 0 of 'x': the index lies in "
     "[64*U + 1, 64*U + 1], must lie in [0, 64*U]"},
    {KERNEL("%v = load.f32x8 x[%t, 25]"), "dimension 1 of 'x': the index lies in [25, 25]"},
    {KERNEL("%v = load.f32 x[%t - 1, 0]"), "lies in [-1, 64*U - 2], must lie in [0, 64*U]"},
    {KERNEL("%v = load.f32 x[2*%t, 0]"), "lies in [0, 128*U - 2]"},
    {KERNEL("%i = load.i32 n[%t]\n%v = load.f32 x[%i, 0]"), "[-2147483648, 2147483647]"},
    {KERNEL("%i = load.i32 ids[%t]\n%v = load.f32 w[%i]"), "[0, 99], must lie in [0, 63]"},
    {KERNEL("prefetch w[64]"), "dimension 0 of 'w'"},
    {KERNEL("%c = const.f32x8 0\nstore x[%t + 2, 0], %c"), "[2, 64*U + 1]"},
    {KERNEL("for %i = 0 .. 65 {\n%v = load.f32 w[%i]\n}"), "[0, 64], must lie in [0, 63]"},
    {KERNEL("%z = const.i64 0\n%r = for %i = 0 .. 3 with %a = %z {\n%v = load.f32 w[%a]\n"
            "%b = index.i64 %a + 1\nyield %b\n}"),
     "[-inf, inf]"},
    {KERNEL("%b = index.i64 -%t\n%q = idiv %b, 3"), "must not be negative"},
    {KERNEL("%m = const.i64 16\n%i = mul %p, %m\n%j = shl %i, 1\n%v = load.f32 w[63 - %j]"),
     "[-1, 63]"},
    {KERNEL("%q = idiv %t, 32*U\n%v = load.f32 w[63 + %q]"), "[63, 64], must lie in [0, 63]"},
    {KERNEL("%i = load.i32 n[%t]\n%j = shr %i, 25\n%v = load.f32 w[%j]"), "[0, 127]"},
    {KERNEL("%q = idiv %t, 7\n%v = load.f32 w[%q]"), "[0, 82], must lie in [0, 63]"},
    /* of 5 and U - 2, that which is greater for the least U: 5, which is too much for it */
    {KERNEL("%a = index.i64 U - 2\n%b = const.i64 5\n%c = eq %a, %b\n%s = select %c, %a, %b\n"
            "%v = const.f32 0\nstore gu[0, 2*%s], %v"),
     "dimension 1 of 'gu': the index lies in [0, 2*U + 6]"},
    {KERNEL("%a = index.i64 U - 2\n%b = const.i64 5\n%c = eq %a, %b\n%s = select %c, %b, %a\n"
            "%v = const.f32 0\nstore gu[0, 2*%s], %v"),
     "dimension 1 of 'gu': the index lies in [0, 2*U + 6]"},
    /* memory */
    {KERNEL("%c = const.f32 0\nstore w[0], %c"), "the buffer is read-only"},
    {KERNEL("%c = const.i32 0\nstore ids[0], %c"), "the buffer is read-only"},
    {KERNEL("%c = const.i32 0\nstore t[0], %c"), "the buffer is read-only"},
    {KERNEL("%c = const.i32 0\nstore x[0, 0], %c"), "element type is not that of the buffer"},
    {KERNEL("%v = load.i32 x[0, 0]"), "element type is not that of the buffer"},
    {KERNEL("%v = load.f32 s[0]"), "the scratch belongs to another kernel"},
    {KERNEL("%c = const.f32 0\n%v = load.f32 x[%c, 0]"), "a sum of i32 and i64 scalars"},
    {FUNC("%v = load.f32 w[0]\nreturn %v"), "functions do not touch memory"},
    {ENTRY("%v = load.f32 w[0]"), "the entry only loads scalars of inputs and tables"},
    {ENTRY("%v = load.i32x4 ids[0]"), "the entry has no vectors"},
    {ENTRY("%c = const.i32 0\nstore n[0], %c"), "the entry only loads"},
    {ENTRY("%v = const.f32x8 0"), "the entry has no vectors"},
    {ENTRY("%v = const.f32 0\n%w = fma %v, %v, %v"), "the entry has no fma"},
    /* scope */
    {KERNEL("for %i = 0 .. 3 {\n%a = const.i32 1\n}\n%b = add %a, %a"), "not in scope"},
    {KERNEL("%c = const.i32 1\nif %c {\n%a = const.i32 1\n} else {\n%b = add %a, %a\n}"),
     "not in scope"},
    {KERNEL("%c = const.f32 1\n%r = for %i = 0 .. 3 with %a = %c {\nyield %a\n}\n%b = add %a, %r"),
     "not in scope"},
    /* structure */
    {KERNEL("%c = const.i32 1\n%d = const.f32 1\n%r = for %i = 0 .. 3 with %a = %c {\nyield %d\n}"),
     "yield exactly the results of its for"},
    {KERNEL("%c = const.i32 1\n%r = for %i = 0 .. 3 with %a = %c {\n}"), "yield exactly"},
    {KERNEL("%c = const.i32 1\nfor %i = 0 .. 3 {\nyield %c\n}"), "yield exactly"},
    {KERNEL("%c = const.i32 1\n%r = if %c -> i32 {\nyield %c\n}"), "yield exactly"},
    {KERNEL("%c = const.i64 1\nif %c {\n}"), "the condition must be i32"},
    {KERNEL("%c = const.i32 1\nyield %c"), "stands where its block does not end"},
    {KERNEL("for %i = 0 .. 3 {\n%c = const.i32 1\nyield %c\n%d = const.i32 1\n}"), "does not end"},
    {KERNEL("return"), "must return the results of its function"},
    {KERNEL("launch other(%p)"), "launches stand in the entry"},
    {KERNEL("trace \"x\", x"), "traces stand in the entry"},
    {FUNC("%b = add %a, %a"), "must end with a return"},
    {FUNC("return"), "must return the results"},
    {FUNC("%b = const.i32 1\nreturn %b"), "must return the results"},
    {HEAD "func f(f32 %a) -> f32 {\nreturn %a\n}\nkernel k() tasks(%t < 1) {\n%c = const.i32 1\n"
          "%d = call f(%c)\n}\nentry run {\n}\n",
     "an argument has the wrong type"},
    {ENTRY("%c = const.i64 4\nlaunch other(%c)"), "argument 0 lies in [4, 4], must lie in [0, 3]"},
    {ENTRY("for %i = 0 .. 5 {\nlaunch other(%i)\n}"), "argument 0 lies in [0, 4]"},
    {ENTRY("%c = const.i32 0\nlaunch other(%c)"), "argument 0 must be i64"},
    /* labels */
    {ENTRY("%c = const.i64 1\nlaunch other(%c) as \"\""), "a label is [a-z0-9_.#]+"},
    {ENTRY("%c = const.i64 1\nlaunch other(%c) as \"Layer\""), "a label is [a-z0-9_.#]+"},
    {ENTRY("%c = const.i64 1\nlaunch other(%c) as \"a\\n\""), "a label is [a-z0-9_.#]+"},
    {ENTRY("%c = const.i64 1\nlaunch other(%c) as \"#.#\" %c"), "one '#' at most"},
    {ENTRY("%c = const.i64 1\nlaunch other(%c) as \"a#\""),
     "launch other(%c) as \"a#\": a layer is given exactly when the label has a '#'"},
    {ENTRY("%c = const.i64 1\nlaunch other(%c) as \"a\" %c"),
     "launch other(%c) as \"a\" %c: a layer is given exactly when the label has a '#'"},
    {ENTRY("%c = const.i64 1\n%d = const.i32 1\nlaunch other(%c) as \"a#\" %d"),
     "the layer must be i64"},
    {ENTRY("%c = const.i64 1\nfor %i = 0 .. 3 {\n%d = const.i64 1\n}\n"
           "launch other(%c) as \"a#\" %d"),
     "not in scope"},
    {ENTRY("%c = const.i64 1\nfor %i = 0 .. U {\nlaunch other(%c) as \"a#\" %i\n}"),
     "the layer lies in [0, U - 1], must lie in literal bounds within [0, 65535]"},
    {ENTRY("%c = const.i64 1\nfor %i = -1 .. 3 {\nlaunch other(%c) as \"a#\" %i\n}"),
     "the layer lies in [-1, 2]"},
    {ENTRY("%c = const.i64 1\nfor %i = 0 .. 65537 {\nlaunch other(%c) as \"a#\" %i\n}"),
     "the layer lies in [0, 65536]"},
    {ENTRY("%c = const.i64 1\n%r = for %i = 0 .. 3 with %a = %c {\n"
           "launch other(%c) as \"a#\" %a\nyield %a\n}"),
     "the layer lies in [-inf, inf]"},
    {ENTRY("trace \"a.#\", x"), "exactly when the name has a '#'"},
    {ENTRY("for %i = 0 .. 2 {\ntrace \"a\", x, %i\n}"), "exactly when the name has a '#'"},
    {KERNEL("%c = const.i64 0\nready g, %c"), "what is ready is told in the entry"},
    {ENTRY("%c = const.i64 0\nready x, %c"), "parts of an f32 output of literal shape are ready"},
    {ENTRY("%c = const.i64 0\nready gu, %c"), "parts of an f32 output of literal shape are ready"},
    {ENTRY("%c = const.i32 0\nready g, %c"), "the part is one i64"},
    {ENTRY("%c = const.i64 0\nready g, %c, %c"), "the part is one i64"},
    {ENTRY("for %i = 0 .. 4 {\nready g, %i\n}"), "the part lies in [0, 3], must lie in [0, 2]"},
    {ENTRY("trace \"a\", s"), "traces show f32 or i32, and no scratch"},
    {HEAD "kernel k() tasks(%t < U - 2) {\n}\nentry run {\n}\n", "an empty task dimension"},
    {HEAD, "the module has no entry"},
    /* buffers */
    {"module \"m\" target \"aarch64\"\nbuffer t: table i32 [2] range 0 .. 5 = {0, 6}\nentry r {\n}",
     "element 1 is out of its range"},
    {"module \"m\" target \"aarch64\"\nbuffer s: scratch f32 [2]\nentry r {\n}",
     "scratch without a kernel"},
    {"module \"m\" target \"aarch64\"\nbuffer w: weights f32 [2] at 3\nentry r {\n}",
     "is not aligned"},
    {"module \"m\" target \"aarch64\" workspace 64\nbuffer x: workspace f32 [20] at 0\n"
     "entry r {\n}",
     "leaves the workspace"},
    {"module \"m\" target \"aarch64\" scratch -64\nentry r {\n}", "the scratch is negative"},
    {"module \"m\" target \"aarch64\"\nbuffer i: input i32 [2] slot 0 at 64\nentry r {\n}",
     "is planned but has a place"},
};

static void rejects(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        box_t b = box_open();
        module_t *m = parse(&b, wrong[k].text);
        if (!m) fail_msg("does not parse: %s\n%s", wrong[k].text, messages(&b));
        if (loops_verify(m, b.diag)) fail_msg("accepted: %s", wrong[k].text);
        expect_message(&b, wrong[k].message);
        box_close(&b);
    }
}

/* Targets: the same module, which only the wider or better one may have. */
static void rejects_what_the_target_lacks(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(&b, KERNEL("%c = const.f32x8 0\n%d = fma %c, %c, %c"));
    m->target = &targets[T_X86_64];
    assert_false(loops_verify(m, b.diag));
    expect_message(&b, "the target has no fma");
    expect_message(&b, "is wider than the vectors of the target");
    box_close(&b);
}

static const char *const right[] = {
    "%a = irem %t, 64\n%v = load.f32 w[%a]",        /* remainders are in range */
    "%q = idiv %t, 64\n%v = load.f32 w[%q]",        /* U - 1 < 64 */
    "%q = idiv %t, 32*U\n%v = load.f32 w[62 + %q]", /* 0 or 1, whatever U is */
    "%q = idiv %t, U\n%v = load.f32 w[%q]",         /* 64*U - 1 over U: 63 */
    "%i = load.i32 n[%t]\n%c = const.i32 63\n%j = and %i, %c\n%v = load.f32 w[%j]",
    "%i = load.i32 n[%t]\n%l = const.i32 0\n%h = const.i32 63\n%j = max %i, %l\n%k = min %j, %h\n"
    "%v = load.f32 w[%k]",
    "%i = load.i32 n[%t]\n%j = shr %i, 26\n%v = load.f32 w[%j]",
    "%i = load.i32 ids[%t]\n%j = shr %i, 1\n%v = load.f32 w[%j]",
    "%i = load.i32 ids[%t]\n%j = convert.i64 %i\n%v = load.f32 x[%j, 0]", /* 99 < 64*2 + 1 */
    "%a = index.i64 %t + 64*U - 1\n"
    "%b = irem %a, 64*U\n%v = load.f32 x[%b, 0]", /* look-back wraps */
    "%z = const.i64 63\n%o = const.i64 1\n%c = eq %z, %t\n"
    "%s = select %c, %z, %o\n%v = load.f32 w[%s]",
    "%c = const.i32 0\n%z = const.i64 7\n%r = if %c -> i64 {\nyield %p\n} else {\nyield %z\n}\n"
    "%v = load.f32x8 w[7*%r]",
    "for %i = 0 .. 2 {\nfor %j = 0 .. 4 {\n%v = load.f32x8 x[%t, 8*%j]\n"
    "%w = load.f32 w[%i + 31*%i + 8*%j]\n}\n}",
    "for %i = 0 .. 0 {\n%v = load.f32 w[%i]\n}", /* never runs */
    "%m = const.i64 15\n%i = mul %p, %m\n%j = shl %i, 1\n%n = neg %j\n%v = load.f32 w[%n + 63]",
    "%a = index.i64 U*%p\n%v = load.f32 x[%a, 0]",
};

static void proves(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof right / sizeof *right; k++) {
        box_t b = box_open();
        sbuf_t s = {0};
        sbuf_puts(&s, HEAD "kernel k(%p < 3) tasks(%t < 64*U) {\n");
        sbuf_puts(&s, right[k]);
        sbuf_puts(&s, "\n}\nentry run {\n}\n");
        parse_good(&b, s.data);
        sbuf_free(&s);
        box_close(&b);
    }
}

/* What verifying leaves in the layer of a label says how many names there are. */
static void bounds_layers(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(&b, ENTRY("for %i = 0 .. 4 {\n%a = index.i64 2*%i + 1\n"
                                       "launch other(%i) as \"a#.b_1\" %a\n"
                                       "launch other(%i) as \"a.9\"\nlaunch other(%i)\n}"));
    const inst_t *launch = module_entry(m)->body->insts[0]->body->insts[1];
    assert_string_equal(launch->text, "a#.b_1");
    assert_true(launch->operand[0]->bounded);
    assert_int_equal(launch->operand[0]->lo.c, 1);
    assert_int_equal(launch->operand[0]->hi.c, 7);
    box_close(&b);
}

/* No text has these: only a pass that breaks them. */
static void rejects_layers_without_labels(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(&b, ENTRY("%c = const.i64 1\nlaunch other(%c) as \"a#\" %c"));
    inst_t *launch = module_entry(m)->body->insts[1];
    launch->text = NULL;
    assert_false(loops_verify(m, b.diag));
    expect_message(&b, "no operand but the layer of a label");
    launch->text = "a#";
    launch->operand[1] = launch->operand[0];
    launch->n_operands = 2;
    assert_false(loops_verify(m, b.diag));
    assert_int_equal(diag_errors(b.diag), 2);
    box_close(&b);
}

/* Interval rules against brute force: for every op, U and pair of small ranges, each value that can
 * arise lies within the interval that verifying leaves in the result. */
static int64_t run_op(const char *op, int64_t x, int64_t y) {
    static const char *const names[] = {"add", "sub", "mul", "min", "max", "and", "or", "xor"};
    size_t k = 0;
    while (strcmp(names[k], op) != 0) k++;
    const int64_t all[] = {x + y, x - y, x * y, x < y ? x : y, x > y ? x : y, x & y, x | y, x ^ y};
    return all[k];
}

static void intervals_are_sound(void **state) {
    (void)state;
    static const char *const ops[] = {"add", "sub", "mul", "min", "max", "and", "or", "xor"};
    static const int64_t lows[] = {-9, -1, 0, 3}, highs[] = {-1, 0, 5, 17};
    for (size_t o = 0; o < sizeof ops / sizeof *ops; o++)
        for (int c = 0; c < 256; c++) {
            int64_t a = lows[c & 3], bb = highs[c >> 2 & 3], l = lows[c >> 4 & 3],
                    h = highs[c >> 6 & 3];
            if (a > bb || l > h) continue;
            box_t b = box_open();
            sbuf_t s = {0};
            sbuf_printf(&s,
                        "module \"m\" target \"aarch64\"\nkernel k() tasks(%%t < 1) {\n"
                        "for %%x = %lld .. %lld {\nfor %%y = %lld .. %lld {\n%%r = %s %%x, %%y\n"
                        "%%s = sar %%x, 2\n}\n}\n}\nentry run {\n}\n",
                        (long long)a, (long long)bb + 1, (long long)l, (long long)h + 1, ops[o]);
            module_t *m = parse_good(&b, s.data);
            const block_t *inner = m->funcs[0]->body->insts[0]->body->insts[0]->body;
            const value_t *r = inner->insts[0]->result, *q = inner->insts[1]->result;
            for (int64_t x = a; x <= bb; x++)
                for (int64_t y = l; y <= h; y++) {
                    int64_t v = run_op(ops[o], x, y);
                    assert_true(!r->bounded || (r->lo.c <= v && v <= r->hi.c));
                    assert_true(q->bounded && q->lo.c <= x >> 2 && x >> 2 <= q->hi.c);
                }
            sbuf_free(&s);
            box_close(&b);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rejects),
        cmocka_unit_test(rejects_what_the_target_lacks),
        cmocka_unit_test(proves),
        cmocka_unit_test(bounds_layers),
        cmocka_unit_test(rejects_layers_without_labels),
        cmocka_unit_test(intervals_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
