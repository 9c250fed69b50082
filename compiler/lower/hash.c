/* LSH hashing and sorting (docs/semantics.md 6.3, 6.4).
 *
 * hash   tokens lie in the vector lanes, so that the argmax over [xR; -xR] is vertical and the
 *        rotated vectors are never stored: a tile of columns of R is broadcast
 *        against transposed tokens.
 * sort   counting sort per round: histogram, prefix sum, stable scatter. Masked tokens have the
 *        extra bucket n and come last. Round offsets change no order within a round, so they appear
 *        only in traces and imposed buckets. */
#include "lower/attention_stacks.h"
#include "lower/panels.h"

typedef struct {
    const attention_t *a;
    affine_t batch, head, row0;
    heads_t in;
    affine_t panel, first; /* of the block's tokens; its first token, within the block */
    value_t *index, *whole_head;
    buffer_t *tokens; /* scratch, made by query_panels */
    buffer_t *found;  /* scratch [rounds][block rounded up] */
    affine_t round, column;
} hash_t;

static affine_t token_row(lower_t *L, builder_t *b, void *ctx, affine_t lane) {
    const hash_t *h = ctx;
    return ax_add(h->row0, clamp_lane(L, b, lane, L->block));
}

/* Before each round, a share of the rows of the next block's tile, whose task
 * most likely comes next. */
static void fetch_next(lower_t *L, builder_t *b, const hash_t *h) {
    int64_t share = (L->tile - 1) / h->a->rounds + 1;
    inst_t *loop = b_for(b, "lane", dim(0), dim(share), 0, NULL);
    affine_t lane = ax_add(ax_scale(h->round, share), ax_v(loop_var(loop)));
    affine_t row = ax_plus(ax_add(ax_add(h->row0, h->first), lane), L->block);
    row = ax_v(at_most(b, row, dim_sub(L->rows, dim(1))));
    affine_t qx[] = {ax(0), ax(0), row, ax(0)};
    prefetch_row(b, h->a->plain_q, in_heads(&h->in, h->a->plain_q, qx), h->a->head_stride);
    b_end_for(b, loop, NULL);
}

static value_t *rotation_at(lower_t *L, builder_t *b, void *ctx, int row, affine_t k) {
    (void)L;
    const hash_t *h = ctx;
    affine_t ix[] = {ax_v(h->index), ax_v(h->whole_head), h->round, k, ax_plus(h->column, row)};
    return b_load(b, h->a->rotations->w, 1, ix);
}

static value_t *token_at(lower_t *L, builder_t *b, void *ctx, int j, affine_t k) {
    const hash_t *h = ctx;
    affine_t ix[] = {ax(0), h->panel, k, ax((int64_t)j * L->lanes)};
    return b_load(b, h->tokens, L->lanes, ix);
}

/* best[4 * j …]: greatest x·r and its column, least x·r and its column, per vector j. A strict
 * comparison keeps the first of equals. */
static void update_best(builder_t *b, value_t **best, value_t *x, value_t *column) {
    value_t *more = b_compare(b, OP_GT, x, best[0]), *less = b_compare(b, OP_LT, x, best[2]);
    best[0] = b_binary(b, OP_MAX, x, best[0]);
    best[1] = b_select(b, more, column, best[1]);
    best[2] = b_binary(b, OP_MIN, x, best[2]);
    best[3] = b_select(b, less, column, best[3]);
}

