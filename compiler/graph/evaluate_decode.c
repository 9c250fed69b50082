/* The evaluator's attentions of a step: docs/semantics.md 11. One token against
 * those that its row holds.
 *
 * The token is stored first, behind the others, and found there like any other. Nothing is sorted
 * ahead of time: a step sorts all tokens of a round, in each head. `as_huggingface` nodes repeat
 * two defects of Hugging Face's: a token whose round offset does not fit the others' (Q6), and a
 * slice that counts from the wrong end (Q7). */
#include <math.h>
#include <string.h>

#include "graph/evaluate_ops.h"
#include "support/bf16.h"
#include "support/heap.h"

typedef struct {
    const gnode_t *n;
    eval_kept_t *kept;
    double *margin;  /* the row's */
    int64_t last;    /* the new token; there are last + 1 */
    int64_t width;   /* heads * head_size */
    bool shared_qk;  /* LSH: keys are normalised, a token does not look at itself */
    bool rounds;     /* the state is of bf16: so are all factors */
    const double *q; /* [width], of the new token */
    double *out;     /* [width] */
} eval_step_t;

static eval_kept_t *kept_of(const eval_t *e, const gnode_t *state) {
    return &e->cached->states[e->state_at[state->id]];
}

static eval_step_t begin(eval_t *e, const gnode_t *n, int key, int value, eval_value_t *out) {
    eval_step_t s = {.n = n,
                     .kept = kept_of(e, n->in[value + 2]),
                     .margin = &e->cached->margin,
                     .last = e->cached->tokens,
                     .width = n->heads * n->head_size,
                     .rounds = n->in[value + 2]->type == G_BF16,
                     .q = eval_in(e, n, 0)->f,
                     .out = out->f};
    size_t bytes = (size_t)s.width * sizeof(double);
    memcpy(s.kept->keys + s.last * s.width, eval_in(e, n, key)->f, bytes);
    memcpy(s.kept->values + s.last * s.width, eval_in(e, n, value)->f, bytes);
    return s;
}

/* ---- one query against some tokens ----------------------------------------------------------- */

/* to [head_size]: the head of a token's row, as a factor of products. */
static const double *factors(const eval_step_t *s, const double *row, int64_t head, double *to) {
    int64_t d = s->n->head_size;
    for (int64_t k = 0; k < d; k++) {
        double x = row[head * d + k];
        to[k] = s->rounds ? (double)bf16_round((float)x) : x;
    }
    return to;
}

/* out [head_size]: what the new token's head takes from these tokens; returns the
 * log-sum-exp of the scores. */
static double attend(const eval_step_t *s, int64_t head, const int64_t *tokens, int64_t n,
                     double *out) {
    int64_t d = s->n->head_size;
    double *p = eval_alloc(n, sizeof *p), *room = eval_alloc(2 * d, sizeof *room);
    const double *q = factors(s, s->q, head, room);
    for (int64_t j = 0; j < n; j++) {
        const double *k = factors(s, s->kept->keys + tokens[j] * s->width, head, room + d);
        p[j] = eval_dot(q, k, d) * eval_key_scale(k, d, s->shared_qk);
        if (s->shared_qk && tokens[j] == s->last) p[j] = EVAL_SELF;
    }
    double norm = s->shared_qk ? sqrt(eval_dot(q, q, d)) : INFINITY;
    double lse = s->rounds ? eval_soften_rounded(p, n, norm) : eval_soften(p, n);
    for (int64_t j = 0; j < n; j++) {
        const double *v = factors(s, s->kept->values + tokens[j] * s->width, head, room + d);
        for (int64_t k = 0; k < d; k++) out[k] += p[j] * v[k];
    }
    heap_free(p);
    heap_free(room);
    return lse;
}

/* Every head sees the tokens from `start` to the new one. */
static void attend_from(const eval_step_t *s, int64_t start) {
    int64_t n = s->last + 1 - start;
    int64_t *tokens = eval_alloc(n, sizeof *tokens);
    for (int64_t j = 0; j < n; j++) tokens[j] = start + j;
    for (int64_t head = 0; head < s->n->heads; head++)
        (void)attend(s, head, tokens, n, s->out + head * s->n->head_size);
    heap_free(tokens);
}

/* ---- local ----------------------------------------------------------------------------------- */

/* The first token seen. A start before the first token is the first; Hugging Face slices a list of
 * `last` tokens with it, which counts from their end (Q7). */
static int64_t local_start(const eval_step_t *s) {
    int64_t start = (s->last / s->n->chunk - s->n->before) * s->n->chunk;
    if (start < 0 && s->n->as_huggingface) start += s->last;
    return start < 0 ? 0 : start;
}

int eval_local_step(eval_t *e, const gnode_t *n, eval_value_t *out) {
    eval_step_t s = begin(e, n, 1, 2, out);
    attend_from(&s, local_start(&s));
    return REFORMER_OK;
}

/* ---- LSH: buckets ---------------------------------------------------------------------------- */

static int32_t *bucket_at(const eval_step_t *s, int64_t token, int64_t head, int64_t round) {
    return s->kept->buckets + (token * s->n->heads + head) * s->n->rounds + round;
}

