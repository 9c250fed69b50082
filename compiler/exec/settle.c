/* The decision of settle.h. In: a back end. Out: it, or the one that needs no
 * executable memory of our making. */
#include "exec/settle.h"

#include <string.h>
#include <sys/wait.h>

#include "exec/cc.h"
#include "support/pages.h"
#include "support/process.h"

int jit_forbidden(const char **call) {
    return pages_forbid_code(call);
}

static bool compiler_runs(const char *cc) {
    arena_t *a = arena_new();
    diag_t *quiet = diag_new();
    const char *argv[CC_MAX_WORDS + 2] = {0};
    sbuf_t said = {0};
    int status = 0, n = cc_words(a, cc, argv, quiet);
    argv[n] = "--version";
    bool ok = n > 0 && process_run(argv, &said, &status) == 0 && WIFEXITED(status) &&
              WEXITSTATUS(status) == 0;
    sbuf_free(&said);
    diag_free(quiet);
    arena_free(a);
    return ok;
}

backend_t backend_settle(backend_t b, const char *cc, diag_t *d) {
    const char *call;
    if (b != BACKEND_JIT || !backend_is_built_in(b)) return b;
    int error = jit_forbidden(&call);
    if (!error || !compiler_runs(cc)) return b; /* the JIT says it */
    diag_warning(d, NOWHERE,
                 "this system does not let a process make memory executable (%s: %s): back end c "
                 "runs in place of jit",
                 call, strerror(error));
    diag_hint(d, "--backend c says so at once");
    return BACKEND_C;
}
