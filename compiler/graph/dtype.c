/* Number types of products: graph_with_dtypes (graph.h). docs/dtype.md.
 *
 * In: the graph of a forward, of a prefill or of a step, and of which type products are, each by
 * its layer. Out: the same nodes, but
 *
 *   bfloat16   the weight of a DENSE is a bf16 PARAM, and its x a ROUND; so are the q, k and v of
 *              attention, but not what is hashed, or kept for steps
 *   int8       the weight of a DENSE is an i8 PARAM, and its x a QUANTIZE. The DENSE of what an
 *              attention gives, and one whose sum has too many products for i8, are as with
 *              bfloat16, and so are attentions
 *
 * and tables of words, which no layer has, are of the model's type. A ROUND or a QUANTIZE stands
 * right behind the value that it rounds, once, however many read it. What is rounded already stays
 * as it is, so that doing it twice is doing it once. A weight that products and something else
 * read, as word embeddings and a head, is left alone, and so are all of them: they would be rounded
 * with it. One that products of several types read is of that which rounds least. */
#include "graph/ops.h"
#include "support/i8.h"

enum { N_KINDS = 2 };
/* How a value may be rounded: a node behind it. */
static const struct {
    gop_t op;
    gtype_t type;
    const char *name;
} kinds[N_KINDS] = {{G_ROUND, G_BF16, "rounded"}, {G_QUANTIZE, G_I8, "quantized"}};

/* By id of the nodes of `from`. */
typedef struct {
    const graph_t *from;
    const spec_t *spec; /* NULL: all are `dtype` */
    dtype_t dtype;
    graph_t *g;
    /* Of a PARAM: it is the weight of a DENSE, the words of an embedding, */
    bool *of_dense, *of_words;
    bool *elsewhere;       /* or something else */
    gtype_t *weight;       /* of a PARAM that is one of the first two alone: as which it is read */
    bool *wanted[N_KINDS]; /* such a node is to be made of it */
    gnode_t **made[N_KINDS]; /* in g; NULL: there is none */
    gnode_t **to;
    bool words_alone; /* they are left as they are */
} rounder_t;

/* ---- what products are of -------------------------------------------------------------------- */

static dtype_t dtype_of(const rounder_t *r, const gnode_t *n) {
    return r->spec ? spec_dtype(r->spec, n->layer) : r->dtype;
}

static gtype_t type_of_words(const rounder_t *r, const gnode_t *embed) {
    static const gtype_t types[DTYPE_COUNT] = {
        [DTYPE_FLOAT32] = G_F32, [DTYPE_BFLOAT16] = G_BF16, [DTYPE_INT8] = G_I8};
    return r->words_alone ? G_F32 : types[dtype_of(r, embed)];
}

/* As far as its layer says. */
static gtype_t type_of_dense(const rounder_t *r, const gnode_t *n) {
    const gnode_t *x = graph_unrounded(n->in[0]);
    bool attends = graph_is_attention(x) || graph_is_step(x);
    switch (dtype_of(r, n)) {
    case DTYPE_BFLOAT16: return G_BF16;
    case DTYPE_INT8: return attends || n->in[1]->shape[1].c > I8_MAX_PRODUCTS ? G_BF16 : G_I8;
    default: return G_F32;
    }
}

static gtype_t less_rounded(gtype_t x, gtype_t y) {
    if (x == G_F32 || y == G_F32) return G_F32;
    return x == G_BF16 || y == G_BF16 ? G_BF16 : G_I8;
}

/* How many of its inputs, the first ones, are rounded to which type. */
static int rounded_inputs(const rounder_t *r, const gnode_t *n, gtype_t *type) {
    bool attends = dtype_of(r, n) != DTYPE_FLOAT32;
    *type = n->op == G_DENSE ? r->weight[n->in[1]->id] : G_BF16;
    if (n->op == G_LSH_ATTENTION && attends) return 2;
    if (n->op == G_LOCAL_ATTENTION && attends) return 3;
    if (n->op == G_EXACT_ATTENTION && attends) return 3;
    return n->op == G_DENSE && *type != G_F32 ? 1 : 0;
}

static int kind_of(gtype_t type) {
    return type == G_I8;
}

/* ---- weights --------------------------------------------------------------------------------- */

static void find_readers(rounder_t *r) {
    for (size_t i = 0; i < r->from->n_nodes; i++) {
        const gnode_t *n = r->from->nodes[i];
        for (int k = 0; k < n->n_in; k++) {
            bool words = graph_is_embed(n) && k == graph_word_input(n);
            bool *as = n->op == G_DENSE && k == 1 ? r->of_dense
                       : words                    ? r->of_words
                                                  : r->elsewhere;
            if (n->in[k]) as[n->in[k]->id] = true;
        }
    }
}

/* What a PARAM is: f32 as long as it may be rounded. */
static void read_as(rounder_t *r, bool *read, const gnode_t *param, gtype_t type) {
    int id = param->id;
    bool alone = !r->elsewhere[id] && !(r->of_dense[id] && r->of_words[id]);
    gtype_t *of = &r->weight[id];
    if (param->type != G_F32) *of = param->type;
    else if (alone) *of = read[id] ? less_rounded(*of, type) : type;
    read[id] = true;
}

