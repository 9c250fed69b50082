/* What stands on top of the encoder: final norm of both streams, the head, the loss (HF_SEMANTICS 8).
 *
 * Rows go to the caller's arrays through REFORMER_SLOT_ROW, since the caller's length may be smaller than
 * the compiled one. Logits of a language model live in a block of rows only: they are copied out if
 * wanted, reduced to a loss per row if one was asked for, and never stored as a whole. Losses are added
 * up row by row, in double, so that the sum depends neither on workers nor on blocks. */
#include "lower/lower_int.h"
#include "lower/math.h"

typedef struct {
    stages_t stages;
    const part_t *part;          /* the final norm, and the rows' logits */
    const gnode_t *norm, *dense; /* dense: NULL, or what makes logits of rows */
    int64_t width;               /* of last_hidden_state */
    int64_t labels;              /* vocabulary, classes, or 2 */
    buffer_t *hidden_out, *logits_out, *start_out, *end_out, *loss_out, *token_losses_out;
    buffer_t *row_loss; /* workspace: [batch][rows], of the language models */
    buffer_t *scores;   /* workspace: [batch][labels] or QA [2][batch][rows] */
} head_t;

typedef struct {
    head_t *h;
    affine_t batch, row0, row; /* row: of the block */
    buffer_t *z, *logits, *w_bias, *dst, *src;
    value_t *out_row;
    act_t act;
} rows_t;

enum { MOST_STAGES = 3 };

/* `control`: what must be wanted; -1: it runs always. */
static void add_stage(head_t *h, lfunc_t *kernel, int control) {
    if (h->stages.n == MOST_STAGES) bug("a head of %d kernels", MOST_STAGES + 1);
    h->stages.at[h->stages.n++] =
        (stage_t){kernel, NULL, kernel->name, control < 0 ? 0 : 1u << control};
}

static builder_t block_kernel(lower_t *L, const char *name, rows_t *r) {
    dim_t tasks[] = {dim(L->batch), L->blocks};
    const char *names[] = {"batch", "block"};
    builder_t b = build_kernel(L->m, name, 2, tasks, names);
    r->batch = ax_v(b.fn->task[0]);
    r->row0 = ax_scale(ax_v(b.fn->task[1]), L->block);
    return b;
}

/* z = norm([y1, y2]) of `m` rows from row0, into scratch. */
static void final_norm(lower_t *L, builder_t *b, rows_t *r, int64_t m) {
    dim_t zd[] = {dim(m), dim(round_up(r->h->width, L->tile) + PADDING)};
    r->z = kernel_scratch(b, "z", E_F32, 2, zd);
    norm_t n = {.batch = r->batch, .row0 = r->row0, .m = m, .prefix = ax(0), .dst = r->z};
    if (!read_norm(L, r->h->part, r->h->norm, &n)) bug("a final norm of what is not stored");
    layer_norm_rows(L, b, &n);
}

static void copy_out_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const rows_t *r = ctx;
    affine_t from[] = {r->row, at}, to[] = {ax_v(r->out_row), at};
    b_store(b, r->dst, b_load(b, r->src, width, from), to);
}

/* Opens `if (row of the outputs >= 0)` for the current row; r->out_row is that row. */
static inst_t *if_wanted_row(lower_t *L, builder_t *b, rows_t *r) {
    ltype_t i32 = SCALAR(E_I32);
    affine_t ix[] = {r->batch, ax_add(r->row0, r->row)};
    value_t *out = b_name(load1(b, L->row, 2, ix), "out_row");
    inst_t *branch = b_if(b, b_compare(b, OP_GE, out, b_iconst(b, i32, 0)), 0, NULL);
    r->out_row = b_binary(b, OP_MAX, out, b_iconst(b, i32, 0));
    return branch;
}

/* Copies `n` columns of scratch src to the caller's dst, if control `which` says so. */
static void copy_out(lower_t *L, builder_t *b, rows_t *r, int which, buffer_t *src, buffer_t *dst,
                     int64_t n) {
    inst_t *wanted = b_if(b, control(b, L, which), 0, NULL);
    inst_t *loop = b_for(b, "i", dim(0), dim(L->block), 0, NULL);
    r->row = ax_v(loop_var(loop));
    inst_t *real = if_wanted_row(L, b, r);
    r->src = src;
    r->dst = dst;
    for_span(L, b, n, copy_out_span, r);
    b_end_if(b, real, NULL);
    b_end_for(b, loop, NULL);
    b_end_if(b, wanted, NULL);
}

