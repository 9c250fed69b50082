/* One run of `reformerc bench`: what its files share.
 *
 *   command.c         the command: which cases, in which order, what ends them
 *   cases.c           the cases, one by one
 *   measure.c         code of one length, batch and target; rounds of measurements that take turns
 *   machine.c         what the machine does at best
 *   kernels.c         launches by kind
 *   decode.c          --decode: steps of generation instead of forwards (decode.h)
 *   report.c          tables, CSV, JSON
 *   forward_report.c  … of forwards
 *   decode_report.c   … of steps
 *   cells.c           … what these have in common
 *   plot.c            the picture, drawn by gnuplot */
#ifndef REFORMERC_COMMANDS_BENCH_BENCH_H
#define REFORMERC_COMMANDS_BENCH_BENCH_H

#include "cli/lists.h"
#include "cost/kernels.h"
#include "machine/calibrate.h"
#include "report/document.h"
#include "report/progress.h"
#include "report/statistics.h"
#include "session/session.h"

/* Launches of one kind ("lsh.hash"), all layers together, in one forward or step. */
typedef struct {
    const char *name;
    double launches, flops, streams; /* flops counted from the loop IR; streams: see kernels.h */
    products_t products;             /* the flops by kind */
    double weights, windows;         /* of the streams; see kernels.h */
    spread_t seconds;
    spread_t of_peak; /* seconds at the peaks of the same round, of its products, by its seconds */
} bench_kernel_t;

/* One length, batch and target on one number of threads. */
typedef struct {
    int64_t length, batch;
    const target_t *target;
    int threads;
    bool done;
    int inner;             /* forwards of one measurement: short ones run several times */
    spread_t seconds;      /* of one forward of code as products get it */
    spread_t told_seconds; /* of instrumented code */
    /* Of these products between the forwards, flop/s; share of it, pairwise */
    spread_t peak, of_peak;
    double flops, streams;
    products_t products;
    size_t workspace, peak_rss; /* bytes; peak_rss 0: the system does not tell */
    spread_t update;       /* --train: seconds of an update: the norm, the weights, packing them */
    spread_t update_share; /* of a step with its update */
    double kept; /* bytes of values that a train step keeps for its backward pass (train.memory) */
    bench_kernel_t *kernels; /* [n_kernels]; the last one is what lies between launches */
    int n_kernels;
    int64_t other_length; /* --vs: tokens of its rows */
    spread_t other_speed; /* tokens per second */
    spread_t ratio;       /* our speed by that of the other, pairwise */
    spread_t cpu_ratio;   /* the same of tokens per second of processor, all threads together */
    /* --decode: `length` is the context, `seconds` those of a step */
    double best;             /* seconds */
    double prefill;          /* seconds, all rows */
    double weights, windows; /* bytes that every step must read */
    double cache;            /* bytes, of all rows */
    spread_t read, of_floor; /* bytes per second, between the rounds; share of what they allow */
} bench_case_t;

/* What the machine does with one target on one number of threads. */
typedef struct {
    const target_t *target;
    int threads;
    spread_t rate[RATE_COUNT]; /* of those that exist for the target */
} bench_machine_t;

typedef enum { VS_NOTHING, VS_MODEL, VS_BACKEND, VS_TARGET, VS_SETTING } vs_kind_t;

typedef struct {
    const options_t *o;
    diag_t *d;
    arena_t *arena;
    int64_t lengths[MAX_LIST], batches[MAX_LIST], threads[MAX_LIST];
    int n_lengths, n_batches, n_threads, max_threads, repeat;
    const char *targets[MAX_TARGETS]; /* [n_targets] as typed; NULL: the default one */
    int n_targets;
    pool_t *pools[MAX_LIST]; /* [n_threads] */
    vs_kind_t vs;
    backend_t vs_backend;
    setting_t vs_setting;
    const char *vs_target[MAX_TARGETS];
    bool wants_loss; /* else last_hidden_state */
    /* compile.dtype, of --train train.dtype; NULL: a graph, whose nodes say it */
    const char *dtype;
    bool decodes;        /* --decode */
    int tokens;          /* steps of a round */
    bench_case_t *cases; /* [n_cases]: lengths slowest, then batches, targets, threads */
    int n_cases;
    bench_machine_t *machines; /* [n_machines] in order of appearance */
    int n_machines;
    progress_t bar;
    int64_t step, steps;
} bench_t;

