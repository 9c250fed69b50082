/* Between plan.c, which makes a plan, train.c, which adds train steps to it, and
 * graphs.c, which both use. */
#ifndef REFORMERC_PLAN_INT_H
#define REFORMERC_PLAN_INT_H

#include "plan/plan.h"

/* The graph of a forward, of a prefill or of a step with the plan's number type: of plans that
 * train, train.dtype. NULL after errors in d. */
graph_t *plan_with_dtype(const plan_t *p, graph_t *g, diag_t *d);
/* Whether compile.dtype says nothing else; false after an error in d. */
bool plan_type_is_trained(const plan_t *p, diag_t *d);
/* The graph of a forward from the plan's spec; train: with its dropout. NULL after errors in d. */
graph_t *plan_build(const plan_t *p, int64_t length, units_t units, bool train, diag_t *d);

#endif
