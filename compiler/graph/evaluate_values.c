/* What the ops of the reference evaluator share: memory for values, values of
 * i8, where a token stands. */
#include "graph/evaluate_ops.h"
#include "support/heap.h"
#include "support/i8.h"

void *eval_alloc(int64_t count, size_t size) {
    return heap_new(count > 0 ? (size_t)count : 1, size);
}

void eval_quantize_rows(const float *x, int64_t n, int64_t width, double *to) {
    for (int64_t at = 0; at < n; at += width) {
        i8_scale_t by = i8_scale(x + at, width);
        for (int64_t k = at; k < at + width; k++) to[k] = (double)i8_round(x[k], by) * by.scale;
    }
}

/* Places of the grid, or entries of the absolute table. */
static int64_t positions_of(const gnode_t *n) {
    int64_t positions = 1;
    if (n->n_axial == 0) return graph_is_embed(n) ? n->in[n->n_in - 1]->shape[0].c : n->entries;
    for (int a = 0; a < n->n_axial; a++) positions *= n->axial_shape[a];
    return positions;
}

int64_t eval_position(const eval_t *e, const gnode_t *n, int64_t row, int64_t t) {
    int64_t last = positions_of(n) - 1;
    if (!graph_positions(n) || !e->io->positions) return t;
    return e->io->positions[row] + t < last ? e->io->positions[row] + t : last;
}
