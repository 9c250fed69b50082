/* The store: Hugging Face's names in all their variants, errors that name the tensor, random weights,
 * rotations. */
#include "model.h"

#include "support/sbuf.h"

#include <math.h>
#include <sys/stat.h>

static store_t *load(model_t *m, const char *path) {
    store_options_t o = {.path = path};
    return store_load(&m->graph, &o, m->d);
}

/* ---- files that must load ---------------------------------------------------------------------- */

static void assert_values(const store_t *s) {
    for (int p = 0; p < N_PARAMS; p++) {
        const tensor_t *t = store_find(s, model_params[p].name);
        assert_non_null(t);
        assert_int_equal(t->rank, model_params[p].rank);
        assert_int_equal(t->elements, param_elements(&model_params[p]));
        for (int64_t i = 0; i < t->elements; i++) assert_true(t->data[i] == model_value(p, i));
    }
    assert_null(store_find(s, "sum"));
    assert_null(store_find(s, ""));
}

static void loads_every_variant(void **state) {
    (void)state;
    static const file_t files[] = {
        {0},
        {.prefix = true},
        {.hf_axes = true},
        {.buffers = true, .prefix = true},
        {.decoder_bias = true},
        {.decoder_bias = true, .no_bias = true},
        {.dtype = ST_BF16, .prefix = true, .hf_axes = true},
        {.dtype = ST_F64},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        model_t m;
        model_open(&m);
        store_t *s = load(&m, model_file(&files[i]));
        if (!s) fail_msg("file %zu: %s", i, messages(m.d));
        assert_string_equal(messages(m.d), ""); /* no warning either */
        assert_values(s);
        store_free(s);
        model_close(&m);
    }
}

static void loads_unaligned_data(void **state) {
    (void)state;
    size_t n;
    unsigned char *bytes = read_bytes(model_file(&(file_t){0}), &n);
    unsigned char *moved = malloc(n + 1);
    assert_non_null(moved);
    uint64_t header = 0;
    for (int i = 0; i < 8; i++) header |= (uint64_t)bytes[i] << (8 * i);
    memcpy(moved, bytes, 8 + header);
    moved[8 + header] = ' '; /* one byte more of header */
    memcpy(moved + 9 + header, bytes + 8 + header, n - 8 - header);
    header++;
    for (int i = 0; i < 8; i++) moved[i] = (unsigned char)(header >> (8 * i));
    write_bytes(temporary("moved"), moved, n + 1);
    free(bytes);
    free(moved);
    model_t m;
    model_open(&m);
    store_t *s = load(&m, temporary("moved"));
    assert_non_null(s);
    assert_values(s);
    store_free(s);
    model_close(&m);
}

static void warns_of_unknown_tensors(void **state) {
    (void)state;
    model_t m;
    model_open(&m);
    store_t *s = load(&m, model_file(&(file_t){.extra = {"pooler.weight"}}));
    assert_non_null(s);
    assert_says(m.d,
                "model.safetensors: warning: tensor 'pooler.weight' has no place in this model");
    store_free(s);
    s = load(&m, model_file(&(file_t){.extra = {"b.weight", "a.weight"}}));
    assert_non_null(s);
    assert_says(m.d, "warning: 2 tensors have no place in this model, the first is '");
    store_free(s);
    model_close(&m);
}

/* ---- files that must not ------------------------------------------------------------------------------ */

static void refuses(const file_t *f, const char *says) {
    model_t m;
    model_open(&m);
    store_t *s = load(&m, model_file(f));
    if (s) fail_msg("loaded, although %s", says);
    assert_says(m.d, says);
    assert_says(m.d, "model.safetensors: error: ");
    model_close(&m);
}

