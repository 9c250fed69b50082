/* How far two tensors that should be equal are apart, and whether that is too far.
 *
 * In: two tensors of the same name from two executors. Out: the largest difference, where it is,
 * and the verdict by the rules that all executors keep: floats within 2e-5 of max(1, magnitude),
 * gradients of their magnitude itself (result_t.least), a loss within 1e-5, integers (buckets, sort
 * order) exactly; builds of the same loops to the bit. What is shown as the difference of a stream
 * (sides.h) may miss by the stream's rounding besides, and what factors that are rounded to the
 * other side do (lead.h) is allowed by its largest and by its root mean square. */
#ifndef REFORMERC_COMPARE_COMPARE_H
#define REFORMERC_COMPARE_COMPARE_H

#include "tensors/tensors.h"

#define TENSOR_TOLERANCE 2e-5 /* of max(least, magnitude) */
#define LOSS_TOLERANCE   1e-5 /* of the same */
#define NEAR_TIE         1e-5 /* of ||qk||: a margin below it, and a last bit decides the bucket */

typedef struct {
    bool comparable;   /* both are there, with one dtype and shapes that fit */
    bool integer;      /* then `absolute` is no measure: equal or not */
    double magnitude;  /* largest finite value of `want` */
    double min;        /* differences are of max(least, magnitude): 1, or what `want` says */
    double rounding;   /* of `want`: allowed beyond its tolerance */
    double mean;       /* of `want`: allowed in the root mean square beyond the tolerance; 0: any */
    double off;        /* root mean square of the differences */
    double many;       /* share of elements beyond the tolerance, of what is allowed; 0: any */
    double absolute;   /* largest difference; infinite where one side alone is NaN or infinite */
    int64_t different; /* elements whose bits differ */
    int64_t at;        /* element of `want` with the largest difference; integers: the first */
    double want, got;  /* the values there */
} difference_t;

/* `got` NULL: missing. It may have more rows or tokens than `want`, as code compiled for more than
 * was given traces them: the given ones come first and are compared. Equal bits
 * are no difference. */
difference_t compare_tensors(const result_t *want, const result_t *got);
/* The element of `got` that stands where element i of `want` does. */
int64_t compare_place(const result_t *want, const result_t *got, int64_t i);

double
difference_relative(const difference_t *x); /* of max(least, magnitude); not comparable: infinite */
double tolerance_of(const char *tensor);
double difference_share(const difference_t *x, const char *tensor); /* of what is allowed */
bool difference_allowed(const difference_t *x, const char *tensor);
bool difference_none(const difference_t *x); /* every bit is the same */

int64_t result_elements(const result_t *t);
bool is_activation(const char *tensor); /* traced, not an output */

#endif
