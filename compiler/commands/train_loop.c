/* Steps of train.h: micro-batches → gradients → update, and what comes between two steps. */
#include <math.h>

#include "commands/interrupt.h"
#include "commands/train.h"
#include "support/clock.h"
#include "support/resident.h"

static const double fade = 0.95; /* of the smoothed loss, per step */

/* ---- one step ------------------------------------------------------------------------------------ */

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

static bool no_labels(const training_t *t) {
    diag_error(t->d, NOWHERE, "step %lld: no label of it counts, so it has no loss",
               (long long)t->step + 1);
    return false;
}

/* The loss is the mean over the labels of the whole step, however it is cut into micro-batches. */
static bool derive(training_t *t, double *loss) {
    feed_t *f = &t->feed;
    double all = feed_items(t);
    if (!(all > 0)) return no_labels(t);
    for (int64_t k = 0; k < f->n; k++) {
        micro_t *m = &f->micros[k];
        float mean = 0;
        double share = m->items / all;
        m->io.threads = t->s->threads;
        m->io.pool = pool_interface(t->s->pool);
        m->io.loss = &mean;
        m->io.dropout_row = (uint32_t)(k * f->rows);
        if (!exec_learn_gradients(t->learner, &m->io, share, k == 0, t->d)) return false;
        if (m->items > 0) *loss += share * (double)mean;
    }
    return true;
}

static bool take_step(training_t *t, metric_t *row) {
    double loss = 0, start = clock_now();
    exec_update_t u = {0};
    if (!feed_take(t, t->step) || !derive(t, &loss)) return false;
    double items = feed_items(t);
    if (!exec_learn_update(t->learner, &u, t->d) || not_finite(t, loss, &u)) return false;
    double seconds = clock_now() - start;
    counters_t *c = &t->count;
    c->smoothed = fade * c->smoothed + (1 - fade) * loss;
    c->weight = fade * c->weight + (1 - fade);
    c->tokens += (double)(t->feed.n * t->feed.rows * t->feed.length);
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

/* ---- between steps ------------------------------------------------------------------------------- */

static bool is_due(int64_t every, int64_t step) {
    return every > 0 && step % every == 0;
}

/* The seconds that a run had before it was interrupted count. */
static double seconds_so_far(const training_t *t) {
    return t->count.seconds + clock_now() - t->started;
}

static bool time_is_up(const training_t *t) {
    return t->spec->train.minutes >= 0 && seconds_so_far(t) >= 60 * t->spec->train.minutes;
}

static bool evaluate(training_t *t, metric_t *row) {
    counters_t *c = &t->count;
    exec_learner_evaluates(t->learner, true);
    bool held = train_evaluates(t), ok = (!held || train_eval(t, row)) && buckets_look(t, row);
    exec_learner_evaluates(t->learner, false);
    if (!ok || !held) return ok;
    bool best = c->best_step == 0 || row->eval_loss < c->best;
    c->worse = best ? 0 : c->worse + 1;
    if (best) c->best = row->eval_loss;
    if (best) c->best_step = row->step;
    int64_t patience = t->spec->train.patience;
    t->patient = patience <= 0 || c->worse < (double)patience;
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
    row->seconds = seconds_so_far(t);
    row->peak = (double)resident_peak() / 1048576;
    t->logged_tokens = t->count.tokens;
    t->logged_at = t->learning;
    return metrics_add(&t->metrics, row, t->d);
}

/* Rows are there before the checkpoint that counts on them, and an interruption leaves none that an uninterrupted run would
 * not have. */
static bool settle(training_t *t, metric_t *row, bool last) {
    const spec_t *s = t->spec;
    bool held = train_evaluates(t),
         evaluated = held && (last || is_due(s->train.eval_every, t->step));
    if (evaluated && !evaluate(t, row)) return false;
    bool best = evaluated && t->count.best_step == row->step;
    int64_t log = s->train.log_every > 0 ? s->train.log_every : 1;
    if ((evaluated || is_due(log, t->step)) && !write_row(t, row)) return false;
    if (evaluated && !show_plot(t)) return false;
    if (best && !save_best(t)) return false;
    bool saves = s->train.save_every > 0 ? is_due(s->train.save_every, t->step) : evaluated;
    if (saves && !last && !save_last(t)) return false;
    return !is_due(s->train.sample_every, t->step) || sample(t);
}

static bool ends(training_t *t) {
    t->signal = interrupt_caught();
    return t->signal || t->step >= t->steps || time_is_up(t) || !t->patient;
}

bool train_loop(training_t *t) {
    t->started = clock_now();
    t->first = t->step;
    t->logged_tokens = t->count.tokens;
    t->patient = true;
    show_begin(t);
    bool ok = t->step > 0 || save_last(t), over = t->step >= t->steps;
    while (ok && !over) {
        metric_t row;
        ok = take_step(t, &row);
        if (!ok) break;
        over = ends(t);
        show_step(t, &row);
        ok = settle(t, &row, over && !t->signal);
        over = over || ends(t);
    }
    progress_clear(&t->bar);
    bool learnt = t->step > t->first;
    ok = ok && (!learnt || save_last(t)) && show_plot(t);
    t->count.seconds = seconds_so_far(t);
    return ok;
}
