/* Scores, softmax and product with V of one query panel; see window.h. */
#include "lower/window.h"

#include <math.h>

#include "lower/math.h"

double inverse_root(int64_t n) {
    return 1.0 / sqrt((double)n);
}

/* x or y, as an index */
static affine_t index_select(builder_t *b, value_t *mask, affine_t x, affine_t y) {
    value_t *a = b_convert(b, E_I32, b_index(b, x)), *c = b_convert(b, E_I32, b_index(b, y));
    return ax_v(b_select(b, mask, a, c));
}

/* Chunks wrap around. Beyond one turn Hugging Face's slices degenerate and the chunk meets itself
 * (docs/semantics.md 6.4); that happens only with fewer chunks than the window reaches. */
affine_t window_chunk(lower_t *L, builder_t *b, const attention_t *a, dim_t chunks, affine_t chunk,
                      affine_t offset) {
    int64_t reach = a->before > a->after ? a->before : a->after;
    if (reach == 0) return chunk;
    int64_t fewest = dim_at(chunks, L->g->units.min), turns = (a->before + fewest - 1) / fewest;
    affine_t sum = ax_add(ax_add(chunk, offset), (affine_t){.base = dim_scale(chunks, turns)});
    affine_t other = ax_v(b_name(b_irem(b, b_index(b, sum), chunks), "other"));
    if (reach <= fewest) return other;
    value_t *o = b_index(b, offset);
    value_t *below = b_compare(b, OP_LT, o, b_iconst(b, SCALAR(E_I64), -fewest));
    value_t *above = b_compare(b, OP_GT, o, b_iconst(b, SCALAR(E_I64), fewest));
    return index_select(b, b_binary(b, OP_OR, below, above), chunk, other);
}

order_t order_of_products(const attention_t *a) {
    if (!a->rounded) return ONE_BY_ONE;
    return a->pairs ? DOT_PAIRS : ODD_FIRST;
}

int64_t pairs_of(int64_t chunk) {
    return (chunk + 1) / 2;
}

int64_t trips_of(order_t order, int64_t depth) {
    return order == ONE_BY_ONE ? depth : order == DOT_PAIRS ? pairs_of(depth) : depth / 2;
}

void window_scratch(lower_t *L, builder_t *b, window_t *w) {
    dim_t sd[] = {dim(w->span * w->chunk), dim(L->tile)};
    dim_t wd[] = {dim(w->span * pairs_of(w->chunk)), dim(2 * L->tile)};
    w->scores = kernel_scratch(b, "scores", E_F32, 2, sd);
    if (w->order == DOT_PAIRS) w->weights = kernel_scratch(b, "weights", E_BF16, 2, wd);
}

affine_t panel_lane(const lower_t *L, const window_t *w) {
    return ax_scale(w->panel, L->tile);
}

inst_t *window_guard(lower_t *L, builder_t *b, const window_t *w, affine_t row) {
    if (w->chunk % L->tile == 0) return NULL;
    value_t *lane = b_index(b, ax_add(panel_lane(L, w), row));
    value_t *inside = b_compare(b, OP_LT, lane, b_iconst(b, SCALAR(E_I64), w->chunk));
    return b_if(b, inside, 0, NULL);
}

void window_end_guard(builder_t *b, inst_t *guard) {
    if (guard) b_end_if(b, guard, NULL);
}

value_t *key_factor(builder_t *b, value_t *squares, int64_t head_size) {
    ltype_t t = squares->type;
    value_t *mean = b_binary(b, OP_DIV, squares, b_const(b, t, (double)head_size));
    value_t *root = b_unary(b, OP_SQRT, b_binary(b, OP_ADD, mean, b_const(b, t, 1e-6)));
    return b_binary(b, OP_DIV, b_const(b, t, inverse_root(head_size)), root);
}

value_t *row_norm(builder_t *b, value_t *squares) {
    return comparable(b, b_unary(b, OP_SQRT, squares));
}

value_t *comparable(builder_t *b, value_t *x) {
    return b_binary(b, OP_MIN, x, b_const(b, x->type, GREATEST));
}

value_t *far_scale(lower_t *L, builder_t *b, value_t *max, value_t *sum) {
    value_t *lse = b_binary(b, OP_ADD, m_log(L, b, sum), max);
    return m_exp(L, b, b_binary(b, OP_SUB, max, lse));
}

