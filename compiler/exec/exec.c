/* The executors of exec.h behind one interface: a table with a row per back end. */
#include "exec/exec.h"

#include <stdlib.h>
#include <string.h>

#include "exec/cc.h"
#include "exec/jit.h"
#include "graph/evaluate.h"

enum { ALIGNMENT = 64 };

struct exec {
    backend_t backend;
    plan_t *plan;
    const store_t *store;
    arena_t *arena;
    unsigned char *weights; /* packed */
    size_t bytes;
    reformer_desc_t desc; /* interpreter, jit: with its variants */
    reformer_variant_t *variants;
    compiled_t code;
    jit_t *jit;
    reformer_model_t model; /* c, jit */
    unsigned char *workspace;
    size_t workspace_bytes;
};

static bool fail(diag_t *d, int code) {
    if (code != REFORMER_OK) diag_error(d, NOWHERE, "%s", reformer_strerror(code));
    return code == REFORMER_OK;
}

/* ---- reference ---------------------------------------------------------------------------------------- */

static bool open_reference(exec_t *e, const exec_options_t *o, diag_t *d) {
    (void)e, (void)o, (void)d;
    return true;
}

static const float *param_of(void *ctx, const char *name) {
    const tensor_t *t = store_find(ctx, name);
    if (!t) bug("no tensor '%s' in the store", name);
    return t->data;
}

static const variant_plan_t *fitting(const plan_t *p, size_t length) {
    for (int k = 0; k < p->n_variants; k++)
        if (length <= (uint64_t)p->variants[k].max_length) return &p->variants[k];
    return NULL;
}

/* Variants that stand for any length are evaluated on the graph of exactly this length. */
static const graph_t *graph_for(const exec_t *e, const variant_plan_t *v, size_t length, arena_t *a,
                                diag_t *d) {
    if (!v->unpadded) return v->graph;
    const spec_t *s = e->plan->spec;
    graph_options_t o = {.batch = e->plan->batch,
                         .length = (int64_t)length,
                         .bucket_length = spec_padded_length(s, e->plan->longest)};
    return graph_build(a, s, &o, d);
}

static bool forward_reference(exec_t *e, const reformer_io_t *io, diag_t *d) {
    const variant_plan_t *v = io->length ? fitting(e->plan, io->length) : NULL;
    if (!v) return fail(d, REFORMER_E_LENGTH);
    arena_t *a = arena_new();
    const graph_t *g = graph_for(e, v, io->length, a, d);
    bool ok = g && fail(d, graph_evaluate(g, param_of, (void *)e->store, io, v->unpadded));
    arena_free(a);
    return ok;
}

static size_t no_workspace(const exec_t *e, size_t length, int threads) {
    (void)e, (void)length, (void)threads;
    return 0;
}

/* ---- interpreter --------------------------------------------------------------------------------------- */

static bool open_packed(exec_t *e, const exec_options_t *o, diag_t *d) {
    if (!e->plan->modules && !plan_lower(e->plan, &o->passes, d)) return false;
    e->weights = weights_pack(e->plan->layout, e->store, &e->bytes, d);
    return e->weights != NULL;
}

static void describe(exec_t *e) {
    e->variants = ARENA_ARRAY(e->arena, reformer_variant_t, plan_count(e->plan));
    plan_describe(e->plan, &e->desc, e->variants);
}

static bool open_interpreter(exec_t *e, const exec_options_t *o, diag_t *d) {
    if (!open_packed(e, o, d)) return false;
    describe(e);
    return true;
}

static size_t interpreter_workspace(const exec_t *e, size_t length, int threads) {
    return reformer_prepare_bytes(&e->desc, e->variants, e->plan->n_variants, length, threads);
}

static bool forward_interpreter(exec_t *e, const reformer_io_t *io, diag_t *d) {
    reformer_call_t call;
    const reformer_variant_t *v = NULL;
    int code = reformer_prepare(&e->desc, e->variants, e->plan->n_variants, e->weights, io,
                                e->workspace, &call, &v);
    if (code) return fail(d, code);
    return loops_interpret(plan_module(e->plan, (int)(v - e->variants)), &call, d);
}

