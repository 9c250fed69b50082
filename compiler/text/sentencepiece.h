/* What text.c needs of the SentencePiece library, which is C++ and may be missing: one of
 * sentencepiece.cc and sentencepiece_none.c is built. */
#ifndef REFORMERC_TEXT_SENTENCEPIECE_H
#define REFORMERC_TEXT_SENTENCEPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/sbuf.h"

typedef struct pieces pieces_t; /* a model */

bool pieces_built_in(void);

/* From the content of a model's file. NULL: `why` says what is wrong with it. */
pieces_t *pieces_open(const char *model, size_t bytes, sbuf_t *why);
void pieces_free(pieces_t *p); /* NULL is fine */
int64_t pieces_count(const pieces_t *p);

typedef enum {
    PIECE_NONE,  /* no id of this model */
    PIECE_EMPTY, /* has no text: <s>, </s> … */
    PIECE_BYTE,
    PIECE_TEXT
} token_piece_t;
token_piece_t pieces_kind(const pieces_t *p, int32_t id, char *byte);

/* The model rewrites what it has decoded: no part of the text is certain before the end. */
bool pieces_rewrite(const pieces_t *p);

/* ids[n], and the byte of the text where each one ends; both owned by the caller (free()). The ends
 * ascend. -1: `why` says what went wrong. */
int64_t pieces_encode(const pieces_t *p, const char *text, size_t bytes, int32_t **ids,
                      int64_t **ends, sbuf_t *why);
/* Appends the library's text of the ids; those that are none are left out. False: as above. */
bool pieces_decode(const pieces_t *p, const int32_t *ids, int64_t n, sbuf_t *out, sbuf_t *why);

#endif
