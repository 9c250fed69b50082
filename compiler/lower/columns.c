/* Row programs on few rows: a region of ROW nodes for as many rows as a batch has.
 *
 * Few rows against all weights: each weight is read once, and reading is what it costs. So tasks are groups of column
 * panels, enough of them to keep every worker busy to the end, and a region is cut once more wherever a node needs whole
 * rows of what was computed by columns: into stages, one after the other. What needs whole rows itself (a norm) is
 * computed in every task anew, which is cheaper than to wait for one worker to do it for all. Sums run over k in the order
 * of rows.c: values are equal to a forward's to the bit.
 *
 * A value is kept where a later stage reads it: in its homes, in the operands of attention, else in rows of its own. */
#include "lower/columns.h"

#include <string.h>

#include "lower/rows.h"

enum { MOST_TASKS = 32, MOST_LINKS = 8 };

/* A node's place in the program. */
typedef struct {
    int stage;       /* whose kernel computes it */
    bool by_columns; /* each task its own columns; else whole rows, in every task anew */
    bool stored;     /* whole rows that later stages or homes want */
    bool done;       /* its columns are where others find them, or in a chain */
    unsigned when;   /* what of a call wants it */
    int home
        [G_MAX_INPUTS]; /* by input: where it is read, -1: elsewhere; of a norm's sources likewise */
    buffer_t *kept;     /* [m][columns] */
    buffer_t *rows;     /* scratch [m][columns] of the kernel that is being written */
} place_t;

typedef struct {
    int stage;
    int64_t width; /* columns that tasks share */
    unsigned when;
    const gnode_t *deliver; /* or this value to the caller */
} cut_t;

typedef struct {
    lower_t *L;
    part_t *part;
    const region_t *region;
    const few_rows_t *few;
    place_t *place;
    const gnode_t **writer; /* by home: the region's last node that writes it */
    int *whole_until,
        *read_until; /* by home: the last stage that reads whole rows, or columns, of what stood there */
    cut_t *cuts;
    int n_cuts;
    /* of the kernel that is being written */
    const cut_t *cut;
    value_t *index[MOST_INDICES];
    buffer_t **copies; /* by home: scratch [m][…] */
    affine_t first;    /* column tile */
    int64_t tiles;
} columns_t;

/* ---- nodes --------------------------------------------------------------------------------------------- */

static place_t *place_of(const columns_t *c, const gnode_t *n) {
    int k = nodes_find(&c->region->nodes, n);
    return k < 0 ? NULL : &c->place[k];
}

static const homes_t *homes_of(const columns_t *c, const gnode_t *n) {
    return &c->L->regions->homes[n->id];
}

static bool refuse(const columns_t *c, const gnode_t *n, const char *why) {
    diag_error(c->L->d, n->at, "%s: no kernel of a step computes %s %s", n->name,
               graph_op_name(n->op), why);
    return false;
}

/* Rows of a slice are rows of what it slices. */
static const gnode_t *behind_slice(const columns_t *c, const gnode_t *x) {
    while (x->op == G_SLICE && place_of(c, x)) x = x->in[0];
    return x;
}

/* What a norm reads: one value, or the two of a concatenation. */
static int sources(const columns_t *c, const gnode_t *norm, const gnode_t **x) {
    x[0] = behind_slice(c, norm->in[0]);
    if (x[0]->op != G_CONCAT || !place_of(c, x[0])) return 1;
    const gnode_t *both = x[0];
    for (int k = 0; k < 2; k++) x[k] = behind_slice(c, both->in[k]);
    return 2;
}

static int64_t width_of(const columns_t *c, const gnode_t *n) {
    const attention_t *a = c->part->into;
    if (a && feeds_attention(c->L, n)) return a->heads * a->head_stride;
    return n->shape[n->rank - 1].c;
}

static bool needs_whole_rows(const gnode_t *n) {
    return n->op == G_DENSE || is_norm(n);
}

/* ---- where each node is computed ---------------------------------------------------------------------------- */

/* The first stage that has whole rows of x, or its own columns. */
static int whole_at(const columns_t *c, const gnode_t *x) {
    const place_t *p = place_of(c, x);
    return p ? p->stage + p->by_columns : 0;
}

static int columns_at(const columns_t *c, const gnode_t *x) {
    const place_t *p = place_of(c, x);
    return p ? p->stage : 0;
}

