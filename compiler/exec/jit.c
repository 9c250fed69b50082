/* Just-in-time compilation of jit.h.
 *
 * Units (emit/llvm.h) are looked up in the compile cache by their bitcode and what LLVM adds to it;
 * those that are absent are compiled on the workers, each by one of them, and kept. A cache that
 * cannot be written costs time, nothing else. */
#include "exec/jit.h"

#include <stdio.h>
#include <string.h>

#include "exec/cache.h"
#include "support/clock.h"
#include "support/guard.h"
#include "support/heap.h"
#include "support/pages.h"

typedef struct {
    const plan_t *plan;
    const exec_options_t *o;
    arena_t *arena;
    llvm_units_t units;
    compile_cache_t cache;
    const char **path; /* [n] of the entry; NULL: there is no cache */
    sbuf_t *object;    /* [n] */
    bool *cached;
    double *seconds;
    diag_t **said;       /* [n] one for each: a diag_t belongs to one thread */
    guard_report_t *end; /* [n] */
} jit_job_t;

static bool find_paths(jit_job_t *j, diag_t *d) {
    if (j->o->no_cache) return true;
    if (!cache_find(j->arena, &j->cache, d)) return false;
    const char *key = llvm_compile_key(j->plan->targets[0]);
    for (int k = 0; k < j->units.n; k++) {
        cache_key_t c = cache_key();
        cache_key_text(&c, key);
        cache_key_add(&c, j->units.unit[k].bitcode, j->units.unit[k].bytes);
        j->path[k] = cache_path(j->arena, &j->cache, &c, ".o");
    }
    return true;
}

static bool read_entry(jit_job_t *j, int k) {
    size_t n;
    char *data = j->path[k] ? cache_read(j->path[k], &n) : NULL;
    if (data) sbuf_write(&j->object[k], data, n);
    heap_free(data);
    return data != NULL;
}

static void keep_entry(const jit_job_t *j, int k) {
    if (!j->path[k]) return;
    arena_t *a = arena_new(); /* an arena is for one thread */
    (void)guard_close(cache_write(a, &j->cache, j->path[k], j->object[k].data, j->object[k].size));
    arena_free(a);
}

typedef struct {
    jit_job_t *j;
    int64_t k;
} jit_task_t;

static void make_unit(void *task) {
    jit_job_t *j = ((jit_task_t *)task)->j;
    int64_t k = ((jit_task_t *)task)->k;
    (void)guard_doing("compiling kernels");
    double start = clock_now();
    j->cached[k] = read_entry(j, (int)k);
    if (!j->cached[k] &&
        llvm_unit_compile(&j->units.unit[k], j->plan->targets[0], &j->object[k], j->said[k]))
        keep_entry(j, (int)k);
    j->seconds[k] = clock_now() - start;
}

/* A worker's failure is the caller's, told after all of them. */
static void make_guarded(void *arg, int64_t k, int worker) {
    jit_job_t *j = arg;
    (void)worker;
    if (guard_run(make_unit, &(jit_task_t){j, k}, &j->end[k])) return;
    j->object[k] = (sbuf_t){0}; /* released with what else this task had made */
}

static void make_all(jit_job_t *j) {
    const reformer_pool_t *pool = pool_interface(j->o->pool);
    if (pool) pool->parallel_for(pool->ctx, j->units.n, pool_threads(j->o->pool), make_guarded, j);
    else
        for (int k = 0; k < j->units.n; k++) make_guarded(j, k, 0);
    for (int k = 0; k < j->units.n; k++)
        if (j->end[k].how != GUARD_WENT_WELL) guard_give_up(&j->end[k]);
}

/* Once, behind all that was written. */
static void trim(jit_job_t *j) {
    bool written = false;
    for (int k = 0; k < j->units.n; k++) written |= !j->cached[k];
    if (written && j->cache.folder) (void)cache_trim(j->arena, j->cache.folder, j->cache.limit);
}

