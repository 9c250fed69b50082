/* Between gradient.c, which walks a graph backwards, gradient_rules.c, which says what each op's
 * gradient is, gradient_values.c, which has the values that rules ask for, and
 * gradient_nodes.c, which appends nodes. */
#ifndef REFORMERC_GRAPH_GRADIENT_INT_H
#define REFORMERC_GRAPH_GRADIENT_INT_H

#include "graph/ops.h"

/* How the backward pass comes by the value of a node of the forward. */
typedef enum {
    BY_KEEPING, /* it reads the forward's */
    BY_UNDOING, /* from the add that went on with it: the result less the addend */
    /* The op again, on operands come by in one of these ways. Of LSH_HASH: its
     * buckets, packed, were kept */
    BY_REPEATING
} means_t;

typedef struct {
    const graph_t *from; /* the forward; arrays below are by id of its nodes */
    graph_t *g;
    diag_t *d;
    bool ok;
    gnode_t **forward;     /* the same node in g */
    gnode_t **value;       /* its value in the backward pass; NULL: not asked for yet */
    gnode_t **packed;      /* LSH_HASH: its buckets, packed, in the forward; NULL: nobody asked */
    gnode_t **kept_lse;    /* an attention whose result is kept: the *_LSE beside it */
    gnode_t **lse;         /* of an attention, in the backward pass; NULL: not asked for yet */
    gnode_t **grad;        /* the sum of the contributions so far */
    int *expected, *given; /* contributions: in all, so far */
    bool *live;            /* the loss depends on it, and it on a param */
    means_t *means;
    const gnode_t **heir;  /* the last add that goes on with it; NULL: none */
    const gnode_t **stack; /* of the walk for values */
    bool *on_stack;
} backward_t;

/* dy: the gradient of n's result, a node of b->g; n is one of the forward. */
typedef void grad_fn(backward_t *b, const gnode_t *n, gnode_t *dy);
#define X(op, name, kind, inputs, attributes, doc, shape, evaluate, grad) grad_fn grad_##grad;
#include "graph/ops.def"
#undef X

/* Decides b->means. */
void grad_choose_means(backward_t *b, const bool *keep);
/* Whether input k takes a gradient. */
bool grad_wanted(const backward_t *b, const gnode_t *n, int k);
/* The value of x in the backward pass. Asking for it may append nodes: ask for one at a time, in a
 * statement of its own, so that the order of nodes is not the C compiler's. */
gnode_t *grad_value(backward_t *b, const gnode_t *x);
gnode_t *grad_operand(backward_t *b, const gnode_t *n, int k); /* of input k; NULL: it is missing */
/* The log-sum-exp of an attention. */
gnode_t *grad_lse(backward_t *b, const gnode_t *attention);

/* A node named PREFIX.NAME OF N, at n's place; inputs and attributes are set
 * before grad_finish(). */
gnode_t *grad_node(backward_t *b, const gnode_t *n, const char *prefix, gop_t op, int n_in,
                   gnode_t *const *in);
/* The same with another's name, OF. */
gnode_t *grad_node_of(backward_t *b, const gnode_t *n, const char *prefix, const char *of, gop_t op,
                      int n_in, gnode_t *const *in);
gnode_t *grad_finish(backward_t *b, gnode_t *n); /* infers its shape */
/* Takes over the attributes that both ops have. */
void grad_inherit(gnode_t *to, const gnode_t *from);
/* The node that will be given to input k: named after it, and after which of
 * its contributions this is. */
gnode_t *grad_part(backward_t *b, const gnode_t *n, int k, gop_t op, int n_in, gnode_t *const *in);
/* Adds x, finished here, to the gradient of input k. */
void grad_give(backward_t *b, const gnode_t *n, int k, gnode_t *x);

#define GRAD_IN(...)                                                                               \
    (int)(sizeof((gnode_t *[]){__VA_ARGS__}) / sizeof(gnode_t *)), (gnode_t *[]) {                 \
        __VA_ARGS__                                                                                \
    }

#endif
