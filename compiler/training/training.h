/* A training: what `train` does, and `sweep` for each of its points; what the parts of it share.
 *
 *   training.c   from a model and data to a learner, and the end of it
 *   plan.c       what code it needs
 *   options.c    options of the command line → keys of the spec's section `train:`
 *   feed.c       micro-batches of a step, which come from
 *   data.c       … data, or
 *   batches.c    … a file of them
 *   micros.c     which of them are this rank's
 *   loop.c       steps
 *   ranks/       the processes that train together
 *   agree.c      … whether they train the same
 *   eval.c       how well the model does on what it does not learn
 *   peak.c       how much of the machine it uses
 *   hashing.c    … with other rounds of hashing than it learns with
 *   buckets.c    how evenly LSH layers fill their buckets
 *   sample.c     a text that it writes meanwhile
 *   show.c       the bar, lines, the drawing, the summary
 *   save.c       checkpoints */
#ifndef REFORMERC_TRAINING_TRAINING_H
#define REFORMERC_TRAINING_TRAINING_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/metrics.h"
#include "cost/products.h"
#include "data/data.h"
#include "exec/learn.h"
#include "ranks/ranks.h"
#include "report/progress.h"
#include "session/session.h"
#include "support/clock.h"
#include "tensors/tensors.h"
#include "text/text.h"

/* ---- what is learnt -------------------------------------------------------------------------- */

typedef struct {
    int64_t rows, length; /* of a micro-batch */
    /* micro-batches of a step that are this rank's: number k of them is number k *
     * ranks + rank of the step */
    int64_t n;
    int rank, ranks;       /* this one; of how many */
    reformer_io_t *micros; /* [n], of the step that was taken last: inputs and labels */
    double *items,
        /* What losses are means of: [n * ranks], of all micro-batches of that step; [n + 1], of
         * these, and their tokens */
        *mine;
    double tokens;   /* of that step, of all ranks: padding is none */
    st_rows_t *file; /* --batches; NULL: data */
    int64_t n_batches;
    uint64_t print; /* of the file's content */
    const char *path;
    arena_t *scratch; /* of the file's micro-batches */
    data_t *data;
    data_batch_t *batches; /* [n] */
    bool same;             /* --overfit-batch: always those of step 0 */
} feed_t;

typedef struct hashing hashing_t; /* hashing.c */

/* ---- a run ----------------------------------------------------------------------------------- */

/* What goes on where a run is interrupted: in a checkpoint, to the bit. */
typedef struct {
    double tokens, seconds;
    double smoothed, weight; /* sums of losses and of their weights, both fading */
    double best, best_step;  /* of evaluations; best_step 0: there is none yet */
    double worse;            /* evaluations since */
} counters_t;

typedef struct {
    checkpoints_t *folder;
    char *pieces; /* file of the SentencePiece model; NULL: none */
    checkpoint_t state;
    checkpoint_number_t *numbers;
} keeper_t;

typedef struct {
    session_t *s;
    const options_t *o;
    diag_t *d;
    arena_t *arena;
    spec_t *spec;
    const char *out; /* DIR; NULL: nothing is kept */
    text_t *text;    /* NULL: there is none */
    feed_t feed;
    ranks_t *ranks;
    bool follows; /* another rank, which alone evaluates, saves and shows */
    exec_learner_t *learner;
    keeper_t *keeper;              /* of checkpoints; NULL: none */
    struct buckets_watch *buckets; /* NULL: none */
    hashing_t *hashing;            /* of evaluations; NULL: that of the training */
    metrics_t metrics;
    counters_t count;
    int64_t step, steps;             /* done; to be done in all, INT64_MAX: minutes say */
    int64_t first;                   /* done when this process began */
    double saved;                    /* clock when DIR/last was */
    double started;                  /* clock when the first step began, */
    double learning;                 /* and seconds of steps since then, */
    double unlearnt;                 /* and tokens before it */
    double logged_at, logged_tokens; /* of `learning`, tokens: at the last row */
    products_t work, peak;           /* of a step; of this machine per second, 0: unknown; */
    double probing;                  /* seconds that it took to find out, */
    struct calibration *gauge;       /* with this; NULL: it is known */
    progress_t bar;
    /* --trajectory: a value per step of this process */
    double *losses, *norms, *rates, *items;
    size_t room[4];
    int n[4];
    int signal;   /* that ends the run, 0: none */
    bool patient; /* false: evaluations have not become better for long enough */
} training_t;

/* training.c.
 *
 * training_options: o with the settings of the options that are keys; with --resume DIR/last has
 * the weights to begin with; rotations of evaluation are those that `eval` draws. training_new: of
 * a session with such options; neither may move. training_open: model, data and plan, nothing of
 * which is written; training_run: DIR, steps, checkpoints. False after errors in d, and then, too,
 * training_free, which frees the session. */
options_t training_options(const options_t *o);
training_t training_new(session_t *s, ranks_t *ranks);
bool training_open(training_t *t);
bool training_run(training_t *t);
void training_free(training_t *t);

/* options.c: what excludes each other, false after errors in d; settings of the options that are
 * keys; --resume, and there is a checkpoint: a run that was killed before its first one begins with
 * the weights that it began with. */
