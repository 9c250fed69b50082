/* A table of labelled texts: TSV for classification.
 *
 * In: a file of lines, columns separated by tabs, no quoting (GLUE's convention); a byte order mark
 * and CR at the end of lines are left out, empty lines are skipped. Out: ids
 * and a label for each row.
 *
 *   header   the first line is one where columns are asked for by a name, or where, without that,
 *            one of its words is `label` or `target` (in any case)
 *   label    column `label` or `target`, else the last one. A number from 0, or a name: of
 *            `labels`, else the file's names sorted by bytes get the numbers
 *   text     column `text`, `sentence` or `source`, else the first that is not the label's
 *
 * Names of classes are UTF-8, since a model is saved with them; texts where `utf8` says so. A class
 * that no row is of is a mistake where rows name them, and so is a table to be learnt whose
 * rows are all of one class.
 *
 * A text longer than `length` keeps its beginning: Hugging Face's classifier
 * reads the first token. */
#ifndef REFORMERC_DATA_TSV_H
#define REFORMERC_DATA_TSV_H

#include <stdbool.h>
#include <stdint.h>

#include "support/diag.h"

typedef struct tsv tsv_t;

/* Text to ids: heap memory of the callback's, released by heap_free(). False
 * after an error in d. */
typedef bool encode_fn(const void *ctx, const char *text, size_t bytes, int32_t **ids, int64_t *n,
                       const char *path, diag_t *d);

typedef struct {
    encode_fn *encode;
    const void *encode_ctx;
    const char *text_column, *label_column; /* a name or a number from 1; NULL: as above */
    const char *const *labels;              /* [n_labels] the model's names; NULL: it has none */
    int64_t n_labels;                       /* classes of the model */
    int64_t length;                         /* most tokens of a row */
    bool numbers;                           /* labels are numbers, as those of another table */
    bool utf8;                              /* texts are UTF-8; false: any bytes */
    bool learnt;                            /* classes are to be told apart by it */
} tsv_options_t;

/* NULL after errors in d, each with the file's line. */
tsv_t *tsv_open(const char *path, const tsv_options_t *o, diag_t *d);
void tsv_free(tsv_t *t); /* NULL is fine */

const char *tsv_path(const tsv_t *t);
int64_t tsv_rows(const tsv_t *t);
/* The names of the classes, found or given; NULL: numbers stand in the file. *n of them. */
const char *const *tsv_labels(const tsv_t *t, int64_t *n);
int64_t tsv_cut(const tsv_t *t); /* texts that were longer than length */
/* Ids of a row and its label. */
const int32_t *tsv_row(const tsv_t *t, int64_t row, int64_t *n, int32_t *label);
uint64_t tsv_fingerprint(const tsv_t *t);

#endif
