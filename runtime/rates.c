/* What of an update's numbers differs from step to step.
 *
 * In: a rule, the step's rate, the number of the update. Out: the coefficients that its kernels
 * read, computed in double and rounded once, as torch, transformers and trax compute them. */
#include "real.h"

REFORMER_REFUSE_FAST_MATH(reformer_flags)

/* x^n by squaring: x itself at n = 1. */
static double power(double x, int64_t n) {
    double result = 1;
    for (; n > 0; n /= 2, x *= x)
        if (n % 2) result *= x;
    return result;
}

typedef struct {
    const reformer_optimizer_t *rule;
    double rate;
    int64_t t, exponent; /* trax counts from 2 where it corrects means */
    float *out;
} rates_t;

static void put(const rates_t *r, int which, double x) {
    r->out[which] = (float)x;
}

static void rate_adam(const rates_t *r) {
    const double *betas = r->rule->betas;
    put(r, REFORMER_RATE_STEP, -(r->rate / (1 - power(betas[0], r->exponent))));
    put(r, REFORMER_RATE_ROOT, reformer_sqrt(1 - power(betas[1], r->exponent)));
}

static void rate_sgd(const rates_t *r) {
    int first = r->t == 1;
    put(r, REFORMER_RATE_STEP, -r->rate);
    put(r, REFORMER_RATE_OLD, first ? 0 : r->rule->momentum);
    put(r, REFORMER_RATE_NEW, first ? 1 : 1 - r->rule->dampening);
}

static void rate_adafactor(const rates_t *r) {
    double forgotten = reformer_pow((double)r->exponent, r->rule->decay_rate);
    put(r, REFORMER_RATE_STEP, r->rate);
    put(r, REFORMER_RATE_OLD, 1 - forgotten);
    put(r, REFORMER_RATE_NEW, forgotten);
}

static void rate_rule(const rates_t *r) {
    switch (r->rule->type) {
    case REFORMER_ADAMW:
    case REFORMER_ADAM: rate_adam(r); break;
    case REFORMER_SGD: rate_sgd(r); break;
    case REFORMER_ADAFACTOR: rate_adafactor(r); break;
    }
}

void reformer_coefficients(const reformer_optimizer_t *o, double rate, int64_t t,
                           float coefficients[REFORMER_COEFFICIENTS]) {
    int trax = o->dialect == REFORMER_TRAX;
    rates_t r = {o, rate, t, t + trax, coefficients};
    for (int i = 0; i < REFORMER_COEFFICIENTS; i++) coefficients[i] = 0;
    double lost = trax ? o->weight_decay : o->type == REFORMER_ADAMW ? rate * o->weight_decay : 0;
    put(&r, REFORMER_RATE_SHARE, 1);
    put(&r, REFORMER_RATE_CLIP, 1);
    put(&r, REFORMER_RATE_KEPT, 1 - lost);
    rate_rule(&r);
}

/* As torch's clip_grad_norm_ does. */
void reformer_clip(double norm, double max_norm, float coefficients[REFORMER_COEFFICIENTS]) {
    double clip = max_norm > 0 ? max_norm / (norm + 1e-6) : 1;
    coefficients[REFORMER_RATE_CLIP] = clip < 1 ? (float)clip : 1;
}
