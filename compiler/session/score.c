/* Tokens, windows and sums of score.h. */
#include "session/score.h"

#include <math.h>

#include "support/clock.h"
#include "support/heap.h"

/* ---- the text -------------------------------------------------------------------------------- */

static bool enough(const text_t *text, const tokens_t *t, const char *path, diag_t *d) {
    if (t->n >= 2) return true;
    diag_error(d, IN_FILE(path),
               "has %lld %s%s: nothing to score; a token is scored from its predecessors",
               (long long)t->n, text_is_bytes(text) ? "byte" : "token", t->n == 1 ? "" : "s");
    return false;
}

bool score_read(const text_t *text, const char *path, tokens_t *t, diag_t *d) {
    size_t bytes;
    char *content = text_read(text, path, &bytes, d);
    bool ok = content && text_encode(text, content, bytes, t, path, d) && enough(text, t, path, d);
    heap_free(content);
    return ok;
}

/* ---- the model ------------------------------------------------------------------------------- */

static bool check_causal(const session_t *s) {
    if (s->model.facts.head == ARCH_CAUSAL_LM) return true;
    diag_error(s->d, IN_FILE(s->spec->path), "is a %s; %s scores causal language models",
               arch_hf_name(s->model.facts.head), s->o->command->name);
    return false;
}

bool score_spec(session_t *s) {
    return session_spec(s) && check_causal(s) && session_need_weights(s);
}

/* All windows have the greatest length but the last: of a list of lengths one is enough. */
static void keep_greatest_length(const loaded_model_t *m) {
    int64_t lengths[MAX_GRAPHS];
    int n = model_lengths(m, lengths);
    spec_t *s = m->spec;
    if (n < 2) return;
    s->compile.length_mode = LENGTH_FIXED;
    s->compile.lengths[0] = lengths[n - 1];
    s->compile.n_lengths = 1;
}

/* The first window decides for Hugging Face, too: only a text that does not fill it differs. */
bool score_plan(session_t *s, const tokens_t *t) {
    keep_greatest_length(&s->model);
    session_plan_t want = {.name = "model", .runs = true};
    if (!session_plan(s, &want)) return false;
    buckets_taken_t taken = session_buckets(s);
    if (t && t->n < taken.longest) (void)buckets_warn(&taken, t->n, "the text", s->d);
    return true;
}

score_t score_new(const session_t *s) {
    const plan_t *p = s->plan;
    return (score_t){.window = p->variants[p->n_variants - 1].max_length, .batch = p->batch};
}

/* ---- scoring --------------------------------------------------------------------------------- */

double score_nats(const score_t *sc) {
    return sc->nats / (double)sc->bytes;
}

double score_bits(const score_t *sc) {
    return score_nats(sc) / log(2.0);
}

double score_token_nats(const score_t *sc) {
    return sc->nats / (double)sc->scored;
}

double score_token_bits(const score_t *sc) {
    return score_token_nats(sc) / log(2.0);
}

double score_speed(const score_t *sc) {
    return (double)sc->read / sc->seconds;
}

/* A product of these weights that overflows makes every figure one that says nothing. */
static bool check_loss(const session_t *s, float loss) {
    if (isfinite(loss)) return true;
    diag_error(s->d, NOWHERE, "the loss is not a finite number: these weights overflow");
    return false;
}

/* `rows` windows of `length` tokens from `at` on. */
static bool score_rows(session_t *s, score_t *sc, const tokens_t *t, int64_t at, int64_t rows,
                       int64_t length) {
    float loss = 0;
    const int32_t *ids = t->ids + at;
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .labels = ids,
                        .batch = (size_t)rows,
                        .length = (size_t)length,
                        .threads = s->threads,
                        .pool = pool_interface(s->pool),
                        .loss = &loss};
    double start = clock_now();
    if (!session_forward(s, &io) || !check_loss(s, loss)) return false;
    sc->seconds += clock_now() - start;
    sc->nats += (double)loss * (double)(rows * (length - 1));
    sc->scored += rows * (length - 1);
    sc->read += rows * length;
    for (int64_t i = 0; i < rows; i++, at += length)
        sc->bytes += tokens_bytes(t, at + 1, at + length);
    return true;
}

/* A character that is written as several tokens may be counted to the first, from
 * which nothing is scored. */
static bool check_bytes(const session_t *s, const score_t *sc) {
    if (sc->bytes > 0) return true;
    diag_error(s->d, IN_FILE(s->o->text[OPT_TEXT]),
               "the tokens that are scored stand for no byte: there is no figure per byte");
    return false;
}

bool score_text(session_t *s, score_t *sc, const tokens_t *t, score_watch_fn *watch, void *ctx) {
    for (int64_t at = 0; t->n - at >= 2;) {
        int64_t full = (t->n - at) / sc->window;
        int64_t rows = full < 1 ? 1 : full < sc->batch ? full : sc->batch;
        int64_t length = full < 1 ? t->n - at : sc->window;
        if (!score_rows(s, sc, t, at, rows, length)) return false;
        at += rows * length;
        if (!watch(ctx, sc, at, t->n)) return false;
    }
    return check_bytes(s, sc);
}
