/* What one artefact is: its variants, their graphs and modules, the layout of its
 * weights, its description.
 *
 * In: a Spec or graphs, targets and tiles. Out: a plan_t, which back ends write and executors run.
 * Everything is the arena's. */
#ifndef REFORMERC_PLAN_H
#define REFORMERC_PLAN_H

#include "graph/model.h"
#include "graph/update.h"
#include "lower/lower.h"
#include "plan/memory.h"
#include "reformer_rt.h"

/* One module per variant, in the order of reformer_desc_t.variants without targets:
 * modules[v * n_targets + t]. */
typedef struct {
    int64_t max_length, unit, padded; /* as in reformer_variant_t */
    int64_t rows[MAX_TARGETS];        /* the same, by target: blocks decide what is padded up */
    bool unpadded, absent, hashes;
    graph_t *graph;
    /* Of train steps: the forward and the output of it that they derive (NULL: "loss"), and what
     * they keep; NULL: nothing was to be chosen. */
    const graph_t *derived;
    const char *loss;
    kept_choice_t *kept;
} variant_plan_t;

typedef struct {
    const spec_t *spec; /* of graphs: their head */
    facts_t facts;
    arena_t *arena;
    int64_t batch;
    int64_t longest; /* greatest max_length: decides automatic buckets */
    int n_variants;
    variant_plan_t *variants; /* ascending max_length */
    /* Generation, of causal LMs where it is asked for (step NULL otherwise). Prefills read one row:
     * the variants themselves where batch is 1, else as many of their own. */
    variant_plan_t *prefills; /* [n_variants], ascending max_length */
    graph_t *step;            /* of all rows at once */
    int64_t positions;        /* most tokens of a row */
    /* Training, where it is asked for (trains NULL otherwise): a train step of each variant; where
     * nothing else is asked for, the variants themselves are. */
    variant_plan_t *trains; /* [n_variants], ascending max_length */
    layout_t *gradients;    /* where each gradient stands in the memory that a train step fills */
    /* What updates the weights: the rule with all its numbers, the tensors, where what the
     * rule keeps of them stands. */
    reformer_training_t training;
    const update_t *update;
    layout_t *states[REFORMER_STATES]; /* [update->n_states] */
    bool updates;                      /* the artefact has it in code, too */
    bool *rotations_stay; /* of each in the layout: no step draws it anew; NULL: each does */
    int n_targets;
    const target_t *targets[MAX_TARGETS];
    tiles_t tiles[MAX_TARGETS]; /* by target */
    bool trace, impose_buckets;
    /* It gives gradients, or evaluates what learns by them: train.dtype says its type */
    bool derives;
    bool instrument;            /* --instrument: back ends make launches tell their labels */
    layout_t *layout;           /* of train steps where there are any: they read most */
    const char *name;           /* C prefix */
    const char *origin;         /* of artefacts: what reformer_translator() says; NULL: not told */
    module_t **modules;         /* NULL until plan_lower(); [n_variants * n_targets] */
    module_t **prefill_modules; /* the same; of batch 1 they are `modules` */
    module_t **step_modules;    /* [n_targets] */
    module_t **train_modules;   /* as `modules`; of variants that are train steps, those */
    module_t **update_modules;  /* [n_targets] */
} plan_t;

typedef enum {
    TRAIN_NOT,
    TRAIN_TOO,  /* train steps beside forwards */
    TRAIN_ALONE /* in place of them */
} train_t;

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
    train_t train;
    /* Its forwards are those of a training, and so of train.dtype; where it trains they are */
    bool of_training;
    bool updates;           /* of plans that train: with what updates the weights, too */
    const char *train_loss; /* the output that train steps derive; NULL: "loss" */
} plan_options_t;
plan_t *plan_make(arena_t *a, const spec_t *s, const plan_options_t *o, diag_t *d);
/* The same of a model: of graphs, the variants are those that compile.sequence_length
 * asks for, or all. */
plan_t *plan_of_model(arena_t *a, const loaded_model_t *m, const plan_options_t *o, diag_t *d);
/* Train steps, and what comes with them (trains, gradients, layout), as o->train and o->train_loss
 * say, for a plan that was made without and is not lowered yet. False after errors in d. */
bool plan_add_trains(plan_t *p, const plan_options_t *o, diag_t *d);
struct store;
/* Of a plan that updates, before it is described: rotations that a file of these weights' said stay
 * as they are while the artefact learns. */
void plan_keep_rotations(plan_t *p, const struct store *weights);
/* A plan of a train step of p by itself, for the target of this number, not lowered; plan_keeps:
 * which is to keep these values instead of what it does, false after errors in d; plan_train_bytes:
 * its workspace, once it is lowered. */
plan_t *plan_alone(arena_t *a, const plan_t *p, const variant_plan_t *v, int target);
bool plan_keeps(plan_t *alone, const bool *keep, diag_t *d);
double plan_train_bytes(plan_t *alone, int threads);
/* LSH_HASH, in the graph of the greatest length, of the first layer whose number of buckets that
 * length decided, else of the first that hashes; NULL: none does. All variants have its buckets. */
const gnode_t *plan_hash(const plan_t *p);
/* The variant that the runtime picks, the smallest that holds the length; NULL: none does. */
const variant_plan_t *plan_fitting(const plan_t *p, size_t length);
const variant_plan_t *plan_prefill_fitting(const plan_t *p, size_t length); /* of p->prefills */
const variant_plan_t *plan_train_fitting(const plan_t *p, size_t length);   /* of p->trains */
int64_t variant_padded(const variant_plan_t *v, int64_t length); /* what it pads the length to */
bool plan_lower(plan_t *p, const pass_options_t *passes, diag_t *d);

/* describe.c: the runtime's descriptor of a lowered plan, in memory, with run == NULL; generated
 * code is this in text. `variants` has room for plan_parts(p): forwards, better targets first, each
 * by ascending max_length; then prefills, then train steps in the same order, where they are not
 * the forwards; then the step of each target, and the update. Strings are the plan's. */
/* origin.c: sets p->origin. Of a graph, which holds what is no key, the graphs'
 * text is part of the digest. */
void plan_tell_origin(plan_t *p);
int plan_count(const plan_t *p);                               /* forwards */
int plan_parts(const plan_t *p);                               /* all */
const module_t *plan_module(const plan_t *p, int part);        /* in the order of `variants` */
const variant_plan_t *plan_variant(const plan_t *p, int part); /* of all but steps, updates */
typedef enum { PART_FORWARD, PART_PREFILL, PART_TRAIN, PART_STEP, PART_UPDATE } part_kind_t;
part_kind_t plan_part(const plan_t *p, int part);
int plan_target(const plan_t *p, int part); /* its place among targets: 0 is the best one */
/* What tells the parts of one target apart, in names: "", "L4096", "U4096", "prefill_L4096",
 * "train", "step", "update". */
const char *plan_part_name(const plan_t *p, int part, arena_t *a);
void plan_describe_model(const plan_t *p,
                         reformer_desc_t *desc); /* without variants; not lowered */
void plan_describe_gradients(const plan_t *p,
                             reformer_desc_t *desc); /* of plans that train: where they stand */
/* Of those, too: what reformer_items() reads, the lengths of train steps included; not lowered. */
void plan_describe_labels(const plan_t *p, reformer_desc_t *desc);
void plan_describe(const plan_t *p, reformer_desc_t *desc, reformer_variant_t *variants);
/* addresses.c: false, and an error at `where`, when the lowered plan is larger than
 * its target can address. */
bool plan_check_addresses(const plan_t *p, const char *where, diag_t *d);

#endif
