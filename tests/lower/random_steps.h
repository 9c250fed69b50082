/* Random edits of all graphs of a plan that generates: what no spec can say, the same in forwards, prefills and steps. */
#ifndef REFORMERC_TESTS_RANDOM_STEPS_H
#define REFORMERC_TESTS_RANDOM_STEPS_H

#include "random_model.h"

/* Layers get windows, rounds, buckets, heads, widths, norms and activations of their own; norms are missing or doubled, sums
 * turn round, a feed-forward goes on with the stream that it reads. In: a plan of literal lengths that is not lowered. Its
 * layout is made anew. False after errors in d: an edited graph is none. */
bool edit_plan(plan_t *p, diag_t *d);

#endif
