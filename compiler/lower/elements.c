/* Rows in memory, elementwise nodes and chains of them: see elements.h. */
#include "lower/elements.h"

#include <string.h>

#include "lower/math.h"

/* ---- rows in memory -------------------------------------------------------------------------- */

affine_t batch_of_rows(const rows_at_t *at, const buffer_t *rows) {
    for (int i = 0; i < at->n_kept; i++)
        if (at->kept[i].stack == rows) return at->kept[i].batch;
    return at->batch;
}

value_t *load_at(builder_t *b, const rows_at_t *at, buffer_t *from, affine_t row, affine_t col,
                 int width) {
    affine_t stored[] = {batch_of_rows(at, from), ax_add(at->row0, row), col}, own[] = {row, col};
    return b_load(b, from, width, from->rank == 3 ? stored : own);
}

void store_at(builder_t *b, const rows_at_t *at, buffer_t *to, affine_t row, affine_t col,
              value_t *x) {
    affine_t stored[] = {batch_of_rows(at, to), ax_add(at->row0, row), col}, own[] = {row, col};
    b_store(b, to, x, to->rank == 3 ? stored : own);
}

typedef struct {
    const rows_at_t *at;
    const gnode_t *n;
    buffer_t *const *from;
    buffer_t *to;
    affine_t row;
    int64_t first, skip; /* columns of `to` and of `from` to begin with */
    bool rounds;         /* what is copied, to bf16 */
} element_span_t;

static void copy_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const element_span_t *s = ctx;
    (void)L;
    value_t *x = load_at(b, s->at, *s->from, s->row, ax_plus(at, s->skip), width);
    store_at(b, s->at, s->to, s->row, ax_plus(at, s->first), s->rounds ? rounded(b, x) : x);
}

static void zero_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const element_span_t *s = ctx;
    (void)L;
    store_at(b, s->at, s->to, s->row, ax_plus(at, s->first),
             b_const(b, (ltype_t){s->to->elem, width}, 0));
}

static void element_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const element_span_t *s = ctx;
    value_t *of[G_MAX_INPUTS] = {NULL};
    for (int k = 0; k < G_MAX_INPUTS; k++)
        if (s->from[k]) of[k] = load_at(b, s->at, s->from[k], s->row, at, width);
    store_at(b, s->at, s->to, s->row, at, element_value(L, b, s->n, of));
}

static void for_rows(lower_t *L, builder_t *b, element_span_t *s, int64_t width, span_fn *body) {
    inst_t *loop = b_for(b, "i", dim(0), dim(s->at->m), 0, NULL);
    s->row = ax_v(loop_var(loop));
    for_span(L, b, width, body, s);
    b_end_for(b, loop, NULL);
}

void copy_row(lower_t *L, builder_t *b, const rows_at_t *at, affine_t row, buffer_t *from,
              buffer_t *to, int64_t first, int64_t width) {
    element_span_t s = {.at = at, .from = &from, .to = to, .row = row, .first = first};
    for_span(L, b, width, copy_span, &s);
}

void copy_rows(lower_t *L, builder_t *b, const rows_at_t *at, buffer_t *from, buffer_t *to,
               int64_t width) {
    element_span_t s = {.at = at, .from = &from, .to = to};
    for_rows(L, b, &s, width, copy_span);
}

void round_rows(lower_t *L, builder_t *b, const rows_at_t *at, buffer_t *from, buffer_t *to,
                int64_t width) {
    element_span_t s = {.at = at, .from = &from, .to = to, .rounds = true};
    for_rows(L, b, &s, width, copy_span);
}

void concat_rows(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n,
                 buffer_t *const *from, buffer_t *to) {
    inst_t *loop = b_for(b, "i", dim(0), dim(at->m), 0, NULL);
    int64_t first = 0;
    for (int k = 0; k < n->n_in; first += width_of(n->in[k++]))
        copy_row(L, b, at, ax_v(loop_var(loop)), from[k], to, first, width_of(n->in[k]));
    b_end_for(b, loop, NULL);
}

