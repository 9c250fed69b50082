/* Rows of integers with a scale: how a row becomes one, what is computed of them, what graph_with_dtypes puts where, and what
 * is refused. */
#include <float.h>
#include <math.h>

#include "graph/evaluate_ops.h"
#include "rounded.h"
#include "support/bf16.h"
#include "support/i8.h"

/* ---- a row --------------------------------------------------------------------------------------- */

enum { WIDEST = 8 };

/* By the node QUANTIZE: `rows` of this width. */
static void quantize(const double *x, int64_t rows, int64_t width, double *y) {
    eval_value_t values[1] = {
        {.f = (double *)(uintptr_t)x, .rank = 2, .shape = {rows, width}, .elements = rows * width}};
    gnode_t from = {.id = 0}, n = {.id = 1, .op = G_QUANTIZE, .n_in = 1, .in = {&from}};
    eval_t e = {.values = values};
    eval_value_t out = {.f = y, .elements = rows * width};
    assert_int_equal(eval_quantize(&e, &n, &out), REFORMER_OK);
}

static void test_rows(void **unused) {
    (void)unused;
    const float by_127 = 1.0f / 127, max = FLT_MAX / 127, min = 0x1p-100f / 127;
    const double below = 0x1.fffffep-101; /* the float before 2^-100 */
    static const double far = 1e300;
    const struct {
        int width;
        double x[WIDEST];
        double scale;
        int q[WIDEST];
    } cases[] = {
        {1, {3}, 3.0f / 127, {127}},
        {1, {-3}, 3.0f / 127, {-127}},
        {1, {0}, 0, {0}},
        {3, {0, -0.0, 0}, 0, {0}},
        {3, {1, -0.25, 0.1}, by_127, {127, -32, 13}},
        /* ties, to even; the scale is 1 */
        {8, {127, 0.5, 1.5, 2.5, -0.5, -1.5, 126.5, -125.5}, 1, {127, 0, 2, 2, 0, -2, 126, -126}},
        {3, {-127, 0.49999997, 0.50000006}, 1, {-127, 0, 1}},
        /* a float first, which is the tie then */
        {2, {127, 0.5 + 0x1p-30}, 1, {127, 0}},
        {2, {127, 1.5 - 0x1p-30}, 1, {127, 2}},
        /* the least greatest magnitude */
        {2, {0x1p-100, -0x1p-101}, min, {127, -64}},
        {3, {below, -below, 0x1p-149}, 0, {0}},
        {2, {1e-300, -1e-300}, 0, {0}},
        {3, {1, 0x1p-127, -0x1p-149}, by_127, {127, 0, 0}}, /* beside denormal floats */
        /* the greatest */
        {3, {FLT_MAX, -FLT_MAX, FLT_MAX / 2}, max, {127, -127, 64}},
        /* not finite: all of the row is NaN */
        {2, {NAN, 1}, NAN, {0}},
        {2, {-NAN, FLT_MAX}, NAN, {0}},
        {3, {1, INFINITY, NAN}, NAN, {0}},
        {2, {-INFINITY, 0}, NAN, {0}},
        {2, {far, 1}, NAN, {0}}, /* as a float it is infinite */
        {1, {NAN}, NAN, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double y[WIDEST];
        quantize(cases[i].x, 1, cases[i].width, y);
        for (int k = 0; k < cases[i].width; k++) {
            double want = cases[i].q[k] * cases[i].scale;
            if (y[k] != want && !(isnan(want) && isnan(y[k])))
                fail_msg("case %zu, element %d: %a becomes %a, not %a", i, k, cases[i].x[k], y[k],
                         want);
        }
    }
}

/* Each row has its own scale, and its own NaN. */
static void test_rows_apart(void **unused) {
    (void)unused;
    const double x[] = {NAN, 5, 254, 4, 0, 0, -127, 3.4};
    double y[8];
    quantize(x, 4, 2, y);
    assert_true(isnan(y[0]) && isnan(y[1]));
    const double want[] = {254, 4, 0, 0, -127, 3};
    for (int k = 0; k < 6; k++) assert_true(y[k + 2] == want[k]);
}

/* Rows of any finite bits: no |q| beyond 127, the greatest magnitude has it, and nothing is further off than half a step, as
 * far as floats can tell. */
static void test_any_row(void **unused) {
    (void)unused;
    uint64_t state = 7;
    for (int i = 0; i < 200000; i++) {
        float x[WIDEST], greatest = 0;
        state = hash64(state, &i, sizeof i);
        int width = 1 + (int)(state % WIDEST), spread = (int)(state >> 8 & 31);
        int high = 27 + (int)(state >> 16) % (255 - 27); /* exponents from 2^-100 to the greatest */
        for (int k = 0; k < width; k++) {
            state = hash64(state, &k, sizeof k);
            uint32_t exponent = (uint32_t)(high - (int)(state >> 40) % (spread + 1));
            if ((int)exponent < 0 || exponent > 254) exponent = 0;
            uint32_t bits = (uint32_t)state & 0x807fffff;
            bits |= exponent << 23;
            memcpy(&x[k], &bits, sizeof bits);
            greatest = fmaxf(greatest, fabsf(x[k]));
        }
        i8_scale_t by = i8_scale(x, width);
        if (greatest < 0x1p-100f) assert_true(by.scale == 0 && by.inverse == 0);
        for (int k = 0; k < width && greatest >= 0x1p-100f; k++) {
            int q = i8_round(x[k], by);
            double off = fabs((double)q * by.scale - x[k]) / by.scale;
            if (abs(q) > 127 || off > 0.5 + 0x1p-15 || (fabsf(x[k]) == greatest && abs(q) != 127))
                fail_msg("%a of a row whose greatest is %a: %d times %a", (double)x[k],
                         (double)greatest, q, (double)by.scale);
        }
    }
}

/* ---- what is computed ----------------------------------------------------------------------------- */

static const char head[] = "graph batch=1 length=4 padded=4\n"
                           "input_ids = input() : i32[1,4]\n"
                           "ids = pad_ids(input_ids) pad_token=0 : i32[1,4]\n"
                           "words = param() : f32[9,2]\n"
                           "p = param() : f32[6,2]\n"
                           "x = embed(ids, words, p) axial_shape=none : f32[1,4,2]\n";

static graph_t *parse_all(arena_t *a, const char *text, diag_t *d) {
    return graph_parse(a, "g.txt", text, strlen(text), d);
}

static graph_t *parse(arena_t *a, const char *lines, diag_t *d) {
    return parse_all(a, arena_printf(a, "%s%s", head, lines), d);
}

/* By the first letter of the name. */
static const float *own_values(void *ctx, const char *name) {
    static const float words[18] = {100, 0, 0, 200, -127, 50.5f, 0.3f, 0.1f},
                       p[12] = {0.25f, 0, 0, 0.5f}, w[6] = {1, -0.25f, 0.1f, 0.003f, -64, 127},
                       b[3] = {10, 20, 30};
    (void)ctx;
    return name[0] == 'p' ? p : name[0] == 'b' ? b : name[1] == 'o' ? words : w;
}

static void evaluate(const char *text, float *logits) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    const int32_t ids[] = {0, 1, 2, 3};
    graph_t *g = must(parse_all(a, text, d), d);
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = 4, .logits = logits};
    assert_int_equal(graph_evaluate(g, own_values, NULL, &io, false), REFORMER_OK);
    diag_free(d);
    arena_free(a);
}

