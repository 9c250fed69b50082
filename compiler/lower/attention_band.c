/* An attention's band: the region that makes its operands, its own, and the one that takes its
 * result, for all members of its class; and how many heads go through it at a time. What no kernel
 * computes so is refused. */
#include "lower/rows.h"

/* The region that a node is computed in. */
static const region_t *region_of(const lower_t *L, const gnode_t *n) {
    return L->regions->of_node[n->id];
}

/* A member's regions from the operands' to the result's. */
typedef struct {
    const region_t *project, *mix, *combine;
} reach_t;

static reach_t ends_of(const lower_t *L, const attention_t *a, int member) {
    const region_t *mix = a->class->members[member];
    const gnode_t *n = mix->nodes.at[0];
    return (reach_t){region_of(L, n->in[0]), mix, region_of(L, L->regions->readers[n->id].at[0])};
}

/* ---- ends ------------------------------------------------------------------------------------ */

static bool heads_read(const regions_t *r, const gnode_t *n) {
    for (int i = 0; i < r->readers[n->id].n; i++)
        if (graph_kind(r->readers[n->id].at[i]) == K_MIX) return true;
    return false;
}

/* All that the region leaves to mixers are operands of this one. */
static bool makes_no_others(const lower_t *L, const attention_t *a, const region_t *project) {
    for (int i = 0; i < project->results.n; i++) {
        const gnode_t *n = project->results.at[i];
        if (heads_read(L->regions, n) && !is_operand(a, n)) return false;
    }
    return true;
}

static bool takes_no_others(const attention_t *a, const region_t *combine) {
    for (int i = 0; i < combine->reads.n; i++)
        if (graph_kind(combine->reads.at[i]) == K_MIX && combine->reads.at[i] != a->node)
            return false;
    return true;
}

/* Members' buffers are one: no other attention runs between a member's operands and its result. */
static bool runs_alone(const lower_t *L, const reach_t *e) {
    const regions_t *r = L->regions;
    for (int i = e->project->order + 1; i < e->combine->order; i++) {
        const region_t *region = r->regions[i];
        for (int k = 0; k < region->reads.n; k++) {
            const gnode_t *x = region->reads.at[k];
            if (region->kind == K_MIX && r->of_node[x->id] != e->project &&
                r->of_node[x->id]->kind != K_MIX)
                return false;
            if (region->kind != K_MIX && graph_kind(x) == K_MIX) return false;
        }
        for (int k = 0; k < region->results.n; k++)
            if (region->kind != K_MIX && heads_read(r, region->results.at[k])) return false;
    }
    return true;
}

static bool check_members(lower_t *L, const attention_t *a) {
    int n = a->class->count;
    if (a->project->class->count != n || a->combine->class->count != n)
        return no_kernel(
            L, a->node,
            "that shares what makes its operands, or what takes its result, with another");
    for (int m = 0; m < n; m++) {
        reach_t e = ends_of(L, a, m);
        const gnode_t *node = e.mix->nodes.at[0];
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] && graph_kind(node->in[k]) == K_ROW &&
                region_of(L, node->in[k]) != e.project)
                return no_kernel(L, node, "whose operands are not computed together");
        if (e.project->layer != e.mix->layer || e.combine->layer != e.mix->layer)
            return no_kernel(L, node,
                             "whose operands are made, or whose result is taken, in another layer");
        if (!runs_alone(L, &e))
            return no_kernel(L, node, "with another attention between its operands and its result");
    }
    return true;
}

/* The one region that makes the operands. */
static bool find_project(lower_t *L, attention_t *a) {
    const gnode_t *operands[] = {a->query, a->key, a->value};
    for (int i = 0; i < 3; i++) {
        if (!operands[i]) continue;
        if (!region_of(L, operands[i]) || graph_kind(operands[i]) != K_ROW)
            return no_kernel(L, a->node, "whose operands are no rows");
        if (region_of(L, operands[i]) != region_of(L, a->query))
            return no_kernel(L, a->node, "whose operands are not computed together");
    }
    for (int i = 0; i < 3; i++)
        if (L->few && operands[i] && !goes_by_heads(L->regions, operands[i]))
            return no_kernel(
                L, operands[i],
                "as an operand of attention: it wants dense layers without bias, of which "
                "nobody else reads the result");
    const gnode_t *q = graph_unrounded(a->query), *k = graph_unrounded(a->key),
                  *v = graph_unrounded(a->value);
    if (q == v || k == q || k == v)
        return no_kernel(L, a->node, "with one value as two of its operands");
    a->project = part_of_node(L, a->query);
    if (!makes_no_others(L, a, a->project->class->pattern))
        return no_kernel(L, a->node,
                         "whose operands are computed together with another attention's");
    return true;
}

/* How many read n, but for those of the backward pass, for whom it is kept: they come last. */
static int own_readers(const lower_t *L, const gnode_t *n) {
    const nodes_t *readers = &L->regions->readers[n->id];
    int count = readers->n, backward = L->regions->backward;
    while (n->id < backward && count > 0 && readers->at[count - 1]->id >= backward) count--;
    return count;
}

