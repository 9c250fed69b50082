/* Local attention (docs/semantics.md 6.7): chunks of consecutive positions, each against its
 * window, softmax, output written over the chunk's own queries. Task: one chunk of one head. Keys
 * and values are read where the projection left them; only the queries are transposed. Values of
 * bf16, whose products go by pairs of keys, are copied so that pairs stand side by side.
 * Masked keys have Hugging Face's score, so a row whose keys are all masked has
 * every probability 1 (Q1). */
#include "lower/math.h"
#include "lower/window.h"

typedef struct {
    attention_t *a;
    affine_t batch, chunk; /* chunk: of the task */
    heads_t in;
    affine_t other; /* chunk of the window's current keys, which is its `o`-th */
    value_t *o;
    buffer_t *values; /* DOT_PAIRS: scratch made by value_panels, by chunks of the window */
    dim_t chunks;
    /* Scratch [tile]: softmax_scale of the panel; the maximum, NULL: nobody asks */
    buffer_t *inverse, *top;
} local_t;

static void local_open(lower_t *L, builder_t *b, window_t *w, value_t *o) {
    local_t *c = w->ctx;
    affine_t offset = ax_plus(ax_v(o), -c->a->before);
    c->o = o;
    c->other = window_chunk(L, b, c->a, c->chunks, c->chunk, offset);
}

static affine_t key_row(const local_t *c, affine_t key) {
    return ax_add(ax_scale(c->other, c->a->chunk), key);
}

static value_t *local_key(lower_t *L, builder_t *b, window_t *w, affine_t stretch, affine_t lane,
                          affine_t k) {
    (void)L;
    const local_t *c = w->ctx;
    affine_t key = ax_add(ax_scale(stretch, w->contiguous), lane);
    int each = w->order == DOT_PAIRS ? 2 : 1;
    affine_t ix[] = {ax(0), ax(0), key_row(c, key), ax_scale(k, each)};
    return b_load(b, c->a->k, each, in_heads(&c->in, c->a->k, ix));
}

static value_t *local_scale(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    (void)L, (void)key;
    const local_t *c = w->ctx;
    return b_const(b, SCALAR(E_F32), inverse_root(c->a->head_size));
}

static value_t *local_pos(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    const local_t *c = w->ctx;
    affine_t ix[] = {c->batch, key_row(c, key)};
    return b_load(b, L->key_position, 1, ix);
}

static value_t *local_value(lower_t *L, builder_t *b, window_t *w, affine_t key, affine_t panel,
                            int64_t col) {
    const local_t *c = w->ctx;
    if (c->values) return value_in_panel(L, b, c->values, ax_v(c->o), key, panel, col);
    affine_t ix[] = {ax(0), ax(0), key_row(c, key), ax_plus(ax_scale(panel, L->tile), col)};
    return b_load(b, c->a->v, L->lanes, in_heads(&c->in, c->a->v, ix));
}

/* The rows of the next chunk, whose task most likely comes next. */
static void local_ahead(lower_t *L, builder_t *b, window_t *w, affine_t lane) {
    const local_t *c = w->ctx;
    value_t *next = at_most(b, ax_plus(c->chunk, 1), dim_sub(c->chunks, dim(1)));
    affine_t chunk = ax_v(b_name(next, "next"));
    affine_t at = clamp_lane(L, b, ax_add(panel_lane(L, w), lane), c->a->chunk);
    buffer_t *rows[] = {c->a->q, c->a->k, c->a->v};
    for (int i = 0; i < 3; i++) {
        affine_t ix[] = {ax(0), ax(0), ax_add(ax_scale(chunk, c->a->chunk), at), ax(0)};
        prefetch_row(b, rows[i], in_heads(&c->in, rows[i], ix), c->a->head_stride);
    }
}

static affine_t local_row(lower_t *L, builder_t *b, void *ctx, affine_t lane) {
    const local_t *c = ctx;
    return ax_add(ax_scale(c->chunk, c->a->chunk), clamp_lane(L, b, lane, c->a->chunk));
}

static affine_t local_place(lower_t *L, builder_t *b, window_t *w) {
    const local_t *c = w->ctx;
    (void)b;
    return ax_add(ax_scale(c->chunk, c->a->chunk), panel_lane(L, w));
}

static void local_rows(lower_t *L, builder_t *b, window_t *w, affine_t row, affine_t col, int rows,
                       value_t **acc) {
    const local_t *c = w->ctx;
    int nv = L->tiles->vectors;
    for (int i = 0; i < rows; i++) {
        affine_t lane = ax_plus(row, i);
        inst_t *guard = window_guard(L, b, w, lane);
        value_t *inverse = b_broadcast(b, b_load(b, c->inverse, 1, &lane), L->lanes);
        inverse = times_kept(L, b, c->a, inverse);
        affine_t token = ax_add(ax_scale(c->chunk, c->a->chunk),
                                clamp_lane(L, b, ax_add(panel_lane(L, w), lane), w->chunk));
        for (int j = 0; j < nv; j++) {
            affine_t ox[] = {ax(0), ax(0), token, ax_plus(col, (int64_t)j * L->lanes)};
            b_store(b, c->a->out, b_binary(b, OP_MUL, acc[i * nv + j], inverse),
                    in_heads(&c->in, c->a->out, ox));
        }
        window_end_guard(b, guard);
    }
}

