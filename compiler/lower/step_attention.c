/* Attention of a step: one query per row and head against what the cache holds (HF_SEMANTICS 11).
 *
 * local   the token's chunk and those before it, from the ring
 * LSH     per round: the token joins its bucket; its place in the sorted order of all tokens is the sum of the counts
 *         up to there; its window are the tokens from the start of `before` chunks back, around the ends of the
 *         order, found by walking the buckets, back to its start and then ahead. All rounds' windows are found
 *         first; what the next round reads is asked for while one is worked on. Softmax per round, rounds weighed by their log-sum-exp.
 *         A row that holds less than a chunk has no buckets: it sees every token, and when it reaches a chunk,
 *         all tokens get theirs.
 *
 * Task: one head of one row. Costs depend on the window and on the number of buckets, not on what came before. */
#include "lower/cache.h"
#include "lower/math.h"
#include "lower/window.h"

enum { MOST_VECTORS = 32, COLUMNS_AT_ONCE = 4, WALK = 32, AHEAD = 12 };
#define SELF (-1e5)

typedef struct {
    const attention_t *a;
    const step_rows_t *rows;
    affine_t row, head, index, round;
    value_t *position; /* of the token, i64 */
    value_t *hashed;
    buffer_t *scores;  /* [keys in whole vectors] */
    buffer_t *keys;    /* LSH [rounds][window]: positions of keys */
    buffer_t *rotated; /* LSH [columns] */
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
    void (*ahead)(lower_t *L, builder_t *b, step_t *s,
                  value_t *j); /* NULL, or asks for what comes later */
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
    if (k->ahead) k->ahead(L, b, s, j);
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

static void zero_out_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const step_t *s = ctx;
    affine_t to[] = {s->row, ax_add(ax_scale(s->head, L->head_size), at)};
    b_store(b, s->rows->out, b_const(b, (ltype_t){E_F32, width}, 0), to);
}

/* A row that rests goes through the dense layers with the others. */
static void end_row(lower_t *L, builder_t *b, step_t *s, inst_t *some) {
    for_span(L, b, L->head_size, copy_out_span, s);
    b_else(b, some, NULL);
    for_span(L, b, L->head_size, zero_out_span, s);
    b_end_if(b, some, NULL);
}

/* ---- local ------------------------------------------------------------------------------------------------------- */

/* Place j of the window: position start + j, where the window starts `before` chunks back. */
static value_t *window_position(lower_t *L, builder_t *b, const step_t *s, value_t *j) {
    int64_t chunk = L->g->spec->local_attn_chunk_length;
    value_t *own = b_idiv(b, s->position, dim(chunk));
    affine_t start = ax_plus(ax_scale(ax_v(own), chunk), -s->a->before * chunk);
    return b_index(b, ax_add(start, ax_v(j)));
}

/* A window that begins before the first token has all of them; Hugging Face slices the list of what came before with
 * its start, which then counts from the list's end (Q7). */
static value_t *first_position(lower_t *L, builder_t *b, step_t *s) {
    value_t *start = window_position(L, b, s, i64(b, 0)), *zero = i64(b, 0);
    if (!L->cache->upstream) return zero;
    value_t *sliced = b_binary(b, OP_ADD, start, s->position);
    return b_select(b, b_compare(b, OP_LT, start, zero), sliced, zero);
}

