/* Learning through the library: a batch is learnt by heart, forwards read what was learnt, a training goes on from its
 * arrays to the bit, and what cannot be is refused. */
#include <math.h>

#include "library_test.h"

static const char *const train_case = "k_train_clm_lsh_1hash";

typedef struct {
    case_t c;
    reformerc_model_t *m;
    reformerc_context_t *context;
    reformerc_trainer_t *trainer;
} env_t;

static void open_model(env_t *e, const char *backend, int train) {
    e->trainer = NULL;
    e->c = case_open(train_case);
    const char *settings[] = {
        e->c.batch, arena_printf(e->c.arena, "compile.sequence_length=%zu", e->c.io.length),
        "train.optimizer={type: adamw, lr: 0.01}", "train.schedule={type: linear, total: 20}"};
    reformerc_options_t o = {.size = sizeof o,
                             .backend = backend,
                             .settings = settings,
                             .n_settings = 4,
                             .rotations = e->c.rotations,
                             .train = train};
    char *message = NULL;
    int code = reformerc_compile(&e->m, e->c.folder, NULL, &o, &message);
    if (code) fail_msg("%d: %s", code, message ? message : "");
    free(message);
    assert_int_equal(reformerc_context_new(&e->context, e->m, 2), REFORMER_OK);
}

static void open_trainer(env_t *e, const char *backend) {
    open_model(e, backend, 1);
    if (reformerc_trainer_new(&e->trainer, e->context))
        fail_msg("%s", reformerc_context_message(e->context));
}

static void close_env(env_t *e) {
    reformerc_trainer_free(e->trainer);
    reformerc_context_free(e->context);
    reformerc_free(e->m);
    case_close(&e->c);
}

static reformer_train_report_t step(env_t *e) {
    reformer_train_report_t r = {.size = sizeof r};
    reformer_io_t io = e->c.io;
    io.loss = NULL;
    if (reformerc_train_step(e->trainer, &io, 1, &r))
        fail_msg("%s", reformerc_context_message(e->context));
    return r;
}

static float loss_of(env_t *e) {
    float loss = 0;
    reformer_io_t io = e->c.io;
    io.loss = &loss;
    if (reformerc_forward(e->context, &io)) fail_msg("%s", reformerc_context_message(e->context));
    return loss;
}

static void a_batch_is_learnt(void **state) {
    env_t e;
    enum { STEPS = 5 };
    reformer_train_report_t r[STEPS];
    open_trainer(&e, *state);
    float before = loss_of(&e);
    for (int k = 0; k < STEPS; k++) r[k] = step(&e);
    assert_true(fabs(r[0].loss - (double)before) < 1e-6);
    for (int k = 0; k < STEPS; k++) {
        assert_true(r[k].step == k && r[k].bad == -1 && r[k].grad_norm > 0);
        assert_true(fabs(r[k].learning_rate - 0.01 * (20 - k) / 20) < 1e-15);
        assert_true(k == 0 || r[k].loss < r[k - 1].loss);
    }
    assert_true(loss_of(&e) < 0.7F * before);
    close_env(&e);
}

/* Two micro-batches, each with some of the labels, are the batch that has all of them. */
static void halves_are_a_whole(void **state) {
    env_t a, b;
    open_trainer(&a, *state);
    open_trainer(&b, *state);
    size_t n = a.c.io.batch * a.c.io.length;
    reformer_io_t half[2] = {b.c.io, b.c.io};
    for (int k = 0; k < 2; k++) {
        int32_t *labels = arena_alloc(b.c.arena, n * sizeof *labels);
        for (size_t i = 0; i < n; i++) labels[i] = (i % 3 == 0) == k ? b.c.io.labels[i] : -100;
        half[k].labels = labels;
        half[k].loss = NULL;
    }
    for (int k = 0; k < 2; k++) {
        reformer_train_report_t whole = step(&a), parts = {.size = sizeof parts};
        assert_int_equal(reformerc_train_step(b.trainer, half, 2, &parts), REFORMER_OK);
        assert_true(fabs(whole.loss - parts.loss) < 1e-5);
        assert_true(fabs(whole.grad_norm - parts.grad_norm) < 2e-5 * whole.grad_norm);
        assert_int_equal(whole.items, parts.items);
    }
    close_env(&a);
    close_env(&b);
}

static void goes_on_from_its_arrays(void **state) {
    env_t whole, on;
    reformerc_tensor_t t = {.size = sizeof t}, other = {.size = sizeof other};
    float *data;
    size_t n = 0, states = 0;
    open_trainer(&whole, *state);
    open_trainer(&on, *state);
    (void)step(&whole);
    for (; reformerc_trainer_tensor(whole.trainer, n, &t, NULL) == REFORMER_OK; n++) {
        assert_int_equal(reformerc_trainer_tensor(on.trainer, n, &other, &data), REFORMER_OK);
        assert_string_equal(t.name, other.name);
        size_t floats = 1;
        for (int i = 0; i < t.rank; i++) floats *= (size_t)t.shape[i];
        memcpy(data, t.data, floats * sizeof(float));
        states += strncmp(t.name, "exp_avg", 7) == 0;
    }
    assert_true(states > 0 && 3 * states == 2 * n); /* two of each tensor */
    assert_int_equal(reformerc_trainer_resume(on.trainer, 1), REFORMER_OK);
    assert_true(loss_of(&on) == loss_of(&whole));
    reformer_train_report_t a = step(&whole), b = step(&on);
    assert_true(a.loss == b.loss && a.grad_norm == b.grad_norm && b.step == 1);
    assert_true(loss_of(&on) == loss_of(&whole));
    close_env(&whole);
    close_env(&on);
}

