/* Collects diagnostics, sorts them into file order, prints them with the line and a caret. */
#include "support/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "support/arena.h"
#include "support/printable.h"
#include "support/sbuf.h"
#include "support/shorten.h"
#include "support/unseen.h"

enum { QUOTE_COLUMNS = 100, NOTED_BYTES = 1 << 16 };

typedef struct {
    srcloc_t at;
    bool is_error, printed;
    int file_rank, order;
    const char *text, *hint;
} message_t;

typedef struct {
    const char *file, *text;
    size_t bytes;
} quoted_text_t;

struct diag {
    arena_t *arena;
    message_t *messages;
    size_t n, cap;
    quoted_text_t *sources;
    size_t n_sources, cap_sources;
    const char **inputs;
    size_t n_inputs, cap_inputs;
    int errors;
    bool silent, dropped; /* warnings are; the last message was one */
    bool ran_out;
};

diag_t *diag_new(void) {
    arena_t *a = arena_new();
    diag_t *d = ARENA_NEW(a, diag_t);
    d->arena = a;
    return d;
}

void diag_free(diag_t *d) {
    if (d) arena_free(d->arena);
}

void diag_source(diag_t *d, const char *file, const char *text, size_t bytes) {
    ARENA_PUSH(d->arena, d->sources, d->n_sources, d->cap_sources) =
        (quoted_text_t){file, text, bytes};
}

void diag_note_input(diag_t *d, const char *path) {
    for (size_t i = 0; i < d->n_inputs; i++)
        if (strcmp(d->inputs[i], path) == 0) return;
    ARENA_PUSH(d->arena, d->inputs, d->n_inputs, d->cap_inputs) = arena_strdup(d->arena, path);
}

const char *diag_input(const diag_t *d, size_t i) {
    return i < d->n_inputs ? d->inputs[i] : NULL;
}

/* The message that first spoke of the file, or NULL. */
static const message_t *first_of(const diag_t *d, const char *file) {
    size_t last =
        d->n ? d->n - 1 : 0; /* most likely the same: a file of errors takes linear time */
    if (d->n && file && d->messages[last].at.file && strcmp(file, d->messages[last].at.file) == 0)
        return &d->messages[last];
    for (size_t i = 0; i < d->n; i++) {
        const char *other = d->messages[i].at.file;
        if (file == other || (file && other && strcmp(file, other) == 0)) return &d->messages[i];
    }
    return NULL;
}

/* Whatever a message quotes: not longer than a person reads, nor than memory
 * holds of thousands of them. */
static const char *message_text(diag_t *d, const char *fmt, va_list ap) {
    sbuf_t whole = {0};
    sbuf_vprintf(&whole, fmt, ap);
    const char *text = shortened(d->arena, whole.data);
    if (text == whole.data) text = arena_strdup(d->arena, text);
    sbuf_free(&whole);
    return text;
}

/* File names are copied: callers free theirs, often because of the very error reported. */
static void report(diag_t *d, srcloc_t at, bool is_error, const char *fmt, va_list ap) {
    message_t m = {.at = at, .is_error = is_error, .order = (int)d->n};
    const message_t *first = first_of(d, at.file);
    d->dropped = false;
    m.file_rank = first ? first->file_rank : (int)d->n;
    if (at.file) m.at.file = first ? first->at.file : arena_strdup(d->arena, at.file);
    m.text = message_text(d, fmt, ap);
    ARENA_PUSH(d->arena, d->messages, d->n, d->cap) = m;
    d->errors += is_error;
}

void diag_error(diag_t *d, srcloc_t at, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    report(d, at, true, fmt, ap);
    va_end(ap);
}

void diag_no_memory(diag_t *d, srcloc_t at, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    report(d, at, true, fmt, ap);
    va_end(ap);
    d->ran_out = true;
}

bool diag_ran_out(const diag_t *d) {
    return d->ran_out;
}

/* What concerns a whole file, such as the compile cache, is said once however
 * many models meet it. */
static bool said_already(const diag_t *d, const message_t *last) {
    for (const message_t *m = d->messages; m < last && last->at.line == 0; m++)
        if (m->at.line == 0 && m->file_rank == last->file_rank && strcmp(m->text, last->text) == 0)
            return true;
    return false;
}

