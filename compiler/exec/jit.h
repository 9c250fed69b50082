/* A plan → machine code in this process: units from the cache or compiled on
 * the workers, linked. */
#ifndef REFORMERC_EXEC_JIT_H
#define REFORMERC_EXEC_JIT_H

#include "emit/llvm.h"
#include "exec/exec.h"

/* Fills in variants[k].run of the plan's variants. NULL after an error in d. */
jit_t *jit_open(const plan_t *p, const exec_options_t *o, reformer_variant_t *variants, diag_t *d);

#endif
