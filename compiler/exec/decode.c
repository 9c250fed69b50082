/* Generation behind one interface, as exec.c has it for forwards: a cache, and the memory that
 * prefills and steps work in. Code and interpreter run the runtime's engine over their schedules;
 * the reference has a cache of its own. */
#include "exec/exec_int.h"
#include "support/heap.h"
#include "support/pages.h"

static reformer_engine_t
engine_of(const exec_t *e, int (*run)(void *, const reformer_variant_t *, const reformer_call_t *),
          void *ctx) {
    return (reformer_engine_t){.size = sizeof(reformer_engine_t),
                               .desc = &e->desc,
                               .prefills = e->desc.prefills,
                               .step = e->desc.steps,
                               .n_prefills = e->plan->n_variants,
                               .weights = e->weights,
                               .run = run,
                               .ctx = ctx};
}

/* Memory of the runtime's engine, whatever runs its schedules. The description is the executor's
 * own: of the C back end it is the one that its code has, but for the schedules. */
static bool engine_cache_new(exec_cache_t *c, size_t length, size_t prompt, int threads,
                             diag_t *d) {
    const exec_t *e = c->e;
    size_t bytes = reformer_cache_bytes(&e->desc, length);
    reformer_engine_t engine = engine_of(e, NULL, NULL);
    size_t room = reformer_engine_bytes(&engine, prompt, threads);
    if (!bytes || !room) {
        diag_error(d, NOWHERE, "%s",
                   reformer_strerror(e->desc.steps ? REFORMER_E_LENGTH : REFORMER_E_DECODE));
        return false;
    }
    c->memory = exec_room(e, "a cache", bytes, d);
    c->workspace = c->memory ? exec_room(e, "a workspace", room, d) : NULL;
    c->workspace_bytes = room;
    return c->workspace && reformer_cache_init(&e->desc, c->memory, bytes, length) == REFORMER_OK;
}

/* ---- interpreter ----------------------------------------------------------------------------- */

typedef struct {
    const exec_t *e;
    diag_t *d;
} interpreter_t;

static int interpret(void *ctx, const reformer_variant_t *v, const reformer_call_t *call) {
    const interpreter_t *i = ctx;
    const module_t *m = plan_module(i->e->plan, (int)(v - i->e->variants));
    return loops_interpret(m, call, i->d) ? REFORMER_OK : EXEC_FAILED;
}

static int interpreted_prefill(exec_cache_t *c, const reformer_decode_t *io, diag_t *d) {
    interpreter_t i = {c->e, d};
    reformer_engine_t engine = engine_of(c->e, interpret, &i);
    return reformer_engine_prefill(&engine, io, c->memory, c->workspace, c->workspace_bytes);
}

static int interpreted_step(exec_cache_t *c, const reformer_decode_t *io, diag_t *d) {
    interpreter_t i = {c->e, d};
    reformer_engine_t engine = engine_of(c->e, interpret, &i);
    return reformer_engine_step(&engine, io, c->memory, c->workspace, c->workspace_bytes);
}

/* ---- c, jit ---------------------------------------------------------------------------------- */

static int code_prefill(exec_cache_t *c, const reformer_decode_t *io, diag_t *d) {
    (void)d;
    const reformer_model_t *m = &c->e->model;
    return reformer_prefill(m->desc, m, io, c->memory, c->workspace, c->workspace_bytes);
}

static int code_step(exec_cache_t *c, const reformer_decode_t *io, diag_t *d) {
    (void)d;
    const reformer_model_t *m = &c->e->model;
    return reformer_step(m->desc, m, io, c->memory, c->workspace, c->workspace_bytes);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static const struct {
    int (*prefill)(exec_cache_t *c, const reformer_decode_t *io, diag_t *d);
    int (*step)(exec_cache_t *c, const reformer_decode_t *io, diag_t *d);
} backends[] = {
    [BACKEND_JIT] = {code_prefill, code_step},
    [BACKEND_C] = {code_prefill, code_step},
    [BACKEND_REFERENCE] = {reference_prefill, reference_step},
    [BACKEND_INTERPRETER] = {interpreted_prefill, interpreted_step},
};

exec_cache_t *exec_cache_new(const exec_t *e, size_t length, size_t prompt, int threads,
                             diag_t *d) {
    exec_cache_t *c = heap_new(1, sizeof *c);
    c->e = e;
    bool ok = e->backend == BACKEND_REFERENCE ? reference_cache_new(c, length, d)
                                              : engine_cache_new(c, length, prompt, threads, d);
    if (ok) return c;
    exec_cache_free(c);
    return NULL;
}

void exec_cache_free(exec_cache_t *c) {
    if (!c) return;
    if (c->reference) reference_cache_free(c);
    heap_free(c->memory);
    heap_free(c->workspace);
    heap_free(c);
}

int exec_prefill(exec_cache_t *c, const reformer_decode_t *io, diag_t *d) {
    return backends[c->e->backend].prefill(c, io, d);
}

int exec_step(exec_cache_t *c, const reformer_decode_t *io, diag_t *d) {
    return backends[c->e->backend].step(c, io, d);
}

int exec_cache_copy_row(exec_cache_t *c, size_t from, size_t to) {
    if (c->reference) return reference_copy_row(c, from, to);
    return reformer_cache_copy_row(&c->e->desc, c->memory, from, to);
}

size_t exec_cache_tokens(const exec_cache_t *c, size_t row) {
    return c->reference ? reference_tokens(c, row) : reformer_cache_tokens(c->memory, row);
}

double exec_cache_margin(const exec_cache_t *c, size_t row) {
    if (!c->reference) bug("margins of a %s", backend_names[c->e->backend]);
    return reference_margin(c, row);
}

int64_t exec_positions(const exec_t *e) {
    return e->plan->step ? e->plan->positions : 0;
}
