/* reformer_prepare: the variant it picks, the slots it fills, and every input it refuses. */
#include "fake.h"

#define M REFORMER_MASKED

static void assert_ints(const int32_t *got, const int32_t *want, int n) {
    for (int i = 0; i < n; i++)
        if (got[i] != want[i]) fail_msg("element %d is %d, not %d", i, got[i], want[i]);
}

/* ---- tokens --------------------------------------------------------------------------------- */

static void tokens_masks_and_rows(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    int32_t ids[] = {1, 2, 10, 4, 5, 0};
    uint8_t mask[] = {1, 0, 1, 1, 255, 1};
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .attention_mask = mask, .batch = 2, .length = 3};
    prepared_t p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    assert_ptr_equal(p.variant, &fake_variants[0]);
    int32_t want_ids[3 * 12], want_key[3 * 12], want_row[3 * 12];
    for (int i = 0; i < 36; i++) want_ids[i] = PAD, want_key[i] = M, want_row[i] = -1;
    for (int b = 0; b < 2; b++)
        for (int t = 0; t < 3; t++) {
            want_ids[b * 12 + t] = ids[b * 3 + t];
            want_key[b * 12 + t] = mask[b * 3 + t] ? t : M;
            want_row[b * 12 + t] = b * 3 + t;
        }
    assert_ints(slot_i32(&p, REFORMER_SLOT_IDS), want_ids, 36);
    assert_ints(slot_i32(&p, REFORMER_SLOT_KEY), want_key, 36);
    assert_ints(slot_i32(&p, REFORMER_SLOT_ROW), want_row, 36);
    for (int i = 0; i < 36; i++) assert_int_equal(slot_i32(&p, REFORMER_SLOT_TARGET)[i], -1);
    assert_int_equal(control(&p, REFORMER_BATCH_ROWS), 2);
    assert_int_equal(control(&p, REFORMER_ANY_MASKED), 1);
    assert_int_equal(p.call.units, 0);
    discard(&p);
}

static void batch_zero_means_all(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    int32_t ids[BATCH] = {1, 2, 4};
    reformer_io_t io = {.size = sizeof io, .input_ids = ids, .length = 1};
    prepared_t p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    assert_int_equal(control(&p, REFORMER_BATCH_ROWS), BATCH);
    assert_int_equal(slot_i32(&p, REFORMER_SLOT_IDS)[24], 4);
    discard(&p);
}

/* Bucket offsets depend on ANY_MASKED: padding counts, rows that were not given do not. */
static void any_masked(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    int32_t ids[16] = {0};
    uint8_t ones[16], hole[16];
    memset(ones, 1, sizeof ones);
    memset(hole, 1, sizeof hole);
    hole[7] = 0;
    struct {
        size_t length;
        const uint8_t *mask;
        int want;
    } cases[] = {{16, NULL, 0}, {16, ones, 0}, {16, hole, 1}, {15, NULL, 1}, {15, ones, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reformer_io_t io = {.size = sizeof io,
                            .input_ids = ids,
                            .attention_mask = cases[i].mask,
                            .batch = 1,
                            .length = cases[i].length};
        prepared_t p = prepare(&d, &io);
        assert_int_equal(p.error, REFORMER_OK);
        assert_int_equal(control(&p, REFORMER_ANY_MASKED), cases[i].want);
        discard(&p);
    }
}

static void pad_token_out_of_range(void **state) {
    (void)state;
    static const int64_t pads[] = {-1, VOCAB, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof pads / sizeof *pads; i++) {
        reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
        d.pad_token = pads[i];
        int32_t ids[] = {1};
        reformer_io_t io = {.size = sizeof io, .input_ids = ids, .batch = 1, .length = 1};
        prepared_t p = prepare(&d, &io);
        assert_int_equal(p.error, REFORMER_OK);
        int32_t id = slot_i32(&p, REFORMER_SLOT_IDS)[1];
        assert_true(id >= 0 && id < VOCAB);
        discard(&p);
    }
}

static void bad_tokens(void **state) {
    (void)state;
    static const int32_t bad[] = {-1, VOCAB, INT32_MIN, INT32_MAX, -100};
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int32_t ids[] = {1, 2, 3, bad[i]};
        uint8_t mask[] = {1, 1, 1, 0}; /* a masked token is looked up as well */
        reformer_io_t io = {
            .size = sizeof io, .input_ids = ids, .attention_mask = mask, .batch = 2, .length = 2};
        assert_int_equal(prepare_error(&d, &io), REFORMER_E_TOKEN);
        io.batch = 1;
        assert_int_equal(prepare_error(&d, &io), REFORMER_OK); /* not read */
    }
}

