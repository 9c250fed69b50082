/* Which kernel of a row program on few rows computes what.
 *
 * A stage has what is computed without waiting for columns of other tasks: a node that needs whole
 * rows of what is computed by columns is one stage behind it, and what writes over a stream waits
 * for those who read whole rows of it. Kernels are cut from stages: of one stage and one width
 * each; then those that give values to the caller. */
#include "lower/columns_plan.h"

/* ---- nodes ----------------------------------------------------------------------------------- */

column_place_t *place_in(const columns_t *c, const gnode_t *n) {
    int k = nodes_find(&c->region->nodes, n);
    return k < 0 ? NULL : &c->place[k];
}

const homes_t *homes_of(const columns_t *c, const gnode_t *n) {
    return &c->L->regions->homes[n->id];
}

const gnode_t *behind_slice(const columns_t *c, const gnode_t *x) {
    while (x->op == G_SLICE && place_in(c, x)) x = x->in[0];
    return x;
}

int sources_of(const columns_t *c, const gnode_t *norm, const gnode_t **x) {
    x[0] = behind_slice(c, norm->in[0]);
    if (!goes_into_norm(c->L, c->region, x[0])) return 1;
    const gnode_t *both = x[0];
    for (int k = 0; k < 2; k++) x[k] = behind_slice(c, both->in[k]);
    return 2;
}

bool is_view(const columns_t *c, const gnode_t *n) {
    return (n->op == G_SLICE && place_in(c, n)) || goes_into_norm(c->L, c->region, n);
}

int64_t shared_width(const columns_t *c, const gnode_t *n) {
    const attention_t *a = c->part->into;
    if (a && feeds_attention(c->L, n)) return a->heads * a->head_stride;
    return width_of(n);
}

/* ---- where each node is computed ------------------------------------------------------------- */

/* As far as nodes have their places. */
typedef struct {
    columns_t *c;
    const gnode_t **writer; /* by home: the region's last node that writes it */
    /* By home: the last stage that reads whole rows, or columns, of what stood there. */
    int *whole_until, *read_until;
} planner_t;

/* The first stage that has whole rows of x, or the columns that its tasks read. */
static int ready_at(const columns_t *c, const gnode_t *x, bool whole) {
    const column_place_t *p = place_in(c, x);
    return p ? p->stage + (whole && p->by_columns) : 0;
}

/* A home that still has x when n reads it: its own, or else the last. Others may be
 * some other value's since. */
static bool choose_home(const planner_t *p, const gnode_t *n, const gnode_t *x, int *home) {
    const homes_t *homes = homes_of(p->c, x);
    *home = -1;
    if (homes->n == 0) return true;
    int choice[] = {home_read_by(p->c->L->regions, n, x), homes->of[homes->n - 1]};
    for (int i = 0; i < 2 && *home < 0; i++)
        if (!p->writer[choice[i]] || p->writer[choice[i]] == x) *home = choice[i];
    return *home >= 0 || no_kernel(p->c->L, n, "of a stream that was written over just before");
}

/* The values whose rows n reads, as its place counts them. */
static int inputs_of(const columns_t *c, const gnode_t *n, const gnode_t **x) {
    if (is_norm(n)) return sources_of(c, n, x);
    int n_x = n->op == G_DENSE ? 1 : n->n_in;
    for (int k = 0; k < n_x; k++) x[k] = behind_slice(c, n->in[k]);
    return n_x;
}

/* x is the k-th value that n reads. */
static bool read_value(planner_t *p, const gnode_t *n, int k, const gnode_t *x, bool whole) {
    column_place_t *place = place_in(p->c, n);
    if (!choose_home(p, n, x, &place->home[k])) return false;
    int *until = whole ? p->whole_until : p->read_until, h = place->home[k];
    if (h >= 0 && until[h] < place->stage) until[h] = place->stage;
    return true;
}

/* What is written by columns waits for those who read whole rows of what stood there. */
static void wait_for_readers(planner_t *p, const gnode_t *n) {
    column_place_t *place = place_in(p->c, n);
    const homes_t *homes = homes_of(p->c, n);
    for (int i = 0; i < homes->n; i++) {
        int h = homes->of[i];
        if (place->stage <= p->whole_until[h]) place->stage = p->whole_until[h] + 1;
        if (place->stage < p->read_until[h]) place->stage = p->read_until[h];
    }
}

static bool is_known(const columns_t *c, const gnode_t *n) {
    if (feeds_attention(c->L, n) && (n->op != G_DENSE || (n->n_in > 2 && n->in[2])))
        return no_kernel(c->L, n, "as an operand of attention: it wants dense layers without bias");
    bool row = n->op == G_DENSE || n->op == G_QUANTIZE || is_norm(n) || is_elementwise(n) ||
               n->op == G_CONCAT || n->op == G_SLICE;
    return row || no_kernel(c->L, n, "here");
}

