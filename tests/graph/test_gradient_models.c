/* Gradients model by model: random small specs of every head, against finite differences; what the train step is made of.
 *
 *     test_graph_gradient_models [COUNT [SEED]]     so many models */
#include <stdio.h>

#include "differences.h"

static int how_many = 40;
static uint64_t first_seed = 1;

/* ---- random specs -------------------------------------------------------------------------- */

/* Without corners, which a finite difference would step over. */
static const act_t smooth[] = {ACT_GELU,       ACT_GELU_NEW, ACT_SILU,        ACT_GELU_FAST,
                               ACT_QUICK_GELU, ACT_MISH,     ACT_LINEAR,      ACT_SIGMOID,
                               ACT_TANH,       ACT_LAPLACE,  ACT_SQRTSOFTPLUS};
static const char *const heads[] = {"ReformerModelWithLMHead", "ReformerForMaskedLM",
                                    "ReformerForSequenceClassification",
                                    "ReformerForQuestionAnswering"};

typedef struct {
    uint64_t *seed;
    sbuf_t text;
    bool causal, classifies, drops;
    int64_t length, labels;
} draft_t;

static uint32_t draw(draft_t *m, uint32_t n) {
    return next_draw(m->seed, n);
}

#define PICK(m, ...)                                                                               \
    ((const int64_t[]){__VA_ARGS__})[draw(m, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))]

static const char *smooth_act(draft_t *m) {
    return act_name(smooth[draw(m, sizeof smooth / sizeof *smooth)]);
}

static void write_layers(draft_t *m) {
    int n = 1 + (int)draw(m, 3);
    bool own = draw(m, 2), gate = draw(m, 2), rms = draw(m, 2), extended = draw(m, 2);
    sbuf_puts(&m->text, "attn_layers: [");
    for (int i = 0; i < n; i++)
        sbuf_printf(&m->text, "%s%s", i ? ", " : "", draw(m, 2) ? "lsh" : "local");
    sbuf_puts(&m->text, "]\n");
    if (!extended) return;
    sbuf_printf(&m->text, "extensions: {feed_forward_gate: %s, norm: %s, layers: [",
                gate ? "true" : "false", rms ? "rms" : "layer");
    for (int i = 0; own && i < n; i++) {
        const char *act = smooth_act(m);
        int64_t width = PICK(m, 5, 9), number = PICK(m, 1, 3);
        sbuf_printf(&m->text,
                    "%s{hidden_act: %s, feed_forward_size: %lld, num_attention_heads: %lld}",
                    i ? ", " : "", act, (long long)width, (long long)number);
    }
    sbuf_puts(&m->text, "]}\n");
}

static void write_windows(draft_t *m) {
    static const char *const kinds[] = {"local", "lsh"};
    for (int i = 0; i < 2; i++) {
        int64_t chunk = PICK(m, 2, 3, 4, 8), before = draw(m, 3);
        int64_t after = m->causal ? 0 : draw(m, 2);
        sbuf_printf(&m->text,
                    "%s_attn_chunk_length: %lld\n%s_num_chunks_before: %lld\n"
                    "%s_num_chunks_after: %lld\n",
                    kinds[i], (long long)chunk, kinds[i], (long long)before, kinds[i],
                    (long long)after);
    }
}

static void write_positions(draft_t *m) {
    switch (draw(m, 3)) {
    case 0: sbuf_puts(&m->text, "axial_pos_embds: false\n"); break;
    case 1: sbuf_puts(&m->text, "axial_pos_shape: [6, 8]\naxial_pos_embds_dim: [4, 6]\n"); break;
    default:
        sbuf_puts(&m->text, "axial_pos_shape: [4, 3, 4]\naxial_pos_embds_dim: [3, 5, 2]\n");
        break;
    }
}

/* In half of the models; each place has its chance. */
static void write_rates(draft_t *m) {
    static const char *const rates[] = {"0", "0.05", "0.3"};
    static const char *const keys[] = {"hidden_dropout_prob", "lsh_attention_probs_dropout_prob",
                                       "local_attention_probs_dropout_prob", "classifier_dropout"};
    m->drops = draw(m, 2);
    for (int i = 0; i < 4; i++) {
        const char *rate = rates[draw(m, 3)];
        sbuf_printf(&m->text, "%s: %s\n", keys[i], rate);
    }
}

static void write_spec(draft_t *m) {
    static const char *const buckets[] = {"2", "4", "6", "[2, 4]", "[4, 2, 2]", "null"};
    uint32_t head = draw(m, 4), which = draw(m, 6), rounds = 1 + draw(m, 3);
    int64_t size = PICK(m, 2, 3, 5), number = PICK(m, 1, 2);
    const char *act = smooth_act(m);
    m->classifies = head == 2;
    m->causal = head == 0 || (head > 1 && draw(m, 2));
    m->labels = head == 2 ? PICK(m, 1, 3) : 2;
    m->length = 2 + draw(m, 15);
    sbuf_printf(&m->text,
                "architectures: [%s]\nis_decoder: %s\nnum_labels: %lld\nhidden_act: %s\n"
                "num_buckets: %s\nnum_hashes: %u\nattention_head_size: %lld\n"
                "num_attention_heads: %lld\nhidden_size: 10\nfeed_forward_size: 7\n"
                "vocab_size: 11\nmax_position_embeddings: 48\nlayer_norm_eps: 1e-5\nhash_seed: 1\n",
                heads[head], m->causal ? "true" : "false", (long long)m->labels, act,
                buckets[which], rounds, (long long)size, (long long)number);
    write_windows(m);
    write_positions(m);
    write_layers(m);
    write_rates(m);
}