/* A home that still has x when n reads it: the one that n writes over, if it does. */
static bool choose_home(columns_t *c, const gnode_t *n, const gnode_t *x, int *home) {
    const homes_t *homes = homes_of(c, x), *own = homes_of(c, n);
    *home = -1;
    if (homes->n == 0) return true;
    for (int i = homes->n - 1; i >= 0; i--) {
        int h = homes->of[i];
        if (c->writer[h] && c->writer[h] != x) continue;
        if (*home < 0 || (own->n && own->of[0] == h)) *home = h;
    }
    return *home >= 0 || refuse(c, n, "of a stream that was written over just before");
}

/* n, of stage `stage`, reads the k-th value that its place counts. */
static bool read_value(columns_t *c, const gnode_t *n, int k, const gnode_t *x, bool whole) {
    place_t *p = place_of(c, n);
    if (!choose_home(c, n, x, &p->home[k])) return false;
    int *until = whole ? c->whole_until : c->read_until, h = p->home[k];
    if (h >= 0 && until[h] < p->stage) until[h] = p->stage;
    return true;
}

static bool read_values(columns_t *c, const gnode_t *n) {
    const place_t *p = place_of(c, n);
    const gnode_t *x[2];
    if (n->op == G_DENSE) return read_value(c, n, 0, behind_slice(c, n->in[0]), true);
    if (is_norm(n)) {
        int n_x = sources(c, n, x);
        for (int k = 0; k < n_x; k++)
            if (!read_value(c, n, k, x[k], true)) return false;
        return true;
    }
    for (int k = 0; k < n->n_in; k++)
        if (!read_value(c, n, k, behind_slice(c, n->in[k]), !p->by_columns)) return false;
    return true;
}

/* What is written by columns waits for those who read whole rows of what stood there. */
static void wait_for_readers(columns_t *c, const gnode_t *n) {
    place_t *p = place_of(c, n);
    const homes_t *homes = homes_of(c, n);
    for (int i = 0; i < homes->n; i++) {
        int h = homes->of[i];
        if (p->stage <= c->whole_until[h]) p->stage = c->whole_until[h] + 1;
        if (p->stage < c->read_until[h]) p->stage = c->read_until[h];
    }
}

static bool is_known(const columns_t *c, const gnode_t *n) {
    if (feeds_attention(c->L, n) && (n->op != G_DENSE || (n->n_in > 2 && n->in[2])))
        return refuse(c, n, "as an operand of attention: it wants dense layers without bias");
    bool row = needs_whole_rows(n) || is_elementwise(n) || n->op == G_CONCAT || n->op == G_SLICE;
    return row || refuse(c, n, "here");
}

static bool place_node(columns_t *c, const gnode_t *n) {
    place_t *p = place_of(c, n);
    const gnode_t *x[2];
    if (!is_known(c, n)) return false;
    p->by_columns = n->op == G_DENSE || (is_elementwise(n) && homes_of(c, n)->n > 0);
    for (int k = 0; is_elementwise(n) && k < n->n_in; k++) {
        const place_t *of = place_of(c, behind_slice(c, n->in[k]));
        if (of && of->by_columns) p->by_columns = true;
    }
    bool whole = !is_elementwise(n) || !p->by_columns;
    int n_x = is_norm(n) ? sources(c, n, x) : 0;
    for (int k = 0; k < n_x; k++)
        if (whole_at(c, x[k]) > p->stage) p->stage = whole_at(c, x[k]);
    for (int k = 0; n_x == 0 && k < n->n_in; k++) {
        if (!n->in[k] || graph_kind(n->in[k]) == K_LEAF) continue;
        const gnode_t *y = behind_slice(c, n->in[k]);
        int at = whole ? whole_at(c, y) : columns_at(c, y);
        if (at > p->stage) p->stage = at;
    }
    if (n->op == G_CONCAT || n->op == G_SLICE) return true;
    if (is_elementwise(n)) { /* it reads and writes the same columns */
        wait_for_readers(c, n);
        if (!read_values(c, n)) return false;
    } else {
        if (!read_values(c, n)) return false;
        if (homes_of(c, n)->n > 0) wait_for_readers(c, n);
    }
    for (int i = 0; i < homes_of(c, n)->n; i++) c->writer[homes_of(c, n)->of[i]] = n;
    return true;
}

/* ---- who wants it ------------------------------------------------------------------------------------------- */

