/* The evaluator as a whole: inputs shorter than the graph, batches, outputs, losses, imposed
 * buckets, traces, errors; and its simple ops on numbers worked out by hand. */
#include <math.h>

#include "graph/evaluate_ops.h"
#include "small.h"

enum { WIDE = 32, VOCAB = 12, MAX_TOKENS = 3 * 64 };

/* A model, an input, all outputs. */
typedef struct {
    arena_t *a;
    diag_t *d;
    spec_t spec;
    graph_t *g;
    weights_t w;
    int32_t ids[MAX_TOKENS], labels[MAX_TOKENS], first[3], last[3];
    uint8_t mask[MAX_TOKENS];
    float hidden[MAX_TOKENS * WIDE], logits[MAX_TOKENS * VOCAB], start[MAX_TOKENS], end[MAX_TOKENS];
    float labels_f32[3 * 3], loss, token_losses[MAX_TOKENS];
    reformer_io_t io;
} model_t;

static void build(model_t *m, int64_t batch, int64_t length) {
    m->g = graph_build(m->a, &m->spec, &(graph_options_t){.batch = batch, .length = length}, m->d);
    assert_non_null(m->g);
    m->w.g = m->g;
}

static model_t *begin(spec_t spec, int64_t batch, int64_t length) {
    model_t *m = calloc(1, sizeof *m);
    m->a = arena_new();
    m->d = diag_new();
    m->spec = spec;
    m->w.a = m->a;
    build(m, batch, length);
    for (int i = 0; i < MAX_TOKENS; i++) {
        m->ids[i] = 1 + (i * 7 + i / 5) % 11;
        m->labels[i] = (i * 5 + 3) % VOCAB;
        m->mask[i] = 1;
    }
    m->io = (reformer_io_t){.size = sizeof(reformer_io_t),
                            .input_ids = m->ids,
                            .batch = (size_t)batch,
                            .length = (size_t)length,
                            .last_hidden_state = m->hidden};
    arch_t arch = spec.architecture;
    if (arch == ARCH_CAUSAL_LM || arch == ARCH_MASKED_LM || arch == ARCH_CLASSIFIER)
        m->io.logits = m->logits;
    if (arch == ARCH_QA) m->io.start_logits = m->start;
    if (arch == ARCH_QA) m->io.end_logits = m->end;
    return m;
}

static void end(model_t *m) {
    diag_free(m->d);
    arena_free(m->a);
    free(m);
}

static int evaluate(model_t *m) {
    return graph_evaluate(m->g, small_weights, &m->w, &m->io, false);
}

static void run(model_t *m) {
    assert_int_equal(evaluate(m), REFORMER_OK);
}

static void assert_near(double have, double want, double tolerance) {
    if (!(fabs(have - want) <= tolerance)) fail_msg("%.9g, not %.9g", have, want);
}

static void assert_same_floats(const float *x, const float *y, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (x[i] != y[i]) fail_msg("element %d: %.9g, not %.9g", (int)i, x[i], y[i]);
}

/* ---- lengths and batches ------------------------------------------------------------------- */

/* 37 tokens in a graph of 64 = 64 tokens of which 27 are padding, masked. */
static void test_shorter_input(void **unused) {
    (void)unused;
    model_t *m = begin(small_spec(ARCH_MASKED_LM), 2, 64), *full = begin(m->spec, 2, 64);
    m->io.length = 37;
    full->io.attention_mask = full->mask;
    for (int b = 0; b < 2; b++)
        for (int t = 0; t < 64; t++) {
            full->ids[b * 64 + t] = t < 37 ? m->ids[b * 37 + t] : 0;
            full->mask[b * 64 + t] = t < 37;
        }
    run(m);
    run(full);
    for (int b = 0; b < 2; b++) {
        assert_same_floats(m->hidden + b * 37 * WIDE, full->hidden + b * 64 * WIDE, 37 * WIDE);
        assert_same_floats(m->logits + b * 37 * VOCAB, full->logits + b * 64 * VOCAB, 37 * VOCAB);
    }
    end(m);
    end(full);
}

