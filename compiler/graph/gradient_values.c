/* Values of the forward in the backward pass: gradient.c, 2.
 *
 * In: which node's value is asked for. Out: the node of the train step that has it; what has to be
 * computed for it is appended. Nothing recurses, so that graphs may be as deep as they like. */
#include "graph/gradient_int.h"

static bool is_leaf(const gnode_t *n) {
    return graph_kind(n) == K_LEAF;
}

/* The i-th node whose value is needed before that of n; NULL: there are no more. */
static const gnode_t *needed(const backward_t *b, const gnode_t *n, int i) {
    switch (b->means[n->id]) {
    case BY_KEEPING: return NULL;
    case BY_UNDOING: return i == 0 ? b->heir[n->id] : i == 1 ? b->heir[n->id]->in[1] : NULL;
    case BY_REPEATING: break;
    }
    if (n->op == G_LSH_HASH) return NULL;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] && !is_leaf(n->in[k]) && i-- == 0) return n->in[k];
    return NULL;
}

static const gnode_t *first_missing(const backward_t *b, const gnode_t *n) {
    const gnode_t *x;
    for (int i = 0; (x = needed(b, n, i)); i++)
        if (!b->value[x->id]) return x;
    return NULL;
}

/* What n reads stands before it: all of it has its value. */
static gnode_t *value_of_input(const backward_t *b, const gnode_t *x) {
    return !x ? NULL : is_leaf(x) ? b->forward[x->id] : b->value[x->id];
}

static gnode_t *undo(backward_t *b, const gnode_t *n) {
    const gnode_t *heir = b->heir[n->id];
    gnode_t *sum = b->value[heir->id], *addend = value_of_input(b, heir->in[1]);
    return grad_finish(b, grad_node_of(b, heir, "again", n->name, G_SUB, GRAD_IN(sum, addend)));
}

static gnode_t *unpack(backward_t *b, const gnode_t *hash) {
    gnode_t *mask = hash->n_in > 2 && hash->in[2] ? b->forward[hash->in[2]->id] : NULL;
    gnode_t *in[] = {b->forward[hash->id], mask};
    gnode_t *packed = grad_node(b, hash, "packed", G_PACK_BUCKETS, 2, in);
    grad_inherit(packed, hash);
    b->packed[hash->id] = grad_finish(b, packed);
    gnode_t *n = grad_node(b, hash, "again", G_UNPACK_BUCKETS, GRAD_IN(packed));
    grad_inherit(n, hash);
    return grad_finish(b, n);
}

static gnode_t *repeat(backward_t *b, const gnode_t *n) {
    gnode_t *in[G_MAX_INPUTS];
    for (int k = 0; k < n->n_in; k++) in[k] = value_of_input(b, n->in[k]);
    gnode_t *again = grad_node(b, n, "again", n->op, n->n_in, in);
    grad_inherit(again, n);
    return grad_finish(b, again);
}

static gnode_t *make_value(backward_t *b, const gnode_t *n) {
    switch (b->means[n->id]) {
    case BY_KEEPING: return b->forward[n->id];
    case BY_UNDOING: return undo(b, n);
    case BY_REPEATING: break;
    }
    return n->op == G_LSH_HASH ? unpack(b, n) : repeat(b, n);
}

/* x is needed for itself: the first value on the way that was to be undone is kept instead, and
 * what was begun for it is left (nodes that nobody reads are dropped in the end). Repeated values
 * need only what stands before them, so that there is one. Returns the new height of the stack. */
static int break_circle(backward_t *b, const gnode_t *x, int height) {
    int at = height;
    while (b->stack[at - 1] != x) at--;
    for (at--; b->means[b->stack[at]->id] != BY_UNDOING;) at++;
    const gnode_t *kept = b->stack[at];
    b->means[kept->id] = BY_KEEPING;
    b->value[kept->id] = b->forward[kept->id];
    while (height > at) b->on_stack[b->stack[--height]->id] = false;
    return height;
}

