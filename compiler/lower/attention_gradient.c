/* Gradients of attention, one kernel for all kinds: a chunk of queries against one chunk
 * of the keys that it sees.
 *
 * With s the scores, P = exp(s - shift) * scale the forward's probabilities over the keys of all
 * rounds, and D = <dy, y>:
 *   dv += Pt dy    ds = P (dy vt - D), nothing where a mask set the score    dq
 *                  += ds k    dk += dst q,
 * where the keys' factor in the scores (1 / sqrt(d), or 1 / norm) goes into ds. That makes five
 * products of register tiles, where the forward has two: scores and dy vt transposed, keys as rows
 * and queries in the lanes, so that P and ds come out as the broadcast operand of the other three.
 *
 * Of bf16 the forward's weights are rounded before they are scaled, so that the scale goes into dy:
 * w = exp(s - shift), dy and D times scale; w, dy * scale and ds are factors of
 * products and rounded as such.
 *
 * A key has gradients of several windows. A launch is of one round and one offset: chunk c of the
 * queries meets chunk c + offset of the keys, another for each c, so that tasks add to different
 * rows and need no locks; launches follow each other. Each element is a sum in one order, whatever
 * the number of threads. Only in a sorted order may a token stand in two chunks of keys at once,
 * where those beyond the ends of a round are another round's: these few are a launch of their own,
 * one after the other (`edges`). */
#include "lower/attention_gradient.h"

/* Rows of a block of exact attention. */
enum { GRADIENT_BLOCK = 64 };

/* ---- sums ------------------------------------------------------------------------------------ */

/* Adds what a tile has for the row at `lane` of a chunk. */
static void add_row(lower_t *L, builder_t *b, const grad_t *g, buffer_t *to, affine_t row,
                    value_t *const *acc) {
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {g->batch, g->head, row, ax_plus(g->column, (int64_t)j * L->lanes)};
        b_store(b, to, b_binary(b, OP_ADD, b_load(b, to, L->lanes, ix), acc[j]), ix);
    }
}

/* The rows of a tile, which a sorted order has strewn over memory, come while
 * its product is computed. */
static void fetch_rows(lower_t *L, builder_t *b, const grad_t *g, buffer_t *to, buffer_t *tokens,
                       affine_t first, int rows) {
    for (int i = 0; i < rows; i++) {
        affine_t lane = ax_plus(first, i);
        affine_t ix[] = {g->batch, g->head, ax_v(b_load(b, tokens, 1, &lane)), g->column};
        prefetch_row(b, to, ix, L->tile);
    }
}

static void query_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows,
                       affine_t ordinal) {
    grad_t *g = ctx;
    value_t *acc[MAX_TILE];
    (void)ordinal;
    affine_t first = ax_add(ax_scale(g->panel, L->tile), row);
    fetch_rows(L, b, g, g->a->dq, g->query_pos, first, rows);
    queries_along(L, b, g, row, rows, acc);
    for (int i = 0; i < rows; i++) {
        affine_t lane = ax_plus(first, i);
        value_t *real = is_chunk_row(b, g, g->chunk, lane);
        if (g->lanes != g->size) {
            value_t *inside = b_compare(b, OP_LT, b_index(b, lane), b_index(b, ax(g->size)));
            real = real ? b_binary(b, OP_AND, real, inside) : inside;
        }
        inst_t *guard = real ? b_if(b, real, 0, NULL) : NULL;
        affine_t token = ax_v(b_load(b, g->query_pos, 1, &lane));
        add_row(L, b, g, g->a->dq, token, acc + (ptrdiff_t)i * L->tiles->vectors);
        if (guard) b_end_if(b, guard, NULL);
    }
}

static void key_tile(lower_t *L, builder_t *b, grad_t *g, affine_t row, int rows, buffer_t *to) {
    value_t *acc[MAX_TILE];
    int n = to == g->a->dv ? rows * L->tiles->vectors : 0;
    fetch_rows(L, b, g, to, g->key_row, row, rows);
    keys_along(L, b, g, row, rows, acc);
    for (int i = 0; i < n; i++) acc[i] = times_kept(L, b, g->a, acc[i]);
    for (int i = 0; i < rows; i++) {
        affine_t lane = ax_plus(row, i);
        value_t *real = is_chunk_row(b, g, g->other, lane);
        inst_t *guard = real ? b_if(b, real, 0, NULL) : NULL;
        affine_t token = ax_v(b_load(b, g->key_row, 1, &lane));
        add_row(L, b, g, to, token, acc + (ptrdiff_t)i * L->tiles->vectors);
        if (guard) b_end_if(b, guard, NULL);
    }
}

