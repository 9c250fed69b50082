/* Attention of a step: one query per row and head against what the cache holds (HF_SEMANTICS 11).
 *
 * local   the token's chunk and those before it, from the ring
 * LSH     per round: the token joins its bucket; its place in the sorted order of all tokens is the sum of the counts
 *         up to there; its window are the tokens from the start of `before` chunks back, around the ends of the
 *         order, found by walking the buckets. Softmax per round, rounds weighed by their log-sum-exp.
 *         A row that holds less than a chunk has no buckets: it sees every token, and when it reaches a chunk,
 *         all tokens get theirs.
 *
 * Task: one head of one row. Costs depend on the window and on the number of buckets, not on what came before. */
#include "lower/cache.h"
#include "lower/math.h"
#include "lower/window.h"

enum { MOST_VECTORS = 32, COLUMNS_AT_ONCE = 4, WALK = 32 };
#define SELF (-1e5)

typedef struct {
    const attention_t *a;
    const step_rows_t *rows;
    affine_t row, head, index;
    value_t *position; /* of the token, i64 */
    value_t *hashed;
    buffer_t *scores;  /* [keys in whole vectors] */
    buffer_t *keys;    /* LSH [window]: positions of the round's keys */
    buffer_t *rotated; /* LSH [columns] */
    buffer_t *before;  /* LSH [buckets + 1]: tokens in the buckets before */
    buffer_t *outs;    /* LSH [rounds][width] */
    buffer_t *weights; /* LSH [rounds]: log-sum-exp */
    buffer_t *out;     /* [width] */
    int n;             /* vectors of a head */
    value_t *q[MOST_VECTORS];
} step_t;

static value_t *i64(builder_t *b, int64_t x) {
    return b_iconst(b, SCALAR(E_I64), x);
}
static value_t *f32(builder_t *b, double x) {
    return b_const(b, SCALAR(E_F32), x);
}

static affine_t in_row(const step_t *s, int64_t d) {
    return ax_plus(ax_scale(s->head, s->rows->head), d);
}

static void load_query(lower_t *L, builder_t *b, step_t *s) {
    s->n = (int)(key_width(L) / L->lanes);
    if (s->n > MOST_VECTORS) bug("heads of %lld", (long long)L->head_size);
    for (int i = 0; i < s->n; i++) {
        affine_t qx[] = {s->row, in_row(s, (int64_t)i * L->lanes)};
        s->q[i] = b_load(b, s->rows->q, L->lanes, qx);
    }
}

/* ---- keys and values -------------------------------------------------------------------------------------- */

/* What a list of keys is made of: `n` places, some of which may be empty, and where each stands. */
typedef struct {
    int64_t n;
    value_t *(*valid)(lower_t *L, builder_t *b, step_t *s, value_t *j); /* NULL: all */
    void (*at)(lower_t *L, builder_t *b, step_t *s, value_t *j, affine_t *ix);
    buffer_t *from; /* [… key, value][half] */
    bool masks_self;
} keys_t;

static value_t *dot_key(lower_t *L, builder_t *b, const step_t *s, const keys_t *k, affine_t *ix) {
    value_t *sum = NULL;
    ix[k->from->rank - 2] = ax(0);
    for (int i = 0; i < s->n; i++) {
        ix[k->from->rank - 1] = ax((int64_t)i * L->lanes);
        value_t *x = b_load(b, k->from, L->lanes, ix);
        sum = sum ? b_fma(b, s->q[i], x, sum) : b_binary(b, OP_MUL, s->q[i], x);
    }
    return reduce(b, L, OP_ADD, sum);
}

