/* Shared by pack.c and pack_i8.c. */
#ifndef REFORMERC_WEIGHTS_PACK_INT_H
#define REFORMERC_WEIGHTS_PACK_INT_H

#include "weights/layout.h"

/* Tensor `index` of an entry of type G_I8, from its values into a file; and back, each integer
 * times its row's scale, as float. */
void pack_i8(const layout_entry_t *e, int index, const float *values, unsigned char *file);
void unpack_i8(const layout_entry_t *e, int index, const unsigned char *file, float *values);

#endif
