/* Graph → regions: which values are stored, and what is computed between them. See regions.h. */
#include "lower/regions.h"

typedef struct {
    regions_t *r;
    const graph_t *g;
    arena_t *arena;
    diag_t *d;
    int *phase;  /* by node id: MIX ops on the longest way to it */
    bool *asked; /* by node id: what callers and losses read */
    int *joined; /* by node id: union-find of what is computed together */
    bool ok;
} cut_t;

static bool is_rows(const gnode_t *n) {
    return graph_kind(n) == K_ROW || graph_kind(n) == K_PICK;
}

int nodes_find(const nodes_t *list, const gnode_t *n) {
    for (int i = 0; i < list->n; i++)
        if (list->at[i] == n) return i;
    return -1;
}

/* ---- readers -------------------------------------------------------------------------------- */

static void find_readers(cut_t *c) {
    const graph_t *g = c->g;
    nodes_t *readers = c->r->readers = ARENA_ARRAY(c->arena, nodes_t, g->n_nodes);
    size_t edges = 0;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k]) readers[g->nodes[i]->in[k]->id].n++, edges++;
    const gnode_t **all = ARENA_ARRAY(c->arena, const gnode_t *, edges + 1);
    for (size_t i = 0; i < g->n_nodes; i++) {
        readers[i].at = all;
        all += readers[i].n;
        readers[i].n = 0;
    }
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++) {
            if (!g->nodes[i]->in[k]) continue;
            nodes_t *list = &readers[g->nodes[i]->in[k]->id];
            list->at[list->n++] = g->nodes[i];
        }
}

static void find_asked(cut_t *c) {
    c->asked = ARENA_ARRAY(c->arena, bool, c->g->n_nodes);
    for (size_t i = 0; i < c->g->n_nodes; i++) {
        c->asked[i] = graph_output(c->g, c->g->nodes[i]->name) == c->g->nodes[i];
        for (int k = 0; k < c->r->readers[i].n; k++)
            if (graph_kind(c->r->readers[i].at[k]) == K_REDUCE) c->asked[i] = true;
    }
}

static void check_read(cut_t *c) {
    for (size_t i = 0; i < c->g->n_nodes; i++) {
        const gnode_t *n = c->g->nodes[i];
        if (c->r->readers[i].n > 0 || c->asked[i] || n->op == G_INPUT || graph_is_keep(n)) continue;
        diag_error(c->d, n->at, "nobody reads %s", n->name);
        c->ok = false;
    }
}

/* ---- what is stored ----------------------------------------------------------------------------- */

static void find_phases(cut_t *c) {
    c->phase = ARENA_ARRAY(c->arena, int, c->g->n_nodes);
    for (size_t i = 0; i < c->g->n_nodes; i++) {
        const gnode_t *n = c->g->nodes[i];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] && c->phase[n->in[k]->id] > c->phase[i])
                c->phase[i] = c->phase[n->in[k]->id];
        if (graph_kind(n) == K_MIX) c->phase[i]++;
    }
}

static bool is_stored(const cut_t *c, const gnode_t *n) {
    if (graph_kind(n) == K_MIX || n->op == G_EMBED || n->op == G_EMBED_AT) return true;
    if (!is_rows(n)) return false;
    const nodes_t *readers = &c->r->readers[n->id];
    for (int k = 0; k < readers->n; k++) {
        if (graph_kind(readers->at[k]) == K_MIX) return true;
        if (c->phase[readers->at[k]->id] > c->phase[n->id]) return true;
        if (readers->at[k]->layer != n->layer) return true;
        if (readers->at[k]->op == G_CONCAT && n->layer < 0) return true; /* a head's streams */
    }
    return n->op == G_ADD && c->r->stored[n->in[0]->id];
}

/* ---- what is computed together -------------------------------------------------------------------- */

