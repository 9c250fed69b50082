/* The processes that train together: mpirun -n RANKS reformerc train …
 *
 * Each has the whole model, and micro-batches of its own of every step. What a step computes is a
 * matter of its micro-batches alone, in their order, and not of how many processes have them:
 * micro-batch number m of a step is that of rank m mod RANKS. Its gradients are added up in that
 * order, by the formula of one process that accumulates them, so that weights have the same bits.
 * docs/ranks.md says what that costs.
 *
 * In: gradients of this rank's micro-batches. Out: their sum over all ranks, on all ranks. Outside
 * of mpirun there is one rank, and nothing of MPI runs. A rank that ends without
 * ranks_close() ends all of them. */
#ifndef REFORMERC_RANKS_RANKS_H
#define REFORMERC_RANKS_RANKS_H

#include <stdint.h>

#include "support/diag.h"

typedef struct ranks ranks_t;

/* How sums are rounded: as an executor does it. */
typedef enum {
    RANKS_FUSED,  /* fma in single precision */
    RANKS_TWICE,  /* a product, then a sum, both single: targets without fma */
    RANKS_DOUBLE, /* in double, then to single: the reference */
} ranks_form_t;

/* NULL after an error in d: mpirun has started us, and there is no MPI.
 * Everywhere else NULL is one rank. */
ranks_t *ranks_open(diag_t *d);
/* well: all ranks come here. Else this one ends all of them, and itself at once. */
void ranks_close(ranks_t *r, bool well);
int ranks_rank(const ranks_t *r);
int ranks_size(const ranks_t *r);

/* Whether a sum of n floats is possible: else an error in d. It exchanges nothing. */
bool ranks_take(const ranks_t *r, size_t n, diag_t *d);

/* All of these are called by all ranks, in one order. False after an error in d. */

/* sum += shares[rank] * gradient, over the ranks in their order. [n] floats, [size] shares; both
 * stay until ranks_end(), with which the gradients of one micro-batch per rank are added up. last:
 * of the step, and the gradient becomes the sum, of all since the last one before. */
bool ranks_begin(ranks_t *r, ranks_form_t form, float *gradient, const double *shares, size_t n,
                 bool last, diag_t *d);
/* In between: floats first … first + floats - 1 are there, nobody writes or reads them any more,
 * and whole pieces of such go out; each float once at most. By one rank at a time, in any order,
 * from the thread that began. Errors are told by ranks_end(). */
void ranks_ready(ranks_t *r, size_t first, size_t floats);
/* Everything is ready, and on return added up: the gradient's memory is the caller's again. */
bool ranks_end(ranks_t *r, diag_t *d);
/* all[size][n]: the numbers of each rank. */
bool ranks_numbers(ranks_t *r, const double *mine, double *all, int n, diag_t *d);
/* Rank 0's, to all. */
bool ranks_share(ranks_t *r, void *data, size_t bytes, diag_t *d);

/* Pieces of gradients that this rank has sent so far. */
typedef struct {
    int64_t all;
    int64_t begun; /* before its last call of ranks_ready() for the gradient */
    int64_t ended; /* with the receiver before ranks_end() */
} ranks_sent_t;
ranks_sent_t ranks_sent(const ranks_t *r);

/* ranks_add.c: sum = share * x, or sum += share * x. */
void ranks_add_floats(ranks_form_t form, bool first, double share, const float *x, float *sum,
                      size_t n);
/* By the environment: how many processes a launcher has started of us; 1: none has. */
int ranks_launched(void);

#endif
