/* Ties of the hash: of equal rotated values the first wins, as in torch's argmax over [xR, -xR], whoever hashes: the
 * reference, compiled forwards, compiled steps. Rotations with equal or opposite columns make every token a tie, zero
 * query vectors make ties of everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "exec/exec.h"
#include "plan_of.h"

enum { VOCAB = 20, LENGTH = 32, STEPS = 12, HEADS = 2, SIZE = 4, ROUNDS = 2, MAX_BUCKETS = 6 };

static const char model_text[] = "architectures: [ReformerModelWithLMHead]\n"
                                 "is_decoder: true\n"
                                 "attn_layers: [lsh]\n"
                                 "hidden_size: 8\n"
                                 "num_attention_heads: 2\n"
                                 "attention_head_size: 4\n"
                                 "feed_forward_size: 8\n"
                                 "vocab_size: 20\n"
                                 "axial_pos_shape: [8, 8]\n"
                                 "axial_pos_embds_dim: [4, 4]\n"
                                 "max_position_embeddings: 64\n"
                                 "lsh_attn_chunk_length: 4\n"
                                 "num_hashes: 2\n"
                                 "num_buckets: %d\n"
                                 "hash_seed: 1\n"
                                 "initializer_range: 0.5\n"
                                 "compile: {sequence_length: dynamic}\n";

/* Columns of the rotations: a column of before, or its opposite. */
typedef struct {
    int buckets;
    int from[MAX_BUCKETS / 2];
    float sign[MAX_BUCKETS / 2];
    bool zero_queries;
    bool may[MAX_BUCKETS]; /* the buckets that come before those equal to them */
} tie_t;

static const tie_t ties[] = {
    {6, {0, 1, 0}, {1, 1, 1}, false, {true, true, false, true, true, false}},
    {4, {0, 0}, {1, -1}, false, {true, true, false, false}},
    {6, {0, 1, 2}, {1, 1, 1}, true, {true}},
};
enum { N_TIES = sizeof ties / sizeof *ties };

static const backend_t backends[] = {BACKEND_REFERENCE, BACKEND_INTERPRETER, BACKEND_JIT};
enum { N_BACKENDS = sizeof backends / sizeof *backends };

typedef struct {
    const tie_t *tie;
    arena_t *a;
    diag_t *d;
    plan_t *plan;
    store_t *store;
    bool seen[MAX_BUCKETS];
} model_t;

/* Values of a random store lie in memory of its own. */
static float *values(const model_t *m, const char *name) {
    const tensor_t *t = store_find(m->store, name);
    assert_non_null(t);
    return (float *)(uintptr_t)t->data;
}

static void tie_columns(const model_t *m) {
    int columns = m->tie->buckets / 2;
    float *row = values(m, "layers.0.rotations"); /* [heads][size][rounds][columns] */
    for (int i = 0; i < HEADS * SIZE * ROUNDS; i++, row += columns)
        for (int c = 0; c < columns; c++) row[c] = m->tie->sign[c] * row[m->tie->from[c]];
    float *query = values(m, "encoder.layers.0.attention.self_attention.query_key.weight");
    for (int i = 0; m->tie->zero_queries && i < HEADS * SIZE * 8; i++) query[i] = 0;
}

static void open_model(model_t *m, const tie_t *tie) {
    *m = (model_t){.tie = tie, .a = arena_new(), .d = diag_new()};
    const char *text = arena_printf(m->a, model_text, tie->buckets);
    plan_options_t po = {.name = "ties", .decodes = true, .trace = true, .n_targets = 1};
    po.targets[0] = &targets[T_X86_64];
    m->plan = plan_of(m->a, text, &po, m->d);
    store_options_t so = {.path = "random:3"};
    if (m->plan) m->store = store_load(m->plan->variants[m->plan->n_variants - 1].graph, &so, m->d);
    diag_print(m->d, stdout);
    assert_non_null(m->store);
    tie_columns(m);
}

static void close_model(model_t *m) {
    store_free(m->store);
    diag_free(m->d);
    arena_free(m->a);
}

