/* Folder, keys and sealed entries of cache.h. */
#include "exec/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reformer_rt.h" /* reformer_checksum */
#include "support/file.h"
#include "support/hash.h"

/* ---- the folder ------------------------------------------------------------------------------------ */

static const char *variable(const char *name) {
    const char *s = getenv(name);
    return s && *s ? s : NULL;
}

static const char *wanted_folder(arena_t *a) {
    const char *own = variable("REFORMERC_CACHE"), *xdg = variable("XDG_CACHE_HOME");
    const char *home = variable("HOME");
    if (own) return own;
    if (xdg && *xdg == '/') return arena_printf(a, "%s/reformerc", xdg);
    return home ? arena_printf(a, "%s/.cache/reformerc", home) : NULL;
}

const char *cache_folder(arena_t *a) {
    const char *dir = wanted_folder(a);
    bool usable = dir && make_directories(dir) && access(dir, R_OK | W_OK | X_OK) == 0;
    return usable ? dir : NULL;
}

/* ---- keys -------------------------------------------------------------------------------------------- */

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

const char *cache_path(arena_t *a, const char *folder, const cache_key_t *k, const char *suffix) {
    return arena_printf(a, "%s/%016llx%016llx%s", folder, (unsigned long long)k->h[0],
                        (unsigned long long)k->h[1], suffix);
}

/* ---- entries ----------------------------------------------------------------------------------------- */

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

/* Nothing is said about an entry that is damaged: it is made again. */
char *cache_read(const char *path, size_t *bytes) {
    if (!file_exists(path)) return NULL;
    diag_t *quiet = diag_new();
    size_t n = 0;
    char *data = file_read(path, 0, &n, quiet);
    diag_free(quiet);
    if (data && n > sizeof(seal_t)) {
        seal_t want = seal_for(data, n - sizeof(seal_t));
        *bytes = n - sizeof want;
        if (memcmp(&want, data + *bytes, sizeof want) == 0) return data;
    }
    free(data);
    return NULL;
}

bool cache_is_whole(const char *path) {
    size_t n;
    char *data = cache_read(path, &n);
    free(data);
    return data != NULL;
}

bool cache_write(const char *path, const void *data, size_t n, diag_t *d) {
    seal_t seal = seal_for(data, n);
    output_t *out = output_open(path, d);
    if (!out) return false;
    if (output_write(out, data, n) && output_write(out, &seal, sizeof seal))
        return output_commit(out);
    output_abort(out);
    return false;
}

bool cache_install(const char *made, const char *path, diag_t *d) {
    size_t n = 0;
    char *data = file_read(made, 0, &n, d);
    if (!data) return false;
    seal_t seal = seal_for(data, n);
    free(data);
    int fd = open(made, O_WRONLY | O_APPEND | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, &seal, sizeof seal) == (ssize_t)sizeof seal;
    if (fd >= 0) ok = close(fd) == 0 && ok;
    ok = ok && rename(made, path) == 0;
    if (!ok) diag_error(d, IN_FILE(path), "cannot write compiled code: %s", strerror(errno));
    return ok;
}
