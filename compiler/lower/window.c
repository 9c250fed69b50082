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
 * (HF_SEMANTICS 6.4); that happens only with fewer chunks than the window reaches. */
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

affine_t clamp_lane(lower_t *L, builder_t *b, affine_t lane, int64_t chunk) {
    if (chunk % L->tile == 0) return lane;
    value_t *last = b_iconst(b, SCALAR(E_I64), chunk - 1);
    return ax_v(b_binary(b, OP_MIN, b_index(b, lane), last));
}

void transpose_rows(lower_t *L, builder_t *b, buffer_t *src, affine_t batch, affine_t head,
                    buffer_t *dst, affine_t slot, int64_t lanes, row_of_fn *row_of, void *ctx) {
    inst_t *loop = b_for(b, "lane", dim(0), dim(lanes / L->lanes), 0, NULL);
    affine_t first = ax_scale(ax_v(loop_var(loop)), L->lanes), row[64];
    for (int i = 0; i < L->lanes; i++) row[i] = row_of(L, b, ctx, ax_plus(first, i));
    int64_t depth = dst->dims[1].c, full = depth / L->lanes, rest = depth % L->lanes;
    for (int part = 0; part < 2; part++) {
        int64_t steps = part ? rest > 0 : full;
        if (steps == 0) continue;
        inst_t *inner = b_for(b, "d", dim(0), dim(steps), 0, NULL);
        affine_t d = ax_plus(ax_scale(ax_v(loop_var(inner)), L->lanes), part ? full * L->lanes : 0);
        value_t *rows[64];
        for (int i = 0; i < L->lanes; i++) {
            affine_t qx[] = {batch, head, row[i], d};
            rows[i] = b_load(b, src, L->lanes, qx);
        }
        transpose(b, L, rows);
        for (int i = 0; i < (part ? rest : L->lanes); i++) {
            affine_t tx[] = {slot, ax_plus(d, i), first};
            b_store(b, dst, rows[i], tx);
        }
        b_end_for(b, inner, NULL);
    }
    b_end_for(b, loop, NULL);
}

inst_t *window_guard(lower_t *L, builder_t *b, const window_t *w, affine_t row) {
    if (w->chunk % L->tile == 0) return NULL;
    value_t *lane = b_index(b, ax_add(w->panel, row));
    value_t *inside = b_compare(b, OP_LT, lane, b_iconst(b, SCALAR(E_I64), w->chunk));
    return b_if(b, inside, 0, NULL);
}

void window_end_guard(builder_t *b, inst_t *guard) {
    if (guard) b_end_if(b, guard, NULL);
}

/* ---- scores ------------------------------------------------------------------------------------- */

typedef struct {
    window_t *w;
    value_t *o;
    affine_t key;                /* first key of the tile, within the chunk */
    affine_t ordinal;            /* of the tile, within the window */
    int64_t calls;               /* of w->ahead per tile */
    value_t *query[MAX_VECTORS]; /* positions of the panel's queries, per vector */
    value_t *acc[MAX_TILE];
} scores_t;

static value_t *score_key(lower_t *L, builder_t *b, void *ctx, int row, affine_t k) {
    const scores_t *s = ctx;
    return s->w->key_at(L, b, s->w, ax_plus(s->key, row), k);
}

static value_t *score_query(lower_t *L, builder_t *b, void *ctx, int j, affine_t k) {
    const window_t *w = ((const scores_t *)ctx)->w;
    affine_t ix[] = {w->query_slot, k, ax_plus(w->panel, (int64_t)j * L->lanes)};
    return b_load(b, w->queries, L->lanes, ix);
}

static void score_ahead(lower_t *L, builder_t *b, void *ctx, affine_t step) {
    const scores_t *s = ctx;
    affine_t call = ax_add(ax_scale(s->ordinal, s->calls), step);
    value_t *last = b_index(b, ax(L->tile - 1));
    s->w->ahead(L, b, s->w, ax_v(b_name(b_binary(b, OP_MIN, b_index(b, call), last), "ahead")));
}

/* -1 in lanes whose query may see this key. A masked key has a position beyond all queries. */
static value_t *may_see(lower_t *L, builder_t *b, const window_t *w, value_t *key, value_t *query) {
    if (w->causal) return b_compare(b, w->exclude_self ? OP_LT : OP_LE, key, query);
    value_t *real = b_compare(b, OP_LT, key, b_iconst(b, VECTOR(E_I32, L->lanes), REFORMER_MASKED));
    if (!w->exclude_self) return real;
    return b_binary(b, OP_AND, real, b_compare(b, OP_NE, key, query));
}

/* The score of an absent key lies so far below NO_KEY that it vanishes even among masked ones (Q1). */
static value_t *drop_absent(lower_t *L, builder_t *b, const window_t *w, value_t *pos, value_t *x) {
    if (!w->absent) return x;
    value_t *gone = b_iconst(b, VECTOR(E_I32, L->lanes), REFORMER_ABSENT);
    return b_select(b, b_compare(b, OP_EQ, pos, gone), splat(b, L, 2 * NO_KEY), x);
}

