/* Generation with graphs edited by hand, as a .graph file may have them: a step follows from the forward, and the back
 * ends give what the reference gives, token by token; or the node that no kernel computes is refused at its line. */
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

enum { ROWS = 2, PROMPT = 5, STEPS = 6, ROOM = 16, VOCAB = 20 };

static const char model[] =
    "attn_layers: [local, lsh]\nhidden_size: 16\nnum_attention_heads: 2\nattention_head_size: 4\n"
    "feed_forward_size: 24\nvocab_size: 20\naxial_pos_embds: false\nmax_position_embeddings: 16\n"
    "num_buckets: 4\nnum_hashes: 2\nlocal_attn_chunk_length: 4\nlsh_attn_chunk_length: 4\n"
    "is_decoder: true\narchitectures: [ReformerModelWithLMHead]\ninitializer_range: 0.3\n"
    "hash_seed: 1\ncompile: {sequence_length: 16, batch_size: 2}\n";

#define WIDE(n, layer) " : f32[2,16," #n "] layer=" #layer
#define FF_IN          "encoder.layers.0.feed_forward.dense.dense"

static void must(const env_t *e, bool ok) {
    if (ok) return;
    diag_print(e->diag, stdout);
    fail_msg("see the messages above");
}

/* The model's graph with these edits, read again as a file is. */
static void make_plan(env_t *e, const edit_t *edits, size_t n) {
    plan_options_t o = {.name = "model", .n_targets = 1, .targets = {&targets[T_X86_64]}};
    if (reformer_cpu_supports(T_AARCH64)) o.targets[0] = &targets[T_AARCH64];
    const plan_t *of_spec = plan_of(e->arena, model, &o, e->diag);
    must(e, of_spec);
    sbuf_t out = {0};
    graph_t *graph = of_spec->variants[0].graph;
    model_print(of_spec->spec, &graph, 1, &out);
    e->text = edited_text(e->arena, out.data, edits, n);
    sbuf_free(&out);
    loaded_model_t m;
    must(e, e->text && model_parse(e->arena, &m, "edited.graph", e->text, strlen(e->text), NULL, 0,
                                   e->diag));
    o.decodes = true;
    e->plan = plan_of_model(e->arena, &m, &o, e->diag);
    must(e, e->plan);
}

/* Logits of the prompts' last tokens, then of each step. */
typedef float logits_t[1 + STEPS][ROWS][VOCAB];

static void generate(env_t *e, const store_t *store, backend_t backend, logits_t logits) {
    exec_options_t o = {.backend = backend};
    exec_t *x = exec_open(e->plan, store, &o, e->diag);
    must(e, x);
    exec_cache_t *c = exec_cache_new(x, ROOM, PROMPT, 1, e->diag);
    must(e, c);
    int32_t ids[ROWS * PROMPT];
    for (int i = 0; i < ROWS * PROMPT; i++) ids[i] = (i * 7 + 3) % VOCAB;
    for (int s = 0; s <= STEPS; s++) {
        reformer_decode_t io = {.size = sizeof io,
                                .input_ids = ids,
                                .batch = ROWS,
                                .length = PROMPT,
                                .logits = logits[s][0]};
        int code = s ? exec_step(c, &io, e->diag) : exec_prefill(c, &io, e->diag);
        must(e, code == REFORMER_OK);
        for (int row = 0; row < ROWS; row++) ids[row] = (s * 5 + row * 11 + 1) % VOCAB;
    }
    exec_cache_free(c);
    exec_close(x);
}

static void compare(env_t *e, const store_t *store, backend_t backend, const logits_t want) {
    static logits_t got;
    if (!backend_is_built_in(backend)) return;
    generate(e, store, backend, got);
    for (int s = 0; s <= STEPS; s++)
        for (int row = 0; row < ROWS; row++)
            for (int i = 0; i < VOCAB; i++)
                if (!(fabsf(want[s][row][i] - got[s][row][i]) <= 2e-5F))
                    fail_msg("step %d, row %d, logit %d: %g, the reference has %g", s, row, i,
                             (double)got[s][row][i], (double)want[s][row][i]);
}

static void expect_equal(env_t *e, const edit_t *edits, size_t n) {
    static logits_t want;
    make_plan(e, edits, n);
    const graph_t *g = e->plan->variants[e->plan->n_variants - 1].graph;
    store_options_t so = {.path = "random:7"};
    store_t *store = store_load(g, &so, e->diag);
    must(e, store);
    vary_vectors(g, store);
    generate(e, store, BACKEND_REFERENCE, want);
    compare(e, store, BACKEND_INTERPRETER, want);
    compare(e, store, BACKEND_JIT, want);
    store_free(store);
}
#define EQUAL(...)                                                                                 \
    expect_equal(*state, (edit_t[]){__VA_ARGS__}, sizeof((edit_t[]){__VA_ARGS__}) / sizeof(edit_t))

