/* Shapes of the backward pass: one rule per op, as in shape.c. */
#include "graph/shape_pieces.h"

/* ---- pieces -------------------------------------------------------------------------------- */

static bool want_like(shape_rule_t *r, int i, const gnode_t *x) {
    return want_shape(r, i, G_F32, x->rank, x->shape);
}

static void want_eps(shape_rule_t *r) {
    if (!(r->n->eps >= 0 && r->n->eps <= 1)) FAIL(r, "%s: eps is a number from 0 to 1", r->n->name);
}

/* The result of x, but for its last dimension. */
static void result_wide(shape_rule_t *r, const gnode_t *x, dim_t width) {
    result_like(r, x);
    r->shape[r->rank - 1] = width;
}

/* A tensor of a param's form: what sums over all rows leave. */
static bool want_sum(shape_rule_t *r, int i) {
    const gnode_t *x = r->n->in[i];
    if (graph_kind(x) == K_SUM) return true;
    FAIL(r, "%s: %s is no gradient of a param", r->n->name, x->name);
    return false;
}

/* The factors that those made by, whose buckets these are. */
static bool want_factors_of(shape_rule_t *r, const gnode_t *from) {
    const gnode_t *n = r->n;
    bool same = n->n_factors == from->n_factors;
    for (int f = 0; same && f < n->n_factors; f++) same = n->factors[f] == from->factors[f];
    if (!same) FAIL(r, "%s: factors of %s differ from those of %s", n->name, n->name, from->name);
    return same;
}

/* ---- rows ---------------------------------------------------------------------------------- */

void rule_dense_t(shape_rule_t *r) {
    gnode_t *const *in = r->n->in;
    gtype_t type = in[0]->type;
    if (!want_factors_alike(r, 0, 1) || !WANT(r, 1, type, last(in[0]), in[1]->shape[1])) return;
    result(r, G_F32, in[0]->rank, in[0]->shape);
    r->shape[r->rank - 1] = in[1]->shape[1];
}

void rule_outer(shape_rule_t *r) {
    gnode_t *const *in = r->n->in;
    gtype_t type = in[0]->type;
    dim_t shape[G_MAX_RANK];
    if (!want_factor_rows(r, 0, 1)) return;
    memcpy(shape, in[0]->shape, sizeof shape);
    shape[in[0]->rank - 1] = last(in[1]);
    if (want_shape(r, 1, type, in[0]->rank, shape))
        result(r, G_F32, SHAPE(last(in[0]), last(in[1])));
}

void rule_sum_rows(shape_rule_t *r) {
    gnode_t *const *in = r->n->in;
    bool ok = in[0]->type == G_BF16 ? want_vectors_of(r, 0, G_BF16) : want_vectors(r, 0);
    if (ok) result(r, G_F32, SHAPE(last(in[0])));
}

void rule_unit(shape_rule_t *r) {
    if (!want_vectors(r, 0)) return;
    want_eps(r);
    result_like(r, r->n->in[0]);
}

void rule_norm_grad(shape_rule_t *r) {
    gnode_t *const *in = r->n->in;
    if (!want_vectors(r, 0) || !want_like(r, 1, in[0]) || !WANT(r, 2, G_F32, last(in[0]))) return;
    want_eps(r);
    result_like(r, in[0]);
}

void rule_activation_grad(shape_rule_t *r) {
    if (!want_type(r, 0, G_F32) || !want_like(r, 1, r->n->in[0])) return;
    if (r->n->act < 0 || r->n->act >= ACT_COUNT) FAIL(r, "%s: no such activation", r->n->name);
    result_like(r, r->n->in[0]);
}

void rule_part(shape_rule_t *r) {
    const gnode_t *n = r->n;
    if (!want_vectors(r, 0) || !want_positive(r, n->width, "width")) return;
    dim_t all = last(n->in[0]);
    if (n->first < 0 || !dim_literal(all) || n->first > all.c || n->width > all.c - n->first)
        FAIL(r, "%s: there are no %lld columns from %lld", n->name, (long long)n->width,
             (long long)n->first);
    result_wide(r, n->in[0], dim(n->width));
}

