/* Gradients op by op: each op of the forward stands in a small graph, whose gradients are compared with finite
 * differences; each op of the backward pass is seen. */
#include "differences.h"

/* 2 rows of 6 tokens, padded to 8; 5 wide. */
static const char head[] = "graph batch=2 length=6 padded=8\n"
                           "input_ids = input() : i32[2,6]\n"
                           "attention_mask = input() : i32[2,6]\n"
                           "labels = input() : i32[2,6]\n"
                           "ids = pad_ids(input_ids) pad_token=0 : i32[2,8]\n"
                           "mask = pad_mask(attention_mask) : i32[2,8]\n"
                           "words = param() : f32[9,6]\n"
                           "places = param() : f32[8,6]\n"
                           "x = embed(ids, words, places) axial_shape=none : f32[2,8,6]\n";
static const char tail[] = "tail.weight = param() : f32[4,6]\n"
                           "tail.in = slice(y) : f32[2,6,6]\n"
                           "logits = dense(tail.in, tail.weight) : f32[2,6,4]\n"
                           "loss = cross_entropy(logits, labels) shift=1 : f32[]\n";
#define MATRIX(name)      name " = param() : f32[6,6]\n"
#define VECTOR(name)      name " = param() : f32[6]\n"
#define PROJECT(to, from) MATRIX(to ".weight") to " = dense(" from ", " to ".weight) : f32[2,8,6]\n"
#define HASH(rounds, twice)                                                                        \
    "layers.0.rotations = param() : f32[2,3," rounds ",3]\n"                                       \
    "b = lsh_hash(q, layers.0.rotations, mask) heads=2 head_size=3 rounds=" rounds                 \
    " factors=4x2 : i32[2,2," rounds ",8] layer=0 trace=buckets\n"                                 \
    "o = lsh_sort(b) : i32[2,2," twice "] layer=0\n"

typedef struct {
    const char *what, *text;
    bool own_tail, masked;
} graph_case_t;

