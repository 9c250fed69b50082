/* What the parts of folding share: whether a value is a constant, and how an instruction becomes
 * one. pass_fold.c walks; fold_constants.c computes; fold_identities.c knows
 * what changes nothing. */
#ifndef REFORMERC_LOOPS_FOLD_H
#define REFORMERC_LOOPS_FOLD_H

#include "loops/rules.h"

/* The constant that a value is, or NULL. */
static inline const inst_t *fold_constant(const value_t *v) {
    return v->def && v->def->op == OP_CONST && v->def->result == v ? v->def : NULL;
}

bool fold_is_int(const value_t *v, int64_t x);
bool fold_is_float(const value_t *v, double x); /* of the same sign: -0.0 is not 0.0 */

/* The instruction becomes a constant of its type. Floats: false for a NaN, whose bits machines
 * choose. */
bool fold_become_int(inst_t *i, int64_t x);
bool fold_become_float(inst_t *i, double x);

/* Computes an op of constants. */
bool fold_constants(inst_t *i);

/* The value that the result equals for every operand there may be, or NULL. May rewrite the
 * instruction into a simpler one instead. */
value_t *fold_identity(inst_t *i, units_t u);

/* What an idiv or irem of a sum is where the divisor takes it apart: (64 x + y) / 64 is x and the
 * remainder y, if 0 <= y < 64. */
bool fold_quotient(const inst_t *i, affine_t *is);

#endif
