/* Heads that a graph edited by hand may have: what kernels compute is equal to the reference, and what none computes is
 * refused where it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "exec/exec.h"
#include "graph/ops.h"
#include "graph_edit.h"
#include "plan_of.h"

enum { LENGTH = 16, VOCAB = 30, WIDE = 64 };

#define MODEL                                                                                      \
    "attn_layers: [local, lsh]\nhidden_size: 32\nnum_attention_heads: 2\n"                         \
    "attention_head_size: 16\nfeed_forward_size: 40\nvocab_size: 30\naxial_pos_shape: [8, 8]\n"    \
    "axial_pos_embds_dim: [12, 20]\nmax_position_embeddings: 64\nlsh_attn_chunk_length: 4\n"       \
    "local_attn_chunk_length: 4\nnum_hashes: 2\nnum_buckets: 4\nhash_seed: 1\n"                    \
    "initializer_range: 0.3\ncompile: {sequence_length: 16}\n"
#define LM  "is_decoder: true\narchitectures: [ReformerModelWithLMHead]\n" MODEL
#define QA  "architectures: [ReformerForQuestionAnswering]\n" MODEL
#define CLS "architectures: [ReformerForSequenceClassification]\nnum_labels: 3\n" MODEL

typedef struct {
    arena_t *a;
    diag_t *d;
    plan_t *plan;
    store_t *store;
} model_t;

static model_t begin(const char *text, bool decodes) {
    model_t m = {arena_new(), diag_new(), NULL, NULL};
    plan_options_t o = {.name = "model", .n_targets = 1, .decodes = decodes};
    o.targets[0] = &targets[reformer_cpu_supports(T_AARCH64) ? T_AARCH64 : T_X86_64];
    m.plan = plan_of(m.a, text, &o, m.d);
    assert_non_null(m.plan);
    return m;
}

static void end(model_t *m) {
    store_free(m->store);
    diag_free(m->d);
    arena_free(m->a);
}

static graph_t *forward(const model_t *m) {
    return m->plan->variants[0].graph;
}

/* Nobody reads n any more. */
static void remove_node(graph_t *g, const gnode_t *n) {
    size_t kept = 0;
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i] != n) g->nodes[kept++] = g->nodes[i];
    g->n_nodes = kept;
    for (size_t i = 0; i < kept; i++) g->nodes[i]->id = (int)i;
}

static void drop_bias(graph_t *g, const char *dense) {
    gnode_t *n = graph_find(g, dense), *bias = n->in[2];
    n->in[2] = NULL;
    remove_node(g, bias);
}

static exec_t *open_as(model_t *m, backend_t b) {
    exec_options_t o = {.backend = b};
    exec_t *e = exec_open(m->plan, m->store, &o, m->d);
    if (!e) diag_print(m->d, stderr);
    assert_non_null(e);
    return e;
}

static void settle(model_t *m) {
    store_options_t o = {.path = "random:7"};
    m->plan->layout = layout_make(m->a, forward(m));
    m->store = store_load(forward(m), &o, m->d);
    assert_non_null(m->store);
}

static void assert_close(const float *want, const float *got, int n) {
    for (int i = 0; i < n; i++)
        if (!(fabsf(want[i] - got[i]) <= 1e-4f))
            fail_msg("%d: %g, not %g", i, (double)got[i], (double)want[i]);
}

/* ---- computed ------------------------------------------------------------------------------------------- */

static void logits_without_bias(void **state) {
    (void)state;
    model_t m = begin(LM, true);
    drop_bias(forward(&m), "logits");
    drop_bias(m.plan->step, "logits");
    settle(&m);
    float logits[2][2][VOCAB], all[2][LENGTH][VOCAB];
    int32_t ids[LENGTH];
    for (int t = 0; t < LENGTH; t++) ids[t] = (t * 7 + 3) % VOCAB;
    static const backend_t backends[] = {BACKEND_REFERENCE, BACKEND_INTERPRETER};
    for (int b = 0; b < 2; b++) {
        exec_t *e = open_as(&m, backends[b]);
        exec_cache_t *c = exec_cache_new(e, 2 * LENGTH, LENGTH, 1, m.d);
        reformer_decode_t io = {
            .size = sizeof io, .input_ids = ids, .batch = 1, .length = 9, .logits = logits[b][0]};
        assert_int_equal(exec_prefill(c, &io, m.d), REFORMER_OK);
        io = (reformer_decode_t){.size = sizeof(reformer_decode_t),
                                 .input_ids = ids + 9,
                                 .batch = 1,
                                 .logits = logits[b][1]};
        assert_int_equal(exec_step(c, &io, m.d), REFORMER_OK);
        reformer_io_t f = {
            .size = sizeof f, .input_ids = ids, .batch = 1, .length = LENGTH, .logits = all[b][0]};
        assert_true(exec_forward(e, &f, m.d));
        exec_cache_free(c);
        exec_close(e);
    }
    assert_close(logits[0][0], logits[1][0], 2 * VOCAB);
    assert_close(all[0][0], all[1][0], LENGTH * VOCAB);
    end(&m);
}

