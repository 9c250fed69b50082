/* Generation by the reference evaluator (graph/decode.h): checks what the runtime checks
 * (runtime/decode.c), with the same codes, then goes row by row. */
#include "exec/exec_int.h"
#include "graph/decode.h"
#include "support/heap.h"

bool reference_cache_new(exec_cache_t *c, size_t length, diag_t *d) {
    const plan_t *p = c->e->plan;
    if (!p->step || length == 0 || length > (uint64_t)p->positions) {
        diag_error(d, NOWHERE, "%s",
                   reformer_strerror(p->step ? REFORMER_E_LENGTH : REFORMER_E_DECODE));
        return false;
    }
    c->reference = graph_cache_new(p->step, (int64_t)length);
    return true;
}

void reference_cache_free(exec_cache_t *c) {
    graph_cache_free(c->reference);
}

/* ---- what both calls check ------------------------------------------------------------------- */

static int check_call(const exec_cache_t *c, const reformer_decode_t *io) {
    if (!c->e->store || !io || !io->input_ids) return REFORMER_E_ARGUMENT;
    if (io->threads < 0 || io->threads > REFORMER_MAX_THREADS) return REFORMER_E_ARGUMENT;
    if (io->batch > (uint64_t)c->e->plan->batch) return REFORMER_E_BATCH;
    return REFORMER_OK;
}

static int64_t rows_of(const exec_cache_t *c, const reformer_decode_t *io) {
    return io->batch ? (int64_t)io->batch : c->e->plan->batch;
}

static bool is_token(const reformer_decode_t *io, size_t at) {
    return !io->attention_mask || io->attention_mask[at];
}

static bool is_valid(const exec_cache_t *c, int32_t id) {
    return id >= 0 && id < c->e->plan->facts.vocab;
}

static void *store_of(const exec_cache_t *c) {
    return (void *)(uintptr_t)c->e->store;
}

static graph_next_t next_of(const exec_cache_t *c, const reformer_decode_t *io, int64_t row) {
    const facts_t *f = &c->e->plan->facts;
    graph_next_t next = {NULL, NULL};
    if (io->logits) next.logits = io->logits + row * f->vocab;
    if (io->last_hidden_state) next.last_hidden_state = io->last_hidden_state + row * 2 * f->hidden;
    return next;
}

/* ---- prefill --------------------------------------------------------------------------------- */

/* A row's own tokens, without what its mask leaves out; their number. */
static size_t own_tokens(const reformer_decode_t *io, int64_t row, int32_t *own) {
    size_t n = 0;
    for (size_t t = 0; t < io->length; t++) {
        size_t at = (size_t)row * io->length + t;
        if (is_token(io, at)) own[n++] = io->input_ids[at];
    }
    return n;
}

static int check_prompt(const exec_cache_t *c, const int32_t *own, size_t n) {
    for (size_t t = 0; t < n; t++)
        if (!is_valid(c, own[t])) return REFORMER_E_TOKEN;
    if (n > 0 && !plan_prefill_fitting(c->e->plan, n)) return REFORMER_E_LENGTH;
    return n > (uint64_t)graph_cache_capacity(c->reference) ? REFORMER_E_FULL : REFORMER_OK;
}

static int prefill_row(exec_cache_t *c, const reformer_decode_t *io, int64_t row,
                       const int32_t *own, size_t n, diag_t *d) {
    if (n == 0) return REFORMER_OK;
    arena_t *a = arena_new();
    const graph_t *g = exec_graph(c->e, plan_prefill_fitting(c->e->plan, n), n, a, d);
    graph_next_t next = next_of(c, io, row);
    int code = EXEC_FAILED;
    if (g)
        code = graph_prefill(c->reference, row, g, exec_param, store_of(c), own, (int64_t)n, &next);
    arena_free(a);
    return code;
}

/* All prompts are checked before the first is read. */
int reference_prefill(exec_cache_t *c, const reformer_decode_t *io, diag_t *d) {
    int code = check_call(c, io);
    if (code) return code;
    if (io->length == 0) return REFORMER_E_LENGTH;
    int32_t *own = heap_new(io->length, sizeof *own);
    for (int64_t b = 0; code == REFORMER_OK && b < rows_of(c, io); b++)
        code = check_prompt(c, own, own_tokens(io, b, own));
    for (int64_t b = 0; code == REFORMER_OK && b < rows_of(c, io); b++)
        code = prefill_row(c, io, b, own, own_tokens(io, b, own), d);
    heap_free(own);
    return code;
}

/* ---- step ------------------------------------------------------------------------------------ */

static int check_step(const exec_cache_t *c, const reformer_decode_t *io) {
    for (int64_t b = 0; b < rows_of(c, io); b++) {
        int64_t tokens = graph_cache_tokens(c->reference, b);
        if (!is_token(io, (size_t)b)) continue;
        if (!is_valid(c, io->input_ids[b])) return REFORMER_E_TOKEN;
        if (tokens == 0) return REFORMER_E_EMPTY;
        if (tokens >= graph_cache_capacity(c->reference)) return REFORMER_E_FULL;
    }
    return REFORMER_OK;
}

int reference_step(exec_cache_t *c, const reformer_decode_t *io, diag_t *d) {
    (void)d;
    int code = check_call(c, io);
    if (code == REFORMER_OK) code = check_step(c, io);
    for (int64_t b = 0; code == REFORMER_OK && b < rows_of(c, io); b++) {
        graph_next_t next = next_of(c, io, b);
        if (is_token(io, (size_t)b))
            code = graph_step(c->reference, b, exec_param, store_of(c), io->input_ids[b], &next);
    }
    return code;
}

/* ---- rows ------------------------------------------------------------------------------------ */

int reference_copy_row(exec_cache_t *c, size_t from, size_t to) {
    size_t batch = (size_t)c->e->plan->batch;
    if (from >= batch || to >= batch) return REFORMER_E_BATCH;
    graph_cache_copy_row(c->reference, (int64_t)from, (int64_t)to);
    return REFORMER_OK;
}

size_t reference_tokens(const exec_cache_t *c, size_t row) {
    if (row >= (uint64_t)c->e->plan->batch) return 0;
    return (size_t)graph_cache_tokens(c->reference, (int64_t)row);
}

double reference_margin(const exec_cache_t *c, size_t row) {
    if (row >= (uint64_t)c->e->plan->batch) bug("margins of row %zu", row);
    return graph_cache_margin(c->reference, (int64_t)row);
}