/* The messages of the units, in their order. */
static bool gather(const jit_job_t *j, diag_t *d) {
    bool ok = true;
    for (int k = 0; k < j->units.n; k++)
        if (diag_errors(j->said[k]) > 0) {
            diag_append(d, j->said[k]);
            ok = false;
        }
    return ok;
}

static void print_times(const jit_job_t *j) {
    for (int k = 0; j->o->time && k < j->units.n; k++)
        fprintf(stderr, "%8.3f ms  %-20s %s, %zu bytes of bitcode, %zu of object\n",
                1e3 * j->seconds[k], j->units.unit[k].name, j->cached[k] ? "cached" : "compiled",
                j->units.unit[k].bytes, j->object[k].size);
}

static bool find_schedules(const jit_job_t *j, const jit_t *jit, reformer_variant_t *variants,
                           diag_t *d) {
    for (int k = 0; k < plan_parts(j->plan); k++) {
        variants[k].run = jit_schedule(jit, j->units.run[k], d);
        if (!variants[k].run) return false;
    }
    return true;
}

static jit_t *link_all(const jit_job_t *j, reformer_variant_t *variants, diag_t *d) {
    double start = clock_now();
    jit_t *jit = jit_link(j->object, j->units.n, j->o->perf_map, d);
    if (jit && !find_schedules(j, jit, variants, d)) {
        jit_free(jit);
        jit = NULL;
    }
    if (j->o->time) fprintf(stderr, "%8.3f ms  %-20s\n", 1e3 * (clock_now() - start), "link");
    return jit;
}

/* Told before any work: LLVM would name every kernel. */
static bool check_allowed(diag_t *d) {
    const char *call;
    int error = pages_forbid_code(&call);
    if (!error) return true;
    diag_error(
        d, NOWHERE,
        "this system does not let a process make memory executable (%s: %s), which the JIT needs",
        call, strerror(error));
    diag_hint(d, "take back end c, which needs a C compiler (cc, or what CC or --cc names), or "
                 "interpreter");
    return false;
}

/* Workers made them, under guards of their own. */
static void free_objects(jit_job_t *j) {
    for (int k = 0; k < j->units.n; k++) sbuf_free(&j->object[k]);
}

static void give_up(void *job, size_t bytes) {
    (void)bytes;
    free_objects(job);
}

jit_t *jit_open(const plan_t *p, const exec_options_t *o, reformer_variant_t *variants, diag_t *d) {
    if (!check_allowed(d)) return NULL;
    if (!llvm_ready(d)) return NULL;
    llvm_ensure_memory(pool_threads(o->pool), 0);
    jit_job_t j = {.plan = p, .o = o, .arena = arena_new()};
    double start = clock_now();
    llvm_units_make(p, j.arena, &j.units);
    if (o->time) fprintf(stderr, "%8.3f ms  %-20s\n", 1e3 * (clock_now() - start), "llvm IR");
    int n = j.units.n;
    j.path = ARENA_ARRAY(j.arena, const char *, n + 1);
    j.object = ARENA_ARRAY(j.arena, sbuf_t, n + 1);
    j.cached = ARENA_ARRAY(j.arena, bool, n + 1);
    j.seconds = ARENA_ARRAY(j.arena, double, n + 1);
    j.said = ARENA_ARRAY(j.arena, diag_t *, n + 1);
    j.end = ARENA_ARRAY(j.arena, guard_report_t, n + 1);
    guard_own(&j, 0, give_up);
    for (int k = 0; k < n; k++) j.said[k] = diag_new();
    bool ok = find_paths(&j, d);
    if (ok) make_all(&j);
    if (ok) trim(&j);
    if (ok) print_times(&j);
    jit_t *jit = ok && gather(&j, d) ? link_all(&j, variants, d) : NULL;
    guard_disown(&j);
    free_objects(&j);
    for (int k = 0; k < n; k++) diag_free(j.said[k]);
    arena_free(j.arena);
    return jit;
}
