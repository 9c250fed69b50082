/* Codes and their texts, CPU features, the weights file's header and checksum. */
#include "fake.h"

static void codes_are_pinned(void **state) {
    (void)state;
    static const struct {
        int code, value;
        const char *text;
    } pins[] = {
        {REFORMER_OK, 0, "ok"},
        {REFORMER_E_ARGUMENT, 1, "an argument is missing or contradicts another"},
        {REFORMER_E_TOKEN, 2, "an input id is negative or not below the vocabulary size"},
        {REFORMER_E_LENGTH, 3, "the length is 0 or longer than the model was compiled for"},
        {REFORMER_E_BATCH, 4, "more rows than the model was compiled for"},
        {REFORMER_E_LABEL, 5, "a label is neither -100 nor a class of this model"},
        {REFORMER_E_CPU, 6, "this CPU lacks the features the model was compiled for"},
        {REFORMER_E_WEIGHTS, 7, "not a weights file of this model, or truncated"},
        {REFORMER_E_VERSION, 8, "weights file or model of another version: compile both again"},
        {REFORMER_E_FINGERPRINT, 9,
         "these weights belong to another model, or to another compile.dtype"},
        {REFORMER_E_ALIGNMENT, 10, "weights or workspace are not aligned to 64 bytes"},
        {REFORMER_E_CHECKSUM, 11, "the weights are damaged: checksum differs"},
        {REFORMER_E_NAN, 12, "the weights hold a NaN or an infinity"},
        {REFORMER_E_OUTPUT, 13, "an output was asked for that this model does not have"},
        {REFORMER_E_CACHE, 14, "the cache is not initialised, damaged, or another model's"},
        {REFORMER_E_FULL, 15, "a row of the cache has no room for another token"},
        {REFORMER_E_EMPTY, 16, "a row of the cache holds no token yet: prefill it first"},
        {REFORMER_E_DECODE, 17, "this model does not generate text"},
        {REFORMER_E_LOGITS, 18, "the logits hold a NaN or an infinity, or rule out every token"},
        {REFORMER_E_TRAIN, 19, "this model gives no gradients"},
        {REFORMER_E_POSITION, 20, "a row begins or ends outside of the model's positions"},
        {REFORMER_E_DIVERGED, 21, "the gradient holds a NaN or an infinity"},
        {REFORMER_E_WORKSPACE, 22, "the workspace, or other memory of the caller's, is too small"},
        {REFORMER_E_SIZE, 23, "a structure's size is not set, or is another version's"},
        {REFORMER_E_MODEL, 24, "the model or trainer belongs to another spec"},
    };
    int n = (int)(sizeof pins / sizeof *pins);
    for (int i = 0; i < n; i++) {
        assert_int_equal(pins[i].code, pins[i].value);
        assert_string_equal(reformer_strerror(pins[i].code), pins[i].text);
    }
    static const int unknown[] = {-1, INT32_MIN, INT32_MAX};
    for (int i = 0; i < 3; i++)
        assert_string_equal(reformer_strerror(unknown[i]), "unknown error code");
    assert_string_equal(reformer_strerror(n), "unknown error code");
}

/* The compiler's own detection must agree. */
static void cpu_features(void **state) {
    (void)state;
    assert_int_equal(reformer_cpu_supports(-1), 0);
    assert_int_equal(reformer_cpu_supports(99), 0);
    assert_int_equal(reformer_cpu_supports(BASELINE), 1);
    assert_int_equal(reformer_cpu_supports(FOREIGN), 0);
#if defined(__x86_64__)
    int v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    int v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
    assert_int_equal(reformer_cpu_supports(REFORMER_CPU_X86_64_V3), v3 != 0);
    assert_int_equal(reformer_cpu_supports(REFORMER_CPU_X86_64_V4), v4 != 0);
    int vnni = v4 && __builtin_cpu_supports("avx512vnni");
    int bf16 = vnni && __builtin_cpu_supports("avx512bf16");
    assert_int_equal(reformer_cpu_supports(REFORMER_CPU_X86_64_V4_VNNI), vnni != 0);
    assert_int_equal(reformer_cpu_supports(REFORMER_CPU_X86_64_V4_BF16), bf16 != 0);
#ifndef __clang__ /* 14 does not know the name */
    int avx_vnni = v3 && __builtin_cpu_supports("avxvnni");
    assert_int_equal(reformer_cpu_supports(REFORMER_CPU_X86_64_V3_VNNI), avx_vnni != 0);
#endif
#endif
}

/* ---- checksum ------------------------------------------------------------------------------- */

static void checksum_pins(void **state) {
    (void)state;
    unsigned char data[100];
    for (int i = 0; i < 100; i++) data[i] = (unsigned char)(7 * i + 1);
    assert_true(reformer_checksum(data, 0) == UINT64_C(0xD694F53C11D605F8));
    assert_true(reformer_checksum(data, 32) == UINT64_C(0xA488C2039EED3D63));
    assert_true(reformer_checksum(data, 100) == UINT64_C(0x15C998B81B5AFDE3));
}

