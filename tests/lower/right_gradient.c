/* Gradients of the attentions, from their definition (docs/semantics.md 10). See right.h.
 *
 * A row's probabilities over the keys of all rounds are right to a factor, as in right_softmax(); that factor, what dy's
 * products with values and outputs round, and the sums over queries or keys are what the gradients may be off. */
#include "right.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct {
    double *v, *e; /* [padded][head_size]: of one head */
} sums_t;

typedef struct {
    const right_ctx_t *c;
    const gnode_t *attention;
    bool shared, sorted;
    const right_t *dy, *y, *q, *k, *v;
    const gnode_t *mask;
    int64_t b, head, d, terms; /* terms: of a sum, at most */
    int64_t *keys, *count;
    score_t *seen;
    sums_t dq, dk, dv; /* dk: of keys times their factor */
} gradient_t;

void right_lse(const right_ctx_t *c) {
    memset(c->y->v, 0, sizeof(double) * (size_t)c->y->elements);
    memset(c->y->e, 0, sizeof(double) * (size_t)c->y->elements);
}

static int64_t at(const gradient_t *g, int64_t t) {
    return right_at(g->c, g->b, t, g->head);
}

static double factor_of(const gradient_t *g, int64_t key) {
    double size = right_norm(g->k, at(g, key), g->d), d = (double)g->d;
    return (g->shared ? 1 / sqrt(size * size / d + 1e-6) : 1) / sqrt(d);
}

/* to[row] += w * x[from], w off by e. */
static void add(const gradient_t *g, sums_t *to, int64_t row, double w, double e, const right_t *x,
                int64_t from) {
    for (int64_t j = 0; j < g->d; j++) {
        double one = x->v[at(g, from) + j];
        to->v[row * g->d + j] += w * one;
        to->e[row * g->d + j] += fabs(one) * (e + RIGHT_U * (double)(g->terms + 8) * fabs(w)) +
                                 fabs(w) * x->e[at(g, from) + j];
    }
}

/* <x, y>, and what it may be off. */
static double dot(const gradient_t *g, const right_t *x, int64_t i, const right_t *y, int64_t j,
                  double *e) {
    double sum = 0, size = 0;
    for (int64_t k = 0; k < g->d; k++) {
        double one = x->v[at(g, i) + k] * y->v[at(g, j) + k];
        sum += one;
        size += fabs(one);
    }
    *e = RIGHT_U * (double)(g->d + 8) * size;
    return sum;
}

/* The softmax over what query t sees, and its gradient. */
static void softmax_gradient(gradient_t *g, int64_t t, int64_t n, double shift) {
    double max = -INFINITY, off = 0, total = 0, size = shift, e_mean;
    for (int64_t i = 0; i < n; i++) {
        max = fmax(max, g->seen[i].s);
        off = fmax(off, g->seen[i].e);
        size = fmax(size, fabs(g->seen[i].s));
    }
    for (int64_t i = 0; i < n; i++) total += exp(g->seen[i].s - max);
    double relative = 2 * off + RIGHT_U * (16 * size + 4 * (double)n + 64);
    double mean = dot(g, g->dy, t, g->y, t, &e_mean);
    for (int64_t i = 0; i < n; i++) {
        int64_t key = g->seen[i].key;
        double p = exp(g->seen[i].s - max) / total, e_dot, factor = factor_of(g, key);
        double x = dot(g, g->dy, t, g->v, key, &e_dot) - mean;
        double e = p * (fabs(x) * relative + e_dot + e_mean * (1 + relative) +
                        fabs(mean) * RIGHT_U * (double)(n + 8) + 4 * RIGHT_U * fabs(x));
        add(g, &g->dv, key, p, p * relative, g->dy, t);
        add(g, &g->dq, t, p * x * factor, e * factor, g->k, key);
        add(g, &g->dk, key, p * x * factor, e * factor, g->q, t);
    }
}

/* The keys of the windows of query t, of all rounds; g->count: how often it is itself among those of each. */
static int64_t find_keys(gradient_t *g, int64_t t) {
    const gnode_t *n = g->attention;
    const right_ctx_t *c = g->c;
    int64_t found = 0, rounds = g->sorted ? n->rounds : 1;
    if (n->op == G_EXACT_ATTENTION_GRAD) {
        for (int64_t i = 0; i < c->padded; i++) g->keys[found++] = i;
        return found;
    }
    const double *order = g->sorted ? right_input(c, 5)->v : NULL;
    if (order) order += (g->b * n->heads + g->head) * rounds * c->padded;
    int64_t chunks = rounds * c->padded / n->chunk;
    for (int64_t r = 0; r < rounds; r++) {
        int64_t chunk = (order ? right_place(c, order, r, t) : t) / n->chunk;
        g->count[r] = 0;
        for (int64_t o = -n->before; o <= n->after; o++)
            for (int64_t i = 0; i < n->chunk; i++) {
                int64_t place = right_neighbour(chunk, o, chunks) * n->chunk + i;
                int64_t key = order ? (int64_t)order[place] % c->padded : place;
                g->keys[found++] = key;
                g->count[r] += key == t;
            }
    }
    return found;
}

