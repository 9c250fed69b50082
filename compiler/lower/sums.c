/* Sums over rows, a chunk at a time. See sums.h. */
#include "lower/sums.h"

enum { MAX_CHUNKS = 1 << 30, DEPTH = 128 };

typedef struct {
    const row_sums_t *s;
    affine_t place, dy_panel, x_panel;
    affine_t row, lane; /* within a panel of dy, and one of x */
    affine_t k0;        /* rows from here on */
    int64_t depth;
    int64_t outs, ins;         /* panels of a task */
    affine_t out, in;          /* those at work, of the task's */
    int64_t dy_share, x_share; /* of the next rows that a pass of a tile fetches of them */
    affine_t dy_pass, x_pass, tile;
    bool pairs; /* rows of panels are pairs of rows: as below */
    /* Scratch [outs * PANEL][ins * PANEL], without x [1][PANEL]: the chunk's sums */
    buffer_t *so_far;
    value_t *later; /* whether others were added up before this chunk */
} sums_t;

static value_t *dy_at(lower_t *L, builder_t *b, void *ctx, int row, affine_t k) {
    const sums_t *c = ctx;
    int each = c->pairs ? 2 : 1;
    affine_t ix[] = {c->dy_panel, ax_add(c->k0, k), ax_scale(ax_plus(c->row, row), each)};
    (void)L;
    return b_load(b, c->s->dy, each, ix);
}

static value_t *x_at(lower_t *L, builder_t *b, void *ctx, int j, affine_t k) {
    const sums_t *c = ctx;
    int each = c->pairs ? 2 : 1;
    affine_t lane = ax_scale(ax_plus(c->lane, (int64_t)j * L->lanes), each);
    affine_t ix[] = {c->x_panel, ax_add(c->k0, k), lane};
    return b_load(b, c->s->x, L->lanes * each, ix);
}

/* The tiles of these rows, of all pairs that a panel is part of, share the work of fetching its
 * next rows, a row at a time. */
static void fetch_row_of(builder_t *b, const sums_t *c, buffer_t *of, affine_t panel, affine_t pass,
                         int64_t share, affine_t step) {
    affine_t next = ax_add(ax_plus(c->k0, c->depth), ax_scale(pass, share));
    value_t *row = at_most(b, ax_add(next, step), dim_sub(of->dims[1], dim(1)));
    affine_t ix[] = {panel, ax_v(row), ax(0)};
    prefetch_row(b, of, ix, of->dims[2].c);
}

static void fetch_rows(lower_t *L, builder_t *b, void *ctx, affine_t step) {
    const sums_t *c = ctx;
    (void)L;
    fetch_row_of(b, c, c->s->dy, c->dy_panel, c->dy_pass, c->dy_share, step);
    fetch_row_of(b, c, c->s->x, c->x_panel, c->x_pass, c->x_share, step);
}

/* Of the tiles over a pair of panels. */
static int64_t passes_of(const lower_t *L) {
    return PANEL / L->tile * row_tiles(L, PANEL);
}

/* Rows, or pairs of them, one after the other; of bf16 that stands as f32 the odd one of a pair is
 * added first, as dot2 does it. */
static void order_rows(const sums_t *c, product_t *p) {
    p->order = c->pairs ? DOT_PAIRS : c->s->rounded ? ODD_FIRST : ONE_BY_ONE;
    if (p->order != ODD_FIRST) return;
    p->odd = p->depth % 2;
    p->depth /= 2;
}