static void key_scores(lower_t *L, builder_t *b, step_t *s, const keys_t *k) {
    ltype_t f = SCALAR(E_F32);
    affine_t ix[MAX_RANK];
    for (int64_t j = k->n; j < round_up(k->n, L->lanes); j++) {
        affine_t at = ax(j);
        b_store(b, s->scores, f32(b, NO_KEY), &at);
    }
    inst_t *loop = b_for(b, "j", dim(0), dim(k->n), 0, NULL), *some = NULL;
    value_t *j = loop_var(loop);
    if (k->valid) some = b_if(b, k->valid(L, b, s, j), 1, &f);
    k->at(L, b, s, j, ix);
    value_t *x = dot_key(L, b, s, k, ix);
    if (k->masks_self) {
        value_t *self = b_compare(b, OP_EQ, b_index(b, ix[0]), s->position);
        x = b_select(b, self, f32(b, SELF), x);
    }
    if (some) {
        b_else(b, some, &x);
        x = f32(b, NO_KEY);
        b_end_if(b, some, &x);
        x = some->results[0];
    }
    affine_t at = ax_v(j);
    b_store(b, s->scores, x, &at);
    b_end_for(b, loop, NULL);
}

/* scores → probabilities exp(s - L); returns the log-sum-exp L, in single precision as Hugging Face has it: rows
 * that see only themselves depend on its rounding (Q2). */
static value_t *soften(lower_t *L, builder_t *b, step_t *s, int64_t n) {
    dim_t vectors = dim(round_up(n, L->lanes) / L->lanes);
    value_t *acc = splat(b, L, LOWEST);
    inst_t *loop = b_for(b, "v", dim(0), vectors, 1, &acc);
    affine_t at = ax_scale(ax_v(loop_var(loop)), L->lanes);
    value_t *next = b_binary(b, OP_MAX, b_load(b, s->scores, L->lanes, &at), loop_arg(loop, 0));
    b_end_for(b, loop, &next);
    value_t *most = b_name(reduce(b, L, OP_MAX, loop->results[0]), "most");
    value_t *shift = b_broadcast(b, most, L->lanes);
    acc = splat(b, L, 0);
    loop = b_for(b, "v", dim(0), vectors, 1, &acc);
    at = ax_scale(ax_v(loop_var(loop)), L->lanes);
    value_t *x = b_load(b, s->scores, L->lanes, &at);
    next = b_binary(b, OP_ADD, loop_arg(loop, 0), m_exp(L, b, b_binary(b, OP_SUB, x, shift)));
    b_end_for(b, loop, &next);
    value_t *sum = reduce(b, L, OP_ADD, loop->results[0]);
    value_t *lse = b_name(b_binary(b, OP_ADD, m_log(L, b, sum), most), "lse");
    shift = b_broadcast(b, lse, L->lanes);
    loop = b_for(b, "v", dim(0), vectors, 0, NULL);
    at = ax_scale(ax_v(loop_var(loop)), L->lanes);
    x = b_load(b, s->scores, L->lanes, &at);
    b_store(b, s->scores, m_exp(L, b, b_binary(b, OP_SUB, x, shift)), &at);
    b_end_for(b, loop, NULL);
    return lse;
}

/* sum of p · v, into row `ix` of `to`, whose last index is overwritten. */
static void key_values(lower_t *L, builder_t *b, step_t *s, const keys_t *k, buffer_t *to,
                       affine_t *to_ix) {
    value_t *acc[MOST_VECTORS], *next[MOST_VECTORS];
    ltype_t types[MOST_VECTORS];
    affine_t ix[MAX_RANK];
    for (int i = 0; i < s->n; i++) acc[i] = splat(b, L, 0), types[i] = vec(L);
    inst_t *loop = b_for(b, "j", dim(0), dim(k->n), s->n, acc), *some = NULL;
    value_t *j = loop_var(loop);
    if (k->valid) some = b_if(b, k->valid(L, b, s, j), s->n, types);
    k->at(L, b, s, j, ix);
    affine_t at = ax_v(j);
    value_t *p = b_broadcast(b, b_load(b, s->scores, 1, &at), L->lanes);
    ix[k->from->rank - 2] = ax(1);
    for (int i = 0; i < s->n; i++) {
        ix[k->from->rank - 1] = ax((int64_t)i * L->lanes);
        next[i] = b_fma(b, p, b_load(b, k->from, L->lanes, ix), loop_arg(loop, i));
    }
    if (some) {
        b_else(b, some, next);
        for (int i = 0; i < s->n; i++) next[i] = loop_arg(loop, i);
        b_end_if(b, some, next);
        for (int i = 0; i < s->n; i++) next[i] = some->results[i];
    }
    b_end_for(b, loop, next);
    for (int i = 0; i < s->n; i++) {
        to_ix[to->rank - 1] = ax((int64_t)i * L->lanes);
        b_store(b, to, loop->results[i], to_ix);
    }
}

