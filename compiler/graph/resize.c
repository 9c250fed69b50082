/* A graph for another batch, or another length. In: a graph whose shapes are known. Out: the same
 * nodes with their shapes inferred again; weights and attributes stay. */
#include "graph/ops.h"

/* Tensors of callers: [B], [B,S] of integers, or [B,labels]. */
static void resize_input(const graph_t *from, const graph_t *to, gnode_t *n) {
    n->shape[0] = dim(to->batch);
    if (n->rank == 2 && n->type == G_I32 && dim_equal(n->shape[1], from->length))
        n->shape[1] = to->length;
}

graph_t *graph_resize(arena_t *a, const graph_t *g, const graph_size_t *size, diag_t *d) {
    graph_t *to = ARENA_NEW(a, graph_t);
    *to = *g;
    to->arena = a;
    to->nodes = NULL;
    to->n_nodes = to->cap_nodes = 0;
    to->batch = size->batch;
    to->length = size->length;
    to->padded = size->padded;
    to->units = size->units;
    bool ok = true;
    for (size_t i = 0; i < g->n_nodes && ok; i++) {
        gnode_t *n = graph_append(to, g->nodes[i]->op);
        *n = *g->nodes[i];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k]) n->in[k] = to->nodes[n->in[k]->id];
        if (n->op == G_INPUT) resize_input(g, to, n);
        ok = graph_infer(to, n, d);
    }
    return ok ? to : NULL;
}
