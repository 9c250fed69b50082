/* What a model's own test (--selftest) runs and expects. */
#ifndef REFORMERC_EMIT_SELFTEST_H
#define REFORMERC_EMIT_SELFTEST_H

#include <stdint.h>

enum { SELFTEST_OUTPUTS = 4, SELFTEST_PLACES = 64 };

/* An output, by the name of its field in io. */
typedef struct {
    const char *name;
    int64_t elements;
    int n;
    int32_t at[SELFTEST_PLACES]; /* [n] elements of it, and */
    float want[SELFTEST_PLACES]; /* [n] what the reference makes of them */
    double magnitude;            /* of its greatest element */
} recorded_t;

typedef struct selftest {
    const int32_t *ids; /* [length] */
    int64_t length;     /* one row of so many tokens */
    recorded_t output[SELFTEST_OUTPUTS];
    int n_outputs;
    double tolerance; /* of max(1, magnitude) */
} selftest_t;

#endif
