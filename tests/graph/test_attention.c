/* Hashing, sorting and the attentions of the evaluator, against formulas written here from
 * docs/semantics.md: slow, from other words, with Python's slices for windows. Q1, Q2, Q3, Q23 among
 * them. */
#include <math.h>

#include "graph/evaluate_ops.h"
#include "small.h"

enum { D = 3, MAX_T = 64 };

/* One head, one row: everything an attention op needs, in a node table made by hand. */
typedef struct {
    graph_t g;
    gnode_t nodes[5], op;
    eval_value_t values[6];
    reformer_io_t io;
    eval_t e;
    double q[MAX_T * D], k[MAX_T * D], v[MAX_T * D], out[MAX_T * D];
    int32_t mask[MAX_T], order[2 * MAX_T];
} bench_t;

static double noise(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*seed >> 11) / (double)(UINT64_C(1) << 53) * 4 - 2;
}

/* inputs: how many of q, k, v, order, mask (in the op's own order) */
static void bench_init(bench_t *b, int64_t tokens) {
    memset(b, 0, sizeof *b);
    uint64_t seed = 7;
    for (int64_t i = 0; i < tokens * D; i++) {
        b->q[i] = noise(&seed);
        b->k[i] = noise(&seed);
        b->v[i] = noise(&seed);
    }
    for (int64_t t = 0; t < tokens; t++) b->mask[t] = 1;
    b->g.padded = b->g.length = dim(tokens);
    b->g.batch = 1;
    b->e = (eval_t){.g = &b->g,
                    .io = &b->io,
                    .rows = 1,
                    .length = tokens,
                    .padded = tokens,
                    .values = b->values};
    b->op.heads = 1;
    b->op.head_size = D;
    b->op.id = 5;
    b->values[5] = (eval_value_t){.f = b->out, .elements = tokens * D};
    double *data[] = {b->q, b->k, b->v};
    for (int i = 0; i < 3; i++) b->values[i] = (eval_value_t){.f = data[i], .elements = tokens * D};
    b->values[3] = (eval_value_t){.i = b->order};
    b->values[4] = (eval_value_t){.i = b->mask, .elements = tokens};
    for (int i = 0; i < 5; i++) b->nodes[i].id = i;
}

static void run(bench_t *b, eval_fn *fn, int n_in, const int *inputs) {
    b->op.n_in = n_in;
    for (int i = 0; i < n_in; i++) b->op.in[i] = &b->nodes[inputs[i]];
    memset(b->out, 0, sizeof b->out);
    assert_int_equal(fn(&b->e, &b->op, &b->values[5]), REFORMER_OK);
}

static void run_local(bench_t *b) {
    run(b, eval_local_attention, 4, (int[]){0, 1, 2, 4});
}

static void run_lsh(bench_t *b) { /* q is query and key */
    run(b, eval_lsh_attention, 4, (int[]){0, 2, 3, 4});
}

static void assert_near(double have, double want) {
    if (!(fabs(have - want) <= 1e-9 * fmax(1, fabs(want))))
        fail_msg("%.17g, not %.17g", have, want);
}

/* ---- the slow reference -------------------------------------------------------------------- */

/* list[from:to] of Python: negative counts from the end, then clamped. */
static int64_t slice(const int64_t *list, int64_t n, int64_t from, int64_t to, int64_t *out) {
    if (from < 0) from = from + n < 0 ? 0 : from + n;
    if (to < 0) to = to + n < 0 ? 0 : to + n;
    if (to > n) to = n;
    int64_t count = 0;
    for (int64_t i = from; i < to; i++) out[count++] = list[i];
    return count;
}

/* Chunks seen at offset o: chunks[o:] + chunks[:o]. */
static void roll(int64_t chunks, int64_t o, int64_t *out) {
    int64_t list[MAX_T];
    for (int64_t i = 0; i < chunks; i++) list[i] = i;
    int64_t n = slice(list, chunks, o, chunks, out);
    n += slice(list, chunks, 0, o, out + n);
    assert_int_equal(n, chunks);
}

/* Positions that slot s sees, by the order of slots. */
static int64_t window(const gnode_t *op, const int64_t *position, int64_t slots, int64_t s,
                      int64_t *seen) {
    int64_t n = 0, rolled[MAX_T], chunks = slots / op->chunk;
    for (int64_t o = -op->before; o <= op->after; o++) {
        roll(chunks, o, rolled);
        for (int64_t j = 0; j < op->chunk; j++)
            seen[n++] = position[rolled[s / op->chunk] * op->chunk + j];
    }
    return n;
}

