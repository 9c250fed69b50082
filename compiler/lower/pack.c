/* Buckets that are kept for the backward pass (PACK_BUCKETS), and taken from
 * there (UNPACK_BUCKETS).
 *
 * All hashes whose packed buckets have one type and shape share a stack, in which each has a place.
 * There are no 16-bit numbers in Loops: bytes stand in planes of their own, the low ones first. */
#include <string.h>

#include "lower/lower_int.h"

static bool same_pack(const gnode_t *a, const gnode_t *b) {
    if (a->type != b->type || a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (!dim_equal(a->shape[i], b->shape[i])) return false;
    return true;
}

/* By id: the places of those of its kind; all: how many there are. */
static const int32_t *places_of_packs(lower_t *L, const gnode_t *pack, int32_t *all) {
    const graph_t *g = L->g;
    int32_t *place = ARENA_ARRAY(L->arena, int32_t, g->n_nodes);
    *all = 0;
    for (const gnode_t *n = NULL; (n = graph_next(g, G_PACK_BUCKETS, n));)
        if (same_pack(n, pack)) place[n->id] = (*all)++;
    return place;
}

static const gnode_t *pack_of_hash(const lower_t *L, const gnode_t *hash) {
    const nodes_t *readers = &L->regions->readers[hash->id];
    for (int i = 0; i < readers->n; i++)
        if (readers->at[i]->op == G_PACK_BUCKETS) return readers->at[i];
    return NULL;
}

/* The node of a member that packs or unpacks; NULL: its buckets are not kept. */
static const gnode_t *keeper_in(const lower_t *L, const attention_t *a, int member) {
    const gnode_t *n = a->class->members[member]->nodes.at[0];
    if (a->node->op != G_LSH_ATTENTION) return NULL;
    n = attention_input(n, 2)->in[0];
    return a->unpacks ? n : pack_of_hash(L, n);
}

bool find_packed(lower_t *L, attention_t *a) {
    const gnode_t *n = a->lsh && !a->exact && !L->few ? keeper_in(L, a, 0) : NULL;
    if (!n) return true;
    part_t *p = a->packed = part_of_node(L, n);
    if (p->class->count != a->class->count) return no_kernel(L, n, "of several attentions at once");
    int32_t *place = ARENA_ARRAY(L->arena, int32_t, p->class->count), all = 0;
    n = p->class->pattern->nodes.at[0];
    const int32_t *places =
        places_of_packs(L, a->unpacks ? n->in[0] : n, &all); /* they are alike */
    for (int i = 0; i < p->class->count; i++) {
        n = p->class->members[i]->nodes.at[0];
        place[i] = places[(a->unpacks ? n->in[0] : n)->id];
    }
    a->packed_number = part_vector(p, place, all);
    p->used = true;
    return !part_is_crowded(L, p);
}

void make_pack(lower_t *L, attention_t *a) {
    const gnode_t *n = keeper_in(L, a, 0), *pack = a->unpacks ? n->in[0] : n;
    int32_t all;
    (void)places_of_packs(L, pack, &all);
    bool wide = pack->type == G_I32;
    dim_t d[] = {dim(all),       dim(pack->type == G_U16 ? 2 : 1),
                 dim(L->batch),  dim(a->heads),
                 dim(a->rounds), L->padded};
    for (int k = 1;; k++) {
        const char *name = k == 1 ? "packed" : arena_printf(L->arena, "packed_%d", k);
        buffer_t *made = module_find_buffer(L->m, name);
        bool same = made && made->elem == (wide ? E_I32 : E_U8);
        for (int i = 0; same && i < 6; i++) same = dim_equal(made->dims[i], d[i]);
        if (!made)
            made =
                workspace(L, name, wide ? E_I32 : E_U8, 6, d,
                          "[place][byte][batch][head][round][row]: buckets for the backward pass");
        else if (!same) continue;
        a->pack = made;
        return;
    }
}

/* ---- kernels --------------------------------------------------------------------------------- */

typedef struct {
    const attention_t *a;
    affine_t at[6], bucket[4]; /* of the token */
} packed_t;

static void pack_token(builder_t *b, packed_t *c) {
    buffer_t *to = c->a->pack;
    value_t *x = b_load(b, c->a->bucket_of, 1, c->bucket);
    for (int64_t byte = 0; byte < to->dims[1].c; byte++) {
        value_t *part = byte ? b_shift(b, OP_SHR, x, 8) : x;
        c->at[1] = ax(byte);
        if (to->elem == E_U8)
            part = b_convert(b, E_U8,
                             b_binary(b, OP_AND, part, b_iconst(b, SCALAR(E_I32), UINT8_MAX)));
        b_store(b, to, part, c->at);
    }
}

static void unpack_token(builder_t *b, packed_t *c) {
    buffer_t *from = c->a->pack;
    value_t *x = NULL;
    for (int64_t byte = 0; byte < from->dims[1].c; byte++) {
        c->at[1] = ax(byte);
        value_t *part = b_load(b, from, 1, c->at);
        if (from->elem == E_U8) part = b_convert(b, E_I32, part);
        x = x ? b_binary(b, OP_OR, x, b_shift(b, OP_SHL, part, 8)) : part;
    }
    x = b_binary(b, OP_MAX, x, b_iconst(b, SCALAR(E_I32), 0));
    x = b_binary(b, OP_MIN, x, b_iconst(b, SCALAR(E_I32), c->a->buckets));
    b_store(b, c->a->bucket_of, x, c->bucket);
}

static void keep_kernel(lower_t *L, attention_t *a) {
    dim_t tasks[] = {dim(L->batch), dim(a->group), dim(a->rounds)};
    const char *names[] = {"batch", "head", "round"};
    builder_t b =
        build_kernel(L->m, kernel_of(L, a, a->unpacks ? "unpack" : "pack"), 3, tasks, names);
    describe(L, b.fn, a->node->at, "buckets, kept for the backward pass");
    value_t *index[MAX_INDICES];
    index_params(L, &b, a->packed, index);
    value_t *group = kernel_param(&b, "group", a->groups);
    inst_t *loop = b_for(&b, "t", dim(0), L->padded, 0, NULL);
    affine_t t = ax_v(loop_var(loop)), head = ax_v(b.fn->task[1]), batch = ax_v(b.fn->task[0]);
    affine_t whole = ax_add(ax_scale(ax_v(group), a->group), head), round = ax_v(b.fn->task[2]);
    packed_t c = {
        a, {ax_v(index[a->packed_number]), ax(0), batch, whole, round, t}, {batch, head, round, t}};
    if (a->unpacks) unpack_token(&b, &c);
    else pack_token(&b, &c);
    b_end_for(&b, loop, NULL);
    a->keep_buckets = b.fn;
}

void lower_pack(lower_t *L, attention_t *a) {
    keep_kernel(L, a);
}

void lower_unpacked(lower_t *L, attention_t *a) {
    keep_kernel(L, a);
    lower_sort(L, a);
}
