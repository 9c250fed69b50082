/* Shared by contents.c, packed.c and pack.c. */
#ifndef REFORMERC_WEIGHTS_PACKED_INT_H
#define REFORMERC_WEIGHTS_PACKED_INT_H

#include "weights/st_int.h"

void contents_print(const layout_t *l, sbuf_t *s);
/* NULL: it is none. Without a fingerprint, which stands in the header. */
layout_t *contents_parse(arena_t *a, const char *text, size_t bytes, int64_t data_end);
/* Tables of positions are those of a grid: weights_hf_shape() can tell what each was. */
bool hf_names_are_right(const layout_t *l);

/* A packed file as if it were one of safetensors (weights.h: st_open_weights); without `values`
 * names, types and shapes. */
st_file_t *st_open_packed(const char *path, bool values, diag_t *d);

#endif
