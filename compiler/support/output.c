/* Outputs as file.h promises: a temporary file beside the output, and renames. */
#define _GNU_SOURCE /* renameat2 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/file.h"
#include "support/guard.h"
#include "support/heap.h"
#include "support/sbuf.h"
#include "support/temporary.h"

enum { NAMES_TO_TRY = 100, MAX_LINKS = 40 };

struct output {
    FILE *file;
    char *path, *target; /* as the user named it; through links, NULL: written in place */
    char *temporary;
    diag_t *diag;
    sbuf_t held; /* in place: written at commit */
    bool failed;
    char *aside; /* the file before, under a name of its own; NULL: it has none */
    enum { NEW, SWAPPED, ASIDE } how; /* how it was put into its place */
};

static void release(output_t *o) {
    sbuf_free(&o->held);
    heap_free(o->aside);
    heap_free(o->temporary);
    heap_free(o->target);
    heap_free(o->path);
    heap_free(o);
}

/* ---- where to -------------------------------------------------------------------------------- */

/* Descriptors by name: links to a file that is open already, which a rename would
 * cut off from it. */
static bool names_descriptor(const char *path) {
    return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/dev/fd/", 8) == 0;
}

/* One link further; NULL: `path` is none. */
static char *follow(const char *path) {
    char to[PATH_MAX];
    ssize_t n = readlink(path, to, sizeof to - 1);
    if (n <= 0) return NULL;
    to[n] = 0;
    const char *slash = *to == '/' ? NULL : strrchr(path, '/');
    sbuf_t whole = {0};
    if (slash) sbuf_write(&whole, path, (size_t)(slash - path) + 1);
    sbuf_puts(&whole, to);
    return whole.data;
}

char *output_target(const char *path) {
    struct stat st;
    errno = 0;
    if (strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode))) return NULL;
    char *at = heap_text(path);
    for (int n = 0; n < MAX_LINKS; n++) {
        char *next = follow(at);
        if (!next) {
            errno = 0;
            return at;
        }
        bool stays = names_descriptor(at);
        heap_free(at);
        at = next;
        if (!stays) continue;
        heap_free(at);
        errno = 0;
        return NULL;
    }
    heap_free(at);
    errno = ELOOP;
    return NULL;
}

/* A new file beside the output, under the mode that the process's umask leaves; mkstemp() gives
 * 0600, and asking for the umask means changing it for all threads. -1, with
 * errno, when there is none. */
static int create_temporary(output_t *o) {
    int fd = -1;
    for (int i = 0; i < NAMES_TO_TRY; i++) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        sbuf_t name = {0};
        sbuf_printf(&name, "%s.tmp-%ld-%09ld%03x", o->target, (long)getpid(), now.tv_nsec,
                    (unsigned)((uintptr_t)o >> 4) & 0xFFF);
        heap_free(o->temporary);
        o->temporary = name.data;
        temporary_hold();
        fd = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        int why = errno;
        if (fd >= 0) temporary_note(o->temporary);
        temporary_go_on();
        errno = why;
        if (fd >= 0 || errno != EEXIST) break;
    }
    return fd;
}

static output_t *cannot(output_t *o, const char *what) {
    diag_error(o->diag, IN_FILE(o->path), "%s: %s", what, strerror(errno));
    release(o);
    return NULL;
}

/* A rename asks the folder alone, so that a file could be replaced that its owner
 * has made read-only. */
static bool is_kept(const char *target) {
    struct stat st;
    return stat(target, &st) == 0 && (st.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) == 0;
}

static output_t *keeps(output_t *o) {
    diag_error(o->diag, IN_FILE(o->path),
               "is read-only (no write permission for anybody), and stays as it is");
    diag_hint(o->diag, "another name, or chmod u+w %s", o->path);
    release(o);
    return NULL;
}

static void give_up(void *o, size_t bytes) {
    (void)bytes;
    output_abort(o);
}

