/* Launches of a module, grouped and added up; the time that a roofline gives them. */
#include "cost/kernels.h"

#include <string.h>

#include "reformer_rt.h"

typedef struct {
    arena_t *arena;
    const module_t *m;
    int64_t units;
    kernel_costs_t *costs;
    size_t cap;
    struct {
        const lfunc_t *f;
        kernel_cost_t one;
    } * measured; /* one launch of each kernel: layers are many, kernels few */
    size_t n_measured, cap_measured;
} kernel_count_t;

const char *launch_kind(const inst_t *launch) {
    if (!launch->text) return launch->callee->name;
    const char *layer = strchr(launch->text, '#');
    return layer && layer[1] == '.' ? layer + 2 : launch->text;
}

static kernel_cost_t *group(kernel_count_t *c, const char *name) {
    kernel_costs_t *costs = c->costs;
    for (int k = 0; k < costs->n; k++)
        if (strcmp(costs->kernels[k].name, name) == 0) return &costs->kernels[k];
    kernel_cost_t fresh = {.name = name};
    ARENA_PUSH(c->arena, costs->kernels, costs->n, c->cap) = fresh;
    return &costs->kernels[costs->n - 1];
}

static void add(kernel_cost_t *to, const kernel_cost_t *one, double times) {
    to->launches += one->launches * times;
    to->flops += one->flops * times;
    products_t more = products_times(&one->products, times);
    to->products = products_sum(&to->products, &more);
    to->bytes += one->bytes * times;
    to->streams += one->streams * times;
    to->weights += one->weights * times;
    to->windows += one->windows * times;
}

/* Keys and values in a cache, of any number type, two rows side by side: lists are integers, and
 * what stands there to be hashed once is no pair. */
static bool holds_keys(const buffer_t *b) {
    return b->kind == BUF_STATE && elem_is_float(b->elem) && b->rank >= 2 &&
           dim_equal(b->dims[b->rank - 2], dim(2));
}

static void count_stream(void *ctx, const buffer_t *b, double read, double written) {
    kernel_cost_t *k = ctx;
    k->streams += read + written;
    if (b->kind == BUF_WEIGHTS) k->weights += read;
    if (holds_keys(b)) k->windows += read;
}

static kernel_cost_t one_launch(kernel_count_t *c, const lfunc_t *f) {
    for (size_t k = 0; k < c->n_measured; k++)
        if (c->measured[k].f == f) return c->measured[k].one;
    cost_t cost = loops_kernel_cost(c->m, f, c->units);
    kernel_cost_t one = {
        .launches = 1, .flops = cost.flops, .bytes = cost.bytes_read + cost.bytes_written};
    memcpy(one.products.of, cost.of, sizeof cost.of);
    loops_each_stream(c->m, f, c->units, count_stream, &one);
    ARENA_PUSH(c->arena, c->measured, c->n_measured, c->cap_measured).f = f;
    c->measured[c->n_measured - 1].one = one;
    return one;
}

static void count_launch(void *ctx, const inst_t *launch, int64_t times) {
    kernel_count_t *c = ctx;
    kernel_cost_t one = one_launch(c, launch->callee);
    add(group(c, launch_kind(launch)), &one, (double)times);
    add(&c->costs->total, &one, (double)times);
}

kernel_costs_t kernel_costs(arena_t *a, const module_t *m, int64_t units) {
    kernel_costs_t costs = {.total = {.name = "total"}};
    kernel_count_t c = {.arena = a, .m = m, .units = units, .costs = &costs};
    loops_schedule(m, units, count_launch, &c);
    return costs;
}

/* "lsh_2.hash" is one of the classes of "lsh.hash". */
static bool is_class_of(const char *own, const char *name) {
    size_t n = strcspn(name, ".");
    if (strncmp(own, name, n) != 0) return false;
    own += n;
    if (own[0] == '_' && own[1] >= '0' && own[1] <= '9') own += 1 + strspn(own + 1, "0123456789");
    return strcmp(own, name + n) == 0;
}

products_t kernel_products(const kernel_costs_t *c, const char *name) {
    products_t sum = {{0}};
    for (int k = 0; k < c->n; k++)
        if (is_class_of(c->kernels[k].name, name))
            sum = products_sum(&sum, &c->kernels[k].products);
    return sum;
}

/* ---- the roofline ---------------------------------------------------------------------------- */

static const struct {
    double share;
    bool measured;
} efficiencies[T_COUNT] = {[T_X86_64] = {0.76, true},          [T_X86_64_V3] = {0.90, true},
                           [T_X86_64_V4] = {0.96, true},       [T_AARCH64] = {0.75, false},
                           [T_X86_64_V3_VNNI] = {0.90, false}, [T_X86_64_V4_VNNI] = {0.96, false},
                           [T_X86_64_V4_BF16] = {0.96, false}, [T_AARCH64_BF16] = {0.75, false},
                           [T_WASM32] = {0.60, false}};

double target_efficiency(const target_t *t, bool *measured) {
    *measured = efficiencies[t->id].measured;
    return efficiencies[t->id].share;
}

double arithmetic_seconds(const machine_t *m, const products_t *work) {
    return products_seconds(work, &m->flops) / m->efficiency;
}

static double compute_seconds(const kernel_cost_t *k, const machine_t *m) {
    return arithmetic_seconds(m, &k->products);
}

static double memory_seconds(const kernel_cost_t *k, const machine_t *m) {
    return k->streams / m->bandwidth;
}

bool kernel_is_bound_by_memory(const kernel_cost_t *k, const machine_t *m) {
    return memory_seconds(k, m) > compute_seconds(k, m);
}

double kernel_seconds(const kernel_cost_t *k, const machine_t *m) {
    return kernel_is_bound_by_memory(k, m) ? memory_seconds(k, m) : compute_seconds(k, m);
}

double kernels_seconds(const kernel_costs_t *c, const machine_t *m) {
    double sum = 0;
    for (int k = 0; k < c->n; k++) sum += kernel_seconds(&c->kernels[k], m);
    return sum;
}