/* ---- variants ------------------------------------------------------------------------------- */

static void picks_the_shortest_that_fits(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    int32_t ids[41] = {0};
    static const struct {
        size_t length;
        int variant;
        int64_t units;
    } cases[] = {{1, 0, 0},  {5, 0, 0},  {6, 1, 0},  {10, 1, 0},
                 {11, 2, 3}, {12, 2, 3}, {13, 2, 4}, {40, 2, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reformer_io_t io = {
            .size = sizeof io, .input_ids = ids, .batch = 1, .length = cases[i].length};
        prepared_t p = prepare(&d, &io);
        assert_int_equal(p.error, REFORMER_OK);
        assert_ptr_equal(p.variant, &fake_variants[cases[i].variant]);
        assert_int_equal(p.call.units, cases[i].units);
        discard(&p);
    }
    reformer_io_t io = {.size = sizeof io, .input_ids = ids, .batch = 1, .length = 41};
    assert_int_equal(prepare_error(&d, &io), REFORMER_E_LENGTH);
    io.length = 0;
    assert_int_equal(prepare_error(&d, &io), REFORMER_E_LENGTH);
    io.length = SIZE_MAX;
    assert_int_equal(prepare_error(&d, &io), REFORMER_E_LENGTH);
}

/* ---- losses --------------------------------------------------------------------------------- */

static void causal_labels_are_shifted(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_CAUSAL_LM);
    int32_t ids[6] = {0}, labels[] = {1, -100, 10, 4, 5, 0};
    float loss;
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .labels = labels,
                        .loss = &loss,
                        .batch = 2,
                        .length = 3};
    prepared_t p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    static const int32_t first[12] = {-1, 10, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    static const int32_t second[12] = {5, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    assert_ints(slot_i32(&p, REFORMER_SLOT_TARGET), first, 12);
    assert_ints(slot_i32(&p, REFORMER_SLOT_TARGET) + 12, second, 12);
    assert_int_equal(control(&p, REFORMER_LOSS_KIND), REFORMER_LOSS_CROSS_ENTROPY);
    discard(&p);
}

static void masked_labels_are_not(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_MASKED_LM);
    int32_t ids[3] = {0}, labels[] = {1, -100, 10};
    float loss;
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .labels = labels,
                        .loss = &loss,
                        .batch = 1,
                        .length = 3};
    prepared_t p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    static const int32_t want[12] = {1, -1, 10, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    assert_ints(slot_i32(&p, REFORMER_SLOT_TARGET), want, 12);
    discard(&p);
}

