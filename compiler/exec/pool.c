/* The pool of pool.h: one job at a time, tasks handed out a few at a time.
 *
 * A job is published in one word: its number, whether it is open, and how many members work on it. A member that sees
 * an open job joins it; when the tasks have run out the caller closes it and waits for those that joined. So a member
 * that gets no core, because another program has it, keeps nobody waiting but with a task in hand.
 *
 * A process that fork() made has the pool and none of its members; the first job there starts them anew. */
#include "exec/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "support/heap.h"

enum { LOOKS = 50 }; /* before sleeping; each gives way to other threads, about a microsecond */

/* The word: members that work, whether more may join, the job's number. */
enum { JOB_SHIFT = 32 };
#define OPEN    (UINT64_C(1) << 31)
#define WORKING (OPEN - 1)

typedef struct {
    pool_t *pool;
    int worker;
    pthread_t thread;
} member_t;

struct pool {
    reformer_pool_t interface;
    pid_t process; /* that the members live in */
    int n;         /* members: workers 1 … n, the caller is 0 */
    member_t *members;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    _Atomic uint64_t job;
    atomic_int asleep; /* members */
    bool waits;        /* the caller sleeps until `done`; under the lock */
    atomic_bool stop;
    /* the job; only those that joined it look */
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

static bool is_news(pool_t *p, uint64_t seen) {
    return atomic_load(&p->job) >> JOB_SHIFT != seen || atomic_load(&p->stop);
}

/* Until there is another job than number `seen`; returns its number. */
static uint64_t await_job(pool_t *p, uint64_t seen) {
    for (int i = 0; i < LOOKS && !is_news(p, seen); i++) sched_yield();
    if (!is_news(p, seen)) {
        pthread_mutex_lock(&p->lock);
        atomic_fetch_add(&p->asleep, 1);
        while (!is_news(p, seen)) pthread_cond_wait(&p->wake, &p->lock);
        atomic_fetch_sub(&p->asleep, 1);
        pthread_mutex_unlock(&p->lock);
    }
    return atomic_load(&p->job) >> JOB_SHIFT;
}

/* False: the job is closed already, or has enough workers. */
static bool join(pool_t *p) {
    uint64_t job = atomic_load(&p->job);
    while (job & OPEN)
        if (atomic_compare_exchange_weak(&p->job, &job, job + 1)) return true;
    return false;
}

static void leave(pool_t *p) {
    uint64_t before = atomic_fetch_sub(&p->job, 1);
    if ((before & WORKING) != 1 || (before & OPEN)) return;
    pthread_mutex_lock(&p->lock);
    if (p->waits) pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->lock);
}

static void await_members(pool_t *p) {
    atomic_fetch_and(&p->job, ~OPEN);
    for (int i = 0; i < LOOKS; i++) {
        if (!(atomic_load(&p->job) & WORKING)) return;
        sched_yield();
    }
    pthread_mutex_lock(&p->lock);
    p->waits = true;
    while (atomic_load(&p->job) & WORKING) pthread_cond_wait(&p->done, &p->lock);
    p->waits = false;
    pthread_mutex_unlock(&p->lock);
}

static void *member_main(void *arg) {
    member_t *m = arg;
    pool_t *p = m->pool;
    for (uint64_t seen = 0;;) {
        seen = await_job(p, seen);
        if (atomic_load(&p->stop)) return NULL;
        if (!join(p)) continue;
        if (m->worker < p->workers) run_tasks(p, m->worker);
        leave(p);
    }
}

static void wake_members(pool_t *p) {
    if (atomic_load(&p->asleep) == 0) return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

/* Starts up to so many members, as far as the system gives threads. */
static void start_members(pool_t *p, int wanted) {
    p->process = getpid();
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    for (p->n = 0; p->n < wanted; p->n++) {
        member_t *m = &p->members[p->n];
        *m = (member_t){.pool = p, .worker = p->n + 1};
        if (pthread_create(&m->thread, NULL, member_main, m) != 0) break;
    }
}

/* In a child: what members held or waited for when the process was copied is forgotten. A new one sees job 0, so
 * numbers begin anew too. */
static void replace_members(pool_t *p) {
    atomic_store(&p->job, 0);
    atomic_store(&p->asleep, 0);
    p->waits = false;
    start_members(p, p->n);
}

static void parallel_for(void *ctx, int64_t n, int workers, void (*body)(void *, int64_t, int),
                         void *arg) {
    pool_t *p = ctx;
    if (p->process != getpid()) replace_members(p);
    p->tasks = n;
    p->workers = workers;
    p->body = body;
    p->arg = arg;
    p->next = 0;
    uint64_t number = (atomic_load(&p->job) >> JOB_SHIFT) + 1;
    atomic_store(&p->job, number << JOB_SHIFT | OPEN);
    wake_members(p);
    run_tasks(p, 0);
    await_members(p);
}

static void give_up(void *pool, size_t bytes) {
    (void)bytes;
    pool_free(pool);
}

pool_t *pool_new(int threads) {
    if (threads < 2) return NULL;
    member_t *members = heap_new((size_t)threads - 1, sizeof *members);
    pool_t *p = heap_new_thing(sizeof *p, give_up);
    p->members = members;
    p->process = getpid();
    p->interface = (reformer_pool_t){sizeof p->interface, p, parallel_for};
    start_members(p, threads - 1);
    return p;
}

int pool_threads(const pool_t *p) {
    return p ? p->n + 1 : 1;
}

const reformer_pool_t *pool_interface(const pool_t *p) {
    return p ? &p->interface : NULL;
}

static void end_members(pool_t *p) {
    atomic_store(&p->stop, true);
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n; i++) pthread_join(p->members[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
}

void pool_free(pool_t *p) {
    if (!p) return;
    if (p->process == getpid()) end_members(p); /* in a child there are none to wait for */
    heap_free(p->members);
    heap_free(p);
}
