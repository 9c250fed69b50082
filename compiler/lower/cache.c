/* Buffers of the cache, and how its parts are written; see cache.h. */
#include "lower/cache.h"

#include <string.h>

#include "lower/window.h"

static dim_t *shape(lower_t *L, int n, const int64_t *sizes) {
    dim_t *d = ARENA_ARRAY(L->arena, dim_t, n);
    for (int i = 0; i < n; i++) d[i] = dim(sizes[i]);
    return d;
}
#define SHAPE_OF(L, ...)                                                                           \
    shape(L, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

/* The next slot of the parts of rows, or of those of tokens. */
static buffer_t *part(lower_t *L, const cache_t *c, const char *name, elem_t e, int rank,
                      const dim_t *dims) {
    bool tokens = strcmp(name, "records") == 0;
    int *slot = tokens ? &L->n_record_slots : &L->n_cache_slots;
    int max = tokens ? REFORMER_RECORD_PARTS : REFORMER_CACHE_PARTS;
    if (*slot == max) {
        diag_error(L->d, c->state->at,
                   "%s: a cache has room for %d kinds of layers that attend differently",
                   c->state->name, max);
        return NULL;
    }
    return slot_buffer(L, BUF_STATE,
                       (tokens ? REFORMER_SLOT_RECORDS : REFORMER_SLOT_CACHE) + (*slot)++,
                       free_buffer_name(L, name), e, rank, dims);
}

static bool make_lists(lower_t *L, cache_t *c) {
    const gnode_t *n = c->state;
    c->counts =
        part(L, c, "counts", E_I32, 5,
             SHAPE_OF(L, c->batch, c->count, n->heads, n->rounds, c->buckets + c->as_huggingface));
    if (!c->counts) return false;
    c->counts->comment = "[row][layer][head][round][bucket]: tokens in it";
    set_range(c->counts, dim(0), dim(c->positions));
    c->places = part(
        L, c, "places", E_I32, 6,
        SHAPE_OF(L, c->batch, c->count, n->heads, n->rounds, c->buckets, c->first + c->latest));
    if (!c->places) return false;
    c->places->comment = "[row][layer][head][round][bucket][first and latest]: which tokens";
    set_range(c->places, dim(0), dim(c->positions - 1));
    if (!c->rounded) return true;
    int64_t width = round_up(n->head_size, line_of(E_F32));
    c->early = part(L, c, "early", E_F32, 5,
                    SHAPE_OF(L, c->batch, c->count, n->heads, c->first + 1, width));
    if (!c->early) return false;
    c->early->comment = "[row][layer][head][position]: query_key of tokens without buckets";
    return true;
}

static bool make_cache(lower_t *L, cache_t *c) {
    const gnode_t *n = c->state;
    int64_t window = (1 + n->before) * n->chunk, buckets = n->n_factors > 0;
    c->rounded = n->type == G_BF16;
    elem_t e = c->rounded ? E_BF16 : E_F32;
    c->half = round_up(n->head_size, line_of(e) / (c->rounded ? 2 : 1));
    c->as_huggingface = n->as_huggingface;
    if (n->op == G_LOCAL_STATE) {
        c->ring = window;
        c->rings = part(L, c, "rings", e, 6,
                        SHAPE_OF(L, c->batch, c->count, n->heads, c->ring, 2, c->half));
        if (c->rings) c->rings->comment = "[row][layer][head][position mod window][key, value]";
        return c->rings != NULL;
    }
    for (int f = 0; f < n->n_factors; f++) buckets *= n->factors[f];
    c->first = n->chunk;
    c->latest = c->window = window;
    c->shift = c->as_huggingface ? n->rounds - 1 : 0;
    c->buckets = buckets + c->shift;
    c->records = part(L, c, "records", e, 6,
                      SHAPE_OF(L, c->positions, c->batch, c->count, n->heads, 2, c->half));
    if (!c->records) return false;
    c->records->comment = "[position][row][layer][head][key, value]";
    return buckets == 0 || make_lists(L, c);
}

static cache_t *kind_of(const lower_t *L, const gnode_t *state) {
    for (int i = 0; i < L->n_caches; i++)
        if (graph_same_op(L->caches[i].state, state)) return &L->caches[i];
    return NULL;
}

bool make_caches(lower_t *L, int64_t batch, int64_t positions) {
    const graph_t *g = L->g;
    L->caches = ARENA_ARRAY(L->arena, cache_t, g->n_nodes);
    L->cache_number = ARENA_ARRAY(L->arena, int32_t, g->n_nodes);
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (!graph_is_state(g->nodes[i])) continue;
        cache_t *c = kind_of(L, g->nodes[i]);
        if (!c) {
            c = &L->caches[L->n_caches++];
            *c = (cache_t){.state = g->nodes[i], .batch = batch, .positions = positions};
        }
        L->cache_number[i] = c->count++;
    }
    for (int i = 0; i < L->n_caches; i++)
        if (!make_cache(L, &L->caches[i])) return false;
    return true;
}

const cache_t *cache_of(const lower_t *L, const gnode_t *state, int32_t *number) {
    *number = L->cache_number[state->id];
    return kind_of(L, state);
}

