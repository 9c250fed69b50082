/* How rows of exact attention end: their output divided by the sum of their weights. A row without
 * keys has its own value (LSH: it sees itself, Q2) or the sum of all (local: Q1); a local row all
 * whose scores lie below that of masked keys has the values of those. */
#include "lower/exact_attention.h"

typedef struct {
    const exact_t *c;
    affine_t lane;    /* of the block of queries in hand */
    affine_t row;     /* its position */
    value_t *inverse; /* scale of the output; NULL: a row without keys */
    value_t *kept;    /* LSH, of such a row: what dropout leaves of it; NULL: all */
} output_row_t;

/* total = the sum of all values: every key counts, masked or not, but those that are absent. */
static void sum_values(lower_t *L, builder_t *b, const exact_t *c) {
    inst_t *columns = b_for(b, "column", dim(0), dim(c->a->head_stride / L->lanes), 0, NULL);
    affine_t col = ax_scale(ax_v(loop_var(columns)), L->lanes);
    value_t *sum = splat(b, L, 0);
    inst_t *keys = b_for(b, "key", dim(0), dim(c->length), 1, &sum);
    affine_t key = ax_v(loop_var(keys)), kx[] = {c->batch, key};
    affine_t vx[] = {ax(0), ax(0), key, col};
    value_t *pos = b_broadcast(b, load1(b, L->key_position, 2, kx), L->lanes);
    value_t *gone = b_iconst(b, VECTOR(E_I32, L->lanes), REFORMER_ABSENT);
    value_t *v = b_load(b, c->a->v, L->lanes, in_heads(&c->in, c->a->v, vx));
    v = b_convert(b, E_F32, v);
    v = b_select(b, b_compare(b, OP_EQ, pos, gone), splat(b, L, 0), v);
    sum = b_binary(b, OP_ADD, loop_arg(keys, 0), v);
    b_end_for(b, keys, &sum);
    b_store(b, c->total, keys->results[0], &col);
    b_end_for(b, columns, NULL);
}

/* Whether the block of queries took the general path: only there is a running maximum. */
static value_t *is_general(builder_t *b, const exact_t *c) {
    value_t *max = b_load(b, c->max_bound, 1, &c->slot);
    return b_compare(b, OP_GT, max, b_const(b, SCALAR(E_F32), MAX_SHIFT));
}

/* Scales of the panel's outputs; the sum of all values where a row needs it. */
static void panel_inverse(lower_t *L, builder_t *b, const exact_t *c) {
    value_t *fewest = NULL, *general = b_broadcast(b, is_general(b, c), L->lanes);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {c->slot, in_panel(L, c, j)}, to = ax((int64_t)j * L->lanes);
        value_t *sum = b_load(b, c->sum, L->lanes, ix), *top = b_load(b, c->top, L->lanes, ix);
        top = b_select(b, general, top, splat(b, L, 0));
        b_store(b, c->inverse, softmax_scale(L, b, top, sum), &to);
        sum = comparable(b, sum);
        fewest = fewest ? b_binary(b, OP_MIN, fewest, sum) : sum;
    }
    if (c->a->lsh) return;
    value_t *zero = b_const(b, SCALAR(E_F32), 0);
    inst_t *some = b_if(b, b_compare(b, OP_NE, reduce(b, L, OP_MIN, fewest), zero), 0, NULL);
    b_likely(some);
    b_else(b, some, NULL);
    if (!c->w->kept) sum_values(L, b, c); /* else row by row */
    b_end_if(b, some, NULL);
}

/* What the gradient makes the same probabilities of. */
static void keep_sums(builder_t *b, const exact_t *c, const output_row_t *r, value_t *shift,
                      value_t *scale) {
    affine_t ix[] = {ax(0), ax(0), r->row};
    (void)in_heads(&c->in, c->a->row_shift, ix); /* both are kept or none */
    b_store(b, c->a->row_shift, shift, ix);
    b_store(b, c->a->row_scale, scale, ix);
}

static value_t *shift_of(builder_t *b, const exact_t *c, const output_row_t *r) {
    affine_t ix[] = {c->slot, r->lane};
    return b_select(b, is_general(b, c), b_load(b, c->top, 1, ix), b_load(b, c->bound, 1, ix));
}

static void finish_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const output_row_t *r = ctx;
    const exact_t *c = r->c;
    bool lsh = c->a->lsh;
    affine_t from[] = {c->slot, r->lane, at}, to[] = {ax(0), ax(0), r->row, at};
    value_t *x = NULL;
    if (r->inverse)
        x = times_kept(L, b, c->a,
                       b_binary(b, OP_MUL, b_load(b, c->output, width, from),
                                b_broadcast(b, r->inverse, width)));
    else if (lsh) x = b_convert(b, E_F32, b_load(b, c->a->v, width, in_heads(&c->in, c->a->v, to)));
    else x = b_load(b, c->total, width, &at);
    if (!r->inverse && r->kept)
        x = b_binary(b, OP_MUL, x, width > 1 ? b_broadcast(b, r->kept, width) : r->kept);
    b_store(b, c->a->out, x, in_heads(&c->in, c->a->out, to));
}

