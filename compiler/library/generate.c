/* Choosing tokens and writing texts: the runtime's functions (reformer_generate.h) with scratch of
 * the library's, and a cache of it as the decoder. In: logits or prompts, how
 * to choose. Out: tokens. */
#include "library/library.h"

#include "support/heap.h"
#include "support/pages.h"

static int64_t vocab_of(const reformerc_context_t *c) {
    reformerc_info_t info = {.size = sizeof info};
    (void)reformerc_info(c->m, &info);
    return info.vocab;
}

int reformerc_sample(reformerc_context_t *c, const reformer_sampling_t *s, const float *logits,
                     const int32_t *history, size_t n_history, uint64_t row, uint64_t step,
                     int32_t *token) {
    if (!c) return REFORMER_E_ARGUMENT;
    int64_t vocab = vocab_of(c);
    if (!s || !logits || !token || vocab < 1) return context_refuse(c, REFORMER_E_ARGUMENT);
    size_t bytes = reformer_sample_bytes(vocab);
    if (!c->sampling) c->sampling = pages_alloc(bytes);
    if (!c->sampling) return context_refuse(c, REFORMERC_E_MEMORY);
    return context_refuse(c, reformer_sample(s, logits, vocab, history, n_history, row, step,
                                             c->sampling, bytes, token));
}

/* ---- a cache as a decoder -------------------------------------------------------------------- */

static int prefill(void *ctx, const reformer_decode_t *io) {
    return reformerc_prefill(ctx, io);
}

static int step(void *ctx, const reformer_decode_t *io) {
    return reformerc_step(ctx, io);
}

static int copy_row(void *ctx, size_t from, size_t to) {
    return reformerc_cache_copy_row(ctx, from, to);
}

static reformer_decoder_t decoder_of(reformerc_cache_t *cache) {
    reformerc_info_t info = {.size = sizeof info};
    (void)reformerc_info(cache->c->m, &info);
    return (reformer_decoder_t){.size = sizeof(reformer_decoder_t),
                                .ctx = cache,
                                .prefill = prefill,
                                .step = step,
                                .copy_row = copy_row,
                                .vocab = info.vocab,
                                .batch = (size_t)info.batch,
                                .capacity = cache->length};
}

/* `beams` NULL: no search. What prefill and step said of a failure stays. */
static int write(reformerc_cache_t *cache, const reformer_generate_t *g,
                 const reformer_beams_t *beams) {
    reformerc_context_t *c = cache->c;
    if (g->size != sizeof *g) return context_refuse(c, REFORMER_E_SIZE);
    reformer_generate_t mine = *g;
    reformer_decoder_t d = decoder_of(cache);
    size_t bytes = beams ? reformer_beam_bytes(&d, g, beams) : reformer_generate_bytes(&d, g);
    context_threads(c, &mine.pool, &mine.threads);
    void *scratch = pages_alloc(bytes ? bytes : 1); /* what has no size is refused by the call */
    if (!scratch) return context_refuse(c, REFORMERC_E_MEMORY);
    (void)context_refuse(c, REFORMER_OK);
    int code = beams ? reformer_beam_search(&d, &mine, beams, scratch, bytes)
                     : reformer_generate(&d, &mine, scratch, bytes);
    heap_free(scratch);
    return code == c->code ? code : context_refuse(c, code);
}

int reformerc_generate(reformerc_cache_t *cache, const reformer_generate_t *g) {
    if (!cache) return REFORMER_E_ARGUMENT;
    if (!g) return context_refuse(cache->c, REFORMER_E_ARGUMENT);
    return write(cache, g, NULL);
}

int reformerc_beam_search(reformerc_cache_t *cache, const reformer_generate_t *g,
                          const reformer_beams_t *beams) {
    if (!cache) return REFORMER_E_ARGUMENT;
    if (!g || !beams) return context_refuse(cache->c, REFORMER_E_ARGUMENT);
    return write(cache, g, beams);
}

/* ---- text ------------------------------------------------------------------------------------ */

const char *reformerc_text(const reformerc_model_t *m) {
    return m->text;
}

int64_t reformerc_end_token(const reformerc_model_t *m, size_t i) {
    return i < (size_t)m->ends.n_eos_tokens ? m->ends.eos_tokens[i] : -1;
}
