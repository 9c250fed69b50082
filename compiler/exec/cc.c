/* Compiling and loading of cc.h.
 *
 * An entry of the compile cache is a shared library; its key covers everything the code depends on:
 * source and header, the runtime's header, compiler (words and what `--version` says) and flags. It is
 * made in a private folder beside the entries, and where no cache can be written, in a private temporary
 * folder that is removed after loading.
 *
 * Models call the runtime; in here they call this process's one, through pointers that a second small
 * source file (linkage) holds. So a library needs nothing at link time and shares our workers. The runtime's
 * header is part of this program too: a program that links us may stand anywhere. */
#define _GNU_SOURCE /* ST_NOEXEC */
#include "exec/cc.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "exec/cache.h"
#include "support/file.h"
#include "support/guard.h"
#include "support/heap.h"
#include "support/pages.h"
#include "support/process.h"
#include "support/temporary.h"

static const char *const flags[] = {"-O2", "-std=c11", "-fPIC", "-shared"};
enum { N_FLAGS = sizeof flags / sizeof *flags };

/* ---- linkage ----------------------------------------------------------------------------------------- */

/* What generated code asks of the runtime. */
typedef struct {
    size_t (*workspace_bytes)(const reformer_desc_t *desc, size_t length, int threads);
    int (*bind)(reformer_model_t *m, const reformer_desc_t *desc, const void *weights,
                size_t bytes);
    int (*explain)(const reformer_desc_t *desc, const void *weights, size_t bytes, char *text,
                   size_t room);
    int (*check_weights)(const reformer_desc_t *desc, const reformer_model_t *m);
    const char *(*target)(const reformer_model_t *m);
    int (*forward)(const reformer_desc_t *desc, const reformer_model_t *m, const reformer_io_t *io,
                   void *workspace, size_t bytes);
    const char *(*strerror)(int code);
    const char *(*translator)(const reformer_desc_t *desc);
    void (*launch)(const reformer_call_t *call, reformer_kernel_fn *kernel, int64_t tasks,
                   const int64_t *arg);
    void (*trace)(const reformer_call_t *call, const char *name, int64_t layer, const void *data,
                  int dtype, const int64_t *shape, int rank);
    void (*ready)(const reformer_call_t *call, int64_t first, int64_t floats);
    void (*launch_labelled)(const reformer_call_t *call, reformer_kernel_fn *kernel, int64_t tasks,
                            const int64_t *arg, const char *name, int64_t layer);
    size_t (*cache_bytes)(const reformer_desc_t *desc, size_t length);
    int (*cache_init)(const reformer_desc_t *desc, void *cache, size_t bytes, size_t length);
    int (*cache_check)(const reformer_desc_t *desc, const void *cache, size_t bytes);
    size_t (*cache_tokens)(const void *cache, size_t row);
    int (*cache_copy_row)(const reformer_desc_t *desc, void *cache, size_t from, size_t to);
    size_t (*decode_bytes)(const reformer_desc_t *desc, size_t length, int threads);
    int (*prefill)(const reformer_desc_t *desc, const reformer_model_t *m,
                   const reformer_decode_t *io, void *cache, void *workspace, size_t bytes);
    int (*step)(const reformer_desc_t *desc, const reformer_model_t *m, const reformer_decode_t *io,
                void *cache, void *workspace, size_t bytes);
    size_t (*gradients_bytes)(const reformer_desc_t *desc);
    int (*gradient)(const reformer_desc_t *desc, size_t i, reformer_tensor_t *t);
    size_t (*train_bytes)(const reformer_desc_t *desc, size_t length, int threads);
    int (*gradients)(const reformer_desc_t *desc, const reformer_model_t *m,
                     const reformer_io_t *io, float *gradients, size_t gradients_bytes,
                     void *workspace, size_t bytes);
    size_t (*trainer_bytes)(const reformer_desc_t *desc, size_t micro_batches);
    size_t (*trainer_workspace)(const reformer_desc_t *desc, size_t length, int threads);
    int (*trainer_begin)(const reformer_desc_t *desc, reformer_trainer_t *t,
                         const reformer_model_t *m, void *weights, void *memory,
                         size_t memory_bytes, size_t micro_batches, void *workspace, size_t bytes);
    int (*trainer_resume)(const reformer_desc_t *desc, reformer_trainer_t *t,
                          const reformer_model_t *m, void *weights, void *memory,
                          size_t memory_bytes, size_t micro_batches, int64_t step);
    int (*train_step)(const reformer_desc_t *desc, reformer_trainer_t *t, const reformer_io_t *io,
                      size_t n, reformer_train_report_t *report, void *workspace, size_t bytes);
    int (*sign_weights)(const reformer_desc_t *desc, void *weights, size_t bytes);
} linkage_t;

