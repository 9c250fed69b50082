/* Random graphs that no spec can say: their train steps against finite differences.
 *
 *     random_derivatives COUNT SEED|fresh
 *
 * Each is edited as in random_graphs; activations have no corners, and half of the graphs drop: attentions and embeddings
 * at rates of their own, and what dense layers give. All params move at once, then those of a few nodes at a time. What
 * the backward pass computes again is compared with keeping it, too. Regions of both can run. */
#include <stdio.h>
#include <time.h>

#include "../graph/differences.h"
#include "graph/ops.h"
#include "graph_edit.h"
#include "lower/regions.h"
#include "plan_of.h"
#include "random_graph.h"

enum { ROWS = 2, MAX_TOKENS = ROWS * 24, VOCAB = 11 };

typedef struct {
    differences_t x;
    forms_t forms;
    char *text;
    plan_t *plan;
    int64_t length;
    int32_t ids[MAX_TOKENS], labels[MAX_TOKENS], start[ROWS], end[ROWS];
    uint8_t mask[MAX_TOKENS];
    float numbers[ROWS * 5];
    graph_dropout_t dropout;
} sample_t;

static const act_t smooth[] = {ACT_GELU, ACT_GELU_NEW, ACT_SILU, ACT_MISH, ACT_TANH, ACT_SIGMOID};
enum { N_SMOOTH = sizeof smooth / sizeof *smooth };

/* ---- a graph ------------------------------------------------------------------------------------- */

static void write_spec(sample_t *m, int64_t *labels, bool *classifies) {
    static const char *const heads[] = {"ReformerModelWithLMHead", "ReformerForMaskedLM",
                                        "ReformerForSequenceClassification",
                                        "ReformerForQuestionAnswering"};
    sbuf_t s = {0};
    (void)random_forms(&s, false, &m->forms);
    uint32_t head = draw(4);
    bool causal = head == 0 || (head > 1 && draw(2));
    *classifies = head == 2;
    *labels = head == 2 ? PICK(1, 2, 5) : 2;
    int64_t local = PICK(2, 3, 4, 8), lsh = PICK(2, 3, 4, 8);
    sbuf_printf(&s, "architectures: [%s]\nis_decoder: %s\nnum_labels: %lld\nvocab_size: %d\n",
                heads[head], causal ? "true" : "false", (long long)*labels, VOCAB);
    random_chunks(&s, causal, local, lsh);
    int64_t unit = min_common_multiple(local, lsh), hidden = PICK(8, 11);
    m->length = 2 + draw(23);
    random_positions(&s, hidden, (m->length + unit - 1) / unit * unit);
    random_buckets(&s);
    random_widths(&s);
    random_norms(&s, "0.15");
    m->text = arena_strdup(m->x.a, s.data);
    sbuf_free(&s);
}

static void smooth_activations(graph_t *g) {
    for (size_t i = 0; i < g->n_nodes; i++) {
        gnode_t *n = g->nodes[i];
        if (n->op == G_ACTIVATION) n->act = smooth[n->act % N_SMOOTH];
        if (n->op == G_LAYER_NORM || n->op == G_RMS_NORM) n->eps += 1e-4; /* small rows bend far */
    }
}

