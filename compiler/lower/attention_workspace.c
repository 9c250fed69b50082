/* What attention works in: operands and result by heads, and the sums of LSH attention over rounds.
 * Attentions of equal shape share it. */
#include "lower/attention_dropout.h"
#include "lower/cache.h"

/* Who runs apart has its own. */
static buffer_t *shared_by(lower_t *L, const attention_t *a, const char *name, elem_t e, int rank,
                           const dim_t *dims, const char *doc) {
    if (a->apart) name = arena_printf(L->arena, "%s_%s", a->name, name);
    for (int k = 1;; k++) {
        const char *own = k == 1 ? name : arena_printf(L->arena, "%s_%d", name, k);
        buffer_t *made = module_find_buffer(L->m, own);
        if (!made) return workspace(L, own, e, rank, dims, doc);
        bool same = made->rank == rank && made->elem == e;
        for (int i = 0; i < rank && same; i++) same = dim_equal(made->dims[i], dims[i]);
        if (same) return made;
    }
}

static void make_lsh_workspace(lower_t *L, attention_t *a) {
    dim_t batch = dim(L->batch), group = dim(a->group), rounds = dim(a->rounds);
    dim_t state[] = {batch, group, L->rows}, per_round[] = {batch, group, rounds, L->rows};
    dim_t order[] = {batch, group, rounds, dim_add(L->padded, dim(1))};
    if (!a->stands) {
        a->max_so_far = shared_by(L, a, "max_so_far", E_F32, 3, state,
                                  "[batch][group][rows]: largest score so far");
        a->sum_so_far = shared_by(L, a, "sum_so_far", E_F32, 3, state,
                                  "[batch][group][rows]: sum of exponentials");
        a->self_count =
            shared_by(L, a, "self_count", E_I32, 4, per_round,
                      "[batch][group][round][rows]: self entries of rows without other keys");
    }
    a->bucket_of = workspace(L, arena_printf(L->arena, "%s_buckets", a->name), E_I32, 4, per_round,
                             "[batch][group][round][rows]");
    set_range(a->bucket_of, dim(0), dim(a->buckets));
    a->order =
        shared_by(L, a, "order", E_I32, 4, order, "[batch][group][round][place]: sorted tokens");
    set_range(a->order, dim(0), dim_sub(L->padded, dim(1)));
}

/* Of rows that see only themselves, what dropout leaves. */
static void make_self_kept(lower_t *L, attention_t *a) {
    dim_t d[] = {dim(L->batch), dim(a->group), dim(a->rounds), L->rows};
    if (a->lsh && !a->stands && drops_probabilities(L, a))
        a->self_kept = shared_by(L, a, "self_kept", E_F32, 4, d, "[batch][group][round][rows]");
}

/* Whether all that reads the result runs before the gradient, which then may take its place: of all
 * members. What is light may stand in several regions. */
static bool is_read_before(const lower_t *L, const attention_t *a) {
    const regions_t *r = L->regions;
    const class_t *gradients = r->of_node[a->gradient->id]->class;
    for (int m = 0; m < gradients->count; m++) {
        const region_t *gradient = gradients->members[m];
        for (int i = gradient->order + 1; i < r->n_regions; i++)
            if (nodes_find(&r->regions[i]->reads, gradient->nodes.at[0]->in[1]) >= 0) return false;
    }
    return true;
}

static void make_row_sums(lower_t *L, attention_t *a, const dim_t *heads) {
    const char *row = "[batch][group][rows]: probabilities are exp(score - shift) * scale";
    a->row_shift = shared_by(L, a, "row_shift", E_F32, 3, heads, row);
    a->row_scale = shared_by(L, a, "row_scale", E_F32, 3, heads, row);
}

static elem_t elem_of_operands(const attention_t *a) {
    return a->pairs ? E_BF16 : E_F32;
}

