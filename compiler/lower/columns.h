/* Row programs on few rows: the steps of generation, and the head of a row's
 * last token (columns.c). */
#ifndef REFORMERC_LOWER_COLUMNS_H
#define REFORMERC_LOWER_COLUMNS_H

#include "lower/lower_int.h"

/* Which rows a region is computed for. */
typedef struct {
    int64_t m;
    const char *prefix; /* of names; "": none */
    buffer_t *const
        *instead;  /* by home: rows [1][m][…] that stand for it; NULL: homes themselves */
    buffer_t *row; /* [1][m]: -1 where no output is wanted; NULL: all are */
} few_rows_t;

/* Kernels of a class of ROW regions, in order: one for every dense layer whose input must be whole
 * before. Their params are the part's indices, of a region in a layer. False
 * after errors in L->d. */
bool lower_columns(lower_t *L, part_t *p, const few_rows_t *rows, stages_t *stages);

#endif
