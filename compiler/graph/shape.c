/* Shapes: one rule per op, used both to fill in a node that was just built and to check a whole
 * graph.
 *
 * In: a node with inputs and attributes. Out: its type, rank and shape, or errors at the node's
 * place. Rules are written for symbolic lengths: two dimensions agree when they agree for every
 * U, one is within another when it is so for every U of the graph's range (support/dim.h).
 * Letters as in ops.def. */
#include <string.h>

#include "graph/ops.h"

typedef struct {
    const graph_t *g;
    gnode_t *n;
    diag_t *d;
    bool ok;
    gtype_t type; /* the result */
    int rank;
    dim_t shape[G_MAX_RANK];
} rule_t;

#define FAIL(r, ...) ((r)->ok = false, diag_error((r)->d, (r)->n->at, __VA_ARGS__))

/* ---- pieces of rules ----------------------------------------------------------------------- */

static void result(rule_t *r, gtype_t type, int rank, const dim_t *shape) {
    r->type = type;
    r->rank = rank;
    if (rank) memcpy(r->shape, shape, sizeof *shape * (size_t)rank);
}

static void result_like(rule_t *r, const gnode_t *x) {
    result(r, x->type, x->rank, x->shape);
}

static dim_t last(const gnode_t *x) {
    return x->shape[x->rank - 1];
}

/* "x" of input i, for messages */
static const char *input_name(const rule_t *r, int i, int *n) {
    const char *name = "?";
    garg_kind_t kind;
    *n = 1;
    graph_op_input(r->n->op, i, &name, n, &kind);
    return name;
}

static bool want_type(rule_t *r, int i, gtype_t type) {
    const gnode_t *x = r->n->in[i];
    if (x->type == type) return true;
    int n;
    const char *name = input_name(r, i, &n);
    FAIL(r, "%s: input %.*s is %s, not %s", r->n->name, n, name, graph_type_names[x->type],
         graph_type_names[type]);
    return false;
}

static bool want_rank(rule_t *r, int i, gtype_t type, int rank) {
    const gnode_t *x = r->n->in[i];
    if (!want_type(r, i, type)) return false;
    if (x->rank == rank) return true;
    int n;
    const char *name = input_name(r, i, &n);
    FAIL(r, "%s: input %.*s has %d dimensions, not %d", r->n->name, n, name, x->rank, rank);
    return false;
}

static void dim_text(dim_t d, char text[64]) {
    if (d.u == 0) snprintf(text, 64, "%lld", (long long)d.c);
    else if (d.c == 0) snprintf(text, 64, "%lld*U", (long long)d.u);
    else snprintf(text, 64, "%lld+%lld*U", (long long)d.c, (long long)d.u);
}

/* Input i has this type and exactly this shape. */
static bool want_shape(rule_t *r, int i, gtype_t type, int rank, const dim_t *shape) {
    if (!want_rank(r, i, type, rank)) return false;
    const gnode_t *x = r->n->in[i];
    for (int k = 0; k < rank; k++) {
        if (dim_equal(x->shape[k], shape[k])) continue;
        int n;
        const char *name = input_name(r, i, &n);
        char have[64], want[64];
        dim_text(x->shape[k], have);
        dim_text(shape[k], want);
        FAIL(r, "%s: dimension %d of input %.*s is %s, not %s", r->n->name, k, n, name, have, want);
        return false;
    }
    return true;
}

#define SHAPE(...)                                                                                 \
    (sizeof((dim_t[]){__VA_ARGS__}) / sizeof(dim_t)), (dim_t[]) {                                  \
        __VA_ARGS__                                                                                \
    }
#define WANT(r, i, type, ...) want_shape(r, i, type, SHAPE(__VA_ARGS__))

static bool want_positive(rule_t *r, int64_t value, const char *attr) {
    if (value > 0) return true;
    FAIL(r, "%s: %s must be positive", r->n->name, attr);
    return false;
}

/* Product of positive numbers, INT64_MAX when it does not fit. */
static int64_t product(int n, const int64_t *f) {
    int64_t p = 1;
    for (int i = 0; i < n; i++)
        if (__builtin_mul_overflow(p, f[i], &p)) return INT64_MAX;
    return p;
}

