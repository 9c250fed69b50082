/* Dense layers of small factors: how a register tile goes through rows of panels that hold
 * several k of each column.
 *
 * bf16: a row holds a pair of k. With dot2 a step has as many loads, broadcasts and dot2 as one of
 * f32, for twice the products; without it both factors of a pair become f32 in turn, the odd one
 * first: as dot2 does it, so every target does.
 *
 * i8: a row holds four k. Sums are of integers, and exact, so that all targets have the same ones,
 * whatever they add up first. With dot4 rows of x stand as u8, 128 more than they are: accumulators
 * begin with what that is too much, the weights' `starts`. Without it x stands as integers in f32,
 * weights become such, and a slice of k is as deep as f32 takes exactly: 127 * 127 * 1,024 < 2^24;
 * slices are added up in i32. Then both scales, of the row and of the column, are multiplied by
 * each other, and the sum by that: mul, and no fma with the bias behind it, which some targets have
 * not. A row of x has its scale behind it (scale_column). */
#include "lower/dense_int.h"

enum { EXACT = 1024 }; /* products of two i8 whose sum f32 holds */

/* What stands side by side in a row of a panel, of x[row], in all lanes. */
static value_t *side_by_side(lower_t *L, builder_t *b, const dense_ctx_t *c, int row, affine_t k) {
    int n = (int)values_in_row(c->d->w.w);
    affine_t ix[] = {ax_plus(c->row, row), ax_scale(ax_add(k, c->first), n)};
    value_t *bits = b_bitcast(b, E_I32, b_load(b, c->d->a, n, ix));
    return b_bitcast(b, c->d->a->elem, b_broadcast(b, bits, L->lanes));
}

/* Of bf16 and of i8. */
static void dot_at_k(lower_t *L, builder_t *b, void *ctx, affine_t k, value_t *const *acc,
                     value_t **next) {
    const dense_ctx_t *c = ctx;
    value_t *col[MAX_VECTORS];
    int nv = L->tiles->vectors;
    for (int j = 0; j < nv; j++) col[j] = dense_vector(L, b, ctx, j, k);
    for (int i = 0; i < c->rows; i++) {
        value_t *x = side_by_side(L, b, c, i, k);
        for (int j = i * nv; j < (i + 1) * nv; j++)
            next[j] = is_of_integers(c->d) ? b_dot4(b, acc[j], x, col[j - i * nv])
                                           : b_dot2(b, acc[j], x, col[j - i * nv]);
    }
}

static void widened_at_k(lower_t *L, builder_t *b, void *ctx, affine_t k, value_t *const *acc,
                         value_t **next) {
    const dense_ctx_t *c = ctx;
    value_t *col[MAX_VECTORS];
    int nv = L->tiles->vectors;
    for (int second = 1; second >= 0; second--) {
        for (int j = 0; j < nv; j++) col[j] = widened(L, b, dense_vector(L, b, ctx, j, k), second);
        for (int i = 0; i < c->rows; i++) {
            affine_t at = ax_plus(ax_scale(ax_add(k, c->first), 2), second);
            affine_t ix[] = {ax_plus(c->row, i), at};
            value_t *x = b_broadcast(b, b_load(b, c->d->a, 1, ix), L->lanes);
            for (int j = 0; j < nv; j++)
                next[i * nv + j] = b_fma(b, x, col[j], (second ? acc : next)[i * nv + j]);
        }
    }
}

/* ---- i8 -------------------------------------------------------------------------------------- */

bool is_of_integers(const dense_t *d) {
    return d->w.w->elem == E_I8;
}

/* The n-th of each four, as f32. */
static value_t *widened_quad(builder_t *b, value_t *quads, int n) {
    value_t *bits = b_bitcast(b, E_I32, quads);
    if (n < 3) bits = b_shift(b, OP_SHL, bits, 24 - 8 * n);
    return b_convert(b, E_F32, b_shift(b, OP_SAR, bits, 24));
}

static void widened_quad_at_k(lower_t *L, builder_t *b, void *ctx, affine_t k, value_t *const *acc,
                              value_t **next) {
    const dense_ctx_t *c = ctx;
    value_t *quad[MAX_VECTORS], *col[MAX_VECTORS];
    int nv = L->tiles->vectors;
    for (int j = 0; j < nv; j++) quad[j] = dense_vector(L, b, ctx, j, k);
    for (int n = 0; n < 4; n++) {
        for (int j = 0; j < nv; j++) col[j] = widened_quad(b, quad[j], n);
        for (int i = 0; i < c->rows; i++) {
            affine_t ix[] = {ax_plus(c->row, i), ax_plus(ax_scale(ax_add(k, c->first), 4), n)};
            value_t *x = b_broadcast(b, b_load(b, c->d->a, 1, ix), L->lanes);
            for (int j = 0; j < nv; j++)
                next[i * nv + j] = b_fma(b, x, col[j], (n ? next : acc)[i * nv + j]);
        }
    }
}

tile_at_k_fn *small_at_k(const dense_t *d) {
    bool dot = d->a->elem != E_F32;
    if (d->w.w->elem == E_I8) return dot ? dot_at_k : widened_quad_at_k;
    if (d->w.w->elem == E_BF16) return dot ? dot_at_k : widened_at_k;
    return NULL;
}

