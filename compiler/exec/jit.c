/* Just-in-time compilation of jit.h.
 *
 * Units (emit/llvm.h) are looked up in the compile cache by their bitcode and what LLVM adds to it;
 * those that are absent are compiled on the workers, each by one of them, and kept. A cache that
 * cannot be written costs time, nothing else. */
#include "exec/jit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/cache.h"
#include "exec/settle.h"
#include "support/clock.h"

typedef struct {
    const plan_t *plan;
    const exec_options_t *o;
    arena_t *arena;
    llvm_units_t units;
    const char **path; /* [n] of the entry; NULL: there is no cache */
    sbuf_t *object;    /* [n] */
    bool *cached;
    double *seconds;
    diag_t **said; /* [n] one for each: a diag_t belongs to one thread */
} job_t;

static void find_paths(job_t *j, diag_t *d) {
    const char *folder = j->o->no_cache ? NULL : cache_folder(j->arena, d);
    const char *key = llvm_compile_key(j->plan->targets[0]);
    for (int k = 0; folder && k < j->units.n; k++) {
        cache_key_t c = cache_key();
        cache_key_text(&c, key);
        cache_key_add(&c, j->units.unit[k].bitcode, j->units.unit[k].bytes);
        j->path[k] = cache_path(j->arena, folder, &c, ".o");
    }
}

static bool read_entry(job_t *j, int k) {
    size_t n;
    char *data = j->path[k] ? cache_read(j->path[k], &n) : NULL;
    if (data) sbuf_write(&j->object[k], data, n);
    free(data);
    return data != NULL;
}

static void keep_entry(const job_t *j, int k) {
    if (!j->path[k]) return;
    arena_t *a = arena_new(); /* an arena is for one thread */
    (void)cache_write(a, j->path[k], j->object[k].data, j->object[k].size);
    arena_free(a);
}

static void make_unit(void *arg, int64_t k, int worker) {
    job_t *j = arg;
    (void)worker;
    double start = clock_now();
    j->cached[k] = read_entry(j, (int)k);
    if (!j->cached[k] &&
        llvm_unit_compile(&j->units.unit[k], j->plan->targets[0], &j->object[k], j->said[k]))
        keep_entry(j, (int)k);
    j->seconds[k] = clock_now() - start;
}

static void make_all(job_t *j) {
    const reformer_pool_t *pool = pool_interface(j->o->pool);
    if (pool) pool->parallel_for(pool->ctx, j->units.n, pool_threads(j->o->pool), make_unit, j);
    else
        for (int k = 0; k < j->units.n; k++) make_unit(j, k, 0);
}

/* The messages of the units, in their order. */
static bool gather(const job_t *j, diag_t *d) {
    bool ok = true;
    for (int k = 0; k < j->units.n; k++)
        if (diag_errors(j->said[k]) > 0) {
            diag_append(d, j->said[k]);
            ok = false;
        }
    return ok;
}

static void print_times(const job_t *j) {
    for (int k = 0; j->o->time && k < j->units.n; k++)
        fprintf(stderr, "%8.3f ms  %-20s %s, %zu bytes of bitcode, %zu of object\n",
                1e3 * j->seconds[k], j->units.unit[k].name, j->cached[k] ? "cached" : "compiled",
                j->units.unit[k].bytes, j->object[k].size);
}

static bool find_schedules(const job_t *j, const jit_t *jit, reformer_variant_t *variants,
                           diag_t *d) {
    for (int k = 0; k < plan_parts(j->plan); k++) {
        variants[k].run = jit_schedule(jit, j->units.run[k], d);
        if (!variants[k].run) return false;
    }
    return true;
}

static jit_t *link_all(const job_t *j, reformer_variant_t *variants, diag_t *d) {
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
    int error = jit_forbidden(&call);
    if (!error) return true;
    diag_error(
        d, NOWHERE,
        "this system does not let a process make memory executable (%s: %s), which the JIT needs",
        call, strerror(error));
    diag_hint(d, "take back end c, which needs a C compiler (cc, or what CC or --cc names), or "
                 "interpreter");
    return false;
}

jit_t *jit_open(const plan_t *p, const exec_options_t *o, reformer_variant_t *variants, diag_t *d) {
    if (!check_allowed(d)) return NULL;
    job_t j = {.plan = p, .o = o, .arena = arena_new()};
    double start = clock_now();
    llvm_units_make(p, j.arena, &j.units);
    if (o->time) fprintf(stderr, "%8.3f ms  %-20s\n", 1e3 * (clock_now() - start), "llvm IR");
    int n = j.units.n;
    j.path = ARENA_ARRAY(j.arena, const char *, n + 1);
    j.object = ARENA_ARRAY(j.arena, sbuf_t, n + 1);
    j.cached = ARENA_ARRAY(j.arena, bool, n + 1);
    j.seconds = ARENA_ARRAY(j.arena, double, n + 1);
    j.said = ARENA_ARRAY(j.arena, diag_t *, n + 1);
    for (int k = 0; k < n; k++) j.said[k] = diag_new();
    find_paths(&j, d);
    make_all(&j);
    print_times(&j);
    jit_t *jit = gather(&j, d) ? link_all(&j, variants, d) : NULL;
    for (int k = 0; k < n; k++) {
        sbuf_free(&j.object[k]);
        diag_free(j.said[k]);
    }
    llvm_units_free(&j.units);
    arena_free(j.arena);
    return jit;
}
