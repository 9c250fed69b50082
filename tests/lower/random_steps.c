/* Edits of random_steps.h: drawn once per layer, then done to every graph of the plan by the names of its nodes. */
#include "random_steps.h"

#include <string.h>

#include "graph/ops.h"
#include "weights/layout.h"

typedef enum { AS_IT_IS, DROPPED, DOUBLED } fate_t;

typedef struct {
    fate_t attention_norm, feed_forward_norm, act;
    act_t function;
    int64_t width; /* of the feed-forward */
    int64_t heads, head_size;
    int64_t chunk, before, rounds;
    int n_factors;
    int64_t factors[2];
    bool turned, one_stream;
} edit_t;

static gnode_t *in_layer(arena_t *a, const graph_t *g, int layer, const char *what) {
    return graph_find(g, arena_printf(a, "layers.%d.%s", layer, what));
}

static gnode_t *weight(arena_t *a, const graph_t *g, int layer, const char *what) {
    return graph_find(g, arena_printf(a, "encoder.layers.%d.%s", layer, what));
}

/* ---- what is drawn ------------------------------------------------------------------------------------------ */

static fate_t draw_fate(void) {
    uint32_t x = draw(8);
    return x == 0 ? DROPPED : x == 1 ? DOUBLED : AS_IT_IS;
}

/* Whether chunks of this length serve every forward as those of the node do: whole ones, and attention stays exact or
 * hashed where it is. */
static bool chunk_fits(const plan_t *p, const gnode_t *step, int64_t chunk, int64_t reach) {
    for (int v = 0; v < p->n_variants; v++) {
        int64_t padded = p->variants[v].graph->padded.c;
        if ((padded <= step->chunk) != (padded <= chunk)) return false;
        if (padded > chunk && (padded % chunk || padded / chunk < reach)) return false;
    }
    return true;
}

/* A step that never hashes ends where a chunk does. */
static void draw_window(const plan_t *p, const gnode_t *step, edit_t *e) {
    int64_t chunk = PICK(1, 2, 3, 4, 5, 6, 8, 10, 12, 16), before = draw(3);
    e->chunk = step->chunk;
    e->before = step->before;
    bool hashes = step->n_factors > 0, local = step->op == G_LOCAL_STEP;
    if ((!local && !hashes) || draw(3) == 0 || !chunk_fits(p, step, chunk, before)) return;
    e->chunk = chunk;
    e->before = before;
}

static void draw_hashes(const gnode_t *step, edit_t *e) {
    e->rounds = step->rounds;
    e->n_factors = step->n_factors;
    if (step->n_factors == 0) return;
    e->rounds = 1 + draw(4);
    e->n_factors = 1 + (int)draw(2);
    e->factors[0] = PICK(2, 4, 6, 10);
    e->factors[1] = PICK(2, 4);
}

static edit_t draw_edit(const plan_t *p, int layer) {
    const gnode_t *step = in_layer(p->arena, p->step, layer, "self_attention");
    edit_t e = {.attention_norm = draw_fate(),
                .feed_forward_norm = draw_fate(),
                .act = draw_fate(),
                .function = (act_t)draw(ACT_COUNT),
                .width = PICK(5, 16, 33, 70),
                .heads = 1 + draw(4),
                .head_size = PICK(4, 7, 16, 20, 33)};
    draw_window(p, step, &e);
    draw_hashes(step, &e);
    e.turned = draw(5) == 0;
    e.one_stream = !e.turned && draw(5) == 0;
    return e;
}

/* ---- what is done ------------------------------------------------------------------------------------------- */

/* Whoever reads n, but `but`, reads x instead. */
static void read_instead(graph_t *g, const gnode_t *n, gnode_t *x, const gnode_t *but) {
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k] == n && g->nodes[i] != but) g->nodes[i]->in[k] = x;
}

static void renumber(graph_t *g) {
    for (size_t i = 0; i < g->n_nodes; i++) g->nodes[i]->id = (int)i;
}

/* Without n, and without the weights that it alone reads. */
static void drop(graph_t *g, gnode_t *n) {
    size_t kept = 0;
    read_instead(g, n, n->in[0], NULL);
    for (size_t i = 0; i < g->n_nodes; i++) {
        gnode_t *x = g->nodes[i];
        bool own = x == n;
        for (int k = 1; k < n->n_in; k++) own |= x == n->in[k];
        if (!own) g->nodes[kept++] = x;
    }
    g->n_nodes = kept;
    renumber(g);
}

/* n of itself, with the same weights, for those who read it. */
static void repeat(arena_t *a, graph_t *g, gnode_t *n) {
    gnode_t *again = graph_append(g, n->op);
    int id = n->id;
    *again = *n;
    again->name = arena_printf(a, "%s_2", n->name);
    again->trace = NULL;
    again->in[0] = n;
    read_instead(g, n, again, again);
    for (size_t i = g->n_nodes - 1; (int)i > id + 1; i--) g->nodes[i] = g->nodes[i - 1];
    g->nodes[id + 1] = again;
    renumber(g);
}

