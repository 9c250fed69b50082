/* What follows a dense layer on its accumulators: see rows_chain.h.
 *
 * In a forward a value with one reader is computed on and stored at the end. Where sums are made of
 * rows, values have several readers: each elementwise one whose other operands are there is
 * computed with the chain, and what others read is stored on the way. */
#include "lower/rows_chain.h"

#include "lower/dropout.h"
#include "lower/outputs.h"
#include "lower/rows_sums.h"

/* ---- links ----------------------------------------------------------------------------------- */

/* Whether n writes over rows that a node before it has yet to read. */
static bool is_too_early(const lower_t *L, const rows_t *r, const gnode_t *n) {
    const homes_t *homes = &L->regions->homes[n->id];
    const gnode_t *x = n->in[0];
    bool goes_on = n->op == G_ADD || n->op == G_SUB;
    if (!goes_on || homes->n == 0 || home_read_by(L->regions, n, x) != homes->of[0]) return false;
    const nodes_t *readers = &L->regions->readers[x->id];
    for (int i = 0; i < readers->n; i++) {
        const gnode_t *reader = readers->at[i];
        int place = place_of(r, reader);
        if (place < 0 || r->done[place] || reader->id >= n->id) continue;
        if (home_read_by(L->regions, reader, x) == homes->of[0]) return true;
    }
    return false;
}

buffer_t *factor_rows(lower_t *L, builder_t *b, const rows_t *r, const gnode_t *n) {
    if (n->op != G_DROPOUT || !is_dropping(L, n)) return NULL;
    buffer_t **factors = &r->factors[place_of(r, n)];
    for (int i = 0; i < r->region->nodes.n && !*factors; i++)
        if (r->factors[i] && drops_alike(r->part, i, place_of(r, n))) *factors = r->factors[i];
    if (*factors) return *factors;
    dropped_t of = dropped_of(n);
    b_comment(b, "what %s keeps", base_name(n));
    const char *name = identifier(L, arena_printf(L->arena, "kept_%s", base_name(n)));
    value_t *layer = layer_of_dropout(b, r->part, r->index, n);
    return *factors = dropout_rows(L, b, &r->at, &of, layer, name);
}

/* Whether a reader of x, a value of the chain, can go on where that was computed: after its
 * other operands' places. */
static bool can_link(lower_t *L, builder_t *b, const rows_t *r, chain_t *c, const gnode_t *x,
                     const gnode_t *next) {
    int place = place_of(r, next);
    if (c->n_links == MAX_LINKS || place < 0 || r->done[place]) return false;
    if (!is_elementwise(next) || is_too_early(L, r, next)) return false;
    buffer_t **with = c->with[c->n_links];
    for (int k = 0; k < element_operands(next); k++) {
        with[k] = next->in[k] == x ? NULL : operand_of(L, r, next, next->in[k]);
        if (next->in[k] != x && !with[k]) return false;
    }
    if (next->op == G_DROPOUT) with[1] = factor_rows(L, b, r, next);
    return true;
}

static void add_link(rows_t *r, chain_t *c, const gnode_t *next, int back) {
    c->back[c->n_links] = back;
    c->links[c->n_links++] = c->last = next;
    r->done[place_of(r, next)] = true;
}

/* Whether n stands nowhere but where it is kept for the backward pass. */
static bool passes_kept(const lower_t *L, const rows_t *r, const gnode_t *n) {
    return L->regions->kept[n->id] && is_left(L, r, n) && !output_of(L, n);
}

/* By one node of the forward: its readers come first. */
static bool is_read_once(const lower_t *L, const nodes_t *readers) {
    int backward = L->regions->backward;
    return readers->at[0]->id < backward && (readers->n < 2 || readers->at[1]->id >= backward);
}

/* The one reader that goes on with the chain's last; NULL: it is stored first. */
static const gnode_t *next_link(lower_t *L, builder_t *b, const rows_t *r, chain_t *c) {
    const gnode_t *n = c->last;
    const nodes_t *readers = &L->regions->readers[n->id];
    bool kept = passes_kept(L, r, n);
    if (readers->n != 1 && !(kept && is_read_once(L, readers))) return NULL;
    if ((nodes_find(&r->region->results, n) >= 0 && !kept) || is_shown_apart(L, n)) return NULL;
    return can_link(L, b, r, c, n, readers->at[0]) ? readers->at[0] : NULL;
}

static const gnode_t *value_of(const chain_t *c, const gnode_t *dense, int value) {
    return value ? c->links[value - 1] : dense;
}

