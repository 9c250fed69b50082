/* Executors of one model side by side on one input, comparable even where the hash has near-ties.
 *
 * In: a plan of code with traces and imposed buckets, an input, executors of that plan. Out: for
 * each side all tensors it made, in order of computation. Where buckets differ from the reference's
 * only in rows that a last bit decides (NEAR_TIE), the side runs again with the reference's buckets
 * imposed on that layer, and so on through the layers; any other difference of
 * buckets stays, as a departure.
 *
 * Attention and feed-forward are added to a stream where it stands, and compiled code shows them as
 * the difference that they made. Each rounding of the stream on the way is one of the stream's
 * magnitude, however small the addend: beside a stream of 1,000 it is 6e-5. The reference's results
 * say so (result_t.rounding); streams themselves, and what is made of them, are
 * judged as everything else.
 *
 * Where the graph rounds factors to a smaller type, a last bit decides now and then which of two
 * numbers a factor becomes, and what follows is another course. There the reference is led by the
 * side (lead.h): each tensor is compared with what the reference makes of the
 * side's own tensors before it. */
#ifndef REFORMERC_COMPARE_SIDES_H
#define REFORMERC_COMPARE_SIDES_H

#include "compare/compare.h"
#include "exec/exec.h"

/* One input and how it is run. */
typedef struct {
    const plan_t *plan; /* with trace and impose_buckets */
    const inputs_t *inputs;
    int threads;
    const reformer_pool_t *pool;
    void (*tick)(void *ctx, const char *tensor); /* NULL, or called when a tensor is there */
    void *tick_ctx;
    diag_t *d;
} trial_t;

typedef struct {
    const char *label; /* "reference", "jit", "c (gcc)" */
    backend_t backend;
    results_t hashed;   /* with buckets of its own hash */
    results_t settled;  /* with the reference's where near-ties fell apart; empty: nowhere */
    results_t untraced; /* outputs of code as products get it; empty: not run */
    results_t led;      /* what the reference makes of its tensors; empty: it is not led */
    results_t margins;  /* of a reference, once somebody asked: by name of the buckets */
    /* Rows of buckets that were imposed because of a near-tie, or lead otherwise */
    int64_t near_ties;
} side_t;

/* Runs e, a traced executor of the trial's plan, for s; against the reference, which ran before
 * (its executor too; both NULL: there is none). False after errors in d. */
bool side_run(const trial_t *t, side_t *s, exec_t *e, side_t *reference, const exec_t *oracle);
/* Runs e, an executor of the same model without traces, for s. */
bool side_run_untraced(const trial_t *t, side_t *s, exec_t *e);
/* What is to be compared with the reference, and with what of it. */
const results_t *side_results(const side_t *s);
const results_t *side_expected(const side_t *s, const side_t *reference);
void side_free(side_t *s);

#endif
