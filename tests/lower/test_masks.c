/* Masks of dropout as tensors: with weights that make every element that dropout meets one number, what is traced behind it
 * shows the mask. Reference, interpreter, C and JIT against the numbering of graph/dropout.h, told here once more: for
 * inputs of any length, for rows in the middle of a step, for other tiles and several threads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exec/exec_int.h"
#include "graph/ops.h"
#include "plan_of.h"
#include "support/file.h"

enum { BATCH = 3, HIDDEN = 32, HEADS = 2, SIZE = 16, MAX_LENGTH = 32, MAX_TRACES = 32 };
enum {
    FAR_ABOVE = 1024
}; /* how much more positions weigh than words: both masks show in their sum */

typedef struct {
    const char *text; /* of the spec, but for lengths and what all have */
    int64_t literal;  /* inputs are filled up to so many tokens; 0: code for any length */
    bool probabilities;
} model_t;

typedef struct {
    char *name;
    float *data;
    int rank;
    int64_t shape[3];
} traced_t;

typedef struct {
    const model_t *model;
    arena_t *a;
    diag_t *d;
    plan_t *plan;
    store_t *store;
    int32_t ids[BATCH * MAX_LENGTH];
    reformer_io_t io;
    graph_dropout_t dropout;
    const char *who;
    traced_t traces[MAX_TRACES];
    int n_traces;
} masks_t;

static void must(const masks_t *m, bool ok) {
    if (ok) return;
    diag_print(m->d, stderr);
    fail_msg("see the messages above");
}

/* ---- the model ------------------------------------------------------------------------------------ */

/* To train by, and with a loss's seed, which says that it is a train step. */
static graph_t *train_graph(const masks_t *m, const graph_t *g) {
    graph_options_t o = {.batch = g->batch,
                         .length = dim_at(g->length, g->units.max),
                         .units = g->units,
                         .train = true};
    graph_t *train = graph_build(m->a, g->spec, &o, m->d);
    must(m, train != NULL);
    train->shorter = g->shorter;
    for (size_t i = 0; i < train->n_nodes; i++) {
        gnode_t *n = train->nodes[i];
        bool shown = (n->op == G_DROPOUT && n->layer >= 0) || n->op == G_EMBED; /* else: outputs */
        if (m->model->probabilities) shown = n->trace && strstr(n->name, ".self_attention");
        n->trace = shown ? n->name : NULL;
    }
    gnode_t *seed = graph_append(train, G_SEED);
    seed->name = "seed";
    seed->layer = -1;
    seed->n_in = 1;
    seed->in[0] = (gnode_t *)(uintptr_t)graph_output(train, "loss");
    must(m, graph_infer(train, seed, m->d));
    return train;
}

static plan_t *plan(masks_t *m, const target_t *target, const tiles_t *tiles) {
    const char *length = "dynamic";
    if (m->model->literal) length = arena_printf(m->a, "%lld", (long long)m->model->literal);
    const char *text = arena_printf(
        m->a,
        "%svocab_size: 19\nhidden_size: %d\nnum_attention_heads: %d\nattention_head_size: %d\n"
        "feed_forward_size: 24\nhidden_act: relu\nlocal_attn_chunk_length: 8\n"
        "lsh_attn_chunk_length: 4\nnum_buckets: 2\nmax_position_embeddings: %d\n"
        "attn_layers: [local, lsh]\ncompile: {batch_size: %d, sequence_length: %s}\n",
        m->model->text, HIDDEN, HEADS, SIZE, MAX_LENGTH, BATCH, length);
    plan_options_t o = {
        .name = "model", .trace = true, .n_targets = 1, .targets = {target}, .tiles = {tiles}};
    plan_t *p = plan_of(m->a, text, &o, m->d);
    must(m, p != NULL);
    for (int i = 0; i < p->n_variants; i++)
        p->variants[i].graph = train_graph(m, p->variants[i].graph);
    p->layout = layout_make(m->a, p->variants[p->n_variants - 1].graph);
    return p;
}

