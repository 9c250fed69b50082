/* Weights of a class: in which stack each stands, and where its members find theirs. Members that
 * find all of their weights at the same places share one list of indices, which the kernel
 * takes as one parameter. */
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
    if (p->n_vectors == MAX_INDICES) {
        p->crowded = true;
        return 0;
    }
    p->vector[p->n_vectors] = at;
    p->bound[p->n_vectors] = bound;
    return p->n_vectors++;
}

static elem_t elem_of_entry(const layout_entry_t *e) {
    return e->type == G_BF16 ? E_BF16 : e->type == G_I8 ? E_I8 : E_F32;
}

/* An array of the weights file. */
typedef struct {
    elem_t elem;
    int64_t offset;
    int rank;
    int64_t dims[MAX_RANK];
} array_t;

static bool is_array(const buffer_t *b, const array_t *a) {
    bool same = b->kind == BUF_WEIGHTS && b->rank == a->rank &&
                dim_equal(b->offset, dim(a->offset)) && b->elem == a->elem;
    for (int i = 0; i < a->rank && same; i++) same = dim_equal(b->dims[i], dim(a->dims[i]));
    return same;
}

/* Stacks whose names differ in '.' and '_' alone are numbered. */
static buffer_t *array_buffer(lower_t *L, const layout_entry_t *e, const char *of,
                              const array_t *a) {
    const char *base = arena_printf(L->arena, "w_%s%s", identifier(L, e->name), of), *name = base;
    for (int k = 2; module_find_buffer(L->m, name); k++) {
        buffer_t *made = module_find_buffer(L->m, name);
        if (is_array(made, a)) return made;
        name = arena_printf(L->arena, "%s_%d", base, k);
    }
    dim_t d[MAX_RANK];
    int64_t bytes = elem_bytes(a->elem);
    for (int i = 0; i < a->rank; i++) {
        d[i] = dim(a->dims[i]);
        bytes *= a->dims[i];
    }
    if (a->offset == e->offset && bytes > e->bytes) bug("%s is seen larger than it is", e->name);
    buffer_t *made = module_buffer(L->m, BUF_WEIGHTS, name, a->elem, a->rank, d);
    made->offset = dim(a->offset);
    return made;
}

static buffer_t *stack_buffer(lower_t *L, const layout_entry_t *e, int rank, const int64_t *dims) {
    array_t a = {.elem = elem_of_entry(e), .offset = e->offset, .rank = rank};
    memcpy(a.dims, dims, (size_t)rank * sizeof *dims);
    return array_buffer(L, e, "", &a);
}

/* Few rows take the panels of all heads as one row of them. */
static void packed_stack(lower_t *L, const layout_entry_t *e, role_t *role) {
    bool heads = e->kind == PACK_HEAD_PANELS, flat = L->few && heads;
    int64_t all[] = {e->packed[0], e->packed[1] * e->packed[2], e->packed[3], e->packed[4]};
    role->w = stack_buffer(L, e, flat ? 4 : e->packed_rank, flat ? all : e->packed);
    if (e->rows == 0) return;
    array_t of = {E_F32, e->scales_at, 2, {e->count, e->rows}};
    if (heads && !flat)
        of = (array_t){E_F32, e->scales_at, 3, {e->count, e->heads, e->rows / e->heads}};
    role->scales = array_buffer(L, e, "_scales", &of);
    of.elem = E_I32;
    of.offset = e->starts_at;
    role->starts = array_buffer(L, e, "_starts", &of);
}

/* A table of rows, as embeddings are: one by itself. */
static void table_of_rows(lower_t *L, const layout_entry_t *e, int index, role_t *role) {
    layout_entry_t own = *e;
    if (index > 0) own.name = arena_printf(L->arena, "%s.at.%d", e->name, index);
    own.offset = e->offset + index * layout_element_bytes(e->type) * e->packed[1];
    own.bytes = e->offset + e->bytes - own.offset;
    role->w = stack_buffer(L, &own, 2, e->shape);
    if (e->rows == 0) return;
    int64_t at = e->scales_at + index * e->rows * (int64_t)sizeof(float);
    role->scales = array_buffer(L, &own, "_scales", &(array_t){E_F32, at, 1, {e->shape[0]}});
}

/* The heads that a value goes into attention by, as it is or rounded; 0: somebody else reads it. */
static int64_t heads_of(const regions_t *r, const gnode_t *n) {
    const nodes_t *readers = &r->readers[n->id];
    int64_t heads = 0;
    for (int i = 0; i < readers->n; i++) {
        const gnode_t *reader = readers->at[i];
        heads = reader->op == G_ROUND ? heads_of(r, reader) : reader->heads;
        if (reader->op == G_ROUND ? heads == 0 : graph_kind(reader) != K_MIX) return 0;
    }
    return heads;
}

bool goes_by_heads(const regions_t *r, const gnode_t *n) {
    n = graph_unrounded(n);
    return n->op == G_DENSE && !(n->n_in > 2 && n->in[2]) && heads_of(r, n) > 0;
}

/* As what the region reads a weight; false after an error: as several things. */
static bool find_arrangement(lower_t *L, const region_t *region, const gnode_t *param, bool turned,
                             arrangement_t *as, bool *found_any) {
    bool found = false;
    for (int i = 0; i < region->nodes.n; i++) {
        const gnode_t *n = region->nodes.at[i];
        for (int k = 0; k < n->n_in; k++) {
            if (n->in[k] != param || !layout_is_read(n)) continue;
            if ((n->op == G_DENSE_T) != turned) continue;
            arrangement_t own = layout_arrangement(n, k, heads_of(L->regions, n));
            bool same =
                !found || (own.kind == as->kind && own.heads == as->heads && own.type == as->type);
            if (!same) {
                diag_error(L->d, n->at, "%s: no kernel reads %s in two arrangements at once",
                           n->name, param->name);
                diag_hint(L->d, "two params with the same values will do");
                return false;
            }
            *as = own;
            *found_any = found = true;
        }
    }
    return true;
}

