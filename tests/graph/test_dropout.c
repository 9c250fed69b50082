/* Dropout in reversible layers: that the backward pass has the masks of the forward, and that masks are a function of where
 * an element stands and of nothing else. */
#include "differences.h"

enum { ROWS = 2, MAX_TOKENS = 4 * 24, MAX_TRACES = 64 };

static const graph_dropout_t masks = {.seed = UINT64_C(0x123456789abcdef), .step = 6};

typedef struct {
    const char *name;
    float *data;
    int64_t n;
} traced_t;

typedef struct {
    differences_t x;
    spec_t spec;
    int32_t ids[MAX_TOKENS], labels[MAX_TOKENS];
    traced_t traces[MAX_TRACES];
    int n_traces;
} model_t;

/* ---- models -------------------------------------------------------------------------------- */

static layer_kind_t three_layers[] = {LAYER_LSH, LAYER_LOCAL, LAYER_LSH};

static spec_t dropping_spec(arch_t architecture, double rate) {
    spec_t spec = small_spec(architecture);
    spec.n_layers = 3;
    spec.attn_layers = three_layers;
    spec.hidden_act = ACT_SILU;
    spec.chunk_size_feed_forward = 8;
    spec.layer_norm_eps = 1e-6;
    spec.hidden_dropout_prob = spec.lsh_attention_probs_dropout_prob =
        spec.local_attention_probs_dropout_prob = rate;
    return spec;
}

static graph_t *forward_of(model_t *m, int64_t batch, int64_t length, bool train) {
    graph_options_t o = {.batch = batch, .length = length, .train = train};
    graph_t *g = graph_build(m->x.a, &m->spec, &o, m->x.d);
    if (!g) fail_msg("%s", messages(m->x.d));
    return g;
}

static graph_t *derive(model_t *m, const bool *keep) {
    graph_gradient_options_t o = {.keep = keep};
    graph_t *g = graph_gradient(m->x.a, m->x.forward, &o, m->x.d);
    if (!g) fail_msg("%s", messages(m->x.d));
    return g;
}

static model_t *begin(spec_t spec, int64_t batch, int64_t length) {
    model_t *m = calloc(1, sizeof *m);
    assert_non_null(m);
    begin_differences(&m->x, 5);
    m->spec = spec;
    m->x.forward = forward_of(m, batch, length, true);
    m->x.train = derive(m, NULL);
    m->x.dropout = &masks;
    for (int i = 0; i < MAX_TOKENS; i++) {
        m->ids[i] = 1 + (i * 7 + i / 5) % 11;
        m->labels[i] = (i * 5 + 3) % (spec.architecture == ARCH_CLASSIFIER ? 2 : 12);
    }
    m->x.io = (reformer_io_t){.size = sizeof(reformer_io_t),
                              .input_ids = m->ids,
                              .labels = m->labels,
                              .batch = (size_t)batch,
                              .length = (size_t)length};
    draw_params(&m->x);
    impose_buckets(&m->x);
    return m;
}

static void end(model_t *m) {
    end_differences(&m->x);
    free(m);
}

/* ---- what runs ----------------------------------------------------------------------------- */

static void take_trace(void *ctx, const char *name, const void *data, int dtype,
                       const int64_t *shape, int rank) {
    model_t *m = ctx;
    if (dtype != REFORMER_F32) return;
    traced_t t = {.name = name, .n = 1};
    for (int i = 0; i < rank; i++) t.n *= shape[i];
    t.data = arena_copy(m->x.a, data, sizeof(float) * (size_t)t.n);
    assert_true(m->n_traces < MAX_TRACES);
    m->traces[m->n_traces++] = t;
}

static const traced_t *trace_of(const model_t *m, const char *name) {
    for (int i = 0; i < m->n_traces; i++)
        if (strcmp(m->traces[i].name, name) == 0) return &m->traces[i];
    return NULL;
}

static void run_traced(model_t *m, const graph_t *g) {
    reformer_io_t io = m->x.io;
    io.trace = take_trace;
    io.trace_ctx = m;
    m->n_traces = 0;
    assert_int_equal(graph_evaluate_gradients(g, value_by_name, &m->x, &io, m->x.dropout, false,
                                              take_gradient, &m->x),
                     0);
}

