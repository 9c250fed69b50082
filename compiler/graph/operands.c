/* Operands of attention, each its own.
 *
 * Kernels leave an operand by heads, where one attention finds it in one role. In: any graph. Out:
 * that graph, if all operands are read so; else a copy of it, in which what several attentions
 * read, or one in two roles, stands once for each of them: a dense layer that only attentions read
 * is done again, of anything else there is a PART that is all of it. What is rounded for them is
 * rounded again, of what is so. The same of rows that lie between two attentions with nothing
 * before or behind them. Values stay what they are, to the bit, and gradients are added up by the
 * nodes that did that before.
 *
 * Made for what lowers a graph and lays out its weights, and seen by nobody else: it has the same
 * inputs, params and outputs under the same names. */
#include "graph/ops.h"

#include <string.h>

#include "support/hash.h"

typedef enum { NO_ROLE, QUERY, KEY, VALUE, RESULT } operand_role_t; /* RESULT: the gradient of it */

/* What an input is to the attention that a mixer belongs to; what is missing is no operand. */
static const unsigned char roles[G_COUNT][G_MAX_INPUTS] = {
    [G_LSH_ATTENTION] = {QUERY, VALUE},
    [G_LOCAL_ATTENTION] = {QUERY, KEY, VALUE},
    [G_EXACT_ATTENTION] = {QUERY, KEY, VALUE},
    [G_LSH_HASH] = {QUERY},
    [G_LSH_LSE] = {QUERY},
    [G_LOCAL_LSE] = {QUERY, KEY},
    [G_EXACT_LSE] = {QUERY, KEY},
    [G_LSH_ATTENTION_GRAD] = {RESULT, NO_ROLE, NO_ROLE, QUERY, VALUE},
    [G_LOCAL_ATTENTION_GRAD] = {RESULT, NO_ROLE, NO_ROLE, QUERY, KEY, VALUE},
    [G_EXACT_ATTENTION_GRAD] = {RESULT, NO_ROLE, NO_ROLE, QUERY, KEY, VALUE},
    [G_LSH_STEP] = {QUERY, VALUE},
    [G_LOCAL_STEP] = {QUERY, KEY, VALUE},
    [G_LSH_KEEP] = {QUERY, VALUE},
    [G_LOCAL_KEEP] = {KEY, VALUE},
};

static operand_role_t role_of(const gnode_t *n, int k) {
    operand_role_t role = roles[n->op][k];
    if (!n->in[k] || graph_kind(n->in[k]) != K_ROW) return NO_ROLE;
    return role == KEY && n->shared_qk ? QUERY : role;
}

/* An operand as one attention reads it. */
typedef struct own {
    const gnode_t *attention;
    operand_role_t role;
    gnode_t *operand;
    struct own *next;
} own_t;

/* Nodes by name, an open-addressed hash table; of a name that is new no node. */
typedef struct {
    struct name {
        const char *name; /* NULL: free */
        const gnode_t *node;
    } * at;
    size_t n; /* a power of two; 0: not made yet */
} node_names_t;

/* Arrays are by id of the nodes of `from`. */
typedef struct {
    const graph_t *from;
    arena_t *arena;
    graph_t *g;
    node_names_t names;
    /* In the graph's order, ended by NULL; who reads twice stands twice */
    const gnode_t ***readers;
    const gnode_t **attention; /* that a mixer belongs to */
    const gnode_t **first;     /* of an operand: whose it was first; and as what */
    operand_role_t *role;
    bool *shared;    /* others read it too, in another role, or it is what another gives */
    bool *elsewhere; /* whoever is no mixer reads it */
    gnode_t **to;
    own_t **own;
} operands_t;

/* ---- whose ----------------------------------------------------------------------------------- */

static bool is_attention(const gnode_t *n) {
    return graph_is_attention(n) || graph_is_step(n);
}

static struct name *place_of(const node_names_t *names, const char *name) {
    size_t at = (size_t)hash64(HASH64_INIT, name, strlen(name)) & (names->n - 1);
    while (names->at[at].name && strcmp(names->at[at].name, name) != 0)
        at = (at + 1) & (names->n - 1);
    return &names->at[at];
}

