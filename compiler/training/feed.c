/* Micro-batches of training.h: rows of data (data.c), or those of a file (batches.c); what
 * their losses are means of. */
#include <math.h>

#include "support/heap.h"
#include "training/training.h"

bool feed_open(training_t *t) {
    feed_t *f = &t->feed;
    f->n = t->spec->train.accumulate;
    f->same = t->spec->train.overfit_batch;
    f->rank = ranks_rank(t->ranks);
    f->ranks = ranks_size(t->ranks);
    if (!t->o->given[OPT_BATCHES_FILE] && !feed_rows_fit(t, t->spec->train.batch_size))
        return false;
    f->micros = ARENA_ARRAY(t->arena, reformer_io_t, f->n);
    f->items = ARENA_ARRAY(t->arena, double, feed_micros(t));
    f->mine = ARENA_ARRAY(t->arena, double, f->n + 1);
    return t->o->given[OPT_BATCHES_FILE] ? feed_file_open(t) : feed_data_open(t);
}

/* What the k-th loss of step `of` is a mean over. Of question answering the mean is
 * over starts and over ends. */
static bool count_items(training_t *t, int64_t of, int64_t k) {
    const feed_t *f = &t->feed;
    const reformer_io_t *io = &f->micros[k];
    int64_t items = exec_learner_items(t->learner, io);
    if (items < 0) {
        diag_error(t->d, NOWHERE, "%s", reformer_strerror((int)-items));
        return false;
    }
    f->mine[k] = (double)items;
    if (feed_micros(t) == 1 || !exec_learner_half_items(t->learner, io)) return true;
    diag_error(t->d, IN_FILE(f->path),
               "micro-batch %lld: a row of which the start counts or the end, and the other is "
               "behind the last token; a step of several micro-batches cannot weigh it",
               (long long)(of * feed_micros(t) + feed_micro(t, k) + 1));
    diag_hint(t->d, "leave such rows out, or train.accumulate=1 by one rank");
    return false;
}

/* Padding is none. */
static double count_tokens(const reformer_io_t *io) {
    size_t all = io->batch * io->length, n = 0;
    if (!io->attention_mask) return (double)all;
    for (size_t i = 0; i < all; i++) n += io->attention_mask[i] != 0;
    return (double)n;
}

/* mine: a number of each of this rank's micro-batches, then `more` others, whose sums
 * over the ranks are sums. */
static bool gather(const training_t *t, const double *mine, double *all, int more, double *sums) {
    const feed_t *f = &t->feed;
    int64_t width = f->n + more;
    double *by_rank = heap_new((size_t)(width * f->ranks), sizeof *by_rank);
    bool ok = ranks_numbers(t->ranks, mine, by_rank, (int)width, t->d);
    for (int64_t m = 0; ok && m < feed_micros(t); m++)
        all[m] = by_rank[m % f->ranks * width + m / f->ranks];
    for (int i = 0; i < more; i++) sums[i] = 0;
    for (int64_t q = 0; ok && q < f->ranks; q++)
        for (int i = 0; i < more; i++) sums[i] += by_rank[q * width + f->n + i];
    heap_free(by_rank);
    return ok;
}

/* Before there is a learner nothing is counted. */
bool feed_take(training_t *t, int64_t step) {
    feed_t *f = &t->feed;
    int64_t of = f->same ? 0 : step;
    for (int64_t k = 0; k < f->n; k++)
        f->micros[k] = (reformer_io_t){.size = sizeof(reformer_io_t)};
    if (!(f->file ? feed_file_take(t, of) : feed_data_take(t, of))) return false;
    if (!t->learner) return true;
    f->mine[f->n] = 0;
    for (int64_t k = 0; k < f->n; k++) {
        if (!count_items(t, of, k)) return false;
        f->mine[f->n] += count_tokens(&f->micros[k]);
    }
    return gather(t, f->mine, f->items, 1, &f->tokens);
}

bool feed_gather(const training_t *t, const double *mine, double *all) {
    return gather(t, mine, all, 0, NULL);
}

double feed_items(const training_t *t) {
    double items = 0;
    for (int64_t m = 0; m < feed_micros(t); m++) items += t->feed.items[m];
    return items;
}

double feed_epoch(const training_t *t, int64_t step) {
    return t->feed.data && data_epoch_rows(t->feed.data) ? data_epoch(t->feed.data, step) : NAN;
}

void feed_close(feed_t *f) {
    for (int64_t k = 0; f->batches && k < f->n; k++) data_batch_free(&f->batches[k]);
    data_free(f->data);
    st_rows_close(f->file);
    arena_free(f->scratch);
}
