/* Gradients of attention: attention_gradient.c, a chunk of queries against a chunk of keys;
 * attention_gradient_tiles.c, its products; attention_gradient_scores.c, what is made of two of
 * them; attention_gradient_rows.c, their rows; attention_gradient_ends.c, what comes before the
 * first and behind the last. */
#ifndef REFORMERC_LOWER_ATTENTION_GRADIENT_H
#define REFORMERC_LOWER_ATTENTION_GRADIENT_H

#include "lower/window.h"

/* A kernel that is being written: one chunk of queries and one of keys. */
typedef struct {
    attention_t *a;
    window_t w; /* what queries may see */
    affine_t batch, head, round, offset, chunk;
    heads_t in;
    affine_t other_round, other; /* of the keys */
    dim_t chunks, total;         /* of a round, of all */
    int64_t size, lanes;         /* rows of a chunk, and in whole panels */
    int64_t length;              /* exact: rows that there are; the last chunk may have fewer */
    order_t order;               /* of products */
    buffer_t *queries, *results; /* scratch made by query_panels: transposed: q, dy */
    buffer_t *k, *v;             /* scratch [row][head_stride …] */
    /* the same, but of DOT_PAIRS made by value_panels: pairs of rows; what keys
     * are then, apart from k */
    buffer_t *q, *dy, *k_pairs;
    buffer_t *p, *ds;   /* scratch [key][lanes …] */
    buffer_t *ds_pairs; /* DOT_PAIRS: scratch [pair of keys][lanes * 2 …]; else ds */
    buffer_t *factors;  /* the same: what dropout multiplies probabilities by; NULL: none */
    kept_t *kept;
    buffer_t *shift, *scale, *mean, *query_pos; /* scratch [lanes] */
    /* Scratch [size]; own: -1 where it is none */
    buffer_t *key_row, *key_pos, *key_own, *key_scale;
    affine_t panel, column; /* of queries; of columns */
    affine_t column_tile;
    affine_t at;              /* first row of a tile */
    affine_t ordinal;         /* of a tile of keys */
    affine_t pair;            /* the first one of a tile of keys */
    int64_t calls;            /* of fetch_next() per tile */
    buffer_t *weights, *rows; /* of a product */
} grad_t;

/* ---- attention_gradient_tiles.c -------------------------------------------------------------- */

/* keys x queries of one tile: rows of k or v times transposed queries or results. */
void grad_across(lower_t *L, builder_t *b, grad_t *g, affine_t key, int rows, buffer_t *keys,
                 buffer_t *queries, value_t **acc);
/* One tile of keys after the other; of DOT_PAIRS they are of whole pairs. */
void for_key_tiles(lower_t *L, builder_t *b, grad_t *g, row_tile_fn *tile);
/* weights * rows, column tile after column tile: of m queries of the panel, over keys; or
 * of m keys, over queries. */
void add_up_queries(lower_t *L, builder_t *b, grad_t *g, int64_t m, row_tile_fn *tile);
void add_up_keys(lower_t *L, builder_t *b, grad_t *g, buffer_t *weights, buffer_t *rows, int64_t m,
                 row_tile_fn *tile);
/* A tile of such a sum: rows from `row` on. */
void queries_along(lower_t *L, builder_t *b, grad_t *g, affine_t row, int rows, value_t **acc);
void keys_along(lower_t *L, builder_t *b, grad_t *g, affine_t row, int rows, value_t **acc);

/* ---- attention_gradient_scores.c ------------------------------------------------------------- */

/* A tile of keys against the panel's queries: probabilities, or weights, go into g->p; behind them,
 * what becomes of these and of the products with values, into g->ds. */
row_tile_fn grad_weigh_tile, grad_score_tile;

/* ---- the others ------------------------------------------------------------------------------ */

/* `clear`: the state of a repeated attention, whose queries are kept. */
void lower_clear(lower_t *L, attention_t *a);
/* `sums`: of a kept result, what its gradient's probabilities are made of, from
 * the sums over rounds. */
void lower_kept_sums(lower_t *L, attention_t *a);
/* `begin_gradient`: per row what its probabilities are made of, <dy, y>, and
 * gradients that are nothing yet. */
void lower_gradient_begin(lower_t *L, attention_t *a);
/* `end_gradient`: where keys are normalised, their gradient goes through that;
 * NULL: they are not. */
void lower_gradient_end(lower_t *L, attention_t *a);

/* Whether the last chunk has rows that are none. */
bool has_filler_rows(const grad_t *g);
/* The row at `lane` of a chunk; those that are none repeat the last. */
affine_t chunk_row(lower_t *L, builder_t *b, const grad_t *g, affine_t round, affine_t chunk,
                   affine_t lane);
/* -1 where lane of a chunk is a row; NULL: all are. */
value_t *is_chunk_row(builder_t *b, const grad_t *g, affine_t chunk, affine_t lane);
void gather_chunk_queries(lower_t *L, builder_t *b, grad_t *g);
void gather_chunk_keys(lower_t *L, builder_t *b, grad_t *g);

#endif
