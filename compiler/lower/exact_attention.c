/* Exact attention (HF_SEMANTICS 6.2 and 6b), for LSH and local layers alike: every query against every key, block by
 * block.
 *
 * A task holds blocks of queries, transposed, with their unnormalised output O and sum of weights in scratch, and
 * takes one block of keys per step:  S = K·Qᵀ,  P = exp(S - shift),  O += P·V.  Keys and values are read where the
 * projection left them. Causal: query block i sees the key blocks 0 … i. Blocks go in pairs, a short one with a long
 * one, so that all tasks have the same literal number of steps, and none for keys that causality masks: of n blocks,
 * task t has t - n % 2 (none where that is -1) and n-1-t.
 *
 * Softmax: |q| · max |k| bounds the scores (LSH: keys are normalised, so |q| does). Where the bound is small enough
 * for e^-2bound to be a normal number it is the shift, and weights come in one pass. Blocks of queries with a greater
 * one, and all where the square of a key overflows (2^x is for numbers alone), take the general way, a running maximum
 * by whose changes O and the sum are scaled; there an LSH row has itself among its keys, as the last resort. Masked
 * keys weigh nothing; a row without keys is made at the end: its own value (LSH: it sees itself, Q2), the sum of all
 * (local: Q1), and so is a local row all whose scores lie below that of masked keys.
 * Results do not depend on workers or tiles: blocks are the same for all, and each row is summed up in order. */
#include "lower/math.h"
#include "lower/window.h"

/* Tokens per block, whole panels; by measurement: short ones waste less at the diagonal, long ones pass over O less often. */
enum { EXACT_BLOCK = 64 };

typedef struct {
    attention_t *a;
    affine_t batch, head, task;
    int64_t length;              /* padded */
    int64_t block, blocks, keys; /* tokens per block of queries, number of blocks, keys per step */
    int64_t slots, odd;          /* causal: 2, and 1 where `blocks` is odd */
    affine_t slot, queries; /* block of queries in hand: its place in scratch, its number or -1 */
    affine_t key_block, first_key;
    bool bounded;                 /* the way that is being built */
    value_t *most_key;            /* local: the greatest norm of a key */
    value_t *keys_square;         /* whether the squares of all keys are numbers */
    buffer_t *bound, *most_bound; /* of the scores: [slot][lane], the greatest [slot] */
    buffer_t *top, *sum;          /* [slot][lane]: running maximum (general way), sum of weights */
    buffer_t *keep;               /* [tile]: factor of the panel's old output (general way) */
    buffer_t *output;             /* [slot][lane][head] */
    buffer_t *inverse, *total;    /* [tile]: scale of the output; [head]: sum of all values (Q1) */
    window_t *w;
} exact_t;

/* ---- norms of keys ------------------------------------------------------------------------------------ */

/* The keys' factor in the scores of local layers: 1 / sqrt(d). */
static value_t *local_factor(const attention_t *a, builder_t *b, double unit) {
    return b_const(b, SCALAR(E_F32), unit * inverse_root(a->head_size));
}

typedef struct {
    buffer_t *keys;
    affine_t at[3];
} key_row_t;

static value_t *add_square(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                           value_t *acc) {
    (void)L;
    const key_row_t *c = ctx;
    affine_t ix[] = {c->at[0], c->at[1], c->at[2], at};
    value_t *x = b_load(b, c->keys, width, ix);
    return b_fma(b, x, x, acc);
}

