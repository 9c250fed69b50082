/* Spec → Graph: which nodes, in which order, of which shapes; and what cannot be built. */
#include "small.h"

typedef struct {
    arena_t *a;
    diag_t *d;
} state_t;

static state_t begin(void) {
    return (state_t){arena_new(), diag_new()};
}

static void end(state_t s) {
    diag_free(s.d);
    arena_free(s.a);
}

static graph_t *build(state_t s, const spec_t *spec, int64_t batch, int64_t length) {
    graph_options_t o = {.batch = batch, .length = length};
    return graph_build(s.a, spec, &o, s.d);
}

static void assert_shape(const graph_t *g, const char *name, int rank, const int64_t *shape) {
    const gnode_t *n = graph_find(g, name);
    if (!n) fail_msg("no node %s", name);
    assert_int_equal(n->rank, rank);
    for (int i = 0; i < rank; i++) {
        assert_int_equal(n->shape[i].c, shape[i]);
        assert_int_equal(n->shape[i].u, 0);
    }
}
#define SHAPE(g, name, ...)                                                                        \
    assert_shape(g, name, (int)(sizeof((int64_t[]){__VA_ARGS__}) / 8), (int64_t[]){__VA_ARGS__})

/* All params of a model, as Hugging Face names them, in order of first use. */
static void test_params(void **unused) {
    (void)unused;
    static const char *const want[] = {
        "embeddings.word_embeddings.weight",
        "embeddings.position_embeddings.weights.0",
        "embeddings.position_embeddings.weights.1",
        "encoder.layers.0.attention.layer_norm.weight",
        "encoder.layers.0.attention.layer_norm.bias",
        "encoder.layers.0.attention.self_attention.query.weight",
        "encoder.layers.0.attention.self_attention.key.weight",
        "encoder.layers.0.attention.self_attention.value.weight",
        "encoder.layers.0.attention.output.dense.weight",
        "encoder.layers.0.feed_forward.layer_norm.weight",
        "encoder.layers.0.feed_forward.layer_norm.bias",
        "encoder.layers.0.feed_forward.dense.dense.weight",
        "encoder.layers.0.feed_forward.dense.dense.bias",
        "encoder.layers.0.feed_forward.output.dense.weight",
        "encoder.layers.0.feed_forward.output.dense.bias",
        "encoder.layers.1.attention.layer_norm.weight",
        "encoder.layers.1.attention.layer_norm.bias",
        "encoder.layers.1.attention.self_attention.query_key.weight",
        "encoder.layers.1.attention.self_attention.value.weight",
        "layers.1.rotations",
        "encoder.layers.1.attention.output.dense.weight",
        "encoder.layers.1.feed_forward.layer_norm.weight",
        "encoder.layers.1.feed_forward.layer_norm.bias",
        "encoder.layers.1.feed_forward.dense.dense.weight",
        "encoder.layers.1.feed_forward.dense.dense.bias",
        "encoder.layers.1.feed_forward.output.dense.weight",
        "encoder.layers.1.feed_forward.output.dense.bias",
        "encoder.layer_norm.weight",
        "encoder.layer_norm.bias",
        "lm_head.decoder.weight",
        "lm_head.bias",
    };
    state_t s = begin();
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    graph_t *g = build(s, &spec, 3, 50);
    assert_non_null(g);
    size_t n = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i]->op != G_PARAM) continue;
        assert_true(n < sizeof want / sizeof *want);
        assert_string_equal(g->nodes[i]->name, want[n++]);
    }
    assert_int_equal(n, sizeof want / sizeof *want);
    SHAPE(g, "embeddings.position_embeddings.weights.1", 8, 12);
    SHAPE(g, "layers.1.rotations", 2, 8, 2, 2);
    SHAPE(g, "encoder.layers.0.feed_forward.dense.dense.weight", 20, 16);
    SHAPE(g, "lm_head.decoder.weight", 12, 32);
    end(s);
}

static void test_shapes(void **unused) {
    (void)unused;
    state_t s = begin();
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    graph_t *g = build(s, &spec, 3, 50);
    assert_non_null(g);
    SHAPE(g, "input_ids", 3, 50);
    SHAPE(g, "ids", 3, 56);
    SHAPE(g, "mask", 3, 56);
    SHAPE(g, "embeddings", 3, 56, 16);
    SHAPE(g, "layers.0.self_attention", 3, 56, 16);
    SHAPE(g, "layers.1.buckets", 3, 2, 2, 56);
    SHAPE(g, "layers.1.sorted_idx", 3, 2, 112);
    SHAPE(g, "layers.1.feed_forward_in", 3, 56, 20);
    SHAPE(g, "hidden", 3, 56, 32);
    SHAPE(g, "last_hidden_state", 3, 50, 32);
    SHAPE(g, "logits", 3, 50, 12);
    assert_int_equal(graph_output(g, "loss")->rank, 0);
    assert_int_equal(graph_output(g, "loss")->shift, 1);
    assert_null(graph_output(g, "start_logits"));
    assert_null(graph_output(g, "layers.0.y1"));
    assert_true(graph_find(g, "layers.0.self_attention")->causal);
    end(s);
}

