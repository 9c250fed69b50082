/* Random words and orders without state: Philox4x32-10, stream 2 (data) of the seed.
 *
 * A draw is the place it is for, an index (a row, an epoch, an example) and a word's number.
 * Places: 0 … 15 are below, a task's are its number * 16 + its split (task.h). */
#ifndef REFORMERC_DATA_RANDOM_H
#define REFORMERC_DATA_RANDOM_H

#include <stdint.h>

enum {
    PLACE_ORDER,      /* the order of an epoch, by the epoch */
    PLACE_SHIFT,      /* where its windows begin, by the epoch */
    PLACE_BEGIN,      /* the position of a row's first token, by the row */
    PLACE_MASKS,      /* which tokens are masked, by the row */
    PLACE_EVAL_MASKS, /* the same of evaluation, by the window */
    PLACE_HELD_OUT    /* which rows of a table are held out */
};

typedef struct {
    uint64_t seed, index, n; /* n: words that were drawn */
    uint32_t place;
    uint32_t block[4];
} random_t;

random_t random_at(uint64_t seed, uint32_t place, uint64_t index);
uint32_t random_word(random_t *r);
/* 0 … k - 1, k at most 2^32: the high half of word * k. */
uint64_t random_below(random_t *r, uint64_t k);
/* Word 0 of block `block`, and those behind it, come next. */
void random_block(random_t *r, uint64_t block);

/* Where 0 … n - 1 stands in a permutation of them that is drawn by seed, place and
 * index: no table, any n. */
uint64_t random_order(uint64_t seed, uint32_t place, uint64_t index, uint64_t n, uint64_t at);

#endif
