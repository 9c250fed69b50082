/* A block of queries of exact attention against a block of keys, panel by panel: see
 * exact_attention.c for both ways. */
#include "lower/exact_attention.h"
#include "lower/math.h"

/* O += P·V, or O = O * rescale + P·V. */
static void add_rows(lower_t *L, builder_t *b, window_t *w, affine_t row, affine_t col, int rows,
                     value_t **acc) {
    const exact_t *c = w->ctx;
    for (int i = 0; i < rows; i++) {
        affine_t lane = ax_plus(row, i);
        value_t *rescale = NULL;
        if (!c->bounded && !c->a->rounded)
            rescale = b_broadcast(b, b_load(b, c->rescale, 1, &lane), L->lanes);
        for (int j = 0; j < L->tiles->vectors; j++) {
            affine_t ix[] = {c->slot, ax_add(panel_lane(L, w), lane),
                             ax_plus(col, (int64_t)j * L->lanes)};
            value_t *old = b_load(b, c->output, L->lanes, ix);
            value_t *x = acc[i * L->tiles->vectors + j];
            x = rescale ? b_fma(b, old, rescale, x) : b_binary(b, OP_ADD, old, x);
            b_store(b, c->output, x, ix);
        }
    }
}

static void bounded_panel(lower_t *L, builder_t *b, exact_t *c) {
    value_t *sum[MAX_VECTORS], *shift[MAX_VECTORS];
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {c->slot, in_panel(L, c, j)};
        shift[j] = b_binary(b, OP_MUL, b_load(b, c->bound, L->lanes, ix), splat(b, L, LOG2_E));
    }
    window_weights(L, b, c->w, shift, sum);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {c->slot, in_panel(L, c, j)};
        b_store(b, c->sum, b_binary(b, OP_ADD, b_load(b, c->sum, L->lanes, ix), sum[j]), ix);
    }
    window_values(L, b, c->w, add_rows);
}

static void general_panel(lower_t *L, builder_t *b, exact_t *c) {
    value_t *max[MAX_VECTORS], *sum[MAX_VECTORS], *shift[MAX_VECTORS], *rescale[MAX_VECTORS];
    window_scores(L, b, c->w, max);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {c->slot, in_panel(L, c, j)}, kx[] = {ax((int64_t)j * L->lanes)};
        value_t *old = b_load(b, c->top, L->lanes, ix), *top = b_binary(b, OP_MAX, old, max[j]);
        rescale[j] = m_exp(L, b, b_binary(b, OP_SUB, old, top));
        shift[j] = top;
        b_store(b, c->top, top, ix);
        b_store(b, c->rescale, rescale[j], kx);
    }
    window_exp(L, b, c->w, shift, sum);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {c->slot, in_panel(L, c, j)};
        b_store(b, c->sum, b_fma(b, b_load(b, c->sum, L->lanes, ix), rescale[j], sum[j]), ix);
    }
    window_values(L, b, c->w, add_rows);
}

/* ---- of bf16, the general path --------------------------------------------------------------- */

bool has_maxima_first(const exact_t *c) {
    return c->a->rounded && c->blocks > 1;
}

static void raise_tops(lower_t *L, builder_t *b, exact_t *c) {
    value_t *max[MAX_VECTORS];
    window_scores(L, b, c->w, max);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {c->slot, in_panel(L, c, j)};
        b_store(b, c->top, b_binary(b, OP_MAX, b_load(b, c->top, L->lanes, ix), max[j]), ix);
    }
}

/* The shift takes the maximum's place. */
static value_t *shift_by(lower_t *L, builder_t *b, const exact_t *c, int j, value_t *top) {
    affine_t ix[] = {c->slot, in_panel(L, c, j)};
    if (c->a->lsh) top = rounded_shift(b, b_load(b, c->bound, L->lanes, ix), top);
    b_store(b, c->top, top, ix);
    return top;
}

static void rounded_panel(lower_t *L, builder_t *b, exact_t *c) {
    value_t *max[MAX_VECTORS], *sum[MAX_VECTORS], *shift[MAX_VECTORS];
    window_scores(L, b, c->w, max);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {c->slot, in_panel(L, c, j)};
        value_t *top = has_maxima_first(c) ? b_load(b, c->top, L->lanes, ix) : max[j];
        shift[j] = shift_by(L, b, c, j, top);
    }
    window_exp(L, b, c->w, shift, sum);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {c->slot, in_panel(L, c, j)};
        b_store(b, c->sum, b_binary(b, OP_ADD, b_load(b, c->sum, L->lanes, ix), sum[j]), ix);
    }
    window_values(L, b, c->w, add_rows);
}

/* ---- all of a block of queries --------------------------------------------------------------- */

typedef void panel_fn(lower_t *L, builder_t *b, exact_t *c);

static void for_panels(lower_t *L, builder_t *b, exact_t *c, bool bounded, panel_fn *body) {
    c->bounded = bounded;
    inst_t *panels = open_panels(L, b, c);
    body(L, b, c);
    b_end_for(b, panels, NULL);
}

void attend_panels(lower_t *L, builder_t *b, exact_t *c, bool bounded) {
    panel_fn *general = c->a->rounded ? rounded_panel : general_panel;
    for_panels(L, b, c, bounded, bounded ? bounded_panel : general);
}

void raise_maxima(lower_t *L, builder_t *b, exact_t *c) {
    for_panels(L, b, c, false, raise_tops);
}
