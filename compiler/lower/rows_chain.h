/* Chains of row programs: what follows a dense layer element by element is done on its accumulators
 * before they are stored, into scratch for the next layer, into the rows of a
 * stream, into panels for sums. */
#ifndef REFORMERC_LOWER_ROWS_CHAIN_H
#define REFORMERC_LOWER_ROWS_CHAIN_H

#include "lower/rows_values.h"

/* What is computed of a dense layer's result, or of its transpose's, and where that goes:
 * all of it counts as done. */
chain_t chain_from(lower_t *L, builder_t *b, rows_t *r, const gnode_t *dense);
void fetch_home(lower_t *L, builder_t *b, void *chain, affine_t row, affine_t col); /* c->target */
void settle_chain(lower_t *L, builder_t *b, rows_t *r, const chain_t *c);           /* behind it */

/* Factors of a DROPOUT's rows; NULL: nothing is dropped. */
buffer_t *factor_rows(lower_t *L, builder_t *b, const rows_t *r, const gnode_t *n);
/* Whether nobody in the region reads the tile of x behind n: then n may write over it. */
bool is_read_last(const lower_t *L, const rows_t *r, const gnode_t *x, const gnode_t *n);

#endif
