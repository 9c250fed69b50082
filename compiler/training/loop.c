/* Steps of training.h: micro-batches → gradients → update, and what comes between two steps. */
#include <math.h>

#include "cli/interrupt.h"
#include "loops/loops.h"
#include "support/clock.h"
#include "support/heap.h"
#include "support/resident.h"
#include "training/training.h"

static const double fade = 0.95; /* of the smoothed loss, per step */

/* ---- one step -------------------------------------------------------------------------------- */

static bool not_finite(const training_t *t, double loss, const exec_update_t *u) {
    long long step = (long long)t->step + 1;
    if (u->bad)
        diag_error(t->d, NOWHERE, "step %lld: the gradient is not finite, first of all that of %s",
                   step, u->bad);
    else if (!isfinite(loss))
        diag_error(t->d, NOWHERE, "step %lld: the loss is not a finite number", step);
    else return false;
    diag_hint(t->d, t->out
                        ? "DIR/last and DIR/best are as they were saved; a lower "
                          "train.optimizer.lr, a longer warm-up, or train.max_grad_norm"
                        : "a lower train.optimizer.lr, a longer warm-up, or train.max_grad_norm");
    return true;
}

/* How the loss went up is what one wants to see then. */
static bool show_course(training_t *t) {
    if (!t->follows && t->metrics.n > 0) (void)show_plot(t);
    return false;
}

static bool no_labels(const training_t *t) {
    diag_error(t->d, NOWHERE, "step %lld: no label of it counts, so it has no loss",
               (long long)t->step + 1);
    return false;
}

static ranks_form_t form_of(const training_t *t) {
    if (t->o->backend == BACKEND_REFERENCE) return RANKS_DOUBLE;
    return t->s->plan->targets[0]->fma ? RANKS_FUSED : RANKS_TWICE;
}

static void take_ready(void *ctx, size_t first, size_t floats) {
    ranks_ready(ctx, first, floats);
}

/* What fills the memory of gradients up between two tensors is no gradient, and
 * there from the start. */
static void take_gaps(const training_t *t) {
    const layout_t *l = t->s->plan->gradients;
    for (int i = 0; i < l->n; i++) {
        size_t from = (size_t)(l->entries[i].offset + l->entries[i].bytes) / sizeof(float);
        size_t to = (size_t)(i + 1 < l->n ? l->entries[i + 1].offset : l->data_end) / sizeof(float);
        if (to > from) ranks_ready(t->ranks, from, to - from);
    }
}

/* The gradients of this rank's k-th micro-batch by themselves, and its loss; they
 * are told of as they come. */
static bool derive_one(training_t *t, int64_t k, double *loss) {
    reformer_io_t io = t->feed.micros[k];
    float mean = 0;
    io.ready = take_ready;
    io.ready_ctx = t->ranks;
    io.loss = &mean;
    io.dropout_row = (uint32_t)(feed_micro(t, k) * t->feed.rows);
    if (!exec_learn_gradients(t->learner, &io, 1, true, t->d)) return false;
    *loss = (double)mean;
    return true;
}

/* As one rank does it that has all micro-batches: each is added to those before it, wherever it was
 * derived. What is derived goes to the others while the rest is. */
static bool derive_together(training_t *t, double all, double *losses) {
    feed_t *f = &t->feed;
    size_t n;
    float *sum = exec_learner_sum(t->learner, &n);
    double *shares = heap_new((size_t)f->ranks, sizeof *shares);
    bool ok = true;
    for (int64_t k = 0; ok && k < f->n; k++) {
        for (int q = 0; q < f->ranks; q++) shares[q] = f->items[k * f->ranks + q] / all;
        ok = ranks_begin(t->ranks, form_of(t), sum, shares, n, k + 1 == f->n, t->d);
        if (ok) take_gaps(t);
        ok = ok && derive_one(t, k, &losses[k]) && ranks_end(t->ranks, t->d);
    }
    heap_free(shares);
    return ok;
}

