/* Token files: every format gives the same ids, and what is none is told. */
#include "data_test.h"

#include "data/source.h"
#include "support/heap.h"

static const int32_t tokens[] = {2, 65, 3, 0, 7, 120, 99, 1};
enum { TOKENS = 8, VOCABULARY = 121 };

typedef struct {
    unsigned char bytes[4096];
    size_t n;
} content_file_t;

static void add(content_file_t *c, const void *data, size_t n) {
    memcpy(c->bytes + c->n, data, n);
    c->n += n;
}

/* The tokens as elements of so many bytes. */
static void add_tokens(content_file_t *c, int size, bool big_endian) {
    for (int i = 0; i < TOKENS; i++)
        for (int k = 0; k < size; k++) {
            int byte = big_endian ? size - 1 - k : k;
            unsigned char x = byte < 4 ? (unsigned char)(tokens[i] >> 8 * byte) : 0;
            add(c, &x, 1);
        }
}

static content_file_t npy(int major, const char *header, int size, bool big_endian) {
    content_file_t c = {.n = 0};
    unsigned char begin[12] = {0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)major, 0};
    begin[8] = (unsigned char)strlen(header);
    add(&c, begin, major >= 2 ? 12 : 10);
    add(&c, header, strlen(header));
    add_tokens(&c, size, big_endian);
    return c;
}

static content_file_t llmc(int32_t magic, int32_t version, int32_t n, int size) {
    content_file_t c = {.n = 0};
    int32_t header[256] = {magic, version, n};
    add(&c, header, sizeof header);
    add_tokens(&c, size, false);
    return c;
}

static void holds_tokens(const char *path) {
    diag_t *d = diag_new();
    int32_t ids[TOKENS];
    assert_true(source_is_tokens(path));
    source_t *s = source_tokens(path, d);
    assert_non_null(s);
    assert_int_equal(source_count(s), TOKENS);
    assert_true(source_check(s, VOCABULARY, d));
    assert_true(source_read(s, 0, TOKENS, VOCABULARY, ids, d));
    assert_memory_equal(ids, tokens, sizeof tokens);
    assert_true(source_read(s, 5, 2, VOCABULARY, ids, d));
    assert_memory_equal(ids, tokens + 5, 2 * sizeof *ids);
    assert_int_equal(source_bytes(s, 0, TOKENS), 0);
    source_tokens_are_bytes(s);
    assert_int_equal(source_bytes(s, 1, TOKENS), TOKENS - 1);
    source_free(s);
    said_nothing(d);
}

static void test_npy(void **unused) {
    (void)unused;
    static const struct {
        int major;
        const char *header;
        int size;
        bool big_endian;
    } files[] = {
        {1, "{'descr': '<u2', 'fortran_order': False, 'shape': (8,), }", 2, false},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (8,), }", 1, false},
        {1, "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 4), }", 4, false},
        {2, "{'descr': '<i8', 'fortran_order': True, 'shape': (8,), }   \n", 8, false},
        {3, "{'descr': '>i4', 'fortran_order': False, 'shape': (8,), }", 4, true},
        {1, "{'descr': '>u8', 'fortran_order': False, 'shape': (2, 2, 2), }", 8, true},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        content_file_t c = npy(files[i].major, files[i].header, files[i].size, files[i].big_endian);
        holds_tokens(put_file("a.npy", c.bytes, c.n));
        holds_tokens(put_file("no suffix", c.bytes, c.n));
    }
}

static void test_bin(void **unused) {
    (void)unused;
    content_file_t gpt = llmc(20240520, 1, TOKENS, 2), llama = llmc(20240801, 7, TOKENS, 4);
    content_file_t plain = {.n = 0};
    add_tokens(&plain, 2, false);
    holds_tokens(put_file("gpt.bin", gpt.bytes, gpt.n));
    holds_tokens(put_file("llama.bin", llama.bytes, llama.n));
    holds_tokens(put_file("llama", llama.bytes, llama.n));
    holds_tokens(put_file("plain.bin", plain.bytes, plain.n));
}

static void refused(const char *path, const char *want) {
    diag_t *d = diag_new();
    assert_null(source_tokens(path, d));
    said(d, want);
}

static void refused_npy(const char *header, const char *want) {
    content_file_t c = npy(1, header, 2, false);
    refused(put_file("a.npy", c.bytes, c.n), want);
}

