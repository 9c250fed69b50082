/* The evaluator's losses and their gradients: docs/semantics.md 8. As in torch, the mean over no
 * labels at all is NaN, and its gradient 0. */
#include <math.h>

#include "graph/evaluate_ops.h"
#include "support/heap.h"

enum { IGNORED = -100 };

/* log of the sum of exp, minus x[target]: as torch's log_softmax adds it up, which loses nothing of
 * the log beside a large maximum. */
static double cross_entropy(const double *x, int64_t n, int64_t target) {
    double max = x[0], sum = 0;
    for (int64_t k = 1; k < n; k++)
        if (x[k] > max) max = x[k];
    for (int64_t k = 0; k < n; k++) sum += exp(x[k] - max);
    return log(sum) + (max - x[target]);
}

/* dx += factor * (softmax(x) - 1 at the target) */
static void cross_entropy_gradient(const double *x, int64_t n, int64_t target, double factor,
                                   double *dx) {
    double lse = cross_entropy(x, n, target) + x[target];
    for (int64_t k = 0; k < n; k++) dx[k] += factor * (exp(x[k] - lse) - (k == target));
}

/* Labels of io are [rows][length] or [rows]; a causal LM predicts the label of the next token. What
 * each token of a language model adds goes to io->token_losses too. */
int eval_cross_entropy(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *logits = eval_in(e, n, 0);
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

/* The logits that predict label k; -1: none do, or the label is ignored. */
static int64_t predicting(const eval_value_t *logits, int64_t given, int64_t shift, int64_t k,
                          int32_t label) {
    int64_t tokens = logits->rank == 3 ? logits->shape[1] : 1, token = k % given - shift;
    return label == IGNORED || token < 0 ? -1 : k / given * tokens + token;
}

int eval_cross_entropy_grad(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *dy = eval_in(e, n, 0), *logits = eval_in(e, n, 1);
    int64_t classes = logits->shape[logits->rank - 1], given = logits->rank == 3 ? e->length : 1;
    const int32_t *labels = e->io->labels;
    double count = 0;
    if (!labels) return REFORMER_E_ARGUMENT;
    for (int64_t k = 0; k < e->rows * given; k++) {
        if (labels[k] != IGNORED && (labels[k] < 0 || labels[k] >= classes))
            return REFORMER_E_LABEL;
        count += predicting(logits, given, n->shift, k, labels[k]) >= 0;
    }
    for (int64_t k = 0; k < e->rows * given; k++) {
        int64_t row = predicting(logits, given, n->shift, k, labels[k]);
        if (row >= 0)
            cross_entropy_gradient(logits->f + row * classes, classes, labels[k], dy->f[0] / count,
                                   out->f + row * classes);
    }
    return REFORMER_OK;
}

/* Mean over rows of the cross entropy over positions; targets beyond the last are ignored. */
static double position_loss(const eval_t *e, const eval_value_t *logits, const int32_t *positions) {
    double sum = 0, count = 0;
    for (int64_t b = 0; b < e->rows; b++) {
        int64_t target = positions[b] < 0 ? 0 : positions[b];
        if (target >= e->loss_length) continue;
        sum += cross_entropy(logits->f + b * logits->shape[1], e->loss_length, target);
        count++;
    }
    return sum / count;
}

int eval_qa_loss(eval_t *e, const gnode_t *n, eval_value_t *out) {
    if (!e->io->start_positions || !e->io->end_positions) return REFORMER_E_ARGUMENT;
    out->f[0] = (position_loss(e, eval_in(e, n, 0), e->io->start_positions) +
                 position_loss(e, eval_in(e, n, 1), e->io->end_positions)) /
                2;
    return REFORMER_OK;
}

/* For start or end: which of the two columns of dx. */
static void position_gradient(const eval_t *e, const eval_value_t *logits, const int32_t *positions,
                              double dy, double *dx) {
    int64_t length = logits->shape[1];
    double count = 0, *own = eval_alloc(length, sizeof *own);
    for (int64_t b = 0; b < e->rows; b++) count += positions[b] < e->loss_length;
    for (int64_t b = 0; b < e->rows; b++) {
        if (positions[b] >= e->loss_length) continue;
        for (int64_t k = 0; k < length; k++) own[k] = 0;
        cross_entropy_gradient(logits->f + b * length, e->loss_length,
                               positions[b] < 0 ? 0 : positions[b], dy / count, own);
        for (int64_t k = 0; k < length; k++) dx[2 * (b * length + k)] = own[k];
    }
    heap_free(own);
}

int eval_qa_loss_grad(eval_t *e, const gnode_t *n, eval_value_t *out) {
    double dy = eval_in(e, n, 0)->f[0] / 2;
    if (!e->io->start_positions || !e->io->end_positions) return REFORMER_E_ARGUMENT;
    position_gradient(e, eval_in(e, n, 1), e->io->start_positions, dy, out->f);
    position_gradient(e, eval_in(e, n, 2), e->io->end_positions, dy, out->f + 1);
    return REFORMER_OK;
}

/* One label: integers are numbers too. */
static bool has_numbers(const eval_t *e, const eval_value_t *logits) {
    return e->io->labels_f32 || (e->io->labels && logits->shape[1] == 1);
}
static double number(const eval_t *e, int64_t k) {
    return e->io->labels_f32 ? (double)e->io->labels_f32[k] : e->io->labels[k];
}

int eval_mse_loss(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *logits = eval_in(e, n, 0);
    double sum = 0;
    if (!has_numbers(e, logits)) return REFORMER_E_ARGUMENT;
    for (int64_t k = 0; k < logits->elements; k++) {
        double error = logits->f[k] - number(e, k);
        sum += error * error;
    }
    out->f[0] = sum / (double)logits->elements;
    return REFORMER_OK;
}

int eval_mse_loss_grad(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *dy = eval_in(e, n, 0), *logits = eval_in(e, n, 1);
    if (!has_numbers(e, logits)) return REFORMER_E_ARGUMENT;
    for (int64_t k = 0; k < logits->elements; k++)
        out->f[k] = dy->f[0] * 2 * (logits->f[k] - number(e, k)) / (double)logits->elements;
    return REFORMER_OK;
}

/* With logits: x - x * label + log(1 + exp(-x)), written so that nothing overflows. */
int eval_bce_loss(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *logits = eval_in(e, n, 0);
    double sum = 0;
    if (!e->io->labels_f32) return REFORMER_E_ARGUMENT;
    for (int64_t k = 0; k < logits->elements; k++) {
        double x = logits->f[k];
        sum += fmax(x, 0) - x * e->io->labels_f32[k] + log1p(exp(-fabs(x)));
    }
    out->f[0] = sum / (double)logits->elements;
    return REFORMER_OK;
}

int eval_bce_loss_grad(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *dy = eval_in(e, n, 0), *logits = eval_in(e, n, 1);
    if (!e->io->labels_f32) return REFORMER_E_ARGUMENT;
    for (int64_t k = 0; k < logits->elements; k++)
        out->f[k] = dy->f[0] * (1 / (1 + exp(-logits->f[k])) - e->io->labels_f32[k]) /
                    (double)logits->elements;
    return REFORMER_OK;
}
