/* Sorted chunks in a ring: the query-keys of a chunk transposed, its values, positions and norms;
 * and how the window sees them. */
#include "lower/lsh_attention.h"

/* ---- gathering a chunk into the ring --------------------------------------------------------- */

/* Token at lane `lane` of the chunk being gathered, as an index. */
static affine_t sorted_token(lower_t *L, builder_t *b, void *ctx, affine_t lane) {
    const lsh_t *c = ctx;
    affine_t at =
        ax_add(ax_scale(c->gather_chunk, c->a->chunk), clamp_lane(L, b, lane, c->a->chunk));
    affine_t ix[] = {c->batch, c->head, c->gather_round, at};
    return ax_v(b_name(load1(b, c->a->order, 4, ix), "token"));
}

/* Rows of huge norms are kept lessened: as queries, and as keys, whose factors make it good. */
static void lessen_panel(lower_t *L, builder_t *b, lsh_t *c, affine_t panel, value_t *max,
                         value_t *const *norms) {
    buffer_t *scales[] = {c->key_scale, c->key_scale2};
    inst_t *usual =
        b_if(b, b_compare(b, OP_LE, max, b_const(b, SCALAR(E_F32), HUGE_NORM)), 0, NULL);
    b_likely(usual);
    b_else(b, usual, NULL);
    lessen_queries(L, b, c->w->queries, c->gather_slot, panel, norms);
    for (int i = 0; i < 2 * L->tiles->vectors; i++) {
        int j = i / 2;
        affine_t ix[] = {c->gather_slot, ax_plus(ax_scale(panel, L->tile), (int64_t)j * L->lanes)};
        value_t *x = b_load(b, scales[i % 2], L->lanes, ix),
                *by = by_norm(b, norms[j], 1 / LESS, 1);
        b_store(b, scales[i % 2], b_binary(b, OP_MUL, x, by), ix);
    }
    b_end_if(b, usual, NULL);
}

/* Norms of a panel's rows, and the keys' factors; returns the greatest with slot_most. */
static value_t *gather_norms(lower_t *L, builder_t *b, lsh_t *c, affine_t panel,
                             value_t *slot_max) {
    int nv = L->tiles->vectors;
    value_t *squares[MAX_VECTORS], *norms[MAX_VECTORS], *max = NULL;
    panel_squares(L, b, c->w->queries, c->w->order, c->gather_slot, panel, squares);
    for (int j = 0; j < nv; j++) {
        value_t *scale = key_factor(b, squares[j], c->a->head_size),
                *norm = norms[j] = row_norm(b, squares[j]);
        affine_t first = ax_plus(ax_scale(panel, L->tile), (int64_t)j * L->lanes);
        affine_t nx[] = {c->gather_slot, first};
        b_store(b, c->key_scale, scale, nx);
        b_store(b, c->key_scale2, b_binary(b, OP_MUL, scale, splat(b, L, LOG2_E)), nx);
        b_store(b, c->norm, norm, nx);
        max = max ? b_binary(b, OP_MAX, max, norm) : norm;
    }
    affine_t mx[] = {c->gather_slot, panel};
    max = reduce(b, L, OP_MAX, max);
    b_store(b, c->max_norm, max, mx);
    lessen_panel(L, b, c, panel, max, norms);
    return b_binary(b, OP_MAX, slot_max, max);
}

static void gather_value_pairs(lower_t *L, builder_t *b, lsh_t *c, int64_t lanes) {
    buffer_t *v = c->a->v;
    inst_t *loop = b_for(b, "pair", dim(0), dim(lanes / 2), 0, NULL);
    affine_t pair = ax_v(loop_var(loop)), lane = ax_scale(pair, 2), tokens[2];
    for (int i = 0; i < 2; i++) tokens[i] = sorted_token(L, b, c, ax_plus(lane, i));
    copy_value_pair(L, b, v, batch_in(&c->in, v), head_in(&c->in, v), tokens, c->values,
                    c->gather_slot, pair);
    b_end_for(b, loop, NULL);
}