/* Targets are there for either kind of loss; the mean is computed only where it is wanted. */
static void token_losses(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_CAUSAL_LM);
    int32_t ids[3] = {0}, labels[] = {1, 2, 10};
    float losses[3], loss;
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .labels = labels,
                        .token_losses = losses,
                        .batch = 1,
                        .length = 3};
    for (int both = 0; both < 2; both++) {
        io.loss = both ? &loss : NULL;
        prepared_t p = prepare(&d, &io);
        assert_int_equal(p.error, REFORMER_OK);
        assert_int_equal(slot_i32(&p, REFORMER_SLOT_TARGET)[1], 10);
        assert_int_equal(control(&p, REFORMER_WANT_TOKEN_LOSSES), 1);
        assert_int_equal(control(&p, REFORMER_LOSS_KIND), both ? REFORMER_LOSS_CROSS_ENTROPY : 0);
        assert_ptr_equal(p.call.slot[REFORMER_SLOT_TOKEN_LOSSES], losses);
        discard(&p);
    }
    labels[0] = VOCAB;
    assert_int_equal(prepare_error(&d, &io), REFORMER_E_LABEL);
    io.labels = NULL;
    assert_int_equal(prepare_error(&d, &io), REFORMER_E_ARGUMENT);
    static const reformer_head_t without[] = {REFORMER_HEAD_NONE, REFORMER_HEAD_CLASSIFIER,
                                              REFORMER_HEAD_QA};
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        d = fake_desc(without[i]);
        io = (reformer_io_t){.size = sizeof(reformer_io_t),
                             .input_ids = ids,
                             .token_losses = losses,
                             .batch = 1,
                             .length = 3};
        assert_int_equal(prepare_error(&d, &io), REFORMER_E_OUTPUT);
    }
}

static void bad_labels(void **state) {
    (void)state;
    static const int32_t bad[] = {-1, -99, -101, VOCAB, INT32_MAX, INT32_MIN};
    float loss;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int32_t ids[2] = {0}, labels[] = {bad[i], 0}; /* a causal LM never predicts the first one */
        reformer_io_t io = {.size = sizeof io,
                            .input_ids = ids,
                            .labels = labels,
                            .loss = &loss,
                            .batch = 1,
                            .length = 2};
        reformer_desc_t causal = fake_desc(REFORMER_HEAD_CAUSAL_LM);
        reformer_desc_t masked = fake_desc(REFORMER_HEAD_MASKED_LM);
        assert_int_equal(prepare_error(&causal, &io), REFORMER_E_LABEL);
        assert_int_equal(prepare_error(&masked, &io), REFORMER_E_LABEL);
        io.loss = NULL; /* nobody asked */
        assert_int_equal(prepare_error(&masked, &io), REFORMER_OK);
    }
}

static void classes(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_CLASSIFIER);
    int32_t ids[2] = {0}, labels[] = {LABELS - 1, -100};
    float loss;
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .labels = labels,
                        .loss = &loss,
                        .batch = 2,
                        .length = 1};
    prepared_t p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    assert_int_equal(control(&p, REFORMER_LOSS_KIND), REFORMER_LOSS_CROSS_ENTROPY);
    assert_int_equal(slot_i32(&p, REFORMER_SLOT_TARGET)[0], LABELS - 1);
    assert_int_equal(slot_i32(&p, REFORMER_SLOT_TARGET)[12], -1);
    discard(&p);
    labels[1] = LABELS;
    assert_int_equal(prepare_error(&d, &io), REFORMER_E_LABEL);
    labels[1] = -1;
    assert_int_equal(prepare_error(&d, &io), REFORMER_E_LABEL);
}

static void one_label_takes_integers_as_numbers(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_CLASSIFIER);
    d.labels = 1;
    d.label_is_float = 1;
    d.float_loss = REFORMER_LOSS_MSE;
    int32_t ids[2] = {0}, labels[] = {7, -100};
    float loss, floats[] = {0.5f, -2.0f};
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .labels = labels,
                        .loss = &loss,
                        .batch = 2,
                        .length = 1};
    prepared_t p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    assert_int_equal(control(&p, REFORMER_LOSS_KIND), REFORMER_LOSS_MSE);
    const float *x = p.call.slot[REFORMER_SLOT_LABELS_F32];
    assert_true(x[0] == 7 && x[1] == -100 && x[2] == 0);
    discard(&p);
    io.labels = NULL;
    io.labels_f32 = floats;
    p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    x = p.call.slot[REFORMER_SLOT_LABELS_F32];
    assert_true(x[0] == 0.5f && x[1] == -2.0f && x[2] == 0);
    discard(&p);
}