void rule_pad_rows(shape_rule_t *r) {
    const gnode_t *dy = r->n->in[0];
    if (!want_vectors(r, 0)) return;
    if (dy->rank == 2 && !WANT(r, 0, G_F32, batch(r), last(dy))) return;
    if (dy->rank != 2 &&
        !(want_rank(r, 0, G_F32, 3) && WANT(r, 0, G_F32, batch(r), r->g->length, last(dy))))
        return;
    dim_t rows = r->n->to_padded ? r->g->padded : r->g->length;
    result(r, G_F32, SHAPE(batch(r), rows, last(dy)));
}

void rule_uncolumn(shape_rule_t *r) {
    const gnode_t *n = r->n;
    if (!want_rank(r, 0, G_F32, 2) || !want_positive(r, n->width, "width")) return;
    if (n->shift < 0 || n->shift >= n->width)
        FAIL(r, "%s: there is no column %lld", n->name, (long long)n->shift);
    result(r, G_F32, SHAPE(n->in[0]->shape[0], n->in[0]->shape[1], dim(n->width)));
}

/* ---- sums ---------------------------------------------------------------------------------- */

void rule_word_grad(shape_rule_t *r) {
    const gnode_t *n = r->n;
    if (!want_stream(r, 0) || !WANT(r, 1, G_I32, batch(r), r->g->padded)) return;
    if (want_positive(r, n->entries, "entries"))
        result(r, G_F32, SHAPE(dim(n->entries), last(n->in[0])));
}

void rule_position_grad(shape_rule_t *r) {
    const gnode_t *n = r->n;
    int64_t positions = n->entries;
    if (!want_stream(r, 0) || !want_begins(r, n)) return;
    if (!want_positive(r, n->entries, "entries")) return;
    for (int a = 0; a < n->n_axial; a++)
        if (!want_positive(r, n->axial_shape[a], "axial_shape")) return;
    bool fits =
        n->n_axial ? n->axis < n->n_axial && n->axial_shape[n->axis] == n->entries : n->axis == 0;
    if (n->n_axial) positions = product(n->n_axial, n->axial_shape);
    if (n->axis < 0 || !fits || !dim_le(r->g->padded, dim(positions), r->g->units)) {
        FAIL(r, "%s: axis %lld has no %lld positions", n->name, (long long)n->axis,
             (long long)n->entries);
        return;
    }
    result(r, G_F32, SHAPE(dim(n->entries), last(n->in[0])));
}

void rule_total(shape_rule_t *r) {
    if (want_sum(r, 0) && want_sum(r, 1) && want_like(r, 1, r->n->in[0]))
        result_like(r, r->n->in[0]);
}

void rule_gradient(shape_rule_t *r) {
    if (want_sum(r, 0) && want_like(r, 0, r->n->in[1])) result_like(r, r->n->in[0]);
}

/* ---- buckets ------------------------------------------------------------------------------- */

static int64_t buckets_of(const gnode_t *n) {
    return product(n->n_factors, n->factors);
}

/* Masked tokens have a bucket of their own, the last. */
void rule_pack_buckets(shape_rule_t *r) {
    const gnode_t *hash = r->n->in[0];
    if (!want_mask(r, 1) || !want_factors(r, NULL) || !want_factors_of(r, hash)) return;
    bool masks = r->n->n_in > 1 && r->n->in[1];
    int64_t values = buckets_of(r->n) + masks;
    result_like(r, hash);
    r->type = values <= 1 << 8 ? G_U8 : values <= 1 << 16 ? G_U16 : G_I32;
}

void rule_unpack_buckets(shape_rule_t *r) {
    const gnode_t *packed = r->n->in[0];
    if (!want_factors_of(r, packed)) return;
    if (!dim_literal(packed->shape[2]) || packed->shape[2].c > INT32_MAX / (buckets_of(r->n) + 1)) {
        FAIL(r, "%s: too many buckets for 32 bits", r->n->name);
        return;
    }
    result_like(r, packed);
    r->type = G_I32;
}

/* ---- attention ----------------------------------------------------------------------------- */