/* Streams: attention reads y2, feed-forward reads the new y1, and both add to their own. */
static void test_streams(void **unused) {
    (void)unused;
    state_t s = begin();
    spec_t spec = small_spec(ARCH_BASE);
    graph_t *g = build(s, &spec, 1, 64);
    assert_non_null(g);
    const gnode_t *e = graph_find(g, "embeddings"), *y1 = graph_find(g, "layers.0.y1");
    const gnode_t *y2 = graph_find(g, "layers.0.y2"), *streams = graph_find(g, "streams");
    assert_ptr_equal(y1->in[0], e);
    assert_ptr_equal(graph_find(g, "layers.0.attention_norm")->in[0], e);
    assert_ptr_equal(graph_find(g, "layers.0.feed_forward_norm")->in[0], y1);
    assert_ptr_equal(y2->in[0], e);
    assert_ptr_equal(graph_find(g, "layers.1.attention_norm")->in[0], y2);
    assert_ptr_equal(graph_find(g, "layers.1.y1")->in[0], y1);
    assert_ptr_equal(streams->in[0], graph_find(g, "layers.1.y1"));
    assert_ptr_equal(streams->in[1], graph_find(g, "layers.1.y2"));
    assert_string_equal(graph_find(g, "layers.1.sorted_idx")->trace, "layers.1.sorted_idx");
    assert_null(graph_find(g, "layers.1.attention_norm")->trace);
    assert_int_equal(graph_find(g, "layers.1.y2")->layer, 1);
    assert_false(graph_find(g, "layers.1.self_attention")->causal);
    assert_null(graph_output(g, "logits"));
    end(s);
}

/* docs/semantics.md 3: 9 tokens, chunks of 8 and 16, are padded to 16: the LSH layer sees everything. */
static void test_exact_after_padding(void **unused) {
    (void)unused;
    state_t s = begin();
    spec_t spec = small_spec(ARCH_BASE);
    spec.lsh_attn_chunk_length = 16;
    graph_t *g = build(s, &spec, 1, 9);
    assert_non_null(g);
    assert_int_equal(g->padded.c, 16);
    assert_int_equal(graph_find(g, "layers.0.self_attention")->op, G_LOCAL_ATTENTION);
    const gnode_t *lsh = graph_find(g, "layers.1.self_attention");
    assert_int_equal(lsh->op, G_EXACT_ATTENTION);
    assert_true(lsh->shared_qk);
    assert_null(graph_find(g, "layers.1.buckets"));
    assert_null(graph_find(g, "layers.1.rotations"));
    assert_int_equal(g->n_factors, 0);
    end(s);
}

static void test_short_is_not_padded(void **unused) {
    (void)unused;
    state_t s = begin();
    spec_t spec = small_spec(ARCH_BASE);
    graph_t *g = build(s, &spec, 1, 7);
    assert_non_null(g);
    assert_int_equal(g->padded.c, 7);
    const gnode_t *local = graph_find(g, "layers.0.self_attention");
    assert_int_equal(local->op, G_EXACT_ATTENTION);
    assert_false(local->shared_qk);
    end(s);
}

