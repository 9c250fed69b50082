/* Shapes of nodes and graphs: the rules of shape.c, used both to fill in a node that was just built
 * and to check a whole graph; and what every op has in common: inputs that are there, and come
 * from what may make them. */
#include <string.h>

#include "graph/shape_pieces.h"

static shape_rule_fn *const rules[G_COUNT] = {
#define X(op, name, kind, inputs, attributes, doc, shape, evaluate, grad) [G_##op] = rule_##shape,
#include "graph/ops.def"
#undef X
};

/* ---- a node, a graph ----------------------------------------------------------------------- */

/* Every required input is there, and no more. */
static bool inputs_present(shape_rule_t *r) {
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
        {"order", G_LSH_SORT},      {"param", G_PARAM},
        {"packed", G_PACK_BUCKETS},
    };
    if (user == G_PAD_IDS || user == G_PAD_MASK) return op == G_INPUT;
    if (user == G_LSH_SORT && op == G_UNPACK_BUCKETS) return true;
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

static bool sources_fit(shape_rule_t *r) {
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
static void check_size(shape_rule_t *r) {
    units_t u = r->g->units;
    int64_t elements = 8; /* bytes of the widest representation */
    for (int i = 0; i < r->rank; i++) {
        dim_t s = r->shape[i];
        int64_t max;
        if (!dim_max(s, u, &max) || dim_at(s, u.min) < 1 ||
            __builtin_mul_overflow(elements, max, &elements)) {
            FAIL(r, "%s: dimension %d is not positive, or the tensor too large", r->n->name, i);
            return;
        }
    }
}

static bool run_rule(shape_rule_t *r) {
    if (!inputs_present(r) || !sources_fit(r)) return false;
    rules[r->n->op](r);
    if (r->ok) check_size(r);
    return r->ok;
}

bool graph_infer(const graph_t *g, gnode_t *n, diag_t *d) {
    shape_rule_t r = {.g = g, .n = n, .d = d, .ok = true};
    if (!run_rule(&r)) return false;
    n->type = r.type;
    n->rank = r.rank;
    memcpy(n->shape, r.shape, sizeof n->shape);
    return true;
}

static bool same_result(const shape_rule_t *r) {
    if (r->type != r->n->type || r->rank != r->n->rank) return false;
    for (int i = 0; i < r->rank; i++)
        if (!dim_equal(r->shape[i], r->n->shape[i])) return false;
    return true;
}

static bool check_node(const graph_t *g, gnode_t *n, diag_t *d) {
    shape_rule_t r = {.g = g, .n = n, .d = d, .ok = true};
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
    int64_t max = INT32_MAX; /* positions are 32-bit */
    for (int i = 0; i < 2 && units; i++) {
        bool in_range =
            both[i].c >= 0 && both[i].u >= 0 && both[i].c <= max && both[i].u <= max &&
            (symbolic ? both[i].u == 0 || g->units.max <= max / both[i].u : both[i].u == 0);
        if (!in_range || dim_at(both[i], g->units.min) < 1 || dim_at(both[i], g->units.max) > max)
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