/* The first matrix adds up two columns of different weight, which tell both; the second leaves all as they are. */
static const float of_columns[] = {0.25F, 0.5F};
static float number_of_classifier(const char *name, int64_t k) {
    if (ends_with(name, "bias")) return 0;
    if (ends_with(name, "out_proj.weight")) return k / HIDDEN == k % HIDDEN;
    int64_t row = k / (2 * HIDDEN), column = k % (2 * HIDDEN);
    return column % HIDDEN == row ? of_columns[column / HIDDEN] : 0;
}

/* Every row is ones, and so is what matrices make of it. */
static float number_of_rows(const char *name, int64_t k) {
    (void)k;
    if (strstr(name, "word_embeddings")) return 1;
    if (strstr(name, "position_embeddings")) return FAR_ABOVE;
    if (ends_with(name, "layer_norm.weight")) return 0;
    if (strstr(name, "classifier.")) return number_of_classifier(name, k);
    if (ends_with(name, "value.weight")) return 1.0F / HIDDEN;
    if (ends_with(name, "attention.output.dense.weight")) return 1.0F / (HEADS * SIZE);
    return ends_with(name, "bias");
}

/* Scores are 0, and a value is 1 in the column of its position, modulo the head's size. */
static float number_of_probabilities(const char *name, int64_t k) {
    int64_t row = k / HIDDEN, column = k % HIDDEN;
    if (strstr(name, "position_embeddings"))
        return (float)(column == row % SIZE) - (float)(column == SIZE + row % SIZE);
    if (ends_with(name, "layer_norm.weight")) return 1;
    if (ends_with(name, "value.weight")) return column == row % SIZE ? 0.25F : 0;
    return 0;
}

static void fill_weights(masks_t *m) {
    const graph_t *g = m->plan->variants[m->plan->n_variants - 1].graph;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        if (n->op != G_PARAM || ends_with(n->name, ".rotations")) continue;
        float *to = (float *)(uintptr_t)store_find(m->store, n->name)->data;
        int64_t elements = 1;
        for (int k = 0; k < n->rank; k++) elements *= n->shape[k].c;
        for (int64_t k = 0; k < elements; k++)
            to[k] =
                (m->model->probabilities ? number_of_probabilities : number_of_rows)(n->name, k);
    }
}

static masks_t *begin(const model_t *model) {
    masks_t *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->model = model;
    m->a = arena_new();
    m->d = diag_new();
    m->plan = plan(m, &targets[0], NULL);
    store_options_t o = {.path = "random"};
    m->store = store_load(m->plan->variants[m->plan->n_variants - 1].graph, &o, m->d);
    must(m, m->store != NULL);
    fill_weights(m);
    return m;
}

static void end(masks_t *m) {
    store_free(m->store);
    diag_free(m->d);
    arena_free(m->a);
    free(m);
}

/* ---- what must be --------------------------------------------------------------------------------- */

/* The length that masks count: Hugging Face fills up what is longer than one chunk of some layer. */
static int64_t counted(const masks_t *m) {
    int64_t length = (int64_t)m->io.length;
    if (m->model->literal) return m->model->literal;
    return length <= 4 ? length : (length + 7) / 8 * 8;
}

static double factor(const masks_t *m, const gnode_t *n, dropout_place_t place, double rate,
                     int64_t element) {
    return dropout_factor(&m->dropout, n->layer, place, rate, element);
}

/* Of column k of a token: the position's mask is one of whole columns of a grid. */
static double position_factor(const masks_t *m, const gnode_t *n, int64_t row, int64_t token,
                              int64_t k) {
    int64_t number = (m->dropout.first_row + row) * counted(m) + token;
    int64_t element = dropout_element(number, HIDDEN, k);
    if (n->n_axial)
        element = dropout_element(m->dropout.first_row + row, n->axial_shape[1],
                                  token % n->axial_shape[1]);
    return factor(m, n, PLACE_POSITION, n->position_rate, element);
}

static double want_row(const masks_t *m, const gnode_t *n, int64_t row, int64_t token, int64_t k) {
    int64_t width = n->shape[n->rank - 1].c, number = m->dropout.first_row + row;
    if (n->rank == 3) number = number * counted(m) + token;
    int64_t element = dropout_element(number, width, k);
    if (n->op == G_EMBED)
        return factor(m, n, PLACE_WORD, n->rate, element) +
               FAR_ABOVE * position_factor(m, n, row, token, k);
    return factor(m, n, (dropout_place_t)n->place, n->rate, element);
}