static void lower_norms(lower_t *L, attention_t *a) {
    bool lsh = a->lsh;
    dim_t tasks[] = {dim(L->batch), dim(a->group), L->blocks};
    const char *names[] = {"batch", "head", "block"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, "norms"), 3, tasks, names);
    describe(L, b.fn, a->node->at, "%s attention, exact: %s", lsh ? "LSH" : "local",
             lsh ? "1 / norm of every key" : "norm of every key / sqrt(head size)");
    inst_t *rows = b_for(&b, "i", dim(0), dim(L->block), 0, NULL);
    affine_t row = ax_add(ax_scale(ax_v(b.fn->task[2]), L->block), ax_v(loop_var(rows)));
    key_row_t c = {lsh ? a->q : a->k, {ax_v(b.fn->task[0]), ax_v(b.fn->task[1]), row}};
    value_t *x = fold_span(L, &b, a->head_size, OP_ADD, 0, add_square, &c);
    if (lsh)
        x = b_binary(&b, OP_MAX, key_factor(&b, x, a->head_size), b_const(&b, SCALAR(E_F32), 0));
    else x = comparable(&b, b_binary(&b, OP_MUL, b_unary(&b, OP_SQRT, x), local_factor(a, &b, 1)));
    b_store(&b, a->key_norm, x, c.at);
    b_end_for(&b, rows, NULL);
    a->norms = b.fn;
}

static value_t *greatest(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                         value_t *acc) {
    (void)L;
    const exact_t *c = ctx;
    affine_t ix[] = {c->batch, c->head, at};
    return b_binary(b, OP_MAX, acc, b_load(b, c->a->key_norm, width, ix));
}

static value_t *least(lower_t *L, builder_t *b, void *ctx, affine_t at, int width, value_t *acc) {
    (void)L;
    const exact_t *c = ctx;
    affine_t ix[] = {c->batch, c->head, at};
    return b_binary(b, OP_MIN, acc, b_load(b, c->a->key_norm, width, ix));
}

/* Of a NaN or of a square that overflows, a local key's norm is the greatest number and an LSH key's factor 0. */
static void look_at_keys(lower_t *L, builder_t *b, exact_t *c) {
    ltype_t f = SCALAR(E_F32);
    if (c->a->lsh) {
        value_t *factor = fold_span(L, b, c->length, OP_MIN, GREATEST, least, c);
        c->keys_square = b_compare(b, OP_GT, factor, b_const(b, f, 0));
    } else {
        c->most_key = fold_span(L, b, c->length, OP_MAX, 0, greatest, c);
        c->keys_square = b_compare(b, OP_LE, c->most_key, b_const(b, f, MOST_NORM));
    }
}

/* ---- blocks ------------------------------------------------------------------------------------------- */

/* The block of queries in a slot. */
static affine_t query_block(builder_t *b, const exact_t *c, value_t *slot) {
    if (c->slots == 1) return c->task;
    affine_t apart = ax_plus(ax_scale(c->task, -2), c->blocks - 1 + c->odd);
    value_t *skip = b_binary(b, OP_MUL, slot, b_index(b, apart));
    value_t *block = b_index(b, ax_plus(ax_add(c->task, ax_v(skip)), -c->odd));
    return ax_v(b_name(b_binary(b, OP_MIN, block, b_index(b, ax(c->blocks - 1))), "queries"));
}

static bool has_filler(const exact_t *c) {
    return c->odd || c->blocks * c->block > c->length;
}

/* Position of a lane of the block of queries in hand; those that are none repeat the last row, whose block the same
 * task has: others' rows are written over while it reads. */
static affine_t query_row(lower_t *L, builder_t *b, void *ctx, affine_t lane) {
    (void)L;
    const exact_t *c = ctx;
    affine_t row = ax_add(ax_scale(c->queries, c->block), lane);
    if (!has_filler(c)) return row;
    value_t *last = b_index(b, ax(c->length - 1)), *zero = b_index(b, ax(0));
    value_t *at = b_index(b, row);
    at = b_binary(b, OP_MIN, b_select(b, b_compare(b, OP_LT, at, zero), last, at), last);
    return ax_v(b_name(b_binary(b, OP_MAX, at, zero), "row"));
}

