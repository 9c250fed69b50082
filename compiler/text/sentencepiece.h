/* What text.c needs of the SentencePiece library, which is C++: a module of the program,
 * sentencepiece.cc. */
#ifndef REFORMERC_TEXT_SENTENCEPIECE_H
#define REFORMERC_TEXT_SENTENCEPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/module.h"

bool pieces_built_in(void);

typedef struct pieces pieces_t; /* a model */

typedef enum {
    PIECE_NONE,  /* no id of this model */
    PIECE_EMPTY, /* has no text: <s>, </s> … */
    PIECE_BYTE,
    PIECE_TEXT
} token_piece_t;

enum { PIECES_WHY = 512 }; /* bytes of what the library says went wrong */

typedef struct {
    module_head_t head;
    /* From the content of a model's file. NULL: `why` says what is wrong with it. */
    pieces_t *(*open)(const char *model, size_t bytes, char why[PIECES_WHY]);
    void (*free)(pieces_t *p); /* NULL is fine */
    int64_t (*count)(const pieces_t *p);
    token_piece_t (*kind)(const pieces_t *p, int32_t id, char *byte);
    /* The model rewrites what it has decoded: no part of the text is certain before the end. */
    bool (*rewrites)(const pieces_t *p);
    /* ids[n], and the byte of the text where each one ends; both owned by the caller (free()). The
     * ends ascend. -1: `why` says what went wrong. */
    int64_t (*encode)(const pieces_t *p, const char *text, size_t bytes, int32_t **ids,
                      int64_t **ends, char why[PIECES_WHY]);
    /* The library's text of the ids, *bytes long, the caller's (free()); ids that are none are left
     * out. NULL: as above. */
    char *(*decode)(const pieces_t *p, const int32_t *ids, int64_t n, size_t *bytes,
                    char why[PIECES_WHY]);
} pieces_library_t;

/* NULL after an error in d. */
const pieces_library_t *pieces_library(struct diag *d);

#endif