static exec_t *open_exec(model_t *m, backend_t backend) {
    exec_options_t o = {.backend = backend};
    exec_t *e = exec_open(m->plan, m->store, &o, m->d);
    diag_print(m->d, stdout);
    assert_non_null(e);
    return e;
}

/* ---- forwards ---------------------------------------------------------------------------------------- */

/* [batch][heads][rounds][length], round r from r * buckets on */
static void look(void *ctx, const char *name, const void *data, int dtype, const int64_t *shape,
                 int rank) {
    model_t *m = ctx;
    if (strcmp(name, "layers.0.buckets") != 0) return;
    assert_int_equal(dtype, REFORMER_I32);
    const int32_t *bucket = data;
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= shape[i];
    assert_int_equal(n, HEADS * ROUNDS * LENGTH);
    for (int64_t i = 0; i < n; i++) {
        int b = bucket[i] % m->tie->buckets;
        assert_true(m->tie->may[b]);
        m->seen[b] = true;
    }
}

static void first_in_forwards(void **state) {
    (void)state;
    for (int t = 0; t < N_TIES; t++)
        for (int b = 0; b < N_BACKENDS; b++) {
            if (!backend_is_built_in(backends[b])) continue;
            model_t m;
            open_model(&m, &ties[t]);
            exec_t *e = open_exec(&m, backends[b]);
            int32_t ids[LENGTH];
            float logits[LENGTH * VOCAB];
            for (int i = 0; i < LENGTH; i++) ids[i] = i * 7 % VOCAB;
            reformer_io_t io = {.size = sizeof io,
                                .input_ids = ids,
                                .batch = 1,
                                .length = LENGTH,
                                .threads = 1,
                                .logits = logits,
                                .trace = look,
                                .trace_ctx = &m};
            assert_true(exec_forward(e, &io, m.d));
            assert_memory_equal(m.seen, ties[t].may, sizeof m.seen);
            exec_close(e);
            close_model(&m);
        }
}

/* ---- steps ------------------------------------------------------------------------------------------- */

static void generate(exec_t *e, model_t *m, size_t prompt, float logits[STEPS][VOCAB]) {
    exec_cache_t *c = exec_cache_new(e, prompt + STEPS, prompt, 1, m->d);
    int32_t ids[LENGTH];
    assert_non_null(c);
    for (int i = 0; i < LENGTH; i++) ids[i] = i * 7 % VOCAB;
    reformer_decode_t io = {.size = sizeof io,
                            .input_ids = ids,
                            .batch = 1,
                            .length = prompt,
                            .threads = 1,
                            .logits = logits[0]};
    assert_int_equal(exec_prefill(c, &io, m->d), REFORMER_OK);
    for (int s = 0; s < STEPS; s++) {
        int32_t id = s * 3 % VOCAB;
        io = (reformer_decode_t){.size = sizeof(reformer_decode_t),
                                 .input_ids = &id,
                                 .batch = 1,
                                 .threads = 1,
                                 .logits = logits[s]};
        assert_int_equal(exec_step(c, &io, m->d), REFORMER_OK);
    }
    exec_cache_free(c);
}

/* Where a new token is filed decides what it sees: as in the reference, after a prompt that a forward hashed, and after
 * one so short that the steps hash its tokens. */
static void first_in_steps(void **state) {
    (void)state;
    static const size_t prompts[] = {1, 20};
    for (int t = 0; t < N_TIES; t++)
        for (int b = 1; b < N_BACKENDS; b++)
            for (int p = 0; p < 2; p++) {
                if (!backend_is_built_in(backends[b])) continue;
                model_t m;
                float want[STEPS][VOCAB], got[STEPS][VOCAB];
                open_model(&m, &ties[t]);
                exec_t *reference = open_exec(&m, BACKEND_REFERENCE);
                exec_t *e = open_exec(&m, backends[b]);
                generate(reference, &m, prompts[p], want);
                generate(e, &m, prompts[p], got);
                for (int s = 0; s < STEPS; s++)
                    for (int v = 0; v < VOCAB; v++)
                        assert_true(fabsf(got[s][v] - want[s][v]) < 1e-4F);
                exec_close(e);
                exec_close(reference);
                close_model(&m);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(first_in_forwards),
                                       cmocka_unit_test(first_in_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