/* 50 tokens are padded to 56 by the model itself. */
static void test_auto_padding(void **unused) {
    (void)unused;
    model_t *m = begin(small_spec(ARCH_CAUSAL_LM), 1, 50), *full = begin(m->spec, 1, 56);
    full->io.length = 50;
    run(m);
    run(full);
    assert_same_floats(m->logits, full->logits, 50 * VOCAB);
    end(m);
    end(full);
}

/* Rows do not know of each other, unless one of them has padding. */
static void test_rows(void **unused) {
    (void)unused;
    model_t *m = begin(small_spec(ARCH_BASE), 3, 40), *one = begin(m->spec, 3, 40);
    memcpy(one->ids, m->ids + 40, 40 * sizeof *one->ids);
    one->io.batch = 1;
    run(m);
    run(one);
    assert_same_floats(m->hidden + (ptrdiff_t)40 * WIDE, one->hidden, 40 * WIDE);
    end(m);
    end(one);
}

static void test_no_batch_is_the_graphs(void **unused) {
    (void)unused;
    model_t *m = begin(small_spec(ARCH_BASE), 2, 16);
    m->io.batch = 0;
    run(m);
    assert_true(m->hidden[16 * WIDE] != 0);
    assert_true(m->hidden[2 * 16 * WIDE] == 0);
    end(m);
}

/* What padding holds does not reach a token; what a token holds does. */
static void test_padding_is_not_seen(void **unused) {
    (void)unused;
    model_t *m = begin(small_spec(ARCH_MASKED_LM), 1, 64), *other = begin(m->spec, 1, 64);
    m->io.attention_mask = m->mask;
    other->io.attention_mask = other->mask;
    for (int t = 40; t < 64; t++) m->mask[t] = other->mask[t] = 0;
    for (int t = 40; t < 64; t++) other->ids[t] = 1 + (m->ids[t] + 4) % 11;
    run(m);
    run(other);
    assert_same_floats(m->logits, other->logits, 40 * VOCAB);
    assert_true(m->logits[41 * VOCAB] != other->logits[41 * VOCAB]);
    end(m);
    end(other);
}

static void test_causal(void **unused) {
    (void)unused;
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    static layer_kind_t local[] = {LAYER_LOCAL, LAYER_LOCAL};
    spec.attn_layers = local; /* hashing would let later tokens move earlier ones to other chunks */
    model_t *m = begin(spec, 1, 64), *other = begin(spec, 1, 64);
    other->ids[30] = m->ids[30] % 11 + 1;
    run(m);
    run(other);
    assert_same_floats(m->logits, other->logits, 30 * VOCAB);
    assert_true(m->logits[30 * VOCAB] != other->logits[30 * VOCAB]);
    assert_true(m->logits[31 * VOCAB] != other->logits[31 * VOCAB]);
    end(m);
    end(other);
}

/* ---- losses -------------------------------------------------------------------------------- */

static double nll(const float *logits, int64_t n, int64_t target) {
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += exp((double)logits[k]);
    return log(sum) - logits[target];
}

static void test_lm_loss(void **unused) {
    (void)unused;
    for (int causal = 0; causal < 2; causal++) {
        model_t *m = begin(small_spec(causal ? ARCH_CAUSAL_LM : ARCH_MASKED_LM), 2, 20);
        m->io.labels = m->labels;
        m->io.loss = &m->loss;
        m->io.length = 18; /* the graph is longer: labels are not */
        m->labels[4] = m->labels[20] = -100;
        run(m);
        double sum = 0, count = 0;
        for (int b = 0; b < 2; b++)
            for (int t = causal; t < 18; t++) {
                int32_t label = m->labels[b * 18 + t];
                if (label == -100) continue;
                sum += nll(m->logits + (b * 18 + t - causal) * VOCAB, VOCAB, label);
                count++;
            }
        assert_near(m->loss, sum / count, 1e-6);
        for (int i = 0; i < 36; i++) m->labels[i] = -100;
        run(m);
        assert_true(isnan(m->loss));
        m->labels[0] = VOCAB;
        assert_int_equal(evaluate(m), REFORMER_E_LABEL);
        m->io.labels = NULL;
        assert_int_equal(evaluate(m), REFORMER_E_ARGUMENT);
        end(m);
    }
}

