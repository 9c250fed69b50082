/* Interval analysis over integer scalars: what an index can be, for every U.
 *
 * An end of an interval is linear in U (dim_t) or missing. Everything holds pointwise: for each U
 * of the module's units, a value computed at run time lies between both ends taken at that U. */
#ifndef REFORMERC_LOOPS_BOUNDS_H
#define REFORMERC_LOOPS_BOUNDS_H

#include "loops/rules.h"

typedef struct {
    bool has_lo, has_hi;
    dim_t lo, hi;
} interval_t;

interval_t interval_exact(dim_t lo, dim_t hi);
interval_t interval_of_elem(elem_t e); /* everything the type holds; i64: nothing known */
interval_t interval_of_load(const buffer_t *b, units_t u);
interval_t interval_join(interval_t a, interval_t b, units_t u);
/* Of an affine expression, `of` being indexed by the ids of values. */
interval_t interval_of_affine(const affine_t *a, const interval_t *of, units_t u);
/* Of the result of a plain op or load, an integer scalar. */
interval_t interval_of_inst(const inst_t *i, const interval_t *of, units_t u);
bool interval_within(interval_t a, dim_t lo, dim_t hi, units_t u);
bool interval_not_negative(interval_t a, units_t u);
const char *interval_text(arena_t *a, interval_t x); /* [0, 64*U - 1], [-inf, 3] */

#endif
