/* Rows of a file's tensors (weights.h), for files that memory is not to hold. */
#include "support/heap.h"
#include "weights/st_int.h"

struct st_rows {
    st_file_t *header;
    input_t in;
};

st_rows_t *st_rows_open(const char *path, diag_t *d) {
    st_file_t *header = st_open_one(path, false, d);
    if (!header) return NULL;
    st_rows_t *r = heap_new(1, sizeof *r);
    r->header = header;
    if (input_open(header->path, &r->in, d)) return r;
    st_close(header);
    heap_free(r);
    return NULL;
}

void st_rows_close(st_rows_t *r) {
    if (!r) return;
    input_close(&r->in);
    st_close(r->header);
    heap_free(r);
}

const st_file_t *st_rows_header(const st_rows_t *r) {
    return r->header;
}

bool st_rows_read(const st_rows_t *r, const st_tensor_t *t, int64_t row, void *out, diag_t *d) {
    if (t->rank < 1 || row < 0 || row >= t->shape[0]) bug("no row %lld", (long long)row);
    size_t bytes = t->bytes / (size_t)t->shape[0];
    uint64_t at = r->header->data_at + t->offset + (uint64_t)row * bytes;
    return input_read(&r->in, at, out, bytes, d);
}