/* A forward of the reference and of the interpreter, of what io asks for: arrays [2] of `n` floats each. */
static void assert_same(model_t *m, reformer_io_t io, float *const arrays[4], int n) {
    static const backend_t backends[] = {BACKEND_REFERENCE, BACKEND_INTERPRETER};
    float **outputs[] = {io.start_positions ? &io.start_logits : &io.logits, &io.last_hidden_state,
                         &io.end_logits, &io.loss};
    for (int b = 0; b < 2; b++) {
        exec_t *e = open_as(m, backends[b]);
        for (int i = 0; i < 4; i++)
            if (arrays[i]) *outputs[i] = arrays[i] + b * n;
        assert_true(exec_forward(e, &io, m->d));
        exec_close(e);
    }
    for (int i = 0; i < 4; i++)
        if (arrays[i]) assert_close(arrays[i], arrays[i] + n, i == 3 ? 1 : n);
}

static void fill(const model_t *m, const char *weight, float x) {
    const tensor_t *t = store_find(m->store, weight);
    float *data = (float *)(uintptr_t)t->data; /* random weights are the store's own */
    for (int64_t i = 0; i < t->elements; i++) data[i] = x;
}

static void a_classifier_without_a_loss(void **state) {
    (void)state;
    model_t m = begin(CLS, false);
    graph_t *g = forward(&m);
    static const char *const gone[] = {"loss", "loss_f32", "labels", "labels_f32"};
    for (int i = 0; i < 4; i++) remove_node(g, graph_find(g, gone[i]));
    settle(&m);
    float logits[2 * 3];
    int32_t ids[LENGTH] = {1, 2, 3};
    assert_same(&m,
                (reformer_io_t){
                    .size = sizeof(reformer_io_t), .input_ids = ids, .batch = 1, .length = LENGTH},
                (float *[4]){logits}, 3);
    end(&m);
}

/* The logits go on through an activation, which is what callers are given. */
static void activate_logits(model_t *m, act_t act) {
    edit_t e = {forward(m), -1};
    gnode_t *n = graph_find(e.g, "logits");
    gnode_t *more = edit_add(&e, G_ACTIVATION, "activated", n, NULL, NULL);
    more->act = act;
    edit_replace(&e, n, more, more);
    n->name = "scores";
    more->name = "logits";
    assert_true(edit_finish(&e, m->d));
}

/* Scores that are squashed, with their loss. */
static void logits_with_an_activation(void **state) {
    (void)state;
    model_t m = begin(LM, false);
    activate_logits(&m, ACT_TANH);
    settle(&m);
    float logits[2 * LENGTH * VOCAB], hidden[2 * LENGTH * VOCAB * 3], loss[2 * LENGTH * VOCAB];
    int32_t ids[LENGTH], labels[LENGTH];
    for (int t = 0; t < LENGTH; t++) labels[t] = ids[t] = (t * 7 + 3) % VOCAB;
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .labels = labels, .batch = 1, .length = LENGTH};
    assert_same(&m, io, (float *[4]){logits, NULL, NULL, loss}, LENGTH * VOCAB);
    assert_same(&m, io, (float *[4]){NULL, hidden, NULL, NULL}, LENGTH * WIDE);
    end(&m);
}

