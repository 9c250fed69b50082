/* What a sweep that trains has found, as text: a table for people, a row per point and a column per
 * evaluation; CSV and JSON for programs.
 *
 * In: a sweep_t whose points are done, invalid, or were never reached. Of the figures that an
 * evaluation has, the table shows one: bits per byte of a text, else the accuracy,
 * else the loss. */
#include <math.h>
#include <string.h>

#include "commands/sweep/sweep.h"
#include "report/fields.h"

/* ---- figures --------------------------------------------------------------------------------- */

typedef enum { FIGURE_BITS, FIGURE_ACCURACY, FIGURE_LOSS } figure_t;

static const struct {
    const char *format, *says;
    double scale;
} figures[] = {[FIGURE_BITS] = {"%.6f", "bits per byte of the text held out", 1},
               [FIGURE_ACCURACY] = {"%.2f", "accuracy in % of the labels held out", 100},
               [FIGURE_LOSS] = {"%.6f", "loss, in nats per label held out", 1}};

static const trained_eval_t *first_known(const sweep_t *s) {
    for (int i = 0; i < s->grid.n_points; i++)
        if (s->points[i].state == POINT_DONE) return &s->points[i].trained.evals[0];
    return NULL;
}

static figure_t figure_of(const sweep_t *s) {
    const trained_eval_t *e = first_known(s);
    if (e && isfinite(e->bits)) return FIGURE_BITS;
    return e && isfinite(e->accuracy) ? FIGURE_ACCURACY : FIGURE_LOSS;
}

static double value_of(const trained_eval_t *e, figure_t figure) {
    const double values[] = {
        [FIGURE_BITS] = e->bits, [FIGURE_ACCURACY] = e->accuracy, [FIGURE_LOSS] = e->loss};
    return figures[figure].scale * values[figure];
}

const char *learnt_says(const sweep_t *s) {
    return figures[figure_of(s)].says;
}

double learnt_value(const sweep_t *s, const trained_eval_t *e) {
    return value_of(e, figure_of(s));
}

static double tokens_per_second(const trained_t *y) {
    return y->seconds > 0 ? y->tokens / y->seconds : 0;
}

/* "1 hash", "4 hashes", "full", "as trained" */
const char *learnt_title(const sweep_t *s, const char *eval) {
    if (strcmp(eval, HASHING_FULL) == 0 || strcmp(eval, AS_TRAINED) == 0) return eval;
    return arena_printf(s->arena, strcmp(eval, "1") == 0 ? "%s hash" : "%s hashes", eval);
}

void learnt_line(const sweep_t *s, const point_t *p, sbuf_t *out) {
    figure_t figure = figure_of(s);
    for (int i = 0; i < s->n_evals; i++) {
        sbuf_printf(out, "%s%s ", i ? ", " : "", learnt_title(s, s->evals[i]));
        sbuf_printf(out, figures[figure].format, value_of(&p->trained.evals[i], figure));
        if (figure == FIGURE_ACCURACY) sbuf_puts(out, " %");
    }
    if (figure == FIGURE_BITS) sbuf_puts(out, " bits per byte");
}

/* ---- the table ------------------------------------------------------------------------------- */

enum { STEPS = 9, LOSS = 10, SPEED = 10, TIME = 9, FIGURE = 10 };

static void put_heading(const sweep_t *s, sbuf_t *out) {
    const grid_t *g = &s->grid;
    for (int x = 0; x < g->n_axes; x++)
        if (axis_shown(s, x)) put_axis(&g->axes[x], g->axes[x].key, out);
    sbuf_printf(out, "%*s  %*s  %*s  %*s", STEPS, "steps", LOSS, "loss", SPEED, "tokens/s", TIME,
                "minutes");
    for (int i = 0; i < s->n_evals; i++)
        sbuf_printf(out, "  %*s", FIGURE, learnt_title(s, s->evals[i]));
    sbuf_puts(out, "\n");
}

static void put_row(const sweep_t *s, const trained_t *y, figure_t figure, sbuf_t *out) {
    sbuf_printf(out, "%*lld  %*.6f  %*.0f  %*.2f", STEPS, (long long)y->steps, LOSS, y->loss, SPEED,
                tokens_per_second(y), TIME, y->seconds / 60);
    for (int i = 0; i < s->n_evals; i++) {
        char cell[32];
        snprintf(cell, sizeof cell, figures[figure].format, value_of(&y->evals[i], figure));
        sbuf_printf(out, "  %*s", FIGURE, cell);
    }
    sbuf_puts(out, "\n");
}

static void put_legend(const sweep_t *s, const char *what, sbuf_t *out) {
    const char *first = learnt_title(s, s->evals[0]),
               *last = learnt_title(s, s->evals[s->n_evals - 1]);
    if (s->n_evals == 1) sbuf_printf(out, "Column %s: %s.\n", first, what);
    else sbuf_printf(out, "Columns %s … %s: %s, by this hashing.\n", first, last, what);
}

