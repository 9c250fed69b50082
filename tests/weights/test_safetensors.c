/* The safetensors reader and writer: good files, and every way in which a header can lie. */
#include "files.h"

#include <math.h>

#define F32_4 "\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]"

static st_file_t *open_header(const char *header, size_t data, diag_t *d) {
    return st_open(write_safetensors(header, strlen(header), data), d);
}

/* ---- good files -------------------------------------------------------------------------------- */

static void reads_tensors(void **state) {
    (void)state;
    diag_t *d = diag_new();
    st_file_t *f = open_header("{\"__metadata__\":{\"format\":\"pt\"},"
                               "\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]},"
                               "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                               "\"none\":{\"dtype\":\"BF16\",\"shape\":[0,9],"
                               "\"data_offsets\":[24,24]}}   ",
                               32, d);
    assert_non_null(f);
    assert_int_equal(st_count(f), 3);
    assert_string_equal(st_at(f, 0)->name, "a");
    assert_string_equal(st_at(f, 1)->name, "none");
    assert_null(st_at(f, 3));
    const st_tensor_t *a = st_find(f, "a"), *b = st_find(f, "b");
    assert_int_equal(a->rank, 2);
    assert_int_equal(a->shape[1], 3);
    assert_int_equal(a->elements, 6);
    assert_int_equal(a->dtype, ST_F32);
    assert_int_equal(b->rank, 0);
    assert_int_equal(b->elements, 1);
    assert_ptr_equal(b->data, a->data + 24);
    assert_null(st_find(f, "c"));
    assert_null(st_find(f, "__metadata__"));
    assert_int_equal(diag_errors(d), 0);
    st_close(f);
    diag_free(d);
}

static void reads_an_empty_file(void **state) {
    (void)state;
    diag_t *d = diag_new();
    st_file_t *f = open_header("{}", 0, d);
    assert_non_null(f);
    assert_int_equal(st_count(f), 0);
    assert_null(st_at(f, 0));
    assert_null(st_find(f, "a"));
    st_close(f);
    diag_free(d);
}

/* The first two bytes of a length may be those with which pickles and gzip archives begin. */
static void lengths_like_magics(void **state) {
    (void)state;
    static const size_t lengths[] = {0x280, 0x380, 0x480, 0x580, 0x8b1f};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        diag_t *d = diag_new();
        char *header = malloc(lengths[i] + 1);
        assert_non_null(header);
        memset(header, ' ', lengths[i]);
        memcpy(header, "{}", 2);
        header[lengths[i]] = 0;
        st_file_t *f = open_header(header, 0, d);
        if (!f) fail_msg("refused: a header of %zu bytes", lengths[i]);
        st_close(f);
        free(header);
        diag_free(d);
    }
}

static void unknown_fields_and_dtypes_pass(void **state) {
    (void)state;
    diag_t *d = diag_new();
    st_file_t *f = open_header("{\"a\":{\"dtype\":\"F4_E2M1\",\"shape\":[8],\"data_offsets\":[0,4],"
                               "\"note\":[1.5,null]}}",
                               4, d);
    assert_non_null(f);
    assert_int_equal(st_at(f, 0)->dtype, ST_OTHER);
    assert_string_equal(st_at(f, 0)->dtype_name, "F4_E2M1");
    float x[8];
    int32_t i[8];
    assert_false(st_to_f32(st_at(f, 0), x, "file", d));
    assert_false(st_to_i32(st_at(f, 0), i, "file", d));
    assert_says(d, "file: error: tensor 'a' has dtype F4_E2M1, here it must be F32");
    st_close(f);
    diag_free(d);
}

/* ---- bad headers ------------------------------------------------------------------------------------- */

typedef struct {
    const char *header;
    size_t data; /* bytes after the header */
    const char *says;
} bad_t;

#define A(fields)  "{\"a\":{" fields "}}"
#define SHAPE(s)   A("\"dtype\":\"F32\",\"shape\":" s ",\"data_offsets\":[0,16]")
#define OFFSETS(o) A("\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":" o)
#define PAIR(x, y)                                                                                 \
    "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" x "},"                              \
    "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" y "}}"

