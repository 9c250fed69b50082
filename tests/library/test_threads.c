/* Several threads: two models compiled, run and freed at once, again and again; many contexts on one model. Under
 * ThreadSanitizer this is the test of every hidden global on the way. */
#include <pthread.h>

#include "library_test.h"

enum { ROUNDS = 4, MANY = 6 };

typedef struct {
    const char *name, *backend;
    const reformerc_model_t *shared; /* NULL: compiles its own */
    int failures;
} job_t;

static void *compile_and_run(void *arg) {
    job_t *j = arg;
    for (int i = 0; i < ROUNDS; i++) {
        case_t c = case_open(j->name);
        reformerc_options_t o = {
            .size = sizeof o, .backend = j->backend, .threads = 1 + i % 2, .no_cache = i == 1};
        reformerc_model_t *m = case_compile(&c, o);
        j->failures += !m || case_run(&c, m, 1 + i % 2) != 0;
        reformerc_free(m);
        case_close(&c);
    }
    return NULL;
}

static void *run_shared(void *arg) {
    job_t *j = arg;
    for (int i = 0; i < ROUNDS; i++) {
        case_t c = case_open(j->name);
        j->failures += case_run(&c, j->shared, 1 + i % 3) != 0;
        case_close(&c);
    }
    return NULL;
}

static void run_all(job_t *jobs, int n, void *(*body)(void *)) {
    pthread_t threads[MANY];
    for (int i = 0; i < n; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, &jobs[i]), 0);
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < n; i++) assert_int_equal(jobs[i].failures, 0);
}

static void test_two_models(void **state) {
    (void)state;
    job_t jobs[] = {{.name = "a_clm_lsh_1hash"}, {.name = "g_qa_train"}};
    run_all(jobs, 2, compile_and_run);
}

static void test_two_references(void **state) {
    (void)state;
    job_t jobs[] = {{.name = "a_clm_lsh_1hash", .backend = "reference"},
                    {.name = "g_qa_train", .backend = "reference"}};
    run_all(jobs, 2, compile_and_run);
}

/* The same model twice, through the C back end: one library file, loaded by both. */
static void test_one_model_twice(void **state) {
    (void)state;
    job_t jobs[] = {{.name = "p_base_model_local_only", .backend = "c"},
                    {.name = "p_base_model_local_only", .backend = "c"},
                    {.name = "p_base_model_local_only"},
                    {.name = "p_base_model_local_only"}};
    run_all(jobs, 4, compile_and_run);
}

static void share(const char *name, const char *backend) {
    case_t c = case_open(name);
    reformerc_model_t *m = case_compile(
        &c, (reformerc_options_t){.size = sizeof(reformerc_options_t), .backend = backend});
    assert_non_null(m);
    job_t jobs[MANY];
    for (int i = 0; i < MANY; i++) jobs[i] = (job_t){.name = name, .shared = m};
    run_all(jobs, MANY, run_shared);
    reformerc_free(m);
    case_close(&c);
}

static void test_many_threads_on_one(void **state) {
    (void)state;
    share("c_mlm_alt_attention_mask", NULL);
    share("c_mlm_alt_attention_mask", "reference");
    share("p_base_model_local_only", "interpreter");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_models),
        cmocka_unit_test(test_two_references),
        cmocka_unit_test(test_one_model_twice),
        cmocka_unit_test(test_many_threads_on_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
