/* Errors of one reading of one spec: how many are told, and which of two values is to blame. */
#include <stdarg.h>

#include "spec/read.h"

bool complain(reader_t *r, srcloc_t at, const char *fmt, ...) {
    if (++r->errors > MAX_ERRORS) return false;
    va_list ap;
    va_start(ap, fmt);
    const char *text = arena_vprintf(r->arena, fmt, ap);
    va_end(ap);
    diag_error(r->diag, at, "%s", text);
    if (r->errors == MAX_ERRORS)
        diag_hint(r->diag, "that is enough; further errors are not listed");
    return false;
}

void suggest(reader_t *r, const char *fmt, ...) {
    if (r->errors >= MAX_ERRORS) return;
    va_list ap;
    va_start(ap, fmt);
    diag_hint(r->diag, "%s", arena_vprintf(r->arena, fmt, ap));
    va_end(ap);
}

srcloc_t blame(const reader_t *r, spec_key_t first, spec_key_t second) {
    const spec_t *s = r->spec;
    return s->given[first] || !s->given[second] ? s->at[first] : s->at[second];
}
