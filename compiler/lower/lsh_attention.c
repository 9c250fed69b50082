/* LSH attention of one round (HF_SEMANTICS 6.4 to 6.6): chunks of the sorted order, each against its
 * window of sorted chunks, which wraps through all rounds; combined with earlier rounds on the way.
 *
 * Task: a run of consecutive chunks of one head. Every chunk is gathered once into a ring of transposed
 * query-keys (shared QK: the queries of one chunk are the keys of the next) and value rows. Rounds follow
 * each other, chunks of a round touch different tokens, so results do not depend on the workers.
 *
 * Softmax needs no maximum: keys are normalised, so a score is at most |q|, and while |q| is small enough for
 * 2^-2|q| to be a normal number, |q| itself is the shift. It is the same in every round, so rounds are combined by
 * adding weights and outputs up. A panel with a longer query takes the general way, online softmax over rounds:
 * per token the maximum m, the sum s and the unnormalised output o of the rounds so far. Either way log-sum-exp
 * weights of Hugging Face come out when o / s is taken at the end. A row that sees only itself adds nothing here;
 * its count of self entries is kept for the row that sees itself only in every round (Q2): each round's weights are 0
 * exactly where they are 0 in all of them, so the count is there where the sum of all is 0.
 *
 * Beyond |q| = FAR a token may outweigh all others as its own key, and rounding of log-sum-exp shows: such a row has
 * itself among its keys, and in each round and over them the weights that Hugging Face rounds to; o / s is its output
 * all the same. A NaN makes the sum NaN,
 * and is no number that 2^x may take: a window with a key whose square overflows takes the general way. */
#include "lower/math.h"
#include "lower/window.h"

typedef struct {
    attention_t *a;
    affine_t batch, head, round, first; /* first chunk of the run */
    value_t *group_round;
    dim_t chunks, total;  /* per round, over all rounds */
    int64_t ring;         /* slots */
    affine_t slot;        /* of the window's current keys */
    affine_t step, chunk; /* of the run, of the round */
    affine_t gather_round, gather_chunk, gather_slot;
    buffer_t *values, *key_pos;
    buffer_t *key_scale, *key_scale2; /* [slot][lane]: of the scores, and times log2 e */
    /* |q| [slot][lane], the greatest of each panel [slot][panel], of all that the slot holds [slot] */
    buffer_t *norm, *most_norm, *most_of_slot;
    bool bounded; /* the way that is being built: |q| is the shift */
    /* scratch [tile], of the panel's tokens: this round's sum, the merged maximum, the merged sum, and
     * the factors for the old output and for this round's */
    buffer_t *round_sum, *top, *total_sum, *keep, *gain;
    window_t *w;
} lsh_t;

/* ---- gathering a chunk into the ring ----------------------------------------------------------------- */

/* Token at lane `lane` of the chunk being gathered, as an index. */
static affine_t sorted_token(lower_t *L, builder_t *b, void *ctx, affine_t lane) {
    const lsh_t *c = ctx;
    affine_t at =
        ax_add(ax_scale(c->gather_chunk, c->a->chunk), clamp_lane(L, b, lane, c->a->chunk));
    affine_t ix[] = {c->batch, c->head, c->gather_round, at};
    return ax_v(b_name(load1(b, c->a->order, 4, ix), "token"));
}

/* Rows of huge norms are kept lessened: as queries, and as keys, whose factors make it good. */
static void lessen_panel(lower_t *L, builder_t *b, lsh_t *c, affine_t panel, value_t *most,
                         value_t *const *norms) {
    buffer_t *scales[] = {c->key_scale, c->key_scale2};
    inst_t *usual =
        b_if(b, b_compare(b, OP_LE, most, b_const(b, SCALAR(E_F32), HUGE_NORM)), 0, NULL);
    b_likely(usual);
    b_else(b, usual, NULL);
    lessen_queries(L, b, c->w->queries, c->gather_slot, panel, norms);
    for (int i = 0; i < 2 * L->tiles->vectors; i++) {
        int j = i / 2;
        affine_t ix[] = {c->gather_slot, ax_plus(ax_scale(panel, L->tile), (int64_t)j * L->lanes)};
        value_t *x = b_load(b, scales[i % 2], L->lanes, ix),
                *by = by_norm(b, norms[j], 1 / LESS, 1);
        b_store(b, scales[i % 2], b_binary(b, OP_MUL, x, by), ix);
    }
    b_end_if(b, usual, NULL);
}

