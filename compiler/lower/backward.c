/* Regions of the backward pass: how a train step is cut behind its forward. See regions.h.
 *
 * The forward is cut as if nothing stood behind it. Behind it the number of MIX ops on the way to a
 * value says nothing (what is made again depends on the streams, gradients on more), so that here
 * values are stored where they have to be:
 *
 *   - What the forward has passing (not stored) and the backward pass reads is kept
 *     (regions_t.kept), but for the head's, which is computed again from the last streams: no
 *     logits exist as a whole.
 *   - Light values (norms, dropout, elementwise ops of stored values) are computed in each region
 *     that reads them and hold no regions together: the normed input of an attention is not kept
 *     from its products to their weights' gradients.
 *   - What is left is computed together: all of a feed-forward's backward pass, with what it makes
 *     again, is one region. Where a region would wait for itself, what its early nodes hand to
 *     those that wait is stored.
 *   - Sums over rows (SUM: OUTER, SUM_ROWS, tables' gradients) belong to the region that makes what
 *     they add up; if all of that is stored, to the one of their layer that reads the latest of it
 *     anyway. Such a region is of kind K_SUM: to be run by chunks of rows, its sums added up chunk
 *     after chunk. GRADIENT is in its sum's region; a TOTAL stands alone.
 *   - PART of what stands is light: a view. A *_LSE is in the region of its attention,
 *     which has all it needs.
 *
 * How it is lowered: a K_SUM region is a row program by chunks (chunks.h) that leaves the operands
 * of its sums in panels (rows_sums.h), which kernels behind it add up into the caller's gradients
 * (sums.h, tables.h, totals.h); attention's gradient is a mixer of its own between regions that
 * make its operands and read its results (attention_gradient.h); the gradients of logits are made
 * where those are computed again, a block of rows at a time (loss_gradients.h). The schedule goes
 * through the layers downwards (schedule.c).
 *
 * Values of layers that are kept (graph_gradient_options_t.keep) stand in stacks by layer (kept.c).
 * In the forward they are what they were without that: values that pass still pass, streams stay in
 * place; the region that makes one leaves it besides. */
#include "lower/regions_int.h"

/* ---- what the forward leaves ---------------------------------------------------------------- */

static bool is_written_over(const cut_t *c, const gnode_t *x) {
    const nodes_t *readers = &c->r->readers[x->id];
    for (int i = 0; i < readers->n; i++) {
        const gnode_t *n = readers->at[i];
        if (!is_backward(c, n) && n->op == G_ADD && n->in[0] == x) return true;
    }
    return false;
}

static bool stands(const cut_t *c, const gnode_t *x) {
    if (graph_kind(x) == K_LEAF) return true;
    return c->r->stored[x->id] ? !is_written_over(c, x) : c->anew[x->id];
}

/* Nodes come in the graph's order. */
void find_anew(cut_t *c, const gnode_t *n) {
    bool anew = is_passing(c, n) && n->layer < 0 && !is_backward(c, n);
    for (int k = 0; anew && k < n->n_in; k++) anew = !n->in[k] || stands(c, n->in[k]);
    c->anew[n->id] = anew;
}

/* Whether n, which the forward has passing, has to be stored for the backward pass. What a loss is
 * made of it keeps, for its gradient too. */
bool is_kept_for_backward(const cut_t *c, const gnode_t *n) {
    const nodes_t *readers = &c->r->readers[n->id];
    for (int i = 0; i < readers->n; i++) {
        const gnode_t *reader = readers->at[i];
        bool mixes = graph_kind(reader) == K_MIX && reader->op != G_QA_LOSS_GRAD;
        if (is_backward(c, reader) && (!c->anew[n->id] || mixes)) return true;
    }
    return false;
}

/* ---- light values ---------------------------------------------------------------------------- */

