/* Seeded mutations of good files: whatever happens to the bytes, reading gives an error or tensors that
 * lie within the file, apart from each other. Memory errors are the sanitizers' to find.
 * REFORMERC_FUZZ=N runs N mutations of each kind instead of the short form's. */
#include "model.h"

static uint64_t seed = 20240607;

static uint64_t next(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static int runs(void) {
    const char *n = getenv("REFORMERC_FUZZ");
    return n ? atoi(n) : 1500;
}

static const char *const tokens[] = {
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "-1",
    "0",
    "1e9",
    "null",
    "true",
    "\"F32\"",
    "18446744073709551615",
    "9223372036854775807",
    "\\u0000",
    "\\ud800",
    "\"a\":{",
    "\"shape\"",
    "\xff",
    "[[[[",
    "\"data_offsets\":[0,0]",
};

/* Overwrites, inserts or removes; header bytes far more often than data. */
static size_t mutate(unsigned char *b, size_t n, size_t cap, size_t header) {
    size_t at = next() % 8 ? next() % header : next() % n;
    const char *token = tokens[next() % (sizeof tokens / sizeof *tokens)];
    size_t len = strlen(token);
    switch (next() % 6) {
    case 0: b[at] ^= (unsigned char)(1u << next() % 8); return n;
    case 1: b[at] = (unsigned char)next(); return n;
    case 2: /* a digit or letter of the header becomes another */
        b[at] = (unsigned char)"0123456789[]{},:\"FIB"[next() % 20];
        return n;
    case 3: return next() % 4 ? n : next() % n; /* cut */
    case 4:
        if (n + len > cap) return n;
        memmove(b + at + len, b + at, n - at);
        memcpy(b + at, token, len);
        return n + len;
    default:
        if (at + len <= n) memcpy(b + at, token, len);
        return n;
    }
}

static void check_open(const char *path, size_t bytes) {
    diag_t *d = diag_new();
    st_file_t *f = st_open(path, d);
    if (!f) {
        assert_true(diag_errors(d) > 0);
        assert_true(strlen(messages(d)) > 0);
    } else {
        assert_int_equal(diag_errors(d), 0);
        const unsigned char *end = NULL;
        size_t total = 0;
        for (size_t i = 0; i < st_count(f); i++) {
            const st_tensor_t *t = st_at(f, i);
            assert_true(!end || t->data == end);
            assert_true(t->dtype == ST_OTHER || t->bytes >= (size_t)t->elements);
            end = t->data + t->bytes;
            total += t->bytes;
            assert_ptr_equal(st_find(f, t->name), t);
            unsigned char sum = 0;
            for (size_t k = 0; k < t->bytes; k++) sum ^= t->data[k];
            (void)*(volatile unsigned char *)&sum;
        }
        assert_true(total < bytes);
    }
    st_close(f);
    diag_free(d);
}

static void mutated_safetensors(void **state) {
    (void)state;
    size_t n, cap;
    unsigned char *good = read_bytes(
        model_file(&(file_t){.prefix = true, .decoder_bias = true, .buffers = true}), &n);
    size_t header = 8 + ((size_t)good[0] | (size_t)good[1] << 8);
    cap = n + 256;
    unsigned char *b = malloc(cap);
    assert_non_null(b);
    const char *path = temporary("mutant");
    for (int i = 0; i < runs(); i++) {
        memcpy(b, good, n);
        size_t m = n;
        for (uint64_t k = next() % 4 + 1; k > 0 && m > 0; k--)
            m = mutate(b, m, cap, header < m ? header : m);
        if (m >= 8 &&
            next() % 2) { /* keep the announced length right, so that the JSON is reached */
            size_t h = header + m - n;
            if (h > 8 && h <= m)
                b[0] = (unsigned char)(h - 8), b[1] = (unsigned char)((h - 8) >> 8);
        }
        write_bytes(path, b, m);
        check_open(path, m);
    }
    free(b);
    free(good);
}

static void mutated_stores(void **state) {
    (void)state;
    size_t n;
    unsigned char *good = read_bytes(model_file(&(file_t){.dtype = ST_BF16}), &n);
    size_t header = 8 + ((size_t)good[0] | (size_t)good[1] << 8);
    unsigned char *b = malloc(n);
    assert_non_null(b);
    const char *path = temporary("mutant");
    model_t m;
    for (int i = 0; i < runs() / 4; i++) {
        memcpy(b, good, n);
        /* a byte or two of names, dtypes and shapes, or of data: NaN among them */
        for (uint64_t k = next() % 2 + 1; k > 0; k--)
            b[next() % 2 ? 8 + next() % (header - 8) : next() % n] = (unsigned char)(next() | 0x20);
        write_bytes(path, b, n);
        model_open(&m);
        store_options_t o = {.path = path};
        store_t *s = store_load(&m.graph, &o, m.d);
        assert_true((s != NULL) == (diag_errors(m.d) == 0));
        for (int p = 0; s && p < N_PARAMS; p++) {
            const tensor_t *t = store_find(s, model_params[p].name);
            for (int64_t k = 0; k < t->elements; k++) assert_true(t->data[k] - t->data[k] == 0);
        }
        store_free(s);
        model_close(&m);
    }
    free(b);
    free(good);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutated_safetensors),
        cmocka_unit_test(mutated_stores),
    };
    return RUN_TESTS(tests);
}