/* Norms of a panel's rows, and the keys' factors; returns the greatest with slot_most. */
static value_t *gather_norms(lower_t *L, builder_t *b, lsh_t *c, affine_t panel,
                             value_t *slot_most) {
    int nv = L->tiles->vectors;
    value_t *squares[MAX_VECTORS], *norms[MAX_VECTORS], *most = NULL;
    panel_squares(L, b, c->w->queries, c->gather_slot, panel, squares);
    for (int j = 0; j < nv; j++) {
        value_t *scale = key_factor(b, squares[j], c->a->head_size),
                *norm = norms[j] = row_norm(b, squares[j]);
        affine_t first = ax_plus(ax_scale(panel, L->tile), (int64_t)j * L->lanes);
        affine_t nx[] = {c->gather_slot, first};
        b_store(b, c->key_scale, scale, nx);
        b_store(b, c->key_scale2, b_binary(b, OP_MUL, scale, splat(b, L, LOG2_E)), nx);
        b_store(b, c->norm, norm, nx);
        most = most ? b_binary(b, OP_MAX, most, norm) : norm;
    }
    affine_t mx[] = {c->gather_slot, panel};
    most = reduce(b, L, OP_MAX, most);
    b_store(b, c->most_norm, most, mx);
    lessen_panel(L, b, c, panel, most, norms);
    return b_binary(b, OP_MAX, slot_most, most);
}

/* Positions, values and norms of the chunk in gather_slot. */
static void gather_rest(lower_t *L, builder_t *b, lsh_t *c, int64_t lanes) {
    inst_t *loop = b_for(b, "lane", dim(0), dim(lanes), 0, NULL);
    affine_t lane = ax_v(loop_var(loop)), token = sorted_token(L, b, c, lane);
    affine_t px[] = {c->gather_slot, lane}, kx[] = {c->batch, token};
    value_t *t = b_index(b, token);
    b_store(b, c->w->query_pos, b_convert(b, E_I32, t), px);
    b_store(b, c->key_pos, load1(b, L->key, 2, kx), px);
    copy_values(L, b, c->a->v, c->batch, c->head, token, c->values, c->gather_slot, lane);
    b_end_for(b, loop, NULL);

    value_t *most = b_const(b, SCALAR(E_F32), 0);
    inst_t *panels = b_for(b, "panel", dim(0), dim(lanes / L->tile), 1, &most);
    most = gather_norms(L, b, c, ax_v(loop_var(panels)), loop_arg(panels, 0));
    b_end_for(b, panels, &most);
    b_store(b, c->most_of_slot, panels->results[0], &c->gather_slot);
}

/* Gathers the chunk at `offset` from the chunk `c->chunk` of the current round into a slot. */
static void gather(lower_t *L, builder_t *b, lsh_t *c, affine_t chunk, affine_t offset,
                   affine_t slot) {
    c->gather_slot = slot;
    affine_t flat = ax_add(ax_scale_dim(c->round, c->chunks), chunk);
    value_t *other = b_index(b, window_chunk(L, b, c->a, c->total, flat, offset));
    c->gather_round = ax_v(b_name(b_idiv(b, other, c->chunks), "from_round"));
    c->gather_chunk = ax_v(b_name(b_irem(b, other, c->chunks), "from_chunk"));
    int64_t lanes = round_up(c->a->chunk, L->tile);
    transpose_rows(L, b, c->a->q, c->batch, c->head, c->w->queries, slot, sorted_token, c);
    gather_rest(L, b, c, lanes);
}

static affine_t ring_slot(builder_t *b, const lsh_t *c, affine_t step) {
    if (c->ring == 1) return ax(0);
    return ax_v(b_name(b_irem(b, b_index(b, step), dim(c->ring)), "slot"));
}

/* ---- the window's view of the ring ---------------------------------------------------------------------- */

static void lsh_open(lower_t *L, builder_t *b, window_t *w, value_t *o) {
    (void)L;
    lsh_t *c = w->ctx;
    c->slot = ring_slot(b, c, ax_add(c->step, ax_v(o)));
}