static void test_losses(void **unused) {
    (void)unused;
    static const struct {
        int64_t labels;
        problem_t problem;
        gop_t loss, loss_f32; /* G_INPUT: none */
    } cases[] = {
        {1, PROBLEM_UNSET, G_MSE_LOSS, G_INPUT},
        {3, PROBLEM_UNSET, G_CROSS_ENTROPY, G_BCE_LOSS},
        {3, PROBLEM_REGRESSION, G_MSE_LOSS, G_INPUT},
        {1, PROBLEM_SINGLE_LABEL, G_CROSS_ENTROPY, G_INPUT},
        {1, PROBLEM_MULTI_LABEL, G_BCE_LOSS, G_INPUT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        state_t s = begin();
        spec_t spec = small_spec(ARCH_CLASSIFIER);
        spec.num_labels = cases[i].labels;
        spec.problem_type = cases[i].problem;
        graph_t *g = build(s, &spec, 2, 64);
        assert_non_null(g);
        const gnode_t *second = graph_output(g, "loss_f32");
        assert_int_equal(graph_output(g, "loss")->op, cases[i].loss);
        assert_int_equal(second ? second->op : G_INPUT, cases[i].loss_f32);
        SHAPE(g, "logits", 2, cases[i].labels);
        end(s);
    }
}

static void test_question_answering(void **unused) {
    (void)unused;
    state_t s = begin();
    spec_t spec = small_spec(ARCH_QA);
    graph_t *g = build(s, &spec, 2, 60);
    assert_non_null(g);
    SHAPE(g, "start_logits", 2, 60);
    assert_int_equal(graph_output(g, "end_logits")->shift, 1);
    SHAPE(g, "start_positions", 2);
    assert_int_equal(graph_output(g, "loss")->op, G_QA_LOSS);
    end(s);
}

static void test_dynamic(void **unused) {
    (void)unused;
    state_t s = begin();
    spec_t spec = small_spec(ARCH_MASKED_LM);
    spec.local_attn_chunk_length = 4;
    spec.lsh_attn_chunk_length = 6;
    spec.max_position_embeddings = 60;
    graph_options_t o = {.batch = 2, .units = {1, 5}};
    graph_t *g = graph_build(s.a, &spec, &o, s.d);
    assert_non_null(g);
    assert_int_equal(g->padded.u, 12);
    const gnode_t *sorted = graph_find(g, "layers.1.sorted_idx");
    assert_int_equal(sorted->shape[2].u, 24);
    assert_int_equal(sorted->shape[2].c, 0);
    assert_int_equal(graph_find(g, "logits")->shape[1].u, 12);
    assert_int_equal(graph_find(g, "layers.0.self_attention")->op, G_LOCAL_ATTENTION);
    assert_true(graph_check(g, s.d));
    end(s);
}

/* Automatic buckets: from this graph's padded length, or from the length given for them. */
static void test_bucket_length(void **unused) {
    (void)unused;
    state_t s = begin();
    spec_t spec = small_spec(ARCH_BASE);
    spec.n_bucket_factors = 0;
    graph_t *own = build(s, &spec, 1, 32);
    graph_options_t o = {.batch = 1, .length = 32, .bucket_length = 64};
    graph_t *other = graph_build(s.a, &spec, &o, s.d);
    assert_non_null(own);
    assert_non_null(other);
    assert_int_equal(own->n_factors, 1);
    assert_int_equal(own->factors[0], 8); /* 2 * 32 / 8 */
    assert_int_equal(other->factors[0], 16);
    assert_int_equal(graph_find(other, "layers.1.rotations")->shape[3].c, 8);
    end(s);
}

static void test_too_long(void **unused) {
    (void)unused;
    state_t s = begin();
    spec_t spec = small_spec(ARCH_BASE);
    spec.at[KEY_max_position_embeddings] = (srcloc_t){"small.yaml", 7, 3};
    assert_null(build(s, &spec, 1, 65));
    assert_message(s.d,
                   "small.yaml:7:3: error: a sequence of 65 tokens, 72 with padding, is longer "
                   "than the 64 positions of max_position_embeddings");
    end(s);
    s = begin();
    spec.max_position_embeddings = 128;
    assert_null(build(s, &spec, 1, 65));
    assert_message(s.d, "the 64 positions of axial_pos_shape");
    end(s);
    s = begin();
    spec.axial_pos_embds = false;
    assert_non_null(build(s, &spec, 1, 65));
    end(s);
}

/* What a spec checker should have caught is still an error here, at the key's place. */
static void test_inconsistent_spec(void **unused) {
    (void)unused;
    state_t s = begin();
    spec_t spec = small_spec(ARCH_BASE);
    spec.axial_pos_embds_dim[1] = 11;
    assert_null(build(s, &spec, 1, 64));
    assert_message(s.d, "the position tables are 15 wide in all, the words 16");
    end(s);
    s = begin();
    spec = small_spec(ARCH_BASE);
    spec.num_buckets[0] = 5;
    spec.at[KEY_num_buckets] = (srcloc_t){"small.yaml", 9, 1};
    assert_null(build(s, &spec, 1, 64));
    assert_message(s.d,
                   "small.yaml:9:1: error: layers.1.buckets: 5 buckets: an even number is needed");
    end(s);
    s = begin();
    spec = small_spec(ARCH_BASE);
    spec.n_bucket_factors = 3;
    spec.num_buckets[0] = spec.num_buckets[1] = spec.num_buckets[2] = 1 << 12;
    assert_null(build(s, &spec, 1, 64));
    assert_message(s.d, "too many buckets");
    end(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_exact_after_padding),
        cmocka_unit_test(test_short_is_not_padded),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_question_answering),
        cmocka_unit_test(test_dynamic),
        cmocka_unit_test(test_bucket_length),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_inconsistent_spec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
