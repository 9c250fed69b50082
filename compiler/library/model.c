/* A model: compiled, bound, asked, freed. The steps are those of the command line's session,
 * without its options: spec or graph → weights' names → plan → weights → executor. */
#include "library/library.h"

#include <string.h>

#include "spec/buckets.h"
#include "support/guard.h"
#include "support/heap.h"

/* ---- weights --------------------------------------------------------------------------------- */

/* Where they come from: one of the two, or neither. */
typedef struct {
    const char *path;
    st_file_t *tensors;
} weights_source_t;

static bool is_given(const weights_source_t *w) {
    return w->path || w->tensors;
}

/* The reference walks the store itself, a trainer begins with it; others have
 * packed what they need. */
static bool is_read_again(const reformerc_model_t *m) {
    return m->backend == BACKEND_REFERENCE || m->plan->updates;
}

static store_t *load(const reformerc_model_t *m, const weights_source_t *w, diag_t *d) {
    const graph_t *longest = m->plan->variants[m->plan->n_variants - 1].graph;
    store_options_t o = {
        .path = w->path, .tensors = w->tensors, .rotations_path = m->rotations, .seed = m->seed};
    store_t *s = store_load(longest, &o, d);
    if (!s || !w->tensors || !is_read_again(m) || store_own(s, d)) return s;
    store_free(s);
    return NULL;
}

static void keep_store(reformerc_model_t *m, store_t *s) {
    store_t *done = s;
    if (is_read_again(m)) {
        done = m->store;
        m->store = s;
    }
    store_free(done);
}

static int bind(reformerc_model_t *m, const weights_source_t *w, diag_t *d) {
    store_t *s = load(m, w, d);
    if (!s) return REFORMERC_E_WEIGHTS;
    if (!exec_bind(m->exec, s, d)) {
        store_free(s);
        return REFORMERC_E_WEIGHTS;
    }
    keep_store(m, s);
    return REFORMER_OK;
}

typedef struct {
    reformerc_model_t *m;
    weights_source_t w;
    const reformerc_tensor_t *tensors; /* [n] */
    size_t n;
} bind_t;

static int bind_path(void *arg, diag_t *d) {
    bind_t *b = arg;
    return bind(b->m, &b->w, d);
}

static int bind_given(void *arg, diag_t *d) {
    bind_t *b = arg;
    b->w.tensors = tensors_open(b->tensors, b->n, d);
    int code = b->w.tensors ? bind(b->m, &b->w, d) : REFORMERC_E_WEIGHTS;
    st_close(b->w.tensors);
    return code;
}

int reformerc_bind(reformerc_model_t *m, const char *weights, char **message) {
    if (message) *message = NULL;
    if (!m || m->trainer) return REFORMER_E_ARGUMENT;
    bind_t b = {.m = m, .w = {.path = weights ? weights : m->spec->weights_path}};
    return call_guarded(bind_path, &b, message);
}

int reformerc_bind_tensors(reformerc_model_t *m, const reformerc_tensor_t *tensors, size_t n,
                           char **message) {
    if (message) *message = NULL;
    if (!m || m->trainer) return REFORMER_E_ARGUMENT;
    bind_t b = {.m = m, .tensors = tensors, .n = n};
    return call_guarded(bind_given, &b, message);
}

/* ---- compiling ------------------------------------------------------------------------------- */

typedef struct {
    reformerc_model_t *m;
    const reformerc_options_t *o;
    const char *model, *text; /* as in reformerc.h */
    request_t request;
    weights_source_t weights;
    diag_t *d;
    bool ended; /* else the call was given up, and the model with it */
} compile_t;

static int read_model(compile_t *c, const char *model, const char *text) {
    reformerc_model_t *m = c->m;
    const request_t *r = &c->request;
    bool ok;
    if (text) {
        const char *name = arena_strdup(m->arena, model ? model : "spec");
        ok = model_parse(m->arena, &m->model, name, arena_strdup(m->arena, text), strlen(text),
                         r->settings, r->n_settings, c->d);
    } else {
        ok = model_load(m->arena, &m->model, arena_strdup(m->arena, model), r->settings,
                        r->n_settings, c->d);
    }
    m->spec = m->model.spec;
    return ok ? REFORMER_OK : REFORMERC_E_SPEC;
}

