/* Graph → regions: which values are stored, and what is computed between them. See regions.h. */
#include "lower/regions_int.h"

#include <stdlib.h>

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
        const gnode_t *n = c->g->nodes[i];
        bool own = n->op == G_GRADIENT || n->op == G_SEED;
        c->asked[i] = own || graph_output(c->g, n->name) == n;
        for (int k = 0; k < c->r->readers[i].n; k++) {
            const gnode_t *reader = c->r->readers[i].at[k];
            if (graph_kind(reader) == K_REDUCE || reader->op == G_TOTAL) c->asked[i] = true;
        }
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

/* ---- what is stored -------------------------------------------------------------------------- */

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
    if (graph_kind(n) == K_MIX || graph_is_embed(n)) return true;
    if (!is_rows(n)) return false;
    const nodes_t *readers = &c->r->readers[n->id];
    bool backward = is_backward(c, n);
    for (int k = 0; k < readers->n; k++) {
        const gnode_t *reader = readers->at[k];
        if (is_backward(c, reader) != backward) continue; /* is_kept_for_backward() */
        if (graph_kind(reader) == K_MIX || reader->layer != n->layer) return true;
        if (!backward && c->phase[reader->id] > c->phase[n->id]) return true;
        if (reader->op == G_CONCAT && n->layer < 0) return true;             /* a head's streams */
        if (reader->op == G_PAD_ROWS && reader->rank > n->rank) return true; /* rows of rows */
    }
    return (n->op == G_ADD || n->op == G_SUB) && c->r->stored[n->in[0]->id];
}

/* ---- attentions ------------------------------------------------------------------------------ */

/* The first that goes on with n: nobody who only keeps it. */
static const gnode_t *first_reader(const cut_t *c, const gnode_t *n) {
    const nodes_t *readers = &c->r->readers[n->id];
    for (int i = 0; i < readers->n; i++)
        if (!graph_is_keep(readers->at[i]) && readers->at[i]->op != G_PACK_BUCKETS)
            return readers->at[i];
    return NULL;
}

bool is_attention_lse(const gnode_t *n) {
    return n->op == G_LSH_LSE || n->op == G_LOCAL_LSE || n->op == G_EXACT_LSE;
}

const gnode_t *attention_input(const gnode_t *n, int k) {
    if (graph_is_attention_gradient(n)) k += 3; /* dy, y, lse */
    return k < n->n_in ? n->in[k] : NULL;
}

/* The attention that a mixer belongs to: hash and sort to the one that they sort for, its gradient
 * to it. NULL: it keeps what others mix. */
static const gnode_t *attention_of(const cut_t *c, const gnode_t *mix) {
    if (graph_is_keep(mix)) return NULL;
    while (mix->op == G_LSH_HASH || mix->op == G_LSH_SORT || mix->op == G_UNPACK_BUCKETS ||
           is_attention_lse(mix)) {
        const gnode_t *next = first_reader(c, mix);
        if (!next) return mix;
        mix = next;
    }
    return graph_is_attention_gradient(mix) ? mix->in[1] : mix;
}

/* ---- what is computed together --------------------------------------------------------------- */

/* The operands of a MIX op, as far as they have the same rows and may be had at once. */
static void join_operands(cut_t *c, const gnode_t *n) {
    const gnode_t *first = NULL;
    for (int k = 0; k < n->n_in; k++) {
        const gnode_t *x = n->in[k];
        if (!x || graph_kind(x) != K_ROW) continue;
        if (!first) first = x;
        bool together = x->layer == first->layer && dim_equal(x->shape[1], first->shape[1]) &&
                        is_joint_operand(c, first, x);
        if (together) join_nodes(c, x, first);
    }
}

static bool is_mixed(const cut_t *c, const gnode_t *n) {
    const nodes_t *readers = &c->r->readers[n->id];
    for (int i = 0; i < readers->n; i++)
        if (graph_kind(readers->at[i]) == K_MIX) return true;
    return false;
}

/* What mixers read rounded and as it is is rounded as it is made. */
static bool is_rounded_beside(const cut_t *c, const gnode_t *x, const gnode_t *round) {
    return round->op == G_ROUND && graph_kind(x) == K_ROW && x->layer == round->layer &&
           is_mixed(c, x) && is_mixed(c, round);
}

