/* Performance warnings. In: a lowered plan. Out: diag_warning()s with numbers and a way out.
 *
 * What a setting wastes is counted in flops of the loop IR, as a share of one forward; those of
 * bfloat16 and int8 count as many as fma do in the same time, as at the crossover. Without being
 * asked, only what wastes a tenth of a forward, and a billion flops, is worth interrupting for:
 * nobody misses the microseconds of a toy. */
#include "cost/advice.h"

#include <math.h>
#include <unistd.h>

#include "cost/crossover.h"
#include "cost/kernels.h"

static const struct {
    double share, flops; /* of a forward: wasted at least */
} thresholds[] = {[ADVICE_ALL] = {0.02, 0}, [ADVICE_SEVERE] = {0.10, 1e9}};

typedef struct {
    const spec_t *s;
    const module_t *m;
    kernel_costs_t costs;
    double flops;           /* of a forward, as all flops here: products_as_fma() */
    int64_t padded;         /* length */
    double tokens;          /* batch x padded length */
    const gnode_t **hashes; /* [layers]: LSH_HASH; NULL: the layer does not hash */
    advice_level_t level;
    arena_t *arena;
    diag_t *d;
} advice_t;

static bool worth_it(const advice_t *a, double wasted) {
    return wasted >= thresholds[a->level].share * a->flops && wasted >= thresholds[a->level].flops;
}

static double percent(const advice_t *a, double flops) {
    return 100 * flops / a->flops;
}

static double flops_of(const advice_t *a, const char *kernel) {
    products_t work = kernel_products(&a->costs, kernel);
    return products_as_fma(&work);
}

/* ---- LSH against exact attention ------------------------------------------------------------- */

static double lsh_flops(const advice_t *a) {
    return flops_of(a, "lsh.hash") + flops_of(a, "lsh.attention");
}

static void hint_crossover(const advice_t *a, int layer) {
    crossover_t c = crossover_find(a->s, layer, a->m->target);
    const char *instead =
        "`lsh_attn_chunk_length` of at least the length, or local layers, cost less";
    if (c.from)
        diag_hint(a->d, "it pays from %lld tokens on; below, %s", (long long)c.from, instead);
    else
        diag_hint(a->d, "it pays at no length up to %lld: fewer `num_hashes`, or %s",
                  (long long)a->s->max_position_embeddings, instead);
}

/* Flops of exact attention, per token and layer, at least: each query meets every key, or where it
 * is causal half of them, in one product for scores and one for values. Of small types a
 * machine does more at once. */
static double exact_at_min(const advice_t *a, int layer) {
    spec_layer_t l = spec_layer(a->s, layer);
    double at_once = 1, keys = (double)a->padded / (a->s->is_decoder ? 2 : 1);
    for (int k = 0; k < FACTOR_COUNT && spec_dtype(a->s, layer) != DTYPE_FLOAT32; k++)
        at_once = fmax(at_once, flops_at_once[k]);
    return 2 * 2 * keys * (double)(l.num_attention_heads * l.attention_head_size) / at_once;
}

/* What these layers can waste at most: were all that hashes theirs, and some more, since a layer by
 * itself is lowered otherwise than among others. */
static double lsh_waste_at_max(const advice_t *a, int layer, int layers) {
    double all = lsh_flops(a) + flops_of(a, "lsh.sort") + flops_of(a, "lsh.norms");
    return 1.25 * all - exact_at_min(a, layer) * a->tokens * layers;
}

/* Of `layers` layers like this one. Both ways are lowered only where the answer is not plain: it
 * takes as long as all else. */
