/* Forwards: a context is the memory and the threads of one of them at a time, so that one model
 * serves many. In: the caller's io. Out: its outputs, or a code and a text. */
#include "library/library.h"
#include "support/heap.h"
#include "support/pages.h"

#include <stdlib.h>

typedef struct {
    const reformerc_model_t *m;
    int threads;
    reformerc_context_t *made;
} new_context_t;

static int new_context(void *arg, diag_t *d) {
    new_context_t *n = arg;
    (void)d;
    n->made = heap_new(1, sizeof *n->made);
    *n->made = (reformerc_context_t){.m = n->m, .threads = n->threads};
    n->made->pool = pool_new(n->threads);
    return REFORMER_OK;
}

int reformerc_context_new(reformerc_context_t **c, const reformerc_model_t *m, int threads) {
    if (!c) return REFORMER_E_ARGUMENT;
    *c = NULL;
    if (!m || threads < 0 || threads > REFORMER_MAX_THREADS) return REFORMER_E_ARGUMENT;
    new_context_t n = {.m = m, .threads = threads ? threads : 1};
    int code = call_guarded(new_context, &n, NULL);
    if (code != REFORMER_OK) return code;
    if (pool_threads(n.made->pool) < n.threads) {
        reformerc_context_free(n.made);
        return REFORMERC_E_MEMORY;
    }
    *c = n.made;
    return REFORMER_OK;
}

void reformerc_context_free(reformerc_context_t *c) {
    if (!c) return;
    pool_free(c->pool);
    heap_free(c->workspace);
    heap_free(c->sampling);
    free(c->message);
    heap_free(c);
}

const char *reformerc_context_message(const reformerc_context_t *c) {
    if (c->message) return c->message;
    return c->code == REFORMER_OK ? NULL : reformerc_strerror(c->code);
}

/* ---- one call -------------------------------------------------------------------------------- */

int context_refuse(reformerc_context_t *c, int code) {
    free(c->message);
    c->message = NULL;
    return c->code = code;
}

/* Lengths and numbers of threads without a workspace are refused by the call itself. */
static bool make_room(reformerc_context_t *c, size_t bytes) {
    if (bytes == 0) bytes = 1;
    if (bytes <= c->bytes) return true;
    heap_free(c->workspace);
    c->workspace = pages_alloc(bytes);
    c->bytes = c->workspace ? bytes : 0;
    return c->workspace != NULL;
}

int reformerc_reserve(reformerc_context_t *c, size_t length) {
    if (!c) return REFORMER_E_ARGUMENT;
    if (!plan_fitting(c->m->plan, length)) return context_refuse(c, REFORMER_E_LENGTH);
    size_t bytes = exec_workspace_bytes(c->m->exec, length, c->threads);
    return context_refuse(c, make_room(c, bytes) ? REFORMER_OK : REFORMERC_E_MEMORY);
}

/* The reference and the interpreter allocate as they go, and say more than a code. */
int context_told(reformerc_context_t *c, call_fn *work, void *arg) {
    char *message = NULL;
    int code = call_guarded(work, arg, &message);
    (void)context_refuse(c, code == EXEC_FAILED ? REFORMERC_E_FORWARD : code);
    c->message = message;
    return c->code;
}

typedef struct {
    const reformerc_context_t *c;
    const reformer_io_t *io;
    float *gradients; /* NULL: a forward */
} forward_call_t;

static int run(void *arg, diag_t *d) {
    const forward_call_t *r = arg;
    const exec_t *e = r->c->m->exec;
    if (!r->gradients) return exec_run(e, r->io, r->c->workspace, r->c->bytes, d);
    return exec_run_gradients(e, r->io, r->gradients, r->c->workspace, r->c->bytes, d);
}

static bool is_code(const reformerc_model_t *m) {
    return m->backend == BACKEND_JIT || m->backend == BACKEND_C;
}

void context_threads(const reformerc_context_t *c, const reformer_pool_t **pool, int *threads) {
    if (*pool) return;
    *pool = pool_interface(c->pool);
    if (*threads == 0 || *threads > c->threads) *threads = c->threads;
}

reformer_io_t context_io(const reformerc_context_t *c, const reformer_io_t *given) {
    reformer_io_t io = *given;
    context_threads(c, &io.pool, &io.threads);
    return io;
}

/* `gradients` NULL: a forward. */
static int run_on(reformerc_context_t *c, const reformer_io_t *given, float *gradients) {
    reformer_io_t io = context_io(c, given);
    const exec_t *e = c->m->exec;
    size_t bytes = gradients ? exec_train_bytes(e, io.length, io.threads)
                             : exec_workspace_bytes(e, io.length, io.threads);
    if (!make_room(c, bytes)) return context_refuse(c, REFORMERC_E_MEMORY);
    forward_call_t r = {c, &io, gradients};
    return is_code(c->m) ? context_refuse(c, run(&r, NULL)) : context_told(c, run, &r);
}

