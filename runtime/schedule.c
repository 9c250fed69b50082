/* The rate of a step: the course of a schedule, as transformers, llm.c and trax have it.
 *
 * In: a training and the number of a step, from 0. Out: its rate, in double. */
#include "real.h"

/* ---- factors of the rate, by step k from 0 --------------------------------------------------- */

static double at_least(double x, double min) {
    return x > min ? x : min;
}

static double steps_between(int64_t from, int64_t to) {
    return to - from > 1 ? (double)(to - from) : 1;
}

static double rise(const reformer_schedule_t *s, int64_t k) {
    int64_t done = s->warmup_from == REFORMER_WARMUP_FIRST ? k + 1 : k;
    return (double)done / (double)s->warmup;
}

static double floored(const reformer_schedule_t *s, double factor) {
    return at_least(factor * (1 - s->min_ratio) + s->min_ratio, 0);
}

static double constant(const reformer_schedule_t *s, double lr, int64_t k) {
    (void)s, (void)k;
    return lr;
}

static double linear(const reformer_schedule_t *s, double lr, int64_t k) {
    double left = (double)(s->total - k) / steps_between(s->warmup, s->total);
    return lr * floored(s, at_least(left, 0));
}

static double cosine(const reformer_schedule_t *s, double lr, int64_t k) {
    double done = (double)(k - s->warmup) / steps_between(s->warmup, s->total);
    return lr * floored(s, 0.5 * (1 + reformer_cos_turns(s->num_cycles * done)));
}

static double inverse_sqrt(const reformer_schedule_t *s, double lr, int64_t k) {
    int64_t scale = s->timescale ? s->timescale : s->warmup ? s->warmup : 10000;
    return lr / reformer_sqrt((double)(k + scale - s->warmup) / (double)scale);
}

static double polynomial(const reformer_schedule_t *s, double lr, int64_t k) {
    if (k > s->total) return s->lr_end;
    double left = 1 - (double)(k - s->warmup) / steps_between(s->warmup, s->total);
    return (lr - s->lr_end) * reformer_pow(left, s->power) + s->lr_end;
}

static double wsd(const reformer_schedule_t *s, double lr, int64_t k) {
    int64_t from = (int64_t)(s->decay_from * (double)s->total);
    if (k <= from) return lr;
    double done = (double)(k - from) / steps_between(from, s->total);
    return lr * floored(s, 1 - reformer_sqrt(done < 1 ? done : 1));
}

/* ---- trax's product -------------------------------------------------------------------------- */

/* A number of steps, of which there is at least one. */
static double count(int64_t steps) {
    return steps > 1 ? (double)steps : 1;
}

static double constant_factor(const reformer_schedule_t *s, int64_t step) {
    (void)step;
    return s->constant;
}

static double linear_warmup(const reformer_schedule_t *s, int64_t step) {
    double done = (double)step / count(s->warmup);
    return done < 1 ? done : 1;
}

static double rsqrt_decay(const reformer_schedule_t *s, int64_t step) {
    return 1 / reformer_sqrt(count(step > s->warmup ? step : s->warmup));
}

static double rsqrt_normalized_decay(const reformer_schedule_t *s, int64_t step) {
    return reformer_sqrt(count(s->warmup)) * rsqrt_decay(s, step);
}

static double decay_every(const reformer_schedule_t *s, int64_t step) {
    double falls = (double)(step / (s->steps_per_decay > 1 ? s->steps_per_decay : 1));
    return reformer_pow(s->decay_factor, falls);
}

/* A sawtooth: each cycle begins at the top. */
static double cosine_decay(const reformer_schedule_t *s, int64_t step) {
    double done = at_least((double)(step - s->warmup) / count(s->steps_per_cycle), 0);
    return 0.5 * (1 + reformer_cos_turns(0.5 * (done - (double)(int64_t)done)));
}

static double two_constants(const reformer_schedule_t *s, int64_t step) {
    return step < s->second_constant_step ? s->constant : s->second_constant;
}

static double factor_of(const reformer_schedule_t *s, reformer_factor_t f, int64_t step) {
    switch (f) {
    case REFORMER_FACTOR_CONSTANT: return constant_factor(s, step);
    case REFORMER_FACTOR_LINEAR_WARMUP: return linear_warmup(s, step);
    case REFORMER_FACTOR_RSQRT_DECAY: return rsqrt_decay(s, step);
    case REFORMER_FACTOR_RSQRT_NORMALIZED_DECAY: return rsqrt_normalized_decay(s, step);
    case REFORMER_FACTOR_DECAY_EVERY: return decay_every(s, step);
    case REFORMER_FACTOR_COSINE_DECAY: return cosine_decay(s, step);
    case REFORMER_FACTOR_TWO_CONSTANTS: return two_constants(s, step);
    }
    return 1;
}

/* Its warm-up is one of its factors. */
static double multifactor(const reformer_schedule_t *s, double lr, int64_t k) {
    int64_t step = s->warmup_from == REFORMER_WARMUP_FIRST ? k + 1 : k;
    double rate = 1;
    for (int i = 0; i < s->n_factors; i++) rate *= factor_of(s, s->factors[i], step);
    return lr * at_least(rate, s->minimum);
}

/* ---- all of them ----------------------------------------------------------------------------- */

double reformer_schedule_rate(const reformer_schedule_t *s, double lr, int64_t k) {
    if (s->type == REFORMER_SCHEDULE_MULTIFACTOR) return multifactor(s, lr, k);
    if (s->type != REFORMER_SCHEDULE_NONE && k < s->warmup) return lr * rise(s, k);
    switch (s->type) {
    case REFORMER_SCHEDULE_NONE:
    case REFORMER_SCHEDULE_CONSTANT: return constant(s, lr, k);
    case REFORMER_SCHEDULE_LINEAR: return linear(s, lr, k);
    case REFORMER_SCHEDULE_COSINE: return cosine(s, lr, k);
    case REFORMER_SCHEDULE_INVERSE_SQRT: return inverse_sqrt(s, lr, k);
    case REFORMER_SCHEDULE_POLYNOMIAL: return polynomial(s, lr, k);
    case REFORMER_SCHEDULE_WSD: return wsd(s, lr, k);
    case REFORMER_SCHEDULE_MULTIFACTOR: break;
    }
    return lr;
}

/* Adafactor's own: min(1e-2, 1 / sqrt(t)), with a warm-up min(1e-6 t, 1 / sqrt(t)). */
static double relative_rate(const reformer_optimizer_t *o, int64_t k) {
    double t = (double)k + 1, max = o->warmup_init ? 1e-6 * t : 1e-2;
    double rate = 1 / reformer_sqrt(t);
    return rate < max ? rate : max;
}

double reformer_learning_rate(const reformer_training_t *t, int64_t step) {
    uint64_t host = reformer_enter();
    const reformer_optimizer_t *o = &t->optimizer;
    int relative = o->type == REFORMER_ADAFACTOR && o->relative_step;
    volatile double rate = /* what a register holds is not bound to be computed before leave */
        relative ? relative_rate(o, step) : reformer_schedule_rate(&t->schedule, o->lr, step);
    reformer_leave(host);
    return rate;
}
