#include "compare/imposed.h"

#include <string.h>

#include "support/heap.h"

imposed_t imposed_new(const graph_t *g, const inputs_t *in, const result_t *like) {
    imposed_rows_t all = graph_imposed(g, NULL);
    int64_t padded = like->shape[like->rank - 1];
    size_t n = (size_t)(all.rows * padded);
    imposed_t x = {heap_new(n, sizeof *x.all), heap_new((size_t)all.hashes, 1), padded};
    if (!in->buckets) return x;
    memcpy(x.all, in->buckets, n * sizeof *x.all);
    memcpy(x.given, in->buckets_given, (size_t)all.hashes);
    return x;
}

bool impose(imposed_t *x, imposed_rows_t before, const result_t *buckets) {
    if (x->given[before.hashes]) return false;
    x->given[before.hashes] = 1;
    memcpy(x->all + before.rows * x->padded, buckets->data, buckets->bytes);
    return true;
}

void imposed_give(const imposed_t *x, reformer_io_t *io) {
    io->buckets = x->all;
    io->buckets_given = x->given;
}

void imposed_free(imposed_t *x) {
    heap_free(x->all);
    heap_free(x->given);
}
