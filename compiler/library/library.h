/* What the files of the library share: the model, calls that may fail, options as
 * the compiler takes them.
 *
 * model.c    compile, bind, free, queries
 * options.c  reformerc_options_t → request_t, tensors in memory → st_file_t
 * context.c  forwards, caches
 * generate.c choosing tokens, writing texts
 * trainer.c  learning
 * error.c    codes, messages, the guard and the locale of a call */
#ifndef REFORMERC_LIBRARY_H
#define REFORMERC_LIBRARY_H

#include "exec/exec.h"
#include "exec/targets.h"
#include "graph/model.h"
#include "reformerc.h"

struct reformerc_model {
    arena_t *arena; /* spec, plan */
    loaded_model_t model;
    spec_t *spec; /* the model's */
    plan_t *plan;
    exec_t *exec;
    backend_t backend;
    const char *rotations; /* of the options, NULL: none */
    uint64_t seed;
    /* The weights, where a reference or a trainer reads them again; others have
     * them packed, and no store */
    store_t *store;
    struct reformerc_trainer *trainer; /* NULL: none */
    const char *text;                  /* as reformerc_text() */
    ends_t ends;                       /* of texts; nothing where it does not generate */
};

struct reformerc_context {
    const reformerc_model_t *m;
    pool_t *pool; /* NULL: one thread */
    int threads;
    unsigned char *workspace;
    size_t bytes;
    void *sampling; /* scratch of reformerc_sample(); NULL: not needed yet */
    int code;       /* of the last call */
    char *message;  /* more about it; NULL: what the code says */
};

struct reformerc_cache {
    reformerc_context_t *c;
    exec_cache_t *exec;
    size_t length;
};

/* ---- one call -------------------------------------------------------------------------------- */

/* Runs `work`, which returns a code and tells d, under a guard (support/guard.h): where memory runs
 * out it is given up and all that it made is released, and the code is REFORMERC_E_MEMORY; after
 * bug() it is REFORMERC_E_DEFECT. Meanwhile this thread reads and writes numbers as C does.
 * *message, to free(), is what was told, or NULL; `message` may be NULL. */
typedef int call_fn(void *arg, diag_t *d);
int call_guarded(call_fn *work, void *arg, char **message);

/* ---- contexts (context.c) -------------------------------------------------------------------- */

int context_refuse(reformerc_context_t *c, int code); /* the code of the last call; returns it */
/* What allocates as it goes, and says more than a code. */
int context_told(reformerc_context_t *c, call_fn *work, void *arg);
/* The context's own threads, as many as it has at most, where a call names no pool. */
void context_threads(const reformerc_context_t *c, const reformer_pool_t **pool, int *threads);
/* The io of a call with them. */
reformer_io_t context_io(const reformerc_context_t *c, const reformer_io_t *given);

/* ---- options --------------------------------------------------------------------------------- */

typedef struct {
    backend_t backend;
    const char *targets[MAX_TARGETS];
    int n_targets, n_settings;
    setting_t *settings;
    exec_options_t exec; /* without its pool */
} request_t;

/* False after errors in d, each of which names the field. */
bool request_read(request_t *r, arena_t *a, const reformerc_options_t *o, diag_t *d);

/* Points at the tensors' data. NULL after an error in d. */
st_file_t *tensors_open(const reformerc_tensor_t *tensors, size_t n, diag_t *d);

#endif
