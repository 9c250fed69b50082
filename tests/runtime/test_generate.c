/* The loop that writes texts: what it writes by hand, why rows end, that they do not depend on each other, and a bound
 * model in place of the decoder that tests bring along. */
#include "chain.h"

enum { N = 12 }; /* tokens per row that tests have room for */

/* After 0 comes 1, then 2, 3, 4 and 0 again. */
static const float ring[IDS][IDS] = {
    {0, 5, 1, 1, 1}, {1, 0, 5, 1, 1}, {1, 1, 0, 5, 1}, {1, 1, 1, 0, 5}, {5, 1, 1, 1, 0}};

typedef struct {
    int32_t tokens[MAX_ROWS][N];
    size_t counts[MAX_ROWS];
    int ends[MAX_ROWS];
    float logits[MAX_ROWS][N][IDS];
} texts_t;

/* g->max_tokens is N; with outputs and scratch as needed. */
static int generate(chain_t *c, size_t batch, reformer_generate_t g, texts_t *out) {
    reformer_decoder_t d = chain_decoder(c, batch);
    memset(out, 0x77, sizeof *out);
    g.max_tokens = N;
    g.tokens = out->tokens[0];
    g.counts = out->counts;
    g.ends = out->ends;
    g.logits = out->logits[0][0];
    size_t bytes = reformer_generate_bytes(&d, &g);
    unsigned char *scratch = scratch_new(bytes);
    int error = reformer_generate(&d, &g, scratch, bytes);
    scratch_free(scratch, bytes);
    return error;
}

static void assert_row(const texts_t *t, size_t row, size_t count, int end, const int32_t *want) {
    assert_int_equal(t->counts[row], count);
    assert_int_equal(t->ends[row], end);
    for (size_t i = 0; i < count; i++)
        if (t->tokens[row][i] != want[i])
            fail_msg("token %zu is %d, not %d", i, t->tokens[row][i], want[i]);
}

/* ---- by hand ---------------------------------------------------------------------------------- */

static void exactly_so_many(void **state) {
    (void)state;
    chain_t c = chain_new(ring);
    texts_t t;
    static const int32_t prompt[] = {4, 0, 1}, want[] = {2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3};
    reformer_generate_t g = {
        .size = sizeof g, .input_ids = prompt, .batch = 1, .length = 3, .pad_token = 9};
    assert_int_equal(generate(&c, 4, g, &t), REFORMER_OK);
    assert_row(&t, 0, N, REFORMER_END_LENGTH, want);
    for (int i = 0; i < N; i++) /* logits[s] chose token s */
        assert_memory_equal(t.logits[0][i], ring[i == 0 ? 1 : want[i - 1]], sizeof ring[0]);
    assert_int_equal(c.prefills, 1);
    assert_int_equal(c.steps, N - 1); /* nobody needs what follows the last token */
    assert_int_equal(t.counts[1], 0x7777777777777777);
}

/* Outputs that are not wanted; one token; all rows of the decoder. */
static void only_tokens(void **state) {
    (void)state;
    chain_t c = chain_new(ring);
    reformer_decoder_t d = chain_decoder(&c, 2);
    int32_t prompts[] = {1, 3}, tokens[] = {9, 9, 9};
    reformer_generate_t g = {
        .size = sizeof g, .input_ids = prompts, .length = 1, .max_tokens = 1, .tokens = tokens};
    size_t bytes = reformer_generate_bytes(&d, &g);
    unsigned char *scratch = scratch_new(bytes);
    assert_int_equal(reformer_generate(&d, &g, scratch, bytes), REFORMER_OK);
    scratch_free(scratch, bytes);
    assert_int_equal(tokens[0], 2);
    assert_int_equal(tokens[1], 4);
    assert_int_equal(tokens[2], 9);
    assert_int_equal(c.steps, 0);
}

