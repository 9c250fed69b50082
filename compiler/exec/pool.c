/* The runtime's pool in memory of the heap, whose guards give it up with the rest. */
#include "exec/pool.h"

#include "support/heap.h"

struct pool {
    const reformer_pool_t *pool;
    void *memory;
};

static void give_up(void *pool, size_t bytes) {
    (void)bytes;
    pool_free(pool);
}

pool_t *pool_new(int threads) {
    if (threads < 2) return NULL;
    size_t bytes = (REFORMER_POOL_BYTES(threads) + 63) / 64 * 64;
    void *memory = heap_aligned(bytes);
    pool_t *p = heap_new_thing(sizeof *p, give_up);
    *p = (pool_t){reformer_pool_begin(memory, bytes, threads), memory};
    return p;
}

int pool_threads(const pool_t *p) {
    return p ? reformer_pool_threads(p->pool) : 1;
}

const reformer_pool_t *pool_interface(const pool_t *p) {
    return p ? p->pool : NULL;
}

void pool_free(pool_t *p) {
    if (!p) return;
    reformer_pool_end(p->pool);
    heap_free(p->memory);
    heap_free(p);
}