static dim_t batch(const rule_t *r) {
    return dim(r->g->batch);
}

/* [B,P,w], w free */
static bool want_stream(rule_t *r, int i) {
    if (!want_rank(r, i, G_F32, 3)) return false;
    return WANT(r, i, G_F32, batch(r), r->g->padded, last(r->n->in[i]));
}

/* Optional, like all masks. */
static bool want_mask(rule_t *r, int i) {
    return !r->n->in[i] || WANT(r, i, G_I32, batch(r), r->g->padded);
}

/* Input i is [B,P,heads * head_size]. */
static bool want_heads(rule_t *r, int i) {
    const gnode_t *n = r->n;
    int64_t width;
    if (!want_positive(r, n->heads, "heads") || !want_positive(r, n->head_size, "head_size"))
        return false;
    if (__builtin_mul_overflow(n->heads, n->head_size, &width)) {
        FAIL(r, "%s: heads times head_size is too large", n->name);
        return false;
    }
    return WANT(r, i, G_F32, batch(r), r->g->padded, dim(width));
}

static bool want_reach(rule_t *r) {
    const gnode_t *n = r->n;
    if (!want_positive(r, n->chunk, "chunk")) return false;
    int64_t chunks, window;
    if (n->before < 0 || n->after < 0 || __builtin_add_overflow(n->before, n->after, &chunks) ||
        __builtin_add_overflow(chunks, 1, &chunks) ||
        __builtin_mul_overflow(chunks, n->chunk, &window) || window > INT32_MAX) {
        FAIL(r, "%s: before and after must not be negative, nor the window too wide", n->name);
        return false;
    }
    return true;
}

static bool want_window(rule_t *r) {
    const gnode_t *n = r->n;
    if (!want_reach(r)) return false;
    if (!dim_divisible(r->g->padded, n->chunk)) {
        FAIL(r, "%s: the padded length is no multiple of the chunk length %lld", n->name,
             (long long)n->chunk);
        return false;
    }
    return true;
}

/* The greatest value of a dimension that does not shrink with U; false when it does not fit. */
static bool dim_most(dim_t d, units_t units, int64_t *most) {
    return d.u >= 0 && !__builtin_mul_overflow(d.u, units.max, most) &&
           !__builtin_add_overflow(*most, d.c, most);
}

/* A float tensor with a last dimension. */
static bool want_vectors(rule_t *r, int i) {
    if (!want_type(r, i, G_F32)) return false;
    if (r->n->in[i]->rank >= 1) return true;
    FAIL(r, "%s: a tensor is needed, not a number", r->n->name);
    return false;
}

/* ---- rules --------------------------------------------------------------------------------- */

