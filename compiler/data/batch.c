/* The rows of data.h. In: what data.c has opened, and a row's number in the whole training or
 * evaluation. Out: its ids, mask, label(s) and first position. */
#include <string.h>

#include "data/data_int.h"
#include "data/masking.h"
#include "data/random.h"
#include "support/heap.h"

data_batch_t data_batch_new(int64_t rows, int64_t length) {
    size_t n = (size_t)rows * (size_t)length;
    return (data_batch_t){.rows = rows,
                          .length = length,
                          .input_ids = heap_new(n, sizeof(int32_t)),
                          .attention_mask = heap_new(n, 1),
                          .labels = heap_new(n, sizeof(int32_t)),
                          .begins = heap_new((size_t)rows, sizeof(int32_t)),
                          .room = n,
                          .row_room = rows};
}

void data_batch_free(data_batch_t *b) {
    heap_free(b->input_ids);
    heap_free(b->attention_mask);
    heap_free(b->labels);
    heap_free(b->begins);
    *b = (data_batch_t){0};
}

static void begin_batch(data_batch_t *b, int64_t rows, int64_t length) {
    if ((size_t)rows * (size_t)length > b->room || rows > b->row_room)
        bug("a batch of %lld rows of %lld tokens has no room", (long long)rows, (long long)length);
    b->rows = rows;
    b->length = length;
    b->padded = b->offset = false;
    b->items = b->bytes = 0;
}

/* ---- crops ---------------------------------------------------------------------------------- */

/* Where the windows of an epoch begin: anywhere that loses less than a window at either end. */
static int64_t shift_of(const data_t *data, uint64_t epoch) {
    int64_t slack = data->train.n - data->epoch_rows * data->o.length;
    int64_t max = slack < data->o.length - 1 ? slack : data->o.length - 1;
    random_t r = random_at(data->o.seed, PLACE_SHIFT, epoch);
    return (int64_t)random_below(&r, (uint64_t)max + 1);
}

/* Drawn as the end of a crop that may stand out of the positions at both sides, and moved in: the
 * first and the last positions are in as many crops as those between. */
static int32_t begin_of(const data_t *data, uint64_t row) {
    int64_t length = data->o.length, last = data->o.positions - length;
    if (last <= 0) return 0;
    random_t r = random_at(data->o.seed, PLACE_BEGIN, row);
    int64_t begin = (int64_t)random_below(&r, (uint64_t)(data->o.positions + length - 1));
    begin -= length - 1;
    return (int32_t)(begin < 0 ? 0 : begin > last ? last : begin);
}

/* A row whose ids are read. `place`: of its masks. */
static void label_tokens(const data_t *data, uint32_t place, uint64_t number, int64_t n,
                         int32_t *ids, int32_t *labels, data_batch_t *out) {
    if (data->o.goal == DATA_MASKED) {
        random_t words = random_at(data->o.seed, place, number);
        out->items += mask_row(&data->o.masking, data->o.vocabulary, words, n, ids, labels);
        return;
    }
    memcpy(labels, ids, (size_t)n * sizeof *ids);
    out->items += n - 1;
}

static bool put_tokens(const data_t *data, const token_span_t *span, int64_t at, uint32_t place,
                       uint64_t number, int64_t i, data_batch_t *out, diag_t *d) {
    int64_t n = out->length;
    int32_t *ids = out->input_ids + i * n;
    at += span->from;
    if (!source_read(span->source, at, n, data->o.vocabulary, ids, d)) return false;
    memset(out->attention_mask + i * n, 1, (size_t)n);
    label_tokens(data, place, number, n, ids, out->labels + i * n, out);
    if (data->o.goal == DATA_CAUSAL) out->bytes += source_bytes(span->source, at + 1, at + n);
    out->begins[i] = 0;
    return true;
}

static bool put_crop(const data_t *data, uint64_t row, int64_t i, data_batch_t *out, diag_t *d) {
    uint64_t windows = (uint64_t)data->epoch_rows, epoch = row / windows;
    uint64_t window = random_order(data->o.seed, PLACE_ORDER, epoch, windows, row % windows);
    int64_t at = shift_of(data, epoch) + (int64_t)window * data->o.length;
    if (!put_tokens(data, &data->train, at, PLACE_MASKS, row, i, out, d)) return false;
    out->begins[i] = begin_of(data, row);
    out->offset = out->offset || out->begins[i] > 0;
    return true;
}

/* ---- tables --------------------------------------------------------------------------------- */

