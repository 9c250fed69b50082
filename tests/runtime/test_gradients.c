/* Train steps: what is asked of a caller, what a schedule finds, which tensor stands where. */
#include "fake.h"

static const int32_t layers[] = {0, 2, 10};
static const reformer_stack_t stacks[] = {
    {.name = "lm_head.bias", .rank = 1, .shape = {VOCAB}, .count = 1, .offset = 0},
    {.name = "reformer.encoder.layers.#.feed_forward.layer_norm.weight",
     .rank = 1,
     .shape = {3},
     .count = 3,
     .layers = layers,
     .offset = 64},
    {.name = "pattern.#.kept", .rank = 3, .shape = {4, 1, 2}, .count = 1, .offset = 128},
};
enum { GRADIENTS_BYTES = 192 };

/* What the schedule found. */
static reformer_call_t seen;

static void run_step(const reformer_call_t *call) {
    seen = *call;
    *(float *)call->slot[REFORMER_SLOT_LOSS] = 2.5F;
    ((float *)call->slot[REFORMER_SLOT_GRADIENTS])[0] = -1;
}

static reformer_variant_t trains[3];

static reformer_desc_t train_desc(void) {
    reformer_desc_t d = fake_desc(REFORMER_HEAD_CAUSAL_LM);
    for (int i = 0; i < 3; i++) {
        trains[i] = fake_variants[i];
        trains[i].workspace_bytes += 1000;
        trains[i].run = run_step;
    }
    d.trains = trains;
    d.train_loss = REFORMER_LOSS_CROSS_ENTROPY;
    d.stacks = stacks;
    d.n_stacks = 3;
    d.gradients_bytes = GRADIENTS_BYTES;
    d.train_positions = 9;
    return d;
}

static const int32_t ids[4] = {1, 2, 3, 4}, labels[4] = {-100, 2, 3, 4};

static reformer_io_t step_io(void) {
    return (reformer_io_t){
        .size = sizeof(reformer_io_t), .input_ids = ids, .batch = 1, .length = 4, .labels = labels};
}

typedef struct {
    reformer_desc_t desc;
    reformer_model_t model;
    unsigned char *workspace;
    float *gradients;
    size_t bytes;
} step_t;

static void begin(step_t *s) {
    static const unsigned char weights[64] = {0};
    *s = (step_t){.desc = train_desc()};
    s->bytes = reformer_train_bytes(&s->desc, 4, 1);
    s->model = (reformer_model_t){.size = sizeof(reformer_model_t),
                                  .desc = &s->desc,
                                  .weights = weights,
                                  .variants = s->desc.variants,
                                  .n_variants = 3,
                                  .trains = s->desc.trains};
    s->workspace = aligned_alloc(64, (s->bytes + GUARD + 63) / 64 * 64);
    s->gradients = aligned_alloc(64, GRADIENTS_BYTES + 64);
    assert_non_null(s->workspace);
    assert_non_null(s->gradients);
    memset(s->workspace, 0x5A, s->bytes + GUARD);
}

static void end(step_t *s) {
    for (int i = 0; i < GUARD; i++) assert_int_equal(s->workspace[s->bytes + (size_t)i], 0x5A);
    free(s->workspace);
    free(s->gradients);
}

static int gradients_of(step_t *s, const reformer_io_t *io) {
    return reformer_gradients(&s->desc, &s->model, io, s->gradients, GRADIENTS_BYTES, s->workspace,
                              s->bytes);
}

static int32_t control_of(int which) {
    return ((const int32_t *)seen.slot[REFORMER_SLOT_CONTROL])[which];
}

static void a_step_finds_gradients_and_labels(void **state) {
    (void)state;
    step_t s;
    begin(&s);
    reformer_io_t io = step_io();
    float loss = 0;
    io.loss = &loss;
    io.dropout_seed = UINT64_C(0xFEDCBA9876543210);
    io.dropout_step = 4000000000U;
    io.dropout_row = 7;
    assert_int_equal(gradients_of(&s, &io), REFORMER_OK);
    assert_ptr_equal(seen.slot[REFORMER_SLOT_GRADIENTS], s.gradients);
    assert_ptr_equal(seen.slot[REFORMER_SLOT_LOSS], &loss);
    assert_true(loss > 2 && s.gradients[0] < 0);
    assert_int_equal(control_of(REFORMER_LOSS_KIND), REFORMER_LOSS_CROSS_ENTROPY);
    assert_int_equal((uint32_t)control_of(REFORMER_SEED_LOW), 0x76543210);
    assert_int_equal((uint32_t)control_of(REFORMER_SEED_HIGH), 0xFEDCBA98);
    assert_int_equal((uint32_t)control_of(REFORMER_DROPOUT_STEP), 4000000000U);
    assert_int_equal(control_of(REFORMER_FIRST_ROW), 7);
    assert_int_equal(((const int32_t *)seen.slot[REFORMER_SLOT_TARGET])[1], 3);
    end(&s);
}

