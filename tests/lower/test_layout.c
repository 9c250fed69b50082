/* The layout of the packed weights: every param once, aligned, without overlap, in the shapes that the
 * kernels read; the same for every graph of a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "reformer_rt.h"
#include "weights/layout.h"

static const char model[] = "attn_layers: [local, lsh, lsh]\n"
                            "hidden_size: 48\nnum_attention_heads: 3\nattention_head_size: 20\n"
                            "feed_forward_size: 70\nvocab_size: 50\nis_decoder: true\n"
                            "architectures: [ReformerModelWithLMHead]\n"
                            "axial_pos_shape: [8, 16]\naxial_pos_embds_dim: [16, 32]\n"
                            "max_position_embeddings: 128\nnum_buckets: [2, 4]\nnum_hashes: 2\n"
                            "local_attn_chunk_length: 8\nlsh_attn_chunk_length: 16\n";

static graph_t *build(arena_t *a, const char *text, int64_t length) {
    diag_t *d = diag_new();
    spec_t *s = spec_parse(a, "model.yaml", text, strlen(text), NULL, 0, d);
    if (s && !spec_resolve_architecture(s, false, false, false, d)) s = NULL;
    graph_options_t o = {.batch = 1, .length = length};
    graph_t *g = s ? graph_build(a, s, &o, d) : NULL;
    if (!g) diag_print(d, stderr);
    diag_free(d);
    assert_non_null(g);
    return g;
}

static const layout_entry_t *find(const layout_t *l, const char *source) {
    int index = 0;
    return layout_find(l, source, &index);
}

static bool has_source(const layout_t *l, const char *name) {
    for (int i = 0; i < l->n; i++)
        for (int j = 0; j < l->entries[i].count; j++)
            if (strcmp(l->entries[i].source[j], name) == 0) return true;
    return false;
}

static void every_param_has_a_place(void **state) {
    (void)state;
    arena_t *a = arena_new();
    graph_t *g = build(a, model, 64);
    layout_t *l = layout_make(a, g);
    int params = 0, sources = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i]->op != G_PARAM) continue;
        params++;
        if (!has_source(l, g->nodes[i]->name)) fail_msg("no place for %s", g->nodes[i]->name);
    }
    for (int i = 0; i < l->n; i++) sources += l->entries[i].count;
    assert_int_equal(params, sources);
    arena_free(a);
}

static void entries_are_aligned_and_apart(void **state) {
    (void)state;
    arena_t *a = arena_new();
    layout_t *l = layout_make(a, build(a, model, 64));
    int64_t end = REFORMER_WEIGHTS_HEADER;
    for (int i = 0; i < l->n; i++) {
        const layout_entry_t *e = &l->entries[i];
        int64_t bytes = 4;
        for (int j = 0; j < e->packed_rank; j++) bytes *= e->packed[j];
        assert_int_equal(e->bytes, bytes);
        assert_int_equal(e->offset % 64, 0);
        assert_true(e->offset >= end);
        end = e->offset + e->bytes;
    }
    assert_true(l->data_end >= end && l->data_end % 64 == 0);
    arena_free(a);
}

static void heads_start_panels(void **state) {
    (void)state;
    arena_t *a = arena_new();
    layout_t *l = layout_make(a, build(a, model, 64));
    const layout_entry_t *qk =
                             find(l, "encoder.layers.1.attention.self_attention.query_key.weight"),
                         *r = find(l, "layers.1.rotations");
    const int64_t panels[] = {2, 3, 1, 48, PANEL}, rotations[] = {2, 3, 2, 20, 3};
    assert_memory_equal(qk->packed, panels, sizeof panels);
    assert_memory_equal(r->packed, rotations, sizeof rotations);
    assert_string_equal(qk->source[1],
                        "encoder.layers.2.attention.self_attention.query_key.weight");
    assert_null(find(l, "classifier.out_proj.weight"));
    arena_free(a);
}

static void length_changes_nothing_but_hashing(void **state) {
    (void)state;
    arena_t *a = arena_new();
    layout_t *l = layout_make(a, build(a, model, 64)), *m = layout_make(a, build(a, model, 100));
    assert_int_equal(l->data_end, m->data_end);
    assert_true(l->fingerprint == m->fingerprint);
    assert_null(find(layout_make(a, build(a, model, 8)), "layers.1.rotations"));
    arena_free(a);
}

/* Weights mean something else where what reads them differs, and nothing else where rows are longer or windows wider. */
static void a_fingerprint_covers_what_weights_mean(void **state) {
    (void)state;
    static const struct {
        const char *line;
        bool same;
    } rows[] = {{"local_num_chunks_before: 2\n", true},
                {"compile: {batch_size: 2}\n", true},
                {"pad_token_id: 3\n", true},
                {"layer_norm_eps: 1e-6\n", false},
                {"hidden_act: gelu\n", false},
                {"num_labels: 3\n", true},
                {"num_hashes: 4\n", false}};
    arena_t *a = arena_new();
    uint64_t own = layout_make(a, build(a, model, 64))->fingerprint;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = arena_printf(a, "%s%s", model, rows[i].line);
        if (strstr(rows[i].line, "num_hashes"))
            text =
                arena_printf(a, "%.*snum_hashes: 4\n%s", (int)(strstr(model, "num_hashes") - model),
                             model, strstr(model, "local_attn_chunk_length"));
        bool same = layout_make(a, build(a, text, 64))->fingerprint == own;
        if (same != rows[i].same) fail_msg("%s", rows[i].line);
    }
    arena_free(a);
}

