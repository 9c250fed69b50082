/* The runtime's pool keeps the promises of reformer_pool_t: every task once, workers in range and never twice at a time,
 * everything finished on return; whoever calls, and after fork(). Run under the tsan preset too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reformer_rt.h"

enum { TASKS = 1000, THREADS = 5 };

typedef struct {
    int workers;
    int times[TASKS];        /* plain: tsan sees it when two workers get one task */
    int per_worker[THREADS]; /* plain: the same for two calls at once with one worker */
    atomic_int wrong;
} counted_t;

static void count(void *arg, int64_t i, int worker) {
    counted_t *c = arg;
    if (i < 0 || i >= TASKS || worker < 0 || worker >= c->workers) {
        atomic_fetch_add(&c->wrong, 1);
        return;
    }
    c->times[i]++;
    c->per_worker[worker]++;
}

static void run(const reformer_pool_t *pool, int64_t tasks, int workers) {
    counted_t c = {.workers = workers};
    pool->parallel_for(pool->ctx, tasks, workers, count, &c);
    assert_int_equal(c.wrong, 0);
    int64_t total = 0;
    for (int w = 0; w < THREADS; w++) total += c.per_worker[w];
    assert_int_equal(total, tasks);
    for (int i = 0; i < TASKS; i++) assert_int_equal(c.times[i], i < tasks ? 1 : 0);
}

static const reformer_pool_t *begin(int threads) {
    size_t bytes = (REFORMER_POOL_BYTES(threads) + 63) / 64 * 64;
    const reformer_pool_t *pool = reformer_pool_begin(aligned_alloc(64, bytes), bytes, threads);
    assert_non_null(pool);
    return pool;
}

static void end(const reformer_pool_t *pool) {
    void *memory = pool->ctx;
    reformer_pool_end(pool);
    free(memory);
}

static void every_task_once(void **state) {
    (void)state;
    const reformer_pool_t *pool = begin(THREADS);
    assert_int_equal(reformer_pool_threads(pool), THREADS);
    for (int round = 0; round < 300; round++)
        run(pool, (int64_t)round * 7 % TASKS, 1 + round % THREADS);
    end(pool);
}

static void idle_pools_end(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) end(begin(1 + i % 5));
}

static void bad_arguments(void **state) {
    (void)state;
    static _Alignas(64) unsigned char memory[REFORMER_POOL_BYTES(2) + 64];
    size_t bytes = REFORMER_POOL_BYTES(2);
    assert_null(reformer_pool_begin(NULL, bytes, 2));
    assert_null(reformer_pool_begin(memory + 8, bytes, 2));
    assert_null(reformer_pool_begin(memory, bytes - 1, 2));
    assert_null(reformer_pool_begin(memory, bytes, 0));
    assert_null(reformer_pool_begin(memory, SIZE_MAX, REFORMER_MAX_THREADS + 1));
    assert_int_equal(reformer_pool_threads(NULL), 1);
    reformer_pool_end(NULL);
}

/* ---- several callers ---------------------------------------------------------------------------- */

enum { CALLERS = 8 };

static void *call(void *arg) {
    for (int round = 0; round < 40; round++) run(arg, TASKS - round, 1 + round % THREADS);
    return NULL;
}

static void callers_share_one(void **state) {
    (void)state;
    const reformer_pool_t *pool = begin(THREADS);
    pthread_t callers[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, call, (void *)(uintptr_t)pool), 0);
    for (int i = 0; i < CALLERS; i++) pthread_join(callers[i], NULL);
    end(pool);
}

/* A task that has tasks of its own. */
typedef struct {
    const reformer_pool_t *pool;
    atomic_int inner;
} nest_t;

static void count_inner(void *arg, int64_t i, int worker) {
    (void)i, (void)worker;
    atomic_fetch_add(&((nest_t *)arg)->inner, 1);
}

static void nest(void *arg, int64_t i, int worker) {
    nest_t *n = arg;
    (void)i, (void)worker;
    n->pool->parallel_for(n->pool->ctx, 10, THREADS, count_inner, n);
}

static void tasks_may_have_tasks(void **state) {
    (void)state;
    nest_t n = {.pool = begin(THREADS)};
    n.pool->parallel_for(n.pool->ctx, 100, THREADS, nest, &n);
    assert_int_equal(n.inner, 1000);
    end(n.pool);
}

