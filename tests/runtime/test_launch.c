/* Running kernels: which tasks, which workers, whose threads; tracing; many forwards at once. */
#include "fake.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TASKS = 200, WORKERS = 4, STRIDE = 64 };

typedef struct {
    atomic_int runs[TASKS];
    atomic_int busy[WORKERS]; /* calls in flight per worker */
    atomic_int bad;
    const unsigned char *scratch;
} watch_t;

/* arg points at the watch, in an int64_t. */
static void watch_kernel(const reformer_call_t *call, unsigned char *scratch, const int64_t *arg,
                         int64_t task) {
    watch_t *w = (watch_t *)(uintptr_t)arg[0];
    ptrdiff_t worker = (scratch - w->scratch) / STRIDE;
    if (scratch != w->scratch + worker * STRIDE || worker < 0 || worker >= call->threads ||
        task < 0 || task >= TASKS) {
        atomic_fetch_add(&w->bad, 1);
        return;
    }
    if (atomic_fetch_add(&w->busy[worker], 1) != 0) atomic_fetch_add(&w->bad, 1);
    scratch[0]++; /* a race here is one that sanitizers see */
    atomic_fetch_add(&w->runs[task], 1);
    atomic_fetch_sub(&w->busy[worker], 1);
}

static void launch_watched(int threads, const reformer_pool_t *pool, int64_t tasks) {
    static unsigned char scratch[WORKERS * STRIDE];
    watch_t w = {.scratch = scratch};
    int64_t arg[] = {(int64_t)(uintptr_t)&w};
    reformer_call_t call = {
        .scratch = scratch, .scratch_stride = STRIDE, .threads = threads, .pool = pool};
    reformer_launch(&call, watch_kernel, tasks, arg);
    assert_int_equal(w.bad, 0);
    for (int64_t i = 0; i < TASKS; i++) assert_int_equal(w.runs[i], i < tasks);
}

static void built_in_threads(void **state) {
    (void)state;
    for (int threads = 1; threads <= WORKERS; threads++) {
        launch_watched(threads, NULL, TASKS);
        launch_watched(threads, NULL, 1);
        launch_watched(threads, NULL, 0);
        launch_watched(threads, NULL, -5);
    }
}

/* A pool of real threads that share a counter, started and joined per launch. */
typedef struct {
    int64_t n;
    atomic_llong next;
    void (*body)(void *arg, int64_t i, int worker);
    void *arg;
} share_t;
typedef struct {
    share_t *share;
    int worker;
} member_t;

static void *work(void *arg) {
    member_t *m = arg;
    long long i;
    while ((i = atomic_fetch_add(&m->share->next, 1)) < m->share->n)
        m->share->body(m->share->arg, i, m->worker);
    return NULL;
}

static void pool_run(void *ctx, int64_t n, int workers, void (*body)(void *, int64_t, int),
                     void *arg) {
    atomic_fetch_add((atomic_int *)ctx, 1);
    assert_true(workers > 1 && workers <= WORKERS);
    share_t share = {.n = n, .body = body, .arg = arg};
    pthread_t threads[WORKERS];
    member_t members[WORKERS];
    for (int i = 0; i < workers; i++) {
        members[i] = (member_t){&share, i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &members[i]), 0);
    }
    for (int i = 0; i < workers; i++) pthread_join(threads[i], NULL);
}

static void the_products_pool(void **state) {
    (void)state;
    atomic_int launches = 0;
    reformer_pool_t pool = {.size = sizeof pool, .ctx = &launches, .parallel_for = pool_run};
    launch_watched(WORKERS, &pool, TASKS);
    launch_watched(WORKERS, &pool, 2);
    assert_int_equal(launches, 2);
    launch_watched(WORKERS, &pool, 1); /* one task, one thread: not worth a hand-over */
    launch_watched(1, &pool, TASKS);
    launch_watched(WORKERS, &pool, 0);
    assert_int_equal(launches, 2);
}

