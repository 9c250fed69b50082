/* A trainer: what a step asks of a model's code and hands to it, in which order, and what it leaves behind. The model's train
 * step and update are stand-ins: gradients by the number of the call, plain descent. */
#include "fake.h"

#include <math.h>

enum { WIDTH = 3, ROTATIONS = 2 * 3 * 2 * 2, AT = REFORMER_WEIGHTS_HEADER, MICRO = 2 };

static const reformer_stack_t stacks[] = {
    {.name = "lm_head.bias", .rank = 1, .shape = {WIDTH}, .count = 1, .offset = 0},
    {.name = "lm_head.more", .rank = 1, .shape = {2}, .count = 1, .offset = 64},
};
static const reformer_rotations_t rotations[] = {
    {.layer = 1, .heads = 2, .head_size = 3, .rounds = 2, .half = 2, .offset = AT + 64}};
static const reformer_training_t training = {
    .optimizer = {.type = REFORMER_SGD, .lr = 0.5},
    .schedule = {.type = REFORMER_SCHEDULE_LINEAR, .total = 4},
    .max_grad_norm = 10,
    .seed = 77,
    .new_rotations = 1};

/* ---- stand-ins -------------------------------------------------------------------------------- */

/* Calls of a step: 's' gradients, then letters of phases. */
static char said[64];
static int32_t rows_before[8], seeds[8], steps[8];
static float drawn[8]; /* the first rotation, as train steps found it */
static int n_steps;
static float next_gradient;

static void say(char what) {
    size_t n = strlen(said);
    assert_true(n + 1 < sizeof said);
    said[n] = what;
    said[n + 1] = 0;
}

static void run_step(const reformer_call_t *call) {
    float *g = call->slot[REFORMER_SLOT_GRADIENTS];
    const int32_t *control = call->slot[REFORMER_SLOT_CONTROL];
    for (int i = 0; i < WIDTH; i++) g[i] = next_gradient + (float)i;
    g[16] = g[17] = next_gradient;
    *(float *)call->slot[REFORMER_SLOT_LOSS] = next_gradient;
    memcpy(&drawn[n_steps], call->weights + AT + 64, sizeof(float));
    rows_before[n_steps] = control[REFORMER_FIRST_ROW];
    steps[n_steps] = control[REFORMER_DROPOUT_STEP];
    seeds[n_steps++] = control[REFORMER_SEED_LOW];
    next_gradient += 1;
    say('s');
}

static void run_update(const reformer_call_t *call) {
    const int32_t *phase = call->slot[REFORMER_SLOT_PHASES];
    const float *c = call->slot[REFORMER_SLOT_COEFFICIENTS];
    float *sum = call->slot[REFORMER_SLOT_SUM], *params = call->slot[REFORMER_SLOT_PARAMS];
    float *g = call->slot[REFORMER_SLOT_GRADIENTS], *state = call->slot[REFORMER_SLOT_STATE];
    float *weights = (float *)((unsigned char *)call->slot[REFORMER_SLOT_PACKED] + AT);
    memset(call->workspace, 0x11, 40);
    memset(call->scratch, 0x22, 30);
    if (phase[REFORMER_PHASE_SCALE]) say('=');
    if (phase[REFORMER_PHASE_ADD]) say('+');
    if (phase[REFORMER_PHASE_NORM]) say('n');
    if (phase[REFORMER_PHASE_UPDATE]) say('u');
    if (phase[REFORMER_PHASE_PACK]) say('p');
    if (phase[REFORMER_PHASE_UNPACK]) say('x');
    double squares = 0;
    for (int i = 0; i < WIDTH; i++) {
        if (phase[REFORMER_PHASE_SCALE]) sum[i] = c[REFORMER_RATE_SHARE] * g[i];
        if (phase[REFORMER_PHASE_ADD]) sum[i] += c[REFORMER_RATE_SHARE] * g[i];
        squares += (double)sum[i] * (double)sum[i];
        if (phase[REFORMER_PHASE_UPDATE])
            params[i] += c[REFORMER_RATE_STEP] * (state[i] = c[REFORMER_RATE_CLIP] * sum[i]);
        if (phase[REFORMER_PHASE_PACK]) weights[i] = params[i];
        if (phase[REFORMER_PHASE_UNPACK]) params[i] = weights[i];
    }
    if (phase[REFORMER_PHASE_NORM]) *(double *)call->slot[REFORMER_SLOT_NORM] = sqrt(squares);
}

