/* Row programs: a region of ROW nodes on a block of rows at a time.
 *
 * Norms go into scratch rows, dense layers run on scratch rows by register tiles, and what follows a dense layer element
 * by element (bias, activation, sums) is done on its accumulators before they are stored: into scratch for the next
 * layer, into the rows of a stream, or head by head into the operands of attention. The result of attention comes in
 * the same way, a group of heads at a time, and its product is added to a stream group after group, so that no array
 * is ever heads * head_size wide (DESIGN: memory). */
#include <string.h>

#include "lower/math.h"
#include "lower/rows.h"

enum { MOST_LINKS = 8 };

typedef struct {
    part_t *part;
    const region_t *region;
    affine_t batch, row0;
    value_t *index[MOST_INDICES];
    value_t *group;   /* of heads */
    buffer_t **tiles; /* by place in the region's nodes: scratch [block][width …] */
    bool *done;       /* by place: taken by a chain, or computed */
    bool *ready;      /* by place: its rows are in its tile, or its homes */
    buffer_t **
        copies; /* by the region's reads: of stored rows, where a dense layer takes them as they are */
} rows_t;

static int place_of(const rows_t *r, const gnode_t *n) {
    return nodes_find(&r->region->nodes, n);
}

static buffer_t *tile_of(const rows_t *r, const gnode_t *x) {
    int place = place_of(r, x);
    return place < 0 ? NULL : r->tiles[place];
}

static affine_t role_index(const rows_t *r, const role_t *role) {
    return ax_v(r->index[role->vector]);
}

static int64_t width_of(const gnode_t *n) {
    return n->shape[n->rank - 1].c;
}

static buffer_t *home_buffer(const lower_t *L, const region_t *region, const gnode_t *n) {
    int home = home_in(L->regions, region, n);
    return home < 0 ? NULL : L->homes[home];
}

/* ---- elementwise -------------------------------------------------------------------------------------- */

/* Ops whose elements need the same elements of their operands alone, one or two. */
static const struct {
    int operands;
    op_t op; /* of two */
} elementwise[G_COUNT] = {
    [G_ACTIVATION] = {1, OP_ADD},
    [G_ADD] = {2, OP_ADD},
    [G_MUL] = {2, OP_MUL},
};

bool is_elementwise(const gnode_t *n) {
    return elementwise[n->op].operands > 0;
}

/* The formulas: every row program, on blocks of rows or on few, computes elementwise nodes by this and no other. */
value_t *element_value(lower_t *L, builder_t *b, const gnode_t *n, value_t *const *of) {
    return n->op == G_ACTIVATION ? m_activation(L, b, n->act, of[0])
                                 : b_binary(b, elementwise[n->op].op, of[0], of[1]);
}

/* ---- what follows a dense layer on its accumulators --------------------------------------------------- */

typedef struct {
    rows_t *r;
    const gnode_t *dense;
    const gnode_t *links[MOST_LINKS]; /* elementwise, each of the one before */
    int n_links;
    const gnode_t *last; /* the last link, or the dense layer */
    const role_t *bias;
    buffer_t *to[4]; /* homes, or one scratch tile */
    int n_to;
    bool into_scratch;
} chain_t;

/* Whether an operand of a link can be loaded where the link is computed. */
static bool is_at_hand(lower_t *L, const rows_t *r, const gnode_t *x) {
    int place = place_of(r, x);
    return place >= 0 ? r->ready[place] : home_buffer(L, r->region, x) != NULL;
}

/* The one reader that goes on with n where it was computed; NULL: n is stored first. */
static const gnode_t *next_link(lower_t *L, const rows_t *r, const gnode_t *n) {
    const nodes_t *readers = &L->regions->readers[n->id];
    if (readers->n != 1 || nodes_find(&r->region->results, n) >= 0) return NULL;
    const gnode_t *next = readers->at[0];
    if (!is_elementwise(next) || place_of(r, next) < 0) return NULL;
    for (int i = 0; i < next->n_in; i++)
        if (next->in[i] != n && !is_at_hand(L, r, next->in[i])) return NULL;
    return next;
}

static value_t *operand_at(lower_t *L, builder_t *b, const rows_t *r, const gnode_t *x,
                           affine_t row, affine_t col, int width) {
    buffer_t *tile = tile_of(r, x);
    if (tile) {
        affine_t ix[] = {row, col};
        return b_load(b, tile, width, ix);
    }
    affine_t ix[] = {r->batch, ax_add(r->row0, row), col};
    return b_load(b, home_buffer(L, r->region, x), width, ix);
}

