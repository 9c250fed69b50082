/* From which length on LSH attention costs less than exact attention: counted flops of the loop IR
 * of this model and of one that is equal but for a chunk that covers the whole sequence, each kind
 * by what it takes of the time (products_as_fma). */
#ifndef REFORMERC_COST_CROSSOVER_H
#define REFORMERC_COST_CROSSOVER_H

#include "plan/plan.h"

typedef struct {
    int64_t length;
    double lsh, exact; /* of one layer's attention per token: hash, scores, values */
} crossing_t;

enum { MAX_CROSSINGS = 48 };
typedef struct {
    crossing_t points[MAX_CROSSINGS]; /* [n] doubling lengths, ascending */
    int n;
    int64_t from; /* shortest multiple of the chunk from which on LSH costs less; 0: none up to the
                     greatest length */
} crossover_t;

/* Of an LSH layer, at a multiple of its chunk that is longer than one. False: such a
 * length is beyond some limit. */
bool crossing_at(const spec_t *s, int layer, const target_t *t, int64_t length, crossing_t *x);
/* Up to the positions the model has. n is 0 where no length hashes. */
crossover_t crossover_find(const spec_t *s, int layer, const target_t *t);

#endif