/* Each stands at the token that predicts; they are there with the mean and without it. */
static void test_token_losses(void **unused) {
    (void)unused;
    for (int causal = 0; causal < 2; causal++) {
        model_t *m = begin(small_spec(causal ? ARCH_CAUSAL_LM : ARCH_MASKED_LM), 2, 20);
        m->io.labels = m->labels;
        m->io.token_losses = m->token_losses;
        m->io.length = 18;
        m->labels[4] = m->labels[20] = -100;
        for (int i = 0; i < 36; i++) m->token_losses[i] = -1;
        run(m);
        for (int i = 0; i < 36; i++) {
            bool last = causal && i % 18 == 17;
            int32_t label = last ? -100 : m->labels[i + causal];
            assert_near(m->token_losses[i],
                        label == -100 ? 0 : nll(m->logits + i * VOCAB, VOCAB, label), 1e-6);
        }
        assert_true(m->loss == 0);
        m->io.loss = &m->loss;
        run(m);
        double sum = 0;
        for (int i = 0; i < 36; i++) sum += m->token_losses[i];
        assert_near(m->loss, sum / (causal ? 32 : 34), 1e-6);
        m->io.labels = NULL;
        assert_int_equal(evaluate(m), REFORMER_E_ARGUMENT);
        end(m);
    }
}

/* Models without a loss per token. */
static void test_no_token_losses(void **unused) {
    (void)unused;
    static const arch_t archs[] = {ARCH_BASE, ARCH_CLASSIFIER, ARCH_QA};
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        model_t *m = begin(small_spec(archs[i]), 2, 20);
        m->io.token_losses = m->token_losses;
        assert_int_equal(evaluate(m), REFORMER_E_OUTPUT);
        end(m);
    }
}

static model_t *classifier(int64_t labels) {
    spec_t spec = small_spec(ARCH_CLASSIFIER);
    spec.num_labels = labels;
    model_t *m = begin(spec, 2, 24);
    m->io.loss = &m->loss;
    for (int i = 0; i < 9; i++) m->labels_f32[i] = (float)(i % 3) / 2;
    return m;
}

static void test_class_loss(void **unused) {
    (void)unused;
    model_t *m = classifier(3);
    m->labels[0] = 2;
    m->labels[1] = 0;
    m->io.labels = m->labels;
    run(m);
    assert_near(m->loss, (nll(m->logits, 3, 2) + nll(m->logits + 3, 3, 0)) / 2, 1e-6);
    m->labels[1] = -100;
    run(m);
    assert_near(m->loss, nll(m->logits, 3, 2), 1e-6);
    m->labels[1] = 3;
    assert_int_equal(evaluate(m), REFORMER_E_LABEL);
    m->io.labels_f32 = m->labels_f32;
    assert_int_equal(evaluate(m), REFORMER_E_ARGUMENT); /* which of the two? */
    m->io.labels = NULL;
    run(m);
    double sum = 0;
    for (int i = 0; i < 6; i++) {
        double p = 1 / (1 + exp(-(double)m->logits[i]));
        sum -= m->labels_f32[i] * log(p) + (1 - m->labels_f32[i]) * log(1 - p);
    }
    assert_near(m->loss, sum / 6, 1e-6);
    end(m);
}

static void test_regression_loss(void **unused) {
    (void)unused;
    model_t *m = classifier(1);
    m->io.labels_f32 = m->labels_f32;
    run(m);
    double d0 = m->logits[0] - 0.0, d1 = m->logits[1] - 0.5;
    assert_near(m->loss, (d0 * d0 + d1 * d1) / 2, 1e-6);
    m->io.labels_f32 = NULL;
    m->io.labels = m->labels;
    m->labels[0] = -100; /* a number like any other */
    m->labels[1] = 2;
    run(m);
    d0 = m->logits[0] + 100.0;
    d1 = m->logits[1] - 2.0;
    assert_near(m->loss, (d0 * d0 + d1 * d1) / 2, 1e-3);
    end(m);
}