static const bad_t bad_headers[] = {
    {"", 0, "header does not begin with '{'"},
    {"[]", 0, "header does not begin with '{'"},
    {" {}", 0, "header does not begin with '{'"},
    {"{", 0, "not valid JSON"},
    {"{}x", 0, "not valid JSON"},
    {"{\"a\":}", 0, "not valid JSON"},
    {"{\"\xff\":1}", 0, "not valid JSON"},
    {"{\"a\\u0000b\":1}", 0, "not valid JSON"},
    {"{\"a\":{" F32_4 "},\"a\":{" F32_4 "}}", 16, "duplicate object key"},
    {A("\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]"), 16,
     "duplicate object key"},
    {"{\"a\":7}", 0, "tensor 'a': its entry is not an object"},
    {"{\"a\":[]}", 0, "tensor 'a': its entry is not an object"},
    {A(""), 0, "tensor 'a': 'dtype' is missing"},
    {A("\"dtype\":1,\"shape\":[4],\"data_offsets\":[0,16]"), 16,
     "'dtype' is missing or not a string"},
    {A("\"dtype\":\"F32\",\"data_offsets\":[0,16]"), 16, "'shape' is missing"},
    {A("\"dtype\":\"F32\",\"shape\":[4]"), 16, "'data_offsets' is not a pair"},
    {SHAPE("4"), 16, "'shape' is missing or not a list"},
    {SHAPE("[-4]"), 16, "dimension 0 of 'shape' is not a whole number >= 0"},
    {SHAPE("[2,2.0]"), 16, "dimension 1 of 'shape' is not a whole number >= 0"},
    {SHAPE("[4e0]"), 16, "dimension 0 of 'shape' is not a whole number"},
    {SHAPE("[\"4\"]"), 16, "dimension 0 of 'shape' is not a whole number"},
    {SHAPE("[null]"), 16, "dimension 0 of 'shape' is not a whole number"},
    {SHAPE("[18446744073709551616]"), 16, "too big integer"},
    {SHAPE("[4611686018427387904,4]"), 16, "more elements than fit 63 bits"},
    {SHAPE("[4611686018427387904]"), 16, "but 'data_offsets' hold 16 bytes"},
    {SHAPE("[4611686018427387904,2,0]"), 0, "more elements than fit 63 bits"},
    {SHAPE("[5]"), 16, "needs 5 elements of 4 bytes, but 'data_offsets' hold 16 bytes"},
    {SHAPE("[0]"), 16, "needs 0 elements"},
    {OFFSETS("[0]"), 16, "is not a pair"},
    {OFFSETS("[0,16,16]"), 16, "is not a pair"},
    {OFFSETS("{\"0\":0,\"1\":16}"), 16, "is not a pair"},
    {OFFSETS("[0,16.0]"), 16, "is not a pair"},
    {OFFSETS("[-16,0]"), 16, "is not a pair"},
    {OFFSETS("[16,0]"), 16, "'data_offsets' end (0) before they begin (16)"},
    {OFFSETS("[0,16]"), 15, "end at 16, but the file has only 15 bytes of data"},
    {OFFSETS("[9223372036854775792,9223372036854775807]"), 16, "but the file has only 16 bytes"},
    {OFFSETS("[0,9223372036854775808]"), 16, "too big integer"},
    {OFFSETS("[4,20]"), 20, "tensor 'a': 4 bytes before its data belong to no tensor"},
    {OFFSETS("[0,16]"), 17, "1 bytes after the last tensor belong to no tensor"},
    {"{}", 8, "8 bytes after the last tensor"},
    {PAIR("[0,4]", "[0,4]"), 4, "tensor 'b': its data overlap those of 'a'"},
    {PAIR("[0,4]", "[3,7]"), 7, "tensor 'b': its data overlap those of 'a'"},
    {PAIR("[4,8]", "[0,4]"), 9, "1 bytes after the last tensor"},
    {PAIR("[0,4]", "[5,9]"), 9, "tensor 'b': 1 bytes before its data"},
    {"{\"__metadata__\":[]}", 0, "'__metadata__' is not an object of strings"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "'__metadata__' is not an object of strings"},
};

static void refuses_bad_headers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_headers / sizeof *bad_headers; i++) {
        const bad_t *b = &bad_headers[i];
        diag_t *d = diag_new();
        st_file_t *f = open_header(b->header, b->data, d);
        if (f) fail_msg("accepted: %s", b->header);
        assert_true(diag_errors(d) >= 1);
        assert_says(d, b->says);
        assert_says(d, "case.safetensors: error: ");
        diag_free(d);
    }
}

