/* A text → lines → windows, and how many of these a forward takes at once (lines.h). */
#include "commands/score/lines.h"

#include <stdlib.h>
#include <string.h>

#include "support/heap.h"

enum {
    ROWS = 8, /* of a forward, where the spec does not say */
    MAX_TOKENS =
        64 * 1024, /* of a forward of so many rows: long lines keep all workers busy alone */
    IGNORED = -100
};

/* ---- lines ----------------------------------------------------------------------------------- */

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

bool score_read_lines(score_lines_t *s, const text_t *text) {
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

/* ---- windows --------------------------------------------------------------------------------- */

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Longer lines are cut. */
static int64_t greatest_length(const loaded_model_t *m) {
    int n = m->spec->compile.n_lengths;
    return n > 0 ? m->spec->compile.lengths[n - 1] : m->facts.longest;
}

static int64_t windows_of(int64_t tokens, int64_t max) {
    return tokens / max + (tokens % max >= 2);
}

static int64_t count_windows(const score_lines_t *s, int64_t max) {
    int64_t n = 0;
    for (int64_t i = 0; i < s->n_lines; i++) n += windows_of(s->lines[i].tokens.n, max);
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

static int64_t *padded_lengths(const score_lines_t *s, int64_t max, int64_t n) {
    int64_t *padded = ARENA_ARRAY(s->session->arena, int64_t, n), *next = padded;
    for (int64_t i = 0; i < s->n_lines; i++)
        for (int64_t left = s->lines[i].tokens.n; left >= 2; left -= max)
            *next++ = padded_length(&s->session->model, smaller(left, max));
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
    int64_t max = greatest_length(&s->session->model), n = count_windows(s, max);
    if (n == 0) return 1;
    int64_t *padded = padded_lengths(s, max, n), rows = smaller(ROWS, n);
    qsort(padded, (size_t)n, sizeof *padded, ascending);
    while (rows > 1 && (rows * padded[n - 1] > MAX_TOKENS ||
                        4 * work(padded, n, rows) > 5 * work(padded, n, 1)))
        rows--;
    return rows;
}

bool score_plan_lines(score_lines_t *s) {
    spec_t *spec = s->session->spec;
    if (spec->compile.length_mode == LENGTH_ABSENT) spec->compile.length_mode = LENGTH_DYNAMIC;
    session_plan_t want = {.name = "model", .runs = true, .exact_batch = rows_at_once(s)};
    return session_plan(s->session, &want);
}

static void cut_line(score_lines_t *s, line_t *l, int64_t max) {
    l->windows = l->missing = windows_of(l->tokens.n, max);
    for (int64_t at = 0; l->tokens.n - at >= 2; at += max) {
        line_window_t *w = &s->windows[s->n_windows++];
        *w = (line_window_t){
            .line = l, .ids = l->tokens.ids + at, .length = smaller(max, l->tokens.n - at)};
        w->variant = plan_fitting(s->session->plan, (size_t)w->length);
        w->padded = variant_padded(w->variant, w->length);
    }
}

void score_cut_lines(score_lines_t *s) {
    int64_t max = greatest_length(&s->session->model);
    s->windows = ARENA_ARRAY(s->session->arena, line_window_t, count_windows(s, max));
    for (int64_t i = 0; i < s->n_lines; i++) cut_line(s, &s->lines[i], max);
}

/* One warning, at the first line of which it is true. */
void score_check_buckets(const score_lines_t *s) {
    const session_t *x = s->session;
    buckets_taken_t taken = session_buckets(x);
    for (int64_t i = 0; i < s->n_windows; i++) {
        const line_window_t *w = &s->windows[i];
        const char *of = arena_printf(x->arena, "line %lld", (long long)w->line->number);
        if (buckets_warn(&taken, w->length, of, x->d)) return;
    }
}

int64_t score_longest_window(const score_lines_t *s) {
    return smaller(s->longest, greatest_length(&s->session->model));
}
