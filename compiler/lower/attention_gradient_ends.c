/* What comes before the first chunk of attention's gradient, and behind the last: rows by
 * themselves, of each head.
 *
 * Before: the mean <dy, y> of dy's products with values, and in a sorted order what a row's
 * probabilities are exp(s - shift) times scale of, which the sums over rounds say (elsewhere the
 * forward's kernel leaves that); the gradients are cleared. Of bf16 dy is rounded here, times the
 * row's scale, and the mean is of that, so that the gradients of a row's scores still add up to
 * nothing. A row that sees only itself (Q2) is no chunk's business (its scale is 0): its value has
 * all its weight. Behind: keys are x * f with f = 1 / (norm * sqrt(d)), whose gradient is
 * f dk - x f^2 <x, f dk>. */
#include "lower/attention_gradient.h"

#include "lower/math.h"
#include "lower/rows.h"

typedef struct {
    attention_t *a;
    affine_t row0, row;
    heads_t in;
    buffer_t *queries, *squares; /* scratch [1][panel][head_size][tile]; [block …] */
    buffer_t *x, *y;             /* of a product of rows */
    value_t *weight;             /* of a row that sees only itself */
    value_t *scale;              /* bf16: of the row's dy */
    value_t *along;              /* <x, f dk> f^2 */
} edge_rows_t;

static builder_t open_rows(lower_t *L, attention_t *a, const gnode_t *node, const char *what,
                           edge_rows_t *c) {
    dim_t tasks[] = {dim(L->batch), dim(a->group), L->blocks};
    const char *names[] = {"batch", "head", "block"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, what), 3, tasks, names);
    told_t told = tell_stacks(L, &b, a, node);
    *c = (edge_rows_t){.a = a,
                       .in = told_heads(L, a, &told, ax_v(b.fn->task[0]), ax_v(b.fn->task[1]))};
    c->row0 = ax_scale(ax_v(b.fn->task[2]), L->block);
    return b;
}

/* Where what makes its queries belongs to the forward. */
void lower_clear(lower_t *L, attention_t *a) {
    edge_rows_t c;
    builder_t b = open_rows(L, a, a->class->pattern->nodes.at[0], "clear", &c);
    describe(L, b.fn, a->node->at, "%s attention: nothing is added up yet",
             a->lsh ? "LSH" : "local");
    clear_state(L, &b, a, &c.in, c.row0);
    a->clear = b.fn;
}

/* ---- before ---------------------------------------------------------------------------------- */

static affine_t block_row(lower_t *L, builder_t *b, void *ctx, affine_t lane) {
    const edge_rows_t *c = ctx;
    return ax_add(c->row0, clamp_lane(L, b, lane, L->block));
}

/* Squares of the block's rows, added up in the order of the forward, whose choice
 * of a shift has to be met. */
static void block_squares(lower_t *L, builder_t *b, edge_rows_t *c) {
    int64_t lanes = round_up(L->block, L->tile);
    dim_t d = dim(lanes);
    value_t *squares[MAX_VECTORS];
    c->queries = query_panels(L, b, 1, L->block, c->a->head_size, c->a->pairs);
    c->squares = kernel_scratch(b, "squares", E_F32, 1, &d);
    transpose_rows(L, b, c->a->q, batch_in(&c->in, c->a->q), head_in(&c->in, c->a->q), c->queries,
                   ax(0), block_row, c);
    inst_t *panels = b_for(b, "panel", dim(0), dim(lanes / L->tile), 0, NULL);
    affine_t panel = ax_v(loop_var(panels));
    panel_squares(L, b, c->queries, order_of_products(c->a), ax(0), panel, squares);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t to = ax_plus(ax_scale(panel, L->tile), (int64_t)j * L->lanes);
        b_store(b, c->squares, squares[j], &to);
    }
    b_end_for(b, panels, NULL);
}

/* Shift and scale of rows whose sums over rounds are there, and the factors of keys. */
static void sums_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const edge_rows_t *c = ctx;
    const attention_t *a = c->a;
    ltype_t f = {E_F32, width};
    affine_t ix[] = {c->in.batch, c->in.head, ax_add(c->row0, at)};
    value_t *squares = b_load(b, c->squares, width, &at), *norm = row_norm(b, squares);
    value_t *max = b_load(b, a->max_so_far, width, ix), *sum = b_load(b, a->sum_so_far, width, ix);
    value_t *zero = b_const(b, f, 0), *one = b_const(b, f, 1);
    value_t *is_shift = b_compare(b, OP_LE, norm, b_const(b, f, MAX_SHIFT));
    value_t *alone = b_compare(b, OP_EQ, sum, zero);
    sum = b_select(b, alone, one, sum);
    value_t *far = b_compare(b, OP_GT, norm, b_const(b, f, FAR));
    value_t *scale = b_select(b, far, far_scale(L, b, max, sum), b_binary(b, OP_DIV, one, sum));
    (void)in_heads(&c->in, a->row_scale, ix); /* all three are kept or none */
    b_store(b, a->key_norm, key_factor(b, squares, a->head_size), ix);
    b_store(b, a->row_shift, b_select(b, is_shift, norm, max), ix);
    b_store(b, a->row_scale, b_select(b, alone, zero, scale), ix);
}

