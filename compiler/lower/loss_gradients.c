/* Gradients of losses: see loss_gradients.h. */
#include "lower/loss_gradients.h"

#include "lower/math.h"
#include "lower/outputs.h"

enum { MAX_MEANS = 2 };

typedef struct {
    gop_t gradient;
    int means;    /* that it is made of, each of labels of its own */
    double whole; /* what the labels of one count in all, per unit of difference from the label */
    bool numbers; /* all labels of given batch elements count */
} form_t;

static const form_t forms[G_COUNT] = {
    [G_CROSS_ENTROPY] = {G_CROSS_ENTROPY_GRAD, 1, 1, false},
    [G_QA_LOSS] = {G_QA_LOSS_GRAD, 2, 0.5, false},
    [G_MSE_LOSS] = {G_MSE_LOSS_GRAD, 1, 2, true},
    [G_BCE_LOSS] = {G_BCE_LOSS_GRAD, 1, 1, true},
};

/* Whether n is the gradient of the loss that its seed is of, by the labels that
 * the call was prepared for. */
static bool is_of_its_loss(lower_t *L, const gnode_t *n) {
    const gnode_t *seed = n->in[0], *loss = seed->op == G_SEED ? seed->in[0] : NULL;
    if (loss && forms[loss->op].gradient == n->op && loss->shift == n->shift) return true;
    return no_kernel(L, n, "of another gradient than a loss's own");
}

/* ---- what a label counts --------------------------------------------------------------------- */

static buffer_t *shares_of_labels(lower_t *L) {
    dim_t d[] = {dim(MAX_MEANS)};
    buffer_t *made = module_find_buffer(L->m, "label_share");
    return made ? made
                : workspace(L, "label_share", E_F32, 1, d,
                            "what a label counts; of answers a start, and an end");
}

static value_t *share_at(builder_t *b, lower_t *L, int which) {
    affine_t ix[] = {ax(which)};
    return b_name(load1(b, shares_of_labels(L), 1, ix), "share");
}

/* One more where there is a target. */
static value_t *count_one(lower_t *L, builder_t *b, affine_t batch, affine_t row, value_t *before) {
    affine_t tx[] = {batch, row};
    value_t *zero = b_iconst(b, SCALAR(E_I32), 0);
    return b_binary(b, OP_SUB, before, b_compare(b, OP_GE, load1(b, L->target, 2, tx), zero));
}

/* Of all rows; of batch elements that stand in row `which`. */
static value_t *count_targets(lower_t *L, builder_t *b, const gnode_t *loss, int which) {
    value_t *none = b_iconst(b, SCALAR(E_I32), 0);
    inst_t *batch = b_for(b, "batch", dim(0), dim(L->batch), 1, &none);
    affine_t at = ax_v(loop_var(batch));
    value_t *n = loop_arg(batch, 0);
    if (loss->in[0]->rank == 3) {
        inst_t *rows = b_for(b, "row", dim(0), L->padded, 1, &n);
        n = count_one(L, b, at, ax_v(loop_var(rows)), loop_arg(rows, 0));
        b_end_for(b, rows, &n);
        n = rows->results[0];
    } else {
        n = count_one(L, b, at, ax(which), n);
    }
    b_end_for(b, batch, &n);
    return batch->results[0];
}

static value_t *count_numbers(lower_t *L, builder_t *b, const gnode_t *loss) {
    value_t *each = b_iconst(b, SCALAR(E_I32), width_of(loss->in[0]));
    return b_binary(b, OP_MUL, control(b, L, REFORMER_BATCH_ROWS), each);
}

