/* Masked language modelling: which tokens of a row are hidden, and by what (data.h,
 * data_masking_t). */
#ifndef REFORMERC_DATA_MASKING_H
#define REFORMERC_DATA_MASKING_H

#include "data/data.h"
#include "data/random.h"

/* Changes ids[n] and writes labels[n]; how many tokens were chosen: 0 only where
 * all are never masked. */
int64_t mask_row(const data_masking_t *m, int64_t vocabulary, random_t words, int64_t n,
                 int32_t *ids, int32_t *labels);

#endif
