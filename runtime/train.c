/* Training: gradients of a step's micro-batches, then one update of the weights, in place.
 *
 * In: a bound model, its weights to write, the caller's memory. Out: the next weights, packed as
 * kernels read them. What a step computes is in the model's code: train steps
 * and the update (update.c). */
#include <string.h>

#include "real.h"
#include "rt_int.h"

enum { PARTS = 8 }; /* tasks of a layer's rotations */

/* ---- memory ---------------------------------------------------------------------------------- */

/* Offsets of the parts. */
typedef struct {
    size_t params, sum, gradients, state[REFORMER_STATES], rotations, bytes;
} parts_t;

static size_t rotation_floats(const reformer_rotations_t *r) {
    return (size_t)(r->heads * r->head_size * r->rounds * r->half);
}

static int lay_out(const reformer_desc_t *d, size_t micro_batches, parts_t *p) {
    reformer_room_t r = {0, 0};
    size_t drawn = 0;
    for (int i = 0; i < d->n_rotations; i++) drawn += rotation_floats(&d->rotations[i]);
    p->params = reformer_take(&r, 1, d->gradients_bytes);
    p->sum = reformer_take(&r, 1, d->gradients_bytes);
    p->gradients = reformer_take(&r, micro_batches > 1, d->gradients_bytes);
    for (int i = 0; i < REFORMER_STATES; i++) p->state[i] = reformer_take(&r, 1, d->state_bytes[i]);
    p->rotations = reformer_take(&r, drawn, sizeof(float));
    p->bytes = r.bytes;
    return !r.full;
}

size_t reformer_trainer_bytes(const reformer_desc_t *desc, size_t micro_batches) {
    parts_t p;
    if (!desc || !desc->updates || micro_batches == 0) return 0;
    return lay_out(desc, micro_batches, &p) ? p.bytes : 0;
}

size_t reformer_trainer_workspace(const reformer_desc_t *desc, size_t length, int threads) {
    size_t max = desc && desc->updates ? reformer_train_bytes(desc, length, threads) : 0;
    if (max == 0) return 0;
    for (int i = 0, target = 0; i < desc->n_variants; i++) {
        if (i > 0 && desc->variants[i].target == desc->variants[i - 1].target) continue;
        size_t bytes = reformer_prepare_update_bytes(&desc->updates[target++], threads);
        if (bytes == 0) return 0;
        if (bytes > max) max = bytes;
    }
    return max;
}

static int bind_memory(const reformer_desc_t *desc, reformer_trainer_t *t,
                       const reformer_model_t *m, void *weights, void *memory, size_t memory_bytes,
                       size_t micro_batches) {
    parts_t p;
    int error = reformer_check_model(desc, m);
    if (error) return error;
    if (!t || !weights || !memory || micro_batches == 0) return REFORMER_E_ARGUMENT;
    if (weights != (const void *)m->weights) return REFORMER_E_ARGUMENT;
    if (!m->update) return REFORMER_E_TRAIN;
    if ((uintptr_t)memory % REFORMER_ALIGNMENT) return REFORMER_E_ALIGNMENT;
    if (!lay_out(m->desc, micro_batches, &p)) return REFORMER_E_ARGUMENT;
    if (p.bytes > memory_bytes) return REFORMER_E_WORKSPACE;
    unsigned char *base = (unsigned char *)memory;
    *t = (reformer_trainer_t){.size = sizeof *t, .model = m, .weights = (unsigned char *)weights};
    t->params = (float *)(void *)(base + p.params);
    t->sum = (float *)(void *)(base + p.sum);
    if (micro_batches > 1) t->gradients = (float *)(void *)(base + p.gradients);
    for (int i = 0; i < REFORMER_STATES; i++) t->state[i] = (float *)(void *)(base + p.state[i]);
    t->rotations = (float *)(void *)(base + p.rotations);
    return REFORMER_OK;
}

/* ---- the update's module --------------------------------------------------------------------- */

static reformer_update_t update_of(reformer_trainer_t *t, int threads,
                                   const reformer_pool_t *pool) {
    reformer_update_t u = {.size = sizeof u,
                           .weights = t->weights,
                           .params = t->params,
                           .sum = t->sum,
                           .gradients = t->gradients,
                           .share = 1,
                           .step = t->step,
                           .threads = threads,
                           .pool = pool};
    for (int i = 0; i < REFORMER_STATES; i++) u.state[i] = t->state[i];
    return u;
}

