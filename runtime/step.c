/* What a step of several micro-batches is, whoever derives them and wherever they are added up.
 *
 * In: micro-batches with labels, and a function that derives one. Out: how many labels count, and
 * with which share each micro-batch is derived, so that loss and gradient are means over the labels
 * of the whole step, however it is cut. */
#include "rt_int.h"

static size_t rows_of(const reformer_desc_t *desc, const reformer_io_t *io) {
    return io->batch ? io->batch : (size_t)desc->batch;
}

int reformer_step_items(const reformer_desc_t *desc, const reformer_io_t *io, size_t n,
                        int64_t *items, size_t *at) {
    *items = 0;
    for (*at = 0; *at < n; ++*at) {
        int64_t own = reformer_items(desc, &io[*at]);
        if (own < 0) return (int)-own;
        if (n > 1 && reformer_half_items(desc, &io[*at])) return REFORMER_E_LABEL;
        *items += own;
    }
    return *items ? REFORMER_OK : REFORMER_E_LABEL;
}

/* Both in the mode of ours, since a host's may trap what is inexact. Values that only registers
 * hold are not bound to stay between enter and leave; volatile ones are. */
static double share_of(int64_t items, int64_t of_items) {
    volatile int64_t part = items;
    uint64_t host = reformer_enter();
    volatile double share = (double)part / (double)of_items;
    reformer_leave(host);
    return share;
}

static void add_loss(double *loss, double share, float own) {
    volatile float of_share = own;
    uint64_t host = reformer_enter();
    volatile double sum = *loss + share * (double)of_share;
    reformer_leave(host);
    *loss = sum;
}

int reformer_step_derive(const reformer_desc_t *desc, const reformer_io_t *io, size_t n,
                         int64_t items, reformer_derive_t *derive, void *ctx, double *loss) {
    size_t rows = 0;
    int first = 1;
    *loss = 0;
    for (size_t i = 0; i < n; i++) {
        reformer_io_t mine = io[i];
        float own = 0;
        double share = share_of(reformer_items(desc, &io[i]), items);
        mine.dropout_row = (uint32_t)rows;
        if (!mine.loss) mine.loss = &own;
        rows += rows_of(desc, &io[i]);
        if (share == 0) continue;
        int error = derive(ctx, &mine, share, first);
        if (error) return error;
        add_loss(loss, share, *mine.loss);
        first = 0;
    }
    return REFORMER_OK;
}
