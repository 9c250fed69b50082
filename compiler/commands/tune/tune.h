/* One run of `reformerc tune`: what its files share.
 *
 *   command.c  the command: which targets, the file, what ends it
 *   measure.c  one target: which alternatives, rounds of measurements that take turns, the choice
 *   report.c   the tables */
#ifndef REFORMERC_COMMANDS_TUNE_TUNE_H
#define REFORMERC_COMMANDS_TUNE_TUNE_H

#include "cli/lists.h"
#include "machine/tuning.h"
#include "report/progress.h"
#include "report/statistics.h"

typedef enum { TRIED_TILE, TRIED_BLOCK, TRIED_RUN, TRIED_AGAIN } tried_what_t;

/* Code that was measured beside that of the analytic choice. */
typedef struct {
    tried_what_t what; /* differs from the choice it was held against */
    tiles_t tiles;
    bool same;      /* makes the code of one before it: not measured */
    bool taken;     /* better than the choice so far; TRIED_AGAIN: kept */
    spread_t ratio; /* its time by that of the analytic choice, round by round */
} tried_t;

enum { MAX_TRIED = 32 };

typedef struct {
    const char *name; /* as typed, NULL: the default one */
    const target_t *target;
    const char *shapes;
    tiles_t analytic;
    tried_t tried[MAX_TRIED]; /* in this order */
    int n;
    bool done, better; /* better than the analytic choice: entry is what is kept */
    tuning_entry_t entry;
} tuned_t;

typedef struct {
    const options_t *o;
    diag_t *d;
    arena_t *arena;
    int64_t lengths[MAX_LIST], batch;
    int n_lengths, threads, repeat;
    const char *cpu;
    tuned_t *targets; /* [n_targets] */
    int n_targets;
    pool_t *pool;
    progress_t bar;
    int64_t step, steps; /* rounds */
} tune_t;

/* ---- measure.c ------------------------------------------------------------------------------- */

/* Better beyond the noise: at least this share faster by the median, and faster
 * in three of four rounds. */
extern const double min_gain;
bool tune_is_better(spread_t ratio); /* ratio: of times, its quartiles over the rounds */
enum { AGAIN = 2 };                  /* times as many rounds decide in the end */

/* Spec and plan on all lengths, without compiling; fills in target and shapes.
 * False after errors in d. */
bool tune_check(tune_t *t, tuned_t *x, diag_t *d);
int64_t tune_rounds(const tune_t *t, const tuned_t *x); /* at most */
/* False after an error in t->d, or when interrupted. */
bool tune_measure(tune_t *t, tuned_t *x);

/* ---- report.c -------------------------------------------------------------------------------- */

void render_tune(const tune_t *t, sbuf_t *out);

#endif
