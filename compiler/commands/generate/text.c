/* Text of generated tokens, as they come (generate.h): decoded, searched for stop texts, written.
 *
 * The prompt goes through the same stream, since what a token stands for may
 * depend on those before it. */
#define _GNU_SOURCE /* memmem */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands/generate/generate.h"

/* ---- stop texts ------------------------------------------------------------------------------ */

/* Where the first of them stands; NULL: nowhere yet. */
static const char *find_stop(const options_t *o, const sbuf_t *held) {
    const char *first = NULL;
    for (int i = 0; i < o->n_stops; i++) {
        const char *at = memmem(held->data, held->size, o->stops[i], strlen(o->stops[i]));
        if (at && (!first || at < first)) first = at;
    }
    return first;
}

/* Bytes at the end that may become one. */
static size_t open_end(const options_t *o, const sbuf_t *held) {
    size_t max = 0;
    for (int i = 0; i < o->n_stops; i++) {
        size_t n = strlen(o->stops[i]) - 1;
        if (n > held->size) n = held->size;
        while (n > max && memcmp(held->data + held->size - n, o->stops[i], n) != 0) n--;
        if (n > max) max = n;
    }
    return max;
}

/* What of the held text is certain becomes output. */
static void release(const options_t *o, row_text_t *r) {
    if (!r->held.size) return;
    const char *stop = find_stop(o, &r->held);
    size_t n = stop ? (size_t)(stop - r->held.data) : r->held.size - open_end(o, &r->held);
    sbuf_write(&r->out, r->held.data, n);
    memmove(r->held.data, r->held.data + n, r->held.size - n);
    r->held.size -= n;
    if (stop) r->stopped = true;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* The prompt's bytes come first, and only --echo wants them. */
static void put(const options_t *o, row_text_t *r, const sbuf_t *decoded) {
    size_t prompt = decoded->size < r->prompt ? decoded->size : r->prompt;
    if (o->given[OPT_ECHO] && prompt) sbuf_write(&r->out, decoded->data, prompt);
    r->prompt -= prompt;
    if (decoded->size > prompt)
        sbuf_write(&r->held, decoded->data + prompt, decoded->size - prompt);
    release(o, r);
}

static void tell_prompt(generate_t *g, int64_t row) {
    const prompts_t *p = &g->prompts;
    row_text_t *r = &g->rows[row];
    int64_t n = p->tokens[row];
    const int32_t *ids = p->ids + (row + 1) * p->length - n;
    sbuf_t text = {0};
    text_decode(g->text, ids, n, &text);
    *r = (row_text_t){.stream = text_stream(g->text), .prompt = text.size};
    text.size = 0;
    for (int64_t t = 0; t < n; t++) text_feed(&r->stream, ids[t], &text);
    put(g->session->o, r, &text);
    sbuf_free(&text);
}

void texts_open(generate_t *g) {
    g->rows = ARENA_ARRAY(g->session->arena, row_text_t, g->prompts.batch);
    g->line_end = true; /* nothing is written yet */
    for (int64_t r = 0; g->text && r < g->prompts.batch; r++) tell_prompt(g, r);
}

static bool is_eos(const generate_t *g, int32_t token) {
    for (size_t i = 0; i < g->n_eos; i++)
        if (g->eos[i] == token) return true;
    return false;
}

bool texts_take(generate_t *g, size_t row, int32_t token) {
    row_text_t *r = &g->rows[row];
    if (!g->text || is_eos(g, token)) return false;
    sbuf_t decoded = {0};
    text_feed(&r->stream, token, &decoded);
    put(g->session->o, r, &decoded);
    sbuf_free(&decoded);
    return r->stopped;
}

static void finish_row(generate_t *g, row_text_t *r) {
    sbuf_t decoded = {0};
    text_finish(&r->stream, &decoded);
    if (!r->stopped) put(g->session->o, r, &decoded);
    if (!r->stopped && r->held.size) sbuf_write(&r->out, r->held.data, r->held.size);
    sbuf_free(&decoded);
}

void texts_free(generate_t *g) {
    sbuf_t ignored = {0};
    for (int64_t r = 0; g->rows && g->text && r < g->prompts.batch; r++) {
        text_finish(&g->rows[r].stream, &ignored);
        sbuf_free(&g->rows[r].held);
        sbuf_free(&g->rows[r].out);
    }
    sbuf_free(&ignored);
}

/* ---- stdout ---------------------------------------------------------------------------------- */

/* A reader that has seen enough is no error. */
static bool write_out(generate_t *g, const char *data, size_t bytes) {
    if (g->closed) return false;
    if (bytes == 0) return true;
    if (fwrite(data, 1, bytes, stdout) == bytes && fflush(stdout) == 0) return true;
    g->closed = errno == EPIPE;
    if (!g->closed)
        diag_error(g->session->d, IN_FILE("stdout"), "cannot write: %s", strerror(errno));
    return false;
}

static bool writes_text(const generate_t *g) {
    return g->text && !g->session->o->given[OPT_OUTPUT];
}

bool texts_write(generate_t *g) {
    if (!writes_text(g) || g->prompts.batch > 1) return true;
    sbuf_t *out = &g->rows[0].out;
    bool ok = write_out(g, out->data, out->size);
    bool line_end = out->size == 0 ? g->line_end : out->data[out->size - 1] == '\n';
    g->line_end = line_end;
    out->size = 0;
    return ok;
}

static bool write_rows(generate_t *g) {
    sbuf_t all = {0};
    for (int64_t r = 0; r < g->prompts.batch; r++) {
        const sbuf_t *out = &g->rows[r].out;
        sbuf_printf(&all, "==> %s %lld <==\n", g->prompts.row, (long long)r + 1);
        if (out->size) sbuf_write(&all, out->data, out->size);
        if (!out->size || out->data[out->size - 1] != '\n') sbuf_puts(&all, "\n");
    }
    bool ok = write_out(g, all.data, all.size);
    sbuf_free(&all);
    return ok;
}

/* On a terminal what comes next begins a line of its own; elsewhere the text ends where it ends. */
bool texts_finish(generate_t *g) {
    if (!writes_text(g)) return true;
    for (int64_t r = 0; r < g->prompts.batch; r++) finish_row(g, &g->rows[r]);
    if (g->prompts.batch > 1) return write_rows(g);
    if (!texts_write(g)) return false;
    return g->line_end || !isatty(STDOUT_FILENO) || write_out(g, "\n", 1);
}
