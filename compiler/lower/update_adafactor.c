/* Adafactor, of transformers and of trax. Of a matrix it keeps the mean square of each row and each
 * column, of a vector that of each element; sums and means are in double. A group takes some
 * passes, each of which reads what all slices of a tensor gave before:
 *
 *   sums      rows' state; of each slice of rows, sums of columns and of squared weights. Vectors:
 *             the elements' state, and sums of squared updates
 *   columns   their state, and factors of updates; means of the rows' state
 *   squares   of updates, of each slice of rows
 *   rates     of a tensor, from the root mean squares of its weights and of its update
 *   apply     the update
 *
 * A slice is of whole rows of one of a tensor's matrices; of a vector, of elements. */
#include "lower/update_adafactor.h"

/* ---- what there is --------------------------------------------------------------------------- */

static slices_t slices_of_group(const group_t *g) {
    return g->vector ? slices_of(g->elements, SLICE) : slices_of(g->rows, SLICE / g->columns);
}

static int64_t greater(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static buffer_t *room(updater_t *U, const char *name, elem_t e, int64_t n, const char *doc) {
    dim_t d = dim(greater(n, 1));
    return workspace(&U->L, name, e, 1, &d, doc);
}

void make_adafactor(updater_t *U) {
    int64_t parts = 0, columns = 0, factors = 0, matrices = 0, tensors = 0;
    for (int i = 0; i < U->n; i++) {
        const group_t *g = &U->groups[i];
        int64_t all = g->count * g->matrices, n = slices_of_group(g).n;
        parts = greater(parts, all * n);
        tensors = greater(tensors, g->count);
        if (g->vector) continue;
        columns = greater(columns, all * n * g->columns);
        factors = greater(factors, all * g->columns);
        matrices = greater(matrices, all);
    }
    adafactor_t *a = U->adafactor = ARENA_NEW(U->L.arena, adafactor_t);
    a->weights = room(U, "squared_weights", E_F64, parts, "of a slice, added up");
    a->updates = room(U, "squared_updates", E_F64, parts, "of a slice, added up");
    a->columns = room(U, "columns", E_F64, columns, "[slice][column]: squared gradients, added up");
    a->factors = room(U, "factors", E_F32, factors, "[matrix][column]: of updates");
    a->means = room(U, "means", E_F32, matrices, "[matrix]: of the rows' state");
    a->rates = room(U, "rates", E_F32, tensors, "[tensor]: of decay");
    a->scales = room(U, "scales", E_F32, tensors, "[tensor]: of updates");
}

/* ---- rates ----------------------------------------------------------------------------------- */

static value_t *root_mean_square(const adafactor_pass_t *p, builder_t *b, buffer_t *squares) {
    int64_t n = p->g->matrices * p->slices.n;
    affine_t first = ax_scale(ax_v(b->fn->task[0]), n);
    value_t *sum = sum_parts(b, squares, first, 1, n, 1);
    value_t *elements = b_const(b, SCALAR(E_F64), (double)p->g->elements);
    return b_unary(b, OP_SQRT, b_binary(b, OP_DIV, sum, elements));
}

/* The greater, or the limit where x is no number. */
static value_t *at_least(builder_t *b, value_t *x, double limit) {
    return b_binary(b, OP_MAX, x, b_const(b, x->type, limit));
}

static void find_rates(adafactor_pass_t *p, builder_t *b) {
    const reformer_optimizer_t *o = rule_of(p);
    adafactor_t *a = p->U->adafactor;
    affine_t tensor = ax_v(b->fn->task[0]);
    value_t *rate = b_convert(b, E_F64, coefficient(p->U, b, REFORMER_RATE_STEP)), *scale;
    if (o->scale_parameter) {
        value_t *rms = root_mean_square(p, b, a->weights);
        rate = b_binary(b, OP_MUL, at_least(b, rms, o->eps[1]), rate);
    }
    scale = rate;
    if (o->clip_threshold > 0) {
        value_t *rms = root_mean_square(p, b, a->updates);
        rms = b_binary(b, OP_DIV, rms, b_const(b, rms->type, o->clip_threshold));
        scale = b_binary(b, OP_DIV, rate, at_least(b, rms, 1));
    }
    b_store(b, a->rates, b_convert(b, E_F32, rate), &tensor);
    b_store(b, a->scales, b_convert(b, E_F32, scale), &tensor);
}

static void adafactor_rates(adafactor_pass_t *p) {
    const group_t *g = p->g;
    int64_t sizes[] = {g->count, g->matrices * p->slices.n, g->elements};
    const char *name = shape_name(p->U, "rates", 3, sizes);
    builder_t b;
    if (open_kernel(p->U, name, "rates of tensors", 1, &g->count, NULL, &b, &p->kernel))
        find_rates(p, &b);
    launch_update(p->U, p->kernel, 0, NULL, "update.weights");
}

/* ---- a group --------------------------------------------------------------------------------- */

void lower_adafactor(updater_t *U, const group_t *g) {
    adafactor_pass_t p = {.U = U, .g = g, .slices = slices_of_group(g)};
    adafactor_sums(&p);
    if (!g->vector) {
        adafactor_columns(&p);
        adafactor_row_means(&p);
        if (U->update->rule.clip_threshold > 0) adafactor_squares(&p);
    }
    adafactor_rates(&p);
    adafactor_apply(&p);
}
