/* Scratch panels: rows of one head, gathered so that the lines which a register tile reads follow
 * each other. With the rows' own distance, a power of two, they would share a few sets
 * of the first-level cache. */
#ifndef REFORMERC_LOWER_PANELS_H
#define REFORMERC_LOWER_PANELS_H

#include "lower/lower_int.h"

/* lane, but at most chunk - 1: lanes beyond the chunk repeat its last row. */
affine_t clamp_lane(lower_t *L, builder_t *b, affine_t lane, int64_t chunk);

/* Scratch that holds `rows` query rows per slot in panels, transposed:
 * [slot][panel][head_size][tile]; in pairs along the head, for dot2: [slot][panel][pair of
 * head_size][tile * 2], bf16. */
buffer_t *query_panels(lower_t *L, builder_t *b, int64_t slots, int64_t rows, int64_t head_size,
                       bool pairs);
/* Transposes all rows of a slot of dst, which is made by query_panels; row_of
 * gives the row of a lane. */
typedef affine_t row_of_fn(lower_t *L, builder_t *b, void *ctx, affine_t lane);
void transpose_rows(lower_t *L, builder_t *b, buffer_t *src, affine_t batch, affine_t head,
                    buffer_t *dst, affine_t slot, row_of_fn *row_of, void *ctx);
/* Scratch of `rows` value rows of `width` per slot, in panels of a tile's columns; or of pairs of
 * rows: [slot][panel][pair of rows][tile * 2], bf16. */
buffer_t *value_panels(lower_t *L, builder_t *b, int64_t slots, int64_t rows, int64_t width,
                       bool pairs);
/* Copies row `from` of src into row `to` of a slot of dst, which is made by value_panels. */
void copy_values(lower_t *L, builder_t *b, buffer_t *src, affine_t batch, affine_t head,
                 affine_t from, buffer_t *dst, affine_t slot, affine_t to);
/* The same of two rows, into a pair of rows `to`. */
void copy_value_pair(lower_t *L, builder_t *b, buffer_t *src, affine_t batch, affine_t head,
                     const affine_t from[2], buffer_t *dst, affine_t slot, affine_t to);
/* V[key][col …] of such scratch, a vector: `col` columns from panel `panel`;
 * or of a pair of keys. */
value_t *value_in_panel(lower_t *L, builder_t *b, buffer_t *values, affine_t slot, affine_t key,
                        affine_t panel, int64_t col);
/* sum[j]: per lane of a panel of such queries, the sum of squares over the head,
 * in the order of products. */
void panel_squares(lower_t *L, builder_t *b, buffer_t *queries, order_t order, affine_t slot,
                   affine_t panel, value_t **sum);

#endif
