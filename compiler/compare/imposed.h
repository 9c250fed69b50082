/* Buckets that are imposed on a side: the user's, and those of the reference where a last bit may
 * decide (sides.h).
 *
 * In: the graph that hashes, an input. Out: what reformer_io_t takes, with room for all layers that
 * hash at this length. */
#ifndef REFORMERC_COMPARE_IMPOSED_H
#define REFORMERC_COMPARE_IMPOSED_H

#include "exec/exec.h"
#include "tensors/tensors.h"

typedef struct {
    int32_t *all;
    uint8_t *given;
    int64_t padded;
} imposed_t;

/* With what the user imposes in it. `like`: buckets of any layer. */
imposed_t imposed_new(const graph_t *g, const inputs_t *in, const result_t *like);
/* Buckets of the layer behind `before`. False: these were imposed already. */
bool impose(imposed_t *x, imposed_rows_t before, const result_t *buckets);
void imposed_give(const imposed_t *x, reformer_io_t *io);
void imposed_free(imposed_t *x);

#endif