/* The caller's array of a result; NULL: it is none that a call asks for. */
static buffer_t *output_of(const columns_t *c, const gnode_t *n, unsigned *when) {
    static const struct {
        const char *name;
        int control;
    } outputs[] = {{"logits", REFORMER_WANT_LOGITS}, {"last_hidden_state", REFORMER_WANT_HIDDEN}};
    buffer_t *arrays[] = {c->few->logits, c->few->hidden};
    for (int i = 0; i < 2; i++) {
        if (graph_output(c->L->g, outputs[i].name) != n || !arrays[i]) continue;
        *when = 1u << outputs[i].control;
        return arrays[i];
    }
    return NULL;
}

/* Backwards: from results to what they are made of. 0: unconditionally. */
enum { ANYWAY = 1u << 31 };

static void find_wants(columns_t *c) {
    const nodes_t *results = &c->region->results, *nodes = &c->region->nodes;
    for (int i = 0; i < results->n; i++) {
        unsigned when = ANYWAY;
        (void)output_of(c, results->at[i], &when);
        place_of(c, results->at[i])->when |= when;
    }
    for (int i = nodes->n - 1; i >= 0; i--) {
        const gnode_t *n = nodes->at[i];
        for (int k = 0; k < n->n_in; k++) {
            place_t *p = n->in[k] ? place_of(c, n->in[k]) : NULL;
            if (p) p->when |= c->place[i].when;
        }
    }
}

/* The last stage in which the region reads n. */
static int last_read(const columns_t *c, const gnode_t *n) {
    const nodes_t *readers = &c->L->regions->readers[n->id];
    int last = -1;
    for (int i = 0; i < readers->n; i++) {
        const gnode_t *r = readers->at[i];
        const place_t *p = place_of(c, r);
        if (!p) continue;
        int at = r->op == G_SLICE || r->op == G_CONCAT ? last_read(c, r) : p->stage;
        if (at > last) last = at;
    }
    return last;
}

/* ---- cuts -------------------------------------------------------------------------------------------------- */

static void add_cut(columns_t *c, cut_t cut) {
    int i = 0;
    while (i < c->n_cuts && (c->cuts[i].stage != cut.stage || c->cuts[i].width != cut.width ||
                             c->cuts[i].deliver || cut.deliver))
        i++;
    if (i < c->n_cuts) {
        c->cuts[i].when |= cut.when;
        return;
    }
    for (i = c->n_cuts++; i > 0 && c->cuts[i - 1].stage > cut.stage; i--)
        c->cuts[i] = c->cuts[i - 1];
    c->cuts[i] = cut;
}

/* Values that are whole rows are delivered last where nothing is written over, by a task that computes them anew. */
static void add_deliveries(columns_t *c) {
    const nodes_t *results = &c->region->results;
    int last = -1;
    bool writes = false;
    for (int i = 0; i < c->n_cuts; i++)
        if (c->cuts[i].stage > last) last = c->cuts[i].stage;
    for (int i = 0; i < results->n; i++) writes |= homes_of(c, results->at[i])->n > 0;
    for (int whole = 0; whole < 2; whole++)
        for (int i = 0; i < results->n; i++) {
            unsigned when = 0;
            const gnode_t *x = behind_slice(c, results->at[i]);
            const place_t *p = place_of(c, x);
            if (!output_of(c, results->at[i], &when) || (whole == p->by_columns)) continue;
            int stage = p->by_columns ? p->stage + 1 : writes ? p->stage : last + 2;
            add_cut(c, (cut_t){stage, 0, when, results->at[i]});
        }
}

static bool plan(columns_t *c) {
    const nodes_t *nodes = &c->region->nodes;
    for (int i = 0; i < nodes->n; i++)
        if (!place_node(c, nodes->at[i])) return false;
    find_wants(c);
    c->cuts = ARENA_ARRAY(c->L->arena, cut_t, 2 * nodes->n + 1);
    for (int i = 0; i < nodes->n; i++) {
        place_t *p = &c->place[i];
        const gnode_t *n = nodes->at[i];
        if (n->op == G_SLICE || n->op == G_CONCAT) continue;
        p->stored = !p->by_columns && (homes_of(c, n)->n > 0 || last_read(c, n) > p->stage);
        if (p->by_columns || p->stored)
            add_cut(c, (cut_t){p->stage, width_of(c, n), p->when, NULL});
    }
    add_deliveries(c);
    return true;
}

/* ---- rows and columns at hand -------------------------------------------------------------------------------- */

static buffer_t *home_buffer(const columns_t *c, int home) {
    return c->few->instead ? c->few->instead[home] : c->L->homes[home];
}

