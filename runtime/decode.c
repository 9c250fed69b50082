/* Generation: prefills and steps over a cache (cache.c). */
#include "rt_int.h"

/* ---- what both calls check ------------------------------------------------------------------- */

static int check_call(const reformer_engine_t *e, const reformer_decode_t *io, void *cache,
                      const void *workspace, reformer_cache_t *c) {
    if (!e || !io) return REFORMER_E_ARGUMENT;
    if (!REFORMER_SIZED(e) || !REFORMER_SIZED(io) || !reformer_pool_fits(io->pool))
        return REFORMER_E_SIZE;
    if (!e->desc || !e->weights || !io->input_ids || !workspace) return REFORMER_E_ARGUMENT;
    if (!e->desc->steps) return REFORMER_E_DECODE;
    if (io->threads < 0 || io->threads > REFORMER_MAX_THREADS) return REFORMER_E_ARGUMENT;
    if ((uintptr_t)workspace % REFORMER_ALIGNMENT) return REFORMER_E_ALIGNMENT;
    if (io->batch > (uint64_t)e->desc->batch) return REFORMER_E_BATCH;
    return reformer_open_cache(e->desc, cache, c);
}

static int64_t rows_of(const reformer_engine_t *e, const reformer_decode_t *io) {
    return io->batch ? (int64_t)io->batch : e->desc->batch;
}

static int is_token(const reformer_decode_t *io, size_t at) {
    return !io->attention_mask || io->attention_mask[at];
}

static int is_valid(const reformer_engine_t *e, int32_t id) {
    return id >= 0 && id < e->desc->vocab;
}

/* Outputs of row `row` onwards. */
static void bind_outputs(const reformer_engine_t *e, const reformer_decode_t *io, int64_t row,
                         reformer_call_t *call) {
    int32_t *control = (int32_t *)call->slot[REFORMER_SLOT_CONTROL];
    control[REFORMER_WANT_LOGITS] = io->logits != NULL;
    control[REFORMER_WANT_HIDDEN] = io->last_hidden_state != NULL;
    call->slot[REFORMER_SLOT_LOGITS] = io->logits ? io->logits + row * e->desc->vocab : NULL;
    call->slot[REFORMER_SLOT_HIDDEN] =
        io->last_hidden_state ? io->last_hidden_state + row * 2 * e->desc->hidden : NULL;
}

typedef struct {
    const reformer_engine_t *e;
    const reformer_variant_t *v;
    int error;
} run_t;

static void run_engine(void *ctx, const reformer_call_t *call) {
    run_t *r = (run_t *)ctx;
    r->error = r->e->run(r->e->ctx, r->v, call);
}

static int run(const reformer_engine_t *e, const reformer_variant_t *v, reformer_call_t *call) {
    run_t r = {e, v, REFORMER_OK};
    reformer_run(call, run_engine, &r);
    return r.error;
}

/* ---- prefill --------------------------------------------------------------------------------- */

/* A row's own tokens, in a place of their own in front of the workspace of the forward. */
static size_t own_tokens_bytes(size_t length) {
    reformer_room_t r = {0, 0};
    (void)reformer_take(&r, length, sizeof(int32_t));
    return r.full ? 0 : r.bytes;
}

static size_t gather_tokens(const reformer_decode_t *io, int64_t row, int32_t *own) {
    size_t n = 0;
    for (size_t t = 0; t < io->length; t++) {
        size_t at = (size_t)row * io->length + t;
        if (is_token(io, at)) own[n++] = io->input_ids[at];
    }
    return n;
}

/* A prefill of a row is a forward of a batch of one. */
static reformer_desc_t one_row(const reformer_desc_t *d) {
    reformer_desc_t one = *d;
    one.batch = 1;
    return one;
}

/* A row of n tokens, none of them padding, in a workspace of so many bytes. */
static int check_room(const reformer_engine_t *e, const reformer_decode_t *io, size_t n,
                      size_t bytes) {
    reformer_desc_t one = one_row(e->desc);
    size_t needed = reformer_prepare_exactly(&one, e->prefills, e->n_prefills, n, io->threads);
    size_t own = own_tokens_bytes(n);
    return own <= bytes && needed <= bytes - own ? REFORMER_OK : REFORMER_E_WORKSPACE;
}

static int check_prompts(const reformer_engine_t *e, const reformer_decode_t *io,
                         const reformer_cache_t *c, size_t bytes) {
    int64_t longest = e->n_prefills ? e->prefills[e->n_prefills - 1].max_length : 0;
    if (io->length == 0) return REFORMER_E_LENGTH;
    for (int64_t b = 0; b < rows_of(e, io); b++) {
        uint64_t n = 0;
        for (size_t t = 0; t < io->length; t++) {
            size_t at = (size_t)b * io->length + t;
            if (!is_token(io, at)) continue;
            if (!is_valid(e, io->input_ids[at])) return REFORMER_E_TOKEN;
            n++;
        }
        if (n > (uint64_t)longest) return REFORMER_E_LENGTH;
        if (n > c->head->capacity) return REFORMER_E_FULL;
        int error = n ? check_room(e, io, (size_t)n, bytes) : REFORMER_OK;
        if (error) return error;
    }
    return REFORMER_OK;
}

