/* The counts of work.h: a row per op. */
#include "plan/work.h"

#include "support/heap.h"

double work_elements(const gnode_t *n, int64_t units) {
    double elements = 1;
    for (int k = 0; k < n->rank; k++) elements *= (double)dim_at(n->shape[k], units);
    return elements;
}

static double width_of(const gnode_t *n, int64_t units) {
    return (double)dim_at(n->shape[n->rank - 1], units);
}

/* ---- products -------------------------------------------------------------------------------- */

static double of_dense(const gnode_t *n, int64_t units) {
    double bias = n->n_in > 2 && n->in[2] ? 1 : 0;
    return work_elements(n, units) * (2 * width_of(n->in[0], units) + bias);
}

static double of_outer(const gnode_t *n, int64_t units) {
    return 2 * work_elements(n->in[0], units) * width_of(n->in[1], units);
}

/* ---- attention ------------------------------------------------------------------------------- */

static double of_hash(const gnode_t *n, int64_t units) {
    double columns = 0, tokens = work_elements(n->in[0], units) / width_of(n->in[0], units);
    for (int k = 0; k < n->n_factors; k++) columns += (double)n->factors[k] / 2;
    return tokens * (double)(n->heads * n->rounds) * 2 * (double)n->head_size * columns;
}

/* Pairs of a query and a key, in all heads and rounds; blocks that causality masks are none. */
static double pairs_of(const gnode_t *n, const gnode_t *q, int64_t units) {
    double tokens = work_elements(q, units) / width_of(q, units);
    double keys = (double)(n->chunk * (1 + n->before + n->after));
    if (n->rounds) keys *= (double)n->rounds;
    if (n->chunk == 0) keys = (double)dim_at(q->shape[1], units) / (n->causal ? 2 : 1);
    return tokens * (double)n->heads * keys;
}

enum { SOFTMAX = 8 }; /* scale, masks, maximum, exponential, sum, quotient */

/* Scores and values. */
static double of_attention(const gnode_t *n, int64_t units) {
    return pairs_of(n, n->in[0], units) * (double)(4 * n->head_size + SOFTMAX);
}

/* Scores again, and gradients of probabilities, of q, of k, of v. */
static double of_attention_grad(const gnode_t *n, int64_t units) {
    return pairs_of(n, n->in[0], units) * (double)(10 * n->head_size + SOFTMAX);
}

/* ---- all ops --------------------------------------------------------------------------------- */

typedef double count_fn(const gnode_t *n, int64_t units);

static double of_input(const gnode_t *n, int64_t units) {
    return work_elements(n->in[0], units);
}

/* `each`: per element of the result; what stands here with neither moves, reads or rounds, a *_LSE
 * is one kernel with its attention. */
static const struct {
    double each;
    count_fn *count;
} counts[G_COUNT] = {
    [G_EMBED] = {.each = 1},
    [G_EMBED_AT] = {.each = 1},
    [G_EMBED_FROM] = {.each = 1},
    [G_LAYER_NORM] = {.each = 8},
    [G_RMS_NORM] = {.each = 5},
    [G_DENSE] = {.count = of_dense},
    [G_ACTIVATION] = {.each = 4},
    [G_DROPOUT] = {.each = 1},
    [G_ADD] = {.each = 1},
    [G_SUB] = {.each = 1},
    [G_MUL] = {.each = 1},
    [G_LSH_HASH] = {.count = of_hash},
    [G_LSH_ATTENTION] = {.count = of_attention},
    [G_LOCAL_ATTENTION] = {.count = of_attention},
    [G_EXACT_ATTENTION] = {.count = of_attention},
    [G_CROSS_ENTROPY] = {.count = of_input},
    [G_QA_LOSS] = {.count = of_input},
    [G_MSE_LOSS] = {.count = of_input},
    [G_BCE_LOSS] = {.count = of_input},
    [G_DENSE_T] = {.count = of_dense},
    [G_OUTER] = {.count = of_outer},
    [G_SUM_ROWS] = {.count = of_input},
    [G_LAYER_NORM_UNIT] = {.each = 7},
    [G_LAYER_NORM_GRAD] = {.each = 16},
    [G_RMS_NORM_UNIT] = {.each = 4},
    [G_RMS_NORM_GRAD] = {.each = 12},
    [G_ACTIVATION_GRAD] = {.each = 6},
    [G_WORD_GRAD] = {.count = of_input},
    [G_POSITION_GRAD] = {.count = of_input},
    [G_TOTAL] = {.each = 1},
    [G_LSH_ATTENTION_GRAD] = {.count = of_attention_grad},
    [G_LOCAL_ATTENTION_GRAD] = {.count = of_attention_grad},
    [G_EXACT_ATTENTION_GRAD] = {.count = of_attention_grad},
    [G_CROSS_ENTROPY_GRAD] = {.each = 3},
    [G_QA_LOSS_GRAD] = {.each = 3},
    [G_MSE_LOSS_GRAD] = {.each = 3},
    [G_BCE_LOSS_GRAD] = {.each = 3},
};

double work_of(const gnode_t *n, int64_t units) {
    if (counts[n->op].count) return counts[n->op].count(n, units);
    return counts[n->op].each > 0 ? counts[n->op].each * work_elements(n, units) : 0;
}

/* The forward ends where the loss's own gradient stands. What does not depend on that is of
 * the forward, made again. */
train_work_t work_of_train(const graph_t *train) {
    train_work_t w = {0};
    bool *derived = heap_new(train->n_nodes, sizeof *derived), behind = false;
    for (size_t i = 0; i < train->n_nodes; i++) {
        const gnode_t *n = train->nodes[i];
        derived[i] = n->op == G_SEED;
        behind = behind || derived[i];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] && derived[n->in[k]->id]) derived[i] = true;
        double *part = !behind                  ? &w.forward
                       : !derived[i]            ? &w.again
                       : graph_kind(n) == K_SUM ? &w.weights
                                                : &w.inputs;
        *part += work_of(n, train->units.max);
    }
    heap_free(derived);
    return w;
}

double work_total(const train_work_t *w) {
    return w->forward + w->again + w->inputs + w->weights;
}
