/* The interpreter: computes what ops.def says, and catches each kind of error it exists for. */
#include <math.h>

#include "loops_test.h"
#include "reformer_rt.h"

#define HEAD                                                                                       \
    "module \"m\" target \"x86-64-v3\" units 1 .. 4\n"                                             \
    "buffer ids: input i32 [8*U] slot 0 range 0 .. 7\n"                                            \
    "buffer out: output f32 [8*U] slot 6\n"                                                        \
    "buffer x: workspace f32 [8*U]\n"                                                              \
    "buffer y: workspace f32 [8*U]\n"                                                              \
    "buffer n: workspace i32 [8*U] range 0 .. 9\n"                                                 \
    "buffer s: scratch f32 [8] of k\n"
#define KERNEL(text) HEAD "kernel k() tasks(%t < 8*U) {\n" text "\n}\nentry run {\nlaunch k()\n}\n"

enum { UNITS = 2, ROWS = 8 * UNITS };

typedef struct {
    int32_t ids[ROWS];
    float out[ROWS];
    reformer_call_t call;
} machine_t;

static machine_t *machine(box_t *b) {
    machine_t *c = ARENA_NEW(b->arena, machine_t);
    for (int k = 0; k < ROWS; k++) c->ids[k] = (k * 3) % 8;
    c->call.units = UNITS;
    c->call.slot[REFORMER_SLOT_IDS] = c->ids;
    c->call.slot[REFORMER_SLOT_LOGITS] = c->out;
    return c;
}

static void expect_error(const char *text, const char *part) {
    box_t b = box_open();
    module_t *m = parse_good(&b, text);
    if (loops_interpret(m, &machine(&b)->call, b.diag)) fail_msg("ran: %s", text);
    expect_message(&b, part);
    assert_int_equal(diag_errors(b.diag), 1);
    box_close(&b);
}

static void catches_reads_of_nothing(void **state) {
    (void)state;
    expect_error(KERNEL("%v = load.f32 x[%t]\nstore out[%t], %v"), "the memory was never written");
    expect_error(KERNEL("%v = load.f32 s[0]\nstore out[%t], %v"), "the memory was never written");
    /* scratch of one task says nothing to the next, even on one worker */
    expect_error(KERNEL("%c = const.f32 1\n%z = const.i64 0\n%m = eq %t, %z\nif %m {\n"
                        "store s[0], %c\n} else {\n%v = load.f32 s[0]\n}"),
                 "'s', element 0: the memory was never written");
}

static void catches_races(void **state) {
    (void)state;
    expect_error(KERNEL("%c = const.f32 1\nstore x[3], %c"),
                 "another task of this launch writes it too");
    expect_error(HEAD "kernel fill() tasks(%t < 8*U) {\n%c = const.f32 1\nstore x[%t], %c\n}\n"
                      "kernel k() tasks(%t < 8*U - 1) {\n%v = load.f32 x[%t + 1]\nstore x[%t], %v\n"
                      "}\nentry run {\nlaunch fill()\nlaunch k()\n}\n",
                 "another task of this launch");
    expect_error(HEAD "kernel fill() tasks(%t < 8*U) {\n%c = const.f32 1\nstore x[%t], %c\n}\n"
                      "kernel k() tasks(%t < 8*U) {\n%v = load.f32 x[%t]\n%w = load.f32 x[0]\n"
                      "%u = add %v, %w\nstore x[%t], %u\n"
                      "}\nentry run {\nlaunch fill()\nlaunch k()\n}\n",
                 "another task of this launch");
}

static void catches_ranges(void **state) {
    (void)state;
    expect_error(KERNEL("%c = const.i32 10\nstore n[%t], %c"),
                 "lane 0, 10, is outside of the range 0 .. 9 of 'n'");
    box_t b = box_open();
    module_t *m = parse_good(&b, KERNEL("%i = load.i32 ids[%t]\nstore n[%t], %i"));
    machine_t *c = machine(&b);
    c->ids[5] = 8;
    assert_false(loops_interpret(m, &c->call, b.diag));
    expect_message(&b, "'k' at task 5: %i = load.i32 ids[%t]: lane 0, 8, is outside");
    box_close(&b);
}

