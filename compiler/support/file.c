/* Reading and folders as file.h promises, over POSIX calls; writing is in output.c. A host program
 * may fork and start others from another thread at any time: every descriptor is closed on
 * exec from its first moment. */
#include "support/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/guard.h"
#include "support/heap.h"
#include "support/temporary.h"
#include "support/trust.h"

const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

bool file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

bool is_directory(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* What stops a folder on the way is seen at the last one. */
bool make_directories(const char *path, unsigned mode) {
    char *copy = heap_text(path);
    for (char *p = *copy ? copy + 1 : copy; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        (void)mkdir(copy, mode);
        *p = '/';
    }
    int error = mkdir(copy, mode) == 0 ? 0 : errno;
    bool ok = error == 0 || (error == EEXIST && is_directory(path));
    heap_free(copy);
    errno = error;
    return ok;
}

static void give_up(void *folder, size_t bytes) {
    (void)bytes;
    temporary_folder_end(folder);
}

/* mkdtemp() gives mode 0700; what it stands in must not let others put another
 * folder in its place. */
static const char *folder_in(arena_t *a, const char *where, const char **why) {
    char *path = arena_printf(a, "%s/reformerc-XXXXXX", where);
    if (!temporary_make_folder(path)) {
        *why = arena_printf(a, "%s: %s", where, strerror(errno));
        return NULL;
    }
    guard_own(path, 0, give_up);
    const char *own = trusted_folder(a, path, why);
    guard_disown(path);
    if (!own) {
        temporary_folder_end(path);
        return NULL;
    }
    temporary_hold(); /* from now on it goes by its own path */
    temporary_forget(path);
    temporary_note(own);
    temporary_go_on();
    return own;
}

const char *temporary_folder(arena_t *a, const char *to, diag_t *d) {
    const char *tmp = getenv("TMPDIR"), *why;
    const char *path = folder_in(a, tmp && *tmp ? tmp : "/tmp", &why);
    if (path) return path;
    diag_error(d, NOWHERE, "cannot make a private folder %s: %s", to, why);
    diag_hint(d, "the variable TMPDIR names the folder to make it in");
    return NULL;
}

void temporary_folder_end(const char *path) {
    temporary_hold();
    (void)rmdir(path);
    temporary_forget(path);
    temporary_go_on();
}