static value_t *lsh_key(lower_t *L, builder_t *b, window_t *w, affine_t run, affine_t lane,
                        affine_t k) {
    (void)L;
    const lsh_t *c = w->ctx;
    affine_t ix[] = {c->slot, run, k, lane};
    return b_load(b, w->queries, 1, ix);
}

static value_t *lsh_scale(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    (void)L;
    const lsh_t *c = w->ctx;
    affine_t ix[] = {c->slot, key};
    return b_load(b, c->bounded ? c->key_scale2 : c->key_scale, 1, ix);
}

static value_t *lsh_pos(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    (void)L;
    const lsh_t *c = w->ctx;
    affine_t ix[] = {c->slot, key};
    return b_load(b, c->key_pos, 1, ix);
}

/* Positions of keys are those of the slot's queries. */
static value_t *lsh_own(lower_t *L, builder_t *b, window_t *w, affine_t key) {
    (void)L;
    const lsh_t *c = w->ctx;
    affine_t ix[] = {c->slot, key};
    return b_load(b, w->query_pos, 1, ix);
}

static value_t *lsh_norm(lower_t *L, builder_t *b, window_t *w, int j) {
    const lsh_t *c = w->ctx;
    affine_t nx[] = {w->query_slot, ax_plus(panel_lane(L, w), (int64_t)j * L->lanes)};
    return b_load(b, c->norm, L->lanes, nx);
}

static value_t *is_far(lower_t *L, builder_t *b, const lsh_t *c, int j) {
    return b_compare(b, OP_GT, lsh_norm(L, b, c->w, j), splat(b, L, FAR));
}

static value_t *lsh_self(lower_t *L, builder_t *b, window_t *w, int j) {
    return b_select(b, is_far(L, b, w->ctx, j), splat(b, L, SELF_KEY), splat(b, L, NOTHING));
}

static value_t *lsh_value(lower_t *L, builder_t *b, window_t *w, affine_t key, affine_t panel,
                          int64_t col) {
    const lsh_t *c = w->ctx;
    return value_in_panel(L, b, c->values, c->slot, key, panel, col);
}

/* The output row of a lane of this panel, and the rows of the same lane of the next chunk to be gathered:
 * sorting has strewn them over memory. */
static void lsh_ahead(lower_t *L, builder_t *b, window_t *w, affine_t lane) {
    const lsh_t *c = w->ctx;
    affine_t row = clamp_lane(L, b, ax_add(panel_lane(L, w), lane), c->a->chunk);
    affine_t px[] = {w->query_slot, row};
    affine_t token = ax_v(b_load(b, w->query_pos, 1, px));
    affine_t ox[] = {c->batch, c->head, token, ax(0)};
    prefetch_row(b, c->a->out, ox, c->a->head_stride);
    value_t *next = at_most(b, ax_plus(c->chunk, c->a->after + 1), dim_sub(c->chunks, dim(1)));
    affine_t chunk = ax_v(b_name(next, "next"));
    affine_t ix[] = {c->batch, c->head, c->round, ax_add(ax_scale(chunk, c->a->chunk), row)};
    token = ax_v(b_name(load1(b, c->a->order, 4, ix), "token"));
    affine_t qx[] = {c->batch, c->head, token, ax(0)}, vx[] = {c->batch, c->head, token, ax(0)};
    prefetch_row(b, c->a->q, qx, c->a->head_stride);
    prefetch_row(b, c->a->v, vx, c->a->head_stride);
}

/* ---- combination with earlier rounds ---------------------------------------------------------------------- */

/* Token of lane `row` of the panel. */
static affine_t panel_token(lower_t *L, builder_t *b, const lsh_t *c, affine_t row) {
    affine_t lane = clamp_lane(L, b, ax_add(panel_lane(L, c->w), row), c->a->chunk);
    affine_t px[] = {c->w->query_slot, lane};
    return ax_v(b_name(b_load(b, c->w->query_pos, 1, px), "token"));
}

/* How often the token of lane `row` stands among the keys of its window, where it sees no other (`alone`): rare, so
 * found by looking. */
