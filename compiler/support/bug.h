/* Our own fault, an invariant that does not hold: bug() gives up the call (guard.h). The command
 * line prints the text and exits 70, the library returns an error. What the user can
 * mend goes through diag.h. */
#ifndef REFORMERC_SUPPORT_BUG_H
#define REFORMERC_SUPPORT_BUG_H

_Noreturn void bug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