static void errors_name_the_tensor(void **state) {
    (void)state;
    refuses(&(file_t){.skip = 1}, "tensor 'embeddings.word_embeddings.weight' is missing");
    refuses(&(file_t){.no_bias = true}, "tensor 'lm_head.bias' is missing");
    refuses(
        &(file_t){.reshape = 6, .prefix = true},
        "tensor 'reformer.encoder.layers.1.attention.self_attention.query_key.weight' has shape "
        "[4, 6], this model needs [6, 4]");
    refuses(&(file_t){.reshape = 3}, "weights.1' has shape [3, 2], this model needs [2, 3]");
    refuses(&(file_t){.reshape = 10}, "tensor 'layers.1.rotations' has shape [4, 2, 3, 2]");
    refuses(&(file_t){.poison = 6, .value = NAN}, "query_key.weight': element 3 ([0, 3]) is NaN");
    refuses(&(file_t){.poison = 9, .value = -INFINITY}, "element 3 ([3]) is infinite");
    refuses(&(file_t){.poison = 1, .value = INFINITY, .dtype = ST_BF16}, "is infinite");
    refuses(&(file_t){.dtype = ST_I8}, "has dtype I8, here it must be F32, F16, BF16 or F64");
    refuses(&(file_t){.prefix = true, .extra = {"embeddings.word_embeddings.weight"}},
            "holds both 'embeddings.word_embeddings.weight' and "
            "'reformer.embeddings.word_embeddings.weight'");
}

/* What the file lacks is drawn as random weights are, from a stream of its own; the rest is the file's. */
static void fills_what_is_missing(void **state) {
    (void)state;
    model_t m;
    model_open(&m);
    store_options_t o = {
        .path = model_file(&(file_t){.skip = 1, .no_bias = true}), .fills = true, .fill_seed = 9};
    store_t *s = store_load(&m.graph, &o, m.d);
    if (!s) fail_msg("%s", messages(m.d));
    assert_says(m.d, "warning: lacks 2 tensors of this model, drawn at random: "
                     "embeddings.word_embeddings.weight, lm_head.bias\n");
    float drawn[20];
    torch_rng_t g;
    torch_seed(&g, 9);
    torch_randn(&g, drawn, 20);
    const tensor_t *words = store_find(s, "embeddings.word_embeddings.weight"),
                   *bias = store_find(s, "lm_head.bias"),
                   *head = store_find(s, "lm_head.decoder.weight");
    for (int i = 0; i < 20; i++) assert_true(words->data[i] == drawn[i] * 0.5f);
    for (int i = 0; i < 5; i++) assert_true(bias->data[i] == 0);
    for (int i = 0; i < 40; i++) assert_true(head->data[i] == model_value(11, i));
    store_free(s);
    model_close(&m);
    model_open(&m); /* a shape that differs is no missing tensor */
    o.path = model_file(&(file_t){.skip = 1, .reshape = 6});
    assert_null(store_load(&m.graph, &o, m.d));
    assert_says(m.d, "query_key.weight' has shape [4, 6], this model needs [6, 4]");
    model_close(&m);
}

static void reports_all_of_them(void **state) {
    (void)state;
    model_t m;
    model_open(&m);
    const char *path = temporary("empty");
    write_bytes(path, "\2\0\0\0\0\0\0\0{}", 10);
    assert_null(load(&m, path));
    assert_int_equal(diag_errors(m.d), 1); /* not one for each tensor */
    assert_says(m.d, "holds no tensors, this model needs 'embeddings.");
    model_close(&m);
}

static void refuses_another_models_file(void **state) {
    (void)state;
    model_t m;
    model_open(&m);
    st_writer_t *w = st_writer_new();
    st_writer_add(w, "bert.pooler.bias", ST_F32, 1, &(int64_t){1}, &(float){0});
    assert_true(st_writer_save(w, temporary("bert"), m.d));
    st_writer_free(w);
    assert_null(load(&m, temporary("bert")));
    assert_int_equal(diag_errors(m.d), 1);
    assert_says(m.d,
                "none of its tensors is of this model: it has 'bert.pooler.bias' …, needed are '");
    model_close(&m);
}

/* ---- several files, wrapped names -------------------------------------------------------------------- */

