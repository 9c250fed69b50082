/* What the tests of Loops share: parsing from strings, messages as strings, files of the folder. */
#ifndef REFORMERC_TESTS_LOOPS_H
#define REFORMERC_TESTS_LOOPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loops/loops.h"

typedef struct {
    arena_t *arena;
    diag_t *diag;
    char *messages; /* all so far */
} box_t;

static inline box_t box_open(void) {
    return (box_t){arena_new(), diag_new(), NULL};
}

static inline void box_close(box_t *b) {
    free(b->messages);
    diag_free(b->diag);
    arena_free(b->arena);
}

/* diag_print() prints each message once, so earlier ones are kept. */
static inline const char *messages(box_t *b) {
    char *fresh = NULL, *earlier = b->messages;
    size_t n = 0;
    FILE *f = open_memstream(&fresh, &n);
    assert_non_null(f);
    if (earlier) fputs(earlier, f);
    diag_print(b->diag, f);
    fclose(f);
    free(earlier);
    return b->messages = fresh;
}

static inline module_t *parse(box_t *b, const char *text) {
    return module_parse(b->arena, "test.rir", text, strlen(text), b->diag);
}

/* Parses and verifies what must be right. */
static inline module_t *parse_good(box_t *b, const char *text) {
    module_t *m = parse(b, text);
    if (!m || !loops_verify(m, b->diag)) fail_msg("%s", messages(b));
    return m;
}

/* Without the legend. */
static inline char *print(box_t *b, const module_t *m) {
    sbuf_t s = {0};
    module_print(m, &s);
    const char *from = strstr(s.data, "module ");
    char *text = arena_strdup(b->arena, from ? from : s.data);
    sbuf_free(&s);
    return text;
}

static inline void expect_message(box_t *b, const char *part) {
    const char *all = messages(b);
    if (!strstr(all, part)) fail_msg("expected \"%s\" in:\n%s", part, all);
}

static inline char *read_file(box_t *b, const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("cannot read %s", path);
    size_t n = 0, cap = 1 << 20;
    char *text = arena_alloc(b->arena, cap);
    n = fread(text, 1, cap - 1, f);
    fclose(f);
    text[n] = 0;
    return text;
}

#endif
