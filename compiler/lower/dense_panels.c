/* How a product reads panels of weights: [panel][row][PANEL], a row of which holds one k of each
 * column, of bf16 two, of i8 four. */
#include "lower/dense_int.h"

int64_t values_in_row(const buffer_t *w) {
    return w->elem == E_BF16 ? 2 : w->elem == E_I8 ? 4 : 1;
}

int64_t panel_rows(const panels_t *w, int64_t k) {
    return (k - 1) / values_in_row(w->w) + 1;
}

/* Of a row of a panel the value for column `lane`, or the first of its pair. */
void panel_index(const panels_t *w, affine_t panel, affine_t row, affine_t lane, affine_t *ix) {
    int n = 0;
    for (; n < w->n_prefix; n++) ix[n] = w->prefix[n];
    ix[n++] = panel;
    ix[n++] = row;
    ix[n++] = ax_scale(lane, values_in_row(w->w));
}

value_t *dense_vector(lower_t *L, builder_t *b, void *ctx, int j, affine_t k) {
    const dense_ctx_t *c = ctx;
    affine_t ix[MAX_RANK], lane = ax_plus(c->lane, (int64_t)j * L->lanes);
    k = ax_add(ax_add(k, c->first), c->d->base);
    panel_index(&c->d->w, c->panel, k, lane, ix);
    return b_load(b, c->d->w.w, L->lanes * (int)values_in_row(c->d->w.w), ix);
}