/* Positions are clamped to 0 … S, S is ignored; S is the graph's length, or the input's. */
static void test_qa_loss(void **unused) {
    (void)unused;
    model_t *m = begin(small_spec(ARCH_QA), 2, 24), *full = begin(m->spec, 2, 24);
    m->io.length = 21;
    m->io.loss = &m->loss;
    m->io.start_positions = m->first;
    m->io.end_positions = m->last;
    m->first[0] = 3;
    m->first[1] = -7;
    m->last[0] = 20;
    m->last[1] = 24;
    full->io.attention_mask = full->mask;
    for (int i = 0; i < 48; i++) {
        full->mask[i] = i % 24 < 21;
        full->ids[i] = i % 24 < 21 ? m->ids[i / 24 * 21 + i % 24] : 0;
    }
    run(m);
    run(full);
    double start = (nll(full->start, 24, 3) + nll(full->start + 24, 24, 0)) / 2;
    assert_near(m->loss, (start + nll(full->end, 24, 20)) / 2, 1e-6);
    assert_int_equal(graph_evaluate(m->g, small_weights, &m->w, &m->io, true), REFORMER_OK);
    start = (nll(m->start, 21, 3) + nll(m->start + 21, 21, 0)) / 2;
    assert_near(m->loss, (start + nll(m->end, 21, 20)) / 2, 1e-6);
    m->last[0] = 1000;
    run(m);
    assert_true(isnan(m->loss)); /* no end position left */
    end(m);
    end(full);
}

/* ---- traces, buckets, margins -------------------------------------------------------------- */

typedef struct {
    int seen;
    int32_t buckets[4][2 * 2 * 2 * 64];
    int64_t n_buckets;
    float y1_first, attention_first, before;
} traces_t;

static void record(void *ctx, const char *name, const void *data, int dtype, const int64_t *shape,
                   int rank) {
    traces_t *t = ctx;
    t->seen++;
    assert_int_equal(shape[0], 2);
    if (strstr(name, "buckets")) {
        assert_int_equal(dtype, REFORMER_I32);
        assert_int_equal(rank, 4);
        assert_int_equal(shape[3], 56);
        memcpy(t->buckets[t->n_buckets++], data, sizeof(int32_t) * 2 * 2 * 2 * 56);
    } else if (strstr(name, "sorted_idx")) {
        assert_int_equal(dtype, REFORMER_I32);
        assert_int_equal(shape[2], 112);
    } else {
        assert_int_equal(dtype, REFORMER_F32);
        assert_int_equal(shape[1], 56);
        assert_int_equal(shape[2], 16);
    }
    if (strcmp(name, "embeddings") == 0) t->before = *(const float *)data;
    if (strcmp(name, "layers.0.attention") == 0) t->attention_first = *(const float *)data;
    if (strcmp(name, "layers.0.y1") == 0) t->y1_first = *(const float *)data;
}

static model_t *two_lsh_layers(traces_t *t) {
    spec_t spec = small_spec(ARCH_BASE);
    static layer_kind_t lsh[] = {LAYER_LSH, LAYER_LOCAL, LAYER_LSH};
    spec.attn_layers = lsh;
    spec.n_layers = 3;
    model_t *m = begin(spec, 3, 50);
    m->io.batch = 2;
    m->io.trace = record;
    m->io.trace_ctx = t;
    return m;
}

static void test_traces(void **unused) {
    (void)unused;
    traces_t t = {0};
    model_t *m = two_lsh_layers(&t);
    run(m);
    assert_int_equal(t.seen, 1 + 3 * 5 + 2 * 2);
    assert_int_equal(t.n_buckets, 2);
    assert_near(t.y1_first, (double)t.before + t.attention_first, 1e-6);
    end(m);
}