/* Rows of their own, of a name that no other value of the region has. */
static buffer_t *keep(columns_t *c, const gnode_t *n) {
    lower_t *L = c->L;
    const char *base =
        arena_printf(L->arena, "%s%s_rows", c->few->prefix, identifier(L, base_name(n)));
    dim_t d[] = {dim(c->few->m), dim(round_up(width_of(c, n), PANEL))};
    for (int k = 1;; k++) {
        const char *name = k == 1 ? base : arena_printf(L->arena, "%s_%d", base, k);
        buffer_t *made = module_find_buffer(L->m, name);
        bool taken = made && (made->kind != BUF_WORKSPACE || made->rank != 2 ||
                              !dim_equal(made->dims[0], d[0]) || !dim_equal(made->dims[1], d[1]));
        for (int i = 0; i < c->region->nodes.n; i++) taken |= made && c->place[i].kept == made;
        if (taken) continue;
        return made ? made : workspace(L, name, E_F32, 2, d, "[row][column]: for the next stage");
    }
}

static buffer_t *scratch(columns_t *c, builder_t *b, const gnode_t *n) {
    dim_t d[] = {dim(c->few->m), dim(round_up(n->shape[n->rank - 1].c, c->L->tile) + PADDING)};
    return kernel_scratch(b, scratch_name(c->L, b, n), E_F32, 2, d);
}

static value_t *load_at(builder_t *b, buffer_t *from, affine_t row, affine_t col, int width) {
    affine_t stored[] = {ax(0), row, col}, own[] = {row, col};
    return b_load(b, from, width, from->rank == 3 ? stored : own);
}

static void store_at(builder_t *b, buffer_t *to, affine_t row, affine_t col, value_t *x) {
    affine_t stored[] = {ax(0), row, col}, own[] = {row, col};
    b_store(b, to, x, to->rank == 3 ? stored : own);
}

/* Where x stands already, as n's k-th value; NULL: it is not computed, or in scratch alone. */
static buffer_t *stands_in(const columns_t *c, const gnode_t *n, int k, const gnode_t *x) {
    const place_t *p = place_of(c, x);
    int home = place_of(c, n)->home[k];
    const attention_t *a = c->part->from;
    if (p && !p->done) return NULL;
    if (p && p->kept) return p->kept;
    if (home >= 0) return home_buffer(c, home);
    return !p && a && a->node == x ? a->out : NULL;
}

static affine_t index_of(const columns_t *c, int vector) {
    return c->index[vector] ? ax_v(c->index[vector]) : ax(c->part->vector[vector][0]);
}

typedef struct {
    const columns_t *c;
    const gnode_t *n;
    buffer_t *from[G_MAX_INPUTS], *to;
    affine_t row;
} span_t;

static void copy_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const span_t *s = ctx;
    (void)L;
    store_at(b, s->to, s->row, at, load_at(b, s->from[0], s->row, at, width));
}

static void element_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const span_t *s = ctx;
    value_t *of[G_MAX_INPUTS];
    for (int k = 0; k < s->n->n_in; k++) of[k] = load_at(b, s->from[k], s->row, at, width);
    store_at(b, s->to, s->row, at, element_value(L, b, s->n, of));
}

static void zero_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const span_t *s = ctx;
    affine_t ix[] = {s->row, ax_plus(at, s->n->shape[s->n->rank - 1].c)};
    (void)L;
    b_store(b, s->to, b_const(b, (ltype_t){E_F32, width}, 0), ix);
}

static void for_rows(columns_t *c, builder_t *b, span_t *s, int64_t width, span_fn *body) {
    inst_t *loop = b_for(b, "i", dim(0), dim(c->few->m), 0, NULL);
    s->row = ax_v(loop_var(loop));
    for_span(c->L, b, width, body, s);
    b_end_for(b, loop, NULL);
}

static buffer_t *whole_rows(columns_t *c, builder_t *b, const gnode_t *n, int k, const gnode_t *x);

static bool norm_rows(columns_t *c, builder_t *b, const gnode_t *n) {
    const gnode_t *x[2];
    norm_t norm = {.batch = ax(0), .row0 = ax(0), .m = c->few->m, .dst = place_of(c, n)->rows};
    norm.n_src = sources(c, n, x);
    if (norm.n_src == 2 && x[0]->shape[x[0]->rank - 1].c != x[1]->shape[x[1]->rank - 1].c)
        return refuse(c, n, "of two widths");
    norm.width = n->shape[n->rank - 1].c / norm.n_src;
    norm_weights(c->part, n, &norm);
    norm.prefix = index_of(c, norm.vector);
    norm.bias_prefix = index_of(c, norm.bias_vector);
    for (int k = 0; k < norm.n_src; k++) { /* stored rows are read where they are */
        norm.src[k] = stands_in(c, n, k, x[k]);
        if (!norm.src[k]) norm.src[k] = whole_rows(c, b, n, k, x[k]);
        if (!norm.src[k]) return false;
    }
    layer_norm_rows(c->L, b, &norm);
    return true;
}