/* ---- c -------------------------------------------------------------------------------------------------- */

static bool open_c(exec_t *e, const exec_options_t *o, diag_t *d) {
    if (!open_packed(e, o, d) || !cc_load(e->plan, o->cc, &e->code, d)) return false;
    return fail(d, e->code.bind(&e->model, e->weights, e->bytes));
}

static size_t bound_workspace(const exec_t *e, size_t length, int threads) {
    return reformer_workspace_bytes(e->model.desc, length, threads);
}

static bool forward_bound(exec_t *e, const reformer_io_t *io, diag_t *d) {
    return fail(d, reformer_forward(&e->model, io, e->workspace));
}

/* ---- jit ------------------------------------------------------------------------------------------------ */

static bool open_jit(exec_t *e, const exec_options_t *o, diag_t *d) {
    if (!e->plan->modules && !plan_lower(e->plan, &o->passes, d)) return false;
    describe(e);
    e->jit = jit_open(e->plan, o, e->variants, d);
    if (!e->jit || !open_packed(e, o, d)) return false;
    return fail(d, reformer_bind(&e->model, &e->desc, e->weights, e->bytes));
}

/* ---- all of them ---------------------------------------------------------------------------------------- */

static const struct {
    bool (*open)(exec_t *e, const exec_options_t *o, diag_t *d);
    bool (*forward)(exec_t *e, const reformer_io_t *io, diag_t *d);
    size_t (*workspace)(const exec_t *e, size_t length, int threads);
} backends[] = {
    [BACKEND_JIT] = {open_jit, forward_bound, bound_workspace},
    [BACKEND_C] = {open_c, forward_bound, bound_workspace},
    [BACKEND_REFERENCE] = {open_reference, forward_reference, no_workspace},
    [BACKEND_INTERPRETER] = {open_interpreter, forward_interpreter, interpreter_workspace},
};

const char *const backend_names[BACKEND_COUNT] = {[BACKEND_JIT] = "jit",
                                                  [BACKEND_C] = "c",
                                                  [BACKEND_REFERENCE] = "reference",
                                                  [BACKEND_INTERPRETER] = "interpreter"};

bool backend_is_built_in(backend_t b) {
    return b != BACKEND_JIT || llvm_version();
}

backend_t backend_default(void) {
    return backend_is_built_in(BACKEND_JIT) ? BACKEND_JIT : BACKEND_C;
}

exec_t *exec_open(plan_t *p, const store_t *weights, const exec_options_t *o, diag_t *d) {
    exec_t *e = calloc(1, sizeof *e);
    if (!e) bug("out of memory");
    e->backend = o->backend;
    e->plan = p;
    e->store = weights;
    e->arena = arena_new();
    if (backends[o->backend].open(e, o, d)) return e;
    exec_close(e);
    return NULL;
}

size_t exec_workspace_bytes(const exec_t *e, size_t length, int threads) {
    return backends[e->backend].workspace(e, length, threads);
}

static bool make_room(exec_t *e, size_t bytes, diag_t *d) {
    if (bytes <= e->workspace_bytes) return true;
    free(e->workspace);
    e->workspace_bytes = 0;
    size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    e->workspace = aligned_alloc(ALIGNMENT, rounded);
    if (e->workspace) e->workspace_bytes = rounded;
    else diag_error(d, NOWHERE, "no memory for a workspace of %zu bytes", bytes);
    return e->workspace != NULL;
}

/* A length or a number of threads that has no workspace is reported by the forward itself. */
bool exec_forward(exec_t *e, const reformer_io_t *io, diag_t *d) {
    size_t bytes = exec_workspace_bytes(e, io->length, io->threads);
    if (!make_room(e, bytes ? bytes : ALIGNMENT, d)) return false;
    return backends[e->backend].forward(e, io, d);
}

void exec_close(exec_t *e) {
    if (!e) return;
    cc_unload(&e->code);
    jit_free(e->jit);
    free(e->weights);
    free(e->workspace);
    arena_free(e->arena);
    free(e);
}
