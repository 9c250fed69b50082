/* Names of what a translation writes: the C prefix and the files. */
#ifndef REFORMERC_CLI_NAME_H
#define REFORMERC_CLI_NAME_H

#include "spec/spec.h"

/* The C prefix of a model: compile.name, else made from `path`'s stem. Always a legal prefix: other
 * characters become '_', and what would be no identifier, a keyword, or clash with the C library or
 * the runtime gets "m_" before it. NULL after an error in d (a compile.name that clashes). */
const char *prefix_name(arena_t *a, const spec_t *s, const char *path, diag_t *d);
const char *prefix_from_path(arena_t *a, const char *path);

/* "dir/model.c" → "model" / ".c"; "model" → "". A folder's trailing '/' does not count. */
const char *path_stem(arena_t *a, const char *path);
const char *path_suffix(const char *path);
/* "dir/model.c", ".h" → "dir/model.h" */
const char *replace_suffix(arena_t *a, const char *path, const char *suffix);

#endif
