/* The block of queries that a task of exact attention has in hand, and its panels. */
#include "lower/exact_attention.h"

static bool has_filler(const exact_t *c) {
    return c->odd || c->blocks * c->block > c->length;
}

affine_t query_row(lower_t *L, builder_t *b, void *ctx, affine_t lane) {
    (void)L;
    const exact_t *c = ctx;
    affine_t row = ax_add(ax_scale(c->queries, c->block), lane);
    if (!has_filler(c)) return row;
    value_t *last = b_index(b, ax(c->length - 1)), *zero = b_index(b, ax(0));
    value_t *at = b_index(b, row);
    at = b_binary(b, OP_MIN, b_select(b, b_compare(b, OP_LT, at, zero), last, at), last);
    return ax_v(b_name(b_binary(b, OP_MAX, at, zero), "row"));
}

inst_t *query_guard(builder_t *b, const exact_t *c, affine_t lane) {
    if (!has_filler(c)) return NULL;
    value_t *row = b_index(b, ax_add(ax_scale(c->queries, c->block), lane));
    value_t *below = b_compare(b, OP_LT, row, b_index(b, ax(c->length)));
    value_t *above = b_compare(b, OP_GE, row, b_index(b, ax(0)));
    return b_if(b, b_binary(b, OP_AND, below, above), 0, NULL);
}

affine_t in_panel(const lower_t *L, const exact_t *c, int j) {
    return ax_plus(panel_lane(L, c->w), (int64_t)j * L->lanes);
}

inst_t *open_panels(lower_t *L, builder_t *b, exact_t *c) {
    inst_t *loop = b_for(b, "panel", dim(0), dim(c->block / L->tile), 0, NULL);
    c->w->panel = ax_v(loop_var(loop));
    return loop;
}

value_t *local_factor(const attention_t *a, builder_t *b, double unit) {
    return b_const(b, SCALAR(E_F32), unit * inverse_root(a->head_size));
}