static double q(double x, double greatest) {
    float inverse = 127 / (float)greatest, scale = (float)greatest / 127;
    return rint((double)((float)x * inverse)) * (double)scale;
}

/* Products of values as they are rounded, row by row of either factor; sums, bias and result in double. */
static void test_dense(void **unused) {
    (void)unused;
    static const char lines[] = "w = param() : i8[3,2]\n"
                                "b = param() : f32[3]\n"
                                "r = quantize(x) : i8[1,4,2]\n"
                                "logits = dense(r, w, b) : f32[1,4,3]\n";
    const double x[4][2] = {{100.25, 0}, {0, 200.5}, {-127, 50.5}, {0.3f, 0.1f}};
    const double w[3][2] = {{1, -0.25f}, {0.1f, 0.003f}, {-64, 127}}, b[3] = {10, 20, 30};
    float logits[12];
    char text[sizeof head + sizeof lines];
    snprintf(text, sizeof text, "%s%s", head, lines);
    evaluate(text, logits);
    for (int t = 0; t < 4; t++)
        for (int o = 0; o < 3; o++) {
            double max_x = fmax(fabs(x[t][0]), fabs(x[t][1]));
            double max_w = fmax(fabs(w[o][0]), fabs(w[o][1]));
            double want = b[o];
            for (int k = 0; k < 2; k++) want += q(x[t][k], max_x) * q(w[o][k], max_w);
            assert_true(fabs(logits[3 * t + o] - want) <= 1e-7 * fabs(want));
        }
}