static void count_self(lower_t *L, builder_t *b, lsh_t *c, value_t *is_alone, affine_t token) {
    ltype_t i32 = SCALAR(E_I32);
    inst_t *alone = b_if(b, is_alone, 0, NULL);
    value_t *self = b_convert(b, E_I32, b_index(b, token)), *zero = b_iconst(b, i32, 0);
    inst_t *chunks = b_for(b, "o", dim(0), dim(c->w->span), 1, &zero);
    lsh_open(L, b, c->w, loop_var(chunks));
    value_t *count = loop_arg(chunks, 0);
    inst_t *keys = b_for(b, "key", dim(0), dim(c->a->chunk), 1, &count);
    affine_t kx[] = {c->slot, ax_v(loop_var(keys))};
    value_t *same = b_compare(b, OP_EQ, b_load(b, c->w->query_pos, 1, kx), self);
    count = b_binary(b, OP_SUB, loop_arg(keys, 0), same); /* true is -1 */
    b_end_for(b, keys, &count);
    b_end_for(b, chunks, keys->results);
    affine_t sx[] = {c->batch, c->head, c->round, token};
    b_store(b, c->a->self_count, chunks->results[0], sx);
    b_end_if(b, alone, NULL);
}

/* Adds this round's sums to those of the panel's tokens. */
static void add_sums(lower_t *L, builder_t *b, lsh_t *c, value_t **sum) {
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix = ax((int64_t)j * L->lanes);
        b_store(b, c->total_sum, sum[j], &ix);
    }
    inst_t *loop = b_for(b, "lane", dim(0), dim(L->tile), 0, NULL);
    affine_t lane = ax_v(loop_var(loop));
    inst_t *guard = window_guard(L, b, c->w, lane);
    affine_t token = panel_token(L, b, c, lane), sx[] = {c->batch, c->head, token};
    value_t *x = b_load(b, c->total_sum, 1, &lane);
    b_store(b, c->a->run_sum, b_binary(b, OP_ADD, load1(b, c->a->run_sum, 3, sx), x), sx);
    value_t *none = b_compare(b, OP_EQ, x, b_const(b, SCALAR(E_F32), 0));
    count_self(L, b, c, none, token);
    window_end_guard(b, guard);
    b_end_for(b, loop, NULL);
}

/* What a round adds to one vector of a panel: its maximum, its sum, the factor of its output. */
typedef struct {
    value_t *most, *sum, *scale;
} round_t;

/* As it is, or in a far row its log-sum-exp, 1, and the factor that makes its weights Hugging Face's. */
static round_t this_round(lower_t *L, builder_t *b, value_t *far, value_t *most, value_t *sum) {
    value_t *one = splat(b, L, 1), *lse = b_binary(b, OP_ADD, m_log(L, b, sum), most);
    return (round_t){.most = b_select(b, far, lse, most),
                     .sum = b_select(b, far, one, sum),
                     .scale = b_select(b, far, far_scale(L, b, most, sum), one)};
}

/* What the last round multiplies the output of far rows by, so that o / s is their rounds' weighed by what Hugging
 * Face rounds to; else 1. */
static value_t *last_scale(lower_t *L, builder_t *b, const lsh_t *c, value_t *far, value_t *top,
                           value_t *total) {
    value_t *last =
        b_compare(b, OP_EQ, b_index(b, c->round), b_iconst(b, SCALAR(E_I64), c->a->rounds - 1));
    far = b_binary(b, OP_AND, far, b_broadcast(b, last, L->lanes));
    value_t *scale = b_binary(b, OP_MUL, total, far_scale(L, b, top, total));
    return b_select(b, far, scale, splat(b, L, 1));
}

/* Reads m and s of the panel's tokens, merges this round's, leaves the factors for old and new output; both are 1
 * where |q| is the shift. */