/* ---- cases.c --------------------------------------------------------------------------------- */

double case_tokens(const bench_case_t *c); /* of one forward */
int bench_series(const bench_t *b); /* batches, targets and threads: the cases of one length */
bool some_case_is_done(const bench_t *b);
bench_case_t *bench_case(const bench_t *b, int length, int batch, int target, int threads);
const bench_machine_t *bench_machine(const bench_t *b, const target_t *t,
                                     int threads); /* or NULL */
/* Where the measurements are, on the bar. */
void bench_say(bench_t *b, const bench_case_t *c, const char *what);

/* ---- measure.c ------------------------------------------------------------------------------- */

/* The options that code of one length, batch and target is made by; of --vs with `other`. */
options_t bench_options(const bench_t *b, arena_t *a, int64_t length, int64_t batch,
                        const char *target, bool other);
/* Spec and plan of a case's code, without compiling. False after errors in d. Says where the other
 * hashes otherwise because it takes several lengths. */
bool bench_check(bench_t *b, const options_t *o, int64_t length, bool other,
                 const target_t **target, diag_t *d);
/* Fills in [n_threads] cases of one build. False after an error in b->d, or when interrupted. */
bool bench_measure(bench_t *b, bench_case_t *cases, const char *target);

/* ---- machine.c ------------------------------------------------------------------------------- */

/* The rates of a target and number of threads, unless they are there. */
bool bench_measure_machine(bench_t *b, const bench_case_t *c, calibration_t *calibration,
                           const pool_t *pool, diag_t *d);

/* ---- kernels.c ------------------------------------------------------------------------------- */

/* Adds the launches of a profile, each `share` times, to sums by kind: seconds[n * stride] and
 * launches[n] with n of `costs` and one more, which gets what lies between the
 * launches of `whole`. */
void bench_sort_launches(const profile_t *p, const kernel_costs_t *costs, const char *whole,
                         double share, double *seconds, int stride, double *launches);
/* A kind of kernel, without its times; k == costs->n is what lies between launches. */
bench_kernel_t bench_kernel(const bench_t *b, const kernel_costs_t *costs, int k, double launches);

/* ---- what all tables and files have in common: cells.c --------------------------------------- */

/* A section with a row for each case that is done: which case it is, then what `fill`
 * writes below the titles. */
typedef void bench_fill_fn(const bench_t *b, const bench_case_t *c, const char **cells);
section_t *bench_case_table(const bench_t *b, document_t *doc, const char *heading,
                            const char *const *titles, int n_titles, bench_fill_fn *fill);
const char *bench_case_title(const bench_t *b, const bench_case_t *c); /* of its kernels */
const char *bench_giga(arena_t *a, double x);
const char *bench_dtype_text(const bench_t *b); /* "bfloat16, "; "": float32, or a graph says */
void bench_put_spread(sbuf_t *out, const char *key, spread_t s); /* a member of a JSON object */
/* The members on instrumented code, which end a case's object. */
void bench_put_kernels(const bench_case_t *c, sbuf_t *out);

/* ---- forward_report.c ------------------------------------------------------------------------ */

void forward_document(const bench_t *b, document_t *doc);
void forward_csv(const bench_t *b, sbuf_t *out);
void forward_json_case(const bench_t *b, const bench_case_t *c, sbuf_t *out);

/* ---- report.c, plot.c ------------------------------------------------------------------------ */

bool bench_check_outputs(const bench_t *b);
bool bench_write_outputs(const bench_t *b);
void render_bench(const bench_t *b, sbuf_t *out);      /* the tables */
void render_bench_plot(const bench_t *b, sbuf_t *out); /* a script for gnuplot */

#endif
