/* The executors of exec.h behind one interface: a table with a row per back end. */
#include <string.h>

#include "emit/llvm.h" /* LLVM_MISSING */
#include "exec/exec_int.h"
#include "graph/evaluate.h"
#include "support/guard.h"
#include "support/heap.h"
#include "support/pages.h"

bool exec_went_well(int code, diag_t *d) {
    if (code > REFORMER_OK) diag_error(d, NOWHERE, "%s", reformer_strerror(code));
    return code == REFORMER_OK;
}

/* ---- reference ------------------------------------------------------------------------------- */

static bool open_reference(exec_t *e, const exec_options_t *o, diag_t *d) {
    (void)o, (void)d;
    if (e->plan->trains) plan_describe_gradients(e->plan, &e->desc);
    return true;
}

static bool bind_reference(exec_t *e, const store_t *weights, diag_t *d) {
    (void)d;
    e->store = weights;
    return true;
}

const float *exec_param(void *ctx, const char *name) {
    const tensor_t *t = store_find(ctx, name);
    if (!t) bug("no tensor '%s' in the store", name);
    return t->data;
}

const graph_t *exec_graph(const exec_t *e, const variant_plan_t *v, size_t length, arena_t *a,
                          diag_t *d) {
    (void)e;
    if (!v->unpadded) return v->graph;
    int64_t padded = graph_padded_length(v->graph, (int64_t)length);
    graph_size_t size = {v->graph->batch, dim((int64_t)length), dim(padded), {0, 0}};
    return graph_resize(a, v->graph, &size, d);
}

static void no_memory(const exec_t *e, const char *what, double bytes, diag_t *d) {
    const spec_t *s = e->plan->spec;
    bool given = s->given[KEY_compile_sequence_length];
    diag_no_memory(d, s->at[given ? KEY_compile_sequence_length : KEY_max_position_embeddings],
                   "not enough memory for %s of %.2f GiB", what, bytes / (1 << 30));
}

void *exec_room(const exec_t *e, const char *what, size_t bytes, diag_t *d) {
    void *room = pages_alloc(bytes);
    if (!room) no_memory(e, what, (double)bytes, d);
    return room;
}

int exec_evaluate(const exec_t *e, const variant_plan_t *v, size_t length, exec_walk_fn *walk,
                  void *ctx, diag_t *d) {
    if (!v) return REFORMER_E_LENGTH;
    arena_t *a = arena_new();
    const graph_t *g = exec_graph(e, v, length, a, d);
    int code = EXEC_FAILED;
    if (g && graph_evaluate_bytes(g) > (double)memory_limit()) {
        no_memory(e, "a workspace", graph_evaluate_bytes(g), d);
        g = NULL;
    }
    if (g) code = walk(ctx, g, (void *)(uintptr_t)e->store, v->unpadded);
    arena_free(a);
    return code;
}

static int walk_forward(void *ctx, const graph_t *g, void *store, bool unpadded) {
    return graph_evaluate(g, exec_param, store, ctx, unpadded);
}

static int forward_reference(const exec_t *e, const reformer_io_t *io, void *workspace,
                             size_t bytes, diag_t *d) {
    (void)workspace, (void)bytes;
    const variant_plan_t *v = plan_fitting(e->plan, io->length);
    return exec_evaluate(e, v, io->length, walk_forward, (void *)(uintptr_t)io, d);
}

typedef struct {
    const reformer_io_t *io;
    bool drops;
    graph_margin_fn *of;
    void *ctx;
} margins_call_t;

static int walk_margins(void *ctx, const graph_t *g, void *store, bool unpadded) {
    const margins_call_t *m = ctx;
    graph_dropout_t dropout = {m->io->dropout_seed, m->io->dropout_step, m->io->dropout_row};
    (void)unpadded;
    return graph_hash_margins(g, exec_param, store, m->io, m->drops ? &dropout : NULL, m->of,
                              m->ctx);
}

bool exec_hash_margins(const exec_t *e, const reformer_io_t *io, graph_margin_fn *margin, void *ctx,
                       diag_t *d) {
    if (e->backend != BACKEND_REFERENCE) bug("margins of a %s", backend_names[e->backend]);
    const variant_plan_t *v = plan_fitting(e->plan, io->length);
    margins_call_t m = {io, e->plan->trains == e->plan->variants, margin, ctx};
    return exec_went_well(exec_evaluate(e, v, io->length, walk_margins, &m, d), d);
}

