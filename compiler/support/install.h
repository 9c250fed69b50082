/* What the program finds under the prefix that its bin/ stands in: modules; and, for the C compilers
 * that build models, the runtime's header and library, elsewhere when it is the build tree's. */
#ifndef REFORMERC_SUPPORT_INSTALL_H
#define REFORMERC_SUPPORT_INSTALL_H

#include <limits.h>

typedef struct {
    char include[PATH_MAX]; /* folder of reformer_rt.h */
    char library[PATH_MAX]; /* libreformer_rt.a */
    /* What the library needs besides libc: "-fopenmp", sanitizers; may be "" */
    const char *link_flags;
} install_t;

install_t install_find(void);

/* The file of the program's module (module.h) `name`. */
void install_module(const char *name, char path[PATH_MAX]);

#endif