static bool goes_by_columns(const columns_t *c, const gnode_t *n, const gnode_t *const *x) {
    if (!is_elementwise(n)) return n->op == G_DENSE;
    bool any = homes_of(c, n)->n > 0;
    for (int k = 0; k < n->n_in; k++) any |= place_in(c, x[k]) && place_in(c, x[k])->by_columns;
    return any;
}

static bool place_node(planner_t *p, const gnode_t *n) {
    const columns_t *c = p->c;
    column_place_t *place = place_in(c, n);
    const gnode_t *x[G_MAX_INPUTS];
    if (!is_known(c, n)) return false;
    int n_x = inputs_of(c, n, x);
    place->by_columns = goes_by_columns(c, n, x);
    bool same = is_elementwise(n); /* it reads and writes the same columns */
    bool whole = !same || !place->by_columns;
    for (int k = 0; k < n_x; k++)
        if (place->stage < ready_at(c, x[k], whole)) place->stage = ready_at(c, x[k], whole);
    if (is_view(c, n)) return true;
    if (same) wait_for_readers(p, n);
    for (int k = 0; k < n_x; k++)
        if (!read_value(p, n, k, x[k], whole)) return false;
    if (!same) wait_for_readers(p, n);
    for (int i = 0; i < homes_of(c, n)->n; i++) p->writer[homes_of(c, n)->of[i]] = n;
    return true;
}

static bool place_nodes(columns_t *c) {
    const regions_t *r = c->L->regions;
    arena_t *a = c->L->arena;
    int n_homes = r->n_homes + 1;
    planner_t p = {c, ARENA_ARRAY(a, const gnode_t *, n_homes), ARENA_ARRAY(a, int, n_homes),
                   ARENA_ARRAY(a, int, n_homes)};
    for (int h = 0; h < n_homes; h++) p.whole_until[h] = p.read_until[h] = -1;
    c->place = ARENA_ARRAY(a, column_place_t, c->region->nodes.n);
    for (int i = 0; i < c->region->nodes.n; i++)
        for (int k = 0; k < G_MAX_INPUTS; k++) c->place[i].home[k] = -1;
    for (int i = 0; i < c->region->nodes.n; i++)
        if (!place_node(&p, c->region->nodes.at[i])) return false;
    return true;
}

/* ---- who wants it ---------------------------------------------------------------------------- */

static void find_wants(columns_t *c) {
    const unsigned *wants = wants_of(c->L, c->region, false);
    for (int i = 0; i < c->region->nodes.n; i++) c->place[i].when = wants[i];
}

/* The last stage in which the region reads n. */
static int last_read(const columns_t *c, const gnode_t *n) {
    const nodes_t *readers = &c->L->regions->readers[n->id];
    int last = -1;
    for (int i = 0; i < readers->n; i++) {
        const gnode_t *r = readers->at[i];
        const column_place_t *p = place_in(c, r);
        if (!p) continue;
        int at = is_view(c, r) ? last_read(c, r) : p->stage;
        if (at > last) last = at;
    }
    return last;
}

/* ---- cuts ------------------------------------------------------------------------------------ */

static void add_cut(columns_t *c, column_cut_t cut) {
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

/* Values that are whole rows are delivered last where nothing is written over, by a task
 * that computes them anew. */
static void add_deliveries(columns_t *c) {
    const nodes_t *results = &c->region->results;
    int last = -1;
    bool writes = false;
    for (int i = 0; i < c->n_cuts; i++)
        if (c->cuts[i].stage > last) last = c->cuts[i].stage;
    for (int i = 0; i < results->n; i++) writes |= homes_of(c, results->at[i])->n > 0;
    for (int whole = 0; whole < 2; whole++)
        for (int i = 0; i < results->n; i++) {
            const gnode_t *x = behind_slice(c, results->at[i]);
            const column_place_t *p = place_in(c, x);
            const graph_output_t *o = output_of(c->L, results->at[i]);
            if (!o || whole == p->by_columns) continue;
            int stage = p->by_columns ? p->stage + 1 : writes ? p->stage : last + 2;
            add_cut(c, (column_cut_t){stage, 0, 1u << o->control, results->at[i]});
        }
}

bool plan_columns(columns_t *c) {
    const nodes_t *nodes = &c->region->nodes;
    if (!place_nodes(c)) return false;
    find_wants(c);
    c->cuts = ARENA_ARRAY(c->L->arena, column_cut_t, 2 * nodes->n + 1);
    for (int i = 0; i < nodes->n; i++) {
        column_place_t *p = &c->place[i];
        const gnode_t *n = nodes->at[i];
        if (is_view(c, n)) continue;
        p->stored = !p->by_columns && (homes_of(c, n)->n > 0 || last_read(c, n) > p->stage);
        if (p->by_columns || p->stored)
            add_cut(c, (column_cut_t){p->stage, shared_width(c, n), p->when, NULL});
    }
    add_deliveries(c);
    return true;
}