/* The bucket of every token for one factor: argmax over its columns and their negatives. */
static void factor_bucket(lower_t *L, builder_t *b, hash_t *h, int64_t first, int64_t columns,
                          value_t **bucket) {
    int nv = L->tiles->vectors, size[2];
    int64_t count[2];
    ltype_t ints = VECTOR(E_I32, L->lanes);
    value_t *best[4 * MAX_VECTORS], *acc[MAX_TILE];
    static const char *const names[] = {"most", "most_at", "least", "least_at"};
    for (int j = 0; j < nv; j++) {
        best[4 * j] = splat(b, L, LOWEST);
        best[4 * j + 2] = splat(b, L, -LOWEST);
        best[4 * j + 1] = best[4 * j + 3] = b_iconst(b, ints, 0);
    }
    int64_t at = 0;
    int shapes = split_rows(L, columns, size, count);
    for (int s = 0; s < shapes; s++) {
        inst_t *loop = b_for(b, "columns", dim(0), dim(count[s]), 4 * nv, best);
        for (int i = 0; i < 4 * nv; i++) best[i] = b_name(loop_arg(loop, i), names[i % 4]);
        affine_t column = ax_plus(ax_scale(ax_v(loop_var(loop)), size[s]), at);
        h->column = ax_plus(column, first);
        product_t p = {.rows = size[s],
                       .vectors = nv,
                       .depth = h->a->head_size,
                       .x = rotation_at,
                       .y = token_at,
                       .ctx = h};
        tile_product(L, b, &p, acc);
        for (int i = 0; i < size[s]; i++) {
            value_t *c = b_convert(b, E_I32, b_index(b, ax_plus(column, i)));
            value_t *lanes = b_broadcast(b, c, L->lanes);
            for (int j = 0; j < nv; j++) update_best(b, &best[4 * j], acc[i * nv + j], lanes);
        }
        b_end_for(b, loop, best);
        for (int i = 0; i < 4 * nv; i++) best[i] = loop->results[i];
        at += count[s] * size[s];
    }
    value_t *half = b_iconst(b, ints, columns);
    for (int j = 0; j < nv; j++) {
        value_t *opposite = b_unary(b, OP_NEG, best[4 * j + 2]);
        value_t *negative = b_compare(b, OP_GT, opposite, best[4 * j]);
        value_t *other = b_binary(b, OP_ADD, best[4 * j + 3], half);
        bucket[j] = b_select(b, negative, other, best[4 * j + 1]);
    }
}

/* All factors of one round: b_0 + f_0 (b_1 + f_1 (…)). */
static void round_buckets(lower_t *L, builder_t *b, hash_t *h) {
    const attention_t *a = h->a;
    ltype_t ints = VECTOR(E_I32, L->lanes);
    value_t *total[MAX_VECTORS], *part[MAX_VECTORS];
    int64_t first = 0, weight_of = 1;
    for (int f = 0; f < a->n_factors; f++) {
        factor_bucket(L, b, h, first, a->factors[f] / 2, part);
        for (int j = 0; j < L->tiles->vectors; j++) {
            value_t *x = part[j];
            if (f > 0) x = b_binary(b, OP_MUL, x, b_iconst(b, ints, weight_of));
            total[j] = f > 0 ? b_binary(b, OP_ADD, total[j], x) : x;
        }
        first += a->factors[f] / 2;
        weight_of *= a->factors[f];
    }
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t ix[] = {h->round, ax_plus(h->first, (int64_t)j * L->lanes)};
        b_store(b, h->found, total[j], ix);
    }
}

/* Stores the buckets of the block; masked tokens go to bucket n. */
static void store_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const hash_t *h = ctx;
    affine_t fx[] = {h->round, at}, kx[] = {h->batch, ax_add(h->row0, at)};
    affine_t bx[] = {h->batch, h->head, h->round, ax_add(h->row0, at)};
    ltype_t ints = {E_I32, width};
    value_t *masked = b_compare(b, OP_GE, b_load(b, L->key_position, width, kx),
                                b_iconst(b, ints, REFORMER_MASKED));
    value_t *n = b_iconst(b, ints, h->a->buckets);
    b_store(b, h->a->bucket_of, b_select(b, masked, n, b_load(b, h->found, width, fx)), bx);
}

