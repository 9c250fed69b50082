/* Gradients of a train step, as commands ask for them and write them.
 *
 * In: a model, an input with labels, the memory that a train step has filled. Out: what the plan is
 * to derive; a safetensors file under Hugging Face's names. */
#ifndef REFORMERC_SESSION_GRADIENTS_H
#define REFORMERC_SESSION_GRADIENTS_H

#include "session/session.h"
#include "tensors/tensors.h"

bool gradients_labelled(const facts_t *f,
                        const inputs_t *in); /* what the loss of this head needs */
bool gradients_possible(const session_t *s); /* the model has a loss; false after an error in d */
/* And the input labels. False after an error in d. */
bool gradients_there(const session_t *s, const inputs_t *in);
/* Which output that is, where the labels' type decides (plan_options_t.train_loss). */
const char *gradients_loss(const facts_t *f, const inputs_t *in);
/* The masks of dropout that commands take: of --seed, step 0. */
void gradients_seed(const options_t *o, reformer_io_t *io);
/* One of a set. */
bool gradients_put(const plan_t *p, const float *gradients, output_set_t *set, const char *path,
                   diag_t *d);

#endif
