/* A program that writes numbers with a comma: specs, generated code and messages read and write them with a point,
 * and the program's locale is as it was. LOCPATH names a folder with de_DE.UTF-8; without one, skipped. */
#include <locale.h>

#include "library_test.h"

static const char spec[] =
    "attn_layers: [lsh, local]\nis_decoder: true\nhidden_size: 32\nnum_attention_heads: 2\n"
    "attention_head_size: 16\nfeed_forward_size: 64\nvocab_size: 40\naxial_pos_embds: false\n"
    "lsh_attn_chunk_length: 8\nlocal_attn_chunk_length: 8\nnum_buckets: 4\nhidden_act: gelu\n"
    "max_position_embeddings: 64\nlayer_norm_eps: 1.5e-3\ninitializer_range: 0.7\n";

enum { LENGTH = 13, LOGITS = LENGTH * 40 };

static bool run(const char *backend, float *logits) {
    const char *settings[] = {"compile.sequence_length=24"};
    reformerc_options_t o = {.size = sizeof o,
                             .backend = backend,
                             .weights = "random:2",
                             .settings = settings,
                             .n_settings = 1,
                             .threads = 2,
                             .no_cache = 1};
    reformerc_model_t *m = NULL;
    reformerc_context_t *c = NULL;
    char *message = NULL;
    int code = reformerc_compile(&m, NULL, spec, &o, &message);
    if (message) print_error("%s", message);
    free(message);
    int32_t ids[LENGTH];
    for (int i = 0; i < LENGTH; i++) ids[i] = 3 * i % 40;
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = LENGTH, .logits = logits};
    if (!code) code = reformerc_context_new(&c, m, 1);
    if (!code) code = reformerc_forward(c, &io);
    reformerc_context_free(c);
    reformerc_free(m);
    return code == REFORMER_OK;
}

static const char *const backends[] = {NULL, "c", "reference", "interpreter"};
enum { N_BACKENDS = sizeof backends / sizeof *backends };

static void test_decimal_comma(void **state) {
    (void)state;
    static float plain[N_BACKENDS][LOGITS], comma[N_BACKENDS][LOGITS];
    for (int i = 0; i < N_BACKENDS; i++) assert_true(run(backends[i], plain[i]));
    assert_non_null(setlocale(LC_ALL, "de_DE.UTF-8"));
    assert_string_equal(localeconv()->decimal_point, ",");
    for (int i = 0; i < N_BACKENDS; i++) {
        assert_true(run(backends[i], comma[i]));
        assert_memory_equal(plain[i], comma[i], sizeof plain[i]);
    }
    char *message = NULL;
    reformerc_model_t *m = NULL;
    int code = reformerc_compile(&m, NULL, "layer_norm_eps: -0.25\n", NULL, &message);
    assert_int_equal(code, REFORMERC_E_SPEC);
    assert_non_null(strstr(message, "0.25"));
    assert_null(strstr(message, "0,25"));
    free(message);
    assert_string_equal(localeconv()->decimal_point, ",");
    char text[8];
    snprintf(text, sizeof text, "%.1f", 0.5);
    assert_string_equal(text, "0,5");
    setlocale(LC_ALL, "C");
}

int main(void) {
    if (!setlocale(LC_ALL, "de_DE.UTF-8")) {
        puts("SKIPPED: no locale de_DE.UTF-8");
        return 77;
    }
    setlocale(LC_ALL, "C");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_decimal_comma)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
