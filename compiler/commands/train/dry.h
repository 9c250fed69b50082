/* --dry-run of `train`. */
#ifndef REFORMERC_COMMANDS_TRAIN_DRY_H
#define REFORMERC_COMMANDS_TRAIN_DRY_H

#include "training/training.h"

/* What the open training would cost, on stdout. False after an error in t->d, and
 * where nobody reads stdout. */
bool train_dry(training_t *t);

#endif
