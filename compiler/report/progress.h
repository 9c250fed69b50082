/* How far long work has come, on stderr: a bar that redraws itself on a terminal, plain lines
 * elsewhere. */
#ifndef REFORMERC_REPORT_PROGRESS_H
#define REFORMERC_REPORT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool terminal;
    const char *unit; /* what is counted: "tokens" */
    double quiet;     /* seconds between plain lines at least; 0: a line per tenth */
    double spoke;     /* when the last plain line was written */
    int64_t done;     /* of the last call */
    int columns;      /* of the bar that stands in the terminal's line, 0: none */
} progress_t;

progress_t progress_new(const char *unit, double quiet);
/* `said` stands behind the numbers. At done == total the line is finished, unless the caller keeps
 * it for progress_line(). */
void progress_show(progress_t *p, int64_t done, int64_t total, const char *said);
/* Ends the bar's line. */
void progress_finish(progress_t *p);
/* A line of its own, in the place of the bar. */
void progress_line(progress_t *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void progress_clear(progress_t *p); /* the bar goes, so that messages can be written */

#endif
