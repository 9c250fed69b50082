/* An update of the weights: by which rule, which tensors, and what the rule keeps of
 * each from step to step.
 *
 * In: a train step and an optimiser. Out: what lowering makes kernels of (lower/update.h), and what
 * the evaluator below computes in double. Formulas: those of torch, transformers and trax, in
 * their order of operations. */
#ifndef REFORMERC_GRAPH_UPDATE_H
#define REFORMERC_GRAPH_UPDATE_H

#include "graph/graph.h"
#include "reformer_rt.h"

enum { UPDATE_RANK = MAX_AXIAL + 1 };

/* A param in the shape that it has at Hugging Face, whose axes rules tell apart: an axial table
 * [entries, width] is there [1, …, entries, …, 1, width]. */
typedef struct {
    const char *name; /* the param's */
    int rank;
    int64_t shape[UPDATE_RANK];
    bool decays; /* weight_decay is meant for it */
} update_tensor_t;

/* An array that is kept, with a part for each tensor: of its shape; one element for all of its last
 * axis (of vectors: for each element); one for all of the axis before that (of
 * vectors: nothing). */
typedef enum { STATE_LIKE, STATE_ROWS, STATE_COLUMNS } state_form_t;
typedef struct {
    const char *name; /* torch's: "exp_avg" */
    state_form_t form;
} update_state_t;

typedef struct {
    reformer_optimizer_t rule;
    double max_norm; /* gradients are scaled to this norm where theirs is greater; 0: never */
    update_tensor_t *tensors; /* [n], of the train step's GRADIENTs, in their order */
    int n;
    update_state_t states[REFORMER_STATES]; /* all begin as zeros */
    int n_states;
} update_t;

/* Tensors of rank 2 and more decay: whoever knows better writes it over. */
update_t *update_make(arena_t *a, const graph_t *train, const reformer_optimizer_t *rule,
                      double max_norm);
/* The shape of a tensor's part of a state; returns its rank, 0: it has none. */
int update_state_shape(const update_t *u, int state, int rank, const int64_t *shape,
                       int64_t part[UPDATE_RANK]);
const update_tensor_t *update_find(const update_t *u, const char *param); /* NULL: there is none */

/* ---- the reference: update.c ----------------------------------------------------------------- */

/* A tensor's memory: all but the gradient are written. Computed in double, from
 * floats to floats. */
typedef struct {
    float *param, *state[REFORMER_STATES]; /* NULL: there is none */
    const float *gradient;
} update_memory_t;
double update_norm(const update_t *u, const update_memory_t *m); /* [n]: of all gradients */
/* Update number t, from 1 on, at this rate (of a relative step: that); norm: the gradients', which
 * decides how they are clipped. Where it is no finite number, nothing happens. */
void update_evaluate(const update_t *u, const update_memory_t *m, double norm, double rate,
                     int64_t t);

#endif