value_t *softmax_scale(lower_t *L, builder_t *b, value_t *max, value_t *sum) {
    value_t *size = b_binary(b, OP_MAX, max, b_unary(b, OP_NEG, max));
    value_t *far = b_compare(b, OP_GT, size, b_const(b, max->type, FAR));
    value_t *near = b_binary(b, OP_DIV, b_const(b, max->type, 1), sum);
    return b_select(b, far, far_scale(L, b, max, sum), near);
}

value_t *rounded_shift(builder_t *b, value_t *norm, value_t *top) {
    value_t *is_shift =
        b_binary(b, OP_AND, b_compare(b, OP_LE, norm, b_const(b, norm->type, MAX_SHIFT)),
                 b_compare(b, OP_GT, top, b_const(b, top->type, -FAR)));
    return b_select(b, is_shift, norm, top);
}

value_t *by_norm(builder_t *b, value_t *norm, double far, double near) {
    value_t *is_huge = b_compare(b, OP_GT, norm, b_const(b, norm->type, HUGE_NORM));
    return b_select(b, is_huge, b_const(b, norm->type, far), b_const(b, norm->type, near));
}

/* Pairs times powers of two, which round nothing. */
static value_t *times(lower_t *L, builder_t *b, value_t *pairs, value_t *factor) {
    value_t *x = b_binary(b, OP_MUL, widened(L, b, pairs, 0), factor);
    return paired(b, x, b_binary(b, OP_MUL, widened(L, b, pairs, 1), factor));
}

void lessen_queries(lower_t *L, builder_t *b, buffer_t *queries, affine_t slot, affine_t panel,
                    value_t *const *norms) {
    value_t *factor[MAX_VECTORS];
    for (int j = 0; j < L->tiles->vectors; j++) factor[j] = by_norm(b, norms[j], LESS, 1);
    inst_t *loop = b_for(b, "k", dim(0), dim(queries->dims[2].c), 0, NULL);
    for (int j = 0; j < L->tiles->vectors; j++) {
        int each = queries->elem == E_BF16 ? 2 : 1;
        affine_t ix[] = {slot, panel, ax_v(loop_var(loop)), ax((int64_t)j * L->lanes * each)};
        value_t *x = b_load(b, queries, L->lanes * each, ix);
        b_store(b, queries,
                each > 1 ? times(L, b, x, factor[j]) : b_binary(b, OP_MUL, x, factor[j]), ix);
    }
    b_end_for(b, loop, NULL);
}

/* ---- scores ---------------------------------------------------------------------------------- */

typedef struct {
    window_t *w;
    value_t *o;
    /* First key of the tile, within the stretch; the pair that it begins */
    affine_t stretch, key, pair;
    affine_t ordinal;            /* of the tile, within the window */
    int64_t calls;               /* of w->ahead per tile */
    value_t *query[MAX_VECTORS]; /* positions of the panel's queries, per vector */
    value_t *self[MAX_VECTORS];  /* their scores as their own keys */
    value_t *raise[MAX_VECTORS]; /* what makes good that they were lessened */
    bool weights;                /* what is stored: scores, or weights */
    value_t *lift[MAX_VECTORS];  /* minus the shift */
    value_t *fold[MAX_VECTORS];  /* maxima of the scores, or sums of the weights */
    value_t *acc[MAX_TILE];
} scores_t;

typedef struct {
    value_t *scale, *pos, *own;  /* of one key, in all lanes */
    affine_t at[MAX_VECTORS][2]; /* where its scores go */
} key_t;

static value_t *score_key(lower_t *L, builder_t *b, void *ctx, int row, affine_t k) {
    const scores_t *s = ctx;
    return s->w->key_at(L, b, s->w, s->stretch, ax_plus(s->key, row), k);
}

static value_t *score_query(lower_t *L, builder_t *b, void *ctx, int j, affine_t k) {
    const window_t *w = ((const scores_t *)ctx)->w;
    int each = w->order == DOT_PAIRS ? 2 : 1;
    affine_t ix[] = {w->query_slot, w->panel, k, ax((int64_t)j * L->lanes * each)};
    return b_load(b, w->queries, L->lanes * each, ix);
}

static void score_ahead(lower_t *L, builder_t *b, void *ctx, affine_t step) {
    const scores_t *s = ctx;
    affine_t call = ax_add(ax_scale(s->ordinal, s->calls), step);
    s->w->ahead(L, b, s->w, ax_v(b_name(at_most(b, call, dim(L->tile - 1)), "ahead")));
}