void part_rows(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n, buffer_t *from,
               buffer_t *to) {
    element_span_t s = {.at = at, .from = &from, .to = to, .skip = n->first};
    for_rows(L, b, &s, n->width, copy_span);
}

/* The row that was picked of each batch element goes into the first one there. */
static void picked_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const element_span_t *s = ctx;
    affine_t ix[] = {s->at->batch, ax(0), at};
    (void)L;
    store_at(b, s->at, s->to, s->row, at, b_load(b, *s->from, width, ix));
}

void filled_rows(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n, buffer_t *from,
                 buffer_t *to) {
    element_span_t copy = {.at = at, .from = &from, .to = to}, zero = {.at = at, .to = to};
    bool picked = n->in[0]->rank == 2;
    dim_t filled = picked ? dim(1) : L->g->length;
    if (picked && from->rank != 3) bug("%s: picked rows are stored", n->name);
    inst_t *loop = b_for(b, "i", dim(0), dim(at->m), 0, NULL);
    copy.row = zero.row = ax_v(loop_var(loop));
    value_t *row = b_index(b, ax_add(at->row0, copy.row));
    value_t *last = at_most(b, ax_v(row), dim_sub(filled, dim(1)));
    inst_t *given = b_if(b, b_compare(b, OP_EQ, row, last), 0, NULL);
    for_span(L, b, width_of(n), picked ? picked_span : copy_span, &copy);
    b_else(b, given, NULL);
    for_span(L, b, width_of(n), zero_span, &zero);
    b_end_if(b, given, NULL);
    b_end_for(b, loop, NULL);
}

void column_among_zeros(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n,
                        buffer_t *from, buffer_t *to) {
    element_span_t s = {.at = at, .to = to};
    inst_t *loop = b_for(b, "i", dim(0), dim(at->m), 0, NULL);
    s.row = ax_v(loop_var(loop));
    for_span(L, b, n->width, zero_span, &s);
    value_t *x = load_at(b, at, from, s.row, ax(n->in[0]->shift), 1);
    store_at(b, at, to, s.row, ax(n->shift), x);
    b_end_for(b, loop, NULL);
}

bool goes_into_norm(const lower_t *L, const region_t *region, const gnode_t *concat) {
    const gnode_t *x = concat;
    int place = nodes_find(&region->nodes, x);
    if (x->op != G_CONCAT || place < 0 || place + 1 == region->nodes.n) return false;
    const gnode_t *next = region->nodes.at[place + 1];
    return is_norm(next) && next->in[0] == x && L->regions->readers[x->id].n == 1 &&
           !is_shown_apart(L, x) && nodes_find(&region->results, x) < 0 &&
           width_of(x->in[0]) == width_of(x->in[1]);
}

void pad_rows(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n, buffer_t *to) {
    int64_t width = width_of(n), whole = round_up(width, L->tile);
    element_span_t s = {.at = at, .to = to, .first = width};
    if (whole > width) for_rows(L, b, &s, whole - width, zero_span);
}

int64_t read_width(const lower_t *L, const gnode_t *n) {
    if (n->type == G_I8) return scale_column(L, width_of(n)) + (elem_of(L, n) == E_U8 ? 4 : 1);
    return n->type == G_BF16 ? round_up(width_of(n), 2) : width_of(n);
}

int64_t stored_width(const lower_t *L, const gnode_t *n) {
    return round_up(n->type == G_I8 ? read_width(L, n) : width_of(n), L->tile);
}

panels_t panels_of(const part_t *p, value_t *const *index, const gnode_t *product) {
    const role_t *role = matrix_of(p, product);
    return (panels_t){.w = role->w,
                      .n_prefix = 1,
                      .prefix = {stack_index(p, index, role)},
                      .scales = role->scales,
                      .starts = role->starts};
}

