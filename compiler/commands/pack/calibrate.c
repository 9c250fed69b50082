/* The measurement of calibrate.h.
 *
 * In: a causal language model and a text. Windows of the text, evenly spread, go through two
 * executors: one of float32, one of the number types that are asked for. Both hash with what they
 * have, so that a moved bucket counts as what it is. Out: sums over all windows, of what each layer
 * adds to the streams, of the streams, of buckets, of the loss. */
#include <math.h>
#include <string.h>

#include "commands/pack/calibrate.h"
#include "report/progress.h"
#include "session/score.h"
#include "support/heap.h"
#include "tensors/tensors.h"

enum { WINDOWS = 8, LONGEST_WINDOW = 4096 };

void distance_add(distance_t *d, const float *x, const float *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double apart = (double)x[i] - (double)y[i];
        d->apart += apart * apart;
        d->size += (double)y[i] * (double)y[i];
    }
}

double distance_relative(const distance_t *d) {
    return d->apart > 0 ? sqrt(d->apart / d->size) : 0;
}

/* Both streams begin with the embeddings. */
double effect_of_its_own(const effect_t *e, int layer) {
    const distance_t *behind = &e->layers[layer].output;
    double before = layer ? e->layers[layer - 1].output.apart : 2 * e->embeddings.apart;
    return behind->apart > before ? sqrt((behind->apart - before) / behind->size) : 0;
}

/* ---- two executors --------------------------------------------------------------------------- */

typedef struct {
    options_t options[2]; /* float32, rounded */
    session_t session[2];
    score_t score[2];
    effect_t *effect;
    results_t exact; /* traced tensors of the window at hand */
    diag_t *d;
} rounded_pair_t;

/* One length, that of the windows. */
static void choose_length(session_t *s) {
    if (s->spec->compile.length_mode != LENGTH_ABSENT || s->model.graphs) return;
    int64_t longest = spec_max_length(s->spec);
    s->spec->compile.length_mode = LENGTH_FIXED;
    s->spec->compile.n_lengths = 1;
    s->spec->compile.lengths[0] = longest < LONGEST_WINDOW ? longest : LONGEST_WINDOW;
}

static bool open_session(rounded_pair_t *p, int k) {
    session_t *s = &p->session[k];
    *s = session_new(&p->options[k], p->d);
    if (!score_spec(s)) return false;
    choose_length(s);
    session_plan_t want = {.name = "model", .runs = true, .trace = true};
    if (!session_plan(s, &want) || !session_open(s)) return false;
    p->score[k] = score_new(s);
    return true;
}

/* ---- a window -------------------------------------------------------------------------------- */

static void compare_buckets(layer_effect_t *l, const int32_t *x, const int32_t *y, int64_t n) {
    l->hashes += n;
    for (int64_t i = 0; i < n; i++) l->moved += x[i] != y[i];
}

static distance_t *distance_of(layer_effect_t *l, const char *what) {
    if (strcmp(what, "attention") == 0) return &l->attention;
    if (strcmp(what, "feed_forward") == 0) return &l->feed_forward;
    return strcmp(what, "y1") == 0 || strcmp(what, "y2") == 0 ? &l->output : NULL;
}

/* Of the rounded model, while the other's tensors are there. */
static void compare_tensor(void *ctx, const char *name, const void *data, int dtype,
                           const int64_t *shape, int rank) {
    rounded_pair_t *p = ctx;
    const result_t *was = results_find(&p->exact, name);
    const char *what = name;
    int layer = layer_of_name(name, &what);
    (void)dtype, (void)shape, (void)rank;
    if (!was) return;
    int64_t n = (int64_t)(was->bytes / sizeof(float));
    if (strcmp(name, "embeddings") == 0) distance_add(&p->effect->embeddings, data, was->data, n);
    if (layer < 0 || layer >= p->effect->n) return;
    layer_effect_t *l = &p->effect->layers[layer];
    distance_t *d = distance_of(l, what);
    if (d) distance_add(d, data, was->data, n);
    if (strcmp(what, "buckets") == 0) compare_buckets(l, data, was->data, n);
}

