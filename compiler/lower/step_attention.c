/* Attention of a step: one query per row and head against what the cache holds (docs/semantics.md
 * 11). Here what both kinds share, and the local one: the token's chunk and those
 * before it, from the ring.
 *
 * Task: one head of one row. */
#include "lower/step_attention.h"

#include "lower/math.h"
#include "lower/window.h"

static void load_query(lower_t *L, builder_t *b, decode_step_t *s) {
    s->n = (int)(key_width(L, s->a) / L->lanes);
    if (s->n <= MAX_HEAD_VECTORS) /* of others loaded where they are used */
        for (int i = 0; i < s->n; i++) s->q[i] = query_part(L, b, s, ax((int64_t)i * L->lanes));
    if (s->a->cache->rounded && s->a->lsh) measure_query(L, b, s);
}

/* ---- keys and values ------------------------------------------------------------------------- */

/* The same for heads of more vectors than there are registers: a loop over them. */
static value_t *dot_wide_key(lower_t *L, builder_t *b, const decode_step_t *s, const keys_t *k,
                             affine_t *ix) {
    value_t *sum = splat(b, L, 0);
    inst_t *loop = b_for(b, "part", dim(0), dim(s->n), 1, &sum);
    affine_t at = ax_scale(ax_v(loop_var(loop)), L->lanes);
    ix[k->from->rank - 1] = at;
    value_t *q = query_part(L, b, s, at);
    value_t *next = b_fma(b, q, b_load(b, k->from, L->lanes, ix), loop_arg(loop, 0));
    b_end_for(b, loop, &next);
    return reduce(b, L, OP_ADD, loop->results[0]);
}

static value_t *dot_key(lower_t *L, builder_t *b, const decode_step_t *s, const keys_t *k,
                        affine_t *ix) {
    value_t *sum = NULL;
    ix[k->from->rank - 2] = ax(0);
    if (s->n > MAX_HEAD_VECTORS) return dot_wide_key(L, b, s, k, ix);
    for (int i = 0; i < s->n; i++) {
        ix[k->from->rank - 1] = ax((int64_t)i * L->lanes);
        value_t *x = b_load(b, k->from, L->lanes, ix);
        sum = sum ? b_fma(b, s->q[i], x, sum) : b_binary(b, OP_MUL, s->q[i], x);
    }
    return reduce(b, L, OP_ADD, sum);
}

void key_scores(lower_t *L, builder_t *b, decode_step_t *s, const keys_t *k) {
    if (s->a->cache->rounded) {
        rounded_scores(L, b, s, k);
        return;
    }
    ltype_t f = SCALAR(E_F32);
    affine_t ix[MAX_RANK];
    for (int64_t j = k->n; j < round_up(k->n, L->lanes); j++) {
        affine_t at = ax(j);
        b_store(b, s->scores, f32(b, NOTHING), &at);
    }
    inst_t *loop = b_for(b, "j", dim(0), dim(k->n), 0, NULL), *some = NULL;
    value_t *j = loop_var(loop);
    if (k->ahead) k->ahead(L, b, s, j);
    if (k->valid) some = b_if(b, k->valid(L, b, s, j), 1, &f);
    k->at(L, b, s, j, ix);
    value_t *x = dot_key(L, b, s, k, ix);
    if (k->masks_self) {
        value_t *self = b_compare(b, OP_EQ, b_index(b, ix[0]), s->position);
        x = b_select(b, self, f32(b, SELF_KEY), x);
    }
    if (some) {
        b_else(b, some, &x);
        x = f32(b, NOTHING);
        b_end_if(b, some, &x);
        x = some->results[0];
    }
    affine_t at = ax_v(j);
    b_store(b, s->scores, x, &at);
    b_end_for(b, loop, NULL);
}

value_t *soften(lower_t *L, builder_t *b, decode_step_t *s, int64_t n) {
    if (s->a->cache->rounded) return rounded_weights(L, b, s, n);
    dim_t vectors = dim(round_up(n, L->lanes) / L->lanes);
    value_t *acc = splat(b, L, LOWEST);
    inst_t *loop = b_for(b, "v", dim(0), vectors, 1, &acc);
    affine_t at = ax_scale(ax_v(loop_var(loop)), L->lanes);
    value_t *next = b_binary(b, OP_MAX, b_load(b, s->scores, L->lanes, &at), loop_arg(loop, 0));
    b_end_for(b, loop, &next);
    value_t *max = b_name(reduce(b, L, OP_MAX, loop->results[0]), "most");
    value_t *shift = b_broadcast(b, max, L->lanes);
    acc = splat(b, L, 0);
    loop = b_for(b, "v", dim(0), vectors, 1, &acc);
    at = ax_scale(ax_v(loop_var(loop)), L->lanes);
    value_t *x = b_load(b, s->scores, L->lanes, &at);
    next = b_binary(b, OP_ADD, loop_arg(loop, 0), m_exp(L, b, b_binary(b, OP_SUB, x, shift)));
    b_end_for(b, loop, &next);
    value_t *sum = reduce(b, L, OP_ADD, loop->results[0]);
    value_t *lse = b_name(b_binary(b, OP_ADD, m_log(L, b, sum), max), "lse");
    shift = b_broadcast(b, lse, L->lanes);
    loop = b_for(b, "v", dim(0), vectors, 0, NULL);
    at = ax_scale(ax_v(loop_var(loop)), L->lanes);
    x = b_load(b, s->scores, L->lanes, &at);
    b_store(b, s->scores, m_exp(L, b, b_binary(b, OP_SUB, x, shift)), &at);
    b_end_for(b, loop, NULL);
    return lse;
}

