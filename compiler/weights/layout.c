/* The table of the packed weights file, from the PARAMs of a graph: each is stacked with those that
 * have its name but for the layer, its shape and its arrangement. */
#include "weights/layout.h"

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
} layout_index_t;

static struct place *place_of(const layout_index_t *t, const char *key) {
    size_t at = (size_t)hash64(HASH64_INIT, key, strlen(key)) & (t->n - 1);
    while (t->places[at].key && strcmp(t->places[at].key, key) != 0) at = (at + 1) & (t->n - 1);
    return &t->places[at];
}

static layout_index_t table_for(arena_t *a, size_t keys) {
    layout_index_t t = {.n = 2};
    while (t.n < 2 * keys) t.n *= 2;
    t.places = ARENA_ARRAY(a, struct place, t.n);
    return t;
}

/* ---- how a weight is arranged ---------------------------------------------------------------- */

/* By node id: of how many heads a value is an operand, as it is or rounded, where nobody else reads
 * it. Readers come behind what they read, so they are known first. */
static int64_t *find_heads(arena_t *a, const graph_t *g) {
    int64_t *heads = ARENA_ARRAY(a, int64_t, g->n_nodes);
    bool *elsewhere = ARENA_ARRAY(a, bool, g->n_nodes);
    for (size_t i = g->n_nodes; i-- > 0;) {
        const gnode_t *n = g->nodes[i];
        if (elsewhere[i]) heads[i] = 0;
        bool mixes = graph_kind(n) == K_MIX || (n->op == G_ROUND && heads[i] > 0);
        for (int k = 0; k < n->n_in; k++) {
            const gnode_t *x = n->in[k];
            if (!x) continue;
            if (!mixes) elsewhere[x->id] = true;
            else if (!heads[x->id]) heads[x->id] = n->op == G_ROUND ? heads[i] : n->heads;
        }
    }
    return heads;
}

arrangement_t layout_arrangement(const gnode_t *reader, int input, int64_t heads) {
    gtype_t type = reader->in[input]->type;
    if (reader->in[input]->rank == 4) return (arrangement_t){PACK_ROTATIONS, 0, type};
    if (type == G_I8 && reader->op == G_DENSE_T)
        bug("%s: columns of i8 have no scales", reader->name);
    if (reader->op == G_DENSE_T && input == 1) return (arrangement_t){PACK_COLUMNS, 0, type};
    if (reader->op != G_DENSE || input != 1) return (arrangement_t){PACK_ROWS, 0, type};
    bool by_heads = heads > 0 && !(reader->n_in > 2 && reader->in[2]);
    if (by_heads) return (arrangement_t){PACK_HEAD_PANELS, heads, type};
    return (arrangement_t){PACK_PANELS, 0, type};
}

static int64_t up(int64_t n, int64_t to) {
    return (n + to - 1) / to * to;
}

/* The last dimensions of `rows` rows in panels, each of them `depth` long. */
static int add_panels(layout_entry_t *e, int n, int64_t rows, int64_t depth) {
    int64_t each = layout_side_by_side(e->type);
    e->packed[n++] = up(rows, PANEL) / PANEL;
    e->packed[n++] = up(depth, each) / each;
    e->packed[n++] = PANEL * each;
    return n;
}

/* Of one tensor, those that fill up panels counted. */
static int64_t scaled_rows(const layout_entry_t *e) {
    int64_t groups = e->kind == PACK_HEAD_PANELS ? e->heads : 1;
    return groups * up(e->shape[0] / groups, PANEL);
}