static void test_what_is_none(void **unused) {
    (void)unused;
    refused_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (8,), }",
                "array of '<f4'; tokens are integers");
    refused_npy("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (8,), }",
                "tokens are integers");
    refused_npy("{'descr': '<u2', 'fortran_order': True, 'shape': (2, 4), }", "Fortran's order");
    refused_npy("{'descr': '<u2', 'fortran_order': False, 'shape': (9,), }",
                "is cut off: its header says 9 tokens, there are 8");
    refused_npy("{'descr': '<u2', 'fortran_order': False, 'shape': 8, }", "damaged header");
    refused_npy("{'descr': '<u2', 'shape': (99999999999, 99999999999), }", "damaged header");
    content_file_t c = llmc(20240520, 2, TOKENS, 2);
    refused(put_file("a.bin", c.bytes, c.n), "has version 2 of llm.c's format; 1 is read");
    c = llmc(20240520, 1, TOKENS + 1, 2);
    refused(put_file("a.bin", c.bytes, c.n), "is cut off: its header says 9 tokens, there are 8");
    c = llmc(20240520, 1, TOKENS - 1, 2);
    refused(put_file("a.bin", c.bytes, c.n), "is longer than it should be");
    refused(put_file("a.bin", c.bytes, 100), "is cut off within llm.c's header");
    refused(put_file("b.bin", "abc", 3), "an odd number of bytes");
    refused(put_file("a.npy", "\223NUMPY\001\000\377", 9), "cut off within its header");
    refused("/nowhere/a.bin", "cannot open");
}

/* Bytes that are not there any more, or others: refused with an error, or tokens that can be read. */
static void test_damaged_files(void **unused) {
    (void)unused;
    uint32_t state = 1;
    int opened = 0;
    content_file_t files[] = {
        npy(1, "{'descr': '<u2', 'fortran_order': False, 'shape': (8,), }", 2, false),
        npy(2, "{'descr': '>i8', 'fortran_order': True, 'shape': (1, 8), }", 8, true),
        llmc(20240520, 1, TOKENS, 2)};
    for (int i = 0; i < 900; i++) {
        content_file_t c = files[i % 3];
        diag_t *d = diag_new();
        int32_t id;
        for (int k = 0; k <= i % 4; k++) {
            state = state * 1664525 + 1013904223;
            c.bytes[(state >> 8) % (c.n < 90 ? c.n : 90)] = (unsigned char)(state >> 24);
        }
        if (i % 5 == 0) c.n = (state >> 4) % c.n;
        source_t *s = source_tokens(put_file("x.npy", c.bytes, c.n), d);
        assert_true((s != NULL) == (diag_errors(d) == 0));
        opened += s != NULL;
        for (int64_t at = 0; s && at < source_count(s) && at < 20; at++)
            assert_true(source_read(s, at, 1, INT64_MAX, &id, d) || diag_errors(d) > 0);
        source_free(s);
        diag_free(d);
    }
    assert_in_range(opened, 50, 850);
}

static void test_ids_outside(void **unused) {
    (void)unused;
    int32_t ids[TOKENS];
    content_file_t plain = {.n = 0};
    add_tokens(&plain, 2, false);
    diag_t *d = diag_new();
    source_t *s = source_tokens(put_file("a.bin", plain.bytes, plain.n), d);
    assert_non_null(s);
    assert_false(source_check(s, 100, d));
    assert_true(source_read(s, 0, 5, 100, ids, d));
    said(d, "token 5 (from 0) is 120; the vocabulary has ids 0 … 99");
    d = diag_new();
    assert_false(source_read(s, 4, 2, 100, ids, d));
    said(d, "is read as uint16, as nanoGPT writes it");
    source_free(s);
    content_file_t c =
        npy(1, "{'descr': '<i1', 'fortran_order': False, 'shape': (8,), }", 1, false);
    c.bytes[c.n - 1] = 0xFE;
    d = diag_new();
    s = source_tokens(put_file("a.npy", c.bytes, c.n), d);
    assert_non_null(s);
    assert_false(source_check(s, VOCABULARY, d));
    said(d, "token 7 (from 0) is -2");
    source_free(s);
}

