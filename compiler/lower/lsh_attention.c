/* LSH attention of one round (docs/semantics.md 6.4 to 6.6): chunks of the sorted order, each
 * against its window of sorted chunks, which wraps through all rounds; combined with
 * earlier rounds on the way.
 *
 * Task: a run of consecutive chunks of one head. Every chunk is gathered once into a ring of
 * transposed query-keys (shared QK: the queries of one chunk are the keys of the next) and value
 * rows. Rounds follow each other, chunks of a round touch different tokens, so results do
 * not depend on the workers.
 *
 * Softmax needs no maximum: keys are normalised, so a score is at most |q|, and while |q| is small
 * enough for 2^-2|q| to be a normal number, |q| itself is the shift. It is the same in every round,
 * so rounds are combined by adding weights and outputs up. A panel with a longer query takes the
 * general path, online softmax over rounds: per token the maximum m, the sum s and the unnormalised
 * output o of the rounds so far. Either way log-sum-exp weights of Hugging Face come out when o / s
 * is taken at the end. A row that sees only itself adds nothing here; its count of self entries is
 * kept for the row that sees itself only in every round (Q2): each round's weights are 0 exactly
 * where they are 0 in all of them, so the count is there where the sum of all is 0.
 *
 * Beyond |q| = FAR a token may outweigh all others as its own key, and rounding of log-sum-exp
 * shows: such a row has itself among its keys, and in each round and over them the weights that
 * Hugging Face rounds to; o / s is its output all the same. A NaN makes the sum NaN,
 * and is no number that 2^x may take: a window with a key whose square overflows
 * takes the general path. */
#include "lower/lsh_attention.h"

/* ---- a panel --------------------------------------------------------------------------------- */

/* |q| is the shift: rounds are added up as they are, which the factors of old
 * and new output say. */
static void bounded_weights(lower_t *L, builder_t *b, lsh_t *c) {
    value_t *sum[MAX_VECTORS], *shift[MAX_VECTORS];
    c->bounded = true;
    for (int j = 0; j < L->tiles->vectors; j++)
        shift[j] = b_binary(b, OP_MUL, ring_norm(L, b, c->w, j), splat(b, L, LOG2_E));
    window_weights(L, b, c->w, shift, sum);
    add_sums(L, b, c, sum);
    c->bounded = false;
}

static void general_weights(lower_t *L, builder_t *b, lsh_t *c) {
    value_t *max[MAX_VECTORS], *sum[MAX_VECTORS], *shift[MAX_VECTORS];
    window_scores(L, b, c->w, max);
    for (int j = 0; j < L->tiles->vectors; j++) {
        value_t *norm = ring_norm(L, b, c->w, j);
        value_t *is_shift = b_compare(b, OP_LE, norm, splat(b, L, MAX_SHIFT));
        shift[j] = b_select(b, is_shift, norm, max[j]);
    }
    window_exp(L, b, c->w, shift, sum);
    merge_sums(L, b, c, max, sum);
}

static void lsh_panel(lower_t *L, builder_t *b, lsh_t *c, value_t *keys_square) {
    affine_t mx[] = {c->w->query_slot, c->w->panel};
    value_t *max = b_name(b_load(b, c->max_norm, 1, mx), "most_norm");
    value_t *limit = b_const(b, SCALAR(E_F32), MAX_SHIFT);
    value_t *is_bound = b_binary(b, OP_AND, b_compare(b, OP_LE, max, limit), keys_square);
    inst_t *way = b_if(b, is_bound, 0, NULL);
    b_likely(way);
    bounded_weights(L, b, c);
    b_else(b, way, NULL);
    general_weights(L, b, c);
    b_end_if(b, way, NULL);
    window_values(L, b, c->w, put_round);
}

/* ---- the kernel ------------------------------------------------------------------------------ */

static void scratch_buffers(lower_t *L, builder_t *b, lsh_t *c, window_t *w) {
    int64_t lanes = round_up(c->a->chunk, L->tile);
    dim_t pd[] = {dim(c->ring), dim(lanes)};
    dim_t td[] = {dim(L->tile)};
    dim_t md[] = {dim(c->ring), dim(lanes / L->tile)};
    w->queries = query_panels(L, b, c->ring, c->a->chunk, c->a->head_size, c->a->pairs);
    c->values = value_panels(L, b, c->ring, lanes, c->a->head_stride, c->a->pairs);
    w->query_pos = kernel_scratch(b, "query_pos", E_I32, 2, pd);
    set_range(w->query_pos, dim(0), dim_sub(L->padded, dim(1)));
    c->key_pos = kernel_scratch(b, "key_pos", E_I32, 2, pd);
    c->key_scale = kernel_scratch(b, "key_scale", E_F32, 2, pd);
    c->key_scale2 = kernel_scratch(b, "key_scale2", E_F32, 2, pd);
    c->norm = kernel_scratch(b, "norm", E_F32, 2, pd);
    c->max_norm = kernel_scratch(b, "most_norm", E_F32, 2, md);
    c->max_of_slot = kernel_scratch(b, "most_of_slot", E_F32, 1, pd);
    window_scratch(L, b, w);
    c->round_sum = kernel_scratch(b, "round_sum", E_F32, 1, td);
    c->top = kernel_scratch(b, "top", E_F32, 1, td);
    c->total_sum = kernel_scratch(b, "total_sum", E_F32, 1, td);
    c->rescale = kernel_scratch(b, "rescale", E_F32, 1, td);
    c->gain = kernel_scratch(b, "gain", E_F32, 1, td);
}

