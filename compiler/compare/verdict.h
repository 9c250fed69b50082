/* What sides that ran on one input say about each other: who departs, where first,
 * and whose fault it is.
 *
 * In: sides (sides.h), the reference first where there is one. Out: the first departure of each
 * side under each rule, a cause, a table. Nothing here runs anything, so all of it can be tested on
 * results made by hand. */
#ifndef REFORMERC_COMPARE_VERDICT_H
#define REFORMERC_COMPARE_VERDICT_H

#include "compare/sides.h"

enum { MAX_SIDES = 8 };

typedef enum {
    RULE_REFERENCE, /* within tolerance of the reference */
    RULE_BITS,      /* interpreter and builds of the same loops: equal to the bit */
    RULE_UNTRACED,  /* code without traces gives the outputs of code with them, to the bit */
    RULE_COUNT
} verdict_rule_t;

typedef struct {
    verdict_rule_t rule;
    const side_t *side, *against;
    const char *tensor;
    size_t place; /* in order of computation; untraced outputs come after everything */
    difference_t difference;
} departure_t;

typedef struct {
    const side_t *side[MAX_SIDES];
    int n;
    departure_t departure[RULE_COUNT * MAX_SIDES]; /* by place, then rule, then side */
    int n_departures;
} verdict_t;

verdict_t verdict_of(const side_t *const *sides, int n);

/* The reference, NULL: none. */
const side_t *verdict_reference(const verdict_t *v);
/* Whose bits all but the reference must have: the interpreter, else the first
 * build. NULL: nobody. */
const side_t *verdict_model(const verdict_t *v);
/* NULL: none */
const departure_t *verdict_find(const verdict_t *v, const side_t *s, verdict_rule_t rule);

typedef enum {
    CAUSE_UNKNOWN,  /* the interpreter did not run */
    CAUSE_LOOPS,    /* the interpreter departs alike: lowering, a pass, or float32 itself */
    CAUSE_BACK_END, /* the interpreter of the same loops does not */
} cause_t;
cause_t verdict_cause(const verdict_t *v, const departure_t *d);

/* The first prefix of the passes after which loops depart. `try` runs the loops after the pass
 * named `stop_after` and those before it ("": before any). */
typedef enum { PREFIX_FAILED, PREFIX_AGREES, PREFIX_DEPARTS } prefix_t;
typedef prefix_t prefix_fn(void *ctx, const char *stop_after);
typedef struct {
    bool found;
    const char *pass; /* "": before any pass */
} bisection_t;
bisection_t bisect_passes(prefix_fn *try, void *ctx);

/* `spec` says what kind each layer is. `bisection` NULL: none was made. */
void verdict_print(const verdict_t *v, const facts_t *facts, const bisection_t *bisection,
                   sbuf_t *out);

#endif
