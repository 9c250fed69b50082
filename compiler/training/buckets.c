/* How LSH layers fill their buckets (training.h): the failure that only they have is that most
 * tokens crowd into a few.
 *
 * In: the newest weights, one batch. A forward with traces, in code of its own, shows the buckets.
 * Out: of all layers, rows, heads and rounds together empty buckets as a share of all, and the
 * largest as a multiple of what evenly filled ones hold. */
#include <math.h>
#include <string.h>

#include "support/heap.h"
#include "training/training.h"

typedef struct buckets_watch {
    session_t session;     /* the same model with traces */
    const session_t *like; /* whose store it reads, NULL: the learner's, or the training's */
    data_batch_t batch;
    int64_t *count; /* [most buckets + 1] */
    int64_t padded; /* of the batch */
    double tables, empty, buckets, largest;
} buckets_watch_t;

/* ---- counting -------------------------------------------------------------------------------- */

static const gnode_t *hash_of_layer(const graph_t *g, const char *name) {
    const char *what = name;
    int layer = layer_of_name(name, &what);
    if (layer < 0 || strcmp(what, "buckets") != 0) return NULL;
    for (const gnode_t *n = NULL; (n = graph_next(g, G_LSH_HASH, n));)
        if (n->layer == layer) return n;
    return NULL;
}

static int64_t buckets_of(const gnode_t *hash) {
    int64_t n = 1;
    for (int i = 0; i < hash->n_factors; i++) n *= hash->factors[i];
    return n;
}

/* One head's round: buckets first … first + n - 1; tokens that are none have the one behind. */
static void count_table(buckets_watch_t *w, const int32_t *bucket, int64_t tokens, int64_t first,
                        int64_t n) {
    int64_t all = 0, max = 0;
    memset(w->count, 0, (size_t)n * sizeof *w->count);
    for (int64_t i = 0; i < tokens; i++) {
        int64_t k = bucket[i] - first;
        if (k < 0 || k >= n) continue;
        w->count[k]++;
        all++;
    }
    for (int64_t k = 0; k < n; k++) {
        w->empty += w->count[k] == 0;
        if (w->count[k] > max) max = w->count[k];
    }
    w->buckets += (double)n;
    if (all > 0) w->largest = fmax(w->largest, (double)(max * n) / (double)all);
}

static void look(void *ctx, const char *name, const void *data, int dtype, const int64_t *shape,
                 int rank) {
    buckets_watch_t *w = ctx;
    const gnode_t *hash = hash_of_layer(w->session.plan->variants[0].graph, name);
    if (!hash || dtype != REFORMER_I32 || rank != 4) return;
    int64_t n = buckets_of(hash), heads = shape[1], rounds = shape[2], tokens = shape[3];
    bool masked = w->batch.padded || tokens > w->batch.length;
    const int32_t *table = data;

    for (int64_t i = 0; i < w->batch.rows * heads * rounds; i++, table += tokens)
        count_table(w, table, tokens, i % rounds * (n + masked), n);
}

/* ---- the forward ----------------------------------------------------------------------------- */

static int64_t max_buckets(const graph_t *g) {
    int64_t max = 0;
    for (const gnode_t *n = NULL; (n = graph_next(g, G_LSH_HASH, n));)
        if (buckets_of(n) > max) max = buckets_of(n);
    return max;
}

/* A training is watched as it learns; what is only judged, by the hashing that
 * it is judged with. */
bool buckets_open(training_t *t) {
    bool judged = t->hashing && t->o->given[OPT_EVAL_ONLY];
    const session_t *s = judged ? hashing_session(t->hashing) : t->s;
    int64_t max = max_buckets(s->plan->variants[0].graph);
    if (!t->feed.data || max == 0) return true;
    buckets_watch_t *w = t->buckets = ARENA_NEW(t->arena, buckets_watch_t);
    session_plan_t want = {.name = "model",
                           .exact_length = t->feed.length,
                           .exact_batch = t->feed.rows,
                           .runs = true,
                           .trace = true};
    exec_options_t eo = {.backend = t->o->backend, .cc = t->o->text[OPT_CC], .pool = t->s->pool};
    w->like = judged ? s : NULL;
    w->session = session_new(s->o, t->d);
    w->session.model = s->model;
    w->session.spec = s->spec;
    w->session.weights = s->weights;
    w->count = ARENA_ARRAY(t->arena, int64_t, max + 1);
    w->batch = data_batch_new(t->feed.rows, t->feed.length);
    if (!session_plan(&w->session, &want)) return false;
    w->session.exec = exec_open(w->session.plan, NULL, &eo, t->d);
    return w->session.exec != NULL;
}

static bool take_batch(training_t *t, buckets_watch_t *w) {
    const feed_t *f = &t->feed;
    return train_evaluates(t) ? data_eval(f->data, 0, f->rows, &w->batch, t->d)
                              : data_rows(f->data, 0, 0, f->rows, &w->batch, t->d);
}

bool buckets_look(training_t *t, metric_t *row) {
    buckets_watch_t *w = t->buckets;
    if (!w) return true;
    float loss;
    w->empty = w->buckets = w->largest = 0;
    const store_t *newest = t->learner ? exec_learner_store(t->learner)
                            : w->like  ? w->like->store
                                       : t->s->store;
    if (!take_batch(t, w) || !exec_bind(w->session.exec, newest, t->d)) return false;
    reformer_io_t io = batch_io(&w->batch);
    io.threads = t->s->threads;
    io.pool = pool_interface(t->s->pool);
    io.loss = &loss;
    io.trace = look;
    io.trace_ctx = w;
    if (!exec_forward(w->session.exec, &io, t->d)) return false;
    if (w->buckets == 0) return true;
    row->empty = w->empty / w->buckets;
    row->largest = w->largest;
    return true;
}

void buckets_close(training_t *t) {
    if (!t->buckets) return;
    data_batch_free(&t->buckets->batch);
    session_free(&t->buckets->session);
}
