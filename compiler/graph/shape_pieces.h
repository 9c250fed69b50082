/* What rules of shapes are made of: what is known of a node while its rule runs, and questions
 * about its inputs, which say what is wrong. Shared by shape.c and shape_gradient.c. */
#ifndef REFORMERC_GRAPH_SHAPE_PIECES_H
#define REFORMERC_GRAPH_SHAPE_PIECES_H

#include <string.h>

#include "graph/dropout.h"
#include "graph/ops.h"

typedef struct {
    const graph_t *g;
    gnode_t *n;
    diag_t *d;
    bool ok;
    gtype_t type; /* the result */
    int rank;
    dim_t shape[G_MAX_RANK];
} shape_rule_t;

typedef void shape_rule_fn(shape_rule_t *);
#define X(op, name, kind, inputs, attributes, doc, shape, evaluate, grad)                          \
    shape_rule_fn rule_##shape;
#include "graph/ops.def"
#undef X

#define FAIL(r, ...) ((r)->ok = false, diag_error((r)->d, (r)->n->at, __VA_ARGS__))

static inline void result(shape_rule_t *r, gtype_t type, int rank, const dim_t *shape) {
    r->type = type;
    r->rank = rank;
    if (rank) memcpy(r->shape, shape, sizeof *shape * (size_t)rank);
}

static inline void result_like(shape_rule_t *r, const gnode_t *x) {
    result(r, x->type, x->rank, x->shape);
}

static inline dim_t last(const gnode_t *x) {
    return x->shape[x->rank - 1];
}

/* "x" of input i, for messages */
static inline const char *input_name(const shape_rule_t *r, int i, int *n) {
    const char *name = "?";
    garg_kind_t kind;
    *n = 1;
    graph_op_input(r->n->op, i, &name, n, &kind);
    return name;
}

static inline bool want_type(shape_rule_t *r, int i, gtype_t type) {
    const gnode_t *x = r->n->in[i];
    if (x->type == type) return true;
    int n;
    const char *name = input_name(r, i, &n);
    FAIL(r, "%s: input %.*s is %s, not %s", r->n->name, n, name, graph_type_names[x->type],
         graph_type_names[type]);
    return false;
}

static inline bool want_rank(shape_rule_t *r, int i, gtype_t type, int rank) {
    const gnode_t *x = r->n->in[i];
    if (!want_type(r, i, type)) return false;
    if (x->rank == rank) return true;
    int n;
    const char *name = input_name(r, i, &n);
    FAIL(r, "%s: input %.*s has %d dimensions, not %d", r->n->name, n, name, x->rank, rank);
    return false;
}

static inline void dim_text(dim_t d, char text[64]) {
    if (d.u == 0) snprintf(text, 64, "%lld", (long long)d.c);
    else if (d.c == 0) snprintf(text, 64, "%lld*U", (long long)d.u);
    else snprintf(text, 64, "%lld+%lld*U", (long long)d.c, (long long)d.u);
}