void layout_shape_entry(layout_entry_t *e) {
    const int64_t *s = e->shape;
    int64_t elements = 1;
    for (int i = 0; i < e->rank; i++) elements *= s[i];
    int64_t *p = e->packed;
    int n = 0;
    p[n++] = e->count;
    switch (e->kind) {
    case PACK_ROWS: p[n++] = up(elements, e->type == G_I8 ? 2 * PANEL : PANEL); break;
    case PACK_PANELS: n = add_panels(e, n, s[0], s[1]); break;
    case PACK_HEAD_PANELS:
        p[n++] = e->heads;
        n = add_panels(e, n, s[0] / e->heads, s[1]);
        break;
    case PACK_COLUMNS: n = add_panels(e, n, s[1], s[0]); break;
    case PACK_ROTATIONS: /* [H, d, n, R] → [H][n][d][R] */
        p[n++] = s[0];
        p[n++] = s[2];
        p[n++] = s[1];
        p[n++] = s[3];
        break;
    }
    e->packed_rank = n;
    e->bytes = layout_element_bytes(e->type);
    for (int i = 0; i < n; i++) e->bytes *= p[i];
    if (e->type == G_I8) e->rows = scaled_rows(e);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* "encoder.layers.#.attention.layer_norm.weight": the name without the number of its layer. */
static const char *pattern_of(arena_t *a, const gnode_t *param) {
    const char *number = arena_printf(a, "layers.%d.", param->layer);
    const char *at = param->layer < 0 ? NULL : strstr(param->name, number);
    if (!at) return param->name;
    return arena_printf(a, "%.*slayers.#.%s", (int)(at - param->name), param->name,
                        at + strlen(number));
}

typedef struct {
    arena_t *arena;
    layout_t *l;
    size_t cap;
    layout_index_t stacks, sources, names; /* names: of stacks, with how many there are of each */
} maker_t;

/* The pattern's part after the layer; numbered, where a stack of another shape has it already. */
static const char *short_name(maker_t *m, const char *pattern) {
    const char *hash = strstr(pattern, "#.");
    const char *base = hash ? hash + 2 : pattern, *name = base;
    struct place *first = place_of(&m->names, base), *own = first;
    while (own->key) {
        name = arena_printf(m->arena, "%s.%d", base, ++first->index);
        own = place_of(&m->names, name);
    }
    *own = (struct place){name, 0, 1};
    return name;
}

/* Names hold no blanks: no tensor is called like another one's arrangement. */
#define KEY           "%s %d %lld %d"
#define KEY_OF(s, as) (s), (int)(as).kind, (long long)(as).heads, (int)(as).type

static const char *key_of(arena_t *a, const char *source, arrangement_t as) {
    return arena_printf(a, KEY, KEY_OF(source, as));
}

static layout_entry_t *stack_for(maker_t *m, const gnode_t *param, arrangement_t as) {
    const char *pattern = pattern_of(m->arena, param);
    const char *key = key_of(m->arena, pattern, as);
    for (int i = 0; i < param->rank; i++)
        key = arena_printf(m->arena, "%s %lld", key, (long long)param->shape[i].c);
    struct place *place = place_of(&m->stacks, key);
    if (place->key) return &m->l->entries[place->entry];
    *place = (struct place){key, m->l->n, 0};
    layout_entry_t e = {.name = short_name(m, pattern),
                        .kind = as.kind,
                        .rank = param->rank,
                        .heads = as.heads,
                        .type = as.type};
    for (int i = 0; i < e.rank; i++) e.shape[i] = param->shape[i].c;
    ARENA_PUSH(m->arena, m->l->entries, m->l->n, m->cap) = e;
    return &m->l->entries[m->l->n - 1];
}

/* One tensor has one place in each arrangement, however often it is read. */
static void add_param(maker_t *m, const gnode_t *param, arrangement_t as) {
    const char *key = key_of(m->arena, param->name, as);
    struct place *place = place_of(&m->sources, key);
    if (place->key) return;
    layout_entry_t *e = stack_for(m, param, as);
    *place = (struct place){key, (int)(e - m->l->entries), e->count};
    struct place *first = place_of(&m->sources, param->name);
    int again = e->count;
    ARENA_PUSH(m->arena, e->again, again, e->room_again) = first->key != NULL;
    ARENA_PUSH(m->arena, e->source, e->count, e->room) = param->name;
    if (!first->key) *first = (struct place){param->name, place->entry, place->index};
}

/* Reads of PARAMs, in the order of the PARAMs and then of the graph. */
typedef struct {
    int n, *reader, *input;
} reads_t;

static void find_reads(arena_t *a, const graph_t *g, reads_t *of) {
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < g->n_nodes; i++)
            for (int k = 0; k < g->nodes[i]->n_in; k++) {
                const gnode_t *x = g->nodes[i]->in[k];
                if (!x || x->op != G_PARAM) continue;
                reads_t *r = &of[x->id];
                if (pass == 1) r->reader[r->n] = (int)i, r->input[r->n] = k;
                r->n++;
            }
        for (size_t i = 0; i < g->n_nodes && pass == 0; i++) {
            of[i].reader = ARENA_ARRAY(a, int, of[i].n + 1);
            of[i].input = ARENA_ARRAY(a, int, of[i].n + 1);
            of[i].n = 0;
        }
    }
}

