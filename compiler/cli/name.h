/* Names of files: what stands beside what. */
#ifndef REFORMERC_CLI_NAME_H
#define REFORMERC_CLI_NAME_H

#include "support/arena.h"

/* "dir/model.c" → "model" / ".c"; "model" → "". A folder's trailing '/' does not count. */
const char *path_stem(arena_t *a, const char *path);
const char *path_suffix(const char *path);
/* "dir/model.c", ".h" → "dir/model.h" */
const char *replace_suffix(arena_t *a, const char *path, const char *suffix);

#endif