value_t *may_see(lower_t *L, builder_t *b, const window_t *w, value_t *key, value_t *query) {
    if (w->causal) return b_compare(b, w->exclude_self ? OP_LT : OP_LE, key, query);
    value_t *real = b_compare(b, OP_LT, key, b_iconst(b, VECTOR(E_I32, L->lanes), REFORMER_MASKED));
    if (!w->exclude_self) return real;
    return b_binary(b, OP_AND, real, b_compare(b, OP_NE, key, query));
}

value_t *drop_absent(lower_t *L, builder_t *b, const window_t *w, value_t *pos, value_t *x) {
    if (!w->absent) return x;
    value_t *gone = b_iconst(b, VECTOR(E_I32, L->lanes), REFORMER_ABSENT);
    return b_select(b, b_compare(b, OP_EQ, pos, gone), splat(b, L, NOTHING), x);
}

/* One score for the softmax: scaled, masked, stored; raises the maximum. */
static void put_score(lower_t *L, builder_t *b, scores_t *s, const key_t *key, int j,
                      value_t *dot) {
    value_t *x = b_binary(b, OP_MUL, dot, key->scale);
    if (key->own) { /* of a key whose square overflows nothing remains in Hugging Face */
        value_t *zero = splat(b, L, 0), *nothing = b_compare(b, OP_EQ, key->scale, zero);
        x = b_select(b, nothing, zero, b_binary(b, OP_MUL, x, s->raise[j]));
    }
    x = b_select(b, may_see(L, b, s->w, key->pos, s->query[j]), x, splat(b, L, s->w->masked));
    x = drop_absent(L, b, s->w, key->pos, x);
    if (key->own) x = b_select(b, b_compare(b, OP_EQ, key->own, s->query[j]), s->self[j], x);
    s->fold[j] = b_binary(b, OP_MAX, s->fold[j], x);
    b_store(b, s->w->scores, x, key->at[j]);
}

/* One weight, where no score exceeds the shift by much or falls far below it. */
static value_t *weight_of(lower_t *L, builder_t *b, const scores_t *s, const key_t *key, int j,
                          value_t *dot) {
    value_t *x = b_fma(b, dot, key->scale, s->lift[j]);
    value_t *bits = b_bitcast(b, E_I32, m_exp2(L, b, x));
    bits = b_binary(b, OP_AND, bits, may_see(L, b, s->w, key->pos, s->query[j]));
    return b_bitcast(b, E_F32, bits);
}

static void put_weight(lower_t *L, builder_t *b, scores_t *s, const key_t *key, int j,
                       value_t *dot) {
    value_t *p = weight_of(L, b, s, key, j, dot);
    s->fold[j] = b_binary(b, OP_ADD, s->fold[j], p);
    b_store(b, s->w->scores, p, key->at[j]);
}

/* ---- weights of bf16 ------------------------------------------------------------------------- */

/* Weights of a pair of keys, which are given as f32, and where they go: p[1] NULL: there is no
 * second one. Returns the sum with them, the second one's first. */
typedef struct {
    affine_t score[2], pair; /* rows of scores, of weights */
    value_t *p[2];
} key_pair_t;

static value_t *put_pair(lower_t *L, builder_t *b, const window_t *w, const key_pair_t *pair, int j,
                         value_t *sum) {
    value_t *p[2] = {bf16_valued(b, pair->p[0]), NULL};
    if (pair->p[1]) p[1] = bf16_valued(b, pair->p[1]);
    if (w->order == DOT_PAIRS) {
        affine_t ix[] = {pair->pair, ax(2 * (int64_t)j * L->lanes)};
        value_t *both = paired(b, p[0], p[1] ? p[1] : splat(b, L, 0));
        b_store(b, w->weights, both, ix);
        return b_dot2(b, sum, both, b_const(b, VECTOR(E_BF16, 2 * L->lanes), 1));
    }
    for (int i = 1; i >= 0; i--) {
        affine_t ix[] = {pair->score[i], ax((int64_t)j * L->lanes)};
        if (!p[i]) continue;
        b_store(b, w->scores, p[i], ix);
        sum = b_binary(b, OP_ADD, sum, p[i]);
    }
    return sum;
}