static void several_float_labels(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_CLASSIFIER);
    d.float_loss = REFORMER_LOSS_BCE;
    int32_t ids[2] = {0};
    float loss, labels[2 * LABELS] = {1, 0, 1, 1, 0, 0, 0, 1};
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .labels_f32 = labels,
                        .loss = &loss,
                        .batch = 2,
                        .length = 1};
    prepared_t p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    assert_int_equal(control(&p, REFORMER_LOSS_KIND), REFORMER_LOSS_BCE);
    const float *x = p.call.slot[REFORMER_SLOT_LABELS_F32];
    for (int i = 0; i < BATCH * LABELS; i++) assert_true(x[i] == (i < 2 * LABELS ? labels[i] : 0));
    discard(&p);
}

/* Hugging Face clamps positions to 0 … S and ignores S: S is the literal length, or the input's
 * own. */
static void answer_positions(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_QA);
    int32_t ids[3 * 12] = {0}, start[] = {-7, 2, 4}, end[] = {5, 3, INT32_MAX};
    float loss;
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .start_positions = start,
                        .end_positions = end,
                        .loss = &loss,
                        .batch = 3,
                        .length = 3};
    prepared_t p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    const int32_t *t = slot_i32(&p, REFORMER_SLOT_TARGET);
    assert_int_equal(control(&p, REFORMER_LOSS_LENGTH), 5);
    assert_int_equal(control(&p, REFORMER_LOSS_KIND), REFORMER_LOSS_QA);
    static const int32_t literal[] = {0, -1, 2, 3, 4, -1};
    for (int b = 0; b < 3; b++) assert_ints(t + 12 * b, literal + 2 * b, 2);
    discard(&p);
    io.length = 12; /* dynamic */
    start[0] = 11;
    end[0] = 12;
    p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    assert_int_equal(control(&p, REFORMER_LOSS_LENGTH), 12);
    t = slot_i32(&p, REFORMER_SLOT_TARGET);
    assert_int_equal(t[0], 11);
    assert_int_equal(t[1], -1);
    discard(&p);
}

static void contradictory_losses(void **state) {
    (void)state;
    int32_t ids[1] = {0}, one[1] = {0};
    float loss, floats[LABELS] = {0};
    const reformer_io_t base = {
        .size = sizeof base, .input_ids = ids, .loss = &loss, .batch = 1, .length = 1};
    reformer_io_t io = base;
    static const reformer_head_t heads[] = {REFORMER_HEAD_CAUSAL_LM, REFORMER_HEAD_MASKED_LM,
                                            REFORMER_HEAD_CLASSIFIER, REFORMER_HEAD_QA};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        reformer_desc_t d = fake_desc(heads[i]);
        assert_int_equal(prepare_error(&d, &io), REFORMER_E_ARGUMENT); /* a loss of what? */
    }
    reformer_desc_t none = fake_desc(REFORMER_HEAD_NONE);
    assert_int_equal(prepare_error(&none, &io), REFORMER_E_OUTPUT);
    reformer_desc_t classifier = fake_desc(REFORMER_HEAD_CLASSIFIER);
    io.labels_f32 = floats;
    assert_int_equal(prepare_error(&classifier, &io), REFORMER_E_ARGUMENT); /* no float loss */
    classifier.float_loss = REFORMER_LOSS_BCE;
    assert_int_equal(prepare_error(&classifier, &io), REFORMER_OK);
    io.labels = one;
    assert_int_equal(prepare_error(&classifier, &io), REFORMER_E_ARGUMENT); /* both */
    reformer_desc_t qa = fake_desc(REFORMER_HEAD_QA);
    io = base;
    io.start_positions = one;
    assert_int_equal(prepare_error(&qa, &io), REFORMER_E_ARGUMENT); /* no end */
}

/* ---- outputs and arguments ------------------------------------------------------------------ */

