/* The train step as a graph: what it is made of, that it prints and parses, and what cannot be derived. */
#include "graph/model.h"
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

static graph_t *build(state_t s, const spec_t *spec, graph_options_t o) {
    graph_t *g = graph_build(s.a, spec, &o, s.d);
    if (!g) fail_msg("%s", messages(s.d));
    return g;
}

static graph_t *derive(state_t s, const graph_t *g, const graph_gradient_options_t *o) {
    graph_t *train = graph_gradient(s.a, g, o, s.d);
    if (!train) fail_msg("%s", messages(s.d));
    return train;
}

static char *text_of(state_t s, const graph_t *g) {
    sbuf_t text = {0};
    graph_print(g, &text);
    char *copy = arena_strndup(s.a, text.data, text.size);
    sbuf_free(&text);
    return copy;
}

static int count(const graph_t *g, gop_t op) {
    int n = 0;
    for (size_t i = 0; i < g->n_nodes; i++) n += g->nodes[i]->op == op;
    return n;
}

/* ---- text ---------------------------------------------------------------------------------- */

static void assert_round_trip(const spec_t *spec, graph_options_t o) {
    state_t s = begin();
    char *first = text_of(s, derive(s, build(s, spec, o), NULL));
    graph_t *read = graph_parse(s.a, "g.txt", first, strlen(first), s.d);
    if (!read) fail_msg("%s", messages(s.d));
    assert_string_equal(text_of(s, read), first);
    end(s);
}

static void test_round_trip(void **unused) {
    (void)unused;
    static const int64_t lengths[] = {5, 8, 50, 64};
    for (int arch = ARCH_CAUSAL_LM; arch <= ARCH_QA; arch++) {
        spec_t spec = small_spec((arch_t)arch);
        for (int i = 0; i < 4; i++)
            assert_round_trip(&spec, (graph_options_t){.batch = 2, .length = lengths[i]});
        assert_round_trip(&spec, (graph_options_t){.batch = 1, .units = {2, 8}});
        spec.axial_pos_embds = false;
        assert_round_trip(&spec, (graph_options_t){.batch = 1, .length = 40});
    }
}

/* Lines of the forward, in their order, are lines of the train step; what stands between them is packed buckets. */
static void test_forward_stays(void **unused) {
    (void)unused;
    state_t s = begin();
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    graph_t *g = build(s, &spec, (graph_options_t){.batch = 2, .length = 64});
    char *before = text_of(s, g), *after = text_of(s, derive(s, g, NULL));
    assert_string_equal(text_of(s, g), before);
    int more = 0;
    for (char *line = after; *before; line += strcspn(line, "\n") + 1) {
        size_t n = strcspn(before, "\n") + 1;
        if (strncmp(line, before, n) == 0) before += n;
        else if (strncmp(line, "packed.", 7) == 0) more++;
        else fail_msg("%.80s", line);
    }
    assert_int_equal(more, 1);
    end(s);
}

/* Another batch and length: derived and then resized, or the other way round. */
static void test_resizing(void **unused) {
    (void)unused;
    static const graph_size_t sizes[] = {
        {1, {64, 0}, {64, 0}, {0, 0}}, {3, {50, 0}, {56, 0}, {0, 0}}, {2, {0, 8}, {0, 8}, {2, 8}}};
    for (int arch = ARCH_CAUSAL_LM; arch <= ARCH_QA; arch++)
        for (int i = 0; i < 3; i++) {
            state_t s = begin();
            spec_t spec = small_spec((arch_t)arch);
            graph_t *g = build(s, &spec, (graph_options_t){.batch = 2, .length = 64});
            graph_t *one = graph_resize(s.a, derive(s, g, NULL), &sizes[i], s.d);
            if (!one) fail_msg("%s", messages(s.d));
            graph_t *other = derive(s, graph_resize(s.a, g, &sizes[i], s.d), NULL);
            assert_string_equal(text_of(s, one), text_of(s, other));
            end(s);
        }
}

/* ---- structure ----------------------------------------------------------------------------- */

static const gnode_t *find(const graph_t *g, const char *name) {
    const gnode_t *n = graph_find(g, name);
    if (!n) fail_msg("no node %s", name);
    return n;
}