static double plain_dot(const double *x, const double *y) {
    return x[0] * y[0] + x[1] * y[1] + x[2] * y[2];
}

/* Local attention of rows that see a key, as softmax(q k / sqrt d) v. */
static void assert_local(bench_t *b, int64_t tokens) {
    int64_t position[MAX_T], seen[8 * MAX_T];
    for (int64_t t = 0; t < tokens; t++) position[t] = t;
    for (int64_t t = 0; t < tokens; t++) {
        int64_t n = window(&b->op, position, tokens, t, seen);
        double sum = 0, out[D] = {0};
        for (int64_t j = 0; j < n; j++) {
            if (!b->mask[seen[j]] || (b->op.causal && seen[j] > t)) continue;
            double p = exp(plain_dot(b->q + t * D, b->k + seen[j] * D) / sqrt(D));
            sum += p;
            for (int k = 0; k < D; k++) out[k] += p * b->v[seen[j] * D + k];
        }
        assert_true(sum > 0);
        for (int k = 0; k < D; k++) assert_near(b->out[t * D + k], out[k] / sum);
    }
}

/* ---- local --------------------------------------------------------------------------------- */

/* Q3: look-back wraps to the other end; an offset beyond all chunks is the chunk itself; Q23:
 * keys seen twice count twice. */