/* The penalty knows prompt and text: 1 follows 0 by 5 against 1, but not once it was there, and so on. */
static void penalty_of_prompt_and_text(void **state) {
    (void)state;
    chain_t c = chain_new(ring);
    texts_t t;
    static const int32_t prompt[] = {1, 0}, want[] = {2, 3, 4};
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompt,
                             .batch = 1,
                             .length = 2,
                             .sampling = &(reformer_sampling_t){.size = sizeof(reformer_sampling_t),
                                                                .repetition_penalty = 100},
                             .stop_at_eos = 1,
                             .eos_token = 4};
    assert_int_equal(generate(&c, 1, g, &t), REFORMER_OK);
    assert_row(&t, 0, 3, REFORMER_END_EOS, want);
    assert_memory_equal(t.logits[0][0], ring[0], sizeof ring[0]); /* before the penalty */
    g.stop_at_eos = 0;
    assert_int_equal(generate(&c, 1, g, &t), REFORMER_OK);
    assert_int_equal(t.tokens[0][3], 0); /* all were there: 0.05 again wins */
    assert_int_equal(t.counts[0], N);
}

/* ---- ends -------------------------------------------------------------------------------------- */

static void stop_sequences(void **state) {
    (void)state;
    static const int32_t prompt[] = {0, 1}, want[] = {2, 3, 4, 0, 1, 2, 3};
    /* sequences end to end; how long the text becomes */
    static const struct {
        int32_t stops[8];
        size_t lengths[3], n, count;
    } cases[] = {
        {{3}, {1}, 1, 2},
        {{3, 4}, {2}, 1, 3},
        {{4, 0, 1, 2}, {4}, 1, 6},
        {{0, 1, 2}, {3}, 1, 6}, /* the prompt is no part of it */
        {{2, 3, 4, 0, 1, 2, 3}, {7}, 1, 7},
        {{3, 3, 4, 4, 0}, {2, 1, 2}, 3, 3},       /* 3 3 never; 4 before 4 0 */
        {{4, 1, 0, 1, 2, 4, 0}, {2, 3, 2}, 3, 4}, /* 4 0 before 0 1 2 */
        {{4, 2}, {2}, 1, N},
        {{2, 3, 4, 0, 1, 3}, {6}, 1, N},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chain_t c = chain_new(ring);
        texts_t t;
        reformer_generate_t g = {.size = sizeof g,
                                 .input_ids = prompt,
                                 .batch = 1,
                                 .length = 2,
                                 .stops = cases[i].stops,
                                 .stop_lengths = cases[i].lengths,
                                 .n_stops = cases[i].n,
                                 .pad_token = -5};
        assert_int_equal(generate(&c, 1, g, &t), REFORMER_OK);
        int ended = cases[i].count < N;
        assert_int_equal(t.counts[0], cases[i].count);
        assert_int_equal(t.ends[0], ended ? REFORMER_END_STOP : REFORMER_END_LENGTH);
        if (ended) assert_row(&t, 0, cases[i].count, REFORMER_END_STOP, want);
        for (size_t s = cases[i].count; s < N; s++) assert_int_equal(t.tokens[0][s], -5);
        assert_int_equal(c.steps, (int)cases[i].count - 1);
    }
}

/* In front of row 1 stand the 3s that row 0 is filled with; with them its first token would be 3 4. */
static void sequences_stay_within_a_row(void **state) {
    (void)state;
    chain_t c = chain_new(ring);
    texts_t t;
    static const int32_t prompts[] = {1, 3}, stops[] = {2, 3, 3, 4};
    static const size_t lengths[] = {2, 2};
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompts,
                             .batch = 2,
                             .length = 1,
                             .stops = stops,
                             .stop_lengths = lengths,
                             .n_stops = 2,
                             .pad_token = 3};
    assert_int_equal(generate(&c, 2, g, &t), REFORMER_OK);
    assert_row(&t, 0, 2, REFORMER_END_STOP, (const int32_t[]){2, 3});
    assert_row(&t, 1, 5, REFORMER_END_STOP, (const int32_t[]){4, 0, 1, 2, 3});
}

