/* Shared by the files of the runtime; products do not include it. */
#ifndef REFORMER_RT_INT_H
#define REFORMER_RT_INT_H

#include "reformer_rt.h"

/* The sizes one forward runs with. */
typedef struct {
    int64_t units;  /* U of a dynamic variant, else 0            */
    int64_t padded; /* tokens per row after padding              */
    int64_t rows;   /* rows per batch element of prepared slots  */
} reformer_extent_t;

/* Checks io against desc and fills the prepared slots, which call->slot names; the caller has laid
 * them out and checked batch and length. */
int reformer_fill_slots(const reformer_desc_t *desc, const reformer_variant_t *v,
                        const reformer_extent_t *extent, const reformer_io_t *io,
                        reformer_call_t *call);

/* A growing layout of 64-byte aligned parts (forward.c); `full` once a size has overflowed. */
typedef struct {
    size_t bytes;
    int full;
} reformer_room_t;
enum { REFORMER_ALIGNMENT = 64 };
/* Offset of count * size bytes more. */
size_t reformer_take(reformer_room_t *r, size_t count, size_t size);
/* fixed + per_unit * units, or 0 with r->full set. */
size_t reformer_linear(reformer_room_t *r, size_t fixed, size_t per_unit, int64_t units);
int reformer_workers(int threads); /* 0 = 1 */

enum { REFORMER_NAME_BYTES = 96 }; /* our longest name has 24 characters; longer ones are cut */
/* name with every '#' replaced by layer, when that is not negative (trace.c); cut at `bytes`, the NUL counted. */
void reformer_numbered_name(const char *name, int64_t layer, char *full, size_t bytes);
void reformer_full_name(const char *name, int64_t layer, char full[REFORMER_NAME_BYTES]);

#endif