static int joint(cut_t *c, int id) {
    while (c->joined[id] != id) id = c->joined[id] = c->joined[c->joined[id]];
    return id;
}

/* Whether n is computed wherever its reader is. */
static bool goes_with_reader(const cut_t *c, const gnode_t *n) {
    return n && is_rows(n) && !c->r->stored[n->id];
}

/* The operands of a MIX op, as far as they have the same rows and may be had at once. */
static void join_operands(cut_t *c, const gnode_t *n) {
    const gnode_t *first = NULL;
    for (int k = 0; k < n->n_in; k++) {
        const gnode_t *x = n->in[k];
        if (!x || graph_kind(x) != K_ROW) continue;
        if (!first) first = x;
        bool together = c->phase[x->id] == c->phase[first->id] && x->layer == first->layer &&
                        dim_equal(x->shape[1], first->shape[1]);
        if (together) c->joined[joint(c, x->id)] = joint(c, first->id);
    }
}

static void join(cut_t *c) {
    c->joined = ARENA_ARRAY(c->arena, int, c->g->n_nodes);
    for (size_t i = 0; i < c->g->n_nodes; i++) c->joined[i] = (int)i;
    for (size_t i = 0; i < c->g->n_nodes; i++) {
        const gnode_t *n = c->g->nodes[i];
        if (graph_kind(n) == K_MIX) join_operands(c, n);
        if (graph_kind(n) != K_ROW) continue; /* a PICK computes anew what it picks from */
        for (int k = 0; k < n->n_in; k++)
            if (goes_with_reader(c, n->in[k])) c->joined[joint(c, (int)i)] = joint(c, n->in[k]->id);
    }
}

typedef struct {
    nodes_t nodes;
    size_t cap;
} growing_t;

static void push(cut_t *c, growing_t *list, const gnode_t *n) {
    ARENA_PUSH(c->arena, list->nodes.at, list->nodes.n, list->cap) = n;
}

static void push_once(cut_t *c, growing_t *list, const gnode_t *n) {
    if (nodes_find(&list->nodes, n) < 0) push(c, list, n);
}

/* Marks what n needs computed before it, for a PICK's region. */
static void mark_before(const cut_t *c, const gnode_t *n, bool *needed) {
    needed[n->id] = true;
    for (int k = 0; k < n->n_in; k++)
        if (goes_with_reader(c, n->in[k]) && !needed[n->in[k]->id])
            mark_before(c, n->in[k], needed);
}

static bool leaves(const cut_t *c, const region_t *region, const gnode_t *n) {
    if (c->r->stored[n->id] || c->asked[n->id]) return c->r->of_node[n->id] == region;
    return false;
}

/* All that a region's nodes say about it. */
static void describe_region(cut_t *c, region_t *region) {
    growing_t reads = {0}, params = {0}, results = {0};
    region->kind = K_ROW;
    region->layer = -1;
    for (int i = 0; i < region->nodes.n; i++) {
        const gnode_t *n = region->nodes.at[i];
        if (graph_kind(n) != K_ROW) region->kind = graph_kind(n);
        for (int k = 0; k < n->n_in; k++) {
            const gnode_t *x = n->in[k];
            if (!x || nodes_find(&region->nodes, x) >= 0) continue;
            if (x->op == G_PARAM) push_once(c, &params, x);
            else if (graph_kind(x) != K_LEAF) push_once(c, &reads, x);
        }
        if (!leaves(c, region, n)) continue;
        region->layer = results.nodes.n == 0 || region->layer == n->layer ? n->layer : -1;
        push(c, &results, n);
    }
    region->reads = reads.nodes;
    region->params = params.nodes;
    region->results = results.nodes;
}

