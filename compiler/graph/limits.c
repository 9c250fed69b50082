/* What a graph must be to be a model, beyond shapes that fit: nothing in it is read by nobody,
 * weights have names that weights files know, and sizes keep to the ranges of a spec's keys
 * (spec/schema.def), so that no count of bytes or flops made from them overflows.
 *
 * In: a graph that graph_check() has seen. Out: errors, each at its line. */
#include <stdio.h>
#include <string.h>

#include "graph/ops.h"
#include "support/hash.h"

typedef struct {
    const graph_t *g;
    diag_t *d;
    bool ok;
} check_t;

#define WRONG(c, n, ...) ((c)->ok = false, diag_error((c)->d, (n)->at, __VA_ARGS__))

/* ---- readers --------------------------------------------------------------------------------- */

static void check_readers(check_t *c, arena_t *a) {
    const graph_t *g = c->g;
    bool *read = ARENA_ARRAY(a, bool, g->n_nodes);
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k]) read[g->nodes[i]->in[k]->id] = true;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        if (read[i] || graph_output(g, n->name)) continue;
        WRONG(c, n, "nobody reads %s", n->name);
        if (n->op == G_CROSS_ENTROPY || n->op == G_QA_LOSS || n->op == G_MSE_LOSS ||
            n->op == G_BCE_LOSS)
            diag_hint(c->d, "the loss of a model is called loss, or loss_f32");
    }
}

/* A layer hashes once: buckets that callers impose, and prefills keep, are known by it. */
static void check_hashes(check_t *c, arena_t *a) {
    bool *hashes = ARENA_ARRAY(a, bool, MAX_LAYERS);
    for (const gnode_t *n = NULL; (n = graph_next(c->g, G_LSH_HASH, n));) {
        if (n->layer < 0) WRONG(c, n, "%s: which layer hashes is not said: layer=", n->name);
        else if (hashes[n->layer]) WRONG(c, n, "%s: layer %d hashes already", n->name, n->layer);
        else hashes[n->layer] = true;
    }
}

/* A forward reads rows: from callers once, and no cache. */
static void check_entry(check_t *c) {
    const gnode_t *embed = NULL, *ids = NULL, *mask = NULL;
    for (size_t i = 0; i < c->g->n_nodes; i++) {
        const gnode_t *n = c->g->nodes[i];
        bool of_step = n->op == G_EMBED_AT || graph_is_step(n);
        if (of_step || graph_is_state(n) || graph_is_keep(n)) {
            WRONG(c, n,
                  "%s: a step of generation follows from the forward, and does not stand in a file",
                  n->name);
            continue;
        }
        if (graph_is_backward(n)) {
            WRONG(c, n,
                  "%s: the backward pass follows from the forward, and does not stand in a file",
                  n->name);
            continue;
        }
        if (n->op == G_EMBED_FROM) {
            WRONG(c, n, "%s: rows begin at positions of their own in training, not in a file",
                  n->name);
            continue;
        }
        if (n->op == G_DROPOUT || n->rate > 0 || n->position_rate > 0) {
            WRONG(c, n, "%s: dropout is for training, and does not stand in a file", n->name);
            continue;
        }
        const gnode_t **only = n->op == G_EMBED      ? &embed
                               : n->op == G_PAD_IDS  ? &ids
                               : n->op == G_PAD_MASK ? &mask
                                                     : NULL;
        if (only && *only) WRONG(c, n, "%s: %s does the same already", n->name, (*only)->name);
        if (only && !*only) *only = n;
        if (n->op == G_PAD_MASK && !n->in[0])
            WRONG(c, n,
                  "%s: attention_mask is missing; callers may leave it out, the graph may not",
                  n->name);
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

/* "layers.3.rotations" */
static bool is_rotations(const char *name) {
    static const char before[] = "layers.", behind[] = ".rotations";
    if (strncmp(name, before, sizeof before - 1) != 0) return false;
    const char *number = name + sizeof before - 1;
    size_t digits = strspn(number, "0123456789");
    return digits > 0 && strcmp(number + digits, behind) == 0;
}

/* The digit of "embeddings.position_embeddings.weights.2", -1: no axial table. */
static int axis_of(const char *name) {
    static const char before[] = "embeddings.position_embeddings.weights.";
    if (strncmp(name, before, sizeof before - 1) != 0) return -1;
    const char *axis = name + sizeof before - 1;
    return axis[0] >= '0' && axis[0] <= '9' && !axis[1] ? axis[0] - '0' : MAX_AXIAL;
}

/* Steps and prefills name their own nodes so. */
static void check_name(check_t *c, const gnode_t *n) {
    const char *dot = strrchr(n->name, '.');
    if (dot && (strcmp(dot, ".state") == 0 || strcmp(dot, ".keep") == 0))
        WRONG(c, n, "%s: names of generation's own nodes end so", n->name);
}

/* Files of weights give these names a meaning and shapes of their own. */
static void check_param(check_t *c, const gnode_t *reader, int input) {
    const gnode_t *n = reader->in[input];
    const char *name;
    int length, axis = axis_of(n->name);
    garg_kind_t kind;
    graph_op_input(reader->op, input, &name, &length, &kind);
    bool rotates = length == 9 && memcmp(name, "rotations", 9) == 0;
    if (rotates != is_rotations(n->name))
        WRONG(c, n,
              rotates ? "%s: rotations are called layers.N.rotations"
                      : "%s: only rotations have such names",
              n->name);
    bool table = reader->op == G_EMBED && input >= 2 && reader->n_axial > 0;
    if (axis >= 0 && (!table || axis != input - 2))
        WRONG(c, n, "%s: only the position table of that axis has such a name", n->name);
}

static void check_params(check_t *c) {
    for (size_t i = 0; i < c->g->n_nodes; i++) {
        const gnode_t *n = c->g->nodes[i];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] && n->in[k]->op == G_PARAM) check_param(c, n, k);
    }
}