/* Rows end at different times; those that ended rest, and their logits are not written any more. */
static void rows_that_ended_rest(void **state) {
    (void)state;
    chain_t c = chain_new(ring);
    texts_t t;
    static const int32_t prompts[] = {0, 3, 2}, want[][4] = {{1, 2, 3, 4}, {4}, {3, 4}};
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompts,
                             .batch = 3,
                             .length = 1,
                             .stop_at_eos = 1,
                             .eos_token = 4,
                             .pad_token = 2};
    assert_int_equal(generate(&c, 4, g, &t), REFORMER_OK);
    assert_row(&t, 0, 4, REFORMER_END_EOS, want[0]);
    assert_row(&t, 1, 1, REFORMER_END_EOS, want[1]);
    assert_row(&t, 2, 2, REFORMER_END_EOS, want[2]);
    assert_int_equal(c.n[0], 4);
    assert_int_equal(c.n[1], 1); /* read no token after its prompt */
    assert_int_equal(c.n[2], 2);
    assert_int_equal(c.steps, 3);
    assert_true(c.last_mask[0] && !c.last_mask[1] && !c.last_mask[2]);
    assert_int_equal(t.tokens[1][1], 2);
    float untouched;
    memset(&untouched, 0x77, sizeof untouched);
    assert_memory_equal(&t.logits[1][1][0], &untouched, sizeof untouched);
}

/* An eos that is not asked for is a token like others; id 0 is the one that zero-initialising could mean. */
static void eos_only_where_asked_for(void **state) {
    (void)state;
    chain_t c = chain_new(ring);
    texts_t t;
    static const int32_t prompt[] = {3};
    reformer_generate_t g = {.size = sizeof g, .input_ids = prompt, .batch = 1, .length = 1};
    assert_int_equal(generate(&c, 1, g, &t), REFORMER_OK);
    assert_int_equal(t.counts[0], N);
    g.stop_at_eos = 1;
    assert_int_equal(generate(&c, 1, g, &t), REFORMER_OK);
    assert_row(&t, 0, 2, REFORMER_END_EOS, (const int32_t[]){4, 0});
}

static void full_rows(void **state) {
    (void)state;
    texts_t t;
    static const int32_t prompts[] = {0, 1, 2, 3, 0, 1};
    static const uint8_t mask[] = {1, 1, 1, 0, 1, 1}; /* 0 1 2; 0 1 */
    reformer_generate_t g = {
        .size = sizeof g, .input_ids = prompts, .attention_mask = mask, .batch = 2, .length = 3};
    chain_t c = chain_new(ring);
    c.capacity = 5;
    assert_int_equal(generate(&c, 2, g, &t), REFORMER_OK);
    /* 3 tokens of 5: two more fit, and a third is known without being read */
    assert_row(&t, 0, 3, REFORMER_END_FULL, (const int32_t[]){3, 4, 0});
    assert_row(&t, 1, 4, REFORMER_END_FULL, (const int32_t[]){2, 3, 4, 0});
    c = chain_new(ring);
    c.capacity = 3;
    assert_int_equal(generate(&c, 2, g, &t), REFORMER_OK);
    assert_row(&t, 0, 1, REFORMER_END_FULL, (const int32_t[]){3});
    c.capacity = 2;
    assert_int_equal(generate(&c, 2, g, &t), REFORMER_E_FULL); /* the prompt does not fit */
    assert_int_equal(t.counts[0], 0);
    c = chain_new(ring);
    c.capacity = 3 + N - 1; /* exactly enough */
    assert_int_equal(generate(&c, 2, g, &t), REFORMER_OK);
    assert_int_equal(t.ends[0], REFORMER_END_LENGTH);
    assert_int_equal(t.counts[0], N);
}

/* ---- streaming ----------------------------------------------------------------------------------- */

typedef struct {
    size_t rows[64];
    int32_t tokens[64];
    int n, stop_at, answer; /* call number stop_at is answered so */
} stream_t;

static int on_token(void *ctx, size_t row, int32_t token, const float *logits) {
    stream_t *s = (stream_t *)ctx;
    assert_in_range(s->n, 0, 63);
    s->rows[s->n] = row;
    s->tokens[s->n] = token;
    assert_true(logits[token] == 5); /* the ring's own, of the row */
    return s->n++ == s->stop_at ? s->answer : REFORMER_GO_ON;
}