static void key_gradient_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows,
                              affine_t ordinal) {
    grad_t *g = ctx;
    (void)ordinal;
    key_tile(L, b, g, row, rows, g->a->dk);
}

static void value_gradient_tile(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows,
                                affine_t ordinal) {
    grad_t *g = ctx;
    (void)ordinal;
    key_tile(L, b, g, row, rows, g->a->dv);
}

/* ---- dropout --------------------------------------------------------------------------------- */

static void put_factor(lower_t *L, builder_t *b, void *ctx, affine_t key, int j, value_t *factor) {
    const grad_t *g = ctx;
    affine_t at[] = {key, ax_plus(ax_scale(g->panel, L->tile), (int64_t)j * L->lanes)};
    b_store(b, g->factors, factor, at);
}

/* Of the panel: of its first query's place in the order, and of the keys' in its window. */
static void draw_factors(lower_t *L, builder_t *b, grad_t *g) {
    if (!g->kept) return;
    affine_t row = ax_add(ax_scale(g->chunk, g->size), ax_scale(g->panel, L->tile));
    affine_t first = ax_scale(g->a->exact ? g->other : g->offset, g->size);
    for_kept(L, b, g->kept, row, first, g->size, g->size % BLOCK == 0, put_factor, g);
}

/* ---- a chunk against another ----------------------------------------------------------------- */

static void meet(lower_t *L, builder_t *b, grad_t *g) {
    gather_chunk_queries(L, b, g);
    gather_chunk_keys(L, b, g);
    inst_t *panels = b_for(b, "panel", dim(0), dim(g->lanes / L->tile), 0, NULL);
    g->panel = ax_v(loop_var(panels));
    draw_factors(L, b, g);
    b_comment(b, g->order == ONE_BY_ONE ? "probabilities" : "weights");
    for_key_tiles(L, b, g, grad_weigh_tile);
    b_comment(b, "gradients of scores");
    for_key_tiles(L, b, g, grad_score_tile);
    b_comment(b, "of queries");
    add_up_queries(L, b, g, L->tile, query_tile);
    b_end_for(b, panels, NULL);
    b_comment(b, "of keys");
    add_up_keys(L, b, g, g->ds, g->q, g->size, key_gradient_tile);
    b_comment(b, "of values");
    add_up_keys(L, b, g, g->p, g->dy, g->size, value_gradient_tile);
}

static buffer_t *lane_scratch(builder_t *b, const char *name, elem_t e, int64_t n) {
    dim_t d = dim(n);
    return kernel_scratch(b, name, e, 1, &d);
}

/* Transposed rows, as query_panels() makes them. */
static buffer_t *panel_scratch(lower_t *L, builder_t *b, const grad_t *g, const char *name) {
    int64_t each = g->order == DOT_PAIRS ? 2 : 1;
    dim_t d[] = {dim(1), dim(g->lanes / L->tile), dim((g->a->head_size + each - 1) / each),
                 dim(L->tile * each)};
    return kernel_scratch(b, name, each > 1 ? E_BF16 : E_F32, 4, d);
}

/* Rows as they are, or pairs of them, as value_panels() makes them. */
static buffer_t *row_scratch(lower_t *L, builder_t *b, const grad_t *g, const char *name,
                             bool pairs) {
    elem_t e = g->order == DOT_PAIRS ? E_BF16 : E_F32;
    dim_t d[] = {dim(g->size), dim(g->a->head_stride + padding_of(e))};
    dim_t pd[] = {dim(1), dim(g->a->head_stride / L->tile), dim(pairs_of(g->size)),
                  dim(2 * L->tile)};
    return pairs ? kernel_scratch(b, name, e, 4, pd) : kernel_scratch(b, name, e, 2, d);
}