/* Bounds that are believed, not proven: nothing of what was verified is trusted. */
static void catches_indices(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m =
        parse_good(&b, KERNEL("%c = const.f32x4 1\nfor %i = 0 .. 2 {\nstore s[4*%i], %c\n}"));
    inst_t *loop = m->funcs[0]->body->insts[1];
    loop->e = dim(3); /* after the proof */
    assert_false(loops_interpret(m, &machine(&b)->call, b.diag));
    expect_message(&b, "index 8 of dimension 0 is outside of 's', which has 8 there");
    box_close(&b);
}

static void catches_values(void **state) {
    (void)state;
    expect_error(KERNEL("%a = const.f32 3e9\n%b = convert.i32 %a\nstore n[%t], %b"),
                 "does not fit");
    expect_error(KERNEL("%a = const.f32 nan\n%b = convert.i32 %a\nstore n[%t], %b"),
                 "does not fit");
    expect_error(KERNEL("%m = const.i32 2\n%a = const.f32 1\n%b = select %m, %a, %a\n"
                        "store x[%t], %b"),
                 "lane 0 of the mask is 2, not 0 or -1");
}

static void catches_what_is_not_bound(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(&b, KERNEL("%c = const.f32 1\nstore out[%t], %c"));
    machine_t *c = machine(&b);
    c->call.slot[REFORMER_SLOT_LOGITS] = NULL;
    assert_false(loops_interpret(m, &c->call, b.diag));
    expect_message(&b, "the buffer is not bound in this call");
    c->call.units = 5;
    assert_false(loops_interpret(m, &c->call, b.diag));
    expect_message(&b, "length of 5 units, the module is for 1 .. 4");
    box_close(&b);
}

/* A plan that lets two buffers share a place while both are needed. */
static void catches_bad_plans(void **state) {
    (void)state;
    static const char *const text =
        "module \"m\" target \"x86-64-v3\" workspace 64\n"
        "buffer out: output f32 [1] slot 6\n"
        "buffer x: workspace f32 [16] at 0\nbuffer y: workspace f32 [16] at 0\n"
        "kernel a() tasks(%t < 16) {\n%c = const.f32 1\nstore x[%t], %c\n}\n"
        "kernel b() tasks(%t < 16) {\n%c = const.f32 2\nstore y[%t], %c\n}\n"
        "kernel c() tasks(%t < 1) {\n%v = load.f32 x[5]\nstore out[0], %v\n}\n"
        "entry run {\nlaunch a()\nlaunch b()\nlaunch c()\n}\n";
    box_t b = box_open();
    module_t *m = parse_good(&b, text);
    machine_t *c = machine(&b);
    c->call.units = 0;
    assert_false(loops_interpret(m, &c->call, b.diag));
    expect_message(&b, "'x', element 5: the memory was last written through 'y'");
    pass_plan_memory(m);
    assert_true(loops_interpret(m, &c->call, b.diag));
    box_close(&b);
}

/* ---- what it computes ------------------------------------------------------------------------ */

/* One op over vectors of eight, read off the output of eight lanes. */
static void expect_lanes(const char *body, const float *want) {
    box_t b = box_open();
    sbuf_t s = {0};
    sbuf_puts(&s, "module \"m\" target \"x86-64-v3\"\nbuffer out: output f32 [8] slot 6\n"
                  "kernel k() tasks(%t < 1) {\n");
    sbuf_puts(&s, body);
    sbuf_puts(&s, "\nstore out[0], %r\n}\nentry run {\nlaunch k()\n}\n");
    module_t *m = parse_good(&b, s.data);
    machine_t *c = machine(&b);
    c->call.units = 0;
    if (!loops_interpret(m, &c->call, b.diag)) fail_msg("%s", messages(&b));
    for (int k = 0; k < 8; k++)
        if (memcmp(&c->out[k], &want[k], sizeof *want) != 0)
            fail_msg("lane %d is %.9g, not %.9g:\n%s", k, (double)c->out[k], (double)want[k], body);
    sbuf_free(&s);
    box_close(&b);
}

