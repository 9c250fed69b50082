/* Which entries of a file of tuning are used, and what is said of them (tuning.h). */
#include "machine/tuning.h"

#include <string.h>

#include "support/cpu.h"
#include "support/hash.h"

static const char *widths_of(arena_t *a, const spec_layer_t *l) {
    return arena_printf(a, "%lldx%lld-ff%lld", (long long)l->num_attention_heads,
                        (long long)l->attention_head_size, (long long)l->feed_forward_size);
}

/* "-lsh64x2"; widths that are not the first layer's behind it. */
static const char *window_of(arena_t *a, const spec_layer_t *l, const char *widths) {
    const char *own = widths_of(a, l);
    bool other = strcmp(own, widths) != 0;
    return arena_printf(a, "-%s%lldx%lld%s%s", l->lsh ? "lsh" : "local", (long long)l->chunk_length,
                        (long long)(1 + l->num_chunks_before + l->num_chunks_after),
                        other ? "-" : "", other ? own : "");
}

/* Layers of one shape are named once, LSH layers first. */
const char *tuning_shapes(arena_t *a, const spec_t *s) {
    spec_layer_t l = spec_layer(s, 0);
    const char *widths = widths_of(a, &l);
    const char *text = arena_printf(a, "h%lld-%s%s", (long long)s->hidden_size, widths,
                                    s->extensions.feed_forward_gate ? "-gate" : "");
    int *form = ARENA_ARRAY(a, int, s->n_layers), n = spec_layer_forms(s, form), n_said = 0;
    const char **said = ARENA_ARRAY(a, const char *, n);
    for (int k = 0; k < 2 * n; k++) {
        l = spec_layer(s, form[k % n]);
        if (l.lsh != (k < n)) continue;
        const char *window = window_of(a, &l, widths);
        int i = 0;
        while (i < n_said && strcmp(said[i], window) != 0) i++;
        if (i < n_said) continue;
        said[n_said++] = window;
        text = arena_printf(a, "%s%s", text, window);
    }
    return text;
}

/* Of a graph: of the first of a kind, in `first`; and a hash of all, to tell what differs. */
typedef struct {
    const gnode_t *any, *lsh, *local, *act;
    bool differ;
} kinds_t;

static void note(kinds_t *k, const gnode_t **first, const gnode_t *n) {
    if (!*first) *first = n;
    k->differ |=
        (*first)->chunk != n->chunk || (*first)->before + (*first)->after != n->before + n->after;
}

static void note_node(kinds_t *k, const gnode_t *n) {
    bool lsh = n->op == G_LSH_ATTENTION, local = n->op == G_LOCAL_ATTENTION;
    if (lsh) note(k, &k->lsh, n);
    if (local) note(k, &k->local, n);
    if (lsh || local || n->op == G_EXACT_ATTENTION) {
        if (!k->any) k->any = n;
        k->differ |= k->any->heads != n->heads || k->any->head_size != n->head_size;
    }
    if (n->op != G_ACTIVATION || n->layer < 0) return;
    if (!k->act) k->act = n;
    k->differ |= k->act->shape[2].c != n->shape[2].c;
}

static const char *window_text(arena_t *a, const char *name, const gnode_t *n) {
    if (!n) return "";
    return arena_printf(a, "-%s%lldx%lld", name, (long long)n->chunk,
                        (long long)(1 + n->before + n->after));
}

static bool multiplies(const loaded_model_t *m, bool trains, dtype_t d, gtype_t type) {
    for (int i = 0; i < m->n_graphs; i++)
        if (graph_has_type(m->graphs[i], type)) return true;
    return trains ? m->spec->train.dtype == d : spec_has_dtype(m->spec, d);
}

/* Of the types of products, of the model or of any layer, the smallest, where that is
 * not float32: "-bfloat16". */
static const char *dtype_text(const loaded_model_t *m, bool trains) {
    if (multiplies(m, trains, DTYPE_INT8, G_I8)) return "-int8";
    return multiplies(m, trains, DTYPE_BFLOAT16, G_BF16) ? "-bfloat16" : "";
}

