/* LSH attention of a step, second half: softmax per round, rounds weighed by their log-sum-exp. All
 * rounds' windows are found first (step_buckets.c); what the next round reads is asked for while
 * one is worked on. A row that holds less than a chunk has no buckets: it sees every token, and
 * when it reaches a chunk, all tokens get theirs. */
#include "lower/math.h"
#include "lower/step_attention.h"

/* ---- windows --------------------------------------------------------------------------------- */

static void record_at(const decode_step_t *s, affine_t token, affine_t *ix) {
    ix[0] = token;
    ix[1] = s->row;
    ix[2] = s->index;
    ix[3] = s->head;
}

static void window_at(lower_t *L, builder_t *b, decode_step_t *s, value_t *j, affine_t *ix) {
    (void)L;
    affine_t kx[] = {s->round, ax_v(j)};
    record_at(s, ax_v(b_name(b_load(b, s->keys, 1, kx), "token")), ix);
}

/* Key and value of place j in the window of `round`: memory that nothing but
 * a request brings near. */
static void fetch_record(lower_t *L, builder_t *b, const decode_step_t *s, affine_t round,
                         value_t *j) {
    affine_t kx[] = {round, ax_v(j)};
    value_t *token = b_load(b, s->keys, 1, kx);
    for (int part = 0; part < 2; part++) {
        affine_t ix[] = {ax_v(token), s->row, s->index, s->head, ax(part), ax(0)};
        prefetch_row(b, s->a->cache->records, ix, key_width(L, s->a));
    }
}

static void fetch_window(lower_t *L, builder_t *b, const decode_step_t *s, affine_t round) {
    inst_t *loop = b_for(b, "j", dim(0), dim(s->a->cache->window), 0, NULL);
    fetch_record(L, b, s, round, loop_var(loop));
    b_end_for(b, loop, NULL);
}

/* The next round's, while this one's is worked on. */
static void fetch_next_round(lower_t *L, builder_t *b, decode_step_t *s, value_t *j) {
    value_t *next = at_most(b, ax_plus(s->round, 1), dim(s->a->rounds - 1));
    fetch_record(L, b, s, ax_v(next), j);
}

