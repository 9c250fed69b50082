/* What this machine can do, measured on the spot: the most that code of our own back ends reaches.
 *
 * Modules of Loops, compiled and run like a model: products of each kind that touch no memory, a
 * chain of dependent integer instructions, a sum and a triad z = x + s * y over
 * arrays that no cache holds. */
#ifndef REFORMERC_MACHINE_CALIBRATE_H
#define REFORMERC_MACHINE_CALIBRATE_H

#include "cost/products.h"
#include "exec/exec.h"

typedef enum {
    RATE_FMA = FACTOR_F32,   /* flops per second of all workers together; fma counts two, */
    RATE_DOT2 = FACTOR_BF16, /* dot2 four */
    RATE_DOT4 = FACTOR_I8,   /* and dot4 eight */
    RATE_CLOCK, /* cycles per second of one core: instructions that wait for each other */
    RATE_READ,  /* bytes per second, read once */
    /* Bytes per second, read and written; what a cache reads in order to write is not counted */
    RATE_TRIAD,
    RATE_COUNT
} rate_t;

typedef struct calibration calibration_t;

/* Code for the target has the instruction; other rates are not measured. */
bool rate_exists(const target_t *t, rate_t which);

/* For a target that this CPU runs and up to `threads` workers; `o` says which back end, and who
 * compiles. NULL after an error in d. */
calibration_t *calibration_open(const target_t *t, const exec_options_t *o, int threads, diag_t *d);
void calibration_close(calibration_t *c); /* NULL is fine */
/* Runs one kernel again and again for at least `seconds`, and once at least; the mean rate, or 0
 * after an error in d. The memory is touched before the clock starts. */
double calibration_rate(calibration_t *c, rate_t which, int threads, const pool_t *pool,
                        double seconds, diag_t *d);
/* Multiply-adds of one cycle and one core at this peak, as whole vectors: what the machine has
 * units for, 1 or 2. */
double vector_fmas_per_cycle(const target_t *t, double flops, int threads, double clock);
int64_t calibration_array_bytes(void); /* all that RATE_READ reads: several times the last cache */

typedef struct {
    /* Of `threads` workers together, per second; 0: the target lacks the instruction */
    products_t flops;
    double bandwidth; /* bytes that the triad reads and writes, per second */
} peaks_t;

/* The best of several short runs of each: neighbours on the machine can only make them slower. */
bool calibrate(const target_t *t, const exec_options_t *o, int threads, peaks_t *peaks, diag_t *d);

#endif
