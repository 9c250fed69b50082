/* Attention as its kernels see it: per class of attention ops its facts, read off the node, its operands' and result's
 * places by heads, and the classes that make and take them. The table of mixers says how each op is lowered. */
#include "lower/cache.h"
#include "lower/rows.h"

/* ---- mixers -------------------------------------------------------------------------------------------------- */

static void lower_lsh(lower_t *L, attention_t *a) {
    lower_hash(L, a);
    lower_lsh_attention(L, a);
}

/* By op: which of its inputs the values are, and how it is lowered. */
static const struct {
    int value;
    void (*lower)(lower_t *L, attention_t *a);
} mixers[G_COUNT] = {
    [G_LSH_ATTENTION] = {1, lower_lsh},
    [G_LOCAL_ATTENTION] = {2, lower_local_attention},
    [G_EXACT_ATTENTION] = {2, lower_exact_attention},
    [G_LSH_STEP] = {1, lower_lsh_step},
    [G_LOCAL_STEP] = {2, lower_local_step},
};

void lower_attention(lower_t *L, attention_t *a) {
    mixers[a->node->op].lower(L, a);
}

/* ---- bands ------------------------------------------------------------------------------------------------------ */

/* Heads per group: as many as keep q, k, v and their output below half the two streams (DESIGN, memory).
 * Groups are added up one after the other, so they must not depend on tiles: widths count in panels. */
static int64_t heads_per_group(const attention_t *a, int64_t stream) {
    int64_t best = 1, head = round_up(a->head_size, PANEL);
    for (int64_t g = 1; g <= a->heads; g++)
        if (a->heads % g == 0 && 3 * g * head <= round_up(stream, PANEL) * 9 / 10) best = g;
    return best;
}

/* The stream that the result's product is added to with nothing between; NULL: something is. */
static const gnode_t *stream_after(const regions_t *r, const gnode_t *self) {
    const nodes_t *readers = &r->readers[self->id];
    if (readers->n != 1 || readers->at[0]->op != G_DENSE) return NULL;
    const gnode_t *product = readers->at[0];
    if (product->n_in > 2 && product->in[2]) return NULL;
    readers = &r->readers[product->id];
    if (readers->n != 1 || readers->at[0]->op != G_ADD || readers->at[0]->in[1] != product)
        return NULL;
    return readers->at[0];
}

/* Whether the regions from the operands' to the result's follow each other. */
static bool runs_together(const regions_t *r, const region_t *first, const region_t *last) {
    for (int i = first->order + 1; i < last->order; i++)
        if (r->regions[i]->kind != K_MIX) return false;
    return true;
}

static bool only_operands(const regions_t *r, const region_t *region) {
    for (int i = 0; i < region->results.n; i++)
        if (r->homes[region->results.at[i]->id].n > 0) return false;
    return true;
}

static void choose_groups(lower_t *L, attention_t *a) {
    const regions_t *r = L->regions;
    const gnode_t *sum = stream_after(r, a->node);
    a->group = a->heads;
    if (sum && sum->in[0] != sum->in[1] && only_operands(r, a->project->class->pattern) &&
        r->of_node[sum->id]->nodes.n == 2 &&
        runs_together(r, a->project->class->pattern, r->of_node[sum->id]))
        a->group = heads_per_group(a, sum->shape[sum->rank - 1].c);
    a->groups = a->heads / a->group;
}

static void count_hashes(lower_t *L, attention_t *a) {
    const class_t *class = a->hash_part->class;
    int32_t *number = ARENA_ARRAY(L->arena, int32_t, class->count);
    int32_t *rows = ARENA_ARRAY(L->arena, int32_t, class->count);
    imposed_rows_t all = graph_imposed(L->g, NULL);
    for (int i = 0; i < class->count; i++) {
        imposed_rows_t before = graph_imposed(L->g, class->members[i]->nodes.at[0]);
        number[i] = before.hashes;
        rows[i] = (int32_t)before.rows;
    }
    L->n_hashes = all.hashes;
    a->hash_number = part_vector(a->hash_part, number, all.hashes);
    a->hash_rows = -1;
    if (!L->o->impose_buckets) return;
    int64_t own = L->g->batch * a->node->heads * a->node->rounds;
    a->hash_rows = part_vector(a->hash_part, rows, all.rows - own + 1);
}

