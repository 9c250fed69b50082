/* Graphs edited by hand, line by line, as a .graph file may have them: the interpreter gives what the reference gives, or
 * the graph is refused at the line of the node that no kernel computes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edited_text.h"
#include "exec/exec.h"
#include "plan_env.h"

enum { TOKENS = 16, WIDTH = 32 };

static const char model[] =
    "attn_layers: [local, lsh]\nhidden_size: 16\nnum_attention_heads: 2\nattention_head_size: 4\n"
    "feed_forward_size: 24\nvocab_size: 20\naxial_pos_embds: false\nmax_position_embeddings: 16\n"
    "num_buckets: 4\nnum_hashes: 2\nlocal_attn_chunk_length: 4\nlsh_attn_chunk_length: 4\n"
    "is_decoder: true\narchitectures: [ReformerModel]\ninitializer_range: 0.3\n"
    "compile: {sequence_length: 16}\n";

#define ROWS   " : f32[1,16,16] layer=0"
#define NORM_0 "encoder.layers.0.feed_forward.layer_norm"

/* ---- a graph as text --------------------------------------------------------------------------------------- */

static void make_plan(env_t *e) {
    plan_options_t o = {.name = "model", .trace = true, .n_targets = 1, .targets = {&targets[0]}};
    e->plan = plan_of(e->arena, model, &o, e->diag);
    assert_non_null(e->plan);
}

/* The plan's graph with these edits; the text stays for messages. */
static const char *edit_plan(env_t *e, const edit_t *edits, size_t n) {
    make_plan(e);
    sbuf_t out = {0};
    graph_t *old = e->plan->variants[0].graph;
    graph_print(old, &out);
    char *text = arena_strdup(e->arena, out.data);
    sbuf_free(&out);
    text = edited_text(e->arena, text, edits, n);
    assert_non_null(text);
    graph_t *g = graph_parse(e->arena, "edited.graph", text, strlen(text), e->diag);
    if (!g) diag_print(e->diag, stderr);
    assert_non_null(g);
    g->spec = old->spec;
    e->plan->variants[0].graph = g;
    e->plan->layout = layout_make(e->arena, g);
    return text;
}

/* ---- what it gives -------------------------------------------------------------------------------------------- */

static void run(env_t *e, const store_t *store, backend_t backend, float *hidden) {
    exec_options_t o = {.backend = backend};
    exec_t *x = exec_open(e->plan, store, &o, e->diag);
    if (!x) diag_print(e->diag, stderr);
    assert_non_null(x);
    int32_t ids[TOKENS];
    for (int i = 0; i < TOKENS; i++) ids[i] = (i * 7 + 3) % 20;
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .batch = 1,
                        .length = TOKENS,
                        .last_hidden_state = hidden};
    assert_true(exec_forward(x, &io, e->diag));
    exec_close(x);
}

static void expect_equal(env_t *e, const edit_t *edits, size_t n) {
    static float want[TOKENS * WIDTH], got[TOKENS * WIDTH];
    edit_plan(e, edits, n);
    store_options_t so = {.path = "random:7"};
    store_t *store = store_load(e->plan->variants[0].graph, &so, e->diag);
    assert_non_null(store);
    vary_vectors(e->plan->variants[0].graph, store);
    run(e, store, BACKEND_REFERENCE, want);
    run(e, store, BACKEND_INTERPRETER, got);
    store_free(store);
    for (int i = 0; i < TOKENS * WIDTH; i++)
        if (!(fabsf(want[i] - got[i]) <= 2e-5F))
            fail_msg("at %d: %g, the reference has %g", i, (double)got[i], (double)want[i]);
}
#define EQUAL(...)                                                                                 \
    expect_equal(*state, (edit_t[]){__VA_ARGS__}, sizeof((edit_t[]){__VA_ARGS__}) / sizeof(edit_t))

