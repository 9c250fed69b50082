/* The text of a spec before YAML sees it: checked to be UTF-8, and JSON's spelling made YAML's. */
#ifndef REFORMERC_SPEC_TEXT_H
#define REFORMERC_SPEC_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "support/arena.h"
#include "support/diag.h"

typedef struct {
    size_t at;         /* byte of the new text where the replacement starts */
    size_t chars, was; /* characters of the replacement, and of what it replaced */
} patch_t;

typedef struct {
    const char *text;
    size_t bytes;
    patch_t *patches; /* ascending */
    size_t n_patches, cap_patches;
} spec_text_t;

/* False after an error in d: not UTF-8, or a control character that YAML cannot hold. */
bool text_prepare(arena_t *a, const char *path, const char *text, size_t bytes, bool lines,
                  spec_text_t *out, diag_t *d);

/* A place in the text: goes forward only, counts lines and characters of the user's own text. */
typedef struct {
    const spec_text_t *t;
    size_t byte, chars, patch; /* chars: of the new text, as libyaml's marks count */
    int line, col;
} cursor_t;

static inline cursor_t cursor_start(const spec_text_t *t) {
    return (cursor_t){.t = t, .line = 1, .col = 1};
}
void cursor_to_char(cursor_t *c, size_t chars);

#endif