static void advise_on_lsh_layer(const advice_t *a, int layer, int layers) {
    crossing_t x;
    if (!worth_it(a, lsh_waste_at_max(a, layer, layers))) return;
    if (!crossing_at(a->s, layer, a->m->target, a->padded, &x) || x.lsh <= x.exact) return;
    if (!worth_it(a, (x.lsh - x.exact) * a->tokens * layers)) return;
    diag_warning(a->d, a->s->at[KEY_attn_layers],
                 "LSH attention takes %.3g times the flops of exact attention at %lld tokens: %.3f "
                 "M against %.3f M per token and layer%s",
                 x.lsh / x.exact, (long long)a->padded, x.lsh / 1e6, x.exact / 1e6,
                 layers == spec_layers_of(a->s, true)
                     ? ""
                     : arena_printf(a->arena, " (layer %d and its like)", layer));
    hint_crossover(a, layer);
}

/* Layers are alike where they attend alike; what lies behind attention does not count. */
static bool attend_alike(const spec_t *s, int i, int k) {
    spec_layer_t a = spec_layer(s, i), b = spec_layer(s, k);
    bool buckets = a.n_bucket_factors == b.n_bucket_factors;
    for (int f = 0; buckets && f < a.n_bucket_factors; f++)
        buckets = a.num_buckets[f] == b.num_buckets[f];
    return buckets && a.lsh == b.lsh && a.chunk_length == b.chunk_length &&
           a.num_chunks_before == b.num_chunks_before && a.num_chunks_after == b.num_chunks_after &&
           a.num_hashes == b.num_hashes && a.num_attention_heads == b.num_attention_heads &&
           a.attention_head_size == b.attention_head_size;
}

static void advise_on_lsh(const advice_t *a) {
    if (flops_of(a, "lsh.hash") == 0 || !worth_it(a, lsh_flops(a))) return;
    for (int i = 0; i < a->s->n_layers; i++) {
        bool earlier = false;
        int like = 0;
        for (int k = 0; a->hashes[i] && k < a->s->n_layers && !earlier; k++) {
            if (!attend_alike(a->s, i, k)) continue;
            earlier = k < i;
            like++;
        }
        if (like > 0 && !earlier) advise_on_lsh_layer(a, i, like);
    }
}

/* ---- buckets --------------------------------------------------------------------------------- */

void balanced_factors(int64_t n, int64_t factors[2]) {
    for (n += n % 4 ? 4 - n % 4 : 0;; n += 4) {
        int64_t f = (int64_t)sqrt((double)n);
        for (f -= f % 2; f >= 2; f -= 2) {
            /* a factor much smaller than the other saves little: rather a few buckets more */
            if (n % f || n / f % 2 || n / f > 4 * f) continue;
            factors[0] = f;
            factors[1] = n / f;
            return;
        }
    }
}

/* What a layer's hash costs, but for a factor that all have in common; in how many columns. */
static double hash_cost(const gnode_t *n, double columns) {
    return (double)(n->heads * n->head_size * n->rounds) * columns;
}

static bool is_one_factor(const gnode_t *n) {
    return n->n_factors == 1 && n->factors[0] >= 8;
}

static void advise_on_buckets(const advice_t *a) {
    double hash = flops_of(a, "lsh.hash"), all = 0, spared = 0;
    const gnode_t *first = NULL;
    int64_t f[2];
    for (int i = 0; i < a->s->n_layers; i++) {
        const gnode_t *n = a->hashes[i];
        double columns = 0;
        if (!n) continue;
        for (int k = 0; k < n->n_factors; k++) columns += (double)n->factors[k];
        all += hash_cost(n, columns);
        if (!is_one_factor(n)) continue;
        if (!first) first = n;
        balanced_factors(n->factors[0], f);
        spared += hash_cost(n, columns - (double)(f[0] + f[1]));
    }
    if (!first || !worth_it(a, hash * spared / all)) return;
    balanced_factors(first->factors[0], f);
    diag_warning(a->d, spec_layer_at(a->s, first->layer, KEY_num_buckets),
                 "%lld buckets in one factor: hashing takes %.1f %% of a forward, %.3f M flops per "
                 "token, and grows with the square of the length when buckets do with it",
                 (long long)first->factors[0], percent(a, hash), hash / a->tokens / 1e6);
    diag_hint(a->d, "`num_buckets: [%lld, %lld]` hashes into %lld buckets with %.1f %% of that",
              (long long)f[0], (long long)f[1], (long long)(f[0] * f[1]),
              100 * (double)(f[0] + f[1]) / (double)first->factors[0]);
}

