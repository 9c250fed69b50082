/* Calls that can be given up halfway: how the library returns "out of memory", and
 * defects of its own, as errors.
 *
 * guard_run() calls a function. Where memory runs out inside (heap.h), or bug() is called, it
 * returns false, and the caller goes on with the report; nothing between is run to its end
 * (longjmp). What was made meanwhile and would leak is on record, thing by thing with the function
 * that releases it: guard_own() when it is made, guard_disown() when it is released or handed over.
 * Memory, arenas and descriptors do so themselves. After a guard's success its records are dropped:
 * what lives on belongs to whom it was handed.
 *
 * Rules. First go things with a release function of their own (guard_own), the newest first, then
 * plain ones: memory, arenas, descriptors. A release function frees the plain ones of its thing, if
 * it does, as always, which disowns them; it leaves alone what is on record with a function of its
 * own. It runs before the stack is given up, so things may stand there; it allocates nothing. What
 * belongs to something older than the guard is not on record (heap_regrow). No foreign frame
 * (LLVM's, a library's that calls back) may stand between a guard and what fails inside it. After
 * bug() nothing is released: who knows what is whole.
 *
 * Guards are of their thread and nest; a job on other threads (exec/pool.h) has one for each task,
 * and tells its caller. Without a guard running out of memory prints and ends the
 * process, as the command line's. */
#ifndef REFORMERC_SUPPORT_GUARD_H
#define REFORMERC_SUPPORT_GUARD_H

#include <stdbool.h>
#include <stddef.h>

typedef enum { GUARD_WENT_WELL, GUARD_NO_MEMORY, GUARD_DEFECT } guard_end_t;

enum { GUARD_TEXT = 512 };
typedef struct {
    guard_end_t how;
    char text[GUARD_TEXT]; /* "out of memory: …", "internal error: …"; no line feed */
} guard_report_t;

bool guard_run(void (*work)(void *arg), void *arg, guard_report_t *report);
/* Gives up the guard of this thread, or the process where there is none. */
_Noreturn void guard_give_up(const guard_report_t *report);
/* The same with "out of memory: `bytes` bytes …", 0: nobody knows how many. */
_Noreturn void guard_no_memory(size_t bytes);
/* What this thread is about, for that text ("reading the weights"); static text, NULL: nothing
 * worth a word. Returns what it was before, to be set again at the end; a guard's
 * end does so too. */
const char *guard_doing(const char *what);

typedef void guard_release_fn(void *what, size_t bytes);
/* May itself run out of memory: then `what` is released first. */
void guard_own(void *what, size_t bytes, guard_release_fn *release);
void guard_own_plain(void *what, size_t bytes, guard_release_fn *release);
void guard_disown(const void *what); /* not on record, NULL: fine */

/* For an own() that must not fail: false when there is no memory for one more record. */
bool guard_make_room(void);
bool guard_owns(const void *what);

/* Descriptors; -1 is fine. */
int guard_open(int fd); /* returns fd */
int guard_close(int fd);

#endif