static void all(const char *body, float x) {
    float want[8];
    for (int k = 0; k < 8; k++) want[k] = x;
    expect_lanes(body, want);
}

#define XY(x, y) "%x = const.f32x8 " x "\n%y = const.f32x8 " y "\n"

static void computes(void **state) {
    (void)state;
    /* 1 + 2^-23 squared: the fma keeps the 2^-46 that the product alone rounds away */
    float e = 1.0f + 0x1p-23f;
    all(XY("1.00000012", "-1.00000024") "%r = fma %x, %x, %y", fmaf(e, e, -1.00000024f));
    assert_true(fmaf(e, e, -1.00000024f) == 0x1p-46f);
    all(XY("1.00000012", "-1.00000024") "%p = mul %x, %x\n%r = add %p, %y", 0.0f);
    all(XY("nan", "3") "%r = max %x, %y", 3.0f); /* NaN in either gives the second */
    all(XY("nan", "3") "%r = min %x, %y", 3.0f);
    all(XY("0", "-0") "%r = max %x, %y", -0.0f);
    all(XY("2", "3") "%r = div %x, %y", 2.0f / 3.0f);
    all(XY("2", "3") "%r = sqrt %x", sqrtf(2.0f));
    all(XY("nan", "3") "%m = ne %x, %y\n%r = select %m, %x, %y\n%r2 = convert.i32x8 %y\n"
                       "%q = bitcast.i32x8 %r\n%z = const.i32x8 4194304\n%o = and %q, %z\n"
                       "%r3 = convert.f32x8 %o\n%r4 = sub %r3, %r3",
        NAN);
    all("%i = const.i32x8 -7\n%j = shr %i, 28\n%r = convert.f32x8 %j", 15.0f);
    all("%i = const.i32x8 -7\n%j = sar %i, 1\n%r = convert.f32x8 %j", -4.0f);
    all("%i = const.i32x8 2147483647\n%j = add %i, %i\n%r = convert.f32x8 %j", -2.0f);
    all("%i = const.i32x8 -1\n%j = mulhi %i, %i\n%r = convert.f32x8 %j", -2.0f); /* no signs */
    all("%i = const.i32x8 65536\n%k = const.i32x8 -2147483648\n%j = mulhi %i, %k\n"
        "%r = convert.f32x8 %j",
        32768.0f);
    all("%i = const.i64 16777217\n%s = convert.f32 %i\n%r = broadcast.f32x8 %s", 16777216.0f);
    all("%b = const.f32 1.00390625\n%c = convert.bf16 %b\n%s = convert.f32 %c\n"
        "%r = broadcast.f32x8 %s",
        1.0f); /* a tie goes to even */
    all("%i = index.i64 100\n%q = idiv %i, 7\n%m = irem %i, 7\n%w = index.i64 10*%q + %m\n"
        "%s = convert.f32 %w\n%r = broadcast.f32x8 %s",
        142.0f);
    all("%z = const.f32 1\n%o = const.f32 1\n%a, %b = for %i = 0 .. 10 with %p = %z, %q = %o {\n"
        "%n = add %p, %q\nyield %q, %n\n}\n%r = broadcast.f32x8 %a",
        89.0f); /* Fibonacci: both are passed at once */
}

static void shuffles(void **state) {
    (void)state;
    static const float want[8] = {0, 8, 1, 9, 2, 10, 15, 7};
    expect_lanes("%z = const.f32x8 0\n%s = convert.f32 %t\n%x.1 = const.f32 1\n"
                 "for %i = 0 .. 8 {\n%v = convert.f32 %i\nstore out[%i], %v\n}\n"
                 "%x = load.f32x8 out[0]\n%c = const.f32x8 8\n%y = add %x, %c\n"
                 "%r = shuffle %x, %y, {0, 8, 1, 9, 2, 10, 15, 7}",
                 want);
}