output_t *output_open(const char *path, diag_t *d) {
    output_t *o = heap_new_thing(sizeof *o, give_up);
    o->diag = d;
    o->path = heap_text(path);
    o->target = output_target(path);
    if (!o->target) return errno ? cannot(o, "cannot create") : o;
    if (is_kept(o->target)) return keeps(o);
    int fd = create_temporary(o);
    if (fd < 0) return cannot(o, "cannot create");
    o->file = fdopen(fd, "wb");
    if (!o->file) {
        (void)close(fd);
        guard_no_memory(0);
    }
    return o;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool fail(output_t *o, const char *what) {
    if (!o->failed) diag_error(o->diag, IN_FILE(o->path), "%s: %s", what, strerror(errno));
    o->failed = true;
    return false;
}

bool output_write(output_t *o, const void *data, size_t bytes) {
    if (!o->target) {
        sbuf_write(&o->held, data, bytes);
        return true;
    }
    if (o->failed) return false;
    return bytes == 0 || fwrite(data, 1, bytes, o->file) == bytes || fail(o, "cannot write");
}

/* stdout, a pipe, a device: there is nothing to rename, so the bytes were held until now. A reader
 * of stdout that has seen enough is no error. */
static bool write_in_place(output_t *o) {
    FILE *f = strcmp(o->path, "-") == 0 ? stdout : fopen(o->path, "wbe");
    bool ok = f && (o->held.size == 0 || fwrite(o->held.data, 1, o->held.size, f) == o->held.size);
    if (f && fflush(f) != 0) ok = false;
    bool closed = f == stdout && errno == EPIPE;
    if (!ok && !closed) (void)fail(o, "cannot write");
    if (f && f != stdout) fclose(f);
    return ok;
}

bool output_patch(output_t *o, uint64_t at, const void *data, size_t bytes) {
    if (!o->target) {
        memcpy(o->held.data + at, data, bytes);
        return true;
    }
    if (o->failed) return false;
    bool ok = fseeko(o->file, (off_t)at, SEEK_SET) == 0 &&
              fwrite(data, 1, bytes, o->file) == bytes && fseeko(o->file, 0, SEEK_END) == 0;
    return ok || fail(o, "cannot write");
}

bool output_finish(output_t *o) {
    if (!o->file) return !o->failed;
    if (!o->failed && (fflush(o->file) != 0 || fsync(fileno(o->file)) != 0) && errno != EINVAL)
        (void)fail(o, "cannot write");
    if (fclose(o->file) != 0) (void)fail(o, "cannot write");
    o->file = NULL;
    return !o->failed;
}

/* ---- into place, and back -------------------------------------------------------------------- */

static bool move(output_t *o, const char *from, const char *to) {
    return rename(from, to) == 0 || fail(o, "cannot create");
}

/* The new file and the old one change places, so that there is a way back and never a gap. A file
 * system that cannot do so gets two renames. */
static bool swap(output_t *o) {
    if (renameat2(AT_FDCWD, o->temporary, AT_FDCWD, o->target, RENAME_EXCHANGE) == 0) {
        o->how = SWAPPED;
        return true;
    }
    if (errno != EINVAL && errno != ENOSYS) return fail(o, "cannot create");
    sbuf_t name = {0};
    sbuf_printf(&name, "%s-old", o->temporary);
    o->aside = name.data;
    if (!move(o, o->target, o->aside)) return false;
    o->how = ASIDE;
    if (move(o, o->temporary, o->target)) return true;
    (void)rename(o->aside, o->target);
    return false;
}

static bool place(output_t *o, bool with_way_back) {
    struct stat st;
    if (!o->target) return true;
    o->how = NEW;
    if (lstat(o->target, &st) != 0 || !with_way_back) return move(o, o->temporary, o->target);
    if (!S_ISDIR(st.st_mode)) return swap(o);
    errno = EISDIR;
    return fail(o, "cannot create");
}

static void take_back(output_t *o) {
    if (!o->target) return;
    if (o->how == NEW) (void)unlink(o->target);
    else if (o->how == ASIDE) (void)rename(o->aside, o->target);
    else (void)renameat2(AT_FDCWD, o->temporary, AT_FDCWD, o->target, RENAME_EXCHANGE);
}

static bool place_all(output_t **o, int n) {
    int placed = 0;
    while (placed < n && place(o[placed], n > 1)) placed++;
    if (placed == n) return true;
    while (placed-- > 0) take_back(o[placed]);
    return false;
}

/* With signals held. What is there no longer was renamed. */
static void clear(output_t *o, bool placed) {
    if (!o->temporary) return;
    (void)unlink(o->temporary);
    if (o->aside && placed) (void)unlink(o->aside);
    temporary_forget(o->temporary);
}

bool output_commit_all(output_t **o, int n) {
    bool ok = true;
    for (int i = 0; i < n; i++) ok = output_finish(o[i]) && ok;
    for (int i = 0; ok && i < n; i++) ok = o[i]->target || write_in_place(o[i]);
    temporary_hold();
    ok = ok && place_all(o, n);
    for (int i = 0; i < n; i++) clear(o[i], ok);
    temporary_go_on();
    for (int i = 0; i < n; i++) release(o[i]);
    return ok;
}

bool output_commit(output_t *o) {
    return output_commit_all(&o, 1);
}

void output_abort(output_t *o) {
    if (!o) return;
    if (o->file) fclose(o->file);
    temporary_hold();
    clear(o, false);
    temporary_go_on();
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
