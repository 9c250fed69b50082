/* The reading half of file.h.
 *
 * In: a path from a user. Out: bytes of our own, or an error that says what stands there instead of
 * a file. Nothing is mapped: a file that shrinks while it is mapped kills the process, and a host
 * program with it. Nothing is waited for that may never come: files are opened without blocking,
 * and a pipe has a second to find its writer. */
#define _GNU_SOURCE /* MADV_HUGEPAGE */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/file.h"
#include "support/guard.h"
#include "support/heap.h"
#include "support/sbuf.h"

enum { WAIT_FOR_WRITER_MS = 1000, READ_AT_ONCE = 1 << 30 };

/* What is no file, NULL for what is one or reads like one. */
static const char *special(const struct stat *st) {
    if (S_ISDIR(st->st_mode)) return "is a directory, a file is needed here";
    if (S_ISBLK(st->st_mode)) return "is a device, a file is needed here";
    if (S_ISSOCK(st->st_mode)) return "is a socket, a file is needed here";
    return NULL;
}

static int refuse(int fd, const char *path, const char *what, diag_t *d) {
    (void)guard_close(fd);
    diag_error(d, IN_FILE(path), "%s", what);
    return -1;
}

/* A descriptor that does not block, or -1. */
static int open_for_reading(const char *path, struct stat *st, diag_t *d) {
    int fd = guard_open(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (fd < 0 && errno == ENXIO && stat(path, st) == 0 && special(st))
        return refuse(fd, path, special(st), d); /* a socket cannot be opened */
    if (fd < 0 || fstat(fd, st) != 0) {
        diag_error(d, IN_FILE(path), "cannot open: %s", strerror(errno));
        (void)guard_close(fd);
        return -1;
    }
    if (special(st)) return refuse(fd, path, special(st), d);
    if (S_ISREG(st->st_mode)) diag_note_input(d, path);
    return fd;
}

/* ---- streams -------------------------------------------------------------------------------- */

/* /dev/zero and its like have no end; a terminal and /dev/null have one. */
static bool endless(int fd, const struct stat *st) {
    struct stat null;
    if (!S_ISCHR(st->st_mode) || isatty(fd)) return false;
    return stat("/dev/null", &null) != 0 || null.st_rdev != st->st_rdev;
}

static bool wait_for(int fd, int timeout) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do n = poll(&p, 1, timeout);
    while (n < 0 && errno == EINTR);
    return n != 0;
}

/* Like read(), but waits for a writer that is there. *alone: nobody has ever written. */
static ssize_t read_some(int fd, bool pipe, bool begun, void *out, size_t n, bool *alone) {
    *alone = false;
    for (bool waited = false;;) {
        ssize_t got = read(fd, out, n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            (void)wait_for(fd, -1);
            continue;
        }
        /* An end at once: a pipe whose writer is gone says so to poll(), one
         * without a writer does not. */
        if (got != 0 || !pipe || begun || waited) return got;
        waited = true;
        *alone = !wait_for(fd, WAIT_FOR_WRITER_MS);
        if (*alone) return 0;
    }
}

bool flow_open(const char *path, flow_t *s, diag_t *d) {
    struct stat st;
    *s = (flow_t){.fd = open_for_reading(path, &st, d), .path = path};
    if (s->fd < 0) return false;
    s->pipe = S_ISFIFO(st.st_mode);
    s->bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    if (!endless(s->fd, &st)) return true;
    s->fd = refuse(s->fd, path, "is a device, a file is needed here", d);
    return false;
}

int64_t flow_read(flow_t *s, void *out, size_t bytes, diag_t *d) {
    bool alone;
    ssize_t n = read_some(s->fd, s->pipe, s->begun, out, bytes, &alone);
    if (n < 0) diag_error(d, IN_FILE(s->path), "cannot read: %s", strerror(errno));
    else if (alone) diag_error(d, IN_FILE(s->path), "is a pipe that nobody writes to");
    s->begun = s->begun || n > 0;
    return alone ? -1 : n;
}

void flow_close(flow_t *s) {
    (void)guard_close(s->fd);
    s->fd = -1;
}