/* Every param that the loss depends on, once, dense and in its own shape. */
static void gradients_stand_as_their_tensors_do(void **state) {
    (void)state;
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    graph_t *g = graph_gradient(a, build(a, model, 64), NULL, d);
    assert_non_null(g);
    layout_t *l = layout_gradients(a, g);
    int64_t end = 0;
    int sources = 0, gradients = 0;
    for (int i = 0; i < l->n; i++) {
        const layout_entry_t *e = &l->entries[i];
        int64_t elements = e->count;
        for (int k = 0; k < e->rank; k++) elements *= e->packed[k + 1];
        assert_int_equal(e->bytes, 4 * elements);
        assert_true(e->offset >= end && e->offset % 64 == 0);
        end = e->offset + e->bytes;
        sources += e->count;
    }
    assert_true(l->data_end >= end && l->data_end % 64 == 0);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        int index = -1;
        if (n->op != G_GRADIENT) continue;
        gradients++;
        const layout_entry_t *e = layout_find(l, n->in[1]->name, &index);
        assert_non_null(e);
        assert_string_equal(e->source[index], n->in[1]->name);
        assert_int_equal(e->rank, n->rank);
        for (int k = 0; k < n->rank; k++) assert_int_equal(e->packed[k + 1], n->shape[k].c);
    }
    assert_int_equal(sources, gradients);
    assert_null(find(l, "layers.1.rotations"));
    diag_free(d);
    arena_free(a);
}

/* ---- integers --------------------------------------------------------------------------------------- */

static layout_t *layout_in(arena_t *a, dtype_t dtype) {
    diag_t *d = diag_new();
    graph_t *g = graph_with_dtype(a, build(a, model, 64), dtype, d);
    assert_non_null(g);
    diag_free(d);
    return layout_make(a, g);
}

/* What an entry has in a section: floats, scales among them; bf16; integers. Where it ends. */
static int64_t in_section(const layout_entry_t *e, int section, int64_t end) {
    static const gtype_t types[] = {G_F32, G_BF16, G_I8};
    const int64_t own = 4 * e->count * e->rows;
    const int64_t at[] = {e->type == types[section] ? e->offset : 0, section == 0   ? e->scales_at
                                                                     : section == 2 ? e->starts_at
                                                                                    : 0};
    const int64_t bytes[] = {e->bytes, own};
    for (int k = 0; k < 2; k++) {
        if (at[k] == 0) continue;
        assert_true(at[k] >= end && at[k] < end + 64 && at[k] % 64 == 0);
        end = at[k] + bytes[k];
    }
    return end;
}