/* A word's row has a scale of its own, or its elements are rounded; positions are added as they are. */
static void test_words(void **unused) {
    (void)unused;
    const float words[4][2] = {{100, 0}, {0, 200}, {-127, 50.5f}, {0.3f, 0.1f}};
    const float p[4][2] = {{0.25f, 0}, {0, 0.5f}};
    for (int i8 = 0; i8 < 2; i8++) {
        char text[sizeof head + 100];
        float logits[8];
        snprintf(text, sizeof text,
                 "graph batch=1 length=4 padded=4\n"
                 "input_ids = input() : i32[1,4]\n"
                 "ids = pad_ids(input_ids) pad_token=0 : i32[1,4]\n"
                 "words = param() : %s[9,2]\n"
                 "p = param() : f32[6,2]\n"
                 "logits = embed(ids, words, p) axial_shape=none : f32[1,4,2]\n",
                 i8 ? "i8" : "bf16");
        evaluate(text, logits);
        for (int t = 0; t < 4; t++)
            for (int k = 0; k < 2; k++) {
                double max = fmax(fabs((double)words[t][0]), fabs((double)words[t][1]));
                double word = i8 ? q(words[t][k], max) : (double)bf16_round(words[t][k]);
                assert_true(logits[2 * t + k] == (float)(word + p[t][k]));
            }
    }
}

/* ---- the pass ------------------------------------------------------------------------------------- */

static graph_t *in_int8(arena_t *a, graph_t *g, diag_t *d) {
    return must(graph_with_dtype(a, g, DTYPE_INT8, d), d);
}

static bool attends(const gnode_t *n) {
    return graph_is_attention(n) || graph_is_step(n);
}

/* Every DENSE is of the type it is to be, and rounds values once; how many nodes round. */
static int assert_types(const graph_t *g, dtype_t (*dtype)(int layer)) {
    static const gtype_t words[] = {
        [DTYPE_FLOAT32] = G_F32, [DTYPE_BFLOAT16] = G_BF16, [DTYPE_INT8] = G_I8};
    int rounds = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        assert_int_equal(n->id, i);
        rounds += n->op == G_ROUND || n->op == G_QUANTIZE;
        for (size_t k = 0; k < i && (n->op == G_ROUND || n->op == G_QUANTIZE); k++)
            assert_false(g->nodes[k]->op == n->op && g->nodes[k]->in[0] == n->in[0]);
        dtype_t of = dtype(n->layer);
        if (graph_is_embed(n)) assert_int_equal(n->in[graph_word_input(n)]->type, words[of]);
        if (n->op == G_LSH_ATTENTION || n->op == G_LOCAL_ATTENTION)
            assert_int_equal(n->in[0]->type, of == DTYPE_FLOAT32 ? G_F32 : G_BF16);
        if (n->op == G_LSH_HASH) assert_int_equal(n->in[0]->type, G_F32);
        if (n->op != G_DENSE) continue;
        const gnode_t *x = n->in[0];
        bool late = attends(x->op == G_ROUND || x->op == G_QUANTIZE ? x->in[0] : x);
        gtype_t want = of == DTYPE_FLOAT32 ? G_F32 : of == DTYPE_BFLOAT16 || late ? G_BF16 : G_I8;
        assert_int_equal(n->in[0]->type, want);
        assert_int_equal(n->in[1]->type, want);
        if (n->in[2]) assert_int_equal(n->in[2]->type, G_F32);
    }
    return rounds;
}