static void outputs_of_each_head(void **state) {
    (void)state;
    int32_t ids[1] = {0};
    float out[64];
    for (int head = REFORMER_HEAD_NONE; head <= REFORMER_HEAD_QA; head++) {
        reformer_desc_t d = fake_desc((reformer_head_t)head);
        const reformer_io_t base = {.size = sizeof base, .input_ids = ids, .batch = 1, .length = 1};
        reformer_io_t io = base;
        io.last_hidden_state = out;
        assert_int_equal(prepare_error(&d, &io), REFORMER_OK);
        int logits = head != REFORMER_HEAD_NONE && head != REFORMER_HEAD_QA;
        io = base;
        io.logits = out;
        assert_int_equal(prepare_error(&d, &io), logits ? REFORMER_OK : REFORMER_E_OUTPUT);
        io = base;
        io.start_logits = out;
        int qa = head == REFORMER_HEAD_QA;
        assert_int_equal(prepare_error(&d, &io), qa ? REFORMER_OK : REFORMER_E_OUTPUT);
        io = base;
        io.end_logits = out;
        assert_int_equal(prepare_error(&d, &io), qa ? REFORMER_OK : REFORMER_E_OUTPUT);
    }
}

static void wanted_outputs_reach_control(void **state) {
    (void)state;
    int32_t ids[1] = {0};
    float a[1], b[64];
    reformer_desc_t d = fake_desc(REFORMER_HEAD_QA);
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = 1, .end_logits = a};
    prepared_t p = prepare(&d, &io);
    assert_int_equal(control(&p, REFORMER_WANT_HIDDEN), 0);
    assert_int_equal(control(&p, REFORMER_WANT_LOGITS), 0);
    assert_int_equal(control(&p, REFORMER_WANT_END), 1);
    assert_ptr_equal(p.call.slot[REFORMER_SLOT_END], a);
    assert_null(p.call.slot[REFORMER_SLOT_START]);
    discard(&p);
    io = (reformer_io_t){.size = sizeof(reformer_io_t),
                         .input_ids = ids,
                         .batch = 1,
                         .length = 1,
                         .start_logits = a,
                         .last_hidden_state = b};
    p = prepare(&d, &io);
    assert_int_equal(control(&p, REFORMER_WANT_HIDDEN), 1);
    assert_int_equal(control(&p, REFORMER_WANT_LOGITS), 1);
    assert_int_equal(control(&p, REFORMER_WANT_END), 0);
    assert_int_equal(control(&p, REFORMER_WANT_TRACE), 0);
    assert_ptr_equal(p.call.slot[REFORMER_SLOT_HIDDEN], b);
    discard(&p);
}

static void bad_arguments(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    int32_t ids[4] = {0};
    _Alignas(64) static unsigned char workspace[1 << 16];
    const reformer_io_t good = {.size = sizeof good, .input_ids = ids, .batch = 1, .length = 1};
    reformer_call_t call;
    reformer_io_t io = good;
#define PREPARE(desc, io, ws)                                                                      \
    reformer_prepare(desc, d.variants, 3, NULL, io, ws, sizeof workspace, &call, NULL)
    assert_int_equal(PREPARE(&d, &io, workspace), REFORMER_OK);
    assert_int_equal(PREPARE(NULL, &io, workspace), REFORMER_E_ARGUMENT);
    assert_int_equal(PREPARE(&d, NULL, workspace), REFORMER_E_ARGUMENT);
    assert_int_equal(PREPARE(&d, &io, NULL), REFORMER_E_ARGUMENT);
    assert_int_equal(PREPARE(&d, &io, workspace + 32), REFORMER_E_ALIGNMENT);
    io.input_ids = NULL;
    assert_int_equal(PREPARE(&d, &io, workspace), REFORMER_E_ARGUMENT);
    io = good;
    io.batch = BATCH + 1;
    assert_int_equal(PREPARE(&d, &io, workspace), REFORMER_E_BATCH);
    io.batch = SIZE_MAX;
    assert_int_equal(PREPARE(&d, &io, workspace), REFORMER_E_BATCH);
    io = good;
    io.threads = -1;
    assert_int_equal(PREPARE(&d, &io, workspace), REFORMER_E_ARGUMENT);
    io.threads = REFORMER_MAX_THREADS + 1;
    assert_int_equal(PREPARE(&d, &io, workspace), REFORMER_E_ARGUMENT);
#undef PREPARE
}