static const graph_case_t cases[] = {
    {"embed", "y = add(x, x) : f32[2,8,6]\n", false, false},
    {"embed, axial",
     "p.0 = param() : f32[2,2]\np.1 = param() : f32[4,4]\n"
     "y = embed(ids, words, p.0, p.1) axial_shape=2x4 : f32[2,8,6]\n",
     false, false},
    {"embed, three axes",
     "p.0 = param() : f32[2,2]\np.1 = param() : f32[3,1]\np.2 = param() : f32[2,3]\n"
     "y = embed(ids, words, p.0, p.1, p.2) axial_shape=2x3x2 : f32[2,8,6]\n",
     false, false},
    {"embed, dropout",
     "y = embed(ids, words, places) axial_shape=none rate=0.25 position_rate=0.5 : f32[2,8,6]\n",
     false, false},
    {"embed, axial, dropout of columns",
     "p.0 = param() : f32[2,2]\np.1 = param() : f32[4,4]\n"
     "y = embed(ids, words, p.0, p.1) axial_shape=2x4 position_rate=0.5 : f32[2,8,6]\n",
     false, false},
    {"embed, three axes, dropout of columns",
     "p.0 = param() : f32[2,2]\np.1 = param() : f32[3,1]\np.2 = param() : f32[2,3]\n"
     "y = embed(ids, words, p.0, p.1, p.2) axial_shape=2x3x2 rate=0.1 position_rate=0.5 : "
     "f32[2,8,6]\n",
     false, false},
    {"embed_from",
     "positions = input() : i32[2]\nmore = param() : f32[11,6]\n"
     "y = embed_from(ids, positions, words, more) axial_shape=none : f32[2,8,6]\n",
     false, false},
    {"embed_from, three axes, dropout of columns",
     "positions = input() : i32[2]\n"
     "p.0 = param() : f32[2,2]\np.1 = param() : f32[3,1]\np.2 = param() : f32[2,3]\n"
     "y = embed_from(ids, positions, words, p.0, p.1, p.2) axial_shape=2x3x2 rate=0.1 "
     "position_rate=0.5 : f32[2,8,6]\n",
     false, false},
    {"dropout",
     "u = dropout(x) axial_shape=none rate=0.3 place=4 : f32[2,8,6] layer=1\n" PROJECT("y", "u"),
     false, false},
    {"dropout of the classifier",
     "classes = param() : f32[3,6]\nf = first_token(x) : f32[2,6]\n"
     "g = dropout(f) axial_shape=none rate=0.5 place=7 : f32[2,6]\n"
     "logits = dense(g, classes) : f32[2,3]\nlabels_f32 = input() : f32[2,3]\n"
     "loss = mse_loss(logits, labels_f32) : f32[]\n",
     true, false},
    {"layer_norm",
     VECTOR("norm") VECTOR("bias") "y = layer_norm(x, norm, bias) eps=0.01 : f32[2,8,6]\n", false,
     false},
    {"rms_norm", VECTOR("norm") "y = rms_norm(x, norm) eps=0.01 : f32[2,8,6]\n", false, false},
    {"dense",
     "w1 = param() : f32[3,6]\nb1 = param() : f32[3]\nu = dense(x, w1, b1) : f32[2,8,3]\n"
     "w2 = param() : f32[6,3]\ny = dense(u, w2) : f32[2,8,6]\n",
     false, false},
    {"a matrix three times",
     MATRIX("w") "u = dense(x, w) : f32[2,8,6]\nv = dense(u, w) : f32[2,8,6]\n"
                 "y = dense(v, w) : f32[2,8,6]\n",
     false, false},
    {"tied embedding",
     "u = dense(x, words) : f32[2,8,9]\nw2 = param() : f32[6,9]\ny = dense(u, w2) : f32[2,8,6]\n",
     false, false},
    {"mul", PROJECT("u", "x") "y = mul(x, u) : f32[2,8,6]\n", false, false},
    {"mul with itself", "y = mul(x, x) : f32[2,8,6]\n", false, false},
    {"a residual that cannot be undone",
     PROJECT("u", "x") "s = add(x, u) : f32[2,8,6]\n" PROJECT("v",
                                                              "s") "y = add(s, v) : f32[2,8,6]\n",
     false, false},
    {"concat",
     PROJECT("u", "x") "c = concat(x, u) : f32[2,8,12]\nw2 = param() : f32[6,12]\n"
                       "y = dense(c, w2) : f32[2,8,6]\n",
     false, false},
    {"a reversible block",
     PROJECT("q", "x") PROJECT("v", "x") HASH(
         "2",
         "16") "s = lsh_attention(q, v, o, mask) heads=2 head_size=3 rounds=2 chunk=2 before=1 after=0 "
               "causal=1 : f32[2,8,6] layer=0\n"
               "y1 = add(x, s) : f32[2,8,6] layer=0\n" VECTOR("norm") "n = rms_norm(y1, norm) eps=0 : f32[2,8,6]\n" PROJECT(
                   "f",
                   "n") "y2 = add(x, f) : f32[2,8,6] layer=0\n"
                        "c = concat(y1, y2) : f32[2,8,12]\nw2 = param() : f32[6,12]\ny = dense(c, w2) : f32[2,8,6]\n",
     false, true},
    {"lsh_attention",
     PROJECT("q", "x") PROJECT("v", "x") HASH(
         "1",
         "8") "y = lsh_attention(q, v, o, mask) heads=2 head_size=3 rounds=1 chunk=2 before=1 after=0 "
              "causal=0 : f32[2,8,6]\n",
     false, false},
    {"lsh_attention, three rounds, causal",
     PROJECT("q", "x") PROJECT("v", "x") HASH(
         "3",
         "24") "y = lsh_attention(q, v, o, mask) heads=2 head_size=3 rounds=3 chunk=2 before=1 after=0 "
               "causal=1 : f32[2,8,6]\n",
     false, true},
    {"lsh_attention, both ways, chunks twice",
     PROJECT("q", "x") PROJECT("v", "x") HASH(
         "2",
         "16") "y = lsh_attention(q, v, o, mask) heads=2 head_size=3 rounds=2 chunk=4 before=2 after=3 "
               "causal=0 : f32[2,8,6]\n",
     false, true},
    {"lsh_attention, dropout",
     PROJECT("q", "x") PROJECT("v", "x") HASH(
         "3",
         "24") "y = lsh_attention(q, v, o, mask) heads=2 head_size=3 rounds=3 chunk=2 before=1 after=1 "
               "causal=0 rate=0.3 : f32[2,8,6] layer=0\n",
     false, true},
    {"local_attention, dropout",
     PROJECT("q", "x") PROJECT("k", "x") PROJECT(
         "v",
         "x") "y = local_attention(q, k, v, mask) heads=3 head_size=2 chunk=4 before=1 after=0 "
              "causal=1 rate=0.3 : f32[2,8,6] layer=3\n",
     false, true},
    {"exact_attention, dropout",
     PROJECT("q", "x") PROJECT(
         "v",
         "x") "y = exact_attention(q, q, v, mask) heads=2 head_size=3 causal=1 shared_qk=1 rate=0.3 : "
              "f32[2,8,6] layer=3\n",
     false, false},
    {"lsh_attention without a mask",
     PROJECT("q", "x") PROJECT(
         "v",
         "x") "layers.0.rotations = param() : f32[2,3,2,1]\n"
              "b = lsh_hash(q, layers.0.rotations) heads=2 head_size=3 rounds=2 factors=2 : i32[2,2,2,8] "
              "layer=0 trace=buckets\n"
              "o = lsh_sort(b) : i32[2,2,16] layer=0\n"
              "y = lsh_attention(q, v, o) heads=2 head_size=3 rounds=2 chunk=2 before=1 after=1 "
              "causal=0 : f32[2,8,6]\n",
     false, false},
    {"local_attention",
     PROJECT("q", "x") PROJECT("k", "x") PROJECT(
         "v",
         "x") "y = local_attention(q, k, v, mask) heads=3 head_size=2 chunk=2 before=1 after=0 "
              "causal=1 : f32[2,8,6]\n",
     false, false},
    {"local_attention, both ways",
     PROJECT("q", "x") PROJECT("k", "x") PROJECT(
         "v",
         "x") "y = local_attention(q, k, v, mask) heads=3 head_size=2 chunk=4 before=1 after=2 "
              "causal=0 : f32[2,8,6]\n",
     false, true},
    {"exact_attention",
     PROJECT("q", "x") PROJECT("k", "x") PROJECT(
         "v",
         "x") "y = exact_attention(q, k, v, mask) heads=2 head_size=3 causal=0 shared_qk=0 : f32[2,8,6]\n",
     false, true},
    {"exact_attention, shared",
     PROJECT("q", "x") PROJECT(
         "v",
         "x") "y = exact_attention(q, q, v, mask) heads=2 head_size=3 causal=1 shared_qk=1 : f32[2,8,6]\n",
     false, false},
    {"exact_attention of one node",
     PROJECT(
         "q",
         "x") "y = exact_attention(q, q, q) heads=1 head_size=6 causal=0 shared_qk=1 : f32[2,8,6]\n",
     false, false},
    {"first_token",
     "classes = param() : f32[3,6]\nf = first_token(x) : f32[2,6]\n"
     "logits = dense(f, classes) : f32[2,3]\nlabels_f32 = input() : f32[2,3]\n"
     "loss = mse_loss(logits, labels_f32) : f32[]\n",
     true, false},
    {"first_token of a slice",
     "classes = param() : f32[3,6]\ns = slice(x) : f32[2,6,6]\nf = first_token(s) : f32[2,6]\n"
     "logits = dense(f, classes) : f32[2,3]\nlabels_f32 = input() : f32[2,3]\n"
     "loss = bce_loss(logits, labels_f32) : f32[]\n",
     true, false},
    {"qa_loss",
     "w2 = param() : f32[2,6]\ns = slice(x) : f32[2,6,6]\nq = dense(s, w2) : f32[2,6,2]\n"
     "start = column(q) shift=0 : f32[2,6]\nend = column(q) shift=1 : f32[2,6]\n"
     "start_positions = input() : i32[2]\nend_positions = input() : i32[2]\n"
     "loss = qa_loss(start, end, start_positions, end_positions) : f32[]\n",
     true, false},
    {"cross_entropy per token",
     "t = param() : f32[4,6]\nz = slice(x) : f32[2,6,6]\nlogits = dense(z, t) : f32[2,6,4]\n"
     "loss = cross_entropy(logits, labels) shift=0 : f32[]\n",
     true, false},
};
enum { N_CASES = sizeof cases / sizeof *cases };

