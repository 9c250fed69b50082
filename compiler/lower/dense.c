/* Dense layers: a register tile over panel-packed weights.
 *
 * The tile is rows x vectors accumulators carried through one loop over k: `vectors` loads of the
 * panel, one broadcast per row, rows * vectors fma. A block of rows is cut into tiles of nearly
 * equal height (64 = 13+13+13+13+12), so there are no masks and at most two code shapes. Weights
 * stay [panel][k][32] for every target; narrower tiles read part of a panel. Column tiles are the
 * outer loop, so that a panel is read from memory once per block.
 *
 * In a train step a deep product goes through its depth in slices, all column tiles of one before
 * the next: so the rows and the column tile at work stay in the second-level cache, beside what
 * else a block of the backward pass holds there. Each element is the same sum in the same order,
 * so the bits are the same.
 *
 * Where both factors are of a small type, a row of a panel holds several k for each column, and the
 * loop is over rows of panels: small.c. */
#include "lower/dense_int.h"

enum { SLICE = 512 };

static value_t *dense_scalar(lower_t *L, builder_t *b, void *ctx, int row, affine_t k) {
    (void)L;
    const dense_ctx_t *c = ctx;
    affine_t ix[] = {ax_plus(c->row, row), ax_add(k, c->first)};
    return b_load(b, c->d->a, 1, ix);
}

/* ---- ahead of the tile ----------------------------------------------------------------------- */

void prefetch_row(builder_t *b, buffer_t *buf, affine_t *ix, int64_t width) {
    affine_t first = ix[buf->rank - 1];
    for (int64_t at = 0; at < width; at += line_of(buf->elem)) {
        ix[buf->rank - 1] = ax_plus(first, at);
        b_prefetch(b, buf, ix);
    }
}

/* A row of a panel, as wide as a tile. */
static void prefetch_panel(lower_t *L, builder_t *b, const panels_t *w, affine_t panel,
                           affine_t row, affine_t lane) {
    affine_t ix[MAX_RANK];
    panel_index(w, panel, row, lane, ix);
    prefetch_row(b, w->w, ix, L->tile * values_in_row(w->w));
}

/* The rows that the tile will write. */
static void fetch_target(lower_t *L, builder_t *b, const dense_ctx_t *c, affine_t step) {
    if (!c->d->target) return;
    inst_t *last = c->last ? b_if(b, c->last, 0, NULL) : NULL, *new = NULL;
    value_t *row = at_most(b, step, dim(c->rows - 1));
    if (c->d->once) new = b_if(b, b_compare(b, OP_EQ, b_index(b, step), row), 0, NULL);
    c->d->target(L, b, c->d->ctx, ax_add(c->row, ax_v(row)), c->col);
    if (new) b_end_if(b, new, NULL);
    if (last) b_end_if(b, last, NULL);
}

static int64_t steps_over(int64_t depth, int64_t tiles) {
    return depth / cadence(depth, tiles);
}

/* Memory is asked for long before it is needed, a little in every step. The row tiles of a column
 * tile share the work of fetching the next one's part of the panel, where steps are more than rows
 * some of them twice; each fetches the rows that it will write. */
static void dense_ahead(lower_t *L, builder_t *b, void *ctx, affine_t step) {
    const dense_ctx_t *c = ctx;
    int64_t steps = steps_over(c->depth, c->row_tiles), more_tiles = c->row_tiles - 1;
    int64_t share = more_tiles ? (c->depth - steps) / more_tiles : steps;
    affine_t row = ax_add(ax_scale(c->ordinal, share < steps ? share : steps), step);
    row = ax_add(row, c->d->base);
    inst_t *more = c->d->next ? b_if(b, c->more, 0, NULL) : NULL;
    prefetch_panel(L, b, &c->d->w, c->next_panel, ax_add(row, c->next_first), c->next_lane);
    if (more) {
        b_else(b, more, NULL);
        prefetch_panel(L, b, c->d->next, ax(0), row, ax(0));
        b_end_if(b, more, NULL);
    }
    fetch_target(L, b, c, step);
    if (c->d->meanwhile) {
        affine_t tile = ax_add(ax_scale(ax_v(c->column), c->row_tiles), c->ordinal);
        c->d->meanwhile(L, b, c->d->ctx, ax_add(ax_scale(tile, steps), step));
    }
}

