/* What a training run has measured, a row per logged step: in memory, and in a file
 * DIR/metrics.csv that grows.
 *
 * A row is written as a whole, at once, and is there before a checkpoint of its step is. So a run
 * that goes on from a checkpoint finds all rows up to it, and drops those behind it, which it will
 * write again. Columns come in two parts: what the data and the seed decide, equal to the last
 * digit however often a run was interrupted, and then what was measured. */
#ifndef REFORMERC_CHECKPOINT_METRICS_H
#define REFORMERC_CHECKPOINT_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "support/arena.h"
#include "support/diag.h"

/* NaN: this step has none. */
typedef struct {
    double step;  /* updates so far, this one included */
    double epoch; /* of the data, so far */
    double tokens;
    double loss, smoothed;       /* of this step; a mean over those before */
    double norm, rate;           /* of the gradient before clipping; learning rate of this step */
    double eval_loss, eval_bits; /* nats per label; bits per byte of text */
    double accuracy, sequences, f1; /* labels that are right; rows with all right; of classes */
    double empty,
        /* Of LSH layers: empty buckets as a share of all; tokens in the largest
         * as a multiple of the mean */
        largest;
    double speed;   /* tokens per second since the row before, evaluations left out */
    double seconds; /* of the run so far, that before interruptions included */
    double peak;    /* MiB of memory, at most */
} metric_t;
metric_t metric_none(void); /* all of them NaN */

typedef struct {
    arena_t *arena;
    const char *path; /* NULL: in memory alone */
    metric_t *rows;
    int n;
    size_t cap;
    int file;    /* -1: none */
    int dropped; /* rows of the file behind the step that the run goes on from */
} metrics_t;

/* Of a run that has done `step` updates: the rows of the file that is there, those behind `step`
 * dropped. path NULL: no file. False after an error in d: it cannot be read or written, or
 * train has not written it. */
bool metrics_open(metrics_t *m, arena_t *a, const char *path, int64_t step, diag_t *d);
int64_t metrics_rows(const char *path,
                     diag_t *d); /* of that file; 0: none is there; -1: an error */
bool metrics_add(metrics_t *m, const metric_t *row, diag_t *d);
bool metrics_sync(metrics_t *m, diag_t *d); /* all rows are on the disk */
void metrics_close(metrics_t *m);

#endif