/* A pool that goes backwards on its last worker: order and assignment are free. */
static void backwards(void *ctx, int64_t n, int workers, void (*body)(void *, int64_t, int),
                      void *arg) {
    (void)ctx;
    for (int64_t i = n - 1; i >= 0; i--) body(arg, i, workers - 1);
}

static void order_is_free(void **state) {
    (void)state;
    reformer_pool_t pool = {.size = sizeof pool, .parallel_for = backwards};
    launch_watched(WORKERS, &pool, TASKS);
    launch_watched(WORKERS, &pool, 3);
}

/* ---- trace ---------------------------------------------------------------------------------- */

typedef struct {
    char name[200];
    const void *data;
    int dtype, rank, calls;
    int64_t last_dim;
} heard_t;

static void hear(void *ctx, const char *name, const void *data, int dtype, const int64_t *shape,
                 int rank) {
    heard_t *h = ctx;
    snprintf(h->name, sizeof h->name, "%s", name);
    h->data = data;
    h->dtype = dtype;
    h->rank = rank;
    h->last_dim = shape[rank - 1];
    h->calls++;
}

static void trace_names(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int64_t layer;
        const char *want;
    } cases[] = {
        {"embeddings", -1, "embeddings"},
        {"layers.#.y1", 0, "layers.0.y1"},
        {"layers.#.y2", 1203, "layers.1203.y2"},
        {"#", INT64_MAX, "9223372036854775807"},
        {"a#b", -1, "a#b"},
        {"", 3, ""},
    };
    heard_t h = {0};
    reformer_call_t call = {.trace = hear, .trace_ctx = &h};
    int64_t shape[] = {2, 7};
    float x;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reformer_trace(&call, cases[i].name, cases[i].layer, &x, REFORMER_F32, shape, 2);
        assert_string_equal(h.name, cases[i].want);
    }
    assert_int_equal(h.calls, 6);
    assert_int_equal(h.last_dim, 7);
    assert_ptr_equal(h.data, &x);
    char longest[400];
    memset(longest, '#', sizeof longest);
    longest[399] = 0;
    reformer_trace(&call, longest, INT64_MAX, &x, REFORMER_I32, shape, 1);
    assert_int_equal(strlen(h.name), 95);
    call.trace = NULL;
    reformer_trace(&call, "embeddings", -1, &x, REFORMER_F32, shape, 2);
    assert_int_equal(h.calls, 7);
}

/* ---- profile -------------------------------------------------------------------------------- */

typedef struct {
    char said[400]; /* "(name" at the begin, ")" at the end, what runs between */
} profile_t;

static void hear_launch(void *ctx, const char *name, int begin) {
    profile_t *p = ctx;
    size_t at = strlen(p->said);
    (void)snprintf(p->said + at, sizeof p->said - at, "%s%s", begin ? "(" : ")", name);
}

static void say_task(const reformer_call_t *call, unsigned char *scratch, const int64_t *arg,
                     int64_t task) {
    (void)scratch;
    profile_t *p = call->profile_ctx;
    size_t at = strlen(p->said);
    (void)snprintf(p->said + at, sizeof p->said - at, " %d.%d ", (int)arg[0], (int)task);
}

static void profile_surrounds_launches(void **state) {
    (void)state;
    static unsigned char scratch[STRIDE];
    profile_t p = {""};
    int64_t arg[] = {7};
    reformer_call_t call = {.scratch = scratch,
                            .scratch_stride = STRIDE,
                            .threads = 1,
                            .profile = hear_launch,
                            .profile_ctx = &p};
    reformer_launch_labelled(&call, say_task, 2, arg, "embed", -1);
    reformer_launch_labelled(&call, say_task, 1, arg, "layer#.lsh.hash", 11);
    assert_string_equal(p.said, "(embed 7.0  7.1 )embed(layer11.lsh.hash 7.0 )layer11.lsh.hash");
    p.said[0] = 0;
    reformer_launch(&call, say_task, 1, arg);
    call.profile = NULL;
    reformer_launch_labelled(&call, say_task, 1, arg, "embed", -1);
    assert_string_equal(p.said, " 7.0  7.0 ");
}