/* Buckets of a token in every head and round. */
static void hash_token(const eval_step_t *s, const float *rotations, int64_t token,
                       int64_t offset) {
    const gnode_t *n = s->n;
    double margin;
    for (int64_t head = 0; head < n->heads; head++) {
        const double *x = s->kept->keys + token * s->width + head * n->head_size;
        for (int64_t r = 0; r < n->rounds; r++) {
            *bucket_at(s, token, head, r) =
                (int32_t)(eval_bucket(n, rotations, head, r, x, &margin) + r * offset);
            *s->margin = fmin(*s->margin, margin);
        }
    }
}

/* How far rounds lie apart for the new token. Hugging Face does not remember whether padding had a
 * bucket when the others were hashed: it takes a bucket beyond those without padding
 * as the sign of it (Q6). */
static int64_t offset_of(const eval_step_t *s) {
    const gnode_t *n = s->n;
    if (!n->as_huggingface) return s->kept->offset;
    int64_t buckets = eval_buckets(n), max = 0;
    for (int64_t k = 0; k < s->last * n->heads * n->rounds; k++)
        if (s->kept->buckets[k] > max) max = s->kept->buckets[k];
    return max > n->rounds * buckets - 1 ? buckets + 1 : buckets;
}

/* ---- LSH: windows ---------------------------------------------------------------------------- */

/* The tokens around the new one in the order of one round's buckets, from `before` chunks back,
 * around the ends: fewer tokens than places repeat (Q23). */
static void window_of(const eval_step_t *s, int64_t head, int64_t round, int64_t width,
                      int64_t *window) {
    int64_t tokens = s->last + 1, place = 0, chunk = s->n->chunk;
    int32_t *buckets = eval_alloc(tokens, sizeof *buckets);
    int32_t *order = eval_alloc(tokens, sizeof *order);
    for (int64_t t = 0; t < tokens; t++) buckets[t] = *bucket_at(s, t, head, round);
    eval_sort_stably(buckets, tokens, order);
    while (order[place] != s->last) place++;
    int64_t start = (place / chunk - s->n->before) * chunk;
    for (int64_t j = 0; j < width; j++) {
        int64_t at = (start + j) % tokens;
        window[j] = order[at < 0 ? at + tokens : at];
    }
    heap_free(buckets);
    heap_free(order);
}

static void attend_rounds(const eval_step_t *s, int64_t head) {
    const gnode_t *n = s->n;
    int64_t d = n->head_size, width = n->chunk * (n->before + 1 + n->after);
    int64_t *window = eval_alloc(width, sizeof *window);
    double *weights = eval_alloc(n->rounds, sizeof *weights);
    double *outs = eval_alloc(n->rounds * d, sizeof *outs);
    for (int64_t r = 0; r < n->rounds; r++) {
        window_of(s, head, r, width, window);
        weights[r] = attend(s, head, window, width, outs + r * d);
    }
    eval_weigh_rounds(weights, n->rounds);
    for (int64_t r = 0; r < n->rounds; r++)
        for (int64_t k = 0; k < d; k++) s->out[head * d + k] += weights[r] * outs[r * d + k];
    heap_free(window);
    heap_free(weights);
    heap_free(outs);
}

/* Tokens without buckets are all seen; when they fill a chunk, they get buckets,
 * for the next step. */
static void step_without_buckets(const eval_step_t *s, const float *rotations) {
    attend_from(s, 0);
    if (s->last + 1 < s->n->chunk || !rotations) return;
    s->kept->offset = eval_buckets(s->n);
    for (int64_t t = 0; t <= s->last; t++) hash_token(s, rotations, t, s->kept->offset);
}

int eval_lsh_step(eval_t *e, const gnode_t *n, eval_value_t *out) {
    eval_step_t s = begin(e, n, 0, 1, out);
    const eval_value_t *rotations = eval_optional(e, n, 4);
    s.shared_qk = true;
    if (s.kept->offset == 0) {
        step_without_buckets(&s, rotations ? rotations->w : NULL);
        return REFORMER_OK;
    }
    hash_token(&s, rotations->w, s.last, offset_of(&s));
    for (int64_t head = 0; head < n->heads; head++) attend_rounds(&s, head);
    return REFORMER_OK;
}

/* ---- prefills -------------------------------------------------------------------------------- */

/* [heads][rounds][padded] of the forward → [token][heads][rounds]. Padding had a bucket of its own,
 * and so rounds lie further apart. */
static void keep_buckets(const eval_t *e, const gnode_t *hash, eval_kept_t *to) {
    const int32_t *buckets = e->values[hash->id].i;
    for (int64_t t = 0; t < e->length; t++)
        for (int64_t h = 0; h < to->hashes; h++)
            to->buckets[t * to->hashes + h] = buckets[h * e->padded + t];
    to->offset = eval_buckets(hash) + (e->padded > e->length);
}

int eval_keep(eval_t *e, const gnode_t *n, eval_value_t *out) {
    eval_kept_t *to = kept_of(e, n->in[2]);
    size_t bytes = (size_t)(e->length * to->width) * sizeof(double);
    (void)out;
    memcpy(to->keys, eval_in(e, n, 0)->f, bytes);
    memcpy(to->values, eval_in(e, n, 1)->f, bytes);
    to->offset = 0;
    if (n->n_in > 3 && n->in[3]) keep_buckets(e, n->in[3], to);
    return REFORMER_OK;
}
