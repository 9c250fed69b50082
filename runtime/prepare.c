/* Inputs → prepared slots: every value that kernels index with is checked here, once.
 *
 * In: the product's io (Hugging Face's conventions). Out: ids, key positions, output rows, targets
 * and control words as reformer_rt.h lists them, for all rows the model was compiled for. Rows that
 * were not given, and rows beyond the padded length, hold the padding token, masked, without target
 * or output. */
#include "rt_int.h"

enum { IGNORED = -100, NO_ROW = -1, NO_TARGET = -1 };

typedef struct {
    const reformer_desc_t *desc;
    const reformer_io_t *io;
    const reformer_extent_t *extent;
    reformer_call_t *call;
    int64_t batch, length; /* as given */
    int64_t loss_length;   /* tokens per row the QA loss runs over */
    reformer_loss_t loss;
    int32_t beyond; /* key of the positions after the input's last token */
    int any_masked;
    int hashes; /* the variant */
    int trains; /* gradients are asked for */
} fill_t;

static int32_t *ints(const fill_t *f, int slot) {
    return (int32_t *)f->call->slot[slot];
}

/* ---- what is asked for ---------------------------------------------------------------------- */

static int check_outputs(const reformer_desc_t *desc, const reformer_io_t *io) {
    int lm = desc->head == REFORMER_HEAD_CAUSAL_LM || desc->head == REFORMER_HEAD_MASKED_LM;
    int qa = desc->head == REFORMER_HEAD_QA;
    if (io->logits && !lm && desc->head != REFORMER_HEAD_CLASSIFIER) return REFORMER_E_OUTPUT;
    if ((io->start_logits || io->end_logits) && !qa) return REFORMER_E_OUTPUT;
    if (io->token_losses && !lm) return REFORMER_E_OUTPUT;
    if (io->loss && desc->head == REFORMER_HEAD_NONE) return REFORMER_E_OUTPUT;
    return REFORMER_OK;
}

static int classifier_loss(const reformer_desc_t *desc, const reformer_io_t *io,
                           reformer_loss_t *loss) {
    if (!io->labels == !io->labels_f32) return REFORMER_E_ARGUMENT; /* none, or both */
    if (io->labels) *loss = desc->label_is_float ? REFORMER_LOSS_MSE : REFORMER_LOSS_CROSS_ENTROPY;
    else *loss = desc->float_loss;
    return *loss == REFORMER_LOSS_NONE ? REFORMER_E_ARGUMENT : REFORMER_OK;
}

/* Labels without a wish for a loss are not looked at; a train step needs one. */
static int loss_kind(const fill_t *f, reformer_loss_t *loss) {
    const reformer_io_t *io = f->io;
    *loss = REFORMER_LOSS_NONE;
    if (!io->loss && !io->token_losses && !f->trains) return REFORMER_OK;
    switch (f->desc->head) {
    case REFORMER_HEAD_CLASSIFIER: return classifier_loss(f->desc, io, loss);
    case REFORMER_HEAD_QA:
        if (!io->start_positions || !io->end_positions || f->extent->rows < 2)
            return REFORMER_E_ARGUMENT;
        *loss = REFORMER_LOSS_QA;
        return REFORMER_OK;
    case REFORMER_HEAD_CAUSAL_LM:
    case REFORMER_HEAD_MASKED_LM:
        if (!io->labels) return REFORMER_E_ARGUMENT;
        *loss = REFORMER_LOSS_CROSS_ENTROPY;
        return REFORMER_OK;
    case REFORMER_HEAD_NONE: break;
    }
    return REFORMER_E_OUTPUT;
}

static void fill_control(const fill_t *f) {
    int32_t *control = ints(f, REFORMER_SLOT_CONTROL);
    const reformer_io_t *io = f->io;
    for (int i = 0; i < REFORMER_CONTROLS; i++) control[i] = 0;
    control[REFORMER_WANT_HIDDEN] = io->last_hidden_state != NULL;
    control[REFORMER_WANT_LOGITS] = io->logits != NULL || io->start_logits != NULL;
    control[REFORMER_WANT_END] = io->end_logits != NULL;
    control[REFORMER_LOSS_KIND] = io->loss || f->trains ? (int32_t)f->loss : REFORMER_LOSS_NONE;
    control[REFORMER_ANY_MASKED] = f->any_masked;
    control[REFORMER_BATCH_ROWS] = (int32_t)f->batch;
    control[REFORMER_LOSS_LENGTH] = (int32_t)f->loss_length;
    control[REFORMER_TOKENS] = (int32_t)f->length;
    control[REFORMER_WANT_TRACE] = io->trace != NULL;
    control[REFORMER_WANT_TOKEN_LOSSES] = io->token_losses != NULL;
    control[REFORMER_SEED_LOW] = (int32_t)(uint32_t)io->dropout_seed;
    control[REFORMER_SEED_HIGH] = (int32_t)(uint32_t)(io->dropout_seed >> 32);
    control[REFORMER_DROPOUT_STEP] = (int32_t)io->dropout_step;
    control[REFORMER_FIRST_ROW] = (int32_t)io->dropout_row;
}

