/* A plan as the command line makes one, of a spec's text. */
#ifndef REFORMERC_TESTS_PLAN_OF_H
#define REFORMERC_TESTS_PLAN_OF_H

#include <string.h>

#include "plan/plan.h"

/* NULL after errors in d. The text lives as long as the plan. */
static inline plan_t *plan_of(arena_t *a, const char *text, const plan_options_t *o, diag_t *d) {
    spec_t *s = spec_parse(a, "model.yaml", text, strlen(text), NULL, 0, d);
    if (!s || !spec_resolve_architecture(s, false, false, false, d)) return NULL;
    return plan_make(a, s, o, d);
}

#endif