/* Whether somebody reads whole tiles of columns of what is in scratch. */
static bool is_read_by_tiles(const columns_t *c, const gnode_t *n) {
    const nodes_t *readers = &c->L->regions->readers[n->id];
    for (int i = 0; i < readers->n; i++) {
        const gnode_t *r = readers->at[i];
        if (place_of(c, r) && (is_elementwise(r) || (r->op == G_SLICE && is_read_by_tiles(c, r))))
            return true;
    }
    return place_of(c, n)->stored;
}

/* Computes whole rows of a node of the region in this kernel. */
static bool compute_whole(columns_t *c, builder_t *b, const gnode_t *n) {
    place_t *p = place_of(c, n);
    int64_t width = n->shape[n->rank - 1].c, whole = round_up(width, c->L->tile);
    p->rows = scratch(c, b, n);
    span_t s = {.c = c, .n = n, .to = p->rows};
    if (is_norm(n)) {
        if (!norm_rows(c, b, n)) return false;
    } else {
        for (int k = 0; k < n->n_in; k++) {
            s.from[k] = whole_rows(c, b, n, k, behind_slice(c, n->in[k]));
            if (!s.from[k]) return false;
        }
        for_rows(c, b, &s, width, element_span);
    }
    if (whole > width && is_read_by_tiles(c, n)) for_rows(c, b, &s, whole - width, zero_span);
    return true;
}

/* [m][>= width] with whole rows of x, the k-th value that n reads; NULL after an error. */
static buffer_t *whole_rows(columns_t *c, builder_t *b, const gnode_t *n, int k, const gnode_t *x) {
    place_t *p = place_of(c, x);
    if (p && p->rows) return p->rows;
    buffer_t *from = stands_in(c, n, k, x);
    if (!from && p && !p->by_columns) return compute_whole(c, b, x) ? p->rows : NULL;
    if (!from) return refuse(c, n, "of what is neither stored nor at hand"), NULL;
    if (from->rank == 2) return from;
    int home = place_of(c, n)->home[k];
    if (c->copies[home]) return c->copies[home];
    span_t s = {.c = c, .n = x, .from = {from}, .to = c->copies[home] = scratch(c, b, x)};
    for_rows(c, b, &s, x->shape[x->rank - 1].c, copy_span);
    return s.to;
}

/* ---- chains: a dense layer, and what is computed on its accumulators ------------------------------------------ */

typedef struct {
    columns_t *c;
    const gnode_t *first, *last, *links[MOST_LINKS]; /* first: the dense layer */
    buffer_t *with[MOST_LINKS][G_MAX_INPUTS]; /* by link and input: NULL: of the one before */
    int n_links;
    const role_t *bias;
    buffer_t *to[G_MAX_INPUTS];
    int n_to;
} chain_t;

/* Own columns of n's k-th value; whole rows are computed for it. NULL: they are not there yet. */
static buffer_t *own_columns(columns_t *c, builder_t *b, const gnode_t *n, int k) {
    const gnode_t *x = behind_slice(c, n->in[k]);
    place_t *p = place_of(c, x);
    if (p && p->rows) return p->rows;
    buffer_t *from = stands_in(c, n, k, x);
    if (from && !p && from->rank == 2) return NULL; /* attention's result: no whole tiles */
    if (!from && p && !p->by_columns && p->stage <= c->cut->stage)
        return compute_whole(c, b, x) ? p->rows : NULL;
    return from;
}

/* Whether an earlier node has yet to read what n writes over. */
static bool may_write(const columns_t *c, const gnode_t *n) {
    const homes_t *homes = homes_of(c, n);
    for (int i = 0; i < c->region->nodes.n && c->region->nodes.at[i] != n; i++)
        for (int k = 0; k < c->region->nodes.at[i]->n_in; k++)
            for (int h = 0; h < homes->n; h++)
                if (!c->place[i].done && c->place[i].by_columns &&
                    c->place[i].home[k] == homes->of[h])
                    return false;
    return true;
}

