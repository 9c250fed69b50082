/* The user's compiler, run in a private folder: model, header, the runtime's header and linkage in,
 * a library out. The runtime's header is part of this program: a program that
 * links us may stand anywhere. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exec/cc_int.h"
#include "support/file.h"
#include "support/process.h"

static const char *const flags[] = {"-O2", "-std=c11", "-fPIC", "-shared"};
enum { N_FLAGS = sizeof flags / sizeof *flags };

static bool run_compiler(const making_t *m, const char *const *argv, sbuf_t *said) {
    return process_must(m->arena, argv, "the C compiler",
                        "--cc PROG, or the variable CC, names another one", said, m->d);
}

/* ---- the key --------------------------------------------------------------------------------- */

static void add_all(const making_t *m, const sbuf_t *version, cache_key_t *key) {
    for (int k = 0; k < m->n_words; k++) cache_key_text(key, m->words[k]);
    for (int k = 0; k < N_FLAGS; k++) cache_key_text(key, flags[k]);
    cache_key_add(key, version->data ? version->data : "", version->size);
    cache_key_text(key, runtime_header);
    cache_key_add(key, m->source.data, m->source.size);
    cache_key_add(key, m->header.data, m->header.size);
    cache_key_text(key, linkage_source);
}

bool make_key(const making_t *m, cache_key_t *key) {
    const char *argv[CC_MAX_WORDS + 2] = {0};
    memcpy(argv, m->words, (size_t)m->n_words * sizeof *argv);
    argv[m->n_words] = "--version";
    sbuf_t version = {0};
    bool ok = run_compiler(m, argv, &version);
    if (ok) add_all(m, &version, key);
    sbuf_free(&version);
    return ok;
}

/* ---- a library ------------------------------------------------------------------------------- */

static bool compile(making_t *m) {
    arena_t *a = m->arena;
    const char *source = arena_printf(a, "%s/%s.c", m->folder, m->name);
    const char *header = arena_printf(a, "%s/%s.h", m->folder, m->name);
    const char *linkage = arena_printf(a, "%s/linkage.c", m->folder);
    const char *runtime = arena_printf(a, "%s/reformer_rt.h", m->folder);
    m->library = arena_printf(a, "%s/library.so", m->folder);
    if (!file_write(runtime, runtime_header, strlen(runtime_header), m->d) ||
        !file_write(source, m->source.data, m->source.size, m->d) ||
        !file_write(header, m->header.data, m->header.size, m->d) ||
        !file_write(linkage, linkage_source, strlen(linkage_source), m->d))
        return false;
    const char *argv[CC_MAX_WORDS + 16] = {0};
    int n = 0;
    for (int k = 0; k < m->n_words; k++) argv[n++] = m->words[k];
    for (int k = 0; k < N_FLAGS; k++) argv[n++] = flags[k];
    argv[n++] = "-o";
    argv[n++] = m->library;
    argv[n++] = source;
    argv[n++] = linkage;
    sbuf_t said = {0};
    bool ok = run_compiler(m, argv, &said);
    sbuf_free(&said);
    return ok;
}

bool make_library(making_t *m) {
    m->folder = temporary_folder(m->arena, "for the C compiler", m->d);
    return m->folder && compile(m);
}

static void remove_file(const char *dir, const char *name, const char *suffix) {
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s%s", dir, name, suffix) < sizeof path)
        (void)unlink(path);
}

void make_end(making_t *m) {
    if (!m->folder) return;
    remove_file(m->folder, "linkage", ".c");
    remove_file(m->folder, "library", ".so");
    remove_file(m->folder, "reformer_rt", ".h");
    remove_file(m->folder, m->name, ".c");
    remove_file(m->folder, m->name, ".h");
    temporary_folder_end(m->folder);
    m->folder = NULL;
}
