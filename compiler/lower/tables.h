/* The gradients of embedding tables (WORD_GRAD, POSITION_GRAD): sums over the rows that have an
 * entry, a chunk of rows at a time, as sums.h has it of weights: operands in panels, zeros
 * in rows that nobody has. */
#ifndef REFORMERC_LOWER_TABLES_H
#define REFORMERC_LOWER_TABLES_H

#include "lower/sums.h"

/* Parameters of the kernel as of lower_row_sums(); s->to: [places][entries][width]. NULL
 * after an error in L->d. */
lfunc_t *lower_table_sums(lower_t *L, const char *name, const gnode_t *sum, const row_sums_t *s);

#endif