/* `message` is the first error, and stands at the line of `node`. */
static void expect_refused(env_t *e, const char *node, const char *message, const edit_t *edits,
                           size_t n) {
    const char *text = edit_plan(e, edits, n);
    int line = 1;
    size_t bytes = strlen(node);
    for (const char *p = text; strncmp(p, node, bytes) != 0 || strncmp(p + bytes, " = ", 3) != 0;
         p += strcspn(p, "\n") + 1)
        line++;
    pass_options_t passes = {0};
    assert_false(plan_lower(e->plan, &passes, e->diag));
    char *shown = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&shown, &size);
    diag_print(e->diag, f);
    fclose(f);
    const char *want =
        arena_printf(e->arena, "edited.graph:%d:1: error: %s: %s\n", line, node, message);
    if (strncmp(shown, want, strlen(want)) != 0) fail_msg("wanted %sgot %s", want, shown);
    free(shown);
}
#define REFUSED(node, message, ...)                                                                \
    expect_refused(*state, node, message, (edit_t[]){__VA_ARGS__},                                 \
                   sizeof((edit_t[]){__VA_ARGS__}) / sizeof(edit_t))

/* ---- streams ------------------------------------------------------------------------------------------------------ */

static void as_it_is(void **state) {
    EQUAL({"streams", "@"});
}

static void a_stream_is_read_behind_its_sum(void **state) {
    EQUAL({"layers.0.y1", "@\nlayers.0.late = add(layers.0.y1, embeddings)" ROWS},
          {"layers.0.feed_forward_norm",
           "layers.0.feed_forward_norm = layer_norm(layers.0.late, " NORM_0 ".weight, " NORM_0
           ".bias) eps=1e-12" ROWS});
}

/* In one region: where the first sum wrote, the stream is gone for the second. */
static void a_stream_is_read_in_the_region_of_its_sum(void **state) {
    EQUAL({"layers.0.y1", "@\nlayers.0.late = add(layers.0.attention, embeddings)" ROWS},
          {"layers.0.feed_forward_norm",
           "layers.0.feed_forward_norm = layer_norm(layers.0.late, " NORM_0 ".weight, " NORM_0
           ".bias) eps=1e-12" ROWS});
}

static void two_sums_of_one_region_go_on_with_one_stream(void **state) {
    EQUAL({"layers.0.y1", "@\nlayers.0.other = add(embeddings, layers.0.attention)" ROWS
                          "\nlayers.0.both = add(layers.0.other, embeddings)" ROWS},
          {"layers.0.y2", "layers.0.y2 = add(layers.0.both, layers.0.feed_forward)" ROWS});
}

static void a_sum_waits_for_a_norm_of_its_stream(void **state) {
    EQUAL({"layers.0.y2",
           "layers.0.again = layer_norm(embeddings, " NORM_0 ".weight, " NORM_0
           ".bias) eps=0.001" ROWS "\n@\nlayers.0.y3 = add(layers.0.y2, layers.0.again)" ROWS},
          {"layers.1.y2",
           "layers.1.y2 = add(layers.0.y3, layers.1.feed_forward) : f32[1,16,16] layer=1"});
}

static void one_stream_of_which_attention_is_made_and_to_which_it_is_added(void **state) {
    EQUAL({"layers.1.y1",
           "layers.1.y1 = add(layers.0.y2, layers.1.attention) : f32[1,16,16] layer=1"},
          {"layers.1.y2",
           "layers.1.y2 = add(layers.1.y1, layers.1.feed_forward) : f32[1,16,16] layer=1"},
          {"streams", "streams = concat(layers.0.y1, layers.1.y2) : f32[1,16,32]"});
}

static void a_value_stands_in_many_homes(void **state) {
    EQUAL({"layers.0.y2", "@\nlayers.0.s1 = add(embeddings, layers.0.y2)" ROWS
                          "\nlayers.0.s2 = add(embeddings, layers.0.s1)" ROWS
                          "\nlayers.0.s3 = add(embeddings, layers.0.s2)" ROWS
                          "\nlayers.0.s4 = add(embeddings, layers.0.s3)" ROWS
                          "\nlayers.0.s5 = add(embeddings, layers.0.s4)" ROWS},
          {"layers.1.y2",
           "layers.1.y2 = add(layers.0.s5, layers.1.feed_forward) : f32[1,16,16] layer=1"});
}

