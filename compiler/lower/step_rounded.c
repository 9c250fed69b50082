/* Attention of a step where the cache holds bf16: what a forward does with operands that are
 * rounded (window.h), for one query.
 *
 * Keys are kept without their factor: in LSH layers their squares are summed up beside the scores,
 * both reduced together, and then factors are made of whole vectors of keys. Products are of floats
 * that have been bfloat16: reading keys is what costs, and so every target has the same sums. */
#include "lower/math.h"
#include "lower/step_attention.h"
#include "lower/window.h"

static value_t *as_float(builder_t *b, value_t *x) {
    return b_convert(b, E_F32, x);
}

/* ---- the query ------------------------------------------------------------------------------- */

value_t *query_part(lower_t *L, builder_t *b, const decode_step_t *s, affine_t at) {
    affine_t qx[] = {s->row, ax_add(in_row(s, 0), at)};
    value_t *q = b_load(b, s->a->q, L->lanes, qx);
    if (!s->a->cache->rounded) return q;
    q = bf16_valued(b, q);
    return s->lessen ? b_binary(b, OP_MUL, q, b_broadcast(b, s->lessen, L->lanes)) : q;
}

/* Sums of squares of the query, in lanes. */
static value_t *query_squares(lower_t *L, builder_t *b, const decode_step_t *s) {
    value_t *sum = splat(b, L, 0);
    if (s->n <= MAX_HEAD_VECTORS) {
        for (int i = 0; i < s->n; i++) sum = b_fma(b, s->q[i], s->q[i], sum);
        return sum;
    }
    inst_t *loop = b_for(b, "part", dim(0), dim(s->n), 1, &sum);
    value_t *q = query_part(L, b, s, ax_scale(ax_v(loop_var(loop)), L->lanes));
    value_t *next = b_fma(b, q, q, loop_arg(loop, 0));
    b_end_for(b, loop, &next);
    return loop->results[0];
}

void measure_query(lower_t *L, builder_t *b, decode_step_t *s) {
    s->norm = b_name(row_norm(b, reduce(b, L, OP_ADD, query_squares(L, b, s))), "norm");
    value_t *lessen = by_norm(b, s->norm, LESS, 1);
    for (int i = 0; i < s->n && s->n <= MAX_HEAD_VECTORS; i++)
        s->q[i] = b_binary(b, OP_MUL, s->q[i], b_broadcast(b, lessen, L->lanes));
    s->lessen = lessen;
    s->raise = by_norm(b, s->norm, 1 / LESS, 1);
}

/* ---- scores ---------------------------------------------------------------------------------- */

/* The product with a key, and the key's squares; in lanes. */
typedef struct {
    value_t *dot, *squares; /* squares NULL: not asked for */
} key_sums_t;

static key_sums_t add_part(builder_t *b, key_sums_t sums, value_t *q, value_t *key) {
    sums.dot = b_fma(b, q, key, sums.dot);
    if (sums.squares) sums.squares = b_fma(b, key, key, sums.squares);
    return sums;
}

static value_t *key_part(lower_t *L, builder_t *b, const keys_t *k, affine_t *ix, affine_t at) {
    ix[k->from->rank - 1] = at;
    return as_float(b, b_load(b, k->from, L->lanes, ix));
}

static key_sums_t key_sums(lower_t *L, builder_t *b, const decode_step_t *s, const keys_t *k,
                           affine_t *ix) {
    key_sums_t sums = {splat(b, L, 0), s->a->lsh ? splat(b, L, 0) : NULL};
    ix[k->from->rank - 2] = ax(0);
    if (s->n <= MAX_HEAD_VECTORS) {
        for (int i = 0; i < s->n; i++)
            sums = add_part(b, sums, s->q[i], key_part(L, b, k, ix, ax((int64_t)i * L->lanes)));
        return sums;
    }
    value_t *acc[] = {sums.dot, sums.squares};
    inst_t *loop = b_for(b, "part", dim(0), dim(s->n), s->a->lsh ? 2 : 1, acc);
    affine_t at = ax_scale(ax_v(loop_var(loop)), L->lanes);
    sums = (key_sums_t){loop_arg(loop, 0), s->a->lsh ? loop_arg(loop, 1) : NULL};
    sums = add_part(b, sums, query_part(L, b, s, at), key_part(L, b, k, ix, at));
    value_t *next[] = {sums.dot, sums.squares};
    b_end_for(b, loop, next);
    return (key_sums_t){loop->results[0], s->a->lsh ? loop->results[1] : NULL};
}

/* Both vectors' sums, as reduce() has them: one in each half on the way. */
static key_sums_t reduced(lower_t *L, builder_t *b, key_sums_t x) {
    int low[64], high[64], half = L->lanes / 2;
    if (!x.squares || half == 0) {
        x.dot = reduce(b, L, OP_ADD, x.dot);
        if (x.squares) x.squares = reduce(b, L, OP_ADD, x.squares);
        return x;
    }
    for (int i = 0; i < L->lanes; i++) {
        low[i] = i < half ? i : L->lanes + i - half;
        high[i] = i < half ? i + half : L->lanes + i;
    }
    value_t *v = b_binary(b, OP_ADD, b_shuffle(b, x.dot, x.squares, low),
                          b_shuffle(b, x.dot, x.squares, high));
    for (int w = half / 2; w >= 1; w /= 2) {
        for (int i = 0; i < L->lanes; i++) low[i] = i ^ w;
        v = b_binary(b, OP_ADD, v, b_shuffle(b, v, v, low));
    }
    return (key_sums_t){b_extract(b, v, 0), b_extract(b, v, half)};
}

