/* Generation by the reference evaluator: steps against full forwards where the two must agree, the windows of a
 * step on tokens placed by hand, Hugging Face's defects where they are asked for, rows and errors. */
#include <math.h>

#include "graph/decode.h"
#include "graph/evaluate_ops.h"
#include "small.h"

enum { VOCAB = 12, WIDE = 32, MAX = 48, CHUNK = 8 };

/* ---- models ------------------------------------------------------------------------------------ */

typedef struct {
    arena_t *a;
    diag_t *d;
    spec_t spec;
    graph_t *like, *step; /* the graph of 64 tokens, and a step's */
    weights_t w;
    graph_param_fn *param;
    graph_cache_t *c;
} model_t;

static model_t *begin(spec_t spec, int64_t batch) {
    model_t *m = calloc(1, sizeof *m);
    m->a = arena_new();
    m->d = diag_new();
    m->spec = spec;
    m->param = small_weights;
    m->like = graph_build(m->a, &m->spec, &(graph_options_t){.batch = batch, .length = 64}, m->d);
    assert_non_null(m->like);
    m->step = graph_build_step(m->a, m->like, batch, m->d);
    assert_non_null(m->step);
    assert_true(graph_keep(m->like, m->step, m->d));
    m->w = (weights_t){.g = m->like, .a = m->a};
    m->c = graph_cache_new(m->step, MAX);
    return m;
}

static void end(model_t *m) {
    graph_cache_free(m->c);
    diag_free(m->d);
    arena_free(m->a);
    free(m);
}

static int32_t token_at(int64_t t) {
    return (int32_t)(1 + (t * 7 + t / 5) % 11);
}

/* The graph of exactly this length, buckets as in m->like. */
static graph_t *exactly(const model_t *m, int64_t length) {
    graph_options_t o = {.batch = 1, .length = length, .bucket_length = 64};
    graph_t *g = graph_build(m->a, &m->spec, &o, m->d);
    assert_non_null(g);
    assert_true(graph_keep(g, m->step, m->d));
    return g;
}

typedef struct {
    float logits[VOCAB], hidden[WIDE];
} next_t;

static graph_next_t into(next_t *x) {
    memset(x, 0xFF, sizeof *x);
    return (graph_next_t){x->logits, x->hidden};
}

static next_t prefill_on(model_t *m, int64_t row, const graph_t *g, int64_t length) {
    int32_t ids[MAX];
    next_t x;
    graph_next_t next = into(&x);
    for (int64_t t = 0; t < length; t++) ids[t] = token_at(t);
    assert_int_equal(graph_prefill(m->c, row, g, m->param, &m->w, ids, length, &next), REFORMER_OK);
    assert_int_equal(graph_cache_tokens(m->c, row), length);
    return x;
}

static next_t prefill(model_t *m, int64_t row, int64_t length) {
    return prefill_on(m, row, exactly(m, length), length);
}

static next_t step(model_t *m, int64_t row) {
    next_t x;
    graph_next_t next = into(&x);
    int64_t tokens = graph_cache_tokens(m->c, row);
    assert_int_equal(graph_step(m->c, row, m->param, &m->w, token_at(tokens), &next), REFORMER_OK);
    assert_int_equal(graph_cache_tokens(m->c, row), tokens + 1);
    return x;
}

/* What a full forward over `length` tokens says comes next. */
static next_t forward(const model_t *m, int64_t length) {
    int32_t ids[MAX];
    float logits[MAX * VOCAB], hidden[MAX * WIDE];
    next_t x;
    for (int64_t t = 0; t < length; t++) ids[t] = token_at(t);
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .batch = 1,
                        .length = (size_t)length,
                        .logits = logits,
                        .last_hidden_state = hidden};
    assert_int_equal(
        graph_evaluate(exactly(m, length), m->param, (void *)(uintptr_t)&m->w, &io, true),
        REFORMER_OK);
    memcpy(x.logits, logits + (length - 1) * VOCAB, sizeof x.logits);
    memcpy(x.hidden, hidden + (length - 1) * WIDE, sizeof x.hidden);
    return x;
}