bool train_excludes(const options_t *o, diag_t *d);
bool train_options_idle(const options_t *o, diag_t *d); /* errors: given, and without effect here */
bool train_goes_on(const options_t *o);
void train_settings(options_t *o);

/* feed.c: from the spec and the options; false after errors. feed_take: the micro-batches
 * of a step. */
bool feed_open(training_t *t);
bool feed_take(training_t *t, int64_t step);
double feed_items(const training_t *t); /* of the whole step, of all ranks */
/* all[micros]: a number of each micro-batch of the step, of which mine[n] are these. False
 * after an error in t->d. */
bool feed_gather(const training_t *t, const double *mine, double *all);
double feed_epoch(const training_t *t, int64_t step);
void feed_close(feed_t *f);

/* micros.c */
int64_t feed_micros(const training_t *t);           /* of a step, of all ranks */
int64_t feed_micro(const training_t *t, int64_t k); /* the number in the step of this rank's k-th */
bool feed_rows_fit(const training_t *t, int64_t of_micro); /* a step's rows can be numbered */
reformer_io_t batch_io(const data_batch_t *b);             /* its inputs and labels */

/* batches.c, data.c: as feed_open and feed_take. */
bool feed_data_open(training_t *t);
bool feed_data_take(training_t *t, int64_t step);
bool feed_file_open(training_t *t);
bool feed_file_take(training_t *t, int64_t step);

/* batches.c: the print of content, `sum`, with these bytes behind it. */
uint64_t print_add(uint64_t sum, const void *data, size_t bytes);

/* loop.c: steps until one of the ends of the run. False after an error. */
bool train_loop(training_t *t);

/* eval.c: by the learner's executor, or another one that is bound to weights. */
bool train_evaluates(const training_t *t); /* there is something to evaluate */
bool train_eval(training_t *t, exec_t *by, metric_t *row);
bool train_eval_held(training_t *t, metric_t *row); /* by the executor that the spec asks for */

/* hashing.c: the same model with other rounds of hashing, "1" … "256", or with exact attention.
 *
 * hashing_settings: what that is in settings, behind those of o. hashing_plan: of options as
 * training_options() gives them; NULL after errors in d: it is no such model, or the settings do
 * not make it what was asked for (at `at`). hashing_bind: with the newest weights of the learner;
 * NULL after errors. hashing_session: its model, and behind hashing_bind() its weights.
 * hashing_of_spec: t->hashing, if the spec asks for one. */
#define HASHING_FULL "full"
void hashing_settings(options_t *o, const char *hashes);
hashing_t *hashing_plan(training_t *t, const options_t *o, const char *hashes, srcloc_t at);
exec_t *hashing_bind(training_t *t, hashing_t *h);
const session_t *hashing_session(const hashing_t *h);
void hashing_close(hashing_t *h); /* NULL is fine; before training_free() */
bool hashing_of_spec(training_t *t);

/* buckets.c: of a batch of evaluation, else of training. Opens nothing for a
 * model that does not hash. */
bool buckets_open(training_t *t);
bool buckets_look(training_t *t, metric_t *row);
void buckets_close(training_t *t);

/* sample.c: to stderr. */
bool train_sample(training_t *t);
bool train_sample_check(training_t *t); /* its prompt leaves room; false after an error */

/* peak.c: before the first step, and between any two. peak_part: of the steps so far, at most 1;
 * NAN: unknown, or steps were faster than all that was measured. */
void peak_open(training_t *t);
void peak_look(training_t *t);
void peak_close(training_t *t);
double peak_part(const training_t *t);

/* The seconds that a run had before it was interrupted count. */
static inline double training_seconds(const training_t *t) {
    return t->count.seconds + clock_now() - t->started;
}

/* show.c */
void show_begin(training_t *t);
void show_step(training_t *t, const metric_t *row);
void show_eval(training_t *t, const metric_t *row, bool best);
bool show_plot(training_t *t);                           /* DIR/loss.svg */
bool show_judgement(training_t *t, const metric_t *row); /* of --eval-only, on stdout */
bool show_summary(training_t *t);                        /* false: stdout is closed or full */

/* agree.c: whether all ranks train the same; a rank that differs from rank 0 has an error in t->d,
 * and no rank comes back before all agree. Before the plan: what was asked for, and the data.
 * Before the first step: the weights, and how they are computed. */
bool agree_on_training(training_t *t);
bool agree_on_state(training_t *t);

/* save.c */
bool save_open(training_t *t);   /* DIR, locked; with --resume its state is t's */
bool save_resume(training_t *t); /* the learner's arrays are those of the checkpoint */
/* Before there are weights: whether the training in that folder, if there is one, is this one. */
bool save_agrees(training_t *t, const char *folder);
bool save_last(training_t *t);
bool save_best(training_t *t);
void save_close(training_t *t);
const char *data_print(const training_t *t);   /* which data it learns */
uint64_t rotations_print(const training_t *t); /* of those that evaluation hashes with */
/* Of a model that is made of graphs; NULL: a spec's */
const char *graphs_text(const training_t *t);

/* plan.c: t's plan, of its spec and rows. False after errors. */
bool training_plan(training_t *t);
void training_sizes(
    spec_t *s); /* exactly the rows of the training, whatever artefacts are made for */
const module_t *train_module(const plan_t *p); /* of the step, lowered */

#endif
