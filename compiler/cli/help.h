/* --help, and the paragraphs of it that pages of man have, too. */
#ifndef REFORMERC_CLI_HELP_H
#define REFORMERC_CLI_HELP_H

#include "cli/options.h"

extern const char help_title[], help_model[], help_exit[], help_cache[];

void help_overview(const command_t *commands, sbuf_t *out);
void options_usage(const command_t *c, sbuf_t *out); /* "reformerc run MODEL …" */
/* What an option does for the command `c` of the table `commands`, on one line. */
void option_doc(const option_row_t *row, const command_t *commands, const command_t *c,
                sbuf_t *out);
void options_help(const command_t *commands, const command_t *c, sbuf_t *out);
/* --help of a command, on stdout; the exit code. */
int print_command_help(const options_t *o, diag_t *d);

#endif