static void refuses_wrong_lengths(void **state) {
    (void)state;
    static const uint64_t lengths[] = {0,
                                       1,
                                       3,
                                       100,
                                       100 * 1000 * 1000 + 1,
                                       UINT64_C(1) << 32,
                                       UINT64_C(1) << 63,
                                       UINT64_MAX,
                                       UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        diag_t *d = diag_new();
        assert_null(st_open(write_safetensors("{}", lengths[i], 0), d));
        assert_int_equal(diag_errors(d), 1);
        diag_free(d);
    }
    /* a header whose end is that of the file but for the eight bytes that say so */
    diag_t *beyond = diag_new();
    assert_null(st_open(write_safetensors("{}", 2 + 8, 0), beyond));
    assert_says(beyond, "a header of 10 bytes is announced, the file has 2 after that");
    diag_free(beyond);
    unsigned char bytes[8] = {0};
    for (size_t n = 0; n <= 8; n++) {
        diag_t *d = diag_new();
        write_bytes(temporary("short"), bytes, n);
        assert_null(st_open(temporary("short"), d));
        assert_says(d, "is not a safetensors file");
        diag_free(d);
    }
}

/* All faulty tensors of a file are named in one run, up to a limit. */
static void names_every_bad_tensor(void **state) {
    (void)state;
    diag_t *d = diag_new();
    assert_null(open_header("{\"a\":1,\"b\":2,\"c\":{" F32_4 "}}", 16, d));
    assert_int_equal(diag_errors(d), 2);
    diag_free(d);
    char many[4096] = "{\"t0\":0";
    for (int i = 1; i < 100; i++) sprintf(many + strlen(many), ",\"t%d\":0", i);
    strcat(many, "}");
    d = diag_new();
    assert_null(open_header(many, 0, d));
    assert_int_equal(diag_errors(d), 20);
    diag_free(d);
}

/* 100,000 levels: an error of the parser, not of the stack. */
static void deep_nesting(void **state) {
    (void)state;
    enum { DEEP = 100000 };
    char *header = malloc(DEEP + 16);
    assert_non_null(header);
    strcpy(header, "{\"a\":");
    memset(header + 5, '[', DEEP);
    header[DEEP + 5] = 0;
    diag_t *d = diag_new();
    assert_null(open_header(header, 0, d));
    assert_says(d, "not valid JSON");
    diag_free(d);
    free(header);
}

static void hostile_names_print_as_one_clean_line(void **state) {
    (void)state;
    char header[2000] = "{\"\\u001b[2J\\n\\u009b\\u00e9", *p = header + strlen(header);
    memset(p, 'x', 1000);
    strcpy(p + 1000, "\":7}");
    diag_t *d = diag_new();
    assert_null(open_header(header, 0, d));
    assert_says(d, "tensor '?[2J??\xc3\xa9xxx");
    const char *text = messages(d);
    assert_true(strlen(text) < 500);
    diag_free(d);
}

static void other_formats_are_recognised(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } cases[] = {
        {"PK\003\004zipzipzip", 13, "a zip archive, perhaps a PyTorch checkpoint"},
        {"\223NUMPY\1\0v\0", 10, "is a NumPy array (.npy), not safetensors"},
        {"GGUF\3\0\0\0", 8, "a GGUF file"},
        {"{\"weight_map\": {}}", 18, "an index of weights in several files"},
        {"{\"model_type\": \"x\"}", 19, "is JSON, not safetensors"},
        {"\200\002\212\nl\374\234F\371 ", 11, "a Python pickle"},
        {REFORMER_WEIGHTS_MAGIC "12345678", 16, "a packed weights file of reformerc"},
        {"version https://git-lfs.github.com/spec/v1\n", 43, "a Git LFS pointer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        diag_t *d = diag_new();
        write_bytes(temporary("other"), cases[i].bytes, cases[i].n);
        assert_null(st_open(temporary("other"), d));
        assert_says(d, cases[i].says);
        diag_free(d);
    }
    diag_t *d = diag_new();
    assert_null(st_open("/dev/null", d));
    assert_null(st_open("/dev/null/x", d));
    assert_null(st_open("/tmp", d));
    assert_says(d, "/dev/null: error: is not a regular file");
    assert_says(d, "/dev/null/x: error: cannot open");
    assert_says(d, "/tmp: error: is a directory");
    diag_free(d);
}

/* ---- conversions --------------------------------------------------------------------------------------- */

