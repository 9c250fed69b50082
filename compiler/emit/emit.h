/* Back ends: how to write one loop op. Nothing here decides; a Loops module says everything. */
#ifndef REFORMERC_EMIT_H
#define REFORMERC_EMIT_H

#include "lower/lower.h"

/* emit/c.c: the text of model.c and model.h. The first comment holds the compile line. */
typedef struct {
    const char *header_name; /* "model.h" */
    bool trace, impose_buckets;
} emit_c_options_t;
void emit_c(const plan_t *p, const emit_c_options_t *o, sbuf_t *source, sbuf_t *header);

#endif
