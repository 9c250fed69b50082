/* Shapes: one rule per op.
 *
 * In: a node with inputs and attributes. Out: its type, rank and shape, or errors at the node's
 * place (infer.c asks for them). Rules are written for symbolic lengths: two dimensions agree when
 * they agree for every U, one is within another when it is so for every U of the graph's range
 * (support/dim.h). Letters as in ops.def. */
#include <string.h>

#include "graph/shape_pieces.h"
#include "support/i8.h"

/* Declared: a named tensor of the caller. */
void rule_input(shape_rule_t *r) {
    static const struct {
        const char *name;
        gtype_t type;
        bool per_token, per_row; /* [B,S] allowed, [B] allowed */
    } inputs[] = {
        {"input_ids", G_I32, true, false},       {"attention_mask", G_I32, true, false},
        {"labels", G_I32, true, true},           {"labels_f32", G_F32, false, false},
        {"start_positions", G_I32, false, true}, {"end_positions", G_I32, false, true},
        {"positions", G_I32, true, true},
    };
    const gnode_t *n = r->n;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        if (strcmp(inputs[i].name, n->name) != 0) continue;
        bool is_row = n->rank == 1, is_token = n->rank == 2 && dim_equal(n->shape[1], r->g->length);
        bool is_labels = n->rank == 2 && n->type == G_F32 && dim_literal(n->shape[1]);
        bool fits = (is_row && inputs[i].per_row) || (is_token && inputs[i].per_token) ||
                    (is_labels && inputs[i].type == G_F32);
        if (n->type != inputs[i].type || !fits || !dim_equal(n->shape[0], batch(r)))
            FAIL(r, "input %s has the wrong type or shape", n->name);
        result_like(r, n);
        return;
    }
    FAIL(r, "there is no input named %s", n->name);
}

void rule_param(shape_rule_t *r) {
    for (int i = 0; i < r->n->rank; i++)
        if (!dim_literal(r->n->shape[i])) FAIL(r, "param %s depends on the length", r->n->name);
    gtype_t type = r->n->type;
    if (type != G_F32 && type != G_BF16 && type != G_I8)
        FAIL(r, "param %s is neither f32 nor bf16 nor i8", r->n->name);
    if (type == G_I8 && r->n->rank != 2)
        FAIL(r, "param %s is i8, which has a scale per row, but no matrix", r->n->name);
    result_like(r, r->n);
}

void rule_pad_ids(shape_rule_t *r) {
    if (!WANT(r, 0, G_I32, batch(r), r->g->length)) return;
    if (!dim_le(r->g->length, r->g->padded, r->g->units))
        FAIL(r, "%s: the padded length is below the length", r->n->name);
    if (r->n->pad_token < 0 || r->n->pad_token > INT32_MAX)
        FAIL(r, "%s: pad_token is not a token", r->n->name);
    result(r, G_I32, SHAPE(batch(r), r->g->padded));
}

void rule_pad_mask(shape_rule_t *r) {
    if (r->n->in[0] && !WANT(r, 0, G_I32, batch(r), r->g->length)) return;
    result(r, G_I32, SHAPE(batch(r), r->g->padded));
}

/* One table per axis, or a single one; widths of axes sum to the hidden size. */
void rule_embed(shape_rule_t *r) {
    const gnode_t *n = r->n;
    int word = graph_word_input(n), tables = n->n_in - word - 1;
    if (!WANT(r, 0, G_I32, batch(r), r->g->padded)) return;
    if (!want_rank(r, word, factor_type(n, n->in[word]), 2)) return;
    if (n->op == G_EMBED_AT && !WANT(r, 1, G_I32, batch(r), r->g->padded)) return;
    if (!want_begins(r, n)) return;
    if (tables != (n->n_axial ? n->n_axial : 1)) {
        FAIL(r, "%s: %d position tables for %d axes", n->name, tables, n->n_axial);
        return;
    }
    dim_t width = dim(0);
    int64_t rows[MAX_AXIAL] = {0};
    for (int a = 0; a < tables; a++) {
        int table = word + 1 + a;
        if (!want_rank(r, table, G_F32, 2)) return;
        rows[a] = n->in[table]->shape[0].c;
        width = dim_add(width, n->in[table]->shape[1]);
        if (n->n_axial && rows[a] != n->axial_shape[a])
            FAIL(r, "%s: axis %d has %lld positions, its table %lld", n->name, a,
                 (long long)n->axial_shape[a], (long long)rows[a]);
    }
    if (!dim_equal(width, last(n->in[word])))
        FAIL(r, "%s: the position tables are %lld wide in all, the words %lld", n->name,
             (long long)width.c, (long long)last(n->in[word]).c);
    if (!dim_le(r->g->padded, dim(product(tables, rows)), r->g->units))
        FAIL(r, "%s: the padded length exceeds the %lld positions", n->name,
             (long long)product(tables, rows));
    (void)(want_rate(r, n->rate) && want_rate(r, n->position_rate));
    result(r, G_F32, SHAPE(batch(r), r->g->padded, last(n->in[word])));
}

