/* What code a training needs (training.h): train steps of exactly its rows, besides forwards for
 * evaluation and steps of generation for samples. */
#include "training/training.h"

#include "session/gradients.h"

void training_sizes(spec_t *s) {
    s->compile.length_mode = LENGTH_ABSENT;
    s->compile.n_lengths = 0;
    s->compile.has_batch = false;
}

bool training_plan(training_t *t) {
    const facts_t *f = &t->s->model.facts;
    bool samples = t->spec->train.sample_every > 0 && !t->o->given[OPT_EVAL_ONLY],
         forwards = t->feed.data != NULL;
    inputs_t in = {0};
    if (t->feed.file && !feed_take(t, 0)) return false;
    in.labels_f32 = (float *)t->feed.micros[0].labels_f32;
    if (!t->s->model.graphs) training_sizes(t->spec);
    session_plan_t want = {.name = "model",
                           .exact_length = t->feed.length,
                           .exact_batch = t->feed.rows,
                           .runs = true,
                           .decodes = samples,
                           .updates = true,
                           .train = t->o->given[OPT_EVAL_ONLY] ? TRAIN_NOT
                                    : samples || forwards      ? TRAIN_TOO
                                                               : TRAIN_ALONE,
                           .train_loss = gradients_loss(f, &in)};
    if (!session_plan(t->s, &want)) return false;
    if (!samples || t->s->plan->step) return true;
    diag_error(t->d, t->spec->at[KEY_train_sample_every],
               "a %s writes no text token by token: it cannot show samples", arch_hf_name(f->head));
    return false;
}

const module_t *train_module(const plan_t *p) {
    for (int k = 0; k < plan_parts(p); k++)
        if (plan_part(p, k) == PART_TRAIN) return plan_module(p, k);
    return plan_module(p, 0); /* train steps alone */
}