/* How many slices of rows of panels a product without dot4 takes. */
static int64_t slices_of(const dense_t *d) {
    int64_t rows = panel_rows(&d->w, d->k), max = EXACT / values_in_row(d->w.w);
    return d->a->elem == E_F32 ? (rows + max - 1) / max : 1;
}

buffer_t *sums_of_slices(lower_t *L, builder_t *b, const dense_t *d) {
    if (!is_of_integers(d) || slices_of(d) == 1) return NULL;
    dim_t dims[] = {dim(L->tiles->rows * L->tiles->vectors), dim(L->lanes)};
    return kernel_scratch(b, free_buffer_name(L, arena_printf(L->arena, "%s_sums", b->fn->name)),
                          E_I32, 2, dims);
}

static void add_to_sums(lower_t *L, builder_t *b, const dense_ctx_t *c, value_t **acc) {
    for (int i = 0; i < c->rows * L->tiles->vectors; i++) {
        affine_t ix[] = {ax(i), ax(0)};
        value_t *sum = b_load(b, c->whole, L->lanes, ix);
        b_store(b, c->whole, b_binary(b, OP_ADD, sum, b_convert(b, E_I32, acc[i])), ix);
    }
}

static void add_slice(lower_t *L, builder_t *b, dense_ctx_t *c, const product_t *p, affine_t first,
                      int64_t depth) {
    value_t *acc[MAX_TILE];
    product_t slice = *p;
    slice.depth = c->depth = depth;
    slice.every = cadence(depth, c->row_tiles);
    c->first = c->next_first = first;
    tile_product(L, b, &slice, acc);
    add_to_sums(L, b, c, acc);
}

/* Slices of one depth, and what is left. */
static void add_slices(lower_t *L, builder_t *b, dense_ctx_t *c, const product_t *p) {
    int64_t n = slices_of(c->d), depth = (p->depth + n - 1) / n;
    int64_t full = p->depth / depth, rest = p->depth % depth;
    affine_t first = c->first, next_first = c->next_first;
    value_t *zero = b_iconst(b, VECTOR(E_I32, L->lanes), 0);
    for (int i = 0; i < c->rows * L->tiles->vectors; i++) {
        affine_t ix[] = {ax(i), ax(0)};
        b_store(b, c->whole, zero, ix);
    }
    inst_t *loop = b_for(b, "slice", dim(0), dim(full), 0, NULL);
    add_slice(L, b, c, p, ax_scale(ax_v(loop_var(loop)), depth), depth);
    b_end_for(b, loop, NULL);
    if (rest > 0) add_slice(L, b, c, p, ax(full * depth), rest);
    c->depth = p->depth;
    c->first = first;
    c->next_first = next_first;
}

/* Of a column of the tile what stands beside the panels: its scale, or where its sums begin. */
static value_t *beside_panels(lower_t *L, builder_t *b, const dense_ctx_t *c, buffer_t *of, int j) {
    const panels_t *w = &c->d->w;
    affine_t ix[MAX_RANK];
    int n = 0;
    for (; n < w->n_prefix; n++) ix[n] = w->prefix[n];
    ix[n] = ax_plus(c->col, (int64_t)j * L->lanes);
    return b_load(b, of, L->lanes, ix);
}

static void sum_integers(lower_t *L, builder_t *b, dense_ctx_t *c, const product_t *p,
                         value_t **acc) {
    int nv = L->tiles->vectors, n = c->rows * nv;
    if (c->d->a->elem == E_U8) {
        value_t *init[MAX_TILE];
        product_t own = *p;
        for (int j = 0; j < nv; j++) init[j] = beside_panels(L, b, c, c->d->w.starts, j);
        for (int i = nv; i < n; i++) init[i] = init[i % nv];
        own.init = init;
        tile_product(L, b, &own, acc);
    } else if (c->whole) {
        add_slices(L, b, c, p);
        for (int i = 0; i < n; i++) {
            affine_t ix[] = {ax(i), ax(0)};
            acc[i] = b_load(b, c->whole, L->lanes, ix);
        }
    } else {
        tile_product(L, b, p, acc);
    }
}

int64_t scale_column(const lower_t *L, int64_t width) {
    return round_up(width, L->tile);
}

value_t *scale_at(builder_t *b, buffer_t *rows, affine_t row, int64_t column) {
    affine_t ix[] = {row, ax(column)};
    if (rows->elem == E_F32) return b_load(b, rows, 1, ix);
    return b_bitcast(b, E_F32, b_load(b, rows, 4, ix));
}

void integer_product(lower_t *L, builder_t *b, dense_ctx_t *c, const product_t *p, value_t **acc) {
    value_t *scale[MAX_VECTORS];
    int nv = L->tiles->vectors;
    sum_integers(L, b, c, p, acc);
    for (int j = 0; j < nv; j++) scale[j] = beside_panels(L, b, c, c->d->w.scales, j);
    for (int i = 0; i < c->rows; i++) {
        value_t *own = scale_at(b, c->d->a, ax_plus(c->row, i), scale_column(L, c->d->k));
        own = b_broadcast(b, own, L->lanes);
        for (int j = 0; j < nv; j++) {
            value_t **a = &acc[i * nv + j];
            value_t *sum = (*a)->type.elem == E_F32 ? *a : b_convert(b, E_F32, *a);
            *a = b_binary(b, OP_MUL, sum, b_binary(b, OP_MUL, own, scale[j]));
        }
    }
}
