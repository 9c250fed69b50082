/* The reference of updates: each tensor by itself, in double, with the most obvious code there is.
 * Formulas are those of torch.optim's AdamW, Adam and SGD, of transformers' Adafactor, and of
 * trax's optimisers, which differ from them in their decay, in how they count steps, and where
 * Adafactor's epsilon goes. */
#include <math.h>

#include "graph/update.h"
#include "support/heap.h"

/* One tensor as Adafactor sees it: matrices [rows][columns], one behind the other. */
typedef struct {
    const reformer_optimizer_t *rule;
    const update_memory_t *m;
    int64_t elements, matrices, rows, columns;
    double clip; /* of gradients */
    double rate, t, decay;
} adafactor_tensor_t;

static double gradient_at(const adafactor_tensor_t *x, int64_t i) {
    return x->m->gradient[i] * x->clip;
}

static adafactor_tensor_t tensor_of(const update_t *u, int i, const update_memory_t *m) {
    const update_tensor_t *t = &u->tensors[i];
    adafactor_tensor_t x = {.rule = &u->rule, .m = m, .elements = 1, .matrices = 1, .rows = 1};
    for (int k = 0; k < t->rank; k++) x.elements *= t->shape[k];
    for (int k = 0; k < t->rank - 2; k++) x.matrices *= t->shape[k];
    if (t->rank >= 2) x.rows = t->shape[t->rank - 2];
    x.columns = x.elements / (x.matrices * x.rows);
    x.decay = t->decays ? u->rule.weight_decay : 0;
    return x;
}

static bool is_trax(const adafactor_tensor_t *x) {
    return x->rule->dialect == REFORMER_TRAX;
}

double update_norm(const update_t *u, const update_memory_t *m) {
    double squares = 0;
    for (int i = 0; i < u->n; i++) {
        adafactor_tensor_t x = tensor_of(u, i, &m[i]);
        for (int64_t k = 0; k < x.elements; k++)
            squares += (double)m[i].gradient[k] * m[i].gradient[k];
    }
    return sqrt(squares);
}

/* ---- Adam, SGD ------------------------------------------------------------------------------- */

/* The float that is kept, and what this update goes on with. */
static double keep(float *state, double value) {
    *state = (float)value;
    return value;
}

static void adam(const adafactor_tensor_t *x) {
    const reformer_optimizer_t *o = x->rule;
    bool coupled = o->type == REFORMER_ADAM && !is_trax(x);
    double exponent = is_trax(x) ? x->t + 1 : x->t;
    double corrected[2] = {1 - pow(o->betas[0], exponent), 1 - pow(o->betas[1], exponent)};
    for (int64_t i = 0; i < x->elements; i++) {
        double p = x->m->param[i], g = gradient_at(x, i);
        if (coupled) g += x->decay * p;
        else p *= 1 - (is_trax(x) ? x->decay : x->rate * x->decay);
        float *m = &x->m->state[0][i], *v = &x->m->state[1][i];
        double mean = keep(m, *m + (1 - o->betas[0]) * (g - *m));
        double square = keep(v, o->betas[1] * *v + (1 - o->betas[1]) * g * g);
        double root = sqrt(square / corrected[1]) + o->eps[0];
        x->m->param[i] = (float)(p - x->rate * mean / corrected[0] / root);
    }
}

static void sgd(const adafactor_tensor_t *x) {
    const reformer_optimizer_t *o = x->rule;
    for (int64_t i = 0; i < x->elements; i++) {
        double p = x->m->param[i], g = gradient_at(x, i);
        if (is_trax(x)) p *= 1 - x->decay;
        else g += x->decay * p;
        if (o->momentum != 0) {
            float *b = &x->m->state[0][i];
            double mean = x->t == 1 ? g : o->momentum * *b + (1 - o->dampening) * g;
            (void)keep(b, mean);
            g = o->nesterov ? g + o->momentum * mean : mean;
        }
        x->m->param[i] = (float)(p - x->rate * g);
    }
}

/* ---- Adafactor ------------------------------------------------------------------------------- */

static double root_mean_square(const float *x, int64_t n) {
    double squares = 0;
    for (int64_t i = 0; i < n; i++) squares += (double)x[i] * x[i];
    return sqrt(squares / (double)n);
}

/* Hugging Face's joins the means, trax's their use. */
static double joins(const adafactor_tensor_t *x) {
    return is_trax(x) ? 0 : x->rule->eps[0];
}
static double used(const adafactor_tensor_t *x, double mean) {
    return is_trax(x) ? mean + x->rule->eps[0] : mean;
}