/* -1 where the key at this place is masked for the row, as one that causality hides is. */
static value_t *is_hidden(lower_t *L, builder_t *b, const exact_t *c, affine_t row, affine_t key) {
    affine_t kx[] = {c->batch, key};
    ltype_t i32 = SCALAR(E_I32);
    value_t *pos = load1(b, L->key_position, 2, kx);
    value_t *seen =
        c->w->causal ? b_convert(b, E_I32, b_index(b, row)) : b_iconst(b, i32, REFORMER_MASKED - 1);
    return b_binary(b, OP_AND, b_compare(b, OP_GT, pos, seen),
                    b_compare(b, OP_NE, pos, b_iconst(b, i32, REFORMER_ABSENT)));
}

/* ---- with dropout: a row's keys one by one --------------------------------------------------- */

typedef struct {
    const exact_t *c;
    affine_t key;
    value_t *weight;
} addend_t;

static void clear_total(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const exact_t *c = ctx;
    (void)L;
    b_store(b, c->total, b_const(b, (ltype_t){E_F32, width}, 0), &at);
}

static void add_value(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const addend_t *v = ctx;
    const exact_t *c = v->c;
    affine_t vx[] = {ax(0), ax(0), v->key, at};
    (void)in_heads(&c->in, c->a->v, vx);
    value_t *weight = width > 1 ? b_broadcast(b, v->weight, width) : v->weight;
    value_t *x = b_load(b, c->total, width, &at);
    (void)L;
    value_t *v_row = b_convert(b, E_F32, b_load(b, c->a->v, width, vx));
    b_store(b, c->total, b_fma(b, weight, v_row, x), &at);
}

/* total = what dropout leaves of the values of a row all whose keys, or its hidden
 * ones, have one weight. */
static void sum_kept(lower_t *L, builder_t *b, const exact_t *c, const output_row_t *r,
                     bool hidden) {
    for_span(L, b, c->a->head_stride, clear_total, (void *)(uintptr_t)c);
    inst_t *keys = b_for(b, "key", dim(0), dim(c->length), 0, NULL);
    addend_t v = {.c = c, .key = ax_v(loop_var(keys))};
    affine_t kx[] = {c->batch, v.key};
    value_t *counts = hidden ? is_hidden(L, b, c, r->row, v.key)
                             : b_compare(b, OP_NE, load1(b, L->key_position, 2, kx),
                                         b_iconst(b, SCALAR(E_I32), REFORMER_ABSENT));
    inst_t *branch = b_if(b, counts, 0, NULL);
    v.weight = kept_one(L, b, c->w->kept, r->row, v.key);
    for_span(L, b, c->a->head_stride, add_value, &v);
    b_end_if(b, branch, NULL);
    b_end_for(b, keys, NULL);
}

static value_t *count_hidden(lower_t *L, builder_t *b, const exact_t *c, affine_t row) {
    value_t *zero = b_iconst(b, SCALAR(E_I32), 0);
    inst_t *keys = b_for(b, "key", dim(0), dim(c->length), 1, &zero);
    value_t *hidden = is_hidden(L, b, c, row, ax_v(loop_var(keys)));
    value_t *next = b_binary(b, OP_SUB, loop_arg(keys, 0), hidden);
    b_end_for(b, keys, &next);
    return keys->results[0];
}

/* The values of the row's hidden keys, whose scores are the greatest, and of
 * keys that have the same. */
static void hidden_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const output_row_t *r = ctx;
    const exact_t *c = r->c;
    ltype_t f = VECTOR(E_F32, width);
    affine_t from[] = {c->slot, r->lane, at}, to[] = {ax(0), ax(0), r->row, at};
    (void)in_heads(&c->in, c->a->out, to);
    affine_t tx[] = {c->slot, r->lane};
    value_t *equal =
        b_compare(b, OP_EQ, b_load(b, c->top, 1, tx), b_const(b, SCALAR(E_F32), MASKED_KEY));
    if (width > 1) equal = b_broadcast(b, equal, width);
    value_t *sum = b_select(b, equal, b_load(b, c->output, width, from), b_const(b, f, 0));
    if (c->w->kept) {
        sum = times_kept(L, b, c->a, sum);
        b_store(b, c->a->out, b_binary(b, OP_ADD, sum, b_load(b, c->total, width, &at)), to);
        return;
    }
    inst_t *keys = b_for(b, "key", dim(0), dim(c->length), 1, &sum);
    affine_t key = ax_v(loop_var(keys)), vx[] = {ax(0), ax(0), key, at};
    value_t *hidden = is_hidden(L, b, c, r->row, key);
    if (width > 1) hidden = b_broadcast(b, hidden, width);
    value_t *v = b_load(b, c->a->v, width, in_heads(&c->in, c->a->v, vx));
    v = b_select(b, hidden, b_convert(b, E_F32, v), b_const(b, f, 0));
    value_t *next = b_binary(b, OP_ADD, loop_arg(keys, 0), v);
    b_end_for(b, keys, &next);
    b_store(b, c->a->out, keys->results[0], to);
}