static void put_sums(builder_t *b, const decode_step_t *s, affine_t at, key_sums_t x) {
    b_store(b, s->scores, x.dot, &at);
    if (x.squares) b_store(b, s->squares, x.squares, &at);
}

/* Scores of a vector of keys, of their sums: a key whose square overflows has
 * none, as in a forward. */
static void finish_scores(lower_t *L, builder_t *b, const decode_step_t *s, affine_t at) {
    value_t *x = b_load(b, s->scores, L->lanes, &at);
    if (!s->a->lsh) {
        b_store(b, s->scores, b_binary(b, OP_MUL, x, splat(b, L, inverse_root(s->a->head_size))),
                &at);
        return;
    }
    value_t *squares = b_load(b, s->squares, L->lanes, &at), *zero = splat(b, L, 0);
    value_t *factor = key_factor(b, squares, s->a->head_size);
    x = b_binary(b, OP_MUL, b_binary(b, OP_MUL, x, factor), b_broadcast(b, s->raise, L->lanes));
    x = b_select(b, b_compare(b, OP_EQ, factor, zero), zero, x);
    x = b_select(b, b_compare(b, OP_LT, squares, zero), splat(b, L, SELF_KEY), x);
    b_store(b, s->scores, x, &at);
}

void rounded_scores(lower_t *L, builder_t *b, decode_step_t *s, const keys_t *k) {
    ltype_t f[] = {SCALAR(E_F32), SCALAR(E_F32)};
    affine_t ix[MAX_RANK];
    int n = s->a->lsh ? 2 : 1;
    key_sums_t none = {f32(b, NOTHING), s->a->lsh ? f32(b, 0) : NULL};
    for (int64_t j = k->n; j < round_up(k->n, L->lanes); j++) put_sums(b, s, ax(j), none);
    inst_t *loop = b_for(b, "j", dim(0), dim(k->n), 0, NULL), *some = NULL;
    value_t *j = loop_var(loop);
    if (k->ahead) k->ahead(L, b, s, j);
    if (k->valid) some = b_if(b, k->valid(L, b, s, j), n, f);
    k->at(L, b, s, j, ix);
    key_sums_t x = reduced(L, b, key_sums(L, b, s, k, ix));
    if (k->masks_self) {
        value_t *self = b_compare(b, OP_EQ, b_index(b, ix[0]), s->position);
        x.squares = b_select(b, self, f32(b, -1), x.squares);
    }
    if (some) {
        value_t *seen[] = {x.dot, x.squares};
        b_else(b, some, seen);
        value_t *unseen[] = {f32(b, NOTHING), f32(b, 0)};
        b_end_if(b, some, unseen);
        x = (key_sums_t){some->results[0], s->a->lsh ? some->results[1] : NULL};
    }
    put_sums(b, s, ax_v(j), x);
    b_end_for(b, loop, NULL);
    loop = b_for(b, "v", dim(0), dim(round_up(k->n, L->lanes) / L->lanes), 0, NULL);
    finish_scores(L, b, s, ax_scale(ax_v(loop_var(loop)), L->lanes));
    b_end_for(b, loop, NULL);
}

/* ---- weights --------------------------------------------------------------------------------- */

static value_t *greatest_score(lower_t *L, builder_t *b, const decode_step_t *s, dim_t vectors) {
    value_t *acc = splat(b, L, LOWEST);
    inst_t *loop = b_for(b, "v", dim(0), vectors, 1, &acc);
    affine_t at = ax_scale(ax_v(loop_var(loop)), L->lanes);
    value_t *next = b_binary(b, OP_MAX, b_load(b, s->scores, L->lanes, &at), loop_arg(loop, 0));
    b_end_for(b, loop, &next);
    return b_name(reduce(b, L, OP_MAX, loop->results[0]), "most");
}

static value_t *shift_of(builder_t *b, const decode_step_t *s, value_t *max) {
    return s->a->lsh ? b_name(rounded_shift(b, s->norm, max), "shift") : max;
}

value_t *rounded_weights(lower_t *L, builder_t *b, decode_step_t *s, int64_t n) {
    dim_t vectors = dim(round_up(n, L->lanes) / L->lanes);
    value_t *shift = shift_of(b, s, greatest_score(L, b, s, vectors));
    value_t *lanes = b_broadcast(b, shift, L->lanes), *acc = splat(b, L, 0);
    inst_t *loop = b_for(b, "v", dim(0), vectors, 1, &acc);
    affine_t at = ax_scale(ax_v(loop_var(loop)), L->lanes);
    value_t *x = b_binary(b, OP_SUB, b_load(b, s->scores, L->lanes, &at), lanes);
    value_t *p = bf16_valued(b, m_exp(L, b, x));
    b_store(b, s->scores, p, &at);
    value_t *next = b_binary(b, OP_ADD, loop_arg(loop, 0), p);
    b_end_for(b, loop, &next);
    value_t *sum = reduce(b, L, OP_ADD, loop->results[0]);
    s->scale = b_name(softmax_scale(L, b, shift, sum), "scale");
    return b_name(b_binary(b, OP_ADD, m_log(L, b, sum), shift), "lse");
}
