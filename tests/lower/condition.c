#include "condition.h"

#include <math.h>

#include "exec/exec_int.h"
#include "stir.h"

/* Roundings that a value is moved by: a sum of n products makes some sqrt(n) / 2 of them, and few rows are
 * longer than a hundred. Forwards that are tried. */
enum { ROUNDINGS = 4, FORWARDS = 4 };

typedef struct {
    const side_t *reference;
    const store_t *weights;
} given_t;

static const float *param(void *ctx, const char *name) {
    const given_t *x = ctx;
    return store_find(x->weights, name)->data;
}

static const int32_t *buckets(void *ctx, const char *name) {
    const given_t *x = ctx;
    return results_find(&x->reference->hashed, name)->data;
}

/* One forward; its changes join change[]. False after an error. */
static bool measure(const trial_t *t, const stir_t *s, const results_t *want, double *change,
                    double *farthest) {
    results_t outputs = {0}, moved = {0};
    reformer_io_t io = {.size = sizeof io};
    trace_sink_t into = {&moved, t->d};
    bool ok = results_prepare(&outputs, t->inputs, &t->plan->facts, &io, t->d);
    io.trace = results_trace;
    io.trace_ctx = &into;
    ok = ok && stir_forward(s, &io) && diag_errors(t->d) == 0;
    for (size_t i = 0; i < want->n && ok; i++) {
        const result_t *r = &want->items[i], *got = results_find(&moved, r->name);
        if (r->dtype != REFORMER_F32) continue;
        difference_t y = compare_tensors(r, got ? got : results_find(&outputs, r->name));
        ok = y.comparable;
        change[i] = fmax(change[i], y.absolute);
        *farthest = fmax(*farthest, difference_relative(&y));
    }
    results_free(&outputs);
    results_free(&moved);
    return ok;
}

double condition_measure(const trial_t *t, side_t *reference, const exec_t *oracle,
                         const store_t *weights) {
    given_t x = {reference, weights};
    results_t *want = &reference->hashed;
    size_t length = (size_t)t->inputs->length;
    const variant_plan_t *v = plan_fitting(t->plan, length);
    arena_t *a = arena_new();
    double *change = ARENA_ARRAY(a, double, want->n), farthest = 0;
    stir_t s = {.g = exec_graph(oracle, v, length, a, t->d),
                .unpadded = v->unpadded,
                .param = param,
                .buckets = buckets,
                .ctx = &x,
                .roundings = ROUNDINGS};
    bool ok = s.g != NULL;
    for (; s.seed < FORWARDS && ok; s.seed++) ok = measure(t, &s, want, change, &farthest);
    for (size_t i = 0; i < want->n && ok; i++) want->items[i].rounding += change[i];
    arena_free(a);
    return ok ? farthest : INFINITY;
}
