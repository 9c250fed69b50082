/* Writes the safetensors format: tensors are collected, then one file holds them,
 * whole or not at all. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "support/format.h"
#include "support/heap.h"
#include "weights/json.h"
#include "weights/names.h"
#include "weights/st_int.h"

typedef struct {
    char *name;
    st_dtype_t dtype;
    int rank;
    int64_t shape[8];
    const unsigned char *data;
    size_t bytes;
} pending_t;

struct st_writer {
    arena_t *arena;
    pending_t *tensors;
    size_t n, cap;
    bool for_torch;
};

st_writer_t *st_writer_new(void) {
    arena_t *a = arena_new();
    st_writer_t *w = ARENA_NEW(a, st_writer_t);
    w->arena = a;
    return w;
}

void st_writer_free(st_writer_t *w) {
    if (w) arena_free(w->arena);
}

static pending_t *add_pending(st_writer_t *w, const char *name, st_dtype_t dtype, int rank,
                              const int64_t *shape) {
    pending_t t = {.name = arena_strdup(w->arena, name), .dtype = dtype, .rank = rank};
    if (rank < 0 || rank > 8) bug("tensor '%s' of rank %d", name, rank);
    t.bytes = st_dtype_info(dtype)->size;
    for (int i = 0; i < rank; i++) {
        t.shape[i] = shape[i];
        if (shape[i] < 0 || __builtin_mul_overflow(t.bytes, (size_t)shape[i], &t.bytes))
            bug("tensor '%s': impossible shape", name);
    }
    ARENA_PUSH(w->arena, w->tensors, w->n, w->cap) = t;
    return &w->tensors[w->n - 1];
}

void *st_writer_space(st_writer_t *w, const char *name, st_dtype_t dtype, int rank,
                      const int64_t *shape) {
    pending_t *t = add_pending(w, name, dtype, rank, shape);
    void *data = arena_alloc(w->arena, t->bytes);
    t->data = data;
    return data;
}

void st_writer_add(st_writer_t *w, const char *name, st_dtype_t dtype, int rank,
                   const int64_t *shape, const void *data) {
    void *to = st_writer_space(w, name, dtype, rank, shape);
    size_t bytes = w->tensors[w->n - 1].bytes;
    if (bytes) memcpy(to, data, bytes);
}

void st_writer_borrow(st_writer_t *w, const char *name, st_dtype_t dtype, int rank,
                      const int64_t *shape, const void *data) {
    add_pending(w, name, dtype, rank, shape)->data = data;
}

void st_writer_for_torch(st_writer_t *w) {
    w->for_torch = true;
}

static void write_entry(sbuf_t *s, const pending_t *t, size_t begin) {
    json_t *name = json_string(t->name);
    char *quoted = name ? json_dumps(name, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
    json_decref(name);
    (void)heap_take(quoted, 0);
    sbuf_printf(s, "%s%s:{\"dtype\":\"%s\",\"shape\":[", s->size > 1 ? "," : "", quoted,
                st_dtype_info(t->dtype)->name);
    for (int i = 0; i < t->rank; i++)
        sbuf_printf(s, "%s%lld", i ? "," : "", (long long)t->shape[i]);
    sbuf_printf(s, "],\"data_offsets\":[%zu,%zu]}", begin, begin + t->bytes);
    heap_free(quoted);
}

/* Wider elements first, so that every tensor is aligned to its elements; otherwise as added. */
static pending_t **in_file_order(st_writer_t *w) {
    pending_t **order = ARENA_ARRAY(w->arena, pending_t *, w->n);
    size_t n = 0;
    for (size_t size = 8; size > 0; size /= 2)
        for (size_t i = 0; i < w->n; i++)
            if (st_dtype_info(w->tensors[i].dtype)->size == size) order[n++] = &w->tensors[i];
    return order;
}

static int by_pending_name(const void *pa, const void *pb) {
    const pending_t *const *a = pa, *const *b = pb;
    return strcmp((*a)->name, (*b)->name);
}

static void check_duplicates(st_writer_t *w) {
    pending_t **sorted = ARENA_ARRAY(w->arena, pending_t *, w->n);
    for (size_t i = 0; i < w->n; i++) sorted[i] = &w->tensors[i];
    qsort(sorted, w->n, sizeof *sorted, by_pending_name);
    for (size_t i = 1; i < w->n; i++)
        if (by_pending_name(&sorted[i - 1], &sorted[i]) == 0)
            bug("tensor '%s' written twice", sorted[i]->name);
}

bool st_writer_put(st_writer_t *w, output_set_t *set, const char *path, diag_t *d) {
    check_duplicates(w);
    pending_t **order = in_file_order(w);
    sbuf_t header = {0};
    sbuf_puts(&header, w->for_torch ? "{\"__metadata__\":{\"format\":\"pt\"}" : "{");
    size_t at = 0;
    for (size_t i = 0; i < w->n; i++) {
        write_entry(&header, order[i], at);
        at += order[i]->bytes;
    }
    sbuf_puts(&header, "}");
    while (header.size % 8) sbuf_puts(&header, " ");
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)header.size >> (8 * i));
    output_t *o = output_set_open(set, path, d);
    bool ok =
        o && output_write(o, length, sizeof length) && output_write(o, header.data, header.size);
    for (size_t i = 0; i < w->n && ok; i++) ok = output_write(o, order[i]->data, order[i]->bytes);
    sbuf_free(&header);
    return ok;
}

bool st_writer_save(st_writer_t *w, const char *path, diag_t *d) {
    output_set_t set = {0};
    if (st_writer_put(w, &set, path, d)) return output_set_commit(&set);
    output_set_abort(&set);
    return false;
}
