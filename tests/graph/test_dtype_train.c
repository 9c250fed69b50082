/* Train steps of bfloat16: what is rounded of a forward that is derived, what its derivative rounds, and what comes of it. */
#include <math.h>

#include "rounded.h"
#include "support/bf16.h"

/* ---- what is rounded ------------------------------------------------------------------------------- */

static gtype_t type_of(const gnode_t *n, int k) {
    return n->in[k]->type;
}

static bool is_product(const gnode_t *n) {
    return n->op == G_DENSE || n->op == G_DENSE_T || n->op == G_OUTER;
}

/* Input k is an operand of an attention, of its log-sum-exp or of its gradient. */
static bool is_attended(const gnode_t *n, int k) {
    bool lsh = n->op == G_LSH_ATTENTION || n->op == G_LSH_ATTENTION_GRAD, lse = n->op == G_LSH_LSE;
    if (lse || n->op == G_LOCAL_LSE || n->op == G_EXACT_LSE) return k < (lse ? 1 : 2);
    int first = graph_is_attention_gradient(n) ? 3 : 0, operands = lsh ? 2 : 3;
    bool attends = first || graph_is_attention(n);
    return attends && k >= first && k < first + operands;
}

/* Both factors of all products of dense layers and operands of attentions, and nothing else; a gradient is rounded for one
 * layer, once. */
static void assert_train_step(const graph_t *g) {
    int products = 0, rounded = 0, gradients = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        bool product = is_product(n);
        if (product) assert_true(type_of(n, 0) == G_BF16 && type_of(n, 1) == G_BF16);
        if (n->op == G_OUTER) assert_true(n->in[0]->op == G_ROUND && n->in[1]->op == G_ROUND);
        for (int k = 0; k < n->n_in && !product && n->op != G_SUM_ROWS && n->op != G_GRADIENT; k++)
            assert_true(!n->in[k] || (type_of(n, k) == G_BF16) == is_attended(n, k));
        if (n->op != G_ROUND && n->op != G_PARAM) assert_true(n->type != G_BF16);
        if (n->op == G_GRADIENT) gradients++, assert_true(n->type == G_F32);
        products += n->op == G_OUTER;
        rounded += n->op == G_ROUND && strncmp(n->name, "rounded.", 8) == 0;
    }
    assert_true(products > 0 && gradients > products);
    assert_int_equal(rounded, products);
}

static void test_train_steps(void **unused) {
    (void)unused;
    for (int arch = ARCH_CAUSAL_LM; arch <= ARCH_QA; arch++)
        for (int i = 0; i < 4; i++) {
            spec_t spec = small_spec((arch_t)arch);
            spec.extensions.feed_forward_gate = i % 2;
            graph_options_t o = {.batch = 2, .length = i < 2 ? 64 : 50};
            arena_t *a = arena_new();
            diag_t *d = diag_new();
            graph_t *g = must(graph_build(a, &spec, &o, d), d);
            assert_ptr_equal(graph_with_train_dtype(a, g, DTYPE_FLOAT32, d), g);
            graph_t *b = must(graph_with_train_dtype(a, g, DTYPE_BFLOAT16, d), d);
            assert_train_step(must(graph_gradient(a, b, NULL, d), d));
            diag_free(d);
            arena_free(a);
        }
}

/* ---- what comes of it ------------------------------------------------------------------------------ */

enum { ROWS = 2, IN = 6, OUT = 3 };

static const char text[] = "graph batch=2 length=4 padded=4\n"
                           "input_ids = input() : i32[2,4]\n"
                           "labels_f32 = input() : f32[2,3]\n"
                           "ids = pad_ids(input_ids) pad_token=0 : i32[2,4]\n"
                           "words = param() : f32[9,6]\n"
                           "p = param() : f32[6,6]\n"
                           "w = param() : bf16[3,6]\n"
                           "b = param() : f32[3]\n"
                           "x = embed(ids, words, p) axial_shape=none : f32[2,4,6]\n"
                           "f = first_token(x) : f32[2,6]\n"
                           "r = round(f) : bf16[2,6]\n"
                           "logits = dense(r, w, b) : f32[2,3]\n"
                           "loss = mse_loss(logits, labels_f32) : f32[]\n";

typedef struct {
    double w[OUT][IN], b[OUT], words[9][IN];
} gradients_t;

static void take(void *ctx, const gnode_t *n, const double *values, int64_t elements) {
    gradients_t *g = ctx;
    if (n->op != G_GRADIENT) return;
    const char *name = n->in[1]->name;
    double *to = strcmp(name, "w") == 0       ? &g->w[0][0]
                 : strcmp(name, "b") == 0     ? g->b
                 : strcmp(name, "words") == 0 ? &g->words[0][0]
                                              : NULL;
    if (to) memcpy(to, values, (size_t)elements * sizeof *to);
}

