/* Which elements dropout drops: a function of where an element stands, so that masks are the same
 * whenever they are asked for (backward pass, threads, tiles, micro-batches, after a restart) and
 * nothing of them is stored.
 *
 * An element is numbered row-major in its tensor, rows of the whole step numbered through, widths
 * rounded up to a multiple of 8. Eight elements share one Philox4x32-10 of
 *     key       seed, low and high
 *     counter   element / 8, low 32 bits | layer << 16, its next 16 bits | stream << 8, place
 *               | step of the optimiser
 * and have 16 bits each, low half of a word first: an element is dropped when they are below t =
 * round(rate * 65536), and else multiplied by 65536 / (65536 - t), which leaves the mean
 * for the rate really used. */
#ifndef REFORMERC_GRAPH_DROPOUT_H
#define REFORMERC_GRAPH_DROPOUT_H

#include <stdbool.h>
#include <stdint.h>

/* Tensors, and how their elements are numbered: */
typedef enum {
    PLACE_WORD,            /* [row][position][width] */
    PLACE_POSITION,        /* likewise; axial: [row][column], the index on the grid's second axis */
    PLACE_PROBABILITIES,   /* [row][head][round][place in the round's order][place in the window] */
    PLACE_ATTENTION,       /* behind the attention's last matrix; this and the following as words */
    PLACE_FEED_FORWARD_IN, /* before the activation */
    PLACE_FEED_FORWARD,
    PLACE_HIDDEN,         /* behind the last norm */
    PLACE_CLASSIFIER_IN,  /* [row][width] */
    PLACE_CLASSIFIER_OUT, /* behind its tanh */
    PLACE_COUNT
} dropout_place_t;

enum { DROPOUT_ONE = 65536, DROPOUT_STREAM = 0, DROPOUT_OUTSIDE = 65535 /* layer of none */ };

/* Of 65536 elements so many are dropped; a rate of which this is none of 0 … 65535 is no rate. */
static inline int64_t dropout_threshold(double rate) {
    return rate >= 0 && rate <= 1 ? (int64_t)(rate * DROPOUT_ONE + 0.5) : -1;
}
static inline bool dropout_is_rate(double rate) {
    int64_t t = dropout_threshold(rate);
    return t >= 0 && t < DROPOUT_ONE;
}

/* One step's masks. */
typedef struct {
    uint64_t seed;
    uint32_t step;     /* of the optimiser, from 0 */
    int64_t first_row; /* rows of the step before these: of other micro-batches */
} graph_dropout_t;

/* What the element is multiplied by. layer -1: none. */
double dropout_factor(const graph_dropout_t *d, int layer, dropout_place_t place, double rate,
                      int64_t element);
/* The number of element `column` of a row of `width` elements. */
static inline int64_t dropout_element(int64_t row, int64_t width, int64_t column) {
    return row * ((width + 7) / 8 * 8) + column;
}

#endif