/* A layer's own begin with its number, which compiled code fills in; the others are told
 * from outputs by their name. */
static bool has_name_to_show(const gnode_t *n) {
    char own[32];
    int bytes = snprintf(own, sizeof own, n->layer < 0 ? "layers." : "layers.%d.", n->layer);
    bool begins = strncmp(n->trace, own, (size_t)bytes) == 0;
    return begins || (n->layer < 0 && strcmp(n->trace, "embeddings") == 0);
}

/* Traces are tensors of one file. */
static void check_traces(check_t *c, arena_t *a) {
    size_t size = 16;
    while (size < 2 * c->g->n_nodes) size *= 2;
    const char **seen = ARENA_ARRAY(a, const char *, size);
    for (size_t i = 0; i < c->g->n_nodes; i++) {
        const gnode_t *n = c->g->nodes[i];
        if (!n->trace) continue;
        size_t at = hash64(HASH64_INIT, n->trace, strlen(n->trace)) & (size - 1);
        while (seen[at] && strcmp(seen[at], n->trace) != 0) at = (at + 1) & (size - 1);
        if (seen[at] || (graph_output(c->g, n->trace) && strcmp(n->name, n->trace) != 0))
            WRONG(c, n, "%s: something else is traced as %s", n->name, n->trace);
        if (n->op == G_PARAM || n->op == G_INPUT)
            WRONG(c, n, "%s: what is given is not traced", n->name);
        else if (!has_name_to_show(n) && n->layer >= 0)
            WRONG(c, n, "%s: what layer %d shows is called layers.%d.…, not %s", n->name, n->layer,
                  n->layer, n->trace);
        else if (!has_name_to_show(n))
            WRONG(c, n, "%s: what no layer shows is called embeddings or layers.…, not %s", n->name,
                  n->trace);
        seen[at] = n->trace;
    }
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static const struct {
    const char *attr;
    int64_t low, max;
} ranges[] = {{"heads", 1, 4096},    {"head_size", 1, 4096}, {"rounds", 1, 256},
              {"chunk", 1, 1 << 20}, {"before", 0, 1024},    {"after", 0, 1024}};

enum {
    MAX_BATCH = 65536,
    MAX_LENGTH = 1 << 30,
    MAX_WIDTH = 1 << 24,
    MAX_WINDOW = 1 << 24,
    MAX_BUCKETS = 1 << 24,
    MAX_COLUMNS = 1 << 21
};

static void check_ranges(check_t *c, const gnode_t *n) {
    for (int i = 0; i < N_GRAPH_ATTRS; i++) {
        const gattr_t *attr = &graph_attrs[i];
        if (attr->kind != ATTR_INT || !graph_op_has_attr(n->op, attr)) continue;
        int64_t value = *(const int64_t *)graph_attr_at(attr, n);
        for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++)
            if (strcmp(ranges[k].attr, attr->name) == 0 &&
                (value < ranges[k].low || value > ranges[k].max))
                WRONG(c, n, "%s: %s is a number from %lld to %lld", n->name, attr->name,
                      (long long)ranges[k].low, (long long)ranges[k].max);
    }
    double buckets = 1, columns = 0;
    for (int i = 0; i < n->n_factors; i++) {
        buckets *= (double)n->factors[i];
        columns += (double)n->factors[i];
    }
    if (buckets > MAX_BUCKETS || columns > MAX_COLUMNS)
        WRONG(c, n, "%s: more than %d buckets", n->name, MAX_BUCKETS);
    if ((double)n->chunk * (double)(1 + n->before + n->after) > MAX_WINDOW)
        WRONG(c, n, "%s: a window holds %d tokens at most", n->name, MAX_WINDOW);
    int64_t width = n->rank ? n->shape[n->rank - 1].c : 0;
    if ((n->type == G_F32 || n->type == G_BF16 || n->type == G_I8) && n->op != G_PARAM &&
        width > MAX_WIDTH)
        WRONG(c, n, "%s: %lld is too wide, the limit is %d", n->name, (long long)width, MAX_WIDTH);
}

