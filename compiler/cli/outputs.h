/* Files of results, by suffix: what --output may name, checked before hours of
 * work, and written. */
#ifndef REFORMERC_CLI_OUTPUTS_H
#define REFORMERC_CLI_OUTPUTS_H

#include "cli/options.h"
#include "support/file.h"

typedef struct {
    const char *suffix;
    void (*render)(const void *results, sbuf_t *out);
    bool picture; /* what it renders is a script for gnuplot */
} output_format_t;

/* Suffixes, places that cannot be written. */
bool outputs_check(const options_t *o, const output_format_t *formats, int n_formats, diag_t *d);
/* All files of --output as one set, or as a part of one, which the caller commits or aborts. */
bool outputs_write(const options_t *o, const output_format_t *formats, int n_formats,
                   const void *results, diag_t *d);
bool outputs_put(const options_t *o, const output_format_t *formats, int n_formats,
                 const void *results, output_set_t *set, diag_t *d);
/* A temporary file tells whether a file can be written here. */
bool output_place_check(const char *path, diag_t *d);
/* Whether a folder can be made here, or is there and can be written into; nothing is made. */
bool output_folder_check(const char *path, diag_t *d);

#endif
