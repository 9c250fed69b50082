/* Shared by store.c (the set), load.c (values from files) and initial.c (random
 * weights, rotations). */
#ifndef REFORMERC_WEIGHTS_STORE_INT_H
#define REFORMERC_WEIGHTS_STORE_INT_H

#include "weights/st_int.h"

struct store {
    arena_t *arena;
    tensor_t *tensors;  /* one per param, in the Graph's order */
    tensor_t **by_name; /* [n] */
    size_t n;
    st_file_t *weights, *rotations; /* what tensors point into, or NULL */
    bool spent;
};

store_t *store_new(const graph_t *g); /* a tensor for each param, none of which has values */
/* Equal, but for dimensions of 1 in axial tables. */
bool store_fits_shape(const tensor_t *want, const st_tensor_t *t);
tensor_t *store_tensor(const store_t *s, const char *name); /* NULL: none */
bool is_axial_table(const char *name);
/* Points t at the values of `from` (converted if need be); checks shape, dtype and values. */
bool store_take(store_t *s, tensor_t *t, const st_tensor_t *from, const char *path, diag_t *d);

/* Room for the values of t. NULL after an error in d: there is no memory for them. */
float *store_room(store_t *s, const tensor_t *t, diag_t *d);
/* The values of t are read no more. */
void store_forget(const store_t *s, const tensor_t *t);

/* Hugging Face's initialisation of what has no values yet, but for rotations. */
bool store_random(store_t *s, const spec_t *spec, uint64_t seed, diag_t *d);
/* Rotations that have no values yet: from the file, else from hash_seed, else one stream. */
bool store_rotations(store_t *s, const spec_t *spec, const store_options_t *o, diag_t *d);

#endif
