/* train.memory: which values a train step may keep, what that costs and saves, and which are chosen. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan_env.h"

static const char small[] = "attn_layers: [local, lsh]\n"
                            "hidden_size: 128\nnum_attention_heads: 2\nattention_head_size: 16\n"
                            "feed_forward_size: 256\nvocab_size: 64\nis_decoder: true\n"
                            "architectures: [ReformerModelWithLMHead]\n"
                            "axial_pos_shape: [8, 16]\naxial_pos_embds_dim: [64, 64]\n"
                            "max_position_embeddings: 128\nnum_hashes: 2\nnum_buckets: 16\n"
                            "local_attn_chunk_length: 8\nlsh_attn_chunk_length: 16\n"
                            "hidden_dropout_prob: 0.1\nlocal_attention_probs_dropout_prob: 0.1\n";

static const double tokens = 128, hidden = 128, inner = 256, wide = 32;

static plan_t *plan(const env_t *e, const char *model, const char *more) {
    plan_options_t o = {.name = "model", .n_targets = 1, .train = TRAIN_ALONE};
    o.targets[0] = &targets[T_X86_64_V3];
    return plan_of(e->arena, arena_printf(e->arena, "%s%s", model, more), &o, e->diag);
}

static const graph_t *forward(const env_t *e, const char *model, const char *more, bool train) {
    char *text = arena_printf(e->arena, "%s%s", model, more);
    spec_t *s = spec_parse(e->arena, "model.yaml", text, strlen(text), NULL, 0, e->diag);
    assert_non_null(s);
    assert_true(spec_resolve_architecture(s, false, false, false, e->diag));
    graph_options_t o = {.batch = 1, .length = spec_max_length(s), .train = train};
    return graph_build(e->arena, s, &o, e->diag);
}

static kept_choice_t *choose(const env_t *e, const graph_t *g, double room) {
    kept_choice_t *k = kept_choose(e->arena, g, NULL, room, false, e->diag);
    assert_non_null(k);
    return k;
}

static const kept_row_t *row(const kept_choice_t *k, kept_kind_t kind, gop_t of) {
    for (int i = 0; i < k->n; i++)
        if (k->rows[i].kind == kind && k->rows[i].of == of) return &k->rows[i];
    fail_msg("no row of kind %d", (int)kind);
    return NULL;
}

/* ---- kinds ----------------------------------------------------------------------------------------- */

static void kinds_are_those_of_names(void **state) {
    static const struct {
        const char *name;
        kept_kind_t kind;
    } rows[] = {{"embeddings", KEPT_STREAMS},
                {"layers.0.y1", KEPT_STREAMS},
                {"layers.0.y2", KEPT_STREAMS},
                {"layers.1.y1", KEPT_NONE}, /* nothing writes over the last ones */
                {"layers.1.y2", KEPT_NONE},
                {"layers.0.attention_norm", KEPT_NORMED},
                {"layers.1.feed_forward_norm", KEPT_NORMED},
                {"layers.0.query", KEPT_OPERANDS},
                {"layers.0.key", KEPT_OPERANDS},
                {"layers.0.value", KEPT_OPERANDS},
                {"layers.1.query_key", KEPT_OPERANDS},
                {"layers.1.value", KEPT_OPERANDS},
                {"layers.1.buckets", KEPT_NONE},
                {"layers.1.sorted_idx", KEPT_NONE},
                {"layers.0.self_attention", KEPT_ATTENTION},
                {"layers.1.self_attention", KEPT_ATTENTION},
                {"layers.0.attention", KEPT_NONE},
                {"layers.0.feed_forward_in", KEPT_NONE}, /* dropout stands between */
                {"layers.0.feed_forward_in_dropout", KEPT_HIDDEN},
                {"layers.0.feed_forward_act", KEPT_NONE},
                {"layers.0.feed_forward", KEPT_NONE},
                {"hidden", KEPT_NONE},
                {"logits", KEPT_NONE}};
    const env_t *e = *state;
    const graph_t *g = forward(e, small, "", true);
    const kept_kind_t *kind = graph_kept_kinds(e->arena, g);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const gnode_t *n = graph_find(g, rows[i].name);
        if (!n) fail_msg("no node %s", rows[i].name);
        if (kind[n->id] != rows[i].kind) fail_msg("%s: %d", n->name, (int)kind[n->id]);
    }
}

static void a_gate_is_kept_beside_what_it_gates(void **state) {
    const env_t *e = *state;
    const graph_t *g = forward(e, small, "extensions: {feed_forward_gate: true}\n", false);
    const kept_kind_t *kind = graph_kept_kinds(e->arena, g);
    assert_int_equal(kind[graph_find(g, "layers.0.feed_forward_in")->id], KEPT_HIDDEN);
    assert_int_equal(kind[graph_find(g, "layers.0.feed_forward_gate")->id], KEPT_HIDDEN);
    assert_int_equal(kind[graph_find(g, "layers.0.feed_forward_act")->id], KEPT_NONE);
}

/* ---- bytes and flops ------------------------------------------------------------------------------- */