/* A register tile goes on with what rows before these gave. */
static void outer_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows,
                       affine_t ordinal) {
    sums_t *c = ctx;
    value_t *acc[MAX_TILE];
    int nv = L->tiles->vectors, n = rows * nv;
    affine_t at[MAX_TILE][2];
    int64_t passes = passes_of(L);
    affine_t pass = ax_add(ax_scale(c->tile, row_tiles(L, PANEL)), ordinal);
    c->row = row;
    c->dy_pass = ax_add(ax_scale(c->in, passes), pass);
    c->x_pass = ax_add(ax_scale(c->out, passes), pass);
    for (int i = 0; i < n; i++) {
        affine_t lane = ax_plus(c->lane, (int64_t)(i % nv) * L->lanes);
        at[i][0] = ax_add(ax_scale(c->out, PANEL), ax_plus(row, i / nv));
        at[i][1] = ax_add(ax_scale(c->in, PANEL), lane);
        acc[i] = b_load(b, c->so_far, L->lanes, at[i]);
    }
    product_t p = {.rows = rows,
                   .vectors = nv,
                   .depth = c->depth,
                   .x = dy_at,
                   .y = x_at,
                   .ctx = c,
                   .init = acc,
                   .ahead = fetch_rows};
    order_rows(c, &p);
    p.every = cadence(p.depth, p.depth / (c->dy_share > c->x_share ? c->dy_share : c->x_share));
    value_t *sums[MAX_TILE];
    tile_product(L, b, &p, sums);
    for (int i = 0; i < n; i++) b_store(b, c->so_far, sums[i], at[i]);
}

/* A loop over the task's panels of one operand: `*at` of them, panel `*panel`.
 * NULL: there is one. */
static inst_t *for_panels(builder_t *b, int64_t n, affine_t task, affine_t *at, affine_t *panel) {
    *at = ax(0);
    *panel = task;
    if (n == 1) return NULL;
    inst_t *loop = b_for(b, "panel", dim(0), dim(n), 0, NULL);
    *at = ax_v(loop_var(loop));
    *panel = ax_add(ax_scale(task, n), *at);
    return loop;
}

static void end_panels(builder_t *b, inst_t *loop) {
    if (loop) b_end_for(b, loop, NULL);
}

/* As many rows of two panels as the first-level cache holds; of all of the task's,
 * the second-level one. */
static void outer_rows(lower_t *L, builder_t *b, sums_t *c, affine_t first, int64_t depth) {
    int64_t passes = passes_of(L), of_dy = passes * c->ins, of_x = passes * c->outs;
    c->k0 = first;
    c->depth = depth;
    c->dy_share = (depth + of_dy - 1) / of_dy;
    c->x_share = (depth + of_x - 1) / of_x;
    inst_t *outs = for_panels(b, c->outs, ax_v(b->fn->task[0]), &c->out, &c->dy_panel);
    inst_t *ins = for_panels(b, c->ins, ax_v(b->fn->task[1]), &c->in, &c->x_panel);
    inst_t *tiles = b_for(b, "tile", dim(0), dim(PANEL / L->tile), 0, NULL);
    c->tile = ax_v(loop_var(tiles));
    c->lane = ax_scale(c->tile, L->tile);
    for_row_tiles(L, b, PANEL, outer_tile, c);
    b_end_for(b, tiles, NULL);
    end_panels(b, ins);
    end_panels(b, outs);
}

static void clear(lower_t *L, builder_t *b, const sums_t *c) {
    inst_t *rows = b_for(b, "i", dim(0), c->so_far->dims[0], 0, NULL);
    inst_t *panels = c->ins > 1 ? b_for(b, "panel", dim(0), dim(c->ins), 0, NULL) : NULL;
    affine_t first = panels ? ax_scale(ax_v(loop_var(panels)), PANEL) : ax(0);
    for (int64_t lane = 0; lane < PANEL; lane += L->lanes) {
        affine_t ix[] = {ax_v(loop_var(rows)), ax_plus(first, lane)};
        b_store(b, c->so_far, splat(b, L, 0), ix);
    }
    end_panels(b, panels);
    b_end_for(b, rows, NULL);
}

/* ---- results --------------------------------------------------------------------------------- */

/* Elements of a row of sums: from column `first` of the result on, as far as it goes. */
typedef struct {
    const sums_t *c;
    affine_t row, lane, out, first; /* of so_far; of the result */
    bool later;
} put_t;

