/* reformerc score: how likely each line of a text is (lines.h), for ranking and to find what is odd.
 *
 * In: a model, its weights, a text. Out: a row per line; progress on stderr.
 *
 * One forward takes windows that are padded to the same length, of any lines; what lies behind the shorter ones
 * is masked. Each is, bit for bit, what it is alone: nothing in a causal model looks ahead, and padding is sorted
 * behind all tokens. Padded any further it would not be, since where a hash round ends is seen by the next. */
#include "commands/score/lines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "cli/interrupt.h"
#include "commands/commands.h"
#include "report/progress.h"
#include "session/score.h"
#include "support/clock.h"
#include "support/heap.h"

enum {
    ROWS = 8, /* of a forward, where the spec does not say */
    MOST_TOKENS =
        64 * 1024, /* of a forward of so many rows: long lines keep all workers busy alone */
    IGNORED = -100
};

/* ---- lines ------------------------------------------------------------------------------------------ */

static int64_t count_lines(const char *text, size_t bytes) {
    int64_t n = bytes > 0 && text[bytes - 1] != '\n';
    for (size_t i = 0; i < bytes; i++) n += text[i] == '\n';
    return n;
}

static bool read_line(score_lines_t *s, const text_t *text, const char *from, size_t bytes,
                      sbuf_t *place) {
    line_t *l = &s->lines[s->n_lines++];
    l->number = s->n_lines;
    place->size = 0;
    sbuf_printf(place, "%s:%lld", s->path, (long long)l->number);
    if (!text_encode(text, from, bytes, &l->tokens, place->data, s->session->d)) return false;
    s->tokens += l->tokens.n;
    if (l->tokens.n > s->longest) s->longest = l->tokens.n;
    return true;
}

static bool split(score_lines_t *s, const text_t *text, const char *content, size_t bytes) {
    sbuf_t place = {0};
    bool ok = true;
    for (size_t at = 0; ok && at < bytes;) {
        const char *end = memchr(content + at, '\n', bytes - at);
        size_t n = end ? (size_t)(end - (content + at)) : bytes - at;
        ok = read_line(s, text, content + at, n, &place);
        at += n + 1;
    }
    sbuf_free(&place);
    return ok;
}

static bool read_lines(score_lines_t *s, const text_t *text) {
    size_t bytes;
    diag_t *d = s->session->d;
    char *content = text_read(text, s->path, &bytes, d);
    if (!content) return false;
    int64_t n = count_lines(content, bytes);
    if (n == 0) diag_error(d, IN_FILE(s->path), "has no lines: nothing to score");
    s->lines = ARENA_ARRAY(s->session->arena, line_t, n);
    bool ok = n > 0 && split(s, text, content, bytes);
    heap_free(content);
    return ok;
}

/* ---- windows ---------------------------------------------------------------------------------------- */

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Longer lines are cut. */
static int64_t greatest_length(const loaded_model_t *m) {
    int n = m->spec->compile.n_lengths;
    return n > 0 ? m->spec->compile.lengths[n - 1] : m->facts.longest;
}

static int64_t windows_of(int64_t tokens, int64_t most) {
    return tokens / most + (tokens % most >= 2);
}

static int64_t count_windows(const score_lines_t *s, int64_t most) {
    int64_t n = 0;
    for (int64_t i = 0; i < s->n_lines; i++) n += windows_of(s->lines[i].tokens.n, most);
    return n;
}

/* What the runtime pads to, near enough to foresee which windows go together. */
static int64_t padded_length(const loaded_model_t *m, int64_t length) {
    const spec_t *s = m->spec;
    for (int i = 0; i < m->n_graphs; i++)
        if (length <= graph_longest(m->graphs[i])) return graph_padded_length(m->graphs[i], length);
    int64_t shortest = spec_min_chunk(s);
    if (s->compile.length_mode == LENGTH_DYNAMIC)
        return length < shortest ? shortest : spec_padded_length(s, length);
    int i = 0;
    while (length > s->compile.lengths[i]) i++;
    return s->compile.lengths[i];
}

