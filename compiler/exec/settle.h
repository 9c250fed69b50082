/* Which back end runs here: systems may forbid a process to make memory executable,
 * which the JIT needs. */
#ifndef REFORMERC_EXEC_SETTLE_H
#define REFORMERC_EXEC_SETTLE_H

#include "exec/exec.h"

/* 0, or the errno of the `call` ("mprotect") that refused. */
int jit_forbidden(const char **call);

/* b; but c in place of a jit that is forbidden here, after a warning in d, where the C compiler
 * `cc` (as in exec_options_t) can be run. */
backend_t backend_settle(backend_t b, const char *cc, diag_t *d);

#endif
