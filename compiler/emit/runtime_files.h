/* The runtime's files as text, made part of the compiler by cmake/embed.cmake. */
#ifndef REFORMERC_EMIT_RUNTIME_FILES_H
#define REFORMERC_EMIT_RUNTIME_FILES_H

typedef struct {
    const char *name; /* "forward.c" */
    const char *text;
} runtime_file_t;

extern const runtime_file_t runtime_files[]; /* by name; ends with a NULL name */

#endif
