/* Train steps behind one interface, as exec.c has it for forwards. The reference derives in double,
 * and rounds what it gives; it has no launches, and tells nobody of gradients before its end. */
#include "exec/exec_int.h"
#include "support/pages.h"

/* ---- reference ------------------------------------------------------------------------------- */

typedef struct {
    const plan_t *plan;
    const reformer_io_t *io;
    float *gradients;
} train_call_t;

static void keep_gradient(void *ctx, const gnode_t *n, const double *values, int64_t elements) {
    const train_call_t *s = ctx;
    int index;
    if (n->op != G_GRADIENT) return;
    const layout_entry_t *e = layout_find(s->plan->gradients, n->in[1]->name, &index);
    if (!e) bug("no place for the gradient of '%s'", n->in[1]->name);
    float *to = s->gradients + e->offset / (int64_t)sizeof *to + index * elements;
    for (int64_t i = 0; i < elements; i++) to[i] = (float)values[i];
}

static int walk_train(void *ctx, const graph_t *g, void *store, bool unpadded) {
    const train_call_t *s = ctx;
    graph_dropout_t dropout = {s->io->dropout_seed, s->io->dropout_step, s->io->dropout_row};
    return graph_evaluate_gradients(g, exec_param, store, s->io, &dropout, unpadded, keep_gradient,
                                    ctx);
}

static int derive_reference(const exec_t *e, const reformer_io_t *io, float *gradients,
                            void *workspace, size_t bytes, diag_t *d) {
    train_call_t s = {e->plan, io, gradients};
    (void)workspace, (void)bytes;
    const variant_plan_t *v = plan_train_fitting(e->plan, io->length);
    return exec_evaluate(e, v, io->length, walk_train, &s, d);
}

static size_t no_workspace(const exec_t *e, size_t length, int threads) {
    (void)e, (void)length, (void)threads;
    return 0;
}

/* ---- interpreter ----------------------------------------------------------------------------- */

static size_t interpreter_workspace(const exec_t *e, size_t length, int threads) {
    return reformer_prepare_gradients_bytes(&e->desc, e->desc.trains, e->plan->n_variants, length,
                                            threads);
}

static int derive_interpreted(const exec_t *e, const reformer_io_t *io, float *gradients,
                              void *workspace, size_t bytes, diag_t *d) {
    reformer_call_t call;
    const reformer_variant_t *v = NULL;
    int code =
        reformer_prepare_gradients(&e->desc, e->desc.trains, e->plan->n_variants, e->weights, io,
                                   gradients, exec_gradients_bytes(e), workspace, bytes, &call, &v);
    if (code) return code;
    const module_t *m = plan_module(e->plan, (int)(v - e->variants));
    return loops_interpret(m, &call, d) ? REFORMER_OK : EXEC_FAILED;
}

/* ---- c, jit ---------------------------------------------------------------------------------- */

static size_t code_workspace(const exec_t *e, size_t length, int threads) {
    return reformer_train_bytes(&e->desc, length, threads);
}

static int derive_code(const exec_t *e, const reformer_io_t *io, float *gradients, void *workspace,
                       size_t bytes, diag_t *d) {
    (void)d;
    return reformer_gradients(e->model.desc, &e->model, io, gradients, exec_gradients_bytes(e),
                              workspace, bytes);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static const struct {
    int (*derive)(const exec_t *e, const reformer_io_t *io, float *gradients, void *workspace,
                  size_t bytes, diag_t *d);
    size_t (*workspace)(const exec_t *e, size_t length, int threads);
} backends[] = {
    [BACKEND_JIT] = {derive_code, code_workspace},
    [BACKEND_C] = {derive_code, code_workspace},
    [BACKEND_REFERENCE] = {derive_reference, no_workspace},
    [BACKEND_INTERPRETER] = {derive_interpreted, interpreter_workspace},
};

size_t exec_gradients_bytes(const exec_t *e) {
    return e->plan->gradients ? (size_t)e->plan->gradients->data_end : 0;
}

int exec_gradient(const exec_t *e, size_t i, reformer_tensor_t *t) {
    return reformer_gradient(&e->desc, i, t);
}

float *exec_gradients_new(const exec_t *e, diag_t *d) {
    return exec_room(e, "gradients", exec_gradients_bytes(e), d);
}

size_t exec_train_bytes(const exec_t *e, size_t length, int threads) {
    return e->plan->trains ? backends[e->backend].workspace(e, length, threads) : 0;
}

int exec_run_gradients(const exec_t *e, const reformer_io_t *io, float *gradients, void *workspace,
                       size_t bytes, diag_t *d) {
    if (!e->plan->trains) return REFORMER_E_TRAIN;
    uint64_t host = reformer_enter();
    int code = backends[e->backend].derive(e, io, gradients, workspace, bytes, d);
    reformer_leave(host);
    return code;
}

/* A length or a number of threads that has no workspace is reported by the step itself. */
bool exec_gradients(exec_t *e, const reformer_io_t *io, float *gradients, diag_t *d) {
    if (!exec_make_room(e, exec_train_bytes(e, io->length, io->threads), d)) return false;
    int code = exec_run_gradients(e, io, gradients, e->workspace, e->workspace_bytes, d);
    return exec_went_well(code, d);
}