/* Input i has this type and exactly this shape. */
static inline bool want_shape(shape_rule_t *r, int i, gtype_t type, int rank, const dim_t *shape) {
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

static inline bool want_positive(shape_rule_t *r, int64_t value, const char *attr) {
    if (value > 0) return true;
    FAIL(r, "%s: %s must be positive", r->n->name, attr);
    return false;
}

/* Of dropout; 0: none. */
static inline bool want_rate(shape_rule_t *r, double rate) {
    if (dropout_is_rate(rate)) return true;
    FAIL(r, "%s: dropout at the rate %g leaves nothing", r->n->name, rate);
    return false;
}

/* Product of positive numbers, INT64_MAX when it does not fit. */
static inline int64_t product(int n, const int64_t *f) {
    int64_t p = 1;
    for (int i = 0; i < n; i++)
        if (__builtin_mul_overflow(p, f[i], &p)) return INT64_MAX;
    return p;
}

static inline dim_t batch(const shape_rule_t *r) {
    return dim(r->g->batch);
}

/* Where rows begin, if the node says that. */
static inline bool want_begins(shape_rule_t *r, const gnode_t *n) {
    return !graph_positions(n) || WANT(r, 1, G_I32, batch(r));
}

/* [B,P,w], w free */
static inline bool want_stream(shape_rule_t *r, int i) {
    if (!want_rank(r, i, G_F32, 3)) return false;
    return WANT(r, i, G_F32, batch(r), r->g->padded, last(r->n->in[i]));
}

/* Optional, like all masks. */
static inline bool want_mask(shape_rule_t *r, int i) {
    return !r->n->in[i] || WANT(r, i, G_I32, batch(r), r->g->padded);
}

/* Input i is [B,P,heads * head_size] of this type. */
static inline bool want_heads_of(shape_rule_t *r, int i, gtype_t type) {
    const gnode_t *n = r->n;
    int64_t width;
    if (!want_positive(r, n->heads, "heads") || !want_positive(r, n->head_size, "head_size"))
        return false;
    if (__builtin_mul_overflow(n->heads, n->head_size, &width)) {
        FAIL(r, "%s: heads times head_size is too large", n->name);
        return false;
    }
    return WANT(r, i, type, batch(r), r->g->padded, dim(width));
}

static inline bool want_heads(shape_rule_t *r, int i) {
    return want_heads_of(r, i, G_F32);
}

/* The n inputs from `first` on are such, all f32 or all bf16, as the factors of any product. */
static inline bool want_heads_alike(shape_rule_t *r, int first, int n) {
    gtype_t type = r->n->in[first]->type == G_BF16 ? G_BF16 : G_F32;
    for (int i = first; i < first + n; i++)
        if (!want_heads_of(r, i, type)) return false;
    return true;
}

static inline bool want_reach(shape_rule_t *r) {
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

static inline bool want_window(shape_rule_t *r) {
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
static inline bool dim_max(dim_t d, units_t units, int64_t *max) {
    return d.u >= 0 && !__builtin_mul_overflow(d.u, units.max, max) &&
           !__builtin_add_overflow(*max, d.c, max);
}

/* A tensor of this type with a last dimension. */
static inline bool want_vectors_of(shape_rule_t *r, int i, gtype_t type) {
    if (!want_type(r, i, type)) return false;
    if (r->n->in[i]->rank >= 1) return true;
    FAIL(r, "%s: a tensor is needed, not a number", r->n->name);
    return false;
}

static inline bool want_vectors(shape_rule_t *r, int i) {
    return want_vectors_of(r, i, G_F32);
}

/* What x is to be as a factor of n's products, of its type if that may be: i8 has a scale per row,
 * along which DENSE sums. */
static inline gtype_t factor_type(const gnode_t *n, const gnode_t *x) {
    bool by_rows = n->op == G_DENSE || graph_is_embed(n);
    return x->type == G_BF16 || (x->type == G_I8 && by_rows) ? x->type : G_F32;
}

/* Inputs x and y, the factors of products: of one type, that products have; x
 * with a last dimension. */
static inline bool want_one_type(shape_rule_t *r, int x, int y) {
    const gnode_t *n = r->n;
    gtype_t type = factor_type(n, n->in[x]);
    if (!want_type(r, x, type)) return false;
    if (n->in[y]->type != type) {
        int n_x, n_y;
        const char *name_x = input_name(r, x, &n_x), *name_y = input_name(r, y, &n_y);
        FAIL(r, "%s: %.*s is %s, but %.*s is %s: products are of two factors of one type", n->name,
             n_x, name_x, graph_type_names[type], n_y, name_y, graph_type_names[n->in[y]->type]);
        return false;
    }
    return want_vectors_of(r, x, type);
}

/* y a matrix. */
static inline bool want_factors_alike(shape_rule_t *r, int x, int y) {
    return want_one_type(r, x, y) && want_rank(r, y, r->n->in[x]->type, 2);
}

/* y of as many dimensions as x: products along all but their last. */
static inline bool want_factor_rows(shape_rule_t *r, int x, int y) {
    return want_one_type(r, x, y) && want_rank(r, y, r->n->in[x]->type, r->n->in[x]->rank);
}

/* Half the sum of the factors, of which there are some, all even; columns NULL: not asked for. */
static inline bool want_factors(shape_rule_t *r, int64_t *half) {
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

#endif