/* ---- a model and its input ----------------------------------------------------------------- */

enum { ROWS = 2, MAX = ROWS * 16 };

typedef struct {
    draft_t draft;
    differences_t x;
    spec_t *spec;
    int32_t ids[MAX], labels[MAX], start[ROWS], end[ROWS];
    uint8_t mask[MAX];
    float numbers[ROWS * 3];
    graph_dropout_t dropout;
} model_t;

/* Some input is shorter than what the graph is for. */
static void draw_input(model_t *m) {
    draft_t *d = &m->draft;
    int64_t length = draw(d, 3) ? d->length : 2 + draw(d, (uint32_t)d->length - 1);
    bool masked = draw(d, 2), numbers = d->classifies && (d->labels == 1 || draw(d, 2));
    for (int64_t i = 0; i < ROWS * length; i++) {
        m->ids[i] = (int32_t)draw(d, 11);
        m->labels[i] =
            draw(d, 4) ? (int32_t)draw(d, d->classifies ? (uint32_t)d->labels : 11) : -100;
        m->mask[i] = draw(d, 4) != 0;
    }
    for (int i = 0; i < ROWS; i++) {
        m->start[i] = (int32_t)draw(d, (uint32_t)length);
        m->end[i] = (int32_t)draw(d, (uint32_t)length + 2);
        for (int k = 0; k < 3; k++) m->numbers[i * 3 + k] = (float)draw(d, 100) / 50 - 1;
    }
    m->labels[0] = m->labels[1] = m->start[0] = m->end[0] = 0; /* something counts */
    m->x.io = (reformer_io_t){.size = sizeof(reformer_io_t),
                              .input_ids = m->ids,
                              .batch = ROWS,
                              .length = (size_t)length,
                              .attention_mask = masked ? m->mask : NULL,
                              .labels = numbers ? NULL : m->labels,
                              .labels_f32 = numbers ? m->numbers : NULL,
                              .start_positions = m->start,
                              .end_positions = m->end};
}

static void open_model(model_t *m, uint64_t seed) {
    memset(m, 0, sizeof *m);
    differences_t *x = &m->x;
    begin_differences(x, seed * 1000003);
    m->draft.seed = &x->seed;
    for (int i = 0; i < 8; i++) (void)draw(&m->draft, 2);
    write_spec(&m->draft);
    m->spec =
        spec_from_text(x->a, "model.yaml", m->draft.text.data, m->draft.text.size, NULL, 0, x->d);
    if (!m->spec) fail_msg("%s\n%s", messages(x->d), m->draft.text.data);
    graph_options_t o = {.batch = ROWS, .length = m->draft.length, .train = m->draft.drops};
    m->dropout = (graph_dropout_t){.seed = seed << 33 | seed, .step = 3, .first_row = 5};
    x->dropout = &m->dropout;
    x->forward = graph_build(x->a, m->spec, &o, x->d);
    if (!x->forward) fail_msg("%s\n%s", messages(x->d), m->draft.text.data);
    draw_input(m);
    bool numbers = x->io.labels_f32 && graph_output(x->forward, "loss_f32");
    graph_gradient_options_t by = {.loss = numbers ? "loss_f32" : NULL};
    x->train = graph_gradient(x->a, x->forward, &by, x->d);
    if (!x->train) fail_msg("%s\n%s", messages(x->d), m->draft.text.data);
    draw_params(x);
    impose_buckets(x);
}

static void close_model(model_t *m) {
    sbuf_free(&m->draft.text);
    end_differences(&m->x);
}

/* ---- tests --------------------------------------------------------------------------------- */

static void test_models(void **unused) {
    (void)unused;
    model_t *m = malloc(sizeof *m);
    assert_non_null(m);
    bool undone = false, packed = false, dropped = false;
    double worst = 0;
    for (int i = 0; i < how_many; i++) {
        open_model(m, first_seed + (uint64_t)i);
        undone |= graph_next(m->x.train, G_SUB, NULL) != NULL;
        packed |= graph_next(m->x.train, G_UNPACK_BUCKETS, NULL) != NULL;
        dropped |= graph_next(m->x.train, G_DROPOUT, NULL) != NULL;
        compare_all(&m->x);
        if (!(m->x.worst <= 1))
            fail_msg("model %d: %s is off by %g of what is allowed\n%s", i, m->x.of, m->x.worst,
                     m->draft.text.data);
        worst = fmax(worst, m->x.worst);
        close_model(m);
    }
    printf("%d models, worst %.4f of what is allowed\n", how_many, worst);
    assert_true(undone && packed && dropped);
    free(m);
}

int main(int argc, char **argv) {
    if (argc > 1) how_many = atoi(argv[1]);
    if (argc > 2) first_seed = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
