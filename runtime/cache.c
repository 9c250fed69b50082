/* The cache of generation.
 *
 * Front to back, every part 64-byte aligned: a head (rt_int.h), then the parts that kernels know as
 * slots from CACHE on, which each row has, then those from RECORDS on, which each token of a row
 * has. The head is all that the runtime keeps; kernels never see it. */
#include "rt_int.h"

#define CACHE_MAGIC UINT64_C(0x3268636143667252) /* "RrfCach2", little-endian */

static size_t head_bytes(uint64_t batch) {
    return sizeof(reformer_cache_head_t) + (size_t)batch * (2 + (size_t)batch) * sizeof(int32_t);
}

/* Walks over the parts from the end of the head. */
typedef struct {
    reformer_room_t room;
    const reformer_desc_t *desc;
    size_t length;
    int i; /* of the next part */
} walk_t;

static walk_t first_part(const reformer_desc_t *d, size_t length) {
    walk_t w = {{0, 0}, d, length, 0};
    (void)reformer_take(&w.room, 1, head_bytes((uint64_t)d->batch));
    return w;
}

/* The next part's place; 0 past the last. `bytes` per row, and of a record per token too. */
static int next_part(walk_t *w, size_t *at, size_t *bytes, int *is_record) {
    const reformer_desc_t *d = w->desc;
    size_t batch = (size_t)d->batch;
    int i = w->i++, n = d->n_cache_parts;
    if (i >= n + d->n_record_parts) return 0;
    *is_record = i >= n;
    *bytes = *is_record ? d->record_parts[i - n] : d->cache_parts[i];
    *at = reformer_take(&w->room, *is_record ? w->length : batch,
                        *is_record ? batch * *bytes : *bytes);
    return 1;
}

/* The whole size, or 0. */
static size_t lay_out_cache(const reformer_desc_t *d, size_t length) {
    walk_t w = first_part(d, length);
    size_t at, bytes;
    int is_record;
    while (next_part(&w, &at, &bytes, &is_record)) {
    }
    return w.room.full ? 0 : w.room.bytes;
}

size_t reformer_cache_bytes(const reformer_desc_t *desc, size_t length) {
    if (!desc || !desc->steps || length == 0 || length > (uint64_t)desc->positions) return 0;
    return lay_out_cache(desc, length);
}

static void open_parts(const reformer_desc_t *d, void *memory, reformer_cache_t *c) {
    unsigned char *base = (unsigned char *)memory;
    c->head = (reformer_cache_head_t *)memory;
    c->tokens = (int32_t *)(void *)(base + sizeof(reformer_cache_head_t));
    c->hashed = c->tokens + d->batch;
    c->shared = c->hashed + d->batch;
    c->base = base;
}

int reformer_cache_init(const reformer_desc_t *desc, void *cache, size_t bytes, size_t length) {
    if (!desc || !cache) return REFORMER_E_ARGUMENT;
    if (!desc->steps) return REFORMER_E_DECODE;
    if ((uintptr_t)cache % REFORMER_ALIGNMENT) return REFORMER_E_ALIGNMENT;
    size_t needed = reformer_cache_bytes(desc, length);
    if (!needed) return REFORMER_E_LENGTH;
    if (needed > bytes) return REFORMER_E_WORKSPACE;
    reformer_cache_t c;
    open_parts(desc, cache, &c);
    uint64_t batch = (uint64_t)desc->batch;
    *c.head = (reformer_cache_head_t){CACHE_MAGIC, desc->fingerprint, batch, length};
    for (size_t i = 0; i < (size_t)batch * (2 + (size_t)batch); i++) c.tokens[i] = 0;
    return REFORMER_OK;
}

/* What this file itself counts with; the parts behind the head are the kernels' own. */
static int counts_fit(const reformer_desc_t *d, const reformer_cache_t *c) {
    size_t batch = (size_t)d->batch;
    for (size_t b = 0; b < batch; b++) {
        if (c->tokens[b] < 0 || (uint64_t)c->tokens[b] > c->head->capacity) return 0;
        if (c->hashed[b] < 0) return 0;
    }
    return 1;
}

