/* Threads that run kernels: a pool that sleeps while nobody needs it, in memory of its owner's.
 *
 * In: how many threads. Out: a reformer_pool_t; one job at a time, its tasks handed out a few at a
 * time. Waiting members look for work for some microseconds, then sleep.
 *
 * A job is published in one word: its number, whether it is open, and how many members work on it.
 * A member that sees an open job joins it; when the tasks have run out the caller closes it and
 * waits for those that joined. So a member that gets no core, because another program has it, keeps
 * nobody waiting but with a task in hand.
 *
 * A caller that finds the pool at work for another thread, or that is one of its own tasks, runs
 * its job by itself: it waits for nobody. A process that fork() made has the pool and none of its
 * members; the first job there starts them anew. A thread that is cancelled (pthread_cancel) is so
 * behind its job: members have what it handed out. */
#define _POSIX_C_SOURCE 200809L /* threads, in plain C11 */
#include "reformer_rt.h"

#if !defined(REFORMER_SERIAL)
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

enum {
    LOOKS = 50,         /* before sleeping; each gives way to other threads, about a microsecond */
    MIN_STACK = 2 << 20 /* bytes: kernels that no optimiser has seen need 1.1 MB */
};

/* The word: members that work, whether more may join, the job's number. */
enum { JOB_SHIFT = 32 };
#define OPEN    (UINT64_C(1) << 31)
#define WORKING (OPEN - 1)

typedef struct pool pool_t;
typedef struct {
    pool_t *pool;
    pthread_t thread;
    int worker;
} member_t;

struct pool {
    reformer_pool_t interface;
    _Atomic long user; /* process whose thread has a job here, 0: none */
    long process;      /* that the members live in */
    /* members: workers 1 … n, the caller is 0; in a child the first job may change it */
    atomic_int n;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    int waits; /* the caller sleeps until `done`; under the lock */
    atomic_int stop;
    atomic_int asleep; /* members */
    _Atomic uint64_t job;
    /* the job; only those that joined it look */
    int64_t tasks;
    int workers;
    void (*body)(void *arg, int64_t i, int worker);
    void *arg;
    _Alignas(64) int64_t next; /* task to hand out: reformer_take_tasks */
    _Alignas(64) member_t member[];
};
_Static_assert(sizeof(pool_t) <= REFORMER_POOL_BYTES(0) &&
                   sizeof(member_t) <= REFORMER_POOL_BYTES(1) - REFORMER_POOL_BYTES(0),
               "REFORMER_POOL_BYTES is too little here");

/* Waiting is where a thread may be cancelled: not while others use what is its own.
 * Android has no such thing. */
#if defined(__ANDROID__)
static int hold_cancel(void) {
    return 0;
}
static void allow_cancel(int before) {
    (void)before;
}
#else
static int hold_cancel(void) {
    int before = 0;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}
static void allow_cancel(int before) {
    int held;
    (void)pthread_setcancelstate(before, &held);
}
#endif

/* ---- members --------------------------------------------------------------------------------- */

static void run_tasks(pool_t *p, int worker) {
    for (int64_t first, n; (n = reformer_take_tasks(&p->next, p->tasks, p->workers, &first)) > 0;)
        for (int64_t i = first; i < first + n; i++) p->body(p->arg, i, worker);
}

static int is_news(pool_t *p, uint64_t seen) {
    return atomic_load(&p->job) >> JOB_SHIFT != seen || atomic_load(&p->stop);
}

/* Until there is another job than number `seen`; returns its number. */
static uint64_t await_job(pool_t *p, uint64_t seen) {
    for (int i = 0; i < LOOKS && !is_news(p, seen); i++) (void)sched_yield();
    if (!is_news(p, seen)) {
        pthread_mutex_lock(&p->lock);
        atomic_fetch_add(&p->asleep, 1);
        while (!is_news(p, seen)) pthread_cond_wait(&p->wake, &p->lock);
        atomic_fetch_sub(&p->asleep, 1);
        pthread_mutex_unlock(&p->lock);
    }
    return atomic_load(&p->job) >> JOB_SHIFT;
}

/* 0: the job is closed already. */
static int join(pool_t *p) {
    uint64_t job = atomic_load(&p->job);
    while (job & OPEN)
        if (atomic_compare_exchange_weak(&p->job, &job, job + 1)) return 1;
    return 0;
}

static void leave(pool_t *p) {
    uint64_t before = atomic_fetch_sub(&p->job, 1);
    if ((before & WORKING) != 1 || (before & OPEN)) return;
    pthread_mutex_lock(&p->lock);
    if (p->waits) pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->lock);
}