static int run_update(const reformer_trainer_t *t, const reformer_update_t *u, void *workspace,
                      size_t bytes) {
    reformer_call_t call;
    const reformer_variant_t *v = t->model->update;
    int error = reformer_prepare_update(t->model->desc, v, u, workspace, bytes, &call);
    if (error) return error;
    reformer_run_variant(v, &call);
    return REFORMER_OK;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static void clear(float *x, size_t bytes) {
    for (size_t i = 0; i < bytes / sizeof *x; i++) x[i] = 0;
}

static float *rotations_in(const reformer_trainer_t *t, int i) {
    return (float *)(void *)(t->weights + t->model->desc->rotations[i].offset);
}

/* A step's are drawn anew; the weights' own are kept. `out` 1: from the weights, 0: into them. */
static void move_rotations(const reformer_trainer_t *t, int out) {
    const reformer_desc_t *d = t->model->desc;
    float *kept = t->rotations;
    for (int i = 0; i < d->n_rotations; i++) {
        float *own = rotations_in(t, i);
        size_t n = rotation_floats(&d->rotations[i]);
        for (size_t k = 0; k < n; k++)
            if (out) kept[k] = own[k];
            else own[k] = kept[k];
        kept += n;
    }
}

int reformer_trainer_begin(const reformer_desc_t *desc, reformer_trainer_t *t,
                           const reformer_model_t *m, void *weights, void *memory,
                           size_t memory_bytes, size_t micro_batches, void *workspace,
                           size_t bytes) {
    int error = bind_memory(desc, t, m, weights, memory, memory_bytes, micro_batches);
    if (error) return error;
    const reformer_desc_t *d = m->desc;
    clear(t->params, d->gradients_bytes);
    clear(t->sum, d->gradients_bytes);
    if (t->gradients) clear(t->gradients, d->gradients_bytes);
    for (int i = 0; i < REFORMER_STATES; i++) clear(t->state[i], d->state_bytes[i]);
    move_rotations(t, 1);
    reformer_update_t u = update_of(t, 0, NULL);
    u.phases[REFORMER_PHASE_UNPACK] = 1;
    return run_update(t, &u, workspace, bytes);
}

int reformer_trainer_resume(const reformer_desc_t *desc, reformer_trainer_t *t,
                            const reformer_model_t *m, void *weights, void *memory,
                            size_t memory_bytes, size_t micro_batches, int64_t step) {
    if (step < 0) return REFORMER_E_ARGUMENT;
    int error = bind_memory(desc, t, m, weights, memory, memory_bytes, micro_batches);
    if (error) return error;
    t->step = step;
    return REFORMER_OK;
}

/* ---- gradients ------------------------------------------------------------------------------- */

typedef struct {
    const reformer_trainer_t *t;
} draw_t;

static void draw(const reformer_call_t *call, unsigned char *scratch, const int64_t *arg,
                 int64_t i) {
    const reformer_trainer_t *t = ((const draw_t *)(const void *)arg)->t;
    const reformer_desc_t *d = t->model->desc;
    (void)call, (void)scratch;
    int which = (int)(i / PARTS), part = (int)(i % PARTS);
    reformer_draw_rotations(&d->rotations[which], d->training->seed, (uint32_t)t->step, 1, part,
                            PARTS, rotations_in(t, which));
}

static void launch_draw(void *ctx, const reformer_call_t *call) {
    const draw_t *arg = (const draw_t *)ctx;
    reformer_launch(call, draw, PARTS * arg->t->model->desc->n_rotations,
                    (const int64_t *)(const void *)arg);
}

static void draw_all(const reformer_trainer_t *t, const reformer_io_t *io) {
    reformer_call_t call = {.threads = reformer_workers(io->threads), .pool = io->pool};
    draw_t arg = {t};
    if (t->model->desc->n_rotations > 0) reformer_run(&call, launch_draw, &arg);
}

static int check_trainer(const reformer_trainer_t *t) {
    if (!t || t->size == 0) return REFORMER_E_ARGUMENT;
    if (!REFORMER_SIZED(t)) return REFORMER_E_SIZE;
    return t->model && t->params ? REFORMER_OK : REFORMER_E_ARGUMENT;
}

int reformer_train_accumulate(reformer_trainer_t *t, const reformer_io_t *io, double share,
                              int first, void *workspace, size_t bytes) {
    int error = check_trainer(t);
    if (error) return error;
    if (!io || !workspace || (!first && !t->gradients)) return REFORMER_E_ARGUMENT;
    if (!REFORMER_SIZED(io) || !reformer_pool_fits(io->pool)) return REFORMER_E_SIZE;
    if (io->threads < 0 || io->threads > REFORMER_MAX_THREADS) return REFORMER_E_ARGUMENT;
    reformer_io_t mine = *io;
    mine.ready = NULL; /* what is done is a micro-batch's, of a sum */
    mine.dropout_seed = t->model->desc->training->seed;
    mine.dropout_step = (uint32_t)t->step;
    if (first) draw_all(t, io);
    float *gradients = first ? t->sum : t->gradients;
    const reformer_desc_t *d = t->model->desc;
    error = reformer_gradients(d, t->model, &mine, gradients, d->gradients_bytes, workspace, bytes);
    if (error && first) move_rotations(t, 0); /* the step has not begun */
    if (error || (first && share == 1)) return error;
    reformer_update_t u = update_of(t, io->threads, io->pool);
    u.gradients = gradients;
    u.share = share;
    u.phases[first ? REFORMER_PHASE_SCALE : REFORMER_PHASE_ADD] = 1;
    return run_update(t, &u, workspace, bytes);
}

/* ---- updates --------------------------------------------------------------------------------- */

/* By their bits: arithmetic with what is not finite is what a host may have trapped. */
static int is_finite(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits >> 52 & 0x7FF) != 0x7FF;
}

