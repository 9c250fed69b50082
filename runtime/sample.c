/* Choosing a token from the logits of one row: Hugging Face's processors, then a draw.
 *
 * In: logits, and the history for the repetition penalty. Out: a token. What remains after top_k
 * and top_p is all that does not come behind the last token let in, by descending score; the draw
 * itself goes by id, whatever was cut off, so that settings which change nothing do not
 * change the token either. */
#include "generate_int.h"

#include <float.h>

typedef struct {
    size_t score, weight, heap, bytes;
} layout_t;

static int lay_out(int64_t vocab, layout_t *l) {
    reformer_room_t r = {0, 0};
    if (vocab < 1 || vocab > INT32_MAX) return 0;
    l->score = reformer_take(&r, (size_t)vocab, sizeof(float));
    l->weight = reformer_take(&r, (size_t)vocab, sizeof(double));
    l->heap = reformer_take(&r, (size_t)vocab, sizeof(int32_t));
    l->bytes = r.bytes;
    return !r.full;
}

size_t reformer_sample_bytes(int64_t vocab) {
    layout_t l;
    return lay_out(vocab, &l) ? l.bytes : 0;
}

/* Written so that a NaN is out of range. */
int reformer_check_sampling(const reformer_sampling_t *s) {
    if (!s) return REFORMER_E_ARGUMENT;
    if (!REFORMER_SIZED(s)) return REFORMER_E_SIZE;
    int good = s->temperature >= 0 && s->temperature <= FLT_MAX && s->top_k >= 0 && s->top_p >= 0 &&
               s->top_p <= 1 && s->repetition_penalty >= 0 && s->repetition_penalty <= FLT_MAX;
    return good ? REFORMER_OK : REFORMER_E_ARGUMENT;
}

/* From the logits, not from the scores: so a token is penalised once, however often it was there.
 * In float, as Hugging Face does it, so that the same scores are equal. */
int reformer_penalise(float penalty, const float *logits, size_t vocab, const int32_t *history,
                      size_t n, float *scores) {
    for (size_t i = 0; i < vocab; i++) scores[i] = logits[i];
    for (size_t i = 0; penalty != 0 && i < n; i++) {
        int32_t id = history[i];
        if (id < 0 || (size_t)id >= vocab) return REFORMER_E_TOKEN;
        scores[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
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

static int cuts_by_rank(const reformer_sampling_t *s, size_t vocab) {
    return s->top_k > 0 && (size_t)s->top_k < vocab;
}

static int cuts_by_mass(const reformer_sampling_t *s) {
    return s->top_p > 0 && s->top_p < 1;
}

/* Lets in the top_k best, and those equal to the last of them: how many; *sum: their weight. They
 * stand from the end of ids backwards, best first. */
static size_t best_by_rank(const reformer_sampling_t *s, const double *weight, reformer_heap_t *h,
                           double *sum) {
    size_t n = 0;
    float last = 0;
    *sum = 0;
    while (h->n > 0 && (n < (size_t)s->top_k || h->key[h->id[0]] == last)) {
        int32_t id = reformer_heap_pop(h);
        last = h->key[id];
        *sum += weight[id];
        n++;
    }
    return n;
}

/* The last token let in. `sum` is of all weights; top_p is a share of what top_k leaves. */
static int32_t last_in(const reformer_sampling_t *s, const float *score, const double *weight,
                       size_t vocab, double sum, int32_t *ids) {
    reformer_heap_t h;
    reformer_heap_make(&h, score, ids, vocab);
    size_t sorted = cuts_by_rank(s, vocab) ? best_by_rank(s, weight, &h, &sum) : 0;
    if (!cuts_by_mass(s)) return ids[vocab - sorted];
    size_t max = sorted ? sorted : vocab;
    double mass = 0;
    for (size_t i = 0;; i++) {
        int32_t id = sorted ? ids[vocab - 1 - i] : reformer_heap_pop(&h);
        mass += weight[id];
        if (i + 1 == max || mass >= (double)s->top_p * sum) return id;
    }
}

/* Takes the weight of tokens that are out; the sum of the others, by id. */
static double cut(double *weight, const float *score, size_t vocab, int32_t last) {
    double sum = 0;
    for (size_t i = 0; i < vocab; i++) {
        int in = score[i] > score[last] || (i <= (size_t)last && score[i] == score[last]);
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

static int32_t draw_one(const reformer_sampling_t *s, const float *score, size_t vocab,
                        int32_t best, double place, double *weight, int32_t *ids) {
    double sum = weigh(weight, score, vocab, best, s->temperature);
    if (cuts_by_rank(s, vocab) || cuts_by_mass(s))
        sum = cut(weight, score, vocab, last_in(s, score, weight, vocab, sum, ids));
    return draw(weight, vocab, place * sum);
}

static int sample(const reformer_sampling_t *s, const float *logits, int64_t vocab,
                  const int32_t *history, size_t n_history, uint64_t row, uint64_t step,
                  void *scratch, size_t bytes, int32_t *token) {
    layout_t l;
    size_t n = (size_t)vocab;
    int error = reformer_check_sampling(s);
    if (error) return error;
    if (!logits || !token || !lay_out(vocab, &l)) return REFORMER_E_ARGUMENT;
    if (!scratch || (uintptr_t)scratch % sizeof(double)) return REFORMER_E_ARGUMENT;
    if (n_history && !history) return REFORMER_E_ARGUMENT;
    if (l.bytes > bytes) return REFORMER_E_WORKSPACE;
    unsigned char *base = (unsigned char *)scratch;
    const float *score = logits;
    if (s->repetition_penalty != 0 && s->repetition_penalty != 1) {
        float *changed = (float *)(void *)(base + l.score);
        error = reformer_penalise(s->repetition_penalty, logits, n, history, n_history, changed);
        if (error) return error;
        score = changed;
    }
    int32_t best = reformer_greatest(score, n);
    if (best < 0) return REFORMER_E_LOGITS;
    *token = best;
    if (s->temperature > 0 || s->top_k > 0 || s->top_p > 0)
        *token = draw_one(s, score, n, best, uniform(s->seed, row, step),
                          (double *)(void *)(base + l.weight), (int32_t *)(void *)(base + l.heap));
    return REFORMER_OK;
}

int reformer_sample(const reformer_sampling_t *s, const float *logits, int64_t vocab,
                    const int32_t *history, size_t n_history, uint64_t row, uint64_t step,
                    void *scratch, size_t bytes, int32_t *token) {
    uint64_t host = reformer_enter();
    int error = sample(s, logits, vocab, history, n_history, row, step, scratch, bytes, token);
    reformer_leave(host);
    return error;
}
