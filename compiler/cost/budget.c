/* Budgets: what a plan costs, from its descriptor and its loop IR, against what
 * the spec expects. */
#include "cost/budget.h"

#include "emit/emit.h"
#include "support/heap.h"

/* The runtime's own sum for one variant. It looks only at targets that this CPU runs, and sizes do
 * not depend on the CPU, so the variant is shown to it as one of the baseline. */
static double variant_workspace(reformer_desc_t desc, reformer_variant_t v, int threads) {
    v.target =
        reformer_cpu_supports(REFORMER_CPU_X86_64) ? REFORMER_CPU_X86_64 : REFORMER_CPU_AARCH64;
    desc.variants = &v;
    desc.n_variants = 1;
    return (double)reformer_workspace_bytes(&desc, (size_t)v.max_length, threads);
}

static double variant_flops_per_token(const plan_t *p, const variant_plan_t *v, const module_t *m) {
    double tokens = (double)p->batch * (double)v->max_length;
    return loops_cost(m, m->units.max).flops / tokens;
}

measured_t measure_plan(const plan_t *p, int threads) {
    measured_t worst = {0};
    int n = plan_count(p);
    reformer_variant_t *variants = heap_new((size_t)plan_parts(p), sizeof *variants);
    reformer_desc_t desc = {0};
    plan_describe(p, &desc, variants);
    for (int i = 0; i < n; i++) {
        double bytes = variant_workspace(desc, variants[i], threads);
        double flops = variant_flops_per_token(p, plan_variant(p, i), plan_module(p, i));
        if (bytes > worst.workspace) worst.workspace = bytes;
        if (flops > worst.flops_per_token) worst.flops_per_token = flops;
    }
    heap_free(variants);
    return worst;
}

static bool within(double value, double budget, bool strict) {
    return strict ? value < budget : value <= budget;
}

bool check_budgets(const plan_t *p, int threads, diag_t *d) {
    const spec_t *s = p->spec;
    if (!s->expect.has_workspace && !s->expect.has_flops) return true;
    measured_t m = measure_plan(p, threads);
    bool ok = true;
    if (s->expect.has_workspace &&
        !within(m.workspace, s->expect.workspace, s->expect.workspace_strict)) {
        diag_error(d, s->at[KEY_expect_workspace],
                   "the workspace is %.0f bytes (%.2f MiB) with %d thread%s, the budget is %s%.0f",
                   m.workspace, m.workspace / (1 << 20), threads, threads == 1 ? "" : "s",
                   s->expect.workspace_strict ? "< " : "", s->expect.workspace);
        ok = false;
    }
    if (s->expect.has_flops &&
        !within(m.flops_per_token, s->expect.flops_per_token, s->expect.flops_strict)) {
        diag_error(d, s->at[KEY_expect_flops_per_token],
                   "a token takes %.0f flops (%.3f M), the budget is %s%.0f", m.flops_per_token,
                   m.flops_per_token / 1e6, s->expect.flops_strict ? "< " : "",
                   s->expect.flops_per_token);
        ok = false;
    }
    return ok;
}
