/* Other programs: run to their end, what they print collected. */
#ifndef REFORMERC_SUPPORT_PROCESS_H
#define REFORMERC_SUPPORT_PROCESS_H

#include "support/arena.h"
#include "support/diag.h"
#include "support/sbuf.h"

/* The words of a line such as "gcc -m64", separated by white space, into words[most]; how many. */
int process_words(arena_t *a, const char *line, const char **words, int max);

/* Runs argv[0] (found by $PATH; no shell) with stdin from /dev/null; stdout and stderr go to
 * `said`. Returns 0, or the errno of why it could not be run; *status as of waitpid(). */
int process_run(const char *const *argv, sbuf_t *said, int *status);

/* The same, and an exit code other than 0 is an error in d that shows the command and the first
 * lines it said. `what`: "the C compiler"; `hint`: when it cannot be run, NULL: none. */
bool process_must(arena_t *a, const char *const *argv, const char *what, const char *hint,
                  sbuf_t *said, diag_t *d);

#endif
