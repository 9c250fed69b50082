/* Generated C → code in this process, through the user's compiler and a cache of what it made. */
#ifndef REFORMERC_EXEC_CC_H
#define REFORMERC_EXEC_CC_H

#include "emit/emit.h"

typedef int bind_fn(reformer_model_t *m, const void *weights, size_t bytes);

typedef struct {
    void *library;
    int fd;        /* that it was loaded from */
    bind_fn *bind; /* the model's own: fills in its descriptor */
} compiled_t;

extern const char runtime_header[]; /* the text of reformer_rt.h; made by cmake/embed.cmake */

/* Compiles the plan's C with `cc` (NULL: $CC, else "cc"; a program and its arguments, separated by
 * spaces, never seen by a shell), or finds it in the cache (no_cache: neither reads nor writes it),
 * and loads it. False after an error in d that shows the command and what the compiler said. */
bool cc_load(const plan_t *p, const char *cc, bool no_cache, compiled_t *out, diag_t *d);
/* The words of such a `cc`, into words[CC_MAX_WORDS]; 0 after an error in d. */
enum { CC_MAX_WORDS = 32 };
int cc_words(arena_t *a, const char *cc, const char **words, diag_t *d);
void cc_unload(compiled_t *c); /* zeroed is fine */

#endif
