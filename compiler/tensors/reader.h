/* Between inputs.c and buckets.c: a file that is read against a model, and how
 * errors name what is in it. */
#ifndef REFORMERC_TENSORS_READER_H
#define REFORMERC_TENSORS_READER_H

#include "tensors/tensors.h"

typedef struct {
    inputs_t *in;
    arena_t *arena;
    const facts_t *facts;
    const st_file_t *file;
    const char *path;
    diag_t *d;
} inputs_reader_t;

const char *tensor_shape_text(arena_t *a, int rank, const int64_t *shape); /* "[2, 64]" */
const char *tensor_position_text(arena_t *a, const st_tensor_t *t,
                                 int64_t element); /* "labels[1][17]" */
/* False, after the error that `needed` is the shape that `t` needs. */
bool tensor_wrong_shape(const inputs_reader_t *r, const st_tensor_t *t, const char *needed);

#endif
