/* What a learner computes: sums, norms, updates, packing. The reference does so in double, as
 * graph/update.h says; others run the plan's update module. */
#include "exec/learn_int.h"

/* ---- reference ------------------------------------------------------------------------------- */

static size_t floats_of(const exec_learner_t *l) {
    return (size_t)l->plan->gradients->data_end / sizeof(float);
}

static bool evaluate_set(exec_learner_t *l, const reformer_update_t *u, diag_t *d) {
    (void)d;
    for (size_t i = 0; i < floats_of(l); i++) l->sum[i] = (float)(u->share * (double)l->sum[i]);
    return true;
}

static bool evaluate_add(exec_learner_t *l, const reformer_update_t *u, diag_t *d) {
    (void)d;
    for (size_t i = 0; i < floats_of(l); i++)
        l->sum[i] = (float)((double)l->sum[i] + u->share * (double)l->gradients[i]);
    return true;
}

static bool evaluate_norm(exec_learner_t *l, const reformer_update_t *u, diag_t *d) {
    (void)d;
    *u->norm = update_norm(l->update, l->tensors);
    return true;
}

static bool evaluate_update(exec_learner_t *l, const reformer_update_t *u, diag_t *d) {
    (void)d;
    double rate = reformer_learning_rate(&l->plan->training, u->step);
    update_evaluate(l->update, l->tensors, *u->norm, rate, u->step + 1);
    return true;
}

/* Forwards read the params where they stand. */
static bool evaluate_nothing(exec_learner_t *l, const reformer_update_t *u, diag_t *d) {
    (void)l, (void)u, (void)d;
    return true;
}

typedef bool evaluate_fn(exec_learner_t *l, const reformer_update_t *u, diag_t *d);
static evaluate_fn *const evaluations[REFORMER_PHASES] = {
    [REFORMER_PHASE_SCALE] = evaluate_set,    [REFORMER_PHASE_ADD] = evaluate_add,
    [REFORMER_PHASE_NORM] = evaluate_norm,    [REFORMER_PHASE_UPDATE] = evaluate_update,
    [REFORMER_PHASE_PACK] = evaluate_nothing, [REFORMER_PHASE_UNPACK] = evaluate_nothing,
};

static bool evaluate(exec_learner_t *l, const reformer_update_t *u, diag_t *d) {
    uint64_t host = reformer_enter();
    bool ok = true;
    for (int i = 0; ok && i < REFORMER_PHASES; i++)
        if (u->phases[i]) ok = evaluations[i](l, u, d);
    reformer_leave(host);
    return ok;
}

/* ---- the update module ----------------------------------------------------------------------- */

static bool interpret(const exec_learner_t *l, const reformer_call_t *call, diag_t *d) {
    const exec_t *e = l->e;
    uint64_t host = reformer_enter();
    bool ok = loops_interpret(plan_module(e->plan, (int)(e->desc.updates - e->variants)), call, d);
    reformer_leave(host);
    return ok;
}

static bool run_code(const exec_learner_t *l, const reformer_call_t *call) {
    uint64_t host = reformer_enter();
    l->e->model.update->run(call);
    reformer_leave(host);
    return true;
}

static bool run_module(exec_learner_t *l, const reformer_update_t *u, diag_t *d) {
    exec_t *e = l->e;
    reformer_call_t call;
    const reformer_variant_t *v = e->desc.updates;
    if (!exec_make_room(e, reformer_prepare_update_bytes(v, u->threads), d)) return false;
    int code = reformer_prepare_update(&e->desc, v, u, e->workspace, e->workspace_bytes, &call);
    if (!exec_went_well(code, d)) return false;
    return e->backend == BACKEND_INTERPRETER ? interpret(l, &call, d) : run_code(l, &call);
}

/* ---- phases ---------------------------------------------------------------------------------- */

static reformer_update_t update_of(exec_learner_t *l) {
    reformer_update_t u = {.size = sizeof u,
                           .weights = l->e->weights,
                           .params = l->params,
                           .sum = l->sum,
                           .gradients = l->gradients,
                           .share = 1,
                           .step = l->step,
                           .threads = l->threads,
                           .pool = l->pool};
    for (int i = 0; i < REFORMER_STATES; i++) u.state[i] = l->states[i];
    return u;
}

static bool run(exec_learner_t *l, const reformer_update_t *u, diag_t *d) {
    return l->e->backend == BACKEND_REFERENCE ? evaluate(l, u, d) : run_module(l, u, d);
}

bool learner_set(exec_learner_t *l, double share, diag_t *d) {
    reformer_update_t u = update_of(l);
    u.gradients = NULL;
    u.share = share;
    u.phases[REFORMER_PHASE_SCALE] = 1;
    return run(l, &u, d);
}

bool learner_add(exec_learner_t *l, double share, diag_t *d) {
    reformer_update_t u = update_of(l);
    u.share = share;
    u.phases[REFORMER_PHASE_ADD] = 1;
    return run(l, &u, d);
}

bool learner_norm(exec_learner_t *l, double *norm, diag_t *d) {
    reformer_update_t u = update_of(l);
    u.norm = norm;
    u.phases[REFORMER_PHASE_NORM] = 1;
    return run(l, &u, d);
}

bool learner_update(exec_learner_t *l, double norm, diag_t *d) {
    reformer_update_t u = update_of(l);
    u.norm = &norm;
    u.phases[REFORMER_PHASE_UPDATE] = u.phases[REFORMER_PHASE_PACK] = 1;
    return run(l, &u, d);
}

bool learner_pack(exec_learner_t *l, diag_t *d) {
    reformer_update_t u = update_of(l);
    u.phases[REFORMER_PHASE_PACK] = 1;
    return run(l, &u, d);
}
