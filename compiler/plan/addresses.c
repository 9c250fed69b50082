/* Whether a plan fits what its target can address: size_t of wasm32 has 32 bits, and what does not
 * fit would be cut off in generated code. Sizes that grow with the length are summed up, and
 * refused, by the runtime. */
#include "plan/plan.h"

static bool fits(double bytes, const char *what, const char *where, diag_t *d) {
    if (bytes <= (double)UINT32_MAX) return true;
    const double gib = 1 << 30;
    diag_error(d, IN_FILE(where), "%s: %.1f GiB, and wasm32 has addresses of 32 bits", what,
               bytes / gib);
    diag_hint(d, "--set compile.sequence_length=N, or a smaller model");
    return false;
}

static bool variant_fits(const reformer_variant_t *v, const char *where, diag_t *d) {
    return fits((double)v->workspace_bytes, "workspace", where, d) &&
           fits((double)v->scratch_bytes, "scratch of a worker", where, d) &&
           fits((double)v->workspace_per_unit, "workspace", where, d) &&
           fits((double)v->scratch_per_unit, "scratch of a worker", where, d);
}

static double greatest(const size_t *parts, int n) {
    double max = 0;
    for (int i = 0; i < n; i++)
        if ((double)parts[i] > max) max = (double)parts[i];
    return max;
}

bool plan_check_addresses(const plan_t *p, const char *where, diag_t *d) {
    if (target_family(p->targets[0]) != FAMILY_WASM) return true;
    arena_t *a = arena_new();
    reformer_desc_t desc = {0};
    reformer_variant_t *v = ARENA_ARRAY(a, reformer_variant_t, plan_parts(p));
    plan_describe(p, &desc, v);
    bool ok = fits((double)desc.weights_bytes, "weights", where, d) &&
              fits((double)desc.gradients_bytes, "gradients", where, d);
    double rows = (double)p->batch;
    ok = ok && fits(rows * greatest(desc.cache_parts, desc.n_cache_parts), "cache", where, d);
    ok = ok && fits(rows * greatest(desc.record_parts, desc.n_record_parts), "cache", where, d);
    for (int k = 0; ok && k < plan_parts(p); k++) ok = variant_fits(&v[k], where, d);
    for (int k = 0; ok && k < REFORMER_STATES; k++)
        ok = fits((double)desc.state_bytes[k], "state of the optimizer", where, d);
    arena_free(a);
    return ok;
}