/* Imposing what was hashed changes nothing; imposing something else changes that layer only. */
static void test_imposed_buckets(void **unused) {
    (void)unused;
    traces_t t = {0};
    model_t *m = two_lsh_layers(&t);
    run(m);
    float *before = arena_copy(m->a, m->hidden, sizeof m->hidden);
    int64_t per_row = (int64_t)2 * 2 * 56, per_layer = 3 * per_row; /* laid out for 3 rows */
    int32_t *imposed = ARENA_ARRAY(m->a, int32_t, 2 * per_layer);
    for (int layer = 0; layer < 2; layer++)
        memcpy(imposed + layer * per_layer, t.buckets[layer],
               sizeof(int32_t) * 2 * (size_t)per_row);
    m->io.buckets = imposed;
    t.n_buckets = 0;
    run(m);
    assert_same_floats(m->hidden, before, 2 * 50 * WIDE);
    for (int64_t i = 0; i < per_row; i++) /* 5 values a round: 4 buckets and padding */
        imposed[i] = imposed[i] / 5 * 5 + (int32_t)(i % 3);
    m->io.buckets_given = (const uint8_t[]){0, 1};
    t.n_buckets = 0;
    run(m);
    assert_same_floats(m->hidden, before, 2 * 50 * WIDE);
    m->io.buckets_given = (const uint8_t[]){1, 0};
    t.n_buckets = 0;
    run(m);
    assert_true(memcmp(m->hidden, before, 50 * WIDE * sizeof(float)) != 0);
    assert_same_floats(m->hidden + (ptrdiff_t)50 * WIDE, before + (ptrdiff_t)50 * WIDE, 50 * WIDE);
    assert_memory_equal(t.buckets[0], imposed, sizeof(int32_t) * (size_t)per_row);
    imposed[3] = 5; /* of round 1 */
    t.n_buckets = 0;
    assert_int_equal(evaluate(m), REFORMER_E_ARGUMENT);
    imposed[3] = -1;
    assert_int_equal(evaluate(m), REFORMER_E_ARGUMENT);
    imposed[3] = 0;
    imposed[56] = 4; /* round 1 starts at 5 */
    assert_int_equal(evaluate(m), REFORMER_E_ARGUMENT);
    m->io.buckets = NULL;
    assert_int_equal(evaluate(m), REFORMER_E_ARGUMENT);
    end(m);
}

typedef struct {
    int calls;
    int64_t infinite, negative;
} margins_t;

static void count_margins(void *ctx, const gnode_t *hash, const float *margin, int64_t n) {
    margins_t *c = ctx;
    c->calls++;
    assert_int_equal(hash->op, G_LSH_HASH);
    assert_int_equal(n, 2 * 2 * 2 * 56);
    for (int64_t i = 0; i < n; i++) {
        c->infinite += isinf(margin[i]) ? 1 : 0;
        c->negative += margin[i] < 0;
    }
}

static void test_margins(void **unused) {
    (void)unused;
    traces_t t = {0};
    margins_t c = {0};
    model_t *m = two_lsh_layers(&t);
    int error = graph_hash_margins(m->g, small_weights, &m->w, &m->io, NULL, count_margins, &c);
    assert_int_equal(error, REFORMER_OK);
    assert_int_equal(c.calls, 2);
    assert_int_equal(c.infinite, 2 * 2 * 2 * 2 * 6); /* layers, rows, heads, rounds, padding */
    assert_int_equal(c.negative, 0);
    assert_int_equal(t.seen, 0);
    end(m);
}

/* ---- errors -------------------------------------------------------------------------------- */

