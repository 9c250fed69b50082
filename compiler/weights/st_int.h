/* Inside of an open safetensors file; shared by those who read and write them. */
#ifndef REFORMERC_WEIGHTS_ST_INT_H
#define REFORMERC_WEIGHTS_ST_INT_H

#include "weights/weights.h"

enum { ST_RANK = 8, MAX_RANK = 1 << 20 };

typedef struct {
    const char *name;
    st_dtype_t dtype;
    size_t size; /* bytes per element */
} dtype_info_t;
const dtype_info_t *st_dtype_named(const char *name); /* NULL: there is none */
const dtype_info_t *st_dtype_info(st_dtype_t t);

struct st_file {
    arena_t *arena;
    const char *path;
    content_t content;    /* of one file */
    uint64_t data_at;     /* … where its data begin */
    st_file_t **shards;   /* of an index: the tensors point into these */
    st_tensor_t *tensors; /* in order of their data */
    size_t n, n_shards;
    const st_tensor_t **by_name;
    const char *unwrapped;
    /* What tensors in memory point into, where it is this file's; NULL: it is somebody else's */
    arena_t *owned;
};

/* One file; without `values` its header only. */
st_file_t *st_open_one(const char *path, bool values, diag_t *d);
st_file_t *st_open_index(const char *path, bool values, diag_t *d);
/* Of tensors in memory that go with it, in `owned`; without `values` they have no data.
 * NULL after an error in d. */
st_file_t *st_from_arena(const char *shown, const st_tensor_t *tensors, size_t n, bool values,
                         arena_t *owned, diag_t *d);
void st_sort(st_file_t *f); /* by_name anew */
/* Lets go of values, where they lie in the file's own memory. */
void st_forget(const st_file_t *f, const void *data, size_t bytes);

#endif
