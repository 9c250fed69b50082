/* Parts of the program in files of their own, with the libraries that they are linked with: few
 * calls need them, and the others start without. A module shows one thing, its table of functions,
 * reformerc_module. It links nothing of ours: memory on record and messages are the program's. */
#ifndef REFORMERC_SUPPORT_MODULE_H
#define REFORMERC_SUPPORT_MODULE_H

#include <stdbool.h>

struct diag; /* of diag.h, which C++ cannot read */

/* What each table begins with. */
typedef struct {
    const char *version; /* REFORMERC_MODULE_VERSION */
} module_head_t;

#define MODULE_TABLE __attribute__((visibility("default")))

typedef struct {
    const char *name;  /* of its file, without ".so" */
    const char *needs; /* what is installed for it, and Debian's package of that */
    const char *package;
    bool global; /* its libraries load others, which look for their functions among everybody's */
} module_file_t;

/* The table, which stays to the end. NULL after an error in d. */
const void *module_load(const module_file_t *m, struct diag *d);

#endif
