/* Where an artefact comes from, in one line without date or path: the versions that it goes with,
 * and a digest of the spec that it was translated from. */
#include "plan/plan.h"
#include "reformer_rt.h"
#include "support/hash.h"

static uint64_t digest(const plan_t *p) {
    uint64_t h = spec_digest(p->spec);
    for (int k = 0; p->spec->of_graph && k < p->n_variants; k++) {
        sbuf_t text = {0};
        graph_print_forward(p->variants[k].graph, &text);
        h = hash64(h, text.data, text.size);
        sbuf_free(&text);
    }
    return h;
}

void plan_tell_origin(plan_t *p) {
    p->origin =
        arena_printf(p->arena, "reformerc %s, ABI %d, weights %d, spec %016llx", REFORMER_VERSION,
                     REFORMER_ABI, REFORMER_WEIGHTS_VERSION, (unsigned long long)digest(p));
}
