/* Gradients of the evaluator's attentions: docs/semantics.md 10, in the form that gradient_rules.c states.
 *
 * In: the gradient of an attention's result, the result, the logarithm of the sum of exp(score) over all that a query
 * sees, and the attention's operands. Out: the operands' gradients side by side. The windows are walked once more, and
 * sums run in the order of that walk. Scores that a mask set are constants: they weigh, and give no gradient. */
#include <math.h>

#include "graph/evaluate_attention.h"
#include "support/heap.h"

/* One head of one row. */
typedef struct {
    attention_t a;
    const double *dy, *y, *lse; /* token 0; a row is a.stride, lse's `heads` away */
    int64_t heads;
    double *dq, *dk, *dv; /* [length][head_size]; dk: of the scaled keys */
} gradient_t;

static void add(double *to, double factor, const double *x, int64_t n) {
    for (int64_t k = 0; k < n; k++) to[k] += factor * x[k];
}

/* The query of a slot. Dropout, of which y knows already, is between the probabilities and the values. */
static void query_gradient(const gradient_t *g, int64_t slot, const int64_t *keys, int64_t n) {
    const attention_t *a = &g->a;
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

static void windows_gradient(const gradient_t *g) {
    const attention_t *a = &g->a;
    int64_t width = (a->before + 1 + a->after) * a->chunk;
    int64_t *keys = eval_alloc(width, sizeof *keys);
    for (int64_t c = 0; c < a->slots / a->chunk; c++) {
        eval_window(a, c, keys);
        for (int64_t j = 0; j < a->chunk; j++) query_gradient(g, c * a->chunk + j, keys, width);
    }
    heap_free(keys);
}

/* k = scale x, where of LSH layers scale = (mean(x^2) + eps)^-1/2 / sqrt(d), whose square times d is what x is divided by:
 * dx = scale (dk - x scale^2 <x, dk>). */
static void through_scale(const double *x, const double *dk, int64_t d, bool shared_qk,
                          double *dx) {
    double scale = eval_key_scale(x, d, shared_qk);
    double along = shared_qk ? scale * scale * eval_dot(x, dk, d) : 0;
    for (int64_t k = 0; k < d; k++) dx[k] += scale * (dk[k] - along * x[k]);
}

/* Writes the head's gradients to its places of `out`, whose parts are `parts` operands: qk, v or q, k, v. */
static void leave(const gradient_t *g, const heads_t *h, const double *x, int parts, double *out) {
    int64_t d = g->a.head_size, width = g->a.stride;
    for (int64_t t = 0; t < g->a.length; t++) {
        double *dq = out + t * parts * width, *dk = parts == 3 ? dq + width : dq;
        double *dv = dq + (parts - 1) * width;
        for (int64_t k = 0; k < d; k++) dq[k] = g->dq[t * d + k], dv[k] = g->dv[t * d + k];
        through_scale(x + t * width, g->dk + t * d, d, h->shared_qk, dk);
    }
}

static void clear(double *x, int64_t n) {
    for (int64_t k = 0; k < n; k++) x[k] = 0;
}

static int run_heads(eval_t *e, const gnode_t *n, const heads_t *h, int parts, value_t *out) {
    int64_t d = n->head_size, all = e->padded * d;
    double *keys = eval_alloc(all, sizeof *keys), *room = eval_alloc(3 * all, sizeof *room);
    for (int64_t i = 0; i < e->rows * n->heads; i++) {
        int64_t row = i / n->heads, head = i % n->heads, first = eval_head_at(e, n, i);
        gradient_t g = {.a = eval_head(e, n, h, i, keys),
                        .dy = eval_in(e, n, 0)->f + first,
                        .y = eval_in(e, n, 1)->f + first,
                        .lse = eval_in(e, n, 2)->f + row * e->padded * n->heads + head,
                        .heads = n->heads,
                        .dq = room,
                        .dk = room + all,
                        .dv = room + 2 * all};
        clear(room, 3 * all);
        windows_gradient(&g);
        leave(&g, h, h->k->f + first, parts,
              out->f + row * e->padded * parts * g.a.stride + head * d);
    }
    heap_free(keys);
    heap_free(room);
    return REFORMER_OK;
}

enum { OPERANDS = 3 }; /* inputs before them: dy, y, lse */

int eval_lsh_attention_grad(eval_t *e, const gnode_t *n, value_t *out) {
    heads_t h = eval_lsh_heads(e, n, OPERANDS, true);
    return run_heads(e, n, &h, 2, out);
}

int eval_local_attention_grad(eval_t *e, const gnode_t *n, value_t *out) {
    heads_t h = eval_local_heads(e, n, OPERANDS, true);
    return run_heads(e, n, &h, 3, out);
}

int eval_exact_attention_grad(eval_t *e, const gnode_t *n, value_t *out) {
    heads_t h = eval_exact_heads(e, n, OPERANDS, true);
    return run_heads(e, n, &h, 3, out);
}