/* ---- a trainer -------------------------------------------------------------------------------- */

static reformer_variant_t trains[3];
static const reformer_variant_t update = {
    .target = BASELINE, .workspace_bytes = 40, .scratch_bytes = 30, .run = run_update};

typedef struct {
    reformer_desc_t desc;
    reformer_model_t model;
    reformer_trainer_t trainer;
    unsigned char *weights, *memory, *workspace;
    size_t memory_bytes, workspace_bytes;
} env_t;

static unsigned char *guarded(size_t bytes) {
    unsigned char *p = aligned_alloc(64, (bytes + GUARD + 63) / 64 * 64);
    assert_non_null(p);
    memset(p, 0x5A, bytes + GUARD);
    return p;
}

static void check_guard(const unsigned char *p, size_t bytes) {
    for (size_t i = 0; i < GUARD; i++) assert_int_equal(p[bytes + i], 0x5A);
}

static float *packed(const env_t *e) {
    return (float *)(void *)(e->weights + AT);
}

static void begin_with(env_t *e, reformer_head_t head, size_t micro_batches) {
    *e = (env_t){.desc = fake_desc(head)};
    for (int i = 0; i < 3; i++) {
        trains[i] = fake_variants[i];
        trains[i].run = run_step;
    }
    e->desc.trains = trains;
    e->desc.train_loss = REFORMER_LOSS_CROSS_ENTROPY;
    e->desc.stacks = stacks;
    e->desc.n_stacks = 2;
    e->desc.gradients_bytes = 128;
    e->desc.updates = &update;
    e->desc.training = &training;
    e->desc.state_bytes[0] = 64;
    e->desc.rotations = rotations;
    e->desc.n_rotations = 1;
    e->weights = guarded(WEIGHTS_BYTES + 64);
    for (int i = 0; i < WIDTH; i++) packed(e)[i] = (float)(10 * i);
    for (int i = 0; i < ROTATIONS; i++) packed(e)[16 + i] = (float)i;
    e->model = (reformer_model_t){.size = sizeof(reformer_model_t),
                                  .desc = &e->desc,
                                  .weights = e->weights,
                                  .bytes = WEIGHTS_BYTES,
                                  .variants = e->desc.variants,
                                  .n_variants = 3,
                                  .trains = trains,
                                  .update = &update};
    e->memory_bytes = reformer_trainer_bytes(&e->desc, micro_batches);
    e->workspace_bytes = reformer_trainer_workspace(&e->desc, 4, 2);
    e->memory = guarded(e->memory_bytes);
    e->workspace = guarded(e->workspace_bytes);
    said[0] = 0;
    n_steps = 0;
    next_gradient = 2;
    assert_int_equal(reformer_trainer_begin(&e->desc, &e->trainer, &e->model, e->weights, e->memory,
                                            e->memory_bytes, micro_batches, e->workspace,
                                            e->workspace_bytes),
                     REFORMER_OK);
}

static void begin(env_t *e) {
    begin_with(e, REFORMER_HEAD_CAUSAL_LM, MICRO);
}

static void end(env_t *e) {
    check_guard(e->memory, e->memory_bytes);
    check_guard(e->workspace, e->workspace_bytes);
    free(e->weights);
    free(e->memory);
    free(e->workspace);
}