static void copy_out_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const step_t *s = ctx;
    affine_t to[] = {s->row, ax_add(ax_scale(s->head, L->head_size), at)};
    b_store(b, s->rows->out, b_load(b, s->out, width, &at), to);
}

/* ---- both kinds ------------------------------------------------------------------------------------------------ */

static builder_t open_step(lower_t *L, const attention_t *a, const step_rows_t *rows, step_t *s,
                           const char *name) {
    dim_t tasks[] = {L->rows, dim(L->heads)};
    const char *names[] = {"row", "head"};
    builder_t b = build_kernel(L->m, name, 2, tasks, names);
    *s = (step_t){.a = a, .rows = rows};
    s->row = ax_v(b.fn->task[0]);
    s->head = ax_v(b.fn->task[1]);
    s->index = ax_v(kernel_param(&b, "index", a->count));
    dim_t width = dim(key_width(L));
    s->out = kernel_scratch(&b, "mixed", E_F32, 1, &width);
    return b;
}

/* if (the row gets a token) */
static inst_t *if_row(lower_t *L, builder_t *b, step_t *s) {
    affine_t ix[] = {ax(0), s->row};
    value_t *wanted = b_compare(b, OP_GE, load1(b, L->row, 2, ix), b_iconst(b, SCALAR(E_I32), 0));
    inst_t *some = b_if(b, wanted, 0, NULL);
    value_t *position = load1(b, s->rows->position, 2, ix);
    s->position = b_name(b_convert(b, E_I64, position), "position");
    load_query(L, b, s);
    return some;
}

/* ---- local ------------------------------------------------------------------------------------------------------- */

/* Place j of the window: position start + j, where the window starts `before` chunks back. */
static value_t *window_position(lower_t *L, builder_t *b, const step_t *s, value_t *j) {
    int64_t chunk = L->g->spec->local_attn_chunk_length;
    value_t *own = b_idiv(b, s->position, dim(chunk));
    affine_t start = ax_plus(ax_scale(ax_v(own), chunk), -s->a->before * chunk);
    return b_index(b, ax_add(start, ax_v(j)));
}

static value_t *local_valid(lower_t *L, builder_t *b, step_t *s, value_t *j) {
    value_t *p = window_position(L, b, s, j);
    value_t *begun = b_compare(b, OP_GE, p, i64(b, 0));
    return b_binary(b, OP_AND, begun, b_compare(b, OP_LE, p, s->position));
}

static void local_at(lower_t *L, builder_t *b, step_t *s, value_t *j, affine_t *ix) {
    value_t *p = within(b, window_position(L, b, s, j), L->cache->positions - 1);
    ix[0] = s->row;
    ix[1] = s->index;
    ix[2] = s->head;
    ix[3] = ax_v(b_irem(b, p, dim(L->cache->ring)));
}

static void store_token(lower_t *L, builder_t *b, step_t *s, value_t *scale, buffer_t *key,
                        buffer_t *to, const affine_t *to_ix) {
    affine_t kx[] = {s->row, in_row(s, 0)}, vx[] = {s->row, in_row(s, 0)};
    put_key_value(L, b, key, kx, scale, s->rows->v, vx, to, to_ix);
}

lfunc_t *lower_local_step(lower_t *L, const attention_t *a, const step_rows_t *rows) {
    const cache_t *c = L->cache;
    step_t s;
    builder_t b = open_step(L, a, rows, &s, "local_step");
    describe(L, b.fn, KEY_local_attn_chunk_length,
             "local attention of one token: its chunk of %lld and %lld before", (long long)a->chunk,
             (long long)a->before);
    dim_t keys = dim(round_up(c->ring, L->lanes));
    s.scores = kernel_scratch(&b, "scores", E_F32, 1, &keys);
    inst_t *some = if_row(L, &b, &s);
    affine_t to[] = {s.row, s.index, s.head, ax_v(b_irem(&b, s.position, dim(c->ring)))};
    store_token(L, &b, &s, f32(&b, inverse_root(L->head_size)), rows->k, c->rings, to);
    keys_t k = {.n = c->ring, .valid = local_valid, .at = local_at, .from = c->rings};
    key_scores(L, &b, &s, &k);
    soften(L, &b, &s, k.n);
    affine_t ox = ax(0);
    key_values(L, &b, &s, &k, s.out, &ox);
    for_span(L, &b, L->head_size, copy_out_span, &s);
    b_end_if(&b, some, NULL);
    return b.fn;
}

