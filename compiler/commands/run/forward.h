/* One forward of a model over an input file: what `run` does, callable in-process. */
#ifndef REFORMERC_COMMANDS_RUN_FORWARD_H
#define REFORMERC_COMMANDS_RUN_FORWARD_H

#include "cli/options.h"
#include "tensors/tensors.h"

/* Everything from options: model, weights, --input …; fills `r` (results_free it in any case), and
 * adds the trace of --instrument to the set, which the caller commits or aborts. With
 * --dump-activations the traced tensors follow the outputs. False after errors in d. */
bool forward_file(const options_t *o, results_t *r, output_set_t *set, diag_t *d);

#endif
