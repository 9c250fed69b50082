/* Compiling and loading of cc.h.
 *
 * An entry of the compile cache is a shared library; its key covers everything the code depends on:
 * source and header, the runtime's header, compiler (words and what `--version` says) and flags.
 * What the compiler made in its private folder (make.c) is copied there; where it cannot be kept,
 * since there is no cache, no room on the disk or its size does not allow it, it is loaded from
 * that folder, which is removed in any case. */
#include "exec/cc.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec/cc_int.h"
#include "support/file.h"
#include "support/guard.h"
#include "support/heap.h"
#include "support/process.h"

typedef struct {
    making_t making;
    compile_cache_t cache;
    const char *path; /* of the entry; NULL: there is no cache */
} job_t;

int cc_words(arena_t *a, const char *cc, const char **words, diag_t *d) {
    if (!cc || !*cc) cc = getenv("CC");
    if (!cc || !*cc) cc = "cc";
    int n = process_words(a, cc, words, CC_MAX_WORDS);
    if (n == 0) diag_error(d, NOWHERE, "the C compiler is given as '%s'", cc);
    return n;
}

/* ---- what was kept --------------------------------------------------------------------------- */

static bool find_path(job_t *j, bool no_cache) {
    cache_key_t key = cache_key();
    if (!make_key(&j->making, &key)) return false;
    if (no_cache) return true;
    if (!cache_find(j->making.arena, &j->cache, j->making.d)) return false;
    j->path = cache_path(j->making.arena, &j->cache, &key, ".so");
    return true;
}

/* False with nothing said: it is made anew. */
static bool load_kept(const job_t *j, compiled_t *out) {
    const char *why;
    int fd = j->path ? cache_open(j->path) : -1;
    return fd >= 0 && load_code(&j->making, fd, j->path, out, &why);
}

/* ---- what is made ---------------------------------------------------------------------------- */

/* The entry's descriptor, -1: it is not kept. */
static int keep(const job_t *j) {
    size_t n = 0;
    if (!j->path) return -1;
    char *data = file_read(j->making.library, 0, &n, j->making.d);
    int fd = data ? cache_write(j->making.arena, &j->cache, j->path, data, n) : -1;
    heap_free(data);
    return fd;
}

static void say_not_loaded(const job_t *j, bool kept, const char *why) {
    const char *path = kept ? j->path : j->making.library;
    diag_error(j->making.d, IN_FILE(path), "cannot load compiled code: %s", why);
    diag_hint(j->making.d, "the variable %s names another folder",
              kept ? "REFORMERC_CACHE" : "TMPDIR");
}

static bool load_made(job_t *j, compiled_t *out) {
    const char *why;
    int fd = keep(j);
    bool kept = fd >= 0;
    if (!kept) fd = guard_open(open(j->making.library, O_RDONLY | O_CLOEXEC));
    bool ok = false;
    if (fd < 0) why = strerror(errno);
    else ok = load_code(&j->making, fd, kept ? j->path : j->making.library, out, &why);
    if (!ok) say_not_loaded(j, kept, why);
    if (kept) (void)cache_trim(j->making.arena, j->cache.folder, j->cache.limit);
    return ok;
}

static bool make_and_load(job_t *j, compiled_t *out) {
    bool ok = make_library(&j->making) && load_made(j, out);
    make_end(&j->making);
    return ok;
}

/* ---- the interface --------------------------------------------------------------------------- */

/* What stands in the file system, where memory runs out. */
static void give_up(void *job, size_t bytes) {
    (void)bytes;
    make_end(&((job_t *)job)->making);
}

bool cc_load(const plan_t *p, const char *cc, bool no_cache, compiled_t *out, diag_t *d) {
    job_t j = {.making = {.name = p->name, .d = d}};
    making_t *m = &j.making;
    guard_own(&j, 0, give_up);
    m->arena = arena_new();
    emit_c_options_t o = {.header_name = arena_printf(m->arena, "%s.h", p->name),
                          .trace = p->trace,
                          .impose_buckets = p->impose_buckets};
    *out = (compiled_t){0};
    m->n_words = cc_words(m->arena, cc, m->words, d);
    bool ok = m->n_words > 0;
    if (ok) emit_c(p, &o, &m->source, &m->header);
    ok = ok && find_path(&j, no_cache) && (load_kept(&j, out) || make_and_load(&j, out));
    guard_disown(&j);
    sbuf_free(&m->source);
    sbuf_free(&m->header);
    arena_free(m->arena);
    return ok;
}

void cc_unload(compiled_t *c) {
    if (c->library) {
        guard_disown(c->library);
        dlclose(c->library);
        (void)guard_close(c->fd);
    }
    *c = (compiled_t){0};
}
