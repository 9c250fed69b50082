/* The table of a target: register tiles. Rows × vectors accumulators, plus `vectors` operands and a
 * broadcast, must fit the registers. */
#ifndef REFORMERC_LOWER_TILES_H
#define REFORMERC_LOWER_TILES_H

#include "loops/loops.h"

enum { MAX_VECTORS = 4, MAX_TILE = 14 * MAX_VECTORS }; /* of all targets */

typedef struct {
    target_id_t target;
    int vectors; /* columns of a tile, in vectors; vectors * lanes divides PANEL */
    int rows;    /* most rows of a tile */
} tiles_t;

const tiles_t *tiles_for(const target_t *t);

#endif