/* ---- LSH: hashing ------------------------------------------------------------------------------------------------ */

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
static void rotate_columns(lower_t *L, builder_t *b, const step_t *s, const hashed_t *x,
                           affine_t round, int64_t first, int n, int width) {
    value_t *acc[COLUMNS_AT_ONCE], *next[COLUMNS_AT_ONCE];
    for (int i = 0; i < n; i++) acc[i] = b_const(b, (ltype_t){E_F32, width}, 0);
    inst_t *loop = b_for(b, "d", dim(0), dim(L->head_size), n, acc);
    affine_t d = ax_v(loop_var(loop));
    value_t *e = hashed_element(b, x, d);
    if (width > 1) e = b_broadcast(b, e, width);
    for (int i = 0; i < n; i++) {
        affine_t rx[] = {s->index, s->head, round, d, ax(first + (int64_t)i * width)};
        next[i] = b_fma(b, b_load(b, s->a->rotations, width, rx), e, loop_arg(loop, i));
    }
    b_end_for(b, loop, next);
    for (int i = 0; i < n; i++) {
        affine_t at = ax(first + (int64_t)i * width);
        b_store(b, s->rotated, loop->results[i], &at);
    }
}

/* The widest vectors that fit, then narrower ones. */
static void rotate(lower_t *L, builder_t *b, const step_t *s, const hashed_t *x, affine_t round,
                   int64_t columns) {
    int64_t at = 0;
    for (int width = L->lanes; width >= 1; width /= 2)
        while (columns - at >= width) {
            int64_t n = (columns - at) / width;
            if (n > COLUMNS_AT_ONCE) n = COLUMNS_AT_ONCE;
            rotate_columns(L, b, s, x, round, at, (int)n, width);
            at += n * width;
        }
}

/* argmax over columns first … and their negatives; the first of equals. */
static value_t *factor_bucket(builder_t *b, const step_t *s, int64_t first, int64_t columns) {
    value_t *init[] = {f32(b, LOWEST), i64(b, 0), f32(b, -LOWEST), i64(b, 0)};
    inst_t *loop = b_for(b, "column", dim(0), dim(columns), 4, init);
    value_t *most = loop_arg(loop, 0), *least = loop_arg(loop, 2), *column = loop_var(loop);
    affine_t at = ax_plus(ax_v(column), first);
    value_t *x = b_load(b, s->rotated, 1, &at);
    value_t *more = b_compare(b, OP_GT, x, most), *less = b_compare(b, OP_LT, x, least);
    value_t *next[] = {b_binary(b, OP_MAX, x, most), b_select(b, more, column, loop_arg(loop, 1)),
                       b_binary(b, OP_MIN, x, least), b_select(b, less, column, loop_arg(loop, 3))};
    b_end_for(b, loop, next);
    value_t *opposite = b_unary(b, OP_NEG, loop->results[2]);
    value_t *negative = b_compare(b, OP_GT, opposite, loop->results[0]);
    value_t *other = b_binary(b, OP_ADD, loop->results[3], i64(b, columns));
    return b_select(b, negative, other, loop->results[1]);
}