static void with_bias(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col, int rows,
                      value_t **acc) {
    const rows_t *r = ctx;
    int nv = L->tiles->vectors;
    for (int j = 0; j < nv; j++) {
        affine_t bx[] = {ax(0), ax_plus(col, (int64_t)j * L->lanes)};
        value_t *bias = r->w_bias ? b_load(b, r->w_bias, L->lanes, bx) : NULL;
        for (int i = 0; i < rows; i++) {
            affine_t lx[] = {ax_plus(row, i), bx[1]};
            value_t *x = acc[i * nv + j];
            b_store(b, r->logits, bias ? b_binary(b, OP_ADD, x, bias) : x, lx);
        }
    }
}

static const gnode_t *bias_of(const gnode_t *dense) {
    return dense->n_in > 2 ? dense->in[2] : NULL;
}

/* m rows of x times a dense layer's weight plus bias, if it has one, into a new scratch buffer [m][n rounded up]. */
static buffer_t *dense_rows(lower_t *L, builder_t *b, rows_t *r, const part_t *p,
                            const gnode_t *node, buffer_t *x, int64_t m) {
    int64_t k = node->in[1]->shape[1].c, n = node->in[1]->shape[0].c;
    dim_t ld[] = {dim(m), dim(round_up(n, PANEL) + PADDING)};
    r->logits = kernel_scratch(b, identifier(L, node->name), E_F32, 2, ld);
    r->w_bias = bias_of(node) ? role_of(p, bias_of(node))->w : NULL;
    dense_t d = {.a = x,
                 .m = m,
                 .k = k,
                 .n = n,
                 .w = {role_of(p, node->in[1])->w, 1, {ax(0)}},
                 .epilogue = with_bias,
                 .ctx = r};
    dense(L, b, &d);
    return r->logits;
}

/* ---- cross-entropy of one row of scratch ------------------------------------------------------------- */

typedef struct {
    buffer_t *x;
    affine_t row;
    value_t *most;
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
    value_t *most = width > 1 ? b_broadcast(b, c->most, width) : c->most;
    value_t *x = b_binary(b, OP_SUB, b_load(b, c->x, width, ix), most);
    return b_binary(b, OP_ADD, acc, m_exp(L, b, x));
}

/* log-sum-exp of the row minus the target's logit. */
static value_t *row_cross_entropy(lower_t *L, builder_t *b, buffer_t *x, affine_t row, int64_t n,
                                  value_t *target) {
    row_loss_t c = {.x = x, .row = row};
    c.most = fold_span(L, b, n, OP_MAX, LOWEST, max_span, &c);
    value_t *sum = fold_span(L, b, n, OP_ADD, 0, exp_span, &c);
    value_t *lse = b_binary(b, OP_ADD, m_log(L, b, sum), c.most);
    affine_t tx[] = {row, ax_v(target)};
    return b_binary(b, OP_SUB, lse, b_load(b, x, 1, tx));
}

/* target >= 0 ? value of body : 0, and the count 1 or 0; leaves *sum (f64) and *count (i32). */
static inst_t *if_target(builder_t *b, value_t *target, value_t **clamped) {
    ltype_t i32 = SCALAR(E_I32), types[] = {SCALAR(E_F64), i32};
    value_t *zero = b_iconst(b, i32, 0);
    inst_t *branch = b_if(b, b_compare(b, OP_GE, target, zero), 2, types);
    *clamped = b_binary(b, OP_MAX, target, zero);
    return branch;
}

static void end_if_target(builder_t *b, inst_t *branch, value_t *loss) {
    value_t *yes[] = {b_convert(b, E_F64, loss), b_iconst(b, SCALAR(E_I32), 1)};
    b_else(b, branch, yes);
    value_t *no[] = {b_const(b, SCALAR(E_F64), 0), b_iconst(b, SCALAR(E_I32), 0)};
    b_end_if(b, branch, no);
}