static dtype_t all_int8(int layer) {
    (void)layer;
    return DTYPE_INT8;
}

static void assert_stays(arena_t *a, graph_t *g, diag_t *d) {
    const char *text = text_of(a, g);
    graph_t *read = must(parse_all(a, text, d), d);
    assert_string_equal(text_of(a, read), text);
    for (dtype_t t = DTYPE_FLOAT32; t < DTYPE_COUNT; t++)
        assert_string_equal(text_of(a, must(graph_with_dtype(a, read, t, d), d)), text);
}

static void assert_pass(arena_t *a, graph_t *g, int values, diag_t *d) {
    const char *before = text_of(a, g);
    graph_t *rounded = in_int8(a, g, d);
    assert_string_equal(text_of(a, g), before);
    assert_int_equal(assert_types(rounded, all_int8), values);
    assert_stays(a, rounded, d);
}

static void test_pass(void **unused) {
    (void)unused;
    check_forwards(assert_pass);
}

/* A forward's params have the types of its step's, so that one file of weights serves both. */
static void test_generation(void **unused) {
    (void)unused;
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    graph_options_t o = {.batch = 1, .length = 64};
    graph_t *forward = in_int8(a, must(graph_build(a, &spec, &o, d), d), d);
    graph_t *step = in_int8(a, must(graph_build_step(a, forward, 3, d), d), d);
    (void)assert_types(step, all_int8);
    graph_t *copied = must(graph_step_of(a, forward, 3, d), d);
    (void)assert_types(copied, all_int8);
    for (size_t i = 0; i < forward->n_nodes; i++) {
        const gnode_t *n = forward->nodes[i];
        if (n->op != G_PARAM) continue;
        assert_int_equal(graph_find(step, n->name)->type, n->type);
        assert_int_equal(graph_find(copied, n->name)->type, n->type);
    }
    assert_true(graph_keep(forward, step, d));
    diag_free(d);
    arena_free(a);
}

/* ---- layers with types of their own --------------------------------------------------------------- */

static const char mixed[] =
    "architectures: [ReformerModelWithLMHead]\nis_decoder: true\nattn_layers: [local, lsh, local]\n"
    "hidden_size: 16\nnum_attention_heads: 2\nattention_head_size: 8\nfeed_forward_size: 20\n"
    "vocab_size: 12\nmax_position_embeddings: 64\naxial_pos_shape: [8, 8]\n"
    "axial_pos_embds_dim: [4, 12]\nlsh_attn_chunk_length: 8\nlocal_attn_chunk_length: 8\n"
    "num_buckets: 4\ncompile: {dtype: %s}\n"
    "extensions: {layers: [{dtype: float32}, {dtype: bfloat16}, {dtype: int8}]}\n";
static dtype_t of_model;

static dtype_t of_mixed(int layer) {
    return layer < 0 ? of_model : (dtype_t)layer;
}

static void test_layers(void **unused) {
    (void)unused;
    static const char *const words[] = {"float32", "bfloat16", "int8"};
    for (of_model = DTYPE_FLOAT32; of_model < DTYPE_COUNT; of_model++) {
        arena_t *a = arena_new();
        diag_t *d = diag_new();
        const char *text = arena_printf(a, mixed, words[of_model]);
        spec_t *s = spec_parse(a, "m.yaml", text, strlen(text), NULL, 0, d);
        if (!s) fail_msg("%s", messages(d));
        graph_options_t o = {.batch = 1, .length = 64};
        graph_t *plain = must(graph_build(a, s, &o, d), d);
        graph_t *g = must(graph_with_dtypes(a, plain, s, d), d);
        (void)assert_types(g, of_mixed);
        assert_string_equal(text_of(a, must(graph_with_dtypes(a, g, s, d), d)), text_of(a, g));
        for (int i = -1; i < 3; i++) assert_int_equal(spec_dtype(s, i), of_mixed(i));
        assert_int_equal(spec_dtype(s, 3), of_model);
        diag_free(d);
        arena_free(a);
    }
}

