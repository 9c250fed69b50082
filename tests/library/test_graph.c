/* A graph through the library: its text instead of a spec's, and the same numbers. */
#include "library_test.h"

static const char spec[] =
    "attn_layers: [local]\nhidden_size: 4\nnum_attention_heads: 1\nattention_head_size: 4\n"
    "feed_forward_size: 6\nvocab_size: 9\naxial_pos_embds: false\nmax_position_embeddings: 8\n"
    "local_attn_chunk_length: 4\ncompile: {sequence_length: 8}\n";

#define LAYER "encoder.layers.0."
#define ATT   LAYER "attention."
#define FF    LAYER "feed_forward."
static const char graph[] =
    "graph batch=1 length=8 padded=8\n"
    "input_ids = input() : i32[1,8]\n"
    "attention_mask = input() : i32[1,8]\n"
    "ids = pad_ids(input_ids) pad_token=0 : i32[1,8]\n"
    "mask = pad_mask(attention_mask) : i32[1,8]\n"
    "embeddings.word_embeddings.weight = param() : f32[9,4]\n"
    "embeddings.position_embeddings.embedding.weight = param() : f32[8,4]\n"
    "x = embed(ids, embeddings.word_embeddings.weight, "
    "embeddings.position_embeddings.embedding.weight) axial_shape=none : f32[1,8,4]\n" ATT
    "layer_norm.weight = param() : f32[4] layer=0\n" ATT
    "layer_norm.bias = param() : f32[4] layer=0\n"
    "n = layer_norm(x, " ATT "layer_norm.weight, " ATT
    "layer_norm.bias) eps=1e-12 : f32[1,8,4] layer=0\n" ATT
    "self_attention.query.weight = param() : f32[4,4] layer=0\n"
    "q = dense(n, " ATT "self_attention.query.weight, _) : f32[1,8,4] layer=0\n" ATT
    "self_attention.key.weight = param() : f32[4,4] layer=0\n"
    "k = dense(n, " ATT "self_attention.key.weight, _) : f32[1,8,4] layer=0\n" ATT
    "self_attention.value.weight = param() : f32[4,4] layer=0\n"
    "v = dense(n, " ATT "self_attention.value.weight, _) : f32[1,8,4] layer=0\n"
    "s = local_attention(q, k, v, mask) heads=1 head_size=4 chunk=4 before=1 after=0 causal=0 "
    ": f32[1,8,4] layer=0\n" ATT "output.dense.weight = param() : f32[4,4] layer=0\n"
    "a = dense(s, " ATT "output.dense.weight, _) : f32[1,8,4] layer=0\n"
    "y1 = add(x, a) : f32[1,8,4] layer=0\n" FF "layer_norm.weight = param() : f32[4] layer=0\n" FF
    "layer_norm.bias = param() : f32[4] layer=0\n"
    "m = layer_norm(y1, " FF "layer_norm.weight, " FF
    "layer_norm.bias) eps=1e-12 : f32[1,8,4] layer=0\n" FF
    "dense.dense.weight = param() : f32[6,4] layer=0\n" FF
    "dense.dense.bias = param() : f32[6] layer=0\n"
    "u = dense(m, " FF "dense.dense.weight, " FF "dense.dense.bias) : f32[1,8,6] layer=0\n"
    "w = activation(u) act=relu : f32[1,8,6] layer=0\n" FF
    "output.dense.weight = param() : f32[4,6] layer=0\n" FF
    "output.dense.bias = param() : f32[4] layer=0\n"
    "f = dense(w, " FF "output.dense.weight, " FF "output.dense.bias) : f32[1,8,4] layer=0\n"
    "y2 = add(x, f) : f32[1,8,4] layer=0\n"
    "both = concat(y1, y2) : f32[1,8,8]\n"
    "encoder.layer_norm.weight = param() : f32[8]\n"
    "encoder.layer_norm.bias = param() : f32[8]\n"
    "h = layer_norm(both, encoder.layer_norm.weight, encoder.layer_norm.bias) eps=1e-12 "
    ": f32[1,8,8]\n"
    "last_hidden_state = slice(h) : f32[1,8,8]\n";

static void forward(const char *name, const char *text, float *hidden) {
    static const int32_t ids[8] = {1, 5, 8, 2, 0, 7, 3, 4};
    reformerc_options_t o = {.size = sizeof o, .weights = "random:7"};
    reformerc_model_t *m = NULL;
    char *message = NULL;
    int code = reformerc_compile(&m, name, text, &o, &message);
    if (code) fail_msg("%s: %d: %s", name, code, message ? message : "");
    free(message);
    reformerc_info_t info = {.size = sizeof info};
    reformerc_info(m, &info);
    assert_int_equal(info.hidden, 4);
    assert_int_equal(info.vocab, 9);
    assert_int_equal(info.max_length, 8);
    reformerc_context_t *c = NULL;
    assert_int_equal(reformerc_context_new(&c, m, 1), REFORMER_OK);
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = 8, .last_hidden_state = hidden};
    assert_int_equal(reformerc_forward(c, &io), REFORMER_OK);
    reformerc_context_free(c);
    reformerc_free(m);
}

static void a_graph_gives_what_its_spec_gives(void **state) {
    (void)state;
    float want[8 * 8], got[8 * 8];
    forward("model.yaml", spec, want);
    forward("model.graph", graph, got);
    assert_memory_equal(want, got, sizeof want);
}

static void a_wrong_graph_is_told_at_its_line(void **state) {
    (void)state;
    reformerc_model_t *m = NULL;
    char *message = NULL;
    int code = reformerc_compile(&m, "m.graph", "graph batch=1 length=8 padded=8\nx = inputs()\n",
                                 NULL, &message);
    assert_int_equal(code, REFORMERC_E_SPEC);
    assert_non_null(strstr(message, "m.graph:2:5: error: there is no operation 'inputs'"));
    free(message);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_graph_gives_what_its_spec_gives),
                                       cmocka_unit_test(a_wrong_graph_is_told_at_its_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
