/* Performance warnings. In: a lowered plan. Out: diag_warning()s with numbers and a way out.
 *
 * What a setting wastes is counted in flops of the loop IR, as a share of one forward. Without being
 * asked, only what wastes a tenth of a forward, and a billion flops, is worth interrupting for:
 * nobody misses the microseconds of a toy. */
#include "commands/advice.h"

#include <math.h>
#include <unistd.h>

#include "commands/crossover.h"
#include "commands/kernels.h"

static const struct {
    double share, flops; /* of a forward: wasted at least */
} thresholds[] = {[ADVICE_ALL] = {0.02, 0}, [ADVICE_SEVERE] = {0.10, 1e9}};

typedef struct {
    const plan_t *p;
    const spec_t *s;
    const module_t *m;
    kernel_costs_t costs;
    int64_t padded; /* length */
    double tokens;  /* batch x padded length */
    advice_level_t level;
    arena_t *arena;
    diag_t *d;
} advice_t;

static bool worth_it(const advice_t *a, double wasted) {
    return wasted >= thresholds[a->level].share * a->costs.total.flops &&
           wasted >= thresholds[a->level].flops;
}

static double percent(const advice_t *a, double flops) {
    return 100 * flops / a->costs.total.flops;
}

/* ---- LSH against exact attention ------------------------------------------------------------------- */

static double lsh_flops(const advice_t *a) {
    return kernel_flops(&a->costs, "lsh.hash") + kernel_flops(&a->costs, "lsh.attention");
}

static void hint_crossover(const advice_t *a) {
    crossover_t c = crossover_find(a->s, a->m->target);
    const char *instead =
        "`lsh_attn_chunk_length` of at least the length, or local layers, cost less";
    if (c.from)
        diag_hint(a->d, "it pays from %lld tokens on; below, %s", (long long)c.from, instead);
    else
        diag_hint(a->d, "it pays at no length up to %lld: fewer `num_hashes`, or %s",
                  (long long)a->s->max_position_embeddings, instead);
}

static void advise_on_lsh(const advice_t *a) {
    if (!kernel_find(&a->costs, "lsh.hash") || !worth_it(a, lsh_flops(a))) return;
    crossing_t x;
    if (!crossing_at(a->s, a->m->target, a->padded, &x) || x.lsh <= x.exact) return;
    int layers = 0;
    for (int k = 0; k < a->s->n_layers; k++) layers += a->s->attn_layers[k] == LAYER_LSH;
    double wasted = (x.lsh - x.exact) * a->tokens * layers;
    if (!worth_it(a, wasted)) return;
    diag_warning(a->d, a->s->at[KEY_attn_layers],
                 "LSH attention takes %.3g times the flops of exact attention at %lld tokens: %.3f "
                 "M against %.3f M per token and layer",
                 x.lsh / x.exact, (long long)a->padded, x.lsh / 1e6, x.exact / 1e6);
    hint_crossover(a);
}

/* ---- buckets --------------------------------------------------------------------------------------- */

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

static void advise_on_buckets(const advice_t *a) {
    const plan_t *p = a->p;
    double hash = kernel_flops(&a->costs, "lsh.hash");
    if (p->n_factors != 1 || p->factors[0] < 8 || hash == 0) return;
    int64_t f[2];
    balanced_factors(p->factors[0], f);
    double less = (double)(f[0] + f[1]) / (double)p->factors[0], wasted = hash * (1 - less);
    if (!worth_it(a, wasted)) return;
    diag_warning(a->d, a->s->at[KEY_num_buckets],
                 "%lld buckets in one factor: hashing takes %.1f %% of a forward, %.3f M flops per "
                 "token, and grows with the square of the length when buckets do with it",
                 (long long)p->factors[0], percent(a, hash), hash / a->tokens / 1e6);
    diag_hint(a->d, "`num_buckets: [%lld, %lld]` hashes into %lld buckets with %.1f %% of that",
              (long long)f[0], (long long)f[1], (long long)(f[0] * f[1]), 100 * less);
}

/* ---- lanes ----------------------------------------------------------------------------------------- */

/* A width that column tiles of the target do not divide, and the kernels whose columns it is. */
typedef struct {
    spec_key_t key;
    int64_t width;
    struct {
        const char *name;
        double part; /* of its flops that have these columns */
    } kernels[6];
} width_t;