static int is_finite_float(const float *x) {
    uint32_t bits;
    memcpy(&bits, x, sizeof bits);
    return (bits >> 23 & 0xFF) != 0xFF;
}

/* The first tensor of a sum that holds a NaN or an infinity; one does, since squares of finite
 * floats do not overflow. */
static int64_t bad_tensor(const reformer_trainer_t *t) {
    reformer_tensor_t tensor = {.size = sizeof tensor};
    for (size_t i = 0; reformer_gradient(t->model->desc, i, &tensor) == REFORMER_OK; i++)
        for (size_t k = 0; k < tensor.elements; k++)
            if (!is_finite_float(t->sum + tensor.offset + k)) return (int64_t)i;
    return -1;
}

static void tell(const reformer_trainer_t *t, double norm, reformer_train_report_t *r) {
    r->grad_norm = norm;
    r->learning_rate = reformer_learning_rate(t->model->desc->training, t->step);
    r->step = t->step;
    r->bad = is_finite(norm) ? -1 : bad_tensor(t);
}

int reformer_train_update(reformer_trainer_t *t, int threads, const reformer_pool_t *pool,
                          reformer_train_report_t *report, void *workspace, size_t bytes) {
    int error = check_trainer(t);
    if (error) return error;
    if (report && !REFORMER_SIZED(report)) return REFORMER_E_SIZE;
    double norm = 0;
    reformer_update_t u = update_of(t, threads, pool);
    u.gradients = NULL;
    u.norm = &norm;
    u.phases[REFORMER_PHASE_NORM] = 1;
    move_rotations(t, 0);
    error = run_update(t, &u, workspace, bytes);
    if (error) return error;
    if (report) tell(t, norm, report);
    if (!is_finite(norm)) return REFORMER_E_DIVERGED;
    u.phases[REFORMER_PHASE_NORM] = 0;
    u.phases[REFORMER_PHASE_UPDATE] = u.phases[REFORMER_PHASE_PACK] = 1;
    error = run_update(t, &u, workspace, bytes);
    if (!error) t->step++;
    return error;
}

/* ---- a step ---------------------------------------------------------------------------------- */

typedef struct {
    reformer_trainer_t *t;
    void *workspace;
    size_t bytes;
} derivation_t;

static int derive(void *ctx, const reformer_io_t *io, double share, int first) {
    const derivation_t *d = (const derivation_t *)ctx;
    return reformer_train_accumulate(d->t, io, share, first, d->workspace, d->bytes);
}

int reformer_train_step(const reformer_desc_t *desc, reformer_trainer_t *t, const reformer_io_t *io,
                        size_t n, reformer_train_report_t *report, void *workspace, size_t bytes) {
    reformer_train_report_t own = {.size = sizeof own};
    int error = check_trainer(t);
    if (!error) error = reformer_check_model(desc, t->model);
    if (error) return error;
    if (!io || n == 0) return REFORMER_E_ARGUMENT;
    if (!report) report = &own;
    if (!REFORMER_SIZED(report)) return REFORMER_E_SIZE;
    *report = (reformer_train_report_t){.size = sizeof *report, .step = t->step, .bad = -1};
    size_t at;
    error = reformer_step_items(t->model->desc, io, n, &report->items, &at);
    if (error) return error;
    derivation_t d = {t, workspace, bytes};
    error = reformer_step_derive(t->model->desc, io, n, report->items, derive, &d, &report->loss);
    if (error) {
        move_rotations(t, 0);
        return error;
    }
    return reformer_train_update(t, io->threads, io->pool, report, workspace, bytes);
}
