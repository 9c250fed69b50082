/* Shared by the files that make code of generated C and load it.
 *
 * cc.c       the way: key, cache, or compiler; the interface, cc.h
 * linkage.c  how what is loaded calls the runtime of this process
 * make.c     the user's compiler at work in a folder of its own
 * load.c     a file into this process
 */
#ifndef REFORMERC_EXEC_CC_INT_H
#define REFORMERC_EXEC_CC_INT_H

#include "exec/cache.h"
#include "exec/cc.h"

/* ---- linkage.c ------------------------------------------------------------------------------- */

typedef struct linkage linkage_t;
extern const linkage_t our_runtime;
/* Defines reformerc_link(const linkage_t *), and the runtime's functions by what it was given. */
extern const char linkage_source[];

/* ---- make.c ---------------------------------------------------------------------------------- */

typedef struct {
    const char *name; /* of the model, and so of its files */
    arena_t *arena;
    diag_t *d;
    const char *words[CC_MAX_WORDS]; /* the compiler */
    int n_words;
    sbuf_t source, header;
    const char *folder;  /* private, where the compiler works; NULL: there is none */
    const char *library; /* what it made, in that folder */
} making_t;

/* Adds the compiler, its version and flags, and all that it is to compile. False
 * after an error in d. */
bool make_key(const making_t *m, cache_key_t *key);
/* A folder, and in it the library. False after an error in d. */
bool make_library(making_t *m);
void make_end(making_t *m); /* removes the folder; allocates nothing */

/* ---- load.c ---------------------------------------------------------------------------------- */

/* What a descriptor holds, which must be what was checked; `path`: its name, where there is no
 * /proc. It is the code's from here on, or closed. False: it cannot be loaded, *why says so. A
 * folder that code may not be run from (mounted noexec) still keeps it: what runs is a copy in
 * memory, after a warning in m->d. */
bool load_code(const making_t *m, int fd, const char *path, compiled_t *out, const char **why);

#endif