/* ---- scratch --------------------------------------------------------------------------------- */

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

buffer_t *scratch_rows(lower_t *L, builder_t *b, const gnode_t *n, int64_t m) {
    elem_t e = elem_of(L, n);
    dim_t d[] = {dim(m), dim(round_up(width_of(n), L->tile) + padding_of(e))};
    return kernel_scratch(b, scratch_name(L, b, n), e, 2, d);
}

/* ---- elementwise nodes ----------------------------------------------------------------------- */

/* Ops whose elements need the same elements of their operands alone, one or two. */
static const struct {
    int operands;
    op_t op; /* of two */
} elementwise[G_COUNT] = {
    [G_ACTIVATION] = {1, OP_ADD},
    [G_ROUND] = {1, OP_ADD},
    [G_ADD] = {2, OP_ADD},
    [G_SUB] = {2, OP_SUB},
    [G_MUL] = {2, OP_MUL},
    [G_ACTIVATION_GRAD] = {2, OP_MUL}, /* of the second's derivative */
    [G_DROPOUT] = {1, OP_MUL},         /* of factors, which stand where a second operand would */
};

int element_operands(const gnode_t *n) {
    return elementwise[n->op].operands;
}

bool is_elementwise(const gnode_t *n) {
    return element_operands(n) > 0;
}

const gnode_t *only_round_of(const lower_t *L, const region_t *region, const gnode_t *x) {
    const nodes_t *readers = &L->regions->readers[x->id];
    if (readers->n != 1 || is_shown_apart(L, x)) return NULL;
    if (readers->at[0]->op != G_ROUND && readers->at[0]->op != G_QUANTIZE) return NULL;
    bool alone = nodes_find(&region->results, x) < 0;
    return alone && nodes_find(&region->nodes, readers->at[0]) >= 0 ? readers->at[0] : NULL;
}

value_t *element_value(lower_t *L, builder_t *b, const gnode_t *n, value_t *const *of) {
    if (n->op == G_ACTIVATION) return m_activation(L, b, n->act, of[0]);
    if (n->op == G_ROUND) return rounded(b, of[0]);
    if (n->op == G_DROPOUT && !of[1]) return of[0];
    value_t *second = n->op == G_ACTIVATION_GRAD ? m_derivative(L, b, n->act, of[1]) : of[1];
    return b_binary(b, elementwise[n->op].op, of[0], second);
}

void element_rows(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n,
                  buffer_t *const *from, buffer_t *to) {
    element_span_t s = {.at = at, .n = n, .from = from, .to = to};
    for_rows(L, b, &s, width_of(n), element_span);
}

/* ---- chains ---------------------------------------------------------------------------------- */

chain_t begin_chain(const part_t *p, value_t *const *index, const rows_at_t *at,
                    const gnode_t *first) {
    chain_t c = {.at = at, .first = first, .last = first};
    if (first->op != G_DENSE || first->n_in < 3 || !first->in[2]) return c;
    const role_t *bias = role_of(p, first->in[2]);
    c.bias = bias->w;
    c.bias_at = stack_index(p, index, bias);
    return c;
}

/* Of all links; values[0] is what the chain began with. */
static void compute_links(lower_t *L, builder_t *b, const chain_t *c, affine_t row, affine_t col,
                          value_t **values) {
    for (int i = 0; i < c->n_links; i++) {
        const gnode_t *n = c->links[i];
        value_t *of[G_MAX_INPUTS] = {NULL};
        for (int k = 0; k < G_MAX_INPUTS; k++) {
            buffer_t *with = c->with[i][k];
            if (with) of[k] = load_at(b, c->at, with, row, col, L->lanes);
            else if (k < element_operands(n)) of[k] = values[i - c->back[i]];
        }
        values[i + 1] = element_value(L, b, n, of);
    }
    for (int i = 0; i <= c->n_links; i++)
        for (int k = 0; k < c->stored[i].n_to; k++)
            store_at(b, c->at, c->stored[i].to[k], row, col, values[i]);
}