/* What the gradient makes the same probabilities of. */
static void keep_sums(lower_t *L, builder_t *b, const local_t *c, const window_t *w) {
    inst_t *loop = b_for(b, "lane", dim(0), dim(L->tile), 0, NULL);
    affine_t lane = ax_v(loop_var(loop));
    inst_t *guard = window_guard(L, b, w, lane);
    affine_t at = clamp_lane(L, b, ax_add(panel_lane(L, w), lane), w->chunk);
    affine_t ix[] = {ax(0), ax(0), ax_add(ax_scale(c->chunk, c->a->chunk), at)};
    (void)in_heads(&c->in, c->a->row_shift, ix); /* both are kept or none */
    b_store(b, c->a->row_shift, b_load(b, c->top, 1, &lane), ix);
    b_store(b, c->a->row_scale, b_load(b, c->inverse, 1, &lane), ix);
    window_end_guard(b, guard);
    b_end_for(b, loop, NULL);
}

static void local_panel(lower_t *L, builder_t *b, window_t *w) {
    const local_t *c = w->ctx;
    value_t *max[MAX_VECTORS], *sum[MAX_VECTORS];
    window_scores(L, b, w, max);
    window_exp(L, b, w, max, sum);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {ax((int64_t)j * L->lanes)};
        b_store(b, c->inverse, softmax_scale(L, b, max[j], sum[j]), ix);
        if (c->top) b_store(b, c->top, max[j], ix);
    }
    if (c->top) keep_sums(L, b, c, w);
    window_values(L, b, w, local_rows);
}

/* The values of the window, pairs of keys side by side. */
static void pair_values(lower_t *L, builder_t *b, window_t *w) {
    local_t *c = w->ctx;
    const attention_t *a = c->a;
    c->values = value_panels(L, b, w->span, a->chunk, a->head_stride, true);
    inst_t *chunks = b_for(b, "o", dim(0), dim(w->span), 0, NULL);
    local_open(L, b, w, loop_var(chunks));
    inst_t *pairs = b_for(b, "pair", dim(0), dim(pairs_of(a->chunk)), 0, NULL);
    affine_t pair = ax_v(loop_var(pairs)), first = ax_scale(pair, 2), second = ax_plus(first, 1);
    if (a->chunk % 2) second = ax_v(at_most(b, second, dim(a->chunk - 1)));
    affine_t rows[] = {key_row(c, first), key_row(c, second)};
    copy_value_pair(L, b, a->v, batch_in(&c->in, a->v), head_in(&c->in, a->v), rows, c->values,
                    ax_v(loop_var(chunks)), pair);
    b_end_for(b, pairs, NULL);
    b_end_for(b, chunks, NULL);
}

void lower_local_attention(lower_t *L, attention_t *a) {
    dim_t chunks = dim_div(L->padded, a->chunk);
    dim_t tasks[] = {dim(L->batch), dim(a->group), chunks};
    const char *names[] = {"batch", "head", "chunk"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, "attention"), 3, tasks, names);
    describe(L, b.fn, a->node->at,
             "local attention: chunks of %lld against %lld before and %lld after",
             (long long)a->chunk, (long long)a->before, (long long)a->after);
    told_t told = tell_attention(L, &b, a, a->node);
    int64_t lanes = round_up(a->chunk, L->tile), span = 1 + a->before + a->after;
    dim_t pd[] = {dim(1), dim(lanes)}, id[] = {dim(L->tile)};
    local_t c = {.a = a,
                 .batch = ax_v(b.fn->task[0]),
                 .in = told_heads(L, a, &told, ax_v(b.fn->task[0]), ax_v(b.fn->task[1])),
                 .chunk = ax_v(b.fn->task[2]),
                 .chunks = chunks};
    window_t w = {.chunk = a->chunk,
                  .contiguous = a->chunk,
                  .order = order_of_products(a),
                  .span = span,
                  .width = a->head_stride,
                  .masked = MASKED_KEY,
                  .causal = a->causal,
                  .absent = L->o->absent_keys,
                  .ahead = local_ahead,
                  .row = local_place,
                  .ctx = &c,
                  .open_chunk = local_open,
                  .key_at = local_key,
                  .key_scale = local_scale,
                  .key_pos = local_pos,
                  .value_at = local_value};
    kept_t *kept = begin_kept(L, &b, a, &told, c.batch, c.in.head);
    kept_of_round(L, &b, a, kept, ax(0));
    w.kept = kept;
    w.queries = query_panels(L, &b, 1, a->chunk, a->head_size, a->pairs);
    w.query_pos = kernel_scratch(&b, "query_pos", E_I32, 2, pd);
    window_scratch(L, &b, &w);
    c.inverse = kernel_scratch(&b, "inverse", E_F32, 1, id);
    if (a->row_shift) c.top = kernel_scratch(&b, "top", E_F32, 1, id);
    transpose_rows(L, &b, a->q, batch_in(&c.in, a->q), head_in(&c.in, a->q), w.queries, ax(0),
                   local_row, &c);
    if (a->pairs) pair_values(L, &b, &w);
    inst_t *fill = b_for(&b, "lane", dim(0), dim(lanes), 0, NULL);
    value_t *row = b_index(&b, local_row(L, &b, &c, ax_v(loop_var(fill))));
    affine_t px[] = {ax(0), ax_v(loop_var(fill))};
    b_store(&b, w.query_pos, b_convert(&b, E_I32, row), px);
    b_end_for(&b, fill, NULL);
    inst_t *panels = b_for(&b, "panel", dim(0), dim(lanes / L->tile), 0, NULL);
    w.panel = ax_v(loop_var(panels));
    local_panel(L, &b, &w);
    b_end_for(&b, panels, NULL);
    a->attend = b.fn;
}
