/* Where the rows of a row program stand: in scratch, in homes, by heads. See rows_values.h. */
#include "lower/rows_values.h"

#include "lower/quantize.h"

int place_of(const rows_t *r, const gnode_t *n) {
    return nodes_find(&r->region->nodes, n);
}

buffer_t *tile_of(const rows_t *r, const gnode_t *x) {
    int place = place_of(r, x);
    return place < 0 ? NULL : r->tiles[place];
}

/* Where a node finds the rows of x in memory: they may have been written over in the meantime, and
 * stand elsewhere too. NULL: nowhere. */
buffer_t *home_for(const lower_t *L, const rows_t *r, const gnode_t *reader, const gnode_t *x) {
    const homes_t *homes = &L->regions->homes[x->id];
    int place = place_of(r, x);
    if (is_found_kept(L->regions, r->region, x)) return L->homes[homes->kept];
    if (homes->n == 0 || (place >= 0 && !r->ready[place])) return NULL;
    int own = home_read_by(L->regions, reader, x), last = homes->of[homes->n - 1];
    if (!r->holds[own] || r->holds[own] == x) return L->homes[own];
    return !r->holds[last] || r->holds[last] == x ? L->homes[last] : NULL;
}

buffer_t *operand_of(const lower_t *L, const rows_t *r, const gnode_t *reader, const gnode_t *x) {
    int place = place_of(r, x);
    if (place >= 0 && r->tiles[place]) return r->ready[place] ? r->tiles[place] : NULL;
    return home_for(L, r, reader, x);
}

/* Elsewhere it may be computed too, for others. */
bool is_left(const lower_t *L, const rows_t *r, const gnode_t *n) {
    return L->regions->homes[n->id].kept >= 0 && L->regions->of_node[n->id] == r->region;
}

stored_t homes_to_write(lower_t *L, const rows_t *r, const gnode_t *n) {
    const homes_t *homes = &L->regions->homes[n->id];
    stored_t s = {.to = ARENA_ARRAY(L->arena, buffer_t *, homes->n + 2)};
    for (int i = 0; i < homes->n; i++) s.to[s.n_to++] = L->homes[homes->of[i]];
    if (is_left(L, r, n)) s.to[s.n_to++] = L->homes[homes->kept];
    return s;
}

/* What stands in the homes of n from now on. */
void settle(const lower_t *L, rows_t *r, const gnode_t *n) {
    const homes_t *homes = &L->regions->homes[n->id];
    for (int i = 0; i < homes->n; i++) r->holds[homes->of[i]] = n;
    r->ready[place_of(r, n)] = r->done[place_of(r, n)] = true;
}

/* ---- scratch --------------------------------------------------------------------------------- */

buffer_t *scratch_tile(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    return r->tiles[place_of(r, n)] = scratch_rows(L, b, n, r->at.m);
}

/* Whether somebody reads whole tiles of columns: elementwise, or from a home. */
static bool is_read_by_tiles(const lower_t *L, const gnode_t *n) {
    const nodes_t *readers = &L->regions->readers[n->id];
    for (int i = 0; i < readers->n; i++) {
        const gnode_t *reader = readers->at[i];
        bool view = reader->op == G_SLICE || reader->op == G_FIRST_TOKEN;
        if (is_elementwise(reader) || (view && is_read_by_tiles(L, reader))) return true;
    }
    return L->regions->homes[n->id].n > 0 || L->regions->homes[n->id].kept >= 0;
}

typedef struct {
    const rows_t *r;
    buffer_t *from, *to;
    const gnode_t *n;
    affine_t row;   /* of the block */
    value_t *shown; /* of `to`: of rows beyond the length, the last */
} show_t;

static void show_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const show_t *s = ctx;
    affine_t to[] = {s->r->at.batch, ax_v(s->shown), at};
    (void)L;
    value_t *x = load_at(b, &s->r->at, s->from, s->row, at, width);
    if (s->n->type == G_I8) x = quantized_value(L, b, s->from, s->row, width_of(s->n), x);
    b_store(b, s->to, b_convert(b, E_F32, x), to);
}