static void accumulate(builder_t *b, inst_t *loop, inst_t *branch, value_t **next) {
    next[0] = b_binary(b, OP_ADD, loop_arg(loop, 0), branch->results[0]);
    next[1] = b_binary(b, OP_ADD, loop_arg(loop, 1), branch->results[1]);
}

static value_t *mean_loss(builder_t *b, value_t *sum, value_t *count) {
    return b_convert(b, E_F32, b_binary(b, OP_DIV, sum, b_convert(b, E_F64, count)));
}

static void zero_pair(builder_t *b, value_t **init) {
    init[0] = b_const(b, SCALAR(E_F64), 0);
    init[1] = b_iconst(b, SCALAR(E_I32), 0);
}

static void store_loss(builder_t *b, const head_t *h, value_t *loss) {
    affine_t zero = ax(0);
    b_store(b, h->loss_out, loss, &zero);
}

/* ---- language models ------------------------------------------------------------------------------------ */

static value_t *any_loss(lower_t *L, builder_t *b) {
    return b_binary(b, OP_OR, control(b, L, REFORMER_LOSS_KIND),
                    control(b, L, REFORMER_WANT_TOKEN_LOSSES));
}

/* The loss of the current row, 0 without a target, to the caller. */
static void token_loss_out(lower_t *L, builder_t *b, rows_t *r, value_t *loss) {
    inst_t *wanted = b_if(b, control(b, L, REFORMER_WANT_TOKEN_LOSSES), 0, NULL);
    inst_t *given = if_wanted_row(L, b, r);
    affine_t to = ax_v(r->out_row);
    b_store(b, r->h->token_losses_out, loss, &to);
    b_end_if(b, given, NULL);
    b_end_if(b, wanted, NULL);
}

static void block_loss(lower_t *L, builder_t *b, rows_t *r) {
    head_t *h = r->h;
    ltype_t f32 = SCALAR(E_F32);
    inst_t *wanted = b_if(b, any_loss(L, b), 0, NULL);
    inst_t *loop = b_for(b, "i", dim(0), dim(L->block), 0, NULL);
    r->row = ax_v(loop_var(loop));
    affine_t tx[] = {r->batch, ax_add(r->row0, r->row)};
    value_t *target = load1(b, L->target, 2, tx), *zero = b_iconst(b, SCALAR(E_I32), 0);
    inst_t *real = b_if(b, b_compare(b, OP_GE, target, zero), 1, &f32);
    value_t *class = b_binary(b, OP_MAX, target, zero);
    value_t *loss = row_cross_entropy(L, b, r->logits, r->row, h->labels, class);
    b_store(b, h->row_loss, loss, tx);
    b_else(b, real, &loss);
    value_t *none = b_const(b, f32, 0);
    b_end_if(b, real, &none);
    token_loss_out(L, b, r, real->results[0]);
    b_end_for(b, loop, NULL);
    b_end_if(b, wanted, NULL);
}

static lfunc_t *lm_kernel(lower_t *L, head_t *h) {
    rows_t r = {.h = h};
    builder_t b = block_kernel(L, "lm_head", &r);
    describe(L, b.fn, h->dense->at, "final norm, logits over %lld tokens, loss",
             (long long)h->labels);
    final_norm(L, &b, &r, L->block);
    copy_out(L, &b, &r, REFORMER_WANT_HIDDEN, r.z, h->hidden_out, h->width);
    value_t *any = b_binary(&b, OP_OR, control(&b, L, REFORMER_WANT_LOGITS), any_loss(L, &b));
    inst_t *wanted = b_if(&b, any, 0, NULL);
    dense_rows(L, &b, &r, h->part, h->dense, r.z, L->block);
    copy_out(L, &b, &r, REFORMER_WANT_LOGITS, r.logits, h->logits_out, h->labels);
    block_loss(L, &b, &r);
    b_end_if(&b, wanted, NULL);
    return b.fn;
}

