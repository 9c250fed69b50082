/* One forward of a model over an input file: what `run` does, callable in-process. */
#ifndef REFORMERC_COMMANDS_FORWARD_H
#define REFORMERC_COMMANDS_FORWARD_H

#include "commands/options.h"
#include "commands/tensors.h"

/* Everything from options: model, weights, --input …; fills `r` (results_free it in any case).
 * With --dump-activations the traced tensors follow the outputs. False after errors in d. */
bool forward_file(const options_t *o, results_t *r, diag_t *d);

#endif
