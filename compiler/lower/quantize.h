/* Rows of f32 → rows of i8, each with one scale (quantize.c). */
#ifndef REFORMERC_LOWER_QUANTIZE_H
#define REFORMERC_LOWER_QUANTIZE_H

#include "lower/elements.h"

/* A row of `from`, stored or scratch, into one of `to`, scratch. */
void quantize_row(lower_t *L, builder_t *b, const rows_at_t *at, buffer_t *from, affine_t from_row,
                  buffer_t *to, affine_t to_row, int64_t width);
void quantize_rows(lower_t *L, builder_t *b, const rows_at_t *at, buffer_t *from, buffer_t *to,
                   int64_t width);
/* What elements x of a row, scratch that is `width` wide, are. */
value_t *quantized_value(lower_t *L, builder_t *b, buffer_t *rows, affine_t row, int64_t width,
                         value_t *x);

#endif