static void test_shrinks(void **unused) {
    (void)unused;
    int32_t ids[TOKENS];
    content_file_t plain = {.n = 0};
    add_tokens(&plain, 2, false);
    diag_t *d = diag_new();
    const char *path = put_file("a.bin", plain.bytes, plain.n);
    source_t *s = source_tokens(path, d);
    assert_non_null(s);
    assert_int_equal(truncate(path, 6), 0);
    assert_true(source_read(s, 0, 3, VOCABULARY, ids, d));
    assert_false(source_read(s, 0, 4, VOCABULARY, ids, d));
    said(d, "became shorter while it was read");
    source_free(s);
}

static void test_text(void **unused) {
    (void)unused;
    int32_t ids[5];
    diag_t *d = diag_new();
    const char *path = put_file("a.txt", "To be", 5);
    assert_false(source_is_tokens(path));
    source_t *s = source_bytes_file(path, 2, d);
    assert_non_null(s);
    assert_true(source_check(s, 258, d));
    assert_true(source_read(s, 0, 5, 258, ids, d));
    for (int i = 0; i < 5; i++) assert_int_equal(ids[i], "To be"[i] + 2);
    assert_int_equal(source_bytes(s, 1, 4), 3);
    assert_false(source_check(s, 100, d)); /* 'T' + 2 is 86, 'o' + 2 is 113 */
    said(d, "token 1 (from 0) is 113");
    source_free(s);
    d = diag_new();
    assert_null(source_bytes_file(put_file("b.txt", "\223NUMPY\1\0", 8), 2, d));
    said(d, "is a NumPy array (.npy), not text");
}

static void test_pipe(void **unused) {
    (void)unused;
    int ends[2];
    char path[40];
    int32_t ids[2];
    diag_t *d = diag_new();
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "ab", 2), 2);
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    assert_false(source_is_tokens(path));
    source_t *s = source_bytes_file(path, 2, d);
    assert_non_null(s);
    assert_int_equal(source_count(s), 2);
    assert_true(source_read(s, 0, 2, 258, ids, d));
    assert_true(ids[0] == 'a' + 2 && ids[1] == 'b' + 2);
    source_free(s);
    close(ends[0]);
    said_nothing(d);
}

static source_t *array_of(const int64_t *ends) {
    int32_t *ids = heap_new(TOKENS, sizeof *ids);
    memcpy(ids, tokens, sizeof tokens);
    int64_t *copy = NULL;
    if (ends) {
        copy = heap_new(TOKENS, sizeof *copy);
        memcpy(copy, ends, TOKENS * sizeof *copy);
    }
    return source_array("text", ids, copy, TOKENS);
}

static void test_array(void **unused) {
    (void)unused;
    static const int64_t ends[TOKENS] = {1, 1, 4, 6, 7, 9, 12, 20};
    int32_t ids[TOKENS];
    diag_t *d = diag_new();
    source_t *s = array_of(ends), *other = array_of(NULL);
    assert_true(source_read(s, 2, 6, VOCABULARY, ids, d));
    assert_memory_equal(ids, tokens + 2, 6 * sizeof *ids);
    assert_int_equal(source_bytes(s, 0, 3), 4);
    assert_int_equal(source_bytes(s, 3, 8), 16);
    assert_int_equal(source_bytes(other, 3, 8), 0);
    source_free(s);
    source_free(other);
    said_nothing(d);
}

static uint64_t fingerprint_of(const void *bytes, size_t n) {
    diag_t *d = diag_new();
    source_t *s = source_tokens(put_file("f.bin", bytes, n), d);
    assert_non_null(s);
    uint64_t h = source_fingerprint(s);
    source_free(s);
    said_nothing(d);
    return h;
}

/* A change anywhere in a file, or at its ends in one that is only sampled. */
static void test_fingerprint(void **unused) {
    (void)unused;
    enum { SMALL = 100000, LARGE = 20 << 20 };
    unsigned char *bytes = calloc(LARGE, 1);
    uint64_t small = fingerprint_of(bytes, SMALL), large = fingerprint_of(bytes, LARGE);
    assert_true(small == fingerprint_of(bytes, SMALL) && small != fingerprint_of(bytes, SMALL - 2));
    bytes[70001] = 1;
    assert_true(small != fingerprint_of(bytes, SMALL));
    bytes[70001] = 0;
    bytes[LARGE - 1] = 1;
    assert_true(large != fingerprint_of(bytes, LARGE));
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npy),          cmocka_unit_test(test_bin),
        cmocka_unit_test(test_what_is_none), cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_ids_outside),  cmocka_unit_test(test_shrinks),
        cmocka_unit_test(test_text),         cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_array),        cmocka_unit_test(test_fingerprint),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
