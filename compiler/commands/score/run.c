/* The forwards of `score` (lines.h): windows of any lines, those of one padded length together.
 *
 * What lies behind the shorter ones is masked. Each is, bit for bit, what it is alone: nothing in a
 * causal model looks ahead, and padding is sorted behind all tokens. Padded any further it would
 * not be, since where a hash round ends is seen by the next. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/interrupt.h"
#include "commands/score/lines.h"
#include "report/progress.h"
#include "support/clock.h"

enum { IGNORED = -100 };

static bool fit_together(const line_window_t *x, const line_window_t *y) {
    return x->variant == y->variant && x->padded == y->padded;
}

/* Variants, like windows, stand in an array. */
static int by_padded_length(const void *a, const void *b) {
    const line_window_t *x = *(line_window_t *const *)a, *y = *(line_window_t *const *)b;
    if (x->variant != y->variant) return x->variant < y->variant ? -1 : 1;
    if (x->padded != y->padded) return x->padded < y->padded ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Windows of one padded length, and what a forward needs of memory. */
typedef struct {
    line_window_t **windows; /* [rows] */
    int64_t rows, length;
    int32_t *ids, *labels; /* [rows][length] */
    uint8_t *mask;
    float *losses;
} batch_t;

static batch_t batch_new(const score_lines_t *s) {
    arena_t *a = s->session->arena;
    int64_t n = s->session->plan->batch * score_longest_window(s);
    return (batch_t){.ids = ARENA_ARRAY(a, int32_t, n),
                     .labels = ARENA_ARRAY(a, int32_t, n),
                     .mask = ARENA_ARRAY(a, uint8_t, n),
                     .losses = ARENA_ARRAY(a, float, n)};
}

/* As many of windows[0 … left-1] as go together. */
static void take(batch_t *b, line_window_t **windows, int64_t left, int64_t batch) {
    b->windows = windows;
    b->rows = b->length = 0;
    while (b->rows < batch && b->rows < left && fit_together(windows[0], windows[b->rows])) {
        if (windows[b->rows]->length > b->length) b->length = windows[b->rows]->length;
        b->rows++;
    }
}

/* What id is masked does not matter, as long as it is one. */
static void fill(batch_t *b) {
    for (int64_t r = 0; r < b->rows; r++) {
        const line_window_t *w = b->windows[r];
        for (int64_t t = 0; t < b->length; t++) {
            bool real = t < w->length;
            int64_t at = r * b->length + t;
            b->ids[at] = real ? w->ids[t] : 0;
            b->labels[at] = real ? w->ids[t] : IGNORED;
            b->mask[at] = real;
        }
    }
}

static bool keep(score_lines_t *s, const batch_t *b) {
    for (int64_t r = 0; r < b->rows; r++) {
        line_window_t *w = b->windows[r];
        for (int64_t t = 0; t < w->length - 1; t++) w->nats += (double)b->losses[r * b->length + t];
        w->done = true;
        s->nats += w->nats;
        s->scored += w->length - 1;
        s->read += w->length;
        if (isfinite(w->nats)) continue;
        diag_error(s->session->d, IN_FILE(s->path),
                   "line %lld: the loss is not a finite number: these weights overflow",
                   (long long)w->line->number);
        return false;
    }
    return true;
}

static bool run_batch(score_lines_t *s, batch_t *b) {
    fill(b);
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = b->ids,
                        .attention_mask = b->mask,
                        .labels = b->labels,
                        .batch = (size_t)b->rows,
                        .length = (size_t)b->length,
                        .threads = s->session->threads,
                        .pool = pool_interface(s->session->pool),
                        .token_losses = b->losses};
    double start = clock_now();
    if (!session_forward(s->session, &io)) return false;
    s->seconds += clock_now() - start;
    return keep(s, b);
}

/* A line's windows are added up in their order, whatever order they ran in. */
static void add_up(score_lines_t *s) {
    for (int64_t i = 0; i < s->n_windows; i++) {
        const line_window_t *w = &s->windows[i];
        if (!w->done) continue;
        w->line->nats += w->nats;
        w->line->scored += w->length - 1;
        w->line->missing--;
    }
    for (int64_t i = 0; i < s->n_lines; i++) s->rest += s->lines[i].missing > 0;
}

static void show(const score_lines_t *s, progress_t *p, int64_t total) {
    char said[64];
    snprintf(said, sizeof said, "%.4f bits per token", s->nats / (double)s->scored / log(2.0));
    progress_show(p, s->read, total, said);
}

/* All windows, until Ctrl-C. */
bool score_run_windows(score_lines_t *s) {
    arena_t *a = s->session->arena;
    line_window_t **order = ARENA_ARRAY(a, line_window_t *, s->n_windows);
    int64_t total = 0, batch = s->session->plan->batch;
    for (int64_t i = 0; i < s->n_windows; i++) {
        order[i] = &s->windows[i];
        total += order[i]->length;
    }
    if (s->n_windows) qsort(order, (size_t)s->n_windows, sizeof *order, by_padded_length);
    batch_t b = batch_new(s);
    progress_t p = progress_new("tokens", 0);
    bool ok = true;
    for (int64_t at = 0; ok && at < s->n_windows && !interrupt_caught(); at += b.rows) {
        take(&b, order + at, s->n_windows - at, batch);
        ok = run_batch(s, &b);
        if (ok) show(s, &p, total);
    }
    progress_finish(&p);
    if (ok) add_up(s);
    return ok;
}
