/* The Graph cut into regions: what one launch computes from whole rows.
 *
 * Values are stored where rows meet (inputs and results of MIX ops), where they live across a MIX
 * or into another layer, where a stream goes on (an ADD whose first operand is stored), and where a
 * region would else have to do with more than one attention, or wait for itself; all others exist
 * for a block of rows at a time. A region is what lies between stored values: ROW nodes whose
 * results hang together or are operands of one MIX op, or one MIX or REDUCE node. Equal regions are
 * a class and share their kernel, with stacked weights: the number of its layer does not count.
 *
 * Behind a forward may stand its backward pass (graph/gradient.c), from its first SEED on:
 * backward.c says how that is cut. The forward is cut as if nothing stood behind it, but for what
 * the backward pass reads of it.
 *
 * In: a checked Graph. Out: regions in an order in which they can run, their classes, a home for
 * each stored value. Nothing here knows a target, a loop, or what a Reformer is. */
#ifndef REFORMERC_LOWER_REGIONS_H
#define REFORMERC_LOWER_REGIONS_H

#include "graph/graph.h"
#include "support/sbuf.h"

typedef struct class class_t;

typedef struct {
    const gnode_t **at;
    int n;
} nodes_t;

typedef struct {
    /* K_ROW, K_SUM (rows and sums over them), K_PICK (fewer rows; what lies before them is computed
     * anew), K_MIX or K_REDUCE */
    gkind_t kind;
    nodes_t nodes;   /* in graph order */
    nodes_t results; /* of the nodes: what others, callers or losses read */
    nodes_t reads;   /* stored values from elsewhere, by first use */
    nodes_t params;  /* by first use: the role of a weight in its class */
    int layer;       /* of its results; -1: none, or several */
    int order;       /* place in regions_t.regions */
    const class_t *class;
    int index; /* among the members of its class */
} region_t;

struct class {
    const region_t *pattern; /* the first member: stands for all */
    region_t **members;
    int count, id;
};

/* Buffers of rows that a value stands in. A value that several ADDs write over stands in several,
 * one for each of them in the order in which they run; whoever only reads it takes the last. MIX
 * results and what only MIX ops read have none here: they live by heads. */
typedef struct {
    int n;
    int *of;
    bool stays; /* as it is, until the forward ends */
    /* Where the backward pass finds a value that the forward goes on from: kept.c;
     * -1: nowhere else */
    int kept;
} homes_t;

typedef struct {
    const graph_t *g;
    region_t **regions;
    int n_regions;
    class_t **classes; /* by first member */
    int n_classes;
    int n_homes;
    const gnode_t **home_of; /* by home: the first value in it; all have its type and shape */
    homes_t *homes;          /* by node id */
    region_t **of_node;      /* by node id: where it is computed; NULL: a leaf */
    bool *stored;            /* by node id */
    /* By node id: the forward has it passing, its region leaves it for the backward pass */
    bool *kept;
    int *places;      /* by home: of a stack of kept values, how many there are; 0: it is none */
    int *place;       /* by node id: of a kept value in its stack */
    int backward;     /* id of the first node of the backward pass; none: one behind the last */
    nodes_t *readers; /* by node id, in graph order; twice, if one reads twice */
} regions_t;

/* NULL after errors in d, at the spec line or the place in a .graph file that a node came from: a
 * value that nobody reads, regions that wait for each other. */
regions_t *regions_cut(arena_t *a, const graph_t *g, diag_t *d);
/* Parts of it: order.c, homes.c, kept.c, classes.c. The order is false where regions wait for each
 * other; waits [n_regions], by the order that they have in the graph: which of them. */
bool regions_order(regions_t *r, arena_t *a, bool *waits);
void regions_house(regions_t *r, arena_t *a);
void regions_keep(regions_t *r, arena_t *a); /* before that: stacks for what is kept */
int max_homes(const regions_t *r);
bool have_same_rows(const gnode_t *a, const gnode_t *b); /* one home has room for both */
void regions_classify(regions_t *r, arena_t *a);

/* Where a region finds n, NULL: whoever only reads it. -1: n has no home. Where the region goes on
 * with n by an ADD, that is where the ADD writes; whoever reads n behind it finds it
 * in the last of its homes. */
int home_in(const regions_t *r, const region_t *region, const gnode_t *n);
/* Whether a node, or a region, of the backward pass reads x where that is kept. */
bool is_read_kept(const regions_t *r, const gnode_t *reader, const gnode_t *x);
bool is_found_kept(const regions_t *r, const region_t *region, const gnode_t *x);
bool is_of_backward(const regions_t *r, const region_t *region);
/* Whether the forward makes x, and its reader is of the backward pass. */
bool is_handed_on(const regions_t *r, const gnode_t *x, const gnode_t *reader);
/* Where a node that is computed in its own region finds n: several ADDs of one
 * region each have their own. */
int home_read_by(const regions_t *r, const gnode_t *reader, const gnode_t *n);
/* What the soft maximum of an attention divides by, for the backward pass. */
bool is_attention_lse(const gnode_t *n);
/* Input k of an attention; of a gradient, what stands in its place there. NULL: it is missing. */
const gnode_t *attention_input(const gnode_t *n, int k);
int nodes_find(const nodes_t *list, const gnode_t *n); /* -1: not there */
/* Names that differ in the number of a layer alone. */
bool same_names(const char *a, int layer_a, const char *b, int layer_b);
/* Whether its rows are one of each batch element. */
bool picks_rows(const region_t *region);
/* One line per region: class, nodes, what it reads and leaves, homes. */
void regions_print(const regions_t *r, sbuf_t *out);

#endif