static void merge_sums(lower_t *L, builder_t *b, lsh_t *c, value_t **most, value_t **sum) {
    inst_t *load = b_for(b, "lane", dim(0), dim(L->tile), 0, NULL);
    affine_t lane = ax_v(loop_var(load));
    affine_t tx[] = {c->batch, c->head, panel_token(L, b, c, lane)};
    b_store(b, c->top, load1(b, c->a->run_max, 3, tx), &lane);
    b_store(b, c->total_sum, load1(b, c->a->run_sum, 3, tx), &lane);
    b_end_for(b, load, NULL);
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix = ax((int64_t)j * L->lanes);
        value_t *m = b_load(b, c->top, L->lanes, &ix), *s = b_load(b, c->total_sum, L->lanes, &ix);
        value_t *far = is_far(L, b, c, j), *one = splat(b, L, 1);
        round_t r = this_round(L, b, far, most[j], sum[j]);
        value_t *top = b_binary(b, OP_MAX, m, r.most);
        value_t *is_shift = b_compare(b, OP_LE, lsh_norm(L, b, c->w, j), splat(b, L, MOST_SHIFT));
        value_t *keep = m_exp(L, b, b_binary(b, OP_SUB, m, top));
        value_t *gain = m_exp(L, b, b_binary(b, OP_SUB, r.most, top));
        keep = b_select(b, is_shift, one, keep);
        gain = b_select(b, is_shift, one, gain);
        value_t *total = b_fma(b, s, keep, b_binary(b, OP_MUL, r.sum, gain));
        value_t *scale = last_scale(L, b, c, far, top, total);
        b_store(b, c->round_sum, r.sum, &ix);
        b_store(b, c->top, top, &ix);
        b_store(b, c->total_sum, total, &ix);
        b_store(b, c->keep, b_binary(b, OP_MUL, keep, scale), &ix);
        b_store(b, c->gain, b_binary(b, OP_MUL, b_binary(b, OP_MUL, gain, r.scale), scale), &ix);
    }
    inst_t *store = b_for(b, "lane", dim(0), dim(L->tile), 0, NULL);
    lane = ax_v(loop_var(store));
    inst_t *guard = window_guard(L, b, c->w, lane);
    affine_t token = panel_token(L, b, c, lane), sx[] = {c->batch, c->head, token};
    b_store(b, c->a->run_max, b_load(b, c->top, 1, &lane), sx);
    b_store(b, c->a->run_sum, b_load(b, c->total_sum, 1, &lane), sx);
    value_t *zero = b_const(b, SCALAR(E_F32), 0);
    count_self(L, b, c, b_compare(b, OP_EQ, b_load(b, c->round_sum, 1, &lane), zero), token);
    window_end_guard(b, guard);
    b_end_for(b, store, NULL);
}

/* The un-sort and the combination in one: out[token] = acc in the first round; later out[token] += acc; in the general
 * way acc * gain and out[token] * keep + acc * gain. */
static void put_rows(lower_t *L, builder_t *b, const lsh_t *c, affine_t row, affine_t col, int rows,
                     value_t **acc, bool first) {
    int nv = L->tiles->vectors;
    for (int i = 0; i < rows; i++) {
        affine_t lane = ax_plus(row, i);
        inst_t *guard = window_guard(L, b, c->w, lane);
        value_t *keep = NULL, *gain = NULL;
        if (!c->bounded) gain = b_broadcast(b, b_load(b, c->gain, 1, &lane), L->lanes);
        if (gain && !first) keep = b_broadcast(b, b_load(b, c->keep, 1, &lane), L->lanes);
        affine_t token = panel_token(L, b, c, lane);
        for (int j = 0; j < nv; j++) {
            affine_t ox[] = {c->batch, c->head, token, ax_plus(col, (int64_t)j * L->lanes)};
            value_t *x = acc[i * nv + j], *old = first ? NULL : b_load(b, c->a->out, L->lanes, ox);
            if (keep) x = b_fma(b, x, gain, b_binary(b, OP_MUL, old, keep));
            else if (gain) x = b_binary(b, OP_MUL, x, gain);
            else if (old) x = b_binary(b, OP_ADD, old, x);
            b_store(b, c->a->out, x, ox);
        }
        window_end_guard(b, guard);
    }
}

static void lsh_rows(lower_t *L, builder_t *b, window_t *w, affine_t row, affine_t col, int rows,
                     value_t **acc) {
    const lsh_t *c = w->ctx;
    value_t *zero = b_iconst(b, SCALAR(E_I64), 0);
    inst_t *first = b_if(b, b_compare(b, OP_EQ, b_index(b, c->round), zero), 0, NULL);
    put_rows(L, b, c, row, col, rows, acc, true);
    b_else(b, first, NULL);
    put_rows(L, b, c, row, col, rows, acc, false);
    b_end_if(b, first, NULL);
}

static void bounded_panel(lower_t *L, builder_t *b, lsh_t *c) {
    value_t *sum[MAX_VECTORS], *shift[MAX_VECTORS];
    c->bounded = true;
    for (int j = 0; j < L->tiles->vectors; j++)
        shift[j] = b_binary(b, OP_MUL, lsh_norm(L, b, c->w, j), splat(b, L, LOG2_E));
    window_weights(L, b, c->w, shift, sum);
    add_sums(L, b, c, sum);
    window_values(L, b, c->w, lsh_rows);
    c->bounded = false;
}