static bool is_light_op(gop_t op) {
    static const bool light[G_COUNT] = {
        [G_LAYER_NORM] = true,    [G_RMS_NORM] = true,   [G_LAYER_NORM_UNIT] = true,
        [G_RMS_NORM_UNIT] = true, [G_ACTIVATION] = true, [G_DROPOUT] = true,
        [G_ADD] = true,           [G_SUB] = true,        [G_MUL] = true,
        [G_CONCAT] = true,        [G_SLICE] = true,      [G_PART] = true,
        [G_PAD_ROWS] = true,      [G_COLUMN] = true,     [G_UNCOLUMN] = true,
        [G_ROUND] = true,
    };
    return light[op];
}

void find_light(cut_t *c) {
    for (size_t i = 0; i < c->g->n_nodes; i++) {
        const gnode_t *n = c->g->nodes[i];
        bool light = is_passing(c, n) && is_backward(c, n) && is_light_op(n->op);
        int source = -1;
        for (int k = 0; k < n->n_in; k++) {
            const gnode_t *x = n->in[k];
            if (!x || graph_kind(x) == K_LEAF) continue;
            if (c->source[x->id] > source) source = c->source[x->id];
            if (passes_into(c, x, n) && !c->light[x->id] && !c->anew[x->id]) light = false;
        }
        bool stands = !is_passing(c, n) || c->r->kept[i];
        c->light[i] = light;
        c->source[i] = graph_kind(n) == K_LEAF ? -1 : stands ? (int)i : source;
    }
}

/* ---- what is computed together --------------------------------------------------------------- */

bool is_joined_with(const cut_t *c, const gnode_t *x, const gnode_t *n) {
    return is_backward(c, x) == is_backward(c, n) && !c->light[x->id];
}

/* From a to a later node b by way of a node that needs all of a. */
static bool is_reached_late(cut_t *c, const gnode_t *a, const gnode_t *b) {
    int *walk = c->marked, plain = ++c->walks, late = ++c->walks;
    walk[a->id] = plain;
    for (int i = a->id + 1; i <= b->id; i++) {
        const gnode_t *n = c->g->nodes[i];
        int state = 0;
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] && walk[n->in[k]->id] >= plain && walk[n->in[k]->id] > state)
                state = walk[n->in[k]->id];
        bool all = graph_kind(n) != K_ROW && graph_kind(n) != K_PICK;
        if (state) walk[i] = all ? late : state;
    }
    return walk[b->id] == late;
}

/* Whether x may be had when `first` may, an operand of the same MIX op. */
bool is_joint_operand(cut_t *c, const gnode_t *first, const gnode_t *x) {
    if (is_backward(c, first) != is_backward(c, x)) return false;
    if (!is_backward(c, x)) return c->phase[x->id] == c->phase[first->id];
    if (c->apart[first->id] || c->apart[x->id]) return false;
    return first->id < x->id ? !is_reached_late(c, first, x) : !is_reached_late(c, x, first);
}

/* ---- sums ------------------------------------------------------------------------------------ */

static bool is_over_rows(const gnode_t *n) {
    return graph_kind(n) == K_SUM && n->op != G_TOTAL && n->op != G_GRADIENT;
}

static bool is_held(const cut_t *c, const gnode_t *sum) {
    for (int k = 0; k < sum->n_in; k++)
        if (sum->in[k] && is_passing(c, sum->in[k]) && is_joined_with(c, sum->in[k], sum))
            return true;
    return false;
}

/* Whether the sum is of what the forward has kept: then its gradient alone says
 * where it is made. */
static bool is_of_kept(const cut_t *c, const gnode_t *sum) {
    for (int k = 0; k < sum->n_in; k++)
        if (sum->in[k] && graph_kind(sum->in[k]) != K_LEAF && !is_backward(c, sum->in[k]))
            return true;
    return false;
}

/* Rows of the sum's layer that are made of the stored value `from`, by way of light ones; NULL:
 * none. Of a gradient alone rather what is a product of it: to what it is added
 * differs from layer to layer. */