static int stream(stream_t *s, texts_t *t) {
    static const int32_t prompts[] = {0, 2, 4};
    chain_t c = chain_new(ring);
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompts,
                             .batch = 3,
                             .length = 1,
                             .on_token = on_token,
                             .on_token_ctx = s,
                             .pad_token = 9};
    return generate(&c, 3, g, t);
}

static void streaming(void **state) {
    (void)state;
    texts_t t;
    stream_t s = {.stop_at = -1};
    assert_int_equal(stream(&s, &t), REFORMER_OK);
    assert_int_equal(s.n, 3 * N);
    for (int i = 0; i < s.n; i++) { /* as it stands in tokens, step by step, row by row */
        assert_int_equal(s.rows[i], i % 3);
        assert_int_equal(s.tokens[i], t.tokens[i % 3][i / 3]);
    }
}

static void callback_ends_a_row(void **state) {
    (void)state;
    texts_t t;
    static const int answers[] = {REFORMER_STOP_ROW, -1, 3};
    for (int i = 0; i < 3; i++) {
        stream_t s = {.stop_at = 4, .answer = answers[i]}; /* second token of row 1 */
        assert_int_equal(stream(&s, &t), REFORMER_OK);
        assert_row(&t, 1, 2, REFORMER_END_CALLBACK, (const int32_t[]){3, 4});
        assert_int_equal(t.tokens[1][2], 9);
        assert_int_equal(t.counts[0], N);
        assert_int_equal(t.counts[2], N);
        assert_int_equal(t.ends[2], REFORMER_END_LENGTH);
        assert_int_equal(s.n, 2 * N + 2);
    }
}

static void callback_ends_all(void **state) {
    (void)state;
    texts_t t;
    stream_t s = {.stop_at = 4, .answer = REFORMER_STOP_ALL};
    assert_int_equal(stream(&s, &t), REFORMER_OK);
    assert_int_equal(s.n, 5);
    assert_row(&t, 0, 2, REFORMER_END_CALLBACK, (const int32_t[]){1, 2});
    assert_row(&t, 1, 2, REFORMER_END_CALLBACK, (const int32_t[]){3, 4});
    assert_row(&t, 2, 1, REFORMER_END_CALLBACK, (const int32_t[]){0});
}

/* More than one reason for the same token. */
static void first_reason(void **state) {
    (void)state;
    static const int32_t prompt[] = {0}, one[] = {1};
    static const size_t length[] = {1};
    for (int i = 0; i < 4; i++) {
        chain_t c = chain_new(ring);
        if (i == 3) c.capacity = 1;
        reformer_decoder_t d = chain_decoder(&c, 1);
        stream_t s = {.stop_at = 0, .answer = REFORMER_STOP_ALL};
        int32_t token;
        int end = -1;
        reformer_generate_t g = {.size = sizeof g,
                                 .input_ids = prompt,
                                 .length = 1,
                                 .max_tokens = 1,
                                 .stop_at_eos = i == 0,
                                 .eos_token = 1,
                                 .stops = one,
                                 .stop_lengths = length,
                                 .n_stops = i <= 1,
                                 .on_token = i <= 2 ? on_token : NULL,
                                 .on_token_ctx = &s,
                                 .tokens = &token,
                                 .ends = &end};
        size_t bytes = reformer_generate_bytes(&d, &g);
        unsigned char *scratch = scratch_new(bytes);
        assert_int_equal(reformer_generate(&d, &g, scratch, bytes), REFORMER_OK);
        scratch_free(scratch, bytes);
        static const int want[] = {REFORMER_END_EOS, REFORMER_END_STOP, REFORMER_END_CALLBACK,
                                   REFORMER_END_LENGTH};
        assert_int_equal(end, want[i]);
    }
}

/* ---- rows alone and together ---------------------------------------------------------------------- */

