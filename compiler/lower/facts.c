/* Questions that many files of this folder ask about a call, an attention, a node. */
#include "lower/elements.h"
#include "lower/rows.h"

bool is_prefill(const lower_t *L) {
    return L->o->cache_batch > 0 && !L->few;
}

bool only_prefills(const lower_t *L) {
    return is_prefill(L) && L->o->cache_batch > 1;
}

dim_t output_rows(const lower_t *L) {
    return dim_scale(L->padded, L->batch);
}

const char *kernel_of(lower_t *L, const attention_t *a, const char *what) {
    return arena_printf(L->arena, "%s_%s", a->name, what);
}

bool is_sorted(const attention_t *a) {
    return a->lsh && !a->exact;
}

bool feeds_attention(const lower_t *L, const gnode_t *n) {
    const nodes_t *readers = &L->regions->readers[n->id];
    for (int i = 0; i < readers->n; i++)
        if (graph_kind(readers->at[i]) != K_MIX) return false;
    return readers->n > 0 && L->regions->stored[n->id];
}

buffer_t *operand_buffer(const attention_t *a, const gnode_t *n) {
    if (n == a->query) return a->q;
    if (n == a->dy) return a->dy_heads;
    if (n == a->value) return a->v;
    if (n == a->key) return a->k;
    if (n == graph_unrounded(a->query)) return a->plain_q;
    return n == graph_unrounded(a->value) ? a->plain_v : a->plain_k;
}

bool is_operand(const attention_t *a, const gnode_t *n) {
    if (!a) return false;
    return n == a->query || n == a->key || n == a->value || n == a->dy ||
           n == graph_unrounded(a->query) || n == graph_unrounded(a->key) ||
           n == graph_unrounded(a->value);
}

bool is_norm(const gnode_t *n) {
    return n->op == G_LAYER_NORM || n->op == G_RMS_NORM;
}

int64_t width_of(const gnode_t *n) {
    return n->shape[n->rank - 1].c;
}