/* Inputs of blocks are made again from their results; nothing hashes twice; a gradient for every weight. */
static void test_reversible(void **unused) {
    (void)unused;
    static layer_kind_t kinds[] = {LAYER_LSH, LAYER_LOCAL, LAYER_LSH};
    state_t s = begin();
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    spec.n_layers = 3;
    spec.attn_layers = kinds;
    graph_t *g = build(s, &spec, (graph_options_t){.batch = 2, .length = 64});
    graph_t *t = derive(s, g, NULL);
    assert_int_equal(count(t, G_SUB), 2 * 2 + 1); /* streams between layers, and the embedding */
    assert_int_equal(count(t, G_LSH_HASH), 2);
    assert_int_equal(count(t, G_PACK_BUCKETS), 2);
    assert_int_equal(count(t, G_LSH_SORT), 4);
    assert_int_equal(count(t, G_LSH_ATTENTION), 4);
    assert_int_equal(count(t, G_LSH_LSE), 2);
    assert_int_equal(count(t, G_EMBED), 1);
    assert_int_equal(count(t, G_GRADIENT), count(g, G_PARAM) - 2); /* rotations have none */
    const gnode_t *undone = find(t, "again.layers.1.y2");
    assert_int_equal(undone->op, G_SUB);
    assert_string_equal(undone->in[0]->name, "layers.2.y2");
    assert_string_equal(undone->in[1]->name, "again.layers.2.feed_forward");
    assert_int_equal(undone->layer, 2);
    assert_string_equal(find(t, "again.layers.0.y2")->in[0]->name, "again.layers.1.y2");
    assert_string_equal(find(t, "again.embeddings")->in[1]->name, "again.layers.0.feed_forward");
    /* the gradient of a stream is added to */
    const gnode_t *stream = find(t, "grad.layers.1.y2");
    assert_int_equal(stream->op, G_ADD);
    assert_string_equal(stream->in[0]->name, find(t, "grad.layers.2.y2")->name);
    const gnode_t *gradient = find(t, "grad.lm_head.decoder.weight");
    assert_int_equal(gradient->op, G_GRADIENT);
    assert_string_equal(gradient->in[1]->name, "lm_head.decoder.weight");
    end(s);
}

/* Values of the forward that the backward pass reads, but for what callers and weights give. */
static int count_kept(const graph_t *t, gtype_t type) {
    const gnode_t *seed = graph_next(t, G_SEED, NULL);
    int n = 0;
    for (int i = 0; i < seed->id; i++) {
        const gnode_t *x = t->nodes[i];
        bool read = false;
        for (size_t k = (size_t)seed->id + 1; k < t->n_nodes; k++)
            for (int j = 0; j < t->nodes[k]->n_in; j++) read |= t->nodes[k]->in[j] == x;
        n += read && x->type == type && graph_kind(x) != K_LEAF;
    }
    return n;
}

/* Memory does not grow with depth, but for a byte per token, round and head of layers that hash. */
static void test_depth(void **unused) {
    (void)unused;
    static layer_kind_t kinds[24];
    int kept[2];
    for (int deep = 0; deep < 2; deep++) {
        state_t s = begin();
        spec_t spec = small_spec(ARCH_CAUSAL_LM);
        spec.n_layers = deep ? 24 : 2;
        spec.attn_layers = kinds;
        for (int i = 0; i < 24; i++) kinds[i] = i % 2 ? LAYER_LSH : LAYER_LOCAL;
        graph_t *t = derive(s, build(s, &spec, (graph_options_t){.batch = 2, .length = 64}), NULL);
        kept[deep] = count_kept(t, G_F32);
        assert_int_equal(count_kept(t, G_U8), spec.n_layers / 2);
        assert_int_equal(count_kept(t, G_I32), 0);
        end(s);
    }
    assert_int_equal(kept[0], kept[1]);
}

