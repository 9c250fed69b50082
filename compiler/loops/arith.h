/* Arithmetic of Loops, one lane at a time, exactly as ops.def says: what the interpreter does when
 * it runs and folding does before. Built without contraction; fma is one rounding. */
#ifndef REFORMERC_LOOPS_ARITH_H
#define REFORMERC_LOOPS_ARITH_H

#include "loops/rules.h"

/* ADD SUB MUL DIV FMA MIN MAX NEG SQRT, each in its own type. */
float f32_op(op_t op, float x, float y, float z);
double f64_op(op_t op, double x, double y, double z);
/* The same of n lanes; out may be one of the operands. */
void f32_lanes(op_t op, float *out, const float *x, const float *y, const float *z, int n);
/* One lane of DOT2, of DOT4. */
float dot2_op(dot2_t how, float acc, const uint16_t x[2], const uint16_t y[2]);
int32_t dot4_op(int32_t acc, const uint8_t x[4], const int8_t y[4]);
/* ADD … SAR of integers of `bits` bits; wraps at 64, the caller cuts to the type. */
int64_t int_op(op_t op, int64_t x, int64_t y, int64_t count, int bits);
/* EQ … GE from the three outcomes; NaN is none of them. */
bool compare_op(op_t op, bool less, bool equal, bool greater);
/* Whether x, truncated, is a value of the integer type. */
bool fits_integer(double x, elem_t e);

#endif