/* Declared: a named tensor of the caller. */
static void rule_input(rule_t *r) {
    static const struct {
        const char *name;
        gtype_t type;
        bool per_token, per_row; /* [B,S] allowed, [B] allowed */
    } inputs[] = {
        {"input_ids", G_I32, true, false},       {"attention_mask", G_I32, true, false},
        {"labels", G_I32, true, true},           {"labels_f32", G_F32, false, false},
        {"start_positions", G_I32, false, true}, {"end_positions", G_I32, false, true},
        {"positions", G_I32, true, false},
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

static void rule_param(rule_t *r) {
    for (int i = 0; i < r->n->rank; i++)
        if (!dim_literal(r->n->shape[i])) FAIL(r, "param %s depends on the length", r->n->name);
    if (r->n->type != G_F32) FAIL(r, "param %s is not f32", r->n->name);
    result_like(r, r->n);
}

static void rule_pad_ids(rule_t *r) {
    if (!WANT(r, 0, G_I32, batch(r), r->g->length)) return;
    if (!dim_le(r->g->length, r->g->padded, r->g->units))
        FAIL(r, "%s: the padded length is below the length", r->n->name);
    if (r->n->pad_token < 0 || r->n->pad_token > INT32_MAX)
        FAIL(r, "%s: pad_token is not a token", r->n->name);
    result(r, G_I32, SHAPE(batch(r), r->g->padded));
}

static void rule_pad_mask(rule_t *r) {
    if (r->n->in[0] && !WANT(r, 0, G_I32, batch(r), r->g->length)) return;
    result(r, G_I32, SHAPE(batch(r), r->g->padded));
}

/* One table per axis, or a single one; widths of axes sum to the hidden size. */
static void rule_embed(rule_t *r) {
    const gnode_t *n = r->n;
    int word = n->op == G_EMBED_AT ? 2 : 1, tables = n->n_in - word - 1;
    if (!WANT(r, 0, G_I32, batch(r), r->g->padded) || !want_rank(r, word, G_F32, 2)) return;
    if (word == 2 && !WANT(r, 1, G_I32, batch(r), r->g->padded)) return;
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
    result(r, G_F32, SHAPE(batch(r), r->g->padded, last(n->in[word])));
}

/* x, and vectors as wide as its rows. */
static void rule_norm(rule_t *r) {
    if (!want_vectors(r, 0)) return;
    for (int i = 1; i < r->n->n_in; i++)
        if (!WANT(r, i, G_F32, last(r->n->in[0]))) return;
    if (!(r->n->eps >= 0 && r->n->eps <= 1)) FAIL(r, "%s: eps is a number from 0 to 1", r->n->name);
    result_like(r, r->n->in[0]);
}

static void rule_dense(rule_t *r) {
    gnode_t *const *in = r->n->in;
    if (!want_vectors(r, 0) || !want_rank(r, 1, G_F32, 2)) return;
    if (!WANT(r, 1, G_F32, in[1]->shape[0], last(in[0]))) return;
    if (in[2] && !WANT(r, 2, G_F32, in[1]->shape[0])) return;
    result_like(r, in[0]);
    r->shape[r->rank - 1] = in[1]->shape[0];
}

static void rule_activation(rule_t *r) {
    if (want_type(r, 0, G_F32)) result_like(r, r->n->in[0]);
    if (r->n->act < 0 || r->n->act >= ACT_COUNT) FAIL(r, "%s: no such activation", r->n->name);
}

static void rule_elementwise(rule_t *r) {
    const gnode_t *x = r->n->in[0];
    if (want_type(r, 0, G_F32) && want_shape(r, 1, G_F32, x->rank, x->shape)) result_like(r, x);
}

static void rule_concat(rule_t *r) {
    gnode_t *const *in = r->n->in;
    if (!want_vectors(r, 0) || !want_rank(r, 1, G_F32, in[0]->rank)) return;
    dim_t shape[G_MAX_RANK];
    memcpy(shape, in[0]->shape, sizeof shape);
    shape[in[0]->rank - 1] = last(in[1]);
    if (!want_shape(r, 1, G_F32, in[0]->rank, shape)) return;
    result_like(r, in[0]);
    r->shape[r->rank - 1] = dim_add(last(in[0]), last(in[1]));
}

/* Half the sum of the factors, of which there are some, all even; columns NULL: not asked for. */
static bool want_factors(rule_t *r, int64_t *half) {
    const gnode_t *n = r->n;
    int64_t columns = 0;
    for (int i = 0; i < n->n_factors; i++) {
        int64_t f = n->factors[i];
        if (f < 2 || f % 2 || __builtin_add_overflow(columns, f / 2, &columns)) {
            FAIL(r, "%s: %lld buckets: an even number is needed", n->name, (long long)f);
            return false;
        }
    }
    if (n->n_factors < 1) FAIL(r, "%s: no number of buckets", n->name);
    int64_t buckets = product(n->n_factors, n->factors);
    if (buckets >= INT32_MAX || n->rounds > INT32_MAX / (buckets + 1)) {
        FAIL(r, "%s: too many buckets for 32 bits", n->name);
        return false;
    }
    if (half) *half = columns;
    return r->ok;
}

/* Rotations are [H,d,n,R], R half the sum of the factors. */
static bool want_rotations(rule_t *r, int input) {
    const gnode_t *n = r->n;
    int64_t columns;
    return want_factors(r, &columns) &&
           WANT(r, input, G_F32, dim(n->heads), dim(n->head_size), dim(n->rounds), dim(columns));
}

static void rule_lsh_hash(rule_t *r) {
    const gnode_t *n = r->n;
    if (!want_heads(r, 0) || !want_mask(r, 2) || !want_positive(r, n->rounds, "rounds")) return;
    if (!want_rotations(r, 1)) return;
    result(r, G_I32, SHAPE(batch(r), dim(n->heads), dim(n->rounds), r->g->padded));
}

static void rule_lsh_sort(rule_t *r) {
    if (!want_rank(r, 0, G_I32, 4)) return;
    const dim_t *s = r->n->in[0]->shape;
    if (!WANT(r, 0, G_I32, batch(r), s[1], s[2], r->g->padded)) return;
    dim_t all;
    int64_t most;
    if (!dim_literal(s[2]) || __builtin_mul_overflow(s[3].c, s[2].c, &all.c) ||
        __builtin_mul_overflow(s[3].u, s[2].c, &all.u) || !dim_most(all, r->g->units, &most) ||
        most > INT32_MAX) {
        FAIL(r, "%s: too many positions for 32 bits", r->n->name);
        return;
    }
    result(r, G_I32, SHAPE(s[0], s[1], all));
}

static void rule_lsh_attention(rule_t *r) {
    const gnode_t *n = r->n;
    int64_t rounds = n->rounds;
    if (!want_heads(r, 0) || !want_heads(r, 1) || !want_mask(r, 3) || !want_window(r)) return;
    if (!want_positive(r, rounds, "rounds") || rounds > INT32_MAX) return;
    dim_t all = {r->g->padded.c * rounds, r->g->padded.u * rounds};
    if (WANT(r, 2, G_I32, batch(r), dim(n->heads), all)) result_like(r, n->in[0]);
}

static void rule_local_attention(rule_t *r) {
    if (want_heads(r, 0) && want_heads(r, 1) && want_heads(r, 2) && want_mask(r, 3) &&
        want_window(r))
        result_like(r, r->n->in[0]);
}

static void rule_exact_attention(rule_t *r) {
    if (!want_heads(r, 0) || !want_heads(r, 1) || !want_heads(r, 2) || !want_mask(r, 3)) return;
    if (r->n->shared_qk != (r->n->in[0] == r->n->in[1]))
        FAIL(r, "%s: shared_qk says that q and k are one node", r->n->name);
    result_like(r, r->n->in[0]);
}

/* What a cache holds of rows of other batches too: their number is the step's. */
static void rule_state(rule_t *r) {
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
    result(r, G_F32, SHAPE(batch(r), dim(width)));
}

/* Input i is a state, and says of itself what n says of it. */
static bool want_state(rule_t *r, int i) {
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
static bool want_step(rule_t *r, int positions) {
    return WANT(r, positions, G_I32, batch(r), dim(1)) && want_reach(r) &&
           want_state(r, positions + 1);
}

static void rule_lsh_step(rule_t *r) {
    const gnode_t *n = r->n;
    if (!want_heads(r, 0) || !want_heads(r, 1) || !want_step(r, 2)) return;
    if (!want_positive(r, n->rounds, "rounds")) return;
    bool drawn = n->n_in > 4 && n->in[4];
    if (drawn != (n->n_factors > 0))
        FAIL(r, "%s: rotations go with factors, one without the other does nothing", n->name);
    if (!drawn || want_rotations(r, 4)) result_like(r, n->in[0]);
}

static void rule_local_step(rule_t *r) {
    if (want_heads(r, 0) && want_heads(r, 1) && want_heads(r, 2) && want_step(r, 3))
        result_like(r, r->n->in[0]);
}

/* The buckets are of as many heads and rounds as the state's. */
static void rule_keep(rule_t *r) {
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

static void rule_slice(rule_t *r) {
    if (want_stream(r, 0)) result(r, G_F32, SHAPE(batch(r), r->g->length, last(r->n->in[0])));
}

static void rule_first_token(rule_t *r) {
    if (want_rank(r, 0, G_F32, 3)) result(r, G_F32, SHAPE(batch(r), last(r->n->in[0])));
}

static void rule_column(rule_t *r) {
    if (!want_rank(r, 0, G_F32, 3)) return;
    if (r->n->shift < 0 || !dim_literal(last(r->n->in[0])) || r->n->shift >= last(r->n->in[0]).c)
        FAIL(r, "%s: there is no column %lld", r->n->name, (long long)r->n->shift);
    result(r, G_F32, SHAPE(batch(r), r->n->in[0]->shape[1]));
}

/* Labels have the shape of the logits but for the classes. */
static void rule_cross_entropy(rule_t *r) {
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

static void rule_qa_loss(rule_t *r) {
    if (WANT(r, 0, G_F32, batch(r), r->g->length) && WANT(r, 1, G_F32, batch(r), r->g->length) &&
        WANT(r, 2, G_I32, batch(r)) && WANT(r, 3, G_I32, batch(r)))
        result(r, G_F32, 0, NULL);
}

static void rule_float_loss(rule_t *r) {
    if (!want_rank(r, 0, G_F32, 2)) return;
    if (want_shape(r, 1, G_F32, 2, r->n->in[0]->shape)) result(r, G_F32, 0, NULL);
}

static void (*const rules[G_COUNT])(rule_t *) = {
#define X(op, name, kind, inputs, attributes, doc, shape, evaluate) [G_##op] = rule_##shape,
#include "graph/ops.def"
#undef X
};

/* ---- a node, a graph ----------------------------------------------------------------------- */

/* Every required input is there, and no more. */
static bool inputs_present(rule_t *r) {
    const char *name;
    int n, i = 0;
    garg_kind_t kind;
    for (; graph_op_input(r->n->op, i, &name, &n, &kind); i++) {
        if (kind == ARG_MANY && i >= r->n->n_in && i > 0 && r->n->in[i - 1]) break;
        if (kind != ARG_OPTIONAL && (i >= r->n->n_in || !r->n->in[i])) {
            FAIL(r, "%s: input %.*s of %s is missing", r->n->name, n, name,
                 graph_ops[r->n->op].name);
            return false;
        }
    }
    if (r->n->n_in > i)
        FAIL(r, "%s: %d inputs are too many for %s", r->n->name, r->n->n_in,
             graph_ops[r->n->op].name);
    return r->ok;
}

/* What must make an input, by the input's name: weights are params, masks are padded … Anything
 * else is computed, so neither PARAM nor INPUT. */
static bool comes_from(gop_t user, const char *name, int n, gop_t op) {
    static const struct {
        const char *name;
        gop_t op;
    } sources[] = {
        {"weight", G_PARAM},        {"bias", G_PARAM},
        {"word", G_PARAM},          {"pos", G_PARAM},
        {"rotations", G_PARAM},     {"labels", G_INPUT},
        {"labels_f32", G_INPUT},    {"start_positions", G_INPUT},
        {"end_positions", G_INPUT}, {"tokens", G_INPUT},
        {"positions", G_INPUT},     {"ids", G_PAD_IDS},
        {"mask", G_PAD_MASK},       {"buckets", G_LSH_HASH},
        {"order", G_LSH_SORT},
    };
    if (user == G_PAD_IDS || user == G_PAD_MASK) return op == G_INPUT;
    bool lsh = user == G_LSH_STEP || user == G_LSH_KEEP;
    if (n == 5 && memcmp(name, "state", 5) == 0) return op == (lsh ? G_LSH_STATE : G_LOCAL_STATE);
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        if (strlen(sources[i].name) == (size_t)n && memcmp(sources[i].name, name, (size_t)n) == 0)
            return op == sources[i].op;
    return op != G_PARAM && op != G_INPUT && op != G_LSH_STATE && op != G_LOCAL_STATE;
}

/* The caller's tensor that an input takes: the runtime gives each under its own name. */
static bool is_own_tensor(const gnode_t *x, const char *name, int n) {
    static const struct {
        const char *input, *tensor;
    } names[] = {{"ids", "input_ids"}, {"tokens", "input_ids"}, {"mask", "attention_mask"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].input) == (size_t)n && memcmp(names[i].input, name, (size_t)n) == 0)
            return strcmp(x->name, names[i].tensor) == 0;
    return strlen(x->name) == (size_t)n && memcmp(x->name, name, (size_t)n) == 0;
}

static bool sources_fit(rule_t *r) {
    for (int i = 0; i < r->n->n_in; i++) {
        int n;
        const char *name = input_name(r, i, &n);
        if (!r->n->in[i]) continue;
        if (comes_from(r->n->op, name, n, r->n->in[i]->op)) {
            if (r->n->in[i]->op != G_INPUT || is_own_tensor(r->n->in[i], name, n)) continue;
            FAIL(r, "%s: input %.*s cannot be the caller's %s", r->n->name, n, name,
                 r->n->in[i]->name);
            continue;
        }
        FAIL(r, "%s: input %.*s must not come from %s", r->n->name, n, name,
             graph_ops[r->n->in[i]->op].name);
    }
    return r->ok;
}

/* Dimensions are positive and all elements can be counted, for every U. */
static void check_size(rule_t *r) {
    units_t u = r->g->units;
    int64_t elements = 8; /* bytes of the widest representation */
    for (int i = 0; i < r->rank; i++) {
        dim_t s = r->shape[i];
        int64_t most;
        if (!dim_most(s, u, &most) || dim_at(s, u.min) < 1 ||
            __builtin_mul_overflow(elements, most, &elements)) {
            FAIL(r, "%s: dimension %d is not positive, or the tensor too large", r->n->name, i);
            return;
        }
    }
}

static bool run_rule(rule_t *r) {
    if (!inputs_present(r) || !sources_fit(r)) return false;
    rules[r->n->op](r);
    if (r->ok) check_size(r);
    return r->ok;
}

bool graph_infer(const graph_t *g, gnode_t *n, diag_t *d) {
    rule_t r = {.g = g, .n = n, .d = d, .ok = true};
    if (!run_rule(&r)) return false;
    n->type = r.type;
    n->rank = r.rank;
    memcpy(n->shape, r.shape, sizeof n->shape);
    return true;
}

static bool same_result(const rule_t *r) {
    if (r->type != r->n->type || r->rank != r->n->rank) return false;
    for (int i = 0; i < r->rank; i++)
        if (!dim_equal(r->shape[i], r->n->shape[i])) return false;
    return true;
}

static bool check_node(const graph_t *g, gnode_t *n, diag_t *d) {
    rule_t r = {.g = g, .n = n, .d = d, .ok = true};
    if (!run_rule(&r)) return false;
    if (!same_result(&r))
        FAIL(&r, "%s: the result is not what %s gives", n->name, graph_ops[n->op].name);
    return r.ok;
}

static bool header_is_sane(const graph_t *g, diag_t *d) {
    bool symbolic = g->units.max > 0;
    bool units = symbolic ? g->units.min >= 1 && g->units.min <= g->units.max
                          : g->units.min == 0 && g->units.max == 0;
    dim_t both[] = {g->length, g->padded};
    int64_t most = INT32_MAX; /* positions are 32-bit */
    for (int i = 0; i < 2 && units; i++) {
        bool in_range =
            both[i].c >= 0 && both[i].u >= 0 && both[i].c <= most && both[i].u <= most &&
            (symbolic ? both[i].u == 0 || g->units.max <= most / both[i].u : both[i].u == 0);
        if (!in_range || dim_at(both[i], g->units.min) < 1 || dim_at(both[i], g->units.max) > most)
            units = false;
    }
    if (units && g->batch >= 1 && g->batch <= INT32_MAX && dim_le(g->length, g->padded, g->units))
        return true;
    bool from_text = g->at.file != NULL;
    diag_error(d,
               from_text    ? g->at
               : g->n_nodes ? g->nodes[0]->at
                            : NOWHERE,
               "batch, length and units do not agree");
    return false;
}

bool graph_check(graph_t *g, diag_t *d) {
    if (!header_is_sane(g, d)) return false;
    bool ok = true;
    for (size_t i = 0; i < g->n_nodes; i++) {
        gnode_t *n = g->nodes[i];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] && n->in[k]->id >= (int)i)
                bug("graph: %s is used before it is made", n->name);
        if (!check_node(g, n, d)) ok = false;
    }
    return ok;
}