static double want_logit(const masks_t *m, const graph_t *g, int64_t row, int64_t k) {
    const gnode_t *in = graph_find(g, "first_token_dropout");
    const gnode_t *out = graph_find(g, "classifier_act_dropout");
    double x = 0;
    for (int i = 0; i < 2; i++)
        x += (double)of_columns[i] * want_row(m, in, row, 0, i * HIDDEN + k);
    return tanh(x) * want_row(m, out, row, 0, k);
}

typedef struct {
    const gnode_t *n;
    int64_t padded, length, chunk, window, rounds, slots, first;
    int keys; /* that the query sees, but itself */
} window_t;

static window_t window_of(const masks_t *m, const gnode_t *n, int64_t row, int64_t head) {
    window_t w = {.n = n, .padded = counted(m), .length = (int64_t)m->io.length};
    bool lsh = n->layer == 1;
    w.chunk = lsh ? 4 : 8;
    w.rounds = lsh && w.padded > w.chunk ? m->plan->spec->num_hashes : 1;
    w.window = 2 * w.chunk;
    if (w.padded <= w.chunk) w.window = w.chunk = w.padded;
    w.slots = w.rounds * w.padded;
    w.first = ((m->dropout.first_row + row) * HEADS + head) * w.slots;
    return w;
}

/* All tokens hash alike, so that each round has them in their order. */
static int64_t key_at(const window_t *w, int64_t slot, int64_t j) {
    int64_t chunks = w->slots / w->chunk, before = w->window > w->chunk;
    int64_t from = (slot / w->chunk - before + j / w->chunk + chunks) % chunks * w->chunk;
    return (from + j % w->chunk) % w->padded;
}

/* Weights of one query's keys, by their columns, all of them alike; an LSH query is none of its keys but where it is alone. */
static void want_query(const masks_t *m, const window_t *w, int64_t query, bool alone,
                       double *column, int64_t *seen) {
    *seen = 0;
    for (int64_t slot = query; slot < w->slots; slot += w->padded)
        for (int64_t j = 0; j < w->window; j++) {
            int64_t key = key_at(w, slot, j);
            bool self = w->n->layer == 1 && key == query;
            if (key >= w->length || self != alone) continue;
            ++*seen;
            column[key % SIZE] += factor(m, w->n, PLACE_PROBABILITIES, w->n->rate,
                                         dropout_element(w->first + slot, w->window, j));
        }
}

static double want_probability(const masks_t *m, const gnode_t *n, int64_t row, int64_t token,
                               int64_t k) {
    double column[SIZE] = {0};
    window_t w = window_of(m, n, row, k / SIZE);
    int64_t seen;
    want_query(m, &w, token, false, column, &seen);
    if (seen == 0) want_query(m, &w, token, true, column, &seen);
    return column[k % SIZE] / (double)seen;
}

static double want(const masks_t *m, const graph_t *g, const gnode_t *n, int64_t row, int64_t token,
                   int64_t k) {
    if (strcmp(n->name, "logits") == 0) return want_logit(m, g, row, k);
    return (m->model->probabilities ? want_probability : want_row)(m, n, row, token, k);
}

static void compare(const masks_t *m, const traced_t *t) {
    const graph_t *g = plan_fitting(m->plan, m->io.length)->graph;
    const gnode_t *n = graph_find(g, t->name);
    assert_non_null(n);
    int64_t rows = t->rank == 3 ? t->shape[1] : 1, width = t->shape[t->rank - 1];
    int64_t tokens = t->rank == 3 ? (int64_t)m->io.length : 1;
    for (int64_t row = 0; row < (int64_t)m->io.batch; row++)
        for (int64_t token = 0; token < tokens; token++)
            for (int64_t k = 0; k < width; k++) {
                double got = (double)t->data[(row * rows + token) * width + k];
                double right = want(m, g, n, row, token, k);
                if (!(fabs(got - right) <= 1e-5 * fmax(1, fabs(right))))
                    fail_msg("%s, length %d, first row %u, %s: [%d,%d,%d] is %.9g, should be %.9g",
                             m->who, (int)m->io.length, m->io.dropout_row, t->name, (int)row,
                             (int)token, (int)k, got, right);
            }
}