int64_t column_tiles(const lower_t *L, int64_t n) {
    return (n + L->tile - 1) / L->tile;
}

int64_t dense_calls(const lower_t *L, int64_t m, int64_t n, int64_t depth) {
    return column_tiles(L, n) * row_tiles(L, m) * steps_over(depth, row_tiles(L, m));
}

/* Accumulator i of a tile in the sums so far. */
static void so_far_index(const lower_t *L, const dense_ctx_t *c, int i, affine_t *ix) {
    int nv = L->tiles->vectors;
    ix[0] = ax_plus(c->row, i / nv);
    ix[1] = ax_plus(c->col, (int64_t)(i % nv) * L->lanes);
}

/* Behind the last slice the epilogue has them. */
static void end_slice(lower_t *L, builder_t *b, const dense_ctx_t *c, value_t **acc) {
    affine_t ix[2];
    inst_t *last = b_if(b, c->last, 0, NULL);
    c->d->epilogue(L, b, c->d->ctx, c->row, c->col, c->rows, acc);
    b_else(b, last, NULL);
    for (int i = 0; i < c->rows * L->tiles->vectors; i++) {
        so_far_index(L, c, i, ix);
        b_store(b, c->so_far, acc[i], ix);
    }
    b_end_if(b, last, NULL);
}

static void dense_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows,
                       affine_t ordinal) {
    dense_ctx_t *c = ctx;
    value_t *acc[MAX_TILE], *init[MAX_TILE];
    affine_t ix[2];
    c->row = row;
    c->ordinal = ordinal;
    c->rows = rows;
    for (int i = 0; c->so_far && i < rows * L->tiles->vectors; i++) {
        so_far_index(L, c, i, ix);
        init[i] = b_load(b, c->so_far, L->lanes, ix);
    }
    product_t p = {.rows = rows,
                   .vectors = L->tiles->vectors,
                   .depth = c->depth,
                   .x = dense_scalar,
                   .y = dense_vector,
                   .at_k = small_at_k(c->d),
                   .ctx = c,
                   .init = c->so_far ? init : NULL,
                   .every = cadence(c->depth, c->row_tiles),
                   .ahead = dense_ahead};
    if (is_of_integers(c->d)) integer_product(L, b, c, &p, acc);
    else tile_product(L, b, &p, acc);
    if (c->so_far) end_slice(L, b, c, acc);
    else c->d->epilogue(L, b, c->d->ctx, row, c->col, rows, acc);
}

/* Where column tile t stands in the panels. */
static void column_tile(lower_t *L, builder_t *b, value_t *t, affine_t *panel, affine_t *lane) {
    int64_t per_panel = PANEL / L->tile;
    *panel = ax_v(t);
    *lane = ax(0);
    if (per_panel == 1) return;
    *panel = ax_v(b_name(b_idiv(b, t, dim(per_panel)), "panel"));
    *lane = ax_scale(ax_v(b_irem(b, t, dim(per_panel))), L->tile);
}

/* ---- slices ---------------------------------------------------------------------------------- */

/* How deep slices are, in rows of panels; all of the depth: there is one. */
static int64_t depth_of_slices(const lower_t *L, const dense_t *d) {
    bool trained = L->regions->backward < (int)L->g->n_nodes;
    int64_t all = panel_rows(&d->w, d->k), depth = SLICE;
    if (!trained || d->tiles || d->meanwhile || all < 2 * SLICE) return all;
    while (all % depth) depth--;
    return 2 * depth > SLICE ? depth : all;
}

