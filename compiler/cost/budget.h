/* `expect:` of a spec: budgets that fail the translation when they are broken. */
#ifndef REFORMERC_COST_BUDGET_H
#define REFORMERC_COST_BUDGET_H

#include "plan/plan.h"

/* Of a lowered plan, the worst over its lengths and targets. */
typedef struct {
    double workspace;       /* bytes for `threads` workers, longest input */
    double flops_per_token; /* of one forward, counted from the loop IR, over batch x length */
} measured_t;
measured_t measure_plan(const plan_t *p, int threads);

/* False after errors in d that stand where the budget stands. */
bool check_budgets(const plan_t *p, int threads, diag_t *d);

#endif
