/* Sums of sums: the gradient of a param that several nodes read (TOTAL). What they add up stands in
 * one stack for each shape of params, until the last of them is there. */
#ifndef REFORMERC_LOWER_TOTALS_H
#define REFORMERC_LOWER_TOTALS_H

#include "lower/lower_int.h"

/* The caller's array for the gradient of the param that a GRADIENT, at this place in the nodes of
 * the part's members, is of; *vector: the part's, of places in it. */
buffer_t *gradient_array(lower_t *L, part_t *p, int place, int *vector);
/* Where the sum at this place goes: there, or into the stack of parts of other sums. */
buffer_t *sum_array(lower_t *L, part_t *p, int place, int *vector);
bool lower_total(lower_t *L,
                 part_t *p); /* the kernel of a TOTAL's region; false after an error in L->d */

#endif
