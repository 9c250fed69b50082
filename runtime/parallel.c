/* Workers: runs the tasks of one kernel on the product's pool, on OpenMP, or one after the other. What tasks write
 * is handed over when a launch ends, so handing them out needs no order of its own.
 *
 * The only file that knows OpenMP, and it needs none: built without, tasks run serially. Each
 * worker has its own scratch; which worker runs which task is free, and kernels are written so that
 * no result depends on it.
 *
 * fork() copies one thread. OpenMP's workers of that thread are then gone in the child, and GNU's OpenMP would wait
 * for them for ever: a thread that had them before a fork runs its tasks one after the other from then on. */
#include "reformer_rt.h"

/* libgomp is not built for ThreadSanitizer, which then reports every hand-over as a race; there,
 * only the product's own pool runs in parallel. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#if defined(_OPENMP) && !defined(UNDER_TSAN)
#define WITH_OPENMP 1
#include <omp.h>
#include <unistd.h>
#endif

typedef struct {
    const reformer_call_t *call;
    reformer_kernel_fn *kernel;
    const int64_t *arg;
} launch_t;

enum { SHARES = 8, MOST_AT_ONCE = 16 }; /* of what is left, a worker takes 1 / SHARES of its part */

int64_t reformer_take_tasks(int64_t *next, int64_t n, int workers, int64_t *first) {
    int64_t at = __atomic_load_n(next, __ATOMIC_RELAXED), some;
    do {
        if (at >= n) return 0;
        some = (n - at) / ((int64_t)workers * SHARES);
        some = some < 1 ? 1 : some > MOST_AT_ONCE ? MOST_AT_ONCE : some;
    } while (
        !__atomic_compare_exchange_n(next, &at, at + some, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    *first = at;
    return some;
}

static void run_task(void *arg, int64_t task, int worker) {
    const launch_t *l = (const launch_t *)arg;
    unsigned char *scratch = l->call->scratch + (size_t)worker * l->call->scratch_stride;
    uint64_t host = reformer_enter(); /* a worker may be anybody's thread */
    l->kernel(l->call, scratch, l->arg, task);
    reformer_leave(host);
}

#if WITH_OPENMP
/* Process in which this thread has workers, 0: it has had none. It is the runtime's only state: threads that a child
 * starts itself have workers of their own, so this is a thread's, and of no result. */
static _Thread_local long process_with_workers;

static int lost_its_workers(void) {
    long here = (long)getpid();
    if (process_with_workers == 0) process_with_workers = here;
    return process_with_workers != here;
}
#endif

static void run_tasks(launch_t *l, int64_t tasks, int workers) {
#if WITH_OPENMP
    if (workers > 1 && !lost_its_workers()) {
        int64_t next = 0;
#pragma omp parallel num_threads(workers)
        for (int64_t first, n; (n = reformer_take_tasks(&next, tasks, workers, &first)) > 0;)
            for (int64_t i = first; i < first + n; i++) run_task(l, i, omp_get_thread_num());
        return;
    }
#endif
    (void)workers;
    for (int64_t i = 0; i < tasks; i++) run_task(l, i, 0);
}

void reformer_launch(const reformer_call_t *call, reformer_kernel_fn *kernel, int64_t tasks,
                     const int64_t *arg) {
    launch_t l = {call, kernel, arg};
    int workers = call->threads < tasks ? call->threads : (int)tasks;
    if (workers > 1 && call->pool)
        call->pool->parallel_for(call->pool->ctx, tasks, workers, run_task, &l);
    else run_tasks(&l, tasks, workers);
}
