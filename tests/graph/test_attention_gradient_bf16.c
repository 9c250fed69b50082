/* Gradients of attention whose operands are of bf16, by the evaluator, against the formulas of docs/dtype.md, written down
 * here once more: what is rounded, by which sums it is divided, and that this is what the forward did. And beside float32's. */
#include <math.h>

#include "graph/evaluate_ops.h"
#include "small.h"
#include "support/bf16.h"

enum { D = 5, T = 24, CHUNK = 8, BEFORE = 1, ROUNDS = 2, MAX = ROUNDS * (BEFORE + 1) * CHUNK };

enum { QUERY, KEY, VALUE, ORDER, MASK, RESULT, LSE, DY, GRADIENT, N_NODES };

/* One head, one row: a node table made by hand. */
typedef struct {
    bool lsh;
    graph_t g;
    gnode_t nodes[N_NODES];
    eval_value_t values[N_NODES];
    reformer_io_t io;
    eval_t e;
    double q[T * D], k[T * D], v[T * D], y[T * D], lse[T], dy[T * D], grad[T * 3 * D];
    int32_t mask[T], order[ROUNDS * T];
} bench_t;

static double noise(uint64_t *seed, double size) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(*seed >> 11) / (double)(UINT64_C(1) << 53) * 2 - 1) * size;
}

/* One of the last tokens is masked; the first one sees only itself. */
static void begin(bench_t *b, bool lsh, double size) {
    double *data[N_NODES] = {[QUERY] = b->q, [KEY] = b->k, [VALUE] = b->v,      [RESULT] = b->y,
                             [LSE] = b->lse, [DY] = b->dy, [GRADIENT] = b->grad};
    uint64_t seed = 11;
    *b = (bench_t){.lsh = lsh, .g = {.padded = dim(T), .length = dim(T), .batch = 1}};
    for (int i = 0; i < N_NODES; i++) {
        b->nodes[i] = (gnode_t){.id = i,
                                .heads = 1,
                                .head_size = D,
                                .chunk = CHUNK,
                                .before = BEFORE,
                                .causal = true,
                                .rounds = lsh ? ROUNDS : 0};
        b->values[i] = (eval_value_t){.f = data[i]};
        if (i <= VALUE) b->nodes[i].type = G_BF16;
    }
    b->values[ORDER].i = b->order;
    b->values[MASK].i = b->mask;
    for (int i = 0; i < T * D; i++) {
        b->q[i] = bf16_round((float)noise(&seed, size));
        b->k[i] = bf16_round((float)noise(&seed, size));
        b->v[i] = bf16_round((float)noise(&seed, 1));
        b->dy[i] = noise(&seed, 1);
    }
    for (int t = 0; t < T; t++) {
        b->mask[t] = t != T - 2;
        b->order[t] = (t * 7 + 3) % T;
        b->order[T + t] = T + (t * 5 + 8) % T;
    }
    b->e = (eval_t){
        .g = &b->g, .io = &b->io, .rows = 1, .length = T, .padded = T, .values = b->values};
}

static void run(bench_t *b, eval_fn *fn, int node, int n_in, const int *inputs) {
    gnode_t *n = &b->nodes[node];
    n->n_in = n_in;
    for (int i = 0; i < n_in; i++) n->in[i] = &b->nodes[inputs[i]];
    assert_int_equal(fn(&b->e, n, &b->values[node]), REFORMER_OK);
}

static void evaluate(bench_t *b) {
    static const int lsh[] = {DY, RESULT, LSE, QUERY, VALUE, ORDER, MASK};
    static const int lsh_scores[] = {QUERY, ORDER, MASK};
    static const int local[] = {DY, RESULT, LSE, QUERY, KEY, VALUE, MASK};
    static const int local_scores[] = {QUERY, KEY, MASK};
    memset(b->y, 0, sizeof b->y);
    memset(b->lse, 0, sizeof b->lse);
    memset(b->grad, 0, sizeof b->grad);
    if (b->lsh) {
        run(b, eval_lsh_attention, RESULT, 4, lsh + 3);
        run(b, eval_lsh_lse, LSE, 3, lsh_scores);
        run(b, eval_lsh_attention_grad, GRADIENT, 7, lsh);
    } else {
        run(b, eval_local_attention, RESULT, 4, local + 3);
        run(b, eval_local_lse, LSE, 3, local_scores);
        run(b, eval_local_attention_grad, GRADIENT, 7, local);
    }
}

/* ---- by hand --------------------------------------------------------------------------------------- */

static double dot(const double *x, const double *y) {
    double sum = 0;
    for (int i = 0; i < D; i++) sum += x[i] * y[i];
    return sum;
}

static double rounded(double x) {
    return bf16_round((float)x);
}

/* What a query sees, over all rounds. */
typedef struct {
    int n, key[MAX];
    double score[MAX], factor[MAX];
    bool set[MAX];
} seen_t;

static const double *key_row(const bench_t *b, int t) {
    return (b->lsh ? b->q : b->k) + (ptrdiff_t)t * D;
}

