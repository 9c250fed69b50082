/* Steps whose scores lie far below those of any trained model, down to 1e33: places that hold no key still weigh
 * nothing, however many of them a target's vectors leave, so that every target writes what the reference does. */
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

enum { VOCAB = 11, LENGTH = 5, STEPS = 7, ROOM = 32 };

static const char model_text[] = "architectures: [ReformerModelWithLMHead]\n"
                                 "is_decoder: true\n"
                                 "attn_layers: [local]\n"
                                 "hidden_size: 8\n"
                                 "num_attention_heads: 1\n"
                                 "attention_head_size: 8\n"
                                 "feed_forward_size: 8\n"
                                 "vocab_size: 11\n"
                                 "axial_pos_embds: false\n"
                                 "max_position_embeddings: 32\n"
                                 "local_attn_chunk_length: 3\n"
                                 "initializer_range: 0.3\n"
                                 "compile: {batch_size: 1, sequence_length: dynamic}\n";

/* Random weights are the store's own. */
static float *weights(store_t *s, const char *part, int64_t *n) {
    char name[200];
    snprintf(name, sizeof name, "%s.weight", part);
    const tensor_t *t = store_find(s, name);
    if (!t) fail_msg("no %s", name);
    *n = t->elements;
    return (float *)(uintptr_t)t->data;
}

/* All tokens alike, and each key the opposite of each query. */
static void repel(store_t *s) {
    const char *layer = "encoder.layers.0.attention.self_attention";
    char query[100], key[100];
    int64_t n;
    float *x = weights(s, "embeddings.position_embeddings.embedding", &n);
    for (int64_t i = 0; i < n; i++) x[i] = 0;
    snprintf(query, sizeof query, "%s.query", layer);
    snprintf(key, sizeof key, "%s.key", layer);
    float *q = weights(s, query, &n), *k = weights(s, key, &n);
    for (int64_t i = 0; i < n; i++) k[i] = -(q[i] *= 1e16F);
}

static void generate(backend_t b, int target, float logits[STEPS][VOCAB]) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    plan_options_t po = {
        .name = "model", .n_targets = 1, .decodes = true, .targets = {&targets[target]}};
    plan_t *plan = plan_of(a, model_text, &po, d);
    assert_non_null(plan);
    store_options_t so = {.path = "random:3"};
    store_t *store = store_load(plan->variants[plan->n_variants - 1].graph, &so, d);
    assert_non_null(store);
    repel(store);
    exec_options_t eo = {.backend = b};
    exec_t *e = exec_open(plan, store, &eo, d);
    exec_cache_t *c = e ? exec_cache_new(e, ROOM, LENGTH, 1, d) : NULL;
    if (!c) diag_print(d, stdout);
    assert_non_null(c);
    static const int32_t ids[LENGTH] = {4, 4, 4, 4, 4};
    reformer_decode_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = LENGTH, .logits = logits[0]};
    assert_int_equal(exec_prefill(c, &io, d), REFORMER_OK);
    for (int i = 0; i < STEPS; i++) {
        io = (reformer_decode_t){
            .size = sizeof(reformer_decode_t), .input_ids = ids, .batch = 1, .logits = logits[i]};
        assert_int_equal(exec_step(c, &io, d), REFORMER_OK);
    }
    exec_cache_free(c);
    exec_close(e);
    store_free(store);
    diag_free(d);
    arena_free(a);
}

static void far_scores(void **state) {
    (void)state;
    float want[STEPS][VOCAB], got[STEPS][VOCAB];
    static const int all[] = {T_X86_64, T_X86_64_V3, T_X86_64_V4, T_AARCH64};
    generate(BACKEND_REFERENCE, T_X86_64, want);
    for (size_t t = 0; t < sizeof all / sizeof *all; t++) {
        generate(BACKEND_INTERPRETER, all[t], got);
        for (int i = 0; i < STEPS; i++)
            for (int v = 0; v < VOCAB; v++)
                if (!(fabsf(got[i][v] - want[i][v]) <= 2e-5F))
                    fail_msg("%s, step %d: %g, not %g", targets[all[t]].name, i, (double)got[i][v],
                             (double)want[i][v]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(far_scores)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
