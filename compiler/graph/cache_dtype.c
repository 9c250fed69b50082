/* Number types of caches: graph_set_cache_dtype (graph.h). docs/dtype.md.
 *
 * In: the graph of a step, and of its forward. Out: every state of the step is of the type that was
 * asked for, or else of that of the factors of its attention's forward. Keys and values are rounded
 * to a state's type as they join it; the attention of a step has factors of that type. What a step
 * hashes is rounded nowhere. */
#include <string.h>

#include "graph/ops.h"

/* The forward's attention of this name, looked for from *next on: both have their
 * layers in one order. */
static const gnode_t *attention_of(const graph_t *forward, const gnode_t *step, size_t *next) {
    for (size_t i = 0; i < forward->n_nodes; i++) {
        size_t at = (*next + i) % forward->n_nodes;
        const gnode_t *n = forward->nodes[at];
        if (!graph_is_attention(n) || strcmp(n->name, step->name) != 0) continue;
        *next = at + 1;
        return n;
    }
    return NULL;
}

static gtype_t type_of(const gnode_t *attention, cache_dtype_t wanted) {
    switch (wanted) {
    case CACHE_FLOAT32: return G_F32;
    case CACHE_BFLOAT16: return G_BF16;
    case CACHE_LIKE_ATTENTION: break;
    }
    return attention && attention->in[0]->type == G_BF16 ? G_BF16 : G_F32;
}

void graph_set_cache_dtype(graph_t *step, const graph_t *forward, cache_dtype_t wanted) {
    size_t next = 0;
    for (size_t i = 0; i < step->n_nodes; i++) {
        const gnode_t *n = step->nodes[i];
        if (!graph_is_step(n)) continue;
        gnode_t *state = n->in[n->op == G_LSH_STEP ? 3 : 4];
        state->type = type_of(attention_of(forward, n, &next), wanted);
    }
}
