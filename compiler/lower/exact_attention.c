/* Exact attention (docs/semantics.md 6.2 and 6.7), for LSH and local layers alike: every query
 * against every key, block by block.
 *
 * A task holds blocks of queries, transposed, with their unnormalised output O and sum of weights
 * in scratch, and takes one block of keys per step:  S = K·Qᵀ,  P = exp(S - shift),  O += P·V.
 * Keys and values are read where the projection left them. Causal: query block i sees the key
 * blocks 0 … i. Blocks go in pairs, a short one with a long one, so that all tasks have the same
 * literal number of steps, and none for keys that causality masks: of n blocks, task t has t - n %
 * 2 (none where that is -1) and n-1-t.
 *
 * Softmax: |q| · max |k| bounds the scores (LSH: keys are normalised, so |q| does). Where the bound
 * is small enough for e^-2bound to be a normal number it is the shift, and weights come in one
 * pass. Blocks of queries with a greater one, and all where the square of a key overflows (2^x is
 * for numbers alone), take the general path, a running maximum by whose changes O and the sum are
 * scaled; there an LSH row has itself among its keys, as the last resort. Of bf16 the shift decides
 * how weights are rounded: it is |q| or, in local layers always, the greatest score, so that the
 * general path goes over the keys once for maxima, if there is more than one block of them, and
 * then for weights. Masked keys weigh nothing; a row without keys is made at the end: its own value
 * (LSH: it sees itself, Q2), the sum of all (local: Q1), and so is a local row all whose scores lie
 * below that of masked keys. Results do not depend on workers or tiles: blocks are the same for
 * all, and each row is summed up in order. */
#include "lower/exact_attention.h"
#include "lower/math.h"

/* Tokens per block, whole panels; by measurement: short ones waste less at the diagonal, long ones
 * pass over O less often. */
enum { EXACT_BLOCK = 64 };

/* ---- norms of keys --------------------------------------------------------------------------- */

typedef struct {
    buffer_t *keys;
    heads_t in;
    affine_t row;
} key_row_t;

static value_t *add_square(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                           value_t *acc) {
    (void)L;
    const key_row_t *c = ctx;
    affine_t ix[] = {ax(0), ax(0), c->row, at};
    value_t *x = b_load(b, c->keys, width, in_heads(&c->in, c->keys, ix));
    x = b_convert(b, E_F32, x);
    return b_fma(b, x, x, acc);
}

static void lower_norms(lower_t *L, attention_t *a) {
    bool lsh = a->lsh;
    dim_t tasks[] = {dim(L->batch), dim(a->group), L->blocks};
    const char *names[] = {"batch", "head", "block"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, "norms"), 3, tasks, names);
    describe(L, b.fn, a->node->at, "%s attention, exact: %s", lsh ? "LSH" : "local",
             lsh ? "1 / norm of every key" : "norm of every key / sqrt(head size)");
    told_t told = tell_stacks(L, &b, a, a->own->class->pattern->nodes.at[0]);
    inst_t *rows = b_for(&b, "i", dim(0), dim(L->block), 0, NULL);
    affine_t row = ax_add(ax_scale(ax_v(b.fn->task[2]), L->block), ax_v(loop_var(rows)));
    key_row_t c = {lsh ? a->q : a->k,
                   told_heads(L, a, &told, ax_v(b.fn->task[0]), ax_v(b.fn->task[1])), row};
    value_t *x = fold_span(L, &b, a->head_size, OP_ADD, 0, add_square, &c);
    if (lsh)
        x = b_binary(&b, OP_MAX, key_factor(&b, x, a->head_size), b_const(&b, SCALAR(E_F32), 0));
    else x = comparable(&b, b_binary(&b, OP_MUL, b_unary(&b, OP_SQRT, x), local_factor(a, &b, 1)));
    affine_t to[] = {ax(0), ax(0), row};
    b_store(&b, a->key_norm, x, in_heads(&c.in, a->key_norm, to));
    b_end_for(&b, rows, NULL);
    a->norms = b.fn;
}

