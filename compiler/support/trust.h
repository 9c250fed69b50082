/* Folders that hold what this process will run: nobody else may change what stands in them. */
#ifndef REFORMERC_SUPPORT_TRUST_H
#define REFORMERC_SUPPORT_TRUST_H

#include <stdbool.h>

#include "support/arena.h"

/* The folder's own path, without links or dots, when it belongs to this user, nobody else may write
 * to it, and none of the folders above lets another user put something else in its place (a sticky
 * one, such as /tmp, does not). NULL otherwise, with the reason in *why: "/srv/code
 * belongs to user 1003". */
const char *trusted_folder(arena_t *a, const char *path, const char **why);

/* A regular file of this user's that nobody else may write to. */
bool trusted_file(int fd);

#endif
