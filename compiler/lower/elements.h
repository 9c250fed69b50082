/* What row programs on blocks of rows (rows.c) and on few rows (columns.c) have in common: rows in
 * memory, the formulas of elementwise nodes, and chains of them on what a dense
 * layer has in registers. */
#ifndef REFORMERC_LOWER_ELEMENTS_H
#define REFORMERC_LOWER_ELEMENTS_H

#include "lower/lower_int.h"

/* ---- rows in memory -------------------------------------------------------------------------- */

/* The batch of a buffer [batch][rows][width] to take rows from: of a stack of kept
 * values, at the kernel's place. */
affine_t batch_of_rows(const rows_at_t *at, const buffer_t *rows);
value_t *load_at(builder_t *b, const rows_at_t *at, buffer_t *from, affine_t row, affine_t col,
                 int width);
void store_at(builder_t *b, const rows_at_t *at, buffer_t *to, affine_t row, affine_t col,
              value_t *x);
/* `width` columns, from column `first` of `to` on. */
void copy_row(lower_t *L, builder_t *b, const rows_at_t *at, affine_t row, buffer_t *from,
              buffer_t *to, int64_t first, int64_t width);
void copy_rows(lower_t *L, builder_t *b, const rows_at_t *at, buffer_t *from, buffer_t *to,
               int64_t width);
/* The same of f32, rounded to bf16. */
void round_rows(lower_t *L, builder_t *b, const rows_at_t *at, buffer_t *from, buffer_t *to,
                int64_t width);
/* A concatenation's inputs side by side. */
void concat_rows(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n,
                 buffer_t *const *from, buffer_t *to);
/* Whether nobody but the norm behind a concatenation of the region reads it: then that reads both
 * inputs where they stand, and adds a row up in their order. */
bool goes_into_norm(const lower_t *L, const region_t *region, const gnode_t *concat);
/* Columns of rows; rows of the tokens that were given, and zeros behind them: PART, PAD_ROWS. */
void part_rows(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n, buffer_t *from,
               buffer_t *to);
void filled_rows(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n, buffer_t *from,
                 buffer_t *to);
/* Zeros around the column that UNCOLUMN n puts back, from the rows that it was taken of. */
void column_among_zeros(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n,
                        buffer_t *from, buffer_t *to);
/* Zeros in the columns from n's width up to whole tiles. */
void pad_rows(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n, buffer_t *to);

int64_t width_of(const gnode_t *n);
/* The columns that products read of it: of bf16 whole pairs, of i8 the scale, too. */
int64_t read_width(const lower_t *L, const gnode_t *n);
int64_t stored_width(const lower_t *L, const gnode_t *n); /* of its rows where they are stored */
panels_t panels_of(const part_t *p, value_t *const *index, const gnode_t *product);
/* "layers.3.feed_forward_act" → "feed_forward_act" */
const char *base_name(const gnode_t *n);
/* What scratch of a kernel with n's rows is called: no buffer of another origin is, so a graph's
 * own names get a prefix. */
const char *scratch_name(lower_t *L, const builder_t *b, const gnode_t *n);
buffer_t *scratch_rows(lower_t *L, builder_t *b, const gnode_t *n, int64_t m); /* [m][≥ width] */

/* ---- elementwise nodes ----------------------------------------------------------------------- */

bool is_elementwise(const gnode_t *n);
/* The ROUND or QUANTIZE in the region that reads x, where nobody else wants it: then it is rounded
 * as it is made. NULL: it is wanted. */
const gnode_t *only_round_of(const lower_t *L, const region_t *region, const gnode_t *x);
int element_operands(const gnode_t *n); /* its first inputs; those behind them are no rows */
/* A node of its operands, vectors or scalars of one type: the one place with a formula for its op.
 * of[G_MAX_INPUTS]; of a DROPOUT the second one is the factors, NULL: nothing is dropped. */
value_t *element_value(lower_t *L, builder_t *b, const gnode_t *n, value_t *const *of);
/* All rows of n: from[k], [G_MAX_INPUTS], has those of its k-th operand; NULL: there is none. */
void element_rows(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n,
                  buffer_t *const *from, buffer_t *to);

/* A dense layer's result, or another value, and the elementwise nodes that are computed of
 * it before it is stored. */
enum { MAX_LINKS = 8 };
/* Where a value of a chain is stored. */
typedef struct {
    buffer_t **to;
    int n_to;
    buffer_t *panels; /* [panel][rows of a chunk][PANEL]; NULL: in none */
} stored_t;
typedef struct {
    const rows_at_t *at;
    const gnode_t *first, *last;             /* what the chain began with; of the links, or that */
    const gnode_t *links[MAX_LINKS];         /* each of the one before, or of one before that: */
    int back[MAX_LINKS];                     /* by so many */
    buffer_t *with[MAX_LINKS][G_MAX_INPUTS]; /* by link and operand; NULL: the one before */
    int n_links;
    buffer_t *bias;                 /* [place in its stack][width]; NULL: none */
    affine_t bias_at;               /* its place */
    bool along_rows;                /* stored row after row, else column after column */
    stored_t stored[MAX_LINKS + 1]; /* by value: what the chain began with, then the links */
    affine_t chunk_row;             /* the first row's place in panels */
    buffer_t *target; /* a stream that is written: its rows are fetched before; NULL: none */
} chain_t;

/* That begins with a dense layer or another node of the part; stored nowhere yet. */
chain_t begin_chain(const part_t *p, value_t *const *index, const rows_at_t *at,
                    const gnode_t *first);
/* An epilogue of dense(), whose context is a chain. */
void put_tile(lower_t *L, builder_t *b, void *chain, affine_t row, affine_t col, int rows,
              value_t **acc);
/* A target of dense(), whose context is a chain: fetches all that put_tile() writes of a row. */
void fetch_stored(lower_t *L, builder_t *b, void *chain, affine_t row, affine_t col);
/* A vector x goes through the links and is stored, in no panels; NULL, where all inputs of the
 * first link are in memory. */
void put_vector(lower_t *L, builder_t *b, const chain_t *c, affine_t row, affine_t col, value_t *x);

#endif
