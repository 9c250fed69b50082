/* What `reformerc explain` knows of a model before it shows it. */
#ifndef REFORMERC_COMMANDS_EXPLAIN_H
#define REFORMERC_COMMANDS_EXPLAIN_H

#include "commands/crossover.h"
#include "commands/document.h"
#include "commands/kernels.h"
#include "commands/session.h"

/* Of the longest variant, for the best target asked for. */
typedef struct {
    arena_t *arena;
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
} explanation_t;

/* (explain_report.c) figures: with the drawings. */
document_t explain_document(const explanation_t *e, bool figures);

/* (explain_memory.c, explain_roofline.c) An <svg> element each; labels are escaped. */
const char *draw_memory(const explanation_t *e);
const char *draw_roofline(const explanation_t *e); /* needs a machine */

/* The label of a launch or trace of the schedule, for readers: "lsh.hash". */
const char *time_label(const inst_t *i);

#endif
