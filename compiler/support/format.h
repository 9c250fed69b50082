/* What a file is that stands where another kind is needed. */
#ifndef REFORMERC_SUPPORT_FORMAT_H
#define REFORMERC_SUPPORT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "support/arena.h"
#include "support/diag.h"

typedef enum {
    WANT_SAFETENSORS,
    WANT_SPEC, /* YAML or a config.json */
    WANT_TEXT, /* of any language: neither weights nor tables nor archives */
    /* Text for a model of bytes, to which an archive's bytes may be given: weights and tables still
     * are no text, of the rest a warning says what it is */
    WANT_BYTES,
    WANT_PIECES, /* a SentencePiece model */
    WANT_TUNING, /* what tune writes */
    WANT_RECORD  /* what sweep continues from */
} format_want_t;

enum { FORMAT_BYTES = 512 }; /* of the beginning are enough */

/* Looks at a file's first bytes. False after an error that says what it is, where that is known and
 * not what is wanted; what is unknown passes, its reader says what is wrong with it. */
bool format_fits(const char *path, const void *begin, size_t n, format_want_t want, diag_t *d);

/* The SentencePiece model of a checkpoint folder, by its name in it; NULL: it has none, and
 * *only_json tells whether it has a tokenizer.json. */
const char *folder_pieces(arena_t *a, const char *folder, bool *only_json);

/* How to convert a PyTorch file, as a hint. In Python; copies, since tensors that share memory (the
 * two names of a language model's bias) cannot be saved otherwise. */
void format_pickle_hint(diag_t *d, const char *file);

/* The weights of a checkpoint folder: a safetensors file or the index of several, NULL where it has
 * none. False after an error, when it has them in a form that is not read. */
bool folder_weights(arena_t *a, const char *folder, const char **weights, diag_t *d);

#endif
