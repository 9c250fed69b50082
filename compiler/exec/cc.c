/* The compile cache of cc.h.
 *
 * An entry is DIR/<hash>.so, where the hash covers everything the code depends on: source and header,
 * the runtime's header, compiler (words and what `--version` says) and flags. It ends with a seal (size
 * and checksum of what precedes), since loading a truncated library would end the process. Entries are
 * made in a private folder beside them and renamed, so that processes may share a cache.
 * DIR is $REFORMERC_CACHE, else $XDG_CACHE_HOME/reformerc, else ~/.cache/reformerc; where none can be
 * written, a private temporary folder that is removed after loading.
 *
 * Models call the runtime; in here they call this process's one, through pointers that a second small
 * source file (linkage) holds. So a library needs nothing at link time and shares our workers. */
#include "exec/cc.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/file.h"
#include "support/hash.h"
#include "support/install.h"

extern char **environ;

static const char *const flags[] = {"-O2", "-std=c11", "-fPIC", "-shared"};
enum { N_FLAGS = sizeof flags / sizeof *flags, MAX_WORDS = 64, ERROR_LINES = 12 };

/* ---- linkage ----------------------------------------------------------------------------------------- */

/* What generated code asks of the runtime. */
typedef struct {
    size_t (*workspace_bytes)(const reformer_desc_t *desc, size_t length, int threads);
    int (*bind)(reformer_model_t *m, const reformer_desc_t *desc, const void *weights,
                size_t bytes);
    int (*check_weights)(const reformer_model_t *m);
    int (*forward)(const reformer_model_t *m, const reformer_io_t *io, void *workspace);
    const char *(*strerror)(int code);
    void (*launch)(const reformer_call_t *call, reformer_kernel_fn *kernel, int64_t tasks,
                   const int64_t *arg);
    void (*trace)(const reformer_call_t *call, const char *name, int64_t layer, const void *data,
                  int dtype, const int64_t *shape, int rank);
} linkage_t;

static const linkage_t our_runtime = {
    reformer_workspace_bytes, reformer_bind,   reformer_check_weights, reformer_forward,
    reformer_strerror,        reformer_launch, reformer_trace};

static const char linkage_source[] =
    "#include \"reformer_rt.h\"\n"
    "typedef struct {\n"
    "    size_t (*workspace_bytes)(const reformer_desc_t *, size_t, int);\n"
    "    int (*bind)(reformer_model_t *, const reformer_desc_t *, const void *, size_t);\n"
    "    int (*check_weights)(const reformer_model_t *);\n"
    "    int (*forward)(const reformer_model_t *, const reformer_io_t *, void *);\n"
    "    const char *(*strerror)(int);\n"
    "    void (*launch)(const reformer_call_t *, reformer_kernel_fn *, int64_t, const int64_t *);\n"
    "    void (*trace)(const reformer_call_t *, const char *, int64_t, const void *, int,\n"
    "                  const int64_t *, int);\n"
    "} linkage_t;\n"
    "static linkage_t rt;\n"
    "void reformerc_link(const linkage_t *l);\n"
    "void reformerc_link(const linkage_t *l) { rt = *l; }\n"
    "size_t reformer_workspace_bytes(const reformer_desc_t *d, size_t n, int t) {\n"
    "    return rt.workspace_bytes(d, n, t);\n"
    "}\n"
    "int reformer_bind(reformer_model_t *m, const reformer_desc_t *d, const void *w, size_t n) {\n"
    "    return rt.bind(m, d, w, n);\n"
    "}\n"
    "int reformer_check_weights(const reformer_model_t *m) { return rt.check_weights(m); }\n"
    "int reformer_forward(const reformer_model_t *m, const reformer_io_t *io, void *w) {\n"
    "    return rt.forward(m, io, w);\n"
    "}\n"
    "const char *reformer_strerror(int code) { return rt.strerror(code); }\n"
    "void reformer_launch(const reformer_call_t *c, reformer_kernel_fn *k, int64_t n,\n"
    "                     const int64_t *a) {\n"
    "    rt.launch(c, k, n, a);\n"
    "}\n"
    "void reformer_trace(const reformer_call_t *c, const char *n, int64_t l, const void *p, int t,\n"
    "                    const int64_t *s, int r) {\n"
    "    rt.trace(c, n, l, p, t, s, r);\n"
    "}\n";

