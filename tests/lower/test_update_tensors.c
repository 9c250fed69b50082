/* Updates of models: in which shapes rules see their tensors, and that code does not grow with depth. */
#include "plan_of.h"
#include "update_machine.h"

#define ADAFACTOR                                                                                  \
    {                                                                                              \
        .type = REFORMER_ADAFACTOR, .eps = {1e-30, 1e-3}, .decay_rate = -0.8, .clip_threshold = 1, \
        .beta1 = -1, .scale_parameter = 1, .weight_decay = 0.01                                    \
    }
static const reformer_optimizer_t adafactor = ADAFACTOR;

static void same_shape(const update_t *u, const char *name, int state, int rank,
                       const int64_t *shape) {
    const update_tensor_t *t = update_find(u, name);
    int64_t part[UPDATE_RANK];
    assert_non_null(t);
    int got = state < 0 ? t->rank : update_state_shape(u, state, t->rank, t->shape, part);
    assert_int_equal(got, rank);
    for (int i = 0; i < rank; i++) assert_int_equal(state < 0 ? t->shape[i] : part[i], shape[i]);
}

static plan_t *trained_plan(arena_t *a, const char *layers, diag_t *d) {
    const char *text = arena_printf(
        a,
        "architectures: [ReformerModelWithLMHead]\nis_decoder: true\nattn_layers: [%s]\n"
        "hidden_size: 24\nvocab_size: 20\nfeed_forward_size: 8\naxial_pos_embds: true\n"
        "axial_pos_shape: [4, 2, 8]\naxial_pos_embds_dim: [8, 6, 10]\nnum_buckets: 2\n"
        "max_position_embeddings: 64\nlocal_attn_chunk_length: 8\nlsh_attn_chunk_length: 8\n",
        layers);
    plan_options_t o = {
        .name = "m", .n_targets = 1, .targets = {&targets[0]}, .train = TRAIN_ALONE};
    plan_t *p = plan_of(a, text, &o, d);
    if (!p) diag_print(d, stderr);
    assert_non_null(p);
    return p;
}

/* Axial tables have the axes that they have at Hugging Face, of which Adafactor takes the last two. */
static void axes_of_tables(void **state) {
    (void)state;
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    plan_t *p = trained_plan(a, "local", d);
    update_t *u = update_make(a, p->trains[0].graph, &adafactor, 0);
    static const char first[] = "embeddings.position_embeddings.weights.0";
    static const char last[] = "embeddings.position_embeddings.weights.2";
    same_shape(u, first, -1, 4, (int64_t[]){4, 1, 1, 8});
    same_shape(u, first, 0, 3, (int64_t[]){4, 1, 1});
    same_shape(u, first, 1, 3, (int64_t[]){4, 1, 8});
    same_shape(u, last, -1, 4, (int64_t[]){1, 1, 8, 10});
    same_shape(u, last, 0, 3, (int64_t[]){1, 1, 8});
    same_shape(u, last, 1, 3, (int64_t[]){1, 1, 10});
    same_shape(u, "encoder.layer_norm.bias", 0, 1, (int64_t[]){48});
    same_shape(u, "encoder.layer_norm.bias", 1, 0, NULL);
    for (int k = 0; k < u->n_states; k++) {
        int index;
        layout_t *l = layout_state(a, p->gradients, u, k);
        const layout_entry_t *e = layout_find(l, last, &index);
        assert_int_equal(e->rank, 3);
        assert_int_equal(e->shape[2], k == 0 ? 8 : 10);
        assert_int_equal(e->bytes, k == 0 ? 32 : 40);
    }
    diag_free(d);
    arena_free(a);
}

static size_t functions_for(const char *layers, const reformer_optimizer_t *rule) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    plan_t *p = trained_plan(a, layers, d);
    updates_t u = {.arena = a, .diag = d, .weights = p->layout, .gradients = p->gradients};
    u.update = update_make(a, p->trains[0].graph, rule, 1);
    for (int k = 0; k < u.update->n_states; k++)
        u.states[k] = layout_state(a, u.gradients, u.update, k);
    size_t n = verified(&u, &targets[T_X86_64_V3])->n_funcs;
    diag_free(d);
    arena_free(a);
    return n;
}

static void code_does_not_grow_with_depth(void **state) {
    (void)state;
    static const reformer_optimizer_t rules[] = {
        {.type = REFORMER_ADAMW, .betas = {0.9, 0.999}, .eps = {1e-8}, .weight_decay = 0.1},
        {.type = REFORMER_SGD, .momentum = 0.9},
        ADAFACTOR};
    for (int k = 0; k < 3; k++) {
        size_t few = functions_for("local, lsh, local, lsh", &rules[k]);
        assert_true(few > 10);
        assert_int_equal(few, functions_for("local, lsh, local, lsh, local, lsh", &rules[k]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axes_of_tables),
        cmocka_unit_test(code_does_not_grow_with_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
