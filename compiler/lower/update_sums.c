/* Sums in double: the norm of the gradients, and what Adafactor asks for.
 *
 * An addend belongs to one of 16 sums, whatever the width of vectors, and these are added up one
 * after the other: the same bits on every target. A slice of a tensor gives one sum, and a kernel
 * of one task adds those up: the same bits for any number of threads. Squares of
 * floats are exact in double. */
#include "lower/update_int.h"

enum { SUMS = 16 };

int double_lanes(const updater_t *U) {
    return U->L.lanes / 2;
}

static value_t *addend(updater_t *U, builder_t *b, const sum_t *s, affine_t at, int width) {
    value_t *x = b_convert(b, E_F64, s->term(U, b, s->ctx, at, width));
    if (!s->plain) x = b_binary(b, OP_MUL, x, x);
    if (s->each) s->each(U, b, s->ctx, at, x);
    return x;
}

static value_t *sum_vectors(updater_t *U, builder_t *b, const sum_t *s, int64_t n) {
    int lanes = double_lanes(U), vectors = SUMS / lanes;
    value_t *sums[SUMS] = {NULL}, *next[SUMS], *total = NULL;
    for (int i = 0; i < vectors; i++) sums[i] = b_const(b, VECTOR(E_F64, lanes), 0);
    inst_t *loop = b_for(b, "v", dim(0), dim(n), vectors, sums);
    affine_t at = ax_scale(ax_v(loop_var(loop)), SUMS);
    for (int i = 0; i < vectors; i++)
        next[i] =
            b_binary(b, OP_ADD, loop_arg(loop, i), addend(U, b, s, ax_plus(at, i * lanes), lanes));
    b_end_for(b, loop, next);
    for (int i = 0; i < SUMS; i++) {
        value_t *x = b_extract(b, loop->results[i / lanes], i % lanes);
        total = total ? b_binary(b, OP_ADD, total, x) : x;
    }
    return total;
}

value_t *sum_in_double(updater_t *U, builder_t *b, const sum_t *s, int64_t n) {
    int64_t full = n / SUMS, rest = n % SUMS;
    value_t *total = full ? sum_vectors(U, b, s, full) : b_const(b, SCALAR(E_F64), 0);
    if (rest == 0) return total;
    inst_t *loop = b_for(b, "e", dim(0), dim(rest), 1, &total);
    affine_t at = ax_plus(ax_v(loop_var(loop)), full * SUMS);
    value_t *next = b_binary(b, OP_ADD, loop_arg(loop, 0), addend(U, b, s, at, 1));
    b_end_for(b, loop, &next);
    return loop->results[0];
}

value_t *sum_parts(builder_t *b, buffer_t *parts, affine_t first, int64_t step, int64_t n,
                   int width) {
    value_t *zero = b_const(b, VECTOR(E_F64, width), 0);
    inst_t *loop = b_for(b, "part", dim(0), dim(n), 1, &zero);
    affine_t at = ax_add(first, ax_scale(ax_v(loop_var(loop)), step));
    value_t *x = b_load(b, parts, width, &at);
    value_t *next = b_binary(b, OP_ADD, loop_arg(loop, 0), x);
    b_end_for(b, loop, &next);
    return loop->results[0];
}

/* ---- the norm -------------------------------------------------------------------------------- */

typedef struct {
    affine_t base, part;
} norm_at_t;

static value_t *gradient_term(updater_t *U, builder_t *b, void *ctx, affine_t at, int width) {
    const norm_at_t *c = ctx;
    affine_t ix = ax_add(c->base, at);
    return b_load(b, U->sum, width, &ix);
}

static void square_slice(updater_t *U, builder_t *b, void *ctx, affine_t first, int64_t n) {
    norm_at_t c = *(norm_at_t *)ctx;
    c.base = ax_v(b_index(b, ax_add(c.base, first)));
    sum_t s = {.term = gradient_term, .ctx = &c};
    value_t *sum = sum_in_double(U, b, &s, n);
    b_store(b, U->squares, sum, &c.part);
}

static lfunc_t *square_kernel(updater_t *U, const group_t *g, const slices_t *s) {
    static const char *const names[] = {"tensor", "slice"};
    const char *name = shape_name(U, "squares", 2, (int64_t[]){g->count, g->elements});
    int64_t tasks[] = {g->count, s->n}, parts = g->count * s->n;
    builder_t b;
    lfunc_t *made;
    if (!open_kernel(U, name, "squares of gradients, added up", 2, tasks, names, &b, &made))
        return made;
    affine_t first = place_param(&b, "first", g->count * g->elements, U->elements);
    affine_t part = place_param(&b, "part", parts, U->squares->dims[0].c);
    affine_t tensor = ax_v(b.fn->task[0]), slice = ax_v(b.fn->task[1]);
    norm_at_t c = {.base = ax_add(first, ax_scale(tensor, g->elements)),
                   .part = ax_add(part, ax_add(ax_scale(tensor, s->n), slice))};
    in_slice(U, &b, s, b.fn->task[1], square_slice, &c);
    return made;
}

int64_t max_squares(const updater_t *U) {
    int64_t n = 0;
    for (int i = 0; i < U->n; i++)
        n += U->groups[i].count * slices_of(U->groups[i].elements, SLICE).n;
    return n;
}

static lfunc_t *root_kernel(updater_t *U, int64_t parts) {
    int64_t one = 1;
    builder_t b;
    lfunc_t *made;
    open_kernel(U, "norm_of_all", "the norm of all gradients", 1, &one, NULL, &b, &made);
    affine_t at = ax(0);
    value_t *sum = sum_parts(&b, U->squares, at, 1, parts, 1);
    b_store(&b, U->norm, b_unary(&b, OP_SQRT, sum), &at);
    return made;
}

void lower_update_norm(updater_t *U) {
    int64_t part = 0;
    for (int i = 0; i < U->n; i++) {
        const group_t *g = &U->groups[i];
        slices_t s = slices_of(g->elements, SLICE);
        launch_update(U, square_kernel(U, g, &s), 2, (int64_t[]){g->first, part}, "update.norm");
        part += g->count * s.n;
    }
    launch_update(U, root_kernel(U, part), 0, NULL, "update.norm");
}