/* One chunk: all panels of its queries. */
static void lsh_chunk(lower_t *L, builder_t *b, lsh_t *c) {
    value_t *keys_square = b_name(keys_have_squares(b, c), "keys_square");
    c->w->query_slot = ring_slot(b, c, ax_plus(c->gathered, c->a->before + 1));
    inst_t *panels =
        b_for(b, "panel", dim(0), dim(round_up(c->a->chunk, L->tile) / L->tile), 0, NULL);
    c->w->panel = ax_v(loop_var(panels));
    lsh_panel(L, b, c, keys_square);
    b_end_for(b, panels, NULL);
}

/* The chunk whose window the ring holds after step `gathered`: the newest less those after it. True
 * while it is one of the run's: not while the ring fills, nor behind the last chunk. */
static value_t *own_chunk(builder_t *b, lsh_t *c, int64_t chunks) {
    value_t *chunk = b_index(b, ax_plus(ax_add(c->first, c->gathered), 1 - c->ring)), *is = NULL;
    value_t *zero = b_iconst(b, SCALAR(E_I64), 0);
    if (c->ring > 1) {
        is = b_compare(b, OP_GE, b_index(b, ax_plus(c->gathered, 1 - c->ring)), zero);
        chunk = b_binary(b, OP_MAX, chunk, zero);
    }
    if (!dim_divisible(c->chunks, chunks)) { /* the last run is shorter */
        value_t *n = b_index(b, (affine_t){.base = c->chunks});
        value_t *last = b_index(b, (affine_t){.base = dim_sub(c->chunks, dim(1))});
        value_t *before_end = b_compare(b, OP_LT, chunk, n);
        is = is ? b_binary(b, OP_AND, is, before_end) : before_end;
        chunk = b_binary(b, OP_MIN, chunk, last);
    }
    c->chunk = ax_v(chunk);
    return is;
}

/* The run: each step gathers a chunk into the ring; once that is full it attends, too. With fewer
 * chunks than the window reaches the ring would not hold what the degenerate wrap asks for: a run
 * of one chunk then gathers its window slot by slot. */
static void lsh_task(lower_t *L, builder_t *b, lsh_t *c, int64_t chunks) {
    bool alone = c->ring == 1; /* a chunk is its own window */
    inst_t *steps = b_for(b, "step", dim(0), dim(c->ring - 1 + chunks), 0, NULL), *own = NULL;
    c->gathered = ax_v(loop_var(steps));
    if (!alone)
        gather(L, b, c, c->first, ax_plus(c->gathered, -c->a->before),
               ring_slot(b, c, c->gathered));
    value_t *is = own_chunk(b, c, chunks);
    if (is) b_likely(own = b_if(b, is, 0, NULL));
    if (alone) gather(L, b, c, c->chunk, ax(0), ax(0));
    lsh_chunk(L, b, c);
    if (own) b_end_if(b, own, NULL);
    b_end_for(b, steps, NULL);
}

/* Chunks per task: those before and after a run are gathered once more for it. */
static int64_t chunks_in_task(const lower_t *L, const lsh_t *c) {
    int64_t reach = c->a->before > c->a->after ? c->a->before : c->a->after,
            chunks = L->tiles->chunks_per_task;
    if (reach > dim_at(c->total, L->g->units.min)) chunks = 1;
    if (dim_literal(c->chunks)) { /* runs of nearly equal length */
        int64_t n_tasks = (c->chunks.c + chunks - 1) / chunks;
        return (c->chunks.c + n_tasks - 1) / n_tasks;
    }
    while (!dim_divisible(c->chunks, chunks)) chunks--; /* tasks linear in U */
    return chunks;
}

void lower_lsh_attention(lower_t *L, attention_t *a) {
    lsh_t c = {.a = a, .chunks = dim_div(L->padded, a->chunk), .ring = 1 + a->before + a->after};
    c.total = dim_scale(c.chunks, a->rounds);
    int64_t chunks = chunks_in_task(L, &c);
    dim_t n_tasks =
        dim_literal(c.chunks) ? dim((c.chunks.c + chunks - 1) / chunks) : dim_div(c.chunks, chunks);
    dim_t tasks[] = {dim(L->batch), dim(a->group), n_tasks};
    const char *names[] = {"batch", "head", "run"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, "attention"), 3, tasks, names);
    describe(L, b.fn, a->node->at,
             "LSH attention: sorted chunks of %lld against %lld before and %lld after, one round",
             (long long)a->chunk, (long long)a->before, (long long)a->after);
    told_t told = tell_attention(L, &b, a, a->node);
    c.round = ax_v(kernel_param(&b, "round", a->rounds));
    c.batch = ax_v(b.fn->task[0]);
    c.head = ax_v(b.fn->task[1]);
    c.in = told_heads(L, a, &told, c.batch, c.head);
    c.first = ax_scale(ax_v(b.fn->task[2]), chunks);
    window_t w = ring_window(L, &c);
    c.w = &w;
    kept_t *kept = begin_kept(L, &b, a, &told, c.batch, c.head);
    kept_of_round(L, &b, a, kept, c.round);
    w.kept = kept;
    scratch_buffers(L, &b, &c, &w);
    lsh_task(L, &b, &c, chunks);
    a->attend = b.fn;
}
