/* Finite differences: the gradients that a train step computes against what the loss does when params move.
 *
 * Params are multiples of 2^-14 (2^-15) and move along directions whose steps are multiples of 2^-16 (2^-18), so that every
 * point is exact in float; the loss is taken in double at four points (an error of the fourth order in the step). Buckets are those of
 * the first forward: a hash that changed its mind would be no derivative. */
#ifndef REFORMERC_TESTS_GRAPH_DIFFERENCES_H
#define REFORMERC_TESTS_GRAPH_DIFFERENCES_H

#include <math.h>

#include "small.h"

enum { MAX_PARAMS = 512, MAX_BUCKETS = 1 << 16 };
static const double allowed = 1e-6; /* of the magnitude of what is summed up */

typedef struct {
    arena_t *a;
    diag_t *d;
    graph_t *forward, *train;
    reformer_io_t io;
    const graph_dropout_t *dropout; /* NULL: none */
    const gnode_t *params[MAX_PARAMS];
    float *values[MAX_PARAMS];
    double *gradients[MAX_PARAMS];
    int n_params;
    double loss;
    int32_t buckets[MAX_BUCKETS];
    int64_t n_buckets;
    uint64_t seed;
    double size;  /* of params: to one half of it, 1 unless said otherwise; a power of 2 */
    double worst; /* largest error over what is allowed */
    const char *of;
} differences_t;

static inline uint32_t next_draw(uint64_t *seed, uint32_t n) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*seed >> 33) % n);
}

static inline int64_t count_of(const gnode_t *n) {
    int64_t count = 1;
    for (int i = 0; i < n->rank; i++) count *= n->shape[i].c;
    return count;
}

static inline int index_of(const differences_t *x, const char *name) {
    for (int i = 0; i < x->n_params; i++)
        if (strcmp(x->params[i]->name, name) == 0) return i;
    fail_msg("no param %s", name);
    return -1;
}

static inline const float *value_by_name(void *ctx, const char *name) {
    const differences_t *x = ctx;
    return x->values[index_of(x, name)];
}

static inline void draw_params(differences_t *x) {
    x->n_params = 0;
    for (size_t i = 0; i < x->forward->n_nodes; i++) {
        const gnode_t *p = x->forward->nodes[i];
        if (p->op != G_PARAM) continue;
        assert_true(x->n_params < MAX_PARAMS);
        int64_t n = count_of(p);
        float *v = ARENA_ARRAY(x->a, float, n);
        bool norm = strstr(p->name, "norm") && p->rank == 1 && !strstr(p->name, "bias");
        for (int64_t k = 0; k < n; k++)
            v[k] = (float)x->size * ((float)next_draw(&x->seed, 1 << 14) - (1 << 13)) / (1 << 14) +
                   (norm ? 1 : 0);
        x->params[x->n_params] = p;
        x->gradients[x->n_params] = ARENA_ARRAY(x->a, double, n);
        x->values[x->n_params++] = v;
    }
}

static inline void take_buckets(void *ctx, const char *name, const void *data, int dtype,
                                const int64_t *shape, int rank) {
    differences_t *x = ctx;
    int64_t n = 1;
    if (dtype != REFORMER_I32 || !strstr(name, "buckets")) return;
    for (int i = 0; i < rank; i++) n *= shape[i];
    assert_true(x->n_buckets + n <= MAX_BUCKETS);
    memcpy(x->buckets + x->n_buckets, data, sizeof *x->buckets * (size_t)n);
    x->n_buckets += n;
}

static inline void take_gradient(void *ctx, const gnode_t *n, const double *values,
                                 int64_t elements) {
    differences_t *x = ctx;
    if (n->op != G_GRADIENT) {
        x->loss = values[0];
        return;
    }
    int i = index_of(x, n->in[1]->name);
    assert_int_equal(elements, count_of(x->params[i]));
    memcpy(x->gradients[i], values, sizeof *values * (size_t)elements);
}