void for_vectors(lower_t *L, builder_t *b, int n, vectors_t *body, void *ctx) {
    int whole = n / MAX_HEAD_VECTORS;
    if (whole > 1) {
        inst_t *loop = b_for(b, "part", dim(0), dim(whole), 0, NULL);
        affine_t at = ax_scale(ax_v(loop_var(loop)), (int64_t)MAX_HEAD_VECTORS * L->lanes);
        body(L, b, ctx, at, MAX_HEAD_VECTORS);
        b_end_for(b, loop, NULL);
    } else if (whole) body(L, b, ctx, ax(0), MAX_HEAD_VECTORS);
    int rest = n - whole * MAX_HEAD_VECTORS;
    if (rest) body(L, b, ctx, ax((int64_t)whole * MAX_HEAD_VECTORS * L->lanes), rest);
}

typedef struct {
    decode_step_t *s;
    const keys_t *k;
    buffer_t *to;
    affine_t *to_ix;
} mixing_t;

static void mix_vectors(lower_t *L, builder_t *b, void *ctx, affine_t first, int n) {
    const mixing_t *m = ctx;
    decode_step_t *s = m->s;
    const keys_t *k = m->k;
    value_t *acc[MAX_HEAD_VECTORS] = {NULL}, *next[MAX_HEAD_VECTORS];
    ltype_t types[MAX_HEAD_VECTORS];
    affine_t ix[MAX_RANK];
    for (int i = 0; i < n; i++) acc[i] = splat(b, L, 0), types[i] = vec(L);
    inst_t *loop = b_for(b, "j", dim(0), dim(k->n), n, acc), *some = NULL;
    for (int i = 0; i < n; i++) b_name(loop_arg(loop, i), "acc");
    value_t *j = loop_var(loop);
    if (k->valid) some = b_if(b, k->valid(L, b, s, j), n, types);
    k->at(L, b, s, j, ix);
    affine_t at = ax_v(j);
    value_t *p = b_broadcast(b, b_load(b, s->scores, 1, &at), L->lanes);
    ix[k->from->rank - 2] = ax(1);
    for (int i = 0; i < n; i++) {
        ix[k->from->rank - 1] = ax_plus(first, (int64_t)i * L->lanes);
        value_t *x = b_convert(b, E_F32, b_load(b, k->from, L->lanes, ix));
        next[i] = b_fma(b, p, x, loop_arg(loop, i));
    }
    if (some) {
        b_else(b, some, next);
        for (int i = 0; i < n; i++) next[i] = loop_arg(loop, i);
        b_end_if(b, some, next);
        for (int i = 0; i < n; i++) next[i] = some->results[i];
    }
    b_end_for(b, loop, next);
    for (int i = 0; i < n; i++) {
        m->to_ix[m->to->rank - 1] = ax_plus(first, (int64_t)i * L->lanes);
        value_t *x = loop->results[i];
        if (s->scale) x = b_binary(b, OP_MUL, x, b_broadcast(b, s->scale, L->lanes));
        b_store(b, m->to, x, m->to_ix);
    }
}

void key_values(lower_t *L, builder_t *b, decode_step_t *s, const keys_t *k, buffer_t *to,
                affine_t *to_ix) {
    mixing_t m = {s, k, to, to_ix};
    for_vectors(L, b, s->n, mix_vectors, &m);
}

static void copy_out_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const decode_step_t *s = ctx;
    affine_t to[] = {s->row, ax_add(ax_scale(s->head, s->a->head_size), at)};
    b_store(b, s->a->out, b_load(b, s->out, width, &at), to);
}

/* ---- both kinds ------------------------------------------------------------------------------ */

builder_t open_step(lower_t *L, const attention_t *a, decode_step_t *s, const char *name) {
    dim_t tasks[] = {L->rows, dim(a->heads)};
    const char *names[] = {"row", "head"};
    builder_t b = build_kernel(L->m, name, 2, tasks, names);
    *s = (decode_step_t){.a = a};
    s->row = ax_v(b.fn->task[0]);
    s->head = ax_v(b.fn->task[1]);
    value_t *index[MAX_INDICES];
    index_params(L, &b, a->own, index);
    s->index = ax_v(index[a->number]);
    if (a->rotations) s->drawn = ax_v(index[a->rotations->vector]);
    dim_t width = dim(key_width(L, s->a));
    s->out = kernel_scratch(&b, "mixed", E_F32, 1, &width);
    return b;
}