/* x, and vectors as wide as its rows. */
void rule_norm(shape_rule_t *r) {
    if (!want_vectors(r, 0)) return;
    for (int i = 1; i < r->n->n_in; i++)
        if (!WANT(r, i, G_F32, last(r->n->in[0]))) return;
    if (!(r->n->eps >= 0 && r->n->eps <= 1)) FAIL(r, "%s: eps is a number from 0 to 1", r->n->name);
    result_like(r, r->n->in[0]);
}

/* Sums of products of i8 are counted in 32 bits. */
static bool want_summable(shape_rule_t *r) {
    const gnode_t *x = r->n->in[0];
    if (x->type != G_I8 || last(x).c <= I8_MAX_PRODUCTS) return true;
    FAIL(r, "%s: x is %lld wide, of i8 the limit is %d", r->n->name, (long long)last(x).c,
         I8_MAX_PRODUCTS);
    return false;
}

/* Sums of products of any type, and a bias, are f32. */
void rule_dense(shape_rule_t *r) {
    gnode_t *const *in = r->n->in;
    gtype_t type = in[0]->type;
    if (!want_factors_alike(r, 0, 1) || !want_summable(r) ||
        !WANT(r, 1, type, in[1]->shape[0], last(in[0])))
        return;
    if (in[2] && !WANT(r, 2, G_F32, in[1]->shape[0])) return;
    result(r, G_F32, in[0]->rank, in[0]->shape);
    r->shape[r->rank - 1] = in[1]->shape[0];
}

void rule_round(shape_rule_t *r) {
    const gnode_t *x = r->n->in[0];
    if (want_type(r, 0, G_F32)) result(r, G_BF16, x->rank, x->shape);
}

void rule_quantize(shape_rule_t *r) {
    const gnode_t *x = r->n->in[0];
    if (!want_vectors(r, 0)) return;
    if (!dim_literal(last(x)))
        FAIL(r, "%s: how long a row of x is depends on the length", r->n->name);
    result(r, G_I8, x->rank, x->shape);
}

void rule_activation(shape_rule_t *r) {
    if (want_type(r, 0, G_F32)) result_like(r, r->n->in[0]);
    if (r->n->act < 0 || r->n->act >= ACT_COUNT) FAIL(r, "%s: no such activation", r->n->name);
}

/* Places have their own form: dropout.h. */
void rule_dropout(shape_rule_t *r) {
    const gnode_t *n = r->n;
    bool rows = n->place == PLACE_CLASSIFIER_IN || n->place == PLACE_CLASSIFIER_OUT;
    if (n->place < 0 || n->place >= PLACE_COUNT || n->place == PLACE_PROBABILITIES)
        FAIL(r, "%s: there is no place %lld for dropout", n->name, (long long)n->place);
    if (n->n_axial && (n->place != PLACE_POSITION || n->n_axial < 2))
        FAIL(r, "%s: columns are of axial positions", n->name);
    if (graph_positions(n) && (!n->n_axial || !want_begins(r, n)))
        FAIL(r, "%s: positions are of columns", n->name);
    for (int a = 0; a < n->n_axial; a++)
        if (!want_positive(r, n->axial_shape[a], "axial_shape")) return;
    if (!r->ok || !want_rate(r, n->rate)) return;
    if (rows ? want_rank(r, 0, G_F32, 2) && WANT(r, 0, G_F32, batch(r), last(n->in[0]))
             : want_stream(r, 0))
        result_like(r, n->in[0]);
}

void rule_elementwise(shape_rule_t *r) {
    const gnode_t *x = r->n->in[0];
    if (want_type(r, 0, G_F32) && want_shape(r, 1, G_F32, x->rank, x->shape)) result_like(r, x);
}