static void read_hash(lower_t *L, attention_t *a) {
    const gnode_t *n =
        a->node; /* LSH_ATTENTION reads LSH_SORT, which reads LSH_HASH; a step hashes itself */
    if (n->op == G_LSH_ATTENTION) n = n->in[2]->in[0];
    if (n->op != G_LSH_HASH && n->op != G_LSH_STEP) return;
    a->hash_part = part_of_node(L, n);
    a->hash_part->used = true;
    a->n_factors = n->n_factors;
    a->buckets = n->n_factors > 0;
    for (int f = 0; f < n->n_factors; f++) {
        a->factors[f] = n->factors[f];
        a->buckets *= n->factors[f];
    }
    if (n->op == G_LSH_HASH) count_hashes(L, a);
    const gnode_t *drawn = n->op == G_LSH_STEP ? n->in[4] : n->in[1];
    if (drawn) a->rotations = role_of(a->hash_part, drawn);
}

static bool refuse(lower_t *L, const gnode_t *n, const char *why) {
    diag_error(L->d, n->at, "%s: %s", n->name, why);
    return false;
}

/* Whether anything but `reader`, and what keeps it, reads n. */
static bool others_read(const lower_t *L, const gnode_t *n, const gnode_t *reader) {
    const nodes_t *readers = &L->regions->readers[n->id];
    for (int i = 0; i < readers->n; i++)
        if (readers->at[i] != reader && !graph_is_keep(readers->at[i])) return true;
    return false;
}

/* Kernels take the caller's mask, and sort by the buckets of their own queries. */
static bool check_inputs(lower_t *L, const gnode_t *n) {
    bool step = n->op == G_LSH_STEP || n->op == G_LOCAL_STEP;
    const gnode_t *mask = step ? NULL : n->in[3];
    if (!step && (!mask || mask->op != G_PAD_MASK))
        return refuse(L, n, "attention is given no mask");
    if (n->op != G_LSH_ATTENTION) return true;
    const gnode_t *sort = n->in[2], *hash = sort->op == G_LSH_SORT ? sort->in[0] : NULL;
    if (!hash || hash->op != G_LSH_HASH || hash->in[0] != n->in[0] || hash->in[2] != mask)
        return refuse(L, n, "attention is sorted by other buckets than those of its own queries");
    if (others_read(L, sort, n) || others_read(L, hash, sort))
        return refuse(L, n, "something else reads the buckets");
    part_of_node(L, sort)->used = true;
    return true;
}

/* The one region that reads the result, or makes the operands. */
static bool find_ends(lower_t *L, attention_t *a) {
    const regions_t *r = L->regions;
    const nodes_t *readers = &r->readers[a->node->id];
    a->project = part_of_node(L, a->query);
    bool together = part_of_node(L, a->value) == a->project;
    if (a->key) together = together && part_of_node(L, a->key) == a->project;
    if (!together) return refuse(L, a->node, "its operands are not computed together");
    if (a->query == a->value || a->key == a->query || a->key == a->value)
        return refuse(L, a->node, "one value is two of its operands");
    if (graph_kind(a->query) != K_ROW) return refuse(L, a->node, "its operands are no rows");
    a->combine = part_of_node(L, readers->at[0]);
    for (int i = 1; i < readers->n; i++)
        if (part_of_node(L, readers->at[i]) != a->combine)
            return refuse(L, a->node, "several parts of the graph read it");
    if (a->project->into || a->project->from || a->combine->from || a->combine->into)
        return refuse(L, a->node, "shares what makes its operands, or what takes its result");
    a->project->into = a;
    a->combine->from = a;
    return true;
}

/* A step's state, or a *_KEEP's: its kind, and the list of places of the class among the part's. */
static int places_in_cache(lower_t *L, attention_t *a, part_t *p, int input) {
    const class_t *class = p->class;
    int32_t *number = ARENA_ARRAY(L->arena, int32_t, class->count);
    for (int i = 0; i < class->count; i++) {
        const gnode_t *state = class->members[i]->nodes.at[0]->in[input];
        a->cache = cache_of(L, state, &number[i]);
    }
    return part_vector(p, number, a->cache->count);
}