/* A product's signals find the product's threads. */
typedef struct {
    const reformer_pool_t *pool;
    atomic_int held, let_go;
} gate_t;

/* The member keeps a task until it is let go; the caller has the others, and waits for it then. */
static void hold(void *arg, int64_t i, int worker) {
    gate_t *g = arg;
    (void)i;
    if (worker == 0) {
        while (!g->held) (void)sched_yield();
        return;
    }
    g->held = 1;
    while (!g->let_go) usleep(1000);
}

static void *call_and_wait(void *arg) {
    gate_t *g = arg;
    g->pool->parallel_for(g->pool->ctx, TASKS, 2, hold, g);
    return NULL;
}

static void cancelled_callers_see_their_job_end(void **state) {
    (void)state;
    gate_t g = {.pool = begin(2)};
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, NULL, call_and_wait, &g), 0);
    while (!g.held) usleep(1000);
    usleep(20000); /* so that it sleeps */
    assert_int_equal(pthread_cancel(thread), 0);
    usleep(20000);
    g.let_go = 1;
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result); /* not PTHREAD_CANCELED */
    run(g.pool, TASKS, 2);
    end(g.pool);
}

static void see_mask(void *arg, int64_t i, int worker) {
    sigset_t mask;
    (void)i;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (sigismember(&mask, SIGUSR1) != (worker != 0)) atomic_fetch_add((atomic_int *)arg, 1);
}

static void signals_are_for_others(void **state) {
    (void)state;
    atomic_int wrong = 0;
    const reformer_pool_t *pool = begin(THREADS);
    for (int round = 0; round < 20; round++)
        pool->parallel_for(pool->ctx, TASKS, THREADS, see_mask, &wrong);
    assert_int_equal(wrong, 0);
    end(pool);
}

/* ---- fork --------------------------------------------------------------------------------------- */

/* ThreadSanitizer ends a child whose new thread has the number of one that only its parent has. */
#if defined(__SANITIZE_THREAD__)
#define FORKS() skip()
#else
#define FORKS() (void)0
#endif

static void expect_child_ends_well(pid_t child) {
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A child has workers of its own, in as many threads; its children too. The parent's go on meanwhile. */
static void children_start_their_own(void **state) {
    FORKS();
    (void)state;
    const reformer_pool_t *pool = begin(THREADS);
    run(pool, TASKS, THREADS);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        for (int round = 0; round < 50; round++) run(pool, TASKS, THREADS);
        if (reformer_pool_threads(pool) != THREADS) _exit(2);
        pid_t grandchild = fork();
        for (int round = 0; round < 50; round++) run(pool, TASKS, THREADS);
        end(pool);
        if (grandchild != 0) expect_child_ends_well(grandchild);
        _exit(0);
    }
    run(pool, TASKS, THREADS);
    expect_child_ends_well(child);
    end(pool);
}

static void children_free_what_they_never_used(void **state) {
    FORKS();
    (void)state;
    const reformer_pool_t *pool = begin(THREADS);
    for (int i = 0; i < 20; i++) { /* some members are on their way to sleep */
        run(pool, TASKS, THREADS);
        pid_t child = fork();
        if (child == 0) {
            alarm(60);
            end(pool);
            _exit(0);
        }
        expect_child_ends_well(child);
    }
    end(pool);
}

/* A thread has a job there while another one forks: the child's first job does not wait for it. */
static void *keep_busy(void *arg) {
    for (int round = 0; round < 200; round++) run(arg, TASKS, THREADS);
    return NULL;
}

static void children_of_a_pool_at_work(void **state) {
    FORKS();
    (void)state;
    const reformer_pool_t *pool = begin(THREADS);
    pthread_t busy;
    assert_int_equal(pthread_create(&busy, NULL, keep_busy, (void *)(uintptr_t)pool), 0);
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(60);
            run(pool, TASKS, THREADS);
            end(pool);
            _exit(0);
        }
        expect_child_ends_well(child);
    }
    pthread_join(busy, NULL);
    end(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_once),
        cmocka_unit_test(idle_pools_end),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(callers_share_one),
        cmocka_unit_test(tasks_may_have_tasks),
        cmocka_unit_test(cancelled_callers_see_their_job_end),
        cmocka_unit_test(signals_are_for_others),
        cmocka_unit_test(children_start_their_own),
        cmocka_unit_test(children_free_what_they_never_used),
        cmocka_unit_test(children_of_a_pool_at_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