/* What is kept is not made again, nor what only it needed; buckets are, packed, and are sorted again. */
static void test_keeping(void **unused) {
    (void)unused;
    state_t s = begin();
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    graph_t *g = build(s, &spec, (graph_options_t){.batch = 2, .length = 64});
    bool *keep = ARENA_ARRAY(s.a, bool, g->n_nodes);
    for (size_t i = 0; i < g->n_nodes; i++) keep[i] = true;
    graph_t *t = derive(s, g, &(graph_gradient_options_t){.keep = keep});
    const gnode_t *seed = graph_next(t, G_SEED, NULL);
    assert_int_equal(count(t, G_SUB), 0);
    assert_int_equal(count(t, G_LSH_SORT), 2);
    for (size_t i = 0; i < t->n_nodes; i++) {
        gop_t op = t->nodes[i]->op;
        bool again = strncmp(t->nodes[i]->name, "again.", 6) == 0;
        if (again != (op == G_UNPACK_BUCKETS || (op == G_LSH_SORT && i > (size_t)seed->id)))
            fail_msg("%s", t->nodes[i]->name);
    }
    /* what the soft maximum divides by is kept with the attention */
    const gnode_t *lse = find(t, "lse.layers.1.self_attention");
    assert_int_equal(lse->id, find(t, "layers.1.self_attention")->id + 1);
    memset(keep, 0, g->n_nodes * sizeof *keep);
    keep[find(g, "layers.0.y2")->id] = true;
    t = derive(s, g, &(graph_gradient_options_t){.keep = keep});
    assert_null(graph_find(t, "again.layers.0.y2"));
    assert_null(graph_find(t, "again.layers.1.feed_forward"));
    assert_non_null(graph_find(t, "again.layers.0.y1"));
    end(s);
}

static void test_types_of_buckets(void **unused) {
    (void)unused;
    static const struct {
        int n;
        int64_t factors[2];
        gtype_t type;
    } cases[] = {{1, {4}, G_U8},       {1, {254}, G_U8},       {1, {256}, G_U16},
                 {2, {16, 16}, G_U16}, {2, {254, 256}, G_U16}, {2, {256, 256}, G_I32}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        state_t s = begin();
        spec_t spec = small_spec(ARCH_CAUSAL_LM);
        spec.n_bucket_factors = cases[i].n;
        memcpy(spec.num_buckets, cases[i].factors, sizeof cases[i].factors);
        graph_t *t = derive(s, build(s, &spec, (graph_options_t){.batch = 1, .length = 64}), NULL);
        assert_int_equal(find(t, "packed.layers.1.buckets")->type, cases[i].type);
        assert_int_equal(find(t, "again.layers.1.buckets")->type, G_I32);
        end(s);
    }
}

typedef struct {
    const char *name;
    const int32_t *data;
    int64_t n;
} traced_t;

typedef struct {
    arena_t *a;
    traced_t traces[8];
    int n;
} traces_t;

static void take_trace(void *ctx, const char *name, const void *data, int dtype,
                       const int64_t *shape, int rank) {
    traces_t *t = ctx;
    int64_t n = 1;
    assert_int_equal(dtype, REFORMER_I32);
    for (int i = 0; i < rank; i++) n *= shape[i];
    assert_true(t->n < 8);
    t->traces[t->n++] = (traced_t){name, arena_copy(t->a, data, sizeof(int32_t) * (size_t)n), n};
}

static const int32_t *trace_of(const traces_t *t, const char *name, int64_t *n) {
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->traces[i].name, name) == 0) return *n = t->traces[i].n, t->traces[i].data;
    fail_msg("%s is not traced", name);
    return NULL;
}

static void no_gradient(void *ctx, const gnode_t *n, const double *values, int64_t elements) {
    (void)ctx, (void)n, (void)values, (void)elements;
}

/* Packed buckets are within their type, masked tokens' being the last, and sort as those they were made of. */
static void test_packing(void **unused) {
    (void)unused;
    static const char *const shown[] = {"packed.layers.1.buckets", "layers.1.sorted_idx",
                                        "again.layers.1.sorted_idx"};
    for (int masked = 0; masked < 2; masked++) {
        state_t s = begin();
        spec_t spec = small_spec(ARCH_CAUSAL_LM);
        int32_t ids[2 * 64], labels[2 * 64];
        uint8_t mask[2 * 64];
        bool last = false;
        graph_t *t = derive(s, build(s, &spec, (graph_options_t){.batch = 2, .length = 64}), NULL);
        weights_t weights = {.g = t, .a = s.a};
        traces_t traces = {.a = s.a};
        for (size_t i = 0; i < t->n_nodes; i++) t->nodes[i]->trace = NULL;
        for (int i = 0; i < 3; i++) graph_find(t, shown[i])->trace = shown[i];
        for (int i = 0; i < 2 * 64; i++) {
            ids[i] = labels[i] = 1 + (i * 7 + i / 5) % 11;
            mask[i] = i % 5 != 2;
        }
        reformer_io_t io = {.size = sizeof io,
                            .input_ids = ids,
                            .labels = labels,
                            .attention_mask = masked ? mask : NULL,
                            .length = 64,
                            .trace = take_trace,
                            .trace_ctx = &traces};
        assert_int_equal(graph_evaluate_gradients(t, small_weights, &weights, &io, NULL, false,
                                                  no_gradient, NULL),
                         0);
        int64_t n;
        const int32_t *packed = trace_of(&traces, shown[0], &n);
        for (int64_t i = 0; i < n; i++) {
            assert_in_range(packed[i], 0, masked ? 4 : 3);
            last |= packed[i] == 4;
        }
        assert_int_equal(last, masked);
        const int32_t *before = trace_of(&traces, shown[1], &n);
        assert_memory_equal(trace_of(&traces, shown[2], &n), before, sizeof *before * (size_t)n);
        end(s);
    }
}

