/* Dense layers of a step: a few rows, one per text, against all weights. Each weight is read once, and reading is
 * what it costs, so tasks are groups of column panels, enough of them to keep every worker busy to the end; norms
 * are computed anew in each, which is cheaper than to wait for one worker to do it for all. Sums run over k in the
 * order of a forward's dense layers: projections of a step and of a forward are equal to the bit. */
#include "lower/cache.h"
#include "lower/math.h"

enum { MOST_TASKS = 32 };

typedef struct {
    const step_dense_t *s;
    value_t **index;
    buffer_t *dst;
} product_part_t;

/* The head's weights stand alone, and its kernels have no indices. */
static affine_t place_in(value_t **index, const role_t *role) {
    return index ? ax_v(index[role->vector]) : ax(0);
}

/* Columns `col` … of row `row` of a workspace buffer [m][…] or [1][m][…]. */
static int row_index(const buffer_t *buf, affine_t row, affine_t col, affine_t *ix) {
    int n = 0;
    if (buf->rank == 3) ix[n++] = ax(0);
    ix[n++] = row;
    ix[n++] = col;
    return n;
}

static void store_rows(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col, int rows,
                       value_t **acc) {
    const product_part_t *p = ctx;
    const step_dense_t *s = p->s;
    int nv = L->tiles->vectors;
    for (int j = 0; j < nv; j++) {
        affine_t bx[] = {s->bias ? place_in(p->index, s->bias) : ax(0),
                         ax_plus(col, (int64_t)j * L->lanes)};
        affine_t ix[3];
        value_t *bias = s->bias ? b_load(b, s->bias->w, L->lanes, bx) : NULL;
        for (int i = 0; i < rows; i++) {
            value_t *x = acc[i * nv + j];
            row_index(p->dst, ax_plus(row, i), bx[1], ix);
            if (bias) x = b_binary(b, OP_ADD, x, bias);
            if (s->act) x = m_activation(L, b, s->act->act, x);
            if (s->add) x = b_binary(b, OP_ADD, b_load(b, p->dst, L->lanes, ix), x);
            b_store(b, p->dst, x, ix);
        }
    }
}

static buffer_t *normalised(lower_t *L, builder_t *b, const step_dense_t *s, value_t **index) {
    dim_t d[] = {dim(s->m), dim(round_up(s->k, L->tile) + PADDING)};
    norm_t n = {.batch = ax(0), .row0 = ax(0), .m = s->m};
    if (!read_norm(L, s->of, s->norm, &n)) bug("%s: a norm of what is not stored", s->norm->name);
    for (int i = 0; i < 2; i++)
        if (s->src[i]) n.src[i] = s->src[i];
    n.prefix = place_in(index, role_of(s->of, s->norm->in[1]));
    n.dst = kernel_scratch(b, "x", E_F32, 2, d);
    layer_norm_rows(L, b, &n);
    return n.dst;
}

lfunc_t *step_dense(lower_t *L, const step_dense_t *s) {
    int64_t panels = round_up(s->n, PANEL) / PANEL, each = (panels + MOST_TASKS - 1) / MOST_TASKS;
    int64_t tiles = each * (PANEL / L->tile);
    dim_t tasks = dim((panels + each - 1) / each);
    const char *name = "columns";
    builder_t b = build_kernel(L->m, s->name, 1, &tasks, &name);
    describe(L, b.fn, s->at, "%s", s->doc);
    value_t *index[MOST_INDICES], **places = s->of->class->pattern->layer < 0 ? NULL : index;
    if (places) index_params(L, &b, s->of, index);
    buffer_t *a = s->a ? s->a : normalised(L, &b, s, places);
    affine_t first = ax_scale(ax_v(b.fn->task[0]), tiles);
    for (int i = 0; i < s->n_parts; i++) {
        product_part_t p = {s, places, s->part[i].dst};
        dense_t d = {.a = a,
                     .m = s->m,
                     .k = s->k,
                     .n = s->n,
                     .w = {s->part[i].w->w, 1, {place_in(places, s->part[i].w)}},
                     .first = first,
                     .tiles = tiles,
                     .epilogue = store_rows,
                     .ctx = &p};
        dense(L, &b, &d);
    }
    return b.fn;
}

