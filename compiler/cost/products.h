/* What products are made of, and how fast a machine does each kind: the peak of a kernel is
 * that of its own products. */
#ifndef REFORMERC_COST_PRODUCTS_H
#define REFORMERC_COST_PRODUCTS_H

#include "loops/loops.h"
#include "spec/spec.h"
#include "support/sbuf.h"

/* Flops apart by kind (cost_t), flops per second of each kind. */
typedef struct {
    double of[FACTOR_COUNT];
} products_t;

products_t products_times(const products_t *work, double times);
products_t products_sum(const products_t *a, const products_t *b);
const char *product_name(factor_t p);                   /* as compile.dtype has it */
bool target_has_product(const target_t *t, factor_t p); /* by an instruction of its own */
/* Flops per second of all kinds where multiply-adds of float32 do this many. For
 * machines that cannot be asked. */
products_t products_like(double fma);
/* Of work that runs each kind at its peak, one after the other: they need the same units. */
double products_seconds(const products_t *work, const products_t *peak);
/* As many flops of float32 as take the time of this work. */
double products_as_fma(const products_t *work);
/* "float32", "bfloat16", "bfloat16 94 %": of which kind most of the flops are.
 * NULL: there are none. */
const char *products_text(arena_t *a, const products_t *work);
bool products_are_mixed(const products_t *work); /* any but float32 */
/* A member "products" of a JSON object: flops by name, of kinds that occur. */
void products_json(const products_t *work, sbuf_t *out);

#endif
