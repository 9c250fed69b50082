/* Arithmetic in double that depends on no library and no flag: the same bits on any machine. For
 * the runtime's own files. */
#ifndef REFORMER_REAL_H
#define REFORMER_REAL_H

#include "reformer_rt.h"

/* Results must not depend on flags: a product may build these files with its own. gcc says which
 * parts of -ffast-math are on; clang has macros for a few, and a pragma that
 * turns off the others. */
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) ||           \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__)
#error "compile without -ffast-math or parts of it: results would differ"
#endif
#if __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16
#error "compile for arithmetic in float and double, without -mfpmath=387"
#endif
_Static_assert(sizeof 1.0 == sizeof(double), "compile without -fsingle-precision-constant");
#ifdef __clang__
#ifdef __x86_64__
#pragma float_control(precise, on)
#else
#pragma clang fp reassociate(off)
#endif
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

#pragma GCC visibility push(hidden)
/* To about one unit in the last place (real.c). */
double reformer_exp(double x);  /* x <= 709; 0 below -708 */
double reformer_log(double x);  /* x > 0, normal */
double reformer_sqrt(double x); /* x >= 0; rounded correctly */
/* x^y, x >= 0, to about |y ln x| units in the last place; infinite from e^709 on. */
double reformer_pow(double x, double y);
/* cos and sin of 2 pi turns, |turns| < 2^50: whole turns go without rounding. */
double reformer_cos_turns(double turns);
double reformer_sin_turns(double turns);
#pragma GCC visibility pop

#endif
