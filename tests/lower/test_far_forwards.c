/* Forwards whose scores lie far from 0, up to 1e31: a token outweighs others as its own key, masked keys outweigh real
 * ones, sums of weights differ from 1 as log-sum-exps are rounded, keys' squares overflow. Numbers are those of
 * transformers 4.57.1 for the same weights; the reference and every target write them.
 *
 * Queries and keys see what is equal, but for its sign, in the embeddings of all tokens, so scores are equal, too, and
 * rounding decides nothing; values see where the tokens differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "exec/exec.h"
#include "plan_of.h"

enum { VOCAB = 8, WIDTH = 8, LENGTH = 16, SAMPLES = 5 };

static const char model_text[] = "architectures: [%s]\n"
                                 "is_decoder: %s\n"
                                 "attn_layers: [%s]\n"
                                 "hidden_size: 8\n"
                                 "num_attention_heads: 1\n"
                                 "attention_head_size: 8\n"
                                 "feed_forward_size: 8\n"
                                 "vocab_size: 8\n"
                                 "axial_pos_embds: false\n"
                                 "max_position_embeddings: 64\n"
                                 "lsh_attn_chunk_length: %d\n"
                                 "local_attn_chunk_length: %d\n"
                                 "num_buckets: 4\n"
                                 "num_hashes: %d\n"
                                 "hash_seed: 5\n"
                                 "compile: {sequence_length: 16}\n";

/* mixed: odd tokens have the sign; opposite: keys are the opposite of queries; holes: every third token is masked */
typedef struct {
    const char *kind;
    bool causal;
    int chunk, rounds;
    float size; /* of queries */
    bool mixed, opposite, holes;
    float want[SAMPLES]; /* logit [t][3 t % VOCAB] for the t of `samples` */
} form_t;
static const int samples[SAMPLES] = {0, 1, 4, 9, 15};

/* clang-format off */
static const form_t forms[] = {
    {"lsh", true, 4, 1, 100000.0F, true, false, false, {-0.414935F, 3.23163F, 3.89549F, -0.270582F, -1.18576F}},
    {"lsh", true, 4, 3, 1e+06F, true, false, true, {-0.415203F, 3.23168F, 3.8955F, -0.276025F, -1.15845F}},
    {"lsh", false, 4, 2, 3e+09F, true, false, true, {0.374587F, 3.23166F, 3.8955F, -0.16086F, 0.319548F}},
    {"lsh", true, 4, 2, 300.0F, false, false, false, {-0.415131F, -0.506081F, -0.416651F, -0.260977F, -1.29095F}},
    {"lsh", true, 32, 1, 1e+06F, true, false, false, {-0.414935F, 3.23163F, 3.89549F, -0.271829F, -1.17351F}},
    {"lsh", false, 32, 1, 1e+20F, true, false, true, {-0.368213F, 3.09777F, 3.80033F, -0.270172F, -1.18191F}},
    {"lsh", true, 4, 2, 1e+20F, true, false, false, {-0.415131F, 3.23166F, 3.89549F, -0.270172F, -1.21114F}},
    {"lsh", false, 4, 2, 1e+30F, false, false, true, {-0.347342F, -0.270848F, -0.373608F, -0.227975F, -1.18191F}},
    {"local", true, 4, 1, 1e+12F, false, true, false, {-0.403692F, -0.788174F, -0.474229F, -0.143185F, -0.81079F}},
    {"local", false, 4, 1, 1e+12F, true, true, true, {-0.909397F, 2.43752F, 3.61095F, -0.481446F, -1.49192F}},
    {"local", true, 32, 1, 1e+12F, false, true, false, {-0.451508F, -0.909917F, -0.581179F, -0.593501F, -0.582247F}},
    {"local", false, 32, 1, 1e+12F, true, false, true, {0.846909F, 2.12431F, 2.13615F, -0.805529F, 0.220264F}},
    {"local", true, 32, 1, 1e+30F, true, true, true, {-0.451508F, 2.99954F, 3.74443F, -0.714193F, -1.4985F}},
    {"local", true, 4, 1, 1e+30F, true, false, false, {-0.414935F, 3.23163F, 3.7326F, -0.383149F, -0.4194F}},
    {"local", false, 4, 1, 2000.0F, false, false, false, {-0.482698F, -0.32361F, -0.427578F, -0.279678F, -1.27202F}},
    {"local", true, 32, 1, 2e+07F, false, true, false, {-0.414935F, -0.549772F, -0.785575F, -0.250719F, -1.32236F}},
};
/* clang-format on */
enum { N_FORMS = sizeof forms / sizeof *forms };

/* ---- weights ------------------------------------------------------------------------------------------ */

/* Random weights are the store's own. */
static float *weights(store_t *s, const char *name) {
    const tensor_t *t = store_find(s, name);
    if (!t) fail_msg("no %s", name);
    return (float *)(uintptr_t)t->data;
}

