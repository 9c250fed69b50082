/* Where the rows of a row program stand: in scratch, in homes, by heads. See rows_values.h. */
#include <string.h>

#include "lower/rows_values.h"

int place_of(const rows_t *r, const gnode_t *n) {
    return nodes_find(&r->region->nodes, n);
}

buffer_t *tile_of(const rows_t *r, const gnode_t *x) {
    int place = place_of(r, x);
    return place < 0 ? NULL : r->tiles[place];
}

affine_t role_index(const rows_t *r, const role_t *role) {
    return ax_v(r->index[role->vector]);
}

int64_t width_of(const gnode_t *n) {
    return n->shape[n->rank - 1].c;
}

/* Where a node finds the rows of x in memory: they may have been written over in the meantime, and stand elsewhere
 * too. NULL: nowhere. */
buffer_t *home_for(const lower_t *L, const rows_t *r, const gnode_t *reader, const gnode_t *x) {
    const homes_t *homes = &L->regions->homes[x->id];
    int place = place_of(r, x);
    if (homes->n == 0 || (place >= 0 && !r->ready[place])) return NULL;
    int own = home_read_by(L->regions, reader, x), last = homes->of[homes->n - 1];
    if (!r->holds[own] || r->holds[own] == x) return L->homes[own];
    return !r->holds[last] || r->holds[last] == x ? L->homes[last] : NULL;
}

/* Whether an operand of a link can be loaded where the link is computed. */
bool is_at_hand(lower_t *L, const rows_t *r, const gnode_t *reader, const gnode_t *x) {
    int place = place_of(r, x);
    if (place >= 0 && r->tiles[place]) return r->ready[place];
    return home_for(L, r, reader, x) != NULL;
}

value_t *operand_at(lower_t *L, builder_t *b, const rows_t *r, const gnode_t *reader,
                    const gnode_t *x, affine_t row, affine_t col, int width) {
    buffer_t *tile = tile_of(r, x);
    int read = nodes_find(&r->region->reads, x);
    if (!tile && read >= 0 && graph_kind(x) == K_MIX) tile = r->copies[read];
    if (tile) {
        affine_t ix[] = {row, col};
        return b_load(b, tile, width, ix);
    }
    affine_t ix[] = {r->batch, ax_add(r->row0, row), col};
    return b_load(b, home_for(L, r, reader, x), width, ix);
}

/* What stands in the homes of n from now on. */
void settle(const lower_t *L, rows_t *r, const gnode_t *n) {
    const homes_t *homes = &L->regions->homes[n->id];
    for (int i = 0; i < homes->n; i++) r->holds[homes->of[i]] = n;
    r->ready[place_of(r, n)] = r->done[place_of(r, n)] = true;
}

/* ---- scratch -------------------------------------------------------------------------------------------- */

const char *base_name(const gnode_t *n) {
    const char *dot = strrchr(n->name, '.');
    return dot ? dot + 1 : n->name;
}

const char *scratch_name(lower_t *L, const builder_t *b, const gnode_t *n) {
    static const char *const known[] = {
        "attention_norm",   "feed_forward_norm", "feed_forward_in",
        "feed_forward_act", "feed_forward",      "attention",
        "hidden",           "feed_forward_gate", "feed_forward_gated"};
    const char *base = identifier(L, base_name(n)), *name = arena_printf(L->arena, "of_%s", base);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], base) == 0) name = base;
    base = name;
    for (int k = 2;; k++) {
        const char *own = arena_printf(L->arena, "%s_%s", b->fn->name, name);
        if (!module_find_buffer(L->m, name) || !module_find_buffer(L->m, own)) return name;
        name = arena_printf(L->arena, "%s_%d", base, k);
    }
}

static buffer_t *scratch_rows(lower_t *L, builder_t *b, const gnode_t *n) {
    dim_t d[] = {dim(L->block), dim(round_up(width_of(n), L->tile) + PADDING)};
    return kernel_scratch(b, scratch_name(L, b, n), E_F32, 2, d);
}

buffer_t *scratch_tile(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    return r->tiles[place_of(r, n)] = scratch_rows(L, b, n);
}

bool no_form(lower_t *L, const gnode_t *n, const char *why) {
    diag_error(L->d, n->at, "%s: no kernel computes %s %s", n->name, graph_op_name(n->op), why);
    return false;
}

/* Rows of the block between what is stored and scratch. */
typedef struct {
    const rows_t *r;
    buffer_t *stored, *scratch;
    bool store;
    affine_t row;
} move_t;

static void move_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const move_t *m = ctx;
    affine_t stored[] = {m->r->batch, ax_add(m->r->row0, m->row), at}, scratch[] = {m->row, at};
    (void)L;
    if (m->store) b_store(b, m->stored, b_load(b, m->scratch, width, scratch), stored);
    else b_store(b, m->scratch, b_load(b, m->stored, width, stored), scratch);
}

