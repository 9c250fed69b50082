/* The checks of trust.h. Each level is judged by the descriptor that was opened from the level
 * above, links not followed: what was judged is what the path names, and goes on naming, since only
 * this user and root can change a level that passed. */
#define _GNU_SOURCE /* realpath */
#include "support/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/guard.h"

enum { OTHERS_WRITE = S_IWGRP | S_IWOTH };

/* NULL: fine. Root can do anything anyway, so folders above may be its own. */
static const char *distrust(arena_t *a, const char *path, const struct stat *st, bool last) {
    bool ours = st->st_uid == geteuid() || (!last && st->st_uid == 0);
    if (!ours) return arena_printf(a, "%s belongs to user %lu", path, (unsigned long)st->st_uid);
    bool written = st->st_mode & OTHERS_WRITE, sticky = st->st_mode & S_ISVTX;
    if (!written || (sticky && !last)) return NULL;
    return arena_printf(a, "other users may write to %s (mode %03o)", path,
                        (unsigned)st->st_mode & 0777);
}

/* fd of the folder `name` in the one above (which is closed), or -1 with the reason. */
static int descend(arena_t *a, int above, const char *name, const char *path, bool last,
                   const char **why) {
    struct stat st;
    int fd = guard_open(openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    int error = errno;
    if (above != AT_FDCWD) (void)guard_close(above);
    if (fd < 0 || fstat(fd, &st) != 0) *why = arena_printf(a, "%s: %s", path, strerror(error));
    else *why = distrust(a, path, &st, last);
    if (!*why) return fd;
    (void)guard_close(fd);
    return -1;
}

/* Of an absolute path without links. */
static bool walk(arena_t *a, const char *path, const char **why) {
    int fd = descend(a, AT_FDCWD, "/", "/", !path[1], why);
    for (const char *p = path + 1; fd >= 0 && *p;) {
        size_t n = strcspn(p, "/");
        const char *end = p + n;
        fd = descend(a, fd, arena_strndup(a, p, n), arena_strndup(a, path, (size_t)(end - path)),
                     !*end, why);
        p = end + (*end != 0);
    }
    (void)guard_close(fd);
    return fd >= 0;
}

const char *trusted_folder(arena_t *a, const char *path, const char **why) {
    *why = NULL;
    char *resolved = realpath(path, NULL);
    if (!resolved) {
        *why = arena_printf(a, "%s: %s", path, strerror(errno));
        return NULL;
    }
    const char *own = arena_strdup(a, resolved);
    free(resolved);
    return walk(a, own, why) ? own : NULL;
}

bool trusted_file(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
           !(st.st_mode & OTHERS_WRITE);
}
