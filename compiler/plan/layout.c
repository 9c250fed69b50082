/* The table of the packed weights file, from the PARAMs of a graph: each is stacked with those that have its name but
 * for the layer, its shape and its arrangement. */
#include "plan/layout.h"

#include <string.h>

#include "reformer_rt.h"
#include "support/hash.h"
#include "support/sbuf.h"

/* Of an open-addressed hash table: where a stack, or a source, stands. */
struct place {
    const char *key; /* NULL: free */
    int entry, index;
};

typedef struct {
    struct place *places;
    size_t n; /* a power of two, at least twice what it will hold */
} table_t;

static struct place *place_of(const table_t *t, const char *key) {
    size_t at = (size_t)hash64(HASH64_INIT, key, strlen(key)) & (t->n - 1);
    while (t->places[at].key && strcmp(t->places[at].key, key) != 0) at = (at + 1) & (t->n - 1);
    return &t->places[at];
}

static table_t table_for(arena_t *a, size_t keys) {
    table_t t = {.n = 2};
    while (t.n < 2 * keys) t.n *= 2;
    t.places = ARENA_ARRAY(a, struct place, t.n);
    return t;
}

/* ---- how a weight is arranged ------------------------------------------------------------------- */

/* By node id: who reads a PARAM first, and as which of its inputs; of how many heads a value is an operand. */
typedef struct {
    const gnode_t **reader;
    int *input;
    int64_t *heads;
} uses_t;

static uses_t find_uses(arena_t *a, const graph_t *g) {
    uses_t u = {ARENA_ARRAY(a, const gnode_t *, g->n_nodes), ARENA_ARRAY(a, int, g->n_nodes),
                ARENA_ARRAY(a, int64_t, g->n_nodes)};
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        for (int k = 0; k < n->n_in; k++) {
            const gnode_t *x = n->in[k];
            if (!x) continue;
            if (graph_kind(n) == K_MIX) u.heads[x->id] = n->heads;
            if (u.reader[x->id]) continue;
            u.reader[x->id] = n;
            u.input[x->id] = k;
        }
    }
    return u;
}

typedef struct {
    pack_kind_t kind;
    int64_t heads;
} arrangement_t;

/* Matrices of dense layers become panels, of whole heads where the result goes into attention by heads. */
static arrangement_t arrange(const uses_t *u, const gnode_t *param) {
    const gnode_t *reader = u->reader[param->id];
    if (param->rank == 4) return (arrangement_t){PACK_ROTATIONS, 0};
    if (!reader || reader->op != G_DENSE || u->input[param->id] != 1)
        return (arrangement_t){PACK_ROWS, 0};
    int64_t heads = u->heads[reader->id];
    return heads ? (arrangement_t){PACK_HEAD_PANELS, heads} : (arrangement_t){PACK_PANELS, 0};
}