static bool in_cut(const columns_t *c, const gnode_t *n) {
    const place_t *p = place_of(c, n);
    return p && p->stage == c->cut->stage && (p->by_columns || p->stored) &&
           width_of(c, n) == c->cut->width && n->op != G_SLICE && n->op != G_CONCAT;
}

/* The one reader that goes on with n where it was computed; its other operands are made ready. */
static const gnode_t *next_link(chain_t *chain, builder_t *b, const gnode_t *n) {
    columns_t *c = chain->c;
    const nodes_t *readers = &c->L->regions->readers[n->id];
    if (readers->n != 1 || nodes_find(&c->region->results, n) >= 0) return NULL;
    const gnode_t *next = readers->at[0];
    if (!is_elementwise(next) || !in_cut(c, next) || !may_write(c, next)) return NULL;
    for (int k = 0; k < next->n_in; k++) {
        if (next->in[k] == n) continue;
        chain->with[chain->n_links][k] = own_columns(c, b, next, k);
        if (!chain->with[chain->n_links][k]) return NULL;
    }
    return next;
}

static void find_places(chain_t *chain) {
    columns_t *c = chain->c;
    const gnode_t *n = chain->last;
    const homes_t *homes = homes_of(c, n);
    place_t *p = place_of(c, n);
    for (int i = 0; i < homes->n && i < G_MAX_INPUTS; i++)
        chain->to[chain->n_to++] = home_buffer(c, homes->of[i]);
    if (feeds_attention(c->L, n)) chain->to[chain->n_to++] = operand_buffer(c->part->into, n);
    if (chain->n_to == 0) chain->to[chain->n_to++] = p->kept = keep(c, n);
    p->done = true;
}

static chain_t chain_from(columns_t *c, builder_t *b, const gnode_t *dense) {
    chain_t chain = {.c = c, .first = dense, .last = dense};
    if (dense->n_in > 2 && dense->in[2]) chain.bias = role_of(c->part, dense->in[2]);
    for (const gnode_t *n; chain.n_links < MOST_LINKS && (n = next_link(&chain, b, chain.last));) {
        place_of(c, chain.last)->done = true;
        chain.links[chain.n_links++] = chain.last = n;
    }
    find_places(&chain);
    return chain;
}

static void put_element(lower_t *L, builder_t *b, const chain_t *chain, affine_t row, affine_t col,
                        value_t *bias, value_t *x) {
    if (bias) x = b_binary(b, OP_ADD, x, bias);
    for (int i = 0; i < chain->n_links; i++) {
        const gnode_t *n = chain->links[i];
        value_t *of[G_MAX_INPUTS];
        for (int k = 0; k < n->n_in; k++) {
            buffer_t *with = chain->with[i][k];
            of[k] = with ? load_at(b, with, row, col, L->lanes) : x;
        }
        x = element_value(L, b, n, of);
    }
    for (int i = 0; i < chain->n_to; i++) store_at(b, chain->to[i], row, col, x);
}

static void put_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col, int rows,
                     value_t **acc) {
    const chain_t *chain = ctx;
    int nv = L->tiles->vectors;
    for (int j = 0; j < nv; j++) {
        affine_t at = ax_plus(col, (int64_t)j * L->lanes);
        value_t *bias = NULL;
        if (chain->bias) {
            affine_t bx[] = {index_of(chain->c, chain->bias->vector), at};
            bias = b_load(b, chain->bias->w, L->lanes, bx);
        }
        for (int i = 0; i < rows; i++)
            put_element(L, b, chain, ax_plus(row, i), at, bias, acc[i * nv + j]);
    }
}

static bool dense_columns(columns_t *c, builder_t *b, const gnode_t *n) {
    const role_t *w = role_of(c->part, n->in[1]);
    const gnode_t *x = behind_slice(c, n->in[0]);
    buffer_t *a = whole_rows(c, b, n, 0, x);
    if (!a) return false;
    chain_t chain = chain_from(c, b, n);
    dense_t d = {.a = a,
                 .m = c->few->m,
                 .k = x->shape[x->rank - 1].c,
                 .n = width_of(c, n),
                 .w = {w->w, 1, {index_of(c, w->vector)}},
                 .first = c->first,
                 .tiles = c->tiles,
                 .epilogue = put_tile,
                 .ctx = &chain};
    dense(c->L, b, &d);
    return true;
}

/* ---- own columns without a dense layer ----------------------------------------------------------------------- */

