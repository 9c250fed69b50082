/* What needs no MPI of ranks.h: one rank's gradients on top of those before it, and
 * whether there is a launcher.
 *
 * The formulas are those by which an executor accumulates micro-batches (lower/update_flat.c; the
 * reference: exec/learn_update.c), rounding for rounding. */
#include <stdlib.h>

#include "ranks/ranks.h"

#if defined(__x86_64__)
#define WITH_FMA __attribute__((target("avx2,fma")))
#else
#define WITH_FMA
#endif

WITH_FMA static void add_fused(float share, const float *x, float *sum, size_t n) {
    for (size_t i = 0; i < n; i++) sum[i] = __builtin_fmaf(x[i], share, sum[i]);
}

static void add_twice(float share, const float *x, float *sum, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float product = x[i] * share;
        sum[i] = sum[i] + product;
    }
}

static void add_double(double share, const float *x, float *sum, size_t n) {
    for (size_t i = 0; i < n; i++) sum[i] = (float)((double)sum[i] + share * (double)x[i]);
}

static void begin_sum(ranks_form_t form, double share, const float *x, float *sum, size_t n) {
    for (size_t i = 0; i < n; i++)
        sum[i] = form == RANKS_DOUBLE ? (float)(share * (double)x[i]) : x[i] * (float)share;
}

void ranks_add_floats(ranks_form_t form, bool first, double share, const float *x, float *sum,
                      size_t n) {
    if (first) begin_sum(form, share, x, sum, n);
    else if (form == RANKS_DOUBLE) add_double(share, x, sum, n);
    else (form == RANKS_FUSED ? add_fused : add_twice)((float)share, x, sum, n);
}

/* Open MPI's, MPICH's and Slurm's (of tasks that srun started). */
int ranks_launched(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        int size = text ? atoi(text) : 0;
        if (size > 0) return size;
    }
    return 1;
}