/* Equal regions have weights of one name but for the layer, so they stand in one stack. */
static bool place_role(lower_t *L, part_t *p, int k, bool turned) {
    const class_t *class = p->class;
    int32_t *at = ARENA_ARRAY(L->arena, int32_t, class->count);
    const layout_entry_t *stack = NULL;
    arrangement_t as = {PACK_ROWS, 0, G_F32};
    role_t *role = turned ? &p->turned[k] : &p->roles[k];
    const gnode_t *param = class->pattern->params.at[k];
    bool found = false;
    if (!find_arrangement(L, class->pattern, param, turned, &as, &found)) return false;
    if (!found) return true;
    for (int m = 0; m < class->count; m++) {
        const gnode_t *own = class->members[m]->params.at[k];
        int index = 0;
        const layout_entry_t *e = layout_find_as(L->layout, own->name, as, &index);
        if (!e || (stack && e != stack)) bug("no place for %s in the layout", own->name);
        stack = e;
        at[m] = index;
    }
    bool table = stack->kind == PACK_ROWS && stack->rank == 2;
    if (table) table_of_rows(L, stack, at[0], role);
    else packed_stack(L, stack, role);
    role->vector = part_vector(p, at, stack->count);
    return true;
}

static affine_t index_at(const part_t *p, value_t *const *index, int vector) {
    value_t *at = index[vector];
    return at ? ax_v(at) : ax(p->vector[vector][0]);
}

static const gnode_t *node_of_member(const region_t *member, int k, bool read) {
    return read ? member->reads.at[k] : member->nodes.at[k];
}

/* Of a value that the pattern has as its k-th node, or reads as such. */
static void place_kept(lower_t *L, part_t *p, int k, bool read) {
    const regions_t *r = L->regions;
    const class_t *class = p->class;
    const gnode_t *x = node_of_member(class->pattern, k, read);
    int home = r->homes[x->id].kept;
    bool own = read ? is_of_backward(r, class->pattern) : r->of_node[x->id] == class->pattern;
    if (home < 0 || !own) return;
    int32_t *at = ARENA_ARRAY(L->arena, int32_t, class->count);
    for (int m = 0; m < class->count; m++)
        at[m] = r->place[node_of_member(class->members[m], k, read)->id];
    p->kept[p->n_kept++] = (kept_in_t){home, part_vector(p, at, r->places[home])};
}

static void place_all_kept(lower_t *L, part_t *p) {
    const region_t *region = p->class->pattern;
    p->kept = ARENA_ARRAY(L->arena, kept_in_t, region->nodes.n + region->reads.n + 1);
    if (region->kind == K_MIX) return; /* by heads */
    for (int k = 0; k < region->nodes.n; k++) place_kept(L, p, k, false);
    for (int k = 0; k < region->reads.n; k++) place_kept(L, p, k, true);
}

void find_kept_rows(lower_t *L, const part_t *p, value_t *const *index, rows_at_t *at) {
    kept_at_t *kept = ARENA_ARRAY(L->arena, kept_at_t, p->n_kept + 1);
    for (int i = 0; i < p->n_kept; i++) {
        affine_t place = index_at(p, index, p->kept[i].vector);
        kept[i].stack = L->homes[p->kept[i].home];
        kept[i].batch = ax_add(ax_scale(place, L->batch), at->batch);
    }
    at->kept = kept;
    at->n_kept = p->n_kept;
}

bool part_is_crowded(lower_t *L, const part_t *p) {
    const gnode_t *n = p->class->pattern->nodes.at[0];
    if (!p->crowded) return false;
    diag_error(L->d, n->at,
               "%s: the weights that it is computed with stand in more than %d different orders",
               n->name, MAX_INDICES);
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
        p->turned = ARENA_ARRAY(L->arena, role_t, p->class->pattern->params.n + 1);
        for (int k = 0; k < 2 * p->class->pattern->params.n; k++)
            ok = place_role(L, p, k / 2, k % 2) && ok;
        place_all_kept(L, p);
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
        if (!L->parts[i].used) ok = no_kernel(L, n, "here");
    }
    return ok;
}

static int role_number(const part_t *p, const gnode_t *param) {
    int k = nodes_find(&p->class->pattern->params, param);
    if (k < 0) bug("%s is no weight of its class", param->name);
    return k;
}

const role_t *role_of(const part_t *p, const gnode_t *param) {
    return &p->roles[role_number(p, param)];
}

const role_t *matrix_of(const part_t *p, const gnode_t *product) {
    int k = role_number(p, product->in[1]);
    return product->op == G_DENSE_T ? &p->turned[k] : &p->roles[k];
}

bool is_product(const gnode_t *n) {
    return n->op == G_DENSE || n->op == G_DENSE_T;
}

bool counts_layers(const part_t *p, int vector) {
    for (int m = 0; m < p->class->count; m++)
        if (p->vector[vector][m] != p->class->members[m]->layer) return false;
    return true;
}

affine_t stack_index(const part_t *p, value_t *const *index, const role_t *role) {
    return index_at(p, index, role->vector);
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
