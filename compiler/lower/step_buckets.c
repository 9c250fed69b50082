/* LSH attention of a step, first half: which tokens a new one attends to, per round. It joins its
 * bucket; its place in the sorted order of all tokens is the sum of the counts up to there; its
 * window are the tokens from the start of `before` chunks back, around the ends of the order, found
 * by walking the buckets, back to its start and then ahead. The cost depends on the window and on
 * the number of buckets, not on what came before. */
#include "lower/step_attention.h"

enum { COLUMNS_AT_ONCE = 4, GROUPS_UNROLLED = 8, WALK = 32, AHEAD = 12 };

/* ---- hashing --------------------------------------------------------------------------------- */

/* A vector to hash: elements of a row of a buffer. */
typedef struct {
    buffer_t *from;
    affine_t ix[MAX_RANK]; /* of element 0 */
} hashed_t;

static value_t *hashed_element(builder_t *b, const hashed_t *x, affine_t d) {
    affine_t ix[MAX_RANK];
    for (int i = 0; i < x->from->rank; i++) ix[i] = x->ix[i];
    ix[x->from->rank - 1] = ax_add(ix[x->from->rank - 1], d);
    return b_load(b, x->from, 1, ix);
}

/* rotated[first …] of `n` neighbouring groups of `width` columns: sums over the head in order. */
static void rotate_columns(builder_t *b, const decode_step_t *s, const hashed_t *x, affine_t round,
                           affine_t first, int n, int width) {
    value_t *acc[COLUMNS_AT_ONCE], *next[COLUMNS_AT_ONCE];
    for (int i = 0; i < n; i++) acc[i] = b_const(b, (ltype_t){E_F32, width}, 0);
    inst_t *loop = b_for(b, "d", dim(0), dim(s->a->head_size), n, acc);
    for (int i = 0; i < n; i++) b_name(loop_arg(loop, i), "sum");
    affine_t d = ax_v(loop_var(loop));
    value_t *e = hashed_element(b, x, d);
    if (width > 1) e = b_broadcast(b, e, width);
    for (int i = 0; i < n; i++) {
        affine_t rx[] = {s->drawn, s->head, round, d, ax_plus(first, (int64_t)i * width)};
        next[i] = b_fma(b, b_load(b, s->a->rotations->w, width, rx), e, loop_arg(loop, i));
    }
    b_end_for(b, loop, next);
    for (int i = 0; i < n; i++) {
        affine_t at = ax_plus(first, (int64_t)i * width);
        b_store(b, s->rotated, loop->results[i], &at);
    }
}

/* The widest vectors that fit, then narrower ones; many groups are a loop, or
 * code would grow with them. */
static void rotate(lower_t *L, builder_t *b, const decode_step_t *s, const hashed_t *x,
                   affine_t round, int64_t columns) {
    int64_t at = 0, group = (int64_t)COLUMNS_AT_ONCE * L->lanes, groups = columns / group;
    if (groups > GROUPS_UNROLLED) {
        inst_t *loop = b_for(b, "group", dim(0), dim(groups), 0, NULL);
        affine_t first = ax_scale(ax_v(loop_var(loop)), group);
        rotate_columns(b, s, x, round, first, COLUMNS_AT_ONCE, L->lanes);
        b_end_for(b, loop, NULL);
        at = groups * group;
    }
    for (int width = L->lanes; width >= 1; width /= 2)
        while (columns - at >= width) {
            int64_t n = (columns - at) / width;
            if (n > COLUMNS_AT_ONCE) n = COLUMNS_AT_ONCE;
            rotate_columns(b, s, x, round, ax(at), (int)n, width);
            at += n * width;
        }
}

