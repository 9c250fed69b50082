/* Inside of the reader of `train:`; shared by train.c and course.c. */
#ifndef REFORMERC_SPEC_TRAIN_INT_H
#define REFORMERC_SPEC_TRAIN_INT_H

#include "spec/read.h"

#define BIT(x)       (1u << (x))
#define KEY_OF(x)    KEY_train_optimizer_##x
#define COURSE_OF(x) KEY_train_schedule_##x

static inline bool says(const reader_t *r, spec_key_t key) {
    return r->spec->given[key] && !r->bad[key];
}

static inline const char *word_at(spec_key_t key, int value) {
    return word_of(schema[key].words, value);
}

/* The type that a setting says, before anything converts; -1: none. */
static inline int set_type(const reader_t *r, spec_key_t key) {
    const node_t *n = r->set[key] ? r->nodes[key] : NULL;
    for (const word_t *w = schema[key].words; n && w->word; w++)
        if (node_is(n, w->word)) return (int)w->value;
    return -1;
}

static inline void drop(reader_t *r, spec_key_t key) {
    if (!r->set[key]) r->nodes[key] = NULL;
}

static inline void default_real(const reader_t *r, spec_key_t key, double *at, double standard) {
    if (!says(r, key)) *at = standard;
}

static inline void default_int(const reader_t *r, spec_key_t key, int *at, bool standard) {
    if (!says(r, key)) *at = standard;
}

static inline bool has_rate_of_its_own(const reader_t *r) {
    const reformer_optimizer_t *o = &r->spec->train.optimizer;
    return o->type == REFORMER_ADAFACTOR && o->relative_step;
}

/* course.c: keys of a schedule that a setting makes meaningless; the schedule's
 * defaults and errors. */
void drop_of_other_courses(reader_t *r);
void settle_course(reader_t *r);

#endif
