/* Words from outside, cut to what a person reads: a message must not be as long
 * as the file it is about. */
#ifndef REFORMERC_SUPPORT_SHORTEN_H
#define REFORMERC_SUPPORT_SHORTEN_H

#include "support/arena.h"

enum {
    SHORT_WORD = 255,   /* bytes of a word that are printed whole; a path may have SHORT_PATH */
    SHORT_PATH = 4096,  /* what a system takes */
    SHORT_LINE = 5000,  /* bytes of a line */
    SHORT_TEXT = 20000, /* bytes of all lines together */
    SHORT_SHOWN = 60    /* bytes of what is longer */
};

/* The text itself, or a copy in which each word that is too long is its beginning, "… (N bytes)",
 * and each line that is still too long has this in its middle; so has the whole.
 * Characters of UTF-8 stay whole. */
const char *shortened(arena_t *a, const char *text);

#endif