bool lower_seed(lower_t *L, part_t *p) {
    const gnode_t *seed = p->class->pattern->nodes.at[0], *loss = seed->in[0];
    const form_t *form = &forms[loss->op];
    if (form->means == 0) return no_kernel(L, seed, "of what is no loss");
    dim_t one = dim(1);
    const char *once = "once";
    builder_t b = build_kernel(L->m, free_name(L, "seed"), 1, &one, &once);
    describe(L, b.fn, seed->at, "what each label counts in the loss");
    for (int i = 0; i < form->means; i++) {
        value_t *n = form->numbers ? count_numbers(L, &b, loss) : count_targets(L, &b, loss, i);
        n = b_binary(&b, OP_MAX, n, b_iconst(&b, SCALAR(E_I32), 1)); /* of none nothing is asked */
        value_t *whole = b_const(&b, SCALAR(E_F32), form->whole);
        affine_t ix[] = {ax(i)};
        b_store(&b, shares_of_labels(L), b_binary(&b, OP_DIV, whole, b_convert(&b, E_F32, n)), ix);
    }
    stage_t stage = {b.fn, NULL, NULL, 0};
    p->stages = (stages_t){arena_copy(L->arena, &stage, sizeof stage), 1, b.fn->name};
    return p->used = true;
}

/* ---- rows ------------------------------------------------------------------------------------ */

typedef struct {
    const rows_at_t *at;
    buffer_t *from, *to, *labels;
    affine_t row;
    value_t *max, *scale;
    bool squares;
} loss_span_t;

static value_t *widen(builder_t *b, value_t *x, int width) {
    return width > 1 ? b_broadcast(b, x, width) : x;
}

static void zero_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const loss_span_t *s = ctx;
    (void)L;
    store_at(b, s->at, s->to, s->row, at, b_const(b, (ltype_t){E_F32, width}, 0));
}

static value_t *max_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                         value_t *acc) {
    const loss_span_t *s = ctx;
    (void)L;
    return b_binary(b, OP_MAX, load_at(b, s->at, s->from, s->row, at, width), acc);
}

static void exp_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const loss_span_t *s = ctx;
    value_t *x = load_at(b, s->at, s->from, s->row, at, width);
    x = m_exp(L, b, b_binary(b, OP_SUB, x, widen(b, s->max, width)));
    store_at(b, s->at, s->to, s->row, at, x);
}

static value_t *sum_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                         value_t *acc) {
    const loss_span_t *s = ctx;
    (void)L;
    return b_binary(b, OP_ADD, acc, load_at(b, s->at, s->to, s->row, at, width));
}

static void scale_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const loss_span_t *s = ctx;
    (void)L;
    value_t *x = load_at(b, s->at, s->to, s->row, at, width);
    store_at(b, s->at, s->to, s->row, at, b_binary(b, OP_MUL, x, widen(b, s->scale, width)));
}

/* (softmax - 1 at the target) share. At the target that is what the others sum up to, the other
 * way: no difference of numbers that are nearly equal, however sure the model is. */
static void soften_row(lower_t *L, builder_t *b, loss_span_t *s, int64_t n, value_t *target,
                       value_t *share) {
    affine_t own = ax_v(target);
    s->max = fold_span(L, b, n, OP_MAX, LOWEST, max_span, s);
    for_span(L, b, n, exp_span, s);
    value_t *x = load_at(b, s->at, s->to, s->row, own, 1);
    store_at(b, s->at, s->to, s->row, own, b_const(b, SCALAR(E_F32), 0));
    value_t *others = b_name(fold_span(L, b, n, OP_ADD, 0, sum_span, s), "others");
    s->scale = b_binary(b, OP_DIV, share, b_binary(b, OP_ADD, others, x));
    for_span(L, b, n, scale_span, s);
    x = b_unary(b, OP_NEG, b_binary(b, OP_MUL, others, s->scale));
    store_at(b, s->at, s->to, s->row, own, x);
}

static void class_row(lower_t *L, builder_t *b, loss_span_t *s, const gnode_t *n) {
    affine_t tx[] = {s->at->batch, ax_add(s->at->row0, s->row)};
    value_t *target = load1(b, L->target, 2, tx), *zero = b_iconst(b, SCALAR(E_I32), 0);
    inst_t *real = b_if(b, b_compare(b, OP_GE, target, zero), 0, NULL);
    value_t *last = b_iconst(b, SCALAR(E_I32), width_of(n) - 1);
    target = b_binary(b, OP_MIN, b_binary(b, OP_MAX, target, zero), last);
    soften_row(L, b, s, width_of(n), target, share_at(b, L, 0));
    b_else(b, real, NULL);
    for_span(L, b, width_of(n), zero_span, s);
    b_end_if(b, real, NULL);
}

