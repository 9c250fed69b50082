/* Gradients of the evaluator's attentions: docs/semantics.md 10, in the form that
 * gradient_rules.c states.
 *
 * Of bf16 (docs/dtype.md, Training) weights are the forward's, rounded as it rounds them; dy,
 * divided by their sum, and the gradients of scores are rounded, too: all else is as it is.
 *
 * In: the gradient of an attention's result, the result, the logarithm of the sum of exp(score)
 * over all that a query sees, and the attention's operands. Out: the operands' gradients side by
 * side. The windows are walked once more, and sums run in the order of that walk. Scores that a
 * mask set are constants: they weigh, and give no gradient. */
#include <math.h>

#include "graph/evaluate_attention.h"
#include "support/bf16.h"
#include "support/heap.h"

/* One head of one row. */
typedef struct {
    eval_head_t a;
    const double *dy, *y, *lse; /* token 0; a row is a.stride, lse's `heads` away */
    const double *x;            /* keys before they are scaled, as q */
    int64_t heads;
    double *dq, *dk,
        *dv; /* [length][head_size]; dk: of the scaled keys, but of bf16 of the keys' products */
    double *shift; /* bf16: [length], what weights are exp(score - shift) with */
    double *g;     /* bf16: [head_size] */
} gradient_t;

static void add(double *to, double factor, const double *x, int64_t n) {
    for (int64_t k = 0; k < n; k++) to[k] += factor * x[k];
}

/* The query of a slot. Dropout, of which y knows already, is between the probabilities
 * and the values. */
static void query_gradient(const gradient_t *g, int64_t slot, const int64_t *keys, int64_t n) {
    const eval_head_t *a = &g->a;
    int64_t query = eval_flat(a, slot) % a->length, d = a->head_size, at = query * a->stride;
    const double *dy = g->dy + at, *q = a->q + at;
    double mean = eval_dot(dy, g->y + at, d), lse = g->lse[query * g->heads];
    for (int64_t j = 0; j < n; j++) {
        int64_t key = keys[j];
        bool set;
        double p = exp(eval_score(a, query, key, &set) - lse);
        if (p == 0) continue;
        double kept = eval_kept_key(a, slot, n, j);
        add(g->dv + key * d, p * kept, dy, d);
        if (set) continue;
        double ds = p * (kept * eval_dot(dy, a->v + key * a->stride, d) - mean);
        add(g->dq + query * d, ds, a->k + key * d, d);
        add(g->dk + key * d, ds, q, d);
    }
}

/* ---- of bf16 --------------------------------------------------------------------------------- */

static double rounded(double x) {
    return bf16_round((float)x);
}

/* In a sorted order, a query whose rounds have the weights that Hugging Face rounds to: what it is
 * known by from a round on is that one's log-sum-exp. */
static bool is_far(const eval_head_t *a, int64_t query) {
    static const double FAR = 256;
    return a->order && eval_norm(a, query) > FAR;
}

/* The greatest score of a query's window; of a far one that log-sum-exp. scores: room. */
static double greatest_score(const eval_head_t *a, int64_t query, const int64_t *keys, int64_t n,
                             double *scores) {
    double max = -INFINITY;
    bool set;
    for (int64_t j = 0; j < n; j++) {
        scores[j] = eval_score(a, query, keys[j], &set);
        if (scores[j] > max) max = scores[j];
    }
    return is_far(a, query) ? eval_soften_rounded(scores, n, INFINITY) : max;
}

/* Of all rounds. */
static void find_shifts(const gradient_t *g) {
    const eval_head_t *a = &g->a;
    int64_t width = (a->before + 1 + a->after) * a->chunk;
    int64_t *keys = eval_alloc(width, sizeof *keys);
    double *scores = eval_alloc(width, sizeof *scores);
    for (int64_t t = 0; t < a->length; t++) g->shift[t] = -INFINITY;
    for (int64_t slot = 0; slot < a->slots; slot++) {
        int64_t query = eval_flat(a, slot) % a->length;
        if (slot % a->chunk == 0) eval_window(a, slot / a->chunk, keys);
        double score = greatest_score(a, query, keys, width, scores);
        if (score > g->shift[query]) g->shift[query] = score;
    }
    for (int64_t t = 0; t < a->length; t++)
        g->shift[t] = eval_rounded_shift(eval_norm(a, t), g->shift[t]);
    heap_free(keys);
    heap_free(scores);
}

/* A token that sees only itself leaves its value all of dy, which then is no factor of a product;
 * but a far one has itself among its keys. */
static bool sees_only_itself(const gradient_t *g, int64_t query) {
    return g->a.self_mask && g->shift[query] == EVAL_SELF && !is_far(&g->a, query);
}

