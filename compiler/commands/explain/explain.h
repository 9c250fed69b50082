/* What `reformerc explain` knows of a model before it shows it. */
#ifndef REFORMERC_COMMANDS_EXPLAIN_EXPLAIN_H
#define REFORMERC_COMMANDS_EXPLAIN_EXPLAIN_H

#include "cost/crossover.h"
#include "cost/kernels.h"
#include "report/document.h"
#include "session/session.h"

/* What a train step keeps, one choice of it: nothing, what train.memory says, everything. */
typedef struct {
    const char *name;
    double kept;             /* bytes of values */
    train_work_t work;       /* counted on its graph */
    double workspace, flops; /* of the lowered step; without machine `seconds` is 0 */
    kernel_costs_t costs;
} keeping_t;
enum { KEEPS_NOTHING, KEEPS_CHOSEN, KEEPS_ALL, N_KEEPING };

/* Of the longest variant, for the best target asked for: its forward, or its train step. */
typedef struct explanation {
    arena_t *arena;
    const char *what; /* "forward", "train step" */
    const spec_t *spec;
    const plan_t *plan;
    const variant_plan_t *variant;
    const module_t *m;
    int64_t units;
    double tokens; /* batch x length */
    int threads;
    kernel_costs_t costs;
    memory_map_t map;
    double prepared, workspace; /* bytes: of the slots that the runtime fills; of everything */
    double streams;             /* bytes of the two residual streams */
    bool has_machine;
    machine_t machine;
    const gnode_t **hashes; /* [layers]: LSH_HASH of the variant; NULL: the layer does not hash */
    crossover_t crossover;  /* of the first LSH layer */
    struct explanation *train; /* of a forward: its train step, where the spec trains; NULL: none */
    /* Of a train step: the choice, made even where nothing is kept */
    const kept_choice_t *kept;
    keeping_t keeping[N_KEEPING];
} explanation_t;

/* (train.c) The train step of a session's plan, and what it could keep. NULL after
 * errors in the session's d. */
explanation_t *explain_train(session_t *s, const explanation_t *forward);

/* (figures.c) A planned forward; costs, workspace and memory map of a part of the plan; bytes:
 * the runtime's workspace. */
explanation_t explain_forward(session_t *s);
void explain_module(explanation_t *e, const module_t *m, double bytes);

/* (report.c) figures: with the drawings. */
document_t explain_document(const explanation_t *e, bool figures);
/* (model.c) What the model is; (sections.c) what a forward and a train step both have;
 * (train_sections.c) what only that has. */
void model_section(const explanation_t *e, document_t *doc);
void work_section(const explanation_t *e, document_t *doc, bool figures);
void time_section(const explanation_t *e, document_t *doc);
void workspace_section(const explanation_t *e, document_t *doc, bool figures);
void train_sections(const explanation_t *e, document_t *doc);

/* (memory.c, roofline.c) An <svg> element each; labels are escaped. */
const char *draw_memory(const explanation_t *e);
const char *draw_roofline(const explanation_t *e); /* needs a machine */

#endif