static double square_at(const adafactor_tensor_t *x, int64_t i) {
    double g = gradient_at(x, i);
    return g * g + joins(x);
}

/* A mean over n squares, from one on, `step` apart; it joins the state. */
static void join_mean(const adafactor_tensor_t *x, double beta, float *state, int64_t from,
                      int64_t step, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += square_at(x, from + i * step);
    (void)keep(state, beta * *state + (1 - beta) * sum / (double)n);
}

static void join_squares(const adafactor_tensor_t *x, double beta, bool factored) {
    float *rows = x->m->state[0], *columns = x->m->state[1];
    int64_t matrix = x->rows * x->columns;
    if (!factored) {
        for (int64_t i = 0; i < x->elements; i++) join_mean(x, beta, &rows[i], i, 1, 1);
        return;
    }
    for (int64_t r = 0; r < x->matrices * x->rows; r++)
        join_mean(x, beta, &rows[r], r * x->columns, 1, x->columns);
    for (int64_t b = 0; b < x->matrices; b++)
        for (int64_t c = 0; c < x->columns; c++)
            join_mean(x, beta, &columns[b * x->columns + c], b * matrix + c, x->columns, x->rows);
}

/* A row: the gradient over the root of what is known of its squares; `mean` is
 * that of the rows' state. */
static void divide_row(const adafactor_tensor_t *x, int64_t row, double mean, double *update) {
    const float *rows = x->m->state[0];
    const float *columns = &x->m->state[1][row / x->rows * x->columns];
    for (int64_t c = 0; c < x->columns; c++) {
        int64_t i = row * x->columns + c;
        double squares = used(x, rows[row]) / mean * used(x, columns[c]);
        update[i] = gradient_at(x, i) / sqrt(squares);
    }
}

static void divide(const adafactor_tensor_t *x, bool factored, double *update) {
    const float *rows = x->m->state[0];
    for (int64_t i = 0; i < x->elements && !factored; i++)
        update[i] = gradient_at(x, i) / sqrt(used(x, rows[i]));
    for (int64_t first = 0; first < x->matrices * x->rows && factored; first += x->rows) {
        double mean = 0;
        for (int64_t r = 0; r < x->rows; r++) mean += rows[first + r];
        mean /= (double)x->rows;
        for (int64_t r = 0; r < x->rows; r++) divide_row(x, first + r, mean, update);
    }
}

/* Transformers' and trax's rate of a tensor. */
static double rate_of(const adafactor_tensor_t *x) {
    const reformer_optimizer_t *o = x->rule;
    if (!o->scale_parameter) return x->rate;
    return x->rate * fmax(o->eps[1], root_mean_square(x->m->param, x->elements));
}

static void adafactor(const adafactor_tensor_t *x, bool factored, double *update) {
    const reformer_optimizer_t *o = x->rule;
    double rate = rate_of(x), squares = 0, clip = 1;
    join_squares(x, 1 - pow(is_trax(x) ? x->t + 1 : x->t, o->decay_rate), factored);
    divide(x, factored, update);
    for (int64_t i = 0; i < x->elements; i++) squares += update[i] * update[i];
    double rms = sqrt(squares / (double)x->elements);
    if (o->clip_threshold > 0) clip = fmax(1, rms / o->clip_threshold);
    double kept = 1 - (is_trax(x) ? x->decay : x->decay * rate);
    for (int64_t i = 0; i < x->elements; i++) {
        float *mean = o->beta1 >= 0 ? &x->m->state[2][i] : NULL;
        double u = update[i] / clip * rate;
        if (mean) u = keep(mean, o->beta1 * *mean + (1 - o->beta1) * u);
        x->m->param[i] = (float)(kept * x->m->param[i] - u);
    }
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void evaluate(const adafactor_tensor_t *x, bool factored) {
    switch (x->rule->type) {
    case REFORMER_ADAMW:
    case REFORMER_ADAM: adam(x); return;
    case REFORMER_SGD: sgd(x); return;
    case REFORMER_ADAFACTOR: break;
    }
    double *update = heap_new((size_t)x->elements, sizeof *update);
    adafactor(x, factored, update);
    heap_free(update);
}

void update_evaluate(const update_t *u, const update_memory_t *m, double norm, double rate,
                     int64_t t) {
    if (!isfinite(norm)) return;
    for (int i = 0; i < u->n; i++) {
        adafactor_tensor_t x = tensor_of(u, i, &m[i]);
        x.clip = u->max_norm > 0 ? fmin(1, u->max_norm / (norm + 1e-6)) : 1;
        x.rate = rate;
        x.t = (double)t;
        evaluate(&x, u->tensors[i].rank >= 2);
    }
}
