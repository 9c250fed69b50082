/* Text → numbers, without locale, octal, sexagesimal or underscores. */
#ifndef REFORMERC_SPEC_NUMBERS_H
#define REFORMERC_SPEC_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "spec/schema.h"

typedef enum {
    NUMBER_OK,
    NUMBER_NOT,      /* no number at all */
    NUMBER_RANGE,    /* a number beyond int64_t, or beyond double */
    NUMBER_FRACTION, /* a decimal number where an integer is needed */
    NUMBER_FORM,     /* 0x10, 017, 1_000, 1:30: other notations, refused */
    NUMBER_INFINITE  /* .inf, NaN, Infinity … */
} number_t;

number_t parse_int(const char *text, int64_t *value);
number_t parse_real(const char *text, double *value);

/* "<= 64 MiB", "< 50 M", "1e9": a budget. False where it is none. */
bool parse_budget(const char *text, const word_t *units, double *value, bool *strict);

/* The shortest decimal that reads back as v. */
void print_real(sbuf_t *out, double v);

#endif