/* For --dump-activations: what shows nowhere else. */
void show_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    if (!is_shown_apart(L, n)) return;
    part_t *p = r->part;
    if (!p->shown) p->shown = ARENA_ARRAY(L->arena, buffer_t *, r->region->nodes.n);
    buffer_t *tile = tile_of(r, n);
    show_t s = {
        .r = r, .n = n, .from = tile ? tile : home_for(L, r, n, n), .to = shown_buffer(L, n)};
    p->shown[place_of(r, n)] = s.to;
    inst_t *loop = b_for(b, "i", dim(0), dim(r->at.m), 0, NULL), *real = NULL;
    s.row = ax_v(loop_var(loop));
    affine_t row = ax_add(r->at.row0, s.row);
    s.shown = at_most(b, row, dim_sub(L->padded, dim(1)));
    if (!dim_equal(L->rows, L->padded))
        real = b_if(b, b_compare(b, OP_EQ, b_index(b, row), s.shown), 0, NULL);
    for_span(L, b, width_of(n), show_span, &s);
    if (real) b_end_if(b, real, NULL);
    b_end_for(b, loop, NULL);
}

/* A finished tile: columns beyond its width are zeros where they are read, also of a pair, and it
 * goes into the homes of its value. */
void finish_tile(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    stored_t homes = homes_to_write(L, r, n);
    int64_t width = round_up(width_of(n), L->tile);
    if (n->type == G_I8) width = read_width(L, n);
    else if (is_read_by_tiles(L, n) || read_width(L, n) > width_of(n))
        pad_rows(L, b, &r->at, n, tile_of(r, n));
    for (int i = 0; i < homes.n_to; i++) copy_rows(L, b, &r->at, tile_of(r, n), homes.to[i], width);
    settle(L, r, n);
    show_rows(L, b, r, n);
}

bool is_missing(lower_t *L, const gnode_t *n) {
    return no_kernel(L, n, "of rows that are not there any more, or not yet");
}

value_t *place_in_stacks(const rows_t *r) {
    return r->part->stacked ? r->index[r->part->stack_vector] : NULL;
}

/* Scratch with the result of attention, where it is computed in one group, or
 * the group's part of it. */
buffer_t *mixed_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *x) {
    int read = nodes_find(&r->region->reads, x);
    if (graph_kind(x) != K_MIX || !r->part->from) return NULL;
    if (!r->copies[read])
        r->copies[read] = out_of_heads(L, b, r->part->from, r->at.batch, r->at.row0, r->group,
                                       place_in_stacks(r), false);
    return r->copies[read];
}

bool is_mixed(const rows_t *r, const gnode_t *x) {
    bool rounded = x->op == G_ROUND && place_of(r, x) >= 0;
    return graph_kind(rounded ? x->in[0] : x) == K_MIX;
}

bool is_rounded_mix(const lower_t *L, const rows_t *r, const gnode_t *n) {
    const homes_t *homes = &L->regions->homes[n->id];
    if (n->op != G_ROUND || graph_kind(n->in[0]) != K_MIX || !r->part->from) return false;
    return homes->n == 0 && homes->kept < 0 && only_round_of(L, r->region, n->in[0]) == n;
}

/* What is shown of attention is not rounded. */
buffer_t *rounded_mix(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    if (!L->o->trace)
        return out_of_heads(L, b, r->part->from, r->at.batch, r->at.row0, r->group,
                            place_in_stacks(r), true);
    buffer_t *rows = mixed_rows(L, b, r, n->in[0]);
    int64_t width = rows->dims[1].c - padding_of(E_F32);
    elem_t e = elem_of(L, n);
    dim_t d[] = {rows->dims[0], dim(width + padding_of(e))};
    buffer_t *to = kernel_scratch(b, "heads_rounded", e, 2, d);
    round_rows(L, b, &r->at, rows, to, width);
    return to;
}

/* Scratch with the rows of x, for its reader: its tile, or a copy of what is stored elsewhere. */
buffer_t *rows_at_hand(lower_t *L, builder_t *b, rows_t *r, const gnode_t *reader,
                       const gnode_t *x) {
    buffer_t *tile = tile_of(r, x), *home = home_for(L, r, reader, x);
    int read = nodes_find(&r->region->reads, x), place = place_of(r, x);
    if (tile) return r->ready[place] ? tile : NULL;
    if (graph_kind(x) == K_MIX && !home) return mixed_rows(L, b, r, x);
    if (read >= 0 && r->copies[read]) return r->copies[read];
    if (!home) return NULL;
    buffer_t *copy = scratch_rows(L, b, x, r->at.m);
    copy_rows(L, b, &r->at, home, copy, read_width(L, x));
    if (read >= 0) r->copies[read] = copy;
    return copy;
}
