/* The loop of reformer_generate.h: a prefill, then a token per row and step until
 * all rows have ended. */
#include "generate_int.h"

/* Scratch: logits [batch][vocab], history [batch][length + max_tokens], then per row its history's
 * length, next token and whether it is active; at last what choosing needs. */
typedef struct {
    const reformer_decoder_t *d;
    const reformer_generate_t *g;
    size_t rows, span; /* span: of a row's history */
    float *logits;
    int32_t *history, *next;
    size_t *known, *written; /* [rows] tokens of the history; tokens written */
    uint8_t *active;
    void *sampling;
    size_t sampling_bytes, bytes;
    int error;
} writer_t;

size_t reformer_generate_rows(const reformer_decoder_t *d, const reformer_generate_t *g) {
    return g->batch ? g->batch : d->batch;
}

static int lay_out(const reformer_decoder_t *d, const reformer_generate_t *g, void *scratch,
                   writer_t *w) {
    reformer_room_t r = {0, 0};
    unsigned char *base = (unsigned char *)scratch;
    size_t rows = reformer_generate_rows(d, g);
    *w = (writer_t){.d = d, .g = g, .rows = rows, .span = g->length + g->max_tokens};
    if (g->max_tokens > SIZE_MAX / 16 || g->length > SIZE_MAX / 16) return 0;
    w->sampling_bytes =
        reformer_sample_bytes(d->vocab); /* of a vocabulary whose scores have a size */
    if (w->sampling_bytes == 0 || rows > SIZE_MAX / 16) return 0;
    size_t logits = reformer_take(&r, rows, (size_t)d->vocab * sizeof(float));
    size_t history = reformer_take(&r, w->span, rows * sizeof(int32_t));
    size_t next = reformer_take(&r, rows, sizeof(int32_t));
    size_t known = reformer_take(&r, rows, sizeof(size_t));
    size_t written = reformer_take(&r, rows, sizeof(size_t));
    size_t active = reformer_take(&r, rows, 1);
    size_t sampling = reformer_take(&r, 1, w->sampling_bytes);
    w->bytes = r.bytes;
    if (r.full) return 0;
    if (!base) return 1;
    w->logits = (float *)(void *)(base + logits);
    w->history = (int32_t *)(void *)(base + history);
    w->next = (int32_t *)(void *)(base + next);
    w->known = (size_t *)(void *)(base + known);
    w->written = (size_t *)(void *)(base + written);
    w->active = base + active;
    w->sampling = base + sampling;
    return 1;
}

size_t reformer_generate_bytes(const reformer_decoder_t *d, const reformer_generate_t *g) {
    writer_t w;
    if (!REFORMER_SIZED(d) || !REFORMER_SIZED(g) || d->vocab < 1 || d->vocab > INT32_MAX) return 0;
    if (g->batch > d->batch) return 0;
    return lay_out(d, g, NULL, &w) ? w.bytes : 0;
}

int reformer_check_generate(const reformer_decoder_t *d, const reformer_generate_t *g) {
    if (!d || !g) return REFORMER_E_ARGUMENT;
    if (!REFORMER_SIZED(d) || !REFORMER_SIZED(g)) return REFORMER_E_SIZE;
    if (!d->prefill || !d->step || !g->input_ids || !g->tokens || g->max_tokens == 0)
        return REFORMER_E_ARGUMENT;
    if (d->vocab < 1 || d->vocab > INT32_MAX) return REFORMER_E_ARGUMENT;
    if (g->batch > d->batch) return REFORMER_E_BATCH;
    if (g->length == 0) return REFORMER_E_LENGTH;
    if (g->n_stops && (!g->stops || !g->stop_lengths)) return REFORMER_E_ARGUMENT;
    for (size_t i = 0; i < g->n_stops; i++)
        if (g->stop_lengths[i] == 0) return REFORMER_E_ARGUMENT;
    if (g->n_eos_tokens && !g->eos_tokens) return REFORMER_E_ARGUMENT;
    return g->sampling ? reformer_check_sampling(g->sampling) : REFORMER_OK;
}

