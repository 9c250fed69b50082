/* The table of the packed weights file: which Hugging Face tensors go where, in which arrangement.
 *
 * Rows of `parts` name a packed array and the tensors it stacks; '#' in a source stands for the layer.
 * An array whose first tensor is not among the params of the graph is left out. */
#include "lower/layout.h"

#include <string.h>

#include "reformer_rt.h"
#include "support/hash.h"
#include "support/sbuf.h"

typedef enum { ONCE, EVERY_LAYER, LSH_LAYERS, LOCAL_LAYERS } stack_t;

typedef struct {
    const char *name;
    pack_kind_t kind;
    stack_t stack;
    const char *source;
} part_t;

#define LAYER     "encoder.layers.#."
#define ATTENTION LAYER "attention."
#define SELF      ATTENTION "self_attention."
#define FF        LAYER "feed_forward."
#define POSITION  "embeddings.position_embeddings."

static const part_t parts[] = {
    {"embed.word", PACK_ROWS, ONCE, "embeddings.word_embeddings.weight"},
    {"embed.position", PACK_ROWS, ONCE, POSITION "embedding.weight"},
    {"embed.axis0", PACK_ROWS, ONCE, POSITION "weights.0"},
    {"embed.axis1", PACK_ROWS, ONCE, POSITION "weights.1"},
    {"embed.axis2", PACK_ROWS, ONCE, POSITION "weights.2"},
    {"embed.axis3", PACK_ROWS, ONCE, POSITION "weights.3"},
    {"embed.axis4", PACK_ROWS, ONCE, POSITION "weights.4"},
    {"attention.norm.weight", PACK_ROWS, EVERY_LAYER, ATTENTION "layer_norm.weight"},
    {"attention.norm.bias", PACK_ROWS, EVERY_LAYER, ATTENTION "layer_norm.bias"},
    {"lsh.query_key", PACK_HEAD_PANELS, LSH_LAYERS, SELF "query_key.weight"},
    {"lsh.value", PACK_HEAD_PANELS, LSH_LAYERS, SELF "value.weight"},
    {"lsh.output", PACK_PANELS, LSH_LAYERS, ATTENTION "output.dense.weight"},
    {"lsh.rotations", PACK_ROTATIONS, LSH_LAYERS, "layers.#.rotations"},
    {"local.query", PACK_HEAD_PANELS, LOCAL_LAYERS, SELF "query.weight"},
    {"local.key", PACK_HEAD_PANELS, LOCAL_LAYERS, SELF "key.weight"},
    {"local.value", PACK_HEAD_PANELS, LOCAL_LAYERS, SELF "value.weight"},
    {"local.output", PACK_PANELS, LOCAL_LAYERS, ATTENTION "output.dense.weight"},
    {"ff.norm.weight", PACK_ROWS, EVERY_LAYER, FF "layer_norm.weight"},
    {"ff.norm.bias", PACK_ROWS, EVERY_LAYER, FF "layer_norm.bias"},
    {"ff.in.weight", PACK_PANELS, EVERY_LAYER, FF "dense.dense.weight"},
    {"ff.in.bias", PACK_ROWS, EVERY_LAYER, FF "dense.dense.bias"},
    {"ff.out.weight", PACK_PANELS, EVERY_LAYER, FF "output.dense.weight"},
    {"ff.out.bias", PACK_ROWS, EVERY_LAYER, FF "output.dense.bias"},
    {"final.norm.weight", PACK_ROWS, ONCE, "encoder.layer_norm.weight"},
    {"final.norm.bias", PACK_ROWS, ONCE, "encoder.layer_norm.bias"},
    {"lm_head.weight", PACK_PANELS, ONCE, "lm_head.decoder.weight"},
    {"lm_head.bias", PACK_ROWS, ONCE, "lm_head.bias"},
    {"classifier.dense.weight", PACK_PANELS, ONCE, "classifier.dense.weight"},
    {"classifier.dense.bias", PACK_ROWS, ONCE, "classifier.dense.bias"},
    {"classifier.out.weight", PACK_PANELS, ONCE, "classifier.out_proj.weight"},
    {"classifier.out.bias", PACK_ROWS, ONCE, "classifier.out_proj.bias"},
    {"qa.weight", PACK_PANELS, ONCE, "qa_outputs.weight"},
    {"qa.bias", PACK_ROWS, ONCE, "qa_outputs.bias"},
};
enum { PARTS = sizeof parts / sizeof *parts };

static int64_t up(int64_t n, int64_t to) {
    return (n + to - 1) / to * to;
}

static const char *source_name(arena_t *a, const char *pattern, int layer) {
    const char *hash = strchr(pattern, '#');
    if (!hash) return pattern;
    return arena_printf(a, "%.*s%d%s", (int)(hash - pattern), pattern, layer, hash + 1);
}

