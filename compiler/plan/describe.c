/* The runtime's descriptor of a lowered plan. In: plan, modules, layout. Out: reformer_desc_t and
 * its variants, as runtime/reformer_rt.h says. The order of variants is that of generated code:
 * better targets first, each by ascending length. */
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "weights/weights.h"

int plan_count(const plan_t *p) {
    return p->n_variants * p->n_targets;
}

static bool has_prefills(const plan_t *p) {
    return p->step && p->prefills != p->variants;
}

static bool has_trains(const plan_t *p) {
    return p->trains && p->trains != p->variants;
}

int plan_parts(const plan_t *p) {
    int groups = 1 + has_prefills(p) + has_trains(p);
    return groups * plan_count(p) + ((p->step != NULL) + p->updates) * p->n_targets;
}

part_kind_t plan_part(const plan_t *p, int part) {
    int group = part / plan_count(p), n = 0;
    part_kind_t kinds[3] = {PART_FORWARD};
    if (has_prefills(p)) kinds[++n] = PART_PREFILL;
    if (has_trains(p)) kinds[++n] = PART_TRAIN;
    if (group <= n) return kinds[group];
    return p->updates && part >= plan_parts(p) - p->n_targets ? PART_UPDATE : PART_STEP;
}

/* One for each target, not one for each length. */
static bool is_single(part_kind_t kind) {
    return kind == PART_STEP || kind == PART_UPDATE;
}

int plan_target(const plan_t *p, int part) {
    if (is_single(plan_part(p, part))) return part % p->n_targets;
    return part % plan_count(p) / p->n_variants;
}

const char *plan_part_name(const plan_t *p, int part, arena_t *a) {
    part_kind_t kind = plan_part(p, part);
    if (is_single(kind)) return kind == PART_STEP ? "step" : "update";
    const variant_plan_t *v = plan_variant(p, part);
    const char *length = "";
    if (p->n_variants > 1)
        length = arena_printf(a, "%s%lld", v->unit ? "U" : "L", (long long)v->max_length);
    if (kind == PART_FORWARD) return length;
    const char *what = kind == PART_TRAIN ? "train" : "prefill";
    return arena_printf(a, "%s%s%s", what, *length ? "_" : "", length);
}

/* Index into plan->targets of the target that stands at `rank`: higher ids are better, and the
 * first of another architecture is as good a place as any. */
static int target_at(const plan_t *p, int rank) {
    for (int t = 0; t < p->n_targets; t++) {
        int better = 0;
        for (int k = 0; k < p->n_targets; k++) better += p->targets[k]->id > p->targets[t]->id;
        if (better == rank) return t;
    }
    bug("a plan with a target twice");
}

const variant_plan_t *plan_variant(const plan_t *p, int part) {
    part_kind_t kind = plan_part(p, part);
    variant_plan_t *v = kind == PART_PREFILL ? p->prefills
                        : kind == PART_TRAIN ? p->trains
                                             : p->variants;
    return &v[part % p->n_variants];
}

const module_t *plan_module(const plan_t *p, int part) {
    int t = target_at(p, plan_target(p, part));
    part_kind_t kind = plan_part(p, part);
    if (is_single(kind)) return (kind == PART_STEP ? p->step_modules : p->update_modules)[t];
    module_t **m = kind == PART_PREFILL ? p->prefill_modules
                   : kind == PART_TRAIN ? p->train_modules
                                        : p->modules;
    return m[part % p->n_variants * p->n_targets + t];
}

static int cpu_of(const target_t *t) {
    static const int cpu[T_COUNT] = {[T_X86_64] = REFORMER_CPU_X86_64,
                                     [T_X86_64_V3] = REFORMER_CPU_X86_64_V3,
                                     [T_X86_64_V4] = REFORMER_CPU_X86_64_V4,
                                     [T_AARCH64] = REFORMER_CPU_AARCH64,
                                     [T_X86_64_V3_VNNI] = REFORMER_CPU_X86_64_V3_VNNI,
                                     [T_X86_64_V4_VNNI] = REFORMER_CPU_X86_64_V4_VNNI,
                                     [T_X86_64_V4_BF16] = REFORMER_CPU_X86_64_V4_BF16,
                                     [T_AARCH64_BF16] = REFORMER_CPU_AARCH64_BF16,
                                     [T_WASM32] = REFORMER_CPU_WASM32};
    return cpu[t->id];
}