/* What stands in front of the window's current chunk, in keys or in pairs. */
static affine_t behind(const scores_t *s, int64_t per_chunk, affine_t at) {
    return ax_add(ax_scale(ax_v(s->o), per_chunk), at);
}

/* The keys of tile rows i and i + 1, or i alone. */
static void put_pairs(lower_t *L, builder_t *b, scores_t *s, const key_t *keys, int i, int rows) {
    const window_t *w = s->w;
    affine_t in_stretch = ax_plus(s->pair, i / 2);
    key_pair_t pair = {.pair = behind(s, pairs_of(w->chunk),
                                      ax_add(ax_scale(s->stretch, w->contiguous / 2), in_stretch))};
    for (int j = 0; j < L->tiles->vectors; j++) {
        for (int k = 0; k < 2; k++) {
            bool is = i + k < rows;
            int at = (i + k) * L->tiles->vectors + j;
            pair.p[k] = is ? weight_of(L, b, s, &keys[k], j, s->acc[at]) : NULL;
            if (is) pair.score[k] = keys[k].at[j][0];
        }
        s->fold[j] = put_pair(L, b, w, &pair, j, s->fold[j]);
    }
}

/* ---- tiles of scores ------------------------------------------------------------------------- */

static key_t key_of_row(lower_t *L, builder_t *b, const scores_t *s, int i) {
    window_t *w = s->w;
    affine_t index = ax_add(ax_scale(s->stretch, w->contiguous), ax_plus(s->key, i));
    key_t key = {.scale = b_broadcast(b, w->key_scale(L, b, w, index), L->lanes),
                 .pos = b_broadcast(b, w->key_pos(L, b, w, index), L->lanes)};
    if (w->exclude_self && !s->weights)
        key.own = b_broadcast(b, w->key_own(L, b, w, index), L->lanes);
    for (int j = 0; j < L->tiles->vectors; j++) {
        key.at[j][0] = behind(s, w->chunk, index);
        key.at[j][1] = ax((int64_t)j * L->lanes);
    }
    return key;
}

static void score_rows(lower_t *L, builder_t *b, scores_t *s, int rows) {
    int by = s->weights && s->w->order != ONE_BY_ONE ? 2 : 1;
    for (int i = 0; i < rows; i += by) {
        key_t keys[2] = {key_of_row(L, b, s, i)};
        if (by > 1) {
            if (i + 1 < rows) keys[1] = key_of_row(L, b, s, i + 1);
            put_pairs(L, b, s, keys, i, rows);
            continue;
        }
        for (int j = 0; j < L->tiles->vectors; j++) {
            value_t *dot = s->acc[i * L->tiles->vectors + j];
            if (s->weights) put_weight(L, b, s, &keys[0], j, dot);
            else put_score(L, b, s, &keys[0], j, dot);
        }
    }
}

/* Opens a loop that carries the folds; close_fold ends it. */
static inst_t *open_fold(lower_t *L, builder_t *b, scores_t *s, const char *name, int64_t steps) {
    inst_t *loop = b_for(b, name, dim(0), dim(steps), L->tiles->vectors, s->fold);
    for (int j = 0; j < L->tiles->vectors; j++) s->fold[j] = loop_arg(loop, j);
    return loop;
}

static void close_fold(lower_t *L, builder_t *b, scores_t *s, inst_t *loop) {
    b_end_for(b, loop, s->fold);
    for (int j = 0; j < L->tiles->vectors; j++) s->fold[j] = loop->results[j];
}

int split_pairs(const lower_t *L, int64_t keys, int size[MAX_SHAPES], int64_t count[MAX_SHAPES]) {
    int64_t pairs = keys / 2, max = L->tiles->rows > 1 ? L->tiles->rows / 2 : 1;
    int64_t tiles = (pairs + max - 1) / max;
    int n = 0;
    if (tiles > 0 && pairs % tiles > 0)
        size[n] = 2 * (int)(pairs / tiles + 1), count[n++] = pairs % tiles;
    if (tiles > 0) size[n] = 2 * (int)(pairs / tiles), count[n++] = tiles - pairs % tiles;
    if (keys % 2) size[n] = 1, count[n++] = 1;
    return n;
}

/* Tiles over `keys` keys: of bf16 of whole pairs. */
static int split_keys(const lower_t *L, const window_t *w, int64_t keys, int size[MAX_SHAPES],
                      int64_t count[MAX_SHAPES]) {
    return w->order == ONE_BY_ONE ? split_rows(L, keys, size, count)
                                  : split_pairs(L, keys, size, count);
}

