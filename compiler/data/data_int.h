/* What data.c (opening, counting) and batch.c (rows) share. */
#ifndef REFORMERC_DATA_DATA_INT_H
#define REFORMERC_DATA_DATA_INT_H

#include "data/data.h"

/* Tokens from … from + n - 1 of a source. */
typedef struct {
    source_t *source;
    int64_t from, n;
} token_span_t;

struct data {
    data_options_t o;          /* masking.never is a copy */
    token_span_t train, eval;  /* of sources; eval.source may be train's */
    tsv_t *table, *eval_table; /* of tables; eval_table NULL: rows of `table` are held out */
    task_t task;               /* kind TASK_NONE: it is none */
    int64_t epoch_rows;        /* 0: every row is new */
    int64_t eval_windows;      /* there are, of which data_eval_windows() are taken */
};

#endif