static void embeddings_are_normalised_outside_of_layers(void **state) {
    EQUAL(
        {"embeddings", "@\nscale = param() : f32[16]\nshift = param() : f32[16]\n"
                       "normed = layer_norm(embeddings, scale, shift) eps=1e-05 : f32[1,16,16]"},
        {"layers.0.attention_norm",
         "layers.0.attention_norm = layer_norm(normed, encoder.layers.0.attention.layer_norm.weight, "
         "encoder.layers.0.attention.layer_norm.bias) eps=1e-12" ROWS});
}

static void a_head_reads_what_has_no_layer(void **state) {
    EQUAL({"embeddings", "@\nscale = param() : f32[16]\nshift = param() : f32[16]\n"
                         "normed = layer_norm(embeddings, scale, shift) eps=1e-05 : f32[1,16,16]"},
          {"streams", "streams = concat(normed, layers.1.y2) : f32[1,16,32]"});
}

static void a_concatenation_is_stored(void **state) {
    EQUAL({"layers.0.y2",
           "@\nlayers.0.wide = concat(layers.0.y1, layers.0.feed_forward) : f32[1,16,32] layer=0"
           "\nw = param() : f32[16,32]"},
          {"layers.1.y2", "layers.1.narrow = dense(layers.0.wide, w, _) : f32[1,16,16] layer=1\n@\n"
                          "layers.1.y3 = add(layers.1.y2, layers.1.narrow) : f32[1,16,16] layer=1"},
          {"streams", "streams = concat(layers.1.y1, layers.1.y3) : f32[1,16,32]"});
}

/* ---- layers -------------------------------------------------------------------------------------------------------- */

#define SECOND " : f32[1,16,16] layer=1"
#define FF_0   "encoder.layers.0.feed_forward"

/* Both of one class, with weights of two places. */
static void two_regions_of_a_class_in_one_layer(void **state) {
    EQUAL({"layers.1.y2",
           "@\nlayers.1.second_norm = layer_norm(layers.1.y1, " FF_0 ".layer_norm.weight, " FF_0
           ".layer_norm.bias) eps=1e-12" SECOND
           "\nlayers.1.second_in = dense(layers.1.second_norm, " FF_0 ".dense.dense.weight, " FF_0
           ".dense.dense.bias) : f32[1,16,24] layer=1"
           "\nlayers.1.second_act = activation(layers.1.second_in) act=relu : f32[1,16,24] layer=1"
           "\nlayers.1.second = dense(layers.1.second_act, " FF_0 ".output.dense.weight, " FF_0
           ".output.dense.bias)" SECOND "\nlayers.1.y3 = add(layers.1.y2, layers.1.second)" SECOND},
          {"streams", "streams = concat(layers.1.y1, layers.1.y3) : f32[1,16,32]"}, {NULL, NULL});
}

static void a_norm_has_weight_and_bias_of_two_layers(void **state) {
    EQUAL({"layers.1.feed_forward_norm", "layers.1.feed_forward_norm = layer_norm(layers.1.y1, "
                                         "encoder.layers.1.feed_forward.layer_norm.weight, " NORM_0
                                         ".bias) eps=1e-12 : f32[1,16,16] layer=1"},
          {"encoder.layers.1.feed_forward.layer_norm.bias", ""});
}

