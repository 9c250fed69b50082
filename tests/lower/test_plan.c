/* Plans: which lengths an artefact specialises for; every module verifies for every target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "plan_env.h"

static const char model[] = "attn_layers: [local, lsh]\n"
                            "hidden_size: 32\nnum_attention_heads: 2\nattention_head_size: 16\n"
                            "feed_forward_size: 64\nvocab_size: 64\nis_decoder: true\n"
                            "architectures: [ReformerModelWithLMHead]\n"
                            "axial_pos_shape: [8, 16]\naxial_pos_embds_dim: [16, 16]\n"
                            "max_position_embeddings: 128\nnum_hashes: 2\n"
                            "local_attn_chunk_length: 8\nlsh_attn_chunk_length: 16\n";

static plan_t *plan(env_t *e, const char *compile, int64_t exact) {
    char *text = arena_printf(e->arena, "%s%s", model, compile);
    plan_options_t o = {.name = "model", .exact_length = exact, .n_targets = 4};
    for (int t = 0; t < 4; t++) o.targets[t] = &targets[t];
    return plan_of(e->arena, text, &o, e->diag);
}

static void absent_is_the_greatest_length(void **state) {
    plan_t *p = plan(*state, "", 0);
    assert_non_null(p);
    assert_int_equal(p->n_variants, 1);
    assert_int_equal(p->variants[0].max_length, 128);
    assert_int_equal(plan_hash(p)->n_factors, 1);
}

static void exact_length_pads_as_hugging_face(void **state) {
    plan_t *p = plan(*state, "", 30);
    assert_int_equal(p->variants[0].max_length, 30);
    assert_int_equal(p->variants[0].padded, 32);
}

static void a_list_shares_the_buckets_of_its_greatest(void **state) {
    plan_t *p = plan(*state, "compile: {sequence_length: [20, 128]}\n", 0);
    assert_int_equal(p->n_variants, 2);
    assert_int_equal(p->variants[0].padded, 32);
    assert_int_equal(plan_hash(p)->factors[0], 16); /* 2 * 128 / 16, not 2 * 32 / 16 */
    assert_int_equal(p->variants[0].graph->factors[0], 16);
}

static void dynamic_has_literal_forms_for_short_inputs(void **state) {
    plan_t *p = plan(*state, "compile: {sequence_length: dynamic}\n", 0);
    assert_non_null(p);
    /* 1 … 8: everything exact; 9 … 16: LSH exact, local chunked; beyond: symbolic */
    assert_int_equal(p->n_variants, 3);
    assert_int_equal(p->variants[0].max_length, 8);
    assert_int_equal(p->variants[1].max_length, 16);
    assert_int_equal(p->variants[2].unit, 16);
    assert_int_equal(p->variants[2].max_length, 128);
    assert_true(p->variants[0].unpadded && p->variants[2].unpadded);
}

static void too_long_is_an_error(void **state) {
    env_t *e = *state;
    assert_null(plan(e, "compile: {sequence_length: 129}\n", 0));
    assert_true(diag_errors(e->diag) > 0);
}

static void lowers(env_t *e, const char *compile, int64_t exact) {
    plan_t *p = plan(e, compile, exact);
    assert_non_null(p);
    p->trace = p->impose_buckets = exact % 2;
    pass_options_t o = {.verify_each = true};
    bool ok = plan_lower(p, &o, e->diag);
    diag_print(e->diag, stderr);
    assert_true(ok);
}

static void everything_verifies(void **state) {
    const int64_t lengths[] = {1, 7, 8, 9, 16, 17, 33, 97, 128};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) lowers(*state, "", lengths[i]);
    lowers(*state, "compile: {sequence_length: dynamic, batch_size: 3}\n", 0);
    lowers(*state, "compile: {sequence_length: dynamic}\nlsh_num_chunks_before: 3\n", 0);
    lowers(*state,
           "compile: {sequence_length: [5, 64], batch_size: 2}\nlocal_num_chunks_before: 9\n", 0);
}

/* Wide heads and many rounds, forward, prefill and step. */
static void heads_and_rounds_at_their_limits(void **state) {
    static const char *const keys[] = {"attention_head_size: 136", "attention_head_size: 520",
                                       "attention_head_size: 1023"};
    env_t *e = *state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char *text = arena_strdup(e->arena, model), *old = strstr(text, "attention_head_size: 16");
        text = arena_printf(e->arena, "%.*s%s%s", (int)(old - text), text, keys[i],
                            old + strlen("attention_head_size: 16"));
        old = strstr(text, "num_hashes: 2");
        text = arena_printf(e->arena, "%.*snum_hashes: 100%s", (int)(old - text), text,
                            old + strlen("num_hashes: 2"));
        plan_options_t o = {.name = "model", .decodes = true, .n_targets = 4};
        for (int t = 0; t < 4; t++) o.targets[t] = &targets[t];
        plan_t *p = plan_of(e->arena, text, &o, e->diag);
        assert_non_null(p);
        pass_options_t passes = {.verify_each = true};
        assert_true(plan_lower(p, &passes, e->diag));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(absent_is_the_greatest_length),
        TEST(exact_length_pads_as_hugging_face),
        TEST(a_list_shares_the_buckets_of_its_greatest),
        TEST(dynamic_has_literal_forms_for_short_inputs),
        TEST(too_long_is_an_error),
        TEST(everything_verifies),
        TEST(heads_and_rounds_at_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