void diag_warning(diag_t *d, srcloc_t at, const char *fmt, ...) {
    va_list ap;
    d->dropped = d->silent;
    if (d->silent) return;
    va_start(ap, fmt);
    report(d, at, false, fmt, ap);
    va_end(ap);
    d->dropped = said_already(d, &d->messages[d->n - 1]);
    if (d->dropped) d->n--;
}

void diag_silence_warnings(diag_t *d) {
    d->silent = true;
}

void diag_hint(diag_t *d, const char *fmt, ...) {
    if (d->n == 0 || d->dropped) return;
    va_list ap;
    va_start(ap, fmt);
    d->messages[d->n - 1].hint = message_text(d, fmt, ap);
    va_end(ap);
}

static void report_text(diag_t *d, const message_t *m, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    report(d, m->at, m->is_error, fmt, ap);
    va_end(ap);
}

/* Several works on one model meet the same warnings. */
static bool is_repeated(const diag_t *d, const message_t *w) {
    const message_t *first = w->is_error ? NULL : first_of(d, w->at.file);
    for (const message_t *m = first; m && m < d->messages + d->n; m++)
        if (!m->is_error && m->file_rank == first->file_rank && m->at.line == w->at.line &&
            m->at.col == w->at.col && strcmp(m->text, w->text) == 0)
            return true;
    return false;
}

void diag_append(diag_t *d, const diag_t *from) {
    d->ran_out |= from->ran_out;
    for (size_t i = 0; i < from->n; i++) {
        if (d->silent && !from->messages[i].is_error) continue;
        if (is_repeated(d, &from->messages[i])) continue;
        report_text(d, &from->messages[i], "%s", from->messages[i].text);
        if (from->messages[i].hint) diag_hint(d, "%s", from->messages[i].hint);
    }
}

int diag_errors(const diag_t *d) {
    return d->errors;
}

