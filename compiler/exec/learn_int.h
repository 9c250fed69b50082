/* Shared by the files of exec/ that are a learner: learn.c keeps its memory,
 * learn_update.c computes on it. */
#ifndef REFORMERC_EXEC_LEARN_INT_H
#define REFORMERC_EXEC_LEARN_INT_H

#include "exec/exec_int.h"
#include "exec/learn.h"
#include "graph/update.h"

/* An LSH layer whose rotations are new in each step. */
typedef struct {
    const char *name;
    reformer_rotations_t of;
    const float *store; /* what evaluation reads */
    float *step;        /* what the latest step drew */
    const layout_entry_t *entry;
    int index; /* in it */
} rotations_t;

struct exec_learner {
    exec_t *e;
    reformer_desc_t desc; /* which labels count */
    const plan_t *plan;
    const update_t *update;
    arena_t *arena;
    store_t *store; /* of the newest params */
    /* gradients: of later micro-batches */
    float *params, *sum, *gradients, *states[REFORMER_STATES];
    update_memory_t *tensors; /* [update->n] */
    exec_array_t *arrays;
    size_t n_arrays;
    rotations_t *rotations;
    int n_rotations;
    int64_t step, drawn; /* drawn: the step whose rotations are in; -1: the store's are */
    int threads;         /* of the latest gradients, until their update */
    const reformer_pool_t *pool;
};

/* learn.c: a tensor's part of an array that is laid out so; NULL: it has none. */
float *learner_part(float *array, const layout_t *of, const char *source);

/* learn_update.c: as the phases of reformer_rt.h say. False after an error in d. sum *= share;
 * sum += share * gradients; */
bool learner_set(exec_learner_t *l, double share, diag_t *d);
bool learner_add(exec_learner_t *l, double share, diag_t *d);
bool learner_norm(exec_learner_t *l, double *norm, diag_t *d);
/* params and state, of a finite norm, and then as the next; */
bool learner_update(exec_learner_t *l, double norm, diag_t *d);
/* the weights that forwards read. */
bool learner_pack(exec_learner_t *l, diag_t *d);

#endif