static void expect(const kept_row_t *r, int values, double bytes, double saves) {
    assert_int_equal(r->values, values);
    if (r->bytes != bytes) fail_msg("%s: %.0f bytes, not %.0f", r->name, r->bytes, bytes);
    if (r->saves != saves) fail_msg("%s: %.0f flops, not %.0f", r->name, r->saves, saves);
}

static void costs_are_those_of_the_products(void **state) {
    const env_t *e = *state;
    kept_choice_t *k = choose(e, forward(e, small, "", true), 0);
    /* of three sums an addend, its dropout, a difference: two feed-forwards, one attention */
    double undo = tokens * hidden * (2 * (2 * inner + 1) + 2 * wide + 3 + 3);
    expect(row(k, KEPT_STREAMS, G_COUNT), 3, 3 * 4 * tokens * hidden, undo);
    expect(row(k, KEPT_HIDDEN, G_COUNT), 2, 2 * 4 * tokens * inner,
           2 * tokens * inner * (2 * hidden + 1 + 1));
    expect(row(k, KEPT_NORMED, G_COUNT), 4, 4 * 4 * tokens * hidden, 4 * 8 * tokens * hidden);
    expect(row(k, KEPT_OPERANDS, G_LOCAL_ATTENTION), 3, 3 * 4 * tokens * wide,
           3 * tokens * wide * 2 * hidden);
    expect(row(k, KEPT_OPERANDS, G_LSH_ATTENTION), 2, 2 * 4 * tokens * wide,
           2 * tokens * wide * 2 * hidden);
    double pair = 4 * 16 + 8, heads = 2;
    expect(row(k, KEPT_ATTENTION, G_LOCAL_ATTENTION), 1, 4 * tokens * (wide + heads * 2),
           tokens * heads * 16 * pair);
    expect(row(k, KEPT_ATTENTION, G_LSH_ATTENTION), 1, 4 * tokens * (wide + heads * 3),
           tokens * heads * 2 * 32 * pair);
    assert_int_equal(k->n, 7);
}

/* Whatever is kept, only what is made again changes. */
static void parts_of_a_step(void **state) {
    const env_t *e = *state;
    const graph_t *g = forward(e, small, "", true);
    kept_choice_t *all = kept_all(e->arena, choose(e, g, 0), g, false);
    graph_gradient_options_t o = {.keep = all->keep};
    train_work_t without = work_of_train(graph_gradient(e->arena, g, NULL, e->diag));
    train_work_t with = work_of_train(graph_gradient(e->arena, g, &o, e->diag));
    assert_true(without.forward == with.forward);
    assert_true(without.inputs == with.inputs && without.weights == with.weights);
    assert_true(with.again < 0.1 * without.again);
    /* gradients of products are two more of their size */
    double products = tokens * (2 * 2 * hidden * inner * 2 + 2 * hidden * wide * (4 + 3));
    double head = tokens * 2 * 2 * hidden * 64;
    assert_true(without.weights > products + head && without.weights < 1.05 * (products + head));
    assert_true(without.forward > products + head);
}

/* ---- the choice ------------------------------------------------------------------------------------ */

static int count_kept(const kept_choice_t *k) {
    int n = 0;
    for (int i = 0; i < k->n; i++) n += k->rows[i].kept;
    return n;
}

static void what_saves_max_per_byte_comes_first(void **state) {
    const env_t *e = *state;
    const graph_t *g = forward(e, small, "", true);
    kept_choice_t *all = choose(e, g, INFINITY);
    double last = INFINITY, sum = 0;
    for (int i = 0; i < all->n; i++) {
        double per_byte = all->rows[i].saves / all->rows[i].bytes;
        assert_true(per_byte <= last);
        assert_true(all->rows[i].kept == (per_byte > 2 * KEPT_FLOPS_PER_BYTE));
        last = per_byte;
        if (!all->rows[i].kept) continue;
        sum += all->rows[i].bytes;
        kept_choice_t *some = choose(e, g, sum);
        assert_int_equal(count_kept(some), i + 1);
        assert_true(some->bytes == sum && some->rows[i].kept);
        some = choose(e, g, sum - 1);
        assert_false(some->rows[i].kept);
        assert_true(some->bytes <= sum - 1);
    }
    assert_false(row(all, KEPT_NORMED, G_COUNT)->kept);
    assert_int_equal(count_kept(all), 6);
    assert_true(all->bytes == sum);
}

static void flags_are_those_of_the_kinds(void **state) {
    const env_t *e = *state;
    const graph_t *g = forward(e, small, "", true);
    const kept_kind_t *kind = graph_kept_kinds(e->arena, g);
    kept_choice_t *k = choose(e, g, INFINITY);
    for (size_t i = 0; i < g->n_nodes; i++) {
        bool want = kind[i] != KEPT_NONE && kind[i] != KEPT_NORMED;
        if (k->keep[i] != want) fail_msg("%s: %d", g->nodes[i]->name, k->keep[i]);
    }
    assert_null(choose(e, g, 0)->keep);
}

/* ---- through the plan ------------------------------------------------------------------------------ */

