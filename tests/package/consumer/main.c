/* Two models in one program, run by eight threads at once: each has a workspace of its own, and all compute the same, whether
 * a call runs on one thread, on some that it starts, or on a pool, of its own or shared by all. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "first.h"
#include "second.h"

enum { THREADS = 8, ROUNDS = 4, LENGTH = 12, WORKERS = 3 };

static first_t first;
static second_t second;
static const int32_t ids[LENGTH] = {3, 1, 4, 15, 9, 26, 5, 35, 8, 9, 7, 9};

static _Alignas(64) unsigned char pool_memory[REFORMER_POOL_BYTES(WORKERS)];
static const reformer_pool_t *shared;

typedef struct {
    int number;
    int error;
    float logits[LENGTH * FIRST_VOCAB]; /* of the first model */
    float labels[SECOND_LABELS];        /* of the second */
} results_t;

static void *allocate(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) exit(2);
    return p;
}

/* A product would map the file. */
static void *load(const char *path, size_t bytes) {
    void *p = allocate(bytes);
    FILE *f = fopen(path, "rb");
    if (!f || fread(p, 1, bytes, f) != bytes) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    fclose(f);
    return p;
}

static void *run(void *arg) {
    results_t *r = arg;
    enum { ALONE, STARTS_SOME, HAS_A_POOL, SHARES_ONE } way = r->number % 4;
    size_t room = (REFORMER_POOL_BYTES(WORKERS) + 63) / 64 * 64;
    void *memory = allocate(room);
    const reformer_pool_t *pool = way == SHARES_ONE ? shared : NULL;
    if (way == HAS_A_POOL) pool = reformer_pool_begin(memory, room, WORKERS);
    int workers = way == ALONE ? 1 : WORKERS;
    size_t bytes = first_workspace_bytes(LENGTH, workers);
    size_t more = second_workspace_bytes(LENGTH, workers);
    if (more > bytes) bytes = more; /* one serves both, in turns */
    void *workspace = allocate(bytes);
    for (int round = 0; round < ROUNDS && !r->error; round++) {
        first_io_t io = {.size = sizeof io,
                         .input_ids = ids,
                         .batch = 1,
                         .length = LENGTH,
                         .threads = workers,
                         .pool = pool,
                         .logits = r->logits};
        r->error = first_forward(&first, &io, workspace, bytes);
        second_io_t other = {.size = sizeof other,
                             .input_ids = ids,
                             .batch = 1,
                             .length = LENGTH,
                             .threads = workers,
                             .pool = pool,
                             .logits = r->labels};
        if (!r->error) r->error = second_forward(&second, &other, workspace, bytes);
    }
    if (way == HAS_A_POOL) reformer_pool_end(pool);
    free(memory);
    free(workspace);
    return NULL;
}

int main(void) {
    void *weights = load(FIRST_FILE, FIRST_WEIGHTS_BYTES);
    void *others = load(SECOND_FILE, SECOND_WEIGHTS_BYTES);
    int error = first_bind(&first, weights, FIRST_WEIGHTS_BYTES);
    if (!error) error = second_bind(&second, others, SECOND_WEIGHTS_BYTES);
    if (error) {
        fprintf(stderr, "bind: %s\n", first_strerror(error));
        return 1;
    }

    static results_t results[THREADS];
    pthread_t threads[THREADS];
    shared = reformer_pool_begin(pool_memory, sizeof pool_memory, WORKERS);
    for (int i = 0; i < THREADS; i++) {
        results[i].number = i;
        if (pthread_create(&threads[i], NULL, run, &results[i])) return 2;
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    reformer_pool_end(shared);
    for (int i = 0; i < THREADS; i++)
        if (results[i].error ||
            memcmp(results[i].logits, results[0].logits, sizeof results->logits) != 0 ||
            memcmp(results[i].labels, results[0].labels, sizeof results->labels) != 0) {
            fprintf(stderr, "thread %d: %s\n", i, first_strerror(results[i].error));
            return 1;
        }
    for (int i = 0; i < FIRST_VOCAB; i++)
        printf("%a\n", (double)results[0].logits[(LENGTH - 1) * FIRST_VOCAB + i]);
    for (int i = 0; i < SECOND_LABELS; i++) printf("%a\n", (double)results[0].labels[i]);
    free(weights);
    free(others);
    return 0;
}