static void general_panel(lower_t *L, builder_t *b, lsh_t *c) {
    value_t *most[MAX_VECTORS], *sum[MAX_VECTORS], *shift[MAX_VECTORS];
    window_scores(L, b, c->w, most);
    for (int j = 0; j < L->tiles->vectors; j++) {
        value_t *norm = lsh_norm(L, b, c->w, j);
        value_t *is_shift = b_compare(b, OP_LE, norm, splat(b, L, MOST_SHIFT));
        shift[j] = b_select(b, is_shift, norm, most[j]);
    }
    window_exp(L, b, c->w, shift, sum);
    merge_sums(L, b, c, most, sum);
    window_values(L, b, c->w, lsh_rows);
}

static void lsh_panel(lower_t *L, builder_t *b, lsh_t *c, value_t *keys_square) {
    affine_t mx[] = {c->w->query_slot, c->w->panel};
    value_t *most = b_name(b_load(b, c->most_norm, 1, mx), "most_norm");
    value_t *limit = b_const(b, SCALAR(E_F32), MOST_SHIFT);
    value_t *is_bound = b_binary(b, OP_AND, b_compare(b, OP_LE, most, limit), keys_square);
    inst_t *way = b_if(b, is_bound, 0, NULL);
    b_likely(way);
    bounded_panel(L, b, c);
    b_else(b, way, NULL);
    general_panel(L, b, c);
    b_end_if(b, way, NULL);
}

/* ---- the kernel --------------------------------------------------------------------------------------------- */

static void scratch_buffers(lower_t *L, builder_t *b, lsh_t *c, window_t *w) {
    int64_t lanes = round_up(c->a->chunk, L->tile);
    dim_t pd[] = {dim(c->ring), dim(lanes)};
    dim_t sd[] = {dim(w->span * c->a->chunk), dim(L->tile)}, td[] = {dim(L->tile)};
    dim_t md[] = {dim(c->ring), dim(lanes / L->tile)};
    w->queries = query_panels(L, b, c->ring, c->a->chunk, c->a->head_size);
    c->values = value_panels(L, b, c->ring, lanes, c->a->head_stride);
    w->query_pos = kernel_scratch(b, "query_pos", E_I32, 2, pd);
    set_range(w->query_pos, dim(0), dim_sub(L->padded, dim(1)));
    c->key_pos = kernel_scratch(b, "key_pos", E_I32, 2, pd);
    c->key_scale = kernel_scratch(b, "key_scale", E_F32, 2, pd);
    c->key_scale2 = kernel_scratch(b, "key_scale2", E_F32, 2, pd);
    c->norm = kernel_scratch(b, "norm", E_F32, 2, pd);
    c->most_norm = kernel_scratch(b, "most_norm", E_F32, 2, md);
    c->most_of_slot = kernel_scratch(b, "most_of_slot", E_F32, 1, pd);
    w->scores = kernel_scratch(b, "scores", E_F32, 2, sd);
    c->round_sum = kernel_scratch(b, "round_sum", E_F32, 1, td);
    c->top = kernel_scratch(b, "top", E_F32, 1, td);
    c->total_sum = kernel_scratch(b, "total_sum", E_F32, 1, td);
    c->keep = kernel_scratch(b, "keep", E_F32, 1, td);
    c->gain = kernel_scratch(b, "gain", E_F32, 1, td);
}

/* Whether the squares of all keys of the ring, which are the window's, are numbers. */
static value_t *keys_have_squares(builder_t *b, const lsh_t *c) {
    value_t *most = NULL;
    for (int64_t slot = 0; slot < c->ring; slot++) {
        affine_t at = ax(slot);
        value_t *x = b_load(b, c->most_of_slot, 1, &at);
        most = most ? b_binary(b, OP_MAX, most, x) : x;
    }
    return b_compare(b, OP_LE, most, b_const(b, SCALAR(E_F32), MOST_NORM));
}