static void checksum_sees_every_bit(void **state) {
    (void)state;
    unsigned char data[97] = {0};
    uint64_t whole = reformer_checksum(data, sizeof data);
    for (size_t i = 0; i < 8 * sizeof data; i++) {
        data[i / 8] ^= (unsigned char)(1 << i % 8);
        assert_true(reformer_checksum(data, sizeof data) != whole);
        data[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    for (size_t n = 0; n < sizeof data; n++) assert_true(reformer_checksum(data, n) != whole);
}

/* Words that change places, within a lane and between lanes. */
static void checksum_sees_order(void **state) {
    (void)state;
    uint64_t a[16], b[16];
    for (int i = 0; i < 16; i++) a[i] = (uint64_t)i * UINT64_C(0x0101010101010101);
    for (int i = 0; i < 16; i++)
        for (int j = i + 1; j < 16; j++) {
            memcpy(b, a, sizeof a);
            b[i] = a[j];
            b[j] = a[i];
            assert_true(reformer_checksum(a, sizeof a) != reformer_checksum(b, sizeof b));
        }
}

/* ---- binding -------------------------------------------------------------------------------- */

static unsigned char *fake_file(const reformer_desc_t *d) {
    unsigned char *file = aligned_alloc(64, WEIGHTS_BYTES + 64);
    assert_non_null(file);
    memset(file, 0, WEIGHTS_BYTES + 64);
    reformer_weights_header_t h = {.version = REFORMER_WEIGHTS_VERSION,
                                   .fingerprint = d->fingerprint,
                                   .bytes = WEIGHTS_BYTES,
                                   .data_end = WEIGHTS_BYTES - 64};
    memcpy(h.magic, REFORMER_WEIGHTS_MAGIC, sizeof h.magic);
    for (int i = 0; i < 128; i++) file[REFORMER_WEIGHTS_HEADER + i] = (unsigned char)i;
    h.checksum = reformer_checksum(file + REFORMER_WEIGHTS_HEADER, 128);
    memcpy(file, &h, sizeof h);
    return file;
}

static void binds_and_checks(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    unsigned char *file = fake_file(&d);
    reformer_model_t m;
    assert_int_equal(reformer_bind(&m, &d, file, WEIGHTS_BYTES), REFORMER_OK);
    assert_ptr_equal(m.weights, file);
    assert_ptr_equal(m.variants, fake_variants);
    assert_int_equal(m.n_variants, 3);
    assert_int_equal(reformer_check_weights(&d, &m), REFORMER_OK);
    file[REFORMER_WEIGHTS_HEADER + 77] ^= 4;
    assert_int_equal(reformer_bind(&m, &d, file, WEIGHTS_BYTES), REFORMER_OK); /* header only */
    assert_int_equal(reformer_check_weights(&d, &m), REFORMER_E_CHECKSUM);
    file[REFORMER_WEIGHTS_HEADER + 77] ^= 4;
    ((reformer_weights_header_t *)(void *)file)->nonfinite = 1;
    assert_int_equal(reformer_check_weights(&d, &m), REFORMER_E_NAN);
    free(file);
}

static void refuses_wrong_headers(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    static const struct {
        size_t at; /* byte to flip */
        int error;
    } cases[] = {
        {0, REFORMER_E_WEIGHTS},
        {7, REFORMER_E_WEIGHTS},
        {offsetof(reformer_weights_header_t, version), REFORMER_E_VERSION},
        {offsetof(reformer_weights_header_t, reserved) + 3, REFORMER_E_VERSION},
        {offsetof(reformer_weights_header_t, fingerprint) + 7, REFORMER_E_FINGERPRINT},
        {offsetof(reformer_weights_header_t, bytes), REFORMER_E_WEIGHTS},
        {offsetof(reformer_weights_header_t, data_end) + 7, REFORMER_E_WEIGHTS},
        {offsetof(reformer_weights_header_t, data_end) + 1, REFORMER_E_WEIGHTS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char *file = fake_file(&d);
        file[cases[i].at] ^= 0x10;
        reformer_model_t m;
        assert_int_equal(reformer_bind(&m, &d, file, WEIGHTS_BYTES), cases[i].error);
        assert_null(m.desc); /* unbound: a forward on it is an error, not a crash */
        reformer_io_t io = {.size = sizeof io};
        assert_int_equal(reformer_forward(&d, &m, &io, file, WEIGHTS_BYTES), REFORMER_E_ARGUMENT);
        assert_int_equal(reformer_check_weights(&d, &m), REFORMER_E_ARGUMENT);
        free(file);
    }
}

static void refuses_wrong_arguments(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    unsigned char *file = fake_file(&d);
    reformer_model_t m;
    assert_int_equal(reformer_bind(NULL, &d, file, WEIGHTS_BYTES), REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_bind(&m, NULL, file, WEIGHTS_BYTES), REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_bind(&m, &d, NULL, WEIGHTS_BYTES), REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_bind(&m, &d, file + 32, WEIGHTS_BYTES), REFORMER_E_ALIGNMENT);
    for (size_t n = 0; n < WEIGHTS_BYTES; n += 64)
        assert_int_equal(reformer_bind(&m, &d, file, n), REFORMER_E_WEIGHTS);
    assert_int_equal(reformer_bind(&m, &d, file, WEIGHTS_BYTES - 1), REFORMER_E_WEIGHTS);
    assert_int_equal(reformer_bind(&m, &d, file, WEIGHTS_BYTES + 1), REFORMER_E_WEIGHTS);
    d.abi++;
    assert_int_equal(reformer_bind(&m, &d, file, WEIGHTS_BYTES), REFORMER_E_VERSION);
    assert_int_equal(reformer_check_weights(&d, NULL), REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_forward(NULL, NULL, NULL, NULL, 0), REFORMER_E_ARGUMENT);
    free(file);
}

/* Targets stand best first; the first group that this CPU runs is taken, whole. */
static void chooses_the_best_target(void **state) {
    (void)state;
    reformer_variant_t v[6];
    for (int i = 0; i < 6; i++) v[i] = fake_variants[i % 2];
    v[0].target = v[1].target = FOREIGN;
    v[4].target = v[5].target = FOREIGN;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    d.variants = v;
    d.n_variants = 6;
    unsigned char *file = fake_file(&d);
    reformer_model_t m;
    assert_int_equal(reformer_bind(&m, &d, file, WEIGHTS_BYTES), REFORMER_OK);
    assert_ptr_equal(m.variants, v + 2);
    assert_int_equal(m.n_variants, 2);
    d.n_variants = 2;
    assert_int_equal(reformer_bind(&m, &d, file, WEIGHTS_BYTES), REFORMER_E_CPU);
    assert_null(m.desc);
    free(file);
}

/* Code of other versions may have a smaller model: of that only the word is written that says it is not bound. */
static void writes_no_model_of_another_version(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    unsigned char *file = fake_file(&d);
    const uint32_t old = 5; /* what code of ABI 5 begins with */
    for (int i = 0; i < 2; i++) {
        union {
            reformer_model_t model;
            unsigned char byte[sizeof(reformer_model_t)];
        } m;
        memset(&m, 0x5A, sizeof m);
        if (i) d.abi--;
        else memcpy(&d, &old, sizeof old);
        assert_int_equal(reformer_bind(&m.model, &d, file, WEIGHTS_BYTES), REFORMER_E_VERSION);
        assert_int_equal(m.model.size, 0);
        for (size_t k = sizeof m.model.size; k < sizeof m; k++) assert_int_equal(m.byte[k], 0x5A);
        d = fake_desc(REFORMER_HEAD_NONE);
    }
    free(file);
}

/* What generated code says about itself and what it shares with the runtime. */
static void refuses_other_layouts(void **state) {
    (void)state;
    reformer_desc_t good = fake_desc(REFORMER_HEAD_NONE);
    unsigned char *file = fake_file(&good);
    reformer_model_t m;
    for (int i = -2; i < REFORMER_SHARED; i++) {
        reformer_desc_t d = good;
        if (i == -2) d.size -= 8;
        else if (i == -1) d.abi--;
        else d.sizes[i] += 8;
        assert_int_equal(reformer_bind(&m, &d, file, WEIGHTS_BYTES), REFORMER_E_VERSION);
        char text[300];
        assert_int_equal(reformer_explain(&d, file, WEIGHTS_BYTES, text, sizeof text),
                         REFORMER_E_VERSION);
        assert_non_null(strstr(text, i < 0 ? "the model's code was compiled with"
                                           : "whose structures have other sizes"));
        assert_int_equal(m.size, 0);
    }
    /* of ABI 5 and earlier, which began with their number */
    struct {
        uint32_t abi;
        const char *name;
    } old = {5, "old"};
    reformer_desc_t d = good;
    memcpy(&d, &old, sizeof old);
    char text[300];
    assert_int_equal(reformer_explain(&d, file, WEIGHTS_BYTES, text, sizeof text),
                     REFORMER_E_VERSION);
    assert_non_null(strstr(text, "with ABI 5, this runtime is " REFORMER_VERSION " with ABI "));
    free(file);
}

/* The model that a call is given must be the description's; one that is not bound is no model. */
static void refuses_other_models(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE), other = d;
    unsigned char *file = fake_file(&d);
    reformer_model_t m = {0};
    reformer_io_t io = {.size = sizeof io};
    assert_int_equal(reformer_forward(&d, &m, &io, file, WEIGHTS_BYTES), REFORMER_E_ARGUMENT);
    assert_string_equal(reformer_target(&m), "none");
    assert_string_equal(reformer_target(NULL), "none");
    assert_int_equal(reformer_bind(&m, &d, file, WEIGHTS_BYTES), REFORMER_OK);
    assert_string_equal(reformer_target(&m), reformer_target_name(BASELINE));
    assert_int_equal(reformer_check_weights(&other, &m), REFORMER_E_MODEL);
    assert_int_equal(reformer_forward(&other, &m, &io, file, WEIGHTS_BYTES), REFORMER_E_MODEL);
    m.size++;
    assert_int_equal(reformer_check_weights(&d, &m), REFORMER_E_SIZE);
    assert_string_equal(reformer_translator(&d), "unknown");
    d.version = "somebody";
    assert_string_equal(reformer_translator(&d), "somebody");
    free(file);
}

/* REFORMER_CPU takes away, and never adds: what it names, and all that this is added to, is left. */
static void environment_caps_the_target(void **state) {
    (void)state;
    enum { TARGETS = 16 };
    int supported[TARGETS];
    assert_int_equal(unsetenv("REFORMER_CPU"), 0);
    for (int t = 0; t < TARGETS; t++) supported[t] = reformer_cpu_supports(t);
    static const char *const nothing[] = {"", "x86-64-v9", "X86-64", "x86-64-v3 ", "native"};
    for (int i = -1; i < 5; i++) {
        if (i >= 0) assert_int_equal(setenv("REFORMER_CPU", nothing[i], 1), 0);
        for (int t = -1; t < TARGETS; t++)
            assert_int_equal(reformer_cpu_takes(t), t >= 0 && supported[t]);
    }
    for (int cap = 0; cap < TARGETS; cap++) {
        const char *name = reformer_target_name(cap);
        if (!name) continue;
        assert_int_equal(setenv("REFORMER_CPU", name, 1), 0);
        for (int t = 0; t < TARGETS; t++) {
            if (!supported[t]) assert_int_equal(reformer_cpu_takes(t), 0);
            assert_int_equal(reformer_cpu_supports(t), supported[t]);
        }
        if (supported[cap]) assert_int_equal(reformer_cpu_takes(cap), 1);
    }
    assert_int_equal(setenv("REFORMER_CPU", reformer_target_name(BASELINE), 1), 0);
    for (int t = 0; t < TARGETS; t++) assert_int_equal(reformer_cpu_takes(t), t == BASELINE);
    assert_int_equal(setenv("REFORMER_CPU", reformer_target_name(FOREIGN), 1), 0);
    for (int t = 0; t < TARGETS; t++) assert_int_equal(reformer_cpu_takes(t), supported[t]);
    /* a file that holds nothing else */
    if (supported[REFORMER_CPU_X86_64_V3]) {
        reformer_variant_t v = fake_variants[0];
        v.target = REFORMER_CPU_X86_64_V3;
        reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
        d.variants = &v;
        d.n_variants = 1;
        unsigned char *file = fake_file(&d);
        reformer_model_t m;
        char text[300];
        assert_int_equal(setenv("REFORMER_CPU", "x86-64", 1), 0);
        assert_int_equal(reformer_bind(&m, &d, file, WEIGHTS_BYTES), REFORMER_E_CPU);
        assert_int_equal(reformer_explain(&d, file, WEIGHTS_BYTES, text, sizeof text),
                         REFORMER_E_CPU);
        assert_string_equal(text, "this CPU, or REFORMER_CPU, has none of x86-64-v3");
        assert_int_equal(reformer_workspace_bytes(&d, 1, 1), 0);
        assert_int_equal(setenv("REFORMER_CPU", "x86-64-v3", 1), 0);
        assert_int_equal(reformer_bind(&m, &d, file, WEIGHTS_BYTES), REFORMER_OK);
        assert_string_equal(reformer_target(&m), "x86-64-v3");
        free(file);
    }
    assert_int_equal(unsetenv("REFORMER_CPU"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_pinned),
        cmocka_unit_test(cpu_features),
        cmocka_unit_test(checksum_pins),
        cmocka_unit_test(checksum_sees_every_bit),
        cmocka_unit_test(checksum_sees_order),
        cmocka_unit_test(binds_and_checks),
        cmocka_unit_test(refuses_wrong_headers),
        cmocka_unit_test(refuses_wrong_arguments),
        cmocka_unit_test(chooses_the_best_target),
        cmocka_unit_test(refuses_other_layouts),
        cmocka_unit_test(writes_no_model_of_another_version),
        cmocka_unit_test(refuses_other_models),
        cmocka_unit_test(environment_caps_the_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