static bool want_order(shape_rule_t *r, int i) {
    int64_t rounds = r->n->rounds;
    if (!want_positive(r, rounds, "rounds") || rounds > INT32_MAX) return false;
    dim_t all = {r->g->padded.c * rounds, r->g->padded.u * rounds};
    return WANT(r, i, G_I32, batch(r), dim(r->n->heads), all);
}

static bool want_shared(shape_rule_t *r, int q) {
    if (r->n->shared_qk == (r->n->in[q] == r->n->in[q + 1])) return true;
    FAIL(r, "%s: shared_qk says that q and k are one node", r->n->name);
    return false;
}

static void result_lse(shape_rule_t *r) {
    result(r, G_F32, SHAPE(batch(r), r->g->padded, dim(r->n->heads)));
}

void rule_lsh_lse(shape_rule_t *r) {
    if (want_heads_alike(r, 0, 1) && want_mask(r, 2) && want_window(r) && want_order(r, 1))
        result_lse(r);
}

void rule_local_lse(shape_rule_t *r) {
    if (want_heads_alike(r, 0, 2) && want_mask(r, 2) && want_window(r)) result_lse(r);
}

void rule_exact_lse(shape_rule_t *r) {
    if (want_heads_alike(r, 0, 2) && want_mask(r, 2) && want_shared(r, 0)) result_lse(r);
}

/* dy, y and lse. */
static bool want_attended(shape_rule_t *r) {
    return want_rate(r, r->n->rate) && want_heads(r, 0) && want_heads(r, 1) &&
           WANT(r, 2, G_F32, batch(r), r->g->padded, dim(r->n->heads));
}

static void result_parts(shape_rule_t *r, int parts) {
    result_wide(r, r->n->in[0], dim_scale(last(r->n->in[0]), parts));
}

void rule_lsh_attention_grad(shape_rule_t *r) {
    if (want_attended(r) && want_heads_alike(r, 3, 2) && want_mask(r, 6) && want_window(r) &&
        want_order(r, 5))
        result_parts(r, 2);
}

static bool want_apart(shape_rule_t *r) {
    return want_attended(r) && want_heads_alike(r, 3, 3) && want_mask(r, 6);
}

void rule_local_attention_grad(shape_rule_t *r) {
    if (want_apart(r) && want_window(r)) result_parts(r, 3);
}

void rule_exact_attention_grad(shape_rule_t *r) {
    if (want_apart(r) && want_shared(r, 3)) result_parts(r, 3);
}

/* ---- losses -------------------------------------------------------------------------------- */

static bool want_number(shape_rule_t *r, int i) {
    return want_rank(r, i, G_F32, 0);
}

void rule_seed(shape_rule_t *r) {
    if (want_number(r, 0)) result(r, G_F32, 0, NULL);
}

void rule_cross_entropy_grad(shape_rule_t *r) {
    const gnode_t *logits = r->n->in[1];
    if (!want_number(r, 0) || !want_type(r, 1, G_F32)) return;
    if (logits->rank < 2) {
        FAIL(r, "%s: logits need a dimension of classes", r->n->name);
        return;
    }
    if (!want_shape(r, 2, G_I32, logits->rank - 1, logits->shape)) return;
    if (r->n->shift < 0 || r->n->shift > 1 || (r->n->shift == 1 && logits->rank != 3))
        FAIL(r, "%s: shift must be 0, or 1 for logits per token", r->n->name);
    result_like(r, logits);
}

void rule_qa_loss_grad(shape_rule_t *r) {
    dim_t length = r->g->length;
    if (want_number(r, 0) && WANT(r, 1, G_F32, batch(r), length) &&
        WANT(r, 2, G_F32, batch(r), length) && WANT(r, 3, G_I32, batch(r)) &&
        WANT(r, 4, G_I32, batch(r)))
        result(r, G_F32, SHAPE(batch(r), length, dim(2)));
}

void rule_float_loss_grad(shape_rule_t *r) {
    if (want_number(r, 0) && want_rank(r, 1, G_F32, 2) && want_like(r, 2, r->n->in[1]))
        result_like(r, r->n->in[1]);
}
