/* Rows of a chunk of queries, and of one of keys, copied side by side for the products
 * of attention_gradient.c. */
#include "lower/attention_gradient.h"

bool has_filler_rows(const grad_t *g) {
    return g->length % g->size != 0;
}

affine_t chunk_row(lower_t *L, builder_t *b, const grad_t *g, affine_t round, affine_t chunk,
                   affine_t lane) {
    affine_t at = ax_add(ax_scale(chunk, g->size), lane);
    affine_t ix[] = {g->batch, g->head, round, at};
    if (is_sorted(g->a)) return ax_v(b_name(load1(b, g->a->order, 4, ix), "token"));
    if (!has_filler_rows(g)) return at;
    return ax_v(b_name(at_most(b, at, dim_sub(L->padded, dim(1))), "row"));
}

static affine_t query_row(lower_t *L, builder_t *b, void *ctx, affine_t lane) {
    const grad_t *g = ctx;
    return chunk_row(L, b, g, g->round, g->chunk, clamp_lane(L, b, lane, g->size));
}

value_t *is_chunk_row(builder_t *b, const grad_t *g, affine_t chunk, affine_t lane) {
    if (!has_filler_rows(g)) return NULL;
    value_t *row = b_index(b, ax_add(ax_scale(chunk, g->size), lane));
    return b_compare(b, OP_LT, row, b_index(b, ax(g->length)));
}

typedef struct {
    buffer_t *from, *to;
    heads_t in;
    affine_t row, lane;
} copied_t;

static void copy_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const copied_t *c = ctx;
    affine_t from[] = {ax(0), ax(0), c->row, at}, to[] = {c->lane, at};
    (void)L;
    b_store(b, c->to, b_load(b, c->from, width, in_heads(&c->in, c->from, from)), to);
}

static void copy_row_of(lower_t *L, builder_t *b, const grad_t *g, buffer_t *from, affine_t row,
                        buffer_t *to, affine_t lane) {
    copied_t c = {from, to, g->in, row, lane};
    for_span(L, b, g->a->head_stride, copy_span, &c);
}

/* Pairs of rows of a chunk, in panels. */
static void pair_rows(lower_t *L, builder_t *b, const grad_t *g, buffer_t *from, affine_t round,
                      affine_t chunk, buffer_t *to) {
    inst_t *loop = b_for(b, "pair", dim(0), dim(pairs_of(g->size)), 0, NULL);
    affine_t pair = ax_v(loop_var(loop)), rows[2];
    for (int i = 0; i < 2; i++) {
        affine_t lane = ax_plus(ax_scale(pair, 2), i);
        if (g->size % 2) lane = ax_v(at_most(b, lane, dim(g->size - 1)));
        rows[i] = chunk_row(L, b, g, round, chunk, lane);
    }
    copy_value_pair(L, b, from, batch_in(&g->in, from), head_in(&g->in, from), rows, to, ax(0),
                    pair);
    b_end_for(b, loop, NULL);
}

/* Of bf16 weights have no scale that makes nothing of them where there is no query, or one
 * without keys; a shift does. */
static value_t *shift_of(builder_t *b, const grad_t *g, value_t *shift, value_t *scale) {
    if (g->order == ONE_BY_ONE) return shift;
    value_t *none = b_compare(b, OP_EQ, scale, b_const(b, SCALAR(E_F32), 0));
    return b_select(b, none, b_const(b, SCALAR(E_F32), GREATEST), shift);
}

/* Lanes that are no queries have no probabilities. */
static void blank_lanes(builder_t *b, const grad_t *g) {
    if (g->lanes == g->size) return;
    value_t *zero = b_const(b, SCALAR(E_F32), 0);
    inst_t *loop = b_for(b, "lane", dim(g->size), dim(g->lanes), 0, NULL);
    affine_t lane = ax_v(loop_var(loop));
    b_store(b, g->query_pos, b_iconst(b, SCALAR(E_I32), 0), &lane);
    b_store(b, g->shift, shift_of(b, g, zero, zero), &lane);
    b_store(b, g->scale, zero, &lane);
    b_store(b, g->mean, zero, &lane);
    b_end_for(b, loop, NULL);
}