static value_t *local_valid(lower_t *L, builder_t *b, step_t *s, value_t *j) {
    value_t *p = window_position(L, b, s, j);
    value_t *begun = b_binary(b, OP_AND, b_compare(b, OP_GE, p, first_position(L, b, s)),
                              b_compare(b, OP_GE, p, i64(b, 0)));
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
    end_row(L, &b, &s, some);
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

/* Where the new token is filed: its bucket, or with Hugging Face's bookkeeping one that is lower by its round. */
static value_t *filed_bucket(lower_t *L, builder_t *b, const step_t *s, value_t *bucket,
                             affine_t round) {
    const cache_t *c = L->cache;
    if (!c->upstream) return bucket;
    affine_t ix = ax(0);
    value_t *forgot = b_load(b, s->rows->forgot, 1, &ix), *zero = i64(b, 0);
    value_t *lower = b_select(b, forgot, b_index(b, round), zero);
    bucket = b_binary(b, OP_SUB, b_index(b, ax_plus(ax_v(bucket), c->shift)), lower);
    return within(b, bucket, c->buckets - 1);
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
    value_t *bucket = bucket_of(L, b, s, &x, at.round);
    append_to_bucket(b, c, &at, b_index(b, ax_plus(ax_v(bucket), c->shift)), t);
    b_end_if(b, real, NULL);
    b_end_for(b, tokens, NULL);
    b_end_for(b, rounds, NULL);
}

/* ---- LSH: the window ------------------------------------------------------------------------------------------------ */

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

/* From the new token, the last of its bucket, back to the first of its window: `before` chunks before its own chunk
 * of the order. Where that is more than the tokens there are, it is a place that comes around again (Q23). */
static value_t *steps_back(builder_t *b, const cache_t *c, const step_t *s, value_t *before,
                           value_t *count) {
    int64_t chunk = c->first, most = c->latest;
    value_t *place = b_index(b, ax_plus(ax_add(ax_v(before), ax_v(count)), -1));
    value_t *in_chunk = b_irem(b, within(b, place, c->positions - 1), dim(chunk));
    value_t *back = b_index(b, ax_plus(ax_v(in_chunk), s->a->before * chunk));
    value_t *tokens = b_index(b, ax_plus(ax_v(s->position), 1));
    ltype_t type = SCALAR(E_I64);
    inst_t *around = b_if(b, b_compare(b, OP_GE, back, tokens), 1, &type);
    inst_t *loop = b_for(b, "turn", dim(0), dim(most), 1, &back);
    value_t *x = loop_arg(loop, 0), *less = b_binary(b, OP_SUB, x, tokens);
    value_t *next = b_select(b, b_compare(b, OP_GE, x, tokens), less, x);
    b_end_for(b, loop, &next);
    b_else(b, around, &loop->results[0]);
    b_end_if(b, around, &back);
    return b_name(around->results[0], "back");
}

/* A walk along the order: `n` values of state, changed by `move` as long as `goes_on`. Loops have literal bounds, so
 * it goes in legs, and those after its end are skipped. */
typedef struct {
    const cache_t *c;
    const step_t *s;
    const bucket_at_t *list;
    value_t *target;
    value_t *(*goes_on)(builder_t *b, const void *walk, value_t *const *state);
    void (*move)(lower_t *L, builder_t *b, const void *walk, value_t *const *state, value_t **next);
} walk_t;
enum { STATE = 4 };

static void walk(lower_t *L, builder_t *b, const walk_t *w, int64_t moves, value_t **state) {
    ltype_t types[STATE];
    value_t *from[STATE], *next[STATE];
    for (int k = 0; k < STATE; k++) types[k] = SCALAR(E_I64);
    inst_t *outer = b_for(b, "leg", dim(0), dim((moves + WALK - 1) / WALK), STATE, state);
    for (int k = 0; k < STATE; k++) state[k] = loop_arg(outer, k);
    inst_t *more = b_if(b, w->goes_on(b, w, state), STATE, types);
    inst_t *inner = b_for(b, "move", dim(0), dim(WALK), STATE, state);
    for (int k = 0; k < STATE; k++) from[k] = loop_arg(inner, k);
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
    const walk_t *w = walk;
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
    const walk_t *w = walk;
    return b_compare(b, OP_LT, state[3], w->target);
}

static void ahead_move(lower_t *L, builder_t *b, const void *walk, value_t *const *state,
                       value_t **next) {
    (void)L;
    const walk_t *w = walk;
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
static void repeat_keys(builder_t *b, const cache_t *c, const step_t *s, affine_t round) {
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

/* The token joins its bucket; keys[round]: the tokens of its window. */
static void find_window(lower_t *L, builder_t *b, const step_t *s, affine_t round) {
    const cache_t *c = L->cache;
    bucket_at_t list = bucket_list(s, round);
    hashed_t x = {s->rows->q, {s->row, in_row(s, 0)}};
    value_t *bucket = filed_bucket(L, b, s, bucket_of(L, b, s, &x, round), round);
    append_to_bucket(b, c, &list, bucket, s->position);
    value_t *count = count_at(b, c, &list, bucket);
    value_t *back = steps_back(b, c, s, tokens_before(L, b, c, &list, bucket), count);
    value_t *tokens = b_index(b, ax_plus(ax_v(s->position), 1)), *zero = i64(b, 0);
    value_t *state[] = {bucket, count, back, zero};
    walk_t w = {.c = c, .s = s, .list = &list, .goes_on = back_goes_on, .move = back_move};
    walk(L, b, &w, c->buckets + 1, state);
    state[1] = b_index(b, ax_plus(ax_v(b_binary(b, OP_SUB, state[1], state[2])), -1));
    state[2] = count_at(b, c, &list, within(b, state[0], c->buckets - 1));
    state[3] = zero;
    w.target = b_name(b_binary(b, OP_MIN, tokens, i64(b, c->window)), "distinct");
    w.goes_on = ahead_goes_on;
    w.move = ahead_move;
    walk(L, b, &w, c->window + c->buckets + 1, state);
    repeat_keys(b, c, s, round);
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
    affine_t kx[] = {s->round, ax_v(j)};
    record_at(b, s, ax_v(b_name(b_load(b, s->keys, 1, kx), "token")), ix);
}

/* Key and value of place j in the window of `round`: memory that nothing but a request brings near. */
static void fetch_record(lower_t *L, builder_t *b, const step_t *s, affine_t round, value_t *j) {
    affine_t kx[] = {round, ax_v(j)};
    value_t *token = b_load(b, s->keys, 1, kx);
    for (int part = 0; part < 2; part++) {
        affine_t ix[] = {ax_v(token), s->row, s->index, s->head, ax(part), ax(0)};
        prefetch_row(b, L->cache->records, ix, key_width(L));
    }
}

static void fetch_window(lower_t *L, builder_t *b, const step_t *s, affine_t round) {
    inst_t *loop = b_for(b, "j", dim(0), dim(L->cache->window), 0, NULL);
    fetch_record(L, b, s, round, loop_var(loop));
    b_end_for(b, loop, NULL);
}

/* The next round's, while this one's is worked on. */
static void fetch_next_round(lower_t *L, builder_t *b, step_t *s, value_t *j) {
    value_t *next = at_most(b, ax_plus(s->round, 1), dim(s->a->rounds - 1));
    fetch_record(L, b, s, ax_v(next), j);
}

static void attend_window(lower_t *L, builder_t *b, step_t *s) {
    const cache_t *c = L->cache;
    keys_t k = {.n = c->window,
                .at = window_at,
                .from = c->records,
                .masks_self = true,
                .ahead = s->a->rounds > 1 ? fetch_next_round : NULL};
    key_scores(L, b, s, &k);
    b_store(b, s->weights, soften(L, b, s, k.n), &s->round);
    affine_t ox[] = {s->round, ax(0)};
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

/* The greatest bucket that is filed, counted over the rounds as Hugging Face does where padding had buckets too. */
static value_t *greatest_bucket(lower_t *L, builder_t *b, const attention_t *a, affine_t index) {
    const cache_t *c = L->cache;
    value_t *most = i64(b, 0);
    inst_t *heads = b_for(b, "head", dim(0), dim(L->heads), 1, &most);
    value_t *x = loop_arg(heads, 0);
    inst_t *rounds = b_for(b, "round", dim(0), dim(a->rounds), 1, &x);
    x = loop_arg(rounds, 0);
    inst_t *buckets = b_for(b, "bucket", dim(0), dim(c->buckets), 1, &x);
    affine_t ix[] = {ax(0), index, ax_v(loop_var(heads)), ax_v(loop_var(rounds)),
                     ax_v(loop_var(buckets))};
    affine_t full = ax_add(ax_scale(ix[3], a->buckets + 1), ax_plus(ix[4], -c->shift));
    value_t *used = b_compare(b, OP_GT, load1(b, c->counts, 5, ix), b_iconst(b, SCALAR(E_I32), 0));
    x = b_binary(b, OP_MAX, loop_arg(buckets, 0), b_select(b, used, b_index(b, full), i64(b, 0)));
    b_end_for(b, buckets, &x);
    b_end_for(b, rounds, &buckets->results[0]);
    b_end_for(b, heads, &rounds->results[0]);
    return heads->results[0];
}

lfunc_t *lower_lsh_forgetting(lower_t *L, const attention_t *a, const step_rows_t *rows) {
    enum { WITH_PADDING = 2 };
    dim_t one = dim(1);
    const char *name = "once";
    builder_t b = build_kernel(L->m, "lsh_forgetting", 1, &one, &name);
    describe(L, b.fn, KEY_compile_decode, "Hugging Face's guess whether padding had buckets");
    affine_t index = ax_v(kernel_param(&b, "index", a->count)), at = ax(0), hx[] = {ax(0), ax(0)};
    ltype_t i32 = SCALAR(E_I32);
    value_t *padded =
        b_compare(&b, OP_EQ, load1(&b, rows->hashed, 2, hx), b_iconst(&b, i32, WITH_PADDING));
    inst_t *hashed = b_if(&b, padded, 1, &i32);
    value_t *unseen =
        b_compare(&b, OP_LT, greatest_bucket(L, &b, a, index), i64(&b, a->rounds * a->buckets));
    b_else(&b, hashed, &unseen);
    value_t *never = b_iconst(&b, i32, 0);
    b_end_if(&b, hashed, &never);
    b_store(&b, rows->forgot, hashed->results[0], &at);
    return b.fn;
}

static void lsh_scratch(lower_t *L, builder_t *b, step_t *s) {
    const cache_t *c = L->cache;
    int64_t most = c->window > most_early(c) ? c->window : most_early(c), columns = 0;
    dim_t keys = dim(round_up(most, L->lanes));
    s->scores = kernel_scratch(b, "scores", E_F32, 1, &keys);
    if (!c->counts) return;
    for (int f = 0; f < s->a->n_factors; f++) columns += s->a->factors[f] / 2;
    dim_t rotated = dim(columns), rounds = dim(s->a->rounds);
    dim_t outs[] = {rounds, dim(key_width(L))}, window[] = {rounds, dim(c->window)};
    s->keys = kernel_scratch(b, "keys", E_I32, 2, window);
    set_range(s->keys, dim(0), dim(c->positions - 1));
    s->rotated = kernel_scratch(b, "rotated", E_F32, 1, &rotated);
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
        affine_t round = ax_v(loop_var(rounds));
        find_window(L, &b, &s, round);
        value_t *first = b_compare(&b, OP_EQ, loop_var(rounds), i64(&b, 0));
        inst_t *begun = b_if(&b, first, 0, NULL);
        fetch_window(L, &b, &s, round);
        b_end_if(&b, begun, NULL);
        b_end_for(&b, rounds, NULL);
        rounds = b_for(&b, "round", dim(0), dim(a->rounds), 0, NULL);
        s.round = ax_v(loop_var(rounds));
        attend_window(L, &b, &s);
        b_end_for(&b, rounds, NULL);
        combine_rounds(L, &b, &s);
        b_else(&b, hashed, NULL);
    }
    lsh_early(L, &b, &s);
    if (hashed) b_end_if(&b, hashed, NULL);
    end_row(L, &b, &s, some);
    return b.fn;
}
