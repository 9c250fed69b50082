/* Sums over rows, a chunk at a time. See sums.h. */
#include "lower/sums.h"

enum { MOST_CHUNKS = 1 << 30, DEPTH = 128 };

typedef struct {
    const row_sums_t *s;
    affine_t place, dy_panel, x_panel;
    affine_t row, lane;   /* within a panel of dy, and one of x */
    affine_t k0;          /* rows from here on */
    int64_t depth, share; /* of the next rows that a pass of a tile fetches */
    affine_t tile, pass;
    buffer_t *so_far; /* scratch [PANEL][PANEL], without x [1][PANEL]: the chunk's sums */
    value_t *later;   /* whether others were added up before this chunk */
} sums_t;

static value_t *dy_at(lower_t *L, builder_t *b, void *ctx, int row, affine_t k) {
    const sums_t *c = ctx;
    affine_t ix[] = {c->dy_panel, ax_add(c->k0, k), ax_plus(c->row, row)};
    (void)L;
    return b_load(b, c->s->dy, 1, ix);
}

static value_t *x_at(lower_t *L, builder_t *b, void *ctx, int j, affine_t k) {
    const sums_t *c = ctx;
    affine_t ix[] = {c->x_panel, ax_add(c->k0, k), ax_plus(c->lane, (int64_t)j * L->lanes)};
    return b_load(b, c->s->x, L->lanes, ix);
}

/* The tiles of these rows share the work of fetching the next rows of both panels, a row at a time. */
static void fetch_rows(lower_t *L, builder_t *b, void *ctx, affine_t step) {
    const sums_t *c = ctx;
    affine_t next = ax_add(ax_plus(c->k0, c->depth), ax_scale(c->pass, c->share));
    value_t *row = at_most(b, ax_add(next, step), dim_sub(c->s->dy->dims[1], dim(1)));
    affine_t dy[] = {c->dy_panel, ax_v(row), ax(0)}, x[] = {c->x_panel, ax_v(row), ax(0)};
    (void)L;
    prefetch_row(b, c->s->dy, dy, PANEL);
    prefetch_row(b, c->s->x, x, PANEL);
}

/* A register tile goes on with what rows before these gave. */
static void outer_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows,
                       affine_t ordinal) {
    sums_t *c = ctx;
    value_t *acc[MAX_TILE];
    int nv = L->tiles->vectors, n = rows * nv;
    affine_t at[MAX_TILE][2];
    c->row = row;
    c->pass = ax_add(ax_scale(c->tile, row_tiles(L, PANEL)), ordinal);
    for (int i = 0; i < n; i++) {
        at[i][0] = ax_plus(row, i / nv);
        at[i][1] = ax_plus(c->lane, (int64_t)(i % nv) * L->lanes);
        acc[i] = b_load(b, c->so_far, L->lanes, at[i]);
    }
    product_t p = {.rows = rows,
                   .vectors = nv,
                   .depth = c->depth,
                   .x = dy_at,
                   .y = x_at,
                   .ctx = c,
                   .init = acc,
                   .every = c->share,
                   .ahead = fetch_rows};
    value_t *sums[MAX_TILE];
    tile_product(L, b, &p, sums);
    for (int i = 0; i < n; i++) b_store(b, c->so_far, sums[i], at[i]);
}

/* As many rows of both panels as the first-level cache holds. */
static void outer_rows(lower_t *L, builder_t *b, sums_t *c, affine_t first, int64_t depth) {
    c->k0 = first;
    c->depth = depth;
    inst_t *tiles = b_for(b, "tile", dim(0), dim(PANEL / L->tile), 0, NULL);
    int64_t passes = PANEL / L->tile * row_tiles(L, PANEL);
    c->tile = ax_v(loop_var(tiles));
    c->lane = ax_scale(c->tile, L->tile);
    c->share = (depth + passes - 1) / passes;
    for_row_tiles(L, b, PANEL, outer_tile, c);
    b_end_for(b, tiles, NULL);
}

static void clear(lower_t *L, builder_t *b, const sums_t *c) {
    inst_t *rows = b_for(b, "i", dim(0), dim(PANEL), 0, NULL);
    for (int64_t lane = 0; lane < PANEL; lane += L->lanes) {
        affine_t ix[] = {ax_v(loop_var(rows)), ax(lane)};
        b_store(b, c->so_far, splat(b, L, 0), ix);
    }
    b_end_for(b, rows, NULL);
}

/* ---- results ------------------------------------------------------------------------------------ */

/* Elements of a row of sums: from column `first` of the result on, as far as it goes. */
typedef struct {
    const sums_t *c;
    affine_t row, out, first; /* of so_far; of the result */
    bool later;
} put_t;

