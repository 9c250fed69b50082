/* The rule of condition.h: rounding is told from faults where a model magnifies both.
 *
 * Keys of large weights are hundreds long, and which of two a query takes is decided by digits that single precision
 * does not have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compare/verdict.h"
#include "condition.h"

static const char model_text[] =
    "attn_layers: [local, lsh, local]\narchitectures: [ReformerModelWithLMHead]\nis_decoder: true\n"
    "hidden_size: 40\nnum_attention_heads: 2\nattention_head_size: 16\nfeed_forward_size: 24\n"
    "vocab_size: 32\naxial_pos_embds: false\nmax_position_embeddings: 48\nnum_buckets: 4\n"
    "local_attn_chunk_length: 4\nlsh_attn_chunk_length: 4\nhash_seed: 1\ninitializer_range: %s\n"
    "compile: {sequence_length: 48}\n";
enum { LENGTH = 48, VOCAB = 32 };

typedef struct {
    arena_t *arena;
    diag_t *diag;
    plan_t *plan;
    store_t *store;
    inputs_t in;
    trial_t trial;
    exec_t *oracle;
    side_t reference, other;
} env_t;

static exec_t *open_exec(env_t *e, backend_t b) {
    exec_t *x = exec_open(e->plan, e->store, &(exec_options_t){.backend = b}, e->diag);
    assert_non_null(x);
    return x;
}

static env_t begin(const char *range) {
    env_t e = {.arena = arena_new(), .diag = diag_new()};
    char *text = arena_printf(e.arena, model_text, range);
    spec_t *s = spec_parse(e.arena, "model.yaml", text, strlen(text), NULL, 0, e.diag);
    assert_non_null(s);
    plan_options_t po = {.name = "model",
                         .trace = true,
                         .impose_buckets = true,
                         .n_targets = 1,
                         .targets = {&targets[T_X86_64_V3]}};
    e.plan = plan_make(e.arena, s, &po, e.diag);
    assert_non_null(e.plan);
    e.store = store_load(e.plan->variants[0].graph, &(store_options_t){.path = "random:3"}, e.diag);
    assert_non_null(e.store);
    int32_t *ids = ARENA_ARRAY(e.arena, int32_t, LENGTH);
    for (int t = 0; t < LENGTH; t++) ids[t] = (t * t + 5 * t) % VOCAB;
    e.in = (inputs_t){.batch = 1, .length = LENGTH, .input_ids = ids, .labels = ids};
    e.oracle = open_exec(&e, BACKEND_REFERENCE);
    e.reference = (side_t){.label = "reference", .backend = BACKEND_REFERENCE};
    e.other = (side_t){.label = "interpreter", .backend = BACKEND_INTERPRETER};
    return e;
}

static void end(env_t *e) {
    exec_close(e->oracle);
    side_free(&e->reference);
    side_free(&e->other);
    store_free(e->store);
    diag_free(e->diag);
    arena_free(e->arena);
}

/* Both sides; the interpreter has the weight's values larger by a share. */
static void run(env_t *e, const char *weight, float by) {
    const tensor_t *t = store_find(e->store, weight);
    assert_non_null(t);
    float *x = (float *)(uintptr_t)t->data; /* random weights are the store's own */
    float *kept = ARENA_ARRAY(e->arena, float, t->elements);
    memcpy(kept, x, (size_t)t->elements * sizeof *x);
    for (int64_t i = 0; i < t->elements; i++) x[i] *= 1 + by;
    exec_t *other = open_exec(e, BACKEND_INTERPRETER);
    memcpy(x, kept, (size_t)t->elements * sizeof *x);
    e->trial = (trial_t){.plan = e->plan, .inputs = &e->in, .threads = 1, .d = e->diag};
    side_free(&e->reference);
    side_free(&e->other);
    e->reference = (side_t){.label = "reference", .backend = BACKEND_REFERENCE};
    e->other = (side_t){.label = "interpreter", .backend = BACKEND_INTERPRETER};
    assert_true(side_run(&e->trial, &e->reference, e->oracle, NULL, NULL));
    assert_true(side_run(&e->trial, &e->other, other, &e->reference, e->oracle));
    exec_close(other);
}

static verdict_t judge(const env_t *e) {
    const side_t *both[] = {&e->reference, &e->other};
    return verdict_of(both, 2);
}

static double condition(env_t *e) {
    return condition_measure(&e->trial, &e->reference, e->oracle, e->store);
}

static void rounding_is_no_fault(void **state) {
    (void)state;
    env_t e = begin("3.0");
    run(&e, "lm_head.bias", 0);
    assert_true(judge(&e).n_departures > 0);
    double far = condition(&e);
    assert_true(far > TENSOR_TOLERANCE && far < MAX_CONDITION);
    assert_int_equal(judge(&e).n_departures, 0);
    end(&e);
}

/* In the first layer or the last one. */
static void faults_are_found_beside_it(void **state) {
    (void)state;
    static const char *const faults[] = {
        "embeddings.word_embeddings.weight",
        "encoder.layers.0.attention.self_attention.query.weight",
        "encoder.layers.0.feed_forward.layer_norm.weight",
        "encoder.layers.1.attention.self_attention.value.weight",
        "encoder.layers.2.attention.output.dense.weight",
        "encoder.layers.2.feed_forward.output.dense.weight",
        "encoder.layer_norm.weight",
        "lm_head.decoder.weight",
    };
    env_t e = begin("3.0");
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        run(&e, faults[i], 1e-3F);
        (void)condition(&e);
        if (judge(&e).n_departures == 0) fail_msg("%s is off, and nobody sees it", faults[i]);
    }
    end(&e);
}

/* A model that magnifies nothing allows nothing: a tenth of the tolerance. */
static void a_good_condition_allows_little(void **state) {
    (void)state;
    env_t e = begin("0.15");
    run(&e, "lm_head.bias", 0);
    assert_int_equal(judge(&e).n_departures, 0);
    double far = condition(&e);
    assert_true(far > 0 && far < TENSOR_TOLERANCE / 10);
    const result_t *y = results_find(&e.reference.hashed, "layers.2.y2");
    assert_true(y->rounding > 0 && y->rounding <= far * compare_tensors(y, y).magnitude);
    end(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rounding_is_no_fault),
                                       cmocka_unit_test(faults_are_found_beside_it),
                                       cmocka_unit_test(a_good_condition_allows_little)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