/* Opens an `if` for lanes that are queries; NULL: all are. */
static inst_t *query_guard(builder_t *b, const exact_t *c, affine_t lane) {
    if (!has_filler(c)) return NULL;
    value_t *row = b_index(b, ax_add(ax_scale(c->queries, c->block), lane));
    value_t *below = b_compare(b, OP_LT, row, b_index(b, ax(c->length)));
    value_t *above = b_compare(b, OP_GE, row, b_index(b, ax(0)));
    return b_if(b, b_binary(b, OP_AND, below, above), 0, NULL);
}

static affine_t in_panel(const lower_t *L, const exact_t *c, int j) {
    return ax_plus(panel_lane(L, c->w), (int64_t)j * L->lanes);
}

static inst_t *open_panels(lower_t *L, builder_t *b, exact_t *c) {
    inst_t *loop = b_for(b, "panel", dim(0), dim(c->block / L->tile), 0, NULL);
    c->w->panel = ax_v(loop_var(loop));
    return loop;
}

/* ---- before the first step ----------------------------------------------------------------------------- */

/* Queries of huge norms are kept lessened. */
static void lessen_panel(lower_t *L, builder_t *b, const exact_t *c, value_t *const *norms) {
    value_t *most = norms[0], *huge = b_const(b, SCALAR(E_F32), HUGE_NORM);
    for (int j = 1; j < L->tiles->vectors; j++) most = b_binary(b, OP_MAX, most, norms[j]);
    inst_t *usual = b_if(b, b_compare(b, OP_LE, reduce(b, L, OP_MAX, most), huge), 0, NULL);
    b_likely(usual);
    b_else(b, usual, NULL);
    lessen_queries(L, b, c->w->queries, c->slot, c->w->panel, norms);
    b_end_if(b, usual, NULL);
}

/* Bounds of the scores of a panel, as vectors; raises most[]. */
static void panel_bounds(lower_t *L, builder_t *b, exact_t *c, value_t **most) {
    int nv = L->tiles->vectors;
    value_t *squares[MAX_VECTORS], *norms[MAX_VECTORS];
    panel_squares(L, b, c->w->queries, c->slot, c->w->panel, squares);
    for (int j = 0; j < nv; j++) {
        value_t *bound = b_unary(b, OP_SQRT, squares[j]);
        if (c->most_key) bound = b_binary(b, OP_MUL, bound, b_broadcast(b, c->most_key, L->lanes));
        affine_t ix[] = {c->slot, in_panel(L, c, j)};
        norms[j] = bound = comparable(b, bound);
        b_store(b, c->bound, bound, ix);
        b_store(b, c->sum, splat(b, L, 0), ix);
        b_store(b, c->top, splat(b, L, LOWEST), ix);
        most[j] = b_binary(b, OP_MAX, most[j], bound);
    }
    if (c->a->lsh) lessen_panel(L, b, c, norms);
}

typedef struct {
    const exact_t *c;
    affine_t lane;    /* of the block of queries in hand */
    affine_t row;     /* its position */
    value_t *inverse; /* scale of the output; NULL: a row without keys */
} row_t;

static void clear_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const row_t *r = ctx;
    affine_t ix[] = {r->c->slot, r->lane, at};
    b_store(b, r->c->output, b_const(b, VECTOR(E_F32, width), 0), ix);
}