static int64_t key_tiles(const lower_t *L, const window_t *w, int64_t keys) {
    int size[MAX_SHAPES];
    int64_t count[MAX_SHAPES], all = 0;
    if (keys == 0) return 0;
    int shapes = split_keys(L, w, keys, size, count);
    for (int i = 0; i < shapes; i++) all += count[i];
    return all;
}

/* `keys` keys, those of stretch `s->stretch`, in tiles. */
static void score_stretch(lower_t *L, builder_t *b, scores_t *s, int64_t keys) {
    int size[MAX_SHAPES];
    int64_t count[MAX_SHAPES], first = 0, before = 0;
    affine_t ordinal = s->ordinal;
    int shapes = split_keys(L, s->w, keys, size, count);
    bool by_pairs = s->w->order == ODD_FIRST;
    int64_t head = s->w->queries->dims[2].c, depth = by_pairs ? head / 2 : head;
    for (int p = 0; p < shapes; p++) {
        inst_t *tiles = open_fold(L, b, s, "keys", count[p]);
        affine_t tile = ax_v(loop_var(tiles));
        s->key = ax_plus(ax_scale(tile, size[p]), first);
        s->pair = ax_plus(ax_scale(tile, size[p] / 2), first / 2);
        s->ordinal = ax_add(ordinal, ax_plus(tile, before));
        product_t product = {.rows = size[p],
                             .vectors = L->tiles->vectors,
                             .depth = depth,
                             .order = s->w->order,
                             .odd = by_pairs && head % 2,
                             .x = score_key,
                             .y = score_query,
                             .ctx = s,
                             .every = s->w->ahead ? depth / s->calls : 0,
                             .ahead = score_ahead};
        tile_product(L, b, &product, s->acc);
        score_rows(L, b, s, size[p]);
        close_fold(L, b, s, tiles);
        first += count[p] * size[p];
        before += count[p];
    }
}

/* All keys of the window against the panel; fold[j]: maxima of the scores, or with
 * a shift sums of weights. */
static void over_keys(lower_t *L, builder_t *b, window_t *w, value_t *const *shift, double start,
                      value_t **fold) {
    int64_t stretches = w->chunk / w->contiguous, rest = w->chunk % w->contiguous;
    int64_t per_stretch = key_tiles(L, w, w->contiguous),
            per_chunk = stretches * per_stretch + key_tiles(L, w, rest);
    scores_t s = {.w = w, .weights = shift, .calls = (L->tile - 1) / (w->span * per_chunk) + 1};
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t px[] = {w->query_slot, ax_plus(panel_lane(L, w), (int64_t)j * L->lanes)};
        s.query[j] = b_name(b_load(b, w->query_pos, L->lanes, px), "query");
        s.fold[j] = splat(b, L, start);
        if (shift) s.lift[j] = b_unary(b, OP_NEG, shift[j]);
        if (shift || !w->exclude_self) continue;
        s.self[j] = b_name(w->self_score(L, b, w, j), "self");
        s.raise[j] = b_name(by_norm(b, w->norm(L, b, w, j), 1 / LESS, 1), "raise");
    }
    inst_t *chunks = open_fold(L, b, &s, "o", w->span);
    s.o = loop_var(chunks);
    w->open_chunk(L, b, w, s.o);
    affine_t before = ax_scale(ax_v(s.o), per_chunk);
    if (stretches > 0) {
        inst_t *loop = open_fold(L, b, &s, "run", stretches);
        s.stretch = ax_v(loop_var(loop));
        s.ordinal = ax_add(before, ax_scale(s.stretch, per_stretch));
        score_stretch(L, b, &s, w->contiguous);
        close_fold(L, b, &s, loop);
    }
    if (rest > 0) {
        s.stretch = ax(stretches);
        s.ordinal = ax_plus(before, stretches * per_stretch);
        score_stretch(L, b, &s, rest);
    }
    close_fold(L, b, &s, chunks);
    for (int j = 0; j < L->tiles->vectors; j++) fold[j] = s.fold[j];
}

void window_scores(lower_t *L, builder_t *b, window_t *w, value_t **max) {
    over_keys(L, b, w, NULL, LOWEST, max);
    for (int j = 0; j < L->tiles->vectors; j++) b_name(max[j], "most");
}

