/* Classes: regions that one kernel computes, each with its place in stacked weights. See regions.h.
 *
 * Two regions are equal when ops, attributes, shapes and edges are, when they read and write the
 * same homes, and when what lies beyond a MIX op at their ends, or before and behind it, is equal
 * too. That goes round in a circle, so classes are refined: by each region alone first, then by the
 * classes of its neighbours, until no class falls apart.
 *
 * Weights are stacked by name, and values are shown by name: of names only the number
 * of the layer may differ. */
#include "lower/regions.h"

#include <string.h>

/* Where an input comes from, as far as it counts. */
static bool same_edge(const region_t *a, const region_t *b, const gnode_t *x, const gnode_t *y) {
    if (!x || !y) return x == y;
    if (graph_is_state(x)) return graph_same_op(x, y); /* each has its own */
    if (graph_kind(x) == K_LEAF && x->op != G_PARAM) return x == y;
    const nodes_t *lists[][2] = {
        {&a->nodes, &b->nodes}, {&a->reads, &b->reads}, {&a->params, &b->params}};
    for (int i = 0; i < 3; i++) {
        int at = nodes_find(lists[i][0], x);
        if (at != nodes_find(lists[i][1], y)) return false;
        if (at >= 0) return true;
    }
    return false;
}

static bool same_nodes(const region_t *a, const region_t *b) {
    if (a->nodes.n != b->nodes.n || a->reads.n != b->reads.n || a->params.n != b->params.n ||
        a->results.n != b->results.n || a->kind != b->kind)
        return false;
    for (int i = 0; i < a->nodes.n; i++) {
        const gnode_t *x = a->nodes.at[i], *y = b->nodes.at[i];
        if (!graph_same_op(x, y) || !same_names(x->trace, x->layer, y->trace, y->layer))
            return false;
        for (int k = 0; k < x->n_in; k++)
            if (!same_edge(a, b, x->in[k], y->in[k])) return false;
    }
    for (int i = 0; i < a->params.n; i++) {
        const gnode_t *x = a->params.at[i], *y = b->params.at[i];
        if (!graph_same_op(x, y) || !same_names(x->name, x->layer, y->name, y->layer)) return false;
    }
    return true;
}

static bool same_homes(const homes_t *a, const homes_t *b) {
    if (a->n != b->n || a->kept != b->kept) return false;
    for (int i = 0; i < a->n; i++)
        if (a->of[i] != b->of[i]) return false;
    return true;
}

/* The class that a node's region had in the round before. */
static int class_of(const regions_t *r, const int *before, const gnode_t *n) {
    return before[r->of_node[n->id]->order];
}

/* Whether an ADD of the region goes on with x before another node of it reads x. */
static bool is_read_late(const regions_t *r, const region_t *region, const gnode_t *x) {
    int first = -1;
    if (is_found_kept(r, region, x)) return false;
    for (int i = 0; i < region->results.n && first < 0; i++) {
        const gnode_t *sum = region->results.at[i];
        bool goes_on = sum->op == G_ADD || sum->op == G_SUB;
        if (goes_on && sum->in[0] == x && r->homes[sum->id].n > 0) first = sum->id;
    }
    for (int i = 0; i < region->nodes.n && first >= 0; i++)
        for (int k = 0; k < region->nodes.at[i]->n_in; k++)
            if (region->nodes.at[i]->in[k] == x && region->nodes.at[i]->id > first) return true;
    return false;
}

static bool same_reads(const regions_t *r, const int *before, const region_t *a,
                       const region_t *b) {
    for (int i = 0; i < a->reads.n; i++) {
        const gnode_t *x = a->reads.at[i], *y = b->reads.at[i];
        if (graph_kind(x) != graph_kind(y)) return false;
        bool meets = a->kind == K_MIX || graph_kind(x) == K_MIX; /* across a MIX op */
        if (meets && class_of(r, before, x) != class_of(r, before, y)) return false;
        if (meets) continue;
        if (home_in(r, a, x) != home_in(r, b, y)) return false;
        if (is_read_late(r, a, x) && home_in(r, NULL, x) != home_in(r, NULL, y)) return false;
    }
    return true;
}

