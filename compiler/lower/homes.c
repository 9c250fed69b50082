/* Homes: which stored values stand in the same rows of memory. See regions.h.
 *
 * An ADD writes over its first operand where that is not read afterwards, so a residual stream
 * stays one buffer over all layers; the two streams of a reversible stack, which begin as one
 * value, come out as two. A SUB, which takes back what an ADD did, does the same, so that they stay
 * two in the backward pass, and their gradients are two more. A value that is kept for the backward
 * pass stands in a stack besides (kept.c): here that one reads and writes nothing of it. */
#include "lower/regions.h"

typedef struct {
    regions_t *r;
    arena_t *arena;
    int *last_use; /* by home: order of the region that reads it last */
    /* By node id: the same of a value; what is computed anew for a PICK reads, too */
    int *last_read;
} housing_t;

static int order_of(const regions_t *r, const gnode_t *n) {
    return r->of_node[n->id]->order;
}

static bool is_mixed(const regions_t *r, const gnode_t *n) {
    for (int i = 0; i < r->readers[n->id].n; i++)
        if (graph_kind(r->readers[n->id].at[i]) == K_MIX) return true;
    return false;
}

/* Whether rows of n live in a home: somebody else than a MIX op reads them, or what rounds them
 * for one as they are made. */
static bool is_housed(const regions_t *r, const gnode_t *n) {
    if (n->op == G_QA_LOSS_GRAD) return true; /* no heads, but rows */
    if (!r->stored[n->id] || graph_kind(n) == K_MIX) return false;
    bool mixed = is_mixed(r, n);
    for (int i = 0; i < r->readers[n->id].n; i++) {
        const gnode_t *reader = r->readers[n->id].at[i];
        bool here = reader->op == G_ROUND && r->of_node[reader->id] == r->of_node[n->id];
        if (graph_kind(reader) == K_MIX || (mixed && here)) continue;
        if (!is_read_kept(r, reader, n)) return true;
    }
    return false;
}

static bool adds_to(const regions_t *r, const gnode_t *reader, const gnode_t *n) {
    bool goes_on = reader->op == G_ADD || reader->op == G_SUB;
    return goes_on && reader->in[0] == n && reader->in[1] != n && r->stored[reader->id] &&
           !is_read_kept(r, reader, n);
}

static bool is_heir(const regions_t *r, const gnode_t *reader, const gnode_t *n) {
    return adds_to(r, reader, n) && is_housed(r, reader);
}

/* Whether a runs before b: region by region, within one in the graph's order. */
static bool runs_before(const regions_t *r, const gnode_t *a, const gnode_t *b) {
    int x = order_of(r, a), y = order_of(r, b);
    return x < y || (x == y && a->id < b->id);
}

/* The ADDs that go on with n, in the order in which they run. */
static int heirs_of(const regions_t *r, const gnode_t *n, const gnode_t **heirs) {
    int count = 0;
    for (int i = 0; i < r->readers[n->id].n; i++) {
        const gnode_t *reader = r->readers[n->id].at[i];
        if (!is_heir(r, reader, n)) continue;
        int at = count++;
        for (; at > 0 && runs_before(r, reader, heirs[at - 1]); at--) heirs[at] = heirs[at - 1];
        heirs[at] = reader;
    }
    return count;
}

static void find_last_reads(housing_t *h) {
    const regions_t *r = h->r;
    for (int i = 0; i < r->n_regions; i++)
        for (int k = 0; k < r->regions[i]->reads.n; k++)
            if (!is_found_kept(r, r->regions[i], r->regions[i]->reads.at[k]))
                h->last_read[r->regions[i]->reads.at[k]->id] = i;
}

static int last_reader(const housing_t *h, const gnode_t *n) {
    int own = order_of(h->r, n), last = h->last_read[n->id];
    return last > own ? last : own;
}

static int free_home(housing_t *h, const gnode_t *n) {
    regions_t *r = h->r;
    for (int i = 0; i < r->n_homes; i++)
        if (!r->places[i] && h->last_use[i] < order_of(r, n) && have_same_rows(r->home_of[i], n))
            return i;
    r->home_of[r->n_homes] = n;
    return r->n_homes++;
}

/* Whether n is read when its last heir has written over it: then its readers
 * have rows of their own. */
static bool is_read_after(const housing_t *h, const gnode_t *n, const gnode_t *heir) {
    const regions_t *r = h->r;
    if (h->last_read[n->id] > order_of(r, heir)) return true;
    for (int i = 0; i < r->readers[n->id].n; i++) {
        const gnode_t *reader = r->readers[n->id].at[i];
        if (!is_read_kept(r, reader, n) && runs_before(r, heir, reader)) return true;
    }
    return false;
}

static void move_in(housing_t *h, const gnode_t *n) {
    regions_t *r = h->r;
    homes_t *homes = &r->homes[n->id];
    const gnode_t **heirs = ARENA_ARRAY(h->arena, const gnode_t *, r->readers[n->id].n);
    int n_heirs = heirs_of(r, n, heirs);
    const gnode_t *latest = n_heirs ? heirs[n_heirs - 1] : NULL;
    bool apart = latest && is_read_after(h, n, latest);
    int wanted = n_heirs + (apart || n_heirs == 0), had = homes->n;
    int *of = ARENA_ARRAY(h->arena, int, wanted);
    for (int i = 0; i < wanted; i++) {
        of[i] = i < had ? homes->of[i] : free_home(h, n);
        h->last_use[of[i]] = i < n_heirs ? order_of(r, heirs[i]) : last_reader(h, n);
    }
    homes->of = of;
    homes->n = wanted;
    for (int i = 0; i < n_heirs; i++) { /* inherited: one home that it begins with */
        homes_t *heir = &r->homes[heirs[i]->id];
        heir->n = 1;
        heir->of = &of[i];
    }
}

void regions_house(regions_t *r, arena_t *a) {
    housing_t h = {r, a, ARENA_ARRAY(a, int, max_homes(r)), ARENA_ARRAY(a, int, r->g->n_nodes)};
    regions_keep(r, a);
    find_last_reads(&h);
    for (int i = 0; i < r->n_regions; i++)
        for (int k = 0; k < r->regions[i]->results.n; k++)
            if (is_housed(r, r->regions[i]->results.at[k]))
                move_in(&h, r->regions[i]->results.at[k]);
}

int home_in(const regions_t *r, const region_t *region, const gnode_t *n) {
    const homes_t *homes = &r->homes[n->id];
    if (region && is_found_kept(r, region, n)) return homes->kept;
    if (homes->n == 0) return -1;
    for (int i = 0; region && i < region->results.n; i++)
        if (is_heir(r, region->results.at[i], n)) return r->homes[region->results.at[i]->id].of[0];
    return homes->of[homes->n - 1];
}

int home_read_by(const regions_t *r, const gnode_t *reader, const gnode_t *n) {
    bool goes_on = r->homes[n->id].n > 0 && is_heir(r, reader, n);
    if (goes_on) return r->homes[reader->id].of[0];
    return home_in(r, r->of_node[reader->id], n);
}
