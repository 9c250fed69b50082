/* Training on an executor: gradients of micro-batches, their sum, updates of the
 * weights that it is bound to.
 *
 * In: an open executor whose plan trains, and the weights to begin with. Out: the same executor,
 * whose forwards and generation read the newest weights; params and what the optimiser keeps, as
 * named arrays. All by plan->update, the same bits whatever back end runs it (but for the
 * reference, which computes in double) and however many threads do. */
#ifndef REFORMERC_EXEC_LEARN_H
#define REFORMERC_EXEC_LEARN_H

#include "exec/exec.h"

typedef struct exec_learner exec_learner_t;

/* Binds e to writable weights of its own. The store is read again later, and outlives the learner
 * as e does. Step 0. NULL after an error in d. One call at a time per learner,
 * and per its executor. */
exec_learner_t *exec_learner_new(exec_t *e, const store_t *weights, diag_t *d);
void exec_learner_free(
    exec_learner_t *l); /* NULL is fine; before exec_close(), which runs no forwards any more */

/* The gradients of a micro-batch: sum = share * gradients if it is the step's first one, else sum
 * += share * gradients. share: its labels / labels of the whole step. io: as exec_gradients();
 * dropout_seed and dropout_step are the training's and the step's, dropout_row is the caller's, and
 * so is ready: of the first one with a share of 1, which is the sum by itself. Where the training
 * draws new rotations for each step, they are drawn here. False after an error in d. */
bool exec_learn_gradients(exec_learner_t *l, const reformer_io_t *io, double share, bool first,
                          diag_t *d);
/* The same: REFORMER_OK, a code of the runtime, or EXEC_FAILED after an error in d. */
int exec_learn_run(exec_learner_t *l, const reformer_io_t *io, double share, bool first, diag_t *d);
/* As reformer_items() and reformer_half_items() of this model: what shares are of,
 * and where there is none. */
int64_t exec_learner_items(const exec_learner_t *l, const reformer_io_t *io);
bool exec_learner_half_items(const exec_learner_t *l, const reformer_io_t *io);
int exec_learner_step_items(const exec_learner_t *l, const reformer_io_t *io, size_t n,
                            int64_t *items, size_t *at); /* as reformer_step_items() */
/* All gradients of a step, as reformer_step_derive(). False after an error in d; the same: a
 * code, as exec_learn_run(). */
bool exec_learn_step(exec_learner_t *l, const reformer_io_t *io, size_t n, int64_t items,
                     double *loss, diag_t *d);
int exec_learn_run_step(exec_learner_t *l, const reformer_io_t *io, size_t n, int64_t items,
                        double *loss, diag_t *d);
/* That sum, for whoever adds to it what other processes have: floats, as plan->gradients says. */
float *exec_learner_sum(exec_learner_t *l, size_t *floats);

typedef struct {
    double norm; /* of the sum, before it is clipped */
    double rate; /* this step's learning rate */
    /* Norm no finite number: the first tensor whose gradient holds one; NULL: none */
    const char *bad;
} exec_update_t;
/* The update by the sum, on the threads of the latest gradients; the step's number rises. Where the
 * norm is no finite number, nothing changes. False after an error in d. */
bool exec_learn_update(exec_learner_t *l, exec_update_t *done, diag_t *d);

int64_t exec_learner_step(const exec_learner_t *l);
void exec_learner_set_step(exec_learner_t *l, int64_t step); /* number of the next one, from 0 */

/* What a checkpoint holds. Params first, by Hugging Face's names, then those that are not trained
 * (copies: what is written there changes nothing), then what the optimiser keeps:
 * "exp_avg.NAME". */
typedef struct {
    const char *name;
    bool state;
    int rank;
    int64_t shape[REFORMER_TENSOR_RANK];
    int64_t elements;
    float *data; /* to be read or written between other calls */
} exec_array_t;
size_t exec_learner_arrays(const exec_learner_t *l);
void exec_learner_array(exec_learner_t *l, size_t i, exec_array_t *a);
/* After somebody has written params: forwards read them from here on. */
bool exec_learner_restore(exec_learner_t *l, diag_t *d);

/* Of a training with new rotations for each step: those of the store in, for evaluation, or the
 * step's; gradients see to theirs themselves. */
void exec_learner_evaluates(exec_learner_t *l, bool yes);
/* The tensors as evaluation reads them, rotations included: of the newest params, to be written. */
const store_t *exec_learner_store(const exec_learner_t *l);

#endif