/* The one region that reads the result. */
static bool find_combine(lower_t *L, attention_t *a) {
    const nodes_t *readers = &L->regions->readers[a->node->id];
    for (int i = 0; i < own_readers(L, a->node); i++)
        if (region_of(L, readers->at[i]) != region_of(L, readers->at[0]) ||
            graph_kind(readers->at[i]) != K_ROW)
            return no_kernel(L, a->node, "that several parts of the graph read, or not row by row");
    if (readers->n == 0) return no_kernel(L, a->node, "whose result nothing takes row by row");
    a->combine = part_of_node(L, readers->at[0]);
    if (!takes_no_others(a, a->combine->class->pattern))
        return no_kernel(L, a->node, "whose result is taken together with another attention's");
    return true;
}

static bool find_ends(lower_t *L, attention_t *a) {
    if (!find_project(L, a) || !find_combine(L, a) || !check_members(L, a)) return false;
    if (a->project->into || a->project->from || a->combine->from || a->combine->into ||
        a->project == a->combine)
        return no_kernel(
            L, a->node,
            "that shares what makes its operands, or what takes its result, with another");
    a->project->into = a;
    a->combine->from = a;
    a->own->own = a;
    return true;
}

/* ---- groups ---------------------------------------------------------------------------------- */

/* Heads per group: as many as keep q, k, v and their output below half the two streams
 * (docs/design.md, memory). Groups are added up one after the other, so they must not depend on
 * tiles: widths count in panels. Of bf16 none begins in the middle of a pair. 0: no
 * number of heads will do. */
static int64_t heads_per_group(const attention_t *a, int64_t stream, bool pairs) {
    int64_t best = 0, head = round_up(a->head_size, PANEL);
    for (int64_t g = 1; g <= a->heads; g++) {
        if (a->heads % g != 0 || (pairs && g * a->head_size % 2 != 0)) continue;
        if (best == 0 || 3 * g * head <= round_up(stream, PANEL) * 9 / 10) best = g;
    }
    return best;
}

/* The stream that the result's product is added to with nothing between but what rounds
 * it; NULL: something is. */
static const gnode_t *stream_after(const lower_t *L, const gnode_t *self) {
    const regions_t *r = L->regions;
    const nodes_t *readers = &r->readers[self->id];
    if (own_readers(L, self) != 1) return NULL;
    if (readers->at[0]->op == G_ROUND) readers = &r->readers[readers->at[0]->id];
    if (readers->n != 1 || readers->at[0]->op != G_DENSE) return NULL;
    const gnode_t *product = readers->at[0];
    if (product->n_in > 2 && product->in[2]) return NULL;
    readers = &r->readers[product->id];
    if (readers->n != 1 || readers->at[0]->op != G_ADD || readers->at[0]->in[1] != product)
        return NULL;
    return readers->at[0];
}

/* Whether nothing but its own mixers runs from its operands' region to its result's,
 * for all members. */
static bool runs_together(const lower_t *L, const attention_t *a) {
    for (int m = 0; m < a->class->count; m++) {
        reach_t e = ends_of(L, a, m);
        for (int i = e.project->order + 1; i < e.combine->order; i++)
            if (L->regions->regions[i]->kind != K_MIX) return false;
    }
    return true;
}

/* Nothing but the operands comes out of it, and each of them head by head. */
static bool only_operands(const regions_t *r, const region_t *region) {
    for (int i = 0; i < region->results.n; i++) {
        const gnode_t *n = region->results.at[i];
        bool kept = r->kept[n->id] && r->homes[n->id].kept >= 0; /* each group writes the same */
        if (!kept && !goes_by_heads(r, n)) return false;
    }
    return true;
}

static bool has_home(const homes_t *homes, int home) {
    for (int i = 0; i < homes->n; i++)
        if (homes->of[i] == home) return true;
    return false;
}

/* Whether the sum can be added up group after group: onto its stream, which no
 * group's operands are made of. */
static bool adds_up(const regions_t *r, const region_t *project, const gnode_t *sum) {
    const homes_t *homes = &r->homes[sum->id];
    if (homes->n == 0 || home_read_by(r, sum, sum->in[0]) != homes->of[0]) return false;
    for (int i = 0; i < project->reads.n; i++)
        if (has_home(homes, home_in(r, project, project->reads.at[i]))) return false;
    return true;
}

static bool all_is_kept(const attention_t *a) {
    unsigned all = KEPT_QUERY | KEPT_VALUE | KEPT_RESULT | (a->key ? KEPT_KEY : 0);
    return (a->stacked & all) == all;
}

static void choose_groups(lower_t *L, attention_t *a) {
    const regions_t *r = L->regions;
    const gnode_t *sum = stream_after(L, a->node);
    const region_t *project = a->project->class->pattern;
    a->group = a->heads;
    a->together = runs_together(L, a);
    if (all_is_kept(a)) sum = NULL; /* groups save nothing then */
    bool pairs = sum && sum->in[1]->in[1]->type == G_BF16;
    int between = pairs ? 3 : 2; /* the product, the sum, and what rounds a factor of it */
    if (sum && sum->in[0] != sum->in[1] && only_operands(r, project) &&
        region_of(L, sum)->nodes.n == between && a->together && adds_up(r, project, sum))
        a->group = heads_per_group(a, sum->shape[sum->rank - 1].c, pairs);
    if (a->group == 0) a->group = a->heads;
    a->groups = a->heads / a->group;
}

bool find_band(lower_t *L, attention_t *a) {
    if (a->gradient) return find_gradient_band(L, a);
    if (!find_ends(L, a)) return false;
    choose_groups(L, a);
    return true;
}