/* Four prompts of different lengths, padded on either side: each row as if the others had no prompt. */
static void rows_do_not_depend_on_each_other(void **state) {
    (void)state;
    static const int32_t prompts[4][5] = {
        {0, 1, 2, 3, 4}, {7, -1, 3, 1, 0}, {2, 4, 99, 7, -3}, {-9, 2, -9, 0, 99}};
    static const uint8_t mask[4][5] = {
        {1, 1, 1, 1, 1}, {0, 0, 1, 1, 1}, {1, 1, 0, 0, 0}, {0, 1, 0, 1, 0}};
    static const int32_t stops[] = {3, 1, 2};
    static const size_t lengths[] = {1, 2};
    int lengths_seen[N + 1] = {0};
    for (uint64_t seed = 0; seed < 40; seed++) {
        reformer_generate_t g = {
            .size = sizeof g,
            .input_ids = prompts[0],
            .attention_mask = mask[0],
            .batch = 4,
            .length = 5,
            .sampling = &(reformer_sampling_t){.size = sizeof(reformer_sampling_t),
                                               .temperature = seed % 2 ? 0.8f : 0,
                                               .top_k = seed % 3 ? 0 : 4,
                                               .top_p = seed % 2 ? 0.95f : 0,
                                               .repetition_penalty = seed % 5 ? 1.2f : 0,
                                               .seed = seed},
            .stops = stops + 1,
            .stop_lengths = lengths + 1,
            .n_stops = 1,
            .stop_at_eos = seed % 2 == 0,
            .eos_token = 4};
        chain_t c = chain_new(NULL);
        texts_t all, alone;
        assert_int_equal(generate(&c, 4, g, &all), REFORMER_OK);
        for (size_t row = 0; row < 4; row++) {
            uint8_t only[4][5] = {{0}};
            memcpy(only[row], mask[row], sizeof only[row]);
            g.attention_mask = only[0];
            chain_t one = chain_new(NULL);
            assert_int_equal(generate(&one, 4, g, &alone), REFORMER_OK);
            assert_row(&all, row, alone.counts[row], alone.ends[row], alone.tokens[row]);
            assert_memory_equal(all.logits[row], alone.logits[row],
                                alone.counts[row] * sizeof all.logits[0][0]);
            lengths_seen[all.counts[row]] = 1;
            for (size_t other = 0; other < 4; other++)
                if (other != row) assert_row(&alone, other, 0, REFORMER_END_NONE, NULL);
        }
        g.attention_mask = mask[0];
    }
    int different = 0;
    for (int i = 0; i <= N; i++) different += lengths_seen[i];
    assert_true(different > 4); /* rows did end at different times */
}

/* The same prompt in every row: drawn apart, and the same again under the same seed. */
static void seeds(void **state) {
    (void)state;
    static const int32_t prompts[] = {2, 2, 2, 2};
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompts,
                             .batch = 4,
                             .length = 1,
                             .sampling = &(reformer_sampling_t){
                                 .size = sizeof(reformer_sampling_t), .temperature = 3, .seed = 1}};
    texts_t a, b;
    chain_t c = chain_new(NULL);
    assert_int_equal(generate(&c, 4, g, &a), REFORMER_OK);
    assert_int_equal(generate(&c, 4, g, &b), REFORMER_OK);
    assert_memory_equal(a.tokens, b.tokens, 4 * sizeof a.tokens[0]);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            assert_true(memcmp(a.tokens[i], a.tokens[j], sizeof a.tokens[0]) != 0);
    g.sampling =
        &(reformer_sampling_t){.size = sizeof(reformer_sampling_t), .temperature = 3, .seed = 2};
    assert_int_equal(generate(&c, 4, g, &b), REFORMER_OK);
    for (int i = 0; i < 4; i++)
        assert_true(memcmp(a.tokens[i], b.tokens[i], sizeof a.tokens[0]) != 0);
}

static void no_prompt_at_all(void **state) {
    (void)state;
    static const int32_t prompts[] = {2, 3};
    static const uint8_t mask[] = {0, 0};
    chain_t c = chain_new(ring);
    texts_t t;
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompts,
                             .attention_mask = mask,
                             .batch = 2,
                             .length = 1,
                             .pad_token = 6};
    assert_int_equal(generate(&c, 2, g, &t), REFORMER_OK);
    for (size_t row = 0; row < 2; row++) {
        assert_row(&t, row, 0, REFORMER_END_NONE, NULL);
        for (int i = 0; i < N; i++) assert_int_equal(t.tokens[row][i], 6);
    }
    assert_int_equal(c.steps, 0);
}

/* ---- errors ---------------------------------------------------------------------------------------- */

