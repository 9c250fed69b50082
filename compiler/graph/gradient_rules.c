/* The gradient of every op, as nodes: column `grad` of ops.def. docs/semantics.md 10.
 *
 * In: a node of the forward, the gradient of its result. Out: for each input that wants one, its
 * contribution to that input's gradient. Values of the forward are asked for through grad_value(),
 * which knows whether they were kept or have to be made again; where two are asked for, each has a
 * statement of its own (gradient_int.h). */
#include "graph/dropout.h"
#include "graph/gradient_int.h"

/* ---- ops that have no rule: gradient.c never comes here -------------------------------------- */

static void no_rule(const gnode_t *n) {
    bug("gradient: %s of op %s", n->name, graph_op_name(n->op));
}
void grad_constant(backward_t *b, const gnode_t *n, gnode_t *dy) {
    (void)b, (void)dy, no_rule(n);
}
void grad_none(backward_t *b, const gnode_t *n, gnode_t *dy) {
    (void)b, (void)dy, no_rule(n);
}
void grad_backward(backward_t *b, const gnode_t *n, gnode_t *dy) {
    (void)b, (void)dy, no_rule(n);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* y = x Wt + b:  dx = dy W,  dW = dyt x,  db = sum of dy. Where factors are rounded dy is,
 *                too, once for all three. */
void grad_dense(backward_t *b, const gnode_t *n, gnode_t *dy) {
    if (n->in[0]->type == G_BF16)
        dy = grad_finish(b, grad_node(b, n, "rounded", G_ROUND, GRAD_IN(dy)));
    if (grad_wanted(b, n, 0)) {
        gnode_t *weight = grad_operand(b, n, 1);
        grad_give(b, n, 0, grad_part(b, n, 0, G_DENSE_T, GRAD_IN(dy, weight)));
    }
    if (grad_wanted(b, n, 1)) {
        gnode_t *x = grad_operand(b, n, 0);
        grad_give(b, n, 1, grad_part(b, n, 1, G_OUTER, GRAD_IN(dy, x)));
    }
    if (grad_wanted(b, n, 2)) grad_give(b, n, 2, grad_part(b, n, 2, G_SUM_ROWS, GRAD_IN(dy)));
}

/* Straight through: a rounded value changes as the value does. The gradient of a bf16 PARAM is that
 * of its values in float32. */
void grad_round(backward_t *b, const gnode_t *n, gnode_t *dy) {
    grad_give(b, n, 0, dy);
}

/* y = u w + b, where u is x normalised:  dw = sum of dy u,  db = sum of dy;  dx:
 * LAYER_NORM_GRAD, RMS_NORM_GRAD. */
static void grad_norm(backward_t *b, const gnode_t *n, gnode_t *dy, gop_t unit_op, gop_t grad_op) {
    if (grad_wanted(b, n, 2)) grad_give(b, n, 2, grad_part(b, n, 2, G_SUM_ROWS, GRAD_IN(dy)));
    if (grad_wanted(b, n, 1)) {
        gnode_t *x = grad_operand(b, n, 0);
        gnode_t *unit = grad_node(b, n, "unit", unit_op, GRAD_IN(x));
        unit->eps = n->eps;
        grad_finish(b, unit);
        gnode_t *scaled = grad_finish(b, grad_node(b, n, "scaled", G_MUL, GRAD_IN(dy, unit)));
        grad_give(b, n, 1, grad_part(b, n, 1, G_SUM_ROWS, GRAD_IN(scaled)));
    }
    if (grad_wanted(b, n, 0)) {
        gnode_t *x = grad_operand(b, n, 0), *weight = b->forward[n->in[1]->id];
        gnode_t *dx = grad_part(b, n, 0, grad_op, GRAD_IN(dy, x, weight));
        dx->eps = n->eps;
        grad_give(b, n, 0, dx);
    }
}

void grad_layer_norm(backward_t *b, const gnode_t *n, gnode_t *dy) {
    grad_norm(b, n, dy, G_LAYER_NORM_UNIT, G_LAYER_NORM_GRAD);
}

void grad_rms_norm(backward_t *b, const gnode_t *n, gnode_t *dy) {
    grad_norm(b, n, dy, G_RMS_NORM_UNIT, G_RMS_NORM_GRAD);
}

void grad_activation(backward_t *b, const gnode_t *n, gnode_t *dy) {
    gnode_t *x = grad_operand(b, n, 0);
    gnode_t *dx = grad_part(b, n, 0, G_ACTIVATION_GRAD, GRAD_IN(dy, x));
    dx->act = n->act;
    grad_give(b, n, 0, dx);
}

/* The mask is a function of the place, so the same node. */
void grad_dropout(backward_t *b, const gnode_t *n, gnode_t *dy) {
    gnode_t *dx = grad_part(b, n, 0, G_DROPOUT, GRAD_IN(dy));
    grad_inherit(dx, n);
    grad_give(b, n, 0, dx);
}

/* The gradient of a stream goes on as it is, which is what lets it be added to in place. */
void grad_add(backward_t *b, const gnode_t *n, gnode_t *dy) {
    for (int k = 0; k < 2; k++)
        if (grad_wanted(b, n, k)) grad_give(b, n, k, dy);
}

void grad_mul(backward_t *b, const gnode_t *n, gnode_t *dy) {
    for (int k = 0; k < 2; k++) {
        if (!grad_wanted(b, n, k)) continue;
        gnode_t *other = grad_operand(b, n, 1 - k);
        grad_give(b, n, k, grad_part(b, n, k, G_MUL, GRAD_IN(dy, other)));
    }
}

/* Columns of `from` for input k; all of them need no node. */
static void give_columns(backward_t *b, const gnode_t *n, int k, gnode_t *from, int64_t first,
                         int64_t width) {
    if (!grad_wanted(b, n, k)) return;
    gnode_t *part = grad_part(b, n, k, G_PART, GRAD_IN(from));
    part->first = first;
    part->width = width;
    grad_give(b, n, k, part);
}

static int64_t width_of(const gnode_t *n) {
    return n->shape[n->rank - 1].c;
}

void grad_concat(backward_t *b, const gnode_t *n, gnode_t *dy) {
    int64_t left = width_of(n->in[0]);
    give_columns(b, n, 0, dy, 0, left);
    give_columns(b, n, 1, dy, left, width_of(n->in[1]));
}

/* Whether x has rows for padding too: told by who made it, for lengths may be equal here and not in
 * a graph that this one is resized to. */
static bool has_padding(const gnode_t *x) {
    while (x->op != G_SLICE && !graph_is_embed(x) && graph_kind(x) == K_ROW) x = x->in[0];
    return x->op != G_SLICE;
}

static void give_padded(backward_t *b, const gnode_t *n, gnode_t *dy) {
    gnode_t *dx = grad_part(b, n, 0, G_PAD_ROWS, GRAD_IN(dy));
    dx->to_padded = has_padding(n->in[0]);
    grad_give(b, n, 0, dx);
}

void grad_slice(backward_t *b, const gnode_t *n, gnode_t *dy) {
    give_padded(b, n, dy);
}

void grad_first_token(backward_t *b, const gnode_t *n, gnode_t *dy) {
    give_padded(b, n, dy);
}

void grad_column(backward_t *b, const gnode_t *n, gnode_t *dy) {
    gnode_t *dx = grad_part(b, n, 0, G_UNCOLUMN, GRAD_IN(dy));
    dx->shift = n->shift;
    dx->width = width_of(n->in[0]);
    grad_give(b, n, 0, dx);
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* Rows begin for the gradient where they do for n. */
static void add_positions(const backward_t *b, gnode_t *to, const gnode_t *n) {
    const gnode_t *positions = graph_positions(n);
    if (positions) to->in[to->n_in++] = b->forward[positions->id];
}

/* dy of what stands behind a dropout at n's place; of none: dy. */
static gnode_t *dropped(backward_t *b, const gnode_t *n, const char *prefix, gnode_t *dy,
                        dropout_place_t place, double rate) {
    if (rate == 0) return dy;
    gnode_t *x = grad_node(b, n, prefix, G_DROPOUT, GRAD_IN(dy));
    x->rate = rate;
    x->place = place;
    x->n_axial = place == PLACE_POSITION ? n->n_axial : 0;
    for (int a = 0; a < x->n_axial; a++) x->axial_shape[a] = n->axial_shape[a];
    if (x->n_axial) add_positions(b, x, n);
    return grad_finish(b, x);
}

static void grad_word(backward_t *b, const gnode_t *n, gnode_t *dy) {
    int input = graph_word_input(n);
    dy = dropped(b, n, "words", dy, PLACE_WORD, n->rate);
    gnode_t *word = grad_part(b, n, input, G_WORD_GRAD, GRAD_IN(dy, b->forward[n->in[0]->id]));
    word->entries = n->in[input]->shape[0].c;
    grad_give(b, n, input, word);
}

/* A position's row is one entry of each axis' table, side by side. */
static void grad_axis(backward_t *b, const gnode_t *n, int table, gnode_t *dy) {
    gnode_t *dx = grad_part(b, n, table, G_POSITION_GRAD, GRAD_IN(dy));
    grad_inherit(dx, n);
    add_positions(b, dx, n);
    dx->entries = n->in[table]->shape[0].c;
    dx->axis = table - graph_word_input(n) - 1;
    grad_give(b, n, table, dx);
}

void grad_embed(backward_t *b, const gnode_t *n, gnode_t *dy) {
    int64_t first = 0;
    int word = graph_word_input(n), tables = n->n_in - word - 1;
    if (grad_wanted(b, n, word)) grad_word(b, n, dy);
    dy = dropped(b, n, "positions", dy, PLACE_POSITION, n->position_rate);
    for (int a = 0; a < tables; a++) {
        int64_t width = width_of(n->in[word + 1 + a]);
        gnode_t *columns = dy;
        if (tables > 1) {
            const char *prefix = arena_printf(b->g->arena, "axis%d", a);
            columns = grad_node(b, n, prefix, G_PART, GRAD_IN(dy));
            columns->first = first;
            columns->width = width;
            grad_finish(b, columns);
        }
        if (grad_wanted(b, n, word + 1 + a)) grad_axis(b, n, word + 1 + a, columns);
        first += width;
    }
}

/* ---- attention ------------------------------------------------------------------------------- */

/* The rounds of LSH attention are one soft maximum over the union of all (round, key) pairs, local
 * and exact attention have one round. With s the scores, L the logarithm of the sum of exp(s), P =
 * exp(s - L) and D = <dy, y> per row and
 * head:  dv = Pt dy,  ds = P (<dy, v> - D), nothing where a mask set the score,  dq = ds k,  dk
 *        = dst q; k is x scaled,
 * in LSH layers by its own norm, which the gradient goes through. Buckets, order and masks are
 * constants. An operand of one node twice (exact_attention of a layer that shares q
 * and k) is given to twice. */
static gnode_t *attention_parts(backward_t *b, const gnode_t *n, gnode_t *dy, gop_t op) {
    gnode_t *in[G_MAX_INPUTS] = {dy};
    int n_in = 1;
    in[n_in++] = grad_value(b, n);
    in[n_in++] = grad_lse(b, n);
    for (int k = 0; k < n->n_in; k++) in[n_in++] = grad_operand(b, n, k);
    gnode_t *parts = grad_node(b, n, "parts", op, n_in, in);
    grad_inherit(parts, n);
    return grad_finish(b, parts);
}

void grad_lsh_attention(backward_t *b, const gnode_t *n, gnode_t *dy) {
    int64_t width = width_of(n);
    gnode_t *parts = attention_parts(b, n, dy, G_LSH_ATTENTION_GRAD);
    for (int k = 0; k < 2; k++) give_columns(b, n, k, parts, k * width, width);
}

void grad_attention(backward_t *b, const gnode_t *n, gnode_t *dy) {
    int64_t width = width_of(n);
    bool local = n->op == G_LOCAL_ATTENTION;
    gnode_t *parts =
        attention_parts(b, n, dy, local ? G_LOCAL_ATTENTION_GRAD : G_EXACT_ATTENTION_GRAD);
    for (int k = 0; k < 3; k++) give_columns(b, n, k, parts, k * width, width);
}

/* ---- losses ---------------------------------------------------------------------------------- */

static void grad_loss(backward_t *b, const gnode_t *n, gnode_t *dy, gop_t op) {
    gnode_t *logits = grad_operand(b, n, 0);
    gnode_t *dx = grad_part(b, n, 0, op, GRAD_IN(dy, logits, b->forward[n->in[1]->id]));
    grad_inherit(dx, n);
    grad_give(b, n, 0, dx);
}

void grad_cross_entropy(backward_t *b, const gnode_t *n, gnode_t *dy) {
    grad_loss(b, n, dy, G_CROSS_ENTROPY_GRAD);
}

void grad_mse_loss(backward_t *b, const gnode_t *n, gnode_t *dy) {
    grad_loss(b, n, dy, G_MSE_LOSS_GRAD);
}

void grad_bce_loss(backward_t *b, const gnode_t *n, gnode_t *dy) {
    grad_loss(b, n, dy, G_BCE_LOSS_GRAD);
}

void grad_qa_loss(backward_t *b, const gnode_t *n, gnode_t *dy) {
    gnode_t *start = grad_operand(b, n, 0);
    gnode_t *end = grad_operand(b, n, 1);
    gnode_t *first = b->forward[n->in[2]->id], *last = b->forward[n->in[3]->id];
    gnode_t *both = grad_finish(
        b, grad_node(b, n, "parts", G_QA_LOSS_GRAD, GRAD_IN(dy, start, end, first, last)));
    for (int k = 0; k < 2; k++) {
        if (!grad_wanted(b, n, k)) continue;
        gnode_t *dx = grad_part(b, n, k, G_COLUMN, GRAD_IN(both));
        dx->shift = k;
        grad_give(b, n, k, dx);
    }
}
