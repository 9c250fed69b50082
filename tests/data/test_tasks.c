/* The tasks: example by example those of the published definition, whose Python gave the hashes below. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/task.h"
#include "support/hash.h"

enum { MAX = 4096 };

typedef struct {
    int32_t ids[MAX], labels[MAX];
    uint8_t mask[MAX];
} example_t;

static void make(const task_t *t, uint64_t seed, task_split_t split, uint64_t e, example_t *x) {
    diag_t *d = diag_new();
    assert_true(task_check(t, d));
    assert_true(task_example(t, seed, split, e, x->ids, x->mask, x->labels, d));
    assert_int_equal(diag_errors(d), 0);
    diag_free(d);
}

/* Hashes of `n` examples' ids and labels, from the first on. */
static void hash_of(const task_t *t, uint64_t seed, task_split_t split, uint64_t first, int n,
                    uint64_t *ids, uint64_t *labels) {
    static example_t x;
    *ids = *labels = HASH64_INIT;
    for (int i = 0; i < n; i++) {
        make(t, seed, split, first + (uint64_t)i, &x);
        *ids = hash64(*ids, x.ids, (size_t)t->length * 4);
        *labels = hash64(*labels, x.labels, task_classifies(t) ? 4 : (size_t)t->length * 4);
    }
}

static void check_examples(task_t t, task_split_t split, uint64_t want_ids, uint64_t want_labels) {
    uint64_t ids, labels;
    hash_of(&t, 0, split, 0, 4, &ids, &labels);
    if (ids != want_ids || labels != want_labels)
        fail_msg("%s: ids %016llx, labels %016llx", task_name(t.kind), (unsigned long long)ids,
                 (unsigned long long)labels);
}

static void test_sequences(void **unused) {
    (void)unused;
    check_examples(task_of(TASK_DUPLICATE, 1024, 128), SPLIT_TRAIN, 0x6ef51229aef9c1e5,
                   0x5701f18a72c4040c);
    check_examples(task_of(TASK_DUPLICATE, 256, 128), SPLIT_TRAIN, 0x08ad3044f8324285,
                   0x36d8d923609e4512);
    check_examples(task_of(TASK_REVERSE, 256, 128), SPLIT_TRAIN, 0x16cfa237640ec485,
                   0x7bd32f4aaacc2f15);
    check_examples(task_of(TASK_COPY, 128, 13), SPLIT_TRAIN, 0x97aa90f3d2efe155,
                   0xa6927637aa0024a1);
    check_examples(task_of(TASK_ADDITION, 288, 13), SPLIT_TRAIN, 0x96f95d6972e996b2,
                   0xd48082f09c612274);
    task_t longer = {TASK_ADDITION, 544, 13, 257, 301, 0, 0};
    check_examples(longer, SPLIT_VALIDATION, 0x8d278ec01cf4d077, 0x7f2e772a8897fa3a);
}

/* Both halves of the seed and of the example's number count, and any split is a stream of its own. */
static void test_wide_numbers(void **unused) {
    (void)unused;
    uint64_t ids, labels;
    task_t t = task_of(TASK_DUPLICATE, 64, 20);
    hash_of(&t, (UINT64_C(1) << 40) + 5, (task_split_t)2, UINT64_C(1) << 33, 4, &ids, &labels);
    assert_true(ids == 0x31479d46fd33a865);
}

static void test_listops(void **unused) {
    (void)unused;
    static const struct {
        int tokens, value;
        uint64_t ids;
    } want[] = {{639, 0, 0x7c5ff0273a7b3db6},
                {826, 6, 0xa8ca3f290369b127},
                {1098, 9, 0x5f40bb652c52c74b},
                {1227, 9, 0xbc5c5a63bacfb42b}};
    static example_t x;
    task_t t = task_of(TASK_LISTOPS, 2048, 17);
    for (int e = 0; e < 4; e++) {
        make(&t, 0, SPLIT_TRAIN, (uint64_t)e, &x);
        int tokens = -1; /* without the first */
        for (int i = 0; i < t.length; i++) tokens += x.mask[i];
        assert_int_equal(tokens, want[e].tokens);
        assert_int_equal(x.labels[0], want[e].value);
        assert_true(hash64(HASH64_INIT, x.ids, 2048 * 4) == want[e].ids);
    }
}