/* Who keeps the operands of n; NULL: nobody. */
static const gnode_t *keeper_of(const lower_t *L, const gnode_t *value) {
    const nodes_t *readers = &L->regions->readers[value->id];
    for (int i = 0; i < readers->n; i++)
        if (graph_is_keep(readers->at[i])) return readers->at[i];
    return NULL;
}

/* A module without a cache leaves it out. */
static bool read_keeper(lower_t *L, attention_t *a) {
    const gnode_t *keeper = keeper_of(L, a->value), *key = a->key ? a->key : a->query;
    if (!keeper) return true;
    const gnode_t *buckets = keeper->n_in > 3 ? keeper->in[3] : NULL;
    const gnode_t *own = a->hash_part ? a->node->in[2]->in[0] : NULL;
    if (keeper->in[0] != key || keeper->in[1] != a->value || buckets != own ||
        a->lsh != (keeper->op == G_LSH_KEEP))
        return refuse(L, keeper, "keeps other values than its attention reads");
    part_t *p = part_of_node(L, keeper);
    p->used = true;
    if (!is_prefill(L)) return true;
    a->kept = p;
    a->kept_number = places_in_cache(L, a, p, 2);
    return true;
}

static bool read_attention(lower_t *L, attention_t *a, const class_t *class) {
    const gnode_t *n = class->pattern->nodes.at[0];
    bool hashes = n->op == G_LSH_ATTENTION || n->op == G_LSH_STEP;
    *a = (attention_t){.class = class,
                       .node = n,
                       .own = &L->parts[class->id],
                       .lsh = hashes || n->shared_qk,
                       .exact = n->op == G_EXACT_ATTENTION,
                       .count = class->count,
                       .causal = n->causal,
                       .chunk = n->chunk,
                       .before = n->before,
                       .after = n->after,
                       .rounds = n->rounds > 0 ? n->rounds : 1, /* others have none */
                       .heads = n->heads,
                       .head_size = n->head_size,
                       .head_stride = round_up(n->head_size, L->tile)};
    a->query = n->in[0];
    a->value = n->in[mixers[n->op].value];
    a->key = a->lsh ? NULL : n->in[1];
    a->own->used = true;
    if (L->few != (n->op == G_LSH_STEP || n->op == G_LOCAL_STEP))
        return refuse(L, n, "steps and forwards are graphs of their own");
    if (!check_inputs(L, n)) return false;
    read_hash(L, a);
    if (L->few) a->number = places_in_cache(L, a, a->own, mixers[n->op].value + 2);
    else if (!read_keeper(L, a)) return false;
    if (!find_ends(L, a)) return false;
    choose_groups(L, a);
    return true;
}

const char *kernel_of(lower_t *L, const attention_t *a, const char *what) {
    return arena_printf(L->arena, "%s_%s", a->name, what);
}

static const char *attention_name(const lower_t *L, const attention_t *a) {
    const char *kind = a->lsh ? "lsh" : "local";
    int same = 0;
    for (const attention_t *x = L->attentions; x < a; x++) same += x->lsh == a->lsh;
    return same ? arena_printf(L->arena, "%s_%d", kind, same + 1) : kind;
}

bool read_attentions(lower_t *L) {
    const regions_t *r = L->regions;
    bool ok = true;
    L->attentions = ARENA_ARRAY(L->arena, attention_t, r->n_classes);
    for (int i = 0; i < r->n_classes; i++) {
        const gnode_t *n = r->classes[i]->pattern->nodes.at[0];
        if (graph_kind(n) != K_MIX || !mixers[n->op].value) continue;
        attention_t *a = &L->attentions[L->n_attentions++];
        ok = read_attention(L, a, r->classes[i]) && ok;
        a->name = attention_name(L, a);
    }
    return ok;
}

/* ---- workspace ------------------------------------------------------------------------------------------------- */

/* Attentions of equal shape share what they work in. */
static buffer_t *shared(lower_t *L, const char *name, elem_t e, int rank, const dim_t *dims,
                        const char *doc) {
    for (int k = 1;; k++) {
        const char *own = k == 1 ? name : arena_printf(L->arena, "%s_%d", name, k);
        buffer_t *made = module_find_buffer(L->m, own);
        if (!made) return workspace(L, own, e, rank, dims, doc);
        bool same = made->rank == rank;
        for (int i = 0; i < rank && same; i++) same = dim_equal(made->dims[i], dims[i]);
        if (same) return made;
    }
}