static void see(const bench_t *b, int query, int key, seen_t *s) {
    const double *q = b->q + (ptrdiff_t)query * D, *k = key_row(b, key);
    double factor = b->lsh ? 1 / sqrt(dot(k, k) / D + 1e-6) / sqrt(D) : 1 / sqrt(D);
    s->key[s->n] = key;
    s->factor[s->n] = factor;
    s->score[s->n] = dot(q, k) * factor;
    s->set[s->n] = true;
    if (b->lsh && key == query) s->score[s->n] = -1e5;
    else if (key > query || !b->mask[key]) s->score[s->n] = -1e9;
    else s->set[s->n] = false;
    s->n++;
}

static seen_t seen_by(const bench_t *b, int query) {
    int slots = b->lsh ? ROUNDS * T : T;
    seen_t s = {0};
    for (int slot = 0; slot < slots; slot++) {
        if ((b->lsh ? b->order[slot] % T : slot) != query) continue;
        for (int i = -BEFORE * CHUNK; i < CHUNK; i++) {
            int at = (slot / CHUNK * CHUNK + i + slots) % slots;
            see(b, query, b->lsh ? b->order[at] % T : at, &s);
        }
    }
    return s;
}

/* dq, dk, dv [T][D]; dk before the norms of LSH keys. */
typedef struct {
    double q[T * D], k[T * D], v[T * D];
} gradients_t;

static void derive_query(const bench_t *b, int t, gradients_t *to) {
    seen_t s = seen_by(b, t);
    const double *q = b->q + (ptrdiff_t)t * D, *dy = b->dy + (ptrdiff_t)t * D;
    double max = -INFINITY, sum = 0, w[MAX], y[D] = {0}, g[D], rest = 0;
    for (int j = 0; j < s.n; j++) max = fmax(max, s.score[j]);
    double shift = b->lsh && max > -1e5 && sqrt(dot(q, q)) < 41 ? sqrt(dot(q, q)) : max;
    for (int j = 0; j < s.n; j++) {
        sum += w[j] = rounded(exp(s.score[j] - shift));
        for (int i = 0; i < D; i++) y[i] += w[j] * b->v[s.key[j] * D + i];
    }
    bool alone = b->lsh && max == -1e5; /* in floats, by Hugging Face: Q2 */
    if (alone) sum = exp(b->lse[t] - (double)(float)-1e5);
    for (int i = 0; i < D; i++) {
        g[i] = alone ? dy[i] / sum : rounded(dy[i] / sum);
        if (!alone) assert_true(fabs(y[i] / sum - b->y[t * D + i]) < 1e-12);
    }
    double mean = dot(g, y) / sum;
    for (int j = 0; j < s.n; j++) {
        double ds = w[j] * (dot(g, b->v + (ptrdiff_t)s.key[j] * D) - mean);
        rest += ds;
        for (int i = 0; i < D; i++) to->v[s.key[j] * D + i] += w[j] * g[i];
        if (s.set[j]) continue;
        ds = rounded(ds * s.factor[j]);
        for (int i = 0; i < D; i++) {
            to->q[t * D + i] += ds * key_row(b, s.key[j])[i];
            to->k[s.key[j] * D + i] += ds * q[i];
        }
    }
    if (!alone) assert_true(fabs(rest) < 1e-12);
}

static void assert_near(double x, double y) {
    assert_true(fabs(x - y) <= 1e-9 * fmax(1, fabs(y)));
}

static void check(bool lsh, double size) {
    bench_t b;
    gradients_t want = {0};
    begin(&b, lsh, size);
    evaluate(&b);
    for (int t = 0; t < T; t++) derive_query(&b, t, &want);
    for (int t = 0; t < T; t++) {
        const double *x = key_row(&b, t), *dk = want.k + (ptrdiff_t)t * D;
        double along = dot(x, dk) / (dot(x, x) / D + 1e-6) / D;
        for (int i = 0; i < D; i++) {
            const double *got = b.grad + (ptrdiff_t)t * (lsh ? 2 : 3) * D + i;
            double dq = want.q[t * D + i];
            assert_near(got[0], lsh ? dq + dk[i] - x[i] * along : dq);
            if (!lsh) assert_near(got[D], dk[i]);
            assert_near(got[lsh ? D : 2 * D], want.v[t * D + i]);
        }
    }
}

static void test_by_hand(void **unused) {
    (void)unused;
    for (int lsh = 0; lsh < 2; lsh++) {
        check(lsh, 0.5);
        check(lsh, 2);
        check(lsh, 12);
    }
}

/* The same operands, and what float32 makes of them: near, and not the same. */
static void test_beside_float32(void **unused) {
    (void)unused;
    for (int lsh = 0; lsh < 2; lsh++) {
        bench_t b, plain;
        begin(&b, lsh, 1.5);
        begin(&plain, lsh, 1.5);
        for (int i = 0; i < N_NODES; i++) plain.nodes[i].type = G_F32;
        evaluate(&b);
        evaluate(&plain);
        double squares = 0, apart = 0;
        for (int i = 0; i < T * 3 * D; i++) {
            squares += plain.grad[i] * plain.grad[i];
            apart += (plain.grad[i] - b.grad[i]) * (plain.grad[i] - b.grad[i]);
        }
        assert_true(sqrt(apart) > 1e-4 * sqrt(squares) && sqrt(apart) < 5e-3 * sqrt(squares));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_beside_float32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