static void put_table_row(const data_t *data, const tsv_t *table, int64_t row, int64_t i,
                          data_batch_t *out) {
    int64_t n, length = out->length;
    const int32_t *from = tsv_row(table, row, &n, &out->labels[i]);
    int32_t *ids = out->input_ids + i * length;
    uint8_t *mask = out->attention_mask + i * length;
    if (n > length) n = length;
    memcpy(ids, from, (size_t)n * sizeof *ids);
    memset(mask, 1, (size_t)n);
    for (int64_t k = n; k < length; k++) {
        ids[k] = data->o.pad_id;
        mask[k] = 0;
    }
    out->begins[i] = 0;
    out->padded = out->padded || n < length;
    out->items++;
}

/* A row of the table by its place among those that are kept, and those held out behind them. */
static int64_t kept_row(const data_t *data, uint64_t place) {
    if (data->eval_table || data->o.held_out <= 0) return (int64_t)place;
    return (int64_t)random_order(data->o.seed, PLACE_HELD_OUT, 0, (uint64_t)tsv_rows(data->table),
                                 place);
}

static void put_example(const data_t *data, uint64_t row, int64_t i, data_batch_t *out) {
    uint64_t rows = (uint64_t)data->epoch_rows;
    uint64_t place = random_order(data->o.seed, PLACE_ORDER, row / rows, rows, row % rows);
    put_table_row(data, data->table, kept_row(data, place), i, out);
}

/* ---- tasks ---------------------------------------------------------------------------------- */

static bool put_task(const data_t *data, task_split_t split, uint64_t example, int64_t i,
                     data_batch_t *out, diag_t *d) {
    int64_t n = out->length;
    bool classes = task_classifies(&data->task);
    uint8_t *mask = out->attention_mask + i * n;
    int32_t *labels = out->labels + (classes ? i : i * n);
    if (!task_example(&data->task, data->o.seed, split, example, out->input_ids + i * n, mask,
                      labels, d))
        return false;
    if (classes) out->items++;
    for (int64_t k = 1; !classes && k < n; k++) out->items += labels[k] != DATA_IGNORED;
    out->padded = out->padded || !mask[n - 1];
    out->begins[i] = 0;
    return true;
}

/* ---- batches -------------------------------------------------------------------------------- */

static bool put_row(const data_t *data, uint64_t row, int64_t i, data_batch_t *out, diag_t *d) {
    if (data->task.kind != TASK_NONE) return put_task(data, SPLIT_TRAIN, row, i, out, d);
    if (!data->table) return put_crop(data, row, i, out, d);
    put_example(data, row, i, out);
    return true;
}

bool data_rows(const data_t *data, int64_t step, int64_t first, int64_t rows, data_batch_t *out,
               diag_t *d) {
    begin_batch(out, rows, data->o.length);
    uint64_t row = (uint64_t)step * (uint64_t)data->o.rows_per_step + (uint64_t)first;
    for (int64_t i = 0; i < rows; i++)
        if (!put_row(data, row + (uint64_t)i, i, out, d)) return false;
    return true;
}

/* ---- evaluation ----------------------------------------------------------------------------- */

/* Which of all windows the i-th is that is taken. */
static int64_t taken_window(const data_t *data, int64_t i) {
    int64_t taken = data_eval_windows(data), all = data->eval_windows;
    return (int64_t)((__int128)i * all / taken);
}

static int64_t window_length(const data_t *data, int64_t window) {
    if (!data->eval.source) return data->o.length;
    int64_t rest = data->eval.n - window * data->o.length;
    return rest < data->o.length ? rest : data->o.length;
}

static bool put_window(const data_t *data, int64_t window, int64_t i, data_batch_t *out,
                       diag_t *d) {
    if (data->task.kind != TASK_NONE)
        return put_task(data, SPLIT_VALIDATION, (uint64_t)window, i, out, d);
    if (data->eval.source)
        return put_tokens(data, &data->eval, window * data->o.length, PLACE_EVAL_MASKS,
                          (uint64_t)window, i, out, d);
    if (data->eval_table) put_table_row(data, data->eval_table, window, i, out);
    else
        put_table_row(data, data->table, kept_row(data, (uint64_t)(data->epoch_rows + window)), i,
                      out);
    return true;
}

bool data_eval(const data_t *data, int64_t first, int64_t rows, data_batch_t *out, diag_t *d) {
    int64_t left = data_eval_windows(data) - first, n = 0;
    int64_t length = left > 0 ? window_length(data, taken_window(data, first)) : 0;
    if (rows > left) rows = left > 0 ? left : 0;
    while (n < rows && window_length(data, taken_window(data, first + n)) == length) n++;
    begin_batch(out, n, length);
    for (int64_t i = 0; i < n; i++)
        if (!put_window(data, taken_window(data, first + i), i, out, d)) return false;
    return true;
}
