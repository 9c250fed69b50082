/* Losses (docs/semantics.md 8): a table of which op is computed how.
 *
 * Of language models the loss of each row of logits is computed with the rows, and a kernel adds
 * rows up in their order; logits of batch elements, and of answers, are kept, and a kernel does the
 * rest. Sums are in double, element after element, so that they depend neither
 * on workers nor on blocks. */
#include "lower/math.h"
#include "lower/outputs.h"

typedef struct loss loss_t;

typedef struct {
    gop_t op;
    int rank;             /* of what it is a loss of */
    reformer_loss_t kind; /* what the call must have asked for */
    const char *name, *doc;
    void (*lower)(lower_t *L, builder_t *b, loss_t *l); /* the body of its kernel */
} loss_form_t;

struct loss {
    const gnode_t *node;
    const loss_form_t *form;
    int64_t classes;
    buffer_t *kept, *out; /* [1] */
};

/* ---- cross-entropy --------------------------------------------------------------------------- */

typedef struct {
    buffer_t *x;
    affine_t row;
    value_t *max;
} row_loss_t;

static value_t *max_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                         value_t *acc) {
    (void)L;
    const row_loss_t *c = ctx;
    affine_t ix[] = {c->row, at};
    return b_binary(b, OP_MAX, b_load(b, c->x, width, ix), acc);
}

static value_t *exp_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                         value_t *acc) {
    const row_loss_t *c = ctx;
    affine_t ix[] = {c->row, at};
    value_t *max = width > 1 ? b_broadcast(b, c->max, width) : c->max;
    value_t *x = b_binary(b, OP_SUB, b_load(b, c->x, width, ix), max);
    return b_binary(b, OP_ADD, acc, m_exp(L, b, x));
}

/* log(sum exp(x - max)) + (max - target's logit), as torch's: the sum of log and max would lose the
 * log beside logits of millions. */
static value_t *loss_of_sum(lower_t *L, builder_t *b, value_t *sum, value_t *max, value_t *own) {
    return b_binary(b, OP_ADD, m_log(L, b, sum), b_binary(b, OP_SUB, max, own));
}

