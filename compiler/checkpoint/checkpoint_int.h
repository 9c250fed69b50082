/* Inside of checkpoint.h; shared by its files. */
#ifndef REFORMERC_CHECKPOINT_CHECKPOINT_INT_H
#define REFORMERC_CHECKPOINT_CHECKPOINT_INT_H

#include "checkpoint/checkpoint.h"

struct checkpoints {
    arena_t *arena;
    const char *folder; /* as the user gave it */
    int64_t keep;
    int lock; /* descriptor; -1: looking on */
};

/* Names of files in a checkpoint. */
#define CONFIG_FILE    "config.json"
#define MODEL_FILE     "model.safetensors"
#define OPTIMIZER_FILE "optimizer.safetensors"
#define STATE_FILE     "trainer_state.json"
#define PIECES_FILE    "spiece.model"
#define GRAPH_FILE     "model.graph"
extern const char *const checkpoint_files[]; /* all of them, NULL behind the last */

/* ---- places.c -------------------------------------------------------------------------------- */

const char *inside(const checkpoints_t *c, const char *name); /* DIR/name, of c's arena */

/* What a process that was cut off has left comes into its place, or goes. */
void checkpoint_recover(checkpoints_t *c);
/* Makes .NAME.new the checkpoint `name`; what stood there becomes step-N, or goes.
 * False after an error in d. */
bool checkpoint_place(checkpoints_t *c, const char *name, diag_t *d);
int64_t checkpoint_step_of(const char *name); /* "step-N": N; -1: no such name */
/* Removes a folder of ours and the files of ours in it; files of others move into `heir`, NULL:
 * they and the folder stay. */
void checkpoint_remove(const char *folder, const char *heir);

/* ---- trainer_state.json ---------------------------------------------------------------------- */

/* A hash of all arrays, so that files of two checkpoints are not taken for one. */
uint64_t arrays_hash(const checkpoint_array_t *arrays, size_t n);
/* A value as the file has it: the beginning of a long one, and a hash of the whole. */
const char *state_text(arena_t *a, const char *value);
void state_print(const checkpoint_t *state, uint64_t hash, sbuf_t *out);
/* The parts of the file at `path`; texts live in the arena. */
typedef struct {
    int64_t step;
    uint64_t hash;
    checkpoint_number_t *numbers;
    checkpoint_fact_t *facts, *keys; /* keys: of the spec */
    size_t n_numbers, n_facts, n_keys;
} saved_state_t;
bool state_load(arena_t *a, const char *path, saved_state_t *out, diag_t *d);

#endif
