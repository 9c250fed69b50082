/* Launches of instrumented code → seconds of each kind of kernel. */
#include <string.h>

#include "commands/bench/bench.h"

static int kernel_index(const kernel_costs_t *costs, const char *kind) {
    int k = 0;
    while (k < costs->n && strcmp(costs->kernels[k].name, kind) != 0) k++;
    return k;
}

void bench_sort_launches(const profile_t *p, const kernel_costs_t *costs, const char *whole,
                         double share, double *seconds, int stride, double *launches) {
    double *between = &seconds[costs->n * stride];
    for (size_t i = 0; i < profile_count(p); i++) {
        profile_event_t e = profile_at(p, i);
        if (strcmp(e.name, whole) == 0) {
            *between += e.seconds * share;
            continue;
        }
        int k = kernel_index(costs, label_kind(e.name));
        if (k == costs->n) bug("a launch of '%s', which the schedule does not have", e.name);
        seconds[k * stride] += e.seconds * share;
        launches[k] += share;
        *between -= e.seconds * share;
    }
}

/* What is counted is that of launches that ran; kernels of branches not taken have none. */
bench_kernel_t bench_kernel(const bench_t *b, const kernel_costs_t *costs, int k, double launches) {
    if (k == costs->n) return (bench_kernel_t){.name = "between launches"};
    const kernel_cost_t *c = &costs->kernels[k];
    double share = c->launches > 0 ? launches / c->launches : 0;
    return (bench_kernel_t){.name = arena_strdup(b->arena, c->name),
                            .launches = launches,
                            .flops = c->flops * share,
                            .products = products_times(&c->products, share),
                            .streams = c->streams * share,
                            .weights = c->weights * share,
                            .windows = c->windows * share};
}
