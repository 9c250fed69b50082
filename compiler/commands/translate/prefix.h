/* The C prefix of what a translation writes. */
#ifndef REFORMERC_COMMANDS_TRANSLATE_PREFIX_H
#define REFORMERC_COMMANDS_TRANSLATE_PREFIX_H

#include "spec/spec.h"

/* The C prefix of a model: compile.name, else made from `path`'s stem. Always a legal prefix: other
 * characters become '_', and what would be no identifier, a keyword, or clash with the C library or
 * the runtime gets "m_" before it. NULL after an error in d (a compile.name that clashes). */
const char *prefix_name(arena_t *a, const spec_t *s, const char *path, diag_t *d);

#endif
