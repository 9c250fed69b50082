/* How kernels are cut: what follows from a target's registers, what is legal, and that no result depends
 * on it, to the bit, whoever computes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exec/exec.h"

static void analytic(target_id_t t, int vectors, int rows) {
    tiles_t c = tiles_for(&targets[t]);
    assert_int_equal(c.vectors, vectors);
    assert_int_equal(c.rows, rows);
    assert_int_equal(c.block, 96);
    assert_int_equal(c.chunks_per_task, 8);
    assert_true(tiles_are_legal(&targets[t], &c));
}

static void registers_decide(void **state) {
    (void)state;
    analytic(T_X86_64, 2, 6);
    analytic(T_X86_64_V3, 2, 6);
    analytic(T_X86_64_V4, 2, 14);
    analytic(T_AARCH64, 4, 6);
    analytic(T_WASM32, 2, 6);
    assert_int_equal(tile_rows(&targets[T_X86_64_V3], 1), 14);
    assert_int_equal(tile_rows(&targets[T_X86_64], 1), 13); /* the product needs one too */
    assert_int_equal(tile_rows(&targets[T_X86_64_V3], 3), 0);
    assert_int_equal(tile_rows(&targets[T_X86_64_V4], 4), 0); /* 64 columns: two panels */
    assert_int_equal(tile_rows(&targets[T_AARCH64], 0), 0);
    assert_int_equal(tile_rows(&targets[T_AARCH64], MAX_VECTORS + 1), 0);
}

static bool legal(int vectors, int rows, int block, int run) {
    tiles_t c = {vectors, rows, block, run};
    return tiles_are_legal(&targets[T_X86_64_V4], &c);
}

static void what_does_not_fit_is_illegal(void **state) {
    (void)state;
    assert_true(legal(2, 14, 96, 8) && legal(1, 29, 2, 1) &&
                legal(2, 1, MAX_ROWS_PER_TASK, MAX_CHUNKS_PER_TASK));
    assert_false(legal(2, 15, 96, 8) || legal(2, 0, 96, 8) || legal(3, 4, 96, 8));
    assert_false(legal(2, 14, 1, 8) || legal(2, 14, MAX_ROWS_PER_TASK + 1, 8));
    assert_false(legal(2, 14, 96, 0) || legal(2, 14, 96, MAX_CHUNKS_PER_TASK + 1));
}

/* ---- results ------------------------------------------------------------------------------------- */

/* Heads that would be grouped otherwise were their stride what it is in memory; widths, chunks and a
 * length (106, 2 times a prime) that nothing divides. */
static const char model[] = "attn_layers: [lsh, local, lsh]\n"
                            "hidden_size: 128\nnum_attention_heads: 8\nattention_head_size: 8\n"
                            "feed_forward_size: 70\nvocab_size: 40\nis_decoder: true\n"
                            "architectures: [ReformerModelWithLMHead]\n"
                            "axial_pos_embds: false\nmax_position_embeddings: 106\n"
                            "local_attn_chunk_length: 2\nlsh_attn_chunk_length: 2\n"
                            "lsh_num_chunks_before: 3\nnum_hashes: 2\nnum_buckets: [4, 6]\n"
                            "initializer_range: 0.2\n";
enum { LENGTH = 105, VOCABULARY = 40 };

typedef struct {
    arena_t *arena;
    diag_t *diag;
    spec_t *spec;
    store_t *store;
} env_t;

typedef struct {
    float logits[LENGTH][VOCABULARY], loss;
} outcome_t;

static void must(const env_t *e, bool ok) {
    if (ok) return;
    diag_print(e->diag, stderr);
    fail_msg("see the messages above");
}

static plan_t *plan_of(const env_t *e, const target_t *t, const tiles_t *tiles) {
    plan_options_t o = {
        .name = "model", .exact_length = LENGTH, .n_targets = 1, .targets = {t}, .tiles = {tiles}};
    plan_t *p = plan_make(e->arena, e->spec, &o, e->diag);
    must(e, p && plan_lower(p, &(pass_options_t){.verify_each = true}, e->diag));
    return p;
}

static env_t open_env(const char *more) {
    env_t e = {.arena = arena_new(), .diag = diag_new()};
    char *text = arena_printf(e.arena, "%s%s", model, more);
    e.spec = spec_parse(e.arena, "model.yaml", text, strlen(text), NULL, 0, e.diag);
    must(&e, e.spec && spec_resolve_architecture(e.spec, true, false, false, e.diag));
    plan_t *p = plan_of(&e, &targets[T_X86_64], NULL);
    store_options_t so = {.path = "random:3"};
    e.store = store_load(p->variants[p->n_variants - 1].graph, &so, e.diag);
    must(&e, e.store != NULL);
    return e;
}

