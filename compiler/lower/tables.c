/* The gradients of embedding tables: see tables.h.
 *
 * A task has the columns of one panel and goes through the rows in their order, so that nothing is
 * added up twice at once. Of words, which may come often, a chunk is added up by itself, beside the
 * table; entries of positions have few rows. */
#include "lower/tables.h"

#include "lower/chunks.h"

typedef struct {
    const row_sums_t *s;
    const gnode_t *node;
    value_t *chunk;
    affine_t place, panel;
    int64_t width;  /* columns of the panel */
    buffer_t *own;  /* [panel][entry][PANEL]: of the chunk; NULL: rows go straight to the table */
    affine_t row;   /* of the chunk */
    affine_t entry; /* that it has */
} tables_t;

static value_t *load_own(builder_t *b, const tables_t *t, affine_t at, int width) {
    affine_t ix[] = {t->panel, t->entry, at};
    return b_load(b, t->own, width, ix);
}

static void store_own(builder_t *b, const tables_t *t, affine_t at, value_t *x) {
    affine_t ix[] = {t->panel, t->entry, at};
    b_store(b, t->own, x, ix);
}

static value_t *dy_at(builder_t *b, const tables_t *t, affine_t at, int width) {
    affine_t ix[] = {t->panel, t->row, at};
    return b_load(b, t->s->dy, width, ix);
}

/* ---- what is done to an entry ---------------------------------------------------------------- */

static void add_to_table(builder_t *b, const tables_t *t, affine_t at, value_t *x, int width) {
    affine_t ix[] = {t->place, t->entry, ax_add(ax_scale(t->panel, PANEL), at)};
    b_store(b, t->s->to, b_binary(b, OP_ADD, b_load(b, t->s->to, width, ix), x), ix);
}

static void clear_table(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const tables_t *t = ctx;
    affine_t ix[] = {t->place, t->entry, ax_add(ax_scale(t->panel, PANEL), at)};
    (void)L;
    b_store(b, t->s->to, b_const(b, (ltype_t){E_F32, width}, 0), ix);
}

static void add_row(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const tables_t *t = ctx;
    (void)L;
    add_to_table(b, t, at, dy_at(b, t, at, width), width);
}

static void clear_own(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    store_own(b, ctx, at, b_const(b, (ltype_t){E_F32, width}, 0));
}

static void add_to_own(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const tables_t *t = ctx;
    (void)L;
    store_own(b, t, at, b_binary(b, OP_ADD, load_own(b, t, at, width), dy_at(b, t, at, width)));
}

/* Once: rows that have the entry too find nothing more there. */
static void move_own(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const tables_t *t = ctx;
    add_to_table(b, t, at, load_own(b, t, at, width), width);
    clear_own(L, b, ctx, at, width);
}

/* ---- rows and their entries ------------------------------------------------------------------ */

static affine_t word_of(lower_t *L, builder_t *b, affine_t batch, affine_t row) {
    affine_t ix[] = {batch, row};
    return ax_v(b_name(load1(b, L->ids, 2, ix), "id"));
}

/* Rows that only fill a block up, which are zeros, have the last position. */
static affine_t position_of(lower_t *L, builder_t *b, const gnode_t *n, affine_t batch,
                            affine_t row) {
    value_t *p = graph_positions(n) ? position_from(L, b, batch, row)
                                    : at_most(b, row, dim_sub(L->padded, dim(1)));
    int64_t inner = 1;
    for (int a = (int)n->axis + 1; a < n->n_axial; a++) inner *= n->axial_shape[a];
    if (inner > 1) p = b_idiv(b, p, dim(inner));
    if (n->axis > 0) p = b_irem(b, p, dim(n->axial_shape[n->axis]));
    return ax_v(b_name(p, "entry"));
}

/* Row after row of the chunk. */
static void for_entries(lower_t *L, builder_t *b, tables_t *t, span_fn *body) {
    inst_t *blocks = b_for(b, "block", dim(0), dim(L->chunks.blocks), 0, NULL);
    chunk_task_t task = task_of_chunk(L, b, t->chunk, loop_var(blocks));
    inst_t *rows = b_for(b, "i", dim(0), dim(L->block), 0, NULL);
    affine_t i = ax_v(loop_var(rows)), row = ax_add(task.row0, i);
    t->row = ax_add(task.chunk_row, i);
    t->entry = t->node->op == G_WORD_GRAD ? word_of(L, b, task.batch, row)
                                          : position_of(L, b, t->node, task.batch, row);
    for_span(L, b, t->width, body, t);
    b_end_for(b, rows, NULL);
    b_end_for(b, blocks, NULL);
}

static void add_panel(lower_t *L, builder_t *b, tables_t *t) {
    value_t *zero = b_iconst(b, SCALAR(E_I64), 0);
    inst_t *first = b_if(b, b_compare(b, OP_EQ, t->chunk, zero), 0, NULL);
    inst_t *entries = b_for(b, "entry", dim(0), t->s->to->dims[1], 0, NULL);
    t->entry = ax_v(loop_var(entries));
    for_span(L, b, t->width, clear_table, t);
    b_end_for(b, entries, NULL);
    b_end_if(b, first, NULL);
    if (!t->own) {
        for_entries(L, b, t, add_row);
        return;
    }
    for_entries(L, b, t, clear_own);
    for_entries(L, b, t, add_to_own);
    for_entries(L, b, t, move_own);
}

/* The last panel may have fewer columns. */
static void add_panels(lower_t *L, builder_t *b, tables_t *t) {
    int64_t width = t->s->to->dims[2].c, whole = width / PANEL, rest = width % PANEL;
    affine_t panel = t->panel;
    inst_t *inside = NULL;
    if (whole > 0 && rest > 0) {
        value_t *own = b_index(b, panel), *held = at_most(b, panel, dim(whole - 1));
        t->panel = ax_v(held);
        inside = b_if(b, b_compare(b, OP_EQ, own, held), 0, NULL);
    }
    t->width = PANEL;
    if (whole > 0) add_panel(L, b, t);
    if (inside) b_else(b, inside, NULL);
    t->panel = ax(whole);
    t->width = rest;
    if (rest > 0) add_panel(L, b, t);
    if (inside) b_end_if(b, inside, NULL);
}

lfunc_t *lower_table_sums(lower_t *L, const char *name, const gnode_t *sum, const row_sums_t *s) {
    dim_t panels = s->dy->dims[0];
    bool words = sum->op == G_WORD_GRAD;
    if (words && sum->in[1] != L->embed->in[0]) {
        no_kernel(L, sum, "of other tokens than those that were embedded");
        return NULL;
    }
    tables_t t = {.s = s, .node = sum};
    dim_t own[] = {panels, s->to->dims[1], dim(PANEL)};
    if (words)
        t.own = workspace(L, arena_printf(L->arena, "%s_chunk", name), E_F32, 3, own,
                          "[panel][entry][column]: of a chunk");
    builder_t b = build_kernel(L->m, name, 1, &panels, NULL);
    t.place = ax_v(kernel_param(&b, "place", s->to->dims[0].c));
    t.chunk = kernel_param(&b, "chunk", L->chunks.n);
    t.panel = ax_v(b.fn->task[0]);
    add_panels(L, &b, &t);
    return b.fn;
}
