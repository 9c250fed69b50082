/* What a model is trained on and measured with: batches of rows.
 *
 * In: tokens of a text or a token file (source.h), a table of labelled texts (tsv.h), or a
 * synthetic task (task.h). Out: the rows of any step, in any order, on any machine: a row is a pure
 * function of the options and of its number row = step * rows_per_step + row of the step, so there
 * is no state to save, and nothing to skip on resuming. Knows ids, lengths and seeds;
 * neither models nor specs.
 *
 *   text      crops of `length` tokens. An epoch is a permutation of all windows side by side,
 *             which begin at a place of the epoch's own, so that a token is a row's first in one
 *             epoch and in its middle in the next.
 *   table     rows of a file, an epoch is a permutation of them.
 *   task      example e is row e of split 0; there are no epochs.
 *
 * All randomness is Philox4x32-10 under the seed, stream 2 (random.h has the
 * list of who counts where). */
#ifndef REFORMERC_DATA_DATA_H
#define REFORMERC_DATA_DATA_H

#include "data/source.h"
#include "data/task.h"
#include "data/tsv.h"

typedef enum {
    DATA_CAUSAL, /* labels are the ids; the head shifts */
    DATA_MASKED, /* of a few tokens that were masked; no shift */
    DATA_CLASSES /* one label for each row */
} data_goal_t;

enum { DATA_IGNORED = -100 }; /* the label that no loss counts */

/* Masked language modelling, as BERT and Hugging Face's collator: a token is chosen with `share`;
 * of those chosen `masked` become mask_id, `random` any id of the vocabulary, the rest stay as they
 * are. Where chance chooses none of a row, it gets one, so that no step is without a label. Padding
 * and the ids of `never` are not chosen. */
typedef struct {
    double share, masked, random; /* 0.15, 0.8, 0.1 */
    int32_t mask_id;
    const int32_t *never; /* [n_never], copied */
    int n_never;
} data_masking_t;

typedef struct {
    uint64_t seed;
    data_goal_t goal; /* of sources: causal or masked; tables have classes; tasks say themselves */
    int64_t length;   /* tokens of a row */
    int64_t rows_per_step; /* of all micro-batches and ranks together */
    int64_t vocabulary;    /* an id outside is an error */
    int32_t pad_id;
    /* Positions that the model has: a crop begins at any that lets it end there, position 0 and the
     * last included as often as those in the middle. 0: all rows begin at position 0. */
    int64_t positions;
    double
        /* The share at the end of a source, by chance of a table's rows, for evaluation; 0: none */
        held_out;
    int64_t eval_rows;      /* most of them, spread evenly; 0: all; of a task: how many, 0: 1280 */
    data_masking_t masking; /* DATA_MASKED */
} data_options_t;

/* Defaults; the caller sets length, rows_per_step and vocabulary. */
data_options_t data_options(void);

typedef struct {
    /* As asked for; of evaluation perhaps fewer rows, and in the last window fewer tokens */
    int64_t rows, length;
    int32_t *input_ids;      /* [rows][length] */
    uint8_t *attention_mask; /* [rows][length] 1: token, 0: padding */
    int32_t *labels;         /* [rows][length], DATA_CLASSES: [rows] */
    int32_t *begins;         /* [rows] the position of its first token */
    bool padded;             /* some token is padding; otherwise no mask is needed */
    bool offset;             /* some row does not begin at position 0 */
    int64_t items;           /* labels that the loss counts: the head's shift is thought of */
    int64_t bytes;           /* of text that these stand for; 0: unknown */
    size_t room;             /* rows * length that the arrays hold, and … */
    int64_t row_room;        /* … rows */
} data_batch_t;

/* Room for rows * length tokens; heap memory. */
data_batch_t data_batch_new(int64_t rows, int64_t length);
void data_batch_free(data_batch_t *b);

typedef struct data data_t;

/* NULL after errors in d. They take over the sources and tables, in that case too. `eval`:
 * NULL: what is held out. */
data_t *data_open_source(const data_options_t *o, source_t *train, source_t *eval, diag_t *d);
data_t *data_open_tsv(const data_options_t *o, tsv_t *train, tsv_t *eval, diag_t *d);
data_t *data_open_task(const data_options_t *o, const task_t *task, diag_t *d);
void data_free(data_t *data); /* NULL is fine */

/* Rows first … first + rows - 1 of a step, into a batch with room for them. False after an error in
 * d: the file cannot be read any more, or holds an id outside the vocabulary. Any number of
 * threads, each with a batch and a diag of its own. */
bool data_rows(const data_t *data, int64_t step, int64_t first, int64_t rows, data_batch_t *out,
               diag_t *d);
/* Rows of one epoch; 0: there are none, every row is new. */
int64_t data_epoch_rows(const data_t *data);
double data_epoch(const data_t *data, int64_t step); /* epochs before this step; 0: none */
int64_t data_epoch_steps(const data_t *data,
                         double epochs); /* steps that so many take, rounded up */

/* Evaluation: always the same windows (of tasks: split 1), from position 0, side by side; 0: there
 * are none. A text's last, shorter window counts where it has two tokens. Masks of DATA_MASKED
 * are the same every time. */
int64_t data_eval_windows(const data_t *data);
/* At most `rows` windows from the first on, of one length; out->rows tells how many there are. */
bool data_eval(const data_t *data, int64_t first, int64_t rows, data_batch_t *out, diag_t *d);

/* "1,003,854 tokens, 3,920 crops of 256 an epoch; 111,540 tokens held out" */
void data_describe(const data_t *data, sbuf_t *out);
/* Of everything that decides the rows, content included (of large files samples of it), so that a
 * resumed run can tell whether it goes on with the same data. rows_per_step and what evaluation
 * alone depends on are left out. */
uint64_t data_fingerprint(const data_t *data);
/* The same of what evaluation alone reads: its windows, and the content of a
 * source or table of its own. */
uint64_t data_eval_fingerprint(const data_t *data);

#endif