/* An elementwise node, or a copy of whole rows: each task its own columns. */
static bool element_columns(columns_t *c, builder_t *b, const gnode_t *n) {
    lower_t *L = c->L;
    place_t *p = place_of(c, n);
    chain_t chain = {.c = c, .first = n, .last = n};
    if (p->by_columns) {
        chain.links[chain.n_links++] = n;
        for (int k = 0; k < n->n_in; k++) {
            chain.with[0][k] = own_columns(c, b, n, k);
            if (!chain.with[0][k]) return refuse(c, n, "of what is neither stored nor at hand");
        }
    } else if (!p->rows && !compute_whole(c, b, n)) return false;
    find_places(&chain);
    int64_t all = column_tiles(L, c->cut->width);
    inst_t *loop = b_for(b, "column", dim(0), dim(c->tiles), 0, NULL);
    value_t *own = b_index(b, ax_add(c->first, ax_v(loop_var(loop))));
    value_t *t = at_most(b, ax_v(own), dim(all - 1));
    inst_t *inside = b_if(b, b_compare(b, OP_EQ, own, t), 0, NULL);
    inst_t *rows = b_for(b, "i", dim(0), dim(c->few->m), 0, NULL);
    affine_t row = ax_v(loop_var(rows));
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t col = ax_plus(ax_scale(ax_v(t), L->tile), (int64_t)j * L->lanes);
        value_t *x = p->by_columns ? NULL : load_at(b, p->rows, row, col, L->lanes);
        put_element(L, b, &chain, row, col, NULL, x);
    }
    b_end_for(b, rows, NULL);
    b_end_if(b, inside, NULL);
    b_end_for(b, loop, NULL);
    return true;
}

/* ---- to the caller ------------------------------------------------------------------------------------------- */

/* Rows that `row` does not leave out. */
static bool deliver(columns_t *c, builder_t *b, const gnode_t *result) {
    unsigned when;
    const gnode_t *x = behind_slice(c, result);
    place_t *p = place_of(c, x);
    if (p->by_columns && !p->kept) return refuse(c, x, "both as an output and as a stream");
    if (!p->by_columns && !compute_whole(c, b, x)) return false;
    span_t s = {.c = c, .n = x, .from = {p->by_columns ? p->kept : p->rows}};
    s.to = output_of(c, result, &when);
    inst_t *loop = b_for(b, "row", dim(0), dim(c->few->m), 0, NULL), *real = NULL;
    affine_t ix[] = {ax(0), s.row = ax_v(loop_var(loop))};
    value_t *zero = b_iconst(b, SCALAR(E_I32), 0);
    if (c->few->row)
        real = b_if(b, b_compare(b, OP_GE, load1(b, c->few->row, 2, ix), zero), 0, NULL);
    for_span(c->L, b, x->shape[x->rank - 1].c, copy_span, &s);
    if (real) b_end_if(b, real, NULL);
    b_end_for(b, loop, NULL);
    return true;
}

/* ---- kernels ------------------------------------------------------------------------------------------------- */

static void begin_kernel(columns_t *c, const cut_t *cut) {
    c->cut = cut;
    for (int i = 0; i < c->region->nodes.n; i++) c->place[i].rows = NULL;
    memset(c->copies, 0, (size_t)c->L->regions->n_homes * sizeof *c->copies);
    memset(c->index, 0, sizeof c->index);
}

/* The head's weights stand alone, and its kernels have no indices. */
static void take_indices(columns_t *c, builder_t *b) {
    if (!is_head(c->L, c->region)) index_params(c->L, b, c->part, c->index);
}

/* "feed_forward_in, feed_forward_act": what it computes. */
static void describe_cut(const columns_t *c, lfunc_t *f) {
    const gnode_t *first = NULL;
    const char *text = "";
    for (int i = 0; i < c->region->nodes.n; i++) {
        const gnode_t *n = c->region->nodes.at[i];
        if (!in_cut(c, n)) continue;
        text = arena_printf(c->L->arena, "%s%s%s", text, first ? ", " : "", base_name(n));
        if (!first) first = n;
    }
    describe(c->L, f, first->at, "%lld rows of %s", (long long)c->few->m, text);
}