static value_t *dot_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                         value_t *acc) {
    const edge_rows_t *c = ctx;
    affine_t ix[] = {ax(0), ax(0), c->row, at}, iy[] = {ax(0), ax(0), c->row, at};
    value_t *y = b_load(b, c->y, width, in_heads(&c->in, c->y, iy));
    value_t *x = b_load(b, c->x, width, in_heads(&c->in, c->x, ix));
    (void)L;
    return b_fma(b, b_convert(b, E_F32, x), y, acc);
}

/* <x, y> of the row and the head. */
static value_t *row_dot(lower_t *L, builder_t *b, edge_rows_t *c, buffer_t *x, buffer_t *y) {
    c->x = x;
    c->y = y;
    return fold_span(L, b, c->a->head_size, OP_ADD, 0, dot_span, c);
}

static void clear_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const edge_rows_t *c = ctx;
    buffer_t *all[] = {c->a->dq, c->a->dk, c->a->dv};
    affine_t ix[] = {c->in.batch, c->in.head, c->row, at};
    (void)L;
    for (int i = 0; i < 3; i++) b_store(b, all[i], b_const(b, (ltype_t){E_F32, width}, 0), ix);
}

static void alone_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const edge_rows_t *c = ctx;
    affine_t ix[] = {c->in.batch, c->in.head, c->row, at};
    value_t *x = b_load(b, c->a->dy_heads, width, ix), *weight = c->weight;
    (void)L;
    if (width > 1) weight = b_broadcast(b, weight, width);
    b_store(b, c->a->dv, b_binary(b, OP_MUL, x, weight), ix);
}

/* dy * scale. */
static value_t *scaled_dy(builder_t *b, const edge_rows_t *c, affine_t at, int width) {
    affine_t ix[] = {c->in.batch, c->in.head, c->row, at};
    value_t *scale = width > 1 ? b_broadcast(b, c->scale, width) : c->scale;
    return b_binary(b, OP_MUL, b_load(b, c->a->dy_heads, width, ix), scale);
}

static value_t *rounded_dot_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                                 value_t *acc) {
    const edge_rows_t *c = ctx;
    affine_t iy[] = {ax(0), ax(0), c->row, at};
    value_t *y = b_load(b, c->a->out, width, in_heads(&c->in, c->a->out, iy));
    (void)L;
    return b_fma(b, bf16_valued(b, scaled_dy(b, c, at, width)), y, acc);
}

static void factor_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const edge_rows_t *c = ctx;
    affine_t ix[] = {c->in.batch, c->in.head, c->row, at};
    (void)L;
    b_store(b, c->a->dy_factor, rounded(b, scaled_dy(b, c, at, width)), ix);
}

/* <dy, y>, or of bf16 that of the factor. */
static value_t *row_mean(lower_t *L, builder_t *b, edge_rows_t *c) {
    if (!c->a->rounded) return row_dot(L, b, c, c->a->dy_heads, c->a->out);
    affine_t sx[] = {ax(0), ax(0), c->row};
    c->scale = load1(b, c->a->row_scale, 3, in_heads(&c->in, c->a->row_scale, sx));
    return fold_span(L, b, c->a->head_size, OP_ADD, 0, rounded_dot_span, c);
}

/* Sorted: the output is not divided by its sum yet, and a row that sees only itself has none. Of a
 * kept result the first is done, and the shift of the second is its weight. */
static void begin_sums(lower_t *L, builder_t *b, edge_rows_t *c) {
    const attention_t *a = c->a;
    ltype_t f = SCALAR(E_F32);
    affine_t ix[] = {c->in.batch, c->in.head, c->row}, sx[] = {ax(0), ax(0), c->row};
    value_t *mean = row_mean(L, b, c);
    for_span(L, b, a->head_stride, clear_span, c);
    if (is_sorted(a) && !a->stands)
        mean = times_kept(L, b, a, b_binary(b, OP_DIV, mean, load1(b, a->sum_so_far, 3, ix)));
    b_store(b, a->row_mean, mean, ix);
    if (!a->lsh) return;
    value_t *zero = b_const(b, f, 0);
    value_t *scale = load1(b, a->row_scale, 3, in_heads(&c->in, a->row_scale, sx));
    inst_t *seen = b_if(b, b_compare(b, OP_NE, scale, zero), 0, NULL);
    b_likely(seen);
    b_else(b, seen, NULL);
    b_store(b, a->row_mean, zero, ix);
    affine_t kx[] = {c->in.batch, c->in.head, ax(0), c->row};
    if (a->stands) c->weight = load1(b, a->row_shift, 3, sx);
    else if (is_sorted(a)) c->weight = self_only_weight(L, b, a, c->in.batch, c->in.head, c->row);
    else c->weight = a->self_kept ? load1(b, a->self_kept, 4, kx) : b_const(b, f, 1);
    for_span(L, b, a->head_stride, alone_span, c);
    b_end_if(b, seen, NULL);
}

