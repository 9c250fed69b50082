/* Models of every head, compiled, bound from files and from memory, run by every back end: Hugging Face's numbers. */
#include "library_test.h"

static const char *const cases[] = {
    "a_clm_lsh_1hash",
    "b_clm_alt_4hash_factorised",
    "c_mlm_alt_attention_mask",
    "d_clm_autopad_50_to_64",
    "e_clm_short_full_attention_7",
    "f_cls_3labels_train",
    "g_qa_train",
    "h_clm_absolute_pos",
    "i_mlm_before2_after1_pad",
    "j_clm_chunkff_gelu",
    "k_train_clm_4layers",
    "m_clm_batch3",
    "p_base_model_local_only",
};
enum { N_CASES = sizeof cases / sizeof *cases };

static void golden(const char *backend) {
    for (int i = 0; i < N_CASES; i++) {
        case_t c = case_open(cases[i]);
        reformerc_model_t *m = case_compile(
            &c, (reformerc_options_t){.size = sizeof(reformerc_options_t), .backend = backend});
        assert_non_null(m);
        assert_int_equal(case_run(&c, m, 1), 0);
        assert_int_equal(case_run(&c, m, 3), 0);
        reformerc_free(m);
        case_close(&c);
    }
}

static void test_default(void **state) {
    (void)state;
    golden(NULL);
}

static void test_reference(void **state) {
    (void)state;
    golden("reference");
}

static void test_other_backends(void **state) {
    (void)state;
    static const char *const others[] = {"c", "interpreter"};
    for (int i = 0; i < 2; i++) {
        case_t c = case_open("d_clm_autopad_50_to_64");
        reformerc_model_t *m = case_compile(
            &c, (reformerc_options_t){
                    .size = sizeof(reformerc_options_t), .backend = others[i], .verify = 1});
        assert_non_null(m);
        assert_int_equal(case_run(&c, m, 2), 0);
        reformerc_free(m);
        case_close(&c);
    }
}

/* The weights of a case as a list, their data in the arena; the caller may spoil them after use. */
static size_t weights_in_memory(const case_t *c, reformerc_tensor_t **list) {
    st_file_t *f = st_open(arena_printf(c->arena, "%s/model.safetensors", c->folder), c->d);
    assert_non_null(f);
    size_t n = st_count(f);
    *list = ARENA_ARRAY(c->arena, reformerc_tensor_t, n);
    for (size_t i = 0; i < n; i++) {
        const st_tensor_t *t = st_at(f, i);
        (*list)[i] = (reformerc_tensor_t){.size = sizeof(reformerc_tensor_t),
                                          .name = arena_strdup(c->arena, t->name),
                                          .dtype = REFORMERC_F32,
                                          .rank = t->rank,
                                          .data = arena_copy(c->arena, t->data, t->bytes)};
        assert_int_equal(t->dtype, ST_F32);
        memcpy((*list)[i].shape, t->shape, sizeof t->shape);
    }
    st_close(f);
    return n;
}

static void spoil(reformerc_tensor_t *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t bytes = sizeof(float);
        for (int k = 0; k < list[i].rank; k++) bytes *= (size_t)list[i].shape[k];
        memset((void *)(uintptr_t)list[i].data, 0x55, bytes);
    }
}

/* Bound at once; bound later over random ones. The caller's memory is not needed afterwards. */
static void test_weights_in_memory(void **state) {
    (void)state;
    static const char *const backends[] = {NULL, "reference"};
    for (int i = 0; i < 2; i++) {
        case_t c = case_open("a_clm_lsh_1hash");
        reformerc_tensor_t *list;
        size_t n = weights_in_memory(&c, &list);
        reformerc_model_t *m =
            case_compile(&c, (reformerc_options_t){.size = sizeof(reformerc_options_t),
                                                   .backend = backends[i],
                                                   .tensors = list,
                                                   .n_tensors = n});
        assert_non_null(m);
        spoil(list, n);
        assert_int_equal(case_run(&c, m, 1), 0);

        assert_int_equal(reformerc_bind(m, "random:3", NULL), REFORMER_OK);
        assert_true(case_run(&c, m, 1) > 0);
        n = weights_in_memory(&c, &list);
        assert_int_equal(reformerc_bind_tensors(m, list, n, NULL), REFORMER_OK);
        spoil(list, n);
        assert_int_equal(case_run(&c, m, 1), 0);
        assert_int_equal(reformerc_bind(m, "random", NULL), REFORMER_OK);
        assert_int_equal(reformerc_bind(m, NULL, NULL), REFORMER_OK); /* the folder's own */
        assert_int_equal(case_run(&c, m, 1), 0);
        reformerc_free(m);
        case_close(&c);
    }
}

