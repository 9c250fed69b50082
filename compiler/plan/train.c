/* Train steps of a plan: the graph of each variant's, with what train.memory lets it keep
 * (memory.h); where gradients stand.
 *
 * A size is one of workspaces, and only lowering knows how large those are. So a step that keeps
 * nothing is lowered first; what it leaves is room for kept values, and where the step that keeps
 * them turns out too large, they are taken one kind after the other. That is done for one thread,
 * whose number must not decide about roundings, and for every target. */
#include "plan/plan_int.h"

#include <float.h>
#include <math.h>

#include "spec/patterns.h"
#include "weights/weights.h"

/* ---- graphs ---------------------------------------------------------------------------------- */

/* Dropout is the spec's: a graph that says its own is taken as it stands. */
static const graph_t *forward_of(const plan_t *p, const variant_plan_t *v, diag_t *d) {
    if (p->spec->of_graph) return plan_with_dtype(p, v->graph, d);
    return plan_build(p, v->max_length, v->graph->units, true, d);
}

static bool derive(arena_t *a, variant_plan_t *v, const bool *keep, diag_t *d) {
    graph_gradient_options_t o = {.loss = v->loss, .keep = keep};
    shorter_t shorter = v->graph->shorter;
    v->graph = graph_gradient(a, v->derived, &o, d);
    if (v->graph) v->graph->shorter = shorter;
    return v->graph != NULL;
}

/* ---- which tensors are trained --------------------------------------------------------------- */

/* Those that the loss depends on, whether they are trained or not: params by name. */
typedef struct {
    layout_t *layout;
    const char **params; /* [n], in the order of the gradients */
    int n;
} tensors_t;

static tensors_t tensors_of(const plan_t *p, const graph_t *train) {
    tensors_t t = {.layout = layout_gradients(p->arena, train),
                   .params = ARENA_ARRAY(p->arena, const char *, train->n_nodes)};
    for (int i = 0; i < t.layout->n; i++)
        for (int k = 0; k < t.layout->entries[i].count; k++)
            t.params[t.n++] = t.layout->entries[i].source[k];
    return t;
}

/* By the patterns of a key, on Hugging Face's names. */
static bool choose_tensors(const plan_t *p, const tensors_t *t, spec_key_t key, bool *chosen,
                           diag_t *d) {
    const char **names = ARENA_ARRAY(p->arena, const char *, t->n);
    for (int i = 0; i < t->n; i++) names[i] = weights_hf_name(p->arena, t->layout, t->params[i]);
    return spec_choose(p->arena, p->spec, key, names, (size_t)t->n, chosen, d);
}

static bool is_chosen(const tensors_t *t, const bool *chosen, const char *param) {
    int at, first = 0;
    const layout_entry_t *e = layout_find(t->layout, param, &at);
    for (int i = 0; e && &t->layout->entries[i] != e; i++) first += t->layout->entries[i].count;
    return e && chosen[first + at];
}

/* Marks what train.freeze chooses in the forwards that are derived, and derives them anew. */
static bool freeze(const plan_t *p, const tensors_t *all, diag_t *d) {
    const spec_t *s = p->spec;
    bool *frozen = ARENA_ARRAY(p->arena, bool, all->n), some = false;
    if (!s->train.freeze.given) return true;
    if (!choose_tensors(p, all, KEY_train_freeze, frozen, d)) return false;
    for (int i = 0; i < all->n; i++) some = some || !frozen[i];
    if (!some) {
        diag_error(d, s->at[KEY_train_freeze], "'train.freeze' leaves no tensor to train");
        return false;
    }
    for (int k = 0; k < p->n_variants; k++) {
        variant_plan_t *v = &p->trains[k];
        for (size_t i = 0; i < v->derived->n_nodes; i++) {
            gnode_t *n = v->derived->nodes[i];
            if (n->op == G_PARAM) n->frozen = is_chosen(all, frozen, n->name);
        }
        if (!derive(p->arena, v, NULL, d)) return false;
    }
    return true;
}

/* ---- workspaces ------------------------------------------------------------------------------ */

plan_t *plan_alone(arena_t *a, const plan_t *p, const variant_plan_t *v, int t) {
    plan_t *alone = ARENA_NEW(a, plan_t);
    variant_plan_t *step = ARENA_NEW(a, variant_plan_t);
    *alone = *p;
    *step = *v;
    alone->arena = a;
    alone->variants = alone->trains = step;
    alone->n_variants = alone->n_targets = 1;
    alone->targets[0] = p->targets[t];
    alone->tiles[0] = p->tiles[t];
    alone->prefills = NULL;
    alone->step = NULL;
    alone->updates = false;
    alone->modules = alone->prefill_modules = alone->train_modules = alone->step_modules = NULL;
    return alone;
}

