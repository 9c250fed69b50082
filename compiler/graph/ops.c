/* ops.def as tables, and the fields of gnode_t that are attributes.
 *
 * In: rows of ops.def. Out: lookups by op for printer, parser, checker and builder. */
#include "graph/ops.h"

#include <stdlib.h>
#include <string.h>

const gop_info_t graph_ops[G_COUNT] = {
#define X(op, name, kind, inputs, attributes, doc, ...)                                            \
    [G_##op] = {name, K_##kind, inputs, attributes, doc},
#include "graph/ops.def"
#undef X
};

#define FIELD(name, kind)                                                                          \
    { #name, offsetof(gnode_t, name), 0, kind, 0 }
#define LIST(name, count, max)                                                                     \
    { #name, offsetof(gnode_t, name), offsetof(gnode_t, count), ATTR_LIST, max }
const gattr_t graph_attrs[N_GRAPH_ATTRS] = {
    FIELD(eps, ATTR_REAL),
    FIELD(heads, ATTR_INT),
    FIELD(head_size, ATTR_INT),
    FIELD(rounds, ATTR_INT),
    LIST(factors, n_factors, MAX_FACTORS),
    FIELD(chunk, ATTR_INT),
    FIELD(before, ATTR_INT),
    FIELD(after, ATTR_INT),
    FIELD(causal, ATTR_BOOL),
    FIELD(shared_qk, ATTR_BOOL),
    FIELD(as_huggingface, ATTR_BOOL),
    FIELD(act, ATTR_ACT),
    FIELD(shift, ATTR_INT),
    FIELD(pad_token, ATTR_INT),
    LIST(axial_shape, n_axial, MAX_AXIAL),
    FIELD(first, ATTR_INT),
    FIELD(width, ATTR_INT),
    FIELD(entries, ATTR_INT),
    FIELD(axis, ATTR_INT),
    FIELD(to_padded, ATTR_BOOL),
    FIELD(rate, ATTR_REAL),
    FIELD(position_rate, ATTR_REAL),
    FIELD(place, ATTR_INT),
};

const char *const graph_type_names[] = {[G_F32] = "f32", [G_I32] = "i32",   [G_U8] = "u8",
                                        [G_U16] = "u16", [G_BF16] = "bf16", [G_I8] = "i8"};

/* Graphs of thousands of layers ask for every input of every node: one walk over the words. */
bool graph_op_input(gop_t op, int i, const char **name, int *n, garg_kind_t *kind) {
    const char *last = NULL, *at = graph_ops[op].inputs;
    int words = 0, length = 0;
    for (; words <= i; words++) {
        while (*at == ' ') at++;
        if (!*at) break;
        last = at;
        while (*at && *at != ' ') at++;
        length = (int)(at - last);
    }
    if (!last) return false;
    char mark = last[length - 1];
    if (words <= i && mark != '+') return false;
    *name = last;
    *n = mark == '?' || mark == '+' ? length - 1 : length;
    *kind = mark == '?' ? ARG_OPTIONAL : mark == '+' ? ARG_MANY : ARG_ONE;
    return i < G_MAX_INPUTS;
}

/* Where it stands among the op's; NULL: the op has no such attribute. Each node is asked
 * for all of them: one walk. */
static const char *attr_word(gop_t op, const gattr_t *attr) {
    size_t length = strlen(attr->name);
    for (const char *at = graph_ops[op].attributes; *at;) {
        size_t n = strcspn(at, " "), own = n - (n > 0 && at[n - 1] == '?');
        if (own == length && memcmp(at, attr->name, own) == 0) return at;
        at += n + (at[n] == ' ');
    }
    return NULL;
}

bool graph_op_has_attr(gop_t op, const gattr_t *attr) {
    return attr_word(op, attr) != NULL;
}

bool graph_attr_optional(gop_t op, const gattr_t *attr) {
    const char *word = attr_word(op, attr);
    return word && word[strlen(attr->name)] == '?';
}

bool graph_attr_written(const gattr_t *attr, const gnode_t *n) {
    static const gnode_t none;
    return graph_op_has_attr(n->op, attr) &&
           !(graph_attr_optional(n->op, attr) && graph_same_attr(attr, n, &none));
}

const char *graph_op_name(gop_t op) {
    return graph_ops[op].name;
}

const char *graph_type_name(gtype_t type) {
    return graph_type_names[type];
}

gkind_t graph_kind(const gnode_t *n) {
    return graph_ops[n->op].kind;
}

bool graph_is_embed(const gnode_t *n) {
    return n->op == G_EMBED || n->op == G_EMBED_AT || n->op == G_EMBED_FROM;
}

const gnode_t *graph_positions(const gnode_t *n) {
    bool takes = n->op == G_EMBED_FROM || n->op == G_DROPOUT || n->op == G_POSITION_GRAD;
    return takes && n->n_in > 1 ? n->in[1] : NULL;
}

bool graph_is_attention(const gnode_t *n) {
    return n->op == G_LSH_ATTENTION || n->op == G_LOCAL_ATTENTION || n->op == G_EXACT_ATTENTION;
}

bool graph_is_attention_gradient(const gnode_t *n) {
    return n->op == G_LSH_ATTENTION_GRAD || n->op == G_LOCAL_ATTENTION_GRAD ||
           n->op == G_EXACT_ATTENTION_GRAD;
}

bool graph_is_step(const gnode_t *n) {
    return n->op == G_LSH_STEP || n->op == G_LOCAL_STEP;
}

bool graph_is_state(const gnode_t *n) {
    return n->op == G_LSH_STATE || n->op == G_LOCAL_STATE;
}

bool graph_is_keep(const gnode_t *n) {
    return n->op == G_LSH_KEEP || n->op == G_LOCAL_KEEP;
}

void graph_copy_attr(const gattr_t *attr, gnode_t *to, const gnode_t *from) {
    static const size_t sizes[] = {[ATTR_INT] = sizeof(int64_t),
                                   [ATTR_REAL] = sizeof(double),
                                   [ATTR_BOOL] = sizeof(bool),
                                   [ATTR_ACT] = sizeof(act_t),
                                   [ATTR_LIST] = sizeof(int64_t)};
    bool list = attr->kind == ATTR_LIST;
    if (list) *graph_attr_count(attr, to) = *graph_attr_count(attr, from);
    memcpy(graph_attr_at(attr, to), graph_attr_at(attr, from),
           sizes[attr->kind] * (size_t)(list ? attr->max : 1));
}

bool graph_same_attr(const gattr_t *attr, const gnode_t *a, const gnode_t *b) {
    const void *x = graph_attr_at(attr, a), *y = graph_attr_at(attr, b);
    switch (attr->kind) {
    case ATTR_INT: return *(const int64_t *)x == *(const int64_t *)y;
    case ATTR_REAL: return *(const double *)x == *(const double *)y;
    case ATTR_BOOL: return *(const bool *)x == *(const bool *)y;
    case ATTR_ACT: return *(const act_t *)x == *(const act_t *)y;
    case ATTR_LIST: break;
    }
    int n = *graph_attr_count(attr, a);
    return n == *graph_attr_count(attr, b) && memcmp(x, y, sizeof(int64_t) * (size_t)n) == 0;
}

bool graph_same_attrs(const gnode_t *a, const gnode_t *b) {
    for (int i = 0; i < N_GRAPH_ATTRS; i++) {
        const gattr_t *attr = &graph_attrs[i];
        bool both = graph_op_has_attr(a->op, attr) && graph_op_has_attr(b->op, attr);
        if (both && !graph_same_attr(attr, a, b)) return false;
    }
    return true;
}

bool graph_same_op(const gnode_t *a, const gnode_t *b) {
    if (a->op != b->op || a->type != b->type || a->rank != b->rank || a->n_in != b->n_in)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (!dim_equal(a->shape[i], b->shape[i])) return false;
    return graph_same_attrs(a, b);
}

gnode_t *graph_append(graph_t *g, gop_t op) {
    gnode_t *n = ARENA_NEW(g->arena, gnode_t);
    n->id = (int)g->n_nodes;
    n->op = op;
    n->layer = -1;
    ARENA_PUSH(g->arena, g->nodes, g->n_nodes, g->cap_nodes) = n;
    return n;
}

gnode_t *graph_find(const graph_t *g, const char *name) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (strcmp(g->nodes[i]->name, name) == 0) return g->nodes[i];
    return NULL;
}

static int by_name(const void *x, const void *y) {
    const gnode_t *a = *(gnode_t *const *)x, *b = *(gnode_t *const *)y;
    int order = strcmp(a->name, b->name);
    return order ? order : a->id - b->id;
}

bool graph_names_differ(const graph_t *g, const char *who, diag_t *d) {
    gnode_t **nodes = arena_copy(g->arena, g->nodes, sizeof *nodes * g->n_nodes);
    bool ok = true;
    qsort(nodes, g->n_nodes, sizeof *nodes, by_name);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = nodes[i];
        bool twice = i + 1 < g->n_nodes && strcmp(n->name, nodes[i + 1]->name) == 0;
        if (twice) diag_error(d, n->at, "%s: %s has a node of this name", n->name, who);
        bool fits = strlen(n->name) < MAX_NAME;
        if (!fits) diag_error(d, n->at, "%s: the name is too long for %s", n->name, who);
        ok = ok && !twice && fits;
    }
    return ok;
}

const gnode_t *graph_next(const graph_t *g, gop_t op, const gnode_t *behind) {
    for (size_t i = behind ? (size_t)behind->id + 1 : 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == op) return g->nodes[i];
    return NULL;
}

imposed_rows_t graph_imposed(const graph_t *g, const gnode_t *n) {
    imposed_rows_t before = {0, 0};
    for (const gnode_t *x = NULL; (x = graph_next(g, G_LSH_HASH, x)) && x != n;)
        graph_pass_imposed(g, x, &before);
    return before;
}

void graph_pass_imposed(const graph_t *g, const gnode_t *n, imposed_rows_t *before) {
    before->hashes++;
    before->rows += g->batch * n->heads * n->rounds;
}

imposed_rows_t *graph_all_imposed(arena_t *a, const graph_t *g) {
    imposed_rows_t *all = ARENA_ARRAY(a, imposed_rows_t, g->n_nodes), before = {0, 0};
    for (const gnode_t *n = NULL; (n = graph_next(g, G_LSH_HASH, n));) {
        all[n->id] = before;
        graph_pass_imposed(g, n, &before);
    }
    return all;
}

/* Outputs are nodes of these names; a classifier whose labels may be classes or numbers has a
 * loss for each, and "loss" is that of the classes. */
gnode_t *graph_output(const graph_t *g, const char *name) {
    static const char *const outputs[] = {"last_hidden_state", "logits", "start_logits",
                                          "end_logits",        "loss",   "loss_f32"};
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
        if (strcmp(outputs[i], name) == 0) return graph_find(g, name);
    return NULL;
}

int64_t graph_longest(const graph_t *g) {
    return dim_at(g->length, g->units.max);
}

int64_t graph_padded_length(const graph_t *g, int64_t length) {
    if (g->units.max > 0) return (length + g->padded.u - 1) / g->padded.u * g->padded.u;
    return g->shorter == SHORTER_ABSENT ? length : g->padded.c;
}