/* (x - label) share, or that of 1 / (1 + exp(-x)). */
static void number_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const loss_span_t *s = ctx;
    affine_t lx[] = {s->at->batch, at};
    value_t *x = load_at(b, s->at, s->from, s->row, at, width);
    if (!s->squares) {
        value_t *one = b_const(b, x->type, 1);
        value_t *e = m_exp(L, b, b_unary(b, OP_NEG, x));
        x = b_binary(b, OP_DIV, one, b_binary(b, OP_ADD, one, e));
    }
    x = b_binary(b, OP_SUB, x, b_load(b, s->labels, width, lx));
    store_at(b, s->at, s->to, s->row, at, b_binary(b, OP_MUL, x, widen(b, s->scale, width)));
}

static void number_row(lower_t *L, builder_t *b, loss_span_t *s, const gnode_t *n) {
    value_t *given = b_convert(b, E_I64, control(b, L, REFORMER_BATCH_ROWS));
    inst_t *real = b_if(b, b_compare(b, OP_LT, b_index(b, s->at->batch), given), 0, NULL);
    s->scale = share_at(b, L, 0);
    for_span(L, b, width_of(n), number_span, s);
    b_else(b, real, NULL);
    for_span(L, b, width_of(n), zero_span, s);
    b_end_if(b, real, NULL);
}

bool is_loss_gradient(const gnode_t *n) {
    return n->op == G_CROSS_ENTROPY_GRAD || n->op == G_MSE_LOSS_GRAD || n->op == G_BCE_LOSS_GRAD;
}