/* x goes through the links; the value of their first input is x. */
static value_t *follow(lower_t *L, builder_t *b, const chain_t *c, value_t *x, affine_t row,
                       affine_t col, int width) {
    const gnode_t *from = c->dense;
    for (int i = 0; i < c->n_links; i++) {
        const gnode_t *n = c->links[i];
        value_t *of[G_MAX_INPUTS];
        bool taken = false; /* one input is x; whatever else it reads is loaded */
        for (int k = 0; k < n->n_in; k++) {
            bool own = n->in[k] == from && !taken;
            of[k] = own ? x : operand_at(L, b, c->r, n->in[k], row, col, width);
            taken |= own;
        }
        x = element_value(L, b, n, of);
        from = n;
    }
    return x;
}

static void put_element(lower_t *L, builder_t *b, const chain_t *c, affine_t row, affine_t col,
                        value_t *bias, value_t *x) {
    if (bias) x = b_binary(b, OP_ADD, x, bias);
    x = follow(L, b, c, x, row, col, L->lanes);
    for (int i = 0; i < c->n_to; i++) {
        affine_t tile[] = {row, col}, home[] = {c->r->batch, ax_add(c->r->row0, row), col};
        b_store(b, c->to[i], x, c->into_scratch ? tile : home);
    }
}

static void put_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col, int rows,
                     value_t **acc) {
    const chain_t *c = ctx;
    int nv = L->tiles->vectors;
    if (!c->bias) { /* along the rows, as they stand in memory */
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < nv; j++)
                put_element(L, b, c, ax_plus(row, i), ax_plus(col, (int64_t)j * L->lanes), NULL,
                            acc[i * nv + j]);
        return;
    }
    for (int j = 0; j < nv; j++) {
        affine_t bx[] = {role_index(c->r, c->bias), ax_plus(col, (int64_t)j * L->lanes)};
        value_t *bias = b_load(b, c->bias->w, L->lanes, bx);
        for (int i = 0; i < rows; i++)
            put_element(L, b, c, ax_plus(row, i), bx[1], bias, acc[i * nv + j]);
    }
}

static void fetch_home(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col) {
    const chain_t *c = ctx;
    affine_t yx[] = {c->r->batch, ax_add(c->r->row0, row), col};
    prefetch_row(b, c->to[0], yx, L->tile);
}

static chain_t chain_from(lower_t *L, rows_t *r, const gnode_t *dense) {
    chain_t c = {.r = r, .dense = dense, .last = dense};
    if (dense->n_in > 2 && dense->in[2]) c.bias = role_of(r->part, dense->in[2]);
    r->done[place_of(r, dense)] = true;
    for (const gnode_t *n; c.n_links < MOST_LINKS && (n = next_link(L, r, c.last));) {
        c.links[c.n_links++] = c.last = n;
        r->done[place_of(r, n)] = true;
    }
    const homes_t *homes = &L->regions->homes[c.last->id];
    for (int i = 0; i < homes->n && i < 4; i++) c.to[c.n_to++] = L->homes[homes->of[i]];
    return c;
}

/* ---- scratch -------------------------------------------------------------------------------------------- */

const char *base_name(const gnode_t *n) {
    const char *dot = strrchr(n->name, '.');
    return dot ? dot + 1 : n->name;
}

static buffer_t *scratch_tile(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    dim_t d[] = {dim(L->block), dim(round_up(width_of(n), L->tile) + PADDING)};
    return r->tiles[place_of(r, n)] = kernel_scratch(b, identifier(L, base_name(n)), E_F32, 2, d);
}

/* ---- nodes --------------------------------------------------------------------------------------------------- */

static bool no_form(lower_t *L, const gnode_t *n, const char *why) {
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

/* A finished tile: columns beyond its width are zeros where they are read, and it goes into the homes of its value. */
static void finish_tile(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
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
    r->ready[place_of(r, n)] = true;
}

static bool norm_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    norm_t norm = {.batch = r->batch, .row0 = r->row0, .m = L->block, .dst = tile_of(r, n)};
    buffer_t *tile = tile_of(r, n->in[0]);
    if (tile) norm.n_src = 1, norm.src[0] = tile;
    if (!read_norm(L, r->part, n, &norm)) return false;
    norm.prefix = ax_v(r->index[norm.vector]);
    layer_norm_rows(L, b, &norm);
    finish_tile(L, b, r, n);
    return true;
}

/* ---- elementwise, with no dense layer before it --------------------------------------------------------------- */

typedef struct {
    const rows_t *r;
    const gnode_t *n;
    affine_t row;
} span_t;

static void element_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const span_t *s = ctx;
    affine_t to[] = {s->row, at};
    value_t *of[G_MAX_INPUTS];
    for (int k = 0; k < s->n->n_in; k++)
        of[k] = operand_at(L, b, s->r, s->n->in[k], s->row, at, width);
    b_store(b, tile_of(s->r, s->n), element_value(L, b, s->n, of), to);
}