/* The model's tensors in two files, each name behind `wrapper`; the index may leave out or misplace one. */
static void write_shards(const char *wrapper, const char *index_extra, diag_t *d) {
    st_file_t *f = st_open(model_file(&(file_t){.prefix = true}), d);
    assert_non_null(f);
    st_writer_t *w[2] = {st_writer_new(), st_writer_new()};
    sbuf_t index = {0};
    sbuf_printf(&index, "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {%s", index_extra);
    for (size_t i = 0; i < st_count(f); i++) {
        const st_tensor_t *t = st_at(f, i);
        char name[300];
        snprintf(name, sizeof name, "%s%s", wrapper, t->name);
        st_writer_add(w[i % 2], name, t->dtype, t->rank, t->shape, t->data);
        sbuf_printf(&index, "%s\"%s\": \"part-%zu\"", i ? ", " : "", name, i % 2);
    }
    sbuf_puts(&index, "}}");
    assert_true(st_writer_save(w[0], temporary("part-0"), d));
    assert_true(st_writer_save(w[1], temporary("part-1"), d));
    assert_true(file_write(temporary("w.index.json"), index.data, index.size, d));
    sbuf_free(&index);
    st_writer_free(w[0]);
    st_writer_free(w[1]);
    st_close(f);
}

static void loads_several_files(void **state) {
    (void)state;
    static const char *const wrappers[] = {"", "module.", "_orig_mod.module.module."};
    for (int i = 0; i < 3; i++) {
        model_t m;
        model_open(&m);
        write_shards(wrappers[i], "", m.d);
        store_t *s = load(&m, temporary("w.index.json"));
        if (!s) fail_msg("%s", messages(m.d));
        assert_values(s);
        store_free(s);
        if (i == 1)
            assert_says(m.d, "warning: a wrapper's 'module.' is taken off the tensors' names");
        weights_kind_t k;
        assert_true(weights_kind(temporary("w.index.json"), &k, m.d));
        assert_true(k.has_prefix);
        model_close(&m);
    }
}