static void test_short_listops(void **unused) {
    (void)unused;
    static const int values[] = {2, 9, 9, 9, 2, 3, 8, 0, 5, 6};
    static example_t x;
    uint64_t ids, labels;
    task_t t = task_of(TASK_LISTOPS, 128, 20);
    hash_of(&t, 7, SPLIT_VALIDATION, 0, 100, &ids, &labels);
    assert_true(ids == 0x897883274fb14401);
    for (int e = 0; e < 10; e++) {
        make(&t, 7, SPLIT_VALIDATION, (uint64_t)e, &x);
        assert_int_equal(x.labels[0], values[e]);
    }
}

/* Read back: x + y is z, whatever the base. */
static void test_addition_adds(void **unused) {
    (void)unused;
    static example_t x;
    task_t t = task_of(TASK_ADDITION, 40, 7); /* base 4 */
    assert_true(t.max > 3 && t.max < 129);
    for (uint64_t e = 0; e < 200; e++) {
        make(&t, 3, SPLIT_TRAIN, e, &x);
        double sum[3] = {0, 0, 0};
        int part = 0, n = 0, labels = 0;
        double place = 1;
        assert_int_equal(x.ids[0], 6);
        for (n = 1; n < t.length && x.mask[n]; n++) {
            bool sign = x.ids[n] > 4;
            if (sign) part++;
            place = sign ? 1 : place * 4;
            if (!sign) sum[part] += (x.ids[n] - 1) * place / 4;
            assert_int_equal(x.labels[n], part == 2 && !sign ? x.ids[n] : -100);
            labels += x.labels[n] != -100;
        }
        assert_int_equal(part, 2);
        assert_true(labels > 0 && sum[0] + sum[1] == sum[2]);
        for (; n < t.length; n++) assert_true(x.ids[n] == 0 && x.labels[n] == -100);
    }
}

static void refused(task_t t, const char *want) {
    diag_t *d = diag_new();
    char *text = NULL;
    size_t n = 0;
    assert_false(task_check(&t, d));
    FILE *f = open_memstream(&text, &n);
    diag_print(d, f);
    fclose(f);
    if (!strstr(text, want)) fail_msg("'%s' does not say: %s", text, want);
    free(text);
    diag_free(d);
}

static void test_what_does_not_fit(void **unused) {
    (void)unused;
    refused(task_of(TASK_DUPLICATE, 255, 128), "no rows of 255 tokens: an even number, 4 or more");
    refused(task_of(TASK_DUPLICATE, 256, 1), "needs 2 ids, the vocabulary has 1");
    refused(task_of(TASK_ADDITION, 6, 13), "no rows of 6 tokens");
    refused(task_of(TASK_LISTOPS, 128, 16), "needs 17 ids");
    refused((task_t){TASK_COPY, 64, 13, 1, 32, 0, 0},
            "32 symbols take up to 66 tokens, a row has 64");
    refused((task_t){TASK_COPY, 64, 13, 5, 4, 0, 0}, "5 … 4 symbols");
    refused((task_t){TASK_LISTOPS, 128, 17, 60, 120, 2, 10}, "trees of depth 2 have no 60 tokens");
    refused((task_t){TASK_LISTOPS, 128, 17, 60, 120, 5, 11}, "11 arguments");
}

static void test_no_tree(void **unused) {
    (void)unused;
    static example_t x;
    diag_t *d = diag_new();
    task_t t = {TASK_LISTOPS, 8, 17, 2, 3, 3, 2}; /* trees have 1, 4, … tokens */
    assert_true(task_check(&t, d));
    assert_false(task_example(&t, 0, SPLIT_TRAIN, 0, x.ids, x.mask, x.labels, d));
    assert_int_equal(diag_errors(d), 1);
    diag_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequences),     cmocka_unit_test(test_wide_numbers),
        cmocka_unit_test(test_listops),       cmocka_unit_test(test_short_listops),
        cmocka_unit_test(test_addition_adds), cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_no_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