size_t reformer_prompt(const reformer_generate_t *g, size_t row, int32_t *history) {
    size_t n = 0;
    for (size_t t = 0; t < g->length; t++) {
        size_t at = row * g->length + t;
        if (!g->attention_mask || g->attention_mask[at]) history[n++] = g->input_ids[at];
    }
    return n;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void end_row(const writer_t *w, size_t row, reformer_end_t why) {
    w->active[row] = 0;
    if (w->g->ends) w->g->ends[row] = (int)why;
}

/* Whether what the row has written ends with the sequence. */
static int ends_with(const int32_t *written, size_t n, const int32_t *sequence, size_t length) {
    if (n < length) return 0;
    for (size_t i = 0; i < length; i++)
        if (written[n - length + i] != sequence[i]) return 0;
    return 1;
}

int reformer_is_eos(const reformer_generate_t *g, int32_t token) {
    if (!g->stop_at_eos) return 0;
    if (g->n_eos_tokens == 0) return token == g->eos_token;
    for (size_t i = 0; i < g->n_eos_tokens; i++)
        if (token == g->eos_tokens[i]) return 1;
    return 0;
}

static int is_stopped(const writer_t *w, size_t row) {
    const reformer_generate_t *g = w->g;
    const int32_t *sequence = g->stops;
    for (size_t i = 0; i < g->n_stops; i++) {
        size_t n = g->stop_lengths[i];
        if (ends_with(g->tokens + row * g->max_tokens, w->written[row], sequence, n)) return 1;
        sequence += n;
    }
    return 0;
}

/* The row has a new token: does it end here? */
static void find_end(const writer_t *w, size_t row, int32_t token, int said) {
    const reformer_generate_t *g = w->g;
    if (reformer_is_eos(g, token)) end_row(w, row, REFORMER_END_EOS);
    else if (is_stopped(w, row)) end_row(w, row, REFORMER_END_STOP);
    else if (said != REFORMER_GO_ON) end_row(w, row, REFORMER_END_CALLBACK);
    else if (w->written[row] == g->max_tokens) end_row(w, row, REFORMER_END_LENGTH);
    else if (w->known[row] > w->d->capacity) end_row(w, row, REFORMER_END_FULL);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static const reformer_sampling_t greedy = {.size = sizeof greedy};

static int choose(const writer_t *w, size_t row, int *said) {
    const reformer_generate_t *g = w->g;
    size_t vocab = (size_t)w->d->vocab, n = w->written[row];
    const float *logits = w->logits + row * vocab;
    int32_t *history = w->history + row * w->span, token;
    int error = reformer_sample(g->sampling ? g->sampling : &greedy, logits, w->d->vocab, history,
                                w->known[row], row, n, w->sampling, w->sampling_bytes, &token);
    if (error) return error;
    float *keep = g->logits ? g->logits + (row * g->max_tokens + n) * vocab : NULL;
    for (size_t i = 0; keep && i < vocab; i++) keep[i] = logits[i];
    history[w->known[row]++] = token;
    g->tokens[row * g->max_tokens + w->written[row]++] = token;
    w->next[row] = token;
    *said = g->on_token ? g->on_token(g->on_token_ctx, row, token, logits) : REFORMER_GO_ON;
    find_end(w, row, token, *said);
    return REFORMER_OK;
}

/* A token for every active row; *active: rows that go on. */
static int choose_all(const writer_t *w, size_t *active) {
    int all = 0;
    *active = 0;
    for (size_t row = 0; row < w->rows; row++) {
        int said = REFORMER_GO_ON;
        if (w->active[row] && all) end_row(w, row, REFORMER_END_CALLBACK);
        if (!w->active[row]) continue;
        int error = choose(w, row, &said);
        if (error) return error;
        all = all || said == REFORMER_STOP_ALL;
        *active += w->active[row];
    }
    for (size_t row = 0; all && row < w->rows; row++)
        if (w->active[row]) end_row(w, row, REFORMER_END_CALLBACK);
    if (all) *active = 0;
    return REFORMER_OK;
}

static void begin(const writer_t *w) {
    const reformer_generate_t *g = w->g;
    for (size_t row = 0; row < w->rows; row++) {
        w->known[row] = reformer_prompt(g, row, w->history + row * w->span);
        w->written[row] = 0;
        w->next[row] = 0;
        w->active[row] = 1;
        if (g->ends) g->ends[row] = REFORMER_END_NONE;
        for (size_t i = 0; i < g->max_tokens; i++)
            g->tokens[row * g->max_tokens + i] = g->pad_token;
        if (w->known[row] == 0) end_row(w, row, REFORMER_END_NONE);
    }
}

/* On threads that live as long as the texts are written. */
static void write_all(void *ctx, const reformer_pool_t *pool) {
    writer_t *w = (writer_t *)ctx;
    const reformer_generate_t *g = w->g;
    begin(w);
    reformer_decode_t io = {.size = sizeof io,
                            .input_ids = g->input_ids,
                            .attention_mask = g->attention_mask,
                            .batch = w->rows,
                            .length = g->length,
                            .threads = g->threads,
                            .pool = pool,
                            .logits = w->logits};
    w->error = w->d->prefill(w->d->ctx, &io);
    io.input_ids = w->next;
    io.attention_mask = w->active;
    io.length = 0;
    for (size_t active = 1; !w->error;) {
        w->error = choose_all(w, &active);
        if (w->error || active == 0) break;
        w->error = w->d->step(w->d->ctx, &io);
    }
}

int reformer_generate(const reformer_decoder_t *d, const reformer_generate_t *g, void *scratch,
                      size_t bytes) {
    writer_t w;
    int error = reformer_check_generate(d, g);
    if (error) return error;
    if (!scratch || (uintptr_t)scratch % sizeof(void *)) return REFORMER_E_ARGUMENT;
    if (!lay_out(d, g, scratch, &w)) return REFORMER_E_LENGTH;
    if (w.bytes > bytes) return REFORMER_E_WORKSPACE;
    reformer_on_threads(g->pool, g->threads, write_all, &w);
    for (size_t row = 0; g->counts && row < w.rows; row++) g->counts[row] = w.written[row];
    return w.error;
}