static void prepare(lower_t *L, builder_t *b, exact_t *c) {
    transpose_rows(L, b, c->a->q, c->batch, c->head, c->w->queries, c->slot, query_row, c);
    inst_t *lanes = b_for(b, "lane", dim(0), dim(c->block), 0, NULL);
    affine_t lane = ax_v(loop_var(lanes)), px[] = {c->slot, lane};
    value_t *row = b_index(b, query_row(L, b, c, lane));
    b_store(b, c->w->query_pos, b_convert(b, E_I32, row), px);
    row_t r = {.c = c, .lane = lane};
    for_span(L, b, c->a->head_stride, clear_span, &r);
    b_end_for(b, lanes, NULL);

    int nv = L->tiles->vectors;
    value_t *most[MAX_VECTORS];
    for (int j = 0; j < nv; j++) most[j] = splat(b, L, 0);
    inst_t *panels = b_for(b, "panel", dim(0), dim(c->block / L->tile), nv, most);
    c->w->panel = ax_v(loop_var(panels));
    for (int j = 0; j < nv; j++) most[j] = loop_arg(panels, j);
    panel_bounds(L, b, c, most);
    b_end_for(b, panels, most);
    value_t *all = panels->results[0];
    for (int j = 1; j < nv; j++) all = b_binary(b, OP_MAX, all, panels->results[j]);
    value_t *bound =
        b_select(b, c->keys_square, reduce(b, L, OP_MAX, all), b_const(b, SCALAR(E_F32), GREATEST));
    b_store(b, c->most_bound, bound, &c->slot);
}

/* ---- the window's view of a block of keys ----------------------------------------------------------------- */

/* The last block of keys ends with the last key, and so begins with keys that the one before has had. */
static void exact_open(lower_t *L, builder_t *b, window_t *w, value_t *o) {
    (void)L, (void)o;
    exact_t *c = w->ctx;
    c->first_key = ax_scale(c->key_block, c->block);
    if (c->length % c->block == 0) return;
    c->first_key = ax_v(at_most(b, c->first_key, dim(c->length - c->keys)));
}

static value_t *exact_key(lower_t *L, builder_t *b, window_t *w, affine_t run, affine_t lane,
                          affine_t k) {
    (void)L, (void)run; /* there is one */
    const exact_t *c = w->ctx;
    affine_t ix[] = {c->batch, c->head, ax_add(c->first_key, lane), k};
    return b_load(b, c->a->lsh ? c->a->q : c->a->k, 1, ix);
}

static value_t *exact_scale(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    (void)L;
    const exact_t *c = w->ctx;
    if (!c->a->lsh) return local_factor(c->a, b, c->bounded ? LOG2_E : 1);
    affine_t ix[] = {c->batch, c->head, ax_add(c->first_key, key)};
    value_t *factor = load1(b, c->a->key_norm, 3, ix);
    return c->bounded ? b_binary(b, OP_MUL, factor, b_const(b, SCALAR(E_F32), LOG2_E)) : factor;
}

/* `pos`, but for keys that the block before has had. */
static value_t *not_again(builder_t *b, const exact_t *c, affine_t row, value_t *pos) {
    if (c->length % c->block == 0) return pos;
    value_t *from = b_index(b, ax_scale(c->key_block, c->block));
    value_t *again = b_compare(b, OP_LT, b_index(b, row), from);
    return b_select(b, again, b_iconst(b, SCALAR(E_I32), REFORMER_MASKED), pos);
}

static value_t *exact_pos(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    const exact_t *c = w->ctx;
    affine_t row = ax_add(c->first_key, key), ix[] = {c->batch, row};
    return not_again(b, c, row, load1(b, L->key, 2, ix));
}

static value_t *exact_own(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    (void)L;
    const exact_t *c = w->ctx;
    affine_t row = ax_add(c->first_key, key);
    return not_again(b, c, row, b_convert(b, E_I32, b_index(b, row)));
}

static value_t *exact_norm(lower_t *L, builder_t *b, window_t *w, int j) {
    const exact_t *c = w->ctx;
    affine_t ix[] = {w->query_slot, in_panel(L, c, j)};
    return b_load(b, c->bound, L->lanes, ix);
}

static value_t *exact_self(lower_t *L, builder_t *b, window_t *w, int j) {
    (void)w, (void)j;
    return splat(b, L, SELF_KEY);
}