static size_t edges_of(const graph_t *g) {
    size_t edges = 0;
    for (size_t i = 0; i < g->n_nodes; i++) edges += (size_t)g->nodes[i]->n_in;
    return edges;
}

/* Room for all nodes, and for one that is new for each edge. */
static void make_names(operands_t *o) {
    const graph_t *g = o->from;
    o->names.n = 2;
    while (o->names.n < 2 * (g->n_nodes + edges_of(g))) o->names.n *= 2;
    o->names.at = ARENA_ARRAY(o->arena, struct name, o->names.n);
    for (size_t i = 0; i < g->n_nodes; i++)
        *place_of(&o->names, g->nodes[i]->name) = (struct name){g->nodes[i]->name, g->nodes[i]};
}

static struct name *named(operands_t *o, const char *name) {
    if (o->names.n == 0) make_names(o);
    return place_of(&o->names, name);
}

static void find_readers(operands_t *o) {
    const graph_t *g = o->from;
    size_t *n = ARENA_ARRAY(o->arena, size_t, g->n_nodes);
    const gnode_t **all = ARENA_ARRAY(o->arena, const gnode_t *, edges_of(g) + g->n_nodes);
    o->readers = ARENA_ARRAY(o->arena, const gnode_t **, g->n_nodes);
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k]) n[g->nodes[i]->in[k]->id]++;
    for (size_t i = 0; i < g->n_nodes; i++) {
        o->readers[i] = all;
        all += n[i] + 1;
        n[i] = 0;
    }
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++) {
            const gnode_t *x = g->nodes[i]->in[k];
            if (x) o->readers[x->id][n[x->id]++] = g->nodes[i];
        }
}

/* Of what a backward pass makes again, the forward's: they are read alike. */
static const gnode_t *first_made(operands_t *o, const gnode_t *attention) {
    static const char again[] = "again.";
    size_t n = sizeof again - 1;
    if (strncmp(attention->name, again, n) != 0) return attention;
    const gnode_t *made = named(o, attention->name + n)->node;
    return made && made->op == attention->op ? made : attention;
}

static const gnode_t *input_in(const gnode_t *n, operand_role_t role) {
    for (int k = 0; k < n->n_in; k++)
        if (role_of(n, k) == role) return n->in[k];
    return NULL;
}

/* What n rounds, rows that stand somewhere; NULL: it is no such. */
static const gnode_t *rounds(const gnode_t *n) {
    return n && n->op == G_ROUND && graph_kind(n->in[0]) == K_ROW ? n->in[0] : NULL;
}

/* Whether what is kept for a cache is of this attention; it is not rounded there. */
static bool is_kept_of(const gnode_t *keep, const gnode_t *attention) {
    if (!graph_is_attention(attention)) return false;
    for (int k = 0; k < 2; k++) {
        const gnode_t *x = input_in(attention, role_of(keep, k));
        if (x != keep->in[k] && rounds(x) != keep->in[k]) return false;
    }
    return true;
}

/* Of these readers the attention that `keep` is of, after so many others. */
static const gnode_t *kept_among(const gnode_t *const *readers, const gnode_t *keep, int *before) {
    const gnode_t *last = NULL;
    for (int i = 0; readers[i]; last = readers[i++])
        if (readers[i] != last && is_kept_of(keep, readers[i]) && (*before)-- == 0)
            return readers[i];
    return NULL;
}

/* Of several with the same operands the first keeps what the first attention has. */
static const gnode_t *kept_of(const operands_t *o, const gnode_t *keep) {
    const gnode_t **readers = o->readers[keep->in[0]->id], *last = NULL;
    int before = 0;
    for (int i = 0; readers[i] && readers[i]->id < keep->id; i++) {
        const gnode_t *n = readers[i];
        bool same = n->op == keep->op && n->in[0] == keep->in[0] && n->in[1] == keep->in[1];
        before += same && n != last;
        last = n;
    }
    const gnode_t *found = kept_among(readers, keep, &before);
    for (int i = 0; !found && readers[i]; i++)
        if (rounds(readers[i])) found = kept_among(o->readers[readers[i]->id], keep, &before);
    return found ? found : keep;
}

