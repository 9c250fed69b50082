/* What comes out of the two products of attention_gradient.c that have the shape of scores:
 * probabilities, or of bf16 weights, and gradients of scores, as factors of the other three. */
#include "lower/attention_gradient.h"

#include "lower/math.h"

/* What lanes of the panel's vectors have of `of`, scratch [lanes]. */
static void of_queries(lower_t *L, builder_t *b, const grad_t *g, buffer_t *of, value_t **x) {
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix = ax_plus(ax_scale(g->panel, L->tile), (int64_t)j * L->lanes);
        x[j] = b_load(b, of, L->lanes, &ix);
    }
}

static value_t *of_key(lower_t *L, builder_t *b, buffer_t *of, affine_t key) {
    return b_broadcast(b, b_load(b, of, 1, &key), L->lanes);
}

/* A key in all lanes. */
typedef struct {
    value_t *scale, *pos, *own;
} seen_key_t;

/* Of a product with the key, the score that the forward has. */
static value_t *score_of(lower_t *L, builder_t *b, const grad_t *g, const seen_key_t *key,
                         value_t *query, value_t *dot) {
    value_t *x = b_binary(b, OP_MUL, dot, key->scale), *zero = splat(b, L, 0);
    if (g->a->lsh) /* of a key whose square overflows nothing remains */
        x = b_select(b, b_compare(b, OP_EQ, key->scale, zero), zero, x);
    x = b_select(b, may_see(L, b, &g->w, key->pos, query), x, splat(b, L, g->w.masked));
    x = drop_absent(L, b, &g->w, key->pos, x);
    if (!g->a->lsh) return x;
    return b_select(b, b_compare(b, OP_EQ, key->own, query), splat(b, L, SELF_KEY), x);
}

/* A probability where it goes, or of bf16 a weight. */
static void put_weight(lower_t *L, builder_t *b, const grad_t *g, value_t *x, value_t *scale,
                       const affine_t *to) {
    if (g->order == ONE_BY_ONE) b_store(b, g->p, b_binary(b, OP_MUL, x, scale), to);
    else b_store(b, g->p, rounded(b, x), to);
    (void)L;
}

void grad_weigh_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows,
                     affine_t ordinal) {
    grad_t *g = ctx;
    int nv = L->tiles->vectors;
    value_t *acc[MAX_TILE], *query[MAX_VECTORS], *shift[MAX_VECTORS], *scale[MAX_VECTORS];
    g->ordinal = ordinal;
    grad_across(L, b, g, row, rows, g->k, g->queries, acc);
    of_queries(L, b, g, g->query_pos, query);
    of_queries(L, b, g, g->shift, shift);
    if (g->order == ONE_BY_ONE) of_queries(L, b, g, g->scale, scale);
    for (int i = 0; i < rows; i++) {
        affine_t at = ax_plus(row, i);
        seen_key_t key = {of_key(L, b, g->key_scale, at), of_key(L, b, g->key_pos, at), NULL};
        if (g->a->lsh) key.own = of_key(L, b, g->key_own, at);
        for (int j = 0; j < nv; j++) {
            affine_t to[] = {at, ax_plus(ax_scale(g->panel, L->tile), (int64_t)j * L->lanes)};
            value_t *x = score_of(L, b, g, &key, query[j], acc[i * nv + j]);
            x = m_exp(L, b, b_binary(b, OP_SUB, x, shift[j]));
            put_weight(L, b, g, x, scale[j], to);
        }
    }
}

/* What dropout leaves of a product with the value, and of the probability beside it: of bf16 all of
 * a weight or nothing, the factor stands outside of the sum. */
static value_t *drop_weight(lower_t *L, builder_t *b, const grad_t *g, const affine_t *at,
                            value_t *p, value_t *x) {
    if (!g->kept) return x;
    value_t *factor = b_load(b, g->factors, L->lanes, at);
    x = b_binary(b, OP_MUL, x, factor);
    if (g->order == ONE_BY_ONE) {
        b_store(b, g->p, b_binary(b, OP_MUL, p, factor), at);
        return x;
    }
    value_t *zero = splat(b, L, 0);
    p = b_select(b, b_compare(b, OP_EQ, factor, zero), zero, p);
    b_store(b, g->p, rounded(b, p), at);
    return x;
}

/* The gradient of a score. */
static value_t *score_gradient(lower_t *L, builder_t *b, const grad_t *g, const seen_key_t *key,
                               const affine_t *at, value_t *query, value_t *mean, value_t *x) {
    value_t *p = b_convert(b, E_F32, b_load(b, g->p, L->lanes, at));
    x = drop_weight(L, b, g, at, p, x);
    x = b_binary(b, OP_MUL, b_binary(b, OP_MUL, p, b_binary(b, OP_SUB, x, mean)), key->scale);
    value_t *seen = may_see(L, b, &g->w, key->pos, query);
    return b_select(b, seen, x, splat(b, L, 0));
}

/* As a factor; of DOT_PAIRS beside that of the other key of the pair, too, behind an odd one 0.
 * `first`: of the pair's first key; `i` counts keys of the tile. */
static void put_gradient(lower_t *L, builder_t *b, const grad_t *g, const affine_t *at, int i,
                         int rows, value_t **first, value_t *x) {
    if (g->order != DOT_PAIRS) {
        b_store(b, g->ds, g->order == ONE_BY_ONE ? x : rounded(b, x), at);
        return;
    }
    affine_t pair[] = {ax_plus(g->pair, i / 2), ax_scale(at[1], 2)};
    value_t *small = b_convert(b, E_BF16, x), *second = splat(b, L, 0);
    b_store(b, g->ds, small, at);
    x = b_convert(b, E_F32, small);
    if (i % 2 == 0) *first = x;
    else second = x;
    if (i % 2 == 0 && i + 1 < rows) return;
    b_store(b, g->ds_pairs, paired(b, *first, second), pair);
}

void grad_score_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows,
                     affine_t ordinal) {
    grad_t *g = ctx;
    int nv = L->tiles->vectors;
    value_t *acc[MAX_TILE], *query[MAX_VECTORS], *mean[MAX_VECTORS], *first[MAX_VECTORS];
    (void)ordinal;
    grad_across(L, b, g, row, rows, g->v, g->results, acc);
    of_queries(L, b, g, g->query_pos, query);
    of_queries(L, b, g, g->mean, mean);
    for (int i = 0; i < rows; i++) {
        affine_t at_key = ax_plus(row, i);
        seen_key_t key = {0};
        key.scale = of_key(L, b, g->key_scale, at_key);
        key.pos = of_key(L, b, g->key_pos, at_key);
        for (int j = 0; j < nv; j++) {
            affine_t at[] = {at_key, ax_plus(ax_scale(g->panel, L->tile), (int64_t)j * L->lanes)};
            value_t *x = score_gradient(L, b, g, &key, at, query[j], mean[j], acc[i * nv + j]);
            put_gradient(L, b, g, at, i, rows, &first[j], x);
        }
    }
}