/* As many nodes as one likes in a row. */
static void test_long_way(void **unused) {
    (void)unused;
    enum { LINKS = 20000 };
    state_t s = begin();
    sbuf_t text = {0};
    sbuf_puts(&text,
              "graph batch=1 length=4 padded=4\n"
              "input_ids = input() : i32[1,4]\nids = pad_ids(input_ids) pad_token=0 : i32[1,4]\n"
              "w = param() : f32[9,2]\np = param() : f32[6,2]\n"
              "a.0 = embed(ids, w, p) axial_shape=none : f32[1,4,2]\n");
    for (int i = 1; i < LINKS; i++)
        sbuf_printf(&text, "a.%d = activation(a.%d) act=tanh : f32[1,4,2] layer=0\n", i, i - 1);
    sbuf_printf(&text, "y = add(a.0, a.%d) : f32[1,4,2] layer=0\n", LINKS - 1);
    sbuf_puts(&text, "labels = input() : i32[1,4]\n"
                     "loss = cross_entropy(y, labels) shift=0 : f32[]\n");
    graph_t *g = graph_parse(s.a, "g.txt", text.data, text.size, s.d);
    assert_non_null(g);
    graph_t *t = derive(s, g, NULL);
    assert_null(graph_find(t, "again.a.0")); /* its sum cannot be undone */
    assert_int_equal(count(t, G_ACTIVATION),
                     2 * LINKS - 3); /* the last one's value is not asked for */
    assert_int_equal(count(t, G_ACTIVATION_GRAD), LINKS - 1);
    sbuf_free(&text);
    end(s);
}

/* ---- what cannot be ------------------------------------------------------------------------ */

static void assert_underivable(state_t s, const graph_t *g, const char *loss, const char *message) {
    graph_gradient_options_t o = {.loss = loss};
    assert_null(graph_gradient(s.a, g, &o, s.d));
    assert_message(s.d, message);
}

static void test_no_loss(void **unused) {
    (void)unused;
    state_t s = begin();
    spec_t spec = small_spec(ARCH_BASE);
    spec.at[KEY_vocab_size] = (srcloc_t){"small.yaml", 3, 1};
    graph_t *g = build(s, &spec, (graph_options_t){.batch = 1, .length = 64});
    assert_underivable(s, g, NULL, "small.yaml:3:1: error: the model has no loss to train it by");
    end(s);
}

static const char body[] = "graph batch=1 length=4 padded=4\n"
                           "input_ids = input() : i32[1,4]\n"
                           "ids = pad_ids(input_ids) pad_token=0 : i32[1,4]\n"
                           "w = param() : f32[9,2]\n"
                           "p = param() : f32[6,2]\n"
                           "x = embed(ids, w, p) axial_shape=none : f32[1,4,2]\n"
                           "labels = input() : i32[1,4]\n";

static graph_t *parse(state_t s, const char *more) {
    char *text = arena_printf(s.a, "%s%s", body, more);
    graph_t *g = graph_parse(s.a, "g.txt", text, strlen(text), s.d);
    if (!g) fail_msg("%s", messages(s.d));
    return g;
}

static void test_names(void **unused) {
    (void)unused;
    state_t s = begin();
    graph_t *g = parse(s, "grad.w = activation(x) act=tanh : f32[1,4,2]\n"
                          "loss = cross_entropy(grad.w, labels) shift=0 : f32[]\n");
    assert_underivable(s, g, NULL,
                       "g.txt:8:1: error: grad.w: the backward pass has a node of this");
    char name[196];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    g = parse(s, arena_printf(s.a,
                              "%s = activation(x) act=tanh : f32[1,4,2]\n"
                              "loss = cross_entropy(%s, labels) shift=0 : f32[]\n",
                              name, name));
    assert_underivable(s, g, NULL, "the name is too long for the backward pass");
    g = parse(s, "loss = cross_entropy(x, labels) shift=0 : f32[]\n");
    graph_t *t = derive(s, g, NULL);
    assert_underivable(s, t, NULL, "the backward pass has a node of this name");
    end(s);
}

