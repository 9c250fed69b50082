/* Regions: where the Graph is cut, which regions are one class, and where their values stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "edited_text.h"
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

/* ---- train steps ----------------------------------------------------------------------------- */

#define ENCODER "architectures: [ReformerForMaskedLM]\n"
#define RATES                                                                                      \
    "hidden_dropout_prob: 0.1\nlocal_attention_probs_dropout_prob: 0.1\n"                          \
    "lsh_attention_probs_dropout_prob: 0.1\n"
#define GATES "extensions: {norm: rms, feed_forward_gate: true}\n"

static graph_t *train(arena_t *a, const char *text) {
    diag_t *d = diag_new();
    spec_t *s = spec_parse(a, "model.yaml", text, strlen(text), NULL, 0, d);
    if (s && !spec_resolve_architecture(s, false, false, false, d)) s = NULL;
    graph_options_t o = {.batch = 1, .length = 64, .train = strstr(text, RATES)};
    graph_t *g = s ? graph_build(a, s, &o, d) : NULL;
    if (g) g = graph_gradient(a, g, NULL, d);
    diag_print(d, stderr);
    diag_free(d);
    assert_non_null(g);
    return g;
}

/* `times` times the layers, in a spec with these lines. */
static graph_t *train_layers(arena_t *a, const char *layers, int times, const char *rest) {
    sbuf_t s = {0};
    sbuf_puts(&s, "attn_layers: [");
    for (int i = 0; i < times; i++) sbuf_printf(&s, "%s%s", i ? ", " : "", layers);
    sbuf_printf(&s, "]\n" COMMON "%s", rest);
    graph_t *g = train(a, arena_strdup(a, s.data));
    sbuf_free(&s);
    return g;
}

/* The backward pass of two layers: each feed-forward with what it makes again is one region, streams stand in homes 0 and
 * 1, their gradients in 2 and 3, buckets are unpacked right before they are sorted, the normed input of an attention and
 * the logits are computed where they are read. */
