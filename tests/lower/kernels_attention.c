/* Hash, sort and every attention, one by one, of heads whose operands are exact: columns of the rows that the embedding
 * made. See kernels.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels.h"
#include "random_model.h"

typedef struct {
    const char *what;
    gop_t op;
    int64_t batch, length, padded, heads, head_size;
    int64_t chunk, before, after, rounds;
    int64_t factors[3];
    bool causal, shared; /* shared: EXACT_ATTENTION of LSH layers */
    double scale; /* of queries, 0: 1; 64 makes them longer than what may bound their scores */
    int mask; /* of how many tokens one is masked, at random; 1: all of the first row; 0: none */
    int64_t width; /* of the stream, 0: 37; wide ones take several heads at a time */
    bool own;      /* the result is added to the stream that its operands are columns of */
    bool compiled; /* too: kernels.h */
    bool whole;    /* all numbers are small and whole: ties everywhere */
    bool gradient; /* too */
} case_t;

/* The heads' operands: column j of x, from `first` on, with stride `step`. */
static gnode_t *operand(kernels_t *k, const case_t *c, const char *name, gnode_t *x, int64_t first,
                        int64_t step, double scale) {
    return k_select(k, name, x, c->heads * c->head_size, first, step, scale);
}

static gnode_t *attention_node(kernels_t *k, const case_t *c, gop_t op, const char *name, int n_in,
                               gnode_t *const *in) {
    gnode_t *n = k_node(k, op, name, n_in, in);
    n->heads = c->heads;
    n->head_size = c->head_size;
    n->rounds = c->op == G_LSH_ATTENTION ? c->rounds : 0;
    n->chunk = c->chunk;
    n->before = c->before;
    n->after = c->after;
    n->causal = c->causal;
    n->shared_qk = c->shared;
    return k_finish(k, n);
}

/* The gradients of the operands side by side, of dy made as they are. */
static gnode_t *gradient_of(kernels_t *k, const case_t *c, gnode_t *x, gnode_t *self) {
    gop_t lse = G_LOCAL_LSE, op = G_LOCAL_ATTENTION_GRAD;
    if (c->op == G_LSH_ATTENTION) lse = G_LSH_LSE, op = G_LSH_ATTENTION_GRAD;
    if (c->op == G_EXACT_ATTENTION) lse = G_EXACT_LSE, op = G_EXACT_ATTENTION_GRAD;
    bool sorted = c->op == G_LSH_ATTENTION;
    gnode_t *scores[] = {self->in[0], self->in[sorted ? 2 : 1], self->in[3]};
    gnode_t *in[7] = {operand(k, c, "dy", x, 2, 3, 1), self,
                      attention_node(k, c, lse, "lse", 3, scores)};
    for (int i = 0; i < self->n_in; i++) in[3 + i] = self->in[i];
    return attention_node(k, c, op, "parts", 3 + self->n_in, in);
}

/* Each of them is seen, and added to the stream. */
static gnode_t *add_parts(kernels_t *k, const case_t *c, gnode_t *s, gnode_t *parts) {
    int64_t width = c->heads * c->head_size, all = parts->shape[2].c;
    for (int64_t i = 0; i < all / width; i++) {
        gnode_t *part = K_NODE(k, G_PART, arena_printf(k->arena, "part_%d", (int)i), parts);
        part->first = i * width;
        part->width = width;
        k_finish(k, part);
        /* of a key normalised to a number, and of a token alone, there is none */
        bool none = c->shared && (c->head_size == 1 || c->padded == 1);
        if (!none) k_observed(part);
        const char *name = arena_printf(k->arena, "product_%d", (int)i);
        gnode_t *product = k_dense(k, name, part, s->shape[2].c, false);
        s = k_add(k, arena_printf(k->arena, "sum_%d", (int)i), s, product);
    }
    return s;
}

static void make_whole(float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = (float)((int)draw(5) - 2);
}