static value_t *row_cross_entropy(lower_t *L, builder_t *b, buffer_t *x, affine_t row, int64_t n,
                                  value_t *target) {
    row_loss_t c = {.x = x, .row = row};
    c.max = fold_span(L, b, n, OP_MAX, LOWEST, max_span, &c);
    value_t *sum = fold_span(L, b, n, OP_ADD, 0, exp_span, &c);
    affine_t tx[] = {row, ax_v(target)};
    return loss_of_sum(L, b, sum, c.max, b_load(b, x, 1, tx));
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* A sum (f64) and how many it is of (i32). */
typedef struct {
    value_t *of[2];
} mean_t;

static mean_t nothing(builder_t *b) {
    return (mean_t){{b_const(b, SCALAR(E_F64), 0), b_iconst(b, SCALAR(E_I32), 0)}};
}

static inst_t *if_counts(builder_t *b, value_t *yes) {
    ltype_t types[] = {SCALAR(E_F64), SCALAR(E_I32)};
    return b_if(b, yes, 2, types);
}

/* target >= 0; *clamped is never below. */
static inst_t *if_target(builder_t *b, value_t *target, value_t **clamped) {
    value_t *zero = b_iconst(b, SCALAR(E_I32), 0);
    inst_t *branch = if_counts(b, b_compare(b, OP_GE, target, zero));
    *clamped = b_binary(b, OP_MAX, target, zero);
    return branch;
}

static mean_t begin_sum(builder_t *b, const char *name, dim_t n, mean_t from, inst_t **loop) {
    *loop = b_for(b, name, dim(0), n, 2, from.of);
    return (mean_t){{loop_arg(*loop, 0), loop_arg(*loop, 1)}};
}

static mean_t end_sum(builder_t *b, inst_t *loop, mean_t next) {
    b_end_for(b, loop, next.of);
    return (mean_t){{loop->results[0], loop->results[1]}};
}

/* The branch's loss, if it counts, and what was added up before. */
static mean_t add_loss(builder_t *b, inst_t *branch, value_t *loss, mean_t before) {
    value_t *yes[] = {b_convert(b, E_F64, loss), b_iconst(b, SCALAR(E_I32), 1)};
    b_else(b, branch, yes);
    b_end_if(b, branch, nothing(b).of);
    for (int i = 0; i < 2; i++)
        before.of[i] = b_binary(b, OP_ADD, before.of[i], branch->results[i]);
    return before;
}

static value_t *mean_of(builder_t *b, mean_t m) {
    return b_convert(b, E_F32, b_binary(b, OP_DIV, m.of[0], b_convert(b, E_F64, m.of[1])));
}

static void store_loss(builder_t *b, const loss_t *l, value_t *loss) {
    affine_t zero = ax(0);
    b_store(b, l->out, loss, &zero);
}

/* ---- of rows: language models ---------------------------------------------------------------- */

static buffer_t *losses_of_rows(lower_t *L) {
    dim_t rows[] = {dim(L->batch), L->rows};
    buffer_t *made = module_find_buffer(L->m, "row_loss");
    return made
               ? made
               : workspace(L, "row_loss", E_F32, 2, rows, "[batch][rows]: where there is a target");
}

/* The loss of the current row, 0 without a target, to the caller. */
static void token_loss_out(lower_t *L, builder_t *b, const rows_t *r, affine_t row, value_t *loss) {
    dim_t d[] = {output_rows(L)};
    value_t *out;
    buffer_t *array = module_find_buffer(L->m, "token_losses");
    if (!array)
        array = slot_buffer(L, BUF_OUTPUT, REFORMER_SLOT_TOKEN_LOSSES, "token_losses", E_F32, 1, d);
    inst_t *wanted = if_wanted(L, b, 1u << REFORMER_WANT_TOKEN_LOSSES);
    inst_t *given = if_given_row(L, b, r, row, &out);
    affine_t to = ax_v(out);
    b_store(b, array, loss, &to);
    b_end_if(b, given, NULL);
    end_if_wanted(b, wanted);
}

static void lose_rows(lower_t *L, builder_t *b, const rows_t *r, const gnode_t *n, buffer_t *rows) {
    ltype_t f32 = SCALAR(E_F32);
    inst_t *loop = b_for(b, "i", dim(0), dim(r->at.m), 0, NULL);
    affine_t row = ax_v(loop_var(loop)), tx[] = {r->at.batch, ax_add(r->at.row0, row)};
    value_t *target = load1(b, L->target, 2, tx), *zero = b_iconst(b, SCALAR(E_I32), 0);
    inst_t *real = b_if(b, b_compare(b, OP_GE, target, zero), 1, &f32);
    value_t *class = b_binary(b, OP_MAX, target, zero);
    value_t *loss = row_cross_entropy(L, b, rows, row, width_of(n), class);
    b_store(b, losses_of_rows(L), loss, tx);
    b_else(b, real, &loss);
    value_t *none = b_const(b, f32, 0);
    b_end_if(b, real, &none);
    token_loss_out(L, b, r, row, real->results[0]);
    b_end_for(b, loop, NULL);
}

static void mean_of_rows(lower_t *L, builder_t *b, loss_t *l) {
    inst_t *outer, *inner;
    value_t *class;
    mean_t of_batch = begin_sum(b, "batch", dim(L->batch), nothing(b), &outer);
    mean_t sum = begin_sum(b, "row", L->padded, of_batch, &inner);
    affine_t tx[] = {ax_v(loop_var(outer)), ax_v(loop_var(inner))};
    inst_t *real = if_target(b, load1(b, L->target, 2, tx), &class);
    sum = end_sum(b, inner, add_loss(b, real, load1(b, losses_of_rows(L), 2, tx), sum));
    store_loss(b, l, mean_of(b, end_sum(b, outer, sum)));
}

/* ---- of batch elements: classifiers ---------------------------------------------------------- */

static void mean_of_classes(lower_t *L, builder_t *b, loss_t *l) {
    inst_t *loop;
    value_t *target;
    mean_t sum = begin_sum(b, "batch", dim(L->batch), nothing(b), &loop);
    affine_t row = ax_v(loop_var(loop)), tx[] = {row, ax(0)};
    value_t *last = b_iconst(b, SCALAR(E_I32), l->classes - 1);
    inst_t *real = if_target(b, load1(b, L->target, 2, tx), &target);
    target = b_binary(b, OP_MIN, target, last);
    value_t *loss = row_cross_entropy(L, b, l->kept, row, l->classes, target);
    store_loss(b, l, mean_of(b, end_sum(b, loop, add_loss(b, real, loss, sum))));
}

/* max(x, 0) - x y + log(1 + exp(-|x|)), or (x - y)^2, of one score. */
static value_t *loss_of_number(lower_t *L, builder_t *b, value_t *x, value_t *y, bool squares) {
    ltype_t f = SCALAR(E_F32);
    if (squares) {
        value_t *d = b_binary(b, OP_SUB, x, y);
        return b_binary(b, OP_MUL, d, d);
    }
    value_t *zero = b_const(b, f, 0), *one = b_const(b, f, 1);
    value_t *size = b_binary(b, OP_MAX, x, b_unary(b, OP_NEG, x));
    value_t *tail = m_log(L, b, b_binary(b, OP_ADD, one, m_exp(L, b, b_unary(b, OP_NEG, size))));
    value_t *head = b_binary(b, OP_SUB, b_binary(b, OP_MAX, x, zero), b_binary(b, OP_MUL, x, y));
    return b_binary(b, OP_ADD, head, tail);
}

buffer_t *labels_of_numbers(lower_t *L, int64_t classes) {
    dim_t d[] = {dim(L->batch), dim(classes)};
    buffer_t *made = module_find_buffer(L->m, "labels_f32");
    return made ? made
                : slot_buffer(L, BUF_INPUT, REFORMER_SLOT_LABELS_F32, "labels_f32", E_F32, 2, d);
}

/* Over given batch elements and their labels. */
static void mean_of_numbers(lower_t *L, builder_t *b, loss_t *l) {
    buffer_t *labels = labels_of_numbers(L, l->classes);
    inst_t *outer, *inner;
    mean_t of_batch = begin_sum(b, "batch", dim(L->batch), nothing(b), &outer);
    mean_t sum = begin_sum(b, "label", dim(l->classes), of_batch, &inner);
    value_t *given = b_convert(b, E_I64, control(b, L, REFORMER_BATCH_ROWS));
    inst_t *real = if_counts(b, b_compare(b, OP_LT, loop_var(outer), given));
    affine_t ix[] = {ax_v(loop_var(outer)), ax_v(loop_var(inner))};
    value_t *x = load1(b, l->kept, 2, ix), *y = load1(b, labels, 2, ix);
    value_t *loss = loss_of_number(L, b, x, y, l->node->op == G_MSE_LOSS);
    sum = end_sum(b, inner, add_loss(b, real, loss, sum));
    store_loss(b, l, mean_of(b, end_sum(b, outer, sum)));
}

/* ---- of positions: question answering -------------------------------------------------------- */

value_t *answer_score(lower_t *L, builder_t *b, buffer_t *scores, affine_t which, affine_t batch,
                      value_t *t) {
    affine_t ix[] = {which, batch, ax_v(t)};
    value_t *inside =
        b_compare(b, OP_LT, t, b_convert(b, E_I64, control(b, L, REFORMER_LOSS_LENGTH)));
    return b_select(b, inside, load1(b, scores, 3, ix), b_const(b, SCALAR(E_F32), NO_KEY));
}

static value_t *answer_cross_entropy(lower_t *L, builder_t *b, const loss_t *l, affine_t which,
                                     affine_t batch, value_t *target) {
    value_t *init = b_const(b, SCALAR(E_F32), NO_KEY);
    inst_t *max = b_for(b, "t", dim(0), L->padded, 1, &init);
    value_t *next = b_binary(b, OP_MAX, answer_score(L, b, l->kept, which, batch, loop_var(max)),
                             loop_arg(max, 0));
    b_end_for(b, max, &next);
    init = b_const(b, SCALAR(E_F64), 0);
    inst_t *sum = b_for(b, "t", dim(0), L->padded, 1, &init);
    value_t *x = answer_score(L, b, l->kept, which, batch, loop_var(sum));
    value_t *e = m_exp(L, b, b_binary(b, OP_SUB, x, max->results[0]));
    next = b_binary(b, OP_ADD, loop_arg(sum, 0), b_convert(b, E_F64, e));
    b_end_for(b, sum, &next);
    affine_t tx[] = {which, batch, ax_v(target)};
    return loss_of_sum(L, b, b_convert(b, E_F32, sum->results[0]), max->results[0],
                       load1(b, l->kept, 3, tx));
}

static void mean_of_answers(lower_t *L, builder_t *b, loss_t *l) {
    value_t *zero = b_const(b, SCALAR(E_F32), 0), *target;
    inst_t *ends = b_for(b, "which", dim(0), dim(2), 1, &zero), *rows;
    affine_t which = ax_v(loop_var(ends));
    mean_t sum = begin_sum(b, "batch", dim(L->batch), nothing(b), &rows);
    affine_t batch = ax_v(loop_var(rows)), tx[] = {batch, which};
    inst_t *real = if_target(b, load1(b, L->target, 2, tx), &target);
    value_t *last = b_convert(b, E_I32, b_index(b, (affine_t){.base = dim_sub(L->padded, dim(1))}));
    target = b_binary(b, OP_MIN, target, last);
    value_t *loss = answer_cross_entropy(L, b, l, which, batch, target);
    sum = end_sum(b, rows, add_loss(b, real, loss, sum));
    value_t *half = b_binary(b, OP_MUL, mean_of(b, sum), b_const(b, SCALAR(E_F32), 0.5));
    half = b_binary(b, OP_ADD, loop_arg(ends, 0), half);
    b_end_for(b, ends, &half);
    store_loss(b, l, ends->results[0]);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const loss_form_t forms[] = {
    {G_CROSS_ENTROPY, 3, REFORMER_LOSS_CROSS_ENTROPY, "lm_loss",
     "mean cross-entropy over the rows, in their order", mean_of_rows},
    {G_CROSS_ENTROPY, 2, REFORMER_LOSS_CROSS_ENTROPY, "classifier_loss", "mean cross-entropy",
     mean_of_classes},
    {G_MSE_LOSS, 2, REFORMER_LOSS_MSE, "classifier_loss", "mean of squares", mean_of_numbers},
    {G_BCE_LOSS, 2, REFORMER_LOSS_BCE, "classifier_loss", "mean binary cross-entropy",
     mean_of_numbers},
    {G_QA_LOSS, 2, REFORMER_LOSS_QA, "qa_loss",
     "mean of the cross-entropies of start and end over all positions", mean_of_answers},
};

static const loss_form_t *form_of(const gnode_t *loss) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (forms[i].op == loss->op && forms[i].rank == loss->in[0]->rank) return &forms[i];
    return NULL;
}

buffer_t *scores_of_loss(lower_t *L, const gnode_t *loss) {
    buffer_t *made = module_find_buffer(L->m, "head_scores");
    if (made) return made;
    if (loss->op == G_QA_LOSS) {
        dim_t d[] = {dim(2), dim(L->batch), L->rows};
        return workspace(L, "head_scores", E_F32, 3, d, "[start, end][batch][rows]");
    }
    dim_t d[] = {dim(L->batch), loss->in[0]->shape[1]};
    return workspace(L, "head_scores", E_F32, 2, d, "[batch][label]");
}

typedef struct {
    buffer_t *from, *to;
    affine_t batch;
} score_copy_t;

static void keep_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const score_copy_t *k = ctx;
    affine_t from[] = {ax(0), at}, to[] = {k->batch, at};
    (void)L;
    b_store(b, k->to, b_load(b, k->from, width, from), to);
}

