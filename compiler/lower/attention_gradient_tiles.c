/* The five products of attention_gradient.c, in register tiles. Of bf16 all go by pairs (order_t):
 * those with scores' shape by pairs of the head, as in the forward; of queries by pairs of keys, of
 * keys and of values by pairs of queries. */
#include "lower/attention_gradient.h"

/* Of a row of bf16, or of pairs in it, as many stand side by side. */
static int each_of(const grad_t *g) {
    return g->order == DOT_PAIRS ? 2 : 1;
}

static bool is_odd(const grad_t *g, int64_t depth) {
    return g->order == ODD_FIRST && depth % 2;
}

/* ---- keys x queries -------------------------------------------------------------------------- */

static value_t *key_scalar(lower_t *L, builder_t *b, void *ctx, int row, affine_t k) {
    const grad_t *g = ctx;
    affine_t ix[] = {ax_plus(g->at, row), ax_scale(k, each_of(g))};
    (void)L;
    return b_load(b, g->rows, each_of(g), ix);
}

static value_t *query_vector(lower_t *L, builder_t *b, void *ctx, int j, affine_t k) {
    const grad_t *g = ctx;
    affine_t ix[] = {ax(0), g->panel, k, ax((int64_t)j * L->lanes * each_of(g))};
    return b_load(b, g->weights, L->lanes * each_of(g), ix);
}

/* Of one lane of the panel: the rows of the next chunks, whose task most likely comes next. A
 * sorted order has strewn them over memory. */
static void fetch_next(lower_t *L, builder_t *b, void *ctx, affine_t step) {
    const grad_t *g = ctx;
    const attention_t *a = g->a;
    affine_t call = ax_add(ax_scale(g->ordinal, g->calls), step),
             lane = ax_scale(g->panel, L->tile);
    value_t *in_panel = at_most(b, call, dim(L->tile - 1));
    lane = ax_v(at_most(b, ax_add(lane, ax_v(in_panel)), dim(g->size - 1)));
    buffer_t *of_queries[] = {a->q, a->dy_factor, a->dq};
    buffer_t *of_keys[] = {a->lsh ? a->q : a->k, a->v, a->dk, a->dv};
    for (int keys = 0; keys < 2; keys++) {
        affine_t chunk = ax_plus(keys ? g->other : g->chunk, 1);
        chunk = ax_v(at_most(b, chunk, dim_sub(g->chunks, dim(1))));
        affine_t row = chunk_row(L, b, g, keys ? g->other_round : g->round, chunk, lane);
        for (int i = 0; i < (keys ? 4 : 3); i++) {
            affine_t ix[] = {ax(0), ax(0), row, ax(0)};
            buffer_t *of = keys ? of_keys[i] : of_queries[i];
            prefetch_row(b, of, in_heads(&g->in, of, ix), a->head_stride);
        }
    }
}

/* Tiles of keys as they are cut. */
static int split_chunk(const lower_t *L, const grad_t *g, int size[MAX_SHAPES],
                       int64_t count[MAX_SHAPES]) {
    return g->order == DOT_PAIRS ? split_pairs(L, g->size, size, count)
                                 : split_rows(L, g->size, size, count);
}

static int64_t key_tiles(const lower_t *L, const grad_t *g) {
    int size[MAX_SHAPES];
    int64_t count[MAX_SHAPES], all = 0;
    int n = split_chunk(L, g, size, count);
    for (int i = 0; i < n; i++) all += count[i];
    return all;
}

void for_key_tiles(lower_t *L, builder_t *b, grad_t *g, row_tile_fn *tile) {
    int size[MAX_SHAPES];
    int64_t count[MAX_SHAPES], first = 0, before = 0;
    int n = split_chunk(L, g, size, count);
    for (int i = 0; i < n; i++) {
        inst_t *loop = b_for(b, "tile", dim(0), dim(count[i]), 0, NULL);
        affine_t at = ax_v(loop_var(loop));
        g->pair = ax_plus(ax_scale(at, size[i] / 2), first / 2);
        tile(L, b, g, ax_plus(ax_scale(at, size[i]), first), size[i], ax_plus(at, before));
        b_end_for(b, loop, NULL);
        first += count[i] * size[i];
        before += count[i];
    }
}