static void clear_so_far(lower_t *L, builder_t *b, const dense_ctx_t *c) {
    inst_t *rows = b_for(b, "i", dim(0), dim(c->d->m), 0, NULL);
    inst_t *columns = b_for(b, "v", dim(0), dim(c->so_far->dims[1].c / L->lanes), 0, NULL);
    affine_t ix[] = {ax_v(loop_var(rows)), ax_scale(ax_v(loop_var(columns)), L->lanes)};
    b_store(b, c->so_far, splat(b, L, 0), ix);
    b_end_for(b, columns, NULL);
    b_end_for(b, rows, NULL);
}

/* Which slice and which of its column tiles the one at `at` is. */
static value_t *slice_at(builder_t *b, value_t *at, int64_t tiles, int64_t depth, affine_t *first) {
    *first = ax_scale(ax_v(b_name(b_idiv(b, at, dim(tiles)), "slice")), depth);
    return b_irem(b, at, dim(tiles));
}

static void dense_by_slices(lower_t *L, builder_t *b, const dense_t *d, int64_t depth) {
    int64_t tiles = column_tiles(L, d->n), all = panel_rows(&d->w, d->k) / depth * tiles;
    dim_t sums[] = {dim(d->m), dim(tiles * L->tile + padding_of(E_F32))};
    dense_ctx_t c = {.d = d, .depth = depth, .row_tiles = row_tiles(L, d->m)};
    const char *name = free_buffer_name(L, arena_printf(L->arena, "%s_so_far", b->fn->name));
    c.so_far = kernel_scratch(b, name, E_F32, 2, sums);
    clear_so_far(L, b, &c);
    inst_t *loop = b_for(b, "column", dim(0), dim(all), 0, NULL);
    value_t *at = c.column = loop_var(loop);
    value_t *t = slice_at(b, at, tiles, depth, &c.first);
    c.col = ax_scale(ax_v(t), L->tile);
    c.last = b_compare(b, OP_GE, at, b_index(b, ax(all - tiles)));
    column_tile(L, b, t, &c.panel, &c.lane);
    value_t *next = at_most(b, ax_plus(ax_v(at), 1), dim(all - 1));
    if (d->next) c.more = b_compare(b, OP_LT, at, next);
    t = slice_at(b, next, tiles, depth, &c.next_first);
    column_tile(L, b, b_name(t, "next"), &c.next_panel, &c.next_lane);
    for_row_tiles(L, b, d->m, dense_tile, &c);
    b_end_for(b, loop, NULL);
}

void dense(lower_t *L, builder_t *b, const dense_t *d) {
    int64_t depth = depth_of_slices(L, d);
    if (depth < panel_rows(&d->w, d->k)) {
        dense_by_slices(L, b, d, depth);
        return;
    }
    int64_t tiles = column_tiles(L, d->n);
    inst_t *loop = b_for(b, "column", dim(0), dim(d->tiles ? d->tiles : tiles), 0, NULL);
    value_t *t = loop_var(loop);
    inst_t *inside = NULL;
    if (d->tiles) {
        value_t *own = b_index(b, ax_add(d->first, ax_v(t)));
        t = at_most(b, ax_v(own), dim(tiles - 1));
        if (tiles % d->tiles) inside = b_if(b, b_compare(b, OP_EQ, own, t), 0, NULL);
    }
    dense_ctx_t c = {.d = d,
                     .col = ax_scale(ax_v(t), L->tile),
                     .column = t,
                     .row_tiles = row_tiles(L, d->m),
                     .depth = depth,
                     .first = ax(0),
                     .next_first = ax(0)};
    c.whole = sums_of_slices(L, b, d);
    column_tile(L, b, t, &c.panel, &c.lane);
    value_t *next = at_most(b, ax_plus(ax_v(t), 1), dim(tiles - 1));
    if (d->next) c.more = b_compare(b, OP_LT, t, next);
    column_tile(L, b, b_name(next, "next"), &c.next_panel, &c.next_lane);
    for_row_tiles(L, b, d->m, dense_tile, &c);
    if (inside) b_end_if(b, inside, NULL);
    b_end_for(b, loop, NULL);
}
