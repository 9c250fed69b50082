/* Where the runtime's header and library are, for the C compilers that build models: in the build
 * tree that this program runs from, else under the prefix that its bin/ stands in. */
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

#endif
