/* What the tests of this folder share: files to write, messages to read. */
#ifndef REFORMERC_TESTS_DATA_TEST_H
#define REFORMERC_TESTS_DATA_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/diag.h"

static char test_folder[300];

static inline int make_folder(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(test_folder, sizeof test_folder, "%s/reformerc-data-XXXXXX",
             base && *base ? base : "/tmp");
    return mkdtemp(test_folder) ? 0 : -1;
}

static inline int remove_folder(void **state) {
    (void)state;
    char command[400];
    snprintf(command, sizeof command, "rm -rf '%s'", test_folder);
    return system(command);
}

/* A file of this name with these bytes; its path, good for the next seven calls. */
static inline const char *put_file(const char *name, const void *bytes, size_t n) {
    static char path[8][400];
    static int next;
    char *out = path[next++ % 8];
    snprintf(out, sizeof path[0], "%s/%s", test_folder, name);
    FILE *f = fopen(out, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return out;
}

/* The messages of d say so; frees d. */
static inline void said(diag_t *d, const char *want) {
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    diag_print(d, f);
    fclose(f);
    if (!text || !strstr(text, want)) fail_msg("'%s' does not say: %s", text ? text : "", want);
    free(text);
    diag_free(d);
}

static inline void said_nothing(diag_t *d) {
    if (diag_errors(d)) diag_print(d, stderr);
    assert_int_equal(diag_errors(d), 0);
    diag_free(d);
}

#endif
