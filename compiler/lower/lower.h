/* Lowering: Graph → Loops. Driven by a table per target (tiles.h); one file per family of ops. */
#ifndef REFORMERC_LOWER_H
#define REFORMERC_LOWER_H

#include "graph/graph.h"
#include "loops/loops.h"
#include "lower/tiles.h"
#include "weights/layout.h"

typedef struct {
    const target_t *target;
    const tiles_t *tiles; /* legal ones of the target; NULL: the analytic choice */
    bool trace;           /* --dump-activations: OP_TRACE after every stage, with compact copies */
    bool impose_buckets;  /* --buckets: read REFORMER_SLOT_BUCKETS where given */
    const char *name;     /* of the module, a C identifier */
    bool absent_keys;     /* some positions may hold no token: REFORMER_ABSENT */
    /* Generation: a step, or a forward of one row that also fills the cache, which has so many rows
     * and, in each, room for so many tokens. 0: neither. */
    int64_t cache_batch, positions;
} lower_options_t;

/* Of a forward, of a step (graph_build_step), or of a train step (graph_gradient). NULL after
 * errors in d: at the place of a node that no kernel computes. */
module_t *lower_graph(arena_t *a, const graph_t *g, const layout_t *layout,
                      const lower_options_t *o, diag_t *d);

#endif