static value_t *exact_value(lower_t *L, builder_t *b, window_t *w, affine_t key, affine_t panel,
                            int64_t col) {
    const exact_t *c = w->ctx;
    affine_t column = ax_plus(ax_scale(panel, L->tile), col);
    affine_t ix[] = {c->batch, c->head, ax_add(c->first_key, key), column};
    return b_load(b, c->a->v, L->lanes, ix);
}

/* The rows of the next block of keys, which for long inputs are not in a near cache. */
static void exact_ahead(lower_t *L, builder_t *b, window_t *w, affine_t lane) {
    const exact_t *c = w->ctx;
    affine_t row = ax_add(c->first_key, ax_plus(ax_add(panel_lane(L, w), lane), c->keys));
    affine_t at = ax_v(b_name(at_most(b, row, dim(c->length - 1)), "next"));
    affine_t kx[] = {c->batch, c->head, at, ax(0)}, vx[] = {c->batch, c->head, at, ax(0)};
    prefetch_row(b, c->a->lsh ? c->a->q : c->a->k, kx, c->a->head_stride);
    prefetch_row(b, c->a->v, vx, c->a->head_stride);
}

/* ---- a step ------------------------------------------------------------------------------------------------ */

/* O += P·V, or O = O * keep + P·V. */
static void add_rows(lower_t *L, builder_t *b, window_t *w, affine_t row, affine_t col, int rows,
                     value_t **acc) {
    const exact_t *c = w->ctx;
    for (int i = 0; i < rows; i++) {
        affine_t lane = ax_plus(row, i);
        value_t *keep = NULL;
        if (!c->bounded) keep = b_broadcast(b, b_load(b, c->keep, 1, &lane), L->lanes);
        for (int j = 0; j < L->tiles->vectors; j++) {
            affine_t ix[] = {c->slot, ax_add(panel_lane(L, w), lane),
                             ax_plus(col, (int64_t)j * L->lanes)};
            value_t *old = b_load(b, c->output, L->lanes, ix);
            value_t *x = acc[i * L->tiles->vectors + j];
            x = keep ? b_fma(b, old, keep, x) : b_binary(b, OP_ADD, old, x);
            b_store(b, c->output, x, ix);
        }
    }
}

static void bounded_panel(lower_t *L, builder_t *b, exact_t *c) {
    value_t *sum[MAX_VECTORS], *shift[MAX_VECTORS];
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {c->slot, in_panel(L, c, j)};
        shift[j] = b_binary(b, OP_MUL, b_load(b, c->bound, L->lanes, ix), splat(b, L, LOG2_E));
    }
    window_weights(L, b, c->w, shift, sum);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {c->slot, in_panel(L, c, j)};
        b_store(b, c->sum, b_binary(b, OP_ADD, b_load(b, c->sum, L->lanes, ix), sum[j]), ix);
    }
    window_values(L, b, c->w, add_rows);
}

static void general_panel(lower_t *L, builder_t *b, exact_t *c) {
    value_t *most[MAX_VECTORS], *sum[MAX_VECTORS], *shift[MAX_VECTORS], *keep[MAX_VECTORS];
    window_scores(L, b, c->w, most);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {c->slot, in_panel(L, c, j)}, kx[] = {ax((int64_t)j * L->lanes)};
        value_t *old = b_load(b, c->top, L->lanes, ix), *top = b_binary(b, OP_MAX, old, most[j]);
        keep[j] = m_exp(L, b, b_binary(b, OP_SUB, old, top));
        shift[j] = top;
        b_store(b, c->top, top, ix);
        b_store(b, c->keep, keep[j], kx);
    }
    window_exp(L, b, c->w, shift, sum);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {c->slot, in_panel(L, c, j)};
        b_store(b, c->sum, b_fma(b, b_load(b, c->sum, L->lanes, ix), keep[j], sum[j]), ix);
    }
    window_values(L, b, c->w, add_rows);
}