static const linkage_t our_runtime = {reformer_workspace_bytes, reformer_bind,
                                      reformer_explain,         reformer_check_weights,
                                      reformer_target,          reformer_forward,
                                      reformer_strerror,        reformer_translator,
                                      reformer_launch,          reformer_trace,
                                      reformer_ready,           reformer_launch_labelled,
                                      reformer_cache_bytes,     reformer_cache_init,
                                      reformer_cache_check,     reformer_cache_tokens,
                                      reformer_cache_copy_row,  reformer_decode_bytes,
                                      reformer_prefill,         reformer_step,
                                      reformer_gradients_bytes, reformer_gradient,
                                      reformer_train_bytes,     reformer_gradients,
                                      reformer_trainer_bytes,   reformer_trainer_workspace,
                                      reformer_trainer_begin,   reformer_trainer_resume,
                                      reformer_train_step,      reformer_sign_weights};

/* One pointer, set whole: a library that two threads load at once is one library. */
static const char linkage_source[] =
    "#include \"reformer_rt.h\"\n"
    "typedef struct {\n"
    "    size_t (*workspace_bytes)(const reformer_desc_t *, size_t, int);\n"
    "    int (*bind)(reformer_model_t *, const reformer_desc_t *, const void *, size_t);\n"
    "    int (*explain)(const reformer_desc_t *, const void *, size_t, char *, size_t);\n"
    "    int (*check_weights)(const reformer_desc_t *, const reformer_model_t *);\n"
    "    const char *(*target)(const reformer_model_t *);\n"
    "    int (*forward)(const reformer_desc_t *, const reformer_model_t *, const reformer_io_t *,\n"
    "                   void *, size_t);\n"
    "    const char *(*strerror)(int);\n"
    "    const char *(*translator)(const reformer_desc_t *);\n"
    "    void (*launch)(const reformer_call_t *, reformer_kernel_fn *, int64_t, const int64_t *);\n"
    "    void (*trace)(const reformer_call_t *, const char *, int64_t, const void *, int,\n"
    "                  const int64_t *, int);\n"
    "    void (*ready)(const reformer_call_t *, int64_t, int64_t);\n"
    "    void (*launch_labelled)(const reformer_call_t *, reformer_kernel_fn *, int64_t,\n"
    "                            const int64_t *, const char *, int64_t);\n"
    "    size_t (*cache_bytes)(const reformer_desc_t *, size_t);\n"
    "    int (*cache_init)(const reformer_desc_t *, void *, size_t, size_t);\n"
    "    int (*cache_check)(const reformer_desc_t *, const void *, size_t);\n"
    "    size_t (*cache_tokens)(const void *, size_t);\n"
    "    int (*cache_copy_row)(const reformer_desc_t *, void *, size_t, size_t);\n"
    "    size_t (*decode_bytes)(const reformer_desc_t *, size_t, int);\n"
    "    int (*prefill)(const reformer_desc_t *, const reformer_model_t *,\n"
    "                   const reformer_decode_t *, void *, void *, size_t);\n"
    "    int (*step)(const reformer_desc_t *, const reformer_model_t *, const reformer_decode_t *,\n"
    "                void *, void *, size_t);\n"
    "    size_t (*gradients_bytes)(const reformer_desc_t *);\n"
    "    int (*gradient)(const reformer_desc_t *, size_t, reformer_tensor_t *);\n"
    "    size_t (*train_bytes)(const reformer_desc_t *, size_t, int);\n"
    "    int (*gradients)(const reformer_desc_t *, const reformer_model_t *,\n"
    "                     const reformer_io_t *, float *, size_t, void *, size_t);\n"
    "    size_t (*trainer_bytes)(const reformer_desc_t *, size_t);\n"
    "    size_t (*trainer_workspace)(const reformer_desc_t *, size_t, int);\n"
    "    int (*trainer_begin)(const reformer_desc_t *, reformer_trainer_t *,\n"
    "                         const reformer_model_t *, void *, void *, size_t, size_t, void *,\n"
    "                         size_t);\n"
    "    int (*trainer_resume)(const reformer_desc_t *, reformer_trainer_t *,\n"
    "                          const reformer_model_t *, void *, void *, size_t, size_t,\n"
    "                          int64_t);\n"
    "    int (*train_step)(const reformer_desc_t *, reformer_trainer_t *, const reformer_io_t *,\n"
    "                      size_t, reformer_train_report_t *, void *, size_t);\n"
    "    int (*sign_weights)(const reformer_desc_t *, void *, size_t);\n"
    "} linkage_t;\n"
    "static const linkage_t *linked;\n"
    "static const linkage_t *rt(void) { return __atomic_load_n(&linked, __ATOMIC_ACQUIRE); }\n"
    "void reformerc_link(const linkage_t *l);\n"
    "void reformerc_link(const linkage_t *l) { __atomic_store_n(&linked, l, __ATOMIC_RELEASE); }\n"
    "size_t reformer_workspace_bytes(const reformer_desc_t *d, size_t n, int t) {\n"
    "    return rt()->workspace_bytes(d, n, t);\n"
    "}\n"
    "int reformer_bind(reformer_model_t *m, const reformer_desc_t *d, const void *w, size_t n) {\n"
    "    return rt()->bind(m, d, w, n);\n"
    "}\n"
    "int reformer_explain(const reformer_desc_t *d, const void *w, size_t n, char *t, size_t r) {\n"
    "    return rt()->explain(d, w, n, t, r);\n"
    "}\n"
    "int reformer_check_weights(const reformer_desc_t *d, const reformer_model_t *m) {\n"
    "    return rt()->check_weights(d, m);\n"
    "}\n"
    "const char *reformer_target(const reformer_model_t *m) { return rt()->target(m); }\n"
    "int reformer_forward(const reformer_desc_t *d, const reformer_model_t *m,\n"
    "                     const reformer_io_t *io, void *w, size_t n) {\n"
    "    return rt()->forward(d, m, io, w, n);\n"
    "}\n"
    "const char *reformer_translator(const reformer_desc_t *d) { return rt()->translator(d); }\n"
    "const char *reformer_strerror(int code) { return rt()->strerror(code); }\n"
    "void reformer_launch(const reformer_call_t *c, reformer_kernel_fn *k, int64_t n,\n"
    "                     const int64_t *a) {\n"
    "    rt()->launch(c, k, n, a);\n"
    "}\n"
    "void reformer_trace(const reformer_call_t *c, const char *n, int64_t l, const void *p, int t,\n"
    "                    const int64_t *s, int r) {\n"
    "    rt()->trace(c, n, l, p, t, s, r);\n"
    "}\n"
    "void reformer_ready(const reformer_call_t *c, int64_t first, int64_t n) {\n"
    "    rt()->ready(c, first, n);\n"
    "}\n"
    "void reformer_launch_labelled(const reformer_call_t *c, reformer_kernel_fn *k, int64_t n,\n"
    "                              const int64_t *a, const char *name, int64_t layer) {\n"
    "    rt()->launch_labelled(c, k, n, a, name, layer);\n"
    "}\n"
    "size_t reformer_cache_bytes(const reformer_desc_t *d, size_t n) {\n"
    "    return rt()->cache_bytes(d, n);\n"
    "}\n"
    "int reformer_cache_init(const reformer_desc_t *d, void *c, size_t b, size_t n) {\n"
    "    return rt()->cache_init(d, c, b, n);\n"
    "}\n"
    "int reformer_cache_check(const reformer_desc_t *d, const void *c, size_t b) {\n"
    "    return rt()->cache_check(d, c, b);\n"
    "}\n"
    "size_t reformer_cache_tokens(const void *c, size_t r) { return rt()->cache_tokens(c, r); }\n"
    "int reformer_cache_copy_row(const reformer_desc_t *d, void *c, size_t f, size_t t) {\n"
    "    return rt()->cache_copy_row(d, c, f, t);\n"
    "}\n"
    "size_t reformer_decode_bytes(const reformer_desc_t *d, size_t n, int t) {\n"
    "    return rt()->decode_bytes(d, n, t);\n"
    "}\n"
    "int reformer_prefill(const reformer_desc_t *d, const reformer_model_t *m,\n"
    "                     const reformer_decode_t *io, void *c, void *w, size_t n) {\n"
    "    return rt()->prefill(d, m, io, c, w, n);\n"
    "}\n"
    "int reformer_step(const reformer_desc_t *d, const reformer_model_t *m,\n"
    "                  const reformer_decode_t *io, void *c, void *w, size_t n) {\n"
    "    return rt()->step(d, m, io, c, w, n);\n"
    "}\n"
    "size_t reformer_gradients_bytes(const reformer_desc_t *d) {\n"
    "    return rt()->gradients_bytes(d);\n"
    "}\n"
    "int reformer_gradient(const reformer_desc_t *d, size_t i, reformer_tensor_t *t) {\n"
    "    return rt()->gradient(d, i, t);\n"
    "}\n"
    "size_t reformer_train_bytes(const reformer_desc_t *d, size_t n, int t) {\n"
    "    return rt()->train_bytes(d, n, t);\n"
    "}\n"
    "int reformer_gradients(const reformer_desc_t *d, const reformer_model_t *m,\n"
    "                       const reformer_io_t *io, float *g, size_t b, void *w, size_t n) {\n"
    "    return rt()->gradients(d, m, io, g, b, w, n);\n"
    "}\n"
    "size_t reformer_trainer_bytes(const reformer_desc_t *d, size_t n) {\n"
    "    return rt()->trainer_bytes(d, n);\n"
    "}\n"
    "size_t reformer_trainer_workspace(const reformer_desc_t *d, size_t n, int t) {\n"
    "    return rt()->trainer_workspace(d, n, t);\n"
    "}\n"
    "int reformer_trainer_begin(const reformer_desc_t *d, reformer_trainer_t *t,\n"
    "                           const reformer_model_t *m, void *x, void *y, size_t b, size_t n,\n"
    "                           void *w, size_t o) {\n"
    "    return rt()->trainer_begin(d, t, m, x, y, b, n, w, o);\n"
    "}\n"
    "int reformer_trainer_resume(const reformer_desc_t *d, reformer_trainer_t *t,\n"
    "                            const reformer_model_t *m, void *x, void *y, size_t b, size_t n,\n"
    "                            int64_t s) {\n"
    "    return rt()->trainer_resume(d, t, m, x, y, b, n, s);\n"
    "}\n"
    "int reformer_train_step(const reformer_desc_t *d, reformer_trainer_t *t,\n"
    "                        const reformer_io_t *io, size_t n, reformer_train_report_t *r,\n"
    "                        void *w, size_t b) {\n"
    "    return rt()->train_step(d, t, io, n, r, w, b);\n"
    "}\n"
    "int reformer_sign_weights(const reformer_desc_t *d, void *x, size_t n) {\n"
    "    return rt()->sign_weights(d, x, n);\n"
    "}\n";

