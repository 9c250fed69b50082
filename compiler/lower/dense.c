/* Dense layers: a register tile over panel-packed weights.
 *
 * The tile is rows x vectors accumulators carried through one loop over k: `vectors` loads of the
 * panel, one broadcast per row, rows * vectors fma. A block of rows is cut into tiles of nearly equal
 * height (64 = 13+13+13+13+12), so there are no masks and at most two code shapes. Weights stay
 * [panel][k][32] for every target; narrower tiles read part of a panel. Column tiles are the outer
 * loop, so that a panel is read from memory once per block. */
#include "lower/lower_int.h"

int split_rows(const lower_t *L, int64_t m, int size[2], int64_t count[2]) {
    int64_t tiles = (m + L->tiles->rows - 1) / L->tiles->rows;
    int64_t base = m / tiles, more = m % tiles;
    int n = 0;
    if (more > 0) size[n] = (int)base + 1, count[n++] = more;
    size[n] = (int)base, count[n++] = tiles - more;
    return n;
}

void for_row_tiles(lower_t *L, builder_t *b, int64_t m,
                   void (*body)(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows),
                   void *ctx) {
    int size[2];
    int64_t count[2], first = 0;
    int n = split_rows(L, m, size, count);
    for (int i = 0; i < n; i++) {
        inst_t *loop = b_for(b, "tile", dim(0), dim(count[i]), 0, NULL);
        body(L, b, ctx, ax_plus(ax_scale(ax_v(loop_var(loop)), size[i]), first), size[i]);
        b_end_for(b, loop, NULL);
        first += count[i] * size[i];
    }
}

void tile_product(lower_t *L, builder_t *b, int rows, int vectors, int64_t depth, tile_scalar_fn *x,
                  tile_vector_fn *y, void *ctx, value_t *const *init, value_t **acc) {
    value_t *start[MAX_TILE], *next[MAX_TILE], *col[MAX_VECTORS];
    int n = rows * vectors;
    if (n > MAX_TILE) bug("register tile of %d x %d", rows, vectors);
    value_t *zero = init ? NULL : splat(b, L, 0);
    for (int i = 0; i < n; i++) start[i] = init ? init[i] : zero;
    inst_t *loop = b_for(b, "k", dim(0), dim(depth), n, start);
    value_t *k = loop_var(loop);
    for (int j = 0; j < vectors; j++) col[j] = y(L, b, ctx, j, k);
    for (int i = 0; i < rows; i++) {
        value_t *s = b_broadcast(b, x(L, b, ctx, i, k), L->lanes);
        for (int j = 0; j < vectors; j++)
            next[i * vectors + j] = b_fma(b, s, col[j], loop_arg(loop, i * vectors + j));
    }
    b_end_for(b, loop, next);
    for (int i = 0; i < n; i++) {
        acc[i] = loop->results[i];
        b_name(acc[i], arena_printf(L->arena, "acc%d_%d", i / vectors, i % vectors));
    }
}

typedef struct {
    const dense_t *d;
    affine_t panel, lane, col, row;
} dense_ctx_t;

static value_t *dense_scalar(lower_t *L, builder_t *b, void *ctx, int row, value_t *k) {
    (void)L;
    const dense_ctx_t *c = ctx;
    affine_t ix[] = {ax_plus(c->row, row), ax_v(k)};
    return b_load(b, c->d->a, 1, ix);
}

static value_t *dense_vector(lower_t *L, builder_t *b, void *ctx, int j, value_t *k) {
    const dense_ctx_t *c = ctx;
    affine_t ix[MAX_RANK];
    int n = 0;
    for (; n < c->d->n_prefix; n++) ix[n] = c->d->prefix[n];
    ix[n++] = c->panel;
    ix[n++] = ax_add(ax_v(k), c->d->k_base);
    ix[n++] = ax_plus(c->lane, (int64_t)j * L->lanes);
    return b_load(b, c->d->w, L->lanes, ix);
}

static void dense_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows) {
    dense_ctx_t *c = ctx;
    value_t *acc[MAX_TILE];
    c->row = row;
    tile_product(L, b, rows, L->tiles->vectors, c->d->k, dense_scalar, dense_vector, c, NULL, acc);
    c->d->epilogue(L, b, c->d->ctx, row, c->col, rows, acc);
}

void dense(lower_t *L, builder_t *b, const dense_t *d) {
    int64_t per_panel = PANEL / L->tile, tiles = (d->n + L->tile - 1) / L->tile;
    inst_t *loop = b_for(b, "column", dim(0), dim(tiles), 0, NULL);
    value_t *t = loop_var(loop);
    dense_ctx_t c = {.d = d, .col = ax_scale(ax_v(t), L->tile)};
    if (per_panel == 1) {
        c.panel = ax_v(t);
        c.lane = ax(0);
    } else {
        c.panel = ax_v(b_name(b_idiv(b, t, dim(per_panel)), "panel"));
        c.lane = ax_scale(ax_v(b_irem(b, t, dim(per_panel))), L->tile);
    }
    for_row_tiles(L, b, d->m, dense_tile, &c);
    b_end_for(b, loop, NULL);
}