static void test_errors(void **unused) {
    (void)unused;
    model_t *m = begin(small_spec(ARCH_BASE), 2, 24);
    reformer_io_t good = m->io;
    m->ids[30] = VOCAB;
    assert_int_equal(evaluate(m), REFORMER_E_TOKEN);
    m->ids[30] = -1;
    assert_int_equal(evaluate(m), REFORMER_E_TOKEN);
    m->ids[30] = 1;
    m->io.length = 25;
    assert_int_equal(evaluate(m), REFORMER_E_LENGTH);
    m->io.length = 0;
    assert_int_equal(evaluate(m), REFORMER_E_LENGTH);
    m->io = good;
    m->io.batch = 3;
    assert_int_equal(evaluate(m), REFORMER_E_BATCH);
    m->io = good;
    m->io.logits = m->logits;
    assert_int_equal(evaluate(m), REFORMER_E_OUTPUT);
    m->io = good;
    m->io.loss = &m->loss;
    assert_int_equal(evaluate(m), REFORMER_E_OUTPUT);
    m->io = good;
    m->io.input_ids = NULL;
    assert_int_equal(evaluate(m), REFORMER_E_ARGUMENT);
    m->io = good;
    run(m);
    end(m);
}

/* ---- simple ops ---------------------------------------------------------------------------- */

/* One op on values made by hand. */
typedef struct {
    gnode_t op, nodes[4];
    eval_value_t values[5];
    graph_t g;
    reformer_io_t io;
    eval_t e;
} single_t;

static void single(single_t *s, eval_fn *fn, int n_in, double *out, int64_t elements) {
    s->e.values = s->values;
    s->e.g = &s->g;
    s->e.io = &s->io;
    s->op.n_in = n_in;
    for (int i = 0; i < n_in; i++) s->op.in[i] = &s->nodes[i];
    for (int i = 0; i < n_in; i++) s->nodes[i].id = i;
    s->op.id = 4;
    s->values[4] = (eval_value_t){.f = out, .elements = elements};
    assert_int_equal(fn(&s->e, &s->op, &s->values[4]), REFORMER_OK);
}