/* Of rows of four, 5 labels and 1 count: each row's first one does not. */
static const int32_t ids[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static const int32_t five[8] = {1, 2, 3, 4, 5, 6, -100, 8}, one[4] = {1, -100, 3, -100};
static const int32_t nothing[4] = {1, -100, -100, -100};

static reformer_io_t io_of(const int32_t *labels, size_t rows) {
    return (reformer_io_t){.size = sizeof(reformer_io_t),
                           .input_ids = ids,
                           .labels = labels,
                           .batch = rows,
                           .length = 4,
                           .threads = 2};
}

static void near(double is, double want) {
    if (!(fabs(is - want) < 1e-6 * fmax(1, fabs(want)))) fail_msg("%g, not %g", is, want);
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void a_step_of_two_batches(void **state) {
    (void)state;
    env_t e;
    begin(&e);
    assert_string_equal(said, "x");
    said[0] = 0;
    reformer_io_t io[MICRO] = {io_of(five, 2), io_of(one, 1)};
    reformer_train_report_t r = {.size = sizeof r};
    assert_int_equal(
        reformer_train_step(&e.desc, &e.trainer, io, MICRO, &r, e.workspace, e.workspace_bytes),
        REFORMER_OK);
    assert_string_equal(said, "s=s+nup");
    assert_int_equal(r.items, 6);
    near(r.loss, (5 * 2 + 3) / 6.);
    near(r.learning_rate, 0.5);
    double sum[WIDTH], squares = 0;
    for (int i = 0; i < WIDTH; i++) {
        sum[i] = (5. * (2 + i) + (3 + i)) / 6;
        squares += sum[i] * sum[i];
    }
    near(r.grad_norm, sqrt(squares));
    assert_true(r.step == 0 && r.bad == -1 && e.trainer.step == 1);
    for (int i = 0; i < WIDTH; i++) near(packed(&e)[i], 10 * i - 0.5 * sum[i]);
    assert_true(rows_before[0] == 0 && rows_before[1] == 2);
    assert_true(seeds[0] == 77 && seeds[1] == 77 && steps[0] == 0);
    end(&e);
}

/* One batch is its own sum; the gradient is cut to a norm of 10; the schedule goes on. */
static void steps_of_one_batch(void **state) {
    (void)state;
    env_t e;
    begin_with(&e, REFORMER_HEAD_CAUSAL_LM, 1);
    said[0] = 0;
    reformer_io_t io = io_of(five, 2);
    reformer_train_report_t r = {.size = sizeof r};
    assert_int_equal(
        reformer_train_step(&e.desc, &e.trainer, &io, 1, NULL, e.workspace, e.workspace_bytes),
        REFORMER_OK);
    next_gradient = 1000;
    assert_int_equal(
        reformer_train_step(&e.desc, &e.trainer, &io, 1, &r, e.workspace, e.workspace_bytes),
        REFORMER_OK);
    assert_string_equal(said, "snupsnup");
    near(r.learning_rate, 0.375);
    near(r.grad_norm, sqrt(1000. * 1000 + 1001. * 1001 + 1002. * 1002));
    near(e.trainer.state[0][0], 10 * 1000 / r.grad_norm);
    assert_int_equal(steps[1], 1);
    end(&e);
}

static void batches_without_labels(void **state) {
    (void)state;
    env_t e;
    begin(&e);
    said[0] = 0;
    reformer_io_t io[MICRO] = {io_of(nothing, 1), io_of(one, 1)};
    reformer_train_report_t r = {.size = sizeof r};
    assert_int_equal(
        reformer_train_step(&e.desc, &e.trainer, io, MICRO, &r, e.workspace, e.workspace_bytes),
        REFORMER_OK);
    assert_string_equal(said, "snup");
    assert_int_equal(rows_before[0], 1);
    near(r.loss, 2);
    io[1] = io[0];
    assert_int_equal(
        reformer_train_step(&e.desc, &e.trainer, io, MICRO, &r, e.workspace, e.workspace_bytes),
        REFORMER_E_LABEL);
    assert_string_equal(said, "snup");
    assert_int_equal(e.trainer.step, 1);
    end(&e);
}

/* Each step has its own; between steps those of the weights file stand where they stood. */
static void rotations_come_and_go(void **state) {
    (void)state;
    env_t e;
    begin(&e);
    reformer_io_t io[MICRO] = {io_of(five, 2), io_of(one, 1)};
    float own[ROTATIONS];
    for (int k = 0; k < 2; k++) {
        assert_int_equal(reformer_train_step(&e.desc, &e.trainer, io, MICRO, NULL, e.workspace,
                                             e.workspace_bytes),
                         0);
        for (int i = 0; i < ROTATIONS; i++) assert_true(packed(&e)[16 + i] == (float)i);
        reformer_draw_rotations(&rotations[0], 77, (uint32_t)k, 1, 0, 1, own);
        assert_true(drawn[2 * k] == own[0] && drawn[2 * k + 1] == own[0]);
    }
    static const int32_t wrong[4] = {1, 2, VOCAB, 4};
    io[1].input_ids = wrong; /* a step that fails in its second batch */
    assert_int_equal(
        reformer_train_step(&e.desc, &e.trainer, io, MICRO, NULL, e.workspace, e.workspace_bytes),
        REFORMER_E_TOKEN);
    for (int i = 0; i < ROTATIONS; i++) assert_true(packed(&e)[16 + i] == (float)i);
    assert_int_equal(e.trainer.step, 2);
    end(&e);
}

/* A step that does not begin, for whatever reason, has drawn nothing. */
static void refused_batches_draw_nothing(void **state) {
    (void)state;
    env_t e;
    begin(&e);
    static const int32_t wrong[8] = {1, 2, VOCAB, 4};
    reformer_io_t good = io_of(five, 2), bad = good;
    bad.input_ids = wrong;
    for (int i = 0; i < 2; i++) {
        size_t bytes = i ? e.workspace_bytes : 64;
        assert_int_equal(
            reformer_train_accumulate(&e.trainer, i ? &bad : &good, 1, 1, e.workspace, bytes),
            i ? REFORMER_E_TOKEN : REFORMER_E_WORKSPACE);
        for (int k = 0; k < ROTATIONS; k++) assert_true(packed(&e)[16 + k] == (float)k);
    }
    end(&e);
}

static void what_is_no_number_changes_nothing(void **state) {
    (void)state;
    env_t e;
    begin(&e);
    reformer_io_t io = io_of(five, 2);
    reformer_train_report_t r = {.size = sizeof r};
    next_gradient = INFINITY;
    assert_int_equal(
        reformer_train_step(&e.desc, &e.trainer, &io, 1, &r, e.workspace, e.workspace_bytes),
        REFORMER_E_DIVERGED);
    assert_int_equal(r.bad, 0);
    assert_int_equal(e.trainer.step, 0);
    for (int i = 0; i < WIDTH; i++) assert_true(packed(&e)[i] == (float)(10 * i));
    assert_string_equal(reformer_strerror(REFORMER_E_DIVERGED),
                        "the gradient holds a NaN or an infinity");
    end(&e);
}

static void goes_on_where_it_was(void **state) {
    (void)state;
    env_t whole, half;
    reformer_io_t io[MICRO] = {io_of(five, 2), io_of(one, 1)};
    begin(&whole);
    for (int k = 0; k < 2; k++)
        assert_int_equal(reformer_train_step(&whole.desc, &whole.trainer, io, MICRO, NULL,
                                             whole.workspace, whole.workspace_bytes),
                         0);
    begin(&half);
    assert_int_equal(reformer_train_step(&half.desc, &half.trainer, io, MICRO, NULL, half.workspace,
                                         half.workspace_bytes),
                     0);
    reformer_trainer_t on;
    assert_int_equal(reformer_trainer_resume(&half.desc, &on, &half.model, half.weights,
                                             half.memory, half.memory_bytes, MICRO, 1),
                     0);
    assert_int_equal(
        reformer_train_step(&half.desc, &on, io, MICRO, NULL, half.workspace, half.workspace_bytes),
        0);
    assert_int_equal(on.step, 2);
    assert_memory_equal(half.weights + AT, whole.weights + AT, WEIGHTS_BYTES - AT);
    assert_int_equal(reformer_trainer_resume(&half.desc, &on, &half.model, half.weights,
                                             half.memory, half.memory_bytes, MICRO, -1),
                     REFORMER_E_ARGUMENT);
    end(&whole);
    end(&half);
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    env_t e;
    begin_with(&e, REFORMER_HEAD_CAUSAL_LM, 1);
    reformer_io_t io[MICRO] = {io_of(five, 2), io_of(one, 1)};
    reformer_trainer_t *t = &e.trainer;
    /* room for the gradients of one batch */
    assert_int_equal(
        reformer_train_step(&e.desc, t, io, MICRO, NULL, e.workspace, e.workspace_bytes),
        REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_train_step(&e.desc, t, NULL, 1, NULL, e.workspace, e.workspace_bytes),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_train_step(&e.desc, t, io, 0, NULL, e.workspace, e.workspace_bytes),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(
        reformer_train_step(&e.desc, NULL, io, 1, NULL, e.workspace, e.workspace_bytes),
        REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_train_step(&e.desc, t, io, 1, NULL, NULL, e.workspace_bytes),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(
        reformer_train_step(&e.desc, t, io, 1, NULL, e.workspace + 4, e.workspace_bytes),
        REFORMER_E_ALIGNMENT);
    io[0].length = 1000; /* nothing is read of what cannot be */
    assert_int_equal(reformer_train_step(&e.desc, t, io, 1, NULL, e.workspace, e.workspace_bytes),
                     REFORMER_E_LENGTH);
    io[0] = io_of(five, BATCH + 1);
    assert_int_equal(reformer_train_step(&e.desc, t, io, 1, NULL, e.workspace, e.workspace_bytes),
                     REFORMER_E_BATCH);
    assert_int_equal(t->step, 0);
    reformer_trainer_t other;
    unsigned char *elsewhere = e.weights + 64;
    assert_int_equal(reformer_trainer_begin(&e.desc, &other, &e.model, elsewhere, e.memory,
                                            e.memory_bytes, 1, e.workspace, e.workspace_bytes),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_trainer_begin(&e.desc, &other, &e.model, e.weights, e.memory + 4,
                                            e.memory_bytes, 1, e.workspace, e.workspace_bytes),
                     REFORMER_E_ALIGNMENT);
    assert_int_equal(reformer_trainer_begin(&e.desc, &other, &e.model, e.weights, e.memory,
                                            e.memory_bytes, 0, e.workspace, e.workspace_bytes),
                     REFORMER_E_ARGUMENT);
    e.model.update = NULL;
    assert_int_equal(reformer_trainer_begin(&e.desc, &other, &e.model, e.weights, e.memory,
                                            e.memory_bytes, 1, e.workspace, e.workspace_bytes),
                     REFORMER_E_TRAIN);
    assert_int_equal(reformer_trainer_bytes(&e.desc, 0), 0);
    assert_int_equal(reformer_trainer_workspace(&e.desc, 41, 1), 0);
    assert_int_equal(reformer_trainer_workspace(&e.desc, 4, -1), 0);
    assert_int_equal(reformer_trainer_bytes(&e.desc, 9), reformer_trainer_bytes(&e.desc, 2));
    reformer_desc_t none = fake_desc(REFORMER_HEAD_CAUSAL_LM);
    assert_int_equal(reformer_trainer_bytes(&none, 1), 0);
    assert_int_equal(reformer_trainer_workspace(&none, 4, 1), 0);
    end(&e);
}

static void labels_that_count(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_CAUSAL_LM);
    d.train_loss = REFORMER_LOSS_CROSS_ENTROPY;
    reformer_io_t io = io_of(five, 2);
    assert_int_equal(reformer_items(&d, &io), 5);
    io.size = 0;
    assert_int_equal(reformer_items(&d, &io), -REFORMER_E_SIZE);
    io.size = sizeof io;
    d.head = REFORMER_HEAD_MASKED_LM;
    assert_int_equal(reformer_items(&d, &io), 7);
    d.head = REFORMER_HEAD_CLASSIFIER;
    io.labels = nothing;
    assert_int_equal(reformer_items(&d, &io), 1);
    d.train_loss = REFORMER_LOSS_MSE;
    assert_int_equal(reformer_items(&d, &io), 2);
}

/* Rows of which start or end counts; a row with one of them alone is no part of a step of several micro-batches. */
static void rows_that_count(void **state) {
    (void)state;
    static const int32_t in[BATCH] = {0, -5, 3}, out[BATCH] = {4, 9, 4}, some[BATCH] = {3, 4, 4};
    static const int32_t padded[BATCH] = {6, 6, 8};
    env_t e;
    begin_with(&e, REFORMER_HEAD_QA, MICRO);
    e.desc.train_loss = REFORMER_LOSS_QA;
    for (int i = 0; i < 3; i++) trains[i].unpadded = 1;
    reformer_io_t io = {.size = sizeof io, .input_ids = ids, .length = 4, .threads = 2};
    assert_int_equal(reformer_items(&e.desc, &io), 0);
    io.start_positions = io.end_positions = in;
    assert_int_equal(reformer_items(&e.desc, &io), BATCH);
    io.start_positions = io.end_positions = out;
    assert_int_equal(reformer_items(&e.desc, &io), 0);
    assert_int_equal(reformer_half_items(&e.desc, &io), 0);
    io.start_positions = some;
    assert_int_equal(reformer_items(&e.desc, &io), 1);
    assert_int_equal(reformer_half_items(&e.desc, &io), 1);
    reformer_io_t both[MICRO] = {io, io};
    both[0].batch = both[1].batch = 1;
    assert_int_equal(
        reformer_train_step(&e.desc, &e.trainer, both, MICRO, NULL, e.workspace, e.workspace_bytes),
        REFORMER_E_LABEL);
    assert_int_equal(e.trainer.step, 0);
    /* a model of one length pads, and reads the padding */
    trains[0].unpadded = 0;
    trains[0].max_length = 7;
    io.start_positions = io.end_positions = padded;
    assert_int_equal(reformer_items(&e.desc, &io), 2);
    end(&e);
}

/* After a step the checksum is not right any more; signing sees to it, and counts what is no number. */
static void signed_weights(void **state) {
    (void)state;
    env_t e;
    begin(&e);
    reformer_weights_header_t h = {.magic = "RFMWGT\x1a",
                                   .version = REFORMER_WEIGHTS_VERSION,
                                   .fingerprint = e.desc.fingerprint,
                                   .bytes = WEIGHTS_BYTES,
                                   .data_end = WEIGHTS_BYTES};
    memcpy(h.magic, REFORMER_WEIGHTS_MAGIC, sizeof h.magic);
    memcpy(e.weights, &h, sizeof h);
    assert_int_equal(reformer_check_weights(&e.desc, &e.model), REFORMER_E_CHECKSUM);
    assert_int_equal(reformer_sign_weights(&e.desc, e.weights, WEIGHTS_BYTES), REFORMER_OK);
    assert_int_equal(reformer_check_weights(&e.desc, &e.model), REFORMER_OK);
    packed(&e)[1] = NAN;
    packed(&e)[2] = -INFINITY;
    assert_int_equal(reformer_sign_weights(&e.desc, e.weights, WEIGHTS_BYTES), REFORMER_OK);
    assert_int_equal(reformer_check_weights(&e.desc, &e.model), REFORMER_E_NAN);
    memcpy(&h, e.weights, sizeof h);
    assert_int_equal(h.nonfinite, 2);
    assert_int_equal(reformer_sign_weights(&e.desc, e.weights, WEIGHTS_BYTES - 1),
                     REFORMER_E_WEIGHTS);
    end(&e);
}

/* A pair of bfloat16 is not read as a float32, and integers are no floats: each section is counted as what it is. */
static void signed_sections(void **state) {
    (void)state;
    enum { HALVES = REFORMER_WEIGHTS_HEADER + 64, INTEGERS = HALVES + 64, END = INTEGERS + 64 };
    _Alignas(64) static unsigned char file[END];
    const reformer_desc_t desc = {.size = sizeof(reformer_desc_t),
                                  .abi = REFORMER_ABI,
                                  .sizes = REFORMER_SIZES,
                                  .weights_bytes = END};
    reformer_weights_header_t h = {.version = REFORMER_WEIGHTS_VERSION,
                                   .bytes = END,
                                   .data_end = END,
                                   .bf16_at = HALVES,
                                   .integers_at = INTEGERS};
    memcpy(h.magic, REFORMER_WEIGHTS_MAGIC, sizeof h.magic);
    memset(file + INTEGERS, 0x7F, 64); /* integers of 127 */
    const uint16_t halves[4] = {0x7FC0, 1, 0xFF80,
                                0x3F80}; /* NaN in either half of a pair, and infinity */
    memcpy(file + HALVES, halves, sizeof halves);
    const uint32_t floats[2] = {0x00007FC0, 0x7F800000}; /* a small float, and infinity */
    memcpy(file + REFORMER_WEIGHTS_HEADER, floats, sizeof floats);
    static const struct {
        uint64_t bf16_at, integers_at, nonfinite;
    } cases[] = {
        {HALVES, INTEGERS, 3}, /* as they are */
        {HALVES, 0, 3},        /* 0x7F7F is finite, too */
        {0, INTEGERS, 1},      /* floats up to the integers: of no pair the second is none */
        {0, 0, 1},
        {1, 7, 1}, /* no places of sections */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        h.bf16_at = cases[i].bf16_at;
        h.integers_at = cases[i].integers_at;
        memcpy(file, &h, sizeof h);
        assert_int_equal(reformer_sign_weights(&desc, file, END), REFORMER_OK);
        reformer_weights_header_t signed_header;
        memcpy(&signed_header, file, sizeof signed_header);
        assert_int_equal(signed_header.nonfinite, cases[i].nonfinite);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_of_two_batches),
        cmocka_unit_test(steps_of_one_batch),
        cmocka_unit_test(batches_without_labels),
        cmocka_unit_test(rotations_come_and_go),
        cmocka_unit_test(refused_batches_draw_nothing),
        cmocka_unit_test(what_is_no_number_changes_nothing),
        cmocka_unit_test(goes_on_where_it_was),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(labels_that_count),
        cmocka_unit_test(rows_that_count),
        cmocka_unit_test(signed_weights),
        cmocka_unit_test(signed_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