static const gnode_t *taker_of(cut_t *c, const gnode_t *sum, const gnode_t *from) {
    const gnode_t *added = NULL;
    bool kept = is_of_kept(c, sum);
    growing_t walk = {0};
    int seen = ++c->walks;
    growing_push(c, &walk, from);
    for (int i = 0; i < walk.nodes.n; i++) {
        const nodes_t *readers = &c->r->readers[walk.nodes.at[i]->id];
        for (int k = 0; k < readers->n; k++) {
            const gnode_t *n = readers->at[k];
            if (!is_backward(c, n) || graph_kind(n) != K_ROW || c->marked[n->id] == seen) continue;
            c->marked[n->id] = seen;
            if (c->light[n->id]) growing_push(c, &walk, n);
            else if (n->layer == sum->layer && !(kept && n->op == G_ADD)) return n;
            else if (n->layer == sum->layer && !added) added = n;
        }
    }
    return added;
}

/* Where all that a sum adds up is stored or light. */
static void join_sum(cut_t *c, const gnode_t *sum, const gnode_t **first_of) {
    int source = c->source[sum->in[0]->id];
    for (int k = 1; k < sum->n_in; k++)
        if (sum->in[k] && c->source[sum->in[k]->id] > source) source = c->source[sum->in[k]->id];
    const gnode_t *with = taker_of(c, sum, c->g->nodes[source]);
    if (!with) with = first_of[source]; /* another sum of it */
    if (with && with->layer == sum->layer) join_nodes(c, sum, with);
    if (!first_of[source]) first_of[source] = sum;
}

void join_sums(cut_t *c) {
    const gnode_t **first_of = NULL;
    for (size_t i = (size_t)c->r->backward; i < c->g->n_nodes; i++) {
        const gnode_t *n = c->g->nodes[i];
        if (n->op == G_GRADIENT) join_nodes(c, n, n->in[0]);
        if (!is_over_rows(n) || c->apart[i] || is_held(c, n)) continue;
        if (!first_of) first_of = ARENA_ARRAY(c->arena, const gnode_t *, c->g->n_nodes);
        join_sum(c, n, first_of);
    }
}

/* ---- circles --------------------------------------------------------------------------------- */

/* By order: which of the regions that wait need `region`. */
static bool *find_reached(const cut_t *c, const region_t *region, const bool *waits) {
    const regions_t *r = c->r;
    bool *reached = ARENA_ARRAY(c->arena, bool, r->n_regions);
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < r->n_regions; i++)
            for (int k = 0; waits[i] && !reached[i] && k < r->regions[i]->reads.n; k++) {
                const region_t *maker = r->of_node[r->regions[i]->reads.at[k]->id];
                if (maker == region || reached[maker->order]) reached[i] = more = true;
            }
    }
    return reached;
}

/* Stores what early nodes hand to late ones, which wait for what the region itself
 * makes; false: nothing. */
static bool store_early(cut_t *c, const region_t *region, const bool *reached) {
    regions_t *r = c->r;
    int late = ++c->walks;
    bool more = false;
    for (int i = 0; i < region->nodes.n; i++) {
        const gnode_t *n = region->nodes.at[i];
        for (int k = 0; k < n->n_in; k++) {
            const gnode_t *x = n->in[k];
            if (!x || graph_kind(x) == K_LEAF) continue;
            bool own = nodes_find(&region->nodes, x) >= 0;
            if (own ? c->marked[x->id] == late : reached[r->of_node[x->id]->order])
                c->marked[n->id] = late;
        }
        for (int k = 0; c->marked[n->id] == late && k < n->n_in; k++) {
            const gnode_t *x = n->in[k];
            if (!x || graph_kind(x) != K_ROW || !is_backward(c, x) || !is_passing(c, x)) continue;
            if (c->light[x->id] || c->marked[x->id] == late) continue;
            r->stored[x->id] = more = true;
        }
    }
    return more;
}

bool split_circle(cut_t *c, region_t *region, const bool *waits) {
    bool more = store_early(c, region, find_reached(c, region, waits));
    if (more) return true;
    for (int i = 0; i < region->nodes.n; i++) {
        bool *apart = &c->apart[region->nodes.at[i]->id];
        if (!*apart) *apart = more = true;
    }
    return more;
}
