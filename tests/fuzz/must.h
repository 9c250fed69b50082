/* Of what must hold for any bytes: a condition that ends the run, and what a user is told. */
#ifndef REFORMERC_TESTS_FUZZ_MUST_H
#define REFORMERC_TESTS_FUZZ_MUST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/diag.h"

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static char *told(diag_t *d, size_t *size) {
    char *text = NULL;
    FILE *f = open_memstream(&text, size);
    MUST(f);
    diag_print(d, f);
    fclose(f);
    return text;
}

/* Something where `silent` is not allowed, and nothing but lines of text. */
static void must_be_told_well(diag_t *d, bool silent) {
    size_t size = 0;
    char *text = told(d, &size);
    MUST(silent || size > 0);
    for (size_t i = 0; i < size; i++) MUST(text[i] == '\n' || (unsigned char)text[i] >= 0x20);
    free(text);
}

#endif
