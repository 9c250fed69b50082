/* Random edits of a graph: what no spec can say, though every back end has to follow it. */
#ifndef REFORMERC_TESTS_RANDOM_GRAPH_H
#define REFORMERC_TESTS_RANDOM_GRAPH_H

#include "random_model.h"

/* Layers get norms, activations, windows and widths of their own, or go without a norm or an activation; sums turn
 * round. The plan's layout is made anew. False after errors in d: the edited graph is none. */
bool edit_graphs(plan_t *p, diag_t *d);

#endif