/* Of a result that is kept, what its gradient makes probabilities of. */
static void make_stacks(lower_t *L, attention_t *a, const dim_t *heads) {
    if (a->forward) {
        const attention_t *f = a->forward;
        if (a->stacked & KEPT_QUERY) a->q = f->q;
        if (a->stacked & KEPT_KEY) a->k = f->k;
        if (a->stacked & KEPT_VALUE) a->v = f->v;
        if (!(a->stacked & KEPT_RESULT)) return;
        a->out = f->out;
        a->row_shift = f->row_shift;
        a->row_scale = f->row_scale;
        a->key_norm = f->key_norm;
        return;
    }
    elem_t e = elem_of_operands(a);
    if (a->stacked & KEPT_QUERY) a->q = make_stack(L, a, "q", e, 4, heads);
    if (a->stacked & KEPT_KEY) a->k = make_stack(L, a, "k", e, 4, heads);
    if (a->stacked & KEPT_VALUE) a->v = make_stack(L, a, "v", e, 4, heads);
    if (!(a->stacked & KEPT_RESULT)) return;
    a->out = make_stack(L, a, "out", E_F32, 4, heads);
    a->row_shift = make_stack(L, a, "shift", E_F32, 3, heads);
    a->row_scale = make_stack(L, a, "scale", E_F32, 3, heads);
    if (a->lsh) a->key_norm = make_stack(L, a, "norm", E_F32, 3, heads);
}

static const char third_doc[] =
    "[batch][group][rows][head]: keys, or an output apart from the queries";

/* An output apart from queries that somebody reads once more. */
static buffer_t *make_mixed(lower_t *L, const attention_t *a, const dim_t *heads) {
    return shared_by(L, a, "mixed", E_F32, 4, heads, "[batch][group][rows][head]: output");
}

/* Keys apart and an output apart have one place: no attention has both. The plan would not find
 * that out, since it cannot know that the first round writes all of the output. Local attention
 * writes over its queries, if nobody asks for them. */
static void make_heads(lower_t *L, attention_t *a, const dim_t *heads) {
    const char *doc = "[batch][group][rows][head]";
    if (!a->q) a->q = shared_by(L, a, "q", E_F32, 4, heads, doc);
    if (!a->v) a->v = shared_by(L, a, "v", E_F32, 4, heads, doc);
    buffer_t **third = a->lsh ? &a->out : &a->k;
    if (!*third) *third = shared_by(L, a, "k_out", E_F32, 4, heads, third_doc);
    a->plain_q = a->q, a->plain_k = a->k, a->plain_v = a->v;
    if (a->lsh || a->out) return;
    a->out = a->stacked & KEPT_QUERY ? make_mixed(L, a, heads) : a->q;
}

/* Apart from operands of another type. A local one whose gradient is asked for
 * has its place below. */
static void make_apart(lower_t *L, attention_t *a, const dim_t *heads) {
    if (a->out || (a->gradient && !a->lsh)) return;
    a->out = shared_by(L, a, "k_out", E_F32, 4, heads, third_doc);
}

/* Whether somebody asks for queries as they were before they were rounded: who sorts them, or keeps
 * them for steps. Others leave no rows of them. */
static bool wants_plain_queries(const attention_t *a) {
    return a->lsh && !a->unpacks && (!a->exact || a->kept);
}

/* Operands that are rounded. What they were before is hashed and kept before attention begins: in
 * LSH layers the output takes the place of such queries. */
static void make_rounded_heads(lower_t *L, attention_t *a, const dim_t *heads) {
    const char *doc = "[batch][group][rows][head]: rounded";
    const char *plain = "[batch][group][rows][head]: for the cache, not rounded";
    elem_t e = elem_of_operands(a);
    if (!a->q) a->q = shared_by(L, a, "q", e, 4, heads, doc);
    if (!a->v) a->v = shared_by(L, a, "v", e, 4, heads, doc);
    if (!a->lsh && !a->k) a->k = shared_by(L, a, a->pairs ? "k" : "k_out", e, 4, heads, doc);
    if (a->lsh || a->pairs) make_apart(L, a, heads);
    else if (!a->out) a->out = a->stacked & KEPT_QUERY ? make_mixed(L, a, heads) : a->q;
    if (wants_plain_queries(a)) a->plain_q = a->out;
    if (!a->kept || a->cache->rounded) return;
    a->plain_v = shared_by(L, a, "plain_v", E_F32, 4, heads, plain);
    if (!a->lsh) a->plain_k = shared_by(L, a, "plain_k", E_F32, 4, heads, plain);
}