static int64_t up(int64_t n, int64_t to) {
    return (n + to - 1) / to * to;
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

/* ---- stacks --------------------------------------------------------------------------------------- */

/* "encoder.layers.#.attention.layer_norm.weight": the name without the number of its layer. */
static const char *pattern_of(arena_t *a, const gnode_t *param) {
    const char *number = arena_printf(a, "layers.%d.", param->layer);
    const char *at = param->layer < 0 ? NULL : strstr(param->name, number);
    if (!at) return param->name;
    return arena_printf(a, "%.*slayers.#.%s", (int)(at - param->name), param->name,
                        at + strlen(number));
}

/* The pattern's part after the layer; numbered, where a stack of another shape has it already. */
static const char *short_name(arena_t *a, const layout_t *l, const char *pattern) {
    const char *hash = strstr(pattern, "#.");
    const char *base = hash ? hash + 2 : pattern, *name = base;
    for (int k = 2;; k++) {
        bool taken = false;
        for (int i = 0; i < l->n && !taken; i++) taken = strcmp(l->entries[i].name, name) == 0;
        if (!taken) return name;
        name = arena_printf(a, "%s.%d", base, k);
    }
}

typedef struct {
    arena_t *arena;
    layout_t *l;
    size_t cap;
    table_t stacks, sources;
    uses_t uses;
} maker_t;

static layout_entry_t *stack_for(maker_t *m, const gnode_t *param) {
    arrangement_t as = arrange(&m->uses, param);
    const char *pattern = pattern_of(m->arena, param);
    const char *key = arena_printf(m->arena, "%s %d %lld", pattern, as.kind, (long long)as.heads);
    for (int i = 0; i < param->rank; i++)
        key = arena_printf(m->arena, "%s %lld", key, (long long)param->shape[i].c);
    struct place *place = place_of(&m->stacks, key);
    if (place->key) return &m->l->entries[place->entry];
    *place = (struct place){key, m->l->n, 0};
    layout_entry_t e = {.name = short_name(m->arena, m->l, pattern),
                        .kind = as.kind,
                        .rank = param->rank,
                        .heads = as.heads};
    for (int i = 0; i < e.rank; i++) e.shape[i] = param->shape[i].c;
    ARENA_PUSH(m->arena, m->l->entries, m->l->n, m->cap) = e;
    return &m->l->entries[m->l->n - 1];
}

/* One tensor has one place, however often it is read. */
static void add_param(maker_t *m, const gnode_t *param) {
    struct place *place = place_of(&m->sources, param->name);
    if (place->key) return;
    layout_entry_t *e = stack_for(m, param);
    *place = (struct place){param->name, (int)(e - m->l->entries), e->count};
    ARENA_PUSH(m->arena, e->source, e->count, e->room) = param->name;
}

/* Of what weights mean and how they stand: the arranged params in order, and what the nodes do with them, as far as it
 * is the same for all lengths. Where a length has no windows, other ops do the same. */
static uint64_t fingerprint(const graph_t *g, const layout_t *l) {
    sbuf_t s = {0};
    sbuf_printf(&s, "layout %d\n", REFORMER_WEIGHTS_VERSION);
    for (int i = 0; i < l->n; i++) {
        const layout_entry_t *e = &l->entries[i];
        sbuf_printf(&s, "%s %d %d %lld:", e->name, (int)e->kind, e->count, (long long)e->heads);
        for (int k = 0; k < e->rank; k++) sbuf_printf(&s, " %lld", (long long)e->shape[k]);
        for (int k = 0; k < e->count; k++) sbuf_printf(&s, " %s", e->source[k]);
        sbuf_puts(&s, "\n");
    }
    for (size_t i = 0; i < g->n_nodes; i++) graph_print_meaning(g->nodes[i], &s);
    uint64_t h = hash64(HASH64_INIT, s.data, s.size);
    sbuf_free(&s);
    return h;
}

layout_t *layout_make(arena_t *a, const graph_t *g) {
    size_t params = 0;
    for (size_t i = 0; i < g->n_nodes; i++) params += g->nodes[i]->op == G_PARAM;
    maker_t m = {.arena = a,
                 .l = ARENA_NEW(a, layout_t),
                 .stacks = table_for(a, params),
                 .sources = table_for(a, params),
                 .uses = find_uses(a, g)};
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == G_PARAM) add_param(&m, g->nodes[i]);
    int64_t at = REFORMER_WEIGHTS_HEADER;
    for (int i = 0; i < m.l->n; i++) {
        layout_entry_t *e = &m.l->entries[i];
        pack_shape(e);
        e->offset = at;
        at = up(at + e->bytes, 64);
    }
    m.l->places = m.sources.places;
    m.l->n_places = m.sources.n;
    m.l->data_end = at;
    m.l->fingerprint = fingerprint(g, m.l);
    return m.l;
}

const layout_entry_t *layout_find(const layout_t *l, const char *source, int *index) {
    table_t t = {l->places, l->n_places};
    const struct place *place = l->n_places ? place_of(&t, source) : NULL;
    if (!place || !place->key) return NULL;
    *index = place->index;
    return &l->entries[place->entry];
}
