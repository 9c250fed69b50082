/* A module: its buffers and functions, and where a builder begins.
 *
 * What does not fit is a bug() of the caller's, as in build.c. */
#include <string.h>

#include "loops/rules.h"

module_t *module_new(arena_t *a, const char *name, const target_t *target, units_t units) {
    module_t *m = ARENA_NEW(a, module_t);
    m->arena = a;
    m->name = arena_strdup(a, name);
    m->target = target;
    m->units = units;
    return m;
}

dim_t buffer_bytes(const buffer_t *b) {
    dim_t size = dim(elem_bytes(b->elem));
    for (int i = 0; i < b->rank; i++)
        size =
            dim_literal(b->dims[i]) ? dim_scale(size, b->dims[i].c) : dim_scale(b->dims[i], size.c);
    return size;
}

bool buffers_disjoint(const buffer_t *a, const buffer_t *b, units_t u) {
    if (a == b) return false;
    if (a->kind != b->kind || a->kind == BUF_TABLE) return true;
    if (buffer_has_slot(a) && a->slot != b->slot) return true;
    return dim_le(dim_add(a->offset, buffer_bytes(a)), b->offset, u) ||
           dim_le(dim_add(b->offset, buffer_bytes(b)), a->offset, u);
}

buffer_t *module_find_buffer(const module_t *m, const char *name) {
    for (size_t i = 0; i < m->n_buffers; i++)
        if (strcmp(m->buffers[i]->name, name) == 0) return m->buffers[i];
    return NULL;
}

lfunc_t *module_find_func(const module_t *m, const char *name) {
    for (size_t i = 0; i < m->n_funcs; i++)
        if (strcmp(m->funcs[i]->name, name) == 0) return m->funcs[i];
    return NULL;
}

lfunc_t *module_entry(const module_t *m) {
    if (m->n_funcs == 0) return NULL;
    lfunc_t *last = m->funcs[m->n_funcs - 1];
    return last->kind == FN_ENTRY ? last : NULL;
}

buffer_t *buffer_new(module_t *m, bufkind_t kind, const char *name, elem_t elem, int rank,
                     const dim_t *dims) {
    buffer_t *b = ARENA_NEW(m->arena, buffer_t);
    b->name = arena_strdup(m->arena, name);
    b->kind = kind;
    b->elem = elem;
    b->rank = rank;
    b->id = (int)m->n_buffers;
    for (int i = 0; i < rank; i++) b->dims[i] = dims[i];
    ARENA_PUSH(m->arena, m->buffers, m->n_buffers, m->cap_buffers) = b;
    return b;
}

buffer_t *module_buffer(module_t *m, bufkind_t kind, const char *name, elem_t elem, int rank,
                        const dim_t *dims) {
    if (!name_is_valid(name)) bug("buffer name '%s'", name);
    if (module_find_buffer(m, name)) bug("two buffers '%s'", name);
    if (rank < 1 || rank > MAX_RANK) bug("buffer '%s' of rank %d", name, rank);
    buffer_t *b = buffer_new(m, kind, name, elem, rank, dims);
    buffer_t probe = *b; /* data, range and slot are set by the caller, after this */
    if (kind == BUF_TABLE) probe.kind = BUF_WORKSPACE;
    const char *e = buffer_error(&probe, m->units);
    if (e) bug("buffer '%s' %s", name, e);
    return b;
}

/* Callees stand before callers: functions first, then kernels, the entry last. */
lfunc_t *func_new(module_t *m, fnkind_t kind, const char *name) {
    lfunc_t *f = ARENA_NEW(m->arena, lfunc_t);
    f->kind = kind;
    f->name = arena_strdup(m->arena, name);
    f->body = block_new(m, NULL);
    size_t at = m->n_funcs;
    while (at > 0 && m->funcs[at - 1]->kind > kind) at--;
    ARENA_PUSH(m->arena, m->funcs, m->n_funcs, m->cap_funcs) = NULL;
    memmove(&m->funcs[at + 1], &m->funcs[at], (m->n_funcs - 1 - at) * sizeof(lfunc_t *));
    m->funcs[at] = f;
    return f;
}

