/* Forward → train step: the graph's own nodes, and behind them ordinary nodes that compute
 * the gradient of its loss.
 *
 * In: the graph of a forward that has a loss. Out: a graph that begins with the same nodes and goes
 * on with those of the backward pass; a GRADIENT for each param that the loss depends on is what
 * callers get. It prints, parses and is checked like any graph; nothing below this folder has to
 * know what a derivative is.
 *
 * 1. The walk. From the loss up, each node that lies between a param and the loss is handed the
 *    gradient of its result, and its rule (gradient_rules.c, column `grad` of ops.def) gives each
 *    input its contribution. Contributions are added up in the order of the walk, which is that of
 *    the graph backwards: of a stream the add that went on with it comes first and hands its own
 *    gradient through, so that sums have the form grad = ADD(grad, more) and may be done in place:
 *    the gradients of two streams are two buffers.
 *
 * 2. Values. Rules ask for values of the forward. Of each one there is one way to come by it
 *    (means_t), decided before anything is appended:
 *      streams      the embedding, values that a later layer reads, and sums that go on with one. A
 *                   sum writes over its first operand, so that the backward pass cannot read it any
 *                   more: it takes the sum's result and subtracts the addend, which is computed
 *                   again: again.y2 = SUB(again.next y2, again.feed_forward). SUB is in place like
 *                   ADD, which keeps the streams two buffers. The last of each stream is as the
 *                   forward left it. Of a value that several sums went on with, the
 *                   last one's buffer is taken.
 *      inside       values on the way from streams to streams: the op again, on operands that are
 *                   come by in one of these ways. They stand in the graph a second time with the
 *                   same ops and attributes, so that their regions are of the forward's classes,
 *                   joined by what their gradients add to them.
 *      buckets      of hashes are kept, packed by PACK_BUCKETS right behind the hash: a near-tie
 *                   must not be decided anew, and they are small. They are sorted again,
 *                   whatever is to be kept.
 *      the rest     what only leads to outputs and the loss: the backward pass begins right there,
 *                   and reads the forward's. (Whether logits exist is the lowering's choice:
 *                   nothing but rows lies between the streams and the gradient of the loss.)
 *    Where a sum cannot be undone, because its addend depends on what is asked for (x + f(x)), that
 *    value is kept. Which values to keep beyond these is a choice by cost:
 *    graph_gradient_options_t.keep, one flag per node of the forward. A value that is kept is read
 *    where it is, and what only it needed is not computed again; a stream that is kept is one that
 *    the sum does not write over. Nothing else changes: gradients of all choices are the same sums.
 *
 * 3. What lowering finds. Row nodes (DENSE_T, *_NORM_GRAD, ACTIVATION_GRAD, MUL, SUB …) join the
 *    repeated rows of their block into one region. OUTER, SUM_ROWS, WORD_GRAD and POSITION_GRAD are
 *    sums over rows: a region with such sums is a band by chunks of rows, added up chunk after
 *    chunk. The gradient of an attention is a MIX of its own that reads the attention's operands,
 *    result, log-sum-exp and the result's gradient; its several gradients stand side by side and
 *    are picked by PART, which is a view. A *_LSE has the operands of its attention and is what
 *    that one's soft maximum divides by: one kernel computes both. Weights' gradients are sums of
 *    sums (TOTAL) where several nodes share a param. The order of nodes is one to run in: what is
 *    made again stands right before who reads it. It depends on the streams alone, not on
 *    gradients, so that who looks for the earliest moment finds it too early (unpacked buckets of
 *    all layers at once; a block's hidden values apart from their gradients, for there are fewer
 *    mixes before them): the latest moment is the right one. */
#include "graph/gradient_int.h"

#include <string.h>

static grad_fn *const rules[G_COUNT] = {
#define X(op, name, kind, inputs, attributes, doc, shape, evaluate, grad) [G_##op] = grad_##grad,
#include "graph/ops.def"
#undef X
};

bool graph_is_backward(const gnode_t *n) {
    return rules[n->op] == grad_backward;
}

/* ---- the walk ------------------------------------------------------------------------------ */

/* live: what a param that is not frozen changes, and the loss depends on by something
 * that has a derivative. */
static void find_live(backward_t *b, const gnode_t *loss) {
    const graph_t *g = b->from;
    bool *varies = ARENA_ARRAY(b->g->arena, bool, g->n_nodes);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        varies[i] = n->op == G_PARAM && !n->frozen;
        for (int k = 0; k < n->n_in && rules[n->op] != grad_constant; k++)
            if (n->in[k] && varies[n->in[k]->id]) varies[i] = true;
    }
    b->live[loss->id] = varies[loss->id];
    for (int i = loss->id; i >= 0; i--) {
        const gnode_t *n = g->nodes[i];
        for (int k = 0; b->live[i] && k < n->n_in; k++) {
            if (!n->in[k] || !varies[n->in[k]->id]) continue;
            b->live[n->in[k]->id] = true;
            b->expected[n->in[k]->id]++;
        }
    }
}

static bool has_rule(backward_t *b, const gnode_t *n) {
    if (rules[n->op] != grad_none && rules[n->op] != grad_backward) return true;
    diag_error(b->d, n->at, "%s: %s has no derivative", n->name, graph_op_name(n->op));
    return b->ok = false;
}