static lfunc_t *columns_kernel(columns_t *c, const cut_t *cut, const char *name) {
    lower_t *L = c->L;
    int64_t panels = round_up(cut->width, PANEL) / PANEL;
    int64_t each = (panels + MOST_TASKS - 1) / MOST_TASKS;
    dim_t tasks = dim((panels + each - 1) / each);
    const char *columns = "columns";
    begin_kernel(c, cut);
    builder_t b = build_kernel(L->m, name, 1, &tasks, &columns);
    describe_cut(c, b.fn);
    take_indices(c, &b);
    c->tiles = each * (PANEL / L->tile);
    c->first = ax_scale(ax_v(b.fn->task[0]), c->tiles);
    for (int i = 0; i < c->region->nodes.n; i++) {
        const gnode_t *n = c->region->nodes.at[i];
        if (c->place[i].done || !in_cut(c, n)) continue;
        if (!(n->op == G_DENSE ? dense_columns : element_columns)(c, &b, n)) return NULL;
    }
    return b.fn;
}

static lfunc_t *delivery_kernel(columns_t *c, const cut_t *cut, const char *name) {
    lower_t *L = c->L;
    dim_t one = dim(1);
    const char *once = "once";
    begin_kernel(c, cut);
    builder_t b = build_kernel(L->m, name, 1, &one, &once);
    describe(L, b.fn, cut->deliver->at, "%s to the caller's rows", cut->deliver->name);
    take_indices(c, &b);
    return deliver(c, &b, cut->deliver) ? b.fn : NULL;
}

/* Of several kernels of a region: "in", "mid" …, "out". */
static const char *suffix(const columns_t *c, int i) {
    int first = 0, n = 0;
    for (int k = 0; k < c->n_cuts; k++) {
        n += !c->cuts[k].deliver;
        first += k < i && !c->cuts[k].deliver;
    }
    if (n == 1) return NULL;
    return first == 0 ? "in" : first == n - 1 ? "out" : "mid";
}

static lfunc_t *kernel(columns_t *c, int i, const char *base, stage_t *stage) {
    const cut_t *cut = &c->cuts[i];
    arena_t *a = c->L->arena;
    const char *name = base;
    stage->wanted = cut->when & ANYWAY ? 0 : cut->when;
    if (cut->deliver) {
        const char *output = identifier(c->L, base_name(cut->deliver));
        name = arena_printf(a, "%s%s_out", c->few->prefix, output);
        if (!place_of(c, behind_slice(c, cut->deliver))->by_columns) stage->label = output;
        return delivery_kernel(c, cut, free_name(c->L, name));
    }
    stage->suffix = suffix(c, i);
    if (stage->suffix) name = arena_printf(a, "%s_%s", base, stage->suffix);
    return columns_kernel(c, cut, free_name(c->L, name));
}

static const char *base_for(lower_t *L, const part_t *p, const few_rows_t *few) {
    const char *base = arena_printf(L->arena, "%s%s", few->prefix, rows_name(L, p)), *name = base;
    for (int k = 2; module_find_func(L->m, name) ||
                    module_find_func(L->m, arena_printf(L->arena, "%s_in", name));
         k++)
        name = arena_printf(L->arena, "%s_%d", base, k);
    return name;
}

bool lower_columns(lower_t *L, part_t *p, const few_rows_t *few, stages_t *stages) {
    const regions_t *r = L->regions;
    size_t n_nodes = (size_t)p->class->pattern->nodes.n, n_homes = (size_t)r->n_homes + 1;
    columns_t c = {.L = L, .part = p, .region = p->class->pattern, .few = few};
    c.place = ARENA_ARRAY(L->arena, place_t, n_nodes);
    c.writer = ARENA_ARRAY(L->arena, const gnode_t *, n_homes);
    c.copies = ARENA_ARRAY(L->arena, buffer_t *, n_homes);
    c.whole_until = ARENA_ARRAY(L->arena, int, n_homes);
    c.read_until = ARENA_ARRAY(L->arena, int, n_homes);
    for (size_t i = 0; i < n_homes; i++) c.whole_until[i] = c.read_until[i] = -1;
    for (size_t i = 0; i < n_nodes; i++)
        for (int k = 0; k < G_MAX_INPUTS; k++) c.place[i].home[k] = -1;
    if (!plan(&c)) return false;
    const char *base = base_for(L, p, few);
    *stages = (stages_t){ARENA_ARRAY(L->arena, stage_t, c.n_cuts + 1), 0, base};
    for (int i = 0; i < c.n_cuts; i++) {
        stage_t *stage = &stages->at[stages->n++];
        stage->kernel = kernel(&c, i, base, stage);
        if (!stage->kernel) return false;
    }
    p->used = true;
    return true;
}