static void bad_indices(void **state) {
    (void)state;
    static const struct {
        const char *extra, *says;
    } cases[] = {
        {"\"x\": \"part-0\", ", "tensor 'x' is not in 'part-0', where the index has it"},
        {"\"x\": \"part-9\", ", "names the file 'part-9', which is missing"},
        {"\"x\": \"../part-0\", ", "'../part-0', which does not lie in its folder"},
        {"\"x\": \"a/../../part-0\", ", "which does not lie in its folder"},
        {"\"x\": \"/etc/passwd\", ",
         "names the file '/etc/passwd', which does not lie in its folder"},
        {"\"x\": 7, ", "tensor 'x': its file is no text"},
        {"\"x\": \"w.index.json\", ", "is an index of weights in several files, not safetensors"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        model_t m;
        model_open(&m);
        write_shards("", cases[i].extra, m.d);
        assert_null(load(&m, temporary("w.index.json")));
        assert_says(m.d, cases[i].says);
        model_close(&m);
    }
}

/* Where a language model's bias stands under both names, the decoder's counts. */
static void the_decoders_bias_counts(void **state) {
    (void)state;
    model_t m;
    model_open(&m);
    store_t *s = load(&m, model_file(&(file_t){.decoder_bias = true, .other_bias = 1}));
    if (!s) fail_msg("%s", messages(m.d));
    st_file_t *f = st_open(model_file(&(file_t){.decoder_bias = true, .other_bias = 1}), m.d);
    const st_tensor_t *want = st_find(f, "lm_head.decoder.bias");
    const st_tensor_t *other = st_find(f, "lm_head.bias");
    const tensor_t *have = store_find(s, "lm_head.bias");
    assert_true(want && other && have);
    assert_memory_equal(have->data, want->data, want->bytes);
    assert_memory_not_equal(have->data, other->data, want->bytes);
    st_close(f);
    store_free(s);
    model_close(&m);
}

static void folders(void **state) {
    (void)state;
    model_t m;
    model_open(&m);
    char folder[512], file[600];
    snprintf(folder, sizeof folder, "%s", temporary("folder"));
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_null(load(&m, folder));
    assert_says(m.d, "folder: error: holds no model.safetensors");
    snprintf(file, sizeof file, "%s/pytorch_model.bin", folder);
    write_bytes(file, "PK\3\4", 4);
    assert_null(load(&m, folder));
    assert_says(m.d, "{k: v.clone() for k, v in torch.load(\"pytorch_model.bin\"");
    snprintf(file, sizeof file, "%s/model.safetensors.index.json", folder);
    write_bytes(file, "{}", 2);
    assert_null(load(&m, folder));
    assert_says(m.d, "index.json: error: has no 'weight_map'");
    snprintf(file, sizeof file, "%s/model.safetensors", folder);
    size_t n;
    unsigned char *bytes = read_bytes(model_file(&(file_t){0}), &n);
    write_bytes(file, bytes, n);
    free(bytes);
    store_t *s = load(&m, folder);
    assert_non_null(s);
    assert_values(s);
    store_free(s);
    assert_null(load(&m, NULL));
    model_close(&m);
}

static void kinds_of_weights(void **state) {
    (void)state;
    static const struct {
        const char *name;
        weights_kind_t want;
    } cases[] = {
        {"embeddings.word_embeddings.weight", {false, false, false, false}},
        {"reformer.embeddings.word_embeddings.weight", {.has_prefix = true}},
        {"lm_head.bias", {.has_lm_head = true}},
        {"classifier.dense.bias", {.has_classifier = true}},
        {"qa_outputs.bias", {.has_qa = true}},
    };
    diag_t *d = diag_new();
    weights_kind_t k;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        st_writer_t *w = st_writer_new();
        static const float x = 0;
        st_writer_add(w, cases[i].name, ST_F32, 0, NULL, &x);
        assert_true(st_writer_save(w, temporary("kind"), d));
        st_writer_free(w);
        assert_true(weights_kind(temporary("kind"), &k, d));
        assert_memory_equal(&k, &cases[i].want, sizeof k);
    }
    assert_true(weights_kind("random:7", &k, d));
    assert_false(k.has_prefix || k.has_lm_head || k.has_classifier || k.has_qa);
    assert_int_equal(diag_errors(d), 0);
    assert_false(weights_kind("/dev/null/x", &k, d));
    assert_int_equal(diag_errors(d), 1);
    diag_free(d);
}

/* ---- random weights --------------------------------------------------------------------------------------- */

