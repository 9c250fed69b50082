/* Names and shapes out of files that nobody vouches for, fit for a message: one line, printable,
 * short. */
#ifndef REFORMERC_WEIGHTS_NAMES_H
#define REFORMERC_WEIGHTS_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum { SHOWN_BYTES = 200, MAX_REPORTS = 20 }; /* of one kind of error per file */

/* Writes into out and returns it. Control characters become '?'; long names are cut with "...". */
const char *shown_name(const char *name, char out[SHOWN_BYTES]);
const char *shown_shape(int rank, const int64_t *shape, char out[SHOWN_BYTES]); /* "[3, 4]" */

#endif
