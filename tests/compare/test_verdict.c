/* The core of `reformerc verify`: comparison, near-ties, verdicts, bisection.
 *
 * The rules on results made by hand; then real models in which one kernel of the loops is broken on
 * purpose, one side's or every side's: the verdict must name the layer, the tensor and the culprit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "compare/verdict.h"

/* ---- results made by hand -------------------------------------------------------------------------- */

static diag_t *diag;

static result_t *put(results_t *r, const char *name, int dtype, int rank, const int64_t *shape,
                     const void *data) {
    result_t *t = results_add(r, name, dtype, rank, shape, diag);
    assert_non_null(t);
    memcpy(t->data, data, t->bytes);
    return t;
}

static difference_t compare_floats(float want, float got) {
    results_t r = {0};
    int64_t one = 1;
    put(&r, "want", REFORMER_F32, 1, &one, &want);
    put(&r, "got", REFORMER_F32, 1, &one, &got);
    difference_t x = compare_tensors(&r.items[0], &r.items[1]);
    results_free(&r);
    return x;
}

static bool allowed(float want, float got, const char *tensor) {
    difference_t x = compare_floats(want, got);
    return difference_allowed(&x, tensor);
}

static void floats_have_a_tolerance(void **state) {
    (void)state;
    assert_true(allowed(0, 1.99e-5F, "logits"));
    assert_false(allowed(0, 2.01e-5F, "logits"));
    assert_true(allowed(0.5F, 0.5F + 1.9e-5F, "logits")); /* of 1 at least */
    assert_true(allowed(-100, -100 + 1.9e-3F, "logits"));
    assert_false(allowed(-100, -100 + 2.1e-3F, "logits"));
    assert_true(allowed(0, 0.99e-5F, "loss"));
    assert_false(allowed(0, 1.01e-5F, "loss"));
    assert_true(allowed(4, 4 + 3.9e-5F, "loss"));
}

/* What is small, as gradients are, is held to its own size, down to what the reference says. */
static void small_tensors_have_a_size(void **state) {
    (void)state;
    results_t r = {0};
    int64_t one = 1;
    float want = 1e-2F, near = 1.00001e-2F, far = 1.0003e-2F;
    put(&r, "want", REFORMER_F32, 1, &one, &want)->min = 1e-3;
    put(&r, "near", REFORMER_F32, 1, &one, &near);
    put(&r, "far", REFORMER_F32, 1, &one, &far);
    difference_t x = compare_tensors(&r.items[0], &r.items[1]);
    assert_true(difference_allowed(&x, "gradient") && difference_relative(&x) > 0.9e-5);
    x = compare_tensors(&r.items[0], &r.items[2]);
    assert_false(difference_allowed(&x, "gradient"));
    r.items[0].min = 1;
    x = compare_tensors(&r.items[0], &r.items[2]);
    assert_true(difference_allowed(&x, "gradient"));
    results_free(&r);
}

/* One element may be off by more than all of them together. */
static void the_mean_is_judged_where_it_says(void **state) {
    (void)state;
    float a[64] = {0}, b[64] = {0};
    int64_t n = 64;
    results_t r = {0};
    b[3] = 4e-3F;
    for (int k = 0; k < 2; k++) {
        results_free(&r);
        put(&r, "got", REFORMER_F32, 1, &n, b);
        result_t *want = put(&r, "want", REFORMER_F32, 1, &n, a);
        want->rounding = 5e-3;
        want->mean = 1e-3;
        difference_t x = compare_tensors(want, results_find(&r, "got"));
        assert_true(difference_allowed(&x, "logits") == (k == 0));
        want->mean = 0;
        x = compare_tensors(want, results_find(&r, "got"));
        assert_true(difference_allowed(&x, "logits"));
        for (int i = 0; i < n; i++) b[i] = 2e-3F;
    }
    results_free(&r);
}

/* All elements off by a little, which no factor on the other side does: neither the largest nor the mean says so. */
static void many_are_judged_where_it_says(void **state) {
    (void)state;
    enum { N = 64, OFF = 24 };
    float want[N] = {0}, got[N] = {0};
    int64_t n = N;
    for (int i = 0; i < OFF; i++) got[i] = 1e-4F;
    for (int more = 0; more < 2; more++) {
        results_t r = {0};
        result_t *t = put(&r, "want", REFORMER_F32, 1, &n, want);
        t->rounding = t->mean = 5e-3;
        t->many = (OFF + 0.5) / N;
        if (more) got[OFF] = 1e-4F;
        put(&r, "got", REFORMER_F32, 1, &n, got);
        difference_t x = compare_tensors(&r.items[0], &r.items[1]);
        assert_true(difference_allowed(&x, "logits") == !more);
        r.items[0].many = 0;
        x = compare_tensors(&r.items[0], &r.items[1]);
        assert_true(difference_allowed(&x, "logits"));
        results_free(&r);
    }
}

