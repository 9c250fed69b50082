/* Regions: where the Graph is cut, which regions are one class, and where their values stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lower/regions.h"
#include "spec/spec.h"

#define COMMON                                                                                     \
    "hidden_size: 48\nnum_attention_heads: 3\nattention_head_size: 20\nfeed_forward_size: 70\n"    \
    "vocab_size: 50\naxial_pos_shape: [8, 16]\naxial_pos_embds_dim: [16, 32]\n"                    \
    "max_position_embeddings: 128\nnum_buckets: [2, 4]\nnum_hashes: 2\n"                           \
    "local_attn_chunk_length: 8\nlsh_attn_chunk_length: 16\n"
#define CAUSAL "is_decoder: true\narchitectures: [ReformerModelWithLMHead]\n"

static regions_t *cut(arena_t *a, const graph_t *g) {
    diag_t *d = diag_new();
    regions_t *r = regions_cut(a, g, d);
    diag_print(d, stderr);
    diag_free(d);
    assert_non_null(r);
    return r;
}

static graph_t *build(arena_t *a, const char *text, int64_t length, bool step) {
    diag_t *d = diag_new();
    spec_t *s = spec_parse(a, "model.yaml", text, strlen(text), NULL, 0, d);
    if (s && !spec_resolve_architecture(s, false, false, false, d)) s = NULL;
    graph_options_t o = {.batch = 1, .length = length};
    graph_t *g = s ? graph_build(a, s, &o, d) : NULL;
    if (g && step) g = graph_build_step(a, g, 2, d);
    diag_print(d, stderr);
    diag_free(d);
    assert_non_null(g);
    return g;
}

static void expect(const graph_t *g, arena_t *a, const char *text) {
    sbuf_t out = {0};
    regions_print(cut(a, g), &out);
    assert_string_equal(out.data, text);
    sbuf_free(&out);
}

static void a_forward_is_cut_where_its_kernels_begin(void **state) {
    (void)state;
    arena_t *a = arena_new();
    expect(
        build(a, "attn_layers: [local, lsh, lsh]\n" COMMON CAUSAL, 64, false), a,
        "0[0]: embed -> embeddings@0,1\n"
        "1[0]: layer_norm dense dense dense <- embeddings@0,1 -> layers.0.query layers.0.key layers.0.value\n"
        "2[0]: local_attention <- layers.0.query layers.0.key layers.0.value -> layers.0.self_attention\n"
        "3[0]: dense add <- layers.0.self_attention embeddings@0,1 -> layers.0.y1@0\n"
        "4[0]: layer_norm dense activation dense add <- layers.0.y1@0 embeddings@0,1 -> layers.0.y2@1\n"
        "5[0]: layer_norm dense dense <- layers.0.y2@1 -> layers.1.query_key layers.1.value\n"
        "6[0]: lsh_hash <- layers.1.query_key -> layers.1.buckets\n"
        "7[0]: lsh_sort <- layers.1.buckets -> layers.1.sorted_idx\n"
        "8[0]: lsh_attention <- layers.1.query_key layers.1.value layers.1.sorted_idx -> layers.1.self_attention\n"
        "9[0]: dense add <- layers.1.self_attention layers.0.y1@0 -> layers.1.y1@0\n"
        "4[1]: layer_norm dense activation dense add <- layers.1.y1@0 layers.0.y2@1 -> layers.1.y2@1\n"
        "5[1]: layer_norm dense dense <- layers.1.y2@1 -> layers.2.query_key layers.2.value\n"
        "6[1]: lsh_hash <- layers.2.query_key -> layers.2.buckets\n"
        "7[1]: lsh_sort <- layers.2.buckets -> layers.2.sorted_idx\n"
        "8[1]: lsh_attention <- layers.2.query_key layers.2.value layers.2.sorted_idx -> layers.2.self_attention\n"
        "9[1]: dense add <- layers.2.self_attention layers.1.y1@0 -> layers.2.y1@0\n"
        "4[2]: layer_norm dense activation dense add <- layers.2.y1@0 layers.1.y2@1 -> layers.2.y2@1\n"
        "10[0]: concat layer_norm slice dense <- layers.2.y1@0 layers.2.y2@1 -> last_hidden_state logits\n"
        "11[0]: cross_entropy <- logits -> loss\n");
    arena_free(a);
}

static void a_step_has_the_same_regions(void **state) {
    (void)state;
    arena_t *a = arena_new();
    expect(
        build(a, "attn_layers: [local, lsh]\n" COMMON CAUSAL, 64, true), a,
        "0[0]: embed_at -> embeddings@0,1\n"
        "1[0]: layer_norm dense dense dense <- embeddings@0,1 -> layers.0.query layers.0.key layers.0.value\n"
        "2[0]: local_step <- layers.0.query layers.0.key layers.0.value -> layers.0.self_attention\n"
        "3[0]: dense add <- layers.0.self_attention embeddings@0,1 -> layers.0.y1@0\n"
        "4[0]: layer_norm dense activation dense add <- layers.0.y1@0 embeddings@0,1 -> layers.0.y2@1\n"
        "5[0]: layer_norm dense dense <- layers.0.y2@1 -> layers.1.query_key layers.1.value\n"
        "6[0]: lsh_step <- layers.1.query_key layers.1.value -> layers.1.self_attention\n"
        "7[0]: dense add <- layers.1.self_attention layers.0.y1@0 -> layers.1.y1@0\n"
        "4[1]: layer_norm dense activation dense add <- layers.1.y1@0 layers.0.y2@1 -> layers.1.y2@1\n"
        "8[0]: concat layer_norm slice dense <- layers.1.y1@0 layers.1.y2@1 -> last_hidden_state logits\n");
    arena_free(a);
}

static void picked_rows_are_computed_apart(void **state) {
    (void)state;
    arena_t *a = arena_new();
    expect(
        build(a, "attn_layers: [lsh]\narchitectures: [ReformerForSequenceClassification]\n" COMMON,
              64, false),
        a,
        "0[0]: embed -> embeddings@0,1\n"
        "1[0]: layer_norm dense dense <- embeddings@0,1 -> layers.0.query_key layers.0.value\n"
        "2[0]: lsh_hash <- layers.0.query_key -> layers.0.buckets\n"
        "3[0]: lsh_sort <- layers.0.buckets -> layers.0.sorted_idx\n"
        "4[0]: lsh_attention <- layers.0.query_key layers.0.value layers.0.sorted_idx -> layers.0.self_attention\n"
        "5[0]: dense add <- layers.0.self_attention embeddings@0,1 -> layers.0.y1@0\n"
        "6[0]: layer_norm dense activation dense add <- layers.0.y1@0 embeddings@0,1 -> layers.0.y2@1\n"
        "7[0]: concat layer_norm slice <- layers.0.y1@0 layers.0.y2@1 -> last_hidden_state\n"
        "8[0]: concat layer_norm slice first_token dense activation dense <- layers.0.y1@0 layers.0.y2@1 -> logits\n"
        "9[0]: cross_entropy <- logits -> loss\n"
        "10[0]: bce_loss <- logits -> loss_f32\n");
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forward_is_cut_where_its_kernels_begin),
        cmocka_unit_test(a_step_has_the_same_regions),
        cmocka_unit_test(picked_rows_are_computed_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
