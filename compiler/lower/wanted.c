/* What a call wants: which of a region's nodes are outputs, and what of the call asks for them. */
#include <string.h>

#include "lower/outputs.h"

static const graph_output_t outputs[] = {
    {"last_hidden_state", REFORMER_WANT_HIDDEN, REFORMER_SLOT_HIDDEN, false},
    {"logits", REFORMER_WANT_LOGITS, REFORMER_SLOT_LOGITS, false},
    {"start_logits", REFORMER_WANT_LOGITS, REFORMER_SLOT_START, true},
    {"end_logits", REFORMER_WANT_END, REFORMER_SLOT_END, true},
};

const graph_output_t *output_of(const lower_t *L, const gnode_t *n) {
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        const char *name = outputs[i].name;
        if (strcmp(n->name, name) == 0 && graph_output(L->g, name) == n) return &outputs[i];
    }
    return NULL;
}

buffer_t *output_array(lower_t *L, const gnode_t *n, dim_t rows) {
    const graph_output_t *o = output_of(L, n);
    if (!o) return NULL;
    buffer_t *made = module_find_buffer(L->m, o->name);
    dim_t d[] = {rows, n->shape[n->rank - 1]};
    return made ? made : slot_buffer(L, BUF_OUTPUT, o->slot, o->name, E_F32, o->column ? 1 : 2, d);
}

unsigned wants_of_losses(const lower_t *L, const gnode_t *n) {
    const nodes_t *readers = &L->regions->readers[n->id];
    unsigned wants = 0;
    for (int i = 0; i < readers->n; i++) {
        if (graph_kind(readers->at[i]) != K_REDUCE) continue;
        wants |= 1u << REFORMER_LOSS_KIND;
        if (n->rank == 3) wants |= 1u << REFORMER_WANT_TOKEN_LOSSES;
    }
    return wants;
}

unsigned *wants_of(lower_t *L, const region_t *region, bool losses) {
    const nodes_t *nodes = &region->nodes;
    unsigned *wants = ARENA_ARRAY(L->arena, unsigned, nodes->n);
    for (int i = 0; i < region->results.n; i++) {
        const gnode_t *n = region->results.at[i];
        const graph_output_t *o = output_of(L, n);
        unsigned *w = &wants[nodes_find(nodes, n)];
        if (o) *w |= 1u << o->control;
        if (losses) *w |= wants_of_losses(L, n);
        if (L->regions->stored[n->id] || *w == 0) *w |= ANYWAY;
    }
    for (int i = nodes->n - 1; i >= 0; i--) /* backwards: to what they are made of */
        for (int k = 0; k < nodes->at[i]->n_in; k++) {
            int of = nodes->at[i]->in[k] ? nodes_find(nodes, nodes->at[i]->in[k]) : -1;
            if (of >= 0) wants[of] |= wants[i];
        }
    return wants;
}

unsigned any_of(const region_t *region, const unsigned *wants) {
    unsigned any = 0;
    for (int i = 0; i < region->nodes.n; i++) any |= wants[i];
    return any;
}

inst_t *if_given_row(lower_t *L, builder_t *b, const rows_t *r, affine_t row, value_t **out) {
    affine_t ix[] = {r->at.batch, ax_add(r->at.row0, row)};
    value_t *zero = b_iconst(b, SCALAR(E_I32), 0),
            *own = b_name(load1(b, L->output_row, 2, ix), "out_row");
    inst_t *given = b_if(b, b_compare(b, OP_GE, own, zero), 0, NULL);
    *out = b_binary(b, OP_MAX, own, zero);
    return given;
}

bool is_head(const lower_t *L, const region_t *region) {
    bool given = false, rows = region->kind == K_ROW || region->kind == K_PICK;
    if (region->results.at[0]->id >= L->regions->backward) return false; /* it comes in its turn */
    for (int i = 0; i < region->results.n; i++) {
        if (L->regions->stored[region->results.at[i]->id]) return false;
        given |= output_of(L, region->results.at[i]) != NULL;
    }
    return given && rows && region->layer < 0;
}
