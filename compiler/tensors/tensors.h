/* Tensors of one forward, in and out: files ↔ reformer_io_t.
 *
 * inputs_read checks everything that can be wrong with an input file against the model and names
 * the tensor and the position; what it returns is ready for any executor. results_t collects what
 * comes out, in the order in which it comes. */
#ifndef REFORMERC_TENSORS_TENSORS_H
#define REFORMERC_TENSORS_TENSORS_H

#include "plan/plan.h"
#include "reformer_rt.h"
#include "weights/weights.h"

typedef struct {
    const char *path; /* the file, for messages */
    int64_t batch, length;
    int32_t *input_ids;                       /* [batch][length] */
    uint8_t *attention_mask;                  /* [batch][length], NULL: none given */
    bool any_masked;                          /* a zero in attention_mask */
    int32_t *labels;                          /* LMs [batch][length], classes [batch]; NULL: none */
    float *labels_f32;                        /* [batch] or [batch][labels]; NULL: none */
    int32_t *start_positions, *end_positions; /* [batch]; NULL: none */
    int32_t *positions;                       /* [batch], of a train step; NULL: rows begin at 0 */
    int32_t *buckets; /* as in reformer_io_t, of the plan's batch; NULL: none */
    uint8_t *buckets_given;
} inputs_t;

bool inputs_read(inputs_t *in, arena_t *a, const facts_t *f, const char *path, diag_t *d);
/* Of tensors that are open already; `path`: what messages call them. */
bool inputs_take(inputs_t *in, arena_t *a, const facts_t *f, const st_file_t *file,
                 const char *path, diag_t *d);
/* A spec without a length is specialised for exactly these inputs; one with lengths
 * must hold them. */
bool inputs_fit(const inputs_t *in, const loaded_model_t *m, diag_t *d);
/* False after an error in d: they hold what train steps alone take. */
bool inputs_of_forward(const inputs_t *in, diag_t *d);
/* `text` "random" or "random:SEED": tokens, and labels of the head, drawn alike everywhere; as many
 * as the spec's length and batch say. Where the spec takes several lengths `open_length` is meant;
 * 0: its greatest, without a length at most RANDOM_LENGTH. */
enum { RANDOM_LENGTH = 512 };
bool inputs_random(inputs_t *in, arena_t *a, const loaded_model_t *m, const char *text,
                   int64_t open_length, diag_t *d);
/* --input: random tensors of this length, or those of the file `path`. */
bool inputs_open(inputs_t *in, arena_t *a, const loaded_model_t *m, const char *path, diag_t *d);
/* --buckets: `layers.N.buckets` I32 [batch, heads, rounds, padded length], for the length that `p`
 * runs these inputs at. */
bool inputs_read_buckets(inputs_t *in, arena_t *a, const plan_t *p, const char *path, diag_t *d);

typedef struct {
    char *name;
    int dtype; /* REFORMER_F32 or REFORMER_I32 */
    int rank;
    int64_t shape[8];
    size_t bytes;
    void *data;
    double rounding; /* of a reference: what single precision loses as a value is shown (sides.h) */
    double mean;     /* and the root mean square of that; 0: not judged (lead.h) */
    double many; /* and how large a share of its elements may lose more than floats do; 0: any */
    double min;  /* the size that differences are measured by is no less; 0: 1 */
} result_t;

typedef struct {
    result_t *items;
    size_t n, cap;
} results_t;

void results_free(results_t *r);
const result_t *results_find(const results_t *r, const char *name); /* NULL: none */
/* A new tensor, zeroed; NULL after an error in d when there is no memory for it. */
result_t *results_add(results_t *r, const char *name, int dtype, int rank, const int64_t *shape,
                      diag_t *d);
bool results_put(const results_t *r, output_set_t *set, const char *path, diag_t *d);

/* Points io at them, but for positions, which a train step is given by itself. */
void inputs_give(const inputs_t *in, reformer_io_t *io);
/* The same, and points it at new results for every output of this head (with labels: loss). */
bool results_prepare(results_t *r, const inputs_t *in, const facts_t *f, reformer_io_t *io,
                     diag_t *d);
/* reformer_trace_fn; ctx is a trace_sink_t. */
typedef struct {
    results_t *results;
    diag_t *d;
} trace_sink_t;
void results_trace(void *ctx, const char *name, const void *data, int dtype, const int64_t *shape,
                   int rank);

/* Bytes that `bytes = a * b` needs, or false when it does not fit a size_t. */
bool checked_product(const int64_t *factor, int n, size_t element, size_t *bytes);

#endif