static value_t *greatest(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                         value_t *acc) {
    (void)L;
    const exact_t *c = ctx;
    affine_t ix[] = {ax(0), ax(0), at};
    return b_binary(b, OP_MAX, acc,
                    b_load(b, c->a->key_norm, width, in_heads(&c->in, c->a->key_norm, ix)));
}

static value_t *min(lower_t *L, builder_t *b, void *ctx, affine_t at, int width, value_t *acc) {
    (void)L;
    const exact_t *c = ctx;
    affine_t ix[] = {ax(0), ax(0), at};
    return b_binary(b, OP_MIN, acc,
                    b_load(b, c->a->key_norm, width, in_heads(&c->in, c->a->key_norm, ix)));
}

bool has_exact_bound(const attention_t *a) {
    return a->lsh || !a->rounded;
}

/* Of a NaN or of a square that overflows, a local key's norm is the greatest number
 * and an LSH key's factor 0. */
static void look_at_keys(lower_t *L, builder_t *b, exact_t *c) {
    ltype_t f = SCALAR(E_F32);
    if (!has_exact_bound(c->a)) return;
    if (c->a->lsh) {
        value_t *factor = fold_span(L, b, c->length, OP_MIN, GREATEST, min, c);
        c->keys_square = b_compare(b, OP_GT, factor, b_const(b, f, 0));
    } else {
        c->max_key = fold_span(L, b, c->length, OP_MAX, 0, greatest, c);
        c->keys_square = b_compare(b, OP_LE, c->max_key, b_const(b, f, MAX_NORM));
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* The block of queries in a slot. */
static affine_t query_block(builder_t *b, const exact_t *c, value_t *slot) {
    if (c->slots == 1) return c->task;
    affine_t apart = ax_plus(ax_scale(c->task, -2), c->blocks - 1 + c->odd);
    value_t *skip = b_binary(b, OP_MUL, slot, b_index(b, apart));
    value_t *block = b_index(b, ax_plus(ax_add(c->task, ax_v(skip)), -c->odd));
    return ax_v(b_name(b_binary(b, OP_MIN, block, b_index(b, ax(c->blocks - 1))), "queries"));
}

/* ---- before the first step ------------------------------------------------------------------- */

/* Queries of huge norms are kept lessened. */
static void lessen_panel(lower_t *L, builder_t *b, const exact_t *c, value_t *const *norms) {
    value_t *max = norms[0], *huge = b_const(b, SCALAR(E_F32), HUGE_NORM);
    for (int j = 1; j < L->tiles->vectors; j++) max = b_binary(b, OP_MAX, max, norms[j]);
    inst_t *usual = b_if(b, b_compare(b, OP_LE, reduce(b, L, OP_MAX, max), huge), 0, NULL);
    b_likely(usual);
    b_else(b, usual, NULL);
    lessen_queries(L, b, c->w->queries, c->slot, c->w->panel, norms);
    b_end_if(b, usual, NULL);
}

/* Bounds of the scores of a panel, as vectors; raises max[]. */
static void panel_bounds(lower_t *L, builder_t *b, exact_t *c, value_t **max) {
    int nv = L->tiles->vectors;
    value_t *squares[MAX_VECTORS], *norms[MAX_VECTORS];
    panel_squares(L, b, c->w->queries, c->w->order, c->slot, c->w->panel, squares);
    for (int j = 0; j < nv; j++) {
        value_t *bound = b_unary(b, OP_SQRT, squares[j]);
        if (c->max_key) bound = b_binary(b, OP_MUL, bound, b_broadcast(b, c->max_key, L->lanes));
        affine_t ix[] = {c->slot, in_panel(L, c, j)};
        norms[j] = bound = comparable(b, bound);
        b_store(b, c->bound, bound, ix);
        b_store(b, c->sum, splat(b, L, 0), ix);
        b_store(b, c->top, splat(b, L, LOWEST), ix);
        max[j] = b_binary(b, OP_MAX, max[j], bound);
    }
    if (c->a->lsh) lessen_panel(L, b, c, norms);
}

typedef struct {
    const exact_t *c;
    affine_t lane;
} cleared_t;

static void clear_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const cleared_t *r = ctx;
    affine_t ix[] = {r->c->slot, r->lane, at};
    b_store(b, r->c->output, b_const(b, VECTOR(E_F32, width), 0), ix);
}

static void prepare(lower_t *L, builder_t *b, exact_t *c) {
    transpose_rows(L, b, c->a->q, batch_in(&c->in, c->a->q), head_in(&c->in, c->a->q),
                   c->w->queries, c->slot, query_row, c);
    inst_t *lanes = b_for(b, "lane", dim(0), dim(c->block), 0, NULL);
    affine_t lane = ax_v(loop_var(lanes)), px[] = {c->slot, lane};
    value_t *row = b_index(b, query_row(L, b, c, lane));
    b_store(b, c->w->query_pos, b_convert(b, E_I32, row), px);
    cleared_t r = {c, lane};
    for_span(L, b, c->a->head_stride, clear_span, &r);
    b_end_for(b, lanes, NULL);

    int nv = L->tiles->vectors;
    value_t *max[MAX_VECTORS];
    for (int j = 0; j < nv; j++) max[j] = splat(b, L, 0);
    inst_t *panels = b_for(b, "panel", dim(0), dim(c->block / L->tile), nv, max);
    c->w->panel = ax_v(loop_var(panels));
    for (int j = 0; j < nv; j++) max[j] = loop_arg(panels, j);
    panel_bounds(L, b, c, max);
    b_end_for(b, panels, max);
    value_t *all = panels->results[0];
    for (int j = 1; j < nv; j++) all = b_binary(b, OP_MAX, all, panels->results[j]);
    value_t *bound = b_const(b, SCALAR(E_F32), GREATEST);
    if (c->keys_square) bound = b_select(b, c->keys_square, reduce(b, L, OP_MAX, all), bound);
    b_store(b, c->max_bound, bound, &c->slot);
}

/* ---- a step ---------------------------------------------------------------------------------- */

/* Which blocks meet in step `s`: the first block of queries has its steps before the second. */
static void open_step(builder_t *b, exact_t *c, value_t *s) {
    c->slot = ax(0);
    c->key_block = ax_v(s);
    if (c->slots == 2) {
        value_t *steps = b_name(b_index(b, ax_plus(c->task, 1 - c->odd)), "steps");
        value_t *second = b_compare(b, OP_GE, s, steps);
        second = b_binary(b, OP_AND, second, b_iconst(b, SCALAR(E_I32), 1));
        second = b_name(b_convert(b, E_I64, second), "slot");
        value_t *key = b_binary(b, OP_SUB, s, b_binary(b, OP_MUL, second, steps));
        key = b_binary(b, OP_MIN, key, b_index(b, ax(c->blocks - 1)));
        c->slot = ax_v(second);
        c->key_block = ax_v(b_name(b_binary(b, OP_MAX, key, b_index(b, ax(0))), "keys"));
    }
    c->w->query_slot = c->slot;
}

static value_t *is_bounded(builder_t *b, const exact_t *c) {
    value_t *max = b_name(b_load(b, c->max_bound, 1, &c->slot), "most_bound");
    return b_compare(b, OP_LE, max, b_const(b, SCALAR(E_F32), MAX_SHIFT));
}

static void step(lower_t *L, builder_t *b, exact_t *c, value_t *s) {
    open_step(b, c, s);
    if (c->values) pair_values(L, b, c);
    if (!has_exact_bound(c->a)) {
        attend_panels(L, b, c, false);
        return;
    }
    inst_t *way = b_if(b, is_bounded(b, c), 0, NULL);
    b_likely(way);
    attend_panels(L, b, c, true);
    b_else(b, way, NULL);
    attend_panels(L, b, c, false);
    b_end_if(b, way, NULL);
}

static void maxima(lower_t *L, builder_t *b, exact_t *c, value_t *s) {
    open_step(b, c, s);
    inst_t *way = has_exact_bound(c->a) ? b_if(b, is_bounded(b, c), 0, NULL) : NULL;
    if (way) b_else(b, way, NULL);
    raise_maxima(L, b, c);
    if (way) b_end_if(b, way, NULL);
}

/* ---- the kernel ------------------------------------------------------------------------------ */

static void scratch_buffers(lower_t *L, builder_t *b, exact_t *c, window_t *w) {
    dim_t slots = dim(c->slots), lanes[] = {slots, dim(c->block)}, tile = dim(L->tile);
    dim_t od[] = {slots, dim(c->block), dim(c->a->head_stride)};
    dim_t vd[] = {dim(c->a->head_stride)};
    w->queries = query_panels(L, b, c->slots, c->block, c->a->head_size, c->a->pairs);
    w->query_pos = kernel_scratch(b, "query_pos", E_I32, 2, lanes);
    window_scratch(L, b, w);
    if (c->a->pairs) c->values = value_panels(L, b, 1, c->keys, c->a->head_stride, true);
    c->bound = kernel_scratch(b, "bound", E_F32, 2, lanes);
    c->max_bound = kernel_scratch(b, "most_bound", E_F32, 1, &slots);
    c->top = kernel_scratch(b, "top", E_F32, 2, lanes);
    c->sum = kernel_scratch(b, "sum", E_F32, 2, lanes);
    c->rescale = kernel_scratch(b, "rescale", E_F32, 1, &tile);
    c->output = kernel_scratch(b, "output", E_F32, 3, od);
    c->inverse = kernel_scratch(b, "inverse", E_F32, 1, &tile);
    if (!c->a->lsh) c->total = kernel_scratch(b, "total", E_F32, 1, vd);
}

typedef void slot_fn(lower_t *L, builder_t *b, exact_t *c);

static void for_slots(lower_t *L, builder_t *b, exact_t *c, slot_fn *body) {
    inst_t *loop = b_for(b, "slot", dim(0), dim(c->slots), 0, NULL);
    c->slot = ax_v(loop_var(loop));
    c->queries = query_block(b, c, loop_var(loop));
    body(L, b, c);
    b_end_for(b, loop, NULL);
}

typedef void step_fn(lower_t *L, builder_t *b, exact_t *c, value_t *s);

static void for_steps(lower_t *L, builder_t *b, exact_t *c, step_fn *body) {
    inst_t *steps = b_for(b, "step", dim(0), dim(c->blocks + c->slots - 1 - c->odd), 0, NULL);
    body(L, b, c, loop_var(steps));
    b_end_for(b, steps, NULL);
}

/* Whole panels, whatever the tile. */
static void cut(exact_t *c) {
    c->block = c->length < EXACT_BLOCK ? round_up(c->length, PANEL) : EXACT_BLOCK;
    c->blocks = (c->length + c->block - 1) / c->block;
    c->keys = c->block < c->length ? c->block : c->length;
    c->slots = c->a->causal ? 2 : 1;
    c->odd = c->a->causal ? c->blocks % 2 : 0;
}

void lower_exact_attention(lower_t *L, attention_t *a) {
    bool lsh = a->lsh;
    if (has_exact_bound(a)) lower_norms(L, a);
    exact_t c = {.a = a, .length = L->padded.c};
    cut(&c);
    dim_t tasks[] = {dim(L->batch), dim(a->group), dim((c.blocks + c.odd) / c.slots)};
    const char *names[] = {"batch", "head", "task"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, "attention"), 3, tasks, names);
    describe(L, b.fn, a->node->at,
             "%s attention, exact: blocks of %lld queries against %s of %lld keys",
             lsh ? "LSH" : "local", (long long)c.block, a->causal ? "those up to theirs" : "all",
             (long long)c.keys);
    c.batch = ax_v(b.fn->task[0]);
    c.head = ax_v(b.fn->task[1]);
    c.task = ax_v(b.fn->task[2]);
    told_t told = tell_attention(L, &b, a, a->node);
    c.in = told_heads(L, a, &told, c.batch, c.head);
    window_t w = exact_window(&c);
    c.w = &w;
    kept_t *kept = begin_kept(L, &b, a, &told, c.batch, c.head);
    kept_of_round(L, &b, a, kept, ax(0));
    w.kept = kept;
    scratch_buffers(L, &b, &c, &w);
    look_at_keys(L, &b, &c);
    for_slots(L, &b, &c, prepare);
    if (has_maxima_first(&c)) for_steps(L, &b, &c, maxima);
    for_steps(L, &b, &c, step);
    for_slots(L, &b, &c, finish_queries);
    a->attend = b.fn;
}
