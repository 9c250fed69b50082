/* A forward that fills a cache: graph_keep (graph.h).
 *
 * In: the graph of a forward, and of a step, which says what is kept of each attention. Out: the
 * forward with a *_STATE and a *_KEEP before each attention, which takes the operands as they are
 * there, or were before they were rounded for it: a step hashes what it keeps. */
#include <string.h>

#include "graph/ops.h"

typedef struct {
    graph_t *g;
    const graph_t *step;
    size_t next; /* node of the step to look at first: both have their layers in one order */
    gnode_t **nodes;
    size_t n, cap;
    diag_t *d;
} keep_walk_t;

static void add(keep_walk_t *k, gnode_t *n) {
    n->id = (int)k->n;
    ARENA_PUSH(k->g->arena, k->nodes, k->n, k->cap) = n;
}

/* The step of this attention; NULL: there is none of its name. */
static const gnode_t *step_of(keep_walk_t *k, const gnode_t *attention) {
    for (size_t i = 0; i < k->step->n_nodes; i++) {
        size_t at = (k->next + i) % k->step->n_nodes;
        const gnode_t *n = k->step->nodes[at];
        if (!graph_is_step(n) || strcmp(n->name, attention->name) != 0) continue;
        k->next = at + 1;
        return n;
    }
    return NULL;
}

static gnode_t *new_node(keep_walk_t *k, gop_t op, const gnode_t *like, const char *what) {
    gnode_t *n = ARENA_NEW(k->g->arena, gnode_t);
    *n = (gnode_t){.op = op, .layer = like->layer, .at = like->at};
    n->name = arena_printf(k->g->arena, "%s.%s", like->name, what);
    return n;
}

static gnode_t *add_state(keep_walk_t *k, const gnode_t *of) {
    gnode_t *state = ARENA_NEW(k->g->arena, gnode_t);
    *state = *of;
    add(k, state);
    return state;
}

/* The buckets that the attention is sorted by; NULL: it sees every token. */
static gnode_t *buckets_of(const gnode_t *attention) {
    return attention->op == G_LSH_ATTENTION ? attention->in[2]->in[0] : NULL;
}

/* What an attention reads as its input k, not rounded. */
static gnode_t *operand(const gnode_t *attention, int k) {
    gnode_t *n = attention->in[k];
    return n->op == G_ROUND ? n->in[0] : n;
}

static bool keep(keep_walk_t *k, const gnode_t *attention, const gnode_t *step) {
    bool lsh = step->op == G_LSH_STEP;
    bool fits = lsh ? attention->op == G_LSH_ATTENTION ||
                          (attention->op == G_EXACT_ATTENTION && attention->shared_qk)
                    : attention->op != G_LSH_ATTENTION && !attention->shared_qk;
    if (!fits) {
        diag_error(k->d, attention->at, "%s: its step is of another kind", attention->name);
        return false;
    }
    gnode_t *state = add_state(k, step->in[lsh ? 3 : 4]);
    gnode_t *n = new_node(k, lsh ? G_LSH_KEEP : G_LOCAL_KEEP, attention, "keep");
    n->heads = attention->heads;
    n->head_size = attention->head_size;
    n->in[n->n_in++] = operand(attention, lsh ? 0 : 1);
    n->in[n->n_in++] = operand(attention, attention->op == G_LSH_ATTENTION ? 1 : 2);
    n->in[n->n_in++] = state;
    if (lsh) n->in[n->n_in++] = buckets_of(attention);
    add(k, n);
    return graph_infer(k->g, state, k->d) && graph_infer(k->g, n, k->d);
}

bool graph_keep(graph_t *g, const graph_t *step, diag_t *d) {
    keep_walk_t k = {.g = g, .step = step, .d = d};
    bool ok = true;
    int kept = 0, states = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        gnode_t *n = g->nodes[i];
        const gnode_t *of = graph_is_attention(n) ? step_of(&k, n) : NULL;
        if (of) ok = keep(&k, n, of) && ok, kept++;
        add(&k, n);
    }
    for (size_t i = 0; i < step->n_nodes; i++) states += graph_is_state(step->nodes[i]);
    g->nodes = k.nodes;
    g->n_nodes = k.n;
    g->cap_nodes = k.cap;
    if (kept == states) return ok;
    diag_error(d, step->nodes[0]->at, "%d attentions of a step have no forward of their name",
               states - kept);
    return false;
}
