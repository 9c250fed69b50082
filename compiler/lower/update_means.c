/* Adafactor's means of squared gradients: of rows and columns, of elements of vectors. Sums are in
 * double, of a slice of rows each, and then of slices. On the way the squares of weights are added
 * up, and of vectors those of updates. */
#include "lower/update_adafactor.h"

enum { COLUMN_SLICE = 1024 };

/* ---- means ----------------------------------------------------------------------------------- */

/* Of `sum` over n squares, as it joins the state; transformers adds eps here, trax
 * where the mean is used. */
static value_t *mean_of(const adafactor_pass_t *p, builder_t *b, value_t *sum, int64_t n) {
    ltype_t type = sum->type;
    value_t *mean = b_binary(b, OP_DIV, sum, b_const(b, type, (double)n));
    if (!is_trax(p)) mean = b_binary(b, OP_ADD, mean, b_const(b, type, rule_of(p)->eps[0]));
    return b_convert(b, E_F32, mean);
}

static value_t *join(const adafactor_pass_t *p, builder_t *b, buffer_t *state, affine_t at,
                     value_t *mean) {
    int width = mean->type.lanes;
    value_t *old = b_broadcast(b, coefficient(p->U, b, REFORMER_RATE_OLD), width);
    value_t *joining = b_broadcast(b, coefficient(p->U, b, REFORMER_RATE_NEW), width);
    value_t *x = b_binary(b, OP_MUL, b_load(b, state, width, &at), old);
    x = b_fma(b, mean, joining, x);
    b_store(b, state, x, &at);
    return x;
}

/* ---- sums: of matrices ----------------------------------------------------------------------- */

static value_t *gradient_term(updater_t *U, builder_t *b, void *ctx, affine_t at, int width) {
    const adafactor_pass_t *p = ctx;
    return gradient_at(U, b, p->clip, ax_add(p->base, at), width);
}

static value_t *weight_term(updater_t *U, builder_t *b, void *ctx, affine_t at, int width) {
    const adafactor_pass_t *p = ctx;
    affine_t ix = ax_add(p->base, at);
    return b_load(b, U->params, width, &ix);
}

static void add_to_column(updater_t *U, builder_t *b, void *ctx, affine_t at, value_t *square) {
    const adafactor_pass_t *p = ctx;
    buffer_t *columns = U->adafactor->columns;
    affine_t ix = ax_add(p->sums, at);
    value_t *so_far = b_load(b, columns, square->type.lanes, &ix);
    b_store(b, columns, b_binary(b, OP_ADD, so_far, square), &ix);
}

static void clear_columns(adafactor_pass_t *p, builder_t *b) {
    buffer_t *columns = p->U->adafactor->columns;
    p->sums = ax_v(b_index(b, ax_scale(p->part, p->g->columns)));
    inst_t *loop = b_for(b, "column", dim(0), dim(p->g->columns), 0, NULL);
    affine_t at = ax_add(p->sums, ax_v(loop_var(loop)));
    b_store(b, columns, b_const(b, SCALAR(E_F64), 0), &at);
    b_end_for(b, loop, NULL);
}

static void square_weights(adafactor_pass_t *p, builder_t *b, affine_t base, int64_t n) {
    if (!rule_of(p)->scale_parameter) return;
    p->base = ax_v(b_index(b, base));
    sum_t s = {.term = weight_term, .ctx = p};
    value_t *sum = sum_in_double(p->U, b, &s, n);
    b_store(b, p->U->adafactor->weights, sum, &p->part);
}

static void sum_rows(updater_t *U, builder_t *b, void *ctx, affine_t first, int64_t n) {
    adafactor_pass_t *p = ctx;
    const group_t *g = p->g;
    sum_t s = {.term = gradient_term, .each = add_to_column, .ctx = p};
    clear_columns(p, b);
    inst_t *rows = for_rows(p, b, first, n, 0, NULL);
    value_t *mean = mean_of(p, b, sum_in_double(U, b, &s, g->columns), g->columns);
    join(p, b, U->state[ROWS], ax_add(p->rows, p->row), mean);
    b_end_for(b, rows, NULL);
    affine_t row = ax_add(ax_scale(p->matrix, g->rows), first);
    square_weights(p, b, ax_add(p->first, ax_scale(row, g->columns)), n * g->columns);
}

/* ---- sums: of vectors ------------------------------------------------------------------------ */