static void attend_window(lower_t *L, builder_t *b, decode_step_t *s) {
    const cache_t *c = s->a->cache;
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

/* Weights of the rounds, exp(L_r - lse(L)), from their log-sum-exps (docs/semantics.md 6.6). */
static void weigh_rounds(lower_t *L, builder_t *b, const decode_step_t *s) {
    dim_t rounds = dim(s->a->rounds);
    value_t *init = f32(b, LOWEST);
    inst_t *loop = b_for(b, "round", dim(0), rounds, 1, &init);
    affine_t r = ax_v(loop_var(loop));
    value_t *next = b_binary(b, OP_MAX, b_load(b, s->weights, 1, &r), loop_arg(loop, 0));
    b_end_for(b, loop, &next);
    value_t *max = loop->results[0];
    init = f32(b, 0);
    loop = b_for(b, "round", dim(0), rounds, 1, &init);
    r = ax_v(loop_var(loop));
    value_t *x = b_binary(b, OP_SUB, b_load(b, s->weights, 1, &r), max);
    next = b_binary(b, OP_ADD, loop_arg(loop, 0), m_exp(L, b, x));
    b_end_for(b, loop, &next);
    value_t *all = b_binary(b, OP_ADD, m_log(L, b, loop->results[0]), max);
    loop = b_for(b, "round", dim(0), rounds, 0, NULL);
    r = ax_v(loop_var(loop));
    x = b_binary(b, OP_SUB, b_load(b, s->weights, 1, &r), all);
    b_store(b, s->weights, m_exp(L, b, x), &r);
    b_end_for(b, loop, NULL);
}

static void combine_vectors(lower_t *L, builder_t *b, void *ctx, affine_t first, int n) {
    const decode_step_t *s = ctx;
    value_t *acc[MAX_HEAD_VECTORS], *next[MAX_HEAD_VECTORS];
    for (int i = 0; i < n; i++) acc[i] = splat(b, L, 0);
    inst_t *loop = b_for(b, "round", dim(0), dim(s->a->rounds), n, acc);
    affine_t r = ax_v(loop_var(loop));
    value_t *w = splat(b, L, 1);
    if (s->a->rounds > 1) w = b_broadcast(b, b_load(b, s->weights, 1, &r), L->lanes);
    for (int i = 0; i < n; i++) {
        affine_t ox[] = {r, ax_plus(first, (int64_t)i * L->lanes)};
        next[i] = b_fma(b, w, b_load(b, s->outs, L->lanes, ox), loop_arg(loop, i));
    }
    b_end_for(b, loop, next);
    for (int i = 0; i < n; i++) {
        affine_t at = ax_plus(first, (int64_t)i * L->lanes);
        b_store(b, s->out, loop->results[i], &at);
    }
}

static void combine_rounds(lower_t *L, builder_t *b, decode_step_t *s) {
    if (s->a->rounds > 1) weigh_rounds(L, b, s);
    for_vectors(L, b, s->n, combine_vectors, s);
}

/* ---- a row without buckets ------------------------------------------------------------------- */

static value_t *early_valid(lower_t *L, builder_t *b, decode_step_t *s, value_t *j) {
    (void)L;
    return b_compare(b, OP_LE, j, s->position);
}

static void early_at(lower_t *L, builder_t *b, decode_step_t *s, value_t *j, affine_t *ix) {
    (void)L, (void)b;
    record_at(s, ax_v(j), ix);
}

/* Tokens that a row without buckets can have, this one counted. */
static int64_t max_early(const cache_t *c) {
    return c->first + 1 < c->positions ? c->first + 1 : c->positions;
}

static void lsh_early(lower_t *L, builder_t *b, decode_step_t *s) {
    const cache_t *c = s->a->cache;
    keys_t k = {.n = max_early(c),
                .valid = early_valid,
                .at = early_at,
                .from = c->records,
                .masks_self = true};
    if (c->early) {
        affine_t qx[] = {s->row, in_row(s, 0)};
        affine_t to[] = {s->row, s->index, s->head, ax_v(within(b, s->position, c->first))};
        put_early(L, b, s->a, s->a->q, qx, to);
    }
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

/* Whether tokens of the row `ix` have buckets in these layers. */
static value_t *has_buckets(lower_t *L, builder_t *b, const attention_t *a, const affine_t *ix) {
    value_t *longest = load1(b, L->hashed, 2, ix);
    return b_compare(b, OP_GT, longest, b_iconst(b, SCALAR(E_I32), a->cache->first));
}

/* The greatest bucket that is filed, counted over the rounds as Hugging Face does where
 * padding had buckets too. */
static value_t *greatest_bucket(builder_t *b, const attention_t *a, affine_t index) {
    const cache_t *c = a->cache;
    value_t *max = i64(b, 0);
    inst_t *heads = b_for(b, "head", dim(0), dim(a->heads), 1, &max);
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

static lfunc_t *lower_lost_offset(lower_t *L, const attention_t *a) {
    dim_t one = dim(1);
    const char *name = "once";
    builder_t b = build_kernel(L->m, kernel_of(L, a, "offset_lost"), 1, &one, &name);
    describe(L, b.fn, a->node->at, "Hugging Face's guess whether padding had buckets");
    value_t *indices[MAX_INDICES];
    index_params(L, &b, a->own, indices);
    affine_t index = ax_v(indices[a->number]), at = ax(0), hx[] = {ax(0), ax(0)};
    ltype_t i32 = SCALAR(E_I32);
    value_t *never = b_iconst(&b, i32, 0);
    inst_t *hashed = b_if(&b, has_buckets(L, &b, a, hx), 1, &i32);
    affine_t padding[] = {ax(0), index, ax(0), ax(0), ax(a->cache->buckets)};
    inst_t *padded = b_if(&b, load1(&b, a->cache->counts, 5, padding), 1, &i32);
    value_t *unseen =
        b_compare(&b, OP_LT, greatest_bucket(&b, a, index), i64(&b, a->rounds * a->buckets));
    b_else(&b, padded, &unseen);
    b_end_if(&b, padded, &never);
    b_else(&b, hashed, &padded->results[0]);
    b_end_if(&b, hashed, &never);
    b_store(&b, L->lost_offset, hashed->results[0], &at);
    return b.fn;
}

static void lsh_scratch(lower_t *L, builder_t *b, decode_step_t *s) {
    const cache_t *c = s->a->cache;
    int64_t max = c->window > max_early(c) ? c->window : max_early(c), columns = 0;
    dim_t keys = dim(round_up(max, L->lanes));
    s->scores = kernel_scratch(b, "scores", E_F32, 1, &keys);
    if (c->rounded) s->squares = kernel_scratch(b, "squares", E_F32, 1, &keys);
    if (!c->counts) return;
    for (int f = 0; f < s->a->n_factors; f++) columns += s->a->factors[f] / 2;
    dim_t rotated = dim(columns), rounds = dim(s->a->rounds);
    dim_t outs[] = {rounds, dim(key_width(L, s->a))}, window[] = {rounds, dim(c->window)};
    s->keys = kernel_scratch(b, "keys", E_I32, 2, window);
    set_range(s->keys, dim(0), dim(c->positions - 1));
    s->rotated = kernel_scratch(b, "rotated", E_F32, 1, &rotated);
    s->outs = kernel_scratch(b, "outs", E_F32, 2, outs);
    s->weights = kernel_scratch(b, "weights", E_F32, 1, &rounds);
}

void lower_lsh_step(lower_t *L, attention_t *a) {
    const cache_t *c = a->cache;
    decode_step_t s;
    builder_t b = open_step(L, a, &s, kernel_of(L, a, "step"));
    describe(L, b.fn, a->node->at,
             "LSH attention of one token: %lld rounds, windows of %lld tokens",
             (long long)a->rounds, (long long)c->window);
    lsh_scratch(L, &b, &s);
    inst_t *some = if_row(L, &b, &s);
    affine_t qx[] = {s.row, in_row(&s, 0)};
    affine_t to[] = {ax_v(s.position), s.row, s.index, s.head};
    value_t *scale = c->rounded ? NULL : lsh_key_scale(L, &b, a, a->q, qx);
    store_token(L, &b, &s, scale, a->q, c->records, to);
    inst_t *hashed = NULL;
    if (c->counts) {
        affine_t ix[] = {ax(0), s.row};
        hashed = b_if(&b, has_buckets(L, &b, a, ix), 0, NULL);
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
    a->attend = b.fn;
    if (L->lost_offset && c->counts) a->find_lost_offset = lower_lost_offset(L, a);
}
