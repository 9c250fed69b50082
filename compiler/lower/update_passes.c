/* A pass over a group of Adafactor's: its kernel, opened and launched, and what
 * all passes compute. */
#include "lower/update_adafactor.h"

/* Tasks are pieces of matrices; a vector is a matrix. Params: where the weights begin, their rows'
 * state, their columns' state, the first tensor's number. */
bool open_pass(adafactor_pass_t *p, const char *what, const char *doc, int64_t pieces,
               builder_t *b) {
    static const char *const names[] = {"matrix", "piece"};
    const group_t *g = p->g;
    updater_t *U = p->U;
    int64_t sizes[] = {g->count, g->matrices, g->rows, g->columns};
    int64_t tasks[] = {g->count * g->matrices, pieces};
    const char *name = g->vector ? shape_name(U, what, 2, (int64_t[]){g->count, g->elements})
                                 : shape_name(U, what, 4, sizes);
    if (!open_kernel(U, name, doc, 2, tasks, names, b, &p->kernel)) return false;
    int64_t all = g->count * g->matrices, rows = g->vector ? g->elements : g->rows;
    p->first = place_param(b, "first", g->count * g->elements, U->elements);
    p->rows = place_param(b, "rows", all * rows, U->state[ROWS]->dims[0].c);
    p->columns = ax(0);
    if (!g->vector)
        p->columns = place_param(b, "columns", all * g->columns, U->state[COLUMNS]->dims[0].c);
    p->number = ax(0);
    if (U->decays) p->number = place_param(b, "number", g->count, U->decays->dims[0].c);
    p->matrix = ax_v(b->fn->task[0]);
    p->part = ax_add(ax_scale(p->matrix, p->slices.n), ax_v(b->fn->task[1]));
    p->clip = clip_of(U, b);
    return true;
}

void launch_pass(const adafactor_pass_t *p) {
    int64_t args[4] = {p->g->first, p->g->state[ROWS]};
    int n = 2;
    if (!p->g->vector) args[n++] = p->g->state[COLUMNS];
    if (p->U->decays) args[n++] = p->g->number;
    launch_update(p->U, p->kernel, n, args, "update.weights");
}

inst_t *for_rows(adafactor_pass_t *p, builder_t *b, affine_t first, int64_t n, int carried,
                 value_t *const *init) {
    const group_t *g = p->g;
    inst_t *loop = b_for(b, "row", dim(0), dim(n), carried, init);
    affine_t row = ax_add(ax_add(ax_scale(p->matrix, g->rows), first), ax_v(loop_var(loop)));
    p->row = ax_v(b_index(b, row));
    p->base = ax_v(b_index(b, ax_add(p->first, ax_scale(p->row, g->columns))));
    return loop;
}

value_t *used(const adafactor_pass_t *p, builder_t *b, value_t *mean) {
    int width = mean->type.lanes;
    if (!is_trax(p)) return mean;
    return b_binary(b, OP_ADD, mean, real(b, rule_of(p)->eps[0], width));
}

value_t *one_over_root(builder_t *b, value_t *x) {
    return b_binary(b, OP_DIV, real(b, 1, x->type.lanes), b_unary(b, OP_SQRT, x));
}

value_t *vector_update(const adafactor_pass_t *p, builder_t *b, value_t *state, value_t *g) {
    return b_binary(b, OP_MUL, one_over_root(b, used(p, b, state)), g);
}
