/* Outputs: the way of rows that a call wants (wanted.c) into the caller's arrays.
 *
 * Rows go there through REFORMER_SLOT_ROW, since the caller's length may be smaller than the
 * compiled one; what is picked of each batch element goes to the elements that the caller gave. */
#include "lower/outputs.h"

/* Whether n has the form that the caller's array has: a column, or rows, or what is
 * picked of each batch element. */
static bool has_form(const graph_output_t *o, const gnode_t *n, gkind_t kind) {
    if (o->column) return n->op == G_COLUMN && kind == K_ROW;
    return kind == K_PICK ? n->rank == 2 : n->rank == 3;
}

/* ---- to the caller --------------------------------------------------------------------------- */

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
} row_copy_t;

static void copy_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const row_copy_t *c = ctx;
    affine_t from[] = {c->row, at}, to[] = {ax_v(c->out), at};
    (void)L;
    b_store(b, c->to, b_load(b, c->from, width, from), to);
}

static void give_row(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n, row_copy_t *c) {
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
    const graph_output_t *o = output_of(L, n);
    unsigned losses = wants_of_losses(L, n);
    if (!o && !losses) return true;
    if (o && !has_form(o, n, r->region->kind)) return no_kernel(L, n, "as this output");
    buffer_t *rows = rows_at_hand(L, b, r, n, n->op == G_COLUMN ? n->in[0] : n);
    if (!rows) return is_missing(L, n);
    if (o) {
        row_copy_t c = {.from = rows};
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
