/* The places of install.h. CMake tells where the build tree is and how the runtime was built. */
#include "support/install.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if !defined(REFORMERC_BUILD_DIR) || !defined(REFORMERC_RUNTIME_DIR) ||                            \
    !defined(REFORMERC_LIBDIR) || !defined(REFORMERC_INCLUDEDIR) ||                                \
    !defined(REFORMERC_RUNTIME_FLAGS)
#error "CMakeLists.txt defines where things are"
#endif

/* The folder that this program's bin/ stands in; "" when the system does not tell. */
static void own_prefix(char prefix[PATH_MAX]) {
    ssize_t n = readlink("/proc/self/exe", prefix, PATH_MAX - 1);
    prefix[n > 0 ? n : 0] = 0;
    for (int level = 0; level < 2; level++) {
        char *slash = strrchr(prefix, '/');
        if (slash) *slash = 0;
    }
}

static void join(char out[PATH_MAX], const char *folder, const char *name) {
    int n = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    if (n < 0 || n >= PATH_MAX) out[0] = 0;
}

install_t install_find(void) {
    install_t i = {.link_flags = REFORMERC_RUNTIME_FLAGS};
    char prefix[PATH_MAX], build[PATH_MAX];
    own_prefix(prefix);
    if (!*prefix || (realpath(REFORMERC_BUILD_DIR, build) && strcmp(prefix, build) == 0)) {
        join(i.include, REFORMERC_RUNTIME_DIR, "");
        i.include[strlen(i.include) - 1] = 0;
        join(i.library, REFORMERC_BUILD_DIR, "lib/libreformer_rt.a");
    } else {
        join(i.include, prefix, REFORMERC_INCLUDEDIR);
        join(i.library, prefix, REFORMERC_LIBDIR "/libreformer_rt.a");
    }
    return i;
}

void install_module(const char *name, char path[PATH_MAX]) {
    char prefix[PATH_MAX];
    own_prefix(prefix);
    int n = snprintf(path, PATH_MAX, "%s/" REFORMERC_LIBDIR "/reformerc/%s.so",
                     *prefix ? prefix : REFORMERC_BUILD_DIR, name);
    if (n < 0 || n >= PATH_MAX) path[0] = 0;
}
