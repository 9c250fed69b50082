/* Sums over rows, a chunk at a time. See sums.h. */
#include "lower/sums.h"

enum { MOST_CHUNKS = 1 << 30 };

typedef struct {
    const row_sums_t *s;
    affine_t place, dy_panel, x_panel;
    affine_t row, lane; /* within a panel of dy, and one of x */
    value_t *later;     /* whether others were added up before this chunk */
} sums_t;

static value_t *dy_at(lower_t *L, builder_t *b, void *ctx, int row, affine_t k) {
    const sums_t *c = ctx;
    affine_t ix[] = {c->dy_panel, k, ax_plus(c->row, row)};
    (void)L;
    return b_load(b, c->s->dy, 1, ix);
}

static value_t *x_at(lower_t *L, builder_t *b, void *ctx, int j, affine_t k) {
    const sums_t *c = ctx;
    affine_t ix[] = {c->x_panel, k, ax_plus(c->lane, (int64_t)j * L->lanes)};
    return b_load(b, c->s->x, L->lanes, ix);
}

typedef struct {
    affine_t ix[3];
    value_t *sum; /* a vector of the chunk's */
} place_t;

/* The first chunk's sums, or the chunk's on top of those before it. */
static void put_sums(lower_t *L, builder_t *b, const sums_t *c, const place_t *at, int n) {
    buffer_t *to = c->s->to;
    inst_t *later = b_if(b, c->later, 0, NULL);
    for (int i = 0; i < n; i++) {
        value_t *before = b_load(b, to, L->lanes, at[i].ix);
        b_store(b, to, b_binary(b, OP_ADD, before, at[i].sum), at[i].ix);
    }
    b_else(b, later, NULL);
    for (int i = 0; i < n; i++) b_store(b, to, at[i].sum, at[i].ix);
    b_end_if(b, later, NULL);
}

static void outer_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows,
                       affine_t ordinal) {
    sums_t *c = ctx;
    value_t *acc[MAX_TILE];
    place_t at[MAX_TILE];
    int nv = L->tiles->vectors;
    (void)ordinal;
    c->row = row;
    product_t p = {
        .rows = rows, .vectors = nv, .depth = c->s->dy->dims[1].c, .x = dy_at, .y = x_at, .ctx = c};
    tile_product(L, b, &p, acc);
    for (int i = 0; i < rows * nv; i++) {
        affine_t out = ax_add(ax_scale(c->dy_panel, PANEL), ax_plus(row, i / nv));
        affine_t in = ax_plus(ax_scale(c->x_panel, PANEL), (int64_t)(i % nv) * L->lanes);
        at[i] = (place_t){{c->place, out, ax_add(in, c->lane)}, acc[i]};
    }
    put_sums(L, b, c, at, rows * nv);
}

static void outer_panels(lower_t *L, builder_t *b, sums_t *c) {
    inst_t *tiles = b_for(b, "tile", dim(0), dim(PANEL / L->tile), 0, NULL);
    c->lane = ax_scale(ax_v(loop_var(tiles)), L->tile);
    for_row_tiles(L, b, PANEL, outer_tile, c);
    b_end_for(b, tiles, NULL);
}

static void sum_panel(lower_t *L, builder_t *b, sums_t *c) {
    for (int64_t lane = 0; lane < PANEL; lane += L->lanes) {
        value_t *sum = splat(b, L, 0);
        inst_t *rows = b_for(b, "k", dim(0), c->s->dy->dims[1], 1, &sum);
        affine_t at[] = {c->dy_panel, ax_v(loop_var(rows)), ax(lane)};
        sum = b_binary(b, OP_ADD, loop_arg(rows, 0), b_load(b, c->s->dy, L->lanes, at));
        b_end_for(b, rows, &sum);
        place_t to = {{c->place, ax_plus(ax_scale(c->dy_panel, PANEL), lane)}, rows->results[0]};
        put_sums(L, b, c, &to, 1);
    }
}

lfunc_t *lower_row_sums(lower_t *L, const char *name, const row_sums_t *s) {
    dim_t tasks[] = {s->dy->dims[0], s->x ? s->x->dims[0] : dim(1)};
    const char *names[] = {"out", "in"};
    builder_t b = build_kernel(L->m, name, s->x ? 2 : 1, tasks, names);
    value_t *place = kernel_param(&b, "place", s->to->dims[0].c);
    value_t *chunk = kernel_param(&b, "chunk", MOST_CHUNKS);
    sums_t c = {.s = s, .place = ax_v(place), .dy_panel = ax_v(b.fn->task[0])};
    c.later = b_compare(&b, OP_NE, chunk, b_iconst(&b, SCALAR(E_I64), 0));
    if (s->x) {
        c.x_panel = ax_v(b.fn->task[1]);
        outer_panels(L, &b, &c);
    } else {
        sum_panel(L, &b, &c);
    }
    return b.fn;
}
