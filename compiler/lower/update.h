/* The module that updates weights: Loops of an update_t, with an entry whose phases the caller asks
 * for (REFORMER_PHASE_…). See update.c. */
#ifndef REFORMERC_LOWER_UPDATE_H
#define REFORMERC_LOWER_UPDATE_H

#include "graph/update.h"
#include "loops/loops.h"
#include "weights/layout.h"

typedef struct {
    const update_t *update;
    const layout_t *weights;                 /* of the weights file */
    const layout_t *gradients;               /* of params, gradients and their sum */
    const layout_t *states[REFORMER_STATES]; /* layout_state() of each */
    const target_t *target;
    const char *name; /* of the module, a C identifier */
} update_lowering_t;

module_t *lower_update(arena_t *a, const update_lowering_t *o);

#endif
