/* A library of generated C → code in this process, by its descriptor: what was checked is what is
 * loaded, whatever becomes of its name. The descriptor stays open as long as the library: glibc
 * knows a library by its name. */
#define _GNU_SOURCE /* ST_NOEXEC */
#include <dlfcn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "exec/cc_int.h"
#include "support/file.h"
#include "support/guard.h"
#include "support/pages.h"

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

/* Without /proc the path names the same file, in a folder that only this user can change. */
static bool open_library(const making_t *m, int fd, const char *path, compiled_t *out) {
    void (*connect_to)(const linkage_t *l);
    const char *bind = arena_printf(m->arena, "%s_bind", m->name);
    const char *name = arena_printf(m->arena, "/proc/self/fd/%d", fd);
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

static bool may_run(int fd) {
    struct statvfs s;
    return fstatvfs(fd, &s) != 0 || !(s.f_flag & ST_NOEXEC);
}

static int copy_in_memory(int fd) {
    struct stat st;
    content_t c;
    input_t in = {.fd = fd, .path = "compiled code"};
    diag_t *nobody = diag_new();
    int copy = -1;
    if (fstat(fd, &st) == 0) in.bytes = (uint64_t)st.st_size;
    if (in.bytes && input_load(&in, &c, nobody)) {
        copy = pages_file(c.data, c.bytes);
        file_unload(&c);
    }
    diag_free(nobody);
    return copy;
}

/* The copy's descriptor, in the file's place; -1. */
static int take_copy(const making_t *m, int fd, const char *path) {
    int copy = guard_open(copy_in_memory(fd));
    const char *folder = arena_strndup(m->arena, path, (size_t)(file_name(path) - path - 1));
    if (copy >= 0)
        diag_warning(m->d, IN_FILE(folder),
                     "is mounted noexec: compiled code runs from a copy in memory");
    (void)guard_close(fd);
    return copy;
}

bool load_code(const making_t *m, int fd, const char *path, compiled_t *out, const char **why) {
    bool here = may_run(fd);
    *why = "its folder is mounted noexec, and memory cannot hold it";
    if (!here) fd = take_copy(m, fd, path);
    if (fd < 0) return false;
    if (open_library(m, fd, here ? path : NULL, out)) return true;
    *why = dlerror();
    if (!*why) *why = "it is no library of ours";
    (void)guard_close(fd);
    *out = (compiled_t){0};
    return false;
}
