/* Tables of labelled texts: columns, headers, classes, cutting; and batches of them and of tasks. */
#include "data_test.h"

#include "data/data.h"
#include "support/heap.h"

/* Bytes as ids; "\xFF" cannot be read. */
static bool encode(const void *ctx, const char *text, size_t bytes, int32_t **ids, int64_t *n,
                   const char *path, diag_t *d) {
    int32_t *out = heap_new(bytes, sizeof *out);
    assert_string_equal(ctx, "context");
    for (size_t i = 0; i < bytes; i++) out[i] = (unsigned char)text[i];
    *ids = out;
    *n = (int64_t)bytes;
    if (!memchr(text, 0xFF, bytes)) return true;
    diag_error(d, IN_FILE(path), "cannot be encoded");
    heap_free(out);
    return false;
}

static tsv_options_t options_of(int64_t classes) {
    return (tsv_options_t){
        .encode = encode, .encode_ctx = "context", .n_labels = classes, .length = 8};
}

static tsv_t *open_with(const tsv_options_t *o, const char *text) {
    diag_t *d = diag_new();
    tsv_t *t = tsv_open(put_file("t.tsv", text, strlen(text)), o, d);
    if (!t) diag_print(d, stderr);
    assert_non_null(t);
    said_nothing(d);
    return t;
}

static void is_row(const tsv_t *t, int64_t row, const char *text, int label) {
    int64_t n;
    int32_t class;
    const int32_t *ids = tsv_row(t, row, &n, &class);
    assert_int_equal(n, strlen(text));
    for (int64_t i = 0; i < n; i++) assert_int_equal(ids[i], (unsigned char)text[i]);
    assert_int_equal(class, label);
}

static void refused(const tsv_options_t *o, const char *text, const char *want) {
    diag_t *d = diag_new();
    assert_null(tsv_open(put_file("t.tsv", text, strlen(text)), o, d));
    said(d, want);
}

/* ---- columns ----------------------------------------------------------------------------------- */

static void test_headers(void **unused) {
    (void)unused;
    static const char *const same[] = {
        "good\t1\nbad\t0\n",                /* none: the first and the last column */
        "sentence\tlabel\ngood\t1\nbad\t0", /* SST-2 */
        "\xEF\xBB\xBFTarget\tSource\r\n1\tgood\r\n\r\n0\tbad\r\n", /* ListOps; another system's lines */
        "id\ttext\tLabel\tmore\n7\tgood\t1\t\n8\tbad\t0\tx\n",
    };
    tsv_options_t o = options_of(2);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        tsv_t *t = open_with(&o, same[i]);
        assert_int_equal(tsv_rows(t), 2);
        is_row(t, 0, "good", 1);
        is_row(t, 1, "bad", 0);
        tsv_free(t);
    }
}

static void test_asked_columns(void **unused) {
    (void)unused;
    tsv_options_t o = options_of(2);
    o.label_column = "2";
    o.text_column = "4";
    tsv_t *t = open_with(&o, "gj04\t1\t\tgood\ngj04\t0\t*\tbad\n"); /* CoLA, without a header */
    assert_int_equal(tsv_rows(t), 2);
    is_row(t, 1, "bad", 0);
    tsv_free(t);
    o.label_column = "stars";
    o.text_column = "review";
    t = open_with(&o, "stars\tby\treview\n1\tme\tgood\n0\tyou\tbad\n");
    assert_int_equal(tsv_rows(t), 2);
    is_row(t, 0, "good", 1);
    tsv_free(t);
    o.label_column = "sta";
    refused(&o, "stars\tby\treview\n1\tme\tgood\n", "t.tsv:1:1: error: no column is called 'sta'");
    o = options_of(2);
    o.label_column = "1";
    o.text_column = "1";
    refused(&o, "1\tgood\n", "text and label are the same column, 1");
    o = options_of(2);
    refused(&o, "good\t1\nbad\n", "t.tsv:2:1: error: has no column 2");
    refused(&o, "good\n", "t.tsv:1:1: error: has no column 2");
    refused(&o, "text\tlabel\n", "has no rows");
    refused(&o, "", "has no rows");
    refused(&o, "good\t1\n\t0\n", "t.tsv:2:1: error: has an empty text in column 1");
    refused(&o, "go\xFFod\t1\n", "cannot be encoded");
    diag_t *d = diag_new();
    assert_null(tsv_open(put_file("t.gz", "\037\213\010\0", 4), &o, d));
    said(d, "is a gzip archive, not text");
}