int64_t key_width(const lower_t *L, const attention_t *a) {
    return round_up(a->head_size, L->lanes);
}

value_t *within(builder_t *b, value_t *x, int64_t max) {
    x = b_binary(b, OP_MAX, x, b_iconst(b, x->type, 0));
    return b_binary(b, OP_MIN, x, b_iconst(b, x->type, max));
}

value_t *lsh_key_scale(lower_t *L, builder_t *b, const attention_t *a, buffer_t *qk,
                       const affine_t *ix) {
    affine_t at[MAX_RANK];
    for (int i = 0; i < qk->rank; i++) at[i] = ix[i];
    value_t *sum = NULL;
    for (int64_t d = 0; d < key_width(L, a); d += L->lanes) {
        at[qk->rank - 1] = ax_plus(ix[qk->rank - 1], d);
        value_t *x = b_load(b, qk, L->lanes, at);
        sum = sum ? b_fma(b, x, x, sum) : b_binary(b, OP_MUL, x, x);
    }
    return b_name(key_factor(b, reduce(b, L, OP_ADD, sum), a->head_size), "scale");
}

void put_key_value(lower_t *L, builder_t *b, const attention_t *a, buffer_t *key, affine_t *key_ix,
                   value_t *scale, buffer_t *value, affine_t *value_ix, buffer_t *to,
                   const affine_t *to_ix) {
    affine_t at[MAX_RANK], key_0 = key_ix[key->rank - 1], value_0 = value_ix[value->rank - 1];
    for (int i = 0; i + 2 < to->rank; i++) at[i] = to_ix[i];
    value_t *factor = scale ? b_broadcast(b, scale, L->lanes) : NULL;
    for (int64_t d = 0; d < key_width(L, a); d += L->lanes) {
        key_ix[key->rank - 1] = ax_plus(key_0, d);
        value_ix[value->rank - 1] = ax_plus(value_0, d);
        at[to->rank - 1] = ax(d);
        at[to->rank - 2] = ax(0);
        value_t *x = b_load(b, key, L->lanes, key_ix);
        if (factor) x = b_binary(b, OP_MUL, x, factor);
        b_store(b, to, b_convert(b, to->elem, x), at);
        at[to->rank - 2] = ax(1);
        b_store(b, to, b_convert(b, to->elem, b_load(b, value, L->lanes, value_ix)), at);
    }
    key_ix[key->rank - 1] = key_0;
    value_ix[value->rank - 1] = value_0;
}

void put_early(lower_t *L, builder_t *b, const attention_t *a, buffer_t *qk, affine_t *qk_ix,
               const affine_t *to_ix) {
    buffer_t *to = a->cache->early;
    affine_t at[MAX_RANK], first = qk_ix[qk->rank - 1];
    for (int i = 0; i + 1 < to->rank; i++) at[i] = to_ix[i];
    for (int64_t d = 0; d < key_width(L, a); d += L->lanes) {
        qk_ix[qk->rank - 1] = ax_plus(first, d);
        at[to->rank - 1] = ax(d);
        b_store(b, to, b_load(b, qk, L->lanes, qk_ix), at);
    }
    qk_ix[qk->rank - 1] = first;
}

void clear_buckets(builder_t *b, const cache_t *c, const bucket_at_t *at, value_t *padding) {
    inst_t *loop = b_for(b, "bucket", dim(0), dim(c->buckets), 0, NULL);
    affine_t ix[] = {at->row, at->index, at->head, at->round, ax_v(loop_var(loop))};
    b_store(b, c->counts, b_iconst(b, SCALAR(E_I32), 0), ix);
    b_end_for(b, loop, NULL);
    ix[4] = ax(c->buckets);
    if (c->as_huggingface) b_store(b, c->counts, padding, ix);
}

value_t *place_in_bucket(builder_t *b, const cache_t *c, value_t *i) {
    ltype_t i64 = SCALAR(E_I64);
    value_t *beyond = within(b, b_binary(b, OP_SUB, i, b_iconst(b, i64, c->first)), c->positions);
    value_t *later = b_index(b, ax_plus(ax_v(b_irem(b, beyond, dim(c->latest))), c->first));
    value_t *early = b_compare(b, OP_LT, i, b_iconst(b, i64, c->first));
    return within(b, b_select(b, early, i, later), c->first + c->latest - 1);
}

void append_to_bucket(builder_t *b, const cache_t *c, const bucket_at_t *at, value_t *bucket,
                      value_t *token) {
    affine_t cx[] = {at->row, at->index, at->head, at->round, ax_v(bucket)};
    value_t *count = b_name(load1(b, c->counts, 5, cx), "count");
    value_t *place = place_in_bucket(b, c, b_convert(b, E_I64, count));
    affine_t px[] = {cx[0], cx[1], cx[2], cx[3], cx[4], ax_v(place)};
    b_store(b, c->places, b_convert(b, E_I32, token), px);
    count = b_binary(b, OP_ADD, count, b_iconst(b, SCALAR(E_I32), 1));
    b_store(b, c->counts, b_binary(b, OP_MIN, count, b_iconst(b, count->type, c->positions)), cx);
}
