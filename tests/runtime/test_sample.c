/* Choosing tokens: every processor against values worked out by hand and against a plain O(vocab^2) way to do the same,
 * draws against the distribution that they should have, and what is refused. */
#include "fake.h"

#include <math.h>

#include "generate_int.h"

enum { MAX = 64 };

#define SAMPLING(...) ((reformer_sampling_t){.size = sizeof(reformer_sampling_t), __VA_ARGS__})

/* Calls with exactly as much scratch as is asked for, and a guard behind it. */
static int sample_of(const reformer_sampling_t *s, const float *logits, int64_t vocab,
                     const int32_t *history, size_t n, uint64_t row, uint64_t step,
                     int32_t *token) {
    _Alignas(8) static unsigned char scratch[MAX * 64 + GUARD];
    size_t bytes = reformer_sample_bytes(vocab);
    assert_in_range(bytes, 1, sizeof scratch - GUARD);
    memset(scratch, 0x5A, sizeof scratch);
    float before[MAX];
    memcpy(before, logits, (size_t)vocab * sizeof(float));
    int error = reformer_sample(s, logits, vocab, history, n, row, step, scratch, bytes, token);
    for (size_t i = 0; i < GUARD; i++) assert_int_equal(scratch[bytes + i], 0x5A);
    assert_memory_equal(before, logits, (size_t)vocab * sizeof(float));
    return error;
}

static int32_t pick(reformer_sampling_t s, const float *logits, int64_t vocab,
                    const int32_t *history, size_t n, uint64_t row, uint64_t step) {
    int32_t token = -7;
    assert_int_equal(sample_of(&s, logits, vocab, history, n, row, step, &token), REFORMER_OK);
    assert_in_range(token, 0, vocab - 1);
    return token;
}

static int32_t greedy(const float *logits, int64_t vocab) {
    return pick((reformer_sampling_t){.size = sizeof(reformer_sampling_t)}, logits, vocab, NULL, 0,
                0, 0);
}

/* ---- exp and log ---------------------------------------------------------------------------- */

static void exp_and_log(void **state) {
    (void)state;
    double worst_exp = 0, worst_log = 0;
    for (int i = 0; i <= 200000; i++) {
        double x = -708 + i * (1417. / 200000), y = exp(x);
        double e = fabs(reformer_exp(x) - y) / y;
        if (e > worst_exp) worst_exp = e;
    }
    for (int i = 0; i <= 200000; i++) {
        double x = i % 2 ? 0.5 + i * 1e-5 : exp(-700 + i * (1400. / 200000)), y = log(x);
        double e = fabs(reformer_log(x) - y) / fmax(fabs(y), 1e-300);
        if (y == 0) e = reformer_log(x) != 0;
        if (e > worst_log) worst_log = e;
    }
    if (worst_exp > 5e-16) fail_msg("exp is off by %g", worst_exp);
    if (worst_log > 5e-16) fail_msg("log is off by %g", worst_log);
    assert_true(reformer_exp(0) == 1 && reformer_log(1) == 0);
    assert_true(reformer_exp(-1e300) == 0 && reformer_exp(-INFINITY) == 0);
}

/* ---- greedy and the penalty ------------------------------------------------------------------ */

static void greedy_takes_the_first_maximum(void **state) {
    (void)state;
    static const float rows[][4] = {
        {1, 3, 3, 2}, {-5, -5, -6, -5}, {0, -1, 0, 1}, {-INFINITY, -3e38f, -INFINITY, -INFINITY}};
    static const int32_t want[] = {1, 0, 3, 1};
    for (int i = 0; i < 4; i++) assert_int_equal(greedy(rows[i], 4), want[i]);
    assert_int_equal(greedy(rows[0], 1), 0);
}

static int32_t penalized(float penalty, const float *logits, int64_t vocab, const int32_t *history,
                         size_t n) {
    return pick(SAMPLING(.repetition_penalty = penalty), logits, vocab, history, n, 0, 0);
}