static st_tensor_t tensor_of(st_dtype_t t, const char *name, const void *data, size_t bytes,
                             int64_t n) {
    return (st_tensor_t){.name = "t",
                         .dtype = t,
                         .dtype_name = name,
                         .rank = 1,
                         .shape = {n},
                         .elements = n,
                         .data = data,
                         .bytes = bytes};
}

/* Every float16, against arithmetic on its fields. */
static void widens_every_half(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t half = (uint16_t)h;
        unsigned char unaligned[3];
        memcpy(unaligned + 1, &half, 2);
        st_tensor_t t = tensor_of(ST_F16, "F16", unaligned + 1, 2, 1);
        float x;
        assert_true(st_to_f32(&t, &x, "f", NULL));
        int e = (int)(h >> 10 & 31), m = (int)(h & 1023);
        double want = e == 31  ? (m ? NAN : INFINITY)
                      : e == 0 ? ldexp(m, -24)
                               : ldexp(1024 + m, e - 25);
        if (h & 0x8000) want = -want;
        assert_true(isnan(want) ? isnan(x) : x == want && !signbit(x) == !signbit(want));
    }
}

static void widens_bfloat(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t bf = (uint16_t)h;
        st_tensor_t t = tensor_of(ST_BF16, "BF16", (unsigned char *)&bf, 2, 1);
        float x;
        uint32_t bits;
        assert_true(st_to_f32(&t, &x, "f", NULL));
        memcpy(&bits, &x, 4);
        assert_int_equal(bits, h << 16);
    }
}

static void narrows_doubles(void **state) {
    (void)state;
    diag_t *d = diag_new();
    double good[] = {0.1, -INFINITY, 1e-300};
    float x[3];
    st_tensor_t t = tensor_of(ST_F64, "F64", (unsigned char *)good, sizeof good, 3);
    assert_true(st_to_f32(&t, x, "f", d));
    assert_true(x[0] == 0.1f && x[1] == -INFINITY && x[2] == 0);
    double big[] = {1, 1e39};
    t = tensor_of(ST_F64, "F64", (unsigned char *)big, sizeof big, 2);
    assert_false(st_to_f32(&t, x, "f", d));
    assert_says(d, "tensor 't': element 1 (1e+39) does not fit float32");
    diag_free(d);
}