static bool stacks(stack_t s, layer_kind_t kind) {
    return s == EVERY_LAYER || (s == LSH_LAYERS && kind == LAYER_LSH) ||
           (s == LOCAL_LAYERS && kind == LAYER_LOCAL);
}

/* Params by name: open addressing, so that thousands of layers take linear time. */
typedef struct {
    const gnode_t **slots;
    size_t n; /* a power of two, at least twice the params */
} names_t;

static const gnode_t **slot_of(const names_t *t, const char *name) {
    size_t at = (size_t)hash64(HASH64_INIT, name, strlen(name)) & (t->n - 1);
    while (t->slots[at] && strcmp(t->slots[at]->name, name) != 0) at = (at + 1) & (t->n - 1);
    return &t->slots[at];
}

static names_t index_params(arena_t *a, const graph_t *g) {
    names_t t = {.n = 2};
    while (t.n < 2 * g->n_nodes) t.n *= 2;
    t.slots = ARENA_ARRAY(a, const gnode_t *, t.n);
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i]->op != G_PARAM) continue;
        const gnode_t **slot = slot_of(&t, g->nodes[i]->name);
        if (!*slot) *slot = g->nodes[i];
    }
    return t;
}

/* The params of the graph under one pattern, in layer order. */
static int collect(arena_t *a, const graph_t *g, const names_t *names, const part_t *p,
                   const gnode_t **found) {
    if (p->stack == ONCE) {
        found[0] = *slot_of(names, source_name(a, p->source, 0));
        return found[0] ? 1 : 0;
    }
    int n = 0;
    for (int i = 0; i < g->spec->n_layers; i++) {
        if (!stacks(p->stack, g->spec->attn_layers[i])) continue;
        const gnode_t *node = *slot_of(names, source_name(a, p->source, i));
        if (node) found[n++] = node;
    }
    return n;
}

static void pack_shape(layout_entry_t *e) {
    const int64_t *s = e->shape;
    int64_t elements = 1;
    for (int i = 0; i < e->rank; i++) elements *= s[i];
    int64_t *p = e->packed;
    int n = 0;
    p[n++] = e->count;
    switch (e->kind) {
    case PACK_ROWS: p[n++] = up(elements, PANEL); break;
    case PACK_PANELS:
        p[n++] = up(s[0], PANEL) / PANEL;
        p[n++] = s[1];
        p[n++] = PANEL;
        break;
    case PACK_HEAD_PANELS:
        p[n++] = e->heads;
        p[n++] = up(s[0] / e->heads, PANEL) / PANEL;
        p[n++] = s[1];
        p[n++] = PANEL;
        break;
    case PACK_ROTATIONS: /* [H, d, n, R] → [H][n][d][R] */
        p[n++] = s[0];
        p[n++] = s[2];
        p[n++] = s[1];
        p[n++] = s[3];
        break;
    }
    e->packed_rank = n;
    e->bytes = (int64_t)sizeof(float);
    for (int i = 0; i < n; i++) e->bytes *= p[i];
}

static uint64_t fingerprint(const graph_t *g) {
    sbuf_t s = {0};
    sbuf_printf(&s, "layout %d\n", LAYOUT_VERSION);
    spec_canonical(g->spec, g->n_factors, g->factors, &s);
    uint64_t h = hash64(HASH64_INIT, s.data, s.size);
    sbuf_free(&s);
    return h;
}

layout_t *layout_make(arena_t *a, const graph_t *g) {
    layout_t *l = ARENA_NEW(a, layout_t);
    l->entries = ARENA_ARRAY(a, layout_entry_t, PARTS);
    const gnode_t **found = ARENA_ARRAY(a, const gnode_t *, g->spec->n_layers + 1);
    names_t names = index_params(a, g);
    int64_t at = REFORMER_WEIGHTS_HEADER;
    for (int i = 0; i < PARTS; i++) {
        int n = collect(a, g, &names, &parts[i], found);
        if (n == 0) continue;
        layout_entry_t *e = &l->entries[l->n++];
        e->name = parts[i].name;
        e->kind = parts[i].kind;
        e->count = n;
        e->source = ARENA_ARRAY(a, const char *, n);
        for (int j = 0; j < n; j++) e->source[j] = found[j]->name;
        e->rank = found[0]->rank;
        for (int j = 0; j < e->rank; j++) e->shape[j] = found[0]->shape[j].c;
        e->heads = e->kind == PACK_HEAD_PANELS ? g->spec->num_attention_heads : 0;
        pack_shape(e);
        e->offset = at;
        at = up(at + e->bytes, 64);
    }
    l->data_end = at;
    l->fingerprint = fingerprint(g);
    return l;
}

const layout_entry_t *layout_find(const layout_t *l, const char *name) {
    for (int i = 0; i < l->n; i++)
        if (strcmp(l->entries[i].name, name) == 0) return &l->entries[i];
    return NULL;
}
