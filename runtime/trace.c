/* Activations on their way out: code translated with --dump-activations calls this after every
 * stage.
 *
 * In: a name in which '#' stands for the layer ("layers.#.y1"). Out: one call of the product's
 * trace function with the layer's number in its place. */
#include "reformer_rt.h"

enum { NAME_BYTES = 96 }; /* the longest name of ours has 24 characters; longer ones are cut */

static size_t append_number(char *out, size_t at, int64_t n) {
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    while (count && at < NAME_BYTES - 1) out[at++] = digits[--count];
    return at;
}

void reformer_trace(const reformer_call_t *call, const char *name, int64_t layer, const void *data,
                    int dtype, const int64_t *shape, int rank) {
    if (!call->trace) return;
    char full[NAME_BYTES];
    size_t at = 0;
    for (const char *p = name; *p && at < NAME_BYTES - 1; p++) {
        if (*p == '#' && layer >= 0) at = append_number(full, at, layer);
        else full[at++] = *p;
    }
    full[at] = 0;
    call->trace(call->trace_ctx, full, data, dtype, shape, rank);
}
