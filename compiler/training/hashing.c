/* Evaluation with other rounds of hashing than a model learns with (training.h),
 * or with exact attention.
 *
 * In: a training, and the options that it has, or had before other hashing was asked of it. Out: an
 * executor of the same model with this hashing, which reads the learner's newest weights. Rotations
 * are those that `eval` draws for these settings. Exact attention is that of rows of at most one
 * chunk: chunks are made as long as the longest row. */
#include <stdlib.h>
#include <string.h>

#include "session/stages.h"
#include "training/training.h"

struct hashing {
    options_t o;
    session_t session;
    st_file_t *weights; /* the learner's tensors, in its memory */
};

/* ---- settings -------------------------------------------------------------------------------- */

/* As of a copy, whose list of settings grows without the original's. */
static void add_setting(options_t *o, const char *key, const char *value) {
    o->cap_sets = (size_t)o->n_sets;
    options_set(o, key, value);
}

void hashing_settings(options_t *o, const char *hashes) {
    if (strcmp(hashes, HASHING_FULL) != 0) {
        add_setting(o, "num_hashes", hashes);
        return;
    }
    loaded_model_t m;
    diag_t *silent = diag_new(); /* who loads it with these settings hears what is wrong */
    if (model_load(o->arena, &m, o->model, o->sets, o->n_sets, silent)) {
        const char *chunk = arena_printf(o->arena, "%lld", (long long)m.facts.longest);
        add_setting(o, "lsh_attn_chunk_length", chunk);
        add_setting(o, "local_attn_chunk_length", chunk);
    }
    diag_free(silent);
}

/* ---- the plan -------------------------------------------------------------------------------- */

/* Whether the graph computes what was asked for: a layer may have settings of its own, a row may
 * be shorter than a chunk. */
static bool takes_effect(const graph_t *g, const char *hashes) {
    if (strcmp(hashes, HASHING_FULL) == 0)
        return !graph_next(g, G_LSH_ATTENTION, NULL) && !graph_next(g, G_LOCAL_ATTENTION, NULL);
    int64_t rounds = strtoll(hashes, NULL, 10);
    for (const gnode_t *n = NULL; (n = graph_next(g, G_LSH_HASH, n));)
        if (n->rounds == rounds) return true;
    return false;
}

static bool check_effect(const training_t *t, const hashing_t *h, const char *hashes, srcloc_t at) {
    if (takes_effect(h->session.plan->variants[0].graph, hashes)) return true;
    if (strcmp(hashes, HASHING_FULL) == 0) {
        diag_error(t->d, at, "%s: not all attention of this model becomes exact", hashes);
        diag_hint(t->d, "layers of extensions.layers have chunk lengths of their own");
        return false;
    }
    diag_error(t->d, at,
               "%s: no layer takes its rounds of hashing from num_hashes for rows of %lld tokens",
               hashes, (long long)t->feed.length);
    diag_hint(
        t->d,
        "attention is exact where a chunk is as long as a row; layers of extensions.layers may "
        "have a num_hashes of their own");
    return false;
}

static bool plan(training_t *t, hashing_t *h) {
    session_plan_t want = {
        .name = "model", .exact_length = t->feed.length, .exact_batch = t->feed.rows, .runs = true};
    if (!session_spec(&h->session)) return false;
    if (!h->session.model.graphs) training_sizes(h->session.spec);
    return session_plan(&h->session, &want);
}

hashing_t *hashing_plan(training_t *t, const options_t *o, const char *hashes, srcloc_t at) {
    hashing_t *h = ARENA_NEW(t->arena, hashing_t);
    diag_t *d = diag_new();
    diag_silence_warnings(d); /* the training has said them */
    h->o = *o;
    h->o.text[OPT_DUMP] = NULL;
    hashing_settings(&h->o, hashes);
    h->session = session_new(&h->o, d);
    h->session.trains = true;
    bool ok = plan(t, h);
    diag_append(t->d, d);
    diag_free(d);
    h->session.d = t->d;
    if (ok && check_effect(t, h, hashes, at)) return h;
    hashing_close(h);
    return NULL;
}

bool hashing_of_spec(training_t *t) {
    int64_t n = t->spec->train.eval_num_hashes;
    if (n < 0) return true;
    const char *hashes = arena_printf(t->arena, "%lld", (long long)n);
    t->hashing = hashing_plan(t, t->o, hashes, t->spec->at[KEY_train_eval_num_hashes]);
    return t->hashing != NULL;
}

/* ---- weights --------------------------------------------------------------------------------- */

/* All that the learner's store has (or, where nothing is learnt, the one that was read) but
 * rotations, whose number is another. */
static bool take_tensors(training_t *t, hashing_t *h) {
    const graph_t *g = h->session.plan->variants[0].graph;
    const store_t *from = t->learner ? exec_learner_store(t->learner) : t->s->store;
    st_tensor_t *list = ARENA_ARRAY(t->arena, st_tensor_t, g->n_nodes);
    size_t n = 0;
    for (const gnode_t *p = NULL; (p = graph_next(g, G_PARAM, p));) {
        const tensor_t *x = store_find(from, p->name);
        int layer;
        if (!x || names_rotations(p->name, &layer)) continue;
        st_tensor_t *to = &list[n++];
        *to = (st_tensor_t){.name = x->name,
                            .dtype = ST_F32,
                            .rank = x->rank,
                            .elements = x->elements,
                            .data = (const unsigned char *)x->data,
                            .bytes = (size_t)x->elements * sizeof *x->data};
        memcpy(to->shape, x->shape, sizeof to->shape);
    }
    h->weights = st_from_memory("the weights learnt", list, n, t->d);
    store_options_t so = {
        .tensors = h->weights, .rotations_path = h->o.text[OPT_ROTATIONS], .seed = h->o.seed};
    h->session.store = h->weights ? store_load(g, &so, t->d) : NULL;
    return h->session.store != NULL;
}

static bool compile(training_t *t, hashing_t *h) {
    exec_options_t eo = {.backend = t->o->backend,
                         .cc = t->o->text[OPT_CC],
                         .pool = t->s->pool,
                         .passes = pass_options_of(&h->o)};
    h->session.exec = exec_open(h->session.plan, NULL, &eo, t->d);
    return h->session.exec && take_tensors(t, h);
}

exec_t *hashing_bind(training_t *t, hashing_t *h) {
    exec_t **e = &h->session.exec;
    if (!*e && !compile(t, h)) return NULL;
    return exec_bind(*e, h->session.store, t->d) ? *e : NULL;
}

const session_t *hashing_session(const hashing_t *h) {
    return &h->session;
}

void hashing_close(hashing_t *h) {
    if (!h) return;
    session_free(&h->session);
    st_close(h->weights);
}
