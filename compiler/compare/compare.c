/* The comparison of compare.h. One walk over the elements finds everything; the rules are applied
 * to what it found. */
#include "compare/compare.h"

#include <math.h>
#include <string.h>

int64_t result_elements(const result_t *t) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->shape[i];
    return n;
}

/* ---- names ----------------------------------------------------------------------------------- */

bool is_activation(const char *tensor) {
    return strncmp(tensor, "layers.", 7) == 0 || strcmp(tensor, "embeddings") == 0;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static bool comparable(const result_t *want, const result_t *got) {
    if (!got || got->rank != want->rank || got->dtype != want->dtype) return false;
    for (int i = 0; i < want->rank; i++)
        if (got->shape[i] < want->shape[i]) return false;
    return true;
}

int64_t compare_place(const result_t *want, const result_t *got, int64_t i) {
    int64_t at = 0, stride = 1;
    for (int k = want->rank - 1; k >= 0; k--) {
        at += i % want->shape[k] * stride;
        i /= want->shape[k];
        stride *= got->shape[k];
    }
    return at;
}

static double element(const result_t *t, int64_t i) {
    return t->dtype == REFORMER_F32 ? (double)((const float *)t->data)[i]
                                    : (double)((const int32_t *)t->data)[i];
}

static bool same_bits(const result_t *want, int64_t i, const result_t *got, int64_t j) {
    return memcmp((const char *)want->data + 4 * i, (const char *)got->data + 4 * j, 4) == 0;
}

/* NaN against NaN, and an infinity against itself, is no difference; against anything else, all. */
static double distance(double x, double y) {
    if (x == y || (isnan(x) && isnan(y))) return 0;
    double e = fabs(x - y);
    return isfinite(e) ? e : INFINITY;
}

static void look(difference_t *d, int64_t i, double want, double got) {
    double e = distance(want, got);
    d->off += e * e;
    bool first = d->different++ == 0;
    if (!first && (d->integer || e <= d->absolute)) return;
    d->absolute = e;
    d->at = i;
    d->want = want;
    d->got = got;
}

/* Elements that are off by more than floats are, of all. */
static double share_beyond(const result_t *want, const result_t *got, const difference_t *d) {
    int64_t beyond = 0, n = result_elements(want);
    double max = TENSOR_TOLERANCE * fmax(d->min, d->magnitude);
    for (int64_t i = 0; i < n; i++)
        beyond += distance(element(want, i), element(got, compare_place(want, got, i))) > max;
    return (double)beyond / (double)n;
}

difference_t compare_tensors(const result_t *want, const result_t *got) {
    difference_t d = {.comparable = comparable(want, got), .integer = want->dtype == REFORMER_I32};
    d.min = want->min > 0 ? want->min : 1;
    if (!d.comparable) return d;
    d.rounding = want->rounding;
    d.mean = want->mean;
    bool same_shape = memcmp(want->shape, got->shape, sizeof want->shape) == 0;
    for (int64_t i = 0, n = result_elements(want); i < n; i++) {
        int64_t j = same_shape ? i : compare_place(want, got, i);
        double x = element(want, i);
        if (isfinite(x) && fabs(x) > d.magnitude) d.magnitude = fabs(x);
        if (!same_bits(want, i, got, j)) look(&d, i, x, element(got, j));
    }
    if (d.different) d.off = sqrt(d.off / (double)result_elements(want));
    if (d.different && want->many > 0) d.many = share_beyond(want, got, &d) / want->many;
    return d;
}

/* ---- the rules ------------------------------------------------------------------------------- */

double difference_relative(const difference_t *x) {
    if (!x->comparable) return INFINITY;
    return x->absolute / fmax(x->min, x->magnitude);
}

double tolerance_of(const char *tensor) {
    return strcmp(tensor, "loss") == 0 ? LOSS_TOLERANCE : TENSOR_TOLERANCE;
}

double difference_share(const difference_t *x, const char *tensor) {
    double size = fmax(x->min, x->magnitude), tolerance = tolerance_of(tensor);
    double share = difference_relative(x) / (tolerance + x->rounding / size);
    share = fmax(share, x->many);
    if (x->mean <= 0) return share;
    return fmax(share, x->off / size / (tolerance + x->mean / size));
}

bool difference_allowed(const difference_t *x, const char *tensor) {
    if (x->integer || !x->comparable) return difference_none(x);
    return difference_share(x, tensor) <= 1;
}

bool difference_none(const difference_t *x) {
    return x->comparable && x->different == 0;
}