static const char small[] = "{\"attn_layers\": [\"lsh\", \"local\"], \"is_decoder\": true, "
                            "\"hidden_size\": 32, \"num_attention_heads\": 2,\n"
                            "\"attention_head_size\": 16, \"feed_forward_size\": 64, "
                            "\"vocab_size\": 40, \"axial_pos_embds\": false,\n"
                            "\"lsh_attn_chunk_length\": 8, \"local_attn_chunk_length\": 8, "
                            "\"num_buckets\": 4, \"max_position_embeddings\": 64}\n";

static void count(void *ctx, const char *name, const void *data, int dtype, const int64_t *shape,
                  int rank) {
    (void)name, (void)data, (void)dtype, (void)shape, (void)rank;
    ++*(int *)ctx;
}

/* Any length up to the greatest, imposed buckets, traces, what the model says about itself. */
static void test_dynamic(void **state) {
    (void)state;
    reformerc_options_t o = {
        .size = sizeof o, .weights = "random:1", .trace = 1, .impose_buckets = 1};
    reformerc_model_t *m = NULL;
    assert_int_equal(reformerc_compile(&m, NULL, small, &o, NULL), REFORMER_OK);
    reformerc_info_t info = {.size = sizeof info};
    reformerc_info(m, &info);
    assert_int_equal(info.head, REFORMER_HEAD_CAUSAL_LM);
    assert_int_equal(info.max_length, 64);
    assert_int_equal(info.batch, 1);
    assert_int_equal(info.hidden, 32);
    assert_int_equal(info.vocab, 40);
    assert_int_equal(info.lsh_layers, 1);
    assert_true(info.variants > 1 && info.bound);
    assert_int_equal(reformerc_padded_length(m, 21), 24);
    assert_int_equal(reformerc_padded_length(m, 65), 0);
    reformerc_context_t *c = NULL;
    assert_int_equal(reformerc_context_new(&c, m, 2), REFORMER_OK);
    assert_int_equal(reformerc_reserve(c, 64), REFORMER_OK);
    assert_int_equal(reformerc_reserve(c, 65), REFORMER_E_LENGTH);
    int32_t ids[65] = {0};
    float logits[65 * 40];
    int traced = 0;
    for (size_t n = 1; n <= 64; n++) {
        reformer_io_t io = {.size = sizeof io,
                            .input_ids = ids,
                            .batch = 1,
                            .length = n,
                            .logits = logits,
                            .trace = count,
                            .trace_ctx = &traced};
        assert_int_equal(reformerc_forward(c, &io), REFORMER_OK);
    }
    assert_true(traced >= 64);
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = 65, .logits = logits};
    assert_int_equal(reformerc_forward(c, &io), REFORMER_E_LENGTH);
    assert_string_equal(reformerc_context_message(c), reformerc_strerror(REFORMER_E_LENGTH));
    io.length = 5;
    ids[4] = 40;
    assert_int_equal(reformerc_forward(c, &io), REFORMER_E_TOKEN);
    ids[4] = 39;
    assert_int_equal(reformerc_forward(c, &io), REFORMER_OK);
    assert_null(reformerc_context_message(c));
    reformerc_context_free(c);
    reformerc_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_other_backends), cmocka_unit_test(test_weights_in_memory),
        cmocka_unit_test(test_dynamic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
