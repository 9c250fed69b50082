/* Crops of a text: orders, shifts, positions, what is held out, windows of evaluation, masks. */
#include "data_test.h"

#include "data/data.h"
#include "data/random.h"
#include "support/heap.h"

/* A text in which token i is i, so that a crop tells where it stands. */
static source_t *counting(int64_t n, bool with_ends) {
    int32_t *ids = heap_new((size_t)n, sizeof *ids);
    int64_t *ends = with_ends ? heap_new((size_t)n, sizeof *ends) : NULL;
    for (int64_t i = 0; i < n; i++) ids[i] = (int32_t)i;
    for (int64_t i = 0; ends && i < n; i++) ends[i] = 3 * (i + 1);
    return source_array("text", ids, ends, n);
}

static data_options_t options_of(int64_t length, int64_t rows) {
    data_options_t o = data_options();
    o.seed = 11;
    o.length = length;
    o.rows_per_step = rows;
    o.vocabulary = 100000;
    o.held_out = 0;
    return o;
}

static data_t *open_text(const data_options_t *o, int64_t n, int64_t n_eval) {
    diag_t *d = diag_new();
    data_t *data =
        data_open_source(o, counting(n, true), n_eval ? counting(n_eval, true) : NULL, d);
    assert_non_null(data);
    said_nothing(d);
    return data;
}

static void rows_of(const data_t *data, int64_t step, int64_t first, int64_t rows,
                    data_batch_t *b) {
    diag_t *d = diag_new();
    assert_true(data_rows(data, step, first, rows, b, d));
    said_nothing(d);
}

/* ---- orders ------------------------------------------------------------------------------------ */

static void test_orders_are_permutations(void **unused) {
    (void)unused;
    for (uint64_t n = 1; n < 300; n++)
        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            bool seen[300] = {false};
            for (uint64_t i = 0; i < n; i++) {
                uint64_t at = random_order(5, PLACE_ORDER, epoch, n, i);
                assert_true(at < n && !seen[at]);
                seen[at] = true;
            }
        }
    uint64_t huge = UINT64_C(1) << 40, a = random_order(5, PLACE_ORDER, 0, huge + 1, 0);
    assert_true(a <= huge && a != random_order(5, PLACE_ORDER, 1, huge + 1, 0));
    assert_true(a != random_order(6, PLACE_ORDER, 0, huge + 1, 0));
    assert_true(a != random_order(5, PLACE_HELD_OUT, 0, huge + 1, 0));
}

/* Of 1,000 places, about one stays where it is, and neighbours do not stay neighbours. */
static void test_orders_are_mixed(void **unused) {
    (void)unused;
    int fixed = 0, neighbours = 0;
    for (uint64_t epoch = 0; epoch < 20; epoch++)
        for (uint64_t i = 0; i + 1 < 1000; i++) {
            uint64_t a = random_order(1, PLACE_ORDER, epoch, 1000, i);
            fixed += a == i;
            neighbours += random_order(1, PLACE_ORDER, epoch, 1000, i + 1) == a + 1;
        }
    assert_true(fixed < 50 && neighbours < 50); /* 20 expected of each, standard deviation 4.5 */
}

/* Over the epochs, where a window comes and how far behind it the next one does are uniform. */
static void test_orders_are_uniform(void **unused) {
    (void)unused;
    enum { N = 1000, EPOCHS = 4000, BINS = 10 };
    static const uint64_t places[] = {0, 1, 499, 998};
    for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
        int at[BINS] = {0}, behind[BINS] = {0};
        for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
            uint64_t a = random_order(2, PLACE_ORDER, epoch, N, places[k]);
            uint64_t b = random_order(2, PLACE_ORDER, epoch, N, places[k] + 1);
            at[a * BINS / N]++;
            behind[(N + b - a) % N * BINS / N]++;
        }
        for (int i = 0; i < BINS; i++) { /* 400 expected, sigma 19 */
            assert_in_range(at[i], 400 - 4 * 19, 400 + 4 * 19);
            assert_in_range(behind[i], 400 - 4 * 19, 400 + 4 * 19);
        }
    }
}