static void hash_kernel(lower_t *L, attention_t *a) {
    dim_t tasks[] = {dim(L->batch), dim(a->group), L->blocks};
    const char *names[] = {"batch", "head", "block"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, "hash"), 3, tasks, names);
    describe(L, b.fn, a->node->at,
             "LSH hash: argmax over random rotations, %lld buckets, %lld rounds",
             (long long)a->buckets, (long long)a->rounds);
    hash_t h = {.a = a, .batch = ax_v(b.fn->task[0]), .head = ax_v(b.fn->task[1])};
    value_t *index[MAX_INDICES];
    index_params(L, &b, a->hash_part, index);
    h.index = index[a->rotations->vector];
    value_t *group = kernel_param(&b, "group", a->groups), *place = NULL;
    if (a->hash_part->stacked) place = index[a->hash_part->stack_vector];
    h.in = heads_at(L, a, h.batch, h.head, place, group);
    dim_t fd[] = {dim(a->rounds), dim(round_up(L->block, L->tile))};
    h.tokens = query_panels(L, &b, 1, L->block, a->head_size, false);
    h.found = kernel_scratch(&b, "found", E_I32, 2, fd);
    set_range(h.found, dim(0), dim(a->buckets - 1));
    h.row0 = ax_scale(ax_v(b.fn->task[2]), L->block);
    h.whole_head = b_index(&b, ax_add(ax_scale(ax_v(group), a->group), h.head));
    transpose_rows(L, &b, a->plain_q, batch_in(&h.in, a->plain_q), head_in(&h.in, a->plain_q),
                   h.tokens, ax(0), token_row, &h);
    inst_t *panels = b_for(&b, "panel", dim(0), h.tokens->dims[1], 0, NULL);
    h.panel = ax_v(loop_var(panels));
    h.first = ax_scale(h.panel, L->tile);
    inst_t *rounds = b_for(&b, "round", dim(0), dim(a->rounds), 0, NULL);
    h.round = ax_v(loop_var(rounds));
    fetch_next(L, &b, &h);
    round_buckets(L, &b, &h);
    b_end_for(&b, rounds, NULL);
    b_end_for(&b, panels, NULL);
    rounds = b_for(&b, "round", dim(0), dim(a->rounds), 0, NULL);
    h.round = ax_v(loop_var(rounds));
    for_span(L, &b, L->block, store_span, &h);
    b_end_for(&b, rounds, NULL);
    a->hash = b.fn;
}

/* --buckets: the caller's buckets, offsets taken off again. */
static void impose_kernel(lower_t *L, attention_t *a) {
    dim_t given[] = {dim(graph_imposed(L->g, NULL).rows), L->padded};
    if (given[0].c > INT32_MAX) {
        diag_error(L->d, a->node->at, "%s: more than %d rows of buckets to impose", a->node->name,
                   INT32_MAX);
        return;
    }
    buffer_t *src = module_find_buffer(L->m, "imposed_buckets");
    if (!src)
        src = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_BUCKETS, "imposed_buckets", E_I32, 2, given);
    dim_t tasks[] = {dim(L->batch), dim(a->group), dim(a->rounds)};
    const char *names[] = {"batch", "head", "round"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, "impose"), 3, tasks, names);
    describe(L, b.fn, a->node->at, "buckets given by the caller");
    value_t *indices[MAX_INDICES];
    index_params(L, &b, a->hash_part, indices);
    value_t *group = kernel_param(&b, "group", a->groups);
    ltype_t i32 = SCALAR(E_I32);
    value_t *n =
        b_binary(&b, OP_ADD, control(&b, L, REFORMER_ANY_MASKED), b_iconst(&b, i32, a->buckets));
    value_t *round = b_convert(&b, E_I32, b.fn->task[2]);
    value_t *offset = b_name(b_binary(&b, OP_MUL, round, n), "offset");
    inst_t *loop = b_for(&b, "t", dim(0), L->padded, 0, NULL);
    affine_t t = ax_v(loop_var(loop)), head = ax_v(b.fn->task[1]);
    affine_t heads = ax_add(ax_scale(ax_v(b.fn->task[0]), a->heads),
                            ax_add(ax_scale(ax_v(group), a->group), head));
    affine_t rows = ax_add(ax_scale(heads, a->rounds), ax_v(b.fn->task[2]));
    affine_t from[] = {ax_add(ax_v(indices[a->hash_rows]), rows), t};
    affine_t to[] = {ax_v(b.fn->task[0]), head, ax_v(b.fn->task[2]), t};
    value_t *x = b_binary(&b, OP_SUB, load1(&b, src, 2, from), offset);
    x = b_binary(&b, OP_MAX, x, b_iconst(&b, i32, 0));
    x = b_binary(&b, OP_MIN, x, b_iconst(&b, i32, a->buckets));
    b_store(&b, a->bucket_of, x, to);
    b_end_for(&b, loop, NULL);
    a->impose = b.fn;
}