/* ---- classes ----------------------------------------------------------------------------------- */

static void has_names(const tsv_t *t, int n, const char *const *want) {
    int64_t found;
    const char *const *names = tsv_labels(t, &found);
    assert_int_equal(found, n);
    for (int i = 0; i < n; i++) assert_string_equal(names[i], want[i]);
}

static void test_classes(void **unused) {
    (void)unused;
    static const char *const sorted[] = {"neg", "neutral", "pos"}, *const stars[] = {"1", "2", "3"};
    tsv_options_t o = options_of(3);
    tsv_t *t = open_with(&o, "a\tpos\nb\tneg\nc\tneutral\nd\tpos\n");
    has_names(t, 3, sorted);
    is_row(t, 0, "a", 2);
    is_row(t, 1, "b", 0);
    is_row(t, 2, "c", 1);
    tsv_free(t);
    t = open_with(&o, "a\t0\nb\t2\n"); /* numbers as they are */
    has_names(t, 0, NULL);
    is_row(t, 1, "b", 2);
    tsv_free(t);
    t = open_with(&o, "a\t1\nb\t3\nc\t2\n"); /* 3 is no class: names */
    has_names(t, 3, stars);
    is_row(t, 1, "b", 2);
    tsv_free(t);
    refused(&o, "a\tw\nb\tx\nc\ty\nd\tz\n", "has 4 classes, the model 3 ('num_labels')");
    refused(&o, "a\tw\nb\tx\nc\ty\nd\tz\n",
            "hint: --set num_labels=4; column 2 is taken for the label");
    refused(&o, "a\tw\nb\tx\n", "has 2 classes, the model 3 ('num_labels')");
    refused(&o, "a\tw\nb\tw\n", "has 1 class, the model 3 ('num_labels')");
    o.numbers = true; /* those of another table, whose names nobody knows */
    refused(&o, "a\tpos\nb\tneg\nc\tneutral\n", "t.tsv:1:1: error: 'pos' is no class");
    tsv_free(open_with(&o, "a\t2\n"));
}

/* What is to be learnt has two classes at least; what is evaluated may have one. */
static void test_classes_that_are_there(void **unused) {
    (void)unused;
    static const char *const names[] = {"yes", "no", "maybe"};
    tsv_options_t o = options_of(3);
    tsv_free(open_with(&o, "a\t1\nb\t1\n"));
    o.learnt = true;
    tsv_free(open_with(&o, "a\t1\nb\t0\nc\t2\n"));
    refused(&o, "a\t1\nb\t1\n",
            "t.tsv: error: all of its rows are of class '1': nothing can be told apart");
    refused(&o, "a\t1\nb\t1\n", "hint: column 2 is taken for the label");
    diag_t *d = diag_new();
    tsv_free(tsv_open(put_file("t.tsv", "a\t2\nb\t0\n", 8), &o, d));
    said(d, "t.tsv: warning: no row is of class '1'\n");
    o.labels = names;
    refused(&o, "a\tno\nb\tno\n", "all of its rows are of class 'no'");
    o.n_labels = 2;
    tsv_free(open_with(&o, "a\tno\nb\tyes\n"));
    o = options_of(1);
    o.learnt = true;
    refused(&o, "a\t0\nb\t0\n", "all of its rows are of class '0'");
}

