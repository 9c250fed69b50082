/* Number types: how a value is rounded, what graph_with_dtype puts where, and what is refused. */
#include <float.h>
#include <math.h>

#include "graph/decode.h"
#include "graph/evaluate_ops.h"
#include "rounded.h"
#include "support/bf16.h"

/* ---- the value ----------------------------------------------------------------------------------- */

/* By the node ROUND. */
static double rounded(double x) {
    eval_value_t values[2] = {{.f = &x, .elements = 1}};
    double y = NAN;
    gnode_t from = {.id = 0}, n = {.id = 1, .op = G_ROUND, .n_in = 1, .in = {&from}};
    eval_t e = {.values = values};
    eval_value_t out = {.f = &y, .elements = 1};
    assert_int_equal(eval_round(&e, &n, &out), REFORMER_OK);
    return y;
}

static void test_round(void **unused) {
    (void)unused;
    const double up = 0x1p-7; /* from 1 to the next */
    const struct {
        double x, want;
    } cases[] = {
        {0, 0},
        {1, 1},
        {1 + up, 1 + up},
        {1 + 0.49 * up, 1},
        {1 + 0.51 * up, 1 + up},
        /* ties, to even */
        {1 + 0.5 * up, 1},
        {1 + 1.5 * up, 1 + 2 * up},
        {1 + 2.5 * up, 1 + 2 * up},
        {2 - 0.5 * up, 2},
        /* a float lies just above the tie; what lies nearer to it is a tie by then */
        {1 + 0.5 * up + 0x1p-23, 1 + up},
        {1 + 0.5 * up + 0x1p-40, 1},
        {1 + 1.5 * up - 0x1p-23, 1 + up},
        {1 + 1.5 * up - 0x1p-40, 1 + 2 * up},
        /* the least */
        {0x1p-126, 0x1p-126},
        {0x1.fffffcp-127, 0},          /* the greatest denormal float */
        {0x1.ffffffffp-127, 0x1p-126}, /* no float: it is rounded to the least normal one first */
        {0x1.02p-126, 0x1.02p-126},
        {0x1p-127, 0},
        {0x1p-149, 0},
        {1e-300, 0},
        /* the greatest */
        {0x1.fep127, 0x1.fep127},
        {0x1.fefffep127, 0x1.fep127},
        {0x1.ffp127, INFINITY},
        {FLT_MAX, INFINITY},
        {1e300, INFINITY},
        {INFINITY, INFINITY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int sign = -1; sign <= 1; sign += 2) {
            double got = rounded(sign * cases[i].x), want = sign * cases[i].want;
            if (got != want || !signbit(got) != !signbit(want))
                fail_msg("%a is rounded to %a, not %a", sign * cases[i].x, got, want);
        }
    assert_true(isnan(rounded(NAN)) && isnan(rounded(-NAN)));
}

/* NaN is quiet, and still one when only its last bits said so. */
static void test_bits(void **unused) {
    (void)unused;
    const uint32_t nan[] = {0x7f800001, 0xff800001, 0x7fbfffff, 0x7fffffff, 0xffc00000};
    for (size_t i = 0; i < sizeof nan / sizeof *nan; i++) {
        float x;
        memcpy(&x, &nan[i], sizeof x);
        uint16_t bits = bf16_bits(x);
        assert_true((bits & 0x7fc0) == 0x7fc0 && bits >> 15 == nan[i] >> 31);
    }
}

/* Every bfloat16 is itself, and between two neighbours the nearer one is taken, of equally near ones the even one. */
static void test_all(void **unused) {
    (void)unused;
    const uint32_t low[] = {1, 0x7fff, 0x8000, 0x8001, 0xffff};
    for (uint32_t upper = 0x0080; upper < 0x7f80; upper++) {
        float below = bf16_value((uint16_t)upper);
        assert_int_equal(bf16_bits(below), upper);
        assert_int_equal(bf16_bits(-below), upper | 0x8000);
        for (size_t i = 0; i < sizeof low / sizeof *low; i++) {
            uint32_t bits = upper << 16 | low[i];
            float x;
            memcpy(&x, &bits, sizeof x);
            bool next = low[i] > 0x8000 || (low[i] == 0x8000 && upper % 2);
            assert_int_equal(bf16_bits(x), upper + next);
        }
    }
}

/* ---- the pass ------------------------------------------------------------------------------------- */

static graph_t *in_bf16(arena_t *a, graph_t *g, diag_t *d) {
    return must(graph_with_dtype(a, g, DTYPE_BFLOAT16, d), d);
}

/* Of a product, or the words. */
static bool is_weight(const graph_t *g, const gnode_t *param) {
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        if (n->op == G_DENSE && n->in[1] == param) return true;
        if (graph_is_embed(n) && n->in[graph_word_input(n)] == param) return true;
    }
    return false;
}