gnode_t *grad_value(backward_t *b, const gnode_t *x) {
    int height = 0;
    if (is_leaf(x)) return b->forward[x->id];
    if (b->value[x->id]) return b->value[x->id];
    b->stack[height++] = x;
    b->on_stack[x->id] = true;
    while (height > 0) {
        const gnode_t *n = b->stack[height - 1], *next = first_missing(b, n);
        if (!next) {
            b->value[n->id] = make_value(b, n);
            b->on_stack[n->id] = false;
            height--;
        } else if (b->on_stack[next->id]) {
            height = break_circle(b, next, height);
        } else {
            b->stack[height++] = next;
            b->on_stack[next->id] = true;
        }
    }
    return b->value[x->id];
}

gnode_t *grad_operand(backward_t *b, const gnode_t *n, int k) {
    return k < n->n_in && n->in[k] ? grad_value(b, n->in[k]) : NULL;
}

/* q, k or qk, its order, and the mask: what scores are made of. */
static int score_operands(const gnode_t *attention, gop_t *op, int operands[3]) {
    bool lsh = attention->op == G_LSH_ATTENTION;
    *op = lsh ? G_LSH_LSE : attention->op == G_LOCAL_ATTENTION ? G_LOCAL_LSE : G_EXACT_LSE;
    operands[0] = 0;
    operands[1] = lsh ? 2 : 1;
    operands[2] = 3;
    return attention->n_in > 3 && attention->in[3] ? 3 : 2;
}

/* It stands where the attention itself does: in the forward, if that one's result is kept. */
gnode_t *grad_lse(backward_t *b, const gnode_t *attention) {
    gnode_t **lse = &b->lse[attention->id], *in[3] = {NULL};
    bool kept = b->means[attention->id] == BY_KEEPING;
    gop_t op;
    int operands[3], n = score_operands(attention, &op, operands);
    if (*lse) return *lse;
    for (int i = 0; i < n; i++)
        in[i] = kept ? b->forward[attention->in[operands[i]]->id]
                     : grad_operand(b, attention, operands[i]);
    *lse = grad_node(b, attention, "lse", op, n, in);
    grad_inherit(*lse, attention);
    if (kept) b->kept_lse[attention->id] = *lse;
    return grad_finish(b, *lse);
}

/* ---- by which means ------------------------------------------------------------------------ */

/* Whether x goes through the layers: what one layer leaves for another. */
static void find_streams(const graph_t *g, bool *stream, const gnode_t **heir) {
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        if (graph_is_embed(n)) stream[i] = true;
        for (int k = 0; k < n->n_in; k++) {
            const gnode_t *x = n->in[k];
            bool crosses = x && graph_kind(x) == K_ROW && n->layer >= 0 && x->layer != n->layer;
            if (crosses) stream[x->id] = true;
        }
    }
    for (size_t i = 0; i < g->n_nodes;
         i++) { /* readers stand behind: sums may have become streams */
        const gnode_t *n = g->nodes[i];
        if (n->op != G_ADD || !stream[n->in[0]->id]) continue;
        stream[i] = true;
        if (n->in[1] != n->in[0]) heir[n->in[0]->id] = n;
    }
}

/* inside[x]: a stream is made of x. */
static void find_inside(const graph_t *g, const bool *stream, bool *inside) {
    for (size_t i = g->n_nodes; i-- > 0;) {
        const gnode_t *n = g->nodes[i];
        for (int k = 0; (stream[i] || inside[i]) && k < n->n_in; k++)
            if (n->in[k]) inside[n->in[k]->id] = true;
    }
}

/* By id: rounded for an attention. Kernels leave such values by heads alone, rounded; so who wants
 * one kept has it rounded, which is all that the backward pass reads of it. */
static bool *find_rounded_for(arena_t *a, const graph_t *g) {
    bool *rounded = ARENA_ARRAY(a, bool, g->n_nodes);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        for (int k = 0; graph_is_attention(n) && k < n->n_in; k++)
            if (n->in[k] && n->in[k]->op == G_ROUND) rounded[n->in[k]->in[0]->id] = true;
    }
    return rounded;
}