static void make_gradient_workspace(lower_t *L, attention_t *a, const dim_t *heads) {
    const char *doc = "[batch][group][rows][head]: gradient of an operand";
    a->dy_heads =
        shared_by(L, a, "dy", E_F32, 4, heads, "[batch][group][rows][head]: of the result");
    a->dy_factor = a->dy_heads;
    if (a->pairs)
        a->dy_factor = shared_by(L, a, "dy_rounded", E_BF16, 4, heads,
                                 "[batch][group][rows][head]: times scale");
    a->dq = shared_by(L, a, "dq", E_F32, 4, heads, doc);
    a->dk = shared_by(L, a, "dk", E_F32, 4, heads, doc);
    if (!a->stands) make_row_sums(L, a, heads);
    a->row_mean = shared_by(L, a, "row_mean", E_F32, 3, heads, "[batch][group][rows]: <dy, y>");
    if (!a->lsh && !a->stands) a->out = make_mixed(L, a, heads);
    a->dv =
        !a->stands && is_read_before(L, a) ? a->out : shared_by(L, a, "dv", E_F32, 4, heads, doc);
}

/* Of few rows: the operands of a row side by side, each head in whole panels; of the result,
 * with nothing between them. */
static void make_step_workspace(lower_t *L, attention_t *a) {
    dim_t one = dim(1), out[] = {L->rows, dim(a->heads * a->head_size)};
    a->head_stride = round_up(a->head_size, PANEL);
    dim_t heads[] = {L->rows, dim(a->heads * a->head_stride)};
    a->q = shared_by(L, a, "q", E_F32, 2, heads, "[row][head]");
    a->v = shared_by(L, a, "v", E_F32, 2, heads, "[row][head]");
    if (a->key) a->k = shared_by(L, a, "k", E_F32, 2, heads, "[row][head]");
    if (a->lsh && a->node->as_huggingface && a->buckets > 0)
        L->lost_offset =
            shared_by(L, a, "forgot", E_I32, 1, &one, "tokens are filed lower by their round");
    a->out = shared_by(L, a, "mix", E_F32, 2, out, "[row][head]: output of attention");
}

void make_attention_workspace(lower_t *L, attention_t *a) {
    if (L->few) {
        make_step_workspace(L, a);
        return;
    }
    dim_t heads[] = {dim(L->batch), dim(a->group), L->rows, dim(a->head_stride)};
    make_stacks(L, a, heads);
    if (a->rounded) make_rounded_heads(L, a, heads);
    else make_heads(L, a, heads);
    if (a->gradient) make_gradient_workspace(L, a, heads);
    if (a->packed) make_pack(L, a);
    make_self_kept(L, a);
    bool norms = a->exact ? has_exact_bound(a) : a->lsh && a->gradient;
    if (!a->key_norm && !a->stands && norms)
        a->key_norm = workspace(L, arena_printf(L->arena, "%s_norm", a->name), E_F32, 3, heads,
                                "[batch][group][rows]: of keys");
    if (a->lsh && !a->exact) make_lsh_workspace(L, a);
    if (!L->o->trace) return;
    dim_t all[] = {dim(L->batch), L->padded, dim(a->heads * a->head_size)};
    a->trace_self = shared_by(L, a, "trace_self", E_F32, 3, all, "self-attention, all heads");
    if (!a->lsh || a->exact) return;
    dim_t buckets[] = {dim(L->batch), dim(a->heads), dim(a->rounds), L->padded};
    dim_t order[] = {dim(L->batch), dim(a->heads), dim_scale(L->padded, a->rounds)};
    a->trace_buckets = shared_by(L, a, "trace_buckets", E_I32, 4, buckets, "with round offsets");
    a->trace_order = shared_by(L, a, "trace_order", E_I32, 3, order, "over all rounds");
}
