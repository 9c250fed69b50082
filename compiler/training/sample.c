/* What the model writes while it learns (training.h): a prompt and its continuation, drawn at a
 * mild temperature, on stderr. */
#include <string.h>

#include "reformer_generate.h"
#include "support/heap.h"
#include "support/pages.h"
#include "training/training.h"

enum { PROMPT_TOKENS = 32 }; /* of the held-out text, where the spec has no prompt */
static const float temperature = 0.8f;

typedef struct {
    training_t *t;
    exec_cache_t *cache;
} sampler_t;

static int prefill(void *ctx, const reformer_decode_t *io) {
    sampler_t *m = ctx;
    reformer_decode_t whole = session_decode_io(m->t->s, io);
    return exec_prefill(m->cache, &whole, m->t->d);
}

static int step(void *ctx, const reformer_decode_t *io) {
    sampler_t *m = ctx;
    reformer_decode_t whole = session_decode_io(m->t->s, io);
    return exec_step(m->cache, &whole, m->t->d);
}

/* ---- the prompt ------------------------------------------------------------------------------ */

static bool given_prompt(training_t *t, const char *prompt, tokens_t *tokens) {
    if (!text_encode(t->text, prompt, strlen(prompt), tokens, "train.sample_prompt", t->d))
        return false;
    if (tokens->n > 0) return true;
    diag_error(t->d, t->spec->at[KEY_train_sample_prompt], "has no token");
    return false;
}

/* A prompt that takes all positions would leave samples without a word, and a
 * longer one has no place. */
bool train_sample_check(training_t *t) {
    const char *given = t->spec->train.sample_prompt;
    int64_t positions = t->s->plan->positions;
    tokens_t prompt = {0};
    if (t->spec->train.sample_every <= 0 || !given) return true;
    bool ok = given_prompt(t, given, &prompt);
    if (ok && prompt.n >= positions) {
        diag_error(t->d, t->spec->at[KEY_train_sample_prompt],
                   "%lld tokens; a sample of this model has %lld, its prompt included",
                   (long long)prompt.n, (long long)positions);
        ok = false;
    }
    tokens_free(&prompt);
    return ok;
}

/* Else the end of a line, which every text has. */
static bool held_out_prompt(training_t *t, tokens_t *tokens) {
    if (!train_evaluates(t)) return given_prompt(t, "\n", tokens);
    data_batch_t b = data_batch_new(1, t->feed.length);
    bool ok = data_eval(t->feed.data, 0, 1, &b, t->d);
    if (ok) {
        int64_t half = (t->s->plan->positions + 1) / 2; /* the other one is for the sample */
        tokens->n = b.length < PROMPT_TOKENS ? b.length : PROMPT_TOKENS;
        if (tokens->n > half) tokens->n = half;
        tokens->ids = heap_new((size_t)tokens->n, sizeof *tokens->ids);
        memcpy(tokens->ids, b.input_ids, (size_t)tokens->n * sizeof *tokens->ids);
    }
    data_batch_free(&b);
    return ok;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* The cache has as many rows as the plan; all but the first stay empty. */
static bool write_text(sampler_t *m, const tokens_t *prompt, int32_t *tokens, int64_t n) {
    training_t *t = m->t;
    const plan_t *p = t->s->plan;
    reformer_decoder_t decoder = {.size = sizeof decoder,
                                  .ctx = m,
                                  .prefill = prefill,
                                  .step = step,
                                  .vocab = t->s->model.facts.vocab,
                                  .batch = (size_t)p->batch,
                                  .capacity = (size_t)(prompt->n + n)};
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompt->ids,
                             .batch = 1,
                             .length = (size_t)prompt->n,
                             .max_tokens = (size_t)n,
                             .sampling =
                                 &(reformer_sampling_t){.size = sizeof(reformer_sampling_t),
                                                        .temperature = temperature,
                                                        .seed = (uint64_t)t->spec->train.seed},
                             .threads = t->s->threads,
                             .tokens = tokens};
    size_t bytes = reformer_generate_bytes(&decoder, &g);
    void *scratch = bytes ? pages_alloc(bytes) : NULL;
    int code = scratch ? reformer_generate(&decoder, &g, scratch, bytes) : EXEC_FAILED;
    heap_free(scratch);
    if (code > REFORMER_OK) diag_error(t->d, NOWHERE, "sample: %s", reformer_strerror(code));
    if (code != REFORMER_OK && !diag_errors(t->d))
        diag_no_memory(t->d, NOWHERE, "not enough memory for a sample");
    return code == REFORMER_OK;
}

static void show(training_t *t, const tokens_t *prompt, const int32_t *tokens, int64_t n) {
    sbuf_t out = {0};
    text_stream_t stream = text_stream(t->text);
    for (int64_t i = 0; i < prompt->n; i++) text_feed(&stream, prompt->ids[i], &out);
    for (int64_t i = 0; i < n; i++) text_feed(&stream, tokens[i], &out);
    text_finish(&stream, &out);
    progress_clear(&t->bar);
    fprintf(stderr, "--- step %lld ---\n", (long long)t->step);
    fwrite(out.data, 1, out.size, stderr);
    fprintf(stderr, "\n---\n");
    sbuf_free(&out);
}

static int64_t tokens_of(const training_t *t, const tokens_t *prompt) {
    int64_t n = t->spec->train.sample_tokens, room = t->s->plan->positions - prompt->n;
    return n < room ? n : room;
}

bool train_sample(training_t *t) {
    const char *given = t->spec->train.sample_prompt;
    tokens_t prompt = {0};
    sampler_t m = {.t = t};
    bool ok = given ? given_prompt(t, given, &prompt) : held_out_prompt(t, &prompt);
    int64_t n = ok ? tokens_of(t, &prompt) : 0;
    if (ok && n > 0) {
        int32_t *tokens = heap_new((size_t)n, sizeof *tokens);
        m.cache = exec_cache_new(t->s->exec, (size_t)(prompt.n + n), (size_t)prompt.n,
                                 t->s->threads, t->d);
        ok = m.cache && write_text(&m, &prompt, tokens, n);
        if (ok) show(t, &prompt, tokens, n);
        exec_cache_free(m.cache);
        heap_free(tokens);
    }
    tokens_free(&prompt);
    return ok;
}
