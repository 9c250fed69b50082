/* What a prefill leaves in the cache: keys and values of its tokens, and their buckets.
 *
 * keep   of a group of heads, right after its projections: attention may write over them
 * file   LSH: appends the tokens of every round to their buckets, in order
 *
 * Only tokens of the row are kept: padding behind them has keys and buckets too,
 * and is no part of the row. */
#include "lower/cache.h"
#include "lower/window.h"

typedef struct {
    affine_t row, index, head, in_group; /* row: of the cache; head: of all */
    value_t *tokens;                     /* of the row */
    const attention_t *a;
} kept_token_t;

static void read_place(lower_t *L, builder_t *b, kept_token_t *k, const attention_t *a,
                       affine_t in_group) {
    k->a = a;
    value_t *index[MAX_INDICES];
    index_params(L, b, a->kept, index);
    k->index = ax_v(index[a->kept_number]);
    value_t *group = kernel_param(b, "group", a->groups);
    k->in_group = in_group;
    k->head = ax_add(ax_scale(ax_v(group), a->group), in_group);
}

/* After the parameters. */
static void read_row(lower_t *L, builder_t *b, kept_token_t *k) {
    value_t *row = b_convert(b, E_I64, control(b, L, REFORMER_CACHE_ROW));
    k->row = ax_v(b_name(within(b, row, k->a->cache->batch - 1), "cache_row"));
    k->tokens = b_name(b_convert(b, E_I64, control(b, L, REFORMER_TOKENS)), "tokens");
}

/* if (token t is one of the row's) */
static inst_t *if_token(builder_t *b, const kept_token_t *k, affine_t t) {
    return b_if(b, b_compare(b, OP_LT, b_index(b, t), k->tokens), 0, NULL);
}

/* Tokens that have no buckets yet. */
static void keep_early(lower_t *L, builder_t *b, const kept_token_t *k, affine_t t) {
    affine_t qx[] = {ax(0), k->in_group, t, ax(0)};
    affine_t to[] = {k->row, k->index, k->head, ax_v(at_most(b, t, dim(k->a->cache->first)))};
    put_early(L, b, k->a, k->a->plain_q, qx, to);
}

static void keep_lsh(lower_t *L, builder_t *b, const kept_token_t *k, affine_t t) {
    const cache_t *c = k->a->cache;
    affine_t qx[] = {ax(0), k->in_group, t, ax(0)}, vx[] = {ax(0), k->in_group, t, ax(0)};
    affine_t to[] = {ax_v(at_most(b, t, dim(c->positions - 1))), k->row, k->index, k->head};
    if (c->rounded) {
        put_key_value(L, b, k->a, k->a->q, qx, NULL, k->a->v, vx, c->records, to);
        if (c->early && k->a->exact) keep_early(L, b, k, t);
        return;
    }
    put_key_value(L, b, k->a, k->a->plain_q, qx, lsh_key_scale(L, b, k->a, k->a->plain_q, qx),
                  k->a->plain_v, vx, c->records, to);
}

/* The next token's window begins `before` chunks before its own; what is earlier is never asked for
 * again, and its places are another's. */
static void keep_local(lower_t *L, builder_t *b, const kept_token_t *k, affine_t t) {
    const cache_t *c = k->a->cache;
    int64_t chunk = c->state->chunk;
    value_t *own = b_idiv(b, within(b, k->tokens, c->positions), dim(chunk));
    affine_t start = ax_plus(ax_scale(ax_v(own), chunk), -c->state->before * chunk);
    inst_t *near = b_if(b, b_compare(b, OP_GE, b_index(b, t), b_index(b, start)), 0, NULL);
    affine_t kx[] = {ax(0), k->in_group, t, ax(0)}, vx[] = {ax(0), k->in_group, t, ax(0)};
    affine_t to[] = {k->row, k->index, k->head, ax_v(b_irem(b, b_index(b, t), dim(c->ring)))};
    if (c->rounded) put_key_value(L, b, k->a, k->a->k, kx, NULL, k->a->v, vx, c->rings, to);
    else {
        value_t *scale = b_const(b, SCALAR(E_F32), inverse_root(k->a->head_size));
        put_key_value(L, b, k->a, k->a->plain_k, kx, scale, k->a->plain_v, vx, c->rings, to);
    }
    b_end_if(b, near, NULL);
}

static lfunc_t *store_kernel(lower_t *L, const attention_t *a) {
    bool lsh = a->lsh;
    dim_t tasks[] = {dim(a->group), L->blocks};
    const char *names[] = {"head", "block"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, "store_kv"), 2, tasks, names);
    describe(L, b.fn, a->node->at, "%s attention: keys and values into the cache",
             lsh ? "LSH" : "local");
    kept_token_t k = {0};
    read_place(L, &b, &k, a, ax_v(b.fn->task[0]));
    read_row(L, &b, &k);
    inst_t *loop = b_for(&b, "i", dim(0), dim(L->block), 0, NULL);
    affine_t t = ax_add(ax_scale(ax_v(b.fn->task[1]), L->block), ax_v(loop_var(loop)));
    inst_t *real = if_token(&b, &k, t);
    if (lsh) keep_lsh(L, &b, &k, t);
    else keep_local(L, &b, &k, t);
    b_end_if(&b, real, NULL);
    b_end_for(&b, loop, NULL);
    return b.fn;
}

static lfunc_t *append_kernel(lower_t *L, const attention_t *a) {
    const cache_t *c = a->cache;
    dim_t tasks[] = {dim(a->group), dim(a->rounds)};
    const char *names[] = {"head", "round"};
    builder_t b = build_kernel(L->m, kernel_of(L, a, "append_to_buckets"), 2, tasks, names);
    describe(L, b.fn, a->node->at, "tokens into the cache's buckets, in order");
    kept_token_t k = {0};
    read_place(L, &b, &k, a, ax_v(b.fn->task[0]));
    read_row(L, &b, &k);
    bucket_at_t at = {k.row, k.index, k.head, ax_v(b.fn->task[1])};
    clear_buckets(&b, c, &at, control(&b, L, REFORMER_ANY_MASKED));
    inst_t *loop = b_for(&b, "t", dim(0), L->padded, 0, NULL);
    inst_t *real = if_token(&b, &k, ax_v(loop_var(loop)));
    affine_t bx[] = {ax(0), k.in_group, at.round, ax_v(loop_var(loop))};
    value_t *bucket = b_convert(&b, E_I64, load1(&b, a->bucket_of, 4, bx));
    bucket = b_index(&b, ax_plus(ax_v(bucket), c->shift));
    append_to_bucket(&b, c, &at, within(&b, bucket, c->buckets - 1),
                     at_most(&b, bx[3], dim(c->positions - 1)));
    b_end_if(&b, real, NULL);
    b_end_for(&b, loop, NULL);
    return b.fn;
}

void lower_keep(lower_t *L, attention_t *a) {
    if (L->batch != 1) bug("a prefill of %lld rows", (long long)L->batch);
    a->store_kv = store_kernel(L, a);
    if (a->lsh && !a->exact) a->append_to_buckets = append_kernel(L, a);
    a->kept->used = true;
}