/* Beyond the tolerance, where the reference says that showing a value rounds it. */
static void rounding_is_allowed_besides(void **state) {
    (void)state;
    difference_t x = compare_floats(-100, -100 + 3e-3F);
    assert_false(difference_allowed(&x, "logits"));
    x.rounding = 1.1e-3;
    assert_true(difference_allowed(&x, "logits") && difference_share(&x, "logits") > 0.9);
    x.rounding = 0.9e-3;
    assert_false(difference_allowed(&x, "logits"));
    results_t r = {0};
    int64_t one = 1;
    float value = 1;
    put(&r, "want", REFORMER_F32, 1, &one, &value)->rounding = 0.5;
    assert_true(compare_tensors(&r.items[0], &r.items[0]).rounding == 0.5);
    results_free(&r);
}

static void what_is_no_number_differs_from_all_else(void **state) {
    (void)state;
    assert_true(allowed(NAN, NAN, "logits"));
    assert_true(allowed(INFINITY, INFINITY, "logits"));
    assert_false(allowed(NAN, 0, "logits"));
    assert_false(allowed(0, NAN, "logits"));
    assert_false(allowed(INFINITY, -INFINITY, "logits"));
    assert_false(allowed(INFINITY, 3, "logits"));
    assert_false(allowed(3, -INFINITY, "logits"));
    difference_t x = compare_floats(0.0F, -0.0F);
    assert_true(difference_allowed(&x, "logits") && !difference_none(&x));
    assert_int_equal(x.different, 1);
}

static void the_largest_difference_is_found(void **state) {
    (void)state;
    results_t r = {0};
    int64_t shape[] = {2, 3}, larger[] = {3, 4};
    float want[] = {1, 2, 3, 4, -8, 6}, got[] = {1, 2.5F, 3, 4, -8, 5};
    float padded[] = {1, 2.5F, 3, 99, 4, -8, 5, 99, 99, 99, 99, 99};
    put(&r, "want", REFORMER_F32, 2, shape, want);
    put(&r, "got", REFORMER_F32, 2, shape, got);
    put(&r, "padded", REFORMER_F32, 2, larger, padded);
    for (int i = 1; i < 3; i++) {
        difference_t x = compare_tensors(&r.items[0], &r.items[i]);
        assert_true(x.comparable);
        assert_true(x.absolute == 1 && x.magnitude == 8 && x.want == 6 && x.got == 5);
        assert_int_equal(x.at, 5);
        assert_int_equal(x.different, 2);
        assert_true(difference_relative(&x) == 1.0 / 8);
    }
    difference_t cut = compare_tensors(&r.items[2], &r.items[0]);
    difference_t missing = compare_tensors(&r.items[0], NULL);
    assert_false(cut.comparable || missing.comparable);
    assert_false(difference_allowed(&missing, "want") || difference_none(&missing));
    assert_true(isinf(difference_relative(&cut)));
    results_free(&r);
}

static void integers_are_equal_or_not(void **state) {
    (void)state;
    results_t r = {0};
    int64_t n = 3;
    int32_t want[] = {100000, 5, 7}, got[] = {100000, 6, 9};
    put(&r, "layers.0.buckets", REFORMER_I32, 1, &n, want);
    put(&r, "other", REFORMER_I32, 1, &n, got);
    put(&r, "floats", REFORMER_F32, 1, &n, want);
    difference_t x = compare_tensors(&r.items[0], &r.items[1]);
    assert_false(difference_allowed(&x, "layers.0.buckets"));
    assert_int_equal(x.at, 1); /* the first, not the largest */
    assert_int_equal(x.different, 2);
    x = compare_tensors(&r.items[0], &r.items[2]);
    assert_false(x.comparable); /* the same bits of another type */
    results_free(&r);
}

static void names_of_tensors(void **state) {
    (void)state;
    static const char *const none[] = {"layers.x.y1", "layers.-5.y1",          "layers. 5.y1",
                                       "layers.12",   "layers.99999999999.y1", "embeddings"};
    const char *behind;
    assert_int_equal(layer_of_name("layers.12.y1", &behind), 12);
    assert_string_equal(behind, "y1");
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(layer_of_name(none[i], NULL), -1);
    assert_true(is_activation("embeddings") && is_activation("layers.0.y1") &&
                !is_activation("logits"));
}

/* ---- verdicts on them ------------------------------------------------------------------------------- */

enum { REFERENCE, INTERPRETER, JIT, GCC, SIDES };

typedef struct {
    side_t side[SIDES];
    const side_t *all[SIDES];
} table_t;

static const char *const tensor_names[] = {"embeddings", "layers.0.y1", "layers.1.y1", "logits"};
enum { TENSORS = 4 };

