/* Nodes of the backward pass: gradient.c, 1.
 *
 * In: what a rule or a value needs, one node at a time. Out: the node behind those of the train
 * step, named after what it is the gradient of; contributions to one gradient
 * are added up as they come. */
#include "graph/gradient_int.h"

/* `of`: whom it is named after; `place`: whose layer and line it has. */
gnode_t *grad_node_of(backward_t *b, const gnode_t *place, const char *prefix, const char *of,
                      gop_t op, int n_in, gnode_t *const *in) {
    gnode_t *n = graph_append(b->g, op);
    n->name = arena_printf(b->g->arena, "%s.%s", prefix, of);
    n->layer = place->layer;
    n->at = place->at;
    n->n_in = n_in;
    for (int i = 0; i < n_in; i++) n->in[i] = in[i];
    return n;
}

gnode_t *grad_node(backward_t *b, const gnode_t *n, const char *prefix, gop_t op, int n_in,
                   gnode_t *const *in) {
    return grad_node_of(b, n, prefix, n->name, op, n_in, in);
}

gnode_t *grad_finish(backward_t *b, gnode_t *n) {
    if (b->ok && !graph_infer(b->g, n, b->d)) b->ok = false;
    return n;
}

void grad_inherit(gnode_t *to, const gnode_t *from) {
    for (int i = 0; i < N_GRAPH_ATTRS; i++) {
        const gattr_t *attr = &graph_attrs[i];
        if (graph_op_has_attr(to->op, attr) && graph_op_has_attr(from->op, attr))
            graph_copy_attr(attr, to, from);
    }
}

bool grad_wanted(const backward_t *b, const gnode_t *n, int k) {
    return k < n->n_in && n->in[k] && b->live[n->in[k]->id];
}

static bool is_last(const backward_t *b, const gnode_t *x) {
    return b->given[x->id] + 1 == b->expected[x->id] && x->op != G_PARAM;
}

gnode_t *grad_part(backward_t *b, const gnode_t *n, int k, gop_t op, int n_in, gnode_t *const *in) {
    const gnode_t *x = n->in[k];
    bool only = b->expected[x->id] == 1 && is_last(b, x);
    const char *prefix = only ? "grad" : arena_printf(b->g->arena, "grad%d", b->given[x->id] + 1);
    return grad_node_of(b, n, prefix, x->name, op, n_in, in);
}

void grad_give(backward_t *b, const gnode_t *n, int k, gnode_t *more) {
    const gnode_t *x = n->in[k];
    bool param = x->op == G_PARAM, last = is_last(b, x);
    gnode_t **sum = &b->grad[x->id];
    grad_finish(b, more);
    if (*sum) {
        const char *prefix =
            last ? "grad" : arena_printf(b->g->arena, "sum%d", b->given[x->id] + 1);
        more = grad_finish(
            b, grad_node_of(b, n, prefix, x->name, param ? G_TOTAL : G_ADD, GRAD_IN(*sum, more)));
    }
    *sum = more;
    if (++b->given[x->id] < b->expected[x->id] || !param) return;
    grad_finish(b,
                grad_node_of(b, n, "grad", x->name, G_GRADIENT, GRAD_IN(more, b->forward[x->id])));
}
