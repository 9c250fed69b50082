/* Dropout: by what elements are multiplied, drawn where they are needed from where they stand
 * (graph/dropout.h), so that masks are the same whenever they are asked for and depend on neither
 * tiles, tasks nor threads.
 *
 * In a train step alone: everywhere else dropout passes what it is given on. Philox is a function
 * of Loops; what a caller says of a step (seed, step, its first row) comes by CONTROL. */
#ifndef REFORMERC_LOWER_DROPOUT_H
#define REFORMERC_LOWER_DROPOUT_H

#include "graph/dropout.h"
#include "lower/elements.h"

void lower_dropout(
    lower_t *L); /* makes the functions, before any kernel; where nothing is dropped, none */
/* Whether n drops something, and draws: in a forward it does not. */
bool is_dropping(const lower_t *L, const gnode_t *n);

/* Whether n stands in a layer whose number its kernel is told: then it is one
 * of the part's vectors. */
bool tell_dropout(
    lower_t *L); /* parts, of the layers that they drop in; false after an error in L->d */
/* Whether two DROPOUTs at these places of the part's nodes drop the same elements,
 * in all of its members. */
bool drops_alike(const part_t *p, int a, int b);
/* That number, i64; NULL: n stands in none. */
value_t *layer_of_dropout(builder_t *b, const part_t *p, value_t *const *index, const gnode_t *n);

/* ---- draws ----------------------------------------------------------------------------------- */

enum { BLOCK = 8 }; /* elements that are drawn at once: those from BLOCK * block on */

/* A place of dropout in a kernel; [0]: as scalars, [1]: as vectors. */
typedef struct {
    int64_t below; /* what is drawn is 0 … 65535; below this the element is dropped */
    value_t *key[2][2], *layer[2], *place[2], *step[2];
} dropout_t;

/* Reads what the caller said: outside of loops. layer NULL: none. */
dropout_t begin_dropout(lower_t *L, builder_t *b, dropout_place_t place, double rate,
                        value_t *layer);
/* 0, 1, 2 … in the lanes of an i32 vector. */
value_t *lane_numbers(lower_t *L, builder_t *b);
/* i64: of the whole step, the number of this call's first row. */
value_t *first_row_of_step(lower_t *L, builder_t *b);
/* Positions of a row, by which masks are numbered: those that are there. NULL: all of L->padded. */
value_t *masked_positions(lower_t *L, builder_t *b);
affine_t ax_scale_positions(lower_t *L, builder_t *b, affine_t x, value_t *positions);
/* Factors of the elements of the blocks block + offset, one in each lane: factor[i] is of the i-th
 * of them. block: i64; offset: i32 lanes, none negative. */
void dropout_lanes(lower_t *L, builder_t *b, const dropout_t *d, value_t *block, value_t *offset,
                   value_t *factor[BLOCK]);
/* Of the elements of `lanes` blocks from `block` on, in their order: BLOCK vectors of them. */
void dropout_columns(lower_t *L, builder_t *b, const dropout_t *d, value_t *block,
                     value_t *factor[BLOCK]);
/* Of one element, a scalar: number `which`, i32 0 … 7, of a block. */
value_t *dropout_one(lower_t *L, builder_t *b, const dropout_t *d, value_t *block, value_t *which);

/* ---- rows ------------------------------------------------------------------------------------ */

/* A tensor of rows with dropout: what of its node says which elements are dropped. */
typedef struct {
    dropout_place_t place;
    double rate;
    int64_t width;
    bool by_position; /* else a batch element is one row */
    int n_axial;
    const int64_t *axial_shape; /* whole columns of the grid */
    bool begins;                /* each row at a position of its own, which the grid counts from */
} dropped_t;
dropped_t dropped_of(const gnode_t *n); /* of a DROPOUT */
/* Scratch with the factors of a block's rows, [m][≥ width]. */
buffer_t *dropout_rows(lower_t *L, builder_t *b, const rows_at_t *at, const dropped_t *of,
                       value_t *layer, const char *name);

#endif