bool layout_is_read(const gnode_t *reader) {
    return reader->op != G_GRADIENT;
}

/* What is trained is so in float32: those values of a rounded param stand in
 * the file too, before it. */
static void add_master(maker_t *m, const graph_t *g, const gnode_t *param, const reads_t *of) {
    for (int k = 0; k < of->n && param->type != G_F32; k++)
        if (g->nodes[of->reader[k]]->op == G_GRADIENT)
            add_param(m, param, (arrangement_t){PACK_ROWS, 0, G_F32});
}

static void add_params(maker_t *m, const graph_t *g) {
    const int64_t *heads = find_heads(m->arena, g);
    reads_t *of = ARENA_ARRAY(m->arena, reads_t, g->n_nodes);
    find_reads(m->arena, g, of);
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (of[i].n > 0) add_master(m, g, g->nodes[i], &of[i]);
        for (int k = 0; k < of[i].n; k++) {
            const gnode_t *reader = g->nodes[of[i].reader[k]];
            if (!layout_is_read(reader)) continue;
            add_param(m, g->nodes[i],
                      layout_arrangement(reader, of[i].input[k], heads[reader->id]));
        }
    }
}

/* Of what weights mean and how they stand: the arranged params in order, and what the nodes do with
 * them, as far as it is the same for all lengths. Where a length has no windows,
 * other ops do the same. */
static uint64_t fingerprint(const graph_t *g, const layout_t *l) {
    sbuf_t s = {0};
    sbuf_printf(&s, "layout %d\n", REFORMER_WEIGHTS_VERSION);
    for (int i = 0; i < l->n; i++) {
        const layout_entry_t *e = &l->entries[i];
        sbuf_printf(&s, "%s %d %d %lld:", e->name, (int)e->kind, e->count, (long long)e->heads);
        for (int k = 0; k < e->rank; k++) sbuf_printf(&s, " %lld", (long long)e->shape[k]);
        if (e->type != G_F32) sbuf_printf(&s, " %s", graph_type_name(e->type));
        for (int k = 0; k < e->count; k++) sbuf_printf(&s, " %s", e->source[k]);
        sbuf_puts(&s, "\n");
    }
    if (l->bf16_at || l->integers_at) sbuf_puts(&s, "in sections\n");
    for (size_t i = 0; i < g->n_nodes; i++) graph_print_meaning(g->nodes[i], &s);
    uint64_t h = hash64(HASH64_INIT, s.data, s.size);
    sbuf_free(&s);
    return h;
}

static maker_t begin_layout(arena_t *a, const graph_t *g) {
    size_t reads = 1;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            reads += g->nodes[i]->in[k] && g->nodes[i]->in[k]->op == G_PARAM;
    return (maker_t){.arena = a,
                     .l = ARENA_NEW(a, layout_t),
                     .stacks = table_for(a, reads),
                     .sources = table_for(a, 2 * reads),
                     .names = table_for(a, 2 * reads)};
}

/* The sections of a file, in their order; scales of integers are floats, what their
 * sums start at are integers. */
typedef enum { SECTION_F32, SECTION_BF16, SECTION_INTEGERS } layout_section_t;

static int64_t place(int64_t *offset, int64_t bytes, int64_t at) {
    *offset = at;
    return up(at + bytes, 64);
}