/* Both outputs read a stream by dense layers of their own, and each is asked for without the other. */
static void outputs_that_read_one_stream(void **state) {
    (void)state;
    model_t m = begin(LM, false);
    edit_t e = {forward(&m), -1};
    gnode_t *norm = graph_find(e.g, "hidden"), *logits = graph_find(e.g, "logits");
    gnode_t *stream = graph_find(e.g, "layers.1.y2"), *last = graph_find(e.g, "last_hidden_state");
    gnode_t *own = edit_dense(&e, "hidden_beside", stream, WIDE, 32, false);
    last->in[0] = edit_add(&e, G_ADD, "hidden_both", norm, own, NULL);
    gnode_t *beside = edit_dense(&e, "scores_beside", stream, VOCAB, 32, false);
    gnode_t *both = edit_add(&e, G_ADD, "both", logits, beside, NULL);
    edit_replace(&e, logits, both, beside);
    logits->in[0] = norm;
    logits->name = "scores";
    both->name = "logits";
    assert_true(edit_finish(&e, m.d));
    settle(&m);
    float scores[2 * LENGTH * VOCAB], hidden[2 * LENGTH * WIDE];
    int32_t ids[LENGTH] = {1, 2, 3, 4, 5};
    reformer_io_t io = {.size = sizeof io, .input_ids = ids, .batch = 1, .length = LENGTH};
    assert_same(&m, io, (float *[4]){scores}, LENGTH * VOCAB);
    assert_same(&m, io, (float *[4]){NULL, hidden}, LENGTH * WIDE);
    end(&m);
}

/* Which column is the start is said by the graph, and that they are two different ones by nobody. */
static void columns_of_answers(void **state) {
    (void)state;
    for (int shift = 0; shift < 2; shift++) {
        model_t m = begin(QA, false);
        graph_find(forward(&m), "start_logits")->shift = 1;
        graph_find(forward(&m), "end_logits")->shift = shift;
        settle(&m);
        float start[2 * LENGTH], end_of[2 * LENGTH], loss[2 * LENGTH];
        int32_t ids[LENGTH] = {4, 5, 6}, first = 2, last = 9;
        reformer_io_t io = {.size = sizeof io,
                            .input_ids = ids,
                            .start_positions = &first,
                            .end_positions = &last,
                            .batch = 1,
                            .length = LENGTH};
        assert_same(&m, io, (float *[4]){start, NULL, end_of, loss}, LENGTH);
        end(&m);
    }
}

/* All scores are a million: the loss is the logarithm of how many there are, and nothing of it is lost beside them. */
static void losses_of_large_scores(void **state) {
    static const struct {
        const char *spec, *weight, *bias;
        int scores;
    } heads[] = {{LM, "lm_head.decoder.weight", "lm_head.bias", VOCAB},
                 {CLS, "classifier.out_proj.weight", "classifier.out_proj.bias", 3},
                 {QA, "qa_outputs.weight", "qa_outputs.bias", LENGTH}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        model_t m = begin(heads[i].spec, false);
        settle(&m);
        fill(&m, heads[i].weight, 0);
        fill(&m, heads[i].bias, 1e6F);
        float loss[2 * LENGTH] = {0};
        int32_t ids[LENGTH] = {4, 5, 6}, labels[LENGTH] = {1, 2, 1}, first = 2, last = 9;
        reformer_io_t io = {.size = sizeof io, .input_ids = ids, .batch = 1, .length = LENGTH};
        if (i == 2) io.start_positions = &first, io.end_positions = &last;
        else io.labels = labels;
        assert_same(&m, io, (float *[4]){NULL, NULL, NULL, loss}, LENGTH);
        for (int b = 0; b < 2; b++)
            assert_true(fabsf(loss[b * LENGTH] - logf((float)heads[i].scores)) <= 1e-6F);
        end(&m);
    }
}

/* ---- refused ----------------------------------------------------------------------------------------------- */

static void assert_refused(model_t *m, const char *message) {
    const graph_t *g = forward(m);
    tiles_t tiles = tiles_for(m->plan->targets[0]);
    lower_options_t o = {.target = m->plan->targets[0], .tiles = &tiles, .name = "model"};
    assert_null(lower_graph(m->a, g, layout_make(m->a, g), &o, m->d));
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    diag_print(m->d, f);
    fclose(f);
    if (!strstr(text, message)) fail_msg("\"%s\" is not in:\n%s", message, text);
    assert_non_null(strstr(text, "model.yaml:"));
    free(text);
    end(m);
}

static void losses_of_other_things(void **state) {
    (void)state;
    model_t m = begin(QA, false);
    gnode_t *loss = graph_find(forward(&m), "loss"), *start = loss->in[0];
    loss->in[0] = loss->in[1];
    loss->in[1] = start;
    assert_refused(&m, "loss: no kernel computes qa_loss of these values");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_without_bias),
        cmocka_unit_test(a_classifier_without_a_loss),
        cmocka_unit_test(logits_with_an_activation),
        cmocka_unit_test(columns_of_answers),
        cmocka_unit_test(outputs_that_read_one_stream),
        cmocka_unit_test(losses_of_large_scores),
        cmocka_unit_test(losses_of_other_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
