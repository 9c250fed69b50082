/* Temporary files and folders that a signal must not leave behind.
 *
 * A program says once that it wants this; in a library nothing here does anything, since signals
 * belong to its host. A temporary file is made and noted, or renamed and forgotten,
 * while signals are held. */
#ifndef REFORMERC_SUPPORT_TEMPORARY_H
#define REFORMERC_SUPPORT_TEMPORARY_H

#include <stdbool.h>

/* INT, TERM, HUP, QUIT and XCPU, where they are not ignored, remove what is noted and then end the
 * process as they always do. */
void temporary_catch_signals(void);
/* The handler itself, for a command that has handled a first signal. Async-signal-safe. */
void temporary_end(int signal);

void temporary_hold(void);  /* a signal that comes now waits … */
void temporary_go_on(void); /* … till here */

/* While signals are held: */
void temporary_note(const char *path); /* a file, or a folder with files in it; copied */
void temporary_forget(const char *path);

/* mkdtemp(), and noted; holds signals itself. */
bool temporary_make_folder(char *pattern);

#endif