static void test_local_windows(void **unused) {
    (void)unused;
    static const int64_t cases[][4] = {
        /* tokens, chunk, before, after */
        {12, 3, 1, 0}, {12, 3, 2, 1}, {12, 3, 0, 2}, {6, 3, 2, 2},
        {6, 3, 3, 0},  {6, 3, 0, 4},  {9, 3, 5, 5},  {8, 4, 2, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int causal = 0; causal < 2; causal++) {
            bench_t b;
            bench_init(&b, cases[i][0]);
            b.op.chunk = cases[i][1];
            b.op.before = cases[i][2];
            b.op.after = cases[i][3];
            b.op.causal = causal;
            run_local(&b);
            assert_local(&b, cases[i][0]);
        }
}

static void test_local_mask(void **unused) {
    (void)unused;
    bench_t b;
    bench_init(&b, 12);
    b.op.chunk = 4;
    b.op.before = 1;
    b.mask[2] = b.mask[3] = b.mask[9] = 0;
    run_local(&b);
    assert_local(&b, 12);
}

/* Q1: a query that sees no key adds up all values of its window, once per time they stand in it. */
static void test_q1(void **unused) {
    (void)unused;
    bench_t b;
    bench_init(&b, 6);
    b.op.chunk = 2;
    b.op.before = 1;
    b.mask[2] = b.mask[3] = b.mask[4] = b.mask[5] = 0;
    run_local(&b);
    for (int k = 0; k < D; k++) {
        double sum = b.v[2 * D + k] + b.v[3 * D + k] + b.v[4 * D + k] + b.v[5 * D + k];
        assert_near(b.out[4 * D + k], sum);
        assert_near(b.out[5 * D + k], sum);
        assert_true(fabs(b.out[3 * D + k] - sum) > 1e-3); /* sees 0 and 1 */
    }
    bench_init(&b, 4);
    b.op.chunk = 2;
    b.op.before = 3; /* offsets -3, -2, -1, 0: of two chunks c, c, the other, c */
    memset(b.mask, 0, sizeof b.mask);
    run_local(&b);
    for (int k = 0; k < D; k++)
        assert_near(b.out[k], 3 * (b.v[k] + b.v[D + k]) + b.v[2 * D + k] + b.v[3 * D + k]);
}

static void test_exact_local(void **unused) {
    (void)unused;
    bench_t b;
    bench_init(&b, 5);
    b.op.causal = true;
    run(&b, eval_exact_attention, 4, (int[]){0, 1, 2, 4});
    b.op.chunk = 5; /* the same as local attention in one chunk */
    assert_local(&b, 5);
}

/* ---- LSH ----------------------------------------------------------------------------------- */

/* Every round by itself, then weighed by its sum of exponentials. Rows must see another token. */
static void assert_lsh_row(bench_t *b, int64_t tokens, int64_t t) {
    int64_t slots = b->op.rounds * tokens, position[2 * MAX_T], seen[8 * MAX_T];
    for (int64_t s = 0; s < slots; s++) position[s] = b->order[s] % tokens;
    double total = 0, out[D] = {0};
    for (int64_t s = 0; s < slots; s++) {
        if (position[s] != t) continue;
        int64_t n = window(&b->op, position, slots, s, seen);
        for (int64_t j = 0; j < n; j++) {
            const double *x = b->q + seen[j] * D;
            if (seen[j] == t || !b->mask[seen[j]] || (b->op.causal && seen[j] > t)) continue;
            double rms = sqrt(plain_dot(x, x) / D + 1e-6);
            double p = exp(plain_dot(b->q + t * D, x) / rms / sqrt(D));
            total += p;
            for (int k = 0; k < D; k++) out[k] += p * b->v[seen[j] * D + k];
        }
    }
    assert_true(total > 0);
    for (int k = 0; k < D; k++) assert_near(b->out[t * D + k], out[k] / total);
}

static void set_order(bench_t *b, int n, const int32_t *order) {
    memcpy(b->order, order, sizeof *order * (size_t)n);
}

static const int32_t two_rounds[16] = {3, 0, 5, 1, 7, 2, 4, 6, /* */ 12, 9, 8, 14, 15, 10, 13, 11};

/* Chunks run on through the rounds: Q3, the first of round 1 sees the last of round 0. */
static void test_lsh_windows(void **unused) {
    (void)unused;
    static const int64_t cases[][3] = {{2, 1, 0}, {2, 2, 1}, {4, 1, 1}, {4, 5, 0}, {8, 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int causal = 0; causal < 2; causal++) {
            bench_t b;
            bench_init(&b, 8);
            set_order(&b, 16, two_rounds);
            b.op.rounds = 2;
            b.op.chunk = cases[i][0];
            b.op.before = cases[i][1];
            b.op.after = cases[i][2];
            b.op.causal = causal;
            run_lsh(&b);
            for (int64_t t = causal; t < 8; t++)
                if (!causal || cases[i][0] == 8) assert_lsh_row(&b, 8, t);
        }
}

static void test_lsh_mask(void **unused) {
    (void)unused;
    bench_t b;
    bench_init(&b, 8);
    set_order(&b, 16, two_rounds);
    b.op.rounds = 2;
    b.op.chunk = 4;
    b.op.before = 1;
    b.mask[6] = b.mask[7] = 0;
    run_lsh(&b);
    for (int64_t t = 0; t < 8; t++) assert_lsh_row(&b, 8, t);
}

/* Keys near zero, where the 1e-6 under the root of their normalisation counts. */
static void test_small_keys(void **unused) {
    (void)unused;
    bench_t b;
    bench_init(&b, 8);
    for (int i = 0; i < 4 * D; i++) b.q[i] *= 1e-3;
    for (int s = 0; s < 8; s++) b.order[s] = s;
    b.op.rounds = 1;
    b.op.chunk = 4;
    b.op.before = 1;
    run_lsh(&b);
    for (int64_t t = 0; t < 8; t++) assert_lsh_row(&b, 8, t);
}

/* Q2 as docs/semantics.md has it: k[r] entries of the token itself in the window of round r. */
static double q2_factor(int rounds, const int *k) {
    float lse[16], all = 0, top = -INFINITY;
    for (int r = 0; r < rounds; r++) {
        lse[r] = -1e5F + logf((float)k[r]);
        if (lse[r] > top) top = lse[r];
    }
    for (int r = 0; r < rounds; r++) all += expf(lse[r] - top);
    all = logf(all) + top;
    double sum = 0;
    for (int r = 0; r < rounds; r++) {
        float weight = rounds == 1 ? 1 : expf(lse[r] - all);
        sum += (double)weight * k[r] * (double)expf(-1e5F - lse[r]);
    }
    return sum;
}

static void assert_first_token(const bench_t *b, double factor) {
    for (int k = 0; k < D; k++)
        if (!(fabs(b->out[k] - factor * b->v[k]) <= 1e-6))
            fail_msg("%.9g, not %.9g", b->out[k], factor * b->v[k]);
}

/* The first token of a causal model, which sees only itself: published deviations of its weight. */
static void test_q2(void **unused) {
    (void)unused;
    static const struct {
        int rounds;
        double weight;
    } cases[] = {{1, 1}, {2, 0.9978}, {3, 0.9971}, {4, 1.0035}, {8, 1.0013}, {16, 0.9992}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench_t b;
        bench_init(&b, 8);
        b.op.rounds = cases[i].rounds;
        b.op.chunk = 2;
        b.op.causal = true;
        for (int s = 0; s < 8 * cases[i].rounds; s++) b.order[s] = s;
        run_lsh(&b);
        int k[16];
        for (int r = 0; r < cases[i].rounds; r++) k[r] = 1;
        double factor = q2_factor(cases[i].rounds, k);
        assert_true(fabs(factor - cases[i].weight) < 6e-5);
        assert_first_token(&b, factor);
    }
}

/* The same, with token 0 last in round 0 and first in round 1: there it sees itself twice. */
static void test_q2_twice(void **unused) {
    (void)unused;
    static const int32_t order[16] = {1, 2, 3, 4, 5, 6, 7, 0, 8, 9, 10, 11, 12, 13, 14, 15};
    bench_t b;
    bench_init(&b, 8);
    set_order(&b, 16, order);
    b.op.rounds = 2;
    b.op.chunk = 2;
    b.op.before = 1;
    b.op.causal = true;
    run_lsh(&b);
    assert_first_token(&b, q2_factor(2, (int[]){1, 2}));
    assert_true(fabs(q2_factor(2, (int[]){1, 2}) - 1) > 1e-4);
    /* one round, one chunk that looks back at itself: Q23 */
    bench_init(&b, 8);
    for (int s = 0; s < 8; s++) b.order[s] = s;
    b.op.rounds = 1;
    b.op.chunk = 8;
    b.op.before = 1;
    b.op.causal = true;
    run_lsh(&b);
    assert_first_token(&b, q2_factor(1, (int[]){2}));
}

/* Without hashing: one row of scores, its own score set to -1e5. */
static void test_exact_shared(void **unused) {
    (void)unused;
    bench_t b;
    bench_init(&b, 6);
    b.op.shared_qk = b.op.causal = true;
    b.mask[1] = 0;
    run(&b, eval_exact_attention, 4, (int[]){0, 0, 2, 4});
    assert_first_token(&b, 1);
    for (int s = 0; s < 6; s++) b.order[s] = s;
    b.op.rounds = 1;
    b.op.chunk = 6;
    for (int64_t t = 2; t < 6; t++) assert_lsh_row(&b, 6, t);
    for (int k = 0; k < D; k++) assert_near(b.out[D + k], b.v[k]); /* token 1 sees token 0 */
}

/* ---- hash and sort ------------------------------------------------------------------------- */

/* Tokens with 2 numbers each, a head of size 2; rotation columns are given as rows of 2. */
typedef struct {
    bench_t b;
    eval_value_t *buckets;
    float rotation[2 * 16];
    int32_t out[MAX_T];
} hash_t;

static void run_hash(hash_t *h, int64_t rows, int64_t tokens, const double *qk, const int32_t *mask,
                     int64_t rounds, int columns, const double *rotation) {
    bench_t *b = &h->b;
    int n_factors = b->op.n_factors;
    int64_t factors[3] = {b->op.factors[0], b->op.factors[1], b->op.factors[2]};
    bench_init(b, tokens);
    b->op.n_factors = n_factors;
    memcpy(b->op.factors, factors, sizeof factors);
    b->op.head_size = 2;
    b->op.rounds = rounds;
    b->e.rows = b->g.batch = rows;
    b->op.shape[0] = dim(rows);
    memcpy(b->q, qk, sizeof *qk * (size_t)(rows * tokens * 2));
    memcpy(b->mask, mask, sizeof *mask * (size_t)(rows * tokens));
    for (int i = 0; i < 2 * columns * rounds; i++) h->rotation[i] = (float)rotation[i];
    b->values[1].w = h->rotation;
    b->values[4].elements = rows * tokens;
    b->values[5] = (eval_value_t){.i = h->out, .elements = rows * rounds * tokens};
    b->op.n_in = 3;
    for (int i = 0; i < 3; i++) b->op.in[i] = &b->nodes[(int[]){0, 1, 4}[i]];
    assert_int_equal(eval_lsh_hash(&b->e, &b->op, &b->values[5]), REFORMER_OK);
}

static void assert_buckets(const hash_t *h, int n, const int32_t *want) {
    for (int i = 0; i < n; i++)
        if (h->out[i] != want[i]) fail_msg("bucket %d is %d, not %d", i, h->out[i], want[i]);
}

/* Four directions; the first of equals; a zero vector falls into bucket 0. */
static void test_hash(void **unused) {
    (void)unused;
    static const double qk[] = {3, 1, 1, 3, -3, 1, 1, -3, 2, 2, -2, -2, 0, 0, -2, 2};
    static const int32_t mask[] = {1, 1, 1, 1, 1, 1, 1, 1};
    hash_t h = {.b.op = {.n_factors = 1, .factors = {4}}};
    run_hash(&h, 1, 8, qk, mask, 1, 2, (double[]){1, 0, 0, 1});
    assert_buckets(&h, 8, (int32_t[]){0, 1, 2, 3, 0, 2, 0, 1});
}

/* b0 + f0 * b1 with columns 0 for f0 = 2 and 1, 2 for f1 = 4; round 1 is offset by 8, turned
 * about. */
static void test_hash_factors(void **unused) {
    (void)unused;
    static const double qk[] = {3, 1, -3, -1, 1, -3, -1, 3};
    static const int32_t mask[] = {1, 1, 1, 1};
    /* [d][round][column] */
    static const double rotation[] = {1, 1, 0, -1, -1, 0, 0, 0, 1, 0, 0, -1};
    hash_t h = {.b.op = {.n_factors = 2, .factors = {2, 4}}};
    run_hash(&h, 1, 4, qk, mask, 2, 3, rotation);
    /* x = (a, b): b0 = a < 0; b1 = argmax(a, b, -a, -b) */
    assert_buckets(&h, 8,
                   (int32_t[]){0 + 2 * 0, 1 + 2 * 2, 0 + 2 * 3, 1 + 2 * 1, /* */
                               8 + 1 + 2 * 2, 8 + 0 + 2 * 0, 8 + 1 + 2 * 1, 8 + 0 + 2 * 3});
}

/* Three factors: b0 + 2 * b1 + 2 * 4 * b2, columns 0, 1 and 2, 3. */
static void test_hash_three_factors(void **unused) {
    (void)unused;
    static const double qk[] = {3, 1, -3, -1, 1, -3, -1, 3};
    static const int32_t mask[] = {1, 1, 1, 1};
    static const double rotation[] = {1, 1, 0, 0, 0, 0, 1, 1};
    hash_t h = {.b.op = {.n_factors = 3, .factors = {2, 4, 2}}};
    run_hash(&h, 1, 4, qk, mask, 1, 4, rotation);
    /* x = (a, b): b0 = a < 0; b1 = argmax(a, b, -a, -b); b2 = b < 0 */
    assert_buckets(
        &h, 4,
        (int32_t[]){0 + 2 * 0 + 8 * 0, 1 + 2 * 2 + 8 * 1, 0 + 2 * 3 + 8 * 1, 1 + 2 * 1 + 8 * 0});
}

/* A zero in any row's mask gives every row a bucket more per round; all ones is no mask. */
static void test_hash_padding(void **unused) {
    (void)unused;
    static const double qk[] = {1, 0, -1, 0, 1, 0, -1, 0};
    static const int32_t all[] = {1, 1, 1, 1}, some[] = {1, 1, 1, 0};
    static const double rotation[] = {1, 1, 0, 0};
    hash_t h = {.b.op = {.n_factors = 1, .factors = {2}}};
    run_hash(&h, 2, 2, qk, all, 2, 1, rotation);
    assert_buckets(&h, 8, (int32_t[]){0, 1, 2, 3, 0, 1, 2, 3});
    run_hash(&h, 2, 2, qk, some, 2, 1, rotation);
    assert_buckets(&h, 8, (int32_t[]){0, 1, 3, 4, 0, 2, 3, 5});
}

static void test_sort(void **unused) {
    (void)unused;
    int32_t keys[] = {2, 0, 2, 0, 1, /* */ 4, 3, 3, 5, 4, /* row 2 */ 0, 0, 0, 0, 0, 3, 3, 3, 3, 3};
    static const int32_t want[] = {1, 3, 4, 0, 2, 6, 7, 5, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    int32_t order[20];
    bench_t b;
    bench_init(&b, 5);
    b.values[0] = (eval_value_t){.i = keys, .elements = 20};
    b.values[5] = (eval_value_t){.i = order, .elements = 20, .shape = {2, 1, 10}};
    b.op.in[0] = &b.nodes[0];
    assert_int_equal(eval_lsh_sort(&b.e, &b.op, &b.values[5]), REFORMER_OK);
    assert_memory_equal(order, want, sizeof want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_windows),
        cmocka_unit_test(test_local_mask),
        cmocka_unit_test(test_q1),
        cmocka_unit_test(test_exact_local),
        cmocka_unit_test(test_lsh_windows),
        cmocka_unit_test(test_lsh_mask),
        cmocka_unit_test(test_q2),
        cmocka_unit_test(test_q2_twice),
        cmocka_unit_test(test_exact_shared),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_hash_factors),
        cmocka_unit_test(test_hash_padding),
        cmocka_unit_test(test_hash_three_factors),
        cmocka_unit_test(test_small_keys),
        cmocka_unit_test(test_sort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
