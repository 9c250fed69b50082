/* Bytes, and SentencePiece models through sentencepiece.h. */
#include "text/text.h"

#include <stdlib.h>
#include <string.h>

#include "support/file.h"
#include "support/format.h"
#include "support/heap.h"
#include "support/utf8.h"
#include "text/sentencepiece.h"

enum { MODEL_LIMIT = 1 << 30 }; /* bytes of a model's file */

struct text {
    const pieces_library_t *library;
    pieces_t *pieces; /* NULL: bytes */
    char *path;       /* of the model */
};

/* ---- opening --------------------------------------------------------------------------------- */

/* The folder that the model's file stands in, with or without a '/' at its end. */
static const char *folder_of(arena_t *a, const spec_t *s) {
    if (is_directory(s->path)) return s->path;
    const char *slash = strrchr(s->path, '/');
    return slash ? arena_strndup(a, s->path, (size_t)(slash - s->path) + 1) : ".";
}

/* What of the folder would tell how text becomes ids. */
static void give_text_hint(const spec_t *s, diag_t *d) {
    arena_t *a = arena_new();
    bool only_json = false;
    const char *pieces = folder_pieces(a, folder_of(a, s), &only_json);
    if (pieces)
        diag_hint(d, "%s stands beside it: --set compile.text=sentencepiece:%s", pieces, pieces);
    else
        diag_hint(
            d, "--set compile.text=bytes: id = byte + %d; or compile.text=sentencepiece:FILE%s",
            TEXT_BYTE_OFFSET,
            only_json ? "; tokenizer.json is not read, the spiece.model that it was made from is"
                      : "");
    arena_free(a);
}

/* The kind of the spec's text; TEXT_UNSET after an error in d. */
static text_kind_t kind_of(const spec_t *s, int64_t vocab, diag_t *d) {
    text_kind_t kind = spec_text_kind(s, vocab);
    if (kind != TEXT_UNSET) return kind;
    diag_error(d, IN_FILE(s->path), "how text becomes ids is unknown: vocab_size is %lld, not %d",
               (long long)vocab, TEXT_BYTE_VOCABULARY);
    give_text_hint(s, d);
    return TEXT_UNSET;
}

static void give_path_hint(const spec_t *s, diag_t *d) {
    arena_t *a = arena_new();
    bool only_json;
    const char *pieces = folder_pieces(a, folder_of(a, s), &only_json);
    diag_hint(d, "'compile.text' names it; a relative path starts in the spec's folder%s%s",
              pieces ? ", which has " : "", pieces ? pieces : "");
    arena_free(a);
}

static const pieces_library_t *find_library(const spec_t *s, diag_t *d) {
    if (pieces_built_in()) return pieces_library(d);
    diag_error(d, s->at[KEY_compile_text], "this build has no SentencePiece");
    diag_hint(d, "install libsentencepiece-dev and g++ and build again");
    return NULL;
}

static pieces_t *load(const text_t *t, const spec_t *s, diag_t *d) {
    size_t bytes;
    char *model = file_read(t->path, MODEL_LIMIT, &bytes, d);
    if (!model) {
        give_path_hint(s, d);
        return NULL;
    }
    char why[PIECES_WHY];
    pieces_t *p = NULL;
    if (format_fits(t->path, model, bytes, WANT_PIECES, d)) {
        p = t->library->open(model, bytes, why);
        if (!p) {
            diag_error(d, IN_FILE(t->path), "is damaged, or no SentencePiece model");
            diag_hint(d, "the library says: %s", why);
        }
    }
    heap_free(model);
    return p;
}

static bool ids_fit(const text_t *t, const loaded_model_t *m, diag_t *d) {
    int64_t n = t->library->count(t->pieces);
    if (n <= m->facts.vocab) return true;
    diag_error(d, m->spec->at[KEY_compile_text], "'%s' has %lld pieces, 'vocab_size' is %lld",
               t->path, (long long)n, (long long)m->facts.vocab);
    return false;
}