static int64_t *padded_lengths(const score_lines_t *s, int64_t most, int64_t n) {
    int64_t *padded = ARENA_ARRAY(s->session->arena, int64_t, n), *next = padded;
    for (int64_t i = 0; i < s->n_lines; i++)
        for (int64_t left = s->lines[i].tokens.n; left >= 2; left -= most)
            *next++ = padded_length(&s->session->model, smaller(left, most));
    return padded;
}

static int ascending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Tokens that forwards of so many rows compute, rows without a window included. */
static int64_t work(const int64_t *padded, int64_t n, int64_t rows) {
    int64_t sum = 0;
    for (int64_t i = 0, k; i < n; i += k) {
        for (k = 1; k < rows && i + k < n && padded[i + k] == padded[i];) k++;
        sum += rows * padded[i];
    }
    return sum;
}

/* Of a spec that says nothing: as many as make no more than a fifth of the work waste. */
static int64_t rows_at_once(const score_lines_t *s) {
    int64_t most = greatest_length(&s->session->model), n = count_windows(s, most);
    if (n == 0) return 1;
    int64_t *padded = padded_lengths(s, most, n), rows = smaller(ROWS, n);
    qsort(padded, (size_t)n, sizeof *padded, ascending);
    while (rows > 1 && (rows * padded[n - 1] > MOST_TOKENS ||
                        4 * work(padded, n, rows) > 5 * work(padded, n, 1)))
        rows--;
    return rows;
}

static bool plan_lines(score_lines_t *s) {
    spec_t *spec = s->session->spec;
    if (spec->compile.length_mode == LENGTH_ABSENT) spec->compile.length_mode = LENGTH_DYNAMIC;
    session_plan_t want = {.name = "model", .runs = true, .exact_batch = rows_at_once(s)};
    return session_plan(s->session, &want);
}

static void cut_line(score_lines_t *s, line_t *l, int64_t most) {
    l->windows = l->missing = windows_of(l->tokens.n, most);
    for (int64_t at = 0; l->tokens.n - at >= 2; at += most) {
        window_t *w = &s->windows[s->n_windows++];
        *w = (window_t){
            .line = l, .ids = l->tokens.ids + at, .length = smaller(most, l->tokens.n - at)};
        w->variant = plan_fitting(s->session->plan, (size_t)w->length);
        w->padded = variant_padded(w->variant, w->length);
    }
}

static void cut_lines(score_lines_t *s) {
    int64_t most = greatest_length(&s->session->model);
    s->windows = ARENA_ARRAY(s->session->arena, window_t, count_windows(s, most));
    for (int64_t i = 0; i < s->n_lines; i++) cut_line(s, &s->lines[i], most);
}

/* One warning, at the first line of which it is true. */
static void check_bucket_number(const score_lines_t *s) {
    const session_t *x = s->session;
    buckets_taken_t taken = session_buckets(x);
    for (int64_t i = 0; i < s->n_windows; i++) {
        const window_t *w = &s->windows[i];
        const char *of = arena_printf(x->arena, "line %lld", (long long)w->line->number);
        if (buckets_warn(&taken, w->length, of, x->d)) return;
    }
}

static bool fit_together(const window_t *x, const window_t *y) {
    return x->variant == y->variant && x->padded == y->padded;
}