static void reads_integers(void **state) {
    (void)state;
    diag_t *d = diag_new();
    int64_t wide[] = {INT32_MIN, INT32_MAX, -100};
    int32_t plain[] = {-7}, x[3];
    int16_t narrow[] = {-300};
    int8_t bytes[] = {-100};
    uint8_t flags[] = {200};
    struct {
        st_dtype_t dtype;
        const void *data;
        size_t bytes;
        int64_t n;
        int32_t last;
    } cases[] = {{ST_I64, wide, 24, 3, -100},  {ST_I32, plain, 4, 1, -7},
                 {ST_I16, narrow, 2, 1, -300}, {ST_I8, bytes, 1, 1, -100},
                 {ST_U8, flags, 1, 1, 200},    {ST_BOOL, flags, 1, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        st_tensor_t t = tensor_of(cases[i].dtype, "?", cases[i].data, cases[i].bytes, cases[i].n);
        assert_true(st_to_i32(&t, x, "f", d));
        assert_int_equal(x[cases[i].n - 1], cases[i].last);
    }
    assert_int_equal(diag_errors(d), 0);
    for (int i = 0; i < 2; i++) {
        wide[1] = i ? (int64_t)INT32_MAX + 1 : (int64_t)INT32_MIN - 1;
        st_tensor_t t = tensor_of(ST_I64, "I64", (unsigned char *)wide, 24, 3);
        assert_false(st_to_i32(&t, x, "f", d));
    }
    assert_says(d, "tensor 't': element 1 (2147483648) does not fit 32 bits");
    st_tensor_t t = tensor_of(ST_F32, "F32", (unsigned char *)plain, 4, 1);
    assert_false(st_to_i32(&t, x, "f", d));
    assert_says(d, "tensor 't' has dtype F32, here it must be I64");
    diag_free(d);
}

/* ---- writing ----------------------------------------------------------------------------------------------- */

static void round_trip(void **state) {
    (void)state;
    static const float f[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t wide[] = {-1};
    static const uint8_t b[3] = {7, 8, 9};
    static const int64_t two[] = {2, 3}, three[] = {3}, zero[] = {0, 4};
    st_writer_t *w = st_writer_new();
    st_writer_add(w, "bytes", ST_U8, 1, three, b);
    st_writer_add(w, "empty", ST_F32, 2, zero, NULL);
    st_writer_add(w, "odd \"name\"\n\xc3\xa9", ST_F32, 2, two, f);
    st_writer_add(w, "scalar", ST_I64, 0, NULL, wide);
    diag_t *d = diag_new();
    const char *path = temporary("out.safetensors");
    assert_true(st_writer_save(w, path, d));
    st_writer_free(w);
    size_t n;
    unsigned char *bytes = read_bytes(path, &n);
    assert_int_equal(bytes[0] % 8, 0); /* the data are aligned */
    free(bytes);
    st_file_t *g = st_open(path, d);
    assert_non_null(g);
    assert_int_equal(st_count(g), 4);
    const st_tensor_t *t = st_find(g, "odd \"name\"\n\xc3\xa9");
    assert_non_null(t);
    assert_int_equal((uintptr_t)t->data % 4, 0);
    assert_int_equal(t->shape[0], 2);
    assert_memory_equal(t->data, f, sizeof f);
    assert_memory_equal(st_find(g, "bytes")->data, b, sizeof b);
    assert_memory_equal(st_find(g, "scalar")->data, wide, sizeof wide);
    assert_int_equal(st_find(g, "scalar")->rank, 0);
    assert_int_equal(st_find(g, "empty")->elements, 0);
    assert_int_equal(diag_errors(d), 0);
    st_close(g);
    diag_free(d);
}

/* A tensor of the caller's is read when the file is written; torch's mark is the header's first entry. */
static void borrows_and_is_torchs(void **state) {
    (void)state;
    diag_t *d = diag_new();
    float x[2] = {1, 2};
    const int64_t shape[] = {2};
    st_writer_t *w = st_writer_new();
    st_writer_for_torch(w);
    st_writer_borrow(w, "x", ST_F32, 1, shape, x);
    x[1] = 3;
    const char *path = temporary("borrowed.safetensors");
    assert_true(st_writer_save(w, path, d));
    st_writer_free(w);
    size_t n;
    unsigned char *bytes = read_bytes(path, &n);
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"},\"x\":";
    assert_memory_equal(bytes + 8, header, sizeof header - 1);
    free(bytes);
    st_file_t *f = st_open(path, d);
    assert_non_null(f);
    assert_int_equal(st_count(f), 1);
    assert_memory_equal(st_at(f, 0)->data, x, sizeof x);
    st_close(f);
    diag_free(d);
}

static void writes_whole_or_not_at_all(void **state) {
    (void)state;
    diag_t *d = diag_new();
    st_writer_t *w = st_writer_new();
    static const int64_t shape[] = {1 << 16};
    (void)st_writer_space(w, "zeros", ST_F32, 1, shape);
    assert_false(st_writer_save(w, "/dev/null/out.safetensors", d));
    assert_int_equal(diag_errors(d), 1);
    assert_false(st_writer_save(w, "/dev/full", d));
    assert_says(d, "/dev/full: error: cannot write: No space left on device");
    st_writer_free(w);
    w = st_writer_new();
    assert_true(st_writer_save(w, temporary("nothing"), d)); /* no tensors: a legal file */
    st_file_t *f = st_open(temporary("nothing"), d);
    assert_non_null(f);
    assert_int_equal(st_count(f), 0);
    st_close(f);
    st_writer_free(w);
    diag_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_tensors),
        cmocka_unit_test(reads_an_empty_file),
        cmocka_unit_test(lengths_like_magics),
        cmocka_unit_test(unknown_fields_and_dtypes_pass),
        cmocka_unit_test(refuses_bad_headers),
        cmocka_unit_test(refuses_wrong_lengths),
        cmocka_unit_test(names_every_bad_tensor),
        cmocka_unit_test(deep_nesting),
        cmocka_unit_test(hostile_names_print_as_one_clean_line),
        cmocka_unit_test(other_formats_are_recognised),
        cmocka_unit_test(widens_every_half),
        cmocka_unit_test(widens_bfloat),
        cmocka_unit_test(narrows_doubles),
        cmocka_unit_test(reads_integers),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(borrows_and_is_torchs),
        cmocka_unit_test(writes_whole_or_not_at_all),
    };
    return RUN_TESTS(tests);
}
