/* Executors as a reformer_decoder_t: over a cache, or over forwards that read all the text again.
 *
 * Without a cache rows are read one by one, each at its own length, so that none
 * depends on another. */
#include <stdlib.h>
#include <string.h>

#include "cli/interrupt.h"
#include "commands/generate/generate.h"
#include "support/clock.h"
#include "support/heap.h"

enum { INTERRUPTED = -2 };

/* Of a beam search, which has no callback: the text of several beams is known at its end only. */
static bool is_interrupted(generate_t *g) {
    if (g->beams == 1 || !interrupt_caught()) return false;
    g->interrupted = true;
    return true;
}

/* ---- with a cache ---------------------------------------------------------------------------- */

typedef struct {
    generate_t *g;
    exec_cache_t *cache;
} cached_t;

static int cached_prefill(void *ctx, const reformer_decode_t *io) {
    cached_t *c = ctx;
    session_t *s = c->g->session;
    reformer_decode_t whole = session_decode_io(s, io);
    double start = clock_now();
    profile_begin(s->profile, "prefill");
    int code = exec_prefill(c->cache, &whole, s->d);
    profile_end(s->profile);
    c->g->prompt_seconds += clock_now() - start;
    return code;
}

static int cached_step(void *ctx, const reformer_decode_t *io) {
    cached_t *c = ctx;
    session_t *s = c->g->session;
    if (is_interrupted(c->g)) return INTERRUPTED;
    reformer_decode_t whole = session_decode_io(s, io);
    profile_begin(s->profile, "step");
    int code = exec_step(c->cache, &whole, s->d);
    profile_end(s->profile);
    return code;
}

static int cached_copy_row(void *ctx, size_t from, size_t to) {
    return exec_cache_copy_row(((cached_t *)ctx)->cache, from, to);
}

static bool open_cached(generate_t *g, int64_t room) {
    session_t *s = g->session;
    cached_t *c = ARENA_NEW(s->arena, cached_t);
    c->g = g;
    c->cache = exec_cache_new(s->exec, (size_t)room, (size_t)g->prompts.length, s->threads, s->d);
    g->decoder = (reformer_decoder_t){.size = sizeof(reformer_decoder_t),
                                      .ctx = c,
                                      .prefill = cached_prefill,
                                      .step = cached_step,
                                      .copy_row = cached_copy_row};
    return c->cache != NULL;
}

/* ---- without one ----------------------------------------------------------------------------- */

typedef struct {
    generate_t *g;
    int64_t room, vocab;
    int32_t *ids;   /* [batch][room] */
    size_t *tokens; /* [batch] */
    float *logits;  /* [room][vocab], of one row */
} recomputed_t;

/* A row's logits behind its last token. */
static bool read_row(recomputed_t *c, size_t row, float *logits) {
    session_t *s = c->g->session;
    size_t n = c->tokens[row];
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = c->ids + (int64_t)row * c->room,
                        .batch = 1,
                        .length = n,
                        .threads = s->threads,
                        .pool = pool_interface(s->pool),
                        .logits = c->logits};
    if (!session_forward(s, &io)) return false;
    memcpy(logits, c->logits + (int64_t)(n - 1) * c->vocab, (size_t)c->vocab * sizeof *logits);
    return true;
}

/* Appends `length` tokens to each row but those that are masked, and reads the
 * rows that got any. */
static int append(recomputed_t *c, const reformer_decode_t *io, size_t length) {
    for (size_t r = 0; r < io->batch; r++) {
        size_t before = c->tokens[r];
        for (size_t at = r * length; at < (r + 1) * length; at++) {
            if (io->attention_mask && !io->attention_mask[at]) continue;
            if (c->tokens[r] == (size_t)c->room) return REFORMER_E_FULL;
            c->ids[(int64_t)r * c->room + (int64_t)c->tokens[r]++] = io->input_ids[at];
        }
        if (c->tokens[r] > before && !read_row(c, r, io->logits + (int64_t)r * c->vocab))
            return EXEC_FAILED;
    }
    return REFORMER_OK;
}

static int recomputed_prefill(void *ctx, const reformer_decode_t *io) {
    recomputed_t *c = ctx;
    memset(c->tokens, 0, io->batch * sizeof *c->tokens);
    double start = clock_now();
    int code = append(c, io, io->length);
    c->g->prompt_seconds += clock_now() - start;
    return code;
}

static int recomputed_step(void *ctx, const reformer_decode_t *io) {
    if (is_interrupted(((recomputed_t *)ctx)->g)) return INTERRUPTED;
    return append(ctx, io, 1);
}

static int recomputed_copy_row(void *ctx, size_t from, size_t to) {
    recomputed_t *c = ctx;
    memcpy(c->ids + (int64_t)to * c->room, c->ids + (int64_t)from * c->room,
           c->tokens[from] * sizeof *c->ids);
    c->tokens[to] = c->tokens[from];
    return REFORMER_OK;
}

static bool open_recomputed(generate_t *g, int64_t rows, int64_t room) {
    session_t *s = g->session;
    recomputed_t *c = ARENA_NEW(s->arena, recomputed_t);
    *c = (recomputed_t){.g = g, .room = room, .vocab = s->model.facts.vocab};
    c->ids = ARENA_ARRAY(s->arena, int32_t, rows * room);
    c->tokens = ARENA_ARRAY(s->arena, size_t, rows);
    size_t bytes;
    bool fits = checked_product((int64_t[]){room, c->vocab}, 2, sizeof *c->logits, &bytes);
    c->logits = fits ? malloc(bytes) : NULL;
    if (!c->logits)
        diag_no_memory(s->d, NOWHERE, "not enough memory for the logits of %lld tokens",
                       (long long)room);
    g->decoder = (reformer_decoder_t){.size = sizeof(reformer_decoder_t),
                                      .ctx = c,
                                      .prefill = recomputed_prefill,
                                      .step = recomputed_step,
                                      .copy_row = recomputed_copy_row};
    return c->logits != NULL;
}

/* ---- one of the two -------------------------------------------------------------------------- */

/* The last token is picked, not read. */
bool decoder_open(generate_t *g) {
    const session_t *s = g->session;
    int64_t room = g->prompts.length + g->max_tokens - 1;
    int64_t rows = g->beams > g->prompts.batch ? g->beams : g->prompts.batch;
    bool ok = s->o->given[OPT_NO_CACHE] ? open_recomputed(g, rows, room) : open_cached(g, room);
    g->decoder.batch = (size_t)rows;
    g->decoder.capacity = (size_t)room;
    g->decoder.vocab = s->model.facts.vocab;
    return ok;
}

void decoder_close(generate_t *g) {
    if (!g->decoder.ctx) return;
    if (g->session->o->given[OPT_NO_CACHE]) heap_free(((recomputed_t *)g->decoder.ctx)->logits);
    else exec_cache_free(((cached_t *)g->decoder.ctx)->cache);
}