/* The output of a row that has keys. In a local layer keys whose scores lie below that of
 * masked ones weigh less. */
static void finish_row(lower_t *L, builder_t *b, const exact_t *c, output_row_t *r) {
    inst_t *all = NULL;
    if (!c->a->lsh) {
        affine_t tx[] = {c->slot, r->lane};
        value_t *below =
            b_compare(b, OP_LE, b_load(b, c->top, 1, tx), b_const(b, SCALAR(E_F32), MASKED_KEY));
        value_t *zero = b_iconst(b, SCALAR(E_I32), 0);
        below = b_binary(b, OP_AND, below, is_general(b, c));
        inst_t *high = b_if(b, b_compare(b, OP_EQ, below, zero), 1, &zero->type);
        b_likely(high);
        b_else(b, high, &zero);
        value_t *hidden = count_hidden(L, b, c, r->row);
        b_end_if(b, high, &hidden);
        all = b_if(b, b_compare(b, OP_EQ, high->results[0], zero), 0, NULL);
        b_likely(all);
    }
    for_span(L, b, c->a->head_stride, finish_span, r);
    if (c->a->row_shift) keep_sums(b, c, r, shift_of(b, c, r), r->inverse);
    if (!all) return;
    b_else(b, all, NULL);
    if (c->w->kept) sum_kept(L, b, c, r, true);
    for_span(L, b, c->a->head_stride, hidden_span, r);
    if (c->a->row_shift)
        keep_sums(b, c, r, b_const(b, SCALAR(E_F32), MASKED_KEY), b_const(b, SCALAR(E_F32), 1));
    b_end_if(b, all, NULL);
}

/* A row without keys: it sees itself, or all. */
static void keep_alone(lower_t *L, builder_t *b, const exact_t *c, output_row_t *r) {
    affine_t ix[] = {c->batch, c->head, ax(0), r->row};
    if (!c->a->lsh) {
        sum_kept(L, b, c, r, false);
        return;
    }
    r->kept = kept_one(L, b, c->w->kept, r->row, r->row);
    b_store(b, c->a->self_kept, r->kept, ix);
}

/* Where the result is kept, the gradient takes the weight of a row that sees
 * only itself from here. */
static value_t *alone_shift(builder_t *b, const output_row_t *r) {
    const attention_t *a = r->c->a;
    if (!a->lsh || !(a->stacked & KEPT_RESULT)) return b_const(b, SCALAR(E_F32), MASKED_KEY);
    return r->kept ? r->kept : b_const(b, SCALAR(E_F32), 1);
}

void finish_queries(lower_t *L, builder_t *b, exact_t *c) {
    inst_t *panels = open_panels(L, b, c);
    panel_inverse(L, b, c);
    inst_t *lanes = b_for(b, "lane", dim(0), dim(L->tile), 0, NULL);
    affine_t lane = ax_v(loop_var(lanes));
    output_row_t r = {.c = c, .lane = ax_add(panel_lane(L, c->w), lane)};
    inst_t *guard = query_guard(b, c, r.lane);
    r.row = query_row(L, b, c, r.lane);
    affine_t sx[] = {c->slot, r.lane};
    value_t *zero = b_const(b, SCALAR(E_F32), 0);
    inst_t *some = b_if(b, b_compare(b, OP_NE, b_load(b, c->sum, 1, sx), zero), 0, NULL);
    b_likely(some);
    r.inverse = b_load(b, c->inverse, 1, &lane);
    finish_row(L, b, c, &r);
    b_else(b, some, NULL);
    r.inverse = NULL;
    if (c->w->kept) keep_alone(L, b, c, &r);
    for_span(L, b, c->a->head_stride, finish_span, &r);
    if (c->a->row_shift)
        keep_sums(b, c, &r, alone_shift(b, &r), b_const(b, SCALAR(E_F32), c->a->lsh ? 0 : 1));
    b_end_if(b, some, NULL);
    if (guard) b_end_if(b, guard, NULL);
    b_end_for(b, lanes, NULL);
    b_end_for(b, panels, NULL);
}
