/* The parts of parts.h. A window of the text is in memory: what is encoded next, with some of what
 * comes before and behind it. */
#include "text/parts.h"

#include <string.h>

#include "support/file.h"
#include "support/format.h"
#include "support/heap.h"

/* Parts are short, not for the sake of memory: SentencePiece sums the scores of a text's pieces as
 * float32, and over a hundred thousand bytes nearly equal ways to cut a word
 * are told apart no more. */
enum {
    PART = 1 << 15,   /* bytes that are encoded at once */
    BESIDE = 1 << 11, /* of the text before and behind a part that its pieces may depend on … */
    AGREED = BESIDE / 2, /* … and of it those whose pieces are compared */
    TRIES = 8            /* places for an end that are tried in one window */
};

typedef struct {
    const text_t *text;
    flow_t in;
    char *window; /* [n] of the text, from `base` on; room */
    size_t n, room;
    uint64_t base, done; /* bytes of the text: where the window begins; whose ids are taken */
    bool begun, ended;   /* some ids are taken; the window is the rest of the text */
    take_tokens_fn *take;
    void *ctx;
    diag_t *d;
} parts_t;

/* ---- the window ------------------------------------------------------------------------------ */

static bool is_text(const parts_t *p) {
    format_want_t want = text_is_bytes(p->text) ? WANT_BYTES : WANT_TEXT;
    return p->base > 0 || format_fits(p->in.path, p->window, p->n, want, p->d);
}

/* Reads on until the window has `bytes`, or the text has an end. */
static bool fill(parts_t *p, size_t bytes) {
    if (p->room < bytes) {
        p->window = heap_resize(p->window, bytes);
        p->room = bytes;
    }
    bool first = p->n == 0;
    while (p->n < bytes && !p->ended) {
        int64_t n = flow_read(&p->in, p->window + p->n, bytes - p->n, p->d);
        if (n < 0) return false;
        p->ended = n == 0;
        p->n += (size_t)n;
    }
    return !first || is_text(p);
}

/* The window begins `at` bytes further on. */
static void move_on(parts_t *p, size_t at) {
    memmove(p->window, p->window + at, p->n - at);
    p->base += at;
    p->n -= at;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static int64_t end_of(const tokens_t *t, int64_t i) {
    return t->ends ? t->ends[i] : i + 1;
}

/* How many pieces end at or before this byte; they ascend. */
static int64_t pieces_until(const tokens_t *t, int64_t byte) {
    int64_t low = 0, high = t->n;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (end_of(t, middle) <= byte) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* The same pieces in the window's bytes from … to, where the part begins at byte `at`. */
static bool agree(const tokens_t *all, const tokens_t *part, int64_t at, int64_t from, int64_t to) {
    int64_t i = pieces_until(all, from), k = pieces_until(part, from - at);
    int64_t n = pieces_until(all, to) - i;
    if (pieces_until(part, to - at) - k != n) return false;
    for (int64_t j = 0; j < n; j++)
        if (all->ids[i + j] != part->ids[k + j] || end_of(all, i + j) != end_of(part, k + j) + at)
            return false;
    return true;
}

/* Whether the pieces around byte `cut` of the window are the same without what is far from it.
 * *ok: false after an error. */
static bool may_end(parts_t *p, const tokens_t *all, int64_t cut, bool *ok) {
    int64_t from = cut - BESIDE, to = cut + AGREED + AGREED / 2;
    tokens_t near;
    *ok = text_encode(p->text, p->window + from, (size_t)(to - from), &near, p->in.path, p->d);
    bool same = *ok && agree(all, &near, from, cut - AGREED, cut + AGREED);
    tokens_free(&near);
    return same;
}

/* The last place in the window where the part may end; -1: none. */
static int64_t find_end(parts_t *p, const tokens_t *all, bool *ok) {
    int64_t max = (int64_t)p->n - BESIDE, min = (int64_t)(p->done - p->base) + 2 * BESIDE;
    *ok = true;
    for (int i = 0; *ok && i < TRIES && max >= min; i++, max -= (max - min) / 2 + 1) {
        int64_t k = pieces_until(all, max), cut = k > 0 ? end_of(all, k - 1) : 0;
        if (cut >= min && may_end(p, all, cut, ok)) return cut;
    }
    return -1;
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* The pieces up to byte `end` of the window that were not taken yet. A piece of no byte
 * may stand before all text. */
static bool take_until(parts_t *p, const tokens_t *all, int64_t end) {
    int64_t from = p->begun ? pieces_until(all, (int64_t)(p->done - p->base)) : 0;
    int64_t to = p->ended && end == (int64_t)p->n ? all->n : pieces_until(all, end);
    tokens_t next = {all->ids + from, all->ends ? all->ends + from : NULL, to - from};
    for (int64_t i = 0; next.ends && i < next.n; i++) next.ends[i] += (int64_t)p->base;
    p->begun = true;
    p->done = p->base + (uint64_t)end;
    return p->take(p->ctx, &next, p->done, p->in.bytes, p->d);
}

/* A byte of text is a token wherever it stands. */
static bool take_window(parts_t *p, const tokens_t *all, size_t *want) {
    bool ok = true;
    bool whole = p->ended || text_is_bytes(p->text);
    int64_t end = whole ? (int64_t)p->n : find_end(p, all, &ok);
    if (!ok) return false;
    if (end < 0) {
        *want *= 2;
        return true;
    }
    *want = PART;
    if (!take_until(p, all, end)) return false;
    move_on(p, (size_t)(whole ? end : end - BESIDE));
    return true;
}

static bool encode_all(parts_t *p) {
    size_t want = PART;
    do {
        tokens_t all = {0};
        bool ok = fill(p, want) && text_encode(p->text, p->window, p->n, &all, p->in.path, p->d) &&
                  take_window(p, &all, &want);
        tokens_free(&all);
        if (!ok) return false;
    } while (!p->ended || p->base + p->n > p->done);
    return true;
}

bool text_encode_parts(const text_t *t, const char *path, take_tokens_fn *take, void *ctx,
                       diag_t *d) {
    parts_t p = {.text = t, .take = take, .ctx = ctx, .d = d};
    if (!flow_open(path, &p.in, d)) return false;
    bool ok = encode_all(&p);
    flow_close(&p.in);
    heap_free(p.window);
    return ok;
}

/* ---- all of them ----------------------------------------------------------------------------- */

typedef struct {
    tokens_t *out;
    int64_t room;
} all_t;

static bool append(void *ctx, const tokens_t *next, uint64_t read, uint64_t total, diag_t *d) {
    all_t *a = ctx;
    tokens_t *out = a->out;
    (void)read;
    (void)total;
    (void)d;
    if (out->n + next->n > a->room) {
        a->room = 2 * (out->n + next->n);
        out->ids = heap_resize(out->ids, (size_t)a->room * sizeof *out->ids);
        if (next->ends) out->ends = heap_resize(out->ends, (size_t)a->room * sizeof *out->ends);
    }
    memcpy(out->ids + out->n, next->ids, (size_t)next->n * sizeof *out->ids);
    if (next->ends) memcpy(out->ends + out->n, next->ends, (size_t)next->n * sizeof *out->ends);
    out->n += next->n;
    return true;
}

bool text_encode_file(const text_t *t, const char *path, tokens_t *out, diag_t *d) {
    *out = (tokens_t){.ids = heap_new(1, sizeof *out->ids)};
    all_t all = {out, 0};
    if (text_encode_parts(t, path, append, &all, d)) return true;
    tokens_free(out);
    return false;
}
