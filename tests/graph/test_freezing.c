/* Params that are not trained: no gradient of theirs, nothing that they alone would need, and the others' as they were. */
#include "differences.h"

typedef struct {
    differences_t x;
    spec_t spec;
    int32_t ids[2 * 24], labels[2 * 24];
} model_t;

static model_t *begin(arch_t architecture) {
    static layer_kind_t layers[] = {LAYER_LSH, LAYER_LOCAL, LAYER_LSH};
    static const graph_dropout_t masks = {.seed = 9, .step = 1};
    graph_options_t o = {.batch = 2, .length = 24, .train = true};
    model_t *m = calloc(1, sizeof *m);
    assert_non_null(m);
    begin_differences(&m->x, 3);
    m->spec = small_spec(architecture);
    m->spec.n_layers = 3;
    m->spec.attn_layers = layers;
    m->spec.hidden_dropout_prob = 0.2;
    graph_t *g = graph_build(m->x.a, &m->spec, &o, m->x.d);
    assert_non_null(g);
    m->x.forward = graph_with_positions(m->x.a, g, m->x.d);
    m->x.dropout = &masks;
    for (int i = 0; i < 2 * 24; i++) {
        m->ids[i] = 1 + i * 7 % 11;
        m->labels[i] = i * 5 % (architecture == ARCH_CLASSIFIER ? 2 : 12);
    }
    m->x.io = (reformer_io_t){.size = sizeof(reformer_io_t),
                              .input_ids = m->ids,
                              .labels = m->labels,
                              .batch = 2,
                              .length = 24};
    draw_params(&m->x);
    return m;
}

static void end(model_t *m) {
    end_differences(&m->x);
    free(m);
}

/* Those whose names hold any of the words; the words end with NULL. */
static bool holds(const char *name, const char *const *words) {
    for (; *words; words++)
        if (strstr(name, *words)) return true;
    return false;
}

static graph_t *derive(model_t *m, const char *const *frozen) {
    for (size_t i = 0; i < m->x.forward->n_nodes; i++) {
        gnode_t *n = m->x.forward->nodes[i];
        n->frozen = n->op == G_PARAM && holds(n->name, frozen);
    }
    graph_t *g = graph_gradient(m->x.a, m->x.forward, NULL, m->x.d);
    if (!g) fail_msg("%s", messages(m->x.d));
    return g;
}

static int count(const graph_t *g, gop_t op) {
    int n = 0;
    for (size_t i = 0; i < g->n_nodes; i++) n += g->nodes[i]->op == op;
    return n;
}

static void clear_gradients(model_t *m) {
    for (int i = 0; i < m->x.n_params; i++)
        memset(m->x.gradients[i], 0, sizeof(double) * (size_t)count_of(m->x.params[i]));
}

/* Gradients of what is trained have the bits that they have where all is. */
static void test_others_stay(void **unused) {
    (void)unused;
    static const char *const none[] = {NULL};
    static const char *const sets[][3] = {{"embeddings."},
                                          {"word_embeddings"},
                                          {"position_embeddings.weights.0"},
                                          {"layers.0."},
                                          {"layers.1."},
                                          {"layers.2."},
                                          {"attention"},
                                          {"feed_forward"},
                                          {"layer_norm"},
                                          {"bias"},
                                          {"weight"},
                                          {"query"},
                                          {"value"},
                                          {"output.dense"},
                                          {"layers.", "embeddings"},
                                          {"lm_head"},
                                          {"encoder.layer_norm"},
                                          {"attention.output", "layers.1."},
                                          {"layers.0", "layers.1"},
                                          {"embeddings", "layers.0"}};
    model_t *m = begin(ARCH_CAUSAL_LM);
    m->x.train = derive(m, none);
    find_gradients(&m->x);
    double *want[MAX_PARAMS];
    for (int i = 0; i < m->x.n_params; i++)
        want[i] = arena_copy(m->x.a, m->x.gradients[i],
                             sizeof(double) * (size_t)count_of(m->x.params[i]));
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        const char *words[] = {sets[s][0], sets[s][1], sets[s][2], NULL};
        int trained = 0;
        m->x.train = derive(m, words);
        clear_gradients(m);
        find_gradients(&m->x);
        for (int i = 0; i < m->x.n_params; i++) {
            const gnode_t *p = m->x.params[i];
            size_t bytes = sizeof(double) * (size_t)count_of(p);
            bool rotations = strstr(p->name, "rotations") != NULL, frozen = holds(p->name, words);
            if (!frozen && memcmp(m->x.gradients[i], want[i], bytes) != 0)
                fail_msg("without %s, %s has another gradient", words[0], p->name);
            trained += !frozen && !rotations;
        }
        assert_int_equal(count(m->x.train, G_GRADIENT), trained);
    }
    end(m);
}

/* What only frozen params need is not there: below a head, below a layer, of one weight. */
static void test_less_is_computed(void **unused) {
    (void)unused;
    static const char *const head_only[] = {"embeddings", "encoder", NULL};
    static const char *const top_only[] = {"embeddings", "layers.0", "layers.1", NULL};
    static const char *const words[] = {"word_embeddings", NULL};
    model_t *m = begin(ARCH_CLASSIFIER);
    graph_t *g = derive(m, head_only);
    static const gop_t absent[] = {G_WORD_GRAD,   G_POSITION_GRAD,        G_LSH_ATTENTION_GRAD,
                                   G_SUB,         G_LOCAL_ATTENTION_GRAD, G_LAYER_NORM_GRAD,
                                   G_PACK_BUCKETS};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_int_equal(count(g, absent[i]), 0);
    assert_int_equal(count(g, G_GRADIENT), 4);
    g = derive(m, top_only);
    assert_int_equal(count(g, G_LSH_ATTENTION_GRAD), 1);
    assert_int_equal(count(g, G_LOCAL_ATTENTION_GRAD), 0);
    assert_int_equal(count(g, G_PACK_BUCKETS), 1);
    g = derive(m, words);
    assert_int_equal(count(g, G_WORD_GRAD), 0);
    assert_int_equal(count(g, G_POSITION_GRAD), 2);
    for (size_t i = 0; i < g->n_nodes; i++) assert_false(g->nodes[i]->frozen);
    end(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_others_stay),
                                       cmocka_unit_test(test_less_is_computed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