static void penalty_by_hand(void **state) {
    (void)state;
    static const float above[] = {4, 1.5f, 1.75f}, below[] = {-1, -1.5f, -3};
    static const int32_t zero[] = {0, 0, 0}, both[] = {0, 1}, two[] = {2};
    assert_int_equal(penalized(2, above, 3, NULL, 0), 0);
    assert_int_equal(penalized(2, above, 3, zero, 1), 0);         /* 2 1.5 1.75 */
    assert_int_equal(penalized(2, above, 3, zero, 3), 0);         /* once, however often: not 0.5 */
    assert_int_equal(penalized(2.5f, above, 3, zero, 1), 2);      /* 1.6 1.5 1.75 */
    assert_int_equal(penalized(2, below, 3, zero, 1), 1);         /* -2 -1.5 -3: times, not by */
    assert_int_equal(penalized(1.5f, below, 3, zero, 1), 0);      /* -1.5 -1.5 -3: the first */
    assert_int_equal(penalized(4, below, 3, both, 2), 2);         /* -4 -6 -3 */
    assert_int_equal(penalized(0.25f, below, 3, two, 1), 2);      /* -1 -1.5 -0.75: encouraged */
    assert_int_equal(penalized(0.25f, above, 3, both + 1, 1), 1); /* 4 6 1.75 */
}

/* The history is looked at only for a penalty, and then all of it. */
static void history_is_checked(void **state) {
    (void)state;
    static const float logits[] = {1, 2, 3};
    static const int32_t bad[][2] = {{0, 3}, {-1, 0}, {INT32_MIN, 0}, {1, INT32_MAX}};
    for (int i = 0; i < 4; i++)
        for (int drawn = 0; drawn < 2; drawn++) {
            reformer_sampling_t s = {
                .size = sizeof s, .temperature = (float)drawn, .repetition_penalty = 1.1f};
            int32_t token = -7;
            assert_int_equal(sample_of(&s, logits, 3, bad[i], 2, 0, 0, &token), REFORMER_E_TOKEN);
            assert_int_equal(token, -7);
            s.repetition_penalty = i % 2 ? 1 : 0;
            assert_int_equal(sample_of(&s, logits, 3, bad[i], 2, 0, 0, &token), REFORMER_OK);
        }
}

/* ---- draws ----------------------------------------------------------------------------------- */