static void fill_matrices(const graph_t *g, store_t *s) {
    for (size_t k = 0; k < g->n_nodes; k++) {
        const tensor_t *t = g->nodes[k]->op == G_PARAM ? store_find(s, g->nodes[k]->name) : NULL;
        if (!t || t->rank != 2) continue;
        float *x = (float *)(uintptr_t)t->data;
        for (int64_t i = 0; i < t->elements; i++) x[i] = (float)((i * 7 + 3) % 11 - 5) / 8;
    }
}

static void embed(const form_t *f, store_t *s) {
    static const float common[] = {2, -2, 4, -4}, own[] = {1, -1, 3, -3};
    float *x = weights(s, "embeddings.word_embeddings.weight");
    for (int t = 0; t < VOCAB; t++)
        for (int i = 0; i < 4; i++) {
            x[t * WIDTH + i] = f->mixed && t % 2 ? -common[i] : common[i];
            x[t * WIDTH + 4 + i] = own[(i - t / 2 + 4) % 4];
        }
    x = weights(s, "embeddings.position_embeddings.embedding.weight");
    memset(x, 0, 64 * WIDTH * sizeof *x);
}

static void set_attention(const form_t *f, store_t *s) {
    char name[100];
    const char *at = "encoder.layers.0.attention.self_attention";
    bool lsh = f->kind[1] == 's';
    snprintf(name, sizeof name, "%s.%s.weight", at, lsh ? "query_key" : "query");
    float *q = weights(s, name), *k = NULL;
    snprintf(name, sizeof name, "%s.key.weight", at);
    if (!lsh) k = weights(s, name);
    snprintf(name, sizeof name, "%s.value.weight", at);
    float *v = weights(s, name);
    for (int i = 0; i < WIDTH * WIDTH; i++) {
        if (i % WIDTH >= 4) q[i] = 0;
        else v[i] = 0;
        if (k) k[i] = f->opposite ? -q[i] : q[i];
        q[i] *= f->size;
    }
}

/* ---- forwards ----------------------------------------------------------------------------------------- */

static void check_forward(const form_t *f, plan_t *plan, store_t *store, backend_t b, diag_t *d) {
    int32_t ids[LENGTH];
    uint8_t mask[LENGTH];
    float logits[LENGTH][VOCAB];
    for (int t = 0; t < LENGTH; t++) {
        ids[t] = (t * 5 + t / 3) % VOCAB;
        mask[t] = t % 3 != 1;
    }
    exec_options_t eo = {.backend = b, .no_cache = true};
    exec_t *e = exec_open(plan, store, &eo, d);
    assert_non_null(e);
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .attention_mask = f->holes ? mask : NULL,
                        .batch = 1,
                        .length = LENGTH,
                        .logits = logits[0]};
    size_t bytes = (exec_workspace_bytes(e, LENGTH, 0) + 127) / 64 * 64;
    void *workspace = aligned_alloc(64, bytes);
    assert_non_null(workspace);
    assert_int_equal(exec_run(e, &io, workspace, bytes, d), REFORMER_OK);
    free(workspace);
    exec_close(e);
    for (int i = 0; i < SAMPLES; i++) {
        float got = logits[samples[i]][samples[i] * 3 % VOCAB];
        if (!(fabsf(got - f->want[i]) <= 2e-5F * fmaxf(1, fabsf(f->want[i]))))
            fail_msg("form %d, %s, token %d: %g, not %g", (int)(f - forms),
                     b == BACKEND_REFERENCE ? "reference" : plan->targets[0]->name, samples[i],
                     (double)got, (double)f->want[i]);
    }
}

static void check_form(const form_t *f, backend_t b, int target) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    char *text =
        arena_printf(a, model_text, f->causal ? "ReformerModelWithLMHead" : "ReformerForMaskedLM",
                     f->causal ? "true" : "false", f->kind, f->chunk, f->chunk, f->rounds);
    plan_options_t po = {.name = "model", .n_targets = 1, .targets = {&targets[target]}};
    plan_t *plan = plan_of(a, text, &po, d);
    assert_non_null(plan);
    store_options_t so = {.path = "random:3"};
    store_t *store = store_load(plan->variants[0].graph, &so, d);
    assert_non_null(store);
    fill_matrices(plan->variants[0].graph, store);
    embed(f, store);
    set_attention(f, store);
    check_forward(f, plan, store, b, d);
    store_free(store);
    diag_free(d);
    arena_free(a);
}

static void far_forwards(void **state) {
    (void)state;
    static const int all[] = {T_X86_64, T_X86_64_V3, T_X86_64_V4, T_AARCH64};
    for (int i = 0; i < N_FORMS; i++) {
        check_form(&forms[i], BACKEND_REFERENCE, T_X86_64);
        for (size_t t = 0; t < sizeof all / sizeof *all; t++)
            check_form(&forms[i], BACKEND_INTERPRETER, all[t]);
    }
}

/* ---- norms -------------------------------------------------------------------------------------------- */

enum { FAR_TOKEN = 5 }; /* every third */