/* Everybody agrees; builds by other bits than the reference. */
static table_t agreement(void) {
    static const side_t heads[SIDES] = {{.label = "reference", .backend = BACKEND_REFERENCE},
                                        {.label = "interpreter", .backend = BACKEND_INTERPRETER},
                                        {.label = "jit", .backend = BACKEND_JIT},
                                        {.label = "c (gcc)", .backend = BACKEND_C}};
    table_t t;
    int64_t shape[] = {1, 2};
    for (int s = 0; s < SIDES; s++) {
        t.side[s] = heads[s];
        float x[] = {0.5F, s == REFERENCE ? 0.25F : 0.25F + 1e-6F};
        for (int i = 0; i < TENSORS; i++)
            put(&t.side[s].hashed, tensor_names[i], REFORMER_F32, 2, shape, x);
        if (s != REFERENCE) put(&t.side[s].untraced, "logits", REFORMER_F32, 2, shape, x);
    }
    return t;
}

static void spoil(results_t *r, const char *tensor, float by) {
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->items[i].name, tensor) == 0) ((float *)r->items[i].data)[1] += by;
}

static verdict_t judge(table_t *t, int first, int n) {
    for (int s = 0; s < SIDES; s++) t->all[s] = &t->side[s];
    return verdict_of(t->all + first, n);
}

static void release(table_t *t) {
    for (int s = 0; s < SIDES; s++) side_free(&t->side[s]);
}

/* The printed report, in which `line` must stand. */
static void prints(const verdict_t *v, const bisection_t *b, const char *line) {
    const layer_facts_t layers[] = {{true, false, 1, 1, 8}, {true, true, 1, 1, 8}};
    facts_t facts = {.n_layers = 2, .layers = layers};
    sbuf_t out = {0};
    verdict_print(v, &facts, b, &out);
    if (!strstr(out.data, line)) fail_msg("no \"%s\" in\n%s", line, out.data);
    sbuf_free(&out);
}

static void agreement_is_no_departure(void **state) {
    (void)state;
    table_t t = agreement();
    verdict_t v = judge(&t, 0, SIDES);
    assert_int_equal(v.n_departures, 0);
    assert_ptr_equal(verdict_model(&v), &t.side[INTERPRETER]);
    prints(&v, NULL,
           "agree: 4 tensors of reference, interpreter, jit and c (gcc), all but the "
           "reference to the bit");
    v = judge(&t, JIT, 2); /* without a reference: bits alone */
    assert_int_equal(v.n_departures, 0);
    assert_ptr_equal(verdict_model(&v), &t.side[JIT]);
    prints(&v, NULL, "agree: 4 tensors of jit and c (gcc), to the bit");
    release(&t);
}

static void a_build_alone_is_at_fault(void **state) {
    (void)state;
    table_t t = agreement();
    spoil(&t.side[JIT].hashed, "layers.1.y1", 1e-3F);
    verdict_t v = judge(&t, 0, SIDES);
    assert_int_equal(v.n_departures, 2);
    const departure_t *d = &v.departure[0];
    assert_string_equal(d->tensor, "layers.1.y1");
    assert_true(d->rule == RULE_REFERENCE && d->side == &t.side[JIT]);
    assert_int_equal(verdict_cause(&v, d), CAUSE_BACK_END);
    prints(&v, NULL,
           "first departure: layer 1 (lsh), layers.1.y1, back end jit: 1.0e-03 of "
           "magnitude 0.5 at [0, 1]: ");
    prints(&v, NULL, "\ncause: back end jit: ");
    release(&t);
}

static void one_bit_is_reported(void **state) {
    (void)state;
    table_t t = agreement();
    spoil(&t.side[GCC].hashed, "layers.0.y1", 3e-8F);
    verdict_t v = judge(&t, 0, SIDES);
    assert_int_equal(v.n_departures, 1);
    assert_int_equal(v.departure[0].rule, RULE_BITS);
    assert_ptr_equal(v.departure[0].side, &t.side[GCC]);
    prints(&v, NULL, "~ allowed, but other bits than interpreter");
    v = judge(&t, JIT, 2);
    assert_int_equal(v.n_departures, 1);
    assert_int_equal(verdict_cause(&v, &v.departure[0]), CAUSE_UNKNOWN);
    prints(&v, NULL, "first departure: layer 0 (local), layers.0.y1, back end c (gcc): 3.0e-08");
    release(&t);
}

static void all_builds_alike_blame_the_loops(void **state) {
    (void)state;
    table_t t = agreement();
    for (int s = INTERPRETER; s < SIDES; s++) {
        spoil(&t.side[s].hashed, "layers.0.y1", 0.1F);
        spoil(&t.side[s].hashed, "logits", 0.1F);
        spoil(&t.side[s].untraced, "logits", 0.1F);
    }
    verdict_t v = judge(&t, 0, SIDES);
    assert_int_equal(v.n_departures, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(v.departure[i].tensor, "layers.0.y1");
        assert_int_equal(verdict_cause(&v, &v.departure[i]), CAUSE_LOOPS);
    }
    prints(&v, NULL, "cause: lowering or a pass");
    prints(&v, &(bisection_t){true, "cse"}, "cause: pass cse: ");
    prints(&v, &(bisection_t){true, ""}, "cause: lowering, or float32 itself");
    const side_t *few[] = {&t.side[REFERENCE], &t.side[JIT]}; /* nobody knows */
    v = verdict_of(few, 2);
    assert_int_equal(v.n_departures, 1);
    assert_int_equal(verdict_cause(&v, &v.departure[0]), CAUSE_UNKNOWN);
    release(&t);
}