/* ---- crops ------------------------------------------------------------------------------------- */

/* An epoch is every window once: no token twice, and all but less than a window at either end. */
static void test_an_epoch(void **unused) {
    (void)unused;
    enum { TOKENS = 1003, LENGTH = 16, ROWS = 5 };
    data_options_t o = options_of(LENGTH, ROWS);
    data_t *data = open_text(&o, TOKENS, 0);
    data_batch_t b = data_batch_new(1, LENGTH);
    int64_t rows = data_epoch_rows(data), first[3];
    assert_int_equal(rows, (TOKENS - LENGTH + 1) / LENGTH);
    assert_int_equal(data_epoch_steps(data, 2), (2 * rows + ROWS - 1) / ROWS);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        bool seen[TOKENS] = {false};
        for (int64_t row = epoch * rows; row < (epoch + 1) * rows; row++) {
            rows_of(data, row / ROWS, row % ROWS, 1, &b);
            for (int i = 0; i < LENGTH; i++) {
                assert_int_equal(b.input_ids[i], b.input_ids[0] + i);
                assert_int_equal(b.labels[i], b.input_ids[i]);
                assert_false(seen[b.input_ids[i]]);
                seen[b.input_ids[i]] = true;
            }
        }
        for (first[epoch] = 0; !seen[first[epoch]]; first[epoch]++) continue;
        assert_true(first[epoch] < LENGTH);
        for (int64_t i = first[epoch]; i < first[epoch] + rows * LENGTH; i++) assert_true(seen[i]);
    }
    assert_true(first[0] != first[1] || first[1] != first[2]);
    assert_true(data_epoch(data, 0) == 0 && data_epoch(data, rows) == ROWS);
    data_batch_free(&b);
    data_free(data);
}

/* A row does not depend on what it is asked for together with. */
static void test_rows_are_pure(void **unused) {
    (void)unused;
    enum { LENGTH = 32, ROWS = 8 };
    data_options_t o = options_of(LENGTH, ROWS);
    o.positions = 100;
    data_t *data = open_text(&o, 5000, 0), *again = open_text(&o, 5000, 0);
    o.seed++;
    data_t *other = open_text(&o, 5000, 0);
    data_batch_t all = data_batch_new(ROWS, LENGTH), one = data_batch_new(1, LENGTH);
    int same = 0;
    rows_of(data, 70, 0, ROWS, &all);
    assert_int_equal(all.items, ROWS * (LENGTH - 1));
    assert_int_equal(all.bytes, 3 * ROWS * (LENGTH - 1));
    assert_false(all.padded);
    for (int i = ROWS - 1; i >= 0; i--) {
        rows_of(again, 70, i, 1, &one);
        assert_memory_equal(one.input_ids, all.input_ids + i * LENGTH, LENGTH * 4);
        assert_int_equal(one.begins[0], all.begins[i]);
        rows_of(other, 70, i, 1, &one);
        same += one.input_ids[0] == all.input_ids[i * LENGTH];
    }
    assert_true(same < ROWS);
    data_batch_free(&all);
    data_batch_free(&one);
    data_free(data);
    data_free(again);
    data_free(other);
}

/* Crops of 16 in 64 positions: each position is in a fifth of the crops or more, the first and the last too. */
static void test_positions(void **unused) {
    (void)unused;
    enum { LENGTH = 16, POSITIONS = 64, ROWS = 4000 };
    data_options_t o = options_of(LENGTH, ROWS);
    o.positions = POSITIONS;
    data_t *data = open_text(&o, 2000, 0);
    data_batch_t b = data_batch_new(ROWS, LENGTH);
    int covered[POSITIONS] = {0};
    rows_of(data, 3, 0, ROWS, &b);
    assert_true(b.offset);
    for (int i = 0; i < ROWS; i++) {
        assert_in_range(b.begins[i], 0, POSITIONS - LENGTH);
        for (int k = 0; k < LENGTH; k++) covered[b.begins[i] + k]++;
    }
    for (int i = 0; i < POSITIONS; i++)
        assert_true(covered[i] > ROWS * LENGTH / (POSITIONS + LENGTH - 1) - 120); /* 4.7 sigma */
    data_free(data);
    o.positions = LENGTH;
    data = open_text(&o, 2000, 0);
    rows_of(data, 3, 0, ROWS, &b);
    assert_false(b.offset);
    data_batch_free(&b);
    data_free(data);
}

