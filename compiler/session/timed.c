/* Making and running what timed.h promises. In: options. Out: seconds of a forward. */
#include "session/timed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "session/gradients.h"
#include "support/clock.h"
#include "support/heap.h"

const double min_seconds = 0.02;

bool timed_backend(backend_t b, const char *where, diag_t *d) {
    if (b == BACKEND_JIT || b == BACKEND_C) return true;
    diag_error(d, IN_FILE(where), "%s compiles nothing that could be measured; jit or c",
               backend_names[b]);
    return false;
}

options_t timed_options(const options_t *o, arena_t *a, int64_t length, int64_t batch,
                        const char *target, int threads) {
    options_t mine = *o;
    mine.arena = a;
    mine.threads = threads;
    options_set(&mine, "compile.sequence_length", arena_printf(a, "%lld", (long long)length));
    options_set(&mine, "compile.batch_size", arena_printf(a, "%lld", (long long)batch));
    mine.n_targets = target ? 1 : 0;
    mine.targets[0] = target;
    if (!mine.given[OPT_WEIGHTS]) mine.text[OPT_WEIGHTS] = "random";
    mine.given[OPT_WEIGHTS] = true;
    return mine;
}

bool timed_trains(const options_t *o) {
    return o->given[OPT_TRAIN];
}

const char *timed_name(const options_t *o) {
    return timed_trains(o) ? "train step" : "forward";
}

bool timed_plan(session_t *s, const tiles_t *tiles) {
    session_plan_t want = {.name = "model", .runs = true, .tiles = tiles};
    if (timed_trains(s->o)) want.train = TRAIN_ALONE, want.updates = true;
    return session_spec(s) && (!timed_trains(s->o) || gradients_possible(s)) &&
           session_plan(s, &want);
}

bool timed_lower(timed_t *x, const tiles_t *tiles) {
    return timed_plan(&x->s, tiles) && session_lower(&x->s);
}

static bool load_weights(timed_t *x) {
    return session_weights(&x->s) && exec_bind(x->s.exec, x->s.store, x->s.d);
}

static bool make_room(timed_t *x) {
    if (timed_trains(&x->o)) return (x->gradients = exec_gradients_new(x->s.exec, x->s.d)) != NULL;
    if (x->s.model.facts.head != ARCH_BASE) return true;
    int64_t shape[] = {x->in.batch, x->in.length, 2 * x->s.model.facts.hidden};
    size_t bytes;
    if (checked_product(shape, 3, sizeof *x->hidden, &bytes)) x->hidden = malloc(bytes);
    if (!x->hidden) diag_no_memory(x->s.d, NOWHERE, "not enough memory for last_hidden_state");
    return x->hidden != NULL;
}

bool timed_compile(timed_t *x, const timed_t *like) {
    if (!session_compile(&x->s)) return false;
    if (like ? !exec_bind(x->s.exec, like->s.store, x->s.d) : !load_weights(x)) return false;
    return inputs_random(&x->in, x->o.arena, &x->s.model, "random", x->length, x->s.d) &&
           make_room(x);
}

void timed_close(timed_t *x) {
    exec_learner_free(x->learner);
    session_free(&x->s);
    heap_free(x->hidden);
    heap_free(x->gradients);
    *x = (timed_t){0};
}

/* Labels ask for the loss, as eval does; without a head the hidden state is what is wanted. */
static reformer_io_t io_of(timed_t *x, int threads, const pool_t *pool) {
    return (reformer_io_t){.size = sizeof(reformer_io_t),
                           .input_ids = x->in.input_ids,
                           .batch = (size_t)x->in.batch,
                           .length = (size_t)x->in.length,
                           .threads = threads,
                           .pool = pool_interface(pool),
                           .labels = x->in.labels,
                           .labels_f32 = x->in.labels_f32,
                           .start_positions = x->in.start_positions,
                           .end_positions = x->in.end_positions,
                           .last_hidden_state = x->hidden,
                           .loss = x->hidden ? NULL : &x->loss};
}

size_t timed_workspace(const timed_t *x, int threads) {
    const exec_t *e = x->s.exec;
    size_t length = (size_t)x->in.length;
    if (!timed_trains(&x->o)) return exec_workspace_bytes(e, length, threads);
    return exec_train_bytes(e, length, threads) + exec_gradients_bytes(e);
}

double timed_forward(timed_t *x, int inner, int threads, const pool_t *pool) {
    double start = clock_now();
    for (int k = 0; k < inner; k++) {
        reformer_io_t io = io_of(x, threads, pool);
        bool ok = x->gradients ? session_gradients(&x->s, &io, x->gradients)
                               : session_forward(&x->s, &io);
        if (!ok) return 0;
    }
    double seconds = (clock_now() - start) / inner;
    return seconds > 0 ? seconds : 1e-9;
}

/* ---- updates --------------------------------------------------------------------------------- */

/* Updates by gradients of zero: however many there are, the weights are what they
 * were, but for some decay. */
bool timed_learn(timed_t *x, int threads, const pool_t *pool) {
    reformer_io_t io = io_of(x, threads, pool);
    diag_t *d = x->s.d;
    if (!x->learner) x->learner = exec_learner_new(x->s.exec, x->s.store, d);
    if (!x->learner || !exec_learn_gradients(x->learner, &io, 1, true, d)) return false;
    size_t floats;
    float *sum = exec_learner_sum(x->learner, &floats);
    memset(sum, 0, floats * sizeof *sum);
    return true;
}

double timed_update(timed_t *x, int inner) {
    exec_update_t done;
    double start = clock_now();
    for (int k = 0; k < inner; k++)
        if (!exec_learn_update(x->learner, &done, x->s.d)) return 0;
    double seconds = (clock_now() - start) / inner;
    return seconds > 0 ? seconds : 1e-9;
}

/* ---- repetitions ----------------------------------------------------------------------------- */

int timed_inner(double seconds) {
    if (seconds <= 0) return 0;
    double inner = ceil(min_seconds / seconds);
    return inner > MAX_INNER ? MAX_INNER : (int)inner;
}