/* ---- the head ----------------------------------------------------------------------------------------------- */

typedef struct {
    buffer_t *from, *to;
    affine_t row;
} copy_t;

static void copy_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const copy_t *c = ctx;
    affine_t ix[] = {c->row, at};
    (void)L;
    b_store(b, c->to, b_load(b, c->from, width, ix), ix);
}

/* n columns of `from` [m][>= n] to the caller's array, of rows that `row` [1][m] does not leave out. */
static void copy_rows(lower_t *L, builder_t *b, int64_t m, buffer_t *row, buffer_t *from,
                      buffer_t *to, int64_t n) {
    inst_t *loop = b_for(b, "row", dim(0), dim(m), 0, NULL), *real = NULL;
    affine_t ix[] = {ax(0), ax_v(loop_var(loop))};
    value_t *zero = b_iconst(b, SCALAR(E_I32), 0);
    if (row) real = b_if(b, b_compare(b, OP_GE, load1(b, row, 2, ix), zero), 0, NULL);
    copy_t c = {from, to, ix[1]};
    for_span(L, b, n, copy_span, &c);
    if (real) b_end_if(b, real, NULL);
    b_end_for(b, loop, NULL);
}

static builder_t single_task(lower_t *L, const char *name) {
    dim_t one = dim(1);
    const char *once = "once";
    return build_kernel(L->m, name, 1, &one, &once);
}

last_head_t lower_last_head(lower_t *L, int64_t m, const last_rows_t *rows) {
    const char *prefix = rows->prefix;
    const gnode_t *node = graph_output(L->g, "logits"), *norm = node->in[0]->in[0];
    part_t *of = part_of_node(L, node);
    of->used = true;
    int64_t vocab = node->shape[2].c, width = node->in[1]->shape[1].c;
    dim_t ld[] = {dim(m), dim(round_up(vocab, PANEL))};
    last_head_t h = {0};
    buffer_t *logits =
        workspace(L, arena_printf(L->arena, "%s_logits", prefix), E_F32, 2, ld, "[row][vocab]");
    step_dense_t s = {.name = arena_printf(L->arena, "%s_lm_head", prefix),
                      .at = node->at,
                      .doc = "final norm and logits of each row's last token",
                      .of = of,
                      .m = m,
                      .k = width,
                      .n = vocab,
                      .norm = norm,
                      .src = {rows->src[0], rows->src[1]},
                      .n_parts = 1,
                      .part = {{role_of(of, node->in[1]), logits}},
                      .bias = role_of(of, node->in[2])};
    h.logits = step_dense(L, &s);
    builder_t b = single_task(L, arena_printf(L->arena, "%s_out", prefix));
    describe(L, b.fn, node->at, "logits to the caller's rows");
    copy_rows(L, &b, m, rows->row, logits, rows->logits_out, vocab);
    h.out = b.fn;
    b = single_task(L, arena_printf(L->arena, "%s_hidden", prefix));
    describe(L, b.fn, norm->at, "last_hidden_state of each row's last token");
    copy_rows(L, &b, m, rows->row, normalised(L, &b, &s, NULL), rows->hidden_out, width);
    h.hidden = b.fn;
    return h;
}

void schedule_last_head(lower_t *L, builder_t *b, const last_head_t *h, const char *label) {
    inst_t *wanted = b_if(b, control(b, L, REFORMER_WANT_LOGITS), 0, NULL);
    launch(b, h->logits, NULL, label, NULL);
    launch(b, h->out, NULL, label, NULL);
    b_end_if(b, wanted, NULL);
    wanted = b_if(b, control(b, L, REFORMER_WANT_HIDDEN), 0, NULL);
    launch(b, h->hidden, NULL, "last_hidden_state", NULL);
    b_end_if(b, wanted, NULL);
}
