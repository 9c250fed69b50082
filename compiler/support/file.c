/* Files as file.h promises, over POSIX calls. A host program may fork and start others from another thread at
 * any time: every descriptor is closed on exec from its first moment. */
#include "support/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/sbuf.h"

enum { NAMES_TO_TRY = 100 };

struct output {
    FILE *file;
    char *path, *temporary; /* temporary == NULL: stdout or a device, nothing to rename */
    diag_t *diag;
    sbuf_t held; /* without a temporary file: written at commit */
    bool failed;
};

static void release(output_t *o) {
    sbuf_free(&o->held);
    free(o->temporary);
    free(o->path);
    free(o);
}

/* A new file beside the output, under the mode that the process's umask leaves; mkstemp() gives 0600, and
 * asking for the umask means changing it for all threads. -1, with errno, when there is none. */
static int create_temporary(output_t *o) {
    for (int i = 0; i < NAMES_TO_TRY; i++) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        sbuf_t name = {0};
        sbuf_printf(&name, "%s.tmp-%ld-%09ld%03x", o->path, (long)getpid(), now.tv_nsec,
                    (unsigned)((uintptr_t)o >> 4) & 0xFFF);
        free(o->temporary);
        o->temporary = name.data;
        int fd = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

output_t *output_open(const char *path, diag_t *d) {
    output_t *o = calloc(1, sizeof *o);
    if (!o) bug("out of memory");
    o->diag = d;
    o->path = strdup(path);
    if (!o->path) bug("out of memory");
    struct stat st;
    if (strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode))) return o;
    int fd = create_temporary(o);
    if (fd < 0) {
        diag_error(d, IN_FILE(path), "cannot create: %s", strerror(errno));
        release(o);
        return NULL;
    }
    o->file = fdopen(fd, "wb");
    if (!o->file) bug("fdopen: %s", strerror(errno));
    return o;
}

bool output_write(output_t *o, const void *data, size_t bytes) {
    if (!o->temporary) {
        sbuf_write(&o->held, data, bytes);
        return true;
    }
    if (o->failed) return false;
    if (bytes && fwrite(data, 1, bytes, o->file) != bytes) {
        diag_error(o->diag, IN_FILE(o->path), "cannot write: %s", strerror(errno));
        o->failed = true;
    }
    return !o->failed;
}

/* stdout, a pipe, a device: there is nothing to rename, so the bytes were held until now. */
static bool commit_in_place(output_t *o) {
    FILE *f = strcmp(o->path, "-") == 0 ? stdout : fopen(o->path, "wbe");
    bool ok = f && (o->held.size == 0 || fwrite(o->held.data, 1, o->held.size, f) == o->held.size);
    if (f && fflush(f) != 0) ok = false;
    if (!ok) diag_error(o->diag, IN_FILE(o->path), "cannot write: %s", strerror(errno));
    if (f && f != stdout) fclose(f);
    release(o);
    return ok;
}

bool output_commit(output_t *o) {
    if (!o->temporary) return commit_in_place(o);
    if (!o->failed && (fflush(o->file) != 0 || fsync(fileno(o->file)) != 0) && errno != EINVAL) {
        diag_error(o->diag, IN_FILE(o->path), "cannot write: %s", strerror(errno));
        o->failed = true;
    }
    if (fclose(o->file) != 0 && !o->failed) {
        diag_error(o->diag, IN_FILE(o->path), "cannot write: %s", strerror(errno));
        o->failed = true;
    }
    o->file = NULL;
    if (!o->failed && rename(o->temporary, o->path) != 0) {
        diag_error(o->diag, IN_FILE(o->path), "cannot create: %s", strerror(errno));
        o->failed = true;
    }
    bool ok = !o->failed;
    if (!ok) unlink(o->temporary);
    release(o);
    return ok;
}

void output_abort(output_t *o) {
    if (!o) return;
    if (o->file) fclose(o->file);
    if (o->temporary) unlink(o->temporary);
    release(o);
}

bool file_write(const char *path, const void *data, size_t bytes, diag_t *d) {
    output_t *o = output_open(path, d);
    if (!o) return false;
    if (!output_write(o, data, bytes)) {
        output_abort(o);
        return false;
    }
    return output_commit(o);
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

const char *temporary_folder(arena_t *a, const char *to, diag_t *d) {
    const char *tmp = getenv("TMPDIR");
    char *path = arena_printf(a, "%s/reformerc-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (mkdtemp(path)) return path;
    diag_error(d, IN_FILE(path), "cannot make a folder %s: %s", to, strerror(errno));
    return NULL;
}
