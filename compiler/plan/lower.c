/* The modules of a plan: each variant's graph lowered for each target, the step, the update. */
#include "lower/update.h"
#include "plan/plan_int.h"

static lower_options_t options_of(const plan_t *p, int t) {
    return (lower_options_t){.target = p->targets[t],
                             .tiles = &p->tiles[t],
                             .trace = p->trace,
                             .impose_buckets = p->impose_buckets,
                             .name = p->name};
}

/* `fills`: the module is also, or only, a prefill. */
static bool lower_one(plan_t *p, variant_plan_t *v, int t, bool fills, module_t **m,
                      const pass_options_t *passes, diag_t *d) {
    lower_options_t o = options_of(p, t);
    o.absent_keys = v->absent;
    if (fills) o.cache_batch = p->batch, o.positions = p->positions;
    *m = lower_graph(p->arena, v->graph, p->layout, &o, d);
    if (!*m) return false;
    v->rows[t] =
        dim_literal(v->graph->padded) ? module_find_buffer(*m, "ids")->dims[1].c : v->padded;
    return loops_run_passes(*m, passes, d);
}

static bool lower_variants(plan_t *p, variant_plan_t *variants, bool fills, module_t ***modules,
                           const pass_options_t *passes, diag_t *d) {
    *modules = ARENA_ARRAY(p->arena, module_t *, p->n_variants * p->n_targets);
    for (int v = 0; v < p->n_variants; v++)
        for (int t = 0; t < p->n_targets; t++)
            if (!lower_one(p, &variants[v], t, fills, &(*modules)[v * p->n_targets + t], passes, d))
                return false;
    return true;
}

static bool lower_steps(plan_t *p, const pass_options_t *passes, diag_t *d) {
    p->step_modules = ARENA_ARRAY(p->arena, module_t *, p->n_targets);
    for (int t = 0; t < p->n_targets; t++) {
        lower_options_t o = options_of(p, t);
        o.cache_batch = p->batch;
        o.positions = p->positions;
        p->step_modules[t] = lower_graph(p->arena, p->step, p->layout, &o, d);
        if (!p->step_modules[t]) return false;
        if (!loops_run_passes(p->step_modules[t], passes, d)) return false;
    }
    return true;
}

static bool lower_updates(plan_t *p, const pass_options_t *passes, diag_t *d) {
    p->update_modules = ARENA_ARRAY(p->arena, module_t *, p->n_targets);
    for (int t = 0; t < p->n_targets; t++) {
        update_lowering_t o = {.update = p->update,
                               .weights = p->layout,
                               .gradients = p->gradients,
                               .target = p->targets[t],
                               .name = p->name};
        for (int i = 0; i < p->update->n_states; i++) o.states[i] = p->states[i];
        p->update_modules[t] = lower_update(p->arena, &o);
        if (!loops_run_passes(p->update_modules[t], passes, d)) return false;
    }
    return true;
}

bool plan_lower(plan_t *p, const pass_options_t *passes, diag_t *d) {
    bool shared = p->prefills == p->variants, trains = p->trains && p->trains != p->variants;
    if (!lower_variants(p, p->variants, p->step && shared, &p->modules, passes, d)) return false;
    p->prefill_modules = p->train_modules = p->modules;
    if (trains && !lower_variants(p, p->trains, false, &p->train_modules, passes, d)) return false;
    if (p->updates && !lower_updates(p, passes, d)) return false;
    if (!p->step) return true;
    if (!shared && !lower_variants(p, p->prefills, true, &p->prefill_modules, passes, d))
        return false;
    return lower_steps(p, passes, d);
}