/* As many tokens as a row has, and a few more. */
static void test_short_texts(void **unused) {
    (void)unused;
    data_options_t o = options_of(16, 4);
    data_batch_t b = data_batch_new(4, 16);
    for (int64_t n = 16; n < 48; n++) {
        data_t *data = open_text(&o, n, 0);
        rows_of(data, 1, 0, 4, &b);
        for (int i = 0; i < 4; i++)
            assert_true(b.input_ids[16 * i] >= 0 && b.input_ids[16 * i] + 16 <= n);
        data_free(data);
    }
    data_batch_free(&b);
    diag_t *d = diag_new();
    assert_null(data_open_source(&o, counting(15, false), NULL, d));
    said(d, "has 15 tokens to train on, a row takes 16");
}

/* ---- evaluation -------------------------------------------------------------------------------- */

/* The tail of Tiny Shakespeare: 1,115,394 bytes, of which nanoGPT holds out the last 111,540. */
static void test_held_out(void **unused) {
    (void)unused;
    enum { TOKENS = 1115394, HELD = 111540, WINDOW = 256 };
    data_options_t o = options_of(WINDOW, 1);
    o.held_out = 0.1;
    o.vocabulary = 2000000;
    data_t *data = open_text(&o, TOKENS, 0);
    diag_t *d = diag_new();
    data_batch_t b = data_batch_new(7, WINDOW);
    int64_t at = TOKENS - HELD, windows = 0, items = 0;
    assert_int_equal(data_epoch_rows(data), (TOKENS - HELD - WINDOW + 1) / WINDOW);
    for (int64_t i = 0; i < data_eval_windows(data); i += b.rows) {
        assert_true(data_eval(data, i, 7, &b, d));
        assert_true(b.rows > 0 && !b.offset && !b.padded);
        for (int64_t r = 0; r < b.rows; r++, at += b.length)
            assert_true(b.input_ids[r * b.length] == at &&
                        b.input_ids[(r + 1) * b.length - 1] == at + b.length - 1);
        assert_int_equal(b.bytes, 3 * b.items);
        windows += b.rows;
        items += b.items;
    }
    assert_int_equal(at, TOKENS);
    assert_int_equal(b.length, HELD % WINDOW);
    assert_int_equal(windows, HELD / WINDOW + 1);
    assert_int_equal(items, HELD - windows);
    assert_true(data_eval(data, windows, 7, &b, d));
    assert_int_equal(b.rows, 0);
    data_batch_free(&b);
    data_free(data);
    said_nothing(d);
}

static void test_some_windows(void **unused) {
    (void)unused;
    data_options_t o = options_of(10, 1);
    o.eval_rows = 4;
    data_t *data = open_text(&o, 100, 101); /* a last window of one token does not count */
    diag_t *d = diag_new();
    data_batch_t b = data_batch_new(4, 10);
    assert_int_equal(data_eval_windows(data), 4);
    assert_true(data_eval(data, 0, 4, &b, d));
    assert_int_equal(b.rows, 4);
    for (int i = 0; i < 4; i++) assert_int_equal(b.input_ids[10 * i], i * 10 / 4 * 10);
    data_batch_free(&b);
    data_free(data);
    said_nothing(d);
    d = diag_new();
    assert_null(data_open_source(&o, counting(100, false), counting(1, false), d));
    said(d, "has 1 token: nothing to evaluate");
    d = diag_new();
    o.held_out = 0.01;
    assert_null(data_open_source(&o, counting(100, false), NULL, d));
    said(d, "has 1 token held out: nothing to evaluate");
    d = diag_new();
    o.vocabulary = 60;
    assert_null(data_open_source(&o, counting(60, false), counting(61, false), d));
    said(d, "token 60 (from 0) is 60");
}

