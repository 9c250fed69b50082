/* One call of the module that updates weights: its workspace and its slots.
 *
 * The workspace, front to back, every part 64-byte aligned: phases, coefficients, the norm, the
 * schedule's own buffers, one scratch per worker. */
#include "real.h"
#include "rt_int.h"

typedef struct {
    size_t phases, coefficients, norm, schedule, scratch, stride, bytes;
} layout_t;

static int lay_out(const reformer_variant_t *update, int threads, layout_t *l) {
    reformer_room_t r = {0, 0};
    l->phases = reformer_take(&r, REFORMER_PHASES, sizeof(int32_t));
    l->coefficients = reformer_take(&r, REFORMER_COEFFICIENTS, sizeof(float));
    l->norm = reformer_take(&r, 1, sizeof(double));
    l->schedule = reformer_take(&r, 1, update->workspace_bytes);
    l->stride =
        (update->scratch_bytes + REFORMER_ALIGNMENT - 1) / REFORMER_ALIGNMENT * REFORMER_ALIGNMENT;
    l->scratch = reformer_take(&r, (size_t)threads, l->stride);
    l->bytes = r.bytes;
    return !r.full;
}

size_t reformer_prepare_update_bytes(const reformer_variant_t *update, int threads) {
    layout_t l;
    if (!update || threads < 0 || threads > REFORMER_MAX_THREADS) return 0;
    return lay_out(update, reformer_workers(threads), &l) ? l.bytes : 0;
}

static void fill(const reformer_desc_t *desc, const reformer_update_t *u, int32_t *phases,
                 float *coefficients) {
    const reformer_training_t *t = desc->training;
    double rate = reformer_learning_rate(t, u->step);
    reformer_coefficients(&t->optimizer, rate, u->step + 1, coefficients);
    if (u->norm) reformer_clip(*u->norm, t->max_grad_norm, coefficients);
    coefficients[REFORMER_RATE_SHARE] = (float)u->share;
    for (int i = 0; i < REFORMER_PHASES; i++) phases[i] = u->phases[i];
}

int reformer_prepare_update(const reformer_desc_t *desc, const reformer_variant_t *update,
                            const reformer_update_t *u, void *workspace, size_t bytes,
                            reformer_call_t *call) {
    if (!desc || !u || !workspace || !call) return REFORMER_E_ARGUMENT;
    if (!REFORMER_SIZED(u) || !reformer_pool_fits(u->pool)) return REFORMER_E_SIZE;
    if (!update || !desc->training) return REFORMER_E_TRAIN;
    if (u->threads < 0 || u->threads > REFORMER_MAX_THREADS) return REFORMER_E_ARGUMENT;
    if ((uintptr_t)workspace % REFORMER_ALIGNMENT) return REFORMER_E_ALIGNMENT;
    layout_t l;
    unsigned char *base = (unsigned char *)workspace;
    *call = (reformer_call_t){
        .weights = u->weights, .threads = reformer_workers(u->threads), .pool = u->pool};
    if (!lay_out(update, call->threads, &l)) return REFORMER_E_ARGUMENT;
    if (l.bytes > bytes) return REFORMER_E_WORKSPACE;
    call->workspace = base + l.schedule;
    call->scratch = base + l.scratch;
    call->scratch_stride = l.stride;
    call->slot[REFORMER_SLOT_PARAMS] = u->params;
    call->slot[REFORMER_SLOT_SUM] = u->sum;
    call->slot[REFORMER_SLOT_GRADIENTS] = u->gradients ? u->gradients : u->sum;
    for (int i = 0; i < REFORMER_STATES; i++) call->slot[REFORMER_SLOT_STATE + i] = u->state[i];
    call->slot[REFORMER_SLOT_PHASES] = base + l.phases;
    call->slot[REFORMER_SLOT_COEFFICIENTS] = base + l.coefficients;
    call->slot[REFORMER_SLOT_PACKED] = u->weights;
    call->slot[REFORMER_SLOT_NORM] = u->norm ? (void *)u->norm : (void *)(base + l.norm);
    uint64_t host = reformer_enter();
    fill(desc, u, (int32_t *)call->slot[REFORMER_SLOT_PHASES],
         (float *)call->slot[REFORMER_SLOT_COEFFICIENTS]);
    reformer_leave(host);
    return REFORMER_OK;
}