static void test_what_has_no_derivative(void **unused) {
    (void)unused;
    state_t s = begin();
    graph_t *g = parse(s, "y = sub(x, x) : f32[1,4,2]\n"
                          "loss = cross_entropy(y, labels) shift=0 : f32[]\n");
    assert_underivable(s, g, NULL, "g.txt:8:1: error: y: sub has no derivative");
    end(s);
}

/* A file of a model is a forward. */
static void test_not_in_a_file(void **unused) {
    (void)unused;
    state_t s = begin();
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    char *text =
        text_of(s, derive(s, build(s, &spec, (graph_options_t){.batch = 1, .length = 64}), NULL));
    loaded_model_t m;
    assert_false(model_parse(s.a, &m, "m.graph", text, strlen(text), NULL, 0, s.d));
    assert_message(s.d, "error: again.layers.0.y2: the backward pass follows from the forward, and "
                        "does not stand in a file");
    end(s);
}

/* ---- shapes -------------------------------------------------------------------------------- */

static void test_shapes(void **unused) {
    (void)unused;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"y = part(x) first=1 width=1 : f32[1,4,1]", NULL},
        {"y = part(x) first=1 width=2 : f32[1,4,2]", "y: there are no 2 columns from 1"},
        {"y = part(x) first=0 width=0 : f32[1,4,0]", "y: width must be positive"},
        {"y = dense_t(x, w) : f32[1,4,2]", "dimension 0 of input weight is 9, not 2"},
        {"y = outer(x, x) : f32[2,2]", NULL},
        {"y = gradient(x, w) : f32[1,4,2]", "y: x is no gradient of a param"},
        {"y = word_grad(x, ids) entries=9 : f32[9,2]", NULL},
        {"y = word_grad(x, ids) entries=0 : f32[0,2]", "y: entries must be positive"},
        {"y = position_grad(x) axial_shape=none entries=4 axis=0 : f32[4,2]", NULL},
        {"y = position_grad(x) axial_shape=none entries=3 axis=0 : f32[3,2]",
         "y: axis 0 has no 3 positions"},
        {"y = position_grad(x) axial_shape=2x2 entries=2 axis=1 : f32[2,2]", NULL},
        {"y = position_grad(x) axial_shape=2x2 entries=2 axis=2 : f32[2,2]",
         "y: axis 2 has no 2 positions"},
        {"y = position_grad(x) axial_shape=1x2 entries=2 axis=1 : f32[2,2]",
         "y: axis 1 has no 2 positions"},
        {"y = uncolumn(x) shift=0 width=2 : f32[1,4,2]", "y: input dy has 3 dimensions, not 2"},
        {"y = seed(x) : f32[]", "y: input y has 3 dimensions, not 0"},
        {"y = layer_norm_unit(x) eps=2 : f32[1,4,2]", "y: eps is a number from 0 to 1"},
        {"y = unpack_buckets(ids) factors=4 : i32[1,4]",
         "y: input packed must not come from pad_ids"},
        {"y = exact_lse(x, x, _) heads=2 head_size=1 causal=0 shared_qk=0 : f32[1,4,2]",
         "y: shared_qk says that q and k are one node"},
        {"y = exact_lse(x, x, _) heads=2 head_size=1 causal=0 shared_qk=1 : f32[1,4,2]", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        state_t s = begin();
        char *text = arena_printf(s.a, "%s%s\n", body, cases[i].line);
        graph_t *g = graph_parse(s.a, "g.txt", text, strlen(text), s.d);
        if (!cases[i].message && !g) fail_msg("%s: %s", cases[i].line, messages(s.d));
        if (cases[i].message && g) fail_msg("accepted: %s", cases[i].line);
        if (cases[i].message) assert_message(s.d, cases[i].message);
        end(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_forward_stays),
        cmocka_unit_test(test_resizing),
        cmocka_unit_test(test_reversible),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_keeping),
        cmocka_unit_test(test_types_of_buckets),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_long_way),
        cmocka_unit_test(test_no_loss),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_what_has_no_derivative),
        cmocka_unit_test(test_not_in_a_file),
        cmocka_unit_test(test_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
