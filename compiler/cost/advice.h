/* Performance warnings: settings that make a model slower than it need be, each at its key in the
 * spec, with what it costs and what to write instead. */
#ifndef REFORMERC_COST_ADVICE_H
#define REFORMERC_COST_ADVICE_H

#include "plan/plan.h"

typedef enum {
    ADVICE_ALL, /* whatever is worth a thought: for who asked */
    /* Only where a good part of a forward that takes long is wasted: for who did not */
    ADVICE_SEVERE
} advice_level_t;

/* Of a lowered plan: its longest variant, its best target. Warnings go to d. */
void advise(const plan_t *p, advice_level_t level, diag_t *d);

/* Two even factors whose product is n or the nearest larger one that has them, about equally large:
 * the list for num_buckets. n >= 4. */
void balanced_factors(int64_t n, int64_t factors[2]);

#endif