static const char middle[] = "attn_layers: [local, lsh, local, lsh, local, lsh]\n"
                             "hidden_size: 512\nnum_attention_heads: 8\nattention_head_size: 64\n"
                             "feed_forward_size: 2048\nvocab_size: 320\nis_decoder: true\n"
                             "architectures: [ReformerModelWithLMHead]\nnum_hashes: 4\n"
                             "axial_pos_embds_dim: [128, 384]\n";
static const char crime[] = "attn_layers: [local, lsh, local, lsh, local, lsh]\n"
                            "hidden_size: 256\nnum_attention_heads: 2\nattention_head_size: 64\n"
                            "feed_forward_size: 512\nvocab_size: 320\nis_decoder: true\n"
                            "architectures: [ReformerModelWithLMHead]\nnum_buckets: [64, 128]\n"
                            "axial_pos_embds_dim: [64, 192]\n";

static void auto_keeps_for_short_ones_and_not_for_a_million(void **state) {
    const env_t *e = *state;
    const graph_t *g = forward(e, middle, "max_position_embeddings: 4096\n", true);
    kept_choice_t *k = choose(e, g, KEPT_BY_AUTO);
    assert_int_equal(count_kept(k), k->n - 1); /* all but normed inputs */
    g = forward(e, crime, "max_position_embeddings: 1048576\naxial_pos_shape: [1024, 1024]\n",
                true);
    assert_int_equal(count_kept(choose(e, g, KEPT_BY_AUTO)), 0);
}

/* Twice the same plan is twice the same choice; reversible asks for none. */
static void a_plan_chooses(void **state) {
    const env_t *e = *state;
    assert_null(plan(e, small, "train: {memory: reversible}\n")->trains[0].kept);
    plan_t *p = plan(e, small, "train: {memory: auto}\n");
    plan_t *q = plan(e, small, "train: {memory: auto}\n");
    kept_choice_t *k = p->trains[0].kept, *again = q->trains[0].kept;
    assert_true(k->room == KEPT_BY_AUTO);
    for (int i = 0; i < k->n; i++) {
        assert_int_equal(k->rows[i].kind, again->rows[i].kind);
        assert_int_equal(k->rows[i].kept, again->rows[i].kept);
        assert_true(k->rows[i].lowered || !k->rows[i].kept);
    }
    assert_int_equal(count_kept(k), 6);
    assert_true(work_of_train(p->trains[0].graph).again <
                0.1 * work_of_train(plan(e, small, "train: {steps: 1}\n")->trains[0].graph).again);
}

static bool says(const env_t *e, const char *text) {
    char *said = NULL;
    size_t bytes;
    FILE *f = open_memstream(&said, &bytes);
    assert_non_null(f);
    diag_print(e->diag, f);
    fclose(f);
    bool found = strstr(said, text) != NULL;
    if (!found) print_message("%s\n", said);
    free(said);
    return found;
}

static void a_size_below_the_min_is_an_error(void **state) {
    const env_t *e = *state;
    assert_null(plan(e, small, "train: {memory: 64 KiB}\n"));
    assert_true(says(
        e, "model.yaml:18:17: error: 'train.memory' is 0.06 MiB; a train step of 1 x 128 tokens "
           "takes 1.6"));
}

/* The workspace of one thread, as the runtime has it. */
static double workspace(plan_t *p) {
    pass_options_t passes = {0};
    diag_t *d = diag_new();
    assert_true(plan_lower(p, &passes, d));
    reformer_desc_t desc;
    reformer_variant_t *v = ARENA_ARRAY(p->arena, reformer_variant_t, plan_parts(p));
    plan_describe(p, &desc, v);
    diag_free(d);
    return (double)reformer_prepare_gradients_bytes(&desc, v, 1, 128, 1);
}

static void a_size_is_kept(void **state) {
    const env_t *e = *state;
    double min = workspace(plan(e, small, "train: {memory: reversible}\n"));
    int kept = 0;
    for (double more = 0; more < 2e6; more = 2 * more + 20000) {
        char *size = arena_printf(e->arena, "train: {memory: %.0f}\n", min + more);
        plan_t *p = plan(e, small, size);
        assert_non_null(p);
        assert_true(workspace(p) <= min + more);
        assert_true(p->trains[0].kept->bytes <= more);
        assert_true(count_kept(p->trains[0].kept) >= kept);
        kept = count_kept(p->trains[0].kept);
    }
    assert_int_equal(kept, 6);
    assert_null(plan(e, small, arena_printf(e->arena, "train: {memory: %.0f}\n", min - 1)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kinds_are_those_of_names, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gate_is_kept_beside_what_it_gates, setup, teardown),
        cmocka_unit_test_setup_teardown(costs_are_those_of_the_products, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_of_a_step, setup, teardown),
        cmocka_unit_test_setup_teardown(what_saves_max_per_byte_comes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(flags_are_those_of_the_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(auto_keeps_for_short_ones_and_not_for_a_million, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_plan_chooses, setup, teardown),
        cmocka_unit_test_setup_teardown(a_size_below_the_min_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(a_size_is_kept, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