static bool same(const next_t *x, const next_t *y) {
    return memcmp(x, y, sizeof *x) == 0;
}

/* Doubles within 1e-12 of each other, then rounded: the last bit of a float may differ. */
static void assert_equal(const next_t *x, const next_t *y, int64_t at) {
    const float *have[] = {x->logits, x->hidden}, *want[] = {y->logits, y->hidden};
    for (int part = 0; part < 2; part++)
        for (int i = 0; i < (part ? WIDE : VOCAB); i++) {
            double difference = fabs((double)have[part][i] - (double)want[part][i]);
            if (!(difference <= 1.2e-7 * fabs((double)want[part][i])))
                fail_msg("token %d: %.9g, not %.9g", (int)at, have[part][i], want[part][i]);
        }
}

static layer_kind_t all_local[] = {LAYER_LOCAL, LAYER_LOCAL}, all_lsh[] = {LAYER_LSH, LAYER_LSH};

/* ---- against full forwards --------------------------------------------------------------------- */

static const int64_t prompts[] = {1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 3};
enum { N_PROMPTS = sizeof prompts / sizeof *prompts };

/* Local layers that look back one chunk at most: a forward sees the same tokens. */
static void test_local_is_the_forward(void **unused) {
    (void)unused;
    for (int64_t before = 0; before < 2; before++) {
        spec_t spec = small_spec(ARCH_CAUSAL_LM);
        spec.attn_layers = all_local;
        spec.local_num_chunks_before = before;
        model_t *m = begin(spec, 1);
        for (int i = 0; i < N_PROMPTS; i++) {
            next_t x = prefill(m, 0, prompts[i]), y = forward(m, prompts[i]);
            assert_true(same(&x, &y));
            for (int64_t t = prompts[i] + 1; t <= 4 * CHUNK; t++) {
                x = step(m, 0);
                y = forward(m, t);
                assert_equal(&x, &y, t);
            }
        }
        end(m);
    }
}

/* Steps whose window begins at the first token, after a prompt of one chunk: they see what attention in one chunk of
 * all tokens sees. (A prompt of several chunks sees some of them twice, Q23.) */
static void test_local_looks_far_back(void **unused) {
    (void)unused;
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    spec.attn_layers = all_local;
    spec.local_num_chunks_before = 3;
    model_t *m = begin(spec, 1);
    prefill(m, 0, CHUNK);
    for (int64_t t = CHUNK + 1; t <= 4 * CHUNK; t++) {
        spec_t wide = spec;
        wide.local_attn_chunk_length = 4 * CHUNK; /* sees all tokens */
        model_t *all = begin(wide, 1);
        next_t x = step(m, 0), y = forward(all, t);
        assert_equal(&x, &y, t);
        end(all);
    }
    end(m);
}

/* An LSH row of at most a chunk sees every token; so does the step that goes beyond it, since its tokens have no
 * buckets yet: a model with chunks of twice the length has a forward that says the same. The next step does not. */
static void test_lsh_before_buckets(void **unused) {
    (void)unused;
    spec_t twice = small_spec(ARCH_CAUSAL_LM);
    twice.lsh_attn_chunk_length = 2 * CHUNK;
    model_t *m = begin(small_spec(ARCH_CAUSAL_LM), 1), *exact = begin(twice, 1);
    for (int i = 0; prompts[i] <= CHUNK; i++) {
        next_t x = prefill(m, 0, prompts[i]), y;
        for (int64_t t = prompts[i] + 1; t <= CHUNK; t++) {
            x = step(m, 0);
            y = forward(m, t);
            assert_equal(&x, &y, t);
        }
        x = step(m, 0);
        y = forward(exact, CHUNK + 1);
        bool hashed = prompts[i] < CHUNK; /* by the step before */
        if (hashed) assert_false(same(&x, &y));
        else assert_equal(&x, &y, CHUNK + 1);
        x = step(m, 0);
        y = forward(exact, CHUNK + 2);
        assert_false(same(&x, &y));
    }
    end(m);
    end(exact);
}

