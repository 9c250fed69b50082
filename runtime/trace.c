/* What a call tells on its way: activations, from code compiled with --dump-activations; launches,
 * from code compiled with --instrument; of train steps, gradients that are done.
 *
 * In: a name in which '#' stands for the layer ("layers.#.y1", "layer#.lsh.hash"). Out: calls of
 * the product's functions with the layer's number in its place. */
#include "rt_int.h"

static size_t append_number(char *out, size_t at, size_t bytes, int64_t n) {
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    while (count && at < bytes - 1) out[at++] = digits[--count];
    return at;
}

void reformer_numbered_name(const char *name, int64_t layer, char *full, size_t bytes) {
    size_t at = 0;
    for (const char *p = name; *p && at < bytes - 1; p++) {
        if (*p == '#' && layer >= 0) at = append_number(full, at, bytes, layer);
        else full[at++] = *p;
    }
    full[at] = 0;
}

void reformer_full_name(const char *name, int64_t layer, char full[REFORMER_NAME_BYTES]) {
    reformer_numbered_name(name, layer, full, REFORMER_NAME_BYTES);
}

void reformer_trace(const reformer_call_t *call, const char *name, int64_t layer, const void *data,
                    int dtype, const int64_t *shape, int rank) {
    if (!call->trace) return;
    char full[REFORMER_NAME_BYTES];
    reformer_full_name(name, layer, full);
    call->trace(call->trace_ctx, full, data, dtype, shape, rank);
}

void reformer_ready(const reformer_call_t *call, int64_t first, int64_t floats) {
    if (call->ready) call->ready(call->ready_ctx, (size_t)first, (size_t)floats);
}

void reformer_launch_labelled(const reformer_call_t *call, reformer_kernel_fn *kernel,
                              int64_t tasks, const int64_t *arg, const char *name, int64_t layer) {
    char full[REFORMER_NAME_BYTES];
    if (!call->profile) {
        reformer_launch(call, kernel, tasks, arg);
        return;
    }
    reformer_full_name(name, layer, full);
    call->profile(call->profile_ctx, full, 1);
    reformer_launch(call, kernel, tasks, arg);
    call->profile(call->profile_ctx, full, 0);
}