/* A copy, where n is stored rows by itself. */
static bool element_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    for (int i = 0; i < n->n_in; i++)
        if (!is_at_hand(L, r, n->in[i]))
            return no_form(L, n, "of what is neither stored nor at hand");
    inst_t *loop = b_for(b, "i", dim(0), dim(L->block), 0, NULL);
    span_t s = {r, n, ax_v(loop_var(loop))};
    for_span(L, b, width_of(n), element_span, &s);
    b_end_for(b, loop, NULL);
    finish_tile(L, b, r, n);
    return true;
}

/* Scratch with the rows of x: its tile, or a copy of what is stored elsewhere. */
static buffer_t *rows_at_hand(lower_t *L, builder_t *b, rows_t *r, const gnode_t *x) {
    buffer_t *tile = tile_of(r, x), *home = home_buffer(L, r->region, x);
    int read = nodes_find(&r->region->reads, x);
    if (tile || !home || read < 0) return tile;
    if (r->copies[read]) return r->copies[read];
    dim_t d[] = {dim(L->block), dim(round_up(width_of(x), L->tile) + PADDING)};
    r->copies[read] = kernel_scratch(b, identifier(L, base_name(x)), E_F32, 2, d);
    move_rows(L, b, r, home, r->copies[read], width_of(x), false);
    return r->copies[read];
}

/* What the next dense layer after `place` reads first, if it is as deep as this one. */
static bool next_panels(const rows_t *r, int place, int64_t depth, panels_t *next) {
    for (int i = place + 1; i < r->region->nodes.n; i++) {
        const gnode_t *n = r->region->nodes.at[i];
        if (n->op != G_DENSE) continue;
        const role_t *w = role_of(r->part, n->in[1]);
        *next = (panels_t){w->w, 1, {role_index(r, w)}};
        return width_of(n->in[0]) >= depth;
    }
    return false;
}

static bool dense_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    const attention_t *a = graph_kind(n->in[0]) == K_MIX ? r->part->from : NULL;
    const role_t *w = role_of(r->part, n->in[1]);
    panels_t next;
    dense_t d = {.a = a ? out_of_heads(L, b, a, r->batch, r->row0, r->group)
                        : rows_at_hand(L, b, r, n->in[0]),
                 .m = L->block,
                 .k = a ? a->group * a->head_size : width_of(n->in[0]),
                 .n = width_of(n),
                 .w = {w->w, 1, {role_index(r, w)}},
                 .epilogue = put_tile};
    if (!d.a) return no_form(L, n, "of what is neither stored nor at hand");
    if (a) d.k_base = ax_scale(ax_v(r->group), d.k);
    chain_t c = chain_from(L, r, n);
    if (c.n_to == 0) {
        c.into_scratch = true;
        c.to[c.n_to++] = r->tiles[place_of(r, c.last)];
        if (!c.to[0]) bug("no scratch for %s", c.last->name);
    } else {
        d.target = fetch_home;
    }
    if (next_panels(r, place_of(r, c.last), d.k, &next)) d.next = &next;
    d.ctx = &c;
    b_comment(b, "%s", base_name(c.last));
    dense(L, b, &d);
    r->ready[place_of(r, c.last)] = true;
    return true;
}

bool feeds_attention(const lower_t *L, const gnode_t *n) {
    const nodes_t *readers = &L->regions->readers[n->id];
    for (int i = 0; i < readers->n; i++)
        if (graph_kind(readers->at[i]) != K_MIX) return false;
    return readers->n > 0 && L->regions->stored[n->id];
}

buffer_t *operand_buffer(const attention_t *a, const gnode_t *n) {
    if (n == a->query) return a->q;
    return n == a->value ? a->v : a->k;
}

/* All operands of the region's attention at once. */
static bool operands(lower_t *L, builder_t *b, rows_t *r) {
    const attention_t *a = r->part->into;
    into_heads_t into = {.a = a, .batch = r->batch, .row0 = r->row0, .group = r->group};
    for (int i = 0; i < r->region->nodes.n; i++) {
        const gnode_t *n = r->region->nodes.at[i];
        if (!feeds_attention(L, n)) continue;
        r->done[i] = true;
        if (n->op != G_DENSE || (n->n_in > 2 && n->in[2]))
            return no_form(L, n, "as an operand of attention: it wants dense layers without bias");
        const role_t *w = role_of(r->part, n->in[1]);
        buffer_t *tile = rows_at_hand(L, b, r, n->in[0]);
        if (!tile) return no_form(L, n, "of what is neither stored nor at hand");
        into.operands[into.n++] = (operand_t){
            tile, width_of(n->in[0]), {w->w, 1, {role_index(r, w)}}, operand_buffer(a, n)};
    }
    for (int i = 0; i < r->region->nodes.n && !into.source; i++)
        if (is_norm(r->region->nodes.at[i]))
            into.source = home_buffer(L, r->region, r->region->nodes.at[i]->in[0]);
    into_heads(L, b, &into);
    return true;
}

