/* Matrices of integers in the packed weights file: arrays of i8, and behind them a scale and, of
 * panels, a start for each row (weights/layout.h). Both directions ask one function
 * where an element stands. */
#include "support/i8.h"
#include "weights/pack_int.h"

enum { FOUR = 4 }; /* side by side in panels */

/* Of one tensor. A file that is unpacked is only read. */
typedef struct {
    const layout_entry_t *e;
    int8_t *q;
    float *scales;
    int32_t *starts; /* NULL: a table */
} matrix_t;

static matrix_t matrix_of(const layout_entry_t *e, int index, const unsigned char *file) {
    unsigned char *base = (unsigned char *)(uintptr_t)file;
    int64_t own = 4 * e->rows * index;
    return (matrix_t){.e = e,
                      .q = (int8_t *)(base + e->offset + e->bytes / e->count * index),
                      .scales = (float *)(void *)(base + e->scales_at + own),
                      .starts =
                          e->starts_at ? (int32_t *)(void *)(base + e->starts_at + own) : NULL};
}

/* The place of a row among those of the packed array: heads begin panels. */
static int64_t packed_row(const layout_entry_t *e, int64_t row) {
    if (e->kind != PACK_HEAD_PANELS) return row;
    int64_t d = e->shape[0] / e->heads, room = e->rows / e->heads;
    return row / d * room + row % d;
}

/* Of element k of a row of it. */
static int64_t packed_place(const layout_entry_t *e, int64_t row, int64_t k) {
    int64_t depth = e->shape[1];
    if (e->kind == PACK_ROWS) return row * depth + k;
    int64_t fours = (depth + FOUR - 1) / FOUR, j = row % PANEL;
    return ((row / PANEL * fours + k / FOUR) * PANEL + j) * FOUR + k % FOUR;
}

void pack_i8(const layout_entry_t *e, int index, const float *values, unsigned char *file) {
    matrix_t m = matrix_of(e, index, file);
    int64_t depth = e->shape[1];
    for (int64_t row = 0; row < e->shape[0]; row++, values += depth) {
        int64_t to = packed_row(e, row);
        i8_scale_t by = i8_scale(values, depth);
        int32_t sum = 0;
        for (int64_t k = 0; k < depth; k++) {
            int8_t q = i8_round(values[k], by);
            m.q[packed_place(e, to, k)] = q;
            sum += q;
        }
        m.scales[to] = by.scale;
        if (m.starts) m.starts[to] = -(I8_MAX + 1) * sum;
    }
}

void unpack_i8(const layout_entry_t *e, int index, const unsigned char *file, float *values) {
    matrix_t m = matrix_of(e, index, file);
    int64_t depth = e->shape[1];
    for (int64_t row = 0; row < e->shape[0]; row++, values += depth) {
        int64_t from = packed_row(e, row);
        for (int64_t k = 0; k < depth; k++)
            values[k] = (float)m.q[packed_place(e, from, k)] * m.scales[from];
    }
}
