/* What kernels of updates have in common: names, params, slices of tensors. */
#include "lower/update_int.h"

const char *shape_name(updater_t *U, const char *what, int n, const int64_t *sizes) {
    const char *name = what;
    for (int i = 0; i < n; i++)
        name = arena_printf(U->L.arena, "%s%s%lld", name, i ? "x" : "_", (long long)sizes[i]);
    return name;
}

bool open_kernel(updater_t *U, const char *name, const char *doc, int n, const int64_t *tasks,
                 const char *const *names, builder_t *b, lfunc_t **made) {
    *made = module_find_func(U->L.m, name);
    if (*made) return false;
    dim_t dims[4];
    for (int i = 0; i < n; i++) dims[i] = dim(tasks[i]);
    *b = build_kernel(U->L.m, name, n, dims, names);
    *made = b->fn;
    b->fn->comment = doc;
    return true;
}

affine_t place_param(builder_t *b, const char *name, int64_t size, int64_t all) {
    return ax_v(kernel_param(b, name, all - size + 1));
}

void launch_update(updater_t *U, lfunc_t *kernel, int n, const int64_t *args, const char *label) {
    value_t *values[8];
    for (int i = 0; i < n; i++) values[i] = b_iconst(&U->entry, SCALAR(E_I64), args[i]);
    launch(&U->entry, kernel, values, label, NULL);
}

value_t *coefficient(updater_t *U, builder_t *b, int which) {
    affine_t at = ax(which);
    return load1(b, U->coefficients, 1, &at);
}

value_t *real(builder_t *b, double x, int width) {
    return b_const(b, VECTOR(E_F32, width), x);
}

value_t *where_decays(updater_t *U, builder_t *b, affine_t number, value_t *x, double other) {
    value_t *decays = load1(b, U->decays, 1, &number);
    value_t *yes = b_compare(b, OP_NE, decays, b_iconst(b, SCALAR(E_I32), 0));
    return b_select(b, yes, x, real(b, other, 1));
}

value_t *clip_of(updater_t *U, builder_t *b) {
    return U->update->max_norm > 0 ? coefficient(U, b, REFORMER_RATE_CLIP) : NULL;
}

value_t *gradient_at(updater_t *U, builder_t *b, value_t *clip, affine_t at, int width) {
    value_t *g = b_load(b, U->sum, width, &at);
    return clip ? b_binary(b, OP_MUL, g, b_broadcast(b, clip, width)) : g;
}

/* ---- slices ---------------------------------------------------------------------------------- */

slices_t slices_of_size(int64_t elements, int64_t size) {
    slices_t s = {size, elements / size, elements % size, (elements + size - 1) / size};
    return s;
}

slices_t slices_of(int64_t elements, int64_t max) {
    if (max < 1) max = 1;
    int64_t size = elements < max ? elements : max;
    for (int64_t d = size; d > size / 4; d--)
        if (elements % d == 0) return slices_of_size(elements, d);
    return slices_of_size(elements, size);
}

void in_slice(updater_t *U, builder_t *b, const slices_t *s, value_t *slice, slice_fn *body,
              void *ctx) {
    if (s->rest == 0 || s->full == 0) {
        body(U, b, ctx, ax_scale(ax_v(slice), s->size), s->full ? s->size : s->rest);
        return;
    }
    value_t *held = at_most(b, ax_v(slice), dim(s->full - 1));
    inst_t *whole = b_if(b, b_compare(b, OP_EQ, slice, held), 0, NULL);
    b_likely(whole);
    body(U, b, ctx, ax_scale(ax_v(held), s->size), s->size);
    b_else(b, whole, NULL);
    body(U, b, ctx, ax(s->full * s->size), s->rest);
    b_end_if(b, whole, NULL);
}

/* ---- elements -------------------------------------------------------------------------------- */

typedef struct {
    updater_t *U;
    affine_t base;
    element_fn *body;
    void *ctx;
} elements_t;

static void element_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const elements_t *e = ctx;
    (void)L;
    e->body(e->U, b, e->ctx, ax_add(e->base, at), width);
}

void each_element(updater_t *U, builder_t *b, affine_t base, int64_t n, element_fn *body,
                  void *ctx) {
    elements_t e = {U, ax_v(b_index(b, base)), body, ctx};
    for_span(&U->L, b, n, element_span, &e);
}