/* argmax over columns first … and their negatives; the first of equals. */
static value_t *factor_bucket(builder_t *b, const decode_step_t *s, int64_t first,
                              int64_t columns) {
    value_t *init[] = {f32(b, LOWEST), i64(b, 0), f32(b, -LOWEST), i64(b, 0)};
    inst_t *loop = b_for(b, "column", dim(0), dim(columns), 4, init);
    static const char *const names[] = {"most", "most_at", "least", "least_at"};
    for (int k = 0; k < 4; k++) b_name(loop_arg(loop, k), names[k]);
    value_t *max = loop_arg(loop, 0), *min = loop_arg(loop, 2), *column = loop_var(loop);
    affine_t at = ax_plus(ax_v(column), first);
    value_t *x = b_load(b, s->rotated, 1, &at);
    value_t *more = b_compare(b, OP_GT, x, max), *less = b_compare(b, OP_LT, x, min);
    value_t *next[] = {b_binary(b, OP_MAX, x, max), b_select(b, more, column, loop_arg(loop, 1)),
                       b_binary(b, OP_MIN, x, min), b_select(b, less, column, loop_arg(loop, 3))};
    b_end_for(b, loop, next);
    value_t *opposite = b_unary(b, OP_NEG, loop->results[2]);
    value_t *negative = b_compare(b, OP_GT, opposite, loop->results[0]);
    value_t *other = b_binary(b, OP_ADD, loop->results[3], i64(b, columns));
    return b_select(b, negative, other, loop->results[1]);
}

static value_t *bucket_of(lower_t *L, builder_t *b, const decode_step_t *s, const hashed_t *x,
                          affine_t round) {
    const attention_t *a = s->a;
    int64_t columns = 0, scale = 1, first = 0;
    value_t *bucket = NULL;
    for (int f = 0; f < a->n_factors; f++) columns += a->factors[f] / 2;
    rotate(L, b, s, x, round, columns);
    for (int f = 0; f < a->n_factors; f++) {
        value_t *part = factor_bucket(b, s, first, a->factors[f] / 2);
        part = b_binary(b, OP_MUL, part, i64(b, scale));
        bucket = bucket ? b_binary(b, OP_ADD, bucket, part) : part;
        first += a->factors[f] / 2;
        scale *= a->factors[f];
    }
    return b_name(within(b, bucket, a->buckets - 1), "bucket");
}

/* Where the new token is filed: its bucket, or with Hugging Face's bookkeeping one
 * that is lower by its round. */
static value_t *filed_bucket(lower_t *L, builder_t *b, const decode_step_t *s, value_t *bucket,
                             affine_t round) {
    const cache_t *c = s->a->cache;
    if (!c->as_huggingface) return bucket;
    affine_t ix = ax(0);
    value_t *forgot = b_load(b, L->lost_offset, 1, &ix), *zero = i64(b, 0);
    value_t *lower = b_select(b, forgot, b_index(b, round), zero);
    bucket = b_binary(b, OP_SUB, b_index(b, ax_plus(ax_v(bucket), c->shift)), lower);
    return within(b, bucket, c->buckets - 1);
}

static bucket_at_t bucket_list(const decode_step_t *s, affine_t round) {
    return (bucket_at_t){s->row, s->index, s->head, round};
}

void hash_all(lower_t *L, builder_t *b, decode_step_t *s, int64_t max) {
    const cache_t *c = s->a->cache;
    inst_t *rounds = b_for(b, "round", dim(0), dim(s->a->rounds), 0, NULL);
    bucket_at_t at = bucket_list(s, ax_v(loop_var(rounds)));
    clear_buckets(b, c, &at, b_iconst(b, SCALAR(E_I32), 0));
    inst_t *tokens = b_for(b, "t", dim(0), dim(max), 0, NULL);
    value_t *t = loop_var(tokens);
    inst_t *real = b_if(b, b_compare(b, OP_LE, t, s->position), 0, NULL);
    /* a key is its vector, scaled: the direction is all that counts; but not
     * one that was rounded */
    hashed_t x = {c->records, {ax_v(t), s->row, s->index, s->head, ax(0), ax(0)}};
    hashed_t early = {c->early, {s->row, s->index, s->head, ax_v(t), ax(0)}};
    if (c->early) x = early;
    value_t *bucket = bucket_of(L, b, s, &x, at.round);
    append_to_bucket(b, c, &at, b_index(b, ax_plus(ax_v(bucket), c->shift)), t);
    b_end_if(b, real, NULL);
    b_end_for(b, tokens, NULL);
    b_end_for(b, rounds, NULL);
}

/* ---- the window ------------------------------------------------------------------------------ */

