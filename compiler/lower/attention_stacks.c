/* Stacks of attention's values that are kept for the backward pass. See attention_stacks.h. */
#include "lower/attention_stacks.h"

/* ---- where a kernel finds its head ----------------------------------------------------------- */

heads_t heads_at(const lower_t *L, const attention_t *a, affine_t batch, affine_t head,
                 value_t *place, value_t *group) {
    heads_t h = {.elements = L->batch, .heads = a->group, .batch = batch, .head = head};
    h.place = place ? ax_add(ax_scale(ax_v(place), L->batch), batch) : batch;
    h.whole = group && a->groups > 1 ? ax_add(ax_scale(ax_v(group), a->group), head) : head;
    return h;
}

affine_t batch_in(const heads_t *h, const buffer_t *b) {
    return dim_equal(b->dims[0], dim(h->elements)) ? h->batch : h->place;
}

affine_t head_in(const heads_t *h, const buffer_t *b) {
    return dim_equal(b->dims[1], dim(h->heads)) ? h->head : h->whole;
}

affine_t *in_heads(const heads_t *h, const buffer_t *b, affine_t *ix) {
    ix[0] = batch_in(h, b);
    ix[1] = head_in(h, b);
    return ix;
}

/* ---- what is kept ---------------------------------------------------------------------------- */

static bool is_forward(const lower_t *L, const gnode_t *n) {
    return n->id < L->regions->backward;
}

static bool backward_mixes(const lower_t *L, const gnode_t *n) {
    const nodes_t *readers = &L->regions->readers[n->id];
    for (int i = 0; i < readers->n; i++)
        if (!is_forward(L, readers->at[i]) && graph_kind(readers->at[i]) == K_MIX) return true;
    return false;
}

static bool backward_reads(const lower_t *L, const gnode_t *n) {
    const nodes_t *readers = &L->regions->readers[n->id];
    return readers->n > 0 && !is_forward(L, readers->at[readers->n - 1]);
}

/* Input k of an attention is of this kind; 0: it is no operand of rows. */
static unsigned kind_of_input(const gnode_t *attention, int k) {
    if (attention->op == G_LSH_ATTENTION) return k == 0 ? KEPT_QUERY : k == 1 ? KEPT_VALUE : 0;
    return k < 3 ? 1u << k : 0;
}

static void find_kept_in_forward(const lower_t *L, attention_t *a) {
    for (int k = 0; k < a->node->n_in; k++)
        if (kind_of_input(a->node, k) && backward_mixes(L, a->node->in[k]))
            a->stacked |= kind_of_input(a->node, k);
    if (backward_reads(L, a->node)) a->stacked |= KEPT_RESULT;
}

/* The attention of the forward that has x as input k. */
static const gnode_t *attention_with(const lower_t *L, const gnode_t *x, gop_t op, int k) {
    const nodes_t *readers = &L->regions->readers[x->id];
    for (int i = 0; i < readers->n; i++) {
        const gnode_t *n = readers->at[i];
        if (is_forward(L, n) && n->op == op && n->in[k] == x) return n;
    }
    return NULL;
}

/* All members' kept operands are those of one class of the forward, and of one member. */
static bool find_forward(lower_t *L, attention_t *a, const gnode_t *n) {
    const gnode_t *own = graph_is_attention_gradient(n) ? n->in[1] : NULL, *before = NULL;
    if (own && is_forward(L, own)) before = own;
    for (int k = 0; k < a->node->n_in; k++) {
        const gnode_t *x = attention_input(n, k);
        if (!kind_of_input(a->node, k) || !x || !is_forward(L, x)) continue;
        const gnode_t *y = attention_with(L, x, a->node->op, k);
        if (!y || (before && before != y) || !graph_same_op(y, a->node))
            return no_kernel(L, n, "of operands that no one attention of the forward has");
        before = y;
        a->stacked |= kind_of_input(a->node, k);
    }
    if (!before) return true;
    attention_t *forward = part_of_node(L, before)->own;
    if (!forward || (a->forward && a->forward != forward) ||
        forward->class->count != a->class->count)
        return no_kernel(L, n, "of what attentions of several kinds have kept");
    a->forward = forward;
    return true;
}

