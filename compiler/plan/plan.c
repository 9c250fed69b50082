/* What one artefact specialises for: the variants of compile.sequence_length, their graphs, the
 * buckets all of them share, the weights layout; then their modules, per target.
 *
 * `dynamic` is one symbolic variant (padded length = lcm * U) and literal ones below it, for the
 * lengths where the symbolic form would be wrong: inputs that fit one chunk see every key, and a
 * window that reaches beyond all chunks wraps in a degenerate way. */
#include "plan/plan_int.h"

static variant_plan_t variant_of(graph_t *g) {
    return (variant_plan_t){.max_length = graph_longest(g),
                            .unit = g->units.max > 0 ? g->padded.u : 0,
                            .padded = g->padded.c,
                            .unpadded = g->shorter != SHORTER_PADDED,
                            .absent = g->shorter == SHORTER_ABSENT,
                            .hashes = g->n_factors > 0,
                            .graph = g};
}

static bool add_variant(plan_t *p, int64_t length, units_t units, shorter_t shorter, diag_t *d) {
    graph_t *g = plan_build(p, length, units, false, d);
    if (!g) return false;
    g->shorter = shorter;
    p->variants[p->n_variants++] = variant_of(g);
    return true;
}

/* Whether U lengths of lcm need a literal form: some layer sees all keys, or
 * wraps beyond itself. */
static bool needs_literal(const spec_t *s, int64_t units) {
    int64_t length = spec_lcm(s) * units;
    for (int i = 0; i < s->n_layers; i++) {
        spec_layer_t l = spec_layer(s, i);
        bool back = l.num_chunks_before > l.num_chunks_after;
        int64_t reach = back ? l.num_chunks_before : l.num_chunks_after;
        if (length <= l.chunk_length || length / l.chunk_length * l.num_hashes < reach) return true;
    }
    return false;
}

static bool add_dynamic(plan_t *p, diag_t *d) {
    const spec_t *s = p->spec;
    int64_t longest = p->longest, lcm = spec_lcm(s), shortest = spec_min_chunk(s);
    if (shortest > longest) shortest = longest;
    /* Hugging Face pads nothing up to here */
    if (!add_variant(p, shortest, (units_t){0, 0}, SHORTER_ABSENT, d)) return false;
    int64_t u = 1, max = longest / lcm;
    for (; u <= max && needs_literal(s, u); u++) {
        if (p->n_variants >= MAX_LENGTHS) {
            diag_error(d, s->at[KEY_compile_sequence_length],
                       "windows of this many chunks need too many special lengths for `dynamic`");
            diag_hint(d, "name the length: --set compile.sequence_length=%lld", (long long)longest);
            return false;
        }
        if (lcm * u > shortest && !add_variant(p, lcm * u, (units_t){0, 0}, SHORTER_UNPADDED, d))
            return false;
    }
    if (u > max) return true;
    units_t units = {u, max};
    return add_variant(p, longest, u < max ? units : (units_t){0, 0}, SHORTER_UNPADDED, d);
}

/* As in Hugging Face the padding token matters where a length has to be filled
 * up, and nowhere else. */
static bool check_padding(const plan_t *p, int64_t length, diag_t *d) {
    const spec_t *s = p->spec;
    int64_t padded = spec_padded_length(s, length);
    if (padded == length || spec_pad_token(s) >= 0) return true;
    const char *is = s->has_pad_token
                         ? arena_printf(p->arena, "%lld, tokens are below 'vocab_size' %lld",
                                        (long long)s->pad_token_id, (long long)s->vocab_size)
                         : "null";
    diag_error(d, s->at[KEY_pad_token_id],
               "'pad_token_id' is %s; %lld tokens are filled up to %lld", is, (long long)length,
               (long long)padded);
    diag_hint(d, "--set pad_token_id=0, or a length that is a multiple of %lld",
              (long long)spec_lcm(s));
    return false;
}

static bool add_literal(plan_t *p, int64_t length, diag_t *d) {
    return check_padding(p, length, d) &&
           add_variant(p, length, (units_t){0, 0}, SHORTER_PADDED, d);
}

static bool add_variants(plan_t *p, diag_t *d) {
    const spec_t *s = p->spec;
    switch (s->compile.length_mode) {
    case LENGTH_DYNAMIC: return add_dynamic(p, d);
    case LENGTH_FIXED:
    case LENGTH_LIST:
        for (int i = 0; i < s->compile.n_lengths; i++)
            if (!add_literal(p, s->compile.lengths[i], d)) return false;
        return true;
    case LENGTH_ABSENT: break;
    }
    return add_literal(p, p->longest, d);
}

