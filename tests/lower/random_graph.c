/* Edits of random_graph.h, on the nodes of a built graph. In: a plan that is not lowered, of one literal length. */
#include "random_graph.h"

#include <string.h>

#include "graph/ops.h"
#include "plan/layout.h"

static gnode_t *in_layer(arena_t *a, graph_t *g, int layer, const char *what) {
    return graph_find(g, arena_printf(a, "layers.%d.%s", layer, what));
}

static gnode_t *weight(arena_t *a, graph_t *g, int layer, const char *what) {
    return graph_find(g, arena_printf(a, "encoder.layers.%d.%s", layer, what));
}

/* Whoever reads n reads its first input instead; n and its weights go. */
static void drop(graph_t *g, gnode_t *n) {
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k] == n) g->nodes[i]->in[k] = n->in[0];
    size_t kept = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        gnode_t *x = g->nodes[i];
        bool own = x == n;
        for (int k = 1; k < n->n_in; k++) own |= x == n->in[k];
        if (!own) g->nodes[kept++] = x;
    }
    g->n_nodes = kept;
    for (size_t i = 0; i < kept; i++) g->nodes[i]->id = (int)i;
}

static void edit_norm(arena_t *a, graph_t *g, int layer, const char *what) {
    gnode_t *norm = in_layer(a, g, layer, what);
    if (draw(3) == 0) norm->eps = draw(2) ? 1e-5 : 1e-3;
    else if (draw(4) == 0) drop(g, norm);
}

static void edit_activation(arena_t *a, graph_t *g, int layer) {
    gnode_t *act = in_layer(a, g, layer, "feed_forward_act");
    if (draw(2)) act->act = (act_t)draw(ACT_COUNT);
    else if (draw(4) == 0) drop(g, act);
}

static void edit_width(arena_t *a, graph_t *g, int layer) {
    if (draw(2)) return;
    int64_t width = PICK(5, 16, 33, 70);
    weight(a, g, layer, "feed_forward.dense.dense.weight")->shape[0] = dim(width);
    weight(a, g, layer, "feed_forward.dense.dense.bias")->shape[0] = dim(width);
    weight(a, g, layer, "feed_forward.output.dense.weight")->shape[1] = dim(width);
}

/* A chunk length of its own, which divides the padded length. */
static void edit_window(arena_t *a, graph_t *g, int layer) {
    gnode_t *n = in_layer(a, g, layer, "self_attention");
    if (n->op == G_EXACT_ATTENTION || draw(2)) return;
    int64_t wanted = PICK(2, 3, 4, 6, 8, 12), padded = g->padded.c;
    while (padded % wanted) wanted--;
    if (wanted < 2 || wanted == padded) return;
    n->chunk = wanted;
    n->before = 1 + draw(2);
}

/* y + x for x + y: no longer written over the stream. */
static void turn_sum(arena_t *a, graph_t *g, int layer, const char *sum, const char *addend) {
    if (draw(5)) return;
    gnode_t *n = in_layer(a, g, layer, sum), *x = n->in[0];
    n->in[0] = n->in[1];
    n->in[1] = x;
    in_layer(a, g, layer, addend)->trace = NULL; /* shown as a difference of the stream */
}

static bool edit_graph(arena_t *a, graph_t *g, diag_t *d) {
    for (int layer = 0; layer < g->spec->n_layers; layer++) {
        edit_norm(a, g, layer, "attention_norm");
        edit_norm(a, g, layer, "feed_forward_norm");
        edit_activation(a, g, layer);
        edit_width(a, g, layer);
        edit_window(a, g, layer);
        turn_sum(a, g, layer, "y1", "attention");
        turn_sum(a, g, layer, "y2", "feed_forward");
    }
    bool ok = true;
    for (size_t i = 0; i < g->n_nodes && ok; i++)
        if (graph_kind(g->nodes[i]) != K_LEAF) ok = graph_infer(g, g->nodes[i], d);
    return ok && graph_check(g, d);
}

bool edit_graphs(plan_t *p, diag_t *d) {
    for (int v = 0; v < p->n_variants; v++)
        if (!edit_graph(p->arena, p->variants[v].graph, d)) return false;
    p->layout = layout_make(p->arena, p->variants[p->n_variants - 1].graph);
    return true;
}