/* What only prepares an attention stands before it; of several the first counts. */
static void find_attentions(operands_t *o) {
    for (size_t i = o->from->n_nodes; i-- > 0;) {
        const gnode_t *n = o->from->nodes[i];
        if (is_attention(n)) o->attention[i] = n;
        if (graph_is_attention_gradient(n)) o->attention[i] = n->in[1];
        if (graph_is_keep(n)) o->attention[i] = kept_of(o, n);
        for (int k = 0; o->attention[i] && k < n->n_in; k++) {
            const gnode_t *x = n->in[k];
            if (x && graph_kind(x) == K_MIX && !is_attention(x) && !graph_is_attention_gradient(x))
                o->attention[x->id] = o->attention[i];
        }
        if (o->attention[i]) o->attention[i] = first_made(o, o->attention[i]);
    }
}

/* ---- which ----------------------------------------------------------------------------------- */

static bool is_mixed(const gnode_t *x) {
    return x && (is_attention(x) || graph_is_attention_gradient(x));
}

/* Whether the rows n begin with what another attention gives; NULL: with what two give. */
static bool begins_elsewhere(const operands_t *o, const gnode_t *n, const gnode_t *attention) {
    for (int k = 0; k < n->n_in && graph_kind(n) == K_ROW; k++) {
        if (!is_mixed(n->in[k])) continue;
        const gnode_t *own = o->attention[n->in[k]->id];
        if (attention && own != attention) return true;
        attention = own;
    }
    return false;
}

static bool meets_two(const operands_t *o, const gnode_t *n) {
    return begins_elsewhere(o, n, NULL);
}

static bool note_operand(operands_t *o, const gnode_t *x, const gnode_t *whose,
                         operand_role_t role) {
    bool other = o->first[x->id] && (o->first[x->id] != whose || o->role[x->id] != role);
    if (other || begins_elsewhere(o, x, whose)) o->shared[x->id] = true;
    if (!o->first[x->id]) o->first[x->id] = whose, o->role[x->id] = role;
    return o->shared[x->id];
}

/* What is rounded for nobody but mixers is read by them. */
static void find_elsewhere(operands_t *o) {
    for (size_t i = o->from->n_nodes; i-- > 0;) {
        const gnode_t *n = o->from->nodes[i];
        bool mixes = graph_kind(n) == K_MIX || (rounds(n) && o->first[i] && !o->elsewhere[i]);
        for (int k = 0; k < n->n_in && !mixes; k++)
            if (n->in[k]) o->elsewhere[n->in[k]->id] = true;
    }
}

static bool find_shared(operands_t *o) {
    bool any = false;
    for (size_t i = 0; i < o->from->n_nodes; i++) {
        const gnode_t *n = o->from->nodes[i], *whose = o->attention[i];
        any = any || meets_two(o, n);
        for (int k = 0; k < n->n_in && whose; k++) {
            operand_role_t role = role_of(n, k);
            if (role == NO_ROLE) continue;
            const gnode_t *x = rounds(n->in[k]);
            bool shared = note_operand(o, n->in[k], whose, role);
            if (x && note_operand(o, x, whose, role)) shared = o->shared[n->in[k]->id] = true;
            any = any || shared;
        }
    }
    find_elsewhere(o);
    return any;
}

/* ---- the copy -------------------------------------------------------------------------------- */

static const char *free_name(operands_t *o, const char *name) {
    for (int k = 2;; k++) {
        const char *own = arena_printf(o->arena, "%s_%d", name, k);
        struct name *place = named(o, own);
        if (place->name) continue;
        place->name = own;
        return own;
    }
}

/* A dense layer that only attentions read is computed head by head, and takes no
 * memory but its operand's. */
static bool is_made_again(const operands_t *o, const gnode_t *x) {
    bool bias = x->n_in > 2 && x->in[2];
    return x->op == G_DENSE && !bias && !o->elsewhere[x->id] && !is_mixed(x->in[0]);
}