static value_t *count_at(builder_t *b, const cache_t *c, const bucket_at_t *at, value_t *bucket) {
    affine_t ix[] = {at->row, at->index, at->head, at->round, ax_v(bucket)};
    return b_convert(b, E_I64, load1(b, c->counts, 5, ix));
}

/* Tokens in the buckets below `bucket`. */
static value_t *tokens_before(lower_t *L, builder_t *b, const cache_t *c, const bucket_at_t *at,
                              value_t *bucket) {
    int64_t lanes = L->lanes, whole = c->buckets / lanes;
    ltype_t ints = VECTOR(E_I32, L->lanes), i32 = SCALAR(E_I32);
    value_t *limit = b_convert(b, E_I32, bucket), *sum = b_iconst(b, i32, 0);
    affine_t ix[] = {at->row, at->index, at->head, at->round, ax(0)};
    if (whole > 0) {
        /* lane k holds 0 … lanes-1, as a row of a table would, by doubling */
        value_t *numbers = b_iconst(b, ints, 0), *ends = b_broadcast(b, limit, L->lanes);
        for (int lane = 1; lane < L->lanes; lane *= 2) {
            int pick[64];
            for (int k = 0; k < L->lanes; k++) pick[k] = k & lane ? L->lanes + k : k;
            value_t *more = b_binary(b, OP_ADD, numbers, b_iconst(b, ints, lane));
            numbers = b_shuffle(b, numbers, more, pick);
        }
        value_t *init[] = {b_iconst(b, ints, 0), numbers};
        inst_t *loop = b_for(b, "v", dim(0), dim(whole), 2, init);
        ix[4] = ax_scale(ax_v(loop_var(loop)), lanes);
        value_t *below = b_compare(b, OP_LT, loop_arg(loop, 1), ends);
        value_t *n = b_binary(b, OP_AND, b_load(b, c->counts, L->lanes, ix), below);
        value_t *next[] = {b_binary(b, OP_ADD, loop_arg(loop, 0), n),
                           b_binary(b, OP_ADD, loop_arg(loop, 1), b_iconst(b, ints, lanes))};
        b_end_for(b, loop, next);
        sum = reduce(b, L, OP_ADD, loop->results[0]);
    }
    if (c->buckets % lanes) {
        inst_t *loop = b_for(b, "bucket", dim(whole * lanes), dim(c->buckets), 1, &sum);
        ix[4] = ax_v(loop_var(loop));
        value_t *below = b_compare(b, OP_LT, loop_var(loop), bucket);
        value_t *n = b_binary(b, OP_AND, load1(b, c->counts, 5, ix), below);
        n = b_binary(b, OP_ADD, loop_arg(loop, 0), n);
        b_end_for(b, loop, &n);
        sum = loop->results[0];
    }
    return b_name(b_convert(b, E_I64, sum), "before");
}

/* From the new token, the last of its bucket, back to the first of its window: `before` chunks
 * before its own chunk of the order. Where that is more than the tokens there are, it is a place
 * that comes around again (Q23). */
static value_t *steps_back(builder_t *b, const cache_t *c, const decode_step_t *s, value_t *before,
                           value_t *count) {
    int64_t chunk = c->first, max = c->latest;
    value_t *place = b_index(b, ax_plus(ax_add(ax_v(before), ax_v(count)), -1));
    value_t *in_chunk = b_irem(b, within(b, place, c->positions - 1), dim(chunk));
    value_t *back = b_index(b, ax_plus(ax_v(in_chunk), s->a->before * chunk));
    value_t *tokens = b_index(b, ax_plus(ax_v(s->position), 1));
    ltype_t type = SCALAR(E_I64);
    inst_t *around = b_if(b, b_compare(b, OP_GE, back, tokens), 1, &type);
    inst_t *loop = b_for(b, "turn", dim(0), dim(max), 1, &back);
    value_t *x = b_name(loop_arg(loop, 0), "left"), *less = b_binary(b, OP_SUB, x, tokens);
    value_t *next = b_select(b, b_compare(b, OP_GE, x, tokens), less, x);
    b_end_for(b, loop, &next);
    b_else(b, around, &loop->results[0]);
    b_end_if(b, around, &back);
    return b_name(around->results[0], "back");
}