/* The weights' names decide the architecture where the spec does not. */
static int find_weights(compile_t *c) {
    const reformerc_options_t *o = c->o;
    weights_source_t *w = &c->weights;
    weights_kind_t kind = {0};
    if (o->tensors || o->n_tensors) {
        w->tensors = tensors_open(o->tensors, o->n_tensors, c->d);
        if (!w->tensors) return REFORMERC_E_WEIGHTS;
        kind = weights_kind_of(w->tensors);
    } else {
        w->path = o->weights ? o->weights : c->m->spec->weights_path;
        if (w->path && !weights_kind(w->path, &kind, c->d)) return REFORMERC_E_WEIGHTS;
    }
    bool ok = model_resolve(c->m->arena, &c->m->model, kind.has_lm_head, kind.has_classifier,
                            kind.has_qa, c->d);
    return ok ? REFORMER_OK : REFORMERC_E_SPEC;
}

/* A program that says no length wants to run any. */
static int make_plan(compile_t *c) {
    reformerc_model_t *m = c->m;
    if (m->spec->compile.length_mode == LENGTH_ABSENT)
        m->spec->compile.length_mode = LENGTH_DYNAMIC;
    plan_options_t p = {.name = "model",
                        .trace = c->o->trace,
                        .impose_buckets = c->o->impose_buckets,
                        .instrument = c->o->instrument,
                        .decodes = c->o->decode,
                        .train = c->o->train ? TRAIN_TOO : TRAIN_NOT,
                        .updates = true};
    target_request_t asked = {.names = c->request.targets,
                              .n = c->request.n_targets,
                              .where = "options.target",
                              .runs = true,
                              .backend = m->backend};
    if (!targets_choose(&p, m->spec, &asked, c->d))
        return c->request.n_targets ? REFORMERC_E_OPTION : REFORMERC_E_SPEC;
    m->plan = plan_of_model(m->arena, &m->model, &p, c->d);
    if (!m->plan) return REFORMERC_E_SPEC;
    const gnode_t *hash = m->model.graphs ? NULL : plan_hash(m->plan);
    if (!hash) return REFORMER_OK;
    buckets_taken_t taken = {m->spec, hash->layer, hash->n_factors, hash->factors,
                             m->plan->longest};
    buckets_warn_ahead(&taken, c->d);
    return REFORMER_OK;
}

static int make_code(compile_t *c) {
    exec_options_t o = c->request.exec;
    o.pool = pool_new(c->o->threads);
    c->m->exec = exec_open(c->m->plan, NULL, &o, c->d);
    pool_free(o.pool);
    return c->m->exec ? REFORMER_OK : REFORMERC_E_COMPILE;
}

/* Weights are read before compiling: what is wrong with them is known soonest. */
static int make_bound(compile_t *c) {
    store_t *s = NULL;
    if (is_given(&c->weights) && !(s = load(c->m, &c->weights, c->d))) return REFORMERC_E_WEIGHTS;
    int code = make_code(c);
    if (code == REFORMER_OK && s && !exec_bind(c->m->exec, s, c->d)) code = REFORMERC_E_WEIGHTS;
    if (code == REFORMER_OK && s) keep_store(c->m, s);
    else store_free(s);
    return code;
}

static reformerc_model_t *new_model(void) {
    reformerc_model_t *m = heap_new(1, sizeof *m);
    m->arena = arena_new();
    return m;
}

/* What the text of its tokens is, and what ends it. */
static int read_text(compile_t *c) {
    reformerc_model_t *m = c->m;
    text_kind_t kind = spec_text_kind(m->spec, m->model.facts.vocab);
    if (kind == TEXT_BYTES) m->text = "bytes";
    if (kind == TEXT_SENTENCEPIECE) {
        char *path = text_model_path(m->spec);
        m->text = arena_printf(m->arena, "sentencepiece:%s", path);
        heap_free(path);
    }
    if (!m->plan->step || spec_ends(m->arena, m->spec, &m->ends, c->d)) return REFORMER_OK;
    return REFORMERC_E_SPEC;
}