static value_t *bucket_of(lower_t *L, builder_t *b, const step_t *s, const hashed_t *x,
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

static bucket_at_t bucket_list(const step_t *s, affine_t round) {
    return (bucket_at_t){s->row, s->index, s->head, round};
}

/* The row has reached a chunk: all its tokens, this one among them, get buckets. */
static void hash_all(lower_t *L, builder_t *b, step_t *s, int64_t most) {
    const cache_t *c = L->cache;
    inst_t *rounds = b_for(b, "round", dim(0), dim(s->a->rounds), 0, NULL);
    bucket_at_t at = bucket_list(s, ax_v(loop_var(rounds)));
    clear_buckets(b, c, &at);
    inst_t *tokens = b_for(b, "t", dim(0), dim(most), 0, NULL);
    value_t *t = loop_var(tokens);
    inst_t *real = b_if(b, b_compare(b, OP_LE, t, s->position), 0, NULL);
    /* a key is its vector, scaled: the direction is all that counts */
    hashed_t x = {c->records, {ax_v(t), s->row, s->index, s->head, ax(0), ax(0)}};
    append_to_bucket(b, c, &at, bucket_of(L, b, s, &x, at.round), t);
    b_end_if(b, real, NULL);
    b_end_for(b, tokens, NULL);
    b_end_for(b, rounds, NULL);
}

/* ---- LSH: the window ------------------------------------------------------------------------------------------------ */

/* before[c] = tokens in the buckets below c, of all c up to their number. Returns the place of the last token of
 * `bucket`: the one that has just joined it. */
static value_t *count_before(builder_t *b, const cache_t *c, const step_t *s, const bucket_at_t *at,
                             value_t *bucket) {
    value_t *init[] = {i64(b, 0), i64(b, 0)};
    inst_t *loop = b_for(b, "bucket", dim(0), dim(c->buckets), 2, init);
    affine_t ix = ax_v(loop_var(loop)), cx[] = {at->row, at->index, at->head, at->round, ix};
    value_t *sum = loop_arg(loop, 0);
    b_store(b, s->before, b_convert(b, E_I32, sum), &ix);
    sum = b_binary(b, OP_ADD, sum, b_convert(b, E_I64, load1(b, c->counts, 5, cx)));
    value_t *here = b_compare(b, OP_EQ, loop_var(loop), bucket);
    value_t *next[] = {sum, b_select(b, here, sum, loop_arg(loop, 1))};
    b_end_for(b, loop, next);
    ix = ax(c->buckets);
    b_store(b, s->before, b_convert(b, E_I32, loop->results[0]), &ix);
    return b_name(b_index(b, ax_plus(ax_v(loop->results[1]), -1)), "place");
}

/* Where the window of the token at `place` begins: `before` chunks before its chunk, around the end of the order. */
static value_t *window_start(builder_t *b, const cache_t *c, const step_t *s, value_t *place) {
    int64_t chunk = c->first, back = s->a->before * chunk;
    value_t *own = b_idiv(b, within(b, place, c->positions - 1), dim(chunk));
    value_t *start = b_index(b, ax_plus(ax_scale(ax_v(own), chunk), -back));
    if (back == 0) return start;
    value_t *tokens = b_index(b, ax_plus(ax_v(s->position), 1)), *zero = i64(b, 0);
    ltype_t type = SCALAR(E_I64);
    inst_t *around = b_if(b, b_compare(b, OP_LT, start, zero), 1, &type);
    inst_t *loop = b_for(b, "turn", dim(0), dim(back), 1, &start);
    value_t *x = loop_arg(loop, 0), *more = b_binary(b, OP_ADD, x, tokens);
    value_t *next = b_select(b, b_compare(b, OP_LT, x, zero), more, x);
    b_end_for(b, loop, &next);
    b_else(b, around, &loop->results[0]);
    b_end_if(b, around, &start);
    return b_name(around->results[0], "start");
}

/* The bucket that holds place `start` of the order. */
static value_t *bucket_at_place(builder_t *b, const cache_t *c, const step_t *s, value_t *start) {
    value_t *init = i64(b, 0);
    inst_t *loop = b_for(b, "bucket", dim(0), dim(c->buckets), 1, &init);
    affine_t ix = ax_v(loop_var(loop));
    value_t *first = b_convert(b, E_I64, b_load(b, s->before, 1, &ix));
    value_t *next =
        b_select(b, b_compare(b, OP_LE, first, start), loop_var(loop), loop_arg(loop, 0));
    b_end_for(b, loop, &next);
    return loop->results[0];
}

static void fetch_record(lower_t *L, builder_t *b, const cache_t *c, const step_t *s,
                         value_t *token) {
    for (int part = 0; part < 2; part++) {
        affine_t ix[] = {ax_v(token), s->row, s->index, s->head, ax(part), ax(0)};
        prefetch_row(b, c->records, ix, key_width(L));
    }
}

/* One move of the walk. state: places found, place in the order, bucket. Either the place belongs to the bucket, and
 * its token is noted, or the walk goes on to the next bucket, after the last one to the first. */
static void walk_move(lower_t *L, builder_t *b, const step_t *s, const bucket_at_t *list,
                      value_t *const *state, value_t **next) {
    const cache_t *c = L->cache;
    ltype_t types[] = {SCALAR(E_I64), SCALAR(E_I64), SCALAR(E_I64)};
    value_t *found = state[0], *place = state[1], *bucket = within(b, state[2], c->buckets - 1);
    affine_t bx = ax_v(bucket), ex = ax_plus(bx, 1);
    value_t *first = b_convert(b, E_I64, b_load(b, s->before, 1, &bx));
    value_t *end = b_convert(b, E_I64, b_load(b, s->before, 1, &ex));
    inst_t *here = b_if(b, b_compare(b, OP_LT, place, end), 3, types);
    value_t *i = within(b, b_binary(b, OP_SUB, place, first), c->positions - 1);
    affine_t px[] = {list->row,   list->index, list->head,
                     list->round, bx,          ax_v(place_in_bucket(b, c, i))};
    value_t *token = load1(b, c->places, 6, px);
    affine_t kx = ax_v(within(b, found, c->window - 1));
    b_store(b, s->keys, token, &kx);
    fetch_record(L, b, c, s, token);
    value_t *moved[] = {b_index(b, ax_plus(ax_v(found), 1)), b_index(b, ax_plus(ax_v(place), 1)),
                        bucket};
    b_else(b, here, moved);
    value_t *last = b_compare(b, OP_EQ, bucket, i64(b, c->buckets - 1)), *zero = i64(b, 0);
    value_t *on[] = {found, b_select(b, last, zero, place),
                     b_select(b, last, zero, b_index(b, ex))};
    b_end_if(b, here, on);
    for (int k = 0; k < 3; k++) next[k] = here->results[k];
}

/* keys[0 … window-1]: the tokens from place `start` on; where there are fewer, they repeat (Q23). */
static void walk(lower_t *L, builder_t *b, const step_t *s, const bucket_at_t *list,
                 value_t *start) {
    const cache_t *c = L->cache;
    ltype_t types[] = {SCALAR(E_I64), SCALAR(E_I64), SCALAR(E_I64)};
    value_t *tokens = b_index(b, ax_plus(ax_v(s->position), 1));
    value_t *distinct = b_name(b_binary(b, OP_MIN, tokens, i64(b, c->window)), "distinct");
    value_t *state[] = {i64(b, 0), start, bucket_at_place(b, c, s, start)};
    int64_t moves = c->window + 2 * c->buckets + 1;
    inst_t *outer = b_for(b, "leg", dim(0), dim((moves + WALK - 1) / WALK), 3, state);
    for (int k = 0; k < 3; k++) state[k] = loop_arg(outer, k);
    inst_t *more = b_if(b, b_compare(b, OP_LT, state[0], distinct), 3, types);
    inst_t *inner = b_for(b, "move", dim(0), dim(WALK), 3, state);
    value_t *from[3], *next[3];
    for (int k = 0; k < 3; k++) from[k] = loop_arg(inner, k);
    inst_t *still = b_if(b, b_compare(b, OP_LT, from[0], distinct), 3, types);
    walk_move(L, b, s, list, from, next);
    b_else(b, still, next);
    b_end_if(b, still, from);
    b_end_for(b, inner, still->results);
    b_else(b, more, inner->results);
    b_end_if(b, more, state);
    b_end_for(b, outer, more->results);
    inst_t *few = b_if(b, b_compare(b, OP_LT, tokens, i64(b, c->window)), 0, NULL);
    inst_t *loop = b_for(b, "j", dim(0), dim(c->window), 0, NULL);
    value_t *j = loop_var(loop);
    inst_t *repeat = b_if(b, b_compare(b, OP_GE, j, tokens), 0, NULL);
    affine_t to = ax_v(j), ix = ax_v(within(b, b_binary(b, OP_SUB, j, tokens), c->window - 1));
    b_store(b, s->keys, b_load(b, s->keys, 1, &ix), &to);
    b_end_if(b, repeat, NULL);
    b_end_for(b, loop, NULL);
    b_end_if(b, few, NULL);
}

static void record_at(builder_t *b, const step_t *s, affine_t token, affine_t *ix) {
    (void)b;
    ix[0] = token;
    ix[1] = s->row;
    ix[2] = s->index;
    ix[3] = s->head;
}

static void window_at(lower_t *L, builder_t *b, step_t *s, value_t *j, affine_t *ix) {
    (void)L;
    affine_t kx = ax_v(j);
    record_at(b, s, ax_v(b_name(b_load(b, s->keys, 1, &kx), "token")), ix);
}

static void lsh_round(lower_t *L, builder_t *b, step_t *s, affine_t round) {
    const cache_t *c = L->cache;
    bucket_at_t list = bucket_list(s, round);
    hashed_t x = {s->rows->q, {s->row, in_row(s, 0)}};
    value_t *bucket = bucket_of(L, b, s, &x, round);
    append_to_bucket(b, c, &list, bucket, s->position);
    value_t *place = count_before(b, c, s, &list, bucket);
    walk(L, b, s, &list, window_start(b, c, s, place));
    keys_t k = {.n = c->window, .at = window_at, .from = c->records, .masks_self = true};
    key_scores(L, b, s, &k);
    b_store(b, s->weights, soften(L, b, s, k.n), &round);
    affine_t ox[] = {round, ax(0)};
    key_values(L, b, s, &k, s->outs, ox);
}

/* Weights of the rounds, exp(L_r - lse(L)), from their log-sum-exps (HF_SEMANTICS 6.6). */
static void weigh_rounds(lower_t *L, builder_t *b, const step_t *s) {
    dim_t rounds = dim(s->a->rounds);
    value_t *init = f32(b, LOWEST);
    inst_t *loop = b_for(b, "round", dim(0), rounds, 1, &init);
    affine_t r = ax_v(loop_var(loop));
    value_t *next = b_binary(b, OP_MAX, b_load(b, s->weights, 1, &r), loop_arg(loop, 0));
    b_end_for(b, loop, &next);
    value_t *most = loop->results[0];
    init = f32(b, 0);
    loop = b_for(b, "round", dim(0), rounds, 1, &init);
    r = ax_v(loop_var(loop));
    value_t *x = b_binary(b, OP_SUB, b_load(b, s->weights, 1, &r), most);
    next = b_binary(b, OP_ADD, loop_arg(loop, 0), m_exp(L, b, x));
    b_end_for(b, loop, &next);
    value_t *all = b_binary(b, OP_ADD, m_log(L, b, loop->results[0]), most);
    loop = b_for(b, "round", dim(0), rounds, 0, NULL);
    r = ax_v(loop_var(loop));
    x = b_binary(b, OP_SUB, b_load(b, s->weights, 1, &r), all);
    b_store(b, s->weights, m_exp(L, b, x), &r);
    b_end_for(b, loop, NULL);
}

static void combine_rounds(lower_t *L, builder_t *b, const step_t *s) {
    value_t *acc[MOST_VECTORS], *next[MOST_VECTORS];
    if (s->a->rounds > 1) weigh_rounds(L, b, s);
    for (int i = 0; i < s->n; i++) acc[i] = splat(b, L, 0);
    inst_t *loop = b_for(b, "round", dim(0), dim(s->a->rounds), s->n, acc);
    affine_t r = ax_v(loop_var(loop));
    value_t *w = splat(b, L, 1);
    if (s->a->rounds > 1) w = b_broadcast(b, b_load(b, s->weights, 1, &r), L->lanes);
    for (int i = 0; i < s->n; i++) {
        affine_t ox[] = {r, ax((int64_t)i * L->lanes)};
        next[i] = b_fma(b, w, b_load(b, s->outs, L->lanes, ox), loop_arg(loop, i));
    }
    b_end_for(b, loop, next);
    for (int i = 0; i < s->n; i++) {
        affine_t at = ax((int64_t)i * L->lanes);
        b_store(b, s->out, loop->results[i], &at);
    }
}

/* ---- LSH: a row without buckets ------------------------------------------------------------------------------------- */

static value_t *early_valid(lower_t *L, builder_t *b, step_t *s, value_t *j) {
    (void)L;
    return b_compare(b, OP_LE, j, s->position);
}

static void early_at(lower_t *L, builder_t *b, step_t *s, value_t *j, affine_t *ix) {
    (void)L;
    record_at(b, s, ax_v(j), ix);
}

/* Tokens that a row without buckets can have, this one counted. */
static int64_t most_early(const cache_t *c) {
    return c->first + 1 < c->positions ? c->first + 1 : c->positions;
}

static void lsh_early(lower_t *L, builder_t *b, step_t *s) {
    const cache_t *c = L->cache;
    keys_t k = {.n = most_early(c),
                .valid = early_valid,
                .at = early_at,
                .from = c->records,
                .masks_self = true};
    key_scores(L, b, s, &k);
    soften(L, b, s, k.n);
    affine_t ox = ax(0);
    key_values(L, b, s, &k, s->out, &ox);
    if (!c->counts) return;
    value_t *reached = b_compare(b, OP_GE, s->position, i64(b, c->first - 1));
    inst_t *all = b_if(b, reached, 0, NULL);
    hash_all(L, b, s, k.n);
    b_end_if(b, all, NULL);
}

static void lsh_scratch(lower_t *L, builder_t *b, step_t *s) {
    const cache_t *c = L->cache;
    int64_t most = c->window > most_early(c) ? c->window : most_early(c), columns = 0;
    dim_t keys = dim(round_up(most, L->lanes)), window = dim(c->window);
    s->scores = kernel_scratch(b, "scores", E_F32, 1, &keys);
    if (!c->counts) return;
    for (int f = 0; f < s->a->n_factors; f++) columns += s->a->factors[f] / 2;
    dim_t rotated = dim(columns), before = dim(c->buckets + 1), rounds = dim(s->a->rounds);
    dim_t outs[] = {rounds, dim(key_width(L))};
    s->keys = kernel_scratch(b, "keys", E_I32, 1, &window);
    set_range(s->keys, dim(0), dim(c->positions - 1));
    s->rotated = kernel_scratch(b, "rotated", E_F32, 1, &rotated);
    s->before = kernel_scratch(b, "before", E_I32, 1, &before);
    s->outs = kernel_scratch(b, "outs", E_F32, 2, outs);
    s->weights = kernel_scratch(b, "weights", E_F32, 1, &rounds);
}

lfunc_t *lower_lsh_step(lower_t *L, const attention_t *a, const step_rows_t *rows) {
    const cache_t *c = L->cache;
    step_t s;
    builder_t b = open_step(L, a, rows, &s, "lsh_step");
    describe(L, b.fn, KEY_lsh_attn_chunk_length,
             "LSH attention of one token: %lld rounds, windows of %lld tokens",
             (long long)a->rounds, (long long)c->window);
    lsh_scratch(L, &b, &s);
    inst_t *some = if_row(L, &b, &s);
    affine_t qx[] = {s.row, in_row(&s, 0)};
    affine_t to[] = {ax_v(s.position), s.row, s.index, s.head};
    store_token(L, &b, &s, lsh_key_scale(L, &b, rows->q, qx), rows->q, c->records, to);
    inst_t *hashed = NULL;
    if (c->counts) {
        affine_t ix[] = {ax(0), s.row};
        hashed = b_if(&b, load1(&b, rows->hashed, 2, ix), 0, NULL);
        inst_t *rounds = b_for(&b, "round", dim(0), dim(a->rounds), 0, NULL);
        lsh_round(L, &b, &s, ax_v(loop_var(rounds)));
        b_end_for(&b, rounds, NULL);
        combine_rounds(L, &b, &s);
        b_else(&b, hashed, NULL);
    }
    lsh_early(L, &b, &s);
    if (hashed) b_end_if(&b, hashed, NULL);
    for_span(L, &b, L->head_size, copy_out_span, &s);
    b_end_if(&b, some, NULL);
    return b.fn;
}
