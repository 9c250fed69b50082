/* Figures of a forward, counted from the loop IR and the memory plan. */
#include "commands/explain/explain.h"

void explain_module(explanation_t *e, const module_t *m, double bytes) {
    e->m = m;
    e->units = m->units.max;
    e->costs = kernel_costs(e->arena, m, e->units);
    e->workspace = bytes;
    e->map = loops_memory_map(m, e->units, e->arena);
    e->prepared = e->workspace - (double)e->map.bytes - (double)e->threads * (double)e->map.scratch;
}

static double forward_bytes(const explanation_t *e) {
    int n = plan_parts(e->plan), last = e->plan->n_variants - 1;
    reformer_variant_t *variants = ARENA_ARRAY(e->arena, reformer_variant_t, n);
    reformer_desc_t desc;
    plan_describe(e->plan, &desc, variants);
    size_t length = (size_t)e->variant->max_length;
    return (double)reformer_prepare_bytes(&desc, &variants[last], 1, length, e->threads);
}

explanation_t explain_forward(session_t *s) {
    const plan_t *p = s->plan;
    explanation_t e = {
        .arena = s->arena, .what = "forward", .spec = s->spec, .plan = p, .threads = s->threads};
    e.variant = &p->variants[p->n_variants - 1];
    e.tokens = (double)p->batch * (double)e.variant->max_length;
    explain_module(&e, plan_module(p, p->n_variants - 1), forward_bytes(&e));
    e.streams = 2 * e.tokens * (double)p->facts.hidden * sizeof(float);
    e.hashes = ARENA_ARRAY(s->arena, const gnode_t *, p->facts.n_layers);
    for (const gnode_t *n = NULL; (n = graph_next(e.variant->graph, G_LSH_HASH, n));)
        e.hashes[n->layer] = n;
    int lsh = spec_first_layer(s->spec, true);
    if (lsh >= 0) e.crossover = crossover_find(s->spec, lsh, e.m->target);
    return e;
}
