/* What one forward asks of the machine, kernel by kernel.
 *
 * Launches are grouped by their labels without the layer: "layer#.lsh.hash" counts
 * as "lsh.hash". */
#ifndef REFORMERC_COST_KERNELS_H
#define REFORMERC_COST_KERNELS_H

#include "cost/products.h"
#include "plan/plan.h"

typedef struct {
    const char *name;
    double launches;
    double flops;        /* counted from the loop IR; fma counts two */
    products_t products; /* the flops by kind */
    double bytes;        /* of every load and store, most of which caches answer */
    double
        /* Distinct bytes of weights, workspace and slots, once in and once out per launch */
        streams;
    double weights, windows; /* of these: weights read; keys and values read from a cache */
} kernel_cost_t;

typedef struct {
    kernel_cost_t *kernels; /* [n], in the order of the schedule */
    int n;
    kernel_cost_t total;
} kernel_costs_t;

/* Of a launch of the schedule: "lsh.hash". */
const char *launch_kind(const inst_t *launch);
/* Of a lowered module, at U = units (ignored when literal). */
kernel_costs_t kernel_costs(arena_t *a, const module_t *m, int64_t units);
/* Of all classes of a kernel: "lsh.hash" stands for "lsh_2.hash" too. Nothing: there is none. */
products_t kernel_products(const kernel_costs_t *c, const char *name);

/* Peaks of the machine a prediction is for. */
typedef struct {
    products_t flops;  /* peak of each kind of products, all threads together, flop/s */
    double bandwidth;  /* of memory, bytes/s */
    double efficiency; /* what kernels are assumed to reach of `flops` */
    const char *how;   /* where these figures come from */
} machine_t;

/* Found by running specs/bench.yaml beside calibration; *measured: false where
 * no machine was at hand. */
double target_efficiency(const target_t *t, bool *measured);

/* A roofline: kernels reach `efficiency` of the peak of their products, or stream at full
 * bandwidth; the slower of both counts. */
double arithmetic_seconds(const machine_t *machine,
                          const products_t *work); /* of arithmetic alone */
double kernel_seconds(const kernel_cost_t *k, const machine_t *machine);
bool kernel_is_bound_by_memory(const kernel_cost_t *k, const machine_t *machine);
double kernels_seconds(const kernel_costs_t *c, const machine_t *machine);

#endif
