/* Characters that are not what they look like: blanks and format characters that nobody sees,
 * quotes, dashes and letters that look like those of ASCII. A message that quotes a word holding
 * one names it, since it cannot be seen there. */
#ifndef REFORMERC_SUPPORT_UNSEEN_H
#define REFORMERC_SUPPORT_UNSEEN_H

#include <stdbool.h>
#include <stddef.h>

#include "support/arena.h"

/* Whether the character of UTF-8 at p (n bytes) leaves nothing to see, or a blank
 * that is not a space. */
bool is_unseen(const char *p, size_t n);

/* The text itself, or a copy in which each run of such a character is its name:
 * "<U+200B ZERO WIDTH SPACE>". */
const char *unseen_named(arena_t *a, const char *text);

/* What stands in a line of a file: "column 12 is U+FF1A FULLWIDTH COLON"; NULL: nothing of the
 * kind. Comments are left out, and so are letters unless they stand beside one of ASCII. */
const char *unusual_in_line(arena_t *a, const char *line, const char *end);
/* The same of a message: "it quotes U+FF1A FULLWIDTH COLON"; what unseen_named()
 * names is not repeated. */
const char *unusual_in_text(arena_t *a, const char *text);

#endif
