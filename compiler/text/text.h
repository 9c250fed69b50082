/* Text and ids: what `compile.text` of a spec makes of each other.
 *
 * bytes: id = byte + 2; 0 and 1 are padding and end, and no text. sentencepiece:FILE: what the
 * library makes of the whole text with this model (sentencepiece.h). A relative FILE starts in the
 * spec's folder; one of --set that is not there, in the current one. Ids without text (the model
 * knows more ids than the text does) are decoded to nothing. */
#ifndef REFORMERC_TEXT_TEXT_H
#define REFORMERC_TEXT_TEXT_H

#include "graph/model.h"
#include "support/sbuf.h"

/* Read only once it is open: any number of threads. */
typedef struct text text_t;

/* NULL after an error in d: how text becomes ids is unknown, the model's file cannot be read or is
 * none, its ids do not fit into the vocabulary, or this build has no SentencePiece. */
text_t *text_open(const loaded_model_t *m, diag_t *d);
void text_free(text_t *t); /* NULL is fine */
/* Whether the text of this spec is the same; false after an error in d. */
bool text_fits(const text_t *t, const loaded_model_t *m, diag_t *d);
/* A token is a byte, and an id tells which. */
bool text_is_bytes(const text_t *t);

typedef struct {
    int32_t *ids;  /* [n] */
    int64_t *ends; /* [n] byte of the text where each one ends; NULL: every token is a byte */
    int64_t n;
} tokens_t;

/* All of a file that is text to be encoded: NULL after an error in d, also for weights, arrays and
 * (unless a token is a byte) archives; free(). */
char *text_read(const text_t *t, const char *path, size_t *bytes, diag_t *d);
/* False after an error in d, which is about `path`. */
bool text_encode(const text_t *t, const char *text, size_t bytes, tokens_t *out, const char *path,
                 diag_t *d);
void tokens_free(tokens_t *t);
/* Bytes of the text that tokens from … to - 1 stand for. */
int64_t tokens_bytes(const tokens_t *t, int64_t from, int64_t to);

void text_decode(const text_t *t, const int32_t *ids, int64_t n, sbuf_t *out);

/* Decoding while ids arrive: all that was appended is what text_decode makes of all ids. A part of
 * a UTF-8 character is kept back until the rest comes, or the end. */
typedef struct {
    const text_t *text;
    int32_t before[2]; /* ids before the next one, as far as they matter to it */
    int n_before;
    size_t before_bytes; /* of their text; 0: nothing was written yet */
    char held[4];        /* the beginning of a character */
    size_t n_held;
    sbuf_t ids; /* all of them, where the model rewrites what it has decoded */
} text_stream_t;

text_stream_t text_stream(const text_t *t);
void text_feed(text_stream_t *s, int32_t id, sbuf_t *out);
void text_finish(text_stream_t *s, sbuf_t *out); /* what was kept back; the stream is a new one */

#endif