static void count_profile(void *ctx, const char *name, int begin) {
    (void)name;
    *(int *)ctx += begin;
}

static void labelled_run(const reformer_call_t *call) {
    call->profile(call->profile_ctx, "x", 1);
}

static void profile_comes_from_the_io(void **state) {
    (void)state;
    reformer_variant_t v = fake_variants[0];
    v.run = labelled_run;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    d.variants = &v;
    d.n_variants = 1;
    reformer_model_t m = {.size = sizeof m,
                          .desc = &d,
                          .weights = (const unsigned char *)&d,
                          .variants = &v,
                          .n_variants = 1};
    int32_t ids[3] = {1, 2, 3};
    float out[3 * 4];
    int calls = 0;
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .batch = 1,
                        .length = 3,
                        .last_hidden_state = out,
                        .profile = count_profile,
                        .profile_ctx = &calls};
    size_t bytes = reformer_workspace_bytes(&d, 3, 1);
    void *workspace = aligned_alloc(64, (bytes + 63) / 64 * 64);
    assert_int_equal(reformer_forward(&d, &m, &io, workspace, bytes), REFORMER_OK);
    assert_int_equal(calls, 1);
    free(workspace);
}

/* ---- many forwards at once on one model ----------------------------------------------------- */

enum { CLIENTS = 4, ROUNDS = 50, LENGTH = 9 };

/* last_hidden_state[row] = id + KEY, by way of the schedule's own buffers. */
static void echo_kernel(const reformer_call_t *call, unsigned char *scratch, const int64_t *arg,
                        int64_t task) {
    (void)arg;
    const int32_t *id = call->slot[REFORMER_SLOT_IDS], *key = call->slot[REFORMER_SLOT_KEY];
    memcpy(scratch, &id[task], sizeof *id);
    int32_t mine;
    memcpy(&mine, scratch, sizeof mine);
    float *stream = (float *)(void *)call->workspace;
    stream[task] = (float)mine + (float)(key[task] % 100);
}

static void echo_run(const reformer_call_t *call) {
    reformer_launch(call, echo_kernel, 16, NULL);
    const int32_t *row = call->slot[REFORMER_SLOT_ROW];
    float *out = call->slot[REFORMER_SLOT_HIDDEN];
    for (int i = 0; i < 16; i++)
        if (row[i] >= 0) out[row[i]] = ((const float *)(const void *)call->workspace)[i];
}

static reformer_model_t echo_model;

static void *client(void *arg) {
    int32_t me = *(int32_t *)arg, ids[LENGTH];
    atomic_int launches = 0;
    reformer_pool_t pool = {.size = sizeof pool, .ctx = &launches, .parallel_for = pool_run};
    size_t bytes = reformer_workspace_bytes(echo_model.desc, LENGTH, 2);
    void *workspace = aligned_alloc(64, (bytes + 63) / 64 * 64);
    intptr_t bad = 0;
    for (int r = 0; r < ROUNDS; r++) {
        float out[LENGTH];
        for (int i = 0; i < LENGTH; i++) ids[i] = (me + i * r) % VOCAB;
        reformer_io_t io = {.size = sizeof io,
                            .input_ids = ids,
                            .batch = 1,
                            .length = LENGTH,
                            .threads = 2,
                            .pool = r % 2 ? &pool : NULL,
                            .last_hidden_state = out};
        bad += reformer_forward(echo_model.desc, &echo_model, &io, workspace, bytes) != REFORMER_OK;
        for (int i = 0; i < LENGTH; i++) bad += out[i] != (float)(ids[i] + i);
    }
    free(workspace);
    return (void *)bad;
}