/* Prompts of every length go on; what a prefill says is what the forward says. */
static void test_prompts(void **unused) {
    (void)unused;
    spec_t specs[] = {small_spec(ARCH_CAUSAL_LM), small_spec(ARCH_CAUSAL_LM)};
    specs[1].attn_layers = all_lsh;
    specs[1].n_bucket_factors = 0; /* chosen for 64 tokens, whatever was read first (Q8) */
    specs[1].lsh_num_chunks_before = 2;
    for (size_t k = 0; k < sizeof specs / sizeof *specs; k++) {
        model_t *m = begin(specs[k], 1);
        for (int i = 0; i < N_PROMPTS; i++) {
            next_t x = prefill(m, 0, prompts[i]), y = forward(m, prompts[i]);
            assert_true(same(&x, &y));
            for (int64_t t = prompts[i]; t < MAX; t++) {
                x = step(m, 0);
                for (int v = 0; v < VOCAB; v++) assert_true(isfinite(x.logits[v]));
            }
        }
        end(m);
    }
}

/* ---- windows by hand --------------------------------------------------------------------------- */

/* One head of two numbers. The new token is zero: in bucket 0, and every score is zero but its own. So it takes the
 * mean of the values in its window, itself left out; the value of token t is 100^t, which tells how often each is in
 * there. Other tokens point along an axis: rotations are the identity, and buckets are 0 (+x), 1 (+y), 2 (-x), 3 (-y). */
enum { TOKENS = 8, PLACES = 16 };

typedef struct {
    gnode_t node, in[5];
    eval_value_t values[5];
    gnode_t *unused;
    cached_row_t row;
    eval_kept_t kept;
    int state_at[5];
    double keys[2 * TOKENS], v[2 * TOKENS], zero[2], value[2], out[2];
    int32_t buckets[4 * TOKENS];
    float rotations[16];
    eval_t e;
} hand_t;

static double value_of(int64_t token) {
    return pow(100, (double)token);
}