/* Regions by their first result: the order of the graph. */
static void make_regions(cut_t *c) {
    const graph_t *g = c->g;
    size_t n_nodes = g->n_nodes;
    growing_t *lists = ARENA_ARRAY(c->arena, growing_t, n_nodes); /* by union */
    for (size_t i = 0; i < n_nodes; i++)
        if (graph_kind(g->nodes[i]) != K_LEAF) push(c, &lists[joint(c, (int)i)], g->nodes[i]);
    c->r->of_node = ARENA_ARRAY(c->arena, region_t *, n_nodes);
    c->r->regions = ARENA_ARRAY(c->arena, region_t *, n_nodes);
    for (size_t i = 0; i < n_nodes; i++) {
        growing_t *list = &lists[i];
        if (list->nodes.n == 0) continue;
        region_t *region = ARENA_NEW(c->arena, region_t);
        for (int k = 0; k < list->nodes.n; k++) c->r->of_node[list->nodes.at[k]->id] = region;
        region->nodes = list->nodes;
        c->r->regions[c->r->n_regions++] = region;
    }
}

/* What a PICK picks from is computed in its region again, for the rows that it picks. */
static void widen_picks(cut_t *c, region_t *region) {
    bool *needed = NULL;
    for (int i = 0; i < region->nodes.n; i++) {
        const gnode_t *n = region->nodes.at[i];
        if (graph_kind(n) != K_PICK || !goes_with_reader(c, n->in[0])) continue;
        if (!needed) needed = ARENA_ARRAY(c->arena, bool, c->g->n_nodes);
        mark_before(c, n->in[0], needed);
    }
    if (!needed) return;
    for (int i = 0; i < region->nodes.n; i++) needed[region->nodes.at[i]->id] = true;
    growing_t all = {0};
    for (size_t i = 0; i < c->g->n_nodes; i++)
        if (needed[i]) push(c, &all, c->g->nodes[i]);
    region->nodes = all.nodes;
}

/* What was only computed to pick rows of it is computed where they are picked. */
static void drop_empty(regions_t *r) {
    int kept = 0;
    for (int i = 0; i < r->n_regions; i++) {
        region_t *region = r->regions[i];
        if (region->results.n == 0) continue;
        for (int k = 0; k < region->nodes.n; k++) {
            region_t **of = &r->of_node[region->nodes.at[k]->id];
            if ((*of)->results.n == 0) *of = region;
        }
        r->regions[kept++] = region;
    }
    r->n_regions = kept;
}

/* ---- values that have to be stored after all ------------------------------------------------------------------ */

/* All that exists for a block of rows at a time is stored from now on; false: nothing does. */
static bool store_all(cut_t *c, const region_t *region) {
    bool more = false;
    for (int i = 0; i < region->nodes.n; i++) {
        const gnode_t *n = region->nodes.at[i];
        if (graph_kind(n) != K_ROW || c->r->stored[n->id] || c->asked[n->id]) continue;
        c->r->stored[n->id] = more = true;
    }
    return more;
}

static const gnode_t *first_reader(const cut_t *c, const gnode_t *n) {
    const nodes_t *readers = &c->r->readers[n->id];
    for (int i = 0; i < readers->n; i++)
        if (!graph_is_keep(readers->at[i])) return readers->at[i];
    return NULL;
}

/* The attention that a mixer belongs to: hash and sort to the one that they sort for. NULL: it keeps what others mix. */
static const gnode_t *attention_of(const cut_t *c, const gnode_t *mix) {
    if (graph_is_keep(mix)) return NULL;
    while (mix->op == G_LSH_HASH || mix->op == G_LSH_SORT) {
        const gnode_t *next = first_reader(c, mix);
        if (!next) return mix;
        mix = next;
    }
    return mix;
}

