/* Files of results, by suffix: what --output may name, checked before hours of work, and written. */
#ifndef REFORMERC_COMMANDS_OUTPUTS_H
#define REFORMERC_COMMANDS_OUTPUTS_H

#include "commands/options.h"

typedef struct {
    const char *suffix;
    void (*render)(const void *results, sbuf_t *out);
    bool picture; /* what it renders is a script for gnuplot */
} output_format_t;

/* Suffixes, places that cannot be written. */
bool outputs_check(const options_t *o, const output_format_t *formats, int n_formats, diag_t *d);
bool outputs_write(const options_t *o, const output_format_t *formats, int n_formats,
                   const void *results, diag_t *d);
/* A temporary file tells whether a file can be written here. */
bool output_place_check(const char *path, diag_t *d);

#endif