void learnt_table(const sweep_t *s, sbuf_t *out) {
    const grid_t *g = &s->grid;
    figure_t figure = figure_of(s);
    put_heading(s, out);
    for (int i = 0; i < g->n_points; i++) {
        const point_t *p = &s->points[i];
        for (int x = 0; x < g->n_axes; x++)
            if (axis_shown(s, x)) put_axis(&g->axes[x], grid_value(g, i, x), out);
        if (p->state == POINT_DONE) put_row(s, &p->trained, figure, out);
        else sbuf_printf(out, "%s\n", point_reason(p));
    }
    put_legend(s, figures[figure].says, out);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

/* Nothing where there is no such figure. */
static void put_number(sbuf_t *out, const char *format, double x) {
    if (isfinite(x)) sbuf_printf(out, format, x);
}

static void put_csv_row(const sweep_t *s, const point_t *p, int i, sbuf_t *out) {
    const trained_t *y = &p->trained;
    const trained_eval_t *e = &y->evals[i];
    const double shares[] = {e->accuracy, e->sequences, e->f1, e->bits};
    put_csv(out, s->evals[i]);
    sbuf_printf(out, ",%lld,%.0f,", (long long)y->steps, y->tokens);
    put_number(out, "%.6f", y->loss);
    sbuf_printf(out, ",%.3f,%.4f,%.6f,", y->seconds, tokens_per_second(y), e->loss);
    for (int k = 0; k < 4; k++) {
        put_number(out, "%.6f", shares[k]);
        sbuf_puts(out, ",");
    }
    sbuf_printf(out, "%s,\n", p->target);
}

/* A row per point and evaluation. */
void learnt_csv(const sweep_t *s, sbuf_t *out) {
    put_csv_settings(s, -1, out);
    sbuf_puts(out,
              "eval_hashes,steps,tokens,loss,train_seconds,tokens_per_second,eval_loss,"
              "eval_accuracy,eval_sequence_accuracy,eval_f1,eval_bits_per_byte,target,error\n");
    for (int i = 0; i < s->grid.n_points; i++) {
        const point_t *p = &s->points[i];
        for (int k = 0; p->state == POINT_DONE && k < s->n_evals; k++) {
            put_csv_settings(s, i, out);
            put_csv_row(s, p, k, out);
        }
        if (p->state == POINT_DONE) continue;
        put_csv_settings(s, i, out);
        sbuf_puts(out, ",,,,,,,,,,,,");
        put_csv(out, point_reason(p));
        sbuf_puts(out, "\n");
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_json_number(sbuf_t *out, const char *key, const char *format, double x) {
    sbuf_printf(out, ", \"%s\": ", key);
    if (isfinite(x)) sbuf_printf(out, format, x);
    else sbuf_puts(out, "null");
}

static void put_json_eval(const sweep_t *s, const trained_eval_t *e, int i, sbuf_t *out) {
    sbuf_puts(out, i ? ",\n      {\"hashes\": " : "\n      {\"hashes\": ");
    put_json_value(out, s->evals[i]);
    put_json_number(out, "loss", "%.6f", e->loss);
    put_json_number(out, "accuracy", "%.6f", e->accuracy);
    put_json_number(out, "sequence_accuracy", "%.6f", e->sequences);
    put_json_number(out, "f1", "%.6f", e->f1);
    put_json_number(out, "bits_per_byte", "%.6f", e->bits);
    sbuf_puts(out, "}");
}

static void put_json_point(const sweep_t *s, int i, sbuf_t *out) {
    const point_t *p = &s->points[i];
    const trained_t *y = &p->trained;
    sbuf_puts(out, i ? ",\n    {" : "\n    {");
    put_json_settings(s, i, out);
    if (p->state != POINT_DONE) {
        sbuf_puts(out, ", \"error\": ");
        put_json(out, point_reason(p));
        sbuf_puts(out, "}");
        return;
    }
    sbuf_printf(out, ", \"steps\": %lld, \"tokens\": %.0f", (long long)y->steps, y->tokens);
    put_json_number(out, "loss", "%.6f", y->loss);
    put_json_number(out, "train_seconds", "%.3f", y->seconds);
    put_json_number(out, "tokens_per_second", "%.4f", tokens_per_second(y));
    sbuf_printf(out, ", \"target\": \"%s\", \"evaluations\": [", p->target);
    for (int k = 0; k < s->n_evals; k++) put_json_eval(s, &y->evals[k], k, out);
    sbuf_puts(out, "]}");
}

void learnt_json(const sweep_t *s, sbuf_t *out) {
    sbuf_puts(out, "{\n");
    put_json_member(out, "model", s->o->model);
    put_json_member(out, "weights", s->weights);
    if (s->task) put_json_member(out, "task", task_name((task_kind_t)s->task));
    else put_json_member(out, "text", s->data);
    put_json_member(out, "backend", backend_names[s->o->backend]);
    sbuf_printf(out, "  \"threads\": %d,\n  \"complete\": %s,\n  \"points\": [", s->threads,
                sweep_is_complete(s) ? "true" : "false");
    for (int i = 0; i < s->grid.n_points; i++) put_json_point(s, i, out);
    sbuf_puts(out, "\n  ]\n}\n");
}
