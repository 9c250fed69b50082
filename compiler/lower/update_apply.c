/* Adafactor's updates, from the means that there are of rows and columns: their squares, added up,
 * then what they do to weights. They are computed twice rather than kept. */
#include "lower/update_adafactor.h"

/* ---- updates of matrices --------------------------------------------------------------------- */

/* What a row's gradients are multiplied by, beside their columns' factors. */
static void find_row_factor(adafactor_pass_t *p, builder_t *b) {
    affine_t at = ax_add(p->rows, p->row);
    value_t *state = used(p, b, load1(b, p->U->state[ROWS], 1, &at));
    value_t *mean = load1(b, p->U->adafactor->means, 1, &p->matrix);
    p->row_factor = one_over_root(b, b_binary(b, OP_DIV, state, mean));
    p->sums = ax_v(b_index(b, ax_scale(p->matrix, p->g->columns)));
}

/* Of columns at … of the row at hand, which begins at p->base. */
static value_t *matrix_update(updater_t *U, builder_t *b, void *ctx, affine_t at, int width) {
    const adafactor_pass_t *p = ctx;
    affine_t ix = ax_add(p->sums, at);
    value_t *column = b_load(b, U->adafactor->factors, width, &ix);
    value_t *factor = b_binary(b, OP_MUL, b_broadcast(b, p->row_factor, width), column);
    value_t *g = gradient_at(U, b, p->clip, ax_add(p->base, at), width);
    return b_binary(b, OP_MUL, factor, g);
}

static void square_rows(updater_t *U, builder_t *b, void *ctx, affine_t first, int64_t n) {
    adafactor_pass_t *p = ctx;
    sum_t s = {.term = matrix_update, .ctx = p};
    value_t *zero = b_const(b, SCALAR(E_F64), 0);
    inst_t *rows = for_rows(p, b, first, n, 1, &zero);
    find_row_factor(p, b);
    value_t *sum = sum_in_double(U, b, &s, p->g->columns);
    value_t *next = b_binary(b, OP_ADD, loop_arg(rows, 0), sum);
    b_end_for(b, rows, &next);
    b_store(b, U->adafactor->updates, rows->results[0], &p->part);
}

void adafactor_squares(adafactor_pass_t *p) {
    builder_t b;
    if (open_pass(p, "updates", "squares of updates", p->slices.n, &b))
        in_slice(p->U, &b, &p->slices, b.fn->task[1], square_rows, p);
    launch_pass(p);
}

/* ---- weights --------------------------------------------------------------------------------- */

/* Transformers: what of a weight is added to it; trax: what it is multiplied by.
 * NULL: weights do not decay. */
static value_t *find_decay(adafactor_pass_t *p, builder_t *b, affine_t tensor) {
    affine_t number = ax_add(p->number, tensor);
    if (!p->U->decays) return NULL;
    if (is_trax(p))
        return where_decays(p->U, b, number, coefficient(p->U, b, REFORMER_RATE_KEPT), 1);
    value_t *rate = b_convert(b, E_F64, load1(b, p->U->adafactor->rates, 1, &tensor));
    value_t *lost = b_const(b, SCALAR(E_F64), -rule_of(p)->weight_decay);
    value_t *x = b_convert(b, E_F32, b_binary(b, OP_MUL, lost, rate));
    return where_decays(p->U, b, number, x, 0);
}

static void begin_apply(adafactor_pass_t *p, builder_t *b) {
    value_t *matrix = b->fn->task[0];
    bool one = p->g->matrices == 1;
    affine_t tensor = ax_v(one ? matrix : b_idiv(b, matrix, dim(p->g->matrices)));
    p->scale = load1(b, p->U->adafactor->scales, 1, &tensor);
    p->decay = find_decay(p, b, tensor);
}

/* The update's running mean, where one is kept. */
static value_t *mean_of_updates(const adafactor_pass_t *p, builder_t *b, affine_t at, value_t *u) {
    buffer_t *mean = p->U->state[MEAN];
    int width = u->type.lanes;
    double beta = rule_of(p)->beta1;
    if (!mean) return u;
    value_t *m = b_binary(b, OP_MUL, b_load(b, mean, width, &at), real(b, beta, width));
    m = b_fma(b, u, real(b, 1 - beta, width), m);
    b_store(b, mean, m, &at);
    return m;
}

static void apply(const adafactor_pass_t *p, builder_t *b, affine_t at, value_t *u) {
    int width = u->type.lanes;
    u = b_binary(b, OP_MUL, u, b_broadcast(b, p->scale, width));
    u = mean_of_updates(p, b, at, u);
    value_t *x = b_load(b, p->U->params, width, &at);
    if (p->decay && is_trax(p)) x = b_binary(b, OP_MUL, x, b_broadcast(b, p->decay, width));
    else if (p->decay) x = b_fma(b, x, b_broadcast(b, p->decay, width), x);
    b_store(b, p->U->params, b_binary(b, OP_SUB, x, u), &at);
}

static void apply_columns(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    adafactor_pass_t *p = ctx;
    (void)L;
    apply(p, b, ax_add(p->base, at), matrix_update(p->U, b, p, at, width));
}

static void apply_rows(updater_t *U, builder_t *b, void *ctx, affine_t first, int64_t n) {
    adafactor_pass_t *p = ctx;
    inst_t *rows = for_rows(p, b, first, n, 0, NULL);
    find_row_factor(p, b);
    for_span(&U->L, b, p->g->columns, apply_columns, p);
    b_end_for(b, rows, NULL);
}

static void apply_elements(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    adafactor_pass_t *p = ctx;
    affine_t ix = ax_add(p->base, at), state = ax_add(p->row, at);
    value_t *g = gradient_at(p->U, b, p->clip, ix, width);
    (void)L;
    apply(p, b, ix, vector_update(p, b, b_load(b, p->U->state[ROWS], width, &state), g));
}

static void apply_slice(updater_t *U, builder_t *b, void *ctx, affine_t first, int64_t n) {
    adafactor_pass_t *p = ctx;
    affine_t at = ax_add(ax_scale(p->matrix, p->g->elements), first);
    p->base = ax_v(b_index(b, ax_add(p->first, at)));
    p->row = ax_v(b_index(b, ax_add(p->rows, at)));
    for_span(&U->L, b, n, apply_elements, p);
}

void adafactor_apply(adafactor_pass_t *p) {
    builder_t b;
    if (open_pass(p, "apply", "Adafactor", p->slices.n, &b)) {
        begin_apply(p, &b);
        in_slice(p->U, &b, &p->slices, b.fn->task[1], p->g->vector ? apply_slice : apply_rows, p);
    }
    launch_pass(p);
}
