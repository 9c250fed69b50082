/* Generation: prefills and steps over a cache.
 *
 * The cache, front to back, every part 64-byte aligned: a head (below), then the parts that kernels know as slots from
 * CACHE on, which each row has, then those from RECORDS on, which each token of a row has. The head is all that this
 * file keeps; kernels never see it. */
#include "rt_int.h"

#define CACHE_MAGIC UINT64_C(0x3268636143667252) /* "RrfCach2", little-endian */

/* Followed by int32 [batch] tokens, [batch] hashed, [batch][batch] shared: how many leading tokens two rows are
 * known to have in common, records and all. */
typedef struct {
    uint64_t magic, fingerprint, batch, capacity;
} head_t;

typedef struct {
    head_t *head;
    int32_t *tokens;
    int32_t *
        hashed; /* LSH layers have sorted the row into buckets where their chunk length is below this */
    int32_t *shared;
    unsigned char *base;
} cache_t;

/* ---- the cache --------------------------------------------------------------------------------- */

static size_t head_bytes(uint64_t batch) {
    return sizeof(head_t) + (size_t)batch * (2 + (size_t)batch) * sizeof(int32_t);
}

/* Walks over the parts from the end of the head. */
typedef struct {
    reformer_room_t room;
    const reformer_desc_t *desc;
    size_t length;
    int i; /* of the next part */
} walk_t;

static walk_t first_part(const reformer_desc_t *d, size_t length) {
    walk_t w = {{0, 0}, d, length, 0};
    (void)reformer_take(&w.room, 1, head_bytes((uint64_t)d->batch));
    return w;
}

/* The next part's place; 0 past the last. `bytes` per row, and of a record per token too. */
static int next_part(walk_t *w, size_t *at, size_t *bytes, int *is_record) {
    const reformer_desc_t *d = w->desc;
    size_t batch = (size_t)d->batch;
    int i = w->i++, n = d->n_cache_parts;
    if (i >= n + d->n_record_parts) return 0;
    *is_record = i >= n;
    *bytes = *is_record ? d->record_parts[i - n] : d->cache_parts[i];
    *at = reformer_take(&w->room, *is_record ? w->length : batch,
                        *is_record ? batch * *bytes : *bytes);
    return 1;
}

/* The whole size, or 0. */
static size_t lay_out_cache(const reformer_desc_t *d, size_t length) {
    walk_t w = first_part(d, length);
    size_t at, bytes;
    int is_record;
    while (next_part(&w, &at, &bytes, &is_record)) {
    }
    return w.room.full ? 0 : w.room.bytes;
}

size_t reformer_cache_bytes(const reformer_desc_t *desc, size_t length) {
    if (!desc || !desc->steps || length == 0 || length > (uint64_t)desc->positions) return 0;
    return lay_out_cache(desc, length);
}

static void open_parts(const reformer_desc_t *d, void *memory, cache_t *c) {
    unsigned char *base = (unsigned char *)memory;
    c->head = (head_t *)memory;
    c->tokens = (int32_t *)(void *)(base + sizeof(head_t));
    c->hashed = c->tokens + d->batch;
    c->shared = c->hashed + d->batch;
    c->base = base;
}

int reformer_cache_init(const reformer_desc_t *desc, void *cache, size_t bytes, size_t length) {
    if (!desc || !cache) return REFORMER_E_ARGUMENT;
    if (!desc->steps) return REFORMER_E_DECODE;
    if ((uintptr_t)cache % REFORMER_ALIGNMENT) return REFORMER_E_ALIGNMENT;
    size_t needed = reformer_cache_bytes(desc, length);
    if (!needed) return REFORMER_E_LENGTH;
    if (needed > bytes) return REFORMER_E_WORKSPACE;
    cache_t c;
    open_parts(desc, cache, &c);
    uint64_t batch = (uint64_t)desc->batch;
    *c.head = (head_t){CACHE_MAGIC, desc->fingerprint, batch, length};
    for (size_t i = 0; i < (size_t)batch * (2 + (size_t)batch); i++) c.tokens[i] = 0;
    return REFORMER_OK;
}

