/* Shared by the files of the runtime; products do not include it. */
#ifndef REFORMER_RT_INT_H
#define REFORMER_RT_INT_H

#include "reformer_rt.h"

#pragma GCC visibility push(hidden)
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
/* Variants are grouped by target: how many the group has that begins at `first`. */
int reformer_group_size(const reformer_desc_t *d, int first);

/* Whether a structure of the caller's is of the size that this runtime knows; NULL is not. */
#define REFORMER_SIZED(p) ((p) && (p)->size == sizeof *(p))
/* The product's threads, NULL: none. */
static inline int reformer_pool_fits(const reformer_pool_t *pool) {
    return !pool || REFORMER_SIZED(pool);
}
/* Whether generated code and this runtime agree on what they share; else REFORMER_E_VERSION. */
int reformer_check_desc(const reformer_desc_t *desc);
/* What keeps a call from running m: REFORMER_E_ARGUMENT (it is not bound), _SIZE,
 * _MODEL (it is not of desc). */
int reformer_check_model(const reformer_desc_t *desc, const reformer_model_t *m);

/* The 8 bytes at this place of a weights file's header (weights.c). */
uint64_t reformer_weights_field(const unsigned char *header, size_t at);

/* What reformer_prepare needs for exactly this length (forward.c); SIZE_MAX: it takes none such. */
size_t reformer_prepare_exactly(const reformer_desc_t *desc, const reformer_variant_t *variants,
                                int n_variants, size_t length, int threads);
/* Calls job once: with this pool, or, where that is NULL and several threads are wanted, one that
 * ends with it (parallel.c). */
void reformer_on_threads(const reformer_pool_t *pool, int threads, reformer_threads_fn *job,
                         void *ctx);
/* The same of a schedule: call->pool. */
typedef void reformer_work_fn(void *ctx, const reformer_call_t *call);
void reformer_run(reformer_call_t *call, reformer_work_fn *work, void *ctx);
void reformer_run_variant(const reformer_variant_t *v, reformer_call_t *call);

/* ---- the cache of generation (cache.c) ------------------------------------------------------- */

/* Followed by int32 [batch] tokens, [batch] hashed, [batch][batch] shared: how many leading tokens
 * two rows are known to have in common, records and all. */
typedef struct {
    uint64_t magic, fingerprint, batch, capacity;
} reformer_cache_head_t;

typedef struct {
    reformer_cache_head_t *head;
    int32_t *tokens;
    /* LSH layers have sorted the row into buckets where their chunk length is below this */
    int32_t *hashed;
    int32_t *shared;
    unsigned char *base;
} reformer_cache_t;
/* Finds the parts of a cache, which must be one of this model: else an error code. */
int reformer_open_cache(const reformer_desc_t *d, void *memory, reformer_cache_t *c);
/* Hands a cache's parts to a call. */
void reformer_bind_cache(const reformer_desc_t *d, const reformer_cache_t *c,
                         reformer_call_t *call);
/* The row begins anew: it has no tokens in common with others. */
void reformer_forget_shared(const reformer_desc_t *d, const reformer_cache_t *c, int64_t row);

/* At most so many threads, of `cpus`, as the quota allows that files below `root` tell (cpus.c). */
#if !defined(REFORMER_SERIAL)
int reformer_threads_within(const char *root, int cpus);
#endif

enum { REFORMER_NAME_BYTES = 96 }; /* our longest name has 24 characters; longer ones are cut */
/* name with every '#' replaced by layer, when that is not negative (trace.c); cut at
 * `bytes`, the NUL counted. */
void reformer_numbered_name(const char *name, int64_t layer, char *full, size_t bytes);
void reformer_full_name(const char *name, int64_t layer, char full[REFORMER_NAME_BYTES]);
#pragma GCC visibility pop

#endif