/* fixed + per_unit * U */
static void split(dim_t d, size_t *fixed, size_t *per_unit) {
    if (d.c < 0 || d.u < 0) bug("a size of %lld + %lld U", (long long)d.c, (long long)d.u);
    *fixed = (size_t)d.c;
    *per_unit = (size_t)d.u;
}

static reformer_variant_t describe_variant(const plan_t *p, int k) {
    const module_t *m = plan_module(p, k);
    reformer_variant_t r = {.target = cpu_of(m->target)};
    part_kind_t kind = plan_part(p, k);
    if (kind == PART_STEP) {
        r.max_length = r.padded = 1;
        r.rows = p->batch;
    } else if (kind != PART_UPDATE) {
        const variant_plan_t *v = plan_variant(p, k);
        r.max_length = v->max_length;
        r.unit = v->unit;
        r.padded = v->padded;
        r.rows = v->rows[target_at(p, plan_target(p, k))];
        r.unpadded = v->unpadded;
        r.absent = v->absent;
        r.hashes = v->hashes;
    }
    split(m->workspace_bytes, &r.workspace_bytes, &r.workspace_per_unit);
    split(m->scratch_bytes, &r.scratch_bytes, &r.scratch_per_unit);
    return r;
}

static reformer_head_t head_of(arch_t a) {
    static const reformer_head_t heads[] = {[ARCH_UNSET] = REFORMER_HEAD_NONE,
                                            [ARCH_BASE] = REFORMER_HEAD_NONE,
                                            [ARCH_CAUSAL_LM] = REFORMER_HEAD_CAUSAL_LM,
                                            [ARCH_MASKED_LM] = REFORMER_HEAD_MASKED_LM,
                                            [ARCH_CLASSIFIER] = REFORMER_HEAD_CLASSIFIER,
                                            [ARCH_QA] = REFORMER_HEAD_QA};
    return heads[a];
}

/* Hugging Face, when problem_type is null: one label is a regression, float labels are several
 * classes at once, integer labels one of several. */
static void describe_labels(const facts_t *f, reformer_desc_t *d) {
    bool regression =
        f->problem == PROBLEM_REGRESSION || (f->problem == PROBLEM_UNSET && f->labels == 1);
    bool several =
        f->problem == PROBLEM_MULTI_LABEL || (f->problem == PROBLEM_UNSET && f->labels > 1);
    d->float_loss = regression ? REFORMER_LOSS_MSE
                    : several  ? REFORMER_LOSS_BCE
                               : REFORMER_LOSS_NONE;
    d->label_is_float = regression && f->labels == 1;
}

static bool same_lsh(const reformer_lsh_t *a, const reformer_lsh_t *b) {
    return a->chunk == b->chunk && a->heads == b->heads && a->rounds == b->rounds &&
           a->max_bucket == b->max_bucket;
}

static int64_t buckets_of(const gnode_t *hash) {
    int64_t product = 1;
    for (int k = 0; k < hash->n_factors; k++) product *= hash->factors[k];
    return product;
}

/* Layers that never hash have one bucket. */
static reformer_lsh_t *lsh_layers(const plan_t *p, int64_t n) {
    const graph_t *g = p->variants[p->n_variants - 1].graph;
    reformer_lsh_t *all = ARENA_ARRAY(p->arena, reformer_lsh_t, n), *next = all;
    for (int i = 0; i < p->facts.n_layers; i++) {
        const layer_facts_t *l = &p->facts.layers[i];
        if (l->lsh) *next++ = (reformer_lsh_t){l->chunk, l->heads, l->rounds, 1};
    }
    for (const gnode_t *h = NULL; (h = graph_next(g, G_LSH_HASH, h));)
        all[facts_lsh_before(&p->facts, h->layer)].max_bucket = buckets_of(h) + 1;
    return all;
}

