/* Lowering: Graph → Loops. Driven by a table per target (tiles.h); one file per family of ops. */
#ifndef REFORMERC_LOWER_H
#define REFORMERC_LOWER_H

#include "graph/graph.h"
#include "loops/loops.h"
#include "lower/layout.h"
#include "lower/tiles.h"

typedef struct {
    const target_t *target;
    const tiles_t *tiles; /* legal ones of the target; NULL: the analytic choice */
    bool trace;           /* --dump-activations: OP_TRACE after every stage, with compact copies */
    bool impose_buckets;  /* --buckets: read REFORMER_SLOT_BUCKETS where given */
    const char *name;     /* of the module, a C identifier */
    bool absent_keys;     /* some positions may hold no token: REFORMER_ABSENT */
    /* Generation: a step, or a forward of one row that also fills the cache, which has so many rows and, in
     * each, room for so many tokens. 0: neither. */
    int64_t cache_batch, positions;
} lower_options_t;

/* NULL after errors in d: at the place of a node that no kernel computes. */
module_t *lower_graph(arena_t *a, const graph_t *g, const layout_t *layout,
                      const lower_options_t *o, diag_t *d);
/* The same of graph_build_step(). */
module_t *lower_step(arena_t *a, const graph_t *g, const layout_t *layout, const lower_options_t *o,
                     diag_t *d);

/* Everything one artefact holds: one module per variant, in the order of reformer_desc_t.variants
 * without targets; modules[v * n_targets + t]. */
typedef struct {
    int64_t max_length, unit, padded; /* as in reformer_variant_t */
    int64_t rows[MAX_TARGETS];        /* the same, by target: blocks decide what is padded up */
    bool unpadded, absent, hashes;
    graph_t *graph;
} variant_plan_t;

typedef struct {
    const spec_t *spec;
    arena_t *arena;
    int64_t batch;
    int64_t longest; /* greatest max_length: decides automatic buckets */
    int n_variants;
    variant_plan_t *variants; /* ascending max_length */
    /* Generation, of causal LMs where it is asked for (step NULL otherwise). Prefills read one row: the
     * variants themselves where batch is 1, else as many of their own. */
    variant_plan_t *prefills; /* [n_variants], ascending max_length */
    graph_t *step;            /* of all rows at once */
    int64_t positions;        /* most tokens of a row */
    int n_factors;            /* buckets in force for all variants; 0: none hashes */
    int64_t factors[MAX_FACTORS];
    int n_targets;
    const target_t *targets[MAX_TARGETS];
    tiles_t tiles[MAX_TARGETS]; /* by target */
    bool trace, impose_buckets;
    bool instrument; /* --instrument: back ends make launches tell their labels */
    layout_t *layout;
    const char *name;           /* C prefix */
    module_t **modules;         /* NULL until plan_lower(); [n_variants * n_targets] */
    module_t **prefill_modules; /* the same; of batch 1 they are `modules` */
    module_t **step_modules;    /* [n_targets] */
} plan_t;

/* What to specialise for, from compile.sequence_length; `exact_length` > 0 (run without that key):
 * exactly that length and batch. NULL after errors in d. */
typedef struct {
    const char *name;
    int64_t exact_length, exact_batch; /* 0: from the spec */
    int64_t default_length; /* sequence_length absent and exact_length 0: 0 = spec_max_length */
    int n_targets;
    const target_t *targets[MAX_TARGETS];
    const tiles_t *tiles[MAX_TARGETS]; /* by target, legal; NULL: the analytic choice */
    bool trace, impose_buckets, instrument;
    bool decodes; /* a causal LM: with prefills and steps */
} plan_options_t;
plan_t *plan_make(arena_t *a, const spec_t *s, const plan_options_t *o, diag_t *d);
/* The variant that the runtime picks, the smallest that holds the length; NULL: none does. */
const variant_plan_t *plan_fitting(const plan_t *p, size_t length);
const variant_plan_t *plan_prefill_fitting(const plan_t *p, size_t length); /* of p->prefills */
int64_t variant_padded(const variant_plan_t *v, int64_t length); /* what it pads the length to */
bool plan_lower(plan_t *p, const pass_options_t *passes, diag_t *d);

#endif
