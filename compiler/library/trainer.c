/* Learning: an executor's learner behind the library's codes. In: micro-batches with labels. Out:
 * weights that the model's forwards read from then on, a report, arrays by name. */
#include "exec/learn.h"

#include <string.h>

#include "library/library.h"
#include "support/heap.h"

struct reformerc_trainer {
    reformerc_context_t *c;
    reformerc_model_t *m; /* the context's, which changes */
    exec_learner_t *learner;
};

typedef struct {
    reformerc_context_t *c;
    reformerc_trainer_t *made;
} new_t;

static int new_trainer(void *arg, diag_t *d) {
    new_t *n = arg;
    reformerc_model_t *m = (reformerc_model_t *)(uintptr_t)n->c->m; /* compile made it to change */
    n->made = heap_new(1, sizeof *n->made);
    *n->made = (reformerc_trainer_t){.c = n->c, .m = m};
    n->made->learner = exec_learner_new(m->exec, m->store, d);
    if (n->made->learner) return REFORMER_OK;
    heap_free(n->made);
    return REFORMERC_E_WEIGHTS; /* out of memory is told apart for every call */
}

int reformerc_trainer_new(reformerc_trainer_t **t, reformerc_context_t *c) {
    if (!t) return REFORMER_E_ARGUMENT;
    *t = NULL;
    if (!c) return REFORMER_E_ARGUMENT;
    if (!c->m->plan->updates) return context_refuse(c, REFORMER_E_TRAIN);
    if (!exec_bound(c->m->exec)) return context_refuse(c, REFORMERC_E_UNBOUND);
    if (c->m->trainer) return context_refuse(c, REFORMER_E_ARGUMENT);
    new_t n = {.c = c};
    int code = context_told(c, new_trainer, &n);
    if (code == REFORMER_OK) *t = n.made->m->trainer = n.made;
    return code;
}

void reformerc_trainer_free(reformerc_trainer_t *t) {
    if (!t) return;
    exec_unbind(t->m->exec);
    exec_learner_free(t->learner);
    t->m->trainer = NULL;
    heap_free(t);
}

/* ---- a step ---------------------------------------------------------------------------------- */

typedef struct {
    reformerc_trainer_t *t;
    const reformer_io_t *io; /* [n] */
    size_t n;
    reformer_train_report_t *report;
} trainer_step_t;

/* With the context's threads where the caller names none. */
static int derive(const trainer_step_t *s, diag_t *d) {
    reformer_io_t *io = heap_new(s->n, sizeof *io);
    for (size_t i = 0; i < s->n; i++) io[i] = context_io(s->t->c, &s->io[i]);
    int code = exec_learn_run_step(s->t->learner, io, s->n, s->report->items, &s->report->loss, d);
    heap_free(io);
    return code;
}

static int64_t number_of(const reformerc_trainer_t *t, const char *name) {
    reformer_tensor_t tensor = {.size = sizeof tensor};
    for (size_t i = 0; exec_gradient(t->m->exec, i, &tensor) == REFORMER_OK; i++)
        if (strcmp(tensor.name, name) == 0) return (int64_t)i;
    bug("no gradient '%s'", name);
}

static int update(const trainer_step_t *s, diag_t *d) {
    exec_update_t done;
    if (!exec_learn_update(s->t->learner, &done, d)) return EXEC_FAILED;
    s->report->grad_norm = done.norm;
    s->report->learning_rate = done.rate;
    if (!done.bad) return REFORMER_OK;
    s->report->bad = number_of(s->t, done.bad);
    diag_error(d, NOWHERE, "step %lld: the gradient of '%s' holds a NaN or an infinity",
               (long long)s->report->step, done.bad);
    return REFORMER_E_DIVERGED;
}

static int half_rows(size_t i, diag_t *d) {
    diag_error(d, NOWHERE,
               "micro-batch %zu: a row of which the start counts or the end, and the other is "
               "behind the last token; a step of several micro-batches cannot weigh it",
               i);
    return REFORMER_E_LABEL;
}

static int run_step(void *arg, diag_t *d) {
    const trainer_step_t *s = arg;
    exec_learner_t *l = s->t->learner;
    *s->report = (reformer_train_report_t){
        .size = sizeof *s->report, .step = exec_learner_step(l), .bad = -1};
    size_t at;
    int code = exec_learner_step_items(l, s->io, s->n, &s->report->items, &at);
    if (code == REFORMER_E_LABEL && at < s->n) return half_rows(at, d);
    if (code != REFORMER_OK) return code;
    code = derive(s, d);
    if (code == REFORMER_OK) code = update(s, d);
    exec_learner_evaluates(l, true);
    return code;
}

int reformerc_train_step(reformerc_trainer_t *t, const reformer_io_t *io, size_t n,
                         reformer_train_report_t *report) {
    reformer_train_report_t own = {.size = sizeof own};
    if (!t) return REFORMER_E_ARGUMENT;
    if (!io || n == 0) return context_refuse(t->c, REFORMER_E_ARGUMENT);
    if (report && report->size != sizeof *report) return context_refuse(t->c, REFORMER_E_SIZE);
    for (size_t i = 0; i < n; i++)
        if (io[i].size != sizeof *io) return context_refuse(t->c, REFORMER_E_SIZE);
    trainer_step_t s = {t, io, n, report ? report : &own};
    return context_told(t->c, run_step, &s);
}

/* ---- arrays ---------------------------------------------------------------------------------- */

int reformerc_trainer_tensor(const reformerc_trainer_t *t, size_t i, reformerc_tensor_t *tensor,
                             float **data) {
    exec_array_t a;
    if (tensor && tensor->size != sizeof *tensor) return REFORMER_E_SIZE;
    if (!t || !tensor || i >= exec_learner_arrays(t->learner)) return REFORMER_E_ARGUMENT;
    exec_learner_array(t->learner, i, &a);
    *tensor = (reformerc_tensor_t){.size = sizeof *tensor,
                                   .name = a.name,
                                   .dtype = REFORMERC_F32,
                                   .rank = a.rank,
                                   .data = a.data};
    memcpy(tensor->shape, a.shape, sizeof tensor->shape);
    if (data) *data = a.data;
    return REFORMER_OK;
}

typedef struct {
    reformerc_trainer_t *t;
    int64_t step;
} resume_t;

static int resume(void *arg, diag_t *d) {
    const resume_t *r = arg;
    exec_learner_set_step(r->t->learner, r->step);
    return exec_learner_restore(r->t->learner, d) ? REFORMER_OK : EXEC_FAILED;
}

int reformerc_trainer_resume(reformerc_trainer_t *t, int64_t step) {
    if (!t) return REFORMER_E_ARGUMENT;
    if (step < 0) return context_refuse(t->c, REFORMER_E_ARGUMENT);
    return context_told(t->c, resume, &(resume_t){t, step});
}