static gnode_t *order_of(kernels_t *k, const case_t *c, gnode_t *qk, gnode_t *mask) {
    int64_t shape[] = {c->heads, c->head_size, c->rounds, 0};
    gnode_t like = {0};
    for (int f = 0; f < 3 && c->factors[f]; f++) {
        like.factors[like.n_factors++] = c->factors[f];
        shape[3] += c->factors[f] / 2;
    }
    gnode_t *rotations = k_param(k, "rotations", 4, shape, 1);
    if (c->whole) make_whole(k_values(k, rotations), shape[0] * shape[1] * shape[2] * shape[3]);
    gnode_t *hash = K_NODE(k, G_LSH_HASH, "buckets", qk, rotations, mask);
    hash->heads = c->heads;
    hash->head_size = c->head_size;
    hash->rounds = c->rounds;
    hash->n_factors = like.n_factors;
    memcpy(hash->factors, like.factors, sizeof like.factors);
    k_observed(k_finish(k, hash));
    return k_observed(k_finish(k, K_NODE(k, G_LSH_SORT, "sorted_idx", hash)));
}

static gnode_t *attention(kernels_t *k, const case_t *c, gnode_t *x, gnode_t **parts) {
    bool shared = c->shared || c->op == G_LSH_ATTENTION;
    gnode_t *q = operand(k, c, shared ? "query_key" : "query", x, 0, 7, c->scale ? c->scale : 1);
    gnode_t *key = shared ? q : operand(k, c, "key", x, 3, 5, 1);
    gnode_t *v = operand(k, c, "value", x, 1, 11, 1), *in[] = {q, key, v, k_mask(k)};
    if (c->op == G_LSH_ATTENTION) {
        in[1] = v;
        in[2] = order_of(k, c, q, in[3]);
    }
    int rounded = c->op == G_LSH_ATTENTION ? 2 : 3;
    for (int i = 0; i < rounded && kernels_bf16; i++) in[i] = k_round(k, in[i]);
    gnode_t *self = k_observed(attention_node(k, c, c->op, "self_attention", 4, in));
    if (c->gradient) *parts = gradient_of(k, c, x, self);
    return self;
}

static void make_mask(kernels_t *k, const case_t *c) {
    if (!c->mask) return;
    k->mask = ARENA_ARRAY(k->arena, uint8_t, c->batch * c->length);
    for (int64_t i = 0; i < c->batch * c->length; i++)
        k->mask[i] = c->mask == 1 ? i >= c->length : draw((uint32_t)c->mask) != 0;
}

static void check(const case_t *c, int number) {
    int64_t width = c->width ? c->width : 37;
    draw_begin(6, number);
    kernels_t *k = kernels_begin(c->what, c->batch, c->length, c->padded);
    make_mask(k, c);
    gnode_t *x = k_rows(k, width);
    if (c->whole) {
        make_whole(k_values(k, x->in[1]), k->vocab * width);
        memset(k_values(k, x->in[2]), 0, sizeof(float) * (size_t)(c->padded * width));
    }
    k->layer++;
    gnode_t *s = k_observed(k_select(k, "stream", x, width, 4, 9, 1));
    k->layer++;
    gnode_t *parts = NULL, *self = attention(k, c, c->own ? s : x, &parts);
    gnode_t *y = k_add(k, "output", s, k_dense(k, "product", self, width, false));
    if (c->gradient) y = add_parts(k, c, y, parts);
    k_hidden(k, k_observed(y), x);
    kernels_check(k, c->compiled);
}

/* Where one key has all the weight there is no gradient to be compared. */
static void ask_for_gradient(case_t *c) {
    double max = c->shared ? 32 : 16;
    c->gradient = !kernels_bf16;
    if (c->op != G_LSH_ATTENTION && c->scale > max) c->scale = max;
}

static void check_all(const case_t *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        case_t c = list[i];
        check(&c, (int)i);
        ask_for_gradient(&c);
        if (c.gradient || c.scale < list[i].scale) check(&c, (int)i); /* it is another one */
    }
}
#define CHECK(list) check_all(list, sizeof(list) / sizeof *(list))