static void close_env(env_t *e) {
    store_free(e->store);
    diag_free(e->diag);
    arena_free(e->arena);
}

static void forward(const env_t *e, plan_t *p, backend_t b, outcome_t *out) {
    exec_options_t eo = {.backend = b};
    exec_t *x = exec_open(p, e->store, &eo, e->diag);
    must(e, x != NULL);
    int32_t ids[LENGTH];
    for (int i = 0; i < LENGTH; i++) ids[i] = i * i % VOCABULARY;
    memset(out, 0, sizeof *out);
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .labels = ids,
                        .length = LENGTH,
                        .logits = out->logits[0],
                        .loss = &out->loss};
    must(e, exec_forward(x, &io, e->diag));
    exec_close(x);
}

/* Of every width, few rows and many, blocks that divide the length, that do not, and that hold it. */
static int alternatives(const target_t *t, tiles_t *list) {
    static const int blocks[] = {16, 53, 200, 3}, runs[] = {3, 1, 64, 2};
    int n = 0;
    for (int v = 1; v <= MAX_VECTORS; v++) {
        int rows = tile_rows(t, v);
        if (rows < 1) continue;
        list[n] = (tiles_t){v, n % 2 ? (rows + 1) / 2 : rows, blocks[n], runs[n]};
        assert_true(tiles_are_legal(t, &list[n]));
        n++;
    }
    return n;
}

static bool same_code(const plan_t *p, const plan_t *q) {
    sbuf_t a = {0}, b = {0};
    module_print(p->modules[p->n_variants - 1], &a);
    module_print(q->modules[q->n_variants - 1], &b);
    bool same = strcmp(a.data, b.data) == 0;
    sbuf_free(&a);
    sbuf_free(&b);
    return same;
}

static void compare(const env_t *e, const target_t *t, backend_t b) {
    tiles_t list[MAX_VECTORS];
    int n = alternatives(t, list);
    assert_true(n >= 2);
    outcome_t want, got;
    plan_t *usual = plan_of(e, t, NULL);
    forward(e, usual, b, &want);
    assert_true(want.loss > 0);
    for (int k = 0; k < n; k++) {
        plan_t *p = plan_of(e, t, &list[k]);
        assert_false(same_code(p, usual));
        forward(e, p, b, &got);
        if (memcmp(&want, &got, sizeof want) != 0)
            fail_msg("%s, %s: tile %dx%d, block %d, run %d changes a bit", t->name,
                     backend_names[b], list[k].vectors, list[k].rows, list[k].block,
                     list[k].chunks_per_task);
    }
}

static void interpreted(void **state) {
    (void)state;
    env_t e = open_env("");
    for (int t = 0; t < T_LEVELS; t++) compare(&e, &targets[t], BACKEND_INTERPRETER);
    close_env(&e);
}

static void compiled(void **state) {
    (void)state;
    env_t e = open_env("");
    for (int t = 0; t < T_LEVELS; t++)
        if (reformer_cpu_supports(t)) compare(&e, &targets[t], backend_default());
    close_env(&e);
}

/* One form for all lengths; the last task of a list may be shorter. */
static void of_any_length(void **state) {
    (void)state;
    env_t e = open_env("compile: {sequence_length: dynamic}\n");
    compare(&e, &targets[T_X86_64_V3], BACKEND_INTERPRETER);
    close_env(&e);
}

/* One artefact, targets with rows of their own: the runtime is told which. */
static void targets_differ_in_rows(void **state) {
    (void)state;
    env_t e = open_env("");
    tiles_t short_blocks = {.vectors = 2, .rows = 6, .block = 16, .chunks_per_task = 8};
    plan_options_t o = {.name = "model",
                        .exact_length = LENGTH,
                        .n_targets = 2,
                        .targets = {&targets[T_X86_64], &targets[T_X86_64_V3]},
                        .tiles = {&short_blocks, NULL}};
    plan_t *p = plan_make(e.arena, e.spec, &o, e.diag);
    must(&e, p && plan_lower(p, &(pass_options_t){0}, e.diag));
    reformer_desc_t desc;
    reformer_variant_t v[2];
    plan_describe(p, &desc, v);
    assert_int_equal(v[0].target, REFORMER_CPU_X86_64_V3);
    assert_int_equal(v[0].rows, 106); /* two blocks of 53 */
    assert_int_equal(v[1].rows, 112); /* 7 of 16 */
    close_env(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_decide), cmocka_unit_test(what_does_not_fit_is_illegal),
        cmocka_unit_test(interpreted),      cmocka_unit_test(compiled),
        cmocka_unit_test(of_any_length),    cmocka_unit_test(targets_differ_in_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
