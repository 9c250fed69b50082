/* reformerc eval: how well a causal language model predicts a text.
 *
 * The text is cut into consecutive windows of the compiled length; each is scored on its tokens 2 … L,
 * as Hugging Face's loss does. The last, shorter window counts if it has two tokens. The result is the
 * mean over all scored tokens. Numbers go to stdout, progress to stderr. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands/session.h"

enum { BYTE_OFFSET = 2, BYTE_VOCABULARY = 258 }; /* id = byte + 2: 0 and 1 are padding and end */

typedef struct {
    int32_t *ids;
    int64_t n;
} tokens_t;

typedef struct {
    int64_t window, batch;
    int64_t scored, read; /* tokens so far */
    double nats, seconds; /* sums so far */
} score_t;

/* ---- the text ----------------------------------------------------------------------------------- */

static bool check_text_kind(const spec_t *s, diag_t *d) {
    if (s->architecture != ARCH_CAUSAL_LM) {
        diag_error(d, IN_FILE(s->path), "is a %s; eval scores causal language models",
                   arch_hf_name(s->architecture));
        return false;
    }
    if (s->compile.text == TEXT_BYTES) return true; /* the spec's checks know that all ids fit */
    if (s->compile.text == TEXT_UNSET && s->vocab_size == BYTE_VOCABULARY) return true;
    if (s->compile.text == TEXT_SENTENCEPIECE) {
        diag_error(d, s->at[KEY_compile_text], "this version reads text as bytes only");
        return false;
    }
    diag_error(d, IN_FILE(s->path), "how text becomes ids is unknown: vocab_size is %lld, not %d",
               (long long)s->vocab_size, BYTE_VOCABULARY);
    diag_hint(d, "--set compile.text=bytes: id = byte + %d", BYTE_OFFSET);
    return false;
}

static bool encode(tokens_t *t, const char *text, size_t bytes, const char *path, diag_t *d) {
    t->n = (int64_t)bytes;
    t->ids = malloc((bytes ? bytes : 1) * sizeof *t->ids);
    if (!t->ids) {
        diag_error(d, IN_FILE(path), "not enough memory for %zu tokens", bytes);
        return false;
    }
    for (size_t i = 0; i < bytes; i++) t->ids[i] = (unsigned char)text[i] + BYTE_OFFSET;
    if (t->n >= 2) return true;
    diag_error(d, IN_FILE(path),
               "has %lld byte%s: nothing to score; a token is scored from its predecessors",
               (long long)t->n, t->n == 1 ? "" : "s");
    return false;
}

static bool read_text(tokens_t *t, const char *path, diag_t *d) {
    size_t bytes;
    char *text = file_read(path, 0, &bytes, d);
    bool ok = text && encode(t, text, bytes, path, d);
    free(text);
    return ok;
}

/* ---- progress ------------------------------------------------------------------------------------- */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A bar that redraws itself on a terminal; elsewhere a line per tenth. */
static void show_progress(const score_t *s, int64_t done, int64_t before, int64_t total) {
    enum { WIDTH = 40, TENTHS = 10 };
    double bits = s->nats / (double)s->scored / log(2.0);
    if (isatty(STDERR_FILENO)) {
        static const char full[] = "########################################";
        int n = (int)(WIDTH * done / total);
        fprintf(stderr, "\r[%-*.*s] %3d %%  %.4f bits per token%s", WIDTH, n, full,
                (int)(100 * done / total), bits, done == total ? "\n" : "");
    } else if (TENTHS * done / total > TENTHS * before / total) {
        fprintf(stderr, "%3d %%  %lld of %lld tokens  %.4f bits per token\n",
                (int)(100 * done / total), (long long)done, (long long)total, bits);
    }
}

/* ---- scoring ---------------------------------------------------------------------------------------- */

/* `rows` windows of `length` tokens from ids on. */
static bool score(session_t *s, score_t *sc, const int32_t *ids, int64_t rows, int64_t length) {
    float loss = 0;
    reformer_io_t io = {.input_ids = ids,
                        .labels = ids,
                        .batch = (size_t)rows,
                        .length = (size_t)length,
                        .threads = s->threads,
                        .pool = pool_interface(s->pool),
                        .loss = &loss};
    double start = now();
    if (!exec_forward(s->exec, &io, s->d)) return false;
    sc->seconds += now() - start;
    sc->nats += (double)loss * (double)(rows * (length - 1));
    sc->scored += rows * (length - 1);
    sc->read += rows * length;
    return true;
}

static bool score_all(session_t *s, score_t *sc, const tokens_t *t) {
    for (int64_t at = 0; t->n - at >= 2;) {
        int64_t full = (t->n - at) / sc->window;
        int64_t rows = full < 1 ? 1 : full < sc->batch ? full : sc->batch;
        int64_t length = full < 1 ? t->n - at : sc->window;
        if (!score(s, sc, t->ids + at, rows, length)) return false;
        show_progress(sc, at + rows * length, at, t->n);
        at += rows * length;
    }
    return true;
}

/* All windows have the greatest length but the last: of a list of lengths one is enough. */
static void keep_greatest_length(spec_t *s) {
    if (s->compile.length_mode != LENGTH_LIST) return;
    s->compile.length_mode = LENGTH_FIXED;
    s->compile.lengths[0] = s->compile.lengths[s->compile.n_lengths - 1];
    s->compile.n_lengths = 1;
}

static int64_t window_length(const plan_t *p) {
    return p->variants[p->n_variants - 1].max_length;
}

static bool print_score(const score_t *sc, diag_t *d) {
    double nats = sc->nats / (double)sc->scored;
    sbuf_t out = {0};
    sbuf_printf(
        &out,
        "nats_per_byte %.6f\nbits_per_byte %.6f\nscored_tokens %lld\ntokens_per_second %.6f\n",
        nats, nats / log(2.0), (long long)sc->scored, (double)sc->read / sc->seconds);
    bool ok = print_out(&out, d);
    sbuf_free(&out);
    return ok;
}

static bool eval_session(session_t *s, tokens_t *t) {
    const options_t *o = s->o;
    if (!session_spec(s) || !check_text_kind(s->spec, s->d) || !session_need_weights(s))
        return false;
    if (!read_text(t, o->text[OPT_TEXT], s->d)) return false;
    keep_greatest_length(s->spec);
    session_plan_t want = {.name = "model", .runs = true};
    if (!session_plan(s, &want) || !session_open(s)) return false;
    score_t sc = {.window = window_length(s->plan), .batch = s->plan->batch};
    fprintf(stderr, "%lld tokens in windows of %lld; back end %s, target %s, %d thread%s\n",
            (long long)t->n, (long long)sc.window, backend_names[o->backend],
            s->plan->targets[0]->name, s->threads, s->threads == 1 ? "" : "s");
    return score_all(s, &sc, t) && print_score(&sc, s->d);
}

int command_eval(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    static const option_id_t needed[] = {OPT_TEXT};
    int missing = check_needed(o, needed, 1);
    if (missing) return missing;
    session_t s = session_new(o, d);
    tokens_t t = {0};
    bool ok = eval_session(&s, &t);
    free(t.ids);
    session_free(&s);
    return ok ? 0 : EXIT_VALUE;
}
