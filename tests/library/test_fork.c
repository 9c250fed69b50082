/* A program that compiles and runs, then forks: its children go on with what they inherited, compile for themselves,
 * and free both. In: golden cases. Out: the same outputs in every process. */
#include <sys/wait.h>
#include <unistd.h>

#include "library_test.h"

enum { THREADS = 3 };

typedef struct {
    case_t c;
    reformerc_model_t *m;
    reformerc_context_t *context;
} server_t;

static int forward(server_t *s) {
    case_spoil(&s->c);
    int code = reformerc_forward(s->context, &s->c.io);
    return code ? -code : case_wrong(&s->c);
}

static bool compile_anew(server_t *s, const char *backend) {
    reformerc_options_t o = {.size = sizeof o, .backend = backend, .threads = THREADS};
    reformerc_model_t *m = case_compile(&s->c, o);
    bool ok = m && case_run(&s->c, m, THREADS) == 0;
    reformerc_free(m);
    return ok;
}

/* The exit code tells how far it got. */
static int child(server_t *s, const char *backend) {
    alarm(100);
    if (forward(s) != 0) return 1;
    if (case_run(&s->c, s->m, THREADS) != 0) return 2;
    reformerc_context_free(s->context);
    if (!compile_anew(s, backend)) return 3;
    reformerc_free(s->m);
    return 0;
}

static void test_children(const char *backend) {
    server_t s = {.c = case_open("a_clm_lsh_1hash")};
    s.m = case_compile(&s.c, (reformerc_options_t){.size = sizeof(reformerc_options_t),
                                                   .backend = backend,
                                                   .threads = THREADS});
    assert_non_null(s.m);
    assert_int_equal(reformerc_context_new(&s.context, s.m, THREADS), REFORMER_OK);
    assert_int_equal(forward(&s), 0);
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0) _exit(child(&s, backend));
    }
    assert_int_equal(forward(&s), 0);
    for (int i = 0; i < 2; i++) {
        int status = 1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    reformerc_context_free(s.context);
    reformerc_free(s.m);
    case_close(&s.c);
}

static void children_of_the_default(void **state) {
    (void)state;
    test_children(NULL);
}

static void children_of_c(void **state) {
    (void)state;
    test_children("c");
}

static void children_of_the_interpreter(void **state) {
    (void)state;
    test_children("interpreter");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(children_of_the_default),
                                       cmocka_unit_test(children_of_c),
                                       cmocka_unit_test(children_of_the_interpreter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