static void untraced_code_is_code_of_its_own(void **state) {
    (void)state;
    table_t t = agreement();
    spoil(&t.side[JIT].untraced, "logits", 1e-7F);
    verdict_t v = judge(&t, 0, SIDES);
    assert_int_equal(v.n_departures, 1);
    assert_int_equal(v.departure[0].rule, RULE_UNTRACED);
    assert_int_equal(verdict_cause(&v, &v.departure[0]), CAUSE_BACK_END);
    prints(&v, NULL, "first departure: untraced logits, back end jit: 8.9e-08 of magnitude 0.5");
    spoil(&t.side[INTERPRETER].untraced, "logits", 1e-7F);
    v = judge(&t, 0, SIDES);
    assert_int_equal(v.n_departures, 2);
    assert_int_equal(verdict_cause(&v, &v.departure[1]), CAUSE_LOOPS);
    release(&t);
}

static void the_first_tensor_comes_first(void **state) {
    (void)state;
    table_t t = agreement();
    spoil(&t.side[INTERPRETER].hashed, "logits", 1);
    spoil(&t.side[GCC].hashed, "embeddings", 1);
    spoil(&t.side[JIT].hashed, "layers.1.y1", 1);
    verdict_t v = judge(&t, 0, SIDES);
    assert_ptr_equal(v.departure[0].side, &t.side[GCC]);
    prints(&v, NULL, "first departure: embeddings, back end c (gcc): ");
    prints(&v, NULL, "\nalso departs:    layer 1 (lsh), layers.1.y1, back end jit: ");
    prints(&v, NULL, "\nalso departs:    logits, back end interpreter: ");
    release(&t);
}

static void a_missing_tensor_departs(void **state) {
    (void)state;
    table_t t = agreement();
    t.side[JIT].hashed.items[2].name[9] = 'z';
    verdict_t v = judge(&t, 0, SIDES);
    assert_string_equal(v.departure[0].tensor, "layers.1.y1");
    prints(&v, NULL, "layers.1.y1, back end jit: missing, or of another shape");
    release(&t);
}

/* ---- bisection ---------------------------------------------------------------------------------------- */

typedef struct {
    const char *from; /* the first prefix that departs */
    bool departs;
    int tried;
} fake_t;

static prefix_t try_fake(void *ctx, const char *stop_after) {
    fake_t *f = ctx;
    f->tried++;
    f->departs |= strcmp(f->from, stop_after) == 0;
    return f->departs ? PREFIX_DEPARTS : PREFIX_AGREES;
}

static prefix_t fail_at_once(void *ctx, const char *stop_after) {
    (void)ctx, (void)stop_after;
    return PREFIX_FAILED;
}

static void bisection_finds_the_pass(void **state) {
    (void)state;
    for (int i = -1; i == -1 || loops_pass_name(i); i++) {
        fake_t f = {.from = i < 0 ? "" : loops_pass_name(i)};
        bisection_t b = bisect_passes(try_fake, &f);
        assert_true(b.found);
        assert_string_equal(b.pass, f.from);
        assert_int_equal(f.tried, i + 2);
    }
    fake_t none = {.from = "no pass"};
    assert_false(bisect_passes(try_fake, &none).found);
    assert_false(bisect_passes(fail_at_once, NULL).found);
}

/* ---- broken loops --------------------------------------------------------------------------------------- */

static const char model[] = "attn_layers: [local, lsh, local, lsh]\n"
                            "architectures: [ReformerModelWithLMHead]\nis_decoder: true\n"
                            "hidden_size: 16\nnum_attention_heads: 2\nattention_head_size: 8\n"
                            "feed_forward_size: 24\nvocab_size: 32\nhash_seed: 3\n"
                            "axial_pos_shape: [4, 8]\naxial_pos_embds_dim: [8, 8]\n"
                            "max_position_embeddings: 32\nnum_hashes: 2\nnum_buckets: 4\n"
                            "local_attn_chunk_length: 4\nlsh_attn_chunk_length: 4\n"
                            "initializer_range: 0.3\n";

typedef struct {
    arena_t *arena;
    loaded_model_t m;
    spec_t *spec; /* the model's */
    inputs_t in;
    plan_t *plan; /* as it should be */
    store_t *store;
    trial_t trial;
    exec_t *oracle;
    side_t reference;
} bench_t;

/* Buckets are shown as layers.N.…; NULL: as a spec's are. */
static const char *buckets_name;

static void rename_buckets(const bench_t *b, const graph_t *g) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == G_LSH_HASH)
            g->nodes[i]->trace =
                arena_printf(b->arena, "layers.%d.%s", g->nodes[i]->layer, buckets_name);
}

