/* Checkpoints of a training: folders that Hugging Face reads, with what it takes to go
 * on from them to the bit.
 *
 *   checkpoint.c  the folder of a training: one process at a time, nothing written over
 *   places.c      its places, what an interrupted write left
 *   write.c       a state → DIR/last, DIR/best
 *   read.c        back, and what may have changed since
 *   state.c       trainer_state.json, both ways
 *
 *   DIR/last, DIR/best  config.json and model.safetensors (Hugging Face's; with a SentencePiece
 *                       model spiece.model, too), optimizer.safetensors, trainer_state.json
 *                       of a model made of graphs model.graph in the place of
 *                       config.json: for its weights alone
 *   DIR/step-N          earlier ones of `last`, as many as are kept
 *   DIR/.lock           held while a training runs, and left there; .last.new, .last.old: of a
 *                       write that is under way
 *
 * A folder is written beside its place, synced, and changes places with the one before it in one
 * call of the file system: whenever the process dies, a whole checkpoint stands there,
 * the old or the new one. */
#ifndef REFORMERC_CHECKPOINT_CHECKPOINT_H
#define REFORMERC_CHECKPOINT_CHECKPOINT_H

#include "spec/spec.h"

typedef struct {
    const char *name; /* param: Hugging Face's; state: whatever tells them apart */
    bool state;       /* of the optimiser */
    int rank;
    int64_t shape[8];
    float *data; /* row-major; written: read, and read: written */
} checkpoint_array_t;

/* Counters, kept to the bit, infinities and NaN too. */
typedef struct {
    const char *key;
    double value;
} checkpoint_number_t;

/* What must not change between checkpoint and resumption and is no key of the spec: {"data",
 * "input.txt, 1115394 bytes"}. */
typedef struct {
    const char *key, *text;
} checkpoint_fact_t;

typedef struct {
    const spec_t *spec; /* its architecture is settled */
    /* a model made of graphs, as text: model.graph in the place of config.json; NULL: none */
    const char *graph;
    const char *pieces;         /* file of its SentencePiece model, NULL: none */
    int64_t step;               /* steps done */
    checkpoint_array_t *arrays; /* [n_arrays] */
    size_t n_arrays;
    checkpoint_number_t *numbers; /* [n_numbers] */
    size_t n_numbers;
    const checkpoint_fact_t *facts; /* [n_facts] */
    size_t n_facts;
} checkpoint_t;

typedef struct checkpoints checkpoints_t;

/* The folder of a training, which is made where it is not there, for this process alone. Where a
 * checkpoint of a step or more stands in it `resume` must be true: it is an error to begin anew
 * over it; and to resume a folder that is not there, while one without a checkpoint (a run that was
 * killed before its first) earns a warning. keep: earlier ones to keep. NULL after an error in d:
 * it cannot be made or written to, or another training holds it. */
checkpoints_t *checkpoint_open(const char *folder, bool resume, int64_t keep, diag_t *d);
/* The same to read alone, beside whoever holds it (other ranks): nothing is made or locked. */
checkpoints_t *checkpoint_look(const char *folder, diag_t *d);
void checkpoint_close(checkpoints_t *c); /* NULL is fine */

/* "last" or "best" is there. */
bool checkpoint_has(const checkpoints_t *c, const char *name);
/* False after an error in d: the one before is there, whole. A `last` of another step than before
 * becomes step-N of its step, and those beyond `keep` go. */
bool checkpoint_write(checkpoints_t *c, const char *name, const checkpoint_t *state, diag_t *d);
/* Into `state`, whose spec, facts, and names and shapes of arrays and numbers are those of the run
 * that goes on: its step, arrays' data and numbers' values. False after errors in d, one of which
 * lists what has changed, with the old and the new value; then the arrays may be half filled. */
bool checkpoint_read(const checkpoints_t *c, const char *name, checkpoint_t *state, diag_t *d);
/* The same question alone, of the facts that are known: nothing is taken. */
bool checkpoint_agrees(const checkpoints_t *c, const char *name, const checkpoint_t *state,
                       diag_t *d);
/* Steps done in that checkpoint, -1 after an error in d. */
int64_t checkpoint_step(const checkpoints_t *c, const char *name, diag_t *d);

#endif
