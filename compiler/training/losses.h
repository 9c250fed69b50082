/* The course of a training run as a drawing: losses over updates, and the learning
 * rate below them. */
#ifndef REFORMERC_TRAINING_LOSSES_H
#define REFORMERC_TRAINING_LOSSES_H

#include "checkpoint/metrics.h"
#include "support/sbuf.h"

/* An <svg> file, of rows in the order of their steps. */
void draw_losses(const metrics_t *m, const char *title, sbuf_t *out);

#endif
