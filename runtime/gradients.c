/* Train steps: the gradients of a loss, and which tensor stands where among them.
 *
 * In: what a forward takes, with labels, and the caller's memory. Out: the gradients, as the
 * description lays them out. Preparing is forward.c's. */
#include "rt_int.h"

int reformer_gradients(const reformer_desc_t *desc, const reformer_model_t *m,
                       const reformer_io_t *io, float *gradients, size_t gradients_bytes,
                       void *workspace, size_t bytes) {
    reformer_call_t call;
    const reformer_variant_t *v;
    int error = reformer_check_model(desc, m);
    if (!error)
        error = reformer_prepare_gradients(desc, m->trains, m->n_variants, m->weights, io,
                                           gradients, gradients_bytes, workspace, bytes, &call, &v);
    if (error) return error;
    reformer_run_variant(v, &call);
    return REFORMER_OK;
}

size_t reformer_gradients_bytes(const reformer_desc_t *desc) {
    return desc ? desc->gradients_bytes : 0;
}

/* ---- tensors -------------------------------------------------------------------------------- */

static void describe(const reformer_stack_t *s, size_t at, reformer_tensor_t *t) {
    *t = (reformer_tensor_t){.size = sizeof *t, .rank = s->rank, .elements = 1};
    for (int i = 0; i < s->rank; i++) {
        t->shape[i] = s->shape[i];
        t->elements *= (size_t)s->shape[i];
    }
    t->offset = s->offset / sizeof(float) + at * t->elements;
    reformer_numbered_name(s->name, s->layers ? s->layers[at] : -1, t->name, sizeof t->name);
}

int reformer_gradient(const reformer_desc_t *desc, size_t i, reformer_tensor_t *t) {
    if (!desc || !t) return REFORMER_E_ARGUMENT;
    if (!REFORMER_SIZED(t)) return REFORMER_E_SIZE;
    if (desc->n_stacks == 0) return REFORMER_E_TRAIN;
    for (int k = 0; k < desc->n_stacks; k++) {
        const reformer_stack_t *s = &desc->stacks[k];
        if (i < (size_t)s->count) {
            describe(s, i, t);
            return REFORMER_OK;
        }
        i -= (size_t)s->count;
    }
    return REFORMER_E_ARGUMENT;
}
