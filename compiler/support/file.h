/* Files: read whole, written whole or not at all. */
#ifndef REFORMERC_SUPPORT_FILE_H
#define REFORMERC_SUPPORT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/arena.h"
#include "support/diag.h"

/* ---- reading (input.c) ---------------------------------------------------------------------- */

/* The whole file, NUL-terminated, owned by the caller (heap_free()); NULL after an error in d.
 * A file of more than max_bytes is an error that says so (0: no limit). A pipe is read to its end;
 * one that nobody writes to, a folder, a socket and a device are errors. */
char *file_read(const char *path, size_t max_bytes, size_t *bytes, diag_t *d);

/* The same in parts, for a text that is not to be in memory at once. */
typedef struct {
    int fd;
    const char *path; /* the caller's */
    uint64_t bytes;   /* of a regular file, when it was opened; 0: nobody knows */
    bool pipe, begun;
} flow_t;
bool flow_open(const char *path, flow_t *s, diag_t *d);
/* At most `bytes` that come next: how many, 0 at the end, -1 after an error in d. */
int64_t flow_read(flow_t *s, void *out, size_t bytes, diag_t *d);
void flow_close(flow_t *s);

/* Bytes of a regular file in memory of their own, page-aligned: whatever becomes
 * of the file, they stay. */
typedef struct {
    const unsigned char *data;
    size_t bytes;
    size_t room; /* what file_unload gives back */
} content_t;
bool file_load(const char *path, content_t *c, diag_t *d);
void file_unload(content_t *c);
/* Gives the memory of a part that nobody reads any more back to the system, as
 * far as it is whole pages. */
void file_forget(const content_t *c, const void *part, size_t bytes);

/* The same in steps, for who needs the beginning only. */
typedef struct {
    int fd;
    const char *path; /* the caller's */
    uint64_t bytes;   /* when it was opened */
} input_t;
bool input_open(const char *path, input_t *in, diag_t *d);
/* Exactly `bytes` from `at`; a file that has become shorter is an error. */
bool input_read(const input_t *in, uint64_t at, void *out, size_t bytes, diag_t *d);
bool input_load(const input_t *in, content_t *c, diag_t *d); /* all of it */
void input_close(input_t *in);

/* ---- writing (file.c) ----------------------------------------------------------------------- */

/* Output that appears complete under its name, or not at all: written to a temporary file beside
 * it, renamed by output_commit(). A full disk is an error, and so is a file there that nobody has
 * the right to write. Of a symbolic link the file that it names is
 * written; what is no regular file, "-" (stdout) or a descriptor by name (/dev/stdout) is written
 * in place, at commit. Several outputs of one command are a set: all of them are written and
 * checked before the first is renamed, and where one cannot be, those before it are put back. */
typedef struct output output_t;
output_t *output_open(const char *path, diag_t *d);
bool output_write(output_t *o, const void *data, size_t bytes);
/* Over bytes that were written before. */
bool output_patch(output_t *o, uint64_t at, const void *data, size_t bytes);
bool output_commit(output_t *o); /* flush, close, rename; frees o; false after an error in d, or
                                    without one where a pipe behind stdout is closed */
bool output_finish(output_t *o); /* the part of a commit that a full disk can stop */
bool output_commit_all(output_t **o, int n); /* the same for a set; frees each */
void output_abort(output_t *o);              /* removes the temporary file; frees o; NULL is fine */

/* A set that is gathered while its files are made (output_set.c). Zero-initialise; commit and abort
 * leave it empty. An output belongs to its set, which alone commits it. False or
 * NULL after an error in d. */
typedef struct {
    output_t **items;
    int n, cap;
} output_set_t;
output_t *output_set_open(output_set_t *s, const char *path, diag_t *d);
bool output_set_write(output_set_t *s, const char *path, const void *data, size_t bytes, diag_t *d);
bool output_set_finish(
    output_set_t *s); /* all is on the disk, beside the places: only renames are left */
bool output_set_commit(output_set_t *s); /* as output_commit_all() */
void output_set_abort(output_set_t *s);
/* The file that an output of this name is written to, through symbolic links; heap_free(). NULL: it
 * is written in place, or its links lead nowhere (errno ELOOP). */
char *output_target(const char *path);
/* Writes data to path as one output. */
bool file_write(const char *path, const void *data, size_t bytes, diag_t *d);

/* What stands behind the last '/' of a path. */
const char *file_name(const char *path);
/* A path or a name: its suffix, say. */
bool ends_with(const char *text, const char *end);

bool file_exists(const char *path);
bool is_directory(const char *path);
/* Like mkdir -p; `mode` (less the umask) of those that were not there. False: it
 * is none, errno tells why. */
bool make_directories(const char *path, unsigned mode);
/* A new private folder in $TMPDIR, else /tmp, "to" do something in; the caller empties it and ends
 * it, which removes it. NULL after an error in d, also where other users could put
 * another folder in its place. */
const char *temporary_folder(arena_t *a, const char *to, diag_t *d);
void temporary_folder_end(const char *path);

#endif