static bool run_side(rounded_pair_t *p, int k, const tokens_t *t, int64_t at, int64_t length) {
    session_t *s = &p->session[k];
    float loss = 0;
    trace_sink_t keep = {&p->exact, p->d};
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = t->ids + at,
                        .labels = t->ids + at,
                        .batch = 1,
                        .length = (size_t)length,
                        .threads = s->threads,
                        .pool = pool_interface(s->pool),
                        .loss = &loss,
                        .trace = k == 0 ? results_trace : compare_tensor,
                        .trace_ctx = k == 0 ? (void *)&keep : p};
    if (!session_forward(s, &io) || diag_errors(p->d) > 0) return false;
    p->score[k].nats += (double)loss * (double)(length - 1);
    p->score[k].bytes += tokens_bytes(t, at + 1, at + length);
    if (isfinite(loss)) return true;
    diag_error(p->d, NOWHERE, "the loss is not a finite number: these weights overflow");
    return false;
}

static bool run_windows(rounded_pair_t *p, const tokens_t *t) {
    effect_t *e = p->effect;
    int64_t max = p->score[0].window < LONGEST_WINDOW ? p->score[0].window : LONGEST_WINDOW;
    int64_t whole = t->n / max;
    e->window = whole < 1 ? t->n : max;
    e->windows = whole < 1 ? 1 : whole < WINDOWS ? (int)whole : WINDOWS;
    progress_t progress = progress_new("windows", 0);
    bool ok = true;
    for (int w = 0; ok && w < e->windows; w++) {
        int64_t at = whole < 1 ? 0 : whole * w / e->windows * max;
        ok = run_side(p, 0, t, at, e->window) && run_side(p, 1, t, at, e->window);
        results_free(&p->exact);
        if (ok) progress_show(&progress, w + 1, e->windows, "");
    }
    progress_finish(&progress);
    return ok;
}

/* ---- both ------------------------------------------------------------------------------------ */

/* The rounded model's, with float32 for the whole and for each layer that has a type of its own. */
static void make_exact(rounded_pair_t *p) {
    options_t *o = &p->options[0];
    const spec_t *s = p->session[1].spec;
    o->sets = arena_copy(o->arena, o->sets, (size_t)o->n_sets * sizeof *o->sets);
    o->cap_sets = (size_t)o->n_sets;
    options_set(o, "compile.dtype", "float32");
    for (int i = 0; i < s->n_layers && !s->of_graph; i++)
        if (spec_dtype(s, i) != s->compile.dtype)
            options_set(o, arena_printf(o->arena, "extensions.layers.%d.dtype", i), "float32");
}

/* Of a graph's text, whose head counts none, too. */
static int layers_of(const plan_t *p) {
    const graph_t *g = p->variants[p->n_variants - 1].graph;
    int n = 0;
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->layer >= n) n = g->nodes[i]->layer + 1;
    return n;
}

static bool measure(rounded_pair_t *p) {
    const options_t *o = &p->options[1];
    const char *path = o->text[OPT_CALIBRATE];
    if (!open_session(p, 1)) return false;
    make_exact(p);
    if (!open_session(p, 0)) return false;
    session_t *s = &p->session[0];
    p->effect->n = layers_of(s->plan);
    p->effect->layers = ARENA_ARRAY(o->arena, layer_effect_t, p->effect->n + 1);
    text_t *text = text_open(&s->model, p->d);
    tokens_t t = {0};
    bool ok = text && score_read(text, path, &t, p->d) && run_windows(p, &t);
    p->effect->exact = score_bits(&p->score[0]);
    p->effect->rounded = score_bits(&p->score[1]);
    tokens_free(&t);
    text_free(text);
    return ok;
}

bool pack_calibrate(const options_t *o, effect_t *e, diag_t *d) {
    rounded_pair_t p = {.options = {*o, *o}, .effect = e, .d = d};
    *e = (effect_t){0};
    bool ok = measure(&p);
    for (int k = 0; k < 2; k++)
        if (p.session[k].o) session_free(&p.session[k]);
    results_free(&p.exact);
    return ok;
}
