/* Graphs of a plan from its spec: of a number of tokens, with the number type
 * of what the plan is for. */
#include "plan/plan_int.h"

graph_t *plan_with_dtype(const plan_t *p, graph_t *g, diag_t *d) {
    const spec_t *s = p->spec;
    if (p->derives) return graph_with_train_dtype(p->arena, g, s->train.dtype, d);
    return graph_with_dtypes(p->arena, g, s, d);
}

graph_t *plan_build(const plan_t *p, int64_t length, units_t units, bool train, diag_t *d) {
    graph_options_t o = {.batch = p->batch,
                         .length = length,
                         .units = units,
                         .train = train,
                         .bucket_length = spec_padded_length(p->spec, p->longest)};
    graph_t *g = graph_build(p->arena, p->spec, &o, d);
    return g ? plan_with_dtype(p, g, d) : NULL;
}