static void suffer(arena_t *a, graph_t *g, gnode_t *n, fate_t fate) {
    if (fate == DROPPED) drop(g, n);
    if (fate == DOUBLED) repeat(a, g, n);
}

/* Of every op that the layer attends with: a cache's states and what fills them too. */
static void set_attention(graph_t *g, int layer, const edit_t *e) {
    for (size_t i = 0; i < g->n_nodes; i++) {
        gnode_t *n = g->nodes[i];
        if (n->layer != layer || graph_kind(n) == K_ROW || n->op == G_PARAM) continue;
        if (n->heads) n->heads = e->heads, n->head_size = e->head_size;
        if (n->chunk) n->chunk = e->chunk, n->before = e->before;
        if (n->rounds) n->rounds = e->rounds;
        if (!n->n_factors) continue;
        n->n_factors = e->n_factors;
        memcpy(n->factors, e->factors, sizeof e->factors);
    }
}

static void set_weights(arena_t *a, graph_t *g, int layer, const edit_t *e) {
    static const char *const operands[] = {"query_key", "query", "key", "value"};
    static const char *const inner[] = {
        "feed_forward.dense.dense.weight", "feed_forward.dense.dense.bias",
        "feed_forward.gate.dense.weight", "feed_forward.gate.dense.bias"};
    gnode_t *drawn = in_layer(a, g, layer, "rotations");
    for (int i = 0; i < 4; i++) {
        const char *name = arena_printf(a, "attention.self_attention.%s.weight", operands[i]);
        gnode_t *w = weight(a, g, layer, name);
        if (w) w->shape[0] = dim(e->heads * e->head_size);
    }
    weight(a, g, layer, "attention.output.dense.weight")->shape[1] = dim(e->heads * e->head_size);
    for (int i = 0; i < 4; i++) {
        gnode_t *w = weight(a, g, layer, inner[i]);
        if (w) w->shape[0] = dim(e->width);
    }
    weight(a, g, layer, "feed_forward.output.dense.weight")->shape[1] = dim(e->width);
    if (!drawn) return;
    int64_t columns = 0;
    for (int f = 0; f < e->n_factors; f++) columns += e->factors[f] / 2;
    const int64_t shape[] = {e->heads, e->head_size, e->rounds, columns};
    for (int i = 0; i < 4; i++) drawn->shape[i] = dim(shape[i]);
}

/* y + x for x + y: no longer written over the stream. */
static void turn(gnode_t *sum) {
    gnode_t *x = sum->in[0];
    sum->in[0] = sum->in[1];
    sum->in[1] = x;
}

static bool edit_layer(arena_t *a, graph_t *g, int layer, const edit_t *e) {
    gnode_t *y1 = in_layer(a, g, layer, "y1"), *y2 = in_layer(a, g, layer, "y2");
    gnode_t *act = in_layer(a, g, layer, "feed_forward_act");
    set_attention(g, layer, e);
    set_weights(a, g, layer, e);
    act->act = e->function;
    if (e->turned) turn(y1), turn(y2);
    if (e->one_stream) y2->in[0] = y1;
    suffer(a, g, in_layer(a, g, layer, "attention_norm"), e->attention_norm);
    suffer(a, g, in_layer(a, g, layer, "feed_forward_norm"), e->feed_forward_norm);
    suffer(a, g, act, e->act);
    return true;
}

static bool edit_graph(plan_t *p, graph_t *g, const edit_t *edits, diag_t *d) {
    for (int i = 0; i < p->spec->n_layers; i++)
        if (!edit_layer(p->arena, g, i, &edits[i])) return false;
    bool ok = true;
    for (size_t i = 0; i < g->n_nodes && ok; i++)
        if (g->nodes[i]->op != G_PARAM && g->nodes[i]->op != G_INPUT)
            ok = graph_infer(g, g->nodes[i], d);
    return ok && graph_check(g, d);
}

bool edit_plan(plan_t *p, diag_t *d) {
    edit_t *edits = ARENA_ARRAY(p->arena, edit_t, p->spec->n_layers);
    for (int i = 0; i < p->spec->n_layers; i++) edits[i] = draw_edit(p, i);
    for (int v = 0; v < p->n_variants; v++) {
        if (!edit_graph(p, p->variants[v].graph, edits, d)) return false;
        bool apart = p->prefills != p->variants;
        if (apart && !edit_graph(p, p->prefills[v].graph, edits, d)) return false;
    }
    if (!edit_graph(p, p->step, edits, d)) return false;
    p->layout = layout_make(p->arena, p->variants[p->n_variants - 1].graph);
    return true;
}
