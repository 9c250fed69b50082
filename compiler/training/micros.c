/* Which micro-batches of a step are this rank's, and how they are numbered (training.h). */
#include "training/training.h"

int64_t feed_micros(const training_t *t) {
    return t->feed.n * t->feed.ranks;
}

int64_t feed_micro(const training_t *t, int64_t k) {
    return k * t->feed.ranks + t->feed.rank;
}

/* Rows of a step, of all its ranks, have numbers of 32 bits, by which dropout knows them. */
bool feed_rows_fit(const training_t *t, int64_t of_micro) {
    const feed_t *f = &t->feed;
    const spec_t *s = t->spec;
    int64_t rows;
    if (!__builtin_mul_overflow(of_micro, feed_micros(t), &rows) && rows <= INT32_MAX) return true;
    srcloc_t at =
        s->at[s->given[KEY_train_accumulate] ? KEY_train_accumulate : KEY_train_batch_size];
    const char *each = f->ranks > 1 ? arena_printf(t->arena, " of each of %d ranks", f->ranks) : "";
    diag_error(t->d, f->path ? IN_FILE(f->path) : at,
               "a step has %lld micro-batches%s, of %lld sequences each: together %d at most",
               (long long)f->n, each, (long long)of_micro, INT32_MAX);
    return false;
}

reformer_io_t batch_io(const data_batch_t *b) {
    return (reformer_io_t){.size = sizeof(reformer_io_t),
                           .input_ids = b->input_ids,
                           .attention_mask = b->padded ? b->attention_mask : NULL,
                           .labels = b->labels,
                           .batch = (size_t)b->rows,
                           .length = (size_t)b->length};
}