/* ---- running -------------------------------------------------------------------------------------- */

static void take(void *ctx, const char *name, const void *data, int dtype, const int64_t *shape,
                 int rank) {
    masks_t *m = ctx;
    traced_t t = {.name = arena_strndup(m->a, name, strlen(name)), .rank = rank};
    size_t elements = 1;
    assert_int_equal(dtype, REFORMER_F32);
    for (int i = 0; i < rank; i++) t.shape[i] = shape[i], elements *= (size_t)shape[i];
    t.data = arena_copy(m->a, data, elements * sizeof *t.data);
    assert_true(m->n_traces < MAX_TRACES);
    m->traces[m->n_traces++] = t;
}

static void run_reference(masks_t *m, exec_t *e) {
    const variant_plan_t *v = plan_fitting(m->plan, m->io.length);
    const graph_t *g = exec_graph(e, v, m->io.length, m->a, m->d);
    must(m, g != NULL);
    assert_int_equal(graph_evaluate_gradients(g, exec_param, m->store, &m->io, &m->dropout,
                                              v->unpadded, NULL, NULL),
                     REFORMER_OK);
}

typedef struct {
    int64_t length, rows;
    uint32_t first_row;
} cut_t;

/* Code for any length: nothing is filled up, layers see one chunk or several; rows in the middle of a step, and far. */
static const cut_t cuts[] = {{3, 3, 0}, {4, 2, 7},  {3, 1, 2825636378}, {7, 2, 1},
                             {8, 1, 2}, {13, 3, 4}, {30, 2, 2825636378}};

static void run(masks_t *m, exec_t *e, const cut_t *cut, int threads) {
    m->dropout =
        (graph_dropout_t){UINT64_C(0xfedcba9876543210), 3 + cut->first_row % 5, cut->first_row};
    m->io = (reformer_io_t){.size = sizeof(reformer_io_t),
                            .input_ids = m->ids,
                            .labels = m->ids,
                            .batch = (size_t)cut->rows,
                            .length = (size_t)cut->length,
                            .threads = threads,
                            .dropout_seed = m->dropout.seed,
                            .dropout_step = m->dropout.step,
                            .dropout_row = cut->first_row,
                            .trace = take,
                            .trace_ctx = m};
    m->n_traces = 0;
    float logits[BATCH * HIDDEN], hidden[BATCH * MAX_LENGTH * 2 * HIDDEN];
    const graph_t *g = plan_fitting(m->plan, m->io.length)->graph;
    if (graph_find(g, "first_token_dropout")) m->io.logits = logits;
    if (graph_find(g, "hidden_dropout")) m->io.last_hidden_state = hidden;
    if (e->backend == BACKEND_REFERENCE) run_reference(m, e);
    else must(m, exec_forward(e, &m->io, m->d));
    int64_t of_logits[] = {cut->rows, HIDDEN}, of_hidden[] = {cut->rows, cut->length, 2 * HIDDEN};
    if (m->io.logits) take(m, "logits", logits, REFORMER_F32, of_logits, 2);
    if (m->io.last_hidden_state) take(m, "hidden_dropout", hidden, REFORMER_F32, of_hidden, 3);
    assert_true(m->n_traces >= 2);
    for (int i = 0; i < m->n_traces; i++) compare(m, &m->traces[i]);
}

static void check(masks_t *m, const target_t *target, const tiles_t *tiles, backend_t backend,
                  const char *cc, int threads) {
    if (!backend_is_built_in(backend)) return;
    m->plan = plan(m, target, tiles);
    m->who = arena_printf(m->a, "%s, %s%s%s", backend_names[backend], target->name, cc ? ", " : "",
                          cc ? cc : "");
    exec_options_t o = {.backend = backend, .cc = cc, .passes = {.verify_each = true}};
    exec_t *e = exec_open(m->plan, m->store, &o, m->d);
    must(m, e != NULL);
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        if (!m->model->literal || cuts[i].length <= m->model->literal)
            for (int t = 1; t <= threads; t++) run(m, e, &cuts[i], t);
    exec_close(e);
}