text_t *text_open(const loaded_model_t *m, diag_t *d) {
    const spec_t *s = m->spec;
    text_kind_t kind = kind_of(s, m->facts.vocab, d);
    if (kind == TEXT_UNSET) return NULL;
    text_t *t = heap_new(1, sizeof *t);
    if (kind == TEXT_BYTES) return t; /* the spec's checks know that all ids fit */
    t->path = text_model_path(s);
    t->library = find_library(s, d);
    t->pieces = t->library ? load(t, s, d) : NULL;
    if (t->pieces && ids_fit(t, m, d)) return t;
    text_free(t);
    return NULL;
}

bool text_fits(const text_t *t, const loaded_model_t *m, diag_t *d) {
    const spec_t *s = m->spec;
    text_kind_t kind = kind_of(s, m->facts.vocab, d);
    if (kind == TEXT_UNSET) return false;
    char *path = kind == TEXT_SENTENCEPIECE ? text_model_path(s) : NULL;
    bool same = path ? t->path && strcmp(path, t->path) == 0 : !t->path;
    if (!same)
        diag_error(d, s->at[KEY_compile_text], "is another way to read the text than before");
    bool ok = same && (!path || ids_fit(t, m, d));
    heap_free(path);
    return ok;
}

void text_free(text_t *t) {
    if (!t) return;
    if (t->pieces) t->library->free(t->pieces);
    heap_free(t->path);
    heap_free(t);
}

bool text_is_bytes(const text_t *t) {
    return !t->pieces;
}

/* ---- ids ------------------------------------------------------------------------------------- */

char *text_read(const text_t *t, const char *path, size_t *bytes, diag_t *d) {
    char *content = file_read(path, 0, bytes, d);
    format_want_t want = text_is_bytes(t) ? WANT_BYTES : WANT_TEXT;
    if (content && format_fits(path, content, *bytes, want, d)) return content;
    heap_free(content);
    return NULL;
}

static void encode_bytes(const char *text, size_t bytes, tokens_t *out) {
    out->n = (int64_t)bytes;
    out->ids = malloc((bytes ? bytes : 1) * sizeof *out->ids);
    for (size_t i = 0; out->ids && i < bytes; i++)
        out->ids[i] = (unsigned char)text[i] + TEXT_BYTE_OFFSET;
}

bool text_encode(const text_t *t, const char *text, size_t bytes, tokens_t *out, const char *path,
                 diag_t *d) {
    *out = (tokens_t){0};
    if (text_is_bytes(t)) {
        encode_bytes(text, bytes, out);
        if (!out->ids) diag_no_memory(d, IN_FILE(path), "not enough memory for %zu tokens", bytes);
        return out->ids != NULL;
    }
    char why[PIECES_WHY];
    out->n = t->library->encode(t->pieces, text, bytes, &out->ids, &out->ends, why);
    if (out->n < 0) diag_error(d, IN_FILE(path), "SentencePiece cannot read it: %s", why);
    if (out->n < 0) return false;
    if (out->n > 0) out->ends[out->n - 1] = (int64_t)bytes; /* spaces that were left out */
    return true;
}

void tokens_free(tokens_t *t) {
    heap_free(t->ids);
    heap_free(t->ends);
    *t = (tokens_t){0};
}