/* ---- the job ------------------------------------------------------------------------------------------ */

typedef struct {
    const plan_t *plan;
    arena_t *arena;
    diag_t *d;
    const char *words[CC_MAX_WORDS]; /* the compiler */
    int n_words;
    sbuf_t source, header;
    cache_key_t key;
    bool temporary; /* the folder is ours alone and goes when we have loaded */
    const char *dir;
    const char *work, *entry; /* in it: where the compiler works; what it made. NULL: not there */
} job_t;

int cc_words(arena_t *a, const char *cc, const char **words, diag_t *d) {
    if (!cc || !*cc) cc = getenv("CC");
    if (!cc || !*cc) cc = "cc";
    int n = process_words(a, cc, words, CC_MAX_WORDS);
    if (n == 0) diag_error(d, NOWHERE, "the C compiler is given as '%s'", cc);
    return n;
}

/* ---- the key -------------------------------------------------------------------------------------------- */

static bool run_compiler(job_t *j, const char *const *argv, sbuf_t *said) {
    return process_must(j->arena, argv, "the C compiler",
                        "--cc PROG, or the variable CC, names another one", said, j->d);
}

static bool make_key(job_t *j) {
    const char *argv[CC_MAX_WORDS + 2] = {0};
    memcpy(argv, j->words, (size_t)j->n_words * sizeof *argv);
    argv[j->n_words] = "--version";
    sbuf_t version = {0};
    bool ok = run_compiler(j, argv, &version);
    if (ok) {
        j->key = cache_key();
        for (int k = 0; k < j->n_words; k++) cache_key_text(&j->key, j->words[k]);
        for (int k = 0; k < N_FLAGS; k++) cache_key_text(&j->key, flags[k]);
        cache_key_add(&j->key, version.data ? version.data : "", version.size);
        cache_key_text(&j->key, runtime_header);
        cache_key_add(&j->key, j->source.data, j->source.size);
        cache_key_add(&j->key, j->header.data, j->header.size);
        cache_key_text(&j->key, linkage_source);
    }
    sbuf_free(&version);
    return ok;
}