/* Variants, like windows, stand in an array. */
static int by_padded_length(const void *a, const void *b) {
    const window_t *x = *(window_t *const *)a, *y = *(window_t *const *)b;
    if (x->variant != y->variant) return x->variant < y->variant ? -1 : 1;
    if (x->padded != y->padded) return x->padded < y->padded ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* ---- forwards --------------------------------------------------------------------------------------- */

/* Windows of one padded length, and what a forward needs of memory. */
typedef struct {
    window_t **windows; /* [rows] */
    int64_t rows, length;
    int32_t *ids, *labels; /* [rows][length] */
    uint8_t *mask;
    float *losses;
} batch_t;

static batch_t batch_new(const score_lines_t *s) {
    arena_t *a = s->session->arena;
    int64_t n = s->session->plan->batch * smaller(s->longest, greatest_length(&s->session->model));
    return (batch_t){.ids = ARENA_ARRAY(a, int32_t, n),
                     .labels = ARENA_ARRAY(a, int32_t, n),
                     .mask = ARENA_ARRAY(a, uint8_t, n),
                     .losses = ARENA_ARRAY(a, float, n)};
}

/* As many of windows[0 … left-1] as go together. */
static void take(batch_t *b, window_t **windows, int64_t left, int64_t batch) {
    b->windows = windows;
    b->rows = b->length = 0;
    while (b->rows < smaller(batch, left) && fit_together(windows[0], windows[b->rows])) {
        if (windows[b->rows]->length > b->length) b->length = windows[b->rows]->length;
        b->rows++;
    }
}

/* What id is masked does not matter, as long as it is one. */
static void fill(batch_t *b) {
    for (int64_t r = 0; r < b->rows; r++) {
        const window_t *w = b->windows[r];
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
        window_t *w = b->windows[r];
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

static void show(const score_lines_t *s, progress_t *p, int64_t total) {
    char said[64];
    snprintf(said, sizeof said, "%.4f bits per token", s->nats / (double)s->scored / log(2.0));
    progress_show(p, s->read, total, said);
}

/* All windows, until Ctrl-C. */
static bool run_windows(score_lines_t *s) {
    arena_t *a = s->session->arena;
    window_t **order = ARENA_ARRAY(a, window_t *, s->n_windows);
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
    return ok;
}

/* A line's windows are added up in their order, whatever order they ran in. */
static void add_up(score_lines_t *s) {
    for (int64_t i = 0; i < s->n_windows; i++) {
        const window_t *w = &s->windows[i];
        if (!w->done) continue;
        w->line->nats += w->nats;
        w->line->scored += w->length - 1;
        w->line->missing--;
    }
    for (int64_t i = 0; i < s->n_lines; i++) s->rest += s->lines[i].missing > 0;
}

/* ---- the command ------------------------------------------------------------------------------------ */

static const char *plural(int64_t n) {
    return n == 1 ? "" : "s";
}

static void announce(const score_lines_t *s) {
    const session_t *x = s->session;
    fprintf(
        stderr,
        "%lld line%s, %lld token%s, up to %lld row%s at once; back end %s, target %s, %d thread%s\n",
        (long long)s->n_lines, plural(s->n_lines), (long long)s->tokens, plural(s->tokens),
        (long long)x->plan->batch, plural(x->plan->batch), backend_names[x->o->backend],
        x->plan->targets[0]->name, x->threads, plural(x->threads));
}

static void conclude(const score_lines_t *s) {
    if (s->rest)
        fprintf(stderr, "interrupted: %lld of %lld lines are scored\n",
                (long long)(s->n_lines - s->rest), (long long)s->n_lines);
    if (s->scored)
        fprintf(stderr, "%lld token%s scored: %.6f bits per token, %.0f tokens/s\n",
                (long long)s->scored, plural(s->scored), s->nats / (double)s->scored / log(2.0),
                (double)s->read / s->seconds);
}

static bool score_lines(score_lines_t *s) {
    if (!plan_lines(s)) return false;
    cut_lines(s);
    check_bucket_number(s);
    if (!session_open(s->session)) return false;
    announce(s);
    interrupt_catch();
    if (!run_windows(s)) return false;
    add_up(s);
    conclude(s);
    output_set_t set = {0};
    bool ok = session_profile_put(s->session, &set) && score_lines_report(s, &set) &&
              output_set_commit(&set);
    output_set_abort(&set);
    return ok;
}

static bool score_session(score_lines_t *s) {
    session_t *x = s->session;
    if (!session_profile_open(x) || !score_lines_check_outputs(s) || !score_spec(x)) return false;
    text_t *text = text_open(&x->model, x->d);
    bool ok = text && read_lines(s, text) && score_lines(s);
    text_free(text);
    return ok;
}

int command_score(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    static const option_id_t needed[] = {OPT_TEXT};
    int missing = check_needed(o, needed, 1);
    if (missing) return missing;
    session_t x = session_new(o, d);
    x.advises = true;
    bool piped = strcmp(o->text[OPT_TEXT], "-") == 0;
    score_lines_t s = {.session = &x, .path = piped ? "/dev/stdin" : o->text[OPT_TEXT]};
    bool ok = score_session(&s);
    for (int64_t i = 0; i < s.n_lines; i++) tokens_free(&s.lines[i].tokens);
    session_free(&x);
    if (ok && s.rest) return 128 + interrupt_caught();
    return ok ? 0 : EXIT_VALUE;
}