static void advise_on_width(const advice_t *a, const width_t *w, int64_t tile) {
    int64_t rest = w->width % tile, idle = rest ? tile - rest : 0;
    double flops = 0;
    for (int k = 0; k < 6 && w->kernels[k].name; k++)
        flops += w->kernels[k].part * kernel_flops(&a->costs, w->kernels[k].name);
    double share = (double)idle / (double)(w->width + idle);
    if (idle == 0 || !worth_it(a, share * flops)) return;
    diag_warning(a->d, a->s->at[w->key],
                 "%lld does not fill tiles of %lld lanes (%s): %.0f %% of them compute nothing, "
                 "%.1f %% of a forward's flops",
                 (long long)w->width, (long long)tile, a->m->target->name, 100 * share,
                 percent(a, share * flops));
    diag_hint(a->d, "multiples of %lld waste none", (long long)tile);
}

/* Scores have keys in their columns; the other half of attention, the product with V, has the head's.
 * The feed-forward kernel is two products of equal size. */
static void advise_on_lanes(const advice_t *a) {
    const spec_t *s = a->s;
    int64_t lanes = a->m->target->vector_bytes / (int64_t)sizeof(float);
    int64_t tile = lanes * a->p->tiles[0].vectors;
    const width_t widths[] = {
        {KEY_hidden_size,
         s->hidden_size,
         {{"lsh.output", 1}, {"local.output", 1}, {"feed_forward", 0.5}}},
        {KEY_attention_head_size,
         s->attention_head_size,
         {{"lsh.project", 1},
          {"local.project", 1},
          {"lsh.attention", 0.5},
          {"local.attention", 0.5}}},
        {KEY_feed_forward_size, s->feed_forward_size, {{"feed_forward", 0.5}}},
        {KEY_vocab_size, s->vocab_size, {{"lm_head", 1}}},
    };
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++)
        advise_on_width(a, &widths[k], tile);
}

/* Queries stand in the lanes: chunks that do not fill them are padded. */
static void advise_on_chunk(const advice_t *a, spec_key_t key, int64_t chunk, const char *kernel) {
    int64_t lanes = a->m->target->vector_bytes / (int64_t)sizeof(float);
    width_t w = {key, chunk, {{kernel, 1}}};
    if (chunk < a->padded) advise_on_width(a, &w, lanes * a->p->tiles[0].vectors);
}

/* ---- caches ---------------------------------------------------------------------------------------- */

/* One task's window: what a kernel keeps in scratch, and for local layers, whose keys and values need
 * no gathering, those where they are. */
static void advise_on_window(const advice_t *a, layer_kind_t kind, int64_t chunk, int64_t chunks) {
    bool lsh = kind == LAYER_LSH;
    const lfunc_t *f = module_find_func(a->m, lsh ? "lsh_attention" : "local_attention");
    long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (!f || cache <= 0 || chunk >= a->padded) return;
    int64_t keys =
        lsh ? 0 : 2 * chunks * chunk * a->s->attention_head_size * (int64_t)sizeof(float);
    int64_t bytes = dim_at(f->scratch_bytes, a->m->units.max) + keys;
    if (bytes <= cache) return;
    diag_warning(a->d, a->s->at[lsh ? KEY_lsh_attn_chunk_length : KEY_local_attn_chunk_length],
                 "a window of %lld x %lld keys of %lld takes %.2f MiB with values and scores, more "
                 "than this machine's L2 cache of %.2f MiB",
                 (long long)chunks, (long long)chunk, (long long)a->s->attention_head_size,
                 (double)bytes / (1 << 20), (double)cache / (1 << 20));
    diag_hint(a->d, "shorter chunks, or fewer of them in a window");
}

static void advise_on_windows(const advice_t *a) {
    const spec_t *s = a->s;
    if (a->level != ADVICE_ALL) return;
    advise_on_window(a, LAYER_LSH, s->lsh_attn_chunk_length,
                     1 + s->lsh_num_chunks_before + s->lsh_num_chunks_after);
    advise_on_window(a, LAYER_LOCAL, s->local_attn_chunk_length,
                     1 + s->local_num_chunks_before + s->local_num_chunks_after);
}

void advise(const plan_t *p, advice_level_t level, diag_t *d) {
    arena_t *arena = arena_new();
    const variant_plan_t *v = &p->variants[p->n_variants - 1];
    const module_t *m = p->modules[(p->n_variants - 1) * p->n_targets];
    advice_t a = {.p = p, .s = p->spec, .m = m, .level = level, .arena = arena, .d = d};
    a.padded = dim_at(v->graph->padded, m->units.max);
    a.tokens = (double)p->batch * (double)a.padded;
    a.costs = kernel_costs(arena, m, m->units.max);
    advise_on_lsh(&a);
    advise_on_buckets(&a);
    advise_on_lanes(&a);
    advise_on_chunk(&a, KEY_lsh_attn_chunk_length, p->spec->lsh_attn_chunk_length, "lsh.attention");
    advise_on_chunk(&a, KEY_local_attn_chunk_length, p->spec->local_attn_chunk_length,
                    "local.attention");
    advise_on_windows(&a);
    arena_free(arena);
}
