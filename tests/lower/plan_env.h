/* What a test of plans has from its setup to its teardown. */
#ifndef REFORMERC_TESTS_PLAN_ENV_H
#define REFORMERC_TESTS_PLAN_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_of.h"

typedef struct {
    arena_t *arena;
    diag_t *diag;
    plan_t *plan; /* this and the text: where a test makes them */
    char *text;
} env_t;

static int setup(void **state) {
    env_t *e = test_malloc(sizeof *e);
    *e = (env_t){.arena = arena_new(), .diag = diag_new()};
    *state = e;
    return 0;
}

static int teardown(void **state) {
    env_t *e = *state;
    diag_free(e->diag);
    arena_free(e->arena);
    test_free(e);
    return 0;
}

#endif
