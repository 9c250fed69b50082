/* Gradients through the library: Hugging Face's values by name, and what is refused. */
#include <math.h>

#include "library_test.h"

static const char *const train_case = "k_train_clm_lsh_1hash";

typedef struct {
    case_t c;
    reformerc_model_t *m;
    reformerc_context_t *context;
    float *gradients;
} step_t;

static void open_step(step_t *s, const char *backend, int train) {
    s->c = case_open(train_case);
    const char *settings[] = {
        s->c.batch, arena_printf(s->c.arena, "compile.sequence_length=%zu", s->c.io.length)};
    reformerc_options_t o = {.size = sizeof o,
                             .backend = backend,
                             .settings = settings,
                             .n_settings = 2,
                             .rotations = s->c.rotations,
                             .train = train};
    char *message = NULL;
    int code = reformerc_compile(&s->m, s->c.folder, NULL, &o, &message);
    if (code) fail_msg("%d: %s", code, message ? message : "");
    free(message);
    assert_int_equal(reformerc_context_new(&s->context, s->m, 2), REFORMER_OK);
    size_t bytes = reformerc_gradients_bytes(s->m);
    s->gradients = bytes ? aligned_alloc(64, bytes) : NULL;
}

static void close_step(step_t *s) {
    free(s->gradients);
    reformerc_context_free(s->context);
    reformerc_free(s->m);
    case_close(&s->c);
}

static void compare(step_t *s, const st_file_t *want, const reformer_tensor_t *t) {
    const st_tensor_t *theirs = st_find(want, t->name);
    if (!theirs) fail_msg("Hugging Face has no %s", t->name);
    float *x = ARENA_ARRAY(s->c.arena, float, theirs->elements);
    double largest = 0, worst = 0;
    assert_int_equal(t->rank, theirs->rank);
    for (int i = 0; i < t->rank; i++) assert_int_equal(t->shape[i], theirs->shape[i]);
    assert_true(st_to_f32(theirs, x, t->name, s->c.d));
    for (size_t i = 0; i < t->elements; i++) {
        largest = fmax(largest, fabs((double)x[i]));
        worst = fmax(worst, fabs((double)x[i] - (double)s->gradients[t->offset + i]));
    }
    if (!(worst <= 2e-5 * largest)) fail_msg("%s: off by %g of %g", t->name, worst, largest);
}

static void gradients_are_hugging_faces(void **state) {
    step_t s;
    reformer_tensor_t t = {.size = sizeof t};
    size_t n = 0;
    float loss = 0;
    open_step(&s, *state, 1);
    assert_non_null(s.gradients);
    reformer_io_t io = s.c.io;
    io.loss = &loss;
    if (reformerc_gradients(s.context, &io, s.gradients, reformerc_gradients_bytes(s.m)))
        fail_msg("%s", reformerc_context_message(s.context));
    st_file_t *want = st_open(arena_printf(s.c.arena, "%s/grads.safetensors", s.c.folder), s.c.d);
    assert_non_null(want);
    for (; reformerc_gradient(s.m, n, &t) == REFORMER_OK; n++) compare(&s, want, &t);
    assert_int_equal(n, st_count(want));
    assert_true(loss > 0);
    assert_int_equal(reformerc_forward(s.context, &io), REFORMER_OK); /* it still is a model */
    st_close(want);
    close_step(&s);
}

static void what_cannot_be_is_refused(void **state) {
    step_t s;
    reformer_tensor_t t = {.size = sizeof t};
    open_step(&s, *state, 1);
    reformer_io_t io = s.c.io;
    assert_int_equal(reformerc_gradients(NULL, &io, s.gradients, reformerc_gradients_bytes(s.m)),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(
        reformerc_gradients(s.context, NULL, s.gradients, reformerc_gradients_bytes(s.m)),
        REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_gradients(s.context, &io, NULL, reformerc_gradients_bytes(s.m)),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(
        reformerc_gradients(s.context, &io, s.gradients + 1, reformerc_gradients_bytes(s.m)),
        REFORMER_E_ALIGNMENT);
    io.labels = NULL;
    assert_int_equal(
        reformerc_gradients(s.context, &io, s.gradients, reformerc_gradients_bytes(s.m)),
        REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_gradient(s.m, 100000, &t), REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_gradient(s.m, 0, NULL), REFORMER_E_ARGUMENT);
    close_step(&s);
    open_step(&s, *state, 0);
    float none[16] __attribute__((aligned(64)));
    assert_int_equal(reformerc_gradients_bytes(s.m), 0);
    assert_int_equal(reformerc_gradients(s.context, &s.c.io, none, sizeof none), REFORMER_E_TRAIN);
    assert_int_equal(reformerc_gradient(s.m, 0, &t), REFORMER_E_TRAIN);
    close_step(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(gradients_are_hugging_faces, (void *)(uintptr_t) "reference"),
        cmocka_unit_test_prestate(what_cannot_be_is_refused, (void *)(uintptr_t) "reference"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