#define LOCAL(what_, b, s, p, h, d, ch, bef, aft, ...)                                             \
    {                                                                                              \
        .what = what_, .op = G_LOCAL_ATTENTION, .batch = b, .length = s, .padded = p, .heads = h,  \
        .head_size = d, .chunk = ch, .before = bef, .after = aft, __VA_ARGS__                      \
    }

static void local(void **state) {
    static const case_t list[] = {
        LOCAL("local: chunks of 5, one before", 1, 20, 20, 2, 7, 5, 1, 0, .causal = true,
              .compiled = true),
        LOCAL("local: both sides, masks", 2, 22, 24, 1, 33, 4, 1, 2, .mask = 3, .compiled = true),
        LOCAL("local: itself alone", 1, 12, 12, 3, 4, 3, 0, 0, .scale = 4),
        LOCAL("local: further than there are chunks", 1, 12, 12, 1, 5, 4, 4, 3, .mask = 4),
        LOCAL("local: a row without tokens", 2, 10, 10, 2, 8, 2, 1, 1, .mask = 1),
        LOCAL("local: chunks of 70, causal", 1, 130, 140, 1, 6, 70, 1, 0, .causal = true),
        LOCAL("local: chunks of 1", 1, 9, 9, 1, 16, 1, 3, 1, .mask = 5),
        LOCAL("local: two heads at a time", 1, 8, 8, 4, 5, 4, 1, 0, .width = 225),
        LOCAL("local: over its own stream", 1, 8, 8, 3, 5, 4, 1, 0, .own = true),
    };
    (void)state;
    CHECK(list);
}

#define EXACT(what_, b, s, p, h, d, ...)                                                           \
    {                                                                                              \
        .what = what_, .op = G_EXACT_ATTENTION, .batch = b, .length = s, .padded = p, .heads = h,  \
        .head_size = d, __VA_ARGS__                                                                \
    }

/* Keys come in blocks of 64. */
static void exact(void **state) {
    static const case_t list[] = {
        EXACT("exact: 17 keys", 1, 17, 17, 2, 7, .mask = 3),
        EXACT("exact: causal over blocks", 1, 141, 141, 1, 9, .causal = true),
        EXACT("exact: long queries, masks", 1, 70, 75, 1, 33, .scale = 64, .mask = 4,
              .compiled = true),
        EXACT("exact: long queries, causal", 1, 131, 131, 1, 8, .scale = 64, .causal = true),
        EXACT("exact: a row without tokens", 2, 5, 5, 3, 4, .mask = 1),
        EXACT("exact, shared: causal", 1, 66, 66, 2, 5, .shared = true, .causal = true),
        EXACT("exact, shared: masks", 2, 13, 13, 1, 20, .shared = true, .mask = 2),
        EXACT("exact, shared: long queries", 1, 129, 129, 1, 6, .shared = true, .scale = 64),
        EXACT("exact, shared: one token", 1, 1, 1, 2, 16, .shared = true),
    };
    (void)state;
    CHECK(list);
}

#define LSH(what_, b, s, p, h, d, ch, bef, aft, ...)                                               \
    {                                                                                              \
        .what = what_, .op = G_LSH_ATTENTION, .batch = b, .length = s, .padded = p, .heads = h,    \
        .head_size = d, .chunk = ch, .before = bef, .after = aft, __VA_ARGS__                      \
    }