/* The same places of the same classes read x and y; `all`: of whatever kind, else MIX ops. */
static bool same_readers(const regions_t *r, const int *before, const gnode_t *x, const gnode_t *y,
                         bool all) {
    const nodes_t *p = &r->readers[x->id], *q = &r->readers[y->id];
    int i = 0, j = 0;
    for (;;) {
        while (i < p->n && !all && graph_kind(p->at[i]) != K_MIX) i++;
        while (j < q->n && !all && graph_kind(q->at[j]) != K_MIX) j++;
        if (i == p->n || j == q->n) return i == p->n && j == q->n;
        const gnode_t *a = p->at[i++], *b = q->at[j++];
        if (class_of(r, before, a) != class_of(r, before, b)) return false;
        for (int k = 0; k < a->n_in; k++)
            if ((a->in[k] == x) != (b->in[k] == y)) return false;
    }
}

static bool is_output(const regions_t *r, const gnode_t *n) {
    return graph_output(r->g, n->name) == n;
}

/* Results at the same places, in the same homes, for the same readers. */
static bool same_results(const regions_t *r, const int *before, const region_t *a,
                         const region_t *b) {
    for (int i = 0; i < a->results.n; i++) {
        const gnode_t *x = a->results.at[i], *y = b->results.at[i];
        if (nodes_find(&a->nodes, x) != nodes_find(&b->nodes, y)) return false;
        if (is_output(r, x) || is_output(r, y)) return x == y; /* of which there is one each */
        if (r->stored[x->id] != r->stored[y->id]) return false;
        if (!same_homes(&r->homes[x->id], &r->homes[y->id])) return false;
        if (!same_readers(r, before, x, y, a->kind == K_MIX)) return false;
    }
    return true;
}

/* One round: patterns[] are the first regions of the classes so far; of the same
 * class before, and equal. */
static int class_for(const regions_t *r, const int *before, const region_t *region,
                     const region_t **patterns, int *n) {
    for (int i = 0; i < *n; i++)
        if (before[patterns[i]->order] == before[region->order] &&
            same_nodes(patterns[i], region) && same_reads(r, before, patterns[i], region) &&
            same_results(r, before, patterns[i], region))
            return i;
    patterns[*n] = region;
    return (*n)++;
}

/* Classes are numbered, and hold their members, in the order in which regions run. */
static void make_classes(regions_t *r, arena_t *a, const int *class, int n) {
    r->n_classes = n;
    r->classes = ARENA_ARRAY(a, class_t *, n);
    for (int i = 0; i < n; i++) {
        r->classes[i] = ARENA_NEW(a, class_t);
        r->classes[i]->id = i;
    }
    for (int i = 0; i < r->n_regions; i++) r->regions[i]->index = r->classes[class[i]]->count++;
    for (int i = 0; i < r->n_regions; i++) {
        class_t *c = r->classes[class[i]];
        if (!c->members) c->members = ARENA_ARRAY(a, region_t *, c->count);
        c->members[r->regions[i]->index] = r->regions[i];
        c->pattern = c->members[0];
        r->regions[i]->class = c;
    }
}

void regions_classify(regions_t *r, arena_t *a) {
    int *before = ARENA_ARRAY(a, int, r->n_regions), *class = ARENA_ARRAY(a, int, r->n_regions);
    const region_t **patterns = ARENA_ARRAY(a, const region_t *, r->n_regions);
    int n = 0;
    for (int had = -1; n != had;) {
        had = n;
        n = 0;
        for (int i = 0; i < r->n_regions; i++)
            class[i] = class_for(r, before, r->regions[i], patterns, &n);
        memcpy(before, class, sizeof *class * (size_t)r->n_regions);
    }
    make_classes(r, a, class, n);
}