static double *gradients_of(model_t *m, const graph_t *g, int64_t *n) {
    differences_t *x = &m->x;
    *n = 0;
    for (int i = 0; i < x->n_params; i++) {
        memset(x->gradients[i], 0, sizeof(double) * (size_t)count_of(x->params[i]));
        *n += count_of(x->params[i]);
    }
    assert_int_equal(
        graph_evaluate_gradients(g, value_by_name, x, &x->io, x->dropout, false, take_gradient, x),
        0);
    double *all = ARENA_ARRAY(x->a, double, *n), *to = all;
    for (int i = 0; i < x->n_params; i++)
        for (int64_t k = 0; k < count_of(x->params[i]); k++) *to++ = x->gradients[i][k];
    return all;
}

static double difference(const double *x, const double *y, int64_t n) {
    double max = 0, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        max = fmax(max, fabs(x[i] - y[i]));
        largest = fmax(largest, fabs(x[i]));
    }
    return max / largest;
}

/* How far streams that were made again are from those of the forward, over their magnitude. */
static double reconstruction(model_t *m) {
    graph_t *t = m->x.train;
    double worst = 0;
    int compared = 0;
    for (size_t i = 0; i < t->n_nodes; i++) {
        gnode_t *n = t->nodes[i];
        n->trace = n->op == G_SUB || n->op == G_ADD || n->op == G_EMBED ? n->name : NULL;
    }
    run_traced(m, t);
    for (int i = 0; i < m->n_traces; i++) {
        const traced_t *again = &m->traces[i];
        if (strncmp(again->name, "again.", 6) != 0) continue;
        const traced_t *was = trace_of(m, again->name + 6);
        assert_non_null(was);
        double max = 0, largest = 0;
        for (int64_t k = 0; k < was->n; k++) {
            max = fmax(max, fabs((double)was->data[k] - (double)again->data[k]));
            largest = fmax(largest, fabs((double)was->data[k]));
        }
        worst = fmax(worst, max / largest);
        compared++;
    }
    assert_int_equal(compared, 2 * 2 + 1);
    return worst;
}

/* ---- the backward pass has the forward's masks --------------------------------------------------- */

/* All places but one drop nothing. */
static void leave_only(graph_t *g, dropout_place_t place) {
    for (size_t i = 0; i < g->n_nodes; i++) {
        gnode_t *n = g->nodes[i];
        if (n->op == G_DROPOUT && (dropout_place_t)n->place != place) n->rate = 0;
        if (n->op == G_EMBED && place != PLACE_WORD) n->rate = 0;
        if (n->op == G_EMBED && place != PLACE_POSITION) n->position_rate = 0;
        if (n->op != G_DROPOUT && n->op != G_EMBED && place != PLACE_PROBABILITIES) n->rate = 0;
    }
}

static void check_gradient(model_t *m, const char *what) {
    compare_all(&m->x);
    if (!(m->x.worst <= 1)) fail_msg("%s: %s is off by %g", what, m->x.of, m->x.worst);
}

static void test_gradient_is_derivative(void **unused) {
    (void)unused;
    static const struct {
        arch_t architecture;
        int64_t rounds, length;
        bool absolute;
    } models[] = {{ARCH_CAUSAL_LM, 2, 16, false},
                  {ARCH_CAUSAL_LM, 1, 16, true},
                  {ARCH_CAUSAL_LM, 2, 7, false}, /* exact attention */
                  {ARCH_CLASSIFIER, 3, 16, false}};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        for (int place = 0; place <= PLACE_COUNT; place++) { /* PLACE_COUNT: all of them */
            spec_t spec = dropping_spec(models[i].architecture, 0.2);
            bool of_classifier = place == PLACE_CLASSIFIER_IN || place == PLACE_CLASSIFIER_OUT;
            if (of_classifier && models[i].architecture != ARCH_CLASSIFIER) continue;
            spec.num_hashes = models[i].rounds;
            spec.axial_pos_embds = !models[i].absolute;
            model_t *m = begin(spec, ROWS, models[i].length);
            if (place < PLACE_COUNT) leave_only(m->x.forward, (dropout_place_t)place);
            m->x.train = derive(m, NULL);
            check_gradient(m, arena_printf(m->x.a, "model %zu, place %d", i, place));
            end(m);
        }
}

static void test_reconstruction(void **unused) {
    (void)unused;
    model_t *m = begin(dropping_spec(ARCH_CAUSAL_LM, 0.2), ROWS, 24);
    assert_true(reconstruction(m) <= 1e-5);
    end(m);
}

static double kept_against_again(model_t *m) {
    int64_t n;
    bool *keep = ARENA_ARRAY(m->x.a, bool, m->x.forward->n_nodes);
    double *again = gradients_of(m, m->x.train, &n);
    for (size_t i = 0; i < m->x.forward->n_nodes; i++) keep[i] = true;
    return difference(again, gradients_of(m, derive(m, keep), &n), n);
}

