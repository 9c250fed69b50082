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

/* The region that a node of a member of the attention's class is computed in. */
static const region_t *region_of(const lower_t *L, const gnode_t *n) {
    return L->regions->of_node[n->id];
}

/* A member's regions from the operands' to the result's. */
typedef struct {
    const region_t *project, *mix, *combine;
} reach_t;

static reach_t ends_of(const lower_t *L, const attention_t *a, int member) {
    const region_t *mix = a->class->members[member];
    const gnode_t *n = mix->nodes.at[0];
    return (reach_t){region_of(L, n->in[0]), mix, region_of(L, L->regions->readers[n->id].at[0])};
}

/* Whether nothing but its own mixers runs from its operands' region to its result's, for all members. */
static bool runs_together(const lower_t *L, const attention_t *a) {
    for (int m = 0; m < a->class->count; m++) {
        reach_t e = ends_of(L, a, m);
        for (int i = e.project->order + 1; i < e.combine->order; i++)
            if (L->regions->regions[i]->kind != K_MIX) return false;
    }
    return true;
}

/* Nothing but the operands comes out of it, and each of them head by head. */
static bool only_operands(const regions_t *r, const region_t *region) {
    for (int i = 0; i < region->results.n; i++)
        if (!goes_by_heads(r, region->results.at[i])) return false;
    return true;
}

static bool has_home(const homes_t *homes, int home) {
    for (int i = 0; i < homes->n; i++)
        if (homes->of[i] == home) return true;
    return false;
}

/* Whether the sum can be added up group after group: onto its stream, which no group's operands are made of. */
static bool adds_up(const regions_t *r, const region_t *project, const gnode_t *sum) {
    const homes_t *homes = &r->homes[sum->id];
    if (homes->n == 0 || home_read_by(r, sum, sum->in[0]) != homes->of[0]) return false;
    for (int i = 0; i < project->reads.n; i++)
        if (has_home(homes, home_in(r, project, project->reads.at[i]))) return false;
    return true;
}

static void choose_groups(lower_t *L, attention_t *a) {
    const regions_t *r = L->regions;
    const gnode_t *sum = stream_after(r, a->node);
    const region_t *project = a->project->class->pattern;
    a->group = a->heads;
    a->together = runs_together(L, a);
    if (sum && sum->in[0] != sum->in[1] && only_operands(r, project) &&
        region_of(L, sum)->nodes.n == 2 && a->together && adds_up(r, project, sum))
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
    bool step = graph_is_step(n);
    const gnode_t *mask = step ? NULL : n->in[3];
    if (!step && (!mask || mask->op != G_PAD_MASK || !mask->in[0]))
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

static bool is_operand(const attention_t *a, const gnode_t *n) {
    return n == a->query || n == a->key || n == a->value;
}

static bool heads_read(const regions_t *r, const gnode_t *n) {
    for (int i = 0; i < r->readers[n->id].n; i++)
        if (graph_kind(r->readers[n->id].at[i]) == K_MIX) return true;
    return false;
}

/* All that the region leaves to mixers are operands of this one. */
static bool makes_no_others(const lower_t *L, const attention_t *a, const region_t *project) {
    for (int i = 0; i < project->results.n; i++) {
        const gnode_t *n = project->results.at[i];
        if (heads_read(L->regions, n) && !is_operand(a, n)) return false;
    }
    return true;
}

static bool takes_no_others(const attention_t *a, const region_t *combine) {
    for (int i = 0; i < combine->reads.n; i++)
        if (graph_kind(combine->reads.at[i]) == K_MIX && combine->reads.at[i] != a->node)
            return false;
    return true;
}

/* Members' buffers are one: no other attention runs between a member's operands and its result. */
static bool runs_alone(const lower_t *L, const reach_t *e) {
    const regions_t *r = L->regions;
    for (int i = e->project->order + 1; i < e->combine->order; i++) {
        const region_t *region = r->regions[i];
        for (int k = 0; k < region->reads.n; k++) {
            const gnode_t *x = region->reads.at[k];
            if (region->kind == K_MIX && r->of_node[x->id] != e->project &&
                r->of_node[x->id]->kind != K_MIX)
                return false;
            if (region->kind != K_MIX && graph_kind(x) == K_MIX) return false;
        }
        for (int k = 0; k < region->results.n; k++)
            if (region->kind != K_MIX && heads_read(r, region->results.at[k])) return false;
    }
    return true;
}

static bool check_members(lower_t *L, const attention_t *a) {
    int n = a->class->count;
    if (a->project->class->count != n || a->combine->class->count != n)
        return refuse(L, a->node, "shares what makes its operands, or what takes its result");
    for (int m = 0; m < n; m++) {
        reach_t e = ends_of(L, a, m);
        const gnode_t *node = e.mix->nodes.at[0];
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] && graph_kind(node->in[k]) == K_ROW &&
                region_of(L, node->in[k]) != e.project)
                return refuse(L, node, "its operands are not computed together");
        if (e.project->layer != e.mix->layer || e.combine->layer != e.mix->layer)
            return refuse(L, node,
                          "its operands are made, or its result is taken, in another layer");
        if (!runs_alone(L, &e))
            return refuse(L, node, "another attention runs between its operands and its result");
    }
    return true;
}