static lfunc_t *lm_loss_kernel(lower_t *L, head_t *h) {
    dim_t one = dim(1);
    const char *name = "once";
    builder_t b = build_kernel(L->m, "lm_loss", 1, &one, &name);
    describe(L, b.fn, h->dense->at, "mean cross-entropy over the rows, in their order");
    value_t *init[2], *next[2], *class;
    zero_pair(&b, init);
    inst_t *outer = b_for(&b, "batch", dim(0), dim(L->batch), 2, init);
    init[0] = loop_arg(outer, 0);
    init[1] = loop_arg(outer, 1);
    inst_t *inner = b_for(&b, "row", dim(0), L->padded, 2, init);
    affine_t tx[] = {ax_v(loop_var(outer)), ax_v(loop_var(inner))};
    inst_t *real = if_target(&b, load1(&b, L->target, 2, tx), &class);
    end_if_target(&b, real, load1(&b, h->row_loss, 2, tx));
    accumulate(&b, inner, real, next);
    b_end_for(&b, inner, next);
    b_end_for(&b, outer, inner->results);
    store_loss(&b, h, mean_loss(&b, outer->results[0], outer->results[1]));
    return b.fn;
}

static void lower_lm(lower_t *L, head_t *h) {
    dim_t rows[] = {dim(L->batch), L->rows}, out[] = {output_rows(L)};
    h->token_losses_out =
        slot_buffer(L, BUF_OUTPUT, REFORMER_SLOT_TOKEN_LOSSES, "token_losses", E_F32, 1, out);
    h->row_loss =
        workspace(L, "row_loss", E_F32, 2, rows, "[batch][rows]: where there is a target");
    add_stage(h, lm_kernel(L, h), -1);
    add_stage(h, lm_loss_kernel(L, h), REFORMER_LOSS_KIND);
}

/* ---- base model -------------------------------------------------------------------------------------------- */

static lfunc_t *hidden_kernel(lower_t *L, head_t *h) {
    rows_t r = {.h = h};
    builder_t b = block_kernel(L, "final_norm", &r);
    describe(L, b.fn, h->norm->at, "final norm of both streams: last_hidden_state");
    final_norm(L, &b, &r, L->block);
    copy_out(L, &b, &r, REFORMER_WANT_HIDDEN, r.z, h->hidden_out, h->width);
    return b.fn;
}

/* ---- classifier ---------------------------------------------------------------------------------------------- */

static void act_row(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const rows_t *r = ctx;
    affine_t ix[] = {ax(0), at};
    b_store(b, r->logits, m_activation(L, b, r->act, b_load(b, r->logits, width, ix)), ix);
}

static void keep_scores(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const rows_t *r = ctx;
    affine_t from[] = {ax(0), at}, to[] = {r->batch, at};
    b_store(b, r->h->scores, b_load(b, r->logits, width, from), to);
}

static void scores_out(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const rows_t *r = ctx;
    affine_t from[] = {ax(0), at}, to[] = {r->batch, at};
    b_store(b, r->h->logits_out, b_load(b, r->logits, width, from), to);
}

static lfunc_t *classifier_kernel(lower_t *L, head_t *h, const gnode_t *out) {
    part_t *p = part_of_node(L, out);
    p->used = true;
    const gnode_t *in = out->in[0]->in[0];
    dim_t tasks[] = {dim(L->batch)};
    const char *names[] = {"batch"};
    builder_t b = build_kernel(L->m, "classifier", 1, tasks, names);
    describe(L, b.fn, out->at, "classifier over the first token: dense, tanh, %lld labels",
             (long long)h->labels);
    rows_t r = {.h = h, .batch = ax_v(b.fn->task[0]), .row0 = ax(0)};
    final_norm(L, &b, &r, 1);
    buffer_t *t = dense_rows(L, &b, &r, p, in, r.z, 1);
    r.act = out->in[0]->act;
    for_span(L, &b, in->shape[1].c, act_row, &r);
    dense_rows(L, &b, &r, p, out, t, 1);
    for_span(L, &b, h->labels, keep_scores, &r);
    inst_t *wanted = b_if(&b, control(&b, L, REFORMER_WANT_LOGITS), 0, NULL);
    value_t *given = b_convert(&b, E_I64, control(&b, L, REFORMER_BATCH_ROWS));
    inst_t *real = b_if(&b, b_compare(&b, OP_LT, b.fn->task[0], given), 0, NULL);
    for_span(L, &b, h->labels, scores_out, &r);
    b_end_if(&b, real, NULL);
    b_end_if(&b, wanted, NULL);
    return b.fn;
}