static void weight_scratch(builder_t *b, grad_t *g) {
    elem_t e = g->order == DOT_PAIRS ? E_BF16 : E_F32;
    dim_t d[] = {dim(g->size), dim(g->lanes + padding_of(e))};
    dim_t fd[] = {dim(g->size), dim(g->lanes + padding_of(E_F32))};
    dim_t pd[] = {dim(pairs_of(g->size)), dim(2 * g->lanes + padding_of(e))};
    g->p = kernel_scratch(b, "p", e, 2, d);
    g->ds = g->ds_pairs = kernel_scratch(b, "ds", e, 2, d);
    if (g->order == DOT_PAIRS) g->ds_pairs = kernel_scratch(b, "ds_pairs", e, 2, pd);
    if (g->kept) g->factors = kernel_scratch(b, "factors", E_F32, 2, fd);
}

static void scratch_buffers(lower_t *L, builder_t *b, grad_t *g) {
    bool pairs = g->order == DOT_PAIRS;
    g->queries = panel_scratch(L, b, g, "queries");
    g->results = panel_scratch(L, b, g, "results");
    g->q = row_scratch(L, b, g, "q_rows", pairs);
    g->dy = row_scratch(L, b, g, "dy_rows", pairs);
    g->k = row_scratch(L, b, g, "k_rows", false);
    g->v = row_scratch(L, b, g, "v_rows", false);
    g->k_pairs = pairs ? row_scratch(L, b, g, "k_pairs", true) : g->k;
    weight_scratch(b, g);
    g->shift = lane_scratch(b, "shift", E_F32, g->lanes);
    g->scale = lane_scratch(b, "scale", E_F32, g->lanes);
    g->mean = lane_scratch(b, "mean", E_F32, g->lanes);
    g->query_pos = lane_scratch(b, "query_pos", E_I32, g->lanes);
    g->key_row = lane_scratch(b, "key_row", E_I32, g->size);
    g->key_own = lane_scratch(b, "key_own", E_I32, g->size);
    g->key_pos = lane_scratch(b, "key_pos", E_I32, g->size);
    g->key_scale = lane_scratch(b, "key_scale", E_F32, g->size);
    set_range(g->query_pos, dim(0), dim_sub(L->padded, dim(1)));
    set_range(g->key_row, dim(0), dim_sub(L->padded, dim(1)));
}

/* Which chunk of keys is `offset` from that of the queries. */
static void find_other(lower_t *L, builder_t *b, grad_t *g) {
    const attention_t *a = g->a;
    affine_t offset = ax_plus(g->offset, -a->before);
    if (a->exact) {
        value_t *sum = b_index(b, ax_add(g->chunk, g->offset));
        g->other = ax_v(b_name(b_irem(b, sum, g->chunks), "other"));
        return;
    }
    if (!is_sorted(a)) {
        g->other = window_chunk(L, b, a, g->chunks, g->chunk, offset);
        return;
    }
    affine_t flat = ax_add(ax_scale_dim(g->round, g->chunks), g->chunk);
    value_t *other = b_index(b, window_chunk(L, b, a, g->total, flat, offset));
    g->other_round = ax_v(b_name(b_idiv(b, other, g->chunks), "other_round"));
    g->other = ax_v(b_name(b_irem(b, other, g->chunks), "other_chunk"));
}

/* Whether the chunks have anything to do with each other here. NULL: they have. */
static inst_t *if_they_meet(builder_t *b, const grad_t *g, bool edges) {
    const attention_t *a = g->a;
    value_t *meets = NULL;
    if (is_sorted(a) && a->rounds > 1) {
        op_t op = edges ? OP_NE : OP_EQ;
        meets = b_compare(b, op, b_index(b, g->other_round), b_index(b, g->round));
    } else if (a->exact && a->lsh && a->causal) {
        meets = b_compare(b, OP_LE, b_index(b, g->other), b_index(b, g->chunk));
    }
    inst_t *branch = meets ? b_if(b, meets, 0, NULL) : NULL;
    if (branch) b_likely(branch);
    return branch;
}

static void meet_other(lower_t *L, builder_t *b, grad_t *g, bool edges) {
    find_other(L, b, g);
    inst_t *branch = if_they_meet(b, g, edges);
    meet(L, b, g);
    if (branch) b_end_if(b, branch, NULL);
}