/* How many of its inputs are factors of products, weights aside. */
static int factors_of(const gnode_t *n) {
    if (n->op == G_LSH_ATTENTION) return 2;
    return n->op == G_LOCAL_ATTENTION || n->op == G_EXACT_ATTENTION ? 3 : n->op == G_DENSE;
}

/* Factors of all products and the words, and nothing else, are bf16; each value is rounded once; all other nodes are those of `from`, in
 * their order, but for what a DENSE or an attention reads. */
static void assert_rounded(const graph_t *from, const graph_t *g, int rounds) {
    size_t next = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        bool weight = n->op == G_PARAM && is_weight(g, n);
        assert_int_equal(n->id, i);
        assert_true((n->type == G_BF16) == (weight || n->op == G_ROUND));
        for (size_t k = 0; k < i && n->op == G_ROUND; k++)
            assert_false(g->nodes[k]->op == G_ROUND && g->nodes[k]->in[0] == n->in[0]);
        if (n->op == G_ROUND) {
            assert_ptr_equal(n->in[0], g->nodes[i - 1]);
            assert_int_equal(n->layer, n->in[0]->layer);
            rounds--;
            continue;
        }
        const gnode_t *like = from->nodes[next++];
        assert_true(like->op == n->op && like->n_in == n->n_in);
        assert_string_equal(like->name, n->name);
        for (int k = 0; k < n->n_in; k++) {
            const gnode_t *x = n->in[k];
            bool factor = k < factors_of(n);
            assert_true(!factor || x->op == G_ROUND);
            if (factor) x = x->in[0];
            if (x) assert_string_equal(x->name, like->in[k]->name);
            else assert_null(like->in[k]);
        }
    }
    assert_int_equal(next, from->n_nodes);
    assert_int_equal(rounds, 0);
}

static void assert_pass(arena_t *a, graph_t *g, int rounds, diag_t *d) {
    const char *before = text_of(a, g);
    assert_ptr_equal(graph_with_dtype(a, g, DTYPE_FLOAT32, d), g);
    assert_string_equal(text_of(a, g), before);
    assert_false(graph_has_type(g, G_BF16));
    graph_t *once = in_bf16(a, g, d);
    assert_string_equal(text_of(a, g), before);
    assert_true(graph_has_type(once, G_BF16));
    assert_rounded(g, once, rounds);
    const char *text = text_of(a, once);
    assert_string_equal(text_of(a, in_bf16(a, once, d)), text);
    assert_string_equal(text_of(a, graph_with_dtype(a, once, DTYPE_FLOAT32, d)), text);
    graph_t *read = must(graph_parse(a, "g.txt", text, strlen(text), d), d);
    assert_string_equal(text_of(a, read), text);
    assert_string_equal(text_of(a, in_bf16(a, read, d)), text);
}

/* Two layers round each: the norm before the projections, which all of them read, the attention's result, the norm before
 * the feed-forward, what its activation gives (with a gate: what that leaves); and the operands of attention. Heads: what each dense layer reads. */
static void test_pass(void **unused) {
    (void)unused;
    check_forwards(assert_pass);
}

