/* A causal language model as a WebAssembly module that writes a token per call:
 * what reformer.js calls.
 *
 *     weights() → where the weights file goes, then bind()
 *     prompt(n, tokens) → where n ids go, then begin(…), then next() for each token
 *
 * One model, one text at a time, one thread. What is drawn is what reformer_generate() and the
 * command line draw of the same seed. Functions return 0 or a REFORMER_E_ code, next() a
 * token or a code below 0. */
#include "heap.h"
#include "model.h"
#include "reformer_generate.h"

#ifndef MODEL_POSITIONS
#error "this model does not write text: it is no causal language model"
#endif

#define EXPORT(name) __attribute__((export_name(#name)))

static model_t model;
static float logits[MODEL_VOCAB];

/* The text: prompt, then what was written. */
static struct {
    int32_t *ids; /* [length + tokens] */
    size_t length, known, tokens;
    void *cache, *workspace, *scratch;
    size_t cache_bytes, workspace_bytes, scratch_bytes;
    reformer_sampling_t sampling;
} text;

/* Weights stand in front and stay; a text takes what is behind them, the next
 * one takes it again. */
static heap_t weights_end, text_end;

EXPORT(vocab) int32_t vocab(void) {
    return MODEL_VOCAB;
}

EXPORT(positions) int32_t positions(void) {
    return MODEL_POSITIONS;
}

EXPORT(weights_bytes) size_t weights_bytes(void) {
    return (size_t)MODEL_WEIGHTS_BYTES;
}

EXPORT(error_text) const char *error_text(int32_t code) {
    return model_strerror(code);
}

static void *weights_memory;

EXPORT(weights) void *weights(void) {
    if (!weights_memory) weights_memory = heap_take(&weights_end, MODEL_WEIGHTS_BYTES);
    return weights_memory;
}

EXPORT(bind) int32_t bind(void) {
    if (!weights_memory) return REFORMER_E_ARGUMENT;
    int code = model_bind(&model, weights_memory, (size_t)MODEL_WEIGHTS_BYTES);
    return code ? code : model_check_weights(&model);
}

/* NULL: so much text does not fit the model, or memory. */
EXPORT(prompt) int32_t *prompt(size_t length, size_t tokens) {
    text.ids = 0;
    if (length == 0 || tokens == 0 || length > MODEL_MAX_LENGTH || length > MODEL_POSITIONS ||
        tokens > (size_t)MODEL_POSITIONS - length)
        return 0;
    text_end = weights_end;
    int32_t *ids = heap_take(&text_end, sizeof(int32_t) * (uint64_t)(length + tokens));
    text.cache_bytes = model_cache_bytes(length + tokens);
    text.workspace_bytes = model_decode_bytes(length, 1);
    text.cache = heap_take(&text_end, text.cache_bytes);
    text.workspace = heap_take(&text_end, text.workspace_bytes);
    text.scratch_bytes = reformer_sample_bytes(MODEL_VOCAB);
    text.scratch = heap_take(&text_end, text.scratch_bytes);
    if (!ids || !text.cache || !text.workspace || !text.scratch) return 0;
    text.length = length;
    text.known = length;
    text.tokens = tokens;
    return text.ids = ids;
}

/* Greedy where nothing is asked for: 0, 0, 0, 0. */
EXPORT(begin)
int32_t begin(float temperature, int32_t top_k, float top_p, float repetition_penalty,
              uint64_t seed) {
    if (!text.ids) return REFORMER_E_ARGUMENT;
    text.sampling = (reformer_sampling_t){.size = sizeof(reformer_sampling_t),
                                          .temperature = temperature,
                                          .top_k = top_k,
                                          .top_p = top_p,
                                          .repetition_penalty = repetition_penalty,
                                          .seed = seed};
    int code = reformer_check_sampling(&text.sampling);
    if (!code) code = model_cache_init(text.cache, text.cache_bytes, text.length + text.tokens);
    model_decode_t io = {.size = sizeof io,
                         .input_ids = text.ids,
                         .batch = 1,
                         .length = text.length,
                         .logits = logits};
    return code ? code
                : model_prefill(&model, &io, text.cache, text.workspace, text.workspace_bytes);
}

/* Of the token that next() is about to choose; after the last token, those that chose it. */
EXPORT(next_logits) const float *next_logits(void) {
    return logits;
}

EXPORT(next) int32_t next(void) {
    if (!text.ids || text.known == text.length + text.tokens) return -REFORMER_E_FULL;
    int32_t token;
    int code = reformer_sample(&text.sampling, logits, MODEL_VOCAB, text.ids, text.known, 0,
                               text.known - text.length, text.scratch, text.scratch_bytes, &token);
    if (code) return -code;
    text.ids[text.known++] = token;
    if (text.known == text.length + text.tokens) return token; /* nobody asks what follows it */
    model_decode_t io = {.size = sizeof io, .input_ids = &token, .batch = 1, .logits = logits};
    code = model_step(&model, &io, text.cache, text.workspace, text.workspace_bytes);
    return code ? -code : token;
}