/* max(x, 0) - x y + log(1 + exp(-|x|)), or (x - y)^2, of one score. */
static value_t *float_loss(lower_t *L, builder_t *b, value_t *x, value_t *y, bool squares) {
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

/* Sum over given rows and labels, divided by their number. */
static void float_losses(lower_t *L, builder_t *b, head_t *h, buffer_t *labels, bool squares) {
    value_t *init[2], *next[2];
    zero_pair(b, init);
    inst_t *outer = b_for(b, "batch", dim(0), dim(L->batch), 2, init);
    init[0] = loop_arg(outer, 0);
    init[1] = loop_arg(outer, 1);
    inst_t *inner = b_for(b, "label", dim(0), dim(h->labels), 2, init);
    ltype_t types[] = {SCALAR(E_F64), SCALAR(E_I32)};
    value_t *given = b_convert(b, E_I64, control(b, L, REFORMER_BATCH_ROWS));
    inst_t *real = b_if(b, b_compare(b, OP_LT, loop_var(outer), given), 2, types);
    affine_t ix[] = {ax_v(loop_var(outer)), ax_v(loop_var(inner))};
    value_t *x = load1(b, h->scores, 2, ix), *y = load1(b, labels, 2, ix);
    end_if_target(b, real, float_loss(L, b, x, y, squares));
    accumulate(b, inner, real, next);
    b_end_for(b, inner, next);
    b_end_for(b, outer, inner->results);
    store_loss(b, h, mean_loss(b, outer->results[0], outer->results[1]));
}

static void class_loss(lower_t *L, builder_t *b, head_t *h) {
    value_t *init[2], *next[2], *target;
    zero_pair(b, init);
    inst_t *loop = b_for(b, "batch", dim(0), dim(L->batch), 2, init);
    affine_t row = ax_v(loop_var(loop)), tx[] = {row, ax(0)};
    value_t *last = b_iconst(b, SCALAR(E_I32), h->labels - 1);
    inst_t *real = if_target(b, load1(b, L->target, 2, tx), &target);
    target = b_binary(b, OP_MIN, target, last);
    end_if_target(b, real, row_cross_entropy(L, b, h->scores, row, h->labels, target));
    accumulate(b, loop, real, next);
    b_end_for(b, loop, next);
    store_loss(b, h, mean_loss(b, loop->results[0], loop->results[1]));
}

static lfunc_t *classifier_loss_kernel(lower_t *L, head_t *h) {
    dim_t one = dim(1), ld[] = {dim(L->batch), dim(h->labels)};
    const char *name = "once";
    buffer_t *labels =
        slot_buffer(L, BUF_INPUT, REFORMER_SLOT_LABELS_F32, "labels_f32", E_F32, 2, ld);
    builder_t b = build_kernel(L->m, "classifier_loss", 1, &one, &name);
    describe(L, b.fn, graph_output(L->g, "loss")->at,
             "loss: cross-entropy, squares, or binary cross-entropy");
    ltype_t i32 = SCALAR(E_I32);
    value_t *kind = control(&b, L, REFORMER_LOSS_KIND);
    const reformer_loss_t kinds[] = {REFORMER_LOSS_CROSS_ENTROPY, REFORMER_LOSS_MSE,
                                     REFORMER_LOSS_BCE};
    for (int i = 0; i < 3; i++) {
        inst_t *branch = b_if(&b, b_compare(&b, OP_EQ, kind, b_iconst(&b, i32, kinds[i])), 0, NULL);
        if (kinds[i] == REFORMER_LOSS_CROSS_ENTROPY) class_loss(L, &b, h);
        else float_losses(L, &b, h, labels, kinds[i] == REFORMER_LOSS_MSE);
        b_end_if(&b, branch, NULL);
    }
    return b.fn;
}

static void lower_classifier(lower_t *L, head_t *h, const gnode_t *logits) {
    dim_t sd[] = {dim(L->batch), dim(h->labels)};
    h->scores = workspace(L, "head_scores", E_F32, 2, sd, "[batch][label]");
    add_stage(h, hidden_kernel(L, h), REFORMER_WANT_HIDDEN);
    add_stage(h, classifier_kernel(L, h, logits), -1);
    if (graph_output(L->g, "loss")) add_stage(h, classifier_loss_kernel(L, h), REFORMER_LOSS_KIND);
}

/* ---- question answering ----------------------------------------------------------------------------------------- */

/* Column `which` of the block's logits: kept for the loss, and copied out where wanted. */
static void qa_column(lower_t *L, builder_t *b, rows_t *r, int which, int wanted, buffer_t *out) {
    inst_t *loop = b_for(b, "i", dim(0), dim(L->block), 0, NULL);
    r->row = ax_v(loop_var(loop));
    affine_t from[] = {r->row, ax(which)};
    affine_t keep[] = {ax(which), r->batch, ax_add(r->row0, r->row)};
    value_t *x = load1(b, r->logits, 2, from);
    b_store(b, r->h->scores, x, keep);
    inst_t *asked = b_if(b, control(b, L, wanted), 0, NULL);
    inst_t *real = if_wanted_row(L, b, r);
    affine_t to = ax_v(r->out_row);
    b_store(b, out, x, &to);
    b_end_if(b, real, NULL);
    b_end_if(b, asked, NULL);
    b_end_for(b, loop, NULL);
}

static lfunc_t *qa_kernel(lower_t *L, head_t *h) {
    rows_t r = {.h = h};
    builder_t b = block_kernel(L, "qa_head", &r);
    describe(L, b.fn, h->dense->at, "final norm, start and end logits");
    final_norm(L, &b, &r, L->block);
    copy_out(L, &b, &r, REFORMER_WANT_HIDDEN, r.z, h->hidden_out, h->width);
    dense_rows(L, &b, &r, h->part, h->dense, r.z, L->block);
    qa_column(L, &b, &r, 0, REFORMER_WANT_LOGITS, h->start_out);
    qa_column(L, &b, &r, 1, REFORMER_WANT_END, h->end_out);
    return b.fn;
}

/* x within the loss's length, else far below everything. */
static value_t *qa_score(lower_t *L, builder_t *b, const head_t *h, affine_t which, affine_t batch,
                         value_t *t) {
    affine_t ix[] = {which, batch, ax_v(t)};
    value_t *inside =
        b_compare(b, OP_LT, t, b_convert(b, E_I64, control(b, L, REFORMER_LOSS_LENGTH)));
    return b_select(b, inside, load1(b, h->scores, 3, ix), b_const(b, SCALAR(E_F32), NO_KEY));
}

static value_t *qa_cross_entropy(lower_t *L, builder_t *b, head_t *h, affine_t which,
                                 affine_t batch, value_t *target) {
    ltype_t f = SCALAR(E_F32);
    value_t *init = b_const(b, f, NO_KEY);
    inst_t *max = b_for(b, "t", dim(0), L->padded, 1, &init);
    value_t *next =
        b_binary(b, OP_MAX, qa_score(L, b, h, which, batch, loop_var(max)), loop_arg(max, 0));
    b_end_for(b, max, &next);
    init = b_const(b, SCALAR(E_F64), 0);
    inst_t *sum = b_for(b, "t", dim(0), L->padded, 1, &init);
    value_t *x = qa_score(L, b, h, which, batch, loop_var(sum));
    value_t *e = m_exp(L, b, b_binary(b, OP_SUB, x, max->results[0]));
    next = b_binary(b, OP_ADD, loop_arg(sum, 0), b_convert(b, E_F64, e));
    b_end_for(b, sum, &next);
    value_t *lse = m_log(L, b, b_convert(b, E_F32, sum->results[0]));
    lse = b_binary(b, OP_ADD, lse, max->results[0]);
    affine_t tx[] = {which, batch, ax_v(target)};
    return b_binary(b, OP_SUB, lse, load1(b, h->scores, 3, tx));
}

static lfunc_t *qa_loss_kernel(lower_t *L, head_t *h) {
    dim_t one = dim(1);
    const char *name = "once";
    builder_t b = build_kernel(L->m, "qa_loss", 1, &one, &name);
    describe(L, b.fn, h->dense->at,
             "mean of the cross-entropies of start and end over all positions");
    value_t *zero = b_const(&b, SCALAR(E_F32), 0);
    inst_t *ends = b_for(&b, "which", dim(0), dim(2), 1, &zero);
    affine_t which = ax_v(loop_var(ends));
    value_t *init[2], *next[2], *target;
    zero_pair(&b, init);
    inst_t *rows = b_for(&b, "batch", dim(0), dim(L->batch), 2, init);
    affine_t batch = ax_v(loop_var(rows)), tx[] = {batch, which};
    inst_t *real = if_target(&b, load1(&b, L->target, 2, tx), &target);
    value_t *last =
        b_convert(&b, E_I32, b_index(&b, (affine_t){.base = dim_sub(L->padded, dim(1))}));
    target = b_binary(&b, OP_MIN, target, last);
    end_if_target(&b, real, qa_cross_entropy(L, &b, h, which, batch, target));
    accumulate(&b, rows, real, next);
    b_end_for(&b, rows, next);
    value_t *half = b_binary(&b, OP_MUL, mean_loss(&b, rows->results[0], rows->results[1]),
                             b_const(&b, SCALAR(E_F32), 0.5));
    half = b_binary(&b, OP_ADD, loop_arg(ends, 0), half);
    b_end_for(&b, ends, &half);
    store_loss(&b, h, ends->results[0]);
    return b.fn;
}

static void lower_qa(lower_t *L, head_t *h) {
    dim_t sd[] = {dim(2), dim(L->batch), L->rows}, od[] = {output_rows(L)};
    h->scores = workspace(L, "head_scores", E_F32, 3, sd, "[start, end][batch][rows]");
    h->start_out = slot_buffer(L, BUF_OUTPUT, REFORMER_SLOT_START, "start_logits", E_F32, 1, od);
    h->end_out = slot_buffer(L, BUF_OUTPUT, REFORMER_SLOT_END, "end_logits", E_F32, 1, od);
    add_stage(h, qa_kernel(L, h), -1);
    add_stage(h, qa_loss_kernel(L, h), REFORMER_LOSS_KIND);
}

/* ---- what the graph says ---------------------------------------------------------------------------------------- */

static bool refuse(lower_t *L, const gnode_t *n) {
    diag_error(L->d, n->at, "%s: no kernel computes this head", n->name);
    return false;
}

static bool is_row(const gnode_t *n, gop_t op, int inputs) {
    return n && n->op == op && n->n_in == inputs;
}

static bool is_dense(const gnode_t *n) {
    return n && n->op == G_DENSE;
}

/* last_hidden_state = SLICE of a norm, by itself or with logits of it. */
static bool read_head(lower_t *L, head_t *h, const gnode_t *last, const gnode_t *dense) {
    if (!is_row(last, G_SLICE, 1) || !is_norm(last->in[0])) return refuse(L, last);
    part_t *part = part_of_node(L, last);
    int nodes = 2 + (last->in[0]->in[0]->op == G_CONCAT) + (dense != NULL);
    for (int i = 0; i < part->class->pattern->nodes.n; i++)
        nodes += part->class->pattern->nodes.at[i]->op == G_COLUMN;
    if (part->class->pattern->nodes.n != nodes) return refuse(L, last);
    part->used = true;
    h->part = part;
    h->norm = last->in[0];
    h->width = last->shape[2].c;
    norm_t norm = {0};
    if (!read_norm(L, h->part, h->norm, &norm)) return false;
    if (dense && (!is_dense(dense) || dense->in[0] != last)) return refuse(L, dense);
    h->dense = dense;
    return true;
}

/* DENSE(ACTIVATION(DENSE(FIRST_TOKEN(last_hidden_state)))) */
static bool is_classifier(const gnode_t *logits, const gnode_t *last) {
    if (!is_dense(logits) || !is_row(logits->in[0], G_ACTIVATION, 1)) return false;
    const gnode_t *in = logits->in[0]->in[0];
    return is_dense(in) && is_row(in->in[0], G_FIRST_TOKEN, 1) && in->in[0]->in[0] == last;
}

static buffer_t *output(lower_t *L, int slot, const char *name, dim_t rows, int64_t width) {
    dim_t d[] = {rows, dim(width)};
    return slot_buffer(L, BUF_OUTPUT, slot, name, E_F32, 2, d);
}

/* start_logits and end_logits are the two columns of one dense layer, in this order; or there are none. */
static bool check_answers(lower_t *L, const gnode_t *start, const gnode_t *end) {
    if (!start && !end) return true;
    if (!start || !end) return refuse(L, start ? start : end);
    const gnode_t *of[] = {start, end};
    for (int i = 0; i < 2; i++) {
        bool column = is_row(of[i], G_COLUMN, 1) && of[i]->shift == i;
        if (!column || of[i]->in[0] != start->in[0]) return refuse(L, of[i]);
    }
    return start->in[0]->shape[2].c == 2 || refuse(L, start->in[0]);
}

/* The loss kernels of each head are told by the call which loss they are asked for: of these logits and no other op. */
static bool check_loss(lower_t *L, const gnode_t *loss, const gnode_t *logits,
                       const gnode_t *start) {
    bool classes = loss->op == G_CROSS_ENTROPY;
    bool numbers = loss->op == G_MSE_LOSS || loss->op == G_BCE_LOSS;
    if (start) {
        const gnode_t *end = graph_output(L->g, "end_logits");
        bool both = loss->op == G_QA_LOSS && loss->in[0] == start && loss->in[1] == end;
        return both || refuse(L, loss);
    }
    if (!logits || loss->in[0] != logits) return refuse(L, loss);
    return classes || (numbers && logits->rank == 2) || refuse(L, loss);
}

static head_t *read_and_lower(lower_t *L) {
    head_t *h = ARENA_NEW(L->arena, head_t);
    h->stages.at = ARENA_ARRAY(L->arena, stage_t, MOST_STAGES);
    const graph_t *g = L->g;
    const gnode_t *last = graph_output(g, "last_hidden_state"), *logits = graph_output(g, "logits");
    const gnode_t *start = graph_output(g, "start_logits");
    bool classifier = logits && logits->rank == 2;
    if (!last) {
        diag_error(L->d, NOWHERE, "the graph has no last_hidden_state");
        return NULL;
    }
    if (!check_answers(L, start, graph_output(g, "end_logits"))) return NULL;
    if (start && logits) return refuse(L, logits), NULL;
    if (!read_head(L, h, last, start ? start->in[0] : classifier ? NULL : logits)) return NULL;
    if (classifier && !is_classifier(logits, last)) return refuse(L, logits), NULL;
    dim_t one = dim(1);
    h->hidden_out = output(L, REFORMER_SLOT_HIDDEN, "last_hidden_state", output_rows(L), h->width);
    if (logits || start)
        h->loss_out = slot_buffer(L, BUF_OUTPUT, REFORMER_SLOT_LOSS, "loss", E_F32, 1, &one);
    if (logits) {
        h->labels = logits->shape[logits->rank - 1].c;
        h->logits_out = output(L, REFORMER_SLOT_LOGITS, "logits",
                               classifier ? dim(L->batch) : output_rows(L), h->labels);
    }
    static const char *const losses[] = {"loss", "loss_f32"};
    for (int i = 0; i < 2; i++) {
        const gnode_t *loss = graph_output(g, losses[i]);
        if (!loss) continue;
        if (!check_loss(L, loss, logits, start)) return NULL;
        part_of_node(L, loss)->used = true;
    }
    if (classifier) lower_classifier(L, h, logits);
    else if (logits) lower_lm(L, h);
    else if (start) lower_qa(L, h);
    else add_stage(h, hidden_kernel(L, h), REFORMER_WANT_HIDDEN);
    return h;
}

/* Classes of the head; for question answering, positions. */
dim_t largest_target(const lower_t *L) {
    const gnode_t *logits = graph_output(L->g, "logits");
    if (graph_output(L->g, "start_logits")) return dim_sub(L->padded, dim(1));
    if (logits) return dim(logits->shape[logits->rank - 1].c - 1);
    return dim(L->embed->in[L->few ? 2 : 1]->shape[0].c - 1);
}

bool lower_head(lower_t *L, stages_t *stages) {
    const head_t *h = read_and_lower(L);
    if (h) *stages = h->stages;
    return h != NULL;
}