/* ---- imposed buckets ------------------------------------------------------------------------ */

enum { PADDED = 8, PER_LAYER = BATCH * 2 * 2 * PADDED };

/* Valid buckets of length 5 in 8: 4 per round and one for padding. */
static void fill_buckets(int32_t *b) {
    for (int i = 0; i < 2 * PER_LAYER; i++) b[i] = i % 5 + 5 * (i / PADDED % 2);
}

static void imposed_buckets(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    int32_t ids[5] = {0}, buckets[2 * PER_LAYER];
    uint8_t given[] = {0, 1};
    fill_buckets(buckets);
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = 5, .buckets = buckets};
    assert_int_equal(prepare_error(&d, &io),
                     REFORMER_E_ARGUMENT); /* not translated with --buckets */
    d.imposes_buckets = 1;
    prepared_t p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    assert_ptr_equal(p.call.slot[REFORMER_SLOT_BUCKETS], buckets);
    assert_int_equal(slot_i32(&p, REFORMER_SLOT_GIVEN)[0], 1);
    discard(&p);
    io.buckets_given = given;
    buckets[3] = -5; /* of a layer that is not given */
    p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    assert_int_equal(slot_i32(&p, REFORMER_SLOT_GIVEN)[0], 0);
    assert_int_equal(slot_i32(&p, REFORMER_SLOT_GIVEN)[1], 1);
    discard(&p);
    io.buckets = NULL;
    assert_int_equal(prepare_error(&d, &io), REFORMER_E_ARGUMENT);
    given[1] = 0;
    assert_int_equal(prepare_error(&d, &io), REFORMER_OK);
}

/* Layers with heads, rounds and buckets of their own; the second does not hash 8 tokens. */
static void layers_that_differ(void **state) {
    (void)state;
    static const reformer_lsh_t layers[] = {{2, 2, 2, 5}, {8, 7, 7, 7}, {4, 1, 3, 3}};
    enum { OTHER = BATCH * 1 * 3 * PADDED };
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    d.imposes_buckets = 1;
    d.lsh_layers = 3;
    d.lsh = layers;
    int32_t ids[5] = {0}, buckets[PER_LAYER + OTHER];
    for (int i = 0; i < PER_LAYER; i++) buckets[i] = i % 5 + 5 * (i / PADDED % 2);
    for (int i = 0; i < OTHER; i++) buckets[PER_LAYER + i] = i % 3 + 3 * (i / PADDED % 3);
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = 5, .buckets = buckets};
    prepared_t p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    assert_int_equal(slot_i32(&p, REFORMER_SLOT_GIVEN)[0], 1);
    assert_int_equal(slot_i32(&p, REFORMER_SLOT_GIVEN)[1], 1);
    discard(&p);
    buckets[PER_LAYER] =
        3; /* of the next round: the first layer has so many in one, this has not */
    assert_int_equal(prepare_error(&d, &io), REFORMER_E_ARGUMENT);
    uint8_t given[] = {1, 0};
    io.buckets_given = given;
    assert_int_equal(prepare_error(&d, &io), REFORMER_OK);
}

