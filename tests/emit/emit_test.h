/* What the tests of the back ends share: a plan made of hand-built modules, its C compiled by a real
 * compiler and loaded, or its LLVM units compiled and linked, and a run of both that code and the
 * interpreter on the same inputs. */
#ifndef REFORMERC_TESTS_EMIT_H
#define REFORMERC_TESTS_EMIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emit/llvm.h"
#include "support/file.h"
#include "weights/weights.h"

#define STRICT "-std=c11 -Wall -Wextra -Werror -Wconversion -Wpedantic"

typedef struct {
    arena_t *arena;
    diag_t *diag;
    spec_t spec;
    layout_t layout;
    plan_t plan;
    sbuf_t source, header;
    char folder[64];
    void *library;
    const reformer_desc_t *desc;
} bench_t;

static inline void bench_open(bench_t *b, const char *name) {
    *b = (bench_t){.arena = arena_new(), .diag = diag_new()};
    b->spec = (spec_t){.path = "some/test.yaml",
                       .hidden_size = 8,
                       .vocab_size = 16,
                       .num_labels = 2,
                       .num_attention_heads = 2,
                       .num_hashes = 1,
                       .architecture = ARCH_CAUSAL_LM};
    b->layout.data_end = REFORMER_WEIGHTS_HEADER;
    b->plan = (plan_t){.spec = &b->spec,
                       .facts = {.head = ARCH_CAUSAL_LM,
                                 .hidden = 8,
                                 .vocab = 16,
                                 .labels = 2,
                                 .heads = 2,
                                 .rounds = 1},
                       .arena = b->arena,
                       .batch = 1,
                       .layout = &b->layout,
                       .name = name};
    strcpy(b->folder, "/tmp/reformerc-emit-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
}

static inline void must(bench_t *b, bool ok) {
    if (ok) return;
    diag_print(b->diag, stderr);
    fail_msg("see the messages above");
}

/* One module per variant, all of one target; max_length k + 1. */
static inline void bench_modules(bench_t *b, module_t **m, int n) {
    plan_t *p = &b->plan;
    p->n_variants = n;
    p->variants = ARENA_ARRAY(b->arena, variant_plan_t, n);
    p->modules = arena_copy(b->arena, m, (size_t)n * sizeof *m);
    p->n_targets = 1;
    p->targets[0] = m[0]->target;
    for (int k = 0; k < n; k++) {
        p->variants[k] = (variant_plan_t){.max_length = k + 1, .padded = k + 1, .rows = {k + 1}};
        must(b, loops_verify(m[k], b->diag));
        pass_plan_memory(m[k]);
        must(b, loops_verify(m[k], b->diag));
    }
}

static inline module_t *bench_parse(bench_t *b, const char *text) {
    module_t *m = module_parse(b->arena, "test.rir", text, strlen(text), b->diag);
    must(b, m != NULL);
    return m;
}

static int emitted; /* plans so far */

static inline void bench_emit(bench_t *b) {
    emitted++;
    sbuf_free(&b->source);
    sbuf_free(&b->header);
    emit_c_options_t o = {.header_name = "model.h"};
    emit_c(&b->plan, &o, &b->source, &b->header);
    char path[128];
    snprintf(path, sizeof path, "%s/model.c", b->folder);
    must(b, file_write(path, b->source.data, b->source.size, b->diag));
    snprintf(path, sizeof path, "%s/model.h", b->folder);
    must(b, file_write(path, b->header.data, b->header.size, b->diag));
}

/* The runtime that the code is tested with: tasks one after the other, in descending order. */
static const char stub[] =
    "#include \"reformer_rt.h\"\n"
    "size_t reformer_workspace_bytes(const reformer_desc_t *d, size_t n, int t) { (void)d; (void)t; return n; }\n"
    "int reformer_bind(reformer_model_t *m, const reformer_desc_t *d, const void *w, size_t n) {\n"
    "    (void)w; (void)n; m->desc = d; return 0; }\n"
    "int reformer_explain(const reformer_desc_t *d, const void *w, size_t n, char *t, size_t r) {\n"
    "    (void)d; (void)w; (void)n; (void)t; (void)r; return 0; }\n"
    "int reformer_check_weights(const reformer_desc_t *d, const reformer_model_t *m) {\n"
    "    (void)d; (void)m; return 0; }\n"
    "int reformer_forward(const reformer_desc_t *d, const reformer_model_t *m, const reformer_io_t *i,\n"
    "                     void *w, size_t n) {\n"
    "    (void)d; (void)m; (void)i; (void)w; (void)n; return 0; }\n"
    "const char *reformer_strerror(int c) { (void)c; return \"\"; }\n"
    "const char *reformer_target(const reformer_model_t *m) { (void)m; return \"\"; }\n"
    "const char *reformer_translator(const reformer_desc_t *d) { (void)d; return \"\"; }\n"
    "void reformer_launch(const reformer_call_t *c, reformer_kernel_fn *k, int64_t n, const int64_t *a) {\n"
    "    for (int64_t i = n; i-- > 0;) k(c, c->scratch, a, i); }\n"
    "void reformer_trace(const reformer_call_t *c, const char *n, int64_t l, const void *d, int t,\n"
    "                    const int64_t *s, int r) {\n"
    "    if (c->trace) c->trace(c->trace_ctx, n, d, t, s, r); (void)l; }\n"
    "void reformer_ready(const reformer_call_t *c, int64_t first, int64_t n) {\n"
    "    if (c->ready) c->ready(c->ready_ctx, (size_t)first, (size_t)n); }\n";

static inline bool have(const char *program) {
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

static inline int shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline int shell(const char *fmt, ...) {
    sbuf_t s = {0};
    va_list ap;
    va_start(ap, fmt);
    sbuf_vprintf(&s, fmt, ap);
    va_end(ap);
    int status = system(s.data);
    sbuf_free(&s);
    return status;
}

/* Every library gets a name of its own: dlopen() knows files by name. */
static inline void bench_load(bench_t *b, const char *cc, const char *flags) {
    static int number;
    char path[160];
    if (b->library) dlclose(b->library);
    snprintf(path, sizeof path, "%s/stub.c", b->folder);
    must(b, file_write(path, stub, sizeof stub - 1, b->diag));
    snprintf(path, sizeof path, "%s/model%d.so", b->folder, number++);
    if (shell("%s %s -fPIC -I\"%s/runtime\" -c %s/model.c -o %s.o && "
              "%s -shared -fPIC -I\"%s/runtime\" %s.o %s/stub.c -o %s",
              cc, flags, SOURCE_DIR, b->folder, path, cc, SOURCE_DIR, path, b->folder, path))
        fail_msg("%s %s failed in %s", cc, flags, b->folder);
    b->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!b->library) fail_msg("%s", dlerror());
    char name[128];
    snprintf(name, sizeof name, "%s_bind", b->plan.name);
    int (*bind)(reformer_model_t * m, const void *w, size_t n);
    void *s = dlsym(b->library, name);
    assert_non_null(s);
    memcpy(&bind, &s, sizeof bind);
    reformer_model_t m = {0};
    assert_int_equal(bind(&m, NULL, 0), 0);
    b->desc = m.desc;
}

static inline void bench_close(bench_t *b) {
    if (b->library) dlclose(b->library);
    shell("rm -r %s", b->folder);
    sbuf_free(&b->source);
    sbuf_free(&b->header);
    diag_free(b->diag);
    arena_free(b->arena);
}

/* ---- running -------------------------------------------------------------------------------------- */

enum { SLOT_BYTES = 1 << 16 };

/* Memory of a run: inputs alike for both sides, outputs zero. It has room for every slot there may be, and is the system's,
 * so that what a module does not use costs nothing. */
typedef struct {
    reformer_call_t call;
    unsigned char *memory;
    size_t bytes;
} run_t;

static inline run_t run_open(const module_t *m, int64_t units, const unsigned char *const *inputs) {
    size_t workspace = (size_t)dim_at(m->workspace_bytes, units) + 64;
    size_t scratch = (size_t)dim_at(m->scratch_bytes, units) + 64, weights = 1 << 16;
    size_t all = workspace + scratch + weights + REFORMER_SLOTS * SLOT_BYTES;
    void *zeros = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(zeros, MAP_FAILED);
    run_t r = {.memory = zeros, .bytes = all};
    unsigned char *at = r.memory;
    for (int k = 0; k < REFORMER_SLOTS; k++, at += SLOT_BYTES) {
        r.call.slot[k] = at;
        if (inputs && inputs[k]) memcpy(at, inputs[k], SLOT_BYTES);
    }
    r.call.weights = at;
    r.call.workspace = at + weights;
    r.call.scratch = at + weights + (workspace + 63) / 64 * 64;
    r.call.threads = 1;
    r.call.units = units;
    return r;
}

static inline void run_close(run_t *r) {
    munmap(r->memory, r->bytes);
}

/* Bits, but any NaN equals any other: which payload survives an addition is the compiler's choice. */
static inline bool same_element(elem_t e, const void *x, const void *y, size_t k) {
    if (e == E_F32) {
        float a = ((const float *)x)[k], b = ((const float *)y)[k];
        return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
    }
    if (e == E_F64) {
        double a = ((const double *)x)[k], b = ((const double *)y)[k];
        return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
    }
    size_t n = (size_t)elem_bytes(e);
    return memcmp((const char *)x + k * n, (const char *)y + k * n, n) == 0;
}

static inline void same_outputs(const module_t *m, int64_t units, const run_t *want,
                                const run_t *got, const char *what) {
    int compared = 0;
    for (size_t i = 0; i < m->n_buffers; i++) {
        const buffer_t *b = m->buffers[i];
        if (b->kind != BUF_OUTPUT) continue;
        size_t n = (size_t)dim_at(buffer_bytes(b), units) / (size_t)elem_bytes(b->elem);
        size_t from = (size_t)dim_at(b->offset, units);
        assert_true(from + n * (size_t)elem_bytes(b->elem) <= SLOT_BYTES);
        const void *x = (const char *)want->call.slot[b->slot] + from;
        const void *y = (const char *)got->call.slot[b->slot] + from;
        for (size_t k = 0; k < n; k++, compared++)
            if (!same_element(b->elem, x, y, k))
                fail_msg("%s: %s[%zu] differs from the interpreter's", what, b->name, k);
    }
    assert_true(compared > 0);
}

/* Variant `k` of the code against the interpreter. */
static inline void bench_compare(bench_t *b, int k, schedule_fn *run, int64_t units,
                                 const unsigned char *const *inputs, const char *what) {
    const module_t *m = plan_module(&b->plan, k);
    run_t want = run_open(m, units, inputs), got = run_open(m, units, inputs);
    must(b, loops_interpret(m, &want.call, b->diag));
    run(&got.call);
    same_outputs(m, units, &want, &got, what);
    run_close(&want);
    run_close(&got);
}

/* ---- compilers ------------------------------------------------------------------------------------- */

static const struct {
    const char *cc, *flags;
} builds[] = {
    {"gcc", "-O0 " STRICT},
    {"gcc", "-O2 " STRICT},
    {"gcc", "-O3 -march=native -std=gnu11 -Wall -Wextra -Werror -Wconversion"},
    {"clang", "-O0 " STRICT},
    {"clang", "-O2 " STRICT},
    {"clang", "-O3 -march=native -std=gnu11 -Wall -Wextra -Werror -Wconversion"},
};
enum { N_BUILDS = sizeof builds / sizeof *builds };

/* What a program is told: `long`. Else -O2 is left to golden_*_one and products, since it lies between the two others, and of
 * those each plan has one of each compiler, in turn: gcc's -O3 and clang's -O0, or the other way round. */
static bool every_build;

enum { MAX_UNITS = 256 };

/* The same modules through LLVM, linked into this process. */
typedef const unsigned char *slots_t[REFORMER_SLOTS];
static inline void bench_compare_jit(bench_t *b, int64_t units, const slots_t *inputs) {
    const target_t *t = b->plan.targets[0];
    if (b->plan.n_targets != 1 || !reformer_cpu_supports((int)t->id)) return;
    llvm_units_t u;
    sbuf_t object[MAX_UNITS] = {{0}};
    llvm_units_make(&b->plan, b->arena, &u);
    assert_in_range(u.n, 1, MAX_UNITS);
    for (int k = 0; k < u.n; k++) must(b, llvm_unit_compile(&u.unit[k], t, &object[k], b->diag));
    jit_t *jit = jit_link(object, u.n, false, b->diag);
    must(b, jit != NULL);
    for (int v = 0; v < plan_count(&b->plan); v++) {
        char what[64];
        snprintf(what, sizeof what, "jit, variant %d", v);
        schedule_fn *run = jit_schedule(jit, u.run[v], b->diag);
        must(b, run != NULL);
        bench_compare(b, v, run, units, inputs ? inputs[v % b->plan.n_variants] : NULL, what);
    }
    for (int k = 0; k < u.n; k++) sbuf_free(&object[k]);
    jit_free(jit);
}

/* Warnings of code that this CPU does not run: one build of each compiler tells them. */
static inline bool is_worth_building(const bench_t *b, int k) {
    bool between = strcmp(builds[k].flags, "-O2 " STRICT) == 0;
    bool optimises = strncmp(builds[k].flags, "-O3", 3) == 0,
         gcc = strcmp(builds[k].cc, "gcc") == 0;
    for (int i = 0; i < b->plan.n_targets; i++)
        if (reformer_cpu_supports((int)b->plan.targets[i]->id))
            return every_build || (!between && optimises == (gcc == (emitted % 2 == 1)));
    return between;
}

/* The emitted modules on every build of every compiler that there is; at least one; with each of these units. Variants
 * take their inputs in turn from `inputs`, which has one set of slots for each variant of the plan. */
static inline void bench_compare_units(bench_t *b, const int64_t *units, int n,
                                       const slots_t *inputs) {
    int built = 0;
    bench_emit(b);
    for (int k = 0; k < N_BUILDS; k++) {
        if (!is_worth_building(b, k) || !have(builds[k].cc)) continue;
        bench_load(b, builds[k].cc, builds[k].flags);
        built++;
        for (int v = 0; v < b->desc->n_variants; v++) {
            if (!reformer_cpu_supports(b->desc->variants[v].target)) continue;
            char what[200];
            snprintf(what, sizeof what, "%s %s, variant %d", builds[k].cc, builds[k].flags, v);
            for (int i = 0; i < n; i++)
                bench_compare(b, v, b->desc->variants[v].run, units[i],
                              inputs ? inputs[v % b->plan.n_variants] : NULL, what);
        }
    }
    assert_true(built > 0);
    for (int i = 0; i < n && llvm_version(); i++) bench_compare_jit(b, units[i], inputs);
}

static inline void bench_compare_all(bench_t *b, int64_t units, const slots_t *inputs) {
    bench_compare_units(b, &units, 1, inputs);
}

#endif
