/* An update as Loops. Params, gradients, their sum and what the optimiser keeps are flat arrays;
 * tensors of one shape are a group, with kernels whose tasks are slices of its tensors, and groups
 * of one shape share them, so that code size depends on how many shapes there are and never on
 * depth. Where a group begins is told by each launch. What changes from step to step is read from
 * the coefficients, all else is literal; what lies between tensors is never touched.
 *
 * In: an update_t, where everything stands, a target. Out: a module whose entry runs the
 * phases that a call asks for. */
#include "lower/update_int.h"

/* ---- what there is --------------------------------------------------------------------------- */

static int64_t floats(int64_t bytes) {
    return bytes / (int64_t)sizeof(float);
}

static group_t group_of(const updater_t *U, int i, int64_t number) {
    const layout_entry_t *e = &U->o->gradients->entries[i];
    const update_tensor_t *t = update_find(U->update, e->source[0]);
    if (!t) bug("'%s' is no tensor of the update", e->source[0]);
    group_t g = {.count = e->count, .elements = 1, .matrices = 1, .rows = 1, .number = number};
    for (int k = 0; k < t->rank; k++) g.elements *= t->shape[k];
    for (int k = 0; k < t->rank - 2; k++) g.matrices *= t->shape[k];
    if (t->rank >= 2) g.rows = t->shape[t->rank - 2];
    g.columns = g.elements / (g.matrices * g.rows);
    g.vector = t->rank < 2;
    g.first = floats(e->offset);
    for (int k = 0; k < U->update->n_states; k++)
        g.state[k] = floats(U->o->states[k]->entries[i].offset);
    return g;
}

static void make_groups(updater_t *U) {
    const layout_t *l = U->o->gradients;
    U->groups = ARENA_ARRAY(U->L.arena, group_t, l->n);
    int64_t number = 0;
    for (U->n = 0; U->n < l->n; number += U->groups[U->n++].count)
        U->groups[U->n] = group_of(U, U->n, number);
}

/* ---- buffers --------------------------------------------------------------------------------- */

static buffer_t *flat_slot(updater_t *U, bufkind_t kind, int slot, const char *name, elem_t e,
                           int64_t elements, const char *doc) {
    dim_t d = dim(elements);
    buffer_t *b = slot_buffer(&U->L, kind, slot, name, e, 1, &d);
    b->comment = doc;
    return b;
}

/* By group and tensor: whether it decays. */
static void make_decays(updater_t *U) {
    const layout_t *l = U->o->gradients;
    int64_t n = U->groups[U->n - 1].number + U->groups[U->n - 1].count;
    int32_t *data = ARENA_ARRAY(U->L.arena, int32_t, n);
    for (int i = 0; i < U->update->n; i++) {
        int at;
        const layout_entry_t *e = layout_find(l, U->update->tensors[i].name, &at);
        if (!e) bug("no place for '%s'", U->update->tensors[i].name);
        data[U->groups[e - l->entries].number + at] = U->update->tensors[i].decays;
    }
    dim_t d = dim(n);
    U->decays = module_buffer(U->L.m, BUF_TABLE, "decays", E_I32, 1, &d);
    U->decays->data = data;
}

static void make_buffers(updater_t *U) {
    int64_t n = U->elements = floats(U->o->gradients->data_end);
    U->phases = flat_slot(U, BUF_INPUT, REFORMER_SLOT_PHASES, "phases", E_I32, REFORMER_PHASES,
                          "what is to be done");
    U->coefficients = flat_slot(U, BUF_INPUT, REFORMER_SLOT_COEFFICIENTS, "coefficients", E_F32,
                                REFORMER_COEFFICIENTS, "what differs from step to step");
    U->params = flat_slot(U, BUF_STATE, REFORMER_SLOT_PARAMS, "params", E_F32, n,
                          "weights, one stack of tensors behind the other");
    U->gradients = flat_slot(U, BUF_INPUT, REFORMER_SLOT_GRADIENTS, "gradients", E_F32, n,
                             "of a micro-batch, like params");
    U->sum = flat_slot(U, BUF_STATE, REFORMER_SLOT_SUM, "sum", E_F32, n,
                       "gradients of a step, like params");
    U->packed = flat_slot(U, BUF_STATE, REFORMER_SLOT_PACKED, "packed", E_F32,
                          floats(U->o->weights->data_end), "the weights file");
    U->norm = flat_slot(U, BUF_OUTPUT, REFORMER_SLOT_NORM, "norm", E_F64, 1, "of the sum");
    for (int k = 0; k < U->update->n_states; k++)
        if (U->o->states[k]->data_end > 0)
            U->state[k] =
                flat_slot(U, BUF_STATE, REFORMER_SLOT_STATE + k, U->update->states[k].name, E_F32,
                          floats(U->o->states[k]->data_end), "kept by the optimiser");
    dim_t parts = dim(max_squares(U));
    U->squares = workspace(&U->L, "squares", E_F64, 1, &parts, "of a slice, added up");
    if (U->update->rule.weight_decay != 0) make_decays(U);
}

/* ---- phases ---------------------------------------------------------------------------------- */

static void scale_sum(updater_t *U) {
    lower_accumulate(U, false);
}
static void add_to_sum(updater_t *U) {
    lower_accumulate(U, true);
}
static void pack(updater_t *U) {
    lower_moves(U, false);
}
static void unpack(updater_t *U) {
    lower_moves(U, true);
}

static void update_weights(updater_t *U) {
    static void (*const rules[])(updater_t * U,
                                 const group_t *g) = {[REFORMER_ADAMW] = lower_adam,
                                                      [REFORMER_ADAM] = lower_adam,
                                                      [REFORMER_SGD] = lower_sgd,
                                                      [REFORMER_ADAFACTOR] = lower_adafactor};
    for (int i = 0; i < U->n; i++) rules[U->update->rule.type](U, &U->groups[i]);
}

static void lower_phase(updater_t *U, int phase, void (*lower)(updater_t *U)) {
    affine_t at = ax(phase);
    value_t *asked = load1(&U->entry, U->phases, 1, &at);
    inst_t *branch = b_if(&U->entry, asked, 0, NULL);
    lower(U);
    b_end_if(&U->entry, branch, NULL);
}

module_t *lower_update(arena_t *a, const update_lowering_t *o) {
    static void (*const phases[])(updater_t * U) = {[REFORMER_PHASE_SCALE] = scale_sum,
                                                    [REFORMER_PHASE_ADD] = add_to_sum,
                                                    [REFORMER_PHASE_NORM] = lower_update_norm,
                                                    [REFORMER_PHASE_UPDATE] = update_weights,
                                                    [REFORMER_PHASE_PACK] = pack,
                                                    [REFORMER_PHASE_UNPACK] = unpack};
    updater_t *U = ARENA_NEW(a, updater_t);
    *U = (updater_t){.o = o, .update = o->update};
    U->L.arena = a;
    U->L.m = module_new(a, o->name, o->target, (units_t){0, 0});
    U->L.lanes = o->target->vector_bytes / (int)sizeof(float);
    make_groups(U);
    make_buffers(U);
    make_moves(U);
    if (U->update->rule.type == REFORMER_ADAFACTOR) make_adafactor(U);
    U->entry = build_entry(U->L.m, "update");
    for (int i = 0; i < REFORMER_PHASES; i++) lower_phase(U, i, phases[i]);
    return U->L.m;
}