static void a_table_is_a_matrix_too(void **state) {
    EQUAL(
        {"layers.0.feed_forward_in",
         "layers.0.feed_forward_in = dense(layers.0.feed_forward_norm, embeddings.word_embeddings.weight, _)"
         " : f32[1,16,20] layer=0"},
        {"encoder.layers.0.feed_forward.dense.dense.weight", ""},
        {"encoder.layers.0.feed_forward.dense.dense.bias", ""},
        {"layers.0.feed_forward_act",
         "layers.0.feed_forward_act = activation(layers.0.feed_forward_in) act=relu : f32[1,16,20] layer=0"},
        {"encoder.layers.0.feed_forward.output.dense.weight",
         "encoder.layers.0.feed_forward.output.dense.weight = param() : f32[16,20] layer=0"});
}

static void names_of_nodes_meet_no_names_of_ours(void **state) {
    EQUAL(
        {"layers.0.feed_forward_act",
         "layers.0.logits = activation(layers.0.feed_forward_in) act=relu : f32[1,16,24] layer=0"},
        {"layers.0.feed_forward",
         "layers.0.q = dense(layers.0.logits, encoder.layers.0.feed_forward.output.dense.weight, "
         "encoder.layers.0.feed_forward.output.dense.bias)" ROWS
         "\nlayers.0.2nd = activation(layers.0.q) act=relu" ROWS
         "\nlayers.0.int = activation(layers.0.2nd) act=relu" ROWS
         "\nlayers.0.lsh_hash = add(layers.0.2nd, layers.0.int)" ROWS},
        {"layers.0.y2", "layers.0.y2 = add(embeddings, layers.0.lsh_hash)" ROWS});
}

/* ---- attention ------------------------------------------------------------------------------------------------------ */

static void operands_have_biases_or_are_streams(void **state) {
    EQUAL(
        {"layers.0.query",
         "b = param() : f32[8]\nlayers.0.query = dense(layers.0.attention_norm, "
         "encoder.layers.0.attention.self_attention.query.weight, b) : f32[1,16,8] layer=0"},
        {"layers.0.value",
         "@\nlayers.0.value_act = activation(layers.0.value) act=tanh : f32[1,16,8] layer=0"},
        {"layers.0.self_attention",
         "layers.0.self_attention = local_attention(layers.0.query, layers.0.key, layers.0.value_act, mask) heads=2 "
         "head_size=4 chunk=4 before=1 after=0 causal=1 : f32[1,16,8] layer=0"});
}

static void something_runs_between_operands_and_result(void **state) {
    EQUAL({"layers.0.value",
           "@\nu = param() : f32[16,8]\nlayers.0.beside = dense(layers.0.value, u, _)" ROWS
           "\nlayers.0.side = add(embeddings, layers.0.beside)" ROWS},
          {"layers.0.y1", "layers.0.y1 = add(layers.0.side, layers.0.attention)" ROWS});
}

static void results_go_through_a_norm(void **state) {
    EQUAL(
        {"layers.1.attention",
         "s = param() : f32[8]\nt = param() : f32[8]\n"
         "layers.1.mixed = layer_norm(layers.1.self_attention, s, t) eps=0.0001 : f32[1,16,8] layer=1\n"
         "layers.1.attention = dense(layers.1.mixed, encoder.layers.1.attention.output.dense.weight, _)"
         " : f32[1,16,16] layer=1"});
}

static void one_value_is_two_operands(void **state) {
    EQUAL(
        {"layers.0.self_attention",
         "layers.0.self_attention = local_attention(layers.0.query, layers.0.value, layers.0.value, mask) heads=2 "
         "head_size=4 chunk=4 before=1 after=0 causal=1 : f32[1,16,8] layer=0"},
        {"layers.0.key", ""}, {"encoder.layers.0.attention.self_attention.key.weight", ""});
}

#define SECOND_ATTENTION                                                                              \
    "\nlayers.0.other = local_attention(layers.0.key, layers.0.query, layers.0.value, mask) heads=2 " \
    "head_size=4 chunk=4 before=0 after=0 causal=1 : f32[1,16,8] layer=0"