/* ---- masks ------------------------------------------------------------------------------------- */

static const int32_t never[] = {7, 9};

static data_t *open_masked(int64_t n, int64_t vocabulary, double share) {
    data_options_t o = options_of(50, 20);
    o.goal = DATA_MASKED;
    o.vocabulary = vocabulary;
    o.masking.share = share;
    o.masking.mask_id = 3;
    o.masking.never = never;
    o.masking.n_never = 2;
    return open_text(&o, n, 200);
}

/* 15 % are chosen, of which 80 % become the mask, 10 % anything, 10 % stay; the rest is as it was. */
static void test_shares_of_masks(void **unused) {
    (void)unused;
    enum { TOKENS = 20000, STEPS = 60, ROWS = 20, LENGTH = 50, ALL = STEPS * ROWS * LENGTH };
    data_t *data = open_masked(TOKENS, TOKENS, 0.15);
    data_batch_t b = data_batch_new(ROWS, LENGTH);
    int64_t chosen = 0, masked = 0, kept = 0, items = 0;
    for (int step = 0; step < STEPS; step++) {
        rows_of(data, step, 0, ROWS, &b);
        items += b.items;
        int64_t counted = 0;
        for (int i = 0; i < ROWS * LENGTH; i++) {
            int32_t id = b.input_ids[i], label = b.labels[i];
            assert_true(id >= 0 && id < TOKENS);
            assert_true(label != never[0] && label != never[1]);
            counted += label != DATA_IGNORED;
            masked += label != DATA_IGNORED && id == 3;
            kept += id == label;
        }
        chosen += counted;
        assert_int_equal(counted, b.items);
    }
    assert_int_equal(items, chosen);
    assert_true(llabs(chosen - ALL * 15 / 100) < 4 * 88);  /* of 9,000: sigma 87.5 */
    assert_true(llabs(masked - chosen * 8 / 10) < 4 * 38); /* sigma 37.9 */
    assert_true(llabs(kept - chosen / 10) < 4 * 29);       /* sigma 28.5 */
    data_batch_free(&b);
    data_free(data);
}

/* Another epoch masks other tokens of the same text; evaluation always the same. */
static void test_fresh_masks(void **unused) {
    (void)unused;
    data_t *data = open_masked(50, 300, 0.3); /* one window, every row is it */
    diag_t *d = diag_new();
    data_batch_t a = data_batch_new(4, 50), b = data_batch_new(4, 50);
    rows_of(data, 0, 0, 4, &a);
    assert_memory_not_equal(a.labels, a.labels + 50, 200);
    rows_of(data, 1, 0, 4, &b);
    assert_memory_not_equal(a.labels, b.labels, 200);
    assert_true(data_eval(data, 1, 2, &a, d) && data_eval(data, 0, 3, &b, d));
    assert_memory_equal(a.labels, b.labels + 50, 400);
    assert_memory_equal(a.input_ids, b.input_ids + 50, 400);
    assert_memory_not_equal(a.labels, a.labels + 50, 200);
    data_batch_free(&a);
    data_batch_free(&b);
    data_free(data);
    said_nothing(d);
}

/* Evaluation has masks of its own, also where its windows and the rows have the same numbers. */
static void test_masks_of_evaluation(void **unused) {
    (void)unused;
    data_t *data = open_masked(50, 300, 0.3);
    diag_t *d = diag_new();
    data_batch_t a = data_batch_new(1, 50), b = data_batch_new(1, 50);
    int differ = 0;
    rows_of(data, 0, 0, 1, &a); /* both are the tokens 0 … 49 */
    assert_true(data_eval(data, 0, 1, &b, d));
    for (int i = 0; i < 50; i++) differ += a.labels[i] != b.labels[i];
    assert_true(differ > 5);
    data_batch_free(&a);
    data_batch_free(&b);
    data_free(data);
    said_nothing(d);
}