/* ---- tokens --------------------------------------------------------------------------------- */

static void fill_padding(const fill_t *f, int64_t from, int64_t to, int32_t as_key) {
    int64_t pad = f->desc->pad_token;
    if (pad < 0 || pad >= f->desc->vocab) pad = 0; /* the value of a masked token never matters */
    int32_t *id = ints(f, REFORMER_SLOT_IDS), *key = ints(f, REFORMER_SLOT_KEY);
    int32_t *row = ints(f, REFORMER_SLOT_ROW);
    for (int64_t i = from; i < to; i++) {
        id[i] = (int32_t)pad;
        key[i] = as_key;
        row[i] = NO_ROW;
    }
}

/* The tokens of batch row b; masked ones keep their id and their output row, as in Hugging Face. */
static int fill_tokens(fill_t *f, int64_t b) {
    int64_t at = b * f->extent->rows, from = b * f->length;
    int32_t *id = ints(f, REFORMER_SLOT_IDS) + at, *key = ints(f, REFORMER_SLOT_KEY) + at;
    int32_t *row = ints(f, REFORMER_SLOT_ROW) + at;
    const int32_t *given = f->io->input_ids + from;
    const uint8_t *mask = f->io->attention_mask ? f->io->attention_mask + from : NULL;
    for (int64_t t = 0; t < f->length; t++) {
        if (given[t] < 0 || given[t] >= f->desc->vocab) return REFORMER_E_TOKEN;
        int masked = mask && !mask[t];
        id[t] = given[t];
        key[t] = masked ? REFORMER_MASKED : (int32_t)t;
        row[t] = (int32_t)(from + t);
        f->any_masked |= masked;
    }
    fill_padding(f, at + f->length, at + f->extent->rows, f->beyond);
    return REFORMER_OK;
}

/* Rows that were not given begin at 0, as all do without positions. */
static int fill_positions(const fill_t *f) {
    const int32_t *given = f->io->positions;
    int64_t last = f->desc->train_positions - f->length;
    if (!f->trains) return given ? REFORMER_E_ARGUMENT : REFORMER_OK;
    if (given && f->desc->train_positions == 0) return REFORMER_E_ARGUMENT;
    int32_t *position = ints(f, REFORMER_SLOT_POSITION);
    for (int64_t b = 0; b < f->desc->batch; b++) {
        position[b] = given && b < f->batch ? given[b] : 0;
        if (given && (position[b] < 0 || position[b] > last)) return REFORMER_E_POSITION;
    }
    return REFORMER_OK;
}

/* ---- targets -------------------------------------------------------------------------------- */

/* Label → target: IGNORED becomes NO_TARGET; false when it is not a class. */
static int target_of(int32_t label, int64_t classes, int32_t *target) {
    *target = label == IGNORED ? NO_TARGET : label;
    return label == IGNORED || (label >= 0 && label < classes);
}

/* A causal LM predicts the next token: the target of row t is the label of t + 1. All labels are
 * checked, the first one too. */
static int fill_token_targets(const fill_t *f, int64_t b, int32_t *target) {
    int64_t shift = f->desc->head == REFORMER_HEAD_CAUSAL_LM ? 1 : 0;
    const int32_t *labels = f->io->labels + b * f->length;
    for (int64_t t = 0; t < f->length; t++) {
        int32_t class_of;
        if (!target_of(labels[t], f->desc->vocab, &class_of)) return REFORMER_E_LABEL;
        if (t >= shift) target[t - shift] = class_of;
    }
    return REFORMER_OK;
}

/* Hugging Face clamps positions to 0 … S and ignores S itself. */
static int32_t clamp_position(const fill_t *f, int32_t position) {
    if (position < 0) return 0;
    return position >= f->loss_length ? NO_TARGET : position;
}

static int fill_row_targets(const fill_t *f, int64_t b) {
    int32_t *target = ints(f, REFORMER_SLOT_TARGET) + b * f->extent->rows;
    if (f->loss == REFORMER_LOSS_QA) {
        target[0] = clamp_position(f, f->io->start_positions[b]);
        target[1] = clamp_position(f, f->io->end_positions[b]);
    } else if (f->loss == REFORMER_LOSS_CROSS_ENTROPY) {
        if (f->desc->head != REFORMER_HEAD_CLASSIFIER) return fill_token_targets(f, b, target);
        if (!target_of(f->io->labels[b], f->desc->labels, &target[0])) return REFORMER_E_LABEL;
    }
    return REFORMER_OK;
}

static void fill_float_labels(const fill_t *f) {
    float *labels = (float *)f->call->slot[REFORMER_SLOT_LABELS_F32];
    int64_t n = f->desc->batch * f->desc->labels, given = f->batch * f->desc->labels;
    int wanted = f->loss == REFORMER_LOSS_MSE || f->loss == REFORMER_LOSS_BCE;
    for (int64_t i = 0; i < n; i++) {
        if (!wanted || i >= given) labels[i] = 0.0f;
        else labels[i] = f->io->labels_f32 ? f->io->labels_f32[i] : (float)f->io->labels[i];
    }
}

