/* The pool of pool.h: one job at a time, tasks handed out a few at a time.
 *
 * A job is published by raising `epoch` under the lock; every thread of the pool checks in once per
 * job (`running` counts down), whether it takes part or not, so that the next job finds all of them
 * waiting. */
#include "exec/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "support/diag.h"

enum { LOOKS = 50 }; /* before sleeping; each gives way to other threads, about a microsecond */

typedef struct {
    pool_t *pool;
    int worker;
    pthread_t thread;
} member_t;

struct pool {
    reformer_pool_t interface;
    int n; /* members: workers 1 … n, the caller is 0 */
    member_t *members;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    atomic_uint epoch;  /* number of the job */
    atomic_int running; /* members that have not finished it */
    bool stop;
    /* the job */
    int64_t tasks;
    int workers;
    void (*body)(void *arg, int64_t i, int worker);
    void *arg;
    int64_t next; /* task to hand out: reformer_take_tasks */
};

static void run_tasks(pool_t *p, int worker) {
    for (int64_t first, n; (n = reformer_take_tasks(&p->next, p->tasks, p->workers, &first)) > 0;)
        for (int64_t i = first; i < first + n; i++) p->body(p->arg, i, worker);
}

static void await_job(pool_t *p, unsigned seen) {
    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load(&p->epoch) != seen) return;
        sched_yield();
    }
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->epoch) == seen) pthread_cond_wait(&p->wake, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static void await_members(pool_t *p) {
    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load(&p->running) == 0) return;
        sched_yield();
    }
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->running) > 0) pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static void check_in(pool_t *p) {
    if (atomic_fetch_sub(&p->running, 1) != 1) return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->lock);
}

static void *member_main(void *arg) {
    member_t *m = arg;
    pool_t *p = m->pool;
    for (unsigned seen = 0;; seen++) {
        await_job(p, seen);
        if (p->stop) return NULL;
        if (m->worker < p->workers) run_tasks(p, m->worker);
        check_in(p);
    }
}

static void publish(pool_t *p) {
    atomic_store(&p->running, p->n);
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->epoch, 1);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static void parallel_for(void *ctx, int64_t n, int workers, void (*body)(void *, int64_t, int),
                         void *arg) {
    pool_t *p = ctx;
    p->tasks = n;
    p->workers = workers;
    p->body = body;
    p->arg = arg;
    p->next = 0;
    publish(p);
    run_tasks(p, 0);
    await_members(p);
}

pool_t *pool_new(int threads) {
    if (threads < 2) return NULL;
    pool_t *p = calloc(1, sizeof *p);
    member_t *members = calloc((size_t)threads - 1, sizeof *members);
    if (!p || !members) bug("out of memory");
    p->members = members;
    p->interface = (reformer_pool_t){p, parallel_for};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    for (; p->n < threads - 1; p->n++) {
        member_t *m = &members[p->n];
        *m = (member_t){.pool = p, .worker = p->n + 1};
        if (pthread_create(&m->thread, NULL, member_main, m) != 0) break;
    }
    return p;
}

int pool_threads(const pool_t *p) {
    return p ? p->n + 1 : 1;
}

const reformer_pool_t *pool_interface(const pool_t *p) {
    return p ? &p->interface : NULL;
}

void pool_free(pool_t *p) {
    if (!p) return;
    p->stop = true;
    publish(p);
    for (int i = 0; i < p->n; i++) pthread_join(p->members[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p->members);
    free(p);
}