/* What this file itself counts with; the parts behind the head are the kernels' own. */
static int counts_fit(const reformer_desc_t *d, const cache_t *c) {
    size_t batch = (size_t)d->batch;
    for (size_t b = 0; b < batch; b++) {
        if (c->tokens[b] < 0 || (uint64_t)c->tokens[b] > c->head->capacity) return 0;
        if (c->hashed[b] < 0) return 0;
    }
    return 1;
}

static int open_cache(const reformer_desc_t *d, void *memory, cache_t *c) {
    if (!memory) return REFORMER_E_ARGUMENT;
    if ((uintptr_t)memory % REFORMER_ALIGNMENT) return REFORMER_E_ALIGNMENT;
    const head_t *h = (const head_t *)memory;
    if (h->magic != CACHE_MAGIC || h->fingerprint != d->fingerprint ||
        h->batch != (uint64_t)d->batch || h->capacity > (uint64_t)d->positions)
        return REFORMER_E_CACHE;
    open_parts(d, memory, c);
    return counts_fit(d, c) ? REFORMER_OK : REFORMER_E_CACHE;
}

int reformer_cache_check(const reformer_desc_t *desc, const void *cache, size_t bytes) {
    if (!desc || !cache) return REFORMER_E_ARGUMENT;
    if (!desc->steps) return REFORMER_E_DECODE;
    if (bytes < head_bytes((uint64_t)desc->batch)) return REFORMER_E_WORKSPACE;
    cache_t c;
    int error = open_cache(desc, (void *)(uintptr_t)cache, &c); /* which only reads it */
    if (error) return error;
    size_t needed = reformer_cache_bytes(desc, (size_t)c.head->capacity);
    return needed == 0 ? REFORMER_E_CACHE : needed > bytes ? REFORMER_E_WORKSPACE : REFORMER_OK;
}

size_t reformer_cache_tokens(const void *cache, size_t row) {
    const head_t *h = (const head_t *)cache;
    if (!h || h->magic != CACHE_MAGIC || row >= h->batch) return 0;
    return (size_t)((const int32_t *)(const void *)(h + 1))[row];
}

static void copy(unsigned char *to, const unsigned char *from, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) to[i] = from[i];
}

/* What rows `row` and others have in common is no longer known. */
static void forget_shared(const reformer_desc_t *d, const cache_t *c, int64_t row) {
    for (int64_t i = 0; i < d->batch; i++)
        c->shared[row * d->batch + i] = c->shared[i * d->batch + row] = 0;
}

static void set_shared(const reformer_desc_t *d, const cache_t *c, int64_t from, int64_t to) {
    for (int64_t i = 0; i < d->batch; i++) {
        int32_t n = i == from ? c->tokens[from] : c->shared[from * d->batch + i];
        if (i != to) c->shared[to * d->batch + i] = c->shared[i * d->batch + to] = n;
    }
}

int reformer_cache_copy_row(const reformer_desc_t *desc, void *cache, size_t from, size_t to) {
    cache_t c;
    if (!desc) return REFORMER_E_ARGUMENT;
    if (!desc->steps) return REFORMER_E_DECODE;
    int error = open_cache(desc, cache, &c);
    if (error) return error;
    size_t batch = (size_t)desc->batch;
    if (from >= batch || to >= batch) return REFORMER_E_BATCH;
    if (from == to) return REFORMER_OK;
    if (c.shared[from * batch + to] < 0) return REFORMER_E_CACHE;
    walk_t w = first_part(desc, (size_t)c.head->capacity);
    size_t at, n;
    int is_record;
    while (next_part(&w, &at, &n, &is_record)) {
        int64_t first = is_record ? c.shared[from * batch + to] : 0;
        int64_t end = is_record ? c.tokens[from] : 1;
        for (int64_t t = first; t < end; t++) {
            unsigned char *rows = c.base + at + (size_t)t * batch * n;
            copy(rows + to * n, rows + from * n, n);
        }
    }
    c.tokens[to] = c.tokens[from];
    c.hashed[to] = c.hashed[from];
    set_shared(desc, &c, (int64_t)from, (int64_t)to);
    return REFORMER_OK;
}

static void bind_cache(const reformer_desc_t *d, const cache_t *c, reformer_call_t *call) {
    walk_t w = first_part(d, (size_t)c->head->capacity);
    size_t at, bytes;
    int is_record;
    for (int i = 0; next_part(&w, &at, &bytes, &is_record); i++) {
        int slot =
            is_record ? REFORMER_SLOT_RECORDS + i - d->n_cache_parts : REFORMER_SLOT_CACHE + i;
        call->slot[slot] = c->base + at;
    }
    call->capacity = (int64_t)c->head->capacity;
}