static void test_kept_is_made_again(void **unused) {
    (void)unused;
    model_t *m = begin(dropping_spec(ARCH_CAUSAL_LM, 0.2), ROWS, 24);
    assert_true(kept_against_again(m) <= 1e-9);
    end(m);
}

/* Other masks in the backward pass: those of another layer, where ops are repeated. */
static void test_that_these_can_fail(void **unused) {
    (void)unused;
    static const gop_t ops[] = {G_DROPOUT, G_LSH_ATTENTION, G_LOCAL_ATTENTION};
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
        model_t *m = begin(dropping_spec(ARCH_CAUSAL_LM, 0.2), ROWS, 24);
        for (size_t i = 0; i < m->x.train->n_nodes; i++) {
            gnode_t *n = m->x.train->nodes[i];
            if (n->op == ops[k] && strncmp(n->name, "again.", 6) == 0) n->layer++;
        }
        assert_true(kept_against_again(m) > 1e-3);
        assert_true(reconstruction(m) > 1e-3);
        compare_all(&m->x);
        assert_true(m->x.worst > 1000);
        end(m);
    }
}

/* ---- masks are a function of the place --------------------------------------------------------- */

/* Four rows at once are two rows, and the two after them. */
static void test_micro_batches(void **unused) {
    (void)unused;
    int64_t n;
    spec_t spec = dropping_spec(ARCH_CAUSAL_LM, 0.2);
    model_t *all = begin(spec, 4, 24), *half = begin(spec, 2, 24);
    all->x.io.buckets = half->x.io.buckets = NULL; /* each hashes for itself */
    double *whole = gradients_of(all, all->x.train, &n);
    graph_dropout_t second = masks;
    second.first_row = 2;
    double *a = gradients_of(half, half->x.train, &n);
    half->x.dropout = &second;
    half->x.io.input_ids = half->ids + 48;
    half->x.io.labels = half->labels + 48;
    double *b = gradients_of(half, half->x.train, &n);
    for (int64_t i = 0; i < n; i++) a[i] = (a[i] + b[i]) / 2;
    assert_true(difference(whole, a, n) <= 1e-12);
    half->x.dropout = &masks; /* the first rows' masks are not theirs */
    b = gradients_of(half, half->x.train, &n);
    assert_true(difference(whole, b, n) > 1e-3);
    end(all);
    end(half);
}