static void a_backward_pass_is_cut_at_its_attentions(void **state) {
    (void)state;
    arena_t *a = arena_new();
    sbuf_t out = {0};
    regions_print(cut(a, train_layers(a, "lsh", 2, CAUSAL)), &out);
    const char *seed = strstr(out.data, ": seed <- loss");
    assert_non_null(seed);
    while (seed[-1] != '\n') seed--;
    assert_string_equal(
        seed,
        "16[0]: seed <- loss -> seed.loss\n"
        "17[0]: concat layer_norm slice dense cross_entropy_grad dense_t outer gradient sum_rows "
        "gradient pad_rows sum_rows gradient layer_norm_unit mul sum_rows gradient "
        "layer_norm_grad part part <- layers.1.y1@0 layers.1.y2@1 seed.loss -> "
        "grad.lm_head.decoder.weight grad.lm_head.bias grad.encoder.layer_norm.bias "
        "grad.encoder.layer_norm.weight grad1.layers.1.y1@2 grad.layers.1.y2@3\n"
        "18[0]: dense_t layer_norm dense activation outer gradient sum_rows gradient "
        "activation_grad dense_t outer gradient sum_rows gradient sum_rows gradient "
        "layer_norm_unit mul sum_rows gradient layer_norm_grad add dense sub <- "
        "grad.layers.1.y2@3 layers.1.y1@0 grad1.layers.1.y1@2 layers.1.y2@1 -> "
        "grad.encoder.layers.1.feed_forward.output.dense.weight "
        "grad.encoder.layers.1.feed_forward.output.dense.bias "
        "grad.encoder.layers.1.feed_forward.dense.dense.weight "
        "grad.encoder.layers.1.feed_forward.dense.dense.bias "
        "grad.encoder.layers.1.feed_forward.layer_norm.bias "
        "grad.encoder.layers.1.feed_forward.layer_norm.weight grad.layers.1.y1@2 "
        "again.layers.0.y2@1\n"
        "19[0]: dense_t layer_norm dense dense <- grad.layers.1.y1@2 again.layers.0.y2@1 -> "
        "grad.layers.1.self_attention again.layers.1.query_key again.layers.1.value\n"
        "20[0]: unpack_buckets <- packed.layers.1.buckets -> again.layers.1.buckets\n"
        "21[0]: lsh_sort <- again.layers.1.buckets -> again.layers.1.sorted_idx\n"
        "22[0]: lsh_attention lsh_lse <- again.layers.1.query_key again.layers.1.value "
        "again.layers.1.sorted_idx -> again.layers.1.self_attention lse.layers.1.self_attention\n"
        "23[0]: outer gradient dense sub <- grad.layers.1.y1@2 again.layers.1.self_attention "
        "layers.1.y1@0 -> grad.encoder.layers.1.attention.output.dense.weight again.layers.0.y1@0\n"
        "24[0]: lsh_attention_grad <- grad.layers.1.self_attention again.layers.1.self_attention "
        "lse.layers.1.self_attention again.layers.1.query_key again.layers.1.value "
        "again.layers.1.sorted_idx -> parts.layers.1.self_attention\n"
        "25[0]: layer_norm part part dense_t outer gradient dense_t add outer gradient sum_rows "
        "gradient layer_norm_unit mul sum_rows gradient layer_norm_grad add <- "
        "again.layers.0.y2@1 parts.layers.1.self_attention grad.layers.1.y2@3 -> "
        "grad.encoder.layers.1.attention.self_attention.value.weight "
        "grad.encoder.layers.1.attention.self_attention.query_key.weight "
        "grad.encoder.layers.1.attention.layer_norm.bias "
        "grad.encoder.layers.1.attention.layer_norm.weight grad.layers.0.y2@3\n"
        "18[1]: dense_t layer_norm dense activation outer gradient sum_rows gradient "
        "activation_grad dense_t outer gradient sum_rows gradient sum_rows gradient "
        "layer_norm_unit mul sum_rows gradient layer_norm_grad add dense sub <- "
        "grad.layers.0.y2@3 again.layers.0.y1@0 grad.layers.1.y1@2 again.layers.0.y2@1 -> "
        "grad.encoder.layers.0.feed_forward.output.dense.weight "
        "grad.encoder.layers.0.feed_forward.output.dense.bias "
        "grad.encoder.layers.0.feed_forward.dense.dense.weight "
        "grad.encoder.layers.0.feed_forward.dense.dense.bias "
        "grad.encoder.layers.0.feed_forward.layer_norm.bias "
        "grad.encoder.layers.0.feed_forward.layer_norm.weight grad.layers.0.y1@2 "
        "again.embeddings@1\n"
        "26[0]: add <- grad.layers.0.y2@3 grad.layers.0.y1@2 -> sum2.embeddings@3\n"
        "27[0]: dense_t layer_norm dense dense <- grad.layers.0.y1@2 again.embeddings@1 -> "
        "grad.layers.0.self_attention again.layers.0.query_key again.layers.0.value\n"
        "28[0]: unpack_buckets <- packed.layers.0.buckets -> again.layers.0.buckets\n"
        "29[0]: lsh_sort <- again.layers.0.buckets -> again.layers.0.sorted_idx\n"
        "30[0]: lsh_attention lsh_lse <- again.layers.0.query_key again.layers.0.value "
        "again.layers.0.sorted_idx -> again.layers.0.self_attention lse.layers.0.self_attention\n"
        "31[0]: outer gradient <- grad.layers.0.y1@2 again.layers.0.self_attention -> "
        "grad.encoder.layers.0.attention.output.dense.weight\n"
        "32[0]: lsh_attention_grad <- grad.layers.0.self_attention again.layers.0.self_attention "
        "lse.layers.0.self_attention again.layers.0.query_key again.layers.0.value "
        "again.layers.0.sorted_idx -> parts.layers.0.self_attention\n"
        "33[0]: layer_norm part part dense_t outer gradient dense_t add outer gradient sum_rows "
        "gradient layer_norm_unit mul sum_rows gradient layer_norm_grad add <- again.embeddings@1 "
        "parts.layers.0.self_attention sum2.embeddings@3 -> "
        "grad.encoder.layers.0.attention.self_attention.value.weight "
        "grad.encoder.layers.0.attention.self_attention.query_key.weight "
        "grad.encoder.layers.0.attention.layer_norm.bias "
        "grad.encoder.layers.0.attention.layer_norm.weight grad.embeddings@3\n"
        "34[0]: word_grad gradient part position_grad gradient part position_grad gradient <- "
        "grad.embeddings@3 -> grad.embeddings.word_embeddings.weight "
        "grad.embeddings.position_embeddings.weights.0 "
        "grad.embeddings.position_embeddings.weights.1\n");
    sbuf_free(&out);
    arena_free(a);
}

/* What stands behind a forward changes nothing of it. */
static void the_forward_of_a_train_step_is_cut_as_ever(void **state) {
    (void)state;
    arena_t *a = arena_new();
    const char *text = "attn_layers: [local, local]\n" COMMON CAUSAL;
    sbuf_t alone = {0}, step = {0};
    regions_print(cut(a, build(a, text, 64, false)), &alone);
    regions_print(cut(a, train(a, text)), &step);
    assert_memory_equal(step.data, alone.data, strlen(alone.data));
    sbuf_free(&alone);
    sbuf_free(&step);
    arena_free(a);
}