void rule_concat(shape_rule_t *r) {
    gnode_t *const *in = r->n->in;
    if (!want_vectors(r, 0) || !want_rank(r, 1, G_F32, in[0]->rank)) return;
    dim_t shape[G_MAX_RANK];
    memcpy(shape, in[0]->shape, sizeof shape);
    shape[in[0]->rank - 1] = last(in[1]);
    if (!want_shape(r, 1, G_F32, in[0]->rank, shape)) return;
    result_like(r, in[0]);
    r->shape[r->rank - 1] = dim_add(last(in[0]), last(in[1]));
}

/* Rotations are [H,d,n,R], R half the sum of the factors. */
static bool want_rotations(shape_rule_t *r, int input) {
    const gnode_t *n = r->n;
    int64_t columns;
    return want_factors(r, &columns) &&
           WANT(r, input, G_F32, dim(n->heads), dim(n->head_size), dim(n->rounds), dim(columns));
}

void rule_lsh_hash(shape_rule_t *r) {
    const gnode_t *n = r->n;
    if (!want_heads(r, 0) || !want_mask(r, 2) || !want_positive(r, n->rounds, "rounds")) return;
    if (!want_rotations(r, 1)) return;
    result(r, G_I32, SHAPE(batch(r), dim(n->heads), dim(n->rounds), r->g->padded));
}

void rule_lsh_sort(shape_rule_t *r) {
    if (!want_rank(r, 0, G_I32, 4)) return;
    const dim_t *s = r->n->in[0]->shape;
    if (!WANT(r, 0, G_I32, batch(r), s[1], s[2], r->g->padded)) return;
    dim_t all;
    int64_t max;
    if (!dim_literal(s[2]) || __builtin_mul_overflow(s[3].c, s[2].c, &all.c) ||
        __builtin_mul_overflow(s[3].u, s[2].c, &all.u) || !dim_max(all, r->g->units, &max) ||
        max > INT32_MAX) {
        FAIL(r, "%s: too many positions for 32 bits", r->n->name);
        return;
    }
    result(r, G_I32, SHAPE(s[0], s[1], all));
}

void rule_lsh_attention(shape_rule_t *r) {
    const gnode_t *n = r->n;
    int64_t rounds = n->rounds;
    if (!want_heads_alike(r, 0, 2) || !want_mask(r, 3) || !want_window(r)) return;
    if (!want_positive(r, rounds, "rounds") || rounds > INT32_MAX) return;
    dim_t all = {r->g->padded.c * rounds, r->g->padded.u * rounds};
    if (WANT(r, 2, G_I32, batch(r), dim(n->heads), all) && want_rate(r, n->rate))
        result(r, G_F32, n->in[0]->rank, n->in[0]->shape);
}

void rule_local_attention(shape_rule_t *r) {
    const gnode_t *q = r->n->in[0];
    if (want_heads_alike(r, 0, 3) && want_mask(r, 3) && want_window(r) && want_rate(r, r->n->rate))
        result(r, G_F32, q->rank, q->shape);
}

void rule_exact_attention(shape_rule_t *r) {
    const gnode_t *q = r->n->in[0];
    if (!want_heads_alike(r, 0, 3) || !want_mask(r, 3)) return;
    if (r->n->shared_qk != (r->n->in[0] == r->n->in[1]))
        FAIL(r, "%s: shared_qk says that q and k are one node", r->n->name);
    if (want_rate(r, r->n->rate)) result(r, G_F32, q->rank, q->shape);
}

/* What a cache holds of rows of other batches too: their number is the step's.
 * Its type is as declared. */
void rule_state(shape_rule_t *r) {
    const gnode_t *n = r->n;
    int64_t width;
    if (!want_positive(r, n->heads, "heads") || !want_positive(r, n->head_size, "head_size"))
        return;
    if (__builtin_mul_overflow(n->heads, n->head_size, &width)) {
        FAIL(r, "%s: heads times head_size is too large", n->name);
        return;
    }
    if (!want_reach(r)) return;
    if (n->op == G_LSH_STATE && !want_positive(r, n->rounds, "rounds")) return;
    if (n->n_factors > 0 && !want_factors(r, NULL)) return;
    result(r, n->type == G_BF16 ? G_BF16 : G_F32, SHAPE(batch(r), dim(width)));
}