bool plan_keeps(plan_t *alone, const bool *keep, diag_t *d) {
    return derive(alone->arena, alone->trains, keep, d);
}

double plan_train_bytes(plan_t *alone, int threads) {
    reformer_desc_t desc;
    reformer_variant_t v;
    plan_describe(alone, &desc, &v);
    size_t length = (size_t)alone->trains->max_length;
    return (double)reformer_prepare_gradients_bytes(&desc, &v, 1, length, threads);
}

/* Of a train step for one target; infinite where it cannot be lowered. */
static double workspace_for(const plan_t *p, const variant_plan_t *v, int t, diag_t *d) {
    arena_t *scratch = arena_new();
    plan_t *alone = plan_alone(scratch, p, v, t);
    pass_options_t passes = {0};
    double bytes = plan_lower(alone, &passes, d) ? plan_train_bytes(alone, 1) : INFINITY;
    arena_free(scratch);
    return bytes;
}

static double workspace_of(const plan_t *p, const variant_plan_t *v, diag_t *d) {
    double max = 0;
    for (int t = 0; t < p->n_targets; t++) max = fmax(max, workspace_for(p, v, t, d));
    return max;
}

/* ---- a size ---------------------------------------------------------------------------------- */

static bool too_small(const plan_t *p, const variant_plan_t *v, double min, diag_t *d) {
    const spec_t *s = p->spec;
    const double mib = 1048576;
    diag_error(
        d, s->at[KEY_train_memory],
        "'train.memory' is %.2f MiB; a train step of %lld x %lld tokens takes %.2f MiB even if "
        "it keeps nothing",
        s->train.memory_bytes / mib, (long long)p->batch, (long long)v->max_length, min / mib);
    diag_hint(d, "--set train.memory=%.0fMiB, or a smaller batch or length", ceil(min / mib));
    return false;
}

/* Takes what the rows say; how many bytes that is. */
static double bytes_with(const plan_t *p, variant_plan_t *v, graph_t *nothing) {
    diag_t *refused = diag_new();
    v->graph = nothing;
    kept_mark(p->arena, v->kept, v->derived);
    bool ok = !v->kept->keep || derive(p->arena, v, v->kept->keep, refused);
    double bytes = ok ? workspace_of(p, v, refused) : INFINITY;
    diag_free(refused);
    return bytes;
}

/* Each that pays, as long as the step with it is lowered, and into `max` bytes. */
static void fit_one_by_one(const plan_t *p, variant_plan_t *v, graph_t *nothing, double max) {
    kept_choice_t *k = v->kept;
    for (int i = 0; i < k->n; i++) k->rows[i].kept = false;
    k->bytes = 0;
    for (int i = 0; i < k->n; i++) {
        kept_row_t *row = &k->rows[i];
        row->kept = row->lowered && kept_pays(row) && k->bytes + row->bytes <= k->room;
        double bytes = row->kept ? bytes_with(p, v, nothing) : 0;
        if (bytes <= max) continue;
        row->kept = false;
        row->lowered = isfinite(bytes);
        (void)bytes_with(p, v, nothing);
    }
}

/* v: a step that keeps nothing, and later the one that is taken. Mostly the whole
 * choice fits at once. */
static bool fit(const plan_t *p, variant_plan_t *v, double room, double max, diag_t *d) {
    graph_t *nothing = v->graph;
    v->kept = kept_choose(p->arena, v->derived, v->loss, room, true, d);
    if (!v->kept) return false;
    if (v->kept->keep && bytes_with(p, v, nothing) > max) fit_one_by_one(p, v, nothing, max);
    return true;
}

static bool fit_size(const plan_t *p, variant_plan_t *v, diag_t *d) {
    double size = p->spec->train.memory_bytes, min = workspace_of(p, v, d);
    if (!isfinite(min)) return false; /* d knows */
    return min > size ? too_small(p, v, min, d) : fit(p, v, size - min, size, d);
}

/* ---- one choice ------------------------------------------------------------------------------ */

/* What a spec makes is lowered whatever is kept; of graphs that users write some
 * are only if nothing is. */
static bool fit_auto(const plan_t *p, variant_plan_t *v, diag_t *d) {
    if (p->spec->of_graph) return fit(p, v, KEPT_BY_AUTO, DBL_MAX, d);
    v->kept = kept_choose(p->arena, v->derived, v->loss, KEPT_BY_AUTO, true, d);
    return v->kept && (!v->kept->keep || derive(p->arena, v, v->kept->keep, d));
}