/* ---- folders --------------------------------------------------------------------------------------------- */

static bool find_folder(job_t *j, bool no_cache) {
    j->dir = no_cache ? NULL : cache_folder(j->arena, j->d);
    if (j->dir) return true;
    j->temporary = true;
    j->dir = temporary_folder(j->arena, "for compiled code", j->d);
    return j->dir != NULL;
}

static void remove_file(const char *dir, const char *name, const char *suffix) {
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s%s", dir, name, suffix) < sizeof path)
        (void)unlink(path);
}

/* Allocates nothing: it may be for want of memory that it is called. */
static void remove_folder(const job_t *j, const char *dir) {
    remove_file(dir, "linkage", ".c");
    remove_file(dir, "library", ".so");
    remove_file(dir, "reformer_rt", ".h");
    remove_file(dir, j->plan->name, ".c");
    remove_file(dir, j->plan->name, ".h");
    temporary_folder_end(dir);
}

/* What stands in the file system, where memory runs out. */
static void give_up(void *job, size_t bytes) {
    const job_t *j = job;
    (void)bytes;
    if (j->work) remove_folder(j, j->work);
    if (j->entry && j->temporary) (void)unlink(j->entry);
    if (j->dir && j->temporary) remove_folder(j, j->dir);
}

/* ---- entries ---------------------------------------------------------------------------------------------- */

