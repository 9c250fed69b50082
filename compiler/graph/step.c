/* Forward → step of generation, where there is no spec to build it from.
 *
 * In: the forward of a causal LM, in whatever way its nodes are joined. Out: what
 * graph_build_step() makes of a spec: the same nodes for one token per row, whose embedding looks
 * at its position and whose attentions read and write what is kept of earlier ones, as it was
 * before it was rounded for them. */
#include <string.h>

#include "graph/ops.h"

typedef struct {
    graph_t *g;
    const graph_t *like;
    gnode_t **made; /* by id of the forward's nodes; NULL: nothing stands for it */
    gnode_t *positions;
    bool as_huggingface, ok;
    diag_t *d;
} stepper_t;

static gnode_t *new_node(stepper_t *s, gop_t op, const gnode_t *from, const char *name) {
    gnode_t *n = graph_append(s->g, op);
    n->name = name;
    n->layer = from->layer;
    n->at = from->at;
    return n;
}

static gnode_t *finish(stepper_t *s, gnode_t *n) {
    if (s->ok && !graph_infer(s->g, n, s->d)) s->ok = false;
    return n;
}

static gnode_t *token_input(stepper_t *s, const gnode_t *from, const char *name) {
    gnode_t *n = new_node(s, G_INPUT, from, name);
    n->type = G_I32;
    n->rank = 2;
    n->shape[0] = dim(s->g->batch);
    n->shape[1] = dim(1);
    return finish(s, n);
}

static gnode_t *take_input(stepper_t *s, const gnode_t *n) {
    if (strcmp(n->name, "input_ids") != 0) return NULL;
    gnode_t *ids = token_input(s, n, n->name);
    s->positions = token_input(s, n, "positions");
    return ids;
}

/* The same, of one token. */
static gnode_t *copy(stepper_t *s, const gnode_t *from) {
    gnode_t *n = graph_append(s->g, from->op);
    int id = n->id;
    *n = *from;
    n->id = id;
    for (int i = 0; i < n->n_in; i++) n->in[i] = n->in[i] ? s->made[n->in[i]->id] : NULL;
    return finish(s, n);
}

static gnode_t *embed_at(stepper_t *s, const gnode_t *embed) {
    gnode_t *n = new_node(s, G_EMBED_AT, embed, embed->name);
    n->trace = embed->trace;
    n->n_axial = embed->n_axial;
    for (int i = 0; i < n->n_axial; i++) n->axial_shape[i] = embed->axial_shape[i];
    n->in[n->n_in++] = s->made[embed->in[0]->id];
    n->in[n->n_in++] = s->positions;
    for (int i = 1; i < embed->n_in; i++) n->in[n->n_in++] = s->made[embed->in[i]->id];
    return finish(s, n);
}

/* ---- attention ------------------------------------------------------------------------------- */

static const char *state_name(stepper_t *s, const gnode_t *attention) {
    const char *dot = strrchr(attention->name, '.');
    bool usual = dot && strcmp(dot, ".self_attention") == 0;
    int n = usual ? (int)(dot - attention->name) : (int)strlen(attention->name);
    return arena_printf(s->g->arena, "%.*s.state", n, attention->name);
}

static void set_step(stepper_t *s, gnode_t *n, const gnode_t *attention) {
    bool exact = attention->op == G_EXACT_ATTENTION;
    n->heads = attention->heads;
    n->head_size = attention->head_size;
    n->chunk = exact ? dim_at(s->like->padded, s->like->units.max) : attention->chunk;
    n->before = exact ? 0 : attention->before;
    n->as_huggingface = s->as_huggingface;
}

static void set_hash(gnode_t *n, const gnode_t *hash) {
    n->rounds = hash ? hash->rounds : 1;
    n->n_factors = hash ? hash->n_factors : 0;
    for (int i = 0; i < n->n_factors; i++) n->factors[i] = hash->factors[i];
}

/* A state is told what its step is told. */
static gnode_t *state_of(stepper_t *s, const gnode_t *attention, const gnode_t *hash, bool lsh) {
    gnode_t *n =
        new_node(s, lsh ? G_LSH_STATE : G_LOCAL_STATE, attention, state_name(s, attention));
    set_step(s, n, attention);
    if (lsh) set_hash(n, hash);
    return finish(s, n);
}

static gnode_t *operand(const stepper_t *s, const gnode_t *n) {
    return s->made[graph_unrounded(n)->id];
}