/* Makers run first, and whatever a region reads is stored, made by itself, or handed over by its maker. */
static void check_cut(const regions_t *r) {
    for (int i = 0; i < r->n_regions; i++) {
        const region_t *region = r->regions[i];
        assert_int_equal(region->order, i);
        for (int k = 0; k < region->reads.n; k++) {
            const region_t *maker = r->of_node[region->reads.at[k]->id];
            assert_true(maker->order < i);
            assert_true(nodes_find(&maker->results, region->reads.at[k]) >= 0);
        }
    }
    for (size_t i = 0; i < r->g->n_nodes; i++) {
        const gnode_t *n = r->g->nodes[i];
        if (n->op == G_GRADIENT) assert_true(nodes_find(&r->of_node[i]->results, n) >= 0);
    }
}

/* Kinds of layers alone decide how many classes and homes there are, with and without dropout. */
static void depth_adds_no_class(void **state) {
    (void)state;
    static const struct {
        const char *layers, *rest;
        int homes;
    } cases[] = {
        {"lsh", CAUSAL, 4},       {"local", CAUSAL, 4},       {"lsh", CAUSAL RATES, 4},
        {"local", ENCODER, 4},    {"lsh, local", ENCODER, 4}, {"local, lsh", CAUSAL RATES GATES, 4},
        {"lsh", CAUSAL GATES, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int classes = 0;
        for (int times = 2; times <= 24; times *= times == 2 ? 3 : 4) { /* 2, 6, 24 */
            arena_t *a = arena_new();
            regions_t *r = cut(a, train_layers(a, cases[i].layers, times, cases[i].rest));
            check_cut(r);
            assert_int_equal(r->n_homes, cases[i].homes);
            if (classes) assert_int_equal(r->n_classes, classes);
            classes = r->n_classes;
            arena_free(a);
        }
    }
}

/* Heads of fewer rows, and of several results. */
static void every_head_can_be_trained(void **state) {
    (void)state;
    static const char *const heads[] = {"ReformerForSequenceClassification",
                                        "ReformerForQuestionAnswering", "ReformerForMaskedLM"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        arena_t *a = arena_new();
        const char *rest = arena_printf(a, "architectures: [%s]\n" RATES, heads[i]);
        check_cut(cut(a, train_layers(a, "lsh, local", 1, rest)));
        arena_free(a);
    }
}

/* Attention's output times a gate, which the gradient needs before that attention and behind it. */
static void what_both_ends_of_an_attention_need_is_stored(void **state) {
    (void)state;
    arena_t *a = arena_new();
    static const edit_t edits[] = {
        {"layers.1.attention",
         "gate.weight = param() : f32[48,48] layer=1\n"
         "gate = dense(layers.1.attention_norm, gate.weight, _) : f32[1,64,48] layer=1\n"
         "out = dense(layers.1.self_attention, encoder.layers.1.attention.output.dense.weight, _) : "
         "f32[1,64,48] layer=1\n"
         "layers.1.attention = mul(out, gate) : f32[1,64,48] layer=1"},
    };
    sbuf_t text = {0};
    diag_t *d = diag_new();
    graph_print(build(a, "attn_layers: [lsh, lsh]\n" COMMON CAUSAL, 64, false), &text);
    const char *edited = edited_text(a, text.data, edits, 1);
    assert_non_null(edited);
    graph_t *g = graph_parse(a, "edited.graph", edited, strlen(edited), d);
    if (g) g = graph_gradient(a, g, NULL, d);
    diag_print(d, stderr);
    assert_non_null(g);
    regions_t *r = cut(a, g);
    check_cut(r);
    assert_true(r->stored[graph_find(g, "again.gate")->id]);
    assert_false(r->stored[graph_find(g, "again.out")->id]);
    assert_false(r->stored[graph_find(g, "again.layers.1.attention_norm")->id]);
    sbuf_free(&text);
    diag_free(d);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forward_is_cut_where_its_kernels_begin),
        cmocka_unit_test(a_step_has_the_same_regions),
        cmocka_unit_test(picked_rows_are_computed_apart),
        cmocka_unit_test(a_backward_pass_is_cut_at_its_attentions),
        cmocka_unit_test(the_forward_of_a_train_step_is_cut_as_ever),
        cmocka_unit_test(depth_adds_no_class),
        cmocka_unit_test(every_head_can_be_trained),
        cmocka_unit_test(what_both_ends_of_an_attention_need_is_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