/* In other roles, and what both give is added up at once. */
static void two_attentions_have_the_same_operands(void **state) {
    EQUAL(
        {"layers.0.self_attention", "@" SECOND_ATTENTION "\nlayers.0.both = add(layers.0.other, "
                                    "layers.0.self_attention) : f32[1,16,8] layer=0"},
        {"layers.0.attention",
         "layers.0.attention = dense(layers.0.both, encoder.layers.0.attention.output.dense.weight, _)" ROWS});
}

/* With nothing between them. */
static void what_one_attention_gives_is_anothers_operand(void **state) {
    EQUAL(
        {"layers.0.self_attention",
         "@\nlayers.0.doubled = add(layers.0.self_attention, layers.0.self_attention) : f32[1,16,8] layer=0"
         "\nlayers.0.other = local_attention(layers.0.doubled, layers.0.doubled, layers.0.doubled, mask) heads=2 "
         "head_size=4 chunk=4 before=0 after=0 causal=1 : f32[1,16,8] layer=0"},
        {"layers.0.attention",
         "layers.0.attention = dense(layers.0.other, encoder.layers.0.attention.output.dense.weight, _)" ROWS});
}

static void no_mask(void **state) {
    REFUSED(
        "layers.0.self_attention", "no kernel computes local_attention without the caller's mask",
        {"layers.0.self_attention",
         "layers.0.self_attention = local_attention(layers.0.query, layers.0.key, layers.0.value, _) heads=2 "
         "head_size=4 chunk=4 before=1 after=0 causal=1 : f32[1,16,8] layer=0"});
}

static void operands_of_another_layer(void **state) {
    REFUSED(
        "layers.0.self_attention",
        "no kernel computes local_attention whose operands are made, or whose result is taken, in another layer",
        {"layers.0.attention",
         "layers.0.attention = dense(layers.0.self_attention, encoder.layers.0.attention.output.dense.weight, _)"
         " : f32[1,16,16] layer=1"},
        {"layers.0.y1", "layers.0.y1 = add(embeddings, layers.0.attention) : f32[1,16,16] layer=1"},
        {"layers.0.feed_forward_norm", "layers.0.feed_forward_norm = layer_norm(embeddings, " NORM_0
                                       ".weight, " NORM_0 ".bias) eps=1e-12" ROWS});
}

static void what_cannot_be_shown(void **state) {
    REFUSED("layers.0.query", "no kernel shows it as layers.0.query",
            {"layers.0.query", "@ trace=layers.0.query"});
}

static void layers_out_of_order(void **state) {
    REFUSED("layers.1.y2", "layers are computed one after the other, and this is layer 0 after 1",
            {"layers.1.y2",
             "layers.1.y2 = add(layers.0.y2, layers.1.feed_forward) : f32[1,16,16] layer=0"});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_is_read_behind_its_sum, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_is_read_in_the_region_of_its_sum, setup, teardown),
        cmocka_unit_test_setup_teardown(two_sums_of_one_region_go_on_with_one_stream, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_sum_waits_for_a_norm_of_its_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(
            one_stream_of_which_attention_is_made_and_to_which_it_is_added, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_stands_in_many_homes, setup, teardown),
        cmocka_unit_test_setup_teardown(embeddings_are_normalised_outside_of_layers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_head_reads_what_has_no_layer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_concatenation_is_stored, setup, teardown),
        cmocka_unit_test_setup_teardown(two_regions_of_a_class_in_one_layer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_norm_has_weight_and_bias_of_two_layers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_is_a_matrix_too, setup, teardown),
        cmocka_unit_test_setup_teardown(names_of_nodes_meet_no_names_of_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(operands_have_biases_or_are_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(something_runs_between_operands_and_result, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(results_go_through_a_norm, setup, teardown),
        cmocka_unit_test_setup_teardown(one_value_is_two_operands, setup, teardown),
        cmocka_unit_test_setup_teardown(two_attentions_have_the_same_operands, setup, teardown),
        cmocka_unit_test_setup_teardown(what_one_attention_gives_is_anothers_operand, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_mask, setup, teardown),
        cmocka_unit_test_setup_teardown(operands_of_another_layer, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(layers_out_of_order, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
