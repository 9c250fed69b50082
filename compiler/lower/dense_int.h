/* A column tile of a dense layer as it is written (dense.c), and the steps of its loop over k where
 * factors are of a small type (small.c). */
#ifndef REFORMERC_LOWER_DENSE_INT_H
#define REFORMERC_LOWER_DENSE_INT_H

#include "lower/lower_int.h"

typedef struct {
    const dense_t *d;
    affine_t panel, lane, col, row;
    affine_t next_panel, next_lane, ordinal; /* of the next column tile; of the row tile */
    int64_t row_tiles;
    int rows;
    value_t *column;
    value_t *more;              /* whether there is a next column tile */
    int64_t depth;              /* of a slice, in rows of panels */
    affine_t first, next_first; /* row of the slice, and of the next column tile's */
    buffer_t *so_far; /* scratch [m][n]: what slices before gave; NULL: there is one slice */
    value_t *last;    /* whether none comes behind it */
    buffer_t *whole;  /* scratch [accumulator][lanes]: sums of integers so far; NULL: not needed */
} dense_ctx_t;

/* ---- dense_panels.c -------------------------------------------------------------------------- */

int64_t values_in_row(const buffer_t *w); /* of k, that a row of a panel holds side by side */
/* Of a row of a panel the value for column `lane`, or the first of its pair. */
void panel_index(const panels_t *w, affine_t panel, affine_t row, affine_t lane, affine_t *ix);
/* A vector of a row of panels: `lanes` columns, each with all k that the row holds of it. */
value_t *dense_vector(lower_t *L, builder_t *b, void *ctx, int j, affine_t k);

/* ---- small.c --------------------------------------------------------------------------------- */

tile_at_k_fn *small_at_k(const dense_t *d); /* of the loop over rows of panels; NULL: of f32 */
bool is_of_integers(const dense_t *d);      /* both factors are i8 */
buffer_t *sums_of_slices(lower_t *L, builder_t *b, const dense_t *d); /* scratch for `whole` */
/* A tile of such: p, which counts rows of panels, as f32 without bias. */
void integer_product(lower_t *L, builder_t *b, dense_ctx_t *c, const product_t *p, value_t **acc);

#endif
