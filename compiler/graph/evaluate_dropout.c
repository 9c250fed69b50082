/* The evaluator's dropout: masks by the numbering of dropout.h, one element at a time. Without
 * masks (evaluation mode) all of it is the identity. */
#include "graph/evaluate_ops.h"
#include "philox.h"

double dropout_factor(const graph_dropout_t *d, int layer, dropout_place_t place, double rate,
                      int64_t element) {
    uint64_t block = (uint64_t)element / 8, low = element % 8;
    uint32_t number = layer < 0 ? DROPOUT_OUTSIDE : (uint32_t)layer;
    uint32_t word[4] = {(uint32_t)block, number << 16 | ((uint32_t)(block >> 32) & 0xFFFF),
                        DROPOUT_STREAM << 8 | (uint32_t)place, d->step};
    philox4x32(word, (uint32_t)d->seed, (uint32_t)(d->seed >> 32));
    int64_t drawn = word[low / 2] >> (low % 2 * 16) & 0xFFFF, t = dropout_threshold(rate);
    return drawn < t ? 0 : (double)DROPOUT_ONE / (double)(DROPOUT_ONE - t);
}

double eval_kept(const eval_t *e, const gnode_t *n, dropout_place_t place, double rate,
                 int64_t element) {
    return e->dropout && rate > 0 ? dropout_factor(e->dropout, n->layer, place, rate, element) : 1;
}

double eval_kept_at(const eval_t *e, const gnode_t *n, dropout_place_t place, double rate,
                    const eval_value_t *x, int64_t k) {
    if (!e->dropout || rate <= 0) return 1;
    int64_t width = x->shape[x->rank - 1], own = k / width;
    int64_t rows = x->elements / width / x->shape[0]; /* of a row of the batch */
    int64_t row = own + e->dropout->first_row * rows;
    if (place != PLACE_POSITION || n->n_axial == 0)
        return eval_kept(e, n, place, rate, dropout_element(row, width, k % width));
    int64_t stride = 1, columns = n->axial_shape[1];
    for (int a = 2; a < n->n_axial; a++) stride *= n->axial_shape[a];
    int64_t column = eval_position(e, n, own / rows, own % rows) / stride % columns;
    return eval_kept(e, n, place, rate, dropout_element(row / rows, columns, column));
}

int eval_dropout(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *x = eval_in(e, n, 0);
    for (int64_t k = 0; k < x->elements; k++)
        out->f[k] = x->f[k] * eval_kept_at(e, n, (dropout_place_t)n->place, n->rate, x, k);
    return REFORMER_OK;
}