static void as_it_is(void **state) {
    EQUAL({"streams", "@"});
}

/* ---- concatenations ----------------------------------------------------------------------------------------------- */

static void another_layer_reads_a_concatenation(void **state) {
    EQUAL({"layers.0.y2", "@\nlayers.0.wide = concat(layers.0.y1, layers.0.feed_forward)" WIDE(
                              32, 0) "\nw = param() : f32[16,32]"},
          {"layers.1.y2",
           "layers.1.narrow = dense(layers.0.wide, w, _)" WIDE(
               16, 1) "\n@\nlayers.1.y3 = add(layers.1.y2, layers.1.narrow)" WIDE(16, 1)},
          {"streams", "streams = concat(layers.1.y1, layers.1.y3) : f32[2,16,32]"});
}

static void a_dense_layer_reads_a_concatenation(void **state) {
    EQUAL({"layers.0.feed_forward_in",
           "layers.0.both = concat(layers.0.feed_forward_norm, layers.0.y1)" WIDE(
               32, 0) "\nw = param() : f32[24,32]\n"
                      "layers.0.feed_forward_in = dense(layers.0.both, w, " FF_IN
                      ".bias)" WIDE(24, 0)},
          {FF_IN ".weight", ""});
}

static void an_activation_and_a_norm_read_a_concatenation(void **state) {
    EQUAL(
        {"layers.0.feed_forward_in",
         "layers.0.both = concat(layers.0.y1, layers.0.feed_forward_norm)" WIDE(32, 0) "\nlayers.0.bent = activation(layers.0.both) act=tanh" WIDE(
             32,
             0) "\nnw = param() : f32[32]\nnb = param() : f32[32]\n"
                "layers.0.even = layer_norm(layers.0.both, nw, nb) eps=0.001" WIDE(
                    32,
                    0) "\nlayers.0.sum = add(layers.0.bent, layers.0.even)" WIDE(32,
                                                                                 0) "\nw = param() : f32[24,32]\n"
                                                                                    "layers.0.feed_forward_in = dense(layers.0.sum, w, " FF_IN
                                                                                    ".bias)" WIDE(
                                                                                        24, 0)},
        {FF_IN ".weight", ""});
}

/* Of what other tasks compute by columns, and of two widths. */
static void a_concatenation_of_columns(void **state) {
    EQUAL(
        {"layers.0.y2",
         "@\nlayers.0.wide = concat(layers.0.y2, layers.0.feed_forward_act)" WIDE(40, 0) "\nlayers.0.bent = activation(layers.0.wide) act=tanh" WIDE(
             40,
             0) "\nw = param() : f32[16,40]\nlayers.0.narrow = dense(layers.0.bent, w, _)" WIDE(16,
                                                                                                0) "\nlayers.0.y3 = add(layers.0.y2, layers.0.narrow)" WIDE(16,
                                                                                                                                                            0)},
        {"layers.1.y2", "layers.1.y2 = add(layers.0.y3, layers.1.feed_forward)" WIDE(16, 1)});
}

/* Beside them, what the next product reads is shallower. */
static void an_operand_of_attention_is_made_of_a_concatenation(void **state) {
    EQUAL({"layers.0.query",
           "layers.0.both = concat(layers.0.attention_norm, embeddings)" WIDE(
               32,
               0) "\nw = param() : f32[8,32]\nlayers.0.query = dense(layers.0.both, w, _)" WIDE(8,
                                                                                                0)},
          {"encoder.layers.0.attention.self_attention.query.weight", ""});
}

/* ---- streams ------------------------------------------------------------------------------------------------------- */

#define SUM(n, before) "\nlayers.1.s" #n " = add(layers.0.y2, layers.1." before ")" WIDE(16, 1)

/* A sum writes over each. */
static void a_value_stands_in_more_homes_than_a_node_has_inputs(void **state) {
    EQUAL({"layers.1.y1",
           "@" SUM(0, "attention") SUM(1, "s0") SUM(2, "s1") SUM(3, "s2") SUM(4, "s3") SUM(5, "s4")
               SUM(6, "s5") SUM(7, "s6") SUM(8, "s7") SUM(9, "s8") SUM(10, "s9") SUM(11, "s10")},
          {"layers.1.y2", "layers.1.y2 = add(layers.1.s11, layers.1.feed_forward)" WIDE(16, 1)});
}

