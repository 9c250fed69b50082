/* reformer_io_t.token_losses: every back end against the reference; their mean is the loss; a row is the same
 * to the bit alone and in a batch of longer ones, with what lies behind it masked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exec/exec.h"
#include "plan_of.h"

enum { BATCH = 3, VOCAB = 64, LONGEST = 128, IGNORED = -100 };

static const char model[] =
    "attn_layers: [local, lsh, local, lsh]\n"
    "hidden_size: 32\nnum_attention_heads: 2\nattention_head_size: 16\n"
    "feed_forward_size: 64\nvocab_size: 64\n"
    "axial_pos_shape: [8, 16]\naxial_pos_embds_dim: [16, 16]\n"
    "max_position_embeddings: 128\nnum_hashes: 2\nnum_buckets: 8\nhash_seed: 3\n"
    "local_attn_chunk_length: 8\nlsh_attn_chunk_length: 16\n"
    "initializer_range: 0.3\n";

typedef struct {
    arena_t *arena;
    diag_t *diag;
    plan_t *plan;
    store_t *store;
} model_t;

static void open_model(model_t *m, bool causal, const char *length) {
    *m = (model_t){.arena = arena_new(), .diag = diag_new()};
    const char *text = arena_printf(
        m->arena,
        "%sis_decoder: %s\narchitectures: [%s]\ncompile: {sequence_length: %s, batch_size: %d}\n",
        model, causal ? "true" : "false",
        causal ? "ReformerModelWithLMHead" : "ReformerForMaskedLM", length, BATCH);
    plan_options_t o = {.name = "model", .n_targets = 1, .targets = {&targets[T_X86_64]}};
    m->plan = plan_of(m->arena, text, &o, m->diag);
    assert_non_null(m->plan);
    store_options_t so = {.path = "random:7"};
    m->store = store_load(m->plan->variants[m->plan->n_variants - 1].graph, &so, m->diag);
    assert_non_null(m->store);
}

static void close_model(model_t *m) {
    store_free(m->store);
    diag_free(m->diag);
    arena_free(m->arena);
}

/* Rows of these lengths, behind which all is masked and nothing is to be predicted. */
typedef struct {
    size_t length, rows[BATCH];
    int32_t ids[BATCH * LONGEST], labels[BATCH * LONGEST];
    uint8_t mask[BATCH * LONGEST];
} input_tensors_t;

static void make_input(input_tensors_t *in, size_t a, size_t b, size_t c) {
    *in = (input_tensors_t){.rows = {a, b, c}};
    for (int r = 0; r < BATCH; r++)
        if (in->rows[r] > in->length) in->length = in->rows[r];
    for (size_t i = 0; i < BATCH * in->length; i++) {
        bool real = i % in->length < in->rows[i / in->length];
        in->ids[i] = real ? (int32_t)((i * 37 + i / 7 * 11) % VOCAB) : 0;
        in->labels[i] = real && i % 11 != 5 ? (in->ids[i] + 1) % VOCAB : IGNORED;
        in->mask[i] = real;
    }
}

static reformer_io_t io_of(const input_tensors_t *in, float *losses, float *loss) {
    return (reformer_io_t){.size = sizeof(reformer_io_t),
                           .input_ids = in->ids,
                           .attention_mask = in->mask,
                           .labels = in->labels,
                           .batch = BATCH,
                           .length = in->length,
                           .threads = 2,
                           .token_losses = losses,
                           .loss = loss};
}

/* ---- what holds of any back end ----------------------------------------------------------------------- */

static void the_mean_is_the_loss(const input_tensors_t *in, bool causal, const float *losses,
                                 float loss) {
    double sum = 0, count = 0;
    for (size_t i = 0; i < BATCH * in->length; i++) {
        bool last = i % in->length == in->length - 1;
        int32_t label = causal ? (last ? IGNORED : in->labels[i + 1]) : in->labels[i];
        if (label == IGNORED) assert_true(losses[i] == 0);
        else assert_true(losses[i] > 0);
        sum += losses[i];
        count += label != IGNORED;
    }
    assert_true(count > 0);
    assert_float_equal(sum / count, loss, 1e-6);
}

static void each_row_alone(model_t *m, exec_t *e, const input_tensors_t *in, const float *losses) {
    for (size_t r = 0; r < BATCH; r++) {
        float alone[LONGEST];
        reformer_io_t io = io_of(in, alone, NULL);
        io.input_ids += r * in->length;
        io.labels += r * in->length;
        io.attention_mask = NULL;
        io.batch = 1;
        io.length = in->rows[r];
        assert_true(exec_forward(e, &io, m->diag));
        assert_memory_equal(alone, losses + r * in->length, io.length * sizeof *alone);
    }
}

/* Losses into `losses`, after all checks. */
static void run(model_t *m, backend_t backend, const input_tensors_t *in, float *losses,
                bool rows) {
    float loss = -1, again[BATCH * LONGEST];
    bool causal = m->plan->spec->architecture == ARCH_CAUSAL_LM;
    exec_options_t o = {.backend = backend};
    exec_t *e = exec_open(m->plan, m->store, &o, m->diag);
    assert_non_null(e);
    reformer_io_t io = io_of(in, losses, &loss);
    assert_true(exec_forward(e, &io, m->diag));
    the_mean_is_the_loss(in, causal, losses, loss);
    io = io_of(in, again, NULL); /* without the mean */
    assert_true(exec_forward(e, &io, m->diag));
    assert_memory_equal(again, losses, BATCH * in->length * sizeof *losses);
    if (rows) each_row_alone(m, e, in, losses);
    exec_close(e);
}

static void compare(bool causal, const char *length, const input_tensors_t *in) {
    model_t m;
    float want[BATCH * LONGEST], got[BATCH * LONGEST], first[BATCH * LONGEST];
    bool rows = causal; /* looking ahead, a row sees that it ends where others go on */
    open_model(&m, causal, length);
    run(&m, BACKEND_REFERENCE, in, want, rows);
    static const backend_t others[] = {BACKEND_INTERPRETER, BACKEND_C, BACKEND_JIT};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (!backend_is_built_in(others[i])) continue;
        run(&m, others[i], in, got, rows);
        for (size_t t = 0; t < BATCH * in->length; t++) assert_float_equal(got[t], want[t], 1e-5);
        if (i == 0) memcpy(first, got, sizeof first);
        else assert_memory_equal(got, first, BATCH * in->length * sizeof *got);
    }
    close_model(&m);
}

/* ---- tests ---------------------------------------------------------------------------------------------- */

static void fixed(void **state) {
    (void)state;
    input_tensors_t in;
    make_input(&in, 41, 30, 48);
    compare(true, "48", &in);
}

static void dynamic(void **state) {
    (void)state;
    input_tensors_t in;
    make_input(&in, 64, 50, 61); /* one of them needs no padding */
    compare(true, "dynamic", &in);
}

/* Up to one chunk nothing is padded: keys are absent, not masked. */
static void dynamic_short(void **state) {
    (void)state;
    input_tensors_t in;
    make_input(&in, 3, 8, 1);
    compare(true, "dynamic", &in);
}

static void masked_lm(void **state) {
    (void)state;
    input_tensors_t in;
    make_input(&in, 48, 48, 48);
    compare(false, "48", &in);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed),
        cmocka_unit_test(dynamic),
        cmocka_unit_test(dynamic_short),
        cmocka_unit_test(masked_lm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