void grad_across(lower_t *L, builder_t *b, grad_t *g, affine_t key, int rows, buffer_t *keys,
                 buffer_t *queries, value_t **acc) {
    int64_t head = g->a->head_size, depth = trips_of(g->order, head);
    g->at = key;
    g->rows = keys;
    g->weights = queries;
    int64_t lanes = (L->tile - 1) / key_tiles(L, g) + 1, every = cadence(depth, depth / lanes);
    g->calls = every ? depth / every : 0;
    product_t p = {.rows = rows,
                   .vectors = L->tiles->vectors,
                   .depth = depth,
                   .order = g->order,
                   .odd = is_odd(g, head),
                   .x = key_scalar,
                   .y = query_vector,
                   .ctx = g,
                   .every = keys == g->k ? every : 0,
                   .ahead = fetch_next};
    tile_product(L, b, &p, acc);
}

/* ---- sums ------------------------------------------------------------------------------------ */

static value_t *query_weight(lower_t *L, builder_t *b, void *ctx, int row, affine_t k) {
    const grad_t *g = ctx;
    affine_t lane = ax_plus(ax_add(ax_scale(g->panel, L->tile), g->at), row);
    affine_t ix[] = {k, ax_scale(lane, each_of(g))};
    return b_load(b, g->weights, each_of(g), ix);
}

static value_t *key_weight(lower_t *L, builder_t *b, void *ctx, int row, affine_t k) {
    const grad_t *g = ctx;
    affine_t ix[] = {ax_plus(g->at, row), ax_scale(k, each_of(g))};
    (void)L;
    return b_load(b, g->weights, each_of(g), ix);
}

static value_t *row_vector(lower_t *L, builder_t *b, void *ctx, int j, affine_t k) {
    const grad_t *g = ctx;
    affine_t ix[] = {k, ax_plus(g->column, (int64_t)j * L->lanes)};
    if (g->order == DOT_PAIRS)
        return value_in_panel(L, b, g->rows, ax(0), k, g->column_tile, (int64_t)j * L->lanes);
    return b_load(b, g->rows, L->lanes, ix);
}

static void along(lower_t *L, builder_t *b, grad_t *g, affine_t row, int rows, tile_scalar_fn *x,
                  value_t **acc) {
    g->at = row;
    product_t p = {.rows = rows,
                   .vectors = L->tiles->vectors,
                   .depth = trips_of(g->order, g->size),
                   .order = g->order,
                   .odd = is_odd(g, g->size),
                   .x = x,
                   .y = row_vector,
                   .ctx = g};
    tile_product(L, b, &p, acc);
}

void queries_along(lower_t *L, builder_t *b, grad_t *g, affine_t row, int rows, value_t **acc) {
    along(L, b, g, row, rows, query_weight, acc);
}

void keys_along(lower_t *L, builder_t *b, grad_t *g, affine_t row, int rows, value_t **acc) {
    along(L, b, g, row, rows, key_weight, acc);
}

void add_up_keys(lower_t *L, builder_t *b, grad_t *g, buffer_t *weights, buffer_t *rows, int64_t m,
                 row_tile_fn *tile) {
    g->weights = weights;
    g->rows = rows;
    inst_t *columns = b_for(b, "column", dim(0), dim(g->a->head_stride / L->tile), 0, NULL);
    g->column_tile = ax_v(loop_var(columns));
    g->column = ax_scale(g->column_tile, L->tile);
    for_row_tiles(L, b, m, tile, g);
    b_end_for(b, columns, NULL);
}

void add_up_queries(lower_t *L, builder_t *b, grad_t *g, int64_t m, row_tile_fn *tile) {
    add_up_keys(L, b, g, g->ds_pairs, g->k_pairs, m, tile);
}
