/* What goes wrong, told to whoever can mend it.
 *
 * The user's fault: diag_error() collects `file:line:col: error: …` with the source line, a caret
 * and an optional hint; nothing is printed until diag_print(), which puts a file's messages in
 * file order. Libraries return false / NULL after reporting; only main() turns that into exit 1.
 * Our own fault is bug() of bug.h. Nothing exits but the end of guard.c.
 * A diag_t belongs to one thread. */
#ifndef REFORMERC_SUPPORT_DIAG_H
#define REFORMERC_SUPPORT_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "support/bug.h"

typedef struct {
    const char *file; /* NULL: no place; diag.c copies it */
    int line, col;    /* from 1; 0: the file as a whole */
} srcloc_t;

#define NOWHERE       ((srcloc_t){NULL, 0, 0})
#define IN_FILE(path) ((srcloc_t){(path), 0, 0})

typedef struct diag diag_t;

diag_t *diag_new(void);
void diag_free(diag_t *d);

/* Gives the text of a file so that messages can quote it; the text is copied line by line on use,
 * so it must outlive the diag_t. */
void diag_source(diag_t *d, const char *file, const char *text, size_t bytes);

/* Files that were opened for reading, in order, each once: number i, NULL behind the last. */
void diag_note_input(diag_t *d, const char *path);
const char *diag_input(const diag_t *d, size_t i);

void diag_error(diag_t *d, srcloc_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* An error for want of memory: the library's code says so too. */
void diag_no_memory(diag_t *d, srcloc_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool diag_ran_out(const diag_t *d); /* whether there was one */
/* Once: the same text about the same file as a whole is dropped. */
void diag_warning(diag_t *d, srcloc_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void diag_silence_warnings(diag_t *d); /* from here on, they and their hints are dropped */
/* Attaches "hint: …" to the message reported last. */
void diag_hint(diag_t *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The messages of another one behind ours, e.g. of work that several threads did; a warning that
 * stands among ours is not repeated. */
void diag_append(diag_t *d, const diag_t *from);

int diag_errors(const diag_t *d); /* how many errors so far */
/* More of one kind is noise; who collects errors one by one may stop here. */
enum { DIAG_MAX_PRINTED = 50 };
/* Prints all messages not yet printed: by file in order of first report, then by line and column;
 * of errors and of warnings the first DIAG_MOST_PRINTED each, then how many more there are. */
void diag_print(diag_t *d, FILE *out);

/* The candidate nearest to `word` by edit distance, or NULL when none is near. */
const char *did_you_mean(const char *word, const char *const *candidates, size_t n);

#endif
