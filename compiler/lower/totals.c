/* Where sums go, and sums of sums: see totals.h. */
#include "lower/totals.h"

/* ---- the caller's gradients ------------------------------------------------------------------ */

/* The array of a stack of gradients. Stacks whose names differ in '.' and '_'
 * alone are numbered. */
static buffer_t *gradient_buffer(lower_t *L, const layout_entry_t *e) {
    const char *base = arena_printf(L->arena, "g_%s", identifier(L, e->name)), *name = base;
    buffer_t *made;
    for (int k = 2; (made = module_find_buffer(L->m, name)); k++) {
        if (made->kind == BUF_OUTPUT && dim_equal(made->offset, dim(e->offset))) return made;
        name = arena_printf(L->arena, "%s_%d", base, k);
    }
    dim_t d[MAX_RANK];
    for (int i = 0; i < e->packed_rank; i++) d[i] = dim(e->packed[i]);
    made = slot_buffer(L, BUF_OUTPUT, REFORMER_SLOT_GRADIENTS, name, E_F32, e->packed_rank, d);
    made->offset = dim(e->offset);
    return made;
}

buffer_t *gradient_array(lower_t *L, part_t *p, int place, int *vector) {
    const class_t *class = p->class;
    int32_t *at = ARENA_ARRAY(L->arena, int32_t, class->count);
    const layout_entry_t *stack = NULL;
    for (int m = 0; m < class->count; m++) {
        const gnode_t *param = class->members[m]->nodes.at[place]->in[1];
        int index = 0;
        const layout_entry_t *e = layout_find(L->gradients, param->name, &index);
        if (!e || (stack && e != stack)) bug("no place for the gradient of %s", param->name);
        stack = e;
        at[m] = index;
    }
    *vector = part_vector(p, at, stack->count);
    return gradient_buffer(L, stack);
}

/* ---- parts of sums --------------------------------------------------------------------------- */

static bool is_part(const lower_t *L, const gnode_t *sum) {
    const nodes_t *readers = &L->regions->readers[sum->id];
    for (int i = 0; i < readers->n; i++)
        if (readers->at[i]->op == G_TOTAL) return true;
    return false;
}

static bool same_shape(const gnode_t *a, const gnode_t *b) {
    bool same = a->rank == b->rank;
    for (int i = 0; i < a->rank && same; i++) same = dim_equal(a->shape[i], b->shape[i]);
    return same;
}

/* Among all of its shape: how many stand before it; NULL: how many there are like `like`. */
static int32_t number_of(const lower_t *L, const gnode_t *like, const gnode_t *sum) {
    int32_t n = 0;
    for (size_t i = (size_t)L->regions->backward; i < L->g->n_nodes && L->g->nodes[i] != sum; i++)
        n += same_shape(L->g->nodes[i], like) && is_part(L, L->g->nodes[i]);
    return n;
}

static buffer_t *parts_buffer(lower_t *L, const gnode_t *sum) {
    dim_t d[] = {dim(number_of(L, sum, NULL)), sum->shape[0], sum->shape[1]};
    const char *name = "parts";
    for (int i = 0; i < sum->rank; i++)
        name = arena_printf(L->arena, "%s_%lld", name, (long long)sum->shape[i].c);
    buffer_t *made = module_find_buffer(L->m, name);
    return made ? made
                : workspace(L, name, E_F32, sum->rank + 1, d, "[part][shape …]: parts of sums");
}

/* Of what is at this place in the members' nodes, or, input >= 0, of that input of it. */
static buffer_t *parts_of(lower_t *L, part_t *p, int place, int input, int *vector) {
    const class_t *class = p->class;
    int32_t *at = ARENA_ARRAY(L->arena, int32_t, class->count);
    const gnode_t *like = NULL;
    for (int m = 0; m < class->count; m++) {
        const gnode_t *sum = class->members[m]->nodes.at[place];
        if (input >= 0) sum = sum->in[input];
        if (!like) like = sum;
        at[m] = number_of(L, like, sum);
    }
    *vector = part_vector(p, at, number_of(L, like, NULL));
    return parts_buffer(L, like);
}

buffer_t *sum_array(lower_t *L, part_t *p, int place, int *vector) {
    const nodes_t *nodes = &p->class->pattern->nodes;
    for (int i = place + 1; i < nodes->n; i++)
        if (nodes->at[i]->op == G_GRADIENT && nodes->at[i]->in[0] == nodes->at[place])
            return gradient_array(L, p, i, vector);
    return parts_of(L, p, place, -1, vector);
}

/* ---- kernels --------------------------------------------------------------------------------- */

typedef struct {
    buffer_t *array[3]; /* the result, the two that it is of */
    affine_t place[3], row;
} total_t;

static value_t *part_at(builder_t *b, const total_t *t, int k, affine_t at, int width) {
    affine_t matrix[] = {t->place[k], t->row, at}, vector[] = {t->place[k], at};
    return b_load(b, t->array[k], width, t->array[k]->rank == 3 ? matrix : vector);
}

static void total_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const total_t *t = ctx;
    affine_t matrix[] = {t->place[0], t->row, at}, vector[] = {t->place[0], at};
    value_t *x = part_at(b, t, 1, at, width), *y = part_at(b, t, 2, at, width);
    (void)L;
    b_store(b, t->array[0], b_binary(b, OP_ADD, x, y), t->array[0]->rank == 3 ? matrix : vector);
}

bool lower_total(lower_t *L, part_t *p) {
    const gnode_t *n = p->class->pattern->nodes.at[0];
    total_t t;
    int vector[3];
    t.array[0] = sum_array(L, p, 0, &vector[0]);
    for (int k = 0; k < 2; k++) t.array[k + 1] = parts_of(L, p, 0, k, &vector[k + 1]);
    if (part_is_crowded(L, p)) return false;
    dim_t rows = n->rank > 1 ? n->shape[0] : dim(1);
    builder_t b = build_kernel(L->m, free_name(L, "total"), 1, &rows, NULL);
    describe(L, b.fn, n->at, "the gradient of a param that several read");
    value_t *index[MAX_INDICES];
    index_params(L, &b, p, index);
    for (int k = 0; k < 3; k++) t.place[k] = ax_v(index[vector[k]]);
    t.row = ax_v(b.fn->task[0]);
    for_span(L, &b, n->shape[n->rank - 1].c, total_span, &t);
    p->used = true;
    p->kernel = b.fn;
    return true;
}
