/* The evaluator's losses: HF_SEMANTICS 8. As in torch, the mean over no labels at all is NaN. */
#include <math.h>

#include "graph/evaluate_ops.h"

enum { IGNORED = -100 };

/* log of the sum of exp, minus x[target] */
static double cross_entropy(const double *x, int64_t n, int64_t target) {
    double max = x[0], sum = 0;
    for (int64_t k = 1; k < n; k++)
        if (x[k] > max) max = x[k];
    for (int64_t k = 0; k < n; k++) sum += exp(x[k] - max);
    return log(sum) + max - x[target];
}

/* Labels of io are [rows][length] or [rows]; a causal LM predicts the label of the next token. What each
 * token of a language model adds goes to io->token_losses too. */
int eval_cross_entropy(eval_t *e, const gnode_t *n, value_t *out) {
    const value_t *logits = eval_in(e, n, 0);
    int64_t classes = logits->shape[logits->rank - 1];
    int64_t tokens = logits->rank == 3 ? logits->shape[1] : 1;
    int64_t given = logits->rank == 3 ? e->length : 1;
    double sum = 0, count = 0;
    float *each = e->io->token_losses;
    if (!e->io->labels) return REFORMER_E_ARGUMENT;
    for (int64_t k = 0; each && k < e->rows * given; k++) each[k] = 0;
    for (int64_t k = 0; k < e->rows * given; k++) {
        int64_t label = e->io->labels[k], token = k % given - n->shift;
        if (label == IGNORED) continue;
        if (label < 0 || label >= classes) return REFORMER_E_LABEL;
        if (token < 0) continue;
        const double *row = logits->f + (k / given * tokens + token) * classes;
        double loss = cross_entropy(row, classes, label);
        if (each) each[k - n->shift] = (float)loss;
        sum += loss;
        count++;
    }
    out->f[0] = sum / count;
    return REFORMER_OK;
}

/* Mean over rows of the cross entropy over positions; targets beyond the last are ignored. */
static double position_loss(const eval_t *e, const value_t *logits, const int32_t *positions) {
    double sum = 0, count = 0;
    for (int64_t b = 0; b < e->rows; b++) {
        int64_t target = positions[b] < 0 ? 0 : positions[b];
        if (target >= e->loss_length) continue;
        sum += cross_entropy(logits->f + b * logits->shape[1], e->loss_length, target);
        count++;
    }
    return sum / count;
}

int eval_qa_loss(eval_t *e, const gnode_t *n, value_t *out) {
    if (!e->io->start_positions || !e->io->end_positions) return REFORMER_E_ARGUMENT;
    out->f[0] = (position_loss(e, eval_in(e, n, 0), e->io->start_positions) +
                 position_loss(e, eval_in(e, n, 1), e->io->end_positions)) /
                2;
    return REFORMER_OK;
}

/* One label: integers are numbers too. */
int eval_mse_loss(eval_t *e, const gnode_t *n, value_t *out) {
    const value_t *logits = eval_in(e, n, 0);
    bool integers = !e->io->labels_f32 && e->io->labels && logits->shape[1] == 1;
    double sum = 0;
    if (!e->io->labels_f32 && !integers) return REFORMER_E_ARGUMENT;
    for (int64_t k = 0; k < logits->elements; k++) {
        double label = integers ? e->io->labels[k] : (double)e->io->labels_f32[k];
        sum += (logits->f[k] - label) * (logits->f[k] - label);
    }
    out->f[0] = sum / (double)logits->elements;
    return REFORMER_OK;
}

/* With logits: x - x * label + log(1 + exp(-x)), written so that nothing overflows. */
int eval_bce_loss(eval_t *e, const gnode_t *n, value_t *out) {
    const value_t *logits = eval_in(e, n, 0);
    double sum = 0;
    if (!e->io->labels_f32) return REFORMER_E_ARGUMENT;
    for (int64_t k = 0; k < logits->elements; k++) {
        double x = logits->f[k];
        sum += fmax(x, 0) - x * e->io->labels_f32[k] + log1p(exp(-fabs(x)));
    }
    out->f[0] = sum / (double)logits->elements;
    return REFORMER_OK;
}