/* The greatest length of the artefact; decides automatic bucket counts for all variants. */
static int64_t greatest_length(const spec_t *s, const plan_options_t *o) {
    switch (s->compile.length_mode) {
    case LENGTH_DYNAMIC: return spec_max_length(s);
    case LENGTH_FIXED:
    case LENGTH_LIST: return s->compile.lengths[s->compile.n_lengths - 1];
    case LENGTH_ABSENT: break;
    }
    if (o->exact_length > 0) return o->exact_length;
    return o->default_length > 0 ? o->default_length : spec_max_length(s);
}

static bool choose_targets(plan_t *p, const plan_options_t *o, diag_t *d) {
    p->n_targets = o->n_targets;
    for (int i = 0; i < o->n_targets; i++) {
        p->targets[i] = o->targets[i];
        p->tiles[i] = o->tiles[i] ? *o->tiles[i] : tiles_for(o->targets[i]);
    }
    if (p->n_targets == 0) {
        diag_error(d, p->spec->at[KEY_compile_targets], "no target to compile for");
        return false;
    }
    return true;
}

/* ---- from graphs ----------------------------------------------------------------------------- */

/* Whether the artefact needs this graph, of those between it and the next shorter one:
 * `compile.sequence_length` names lengths of inputs. */
static bool is_asked_for(const spec_t *s, const graph_t *shorter, const graph_t *g) {
    if (s->compile.n_lengths == 0) return true;
    for (int i = 0; i < s->compile.n_lengths; i++)
        if (s->compile.lengths[i] <= graph_longest(g) &&
            (!shorter || s->compile.lengths[i] > graph_longest(shorter)))
            return true;
    return false;
}

static bool lengths_fit(const plan_t *p, const loaded_model_t *m, diag_t *d) {
    const spec_t *s = p->spec;
    int n = s->compile.n_lengths;
    if (n == 0 || s->compile.lengths[n - 1] <= m->facts.longest) return true;
    diag_error(d, s->at[KEY_compile_sequence_length],
               "'compile.sequence_length': the graph takes %lld tokens at most, %lld are too many",
               (long long)m->facts.longest, (long long)s->compile.lengths[n - 1]);
    return false;
}

/* A graph of its own: prefills are told what they keep. */
static graph_t *with_batch(const plan_t *p, const graph_t *g, int64_t batch, diag_t *d) {
    graph_size_t size = {batch, g->length, g->padded, g->units};
    graph_t *resized = graph_resize(p->arena, g, &size, d);
    if (!resized || !graph_check_model(resized, d)) return NULL;
    return plan_with_dtype(p, resized, d);
}

static bool take_graphs(plan_t *p, const loaded_model_t *m, diag_t *d) {
    if (!lengths_fit(p, m, d)) return false;
    p->longest = m->facts.longest;
    for (int i = 0; i < m->n_graphs; i++) {
        if (!is_asked_for(p->spec, i ? m->graphs[i - 1] : NULL, m->graphs[i])) continue;
        graph_t *g = with_batch(p, m->graphs[i], p->batch, d);
        if (!g) return false;
        p->variants[p->n_variants++] = variant_of(g);
    }
    return true;
}

/* ---- generation ------------------------------------------------------------------------------ */

/* What a prefill of one row runs: where the forward's batch is 1, the forward. */
static bool add_prefills(plan_t *p, diag_t *d) {
    p->prefills = p->variants;
    for (int k = 0; p->batch == 1 && k < p->n_variants; k++)
        if (!graph_keep(p->variants[k].graph, p->step, d)) return false;
    if (p->batch == 1) return true;
    p->prefills = ARENA_ARRAY(p->arena, variant_plan_t, p->n_variants);
    for (int k = 0; k < p->n_variants; k++) {
        variant_plan_t *v = &p->prefills[k];
        *v = p->variants[k];
        v->graph = with_batch(p, v->graph, 1, d);
        if (!v->graph || !graph_keep(v->graph, p->step, d)) return false;
    }
    return true;
}

/* Without buckets a row ends where Hugging Face would begin to use them. */
static void bound_positions(plan_t *p) {
    for (size_t i = 0; i < p->step->n_nodes; i++) {
        const gnode_t *n = p->step->nodes[i];
        if (n->op == G_LSH_STEP && n->n_factors == 0 && p->positions > n->chunk)
            p->positions = n->chunk;
    }
}