static inline double loss_at(differences_t *x) {
    reformer_io_t io = x->io;
    assert_int_equal(graph_evaluate_gradients(x->forward, value_by_name, x, &io, x->dropout, false,
                                              take_gradient, x),
                     0);
    return x->loss;
}

/* A direction for some of the params: NULL for those that stay. */
typedef struct {
    float *of[MAX_PARAMS];
} direction_t;

/* The loss so many steps along it. */
static inline double loss_along(differences_t *x, const direction_t *d, float steps) {
    float *own[MAX_PARAMS];
    memcpy(own, x->values, sizeof own);
    for (int i = 0; i < x->n_params; i++) {
        if (!d->of[i]) continue;
        int64_t n = count_of(x->params[i]);
        x->values[i] = malloc(sizeof(float) * (size_t)n);
        assert_non_null(x->values[i]);
        for (int64_t k = 0; k < n; k++) x->values[i][k] = own[i][k] + steps * d->of[i][k];
    }
    double loss = loss_at(x);
    for (int i = 0; i < x->n_params; i++)
        if (d->of[i]) free(x->values[i]);
    memcpy(x->values, own, sizeof own);
    return loss;
}

/* Error over what is allowed, along a direction of params from … from + n - 1; a step of an element is some multiple of
 * 1 / scale. */
static inline double compare_params(differences_t *x, int from, int n, float scale) {
    direction_t d = {{NULL}};
    double along = 0, magnitude = 0;
    for (int i = from; i < from + n; i++) {
        int64_t elements = count_of(x->params[i]);
        d.of[i] = malloc(sizeof(float) * (size_t)elements);
        assert_non_null(d.of[i]);
        for (int64_t k = 0; k < elements; k++) {
            d.of[i][k] = ((float)next_draw(&x->seed, 7) - 3) / scale;
            double term = x->gradients[i][k] * d.of[i][k];
            along += term;
            magnitude += term * term;
        }
    }
    double one = loss_along(x, &d, 1) - loss_along(x, &d, -1);
    double two = loss_along(x, &d, 2) - loss_along(x, &d, -2);
    double found = (8 * one - two) / 12;
    for (int i = from; i < from + n; i++) free(d.of[i]);
    /* 1e-15: what rounding leaves of a loss of about 1 */
    return fabs(found - along) / (allowed * sqrt(magnitude) + 1e-15);
}

static inline double compare_param(differences_t *x, int i) {
    return compare_params(x, i, 1, 1 << 17);
}

static inline void find_gradients(differences_t *x) {
    reformer_io_t io = x->io;
    assert_int_equal(graph_evaluate_gradients(x->train, value_by_name, x, &io, x->dropout, false,
                                              take_gradient, x),
                     0);
}

/* Gradients of all params, at x->values. Fills worst and of. */
static inline void compare_all(differences_t *x) {
    find_gradients(x);
    x->worst = 0;
    for (int i = 0; i < x->n_params; i++) {
        double error = compare_param(x, i);
        if (!(error <= x->worst)) x->worst = error, x->of = x->params[i]->name;
    }
}

/* Imposes the buckets that the model chooses itself. */
static inline void impose_buckets(differences_t *x) {
    reformer_io_t io = x->io;
    io.trace = take_buckets;
    io.trace_ctx = x;
    x->n_buckets = 0;
    assert_int_equal(graph_evaluate(x->forward, value_by_name, x, &io, false), 0);
    if (x->n_buckets) x->io.buckets = x->buckets;
}

static inline void begin_differences(differences_t *x, uint64_t seed) {
    memset(x, 0, sizeof *x);
    x->a = arena_new();
    x->d = diag_new();
    x->seed = seed;
    x->size = 1;
}

static inline void end_differences(differences_t *x) {
    diag_free(x->d);
    arena_free(x->a);
}

#endif
