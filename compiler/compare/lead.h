/* The reference, led by a side: what it makes of that side's own tensors, one after the other.
 *
 * A factor that is rounded to bfloat16 lies now and then so near to the middle of two numbers that
 * the last bit of a sum decides, and becomes the one for the reference and the other for code: 2^-8
 * of it apart. What follows of that has other roundings, and a few layers later every tensor of
 * both differs by as much as rounding does, buckets included; no tolerance tells that from a fault.
 * So the reference goes on with the side's tensor wherever one is shown: a stream, the result of
 * attention, buckets. Then
 *
 *   - what is made of shown tensors without a rounding between, or with roundings of these very
 *     tensors alone, has the tolerance of all floats: the attention's output,
 *     both streams, the head;
 *   - a tensor behind roundings of values that nobody sees may miss by LEAD_MOST of its magnitude,
 *     and in the root mean square by LEAD_MEAN, which says that few factors are rounded otherwise,
 *     and not all (and by LEAD_ROW in one of its rows: where there are few, one may be much of the
 *     tensor). Of its elements LEAD_MANY may be off by more than floats are, beside those of one
 *     row, or of one head, whose queries all see the same key;
 *   - buckets behind such roundings may differ where another one was nearer than
 *     LEAD_MOST of the norm.
 *
 * Measured: of 34 golden cases, the checkpoint and specs/bench.yaml tensors behind roundings missed
 * by 1.4e-3 at most and by 4.2e-5 in the mean, no bucket differed, and all others missed by what
 * floats do. With a conversion that truncates the mean was 1.8e-4 to 1.6e-3, and what is made of
 * shown tensors missed by 4e-3; one that rounds halves up missed there by 2e-4, a dozen tolerances.
 * No more than 0.07 of a tensor's elements were off by more than floats are; with weights of
 * attention that were not rounded, by which it misses less than by one factor on the other side,
 * 0.76 to 0.92 of what attention gives. */
#ifndef REFORMERC_COMPARE_LEAD_H
#define REFORMERC_COMPARE_LEAD_H

#include "compare/sides.h"

#define LEAD_MAX  0x1p-7
#define LEAD_MEAN 0x1p-13
#define LEAD_ROW  0x1p-9
#define LEAD_MANY 0.25

bool lead_rounds(const graph_t *g); /* it has roundings that a last bit decides */
/* Fills s->led from s->hashed. False after errors. */
bool lead_run(const trial_t *t, side_t *s, const exec_t *oracle);

#endif