static void *member_main(void *arg) {
    member_t *m = (member_t *)arg;
    pool_t *p = m->pool;
    for (uint64_t seen = 0;;) {
        seen = await_job(p, seen);
        if (atomic_load(&p->stop)) return NULL;
        if (!join(p)) continue;
        if (m->worker < p->workers) run_tasks(p, m->worker);
        leave(p);
    }
}

/* ---- starting and ending them ---------------------------------------------------------------- */

/* Starts up to so many members, as far as the system gives threads. Signals are for
 * the product's own threads. */
static void start_members(pool_t *p, int wanted) {
    sigset_t all, before;
    pthread_attr_t attributes;
    size_t stack = 0;
    p->process = (long)getpid();
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    pthread_attr_init(&attributes);
    if (pthread_attr_getstacksize(&attributes, &stack) == 0 && stack < MIN_STACK)
        pthread_attr_setstacksize(&attributes, MIN_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int n = 0;
    for (; n < wanted; n++) {
        member_t *m = &p->member[n];
        m->pool = p;
        m->worker = n + 1;
        if (pthread_create(&m->thread, &attributes, member_main, m) != 0) break;
    }
    atomic_store(&p->n, n);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

/* In a child: what members held or waited for when the process was copied is forgotten. A new one
 * sees job 0, so numbers begin anew too. */
static void replace_members(pool_t *p) {
    atomic_store(&p->job, 0);
    atomic_store(&p->asleep, 0);
    p->waits = 0;
    start_members(p, p->n);
}

static void end_members(pool_t *p) {
    int before = hold_cancel();
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stop, 1);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n; i++) pthread_join(p->member[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    allow_cancel(before);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

/* A user of another process is one that fork() has copied and left behind. */
static int take_pool(pool_t *p) {
    long here = (long)getpid(), user = 0;
    while (!atomic_compare_exchange_weak(&p->user, &user, here))
        if (user == here) return 0;
    if (p->process != here) replace_members(p);
    return 1;
}

static void wake_members(pool_t *p) {
    if (atomic_load(&p->asleep) == 0) return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static void await_members(pool_t *p) {
    atomic_fetch_and(&p->job, ~OPEN);
    for (int i = 0; i < LOOKS; i++) {
        if (!(atomic_load(&p->job) & WORKING)) return;
        (void)sched_yield();
    }
    pthread_mutex_lock(&p->lock);
    p->waits = 1;
    while (atomic_load(&p->job) & WORKING) pthread_cond_wait(&p->done, &p->lock);
    p->waits = 0;
    pthread_mutex_unlock(&p->lock);
}

static void parallel_for(void *ctx, int64_t n, int workers, void (*body)(void *, int64_t, int),
                         void *arg) {
    pool_t *p = (pool_t *)ctx;
    if (workers < 2 || p->n == 0 || !take_pool(p)) {
        for (int64_t i = 0; i < n; i++) body(arg, i, 0);
        return;
    }
    p->tasks = n;
    p->workers = workers;
    p->body = body;
    p->arg = arg;
    p->next = 0;
    int before = hold_cancel();
    uint64_t number = (atomic_load(&p->job) >> JOB_SHIFT) + 1;
    atomic_store(&p->job, number << JOB_SHIFT | OPEN);
    wake_members(p);
    run_tasks(p, 0);
    await_members(p);
    atomic_store(&p->user, 0);
    allow_cancel(before);
}

/* ---- the owner's ----------------------------------------------------------------------------- */

const reformer_pool_t *reformer_pool_begin(void *memory, size_t bytes, int threads) {
    if (!memory || (uintptr_t)memory % 64 || threads < 1 || threads > REFORMER_MAX_THREADS ||
        bytes < REFORMER_POOL_BYTES(threads))
        return NULL;
    pool_t *p = (pool_t *)memory;
    p->interface.size = sizeof p->interface;
    p->interface.ctx = p;
    p->interface.parallel_for = parallel_for;
    atomic_init(&p->user, 0);
    atomic_init(&p->stop, 0);
    atomic_init(&p->asleep, 0);
    atomic_init(&p->job, 0);
    p->waits = 0;
    start_members(p, threads - 1);
    return &p->interface;
}

int reformer_pool_threads(const reformer_pool_t *pool) {
    return pool ? ((const pool_t *)pool->ctx)->n + 1 : 1;
}

/* In a child that has had no job there are none to wait for. */
void reformer_pool_end(const reformer_pool_t *pool) {
    pool_t *p = pool ? (pool_t *)pool->ctx : NULL;
    if (p && p->process == (long)getpid()) end_members(p);
}
#endif