static void lsh(void **state) {
    static const case_t list[] = {
        LSH("lsh: one round", 1, 20, 20, 2, 7, 4, 1, 0, .rounds = 1, .factors = {4}),
        LSH("lsh: causal, rounds, factors", 1, 30, 30, 1, 33, 5, 1, 0, .rounds = 3,
            .factors = {2, 6}, .causal = true, .compiled = true),
        LSH("lsh: masks, both sides", 2, 22, 24, 2, 5, 4, 1, 1, .rounds = 2, .factors = {6},
            .mask = 3),
        LSH("lsh: three factors, filled up", 1, 45, 48, 1, 16, 6, 2, 0, .rounds = 4,
            .factors = {2, 4, 2}),
        LSH("lsh: long queries", 1, 24, 24, 1, 9, 8, 1, 0, .rounds = 2, .factors = {4}, .scale = 64,
            .causal = true),
        LSH("lsh: a row without tokens", 2, 12, 12, 1, 4, 3, 1, 0, .rounds = 3, .factors = {4},
            .mask = 1),
        LSH("lsh: further than there are chunks", 1, 8, 8, 1, 6, 4, 3, 4, .rounds = 1,
            .factors = {2}),
        LSH("lsh: chunks that are their own windows", 1, 44, 44, 1, 6, 4, 0, 0, .rounds = 2,
            .factors = {4}, .causal = true),
        LSH("lsh: a shorter last run", 1, 44, 44, 1, 6, 4, 1, 1, .rounds = 2, .factors = {4}),
        LSH("lsh: chunks of 40, many buckets", 1, 120, 120, 1, 8, 40, 1, 0, .rounds = 1,
            .factors = {70}, .causal = true),
        LSH("lsh: two heads at a time", 1, 9, 9, 4, 6, 3, 1, 0, .rounds = 2, .factors = {4},
            .width = 225),
        LSH("lsh: over its own stream", 1, 9, 9, 2, 6, 3, 1, 0, .rounds = 2, .factors = {4},
            .own = true),
        LSH("lsh: ties", 1, 40, 40, 2, 3, 4, 1, 0, .rounds = 2, .factors = {6}, .whole = true),
        LSH("lsh: ties of factors, masks", 1, 34, 36, 1, 2, 6, 1, 1, .rounds = 2,
            .factors = {4, 10}, .whole = true, .mask = 4, .causal = true, .compiled = true),
    };
    (void)state;
    CHECK(list);
}

/* Of any shape. Draws stand in statements of their own: initialisers are evaluated in any order. */
static case_t random_case(arena_t *a) {
    case_t c = {.batch = 1 + draw(2)};
    c.op = (gop_t)PICK(G_LOCAL_ATTENTION, G_LSH_ATTENTION, G_EXACT_ATTENTION);
    c.chunk = PICK(1, 2, 3, 5, 8, 17);
    c.padded = c.chunk * (2 + draw(6));
    c.length = c.padded - draw(2);
    c.heads = 1 + draw(3);
    c.head_size = PICK(1, 3, 8, 20, 35);
    c.before = draw(3);
    c.after = draw(2);
    c.rounds = 1 + draw(3);
    c.factors[0] = 2 + 2 * draw(4);
    c.factors[1] = draw(2) ? 4 : 0;
    c.causal = draw(2);
    c.shared = draw(2) && c.op == G_EXACT_ATTENTION;
    if (draw(4) == 0) c.scale = 32;
    if (draw(2)) c.mask = 2 + (int)draw(4);
    if (c.scale == 0 && draw(3) > 0) ask_for_gradient(&c); /* long ones are in the lists above */
    c.what = arena_printf(
        a,
        "random %s: %lld times %lld of %lld tokens, %lld heads of %lld, chunks of %lld, %lld "
        "before, %lld after, %lld rounds, causal %d, shared %d, masked 1/%d, scale %g, gradient %d",
        graph_op_name(c.op), (long long)c.batch, (long long)c.length, (long long)c.padded,
        (long long)c.heads, (long long)c.head_size, (long long)c.chunk, (long long)c.before,
        (long long)c.after, (long long)c.rounds, c.causal, c.shared, c.mask, c.scale, c.gradient);
    return c;
}

static void random_attention(void **state) {
    enum { GRAPHS = 14 };
    (void)state;
    for (int i = 0; i < GRAPHS; i++) {
        draw_begin(7, i);
        arena_t *a = arena_new();
        case_t c = random_case(a);
        check(&c, 100 + i);
        arena_free(a);
    }
}

int main(int argc, char **argv) {
    kernels_options(argc, argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test(local), cmocka_unit_test(exact),
                                       cmocka_unit_test(lsh), cmocka_unit_test(random_attention)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
