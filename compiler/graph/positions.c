/* Rows that begin at positions of their own: graph_with_positions (graph.h).
 *
 * In: the graph of a forward, whose rows begin at the first position. Out: the same nodes, but an
 * EMBED_FROM for the EMBED, which reads an input that says where each row begins. Crops that are
 * shorter than the positions train all of them so. */
#include <string.h>

#include "graph/ops.h"

static const char input_name[] = "positions";

static gnode_t *add_input(graph_t *g, const gnode_t *embed) {
    gnode_t *n = graph_append(g, G_INPUT);
    n->name = input_name;
    n->at = embed->at;
    n->type = G_I32;
    n->rank = 1;
    n->shape[0] = dim(g->batch);
    return n;
}

static void begin_anywhere(gnode_t *embed, gnode_t *positions) {
    size_t behind = (size_t)embed->n_in - 1;
    embed->op = G_EMBED_FROM;
    memmove(&embed->in[2], &embed->in[1], behind * sizeof(gnode_t *));
    embed->in[1] = positions;
    embed->n_in++;
}

graph_t *graph_with_positions(arena_t *a, const graph_t *from, diag_t *d) {
    graph_t *g = ARENA_NEW(a, graph_t);
    gnode_t **made = ARENA_ARRAY(a, gnode_t *, from->n_nodes), *positions = NULL;
    bool taken = graph_find(from, input_name) != NULL;
    *g = *from;
    g->arena = a;
    g->nodes = NULL;
    g->n_nodes = g->cap_nodes = 0;
    for (size_t i = 0; i < from->n_nodes; i++) {
        const gnode_t *n = from->nodes[i];
        bool embeds = n->op == G_EMBED && !taken;
        if (embeds && !positions) positions = add_input(g, n);
        gnode_t *copy = made[i] = graph_append(g, n->op);
        int id = copy->id;
        *copy = *n;
        copy->id = id;
        for (int k = 0; k < n->n_in; k++) copy->in[k] = n->in[k] ? made[n->in[k]->id] : NULL;
        if (embeds) begin_anywhere(copy, positions);
    }
    return graph_check(g, d) ? g : NULL;
}