static double elements(const graph_t *g, const gnode_t *n) {
    double product = 1;
    for (int i = 0; i < n->rank; i++) product *= (double)dim_at(n->shape[i], g->units.max);
    return product;
}

/* Of a node, near enough. */
static double flops(const graph_t *g, const gnode_t *n) {
    double all = elements(g, n);
    double window = (double)n->chunk * (double)(1 + n->before + n->after);
    double padded = (double)dim_at(g->padded, g->units.max), columns = 0;
    for (int i = 0; i < n->n_factors; i++) columns += (double)n->factors[i];
    switch (n->op) {
    case G_DENSE: return 2 * all * (double)n->in[1]->shape[1].c;
    case G_LSH_HASH: return 2 * all * (double)n->head_size * columns;
    case G_LSH_ATTENTION: return 4 * all * window * (double)n->rounds;
    case G_LOCAL_ATTENTION: return 4 * all * window;
    case G_EXACT_ATTENTION: return 4 * all * padded;
    default: return all;
    }
}

static void check_sums(check_t *c) {
    const double max_parameters = 1e12, max_flops = 1e18, max_bytes = 1e17;
    double parameters = 0, bytes = 0, work = 0;
    for (size_t i = 0; i < c->g->n_nodes && c->ok; i++) {
        const gnode_t *n = c->g->nodes[i];
        if (n->op == G_PARAM) parameters += elements(c->g, n);
        else bytes += 4 * elements(c->g, n);
        work += flops(c->g, n);
        if (parameters > max_parameters)
            WRONG(c, n, "%s: the model has more than %.0e parameters", n->name, max_parameters);
        else if (bytes > max_bytes || work > max_flops)
            WRONG(c, n, "%s: the model takes more than %.0e flops or %.0e bytes", n->name,
                  max_flops, max_bytes);
    }
}

static void check_header(check_t *c) {
    const graph_t *g = c->g;
    if (g->batch <= MAX_BATCH && dim_at(g->padded, g->units.max) <= MAX_LENGTH &&
        (g->units.max == 0 || (g->length.c == 0 && dim_equal(g->length, g->padded))))
        return;
    WRONG(
        c, g,
        "a graph has at most %d rows of %d tokens; one for any length pads to multiples of U alone",
        MAX_BATCH, MAX_LENGTH);
}

bool graph_check_model(const graph_t *g, diag_t *d) {
    check_t c = {.g = g, .d = d, .ok = true};
    arena_t *a = arena_new();
    check_header(&c);
    check_entry(&c);
    check_readers(&c, a);
    check_params(&c);
    check_hashes(&c, a);
    check_traces(&c, a);
    for (size_t i = 0; i < g->n_nodes; i++) {
        check_name(&c, g->nodes[i]);
        check_ranges(&c, g->nodes[i]);
    }
    check_sums(&c);
    arena_free(a);
    return c.ok;
}