/* The same for the loss. */
static bool derive_in_ranks(training_t *t, double all, double *loss) {
    const feed_t *f = &t->feed;
    int64_t n = feed_micros(t);
    double *losses = heap_new((size_t)(f->n + n), sizeof *losses), *every = losses + f->n;
    bool ok = derive_together(t, all, losses) && feed_gather(t, losses, every);
    for (int64_t m = 0; ok && m < n; m++)
        if (f->items[m] > 0) *loss += f->items[m] / all * every[m];
    heap_free(losses);
    return ok;
}

/* The loss is the mean over the labels of the whole step, however it is cut into micro-batches. */
static bool derive(training_t *t, double *loss) {
    const feed_t *f = &t->feed;
    double all = feed_items(t);
    if (!(all > 0)) return no_labels(t);
    for (int64_t k = 0; k < f->n; k++) {
        f->micros[k].threads = t->s->threads;
        f->micros[k].pool = pool_interface(t->s->pool);
    }
    if (f->ranks > 1) return derive_in_ranks(t, all, loss);
    return exec_learn_step(t->learner, f->micros, (size_t)f->n, (int64_t)all, loss, t->d);
}

static bool take_step(training_t *t, metric_t *row) {
    double loss = 0, start = clock_now();
    exec_update_t u = {0};
    if (!feed_take(t, t->step) || !derive(t, &loss)) return false;
    double items = feed_items(t);
    if (!exec_learn_update(t->learner, &u, t->d)) return false;
    if (not_finite(t, loss, &u)) return show_course(t);
    double seconds = clock_now() - start;
    counters_t *c = &t->count;
    c->smoothed = fade * c->smoothed + (1 - fade) * loss;
    c->weight = fade * c->weight + (1 - fade);
    c->tokens += t->feed.tokens;
    t->learning += seconds;
    t->step++;
    *row = metric_none();
    row->step = (double)t->step;
    row->epoch = feed_epoch(t, t->step);
    row->tokens = c->tokens;
    row->loss = loss;
    row->smoothed = c->smoothed / c->weight;
    row->norm = u.norm;
    row->rate = u.rate;
    const double told[] = {loss, u.norm, u.rate, items};
    double **lists[] = {&t->losses, &t->norms, &t->rates, &t->items};
    for (int i = 0; t->o->given[OPT_TRAJECTORY] && i < 4; i++)
        ARENA_PUSH(t->arena, *lists[i], t->n[i], t->room[i]) = told[i];
    return true;
}

/* ---- between steps --------------------------------------------------------------------------- */

static bool is_due(int64_t every, int64_t step) {
    return every > 0 && step % every == 0;
}

/* By steps, or else with evaluations, and by the clock, which decides no number of the run. */
static bool saves(const training_t *t, bool evaluated) {
    int64_t every = t->spec->train.save_every;
    double minutes = t->spec->train.save_minutes;
    return (every > 0 ? is_due(every, t->step) : evaluated) ||
           (minutes > 0 && clock_now() - t->saved >= 60 * minutes);
}

static bool time_is_up(const training_t *t) {
    return t->spec->train.minutes >= 0 && training_seconds(t) >= 60 * t->spec->train.minutes;
}

static bool is_patient(const training_t *t) {
    int64_t patience = t->spec->train.patience;
    return patience <= 0 || t->count.worse < (double)patience;
}

static bool evaluate(training_t *t, metric_t *row) {
    counters_t *c = &t->count;
    exec_learner_evaluates(t->learner, true);
    bool held = train_evaluates(t), ok = (!held || train_eval_held(t, row)) && buckets_look(t, row);
    exec_learner_evaluates(t->learner, false);
    if (!ok) return false;
    if (!held) {
        show_eval(t, row, false);
        return true;
    }
    bool best = c->best_step == 0 || row->eval_loss < c->best;
    c->worse = best ? 0 : c->worse + 1;
    if (best) c->best = row->eval_loss;
    if (best) c->best_step = row->step;
    t->patient = is_patient(t);
    show_eval(t, row, best);
    return true;
}