static bool compile(job_t *j, const char *work, const char *path) {
    arena_t *a = j->arena;
    const char *source = arena_printf(a, "%s/%s.c", work, j->plan->name);
    const char *header = arena_printf(a, "%s/%s.h", work, j->plan->name);
    const char *linkage = arena_printf(a, "%s/linkage.c", work);
    const char *library = arena_printf(a, "%s/library.so", work);
    const char *runtime = arena_printf(a, "%s/reformer_rt.h", work);
    if (!file_write(runtime, runtime_header, strlen(runtime_header), j->d) ||
        !file_write(source, j->source.data, j->source.size, j->d) ||
        !file_write(header, j->header.data, j->header.size, j->d) ||
        !file_write(linkage, linkage_source, strlen(linkage_source), j->d))
        return false;
    const char *argv[CC_MAX_WORDS + 16] = {0};
    int n = 0;
    for (int k = 0; k < j->n_words; k++) argv[n++] = j->words[k];
    for (int k = 0; k < N_FLAGS; k++) argv[n++] = flags[k];
    argv[n++] = "-o";
    argv[n++] = library;
    argv[n++] = source;
    argv[n++] = linkage;
    sbuf_t said = {0};
    bool ok = run_compiler(j, argv, &said) && cache_install(library, path, j->d);
    sbuf_free(&said);
    return ok;
}

static bool make_entry(job_t *j, const char *path) {
    char *work = arena_printf(j->arena, "%s/making-XXXXXX", j->dir);
    if (!temporary_make_folder(work)) {
        diag_error(j->d, IN_FILE(j->dir), "cannot make a folder for the C compiler: %s",
                   strerror(errno));
        return false;
    }
    j->work = work;
    j->entry = path;
    bool ok = compile(j, work, path);
    j->work = NULL;
    remove_folder(j, work);
    return ok;
}

/* ---- loading ----------------------------------------------------------------------------------------------- */

/* POSIX lets objects hold functions; C does not convert one to the other. */
static void *symbol(void *library, const char *name, void *function, size_t n) {
    void *s = dlsym(library, name);
    memcpy(function, &s, n);
    return s;
}