static void draw_inputs(sample_t *m, int64_t labels, bool classifies) {
    int64_t length = m->length;
    bool numbers = classifies && (labels == 1 || draw(2)), masked = draw(2);
    for (int64_t i = 0; i < ROWS * length; i++) {
        m->ids[i] = (int32_t)draw(VOCAB);
        m->labels[i] = draw(5) ? (int32_t)draw(classifies ? (uint32_t)labels : VOCAB) : -100;
        m->mask[i] = draw(4) != 0;
    }
    for (int i = 0; i < ROWS; i++) {
        m->start[i] = (int32_t)draw((uint32_t)length);
        m->end[i] = (int32_t)draw((uint32_t)length + 2);
        for (int k = 0; k < 5; k++) m->numbers[i * 5 + k] = (float)draw(100) / 50 - 1;
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

/* Whether it falls into regions that can run, makers before readers. */
static bool can_be_cut(sample_t *m, const graph_t *g) {
    const regions_t *r = regions_cut(m->x.a, g, m->x.d);
    for (int i = 0; r && i < r->n_regions; i++)
        for (int k = 0; k < r->regions[i]->reads.n; k++)
            if (r->of_node[r->regions[i]->reads.at[k]->id]->order >= i) return false;
    return r != NULL;
}

static graph_t *derive(sample_t *m, const bool *keep) {
    graph_gradient_options_t o = {.keep = keep};
    bool numbers = m->x.io.labels_f32 && graph_output(m->x.forward, "loss_f32");
    if (numbers) o.loss = "loss_f32";
    graph_t *g = graph_gradient(m->x.a, m->x.forward, &o, m->x.d);
    return g && can_be_cut(m, g) ? g : NULL;
}

static bool open_sample(sample_t *m, int index, uint64_t seed) {
    int64_t labels;
    bool classifies;
    begin_differences(&m->x, seed * 31 + (uint64_t)index);
    draw_begin(seed, index);
    write_spec(m, &labels, &classifies);
    draw_inputs(m, labels, classifies);
    bool drops = draw(2);
    plan_options_t po = {.name = "model",
                         .exact_length = m->length,
                         .exact_batch = ROWS,
                         .n_targets = 1,
                         .targets = {&targets[T_X86_64]}};
    m->plan = plan_of(m->x.a, m->text, &po, m->x.d);
    if (!m->plan || !edit_graphs(m->plan, &m->forms, m->x.d)) return false;
    m->x.forward = m->plan->variants[m->plan->n_variants - 1].graph;
    smooth_activations(m->x.forward);
    if (drops && !drop_graph(m->x.forward, m->x.d)) return false;
    m->dropout = (graph_dropout_t){.seed = seed, .step = (uint32_t)index, .first_row = 3};
    m->x.dropout = &m->dropout;
    for (size_t i = 0; i < m->x.forward->n_nodes; i++) /* wherever they hash */
        if (m->x.forward->nodes[i]->op == G_LSH_HASH)
            m->x.forward->nodes[i]->trace = arena_printf(m->x.a, "%zu.buckets", i);
    m->x.train = derive(m, NULL);
    if (!m->x.train) return false;
    m->x.size =
        0.5; /* scores far from 0 are rounded to float, as Hugging Face rounds them: steps, not slopes */
    draw_params(&m->x);
    impose_buckets(&m->x);
    return true;
}

/* ---- checks -------------------------------------------------------------------------------------- */

enum { AT_ONCE = 6 };

static bool check_differences(sample_t *m, double *worst) {
    differences_t *x = &m->x;
    find_gradients(x);
    *worst = compare_params(x, 0, x->n_params, 1 << 18);
    for (int i = 0; i < x->n_params; i += AT_ONCE) {
        int n = i + AT_ONCE < x->n_params ? AT_ONCE : x->n_params - i;
        *worst = fmax(*worst, compare_params(x, i, n, 1 << 17));
    }
    return *worst <= 1;
}

static bool check_kept(sample_t *m) {
    differences_t *x = &m->x;
    bool *keep = ARENA_ARRAY(x->a, bool, x->forward->n_nodes);
    double *again[MAX_PARAMS];
    for (int i = 0; i < x->n_params; i++) {
        size_t bytes = sizeof(double) * (size_t)count_of(x->params[i]);
        again[i] = arena_copy(x->a, x->gradients[i], bytes);
    }
    for (size_t i = 0; i < x->forward->n_nodes; i++) keep[i] = draw(2);
    graph_t *t = x->train = derive(m, keep);
    if (!t) return false;
    find_gradients(x);
    for (int i = 0; i < x->n_params; i++) {
        double largest = 1e-9, error = 0;
        for (int64_t k = 0; k < count_of(x->params[i]); k++) {
            largest = fmax(largest, fabs(again[i][k]));
            error = fmax(error, fabs(again[i][k] - x->gradients[i][k]));
        }
        if (error > 1e-6 * largest) printf("  %s: %g\n", x->params[i]->name, error / largest);
        if (error > 1e-6 * largest) return false;
    }
    return true;
}

static bool run_one(int index, uint64_t seed) {
    sample_t *m = calloc(1, sizeof *m);
    double worst = 0;
    bool opened = open_sample(m, index, seed);
    bool right = opened && check_differences(m, &worst);
    bool kept = right && check_kept(m);
    printf("%s %4d  length %lld, %zu nodes, of %zu: %.4f\n", kept ? "ok  " : "FAIL", index,
           (long long)m->length, m->x.train ? m->x.train->n_nodes : 0,
           m->x.forward ? m->x.forward->n_nodes : 0, worst);
    if (!kept) {
        sbuf_t text = {0};
        if (m->x.train) graph_print(m->x.train, &text);
        printf("%s\n%s\n", m->text, text.data ? text.data : "");
        diag_print(m->x.d, stdout);
        sbuf_free(&text);
    }
    end_differences(&m->x);
    free(m);
    return kept;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s COUNT SEED|fresh\n", argv[0]);
        return 2;
    }
    bool fresh = strcmp(argv[2], "fresh") == 0;
    uint64_t seed = fresh ? (uint64_t)time(NULL) : strtoull(argv[2], NULL, 10);
    int count = atoi(argv[1]), failed = 0;
    printf("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < count; i++) failed += !run_one(i, seed);
    printf("%d passed, %d failed\n", count - failed, failed);
    return failed > 0;
}