static bool choose(const plan_t *p, variant_plan_t *v, diag_t *d) {
    switch (p->spec->train.memory) {
    case MEMORY_REVERSIBLE: return true;
    case MEMORY_SIZE: return fit_size(p, v, d);
    case MEMORY_AUTO: break;
    }
    return fit_auto(p, v, d);
}

/* ---- updates --------------------------------------------------------------------------------- */

/* Decay is a matter of the spec's patterns, where it has any: they may name what is frozen, too.
 * Without them trax spares no tensor. */
static bool choose_decays(const plan_t *p, const tensors_t *all, update_t *u, diag_t *d) {
    const spec_t *s = p->spec;
    bool *spared = ARENA_ARRAY(p->arena, bool, all->n), listed = s->train.no_decay.given;
    if (!listed && s->train.optimizer.dialect != REFORMER_TRAX) return true;
    if (listed && !choose_tensors(p, all, KEY_train_no_decay, spared, d)) return false;
    for (int i = 0; i < u->n; i++)
        u->tensors[i].decays = !is_chosen(all, spared, u->tensors[i].name);
    return true;
}

static bool add_update(plan_t *p, const tensors_t *all, const graph_t *train, diag_t *d) {
    const spec_t *s = p->spec;
    p->training = (reformer_training_t){.optimizer = s->train.optimizer,
                                        .schedule = s->train.schedule,
                                        .max_grad_norm = s->train.max_grad_norm,
                                        .seed = (uint64_t)s->train.seed,
                                        .new_rotations = !s->has_hash_seed};
    update_t *u = update_make(p->arena, train, &s->train.optimizer, s->train.max_grad_norm);
    for (int i = 0; i < u->n_states; i++) p->states[i] = layout_state(p->arena, p->gradients, u, i);
    p->update = u;
    return choose_decays(p, all, u, d);
}

static void refuse_type(const plan_t *p, int layer, bool own, diag_t *d) {
    const spec_t *s = p->spec;
    const char *key =
        own ? arena_printf(p->arena, "extensions.layers.%d.dtype", layer) : "compile.dtype";
    const char *trained = dtype_name(s->train.dtype);
    dtype_t dtype = spec_dtype(s, layer);
    diag_error(d, own ? spec_layer_at(s, layer, KEY_compile_dtype) : s->at[KEY_compile_dtype],
               "'%s' has no effect where gradients are computed: 'train.dtype' is the number type "
               "there, %s",
               key, trained);
    const char *instead = dtype == DTYPE_INT8 ? "" /* which is not trained */
                                              : arena_printf(p->arena, "--set train.dtype=%s, or ",
                                                             dtype_name(dtype));
    diag_hint(d, "%s--set %s=%s", instead, key, trained);
}

/* What forwards beside a training, or in it, compute is of the type that is trained, so that one
 * packed file serves both: a compile.dtype that says something else would have no effect. float32
 * is what it is where nobody says; of a layer's own type somebody did. */
bool plan_type_is_trained(const plan_t *p, diag_t *d) {
    const spec_t *s = p->spec;
    for (int i = -1; i < s->n_layers; i++) {
        dtype_t dtype = spec_dtype(s, i);
        bool own = i >= 0 && spec_layer_has(s, i, KEY_compile_dtype);
        if (dtype == s->train.dtype || (dtype == DTYPE_FLOAT32 && !own)) continue;
        refuse_type(p, i, own, d);
        return false;
    }
    return true;
}

bool plan_add_trains(plan_t *p, const plan_options_t *o, diag_t *d) {
    if (!plan_type_is_trained(p, d)) return false;
    p->derives = true;
    bool alone = o->train == TRAIN_ALONE;
    p->trains = alone ? p->variants : ARENA_ARRAY(p->arena, variant_plan_t, p->n_variants);
    for (int k = 0; k < p->n_variants; k++) {
        variant_plan_t *v = &p->trains[k];
        *v = p->variants[k];
        v->loss = o->train_loss;
        const graph_t *forward = forward_of(p, v, d);
        v->derived = forward ? graph_with_positions(p->arena, forward, d) : NULL;
        if (!v->derived || !derive(p->arena, v, NULL, d)) return false;
    }
    const tensors_t all = tensors_of(p, p->trains[p->n_variants - 1].graph);
    if (!freeze(p, &all, d)) return false;
    const graph_t *largest = p->trains[p->n_variants - 1].graph;
    p->gradients = layout_gradients(p->arena, largest);
    p->layout = layout_make(p->arena, largest); /* whatever is kept */
    if (!add_update(p, &all, largest, d)) return false;
    for (int k = 0; k < p->n_variants; k++)
        if (!choose(p, &p->trains[k], d)) return false;
    return true;
}
