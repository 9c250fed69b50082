/* Where the rows and columns of a program on few rows stand while a kernel of it is written: in
 * homes, in rows that are kept for later stages, or as whole rows in scratch,
 * computed by every task anew. */
#include "lower/columns_plan.h"
#include "lower/quantize.h"

buffer_t *home_buffer(const columns_t *c, int home) {
    return c->few->instead ? c->few->instead[home] : c->L->homes[home];
}

buffer_t *keep_rows(columns_t *c, const gnode_t *n) {
    lower_t *L = c->L;
    const char *base =
        arena_printf(L->arena, "%s%s_rows", c->few->prefix, identifier(L, base_name(n)));
    dim_t d[] = {dim(c->at.m),
                 dim(round_up(n->type == G_I8 ? stored_width(L, n) : shared_width(c, n), PANEL))};
    elem_t e = elem_of(L, n);
    for (int k = 1;; k++) {
        const char *name = k == 1 ? base : arena_printf(L->arena, "%s_%d", base, k);
        buffer_t *made = module_find_buffer(L->m, name);
        bool taken = made && (made->kind != BUF_WORKSPACE || made->rank != 2 || made->elem != e ||
                              !dim_equal(made->dims[0], d[0]) || !dim_equal(made->dims[1], d[1]));
        for (int i = 0; i < c->region->nodes.n; i++) taken |= made && c->place[i].kept == made;
        if (taken) continue;
        return made ? made : workspace(L, name, e, 2, d, "[row][column]: for the next stage");
    }
}

/* Where x stands already, as n's k-th value; NULL: it is not computed, or in scratch alone. */
static buffer_t *stands_in(const columns_t *c, const gnode_t *n, int k, const gnode_t *x) {
    const column_place_t *p = place_in(c, x);
    int home = place_in(c, n)->home[k];
    const attention_t *a = c->part->from;
    if (p && !p->done) return NULL;
    if (p && p->kept) return p->kept;
    if (home >= 0) return home_buffer(c, home);
    return !p && a && a->node == x ? a->out : NULL;
}

/* Stored rows are read where they are. */
static buffer_t *source_rows(columns_t *c, builder_t *b, const gnode_t *n, int k,
                             const gnode_t *x) {
    buffer_t *from = stands_in(c, n, k, x);
    return from ? from : whole_rows(c, b, n, k, x);
}

/* The norm n, as it is or as `result` has it. */
static bool norm_rows(columns_t *c, builder_t *b, const gnode_t *n, const gnode_t *result,
                      buffer_t *to) {
    const gnode_t *x[2];
    bool small = result->type == G_I8;
    norm_t norm = {.at = &c->at, .dst = to, .rounds = result != n && !small};
    if (small) norm.dst = scratch_rows(c->L, b, n, 1), norm.quantized = to;
    norm.n_src = sources_of(c, n, x);
    read_norm(c->part, c->index, n, &norm);
    for (int k = 0; k < norm.n_src; k++)
        if (!(norm.src[k] = source_rows(c, b, n, k, x[k]))) return false;
    layer_norm_rows(c->L, b, &norm);
    return true;
}

/* Whether somebody reads whole tiles of columns of what is in scratch. */
static bool is_read_by_tiles(const columns_t *c, const gnode_t *n) {
    const nodes_t *readers = &c->L->regions->readers[n->id];
    for (int i = 0; i < readers->n; i++) {
        const gnode_t *r = readers->at[i];
        if (place_in(c, r) && (is_elementwise(r) || (r->op == G_SLICE && is_read_by_tiles(c, r))))
            return true;
    }
    return place_in(c, n)->stored;
}

/* A norm that is only rounded is stored so, and has no rows of its own. */
static const gnode_t *rounded_norm(const columns_t *c, const gnode_t *n) {
    const gnode_t *x = n->in[0];
    if ((n->op != G_ROUND && n->op != G_QUANTIZE) || !is_norm(x) || !place_in(c, x) ||
        place_in(c, x)->rows)
        return NULL;
    return only_round_of(c->L, c->region, x);
}

bool compute_whole(columns_t *c, builder_t *b, const gnode_t *n) {
    column_place_t *p = place_in(c, n);
    buffer_t *from[G_MAX_INPUTS] = {NULL};
    p->rows = scratch_rows(c->L, b, n, c->at.m);
    if (is_norm(n) || rounded_norm(c, n)) {
        if (!norm_rows(c, b, is_norm(n) ? n : n->in[0], n, p->rows)) return false;
    } else if (n->op == G_QUANTIZE) {
        from[0] = source_rows(c, b, n, 0, behind_slice(c, n->in[0]));
        if (!from[0]) return false;
        quantize_rows(c->L, b, &c->at, from[0], p->rows, width_of(n));
    } else {
        for (int k = 0; k < n->n_in; k++) {
            from[k] = whole_rows(c, b, n, k, behind_slice(c, n->in[k]));
            if (!from[k]) return false;
        }
        if (n->op == G_CONCAT) concat_rows(c->L, b, &c->at, n, from, p->rows);
        else element_rows(c->L, b, &c->at, n, from, p->rows);
    }
    if (n->type == G_I8) return true;
    if (is_read_by_tiles(c, n) || read_width(c->L, n) > width_of(n))
        pad_rows(c->L, b, &c->at, n, p->rows);
    return true;
}

buffer_t *whole_rows(columns_t *c, builder_t *b, const gnode_t *n, int k, const gnode_t *x) {
    const column_place_t *p = place_in(c, x);
    if (p && p->rows) return p->rows;
    buffer_t *from = stands_in(c, n, k, x);
    if (!from && p && !p->by_columns) return compute_whole(c, b, x) ? p->rows : NULL;
    if (!from) {
        (void)no_kernel(c->L, n, "of what is neither stored nor at hand");
        return NULL;
    }
    if (from->rank == 2) return from;
    buffer_t **copy = &c->copies[place_in(c, n)->home[k]];
    if (*copy) return *copy;
    *copy = scratch_rows(c->L, b, x, c->at.m);
    copy_rows(c->L, b, &c->at, from, *copy, read_width(c->L, x));
    return *copy;
}

/* Attention leaves heads side by side, with nothing behind the last. */
static buffer_t *mixed_tiles(columns_t *c, builder_t *b, const gnode_t *x, buffer_t *from) {
    if (c->mixed) return c->mixed;
    c->mixed = scratch_rows(c->L, b, x, c->at.m);
    copy_rows(c->L, b, &c->at, from, c->mixed, width_of(x));
    pad_rows(c->L, b, &c->at, x, c->mixed);
    return c->mixed;
}

buffer_t *own_columns(columns_t *c, builder_t *b, const gnode_t *n, int k) {
    const gnode_t *x = behind_slice(c, n->in[k]);
    column_place_t *p = place_in(c, x);
    if (p && p->rows) return p->rows;
    buffer_t *from = stands_in(c, n, k, x);
    if (from && !p && from->rank == 2) return mixed_tiles(c, b, x, from);
    if (!from && p && !p->by_columns && p->stage <= c->cut->stage)
        return compute_whole(c, b, x) ? p->rows : NULL;
    return from;
}
