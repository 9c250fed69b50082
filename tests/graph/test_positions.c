/* Rows that begin at positions of their own: what is embedded, its gradients, and what is refused. */
#include "differences.h"

enum { ROWS = 2, TOKENS = 16 };

static const int32_t begins[ROWS] = {5, 48};
static const graph_dropout_t masks = {.seed = 77, .step = 2, .first_row = 3};

typedef struct {
    differences_t x;
    spec_t spec;
    int32_t ids[ROWS * TOKENS], labels[ROWS * TOKENS];
} model_t;

typedef enum { GRID, CUBE, TABLE, FORMS } form_t; /* two axes, three, absolute; of 64 positions */

static spec_t spec_of(form_t form, double rate) {
    static layer_kind_t layers[] = {LAYER_LSH, LAYER_LOCAL};
    spec_t s = small_spec(ARCH_CAUSAL_LM);
    s.attn_layers = layers;
    s.hidden_act = ACT_SILU;
    s.layer_norm_eps = 1e-6;
    s.hidden_dropout_prob = rate;
    s.axial_pos_embds = form != TABLE;
    if (form != CUBE) return s;
    s.n_axial = 3;
    s.axial_pos_shape[0] = 4;
    s.axial_pos_shape[1] = 8;
    s.axial_pos_shape[2] = 2;
    s.axial_pos_embds_dim[0] = 3;
    s.axial_pos_embds_dim[1] = 8;
    s.axial_pos_embds_dim[2] = 5;
    return s;
}

static graph_t *must(model_t *m, graph_t *g) {
    if (!g) fail_msg("%s", messages(m->x.d));
    return g;
}

static model_t *begin(form_t form, double rate) {
    model_t *m = calloc(1, sizeof *m);
    graph_options_t o = {.batch = ROWS, .length = TOKENS, .train = true};
    assert_non_null(m);
    begin_differences(&m->x, 11);
    m->spec = spec_of(form, rate);
    graph_t *plain = must(m, graph_build(m->x.a, &m->spec, &o, m->x.d));
    m->x.forward = must(m, graph_with_positions(m->x.a, plain, m->x.d));
    m->x.train = must(m, graph_gradient(m->x.a, m->x.forward, NULL, m->x.d));
    for (int i = 0; i < ROWS * TOKENS; i++) {
        m->ids[i] = 1 + (i * 7 + i / 5) % 11;
        m->labels[i] = (i * 5 + 3) % 12;
    }
    m->x.io = (reformer_io_t){.size = sizeof(reformer_io_t),
                              .input_ids = m->ids,
                              .labels = m->labels,
                              .positions = begins,
                              .batch = ROWS,
                              .length = TOKENS};
    draw_params(&m->x);
    impose_buckets(&m->x);
    return m;
}

static void end(model_t *m) {
    end_differences(&m->x);
    free(m);
}

/* ---- what is embedded ------------------------------------------------------------------------ */

static const float *table(const model_t *m, int axis) {
    const char *name = m->spec.axial_pos_embds
                           ? arena_printf(m->x.a, "embeddings.position_embeddings.weights.%d", axis)
                           : "embeddings.position_embeddings.embedding.weight";
    return value_by_name((void *)(uintptr_t)&m->x, name);
}

/* As the models' documentation has it: the position in the grid, its last axis running fastest. */
static float place_value(const model_t *m, int position, int k) {
    const spec_t *s = &m->spec;
    if (!s->axial_pos_embds) return table(m, 0)[position * 16 + k];
    for (int a = 0; a < s->n_axial; a++) {
        int below = 1, width = (int)s->axial_pos_embds_dim[a];
        for (int i = a + 1; i < s->n_axial; i++) below *= (int)s->axial_pos_shape[i];
        int entry = position / below % (int)s->axial_pos_shape[a];
        if (k < width) return table(m, a)[entry * width + k];
        k -= width;
    }
    return 0;
}