/* Prefills and steps, built from a spec or from a text. */
static void test_generation(void **unused) {
    (void)unused;
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    graph_options_t o = {.batch = 1, .length = 64};
    graph_t *forward = in_bf16(a, must(graph_build(a, &spec, &o, d), d), d);
    graph_t *plain = must(graph_build_step(a, forward, 3, d), d);
    assert_pass(a, plain, 9, d);
    graph_t *step = in_bf16(a, plain, d);
    assert_true(graph_keep(forward, step, d));
    const char *text = text_of(a, forward);
    assert_string_equal(text_of(a, in_bf16(a, forward, d)), text);
    /* of a text: the rounding points are its own */
    graph_t *read = must(graph_build(a, &spec, &o, d), d), *of_text = in_bf16(a, read, d);
    graph_t *copied = must(graph_step_of(a, of_text, 3, d), d);
    assert_string_equal(text_of(a, in_bf16(a, copied, d)), text_of(a, copied));
    int rounds = 0;
    for (const gnode_t *n = NULL; (n = graph_next(copied, G_ROUND, n));) rounds++;
    assert_int_equal(rounds, 9);
    diag_free(d);
    arena_free(a);
}

/* A state is of the type that was asked for, else of that of its attention's factors; what keeps tokens in it follows. */
static void assert_states(const graph_t *g, gtype_t type) {
    int n = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (!graph_is_state(g->nodes[i]) && !graph_is_keep(g->nodes[i])) continue;
        assert_int_equal(g->nodes[i]->type, type);
        n++;
    }
    assert_true(n > 0);
}

static void test_caches(void **unused) {
    (void)unused;
    static const struct {
        bool rounded;
        cache_dtype_t asked;
        gtype_t want;
    } rows[] = {{false, CACHE_LIKE_ATTENTION, G_F32}, {true, CACHE_LIKE_ATTENTION, G_BF16},
                {false, CACHE_BFLOAT16, G_BF16},      {true, CACHE_BFLOAT16, G_BF16},
                {false, CACHE_FLOAT32, G_F32},        {true, CACHE_FLOAT32, G_F32}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        spec_t spec = small_spec(ARCH_CAUSAL_LM);
        arena_t *a = arena_new();
        diag_t *d = diag_new();
        graph_options_t o = {.batch = 1, .length = i % 2 ? 5 : 64};
        graph_t *forward = must(graph_build(a, &spec, &o, d), d);
        if (rows[i].rounded) forward = in_bf16(a, forward, d);
        graph_t *step = must(graph_build_step(a, forward, 3, d), d);
        if (rows[i].rounded) step = in_bf16(a, step, d);
        graph_set_cache_dtype(step, forward, rows[i].asked);
        assert_true(graph_check(step, d));
        assert_states(step, rows[i].want);
        assert_true(graph_keep(forward, step, d) && graph_check(forward, d));
        assert_states(forward, rows[i].want);
        const char *text = text_of(a, step);
        assert_string_equal(text_of(a, must(graph_parse(a, "g.txt", text, strlen(text), d), d)),
                            text);
        diag_free(d);
        arena_free(a);
    }
}

/* ---- by hand -------------------------------------------------------------------------------------- */

static const char head[] = "graph batch=1 length=4 padded=4\n"
                           "input_ids = input() : i32[1,4]\n"
                           "ids = pad_ids(input_ids) pad_token=0 : i32[1,4]\n"
                           "words = param() : f32[9,2]\n"
                           "p = param() : f32[6,2]\n"
                           "x = embed(ids, words, p) axial_shape=none : f32[1,4,2]\n";

static graph_t *parse(arena_t *a, const char *lines, diag_t *d) {
    const char *text = arena_printf(a, "%s%s", head, lines);
    return graph_parse(a, "g.txt", text, strlen(text), d);
}

static void assert_becomes(const char *lines, const char *want) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    graph_t *g = in_bf16(a, must(parse(a, lines, d), d), d);
    const char *text = text_of(a, g);
    size_t all = strlen(text), behind = strlen(want);
    bool ends = all >= behind && strcmp(text + all - behind, want) == 0;
    if (!ends) fail_msg("it became\n%s", text);
    diag_free(d);
    arena_free(a);
}