/* Input i is a state, and says of itself what n says of it. */
static bool want_state(shape_rule_t *r, int i) {
    const gnode_t *n = r->n, *state = n->in[i];
    for (int k = 0; k < N_GRAPH_ATTRS; k++) {
        const gattr_t *attr = &graph_attrs[k];
        if (!graph_op_has_attr(n->op, attr) || !graph_op_has_attr(state->op, attr)) continue;
        if (graph_same_attr(attr, n, state)) continue;
        FAIL(r, "%s: %s differs from that of %s", n->name, attr->name, state->name);
        return false;
    }
    return true;
}

/* One token per row, at its position. */
static bool want_step(shape_rule_t *r, int positions) {
    return WANT(r, positions, G_I32, batch(r), dim(1)) && want_reach(r) &&
           want_state(r, positions + 1);
}

void rule_lsh_step(shape_rule_t *r) {
    const gnode_t *n = r->n;
    if (!want_heads(r, 0) || !want_heads(r, 1) || !want_step(r, 2)) return;
    if (!want_positive(r, n->rounds, "rounds")) return;
    bool drawn = n->n_in > 4 && n->in[4];
    if (drawn != (n->n_factors > 0))
        FAIL(r, "%s: rotations go with factors, one without the other does nothing", n->name);
    if (!drawn || want_rotations(r, 4)) result_like(r, n->in[0]);
}

void rule_local_step(shape_rule_t *r) {
    if (want_heads(r, 0) && want_heads(r, 1) && want_heads(r, 2) && want_step(r, 3))
        result_like(r, r->n->in[0]);
}

/* The buckets are of as many heads and rounds as the state's. */
void rule_keep(shape_rule_t *r) {
    const gnode_t *n = r->n, *state = n->in[2];
    bool buckets = n->n_in > 3 && n->in[3];
    if (!want_heads(r, 0) || !want_heads(r, 1) || !want_state(r, 2)) return;
    if (buckets) {
        if (!WANT(r, 3, G_I32, batch(r), dim(n->heads), dim(state->rounds), r->g->padded)) return;
        bool same = n->in[3]->n_factors == state->n_factors;
        for (int f = 0; same && f < state->n_factors; f++)
            same = n->in[3]->factors[f] == state->factors[f];
        if (!same) {
            FAIL(r, "%s: factors of %s differ from those of %s", n->name, n->in[3]->name,
                 state->name);
            return;
        }
    }
    result_like(r, state);
}

void rule_slice(shape_rule_t *r) {
    if (want_stream(r, 0)) result(r, G_F32, SHAPE(batch(r), r->g->length, last(r->n->in[0])));
}

void rule_first_token(shape_rule_t *r) {
    if (want_rank(r, 0, G_F32, 3)) result(r, G_F32, SHAPE(batch(r), last(r->n->in[0])));
}

void rule_column(shape_rule_t *r) {
    if (!want_rank(r, 0, G_F32, 3)) return;
    if (r->n->shift < 0 || !dim_literal(last(r->n->in[0])) || r->n->shift >= last(r->n->in[0]).c)
        FAIL(r, "%s: there is no column %lld", r->n->name, (long long)r->n->shift);
    result(r, G_F32, SHAPE(batch(r), r->n->in[0]->shape[1]));
}

/* Labels have the shape of the logits but for the classes. */
void rule_cross_entropy(shape_rule_t *r) {
    const gnode_t *logits = r->n->in[0];
    if (!want_type(r, 0, G_F32)) return;
    if (logits->rank < 2) {
        FAIL(r, "%s: logits need a dimension of classes", r->n->name);
        return;
    }
    want_shape(r, 1, G_I32, logits->rank - 1, logits->shape);
    if (r->n->shift < 0 || r->n->shift > 1 || (r->n->shift == 1 && logits->rank != 3))
        FAIL(r, "%s: shift must be 0, or 1 for logits per token", r->n->name);
    result(r, G_F32, 0, NULL);
}

void rule_qa_loss(shape_rule_t *r) {
    if (WANT(r, 0, G_F32, batch(r), r->g->length) && WANT(r, 1, G_F32, batch(r), r->g->length) &&
        WANT(r, 2, G_I32, batch(r)) && WANT(r, 3, G_I32, batch(r)))
        result(r, G_F32, 0, NULL);
}

void rule_float_loss(shape_rule_t *r) {
    if (!want_rank(r, 0, G_F32, 2)) return;
    if (want_shape(r, 1, G_F32, 2, r->n->in[0]->shape)) result(r, G_F32, 0, NULL);
}
