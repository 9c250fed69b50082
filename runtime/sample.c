/* Picking a token from the logits of one row: Hugging Face's processors, then a draw.
 *
 * In: logits, and the history for the repetition penalty. Out: a token. What remains after top_k and
 * top_p is all that is not after the last token let in, by descending score; the draw itself goes by
 * id, whatever was cut off, so that processors which change nothing do not change the token. */
#include "rt_gen.h"

#include <float.h>

typedef struct {
    size_t score, weight, heap, bytes;
} layout_t;

static int lay_out(size_t vocab, layout_t *l) {
    reformer_room_t r = {0, 0};
    l->score = reformer_take(&r, vocab, sizeof(float));
    l->weight = reformer_take(&r, vocab, sizeof(double));
    l->heap = reformer_take(&r, vocab, sizeof(int32_t));
    l->bytes = r.bytes;
    return vocab > 0 && vocab <= INT32_MAX && !r.full;
}

size_t reformer_sample_bytes(size_t vocab) {
    layout_t l;
    return lay_out(vocab, &l) ? l.bytes : 0;
}

/* Written so that a NaN is out of range. */
static int in_range(const reformer_sampling_t *s) {
    return s->temperature >= 0 && s->temperature <= FLT_MAX && s->top_p >= 0 && s->top_p <= 1 &&
           s->repetition_penalty >= 0 && s->repetition_penalty <= FLT_MAX;
}

static int penalizes(const reformer_sampling_t *s) {
    return s->repetition_penalty != 0 && s->repetition_penalty != 1;
}

/* From the logits, not from the scores: so a token is penalised once, however often it was there. */
static int penalize(float *score, const float *logits, size_t vocab, float penalty,
                    const int32_t *history, size_t n) {
    for (size_t i = 0; i < vocab; i++) score[i] = logits[i];
    for (size_t i = 0; i < n; i++) {
        int32_t id = history[i];
        if (id < 0 || (size_t)id >= vocab) return REFORMER_E_TOKEN;
        score[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
    }
    return REFORMER_OK;
}

/* ---- what remains --------------------------------------------------------------------------- */

/* Weights are softmax times a constant: the greatest is 1. */
static double weigh(double *weight, const float *score, size_t vocab, int32_t best,
                    float temperature) {
    double sum = 0, t = temperature > 0 ? (double)temperature : 1;
    for (size_t i = 0; i < vocab; i++) {
        weight[i] = reformer_exp(((double)score[i] - (double)score[best]) / t);
        sum += weight[i];
    }
    return sum;
}

/* The last token let in. `sum` is of all weights. */
static int32_t last_in(const reformer_sampling_t *s, const float *score, const double *weight,
                       size_t vocab, double sum, int32_t *ids) {
    reformer_heap_t h;
    reformer_heap_make(&h, score, ids, vocab);
    size_t k = s->top_k && s->top_k < vocab ? s->top_k : vocab;
    int by_mass = s->top_p > 0 && s->top_p < 1;
    if (k < vocab) { /* top_p is a share of what top_k left */
        sum = 0;
        for (size_t i = 0; i < k; i++) sum += weight[reformer_heap_pop(&h)];
        if (!by_mass) return ids[vocab - k];
    }
    double mass = 0;
    for (size_t i = 0;; i++) {
        int32_t id = k < vocab ? ids[vocab - 1 - i] : reformer_heap_pop(&h);
        mass += weight[id];
        if (i + 1 == k || mass >= (double)s->top_p * sum) return id;
    }
}

/* Takes the weight of tokens that are out; the sum of the others, by id. */
static double cut(double *weight, const float *score, size_t vocab, int32_t last) {
    double sum = 0;
    for (size_t i = 0; i < vocab; i++) {
        int in = score[i] > score[last] || (score[i] == score[last] && i <= (size_t)last);
        if (!in) weight[i] = 0;
        sum += weight[i];
    }
    return sum;
}

/* ---- the draw ------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* 0 … 1, 1 excluded. */
static double uniform(uint64_t seed, uint64_t row, uint64_t step) {
    const uint64_t g = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t h = mix(mix(mix(seed + g) + (row + 1) * g) + (step + 1) * g);
    return (double)(h >> 11) * 0x1p-53;
}

/* Only tokens of a weight are drawn: others do not raise the sum. Should rounding keep it below the
 * target, the last one is. */
static int32_t draw(const double *weight, size_t vocab, double target) {
    double sum = 0;
    int32_t drawn = 0;
    for (size_t i = 0; i < vocab && sum <= target; i++) {
        sum += weight[i];
        if (weight[i] > 0) drawn = (int32_t)i;
    }
    return drawn;
}

int reformer_sample(const reformer_sampling_t *sampling, const float *logits, size_t vocab,
                    const int32_t *history, size_t n, uint64_t row, uint64_t step, void *scratch,
                    int32_t *token) {
    layout_t l;
    if (!sampling || !logits || !scratch || !token || !in_range(sampling) || !lay_out(vocab, &l))
        return REFORMER_E_ARGUMENT;
    if ((uintptr_t)scratch % REFORMER_ALIGNMENT) return REFORMER_E_ALIGNMENT;
    unsigned char *base = (unsigned char *)scratch;
    const float *score = logits;
    if (penalizes(sampling) && n > 0) {
        float *changed = (float *)(void *)(base + l.score);
        if (!history) return REFORMER_E_ARGUMENT;
        int error =
            penalize(changed, logits, vocab, sampling->repetition_penalty, history, n);
        if (error) return error;
        score = changed;
    }
    int32_t best = reformer_greatest(score, vocab);
    if (best < 0) return REFORMER_E_LOGITS;
    int draws = sampling->temperature > 0 || sampling->top_k > 0 || sampling->top_p > 0;
    *token = best;
    if (!draws) return REFORMER_OK;
    double *weight = (double *)(void *)(base + l.weight);
    double sum = weigh(weight, score, vocab, best, sampling->temperature);
    if ((sampling->top_k && sampling->top_k < vocab) || (sampling->top_p > 0 && sampling->top_p < 1)) {
        int32_t *ids = (int32_t *)(void *)(base + l.heap);
        int32_t last = last_in(sampling, score, weight, vocab, sum, ids);
        sum = cut(weight, score, vocab, last);
    }
    *token = draw(weight, vocab, uniform(sampling->seed, row, step) * sum);
    return REFORMER_OK;
}