static void test_by_hand(void **unused) {
    (void)unused;
    /* one value, two products: it is rounded once */
    assert_becomes("w = param() : f32[3,2]\n"
                   "b = param() : f32[3]\n"
                   "y = dense(x, w, b) : f32[1,4,3]\n"
                   "z = dense(x, w, _) : f32[1,4,3]\n",
                   "x.rounded = round(x) : bf16[1,4,2]\n"
                   "w = param() : bf16[3,2]\n"
                   "b = param() : f32[3]\n"
                   "y = dense(x.rounded, w, b) : f32[1,4,3]\n"
                   "z = dense(x.rounded, w, _) : f32[1,4,3]\n");
    /* it was rounded before: that does */
    assert_becomes("r = round(x) : bf16[1,4,2]\n"
                   "v = param() : bf16[3,2]\n"
                   "w = param() : f32[3,2]\n"
                   "y = dense(r, v, _) : f32[1,4,3]\n"
                   "z = dense(x, w, _) : f32[1,4,3]\n",
                   "r = round(x) : bf16[1,4,2]\n"
                   "v = param() : bf16[3,2]\n"
                   "w = param() : bf16[3,2]\n"
                   "y = dense(r, v, _) : f32[1,4,3]\n"
                   "z = dense(r, w, _) : f32[1,4,3]\n");
    /* it was, but only afterwards */
    assert_becomes("w = param() : f32[3,2]\n"
                   "z = dense(x, w, _) : f32[1,4,3]\n"
                   "v = param() : bf16[3,2]\n"
                   "r = round(x) : bf16[1,4,2]\n"
                   "y = dense(r, v, _) : f32[1,4,3]\n",
                   "x.rounded = round(x) : bf16[1,4,2]\n"
                   "w = param() : bf16[3,2]\n"
                   "z = dense(x.rounded, w, _) : f32[1,4,3]\n"
                   "v = param() : bf16[3,2]\n"
                   "r = round(x) : bf16[1,4,2]\n"
                   "y = dense(r, v, _) : f32[1,4,3]\n");
    /* words are rounded, unless a product reads them, too: then that is one of floats */
    static const char embedded[] = "p = param() : f32[6,2]\n"
                                   "x = embed(ids, words, p) axial_shape=none : f32[1,4,2]\n";
    const char *const tied = "y = dense(x, words, _) : f32[1,4,9]\n";
    char want[300];
    snprintf(want, sizeof want, "words = param() : bf16[9,2]\n%s", embedded);
    assert_becomes("", want);
    snprintf(want, sizeof want, "words = param() : f32[9,2]\n%s%s", embedded, tied);
    assert_becomes(tied, want);
}