/* counts[bucket] += 1 over the tokens of the round; a count never exceeds the length. */
static void histogram(lower_t *L, builder_t *b, const attention_t *a, affine_t *bx,
                      buffer_t *counts) {
    ltype_t i32 = SCALAR(E_I32);
    inst_t *loop = b_for(b, "t", dim(0), L->padded, 0, NULL);
    bx[3] = ax_v(loop_var(loop));
    affine_t cx[] = {ax_v(b_name(load1(b, a->bucket_of, 4, bx), "bucket"))};
    value_t *n = b_binary(b, OP_ADD, load1(b, counts, 1, cx), b_iconst(b, i32, 1));
    b_store(b, counts, n, cx);
    b_end_for(b, loop, NULL);
}

/* counts[i] becomes the number of tokens in buckets before i. */
static void prefix_sum(builder_t *b, buffer_t *counts, int64_t n) {
    value_t *zero = b_iconst(b, SCALAR(E_I32), 0);
    inst_t *loop = b_for(b, "bucket", dim(0), dim(n), 1, &zero);
    affine_t cx[] = {ax_v(loop_var(loop))};
    value_t *next = b_binary(b, OP_ADD, loop_arg(loop, 0), load1(b, counts, 1, cx));
    b_store(b, counts, loop_arg(loop, 0), cx);
    b_end_for(b, loop, &next);
}

void lower_sort(lower_t *L, attention_t *a) {
    dim_t tasks[] = {dim(L->batch), dim(a->group), dim(a->rounds)};
    const char *names[] = {"batch", "head", "round"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, "sort"), 3, tasks, names);
    describe(L, b.fn, a->node->at, "stable counting sort of the tokens by bucket, per round");
    value_t *group = L->o->trace ? kernel_param(&b, "group", a->groups) : NULL;
    ltype_t i32 = SCALAR(E_I32);
    dim_t cd[] = {dim(a->buckets + 1)};
    buffer_t *counts = kernel_scratch(&b, "counts", E_I32, 1, cd);
    set_range(counts, dim(0), L->padded);
    affine_t bx[] = {ax_v(b.fn->task[0]), ax_v(b.fn->task[1]), ax_v(b.fn->task[2]), ax(0)};
    inst_t *clear = b_for(&b, "bucket", dim(0), cd[0], 0, NULL);
    affine_t zx[] = {ax_v(loop_var(clear))};
    b_store(&b, counts, b_iconst(&b, i32, 0), zx);
    b_end_for(&b, clear, NULL);
    histogram(L, &b, a, bx, counts);
    prefix_sum(&b, counts, a->buckets + 1);
    b_comment(&b, "stable scatter");
    inst_t *loop = b_for(&b, "t", dim(0), L->padded, 0, NULL);
    bx[3] = ax_v(loop_var(loop));
    affine_t cx[] = {ax_v(load1(&b, a->bucket_of, 4, bx))};
    value_t *place = b_name(load1(&b, counts, 1, cx), "place");
    b_store(&b, counts, b_binary(&b, OP_ADD, place, b_iconst(&b, i32, 1)), cx);
    affine_t ox[] = {bx[0], bx[1], bx[2], ax_v(place)};
    value_t *t = b_convert(&b, E_I32, loop_var(loop));
    b_store(&b, a->order, t, ox);
    b_end_for(&b, loop, NULL);
    if (group) lower_trace_order(L, &b, a, group);
    a->sort = b.fn;
}

void lower_hash(lower_t *L, attention_t *a) {
    hash_kernel(L, a);
    if (L->o->impose_buckets) impose_kernel(L, a);
    lower_sort(L, a);
}
