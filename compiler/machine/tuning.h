/* What `reformerc tune` found, in a text file that people read, sort and merge.
 *
 *     # reformerc tuning 1
 *     cpu="AMD EPYC" target=x86-64-v4 shapes=h512-8x64-ff2048-lsh64x2 tile=2x12 block=128
 *     run=8 gain=3.4% lowering=1
 *
 * The version stands before all entries. CPU, target and shapes are the key, which stands once; the
 * rest is what was chosen: a tile of vectors x rows, rows per task, chunks per task
 * (lower/tiles.h), how much faster that was than the analytic choice, and of which kernels it was
 * found. Entries may come in any order and are written sorted; other lines that begin with '#' are
 * comments and are kept, at the top. */
#ifndef REFORMERC_MACHINE_TUNING_H
#define REFORMERC_MACHINE_TUNING_H

#include "cli/options.h"
#include "graph/model.h"

typedef struct {
    const char *cpu, *shapes;
    const target_t *target;
    tiles_t tiles;
    double gain; /* percent of the speed of the analytic choice */
    int lowering;
    int line; /* of the file, 0: not in it yet */
    bool said;
} tuning_entry_t;

typedef struct tuning {
    arena_t *arena;
    const char *path, *cpu; /* cpu: whose entries are used */
    tuning_entry_t *entries;
    size_t n, cap;
    const char **comments;
    size_t n_comments, cap_comments;
    const char **missed; /* what had no entry, and was told */
    size_t n_missed, cap_missed;
} tuning_t;

/* What a choice depends on: "h512-8x64-ff2048-lsh64x2-local64x2" for a hidden size of 512, 8 heads
 * of 64, a feed-forward of 2048, and windows of 2 chunks of 64. */
const char *tuning_shapes(arena_t *a, const spec_t *s);
/* The same of any model, with the type of its products behind it where that is not float32:
 * "…-bfloat16"; `trains`: of a training, whose type is train.dtype. Graphs whose layers differ
 * have a mark of all of them. */
const char *tuning_shapes_of(arena_t *a, const loaded_model_t *m, bool trains);
const char *tiles_text(arena_t *a, const tiles_t *c); /* "tile 2x14, block 96, run 8" */

/* ---- the file (tuning_file.c) ---------------------------------------------------------------- */

/* NULL after errors in d, all of them, at their places. `may_lack`: no file there
 * is an empty one. */
tuning_t *tuning_read(arena_t *a, const char *path, bool may_lack, diag_t *d);
void tuning_print(const tuning_t *t, sbuf_t *out);
/* Whole or not at all. */
bool tuning_write(const tuning_t *t, diag_t *d);
/* Puts an entry in the place of the one with its key, if there is one. */
void tuning_put(tuning_t *t, const tuning_entry_t *e);
/* Takes the entry with the key of `e` out; false: there was none. */
bool tuning_drop(tuning_t *t, const tuning_entry_t *e);

/* ---- its use (tuning.c) ---------------------------------------------------------------------- */

/* --tuning of a command that compiles: o->tuning. Entries that cannot be used are warned of, a line
 * for each reason. False after errors in d. */
bool tuning_open(options_t *o, diag_t *d);
/* Warns of entries of other kernels, or beyond what their target holds; cpu NULL:
 * whatever the CPU. */
void tuning_warn(const tuning_t *t, const char *cpu, diag_t *d);
/* What was measured for code of this target and these shapes; NULL: nothing.
 * Told on stderr, once each. */
const tiles_t *tuning_tiles(tuning_t *t, const target_t *target, const char *shapes);

#endif