static void concurrent_forwards(void **state) {
    (void)state;
    reformer_variant_t v = fake_variants[1];
    v.run = echo_run;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    d.batch = 1;
    d.variants = &v;
    d.n_variants = 1;
    echo_model = (reformer_model_t){.size = sizeof echo_model,
                                    .desc = &d,
                                    .weights = (const unsigned char *)&d,
                                    .variants = &v,
                                    .n_variants = 1};
    pthread_t threads[CLIENTS];
    int32_t number[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        number[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, client, &number[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
}

/* ---- threads of a call ------------------------------------------------------------------------ */

/* Tasks come to an end when two threads are at work on them. */
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t came;
    pthread_t first;
    int threads;
} meeting_t;
static meeting_t meeting = {.lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};

static void meet(const reformer_call_t *call, unsigned char *scratch, const int64_t *arg,
                 int64_t task) {
    struct timespec end;
    (void)call, (void)scratch, (void)arg, (void)task;
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    pthread_mutex_lock(&meeting.lock);
    if (meeting.threads == 0) meeting.first = pthread_self();
    if (meeting.threads == 0 || !pthread_equal(meeting.first, pthread_self())) meeting.threads++;
    pthread_cond_broadcast(&meeting.came);
    while (meeting.threads < 2 &&
           pthread_cond_timedwait(&meeting.came, &meeting.lock, &end) != ETIMEDOUT)
        continue;
    pthread_mutex_unlock(&meeting.lock);
}

static void meet_run(const reformer_call_t *call) {
    reformer_launch(call, meet, 2, NULL);
}

/* Who asks for threads and has no pool gets them all the same. */
static void calls_have_threads_of_their_own(void **state) {
    (void)state;
    reformer_variant_t v = fake_variants[0];
    v.run = meet_run;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    d.variants = &v;
    d.n_variants = 1;
    reformer_model_t m = {.size = sizeof m,
                          .desc = &d,
                          .weights = (const unsigned char *)&d,
                          .variants = &v,
                          .n_variants = 1};
    int32_t ids[3] = {1, 2, 3};
    float out[3 * 4];
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .batch = 1,
                        .length = 3,
                        .threads = 2,
                        .last_hidden_state = out};
    size_t bytes = reformer_workspace_bytes(&d, 3, 2);
    void *workspace = aligned_alloc(64, (bytes + 63) / 64 * 64);
    assert_int_equal(reformer_forward(&d, &m, &io, workspace, bytes), REFORMER_OK);
    assert_int_equal(meeting.threads, 2);
    free(workspace);
}

/* ---- fork ------------------------------------------------------------------------------------- */

static void *launch_in_parallel(void *arg) {
    (void)arg;
    launch_watched(WORKERS, NULL, TASKS);
    return NULL;
}

/* By a thread that had workers, by one that the child starts, and by a child of the child. */
static void run_as_child(void) {
    alarm(60);
    launch_watched(WORKERS, NULL, TASKS);
    pthread_t thread;
    if (pthread_create(&thread, NULL, launch_in_parallel, NULL) != 0) _exit(2);
    pthread_join(thread, NULL);
    pid_t grandchild = fork();
    launch_watched(WORKERS, NULL, TASKS);
    int status = 0;
    if (grandchild > 0 && waitpid(grandchild, &status, 0) != grandchild) status = 3;
    _exit(status != 0);
}

static void children_run_too(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        launch_watched(WORKERS, NULL, TASKS);
        pid_t child = fork();
        if (child == 0) run_as_child();
        launch_watched(WORKERS, NULL, TASKS);
        int status = 1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in_threads),
        cmocka_unit_test(the_products_pool),
        cmocka_unit_test(order_is_free),
        cmocka_unit_test(trace_names),
        cmocka_unit_test(profile_surrounds_launches),
        cmocka_unit_test(profile_comes_from_the_io),
        cmocka_unit_test(concurrent_forwards),
        cmocka_unit_test(calls_have_threads_of_their_own),
        cmocka_unit_test(children_run_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