static void move_rows(lower_t *L, builder_t *b, const rows_t *r, buffer_t *stored,
                      buffer_t *scratch, int64_t width, bool store) {
    inst_t *loop = b_for(b, "i", dim(0), dim(L->block), 0, NULL);
    move_t m = {r, stored, scratch, store, ax_v(loop_var(loop))};
    for_span(L, b, width, move_span, &m);
    b_end_for(b, loop, NULL);
}

typedef struct {
    buffer_t *tile;
    affine_t row;
    int64_t from;
} pad_t;

static void pad_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const pad_t *p = ctx;
    affine_t ix[] = {p->row, ax_plus(at, p->from)};
    (void)L;
    b_store(b, p->tile, b_const(b, (ltype_t){E_F32, width}, 0), ix);
}

/* Whether somebody reads whole tiles of columns: elementwise, or from a home. */
static bool is_read_by_tiles(const lower_t *L, const gnode_t *n) {
    const nodes_t *readers = &L->regions->readers[n->id];
    for (int i = 0; i < readers->n; i++)
        if (is_elementwise(readers->at[i])) return true;
    return L->regions->homes[n->id].n > 0;
}

typedef struct {
    const rows_t *r;
    buffer_t *from, *to;
    affine_t row;   /* of the block */
    value_t *shown; /* of `to`: of rows beyond the length, the last */
} show_t;

static void show_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const show_t *s = ctx;
    affine_t scratch[] = {s->row, at}, to[] = {s->r->batch, ax_v(s->shown), at};
    affine_t home[] = {s->r->batch, ax_add(s->r->row0, s->row), at};
    (void)L;
    b_store(b, s->to, b_load(b, s->from, width, s->from->rank == 2 ? scratch : home), to);
}

/* For --dump-activations: what shows nowhere else. */
void show_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    if (!is_shown_apart(L, n)) return;
    part_t *p = r->part;
    if (!p->shown) p->shown = ARENA_ARRAY(L->arena, buffer_t *, r->region->nodes.n);
    buffer_t *tile = tile_of(r, n);
    show_t s = {.r = r, .from = tile ? tile : home_for(L, r, n, n), .to = shown_buffer(L, n)};
    p->shown[place_of(r, n)] = s.to;
    inst_t *loop = b_for(b, "i", dim(0), dim(L->block), 0, NULL), *real = NULL;
    s.row = ax_v(loop_var(loop));
    affine_t row = ax_add(r->row0, s.row);
    s.shown = at_most(b, row, dim_sub(L->padded, dim(1)));
    if (!dim_equal(L->rows, L->padded))
        real = b_if(b, b_compare(b, OP_EQ, b_index(b, row), s.shown), 0, NULL);
    for_span(L, b, width_of(n), show_span, &s);
    if (real) b_end_if(b, real, NULL);
    b_end_for(b, loop, NULL);
}

/* A finished tile: columns beyond its width are zeros where they are read, and it goes into the homes of its value. */
void finish_tile(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    int64_t width = width_of(n), whole = round_up(width, L->tile);
    const homes_t *homes = &L->regions->homes[n->id];
    if (whole > width && is_read_by_tiles(L, n)) {
        inst_t *loop = b_for(b, "i", dim(0), dim(L->block), 0, NULL);
        pad_t p = {tile_of(r, n), ax_v(loop_var(loop)), width};
        for_span(L, b, whole - width, pad_span, &p);
        b_end_for(b, loop, NULL);
    }
    for (int i = 0; i < homes->n; i++)
        move_rows(L, b, r, L->homes[homes->of[i]], tile_of(r, n), whole, true);
    settle(L, r, n);
    show_rows(L, b, r, n);
}

bool is_missing(lower_t *L, const gnode_t *n) {
    return no_form(L, n, "of rows that are not there any more, or not yet");
}

/* Scratch with the result of attention, where it is computed in one group, or the group's part of it. */
buffer_t *mixed_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *x) {
    int read = nodes_find(&r->region->reads, x);
    if (graph_kind(x) != K_MIX || !r->part->from) return NULL;
    if (!r->copies[read])
        r->copies[read] = out_of_heads(L, b, r->part->from, r->batch, r->row0, r->group);
    return r->copies[read];
}

/* Scratch with the rows of x, for its reader: its tile, or a copy of what is stored elsewhere. */
buffer_t *rows_at_hand(lower_t *L, builder_t *b, rows_t *r, const gnode_t *reader,
                       const gnode_t *x) {
    buffer_t *tile = tile_of(r, x), *home = home_for(L, r, reader, x);
    int read = nodes_find(&r->region->reads, x), place = place_of(r, x);
    if (tile) return r->ready[place] ? tile : NULL;
    if (graph_kind(x) == K_MIX) return mixed_rows(L, b, r, x);
    if (read >= 0 && r->copies[read]) return r->copies[read];
    if (!home) return NULL;
    buffer_t *copy = scratch_rows(L, b, x);
    move_rows(L, b, r, home, copy, width_of(x), false);
    if (read >= 0) r->copies[read] = copy;
    return copy;
}
