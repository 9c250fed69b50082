/* Sums over rows: the gradients of weights and biases (OUTER, SUM_ROWS), a chunk of rows at a time.
 *
 * What a region of kind K_SUM adds up exists for one chunk of rows: its row program leaves the
 * operands of each sum there, then the kernels below add the chunk up and add that to what chunks
 * before it gave. Within a chunk rows are added in their order, from 0 on, and chunks in theirs: an
 * element's sum depends on neither threads, tasks nor tiles, to the bit, as long as the length of
 * chunks is a constant, and rounding grows with the length of a chunk and with their number, not
 * with the product of the two.
 *
 * Operands stand in panels, [panel][row][PANEL], rows that nobody has being zeros. So a register
 * tile reads lines that follow each other, as in a dense layer: it is the same tile, where rows of
 * dy's columns take the part of tokens, and rows of tokens that of the depth. Of bf16 two rows
 * stand in one, pair by pair of each column's values: dot2 takes both at once, the odd one first,
 * and so do all who have no dot2. A task may take several panels of both: each pair of them, of
 * some rows before the next, so that memory is read for all pairs once.
 *
 * In: buffers. Out: kernels. Who leaves operands in panels: rows_sums.h; chunks: chunks.h;
 * tables' gradients: tables.h. */
#ifndef REFORMERC_LOWER_SUMS_H
#define REFORMERC_LOWER_SUMS_H

#include "lower/lower_int.h"

typedef struct {
    /* [panel][rows][PANEL], of bf16 [panel][pair of rows][PANEL * 2]; x NULL: sums of dy alone */
    buffer_t *dy, *x;
    bool rounded; /* they are of bf16, which may stand as f32 */
    /* [places][out][in], or without x [places][out]: no wider than the tensor itself */
    buffer_t *to;
    int64_t outs, ins; /* panels of dy and of x that a task takes, which divide theirs; 0: one */
} row_sums_t;

/* Parameters of the kernel: the place in the stack of what is summed up, the chunk's number (0:
 * `to` holds nothing yet). */
lfunc_t *lower_row_sums(lower_t *L, const char *name, const row_sums_t *s);

#endif