/* ---- what both calls check --------------------------------------------------------------------- */

static int check_call(const reformer_engine_t *e, const reformer_decode_t *io, void *cache,
                      const void *workspace, cache_t *c) {
    if (!e || !io) return REFORMER_E_ARGUMENT;
    if (!REFORMER_SIZED(e) || !REFORMER_SIZED(io) || !reformer_pool_fits(io->pool))
        return REFORMER_E_SIZE;
    if (!e->desc || !e->weights || !io->input_ids || !workspace) return REFORMER_E_ARGUMENT;
    if (!e->desc->steps) return REFORMER_E_DECODE;
    if (io->threads < 0 || io->threads > REFORMER_MAX_THREADS) return REFORMER_E_ARGUMENT;
    if ((uintptr_t)workspace % REFORMER_ALIGNMENT) return REFORMER_E_ALIGNMENT;
    if (io->batch > (uint64_t)e->desc->batch) return REFORMER_E_BATCH;
    return open_cache(e->desc, cache, c);
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

/* ---- prefill ----------------------------------------------------------------------------------- */

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

static int check_prompts(const reformer_engine_t *e, const reformer_decode_t *io, const cache_t *c,
                         size_t bytes) {
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

static int prefill_row(const reformer_engine_t *e, const reformer_decode_t *io, const cache_t *c,
                       int64_t row, unsigned char *workspace, size_t bytes) {
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
    bind_cache(e->desc, c, &call);
    c->tokens[row] = 0; /* until all is there */
    forget_shared(e->desc, c, row);
    error = run(e, v, &call);
    if (error) return error;
    c->tokens[row] = (int32_t)n;
    c->hashed[row] = (int32_t)(v->unit ? v->unit * call.units : v->padded);
    return REFORMER_OK;
}

int reformer_engine_prefill(const reformer_engine_t *e, const reformer_decode_t *io, void *cache,
                            void *workspace, size_t bytes) {
    cache_t c;
    int error = check_call(e, io, cache, workspace, &c);
    if (!error) error = check_prompts(e, io, &c, bytes);
    for (int64_t b = 0; !error && b < rows_of(e, io); b++)
        error = prefill_row(e, io, &c, b, (unsigned char *)workspace, bytes);
    return error;
}

/* ---- step --------------------------------------------------------------------------------------- */

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
static int check_step(const reformer_engine_t *e, const reformer_decode_t *io, const cache_t *c) {
    for (int64_t b = 0; b < rows_of(e, io); b++) {
        if (!is_token(io, (size_t)b)) continue;
        if (!is_valid(e, io->input_ids[b])) return REFORMER_E_TOKEN;
        if (c->tokens[b] == 0) return REFORMER_E_EMPTY;
        if ((uint64_t)c->tokens[b] >= c->head->capacity) return REFORMER_E_FULL;
    }
    return REFORMER_OK;
}

static void fill_step(const reformer_engine_t *e, const reformer_decode_t *io, const cache_t *c,
                      reformer_call_t *call) {
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
static void count_tokens(const reformer_engine_t *e, const cache_t *c, const int32_t *row) {
    for (int64_t b = 0; b < e->desc->batch; b++) {
        if (row[b] < 0) continue;
        c->tokens[b]++;
        if (c->hashed[b] <= c->tokens[b]) c->hashed[b] = c->tokens[b] + 1;
    }
}

int reformer_engine_step(const reformer_engine_t *e, const reformer_decode_t *io, void *cache,
                         void *workspace, size_t bytes) {
    cache_t c;
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
    bind_cache(e->desc, &c, &call);
    error = run(e, e->step, &call);
    if (!error) count_tokens(e, &c, (const int32_t *)call.slot[REFORMER_SLOT_ROW]);
    return error;
}

/* ---- of a bound model ----------------------------------------------------------------------------- */

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

/* ---- workspace ------------------------------------------------------------------------------------- */

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
    size_t most = 0;
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
        if (bytes > most) most = bytes;
        runs = runs || reformer_cpu_takes(desc->variants[i].target);
    }
    return runs ? most : 0;
}
