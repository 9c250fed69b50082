/* A model ready to be timed: compiled, with weights, random tokens and room for what it computes.
 * What `bench` and `tune` measure. */
#ifndef REFORMERC_SESSION_TIMED_H
#define REFORMERC_SESSION_TIMED_H

#include "exec/learn.h"
#include "session/session.h"
#include "tensors/tensors.h"

typedef struct {
    options_t o;
    session_t s;
    int64_t length; /* of the tokens, where code takes several; 0: as inputs_random() */
    inputs_t in;
    float loss, *hidden; /* hidden: [batch][length][2 * hidden_size], of a model without a head */
    float *gradients;    /* --train: what is timed is a train step */
    exec_learner_t *learner; /* timed_learn(): of whom updates are timed; NULL: of nobody */
} timed_t;

/* Whether code of this back end can be timed; false after an error in d that blames `where`. */
bool timed_backend(backend_t b, const char *where, diag_t *d);

/* `o` for code of one length and batch, with as many workers; target NULL: what `o` defaults to.
 * Weights that are not given are random. */
options_t timed_options(const options_t *o, arena_t *a, int64_t length, int64_t batch,
                        const char *target, int threads);
/* Spec and plan; tiles NULL: as the options say. */
bool timed_plan(session_t *s, const tiles_t *tiles);

/* x->o is there, and stays where it is; x->s is an unplanned session of it. False after errors in
 * the session's diag; timed_close() in any case. */
bool timed_lower(timed_t *x, const tiles_t *tiles);
/* Code, weights and tokens for what was lowered. `like`: the same model, whose weights are taken;
 * NULL: weights of its own. */
bool timed_compile(timed_t *x, const timed_t *like);
void timed_close(timed_t *x);

bool timed_trains(const options_t *o);
/* "forward", "train step": what its profile calls all of it */
const char *timed_name(const options_t *o);
size_t timed_workspace(const timed_t *x, int threads); /* bytes, gradients too */
/* Seconds of one forward, or train step, the mean of `inner`; 0 after an error. */
double timed_forward(timed_t *x, int inner, int threads, const pool_t *pool);
/* With --train: so that updates can be timed, on so many threads. False after an error. What train
 * steps read is the learner's then. */
bool timed_learn(timed_t *x, int threads, const pool_t *pool);
double timed_update(timed_t *x, int inner); /* seconds of one update; 0 after an error */
/* A measurement takes no less than this; short forwards are run several times. */
enum { MAX_INNER = 1000 /* a profile holds the launches of so many */ };
extern const double min_seconds;
int timed_inner(
    double seconds); /* forwards of a measurement, each of `seconds`; 0: that is no time */

#endif
