/* What rounds of LSH attention add up to: per token the sum of weights and the unnormalised output,
 * and, where |q| is not the shift, the maximum. */
#include "lower/lsh_attention.h"
#include "lower/math.h"

/* Token of lane `row` of the panel. */
static affine_t panel_token(lower_t *L, builder_t *b, const lsh_t *c, affine_t row) {
    affine_t lane = clamp_lane(L, b, ax_add(panel_lane(L, c->w), row), c->a->chunk);
    affine_t px[] = {c->w->query_slot, lane};
    return ax_v(b_name(b_load(b, c->w->query_pos, 1, px), "token"));
}

/* What dropout leaves of a row that sees only itself: the factors of where it does. */
static void keep_self(lower_t *L, builder_t *b, lsh_t *c, affine_t lane, affine_t token) {
    value_t *self = b_convert(b, E_I32, b_index(b, token)), *sum = b_const(b, SCALAR(E_F32), 0);
    affine_t row = ax_add(c->w->row(L, b, c->w), lane);
    inst_t *chunks = b_for(b, "o", dim(0), dim(c->w->span), 1, &sum);
    c->w->open_chunk(L, b, c->w, loop_var(chunks));
    sum = loop_arg(chunks, 0);
    inst_t *keys = b_for(b, "key", dim(0), dim(c->a->chunk), 1, &sum);
    affine_t key = ax_v(loop_var(keys)), kx[] = {c->slot, key};
    sum = loop_arg(keys, 0);
    value_t *same = b_compare(b, OP_EQ, b_load(b, c->w->query_pos, 1, kx), self);
    inst_t *found = b_if(b, same, 1, &sum->type);
    affine_t place = ax_add(ax_scale(ax_v(loop_var(chunks)), c->a->chunk), key);
    value_t *more = b_binary(b, OP_ADD, sum, kept_one(L, b, c->w->kept, row, place));
    b_else(b, found, &more);
    b_end_if(b, found, &sum);
    b_end_for(b, keys, found->results);
    b_end_for(b, chunks, keys->results);
    affine_t sx[] = {c->batch, c->head, c->round, token};
    b_store(b, c->a->self_kept, chunks->results[0], sx);
}

/* How often the token of lane `row` stands among the keys of its window, where it sees no other
 * (`alone`): rare, so found by looking. */
static void count_self(lower_t *L, builder_t *b, lsh_t *c, value_t *is_alone, affine_t lane,
                       affine_t token) {
    ltype_t i32 = SCALAR(E_I32);
    inst_t *alone = b_if(b, is_alone, 0, NULL);
    value_t *self = b_convert(b, E_I32, b_index(b, token)), *zero = b_iconst(b, i32, 0);
    inst_t *chunks = b_for(b, "o", dim(0), dim(c->w->span), 1, &zero);
    c->w->open_chunk(L, b, c->w, loop_var(chunks));
    value_t *count = b_name(loop_arg(chunks, 0), "count");
    inst_t *keys = b_for(b, "key", dim(0), dim(c->a->chunk), 1, &count);
    affine_t kx[] = {c->slot, ax_v(loop_var(keys))};
    value_t *same = b_compare(b, OP_EQ, b_load(b, c->w->query_pos, 1, kx), self);
    count = b_binary(b, OP_SUB, b_name(loop_arg(keys, 0), "count"), same); /* true is -1 */
    b_end_for(b, keys, &count);
    b_end_for(b, chunks, keys->results);
    affine_t sx[] = {c->batch, c->head, c->round, token};
    b_store(b, c->a->self_count, chunks->results[0], sx);
    if (c->w->kept) keep_self(L, b, c, lane, token);
    b_end_if(b, alone, NULL);
}

/* Of the output before this round, which there is but in a first one, and of this round's. */
static void store_factors(builder_t *b, const lsh_t *c, int64_t lane, value_t *rescale,
                          value_t *gain) {
    affine_t ix = ax(lane);
    if (c->a->rounds > 1) b_store(b, c->rescale, rescale, &ix);
    b_store(b, c->gain, gain, &ix);
}

