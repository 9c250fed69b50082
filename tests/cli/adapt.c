/* A product that adapts on the device: it learns a text, a few windows of it at a time, by the rule of its model's `train:`.
 *
 *   adapt WEIGHTS STATE TEXT STEPS      WEIGHTS, as `reformerc -o` wrote them, become the next ones; STATE, beside them, is
 *                                       what the next call goes on from (begun where it does not exist)
 *
 * Bytes are tokens (id = byte + 2). A step is MICRO batches of ADAPT_BATCH windows of WINDOW tokens, in the text's order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt.h"

enum { MICRO = 2, WINDOW = ADAPT_MAX_LENGTH, THREADS = 2 };

static int fail(const char *what, int code) {
    fprintf(stderr, "%s: %s\n", what, adapt_strerror(code));
    return 1;
}

static void *aligned(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) exit(1);
    return p;
}

static int load(const char *path, void *data, size_t bytes) {
    FILE *f = fopen(path, "rb");
    int ok = f && fread(data, 1, bytes, f) == bytes;
    if (f) fclose(f);
    return ok;
}

static int save(const char *path, const void *data, size_t bytes) {
    FILE *f = fopen(path, "wb");
    int ok = f && fwrite(data, 1, bytes, f) == bytes;
    return f && fclose(f) == 0 && ok;
}

/* The windows of a step's micro-batches, one behind the other; the text begins anew where it ends. */
typedef struct {
    unsigned char text[1 << 16];
    size_t length;
    int32_t ids[MICRO][ADAPT_BATCH * WINDOW];
    adapt_io_t io[MICRO];
} feed_t;

static void take_windows(feed_t *f, int64_t step) {
    size_t at = (size_t)step * sizeof f->ids / sizeof f->ids[0][0];
    for (int k = 0; k < MICRO; k++) {
        for (int i = 0; i < ADAPT_BATCH * WINDOW; i++) f->ids[k][i] = f->text[at++ % f->length] + 2;
        f->io[k] = (adapt_io_t){.size = sizeof(adapt_io_t),
                                .input_ids = f->ids[k],
                                .labels = f->ids[k],
                                .length = WINDOW,
                                .threads = THREADS};
    }
}

static int read_text(feed_t *f, const char *path) {
    FILE *file = fopen(path, "rb");
    if (file) f->length = fread(f->text, 1, sizeof f->text, file);
    if (file) fclose(file);
    return f->length > 0;
}

/* What is kept between calls: the number of the next step, then the trainer's memory. */
typedef struct {
    int64_t step;
    unsigned char padding[56];
} head_t;

int main(int argc, char **argv) {
    static feed_t feed;
    adapt_t model = {0};
    adapt_trainer_t trainer;
    adapt_train_report_t report = {.size = sizeof report};
    if (argc != 5) return fprintf(stderr, "usage: adapt WEIGHTS STATE TEXT STEPS\n"), 2;
    unsigned char *weights = aligned(ADAPT_WEIGHTS_BYTES);
    if (!load(argv[1], weights, ADAPT_WEIGHTS_BYTES)) return fail(argv[1], REFORMER_E_WEIGHTS);
    if (!read_text(&feed, argv[3])) return fail(argv[3], REFORMER_E_LENGTH);
    int error = adapt_bind(&model, weights, ADAPT_WEIGHTS_BYTES);
    if (!error) error = adapt_check_weights(&model);
    if (error) return fail("weights", error);

    size_t bytes = adapt_trainer_bytes(MICRO);
    unsigned char *state = aligned(sizeof(head_t) + bytes), *memory = state + sizeof(head_t);
    head_t *head = (head_t *)(void *)state;
    size_t room = adapt_trainer_workspace(WINDOW, THREADS);
    void *workspace = aligned(room);
    memset(state, 0, sizeof(head_t) + bytes);
    if (load(argv[2], state, sizeof(head_t) + bytes))
        error = adapt_trainer_resume(&trainer, &model, weights, memory, bytes, MICRO, head->step);
    else
        error =
            adapt_trainer_begin(&trainer, &model, weights, memory, bytes, MICRO, workspace, room);
    if (error) return fail("begin", error);

    for (int k = 0; k < atoi(argv[4]); k++) {
        take_windows(&feed, trainer.trainer.step);
        error = adapt_train_step(&trainer, feed.io, MICRO, &report, workspace, room);
        if (error) return fail("step", error);
        printf("%lld %.17g %.17g\n", (long long)report.step, report.loss, report.grad_norm);
    }
    head->step = trainer.trainer.step;
    error = adapt_sign_weights(weights, ADAPT_WEIGHTS_BYTES);
    if (error || !save(argv[1], weights, ADAPT_WEIGHTS_BYTES) ||
        !save(argv[2], state, sizeof(head_t) + bytes))
        return fail("saving", error);
    free(weights);
    free(state);
    free(workspace);
    return 0;
}