static void find_weights(rounder_t *r) {
    bool *read = ARENA_ARRAY(r->g->arena, bool, r->from->n_nodes);
    find_readers(r);
    for (size_t i = 0; i < r->from->n_nodes; i++) {
        const gnode_t *n = r->from->nodes[i];
        if (n->op == G_DENSE) read_as(r, read, n->in[1], type_of_dense(r, n));
        if (graph_is_embed(n)) read_as(r, read, n->in[graph_word_input(n)], type_of_words(r, n));
    }
}

/* ---- values ---------------------------------------------------------------------------------- */

/* A node that stands before the first who needs it does for all. */
static void find_values(rounder_t *r) {
    bool *there[N_KINDS];
    for (int k = 0; k < N_KINDS; k++) there[k] = ARENA_ARRAY(r->g->arena, bool, r->from->n_nodes);
    for (size_t i = 0; i < r->from->n_nodes; i++) {
        const gnode_t *n = r->from->nodes[i];
        for (int k = 0; k < N_KINDS; k++)
            if (n->op == kinds[k].op) there[k][n->in[0]->id] = true;
        gtype_t type;
        int n_rounded = rounded_inputs(r, n, &type), kind = kind_of(type);
        for (int k = 0; k < n_rounded; k++) {
            const gnode_t *x = n->in[k];
            if (x->type != G_F32 || there[kind][x->id]) continue;
            r->wanted[kind][x->id] = there[kind][x->id] = true;
        }
    }
}

static gnode_t *copy(rounder_t *r, const gnode_t *from) {
    gnode_t *n = graph_append(r->g, from->op);
    int id = n->id;
    *n = *from;
    n->id = id;
    for (int k = 0; k < n->n_in; k++) n->in[k] = n->in[k] ? r->to[n->in[k]->id] : NULL;
    if (r->weight[from->id] != G_F32) n->type = r->weight[from->id];
    return n;
}

static gnode_t *rounding_of(rounder_t *r, const gnode_t *x, int kind, diag_t *d) {
    gnode_t *n = graph_append(r->g, kinds[kind].op);
    n->name = arena_printf(r->g->arena, "%s.%s", x->name, kinds[kind].name);
    n->layer = x->layer;
    n->at = x->at;
    n->in[n->n_in++] = r->to[x->id];
    return graph_infer(r->g, n, d) ? n : NULL;
}

static bool take(rounder_t *r, const gnode_t *from, diag_t *d) {
    gnode_t *n = r->to[from->id] = copy(r, from);
    gtype_t type;
    int n_rounded = rounded_inputs(r, from, &type);
    for (int k = 0; k < n_rounded; k++)
        if (from->in[k]->type == G_F32) n->in[k] = r->made[kind_of(type)][from->in[k]->id];
    for (int k = 0; k < N_KINDS; k++) {
        gnode_t **own = from->op == kinds[k].op ? &r->made[k][from->in[0]->id] : NULL;
        if (own && !*own) *own = n;
        if (!r->wanted[k][from->id]) continue;
        if (!(r->made[k][from->id] = rounding_of(r, from, k, d))) return false;
    }
    return true;
}

/* ---- a graph --------------------------------------------------------------------------------- */

static graph_t *rounded(arena_t *a, rounder_t r, diag_t *d) {
    size_t n = r.from->n_nodes;
    graph_t *g = r.g = arena_copy(a, r.from, sizeof *r.from);
    g->arena = a;
    g->nodes = NULL;
    g->n_nodes = g->cap_nodes = 0;
    bool **const marks[] = {&r.of_dense, &r.of_words, &r.elsewhere, &r.wanted[0], &r.wanted[1]};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) *marks[i] = ARENA_ARRAY(a, bool, n);
    for (int k = 0; k < N_KINDS; k++) r.made[k] = ARENA_ARRAY(a, gnode_t *, n);
    r.weight = ARENA_ARRAY(a, gtype_t, n);
    r.to = ARENA_ARRAY(a, gnode_t *, n);
    find_weights(&r);
    find_values(&r);
    for (size_t i = 0; i < n; i++)
        if (!take(&r, r.from->nodes[i], d)) return NULL;
    return graph_names_differ(g, "rounding", d) && graph_check(g, d) ? g : NULL;
}

graph_t *graph_with_dtypes(arena_t *a, graph_t *g, const spec_t *s, diag_t *d) {
    bool rounds = spec_has_dtype(s, DTYPE_BFLOAT16) || spec_has_dtype(s, DTYPE_INT8);
    return rounds ? rounded(a, (rounder_t){.from = g, .spec = s}, d) : g;
}

graph_t *graph_with_dtype(arena_t *a, graph_t *g, dtype_t dtype, diag_t *d) {
    return dtype != DTYPE_FLOAT32 ? rounded(a, (rounder_t){.from = g, .dtype = dtype}, d) : g;
}

graph_t *graph_with_train_dtype(arena_t *a, graph_t *g, dtype_t dtype, diag_t *d) {
    rounder_t r = {.from = g, .dtype = dtype, .words_alone = true};
    return dtype != DTYPE_FLOAT32 ? rounded(a, r, d) : g;
}

bool graph_has_type(const graph_t *g, gtype_t type) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->type == type) return true;
    return false;
}

const gnode_t *graph_unrounded(const gnode_t *n) {
    return n && n->op == G_ROUND ? n->in[0] : n;
}