static const int32_t ids[] = {1, 4, 4, 8, 0, 2, 3, 1, 7, 7, 5, 6};
static const int32_t labels[] = {0, 3, -100, 1, 2, 3, 1, 1, 0, -100, 2, 0};
static const uint8_t masks[] = {1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0};
static const float numbers[] = {0.25F, 1, -0.5F, 0, 1, 0.75F};
static const int32_t starts[] = {2, 6}, ends[] = {-1, 5}; /* 6: ignored; -1: 0 */

static const int32_t begins[] = {2, 5}; /* the second row's padding is behind all positions */

static const graph_dropout_t dropout = {.seed = 77, .step = 2, .first_row = 4};

static void open_case(differences_t *x, const char *text, bool own_tail, bool masked,
                      uint64_t seed) {
    begin_differences(x, seed);
    char *whole = arena_printf(x->a, "%s%s%s", head, text, own_tail ? "" : tail);
    x->forward = graph_parse(x->a, "g.txt", whole, strlen(whole), x->d);
    if (!x->forward) fail_msg("%s", messages(x->d));
    x->train = graph_gradient(x->a, x->forward, NULL, x->d);
    if (!x->train) fail_msg("%s", messages(x->d));
    x->io = (reformer_io_t){.size = sizeof(reformer_io_t),
                            .input_ids = ids,
                            .attention_mask = masked ? masks : NULL,
                            .batch = 2,
                            .length = 6,
                            .labels = labels,
                            .labels_f32 = numbers,
                            .start_positions = starts,
                            .end_positions = ends};
    if (graph_next(x->forward, G_EMBED_FROM, NULL)) x->io.positions = begins;
    x->dropout = &dropout;
    draw_params(x);
    impose_buckets(x);
}