static gnode_t *lsh_step(stepper_t *s, const gnode_t *n) {
    const gnode_t *hash = n->op == G_LSH_ATTENTION ? n->in[2]->in[0] : NULL;
    const gnode_t *value = n->in[hash ? 1 : 2];
    gnode_t *state = state_of(s, n, hash, true);
    gnode_t *step = new_node(s, G_LSH_STEP, n, n->name);
    gnode_t *in[] = {operand(s, n->in[0]), operand(s, value), s->positions, state,
                     hash ? s->made[hash->in[1]->id] : NULL};
    for (int i = 0; i < 5; i++) step->in[step->n_in++] = in[i];
    set_step(s, step, n);
    set_hash(step, hash);
    return finish(s, step);
}

static gnode_t *local_step(stepper_t *s, const gnode_t *n) {
    gnode_t *state = state_of(s, n, NULL, false);
    gnode_t *step = new_node(s, G_LOCAL_STEP, n, n->name);
    for (int i = 0; i < 3; i++) step->in[step->n_in++] = operand(s, n->in[i]);
    step->in[step->n_in++] = s->positions;
    step->in[step->n_in++] = state;
    set_step(s, step, n);
    return finish(s, step);
}

static gnode_t *attention_step(stepper_t *s, const gnode_t *n) {
    bool lsh = n->op == G_LSH_ATTENTION || (n->op == G_EXACT_ATTENTION && n->shared_qk);
    return lsh ? lsh_step(s, n) : local_step(s, n);
}

/* ---- whether there is one -------------------------------------------------------------------- */

/* Tokens come one after the other, and what has come does not change. */
static const char *fault_of(const gnode_t *n) {
    bool lsh = n->op == G_LSH_ATTENTION;
    if (!lsh && n->op != G_LOCAL_ATTENTION && n->op != G_EXACT_ATTENTION) return NULL;
    if (!n->causal || n->after > 0) return "is not causal, or looks at later chunks";
    if (lsh && n->in[2]->in[0]->in[0] != graph_unrounded(n->in[0]))
        return "is sorted by the hashes of something else";
    return NULL;
}

const gnode_t *graph_step_fault(const graph_t *forward, const char **why) {
    for (size_t i = 0; i < forward->n_nodes; i++)
        if ((*why = fault_of(forward->nodes[i]))) return forward->nodes[i];
    return NULL;
}

/* ---- a step ---------------------------------------------------------------------------------- */

/* Whether n rounds for attentions alone. */
static bool is_for_attention(const graph_t *g, const gnode_t *n) {
    bool any = false;
    for (size_t i = (size_t)n->id + 1; i < g->n_nodes && n->op == G_ROUND; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++) {
            if (g->nodes[i]->in[k] != n) continue;
            if (!graph_is_attention(g->nodes[i])) return false;
            any = true;
        }
    return any;
}

static gnode_t *node_of_step(stepper_t *s, const gnode_t *n) {
    switch (n->op) {
    case G_INPUT: return take_input(s, n);
    case G_PAD_IDS: return s->made[n->in[0]->id];
    case G_EMBED: return embed_at(s, n);
    case G_PAD_MASK: /* what is cached are tokens */
    case G_LSH_HASH:
    case G_LSH_SORT: return NULL;
    case G_LSH_ATTENTION:
    case G_LOCAL_ATTENTION:
    case G_EXACT_ATTENTION: return attention_step(s, n);
    default: return graph_kind(n) == K_REDUCE || is_for_attention(s->like, n) ? NULL : copy(s, n);
    }
}

graph_t *graph_step_of(arena_t *a, const graph_t *like, int64_t batch, diag_t *d) {
    const char *why;
    if (graph_step_fault(like, &why)) bug("a step of what has none");
    graph_t *g = ARENA_NEW(a, graph_t);
    *g = (graph_t){.arena = a,
                   .spec = like->spec,
                   .at = like->at,
                   .batch = batch,
                   .length = dim(1),
                   .padded = dim(1)};
    stepper_t s = {.g = g,
                   .like = like,
                   .made = ARENA_ARRAY(a, gnode_t *, like->n_nodes),
                   .as_huggingface = like->spec->compile.decode == DECODE_HUGGINGFACE,
                   .ok = true,
                   .d = d};
    for (size_t i = 0; i < like->n_nodes && s.ok; i++)
        s.made[like->nodes[i]->id] = node_of_step(&s, like->nodes[i]);
    return s.ok && graph_check(g, d) ? g : NULL;
}