static void keep_column(builder_t *b, const rows_t *r, const gnode_t *n, buffer_t *rows,
                        buffer_t *to, int which) {
    inst_t *loop = b_for(b, "i", dim(0), dim(r->at.m), 0, NULL);
    affine_t row = ax_v(loop_var(loop)), from[] = {row, ax(n->shift)};
    affine_t at[] = {ax(which), r->at.batch, ax_add(r->at.row0, row)};
    b_store(b, to, load1(b, rows, 2, from), at);
    b_end_for(b, loop, NULL);
}

static void rows_to_loss(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n, buffer_t *rows,
                         const gnode_t *loss) {
    if (n->rank == 3) {
        lose_rows(L, b, r, n, rows);
    } else if (loss->op == G_QA_LOSS) {
        for (int i = 0; i < 2; i++)
            if (loss->in[i] == n) keep_column(b, r, n, rows, scores_of_loss(L, loss), i);
    } else {
        score_copy_t k = {rows, scores_of_loss(L, loss), r->at.batch};
        for_span(L, b, width_of(n), keep_span, &k);
    }
}

void rows_to_losses(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n, buffer_t *rows) {
    const nodes_t *readers = &L->regions->readers[n->id];
    const gnode_t *first = NULL; /* the others are of the same rows */
    for (int i = 0; i < readers->n; i++)
        if (graph_kind(readers->at[i]) == K_REDUCE && form_of(readers->at[i]) && !first)
            first = readers->at[i];
    if (first) rows_to_loss(L, b, r, n, rows, first);
}

