/* Errors as values: codes in words, a call's diagnostics as one text. In: a diag_t. Out: what the
 * command line would print, for the caller to free(). */
#include "library/library.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "support/guard.h"
#include "support/heap.h"

const char *reformerc_version(void) {
    return REFORMERC_VERSION;
}

static const char *const messages[] = {
    [REFORMERC_E_SPEC - REFORMERC_E_SPEC] = "the spec cannot be compiled",
    [REFORMERC_E_OPTION - REFORMERC_E_SPEC] = "an option has a bad value",
    [REFORMERC_E_WEIGHTS - REFORMERC_E_SPEC] = "the weights cannot be used",
    [REFORMERC_E_COMPILE - REFORMERC_E_SPEC] = "compiling or loading code failed",
    [REFORMERC_E_MEMORY - REFORMERC_E_SPEC] = "out of memory, or of threads",
    [REFORMERC_E_UNBOUND - REFORMERC_E_SPEC] = "the model has no weights yet",
    [REFORMERC_E_FORWARD - REFORMERC_E_SPEC] = "the forward was refused",
    [REFORMERC_E_DEFECT - REFORMERC_E_SPEC] = "a defect of reformerc",
};

const char *reformerc_strerror(int code) {
    int known = (int)(sizeof messages / sizeof *messages), own = code - REFORMERC_E_SPEC;
    return own >= 0 && own < known ? messages[own] : reformer_strerror(code);
}

/* ---- a call ---------------------------------------------------------------------------------- */

typedef struct {
    call_fn *work;
    void *arg;
    diag_t *d;
    char *text;
    int code;
} guarded_call_t;

typedef struct {
    FILE *file;
    char *text; /* there once the file is closed */
    size_t bytes;
} stream_t;

static void give_up(void *stream, size_t bytes) {
    stream_t *s = stream;
    (void)bytes;
    (void)fclose(s->file);
    free(s->text);
}

/* All messages as one text, to free(); NULL: there are none. */
static char *text_of(diag_t *d) {
    stream_t s = {0};
    s.file = open_memstream(&s.text, &s.bytes);
    if (!s.file) guard_no_memory(0);
    guard_own(&s, 0, give_up);
    diag_print(d, s.file);
    guard_disown(&s);
    if (fclose(s.file) != 0) {
        free(s.text);
        guard_no_memory(0);
    }
    if (s.bytes > 0) return s.text;
    free(s.text);
    return NULL;
}

static void work(void *arg) {
    guarded_call_t *c = arg;
    c->d = diag_new();
    c->code = c->work(c->arg, c->d);
    if (c->code != REFORMER_OK && diag_ran_out(c->d)) c->code = REFORMERC_E_MEMORY;
}

static void tell(void *arg) {
    guarded_call_t *c = arg;
    c->text = text_of(c->d);
}

/* What was done stays done where there is no memory to say more of it. */
static char *told(guarded_call_t *c) {
    guard_report_t report;
    return guard_run(tell, c, &report) ? c->text : NULL;
}

/* NULL where there is no memory even for that. */
static char *text_of_report(const guard_report_t *r) {
    char text[GUARD_TEXT + 32];
    snprintf(text, sizeof text, "reformerc: error: %s\n", r->text);
    return strdup(text);
}

/* Whoever links us may write numbers with a comma: uselocale() is of this thread alone, and
 * newlocale() of "C" costs nothing. */
int call_guarded(call_fn *fn, void *arg, char **message) {
    guarded_call_t c = {.work = fn, .arg = arg};
    guard_report_t report;
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain) return REFORMERC_E_MEMORY;
    locale_t before = uselocale(plain);
    bool well = guard_run(work, &c, &report);
    if (message) *message = well ? told(&c) : text_of_report(&report);
    if (well) diag_free(c.d);
    freelocale(uselocale(before));
    if (well) return c.code;
    return report.how == GUARD_NO_MEMORY ? REFORMERC_E_MEMORY : REFORMERC_E_DEFECT;
}