static int64_t greater(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static void describe_lsh(const plan_t *p, reformer_desc_t *desc) {
    int64_t n = desc->lsh_layers;
    desc->max_bucket = 1;
    if (n == 0) return;
    const reformer_lsh_t *all = lsh_layers(p, n);
    desc->heads = desc->rounds = 0;
    for (int64_t i = 0; i < n; i++) {
        desc->heads = greater(desc->heads, all[i].heads);
        desc->rounds = greater(desc->rounds, all[i].rounds);
        desc->max_bucket = greater(desc->max_bucket, all[i].max_bucket);
        if (!same_lsh(&all[0], &all[i])) desc->lsh = all;
    }
}

void plan_describe_model(const plan_t *p, reformer_desc_t *desc) {
    const facts_t *f = &p->facts;
    *desc = (reformer_desc_t){.size = sizeof *desc,
                              .abi = REFORMER_ABI,
                              .sizes = REFORMER_SIZES,
                              .version = p->origin ? p->origin : REFORMER_VERSION,
                              .name = p->name,
                              .fingerprint = p->layout->fingerprint,
                              .weights_bytes = weights_packed_bytes(p->layout),
                              .head = head_of(f->head),
                              .batch = p->batch,
                              .hidden = f->hidden,
                              .vocab = f->vocab,
                              .labels = f->labels,
                              .pad_token = f->pad_token < 0 ? 0 : f->pad_token,
                              .max_length = p->variants[p->n_variants - 1].max_length,
                              .lsh_layers = f->n_lsh,
                              .heads = f->heads,
                              .rounds = f->rounds,
                              .imposes_buckets = p->impose_buckets,
                              .n_variants = plan_count(p)};
    describe_lsh(p, desc);
    describe_labels(f, desc);
}

/* Parts of the cache, whose shapes the step's buffers have: bytes per row of those
 * that stand from `slot` on. */
static const size_t *describe_parts(const plan_t *p, int slot, int max, int64_t per, int *n) {
    const module_t *m = p->step_modules[0];
    size_t *bytes = ARENA_ARRAY(p->arena, size_t, max);
    *n = 0;
    for (size_t i = 0; i < m->n_buffers; i++) {
        const buffer_t *b = m->buffers[i];
        if (b->kind != BUF_STATE || b->slot < slot || b->slot >= slot + max) continue;
        bytes[b->slot - slot] = (size_t)(buffer_bytes(b).c / per);
        if (b->slot - slot >= *n) *n = b->slot - slot + 1;
    }
    return bytes;
}

static void describe_cache(const plan_t *p, reformer_desc_t *d) {
    d->cache_parts =
        describe_parts(p, REFORMER_SLOT_CACHE, REFORMER_CACHE_PARTS, p->batch, &d->n_cache_parts);
    d->record_parts = describe_parts(p, REFORMER_SLOT_RECORDS, REFORMER_RECORD_PARTS,
                                     p->batch * p->positions, &d->n_record_parts);
}

/* ---- gradients ------------------------------------------------------------------------------- */

/* The number behind "layers." in a tensor's name, and what stands around it;
 * false: there is none. */
static bool split_name(const char *name, int *before, int32_t *layer, const char **behind) {
    static const char word[] = "layers.";
    const char *at = strstr(name, word);
    char *end;
    if (!at) return false;
    at += sizeof word - 1;
    long number = strtol(at, &end, 10);
    *before = (int)(at - name);
    *layer = (int32_t)number;
    *behind = end;
    return end > at && *end == '.';
}

static reformer_stack_t describe_stack(const plan_t *p, const layout_entry_t *e) {
    const char *name = weights_hf_name(p->arena, p->layout, e->source[0]), *behind;
    int32_t *layers = e->count > 1 ? ARENA_ARRAY(p->arena, int32_t, e->count) : NULL;
    reformer_stack_t s = {.count = e->count, .layers = layers, .offset = (size_t)e->offset};
    s.rank = weights_hf_shape(p->layout, e, e->source[0], s.shape);
    int before;
    for (int i = 0; layers && i < e->count; i++) {
        bool found = split_name(e->source[i], &before, &layers[i], &behind);
        if (!found) bug("'%s' is stacked and says no layer", e->source[i]);
    }
    int32_t first;
    if (layers && split_name(name, &before, &first, &behind))
        name = arena_printf(p->arena, "%.*s#%s", before, name, behind);
    s.name = name;
    return s;
}

static reformer_loss_t loss_of(const graph_t *train) {
    static const reformer_loss_t losses[G_COUNT] = {[G_CROSS_ENTROPY] = REFORMER_LOSS_CROSS_ENTROPY,
                                                    [G_QA_LOSS] = REFORMER_LOSS_QA,
                                                    [G_MSE_LOSS] = REFORMER_LOSS_MSE,
                                                    [G_BCE_LOSS] = REFORMER_LOSS_BCE};
    return losses[graph_next(train, G_SEED, NULL)->in[0]->op];
}

void plan_describe_gradients(const plan_t *p, reformer_desc_t *d) {
    const layout_t *l = p->gradients;
    reformer_stack_t *stacks = ARENA_ARRAY(p->arena, reformer_stack_t, l->n);
    for (int i = 0; i < l->n; i++) stacks[i] = describe_stack(p, &l->entries[i]);
    d->train_loss = loss_of(p->trains[0].graph);
    d->stacks = stacks;
    d->n_stacks = l->n;
    d->gradients_bytes = (size_t)l->data_end;
    if (graph_next(p->trains[0].graph, G_EMBED_FROM, NULL)) d->train_positions = p->facts.positions;
}

void plan_describe_labels(const plan_t *p, reformer_desc_t *d) {
    reformer_variant_t *trains = ARENA_ARRAY(p->arena, reformer_variant_t, p->n_variants);
    for (int k = 0; k < p->n_variants; k++) {
        const variant_plan_t *v = &p->trains[k];
        trains[k].max_length = v->max_length;
        trains[k].unpadded = v->unpadded;
    }
    plan_describe_model(p, d);
    plan_describe_gradients(p, d);
    d->trains = trains;
    d->n_variants = p->n_variants;
}

static int count_rotations(const layout_t *l) {
    int n = 0;
    for (int i = 0; i < l->n; i++)
        if (l->entries[i].kind == PACK_ROTATIONS) n += l->entries[i].count;
    return n;
}

void plan_keep_rotations(plan_t *p, const store_t *weights) {
    const layout_t *l = p->layout;
    int n = 0;
    p->rotations_stay = ARENA_ARRAY(p->arena, bool, count_rotations(l));
    p->training.new_rotations = 0;
    for (int i = 0; i < l->n; i++)
        for (int k = 0; k < l->entries[i].count && l->entries[i].kind == PACK_ROTATIONS; k++) {
            const tensor_t *t = store_find(weights, l->entries[i].source[k]);
            p->rotations_stay[n++] = t && !t->drawn;
            if (t && t->drawn) p->training.new_rotations = 1;
        }
}

static reformer_rotations_t describe_layer(const layout_entry_t *e, int k) {
    reformer_rotations_t r = {.heads = e->shape[0],
                              .head_size = e->shape[1],
                              .rounds = e->shape[2],
                              .half = e->shape[3],
                              .offset = (size_t)(e->offset + k * (e->bytes / e->count))};
    if (!names_rotations(e->source[k], &r.layer)) bug("'%s' says no layer", e->source[k]);
    return r;
}

/* Layers whose rotations are new in each step. */
static void describe_rotations(const plan_t *p, reformer_desc_t *d) {
    const layout_t *l = p->layout;
    reformer_rotations_t *all = ARENA_ARRAY(p->arena, reformer_rotations_t, count_rotations(l));
    int n = 0;
    for (int i = 0; i < l->n; i++)
        for (int k = 0; k < l->entries[i].count && l->entries[i].kind == PACK_ROTATIONS; k++, n++)
            if (!p->rotations_stay || !p->rotations_stay[n])
                all[d->n_rotations++] = describe_layer(&l->entries[i], k);
    d->rotations = all;
}

static void describe_update(const plan_t *p, reformer_desc_t *d,
                            const reformer_variant_t *updates) {
    d->updates = updates;
    d->training = &p->training;
    for (int i = 0; i < p->update->n_states; i++)
        d->state_bytes[i] = (size_t)p->states[i]->data_end;
    if (p->training.new_rotations) describe_rotations(p, d);
}

static void describe_trains(const plan_t *p, reformer_desc_t *d, reformer_variant_t *variants) {
    int groups = has_trains(p) ? 1 + has_prefills(p) : 0;
    d->trains = variants + groups * plan_count(p);
    plan_describe_gradients(p, d);
}

void plan_describe(const plan_t *p, reformer_desc_t *desc, reformer_variant_t *variants) {
    plan_describe_model(p, desc);
    int n = plan_parts(p);
    for (int k = 0; k < n; k++) variants[k] = describe_variant(p, k);
    desc->variants = variants;
    if (p->trains) describe_trains(p, desc, variants);
    if (p->updates) describe_update(p, desc, variants + n - p->n_targets);
    if (!p->step) return;
    desc->prefills = has_prefills(p) ? variants + desc->n_variants : variants;
    desc->steps = variants + n - (1 + p->updates) * p->n_targets;
    desc->positions = p->positions;
    describe_cache(p, desc);
}