static grad_t grad_of(lower_t *L, attention_t *a) {
    int64_t length = L->padded.c; /* exact attention has a literal one */
    grad_t g = {.a = a, .order = order_of_products(a), .size = a->chunk, .other_round = ax(0)};
    if (a->exact) {
        g.size = length < GRADIENT_BLOCK ? length : GRADIENT_BLOCK;
        g.chunks = gradient_offsets(L, a);
        g.length = length;
    } else {
        g.chunks = dim_div(L->padded, a->chunk);
    }
    g.total = dim_scale(g.chunks, a->rounds);
    g.lanes = round_up(g.size, L->tile);
    g.w = (window_t){.causal = a->causal,
                     .exclude_self = a->lsh,
                     .masked = a->lsh ? NOTHING : MASKED_KEY,
                     .absent = !a->lsh && (L->o->absent_keys || has_filler_rows(&g))};
    return g;
}

dim_t gradient_offsets(const lower_t *L, const attention_t *a) {
    int64_t length = L->padded.c, block = length < GRADIENT_BLOCK ? length : GRADIENT_BLOCK;
    return dim(a->exact ? (length + block - 1) / block : 1 + a->before + a->after);
}

static void open_kernel(lower_t *L, builder_t *b, grad_t *g) {
    const attention_t *a = g->a;
    int64_t offsets = gradient_offsets(L, a).c;
    g->batch = ax_v(b->fn->task[0]);
    g->head = ax_v(b->fn->task[1]);
    told_t told = tell_attention(L, b, a, a->gradient);
    g->in = told_heads(L, a, &told, g->batch, g->head);
    g->round = ax_v(kernel_param(b, "round", a->rounds));
    g->offset = ax_v(kernel_param(b, "offset", offsets));
    g->kept = begin_kept(L, b, a, &told, g->batch, g->head);
    kept_of_round(L, b, a, g->kept, g->round);
    scratch_buffers(L, b, g);
}

static void chunks_kernel(lower_t *L, attention_t *a) {
    grad_t g = grad_of(L, a);
    dim_t tasks[] = {dim(L->batch), dim(a->group), g.chunks};
    const char *names[] = {"batch", "head", "chunk"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, "gradient"), 3, tasks, names);
    describe(L, b.fn, a->node->at,
             "gradient of %s attention: chunks of %lld against others at one offset",
             a->lsh ? "LSH" : "local", (long long)g.size);
    open_kernel(L, &b, &g);
    g.chunk = ax_v(b.fn->task[2]);
    meet_other(L, &b, &g, false);
    a->gradient_chunks = b.fn;
}

/* Chunks whose keys are those of another round. */
static void edges_kernel(lower_t *L, attention_t *a) {
    int64_t reach = a->before > a->after ? a->before : a->after;
    if (!is_sorted(a) || a->rounds == 1 || reach == 0) return;
    grad_t g = grad_of(L, a);
    int64_t fewest = dim_at(g.chunks, L->g->units.min);
    dim_t tasks[] = {dim(L->batch), dim(a->group)}, n = reach < fewest ? dim(reach) : g.chunks;
    const char *names[] = {"batch", "head"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, "gradient_edges"), 2, tasks, names);
    describe(L, b.fn, a->node->at, "gradient of LSH attention: where chunks meet another round's");
    open_kernel(L, &b, &g);
    inst_t *loop = b_for(&b, "edge", dim(0), n, 0, NULL);
    g.chunk = ax_v(loop_var(loop));
    if (reach < fewest) { /* the first chunks, or the last ones */
        value_t *mirror = b_index(
            &b, ax_add(ax_scale(g.chunk, -1), (affine_t){.base = dim_sub(g.chunks, dim(1))}));
        value_t *back = b_compare(&b, OP_LT, b_index(&b, g.offset), b_index(&b, ax(a->before)));
        value_t *chunk =
            b_select(&b, back, b_convert(&b, E_I32, loop_var(loop)), b_convert(&b, E_I32, mirror));
        g.chunk = ax_v(b_name(b_convert(&b, E_I64, chunk), "chunk"));
    }
    meet_other(L, &b, &g, true);
    b_end_for(&b, loop, NULL);
    a->gradient_edges = b.fn;
}

void lower_attention_gradient(lower_t *L, attention_t *a) {
    lower_gradient_begin(L, a);
    chunks_kernel(L, a);
    edges_kernel(L, a);
    lower_gradient_end(L, a);
}
