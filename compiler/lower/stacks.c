/* Weights of a class: in which stack each stands, and where its members find theirs. Members that find all of their
 * weights at the same places share one list of indices, which the kernel takes as one parameter. */
#include <string.h>

#include "lower/lower_int.h"

/* The number of a list of indices among the part's, which it joins if it is new there. */
int part_vector(part_t *p, const int32_t *at, int64_t bound) {
    size_t bytes = sizeof *at * (size_t)p->class->count;
    for (int i = 0; i < p->n_vectors; i++) {
        if (memcmp(p->vector[i], at, bytes) != 0) continue;
        if (bound < p->bound[i]) p->bound[i] = bound; /* below both */
        return i;
    }
    if (p->n_vectors == MOST_INDICES) bug("a class with %d lists of indices", MOST_INDICES + 1);
    p->vector[p->n_vectors] = at;
    p->bound[p->n_vectors] = bound;
    return p->n_vectors++;
}

buffer_t *stack_buffer(lower_t *L, const layout_entry_t *e, int rank, const int64_t *dims) {
    const char *name = arena_printf(L->arena, "w_%s", identifier(L, e->name));
    buffer_t *made = module_find_buffer(L->m, name);
    if (made) return made;
    dim_t d[MAX_RANK];
    int64_t elements = 1;
    for (int i = 0; i < rank; i++) {
        d[i] = dim(dims[i]);
        elements *= dims[i];
    }
    if (elements * (int64_t)sizeof(float) > e->bytes) bug("%s is seen larger than it is", e->name);
    made = module_buffer(L->m, BUF_WEIGHTS, name, E_F32, rank, d);
    made->offset = dim(e->offset);
    return made;
}

/* Few rows take the panels of all heads as one row of them. */
static buffer_t *packed_stack(lower_t *L, const layout_entry_t *e) {
    int64_t flat[] = {e->packed[0], e->packed[1] * e->packed[2], e->packed[3], e->packed[4]};
    if (L->few && e->kind == PACK_HEAD_PANELS) return stack_buffer(L, e, 4, flat);
    return stack_buffer(L, e, e->packed_rank, e->packed);
}

/* A table of rows, as embeddings are: it stands alone. */
static bool is_table(const gnode_t *param, const layout_entry_t *e) {
    return e->kind == PACK_ROWS && param->rank == 2;
}

static bool place_role(lower_t *L, part_t *p, int k) {
    const gnode_t *param = p->class->pattern->params.at[k];
    int32_t *at = ARENA_ARRAY(L->arena, int32_t, p->class->count);
    const layout_entry_t *stack = NULL;
    for (int m = 0; m < p->class->count; m++) {
        const gnode_t *own = p->class->members[m]->params.at[k];
        int index = 0;
        const layout_entry_t *e = layout_find(L->layout, own->name, &index);
        if (!e) bug("no weight %s in the layout", own->name);
        if (stack && e != stack) {
            diag_error(
                L->d, own->at,
                "%s and %s do the same for equal parts of layers, but are called differently",
                param->name, own->name);
            diag_hint(L->d, "names of such weights may differ in the number of their layer alone");
            return false;
        }
        stack = e;
        at[m] = index;
    }
    p->roles[k].w =
        is_table(param, stack) ? stack_buffer(L, stack, 2, stack->shape) : packed_stack(L, stack);
    p->roles[k].vector = part_vector(p, at, stack->count);
    return true;
}

bool make_parts(lower_t *L) {
    const regions_t *r = L->regions;
    bool ok = true;
    L->parts = ARENA_ARRAY(L->arena, part_t, r->n_classes);
    for (int i = 0; i < r->n_classes; i++) {
        part_t *p = &L->parts[i];
        p->class = r->classes[i];
        p->roles = ARENA_ARRAY(L->arena, role_t, p->class->pattern->params.n + 1);
        for (int k = 0; k < p->class->pattern->params.n; k++) ok = place_role(L, p, k) && ok;
    }
    return ok;
}

part_t *part_of_node(lower_t *L, const gnode_t *n) {
    return &L->parts[L->regions->of_node[n->id]->class->id];
}

/* Whatever the graph says has to be computed by somebody. */
bool every_part_is_used(lower_t *L) {
    bool ok = true;
    for (int i = 0; i < L->regions->n_classes; i++) {
        const gnode_t *n = L->regions->classes[i]->pattern->nodes.at[0];
        if (L->parts[i].used) continue;
        diag_error(L->d, n->at, "%s: no kernel computes this %s", n->name, graph_op_name(n->op));
        ok = false;
    }
    return ok;
}

const role_t *role_of(const part_t *p, const gnode_t *param) {
    int k = nodes_find(&p->class->pattern->params, param);
    if (k < 0) bug("%s is no weight of its class", param->name);
    return &p->roles[k];
}

bool counts_layers(const part_t *p, int vector) {
    for (int m = 0; m < p->class->count; m++)
        if (p->vector[vector][m] != p->class->members[m]->layer) return false;
    return true;
}

void index_params(lower_t *L, builder_t *b, const part_t *p, value_t **values) {
    int more = 0;
    for (int i = 0; i < p->n_vectors; i++) {
        const char *name = counts_layers(p, i) ? "layer" : "index";
        if (strcmp(name, "index") == 0 && more++ > 0)
            name = arena_printf(L->arena, "index_%d", more);
        values[i] = kernel_param(b, name, p->bound[i]);
    }
}
