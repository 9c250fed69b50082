/* Checkpoints of train.h. */
#include "commands/train.h"

bool save_open(training_t *t) {
    (void)t;
    return true;
}

bool save_resume(training_t *t) {
    (void)t;
    return true;
}

bool save_last(training_t *t) {
    (void)t;
    return true;
}

bool save_best(training_t *t) {
    (void)t;
    return true;
}

void save_close(training_t *t) {
    (void)t;
}
