/* Work of a train step, counted on its Graph: what each part asks for, before anything is lowered.
 *
 * Counted are the flops of definitions: products, windows of attention, functions element by
 * element (a division or an exponential counts one, as much as an addition); not padding of tiles,
 * sorting, or drawing masks. Kernels are counted from their loops (cost/kernels.h): that is what a
 * machine does. This is for choices between graphs, and for parts that one kernel does together. */
#ifndef REFORMERC_PLAN_WORK_H
#define REFORMERC_PLAN_WORK_H

#include "graph/graph.h"

typedef struct {
    double forward;
    double again;   /* values of the forward that the backward pass makes a second time */
    double inputs;  /* gradients of what ops read */
    double weights; /* gradients of weights, added up over rows */
} train_work_t;

double work_elements(const gnode_t *n, int64_t units); /* of its result */
double work_of(const gnode_t *n, int64_t units);       /* flops */
/* Of a train step (graph_gradient), for its greatest length. */
train_work_t work_of_train(const graph_t *train);
double work_total(const train_work_t *w);

#endif