static void bad_buckets(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    d.imposes_buckets = 1;
    int32_t ids[5] = {0}, buckets[2 * PER_LAYER];
    static const struct {
        int at;
        int32_t value;
        int error;
    } cases[] = {
        {0, -1, REFORMER_E_ARGUMENT},
        {PER_LAYER - 1, 10, REFORMER_E_ARGUMENT}, /* a row that is not given: the range only */
        {PER_LAYER - 1, 0, REFORMER_OK},
        {0, 5, REFORMER_E_ARGUMENT},      /* belongs to the next round */
        {PADDED, 4, REFORMER_E_ARGUMENT}, /* belongs to the round before */
        {PADDED, 9, REFORMER_OK},
        {2 * PER_LAYER - 1, INT32_MAX, REFORMER_E_ARGUMENT},
    };
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = 5, .buckets = buckets};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fill_buckets(buckets);
        buckets[cases[i].at] = cases[i].value;
        assert_int_equal(prepare_error(&d, &io), cases[i].error);
    }
}

/* ---- workspace ------------------------------------------------------------------------------ */

/* Parts must not overlap and must be aligned; the guard of prepare() checks the end. */
static void workspace_layout(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    int32_t ids[40] = {0};
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = 33, .threads = 3};
    prepared_t p = prepare(&d, &io);
    assert_int_equal(p.error, REFORMER_OK);
    assert_int_equal(p.call.units, 9);
    const unsigned char *last = p.workspace;
    for (int i = 0; i <= REFORMER_SLOT_CONTROL; i++) {
        const unsigned char *slot = p.call.slot[i];
        assert_int_equal((uintptr_t)slot % 64, 0);
        assert_true(slot >= last);
        last = slot + (i == REFORMER_SLOT_CONTROL ? REFORMER_CONTROLS : BATCH * 36) * 4;
    }
    assert_true(p.call.workspace >= last);
    assert_int_equal((uintptr_t)p.call.workspace % 64, 0);
    assert_true(p.call.scratch >= p.call.workspace + 64 + 9 * 1000);
    assert_int_equal((uintptr_t)p.call.scratch % 64, 0);
    assert_int_equal(p.call.scratch_stride, 128); /* 1 + 9 * 10 bytes */
    assert_true(p.workspace + p.bytes >= p.call.scratch + 3 * p.call.scratch_stride);
    discard(&p);
}

static void workspace_sizes(void **state) {
    (void)state;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    assert_true(reformer_workspace_bytes(&d, 1, 1) > 0);
    assert_int_equal(reformer_workspace_bytes(&d, 1, 0), reformer_workspace_bytes(&d, 1, 1));
    assert_int_equal(reformer_workspace_bytes(&d, 40, 8) - reformer_workspace_bytes(&d, 40, 7),
                     128);
    assert_int_equal(reformer_workspace_bytes(&d, 0, 1), 0);
    assert_int_equal(reformer_workspace_bytes(&d, 41, 1), 0);
    assert_int_equal(reformer_workspace_bytes(&d, SIZE_MAX, 1), 0);
    assert_int_equal(reformer_workspace_bytes(&d, 1, -1), 0);
    assert_int_equal(reformer_workspace_bytes(&d, 1, REFORMER_MAX_THREADS + 1), 0);
    assert_int_equal(reformer_workspace_bytes(NULL, 1, 1), 0);
}

/* A workspace for long inputs is one for short ones too, whose variant may need more. */
static void workspace_of_shorter_inputs(void **state) {
    (void)state;
    reformer_variant_t v[] = {fake_variants[0], fake_variants[1], fake_variants[2]};
    v[0].workspace_bytes = 1 << 20;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    d.variants = v;
    size_t max = 0;
    for (size_t length = 1; length <= 40; length++) {
        size_t bytes = reformer_workspace_bytes(&d, length, 2);
        assert_true(bytes > 1 << 20);
        assert_true(bytes >= max);
        max = bytes;
    }
    assert_true(max == reformer_workspace_bytes(&d, 1, 2));
}

