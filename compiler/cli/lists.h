/* Lists of numbers and targets on the command line of what measures, and what they default to. */
#ifndef REFORMERC_CLI_LISTS_H
#define REFORMERC_CLI_LISTS_H

#include "cli/options.h"

enum { MAX_LIST = 32, MAX_REPEAT = 1000, MAX_LENGTH = 1 << 30 };

/* "16,32": numbers from 1 to max, none twice. `where` is whom to blame: "--lengths". False after an
 * error in d. */
bool list_numbers(const char *where, const char *text, int64_t max, int64_t list[MAX_LIST], int *n,
                  diag_t *d);
/* --repeat, else `usual`. */
bool list_repeat(const options_t *o, int usual, int *repeat, diag_t *d);
/* --targets as typed, all of which this CPU runs; not given: one NULL, the default one. */
bool list_targets(const options_t *o, const char *names[MAX_TARGETS], int *n, diag_t *d);
bool check_target_runs(const char *name, const char *where, diag_t *d);
/* A model that is read many times cannot come from a pipe. */
bool check_model_rereadable(const options_t *o, diag_t *d);

#endif
