#include "graph_edit.h"

#include <string.h>

#include "graph/ops.h"

gnode_t *edit_node(const edit_t *e, const char *what) {
    return graph_find(e->g, arena_printf(e->g->arena, "layers.%d.%s", e->layer, what));
}

gnode_t *edit_weight(const edit_t *e, const char *what) {
    return graph_find(e->g, arena_printf(e->g->arena, "encoder.layers.%d.%s", e->layer, what));
}

static gnode_t *append(edit_t *e, gop_t op, const char *prefix, const char *what) {
    gnode_t *n = graph_append(e->g, op);
    n->name =
        e->layer < 0 ? what : arena_printf(e->g->arena, "%slayers.%d.%s", prefix, e->layer, what);
    n->layer = e->layer;
    n->at = e->g->nodes[0]->at;
    return n;
}

gnode_t *edit_param(edit_t *e, const char *what, int64_t rows, int64_t columns) {
    gnode_t *n = append(e, G_PARAM, "encoder.", what);
    n->rank = columns ? 2 : 1;
    n->shape[0] = dim(rows);
    n->shape[1] = dim(columns);
    return n;
}

gnode_t *edit_add(edit_t *e, gop_t op, const char *what, gnode_t *x, gnode_t *y, gnode_t *z) {
    gnode_t *n = append(e, op, "", what), *in[] = {x, y, z};
    for (int i = 0; i < 3 && in[i]; i++) n->in[n->n_in++] = in[i];
    return n;
}

static const char *with(edit_t *e, const char *what, const char *suffix) {
    return arena_printf(e->g->arena, "%s%s", what, suffix);
}

gnode_t *edit_norm(edit_t *e, const char *what, gnode_t *x, int64_t width) {
    gnode_t *weight = edit_param(e, with(e, what, ".layer_norm.weight"), width, 0);
    gnode_t *bias = edit_param(e, with(e, what, ".layer_norm.bias"), width, 0);
    gnode_t *n = edit_add(e, G_LAYER_NORM, what, x, weight, bias);
    n->eps = 1e-6;
    return n;
}

gnode_t *edit_dense(edit_t *e, const char *what, gnode_t *x, int64_t out, int64_t in, bool bias) {
    gnode_t *weight = edit_param(e, with(e, what, ".dense.weight"), out, in);
    return edit_add(e, G_DENSE, what, x, weight,
                    bias ? edit_param(e, with(e, what, ".dense.bias"), out, 0) : NULL);
}

gnode_t *edit_copy(edit_t *e, const gnode_t *n, const char *what) {
    gnode_t *copy = append(e, n->op, n->op == G_PARAM ? "encoder." : "", what);
    const char *name = copy->name;
    int id = copy->id;
    *copy = *n;
    copy->name = name;
    copy->id = id;
    copy->trace = n->trace ? name : NULL;
    return copy;
}

void edit_replace(edit_t *e, const gnode_t *from, gnode_t *to, const gnode_t *except) {
    for (size_t i = 0; i < e->g->n_nodes; i++) {
        gnode_t *n = e->g->nodes[i];
        if (except && n->id >= except->id) continue;
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] == from) n->in[k] = to;
    }
}

/* ---- in order again ----------------------------------------------------------------------------------- */

typedef struct {
    graph_t *g;
    gnode_t **sorted;
    size_t n;
    bool *kept, *placed; /* by id */
} order_t;

static void keep(order_t *o, const gnode_t *n) {
    if (o->kept[n->id]) return;
    o->kept[n->id] = true;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k]) keep(o, n->in[k]);
}

static void place(order_t *o, gnode_t *n) {
    if (o->placed[n->id]) return;
    o->placed[n->id] = true;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k]) place(o, n->in[k]);
    o->sorted[o->n++] = n;
}

bool edit_finish(edit_t *e, diag_t *d) {
    graph_t *g = e->g;
    order_t o = {g, ARENA_ARRAY(g->arena, gnode_t *, g->n_nodes), 0,
                 ARENA_ARRAY(g->arena, bool, g->n_nodes), ARENA_ARRAY(g->arena, bool, g->n_nodes)};
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == G_INPUT || graph_output(g, g->nodes[i]->name)) keep(&o, g->nodes[i]);
    for (size_t i = 0; i < g->n_nodes; i++)
        if (o.kept[i]) place(&o, g->nodes[i]);
    g->nodes = o.sorted;
    g->n_nodes = g->cap_nodes = o.n;
    bool ok = true;
    for (size_t i = 0; i < g->n_nodes; i++) g->nodes[i]->id = (int)i;
    for (size_t i = 0; i < g->n_nodes && ok; i++)
        if (graph_kind(g->nodes[i]) != K_LEAF) ok = graph_infer(g, g->nodes[i], d);
    return ok && graph_check(g, d);
}