static void query_gradient(gradient_t *g, int64_t t) {
    const gnode_t *n = g->attention;
    int64_t count = 0, all = find_keys(g, t);
    double longest = 0;
    for (int64_t i = 0; i < all; i++) {
        int64_t key = g->keys[i];
        longest = fmax(longest, right_norm(g->k, at(g, key), g->d));
        if (right_is_masked(g->c, g->mask, g->b, key) || (n->causal && key > t)) continue;
        if (g->shared && key == t) continue;
        g->seen[count++] = right_score(g->c, g->q, g->k, g->b, g->head, t, key, g->shared);
    }
    double shift =
        right_norm(g->q, at(g, t), g->d) * (g->shared ? 1 : longest / sqrt((double)g->d));
    if (count) softmax_gradient(g, t, count, shift);
    else if (g->sorted) add(g, &g->dv, t, right_self_weight(g->count, n->rounds), 0, g->dy, t);
    else if (g->shared) add(g, &g->dv, t, 1, 0, g->dy, t);
    else
        for (int64_t i = 0; i < all; i++) add(g, &g->dv, g->keys[i], 1, 0, g->dy, t);
}

/* dx = g - x f^2 <x, g>, of g = f dk. */
static void through_norm(gradient_t *g, int64_t t) {
    double f = factor_of(g, t), *v = g->dk.v + t * g->d, *e = g->dk.e + t * g->d, along = 0,
           off = 0, size = 0;
    for (int64_t j = 0; j < g->d; j++) {
        double x = g->k->v[at(g, t) + j];
        along += x * v[j];
        off += fabs(x) * e[j];
        size += fabs(x * v[j]);
    }
    off += size * RIGHT_U * (double)(2 * g->d + 16);
    for (int64_t j = 0; j < g->d; j++) {
        double x = g->k->v[at(g, t) + j];
        v[j] -= x * f * f * along;
        e[j] += fabs(x) * f * f * off + 4 * RIGHT_U * fabs(v[j]);
    }
}

static void put(const gradient_t *g, int64_t part, int64_t t, const sums_t *x, const sums_t *more) {
    const right_ctx_t *c = g->c;
    int64_t width = c->n->heads * g->d, parts = c->n->shape[2].c / width;
    int64_t to = ((g->b * c->padded + t) * parts + part) * width + g->head * g->d;
    for (int64_t j = 0; j < g->d; j++) {
        int64_t i = t * g->d + j;
        double e = x->e[i] + FLT_MIN;
        c->y->v[to + j] = x->v[i] + (more ? more->v[i] : 0);
        c->y->e[to + j] = e + (more ? more->e[i] + RIGHT_U * fabs(c->y->v[to + j]) : 0);
    }
}

static void head_gradient(gradient_t *g) {
    int64_t all = g->c->padded * g->d;
    sums_t *sums[] = {&g->dq, &g->dk, &g->dv};
    for (int i = 0; i < 3; i++) {
        memset(sums[i]->v, 0, sizeof(double) * (size_t)all);
        memset(sums[i]->e, 0, sizeof(double) * (size_t)all);
    }
    for (int64_t t = 0; t < g->c->padded; t++) query_gradient(g, t);
    for (int64_t t = 0; t < g->c->padded; t++) {
        if (g->shared) through_norm(g, t);
        put(g, 0, t, &g->dq, g->sorted ? &g->dk : NULL);
        if (!g->sorted) put(g, 1, t, &g->dk, NULL);
        put(g, g->sorted ? 1 : 2, t, &g->dv, NULL);
    }
}

void right_attention_grad(const right_ctx_t *c) {
    const gnode_t *n = c->n;
    arena_t *a = c->k->arena;
    int64_t rounds = n->rounds > 0 ? n->rounds : 1, span = n->before + 1 + n->after;
    int64_t max = n->op == G_EXACT_ATTENTION_GRAD ? c->padded : rounds * span * n->chunk;
    bool sorted = n->op == G_LSH_ATTENTION_GRAD;
    gradient_t g = {.c = c,
                    .attention = n,
                    .sorted = sorted,
                    .shared = sorted || n->shared_qk,
                    .dy = right_input(c, 0),
                    .y = right_input(c, 1),
                    .q = right_input(c, 3),
                    .k = right_input(c, sorted ? 3 : 4),
                    .v = right_input(c, sorted ? 4 : 5),
                    .mask = n->in[6],
                    .terms = max,
                    .d = n->head_size,
                    .keys = ARENA_ARRAY(a, int64_t, max),
                    .count = ARENA_ARRAY(a, int64_t, rounds),
                    .seen = ARENA_ARRAY(a, score_t, max)};
    sums_t *sums[] = {&g.dq, &g.dk, &g.dv};
    for (int i = 0; i < 3; i++) {
        sums[i]->v = ARENA_ARRAY(a, double, c->padded *g.d);
        sums[i]->e = ARENA_ARRAY(a, double, c->padded *g.d);
    }
    for (g.b = 0; g.b < c->batch; g.b++)
        for (g.head = 0; g.head < n->heads; g.head++) head_gradient(&g);
}