static int launches;

static void one_by_one(void *ctx, int64_t n, int workers,
                       void (*body)(void *arg, int64_t i, int worker), void *arg) {
    (void)workers;
    if (ctx) launches++;
    for (int64_t i = 0; i < n; i++) body(arg, i, 0);
}

/* A pool of the io is the caller's, and is not called when its step is over. */
static void a_pool_is_lent_for_a_step(void **state) {
    env_t e;
    int ctx;
    reformer_pool_t pool = {sizeof pool, &ctx, one_by_one};
    open_trainer(&e, *state);
    reformer_io_t io = e.c.io;
    io.loss = NULL;
    io.threads = 2;
    io.pool = &pool;
    launches = 0;
    assert_int_equal(reformerc_train_step(e.trainer, &io, 1, NULL), REFORMER_OK);
    assert_true(launches > 0);
    launches = 0;
    assert_int_equal(reformerc_trainer_resume(e.trainer, 1), REFORMER_OK);
    assert_int_equal(launches, 0);
    io.labels = arena_copy(e.c.arena, io.labels, io.batch * io.length * sizeof *io.labels);
    ((int32_t *)(uintptr_t)io.labels)[1] = -7; /* a step that fails after it has begun */
    assert_int_not_equal(reformerc_train_step(e.trainer, &io, 1, NULL), REFORMER_OK);
    launches = 0;
    assert_int_equal(reformerc_trainer_resume(e.trainer, 1), REFORMER_OK);
    assert_int_equal(launches, 0);
    (void)step(&e);
    close_env(&e);
}

static void what_cannot_be_is_refused(void **state) {
    env_t e;
    reformerc_trainer_t *none = NULL;
    reformerc_tensor_t t = {.size = sizeof t};
    open_trainer(&e, *state);
    reformer_io_t io = e.c.io;
    assert_int_equal(reformerc_trainer_new(NULL, e.context), REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_trainer_new(&none, NULL), REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_trainer_new(&none, e.context), REFORMER_E_ARGUMENT); /* the second */
    assert_null(none);
    assert_int_equal(reformerc_bind(e.m, "random:1", NULL), REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_train_step(NULL, &io, 1, NULL), REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_train_step(e.trainer, NULL, 1, NULL), REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_train_step(e.trainer, &io, 0, NULL), REFORMER_E_ARGUMENT);
    io.labels = NULL;
    assert_int_equal(reformerc_train_step(e.trainer, &io, 1, NULL), REFORMER_E_LABEL);
    io = e.c.io;
    io.length = 1 << 20;
    assert_int_equal(reformerc_train_step(e.trainer, &io, 1, NULL), REFORMER_E_LENGTH);
    io = e.c.io;
    float before = loss_of(&e);
    int32_t *ids = arena_alloc(e.c.arena, io.batch * io.length * sizeof *ids);
    for (size_t i = 0; i < io.batch * io.length; i++) ids[i] = -1;
    io.input_ids = ids;
    assert_int_equal(reformerc_train_step(e.trainer, &io, 1, NULL), REFORMER_E_TOKEN);
    assert_true(loss_of(&e) == before);
    assert_int_equal(reformerc_trainer_tensor(e.trainer, 1000000, &t, NULL), REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_trainer_tensor(e.trainer, 0, NULL, NULL), REFORMER_E_ARGUMENT);
    assert_int_equal(reformerc_trainer_resume(e.trainer, -1), REFORMER_E_ARGUMENT);

    /* weights that give no numbers: which tensor, and all stay as they are */
    float *data;
    reformer_train_report_t r = {.size = sizeof r};
    assert_int_equal(reformerc_trainer_tensor(e.trainer, 0, &t, &data), REFORMER_OK);
    data[0] = INFINITY;
    assert_int_equal(reformerc_trainer_resume(e.trainer, 0), REFORMER_OK);
    assert_int_equal(reformerc_train_step(e.trainer, &e.c.io, 1, &r), REFORMER_E_DIVERGED);
    assert_true(r.bad >= 0 && r.step == 0);
    assert_non_null(strstr(reformerc_context_message(e.context), "holds a NaN or an infinity"));

    /* without a trainer the model has no weights, until others are bound */
    reformerc_trainer_free(e.trainer);
    e.trainer = NULL;
    assert_int_equal(reformerc_forward(e.context, &e.c.io), REFORMERC_E_UNBOUND);
    assert_int_equal(reformerc_trainer_new(&none, e.context), REFORMERC_E_UNBOUND);
    assert_int_equal(reformerc_bind(e.m, NULL, NULL), REFORMER_OK);
    (void)loss_of(&e);
    close_env(&e);
    open_model(&e, *state, 0);
    assert_int_equal(reformerc_trainer_new(&none, e.context), REFORMER_E_TRAIN);
    close_env(&e);
}

int main(void) {
    void *reference = (void *)(uintptr_t) "reference", *code = NULL; /* what is built in */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(a_batch_is_learnt, reference),
        cmocka_unit_test_prestate(a_batch_is_learnt, code),
        cmocka_unit_test_prestate(halves_are_a_whole, reference),
        cmocka_unit_test_prestate(goes_on_from_its_arrays, code),
        cmocka_unit_test_prestate(a_pool_is_lent_for_a_step, code),
        cmocka_unit_test_prestate(what_cannot_be_is_refused, code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
