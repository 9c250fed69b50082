/* What translation, run and eval share: spec or graphs → weights' names → plan
 * → weights → executor.
 *
 * Each step is one function, called in this order; each returns false after errors in the session's
 * diag. session_free() at any point. --dump of a stage happens where the stage is made. */
#ifndef REFORMERC_SESSION_SESSION_H
#define REFORMERC_SESSION_SESSION_H

#include "cli/options.h"
#include "exec/pool.h"
#include "graph/model.h"
#include "machine/profile.h"
#include "spec/buckets.h"

typedef struct {
    const options_t *o;
    diag_t *d;
    arena_t *arena;
    loaded_model_t model;
    spec_t *spec;        /* the model's: of graphs their head */
    const char *weights; /* --weights, else the checkpoint's own; NULL: none */
    plan_t *plan;
    store_t *store;
    exec_t *exec;
    pool_t *pool; /* workers, from session_open on; NULL: this thread alone */
    int threads;
    bool no_cache; /* compile anew, to see how long it takes */
    /* train.weights of the spec comes before a checkpoint's own; what weights lack is drawn */
    bool trains;
    bool resumes;       /* the weights are a checkpoint of this training, which lacks none */
    bool advises;       /* lowering warns of settings that waste much time */
    profile_t *profile; /* launches of instrumented code are told to it; NULL: they are not */
} session_t;

session_t session_new(const options_t *o, diag_t *d); /* memory: the options' arena */
void session_free(session_t *s);

/* Loads the model; a spec's architecture comes from it, else from the names in the weights file. */
bool session_spec(session_t *s);
/* What runs at once cannot do without weights: an error unless there are some. */
bool session_need_weights(session_t *s);
/* `exact_length` and `exact_batch`: as in plan_options_t. `runs`: targets default to native and
 * only the best one that this CPU has is kept. `product`: they default to all
 * levels of this architecture. */
typedef struct {
    const char *name;
    int64_t exact_length, exact_batch;
    bool runs, product, trace, impose_buckets, instrument;
    bool decodes; /* causal LMs: with prefills and steps */
    train_t train;
    bool updates;           /* as in plan_options_t */
    const char *train_loss; /* as in plan_options_t */
    const tiles_t *tiles;   /* of every target; NULL: those of --tuning, else the analytic choice */
} session_plan_t;
/* What a translation asks for, but for its name; so does `pack`, whose file is the one that the
 * code takes. A product is of any length, unless somebody says so. */
session_plan_t session_translation(session_t *s, bool product);
bool session_plan(session_t *s, const session_plan_t *want);
/* Of the planned session, for the warnings of spec/buckets.h. */
buckets_taken_t session_buckets(const session_t *s);
bool session_lower(session_t *s); /* plan → Loops, through the passes */
bool session_weights(session_t *s);
bool session_compile(session_t *s); /* an executor without weights; lowers if nothing has */
bool session_open(session_t *s);    /* lowers (unless the reference runs), loads weights, opens */

/* exec_forward(), exec_gradients() of the open session, told to its profile. */
bool session_forward(session_t *s, reformer_io_t *io);
bool session_gradients(session_t *s, reformer_io_t *io, float *gradients);
/* A prefill or step with what the session adds to it: its threads, workers and profile. */
reformer_decode_t session_decode_io(const session_t *s, const reformer_decode_t *io);
/* --instrument FILE of run and eval: makes the profile before the plan is made, where the file can
 * be written; writes it as one of the command's outputs when all went well. False
 * after an error in d. */
bool session_profile_open(session_t *s);
bool session_profile_put(session_t *s, output_set_t *set);

/* Workers: --threads, else every core that this process may run on. */
int session_threads(const options_t *o);

#endif