/* Values from tables of the functions, not from these formulas. */
static void test_activations(void **unused) {
    (void)unused;
    static const struct {
        act_t act;
        double x, y;
    } cases[] = {
        {ACT_RELU, -1, 0},
        {ACT_RELU, 1.5, 1.5},
        {ACT_GELU, 1, 0.8413447460685429},
        {ACT_GELU, -1, -0.15865525393145707},
        {ACT_GELU_PYTHON, 1, 0.8413447460685429},
        {ACT_GELU_NEW, 1, 0.8411919906082768},
        {ACT_GELU_PYTORCH_TANH, 1, 0.8411919906082768},
        {ACT_GELU_FAST, 1, 0.8411919906},
        {ACT_SILU, 1, 0.7310585786300049},
        {ACT_SILU, -800, 0},
        {ACT_GELU_10, 20, 10},
        {ACT_GELU_10, -20, 0},
        {ACT_QUICK_GELU, 1, 0.8457957659328212},
        {ACT_MISH, 1, 0.8650983882673103},
        {ACT_MISH, 1000, 1000},
        {ACT_LINEAR, -3, -3},
        {ACT_RELU6, 7, 6},
        {ACT_RELU6, -7, 0},
        {ACT_SIGMOID, 0.5, 0.6224593312018546},
        {ACT_TANH, 0.5, 0.46211715726000975},
        {ACT_LAPLACE, 0.25, 0.052573090251858634},
        {ACT_LAPLACE, 1, 0.8504296492845703},
        {ACT_SQRTSOFTPLUS, -10, 0.006737870525385943},
        {ACT_SQRTSOFTPLUS, 0.5, 0.9869533850086876},
        {ACT_LEAKY_RELU, -2, -0.02},
        {ACT_LEAKY_RELU, 2, 2},
        {ACT_RELU2, 1.5, 2.25},
        {ACT_RELU2, -1.5, 0},
        {ACT_HARDSWISH, 1, 0.6666666666666666},
        {ACT_HARDSWISH, -4, 0},
        {ACT_HARDSWISH, 5, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double x = cases[i].x, y;
        single_t s = {.op.act = cases[i].act, .values[0] = {.f = &x, .elements = 1}};
        single(&s, eval_activation, 1, &y, 1);
        assert_near(y, cases[i].y, 1e-9);
    }
}

static void test_layer_norm(void **unused) {
    (void)unused;
    double x[] = {1, 2, 3, 6, /* */ 5, 5, 5, 5}, y[8];
    const float weight[] = {1, 2, 1, 1}, bias[] = {0, 0, 0, 10};
    single_t s = {.op.eps = 0.5,
                  .values = {{.f = x, .elements = 8},
                             {.w = weight, .elements = 4},
                             {.w = bias, .elements = 4}}};
    single(&s, eval_layer_norm, 3, y, 8);
    /* mean 3, variance 14 / 4 = 3.5, plus 0.5: root 2 */
    static const double want[] = {-1, -1, 0, 11.5, 0, 0, 0, 10};
    for (int i = 0; i < 8; i++) assert_near(y[i], want[i], 1e-12);
}

/* A sum of squares beyond single precision scales by 0, as Hugging Face's does: what is left is the bias. Rows
 * of 1e19 sum up to 4e38, those of 9e18 to 3.24e38; the numbers are torch's. */
static void test_norms_overflow(void **unused) {
    (void)unused;
    double x[] = {1e19, -1e19, 1e19, -1e19, /* */ 9e18, -9e18, 9e18, -9e18}, y[8];
    const float weight[] = {1, 2, 1, 1}, bias[] = {0, 0.25F, 0, 10};
    single_t s = {.values = {{.f = x, .elements = 8},
                             {.w = weight, .elements = 4},
                             {.w = bias, .elements = 4}}};
    single(&s, eval_layer_norm, 3, y, 8);
    static const double layer[] = {0, 0.25, 0, 10, 1, -1.75, 1, 9},
                        rms[] = {0, 0, 0, 0, 1, -2, 1, -1};
    for (int i = 0; i < 8; i++) assert_near(y[i], layer[i], 1e-12);
    single(&s, eval_rms_norm, 2, y, 8);
    for (int i = 0; i < 8; i++) assert_near(y[i], rms[i], 1e-12);
}

/* Of four logits of one size, however large, each is worth ln 4; one that is 2 below four others, 2 more than the log of
 * their sum. */
static void test_loss_of_large_logits(void **unused) {
    (void)unused;
    static const double sizes[] = {0, 1e7, 1e12, 1e16, -1e33, 1e300};
    int32_t labels[] = {2};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        double x[] = {sizes[i], sizes[i], sizes[i], sizes[i]}, y;
        single_t s = {.values = {{.f = x, .elements = 4, .rank = 2, .shape = {1, 4}}},
                      .io.labels = labels,
                      .e.rows = 1};
        single(&s, eval_cross_entropy, 1, &y, 1);
        assert_near(y, log(4), 1e-15);
    }
    double x[] = {1e12, 1e12, 1e12 - 2, 1e12, 1e12}, y;
    single_t s = {.values = {{.f = x, .elements = 5, .rank = 2, .shape = {1, 5}}},
                  .io.labels = labels,
                  .e.rows = 1};
    single(&s, eval_cross_entropy, 1, &y, 1);
    assert_near(y, log(4 + exp(-2)) + 2, 1e-15);
}

/* More outputs than a block, a number of tokens that is no multiple of four. */
static void test_dense(void **unused) {
    (void)unused;
    enum { TOKENS = 5, IN = 3, OUT = 70 };
    double x[TOKENS * IN], y[TOKENS * OUT] = {0};
    float w[OUT * IN], bias[OUT];
    for (int i = 0; i < TOKENS * IN; i++) x[i] = i * i % 7 - 3;
    for (int i = 0; i < OUT * IN; i++) w[i] = (float)(i * 5 % 11 - 5);
    for (int i = 0; i < OUT; i++) bias[i] = (float)i;
    single_t s = {
        .values = {{.f = x, .elements = TOKENS * IN}, {.w = w, .shape = {OUT, IN}}, {.w = bias}}};
    single(&s, eval_dense, 3, y, TOKENS * OUT);
    for (int t = 0; t < TOKENS; t++)
        for (int o = 0; o < OUT; o++) {
            double want = o;
            for (int i = 0; i < IN; i++) want += x[t * IN + i] * w[o * IN + i];
            assert_near(y[t * OUT + o], want, 1e-12);
        }
}