int reformerc_forward(reformerc_context_t *c, const reformer_io_t *io) {
    if (!c) return REFORMER_E_ARGUMENT;
    if (!io) return context_refuse(c, REFORMER_E_ARGUMENT);
    if (io->size != sizeof *io) return context_refuse(c, REFORMER_E_SIZE);
    if (!exec_bound(c->m->exec)) return context_refuse(c, REFORMERC_E_UNBOUND);
    return run_on(c, io, NULL);
}

int reformerc_gradients(reformerc_context_t *c, const reformer_io_t *io, float *gradients,
                        size_t bytes) {
    if (!c) return REFORMER_E_ARGUMENT;
    if (!io || !gradients) return context_refuse(c, REFORMER_E_ARGUMENT);
    if (io->size != sizeof *io) return context_refuse(c, REFORMER_E_SIZE);
    if (!exec_bound(c->m->exec)) return context_refuse(c, REFORMERC_E_UNBOUND);
    if (exec_gradients_bytes(c->m->exec) == 0) return context_refuse(c, REFORMER_E_TRAIN);
    if ((uintptr_t)gradients % 64) return context_refuse(c, REFORMER_E_ALIGNMENT);
    if (bytes < exec_gradients_bytes(c->m->exec)) return context_refuse(c, REFORMER_E_WORKSPACE);
    return run_on(c, io, gradients);
}

/* ---- generation ------------------------------------------------------------------------------ */

typedef struct {
    reformerc_context_t *c;
    size_t length, prompt;
    reformerc_cache_t *made;
} new_cache_t;

static int new_cache(void *arg, diag_t *d) {
    new_cache_t *n = arg;
    n->made = heap_new(1, sizeof *n->made);
    n->made->c = n->c;
    n->made->length = n->length;
    n->made->exec = exec_cache_new(n->c->m->exec, n->length, n->prompt, n->c->threads, d);
    if (n->made->exec) return REFORMER_OK;
    heap_free(n->made);
    return plan_prefill_fitting(n->c->m->plan, n->prompt) ? REFORMERC_E_MEMORY : REFORMER_E_LENGTH;
}

int reformerc_cache_new(reformerc_cache_t **cache, reformerc_context_t *c, size_t length,
                        size_t prompt) {
    if (!cache) return REFORMER_E_ARGUMENT;
    *cache = NULL;
    if (!c) return REFORMER_E_ARGUMENT;
    if (!exec_bound(c->m->exec)) return context_refuse(c, REFORMERC_E_UNBOUND);
    int64_t positions = exec_positions(c->m->exec);
    if (positions == 0) return context_refuse(c, REFORMER_E_DECODE);
    if (length == 0 || length > (uint64_t)positions) return context_refuse(c, REFORMER_E_LENGTH);
    new_cache_t n = {.c = c, .length = length, .prompt = prompt};
    int code = call_guarded(new_cache, &n, NULL);
    if (code == REFORMER_OK) *cache = n.made;
    return context_refuse(c, code);
}

void reformerc_cache_free(reformerc_cache_t *cache) {
    if (!cache) return;
    exec_cache_free(cache->exec);
    heap_free(cache);
}

typedef int decode_fn(exec_cache_t *c, const reformer_decode_t *io, diag_t *d);

typedef struct {
    exec_cache_t *exec;
    const reformer_decode_t *io;
    decode_fn *call;
} decode_call_t;

static int decode_guarded(void *arg, diag_t *d) {
    const decode_call_t *x = arg;
    return x->call(x->exec, x->io, d);
}

static int decode(reformerc_cache_t *cache, const reformer_decode_t *given, decode_fn *call) {
    if (!cache) return REFORMER_E_ARGUMENT;
    reformerc_context_t *c = cache->c;
    if (!given) return context_refuse(c, REFORMER_E_ARGUMENT);
    if (given->size != sizeof *given) return context_refuse(c, REFORMER_E_SIZE);
    reformer_decode_t io = *given;
    if (!io.pool) io.pool = pool_interface(c->pool);
    if (io.threads == 0 || io.threads > c->threads) io.threads = c->threads;
    if (is_code(c->m)) return context_refuse(c, call(cache->exec, &io, NULL));
    return context_told(c, decode_guarded, &(decode_call_t){cache->exec, &io, call});
}

int reformerc_prefill(reformerc_cache_t *cache, const reformer_decode_t *io) {
    return decode(cache, io, exec_prefill);
}

int reformerc_step(reformerc_cache_t *cache, const reformer_decode_t *io) {
    return decode(cache, io, exec_step);
}

typedef struct {
    exec_cache_t *exec;
    size_t from, to;
} cache_copy_t;

static int copy_row(void *arg, diag_t *d) {
    const cache_copy_t *x = arg;
    (void)d;
    return exec_cache_copy_row(x->exec, x->from, x->to);
}

int reformerc_cache_copy_row(reformerc_cache_t *cache, size_t from, size_t to) {
    if (!cache) return REFORMER_E_ARGUMENT;
    if (is_code(cache->c->m))
        return context_refuse(cache->c, exec_cache_copy_row(cache->exec, from, to));
    return context_told(cache->c, copy_row, &(cache_copy_t){cache->exec, from, to});
}

size_t reformerc_cache_tokens(const reformerc_cache_t *cache, size_t row) {
    return cache ? exec_cache_tokens(cache->exec, row) : 0;
}
