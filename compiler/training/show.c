/* What one sees of a run (training.h): a bar on a terminal, plain lines elsewhere,
 * DIR/loss.svg, a summary.
 *
 * A line is written for the first step, at every tenth of the way, with every evaluation, and when
 * nothing was said for a while. */
#include <math.h>

#include "cli/name.h"
#include "support/clock.h"
#include "support/resident.h"
#include "training/losses.h"
#include "training/training.h"

static const double quiet = 20; /* seconds without a line, at most, if steps are that short */

/* ---- numbers --------------------------------------------------------------------------------- */

static double steps_done(const training_t *t) {
    return (double)(t->step - t->first);
}

static double tokens_per_second(const training_t *t) {
    return (t->count.tokens - t->unlearnt) / t->learning;
}

/* By the time that steps took so far, evaluations included. */
static double seconds_left(const training_t *t) {
    double left = INFINITY;
    if (t->steps < INT64_MAX)
        left = (double)(t->steps - t->step) * (clock_now() - t->started) / steps_done(t);
    if (t->spec->train.minutes >= 0)
        left = fmin(left, 60 * t->spec->train.minutes - training_seconds(t));
    return fmax(left, 0);
}

/* "3:07", "1:02:45" */
static void put_time(double seconds, sbuf_t *out) {
    long long s = (long long)(seconds + 0.5);
    if (s >= 3600) sbuf_printf(out, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else sbuf_printf(out, "%lld:%02lld", s / 60, s % 60);
}

/* Of a run that diverges, too: 39 digits before the point would be all of the line. */
static void put_number(double x, sbuf_t *out) {
    sbuf_printf(out, fabs(x) < 1e5 ? "%.4f" : "%.4g", x);
}

static void put_loss(const metric_t *row, sbuf_t *out) {
    sbuf_puts(out, "loss ");
    put_number(row->loss, out);
    sbuf_puts(out, " (");
    put_number(row->smoothed, out);
    sbuf_puts(out, ")");
}

static void put_speed(const training_t *t, sbuf_t *out) {
    double speed = tokens_per_second(t);
    sbuf_printf(out, speed < 1e4 ? "%.0f tokens/s" : "%.1fk tokens/s",
                speed < 1e4 ? speed : speed / 1e3);
    if (isfinite(peak_part(t))) sbuf_printf(out, ", %.0f %% of peak", 100 * peak_part(t));
}

static void put_step(const training_t *t, const metric_t *row, sbuf_t *out) {
    sbuf_printf(out, "step %lld", (long long)t->step);
    if (t->steps < INT64_MAX) sbuf_printf(out, "/%lld", (long long)t->steps);
    if (isfinite(row->epoch)) sbuf_printf(out, ", epoch %.2f", row->epoch);
}

/* ---- steps ----------------------------------------------------------------------------------- */

void show_begin(training_t *t) {
    t->bar = progress_new("steps", 0);
    int rows = t->metrics.dropped;
    if (t->step == 0 && !t->o->given[OPT_RESUME] && rows == 0) return;
    if (t->step == 0) fprintf(stderr, "begins at step 1");
    else
        fprintf(stderr, "goes on behind step %lld, after %.0f tokens", (long long)t->step,
                t->count.tokens);
    if (rows > 0)
        fprintf(stderr, "; drops %d row%s of metrics.csv behind that", rows, rows == 1 ? "" : "s");
    fprintf(stderr, "\n");
}

/* Thousandths of the way, by steps or by minutes. */
static int64_t way(const training_t *t) {
    double part = t->steps < INT64_MAX ? (double)t->step / (double)t->steps : 0;
    if (t->spec->train.minutes > 0)
        part = fmax(part, training_seconds(t) / (60 * t->spec->train.minutes));
    return (int64_t)(1000 * fmin(part, 1));
}

static void put_progress(const training_t *t, const metric_t *row, sbuf_t *out) {
    put_step(t, row, out);
    sbuf_puts(out, "  ");
    put_loss(row, out);
    sbuf_puts(out, "  ");
    put_speed(t, out);
    sbuf_puts(out, ", ");
    put_time(seconds_left(t), out);
    sbuf_puts(out, " left");
}

void show_step(training_t *t, const metric_t *row) {
    progress_t *p = &t->bar;
    sbuf_t said = {0};
    int64_t now = way(t), before = p->done;
    put_progress(t, row, &said);
    if (p->terminal) {
        progress_show(p, now, 1001, said.data); /* never done: the summary is what ends it */
    } else if (steps_done(t) == 1 || now / 100 > before / 100 || clock_now() - p->spoke > quiet) {
        progress_line(p, "%s", said.data);
    }
    p->done = now;
    sbuf_free(&said);
}

static void put_held(const training_t *t, const metric_t *row, sbuf_t *out) {
    sbuf_puts(out, "  held out: loss ");
    put_number(row->eval_loss, out);
    if (isfinite(row->eval_bits)) {
        sbuf_puts(out, ", ");
        put_number(row->eval_bits, out);
        sbuf_puts(out, " bits per byte");
    }
    if (isfinite(row->accuracy)) sbuf_printf(out, ", accuracy %.2f %%", 100 * row->accuracy);
    if (isfinite(row->f1)) sbuf_printf(out, ", F1 %.4f", row->f1);
    if (isfinite(row->sequences) && t->spec->train.task)
        sbuf_printf(out, ", of whole rows %.2f %%", 100 * row->sequences);
}

void show_eval(training_t *t, const metric_t *row, bool best) {
    bool held = isfinite(row->eval_loss), buckets = isfinite(row->empty);
    sbuf_t said = {0};
    if (!held && !buckets) return;
    put_step(t, row, &said);
    if (held) put_held(t, row, &said);
    if (buckets)
        sbuf_printf(&said, "%s buckets: %.1f %% empty, largest %.1f times the mean",
                    held ? ";" : " ", 100 * row->empty, row->largest);
    sbuf_puts(&said, best ? "  (best)" : "");
    int64_t done = t->bar.done;
    progress_line(&t->bar, "%s", said.data);
    t->bar.done = done;
    sbuf_free(&said);
}

/* ---- the end --------------------------------------------------------------------------------- */

bool show_plot(training_t *t) {
    if (!t->out) return true;
    sbuf_t out = {0};
    const char *title = arena_printf(t->arena, "%s: loss over %lld updates",
                                     path_stem(t->arena, t->o->model), (long long)t->step);
    draw_losses(&t->metrics, title, &out);
    bool ok = file_write(arena_printf(t->arena, "%s/loss.svg", t->out), out.data, out.size, t->d);
    sbuf_free(&out);
    return ok;
}

static void put_why(const training_t *t, sbuf_t *out) {
    bool idle = !t->signal && t->step == t->first; /* it has gone on from its end */
    if (idle) sbuf_puts(out, "nothing is left to do");
    const char *why = t->signal                    ? "interrupted"
                      : !t->patient                ? "no better for a while"
                      : t->step < t->steps         ? "time is up"
                      : idle && t->step > t->steps ? "there are more steps than asked for"
                                                   : NULL;
    if (why) sbuf_printf(out, "%s%s", idle ? ", " : "", why);
    if (idle || why) sbuf_puts(out, ": ");
}

static const metric_t *last_eval(const training_t *t) {
    for (int i = t->metrics.n - 1; i >= 0; i--)
        if (isfinite(t->metrics.rows[i].eval_loss)) return &t->metrics.rows[i];
    return NULL;
}

/* Of several ranks: what the backward pass hides of their exchange. */
static void put_sent(const training_t *t, sbuf_t *out) {
    ranks_sent_t sent = ranks_sent(t->ranks);
    if (sent.all > 0)
        sbuf_printf(out, "; %.1f %% of gradients left before the backward pass was over",
                    100 * (double)sent.begun / (double)sent.all);
}

static void talk(const training_t *t) {
    sbuf_t out = {0};
    put_why(t, &out);
    sbuf_printf(&out, "%lld step%s in ", (long long)t->step, t->step == 1 ? "" : "s");
    put_time(t->count.seconds, &out);
    if (t->learning > 0) { /* not where there was nothing left to do */
        sbuf_puts(&out, ", ");
        put_speed(t, &out);
    }
    sbuf_printf(&out, ", %.0f MiB of memory; back end %s, target %s, %d thread%s",
                (double)resident_peak() / 1048576, backend_names[t->o->backend],
                t->s->plan->targets[0]->name, t->s->threads, t->s->threads == 1 ? "" : "s");
    put_sent(t, &out);
    if (t->out) sbuf_printf(&out, "; in %s", t->out);
    fprintf(stderr, "%s\n", out.data);
    sbuf_free(&out);
}

/* A line each, as `eval` has them. */
static void put_eval(const training_t *t, const metric_t *e, sbuf_t *out) {
    sbuf_printf(out, "eval_loss %.6f\n", e->eval_loss);
    if (isfinite(e->eval_bits)) sbuf_printf(out, "eval_bits_per_byte %.6f\n", e->eval_bits);
    if (isfinite(e->accuracy)) sbuf_printf(out, "eval_accuracy %.6f\n", e->accuracy);
    if (isfinite(e->sequences) && t->spec->train.task)
        sbuf_printf(out, "eval_sequence_accuracy %.6f\n", e->sequences);
    if (isfinite(e->f1)) sbuf_printf(out, "eval_f1 %.6f\n", e->f1);
}

static void list(const training_t *t, sbuf_t *out) {
    const counters_t *c = &t->count;
    const metric_t *e = last_eval(t);
    sbuf_printf(out, "steps %lld\ntokens %.0f\n", (long long)t->step, c->tokens);
    if (c->weight > 0) sbuf_printf(out, "loss %.6f\n", c->smoothed / c->weight);
    if (e) put_eval(t, e, out);
    if (c->best_step > 0)
        sbuf_printf(out, "best_step %.0f\nbest_eval_loss %.6f\n", c->best_step, c->best);
    if (t->learning > 0) sbuf_printf(out, "tokens_per_second %.6f\n", tokens_per_second(t));
}

bool show_judgement(training_t *t, const metric_t *row) {
    sbuf_t out = {0};
    put_eval(t, row, &out);
    if (isfinite(row->empty))
        sbuf_printf(&out, "empty_buckets %.6f\nlargest_bucket %.6f\n", row->empty, row->largest);
    bool ok = print_out(&out, t->d);
    sbuf_free(&out);
    return ok;
}

bool show_summary(training_t *t) {
    sbuf_t out = {0};
    talk(t);
    list(t, &out);
    bool ok = print_out(&out, t->d);
    sbuf_free(&out);
    return ok;
}