/* Position p of a 2 x 3 grid: (p div 3, p mod 3); three axes likewise. */
static void test_axial_positions(void **unused) {
    (void)unused;
    int32_t ids[] = {1, 0, 1, 0, 1, 0};
    const float word[] = {0, 0, 100, 200}, rows[] = {1, 2}, columns[] = {10, 20, 30};
    double y[12];
    single_t s = {.op = {.n_axial = 2, .axial_shape = {2, 3}},
                  .e.padded = 6,
                  .e.length = 6,
                  .values = {{.i = ids, .elements = 6},
                             {.w = word, .shape = {2, 2}},
                             {.w = rows, .shape = {2, 1}},
                             {.w = columns, .shape = {3, 1}}}};
    single(&s, eval_embed, 4, y, 12);
    static const double want[] = {101, 210, 1, 20, 101, 230, 2, 10, 102, 220, 2, 30};
    for (int i = 0; i < 12; i++) assert_near(y[i], want[i], 0);
}

static void test_three_axes(void **unused) {
    (void)unused;
    spec_t spec = small_spec(ARCH_BASE);
    spec.n_axial = 3;
    memcpy(spec.axial_pos_shape, (int64_t[]){2, 4, 8}, 3 * sizeof(int64_t));
    memcpy(spec.axial_pos_embds_dim, (int64_t[]){1, 5, 10}, 3 * sizeof(int64_t));
    model_t *m = begin(spec, 1, 64);
    const float *table[3];
    const float *word = small_weights(&m->w, "embeddings.word_embeddings.weight");
    for (int a = 0; a < 3; a++)
        table[a] = small_weights(
            &m->w, arena_printf(m->a, "embeddings.position_embeddings.weights.%d", a));
    const gnode_t *embed = graph_find(m->g, "embeddings");
    eval_value_t values[8] = {{.i = m->ids, .elements = 64},
                              {.w = word, .shape = {VOCAB, 16}},
                              {.w = table[0], .shape = {2, 1}},
                              {.w = table[1], .shape = {4, 5}},
                              {.w = table[2], .shape = {8, 10}}};
    gnode_t op = *embed, nodes[5];
    for (int i = 0; i < 5; i++) nodes[i].id = i;
    for (int i = 0; i < 5; i++) op.in[i] = &nodes[i];
    double y[64 * 16];
    eval_t e = {.g = m->g, .io = &m->io, .padded = 64, .length = 64, .values = values};
    eval_value_t out = {.f = y, .elements = 64 * 16};
    assert_int_equal(eval_embed(&e, &op, &out), REFORMER_OK);
    for (int p = 0; p < 64; p++) {
        const float *w = word + (ptrdiff_t)m->ids[p] * 16;
        assert_near(y[p * 16], (double)w[0] + table[0][p / 32], 1e-12);
        assert_near(y[p * 16 + 3], (double)w[3] + table[1][p / 8 % 4 * 5 + 2], 1e-12);
        assert_near(y[p * 16 + 15], (double)w[15] + table[2][p % 8 * 10 + 9], 1e-12);
    }
    end(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shorter_input),
        cmocka_unit_test(test_auto_padding),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_no_batch_is_the_graphs),
        cmocka_unit_test(test_padding_is_not_seen),
        cmocka_unit_test(test_causal),
        cmocka_unit_test(test_lm_loss),
        cmocka_unit_test(test_token_losses),
        cmocka_unit_test(test_no_token_losses),
        cmocka_unit_test(test_class_loss),
        cmocka_unit_test(test_regression_loss),
        cmocka_unit_test(test_qa_loss),
        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_imposed_buckets),
        cmocka_unit_test(test_margins),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_layer_norm),
        cmocka_unit_test(test_norms_overflow),
        cmocka_unit_test(test_loss_of_large_logits),
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_axial_positions),
        cmocka_unit_test(test_three_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