/* The one region that makes the operands. */
static bool find_project(lower_t *L, attention_t *a) {
    const gnode_t *operands[] = {a->query, a->key, a->value};
    for (int i = 0; i < 3; i++) {
        if (!operands[i]) continue;
        if (!region_of(L, operands[i]) || graph_kind(operands[i]) != K_ROW)
            return refuse(L, a->node, "its operands are no rows");
        if (region_of(L, operands[i]) != region_of(L, a->query))
            return refuse(L, a->node, "its operands are not computed together");
    }
    for (int i = 0; i < 3; i++)
        if (L->few && operands[i] && !goes_by_heads(L->regions, operands[i]))
            return refuse(L, operands[i],
                          "of a step's attention: its operands are dense layers without bias, of "
                          "which nobody else reads the result");
    if (a->query == a->value || a->key == a->query || a->key == a->value)
        return refuse(L, a->node, "one value is two of its operands");
    a->project = part_of_node(L, a->query);
    if (!makes_no_others(L, a, a->project->class->pattern))
        return refuse(L, a->node,
                      "another attention's operands are computed together with its own");
    return true;
}

/* The one region that reads the result. */
static bool find_combine(lower_t *L, attention_t *a) {
    const nodes_t *readers = &L->regions->readers[a->node->id];
    for (int i = 0; i < readers->n; i++)
        if (region_of(L, readers->at[i]) != region_of(L, readers->at[0]) ||
            graph_kind(readers->at[i]) != K_ROW)
            return refuse(L, a->node, "several parts of the graph read it, or not row by row");
    if (readers->n == 0) return refuse(L, a->node, "nothing takes its result row by row");
    a->combine = part_of_node(L, readers->at[0]);
    if (!takes_no_others(a, a->combine->class->pattern))
        return refuse(L, a->node, "another attention's result is taken together with its own");
    return true;
}

static bool find_ends(lower_t *L, attention_t *a) {
    if (!find_project(L, a) || !find_combine(L, a) || !check_members(L, a)) return false;
    if (a->project->into || a->project->from || a->combine->from || a->combine->into ||
        a->project == a->combine)
        return refuse(L, a->node, "shares what makes its operands, or what takes its result");
    a->project->into = a;
    a->combine->from = a;
    a->own->own = a;
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

const gnode_t *keeper_of(const regions_t *r, const gnode_t *operand) {
    const nodes_t *readers = &r->readers[operand->id];
    for (int i = 0; i < readers->n; i++)
        if (graph_is_keep(readers->at[i])) return readers->at[i];
    return NULL;
}

/* A module without a cache leaves it out. */
static bool read_keeper(lower_t *L, attention_t *a) {
    const gnode_t *keeper = keeper_of(L->regions, a->value), *key = a->key ? a->key : a->query;
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
    if (L->few != graph_is_step(n))
        return refuse(L, n, "steps and forwards are graphs of their own");
    for (int i = 0; i < class->count; i++)
        if (!check_inputs(L, class->members[i]->nodes.at[0])) return false;
    read_hash(L, a);
    if (L->few) a->number = places_in_cache(L, a, a->own, mixers[n->op].value + 2);
    else if (!read_keeper(L, a)) return false;
    if (part_is_crowded(L, a->own) || (a->hash_part && part_is_crowded(L, a->hash_part)))
        return false;
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
