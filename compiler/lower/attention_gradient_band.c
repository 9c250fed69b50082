/* The band of an attention whose gradient is asked for: what makes its operands and dy, its mixers, and all that reads its
 * result or its gradients. One group of all heads goes through it, region after region. What no kernel computes so is
 * refused. */
#include "lower/rows.h"

static const region_t *region_of(const lower_t *L, const gnode_t *n) {
    return L->regions->of_node[n->id];
}

static const gnode_t *gradient_of(const lower_t *L, const gnode_t *attention) {
    const nodes_t *readers = &L->regions->readers[attention->id];
    for (int i = 0; i < readers->n; i++)
        if (is_attention_gradient(readers->at[i])) return readers->at[i];
    return NULL;
}

/* Whether a mixer is one of the attention's: itself, its gradient, its order and what that is of. */
static bool is_own_mixer(const region_t *region, const gnode_t *attention,
                         const gnode_t *gradient) {
    const gnode_t *n = region->nodes.at[0], *sort = NULL;
    if (attention->op == G_LSH_ATTENTION) sort = attention->in[2];
    if (n == attention || n == gradient || n == sort) return true;
    if (n->op == G_PACK_BUCKETS) n = n->in[0];
    return sort && n == sort->in[0];
}

static bool is_of(const gnode_t *x, const gnode_t *attention, const gnode_t *gradient) {
    return x == attention || x == gradient;
}

/* Members' buffers are one: nothing of another attention runs from a member's first region to its last. */
static bool runs_alone(const lower_t *L, const gnode_t *attention, int first, int last) {
    const regions_t *r = L->regions;
    const gnode_t *gradient = gradient_of(L, attention);
    for (int i = first; i <= last; i++) {
        const region_t *region = r->regions[i];
        if (region->kind == K_MIX) {
            if (!is_own_mixer(region, attention, gradient)) return false;
            continue;
        }
        for (int k = 0; k < region->reads.n; k++)
            if (graph_kind(region->reads.at[k]) == K_MIX &&
                !is_of(region->reads.at[k], attention, gradient))
                return false;
        for (int k = 0; k < region->results.n; k++) {
            const gnode_t *n = region->results.at[k];
            if (!feeds_attention(L, n)) continue;
            bool own = n == gradient->in[0];
            for (int j = 0; j < attention->n_in; j++) own = own || attention->in[j] == n;
            if (!own) return false;
        }
    }
    return true;
}

static bool check_member(lower_t *L, const region_t *mix) {
    const gnode_t *n = mix->nodes.at[0], *gradient = gradient_of(L, n);
    const region_t *dy = region_of(L, gradient->in[0]);
    int first = region_of(L, n->in[0])->order, last = mix->order;
    if (dy->order < first) first = dy->order;
    for (int which = 0; which < 2; which++) {
        const nodes_t *readers = &L->regions->readers[which ? gradient->id : n->id];
        for (int i = 0; i < readers->n; i++) {
            int order = region_of(L, readers->at[i])->order;
            if (order > last) last = order;
        }
    }
    if (runs_alone(L, n, first, last)) return true;
    return no_kernel(L, gradient, "with another attention between its operands and its results");
}

static bool is_shared(lower_t *L, const attention_t *a) {
    no_kernel(L, a->gradient,
              "that shares what makes its operands, or what takes its results, with another");
    return true;
}

/* All row programs that read x: whole rows of it, or parts. */
static bool find_readers(lower_t *L, attention_t *a, const gnode_t *x) {
    const nodes_t *readers = &L->regions->readers[x->id];
    for (int i = 0; i < readers->n; i++) {
        const gnode_t *n = readers->at[i];
        if (n == a->gradient) continue;
        if (graph_kind(n) == K_MIX || graph_kind(n) == K_REDUCE)
            return no_kernel(L, n, "of what attention gives");
        part_t *p = part_of_node(L, n);
        bool others = (p->from && p->from != a) || p->into;
        if (others || p->class->count != a->class->count) return !is_shared(L, a);
        p->from = a;
    }
    return true;
}

/* What makes dy, with the operands or by itself. */
static bool find_dy(lower_t *L, attention_t *a) {
    if (!region_of(L, a->dy) || graph_kind(a->dy) != K_ROW)
        return no_kernel(L, a->gradient, "of no rows");
    if (a->dy == a->query || a->dy == a->key || a->dy == a->value)
        return no_kernel(L, a->gradient, "with one value as two of its operands");
    part_t *p = part_of_node(L, a->dy);
    const nodes_t *results = &p->class->pattern->results;
    for (int i = 0; i < results->n; i++)
        if (feeds_attention(L, results->at[i]) && !is_operand(a, results->at[i]))
            return !is_shared(L, a);
    if (p->into || p->from || p->class->count != a->class->count) return !is_shared(L, a);
    p->into = a;
    return true;
}

bool find_gradient_band(lower_t *L, attention_t *a) {
    if (!find_project(L, a)) return false;
    part_t *project = a->project, *gradient = part_of_node(L, a->gradient);
    if (project->class->count != a->class->count || gradient->class->count != a->class->count)
        return !is_shared(L, a);
    if (!find_dy(L, a)) return false;
    if (project->into != a && (project->into || project->from)) return !is_shared(L, a);
    project->into = a;
    a->own->own = gradient->own = a;
    if (!find_readers(L, a, a->node) || !find_readers(L, a, a->gradient)) return false;
    for (int m = 0; m < a->class->count; m++)
        if (!check_member(L, a->class->members[m])) return false;
    a->group = a->heads;
    a->groups = 1;
    return true;
}