static void check_embeddings(void *ctx, const char *name, const void *data, int dtype,
                             const int64_t *shape, int rank) {
    const model_t *m = ctx;
    const float *got = data;
    if (strcmp(name, "embeddings") != 0) return;
    assert_true(dtype == REFORMER_F32 && rank == 3 && shape[1] == TOKENS && shape[2] == 16);
    const float *word = value_by_name(ctx, "embeddings.word_embeddings.weight");
    for (int i = 0; i < ROWS * TOKENS * 16; i++) {
        int row = i / 16 / TOKENS, position = begins[row] + i / 16 % TOKENS;
        float want = word[m->ids[i / 16] * 16 + i % 16] + place_value(m, position, i % 16);
        assert_true(fabsf(got[i] - want) <= 1e-6F);
    }
}

static void test_embeddings(void **unused) {
    (void)unused;
    for (form_t form = GRID; form < FORMS; form++) {
        model_t *m = begin(form, 0);
        reformer_io_t io = m->x.io;
        float loss = 0;
        io.loss = &loss;
        io.trace = check_embeddings;
        io.trace_ctx = m;
        assert_int_equal(graph_evaluate(m->x.forward, value_by_name, &m->x, &io, false), 0);
        assert_true(loss > 0);
        end(m);
    }
}

/* ---- gradients ------------------------------------------------------------------------------- */

/* Words, positions and columns of the grid dropped or not. */
static void test_gradient_is_derivative(void **unused) {
    (void)unused;
    for (form_t form = GRID; form < FORMS; form++)
        for (int drops = 0; drops < 2; drops++) {
            model_t *m = begin(form, drops ? 0.3 : 0);
            if (drops) m->x.dropout = &masks;
            compare_all(&m->x);
            if (!(m->x.worst <= 1)) fail_msg("form %d: %s is off by %g", form, m->x.of, m->x.worst);
            m->x.io.positions = NULL; /* gradients of other positions are none of these */
            compare_params(&m->x, 0, 1, 1 << 17);
            double worst = 0;
            for (int i = 0; i < m->x.n_params; i++)
                if (strstr(m->x.params[i]->name, "position"))
                    worst = fmax(worst, compare_param(&m->x, i));
            assert_true(worst > 1000);
            end(m);
        }
}

/* Of a column of the grid all positions are dropped, wherever rows begin. */
static void test_whole_columns(void **unused) {
    (void)unused;
    model_t *m = begin(GRID, 0.3);
    m->x.dropout = &masks;
    find_gradients(&m->x);
    int i = index_of(&m->x, "embeddings.position_embeddings.weights.1");
    const double *columns = m->x.gradients[i];
    int dropped = 0;
    for (int column = 0; column < 8; column++) {
        double rows = 0;
        for (int row = 0; row < ROWS; row++)
            rows += dropout_factor(&masks, -1, PLACE_POSITION, 0.3,
                                   dropout_element(masks.first_row + row, 8, column));
        bool zero = true;
        for (int k = 0; k < 12; k++) zero = zero && columns[column * 12 + k] == 0;
        assert_true(zero == (rows == 0));
        dropped += zero;
    }
    assert_in_range(dropped, 1, 7);
    end(m);
}