static void logits_that_are_not_numbers(void **state) {
    (void)state;
    static const int32_t prompts[] = {0, 1};
    for (int drawn = 0; drawn < 2; drawn++)
        for (size_t after = 1; after < 4; after++) {
            chain_t c = chain_new(ring);
            c.nan_row = 1;
            c.nan_after = after;
            texts_t t;
            reformer_generate_t g = {.size = sizeof g,
                                     .input_ids = prompts,
                                     .batch = 2,
                                     .length = 1,
                                     .sampling =
                                         &(reformer_sampling_t){.size = sizeof(reformer_sampling_t),
                                                                .temperature = (float)drawn}};
            assert_int_equal(generate(&c, 2, g, &t), REFORMER_E_LOGITS);
            assert_int_equal(t.counts[0], after); /* row 0 was first */
            assert_int_equal(t.counts[1], after - 1);
            assert_int_equal(t.ends[0], REFORMER_END_NONE);
            assert_int_equal(t.ends[1], REFORMER_END_NONE);
            if (!drawn) assert_int_equal(t.tokens[0][after - 1], after);
        }
}

static void errors_of_the_decoder(void **state) {
    (void)state;
    static const int32_t prompts[] = {0, 1};
    texts_t t;
    reformer_generate_t g = {.size = sizeof g, .input_ids = prompts, .batch = 2, .length = 1};
    chain_t c = chain_new(ring);
    c.fail_prefill = REFORMER_E_TOKEN;
    assert_int_equal(generate(&c, 2, g, &t), REFORMER_E_TOKEN);
    assert_int_equal(t.counts[0], 0);
    c = chain_new(ring);
    c.fail_step = 1234;
    c.good_steps = 2;
    assert_int_equal(generate(&c, 2, g, &t), 1234);
    assert_int_equal(t.counts[0], 3);
    assert_int_equal(t.counts[1], 3);
    assert_int_equal(t.ends[0], REFORMER_END_NONE);
}