/* Whether it is wanted as it stands, or as what is rounded of it. */
static bool is_wanted_kept(const gnode_t *n, const bool *keep, const bool *rounded) {
    if (!keep || rounded[n->id]) return false;
    return keep[n->id] || (n->op == G_ROUND && rounded[n->in[0]->id] && keep[n->in[0]->id]);
}

void grad_choose_means(backward_t *b, const bool *keep) {
    const graph_t *g = b->from;
    const bool *rounded = find_rounded_for(b->g->arena, g);
    bool *stream = ARENA_ARRAY(b->g->arena, bool, g->n_nodes);
    bool *inside = ARENA_ARRAY(b->g->arena, bool, g->n_nodes);
    find_streams(g, stream, b->heir);
    find_inside(g, stream, inside);
    for (size_t i = 0; i < g->n_nodes; i++) {
        gop_t op = g->nodes[i]->op;
        bool packed = op == G_LSH_HASH || op == G_LSH_SORT; /* what is kept of them */
        if (packed) b->means[i] = BY_REPEATING;
        else if (is_wanted_kept(g->nodes[i], keep, rounded)) b->means[i] = BY_KEEPING;
        else if (stream[i]) b->means[i] = b->heir[i] ? BY_UNDOING : BY_KEEPING;
        else b->means[i] = inside[i] ? BY_REPEATING : BY_KEEPING;
    }
}

/* ---- what may be kept ---------------------------------------------------------------------- */

static bool is_norm(const gnode_t *n) {
    return n->op == G_LAYER_NORM || n->op == G_RMS_NORM;
}

/* By id: whether all who read it round it. Then what is kept is what they give, half as large. */
static bool *find_rounded(arena_t *a, const graph_t *g) {
    bool *rounded = ARENA_ARRAY(a, bool, g->n_nodes), *elsewhere = ARENA_ARRAY(a, bool, g->n_nodes);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k]) (n->op == G_ROUND ? rounded : elsewhere)[n->in[k]->id] = true;
    }
    for (size_t i = 0; i < g->n_nodes; i++) rounded[i] = rounded[i] && !elsewhere[i];
    return rounded;
}

static bool is_normed(const gnode_t *n, const bool *rounded) {
    if (is_norm(n)) return !rounded[n->id];
    return n->op == G_ROUND && is_norm(n->in[0]) && rounded[n->in[0]->id];
}

/* What the gradient of n needs of its input k. */
static kept_kind_t kind_of_input(const gnode_t *n, int k) {
    if (!n->in[k] || graph_kind(n->in[k]) != K_ROW) return KEPT_NONE;
    if (graph_is_attention(n)) return KEPT_OPERANDS;
    bool gate = n->op == G_MUL && n->in[k]->op != G_ACTIVATION;
    return n->op == G_ACTIVATION || gate ? KEPT_HIDDEN : KEPT_NONE;
}

kept_kind_t *graph_kept_kinds(arena_t *a, const graph_t *g) {
    kept_kind_t *kind = ARENA_ARRAY(a, kept_kind_t, g->n_nodes);
    bool *stream = ARENA_ARRAY(a, bool, g->n_nodes), *inside = ARENA_ARRAY(a, bool, g->n_nodes);
    const gnode_t **heir = ARENA_ARRAY(a, const gnode_t *, g->n_nodes);
    const bool *rounded = find_rounded(a, g);
    find_streams(g, stream, heir);
    find_inside(g, stream, inside);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        if (stream[i] && heir[i]) kind[i] = KEPT_STREAMS;
        else if (inside[i] && !stream[i] && graph_is_attention(n)) kind[i] = KEPT_ATTENTION;
        else if (inside[i] && !stream[i] && is_normed(n, rounded)) kind[i] = KEPT_NORMED;
        for (int k = 0; k < n->n_in; k++) {
            kept_kind_t x = kind_of_input(n, k);
            bool free = x && inside[n->in[k]->id] && !stream[n->in[k]->id];
            kept_kind_t *of = free ? &kind[n->in[k]->id] : NULL;
            if (free && (*of == KEPT_NONE || *of == KEPT_NORMED)) *of = x;
        }
    }
    return kind;
}