typedef struct {
    const reformer_io_t *io;
    graph_lead_fn *lead;
    graph_margin_fn *margin;
    void *ctx;
} led_call_t;

static int walk_led(void *ctx, const graph_t *g, void *store, bool unpadded) {
    const led_call_t *x = ctx;
    return graph_evaluate_led(g, exec_param, store, x->io, unpadded, x->lead, x->margin, x->ctx);
}

bool exec_lead(const exec_t *e, const reformer_io_t *io, graph_lead_fn *lead,
               graph_margin_fn *margin, void *ctx, diag_t *d) {
    if (e->backend != BACKEND_REFERENCE) bug("a %s is led", backend_names[e->backend]);
    const variant_plan_t *v = plan_fitting(e->plan, io->length);
    led_call_t x = {io, lead, margin, ctx};
    return exec_went_well(exec_evaluate(e, v, io->length, walk_led, &x, d), d);
}

static size_t no_workspace(const exec_t *e, size_t length, int threads) {
    (void)e, (void)length, (void)threads;
    return 0;
}

/* ---- what runs loops ------------------------------------------------------------------------- */

/* Code that could run at no length is not worth compiling. */
static bool shortest_fits(const exec_t *e, diag_t *d) {
    size_t bytes = exec_workspace_bytes(e, (size_t)e->plan->variants[0].max_length, 1);
    if (bytes <= memory_limit()) return true;
    no_memory(e, "a workspace", (double)bytes, d);
    return false;
}

static bool open_lowered(exec_t *e, const exec_options_t *o, diag_t *d) {
    if (!e->plan->modules && !plan_lower(e->plan, &o->passes, d)) return false;
    e->variants = ARENA_ARRAY(e->arena, reformer_variant_t, plan_parts(e->plan));
    plan_describe(e->plan, &e->desc, e->variants);
    return shortest_fits(e, d);
}

/* From here on these are the weights. */
static void keep_weights(exec_t *e, unsigned char *packed) {
    heap_free(e->weights);
    guard_disown(packed); /* the executor may be older than the call */
    e->weights = packed;
}

/* ---- interpreter ----------------------------------------------------------------------------- */

static bool bind_interpreter(exec_t *e, const store_t *weights, diag_t *d) {
    size_t bytes;
    unsigned char *packed = weights_pack(e->plan->layout, weights, &bytes, d);
    if (packed) keep_weights(e, packed);
    return packed != NULL;
}

static size_t interpreter_workspace(const exec_t *e, size_t length, int threads) {
    return reformer_prepare_bytes(&e->desc, e->variants, e->plan->n_variants, length, threads);
}

static int forward_interpreter(const exec_t *e, const reformer_io_t *io, void *workspace,
                               size_t bytes, diag_t *d) {
    reformer_call_t call;
    const reformer_variant_t *v = NULL;
    int code = reformer_prepare(&e->desc, e->variants, e->plan->n_variants, e->weights, io,
                                workspace, bytes, &call, &v);
    if (code) return code;
    const module_t *m = plan_module(e->plan, (int)(v - e->variants));
    return loops_interpret(m, &call, d) ? REFORMER_OK : EXEC_FAILED;
}

/* ---- c, jit ---------------------------------------------------------------------------------- */

static bool open_c(exec_t *e, const exec_options_t *o, diag_t *d) {
    return open_lowered(e, o, d) && cc_load(e->plan, o->cc, o->no_cache, &e->code, d);
}

static bool open_jit(exec_t *e, const exec_options_t *o, diag_t *d) {
    if (!open_lowered(e, o, d)) return false;
    e->jit = jit_open(e->plan, o, e->variants, d);
    return e->jit != NULL;
}

static bool bind_code(exec_t *e, const store_t *weights, diag_t *d) {
    size_t bytes;
    reformer_model_t bound;
    unsigned char *packed = weights_pack(e->plan->layout, weights, &bytes, d);
    if (!packed) return false;
    int code = e->jit ? reformer_bind(&bound, &e->desc, packed, bytes)
                      : e->code.bind(&bound, packed, bytes);
    if (!exec_went_well(code, d)) {
        heap_free(packed);
        return false;
    }
    e->model = bound;
    keep_weights(e, packed);
    return true;
}