/* One chunk: all panels of its queries. */
static void lsh_chunk(lower_t *L, builder_t *b, lsh_t *c) {
    value_t *keys_square = b_name(keys_have_squares(b, c), "keys_square");
    c->w->query_slot = ring_slot(b, c, ax_plus(c->step, c->a->before));
    inst_t *panels =
        b_for(b, "panel", dim(0), dim(round_up(c->a->chunk, L->tile) / L->tile), 0, NULL);
    c->w->panel = ax_v(loop_var(panels));
    lsh_panel(L, b, c, keys_square);
    b_end_for(b, panels, NULL);
}

/* The run: fill the ring but for its newest slot, then per chunk gather one and attend. With fewer chunks
 * than the window reaches the ring would not hold what the degenerate wrap asks for: a run of one chunk then
 * gathers its window slot by slot. */
static void lsh_run(lower_t *L, builder_t *b, lsh_t *c, int64_t run) {
    const attention_t *a = c->a;
    if (c->ring > 1) {
        inst_t *fill = b_for(b, "o", dim(0), dim(c->ring - 1), 0, NULL);
        affine_t o = ax_v(loop_var(fill));
        gather(L, b, c, c->first, ax_plus(o, -a->before), o);
        b_end_for(b, fill, NULL);
    }
    inst_t *steps = b_for(b, "step", dim(0), dim(run), 0, NULL);
    inst_t *guard = NULL;
    c->step = ax_v(loop_var(steps));
    c->chunk = ax_add(c->first, c->step);
    if (!dim_divisible(c->chunks, run)) { /* the last run is shorter */
        value_t *chunk = b_index(b, c->chunk);
        value_t *n = b_index(b, (affine_t){.base = c->chunks});
        value_t *last = b_index(b, (affine_t){.base = dim_sub(c->chunks, dim(1))});
        guard = b_if(b, b_compare(b, OP_LT, chunk, n), 0, NULL);
        c->chunk = ax_v(b_binary(b, OP_MIN, chunk, last));
    }
    gather(L, b, c, c->chunk, ax(a->after), ring_slot(b, c, ax_plus(c->step, c->ring - 1)));
    lsh_chunk(L, b, c);
    if (guard) b_end_if(b, guard, NULL);
    b_end_for(b, steps, NULL);
}

void lower_lsh_attention(lower_t *L, attention_t *a) {
    lsh_t c = {.a = a, .chunks = dim_div(L->padded, a->chunk), .ring = 1 + a->before + a->after};
    c.total = dim_scale(c.chunks, a->rounds);
    int64_t reach = a->before > a->after ? a->before : a->after;
    int64_t run = L->tiles->run; /* look-back chunks are gathered once per run */
    if (reach > dim_at(c.total, L->g->units.min)) run = 1;
    if (dim_literal(c.chunks)) { /* runs of nearly equal length */
        int64_t runs = (c.chunks.c + run - 1) / run;
        run = (c.chunks.c + runs - 1) / runs;
    }
    while (!dim_literal(c.chunks) && !dim_divisible(c.chunks, run)) run--; /* tasks linear in U */
    dim_t runs = dim_literal(c.chunks) ? dim((c.chunks.c + run - 1) / run) : dim_div(c.chunks, run);
    dim_t tasks[] = {dim(L->batch), dim(a->group), runs};
    const char *names[] = {"batch", "head", "run"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, "attention"), 3, tasks, names);
    describe(L, b.fn, a->node->at,
             "LSH attention: sorted chunks of %lld against %lld before and %lld after, one round",
             (long long)a->chunk, (long long)a->before, (long long)a->after);
    c.round = ax_v(kernel_param(&b, "round", a->rounds));
    c.batch = ax_v(b.fn->task[0]);
    c.head = ax_v(b.fn->task[1]);
    c.first = ax_scale(ax_v(b.fn->task[2]), run);
    window_t w = {.chunk = a->chunk,
                  .run = L->tile,
                  .span = c.ring,
                  .width = a->head_stride,
                  .causal = a->causal,
                  .exclude_self = true,
                  .masked = NOTHING,
                  .ctx = &c,
                  .ahead = lsh_ahead,
                  .open_chunk = lsh_open,
                  .key_at = lsh_key,
                  .key_scale = lsh_scale,
                  .key_pos = lsh_pos,
                  .key_own = lsh_own,
                  .self_score = lsh_self,
                  .norm = lsh_norm,
                  .value_at = lsh_value};
    c.w = &w;
    scratch_buffers(L, &b, &c, &w);
    lsh_run(L, &b, &c, run);
    a->attend = b.fn;
}
