/* Attention as its kernels see it: per class of attention ops its facts, read off the node, its
 * operands' and result's places by heads, and the classes that make and take them. The table of
 * mixers says how each op is lowered. */
#include "lower/attention_gradient.h"
#include "lower/cache.h"
#include "lower/rows.h"

/* ---- mixers ---------------------------------------------------------------------------------- */

static void lower_lsh(lower_t *L, attention_t *a) {
    if (a->unpacks) lower_unpacked(L, a);
    else lower_hash(L, a);
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

/* Of a result that stands, what its gradient needs beside it. */
static void lower_standing(lower_t *L, attention_t *a) {
    if (is_sorted(a)) lower_unpacked(L, a);
}

void lower_attention(lower_t *L, attention_t *a) {
    if (a->stands) lower_standing(L, a);
    else mixers[a->node->op].lower(L, a);
    if (a->packed && !a->unpacks) lower_pack(L, a);
    if (a->stacked & KEPT_QUERY && a->forward && has_state(L, a)) lower_clear(L, a);
    if (is_sorted(a) && a->stacked & KEPT_RESULT && !a->stands) lower_kept_sums(L, a);
    if (a->gradient) lower_attention_gradient(L, a);
}

/* ---- facts ----------------------------------------------------------------------------------- */

static void count_hashes(lower_t *L, attention_t *a) {
    const class_t *class = a->hash_part->class;
    int32_t *number = ARENA_ARRAY(L->arena, int32_t, class->count);
    int32_t *rows = ARENA_ARRAY(L->arena, int32_t, class->count);
    const imposed_rows_t all = graph_imposed(L->g, NULL),
                         *before = graph_all_imposed(L->arena, L->g);
    for (int i = 0; i < class->count; i++) {
        int hash = class->members[i]->nodes.at[0]->id;
        number[i] = before[hash].hashes;
        rows[i] = (int32_t)before[hash].rows;
    }
    L->n_hashes = all.hashes;
    a->hash_number = part_vector(a->hash_part, number, all.hashes);
    a->hash_rows = -1;
    if (!L->o->impose_buckets) return;
    int64_t own = L->g->batch * a->node->heads * a->node->rounds;
    a->hash_rows = part_vector(a->hash_part, rows, all.rows - own + 1);
}

static void read_hash(lower_t *L, attention_t *a) {
    const gnode_t *n = a->node; /* it reads LSH_SORT, which reads LSH_HASH; a step hashes itself */
    if (n->op == G_LSH_ATTENTION) n = attention_input(a->stands ? a->gradient : n, 2)->in[0];
    if (n->op == G_UNPACK_BUCKETS) a->unpacks = true;
    if (n->op != G_LSH_HASH && n->op != G_LSH_STEP && !a->unpacks) return;
    a->hash_part = part_of_node(L, n);
    a->hash_part->used = true;
    a->n_factors = n->n_factors;
    a->buckets = n->n_factors > 0;
    for (int f = 0; f < n->n_factors; f++) {
        a->factors[f] = n->factors[f];
        a->buckets *= n->factors[f];
    }
    if (n->op == G_LSH_HASH) count_hashes(L, a);
    const gnode_t *drawn = a->unpacks ? NULL : n->op == G_LSH_STEP ? n->in[4] : n->in[1];
    if (drawn) a->rotations = role_of(a->hash_part, drawn);
}

/* The attention's gradient and what it divides by are of the attention; a backward pass keeps
 * buckets, as a cache does. */
static bool belongs_to(const gnode_t *n, const gnode_t *attention) {
    if (n == attention || graph_is_keep(n) || n->op == G_PACK_BUCKETS) return true;
    return is_attention_lse(n) || (graph_is_attention_gradient(n) && n->in[1] == attention);
}

/* A gradient is computed by what its attention says. */
static bool is_gradient_of(const gnode_t *gradient, const gnode_t *attention) {
    static const gop_t of[G_COUNT] = {[G_LSH_ATTENTION_GRAD] = G_LSH_ATTENTION,
                                      [G_LOCAL_ATTENTION_GRAD] = G_LOCAL_ATTENTION,
                                      [G_EXACT_ATTENTION_GRAD] = G_EXACT_ATTENTION};
    return of[gradient->op] == attention->op && graph_same_attrs(gradient, attention);
}

/* Whether anything but `reader`, and what keeps it, reads n. */
static bool others_read(const lower_t *L, const gnode_t *n, const gnode_t *reader) {
    const nodes_t *readers = &L->regions->readers[n->id];
    for (int i = 0; i < readers->n; i++)
        if (!belongs_to(readers->at[i], reader)) return true;
    return false;
}

/* The hash of the buckets that a sort sorts, which may have been kept meanwhile. */
static const gnode_t *hash_of(const gnode_t *sort) {
    const gnode_t *n = sort->op == G_LSH_SORT ? sort->in[0] : NULL;
    if (n && n->op == G_UNPACK_BUCKETS) n = n->in[0]->op == G_PACK_BUCKETS ? n->in[0]->in[0] : NULL;
    return n;
}

/* Kernels take the caller's mask, and sort by the buckets of their own queries. n: an attention, or
 * the gradient of one that stands. */
static bool check_inputs(lower_t *L, const gnode_t *n) {
    bool step = graph_is_step(n), stands = graph_is_attention_gradient(n);
    const gnode_t *attention = stands ? n->in[1] : n;
    const gnode_t *mask = step ? NULL : attention_input(n, 3);
    if (!step && (!mask || mask->op != G_PAD_MASK || !mask->in[0]))
        return no_kernel(L, n, "without the caller's mask");
    if (stands && (mask != attention->in[3] || !is_gradient_of(n, attention)))
        return no_kernel(L, n, "of another mask, or of other windows, than its attention has");
    if (attention->op != G_LSH_ATTENTION) return true;
    const gnode_t *sort = attention_input(n, 2), *hash = hash_of(sort);
    bool kept = hash && hash != sort->in[0]; /* of queries that are made again */
    if (stands && (!kept || hash != hash_of(attention->in[2])))
        return no_kernel(L, n, "that is sorted by other buckets than its attention has");
    if (!hash || hash->op != G_LSH_HASH || (!kept && hash->in[0] != graph_unrounded(n->in[0])) ||
        hash->in[2] != mask)
        return no_kernel(L, n, "that is sorted by other buckets than those of its own queries");
    if (others_read(L, sort, n) || others_read(L, sort->in[0], sort))
        return no_kernel(L, n, "whose buckets something else reads");
    part_of_node(L, sort)->used = true;
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
    const gnode_t *value = graph_unrounded(a->value),
                  *key = graph_unrounded(a->key ? a->key : a->query);
    const gnode_t *keeper = keeper_of(L->regions, value);
    if (!keeper) return true;
    const gnode_t *buckets = keeper->n_in > 3 ? keeper->in[3] : NULL;
    const gnode_t *own = a->hash_part ? a->node->in[2]->in[0] : NULL;
    if (keeper->in[0] != key || keeper->in[1] != value || buckets != own ||
        a->lsh != (keeper->op == G_LSH_KEEP))
        return no_kernel(L, keeper, "of other values than its attention reads");
    part_t *p = part_of_node(L, keeper);
    p->used = true;
    if (!is_prefill(L)) return true;
    a->kept = p;
    a->kept_number = places_in_cache(L, a, p, 2);
    return true;
}

/* Its gradient, which its own lse belongs to. */
static bool read_gradient(lower_t *L, attention_t *a) {
    const nodes_t *readers = &L->regions->readers[a->node->id];
    const region_t *own = L->regions->of_node[a->node->id];
    const gnode_t *n = NULL;
    for (int i = 0; i < readers->n; i++) {
        const gnode_t *reader = readers->at[i];
        if (!graph_is_attention_gradient(reader) || reader->in[1] != a->node) continue;
        if (n) return no_kernel(L, reader, "of which another is asked for");
        n = reader;
    }
    for (int i = 1; i < own->nodes.n; i++)
        if (!n || own->nodes.at[i] != n->in[2])
            return no_kernel(L, own->nodes.at[i], "that no gradient reads");
    if (!n) return true;
    bool kept = is_handed_on(L->regions, a->node, n); /* it is an attention_t of its own */
    bool same = n->n_in == a->node->n_in + 3 && is_gradient_of(n, a->node);
    for (int k = 0; same && !kept && k < a->node->n_in; k++) same = n->in[3 + k] == a->node->in[k];
    if (!same || nodes_find(&own->nodes, n->in[2]) < 0)
        return no_kernel(L, n, "of other values, or of other windows, than its attention has");
    if (kept) return true;
    a->gradient = n;
    a->dy = n->in[0];
    part_of_node(L, n)->used = true;
    return true;
}

/* Of an attention whose result the forward has kept: its gradient. */
static bool stands(const lower_t *L, const gnode_t *n) {
    return graph_is_attention_gradient(n) && is_handed_on(L->regions, n->in[1], n) &&
           mixers[n->in[1]->op].lower;
}

static bool read_attention(lower_t *L, attention_t *a, const class_t *class) {
    const gnode_t *first = class->pattern->nodes.at[0],
                  *n = stands(L, first) ? first->in[1] : first;
    bool hashes = n->op == G_LSH_ATTENTION || n->op == G_LSH_STEP;
    *a = (attention_t){.class = class,
                       .node = n,
                       .own = &L->parts[class->id],
                       .stands = n != first,
                       .lsh = hashes || n->shared_qk,
                       .exact = n->op == G_EXACT_ATTENTION,
                       .count = class->count,
                       .causal = n->causal,
                       .rounded = n->in[0]->type == G_BF16,
                       .pairs = elem_of(L, n->in[0]) == E_BF16,
                       .chunk = n->chunk,
                       .before = n->before,
                       .after = n->after,
                       .rounds = n->rounds > 0 ? n->rounds : 1, /* others have none */
                       .heads = n->heads,
                       .head_size = n->head_size,
                       .head_stride = round_up(n->head_size, L->tile)};
    if (a->pairs) a->head_stride = round_up(a->head_stride, 2 * (int64_t)L->lanes);
    a->query = attention_input(first, 0);
    a->value = attention_input(first, mixers[n->op].value);
    a->key = a->lsh ? NULL : attention_input(first, 1);
    if (a->stands) a->gradient = first, a->dy = first->in[0];
    a->own->used = true;
    if (L->few != graph_is_step(n))
        return no_kernel(L, n, "here: steps and forwards are graphs of their own");
    for (int i = 0; i < class->count; i++)
        if (!check_inputs(L, class->members[i]->nodes.at[0])) return false;
    read_hash(L, a);
    if (!a->stands && !read_gradient(L, a)) return false;
    if (!find_packed(L, a) || !find_kept(L, a)) return false;
    if (L->few) a->number = places_in_cache(L, a, a->own, mixers[n->op].value + 2);
    else if (!read_keeper(L, a)) return false;
    if (part_is_crowded(L, a->own) || (a->hash_part && part_is_crowded(L, a->hash_part)))
        return false;
    return find_band(L, a) && place_stacks(L, a);
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
        if (graph_kind(n) != K_MIX || (!mixers[n->op].lower && !stands(L, n))) continue;
        attention_t *a = &L->attentions[L->n_attentions++];
        ok = read_attention(L, a, r->classes[i]) && ok;
        a->name = attention_name(L, a);
    }
    return ok;
}