/* Without positions, and with zeros, it is the plain train step. */
static void test_no_positions(void **unused) {
    (void)unused;
    static const int32_t zeros[ROWS];
    model_t *m = begin(GRID, 0.3);
    graph_options_t o = {.batch = ROWS, .length = TOKENS, .train = true};
    m->x.dropout = &masks;
    m->x.io.positions = zeros;
    find_gradients(&m->x);
    double *want = NULL;
    int i = index_of(&m->x, "embeddings.position_embeddings.weights.0");
    size_t bytes = sizeof *want * (size_t)count_of(m->x.params[i]);
    want = arena_copy(m->x.a, m->x.gradients[i], bytes);
    m->x.io.positions = NULL;
    find_gradients(&m->x);
    assert_memory_equal(m->x.gradients[i], want, bytes);
    graph_t *plain = must(m, graph_build(m->x.a, &m->spec, &o, m->x.d));
    m->x.train = must(m, graph_gradient(m->x.a, plain, NULL, m->x.d));
    find_gradients(&m->x);
    assert_memory_equal(m->x.gradients[i], want, bytes);
    end(m);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static int evaluate(model_t *m, const graph_t *g, const int32_t *positions) {
    reformer_io_t io = m->x.io;
    float loss;
    io.loss = &loss;
    io.positions = positions;
    return graph_evaluate(g, value_by_name, &m->x, &io, false);
}

static void test_range(void **unused) {
    (void)unused;
    static const int32_t last[] = {0, 48}, beyond[] = {0, 49}, before[] = {-1, 0};
    model_t *m = begin(GRID, 0);
    graph_options_t o = {.batch = ROWS, .length = TOKENS};
    assert_int_equal(evaluate(m, m->x.forward, last), REFORMER_OK);
    assert_int_equal(evaluate(m, m->x.forward, beyond), REFORMER_E_POSITION);
    assert_int_equal(evaluate(m, m->x.forward, before), REFORMER_E_POSITION);
    graph_t *plain = must(m, graph_build(m->x.a, &m->spec, &o, m->x.d));
    assert_int_equal(evaluate(m, plain, last), REFORMER_E_ARGUMENT);
    end(m);
}

/* A node that has the input's name keeps it; a text of such a graph says what it reads. */
static void test_text(void **unused) {
    (void)unused;
    model_t *m = begin(CUBE, 0.3);
    sbuf_t text = {0}, again = {0};
    graph_print(m->x.train, &text);
    assert_non_null(strstr(text.data, " = embed_from(ids, positions, "));
    graph_t *read = must(m, graph_parse(m->x.a, "t.graph", text.data, text.size, m->x.d));
    graph_print(read, &again);
    assert_string_equal(again.data, text.data);
    assert_false(graph_check_model(read, m->x.d));
    assert_message(m->x.d, "rows begin at positions of their own in training, not in a file");
    graph_options_t o = {.batch = ROWS, .length = TOKENS};
    graph_t *plain = must(m, graph_build(m->x.a, &m->spec, &o, m->x.d));
    graph_find(plain, "hidden")->name = "positions";
    const graph_t *same = must(m, graph_with_positions(m->x.a, plain, m->x.d));
    assert_int_equal(same->n_nodes, plain->n_nodes);
    assert_null(graph_next(same, G_EMBED_FROM, NULL));
    sbuf_free(&text);
    sbuf_free(&again);
    end(m);
}

/* As many axes as there may be: ids, positions, words and a table for each. */
static void test_max_axes(void **unused) {
    (void)unused;
    model_t *m = begin(GRID, 0);
    graph_options_t o = {.batch = ROWS, .length = TOKENS, .train = true};
    m->spec.n_axial = MAX_AXIAL;
    for (int a = 0; a < MAX_AXIAL; a++) {
        m->spec.axial_pos_shape[a] = a ? 2 : 4;
        m->spec.axial_pos_embds_dim[a] = a ? 3 : 4;
    }
    graph_t *forward = must(m, graph_build(m->x.a, &m->spec, &o, m->x.d));
    graph_t *step = must(m, graph_build_step(m->x.a, forward, ROWS, m->x.d));
    graph_t *train = must(m, graph_with_positions(m->x.a, forward, m->x.d));
    assert_int_equal(graph_next(step, G_EMBED_AT, NULL)->n_in, 3 + MAX_AXIAL);
    assert_int_equal(graph_next(train, G_EMBED_FROM, NULL)->n_in, 3 + MAX_AXIAL);
    must(m, graph_gradient(m->x.a, train, NULL, m->x.d));
    end(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embeddings),    cmocka_unit_test(test_gradient_is_derivative),
        cmocka_unit_test(test_whole_columns), cmocka_unit_test(test_no_positions),
        cmocka_unit_test(test_range),         cmocka_unit_test(test_text),
        cmocka_unit_test(test_max_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