/* `last` tokens in these buckets; rounds alike. */
static hand_t *by_hand(int64_t last, const int *buckets, int64_t rounds, int64_t offset) {
    static const double axis[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
    hand_t *h = calloc(1, sizeof *h);
    for (int64_t t = 0; t < last; t++) {
        memcpy(&h->keys[2 * t], axis[buckets[t]], sizeof axis[0]);
        h->v[2 * t] = value_of(t);
        for (int64_t r = 0; r < rounds; r++)
            h->buckets[t * rounds + r] = (int32_t)(buckets[t] + r * offset);
    }
    h->value[0] = value_of(last);
    for (int64_t r = 0; r < rounds; r++) /* [2][rounds][2] */
        h->rotations[r * 2] = h->rotations[(rounds + r) * 2 + 1] = 1;
    h->kept = (eval_kept_t){2, rounds, h->keys, h->v, h->buckets, offset};
    h->row = (cached_row_t){.tokens = last, .room = TOKENS, .states = &h->kept};
    h->values[0].f = h->values[1].f = h->zero;
    h->values[2].f = h->value;
    h->values[3].w = h->rotations;
    h->node = (gnode_t){.heads = 1,
                        .head_size = 2,
                        .rounds = rounds,
                        .n_factors = 1,
                        .factors = {4},
                        .chunk = 2,
                        .before = 1};
    for (int i = 0; i < 5; i++) h->in[i].id = i;
    h->e = (eval_t){.values = h->values, .cached = &h->row, .state_at = h->state_at};
    return h;
}

static void run_lsh(hand_t *h) {
    h->node.n_in = 5;
    h->node.in[0] = &h->in[0];
    h->node.in[1] = &h->in[2];
    h->node.in[3] = &h->in[4];
    h->node.in[4] = &h->in[3];
    eval_value_t out = {.f = h->out};
    assert_int_equal(eval_lsh_step(&h->e, &h->node, &out), REFORMER_OK);
}

static void run_local(hand_t *h) {
    h->node.n_in = 5;
    h->node.in[0] = &h->in[0];
    h->node.in[1] = &h->in[1];
    h->node.in[2] = &h->in[2];
    h->node.in[4] = &h->in[4];
    eval_value_t out = {.f = h->out};
    assert_int_equal(eval_local_step(&h->e, &h->node, &out), REFORMER_OK);
}

/* The tokens seen, as digits: "0113"; in LSH layers without the new one. */
static void assert_sees(hand_t *h, const char *tokens) {
    double sum = 0, n = (double)strlen(tokens);
    for (const char *t = tokens; *t; t++) sum += value_of(*t - '0');
    if (fabs(h->out[0] - sum / n) > 1e-9 * sum)
        fail_msg("sees %.17g, not the mean of %s, %.17g", h->out[0] * n, tokens, sum);
    free(h);
}

/* The order is buckets 0 … 3, each by position; the new token, of bucket 0, follows the others of its bucket. */
static void test_lsh_windows(void **unused) {
    (void)unused;
    hand_t *h = by_hand(6, (const int[]){0, 1, 0, 0, 3, 2}, 1, 4);
    run_lsh(h); /* 0 2 | 3 [6] | 1 5 | 4: its chunk and the one before */
    assert_int_equal(h->buckets[6], 0);
    assert_sees(h, "023");
    h = by_hand(6, (const int[]){3, 1, 2, 2, 3, 2}, 1, 4);
    run_lsh(h); /* [6] 1 | 2 3 | 5 0 | 4: around the end, over the last two, whatever their chunk */
    assert_sees(h, "041");
    h = by_hand(6, (const int[]){0, 0, 2, 2, 3, 2}, 1, 4);
    h->node.before = 0;
    run_lsh(h); /* 0 1 | [6] 2 | … */
    assert_sees(h, "2");
    h = by_hand(6, (const int[]){0, 0, 0, 0, 0, 0}, 1, 4);
    h->node.before = 2;
    run_lsh(h); /* 0 1 | 2 3 | 4 5 | [6]: the window ends with the first one */
    assert_sees(h, "23450");
}

/* Fewer tokens than places: they repeat, the new one too, and it never sees itself (Q23). */
static void test_lsh_repeats(void **unused) {
    (void)unused;
    hand_t *h = by_hand(2, (const int[]){1, 0}, 1, 4);
    run_lsh(h); /* 1 [2] | 0: from -2: [2] 0 1 [2] */
    assert_sees(h, "10");
    h = by_hand(1, (const int[]){1}, 1, 4);
    h->node.before = 3;
    run_lsh(h);
    assert_sees(h, "0");
    h = by_hand(2, (const int[]){0, 1}, 1, 4);
    h->node.before = 2;
    run_lsh(h); /* 0 [2] | 1: from -4, which is 2: 1 0 [2] 1 0 [2] */
    assert_sees(h, "0011");
    h = by_hand(3, (const int[]){0, 1, 1}, 1, 4);
    h->node.before = 2;
    run_lsh(h); /* 0 [3] | 1 2: from -4, which is 0: 0 [3] 1 2 0 [3] */
    assert_sees(h, "00"
                   "12");
}

/* Sorting and wrapping keep to a round. */
static void test_lsh_rounds(void **unused) {
    (void)unused;
    for (int64_t offset = 4; offset < 6; offset++) { /* without padding, and with it */
        hand_t *h = by_hand(6, (const int[]){0, 1, 0, 0, 3, 2}, 2, offset);
        for (int t = 0; t < 6; t++) h->buckets[2 * t + 1] = (int32_t)(offset + (t < 4 ? 2 : 0));
        run_lsh(h); /* round 1: 4 5 | [6] 0 | 1 2 | 3 */
        assert_int_equal(h->buckets[13], offset);
        double one = (value_of(0) + value_of(2) + value_of(3)) / 3;
        double two = (value_of(4) + value_of(5) + value_of(0)) / 3;
        assert_true(fabs(h->out[0] - (one + two) / 2) < 1e-9 * two);
        free(h);
    }
}

/* It sees nothing but itself in every round: the weights are rounded as in single precision, to 0.9971 (Q2). */
static void test_lsh_sees_only_itself(void **unused) {
    (void)unused;
    hand_t *h = by_hand(2, (const int[]){1, 1}, 3, 4);
    h->node.chunk = 1;
    h->node.before = 0;
    run_lsh(h);
    assert_true(fabs(h->out[0] / value_of(2) - 0.9971) < 5e-5);
    free(h);
}

/* A row without buckets: every token is seen, and all get a bucket when they fill a chunk. */
static void test_lsh_gets_buckets(void **unused) {
    (void)unused;
    hand_t *h = by_hand(3, (const int[]){2, 1, 3}, 2, 4);
    memset(h->buckets, -1, sizeof h->buckets);
    h->kept.offset = 0;
    h->node.chunk = 5;
    run_lsh(h);
    assert_int_equal(h->kept.offset, 0);
    assert_int_equal(h->buckets[0], -1);
    assert_sees(h, "012");
    h = by_hand(3, (const int[]){2, 1, 3}, 2, 4);
    memset(h->buckets, -1, sizeof h->buckets);
    h->kept.offset = 0;
    h->node.chunk = 4;
    run_lsh(h);
    assert_int_equal(h->kept.offset, 4);
    static const int32_t want[] = {2, 6, 1, 5, 3, 7, 0, 4, -1};
    assert_memory_equal(h->buckets, want, sizeof want);
    assert_sees(h, "012");
}

static void test_local_windows(void **unused) {
    (void)unused;
    static const int any[] = {0, 0, 0, 0, 0, 0, 0};
    static const struct {
        int64_t last, before;
        const char *right, *as_huggingface;
    } cases[] = {
        {1, 1, "01", "01"},      {2, 1, "012", "012"},   {5, 1, "2345", "2345"},
        {6, 1, "456", "456"},    {6, 0, "6", "6"},       {1, 3, "01", "01"},
        {2, 2, "012", "012"},    {3, 2, "0123", "123"},  {4, 2, "01234", "01234"},
        {5, 3, "012345", "345"}, {3, 3, "0123", "0123"}, {6, 4, "0123456", "456"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int as_huggingface = 0; as_huggingface < 2; as_huggingface++) {
            hand_t *h = by_hand(cases[i].last, any, 1, 0);
            h->node.before = cases[i].before;
            h->node.as_huggingface = as_huggingface;
            run_local(h);
            assert_sees(h, as_huggingface ? cases[i].as_huggingface : cases[i].right);
        }
}

/* Q6: no bucket says that padding had one, so the new token's lie a bucket lower per round, and it comes first. */
static void test_upstream_offset(void **unused) {
    (void)unused;
    static const struct {
        int buckets[6];
        bool shifted;
    } cases[] = {{{0, 1, 0, 0, 2, 2}, true}, {{0, 1, 0, 0, 3, 2}, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int as_huggingface = 0; as_huggingface < 2; as_huggingface++) {
            hand_t *h = by_hand(6, cases[i].buckets, 2, 5);
            h->node.as_huggingface = as_huggingface;
            run_lsh(h);
            bool shifted = as_huggingface && cases[i].shifted;
            assert_int_equal(h->buckets[12], 0);
            assert_int_equal(h->buckets[13], shifted ? 4 : 5);
            double one = value_of(0) + value_of(2) + value_of(3), two = one;
            /* round 1: [6] 0 | … and the last two of it */
            if (shifted) two = value_of(4) + value_of(5) + value_of(0);
            assert_true(fabs(h->out[0] - (one + two) / 6) < 1e-9 * value_of(5));
            free(h);
        }
}

/* ---- whole models as Hugging Face has them ------------------------------------------------------- */

/* Rotations whose second column is zero: buckets 0 and 2 alone are ever chosen. */
static const float *two_buckets(void *ctx, const char *name) {
    float *w = (float *)(uintptr_t)small_weights(ctx, name);
    for (int i = 0; strstr(name, "rotations") && i < 2 * 8 * 2; i++) w[2 * i + 1] = 0;
    return w;
}

/* Steps after a prompt under both settings; how many of them differ. */
static int differing(spec_t spec, graph_param_fn *param, int64_t prompt, int64_t steps) {
    model_t *right = begin(spec, 1);
    spec.compile.decode = DECODE_HUGGINGFACE;
    model_t *as_huggingface = begin(spec, 1);
    right->param = as_huggingface->param = param;
    next_t x = prefill(right, 0, prompt), y = prefill(as_huggingface, 0, prompt);
    assert_true(same(&x, &y));
    int n = 0;
    for (int64_t t = 0; t < steps; t++) {
        x = step(right, 0);
        y = step(as_huggingface, 0);
        n += !same(&x, &y);
    }
    end(right);
    end(as_huggingface);
    return n;
}

static void test_upstream_models(void **unused) {
    (void)unused;
    spec_t lsh = small_spec(ARCH_CAUSAL_LM), local = small_spec(ARCH_CAUSAL_LM);
    static layer_kind_t one[] = {LAYER_LSH};
    lsh.attn_layers = one;
    lsh.n_layers = 1;
    assert_int_equal(differing(lsh, two_buckets, 19, 8), 8); /* 19 are padded to 24 */
    assert_int_equal(differing(lsh, two_buckets, 24, 8), 0);
    assert_int_equal(differing(lsh, two_buckets, 5, 20), 0);
    assert_int_equal(differing(lsh, small_weights, 19, 8), 0);
    local.attn_layers = all_local;
    local.local_num_chunks_before = 2;
    assert_int_equal(differing(local, small_weights, 3, 5), 0);
    assert_int_equal(differing(local, small_weights, 10, 6), 6); /* the second chunk */
    assert_int_equal(differing(local, small_weights, 17, 8), 0);
}

static void test_upstream_is_for_one_row(void **unused) {
    (void)unused;
    spec_t spec = small_spec(ARCH_CAUSAL_LM);
    spec.compile.decode = DECODE_HUGGINGFACE;
    model_t *m = begin(spec, 1);
    spec.at[KEY_compile_decode] = m->spec.at[KEY_compile_decode] = (srcloc_t){"small.yaml", 4, 11};
    assert_null(graph_build_step(m->a, m->like, 2, m->d));
    assert_message(m->d, "small.yaml:4:11: error: 'compile.decode: huggingface' is for one row, "
                         "the batch has 2");
    end(m);
}

/* ---- rows and errors --------------------------------------------------------------------------- */

/* Rows of other lengths beside it change nothing; a copy goes on like its source, each by itself. */
static void test_rows(void **unused) {
    (void)unused;
    model_t *m = begin(small_spec(ARCH_CAUSAL_LM), 3), *one = begin(m->spec, 1);
    prefill(m, 0, 5);
    prefill(m, 1, 19);
    prefill(one, 0, 19);
    graph_cache_copy_row(m->c, 1, 2);
    assert_int_equal(graph_cache_tokens(m->c, 2), 19);
    for (int t = 0; t < 12; t++) {
        next_t alone = step(one, 0), y = step(m, 1);
        step(m, 0);
        assert_true(same(&alone, &y));
        if (t < 6) continue; /* the copy lags behind */
        y = step(m, 2);
    }
    assert_int_equal(graph_cache_tokens(m->c, 2), 25);
    prefill(one, 0, 19);
    for (int t = 0; t < 6; t++) step(one, 0);
    for (int t = 0; t < 6; t++) {
        next_t alone = step(one, 0), y = step(m, 2);
        assert_true(same(&alone, &y));
    }
    graph_cache_copy_row(m->c, 0, 1); /* over a longer one */
    assert_int_equal(graph_cache_tokens(m->c, 1), 17);
    next_t x = step(m, 0), y = step(m, 1);
    assert_true(same(&x, &y));
    end(m);
    end(one);
}

/* A row read on a graph of more tokens, whose rest is masked, is refilled by a shorter one without a trace. */
static void test_refill(void **unused) {
    (void)unused;
    model_t *m = begin(small_spec(ARCH_CAUSAL_LM), 1), *fresh = begin(m->spec, 1);
    prefill_on(m, 0, m->like, 30);
    for (int t = 0; t < 9; t++) step(m, 0);
    next_t x = prefill(m, 0, 6), y = prefill(fresh, 0, 6);
    assert_true(same(&x, &y));
    for (int t = 0; t < 20; t++) {
        x = step(m, 0);
        y = step(fresh, 0);
        assert_true(same(&x, &y));
    }
    end(m);
    end(fresh);
}

/* Five tokens on a graph of 64 are hashed with its padding. All are in one chunk, so that nothing is different yet;
 * steps then go by buckets, and see some tokens twice, some thrice, where other rows of less than a chunk see each
 * once. Later both have buckets, whose rounds lie apart differently: that changes nothing (Q6). */
static void test_padded_prompt(void **unused) {
    (void)unused;
    model_t *m = begin(small_spec(ARCH_CAUSAL_LM), 1), *exact = begin(m->spec, 1);
    next_t x = prefill_on(m, 0, m->like, 5), y = prefill(exact, 0, 5);
    assert_equal(&x, &y, 5);
    for (int64_t t = 6; t < 25; t++) {
        x = step(m, 0);
        y = step(exact, 0);
        if (t < CHUNK) assert_false(same(&x, &y));
        else assert_equal(&x, &y, t); /* of 8 tokens it sees each twice */
    }
    end(m);
    end(exact);
}

static void test_errors(void **unused) {
    (void)unused;
    model_t *m = begin(small_spec(ARCH_CAUSAL_LM), 1), *other = begin(m->spec, 1);
    next_t x, y;
    graph_next_t next = into(&x);
    int32_t ids[64] = {0};
    assert_int_equal(graph_step(m->c, 0, m->param, &m->w, 1, &next), REFORMER_E_EMPTY);
    assert_int_equal(graph_prefill(m->c, 0, m->like, m->param, &m->w, ids, 0, &next),
                     REFORMER_E_LENGTH);
    assert_int_equal(graph_prefill(m->c, 0, m->like, m->param, &m->w, ids, 65, &next),
                     REFORMER_E_LENGTH);
    assert_int_equal(graph_prefill(m->c, 0, m->like, m->param, &m->w, ids, MAX + 1, &next),
                     REFORMER_E_FULL);
    prefill(m, 0, MAX - 1);
    prefill(other, 0, MAX - 1);
    assert_int_equal(graph_step(m->c, 0, m->param, &m->w, -1, &next), REFORMER_E_TOKEN);
    assert_int_equal(graph_step(m->c, 0, m->param, &m->w, VOCAB, &next), REFORMER_E_TOKEN);
    assert_int_equal(graph_cache_tokens(m->c, 0), MAX - 1);
    x = step(m, 0);
    y = step(other, 0);
    assert_true(same(&x, &y)); /* the refused ones left nothing */
    assert_int_equal(graph_step(m->c, 0, m->param, &m->w, 1, &next), REFORMER_E_FULL);
    end(m);
    end(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_is_the_forward),
        cmocka_unit_test(test_local_looks_far_back),
        cmocka_unit_test(test_lsh_before_buckets),
        cmocka_unit_test(test_prompts),
        cmocka_unit_test(test_lsh_windows),
        cmocka_unit_test(test_lsh_repeats),
        cmocka_unit_test(test_lsh_rounds),
        cmocka_unit_test(test_lsh_sees_only_itself),
        cmocka_unit_test(test_lsh_gets_buckets),
        cmocka_unit_test(test_local_windows),
        cmocka_unit_test(test_upstream_offset),
        cmocka_unit_test(test_upstream_models),
        cmocka_unit_test(test_upstream_is_for_one_row),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_refill),
        cmocka_unit_test(test_padded_prompt),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