/* The first chunk's sums, or the chunk's on top of those before it. */
static void put_elements(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const put_t *p = ctx;
    buffer_t *to = p->c->s->to;
    affine_t from[] = {p->row, ax_add(p->lane, at)}, col = ax_add(p->first, at);
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

static void put_panels(lower_t *L, builder_t *b, sums_t *c) {
    dim_t outs = c->s->to->dims[1];
    inst_t *rows = b_for(b, "i", dim(0), c->so_far->dims[0], 0, NULL), *inside = NULL;
    put_t p = {.c = c, .row = ax_v(loop_var(rows))};
    p.out = ax_add(ax_scale(ax_v(b->fn->task[0]), c->outs * PANEL), p.row);
    if (outs.c % PANEL > 0) {
        value_t *own = b_index(b, p.out), *held = at_most(b, p.out, dim_sub(outs, dim(1)));
        p.out = ax_v(held);
        inside = b_if(b, b_compare(b, OP_EQ, own, held), 0, NULL);
    }
    inst_t *panels = for_panels(b, c->ins, ax_v(b->fn->task[1]), &c->in, &c->x_panel);
    p.lane = ax_scale(c->in, PANEL);
    put_panel(L, b, &p, c->x_panel);
    end_panels(b, panels);
    if (inside) b_end_if(b, inside, NULL);
    b_end_for(b, rows, NULL);
}

/* ---- kernels --------------------------------------------------------------------------------- */

static void outer_panels(lower_t *L, builder_t *b, sums_t *c) {
    int64_t rows = c->s->dy->dims[1].c, whole = rows / DEPTH;
    dim_t d[] = {dim(c->outs * PANEL), dim(c->ins * PANEL)};
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

/* What a row of a panel adds to a sum, or a pair of rows, the first one first. */
static value_t *add_row(lower_t *L, builder_t *b, const sums_t *c, affine_t row, int64_t lane,
                        value_t *sum) {
    int each = c->pairs ? 2 : 1;
    affine_t at[] = {c->dy_panel, row, ax(lane * each)};
    value_t *x = b_load(b, c->s->dy, L->lanes * each, at);
    if (!c->pairs) return b_binary(b, OP_ADD, sum, x);
    for (int i = 0; i < 2; i++) sum = b_binary(b, OP_ADD, sum, widened(L, b, x, i));
    return sum;
}

static void sum_panel(lower_t *L, builder_t *b, sums_t *c) {
    dim_t d[] = {dim(1), dim(PANEL)};
    c->so_far = kernel_scratch(b, "so_far", E_F32, 2, d);
    enum { MAX = 8 }; /* sums at once, which do not wait for each other */
    int64_t n = PANEL / L->lanes < MAX ? PANEL / L->lanes : MAX;
    for (int64_t first = 0; first < PANEL; first += n * L->lanes) {
        value_t *sums[MAX];
        for (int64_t i = 0; i < n; i++) sums[i] = splat(b, L, 0);
        inst_t *rows = b_for(b, "k", dim(0), c->s->dy->dims[1], (int)n, sums);
        for (int64_t i = 0; i < n; i++) {
            affine_t row = ax_v(loop_var(rows));
            sums[i] = add_row(L, b, c, row, first + i * L->lanes, loop_arg(rows, (int)i));
        }
        b_end_for(b, rows, sums);
        for (int64_t i = 0; i < n; i++) {
            affine_t to[] = {ax(0), ax(first + i * L->lanes)};
            b_store(b, c->so_far, rows->results[i], to);
        }
    }
    put_t p = {.c = c, .row = ax(0), .lane = ax(0)};
    put_panel(L, b, &p, c->dy_panel);
}

lfunc_t *lower_row_sums(lower_t *L, const char *name, const row_sums_t *s) {
    int64_t outs = s->outs ? s->outs : 1, ins = s->ins ? s->ins : 1;
    dim_t tasks[] = {dim(s->dy->dims[0].c / outs), dim(s->x ? s->x->dims[0].c / ins : 1)};
    const char *names[] = {"out", "in"};
    builder_t b = build_kernel(L->m, name, s->x ? 2 : 1, tasks, names);
    value_t *place = kernel_param(&b, "place", s->to->dims[0].c);
    value_t *chunk = kernel_param(&b, "chunk", MAX_CHUNKS);
    sums_t c = {.s = s, .place = ax_v(place), .outs = outs, .ins = ins};
    c.pairs = s->dy->elem == E_BF16;
    c.dy_panel = ax_v(b.fn->task[0]);
    c.later = b_compare(&b, OP_NE, chunk, b_iconst(&b, SCALAR(E_I64), 0));
    (s->x ? outer_panels : sum_panel)(L, &b, &c);
    return b.fn;
}