/* The first chunk's sums, or the chunk's on top of those before it. */
static void put_elements(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const put_t *p = ctx;
    buffer_t *to = p->c->s->to;
    affine_t from[] = {p->row, at}, col = ax_add(p->first, at);
    affine_t weight[] = {p->c->place, p->out, col}, bias[] = {p->c->place, col};
    const affine_t *ix = to->rank == 3 ? weight : bias;
    value_t *x = b_load(b, p->c->so_far, width, from);
    (void)L;
    if (p->later) x = b_binary(b, OP_ADD, b_load(b, to, width, ix), x);
    b_store(b, to, x, ix);
}

static void put_columns(lower_t *L, builder_t *b, put_t *p, affine_t first, int64_t width) {
    p->first = first;
    inst_t *later = b_if(b, p->c->later, 0, NULL);
    p->later = true;
    for_span(L, b, width, put_elements, p);
    b_else(b, later, NULL);
    p->later = false;
    for_span(L, b, width, put_elements, p);
    b_end_if(b, later, NULL);
}

/* The columns that there are of a panel: of the last one fewer. */
static void put_panel(lower_t *L, builder_t *b, put_t *p, affine_t panel) {
    const buffer_t *to = p->c->s->to;
    int64_t width = to->dims[to->rank - 1].c, whole = width / PANEL, rest = width % PANEL;
    inst_t *inside = NULL;
    if (whole > 0 && rest > 0) {
        value_t *own = b_index(b, panel), *held = at_most(b, panel, dim(whole - 1));
        panel = ax_v(held);
        inside = b_if(b, b_compare(b, OP_EQ, own, held), 0, NULL);
    }
    if (whole > 0) put_columns(L, b, p, ax_scale(panel, PANEL), PANEL);
    if (inside) b_else(b, inside, NULL);
    if (rest > 0) put_columns(L, b, p, ax(whole * PANEL), rest);
    if (inside) b_end_if(b, inside, NULL);
}

static void put_panels(lower_t *L, builder_t *b, const sums_t *c) {
    dim_t outs = c->s->to->dims[1];
    inst_t *rows = b_for(b, "i", dim(0), dim(PANEL), 0, NULL), *inside = NULL;
    put_t p = {.c = c, .row = ax_v(loop_var(rows))};
    p.out = ax_add(ax_scale(c->dy_panel, PANEL), p.row);
    if (outs.c % PANEL > 0) {
        value_t *own = b_index(b, p.out), *held = at_most(b, p.out, dim_sub(outs, dim(1)));
        p.out = ax_v(held);
        inside = b_if(b, b_compare(b, OP_EQ, own, held), 0, NULL);
    }
    put_panel(L, b, &p, c->x_panel);
    if (inside) b_end_if(b, inside, NULL);
    b_end_for(b, rows, NULL);
}

/* ---- kernels ------------------------------------------------------------------------------------ */

static void outer_panels(lower_t *L, builder_t *b, sums_t *c) {
    int64_t rows = c->s->dy->dims[1].c, whole = rows / DEPTH;
    dim_t d[] = {dim(PANEL), dim(PANEL)};
    c->so_far = kernel_scratch(b, "so_far", E_F32, 2, d);
    clear(L, b, c);
    if (whole > 0) {
        inst_t *loop = b_for(b, "rows", dim(0), dim(whole), 0, NULL);
        outer_rows(L, b, c, ax_scale(ax_v(loop_var(loop)), DEPTH), DEPTH);
        b_end_for(b, loop, NULL);
    }
    if (rows % DEPTH) outer_rows(L, b, c, ax(whole * DEPTH), rows % DEPTH);
    put_panels(L, b, c);
}

static void sum_panel(lower_t *L, builder_t *b, sums_t *c) {
    dim_t d[] = {dim(1), dim(PANEL)};
    c->so_far = kernel_scratch(b, "so_far", E_F32, 2, d);
    for (int64_t lane = 0; lane < PANEL; lane += L->lanes) {
        value_t *sum = splat(b, L, 0);
        inst_t *rows = b_for(b, "k", dim(0), c->s->dy->dims[1], 1, &sum);
        affine_t at[] = {c->dy_panel, ax_v(loop_var(rows)), ax(lane)}, to[] = {ax(0), ax(lane)};
        sum = b_binary(b, OP_ADD, loop_arg(rows, 0), b_load(b, c->s->dy, L->lanes, at));
        b_end_for(b, rows, &sum);
        b_store(b, c->so_far, rows->results[0], to);
    }
    put_t p = {.c = c, .row = ax(0)};
    put_panel(L, b, &p, c->dy_panel);
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
