/* train.memory: which values a train step keeps for its backward pass, and which it makes again.
 *
 * In: the graph of a forward, and how much memory kept values may take. Out: flags for
 * graph_gradient(), and a row for each kind of values. The choice depends on these alone, not on a
 * machine, its load or the number of threads: other choices give other roundings.
 *
 * The cost model. What keeping a kind saves is the work (work.h) that the step's graph no longer
 * has; it costs that its bytes are written once and read once, each as dear as KEPT_FLOPS_PER_BYTE
 * flops. Kinds that save nothing then, as normed inputs mostly do, are not kept. The others are
 * taken by what they save per byte, the most first, as long as there is room. Kinds are those of
 * graph_kept_kinds(), of all layers alike; those of attention apart for each op, for that is where
 * layers differ: all layers of one class keep the same, so that they stay one class. */
#ifndef REFORMERC_PLAN_MEMORY_H
#define REFORMERC_PLAN_MEMORY_H

#include "plan/work.h"

enum { KEPT_FLOPS_PER_BYTE = 5, KEPT_ROWS = 9 };

/* What `auto` may keep: all kinds for a few thousand tokens of a model of some ten million
 * parameters, nothing for a million. */
#define KEPT_BY_AUTO 1073741824.0

typedef struct {
    kept_kind_t kind;
    gop_t of;         /* the attention whose it is; G_COUNT: of all layers */
    const char *name; /* "attention outputs (lsh)" */
    int values;       /* nodes of the forward */
    double bytes;     /* of all of them together, for the greatest length */
    double saves;     /* flops that are not done again, where this alone is kept */
    bool lowered;     /* lowering takes it, as far as is known */
    bool kept;
} kept_row_t;

typedef struct {
    kept_row_t rows[KEPT_ROWS]; /* the dearest to make again per byte first */
    int n;
    double room, bytes; /* bytes that kept values may take, and do */
    const bool *keep;   /* by id of the forward's nodes: for graph_gradient_options_t; NULL: none */
} kept_choice_t;

/* NULL after errors in d, which are graph_gradient's. `lowered`: only kinds that lowering takes. */
kept_choice_t *kept_choose(arena_t *a, const graph_t *forward, const char *loss, double room,
                           bool lowered, diag_t *d);
bool kept_pays(const kept_row_t *row);
/* Makes `bytes` and `keep` those of the rows that say they are kept. */
void kept_mark(arena_t *a, kept_choice_t *k, const graph_t *forward);
/* The same choice with everything kept. */
kept_choice_t *kept_all(arena_t *a, const kept_choice_t *of, const graph_t *forward, bool lowered);

#endif
