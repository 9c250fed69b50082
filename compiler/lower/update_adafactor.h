/* Adafactor's passes share this. See update_adafactor.c. */
#ifndef REFORMERC_LOWER_UPDATE_ADAFACTOR_H
#define REFORMERC_LOWER_UPDATE_ADAFACTOR_H

#include "lower/update_int.h"

/* What it keeps, in the order of update_t.states. */
enum { ROWS, COLUMNS, MEAN };

/* Workspace of one group at a time, as long as the largest one's. */
typedef struct adafactor {
    buffer_t *weights, *updates; /* f64 [slices]: squares */
    buffer_t *columns;           /* f64 [slices][columns]: squared gradients */
    buffer_t *factors;           /* f32 [matrices][columns]: of updates */
    buffer_t *means;             /* f32 [matrices]: of the rows' state */
    buffer_t *rates, *scales;    /* f32 [tensors]: of decay; of updates */
} adafactor_t;

/* A group, and the kernel of a pass over it as it is built. */
typedef struct {
    updater_t *U;
    const group_t *g;
    slices_t slices; /* of a matrix, in rows; of a vector */
    lfunc_t *kernel;
    value_t *clip;                         /* NULL: none */
    affine_t first, rows, columns, number; /* params: weights, state, tensors before the group */
    affine_t matrix, part;                 /* its place, and its slice's, in the group */
    affine_t base;                         /* of elements at hand: the first */
    affine_t row;                          /* of the group; of vectors: the first element's state */
    affine_t sums;                         /* of columns at hand: the first */
    value_t *row_factor;
    value_t *scale, *decay; /* of the tensor */
} adafactor_pass_t;

static inline const reformer_optimizer_t *rule_of(const adafactor_pass_t *p) {
    return &p->U->update->rule;
}
static inline bool is_trax(const adafactor_pass_t *p) {
    return rule_of(p)->dialect == REFORMER_TRAX;
}

/* Tasks are pieces of matrices; a vector is one. False: the kernel is there already. */
bool open_pass(adafactor_pass_t *p, const char *what, const char *doc, int64_t pieces,
               builder_t *b);
void launch_pass(const adafactor_pass_t *p);
/* A loop over rows of the task's matrix: p->row, p->base. */
inst_t *for_rows(adafactor_pass_t *p, builder_t *b, affine_t first, int64_t n, int carried,
                 value_t *const *init);
/* A state where it is used, and what gradients are multiplied by for it. */
value_t *used(const adafactor_pass_t *p, builder_t *b, value_t *state);
value_t *one_over_root(builder_t *b, value_t *x);
value_t *vector_update(const adafactor_pass_t *p, builder_t *b, value_t *state, value_t *g);

void adafactor_sums(adafactor_pass_t *p); /* update_means.c */
void adafactor_columns(adafactor_pass_t *p);
void adafactor_row_means(adafactor_pass_t *p);
void adafactor_squares(adafactor_pass_t *p); /* update_apply.c */
void adafactor_apply(adafactor_pass_t *p);

#endif
