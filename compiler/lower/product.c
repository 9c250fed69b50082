/* A register tile: rows x vectors accumulators, carried through one loop over k.
 *
 * In: what gives a scalar of a row and a vector of columns at k. Out: the accumulators. Pairs of
 * bf16 are those of dot2, or of two products one after the other, the odd k first. */
#include "lower/lower_int.h"

value_t *broadcast_pair(lower_t *L, builder_t *b, value_t *pair) {
    return b_bitcast(b, E_BF16, b_broadcast(b, b_bitcast(b, E_I32, pair), L->lanes));
}

value_t *widened(lower_t *L, builder_t *b, value_t *pairs, int second) {
    value_t *bits = b_bitcast(b, E_I32, pairs);
    value_t *upper = b_iconst(b, VECTOR(E_I32, L->lanes), INT32_C(-0x10000));
    bits = second ? b_binary(b, OP_AND, bits, upper) : b_shift(b, OP_SHL, bits, 16);
    return b_bitcast(b, E_F32, bits);
}

value_t *pair_bits(builder_t *b, value_t *first, value_t *second) {
    value_t *lower = b_shift(b, OP_SHR, b_bitcast(b, E_I32, first), 16);
    return b_binary(b, OP_OR, lower, b_bitcast(b, E_I32, second));
}

value_t *paired(builder_t *b, value_t *first, value_t *second) {
    return b_bitcast(b, E_BF16, pair_bits(b, first, second));
}

int64_t row_tiles(const lower_t *L, int64_t m) {
    return (m + L->tiles->rows - 1) / L->tiles->rows;
}

int split_rows(const lower_t *L, int64_t m, int size[2], int64_t count[2]) {
    int64_t tiles = row_tiles(L, m);
    int64_t base = m / tiles, more = m % tiles;
    int n = 0;
    if (more > 0) size[n] = (int)base + 1, count[n++] = more;
    size[n] = (int)base, count[n++] = tiles - more;
    return n;
}

void for_row_tiles(lower_t *L, builder_t *b, int64_t m, row_tile_fn *body, void *ctx) {
    int size[2];
    int64_t count[2], first = 0, before = 0;
    int n = split_rows(L, m, size, count);
    for (int i = 0; i < n; i++) {
        inst_t *loop = b_for(b, "tile", dim(0), dim(count[i]), 0, NULL);
        affine_t tile = ax_v(loop_var(loop));
        body(L, b, ctx, ax_plus(ax_scale(tile, size[i]), first), size[i], ax_plus(tile, before));
        b_end_for(b, loop, NULL);
        first += count[i] * size[i];
        before += count[i];
    }
}

static void multiply_add(lower_t *L, builder_t *b, const product_t *p, affine_t k,
                         value_t *const *acc, value_t **next) {
    value_t *col[MAX_VECTORS];
    for (int j = 0; j < p->vectors; j++) col[j] = p->y(L, b, p->ctx, j, k);
    for (int i = 0; i < p->rows; i++) {
        value_t *s = b_broadcast(b, p->x(L, b, p->ctx, i, k), L->lanes);
        for (int j = 0; j < p->vectors; j++)
            next[i * p->vectors + j] = b_fma(b, s, col[j], acc[i * p->vectors + j]);
    }
}

static void dot_pairs(lower_t *L, builder_t *b, const product_t *p, affine_t k, value_t *const *acc,
                      value_t **next) {
    value_t *col[MAX_VECTORS];
    for (int j = 0; j < p->vectors; j++) col[j] = p->y(L, b, p->ctx, j, k);
    for (int i = 0; i < p->rows; i++) {
        value_t *s = broadcast_pair(L, b, p->x(L, b, p->ctx, i, k));
        for (int j = 0; j < p->vectors; j++)
            next[i * p->vectors + j] = b_dot2(b, acc[i * p->vectors + j], s, col[j]);
    }
}

static void product_at_k(lower_t *L, builder_t *b, const product_t *p, affine_t k,
                         value_t *const *acc, value_t **next) {
    if (p->at_k) {
        p->at_k(L, b, p->ctx, k, acc, next);
    } else if (p->order == DOT_PAIRS) {
        dot_pairs(L, b, p, k, acc, next);
    } else if (p->order == ODD_FIRST) {
        value_t *odd[MAX_TILE];
        multiply_add(L, b, p, ax_plus(ax_scale(k, 2), 1), acc, odd);
        multiply_add(L, b, p, ax_scale(k, 2), odd, next);
    } else {
        multiply_add(L, b, p, k, acc, next);
    }
}

/* One loop over k: from `first`, `depth` steps; acc in and out. */
static void product_loop(lower_t *L, builder_t *b, const product_t *p, affine_t first,
                         int64_t depth, value_t **acc) {
    value_t *next[MAX_TILE], *had[MAX_TILE];
    int n = p->rows * p->vectors;
    inst_t *loop = b_for(b, "k", dim(0), dim(depth), n, acc);
    affine_t k = ax_add(first, ax_v(loop_var(loop)));
    for (int i = 0; i < n; i++) had[i] = loop_arg(loop, i);
    product_at_k(L, b, p, k, had, next);
    b_end_for(b, loop, next);
    for (int i = 0; i < n; i++) acc[i] = loop->results[i];
}

int64_t cadence(int64_t depth, int64_t max) {
    for (int64_t every = max; every > 0 && 3 * every >= 2 * max; every--)
        if (depth % every == 0) return every;
    return max;
}

void tile_product(lower_t *L, builder_t *b, const product_t *p, value_t **acc) {
    int n = p->rows * p->vectors;
    if (n > MAX_TILE) bug("register tile of %d x %d", p->rows, p->vectors);
    value_t *zero = p->init ? NULL : splat(b, L, 0);
    for (int i = 0; i < n; i++) acc[i] = p->init ? p->init[i] : zero;
    int64_t steps = p->every ? p->depth / p->every : 0, rest = p->depth - steps * p->every;
    if (steps > 0) {
        inst_t *loop = b_for(b, "step", dim(0), dim(steps), n, acc);
        for (int i = 0; i < n; i++) acc[i] = loop_arg(loop, i);
        affine_t step = ax_v(loop_var(loop));
        p->ahead(L, b, p->ctx, step);
        product_loop(L, b, p, ax_scale(step, p->every), p->every, acc);
        b_end_for(b, loop, acc);
        for (int i = 0; i < n; i++) acc[i] = loop->results[i];
    }
    if (rest > 0) product_loop(L, b, p, ax(steps * p->every), rest, acc);
    if (p->odd) multiply_add(L, b, p, ax(2 * p->depth), acc, acc);
    for (int i = 0; i < n; i++)
        b_name(acc[i], arena_printf(L->arena, "acc%d_%d", i / p->vectors, i % p->vectors));
}
