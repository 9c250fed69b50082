/* The steps of session.h. Nothing here computes; it decides what is loaded and built, and in which
 * order, from the options and the spec. */
#include "session/session.h"

#include <string.h>
#include <unistd.h>

#include "cli/apart.h"
#include "cli/outputs.h"
#include "cost/advice.h"
#include "exec/targets.h"
#include "machine/tuning.h"
#include "session/stages.h"
#include "support/clock.h"
#include "support/heap.h"
#include "text/text.h"

session_t session_new(const options_t *o, diag_t *d) {
    return (session_t){.o = o, .d = d, .arena = o->arena, .threads = session_threads(o)};
}

void session_free(session_t *s) {
    if (s->exec) exec_close(s->exec);
    if (s->store) store_free(s->store);
    pool_free(s->pool);
    profile_free(s->profile);
    *s = (session_t){0};
}

int session_threads(const options_t *o) {
    return o->threads ? o->threads : reformer_default_threads();
}

/* ---- spec and weights' names ----------------------------------------------------------------- */

/* What the spec names is read too. */
static bool spare_text_model(const session_t *s) {
    if (s->spec->compile.text != TEXT_SENTENCEPIECE) return true;
    char *path = text_model_path(s->spec);
    bool ok = outputs_spare(s->o, path, s->d);
    heap_free(path);
    return ok;
}

static void find_file(session_t *s, spec_key_t key, const char **name) {
    uint64_t seed;
    bool bad_seed;
    if (!*name || names_random(*name, &seed, &bad_seed)) return;
    char *path = spec_file_path(s->spec, key, *name);
    *name = arena_strdup(s->arena, path);
    heap_free(path);
}

/* Files that the section train: names are looked for as a SentencePiece model is. */
static void find_files_of_training(session_t *s) {
    find_file(s, KEY_train_text, &s->spec->train.text);
    find_file(s, KEY_train_eval_text, &s->spec->train.eval_text);
    find_file(s, KEY_train_weights, &s->spec->train.weights);
}

static const char *named_weights(const session_t *s) {
    const char *start = s->trains ? s->spec->train.weights : NULL;
    return start ? start : s->spec->weights_path;
}

bool session_spec(session_t *s) {
    const options_t *o = s->o;
    if (!check_stage_name(o, s->d)) return false;
    if (!model_load(s->arena, &s->model, o->model, o->sets, o->n_sets, s->d)) return false;
    s->spec = s->model.spec;
    if (!spare_text_model(s)) return false;
    if (s->trains) find_files_of_training(s);
    s->weights = o->given[OPT_WEIGHTS] ? o->text[OPT_WEIGHTS] : named_weights(s);
    weights_kind_t kind = {0};
    if (s->weights && !weights_kind(s->weights, &kind, s->d)) return false;
    return model_resolve(s->arena, &s->model, kind.has_lm_head, kind.has_classifier, kind.has_qa,
                         s->d) &&
           dump_spec(o, s->spec, s->d);
}

bool session_need_weights(session_t *s) {
    if (s->weights) return true;
    diag_error(s->d, IN_FILE(s->spec->path), "has no weights beside it");
    diag_hint(s->d, "--weights FILE, or --weights random");
    return false;
}

/* ---- plan, loops, weights, executor ---------------------------------------------------------- */

/* The reference walks no loops. */
static void choose_tiles(const session_t *s, const tiles_t *given, plan_options_t *p) {
    tuning_t *t = s->o->backend == BACKEND_REFERENCE ? NULL : s->o->tuning;
    bool trains = p->train != TRAIN_NOT || p->of_training;
    const char *shapes = given || !t ? NULL : tuning_shapes_of(t->arena, &s->model, trains);
    for (int i = 0; i < p->n_targets; i++)
        p->tiles[i] = given || !t ? given : tuning_tiles(t, p->targets[i], shapes);
}

session_plan_t session_translation(session_t *s, bool product) {
    if (product && s->spec->compile.length_mode == LENGTH_ABSENT)
        s->spec->compile.length_mode = LENGTH_DYNAMIC;
    return (session_plan_t){.decodes = true,
                            .train = spec_trains(s->spec) ? TRAIN_TOO : TRAIN_NOT,
                            .updates = true,
                            .product = product};
}

bool session_plan(session_t *s, const session_plan_t *want) {
    plan_options_t p = {.name = want->name,
                        .exact_length = want->exact_length,
                        .exact_batch = want->exact_batch,
                        .trace = want->trace,
                        .impose_buckets = want->impose_buckets,
                        .instrument = want->instrument || s->profile,
                        .decodes = want->decodes,
                        .train = want->train,
                        .of_training = s->trains,
                        .updates = want->updates,
                        .train_loss = want->train_loss};
    target_request_t asked = {.names = s->o->targets,
                              .n = s->o->n_targets,
                              .where = "--target",
                              .otherwise = want->runs      ? TARGET_NATIVE
                                           : want->product ? TARGET_LEVELS
                                                           : TARGET_BASELINE,
                              .runs = want->runs,
                              .backend = s->o->backend};
    if (!targets_choose(&p, s->spec, &asked, s->d)) return false;
    choose_tiles(s, want->tiles, &p);
    s->plan = plan_of_model(s->arena, &s->model, &p, s->d);
    if (!s->plan) return false;
    return dump_graphs(s->o, s->plan, s->d) &&
           store_fits(s->plan->variants[s->plan->n_variants - 1].graph, s->weights, s->d);
}

