/* Shared by the files that write text; products do not include it. */
#ifndef REFORMER_GENERATE_INT_H
#define REFORMER_GENERATE_INT_H

#include "reformer_generate.h"
#include "rt_int.h"

/* Choices must not depend on flags: a product may build these files with its own. gcc says which parts of
 * -ffast-math are on; clang has macros for a few, and a pragma that turns off the others. */
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) ||           \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__)
#error "compile without -ffast-math or parts of it: choices would differ"
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

/* To about one unit in the last place (real.c). */
double reformer_exp(double x); /* x <= 709; 0 below -708 */
double reformer_log(double x); /* x > 0, normal */

/* The first of the greatest of n scores; -1: one is NaN or +infinity, or all are -infinity (choose.c). */
int32_t reformer_greatest(const float *score, size_t n);
/* Ids by descending key, of equal keys the lower id first. */
typedef struct {
    const float *key; /* [all ids] */
    int32_t *id;      /* [n]; pop leaves what it returns at id[n], behind what is left */
    size_t n;
} reformer_heap_t;
void reformer_heap_make(reformer_heap_t *h, const float *key, int32_t *id, size_t n); /* 0 … n-1 */
int32_t reformer_heap_pop(reformer_heap_t *h);                                        /* n > 0 */

/* scores [vocab]: logits, but those of the history's tokens as the penalty makes them. REFORMER_E_TOKEN: the history
 * holds something else. */
int reformer_penalise(float penalty, const float *logits, size_t vocab, const int32_t *history,
                      size_t n, float *scores);
/* The tokens of a prompt's row that are any, in order; history has room for g->length. */
size_t reformer_prompt(const reformer_generate_t *g, size_t row, int32_t *history);
/* Whether g wants the row to end after this token. */
int reformer_is_eos(const reformer_generate_t *g, int32_t token);
/* Checks what generation and beam search have in common. */
int reformer_check_generate(const reformer_decoder_t *d, const reformer_generate_t *g);
size_t reformer_generate_rows(const reformer_decoder_t *d, const reformer_generate_t *g);

#endif
