/* Kernels on workers: runs the tasks of one kernel on a pool, or one after the other; and a
 * schedule on the pool of its call.
 *
 * Knows no threads itself. Each worker has its own scratch; which worker runs which task is free,
 * and kernels are written so that no result depends on it. */
#include "rt_int.h"

typedef struct {
    const reformer_call_t *call;
    reformer_kernel_fn *kernel;
    const int64_t *arg;
} launch_t;

static void run_task(void *arg, int64_t task, int worker) {
    const launch_t *l = (const launch_t *)arg;
    unsigned char *scratch = l->call->scratch + (size_t)worker * l->call->scratch_stride;
    uint64_t host = reformer_enter(); /* a worker may be anybody's thread */
    l->kernel(l->call, scratch, l->arg, task);
    reformer_leave(host);
}

void reformer_launch(const reformer_call_t *call, reformer_kernel_fn *kernel, int64_t tasks,
                     const int64_t *arg) {
    launch_t l = {call, kernel, arg};
    int workers = call->threads < tasks ? call->threads : (int)tasks;
    if (workers > 1 && call->pool)
        call->pool->parallel_for(call->pool->ctx, tasks, workers, run_task, &l);
    else
        for (int64_t i = 0; i < tasks; i++) run_task(&l, i, 0);
}

/* ---- a schedule ------------------------------------------------------------------------------ */

void reformer_on_threads(const reformer_pool_t *pool, int threads, reformer_threads_fn *job,
                         void *ctx) {
    if (pool || threads < 2) job(ctx, pool);
    else reformer_with_threads(threads, job, ctx);
}

typedef struct {
    reformer_call_t *call;
    reformer_work_fn *work;
    void *ctx;
} run_t;

static void run_on(void *arg, const reformer_pool_t *pool) {
    run_t *r = (run_t *)arg;
    r->call->pool = pool;
    uint64_t host = reformer_enter();
    r->work(r->ctx, r->call);
    reformer_leave(host);
}

void reformer_run(reformer_call_t *call, reformer_work_fn *work, void *ctx) {
    run_t r = {call, work, ctx};
    reformer_on_threads(call->pool, call->threads, run_on, &r);
}

static void run_variant(void *ctx, const reformer_call_t *call) {
    ((const reformer_variant_t *)ctx)->run(call);
}

void reformer_run_variant(const reformer_variant_t *v, reformer_call_t *call) {
    reformer_run(call, run_variant, (void *)(uintptr_t)v);
}