/* What an entry has in this section, from byte `at` on; where it ends. */
static int64_t place_entry(layout_entry_t *e, layout_section_t section, int64_t at) {
    int64_t own = 4 * e->count * e->rows;
    layout_section_t main = e->type == G_F32    ? SECTION_F32
                            : e->type == G_BF16 ? SECTION_BF16
                                                : SECTION_INTEGERS;
    if (section == main) at = place(&e->offset, e->bytes, at);
    if (e->rows == 0) return at;
    if (section == SECTION_F32) at = place(&e->scales_at, own, at);
    if (section == SECTION_INTEGERS && e->kind != PACK_ROWS) at = place(&e->starts_at, own, at);
    return at;
}

static int64_t place_section(layout_t *l, layout_section_t section, int64_t at) {
    for (int i = 0; i < l->n; i++) at = place_entry(&l->entries[i], section, at);
    return at;
}

/* One array behind the other, from byte `at` on. */
static layout_t *finish_layout(const maker_t *m, int64_t at, void (*shape)(layout_entry_t *)) {
    for (int i = 0; i < m->l->n; i++) shape(&m->l->entries[i]);
    int64_t floats = place_section(m->l, SECTION_F32, at);
    int64_t halves = place_section(m->l, SECTION_BF16, floats);
    at = place_section(m->l, SECTION_INTEGERS, halves);
    if (halves > floats) m->l->bf16_at = floats;
    if (at > halves) m->l->integers_at = halves;
    m->l->places = m->sources.places;
    m->l->n_places = m->sources.n;
    m->l->data_end = at;
    return m->l;
}

layout_t *layout_make(arena_t *a, const graph_t *g) {
    const graph_t *lowered = graph_with_own_operands(a, g);
    maker_t m = begin_layout(a, lowered);
    add_params(&m, lowered);
    layout_t *l = finish_layout(&m, REFORMER_WEIGHTS_HEADER, layout_shape_entry);
    l->fingerprint = fingerprint(g, l);
    return l;
}

static void plain_shape(layout_entry_t *e) {
    e->packed_rank = e->rank + 1;
    e->packed[0] = e->count;
    e->bytes = layout_element_bytes(e->type) * e->count;
    for (int i = 0; i < e->rank; i++) {
        e->packed[i + 1] = e->shape[i];
        e->bytes *= e->shape[i];
    }
}

layout_t *layout_gradients(arena_t *a, const graph_t *g) {
    maker_t m = begin_layout(a, g);
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == G_GRADIENT)
            add_param(&m, g->nodes[i]->in[1], (arrangement_t){PACK_ROWS, 0, G_F32});
    return finish_layout(&m, 0, plain_shape);
}

layout_t *layout_state(arena_t *a, const layout_t *gradients, const update_t *u, int state) {
    layout_t *l = arena_copy(a, gradients, sizeof *gradients);
    l->entries = arena_copy(a, l->entries, (size_t)l->n * sizeof *l->entries);
    l->data_end = 0;
    for (int i = 0; i < l->n; i++) {
        layout_entry_t *e = &l->entries[i];
        const update_tensor_t *t = update_find(u, e->source[0]);
        e->rank = update_state_shape(u, state, t->rank, t->shape, e->shape);
        if (e->rank == 0) e->count = 0;
        plain_shape(e);
        e->offset = l->data_end;
        l->data_end = up(e->offset + e->bytes, 64);
    }
    return l;
}

const layout_entry_t *layout_find(const layout_t *l, const char *source, int *index) {
    layout_index_t t = {l->places, l->n_places};
    const struct place *place = l->n_places ? place_of(&t, source) : NULL;
    if (!place || !place->key) return NULL;
    *index = place->index;
    return &l->entries[place->entry];
}

const layout_entry_t *layout_find_as(const layout_t *l, const char *source, arrangement_t as,
                                     int *index) {
    char key[256];
    int n = snprintf(key, sizeof key, KEY, KEY_OF(source, as));
    return n < (int)sizeof key ? layout_find(l, key, index) : NULL;
}
