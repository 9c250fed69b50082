/* Folder, keys and sealed entries of cache.h. */
#define _GNU_SOURCE /* mkostemp */
#include "exec/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reformer_rt.h" /* reformer_checksum */
#include "support/file.h"
#include "support/guard.h"
#include "support/hash.h"
#include "support/heap.h"
#include "support/temporary.h"
#include "support/trust.h"

/* ---- the folder ------------------------------------------------------------------------------ */

static const char *variable(const char *name) {
    const char *s = getenv(name);
    return s && *s ? s : NULL;
}

const char *cache_named(arena_t *a) {
    const char *own = variable("REFORMERC_CACHE"), *xdg = variable("XDG_CACHE_HOME");
    const char *home = variable("HOME");
    if (own) return own;
    if (xdg && *xdg == '/') return arena_printf(a, "%s/reformerc", xdg);
    return home ? arena_printf(a, "%s/.cache/reformerc", home) : NULL;
}

void cache_distrust(diag_t *d, const char *dir, const char *why) {
    diag_warning(d, IN_FILE(dir),
                 "the compile cache is not used, it must be a folder of this user's alone: %s",
                 why);
}

static const char *usable_folder(arena_t *a, diag_t *d) {
    const char *dir = cache_named(a), *why;
    if (!dir || !make_directories(dir, 0700)) return NULL;
    const char *own = trusted_folder(a, dir, &why);
    if (!own) {
        cache_distrust(d, dir, why);
        diag_hint(d, "the variable REFORMERC_CACHE names another folder");
        return NULL;
    }
    return access(own, R_OK | W_OK | X_OK) == 0 ? own : NULL;
}

bool cache_find(arena_t *a, compile_cache_t *c, diag_t *d) {
    *c = (compile_cache_t){0};
    if (!cache_limit(&c->limit, d)) return false;
    if (c->limit > 0) c->folder = usable_folder(a, d);
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------ */

cache_key_t cache_key(void) {
    return (cache_key_t){{HASH64_INIT, ~HASH64_INIT}};
}

void cache_key_add(cache_key_t *k, const void *data, size_t n) {
    k->h[0] = hash64(hash64(k->h[0], &n, sizeof n), data, n);
    k->h[1] = hash64(hash64(k->h[1], data, n), &n, sizeof n);
}

void cache_key_text(cache_key_t *k, const char *text) {
    cache_key_add(k, text, strlen(text));
}

const char *cache_path(arena_t *a, const compile_cache_t *c, const cache_key_t *k,
                       const char *suffix) {
    if (!c->folder) return NULL;
    return arena_printf(a, "%s/%016llx%016llx%s", c->folder, (unsigned long long)k->h[0],
                        (unsigned long long)k->h[1], suffix);
}

/* ---- entries --------------------------------------------------------------------------------- */

typedef struct {
    char magic[8];
    uint64_t bytes, checksum;
} seal_t;

static seal_t seal_for(const void *data, size_t n) {
    static const char magic[8] = "RFMSEAL\n";
    seal_t s = {.bytes = n, .checksum = reformer_checksum(data, n)};
    memcpy(s.magic, magic, sizeof s.magic);
    return s;
}

/* -1: absent, or not a file that this user alone can have written. A pipe does not hang it. */
static int open_entry(const char *path) {
    int fd = guard_open(open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (fd >= 0 && trusted_file(fd)) return fd;
    (void)guard_close(fd);
    return -1;
}

static bool read_all(int fd, char *data, size_t n) {
    for (size_t done = 0; done < n;) {
        ssize_t some = read(fd, data + done, n - done);
        if (some < 0 && errno == EINTR) continue;
        if (some <= 0) return false;
        done += (size_t)some;
    }
    return true;
}

/* All of the file when its seal is right, to free(). */
static char *read_sealed(int fd, size_t *bytes) {
    struct stat st;
    if (fstat(fd, &st) != 0 || (uint64_t)st.st_size <= sizeof(seal_t)) return NULL;
    size_t n = (size_t)st.st_size - sizeof(seal_t);
    char *data = heap_new((size_t)st.st_size, 1);
    if (read_all(fd, data, (size_t)st.st_size)) {
        seal_t want = seal_for(data, n);
        *bytes = n;
        if (memcmp(&want, data + n, sizeof want) == 0) {
            (void)futimens(fd, NULL); /* used now */
            return data;
        }
    }
    heap_free(data);
    return NULL;
}

/* Nothing is said about an entry that is damaged or another user's: it is made again. */
char *cache_read(const char *path, size_t *bytes) {
    int fd = open_entry(path);
    char *data = fd >= 0 ? read_sealed(fd, bytes) : NULL;
    (void)guard_close(fd);
    return data;
}

int cache_open(const char *path) {
    size_t n;
    int fd = open_entry(path);
    char *data = fd >= 0 ? read_sealed(fd, &n) : NULL;
    bool whole = data != NULL;
    heap_free(data);
    if (whole) return fd;
    (void)guard_close(fd);
    return -1;
}

static bool write_all(int fd, const void *data, size_t n) {
    for (const char *p = data; n > 0;) {
        ssize_t some = write(fd, p, n);
        if (some < 0 && errno == EINTR) continue;
        if (some <= 0) return false;
        p += some;
        n -= (size_t)some;
    }
    return true;
}

static bool write_entry(int fd, const void *data, size_t n) {
    seal_t seal = seal_for(data, n);
    return write_all(fd, data, n) && write_all(fd, &seal, sizeof seal);
}

/* Entries are this user's alone, whatever the umask. */
int cache_write(arena_t *a, const compile_cache_t *c, const char *path, const void *data,
                size_t n) {
    if (n + sizeof(seal_t) > c->limit) return -1;
    char *temporary = arena_printf(a, "%s.XXXXXX", path);
    temporary_hold();
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd >= 0) temporary_note(temporary);
    temporary_go_on();
    if (fd < 0) return -1;
    bool ok = write_entry(fd, data, n);
    ok = close(fd) == 0 && ok;
    int kept = ok ? open(temporary, O_RDONLY | O_CLOEXEC) : -1;
    temporary_hold();
    ok = kept >= 0 && rename(temporary, path) == 0;
    if (!ok) (void)unlink(temporary);
    temporary_forget(temporary);
    temporary_go_on();
    if (ok) return guard_open(kept);
    if (kept >= 0) (void)close(kept);
    return -1;
}