/* if (the row gets a token) */
inst_t *if_row(lower_t *L, builder_t *b, decode_step_t *s) {
    affine_t ix[] = {ax(0), s->row};
    value_t *wanted =
        b_compare(b, OP_GE, load1(b, L->output_row, 2, ix), b_iconst(b, SCALAR(E_I32), 0));
    inst_t *some = b_if(b, wanted, 0, NULL);
    value_t *position = load1(b, L->position, 2, ix);
    s->position = b_name(b_convert(b, E_I64, position), "position");
    load_query(L, b, s);
    return some;
}

static void zero_out_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const decode_step_t *s = ctx;
    affine_t to[] = {s->row, ax_add(ax_scale(s->head, s->a->head_size), at)};
    b_store(b, s->a->out, b_const(b, (ltype_t){E_F32, width}, 0), to);
}

/* A row that rests goes through the dense layers with the others. */
void end_row(lower_t *L, builder_t *b, decode_step_t *s, inst_t *some) {
    for_span(L, b, s->a->head_size, copy_out_span, s);
    b_else(b, some, NULL);
    for_span(L, b, s->a->head_size, zero_out_span, s);
    b_end_if(b, some, NULL);
}

/* ---- local ----------------------------------------------------------------------------------- */

/* Place j of the window: position start + j, where the window starts `before` chunks back. */
static value_t *window_position(builder_t *b, const decode_step_t *s, value_t *j) {
    int64_t chunk = s->a->chunk;
    value_t *own = b_idiv(b, s->position, dim(chunk));
    affine_t start = ax_plus(ax_scale(ax_v(own), chunk), -s->a->before * chunk);
    return b_index(b, ax_add(start, ax_v(j)));
}

/* A window that begins before the first token has all of them; Hugging Face slices the list of what
 * came before with its start, which then counts from the list's end (Q7). */
static value_t *first_position(builder_t *b, const decode_step_t *s) {
    value_t *start = window_position(b, s, i64(b, 0)), *zero = i64(b, 0);
    if (!s->a->cache->as_huggingface) return zero;
    value_t *sliced = b_binary(b, OP_ADD, start, s->position);
    return b_select(b, b_compare(b, OP_LT, start, zero), sliced, zero);
}

static value_t *local_valid(lower_t *L, builder_t *b, decode_step_t *s, value_t *j) {
    (void)L;
    value_t *p = window_position(b, s, j);
    value_t *begun = b_binary(b, OP_AND, b_compare(b, OP_GE, p, first_position(b, s)),
                              b_compare(b, OP_GE, p, i64(b, 0)));
    return b_binary(b, OP_AND, begun, b_compare(b, OP_LE, p, s->position));
}

static void local_at(lower_t *L, builder_t *b, decode_step_t *s, value_t *j, affine_t *ix) {
    (void)L;
    value_t *p = within(b, window_position(b, s, j), s->a->cache->positions - 1);
    ix[0] = s->row;
    ix[1] = s->index;
    ix[2] = s->head;
    ix[3] = ax_v(b_irem(b, p, dim(s->a->cache->ring)));
}

void store_token(lower_t *L, builder_t *b, decode_step_t *s, value_t *scale, buffer_t *key,
                 buffer_t *to, const affine_t *to_ix) {
    affine_t kx[] = {s->row, in_row(s, 0)}, vx[] = {s->row, in_row(s, 0)};
    put_key_value(L, b, s->a, key, kx, scale, s->a->v, vx, to, to_ix);
}

void lower_local_step(lower_t *L, attention_t *a) {
    const cache_t *c = a->cache;
    decode_step_t s;
    builder_t b = open_step(L, a, &s, kernel_of(L, a, "step"));
    describe(L, b.fn, a->node->at,
             "local attention of one token: its chunk of %lld and %lld before", (long long)a->chunk,
             (long long)a->before);
    dim_t keys = dim(round_up(c->ring, L->lanes));
    s.scores = kernel_scratch(&b, "scores", E_F32, 1, &keys);
    inst_t *some = if_row(L, &b, &s);
    affine_t to[] = {s.row, s.index, s.head, ax_v(b_irem(&b, s.position, dim(c->ring)))};
    value_t *scale = c->rounded ? NULL : f32(&b, inverse_root(a->head_size));
    store_token(L, &b, &s, scale, a->k, c->rings, to);
    keys_t k = {.n = c->ring, .valid = local_valid, .at = local_at, .from = c->rings};
    key_scores(L, &b, &s, &k);
    soften(L, &b, &s, k.n);
    affine_t ox = ax(0);
    key_values(L, &b, &s, &k, s.out, &ox);
    end_row(L, &b, &s, some);
    a->attend = b.fn;
}