static void attend(lower_t *L, builder_t *b, exact_t *c, bool bounded) {
    c->bounded = bounded;
    inst_t *panels = open_panels(L, b, c);
    if (bounded) bounded_panel(L, b, c);
    else general_panel(L, b, c);
    b_end_for(b, panels, NULL);
}

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

static void step(lower_t *L, builder_t *b, exact_t *c, value_t *s) {
    open_step(b, c, s);
    value_t *most = b_name(b_load(b, c->most_bound, 1, &c->slot), "most_bound");
    value_t *limit = b_const(b, SCALAR(E_F32), MOST_SHIFT);
    inst_t *way = b_if(b, b_compare(b, OP_LE, most, limit), 0, NULL);
    b_likely(way);
    attend(L, b, c, true);
    b_else(b, way, NULL);
    attend(L, b, c, false);
    b_end_if(b, way, NULL);
}

/* ---- after the last step ------------------------------------------------------------------------------------- */

/* total = the sum of all values: every key counts, masked or not, but those that are absent. */
static void sum_values(lower_t *L, builder_t *b, const exact_t *c) {
    inst_t *columns = b_for(b, "column", dim(0), dim(c->a->head_stride / L->lanes), 0, NULL);
    affine_t col = ax_scale(ax_v(loop_var(columns)), L->lanes);
    value_t *sum = splat(b, L, 0);
    inst_t *keys = b_for(b, "key", dim(0), dim(c->length), 1, &sum);
    affine_t key = ax_v(loop_var(keys)), kx[] = {c->batch, key};
    affine_t vx[] = {c->batch, c->head, key, col};
    value_t *pos = b_broadcast(b, load1(b, L->key, 2, kx), L->lanes);
    value_t *gone = b_iconst(b, VECTOR(E_I32, L->lanes), REFORMER_ABSENT);
    value_t *v = b_load(b, c->a->v, L->lanes, vx);
    v = b_select(b, b_compare(b, OP_EQ, pos, gone), splat(b, L, 0), v);
    sum = b_binary(b, OP_ADD, loop_arg(keys, 0), v);
    b_end_for(b, keys, &sum);
    b_store(b, c->total, keys->results[0], &col);
    b_end_for(b, columns, NULL);
}

/* Whether the block of queries took the general way: only there is a running maximum. */
static value_t *is_general(builder_t *b, const exact_t *c) {
    value_t *most = b_load(b, c->most_bound, 1, &c->slot);
    return b_compare(b, OP_GT, most, b_const(b, SCALAR(E_F32), MOST_SHIFT));
}

/* Scales of the panel's outputs; the sum of all values where a row needs it. */
static void panel_inverse(lower_t *L, builder_t *b, const exact_t *c) {
    value_t *fewest = NULL, *general = b_broadcast(b, is_general(b, c), L->lanes);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {c->slot, in_panel(L, c, j)}, to = ax((int64_t)j * L->lanes);
        value_t *sum = b_load(b, c->sum, L->lanes, ix), *top = b_load(b, c->top, L->lanes, ix);
        top = b_select(b, general, top, splat(b, L, 0));
        b_store(b, c->inverse, softmax_scale(L, b, top, sum), &to);
        sum = comparable(b, sum);
        fewest = fewest ? b_binary(b, OP_MIN, fewest, sum) : sum;
    }
    if (c->a->lsh) return;
    value_t *zero = b_const(b, SCALAR(E_F32), 0);
    inst_t *some = b_if(b, b_compare(b, OP_NE, reduce(b, L, OP_MIN, fewest), zero), 0, NULL);
    b_likely(some);
    b_else(b, some, NULL);
    sum_values(L, b, c);
    b_end_if(b, some, NULL);
}