/* Positions, values and norms of the chunk in gather_slot. */
static void gather_rest(lower_t *L, builder_t *b, lsh_t *c, int64_t lanes) {
    inst_t *loop = b_for(b, "lane", dim(0), dim(lanes), 0, NULL);
    affine_t lane = ax_v(loop_var(loop)), token = sorted_token(L, b, c, lane);
    affine_t px[] = {c->gather_slot, lane}, kx[] = {c->batch, token};
    value_t *t = b_index(b, token);
    b_store(b, c->w->query_pos, b_convert(b, E_I32, t), px);
    b_store(b, c->key_pos, load1(b, L->key_position, 2, kx), px);
    if (!c->a->pairs)
        copy_values(L, b, c->a->v, batch_in(&c->in, c->a->v), head_in(&c->in, c->a->v), token,
                    c->values, c->gather_slot, lane);
    b_end_for(b, loop, NULL);
    if (c->a->pairs) gather_value_pairs(L, b, c, lanes);

    value_t *max = b_const(b, SCALAR(E_F32), 0);
    inst_t *panels = b_for(b, "panel", dim(0), dim(lanes / L->tile), 1, &max);
    max = gather_norms(L, b, c, ax_v(loop_var(panels)), loop_arg(panels, 0));
    b_end_for(b, panels, &max);
    b_store(b, c->max_of_slot, panels->results[0], &c->gather_slot);
}

void gather(lower_t *L, builder_t *b, lsh_t *c, affine_t chunk, affine_t offset, affine_t slot) {
    c->gather_slot = slot;
    affine_t flat = ax_add(ax_scale_dim(c->round, c->chunks), chunk);
    value_t *other = b_index(b, window_chunk(L, b, c->a, c->total, flat, offset));
    c->gather_round = ax_v(b_name(b_idiv(b, other, c->chunks), "from_round"));
    c->gather_chunk = ax_v(b_name(b_irem(b, other, c->chunks), "from_chunk"));
    int64_t lanes = round_up(c->a->chunk, L->tile);
    transpose_rows(L, b, c->a->q, batch_in(&c->in, c->a->q), head_in(&c->in, c->a->q),
                   c->w->queries, slot, sorted_token, c);
    gather_rest(L, b, c, lanes);
}

affine_t ring_slot(builder_t *b, const lsh_t *c, affine_t step) {
    if (c->ring == 1) return ax(0);
    return ax_v(b_name(b_irem(b, b_index(b, step), dim(c->ring)), "slot"));
}

/* ---- the window's view of the ring ----------------------------------------------------------- */

static void lsh_open(lower_t *L, builder_t *b, window_t *w, value_t *o) {
    (void)L;
    lsh_t *c = w->ctx;
    c->slot = ring_slot(b, c, ax_plus(ax_add(c->gathered, ax_v(o)), 1)); /* the oldest: o = 0 */
}

static value_t *lsh_key(lower_t *L, builder_t *b, window_t *w, affine_t stretch, affine_t lane,
                        affine_t k) {
    (void)L;
    const lsh_t *c = w->ctx;
    int each = w->order == DOT_PAIRS ? 2 : 1;
    affine_t ix[] = {c->slot, stretch, k, ax_scale(lane, each)};
    return b_load(b, w->queries, each, ix);
}

static value_t *lsh_scale(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    (void)L;
    const lsh_t *c = w->ctx;
    affine_t ix[] = {c->slot, key};
    return b_load(b, c->bounded ? c->key_scale2 : c->key_scale, 1, ix);
}

static value_t *lsh_pos(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    (void)L;
    const lsh_t *c = w->ctx;
    affine_t ix[] = {c->slot, key};
    return b_load(b, c->key_pos, 1, ix);
}

/* Positions of keys are those of the slot's queries. */
static value_t *lsh_own(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    (void)L;
    const lsh_t *c = w->ctx;
    affine_t ix[] = {c->slot, key};
    return b_load(b, w->query_pos, 1, ix);
}