void put_vector(lower_t *L, builder_t *b, const chain_t *c, affine_t row, affine_t col,
                value_t *x) {
    value_t *values[MAX_LINKS + 1] = {x};
    compute_links(L, b, c, row, col, values);
}

/* A register tile: where its columns begin, and in which panel. */
typedef struct {
    affine_t col, panel, lane;
} tile_at_t;

static tile_at_t tile_at(lower_t *L, builder_t *b, const chain_t *c, affine_t col) {
    tile_at_t t = {.col = col};
    bool summed = false;
    for (int i = 0; i <= c->n_links; i++) summed |= c->stored[i].panels != NULL;
    if (!summed) return t;
    value_t *tile = b_idiv(b, b_index(b, col), dim(L->tile));
    dim_t per_panel = dim(PANEL / L->tile);
    t.panel = ax_v(b_idiv(b, tile, per_panel));
    t.lane = ax_scale(ax_v(b_irem(b, tile, per_panel)), L->tile);
    return t;
}

static void put_at(lower_t *L, builder_t *b, const chain_t *c, const tile_at_t *t, affine_t row,
                   int j, value_t *x) {
    int64_t lane = (int64_t)j * L->lanes;
    value_t *values[MAX_LINKS + 1] = {x};
    compute_links(L, b, c, row, ax_plus(t->col, lane), values);
    affine_t ix[] = {t->panel, ax_add(c->chunk_row, row), ax_plus(t->lane, lane)};
    for (int i = 0; i <= c->n_links; i++)
        if (c->stored[i].panels) b_store(b, c->stored[i].panels, values[i], ix);
}

/* Row after row, as they stand in memory. */
static void put_by_rows(lower_t *L, builder_t *b, const chain_t *c, const tile_at_t *t,
                        affine_t row, int rows, value_t **acc) {
    int nv = L->tiles->vectors;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < nv; j++) put_at(L, b, c, t, ax_plus(row, i), j, acc[i * nv + j]);
}

/* Column after column: each has its bias. */
static void put_by_columns(lower_t *L, builder_t *b, const chain_t *c, const tile_at_t *t,
                           affine_t row, int rows, value_t **acc) {
    int nv = L->tiles->vectors;
    for (int j = 0; j < nv; j++) {
        affine_t ix[] = {c->bias_at, ax_plus(t->col, (int64_t)j * L->lanes)};
        value_t *bias = c->bias ? b_load(b, c->bias, L->lanes, ix) : NULL;
        for (int i = 0; i < rows; i++) {
            value_t *x = acc[i * nv + j];
            if (bias) x = b_binary(b, OP_ADD, x, bias);
            put_at(L, b, c, t, ax_plus(row, i), j, x);
        }
    }
}

void put_tile(lower_t *L, builder_t *b, void *chain, affine_t row, affine_t col, int rows,
              value_t **acc) {
    const chain_t *c = chain;
    tile_at_t t = tile_at(L, b, c, col);
    (c->along_rows ? put_by_rows : put_by_columns)(L, b, c, &t, row, rows, acc);
}

void fetch_stored(lower_t *L, builder_t *b, void *chain, affine_t row, affine_t col) {
    const chain_t *c = chain;
    tile_at_t t = tile_at(L, b, c, col);
    for (int i = 0; i <= c->n_links; i++) {
        const stored_t *s = &c->stored[i];
        for (int k = 0; k < s->n_to; k++) {
            affine_t home[] = {c->at->batch, ax_add(c->at->row0, row), col}, own[] = {row, col};
            prefetch_row(b, s->to[k], s->to[k]->rank == 3 ? home : own, L->tile);
        }
        affine_t in_panel[] = {t.panel, ax_add(c->chunk_row, row), t.lane};
        if (s->panels) prefetch_row(b, s->panels, in_panel, L->tile);
    }
}
