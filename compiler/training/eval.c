/* Evaluation of training.h: always the same windows, side by side, without dropout.
 *
 * Of a text the loss is a mean over all labels, and bits are those of the text's bytes that they
 * stand for, as `eval` counts them. A label is right where its logit is the greatest. */
#include <math.h>

#include "support/heap.h"
#include "support/pages.h"
#include "training/training.h"

enum { MAX_LOGITS = 1 << 30 }; /* bytes; beyond them nothing is counted as right or wrong */

typedef struct {
    double nats, items, bytes;
    double right, rows, rows_right; /* labels; rows with labels, and those of them with all right */
    double *given, *found, *both;   /* [labels] of a classifier: rows of this class */
} tally_t;

bool train_evaluates(const training_t *t) {
    return t->feed.data && data_eval_windows(t->feed.data) > 0;
}

/* ---- right and wrong ------------------------------------------------------------------------- */

static int64_t greatest(const float *x, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

static void judge_row(tally_t *y, const float *logits, const int32_t *labels, int64_t n,
                      int64_t vocab) {
    double labelled = 0, right = 0;
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] == DATA_IGNORED) continue;
        labelled++;
        right += greatest(logits + i * vocab, vocab) == labels[i];
    }
    y->right += right;
    y->rows += labelled > 0;
    y->rows_right += labelled > 0 && right == labelled;
}

/* Logits of a position are those of the label behind it. */
static void judge_tokens(const training_t *t, tally_t *y, const reformer_io_t *io) {
    const facts_t *f = &t->s->model.facts;
    int64_t length = (int64_t)io->length, shift = f->head == ARCH_CAUSAL_LM;
    for (int64_t r = 0; r < (int64_t)io->batch; r++)
        judge_row(y, io->logits + r * length * f->vocab, io->labels + r * length + shift,
                  length - shift, f->vocab);
}

static void judge_classes(const training_t *t, tally_t *y, const reformer_io_t *io) {
    int64_t labels = t->s->model.facts.labels;
    for (int64_t r = 0; r < (int64_t)io->batch; r++) {
        int32_t label = io->labels[r];
        int64_t best = greatest(io->logits + r * labels, labels);
        if (label < 0 || label >= labels) continue;
        y->right += best == label;
        y->given[label]++;
        y->found[best]++;
        y->both[label] += best == label;
    }
}

/* NaN: no row is of this class, and none was taken for it. */
static double f1_of(const tally_t *y, int64_t class) {
    double all = y->given[class] + y->found[class];
    return all > 0 ? 2 * y->both[class] / all : NAN;
}

/* Of two classes that of the second, as is usual; of more the mean of those that there are. */
static double f1(const tally_t *y, int64_t labels) {
    if (labels == 2) return f1_of(y, 1);
    double sum = 0, n = 0;
    for (int64_t k = 0; k < labels; k++) {
        double one = f1_of(y, k);
        if (!isfinite(one)) continue;
        sum += one;
        n++;
    }
    return sum / n;
}

/* ---- windows --------------------------------------------------------------------------------- */

static bool classifies(const training_t *t) {
    return t->s->model.facts.head == ARCH_CLASSIFIER;
}

/* NULL: too large, or no memory for them. */
static float *logits_new(const training_t *t) {
    const facts_t *f = &t->s->model.facts;
    const int64_t lm[] = {t->feed.rows, t->feed.length, f->vocab},
                  classes[] = {t->feed.rows, f->labels};
    size_t bytes;
    bool fits = classifies(t) ? checked_product(classes, 2, sizeof(float), &bytes)
                              : checked_product(lm, 3, sizeof(float), &bytes);
    return fits && bytes <= MAX_LOGITS ? pages_alloc(bytes) : NULL;
}

static bool run_windows(training_t *t, exec_t *by, tally_t *y, data_batch_t *b, float *logits) {
    int64_t n = data_eval_windows(t->feed.data);
    for (int64_t at = 0; at < n; at += b->rows) {
        if (!data_eval(t->feed.data, at, t->feed.rows, b, t->d)) return false;
        if (b->items == 0) continue; /* the mean over no labels is no number */
        float loss = 0;
        reformer_io_t io = batch_io(b);
        io.threads = t->s->threads;
        io.pool = pool_interface(t->s->pool);
        io.loss = &loss;
        io.logits = logits;
        if (!exec_forward(by, &io, t->d)) return false;
        y->nats += (double)loss * (double)b->items;
        y->items += (double)b->items;
        y->bytes += (double)b->bytes;
        if (!logits) continue;
        if (classifies(t)) judge_classes(t, y, &io);
        else judge_tokens(t, y, &io);
    }
    return true;
}

static bool has_loss(const training_t *t, const tally_t *y) {
    if (y->items == 0) {
        diag_error(t->d, NOWHERE,
                   "step %lld: no label of what is held out counts, so it has no loss",
                   (long long)t->step);
        diag_hint(t->d, "hold out more: --eval-fraction X, --eval-text FILE, or more of "
                        "train.eval_windows; 'train.never_masked' leaves out labels, too");
        return false;
    }
    if (isfinite(y->nats)) return true;
    diag_error(t->d, NOWHERE,
               "step %lld: the loss of an evaluation is not a finite number: the weights overflow",
               (long long)t->step);
    return false;
}

bool train_eval(training_t *t, exec_t *by, metric_t *row) {
    int64_t labels = t->s->model.facts.labels;
    arena_t *a = arena_new();
    tally_t y = {.given = ARENA_ARRAY(a, double, labels),
                 .found = ARENA_ARRAY(a, double, labels),
                 .both = ARENA_ARRAY(a, double, labels)};
    data_batch_t b = data_batch_new(t->feed.rows, t->feed.length);
    float *logits = logits_new(t);
    bool ok = run_windows(t, by, &y, &b, logits) && has_loss(t, &y);
    row->eval_loss = y.nats / y.items;
    if (y.bytes > 0 && !classifies(t)) row->eval_bits = y.nats / y.bytes / log(2.0);
    if (logits) row->accuracy = y.right / y.items;
    if (logits && !classifies(t)) row->sequences = y.rows_right / y.rows;
    if (logits && classifies(t)) row->f1 = f1(&y, labels);
    heap_free(logits);
    data_batch_free(&b);
    arena_free(a);
    return ok;
}

bool train_eval_held(training_t *t, metric_t *row) {
    exec_t *by = t->hashing ? hashing_bind(t, t->hashing) : t->s->exec;
    return by && train_eval(t, by, row);
}
