/* The band of an attention whose gradient is asked for: what makes its operands and dy, its mixers,
 * and all that reads its result or its gradients. One group of all heads goes through it, region
 * after region. What the forward has kept is there. What no kernel computes so is refused. */
#include "lower/rows.h"

static const region_t *region_of(const lower_t *L, const gnode_t *n) {
    return L->regions->of_node[n->id];
}

static const gnode_t *gradient_of(const lower_t *L, const gnode_t *attention) {
    const nodes_t *readers = &L->regions->readers[attention->id];
    for (int i = 0; i < readers->n; i++)
        if (graph_is_attention_gradient(readers->at[i])) return readers->at[i];
    return NULL;
}

/* Whether a mixer is one of the attention's: itself, its gradient, its order
 * and what that is of. */
static bool is_own_mixer(const region_t *region, const gnode_t *attention,
                         const gnode_t *gradient) {
    const gnode_t *n = region->nodes.at[0], *sort = NULL;
    if (attention->op == G_LSH_ATTENTION)
        sort = attention_input(gradient ? gradient : attention, 2);
    if (n == attention || n == gradient || n == sort) return true;
    if (n->op == G_PACK_BUCKETS) n = n->in[0];
    return sort && n == sort->in[0];
}

static bool is_of(const gnode_t *x, const gnode_t *attention, const gnode_t *gradient) {
    return x == attention || x == gradient;
}

/* A member's attention and its gradient, which may be all that is computed of it. */
typedef struct {
    const gnode_t *attention, *gradient;
} attention_pair_t;
static attention_pair_t pair_of(const lower_t *L, const region_t *mix) {
    const gnode_t *n = mix->nodes.at[0];
    if (graph_is_attention_gradient(n)) return (attention_pair_t){n->in[1], n};
    return (attention_pair_t){n, gradient_of(L, n)};
}

/* The operands, with dy; NULL: there is none, or it is kept. */
enum { OPERANDS = 4 };
static void operands_of(const lower_t *L, attention_pair_t p, const gnode_t **x) {
    const gnode_t *n = p.gradient ? p.gradient : p.attention;
    bool hashes = p.attention->op == G_LSH_ATTENTION;
    x[0] = attention_input(n, 0);
    x[1] = hashes || attention_input(n, 1) == x[0] ? NULL : attention_input(n, 1);
    x[2] = attention_input(n, hashes ? 1 : 2);
    x[3] = p.gradient ? p.gradient->in[0] : NULL;
    for (int i = 0; i < 3; i++)
        if (x[i] && is_handed_on(L->regions, x[i], n)) x[i] = NULL;
}

/* A member's regions, from what makes its first operand to what reads its results last. */
typedef struct {
    int first, last;
} stretch_t;

/* By id of nodes: the last region that reads each, 0: none. */
static int *find_last_reads(const lower_t *L) {
    const regions_t *r = L->regions;
    int *last = ARENA_ARRAY(L->arena, int, r->g->n_nodes);
    for (int i = 0; i < r->n_regions; i++)
        for (int k = 0; k < r->regions[i]->reads.n; k++) last[r->regions[i]->reads.at[k]->id] = i;
    return last;
}

static stretch_t stretch_of(const lower_t *L, const region_t *mix, const int *last_read) {
    attention_pair_t p = pair_of(L, mix);
    const gnode_t *x[OPERANDS], *given[] = {p.attention, p.gradient};
    stretch_t s = {mix->order, mix->order};
    operands_of(L, p, x);
    for (int i = 0; i < OPERANDS; i++)
        if (x[i] && region_of(L, x[i])->order < s.first) s.first = region_of(L, x[i])->order;
    for (int i = 0; i < 2; i++)
        if (given[i] && last_read[given[i]->id] > s.last) s.last = last_read[given[i]->id];
    return s;
}

/* Whether nothing of another attention runs from a member's first region to its last: then it may
 * share buffers with all. */