/* ---- kernels --------------------------------------------------------------------------------- */

/* Callers ask for the loss of what they are given, and of nothing else: they are
 * told so by names of inputs. */
static bool is_of_outputs(const lower_t *L, const gnode_t *loss) {
    const graph_t *g = L->g;
    if (loss->op != G_QA_LOSS) return graph_output(g, "logits") == loss->in[0];
    const gnode_t *start = graph_output(g, "start_logits"), *end = graph_output(g, "end_logits");
    return start && end && loss->in[0] == start && loss->in[1] == end && start->op == G_COLUMN &&
           end->op == G_COLUMN;
}

bool lower_loss(lower_t *L, part_t *p) {
    dim_t one = dim(1);
    const char *once = "once";
    loss_t l = {.node = p->class->pattern->nodes.at[0]};
    l.form = form_of(l.node);
    if (!l.form || !is_of_outputs(L, l.node)) return no_kernel(L, l.node, "of these values");
    l.classes = width_of(l.node->in[0]);
    l.kept = l.node->in[0]->rank == 3 ? NULL : scores_of_loss(L, l.node);
    l.out = module_find_buffer(L->m, "loss");
    if (!l.out) l.out = slot_buffer(L, BUF_OUTPUT, REFORMER_SLOT_LOSS, "loss", E_F32, 1, &one);
    builder_t b = build_kernel(L->m, free_name(L, l.form->name), 1, &one, &once);
    describe(L, b.fn, l.node->at, "loss: %s", l.form->doc);
    value_t *kind = control(&b, L, REFORMER_LOSS_KIND),
            *own = b_iconst(&b, SCALAR(E_I32), l.form->kind);
    inst_t *asked = b_if(&b, b_compare(&b, OP_EQ, kind, own), 0, NULL);
    l.form->lower(L, &b, &l);
    b_end_if(&b, asked, NULL);
    stage_t stage = {b.fn, NULL, NULL, 1u << REFORMER_LOSS_KIND};
    p->stages = (stages_t){arena_copy(L->arena, &stage, sizeof stage), 1, b.fn->name};
    p->used = true;
    return true;
}
