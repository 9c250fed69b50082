/* Edits of a graph, node by node; graph_edit_finish() puts it in order again. */
#ifndef REFORMERC_TESTS_GRAPH_EDIT_H
#define REFORMERC_TESTS_GRAPH_EDIT_H

#include "graph/graph.h"

typedef struct {
    graph_t *g;
    int layer; /* whose nodes are named; -1: none's */
} edit_t;

/* "layers.N.<what>", "encoder.layers.N.<what>"; NULL: there is none. */
gnode_t *edit_node(const edit_t *e, const char *what);
gnode_t *edit_weight(const edit_t *e, const char *what);

/* New ones, named in the same way. Shapes of nodes are inferred in the end; columns 0: a vector. */
gnode_t *edit_param(edit_t *e, const char *what, int64_t rows, int64_t columns);
gnode_t *edit_add(edit_t *e, gop_t op, const char *what, gnode_t *x, gnode_t *y, gnode_t *z);
gnode_t *edit_norm(edit_t *e, const char *what, gnode_t *x, int64_t width); /* with weights */
gnode_t *edit_dense(edit_t *e, const char *what, gnode_t *x, int64_t out, int64_t in, bool bias);
gnode_t *edit_copy(edit_t *e, const gnode_t *n, const char *what);

/* Whoever reads `from` reads `to`, but for `except` itself and the nodes made since it was (NULL: nobody). */
void edit_replace(edit_t *e, const gnode_t *from, gnode_t *to, const gnode_t *except);
/* Drops what nobody reads, sorts, infers, checks. False after errors in d. */
bool edit_finish(edit_t *e, diag_t *d);

#endif