/* Which nodes need scratch: norms, and the ends of dense layers and of elementwise nodes that no home takes. */
static void make_tiles(lower_t *L, builder_t *b, rows_t *r) {
    size_t n_nodes = (size_t)r->region->nodes.n;
    for (size_t i = 0; i < n_nodes; i++) {
        const gnode_t *n = r->region->nodes.at[i];
        if (r->done[i] || feeds_attention(L, n) || n->op == G_CONCAT) continue;
        chain_t c = {.last = n};
        if (n->op == G_DENSE) c = chain_from(L, r, n);
        if (c.n_to == 0) scratch_tile(L, b, r, c.last);
        r->ready[place_of(r, c.last)] = true;
    }
    memset(r->done, 0, n_nodes * sizeof *r->done);
    memset(r->ready, 0, n_nodes * sizeof *r->ready);
}

/* Rows that an ADD has been written over are gone. */
static bool are_there(lower_t *L, const rows_t *r, const gnode_t *n) {
    for (int k = 0; k < n->n_in; k++) {
        const gnode_t *x = n->in[k];
        if (!x || home_buffer(L, r->region, x) == NULL) continue;
        const nodes_t *readers = &L->regions->readers[x->id];
        for (int i = 0; i < readers->n; i++) {
            const gnode_t *heir = readers->at[i];
            if (heir->op == G_ADD && heir->in[0] == x && heir != n && heir->id < n->id &&
                place_of(r, heir) >= 0 && L->regions->stored[heir->id])
                return no_form(L, n, "of a stream that was written over just before");
        }
    }
    return true;
}

static bool compute(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    if (!are_there(L, r, n)) return false;
    if (feeds_attention(L, n)) return operands(L, b, r);
    if (n->op == G_CONCAT) return true; /* its reader takes both */
    if (n->op == G_DENSE) return dense_rows(L, b, r, n);
    if (is_norm(n)) return norm_rows(L, b, r, n);
    return is_elementwise(n) ? element_rows(L, b, r, n) : no_form(L, n, "here");
}

/* The attention at one of its ends, or what it adds to a stream, names a region; of a head, its weight. */
const char *rows_name(lower_t *L, const part_t *p) {
    const nodes_t *results = &p->class->pattern->results;
    const gnode_t *last = results->at[results->n - 1];
    const char *name = base_name(last->op == G_ADD ? last->in[1] : last);
    if (last->layer < 0 && last->op == G_DENSE) { /* "lm_head.decoder.weight" */
        const char *weight = last->in[1]->name;
        name = arena_printf(L->arena, "%.*s", (int)strcspn(weight, "."), weight);
    }
    if (p->into) name = arena_printf(L->arena, "%s_project", p->into->name);
    else if (p->from) name = arena_printf(L->arena, "%s_output", p->from->name);
    return identifier(L, name);
}

static const char *rows_doc(lower_t *L, const part_t *p) {
    if (p->into)
        return arena_printf(L->arena, "%s attention: norm and projections of a group of %lld heads",
                            p->into->lsh ? "LSH" : "local", (long long)p->into->group);
    if (p->from)
        return arena_printf(L->arena,
                            "%s attention: output of a group of heads, added to its stream",
                            p->from->lsh ? "LSH" : "local");
    return arena_printf(L->arena, "on blocks of %lld rows", (long long)L->block);
}

lfunc_t *lower_rows(lower_t *L, part_t *p) {
    const region_t *region = p->class->pattern;
    dim_t tasks[] = {dim(L->batch), L->blocks};
    const char *names[] = {"batch", "block"};
    builder_t b = build_kernel(L->m, free_name(L, rows_name(L, p)), 2, tasks, names);
    describe(L, b.fn, region->results.at[0]->at, "%s", rows_doc(L, p));
    rows_t r = {.part = p,
                .region = region,
                .batch = ax_v(b.fn->task[0]),
                .row0 = ax_scale(ax_v(b.fn->task[1]), L->block)};
    index_params(L, &b, p, r.index);
    const attention_t *a = p->into ? p->into : p->from;
    if (a) r.group = kernel_param(&b, "group", a->groups);
    r.tiles = ARENA_ARRAY(L->arena, buffer_t *, region->nodes.n);
    r.done = ARENA_ARRAY(L->arena, bool, region->nodes.n);
    r.ready = ARENA_ARRAY(L->arena, bool, region->nodes.n);
    r.copies = ARENA_ARRAY(L->arena, buffer_t *, region->reads.n + 1);
    make_tiles(L, &b, &r);
    for (int i = 0; i < region->nodes.n; i++)
        if (!r.done[i] && !compute(L, &b, &r, region->nodes.at[i])) return NULL;
    p->used = true;
    return p->kernel = b.fn;
}
