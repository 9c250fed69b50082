/* Whose threads a product's calls run on, measured in turns in one process: forwards and steps alone, on a pool of the
 * runtime's, on threads of the call, on OpenMP's. Prints medians and quartiles in milliseconds, and CPU time. threads.sh
 * builds and runs it.   threads ROUNDS THREADS… */
#define _GNU_SOURCE
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { MAX_ROUNDS = 1000, MAX_WAYS = 32, PROMPT = 64, STEPS = 20, LENGTH = MODEL_MAX_LENGTH };

void openmp_with_threads(int threads, reformer_threads_fn *job, void *ctx); /* openmp.c, renamed */

typedef struct {
    const char *name;
    int threads;
    const reformer_pool_t *pool;
    double forward[MAX_ROUNDS], step[MAX_ROUNDS], cpu_forward, cpu_step;
} way_t;

static model_t model;
static int32_t ids[LENGTH];
static float logits[LENGTH * MODEL_VOCAB];
static void *workspace, *cache;
static size_t bytes;
static way_t ways[MAX_WAYS];

static void *allocate(size_t n) {
    void *p = aligned_alloc(64, (n + 63) / 64 * 64);
    if (!p) exit(2);
    return p;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double cpu(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           1e-6 * (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static void must(int error) {
    if (!error) return;
    fprintf(stderr, "%s\n", model_strerror(error));
    exit(1);
}

static void measure(way_t *w, int round) {
    model_io_t io = {.size = sizeof io,
                     .input_ids = ids,
                     .batch = 1,
                     .length = LENGTH,
                     .threads = w->threads,
                     .pool = w->pool,
                     .logits = logits};
    double used = cpu(), began = now();
    must(model_forward(&model, &io, workspace, bytes));
    w->forward[round] = now() - began;
    w->cpu_forward += cpu() - used;
    model_decode_t d = {.size = sizeof d,
                        .input_ids = ids,
                        .length = PROMPT,
                        .threads = w->threads,
                        .pool = w->pool,
                        .logits = logits};
    must(model_cache_init(cache, MODEL_CACHE_BYTES(LENGTH), LENGTH));
    must(model_prefill(&model, &d, cache, workspace, bytes));
    used = cpu(), began = now();
    for (int i = 0; i < STEPS; i++) must(model_step(&model, &d, cache, workspace, bytes));
    w->step[round] = (now() - began) / STEPS;
    w->cpu_step += (cpu() - used) / STEPS;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print(const char *what, double *x, int n, double used) {
    qsort(x, (size_t)n, sizeof *x, compare);
    printf("  %s %9.3f (%.3f to %.3f), cpu %.3f", what, 1e3 * x[n / 2], 1e3 * x[n / 4],
           1e3 * x[n * 3 / 4], 1e3 * used / n);
}

static void take(void *ctx, const reformer_pool_t *pool) {
    *(const reformer_pool_t **)ctx = pool;
}

static int add_ways(int n, int threads) {
    const reformer_pool_t *openmp = NULL;
    size_t room = REFORMER_POOL_BYTES(threads);
    openmp_with_threads(threads, take, &openmp);
    ways[n] = (way_t){.name = "pool", .threads = threads};
    ways[n++].pool = reformer_pool_begin(allocate(room), room, threads);
    ways[n++] = (way_t){.name = "call", .threads = threads};
    ways[n++] = (way_t){.name = "OpenMP", .threads = threads, .pool = openmp};
    return n;
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 0, n = 1, max = 1;
    if (rounds < 1 || rounds > MAX_ROUNDS || argc * 3 > MAX_WAYS) return 2;
    ways[0] = (way_t){.name = "alone", .threads = 1};
    for (int i = 2; i < argc; i++) {
        n = add_ways(n, atoi(argv[i]));
        if (atoi(argv[i]) > max) max = atoi(argv[i]);
    }
    FILE *f = fopen("model.weights", "rb");
    void *weights = allocate(MODEL_WEIGHTS_BYTES);
    if (!f || fread(weights, 1, MODEL_WEIGHTS_BYTES, f) != MODEL_WEIGHTS_BYTES || fclose(f))
        return 2;
    must(model_bind(&model, weights, MODEL_WEIGHTS_BYTES));
    for (int i = 0; i < LENGTH; i++) ids[i] = 2 + i * 37 % (MODEL_VOCAB - 2);
    bytes = model_workspace_bytes(LENGTH, max);
    if (model_decode_bytes(LENGTH, max) > bytes) bytes = model_decode_bytes(LENGTH, max);
    workspace = allocate(bytes);
    cache = allocate(MODEL_CACHE_BYTES(LENGTH));
    for (int round = 0; round < rounds; round++)
        for (int k = 0; k < n; k++) measure(&ways[k], round);
    for (int k = 0; k < n; k++) {
        printf("%-6s %d:", ways[k].name, ways[k].threads);
        print("forward", ways[k].forward, rounds, ways[k].cpu_forward);
        print("step", ways[k].step, rounds, ways[k].cpu_step);
        puts(" ms");
    }
    return 0;
}
