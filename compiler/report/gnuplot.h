/* Pictures: scripts drawn by gnuplot, which is needed only here. */
#ifndef REFORMERC_REPORT_GNUPLOT_H
#define REFORMERC_REPORT_GNUPLOT_H

#include <stdbool.h>

#include "support/arena.h"
#include "support/diag.h"
#include "support/sbuf.h"

/* False after an error in d that names `path`: gnuplot cannot be run. */
bool gnuplot_check(const char *path, diag_t *d);
/* Script → picture, to free(). The script writes to ARG1. NULL after an error in d. */
char *gnuplot_draw(arena_t *a, const sbuf_t *script, size_t *bytes, diag_t *d);
/* A string of gnuplot's, on one line, harmless whatever the text. */
void put_gnuplot(sbuf_t *out, const char *text);

#endif