/* The factor may stand where dy did: it comes last. */
static void begin_row(lower_t *L, builder_t *b, edge_rows_t *c) {
    begin_sums(L, b, c);
    if (c->a->rounded) for_span(L, b, c->a->head_stride, factor_span, c);
}

static void keep_weight(lower_t *L, builder_t *b, const edge_rows_t *c) {
    affine_t sx[] = {ax(0), ax(0), c->row};
    (void)in_heads(&c->in, c->a->row_scale, sx);
    value_t *zero = b_const(b, SCALAR(E_F32), 0);
    value_t *scale = load1(b, c->a->row_scale, 3, sx);
    inst_t *seen = b_if(b, b_compare(b, OP_NE, scale, zero), 0, NULL);
    b_likely(seen);
    b_else(b, seen, NULL);
    b_store(b, c->a->row_shift, self_only_weight(L, b, c->a, c->in.batch, c->in.head, c->row), sx);
    b_end_if(b, seen, NULL);
}

void lower_kept_sums(lower_t *L, attention_t *a) {
    edge_rows_t c;
    builder_t b = open_rows(L, a, a->node, "sums", &c);
    describe(L, b.fn, a->node->at, "LSH attention: what its gradient makes probabilities of");
    block_squares(L, &b, &c);
    for_span(L, &b, L->block, sums_span, &c);
    inst_t *rows = b_for(&b, "i", dim(0), dim(L->block), 0, NULL);
    c.row = ax_add(c.row0, ax_v(loop_var(rows)));
    keep_weight(L, &b, &c);
    b_end_for(&b, rows, NULL);
    a->keep_sums = b.fn;
}

void lower_gradient_begin(lower_t *L, attention_t *a) {
    edge_rows_t c;
    builder_t b = open_rows(L, a, a->gradient, "gradient_begin", &c);
    describe(L, b.fn, a->node->at, "gradient of %s attention: <dy, y> of every row, sums cleared",
             a->lsh ? "LSH" : "local");
    if (is_sorted(a) && !a->stands) {
        block_squares(L, &b, &c);
        for_span(L, &b, L->block, sums_span, &c);
    }
    inst_t *rows = b_for(&b, "i", dim(0), dim(L->block), 0, NULL);
    c.row = ax_add(c.row0, ax_v(loop_var(rows)));
    begin_row(L, &b, &c);
    b_end_for(&b, rows, NULL);
    a->gradient_begin = b.fn;
}

/* ---- behind ---------------------------------------------------------------------------------- */

/* Where one node is queries and keys, both gradients are its; exact attention has them apart. */
static void end_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const edge_rows_t *c = ctx;
    affine_t ix[] = {c->in.batch, c->in.head, c->row, at}, qx[] = {ax(0), ax(0), c->row, at};
    value_t *along = width > 1 ? b_broadcast(b, c->along, width) : c->along;
    value_t *q = b_load(b, c->a->q, width, in_heads(&c->in, c->a->q, qx));
    value_t *x = b_binary(b, OP_MUL, b_convert(b, E_F32, q), along);
    x = b_binary(b, OP_SUB, b_load(b, c->a->dk, width, ix), x);
    (void)L;
    if (is_sorted(c->a)) x = b_binary(b, OP_ADD, b_load(b, c->a->dq, width, ix), x);
    b_store(b, is_sorted(c->a) ? c->a->dq : c->a->dk, x, ix);
}

void lower_gradient_end(lower_t *L, attention_t *a) {
    if (!a->lsh) return;
    edge_rows_t c;
    builder_t b = open_rows(L, a, a->gradient, "gradient_end", &c);
    describe(L, b.fn, a->node->at, "gradient of LSH attention: through the norms of keys");
    inst_t *rows = b_for(&b, "i", dim(0), dim(L->block), 0, NULL);
    c.row = ax_add(c.row0, ax_v(loop_var(rows)));
    affine_t nx[] = {ax(0), ax(0), c.row};
    value_t *f = load1(&b, a->key_norm, 3, in_heads(&c.in, a->key_norm, nx));
    value_t *dot = row_dot(L, &b, &c, a->q, a->dk);
    c.along = b_binary(&b, OP_MUL, b_binary(&b, OP_MUL, dot, f), f);
    for_span(L, &b, a->head_stride, end_span, &c);
    b_end_for(&b, rows, NULL);
    a->gradient_end = b.fn;
}