static int prefill_row(const reformer_engine_t *e, const reformer_decode_t *io,
                       const reformer_cache_t *c, int64_t row, unsigned char *workspace,
                       size_t bytes) {
    int32_t *own = (int32_t *)(void *)workspace;
    size_t n = gather_tokens(io, row, own), front = own_tokens_bytes(n);
    if (n == 0) return REFORMER_OK;
    reformer_io_t forward = {.size = sizeof forward,
                             .input_ids = own,
                             .batch = 1,
                             .length = n,
                             .threads = io->threads,
                             .pool = io->pool,
                             .profile = io->profile,
                             .profile_ctx = io->profile_ctx};
    reformer_desc_t one = one_row(e->desc);
    reformer_call_t call;
    const reformer_variant_t *v;
    int error = reformer_prepare(&one, e->prefills, e->n_prefills, e->weights, &forward,
                                 workspace + front, bytes - front, &call, &v);
    if (error) return error;
    int32_t *control = (int32_t *)call.slot[REFORMER_SLOT_CONTROL];
    control[REFORMER_WANT_CACHE] = 1;
    control[REFORMER_CACHE_ROW] = (int32_t)row;
    bind_outputs(e, io, row, &call);
    reformer_bind_cache(e->desc, c, &call);
    c->tokens[row] = 0; /* until all is there */
    reformer_forget_shared(e->desc, c, row);
    error = run(e, v, &call);
    if (error) return error;
    c->tokens[row] = (int32_t)n;
    c->hashed[row] = (int32_t)(v->unit ? v->unit * call.units : v->padded);
    return REFORMER_OK;
}

int reformer_engine_prefill(const reformer_engine_t *e, const reformer_decode_t *io, void *cache,
                            void *workspace, size_t bytes) {
    reformer_cache_t c;
    int error = check_call(e, io, cache, workspace, &c);
    if (!error) error = check_prompts(e, io, &c, bytes);
    for (int64_t b = 0; !error && b < rows_of(e, io); b++)
        error = prefill_row(e, io, &c, b, (unsigned char *)workspace, bytes);
    return error;
}

/* ---- step ------------------------------------------------------------------------------------ */

typedef struct {
    size_t ids, row, position, hashed, control, schedule, scratch, stride, bytes;
} step_layout_t;

static int lay_out_step(const reformer_desc_t *d, const reformer_variant_t *v, int threads,
                        step_layout_t *l) {
    reformer_room_t r = {0, 0};
    size_t batch = (size_t)d->batch;
    l->ids = reformer_take(&r, batch, sizeof(int32_t));
    l->row = reformer_take(&r, batch, sizeof(int32_t));
    l->position = reformer_take(&r, batch, sizeof(int32_t));
    l->hashed = reformer_take(&r, batch, sizeof(int32_t));
    l->control = reformer_take(&r, REFORMER_CONTROLS, sizeof(int32_t));
    size_t schedule = reformer_linear(&r, v->workspace_bytes, 0, 0);
    l->stride = reformer_linear(&r, v->scratch_bytes, 0, 0);
    l->schedule = reformer_take(&r, 1, schedule);
    l->scratch = reformer_take(&r, (size_t)threads, l->stride);
    l->bytes = r.bytes;
    return !r.full;
}

/* Rows that get a token; all are checked before any is touched. */
static int check_step(const reformer_engine_t *e, const reformer_decode_t *io,
                      const reformer_cache_t *c) {
    for (int64_t b = 0; b < rows_of(e, io); b++) {
        if (!is_token(io, (size_t)b)) continue;
        if (!is_valid(e, io->input_ids[b])) return REFORMER_E_TOKEN;
        if (c->tokens[b] == 0) return REFORMER_E_EMPTY;
        if ((uint64_t)c->tokens[b] >= c->head->capacity) return REFORMER_E_FULL;
    }
    return REFORMER_OK;
}

static void fill_step(const reformer_engine_t *e, const reformer_decode_t *io,
                      const reformer_cache_t *c, reformer_call_t *call) {
    int32_t *ids = (int32_t *)call->slot[REFORMER_SLOT_IDS];
    int32_t *row = (int32_t *)call->slot[REFORMER_SLOT_ROW];
    int32_t *position = (int32_t *)call->slot[REFORMER_SLOT_POSITION];
    int32_t *hashed = (int32_t *)call->slot[REFORMER_SLOT_HASHED];
    int32_t *control = (int32_t *)call->slot[REFORMER_SLOT_CONTROL];
    for (int64_t b = 0; b < e->desc->batch; b++) {
        int active = b < rows_of(e, io) && is_token(io, (size_t)b);
        ids[b] = active ? io->input_ids[b] : 0;
        row[b] = active ? (int32_t)b : -1;
        position[b] = active ? c->tokens[b] : 0;
        hashed[b] = c->hashed[b];
    }
    for (int i = 0; i < REFORMER_CONTROLS; i++) control[i] = 0;
    control[REFORMER_BATCH_ROWS] = (int32_t)rows_of(e, io);
    bind_outputs(e, io, 0, call);
}

