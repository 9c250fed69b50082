/* Text to ids in parts: of a text that is larger than memory, and from pipes.
 *
 * The ids are those of the whole text, but for a rare word of which the library's sums over a long
 * text (float32) cannot tell the best pieces. Bytes need no care. What SentencePiece makes of a
 * place depends on what stands around it, seldom on more than the words beside it: a part ends
 * between two of its pieces where a short stretch encoded alone, which begins and ends elsewhere,
 * has the same pieces on both sides. Where there is no such place, the part grows, in
 * the end to the whole text. */
#ifndef REFORMERC_TEXT_PARTS_H
#define REFORMERC_TEXT_PARTS_H

#include "text/text.h"

/* The next tokens, with ends as in all of the text; `read` bytes of `total` (0: unknown) are behind
 * them. False ends it, after an error in d. */
typedef bool take_tokens_fn(void *ctx, const tokens_t *next, uint64_t read, uint64_t total,
                            diag_t *d);

/* False after an error in d: it cannot be read, is no text, or cannot be encoded. */
bool text_encode_parts(const text_t *t, const char *path, take_tokens_fn *take, void *ctx,
                       diag_t *d);
/* All tokens of a file, the same. */
bool text_encode_file(const text_t *t, const char *path, tokens_t *out, diag_t *d);

#endif
