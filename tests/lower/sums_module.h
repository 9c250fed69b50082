/* A module of the kernels of lower/sums.h, for test_sums.c. */
#ifndef REFORMERC_TESTS_SUMS_MODULE_H
#define REFORMERC_TESTS_SUMS_MODULE_H

#include "loops/loops.h"
#include "lower/tiles.h"
#include "reformer_rt.h"
#include "weights/layout.h"

enum { ROWS = 133, OUT = 45, IN = 70, CHUNKS = 2, PLACES = 2, PLACE = 1 };
enum { OUT_PANELS = 2, IN_PANELS = 3 }; /* of PANEL columns */
/* Slots: operands of each chunk, results. */
enum {
    DY = REFORMER_SLOT_IDS,
    X = REFORMER_SLOT_KEY,
    DY_2 = REFORMER_SLOT_ROW,
    X_2 = REFORMER_SLOT_TARGET,
    RESULTS = REFORMER_SLOT_LOGITS
};
enum { BIAS_AT = (PLACES * OUT * IN * 4 + 63) / 64 * 64 }; /* bytes into the results */

/* OUTER and SUM_ROWS of each chunk in turn, at PLACE, in one task of all panels where a tile has several vectors, else in one by
 * pair of them. Operands in panels of 32 columns; results [PLACES][OUT][IN], [PLACES][OUT],
 * both in one slot. */
module_t *sums_module(arena_t *a, const target_t *t, const tiles_t *tiles);

#endif
