/* OpenMP in place of threads.c, in a build that asks for it (REFORMER_OPENMP): the workers of a
 * call that asks for several and names no pool are then those of the program's OpenMP.
 *
 * The only file that knows OpenMP. Its workers are kept from call to call, by each thread that
 * calls. GNU's spin while they wait for each other, which is quick on cores that nobody else uses,
 * and slow on all others.
 *
 * fork() copies one thread. OpenMP's workers of that thread are then gone in the child, and GNU's
 * OpenMP would wait for them for ever: a thread that had them before a fork runs its tasks one
 * after the other from then on. */
#include "reformer_rt.h"

#if defined(REFORMER_OPENMP) && !defined(REFORMER_SERIAL)
#if !defined(_OPENMP)
#error "REFORMER_OPENMP asks for OpenMP: compile with -fopenmp"
#endif
#include <omp.h>
#include <unistd.h>

/* libgomp is not built for ThreadSanitizer, which then reports every hand-over as a race; there,
 * only pools run in parallel. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#if !defined(UNDER_TSAN)
#define UNDER_TSAN 0
#endif

/* Process in which this thread has workers, 0: it has had none. It is this file's only state:
 * threads that a child starts itself have workers of their own, so this is a
 * thread's, and of no result. */
static _Thread_local long process_with_workers;

static int lost_its_workers(void) {
    long here = (long)getpid();
    if (process_with_workers == 0) process_with_workers = here;
    return process_with_workers != here;
}

static void parallel_for(void *ctx, int64_t n, int workers, void (*body)(void *, int64_t, int),
                         void *arg) {
    int64_t next = 0;
    (void)ctx;
#pragma omp parallel num_threads(workers)
    for (int64_t first, some; (some = reformer_take_tasks(&next, n, workers, &first)) > 0;)
        for (int64_t i = first; i < first + some; i++) body(arg, i, omp_get_thread_num());
}

void reformer_with_threads(int threads, reformer_threads_fn *job, void *ctx) {
    const reformer_pool_t openmp = {sizeof openmp, NULL, parallel_for};
    (void)threads;
    job(ctx, UNDER_TSAN || lost_its_workers() ? NULL : &openmp);
}
#endif
