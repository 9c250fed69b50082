/* Launches of instrumented code with their times; on demand as a trace for Chrome or Perfetto.
 *
 * The runtime tells begin and end, the clock is read here. Times are the calling thread's: a launch
 * ends when its last worker is done. */
#ifndef REFORMERC_MACHINE_PROFILE_H
#define REFORMERC_MACHINE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "support/diag.h"
#include "support/file.h"

typedef struct profile profile_t;

typedef struct {
    const char *name;      /* "layer3.lsh.hash", or what profile_begin was given */
    double start, seconds; /* by clock_now() */
} profile_event_t;

profile_t *profile_new(void);
void profile_free(profile_t *p); /* NULL is fine */
void profile_clear(profile_t *p);

/* A reformer_profile_fn; ctx is the profile_t. */
void profile_launch(void *ctx, const char *name, int begin);
/* What stands around launches: "forward". NULL for p is fine. */
void profile_begin(profile_t *p, const char *name);
void profile_end(profile_t *p);

size_t profile_count(const profile_t *p);
profile_event_t profile_at(const profile_t *p, size_t i); /* in the order of their ends */
/* "layer3.lsh.hash" → "lsh.hash": what launches of all layers have in common. */
const char *label_kind(const char *label);

/* Trace-event JSON: complete events in microseconds from the first one on; `process` is what the
 * viewer calls them together. One file of a set. False after an error in d. */
bool profile_put(const profile_t *p, const char *path, const char *process, output_set_t *set,
                 diag_t *d);

#endif
