/* Outputs: which of a region's nodes a call wants, and the way of their rows into the caller's arrays.
 *
 * Rows go there through REFORMER_SLOT_ROW, since the caller's length may be smaller than the compiled one; what is
 * picked of each batch element goes to the elements that the caller gave. */
#include "lower/outputs.h"

#include <string.h>

/* ---- what is wanted ------------------------------------------------------------------------------------ */

static const output_t outputs[] = {
    {"last_hidden_state", REFORMER_WANT_HIDDEN, REFORMER_SLOT_HIDDEN, false},
    {"logits", REFORMER_WANT_LOGITS, REFORMER_SLOT_LOGITS, false},
    {"start_logits", REFORMER_WANT_LOGITS, REFORMER_SLOT_START, true},
    {"end_logits", REFORMER_WANT_END, REFORMER_SLOT_END, true},
};

const output_t *output_of(const lower_t *L, const gnode_t *n) {
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        const char *name = outputs[i].name;
        if (strcmp(n->name, name) == 0 && graph_output(L->g, name) == n) return &outputs[i];
    }
    return NULL;
}

/* Whether n has the form that the caller's array has: a column, or rows, or what is picked of each batch element. */
static bool has_form(const output_t *o, const gnode_t *n, gkind_t kind) {
    if (o->column) return n->op == G_COLUMN && kind == K_ROW;
    return kind == K_PICK ? n->rank == 2 : n->rank == 3;
}

buffer_t *output_array(lower_t *L, const gnode_t *n, dim_t rows) {
    const output_t *o = output_of(L, n);
    if (!o) return NULL;
    buffer_t *made = module_find_buffer(L->m, o->name);
    dim_t d[] = {rows, n->shape[n->rank - 1]};
    return made ? made : slot_buffer(L, BUF_OUTPUT, o->slot, o->name, E_F32, o->column ? 1 : 2, d);
}

/* What of a call wants the losses that n goes into; 0: none does. */
static unsigned wants_of_losses(const lower_t *L, const gnode_t *n) {
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
        const output_t *o = output_of(L, n);
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

/* ---- to the caller --------------------------------------------------------------------------------------- */

inst_t *if_given_row(lower_t *L, builder_t *b, const rows_t *r, affine_t row, value_t **out) {
    affine_t ix[] = {r->at.batch, ax_add(r->at.row0, row)};
    value_t *zero = b_iconst(b, SCALAR(E_I32), 0),
            *own = b_name(load1(b, L->row, 2, ix), "out_row");
    inst_t *given = b_if(b, b_compare(b, OP_GE, own, zero), 0, NULL);
    *out = b_binary(b, OP_MAX, own, zero);
    return given;
}

/* Of each batch element one row: of those that the caller gave. */
static inst_t *if_given_element(lower_t *L, builder_t *b, const rows_t *r, value_t **out) {
    value_t *given = b_convert(b, E_I64, control(b, L, REFORMER_BATCH_ROWS));
    *out = b_index(b, r->at.batch);
    return b_if(b, b_compare(b, OP_LT, *out, given), 0, NULL);
}

/* A row of scratch and the caller's own. */
typedef struct {
    buffer_t *from, *to;
    affine_t row;
    value_t *out;
} copy_t;

static void copy_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const copy_t *c = ctx;
    affine_t from[] = {c->row, at}, to[] = {ax_v(c->out), at};
    (void)L;
    b_store(b, c->to, b_load(b, c->from, width, from), to);
}

static void give_row(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n, copy_t *c) {
    bool picked = r->region->kind == K_PICK;
    inst_t *given =
        picked ? if_given_element(L, b, r, &c->out) : if_given_row(L, b, r, c->row, &c->out);
    if (n->op == G_COLUMN) {
        affine_t from[] = {c->row, ax(n->shift)}, to = ax_v(c->out);
        b_store(b, c->to, load1(b, c->from, 2, from), &to);
    } else {
        for_span(L, b, width_of(n), copy_span, c);
    }
    b_end_if(b, given, NULL);
}

bool give_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    const output_t *o = output_of(L, n);
    unsigned losses = wants_of_losses(L, n);
    if (!o && !losses) return true;
    if (o && !has_form(o, n, r->region->kind)) return no_kernel(L, n, "as this output");
    buffer_t *rows = rows_at_hand(L, b, r, n, n->op == G_COLUMN ? n->in[0] : n);
    if (!rows) return is_missing(L, n);
    if (o) {
        copy_t c = {.from = rows};
        c.to = output_array(L, n, r->region->kind == K_PICK ? dim(L->batch) : output_rows(L));
        inst_t *wanted = if_wanted(L, b, 1u << o->control);
        inst_t *loop = b_for(b, "i", dim(0), dim(r->at.m), 0, NULL);
        c.row = ax_v(loop_var(loop));
        give_row(L, b, r, n, &c);
        b_end_for(b, loop, NULL);
        end_if_wanted(b, wanted);
    }
    inst_t *lost = if_wanted(L, b, losses);
    if (losses) rows_to_losses(L, b, r, n, rows);
    end_if_wanted(b, lost);
    return true;
}