/* What follows `head`, and what is said: of a text, and of a graph that is to be rounded. */
static void test_refusals(void **unused) {
    (void)unused;
    static const struct {
        const char *lines, *message;
        bool parses;
    } cases[] = {
        {"w = param() : bf16[3,2]\ny = dense(x, w, _) : f32[1,4,3]",
         "g.txt:8:1: error: y: x is f32, but weight is bf16: products are of two factors of one type",
         false},
        {"r = round(x) : bf16[1,4,2]\nw = param() : f32[3,2]\ny = dense(r, w, _) : f32[1,4,3]",
         "g.txt:9:1: error: y: x is bf16, but weight is f32", false},
        {"w = param() : bf16[3,2]\nb = param() : bf16[3]\nr = round(x) : bf16[1,4,2]\n"
         "y = dense(r, w, b) : f32[1,4,3]",
         "g.txt:10:1: error: y: input bias is bf16, not f32", false},
        {"w = param() : bf16[3,2]\nr = round(x) : bf16[1,4,2]\ny = dense(r, w, _) : bf16[1,4,3]",
         "g.txt:9:1: error: y", false},
        {"r = round(x) : f32[1,4,2]", "g.txt:7:1: error: r", false},
        {"r = round(x) : bf16[1,4,2]\ns = round(r) : bf16[1,4,2]",
         "g.txt:8:1: error: s: input x is bf16, not f32", false},
        {"r = round(x) : bf16[1,4,2]\ny = add(x, r) : f32[1,4,2]",
         "g.txt:8:1: error: y: input y is bf16, not f32", false},
        {"r = round(words) : bf16[9,2]", "g.txt:7:1: error: r: input x must not come from param",
         false},
        {"r = round(ids) : bf16[1,4]", "g.txt:7:1: error: r: input x is i32, not f32", false},
        {"w = param() : bf16[2]\nb = param() : f32[2]\n"
         "y = layer_norm(x, w, b) eps=0 : f32[1,4,2]",
         "g.txt:9:1: error: y: input weight is bf16, not f32", false},
        {"w = param() : bf16[6,2]\ny = embed(ids, words, w) axial_shape=none : f32[1,4,2]",
         "g.txt:8:1: error: y: input pos is bf16, not f32", false},
        {"w = param() : u8[3,2]", "g.txt:7:1: error: param w is neither f32 nor bf16 nor i8",
         false},
        {"w = param() : f32[3,2]\ny = dense(x, w, _) : f32[1,4,3]\n"
         "x.rounded = add(x, x) : f32[1,4,2]",
         "x.rounded: rounding has a node of this name", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena_t *a = arena_new();
        diag_t *d = diag_new();
        graph_t *g = parse(a, cases[i].lines, d);
        if (!g != !cases[i].parses) fail_msg("%s\n%s", cases[i].lines, messages(d));
        if (g) assert_null(graph_with_dtype(a, g, DTYPE_BFLOAT16, d));
        assert_message(d, cases[i].message);
        diag_free(d);
        arena_free(a);
    }
}

/* ---- evaluation ------------------------------------------------------------------------------------ */

enum { TOKENS = 64, VOCAB = 12 };

typedef struct {
    weights_t w;
    arena_t *a;
    bool round; /* weights of products, here */
} params_t;

static const float *param_of(void *ctx, const char *name) {
    params_t *p = ctx;
    const gnode_t *n = graph_find(p->w.g, name);
    const float *x = small_weights(&p->w, name);
    if (!p->round || !is_weight(p->w.g, n)) return x;
    int64_t elements = n->shape[0].c * n->shape[1].c;
    float *y = ARENA_ARRAY(p->a, float, elements);
    for (int64_t i = 0; i < elements; i++) y[i] = bf16_round(x[i]);
    return y;
}

static void evaluate(const graph_t *g, arena_t *a, bool round, float *logits) {
    int32_t ids[TOKENS];
    params_t p = {.w = {.g = g, .a = a}, .a = a, .round = round};
    for (int i = 0; i < TOKENS; i++) ids[i] = 1 + (i * 7 + i / 5) % 11;
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = TOKENS, .logits = logits};
    assert_int_equal(graph_evaluate(g, param_of, &p, &io, false), REFORMER_OK);
}

/* Weights are rounded where they are read: rounding them before makes no difference to a bf16 graph, but one to a graph of
 * floats. What such a graph makes is near what it made, and not the same. */
static void test_params_are_rounded(void **unused) {
    (void)unused;
    static float plain[TOKENS * VOCAB], plain_rounded[TOKENS * VOCAB], bf16[TOKENS * VOCAB],
        bf16_rounded[TOKENS * VOCAB];
    static layer_kind_t local[] = {LAYER_LOCAL, LAYER_LOCAL}; /* nothing falls into other buckets */
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    spec.attn_layers = local;
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    graph_options_t o = {.batch = 1, .length = TOKENS};
    graph_t *g = must(graph_build(a, &spec, &o, d), d), *b = in_bf16(a, g, d);
    evaluate(g, a, false, plain);
    evaluate(g, a, true, plain_rounded);
    evaluate(b, a, false, bf16);
    evaluate(b, a, true, bf16_rounded);
    assert_memory_equal(bf16, bf16_rounded, sizeof bf16);
    float weights = 0, both = 0, values = 0, max = 0;
    for (int i = 0; i < TOKENS * VOCAB; i++) {
        weights = fmaxf(weights, fabsf(plain[i] - plain_rounded[i]));
        values = fmaxf(values, fabsf(bf16[i] - plain_rounded[i]));
        both = fmaxf(both, fabsf(bf16[i] - plain[i]));
        max = fmaxf(max, fabsf(plain[i]));
    }
    assert_true(weights > 1e-5F && values > 1e-5F && both > 1e-5F && both < 0.02F * max);
    diag_free(d);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_pass),
        cmocka_unit_test(test_generation),
        cmocka_unit_test(test_caches),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_params_are_rounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
