/* Between regions.c, which cuts a graph, and backward.c, which knows what is
 * different in the backward pass. */
#ifndef REFORMERC_LOWER_REGIONS_INT_H
#define REFORMERC_LOWER_REGIONS_INT_H

#include "lower/regions.h"

/* All arrays are by node id. */
typedef struct {
    regions_t *r;
    const graph_t *g;
    arena_t *arena;
    diag_t *d;
    int *phase;  /* MIX ops on the longest way to it */
    bool *asked; /* what callers and losses read */
    int *joined; /* union-find of what is computed together */
    int *marked; /* by which walk it was last seen */
    int walks;
    /* Of a forward's head: the backward pass may compute it again from what is stored */
    bool *anew;
    bool *light; /* of the backward pass: not stored, and made of stored values without a product */
    int *source; /* of a value that is stored or light: the last stored value in it; -1: none */
    /* Not joined with others for their readers' sake: they would wait for each other */
    bool *apart;
    bool ok;
} cut_t;

typedef struct {
    nodes_t nodes;
    size_t cap;
} growing_t;

bool is_rows(const gnode_t *n);
bool is_backward(const cut_t *c, const gnode_t *n); /* of the backward pass */
void growing_push(const cut_t *c, growing_t *list, const gnode_t *n);
/* Whether n exists for a block of rows at a time, inside regions. */
bool is_passing(const cut_t *c, const gnode_t *n);
/* Whether it does for this reader: what the forward keeps stands for the backward pass. */
bool passes_into(const cut_t *c, const gnode_t *n, const gnode_t *reader);
int joint(cut_t *c, int id); /* what stands for all that are joined with it */
void join_nodes(cut_t *c, const gnode_t *a, const gnode_t *b);

/* backward.c */
void find_anew(cut_t *c, const gnode_t *n);
bool is_kept_for_backward(const cut_t *c, const gnode_t *n);
void find_light(cut_t *c);
/* Whether x is computed only where its reader n is: else each region that reads it
 * computes it for itself. */
bool is_joined_with(const cut_t *c, const gnode_t *x, const gnode_t *n);
bool is_joint_operand(cut_t *c, const gnode_t *first, const gnode_t *x);
void join_sums(cut_t *c);
/* A region of the backward pass that waits for itself: true: it will be cut another way. */
bool split_circle(cut_t *c, region_t *region, const bool *waits);

#endif