static bool sample(training_t *t) {
    exec_learner_evaluates(t->learner, true);
    bool ok = train_sample(t);
    exec_learner_evaluates(t->learner, false);
    return ok;
}

static bool write_row(training_t *t, metric_t *row) {
    row->speed = (t->count.tokens - t->logged_tokens) / (t->learning - t->logged_at);
    row->seconds = training_seconds(t);
    row->peak = (double)resident_peak() / 1048576;
    t->logged_tokens = t->count.tokens;
    t->logged_at = t->learning;
    return metrics_add(&t->metrics, row, t->d);
}

/* Rows are there before the checkpoint that counts on them, and an interruption leaves none that an
 * uninterrupted run would not have. */
static bool settle(training_t *t, metric_t *row, bool last) {
    const spec_t *s = t->spec;
    bool due = last || is_due(s->train.eval_every, t->step), held = train_evaluates(t),
         evaluated = due && held, looked = due && (held || t->buckets);
    if (looked && !evaluate(t, row)) return false;
    bool best = evaluated && t->count.best_step == row->step;
    int64_t log = s->train.log_every > 0 ? s->train.log_every : 1;
    if ((looked || is_due(log, t->step)) && !write_row(t, row)) return false;
    if (evaluated && !show_plot(t)) return false;
    if (best && !save_best(t)) return false;
    if (saves(t, evaluated) && !last && !save_last(t)) return false;
    return !is_due(s->train.sample_every, t->step) || sample(t);
}

/* Whether the newest step has been evaluated, as the last one of a run is. */
static bool is_judged(const training_t *t, const metric_t *row) {
    return (!train_evaluates(t) || isfinite(row->eval_loss)) &&
           (!t->buckets || isfinite(row->empty));
}

/* Rank 0 has the clock and has seen evaluations; a signal to any of them is one to all.
 * timed: the clock counts. */
static bool ends(training_t *t, bool timed, bool *over) {
    bool mine = !t->follows && ((timed && time_is_up(t)) || !t->patient);
    const double say[] = {interrupt_caught(), mine};
    double *all = heap_new(2 * (size_t)t->feed.ranks, sizeof *all);
    bool ok = ranks_numbers(t->ranks, say, all, 2, t->d);
    *over = t->step >= t->steps;
    for (int q = 0; ok && q < t->feed.ranks; q++) {
        if (all[2 * q] > 0 && !t->signal) t->signal = (int)all[2 * q];
        *over = *over || t->signal || all[2 * q + 1] > 0;
    }
    heap_free(all);
    return ok;
}

bool train_loop(training_t *t) {
    t->started = clock_now();
    t->first = t->step;
    t->saved = t->started;
    t->unlearnt = t->logged_tokens = t->count.tokens;
    t->patient = is_patient(t);
    bool over = false;
    /* a run that goes on may have come to its end before */
    bool ok = t->step > 0 ? ends(t, true, &over) : save_last(t);
    if (ok && !t->follows) show_begin(t);
    while (ok && !over) {
        metric_t row;
        ok = take_step(t, &row) && ends(t, true, &over);
        if (!ok) break;
        peak_look(t);
        if (!t->follows) show_step(t, &row);
        ok = t->follows || settle(t, &row, over && !t->signal);
        /* Time that is up while something is written ends the run behind one more
         * step, which is evaluated. */
        if (ok && !over) ok = ends(t, is_judged(t, &row), &over);
    }
    if (!t->follows) progress_clear(&t->bar);
    bool learnt = t->step > t->first;
    ok = ok && (!learnt || save_last(t)) && (t->follows || show_plot(t));
    t->count.seconds = training_seconds(t);
    return ok;
}
