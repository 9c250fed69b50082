/* Number types of products: graph_with_dtype (graph.h). docs/dtype.md.
 *
 * In: the graph of a forward, of a prefill or of a step. Out: the same nodes, but the weight of every DENSE is a bf16 PARAM,
 * and its x a ROUND: right behind the value that it rounds, once, however many read it; so are the q, k and v of LSH and of
 * local attention, but not what is hashed, or kept for steps. What is rounded already stays as it is, so that doing it twice
 * is doing it once. A weight that something else reads too, as word embeddings, is left alone, and so is its DENSE: that
 * would be rounded with it. An attention that drops probabilities is left alone, too: that is training's. */
#include "graph/ops.h"

/* By id of the nodes of `from`. */
typedef struct {
    const graph_t *from;
    graph_t *g;
    bool *elsewhere; /* of a PARAM: it is read as something else than the weight of a DENSE */
    bool *rounds;    /* a ROUND of it is to be made */
    gnode_t **round; /* the ROUND of it, in g; NULL: there is none */
    gnode_t **to;
} rounder_t;

static bool takes_bf16(const rounder_t *r, const gnode_t *n) {
    return n->op == G_DENSE && !r->elsewhere[n->in[1]->id];
}

/* How many of its inputs, the first ones, are rounded. */
static int rounded_inputs(const rounder_t *r, const gnode_t *n) {
    if (n->op == G_LSH_ATTENTION && n->rate == 0) return 2;
    if (n->op == G_LOCAL_ATTENTION && n->rate == 0) return 3;
    return takes_bf16(r, n) ? 1 : 0;
}

static void find_weights(rounder_t *r) {
    for (size_t i = 0; i < r->from->n_nodes; i++) {
        const gnode_t *n = r->from->nodes[i];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] && !(n->op == G_DENSE && k == 1)) r->elsewhere[n->in[k]->id] = true;
    }
}

/* A ROUND that stands before the first who needs one does for all. */
static void find_values(rounder_t *r) {
    bool *rounded = ARENA_ARRAY(r->g->arena, bool, r->from->n_nodes);
    for (size_t i = 0; i < r->from->n_nodes; i++) {
        const gnode_t *n = r->from->nodes[i];
        if (n->op == G_ROUND) rounded[n->in[0]->id] = true;
        for (int k = 0; k < rounded_inputs(r, n); k++) {
            const gnode_t *x = n->in[k];
            if (x->type == G_BF16 || rounded[x->id]) continue;
            r->rounds[x->id] = rounded[x->id] = true;
        }
    }
}

static gnode_t *copy(rounder_t *r, const gnode_t *from) {
    gnode_t *n = graph_append(r->g, from->op);
    int id = n->id;
    *n = *from;
    n->id = id;
    for (int k = 0; k < n->n_in; k++) n->in[k] = n->in[k] ? r->to[n->in[k]->id] : NULL;
    return n;
}

static gnode_t *round_of(rounder_t *r, const gnode_t *x, diag_t *d) {
    gnode_t *n = graph_append(r->g, G_ROUND);
    n->name = arena_printf(r->g->arena, "%s.rounded", x->name);
    n->layer = x->layer;
    n->at = x->at;
    n->in[n->n_in++] = r->to[x->id];
    return graph_infer(r->g, n, d) ? n : NULL;
}

static bool take(rounder_t *r, const gnode_t *from, diag_t *d) {
    gnode_t *n = r->to[from->id] = copy(r, from);
    for (int k = 0; k < rounded_inputs(r, from); k++)
        if (from->in[k]->type != G_BF16) n->in[k] = r->round[from->in[k]->id];
    if (takes_bf16(r, from)) n->in[1]->type = G_BF16;
    if (from->op == G_ROUND && !r->round[from->in[0]->id]) r->round[from->in[0]->id] = n;
    if (!r->rounds[from->id]) return true;
    return (r->round[from->id] = round_of(r, from, d)) != NULL;
}

static graph_t *rounded(arena_t *a, const graph_t *from, diag_t *d) {
    size_t n = from->n_nodes;
    graph_t *g = ARENA_NEW(a, graph_t);
    *g = *from;
    g->arena = a;
    g->nodes = NULL;
    g->n_nodes = g->cap_nodes = 0;
    rounder_t r = {.from = from,
                   .g = g,
                   .elsewhere = ARENA_ARRAY(a, bool, n),
                   .rounds = ARENA_ARRAY(a, bool, n),
                   .round = ARENA_ARRAY(a, gnode_t *, n),
                   .to = ARENA_ARRAY(a, gnode_t *, n)};
    find_weights(&r);
    find_values(&r);
    for (size_t i = 0; i < n; i++)
        if (!take(&r, from->nodes[i], d)) return NULL;
    return graph_names_differ(g, "rounding", d) && graph_check(g, d) ? g : NULL;
}

graph_t *graph_with_dtype(arena_t *a, graph_t *g, dtype_t dtype, diag_t *d) {
    switch (dtype) {
    case DTYPE_FLOAT32: return g;
    case DTYPE_BFLOAT16: return rounded(a, g, d);
    }
    bug("graph_with_dtype: no number type %d", (int)dtype);
}

bool graph_has_type(const graph_t *g, gtype_t type) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->type == type) return true;
    return false;
}

const gnode_t *graph_unrounded(const gnode_t *n) {
    return n && n->op == G_ROUND ? n->in[0] : n;
}
