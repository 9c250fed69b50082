/* The analytic choice of tiles.h. In: registers, lanes and fma of a target. Out: a tile.
 *
 * A tile of r rows and v vectors loads r + v operands for r * v multiply-adds, and lives in r * v
 * accumulators, v vectors, a broadcast, and without fma a product on its way to the accumulator. So
 * 16 registers hold 6 x 2 of AVX2 and of SSE2, 32 registers 14 x 2 of AVX-512 and 6 x 4 of NEON,
 * where a panel is as wide as eight vectors. */
#include "lower/tiles.h"

#include "weights/layout.h"

/* Rows per task: large enough to use every panel that is read many times, small enough that a block
 * and its hidden layer stay in the L2 cache. Chunks per task: look-back chunks are gathered once
 * per run. Both by measurement, on one machine; no fact of a target says more. */
enum { BLOCK = 96, CHUNKS_PER_TASK = 8 };

int tile_rows(const target_t *t, int vectors) {
    int lanes = t->vector_bytes / (int)sizeof(float);
    if (vectors < 1 || vectors > MAX_VECTORS || PANEL % (vectors * lanes) != 0) return 0;
    int left = t->registers - vectors - 1 - !t->fma;
    return left > 0 ? left / vectors : 0;
}

static double work_per_load(int rows, int vectors) {
    return (double)(rows * vectors) / (rows + vectors);
}

tiles_t tiles_for(const target_t *t) {
    tiles_t best = {
        .vectors = 1, .rows = tile_rows(t, 1), .block = BLOCK, .chunks_per_task = CHUNKS_PER_TASK};
    for (int v = 2; v <= MAX_VECTORS; v++) {
        int rows = tile_rows(t, v);
        if (work_per_load(rows, v) <= work_per_load(best.rows, best.vectors)) continue;
        best.vectors = v;
        best.rows = rows;
    }
    if (best.rows < 1) bug("target %s has too few registers for a tile", t->name);
    return best;
}

bool tiles_are_legal(const target_t *t, const tiles_t *c) {
    return c->rows >= 1 && c->rows <= tile_rows(t, c->vectors) && c->block >= 2 &&
           c->block <= MAX_ROWS_PER_TASK && c->chunks_per_task >= 1 &&
           c->chunks_per_task <= MAX_CHUNKS_PER_TASK;
}
