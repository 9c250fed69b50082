/* --dump STAGE, --verify, --time-passes: looking at the stages between spec and code. */
#ifndef REFORMERC_COMMANDS_STAGES_H
#define REFORMERC_COMMANDS_STAGES_H

#include "commands/options.h"

/* False after an error when --dump names no stage. */
bool check_stage_name(const options_t *o, diag_t *d);
pass_options_t pass_options_of(const options_t *o);

/* Each prints to stderr when --dump asks for it. */
bool dump_spec(const options_t *o, const spec_t *spec, diag_t *d); /* false: of graphs, an error */
void print_graphs(const plan_t *p,
                  sbuf_t *out); /* what -o MODEL.graph writes, and reads as a model */
void dump_graphs(const options_t *o, const plan_t *p);
void dump_loops(const options_t *o, const plan_t *p);

#endif
