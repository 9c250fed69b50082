/* Temporary files and diagnostics for the tests of weights. */
#ifndef REFORMERC_TESTS_WEIGHTS_FILES_H
#define REFORMERC_TESTS_WEIGHTS_FILES_H

#define _GNU_SOURCE /* nftw */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "reformer_rt.h"
#include "weights/weights.h"

/* A name in a fresh folder under the temporary one; the folder is made on first use. */
static inline const char *temporary(const char *name) {
    static char folder[256], path[16][512];
    static int next;
    if (!*folder) {
        const char *base = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/reformerc-test-XXXXXX", base && *base ? base : "/tmp");
        assert_non_null(mkdtemp(folder));
    }
    char *out = path[next++ % 16];
    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)kind, (void)at;
    if (remove(path) == 0) return 0;
    print_error("%s: %s\n", path, strerror(errno));
    return 1;
}

/* By this process: on a busy machine there may be no room for another one. */
static inline int remove_temporary(void **state) {
    (void)state;
    return nftw(temporary(""), remove_one, 4, FTW_DEPTH | FTW_PHYS);
}

/* The tests of a program, then no file of them is left. */
#define RUN_TESTS(tests) cmocka_run_group_tests(tests, NULL, remove_temporary)

static inline void write_bytes(const char *path, const void *data, size_t bytes) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    bool written = fwrite(data, 1, bytes, f) == bytes;
    if (fclose(f) != 0 || !written)
        fail_msg("%s: %s", path, strerror(errno)); /* a full disk says so */
}

static inline unsigned char *read_bytes(const char *path, size_t *bytes) {
    diag_t *d = diag_new();
    char *data = file_read(path, 0, bytes, d);
    assert_non_null(data);
    diag_free(d);
    return (unsigned char *)data;
}

/* A safetensors file of this header, announced with this length, and `data` zero bytes. */
static inline const char *write_safetensors(const char *header, uint64_t announced, size_t data) {
    const char *path = temporary("case.safetensors");
    size_t n = strlen(header);
    unsigned char *file = calloc(1, 8 + n + data + 1);
    assert_non_null(file);
    for (int i = 0; i < 8; i++) file[i] = (unsigned char)(announced >> (8 * i));
    memcpy(file + 8, header, n);
    write_bytes(path, file, 8 + n + data);
    free(file);
    return path;
}

/* What was diagnosed since the last call; asked again without news, the same text. */
static inline const char *messages(diag_t *d) {
    static char text[1 << 16];
    char fresh[sizeof text] = "";
    FILE *f = fmemopen(fresh, sizeof fresh, "w");
    assert_non_null(f);
    diag_print(d, f);
    fclose(f);
    if (!*fresh && diag_errors(d) > 0) return text;
    return strcpy(text, fresh);
}

static inline void assert_says(diag_t *d, const char *part) {
    const char *text = messages(d);
    if (!strstr(text, part)) fail_msg("'%s' is not in:\n%s", part, text);
}

#endif
