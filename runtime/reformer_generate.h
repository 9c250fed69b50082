/* Writing text with a causal language model: choosing tokens, and the loop around prefill and step.
 *
 * Stands on reformer_rt.h ("generation"). No globals, no allocation, no printing: every buffer is
 * the caller's. Any number of threads may generate at once, each with a decoder, buffers and
 * scratch of its own. Valid C++ as well. */
#ifndef REFORMER_GENERATE_H
#define REFORMER_GENERATE_H

#include "reformer_rt.h"

#ifdef __cplusplus
extern "C" {
#endif
REFORMER_BEGIN

/* ---- choosing a token ------------------------------------------------------------------------ */

/* Zeros but for its size: greedy, the token of the greatest logit, the lowest of equals. With a
 * temperature, top_k or top_p a token is drawn. The order is Hugging Face's: penalty,
 * temperature, top_k, top_p.
 *
 *   repetition_penalty  the score of every token of the row's history, once, is divided by it where
 *                       positive, else multiplied (Keskar et al. 2019)
 *   temperature         scores are divided by it
 *   top_k               the k best, and those equal to the last of them (Fan et al. 2018)
 *   top_p               the fewest best whose probabilities sum up to p (Holtzman et al. 2020)
 *
 * The draw depends on seed, row and step alone: a row of a batch draws what it would draw by itself
 * under the same number. With the finaliser `mix` of splitmix64 (Steele, Lea, Flood 2014) and g =
 * 0x9E3779B97F4A7C15, modulo 2^64,
 *     h = mix(mix(mix(seed + g) + (row + 1) * g) + (step + 1) * g)
 * the token is the first, by id, up to which those that remain have more than floor(h / 2^11) /
 * 2^53 of their probability. */
typedef struct reformer_sampling {
    size_t size;              /* sizeof(reformer_sampling_t) */
    float repetition_penalty; /* > 0; 0 and 1 = none */
    float temperature;        /* > 0; 0 = 1 where a token is drawn */
    int32_t top_k;            /* 0 = all */
    float top_p;              /* 0 … 1; 0 and 1 = all */
    uint64_t seed;
} reformer_sampling_t;

/* REFORMER_E_ARGUMENT for a value out of range. */
int reformer_check_sampling(const reformer_sampling_t *s);
/* Of scratch, aligned to 8. Where less is given, here and below, it is REFORMER_E_WORKSPACE. */
size_t reformer_sample_bytes(int64_t vocab);
/* logits [vocab]; history [n_history]: the row's tokens so far, prompt included, read where there
 * is a repetition penalty; REFORMER_E_TOKEN: one is not in 0 … vocab-1. REFORMER_E_LOGITS: a logit
 * is NaN or +infinity, or all are -infinity. `bytes`: of the scratch, here and below; too
 * few: REFORMER_E_WORKSPACE. */
int reformer_sample(const reformer_sampling_t *s, const float *logits, int64_t vocab,
                    const int32_t *history, size_t n_history, uint64_t row, uint64_t step,
                    void *scratch, size_t bytes, int32_t *token);

/* ---- what generates -------------------------------------------------------------------------- */

/* Functions as reformer_prefill, reformer_step and reformer_cache_copy_row: return 0 or a code,
 * which ends generation. copy_row may be NULL where no beams are searched. */
typedef struct reformer_decoder {
    size_t size; /* sizeof(reformer_decoder_t) */
    void *ctx;
    int (*prefill)(void *ctx, const reformer_decode_t *io);
    int (*step)(void *ctx, const reformer_decode_t *io);
    int (*copy_row)(void *ctx, size_t from, size_t to);
    int64_t vocab;
    size_t batch;    /* rows of the cache */
    size_t capacity; /* tokens that a row of it holds */
} reformer_decoder_t;

/* A bound model with a cache and a workspace, as a decoder; *bound must outlive it. Where
 * bound->size is not set, or the model is not bound, it is one that nothing takes
 * (REFORMER_E_SIZE). */
typedef struct reformer_bound_decoder {
    size_t size; /* sizeof(reformer_bound_decoder_t) */
    const reformer_model_t *model;
    void *cache, *workspace; /* initialised for `length` tokens; of reformer_decode_bytes() */
    size_t length, workspace_bytes;
} reformer_bound_decoder_t;
reformer_decoder_t reformer_decoder_of(reformer_bound_decoder_t *bound);

/* ---- writing --------------------------------------------------------------------------------- */

typedef enum {
    REFORMER_END_LENGTH,   /* max_tokens are written */
    REFORMER_END_STOP,     /* the row ends with one of the stop sequences */
    REFORMER_END_EOS,      /* the row ends with eos_token, or one of eos_tokens */
    REFORMER_END_CALLBACK, /* the callback ended it */
    REFORMER_END_FULL,     /* the cache has no room for another token */
    REFORMER_END_NONE      /* the row had no prompt, or an error came first */
} reformer_end_t;          /* several reasons: EOS, STOP, CALLBACK, LENGTH, FULL in this order */

/* Called for each token as it is chosen, rows in order. logits [vocab] are those that chose it,
 * before penalties. Returns 0 to go on, or what is to end: this row (any other value too), or all
 * rows, those behind it without a token of this step. The token is part of the
 * output in any case. */
enum { REFORMER_GO_ON = 0, REFORMER_STOP_ROW = 1, REFORMER_STOP_ALL = 2 };
typedef int reformer_token_fn(void *ctx, size_t row, int32_t token, const float *logits);

/* Set its size, zero the rest; fields are only ever appended. */
typedef struct reformer_generation {
    size_t size;                   /* sizeof(reformer_generate_t) */
    const int32_t *input_ids;      /* prompts [batch][length] */
    const uint8_t *attention_mask; /* [batch][length], 1 = token, 0 = none; NULL = all tokens */
    size_t batch, length;          /* batch 0 = the decoder's */
    size_t max_tokens;             /* to write, >= 1 */
    const reformer_sampling_t *sampling; /* NULL: greedy */
    /* A row ends after the first token that completes a sequence; the sequence
     * is part of the output. */
    const int32_t *stops;       /* sequences, one after the other */
    const size_t *stop_lengths; /* [n_stops], each >= 1 */
    size_t n_stops;
    int stop_at_eos;              /* 1: a row ends after eos_token, or any of eos_tokens */
    int32_t eos_token, pad_token; /* pad_token: what tokens[] holds behind a row's end */
    int threads;                  /* as in reformer_decode_t */
    const reformer_pool_t *pool;
    reformer_token_fn *on_token; /* NULL: not wanted */
    void *on_token_ctx;
    int32_t *tokens; /* out: [batch][max_tokens] without the prompt */
    size_t *counts;  /* out: [batch] tokens written, also after an error; NULL = not wanted */
    int *ends;       /* out: [batch] reformer_end_t; NULL = not wanted */
    /* out: [batch][max_tokens][vocab], where logits[s] chose token s; NULL = not wanted */
    float *logits;
    const int32_t *eos_tokens; /* [n_eos_tokens], in place of eos_token where there are any */
    size_t n_eos_tokens;
} reformer_generate_t;

/* Scratch of a call, aligned to 8; 0: out of range. */
size_t reformer_generate_bytes(const reformer_decoder_t *d, const reformer_generate_t *g);
/* Reads the prompts and writes until every row has ended; rows that have ended rest. */
int reformer_generate(const reformer_decoder_t *d, const reformer_generate_t *g, void *scratch,
                      size_t bytes);

/* ---- beam search ----------------------------------------------------------------------------- */

/* The most probable continuation of one prompt that `beams` rows of the cache find side by side, as
 * `generate` of transformers 4.57: each step looks at the 2 * beams best continuations of all beams
 * (with n end tokens (1 + n) * beams); with an end token they are hypotheses, where g->stop_at_eos
 * says so and if among the best `beams`, the others are the next beams. With the last of max_tokens
 * the best `beams` are hypotheses as they are. Hypotheses are ranked by
 *     (sum of log-probabilities, that of eos included) / (tokens written, eos
 *     included) ^ length_penalty;
 * the prompt does not count (transformers counted it until November 2023). The search ends with
 * max_tokens, or with `beams` hypotheses of which the worst is no worse than what early_stopping
 * expects of the best beam. Two things differ: equal ranks are settled by who ended first, and
 * there are no beams of -1e9 where there are fewer continuations than beams.
 *
 * Of g: input_ids and attention_mask of one row (batch 0 or 1), length, max_tokens,
 * repetition_penalty (of log-probabilities), eos, pad, threads, pool; tokens [1][max_tokens], eos
 * included, counts, ends. A beam that dies gives its row to another's copy, so copies never form a
 * circle. After an error only counts are written, 0. */
enum { REFORMER_NEVER_EARLY = 2 };
typedef struct reformer_beams {
    size_t size;          /* sizeof(reformer_beams_t) */
    size_t beams;         /* 1 … the decoder's batch */
    float length_penalty; /* -32 … 32; Hugging Face's default is 1; 0 = none */
    /* 0: of the best beam its rank as it is is expected; 1: the search ends as soon as there are
     * `beams` hypotheses; REFORMER_NEVER_EARLY, Hugging Face's "never": its score is taken over
     * max_tokens where the penalty is above 0 */
    int early_stopping;
    double *score; /* out: [1] what the best hypothesis is ranked by; NULL = not wanted */
} reformer_beams_t;
size_t reformer_beam_bytes(const reformer_decoder_t *d, const reformer_generate_t *g,
                           const reformer_beams_t *b);
int reformer_beam_search(const reformer_decoder_t *d, const reformer_generate_t *g,
                         const reformer_beams_t *b, void *scratch, size_t bytes);

REFORMER_END
#ifdef __cplusplus
}
#endif
#endif