static void test_utf8(void **unused) {
    (void)unused;
    tsv_options_t o = options_of(2);
    refused(&o, "a\tj\xC3\xA4\nb\tj\xE4\n",
            "t.tsv:2:1: error: byte 2 of column 2, 0xe4, is not UTF-8");
    tsv_t *t = open_with(&o, "caf\xE9\t1\nb\t0\n"); /* any bytes */
    is_row(t, 0, "caf\xE9", 1);
    tsv_free(t);
    o.utf8 = true;
    refused(&o, "a\t0\ncaf\xE9\t1\n", "t.tsv:2:1: error: byte 4 of column 1, 0xe9, is not UTF-8");
    refused(&o, "a\t0\n\xC3\t1\n", "t.tsv:2:1: error: byte 1 of column 1, 0xc3, is not UTF-8");
    refused(&o, "a\t0\ncaf\xE9\t1\n", "hint: iconv -f LATIN1 -t UTF-8");
    tsv_free(open_with(&o, "caf\xC3\xA9\t1\nb\t0\n"));
}

static void test_given_classes(void **unused) {
    (void)unused;
    static const char *const names[] = {"yes", "no"};
    tsv_options_t o = options_of(2);
    o.labels = names;
    tsv_t *t = open_with(&o, "a\tno\nb\tyes\nc\t1\n");
    is_row(t, 0, "a", 1);
    is_row(t, 1, "b", 0);
    is_row(t, 2, "c", 1);
    tsv_free(t);
    refused(&o, "a\tno\nb\tyess\n", "t.tsv:2:1: error: 'yess' is no class");
    refused(&o, "a\tno\nb\tyess\n", "did you mean 'yes'?");
    refused(&o, "a\tno\nb\t2\n", "'2' is no class: the model has 2");
}

static void test_cutting(void **unused) {
    (void)unused;
    tsv_options_t o = options_of(2);
    tsv_t *t = open_with(&o, "12345678\t0\n123456789\t1\n");
    is_row(t, 0, "12345678", 0);
    is_row(t, 1, "12345678", 1);
    assert_int_equal(tsv_cut(t), 1);
    tsv_free(t);
}

/* ---- batches ----------------------------------------------------------------------------------- */

/* Row i is i + 1 times the letter i, of class i % 2. */
static tsv_t *letters(int n) {
    sbuf_t s = {0};
    tsv_options_t o = options_of(2);
    for (int i = 0; i < n; i++) {
        for (int k = 0; k <= i % 8; k++) sbuf_printf(&s, "%c", 'A' + i);
        sbuf_printf(&s, "\t%d\n", i % 2);
    }
    tsv_t *t = open_with(&o, s.data);
    sbuf_free(&s);
    return t;
}

static data_options_t batches_of(int64_t rows) {
    data_options_t o = data_options();
    o.seed = 4;
    o.length = 8;
    o.rows_per_step = rows;
    o.vocabulary = 256;
    o.pad_id = 5;
    return o;
}

/* Marks the rows of a batch that are what they should be. */
static void mark(const data_batch_t *b, int *seen) {
    for (int64_t r = 0; r < b->rows; r++) {
        const int32_t *ids = b->input_ids + r * b->length;
        const uint8_t *mask = b->attention_mask + r * b->length;
        int row = ids[0] - 'A';
        assert_in_range(row, 0, 25);
        assert_int_equal(b->labels[r], row % 2);
        for (int i = 0; i < b->length; i++) {
            assert_int_equal(mask[i], i <= row % 8);
            assert_int_equal(ids[i], i <= row % 8 ? 'A' + row : 5);
        }
        seen[row]++;
    }
}