const char *tuning_shapes_of(arena_t *a, const loaded_model_t *m, bool trains) {
    const char *dtype = dtype_text(m, trains);
    if (!m->graphs) return arena_printf(a, "%s%s", tuning_shapes(a, m->spec), dtype);
    const graph_t *g = m->graphs[m->n_graphs - 1];
    kinds_t k = {NULL, NULL, NULL, NULL, false};
    sbuf_t all = {0};
    for (size_t i = 0; i < g->n_nodes; i++) {
        note_node(&k, g->nodes[i]);
        graph_print_meaning(g->nodes[i], &all);
        sbuf_puts(&all, window_text(a, "w", g->nodes[i]->chunk ? g->nodes[i] : NULL));
    }
    const char *text = arena_printf(a, "h%lld-%lldx%lld-ff%lld", (long long)m->facts.hidden,
                                    (long long)(k.any ? k.any->heads : 0),
                                    (long long)(k.any ? k.any->head_size : 0),
                                    (long long)(k.act ? k.act->shape[2].c : 0));
    text = arena_printf(a, "%s%s%s", text, window_text(a, "lsh", k.lsh),
                        window_text(a, "local", k.local));
    if (k.differ)
        text = arena_printf(
            a, "%s-%08llx", text,
            (unsigned long long)(hash64(HASH64_INIT, all.data, all.size) & 0xFFFFFFFFu));
    sbuf_free(&all);
    return arena_printf(a, "%s%s", text, dtype);
}

const char *tiles_text(arena_t *a, const tiles_t *c) {
    return arena_printf(a, "tile %dx%d, block %d, run %d", c->vectors, c->rows, c->block,
                        c->chunks_per_task);
}

/* ---- entries that are not used --------------------------------------------------------------- */

typedef enum { FRESH, OTHER_LOWERING, TOO_LARGE, OTHER_CPU, REASONS } staleness_t;

static staleness_t staleness(const tuning_entry_t *e, const char *cpu) {
    if (e->lowering != LOWERING_VERSION) return OTHER_LOWERING;
    if (!tiles_are_legal(e->target, &e->tiles)) return TOO_LARGE;
    return cpu && strcmp(e->cpu, cpu) != 0 ? OTHER_CPU : FRESH;
}

static const char *reason_text(arena_t *a, staleness_t why, const tuning_entry_t *e,
                               const char *cpu) {
    switch (why) {
    case OTHER_LOWERING:
        return arena_printf(a, "of lowering %d, and kernels are of lowering %d", e->lowering,
                            LOWERING_VERSION);
    case TOO_LARGE:
        return arena_printf(a, "more than %s holds (%s)", e->target->name,
                            tiles_text(a, &e->tiles));
    default: return arena_printf(a, "of another CPU, \"%s\", and not of \"%s\"", e->cpu, cpu);
    }
}

void tuning_warn(const tuning_t *t, const char *cpu, diag_t *d) {
    const tuning_entry_t *first[REASONS] = {NULL};
    int count[REASONS] = {0};
    for (size_t i = 0; i < t->n; i++) {
        staleness_t why = staleness(&t->entries[i], cpu);
        if (count[why]++ == 0) first[why] = &t->entries[i];
    }
    for (int why = FRESH + 1; why < REASONS; why++) {
        if (count[why] == 0) continue;
        const char *text = reason_text(t->arena, (staleness_t)why, first[why], cpu);
        srcloc_t at = {t->path, first[why]->line, 1};
        if (count[why] == 1) diag_warning(d, at, "the entry is not used: it is %s", text);
        else diag_warning(d, at, "%d entries are not used; the first is %s", count[why], text);
        if (why != OTHER_CPU) diag_hint(d, "`reformerc tune` measures anew");
    }
}

/* ---- entries that are ------------------------------------------------------------------------ */

bool tuning_open(options_t *o, diag_t *d) {
    arena_t *a = o->arena;
    o->tuning = tuning_read(a, o->text[OPT_TUNING], false, d);
    if (!o->tuning) return false;
    const char *other = o->text[OPT_TUNING_CPU];
    o->tuning->cpu = other ? cpu_plain(a, other) : cpu_name(a);
    tuning_warn(o->tuning, o->tuning->cpu, d);
    return true;
}

static void say_missing(tuning_t *t, const char *what) {
    for (size_t i = 0; i < t->n_missed; i++)
        if (strcmp(t->missed[i], what) == 0) return;
    ARENA_PUSH(t->arena, t->missed, t->n_missed, t->cap_missed) = what;
    fprintf(stderr, "%s: nothing for %s on \"%s\": the analytic choice\n", t->path, what, t->cpu);
}

const tiles_t *tuning_tiles(tuning_t *t, const target_t *target, const char *shapes) {
    for (size_t i = 0; i < t->n; i++) {
        tuning_entry_t *e = &t->entries[i];
        if (e->target != target || strcmp(e->shapes, shapes) != 0) continue;
        if (staleness(e, t->cpu) != FRESH) continue;
        if (!e->said)
            fprintf(stderr, "%s:%d: %s, %s: %s\n", t->path, e->line, target->name, shapes,
                    tiles_text(t->arena, &e->tiles));
        e->said = true;
        return &e->tiles;
    }
    say_missing(t, arena_printf(t->arena, "%s, %s", target->name, shapes));
    return NULL;
}
