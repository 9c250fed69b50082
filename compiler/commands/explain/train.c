/* `reformerc explain` of a train step: what its parts ask for, and what it keeps
 * for its backward pass.
 *
 * In: the session's plan, with train steps, and the explanation of its forward. Out: a second
 * explanation, of the step, and the sections that a forward has not. Of each choice of what is kept
 * (nothing, train.memory's, everything) the step is lowered, so that workspaces and predicted times
 * are those of real loops; of single kinds they are counted on the graph. */
#include "commands/explain/explain.h"

/* ---- the step -------------------------------------------------------------------------------- */

static bool lower_keeping(explanation_t *e, const variant_plan_t *v, keeping_t *k, const bool *keep,
                          diag_t *d) {
    plan_t *alone = plan_alone(e->arena, e->plan, v, 0);
    pass_options_t passes = {0};
    if (!plan_keeps(alone, keep, d) || !plan_lower(alone, &passes, d)) return false;
    k->work = work_of_train(alone->trains->graph);
    k->workspace = plan_train_bytes(alone, e->threads);
    k->costs = kernel_costs(e->arena, alone->modules[0], alone->modules[0]->units.max);
    return true;
}

static bool make_keeping(explanation_t *e, const variant_plan_t *v, diag_t *d) {
    const kept_choice_t *all = kept_all(e->arena, e->kept, v->derived, true);
    const bool *keep[N_KEEPING] = {NULL, e->kept->keep, all->keep};
    static const char *const names[N_KEEPING] = {"nothing (reversible)", "chosen", "everything"};
    for (int i = 0; i < N_KEEPING; i++) {
        e->keeping[i] = e->keeping[KEEPS_NOTHING];
        e->keeping[i].name = names[i];
        bool again = i > KEEPS_NOTHING && !keep[i]; /* the same step */
        diag_t *refused = i == KEEPS_ALL ? diag_new() : d;
        if (!again && !lower_keeping(e, v, &e->keeping[i], keep[i], refused)) {
            if (i < KEEPS_ALL) return false;
            e->keeping[i].name = NULL; /* a user's graph, of which lowering takes less */
        }
        if (i == KEEPS_ALL) diag_free(refused);
    }
    e->keeping[KEEPS_CHOSEN].kept = e->kept->bytes;
    e->keeping[KEEPS_ALL].kept = all->bytes;
    return true;
}

explanation_t *explain_train(session_t *s, const explanation_t *forward) {
    const plan_t *p = s->plan;
    explanation_t *e = ARENA_NEW(s->arena, explanation_t);
    *e = *forward;
    e->what = "train step";
    e->variant = &p->trains[p->n_variants - 1];
    e->kept = e->variant->kept;
    if (!e->kept)
        e->kept = kept_choose(s->arena, e->variant->derived, e->variant->loss, 0, true, s->d);
    if (!e->kept || !make_keeping(e, e->variant, s->d)) return NULL;
    int last = plan_count(p) + p->n_variants - 1;
    explain_module(e, plan_module(p, last), e->keeping[KEEPS_CHOSEN].workspace);
    return e;
}