/* ---- lanes ----------------------------------------------------------------------------------- */

/* A width that column tiles of the target do not divide, and the kernels whose columns it is. */
typedef struct {
    spec_key_t key;
    srcloc_t at;
    int64_t width;
    double share; /* of the kernels' flops: layers may have other widths */
    struct {
        const char *name;
        double part; /* of its flops that have these columns */
    } kernels[6];
} width_t;

static void advise_on_width(const advice_t *a, const width_t *w, int64_t tile) {
    int64_t rest = w->width % tile, idle = rest ? tile - rest : 0;
    double flops = 0;
    for (int k = 0; k < 6 && w->kernels[k].name; k++)
        flops += w->share * w->kernels[k].part * flops_of(a, w->kernels[k].name);
    double share = (double)idle / (double)(w->width + idle);
    if (idle == 0 || !worth_it(a, share * flops)) return;
    diag_warning(a->d, w->at,
                 "%lld does not fill tiles of %lld lanes (%s): %.0f %% of them compute nothing, "
                 "%.1f %% of a forward's flops",
                 (long long)w->width, (long long)tile, a->m->target->name, 100 * share,
                 percent(a, share * flops));
    diag_hint(a->d, "multiples of %lld waste none", (long long)tile);
}

static int64_t head_size_of(const spec_layer_t *l) {
    return l->attention_head_size;
}
static int64_t inner_of(const spec_layer_t *l) {
    return l->feed_forward_size;
}
static int64_t lsh_chunk_of(const spec_layer_t *l) {
    return l->lsh ? l->chunk_length : 0;
}
static int64_t local_chunk_of(const spec_layer_t *l) {
    return l->lsh ? 0 : l->chunk_length;
}

/* Of widths that layers have, 0: none; those of one width once. */
static void advise_on_layers(const advice_t *a, const width_t *like,
                             int64_t (*of)(const spec_layer_t *), int64_t below, int64_t tile) {
    int n = a->s->n_layers;
    int64_t *widths = ARENA_ARRAY(a->arena, int64_t, n);
    double all = 0;
    for (int i = 0; i < n; i++) {
        spec_layer_t l = spec_layer(a->s, i);
        widths[i] = of(&l);
        all += (double)widths[i];
    }
    for (int i = 0; i < n; i++) {
        int first = 0;
        double same = 0;
        while (widths[first] != widths[i]) first++;
        if (first < i || widths[i] == 0 || widths[i] >= below) continue;
        for (int k = 0; k < n; k++) same += widths[k] == widths[i] ? (double)widths[i] : 0;
        width_t w = *like;
        w.at = spec_layer_at(a->s, i, w.key);
        w.width = widths[i];
        w.share = same / all;
        advise_on_width(a, &w, tile);
    }
}

/* Scores have keys in their columns; the other half of attention, the product with V, has the
 * head's. The feed-forward kernel is two products of equal size. */
static void advise_on_lanes(const advice_t *a, int64_t tile) {
    const spec_t *s = a->s;
    const width_t hidden = {KEY_hidden_size,
                            s->at[KEY_hidden_size],
                            s->hidden_size,
                            1,
                            {{"lsh.output", 1}, {"local.output", 1}, {"feed_forward", 0.5}}};
    const width_t head = {.key = KEY_attention_head_size,
                          .kernels = {{"lsh.project", 1},
                                      {"local.project", 1},
                                      {"lsh.attention", 0.5},
                                      {"local.attention", 0.5}}};
    const width_t inner = {.key = KEY_feed_forward_size, .kernels = {{"feed_forward", 0.5}}};
    const width_t vocab = {
        KEY_vocab_size, s->at[KEY_vocab_size], s->vocab_size, 1, {{"lm_head", 1}}};
    advise_on_width(a, &hidden, tile);
    advise_on_layers(a, &head, head_size_of, INT64_MAX, tile);
    advise_on_layers(a, &inner, inner_of, INT64_MAX, tile);
    advise_on_width(a, &vocab, tile);
}