/* A walk along the order: `n` values of state, changed by `move` as long as `goes_on`. Loops have
 * literal bounds, so it goes in legs, and those after its end are skipped. */
typedef struct {
    const cache_t *c;
    const decode_step_t *s;
    const bucket_at_t *list;
    value_t *target;
    const char *names[4]; /* of the state */
    value_t *(*goes_on)(builder_t *b, const void *walk, value_t *const *state);
    void (*move)(lower_t *L, builder_t *b, const void *walk, value_t *const *state, value_t **next);
} bucket_walk_t;
enum { STATE = 4 };

static void walk(lower_t *L, builder_t *b, const bucket_walk_t *w, int64_t moves, value_t **state) {
    ltype_t types[STATE];
    value_t *from[STATE], *next[STATE];
    for (int k = 0; k < STATE; k++) types[k] = SCALAR(E_I64);
    inst_t *outer = b_for(b, "leg", dim(0), dim((moves + WALK - 1) / WALK), STATE, state);
    for (int k = 0; k < STATE; k++) state[k] = b_name(loop_arg(outer, k), w->names[k]);
    inst_t *more = b_if(b, w->goes_on(b, w, state), STATE, types);
    inst_t *inner = b_for(b, "move", dim(0), dim(WALK), STATE, state);
    for (int k = 0; k < STATE; k++) from[k] = b_name(loop_arg(inner, k), w->names[k]);
    inst_t *still = b_if(b, w->goes_on(b, w, from), STATE, types);
    w->move(L, b, w, from, next);
    b_else(b, still, next);
    b_end_if(b, still, from);
    b_end_for(b, inner, still->results);
    b_else(b, more, inner->results);
    b_end_if(b, more, state);
    b_end_for(b, outer, more->results);
    for (int k = 0; k < STATE; k++) state[k] = outer->results[k];
}

/* Back: [bucket, tokens of it up to here, tokens to go]. */
static value_t *back_goes_on(builder_t *b, const void *walk, value_t *const *state) {
    (void)walk;
    return b_compare(b, OP_GE, state[2], state[1]);
}

/* The walk ahead will come by. */
static void fetch_latest(builder_t *b, const cache_t *c, const bucket_at_t *list, value_t *bucket,
                         value_t *count) {
    value_t *last = within(b, b_index(b, ax_plus(ax_v(count), -1)), c->positions - 1);
    affine_t ix[] = {list->row,   list->index,  list->head,
                     list->round, ax_v(bucket), ax_v(place_in_bucket(b, c, last))};
    b_prefetch(b, c->places, ix);
}

static void back_move(lower_t *L, builder_t *b, const void *walk, value_t *const *state,
                      value_t **next) {
    const bucket_walk_t *w = walk;
    (void)L;
    value_t *first = b_compare(b, OP_EQ, state[0], i64(b, 0));
    value_t *bucket =
        b_select(b, first, i64(b, w->c->buckets - 1), b_index(b, ax_plus(ax_v(state[0]), -1)));
    next[0] = within(b, bucket, w->c->buckets - 1);
    next[1] = count_at(b, w->c, w->list, next[0]);
    fetch_latest(b, w->c, w->list, next[0], next[1]);
    next[2] = b_binary(b, OP_SUB, state[2], state[1]);
    next[3] = state[3];
}

/* Ahead: [bucket, token of it, its tokens, tokens found], until `target` are found. */
static value_t *ahead_goes_on(builder_t *b, const void *walk, value_t *const *state) {
    const bucket_walk_t *w = walk;
    return b_compare(b, OP_LT, state[3], w->target);
}