static void finish_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const row_t *r = ctx;
    const exact_t *c = r->c;
    bool lsh = c->a->lsh;
    affine_t from[] = {c->slot, r->lane, at}, to[] = {c->batch, c->head, r->row, at};
    value_t *x = NULL;
    if (r->inverse)
        x = b_binary(b, OP_MUL, b_load(b, c->output, width, from),
                     b_broadcast(b, r->inverse, width));
    else x = lsh ? b_load(b, c->a->v, width, to) : b_load(b, c->total, width, &at);
    b_store(b, lsh ? c->a->out : c->a->q, x, to);
}

/* -1 where the key at this place is masked for the row, as one that causality hides is. */
static value_t *is_hidden(lower_t *L, builder_t *b, const exact_t *c, affine_t row, affine_t key) {
    affine_t kx[] = {c->batch, key};
    ltype_t i32 = SCALAR(E_I32);
    value_t *pos = load1(b, L->key, 2, kx);
    value_t *seen =
        c->w->causal ? b_convert(b, E_I32, b_index(b, row)) : b_iconst(b, i32, REFORMER_MASKED - 1);
    return b_binary(b, OP_AND, b_compare(b, OP_GT, pos, seen),
                    b_compare(b, OP_NE, pos, b_iconst(b, i32, REFORMER_ABSENT)));
}

static value_t *count_hidden(lower_t *L, builder_t *b, const exact_t *c, affine_t row) {
    value_t *zero = b_iconst(b, SCALAR(E_I32), 0);
    inst_t *keys = b_for(b, "key", dim(0), dim(c->length), 1, &zero);
    value_t *hidden = is_hidden(L, b, c, row, ax_v(loop_var(keys)));
    value_t *next = b_binary(b, OP_SUB, loop_arg(keys, 0), hidden);
    b_end_for(b, keys, &next);
    return keys->results[0];
}

/* The values of the row's hidden keys, whose scores are the greatest, and of keys that have the same. */
static void hidden_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const row_t *r = ctx;
    const exact_t *c = r->c;
    ltype_t f = VECTOR(E_F32, width);
    affine_t from[] = {c->slot, r->lane, at}, to[] = {c->batch, c->head, r->row, at};
    affine_t tx[] = {c->slot, r->lane};
    value_t *equal =
        b_compare(b, OP_EQ, b_load(b, c->top, 1, tx), b_const(b, SCALAR(E_F32), MASKED_KEY));
    if (width > 1) equal = b_broadcast(b, equal, width);
    value_t *sum = b_select(b, equal, b_load(b, c->output, width, from), b_const(b, f, 0));
    inst_t *keys = b_for(b, "key", dim(0), dim(c->length), 1, &sum);
    affine_t key = ax_v(loop_var(keys)), vx[] = {c->batch, c->head, key, at};
    value_t *hidden = is_hidden(L, b, c, r->row, key);
    if (width > 1) hidden = b_broadcast(b, hidden, width);
    value_t *v = b_select(b, hidden, b_load(b, c->a->v, width, vx), b_const(b, f, 0));
    value_t *next = b_binary(b, OP_ADD, loop_arg(keys, 0), v);
    b_end_for(b, keys, &next);
    b_store(b, c->a->q, keys->results[0], to);
}

/* The output of a row that has keys. In a local layer keys whose scores lie below that of masked ones weigh less. */
static void finish_row(lower_t *L, builder_t *b, const exact_t *c, row_t *r) {
    inst_t *all = NULL;
    if (!c->a->lsh) {
        affine_t tx[] = {c->slot, r->lane};
        value_t *below =
            b_compare(b, OP_LE, b_load(b, c->top, 1, tx), b_const(b, SCALAR(E_F32), MASKED_KEY));
        value_t *zero = b_iconst(b, SCALAR(E_I32), 0);
        below = b_binary(b, OP_AND, below, is_general(b, c));
        inst_t *high = b_if(b, b_compare(b, OP_EQ, below, zero), 1, &zero->type);
        b_likely(high);
        b_else(b, high, &zero);
        value_t *hidden = count_hidden(L, b, c, r->row);
        b_end_if(b, high, &hidden);
        all = b_if(b, b_compare(b, OP_EQ, high->results[0], zero), 0, NULL);
        b_likely(all);
    }
    for_span(L, b, c->a->head_stride, finish_span, r);
    if (!all) return;
    b_else(b, all, NULL);
    for_span(L, b, c->a->head_stride, hidden_span, r);
    b_end_if(b, all, NULL);
}

