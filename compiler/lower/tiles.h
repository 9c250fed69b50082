/* How kernels are cut for a target: register tiles, rows and chunks per task.
 *
 * The analytic choice follows from facts of the target; `reformerc tune` measures others on a
 * machine. Results depend on none of it, to the bit. */
#ifndef REFORMERC_LOWER_TILES_H
#define REFORMERC_LOWER_TILES_H

#include "loops/loops.h"

enum { MAX_VECTORS = 4, MAX_TILE = 32 }; /* accumulators: of all targets, no more than registers */

/* Raised when kernels change shape: what was measured of others says nothing about them. */
enum { LOWERING_VERSION = 1 };

enum { MAX_ROWS_PER_TASK = 512, MAX_CHUNKS_PER_TASK = 64 };

typedef struct {
    int vectors;         /* columns of a register tile, in vectors; vectors * lanes divides PANEL */
    int rows;            /* most rows of a register tile */
    int block;           /* most rows per task of dense kernels, 2 … MAX_ROWS_PER_TASK */
    int chunks_per_task; /* chunks per task of LSH attention, 1 … MAX_CHUNKS_PER_TASK */
} tiles_t;

/* The analytic choice: the tile that multiplies most per load. */
tiles_t tiles_for(const target_t *t);
/* Most rows of a tile that is `vectors` wide; 0: none, or the width does not divide PANEL. */
int tile_rows(const target_t *t, int vectors);
bool tiles_are_legal(const target_t *t, const tiles_t *c);

#endif
