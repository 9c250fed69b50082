#include "condition.h"

#include <math.h>

#include "exec/exec_int.h"
#include "stir.h"

/* Roundings that a value is moved by: a sum of n products makes some sqrt(n) / 2 of them, and few rows are
 * longer than a hundred. Forwards that are tried. */
enum { ROUNDINGS = 4, FORWARDS = 4, ROUNDINGS_BF16 = 64 * ROUNDINGS };
/* A few factors on the other side do much or little, by which they are: forty layers of width 8 moved their logits further
 * than any of four forwards and less than the farthest of eight. Of n draws of one kind, another one is beyond the farthest
 * once in n + 1 times: six logits were by a hundredth, after sixteen and after sixty-four. So as much again is allowed as
 * the farthest is beyond the mean. Whether a model can tell anything the first four say, as of others. */
enum { FORWARDS_BF16 = 16 };

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

/* Of the changes of a tensor. */
typedef struct {
    double greatest, sum;
} change_t;

/* One forward; its changes join change[]. False after an error. */
static bool measure(const trial_t *t, const stir_t *s, const results_t *want, change_t *change,
                    double *farthest) {
    results_t outputs = {0}, moved = {0};
    reformer_io_t io = {0};
    trace_t into = {&moved, t->d};
    bool ok = results_prepare(&outputs, t->inputs, &t->plan->facts, &io, t->d);
    io.trace = results_trace;
    io.trace_ctx = &into;
    ok = ok && stir_forward(s, &io) && diag_errors(t->d) == 0;
    for (size_t i = 0; i < want->n && ok; i++) {
        const result_t *r = &want->items[i], *got = results_find(&moved, r->name);
        if (r->dtype != REFORMER_F32) continue;
        difference_t y = compare_tensors(r, got ? got : results_find(&outputs, r->name));
        ok = y.comparable;
        change[i].greatest = fmax(change[i].greatest, y.absolute);
        change[i].sum += y.absolute;
        *farthest = fmax(*farthest, difference_relative(&y));
    }
    results_free(&outputs);
    results_free(&moved);
    return ok;
}

/* `beyond`: how much farther than the farthest forward is allowed, as a share of how far that is beyond their mean. */
static double measure_all(const trial_t *t, side_t *reference, const exec_t *oracle,
                          const store_t *weights, int roundings, uint64_t forwards, double beyond) {
    given_t x = {reference, weights};
    results_t *want = &reference->hashed;
    size_t length = (size_t)t->inputs->length;
    const variant_plan_t *v = plan_fitting(t->plan, length);
    arena_t *a = arena_new();
    change_t *change = ARENA_ARRAY(a, change_t, want->n);
    double farthest = 0, later = 0;
    stir_t s = {.g = exec_graph(oracle, v, length, a, t->d),
                .unpadded = v->unpadded,
                .param = param,
                .buckets = buckets,
                .ctx = &x,
                .roundings = roundings};
    bool ok = s.g != NULL;
    for (; s.seed < forwards && ok; s.seed++)
        ok = measure(t, &s, want, change, s.seed < FORWARDS ? &farthest : &later);
    for (size_t i = 0; i < want->n && ok; i++) {
        double most = change[i].greatest, mean = change[i].sum / (double)forwards;
        want->items[i].rounding += most + beyond * (most - mean);
    }
    arena_free(a);
    return ok ? farthest : INFINITY;
}

double condition_measure(const trial_t *t, side_t *reference, const exec_t *oracle,
                         const store_t *weights) {
    return measure_all(t, reference, oracle, weights, ROUNDINGS, FORWARDS, 0);
}

double condition_measure_bf16(const trial_t *t, side_t *reference, const exec_t *oracle,
                              const store_t *weights) {
    return measure_all(t, reference, oracle, weights, ROUNDINGS_BF16, FORWARDS_BF16, 1);
}