static void bad_arguments(void **state) {
    (void)state;
    static const int32_t ids[4] = {0};
    static const size_t lengths[] = {1, 0};
    int32_t tokens[8];
    chain_t c = chain_new(ring);
    const reformer_decoder_t d = chain_decoder(&c, 2);
    const reformer_generate_t good = {.size = sizeof good,
                                      .input_ids = ids,
                                      .batch = 2,
                                      .length = 1,
                                      .max_tokens = 2,
                                      .tokens = tokens};
    enum { CASES = 12 };
    reformer_generate_t g[CASES];
    int want[CASES];
    for (int i = 0; i < CASES; i++) g[i] = good, want[i] = REFORMER_E_ARGUMENT;
    g[0].input_ids = NULL;
    g[1].tokens = NULL;
    g[2].max_tokens = 0;
    g[3].length = 0, want[3] = REFORMER_E_LENGTH;
    g[4].batch = 3, want[4] = REFORMER_E_BATCH;
    g[5].n_stops = 1;
    g[6].n_stops = 1, g[6].stops = ids;
    g[7].n_stops = 2, g[7].stops = ids, g[7].stop_lengths = lengths; /* an empty one */
    const reformer_sampling_t beyond = {.size = sizeof beyond, .top_p = 2};
    const reformer_sampling_t below = {.size = sizeof below, .temperature = -1};
    g[8].sampling = &beyond;
    g[9].sampling = &below;
    g[10].max_tokens = SIZE_MAX / 2, want[10] = REFORMER_E_LENGTH;
    g[11].length = SIZE_MAX / 2, want[11] = REFORMER_E_LENGTH;
    _Alignas(64) unsigned char scratch[4096];
    assert_in_range(reformer_generate_bytes(&d, &good), 1, sizeof scratch);
    for (int i = 0; i < CASES; i++) {
        int error = reformer_generate(&d, &g[i], scratch, sizeof scratch);
        if (error != want[i]) fail_msg("case %d: %d, not %d", i, error, want[i]);
        if (i == 4 || i >= 10) assert_int_equal(reformer_generate_bytes(&d, &g[i]), 0);
    }
    /* memory and structures of other sizes */
    size_t bytes = reformer_generate_bytes(&d, &good);
    assert_int_equal(reformer_generate(&d, &good, scratch, bytes - 1), REFORMER_E_WORKSPACE);
    reformer_generate_t unsized = good;
    unsized.size = 0;
    assert_int_equal(reformer_generate(&d, &unsized, scratch, bytes), REFORMER_E_SIZE);
    assert_int_equal(reformer_generate_bytes(&d, &unsized), 0);
    unsized = good;
    unsized.sampling = &(reformer_sampling_t){.temperature = 1};
    assert_int_equal(reformer_generate(&d, &unsized, scratch, bytes), REFORMER_E_SIZE);
    reformer_decoder_t other = d;
    other.size += 8;
    assert_int_equal(reformer_generate(&other, &good, scratch, bytes), REFORMER_E_SIZE);
    reformer_bound_decoder_t bound = {.length = 1};
    other = reformer_decoder_of(&bound);
    assert_int_equal(reformer_generate(&other, &good, scratch, bytes), REFORMER_E_SIZE);
    reformer_model_t unbound = {0};
    bound = (reformer_bound_decoder_t){.size = sizeof bound, .model = &unbound, .length = 1};
    other = reformer_decoder_of(&bound);
    assert_int_equal(reformer_generate(&other, &good, scratch, bytes), REFORMER_E_SIZE);
    reformer_decoder_t without = d;
    without.step = NULL;
    assert_int_equal(reformer_generate(&without, &good, scratch, sizeof scratch),
                     REFORMER_E_ARGUMENT);
    without = d;
    without.prefill = NULL;
    assert_int_equal(reformer_generate(&without, &good, scratch, sizeof scratch),
                     REFORMER_E_ARGUMENT);
    without = d;
    without.vocab = 0;
    assert_int_equal(reformer_generate(&without, &good, scratch, sizeof scratch),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_generate_bytes(&without, &good), 0);
    assert_int_equal(reformer_generate(NULL, &good, scratch, sizeof scratch), REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_generate(&d, NULL, scratch, sizeof scratch), REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_generate(&d, &good, NULL, sizeof scratch), REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_generate(&d, &good, scratch + 4, sizeof scratch),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(c.prefills + c.steps, 0);
}

/* ---- a bound model ----------------------------------------------------------------------------------- */

/* After every token comes the next one, modulo VOCAB: what prefills and steps of such a model compute. */
static void say_next(const reformer_call_t *call, int64_t out, int32_t id) {
    float *logits = (float *)call->slot[REFORMER_SLOT_LOGITS] + out * VOCAB;
    for (int v = 0; v < VOCAB; v++) logits[v] = v == (id + 1) % VOCAB ? 3 : (float)v / VOCAB;
}

static void run_prefill(const reformer_call_t *call) {
    const int32_t *control = (const int32_t *)call->slot[REFORMER_SLOT_CONTROL];
    const int32_t *ids = (const int32_t *)call->slot[REFORMER_SLOT_IDS];
    say_next(call, 0, ids[control[REFORMER_TOKENS] - 1]);
}

static void run_step(const reformer_call_t *call) {
    const int32_t *ids = (const int32_t *)call->slot[REFORMER_SLOT_IDS];
    const int32_t *row = (const int32_t *)call->slot[REFORMER_SLOT_ROW];
    for (int b = 0; b < BATCH; b++)
        if (row[b] >= 0) say_next(call, row[b], ids[b]);
}

static void bound_model(void **state) {
    (void)state;
    static const reformer_variant_t prefills[] = {
        {.target = BASELINE, .max_length = 8, .padded = 8, .rows = 8, .run = run_prefill}};
    static const reformer_variant_t steps[] = {{.target = BASELINE, .run = run_step}};
    reformer_desc_t d = fake_desc(REFORMER_HEAD_CAUSAL_LM);
    d.n_variants = 1;
    d.prefills = prefills;
    d.steps = steps;
    d.positions = 16;
    static const unsigned char weights[WEIGHTS_BYTES] = {0};
    const reformer_model_t model = {.size = sizeof model,
                                    .desc = &d,
                                    .weights = weights,
                                    .bytes = sizeof weights,
                                    .n_variants = 1,
                                    .prefills = prefills,
                                    .step = steps};
    size_t cache_bytes = reformer_cache_bytes(&d, 6), work_bytes = reformer_decode_bytes(&d, 4, 1);
    unsigned char *cache = scratch_new(cache_bytes), *work = scratch_new(work_bytes);
    assert_int_equal(reformer_cache_init(&d, cache, cache_bytes, 6), REFORMER_OK);
    reformer_bound_decoder_t bound = {.size = sizeof bound,
                                      .model = &model,
                                      .cache = cache,
                                      .workspace = work,
                                      .length = 6,
                                      .workspace_bytes = work_bytes};
    reformer_decoder_t decoder = reformer_decoder_of(&bound);
    assert_int_equal(decoder.vocab, VOCAB);
    assert_int_equal(decoder.batch, BATCH);
    assert_int_equal(decoder.capacity, 6);

    static const int32_t prompts[] = {7, 8, 0, 0, 4, 5}; /* 7 8; 0 0; 5 */
    static const uint8_t mask[] = {1, 1, 1, 1, 0, 1};
    int32_t tokens[BATCH][8];
    size_t counts[BATCH];
    int ends[BATCH];
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompts,
                             .attention_mask = mask,
                             .length = 2,
                             .max_tokens = 8,
                             .stop_at_eos = 1,
                             .eos_token = 3,
                             .pad_token = -1,
                             .tokens = tokens[0],
                             .counts = counts,
                             .ends = ends};
    size_t bytes = reformer_generate_bytes(&decoder, &g);
    unsigned char *scratch = scratch_new(bytes);
    assert_int_equal(reformer_generate(&decoder, &g, scratch, bytes), REFORMER_OK);
    static const int32_t want[BATCH][8] = {
        {9, 10, 0, 1, 2, -1, -1, -1}, {1, 2, 3, -1, -1, -1, -1, -1}, {6, 7, 8, 9, 10, 0, -1, -1}};
    assert_memory_equal(tokens, want, sizeof want);
    assert_int_equal(ends[0], REFORMER_END_FULL);
    assert_int_equal(ends[1], REFORMER_END_EOS);
    assert_int_equal(ends[2], REFORMER_END_FULL);
    assert_int_equal(reformer_cache_tokens(cache, 0), 6);
    assert_int_equal(reformer_cache_tokens(cache, 1), 4);
    assert_int_equal(decoder.copy_row(decoder.ctx, 0, 1), REFORMER_OK);
    assert_int_equal(reformer_cache_tokens(cache, 1), 6);
    static const int32_t outside[] = {0, VOCAB, 0, 0, 0, 0};
    g.input_ids = outside;
    assert_int_equal(reformer_generate(&decoder, &g, scratch, bytes), REFORMER_E_TOKEN);
    d.steps = NULL;
    assert_int_equal(reformer_generate(&decoder, &g, scratch, bytes), REFORMER_E_DECODE);
    scratch_free(scratch, bytes);
    scratch_free(work, work_bytes);
    scratch_free(cache, cache_bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(exactly_so_many),
                                       cmocka_unit_test(only_tokens),
                                       cmocka_unit_test(penalty_of_prompt_and_text),
                                       cmocka_unit_test(stop_sequences),
                                       cmocka_unit_test(sequences_stay_within_a_row),
                                       cmocka_unit_test(rows_that_ended_rest),
                                       cmocka_unit_test(eos_only_where_asked_for),
                                       cmocka_unit_test(full_rows),
                                       cmocka_unit_test(streaming),
                                       cmocka_unit_test(callback_ends_a_row),
                                       cmocka_unit_test(callback_ends_all),
                                       cmocka_unit_test(first_reason),
                                       cmocka_unit_test(rows_do_not_depend_on_each_other),
                                       cmocka_unit_test(seeds),
                                       cmocka_unit_test(no_prompt_at_all),
                                       cmocka_unit_test(logits_that_are_not_numbers),
                                       cmocka_unit_test(errors_of_the_decoder),
                                       cmocka_unit_test(bad_arguments),
                                       cmocka_unit_test(bound_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