static plan_t *plan_of(bench_t *b) {
    plan_options_t o = {
        .name = "model",
        .exact_length = b->in.length,
        .exact_batch = b->in.batch,
        .n_targets = 1,
        .targets = {&targets[reformer_cpu_supports(REFORMER_CPU_AARCH64) ? T_AARCH64 : T_X86_64]},
        .trace = true,
        .impose_buckets = true};
    plan_t *p = plan_make(b->arena, b->spec, &o, diag);
    assert_non_null(p);
    if (buckets_name) rename_buckets(b, p->variants[0].graph);
    return p;
}

static bench_t bench_open_as(const char *dtype, const char *rotations) {
    bench_t b = {.arena = arena_new()};
    setting_t of = {.key = "compile.dtype", .value = dtype};
    assert_true(model_parse(b.arena, &b.m, "model.yaml", model, strlen(model), &of, 1, diag));
    assert_true(model_resolve(b.arena, &b.m, false, false, false, diag));
    b.spec = b.m.spec;
    assert_true(inputs_random(&b.in, b.arena, &b.m, "random:4", 0, diag));
    assert_int_equal(b.in.length, 32);
    b.plan = plan_of(&b);
    store_options_t so = {.path = "random:5", .rotations_path = rotations};
    b.store = store_load(b.plan->variants[0].graph, &so, diag);
    b.oracle = exec_open(b.plan, b.store, &(exec_options_t){.backend = BACKEND_REFERENCE}, diag);
    assert_true(b.store && b.oracle);
    b.reference = (side_t){.label = "reference", .backend = BACKEND_REFERENCE};
    return b;
}

static bench_t bench_open(const char *rotations) {
    return bench_open_as("float32", rotations);
}

/* The bench stays where it is from here on. */
static void bench_start(bench_t *b) {
    b->trial = (trial_t){.plan = b->plan, .inputs = &b->in, .threads = 1, .d = diag};
    assert_true(side_run(&b->trial, &b->reference, b->oracle, NULL, NULL));
}

static void bench_close(bench_t *b) {
    side_free(&b->reference);
    exec_close(b->oracle);
    store_free(b->store);
    arena_free(b->arena);
}

/* Where floats are added or multiplied for the *skip-th time, counted down, they are subtracted or
 * added. */
static bool break_block(block_t *block, int *skip) {
    for (size_t i = 0; block && i < block->n; i++) {
        inst_t *x = block->insts[i];
        bool fits = (x->op == OP_ADD || x->op == OP_MUL) && elem_is_float(x->result->type.elem);
        if (fits && (*skip)-- == 0) {
            x->op = x->op == OP_ADD ? OP_SUB : OP_ADD;
            return true;
        }
        if (break_block(x->body, skip) || break_block(x->otherwise, skip)) return true;
    }
    return false;
}

/* `kernel`: "NAME", or "NAME+N" for its N-th place instead of the first, from 0. */
static void break_kernel(const plan_t *p, const char *kernel) {
    char name[64] = {0};
    size_t n = strcspn(kernel, "+");
    memcpy(name, kernel, n);
    int skip = kernel[n] ? atoi(kernel + n + 1) : 0;
    lfunc_t *f = module_find_func(p->modules[0], name);
    if (!f || !break_block(f->body, &skip)) fail_msg("nothing to break in kernel %s", kernel);
    assert_true(loops_verify(p->modules[0], diag));
}

static plan_t *broken_plan(bench_t *b, const char *kernel) {
    plan_t *p = plan_of(b);
    assert_true(plan_lower(p, &(pass_options_t){.verify_each = true}, diag));
    if (kernel) break_kernel(p, kernel);
    return p;
}

static side_t run_broken(bench_t *b, backend_t backend, const char *kernel) {
    side_t s = {.label = backend_names[backend], .backend = backend};
    exec_options_t o = {.backend = backend};
    exec_t *e = exec_open(broken_plan(b, kernel), b->store, &o, diag);
    assert_non_null(e);
    assert_true(side_run(&b->trial, &s, e, &b->reference, b->oracle));
    exec_close(e);
    return s;
}