static int fill_targets(const fill_t *f) {
    int32_t *target = ints(f, REFORMER_SLOT_TARGET);
    for (int64_t i = 0; i < f->desc->batch * f->extent->rows; i++) target[i] = NO_TARGET;
    fill_float_labels(f);
    for (int64_t b = 0; b < f->batch; b++) {
        int error = fill_row_targets(f, b);
        if (error) return error;
    }
    return REFORMER_OK;
}

/* ---- imposed buckets ------------------------------------------------------------------------ */

static reformer_lsh_t lsh_layer(const reformer_desc_t *d, int64_t i) {
    reformer_lsh_t all = {.heads = d->heads, .rounds = d->rounds, .max_bucket = d->max_bucket};
    return d->lsh ? d->lsh[i] : all;
}

/* One layer: in rows that were given, round r holds r * N … r * N + N - 1; the others only have to
 * stay within the range that kernels were proven for. */
static int check_buckets(const fill_t *f, const reformer_lsh_t *l, const int32_t *bucket) {
    int64_t n = l->max_bucket - 1 + f->any_masked;
    for (int64_t b = 0; b < f->desc->batch; b++)
        for (int64_t h = 0; h < l->heads; h++)
            for (int64_t r = 0; r < l->rounds; r++)
                for (int64_t t = 0; t < f->extent->padded; t++, bucket++) {
                    int64_t low = b < f->batch ? r * n : 0;
                    int64_t high = b < f->batch ? low + n : l->rounds * l->max_bucket;
                    if (*bucket < low || *bucket >= high) return REFORMER_E_ARGUMENT;
                }
    return REFORMER_OK;
}

static int fill_given(const fill_t *f) {
    const reformer_desc_t *d = f->desc;
    const int32_t *buckets = f->io->buckets;
    const uint8_t *which = f->io->buckets_given;
    if ((buckets || which) && !d->imposes_buckets) return REFORMER_E_ARGUMENT;
    int32_t *given = ints(f, REFORMER_SLOT_GIVEN);
    int64_t at = 0, n = 0;
    for (int64_t i = 0; i < d->lsh_layers; i++) {
        reformer_lsh_t l = lsh_layer(d, i);
        if (!f->hashes || f->extent->padded <= l.chunk) continue;
        given[n] = which ? which[n] != 0 : buckets != NULL;
        if (given[n] && !buckets) return REFORMER_E_ARGUMENT;
        int error = given[n] ? check_buckets(f, &l, buckets + at) : REFORMER_OK;
        if (error) return error;
        at += d->batch * l.heads * l.rounds * f->extent->padded;
        n++;
    }
    return REFORMER_OK;
}

/*  -----------------------------------------------------------------------------------------------
 */

/* The loss of a train step has a place already, which a wish for it replaces. */
static void bind_slots(const reformer_io_t *io, void **slot) {
    slot[REFORMER_SLOT_HIDDEN] = io->last_hidden_state;
    slot[REFORMER_SLOT_LOGITS] = io->logits;
    slot[REFORMER_SLOT_START] = io->start_logits;
    slot[REFORMER_SLOT_END] = io->end_logits;
    if (io->loss || !slot[REFORMER_SLOT_GRADIENTS]) slot[REFORMER_SLOT_LOSS] = io->loss;
    slot[REFORMER_SLOT_TOKEN_LOSSES] = io->token_losses;
    slot[REFORMER_SLOT_BUCKETS] = (void *)(uintptr_t)io->buckets; /* kernels only read it */
}

int reformer_fill_slots(const reformer_desc_t *desc, const reformer_variant_t *v,
                        const reformer_extent_t *extent, const reformer_io_t *io,
                        reformer_call_t *call) {
    fill_t f = {.desc = desc, .io = io, .extent = extent, .call = call};
    f.batch = io->batch ? (int64_t)io->batch : desc->batch;
    f.length = (int64_t)io->length;
    f.loss_length = v->unpadded ? f.length : v->max_length;
    f.hashes = v->hashes;
    f.beyond = v->absent ? REFORMER_ABSENT : REFORMER_MASKED;
    f.any_masked = f.length < extent->padded && !v->absent;
    f.trains = call->slot[REFORMER_SLOT_GRADIENTS] != NULL;
    int error = check_outputs(desc, io);
    if (!error) error = loss_kind(&f, &f.loss);
    if (!error && f.trains && f.loss != desc->train_loss) error = REFORMER_E_ARGUMENT;
    if (!error) error = fill_positions(&f);
    for (int64_t b = 0; b < f.batch && !error; b++) error = fill_tokens(&f, b);
    if (error) return error;
    fill_padding(&f, f.batch * extent->rows, desc->batch * extent->rows, REFORMER_MASKED);
    bind_slots(io, call->slot);
    error = fill_targets(&f);
    if (!error) error = fill_given(&f);
    if (!error) fill_control(&f);
    return error;
}