static bool runs_alone(const lower_t *L, const region_t *mix, stretch_t s) {
    const regions_t *r = L->regions;
    attention_pair_t p = pair_of(L, mix);
    const gnode_t *n = p.attention, *gradient = p.gradient, *own[OPERANDS];
    operands_of(L, p, own);
    for (int i = s.first; i <= s.last; i++) {
        const region_t *region = r->regions[i];
        if (region->kind == K_MIX) {
            if (!is_own_mixer(region, n, gradient)) return false;
            continue;
        }
        for (int k = 0; k < region->reads.n; k++)
            if (graph_kind(region->reads.at[k]) == K_MIX &&
                !is_of(region->reads.at[k], n, gradient))
                return false;
        for (int k = 0; k < region->results.n; k++) {
            const gnode_t *x = region->results.at[k];
            bool is_own = !feeds_attention(L, x);
            for (int j = 0; j < OPERANDS; j++) is_own = is_own || own[j] == x;
            if (!is_own) return false;
        }
    }
    return true;
}

/* Members have the same buffers: one after the other; else false after an error. */
static bool check_members(lower_t *L, attention_t *a) {
    const class_t *class = a->class;
    const int *last_read = find_last_reads(L);
    stretch_t *s = ARENA_ARRAY(L->arena, stretch_t, class->count);
    for (int m = 0; m < class->count; m++) {
        s[m] = stretch_of(L, class->members[m], last_read);
        a->apart = a->apart || !runs_alone(L, class->members[m], s[m]);
        for (int k = 0; k < m; k++)
            if (s[k].last >= s[m].first && s[m].last >= s[k].first)
                return no_kernel(L, a->gradient,
                                 "with another one between its operands and its results");
    }
    return true;
}

static bool is_shared(lower_t *L, const attention_t *a) {
    no_kernel(L, a->gradient,
              "that shares what makes its operands, or what takes its results, with another");
    return true;
}

/* All row programs that read the result or the gradients: whole rows, or parts. What picks a
 * part may stand in several. */
static bool find_readers(lower_t *L, attention_t *a) {
    const regions_t *r = L->regions;
    for (int i = 0; i < r->n_regions; i++) {
        const region_t *region = r->regions[i];
        bool reads = nodes_find(&region->reads, a->node) >= 0 ||
                     nodes_find(&region->reads, a->gradient) >= 0;
        part_t *p = &L->parts[region->class->id];
        const gnode_t *first = region->results.at[0]; /* of the forward: another's */
        bool forward = first->id < r->backward && a->gradient->id >= r->backward;
        if (!reads || p->own == a || forward) continue;
        if (region->kind != K_ROW && region->kind != K_SUM)
            return no_kernel(L, region->nodes.at[0], "of what attention gives");
        bool others = (p->from && p->from != a) || (p->into && p->into != a);
        if (others || p->class->count != a->class->count) return !is_shared(L, a);
        p->from = a;
    }
    return true;
}

/* The regions that make operands: one, or several, of this attention alone. */
static bool find_operands(lower_t *L, attention_t *a) {
    const gnode_t *x[OPERANDS];
    operands_of(L, (attention_pair_t){a->node, a->gradient}, x);
    for (int i = 0; i < OPERANDS; i++) {
        if (!x[i]) continue;
        for (int k = 0; k < i; k++)
            if (x[k] == x[i])
                return no_kernel(L, a->gradient, "with one value as two of its operands");
        if (!region_of(L, x[i]) || graph_kind(x[i]) != K_ROW)
            return no_kernel(L, a->gradient, "of no rows");
        part_t *p = part_of_node(L, x[i]);
        const nodes_t *results = &p->class->pattern->results;
        for (int k = 0; k < results->n; k++)
            if (feeds_attention(L, results->at[k]) && !is_operand(a, results->at[k]))
                return !is_shared(L, a);
        bool others = (p->into && p->into != a) || (p->from && p->from != a);
        if (others || p->class->count != a->class->count) return !is_shared(L, a);
        p->into = a;
    }
    return true;
}

bool find_gradient_band(lower_t *L, attention_t *a) {
    part_t *gradient = part_of_node(L, a->gradient);
    if (gradient->class->count != a->class->count) return !is_shared(L, a);
    if (!find_operands(L, a)) return false;
    a->own->own = gradient->own = a;
    if (!find_readers(L, a)) return false;
    a->group = a->heads;
    a->groups = 1;
    return check_members(L, a);
}