/* A row that has reached a layer's chunk length was sorted into buckets by the step that did it. */
static void count_tokens(const reformer_engine_t *e, const reformer_cache_t *c,
                         const int32_t *row) {
    for (int64_t b = 0; b < e->desc->batch; b++) {
        if (row[b] < 0) continue;
        c->tokens[b]++;
        if (c->hashed[b] <= c->tokens[b]) c->hashed[b] = c->tokens[b] + 1;
    }
}

int reformer_engine_step(const reformer_engine_t *e, const reformer_decode_t *io, void *cache,
                         void *workspace, size_t bytes) {
    reformer_cache_t c;
    step_layout_t l;
    int error = check_call(e, io, cache, workspace, &c);
    if (!error) error = check_step(e, io, &c);
    if (error) return error;
    unsigned char *base = (unsigned char *)workspace;
    reformer_call_t call = {.weights = e->weights,
                            .threads = reformer_workers(io->threads),
                            .pool = io->pool,
                            .profile = io->profile,
                            .profile_ctx = io->profile_ctx};
    if (!lay_out_step(e->desc, e->step, call.threads, &l)) return REFORMER_E_LENGTH;
    if (l.bytes > bytes) return REFORMER_E_WORKSPACE;
    call.slot[REFORMER_SLOT_IDS] = base + l.ids;
    call.slot[REFORMER_SLOT_ROW] = base + l.row;
    call.slot[REFORMER_SLOT_POSITION] = base + l.position;
    call.slot[REFORMER_SLOT_HASHED] = base + l.hashed;
    call.slot[REFORMER_SLOT_CONTROL] = base + l.control;
    call.workspace = base + l.schedule;
    call.scratch = base + l.scratch;
    call.scratch_stride = l.stride;
    fill_step(e, io, &c, &call);
    reformer_bind_cache(e->desc, &c, &call);
    error = run(e, e->step, &call);
    if (!error) count_tokens(e, &c, (const int32_t *)call.slot[REFORMER_SLOT_ROW]);
    return error;
}

/* ---- of a bound model ------------------------------------------------------------------------ */

static int run_variant(void *ctx, const reformer_variant_t *v, const reformer_call_t *call) {
    (void)ctx;
    v->run(call);
    return REFORMER_OK;
}

static reformer_engine_t engine_of(const reformer_model_t *m) {
    return (reformer_engine_t){.size = sizeof(reformer_engine_t),
                               .desc = m->desc,
                               .prefills = m->prefills,
                               .step = m->step,
                               .n_prefills = m->n_variants,
                               .weights = m->weights,
                               .run = run_variant};
}

int reformer_prefill(const reformer_desc_t *desc, const reformer_model_t *m,
                     const reformer_decode_t *io, void *cache, void *workspace, size_t bytes) {
    int error = reformer_check_model(desc, m);
    if (error) return error;
    reformer_engine_t e = engine_of(m);
    return reformer_engine_prefill(&e, io, cache, workspace, bytes);
}

int reformer_step(const reformer_desc_t *desc, const reformer_model_t *m,
                  const reformer_decode_t *io, void *cache, void *workspace, size_t bytes) {
    int error = reformer_check_model(desc, m);
    if (error) return error;
    reformer_engine_t e = engine_of(m);
    return reformer_engine_step(&e, io, cache, workspace, bytes);
}

/* ---- workspace ------------------------------------------------------------------------------- */

size_t reformer_engine_bytes(const reformer_engine_t *e, size_t length, int threads) {
    step_layout_t l;
    if (!REFORMER_SIZED(e) || !e->desc || !e->desc->steps || threads < 0 ||
        threads > REFORMER_MAX_THREADS)
        return 0;
    if (!lay_out_step(e->desc, e->step, reformer_workers(threads), &l)) return 0;
    if (length == 0) return l.bytes;
    reformer_desc_t one = one_row(e->desc);
    size_t forward = reformer_prepare_bytes(&one, e->prefills, e->n_prefills, length, threads);
    size_t own = own_tokens_bytes(length);
    if (!forward || !own || forward > SIZE_MAX - own) return 0;
    return forward + own > l.bytes ? forward + own : l.bytes;
}

size_t reformer_decode_bytes(const reformer_desc_t *desc, size_t length, int threads) {
    if (!desc || !desc->steps) return 0;
    size_t max = 0;
    int runs = 0, group = 0;
    for (int i = 0, n; i < desc->n_variants; i += n, group++) {
        n = reformer_group_size(desc, i);
        reformer_engine_t e = {.size = sizeof e,
                               .desc = desc,
                               .prefills = desc->prefills + i,
                               .step = desc->steps + group,
                               .n_prefills = n};
        size_t bytes = reformer_engine_bytes(&e, length, threads);
        if (bytes == 0) return 0;
        if (bytes > max) max = bytes;
        runs = runs || reformer_cpu_takes(desc->variants[i].target);
    }
    return runs ? max : 0;
}