/* Masks and stores the scores of `rows` keys, raises the maxima. */
static void score_rows(lower_t *L, builder_t *b, scores_t *s, int rows, value_t **most) {
    window_t *w = s->w;
    for (int i = 0; i < rows; i++) {
        affine_t key = ax_plus(s->key, i);
        value_t *scale = b_broadcast(b, w->key_scale(L, b, w, key), L->lanes);
        value_t *pos = b_broadcast(b, w->key_pos(L, b, w, key), L->lanes);
        for (int j = 0; j < L->tiles->vectors; j++) {
            value_t *x = b_binary(b, OP_MUL, s->acc[i * L->tiles->vectors + j], scale);
            x = b_select(b, may_see(L, b, w, pos, s->query[j]), x, splat(b, L, NO_KEY));
            x = drop_absent(L, b, w, pos, x);
            most[j] = b_binary(b, OP_MAX, most[j], x);
            affine_t sx[] = {ax_add(ax_scale(ax_v(s->o), w->chunk), key),
                             ax((int64_t)j * L->lanes)};
            b_store(b, w->scores, x, sx);
        }
    }
}

void window_scores(lower_t *L, builder_t *b, window_t *w, value_t **most) {
    int nv = L->tiles->vectors, size[2];
    int64_t count[2], first = 0;
    scores_t s = {.w = w};
    for (int j = 0; j < nv; j++) {
        affine_t px[] = {w->query_slot, ax_plus(w->panel, (int64_t)j * L->lanes)};
        s.query[j] = b_name(b_load(b, w->query_pos, L->lanes, px), "query");
        most[j] = splat(b, L, NO_KEY);
    }
    inst_t *chunks = b_for(b, "o", dim(0), dim(w->span), nv, most);
    s.o = loop_var(chunks);
    w->open_chunk(L, b, w, s.o);
    for (int j = 0; j < nv; j++) most[j] = loop_arg(chunks, j);
    int shapes = split_rows(L, w->chunk, size, count);
    int64_t tiles_per_chunk = count[0] + (shapes > 1 ? count[1] : 0), before = 0;
    s.calls = (L->tile - 1) / (w->span * tiles_per_chunk) + 1;
    for (int p = 0; p < shapes; p++) {
        inst_t *tiles = b_for(b, "keys", dim(0), dim(count[p]), nv, most);
        for (int j = 0; j < nv; j++) most[j] = loop_arg(tiles, j);
        affine_t tile = ax_v(loop_var(tiles));
        s.key = ax_plus(ax_scale(tile, size[p]), first);
        s.ordinal = ax_add(ax_scale(ax_v(s.o), tiles_per_chunk), ax_plus(tile, before));
        product_t product = {.rows = size[p],
                             .vectors = nv,
                             .depth = L->head_size,
                             .x = score_key,
                             .y = score_query,
                             .ctx = &s,
                             .every = w->ahead ? L->head_size / s.calls : 0,
                             .ahead = score_ahead};
        tile_product(L, b, &product, s.acc);
        score_rows(L, b, &s, size[p], most);
        b_end_for(b, tiles, most);
        for (int j = 0; j < nv; j++) most[j] = tiles->results[j];
        first += count[p] * size[p];
        before += count[p];
    }
    b_end_for(b, chunks, most);
    for (int j = 0; j < nv; j++) most[j] = b_name(chunks->results[j], "most");
}

void window_exp(lower_t *L, builder_t *b, window_t *w, value_t *const *shift, value_t **sum) {
    int nv = L->tiles->vectors;
    value_t *next[MAX_VECTORS];
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

/* ---- product with V ------------------------------------------------------------------------------- */

typedef struct {
    window_t *w;
    window_rows_fn *epilogue;
    value_t *o;
    affine_t row, col;
} values_t;

static value_t *probability(lower_t *L, builder_t *b, void *ctx, int row, affine_t key) {
    (void)L;
    const values_t *v = ctx;
    affine_t at = ax_add(ax_scale(ax_v(v->o), v->w->chunk), key);
    affine_t sx[] = {at, ax_plus(v->row, row)};
    return b_load(b, v->w->scores, 1, sx);
}

static value_t *value_row(lower_t *L, builder_t *b, void *ctx, int j, affine_t key) {
    const values_t *v = ctx;
    return v->w->value_at(L, b, v->w, key, ax_plus(v->col, (int64_t)j * L->lanes));
}

static void values_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows,
                        affine_t ordinal) {
    (void)ordinal;
    values_t *v = ctx;
    int n = rows * L->tiles->vectors;
    value_t *acc[MAX_TILE] = {NULL};
    v->row = row;
    for (int i = 0; i < n; i++) acc[i] = splat(b, L, 0);
    inst_t *chunks = b_for(b, "o", dim(0), dim(v->w->span), n, acc);
    v->o = loop_var(chunks);
    v->w->open_chunk(L, b, v->w, v->o);
    for (int i = 0; i < n; i++) acc[i] = loop_arg(chunks, i);
    product_t p = {.rows = rows,
                   .vectors = L->tiles->vectors,
                   .depth = v->w->chunk,
                   .x = probability,
                   .y = value_row,
                   .ctx = v,
                   .init = acc};
    tile_product(L, b, &p, acc);
    b_end_for(b, chunks, acc);
    for (int i = 0; i < n; i++) acc[i] = chunks->results[i];
    v->epilogue(L, b, v->w, row, v->col, rows, acc);
}

void window_values(lower_t *L, builder_t *b, window_t *w, window_rows_fn *epilogue) {
    values_t v = {.w = w, .epilogue = epilogue};
    inst_t *loop = b_for(b, "column", dim(0), dim(L->head_stride / L->tile), 0, NULL);
    v.col = ax_scale(ax_v(loop_var(loop)), L->tile);
    for_row_tiles(L, b, L->tile, values_tile, &v);
    b_end_for(b, loop, NULL);
}