/* 20 rows, a quarter held out: an epoch has the others, each once. */
static void test_epochs(void **unused) {
    (void)unused;
    diag_t *d = diag_new();
    data_options_t o = batches_of(3);
    o.held_out = 0.25;
    data_t *data = data_open_tsv(&o, letters(20), NULL, d);
    assert_non_null(data);
    data_batch_t b = data_batch_new(3, 8);
    int held[26] = {0}, seen[26] = {0}, n_held = 0;
    assert_int_equal(data_epoch_rows(data), 15);
    assert_int_equal(data_eval_windows(data), 5);
    for (int64_t i = 0; i < 5; i += b.rows) {
        assert_true(data_eval(data, i, 3, &b, d));
        assert_int_equal(b.items, b.rows);
        mark(&b, held);
    }
    for (int64_t step = 0; step < 10; step++) {
        assert_true(data_rows(data, step, 0, 3, &b, d));
        assert_true(b.padded || b.rows == 3);
        mark(&b, seen);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(seen[i], held[i] ? 0 : 2);
        n_held += held[i];
    }
    assert_int_equal(n_held, 5);
    assert_true(!held[15] || !held[16] || !held[17] || !held[18] || !held[19]);
    data_batch_free(&b);
    data_free(data);
    said_nothing(d);
}

static void test_eval_table(void **unused) {
    (void)unused;
    diag_t *d = diag_new();
    data_options_t o = batches_of(3);
    data_t *data = data_open_tsv(&o, letters(20), letters(7), d);
    assert_non_null(data);
    data_batch_t b = data_batch_new(10, 8);
    int seen[26] = {0};
    assert_int_equal(data_epoch_rows(data), 20);
    assert_true(data_eval(data, 0, 10, &b, d));
    assert_int_equal(b.rows, 7);
    assert_int_equal(b.input_ids[3 * 8], 'D');
    mark(&b, seen);
    for (int i = 0; i < 26; i++) assert_int_equal(seen[i], i < 7);
    data_batch_free(&b);
    data_free(data);
    said_nothing(d);
    d = diag_new();
    o.held_out = 0.5;
    assert_null(data_open_tsv(&o, letters(1), NULL, d));
    said(d, "none is left to train on");
}

static void test_task_batches(void **unused) {
    (void)unused;
    diag_t *d = diag_new();
    data_options_t o = batches_of(6);
    int32_t ids[64], labels[64];
    uint8_t mask[64];
    task_t t = task_of(TASK_COPY, 64, 13);
    data_t *data = data_open_task(&o, &t, d);
    assert_non_null(data);
    data_batch_t b = data_batch_new(2, 64);
    assert_true(data_rows(data, 5, 3, 2, &b, d));
    int64_t items = 0;
    for (uint64_t r = 0; r < 2; r++) {
        assert_true(task_example(&t, 4, SPLIT_TRAIN, 5 * 6 + 3 + r, ids, mask, labels, d));
        assert_memory_equal(b.input_ids + 64 * r, ids, sizeof ids);
        assert_memory_equal(b.labels + 64 * r, labels, sizeof labels);
        assert_memory_equal(b.attention_mask + 64 * r, mask, sizeof mask);
        for (int i = 0; i < 64; i++) items += labels[i] != DATA_IGNORED;
    }
    assert_int_equal(b.items, items);
    assert_true(b.padded);
    assert_int_equal(data_eval_windows(data), 1280);
    assert_true(data_eval(data, 1279, 2, &b, d));
    assert_int_equal(b.rows, 1);
    assert_true(task_example(&t, 4, SPLIT_VALIDATION, 1279, ids, mask, labels, d));
    assert_memory_equal(b.input_ids, ids, sizeof ids);
    assert_int_equal(data_epoch_rows(data), 0);
    data_batch_free(&b);
    data_free(data);
    t = task_of(TASK_LISTOPS, 128, 17);
    data = data_open_task(&o, &t, d);
    b = data_batch_new(2, 128);
    assert_true(data_rows(data, 0, 0, 2, &b, d));
    assert_int_equal(b.items, 2);
    for (int r = 0; r < 2; r++) assert_in_range(b.labels[r], 0, 9);
    data_batch_free(&b);
    data_free(data);
    said_nothing(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_asked_columns),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_given_classes),
        cmocka_unit_test(test_classes_that_are_there),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_cutting),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_eval_table),
        cmocka_unit_test(test_task_batches),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