bool loss_gradient_rows(lower_t *L, builder_t *b, const rows_at_t *at, const gnode_t *n,
                        buffer_t *from, buffer_t *to) {
    if (!is_of_its_loss(L, n)) return false;
    bool numbers = n->op != G_CROSS_ENTROPY_GRAD;
    loss_span_t s = {.at = at, .from = from, .to = to, .squares = n->op == G_MSE_LOSS_GRAD};
    if (numbers) s.labels = labels_of_numbers(L, width_of(n));
    b_comment(b, "%s", base_name(n));
    inst_t *loop = b_for(b, "i", dim(0), dim(at->m), 0, NULL);
    s.row = ax_v(loop_var(loop));
    (numbers ? number_row : class_row)(L, b, &s, n);
    b_end_for(b, loop, NULL);
    return true;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* Of the starts, or the ends, of a batch element. */
typedef struct {
    buffer_t *scores, *to; /* [start, end][batch][rows]; [batch][rows][start, end …] */
    affine_t which, batch;
    value_t *max, *target;
} answers_t;

static value_t *exp_at(lower_t *L, builder_t *b, const answers_t *a, value_t *t) {
    value_t *x = answer_score(L, b, a->scores, a->which, a->batch, t);
    return m_exp(L, b, b_binary(b, OP_SUB, x, a->max));
}

static value_t *is_target(builder_t *b, const answers_t *a, value_t *t) {
    return b_compare(b, OP_EQ, t, a->target);
}

static void put_answer(builder_t *b, const answers_t *a, value_t *t, value_t *x) {
    affine_t ix[] = {a->batch, ax_v(t), a->which};
    b_store(b, a->to, x, ix);
}

static value_t *max_score(lower_t *L, builder_t *b, const answers_t *a) {
    value_t *init = b_const(b, SCALAR(E_F32), NO_KEY);
    inst_t *loop = b_for(b, "t", dim(0), L->padded, 1, &init);
    value_t *x = answer_score(L, b, a->scores, a->which, a->batch, loop_var(loop));
    value_t *next = b_binary(b, OP_MAX, x, loop_arg(loop, 0));
    b_end_for(b, loop, &next);
    return loop->results[0];
}

/* The sum over all positions but the target, in double. */
static value_t *sum_of_others(lower_t *L, builder_t *b, const answers_t *a) {
    value_t *zero = b_const(b, SCALAR(E_F64), 0);
    inst_t *loop = b_for(b, "t", dim(0), L->padded, 1, &zero);
    value_t *e = b_convert(b, E_F64, exp_at(L, b, a, loop_var(loop)));
    e = b_select(b, is_target(b, a, loop_var(loop)), zero, e);
    value_t *next = b_binary(b, OP_ADD, loop_arg(loop, 0), e);
    b_end_for(b, loop, &next);
    return loop->results[0];
}

static void soften_answers(lower_t *L, builder_t *b, answers_t *a, value_t *share) {
    a->max = max_score(L, b, a);
    value_t *others = b_name(sum_of_others(L, b, a), "others");
    value_t *all = b_binary(b, OP_ADD, others, b_convert(b, E_F64, exp_at(L, b, a, a->target)));
    value_t *scale = b_binary(b, OP_DIV, b_convert(b, E_F64, share), all);
    value_t *own = b_unary(b, OP_NEG, b_convert(b, E_F32, b_binary(b, OP_MUL, others, scale)));
    scale = b_convert(b, E_F32, scale);
    inst_t *loop = b_for(b, "t", dim(0), L->padded, 0, NULL);
    value_t *t = loop_var(loop), *x = b_binary(b, OP_MUL, exp_at(L, b, a, t), scale);
    put_answer(b, a, t, b_select(b, is_target(b, a, t), own, x));
    b_end_for(b, loop, NULL);
}

static void zero_answers(lower_t *L, builder_t *b, const answers_t *a) {
    inst_t *loop = b_for(b, "t", dim(0), L->rows, 0, NULL);
    put_answer(b, a, loop_var(loop), b_const(b, SCALAR(E_F32), 0));
    b_end_for(b, loop, NULL);
}

/* Nothing beyond the last position, where rows only fill up, and where the answer
 * is beyond the text. */
static void answers_of(lower_t *L, builder_t *b, answers_t *a, int which) {
    affine_t tx[] = {a->batch, ax(which)};
    value_t *target = load1(b, L->target, 2, tx), *zero = b_iconst(b, SCALAR(E_I32), 0);
    zero_answers(L, b, a);
    inst_t *real = b_if(b, b_compare(b, OP_GE, target, zero), 0, NULL);
    target = b_convert(b, E_I64, b_binary(b, OP_MAX, target, zero));
    a->target = at_most(b, ax_v(target), dim_sub(L->padded, dim(1)));
    soften_answers(L, b, a, share_at(b, L, which));
    b_end_if(b, real, NULL);
}

bool lower_answer_gradient(lower_t *L, part_t *p) {
    const gnode_t *n = p->class->pattern->nodes.at[0];
    const homes_t *homes = &L->regions->homes[n->id];
    if (!is_of_its_loss(L, n)) return false;
    if (homes->n != 1) return no_kernel(L, n, "into these rows");
    dim_t tasks[] = {dim(L->batch)};
    const char *names[] = {"batch"};
    builder_t b = build_kernel(L->m, free_name(L, "qa_gradient"), 1, tasks, names);
    describe(L, b.fn, n->at, "gradient of the loss of starts and ends");
    answers_t a = {.scores = scores_of_loss(L, n->in[0]->in[0]),
                   .to = L->homes[homes->of[0]],
                   .batch = ax_v(b.fn->task[0])};
    for (int which = 0; which < 2; which++) {
        a.which = ax(which);
        answers_of(L, &b, &a, which);
    }
    stage_t stage = {b.fn, NULL, NULL, 0};
    p->stages = (stages_t){arena_copy(L->arena, &stage, sizeof stage), 1, b.fn->name};
    return p->used = true;
}