static void find_broken_kernels(const char *dtype) {
    static const struct {
        const char *kernel, *tensor;
    } faults[] = {{"embed", "embeddings"},
                  {"local_project", "layers.0.self_attention"},
                  {"local_attention", "layers.0.self_attention"},
                  {"local_output", "layers.0.attention"},
                  {"feed_forward", "layers.0.feed_forward"},
                  {"lsh_hash", "layers.1.buckets"},
                  {"lsh_attention+1", "layers.1.self_attention"},
                  {"lsh_output", "layers.1.self_attention"},
                  {"lm_head", "last_hidden_state"},
                  {"lm_loss", "loss"}};
    bench_t b = bench_open_as(dtype, NULL);
    bench_start(&b);
    side_t good = run_broken(&b, BACKEND_INTERPRETER, NULL);
    const side_t *right[] = {&b.reference, &good};
    assert_int_equal(verdict_of(right, 2).n_departures, 0);
    side_free(&good);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        side_t s = run_broken(&b, BACKEND_INTERPRETER, faults[i].kernel);
        const side_t *both[] = {&b.reference, &s};
        verdict_t v = verdict_of(both, 2);
        if (v.n_departures == 0) fail_msg("%s: a broken kernel, and all agree", faults[i].kernel);
        if (strcmp(v.departure[0].tensor, faults[i].tensor) != 0)
            fail_msg("%s: %s departs first, not %s", faults[i].kernel, v.departure[0].tensor,
                     faults[i].tensor);
        assert_int_equal(verdict_cause(&v, &v.departure[0]), CAUSE_LOOPS);
        assert_int_equal(s.near_ties, 0);
        side_free(&s);
    }
    bench_close(&b);
}

static void a_broken_kernel_is_found(void **state) {
    (void)state;
    find_broken_kernels("float32");
}

static void a_broken_kernel_of_bfloat16_is_found(void **state) {
    (void)state;
    find_broken_kernels("bfloat16");
}

/* A value of the first attention may be off by what a factor on the other side does; all of them may not, and none of what
 * is made of it. */
static void roundings_are_allowed_where_they_are(void **state) {
    (void)state;
    bench_t b = bench_open_as("bfloat16", NULL);
    bench_start(&b);
    side_t s = run_broken(&b, BACKEND_INTERPRETER, NULL);
    const side_t *both[] = {&b.reference, &s};
    const result_t *want = results_find(&s.led, "layers.0.self_attention");
    assert_true(want->rounding > 0 && want->mean > 0 && want->many > 0.25);
    assert_true(results_find(&s.led, "layers.0.attention")->mean == 0);
    assert_true(results_find(&s.led, "layers.0.y1")->rounding == 0);
    assert_true(results_find(&s.led, "logits")->rounding == 0);
    float size = (float)fmax(1, compare_tensors(want, want).magnitude);
    result_t *got = (result_t *)(uintptr_t)results_find(&s.hashed, "layers.0.self_attention");
    float *x = got->data;
    x[5] += 4e-3F * size;
    assert_int_equal(verdict_of(both, 2).n_departures, 0);
    x[5] += 8e-3F * size;
    assert_int_equal(verdict_of(both, 2).n_departures, 1);
    x[5] -= 12e-3F * size;
    for (int64_t i = 0; i < result_elements(got); i++) x[i] += 1e-3F * size;
    verdict_t v = verdict_of(both, 2);
    assert_int_equal(v.n_departures, 1);
    assert_string_equal(v.departure[0].tensor, "layers.0.self_attention");
    side_free(&s);
    bench_close(&b);
}

/* The interpreter's loops are right, the C compiler gets broken ones: a back end's fault. */
static void a_back_end_is_told_from_the_loops(void **state) {
    (void)state;
    bench_t b = bench_open(NULL);
    bench_start(&b);
    side_t good = run_broken(&b, BACKEND_INTERPRETER, NULL);
    side_t c = run_broken(&b, BACKEND_C, "lsh_attention+1"), fine = run_broken(&b, BACKEND_C, NULL);
    const side_t *bad_c[] = {&b.reference, &good, &c}, *good_c[] = {&b.reference, &good, &fine};
    verdict_t v = verdict_of(good_c, 3);
    assert_int_equal(v.n_departures, 0);
    v = verdict_of(bad_c, 3);
    assert_true(v.n_departures > 0 && v.departure[0].side == &c);
    assert_string_equal(v.departure[0].tensor, "layers.1.self_attention");
    assert_int_equal(verdict_cause(&v, &v.departure[0]), CAUSE_BACK_END);
    side_free(&good);
    side_free(&c);
    side_free(&fine);
    bench_close(&b);
}

typedef struct {
    bench_t *bench;
    const char *guilty; /* the pass that breaks a kernel */
    bool past;          /* it has run */
} suspect_t;

static prefix_t try_suspect(void *ctx, const char *stop_after) {
    suspect_t *s = ctx;
    plan_t *p = plan_of(s->bench);
    assert_true(plan_lower(p, &(pass_options_t){.stop_after = stop_after}, diag));
    s->past |= strcmp(stop_after, s->guilty) == 0;
    if (s->past) break_kernel(p, "feed_forward");
    side_t side = {.label = "interpreter", .backend = BACKEND_INTERPRETER};
    exec_options_t o = {.backend = BACKEND_INTERPRETER};
    exec_t *e = exec_open(p, s->bench->store, &o, diag);
    bool ok = e && side_run(&s->bench->trial, &side, e, &s->bench->reference, s->bench->oracle);
    const side_t *both[] = {&s->bench->reference, &side};
    verdict_t v = verdict_of(both, 2);
    exec_close(e);
    side_free(&side);
    return !ok ? PREFIX_FAILED : v.n_departures ? PREFIX_DEPARTS : PREFIX_AGREES;
}