/* The numbering, on words of the generator that are known: of counter 0 and key 0. */
static void test_numbering(void **unused) {
    (void)unused;
    static const uint32_t words[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    graph_dropout_t zero = {0};
    for (int k = 0; k < 8; k++) {
        uint32_t half = words[k / 2] >> (k % 2 ? 16 : 0) & 0xFFFF;
        for (uint32_t t = half; t <= half + 1; t++) { /* dropped below t */
            double rate = (double)t / 65536, factor = 65536.0 / (65536 - t);
            assert_true(dropout_factor(&zero, 0, PLACE_WORD, rate, k) == (half < t ? 0 : factor));
        }
    }
    assert_int_equal(dropout_element(3, 5, 2), 26);
    assert_int_equal(dropout_element(3, 8, 2), 26);
    assert_int_equal(dropout_element(3, 9, 2), 50);
    assert_int_equal(dropout_threshold(0.05), 3277);
}

/* Zeros of a mask that stands apart from everything: behind the second matrix, in layer 0. */
static bool *zeros_of(model_t *m, int64_t *n) {
    gnode_t *g = graph_find(m->x.forward, "layers.0.feed_forward_dropout");
    g->trace = g->name;
    run_traced(m, m->x.forward);
    const traced_t *t = trace_of(m, g->name);
    bool *zero = ARENA_ARRAY(m->x.a, bool, t->n);
    for (int64_t i = 0; i < t->n; i++) zero[i] = t->data[i] == 0;
    *n = t->n;
    return zero;
}

static void test_what_does_not_matter(void **unused) {
    (void)unused;
    int64_t n, k;
    model_t *m = begin(dropping_spec(ARCH_CAUSAL_LM, 0.2), ROWS, 24);
    bool *want = zeros_of(m, &n);
    for (int what = 0; what < 4; what++) {
        spec_t spec = dropping_spec(ARCH_CAUSAL_LM, 0.2);
        if (what == 0) spec.num_hashes = 4;
        if (what == 1) spec.num_buckets[0] = 8;
        if (what == 2) spec.lsh_attn_chunk_length = 12;
        if (what == 3) spec.chunk_size_feed_forward = 0;
        model_t *other = begin(spec, ROWS, 24);
        assert_memory_equal(zeros_of(other, &k), want, (size_t)n);
        assert_int_equal(k, n);
        end(other);
    }
    end(m);
}

/* Two masks agree as often as two that know nothing of each other. */
static void assert_independent(const char *what, const graph_dropout_t *a, int layer_a,
                               dropout_place_t place_a, const graph_dropout_t *b, int layer_b,
                               dropout_place_t place_b) {
    enum { N = 40000 };
    double p = 0.3, want = p * p + (1 - p) * (1 - p), sigma = sqrt(want * (1 - want) / N);
    int same = 0;
    for (int k = 0; k < N; k++)
        same += (dropout_factor(a, layer_a, place_a, p, k) == 0) ==
                (dropout_factor(b, layer_b, place_b, p, k) == 0);
    if (!(fabs((double)same / N - want) <= 4 * sigma))
        fail_msg("%s: masks agree in %g, not %g", what, (double)same / N, want);
}

static void test_independent(void **unused) {
    (void)unused;
    graph_dropout_t next = masks, other = masks;
    next.step++;
    other.seed ^= UINT64_C(1) << 40;
    for (int place = 0; place < PLACE_COUNT; place++) {
        dropout_place_t at = (dropout_place_t)place;
        assert_independent("steps", &masks, 1, at, &next, 1, at);
        assert_independent("seeds", &masks, 1, at, &other, 1, at);
        assert_independent("layers", &masks, 1, at, &masks, 2, at);
        assert_independent("no layer", &masks, 0, at, &masks, -1, at);
        if (place > 0)
            assert_independent("places", &masks, 1, at, &masks, 1, (dropout_place_t)(place - 1));
    }
}

/* ---- rates --------------------------------------------------------------------------------- */

static void test_rates(void **unused) {
    (void)unused;
    enum { N = 40000 };
    static const double rates[] = {0.01, 0.05, 0.3, 0.9};
    for (int place = 0; place < PLACE_COUNT; place++)
        for (int r = 0; r < 4; r++) {
            double p = rates[r], sum = 0, sigma = sqrt(p * (1 - p) / N);
            int dropped = 0;
            for (int k = 0; k < N; k++) {
                double factor = dropout_factor(&masks, 3, (dropout_place_t)place, p, k);
                dropped += factor == 0;
                sum += factor;
            }
            assert_true(fabs((double)dropped / N - p) <= 4 * sigma);
            assert_true(fabs(sum / N - 1) <= 4 * sigma / (1 - p));
        }
}

/* Over seeds the mean of what comes out is what went in: of embeddings, and of an attention, by its probabilities. */
static void test_mean(void **unused) {
    (void)unused;
    enum { SEEDS = 1200 };
    static const char *const names[] = {"embeddings", "layers.0.self_attention"};
    for (int which = 0; which < 2; which++) {
        spec_t spec = dropping_spec(ARCH_CAUSAL_LM, 0);
        spec.n_layers = 1;
        if (which == 1) spec.lsh_attention_probs_dropout_prob = 0.25;
        else spec.hidden_dropout_prob = 0.25;
        model_t *m = begin(spec, 1, 16);
        gnode_t *n = graph_find(m->x.forward, names[which]);
        for (size_t i = 0; i < m->x.forward->n_nodes; i++) m->x.forward->nodes[i]->trace = NULL;
        n->trace = n->name;
        m->x.dropout = NULL;
        run_traced(m, m->x.forward);
        const traced_t want = *trace_of(m, names[which]);
        double *sum = ARENA_ARRAY(m->x.a, double, want.n),
               *square = ARENA_ARRAY(m->x.a, double, want.n);
        graph_dropout_t d = masks;
        m->x.dropout = &d;
        for (d.seed = 1; d.seed <= SEEDS; d.seed++) {
            run_traced(m, m->x.forward);
            const float *x = trace_of(m, names[which])->data;
            for (int64_t i = 0; i < want.n; i++) sum[i] += x[i], square[i] += (double)x[i] * x[i];
        }
        int far = 0;
        for (int64_t i = 0; i < want.n; i++) {
            double mean = sum[i] / SEEDS, variance = square[i] / SEEDS - mean * mean;
            far += fabs(mean - want.data[i]) > 4 * sqrt(variance / SEEDS) + 1e-6;
        }
        assert_true(far <= 1); /* 4 sigma of a few hundred */
        end(m);
    }
}

static char *text_of(model_t *m, const graph_t *g) {
    sbuf_t text = {0};
    graph_print(g, &text);
    char *copy = arena_strndup(m->x.a, text.data, text.size);
    sbuf_free(&text);
    return copy;
}

/* Rates are read back; where there are none, nothing is written of them. */
static void test_text(void **unused) {
    (void)unused;
    model_t *m = begin(dropping_spec(ARCH_CLASSIFIER, 0.3), ROWS, 24);
    const graph_t *graphs[] = {m->x.forward, m->x.train};
    for (int i = 0; i < 2; i++) {
        char *text = text_of(m, graphs[i]);
        graph_t *read = graph_parse(m->x.a, "g.txt", text, strlen(text), m->x.d);
        if (!read) fail_msg("%s", messages(m->x.d));
        assert_string_equal(text_of(m, read), text);
        assert_non_null(strstr(text, " rate=0.3 position_rate=0.3 : f32[2,24,16]"));
        assert_non_null(strstr(text, " axial_shape=none rate=0.3 place=8 : f32[2,16]"));
    }
    end(m);
}

/* A rate of 0 is no dropout at all; without masks any rate is none. */
static void test_no_dropout(void **unused) {
    (void)unused;
    int64_t n;
    model_t *none = begin(dropping_spec(ARCH_CLASSIFIER, 0), ROWS, 24);
    model_t *some = begin(dropping_spec(ARCH_CLASSIFIER, 0.5), ROWS, 24);
    assert_string_equal(text_of(none, none->x.forward),
                        text_of(none, forward_of(none, ROWS, 24, false)));
    assert_non_null(strstr(text_of(some, some->x.forward), "rate="));
    assert_null(strstr(text_of(some, forward_of(some, ROWS, 24, false)), "rate="));
    some->x.dropout = NULL;
    double *want = gradients_of(none, none->x.train, &n);
    double *have = gradients_of(some, some->x.train, &n);
    assert_memory_equal(have, want, sizeof *want * (size_t)n);
    some->x.dropout = &masks;
    assert_true(difference(want, gradients_of(some, some->x.train, &n), n) > 1e-3);
    end(none);
    end(some);
}

static void test_no_rate(void **unused) {
    (void)unused;
    static const struct {
        spec_key_t key;
        double hidden, lsh, classifier;
        const char *message;
    } cases[] = {
        {KEY_hidden_dropout_prob, 1, 0, 0, "embeddings: dropout at the rate 1 leaves nothing"},
        {KEY_classifier_dropout, 0, 0, 0.999999, "first_token_dropout: dropout at the rate"},
        {KEY_lsh_attn_chunk_length, 0, 1, 0, "layers.0.self_attention: dropout at the rate 1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena_t *a = arena_new();
        diag_t *d = diag_new();
        spec_t spec = dropping_spec(ARCH_CLASSIFIER, 0);
        spec.hidden_dropout_prob = cases[i].hidden;
        spec.lsh_attention_probs_dropout_prob = cases[i].lsh;
        spec.has_classifier_dropout = true;
        spec.classifier_dropout = cases[i].classifier;
        graph_options_t o = {.batch = 1, .length = 24, .train = true};
        assert_null(graph_build(a, &spec, &o, d));
        assert_message(d, cases[i].message);
        diag_free(d);
        arena_free(a);
    }
}

/* Steps know nothing of those before them. */
static void test_resume(void **unused) {
    (void)unused;
    int64_t n;
    model_t *m = begin(dropping_spec(ARCH_CAUSAL_LM, 0.2), ROWS, 24);
    graph_dropout_t d = {.seed = 9, .step = 5};
    m->x.dropout = &d;
    double *fresh = gradients_of(m, m->x.train, &n), *last = NULL;
    for (d.step = 3; d.step <= 5; d.step++) {
        double *before = last;
        last = gradients_of(m, m->x.train, &n);
        if (before) assert_true(difference(before, last, n) > 1e-3);
    }
    assert_memory_equal(last, fresh, sizeof *last * (size_t)n);
    end(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_is_derivative),
        cmocka_unit_test(test_reconstruction),
        cmocka_unit_test(test_kept_is_made_again),
        cmocka_unit_test(test_that_these_can_fail),
        cmocka_unit_test(test_micro_batches),
        cmocka_unit_test(test_numbering),
        cmocka_unit_test(test_what_does_not_matter),
        cmocka_unit_test(test_independent),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_mean),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_no_dropout),
        cmocka_unit_test(test_no_rate),
        cmocka_unit_test(test_resume),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