void add_sums(lower_t *L, builder_t *b, lsh_t *c, value_t **sum) {
    value_t *one = splat(b, L, 1);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix = ax((int64_t)j * L->lanes);
        b_store(b, c->total_sum, sum[j], &ix);
        store_factors(b, c, (int64_t)j * L->lanes, one, one);
    }
    inst_t *loop = b_for(b, "lane", dim(0), dim(L->tile), 0, NULL);
    affine_t lane = ax_v(loop_var(loop));
    inst_t *guard = window_guard(L, b, c->w, lane);
    affine_t token = panel_token(L, b, c, lane), sx[] = {c->batch, c->head, token};
    value_t *x = b_load(b, c->total_sum, 1, &lane);
    b_store(b, c->a->sum_so_far, b_binary(b, OP_ADD, load1(b, c->a->sum_so_far, 3, sx), x), sx);
    value_t *none = b_compare(b, OP_EQ, x, b_const(b, SCALAR(E_F32), 0));
    count_self(L, b, c, none, lane, token);
    window_end_guard(b, guard);
    b_end_for(b, loop, NULL);
}

/* What a round adds to one vector of a panel: its maximum, its sum, the factor of its output. */
typedef struct {
    value_t *max, *sum, *scale;
} round_t;

/* As it is, or in a far row its log-sum-exp, 1, and the factor that makes its
 * weights Hugging Face's. */
static round_t this_round(lower_t *L, builder_t *b, value_t *far, value_t *max, value_t *sum) {
    value_t *one = splat(b, L, 1), *lse = b_binary(b, OP_ADD, m_log(L, b, sum), max);
    return (round_t){.max = b_select(b, far, lse, max),
                     .sum = b_select(b, far, one, sum),
                     .scale = b_select(b, far, far_scale(L, b, max, sum), one)};
}

/* What the last round multiplies the output of far rows by, so that o / s is their rounds' weighed
 * by what Hugging Face rounds to; else 1. */
static value_t *last_scale(lower_t *L, builder_t *b, const lsh_t *c, value_t *far, value_t *top,
                           value_t *total) {
    value_t *last =
        b_compare(b, OP_EQ, b_index(b, c->round), b_iconst(b, SCALAR(E_I64), c->a->rounds - 1));
    far = b_binary(b, OP_AND, far, b_broadcast(b, last, L->lanes));
    value_t *scale = b_binary(b, OP_MUL, total, far_scale(L, b, top, total));
    return b_select(b, far, scale, splat(b, L, 1));
}

/* The sums so far of the panel's tokens. */
static void load_sums(lower_t *L, builder_t *b, const lsh_t *c) {
    inst_t *loop = b_for(b, "lane", dim(0), dim(L->tile), 0, NULL);
    affine_t lane = ax_v(loop_var(loop));
    affine_t tx[] = {c->batch, c->head, panel_token(L, b, c, lane)};
    b_store(b, c->top, load1(b, c->a->max_so_far, 3, tx), &lane);
    b_store(b, c->total_sum, load1(b, c->a->sum_so_far, 3, tx), &lane);
    b_end_for(b, loop, NULL);
}

static void store_sums(lower_t *L, builder_t *b, lsh_t *c) {
    inst_t *loop = b_for(b, "lane", dim(0), dim(L->tile), 0, NULL);
    affine_t lane = ax_v(loop_var(loop));
    inst_t *guard = window_guard(L, b, c->w, lane);
    affine_t token = panel_token(L, b, c, lane), sx[] = {c->batch, c->head, token};
    b_store(b, c->a->max_so_far, b_load(b, c->top, 1, &lane), sx);
    b_store(b, c->a->sum_so_far, b_load(b, c->total_sum, 1, &lane), sx);
    value_t *zero = b_const(b, SCALAR(E_F32), 0);
    count_self(L, b, c, b_compare(b, OP_EQ, b_load(b, c->round_sum, 1, &lane), zero), lane, token);
    window_end_guard(b, guard);
    b_end_for(b, loop, NULL);
}

