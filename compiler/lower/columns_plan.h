/* Row programs on few rows: what is computed where (columns_plan.c), where it stands
 * (columns_values.c), and how it is written (columns.c). */
#ifndef REFORMERC_LOWER_COLUMNS_PLAN_H
#define REFORMERC_LOWER_COLUMNS_PLAN_H

#include "lower/columns.h"
#include "lower/outputs.h"

/* A node's place in the program. */
typedef struct {
    int stage;              /* whose kernel computes it */
    bool by_columns;        /* each task its own columns; else whole rows, in every task anew */
    bool stored;            /* whole rows that later stages or homes want */
    bool done;              /* its columns are where others find them, or in a chain */
    unsigned when;          /* what of a call wants it */
    int home[G_MAX_INPUTS]; /* by input, of a norm by source: where it is read, -1: elsewhere */
    buffer_t *kept;         /* [m][columns] */
    buffer_t *rows;         /* scratch [m][columns] of the kernel that is being written */
} column_place_t;

/* A kernel. */
typedef struct {
    int stage;
    int64_t width; /* columns that tasks share */
    unsigned when;
    const gnode_t *deliver; /* or this value to the caller */
} column_cut_t;

typedef struct {
    lower_t *L;
    part_t *part;
    const region_t *region;
    const few_rows_t *few;
    rows_at_t at; /* all of them */
    column_place_t *place;
    column_cut_t *cuts;
    int n_cuts;
    /* of the kernel that is being written */
    const column_cut_t *cut;
    value_t *index[MAX_INDICES];
    buffer_t **copies; /* by home: scratch [m][…] */
    buffer_t *mixed;   /* the result of attention in whole tiles: scratch [m][…] */
    affine_t first;    /* column tile */
    int64_t tiles;
} columns_t;

/* Places and cuts. False after an error in L->d. */
bool plan_columns(columns_t *c);
/* NULL: of another region, or a leaf */
column_place_t *place_in(const columns_t *c, const gnode_t *n);
const homes_t *homes_of(const columns_t *c, const gnode_t *n);
/* Whether a slice or a concatenation of the region is never computed: its readers
 * read what it is made of. */
bool is_view(const columns_t *c, const gnode_t *n);
/* Rows of a slice are rows of what it slices. */
const gnode_t *behind_slice(const columns_t *c, const gnode_t *x);
/* What a norm reads: one value, or the two of a concatenation that is a view. */
int sources_of(const columns_t *c, const gnode_t *norm, const gnode_t **x);
int64_t shared_width(const columns_t *c, const gnode_t *n); /* columns of n that tasks share */

/* ---- columns_values.c ------------------------------------------------------------------------ */

buffer_t *home_buffer(const columns_t *c, int home);
/* Rows of their own, of a name that no other value of the region has. */
buffer_t *keep_rows(columns_t *c, const gnode_t *n);
/* Computes whole rows of a node of the region in this kernel. False after an error in L->d. */
bool compute_whole(columns_t *c, builder_t *b, const gnode_t *n);
/* Whole rows [m][≥ width] of x, the k-th value that n reads; NULL after an error in L->d. */
buffer_t *whole_rows(columns_t *c, builder_t *b, const gnode_t *n, int k, const gnode_t *x);
/* The task's columns of n's k-th value; where it is whole rows, they are computed. NULL:
 * they are not there yet. */
buffer_t *own_columns(columns_t *c, builder_t *b, const gnode_t *n, int k);

#endif
