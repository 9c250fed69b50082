/* No output over an input: what every command checks before it begins. */
#ifndef REFORMERC_CLI_APART_H
#define REFORMERC_CLI_APART_H

#include "cli/options.h"

/* Every file that the command line says is written, those beside it included (model.c: model.h and
 * model.weights too), is none that it says is read, and no other that is written: through symbolic
 * and hard links. False after an error in d. */
bool outputs_apart(const options_t *o, diag_t *d);
/* The same for one more file, which only the spec or another file names. */
bool outputs_spare(const options_t *o, const char *input, diag_t *d);

#endif
