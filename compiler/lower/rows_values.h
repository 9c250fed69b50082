/* Values of a row program as it is written: whose rows are where, and how they get
 * into scratch and out of it. */
#ifndef REFORMERC_LOWER_ROWS_VALUES_H
#define REFORMERC_LOWER_ROWS_VALUES_H

#include "lower/chunks.h"
#include "lower/rows.h"

typedef struct {
    part_t *part;
    const region_t *region;
    rows_at_t at;
    value_t *index[MAX_INDICES]; /* NULL: the part's weights stand alone */
    value_t *group;              /* of heads */
    buffer_t **tiles; /* by place in the region's nodes: scratch [block][width …]; NULL: none yet */
    bool *done;       /* by place: taken by a chain, or computed */
    bool *ready;      /* by place: its rows are in its tile, or its homes */
    bool *given;      /* by place: to the caller and to losses, as far as they want it */
    /* By the region's reads: scratch with rows that stand elsewhere, where they are
     * wanted so; NULL: none yet. */
    buffer_t **copies;
    /* By place: scratch with the factors of a DROPOUT, drawn where they are first wanted; NULL: not
     * yet, or in another branch. */
    buffer_t **factors;
    const gnode_t **holds; /* by home: whose rows were put there; NULL: what was there before */
    /* Of a K_SUM region: by place, then by reads: what stands in panels for sums;
     * NULL: nothing yet. */
    buffer_t **panels;
    chunk_task_t task; /* the block within its chunk */
    inst_t *branch;    /* that is open, where not all tasks have a block */
} rows_t;

int place_of(const rows_t *r, const gnode_t *n);      /* among the region's nodes; -1: not there */
buffer_t *tile_of(const rows_t *r, const gnode_t *x); /* NULL: none */

/* Where a node finds the rows of x in memory: they may have been written over in the meantime, and
 * stand elsewhere too. NULL: nowhere. */
buffer_t *home_for(const lower_t *L, const rows_t *r, const gnode_t *reader, const gnode_t *x);
/* The same, and scratch, for what is loaded where its reader is computed, but
 * for what stands by heads. */
buffer_t *operand_of(const lower_t *L, const rows_t *r, const gnode_t *reader, const gnode_t *x);
/* Scratch with the result of attention, where it is computed in one group, or
 * the group's part of it. */
value_t *place_in_stacks(const rows_t *r); /* of what is kept of an attention; NULL: nothing is */
buffer_t *mixed_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *x);
bool is_mixed(const rows_t *r, const gnode_t *x); /* whether x is that result, rounded or not */
/* A ROUND of that result, of which nobody wants anything else: scratch as above, rounded as
 * it is brought together. */
bool is_rounded_mix(const lower_t *L, const rows_t *r, const gnode_t *n);
buffer_t *rounded_mix(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n);
/* Scratch with the rows of x, for its reader: its tile, or a copy of what is stored elsewhere.
 * NULL: they are nowhere. */
buffer_t *rows_at_hand(lower_t *L, builder_t *b, rows_t *r, const gnode_t *reader,
                       const gnode_t *x);

buffer_t *scratch_tile(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n); /* the tile of n */
/* The homes that n is written to, with the stack that it is kept in. */
stored_t homes_to_write(lower_t *L, const rows_t *r, const gnode_t *n);
bool is_left(const lower_t *L, const rows_t *r, const gnode_t *n); /* it is kept, and from here */
/* n was computed: what stands in its homes from now on. */
void settle(const lower_t *L, rows_t *r, const gnode_t *n);
/* A finished tile: columns beyond its width are zeros where they are read, and it goes into
 * the homes of its value. */
void finish_tile(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n);
void show_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n); /* --dump-activations */

bool is_missing(lower_t *L, const gnode_t *n); /* an error in L->d at the node; always false */

#endif
