/* One forward: choose the variant, lay out the workspace, fill the slots, run the schedule.
 *
 * The workspace, front to back, every part 64-byte aligned: prepared slots, the schedule's own
 * buffers, one scratch per worker. Sizes come from the variant; sums are checked, so that a length
 * or a number of threads from outside cannot overflow them. */
#include "rt_int.h"

enum { ALIGNMENT = REFORMER_ALIGNMENT };

size_t reformer_take(reformer_room_t *r, size_t count, size_t size) {
    const size_t max = SIZE_MAX / 2 - ALIGNMENT;
    size_t at = r->bytes;
    if (at > max || (size && count > (max - at) / size)) {
        r->full = 1;
        return at;
    }
    r->bytes = (at + count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return at;
}

typedef struct {
    size_t slot[REFORMER_SLOTS]; /* offsets of prepared slots */
    size_t schedule, scratch, stride, bytes;
} layout_t;

/* Prepared slots: i32 unless it says otherwise, all of four bytes. Train steps make a loss that
 * nobody may have asked for, and their rows begin anywhere. */
static void lay_out_slots(const reformer_desc_t *d, const reformer_extent_t *e, int trains,
                          reformer_room_t *r, size_t *slot) {
    static const int per_row[] = {REFORMER_SLOT_IDS, REFORMER_SLOT_KEY, REFORMER_SLOT_ROW,
                                  REFORMER_SLOT_TARGET};
    size_t rows = (size_t)d->batch * (size_t)e->rows;
    for (size_t i = 0; i < sizeof per_row / sizeof *per_row; i++)
        slot[per_row[i]] = reformer_take(r, rows, sizeof(int32_t));
    slot[REFORMER_SLOT_CONTROL] = reformer_take(r, REFORMER_CONTROLS, sizeof(int32_t));
    slot[REFORMER_SLOT_LABELS_F32] =
        reformer_take(r, (size_t)d->batch * (size_t)d->labels, sizeof(float));
    slot[REFORMER_SLOT_GIVEN] = reformer_take(r, (size_t)d->lsh_layers, sizeof(int32_t));
    if (!trains) return;
    slot[REFORMER_SLOT_LOSS] = reformer_take(r, 1, sizeof(float));
    slot[REFORMER_SLOT_POSITION] = reformer_take(r, (size_t)d->batch, sizeof(int32_t));
}

size_t reformer_linear(reformer_room_t *r, size_t fixed, size_t per_unit, int64_t units) {
    reformer_room_t sum = {fixed, 0};
    (void)reformer_take(&sum, (size_t)units, per_unit);
    if (sum.full) r->full = 1;
    return sum.full ? 0 : sum.bytes;
}

static int lay_out(const reformer_desc_t *d, const reformer_variant_t *v,
                   const reformer_extent_t *e, int threads, int trains, layout_t *l) {
    reformer_room_t r = {0, 0};
    lay_out_slots(d, e, trains, &r, l->slot);
    size_t schedule = reformer_linear(&r, v->workspace_bytes, v->workspace_per_unit, e->units);
    size_t scratch = reformer_linear(&r, v->scratch_bytes, v->scratch_per_unit, e->units);
    l->schedule = reformer_take(&r, 1, schedule);
    l->stride = (scratch + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    l->scratch = reformer_take(&r, (size_t)threads, l->stride);
    l->bytes = r.bytes;
    return !r.full;
}

/* Positions and row numbers are int32 for the kernels. */
static int extent_of(const reformer_desc_t *d, const reformer_variant_t *v, size_t length,
                     reformer_extent_t *e) {
    *e = (reformer_extent_t){0, v->padded, v->rows};
    if (v->unit) {
        e->units = ((int64_t)length + v->unit - 1) / v->unit;
        e->padded = e->rows = e->units * v->unit;
    }
    return e->rows >= (int64_t)length && e->rows < REFORMER_MASKED && d->batch > 0 &&
           d->batch <= INT32_MAX / e->rows;
}

/* The shortest variant that takes the length; they stand in ascending order. */
static const reformer_variant_t *choose(const reformer_variant_t *v, int n, size_t length) {
    for (int i = 0; i < n; i++)
        if (v[i].max_length >= 0 && length <= (uint64_t)v[i].max_length) return &v[i];
    return NULL;
}

int reformer_workers(int threads) {
    return threads == 0 ? 1 : threads;
}

/* A variant for shorter inputs may need more than the one for `length`: its sizes are
 * literals of another kernel. */
static size_t bytes_of(const reformer_desc_t *desc, const reformer_variant_t *variants,
                       int n_variants, size_t length, int threads, int trains) {
    if (!desc || length == 0 || threads < 0 || threads > REFORMER_MAX_THREADS) return 0;
    const reformer_variant_t *last = choose(variants, n_variants, length);
    size_t max = 0;
    for (const reformer_variant_t *v = variants; last && v <= last; v++) {
        reformer_extent_t e;
        layout_t l;
        if (!extent_of(desc, v, v == last ? length : (size_t)v->max_length, &e)) return 0;
        if (!lay_out(desc, v, &e, reformer_workers(threads), trains, &l)) return 0;
        if (l.bytes > max) max = l.bytes;
    }
    return max;
}

size_t reformer_prepare_exactly(const reformer_desc_t *desc, const reformer_variant_t *variants,
                                int n_variants, size_t length, int threads) {
    const reformer_variant_t *v = choose(variants, n_variants, length);
    reformer_extent_t e;
    layout_t l;
    if (!v || !extent_of(desc, v, length, &e)) return SIZE_MAX;
    return lay_out(desc, v, &e, reformer_workers(threads), 0, &l) ? l.bytes : SIZE_MAX;
}

size_t reformer_prepare_bytes(const reformer_desc_t *desc, const reformer_variant_t *variants,
                              int n_variants, size_t length, int threads) {
    return bytes_of(desc, variants, n_variants, length, threads, 0);
}

size_t reformer_prepare_gradients_bytes(const reformer_desc_t *desc,
                                        const reformer_variant_t *trains, int n_trains,
                                        size_t length, int threads) {
    return bytes_of(desc, trains, n_trains, length, threads, 1);
}

int reformer_group_size(const reformer_desc_t *d, int first) {
    int n = 1;
    while (first + n < d->n_variants && d->variants[first + n].target == d->variants[first].target)
        n++;
    return n;
}

static size_t max_bytes(const reformer_desc_t *desc, const reformer_variant_t *variants,
                        size_t length, int threads, int trains) {
    size_t max = 0;
    int runs = 0;
    for (int i = 0, n; i < desc->n_variants; i += n) {
        n = reformer_group_size(desc, i);
        size_t bytes = bytes_of(desc, variants + i, n, length, threads, trains);
        if (bytes == 0) return 0;
        if (bytes > max) max = bytes;
        runs = runs || reformer_cpu_takes(desc->variants[i].target);
    }
    return runs ? max : 0;
}

size_t reformer_workspace_bytes(const reformer_desc_t *desc, size_t length, int threads) {
    return desc ? max_bytes(desc, desc->variants, length, threads, 0) : 0;
}

size_t reformer_train_bytes(const reformer_desc_t *desc, size_t length, int threads) {
    return desc && desc->trains ? max_bytes(desc, desc->trains, length, threads, 1) : 0;
}

/* `gradients` NULL: a forward. */
static int prepare(const reformer_desc_t *desc, const reformer_variant_t *variants, int n_variants,
                   const unsigned char *weights, const reformer_io_t *io, float *gradients,
                   void *workspace, size_t bytes, reformer_call_t *call,
                   const reformer_variant_t **chosen) {
    if (!desc || !variants || !io) return REFORMER_E_ARGUMENT;
    if (!REFORMER_SIZED(io) || !reformer_pool_fits(io->pool)) return REFORMER_E_SIZE;
    if (!io->input_ids || !workspace || !call) return REFORMER_E_ARGUMENT;
    if (io->threads < 0 || io->threads > REFORMER_MAX_THREADS) return REFORMER_E_ARGUMENT;
    if ((uintptr_t)workspace % ALIGNMENT) return REFORMER_E_ALIGNMENT;
    if (desc->batch < 1 || io->batch > (uint64_t)desc->batch) return REFORMER_E_BATCH;
    const reformer_variant_t *v = io->length ? choose(variants, n_variants, io->length) : NULL;
    reformer_extent_t e;
    layout_t l;
    if (!v || !extent_of(desc, v, io->length, &e)) return REFORMER_E_LENGTH;
    *call = (reformer_call_t){.weights = weights,
                              .units = e.units,
                              .threads = reformer_workers(io->threads),
                              .pool = io->pool,
                              .trace = io->trace,
                              .trace_ctx = io->trace_ctx,
                              .profile = io->profile,
                              .profile_ctx = io->profile_ctx};
    if (!lay_out(desc, v, &e, call->threads, gradients != NULL, &l)) return REFORMER_E_LENGTH;
    if (l.bytes > bytes) return REFORMER_E_WORKSPACE;
    unsigned char *base = (unsigned char *)workspace;
    static const int prepared[] = {
        REFORMER_SLOT_IDS,     REFORMER_SLOT_KEY,        REFORMER_SLOT_ROW,  REFORMER_SLOT_TARGET,
        REFORMER_SLOT_CONTROL, REFORMER_SLOT_LABELS_F32, REFORMER_SLOT_GIVEN};
    for (size_t i = 0; i < sizeof prepared / sizeof *prepared; i++)
        call->slot[prepared[i]] = base + l.slot[prepared[i]];
    if (gradients) call->slot[REFORMER_SLOT_LOSS] = base + l.slot[REFORMER_SLOT_LOSS];
    if (gradients) call->slot[REFORMER_SLOT_POSITION] = base + l.slot[REFORMER_SLOT_POSITION];
    call->slot[REFORMER_SLOT_GRADIENTS] = gradients;
    if (gradients) call->ready = io->ready;
    if (gradients) call->ready_ctx = io->ready_ctx;
    call->workspace = base + l.schedule;
    call->scratch = base + l.scratch;
    call->scratch_stride = l.stride;
    if (chosen) *chosen = v;
    return reformer_fill_slots(desc, v, &e, io, call);
}

int reformer_prepare(const reformer_desc_t *desc, const reformer_variant_t *variants,
                     int n_variants, const unsigned char *weights, const reformer_io_t *io,
                     void *workspace, size_t bytes, reformer_call_t *call,
                     const reformer_variant_t **chosen) {
    return prepare(desc, variants, n_variants, weights, io, NULL, workspace, bytes, call, chosen);
}

int reformer_prepare_gradients(const reformer_desc_t *desc, const reformer_variant_t *trains,
                               int n_trains, const unsigned char *weights, const reformer_io_t *io,
                               float *gradients, size_t gradients_bytes, void *workspace,
                               size_t bytes, reformer_call_t *call,
                               const reformer_variant_t **chosen) {
    if (!desc || !gradients) return REFORMER_E_ARGUMENT;
    if (!trains || !desc->trains) return REFORMER_E_TRAIN;
    if ((uintptr_t)gradients % ALIGNMENT) return REFORMER_E_ALIGNMENT;
    if (gradients_bytes < desc->gradients_bytes) return REFORMER_E_WORKSPACE;
    return prepare(desc, trains, n_trains, weights, io, gradients, workspace, bytes, call, chosen);
}

int reformer_forward(const reformer_desc_t *desc, const reformer_model_t *m,
                     const reformer_io_t *io, void *workspace, size_t bytes) {
    reformer_call_t call;
    const reformer_variant_t *v;
    int error = reformer_check_model(desc, m);
    if (!error)
        error = reformer_prepare(desc, m->variants, m->n_variants, m->weights, io, workspace, bytes,
                                 &call, &v);
    if (error) return error;
    reformer_run_variant(v, &call);
    return REFORMER_OK;
}