value_t *ring_norm(lower_t *L, builder_t *b, window_t *w, int j) {
    const lsh_t *c = w->ctx;
    affine_t nx[] = {w->query_slot, ax_plus(panel_lane(L, w), (int64_t)j * L->lanes)};
    return b_load(b, c->norm, L->lanes, nx);
}

value_t *is_far(lower_t *L, builder_t *b, const lsh_t *c, int j) {
    return b_compare(b, OP_GT, ring_norm(L, b, c->w, j), splat(b, L, FAR));
}

static value_t *lsh_self(lower_t *L, builder_t *b, window_t *w, int j) {
    return b_select(b, is_far(L, b, w->ctx, j), splat(b, L, SELF_KEY), splat(b, L, NOTHING));
}

static value_t *lsh_value(lower_t *L, builder_t *b, window_t *w, affine_t key, affine_t panel,
                          int64_t col) {
    const lsh_t *c = w->ctx;
    return value_in_panel(L, b, c->values, c->slot, key, panel, col);
}

/* The output row of a lane of this panel, and the rows of the same lane of the next chunk to be
 * gathered: sorting has strewn them over memory. */
static void lsh_ahead(lower_t *L, builder_t *b, window_t *w, affine_t lane) {
    const lsh_t *c = w->ctx;
    affine_t row = clamp_lane(L, b, ax_add(panel_lane(L, w), lane), c->a->chunk);
    affine_t px[] = {w->query_slot, row};
    affine_t token = ax_v(b_load(b, w->query_pos, 1, px));
    affine_t ox[] = {ax(0), ax(0), token, ax(0)};
    prefetch_row(b, c->a->out, in_heads(&c->in, c->a->out, ox), c->a->head_stride);
    value_t *next = at_most(b, ax_plus(c->chunk, c->a->after + 1), dim_sub(c->chunks, dim(1)));
    affine_t chunk = ax_v(b_name(next, "next"));
    affine_t ix[] = {c->batch, c->head, c->round, ax_add(ax_scale(chunk, c->a->chunk), row)};
    token = ax_v(b_name(load1(b, c->a->order, 4, ix), "token"));
    affine_t qx[] = {ax(0), ax(0), token, ax(0)}, vx[] = {ax(0), ax(0), token, ax(0)};
    prefetch_row(b, c->a->q, in_heads(&c->in, c->a->q, qx), c->a->head_stride);
    prefetch_row(b, c->a->v, in_heads(&c->in, c->a->v, vx), c->a->head_stride);
}

static affine_t lsh_place(lower_t *L, builder_t *b, window_t *w) {
    const lsh_t *c = w->ctx;
    (void)b;
    return ax_add(ax_scale(c->chunk, c->a->chunk), panel_lane(L, w));
}

window_t ring_window(const lower_t *L, lsh_t *c) {
    return (window_t){.chunk = c->a->chunk,
                      .contiguous = L->tile,
                      .order = order_of_products(c->a),
                      .span = c->ring,
                      .width = c->a->head_stride,
                      .causal = c->a->causal,
                      .exclude_self = true,
                      .masked = NOTHING,
                      .ctx = c,
                      .ahead = lsh_ahead,
                      .row = lsh_place,
                      .open_chunk = lsh_open,
                      .key_at = lsh_key,
                      .key_scale = lsh_scale,
                      .key_pos = lsh_pos,
                      .key_own = lsh_own,
                      .self_score = lsh_self,
                      .norm = ring_norm,
                      .value_at = lsh_value};
}

value_t *keys_have_squares(builder_t *b, const lsh_t *c) {
    value_t *max = NULL;
    for (int64_t slot = 0; slot < c->ring; slot++) {
        affine_t at = ax(slot);
        value_t *x = b_load(b, c->max_of_slot, 1, &at);
        max = max ? b_binary(b, OP_MAX, max, x) : x;
    }
    return b_compare(b, OP_LE, max, b_const(b, SCALAR(E_F32), MAX_NORM));
}
