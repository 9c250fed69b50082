/* reformerc inspect: what is in a file of weights. */
#ifndef REFORMERC_COMMANDS_INSPECT_INSPECT_H
#define REFORMERC_COMMANDS_INSPECT_INSPECT_H

#include "cli/options.h"
#include "weights/weights.h"

/* Of the finite ones; n 0: there are none. */
typedef struct {
    int64_t n, nonfinite;
    double min, max, sum, squares;
} value_stats_t;

typedef struct {
    const char *name;   /* Hugging Face's */
    const char *type;   /* as the file has it: "BF16"; of a packed one "bf16" */
    const char *stored; /* arrangement in a packed file, NULL: row by row */
    int64_t heads;      /* of "head_panels" */
    int layer;          /* -1: none */
    int rank;
    int64_t shape[8];
    int64_t elements, bytes;
    bool again;    /* it stands in the file in another arrangement, too, which came before */
    bool measured; /* its type is one of numbers */
    value_stats_t values;
} inspected_t;

typedef struct {
    arena_t *arena;
    const char *path;
    bool packed;
    reformer_weights_header_t header; /* of a packed one */
    size_t bytes;                     /* of the whole file, or of all tensors where it is several */
    const char *wrapper;              /* taken off the names, NULL: none */
    inspected_t *items;
    size_t n, cap;
} inspection_t;

/* False after errors in d. */
bool inspect_file(inspection_t *x, const char *path, diag_t *d);
/* As text for a reader, or as JSON. */
void inspect_text(const inspection_t *x, sbuf_t *out);
void inspect_json(const inspection_t *x, sbuf_t *out);

#endif
