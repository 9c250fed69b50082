/* Errors as values: codes in words, a call's diagnostics as one text. In: a diag_t. Out: what the command line
 * would print, for the caller to free(). */
#include "library/library.h"

#include <stdlib.h>

#ifndef REFORMERC_VERSION
#error "CMakeLists.txt defines the version"
#endif

const char *reformerc_version(void) {
    return REFORMERC_VERSION;
}

static const char *const messages[] = {
    [REFORMERC_E_SPEC - REFORMERC_E_SPEC] = "the spec cannot be compiled",
    [REFORMERC_E_OPTION - REFORMERC_E_SPEC] = "an option has a bad value",
    [REFORMERC_E_WEIGHTS - REFORMERC_E_SPEC] = "the weights cannot be used",
    [REFORMERC_E_COMPILE - REFORMERC_E_SPEC] = "compiling or loading code failed",
    [REFORMERC_E_MEMORY - REFORMERC_E_SPEC] = "no memory for the workspace, or no threads",
    [REFORMERC_E_UNBOUND - REFORMERC_E_SPEC] = "the model has no weights yet",
    [REFORMERC_E_FORWARD - REFORMERC_E_SPEC] = "the forward was refused",
};

const char *reformerc_strerror(int code) {
    int known = (int)(sizeof messages / sizeof *messages), own = code - REFORMERC_E_SPEC;
    return own >= 0 && own < known ? messages[own] : reformer_strerror(code);
}

/* Whoever links us may write numbers with a comma: uselocale() is of this thread alone, and newlocale() of "C"
 * costs nothing. */
call_t call_open(void) {
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain) bug("no C locale");
    return (call_t){.d = diag_new(), .before = uselocale(plain)};
}

char *diag_text(diag_t *d) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    if (!f) out_of_memory(0);
    diag_print(d, f);
    if (fclose(f) != 0) out_of_memory(0);
    if (bytes > 0) return text;
    free(text);
    return NULL;
}

int call_close(call_t *c, int code, char **message) {
    if (message) *message = diag_text(c->d);
    diag_free(c->d);
    freelocale(uselocale(c->before));
    return code;
}
