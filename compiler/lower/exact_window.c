/* What the window of exact attention sees: a block of keys and values where the
 * projection left them. */
#include "lower/exact_attention.h"

/* The last block of keys ends with the last key, and so begins with keys that
 * the one before has had. */
static void exact_open(lower_t *L, builder_t *b, window_t *w, value_t *o) {
    (void)L, (void)o;
    exact_t *c = w->ctx;
    c->first_key = ax_scale(c->key_block, c->block);
    if (c->length % c->block == 0) return;
    c->first_key = ax_v(at_most(b, c->first_key, dim(c->length - c->keys)));
}

static value_t *exact_key(lower_t *L, builder_t *b, window_t *w, affine_t stretch, affine_t lane,
                          affine_t k) {
    (void)L, (void)stretch; /* there is one */
    const exact_t *c = w->ctx;
    int each = w->order == DOT_PAIRS ? 2 : 1;
    affine_t ix[] = {ax(0), ax(0), ax_add(c->first_key, lane), ax_scale(k, each)};
    buffer_t *keys = c->a->lsh ? c->a->q : c->a->k;
    return b_load(b, keys, each, in_heads(&c->in, keys, ix));
}

static value_t *exact_scale(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    (void)L;
    const exact_t *c = w->ctx;
    if (!c->a->lsh) return local_factor(c->a, b, c->bounded ? LOG2_E : 1);
    affine_t ix[] = {ax(0), ax(0), ax_add(c->first_key, key)};
    value_t *factor = load1(b, c->a->key_norm, 3, in_heads(&c->in, c->a->key_norm, ix));
    return c->bounded ? b_binary(b, OP_MUL, factor, b_const(b, SCALAR(E_F32), LOG2_E)) : factor;
}

/* `pos`, but for keys that the block before has had. */
static value_t *not_again(builder_t *b, const exact_t *c, affine_t row, value_t *pos) {
    if (c->length % c->block == 0) return pos;
    value_t *from = b_index(b, ax_scale(c->key_block, c->block));
    value_t *again = b_compare(b, OP_LT, b_index(b, row), from);
    return b_select(b, again, b_iconst(b, SCALAR(E_I32), REFORMER_MASKED), pos);
}

static value_t *exact_pos(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    const exact_t *c = w->ctx;
    affine_t row = ax_add(c->first_key, key), ix[] = {c->batch, row};
    return not_again(b, c, row, load1(b, L->key_position, 2, ix));
}

static value_t *exact_own(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    (void)L;
    const exact_t *c = w->ctx;
    affine_t row = ax_add(c->first_key, key);
    return not_again(b, c, row, b_convert(b, E_I32, b_index(b, row)));
}

static value_t *exact_norm(lower_t *L, builder_t *b, window_t *w, int j) {
    const exact_t *c = w->ctx;
    affine_t ix[] = {w->query_slot, in_panel(L, c, j)};
    return b_load(b, c->bound, L->lanes, ix);
}

static value_t *exact_self(lower_t *L, builder_t *b, window_t *w, int j) {
    (void)w, (void)j;
    return splat(b, L, SELF_KEY);
}

static value_t *exact_value(lower_t *L, builder_t *b, window_t *w, affine_t key, affine_t panel,
                            int64_t col) {
    const exact_t *c = w->ctx;
    if (c->values) return value_in_panel(L, b, c->values, ax(0), key, panel, col);
    affine_t column = ax_plus(ax_scale(panel, L->tile), col);
    affine_t ix[] = {ax(0), ax(0), ax_add(c->first_key, key), column};
    return b_load(b, c->a->v, L->lanes, in_heads(&c->in, c->a->v, ix));
}

void pair_values(lower_t *L, builder_t *b, exact_t *c) {
    buffer_t *v = c->a->v;
    exact_open(L, b, c->w, NULL);
    inst_t *pairs = b_for(b, "pair", dim(0), dim(pairs_of(c->keys)), 0, NULL);
    affine_t pair = ax_v(loop_var(pairs)), first = ax_scale(pair, 2), second = ax_plus(first, 1);
    if (c->keys % 2) second = ax_v(at_most(b, second, dim(c->keys - 1)));
    affine_t rows[] = {ax_add(c->first_key, first), ax_add(c->first_key, second)};
    copy_value_pair(L, b, v, batch_in(&c->in, v), head_in(&c->in, v), rows, c->values, ax(0), pair);
    b_end_for(b, pairs, NULL);
}

/* The rows of the next block of keys, which for long inputs are not in a near cache. */
static void exact_ahead(lower_t *L, builder_t *b, window_t *w, affine_t lane) {
    const exact_t *c = w->ctx;
    affine_t row = ax_add(c->first_key, ax_plus(ax_add(panel_lane(L, w), lane), c->keys));
    affine_t at = ax_v(b_name(at_most(b, row, dim(c->length - 1)), "next"));
    affine_t kx[] = {ax(0), ax(0), at, ax(0)}, vx[] = {ax(0), ax(0), at, ax(0)};
    buffer_t *keys = c->a->lsh ? c->a->q : c->a->k;
    prefetch_row(b, keys, in_heads(&c->in, keys, kx), c->a->head_stride);
    prefetch_row(b, c->a->v, in_heads(&c->in, c->a->v, vx), c->a->head_stride);
}

/* Of queries, the position; those that are none at the end have any. */
static affine_t exact_place(lower_t *L, builder_t *b, window_t *w) {
    affine_t ix[] = {w->query_slot, panel_lane(L, w)};
    return ax_v(b_load(b, w->query_pos, 1, ix));
}

static affine_t exact_first(lower_t *L, builder_t *b, window_t *w) {
    exact_open(L, b, w, NULL);
    return ((const exact_t *)w->ctx)->first_key;
}

window_t exact_window(exact_t *c) {
    return (window_t){.chunk = c->keys,
                      .contiguous = c->keys,
                      .order = order_of_products(c->a),
                      .span = 1,
                      .width = c->a->head_stride,
                      .causal = c->a->causal,
                      .exclude_self = c->a->lsh,
                      .masked = NOTHING,
                      .ctx = c,
                      .ahead = exact_ahead,
                      .row = exact_place,
                      .first = exact_first,
                      .open_chunk = exact_open,
                      .key_at = exact_key,
                      .key_scale = exact_scale,
                      .key_pos = exact_pos,
                      .key_own = exact_own,
                      .self_score = exact_self,
                      .norm = exact_norm,
                      .value_at = exact_value};
}
