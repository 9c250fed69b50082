/* See update_machine.h. */
#include "update_machine.h"

#include "graph/ops.h"

/* ---- graphs ------------------------------------------------------------------------------------- */

static gnode_t *node(graph_t *g, gop_t op, const char *name, int n_in, gnode_t *const *in) {
    gnode_t *n = graph_append(g, op);
    n->name = name;
    n->n_in = n_in;
    for (int i = 0; i < n_in; i++) n->in[i] = in[i];
    return n;
}

static void say(graph_t *g, const tensor_say_t *t, const char *name) {
    int layer = -1;
    gnode_t *p = node(g, G_PARAM, name, 0, NULL);
    if (sscanf(name, "layers.%d.", &layer) == 1) p->layer = layer;
    p->type = t->rounds ? G_BF16 : G_F32;
    p->rank = t->rank;
    for (int i = 0; i < t->rank; i++) p->shape[i] = dim(t->shape[i]);
    gnode_t *in[] = {g->nodes[0], p};
    gnode_t *reader = t->dense ? node(g, G_DENSE, "dense", 2, in) : node(g, G_ADD, "add", 2, in);
    if (t->turned) node(g, G_DENSE_T, "dense_t", 2, in);
    if (t->heads > 0) node(g, G_LOCAL_ATTENTION, "attention", 1, &reader)->heads = t->heads;
    if (!t->frozen) node(g, G_GRADIENT, "gradient", 2, in);
}

updates_t *updates_new(const tensor_say_t *tensors, int n, const reformer_optimizer_t *rule,
                       double max_norm) {
    arena_t *a = arena_new();
    updates_t *u = ARENA_NEW(a, updates_t);
    *u = (updates_t){.arena = a, .diag = diag_new(), .graph = ARENA_NEW(a, graph_t)};
    *u->graph = (graph_t){.arena = a};
    node(u->graph, G_INPUT, "x", 0, NULL);
    for (int i = 0; i < n; i++) say(u->graph, &tensors[i], tensors[i].name);
    u->update = update_make(a, u->graph, rule, max_norm);
    u->weights = layout_make(a, u->graph);
    u->gradients = layout_gradients(a, u->graph);
    for (int k = 0; k < u->update->n_states; k++)
        u->states[k] = layout_state(a, u->gradients, u->update, k);
    assert_true(u->gradients->data_end <= 4 * FLOATS && u->weights->data_end <= 4 * FLOATS);
    return u;
}

void updates_free(updates_t *u) {
    diag_free(u->diag);
    arena_free(u->arena);
}

module_t *updates_module(const updates_t *u, const target_t *t, const char *name) {
    update_lowering_t o = {.update = u->update,
                           .weights = u->weights,
                           .gradients = u->gradients,
                           .target = t,
                           .name = name};
    for (int k = 0; k < u->update->n_states; k++) o.states[k] = u->states[k];
    return lower_update(u->arena, &o);
}

module_t *verified(const updates_t *u, const target_t *t) {
    module_t *m = updates_module(u, t, "update");
    pass_options_t o = {.verify_each = true};
    if (loops_verify(m, u->diag) && loops_run_passes(m, &o, u->diag)) return m;
    diag_print(u->diag, stderr);
    fail_msg("see the messages above");
    return NULL;
}

int64_t tensor_at(const updates_t *u, int tensor, int64_t *elements) {
    const update_tensor_t *t = &u->update->tensors[tensor];
    int index;
    const layout_entry_t *e = layout_find(u->gradients, t->name, &index);
    assert_non_null(e);
    *elements = 1;
    for (int i = 0; i < t->rank; i++) *elements *= t->shape[i];
    return e->offset / (int64_t)sizeof(float) + index * *elements;
}

/* ---- memory ------------------------------------------------------------------------------------- */

static void clear_stacks(float *to, const layout_t *l) {
    for (int i = 0; i < FLOATS; i++) to[i] = NAN;
    for (int i = 0; i < l->n; i++)
        memset(to + l->entries[i].offset / 4, 0, (size_t)l->entries[i].bytes);
}

update_slots_t *slots_new(const updates_t *u) {
    update_slots_t *s = ARENA_NEW(u->arena, update_slots_t);
    clear_stacks(s->params, u->gradients);
    clear_stacks(s->gradients, u->gradients);
    clear_stacks(s->sum, u->gradients);
    for (int k = 0; k < u->update->n_states; k++) clear_stacks(s->state[k], u->states[k]);
    return s;
}

void run_interpreted(void *ctx, const reformer_call_t *call) {
    interpreted_t *i = ctx;
    if (loops_interpret(i->m, call, i->diag)) return;
    diag_print(i->diag, stderr);
    fail_msg("see the messages above");
}

void slots_run(update_slots_t *s, const module_t *m, unsigned phases, int threads,
               update_run_fn *run, void *ctx) {
    size_t scratch = ((size_t)m->scratch_bytes.c + 127) / 64 * 64;
    size_t workspace = ((size_t)m->workspace_bytes.c + 127) / 64 * 64;
    unsigned char *memory = aligned_alloc(64, workspace + (size_t)threads * scratch);
    assert_non_null(memory);
    reformer_call_t call = {.workspace = memory,
                            .scratch = memory + workspace,
                            .scratch_stride = scratch,
                            .threads = threads};
    for (int i = 0; i < REFORMER_PHASES; i++) s->phases[i] = phases >> i & 1;
    call.slot[REFORMER_SLOT_PARAMS] = s->params;
    call.slot[REFORMER_SLOT_GRADIENTS] = s->gradients;
    call.slot[REFORMER_SLOT_SUM] = s->sum;
    for (int k = 0; k < REFORMER_STATES; k++) call.slot[REFORMER_SLOT_STATE + k] = s->state[k];
    call.slot[REFORMER_SLOT_PHASES] = s->phases;
    call.slot[REFORMER_SLOT_COEFFICIENTS] = s->coefficients;
    call.slot[REFORMER_SLOT_PACKED] = s->packed;
    call.slot[REFORMER_SLOT_NORM] = &s->norm;
    run(ctx, &call);
    free(memory);
}

void slots_step(const updates_t *u, update_slots_t *s, const module_t *m, double rate, int64_t t,
                int threads, update_run_fn *run, void *ctx) {
    const update_t *x = u->update;
    slots_run(s, m, 1U << REFORMER_PHASE_NORM, threads, run, ctx);
    reformer_coefficients(&x->rule, rate, t, s->coefficients);
    reformer_clip(s->norm, x->max_norm, s->coefficients);
    slots_run(s, m, 1U << REFORMER_PHASE_UPDATE | 1U << REFORMER_PHASE_PACK, threads, run, ctx);
}

void slots_reference(const updates_t *u, update_slots_t *s, double rate, int64_t t) {
    update_memory_t m[MAX_TENSORS] = {{0}};
    for (int i = 0; i < u->update->n; i++) {
        int index;
        int64_t elements, at = tensor_at(u, i, &elements);
        m[i].param = s->params + at;
        m[i].gradient = s->sum + at;
        const layout_entry_t *e = layout_find(u->gradients, u->update->tensors[i].name, &index);
        for (int k = 0; k < u->update->n_states; k++) {
            const layout_entry_t *own = &u->states[k]->entries[e - u->gradients->entries];
            if (own->count == 0) continue;
            int64_t part = own->bytes / 4 / own->count;
            m[i].state[k] = s->state[k] + own->offset / 4 + index * part;
        }
    }
    s->norm = update_norm(u->update, m);
    update_evaluate(u->update, m, s->norm, rate, t);
}