/* ---- by hand -------------------------------------------------------------------------------------- */

static void assert_becomes(const char *lines, const char *want) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    const char *text = text_of(a, in_int8(a, must(parse(a, lines, d), d), d));
    if (!strstr(text, want)) fail_msg("it became\n%s", text);
    diag_free(d);
    arena_free(a);
}

static void test_by_hand(void **unused) {
    (void)unused;
    /* words that nobody else reads */
    assert_becomes("y = add(x, x) : f32[1,4,2]\n", "words = param() : i8[9,2]\n");
    /* words are the head's weight, too */
    assert_becomes("y = dense(x, words, _) : f32[1,4,9]\n", "words = param() : f32[9,2]\n");
    assert_becomes("y = dense(x, words, _) : f32[1,4,9]\n",
                   "\ny = dense(x, words, _) : f32[1,4,9]\n");
    /* one value, two products: one node */
    assert_becomes("w = param() : f32[3,2]\n"
                   "y = dense(x, w, _) : f32[1,4,3]\n"
                   "z = dense(x, w, _) : f32[1,4,3]\n",
                   "x.quantized = quantize(x) : i8[1,4,2]\n"
                   "w = param() : i8[3,2]\n"
                   "y = dense(x.quantized, w, _) : f32[1,4,3]\n"
                   "z = dense(x.quantized, w, _) : f32[1,4,3]\n");
    /* a product that was rounded to bfloat16 stays; the other needs another node */
    assert_becomes("r = round(x) : bf16[1,4,2]\n"
                   "v = param() : bf16[3,2]\n"
                   "w = param() : f32[3,2]\n"
                   "y = dense(r, v, _) : f32[1,4,3]\n"
                   "z = dense(x, w, _) : f32[1,4,3]\n",
                   "x.quantized = quantize(x) : i8[1,4,2]\n"
                   "r = round(x) : bf16[1,4,2]\n"
                   "v = param() : bf16[3,2]\n"
                   "w = param() : i8[3,2]\n"
                   "y = dense(r, v, _) : f32[1,4,3]\n"
                   "z = dense(x.quantized, w, _) : f32[1,4,3]\n");
    /* a sum of too many products */
    assert_becomes("u = param() : f32[65537,2]\n"
                   "t = dense(x, u, _) : f32[1,4,65537]\n"
                   "w = param() : f32[3,65537]\n"
                   "y = dense(t, w, _) : f32[1,4,3]\n",
                   "t.rounded = round(t) : bf16[1,4,65537]\n"
                   "w = param() : bf16[3,65537]\n");
}