static void walk(backward_t *b, const gnode_t *loss) {
    gnode_t *seed = grad_node(b, loss, "seed", G_SEED, GRAD_IN(b->forward[loss->id]));
    b->grad[loss->id] = grad_finish(b, seed);
    for (int i = loss->id; i >= 0 && b->ok; i--) {
        const gnode_t *n = b->from->nodes[i];
        if (!b->live[i] || graph_kind(n) == K_LEAF || !has_rule(b, n)) continue;
        rules[n->op](b, n, b->grad[i]);
    }
}

/* ---- the graph ----------------------------------------------------------------------------- */

static gnode_t *copy(backward_t *b, const gnode_t *from) {
    gnode_t *n = graph_append(b->g, from->op);
    int id = n->id;
    *n = *from;
    n->id = id;
    n->frozen = false; /* it is said by now */
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k]) n->in[k] = b->forward[n->in[k]->id];
    return n;
}

/* Drops nodes of the backward pass that nobody reads; what the forward keeps stands
 * right behind whom it is of. */
static void put_in_order(backward_t *b) {
    graph_t *g = b->g;
    size_t n_forward = b->from->n_nodes, n = 0;
    bool *used = ARENA_ARRAY(g->arena, bool, g->n_nodes),
         *placed = ARENA_ARRAY(g->arena, bool, g->n_nodes);
    gnode_t **nodes = ARENA_ARRAY(g->arena, gnode_t *, g->n_nodes);
    for (size_t i = g->n_nodes; i-- > 0;) {
        const gnode_t *x = g->nodes[i];
        if (i < n_forward || x->op == G_GRADIENT) used[i] = true;
        for (int k = 0; used[i] && k < x->n_in; k++)
            if (x->in[k]) used[x->in[k]->id] = true;
    }
    for (size_t i = 0; i < n_forward; i++) {
        gnode_t *own[] = {b->forward[i], b->packed[i], b->kept_lse[i]};
        for (int k = 0; k < 3; k++)
            if (own[k] && used[own[k]->id]) nodes[n++] = own[k], placed[own[k]->id] = true;
    }
    for (size_t i = 0; i < g->n_nodes; i++)
        if (used[i] && !placed[i]) nodes[n++] = g->nodes[i];
    for (size_t i = 0; i < n; i++) nodes[i]->id = (int)i;
    g->nodes = nodes;
    g->n_nodes = g->cap_nodes = n;
}

static backward_t begin(arena_t *a, const graph_t *from, diag_t *d) {
    size_t n = from->n_nodes;
    graph_t *g = ARENA_NEW(a, graph_t);
    *g = *from;
    g->arena = a;
    g->nodes = NULL;
    g->n_nodes = g->cap_nodes = 0;
    backward_t b = {.from = from,
                    .g = g,
                    .d = d,
                    .ok = true,
                    .forward = ARENA_ARRAY(a, gnode_t *, n),
                    .value = ARENA_ARRAY(a, gnode_t *, n),
                    .packed = ARENA_ARRAY(a, gnode_t *, n),
                    .kept_lse = ARENA_ARRAY(a, gnode_t *, n),
                    .lse = ARENA_ARRAY(a, gnode_t *, n),
                    .grad = ARENA_ARRAY(a, gnode_t *, n),
                    .expected = ARENA_ARRAY(a, int, n),
                    .given = ARENA_ARRAY(a, int, n),
                    .live = ARENA_ARRAY(a, bool, n),
                    .means = ARENA_ARRAY(a, means_t, n),
                    .heir = ARENA_ARRAY(a, const gnode_t *, n),
                    .stack = ARENA_ARRAY(a, const gnode_t *, n),
                    .on_stack = ARENA_ARRAY(a, bool, n)};
    for (size_t i = 0; i < n; i++) b.forward[i] = copy(&b, from->nodes[i]);
    return b;
}

static const gnode_t *first_of_integers(const graph_t *g) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->type == G_I8) return g->nodes[i];
    return NULL;
}

graph_t *graph_gradient(arena_t *a, const graph_t *g, const graph_gradient_options_t *o,
                        diag_t *d) {
    const char *name = o && o->loss ? o->loss : "loss";
    const gnode_t *loss = graph_output(g, name);
    if (!loss) {
        diag_error(d, g->n_nodes ? g->nodes[0]->at : g->at, "the model has no %s to train it by",
                   name);
        return NULL;
    }
    const gnode_t *integers = first_of_integers(g);
    if (integers) {
        diag_error(d, integers->at, "%s: gradients of values of type i8 are not built",
                   integers->name);
        return NULL;
    }
    backward_t b = begin(a, g, d);
    find_live(&b, loss);
    if (!b.live[loss->id]) {
        diag_error(d, loss->at, "%s: it depends on no param", loss->name);
        return NULL;
    }
    grad_choose_means(&b, o ? o->keep : NULL);
    walk(&b, loss);
    if (!b.ok) return NULL;
    put_in_order(&b);
    return graph_names_differ(b.g, "the backward pass", d) && graph_check(b.g, d) ? b.g : NULL;
}
