/* Code size depends on how many forms of layers there are, not on how many layers: of three forms, which no two layers in
 * a row have in common. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "emit/emit.h"
#include "plan_of.h"

static const char model[] =
    "hidden_size: 32\nnum_attention_heads: 2\nattention_head_size: 16\nfeed_forward_size: 64\n"
    "vocab_size: 64\naxial_pos_shape: [8, 16]\naxial_pos_embds_dim: [16, 16]\nnum_buckets: 4\n"
    "max_position_embeddings: 128\nnum_hashes: 2\nlocal_attn_chunk_length: 8\n"
    "lsh_attn_chunk_length: 16\narchitectures: [ReformerModel]\nis_decoder: true\n"
    "compile: {sequence_length: 128}\nattn_layers: [local";

static plan_t *plan(arena_t *a, int layers, diag_t *d) {
    sbuf_t text = {0};
    sbuf_puts(&text, model);
    for (int i = 1; i < layers; i++) sbuf_puts(&text, i % 3 == 1 ? ", lsh" : ", local");
    sbuf_puts(&text, "]\n");
    const char *own = arena_strdup(a, text.data);
    sbuf_free(&text);
    plan_options_t o = {.name = "model", .n_targets = 1, .targets = {&targets[0]}};
    return plan_of(a, own, &o, d);
}

/* Local layers of a third kind have an activation, a window and an eps of their own. */
static void make_third_form(const graph_t *g) {
    for (size_t i = 0; i < g->n_nodes; i++) {
        gnode_t *n = g->nodes[i];
        if (n->layer < 0 || n->layer % 3 != 2) continue;
        if (n->op == G_ACTIVATION) n->act = ACT_GELU;
        if (n->op == G_LOCAL_ATTENTION) n->chunk = 16;
        if (n->op == G_LAYER_NORM) n->eps = 1e-5;
    }
}

static size_t size_of(int layers, size_t *kernels) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    plan_t *p = plan(a, layers, d);
    if (p) make_third_form(p->variants[0].graph);
    pass_options_t passes = {0};
    if (!p || !plan_lower(p, &passes, d)) diag_print(d, stderr);
    assert_int_equal(diag_errors(d), 0);
    sbuf_t source = {0}, header = {0};
    emit_c_options_t o = {.header_name = "model.h"};
    emit_c(p, &o, &source, &header);
    size_t size = source.size;
    *kernels = p->modules[0]->n_funcs;
    sbuf_free(&source);
    sbuf_free(&header);
    diag_free(d);
    arena_free(a);
    return size;
}

static void depth_does_not_count(void **state) {
    (void)state;
    size_t few_kernels, kernels, few = size_of(6, &few_kernels), many = size_of(60, &kernels);
    assert_int_equal(kernels, few_kernels);
    assert_in_range(many, few, few * 103 / 100);
}

static void forms_count(void **state) {
    (void)state;
    size_t two_kernels, three_kernels, two = size_of(2, &two_kernels),
                                       three = size_of(3, &three_kernels);
    assert_true(three > two);
    assert_true(three_kernels > two_kernels);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(depth_does_not_count),
                                       cmocka_unit_test(forms_count)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