buckets_taken_t session_buckets(const session_t *s) {
    const gnode_t *hash = s->model.graphs ? NULL : plan_hash(s->plan); /* a graph has settled it */
    if (!hash) return (buckets_taken_t){.spec = s->spec, .longest = s->plan->longest};
    return (buckets_taken_t){s->spec, hash->layer, hash->n_factors, hash->factors,
                             s->plan->longest};
}

bool session_lower(session_t *s) {
    pass_options_t passes = pass_options_of(s->o);
    if (!plan_lower(s->plan, &passes, s->d)) return false;
    if (s->advises && !s->model.graphs && !s->o->given[OPT_NO_WARNINGS])
        advise(s->plan, ADVICE_SEVERE, s->d);
    dump_loops(s->o, s->plan);
    return true;
}

bool session_weights(session_t *s) {
    const plan_t *p = s->plan;
    bool begins = s->trains && !s->resumes && !s->o->given[OPT_EVAL_ONLY];
    store_options_t so = {.path = s->weights,
                          .rotations_path = s->o->text[OPT_ROTATIONS],
                          .seed = s->o->seed,
                          .fills = begins,
                          .new_head = begins && s->spec->train.new_head,
                          .fill_seed = (uint64_t)s->spec->train.seed};
    s->store = store_load(p->variants[p->n_variants - 1].graph, &so, s->d);
    return s->store != NULL;
}

bool session_compile(session_t *s) {
    s->pool = pool_new(s->threads);
    s->threads = pool_threads(s->pool);
    exec_options_t eo = {.backend = s->o->backend,
                         .cc = s->o->text[OPT_CC],
                         .pool = s->pool,
                         .time = s->o->given[OPT_TIME_PASSES],
                         .perf_map = s->o->given[OPT_PERF_MAP],
                         .no_cache = s->no_cache,
                         .passes = pass_options_of(s->o)};
    s->exec = exec_open(s->plan, NULL, &eo, s->d);
    return s->exec != NULL;
}

static void print_time(const session_t *s, double seconds, const char *what) {
    if (s->o->given[OPT_TIME_PASSES]) fprintf(stderr, "%8.0f ms  %s\n", 1e3 * seconds, what);
}

/* Code before weights: with --time-passes the first line is what stands between the command and its
 * first kernel, were it not for the weights. */
bool session_open(session_t *s) {
    if (s->o->backend != BACKEND_REFERENCE && !session_lower(s)) return false;
    if (!session_compile(s)) return false;
    print_time(s, clock_process(), "since the process began: code is ready");
    double start = clock_now();
    if (!session_weights(s)) return false;
    store_spend(s->store);
    if (!exec_bind(s->exec, s->store, s->d)) return false;
    print_time(s, clock_now() - start, "weights: read, packed, bound");
    return true;
}

/* ---- profiles -------------------------------------------------------------------------------- */

static void tell(session_t *s, reformer_io_t *io) {
    if (!s->profile) return;
    io->profile = profile_launch;
    io->profile_ctx = s->profile;
}

bool session_forward(session_t *s, reformer_io_t *io) {
    tell(s, io);
    profile_begin(s->profile, "forward");
    bool ok = exec_forward(s->exec, io, s->d);
    profile_end(s->profile);
    return ok;
}

bool session_gradients(session_t *s, reformer_io_t *io, float *gradients) {
    tell(s, io);
    profile_begin(s->profile, "train step");
    bool ok = exec_gradients(s->exec, io, gradients, s->d);
    profile_end(s->profile);
    return ok;
}

bool session_profile_open(session_t *s) {
    const options_t *o = s->o;
    const char *path = o->text[OPT_PROFILE];
    if (!path) return true;
    if (o->backend == BACKEND_REFERENCE || o->backend == BACKEND_INTERPRETER) {
        diag_error(s->d, IN_FILE("--instrument"), "back end %s has no launches to time",
                   backend_names[o->backend]);
        return false;
    }
    if (strcmp(path, "-") == 0) {
        diag_error(s->d, IN_FILE("--instrument"), "the trace goes into a file, not to stdout");
        return false;
    }
    s->profile = profile_new();
    return output_place_check(path, s->d);
}

bool session_profile_put(session_t *s, output_set_t *set) {
    const options_t *o = s->o;
    if (!s->profile) return true;
    const char *process =
        arena_printf(s->arena, "reformerc %s %s: back end %s, %s, %d thread%s", o->command->name,
                     o->model, backend_names[o->backend], s->plan->targets[0]->name, s->threads,
                     s->threads == 1 ? "" : "s");
    return profile_put(s->profile, o->text[OPT_PROFILE], process, set, s->d);
}

reformer_decode_t session_decode_io(const session_t *s, const reformer_decode_t *io) {
    reformer_decode_t whole = *io;
    whole.threads = s->threads;
    whole.pool = pool_interface(s->pool);
    if (s->profile) {
        whole.profile = profile_launch;
        whole.profile_ctx = s->profile;
    }
    return whole;
}