static lfunc_t *named_func(module_t *m, fnkind_t kind, const char *name) {
    if (!name_is_valid(name)) bug("function name '%s'", name);
    if (module_find_func(m, name)) bug("two functions '%s'", name);
    return func_new(m, kind, name);
}

/* ---- functions ------------------------------------------------------------------------------- */

value_t *value_new(module_t *m, lfunc_t *f, ltype_t t, inst_t *def, const char *name) {
    value_t *v = ARENA_NEW(m->arena, value_t);
    v->type = t;
    v->id = f->n_values++;
    v->def = def;
    v->name = name ? arena_strdup(m->arena, name) : NULL;
    return v;
}

block_t *block_new(module_t *m, inst_t *parent) {
    block_t *b = ARENA_NEW(m->arena, block_t);
    b->parent = parent;
    return b;
}

builder_t build_func(module_t *m, const char *name, int n_params, const ltype_t *params,
                     const char *const *names, int n_results, const ltype_t *results) {
    lfunc_t *f = named_func(m, FN_FUNC, name);
    f->n_params = n_params;
    f->params = ARENA_ARRAY(m->arena, value_t *, n_params);
    for (int i = 0; i < n_params; i++)
        f->params[i] = value_new(m, f, params[i], NULL, names ? names[i] : NULL);
    f->n_results = n_results;
    f->results = arena_copy(m->arena, results, (size_t)n_results * sizeof *results);
    return (builder_t){m, f, f->body};
}

builder_t build_kernel(module_t *m, const char *name, int n_tasks, const dim_t *dims,
                       const char *const *task_names) {
    if (n_tasks < 1 || n_tasks > 4) bug("kernel '%s' with a task space of rank %d", name, n_tasks);
    lfunc_t *f = named_func(m, FN_KERNEL, name);
    f->n_tasks = n_tasks;
    for (int i = 0; i < n_tasks; i++) {
        if (!dim_fits(dims[i], m->units) || !dim_le(dim(1), dims[i], m->units))
            bug("kernel '%s': task dimension %d", name, i);
        f->task_dims[i] = dims[i];
        f->task[i] = value_new(m, f, SCALAR(E_I64), NULL, task_names ? task_names[i] : NULL);
    }
    return (builder_t){m, f, f->body};
}

builder_t build_entry(module_t *m, const char *name) {
    if (module_entry(m)) bug("two entries");
    lfunc_t *f = named_func(m, FN_ENTRY, name);
    return (builder_t){m, f, f->body};
}

value_t *kernel_param(builder_t *b, const char *name, int64_t count) {
    lfunc_t *f = b->fn;
    if (f->kind != FN_KERNEL || f->body->n > 0) bug("parameter '%s' comes too late", name);
    if (count < 1 || count >= DIM_LIMIT)
        bug("parameter '%s' with %lld values", name, (long long)count);
    value_t **params = ARENA_ARRAY(b->m->arena, value_t *, f->n_params + 1);
    for (int i = 0; i < f->n_params; i++) params[i] = f->params[i];
    value_t *v = value_new(b->m, f, SCALAR(E_I64), NULL, name);
    v->bounded = true;
    v->lo = dim(0);
    v->hi = dim(count - 1);
    params[f->n_params++] = v;
    f->params = params;
    return v;
}

/* Kernels may give their scratch the same plain name: later ones are prefixed. */
buffer_t *kernel_scratch(builder_t *b, const char *name, elem_t elem, int rank, const dim_t *dims) {
    if (b->fn->kind != FN_KERNEL) bug("scratch '%s' outside of a kernel", name);
    if (module_find_buffer(b->m, name))
        name = arena_printf(b->m->arena, "%s_%s", b->fn->name, name);
    buffer_t *s = module_buffer(b->m, BUF_SCRATCH, name, elem, rank, dims);
    s->owner = b->fn;
    return s;
}
