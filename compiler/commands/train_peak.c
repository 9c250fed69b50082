/* How much of what the machine can do a training gets out of it (train.h).
 *
 * In: the step's module, and probes: multiply-adds that touch no memory, on the threads of the training. A probe sees what
 * neighbours leave of the machine just then, and they can only make it slower, so the fastest of several is the peak. They
 * are spread over the first minute, between steps, and take a thousandth of its time. */
#include <math.h>

#include "commands/calibrate.h"
#include "commands/kernels.h"
#include "commands/train.h"
#include "support/clock.h"

static const double minute = 60, share = 1e-3;
enum { AT_ONCE = 3 }; /* the first of these warms up */

/* One run of some milliseconds. */
static void probe(training_t *t, bool counts) {
    diag_t *silent = diag_new();
    double start = clock_now();
    double rate = calibration_rate(t->gauge, RATE_FMA, t->s->threads, t->s->pool, 0, silent);
    t->probing += clock_now() - start;
    if (counts) t->peak = fmax(t->peak, rate);
    diag_free(silent);
}

/* Where it cannot be measured nothing is said of it. */
void peak_open(training_t *t) {
    const plan_t *p = t->s->plan;
    if (t->o->backend > BACKEND_C || t->feed.file || t->follows) return;
    const module_t *m = train_module(p);
    t->flops = kernel_costs(t->arena, m, m->units.max).total.flops * (double)t->feed.n;
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
    double part = t->flops * (double)(t->step - t->first) / t->learning / t->peak;
    return t->flops > 0 && t->peak > 0 && part <= 1 ? part : NAN;
}