/* Every reader of the chain's values that can go on with one. */
static void add_branches(lower_t *L, builder_t *b, rows_t *r, chain_t *c, const gnode_t *dense) {
    for (int v = 0; v <= c->n_links; v++) {
        const gnode_t *x = value_of(c, dense, v);
        const nodes_t *readers = &L->regions->readers[x->id];
        for (int i = 0; i < readers->n; i++)
            if (can_link(L, b, r, c, x, readers->at[i]))
                add_link(r, c, readers->at[i], c->n_links - v);
    }
}

/* ---- where values go ------------------------------------------------------------------------- */

/* Whether a node goes on with x where it was computed, as the chain's value `v`. */
static bool is_link_of(const chain_t *c, const gnode_t *n, int v) {
    for (int i = 0; i < c->n_links; i++)
        if (c->links[i] == n && i - c->back[i] == v) return true;
    return false;
}

/* Whether somebody reads the rows of value x by themselves. */
static bool wants_tile(const lower_t *L, const rows_t *r, const chain_t *c, const gnode_t *x,
                       int v) {
    bool pairs = is_summed_in_pairs(L, r, x);
    for (int i = 0; i < r->region->nodes.n; i++) {
        const gnode_t *n = r->region->nodes.at[i];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] == x && (pairs || !is_row_sum(n)) && !is_link_of(c, n, v)) return true;
    }
    return nodes_find(&r->region->results, x) >= 0;
}

bool is_read_last(const lower_t *L, const rows_t *r, const gnode_t *x, const gnode_t *n) {
    const nodes_t *readers = &L->regions->readers[x->id];
    for (int i = 0; i < readers->n; i++)
        if (readers->at[i] != n && place_of(r, readers->at[i]) >= 0) return false;
    return tile_of(r, x) && nodes_find(&r->region->results, x) < 0;
}

/* A product's tile that nobody else reads is written over. */
static buffer_t *tile_for(lower_t *L, builder_t *b, rows_t *r, const gnode_t *x) {
    for (int k = 0; k < x->n_in && is_elementwise(x); k++) {
        const gnode_t *y = x->in[k];
        if (is_product(y) && have_same_rows(y, x) && is_read_last(L, r, y, x))
            return r->tiles[place_of(r, x)] = tile_of(r, y);
    }
    return scratch_tile(L, b, r, x);
}

static void place_values(lower_t *L, builder_t *b, rows_t *r, chain_t *c, const gnode_t *dense) {
    for (int v = 0; v <= c->n_links; v++) {
        const gnode_t *x = value_of(c, dense, v);
        stored_t s = homes_to_write(L, r, x);
        s.panels = panels_for(L, r, x);
        if (s.n_to == 0 && wants_tile(L, r, c, x, v)) s.to[s.n_to++] = tile_for(L, b, r, x);
        if (L->regions->homes[x->id].n > 0) c->target = s.to[0];
        c->stored[v] = s;
    }
}

chain_t chain_from(lower_t *L, builder_t *b, rows_t *r, const gnode_t *dense) {
    chain_t c = begin_chain(r->part, r->index, &r->at, dense);
    c.along_rows = !c.bias;
    c.chunk_row = r->task.chunk_row;
    r->done[place_of(r, dense)] = true;
    if (r->region->kind == K_SUM) {
        add_branches(L, b, r, &c, dense);
        place_values(L, b, r, &c, dense);
        return c;
    }
    for (const gnode_t *n; (n = next_link(L, b, r, &c));) {
        c.stored[c.n_links] = homes_to_write(L, r, c.last); /* none, or where it is kept */
        add_link(r, &c, n, 0);
    }
    stored_t *s = &c.stored[c.n_links];
    *s = homes_to_write(L, r, c.last);
    if (s->n_to > 0) c.target = s->to[0];
    if (L->regions->homes[c.last->id].n == 0) s->to[s->n_to++] = scratch_tile(L, b, r, c.last);
    return c;
}

void fetch_home(lower_t *L, builder_t *b, void *chain, affine_t row, affine_t col) {
    const chain_t *c = chain;
    affine_t yx[] = {batch_of_rows(c->at, c->target), ax_add(c->at->row0, row), col};
    prefetch_row(b, c->target, yx, L->tile);
}

void settle_chain(lower_t *L, builder_t *b, rows_t *r, const chain_t *c) {
    for (int v = 0; v <= c->n_links; v++) {
        const gnode_t *x = value_of(c, c->first, v);
        if (c->stored[v].panels) finish_panels(L, b, r, x);
        if (c->stored[v].n_to == 0 && !c->stored[v].panels) continue;
        settle(L, r, x);
        show_rows(L, b, r, x);
    }
}