static size_t code_workspace(const exec_t *e, size_t length, int threads) {
    return reformer_workspace_bytes(&e->desc, length, threads);
}

static int forward_code(const exec_t *e, const reformer_io_t *io, void *workspace, size_t bytes,
                        diag_t *d) {
    (void)d;
    return reformer_forward(e->model.desc, &e->model, io, workspace, bytes);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static const struct {
    bool (*open)(exec_t *e, const exec_options_t *o, diag_t *d);
    bool (*bind)(exec_t *e, const store_t *weights, diag_t *d);
    int (*forward)(const exec_t *e, const reformer_io_t *io, void *workspace, size_t bytes,
                   diag_t *d);
    size_t (*workspace)(const exec_t *e, size_t length, int threads);
} backends[] = {
    [BACKEND_JIT] = {open_jit, bind_code, forward_code, code_workspace},
    [BACKEND_C] = {open_c, bind_code, forward_code, code_workspace},
    [BACKEND_REFERENCE] = {open_reference, bind_reference, forward_reference, no_workspace},
    [BACKEND_INTERPRETER] = {open_lowered, bind_interpreter, forward_interpreter,
                             interpreter_workspace},
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

bool backend_parse(const char *name, const char *where, backend_t *b, diag_t *d) {
    int found = 0;
    while (found < BACKEND_COUNT && strcmp(name, backend_names[found]) != 0) found++;
    if (found < BACKEND_COUNT && backend_is_built_in((backend_t)found)) {
        *b = (backend_t)found;
        return true;
    }
    if (found < BACKEND_COUNT) {
        diag_error(d, IN_FILE(where), "%s is not built in: this build has no LLVM", name);
        diag_hint(d, "%s, or take '%s'", LLVM_MISSING, backend_names[BACKEND_C]);
        return false;
    }
    diag_error(d, IN_FILE(where), "'%s' is not one of jit, c, reference, interpreter", name);
    const char *near = did_you_mean(name, backend_names, BACKEND_COUNT);
    if (near) diag_hint(d, "did you mean '%s'?", near);
    return false;
}

bool exec_bind(exec_t *e, const store_t *weights, diag_t *d) {
    return backends[e->backend].bind(e, weights, d);
}

void exec_unbind(exec_t *e) {
    heap_free(e->weights);
    e->weights = NULL;
    e->store = NULL;
    e->model = (reformer_model_t){0};
}

bool exec_bound(const exec_t *e) {
    return e->store || e->weights;
}

exec_t *exec_open(plan_t *p, const store_t *weights, const exec_options_t *o, diag_t *d) {
    exec_t *e = heap_new(1, sizeof *e);
    e->backend = o->backend;
    e->plan = p;
    e->arena = arena_new();
    if (backends[o->backend].open(e, o, d) && (!weights || exec_bind(e, weights, d))) return e;
    exec_close(e);
    return NULL;
}

size_t exec_workspace_bytes(const exec_t *e, size_t length, int threads) {
    return backends[e->backend].workspace(e, length, threads);
}

bool exec_make_room(exec_t *e, size_t bytes, diag_t *d) {
    if (bytes == 0) bytes = 1;
    if (bytes <= e->workspace_bytes) return true;
    heap_free(e->workspace);
    e->workspace_bytes = 0;
    e->workspace = exec_room(e, "a workspace", bytes, d);
    if (e->workspace) e->workspace_bytes = bytes;
    return e->workspace != NULL;
}

int exec_run(const exec_t *e, const reformer_io_t *io, void *workspace, size_t bytes, diag_t *d) {
    if (e->plan->trains == e->plan->variants) bug("a forward of train steps");
    uint64_t host = reformer_enter();
    int code = backends[e->backend].forward(e, io, workspace, bytes, d);
    reformer_leave(host);
    return code;
}

/* A length or a number of threads that has no workspace is reported by the forward itself. */
bool exec_forward(exec_t *e, const reformer_io_t *io, diag_t *d) {
    if (!exec_make_room(e, exec_workspace_bytes(e, io->length, io->threads), d)) return false;
    return exec_went_well(exec_run(e, io, e->workspace, e->workspace_bytes, d), d);
}

void exec_close(exec_t *e) {
    if (!e) return;
    cc_unload(&e->code);
    jit_free(e->jit);
    heap_free(e->weights);
    heap_free(e->workspace);
    arena_free(e->arena);
    heap_free(e);
}
