/* Our own fault: the call is given up, with a text that says which invariant broke. */
#include "support/bug.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "support/guard.h"

_Noreturn void bug(const char *fmt, ...) {
    guard_report_t r = {.how = GUARD_DEFECT, .text = "internal error: "};
    size_t n = strlen(r.text);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r.text + n, sizeof r.text - n, fmt, ap);
    va_end(ap);
    guard_give_up(&r);
}
