/* What this machine can do, measured on the spot: the most that code of our own back ends reaches.
 *
 * Two modules of Loops, compiled and run like a model: multiply-adds that touch no memory, and a
 * triad z = x + s * y over arrays that no cache holds. A tenth of a second. */
#ifndef REFORMERC_COMMANDS_CALIBRATE_H
#define REFORMERC_COMMANDS_CALIBRATE_H

#include "exec/exec.h"

typedef struct {
    double flops;     /* of `threads` workers together, per second; fma counts two */
    double bandwidth; /* bytes that the triad reads and writes, per second */
} peaks_t;

/* For a target that this CPU runs; `o` says which back end, and the pool. The best of several runs of
 * each: neighbours on the machine can only make it slower. False after an error in d. */
bool calibrate(const target_t *t, const exec_options_t *o, int threads, peaks_t *peaks, diag_t *d);

#endif
