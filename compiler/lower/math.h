/* Elementary functions, activations and their derivatives on f32 values: vectors of the
 * target's lanes, or scalars. */
#ifndef REFORMERC_LOWER_MATH_H
#define REFORMERC_LOWER_MATH_H

#include "lower/lower_int.h"

void lower_math(lower_t *L); /* makes them all, before any kernel: callees stand before callers */
value_t *m_exp(lower_t *L, builder_t *b, value_t *x);  /* 0 below -87, at most e^88 */
value_t *m_exp2(lower_t *L, builder_t *b, value_t *x); /* 2^x, for -126 < x < 127 only */
value_t *m_log(lower_t *L, builder_t *b, value_t *x);  /* x > 0 and normal */
value_t *m_tanh(lower_t *L, builder_t *b, value_t *x);
value_t *m_erf(lower_t *L, builder_t *b, value_t *x);
value_t *m_activation(lower_t *L, builder_t *b, act_t act, value_t *x);
value_t *m_derivative(lower_t *L, builder_t *b, act_t act,
                      value_t *x); /* of the activation, at x */

#endif