static gnode_t *all_of(operands_t *o, const gnode_t *x) {
    const char *name = free_name(o, x->name);
    gnode_t *n = graph_append(o->g, G_PART);
    *n = (gnode_t){.id = n->id,
                   .op = G_PART,
                   .name = name,
                   .layer = x->layer,
                   .type = x->type,
                   .rank = x->rank,
                   .n_in = 1,
                   .in = {o->to[x->id]},
                   .at = x->at,
                   .width = x->shape[x->rank - 1].c};
    memcpy(n->shape, x->shape, sizeof n->shape);
    return n;
}

static gnode_t *made_again(operands_t *o, const gnode_t *x) {
    const char *name = free_name(o, x->name);
    gnode_t *n = graph_append(o->g, x->op);
    int id = n->id;
    *n = *x;
    n->id = id;
    n->name = name;
    n->trace = NULL;
    for (int k = 0; k < n->n_in; k++)
        if (x->in[k]) n->in[k] = o->to[x->in[k]->id];
    return n;
}

static gnode_t *operand_for(operands_t *o, const gnode_t *x, const gnode_t *whose,
                            operand_role_t role);

static gnode_t *own_operand(operands_t *o, const gnode_t *x, const gnode_t *whose,
                            operand_role_t role, bool first) {
    const gnode_t *rounded = rounds(x);
    if (rounded && !begins_elsewhere(o, rounded, whose)) {
        gnode_t *value = operand_for(o, rounded, whose, role);
        if (value == o->to[rounded->id]) return o->to[x->id];
        gnode_t *n = made_again(o, x);
        n->in[0] = value;
        return n;
    }
    if (first && !is_mixed(x) && !begins_elsewhere(o, x, whose)) return o->to[x->id];
    return is_made_again(o, x) ? made_again(o, x) : all_of(o, x);
}

/* Whoever reads it first has it as it is, if nothing stands in the way. */
static gnode_t *operand_for(operands_t *o, const gnode_t *x, const gnode_t *whose,
                            operand_role_t role) {
    own_t **at = &o->own[x->id];
    for (; *at; at = &(*at)->next)
        if ((*at)->attention == whose && (*at)->role == role) return (*at)->operand;
    bool first = at == &o->own[x->id];
    own_t *own = *at = ARENA_NEW(o->g->arena, own_t);
    own->attention = whose;
    own->role = role;
    return own->operand = own_operand(o, x, whose, role, first);
}

static gnode_t *input_for(operands_t *o, const gnode_t *n, int k) {
    const gnode_t *x = n->in[k], *whose = o->attention[n->id];
    if (!x) return NULL;
    operand_role_t role = whose ? role_of(n, k) : NO_ROLE;
    if (role != NO_ROLE && o->shared[x->id]) return operand_for(o, x, whose, role);
    if (meets_two(o, n) && is_mixed(x)) return operand_for(o, x, n, NO_ROLE);
    return o->to[x->id];
}

static void copy(operands_t *o, const gnode_t *from) {
    gnode_t *in[G_MAX_INPUTS];
    for (int k = 0; k < from->n_in; k++) in[k] = input_for(o, from, k);
    gnode_t *n = graph_append(o->g, from->op);
    int id = n->id;
    *n = *from;
    n->id = id;
    for (int k = 0; k < n->n_in; k++) n->in[k] = in[k];
    o->to[from->id] = n;
}

const graph_t *graph_with_own_operands(arena_t *a, const graph_t *g) {
    size_t n = g->n_nodes;
    operands_t o = {.from = g,
                    .arena = a,
                    .attention = ARENA_ARRAY(a, const gnode_t *, n),
                    .first = ARENA_ARRAY(a, const gnode_t *, n),
                    .role = ARENA_ARRAY(a, operand_role_t, n),
                    .shared = ARENA_ARRAY(a, bool, n),
                    .elsewhere = ARENA_ARRAY(a, bool, n)};
    find_readers(&o);
    find_attentions(&o);
    if (!find_shared(&o)) return g;
    o.to = ARENA_ARRAY(a, gnode_t *, n);
    o.own = ARENA_ARRAY(a, own_t *, n);
    o.g = ARENA_NEW(a, graph_t);
    *o.g = *g;
    o.g->arena = a;
    o.g->nodes = NULL;
    o.g->n_nodes = o.g->cap_nodes = 0;
    for (size_t i = 0; i < n; i++) copy(&o, g->nodes[i]);
    return o.g;
}
