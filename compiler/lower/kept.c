/* Stacks for what the forward keeps for the backward pass (graph_gradient_options_t.keep).
 * See regions.h.
 *
 * In: regions in their order. Out: which rows the backward pass finds in a stack, and at which
 * place of it. They are written there beside wherever the forward goes on from them, so that the
 * forward's streams stay in place and the regions of all layers find theirs in the same home:
 * layers stay of one class, and code does not grow with depth.
 *
 * Values of one type and shape share a stack, but for two that one region has to do with: a kernel
 * knows one place in each. */
#include <string.h>

#include "lower/regions.h"

typedef struct {
    /* By node id, then by edge: the regions of the backward pass that read it; -1: no more */
    int *first, *next, *region;
    nodes_t all;    /* what is read so, in the graph's order */
    bool **touched; /* by home, then by region */
} kept_readers_t;

bool is_of_backward(const regions_t *r, const region_t *region) {
    return region->results.at[0]->id >= r->backward;
}

bool is_handed_on(const regions_t *r, const gnode_t *x, const gnode_t *reader) {
    return x->id < r->backward && reader->id >= r->backward;
}

static bool stays_apart(const regions_t *r, const region_t *region, const gnode_t *x) {
    return r->homes[x->id].stays && region->layer < 0;
}

/* What the forward still has at its end the backward pass begins with: it finds that where the
 * forward does, but in layers, which are like others. */
bool is_found_kept(const regions_t *r, const region_t *region, const gnode_t *x) {
    return r->homes[x->id].kept >= 0 && is_of_backward(r, region) && !stays_apart(r, region, x);
}

bool is_read_kept(const regions_t *r, const gnode_t *reader, const gnode_t *x) {
    return reader->id >= r->backward && is_found_kept(r, r->of_node[reader->id], x);
}

static bool is_candidate(const regions_t *r, const region_t *reader, const gnode_t *x) {
    return is_of_backward(r, reader) && reader->kind != K_MIX && x->id < r->backward &&
           graph_kind(x) == K_ROW && x->rank == 3;
}

static void find_candidates(const regions_t *r, arena_t *a, kept_readers_t *k) {
    int n_nodes = (int)r->g->n_nodes, edges = 0, n = 0;
    for (int i = 0; i < r->n_regions; i++) edges += r->regions[i]->reads.n;
    k->first = ARENA_ARRAY(a, int, n_nodes + 1);
    k->next = ARENA_ARRAY(a, int, edges + 1);
    k->region = ARENA_ARRAY(a, int, edges + 1);
    k->all.at = ARENA_ARRAY(a, const gnode_t *, n_nodes + 1);
    memset(k->first, -1, sizeof *k->first * (size_t)n_nodes);
    for (int i = 0; i < r->n_regions; i++)
        for (int j = 0; j < r->regions[i]->reads.n; j++) {
            const gnode_t *x = r->regions[i]->reads.at[j];
            if (!is_candidate(r, r->regions[i], x)) continue;
            k->region[n] = i;
            k->next[n] = k->first[x->id];
            k->first[x->id] = n++;
        }
    for (int i = 0; i < n_nodes; i++)
        if (k->first[i] >= 0) k->all.at[k->all.n++] = r->g->nodes[i];
}

/* Whether the forward has it no more when it is over: it passes, or a sum writes over it. */
static bool is_gone(const regions_t *r, const gnode_t *x) {
    const nodes_t *readers = &r->readers[x->id];
    if (r->kept[x->id]) return true;
    for (int i = 0; i < readers->n && readers->at[i]->id < r->backward; i++) {
        const gnode_t *n = readers->at[i];
        bool sum = n->op == G_ADD || n->op == G_SUB;
        if (sum && n->in[0] == x && n->in[1] != x && r->stored[n->id]) return true;
    }
    return false;
}

/* What is there anyway is in the stack too where other layers' is. */
static bool has_like(const kept_readers_t *k, const gnode_t *x) {
    for (int i = 0; i < k->all.n && x->layer >= 0; i++) {
        const gnode_t *y = k->all.at[i];
        if (y->layer >= 0 && y->layer != x->layer && have_same_rows(x, y) &&
            same_names(x->name, x->layer, y->name, y->layer))
            return true;
    }
    return false;
}

static bool is_met(const regions_t *r, const kept_readers_t *k, const gnode_t *x, int home) {
    const bool *touched = k->touched[home];
    if (touched[r->of_node[x->id]->order]) return true;
    for (int e = k->first[x->id]; e >= 0; e = k->next[e])
        if (touched[k->region[e]] && !stays_apart(r, r->regions[k->region[e]], x)) return true;
    return false;
}

static int stack_for(regions_t *r, arena_t *a, kept_readers_t *k, const gnode_t *x) {
    for (int i = 0; i < r->n_homes; i++)
        if (have_same_rows(r->home_of[i], x) && !is_met(r, k, x, i)) return i;
    k->touched[r->n_homes] = ARENA_ARRAY(a, bool, r->n_regions);
    r->home_of[r->n_homes] = x;
    return r->n_homes++;
}

static void put_in_stack(regions_t *r, arena_t *a, kept_readers_t *k, const gnode_t *x) {
    int home = r->homes[x->id].kept = stack_for(r, a, k, x);
    r->place[x->id] = r->places[home]++;
    k->touched[home][r->of_node[x->id]->order] = true;
    for (int e = k->first[x->id]; e >= 0; e = k->next[e])
        if (!stays_apart(r, r->regions[k->region[e]], x)) k->touched[home][k->region[e]] = true;
}

int max_homes(const regions_t *r) {
    return 3 * (int)r->g->n_nodes + 1;
}

void regions_keep(regions_t *r, arena_t *a) {
    size_t n = r->g->n_nodes;
    kept_readers_t k = {.touched = ARENA_ARRAY(a, bool *, n + 1)};
    r->homes = ARENA_ARRAY(a, homes_t, n);
    for (size_t i = 0; i < n; i++) r->homes[i].kept = -1;
    r->home_of = ARENA_ARRAY(a, const gnode_t *, max_homes(r));
    r->places = ARENA_ARRAY(a, int, max_homes(r));
    r->place = ARENA_ARRAY(a, int, n);
    if (r->backward == (int)n) return;
    find_candidates(r, a, &k);
    for (int i = 0; i < k.all.n; i++) {
        const gnode_t *x = k.all.at[i];
        bool gone = is_gone(r, x);
        r->homes[x->id].stays = !gone;
        if (gone || has_like(&k, x)) put_in_stack(r, a, &k, x);
    }
}
