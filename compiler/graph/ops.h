/* What the rows of ops.def mean, for the files of this folder: the checker, the printer and parser,
 * the builder and the evaluator look up names, inputs and attributes here and nowhere else. */
#ifndef REFORMERC_GRAPH_OPS_H
#define REFORMERC_GRAPH_OPS_H

#include "graph/graph.h"

typedef struct {
    const char *name;
    gkind_t kind;
    const char *inputs, *attributes, *doc; /* the columns of ops.def */
} gop_info_t;
extern const gop_info_t graph_ops[G_COUNT];

/* Input `i` of an op: its name (length *n) and kind; false past the last. "pos+" repeats. */
typedef enum { ARG_ONE, ARG_OPTIONAL, ARG_MANY } garg_kind_t;
bool graph_op_input(gop_t op, int i, const char **name, int *n, garg_kind_t *kind);

/* An attribute is a field of gnode_t. */
typedef enum { ATTR_INT, ATTR_REAL, ATTR_BOOL, ATTR_ACT, ATTR_LIST } gattr_kind_t;
typedef struct {
    const char *name;
    size_t field, count_field; /* offsets; count_field: of a list's length */
    gattr_kind_t kind;
    int max; /* of a list's length */
} gattr_t;
enum { N_GRAPH_ATTRS = 23 };
extern const gattr_t graph_attrs[N_GRAPH_ATTRS];
bool graph_op_has_attr(gop_t op, const gattr_t *attr);
bool graph_attr_optional(gop_t op,
                         const gattr_t *attr); /* of those it has: not written where it is 0 */
bool graph_attr_written(const gattr_t *attr, const gnode_t *n);

void graph_copy_attr(const gattr_t *attr, gnode_t *to, const gnode_t *from);
bool graph_same_attr(const gattr_t *attr, const gnode_t *a, const gnode_t *b);

static inline void *graph_attr_at(const gattr_t *attr, const gnode_t *n) {
    return (char *)n + attr->field;
}
static inline int *graph_attr_count(const gattr_t *attr, const gnode_t *n) {
    return (int *)((char *)n + attr->count_field);
}

enum { MAX_NAME = 200 };                     /* bytes of a node's name, the NUL counted */
extern const char *const graph_type_names[]; /* by gtype_t */

/* Appends a node without checking it; name and location are the caller's to fill. */
gnode_t *graph_append(graph_t *g, gop_t op);

/* Whether nodes that were added to a user's have names of their own, and short
 * enough ones; `who` adds them. */
bool graph_names_differ(const graph_t *g, const char *who, diag_t *d);

/* The rule of the node's op: type, rank and shape from inputs and attributes. False after errors
 * in d, which stand at n->at. INPUT and PARAM are taken as declared, and checked. */
bool graph_infer(const graph_t *g, gnode_t *n, diag_t *d);

#endif