/* Arrays begin at multiples of 64 bytes, one behind the other, each in the section of its numbers. */
static void sections_of(dtype_t dtype, int bf16, int integers) {
    arena_t *a = arena_new();
    layout_t *l = layout_in(a, dtype);
    int64_t end = REFORMER_WEIGHTS_HEADER;
    const int64_t begins[] = {end, l->bf16_at, l->integers_at};
    const int wanted[] = {1, bf16, integers};
    for (int section = 0; section < 3; section++) {
        assert_int_equal(begins[section] > 0, wanted[section]);
        assert_true(!wanted[section] || (begins[section] >= end && begins[section] < end + 64));
        for (int i = 0; i < l->n; i++) end = in_section(&l->entries[i], section, end);
    }
    assert_int_equal(l->data_end, (end + 63) / 64 * 64);
    for (int i = 0; i < l->n; i++) {
        const layout_entry_t *e = &l->entries[i];
        int64_t bytes = layout_element_bytes(e->type), own = 4 * e->count * e->rows;
        for (int j = 0; j < e->packed_rank; j++) bytes *= e->packed[j];
        assert_int_equal(e->bytes, bytes);
        assert_int_equal(e->rows > 0, e->type == G_I8);
        assert_int_equal(e->scales_at > 0, e->rows > 0);
        assert_int_equal(e->starts_at > 0, e->rows > 0 && e->kind != PACK_ROWS);
        assert_int_equal(layout_entry_bytes(e),
                         e->bytes + (e->scales_at ? own : 0) + (e->starts_at ? own : 0));
    }
    arena_free(a);
}

static void sections_of_number_types(void **state) {
    (void)state;
    sections_of(DTYPE_FLOAT32, 0, 0);
    sections_of(DTYPE_BFLOAT16, 1, 0);
    sections_of(DTYPE_INT8, 1, 1);
}

static void integers_stand_in_fours(void **state) {
    (void)state;
    arena_t *a = arena_new();
    layout_t *l = layout_in(a, DTYPE_INT8);
    const layout_entry_t *qk =
                             find(l, "encoder.layers.1.attention.self_attention.query_key.weight"),
                         *dense = find(l, "encoder.layers.0.feed_forward.dense.dense.weight"),
                         *output = find(l, "encoder.layers.0.feed_forward.output.dense.weight"),
                         *attention = find(l, "encoder.layers.0.attention.output.dense.weight"),
                         *words = find(l, "embeddings.word_embeddings.weight"),
                         *position = find(l, "embeddings.position_embeddings.weights.0");
    /* 48 in 12 fours, heads of 20 in a panel each; 70 in 3 panels, or in 18 fours; attention's result is bfloat16 */
    const int64_t heads[] = {2, 3, 1, 12, 4 * PANEL}, up[] = {3, 3, 12, 4 * PANEL},
                  down[] = {3, 2, 18, 4 * PANEL}, pairs[] = {3, 2, 30, 2 * PANEL};
    assert_memory_equal(qk->packed, heads, sizeof heads);
    assert_int_equal(qk->rows, 3 * PANEL);
    assert_memory_equal(dense->packed, up, sizeof up);
    assert_int_equal(dense->rows, 3 * PANEL);
    assert_memory_equal(output->packed, down, sizeof down);
    assert_int_equal(output->rows, 2 * PANEL);
    assert_int_equal(attention->type, G_BF16);
    assert_memory_equal(attention->packed, pairs, sizeof pairs);
    assert_int_equal(words->packed[1], 50 * 48 + 32); /* up to 64 bytes */
    assert_int_equal(words->rows, 2 * PANEL);
    assert_int_equal(position->type, G_F32);
    arena_free(a);
}

/* Packed weights of one type are no other's. */
static void types_have_fingerprints(void **state) {
    (void)state;
    arena_t *a = arena_new();
    uint64_t of[DTYPE_COUNT + 1];
    for (dtype_t t = DTYPE_FLOAT32; t < DTYPE_COUNT; t++) of[t] = layout_in(a, t)->fingerprint;
    diag_t *d = diag_new();
    const char *text = arena_printf(a,
                                    "%scompile: {dtype: int8}\n"
                                    "extensions: {layers: [{dtype: bfloat16}]}\n",
                                    model);
    graph_t *g = build(a, text, 64);
    g = graph_with_dtypes(a, g, g->spec, d);
    assert_non_null(g);
    of[DTYPE_COUNT] = layout_make(a, g)->fingerprint;
    for (int i = 0; i <= DTYPE_COUNT; i++)
        for (int k = 0; k < i; k++) assert_true(of[i] != of[k]);
    diag_free(d);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_param_has_a_place),
        cmocka_unit_test(entries_are_aligned_and_apart),
        cmocka_unit_test(heads_start_panels),
        cmocka_unit_test(length_changes_nothing_but_hashing),
        cmocka_unit_test(a_fingerprint_covers_what_weights_mean),
        cmocka_unit_test(gradients_stand_as_their_tensors_do),
        cmocka_unit_test(sections_of_number_types),
        cmocka_unit_test(integers_stand_in_fours),
        cmocka_unit_test(types_have_fingerprints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