static void run_norms(plan_t *plan, store_t *store, backend_t b, diag_t *d,
                      float logits[LENGTH][VOCAB]) {
    int32_t ids[LENGTH];
    for (int t = 0; t < LENGTH; t++) ids[t] = (t * 5 + t / 3) % VOCAB;
    exec_options_t eo = {.backend = b, .no_cache = true};
    exec_t *e = exec_open(plan, store, &eo, d);
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = LENGTH, .logits = logits[0]};
    assert_true(e && exec_forward(e, &io, d));
    exec_close(e);
    const float *w = weights(store, "lm_head.decoder.weight"),
                *bias = weights(store, "encoder.layer_norm.bias");
    for (int t = 0; t < LENGTH; t++)
        for (int o = 0; o < VOCAB && ids[t] == FAR_TOKEN; o++) {
            float want = 0;
            for (int k = 0; k < 2 * WIDTH; k++) want += w[o * 2 * WIDTH + k] * bias[k];
            if (!(fabsf(logits[t][o] - want) <= 2e-5F))
                fail_msg("%s, token %d: %g, not %g",
                         b == BACKEND_REFERENCE ? "reference" : plan->targets[0]->name, t,
                         (double)logits[t][o], (double)want);
        }
}

/* The squares of one token's rows add up to more than single precision holds: of its last norm the bias is left. The
 * others see it, and the reference says what they become. */
static void far_norms(void **state) {
    (void)state;
    static const int all[] = {T_X86_64, T_X86_64_V3, T_X86_64_V4, T_AARCH64};
    static float want[LENGTH][VOCAB], got[LENGTH][VOCAB];
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    char *text = arena_printf(a, model_text, "ReformerModelWithLMHead", "true", "local", 4, 4, 1);
    spec_t *s = spec_parse(a, "model.yaml", text, strlen(text), NULL, 0, d);
    assert_non_null(s);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        plan_options_t po = {.name = "model", .n_targets = 1, .targets = {&targets[all[i]]}};
        plan_t *plan = plan_make(a, s, &po, d);
        assert_non_null(plan);
        store_options_t so = {.path = "random:3"};
        store_t *store = store_load(plan->variants[0].graph, &so, d);
        assert_non_null(store);
        fill_matrices(plan->variants[0].graph, store);
        float *row = weights(store, "embeddings.word_embeddings.weight") + FAR_TOKEN * WIDTH;
        for (int k = 0; k < WIDTH; k++) row[k] = k % 2 ? 1e19F : -1e19F;
        float *bias = weights(store, "encoder.layer_norm.bias");
        for (int k = 0; k < 2 * WIDTH; k++) bias[k] = (float)(k % 5 - 2) / 4;
        run_norms(plan, store, BACKEND_REFERENCE, d, want);
        run_norms(plan, store, BACKEND_INTERPRETER, d, got);
        for (int t = 0; t < LENGTH; t++)
            for (int o = 0; o < VOCAB; o++)
                if (!(fabsf(want[t][o] - got[t][o]) <= 2e-5F * fmaxf(1, fabsf(want[t][o]))))
                    fail_msg("%s, token %d: %g, not %g", plan->targets[0]->name, t,
                             (double)got[t][o], (double)want[t][o]);
        store_free(store);
    }
    diag_free(d);
    arena_free(a);
}

/* ---- a loss ------------------------------------------------------------------------------------------- */

/* Start logits that are all -1e33 are equal, as end logits that are 0: their loss is ln 16, whatever their size. */
static void check_loss(backend_t b) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    char *text =
        arena_printf(a, model_text, "ReformerForQuestionAnswering", "false", "local", 4, 4, 1);
    plan_options_t po = {.name = "model", .n_targets = 1, .targets = {&targets[T_X86_64_V3]}};
    plan_t *plan = plan_of(a, text, &po, d);
    assert_non_null(plan);
    store_options_t so = {.path = "random:3"};
    store_t *store = store_load(plan->variants[0].graph, &so, d);
    assert_non_null(store);
    memset(weights(store, "qa_outputs.weight"), 0, sizeof(float[2][2 * WIDTH]));
    weights(store, "qa_outputs.bias")[0] = -1e33F;
    exec_options_t eo = {.backend = b, .no_cache = true};
    exec_t *e = exec_open(plan, store, &eo, d);
    assert_non_null(e);
    static const int32_t ids[LENGTH] = {1, 2, 3}, at[] = {5};
    float loss = 0;
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .batch = 1,
                        .length = LENGTH - 3,
                        .start_positions = at,
                        .end_positions = at,
                        .loss = &loss};
    size_t bytes = (exec_workspace_bytes(e, LENGTH, 0) + 127) / 64 * 64;
    void *workspace = aligned_alloc(64, bytes);
    assert_non_null(workspace);
    assert_int_equal(exec_run(e, &io, workspace, bytes, d), REFORMER_OK);
    if (!(fabsf(loss - logf(LENGTH)) <= 1e-5F)) fail_msg("a loss of %g", (double)loss);
    free(workspace);
    exec_close(e);
    store_free(store);
    diag_free(d);
    arena_free(a);
}

static void far_loss(void **state) {
    (void)state;
    check_loss(BACKEND_REFERENCE);
    check_loss(BACKEND_INTERPRETER);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(far_forwards), cmocka_unit_test(far_norms),
                                       cmocka_unit_test(far_loss)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