static double rounded(double x) {
    return bf16_round((float)x);
}

/* The same by hand. */
static void derive(weights_t *of, const int32_t *ids, const float *labels, gradients_t *g) {
    const float *words = small_weights(of, "words"), *p = small_weights(of, "p"),
                *w = small_weights(of, "w"), *b = small_weights(of, "b");
    for (int row = 0; row < ROWS; row++)
        for (int o = 0; o < OUT; o++) {
            double y = b[o], x[IN];
            for (int i = 0; i < IN; i++) {
                x[i] = rounded((double)p[i] + words[ids[row * 4] * IN + i]);
                y += x[i] * rounded(w[o * IN + i]);
            }
            double dy = rounded(2 * (y - (double)labels[row * OUT + o]) / (ROWS * OUT));
            g->b[o] += dy;
            for (int i = 0; i < IN; i++) {
                g->w[o][i] += dy * x[i];
                g->words[ids[row * 4]][i] += dy * rounded(w[o * IN + i]);
            }
        }
}

static void assert_near(const double *x, const double *y, int n) {
    for (int i = 0; i < n; i++) assert_true(fabs(x[i] - y[i]) < 1e-13);
}

static void test_by_hand(void **unused) {
    (void)unused;
    static const int32_t ids[ROWS * 4] = {3, 1, 0, 2, 7, 5, 5, 1};
    static const float labels[ROWS * OUT] = {0.3F, -0.7F, 0.11F, 0.9F, 0.2F, -0.4F};
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    graph_t *g = must(graph_parse(a, "g.txt", text, strlen(text), d), d);
    graph_t *train = must(graph_gradient(a, g, NULL, d), d);
    weights_t w = {.g = train, .a = a};
    gradients_t ours = {0}, want = {0};
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .labels_f32 = labels, .batch = ROWS, .length = 4};
    assert_int_equal(
        graph_evaluate_gradients(train, small_weights, &w, &io, NULL, false, take, &ours),
        REFORMER_OK);
    derive(&w, ids, labels, &want);
    assert_near(&ours.w[0][0], &want.w[0][0], OUT * IN);
    assert_near(ours.b, want.b, OUT);
    assert_near(&ours.words[0][0], &want.words[0][0], 9 * IN);
    diag_free(d);
    arena_free(a);
}

/* ---- beside float32 -------------------------------------------------------------------------------- */

enum { TOKENS = 64 };

/* Of all gradients: the squares of what they are, of both, and of what they differ by. */
typedef struct {
    double *at;
    size_t n;
} all_t;

static void take_all(void *ctx, const gnode_t *n, const double *values, int64_t elements) {
    all_t *all = ctx;
    if (n->op != G_GRADIENT) return;
    memcpy(all->at + all->n, values, (size_t)elements * sizeof *values);
    all->n += (size_t)elements;
}

static void evaluate(arena_t *a, graph_t *g, all_t *all, diag_t *d) {
    int32_t ids[TOKENS];
    for (int i = 0; i < TOKENS; i++) ids[i] = 1 + (i * 7 + i / 5) % 11;
    graph_t *train = must(graph_gradient(a, g, NULL, d), d);
    weights_t w = {.g = train, .a = a};
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .labels = ids, .batch = 1, .length = TOKENS};
    all->at = ARENA_ARRAY(a, double, 100000);
    assert_int_equal(
        graph_evaluate_gradients(train, small_weights, &w, &io, NULL, false, take_all, all),
        REFORMER_OK);
}

/* Near float32's, and not the same. */
static void test_near_float32(void **unused) {
    (void)unused;
    static layer_kind_t local[] = {LAYER_LOCAL, LAYER_LOCAL}; /* nothing falls into other buckets */
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    spec.attn_layers = local;
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    graph_options_t o = {.batch = 1, .length = TOKENS};
    graph_t *g = must(graph_build(a, &spec, &o, d), d);
    all_t plain = {0}, bf16 = {0};
    evaluate(a, g, &plain, d);
    evaluate(a, must(graph_with_train_dtype(a, g, DTYPE_BFLOAT16, d), d), &bf16, d);
    assert_int_equal(plain.n, bf16.n);
    double squares = 0, apart = 0;
    for (size_t i = 0; i < plain.n; i++) {
        squares += plain.at[i] * plain.at[i];
        apart += (plain.at[i] - bf16.at[i]) * (plain.at[i] - bf16.at[i]);
    }
    assert_true(sqrt(apart) > 1e-4 * sqrt(squares) && sqrt(apart) < 0.02 * sqrt(squares));
    diag_free(d);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_steps),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_near_float32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
