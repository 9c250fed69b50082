/* LSH against exact attention, length by length. In: a spec. Out: what a token costs each way.
 *
 * Both are lowered as a model of one LSH layer without a head: attention does not depend on the
 * rest. A chunk as long as the sequence is what makes the layer exact (Hugging Face's rule), so
 * both figures come from code that this compiler would really emit. */
#include "cost/crossover.h"

#include "cost/kernels.h"

/* The LSH layer by itself, with a place for every length. */
static spec_t one_layer(arena_t *a, const spec_t *s, int layer) {
    spec_t one = spec_of_layer(a, s, layer);
    one.architecture = ARCH_BASE;
    one.axial_pos_embds = false;
    one.compile.length_mode = LENGTH_ABSENT;
    one.compile.has_batch = false;
    return one;
}

/* Per token; false where this length is too large for some limit. */
static bool attention_flops(arena_t *a, const spec_t *s, const target_t *t, int64_t length,
                            double *flops) {
    diag_t *d = diag_new();
    plan_options_t want = {.name = "crossover",
                           .exact_length = length,
                           .exact_batch = 1,
                           .n_targets = 1,
                           .targets = {t}};
    plan_t *p = plan_make(a, s, &want, d);
    pass_options_t passes = {0};
    bool ok = p && plan_lower(p, &passes, d);
    diag_free(d);
    if (!ok) return false;
    static const char *const kernels[] = {"lsh.hash", "lsh.sort", "lsh.norms", "lsh.attention"};
    kernel_costs_t c = kernel_costs(a, p->modules[0], 0);
    *flops = 0;
    for (int k = 0; k < 4; k++) {
        products_t work = kernel_products(&c, kernels[k]);
        *flops += products_as_fma(&work) / (double)length;
    }
    return true;
}

bool crossing_at(const spec_t *s, int layer, const target_t *t, int64_t length, crossing_t *x) {
    arena_t *a = arena_new();
    spec_t lsh = one_layer(a, s, layer), exact = lsh;
    exact.lsh_attn_chunk_length = length;
    x->length = length;
    bool ok = attention_flops(a, &lsh, t, length, &x->lsh) &&
              attention_flops(a, &exact, t, length, &x->exact);
    arena_free(a);
    return ok;
}

static bool lsh_wins(const crossing_t *x) {
    return x->lsh < x->exact;
}

/* Between a length that loses and one that wins, in chunks; costs grow steadily enough for it. */
static int64_t bisect(const spec_t *s, int layer, const target_t *t, int64_t loses, int64_t wins) {
    int64_t chunk = spec_layer(s, layer).chunk_length;
    while (wins - loses > 1) {
        int64_t middle = loses + (wins - loses) / 2;
        crossing_t x;
        if (crossing_at(s, layer, t, middle * chunk, &x) && lsh_wins(&x)) wins = middle;
        else loses = middle;
    }
    return wins * chunk;
}

crossover_t crossover_find(const spec_t *s, int layer, const target_t *t) {
    crossover_t c = {0};
    int64_t chunk = spec_layer(s, layer).chunk_length, max = s->max_position_embeddings / chunk;
    for (int64_t chunks = 2; chunks <= max && c.n < MAX_CROSSINGS; chunks *= 2)
        if (crossing_at(s, layer, t, chunks * chunk, &c.points[c.n])) c.n++;
        else break;
    int first = c.n;
    while (first > 0 && lsh_wins(&c.points[first - 1])) first--;
    if (first == c.n) return c;
    c.from = first == 0 ? c.points[0].length
                        : bisect(s, layer, t, c.points[first - 1].length / chunk,
                                 c.points[first].length / chunk);
    return c;
}
