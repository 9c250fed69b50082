/* The workers of a call that asks for several and names no pool: threads that it starts, and that
 * end with it. So they are nobody's between calls: nothing of them is global, and fork() and
 * dlclose() find none. Starting one takes some ten microseconds; who calls often has a
 * pool of his own (pool.c).
 *
 * A file of its own, whose one function a product may define in its place:
 * REFORMER_WITHOUT_THREADS. */
#include "reformer_rt.h"

#if defined(REFORMER_SERIAL)
void reformer_with_threads(int threads, reformer_threads_fn *job, void *ctx) {
    (void)threads;
    job(ctx, NULL);
}
#elif !defined(REFORMER_OPENMP)
void reformer_with_threads(int threads, reformer_threads_fn *job, void *ctx) {
    _Alignas(64) unsigned char memory[REFORMER_POOL_BYTES(REFORMER_MAX_THREADS)];
    const reformer_pool_t *pool = reformer_pool_begin(memory, sizeof memory, threads);
    job(ctx, pool);
    reformer_pool_end(pool);
}
#endif
