/* The pool of the command line keeps the promises of reformer_pool_t: every task once, workers in
 * range and never twice at a time, everything finished on return. Run under the tsan preset too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/pool.h"

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

static void every_task_once(void **state) {
    (void)state;
    pool_t *p = pool_new(THREADS);
    assert_int_equal(pool_threads(p), THREADS);
    const reformer_pool_t *pool = pool_interface(p);
    for (int round = 0; round < 300; round++)
        run(pool, (int64_t)round * 7 % TASKS, 1 + round % THREADS);
    pool_free(p);
}

static void idle_pools_end(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) pool_free(pool_new(2 + i % 4));
}

static void one_thread_needs_none(void **state) {
    (void)state;
    assert_null(pool_new(1));
    assert_int_equal(pool_threads(NULL), 1);
    assert_null(pool_interface(NULL));
    pool_free(NULL);
}

static void expect_child_ends_well(pid_t child) {
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A child has workers of its own, in as many threads; its children too. The parent's go on meanwhile. */
static void children_start_their_own(void **state) {
    (void)state;
    pool_t *p = pool_new(THREADS);
    run(pool_interface(p), TASKS, THREADS);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        for (int round = 0; round < 50; round++) run(pool_interface(p), TASKS, THREADS);
        if (pool_threads(p) != THREADS) _exit(2);
        pid_t grandchild = fork();
        for (int round = 0; round < 50; round++) run(pool_interface(p), TASKS, THREADS);
        pool_free(p);
        if (grandchild != 0) expect_child_ends_well(grandchild);
        _exit(0);
    }
    run(pool_interface(p), TASKS, THREADS);
    expect_child_ends_well(child);
    pool_free(p);
}

static void children_free_what_they_never_used(void **state) {
    (void)state;
    pool_t *p = pool_new(THREADS);
    for (int i = 0; i < 20; i++) { /* some members are on their way to sleep */
        run(pool_interface(p), TASKS, THREADS);
        pid_t child = fork();
        if (child == 0) {
            alarm(60);
            pool_free(p);
            _exit(0);
        }
        expect_child_ends_well(child);
    }
    pool_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_once), cmocka_unit_test(idle_pools_end),
        cmocka_unit_test(one_thread_needs_none), cmocka_unit_test(children_start_their_own),
        cmocka_unit_test(children_free_what_they_never_used)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
