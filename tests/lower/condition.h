/* How well a random model is conditioned: how far its tensors go when what its ops give is off by what
 * single precision rounds away.
 *
 * Forty layers of attention over rows that nobody normalises turn a last bit into a thousandth, whoever
 * computes them: that is the model's affair, no back end's. So where a back end misses the reference by more
 * than the tolerance, the model itself is asked what single precision may do to it: the reference's ops run
 * again, every float that one of them gives moved by four roundings, up or down by chance, and how far each
 * tensor goes is allowed to that tensor beyond its tolerance. Nothing of a back end goes into this; tensors
 * before the ill-conditioned ones are judged as strictly as ever. Buckets are the reference's throughout:
 * flips have rules of their own (compare/sides.h). A tensor that goes farther than a hundred tolerances can
 * tell no fault from rounding; such models are undecided, and few may be.
 *
 * Where a graph rounds factors to a smaller type the reference is led by the back end (compare/lead.h), and there is nothing
 * to ask.
 *
 * Measured over 400 random models: what a back end missed by was at most 1.3 of what is allowed here, at
 * tensors that rounding alone moves. */
#ifndef REFORMERC_TESTS_CONDITION_H
#define REFORMERC_TESTS_CONDITION_H

#include "compare/sides.h"

/* Adds what is allowed to the reference's results (result_t.rounding). Returns how far the tensor went that
 * went farthest, of max(1, magnitude); infinite after an error, when nothing is allowed. `weights` are those
 * of `oracle`, the reference's executor. */
double condition_measure(const trial_t *t, side_t *reference, const exec_t *oracle,
                         const store_t *weights);

#define MAX_CONDITION (100 * TENSOR_TOLERANCE) /* beyond it, nothing is decided */

#endif