void window_weights(lower_t *L, builder_t *b, window_t *w, value_t *const *shift, value_t **sum) {
    over_keys(L, b, w, shift, 0, sum);
    for (int j = 0; j < L->tiles->vectors; j++) b_name(sum[j], "sum");
}

/* Of the keys at `from` of the current chunk, one or a pair. */
static void exp_pair(lower_t *L, builder_t *b, const window_t *w, const scores_t *s,
                     value_t *const *shift, affine_t at, int keys, value_t **sum) {
    affine_t first = behind(s, w->chunk, ax_scale(at, 2));
    key_pair_t pair = {.score = {first, ax_plus(first, 1)},
                       .pair = behind(s, pairs_of(w->chunk), at)};
    for (int j = 0; j < L->tiles->vectors; j++) {
        for (int k = 0; k < keys; k++) {
            affine_t sx[] = {pair.score[k], ax((int64_t)j * L->lanes)};
            value_t *x = b_load(b, w->scores, L->lanes, sx);
            pair.p[k] = m_exp(L, b, b_binary(b, OP_SUB, x, shift[j]));
        }
        sum[j] = put_pair(L, b, w, &pair, j, sum[j]);
    }
}

static void exp_pairs(lower_t *L, builder_t *b, window_t *w, value_t *const *shift, value_t **sum) {
    scores_t s = {.w = w};
    for (int j = 0; j < L->tiles->vectors; j++) s.fold[j] = splat(b, L, 0);
    inst_t *chunks = open_fold(L, b, &s, "o", w->span);
    s.o = loop_var(chunks);
    if (w->chunk > 1) {
        inst_t *pairs = open_fold(L, b, &s, "pair", w->chunk / 2);
        exp_pair(L, b, w, &s, shift, ax_v(loop_var(pairs)), 2, s.fold);
        close_fold(L, b, &s, pairs);
    }
    if (w->chunk % 2) exp_pair(L, b, w, &s, shift, ax(w->chunk / 2), 1, s.fold);
    close_fold(L, b, &s, chunks);
    for (int j = 0; j < L->tiles->vectors; j++) sum[j] = b_name(s.fold[j], "sum");
}

void window_exp(lower_t *L, builder_t *b, window_t *w, value_t *const *shift, value_t **sum) {
    int nv = L->tiles->vectors;
    value_t *next[MAX_VECTORS];
    if (w->order != ONE_BY_ONE) {
        exp_pairs(L, b, w, shift, sum);
        return;
    }
    for (int j = 0; j < nv; j++) sum[j] = splat(b, L, 0);
    inst_t *loop = b_for(b, "key", dim(0), dim(w->span * w->chunk), nv, sum);
    for (int j = 0; j < nv; j++) {
        affine_t sx[] = {ax_v(loop_var(loop)), ax((int64_t)j * L->lanes)};
        value_t *x = b_binary(b, OP_SUB, b_load(b, w->scores, L->lanes, sx), shift[j]);
        value_t *p = m_exp(L, b, x);
        b_store(b, w->scores, p, sx);
        next[j] = b_binary(b, OP_ADD, loop_arg(loop, j), p);
    }
    b_end_for(b, loop, next);
    for (int j = 0; j < nv; j++) sum[j] = b_name(loop->results[j], "sum");
}

/* ---- product with V -------------------------------------------------------------------------- */

typedef struct {
    window_t *w;
    window_rows_fn *epilogue;
    value_t *o;
    affine_t row, panel;
} weighed_values_t;

static value_t *probability(lower_t *L, builder_t *b, void *ctx, int row, affine_t key) {
    (void)L;
    const weighed_values_t *v = ctx;
    if (v->w->order == DOT_PAIRS) {
        affine_t pair = ax_add(ax_scale(ax_v(v->o), pairs_of(v->w->chunk)), key);
        affine_t wx[] = {pair, ax_scale(ax_plus(v->row, row), 2)};
        return b_load(b, v->w->weights, 2, wx);
    }
    affine_t at = ax_add(ax_scale(ax_v(v->o), v->w->chunk), key);
    affine_t sx[] = {at, ax_plus(v->row, row)};
    return b_load(b, v->w->scores, 1, sx);
}

static value_t *value_row(lower_t *L, builder_t *b, void *ctx, int j, affine_t key) {
    const weighed_values_t *v = ctx;
    return v->w->value_at(L, b, v->w, key, v->panel, (int64_t)j * L->lanes);
}

