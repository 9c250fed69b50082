/* A bound model as a decoder (reformer_generate.h). In a file of its own: who brings a decoder of
 * another kind links no model. */
#include "reformer_generate.h"
#include "rt_int.h"

static const reformer_bound_decoder_t *bound_of(void *ctx) {
    return (const reformer_bound_decoder_t *)ctx;
}

static int prefill(void *ctx, const reformer_decode_t *io) {
    const reformer_bound_decoder_t *b = bound_of(ctx);
    return reformer_prefill(b->model->desc, b->model, io, b->cache, b->workspace,
                            b->workspace_bytes);
}

static int step(void *ctx, const reformer_decode_t *io) {
    const reformer_bound_decoder_t *b = bound_of(ctx);
    return reformer_step(b->model->desc, b->model, io, b->cache, b->workspace, b->workspace_bytes);
}

static int copy_row(void *ctx, size_t from, size_t to) {
    const reformer_bound_decoder_t *b = bound_of(ctx);
    return reformer_cache_copy_row(b->model->desc, b->cache, from, to);
}

reformer_decoder_t reformer_decoder_of(reformer_bound_decoder_t *bound) {
    if (!REFORMER_SIZED(bound) || !bound->model || !bound->model->desc)
        return (reformer_decoder_t){.size = 0};
    const reformer_desc_t *d = bound->model->desc;
    return (reformer_decoder_t){.size = sizeof(reformer_decoder_t),
                                .ctx = bound,
                                .prefill = prefill,
                                .step = step,
                                .copy_row = copy_row,
                                .vocab = d->vocab,
                                .batch = (size_t)d->batch,
                                .capacity = bound->length};
}
