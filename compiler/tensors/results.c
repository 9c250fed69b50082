/* Output tensors of a forward: allocated, filled by an executor or its trace, written to a file. */
#include <stdlib.h>
#include <string.h>

#include "support/heap.h"
#include "tensors/tensors.h"

bool checked_product(const int64_t *factor, int n, size_t element, size_t *bytes) {
    size_t product = element;
    for (int i = 0; i < n; i++)
        if (factor[i] < 0 || __builtin_mul_overflow(product, (size_t)factor[i], &product))
            return false;
    *bytes = product;
    return product <= PTRDIFF_MAX;
}

void results_free(results_t *r) {
    for (size_t i = 0; i < r->n; i++) {
        heap_free(r->items[i].name);
        heap_free(r->items[i].data);
    }
    heap_free(r->items);
    *r = (results_t){0};
}

const result_t *results_find(const results_t *r, const char *name) {
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->items[i].name, name) == 0) return &r->items[i];
    return NULL;
}

static bool make_room(results_t *r) {
    if (r->n < r->cap) return true;
    size_t cap = r->cap ? 2 * r->cap : 16;
    result_t *grown = realloc(r->items, cap * sizeof *grown);
    if (!grown) return false;
    r->items = grown;
    r->cap = cap;
    return true;
}

result_t *results_add(results_t *r, const char *name, int dtype, int rank, const int64_t *shape,
                      diag_t *d) {
    enum { ELEMENT = 4 }; /* of both dtypes */
    size_t bytes;
    result_t item = {.dtype = dtype, .rank = rank};
    bool fits = rank <= 8 && checked_product(shape, rank, ELEMENT, &bytes);
    if (fits) {
        item.bytes = bytes;
        item.data = calloc(1, bytes ? bytes : 1);
        item.name = strdup(name);
    }
    if (!item.data || !item.name || !make_room(r)) {
        heap_free(item.data);
        heap_free(item.name);
        diag_no_memory(d, NOWHERE, "not enough memory for the output %s", name);
        return NULL;
    }
    if (rank) memcpy(item.shape, shape, (size_t)rank * sizeof *shape);
    r->items[r->n] = item;
    return &r->items[r->n++];
}

bool results_put(const results_t *r, output_set_t *set, const char *path, diag_t *d) {
    st_writer_t *w = st_writer_new();
    for (size_t i = 0; i < r->n; i++) {
        const result_t *t = &r->items[i];
        st_writer_add(w, t->name, t->dtype == REFORMER_I32 ? ST_I32 : ST_F32, t->rank, t->shape,
                      t->data);
    }
    bool ok = st_writer_put(w, set, path, d);
    st_writer_free(w);
    return ok;
}

void results_trace(void *ctx, const char *name, const void *data, int dtype, const int64_t *shape,
                   int rank) {
    trace_sink_t *t = ctx;
    result_t *r = results_add(t->results, name, dtype, rank, shape, t->d);
    if (r) memcpy(r->data, data, r->bytes);
}

/* ---- what a head gives ----------------------------------------------------------------------- */

static float *new_output(results_t *r, const char *name, int rank, const int64_t *shape,
                         diag_t *d) {
    result_t *t = results_add(r, name, REFORMER_F32, rank, shape, d);
    return t ? t->data : NULL;
}

void inputs_give(const inputs_t *in, reformer_io_t *io) {
    io->input_ids = in->input_ids;
    io->attention_mask = in->attention_mask;
    io->batch = (size_t)in->batch;
    io->length = (size_t)in->length;
    io->labels = in->labels;
    io->labels_f32 = in->labels_f32;
    io->start_positions = in->start_positions;
    io->end_positions = in->end_positions;
    io->buckets = in->buckets;
    io->buckets_given = in->buckets_given;
}

bool results_prepare(results_t *r, const inputs_t *in, const facts_t *f, reformer_io_t *io,
                     diag_t *d) {
    inputs_give(in, io);
    bool lm = f->head == ARCH_CAUSAL_LM || f->head == ARCH_MASKED_LM;
    int64_t hidden[3] = {in->batch, in->length, 2 * f->hidden};
    int64_t logits[3] = {in->batch, in->length, f->vocab}, classes[2] = {in->batch, f->labels};
    io->last_hidden_state = new_output(r, "last_hidden_state", 3, hidden, d);
    if (lm) io->logits = new_output(r, "logits", 3, logits, d);
    if (f->head == ARCH_CLASSIFIER) io->logits = new_output(r, "logits", 2, classes, d);
    if (f->head == ARCH_QA) {
        io->start_logits = new_output(r, "start_logits", 2, hidden, d);
        io->end_logits = new_output(r, "end_logits", 2, hidden, d);
    }
    if (lm && in->labels) io->token_losses = new_output(r, "token_losses", 2, logits, d);
    if (in->labels || in->labels_f32 || in->start_positions)
        io->loss = new_output(r, "loss", 0, NULL, d);
    return diag_errors(d) == 0;
}