int reformer_open_cache(const reformer_desc_t *d, void *memory, reformer_cache_t *c) {
    if (!memory) return REFORMER_E_ARGUMENT;
    if ((uintptr_t)memory % REFORMER_ALIGNMENT) return REFORMER_E_ALIGNMENT;
    const reformer_cache_head_t *h = (const reformer_cache_head_t *)memory;
    if (h->magic != CACHE_MAGIC || h->fingerprint != d->fingerprint ||
        h->batch != (uint64_t)d->batch || h->capacity > (uint64_t)d->positions)
        return REFORMER_E_CACHE;
    open_parts(d, memory, c);
    return counts_fit(d, c) ? REFORMER_OK : REFORMER_E_CACHE;
}

int reformer_cache_check(const reformer_desc_t *desc, const void *cache, size_t bytes) {
    if (!desc || !cache) return REFORMER_E_ARGUMENT;
    if (!desc->steps) return REFORMER_E_DECODE;
    if (bytes < head_bytes((uint64_t)desc->batch)) return REFORMER_E_WORKSPACE;
    reformer_cache_t c;
    int error = reformer_open_cache(desc, (void *)(uintptr_t)cache, &c); /* which only reads it */
    if (error) return error;
    size_t needed = reformer_cache_bytes(desc, (size_t)c.head->capacity);
    return needed == 0 ? REFORMER_E_CACHE : needed > bytes ? REFORMER_E_WORKSPACE : REFORMER_OK;
}

size_t reformer_cache_tokens(const void *cache, size_t row) {
    const reformer_cache_head_t *h = (const reformer_cache_head_t *)cache;
    if (!h || h->magic != CACHE_MAGIC || row >= h->batch) return 0;
    return (size_t)((const int32_t *)(const void *)(h + 1))[row];
}

static void copy(unsigned char *to, const unsigned char *from, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) to[i] = from[i];
}

/* What rows `row` and others have in common is no longer known. */
void reformer_forget_shared(const reformer_desc_t *d, const reformer_cache_t *c, int64_t row) {
    for (int64_t i = 0; i < d->batch; i++)
        c->shared[row * d->batch + i] = c->shared[i * d->batch + row] = 0;
}

static void set_shared(const reformer_desc_t *d, const reformer_cache_t *c, int64_t from,
                       int64_t to) {
    for (int64_t i = 0; i < d->batch; i++) {
        int32_t n = i == from ? c->tokens[from] : c->shared[from * d->batch + i];
        if (i != to) c->shared[to * d->batch + i] = c->shared[i * d->batch + to] = n;
    }
}

int reformer_cache_copy_row(const reformer_desc_t *desc, void *cache, size_t from, size_t to) {
    reformer_cache_t c;
    if (!desc) return REFORMER_E_ARGUMENT;
    if (!desc->steps) return REFORMER_E_DECODE;
    int error = reformer_open_cache(desc, cache, &c);
    if (error) return error;
    size_t batch = (size_t)desc->batch;
    if (from >= batch || to >= batch) return REFORMER_E_BATCH;
    if (from == to) return REFORMER_OK;
    if (c.shared[from * batch + to] < 0) return REFORMER_E_CACHE;
    walk_t w = first_part(desc, (size_t)c.head->capacity);
    size_t at, n;
    int is_record;
    while (next_part(&w, &at, &n, &is_record)) {
        int64_t first = is_record ? c.shared[from * batch + to] : 0;
        int64_t end = is_record ? c.tokens[from] : 1;
        for (int64_t t = first; t < end; t++) {
            unsigned char *rows = c.base + at + (size_t)t * batch * n;
            copy(rows + to * n, rows + from * n, n);
        }
    }
    c.tokens[to] = c.tokens[from];
    c.hashed[to] = c.hashed[from];
    set_shared(desc, &c, (int64_t)from, (int64_t)to);
    return REFORMER_OK;
}

void reformer_bind_cache(const reformer_desc_t *d, const reformer_cache_t *c,
                         reformer_call_t *call) {
    walk_t w = first_part(d, (size_t)c->head->capacity);
    size_t at, bytes;
    int is_record;
    for (int i = 0; next_part(&w, &at, &bytes, &is_record); i++) {
        int slot =
            is_record ? REFORMER_SLOT_RECORDS + i - d->n_cache_parts : REFORMER_SLOT_CACHE + i;
        call->slot[slot] = c->base + at;
    }
    call->capacity = (int64_t)c->head->capacity;
}
