/* Rows of heads, copied into panels; see panels.h. */
#include "lower/panels.h"

affine_t clamp_lane(lower_t *L, builder_t *b, affine_t lane, int64_t chunk) {
    if (chunk % L->tile == 0) return lane;
    value_t *last = b_iconst(b, SCALAR(E_I64), chunk - 1);
    return ax_v(b_binary(b, OP_MIN, b_index(b, lane), last));
}

/* Values of a row of a panel that stand side by side. */
static int64_t side_by_side(const buffer_t *panels) {
    return panels->elem == E_BF16 ? 2 : 1;
}

buffer_t *query_panels(lower_t *L, builder_t *b, int64_t slots, int64_t rows, int64_t head_size,
                       bool pairs) {
    int64_t each = pairs ? 2 : 1;
    dim_t d[] = {dim(slots), dim(round_up(rows, L->tile) / L->tile),
                 dim(round_up(head_size, each) / each), dim(L->tile * each)};
    return kernel_scratch(b, "queries", pairs ? E_BF16 : E_F32, 4, d);
}

/* One vector of lanes: `depth` rows of the transposed panel from row `d`, of which `count` are
 * stored. Pairs are transposed as what has their bits; behind an odd head stands a 0. */
typedef struct {
    buffer_t *src, *dst;
    affine_t batch, head, slot, panel;
    affine_t row[64];
    affine_t first; /* lane within the panel */
} transpose_t;

static void transpose_block(lower_t *L, builder_t *b, const transpose_t *t, affine_t d, int count) {
    value_t *rows[64];
    int each = (int)side_by_side(t->dst);
    for (int i = 0; i < L->lanes; i++) {
        affine_t qx[] = {t->batch, t->head, t->row[i], ax_scale(d, each)};
        rows[i] = b_load(b, t->src, L->lanes * each, qx);
        if (each > 1) rows[i] = b_bitcast(b, E_I32, rows[i]);
    }
    transpose(b, L, rows);
    for (int i = 0; i < count; i++) {
        affine_t tx[] = {t->slot, t->panel, ax_plus(d, i), ax_scale(t->first, each)};
        b_store(b, t->dst, each > 1 ? b_bitcast(b, E_BF16, rows[i]) : rows[i], tx);
    }
}

void transpose_rows(lower_t *L, builder_t *b, buffer_t *src, affine_t batch, affine_t head,
                    buffer_t *dst, affine_t slot, row_of_fn *row_of, void *ctx) {
    inst_t *loop = b_for(b, "panel", dim(0), dst->dims[1], 0, NULL);
    transpose_t t = {.src = src, .dst = dst, .batch = batch, .head = head, .slot = slot};
    t.panel = ax_v(loop_var(loop));
    int64_t depth = dst->dims[2].c, full = depth / L->lanes, rest = depth % L->lanes;
    inst_t *vectors = b_for(b, "vector", dim(0), dim(L->tiles->vectors), 0, NULL);
    t.first = ax_scale(ax_v(loop_var(vectors)), L->lanes);
    affine_t lane = ax_add(ax_scale(t.panel, L->tile), t.first);
    for (int i = 0; i < L->lanes; i++) t.row[i] = row_of(L, b, ctx, ax_plus(lane, i));
    if (full > 0) {
        inst_t *blocks = b_for(b, "d", dim(0), dim(full), 0, NULL);
        transpose_block(L, b, &t, ax_scale(ax_v(loop_var(blocks)), L->lanes), L->lanes);
        b_end_for(b, blocks, NULL);
    }
    if (rest > 0) transpose_block(L, b, &t, ax(full * L->lanes), (int)rest);
    b_end_for(b, vectors, NULL);
    b_end_for(b, loop, NULL);
}

buffer_t *value_panels(lower_t *L, builder_t *b, int64_t slots, int64_t rows, int64_t width,
                       bool pairs) {
    int64_t each = pairs ? 2 : 1;
    dim_t d[] = {dim(slots), dim(width / L->tile), dim(round_up(rows, each) / each),
                 dim(L->tile * each)};
    return kernel_scratch(b, "values", pairs ? E_BF16 : E_F32, 4, d);
}

void copy_values(lower_t *L, builder_t *b, buffer_t *src, affine_t batch, affine_t head,
                 affine_t from, buffer_t *dst, affine_t slot, affine_t to) {
    for (int64_t at = 0; at < dst->dims[1].c * L->tile; at += L->lanes) {
        affine_t sx[] = {batch, head, from, ax(at)};
        affine_t dx[] = {slot, ax(at / L->tile), to, ax(at % L->tile)};
        b_store(b, dst, b_load(b, src, L->lanes, sx), dx);
    }
}

void copy_value_pair(lower_t *L, builder_t *b, buffer_t *src, affine_t batch, affine_t head,
                     const affine_t from[2], buffer_t *dst, affine_t slot, affine_t to) {
    for (int64_t at = 0; at < dst->dims[1].c * L->tile; at += L->lanes) {
        affine_t sx[] = {batch, head, from[0], ax(at)}, tx[] = {batch, head, from[1], ax(at)};
        affine_t dx[] = {slot, ax(at / L->tile), to, ax(2 * (at % L->tile))};
        value_t *first = b_convert(b, E_F32, b_load(b, src, L->lanes, sx));
        value_t *second = b_convert(b, E_F32, b_load(b, src, L->lanes, tx));
        b_store(b, dst, paired(b, first, second), dx);
    }
}

value_t *value_in_panel(lower_t *L, builder_t *b, buffer_t *values, affine_t slot, affine_t key,
                        affine_t panel, int64_t col) {
    int each = (int)side_by_side(values);
    affine_t ix[] = {slot, panel, key, ax(col * each)};
    return b_load(b, values, L->lanes * each, ix);
}

/* Adds the squares of row `d`, or of both of its pairs. */
static void add_squares(lower_t *L, builder_t *b, buffer_t *queries, affine_t slot, affine_t panel,
                        affine_t d, value_t **sum) {
    int each = (int)side_by_side(queries);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t qx[] = {slot, panel, d, ax((int64_t)j * L->lanes * each)};
        value_t *x = b_load(b, queries, L->lanes * each, qx);
        sum[j] = each > 1 ? b_dot2(b, sum[j], x, x) : b_fma(b, x, x, sum[j]);
    }
}

void panel_squares(lower_t *L, builder_t *b, buffer_t *queries, order_t order, affine_t slot,
                   affine_t panel, value_t **sum) {
    int nv = L->tiles->vectors;
    int64_t depth = queries->dims[2].c, steps = order == ODD_FIRST ? depth / 2 : depth;
    value_t *next[MAX_VECTORS];
    for (int j = 0; j < nv; j++) sum[j] = splat(b, L, 0);
    if (steps > 0) {
        inst_t *loop = b_for(b, "d", dim(0), dim(steps), nv, sum);
        affine_t d = ax_v(loop_var(loop));
        for (int j = 0; j < nv; j++) next[j] = loop_arg(loop, j);
        if (order == ODD_FIRST) {
            add_squares(L, b, queries, slot, panel, ax_plus(ax_scale(d, 2), 1), next);
            d = ax_scale(d, 2);
        }
        add_squares(L, b, queries, slot, panel, d, next);
        b_end_for(b, loop, next);
        for (int j = 0; j < nv; j++) sum[j] = loop->results[j];
    }
    if (order == ODD_FIRST && depth % 2)
        add_squares(L, b, queries, slot, panel, ax(depth - 1), sum);
}
