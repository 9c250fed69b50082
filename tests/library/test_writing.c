/* Choosing tokens and writing texts through the library: what it writes at once is what prefill, steps and choosing write one
 * by one, one beam is greedy, refusals leave their reason, and a model says what its text is and what ends it. */
#include "library_test.h"

enum { VOCAB = 40, PROMPT = 5, TOKENS = 20 };

static const char spec_text[] = "architectures: [ReformerModelWithLMHead]\n"
                                "is_decoder: true\n"
                                "vocab_size: 40\n"
                                "eos_token_id: [7, 41]\n"
                                "attn_layers: [local, lsh]\n"
                                "hidden_size: 24\n"
                                "num_attention_heads: 3\n"
                                "attention_head_size: 10\n"
                                "feed_forward_size: 40\n"
                                "axial_pos_embds: false\n"
                                "max_position_embeddings: 64\n"
                                "local_attn_chunk_length: 6\n"
                                "lsh_attn_chunk_length: 4\n"
                                "num_buckets: 4\n"
                                "hash_seed: 11\n"
                                "initializer_range: 0.3\n";
static const int32_t prompt[PROMPT] = {3, 1, 4, 1, 5};

typedef struct {
    reformerc_model_t *m;
    reformerc_context_t *context;
    reformerc_cache_t *cache;
} env_t;

static reformerc_model_t *compile(const char *set, int decode) {
    reformerc_options_t o = {.size = sizeof o,
                             .settings = &set,
                             .n_settings = set != NULL,
                             .weights = "random:5",
                             .decode = decode};
    reformerc_model_t *m = NULL;
    char *message = NULL;
    int error = reformerc_compile(&m, "folder/small.yaml", spec_text, &o, &message);
    if (error) fail_msg("%s: %s", reformerc_strerror(error), message ? message : "");
    free(message);
    return m;
}

static int open_env(void **state) {
    static env_t e;
    e.m = compile("compile.batch_size=2", 1);
    assert_int_equal(reformerc_context_new(&e.context, e.m, 2), 0);
    assert_int_equal(reformerc_cache_new(&e.cache, e.context, PROMPT + TOKENS, PROMPT), 0);
    *state = &e;
    return 0;
}

static int close_env(void **state) {
    env_t *e = *state;
    reformerc_cache_free(e->cache);
    reformerc_context_free(e->context);
    reformerc_free(e->m);
    return 0;
}

enum { SIZE = sizeof(reformer_sampling_t) };
static const reformer_sampling_t ways[] = {
    {.size = SIZE},
    {.size = SIZE, .temperature = 1.5F, .top_k = 9, .seed = 3},
    {.size = SIZE, .repetition_penalty = 1.7F}};
enum { WAYS = sizeof ways / sizeof *ways };

static void one_by_one(env_t *e, const reformer_sampling_t *s, int32_t *tokens) {
    float logits[VOCAB];
    int32_t history[PROMPT + TOKENS];
    memcpy(history, prompt, sizeof prompt);
    reformer_decode_t io = {
        .size = sizeof io, .input_ids = prompt, .batch = 1, .length = PROMPT, .logits = logits};
    assert_int_equal(reformerc_prefill(e->cache, &io), 0);
    for (size_t t = 0; t < TOKENS; t++) {
        assert_int_equal(
            reformerc_sample(e->context, s, logits, history, PROMPT + t, 0, t, &tokens[t]), 0);
        history[PROMPT + t] = tokens[t];
        io = (reformer_decode_t){
            .size = sizeof io, .input_ids = &tokens[t], .batch = 1, .logits = logits};
        if (t + 1 < TOKENS) assert_int_equal(reformerc_step(e->cache, &io), 0);
    }
}

static void at_once_and_one_by_one(void **state) {
    env_t *e = *state;
    for (int k = 0; k < WAYS; k++) {
        int32_t steps[TOKENS], all[TOKENS] = {0};
        size_t count = 0;
        one_by_one(e, &ways[k], steps);
        reformer_generate_t g = {.size = sizeof g,
                                 .input_ids = prompt,
                                 .batch = 1,
                                 .length = PROMPT,
                                 .max_tokens = TOKENS,
                                 .sampling = &ways[k],
                                 .tokens = all,
                                 .counts = &count};
        assert_int_equal(reformerc_generate(e->cache, &g), 0);
        assert_int_equal(count, TOKENS);
        assert_memory_equal(all, steps, sizeof all);
        if (k == 0) continue;
        one_by_one(e, &ways[0], steps);
        assert_memory_not_equal(all, steps, sizeof all);
    }
}