static void rounded_query_gradient(const gradient_t *g, int64_t slot, const int64_t *keys,
                                   int64_t n) {
    const eval_head_t *a = &g->a;
    int64_t query = eval_flat(a, slot) % a->length, d = a->head_size, at = query * a->stride;
    double shift = g->shift[query], scale = exp(eval_far(shift) - g->lse[query * g->heads]);
    bool alone = sees_only_itself(g, query);
    for (int64_t k = 0; k < d; k++) {
        double x = g->dy[at + k] * scale;
        g->g[k] = alone ? x : rounded(x);
    }
    double mean = eval_dot(g->g, g->y + at, d);
    for (int64_t j = 0; j < n; j++) {
        int64_t key = keys[j];
        bool set;
        double weight = rounded(exp(eval_score(a, query, key, &set) - shift));
        if (weight == 0) continue;
        double kept = eval_kept_key(a, slot, n, j);
        const double *x = g->x + key * a->stride;
        add(g->dv + key * d, weight * kept, g->g, d);
        if (set) continue;
        double ds = weight * (kept * eval_dot(g->g, a->v + key * a->stride, d) - mean);
        ds = rounded(ds * eval_key_scale(x, d, a->self_mask));
        add(g->dq + query * d, ds, x, d);
        add(g->dk + key * d, ds, a->q + at, d);
    }
}

/* ---- windows --------------------------------------------------------------------------------- */

static void windows_gradient(const gradient_t *g) {
    const eval_head_t *a = &g->a;
    int64_t width = (a->before + 1 + a->after) * a->chunk;
    int64_t *keys = eval_alloc(width, sizeof *keys);
    for (int64_t c = 0; c < a->slots / a->chunk; c++) {
        eval_window(a, c, keys);
        for (int64_t j = 0; j < a->chunk; j++)
            (a->rounds ? rounded_query_gradient : query_gradient)(g, c * a->chunk + j, keys, width);
    }
    heap_free(keys);
}

/* k = scale x, where of LSH layers scale = (mean(x^2) + eps)^-1/2 / sqrt(d), whose square times d
 * is what x is divided by: dx = scale (dk - x scale^2 <x, dk>). Of bf16 dk has that factor. */
static void through_scale(const gradient_t *g, const double *x, const double *dk, double *dx) {
    int64_t d = g->a.head_size;
    double scale = eval_key_scale(x, d, g->a.self_mask);
    double along = g->a.self_mask ? scale * scale * eval_dot(x, dk, d) : 0;
    if (g->a.rounds) scale = 1;
    for (int64_t k = 0; k < d; k++) dx[k] += scale * (dk[k] - along * x[k]);
}

/* Writes the head's gradients to its places of `out`, whose parts are `parts`
 * operands: qk, v or q, k, v. */
static void leave(const gradient_t *g, int parts, double *out) {
    int64_t d = g->a.head_size, width = g->a.stride;
    for (int64_t t = 0; t < g->a.length; t++) {
        double *dq = out + t * parts * width, *dk = parts == 3 ? dq + width : dq;
        double *dv = dq + (parts - 1) * width;
        for (int64_t k = 0; k < d; k++) dq[k] = g->dq[t * d + k], dv[k] = g->dv[t * d + k];
        through_scale(g, g->x + t * width, g->dk + t * d, dk);
    }
}

static void clear(double *x, int64_t n) {
    for (int64_t k = 0; k < n; k++) x[k] = 0;
}

static int run_heads(eval_t *e, const gnode_t *n, const eval_heads_t *h, int parts,
                     eval_value_t *out) {
    int64_t d = n->head_size, all = e->padded * d;
    double *keys = eval_alloc(all, sizeof *keys), *room = eval_alloc(3 * all, sizeof *room);
    double *shift = eval_alloc(e->padded, sizeof *shift), *row = eval_alloc(d, sizeof *row);
    for (int64_t i = 0; i < e->rows * n->heads; i++) {
        int64_t b = i / n->heads, head = i % n->heads, first = eval_head_at(e, n, i);
        gradient_t g = {.a = eval_head(e, n, h, i, keys),
                        .dy = eval_in(e, n, 0)->f + first,
                        .y = eval_in(e, n, 1)->f + first,
                        .lse = eval_in(e, n, 2)->f + b * e->padded * n->heads + head,
                        .x = h->k->f + first,
                        .heads = n->heads,
                        .dq = room,
                        .dk = room + all,
                        .dv = room + 2 * all,
                        .shift = shift,
                        .g = row};
        clear(room, 3 * all);
        if (h->rounded) find_shifts(&g);
        windows_gradient(&g);
        leave(&g, parts, out->f + b * e->padded * parts * g.a.stride + head * d);
    }
    heap_free(keys);
    heap_free(room);
    heap_free(shift);
    heap_free(row);
    return REFORMER_OK;
}

enum { OPERANDS = 3 }; /* inputs before them: dy, y, lse */

int eval_lsh_attention_grad(eval_t *e, const gnode_t *n, eval_value_t *out) {
    eval_heads_t h = eval_lsh_heads(e, n, OPERANDS, true);
    return run_heads(e, n, &h, 2, out);
}

int eval_local_attention_grad(eval_t *e, const gnode_t *n, eval_value_t *out) {
    eval_heads_t h = eval_local_heads(e, n, OPERANDS, true);
    return run_heads(e, n, &h, 3, out);
}

int eval_exact_attention_grad(eval_t *e, const gnode_t *n, eval_value_t *out) {
    eval_heads_t h = eval_exact_heads(e, n, OPERANDS, true);
    return run_heads(e, n, &h, 3, out);
}
