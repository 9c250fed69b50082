/* How much of what the machine can do a training gets out of it (training.h).
 *
 * In: the step's module, and probes: products of each kind that the step has, which touch no
 * memory, on the threads of the training. A probe sees what neighbours leave of the machine just
 * then, and they can only make it slower, so the fastest of several is the peak. They are spread
 * over the first minute, between steps, and take a thousandth of its time. */
#include <math.h>

#include "cost/kernels.h"
#include "machine/calibrate.h"
#include "support/clock.h"
#include "training/training.h"

static const double minute = 60, share = 1e-3;
enum { AT_ONCE = 3 }; /* the first of these warms up */

/* A run of some milliseconds of each kind. */
static void probe(training_t *t, bool counts) {
    diag_t *silent = diag_new();
    double start = clock_now();
    for (int p = 0; p < FACTOR_COUNT; p++) {
        double *peak = &t->peak.of[p];
        if (t->work.of[p] <= 0) continue;
        double rate = calibration_rate(t->gauge, (rate_t)p, t->s->threads, t->s->pool, 0, silent);
        if (counts) *peak = fmax(*peak, rate);
    }
    t->probing += clock_now() - start;
    diag_free(silent);
}

/* Where it cannot be measured nothing is said of it. */
void peak_open(training_t *t) {
    const plan_t *p = t->s->plan;
    if (t->o->backend > BACKEND_C || t->feed.file || t->follows) return;
    const module_t *m = train_module(p);
    kernel_costs_t costs = kernel_costs(t->arena, m, m->units.max);
    t->work = products_times(&costs.total.products, (double)t->feed.n);
    exec_options_t eo = {.backend = t->o->backend, .cc = t->o->text[OPT_CC], .pool = t->s->pool};
    diag_t *silent = diag_new();
    t->gauge = calibration_open(p->targets[0], &eo, t->s->threads, silent);
    diag_free(silent);
    for (int k = 0; t->gauge && k < AT_ONCE; k++) probe(t, k > 0);
}

void peak_look(training_t *t) {
    double passed = clock_now() - t->started;
    if (!t->gauge || t->probing > share * passed) return;
    probe(t, true);
    if (passed > minute) peak_close(t);
}

void peak_close(training_t *t) {
    calibration_close(t->gauge);
    t->gauge = NULL;
}

double peak_part(const training_t *t) {
    double part = products_seconds(&t->work, &t->peak) * (double)(t->step - t->first) / t->learning;
    return part > 0 && part <= 1 ? part : NAN; /* a peak that is unknown is 0: infinite */
}
