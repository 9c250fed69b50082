/* What regions.c, backward.c, classes.c, homes.c and kept.c ask of nodes, and lists of them. */
#include <stdio.h>
#include <string.h>

#include "lower/regions_int.h"

bool is_rows(const gnode_t *n) {
    return graph_kind(n) == K_ROW || graph_kind(n) == K_PICK;
}

int nodes_find(const nodes_t *list, const gnode_t *n) {
    for (int i = 0; i < list->n; i++)
        if (list->at[i] == n) return i;
    return -1;
}

void growing_push(const cut_t *c, growing_t *list, const gnode_t *n) {
    ARENA_PUSH(c->arena, list->nodes.at, list->nodes.n, list->cap) = n;
}

bool is_backward(const cut_t *c, const gnode_t *n) {
    return n->id >= c->r->backward;
}

int joint(cut_t *c, int id) {
    while (c->joined[id] != id) id = c->joined[id] = c->joined[c->joined[id]];
    return id;
}

void join_nodes(cut_t *c, const gnode_t *a, const gnode_t *b) {
    c->joined[joint(c, a->id)] = joint(c, b->id);
}

bool is_passing(const cut_t *c, const gnode_t *n) {
    return is_rows(n) && !c->r->stored[n->id];
}

bool passes_into(const cut_t *c, const gnode_t *n, const gnode_t *reader) {
    return is_passing(c, n) && !(c->r->kept[n->id] && is_backward(c, reader));
}

/* Bytes of a name before "layers.N.", N the number of its layer, and where it
 * goes on behind that. */
static size_t before_layer(const char *name, int layer, const char **behind) {
    char number[32];
    int n = snprintf(number, sizeof number, "layers.%d.", layer);
    const char *at = layer < 0 ? NULL : strstr(name, number);
    *behind = at ? at + n : "";
    return at ? (size_t)(at - name) : strlen(name);
}

bool same_names(const char *a, int layer_a, const char *b, int layer_b) {
    const char *rest_a, *rest_b;
    if (!a || !b) return a == b;
    size_t n = before_layer(a, layer_a, &rest_a), m = before_layer(b, layer_b, &rest_b);
    return n == m && memcmp(a, b, n) == 0 && strcmp(rest_a, rest_b) == 0;
}

bool have_same_rows(const gnode_t *a, const gnode_t *b) {
    if (a->type != b->type || a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (!dim_equal(a->shape[i], b->shape[i])) return false;
    return true;
}
