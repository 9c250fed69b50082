/* Modules: where install.h finds them, and of this version. */
#include "support/module.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "support/diag.h"
#include "support/install.h"

#ifndef REFORMERC_MODULE_VERSION
#error "CMakeLists.txt defines which version this is"
#endif

/* What the system says, without the path at its beginning that we name ourselves. */
static const char *loading_problem(const char *path) {
    const char *said = dlerror();
    size_t n = strlen(path);
    if (!said) return "unknown error";
    return strncmp(said, path, n) == 0 && strncmp(said + n, ": ", 2) == 0 ? said + n + 2 : said;
}

static const void *table_of(void *library, const char *path, diag_t *d) {
    const module_head_t *head = dlsym(library, "reformerc_module");
    if (head && strcmp(head->version, REFORMERC_MODULE_VERSION) == 0) return head;
    diag_error(d, IN_FILE(path), "is no part of reformerc %s", REFORMERC_MODULE_VERSION);
    diag_hint(d, "install reformerc again, with all of its files");
    return NULL;
}

const void *module_load(const module_file_t *m, diag_t *d) {
    char path[PATH_MAX];
    install_module(m->name, path);
    if (access(path, F_OK) != 0) {
        diag_error(d, IN_FILE(path), "is missing: the part of reformerc that uses %s", m->needs);
        diag_hint(d, "install reformerc again, with all of its files");
        return NULL;
    }
    void *library = dlopen(path, RTLD_NOW | (m->global ? RTLD_GLOBAL : RTLD_LOCAL));
    if (library) return table_of(library, path, d);
    diag_error(d, IN_FILE(path), "cannot be loaded: %s", loading_problem(path));
    diag_hint(d, "it needs %s (Debian: %s); else reformerc itself has to be installed again",
              m->needs, m->package);
    return NULL;
}
