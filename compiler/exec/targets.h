/* Which targets a plan is for: what the user asked for, else what the use defaults to.
 *
 * Shared by the command line and the library; `where` is whom to blame in messages: "--target", the
 * path of the spec. */
#ifndef REFORMERC_EXEC_TARGETS_H
#define REFORMERC_EXEC_TARGETS_H

#include "exec/exec.h"

/* The best target of this CPU among those that a model of this number type has a use
 * for: what "native" means. */
const target_t *native_target(dtype_t dtype);

/* A comma-separated list of names, "native" among them, each kept once: names[0 … *n-1], copied to
 * a. False after an error in d. */
bool targets_parse(arena_t *a, const char *list, const char *where, const char *names[MAX_TARGETS],
                   int *n, diag_t *d);

/* Where nobody names a target: this CPU's best; every level of this machine's architecture and
 * those of its extensions that the model uses, so that a product has full speed wherever it runs;
 * what all machines of the architecture run. */
typedef enum { TARGET_NATIVE, TARGET_LEVELS, TARGET_BASELINE } target_default_t;

typedef struct {
    const char *const *names; /* [n], valid; n 0: compile.targets, else `otherwise` */
    int n;
    const char *where; /* of names */
    target_default_t otherwise;
    bool runs;         /* at once, here: only the best of this CPU is kept */
    backend_t backend; /* where it runs */
} target_request_t;

/* Fills in p->targets, best first. False after an error in d. */
bool targets_choose(plan_options_t *p, const spec_t *s, const target_request_t *want, diag_t *d);

#endif