static void join(cut_t *c) {
    c->joined = ARENA_ARRAY(c->arena, int, c->g->n_nodes);
    for (size_t i = 0; i < c->g->n_nodes; i++) c->joined[i] = (int)i;
    for (size_t i = 0; i < c->g->n_nodes; i++) {
        const gnode_t *n = c->g->nodes[i];
        if (graph_kind(n) == K_MIX) join_operands(c, n);
        if (is_attention_lse(n)) join_nodes(c, n, attention_of(c, n));
        if (graph_kind(n) != K_ROW && graph_kind(n) != K_SUM)
            continue; /* a PICK computes anew what it picks from */
        for (int k = 0; k < n->n_in; k++) {
            const gnode_t *x = n->in[k];
            bool passes = x && is_passing(c, x) && is_joined_with(c, x, n);
            if (passes || (x && is_rounded_beside(c, x, n))) join_nodes(c, n, x);
        }
    }
    join_sums(c);
}

static void push_once(cut_t *c, growing_t *list, const gnode_t *n) {
    if (nodes_find(&list->nodes, n) < 0) growing_push(c, list, n);
}

static bool leaves(const cut_t *c, const region_t *region, const gnode_t *n) {
    if (c->r->stored[n->id] || c->r->kept[n->id] || c->asked[n->id])
        return c->r->of_node[n->id] == region;
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
        growing_push(c, &results, n);
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
        if (graph_kind(g->nodes[i]) != K_LEAF)
            growing_push(c, &lists[joint(c, (int)i)], g->nodes[i]);
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

static int by_id(const void *a, const void *b) {
    int x = (*(const gnode_t *const *)a)->id, y = (*(const gnode_t *const *)b)->id;
    return (x > y) - (x < y);
}

/* What a region needs and nobody stores is computed in it, though it may be elsewhere too: what a
 * PICK picks from, for the rows that it picks; light values of the backward pass. */
static void widen(cut_t *c, region_t *region) {
    growing_t all = {0};
    int had = region->nodes.n, seen = ++c->walks;
    for (int i = 0; i < had; i++) c->marked[region->nodes.at[i]->id] = seen;
    for (int i = 0; i < had; i++) growing_push(c, &all, region->nodes.at[i]);
    for (int i = 0; i < all.nodes.n; i++) {
        const gnode_t *n = all.nodes.at[i];
        if (graph_kind(n) == K_MIX || graph_kind(n) == K_REDUCE) continue; /* of what stands */
        for (int k = 0; k < n->n_in; k++) {
            const gnode_t *x = n->in[k];
            if (!x || !passes_into(c, x, n) || c->marked[x->id] == seen) continue;
            c->marked[x->id] = seen;
            growing_push(c, &all, x);
        }
    }
    if (all.nodes.n == had) return;
    qsort(all.nodes.at, (size_t)all.nodes.n, sizeof *all.nodes.at, by_id);
    region->nodes = all.nodes;
}

/* What was only computed for others is computed where they are. */
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

/* ---- values that have to be stored after all ------------------------------------------------- */

/* Whether n is an operand but for a ROUND, which is stored: by heads, and n with it. */
static bool is_rounded_operand(const cut_t *c, const gnode_t *n) {
    const nodes_t *readers = &c->r->readers[n->id];
    for (int i = 0; i < readers->n; i++)
        if (readers->at[i]->op != G_ROUND || !is_mixed(c, readers->at[i])) return false;
    return readers->n > 0;
}

/* All that exists for a block of rows at a time is stored from now on; false: nothing does. */
static bool store_all(cut_t *c, const region_t *region) {
    bool more = false;
    for (int i = 0; i < region->nodes.n; i++) {
        const gnode_t *n = region->nodes.at[i];
        if (graph_kind(n) != K_ROW || c->r->stored[n->id] || c->asked[n->id]) continue;
        if (is_rounded_operand(c, n)) continue;
        c->r->kept[n->id] = false;
        c->r->stored[n->id] = more = true;
    }
    return more;
}

static bool is_row_program(const region_t *region) {
    return region->kind == K_ROW || region->kind == K_SUM;
}

/* Whether the region has to do with more than one attention, or with both ends of one. What the
 * backward pass reads of the forward's operands is kept for it. */
static bool is_mixed_up(const cut_t *c, const region_t *region) {
    const gnode_t *met = NULL;
    for (int i = 0; i < region->reads.n; i++) {
        const gnode_t *x = region->reads.at[i];
        if (graph_kind(x) != K_MIX) continue;
        if (graph_is_attention_gradient(x)) x = x->in[1];
        if (met && met != x) return true;
        met = x;
    }
    for (int i = 0; i < region->results.n; i++) {
        const nodes_t *readers = &c->r->readers[region->results.at[i]->id];
        for (int k = 0; k < readers->n; k++) {
            if (graph_kind(readers->at[k]) != K_MIX) continue;
            if (is_backward(c, readers->at[k]) != is_backward(c, region->results.at[i])) continue;
            const gnode_t *mix = attention_of(c, readers->at[k]);
            if (mix && met && met != mix) return true;
            if (mix) met = mix;
        }
    }
    return false;
}

static bool store_or_split(cut_t *c, region_t *region, const bool *waits) {
    bool backward = is_backward(c, region->results.at[0]);
    if (backward && split_circle(c, region, waits)) return true;
    return store_all(c, region);
}

static bool store_circle(cut_t *c, const bool *waits) {
    bool more = false;
    for (int i = 0; i < c->r->n_regions; i++)
        if (waits[i] && store_or_split(c, c->r->regions[i], waits)) more = true;
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
    find_light(c);
    join(c);
    make_regions(c);
    for (int i = 0; i < r->n_regions; i++) {
        widen(c, r->regions[i]);
        describe_region(c, r->regions[i]);
    }
    drop_empty(r);
    for (int i = 0; i < r->n_regions; i++)
        if (is_row_program(r->regions[i]) && is_mixed_up(c, r->regions[i]) &&
            store_all(c, r->regions[i]))
            more = true;
    if (more) return true;
    bool *waits = ARENA_ARRAY(c->arena, bool, r->n_regions);
    if (regions_order(r, c->arena, waits)) return false;
    if (store_circle(c, waits)) return true;
    report_circle(c, waits);
    return false;
}

static void find_stored(cut_t *c) {
    size_t n = c->g->n_nodes;
    c->r->stored = ARENA_ARRAY(c->arena, bool, n);
    c->r->kept = ARENA_ARRAY(c->arena, bool, n);
    c->anew = ARENA_ARRAY(c->arena, bool, n);
    c->light = ARENA_ARRAY(c->arena, bool, n);
    c->apart = ARENA_ARRAY(c->arena, bool, n);
    c->source = ARENA_ARRAY(c->arena, int, n);
    c->marked = ARENA_ARRAY(c->arena, int, n);
    for (size_t i = 0; i < n; i++) {
        const gnode_t *x = c->g->nodes[i];
        c->r->stored[i] = is_stored(c, x);
        find_anew(c, x);
        if (!is_rows(x) || is_backward(c, x) || !is_kept_for_backward(c, x)) continue;
        bool apart = is_passing(c, x) && graph_kind(x) == K_ROW && x->rank == 3 && x->layer >= 0;
        (apart ? c->r->kept : c->r->stored)[i] = true;
    }
}

regions_t *regions_cut(arena_t *a, const graph_t *g, diag_t *d) {
    regions_t *r = ARENA_NEW(a, regions_t);
    cut_t c = {.r = r, .g = g, .arena = a, .d = d, .ok = true};
    const gnode_t *seed = graph_next(g, G_SEED, NULL);
    r->g = g;
    r->backward = seed ? seed->id : (int)g->n_nodes;
    find_readers(&c);
    find_asked(&c);
    check_read(&c);
    find_phases(&c);
    find_stored(&c);
    while (cut_once(&c)) {
    }
    if (!c.ok) return NULL;
    regions_house(r, a);
    regions_classify(r, a);
    return r;
}

bool picks_rows(const region_t *region) {
    for (int i = 0; i < region->nodes.n; i++) {
        const gnode_t *n = region->nodes.at[i];
        if (is_rows(n) && n->rank == 2 && n->op != G_COLUMN) return true;
    }
    return false;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void print_names(const regions_t *r, const char *before, const nodes_t *list, sbuf_t *out) {
    if (list->n > 0) sbuf_puts(out, before);
    for (int i = 0; i < list->n; i++) {
        const homes_t *homes = &r->homes[list->at[i]->id];
        sbuf_printf(out, " %s", list->at[i]->name);
        for (int k = 0; k < homes->n; k++) sbuf_printf(out, "%s%d", k ? "," : "@", homes->of[k]);
        int place = r->place[list->at[i]->id];
        if (homes->kept >= 0) sbuf_printf(out, "@%d[%d]", homes->kept, place);
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
