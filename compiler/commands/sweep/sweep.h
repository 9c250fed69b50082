/* One sweep: what the files of `reformerc sweep` share.
 *
 *   command.c   the command: checks all points, evaluates them one after the other
 *   train.c     sweeps that train: a point's training, and evaluations of what it learnt
 *   learnt.c    their table, CSV and JSON
 *   passes.c    what the passes of a point say together; which points are on the Pareto front
 *   record.c    what is known so far, in a file, so that an interrupted sweep continues
 *   settings.c  settings of points, wherever they are shown
 *   report.c    the table, CSV and JSON
 *   plot.c      the picture, drawn by gnuplot */
#ifndef REFORMERC_COMMANDS_SWEEP_SWEEP_H
#define REFORMERC_COMMANDS_SWEEP_SWEEP_H

#include "commands/sweep/grid.h"
#include "report/statistics.h"
#include "session/score.h"
#include "training/training.h"

typedef enum { POINT_WAITING, POINT_DONE, POINT_INVALID } point_state_t;

/* What differs from one pass over the text to the next. */
typedef struct {
    double seconds, compile_seconds;
    size_t peak_rss; /* bytes, 0: the system does not tell */
} sweep_pass_t;

/* Of sweeps that train: what an evaluation found, NaN where there is no such figure. */
typedef struct {
    bool known;
    double loss, accuracy, sequences, f1, bits; /* as metric_t has them */
} trained_eval_t;

/* … and what was evaluated. */
typedef struct {
    int64_t steps;
    double tokens, seconds, loss; /* loss: smoothed, of the last steps */
    trained_eval_t *evals;        /* [n_evals] of the sweep */
} trained_t;

typedef struct {
    point_state_t state;
    const char *label;   /* grid_label */
    char key[33];        /* fingerprint of its settings */
    const char *message; /* everything said about it, NULL: nothing */
    bool said;           /* … to the user */
    const char *reason;  /* invalid: its first error, one line */
    trained_t trained;
    /* of a point that is done: one pass at least */
    const char *target;
    size_t workspace;     /* bytes, 0: the back end has none */
    sweep_pass_t *passes; /* [n_passes], in the order of their measurement */
    int n_passes, cap;
    score_t score;  /* its seconds, and what follows, are medians of the passes */
    spread_t speed; /* tokens per second */
    double compile_seconds;
    size_t peak_rss;
    bool front;     /* no other point is at least as fast and as good, and better in one */
    bool unsettled; /* … which another order within the spreads would change */
} point_t;

enum { N_PRINTS = 4 };

typedef struct {
    const options_t *o;
    diag_t *d;
    arena_t *arena;
    grid_t grid;
    point_t *points; /* [grid.n_points] */
    text_t *text;    /* all points read it alike; NULL: none was valid yet */
    tokens_t tokens;
    int threads, repeat;
    bool trains;
    /* [n_evals] of each point: rounds of hashing, HASHING_FULL, or AS_TRAINED alone */
    const char **evals;
    int n_evals;
    int task;                     /* of the spec, 0: none */
    const char *data, *eval_data; /* files learnt and evaluated on, NULL: none */
    const char *weights;          /* of the points: a path, or "random…" */
    const char *record;           /* path, NULL: nothing is kept */
    const char *others;           /* lines of the record for points outside this grid, NULL: none */
    char print[N_PRINTS][33];     /* fingerprints: model, weights, text, options */
} sweep_t;

/* ---- train.c --------------------------------------------------------------------------------- */

#define AS_TRAINED "as trained"

/* A point's own compilation: memory, messages, settings. */
typedef struct {
    arena_t *arena;
    diag_t *d;
    options_t o;
    session_t session;
} attempt_t;

/* Whether this sweep trains, and how it evaluates. False after errors in d: options that
 * go with the other kind. */
bool sweep_train_options(sweep_t *s);
bool sweep_trains(const options_t *o);
/* False after errors in the attempt's d. Check: everything short of weights and steps. Point:
 * trained and evaluated, and then done, unless it was interrupted. */
bool sweep_train_check(sweep_t *s, attempt_t *t, int point);
bool sweep_train_point(sweep_t *s, attempt_t *t, int point);
void point_learnt(point_t *p); /* all its evaluations are known */

/* ---- learnt.c -------------------------------------------------------------------------------- */

void learnt_table(const sweep_t *s, sbuf_t *out);
void learnt_csv(const sweep_t *s, sbuf_t *out);
void learnt_json(const sweep_t *s, sbuf_t *out);
void learnt_line(const sweep_t *s, const point_t *p, sbuf_t *out); /* its evaluations */
/* The figure that table and picture show: what it is, and its value; what an
 * evaluation is called. */
const char *learnt_says(const sweep_t *s);
double learnt_value(const sweep_t *s, const trained_eval_t *e);
const char *learnt_title(const sweep_t *s, const char *eval);
void learnt_plot(const sweep_t *s, sbuf_t *out); /* learnt_plot.c: SVG */

/* ---- passes.c ------------------------------------------------------------------------------- */

/* One more pass, which makes the point done. False where its sums are others than those of the
 * passes before: what it reads has changed. */
bool point_add_pass(arena_t *a, point_t *p, const score_t *score, double compile_seconds,
                    size_t peak_rss);
void point_conclude(point_t *p); /* the medians of all passes so far, one at least */
int sweep_count(const sweep_t *s, point_state_t state); /* points of it */
/* Passes that there are, of each point up to `max`. */
int sweep_passes(const sweep_t *s, int max);
/* Whether every valid point has all its passes. */
bool sweep_is_complete(const sweep_t *s);
void sweep_mark_front(sweep_t *s);

/* ---- record.c ------------------------------------------------------------------------------- */

/* Takes the fingerprints, and marks the points that an interrupted sweep has done. False after an
 * error in d: the record is of another sweep, is damaged, or cannot be written. */
bool record_begin(sweep_t *s);
bool record_write(sweep_t *s);        /* after every point */
void record_remove(const sweep_t *s); /* unless it holds more than this grid */

/* ---- settings.c ------------------------------------------------------------------------------ */

/* Of both kinds of sweeps: a column for each setting that varies, all settings in files, why
 * a point has no figures. */
bool axis_shown(const sweep_t *s, int axis);
void put_axis(const axis_t *x, const char *text, sbuf_t *out);
void put_csv_settings(const sweep_t *s, int point, sbuf_t *out); /* -1: their names */
void put_json_settings(const sweep_t *s, int point, sbuf_t *out);
const char *point_reason(const point_t *p);
/* printf counts bytes, a terminal characters: those of UTF-8; the greater of a width and
 * theirs; a width for printf. */
int characters(const char *text);
int wider(int width, const char *text);
int field(int width, const char *text);

/* ---- report.c ------------------------------------------------------------------------------- */

/* Suffixes, places that cannot be written, and inputs in the way, before hours of work. */
bool sweep_check_outputs(const sweep_t *s);
bool sweep_write_outputs(const sweep_t *s);
void render_table(const sweep_t *s, sbuf_t *out);

/* ---- plot.c --------------------------------------------------------------------------------- */

void render_plot(const sweep_t *s, sbuf_t *out); /* a script for gnuplot */

#endif