static void beams(void **state) {
    env_t *e = *state;
    int32_t greedy[TOKENS], found[TOKENS];
    double one = 0, two = 0;
    one_by_one(e, &ways[0], greedy);
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompt,
                             .length = PROMPT,
                             .max_tokens = TOKENS,
                             .tokens = found};
    reformer_beams_t b = {.size = sizeof b, .beams = 1, .score = &one};
    assert_int_equal(reformerc_beam_search(e->cache, &g, &b), 0);
    assert_memory_equal(found, greedy, sizeof found);
    b = (reformer_beams_t){.size = sizeof b, .beams = 2, .score = &two};
    assert_int_equal(reformerc_beam_search(e->cache, &g, &b), 0);
    assert_true(two >= one && one < 0);
    b.beams = 3;
    assert_int_not_equal(reformerc_beam_search(e->cache, &g, &b), 0);
    assert_non_null(reformerc_context_message(e->context));
}

static void refusals(void **state) {
    env_t *e = *state;
    float logits[VOCAB] = {0};
    int32_t token, tokens[TOKENS];
    reformer_sampling_t bad = {.size = sizeof bad, .temperature = -1};
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompt,
                             .batch = 1,
                             .length = PROMPT,
                             .max_tokens = TOKENS + 9};
    assert_int_equal(reformerc_sample(NULL, &bad, logits, NULL, 0, 0, 0, &token),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_sample(e->context, &bad, logits, NULL, 0, 0, 0, &token),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_sample(e->context, &ways[0], logits, NULL, 0, 0, 0, NULL),
                     REFORMER_E_ARGUMENT);
    assert_string_equal(reformerc_context_message(e->context),
                        reformerc_strerror(REFORMER_E_ARGUMENT));
    assert_int_equal(reformerc_generate(e->cache, &g), REFORMER_E_ARGUMENT); /* no tokens */
    assert_int_equal(reformerc_generate(NULL, &g), REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_generate(e->cache, NULL), REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_beam_search(e->cache, &g, NULL), REFORMER_E_ARGUMENT);
    int32_t wrong[PROMPT] = {0, VOCAB};
    g = (reformer_generate_t){.size = sizeof g,
                              .input_ids = wrong,
                              .batch = 1,
                              .length = PROMPT,
                              .max_tokens = TOKENS,
                              .tokens = tokens};
    assert_int_equal(reformerc_generate(e->cache, &g), REFORMER_E_TOKEN);
    assert_string_equal(reformerc_context_message(e->context),
                        reformerc_strerror(REFORMER_E_TOKEN));
    g.input_ids = prompt;
    assert_int_equal(reformerc_generate(e->cache, &g), 0);
    assert_null(reformerc_context_message(e->context));
}

static void what_text_is(void **state) {
    env_t *e = *state;
    assert_null(reformerc_text(e->m)); /* 40 ids are no bytes */
    assert_int_equal(reformerc_end_token(e->m, 0), 7);
    assert_int_equal(reformerc_end_token(e->m, 1), 41);
    assert_int_equal(reformerc_end_token(e->m, 2), -1);
    assert_int_equal(reformerc_end_token(e->m, SIZE_MAX), -1);
    reformerc_model_t *bytes = compile("vocab_size=258", 0);
    assert_string_equal(reformerc_text(bytes), "bytes");
    assert_int_equal(reformerc_end_token(bytes, 0), -1);
    reformerc_free(bytes);
    reformerc_model_t *pieces = compile("compile.text=sentencepiece:some.model", 0);
    assert_string_equal(reformerc_text(pieces), "sentencepiece:folder/some.model");
    reformerc_free(pieces);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(at_once_and_one_by_one),
                                       cmocka_unit_test(beams), cmocka_unit_test(refusals),
                                       cmocka_unit_test(what_text_is)};
    return cmocka_run_group_tests(tests, open_env, close_env);
}