/* This round's of vector j merged with those so far, and the factors for both outputs. */
static void merge_vector(lower_t *L, builder_t *b, const lsh_t *c, int j, value_t *max,
                         value_t *sum) {
    affine_t ix = ax((int64_t)j * L->lanes);
    value_t *m = b_load(b, c->top, L->lanes, &ix), *s = b_load(b, c->total_sum, L->lanes, &ix);
    value_t *far = is_far(L, b, c, j), *one = splat(b, L, 1);
    round_t r = this_round(L, b, far, max, sum);
    value_t *top = b_binary(b, OP_MAX, m, r.max);
    value_t *is_shift = b_compare(b, OP_LE, ring_norm(L, b, c->w, j), splat(b, L, MAX_SHIFT));
    value_t *rescale = m_exp(L, b, b_binary(b, OP_SUB, m, top));
    value_t *gain = m_exp(L, b, b_binary(b, OP_SUB, r.max, top));
    rescale = b_select(b, is_shift, one, rescale);
    gain = b_select(b, is_shift, one, gain);
    value_t *total = b_fma(b, s, rescale, b_binary(b, OP_MUL, r.sum, gain));
    value_t *scale = last_scale(L, b, c, far, top, total);
    b_store(b, c->round_sum, r.sum, &ix);
    b_store(b, c->top, top, &ix);
    b_store(b, c->total_sum, total, &ix);
    store_factors(b, c, j * L->lanes, b_binary(b, OP_MUL, rescale, scale),
                  b_binary(b, OP_MUL, b_binary(b, OP_MUL, gain, r.scale), scale));
}

void merge_sums(lower_t *L, builder_t *b, lsh_t *c, value_t **max, value_t **sum) {
    load_sums(L, b, c);
    for (int j = 0; j < L->tiles->vectors; j++) merge_vector(L, b, c, j, max[j], sum[j]);
    store_sums(L, b, c);
}

/* The un-sort and the combination in one: out[token] = acc * gain in the first round; later
 * out[token] * rescale + acc * gain, both of which are 1 where |q| is the shift,
 * and then round nothing. */
static void put_rows(lower_t *L, builder_t *b, const lsh_t *c, affine_t row, affine_t col, int rows,
                     value_t **acc, bool first) {
    int nv = L->tiles->vectors;
    for (int i = 0; i < rows; i++) {
        affine_t lane = ax_plus(row, i);
        inst_t *guard = window_guard(L, b, c->w, lane);
        value_t *rescale = NULL, *gain = b_broadcast(b, b_load(b, c->gain, 1, &lane), L->lanes);
        if (!first) rescale = b_broadcast(b, b_load(b, c->rescale, 1, &lane), L->lanes);
        affine_t token = panel_token(L, b, c, lane);
        for (int j = 0; j < nv; j++) {
            affine_t ox[] = {ax(0), ax(0), token, ax_plus(col, (int64_t)j * L->lanes)};
            (void)in_heads(&c->in, c->a->out, ox);
            value_t *x = acc[i * nv + j], *old = first ? NULL : b_load(b, c->a->out, L->lanes, ox);
            if (first) x = b_binary(b, OP_MUL, x, gain);
            else x = b_fma(b, x, gain, b_binary(b, OP_MUL, old, rescale));
            b_store(b, c->a->out, x, ox);
        }
        window_end_guard(b, guard);
    }
}

void put_round(lower_t *L, builder_t *b, window_t *w, affine_t row, affine_t col, int rows,
               value_t **acc) {
    const lsh_t *c = w->ctx;
    value_t *zero = b_iconst(b, SCALAR(E_I64), 0);
    inst_t *first = b_if(b, b_compare(b, OP_EQ, b_index(b, c->round), zero), 0, NULL);
    put_rows(L, b, c, row, col, rows, acc, true);
    b_else(b, first, NULL);
    put_rows(L, b, c, row, col, rows, acc, false);
    b_end_if(b, first, NULL);
}