void gather_chunk_queries(lower_t *L, builder_t *b, grad_t *g) {
    const attention_t *a = g->a;
    transpose_rows(L, b, a->q, batch_in(&g->in, a->q), head_in(&g->in, a->q), g->queries, ax(0),
                   query_row, g);
    transpose_rows(L, b, a->dy_factor, g->batch, g->head, g->results, ax(0), query_row, g);
    inst_t *loop = b_for(b, "lane", dim(0), dim(g->size), 0, NULL);
    affine_t lane = ax_v(loop_var(loop)), row = chunk_row(L, b, g, g->round, g->chunk, lane);
    affine_t rx[] = {g->batch, g->head, row}, sx[] = {ax(0), ax(0), row};
    (void)in_heads(&g->in, a->row_scale, sx); /* shift and scale are kept or none */
    value_t *scale = load1(b, a->row_scale, 3, sx), *real = is_chunk_row(b, g, g->chunk, lane);
    if (real) scale = b_select(b, real, scale, b_const(b, SCALAR(E_F32), 0));
    b_store(b, g->scale, scale, &lane);
    b_store(b, g->shift, shift_of(b, g, load1(b, a->row_shift, 3, sx), scale), &lane);
    b_store(b, g->mean, load1(b, a->row_mean, 3, rx), &lane);
    b_store(b, g->query_pos, b_convert(b, E_I32, b_index(b, row)), &lane);
    if (g->order != DOT_PAIRS) {
        copy_row_of(L, b, g, a->q, row, g->q, lane);
        copy_row_of(L, b, g, a->dy_factor, row, g->dy, lane);
    }
    b_end_for(b, loop, NULL);
    if (g->order == DOT_PAIRS) {
        pair_rows(L, b, g, a->q, g->round, g->chunk, g->q);
        pair_rows(L, b, g, a->dy_factor, g->round, g->chunk, g->dy);
    }
    blank_lanes(b, g);
}

void gather_chunk_keys(lower_t *L, builder_t *b, grad_t *g) {
    const attention_t *a = g->a;
    ltype_t i32 = SCALAR(E_I32);
    inst_t *loop = b_for(b, "lane", dim(0), dim(g->size), 0, NULL);
    affine_t lane = ax_v(loop_var(loop)), row = chunk_row(L, b, g, g->other_round, g->other, lane);
    affine_t kx[] = {g->batch, row}, nx[] = {ax(0), ax(0), row};
    value_t *at = b_convert(b, E_I32, b_index(b, row)), *own = at,
            *pos = load1(b, L->key_position, 2, kx);
    value_t *real = is_chunk_row(b, g, g->other, lane);
    if (real) {
        own = b_select(b, real, own, b_iconst(b, i32, -1));
        pos = b_select(b, real, pos, b_iconst(b, i32, REFORMER_ABSENT));
    }
    b_store(b, g->key_row, at, &lane);
    b_store(b, g->key_own, own, &lane);
    b_store(b, g->key_pos, pos, &lane);
    value_t *scale = a->lsh ? load1(b, a->key_norm, 3, in_heads(&g->in, a->key_norm, nx))
                            : b_const(b, SCALAR(E_F32), inverse_root(a->head_size));
    b_store(b, g->key_scale, scale, &lane);
    copy_row_of(L, b, g, a->lsh ? a->q : a->k, row, g->k, lane);
    copy_row_of(L, b, g, a->v, row, g->v, lane);
    b_end_for(b, loop, NULL);
    if (g->order == DOT_PAIRS)
        pair_rows(L, b, g, a->lsh ? a->q : a->k, g->other_round, g->other, g->k_pairs);
}