/* One weight, read by layers of two types: it is of that which rounds less. */
static void test_shared_weight(void **unused) {
    (void)unused;
    static const struct {
        const char *dtypes[2];
        gtype_t want;
    } cases[] = {{{"int8", "bfloat16"}, G_BF16},
                 {{"bfloat16", "int8"}, G_BF16},
                 {{"int8", "float32"}, G_F32},
                 {{"float32", "bfloat16"}, G_F32},
                 {{"int8", "int8"}, G_I8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena_t *a = arena_new();
        diag_t *d = diag_new();
        const char *spec = arena_printf(
            a, "attn_layers: [local, local]\nextensions: {layers: [{dtype: %s}, {dtype: %s}]}\n",
            cases[i].dtypes[0], cases[i].dtypes[1]);
        spec_t *s = spec_parse(a, "m.yaml", spec, strlen(spec), NULL, 0, d);
        if (!s) fail_msg("%s", messages(d));
        graph_t *g = must(parse(a,
                                "w = param() : f32[3,2]\n"
                                "y = dense(x, w, _) : f32[1,4,3] layer=0\n"
                                "z = dense(x, w, _) : f32[1,4,3] layer=1\n",
                                d),
                          d);
        g = must(graph_with_dtypes(a, g, s, d), d);
        assert_int_equal(graph_find(g, "w")->type, cases[i].want);
        diag_free(d);
        arena_free(a);
    }
}

static void test_refusals(void **unused) {
    (void)unused;
    static const struct {
        const char *lines, *message;
    } cases[] = {
        {"w = param() : i8[3,2]\ny = dense(x, w, _) : f32[1,4,3]",
         "g.txt:8:1: error: y: x is f32, but weight is i8: products are of two factors of one type"},
        {"r = round(x) : bf16[1,4,2]\nw = param() : i8[3,2]\ny = dense(r, w, _) : f32[1,4,3]",
         "g.txt:9:1: error: y: x is bf16, but weight is i8"},
        {"r = quantize(x) : i8[1,4,2]\nw = param() : bf16[3,2]\ny = dense(r, w, _) : f32[1,4,3]",
         "g.txt:9:1: error: y: x is i8, but weight is bf16"},
        {"r = quantize(x) : i8[1,4,2]\ns = quantize(r) : i8[1,4,2]",
         "g.txt:8:1: error: s: input x is i8, not f32"},
        {"r = quantize(x) : i8[1,4,2]\ns = round(r) : bf16[1,4,2]",
         "g.txt:8:1: error: s: input x is i8, not f32"},
        {"r = quantize(x) : i8[1,4,2]\ny = add(r, r) : f32[1,4,2]",
         "g.txt:8:1: error: y: input x is i8, not f32"},
        {"r = quantize(x) : f32[1,4,2]", "g.txt:7:1: error: r"},
        {"r = quantize(words) : i8[9,2]", "g.txt:7:1: error: r: input x must not come from param"},
        {"r = quantize(ids) : i8[1,4]", "g.txt:7:1: error: r: input x is i32, not f32"},
        {"b = param() : i8[2]", "g.txt:7:1: error: param b is i8, which has a scale per row"},
        {"b = param() : i8[2,2,2]", "g.txt:7:1: error: param b is i8"},
        {"w = param() : i8[6,2]\ny = embed(ids, words, w) axial_shape=none : f32[1,4,2]",
         "g.txt:8:1: error: y: input pos is i8, not f32"},
        {"w = param() : i8[3,2]\ny = dense_t(x, w) : f32[1,4,2]", "g.txt:8:1: error: y"},
        {"u = param() : f32[65537,2]\nt = dense(x, u, _) : f32[1,4,65537]\n"
         "r = quantize(t) : i8[1,4,65537]\nw = param() : i8[3,65537]\n"
         "y = dense(r, w, _) : f32[1,4,3]",
         "g.txt:11:1: error: y: x is 65537 wide, of i8 the limit is 65536"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena_t *a = arena_new();
        diag_t *d = diag_new();
        if (parse(a, cases[i].lines, d)) fail_msg("it is taken:\n%s", cases[i].lines);
        char *said = messages(d);
        if (!strstr(said, cases[i].message)) fail_msg("%s\n%s", cases[i].lines, said);
        free(said);
        diag_free(d);
        arena_free(a);
    }
}

static void test_gradients(void **unused) {
    (void)unused;
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    graph_options_t o = {.batch = 1, .length = 64};
    graph_t *g = in_int8(a, must(graph_build(a, &spec, &o, d), d), d);
    assert_null(graph_gradient(a, g, NULL, d));
    char *said = messages(d);
    assert_non_null(strstr(said, "error: embeddings.word_embeddings.weight: gradients of values of "
                                 "type i8 are not built"));
    free(said);
    diag_free(d);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),       cmocka_unit_test(test_rows_apart),
        cmocka_unit_test(test_any_row),    cmocka_unit_test(test_dense),
        cmocka_unit_test(test_words),      cmocka_unit_test(test_pass),
        cmocka_unit_test(test_generation), cmocka_unit_test(test_layers),
        cmocka_unit_test(test_by_hand),    cmocka_unit_test(test_shared_weight),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