static void ahead_move(lower_t *L, builder_t *b, const void *walk, value_t *const *state,
                       value_t **next) {
    (void)L;
    const bucket_walk_t *w = walk;
    const cache_t *c = w->c;
    ltype_t types[] = {SCALAR(E_I64), SCALAR(E_I64), SCALAR(E_I64), SCALAR(E_I64)};
    value_t *bucket = within(b, state[0], c->buckets - 1);
    inst_t *here = b_if(b, b_compare(b, OP_LT, state[1], state[2]), STATE, types);
    value_t *i = within(b, state[1], c->positions - 1);
    affine_t px[] = {w->list->row,   w->list->index, w->list->head,
                     w->list->round, ax_v(bucket),   ax_v(place_in_bucket(b, c, i))};
    value_t *token = load1(b, c->places, 6, px);
    affine_t kx[] = {w->list->round, ax_v(within(b, state[3], c->window - 1))};
    b_store(b, w->s->keys, token, kx);
    value_t *moved[] = {bucket, b_index(b, ax_plus(ax_v(i), 1)), state[2],
                        b_index(b, ax_plus(ax_v(state[3]), 1))};
    b_else(b, here, moved);
    value_t *last = b_compare(b, OP_EQ, bucket, i64(b, c->buckets - 1));
    value_t *on = within(b, b_select(b, last, i64(b, 0), b_index(b, ax_plus(ax_v(bucket), 1))),
                         c->buckets - 1);
    value_t *later = within(b, b_index(b, ax_plus(ax_v(bucket), AHEAD)), c->buckets - 1);
    affine_t lx[] = {px[0], px[1], px[2], px[3], ax_v(later), ax(0)};
    b_prefetch(b, c->places, lx);
    value_t *turned[] = {on, i64(b, 0), count_at(b, c, w->list, on), state[3]};
    b_end_if(b, here, turned);
    for (int k = 0; k < STATE; k++) next[k] = here->results[k];
}

/* Windows of fewer tokens than places repeat them (Q23). */
static void repeat_keys(builder_t *b, const cache_t *c, const decode_step_t *s, affine_t round) {
    value_t *tokens = b_index(b, ax_plus(ax_v(s->position), 1));
    inst_t *few = b_if(b, b_compare(b, OP_LT, tokens, i64(b, c->window)), 0, NULL);
    inst_t *loop = b_for(b, "j", dim(0), dim(c->window), 0, NULL);
    value_t *j = loop_var(loop);
    inst_t *repeat = b_if(b, b_compare(b, OP_GE, j, tokens), 0, NULL);
    value_t *earlier = within(b, b_binary(b, OP_SUB, j, tokens), c->window - 1);
    affine_t to[] = {round, ax_v(j)}, ix[] = {round, ax_v(earlier)};
    b_store(b, s->keys, b_load(b, s->keys, 1, ix), to);
    b_end_if(b, repeat, NULL);
    b_end_for(b, loop, NULL);
    b_end_if(b, few, NULL);
}

void find_window(lower_t *L, builder_t *b, const decode_step_t *s, affine_t round) {
    const cache_t *c = s->a->cache;
    bucket_at_t list = bucket_list(s, round);
    hashed_t x = {s->a->q, {s->row, in_row(s, 0)}};
    value_t *bucket = filed_bucket(L, b, s, bucket_of(L, b, s, &x, round), round);
    append_to_bucket(b, c, &list, bucket, s->position);
    value_t *count = count_at(b, c, &list, bucket);
    value_t *back = steps_back(b, c, s, tokens_before(L, b, c, &list, bucket), count);
    value_t *tokens = b_index(b, ax_plus(ax_v(s->position), 1)), *zero = i64(b, 0);
    value_t *state[] = {bucket, count, back, zero};
    bucket_walk_t w = {.c = c,
                       .s = s,
                       .list = &list,
                       .names = {"in_bucket", "tokens_to_here", "to_go", "none"},
                       .goes_on = back_goes_on,
                       .move = back_move};
    walk(L, b, &w, c->buckets + 1, state);
    state[1] = b_index(b, ax_plus(ax_v(b_binary(b, OP_SUB, state[1], state[2])), -1));
    state[2] = count_at(b, c, &list, within(b, state[0], c->buckets - 1));
    state[3] = zero;
    w.target = b_name(b_binary(b, OP_MIN, tokens, i64(b, c->window)), "distinct");
    w.goes_on = ahead_goes_on;
    w.move = ahead_move;
    w.names[1] = "token";
    w.names[2] = "tokens";
    w.names[3] = "found";
    walk(L, b, &w, c->window + c->buckets + 1, state);
    repeat_keys(b, c, s, round);
}
