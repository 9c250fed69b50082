/* The commands of the program: each has a folder, and begins in its command.c. */
#ifndef REFORMERC_COMMANDS_COMMANDS_H
#define REFORMERC_COMMANDS_COMMANDS_H

#include "cli/options.h"

extern const command_t commands[]; /* what options_parse() takes */

/* Each returns the exit code; errors in d make it EXIT_VALUE. */
int command_translate(const options_t *o, diag_t *d);
int command_run(const options_t *o, diag_t *d);
int command_eval(const options_t *o, diag_t *d);
int command_score(const options_t *o, diag_t *d);
int command_generate(const options_t *o, diag_t *d);
int command_train(const options_t *o, diag_t *d);
int command_tokenize(const options_t *o, diag_t *d);
int command_pack(const options_t *o, diag_t *d);
int command_inspect(const options_t *o, diag_t *d);
int command_verify(const options_t *o, diag_t *d);
int command_sweep(const options_t *o, diag_t *d);
int command_explain(const options_t *o, diag_t *d);
int command_bench(const options_t *o, diag_t *d);
int command_tune(const options_t *o, diag_t *d);
int command_cache(const options_t *o, diag_t *d);
int command_schema(const options_t *o, diag_t *d);
int command_help(const options_t *o, diag_t *d);

#endif