/* Whether the region has to do with more than one attention, or with both ends of one. */
static bool is_mixed_up(const cut_t *c, const region_t *region) {
    const gnode_t *met = NULL;
    for (int i = 0; i < region->reads.n; i++) {
        const gnode_t *x = region->reads.at[i];
        if (graph_kind(x) != K_MIX) continue;
        if (met && met != x) return true;
        met = x;
    }
    for (int i = 0; i < region->results.n; i++) {
        const nodes_t *readers = &c->r->readers[region->results.at[i]->id];
        for (int k = 0; k < readers->n; k++) {
            if (graph_kind(readers->at[k]) != K_MIX) continue;
            const gnode_t *mix = attention_of(c, readers->at[k]);
            if (mix && met && met != mix) return true;
            if (mix) met = mix;
        }
    }
    return false;
}

static bool store_circle(cut_t *c, const bool *waits) {
    bool more = false;
    for (int i = 0; i < c->r->n_regions; i++)
        if (waits[i] && store_all(c, c->r->regions[i])) more = true;
    return more;
}

static void report_circle(cut_t *c, const bool *waits) {
    const regions_t *r = c->r;
    int i = 0, k = 0;
    while (!waits[i]) i++;
    while (!waits[r->of_node[r->regions[i]->reads.at[k]->id]->order]) k++;
    const gnode_t *n = r->regions[i]->results.at[0], *wanted = r->regions[i]->reads.at[k];
    diag_error(c->d, n->at, "%s is computed together with what %s waits for, and needs it itself",
               n->name, wanted->name);
    c->ok = false;
}

/* One way to cut; true: values were stored for a better one. */
static bool cut_once(cut_t *c) {
    regions_t *r = c->r;
    bool more = false;
    r->n_regions = 0;
    join(c);
    make_regions(c);
    for (int i = 0; i < r->n_regions; i++) {
        widen_picks(c, r->regions[i]);
        describe_region(c, r->regions[i]);
    }
    drop_empty(r);
    for (int i = 0; i < r->n_regions; i++)
        if (r->regions[i]->kind == K_ROW && is_mixed_up(c, r->regions[i]) &&
            store_all(c, r->regions[i]))
            more = true;
    if (more) return true;
    bool *waits = ARENA_ARRAY(c->arena, bool, r->n_regions);
    if (regions_order(r, c->arena, waits)) return false;
    if (store_circle(c, waits)) return true;
    report_circle(c, waits);
    return false;
}

regions_t *regions_cut(arena_t *a, const graph_t *g, diag_t *d) {
    regions_t *r = ARENA_NEW(a, regions_t);
    cut_t c = {.r = r, .g = g, .arena = a, .d = d, .ok = true};
    r->g = g;
    find_readers(&c);
    find_asked(&c);
    check_read(&c);
    find_phases(&c);
    r->stored = ARENA_ARRAY(a, bool, g->n_nodes);
    for (size_t i = 0; i < g->n_nodes; i++) r->stored[i] = is_stored(&c, g->nodes[i]);
    while (cut_once(&c)) {
    }
    if (!c.ok) return NULL;
    regions_house(r, a);
    regions_classify(r, a);
    return r;
}

/* ---- text ------------------------------------------------------------------------------------------------ */

static void print_names(const regions_t *r, const char *before, const nodes_t *list, sbuf_t *out) {
    if (list->n > 0) sbuf_puts(out, before);
    for (int i = 0; i < list->n; i++) {
        const homes_t *homes = &r->homes[list->at[i]->id];
        sbuf_printf(out, " %s", list->at[i]->name);
        for (int k = 0; k < homes->n; k++) sbuf_printf(out, "%s%d", k ? "," : "@", homes->of[k]);
    }
}

void regions_print(const regions_t *r, sbuf_t *out) {
    for (int i = 0; i < r->n_regions; i++) {
        const region_t *region = r->regions[i];
        sbuf_printf(out, "%d[%d]:", region->class->id, region->index);
        for (int k = 0; k < region->nodes.n; k++)
            sbuf_printf(out, " %s", graph_op_name(region->nodes.at[k]->op));
        print_names(r, " <-", &region->reads, out);
        print_names(r, " ->", &region->results, out);
        sbuf_puts(out, "\n");
    }
}