/* ---- the job ------------------------------------------------------------------------------------------ */

typedef struct {
    const plan_t *plan;
    arena_t *arena;
    diag_t *d;
    install_t install;
    const char *words[MAX_WORDS]; /* the compiler */
    int n_words;
    sbuf_t source, header;
    char key[40];
    bool temporary; /* the folder is ours alone and goes when we have loaded */
    const char *dir;
} job_t;

static bool split_words(job_t *j, const char *cc) {
    if (!cc || !*cc) cc = getenv("CC");
    if (!cc || !*cc) cc = "cc";
    for (const char *p = cc; *p;) {
        size_t n = strcspn(p, " \t\n");
        if (n && j->n_words == MAX_WORDS / 2) break;
        if (n) j->words[j->n_words++] = arena_strndup(j->arena, p, n);
        p += n + (p[n] != 0);
    }
    if (j->n_words == 0) diag_error(j->d, NOWHERE, "the C compiler is given as '%s'", cc);
    return j->n_words > 0;
}

/* ---- processes ------------------------------------------------------------------------------------------ */

static bool read_all(int fd, sbuf_t *out) {
    char chunk[4096];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n == 0;
        sbuf_write(out, chunk, (size_t)n);
    }
}

static int spawn(char *const *argv, int out, pid_t *pid) {
    posix_spawn_file_actions_t fa;
    int e = posix_spawn_file_actions_init(&fa);
    if (e) return e;
    e = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    if (!e) e = posix_spawn_file_actions_adddup2(&fa, out, 1);
    if (!e) e = posix_spawn_file_actions_adddup2(&fa, out, 2);
    if (!e) e = posix_spawnp(pid, argv[0], &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    return e;
}

/* Runs a program; what it prints goes to `said`. Returns 0, or an errno; *status as of waitpid. */
static int run(const char *const *argv, sbuf_t *said, int *status) {
    int fd[2];
    if (pipe(fd) != 0) return errno;
    fcntl(fd[0], F_SETFD, FD_CLOEXEC);
    fcntl(fd[1], F_SETFD, FD_CLOEXEC);
    pid_t pid;
    int e = spawn((char *const *)argv, fd[1], &pid);
    close(fd[1]);
    if (!e && !read_all(fd[0], said)) e = EIO;
    close(fd[0]);
    if (e) return e;
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR) return errno;
    return 0;
}

static const char *command_text(job_t *j, const char *const *argv) {
    const char *text = "";
    for (int k = 0; argv[k]; k++)
        text = arena_printf(j->arena, "%s%s%s", text, k ? " " : "", argv[k]);
    return text;
}

/* The first lines of what the compiler said, indented. */
static const char *first_lines(job_t *j, const char *said) {
    const char *text = "";
    for (int k = 0; k < ERROR_LINES && *said; k++) {
        size_t n = strcspn(said, "\n");
        text = arena_printf(j->arena, "%s\n    %.*s", text, (int)n, said);
        said += n + (said[n] != 0);
    }
    return *said ? arena_printf(j->arena, "%s\n    …", text) : text;
}