static void finish(lower_t *L, builder_t *b, exact_t *c) {
    inst_t *panels = open_panels(L, b, c);
    panel_inverse(L, b, c);
    inst_t *lanes = b_for(b, "lane", dim(0), dim(L->tile), 0, NULL);
    affine_t lane = ax_v(loop_var(lanes));
    row_t r = {.c = c, .lane = ax_add(panel_lane(L, c->w), lane)};
    inst_t *guard = query_guard(b, c, r.lane);
    r.row = query_row(L, b, c, r.lane);
    affine_t sx[] = {c->slot, r.lane};
    value_t *zero = b_const(b, SCALAR(E_F32), 0);
    inst_t *some = b_if(b, b_compare(b, OP_NE, b_load(b, c->sum, 1, sx), zero), 0, NULL);
    b_likely(some);
    r.inverse = b_load(b, c->inverse, 1, &lane);
    finish_row(L, b, c, &r);
    b_else(b, some, NULL);
    r.inverse = NULL;
    for_span(L, b, c->a->head_stride, finish_span, &r);
    b_end_if(b, some, NULL);
    if (guard) b_end_if(b, guard, NULL);
    b_end_for(b, lanes, NULL);
    b_end_for(b, panels, NULL);
}

/* ---- the kernel ---------------------------------------------------------------------------------------------- */

static void scratch_buffers(lower_t *L, builder_t *b, exact_t *c, window_t *w) {
    dim_t slots = dim(c->slots), lanes[] = {slots, dim(c->block)}, tile = dim(L->tile);
    dim_t od[] = {slots, dim(c->block), dim(c->a->head_stride)};
    dim_t sd[] = {dim(c->keys), tile}, vd[] = {dim(c->a->head_stride)};
    w->queries = query_panels(L, b, c->slots, c->block, c->a->head_size);
    w->query_pos = kernel_scratch(b, "query_pos", E_I32, 2, lanes);
    w->scores = kernel_scratch(b, "scores", E_F32, 2, sd);
    c->bound = kernel_scratch(b, "bound", E_F32, 2, lanes);
    c->most_bound = kernel_scratch(b, "most_bound", E_F32, 1, &slots);
    c->top = kernel_scratch(b, "top", E_F32, 2, lanes);
    c->sum = kernel_scratch(b, "sum", E_F32, 2, lanes);
    c->keep = kernel_scratch(b, "keep", E_F32, 1, &tile);
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
    lower_norms(L, a);
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
    window_t w = {.chunk = c.keys,
                  .run = c.keys,
                  .span = 1,
                  .width = a->head_stride,
                  .causal = a->causal,
                  .exclude_self = lsh,
                  .masked = NOTHING,
                  .ctx = &c,
                  .ahead = exact_ahead,
                  .open_chunk = exact_open,
                  .key_at = exact_key,
                  .key_scale = exact_scale,
                  .key_pos = exact_pos,
                  .key_own = exact_own,
                  .self_score = exact_self,
                  .norm = exact_norm,
                  .value_at = exact_value};
    c.w = &w;
    scratch_buffers(L, &b, &c, &w);
    look_at_keys(L, &b, &c);
    for_slots(L, &b, &c, prepare);
    inst_t *steps = b_for(&b, "step", dim(0), dim(c.blocks + c.slots - 1 - c.odd), 0, NULL);
    step(L, &b, &c, loop_var(steps));
    b_end_for(&b, steps, NULL);
    for_slots(L, &b, &c, finish);
    a->attend = b.fn;
}
