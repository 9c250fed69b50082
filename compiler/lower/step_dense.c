/* Dense layers of a step: a few rows, one per text, against all weights. Each weight is read once, and reading is
 * what it costs, so tasks are groups of column panels, enough of them to keep every worker busy to the end; norms
 * are computed anew in each, which is cheaper than to wait for one worker to do it for all. Sums run over k in the
 * order of a forward's dense layers: projections of a step and of a forward are equal to the bit. */
#include "lower/cache.h"
#include "lower/math.h"

enum { MOST_TASKS = 32 };

typedef struct {
    const step_dense_t *s;
    affine_t index;
    buffer_t *dst;
} part_t;

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
    const part_t *p = ctx;
    const step_dense_t *s = p->s;
    int nv = L->tiles->vectors;
    for (int j = 0; j < nv; j++) {
        affine_t bx[] = {p->index, ax_plus(col, (int64_t)j * L->lanes)}, ix[3];
        value_t *bias = s->bias ? b_load(b, s->bias, L->lanes, bx) : NULL;
        for (int i = 0; i < rows; i++) {
            value_t *x = acc[i * nv + j];
            row_index(p->dst, ax_plus(row, i), bx[1], ix);
            if (bias) x = b_binary(b, OP_ADD, x, bias);
            if (s->activate) x = m_activation(L, b, x);
            if (s->add) x = b_binary(b, OP_ADD, b_load(b, p->dst, L->lanes, ix), x);
            b_store(b, p->dst, x, ix);
        }
    }
}

static buffer_t *normalised(lower_t *L, builder_t *b, const step_dense_t *s, affine_t layer) {
    dim_t d[] = {dim(s->m), dim(round_up(s->k, L->tile) + PADDING)};
    norm_t n = {.n_src = s->n_src,
                .src = {s->src[0], s->src[1]},
                .batch = ax(0),
                .row0 = ax(0),
                .m = s->m,
                .width = s->k / s->n_src,
                .eps = L->eps,
                .weight = s->norm_w,
                .bias = s->norm_b,
                .prefix = layer,
                .dst = kernel_scratch(b, "x", E_F32, 2, d)};
    layer_norm_rows(L, b, &n);
    return n.dst;
}

lfunc_t *step_dense(lower_t *L, const step_dense_t *s) {
    int64_t panels = round_up(s->n, PANEL) / PANEL, each = (panels + MOST_TASKS - 1) / MOST_TASKS;
    int64_t tiles = each * (PANEL / L->tile);
    dim_t tasks = dim((panels + each - 1) / each);
    const char *name = "columns";
    builder_t b = build_kernel(L->m, s->name, 1, &tasks, &name);
    describe(L, b.fn, s->key, "%s", s->doc);
    affine_t layer = s->layers ? ax_v(kernel_param(&b, "layer", s->layers)) : ax(0);
    affine_t index = s->count ? ax_v(kernel_param(&b, "index", s->count)) : layer;
    buffer_t *a = s->a ? s->a : normalised(L, &b, s, layer);
    affine_t first = ax_scale(ax_v(b.fn->task[0]), tiles);
    for (int i = 0; i < s->n_parts; i++) {
        part_t p = {s, index, s->part[i].dst};
        dense_t d = {.a = a,
                     .m = s->m,
                     .k = s->k,
                     .n = s->n,
                     .w = {s->part[i].w, 1, {index}},
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

static buffer_t *head_weight(lower_t *L, const char *name, int rank, const int64_t *dims) {
    buffer_t *w = module_find_buffer(L->m, arena_printf(L->arena, "w_%s", identifier(L, name)));
    return w ? w : weight(L, name, rank, dims);
}

last_head_t lower_last_head(lower_t *L, int64_t m, const last_rows_t *rows) {
    const char *prefix = rows->prefix;
    int64_t vocab = L->g->spec->vocab_size, width = 2 * L->hidden;
    int64_t norm[] = {1, round_up(width, PANEL)}, bias[] = {1, round_up(vocab, PANEL)};
    int64_t wd[] = {1, round_up(vocab, PANEL) / PANEL, width, PANEL};
    dim_t ld[] = {dim(m), dim(round_up(vocab, PANEL))};
    last_head_t h = {0};
    buffer_t *logits =
        workspace(L, arena_printf(L->arena, "%s_logits", prefix), E_F32, 2, ld, "[row][vocab]");
    step_dense_t s = {.name = arena_printf(L->arena, "%s_lm_head", prefix),
                      .key = KEY_vocab_size,
                      .doc = "final norm and logits of each row's last token",
                      .m = m,
                      .k = width,
                      .n = vocab,
                      .n_src = 2,
                      .src = {rows->y1, rows->y2},
                      .norm_w = head_weight(L, "final.norm.weight", 2, norm),
                      .norm_b = head_weight(L, "final.norm.bias", 2, norm),
                      .n_parts = 1,
                      .part = {{head_weight(L, "lm_head.weight", 4, wd), logits}},
                      .bias = head_weight(L, "lm_head.bias", 2, bias)};
    h.logits = step_dense(L, &s);
    builder_t b = single_task(L, arena_printf(L->arena, "%s_out", prefix));
    describe(L, b.fn, KEY_vocab_size, "logits to the caller's rows");
    copy_rows(L, &b, m, rows->row, logits, rows->logits_out, vocab);
    h.out = b.fn;
    b = single_task(L, arena_printf(L->arena, "%s_hidden", prefix));
    describe(L, b.fn, KEY_hidden_size, "last_hidden_state of each row's last token");
    copy_rows(L, &b, m, rows->row, normalised(L, &b, &s, ax(0)), rows->hidden_out, width);
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