static int compile_stages(compile_t *c, const char *model, const char *text) {
    reformerc_model_t *m = c->m;
    if (!model && !text) {
        diag_error(c->d, NOWHERE, "neither a model nor the text of a spec was given");
        return REFORMER_E_ARGUMENT;
    }
    if (!request_read(&c->request, m->arena, c->o, c->d)) return REFORMERC_E_OPTION;
    m->backend = c->request.backend;
    m->seed = c->o->seed;
    if (c->o->rotations) m->rotations = arena_strdup(m->arena, c->o->rotations);
    int code = read_model(c, model, text);
    if (code == REFORMER_OK) code = find_weights(c);
    if (code == REFORMER_OK) code = make_plan(c);
    if (code == REFORMER_OK) code = read_text(c);
    return code == REFORMER_OK ? make_bound(c) : code;
}

/* The messages quote the spec, which the model owns: it outlives them. */
static int compile(void *arg, diag_t *d) {
    compile_t *c = arg;
    c->d = d;
    c->m = new_model();
    int code = compile_stages(c, c->model, c->text);
    st_close(c->weights.tensors);
    c->ended = true;
    return code;
}

static int wrong_size(void *arg, diag_t *d) {
    (void)arg;
    diag_error(d, IN_FILE("options"), "its size is not set, or another version's");
    diag_hint(d, "reformerc_options_t options = {.size = sizeof options, …}");
    return REFORMER_E_SIZE;
}

int reformerc_compile(reformerc_model_t **m, const char *model, const char *text,
                      const reformerc_options_t *options, char **message) {
    static const reformerc_options_t defaults = {.size = sizeof defaults};
    if (message) *message = NULL;
    if (!m) return REFORMER_E_ARGUMENT;
    *m = NULL;
    if (options && options->size != sizeof *options) return call_guarded(wrong_size, NULL, message);
    compile_t c = {.o = options ? options : &defaults, .model = model, .text = text};
    int code = call_guarded(compile, &c, message);
    if (code == REFORMER_OK) *m = c.m;
    else if (c.ended) reformerc_free(c.m);
    return code;
}

void reformerc_free(reformerc_model_t *m) {
    if (!m) return;
    exec_close(m->exec);
    store_free(m->store);
    arena_free(m->arena);
    heap_free(m);
}

/* ---- queries --------------------------------------------------------------------------------- */

int reformerc_info(const reformerc_model_t *m, reformerc_info_t *info) {
    reformer_desc_t desc;
    if (!m || !info) return REFORMER_E_ARGUMENT;
    if (info->size != sizeof *info) return REFORMER_E_SIZE;
    plan_describe_model(m->plan, &desc);
    *info = (reformerc_info_t){.size = sizeof(reformerc_info_t),
                               .backend = backend_names[m->backend],
                               .target = m->plan->targets[0]->name,
                               .head = desc.head,
                               .batch = desc.batch,
                               .max_length = desc.max_length,
                               .hidden = desc.hidden,
                               .vocab = desc.vocab,
                               .labels = desc.labels,
                               .pad_token = desc.pad_token,
                               .lsh_layers = desc.lsh_layers,
                               .heads = desc.heads,
                               .rounds = desc.rounds,
                               .variants = m->plan->n_variants,
                               .bound = exec_bound(m->exec),
                               .positions = exec_positions(m->exec)};
    return REFORMER_OK;
}

int64_t reformerc_padded_length(const reformerc_model_t *m, size_t length) {
    const variant_plan_t *v = plan_fitting(m->plan, length);
    if (!v) return 0;
    return variant_padded(v, (int64_t)length);
}

size_t reformerc_gradients_bytes(const reformerc_model_t *m) {
    return exec_gradients_bytes(m->exec);
}

int reformerc_gradient(const reformerc_model_t *m, size_t i, reformer_tensor_t *t) {
    if (!m || !t) return REFORMER_E_ARGUMENT;
    return exec_gradient(m->exec, i, t);
}

size_t reformerc_workspace_bytes(const reformerc_model_t *m, size_t length, int threads) {
    return exec_workspace_bytes(m->exec, length, threads);
}
