/* What a loss is the mean of: its items, by which gradients of several micro-batches
 * weigh in the step's.
 *
 * In: a forward with its labels. Out: how many tokens, rows or answers of it count. */
#include "rt_int.h"

enum { IGNORED = -100 }; /* a label that does not count */

static int64_t count_labels(const int32_t *labels, size_t n) {
    int64_t items = 0;
    for (size_t i = 0; labels && i < n; i++) items += labels[i] != IGNORED;
    return items;
}

/* Tokens per row that a loss over positions runs over. */
static int64_t loss_length(const reformer_desc_t *desc, size_t length) {
    for (int i = 0; desc->trains && i < desc->n_variants; i++) {
        const reformer_variant_t *v = &desc->trains[i];
        if ((uint64_t)v->max_length >= length) return v->unpadded ? (int64_t)length : v->max_length;
    }
    return (int64_t)length;
}

/* Rows by how many of start and end count: those that are behind the last token do not. */
static void count_rows(const reformer_desc_t *desc, const reformer_io_t *io, size_t rows,
                       int64_t counts[3]) {
    int64_t length = loss_length(desc, io->length);
    counts[0] = counts[1] = counts[2] = 0;
    if (!io->start_positions || !io->end_positions) return;
    for (size_t b = 0; b < rows; b++)
        counts[(io->start_positions[b] < length) + (io->end_positions[b] < length)]++;
}

int reformer_half_items(const reformer_desc_t *desc, const reformer_io_t *io) {
    int64_t counts[3];
    if (!desc || !REFORMER_SIZED(io) || desc->head != REFORMER_HEAD_QA) return 0;
    count_rows(desc, io, io->batch ? io->batch : (size_t)desc->batch, counts);
    return counts[1] > 0;
}

/* The first label of a row of a causal LM belongs to no token. */
int64_t reformer_items(const reformer_desc_t *desc, const reformer_io_t *io) {
    if (!desc || !io) return 0;
    if (!REFORMER_SIZED(io)) return -REFORMER_E_SIZE;
    size_t rows = io->batch ? io->batch : (size_t)desc->batch, first = 0;
    int64_t items = 0, counts[3];
    if (rows > (uint64_t)desc->batch) return -REFORMER_E_BATCH;
    if (io->length == 0 || io->length > (uint64_t)desc->max_length) return -REFORMER_E_LENGTH;
    switch (desc->head) {
    case REFORMER_HEAD_NONE: return 0;
    case REFORMER_HEAD_QA: count_rows(desc, io, rows, counts); return counts[1] + counts[2];
    case REFORMER_HEAD_CLASSIFIER:
        if (desc->train_loss != REFORMER_LOSS_CROSS_ENTROPY) return (int64_t)rows;
        return count_labels(io->labels, rows);
    case REFORMER_HEAD_CAUSAL_LM: first = 1; break;
    case REFORMER_HEAD_MASKED_LM: break;
    }
    for (size_t b = 0; io->labels && io->length > first && b < rows; b++)
        items += count_labels(io->labels + b * io->length + first, io->length - first);
    return items;
}
