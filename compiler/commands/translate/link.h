/* model.so: an object and the runtime as one shared library, by the user's C compiler as linker. */
#ifndef REFORMERC_COMMANDS_TRANSLATE_LINK_H
#define REFORMERC_COMMANDS_TRANSLATE_LINK_H

#include "support/arena.h"
#include "support/diag.h"
#include "support/sbuf.h"

/* `cc`: a program and its arguments; NULL: $CC, else cc. False after an error in d. */
bool link_library(arena_t *a, const char *cc, const sbuf_t *object, sbuf_t *library, diag_t *d);

#endif