static value_t *joined_term(updater_t *U, builder_t *b, void *ctx, affine_t at, int width) {
    adafactor_pass_t *p = ctx;
    value_t *g = gradient_at(U, b, p->clip, ax_add(p->base, at), width);
    value_t *square = b_binary(b, OP_MUL, g, g);
    if (!is_trax(p)) square = b_binary(b, OP_ADD, square, real(b, rule_of(p)->eps[0], width));
    value_t *state = join(p, b, U->state[ROWS], ax_add(p->row, at), square);
    return vector_update(p, b, state, g);
}

static void sum_elements(updater_t *U, builder_t *b, void *ctx, affine_t first, int64_t n) {
    adafactor_pass_t *p = ctx;
    affine_t at = ax_add(ax_scale(p->matrix, p->g->elements), first);
    affine_t base = ax_add(p->first, at);
    p->base = ax_v(b_index(b, base));
    p->row = ax_v(b_index(b, ax_add(p->rows, at)));
    sum_t s = {.term = joined_term, .ctx = p};
    b_store(b, U->adafactor->updates, sum_in_double(U, b, &s, n), &p->part);
    square_weights(p, b, base, n);
}

void adafactor_sums(adafactor_pass_t *p) {
    builder_t b;
    bool vector = p->g->vector;
    const char *doc = vector ? "squares of gradients join their means"
                             : "squares of gradients join the means of rows";
    if (open_pass(p, vector ? "elements" : "rows", doc, p->slices.n, &b))
        in_slice(p->U, &b, &p->slices, b.fn->task[1], vector ? sum_elements : sum_rows, p);
    launch_pass(p);
}

/* ---- columns, rows' means -------------------------------------------------------------------- */

static void one_column(adafactor_pass_t *p, builder_t *b, affine_t column, int width) {
    const group_t *g = p->g;
    adafactor_t *a = p->U->adafactor;
    affine_t sums = ax_add(ax_scale(p->matrix, p->slices.n * g->columns), column);
    affine_t own = ax_add(ax_scale(p->matrix, g->columns), column);
    value_t *sum = sum_parts(b, a->columns, sums, g->columns, p->slices.n, width);
    value_t *mean = mean_of(p, b, sum, g->rows);
    value_t *state = join(p, b, p->U->state[COLUMNS], ax_add(p->columns, own), mean);
    b_store(b, a->factors, one_over_root(b, used(p, b, state)), &own);
}

static void join_columns(updater_t *U, builder_t *b, void *ctx, affine_t first, int64_t n) {
    int width = double_lanes(U);
    if (n >= width) {
        inst_t *loop = b_for(b, "v", dim(0), dim(n / width), 0, NULL);
        one_column(ctx, b, ax_add(first, ax_scale(ax_v(loop_var(loop)), width)), width);
        b_end_for(b, loop, NULL);
    }
    if (n % width == 0) return;
    inst_t *loop = b_for(b, "e", dim(0), dim(n % width), 0, NULL);
    one_column(ctx, b, ax_plus(ax_add(first, ax_v(loop_var(loop))), n / width * width), 1);
    b_end_for(b, loop, NULL);
}

void adafactor_columns(adafactor_pass_t *p) {
    slices_t s = slices_of(p->g->columns, COLUMN_SLICE);
    builder_t b;
    if (open_pass(p, "columns", "squares of gradients join the means of columns", s.n, &b))
        in_slice(p->U, &b, &s, b.fn->task[1], join_columns, p);
    launch_pass(p);
}

static value_t *state_term(updater_t *U, builder_t *b, void *ctx, affine_t at, int width) {
    const adafactor_pass_t *p = ctx;
    affine_t ix = ax_add(p->base, at);
    return b_load(b, U->state[ROWS], width, &ix);
}

void adafactor_row_means(adafactor_pass_t *p) {
    const group_t *g = p->g;
    builder_t b;
    if (open_pass(p, "row_means", "the means of the rows' means", 1, &b)) {
        p->base = ax_v(b_index(&b, ax_add(p->rows, ax_scale(p->matrix, g->rows))));
        sum_t s = {.term = state_term, .plain = true, .ctx = p};
        value_t *sum = sum_in_double(p->U, &b, &s, g->rows);
        value_t *mean = b_binary(&b, OP_DIV, sum, b_const(&b, sum->type, (double)g->rows));
        b_store(&b, p->U->adafactor->means, b_convert(&b, E_F32, mean), &p->matrix);
    }
    launch_pass(p);
}