static bool has_node(const graph_t *g, gop_t op) {
    return graph_next(g, op, NULL) != NULL;
}

/* Prints what each was off by, over what is allowed. */
static void check(const char *what, differences_t *x) {
    compare_all(x);
    printf("%-40s %.4f of what is allowed (%s)\n", what, x->worst, x->of);
    if (!(x->worst <= 1)) fail_msg("%s: %s is off by %g of what is allowed", what, x->of, x->worst);
}

static void test_ops(void **unused) {
    (void)unused;
    bool seen[G_COUNT] = {false};
    for (size_t i = 0; i < N_CASES; i++) {
        differences_t x;
        open_case(&x, cases[i].text, cases[i].own_tail, cases[i].masked, 7 + i);
        check(cases[i].what, &x);
        for (int op = 0; op < G_COUNT; op++) seen[op] |= has_node(x.train, (gop_t)op);
        end_differences(&x);
    }
    seen[G_ACTIVATION] = seen[G_ACTIVATION_GRAD] = true; /* below */
    seen[G_ROUND] = true; /* steps, whose gradient is not that of differences: test_dtype_train.c */
    static const char *const rules[G_COUNT] = {
#define X(op, name, kind, inputs, attributes, doc, shape, evaluate, grad) [G_##op] = #grad,
#include "graph/ops.def"
#undef X
    };
    for (int op = 0; op < G_COUNT; op++) {
        bool none = strcmp(rules[op], "constant") == 0 || strcmp(rules[op], "none") == 0;
        if (!none && !seen[op]) fail_msg("no graph holds %s", graph_op_name((gop_t)op));
    }
}

/* Where they have no corner: the four points of a difference lie on one side. */
static void test_activations(void **unused) {
    (void)unused;
    for (int act = 0; act < ACT_COUNT; act++) {
        differences_t x;
        char text[400];
        snprintf(text, sizeof text,
                 MATRIX("w") "u = dense(x, w) : f32[2,8,6]\nv = add(u, u) : f32[2,8,6]\n"
                             "a = add(v, v) : f32[2,8,6]\n"
                             "y = activation(a) act=%s : f32[2,8,6]\n",
                 act_name((act_t)act));
        open_case(&x, text, false, false, 100 + (uint64_t)act);
        check(act_name((act_t)act), &x);
        end_differences(&x);
    }
}

/* Rows whose squares overflow single precision: a norm is its bias there, and does not change with them. */
static void test_norms_of_huge_rows(void **unused) {
    (void)unused;
    static const char *const texts[] = {
        VECTOR("norm") VECTOR("bias") "y = layer_norm(x, norm, bias) eps=0.01 : f32[2,8,6]\n",
        VECTOR("norm") VECTOR("shift") "n = rms_norm(x, norm) eps=0.01 : f32[2,8,6]\n"
                                       "y = layer_norm(n, norm, shift) eps=1 : f32[2,8,6]\n"};
    for (int i = 0; i < 2; i++) {
        differences_t x;
        open_case(&x, texts[i], false, false, 3);
        int words = index_of(&x, "words");
        for (int64_t k = 0; k < count_of(x.params[words]); k++) x.values[words][k] *= 0x1p70F;
        check("norms of huge rows", &x);
        for (int64_t k = 0; k < count_of(x.params[words]); k++)
            assert_true(x.gradients[words][k] == 0);
        end_differences(&x);
    }
}

/* A gradient with one wrong sign is found. */
static void test_that_it_can_fail(void **unused) {
    (void)unused;
    differences_t x;
    open_case(&x, cases[N_CASES - 1].text, true, false, 1);
    compare_all(&x);
    for (int i = 0; i < x.n_params; i++) {
        double *max = x.gradients[i];
        for (int64_t k = 1; k < count_of(x.params[i]); k++)
            if (fabs(x.gradients[i][k]) > fabs(*max)) max = &x.gradients[i][k];
        *max = -*max;
        double error = 0; /* a direction may leave an element out */
        for (int again = 0; again < 5; again++) error = fmax(error, compare_param(&x, i));
        assert_true(error > 1000);
    }
    end_differences(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ops),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_norms_of_huge_rows),
        cmocka_unit_test(test_that_it_can_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