/* False after an error in d. */
static bool read_all(flow_t *in, size_t max_bytes, sbuf_t *s, diag_t *d) {
    char chunk[1 << 16];
    int64_t n;
    while ((n = flow_read(in, chunk, sizeof chunk, d)) > 0) {
        sbuf_write(s, chunk, (size_t)n);
        if (!max_bytes || s->size <= max_bytes) continue;
        diag_error(d, IN_FILE(in->path), "is larger than %zu bytes, the limit here", max_bytes);
        return false;
    }
    return n == 0;
}

char *file_read(const char *path, size_t max_bytes, size_t *bytes, diag_t *d) {
    flow_t in;
    if (!flow_open(path, &in, d)) return NULL;
    sbuf_t s = {0};
    sbuf_puts(&s, "");
    bool ok = read_all(&in, max_bytes, &s, d);
    flow_close(&in);
    if (!ok) {
        sbuf_free(&s);
        return NULL;
    }
    if (bytes) *bytes = s.size;
    return s.data;
}

/* ---- regular files -------------------------------------------------------------------------- */

bool input_open(const char *path, input_t *in, diag_t *d) {
    struct stat st;
    *in = (input_t){.fd = open_for_reading(path, &st, d), .path = path};
    if (in->fd < 0) return false;
    const char *what = S_ISFIFO(st.st_mode)   ? "is not a regular file but a pipe"
                       : !S_ISREG(st.st_mode) ? "is not a regular file but a device"
                                              : NULL;
    if (what) {
        in->fd = refuse(in->fd, path, what, d);
        return false;
    }
    in->bytes = (uint64_t)st.st_size;
    return true;
}

bool input_read(const input_t *in, uint64_t at, void *out, size_t bytes, diag_t *d) {
    for (size_t done = 0; done < bytes;) {
        size_t rest = bytes - done;
        ssize_t n = pread(in->fd, (char *)out + done, rest < READ_AT_ONCE ? rest : READ_AT_ONCE,
                          (off_t)(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) diag_error(d, IN_FILE(in->path), "cannot read: %s", strerror(errno));
        if (n == 0) diag_error(d, IN_FILE(in->path), "became shorter while it was read");
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

void input_close(input_t *in) {
    (void)guard_close(in->fd);
    in->fd = -1;
}

static void unmap(void *p, size_t bytes) {
    (void)munmap(p, bytes);
}

/* Pages of our own rather than malloc's: weights are large, and go back to the system whole. */
bool input_load(const input_t *in, content_t *c, diag_t *d) {
    *c = (content_t){0};
    if (in->bytes == 0) return true;
    void *p =
        mmap(NULL, (size_t)in->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || !guard_make_room()) {
        if (p != MAP_FAILED) unmap(p, (size_t)in->bytes);
        diag_no_memory(d, IN_FILE(in->path), "has %llu bytes, too many for the memory",
                       (unsigned long long)in->bytes);
        return false;
    }
    guard_own_plain(p, (size_t)in->bytes, unmap);
    (void)madvise(p, (size_t)in->bytes,
                  MADV_HUGEPAGE); /* a fault per 4 KiB takes longer than the reading */
    *c = (content_t){.data = p, .bytes = (size_t)in->bytes, .room = (size_t)in->bytes};
    if (input_read(in, 0, p, c->bytes, d)) return true;
    file_unload(c);
    return false;
}

bool file_load(const char *path, content_t *c, diag_t *d) {
    *c = (content_t){0};
    input_t in;
    if (!input_open(path, &in, d)) return false;
    bool ok = input_load(&in, c, d);
    input_close(&in);
    return ok;
}

void file_forget(const content_t *c, const void *part, size_t bytes) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)part, to = from + bytes;
    from = (from + page - 1) / page * page;
    to = to / page * page;
    if (c->room && from < to) (void)madvise((void *)from, to - from, MADV_DONTNEED);
}

void file_unload(content_t *c) {
    guard_disown(c->room ? c->data : NULL);
    if (c->room) (void)munmap((void *)(uintptr_t)c->data, c->room);
    *c = (content_t){0};
}