/* Its schedule makes it all the same. */
static void a_loss_need_not_be_wanted(void **state) {
    (void)state;
    step_t s;
    begin(&s);
    reformer_io_t io = step_io();
    assert_int_equal(gradients_of(&s, &io), REFORMER_OK);
    const unsigned char *at = seen.slot[REFORMER_SLOT_LOSS];
    assert_true(at >= s.workspace && at + sizeof(float) <= s.workspace + s.bytes);
    assert_int_equal(control_of(REFORMER_LOSS_KIND), REFORMER_LOSS_CROSS_ENTROPY);
    end(&s);
}

static void what_is_missing_is_an_error(void **state) {
    (void)state;
    step_t s;
    begin(&s);
    reformer_io_t io = step_io();
    seen.workspace = NULL;
    assert_int_equal(
        reformer_gradients(&s.desc, &s.model, &io, NULL, GRADIENTS_BYTES, s.workspace, s.bytes),
        REFORMER_E_ARGUMENT);
    assert_int_equal(
        reformer_gradients(&s.desc, &s.model, &io, s.gradients, GRADIENTS_BYTES, NULL, s.bytes),
        REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_gradients(&s.desc, &s.model, NULL, s.gradients, GRADIENTS_BYTES,
                                        s.workspace, s.bytes),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(
        reformer_gradients(&s.desc, NULL, &io, s.gradients, GRADIENTS_BYTES, s.workspace, s.bytes),
        REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_gradients(&s.desc, &s.model, &io, s.gradients + 1, GRADIENTS_BYTES,
                                        s.workspace, s.bytes),
                     REFORMER_E_ALIGNMENT);
    assert_int_equal(reformer_gradients(&s.desc, &s.model, &io, s.gradients, GRADIENTS_BYTES,
                                        s.workspace + 4, s.bytes),
                     REFORMER_E_ALIGNMENT);
    io.labels = NULL;
    assert_int_equal(gradients_of(&s, &io), REFORMER_E_ARGUMENT);
    io = step_io();
    io.length = 41;
    assert_int_equal(gradients_of(&s, &io), REFORMER_E_LENGTH);
    s.model.trains = NULL;
    io = step_io();
    assert_int_equal(gradients_of(&s, &io), REFORMER_E_TRAIN);
    assert_null(seen.workspace); /* no schedule ran */
    end(&s);
}

static int32_t position_of(int row) {
    return ((const int32_t *)seen.slot[REFORMER_SLOT_POSITION])[row];
}

/* Of four tokens among nine positions; rows that were not given begin at 0, as all do when nothing is said. */
static void rows_begin_where_the_caller_says(void **state) {
    (void)state;
    static const int32_t two_rows[8] = {1, 2, 3, 4, 4, 3, 2, 1};
    static const int32_t last[2] = {5, 3}, beyond[2] = {0, 6}, before[2] = {-1, 0};
    step_t s;
    begin(&s);
    reformer_io_t io = step_io();
    io.input_ids = io.labels = two_rows;
    io.batch = 2;
    assert_int_equal(gradients_of(&s, &io), REFORMER_OK);
    for (int row = 0; row < BATCH; row++) assert_int_equal(position_of(row), 0);
    io.positions = last;
    assert_int_equal(gradients_of(&s, &io), REFORMER_OK);
    for (int row = 0; row < BATCH; row++)
        assert_int_equal(position_of(row), row < 2 ? last[row] : 0);
    io.positions = beyond;
    assert_int_equal(gradients_of(&s, &io), REFORMER_E_POSITION);
    io.positions = before;
    assert_int_equal(gradients_of(&s, &io), REFORMER_E_POSITION);
    io.positions = last;
    assert_int_equal(reformer_forward(&s.desc, &s.model, &io, s.workspace, s.bytes),
                     REFORMER_E_ARGUMENT);
    s.desc.train_positions = 0; /* a step that takes none */
    assert_int_equal(gradients_of(&s, &io), REFORMER_E_ARGUMENT);
    io.positions = NULL;
    assert_int_equal(gradients_of(&s, &io), REFORMER_OK);
    end(&s);
}

/* A step derives one loss: labels that ask for another are none for it. */
static void labels_must_ask_for_its_loss(void **state) {
    (void)state;
    step_t s;
    begin(&s);
    s.desc.head = REFORMER_HEAD_CLASSIFIER;
    s.desc.float_loss = REFORMER_LOSS_BCE;
    static const int32_t classes[1] = {2};
    static const float numbers[LABELS] = {0};
    reformer_io_t io = step_io();
    io.labels = classes;
    assert_int_equal(gradients_of(&s, &io), REFORMER_OK);
    io.labels = NULL;
    io.labels_f32 = numbers;
    assert_int_equal(gradients_of(&s, &io), REFORMER_E_ARGUMENT);
    s.desc.train_loss = REFORMER_LOSS_BCE;
    assert_int_equal(gradients_of(&s, &io), REFORMER_OK);
    end(&s);
}

static void sizes_are_those_of_train_steps(void **state) {
    (void)state;
    reformer_desc_t d = train_desc(), none = fake_desc(REFORMER_HEAD_CAUSAL_LM);
    assert_int_equal(reformer_gradients_bytes(&d), GRADIENTS_BYTES);
    assert_int_equal(reformer_gradients_bytes(&none), 0);
    assert_int_equal(reformer_gradients_bytes(NULL), 0);
    assert_int_equal(reformer_train_bytes(&none, 4, 1), 0);
    assert_int_equal(reformer_train_bytes(&d, 41, 1), 0);
    assert_int_equal(reformer_train_bytes(&d, 4, -1), 0);
    /* 1,000 bytes of workspace, and places for the loss and for where rows begin */
    assert_int_equal(reformer_train_bytes(&d, 4, 1),
                     reformer_workspace_bytes(&d, 4, 1) + 1024 + 128);
    assert_int_equal(reformer_train_bytes(&d, 4, 2),
                     reformer_prepare_gradients_bytes(&d, trains, 3, 4, 2));
}

static void tensors_have_names_and_places(void **state) {
    (void)state;
    reformer_desc_t d = train_desc(), none = fake_desc(REFORMER_HEAD_CAUSAL_LM);
    static const struct {
        const char *name;
        size_t offset, elements;
        int rank;
    } want[] = {{"lm_head.bias", 0, VOCAB, 1},
                {"reformer.encoder.layers.0.feed_forward.layer_norm.weight", 16, 3, 1},
                {"reformer.encoder.layers.2.feed_forward.layer_norm.weight", 19, 3, 1},
                {"reformer.encoder.layers.10.feed_forward.layer_norm.weight", 22, 3, 1},
                {"pattern.#.kept", 32, 8, 3}};
    reformer_tensor_t t = {.size = sizeof t};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(reformer_gradient(&d, i, &t), REFORMER_OK);
        assert_string_equal(t.name, want[i].name);
        assert_int_equal(t.offset, want[i].offset);
        assert_int_equal(t.elements, want[i].elements);
        assert_int_equal(t.rank, want[i].rank);
    }
    assert_int_equal(t.shape[0], 4);
    assert_int_equal(t.shape[2], 2);
    assert_int_equal(reformer_gradient(&d, 5, &t), REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_gradient(&d, SIZE_MAX, &t), REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_gradient(&d, 0, NULL), REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_gradient(NULL, 0, &t), REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_gradient(&none, 0, &t), REFORMER_E_TRAIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_finds_gradients_and_labels),
        cmocka_unit_test(a_loss_need_not_be_wanted),
        cmocka_unit_test(what_is_missing_is_an_error),
        cmocka_unit_test(rows_begin_where_the_caller_says),
        cmocka_unit_test(labels_must_ask_for_its_loss),
        cmocka_unit_test(sizes_are_those_of_train_steps),
        cmocka_unit_test(tensors_have_names_and_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