bool find_kept(lower_t *L, attention_t *a) {
    if (L->few) return true;
    if (is_forward(L, a->class->pattern->nodes.at[0])) {
        find_kept_in_forward(L, a);
        return true;
    }
    if (a->stands) a->stacked = KEPT_RESULT;
    for (int m = 0; m < a->class->count; m++)
        if (!find_forward(L, a, a->class->members[m]->nodes.at[0])) return false;
    return true;
}

/* ---- places ---------------------------------------------------------------------------------- */

static const region_t *in_class(const lower_t *L, const gnode_t *n, const class_t *class) {
    if (graph_is_attention_gradient(n)) n = n->in[1];
    const region_t *region = graph_is_attention(n) ? L->regions->of_node[n->id] : NULL;
    return region && region->class == class ? region : NULL;
}

/* Who reads n, or what rounds it. */
static const region_t *reader_in_class(const lower_t *L, const gnode_t *n, const class_t *class) {
    const nodes_t *readers = &L->regions->readers[n->id];
    const region_t *found = NULL;
    for (int i = 0; i < readers->n && !found; i++) {
        const gnode_t *reader = readers->at[i];
        found =
            reader->op == G_ROUND ? reader_in_class(L, reader, class) : in_class(L, reader, class);
    }
    return found;
}

/* The attention of the class that a region computes, or of which it reads the result or gradients,
 * or makes or reads operands. */
static const region_t *attention_near(const lower_t *L, const region_t *region,
                                      const class_t *class) {
    const nodes_t *lists[] = {&region->nodes, &region->reads};
    const region_t *found = NULL;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < lists[i]->n; k++)
            if ((found = in_class(L, lists[i]->at[k], class))) return found;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < lists[i]->n; k++)
            if ((found = reader_in_class(L, lists[i]->at[k], class))) return found;
    return NULL;
}

/* Of an attention that is computed again, by way of that. */
static const region_t *kept_near(const lower_t *L, const attention_t *a, const region_t *region) {
    const class_t *forward = a->forward ? a->forward->class : a->class;
    const region_t *found = attention_near(L, region, forward);
    const region_t *again = found ? NULL : attention_near(L, region, a->class);
    return again ? attention_near(L, again, forward) : found;
}

static bool place_part(lower_t *L, const attention_t *a, part_t *p) {
    const class_t *forward = a->forward ? a->forward->class : a->class;
    if (p->stacked) return true;
    int32_t *at = ARENA_ARRAY(L->arena, int32_t, p->class->count);
    for (int m = 0; m < p->class->count; m++) {
        const region_t *mix = kept_near(L, a, p->class->members[m]);
        if (!mix)
            return no_kernel(L, p->class->members[m]->nodes.at[0], "of what no attention keeps");
        at[m] = mix->index;
    }
    p->stacked = true;
    p->stack_vector = part_vector(p, at, forward->count);
    return !part_is_crowded(L, p);
}

bool place_stacks(lower_t *L, attention_t *a) {
    if (!a->stacked) return true;
    part_t *parts[] = {a->own, a->gradient ? part_of_node(L, a->gradient) : NULL,
                       a->forward ? NULL : a->project, a->forward ? NULL : a->hash_part,
                       a->forward ? NULL : a->combine};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i] && !place_part(L, a, parts[i])) return false;
    bool alone = a->lsh && !a->exact && a->stacked & KEPT_VALUE; /* rows that see only themselves */
    if (!a->forward || !(a->stacked & KEPT_RESULT || alone)) return true;
    for (int i = 0; i < L->regions->n_classes; i++)
        if (L->parts[i].from == a && !place_part(L, a, &L->parts[i])) return false;
    return true;
}

/* ---- buffers --------------------------------------------------------------------------------- */

buffer_t *make_stack(lower_t *L, const attention_t *a, const char *name, elem_t e, int rank,
                     const dim_t *dims) {
    dim_t d[MAX_RANK];
    for (int i = 0; i < rank; i++) d[i] = dims[i];
    d[0] = dim(L->batch * a->class->count);
    d[1] = dim(a->heads);
    name = free_buffer_name(L, arena_printf(L->arena, "%s_kept_%s", a->name, name));
    return workspace(L, name, e, rank, d, "[place * batch][head][row]: for the backward pass");
}