static void unload(void *library, size_t bytes) {
    (void)bytes;
    (void)dlclose(library);
}

/* dlopen() of what a descriptor holds, which is what was checked. It stays open as long as the library: glibc knows a
 * library by its name. Without /proc the path names the same file, in a folder that only this user can change. */
static bool load(job_t *j, int fd, const char *path, compiled_t *out) {
    void (*connect_to)(const linkage_t *l);
    const char *bind = arena_printf(j->arena, "%s_bind", j->plan->name);
    const char *name = arena_printf(j->arena, "/proc/self/fd/%d", fd);
    if (access(name, F_OK) != 0 && path) name = path;
    *out = (compiled_t){.library = dlopen(name, RTLD_NOW | RTLD_LOCAL), .fd = fd};
    if (!out->library) return false;
    guard_own(out->library, 0, unload);
    if (symbol(out->library, "reformerc_link", &connect_to, sizeof connect_to) &&
        symbol(out->library, bind, &out->bind, sizeof out->bind)) {
        connect_to(&our_runtime);
        return true;
    }
    guard_disown(out->library);
    dlclose(out->library);
    return false;
}

/* A folder that code may not be run from (mounted noexec) still keeps it; what runs is a copy in memory. */
static int copy_in_memory(const char *path) {
    size_t n;
    char *data = cache_read(path, &n);
    int fd = data ? pages_file(data, n) : -1;
    heap_free(data);
    return fd;
}

static bool may_run(int fd) {
    struct statvfs s;
    return fstatvfs(fd, &s) != 0 || !(s.f_flag & ST_NOEXEC);
}

static bool load_copy(job_t *j, const char *path, compiled_t *out) {
    int fd = guard_open(copy_in_memory(path));
    if (fd < 0) return false;
    if (load(j, fd, NULL, out)) {
        diag_warning(j->d, IN_FILE(j->dir),
                     "is mounted noexec: compiled code runs from a copy in memory");
        return true;
    }
    (void)guard_close(fd);
    return false;
}

/* What the entry says; false with nothing said. */
static bool load_entry(job_t *j, const char *path, compiled_t *out) {
    int fd = cache_open(path);
    if (fd < 0) return false;
    if (may_run(fd)) {
        if (load(j, fd, path, out)) return true;
        (void)guard_close(fd);
        return false;
    }
    (void)guard_close(fd);
    return load_copy(j, path, out);
}

static void say_not_loaded(job_t *j, const char *path) {
    const char *why = dlerror();
    int fd = cache_open(path);
    if (fd >= 0 && !may_run(fd)) why = "its folder is mounted noexec, and memory cannot hold it";
    (void)guard_close(fd);
    diag_error(j->d, IN_FILE(path), "cannot load compiled code: %s", why ? why : "no entry");
    diag_hint(j->d, "the variable %s names another folder",
              j->temporary ? "TMPDIR" : "REFORMERC_CACHE");
}

static bool load_or_build(job_t *j, compiled_t *out) {
    const char *path = cache_path(j->arena, j->dir, &j->key, ".so");
    if (load_entry(j, path, out)) return true;
    if (!make_entry(j, path)) return false;
    bool ok = load_entry(j, path, out);
    if (!ok) {
        *out = (compiled_t){0};
        say_not_loaded(j, path);
    }
    if (j->temporary) (void)unlink(path);
    return ok;
}

bool cc_load(const plan_t *p, const char *cc, bool no_cache, compiled_t *out, diag_t *d) {
    job_t j = {.plan = p, .d = d};
    guard_own(&j, 0, give_up);
    j.arena = arena_new();
    emit_c_options_t o = {.header_name = arena_printf(j.arena, "%s.h", p->name),
                          .trace = p->trace,
                          .impose_buckets = p->impose_buckets};
    *out = (compiled_t){0};
    j.n_words = cc_words(j.arena, cc, j.words, d);
    bool ok = j.n_words > 0;
    if (ok) emit_c(p, &o, &j.source, &j.header);
    ok = ok && make_key(&j) && find_folder(&j, no_cache) && load_or_build(&j, out);
    guard_disown(&j);
    if (j.temporary && j.dir) remove_folder(&j, j.dir);
    sbuf_free(&j.source);
    sbuf_free(&j.header);
    arena_free(j.arena);
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