/* Every prefix of the passes runs in the interpreter and agrees, until one breaks something. */
static void a_broken_pass_is_found(void **state) {
    (void)state;
    bench_t b = bench_open(NULL);
    bench_start(&b);
    const char *guilty[] = {"", "dce", "plan_memory"};
    for (size_t i = 0; i < sizeof guilty / sizeof *guilty; i++) {
        suspect_t s = {&b, guilty[i], false};
        bisection_t found = bisect_passes(try_suspect, &s);
        assert_true(found.found);
        assert_string_equal(found.pass, guilty[i]);
    }
    suspect_t nobody = {&b, "no pass", false};
    assert_false(bisect_passes(try_suspect, &nobody).found);
    bench_close(&b);
}

/* ---- large streams ----------------------------------------------------------------------------------------- */

static double rounding(const side_t *s, const char *name) {
    const result_t *t = results_find(&s->hashed, name);
    assert_non_null(t);
    return t->rounding;
}

static double magnitude(const side_t *s, const char *name) {
    const result_t *t = results_find(&s->hashed, name);
    return compare_tensors(t, t).magnitude;
}

/* What is added to a stream of thousands is shown as the difference of two of its roundings. That is no
 * departure, though it is more than the tolerance; a fault of more is, and streams themselves are allowed
 * nothing. */
