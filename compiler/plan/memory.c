/* The choice of memory.h. */
#include "plan/memory.h"

#include <math.h>

#include "weights/layout.h"

/* Which kinds lowering takes as the forward left them; of others it would refuse the graph. */
static const struct {
    const char *name;
    bool lowered, of_attention;
} kinds[KEPT_KINDS] = {
    [KEPT_STREAMS] = {"streams", true, false},
    [KEPT_OPERANDS] = {"operands of attention", true, true},
    [KEPT_ATTENTION] = {"attention outputs", true, true},
    [KEPT_HIDDEN] = {"hidden activations", true, false},
    [KEPT_NORMED] = {"normed inputs", true, false},
};

/* ---- which values ---------------------------------------------------------------------------- */

/* `sums`: floats of each row and head that are kept with a result, as lowering
 * has its log-sum-exp. */
static const struct {
    gop_t op;
    const char *name;
    int sums;
} attentions[] = {
    {G_LSH_ATTENTION, "lsh", 3}, {G_LOCAL_ATTENTION, "local", 2}, {G_EXACT_ATTENTION, "exact", 2}};
enum { N_ATTENTIONS = sizeof attentions / sizeof *attentions };

static int attention_of(gop_t op) {
    for (int k = 0; k < N_ATTENTIONS; k++)
        if (attentions[k].op == op) return k;
    return -1;
}

/* The attention that reads each value, or is it; G_COUNT: none. */
static gop_t *find_attentions(arena_t *a, const graph_t *g) {
    gop_t *of = ARENA_ARRAY(a, gop_t, g->n_nodes);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        bool attends = attention_of(n->op) >= 0;
        of[i] = attends ? n->op : G_COUNT;
        for (int k = 0; attends && k < n->n_in; k++)
            if (n->in[k]) of[n->in[k]->id] = n->op;
    }
    return of;
}

static double bytes_of(const gnode_t *n, int64_t units) {
    double bytes = work_elements(n, units) * (double)layout_element_bytes(n->type);
    int attention = attention_of(n->op);
    if (attention < 0) return bytes;
    return bytes * (1 + attentions[attention].sums / (double)n->head_size);
}

typedef struct {
    arena_t *arena;
    const graph_t *g;
    const kept_kind_t *kind; /* by id */
    const gop_t *of;
} kept_values_t;

static bool belongs(const kept_values_t *v, size_t id, const kept_row_t *row) {
    return v->kind[id] == row->kind && (row->of == G_COUNT || v->of[id] == row->of);
}

static void add_row(kept_choice_t *k, const kept_values_t *v, kept_row_t row) {
    for (size_t i = 0; i < v->g->n_nodes; i++) {
        if (!belongs(v, i, &row)) continue;
        row.values++;
        row.bytes += bytes_of(v->g->nodes[i], v->g->units.max);
    }
    if (row.values > 0) k->rows[k->n++] = row;
}

static void find_rows(kept_choice_t *k, const kept_values_t *v) {
    for (kept_kind_t kind = KEPT_NONE + 1; kind < KEPT_KINDS; kind++) {
        kept_row_t row = {
            .kind = kind, .of = G_COUNT, .name = kinds[kind].name, .lowered = kinds[kind].lowered};
        if (!kinds[kind].of_attention) add_row(k, v, row);
        for (int i = 0; kinds[kind].of_attention && i < N_ATTENTIONS; i++) {
            row.of = attentions[i].op;
            row.name = arena_printf(v->arena, "%s (%s)", kinds[kind].name, attentions[i].name);
            add_row(k, v, row);
        }
    }
}

static kept_values_t find_values(arena_t *a, const graph_t *forward) {
    return (kept_values_t){.arena = a,
                           .g = forward,
                           .kind = graph_kept_kinds(a, forward),
                           .of = find_attentions(a, forward)};
}

/* ---- what they save -------------------------------------------------------------------------- */

/* Flops of a step that keeps these; below 0 after errors in d. */
static double work_with(const kept_values_t *v, const bool *keep, const char *loss, diag_t *d) {
    graph_gradient_options_t o = {.loss = loss, .keep = keep};
    arena_t *scratch = arena_new();
    const graph_t *train = graph_gradient(scratch, v->g, &o, d);
    train_work_t w = {.forward = -1};
    if (train) w = work_of_train(train);
    arena_free(scratch);
    return work_total(&w);
}

static bool measure_rows(kept_choice_t *k, const kept_values_t *v, const char *loss, diag_t *d) {
    double all = work_with(v, NULL, loss, d);
    for (int i = 0; i < k->n && all >= 0; i++) {
        bool *keep = ARENA_ARRAY(v->arena, bool, v->g->n_nodes);
        for (size_t n = 0; n < v->g->n_nodes; n++) keep[n] = belongs(v, n, &k->rows[i]);
        double with = work_with(v, keep, loss, d);
        if (with < 0) return false;
        k->rows[i].saves = all - with;
    }
    return all >= 0;
}

static double gain(const kept_row_t *row) {
    return row->saves / row->bytes - 2.0 * KEPT_FLOPS_PER_BYTE;
}

bool kept_pays(const kept_row_t *row) {
    return gain(row) > 0;
}

/* By insertion: there are few. Of equals, the first of the table stays first. */
static void sort_rows(kept_choice_t *k) {
    for (int i = 1; i < k->n; i++)
        for (int j = i; j > 0 && gain(&k->rows[j]) > gain(&k->rows[j - 1]); j--) {
            kept_row_t row = k->rows[j];
            k->rows[j] = k->rows[j - 1];
            k->rows[j - 1] = row;
        }
}

/* ---- the choice ------------------------------------------------------------------------------ */

static void set_flags(kept_choice_t *k, const kept_values_t *v) {
    bool *keep = ARENA_ARRAY(v->arena, bool, v->g->n_nodes);
    k->bytes = 0;
    k->keep = NULL;
    for (int i = 0; i < k->n; i++) {
        if (!k->rows[i].kept) continue;
        k->bytes += k->rows[i].bytes;
        k->keep = keep;
        for (size_t n = 0; n < v->g->n_nodes; n++)
            if (belongs(v, n, &k->rows[i])) keep[n] = true;
    }
}

kept_choice_t *kept_choose(arena_t *a, const graph_t *forward, const char *loss, double room,
                           bool lowered, diag_t *d) {
    kept_choice_t *k = ARENA_NEW(a, kept_choice_t);
    kept_values_t v = find_values(a, forward);
    *k = (kept_choice_t){.room = room};
    find_rows(k, &v);
    if (!measure_rows(k, &v, loss, d)) return NULL;
    sort_rows(k);
    for (int i = 0; i < k->n; i++) {
        kept_row_t *row = &k->rows[i];
        bool able = row->lowered || !lowered;
        row->kept = able && kept_pays(row) && row->bytes <= room;
        if (row->kept) room -= row->bytes;
    }
    set_flags(k, &v);
    return k;
}

void kept_mark(arena_t *a, kept_choice_t *k, const graph_t *forward) {
    kept_values_t v = find_values(a, forward);
    set_flags(k, &v);
}

kept_choice_t *kept_all(arena_t *a, const kept_choice_t *of, const graph_t *forward, bool lowered) {
    kept_choice_t *k = ARENA_NEW(a, kept_choice_t);
    *k = *of;
    k->room = INFINITY;
    for (int i = 0; i < k->n; i++) k->rows[i].kept = k->rows[i].lowered || !lowered;
    kept_mark(a, k, forward);
    return k;
}
