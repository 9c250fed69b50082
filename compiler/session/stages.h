/* --dump STAGE, --verify, --time-passes: looking at the stages between spec and code. */
#ifndef REFORMERC_SESSION_STAGES_H
#define REFORMERC_SESSION_STAGES_H

#include "cli/options.h"

/* False after an error when --dump names no stage. */
bool check_stage_name(const options_t *o, diag_t *d);
pass_options_t pass_options_of(const options_t *o);

/* Each prints to stderr when --dump asks for it. */
bool dump_spec(const options_t *o, const spec_t *spec, diag_t *d); /* false: of graphs, an error */
/* What -o PATH writes, and reads as a model; path NULL: wherever it will be.
 * False after an error in d. */
bool print_graphs(const plan_t *p, const char *path, sbuf_t *out, diag_t *d);
bool dump_graphs(const options_t *o, const plan_t *p, diag_t *d);
void dump_loops(const options_t *o, const plan_t *p);

#endif