/* splitmix64's finaliser, from its paper; the formula of reformer_generate.h. */
static uint64_t mix(uint64_t x) {
    x ^= x >> 30;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 27;
    x *= UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static double place_of(uint64_t seed, uint64_t row, uint64_t step) {
    const uint64_t g = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t h = mix(seed + g);
    h = mix(h + (row + 1) * g);
    h = mix(h + (step + 1) * g);
    return ldexp((double)(h >> 11), -53);
}

static void draws_follow_the_documented_formula(void **state) {
    (void)state;
    assert_true(mix(UINT64_C(0x9E3779B97F4A7C15)) == UINT64_C(0xE220A8397B1DCDAF));
    static const float flat[MAX] = {0};
    static const uint64_t seeds[] = {0, 1, 42, UINT64_MAX};
    int seen[MAX] = {0};
    for (int i = 0; i < 4; i++)
        for (uint64_t row = 0; row < 5; row++)
            for (uint64_t step = 0; step < 50; step++) {
                reformer_sampling_t s = {.size = sizeof s, .temperature = 1, .seed = seeds[i]};
                int32_t token = pick(s, flat, MAX, NULL, 0, row, step);
                assert_int_equal(token, (int32_t)(place_of(seeds[i], row, step) * MAX));
                seen[token] = 1;
            }
    for (int i = 0; i < MAX; i++) assert_true(seen[i]);
}

/* Draws over steps, rows or seeds are distributed as p, by chi-square: the limit is one that chance exceeds for fewer
 * than one seed in a thousand, and the seeds are fixed. Tokens of p = 0 never come. */
static void assert_distribution(reformer_sampling_t s, const float *logits, int vocab,
                                const double *p) {
    enum { DRAWS = 20000 };
    for (int over = 0; over < 3; over++) {
        int count[MAX] = {0}, free = -1;
        double chi2 = 0;
        for (uint64_t i = 0; i < DRAWS; i++) {
            reformer_sampling_t t = s;
            if (over == 2) t.seed += i;
            count[pick(t, logits, vocab, NULL, 0, over == 1 ? i : 3, over == 0 ? i : 5)]++;
        }
        for (int v = 0; v < vocab; v++) {
            double want = DRAWS * p[v];
            if (p[v] == 0) assert_int_equal(count[v], 0);
            else chi2 += (count[v] - want) * (count[v] - want) / want, free++;
        }
        if (chi2 > free + 4.5 * sqrt(2. * free) + 5)
            fail_msg("chi-square %.1f of %d degrees of freedom, over %d", chi2, free, over);
    }
}

static void distribution(void **state) {
    (void)state;
    static const double p[] = {0.4, 0.3, 0.15, 0.1, 0.05, 0};
    float logits[6];
    for (int i = 0; i < 6; i++) logits[i] = 100 + (float)log(p[i]);
    assert_distribution(SAMPLING(.temperature = 1, .seed = 7), logits, 6, p);
    assert_distribution(SAMPLING(.top_p = 1, .seed = 8), logits, 6, p);

    double flatter[6], sum = 0; /* temperature 2: square roots */
    for (int i = 0; i < 6; i++) sum += flatter[i] = sqrt(p[i]);
    for (int i = 0; i < 6; i++) flatter[i] /= sum;
    assert_distribution(SAMPLING(.temperature = 2, .seed = 9), logits, 6, flatter);

    static const double three[] = {0.4 / 0.85, 0.3 / 0.85, 0.15 / 0.85, 0, 0, 0};
    assert_distribution(SAMPLING(.top_k = 3, .seed = 10), logits, 6, three);
    assert_distribution(SAMPLING(.top_p = 0.8f, .seed = 11), logits, 6, three);
}

/* ---- what remains ----------------------------------------------------------------------------- */

/* Bit i: token i was drawn at least once in 400 steps. */
static unsigned drawn(reformer_sampling_t s, const float *logits, int vocab) {
    unsigned set = 0;
    for (uint64_t step = 0; step < 400; step++)
        set |= 1u << pick(s, logits, vocab, NULL, 0, 0, step);
    return set;
}

static void logs(const double *p, int n, float *logits) {
    for (int i = 0; i < n; i++) logits[i] = (float)log(p[i]);
}

static void top_k_and_top_p_by_hand(void **state) {
    (void)state;
    float l[4], flat[4] = {0};
    logs((const double[]){0.1, 0.4, 0.2, 0.3}, 4, l);
    assert_int_equal(drawn(SAMPLING(.top_k = 1), l, 4), 0x2);
    assert_int_equal(drawn(SAMPLING(.top_k = 2), l, 4), 0xA);
    assert_int_equal(drawn(SAMPLING(.top_k = 3), l, 4), 0xE);
    assert_int_equal(drawn(SAMPLING(.top_k = 4), l, 4), 0xF);
    assert_int_equal(drawn(SAMPLING(.top_k = INT32_MAX), l, 4), 0xF);
    assert_int_equal(drawn(SAMPLING(.top_p = 1e-9f), l, 4), 0x2);
    assert_int_equal(drawn(SAMPLING(.top_p = 0.39f), l, 4), 0x2);
    assert_int_equal(drawn(SAMPLING(.top_p = 0.41f), l, 4), 0xA);
    assert_int_equal(drawn(SAMPLING(.top_p = 0.69f), l, 4), 0xA);
    assert_int_equal(drawn(SAMPLING(.top_p = 0.71f), l, 4), 0xE);
    assert_int_equal(drawn(SAMPLING(.top_p = 0.91f), l, 4), 0xF);
    /* equals: top_k takes all that tie with the last, top_p the lower ids */
    assert_int_equal(drawn(SAMPLING(.top_k = 2), flat, 4), 0xF);
    assert_int_equal(drawn(SAMPLING(.top_p = 0.6f), flat, 4), 0x7);
    assert_int_equal(drawn(SAMPLING(.top_p = 0.5f), flat, 4), 0x3); /* just as much: no more */
    assert_int_equal(drawn(SAMPLING(.top_k = 2), (const float[]){1, 3, 2, 2, 0, 2}, 6), 0x2E);
}

/* Penalty, temperature, top_k, top_p: each order tells itself apart from the other one. */
static void order_of_processors(void **state) {
    (void)state;
    float l[4];
    logs((const double[]){0.1, 0.4, 0.2, 0.3}, 4, l);
    /* of {4/7, 3/7} one reaches half; of all it takes two */
    assert_int_equal(drawn(SAMPLING(.top_k = 2, .top_p = 0.5f), l, 4), 0x2);
    assert_int_equal(drawn(SAMPLING(.top_p = 0.5f), l, 4), 0xA);
    /* a tenth of the temperature: 0.4^10 has 0.95 of the sum */
    assert_int_equal(drawn(SAMPLING(.temperature = 0.1f, .top_p = 0.9f), l, 4), 0x2);
    assert_int_equal(drawn(SAMPLING(.temperature = 1, .top_p = 0.85f), l, 4), 0xE);
    /* the penalty decides who is among the best two */
    static const float scores[] = {4, 3, 2, 1};
    static const int32_t history[] = {0};
    unsigned set = 0;
    for (uint64_t step = 0; step < 200; step++)
        set |= 1u << pick(SAMPLING(.top_k = 2, .repetition_penalty = 8), scores, 4, history, 1, 0,
                          step);
    assert_int_equal(set, 0x6);
}

static void settings_that_change_nothing(void **state) {
    (void)state;
    float logits[MAX];
    for (int i = 0; i < MAX; i++) logits[i] = (float)(mix((uint64_t)i) % 1000) / 250;
    const reformer_sampling_t same[] = {SAMPLING(.top_k = MAX), SAMPLING(.top_k = INT32_MAX),
                                        SAMPLING(.top_p = 1),
                                        SAMPLING(.temperature = 1, .repetition_penalty = 1),
                                        SAMPLING(.temperature = 1, .top_k = MAX, .top_p = 1)};
    static const int32_t history[] = {1, 2, 3};
    for (uint64_t step = 0; step < 200; step++) {
        reformer_sampling_t plain = {.size = sizeof plain, .temperature = 1};
        int32_t want = pick(plain, logits, MAX, NULL, 0, 2, step);
        for (int i = 0; i < 5; i++)
            assert_int_equal(pick(same[i], logits, MAX, history, 3, 2, step), want);
    }
}

/* The plain way: a token remains when few enough are before it, and when those before it have too little together. */
static int32_t plain_draw(const reformer_sampling_t *s, const float *x, int vocab, double place) {
    double w[MAX], best = -INFINITY, sum = 0, t = s->temperature > 0 ? s->temperature : 1;
    for (int i = 0; i < vocab; i++) best = fmax(best, x[i]);
    for (int i = 0; i < vocab; i++) {
        int greater = 0;
        for (int j = 0; j < vocab; j++) greater += x[j] > x[i];
        w[i] = s->top_k > 0 && greater >= s->top_k ? 0 : exp((x[i] - best) / t);
        sum += w[i];
    }
    double kept[MAX], total = 0, reached = 0;
    for (int i = 0; i < vocab; i++) {
        double before = 0;
        for (int j = 0; j < vocab; j++)
            if (x[j] > x[i] || (x[j] == x[i] && j < i)) before += w[j];
        kept[i] = s->top_p > 0 && s->top_p < 1 && before >= s->top_p * sum ? 0 : w[i];
        total += kept[i];
    }
    for (int i = 0; i < vocab; i++)
        if ((reached += kept[i]) > place * total) return i;
    fail_msg("nothing drawn");
    return -1;
}

static void against_the_plain_way(void **state) {
    (void)state;
    static const float temperatures[] = {0, 0.3f, 1, 2.5f}, masses[] = {0, 0.2f, 0.77f, 0.99f};
    float x[MAX];
    for (uint64_t trial = 0; trial < 3000; trial++) {
        uint64_t r = mix(trial);
        int vocab = 1 + (int)(r % 40), levels = 2 + (int)(r >> 8 & 63); /* few levels: many ties */
        for (int i = 0; i < vocab; i++)
            x[i] = (float)(mix(r + (uint64_t)i) % (uint64_t)levels) * 6 / (float)levels - 3;
        reformer_sampling_t s = {.size = sizeof s,
                                 .temperature = temperatures[r >> 16 & 3],
                                 .top_k = (int32_t)(r >> 18 & 7),
                                 .top_p = masses[r >> 21 & 3],
                                 .seed = trial};
        if (s.temperature == 0 && s.top_k == 0 && s.top_p == 0) s.temperature = 1;
        int32_t want = plain_draw(&s, x, vocab, place_of(trial, 1, 2));
        assert_int_equal(pick(s, x, vocab, NULL, 0, 1, 2), want);
    }
}

/* ---- extremes and errors ------------------------------------------------------------------------ */

static void extremes(void **state) {
    (void)state;
    static const float far[] = {-3e38f, 3e38f, 0, -INFINITY}, near[] = {1, 1.0000001f, 1, 0.5f};
    for (uint64_t step = 0; step < 50; step++) {
        assert_int_equal(pick(SAMPLING(.temperature = 1), far, 4, NULL, 0, 0, step), 1);
        assert_int_equal(pick(SAMPLING(.temperature = 1e-38f), near, 4, NULL, 0, 0, step), 1);
    }
    assert_int_equal(drawn(SAMPLING(.temperature = 3e38f), far, 4), 0x7);
    assert_int_equal(drawn(SAMPLING(.top_k = 4), far, 4), 0x2);
    static const float some[] = {-INFINITY, 0, -INFINITY, 0, -INFINITY};
    assert_int_equal(drawn(SAMPLING(.temperature = 9), some, 5), 0xA);
    assert_int_equal(drawn(SAMPLING(.top_k = 4, .top_p = 0.999f), some, 5), 0xA);
}

static void bad_logits(void **state) {
    (void)state;
    const reformer_sampling_t kinds[] = {SAMPLING(.seed = 0), SAMPLING(.temperature = 1),
                                         SAMPLING(.top_k = 2), SAMPLING(.top_p = 0.5f),
                                         SAMPLING(.repetition_penalty = 2)};
    const float nan = NAN, inf = INFINITY;
    const float rows[][3] = {{nan, 1, 2}, {1, nan, 2},        {1, 2, nan},  {nan, nan, nan},
                             {1, inf, 2}, {-inf, -inf, -inf}, {-nan, 0, 0}, {-inf, nan, -inf}};
    static const int32_t history[] = {0, 1, 2};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (int k = 0; k < 5; k++) {
            int32_t token = -7;
            assert_int_equal(sample_of(&kinds[k], rows[r], 3, history, 3, 0, 0, &token),
                             REFORMER_E_LOGITS);
            assert_int_equal(token, -7);
        }
}

static void bad_arguments(void **state) {
    (void)state;
    const reformer_sampling_t bad[] = {SAMPLING(.temperature = -1),
                                       SAMPLING(.temperature = NAN),
                                       SAMPLING(.temperature = INFINITY),
                                       SAMPLING(.top_k = -1),
                                       SAMPLING(.top_p = -0.1f),
                                       SAMPLING(.top_p = 1.01f),
                                       SAMPLING(.top_p = NAN),
                                       SAMPLING(.repetition_penalty = -1),
                                       SAMPLING(.repetition_penalty = NAN)};
    static const float logits[] = {1, 2, 3};
    static const int32_t history[] = {0};
    int32_t token = -7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(reformer_check_sampling(&bad[i]), REFORMER_E_ARGUMENT);
        assert_int_equal(sample_of(&bad[i], logits, 3, history, 1, 0, 0, &token),
                         REFORMER_E_ARGUMENT);
    }
    const reformer_sampling_t good = {.size = sizeof good, .repetition_penalty = 2};
    assert_int_equal(reformer_check_sampling(&good), REFORMER_OK);
    assert_int_equal(reformer_check_sampling(NULL), REFORMER_E_ARGUMENT);
    _Alignas(8) unsigned char scratch[1024];
    assert_in_range(reformer_sample_bytes(3), 1, sizeof scratch - 8);
    const struct {
        const float *logits;
        int64_t vocab;
        const int32_t *history;
        void *scratch;
        int32_t *token;
    } calls[] = {
        {NULL, 3, history, scratch, &token},       {logits, 0, history, scratch, &token},
        {logits, -3, history, scratch, &token},    {logits, 1LL << 31, history, scratch, &token},
        {logits, 3, NULL, scratch, &token},        {logits, 3, history, NULL, &token},
        {logits, 3, history, scratch + 4, &token}, {logits, 3, history, scratch, NULL}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        assert_int_equal(reformer_sample(&good, calls[i].logits, calls[i].vocab, calls[i].history,
                                         1, 0, 0, calls[i].scratch, sizeof scratch, calls[i].token),
                         REFORMER_E_ARGUMENT);
    const reformer_sampling_t unsized = {.repetition_penalty = 2};
    assert_int_equal(reformer_check_sampling(&unsized), REFORMER_E_SIZE);
    assert_int_equal(reformer_sample(&good, logits, 3, history, 1, 0, 0, scratch,
                                     reformer_sample_bytes(3) - 1, &token),
                     REFORMER_E_WORKSPACE);
    assert_int_equal(token, -7);
    assert_int_equal(reformer_sample_bytes(0), 0);
    assert_int_equal(reformer_sample_bytes(-1), 0);
    assert_int_equal(reformer_sample_bytes(1LL << 31), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(exp_and_log),
                                       cmocka_unit_test(greedy_takes_the_first_maximum),
                                       cmocka_unit_test(penalty_by_hand),
                                       cmocka_unit_test(history_is_checked),
                                       cmocka_unit_test(draws_follow_the_documented_formula),
                                       cmocka_unit_test(distribution),
                                       cmocka_unit_test(top_k_and_top_p_by_hand),
                                       cmocka_unit_test(order_of_processors),
                                       cmocka_unit_test(settings_that_change_nothing),
                                       cmocka_unit_test(against_the_plain_way),
                                       cmocka_unit_test(extremes),
                                       cmocka_unit_test(bad_logits),
                                       cmocka_unit_test(bad_arguments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
