/* What rounding does to a text: the model in float32 and as it is asked for, side by side. */
#ifndef REFORMERC_COMMANDS_PACK_CALIBRATE_H
#define REFORMERC_COMMANDS_PACK_CALIBRATE_H

#include "session/session.h"

/* Sums of squares: of differences, and of what they are measured by. */
typedef struct {
    double apart, size;
} distance_t;
void distance_add(distance_t *d, const float *x, const float *y, int64_t n); /* of x from y */
double distance_relative(
    const distance_t *d); /* root of the quotient; nothing is no distance from nothing */

typedef struct {
    distance_t attention, feed_forward, output; /* what a layer adds; both streams behind it */
    int64_t moved, hashes;                      /* of them, those that fell into another bucket */
} layer_effect_t;

typedef struct {
    int n;                  /* layers */
    layer_effect_t *layers; /* [n] */
    distance_t embeddings;  /* what the first layer begins with */
    int windows;
    int64_t window;        /* tokens of each */
    double exact, rounded; /* bits per byte of these windows */
} effect_t;

/* What a layer adds to the error of the streams, beside what it was given: the root of the growth
 * of the sum of squares, relative to the streams behind it. 0 where it does not grow. */
double effect_of_its_own(const effect_t *e, int layer);
/* Of the options' model over --calibrate; everything is the arena's. False after errors in d. */
bool pack_calibrate(const options_t *o, effect_t *e, diag_t *d);

#endif