static int by_place(const void *pa, const void *pb) {
    const message_t *a = pa, *b = pb;
    if (a->file_rank != b->file_rank) return a->file_rank < b->file_rank ? -1 : 1;
    if (a->at.line != b->at.line) return a->at.line < b->at.line ? -1 : 1;
    if (a->at.col != b->at.col) return a->at.col < b->at.col ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* User's text goes through here: one '?' for whatever could drive the terminal,
 * or cannot be seen on it. */
static const char *put_character(const char *p, const char *end, sbuf_t *out) {
    bool ok;
    size_t n = printable(p, end, &ok);
    if (ok && !is_unseen(p, n)) sbuf_write(out, p, n);
    else sbuf_puts(out, *p == '\t' ? " " : "?");
    return p + n;
}

/* A message, with names for what cannot be seen; our own texts may hold several lines. */
static void put_text(const diag_t *d, const char *text, sbuf_t *out) {
    const char *named = unseen_named(d->arena, text);
    for (const char *p = named, *end = p + strlen(p); p < end;) {
        if (*p == '\n') sbuf_write(out, p++, 1);
        else p = put_character(p, end, out);
    }
}

static void put_note(const diag_t *d, const char *note, sbuf_t *out) {
    if (!note) return;
    sbuf_puts(out, "    note: ");
    put_text(d, note, out);
    sbuf_puts(out, "\n");
}

/* Where the last message stood in its source: the next one, in file order, is looked for from
 * there, so that all of them together take one walk over the text. */
typedef struct {
    const quoted_text_t *source;
    const char *line; /* its first byte, and of column `col` */
    const char *at;
    int number, col;
} quote_place_t;

static const quoted_text_t *source_of(const diag_t *d, const char *file) {
    for (size_t i = d->n_sources; i-- > 0;)
        if (strcmp(d->sources[i].file, file) == 0) return &d->sources[i];
    return NULL;
}

/* Moves to a line and column, or to the line's end before it; false where the text has no such
 * line. Columns count characters, as libyaml's marks do. */
static bool move_to(quote_place_t *q, const quoted_text_t *s, int line, int col) {
    const char *end = s->text + s->bytes;
    bool ok;
    if (q->source != s || line < q->number)
        *q = (quote_place_t){.source = s, .line = s->text, .number = 1, .at = s->text, .col = 1};
    for (; q->number < line; q->number++, q->at = q->line, q->col = 1) {
        const char *feed = memchr(q->line, '\n', (size_t)(end - q->line));
        q->line = feed ? feed + 1 : end;
        if (!feed) return false;
    }
    if (q->col > col) q->at = q->line, q->col = 1;
    for (; q->at < end && *q->at != '\n' && *q->at != '\r' && q->col < col; q->col++)
        q->at += printable(q->at, end, &ok);
    return q->line < end;
}

/* What is unusual in the line; nobody reads one that is very long, and it is
 * quoted again and again. */
static const char *line_note(const diag_t *d, const char *line, const char *end) {
    const char *feed = memchr(line, '\n', (size_t)(end - line));
    if (feed) end = feed;
    return end - line <= NOTED_BYTES ? unusual_in_line(d->arena, line, end) : NULL;
}

/* Quotes the line with a caret under the column. A long line is cut to a window around it. True: a
 * note says what is unusual in it. */
static bool quote(const diag_t *d, const message_t *m, quote_place_t *q, sbuf_t *out) {
    const quoted_text_t *s = source_of(d, m->at.file);
    int from = m->at.col > QUOTE_COLUMNS - 20 ? m->at.col - 40 : 1;
    if (!s || m->at.line < 1 || !move_to(q, s, m->at.line, from)) return false;
    const char *p = q->at, *end = s->text + s->bytes;
    sbuf_puts(out, "    ");
    for (int col = q->col; p < end && *p != '\n' && *p != '\r' && col < from + QUOTE_COLUMNS; col++)
        p = put_character(p, end, out);
    sbuf_printf(out, "\n    %*s\n", m->at.col - from + 1, "^");
    const char *note = line_note(d, q->line, end);
    put_note(d, note, out);
    return note != NULL;
}

static void print_message(const diag_t *d, const message_t *m, quote_place_t *q, sbuf_t *out) {
    if (!m->at.file) sbuf_puts(out, "reformerc");
    else put_text(d, shortened(d->arena, m->at.file), out);
    if (m->at.file && m->at.line > 0) sbuf_printf(out, ":%d:%d", m->at.line, m->at.col);
    sbuf_printf(out, ": %s: ", m->is_error ? "error" : "warning");
    put_text(d, m->text, out);
    sbuf_puts(out, "\n");
    if (!m->at.file || !quote(d, m, q, out)) put_note(d, unusual_in_text(d->arena, m->text), out);
    if (!m->hint) return;
    sbuf_puts(out, "    hint: ");
    put_text(d, m->hint, out);
    sbuf_puts(out, "\n");
}

static void put_messages(diag_t *d, const message_t *sorted, sbuf_t *out) {
    size_t seen[2] = {0, 0}; /* warnings, errors */
    quote_place_t place = {0};
    for (size_t i = 0; i < d->n; i++)
        if (!sorted[i].printed && seen[sorted[i].is_error]++ < DIAG_MAX_PRINTED)
            print_message(d, &sorted[i], &place, out);
    for (int error = 1; error >= 0; error--)
        if (seen[error] > DIAG_MAX_PRINTED)
            sbuf_printf(out, "reformerc: … and %zu more %s\n", seen[error] - DIAG_MAX_PRINTED,
                        error ? "errors" : "warnings");
}

/* In one piece: stderr has no buffer. */
void diag_print(diag_t *d, FILE *to) {
    if (d->n == 0) return;
    message_t *sorted = arena_copy(d->arena, d->messages, d->n * sizeof *sorted);
    qsort(sorted, d->n, sizeof *sorted, by_place);
    sbuf_t out = {0};
    put_messages(d, sorted, &out);
    if (out.size) fwrite(out.data, 1, out.size, to);
    sbuf_free(&out);
    for (size_t i = 0; i < d->n; i++) d->messages[i].printed = true;
}

/* Edit distance with swaps of neighbours (optimal string alignment), over three rows. */
static size_t distance(const char *a, const char *b) {
    enum { MAX = 64 };
    size_t la = strlen(a), lb = strlen(b);
    if (la >= MAX || lb >= MAX) return MAX;
    size_t rows[3][MAX + 1];
    for (size_t j = 0; j <= lb; j++) rows[0][j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t *now = rows[i % 3], *one = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = one[j - 1] + (a[i - 1] != b[j - 1]);
            if (one[j] + 1 < best) best = one[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two[j - 2] + 1 < best)
                best = two[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[la % 3][lb];
}

const char *did_you_mean(const char *word, const char *const *candidates, size_t n) {
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 2;
    for (size_t i = 0; i < n; i++) {
        size_t dist = distance(word, candidates[i]);
        if (dist < best_distance && dist < strlen(candidates[i])) {
            best_distance = dist;
            best = candidates[i];
        }
    }
    return best;
}