/* No row is without a label while there is a token that may be masked. */
static void test_one_mask_at_min(void **unused) {
    (void)unused;
    data_t *data = open_masked(1000, 1000, 0.001);
    data_batch_t b = data_batch_new(1, 50);
    for (int step = 0; step < 200; step++) {
        rows_of(data, step, 0, 1, &b);
        assert_true(b.items >= 1);
    }
    data_batch_free(&b);
    data_free(data);
}

/* ---- the rest ---------------------------------------------------------------------------------- */

static uint64_t fingerprint_of(data_options_t o, int64_t n) {
    data_t *data = open_text(&o, n, 0);
    uint64_t h = data_fingerprint(data);
    data_free(data);
    return h;
}

static void test_fingerprints(void **unused) {
    (void)unused;
    data_options_t o = options_of(16, 4), x = o;
    uint64_t h = fingerprint_of(o, 1000);
    x.rows_per_step = 5; /* told by who counts them */
    assert_true(h == fingerprint_of(x, 1000) && h != fingerprint_of(o, 1001));
    x.seed++;
    assert_true(h != fingerprint_of(x, 1000));
    x = o;
    x.length = 17;
    assert_true(h != fingerprint_of(x, 1000));
    x = o;
    x.held_out = 0.1;
    assert_true(h != fingerprint_of(x, 1000));
}

static uint64_t eval_fingerprint_of(data_options_t o, source_t *eval) {
    diag_t *d = diag_new();
    data_t *data = data_open_source(&o, counting(200, true), eval, d);
    assert_non_null(data);
    uint64_t h = data_eval_fingerprint(data);
    data_free(data);
    said_nothing(d);
    return h;
}

/* What is evaluated has a fingerprint of its own. */
static void test_fingerprints_of_evaluation(void **unused) {
    (void)unused;
    data_options_t o = options_of(16, 4), x = o;
    int32_t *other = heap_new(100, sizeof *other);
    uint64_t h = eval_fingerprint_of(o, counting(100, true));
    assert_true(h == eval_fingerprint_of(o, counting(100, true)));
    assert_true(h != eval_fingerprint_of(o, counting(101, true)));
    assert_true(h != eval_fingerprint_of(o, source_array("other", other, NULL, 100)));
    assert_true(h != eval_fingerprint_of(o, NULL));
    x.eval_rows = 2;
    assert_true(h != eval_fingerprint_of(x, counting(100, true)));
}

static void test_description(void **unused) {
    (void)unused;
    sbuf_t s = {0};
    data_options_t o = options_of(16, 4);
    o.held_out = 0.25;
    o.positions = 32;
    data_t *data = open_text(&o, 1000, 0);
    data_describe(data, &s);
    assert_string_equal(s.data, "750 tokens, 45 crops of 16 an epoch at changing positions; 250 "
                                "tokens held out, 16 windows");
    sbuf_free(&s);
    data_free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders_are_permutations),
        cmocka_unit_test(test_orders_are_mixed),
        cmocka_unit_test(test_orders_are_uniform),
        cmocka_unit_test(test_an_epoch),
        cmocka_unit_test(test_rows_are_pure),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_short_texts),
        cmocka_unit_test(test_held_out),
        cmocka_unit_test(test_some_windows),
        cmocka_unit_test(test_shares_of_masks),
        cmocka_unit_test(test_fresh_masks),
        cmocka_unit_test(test_masks_of_evaluation),
        cmocka_unit_test(test_one_mask_at_min),
        cmocka_unit_test(test_fingerprints),
        cmocka_unit_test(test_fingerprints_of_evaluation),
        cmocka_unit_test(test_description),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
