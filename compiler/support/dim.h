/* A dimension: a literal, or for `sequence_length: dynamic` linear in the one run-time symbol U,
 * the number of length units (unit = least common multiple of the chunk lengths):
 *     value = c + u * U,   U_min <= U <= U_max.
 * A linear function is non-negative over a range iff it is so at both ends; every proof about
 * dimensions in Graph and Loops reduces to that. */
#ifndef REFORMERC_SUPPORT_DIM_H
#define REFORMERC_SUPPORT_DIM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t c, u;
} dim_t;

typedef struct {
    int64_t min, max; /* of U; {0, 0}: there is no symbol */
} units_t;

static inline dim_t dim(int64_t c) {
    return (dim_t){c, 0};
}
static inline dim_t dim_add(dim_t a, dim_t b) {
    return (dim_t){a.c + b.c, a.u + b.u};
}
static inline dim_t dim_sub(dim_t a, dim_t b) {
    return (dim_t){a.c - b.c, a.u - b.u};
}
static inline dim_t dim_scale(dim_t a, int64_t k) {
    return (dim_t){a.c * k, a.u * k};
}
static inline bool dim_literal(dim_t a) {
    return a.u == 0;
}
static inline bool dim_equal(dim_t a, dim_t b) {
    return a.c == b.c && a.u == b.u;
}
static inline int64_t dim_at(dim_t a, int64_t units) {
    return a.c + a.u * units;
}
/* a <= b for every U of the range */
static inline bool dim_le(dim_t a, dim_t b, units_t u) {
    dim_t d = dim_sub(b, a);
    return dim_at(d, u.min) >= 0 && dim_at(d, u.max) >= 0;
}
/* a / k where k divides both parts exactly (asserted by callers) */
static inline bool dim_divisible(dim_t a, int64_t k) {
    return a.c % k == 0 && a.u % k == 0;
}
static inline dim_t dim_div(dim_t a, int64_t k) {
    return (dim_t){a.c / k, a.u / k};
}

#endif
