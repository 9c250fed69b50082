/* Micro-batches of training.h out of a file (--batches): tensors with a first
 * dimension of micro-batches.
 *
 * In: a file of safetensors, of any size: memory holds the micro-batches of a step. Out: these,
 * every one of which has been looked at before the first step; errors say micro-batch,
 * tensor, row and column. */
#include <string.h>

#include "training/training.h"

static bool wrong(const feed_t *f, const char *tensor, const char *why, diag_t *d) {
    diag_error(d, IN_FILE(f->path), "%s: %s", tensor, why);
    return false;
}

static bool check_file(feed_t *f, diag_t *d) {
    const st_file_t *all = st_rows_header(f->file);
    const st_tensor_t *ids = st_find(all, "input_ids");
    if (!ids) return wrong(f, "input_ids", "missing", d);
    if (ids->rank != 3 || ids->elements == 0)
        return wrong(f, "input_ids", "[micro-batches, rows, length] is needed, none of them 0", d);
    for (size_t i = 0; i < st_count(all); i++) {
        const st_tensor_t *t = st_at(all, i);
        if (t->rank < 1 || t->shape[0] != ids->shape[0])
            return wrong(f, t->name, "its first dimension is not that of input_ids", d);
    }
    f->n_batches = ids->shape[0];
    f->rows = ids->shape[1];
    f->length = ids->shape[2];
    return true;
}

uint64_t print_add(uint64_t sum, const void *data, size_t bytes) {
    return sum * 31 + reformer_checksum(data, bytes);
}

static uint64_t header_print(const st_file_t *f) {
    uint64_t sum = 0;
    for (size_t i = 0; i < st_count(f); i++) {
        const st_tensor_t *x = st_at(f, i);
        int rank = x->rank < 8 ? x->rank : 8;
        sum = print_add(sum, x->name, strlen(x->name));
        sum = print_add(sum, x->shape, (size_t)rank * sizeof *x->shape);
    }
    return sum;
}

/* Micro-batch k of a tensor, read into the scratch. */
static bool take_slice(const feed_t *f, const st_tensor_t *t, int64_t k, st_tensor_t *part,
                       diag_t *d) {
    *part = *t;
    part->rank--;
    memmove(part->shape, part->shape + 1, sizeof part->shape - sizeof part->shape[0]);
    part->elements /= f->n_batches;
    part->bytes /= (size_t)f->n_batches;
    unsigned char *data = ARENA_ARRAY(f->scratch, unsigned char, part->bytes + 1);
    part->data = data;
    return st_rows_read(f->file, t, k, data, d);
}

/* print: NULL, or of all that was read before, and then of this, too. */
static bool take_file_batch(training_t *t, int64_t k, reformer_io_t *io, uint64_t *print) {
    feed_t *f = &t->feed;
    const facts_t *facts = &t->s->model.facts;
    const char *shown =
        arena_printf(f->scratch, "%s: micro-batch %lld", f->path, (long long)(k + 1));
    const st_file_t *all = st_rows_header(f->file);
    size_t n = st_count(all);
    st_tensor_t *parts = ARENA_ARRAY(f->scratch, st_tensor_t, n);
    for (size_t i = 0; i < n; i++) {
        if (!take_slice(f, st_at(all, i), k, &parts[i], t->d)) return false;
        if (print) *print = print_add(*print, parts[i].data, parts[i].bytes);
    }
    st_file_t *batch = st_from_memory(shown, parts, n, t->d);
    inputs_t in;
    bool ok = batch && inputs_take(&in, f->scratch, facts, batch, shown, t->d);
    st_close(batch);
    if (!ok) return false;
    inputs_give(&in, io);
    io->positions = in.positions;
    if (facts->head == ARCH_QA ? in.start_positions != NULL : in.labels || in.labels_f32)
        return true;
    return wrong(f, facts->head == ARCH_QA ? "start_positions and end_positions" : "labels",
                 "missing; a train step needs them", t->d);
}

static void renew_scratch(feed_t *f) {
    arena_free(f->scratch);
    f->scratch = arena_new();
}

bool feed_file_take(training_t *t, int64_t step) {
    feed_t *f = &t->feed;
    renew_scratch(f);
    for (int64_t k = 0; k < f->n; k++)
        if (!take_file_batch(t, step * feed_micros(t) + feed_micro(t, k), &f->micros[k], NULL))
            return false;
    return true;
}

/* A value that no step can take is told before the first one, not hours later. Then
 * its content is known, too. */
static bool check_all(training_t *t) {
    bool fine = true;
    t->feed.print = header_print(st_rows_header(t->feed.file));
    for (int64_t k = 0; fine && k < t->feed.n_batches; k++) {
        reformer_io_t io = {.size = sizeof io};
        renew_scratch(&t->feed);
        fine = take_file_batch(t, k, &io, &t->feed.print);
    }
    return fine;
}

bool feed_file_open(training_t *t) {
    feed_t *f = &t->feed;
    f->path = t->o->text[OPT_BATCHES_FILE];
    f->scratch = arena_new();
    f->file = st_rows_open(f->path, t->d);
    if (!f->file || !check_file(f, t->d) || !feed_rows_fit(t, f->rows)) return false;
    if (f->n_batches % feed_micros(t) == 0) return check_all(t);
    const char *ranks = f->ranks > 1 ? arena_printf(t->arena, ", of %d ranks each", f->ranks) : "";
    diag_error(t->d, IN_FILE(f->path), "%lld micro-batches; train.accumulate is %lld%s",
               (long long)f->n_batches, (long long)f->n, ranks);
    return false;
}