static void values_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows,
                        affine_t ordinal) {
    (void)ordinal;
    weighed_values_t *v = ctx;
    int n = rows * L->tiles->vectors;
    value_t *acc[MAX_TILE] = {NULL};
    v->row = row;
    for (int i = 0; i < n; i++) acc[i] = splat(b, L, 0);
    inst_t *chunks = b_for(b, "o", dim(0), dim(v->w->span), n, acc);
    v->o = loop_var(chunks);
    v->w->open_chunk(L, b, v->w, v->o);
    for (int i = 0; i < n; i++) acc[i] = loop_arg(chunks, i);
    int64_t keys = v->w->chunk, pairs = v->w->order == DOT_PAIRS ? pairs_of(keys) : keys / 2;
    product_t p = {.rows = rows,
                   .vectors = L->tiles->vectors,
                   .depth = v->w->order == ONE_BY_ONE ? keys : pairs,
                   .order = v->w->order,
                   .odd = v->w->order == ODD_FIRST && keys % 2,
                   .x = probability,
                   .y = value_row,
                   .ctx = v,
                   .init = acc};
    tile_product(L, b, &p, acc);
    b_end_for(b, chunks, acc);
    for (int i = 0; i < n; i++) acc[i] = chunks->results[i];
    v->epilogue(L, b, v->w, row, ax_scale(v->panel, L->tile), rows, acc);
}

/* Of a pair of weights one is nothing where the factor is: the second where the key is the
 * second of its chunk's pair. */
static void drop_of_pair(lower_t *L, builder_t *b, const window_t *w, affine_t key, int j,
                         value_t *factor) {
    value_t *at = b_index(b, key), *lane = b_irem(b, at, dim(w->chunk));
    affine_t chunk = ax_v(b_idiv(b, at, dim(w->chunk)));
    affine_t pair = ax_add(ax_scale(chunk, pairs_of(w->chunk)), ax_v(b_idiv(b, lane, dim(2))));
    affine_t ix[] = {pair, ax(2 * (int64_t)j * L->lanes)};
    value_t *second = b_irem(b, lane, dim(2)), *all = b_iconst(b, SCALAR(E_I32), -1);
    value_t *upper = b_iconst(b, SCALAR(E_I32), INT32_C(-0x10000));
    value_t *is_first = b_compare(b, OP_EQ, second, b_iconst(b, SCALAR(E_I64), 0));
    value_t *stays = b_select(b, is_first, upper, b_binary(b, OP_XOR, upper, all));
    value_t *bits = b_bitcast(b, E_I32, b_load(b, w->weights, 2 * L->lanes, ix));
    value_t *left = b_binary(b, OP_AND, bits, b_broadcast(b, stays, L->lanes));
    value_t *gone = b_compare(b, OP_EQ, factor, splat(b, L, 0));
    b_store(b, w->weights, b_bitcast(b, E_BF16, b_select(b, gone, left, bits)), ix);
}

static void drop_weight(lower_t *L, builder_t *b, void *ctx, affine_t key, int j, value_t *factor) {
    const window_t *w = ctx;
    affine_t ix[] = {key, ax((int64_t)j * L->lanes)};
    if (w->order == DOT_PAIRS) {
        drop_of_pair(L, b, w, key, j, factor);
        return;
    }
    value_t *x = b_load(b, w->scores, L->lanes, ix);
    if (w->order == ONE_BY_ONE) x = b_binary(b, OP_MUL, x, factor);
    else x = b_select(b, b_compare(b, OP_EQ, factor, splat(b, L, 0)), splat(b, L, 0), x);
    b_store(b, w->scores, x, ix);
}

void window_values(lower_t *L, builder_t *b, window_t *w, window_rows_fn *epilogue) {
    weighed_values_t v = {.w = w, .epilogue = epilogue};
    int64_t keys = w->span * w->chunk;
    if (w->kept) {
        affine_t first = w->first ? w->first(L, b, w) : ax(0);
        bool aligned = keys % BLOCK == 0 && !w->first;
        for_kept(L, b, w->kept, w->row(L, b, w), first, keys, aligned, drop_weight, w);
    }
    inst_t *loop = b_for(b, "column", dim(0), dim(w->width / L->tile), 0, NULL);
    v.panel = ax_v(loop_var(loop));
    for_row_tiles(L, b, L->tile, values_tile, &v);
    b_end_for(b, loop, NULL);
}
