/* Reading and folders as file.h promises, over POSIX calls; writing is in output.c. A host program may fork and start others from another thread at
 * any time: every descriptor is closed on exec from its first moment. */
#include "support/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/sbuf.h"
#include "support/temporary.h"
#include "support/trust.h"

static int open_for_reading(const char *path, int flags, struct stat *st, diag_t *d) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0 || fstat(fd, st) != 0) {
        diag_error(d, IN_FILE(path), "cannot open: %s", strerror(errno));
        if (fd >= 0) close(fd);
        return -1;
    }
    if (S_ISDIR(st->st_mode)) {
        diag_error(d, IN_FILE(path), "is a directory, a file is needed here");
        close(fd);
        return -1;
    }
    return fd;
}

char *file_read(const char *path, size_t max_bytes, size_t *bytes, diag_t *d) {
    struct stat st;
    int fd = open_for_reading(path, 0, &st, d);
    if (fd < 0) return NULL;
    sbuf_t s = {0};
    sbuf_puts(&s, "");
    char chunk[1 << 16];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            diag_error(d, IN_FILE(path), "cannot read: %s", strerror(errno));
            break;
        }
        sbuf_write(&s, chunk, (size_t)n);
        if (max_bytes && s.size > max_bytes) {
            diag_error(d, IN_FILE(path), "is larger than %zu bytes, the limit here", max_bytes);
            n = -1;
            break;
        }
    }
    close(fd);
    if (n < 0) {
        sbuf_free(&s);
        return NULL;
    }
    if (bytes) *bytes = s.size;
    return s.data;
}

bool file_map(const char *path, mapping_t *m, diag_t *d) {
    *m = (mapping_t){0};
    struct stat st;
    int fd = open_for_reading(path, O_NONBLOCK, &st, d); /* a pipe without a writer must not hang */
    if (fd < 0) return false;
    if (!S_ISREG(st.st_mode)) {
        diag_error(d, IN_FILE(path), "is not a regular file, it cannot be mapped");
        close(fd);
        return false;
    }
    if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            diag_error(d, IN_FILE(path), "cannot map: %s", strerror(errno));
            close(fd);
            return false;
        }
        m->data = p;
        m->bytes = (size_t)st.st_size;
    }
    close(fd);
    return true;
}

void file_unmap(mapping_t *m) {
    if (m->data) munmap((void *)(uintptr_t)m->data, m->bytes);
    *m = (mapping_t){0};
}

bool file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

bool is_directory(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool make_directories(const char *path) {
    if (!*path) return false;
    char *copy = strdup(path);
    if (!copy) bug("out of memory");
    for (char *p = copy + 1; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        if (mkdir(copy, 0700) != 0 && errno != EEXIST) break;
        *p = '/';
    }
    bool ok = mkdir(copy, 0700) == 0 || errno == EEXIST;
    free(copy);
    return ok && is_directory(path);
}

/* mkdtemp() gives mode 0700; what it stands in must not let others put another folder in its place. */
static const char *folder_in(arena_t *a, const char *where, const char **why) {
    char *path = arena_printf(a, "%s/reformerc-XXXXXX", where);
    if (!temporary_make_folder(path)) {
        *why = arena_printf(a, "%s: %s", where, strerror(errno));
        return NULL;
    }
    const char *own = trusted_folder(a, path, why);
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