static void large_streams_round_what_is_added_to_them(void **state) {
    (void)state;
    bench_t b = bench_open(NULL);
    const tensor_t *words = store_find(b.store, "embeddings.word_embeddings.weight");
    float *x = (float *)(uintptr_t)words->data; /* random weights are the store's own */
    for (int64_t i = 0; i < words->elements; i++) x[i] *= 10000;
    bench_start(&b);
    const side_t *r = &b.reference;
    double y1 = magnitude(r, "layers.0.y1"), y2 = magnitude(r, "layers.2.y2");
    double a = magnitude(r, "layers.0.attention"), f = magnitude(r, "layers.2.feed_forward");
    assert_true(y1 > 1000 && y2 > 1000 && a < 100 && f < 100);
    assert_true(rounding(r, "layers.0.attention") == 3 * 0x1p-24 * (y1 + a)); /* two heads */
    assert_true(rounding(r, "layers.2.feed_forward") == 2 * 0x1p-24 * (y2 + f));
    const char *others[] = {
        "embeddings",        "layers.0.y1", "layers.0.y2", "layers.1.self_attention",
        "last_hidden_state", "logits",      "loss"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(rounding(r, others[i]) == 0);
    side_t s = run_broken(&b, BACKEND_INTERPRETER, NULL);
    const result_t *want = results_find(&r->hashed, "layers.0.attention");
    difference_t d = compare_tensors(want, results_find(&s.hashed, "layers.0.attention"));
    assert_true(difference_relative(&d) > TENSOR_TOLERANCE);
    const side_t *both[] = {r, &s};
    verdict_t v = verdict_of(both, 2);
    assert_int_equal(v.n_departures, 0);
    spoil(&s.hashed, "layers.0.attention", (float)(2 * d.rounding + 1e-3));
    v = verdict_of(both, 2);
    assert_int_equal(v.n_departures, 1);
    assert_string_equal(v.departure[0].tensor, "layers.0.attention");
    side_free(&s);
    bench_close(&b);
}

/* ---- near-ties --------------------------------------------------------------------------------------------- */

/* Rotations [heads, head_size, rounds, buckets / 2] whose two columns are a last bit apart: whether the
 * larger product is the first or the second, rounding decides. */
static void write_rotations(const char *path) {
    enum { HEADS = 2, SIZE = 8, ROUNDS = 2, COLUMNS = 2 };
    float x[HEADS][SIZE][ROUNDS][COLUMNS];
    for (int h = 0; h < HEADS; h++)
        for (int i = 0; i < SIZE; i++)
            for (int r = 0; r < ROUNDS; r++) {
                x[h][i][r][0] = (float)((h * 7 + i * 5 + r * 3) % 11 - 5) / 7;
                x[h][i][r][1] = nextafterf(x[h][i][r][0], i % 2 ? 9 : -9);
            }
    st_writer_t *w = st_writer_new();
    int64_t shape[] = {HEADS, SIZE, ROUNDS, COLUMNS};
    st_writer_add(w, "layers.1.rotations", ST_F32, 4, shape, x);
    st_writer_add(w, "layers.3.rotations", ST_F32, 4, shape, x);
    assert_true(st_writer_save(w, path, diag));
    st_writer_free(w);
}

static void near_ties_are_settled(void) {
    char path[] = "/tmp/test-verify-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_rotations(path);
    bench_t b = bench_open(path);
    bench_start(&b);
    side_t s = run_broken(&b, BACKEND_INTERPRETER, NULL);
    const side_t *both[] = {&b.reference, &s};
    assert_true(s.near_ties > 0); /* rounding did decide otherwise */
    assert_true(s.settled.n == s.hashed.n);
    verdict_t v = verdict_of(both, 2);
    assert_int_equal(v.n_departures, 0);
    prints(&v, NULL, "near-ties: interpreter hashes ");
    side_free(&s);
    /* behind near-ties a fault is still a fault, and nobody else's buckets hide it */
    s = run_broken(&b, BACKEND_INTERPRETER, "lsh_output");
    v = verdict_of(both, 2);
    assert_true(v.n_departures > 0);
    assert_string_equal(v.departure[0].tensor, "layers.1.self_attention");
    side_free(&s);
    unlink(path);
    bench_close(&b);
}

/* A graph may show buckets under any name. */
static void near_ties_are_settled_by_the_reference(void **state) {
    (void)state;
    near_ties_are_settled();
    buckets_name = "places";
    near_ties_are_settled();
    buckets_name = NULL;
}

/* ---- random inputs ------------------------------------------------------------------------------------------- */

static void random_inputs_fit_their_head(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        bool labels, floats, positions;
    } heads[] = {
        {"architectures: [ReformerModel]\n", false, false, false},
        {"architectures: [ReformerForMaskedLM]\n", true, false, false},
        {"architectures: [ReformerForQuestionAnswering]\n", false, false, true},
        {"architectures: [ReformerForSequenceClassification]\nnum_labels: 3\n", true, false, false},
        {"architectures: [ReformerForSequenceClassification]\nnum_labels: 1\n", false, true, false},
        {"architectures: [ReformerForSequenceClassification]\n"
         "problem_type: multi_label_classification\n",
         false, true, false}};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        arena_t *a = arena_new();
        char *text = arena_printf(a,
                                  "%sattn_layers: [local]\nhidden_size: 16\n"
                                  "axial_pos_shape: [4, 8]\naxial_pos_embds_dim: [8, 8]\n"
                                  "compile: {sequence_length: [9, 20], batch_size: 3}\n",
                                  heads[i].lines);
        loaded_model_t m;
        assert_true(model_parse(a, &m, "m.yaml", text, strlen(text), NULL, 0, diag));
        assert_true(model_resolve(a, &m, false, false, false, diag));
        inputs_t x, y, z;
        assert_true(inputs_random(&x, a, &m, "random:1", 0, diag));
        assert_true(inputs_random(&y, a, &m, "random:1", 0, diag));
        assert_true(inputs_random(&z, a, &m, "random:2", 0, diag));
        assert_true(inputs_random(&z, a, &m, "random:2", 12, diag) && z.length == 12);
        assert_true(inputs_random(&z, a, &m, "random:2", 99, diag) && z.length == 20);
        assert_true(inputs_random(&z, a, &m, "random:2", 0, diag));
        assert_true(x.batch == 3 && x.length == 20 && inputs_fit(&x, &m, diag));
        assert_true(!x.labels == !heads[i].labels && !x.labels_f32 == !heads[i].floats);
        assert_true(!x.start_positions == !heads[i].positions &&
                    !x.end_positions == !heads[i].positions);
        size_t bytes = 3 * 20 * sizeof *x.input_ids;
        assert_memory_equal(x.input_ids, y.input_ids, bytes);
        assert_memory_not_equal(x.input_ids, z.input_ids, bytes);
        for (int k = 0; k < 3 * 20; k++) assert_in_range(x.input_ids[k], 0, m.facts.vocab - 1);
        arena_free(a);
    }
}

static int setup(void **state) {
    (void)state;
    diag = diag_new();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    int errors = diag_errors(diag);
    diag_print(diag, stderr);
    diag_free(diag);
    return errors;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(floats_have_a_tolerance),
        TEST(small_tensors_have_a_size),
        TEST(rounding_is_allowed_besides),
        TEST(what_is_no_number_differs_from_all_else),
        TEST(the_largest_difference_is_found),
        TEST(integers_are_equal_or_not),
        TEST(names_of_tensors),
        TEST(agreement_is_no_departure),
        TEST(a_build_alone_is_at_fault),
        TEST(one_bit_is_reported),
        TEST(all_builds_alike_blame_the_loops),
        TEST(untraced_code_is_code_of_its_own),
        TEST(the_first_tensor_comes_first),
        TEST(a_missing_tensor_departs),
        TEST(bisection_finds_the_pass),
        TEST(a_broken_kernel_is_found),
        TEST(a_broken_kernel_of_bfloat16_is_found),
        TEST(roundings_are_allowed_where_they_are),
        TEST(the_mean_is_judged_where_it_says),
        TEST(many_are_judged_where_it_says),
        TEST(a_back_end_is_told_from_the_loops),
        TEST(a_broken_pass_is_found),
        TEST(large_streams_round_what_is_added_to_them),
        TEST(near_ties_are_settled_by_the_reference),
        TEST(random_inputs_fit_their_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