static const target_t *best_target(void) {
    int k = T_LEVELS - 1;
    while (!reformer_cpu_supports(k)) k--;
    return &targets[k];
}

/* cc NULL: what is interpreted is enough, for one target. */
static void check_all(const model_t *model, const char *cc) {
    masks_t *m = begin(model);
    check(m, &targets[0], NULL, BACKEND_REFERENCE, NULL, 1);
    for (int k = cc ? 0 : T_LEVELS - 1; k < T_LEVELS; k++) {
        tiles_t narrow = tiles_for(&targets[k]);
        narrow.vectors = 1;
        narrow.rows = 3;
        narrow.block = 8;
        check(m, &targets[k], k % 2 ? &narrow : NULL, BACKEND_INTERPRETER, NULL, 1);
    }
    if (cc) check(m, best_target(), NULL, BACKEND_JIT, NULL, 2);
    if (cc) check(m, best_target(), NULL, BACKEND_C, cc, 2);
    end(m);
}

/* ---- tests ---------------------------------------------------------------------------------------- */

#define MLM     "architectures: [ReformerForMaskedLM]\naxial_pos_embds: false\n"
#define STREAMS "hidden_dropout_prob: 0.3\nlocal_attention_probs_dropout_prob: 0\n"
#define PROBABILITIES                                                                              \
    MLM "hidden_dropout_prob: 0\nlocal_attention_probs_dropout_prob: 0.3\n"                        \
        "lsh_attention_probs_dropout_prob: 0.5\n"

static void rows_of_a_table(void **state) {
    (void)state;
    check_all(&(model_t){.text = MLM STREAMS "chunk_size_feed_forward: 4\n"}, "clang");
}

static void rows_of_a_grid(void **state) {
    (void)state;
    check_all(&(model_t){.text = "architectures: [ReformerForMaskedLM]\n" STREAMS
                                 "axial_pos_shape: [8, 4]\naxial_pos_embds_dim: [20, 12]\n"},
              NULL);
}

static void rows_of_a_classifier(void **state) {
    (void)state;
    check_all(&(model_t){.text = "architectures: [ReformerForSequenceClassification]\n"
                                 "axial_pos_embds: false\nhidden_dropout_prob: 0\nnum_labels: 32\n"
                                 "classifier_dropout: 0.5\n"},
              NULL);
}

static void probabilities(void **state) {
    (void)state;
    check_all(&(model_t){.text = PROBABILITIES "num_hashes: 1\n", .probabilities = true}, "gcc");
}

/* Rounds add to each other; and inputs are filled up to a length that was named. */
static void probabilities_of_rounds(void **state) {
    (void)state;
    check_all(&(model_t){.text = PROBABILITIES "num_hashes: 3\npad_token_id: 0\n",
                         .literal = 16,
                         .probabilities = true},
              NULL);
}

/* What is drawn for dropout is drawn apart from it. */
static void rotations_know_nothing_of_it(void **state) {
    (void)state;
    masks_t *drops = begin(&(model_t){.text = PROBABILITIES, .probabilities = true});
    masks_t *none = begin(&(model_t){.text = MLM "hidden_dropout_prob: 0\n"});
    const char *name = "layers.1.rotations";
    const tensor_t *a = store_find(drops->store, name), *b = store_find(none->store, name);
    assert_non_null(a);
    assert_non_null(b);
    const gnode_t *n = graph_find(none->plan->variants[none->plan->n_variants - 1].graph, name);
    size_t elements = 1;
    for (int i = 0; i < n->rank; i++) elements *= (size_t)n->shape[i].c;
    assert_memory_equal(a->data, b->data, elements * sizeof(float));
    end(drops);
    end(none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotations_know_nothing_of_it),
        cmocka_unit_test(rows_of_a_table),
        cmocka_unit_test(rows_of_a_grid),
        cmocka_unit_test(rows_of_a_classifier),
        cmocka_unit_test(probabilities),
        cmocka_unit_test(probabilities_of_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