/* The greatest need of any target; nothing when no target runs here. */
static void workspace_over_targets(void **state) {
    (void)state;
    reformer_variant_t v[2] = {fake_variants[0], fake_variants[0]};
    v[0].target = FOREIGN;
    v[0].workspace_bytes = 1 << 20;
    reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
    d.variants = v;
    d.n_variants = 2;
    assert_true(reformer_workspace_bytes(&d, 1, 1) > 1 << 20);
    d.n_variants = 1;
    assert_int_equal(reformer_workspace_bytes(&d, 1, 1), 0);
    assert_true(reformer_prepare_bytes(&d, v, 1, 1, 1) > 1 << 20);
}

static void sizes_that_overflow(void **state) {
    (void)state;
    const reformer_variant_t base = fake_variants[2];
    for (int i = 0; i < 6; i++) {
        reformer_variant_t v = base;
        if (i == 0) v.workspace_bytes = SIZE_MAX;
        if (i == 1) v.workspace_per_unit = SIZE_MAX / 4;
        if (i == 2) v.scratch_bytes = SIZE_MAX / 512;
        if (i == 3) v.scratch_per_unit = SIZE_MAX;
        if (i == 4) v.max_length = INT64_MAX, v.unit = INT64_C(1) << 29;
        if (i == 5) v.max_length = INT64_MAX - 1, v.unit = 1;
        reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
        d.variants = &v;
        d.n_variants = 1;
        size_t length = i < 4 ? 40 : i == 4 ? (size_t)1 << 31 : (size_t)INT64_MAX - 1;
        assert_int_equal(reformer_workspace_bytes(&d, length, 1024), 0);
    }
}

/* Rows of all of the batch are numbered in int32: as many as those go in, none more. */
static void rows_of_all_are_int32(void **state) {
    (void)state;
    const struct {
        size_t length;
        int64_t rows;
    } all[] = {{5, 12}, {10, 16}, {40, 40}, {21, 24}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const reformer_variant_t *v = &fake_variants[i < 2 ? i : 2];
        reformer_desc_t d = fake_desc(REFORMER_HEAD_NONE);
        int32_t ids[40] = {0};
        reformer_io_t io = {
            .size = sizeof io, .input_ids = ids, .batch = 1, .length = all[i].length};
        d.lsh_layers = 0;
        d.batch = INT32_MAX / all[i].rows;
        assert_true(reformer_prepare_bytes(&d, v, 1, io.length, 1) > 0);
        d.batch++;
        assert_int_equal(reformer_prepare_bytes(&d, v, 1, io.length, 1), 0);
        _Alignas(64) unsigned char workspace[64];
        reformer_call_t call;
        assert_int_equal(
            reformer_prepare(&d, v, 1, NULL, &io, workspace, sizeof workspace, &call, NULL),
            REFORMER_E_LENGTH);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_masks_and_rows),
        cmocka_unit_test(batch_zero_means_all),
        cmocka_unit_test(any_masked),
        cmocka_unit_test(pad_token_out_of_range),
        cmocka_unit_test(bad_tokens),
        cmocka_unit_test(picks_the_shortest_that_fits),
        cmocka_unit_test(causal_labels_are_shifted),
        cmocka_unit_test(masked_labels_are_not),
        cmocka_unit_test(bad_labels),
        cmocka_unit_test(classes),
        cmocka_unit_test(one_label_takes_integers_as_numbers),
        cmocka_unit_test(several_float_labels),
        cmocka_unit_test(answer_positions),
        cmocka_unit_test(token_losses),
        cmocka_unit_test(contradictory_losses),
        cmocka_unit_test(outputs_of_each_head),
        cmocka_unit_test(wanted_outputs_reach_control),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(imposed_buckets),
        cmocka_unit_test(bad_buckets),
        cmocka_unit_test(layers_that_differ),
        cmocka_unit_test(workspace_layout),
        cmocka_unit_test(workspace_sizes),
        cmocka_unit_test(workspace_of_shorter_inputs),
        cmocka_unit_test(workspace_over_targets),
        cmocka_unit_test(sizes_that_overflow),
        cmocka_unit_test(rows_of_all_are_int32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
