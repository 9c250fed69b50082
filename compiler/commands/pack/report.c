/* What `pack` tells of a packed file that is not of float32: how far its weights are from
 * those that were packed.
 *
 * In: the store, still there, and the file. Out, on stdout: a row per matrix, relative errors as
 * the root of the sum of squares of differences over that of the weights; with --calibrate a row
 * per layer (calibrate.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands/pack/calibrate.h"
#include "commands/pack/pack.h"
#include "report/document.h"
#include "support/heap.h"

#define CELLS(a, t, ...) table_row(a, t, (const char *const[]){__VA_ARGS__})

bool pack_rounds(const session_t *s) {
    const layout_t *l = s->plan->layout;
    for (int i = 0; i < l->n; i++)
        if (l->entries[i].type != G_F32) return true;
    return false;
}

static const char *percent(arena_t *a, double part) {
    return arena_printf(a, "%.3f %%", 100 * part);
}

/* ---- weights --------------------------------------------------------------------------------- */

/* "encoder.layers.3.feed_forward.dense.dense.weight" → 3, and what stands behind
 * it; -1: of no layer. */
static int layer_of(const char *source, const char **rest) {
    *rest = source;
    return strncmp(source, "encoder.", 8) == 0 ? layer_of_name(source + 8, rest) : -1;
}

typedef struct {
    const char *name;
    int layer, order;
    const layout_entry_t *e;
    distance_t distance;
} weight_t;

typedef struct {
    arena_t *arena;
    weight_t *items;
    size_t n, cap;
} weights_t;

static void add_weight(weights_t *w, const session_t *s, const layout_entry_t *e, int j,
                       const unsigned char *file) {
    const tensor_t *t = store_find(s->store, e->source[j]);
    float *rounded = heap_new((size_t)t->elements + 1, sizeof *rounded);
    weight_t x = {.order = (int)w->n, .e = e};
    x.layer = layer_of(t->name, &x.name);
    weights_unpack_tensor(e, j, file, rounded);
    distance_add(&x.distance, rounded, t->data, t->elements);
    heap_free(rounded);
    ARENA_PUSH(w->arena, w->items, w->n, w->cap) = x;
}

static int by_layer(const void *pa, const void *pb) {
    const weight_t *a = pa, *b = pb;
    return a->layer != b->layer ? a->layer - b->layer : a->order - b->order;
}

static bool is_source(const layout_entry_t *e, const char *source) {
    for (int j = 0; j < e->count; j++)
        if (strcmp(e->source[j], source) == 0) return true;
    return false;
}

/* Whether a tensor has been told of: it stands before in the same numbers. In others it
 * does where it is trained. */
static bool is_told(const layout_t *l, int entry, int j) {
    const layout_entry_t *e = &l->entries[entry];
    for (int i = 0; e->again[j] && i < entry; i++)
        if (l->entries[i].type == e->type && is_source(&l->entries[i], e->source[j])) return true;
    return false;
}

static weights_t rounded_weights(const session_t *s, const unsigned char *file) {
    const layout_t *l = s->plan->layout;
    weights_t w = {.arena = s->arena};
    for (int i = 0; i < l->n; i++)
        for (int j = 0; j < l->entries[i].count; j++)
            if (l->entries[i].type != G_F32 && !is_told(l, i, j))
                add_weight(&w, s, &l->entries[i], j, file);
    if (w.n) qsort(w.items, w.n, sizeof *w.items, by_layer);
    return w;
}

static const char *layer_text(arena_t *a, int layer) {
    return layer < 0 ? "-" : arena_printf(a, "%d", layer);
}

static void weights_section(const weights_t *w, document_t *doc) {
    static const column_t columns[] = {{"layer", true},
                                       {"weight", true},
                                       {"as", true},
                                       {"shape", true},
                                       {"relative error", false}};
    arena_t *a = w->arena;
    table_t *t = table_new(a, 5, columns);
    for (size_t i = 0; i < w->n; i++) {
        const weight_t *x = &w->items[i];
        CELLS(a, t, layer_text(a, x->layer), x->name, graph_type_name(x->e->type),
              arena_printf(a, "%lldx%lld", (long long)x->e->shape[0], (long long)x->e->shape[1]),
              percent(a, distance_relative(&x->distance)));
    }
    section_t *s = document_section(doc, "weights that are rounded");
    s->table = t;
    s->note =
        "Relative error: root of the sum of squared differences over that of squared weights.";
}

