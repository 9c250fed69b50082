/* Row programs of K_SUM regions: rows that are added up go into panels of their chunk, and kernels
 * behind the row program add those up (sums.h). What a dense layer's chain ends with goes there
 * straight from its accumulators; what stands somewhere is copied. */
#ifndef REFORMERC_LOWER_ROWS_SUMS_H
#define REFORMERC_LOWER_ROWS_SUMS_H

#include "lower/rows_values.h"

bool is_row_sum(const gnode_t *n); /* over rows: no TOTAL, no GRADIENT */
/* Panels of x, [panel][rows of a chunk][PANEL], for whoever puts all of its rows there; NULL: no
 * sum of the region has it, or in pairs of rows. */
buffer_t *panels_for(lower_t *L, rows_t *r, const gnode_t *x);
/* Whether x goes there pair by pair of rows, from rows that stand in scratch. */
bool is_summed_in_pairs(const lower_t *L, const rows_t *r, const gnode_t *x);
/* When they are there: what a chain did not write of them. */
void finish_panels(lower_t *L, builder_t *b, rows_t *r, const gnode_t *x);
/* A sum: what it adds up stands in panels from here on. False after an error in L->d. */
bool summed_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *sum);

/* Rows that are picked of batch elements are one chunk. */
int64_t chunks_of(const lower_t *L, const region_t *region);
/* Around what a task computes of its block: `begin` opens a branch where some tasks have none. */
void begin_chunk(lower_t *L, builder_t *b, rows_t *r, value_t *chunk);
void end_chunk(lower_t *L, builder_t *b, rows_t *r); /* rows that nobody has are zeros */
/* Where the part's sums go, before its kernel takes its params; the kernels that add up, behind it.
 * False after an error in L->d. */
bool plan_sums(lower_t *L, part_t *p, rows_t *r);
bool lower_sums(lower_t *L, part_t *p, rows_t *r);
const char *sums_name(lower_t *L, const part_t *p); /* "feed_forward.grad" */

#endif