int64_t tokens_bytes(const tokens_t *t, int64_t from, int64_t to) {
    if (!t->ends || from >= to) return to - from;
    return t->ends[to - 1] - (from > 0 ? t->ends[from - 1] : 0);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void put_byte(int32_t id, sbuf_t *out) {
    if (id < TEXT_BYTE_OFFSET || id >= TEXT_BYTE_VOCABULARY) return;
    char byte = (char)(id - TEXT_BYTE_OFFSET);
    sbuf_write(out, &byte, 1);
}

static void put_pieces(const text_t *t, const int32_t *ids, int64_t n, sbuf_t *out) {
    char why[PIECES_WHY];
    size_t bytes;
    char *text = t->library->decode(t->pieces, ids, n, &bytes, why);
    if (!text) bug("SentencePiece: %s", why);
    sbuf_write(out, text, bytes);
    free(text);
}

void text_decode(const text_t *t, const int32_t *ids, int64_t n, sbuf_t *out) {
    if (!text_is_bytes(t)) put_pieces(t, ids, n, out);
    else
        for (int64_t i = 0; i < n; i++) put_byte(ids[i], out);
}

/* ---- text that arrives ----------------------------------------------------------------------- */

text_stream_t text_stream(const text_t *t) {
    return (text_stream_t){.text = t};
}

/* These bytes may be the beginning of a character. */
static bool may_become_one(const char *p, size_t n) {
    static const unsigned char min = 0x80, max = 0xBF; /* of a byte that continues */
    char low[4], high[4];
    memset(low, min, sizeof low);
    memset(high, max, sizeof high);
    memcpy(low, p, n);
    memcpy(high, p, n);
    return utf8_char(low, low + 4) > n || utf8_char(high, high + 4) > n;
}

/* Writes the characters that are held, a replacement for each byte that is in none. */
static void release(text_stream_t *s, bool last, sbuf_t *out) {
    size_t at = 0;
    while (at < s->n_held) {
        size_t left = s->n_held - at, n = utf8_char(s->held + at, s->held + s->n_held);
        if (n == 0 && !last && may_become_one(s->held + at, left)) break;
        if (n) sbuf_write(out, s->held + at, n);
        else sbuf_puts(out, "\xEF\xBF\xBD");
        at += n ? n : 1;
    }
    s->n_held -= at;
    memmove(s->held, s->held + at, s->n_held);
}

/* Appends the text of the piece and of what was remembered before it, and may remember it.
 *
 * The library takes blanks off the first piece, and off later ones as long as there is no text:
 * what comes behind any text, and behind a first piece that was nothing but a blank, is decoded
 * alike. So the first piece with text stands for all of them, with the first one
 * that had none before it. */
static void put_behind(text_stream_t *s, int32_t id, sbuf_t *whole) {
    int32_t ids[3];
    memcpy(ids, s->before, sizeof s->before);
    ids[s->n_before] = id;
    put_pieces(s->text, ids, s->n_before + 1, whole);
    if (s->before_bytes || (s->n_before && !whole->size)) return;
    s->before[s->n_before++] = id;
    s->before_bytes = whole->size;
}

static void feed_text(text_stream_t *s, int32_t id, sbuf_t *out) {
    sbuf_t whole = {0};
    size_t from = s->before_bytes;
    put_behind(s, id, &whole);
    sbuf_write(out, whole.data + from, whole.size - from);
    sbuf_free(&whole);
}

static void feed_byte(text_stream_t *s, int32_t id, char byte, sbuf_t *out) {
    sbuf_t whole = {0};
    if (!s->before_bytes) put_behind(s, id, &whole); /* any byte is text, whole or not */
    sbuf_free(&whole);
    s->held[s->n_held++] = byte;
    release(s, false, out);
}

void text_feed(text_stream_t *s, int32_t id, sbuf_t *out) {
    const text_t *t = s->text;
    char byte = 0;
    if (text_is_bytes(t)) {
        put_byte(id, out);
        return;
    }
    if (t->library->rewrites(t->pieces)) {
        sbuf_write(&s->ids, &id, sizeof id);
        return;
    }
    token_piece_t kind = t->library->kind(t->pieces, id, &byte);
    if (kind == PIECE_BYTE) feed_byte(s, id, byte, out);
    else if (kind != PIECE_NONE) release(s, true, out);
    if (kind == PIECE_TEXT) feed_text(s, id, out);
}

void text_finish(text_stream_t *s, sbuf_t *out) {
    release(s, true, out);
    if (s->ids.size)
        put_pieces(s->text, (const int32_t *)s->ids.data, (int64_t)(s->ids.size / sizeof(int32_t)),
                   out);
    sbuf_free(&s->ids);
    *s = text_stream(s->text);
}