static void make_lsh_workspace(lower_t *L, attention_t *a) {
    dim_t batch = dim(L->batch), group = dim(a->group), rounds = dim(a->rounds);
    dim_t state[] = {batch, group, L->rows}, per_round[] = {batch, group, rounds, L->rows};
    dim_t order[] = {batch, group, rounds, dim_add(L->padded, dim(1))};
    a->run_max =
        shared(L, "run_max", E_F32, 3, state, "[batch][group][rows]: largest score so far");
    a->run_sum = shared(L, "run_sum", E_F32, 3, state, "[batch][group][rows]: sum of exponentials");
    a->self_count = shared(L, "self_count", E_I32, 4, per_round,
                           "[batch][group][round][rows]: self entries of rows without other keys");
    a->bucket_of = workspace(L, arena_printf(L->arena, "%s_buckets", a->name), E_I32, 4, per_round,
                             "[batch][group][round][rows]");
    set_range(a->bucket_of, dim(0), dim(a->buckets));
    a->order = shared(L, "order", E_I32, 4, order, "[batch][group][round][place]: sorted tokens");
    set_range(a->order, dim(0), dim_sub(L->padded, dim(1)));
}

/* Of few rows: the operands of a row side by side, each head in whole panels; of the result, with nothing between them. */
static void make_step_workspace(lower_t *L, attention_t *a) {
    dim_t one = dim(1), out[] = {L->rows, dim(a->heads * a->head_size)};
    a->head_stride = round_up(a->head_size, PANEL);
    dim_t heads[] = {L->rows, dim(a->heads * a->head_stride)};
    a->q = shared(L, "q", E_F32, 2, heads, "[row][head]");
    a->v = shared(L, "v", E_F32, 2, heads, "[row][head]");
    if (a->key) a->k = shared(L, "k", E_F32, 2, heads, "[row][head]");
    if (a->lsh && a->node->upstream && a->buckets > 0)
        L->forgot = shared(L, "forgot", E_I32, 1, &one, "tokens are filed lower by their round");
    a->out = shared(L, "mix", E_F32, 2, out, "[row][head]: output of attention");
}

/* Keys apart and an output apart have one place: no attention has both. The plan would not find that out, since it
 * cannot know that the first round writes all of the output. */
void make_attention_workspace(lower_t *L, attention_t *a) {
    if (L->few) {
        make_step_workspace(L, a);
        return;
    }
    dim_t heads[] = {dim(L->batch), dim(a->group), L->rows, dim(a->head_stride)};
    const char *doc = "[batch][group][rows][head]";
    a->q = shared(L, "q", E_F32, 4, heads, doc);
    a->v = shared(L, "v", E_F32, 4, heads, doc);
    buffer_t *third =
        shared(L, "k_out", E_F32, 4, heads,
               "[batch][group][rows][head]: keys, or an output apart from the queries");
    if (a->lsh) a->out = third;
    else a->k = third, a->out = a->q; /* written over the queries */
    if (a->exact)
        a->key_norm = workspace(L, arena_printf(L->arena, "%s_norm", a->name), E_F32, 3, heads,
                                "[batch][group][rows]: of keys");
    if (a->lsh && !a->exact) make_lsh_workspace(L, a);
    if (!L->o->trace) return;
    dim_t all[] = {dim(L->batch), L->padded, dim(a->heads * a->head_size)};
    a->trace_self = shared(L, "trace_self", E_F32, 3, all, "self-attention, all heads");
    if (!a->lsh || a->exact) return;
    dim_t buckets[] = {dim(L->batch), dim(a->heads), dim(a->rounds), L->padded};
    dim_t order[] = {dim(L->batch), dim(a->heads), dim_scale(L->padded, a->rounds)};
    a->trace_buckets = shared(L, "trace_buckets", E_I32, 4, buckets, "with round offsets");
    a->trace_order = shared(L, "trace_order", E_I32, 3, order, "over all rounds");
}