static bool run_checked(job_t *j, const char *const *argv, sbuf_t *said) {
    int status = 0, e = run(argv, said, &status);
    if (e) {
        diag_error(j->d, NOWHERE, "cannot run the C compiler '%s': %s", argv[0], strerror(e));
        diag_hint(j->d, "--cc PROG, or the variable CC, names another one");
        return false;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    diag_error(j->d, NOWHERE, "the C compiler failed: %s%s", command_text(j, argv),
               first_lines(j, said->data ? said->data : ""));
    return false;
}

/* ---- the key -------------------------------------------------------------------------------------------- */

static void hash_text(uint64_t h[2], const char *text, size_t n) {
    h[0] = hash64(hash64(h[0], &n, sizeof n), text, n);
    h[1] = hash64(hash64(h[1], text, n), &n, sizeof n);
}

static void hash_string(uint64_t h[2], const char *s) {
    hash_text(h, s, strlen(s));
}

static bool make_key(job_t *j) {
    const char *argv[MAX_WORDS + 2] = {0};
    memcpy(argv, j->words, (size_t)j->n_words * sizeof *argv);
    argv[j->n_words] = "--version";
    sbuf_t version = {0};
    size_t n = 0;
    char *runtime =
        file_read(arena_printf(j->arena, "%s/reformer_rt.h", j->install.include), 0, &n, j->d);
    bool ok = runtime && run_checked(j, argv, &version);
    if (ok) {
        uint64_t h[2] = {HASH64_INIT, ~HASH64_INIT};
        for (int k = 0; k < j->n_words; k++) hash_string(h, j->words[k]);
        for (int k = 0; k < N_FLAGS; k++) hash_string(h, flags[k]);
        hash_text(h, version.data ? version.data : "", version.size);
        hash_text(h, runtime, n);
        hash_text(h, j->source.data, j->source.size);
        hash_text(h, j->header.data, j->header.size);
        hash_string(h, linkage_source);
        snprintf(j->key, sizeof j->key, "%016llx%016llx", (unsigned long long)h[0],
                 (unsigned long long)h[1]);
    }
    free(runtime);
    sbuf_free(&version);
    return ok;
}

/* ---- folders --------------------------------------------------------------------------------------------- */

static const char *variable(const char *name) {
    const char *s = getenv(name);
    return s && *s ? s : NULL;
}

static const char *wanted_folder(job_t *j) {
    const char *own = variable("REFORMERC_CACHE"), *xdg = variable("XDG_CACHE_HOME");
    const char *home = variable("HOME");
    if (own) return own;
    if (xdg && *xdg == '/') return arena_printf(j->arena, "%s/reformerc", xdg);
    return home ? arena_printf(j->arena, "%s/.cache/reformerc", home) : NULL;
}

static bool find_folder(job_t *j) {
    j->dir = wanted_folder(j);
    if (j->dir && make_directories(j->dir) && access(j->dir, R_OK | W_OK | X_OK) == 0) return true;
    const char *tmp = variable("TMPDIR");
    char *dir = arena_printf(j->arena, "%s/reformerc-XXXXXX", tmp ? tmp : "/tmp");
    j->temporary = true;
    j->dir = mkdtemp(dir);
    if (!j->dir)
        diag_error(j->d, IN_FILE(dir), "cannot make a folder for compiled code: %s",
                   strerror(errno));
    return j->dir != NULL;
}

static void remove_folder(job_t *j, const char *dir) {
    static const char *const names[] = {"linkage.c", "library.so"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        (void)unlink(arena_printf(j->arena, "%s/%s", dir, names[k]));
    (void)unlink(arena_printf(j->arena, "%s/%s.c", dir, j->plan->name));
    (void)unlink(arena_printf(j->arena, "%s/%s.h", dir, j->plan->name));
    (void)rmdir(dir);
}

/* ---- entries ---------------------------------------------------------------------------------------------- */

typedef struct {
    char magic[8];
    uint64_t bytes, checksum;
} seal_t;

static const char seal_magic[8] = "RFMSEAL\n";

static seal_t seal_for(const void *data, size_t n) {
    seal_t s = {.bytes = n, .checksum = reformer_checksum(data, n)};
    memcpy(s.magic, seal_magic, sizeof s.magic);
    return s;
}

/* Whole and undamaged? Nothing is said about an entry that is not: it is made again. */
static bool entry_is_whole(const char *path) {
    if (!file_exists(path)) return false;
    diag_t *quiet = diag_new();
    size_t n = 0;
    char *data = file_read(path, 0, &n, quiet);
    bool whole = false;
    if (data && n > sizeof(seal_t)) {
        seal_t want = seal_for(data, n - sizeof(seal_t));
        whole = memcmp(&want, data + n - sizeof want, sizeof want) == 0;
    }
    free(data);
    diag_free(quiet);
    return whole;
}

/* Appends the seal and puts the library under its name at once. */
static bool install_entry(job_t *j, const char *made, const char *path) {
    size_t n = 0;
    char *data = file_read(made, 0, &n, j->d);
    if (!data) return false;
    seal_t seal = seal_for(data, n);
    free(data);
    int fd = open(made, O_WRONLY | O_APPEND | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, &seal, sizeof seal) == (ssize_t)sizeof seal;
    if (fd >= 0) ok = close(fd) == 0 && ok;
    ok = ok && rename(made, path) == 0;
    if (!ok) diag_error(j->d, IN_FILE(path), "cannot write compiled code: %s", strerror(errno));
    return ok;
}

static bool compile(job_t *j, const char *work, const char *path) {
    arena_t *a = j->arena;
    const char *source = arena_printf(a, "%s/%s.c", work, j->plan->name);
    const char *header = arena_printf(a, "%s/%s.h", work, j->plan->name);
    const char *linkage = arena_printf(a, "%s/linkage.c", work);
    const char *library = arena_printf(a, "%s/library.so", work);
    if (!file_write(source, j->source.data, j->source.size, j->d) ||
        !file_write(header, j->header.data, j->header.size, j->d) ||
        !file_write(linkage, linkage_source, strlen(linkage_source), j->d))
        return false;
    const char *argv[MAX_WORDS + 16] = {0};
    int n = 0;
    for (int k = 0; k < j->n_words; k++) argv[n++] = j->words[k];
    for (int k = 0; k < N_FLAGS; k++) argv[n++] = flags[k];
    argv[n++] = "-I";
    argv[n++] = j->install.include;
    argv[n++] = "-o";
    argv[n++] = library;
    argv[n++] = source;
    argv[n++] = linkage;
    sbuf_t said = {0};
    bool ok = run_checked(j, argv, &said) && install_entry(j, library, path);
    sbuf_free(&said);
    return ok;
}

static bool make_entry(job_t *j, const char *path) {
    char *work = arena_printf(j->arena, "%s/making-XXXXXX", j->dir);
    if (!mkdtemp(work)) {
        diag_error(j->d, IN_FILE(j->dir), "cannot make a folder for the C compiler: %s",
                   strerror(errno));
        return false;
    }
    bool ok = compile(j, work, path);
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

static bool load(job_t *j, const char *path, compiled_t *out) {
    void (*connect_to)(const linkage_t *l);
    const char *bind = arena_printf(j->arena, "%s_bind", j->plan->name);
    out->library = dlopen(strchr(path, '/') ? path : arena_printf(j->arena, "./%s", path),
                          RTLD_NOW | RTLD_LOCAL);
    if (!out->library) return false;
    if (symbol(out->library, "reformerc_link", &connect_to, sizeof connect_to) &&
        symbol(out->library, bind, &out->bind, sizeof out->bind)) {
        connect_to(&our_runtime);
        return true;
    }
    cc_unload(out);
    return false;
}

static bool load_or_build(job_t *j, compiled_t *out) {
    const char *path = arena_printf(j->arena, "%s/%s.so", j->dir, j->key);
    if (entry_is_whole(path) && load(j, path, out)) return true;
    if (!make_entry(j, path)) return false;
    bool ok = load(j, path, out);
    const char *why = ok ? NULL : dlerror();
    if (!ok)
        diag_error(j->d, IN_FILE(path), "cannot load compiled code: %s", why ? why : "no entry");
    if (j->temporary) (void)unlink(path);
    return ok;
}

bool cc_load(const plan_t *p, const char *cc, compiled_t *out, diag_t *d) {
    job_t j = {.plan = p, .arena = arena_new(), .d = d, .install = install_find()};
    emit_c_options_t o = {.header_name = arena_printf(j.arena, "%s.h", p->name),
                          .trace = p->trace,
                          .impose_buckets = p->impose_buckets};
    *out = (compiled_t){0};
    bool ok = split_words(&j, cc);
    if (ok) emit_c(p, &o, &j.source, &j.header);
    ok = ok && make_key(&j) && find_folder(&j) && load_or_build(&j, out);
    if (j.temporary && j.dir) remove_folder(&j, j.dir);
    sbuf_free(&j.source);
    sbuf_free(&j.header);
    arena_free(j.arena);
    return ok;
}

void cc_unload(compiled_t *c) {
    if (c->library) dlclose(c->library);
    *c = (compiled_t){0};
}