/* A graph that sees every key says nothing of longer rows. */
static void bound_exact(plan_t *p, const graph_t *like) {
    int64_t padded = dim_at(like->padded, like->units.max);
    if (graph_next(like, G_EXACT_ATTENTION, NULL) && p->positions > padded) p->positions = padded;
}

static bool add_step(plan_t *p, diag_t *d) {
    const graph_t *like = p->variants[p->n_variants - 1].graph;
    const char *why;
    const gnode_t *fault = p->spec->of_graph ? graph_step_fault(like, &why) : NULL;
    if (fault) {
        diag_warning(d, fault->at, "%s %s: the model does not generate", fault->name, why);
        return true;
    }
    p->positions = p->facts.positions;
    if (p->spec->of_graph) bound_exact(p, like);
    graph_t *step = graph_build_step(p->arena, like, p->batch, d);
    p->step = step ? plan_with_dtype(p, step, d) : NULL;
    if (!p->step) return false;
    graph_set_cache_dtype(p->step, like, p->spec->compile.cache_dtype);
    bound_positions(p);
    return add_prefills(p, d);
}

/* ---- a plan ---------------------------------------------------------------------------------- */

static bool make_variants(plan_t *p, const loaded_model_t *m, const plan_options_t *o, diag_t *d) {
    p->variants = ARENA_ARRAY(p->arena, variant_plan_t, MAX_GRAPHS);
    if (m->graphs) return take_graphs(p, m, d);
    p->longest = greatest_length(p->spec, o);
    return add_variants(p, d);
}

plan_t *plan_of_model(arena_t *a, const loaded_model_t *m, const plan_options_t *o, diag_t *d) {
    const spec_t *s = m->spec;
    plan_t *p = ARENA_NEW(a, plan_t);
    *p = (plan_t){.spec = s,
                  .facts = m->facts,
                  .arena = a,
                  .trace = o->trace,
                  .impose_buckets = o->impose_buckets,
                  .instrument = o->instrument,
                  .derives = o->train != TRAIN_NOT || o->of_training,
                  .name = o->name};
    p->batch = model_batch(m);
    if (o->exact_batch > 0 && !s->compile.has_batch) p->batch = o->exact_batch;
    if (p->derives && !plan_type_is_trained(p, d)) return NULL;
    if (!choose_targets(p, o, d) || !make_variants(p, m, o, d)) return NULL;
    if (o->train != TRAIN_NOT && !plan_add_trains(p, o, d)) return NULL;
    p->updates = p->trains && o->updates;
    if (!p->trains) p->layout = layout_make(a, p->variants[p->n_variants - 1].graph);
    if (o->decodes && p->facts.head == ARCH_CAUSAL_LM && !add_step(p, d)) return NULL;
    return p;
}

const gnode_t *plan_hash(const plan_t *p) {
    const graph_t *largest = p->variants[p->n_variants - 1].graph;
    if (!largest) return NULL; /* modules by themselves: of no graph */
    const gnode_t *first = graph_next(largest, G_LSH_HASH, NULL);
    if (p->spec->of_graph) return first;
    for (const gnode_t *n = first; n; n = graph_next(largest, G_LSH_HASH, n))
        if (spec_layer(p->spec, n->layer).n_bucket_factors == 0) return n;
    return first;
}

plan_t *plan_make(arena_t *a, const spec_t *s, const plan_options_t *o, diag_t *d) {
    loaded_model_t m = {.spec = (spec_t *)(uintptr_t)s,
                        .facts = facts_of_spec(a, s)}; /* only read */
    return plan_of_model(a, &m, o, d);
}

static const variant_plan_t *fitting(const plan_t *p, const variant_plan_t *v, size_t length) {
    for (int k = 0; k < p->n_variants && length > 0; k++)
        if (length <= (uint64_t)v[k].max_length) return &v[k];
    return NULL;
}

const variant_plan_t *plan_fitting(const plan_t *p, size_t length) {
    return fitting(p, p->variants, length);
}

const variant_plan_t *plan_prefill_fitting(const plan_t *p, size_t length) {
    return p->prefills ? fitting(p, p->prefills, length) : NULL;
}

const variant_plan_t *plan_train_fitting(const plan_t *p, size_t length) {
    return p->trains ? fitting(p, p->trains, length) : NULL;
}

int64_t variant_padded(const variant_plan_t *v, int64_t length) {
    return v->unit ? (length + v->unit - 1) / v->unit * v->unit : v->padded;
}