/* Queries stand in the lanes: chunks that do not fill them are padded. */
static void advise_on_chunks(const advice_t *a, int64_t tile) {
    const width_t lsh = {.key = KEY_lsh_attn_chunk_length, .kernels = {{"lsh.attention", 1}}};
    const width_t local = {.key = KEY_local_attn_chunk_length, .kernels = {{"local.attention", 1}}};
    advise_on_layers(a, &lsh, lsh_chunk_of, a->padded, tile);
    advise_on_layers(a, &local, local_chunk_of, a->padded, tile);
}

/* ---- caches ---------------------------------------------------------------------------------- */

/* One task's window: what a kernel keeps in scratch, and for local layers, whose keys and values
 * need no gathering, those where they are. Of the first layer of a kind, whose
 * kernel has the kind's name. */
static void advise_on_window(const advice_t *a, bool lsh) {
    int layer = spec_first_layer(a->s, lsh);
    const lfunc_t *f = module_find_func(a->m, lsh ? "lsh_attention" : "local_attention");
    long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (layer < 0 || !f || cache <= 0 || a->level != ADVICE_ALL) return;
    spec_layer_t l = spec_layer(a->s, layer);
    int64_t chunks = 1 + l.num_chunks_before + l.num_chunks_after, head = l.attention_head_size;
    if (l.chunk_length >= a->padded) return;
    int64_t keys = lsh ? 0 : 2 * chunks * l.chunk_length * head * (int64_t)sizeof(float);
    int64_t bytes = dim_at(f->scratch_bytes, a->m->units.max) + keys;
    if (bytes <= cache) return;
    diag_warning(a->d, spec_layer_at(a->s, layer, spec_window_keys(lsh).chunk),
                 "a window of %lld x %lld keys of %lld takes %.2f MiB with values and scores, more "
                 "than this machine's L2 cache of %.2f MiB",
                 (long long)chunks, (long long)l.chunk_length, (long long)head,
                 (double)bytes / (1 << 20), (double)cache / (1 << 20));
    diag_hint(a->d, "shorter chunks, or fewer of them in a window");
}

void advise(const plan_t *p, advice_level_t level, diag_t *d) {
    arena_t *arena = arena_new();
    const variant_plan_t *v = &p->variants[p->n_variants - 1];
    const module_t *m = p->modules[(p->n_variants - 1) * p->n_targets];
    advice_t a = {.s = p->spec, .m = m, .level = level, .arena = arena, .d = d};
    a.padded = dim_at(v->graph->padded, m->units.max);
    a.tokens = (double)p->batch * (double)a.padded;
    a.costs = kernel_costs(arena, m, m->units.max);
    a.flops = products_as_fma(&a.costs.total.products);
    a.hashes = ARENA_ARRAY(arena, const gnode_t *, p->spec->n_layers);
    for (const gnode_t *n = NULL; (n = graph_next(v->graph, G_LSH_HASH, n));)
        a.hashes[n->layer] = n;
    int64_t lanes = m->target->vector_bytes / (int64_t)sizeof(float);
    int64_t tile = lanes * p->tiles[0].vectors;
    advise_on_lsh(&a);
    advise_on_buckets(&a);
    advise_on_lanes(&a, tile);
    advise_on_chunks(&a, tile);
    advise_on_window(&a, true);
    advise_on_window(&a, false);
    arena_free(arena);
}