/* Tasks run in another order than their numbers, each once; calls and traces reach outside. */
typedef struct {
    int n;
    char names[8][32];
    int64_t shape;
} heard_t;

static void hear(void *ctx, const char *name, const void *data, int dtype, const int64_t *shape,
                 int rank) {
    heard_t *h = ctx;
    assert_non_null(data);
    assert_int_equal(dtype, REFORMER_F32);
    assert_int_equal(rank, 1);
    h->shape = shape[0];
    snprintf(h->names[h->n++], sizeof h->names[0], "%s", name);
}

static void traces(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(
        &b, HEAD "kernel k() tasks(%t < 8*U) {\n%f = convert.f32 %t\nstore x[%t], %f\n"
                 "store out[%t], %f\n}\n"
                 "entry run {\nfor %l = 0 .. 3 {\nlaunch k()\ntrace \"layers.#.y\", x, %l\n}\n"
                 "trace \"end\", out\n}\n");
    machine_t *c = machine(&b);
    heard_t h = {0};
    c->call.trace = hear;
    c->call.trace_ctx = &h;
    assert_true(loops_interpret(m, &c->call, b.diag));
    assert_int_equal(h.n, 4);
    assert_string_equal(h.names[1], "layers.1.y");
    assert_string_equal(h.names[3], "end");
    assert_int_equal(h.shape, ROWS);
    for (int k = 0; k < ROWS; k++) assert_true(c->out[k] == (float)k);
    box_close(&b);
}

/* Parts of an output, by their floats in the slot's memory, each behind the launch that is done with it. */
typedef struct {
    const float *out;
    size_t first[3], floats[3];
    float last[3];
    int n;
} parts_t;

static void take_part(void *ctx, size_t first, size_t floats) {
    parts_t *p = ctx;
    p->first[p->n] = first;
    p->floats[p->n] = floats;
    p->last[p->n++] = p->out[first + floats - 1];
}

static void tells_what_is_ready(void **state) {
    (void)state;
    box_t b = box_open();
    module_t *m = parse_good(
        &b, "module \"m\" target \"x86-64-v3\"\n"
            "buffer g: output f32 [3, 2] slot 6 at 64\n"
            "kernel k(%p < 3) tasks(%t < 2) {\n%f = convert.f32 %p\nstore g[%p, %t], %f\n}\n"
            "entry run {\nfor %l = 0 .. 3 {\n%i = index.i64 2 - %l\nlaunch k(%i)\n"
            "ready g, %i\n}\n}\n");
    float out[16 + 6] = {0};
    reformer_call_t call = {0};
    call.slot[REFORMER_SLOT_LOGITS] = out;
    assert_true(loops_interpret(m, &call, b.diag)); /* nobody listens */
    memset(out, 0, sizeof out);
    parts_t p = {.out = out};
    call.ready = take_part;
    call.ready_ctx = &p;
    assert_true(loops_interpret(m, &call, b.diag));
    assert_int_equal(p.n, 3);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(p.first[k], 16 + 2 * (2 - k));
        assert_int_equal(p.floats[k], 2);
        assert_true(p.last[k] == (float)(2 - k));
    }
    box_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(catches_reads_of_nothing),
        cmocka_unit_test(catches_races),
        cmocka_unit_test(catches_ranges),
        cmocka_unit_test(catches_indices),
        cmocka_unit_test(catches_values),
        cmocka_unit_test(catches_what_is_not_bound),
        cmocka_unit_test(catches_bad_plans),
        cmocka_unit_test(computes),
        cmocka_unit_test(shuffles),
        cmocka_unit_test(traces),
        cmocka_unit_test(tells_what_is_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