/* Rows of one value are another's by the time that a sum onto that one reads the first. */
static void a_sum_stands_where_another_value_did(void **state) {
    EQUAL(
        {"layers.0.key",
         "layers.0.twice = add(embeddings, embeddings)" WIDE(16, 0) "\nlayers.0.bent = activation(layers.0.twice) act=tanh" WIDE(
             16,
             0) "\nlayers.0.sum = add(layers.0.attention_norm, layers.0.bent)" WIDE(16,
                                                                                    0) "\nlayers.0.key = dense(layers.0.sum, "
                                                                                       "encoder.layers.0.attention.self_attention.key.weight, _)" WIDE(
                                                                                           8, 0)},
        {"layers.1.feed_forward_norm",
         "layers.1.old = add(layers.0.feed_forward, layers.0.attention_norm)" WIDE(16, 1) "\nlayers.1.both = add(layers.1.old, layers.1.y1)" WIDE(
             16, 1) "\nlayers.1.feed_forward_norm = layer_norm(layers.1.both, "
                    "encoder.layers.1.feed_forward.layer_norm.weight, "
                    "encoder.layers.1.feed_forward.layer_norm.bias) eps=1e-12" WIDE(16, 1)});
}

/* Kernels of one region: none runs in place of another. */
static void a_region_of_many_stages(void **state) {
    EQUAL(
        {"layers.0.feed_forward",
         "p1 = param() : f32[24,24]\np2 = param() : f32[24,24]\n"
         "layers.0.second = dense(layers.0.feed_forward_act, p1, _)" WIDE(24, 0) "\nlayers.0.third = dense(layers.0.second, p2, _)" WIDE(
             24, 0) "\nlayers.0.feed_forward = dense(layers.0.third, "
                    "encoder.layers.0.feed_forward.output.dense.weight, "
                    "encoder.layers.0.feed_forward.output.dense.bias)" WIDE(16, 0)});
}

/* A gate of what attention gives, and a sum onto it. */
static void results_of_attention_are_read_by_elements(void **state) {
    EQUAL(
        {"layers.0.attention",
         "w = param() : f32[8,16]\nlayers.0.gate = dense(embeddings, w, _)" WIDE(8, 0) "\nlayers.0.gated = mul(layers.0.gate, layers.0.self_attention)" WIDE(
             8,
             0) "\nlayers.0.sum = add(layers.0.self_attention, layers.0.gated)" WIDE(8,
                                                                                     0) "\nlayers.0.attention = dense(layers.0.sum, "
                                                                                        "encoder.layers.0.attention.output.dense.weight, _)" WIDE(
                                                                                            16,
                                                                                            0)});
}

/* ---- refused ------------------------------------------------------------------------------------------------------- */

/* A forward adds the bias; a step's attention takes what dense layers leave in its own memory. */
static void an_operand_with_a_bias(void **state) {
    static const edit_t edit = {
        "layers.0.query", "b = param() : f32[8]\nlayers.0.query = dense(layers.0.attention_norm, "
                          "encoder.layers.0.attention.self_attention.query.weight, b)" WIDE(8, 0)};
    env_t *e = *state;
    make_plan(e, &edit, 1);
    pass_options_t passes = {0};
    assert_false(plan_lower(e->plan, &passes, e->diag));
    char *shown = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&shown, &size);
    diag_print(e->diag, f);
    fclose(f);
    int line = 1;
    for (const char *p = e->text; p < strstr(e->text, "\nlayers.0.query = ") + 1; p++)
        line += *p == '\n';
    const char *want = arena_printf(
        e->arena,
        "edited.graph:%d:1: error: layers.0.query: no kernel of a step computes dense as an operand "
        "of attention: it wants dense layers without bias, of which nobody else reads the result\n",
        line);
    if (strncmp(shown, want, strlen(want)) != 0) fail_msg("wanted %sgot %s", want, shown);
    free(shown);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(as_it_is),
        TEST(another_layer_reads_a_concatenation),
        TEST(a_dense_layer_reads_a_concatenation),
        TEST(an_activation_and_a_norm_read_a_concatenation),
        TEST(a_concatenation_of_columns),
        TEST(an_operand_of_attention_is_made_of_a_concatenation),
        TEST(a_value_stands_in_more_homes_than_a_node_has_inputs),
        TEST(a_sum_stands_where_another_value_did),
        TEST(a_region_of_many_stages),
        TEST(results_of_attention_are_read_by_elements),
        TEST(an_operand_with_a_bias),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