/* ---- layers ---------------------------------------------------------------------------------- */

static const char *moved_text(arena_t *a, const layer_effect_t *l) {
    return l->hashes ? percent(a, (double)l->moved / (double)l->hashes) : "-";
}

static double weights_of_layer(const weights_t *w, int layer) {
    distance_t all = {0};
    for (size_t i = 0; i < w->n; i++) {
        if (w->items[i].layer != layer) continue;
        all.apart += w->items[i].distance.apart;
        all.size += w->items[i].distance.size;
    }
    return distance_relative(&all);
}

static void layers_section(const weights_t *w, const effect_t *e, document_t *doc) {
    static const column_t columns[] = {{"layer", true},         {"weights", false},
                                       {"attention", false},    {"feed-forward", false},
                                       {"both streams", false}, {"its own", false},
                                       {"hashes moved", false}};
    arena_t *a = w->arena;
    table_t *t = table_new(a, 7, columns);
    for (int i = 0; i < e->n; i++) {
        const layer_effect_t *l = &e->layers[i];
        CELLS(a, t, layer_text(a, i), percent(a, weights_of_layer(w, i)),
              percent(a, distance_relative(&l->attention)),
              percent(a, distance_relative(&l->feed_forward)),
              percent(a, distance_relative(&l->output)), percent(a, effect_of_its_own(e, i)),
              moved_text(a, l));
    }
    section_t *s =
        document_section(doc, arena_printf(a, "layers, over %d window%s of %lld tokens", e->windows,
                                           e->windows == 1 ? "" : "s", (long long)e->window));
    s->table = t;
    s->note =
        "Against float32: relative errors of what a layer adds to the streams, and of the streams "
        "behind it, with all that the layers before it did; its own is what that error grows by in it.";
}

static void score_section(const weights_t *w, const effect_t *e, document_t *doc) {
    section_t *s = document_section(doc, "these windows");
    s->text = arena_printf(w->arena, "%.6f bits per byte in float32, %.6f rounded: %+.6f", e->exact,
                           e->rounded, e->rounded - e->exact);
}

/* ---- what could be otherwise ----------------------------------------------------------------- */

/* From here on the score shows what a layer of integers does, and that of bfloat16 less so
 * (docs/weights.md says how that was found). Layers behind one that is coarse have some of their
 * own, too, on what it gives them: so it is the worst that are named, and those
 * that are nearly as bad. */
static const double much_of_its_own = 0.03, nearly = 2.0 / 3;

static double max_of_its_own(const session_t *s, const effect_t *e) {
    double max = 0;
    for (int i = 0; i < e->n; i++)
        if (spec_dtype(s->spec, i) == DTYPE_INT8) max = fmax(max, effect_of_its_own(e, i));
    return max;
}

static void proposal_section(const session_t *s, const effect_t *e, document_t *doc) {
    static const column_t columns[] = {{NULL, true}};
    double max = s->spec->of_graph ? 0 : max_of_its_own(s, e);
    if (max <= much_of_its_own) return;
    double min = fmax(much_of_its_own, nearly * max);
    table_t *t = table_new(s->arena, 1, columns);
    for (int i = 0; i < e->n; i++)
        if (spec_dtype(s->spec, i) == DTYPE_INT8 && effect_of_its_own(e, i) >= min)
            CELLS(s->arena, t,
                  arena_printf(s->arena, "--set extensions.layers.%d.dtype=bfloat16", i));
    section_t *x = document_section(doc, "layers that integers are too coarse for");
    x->table = t;
    x->note = arena_printf(
        s->arena,
        "Of their own they move the streams by more than %.0f %%. Calibrate again with "
        "these: the others inherit less then.",
        100 * much_of_its_own);
}

/* ---- all of it ------------------------------------------------------------------------------- */

bool pack_report(const session_t *s, const unsigned char *file) {
    if (!pack_rounds(s)) return true;
    weights_t w = rounded_weights(s, file);
    document_t doc = {.arena = s->arena, .title = s->o->model};
    effect_t e;
    weights_section(&w, &doc);
    if (s->o->given[OPT_CALIBRATE]) {
        if (!pack_calibrate(s->o, &e, s->d)) return false;
        layers_section(&w, &e, &doc);
        score_section(&w, &e, &doc);
        proposal_section(s, &e, &doc);
    }
    sbuf_t out = {0};
    document_text(&doc, &out);
    bool ok = print_out(&out, s->d);
    sbuf_free(&out);
    return ok;
}