static void random_weights(void **state) {
    (void)state;
    model_t m;
    model_open(&m);
    store_t *s = load(&m, "random:7"), *same = load(&m, "random:7"), *zero = load(&m, "random");
    assert_true(s && same && zero);
    /* one stream through the params in order, rotations apart */
    torch_rng_t g;
    torch_seed(&g, 7);
    for (int p = 0; p < N_PARAMS; p++) {
        const param_t *q = &model_params[p];
        const tensor_t *t = store_find(s, q->name);
        assert_memory_equal(t->data, store_find(same, q->name)->data, (size_t)t->elements * 4);
        if (strstr(q->name, "rotations")) continue;
        bool norm = strstr(q->name, "layer_norm") != NULL, bias = strstr(q->name, "bias") != NULL;
        float std = strstr(q->name, "position") ? 2.0f : 0.5f, x[70 * 37];
        if (!norm && !bias) torch_randn(&g, x, (size_t)t->elements);
        for (int64_t i = 0; i < t->elements; i++) {
            float want = norm ? 1.0f : bias ? 0.0f : x[i] * std;
            assert_true(t->data[i] == want);
        }
    }
    torch_seed(&g, 0);
    float first[20];
    torch_randn(&g, first, 20);
    assert_true(store_find(zero, model_params[0].name)->data[0] == first[0] * 0.5f);
    store_free(s);
    store_free(same);
    store_free(zero);
    static const char *const bad[] = {"random:", "random:x", "random:-1", "random:1 ",
                                      "random:18446744073709551616"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_null(load(&m, bad[i]));
    assert_int_equal(diag_errors(m.d), 5);
    assert_says(m.d, "weights 'random:x': after 'random:' a whole number is needed");
    s = load(&m, "random:18446744073709551615");
    assert_non_null(s);
    store_free(s);
    model_close(&m);
}

/* ---- rotations --------------------------------------------------------------------------------------------- */

enum { ROTATION = 2 * 3 * 2 * 4 };

static void assert_rotations(const store_t *s, const char *name, const float *want) {
    assert_memory_equal(store_find(s, name)->data, want, ROTATION * sizeof(float));
}

static void rotations_from_seeds(void **state) {
    (void)state;
    model_t m;
    model_open(&m);
    float a[ROTATION], b[ROTATION];
    torch_rng_t g;
    torch_seed(&g, 42);
    torch_randn(&g, a, ROTATION);
    store_options_t o = {.path = "random", .seed = 9};
    store_t *s = store_load(&m.graph, &o, m.d); /* hash_seed: every layer alike, --seed unused */
    assert_non_null(s);
    assert_rotations(s, "layers.1.rotations", a);
    assert_rotations(s, "layers.3.rotations", a);
    store_free(s);
    m.spec.has_hash_seed = false; /* one stream */
    torch_seed(&g, 9);
    torch_randn(&g, a, ROTATION);
    torch_randn(&g, b, ROTATION);
    s = store_load(&m.graph, &o, m.d);
    assert_non_null(s);
    assert_rotations(s, "layers.1.rotations", a);
    assert_rotations(s, "layers.3.rotations", b);
    store_free(s);
    model_close(&m);
}

static const char *rotation_file(const char *name, int64_t rounds, float value) {
    st_writer_t *w = st_writer_new();
    int64_t shape[] = {2, 3, rounds, 4};
    float *x = name ? st_writer_space(w, name, ST_F32, 4, shape) : NULL;
    for (int64_t i = 0; x && i < 24 * rounds; i++) x[i] = value;
    diag_t *d = diag_new();
    assert_true(st_writer_save(w, temporary("rotations"), d));
    diag_free(d);
    st_writer_free(w);
    return temporary("rotations");
}

/* The file first, then what the weights carry, then the seed. */
static void rotations_from_files(void **state) {
    (void)state;
    model_t m;
    model_open(&m);
    float drawn[ROTATION], mine[ROTATION];
    torch_rng_t g;
    torch_seed(&g, 42);
    torch_randn(&g, drawn, ROTATION);
    for (int i = 0; i < ROTATION; i++) mine[i] = 0.25f;
    const char *weights = model_file(&(file_t){.no_rotations = true});
    store_options_t o = {.path = weights};
    o.rotations_path = rotation_file("layers.3.rotations", 2, 0.25f);
    store_t *s = store_load(&m.graph, &o, m.d);
    assert_non_null(s);
    assert_rotations(s, "layers.1.rotations", drawn);
    assert_rotations(s, "layers.3.rotations", mine);
    store_free(s);
    weights = model_file(&(file_t){0}); /* with rotations of its own */
    o.path = weights;
    o.rotations_path = rotation_file("layers.3.rotations", 2, 0.25f);
    s = store_load(&m.graph, &o, m.d);
    assert_non_null(s);
    assert_true(store_find(s, "layers.1.rotations")->data[5] == model_value(9, 5));
    assert_rotations(s, "layers.3.rotations", mine);
    store_free(s);
    o.rotations_path = rotation_file(NULL, 2, 0); /* empty: legal */
    s = store_load(&m.graph, &o, m.d);
    assert_non_null(s);
    store_free(s);
    assert_string_equal(messages(m.d), "");
    model_close(&m);
}

static void bad_rotation_files(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int64_t rounds;
        float value;
        const char *says;
    } cases[] = {
        {"layers.3.rotations", 3, 1, "tensor 'layers.3.rotations' has shape [2, 3, 3, 4]"},
        {"layers.3.rotations", 2, NAN, "'layers.3.rotations': element 0 ([0, 0, 0, 0]) is NaN"},
        {"layers.3.rotation", 2, 1, "did you mean 'layers.3.rotations'?"},
        {"layers.0.rotations", 2, 1, "'layers.0.rotations' is not the rotations of an LSH layer"},
        {"layers.4.rotations", 2, 1, "'layers.4.rotations' is not the rotations of an LSH layer"},
        {"layers.-1.rotations", 2, 1, "is not the rotations of an LSH layer"},
        {"layers.99999999999999999999.rotations", 2, 1, "is not the rotations of an LSH layer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        model_t m;
        model_open(&m);
        store_options_t o = {.path = "random"};
        o.rotations_path = rotation_file(cases[i].name, cases[i].rounds, cases[i].value);
        assert_null(store_load(&m.graph, &o, m.d));
        assert_says(m.d, cases[i].says);
        model_close(&m);
    }
}

/* A layer that hashes at other lengths only may have rotations in the file. */
static void rotations_not_needed_here(void **state) {
    (void)state;
    model_t m;
    model_open(&m);
    for (int i = 0; i < N_PARAMS; i++)
        if (strcmp(m.graph.nodes[i]->name, "layers.3.rotations") == 0) m.graph.nodes[i]->op = G_ADD;
    store_options_t o = {.path = "random"};
    o.rotations_path = rotation_file("layers.3.rotations", 2, 1);
    store_t *s = store_load(&m.graph, &o, m.d);
    assert_non_null(s);
    assert_null(store_find(s, "layers.3.rotations"));
    store_free(s);
    model_close(&m);
}

/* ---- what Hugging Face drew ----------------------------------------------------------------------------------- */

/* Rotations of a reference case, bit for bit, from its hash_seed. */
static void reference_rotations(void **state) {
    (void)state;
    static const char *const cases[] = {"a_clm_lsh_1hash", "b_clm_alt_4hash_factorised",
                                        "i_mlm_before2_after1_pad",
                                        "o_clm_auto_num_buckets_factorised"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char folder[1024], path[1200];
        snprintf(folder, sizeof folder, SOURCE_DIR "/tests/golden/cases/%s", cases[i]);
        snprintf(path, sizeof path, "%s/config.json", folder);
        size_t n;
        char *config = (char *)read_bytes(path, &n), *at = strstr(config, "\"hash_seed\":");
        assert_non_null(at);
        uint64_t seed = strtoull(at + strlen("\"hash_seed\":"), NULL, 10);
        free(config);
        snprintf(path, sizeof path, "%s/rotations.safetensors", folder);
        diag_t *d = diag_new();
        st_file_t *f = st_open(path, d);
        assert_non_null(f);
        assert_true(st_count(f) >= 1);
        for (size_t k = 0; k < st_count(f); k++) {
            const st_tensor_t *t = st_at(f, k);
            float *x = malloc(t->bytes);
            assert_non_null(x);
            torch_rng_t g;
            torch_seed(&g, seed);
            torch_randn(&g, x, (size_t)t->elements);
            assert_memory_equal(x, t->data, t->bytes);
            free(x);
        }
        st_close(f);
        diag_free(d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_every_variant),
        cmocka_unit_test(loads_unaligned_data),
        cmocka_unit_test(warns_of_unknown_tensors),
        cmocka_unit_test(errors_name_the_tensor),
        cmocka_unit_test(fills_what_is_missing),
        cmocka_unit_test(reports_all_of_them),
        cmocka_unit_test(folders),
        cmocka_unit_test(refuses_another_models_file),
        cmocka_unit_test(loads_several_files),
        cmocka_unit_test(bad_indices),
        cmocka_unit_test(the_decoders_bias_counts),
        cmocka_unit_test(kinds_of_weights),
        cmocka_unit_test(random_weights),
        cmocka_unit_test(rotations_from_seeds),
        cmocka_unit_test(rotations_from_files),
        cmocka_unit_test(bad_rotation_files),
        cmocka_unit_test(rotations_not_needed_here),
        cmocka_unit_test(reference_rotations),
    };
    return RUN_TESTS(tests);
}
