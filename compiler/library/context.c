/* Forwards: a context is the memory and the threads of one of them at a time, so that one model serves many.
 * In: the caller's io. Out: its outputs, or a code and a text. */
#include "library/library.h"
#include "support/pages.h"

#include <stdlib.h>
#include <string.h>

struct reformerc_context {
    const reformerc_model_t *m;
    pool_t *pool; /* NULL: one thread */
    int threads;
    unsigned char *workspace;
    size_t bytes;
    char *message; /* of the last call, NULL: it went well */
};

int reformerc_context_new(reformerc_context_t **c, const reformerc_model_t *m, int threads) {
    if (!c) return REFORMER_E_ARGUMENT;
    *c = NULL;
    if (!m || threads < 0 || threads > REFORMER_MAX_THREADS) return REFORMER_E_ARGUMENT;
    reformerc_context_t *made = calloc(1, sizeof *made);
    if (!made) return REFORMERC_E_MEMORY;
    *made = (reformerc_context_t){.m = m, .threads = threads ? threads : 1};
    made->pool = pool_new(made->threads);
    if (pool_threads(made->pool) < made->threads) {
        reformerc_context_free(made);
        return REFORMERC_E_MEMORY;
    }
    *c = made;
    return REFORMER_OK;
}

void reformerc_context_free(reformerc_context_t *c) {
    if (!c) return;
    pool_free(c->pool);
    free(c->workspace);
    free(c->message);
    free(c);
}

const char *reformerc_context_message(const reformerc_context_t *c) {
    return c->message;
}

/* ---- one call ----------------------------------------------------------------------------------------- */

static void say(reformerc_context_t *c, const char *text) {
    free(c->message);
    c->message = text ? strdup(text) : NULL;
}

static int refuse(reformerc_context_t *c, int code) {
    say(c, code == REFORMER_OK ? NULL : reformerc_strerror(code));
    return code;
}

/* Lengths and numbers of threads without a workspace are refused by the forward itself. */
static bool make_room(reformerc_context_t *c, size_t length, int threads) {
    size_t bytes = exec_workspace_bytes(c->m->exec, length, threads);
    if (bytes == 0) bytes = 1;
    if (bytes <= c->bytes) return true;
    free(c->workspace);
    c->workspace = pages_alloc(bytes);
    c->bytes = c->workspace ? bytes : 0;
    return c->workspace != NULL;
}

int reformerc_reserve(reformerc_context_t *c, size_t length) {
    if (!c) return REFORMER_E_ARGUMENT;
    if (!plan_fitting(c->m->plan, length)) return refuse(c, REFORMER_E_LENGTH);
    return refuse(c, make_room(c, length, c->threads) ? REFORMER_OK : REFORMERC_E_MEMORY);
}

/* Of a call that says more than a code, in d, which is freed. */
static int refuse_told(reformerc_context_t *c, int code, diag_t *d) {
    (void)refuse(c, code == EXEC_FAILED ? REFORMERC_E_FORWARD : code);
    if (code == EXEC_FAILED) {
        free(c->message);
        c->message = diag_text(d);
    }
    diag_free(d);
    return code == EXEC_FAILED ? REFORMERC_E_FORWARD : code;
}

/* The reference and the interpreter say more than a code. */
static int run_told(reformerc_context_t *c, const reformer_io_t *io) {
    diag_t *d = diag_new();
    return refuse_told(c, exec_run(c->m->exec, io, c->workspace, d), d);
}

static bool is_code(const reformerc_model_t *m) {
    return m->backend == BACKEND_JIT || m->backend == BACKEND_C;
}

int reformerc_forward(reformerc_context_t *c, const reformer_io_t *given) {
    if (!c) return REFORMER_E_ARGUMENT;
    if (!given) return refuse(c, REFORMER_E_ARGUMENT);
    if (!exec_bound(c->m->exec)) return refuse(c, REFORMERC_E_UNBOUND);
    reformer_io_t io = *given;
    if (!io.pool) {
        io.pool = pool_interface(c->pool);
        if (io.threads == 0 || io.threads > c->threads) io.threads = c->threads;
    }
    if (!make_room(c, io.length, io.threads)) return refuse(c, REFORMERC_E_MEMORY);
    if (!is_code(c->m)) return run_told(c, &io);
    return refuse(c, exec_run(c->m->exec, &io, c->workspace, NULL));
}

/* ---- generation --------------------------------------------------------------------------------------- */

struct reformerc_cache {
    reformerc_context_t *c;
    exec_cache_t *exec;
};

int reformerc_cache_new(reformerc_cache_t **cache, reformerc_context_t *c, size_t length,
                        size_t prompt) {
    if (!cache) return REFORMER_E_ARGUMENT;
    *cache = NULL;
    if (!c) return REFORMER_E_ARGUMENT;
    if (!exec_bound(c->m->exec)) return refuse(c, REFORMERC_E_UNBOUND);
    int64_t positions = exec_positions(c->m->exec);
    if (positions == 0) return refuse(c, REFORMER_E_DECODE);
    if (length == 0 || length > (uint64_t)positions) return refuse(c, REFORMER_E_LENGTH);
    reformerc_cache_t *made = calloc(1, sizeof *made);
    if (!made) return refuse(c, REFORMERC_E_MEMORY);
    diag_t *d = diag_new();
    made->c = c;
    made->exec = exec_cache_new(c->m->exec, length, prompt, c->threads, d);
    diag_free(d);
    if (!made->exec) {
        free(made);
        return refuse(c, plan_prefill_fitting(c->m->plan, prompt) ? REFORMERC_E_MEMORY
                                                                  : REFORMER_E_LENGTH);
    }
    *cache = made;
    return refuse(c, REFORMER_OK);
}

void reformerc_cache_free(reformerc_cache_t *cache) {
    if (!cache) return;
    exec_cache_free(cache->exec);
    free(cache);
}

typedef int decode_fn(exec_cache_t *c, const reformer_decode_t *io, diag_t *d);

static int decode(reformerc_cache_t *cache, const reformer_decode_t *given, decode_fn *call) {
    if (!cache) return REFORMER_E_ARGUMENT;
    reformerc_context_t *c = cache->c;
    if (!given) return refuse(c, REFORMER_E_ARGUMENT);
    reformer_decode_t io = *given;
    if (!io.pool) io.pool = pool_interface(c->pool);
    if (io.threads == 0 || io.threads > c->threads) io.threads = c->threads;
    if (is_code(c->m)) return refuse(c, call(cache->exec, &io, NULL));
    diag_t *d = diag_new();
    return refuse_told(c, call(cache->exec, &io, d), d);
}

int reformerc_prefill(reformerc_cache_t *cache, const reformer_decode_t *io) {
    return decode(cache, io, exec_prefill);
}

int reformerc_step(reformerc_cache_t *cache, const reformer_decode_t *io) {
    return decode(cache, io, exec_step);
}

int reformerc_cache_copy_row(reformerc_cache_t *cache, size_t from, size_t to) {
    return cache ? refuse(cache->c, exec_cache_copy_row(cache->exec, from, to))
                 : REFORMER_E_ARGUMENT;
}

size_t reformerc_cache_tokens(const reformerc_cache_t *cache, size_t row) {
    return cache ? exec_cache_tokens(cache->exec, row) : 0;
}
